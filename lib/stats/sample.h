/*
 * Metrics in text form, piece by piece: a family's head, then its samples, each
 * a name, labels in braces, and a number.
 *
 * Source: Prometheus, "Exposition formats", text-based format, read 2026-11.
 */
#ifndef PUSH_STATS_SAMPLE_H
#define PUSH_STATS_SAMPLE_H

#include <stdint.h>

#include "base/buf.h"
#include "stats/hist.h"

/* HELP and TYPE: "counter", "gauge" or "histogram". */
void sample_family(
	struct buf *out, const char *name, const char *type, const char *help);

/* One label, behind a '{' or the label before. */
void sample_label(struct buf *out, const char *name, const char *value);

/* Closes the labels and ends the sample. */
void sample_end(struct buf *out, uint64_t n);

/* A sample without labels. */
void sample_plain(struct buf *out, const char *name, uint64_t n);

/* Microseconds as a number of seconds, with six digits. */
void sample_seconds(struct buf *out, int64_t us);

/* The samples of one histogram; `labels' is what they have in common. */
void sample_hist(struct buf *out, const char *name, const char *labels,
	const struct hist *h);

#endif
