/*
 * From a request to its answer: the vendor judges, a fault may step in, the
 * tally notes it, the answer leaves at once, later or never.
 */
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "connection.h"

static struct vendor *vendor_of(const struct exchange *x)
{
	return &x->conn->mock->vendors[x->conn->vendor];
}

static const struct orders *orders_of(const struct exchange *x)
{
	return &x->conn->mock->control.of[x->conn->vendor];
}

/* What the orders for this vendor do to a request that is in order. */
static struct fault ordered_fault(
	const struct orders *o, struct progress *p, uint64_t attempt)
{
	struct fault f = { .kind = FAULT_NONE, .retry_after_s = -1 };

	p->processed++;
	if (o->reset_every > 0 && p->processed % o->reset_every == 0) {
		f.kind = FAULT_RESET;
		return f;
	}
	if (o->is_silent) {
		f.kind = FAULT_SILENT;
		return f;
	}
	if (o->error.kind == FAULT_NONE ||
		(o->error_times > 0 && p->errors >= o->error_times) ||
		(o->error.first > 0 && attempt >= o->error.first)) {
		return f;
	}
	p->error_share += o->error_ratio;
	if (p->error_share < 1.0 - 1e-9) {
		return f;
	}
	p->error_share -= 1.0;
	p->errors++;
	f = o->error;
	f.reason = o->error_reason[0] == '\0' ? NULL : o->error_reason;
	return f;
}

/* The fault for this request, if any; the token's wish comes first. */
static struct fault choose_fault(struct exchange *x)
{
	struct mock *m = x->conn->mock;
	enum vendor_id id = x->conn->vendor;
	struct fault f = { .kind = FAULT_NONE, .retry_after_s = -1 };
	uint64_t attempt = 0;

	if (x->verdict.token.ptr != NULL) {
		attempt = tally_attempt(m->tally, id, x->verdict.token);
		if (m->control.has_markers) {
			f = marker_fault(id, x->verdict.token);
		}
	}
	if (f.first > 0 && attempt >= f.first) {
		f = (struct fault){ .kind = FAULT_NONE, .retry_after_s = -1 };
	}
	if (f.kind != FAULT_NONE || f.delay_ms > 0) {
		return f;
	}
	return ordered_fault(&m->control.of[id], &m->progress[id], attempt);
}

static void take_fault(struct exchange *x, const struct fault *f)
{
	struct verdict *v = &x->verdict;

	switch (f->kind) {
	case FAULT_NONE:
	case FAULT_EARLY:
	case FAULT_GOAWAY:
	case FAULT_REFUSE:
		break;
	case FAULT_ANSWER:
		exchange_refuse(x, f->status, f->reason);
		v->timestamp_ms = f->timestamp_ms;
		v->retry_after_s = f->retry_after_s;
		v->is_html = f->is_html;
		break;
	case FAULT_SILENT:
		exchange_refuse(x, 0, "silent");
		break;
	case FAULT_RESET:
		exchange_refuse(x, 0, "reset");
		break;
	case FAULT_CLOSE:
		exchange_refuse(x, 0, "closed");
		break;
	}
}

struct span answer_date(struct exchange *x)
{
	time_t at = (time_t)(x->now_unix_ms / 1000);
	struct tm tm;
	char text[64];
	size_t len = gmtime_r(&at, &tm) == NULL
			     ? 0
			     : strftime(text, sizeof(text),
				       "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return exchange_note(x, text, len);
}

static void on_due(void *self)
{
	struct exchange *x = self;

	x->conn->protocol->answer(x);
}

static void send_later(struct exchange *x, int64_t delay_ms)
{
	if (delay_ms <= 0) {
		x->conn->protocol->answer(x);
		return;
	}
	loop_timer_set(
		x->conn->mock->loop, &x->timer, delay_ms * 1000, on_due, x);
}

static void act(struct exchange *x, const struct fault *f)
{
	struct connection *c = x->conn;
	int64_t delay_ms =
		f->delay_ms > 0 ? f->delay_ms : orders_of(x)->delay_ms;

	switch (f->kind) {
	case FAULT_SILENT:
		break;
	case FAULT_RESET:
		tally_event(c->mock->tally, c->vendor, TALLY_RESET);
		c->protocol->reset(c, x->stream_id, NGHTTP2_INTERNAL_ERROR);
		break;
	case FAULT_CLOSE:
		connection_doom(c);
		break;
	case FAULT_GOAWAY:
		c->protocol->goaway(c, "");
		send_later(x, delay_ms);
		break;
	case FAULT_NONE:
	case FAULT_ANSWER:
	case FAULT_EARLY:
	case FAULT_REFUSE:
		send_later(x, delay_ms);
		break;
	}
}

void answer_request(struct exchange *x)
{
	struct connection *c = x->conn;
	struct vendor *v = vendor_of(x);
	struct fault f = { .kind = FAULT_NONE, .retry_after_s = -1 };

	x->now_unix_ms =
		clock_unix_ms() + 1000 * (orders_of(x)->clock_ahead_s -
						 orders_of(x)->clock_behind_s);
	v->judge(v->self, x);
	if (x->verdict.status == 200) {
		f = choose_fault(x);
	}
	if (f.kind == FAULT_REFUSE) {
		c->protocol->reset(c, x->stream_id, NGHTTP2_REFUSED_STREAM);
		return; /* never processed, so not counted as received */
	}
	take_fault(x, &f);
	x->is_judged = true;
	v->format(v->self, x);
	tally_request(c->mock->tally, c->vendor, x);
	c->processed++;
	if (orders_of(x)->close_after > 0 &&
		c->processed >= orders_of(x)->close_after) {
		connection_doom(c);
	}
	act(x, &f);
}

void answer_head(struct exchange *x)
{
	struct mock *m = x->conn->mock;
	struct vendor *v = vendor_of(x);
	struct fault f = { .kind = FAULT_NONE };

	if (v->target != NULL && m->control.has_markers) {
		f = marker_fault(x->conn->vendor, v->target(x));
	}
	if (f.kind == FAULT_EARLY || orders_of(x)->is_early) {
		x->is_early = true;
		answer_request(x);
	}
}
