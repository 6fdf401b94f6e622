/*
 * Sets by hash, counters, and two kinds of JSON text: a line for each request,
 * and a summary.
 */
#include "tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "record/json.h"

enum {
	LINES_MAX_BYTES = 64 * 1024 * 1024,
	FLUSH_BYTES = 256 * 1024,
	SUMMARY_MAX_BYTES = 1024 * 1024,
	SET_FIRST_SLOTS = 1024,
	LABELS_MAX = 96,
	LABEL_MAX_BYTES = 80,
	STATUS_MAX = 600,
};

/* Open addressing; 0 marks a free slot, so no hash is 0. */
struct set {
	uint64_t *hashes;
	uint32_t *counts; /* in lock-step with hashes */
	size_t slots;     /* a power of two, or 0 */
	size_t used;
};

struct label {
	char text[LABEL_MAX_BYTES];
	uint64_t count;
};

struct vendor_tally {
	uint64_t requests;
	uint64_t accepted;
	uint64_t dry_runs;
	uint64_t repeats; /* accepted again */
	uint64_t by_status[STATUS_MAX];
	uint64_t events[TALLY_EVENT_COUNT];
	uint64_t max_streams;
	struct label reasons[LABELS_MAX];
	size_t reason_count;
	struct set tokens;   /* of all requests */
	struct set ids;      /* of accepted ones */
	struct set identity; /* of accepted ones */
	struct set credentials;
	struct set attempts; /* token, every time it asked */
};

struct tally {
	struct vendor_tally of[VENDOR_COUNT];
	int fd; /* -1: no lines wanted */
	bool with_body;
	struct buf lines;
};

static uint64_t mix(uint64_t h, const char *ptr, size_t bytes)
{
	uint64_t word = 0;

	memcpy(&word, ptr, bytes);
	h = (h ^ word) * 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static uint64_t hash_of(struct span t)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ t.len;
	size_t i = 0;

	for (; i + sizeof(h) <= t.len; i += sizeof(h)) {
		h = mix(h, t.ptr + i, sizeof(h));
	}
	if (i < t.len) {
		h = mix(h, t.ptr + i, t.len - i);
	}
	h *= 0xa0761d6478bd642fu;
	h ^= h >> 29;
	return h == 0 ? 1 : h;
}

static size_t set_slot(const struct set *s, uint64_t hash)
{
	size_t i = hash & (s->slots - 1);

	while (s->hashes[i] != 0 && s->hashes[i] != hash) {
		i = (i + 1) & (s->slots - 1);
	}
	return i;
}

static void set_grow(struct set *s)
{
	struct set bigger = {
		.slots = s->slots == 0 ? SET_FIRST_SLOTS : s->slots * 2,
		.used = s->used,
	};

	bigger.hashes = mem_array(bigger.slots, sizeof(*bigger.hashes));
	bigger.counts = mem_array(bigger.slots, sizeof(*bigger.counts));
	for (size_t i = 0; i < s->slots; i++) {
		if (s->hashes[i] != 0) {
			size_t at = set_slot(&bigger, s->hashes[i]);
			bigger.hashes[at] = s->hashes[i];
			bigger.counts[at] = s->counts[i];
		}
	}
	mem_free(s->hashes);
	mem_free(s->counts);
	*s = bigger;
}

/* Adds one; how many there were before. */
static uint64_t set_add(struct set *s, struct span t)
{
	uint64_t hash = hash_of(t);

	if ((s->used + 1) * 2 > s->slots) {
		set_grow(s);
	}
	size_t i = set_slot(s, hash);
	if (s->hashes[i] == 0) {
		s->hashes[i] = hash;
		s->used++;
	}
	return s->counts[i]++;
}

static void set_release(struct set *s)
{
	mem_free(s->hashes);
	mem_free(s->counts);
}

struct tally *tally_new(void)
{
	struct tally *t = mem_array(1, sizeof(*t));

	t->fd = -1;
	buf_init(&t->lines, LINES_MAX_BYTES);
	return t;
}

