/*
 * Where a flight waits and when it goes.  What an answer means is the engine's
 * business.
 */
#include "vendor/pool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vendor/pool_core.h"

enum { CODED_MAX_BYTES = 16 * 1024 };

/* --- sending --- */

void pool_pump(struct pool *p)
{
	int64_t now = clock_rough_mono_ms();
	struct obstacle o;
	bool is_paced = false;

	if (p->waiting.first == NULL || p->is_pumping) {
		return;
	}
	p->is_pumping = true;
	o = pool_obstacle(p, now);
	while (p->waiting.first != NULL) {
		struct flight *f = p->waiting.first;
		struct conn *conn;

		if (o.reason != REASON_NONE) {
			pool_give_back(p, f, &o);
			continue;
		}
		if (!o.is_waiting &&
			!pace_lets(&p->pace, &p->setup->pace, now)) {
			is_paced = true;
			break;
		}
		conn = o.is_waiting ? NULL : pool_pick(p, f);
		if (conn == NULL) {
			break;
		}
		flight_remove(f);
		if (p->setup->events->on_sending(p->setup->self, f)) {
			conn_submit(conn, f);
			breaker_sent(&p->breaker);
			pace_sent(&p->pace);
			if (p->breaker.has_probe) {
				o = pool_obstacle(p, now);
			}
		}
	}
	pool_expire(p, &o, now);
	/* As many at once as there are good ones: one, one, two, four. */
	if (p->waiting.first != NULL && !is_paced &&
		now >= p->next_connect_mono_ms &&
		(p->connecting == 0 || p->connecting < p->ready)) {
		pool_connect(p);
	}
	p->is_pumping = false;
}

/* What would have to wait for long because of the rate leaves, so that it does
 * not take the room of other credentials' records. */
static bool pool_puts_off(struct pool *p, struct flight *f, int64_t now)
{
	const struct pace_limit *limit = &p->setup->pace;

	if (f->tries > 0 || !pace_is_long(&p->pace, limit,
				    (int64_t)p->waiting.count, now)) {
		return false;
	}
	p->put_off++;
	p->setup->events->on_unsent(p->setup->self, f, REASON_THROTTLED,
		pace_put_off_ms(&p->pace, limit, now));
	return true;
}

void pool_send(struct pool *p, struct flight *f)
{
	f->due_mono_ms = clock_rough_mono_ms();
	if (pool_puts_off(p, f, f->due_mono_ms)) {
		return;
	}
	if (f->last_conn_no != 0) {
		flight_prepend(&p->waiting, f);
	} else {
		flight_append(&p->waiting, f);
	}
	pool_pump(p);
}

bool pool_take_back(struct pool *p, struct flight *f)
{
	if (f->http.conn != NULL) {
		p->streams--;
		breaker_unknown(&p->breaker);
		return http2_cancel(&f->http);
	}
	flight_remove(f);
	return false;
}

struct flight *pool_first_waiting(const struct pool *p)
{
	return p->waiting.first;
}

/* --- life --- */

/* Host and port as :authority wants them; the default port is left out. */
static void pool_set_authority(struct pool *p, const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;

	host = host != NULL ? host + 3 : url;
	len = strcspn(host, "/");
	if (len > 4 && memcmp(host + len - 4, ":443", 4) == 0) {
		len -= 4;
	}
	if (fmt_into(p->authority, sizeof(p->authority), "%.*s", (int)len,
		    host) != 0) {
		BUG("host name too long"); /* checked when it was configured */
	}
}

void pool_move(struct pool *p)
{
	for (size_t i = 0; i < p->places; i++) {
		struct conn *conn = &p->conns[i];

		if (conn->http2 == NULL) {
			continue;
		}
		if (conn->is_ready) {
			conn->is_retired = true;
			conn->has_answered = true; /* its end is no failure */
			http2_finish(conn->http2);
		} else {
			http2_free(conn->http2);
			conn->http2 = NULL;
			p->connecting--;
		}
	}
	p->burst = 0;
	p->failures = 0;
	p->next_connect_mono_ms = 0;
	pool_set_authority(p, p->setup->url);
	buf_reset(&p->coded); /* it names the old one */
	pool_pump(p);
}

struct pool *pool_new(const struct pool_setup *setup, struct credential *c,
	struct pool_counts *counts)
{
	struct pool *p = mem_array(1, sizeof(*p));

	p->setup = setup;
	p->credential = c;
	p->counts = counts;
	p->places = 2 * setup->connections;
	p->conns = mem_array(p->places, sizeof(*p->conns));
	pool_set_authority(p, setup->url);
	buf_init(&p->coded, CODED_MAX_BYTES);
	return p;
}

void pool_free(struct pool *p)
{
	if (p == NULL) {
		return;
	}
	for (size_t i = 0; i < p->places; i++) {
		http2_free(p->conns[i].http2);
	}
	token_release(p->coded_token);
	buf_release(&p->coded);
	mem_free(p->conns);
	mem_free(p);
}

size_t pool_connections(const struct pool *p)
{
	return p->ready;
}

size_t pool_streams(const struct pool *p)
{
	return p->streams;
}

size_t pool_waiting(const struct pool *p)
{
	return p->waiting.count;
}

uint64_t pool_put_off(const struct pool *p)
{
	return p->put_off;
}
