/* open() takes the lowest number that is free, even if that is 1. */
#include "base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void standard_keep(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* Open the wrong way round: what is done with it fails. */
		int how = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", how) < 0) {
			return; /* nothing to be done without it */
		}
	}
}
