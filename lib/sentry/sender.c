/* A ring of envelopes, of which the first is under way. */
#include "sentry/sender.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"
#include "sentry/envelope.h"

enum {
	TIMEOUT_MS = 3000,
	RETRY_MS = 5000, /* after no answer came */
	MS_PER_S = 1000,
};

struct sender {
	struct loop *loop;
	struct http *http; /* owned */
	const struct dsn *dsn;
	const char *ca_file;
	struct buf spool[SENDER_WAITING_MAX]; /* owned */
	size_t first;
	size_t waiting;
	bool is_sending;
	bool is_unwanted; /* until then, Sentry wants nothing */
	int64_t hold_until_mono_ms;
	struct loop_timer timer;
	struct sender_counts counts;
};

struct sender *sender_new(
	struct loop *loop, const struct dsn *dsn, const char *ca_file)
{
	struct sender *s = mem_array(1, sizeof(*s));

	s->loop = loop;
	s->dsn = dsn;
	s->ca_file = ca_file;
	s->http = http_new(loop);
	return s;
}

static void shift(struct sender *s)
{
	buf_release(&s->spool[s->first]);
	s->first = (s->first + 1) % SENDER_WAITING_MAX;
	s->waiting--;
}

void sender_free(struct sender *s)
{
	if (s == NULL) {
		return;
	}
	http_free(s->http);
	loop_timer_stop(s->loop, &s->timer);
	while (s->waiting > 0) {
		shift(s);
	}
	mem_free(s);
}

static void send_first(struct sender *s);

static void on_due(void *self)
{
	send_first(self);
}

static void on_answer(void *self, const struct http_answer *answer)
{
	struct sender *s = self;
	int64_t hold_ms = envelope_hold_ms(
		answer->status, answer->header, answer->retry_after_ms);

	s->is_sending = false;
	s->is_unwanted = hold_ms > 0;
	if (answer->status == 0) {
		/* It stays the first and is tried again. */
		log_warn("Sentry does not answer: %s", answer->error);
		hold_ms = RETRY_MS;
	} else if (answer->status == 200) {
		s->counts.sent++;
		shift(s);
	} else {
		log_warn("Sentry refuses an event with status %d",
			answer->status);
		s->counts.dropped++;
		shift(s);
	}
	if (s->is_unwanted) {
		log_warn("Sentry wants nothing for %lld s",
			(long long)(hold_ms / MS_PER_S));
		/* What a limit refuses is not kept: Sentry's rule. */
		for (; s->waiting > 0; shift(s)) {
			s->counts.dropped++;
		}
	}
	s->hold_until_mono_ms = clock_mono_ms() + hold_ms;
	send_first(s);
}

static void send_first(struct sender *s)
{
	const struct buf *envelope = &s->spool[s->first];
	int64_t hold_ms = s->hold_until_mono_ms - clock_mono_ms();
	char auth[DSN_KEY_MAX_BYTES + 128];
	struct http_ask ask = { .url = s->dsn->url,
		.headers = { "Content-Type: application/x-sentry-envelope",
			auth },
		.body = { envelope->data, envelope->len },
		.header = "X-Sentry-Rate-Limits",
		.ca_file = s->ca_file,
		.timeout_ms = TIMEOUT_MS };

	if (s->is_sending || s->waiting == 0) {
		return;
	}
	if (hold_ms > 0) {
		loop_timer_set(
			s->loop, &s->timer, hold_ms * MS_PER_S, on_due, s);
		return;
	}
	if (fmt_into(auth, sizeof(auth),
		    "X-Sentry-Auth: Sentry sentry_version=7, "
		    "sentry_client=push-sentry/" PUSH_VERSION ", sentry_key=%s",
		    s->dsn->key) != 0) {
		BUG("the DSN's key has %zu bytes", strlen(s->dsn->key));
	}
	s->is_sending = true;
	(void)http_post(s->http, &ask, on_answer, s); /* ends by itself */
}

void sender_put(struct sender *s, struct buf *envelope)
{
	s->is_unwanted =
		s->is_unwanted && clock_mono_ms() < s->hold_until_mono_ms;
	if (s->is_unwanted || s->waiting == SENDER_WAITING_MAX) {
		s->counts.dropped++;
		buf_release(envelope);
		return;
	}
	s->spool[(s->first + s->waiting) % SENDER_WAITING_MAX] = *envelope;
	*envelope = (struct buf){ 0 };
	s->waiting++;
	send_first(s);
}

size_t sender_waiting(const struct sender *s)
{
	return s->waiting;
}

struct sender_counts sender_counts(const struct sender *s)
{
	return s->counts;
}
