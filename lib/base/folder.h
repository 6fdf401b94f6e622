/* Where a file is to be made: asked before anything is made. */
#ifndef PUSH_BASE_FOLDER_H
#define PUSH_BASE_FOLDER_H

#include <stdbool.h>

/* Is the folder of `path' there, and `path' itself not one? */
bool folder_can_hold(const char *path);

#endif
