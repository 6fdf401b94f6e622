/*
 * How long things may take, by priority and kind: the limits of push.conf's
 * stats.sla over the defaults.  Records beyond them are counted, never delayed.
 */
#ifndef PUSH_STATS_SLA_H
#define PUSH_STATS_SLA_H

#include <stdint.h>

#include "base/err.h"
#include "record/conf.h"
#include "record/record.h"

enum sla_of { SLA_NODE, SLA_QUEUE_WAIT, SLA_END_TO_END, SLA_OF_COUNT };

struct sla {
	int64_t limits_us[SLA_OF_COUNT][PRIORITY_COUNT][KIND_COUNT];
};

void sla_defaults(struct sla *sla);

/* The defaults, then what `conf' says; -1 with a usage failure, and *sla as it
 * was, when an entry has no `within'. */
int sla_load(
	struct sla *sla, const struct conf *conf, struct err *err) MUST_CHECK;

/* "node", "queue-wait", "end-to-end". */
const char *sla_of_name(enum sla_of of);

#endif
