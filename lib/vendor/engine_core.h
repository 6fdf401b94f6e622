/*
 * The engine from the inside, for the files that make it up:
 *
 *   engine.c         records in, what the pools tell, life
 *   engine_flight.c  how a flight is sent again, or ends
 *   engine_answer.c  what the vendor's answer means for it
 *   engine_tick.c    deadlines
 *   engine_count.c   what is counted
 *
 * A flight is in one of three places: in its pool's queue, in `sent' with a
 * deadline, in `delayed' until it is sent again.  One tick looks after all
 * deadlines.
 */
#ifndef PUSH_VENDOR_ENGINE_CORE_H
#define PUSH_VENDOR_ENGINE_CORE_H

#include "net/http.h"
#include "vendor/credential.h"
#include "vendor/engine.h"
#include "vendor/flight.h"
#include "vendor/pool.h"
#include "vendor/request_shelf.h"
#include "vendor/skew.h"

enum { ENGINE_TICK_MS = 50 };

struct engine {
	struct engine_setup setup;
	size_t endpoints;
	char *urls[VENDOR_ENDPOINTS_MAX]; /* owned */
	char *token_url;                  /* owned; or NULL */
	struct http *http;                /* owned */
	struct credentials *credentials;  /* owned */
	struct pool_setup pools[VENDOR_ENDPOINTS_MAX];
	struct pool_counts counts;
	struct skew skew;
	uint64_t ambiguous;
	uint64_t unprocessed;
	uint64_t refused;
	uint64_t retried;
	uint64_t timeouts;

	struct record *incoming; /* taken in handle(), sent from the loop */
	struct record *incoming_last;
	struct loop_timer arrival;
	struct flight_list sent;
	struct flight_list delayed;
	struct flight_list spare;
	struct request_shelf requests;
	size_t out; /* flights that are not spare */
	struct loop_timer tick;
	bool is_draining;
	int64_t drain_end_mono_ms;
};

/* --- one flight (engine_flight.c) --- */

/* Builds the request; the record is whole for as long as that takes.  False: it
 * cannot be built, and the flight has ended. */
bool engine_build(struct engine *e, struct flight *f);

/* Has the request there again.  False: the flight has ended. */
bool engine_rebuild(struct engine *e, struct flight *f);

/* Sends it again after `delay_ms', if this process may; false when the record
 * should rather become a retry. */
bool engine_again(struct engine *e, struct flight *f, int64_t delay_ms);

/* The server has not looked at it: with its connection, or this stream only. */
void engine_on_unprocessed(struct engine *e, struct flight *f);
void engine_on_refused(struct engine *e, struct flight *f);

/* The request is not needed any more, if it is there. */
void engine_give_back_request(struct engine *e, struct flight *f);

/* For whoever reads the record: why it came to this. */
void engine_why(struct flight *f, const char *why);

/* Decides the flight's record, gives it back and the flight to the spare
 * ones. */
void engine_conclude(struct engine *e, struct flight *f, enum reason reason,
	int64_t after_ms);

/* It is not known what became of it. */
void engine_lose(struct engine *e, struct flight *f, const char *why);
/* It was not sent, which is no attempt. */
void engine_unsent(struct engine *e, struct flight *f, const char *why,
	enum reason reason, int64_t after_ms);

/* --- answers (engine_answer.c) --- */

void engine_on_answer(struct engine *e, struct flight *f);

/* --- pools and deadlines (engine.c, engine_tick.c) --- */

/* The pool of a credential's connections to one endpoint. */
struct pool *engine_pool(
	struct engine *e, struct credential *c, size_t endpoint);
void engine_each_pool(
	struct engine *e, void (*call)(struct engine *e, struct pool *p));
void engine_on_tick(void *self);

#endif
