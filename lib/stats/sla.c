/* The limits: a list in push.conf, of which the last that matches counts. */
#include "stats/sla.h"

#include "record/json.h"

enum { US_PER_S = 1000 * 1000, US_PER_MS = 1000 };

static const char *const names[SLA_OF_COUNT] = {
	[SLA_NODE] = "node",
	[SLA_QUEUE_WAIT] = "queue-wait",
	[SLA_END_TO_END] = "end-to-end",
};

const char *sla_of_name(enum sla_of of)
{
	return names[of];
}

void sla_defaults(struct sla *sla)
{
	/* In seconds, by priority and kind. */
	static const int seconds[SLA_OF_COUNT][PRIORITY_COUNT][KIND_COUNT] = {
		[SLA_NODE] = { { 1, 60 }, { 5, 60 }, { 60, 60 } },
		[SLA_QUEUE_WAIT] = { { 10, 900 }, { 60, 900 }, { 900, 900 } },
		[SLA_END_TO_END] = { { 120, 120 }, { 120, 120 }, { 120, 120 } },
	};

	for (int of = 0; of < SLA_OF_COUNT; of++) {
		for (int p = 0; p < PRIORITY_COUNT; p++) {
			for (int k = 0; k < KIND_COUNT; k++) {
				sla->limits_us[of][p][k] =
					(int64_t)seconds[of][p][k] * US_PER_S;
			}
		}
	}
}

/* An entry that does not name one means all. */
static bool is_meant(
	const struct json *entry, const char *member, const char *name)
{
	struct span text = json_text(json_get(entry, member));

	return text.ptr == NULL || span_is(text, name);
}

static void take(struct sla *sla, const struct json *entry, int64_t within_us)
{
	enum { CLASSES = PRIORITY_COUNT * KIND_COUNT };

	for (size_t i = 0; i < (size_t)SLA_OF_COUNT * CLASSES; i++) {
		size_t of = i / CLASSES;
		size_t p = i % CLASSES / KIND_COUNT;
		size_t k = i % KIND_COUNT;

		if (is_meant(entry, "of", names[of]) &&
			is_meant(entry, "priority",
				priority_name((enum priority)p)) &&
			is_meant(entry, "kind", kind_name((enum kind)k))) {
			sla->limits_us[of][p][k] = within_us;
		}
	}
}

int sla_load(struct sla *sla, const struct conf *conf, struct err *err)
{
	struct json_iter it = json_iter(conf_at(conf, "stats.sla"));
	const struct json *entry;
	struct sla fresh;

	sla_defaults(&fresh);
	while ((entry = json_next(&it)) != NULL) {
		int64_t ms = conf_duration_ms(json_get(entry, "within"), -1);

		if (ms < 0 || ms > INT64_MAX / US_PER_MS) {
			return err_usage(err, 0,
				"every entry of 'stats.sla' wants a time "
				"'within'");
		}
		take(&fresh, entry, ms * US_PER_MS);
	}
	*sla = fresh;
	return 0;
}
