/*
 * The HTTP/1.1 side of a connection, for vendors that know it beside HTTP/2
 * (Google's do): one request after the other's answer, each with its length.
 *
 * Strict about what clients of today send: RFC 9112 without its obsolete forms
 * and without chunked requests, which are refused with 411.
 */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"
#include "connection.h"

enum { IN_MAX_BYTES = HEAD_MAX_BYTES + BODY_MAX_BYTES };

struct plain {
	struct buf in;      /* what is not yet used */
	struct buf out;     /* what is not yet in c->out */
	struct exchange *x; /* the request being read or answered, or NULL */
	size_t body_bytes;  /* of it, as announced */
	bool has_host;      /* and named its host, as it must */
	bool has_length;
	bool is_last; /* the connection ends with its answer */
	bool is_over;
};

/* --- reading a request --- */

/* RFC 9110 section 5.6.2. */
static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool is_letter = (c >= 'a' && c <= 'z') ||
				 (c >= 'A' && c <= 'Z') ||
				 (c >= '0' && c <= '9');
		if (!is_letter &&
			(c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
			return false;
		}
	}
	return s.len > 0;
}

/* Cuts the text up to `c' off; false when it is not there. */
static bool cut_at(struct span *rest, char c, struct span *out)
{
	const char *at = memchr(rest->ptr, c, rest->len);

	if (at == NULL) {
		return false;
	}
	*out = (struct span){ rest->ptr, (size_t)(at - rest->ptr) };
	rest->ptr += out->len + 1;
	rest->len -= out->len + 1;
	return true;
}

/* A line up to CRLF; a lone LF or CR is refused. */
static bool cut_line(struct span *rest, struct span *out)
{
	if (!cut_at(rest, '\n', out) || out->len == 0 ||
		out->ptr[out->len - 1] != '\r') {
		return false;
	}
	out->len--;
	return memchr(out->ptr, '\r', out->len) == NULL;
}

static bool read_request_line(struct exchange *x, struct span line)
{
	struct span method;
	struct span path;

	if (!cut_at(&line, ' ', &method) || !cut_at(&line, ' ', &path) ||
		!span_is(line, "HTTP/1.1") || !is_token(method) ||
		path.len == 0 || path.ptr[0] != '/') {
		return false;
	}
	exchange_put_field(x, FIELD_METHOD, method.ptr, method.len);
	exchange_put_field(x, FIELD_PATH, path.ptr, path.len);
	return true;
}

static bool is_same(struct span name, const char *known)
{
	return name.len == strlen(known) &&
	       strncasecmp(name.ptr, known, name.len) == 0;
}

static bool read_length(struct plain *p, struct span value)
{
	if (p->has_length || value.len == 0 || value.len > 8) {
		return false;
	}
	p->has_length = true;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9') {
			return false;
		}
		p->body_bytes =
			p->body_bytes * 10 + (size_t)(value.ptr[i] - '0');
	}
	return true;
}

static bool read_field(struct plain *p, struct span line)
{
	struct span name;
	enum field field;

	if (!cut_at(&line, ':', &name) || !is_token(name)) {
		return false; /* also a folded line, which begins with a space */
	}
	while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t')) {
		line.ptr++;
		line.len--;
	}
	while (line.len > 0 && (line.ptr[line.len - 1] == ' ' ||
				       line.ptr[line.len - 1] == '\t')) {
		line.len--;
	}
	for (int f = 0; f < FIELD_COUNT; f++) {
		field = (enum field)f;
		if (is_same(name, field_name(field))) {
			exchange_put_field(p->x, field, line.ptr, line.len);
		}
	}
	if (is_same(name, "host")) {
		bool is_first = !p->has_host;
		p->has_host = true;
		return is_first && line.len > 0;
	}
	if (is_same(name, "connection") && is_same(line, "close")) {
		p->is_last = true;
	}
	return !is_same(name, "content-length") || read_length(p, line);
}

/* 0, or the status that refuses it. */
static int read_head(struct plain *p, struct span head)
{
	struct span line;

	if (!cut_line(&head, &line) || !read_request_line(p->x, line)) {
		return 400;
	}
	while (cut_line(&head, &line) && line.len > 0) {
		if (is_same((struct span){ line.ptr,
				    line.len < 18 ? line.len : 18 },
			    "transfer-encoding:")) {
			return 411;
		}
		if (!read_field(p, line)) {
			return 400;
		}
	}
	if (head.len > 0 || !p->has_host) {
		return 400;
	}
	if (!p->has_length &&
		span_is(exchange_field(p->x, FIELD_METHOD), "POST")) {
		return 411;
	}
	return p->body_bytes > BODY_MAX_BYTES ? 413 : 0;
}

/* --- answering --- */

static const char *phrase_of(int status)
{
	return status == 200 ? "OK" : "Not OK";
}

static void plain_end(struct connection *c)
{
	struct plain *p = c->plain;

	if (p->x != NULL) {
		connection_drop_exchange(p->x);
	}
	p->x = NULL;
	p->body_bytes = 0;
	p->has_host = p->has_length = false;
	if (p->is_last) {
		p->is_over = true;
	}
}

