/*
 * What may go wrong on demand, and who asks for it: the token of a request
 * (marker.c) or the control file (control.c).
 */
#ifndef PUSH_MOCK_FAULT_H
#define PUSH_MOCK_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "exchange.h"

enum fault_kind {
	FAULT_NONE,   /* perhaps slow, but right */
	FAULT_ANSWER, /* says no: status, reason */
	FAULT_SILENT, /* takes the request and never answers */
	FAULT_RESET,  /* takes it and resets the stream: ambiguous */
	FAULT_CLOSE,  /* takes it and closes the connection: ambiguous */
	FAULT_REFUSE, /* REFUSED_STREAM: never processed */
	FAULT_EARLY,  /* right, but before the body was read */
	FAULT_GOAWAY, /* takes and answers it, and sends GOAWAY */
};

struct fault {
	enum fault_kind kind;
	int status;
	const char *reason;    /* constant, or the control's */
	unsigned first;        /* only this many requests a token; 0: all */
	int64_t delay_ms;      /* before the answer */
	int64_t timestamp_ms;  /* of a 410; 0: now */
	int64_t retry_after_s; /* -1: none */
	bool is_html;
};

enum { REASON_MAX_BYTES = 64 };

/* The standing orders for one vendor.  All zero: none. */
struct orders {
	int64_t delay_ms;
	struct fault error; /* FAULT_ANSWER or FAULT_NONE; reason is below */
	char error_reason[REASON_MAX_BYTES];
	double error_ratio;    /* share of the requests, 0 to 1 */
	uint64_t error_times;  /* at most so many; 0: no limit */
	uint64_t goaway_after; /* requests on a connection; 0: never */
	bool is_goaway_hard;   /* close as soon as GOAWAY is out */
	char goaway_reason[REASON_MAX_BYTES];
	uint64_t refuse_every; /* each n-th stream; 0: none */
	uint64_t reset_every;
	uint64_t close_after;  /* requests on a connection */
	uint64_t stream_limit; /* 0: what the option says */
	int64_t clock_ahead_s; /* the vendor's clock, of this host's */
	int64_t clock_behind_s;
	bool is_early;
	bool is_silent;
	bool is_frozen; /* neither reads nor writes: a dead peer */
	bool is_down;   /* closes connections old and new */
	char rate_limits[REASON_MAX_BYTES]; /* Sentry: in every answer, or "" */
	bool is_revoked; /* OAuth: forget the access tokens given so far */
};

struct control {
	struct orders of[VENDOR_COUNT];
	bool has_markers; /* tokens may ask for faults */
};

/* Reads the control file; an empty one, or NULL for none, orders nothing.  On
 * an error `c' is as it was. */
int control_read(
	struct control *c, const char *path, struct err *err) MUST_CHECK;

/* What the token asks for; the table in push-mock(1) is this one. */
struct fault marker_fault(enum vendor_id vendor, struct span token);

#endif