void tally_free(struct tally *t)
{
	if (t == NULL) {
		return;
	}
	for (int v = 0; v < VENDOR_COUNT; v++) {
		set_release(&t->of[v].tokens);
		set_release(&t->of[v].ids);
		set_release(&t->of[v].identity);
		set_release(&t->of[v].credentials);
		set_release(&t->of[v].attempts);
	}
	if (t->fd >= 0) {
		(void)close(t->fd); /* all was written by tally_flush() */
	}
	buf_release(&t->lines);
	mem_free(t);
}

int tally_open(
	struct tally *t, const char *path, bool with_body, struct err *err)
{
	t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (t->fd < 0) {
		return err_usage(err, errno, "cannot open '%s'", path);
	}
	t->with_body = with_body;
	return 0;
}

uint64_t tally_attempt(struct tally *t, enum vendor_id v, struct span token)
{
	return set_add(&t->of[v].attempts, token);
}

static void put_member(struct buf *b, const char *name, struct span t)
{
	if (t.ptr == NULL) {
		return;
	}
	buf_text(b, ",\"");
	buf_text(b, name);
	buf_text(b, "\":");
	json_put_span(b, t);
}

static void put_line(
	struct tally *t, enum vendor_id vendor, const struct exchange *x)
{
	const struct verdict *v = &x->verdict;
	struct buf *b = &t->lines;

	buf_text(b, "{\"vendor\":\"");
	buf_text(b, vendor_name(vendor));
	buf_text(b, "\",\"status\":");
	buf_i64(b, v->status);
	if (v->reason != NULL) {
		put_member(b, "reason", span_of(v->reason));
	}
	put_member(b, "token", v->token);
	put_member(b, vendor == VENDOR_APNS ? "apns_id" : "name", v->id);
	put_member(
		b, vendor == VENDOR_APNS ? "collapse_id" : "tag", v->collapse);
	put_member(b, "topic", v->topic);
	put_member(b, "push_type", v->push_type);
	put_member(b, "priority", v->priority);
	put_member(b, "expiration", v->expiration);
	if (v->is_dry_run) {
		buf_text(b, ",\"validate_only\":true");
	}
	buf_text(b, ",\"connection\":");
	buf_u64(b, x->peer->number);
	buf_text(b, ",\"stream\":");
	buf_i64(b, x->stream_id);
	buf_text(b, ",\"unix_ms\":");
	buf_i64(b, clock_unix_ms());
	if (t->with_body && !x->is_early) {
		put_member(b, "body",
			(struct span){ x->body.len > 0 ? x->body.data : "",
				x->body.len });
	}
	buf_text(b, "}\n");
}

static void count_reason(struct vendor_tally *v, const char *reason)
{
	size_t i = 0;

	while (i < v->reason_count && strcmp(v->reasons[i].text, reason) != 0) {
		i++;
	}
	if (i == LABELS_MAX) {
		return;
	}
	if (i == v->reason_count) {
		if (fmt_into(v->reasons[i].text, LABEL_MAX_BYTES, "%s",
			    reason) != 0) {
			return;
		}
		v->reason_count++;
	}
	v->reasons[i].count++;
}

static void count(struct vendor_tally *t, const struct exchange *x)
{
	const struct verdict *v = &x->verdict;

	t->requests++;
	if (v->status >= 0 && v->status < STATUS_MAX) {
		t->by_status[v->status]++;
	}
	if (v->reason != NULL) {
		count_reason(t, v->reason);
	}
	if (v->token.ptr != NULL) {
		(void)set_add(&t->tokens, v->token);
	}
	if (v->credential.ptr != NULL) {
		(void)set_add(&t->credentials, v->credential);
	}
	if (v->status != 200) {
		return;
	}
	if (v->is_dry_run) {
		t->dry_runs++;
		return;
	}
	t->accepted++;
	if (v->id.ptr != NULL) {
		(void)set_add(&t->ids, v->id);
	}
	if (v->identity.ptr != NULL && set_add(&t->identity, v->identity) > 0) {
		t->repeats++;
	}
}

void tally_request(struct tally *t, enum vendor_id v, const struct exchange *x)
{
	count(&t->of[v], x);
	if (t->fd >= 0) {
		put_line(t, v, x);
	}
}