/* What cannot be read as a request gets no vendor's answer. */
static void plain_refuse(struct connection *c, int status)
{
	struct plain *p = c->plain;

	buf_fmt(&p->out,
		"HTTP/1.1 %d %s\r\nconnection: close\r\n"
		"content-length: 0\r\n\r\n",
		status, phrase_of(status));
	p->is_last = true;
	plain_end(c);
	connection_touch(c);
}

static void plain_answer(struct exchange *x)
{
	struct connection *c = x->conn;
	struct plain *p = c->plain;
	const struct verdict *v = &x->verdict;
	struct span date = answer_date(x);

	buf_fmt(&p->out, "HTTP/1.1 %d %s\r\ndate: %.*s\r\n", v->status,
		phrase_of(v->status), (int)date.len, date.ptr);
	if (x->answer_type != NULL) {
		buf_fmt(&p->out, "content-type: %s\r\n", x->answer_type);
	}
	if (v->retry_after_s >= 0) {
		buf_fmt(&p->out, "retry-after: %lld\r\n",
			(long long)v->retry_after_s);
	}
	if (v->rate_limits.ptr != NULL) {
		buf_fmt(&p->out, "x-sentry-rate-limits: %.*s\r\n",
			(int)v->rate_limits.len, v->rate_limits.ptr);
	}
	if (p->is_last) {
		buf_text(&p->out, "connection: close\r\n");
	}
	buf_fmt(&p->out, "content-length: %zu\r\n\r\n", x->answer.len);
	buf_put(&p->out, x->answer.data, x->answer.len);
	x->is_answered = true;
	plain_end(c);
	connection_touch(c);
}

/* --- the connection --- */

static void plain_eat(struct plain *p, size_t len)
{
	memmove(p->in.data, p->in.data + len, p->in.len - len);
	buf_cut(&p->in, p->in.len - len);
}

/* Up to the empty line and with it; 0: it is not here yet. */
static size_t head_bytes(const struct buf *in)
{
	for (size_t i = 4; i <= in->len; i++) {
		if (memcmp(in->data + i - 4, "\r\n\r\n", 4) == 0) {
			return i;
		}
	}
	return 0;
}

/* Takes the head off when it is whole; NULL: later, or it was refused. */
static struct exchange *plain_take_head(struct connection *c)
{
	struct plain *p = c->plain;
	size_t len = head_bytes(&p->in);
	int status;

	if (len == 0) {
		if (p->in.len > HEAD_MAX_BYTES) {
			plain_refuse(c, 431);
		}
		return NULL;
	}
	p->x = connection_take_exchange(c);
	p->x->stream_id = (int32_t)++c->begun;
	status = read_head(p, (struct span){ p->in.data, len });
	if (status != 0) {
		plain_refuse(c, status);
		return NULL;
	}
	plain_eat(p, len);
	return p->x;
}

static int plain_read(struct connection *c, const uint8_t *ptr, size_t len)
{
	struct plain *p = c->plain;

	buf_put(&p->in, ptr, len);
	if (buf_is_over(&p->in)) {
		return -1;
	}
	/* The next one is looked at when this one is answered. */
	while (!p->is_over && !c->is_doomed && p->in.len > 0 &&
		(p->x == NULL || !p->x->is_judged)) {
		struct exchange *x = p->x != NULL ? p->x : plain_take_head(c);

		if (x == NULL || p->in.len < p->body_bytes) {
			break;
		}
		buf_put(&x->body, p->in.data, p->body_bytes);
		plain_eat(p, p->body_bytes);
		answer_request(x);
	}
	connection_touch(c);
	return 0;
}

static int plain_fill(struct connection *c)
{
	struct plain *p = c->plain;
	size_t room = sizeof(c->out) - c->out_bytes;
	size_t n = p->out.len < room ? p->out.len : room;

	if (n > 0) {
		memcpy(c->out + c->out_bytes, p->out.data, n);
		c->out_bytes += n;
		memmove(p->out.data, p->out.data + n, p->out.len - n);
		buf_cut(&p->out, p->out.len - n);
	}
	return 0;
}

static void plain_close(struct connection *c)
{
	struct plain *p = c->plain;

	if (p->x != NULL) {
		connection_drop_exchange(p->x);
	}
	buf_release(&p->in);
	buf_release(&p->out);
	mem_free(p);
	c->plain = NULL;
}

static bool plain_is_over(const struct connection *c)
{
	return c->plain->is_over && c->plain->out.len == 0 && c->out_bytes == 0;
}

static void plain_limit(struct connection *c)
{
	(void)c; /* one at a time, always */
}

static void plain_goaway(struct connection *c, const char *reason)
{
	(void)reason;
	c->plain->is_last = true;
}

static void plain_reset(struct connection *c, int32_t stream_id, uint32_t code)
{
	(void)stream_id;
	(void)code;
	connection_doom(c); /* there is no milder way */
}

static const struct protocol http1 = {
	.read = plain_read,
	.fill = plain_fill,
	.close = plain_close,
	.is_over = plain_is_over,
	.limit = plain_limit,
	.goaway = plain_goaway,
	.reset = plain_reset,
	.answer = plain_answer,
};

void plain_open(struct connection *c)
{
	c->plain = mem_array(1, sizeof(*c->plain));
	buf_init(&c->plain->in, IN_MAX_BYTES);
	buf_init(&c->plain->out, HEAD_MAX_BYTES + ANSWER_MAX_BYTES);
	c->protocol = &http1;
}
