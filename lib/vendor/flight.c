/* The engine's in-flight table: doubly linked lists and a free list. */
#include "vendor/flight.h"

#include "base/mem.h"

static void flight_link(struct flight_list *list, struct flight *f,
	struct flight *prev, struct flight *next)
{
	f->list = list;
	f->prev = prev;
	f->next = next;
	if (prev != NULL) {
		prev->next = f;
	} else {
		list->first = f;
	}
	if (next != NULL) {
		next->prev = f;
	} else {
		list->last = f;
	}
	list->count++;
}

void flight_append(struct flight_list *list, struct flight *f)
{
	flight_link(list, f, list->last, NULL);
}

void flight_prepend(struct flight_list *list, struct flight *f)
{
	flight_link(list, f, NULL, list->first);
}

void flight_remove(struct flight *f)
{
	struct flight_list *list = f->list;

	if (list == NULL) {
		return;
	}
	if (f->prev != NULL) {
		f->prev->next = f->next;
	} else {
		list->first = f->next;
	}
	if (f->next != NULL) {
		f->next->prev = f->prev;
	} else {
		list->last = f->prev;
	}
	list->count--;
	f->list = NULL;
	f->prev = NULL;
	f->next = NULL;
}

struct flight *flight_shift(struct flight_list *list)
{
	struct flight *f = list->first;

	if (f != NULL) {
		flight_remove(f);
	}
	return f;
}

struct flight *flight_take(struct flight_list *spare, struct record *r)
{
	struct flight *f = flight_shift(spare);

	if (f == NULL) {
		f = mem_array(1, sizeof(*f));
		http2_request_init(&f->http);
		f->http.self = f;
	}
	f->record = r;
	f->parked = NULL;
	f->expires_unix_ms = 0;
	f->lease_unix_ms = 0;
	f->request = NULL;
	f->registered_unix_ms = 0;
	f->has_environment = false;
	f->app = NULL;
	f->pool = NULL;
	f->endpoint = 0;
	f->was_elsewhere = false;
	f->token = NULL;
	f->due_mono_ms = 0;
	f->waited_ms = 0;
	f->last_conn_no = 0;
	f->tries = 0;
	f->refusals = 0;
	f->retries = 0;
	f->renewals = 0;
	return f;
}

struct record *flight_record(struct flight *f)
{
	if (f->record == NULL) {
		f->record = record_unpark(f->parked);
		f->parked = NULL;
	}
	return f->record;
}

void flight_park(struct flight *f, const char *node)
{
	f->expires_unix_ms = f->record->expires_unix_ms;
	f->lease_unix_ms = f->record->lease_unix_ms;
	f->parked = record_park(f->record, node);
	f->record = NULL;
}

void flight_give_back(struct flight_list *spare, struct flight *f)
{
	f->record = NULL;
	f->parked = NULL;
	flight_prepend(spare, f); /* the one whose memory is warm */
}

void flight_free_all(struct flight_list *spare)
{
	struct flight *f;

	while ((f = flight_shift(spare)) != NULL) {
		mem_free(f);
	}
}
