/* Two tables, and how to read and add up what they name. */
#include "stats/facts.h"

#include <string.h>

#include "base/mem.h"

#define VENDOR_EVENTS "push_vendor_events_total"
#define ACK_EVENTS    "push_settled_total"

/* clang-format off */
const struct fact node_facts[] = {
	{ NULL, "in_flight", "push_in_flight_records", NULL,
		"Records that push-pop has claimed and nobody has settled.", FACT_SUM },
	{ NULL, "claimed", "push_claimed_total", NULL,
		"Tasks claimed from the queues.", FACT_TOTAL },
	{ NULL, "stops", "push_risk_stops", NULL,
		"Stops of operators that are known.", FACT_GREATEST },
	{ NULL, "settled", ACK_EVENTS, "settled",
		"Records that push-ack has settled, and how.", FACT_TOTAL },
	{ NULL, "late", ACK_EVENTS, "late", NULL, FACT_TOTAL },
	{ NULL, "delayed", ACK_EVENTS, "delayed", NULL, FACT_TOTAL },
	{ NULL, "dead", ACK_EVENTS, "dead", NULL, FACT_TOTAL },
	{ "vendor", "connections", "push_vendor_connections", NULL,
		"Connections to a vendor now.", FACT_SUM },
	{ "vendor", "streams", "push_vendor_streams", NULL,
		"Requests a vendor has not answered yet.", FACT_SUM },
	{ "vendor", "breakers_open", "push_vendor_breakers_open", NULL,
		"Credentials and endpoints that are given a rest because a vendor is in trouble.", FACT_SUM },
	{ "vendor", "waiting", "push_vendor_waiting_records", "stream",
		"Records that wait for a connection or to be sent again.", FACT_SUM },
	{ "vendor", "delayed", "push_vendor_waiting_records", "again", NULL, FACT_SUM },
	{ "vendor", "token_age_s", "push_vendor_token_age_seconds", NULL,
		"Age of the oldest bearer token in use.", FACT_GREATEST },
	{ "vendor", "clock_skew_s", "push_vendor_clock_skew_seconds", NULL,
		"Distance between this host's clock and the vendor's.", FACT_GREATEST },
	{ "vendor", "connects", VENDOR_EVENTS, "connects",
		"What happened to connections and requests.", FACT_TOTAL },
	{ "vendor", "connect_failures", VENDOR_EVENTS, "connect-failures", NULL, FACT_TOTAL },
	{ "vendor", "lost", VENDOR_EVENTS, "lost", NULL, FACT_TOTAL },
	{ "vendor", "goaways", VENDOR_EVENTS, "goaways", NULL, FACT_TOTAL },
	{ "vendor", "ambiguous", VENDOR_EVENTS, "ambiguous", NULL, FACT_TOTAL },
	{ "vendor", "unprocessed", VENDOR_EVENTS, "unprocessed", NULL, FACT_TOTAL },
	{ "vendor", "refused", VENDOR_EVENTS, "refused", NULL, FACT_TOTAL },
	{ "vendor", "retried", VENDOR_EVENTS, "retried", NULL, FACT_TOTAL },
	{ "vendor", "timeouts", VENDOR_EVENTS, "timeouts", NULL, FACT_TOTAL },
	{ "vendor", "put_off", VENDOR_EVENTS, "put-off", NULL, FACT_TOTAL },
	{ NULL, NULL, NULL, NULL, NULL, FACT_TOTAL },
};

const struct fact credential_facts[] = {
	{ NULL, "connections", "push_credential_connections", NULL,
		"Connections to a vendor now, by credential.", FACT_SUM },
	{ NULL, "streams", "push_credential_streams", NULL,
		"Requests a vendor has not answered yet, by credential.", FACT_SUM },
	{ NULL, "breakers_open", "push_credential_breakers_open", NULL,
		"How many of a credential's endpoints are given a rest.", FACT_SUM },
	{ NULL, "token_age_s", "push_credential_token_age_seconds", NULL,
		"Age of a credential's bearer token.", FACT_GREATEST },
	{ NULL, "token_failures", "push_credential_token_failures", NULL,
		"How often in a row no bearer token could be had.", FACT_GREATEST },
	{ NULL, "token_expires_s", "push_credential_token_expiry_timestamp_seconds", NULL,
		"When the bearer token ends, Unix time.", FACT_LEAST },
	{ NULL, "certificate_expires_s", "push_credential_certificate_expiry_timestamp_seconds", NULL,
		"When the certificate ends, Unix time.", FACT_LEAST },
	{ NULL, NULL, NULL, NULL, NULL, FACT_TOTAL },
};
/* clang-format on */

_Static_assert(sizeof(node_facts) / sizeof(*node_facts) <= FACTS_MAX,
	"FACTS_MAX is too small");