void tally_event(struct tally *t, enum vendor_id v, enum tally_event event)
{
	t->of[v].events[event]++;
}

void tally_streams(struct tally *t, enum vendor_id v, uint64_t open)
{
	if (open > t->of[v].max_streams) {
		t->of[v].max_streams = open;
	}
}

static int write_all(int fd, const char *ptr, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, ptr, len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -1;
		}
		ptr += n;
		len -= (size_t)n;
	}
	return 0;
}

int tally_flush(struct tally *t, struct err *err)
{
	if (t->lines.len == 0) {
		return 0;
	}
	if (buf_is_over(&t->lines)) {
		return err_set(err, 0, "too many lines at once");
	}
	if (write_all(t->fd, t->lines.data, t->lines.len) != 0) {
		return err_set(err, errno, "cannot write received requests");
	}
	buf_reset(&t->lines);
	return 0;
}

static void put_count(struct buf *b, const char *name, uint64_t n)
{
	buf_fmt(b, "\"%s\":", name);
	buf_u64(b, n);
	buf_putc(b, ',');
}

static void put_vendor(struct buf *b, const struct vendor_tally *t)
{
	const char *comma = "";

	put_count(b, "requests", t->requests);
	put_count(b, "accepted", t->accepted);
	put_count(b, "validate_only", t->dry_runs);
	put_count(b, "repeats", t->repeats);
	put_count(b, "distinct_tokens", t->tokens.used);
	put_count(b, "distinct_ids", t->ids.used);
	put_count(b, "credentials", t->credentials.used);
	put_count(b, "connections", t->events[TALLY_OPENED]);
	put_count(b, "connections_closed", t->events[TALLY_CLOSED]);
	put_count(b, "max_streams", t->max_streams);
	put_count(b, "goaways", t->events[TALLY_GOAWAY]);
	put_count(b, "refused", t->events[TALLY_REFUSED]);
	put_count(b, "reset", t->events[TALLY_RESET]);
	put_count(b, "unanswered", t->events[TALLY_UNANSWERED]);
	buf_text(b, "\"by_status\":{");
	for (int i = 0; i < STATUS_MAX; i++) {
		if (t->by_status[i] > 0) {
			buf_fmt(b, "%s\"%d\":", comma, i);
			buf_u64(b, t->by_status[i]);
			comma = ",";
		}
	}
	buf_text(b, "},\"by_reason\":{");
	comma = "";
	for (size_t i = 0; i < t->reason_count; i++) {
		buf_text(b, comma);
		json_put_span(b, span_of(t->reasons[i].text));
		buf_putc(b, ':');
		buf_u64(b, t->reasons[i].count);
		comma = ",";
	}
	buf_text(b, "}}");
}

/* Written beside the file and renamed, so that a reader sees all or nothing. */
static int write_whole(const char *path, const struct buf *b, struct err *err)
{
	struct buf name;
	int fd = -1;
	int rc = -1;

	buf_init(&name, SUMMARY_MAX_BYTES);
	buf_fmt(&name, "%s.new", path);
	const char *temporary = buf_string(&name);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		(void)err_set(err, errno, "cannot open '%s'", temporary);
		goto out;
	}
	if (write_all(fd, b->data, b->len) != 0) {
		(void)err_set(err, errno, "cannot write '%s'", temporary);
		goto out;
	}
	if (rename(temporary, path) != 0) {
		(void)err_set(err, errno, "cannot rename to '%s'", path);
		goto out;
	}
	rc = 0;
out:
	if (fd >= 0) {
		(void)close(fd); /* every byte was accepted by write() */
	}
	buf_release(&name);
	return rc;
}

int tally_summary(const struct tally *t, const char *path, struct err *err)
{
	struct buf b;

	buf_init(&b, SUMMARY_MAX_BYTES);
	for (int v = 0; v < VENDOR_COUNT; v++) {
		buf_fmt(&b, "%s\"%s\":{", v == 0 ? "{" : ",",
			vendor_name((enum vendor_id)v));
		put_vendor(&b, &t->of[v]);
	}
	buf_text(&b, "}\n");
	int rc = write_whole(path, &b, err);
	buf_release(&b);
	return rc;
}
