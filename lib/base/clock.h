/*
 * The two clocks.  `unix' is what is stored or shared between processes;
 * `mono' is for deadlines and durations inside this one.  Never compare them.
 */
#ifndef PUSH_BASE_CLOCK_H
#define PUSH_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_unix_us(void);
int64_t clock_unix_ms(void);
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);

/* The same, late by a few milliseconds at most, for a fraction of the work: for
 * deadlines of seconds that are set for each of many records.  What the others
 * told is in the future for them. */
int64_t clock_rough_unix_ms(void);
int64_t clock_rough_mono_ms(void);

#endif