int fact_read(const struct fact *fact, const struct json *said, int64_t *out)
{
	if (fact->object != NULL) {
		said = json_get(said, fact->object);
	}
	return json_int(json_get(said, fact->name), out);
}

void fact_add(const struct fact *fact, int64_t *value, int64_t said)
{
	const int64_t least = fact->sort == FACT_LEAST ? 1 : 0;

	if (said < least) {
		return;
	}
	if (fact->sort == FACT_SUM && *value != FACT_NONE) {
		*value += said;
	} else if (*value == FACT_NONE ||
		   (fact->sort == FACT_GREATEST) == (said > *value)) {
		*value = said;
	}
}

/*
 * Finds a name among items that begin with their label; one that is not there
 * is appended, zeroed but for its label.  *place is where it is, `max' when
 * there is no room.  The items, which may have moved.
 */
static void *place_of(void *items, size_t *count, size_t size, size_t max,
	struct span name, size_t *place)
{
	char *at = items;

	for (*place = 0; *place < *count; (*place)++, at += size) {
		if (label_is((const struct stats_label *)at, name)) {
			return items;
		}
	}
	if (*count == max) {
		return items;
	}
	items = mem_resize(items, ++*count, size);
	at = (char *)items + *place * size;
	memset(at, 0, size);
	label_set((struct stats_label *)at, name);
	return items;
}

/* The app's credential, new or old; NULL when there is no room. */
static struct credential *credential_of(
	struct credential_list *list, struct span app)
{
	const size_t known = list->count;
	size_t place;

	list->items = place_of(list->items, &list->count, sizeof(*list->items),
		CREDENTIALS_MAX, app, &place);
	if (place == CREDENTIALS_MAX) {
		return NULL;
	}
	for (size_t i = 0; place == known && i < FACTS_MAX; i++) {
		list->items[place].values[i] = FACT_NONE;
	}
	return &list->items[place];
}

struct credential_list credential_list_read(const struct json *array)
{
	struct credential_list list = { 0 };
	struct json_iter it = json_iter(array);
	const struct json *item;

	while ((item = json_next(&it)) != NULL) {
		struct credential *c = credential_of(
			&list, label_text(json_text(json_get(item, "app"))));

		for (size_t i = 0;
			c != NULL && credential_facts[i].name != NULL; i++) {
			int64_t n;

			if (fact_read(&credential_facts[i], item, &n) == 0) {
				fact_add(
					&credential_facts[i], &c->values[i], n);
			}
		}
	}
	return list;
}

void credential_list_release(struct credential_list *list)
{
	mem_free(list->items);
	*list = (struct credential_list){ 0 };
}

void credential_list_add(
	struct credential_list *into, const struct credential_list *from)
{
	for (size_t n = 0; n < from->count; n++) {
		const struct credential *said = &from->items[n];
		struct credential *c = credential_of(
			into, (struct span){ said->app.text, said->app.len });

		for (size_t i = 0;
			c != NULL && credential_facts[i].name != NULL; i++) {
			fact_add(&credential_facts[i], &c->values[i],
				said->values[i]);
		}
	}
}

/* The name's count, new or old; NULL when there is no room. */
static struct counted *counted_of(struct counted_list *list, struct span name)
{
	size_t place;

	list->items = place_of(list->items, &list->count, sizeof(*list->items),
		COUNTED_MAX, name, &place);
	return place == COUNTED_MAX ? NULL : &list->items[place];
}

void counted_list_release(struct counted_list *list)
{
	mem_free(list->items);
	*list = (struct counted_list){ 0 };
}

/* Names that are no labels share one, so they are added up first. */
static struct counted_list counted_list_read(const struct json *object)
{
	struct counted_list list = { 0 };
	struct json_iter it = json_iter(object);
	const struct json *item;

	while ((item = json_next(&it)) != NULL) {
		struct counted *c = counted_of(&list, label_text(it.name));
		int64_t n;

		if (c != NULL && json_int(item, &n) == 0 && n > 0) {
			c->count += (uint64_t)n;
		}
	}
	return list;
}

void counted_list_advance(struct counted_list *totals,
	struct counted_list *last, const struct json *object)
{
	struct counted_list said = counted_list_read(object);

	for (size_t i = 0; i < said.count; i++) {
		const struct counted *now = &said.items[i];
		const struct span name = { now->name.text, now->name.len };
		struct counted *before = counted_of(last, name);
		struct counted *total = counted_of(totals, name);

		if (before == NULL || total == NULL) {
			continue;
		}
		if (now->count > before->count) {
			total->count += now->count - before->count;
		}
		before->count = now->count;
	}
	counted_list_release(&said);
}
