/* Unix sockets. */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, SOCKET_MODE = 0660 };

static int address(struct sockaddr_un *to, const char *path, struct err *err)
{
	size_t len = strlen(path);

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0 || len >= sizeof(to->sun_path)) {
		return err_usage(err, 0,
			"socket path '%s' is empty or longer than %zu bytes",
			path, sizeof(to->sun_path) - 1);
	}
	memcpy(to->sun_path, path, len + 1);
	return 0;
}

static int open_socket(int type, bool is_waiting, struct err *err)
{
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0) {
		return err_set(err, errno, "cannot make a socket");
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
		(!is_waiting && fcntl(fd, F_SETFL, O_NONBLOCK) != 0)) {
		(void)err_set(err, errno, "cannot set up a socket");
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	return fd;
}

int sock_connect(const char *path, struct err *err)
{
	struct sockaddr_un to;
	int fd;

	if (address(&to, path, err) != 0) {
		return -1;
	}
	fd = open_socket(SOCK_STREAM, true, err);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		(void)err_set(err, errno, "cannot connect to '%s'", path);
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	return fd;
}

/* Binds `fd' to `path' with the mode that lets the group in. */
static int bind_to(int fd, const struct sockaddr_un *to, struct err *err)
{
	mode_t old = umask(0777 & ~SOCKET_MODE);
	int result = bind(fd, (const struct sockaddr *)to, sizeof(*to));
	int saved = errno;

	(void)umask(old);
	return result == 0 ? 0
			   : err_set(err, saved, "cannot make socket '%s'",
				     to->sun_path);
}

int sock_listen(const char *path, struct err *err)
{
	struct sockaddr_un to;
	int other;
	int fd;

	if (address(&to, path, err) != 0) {
		return -1;
	}
	other = sock_connect(path, NULL);
	if (other >= 0) {
		(void)close(other); /* only asked whether somebody is there */
		return err_usage(
			err, 0, "another program listens at '%s'", path);
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		return err_set(err, errno, "cannot replace '%s'", path);
	}
	fd = open_socket(SOCK_STREAM, false, err);
	if (fd < 0) {
		return -1;
	}
	if (bind_to(fd, &to, err) != 0) {
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	if (listen(fd, BACKLOG) != 0) {
		(void)err_set(err, errno, "cannot listen at '%s'", path);
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	return fd;
}

int sock_accept(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		(void)close(fd); /* nothing was read */
		return -1;
	}
	return fd;
}

int sock_datagram_bind(const char *path, struct err *err)
{
	struct sockaddr_un to;
	int fd;

	if (address(&to, path, err) != 0) {
		return -1;
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		return err_set(err, errno, "cannot replace '%s'", path);
	}
	fd = open_socket(SOCK_DGRAM, false, err);
	if (fd >= 0 && bind_to(fd, &to, err) != 0) {
		(void)close(fd); /* nothing was read */
		return -1;
	}
	return fd;
}

int sock_datagram_open(struct err *err)
{
	return open_socket(SOCK_DGRAM, false, err);
}

int sock_datagram_send(int fd, const char *path, const void *ptr, size_t len)
{
	struct sockaddr_un to;

	if (address(&to, path, NULL) != 0) {
		return -1;
	}
	return sendto(fd, ptr, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		       (struct sockaddr *)&to, sizeof(to)) == (ssize_t)len
		       ? 0
		       : -1;
}
