/* Names of files, before there are files. */
#include "base/folder.h"

#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

bool folder_can_hold(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL
			       ? mem_text(".")
			       : mem_dup(path, (size_t)(slash + 1 - path));
	struct stat st;
	bool is_there = stat(folder, &st) == 0 && S_ISDIR(st.st_mode);

	mem_free(folder);
	return is_there && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode));
}
