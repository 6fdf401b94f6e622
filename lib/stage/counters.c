/* Counters as one JSON datagram. */
#include "stage/counters.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/sock.h"
#include "record/json.h"

enum { DATAGRAM_BYTES = 16 * 1024 };

void counters_open(struct counters *c, const char *program, const char *node,
	const char *path)
{
	struct err err = { 0 };

	*c = (struct counters){
		.program = program, .node = node, .path = path, .fd = -1
	};
	if (gethostname(c->host, sizeof(c->host) - 1) != 0) {
		c->host[0] = '\0';
	}
	if (path != NULL) {
		c->fd = sock_datagram_open(&err);
		if (c->fd < 0) {
			log_warn("%s; counting for nobody", err.text);
		}
	}
}

void counters_close(struct counters *c)
{
	if (c->fd >= 0) {
		(void)close(c->fd); /* datagrams are gone or lost already */
		c->fd = -1;
	}
}

static void put_number(struct buf *b, const char *name, uint64_t n)
{
	json_put_name(b, name);
	buf_u64(b, n);
}

static void put_decided(struct buf *b, const struct counters *c)
{
	uint64_t outcomes[OUTCOME_COUNT] = { 0 };

	json_put_name(b, "reasons");
	buf_putc(b, '{');
	for (int i = REASON_OK; i < REASON_COUNT; i++) {
		if (c->reasons[i] > 0) {
			const struct reason_row *row =
				reason_row((enum reason)i);

			put_number(b, row->name, c->reasons[i]);
			outcomes[row->outcome] += c->reasons[i];
		}
	}
	buf_putc(b, '}');
	json_put_name(b, "outcomes");
	buf_putc(b, '{');
	for (int i = OUTCOME_ACCEPTED; i < OUTCOME_COUNT; i++) {
		if (outcomes[i] > 0) {
			put_number(
				b, outcome_name((enum outcome)i), outcomes[i]);
		}
	}
	buf_putc(b, '}');
}

void counters_send(struct counters *c, size_t held, uint64_t dropped,
	const struct buf *extra)
{
	struct buf b;

	if (c->fd < 0) {
		return;
	}
	buf_init(&b, DATAGRAM_BYTES);
	buf_putc(&b, '{');
	json_put_member(&b, "node", span_of(c->node));
	json_put_member(&b, "program", span_of(c->program));
	json_put_member(&b, "host", span_of(c->host));
	put_number(&b, "pid", (uint64_t)getpid());
	put_number(&b, "time_ms", (uint64_t)clock_unix_ms());
	put_number(&b, "in", c->in);
	put_number(&b, "out", c->out);
	put_number(&b, "held", held);
	put_number(&b, "dropped", dropped);
	put_number(&b, "lost_datagrams", c->lost_datagrams);
	put_decided(&b, c);
	buf_put(&b, extra->data, extra->len);
	buf_putc(&b, '}');
	if (buf_is_over(&b) ||
		sock_datagram_send(c->fd, c->path, b.data, b.len) != 0) {
		c->lost_datagrams++;
	}
	buf_release(&b);
}
