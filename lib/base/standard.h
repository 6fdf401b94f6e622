/* Descriptors 0, 1 and 2 of a program that was started without them. */
#ifndef PUSH_BASE_STANDARD_H
#define PUSH_BASE_STANDARD_H

/*
 * Takes the place of those that are closed, so that no file or socket of ours
 * gets the number that records or the log go to.  Reading and writing there
 * fails as it would have.  To be called before anything is opened.
 */
void standard_keep(void);

#endif
