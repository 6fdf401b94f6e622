/*
 * One notification inside the engine, from the record to the vendor's answer,
 * and the lists that hold them.  Flights are used again: none is allocated for
 * a request once as many exist as are out at once.
 */
#ifndef PUSH_VENDOR_FLIGHT_H
#define PUSH_VENDOR_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http2.h"
#include "record/record.h"
#include "wire/request.h"

struct app;
struct flight_list;
struct pool;
struct token;

struct flight {
	struct http2_request http;
	struct request *request; /* NULL: not built, or written */
	size_t body_bytes;       /* of it */
	size_t shortened_bytes;  /* what its text has lost */
	/* Held, in one of these forms; both NULL while the flight is spare. */
	struct record *record;
	struct record_parked *parked;
	int64_t expires_unix_ms;    /* of the record; 0: never */
	int64_t lease_unix_ms;      /* likewise */
	int64_t registered_unix_ms; /* of the device token; 0: not told */
	bool has_environment;       /* the device says which it is of */
	struct app *app;            /* counted */
	struct pool *pool;
	size_t endpoint;       /* the pool's */
	bool was_elsewhere;    /* sent to the other endpoint, too */
	struct token *token;   /* counted; shown with the last request */
	int64_t due_mono_ms;   /* since when it waits; or its deadline; or when
	                       it is sent again: by the list it is in */
	int64_t waited_ms;     /* between retries */
	uint64_t last_conn_no; /* to be avoided when sent again; 0: none */
	int tries;             /* requests written */
	int refusals;          /* streams that the server did not want */
	int retries;           /* after an answer that asked for it */
	int renewals;          /* after an answer about the token */

	struct flight *prev;
	struct flight *next;
	struct flight_list *list; /* NULL: in none */
};

struct flight_list {
	struct flight *first;
	struct flight *last;
	size_t count;
};

void flight_append(struct flight_list *list, struct flight *f);
void flight_prepend(struct flight_list *list, struct flight *f);
/* Takes it out of the list that it is in, if any. */
void flight_remove(struct flight *f);
/* Takes the first out; NULL when there is none. */
struct flight *flight_shift(struct flight_list *list);

/* The spare ones first, else a new one; ready to be filled. */
struct flight *flight_take(struct flight_list *spare, struct record *r);
/* The flight's record, until it is parked: to be decided, or restored. */
struct record *flight_record(struct flight *f);
/* Keeps it in little memory while the flight goes on. */
void flight_park(struct flight *f, const char *node);
/* Makes it spare again; it must be in no list. */
void flight_give_back(struct flight_list *spare, struct flight *f);
/* Frees all spare ones. */
void flight_free_all(struct flight_list *spare);

#endif
