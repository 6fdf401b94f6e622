/*
 * One request to a stand-in vendor and the answer it gets.
 *
 * What a vendor (apns.c, fcm.c, oauth.c, sentry.c) reads and fills in; it knows nothing
 * of TLS, HTTP/2, faults and counting, which are done around it.
 */
#ifndef PUSH_MOCK_EXCHANGE_H
#define PUSH_MOCK_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/span.h"

enum {
	HEAD_MAX_BYTES = 16 * 1024,
	BODY_MAX_BYTES = 64 * 1024,
	ANSWER_MAX_BYTES = 16 * 1024,
};

/* The stand-ins.  A new one is a row here, in main's table and a file. */
enum vendor_id {
	VENDOR_APNS,
	VENDOR_FCM,
	VENDOR_OAUTH,
	VENDOR_SENTRY,
	VENDOR_COUNT
};

/* What files and options call it: "apns". */
const char *vendor_name(enum vendor_id id);

/* The header fields that any vendor looks at; others are read and dropped. */
enum field {
	FIELD_METHOD,
	FIELD_PATH,
	FIELD_AUTHORIZATION,
	FIELD_CONTENT_TYPE,
	FIELD_APNS_ID,
	FIELD_APNS_TOPIC,
	FIELD_APNS_PUSH_TYPE,
	FIELD_APNS_PRIORITY,
	FIELD_APNS_EXPIRATION,
	FIELD_APNS_COLLAPSE_ID,
	FIELD_APNS_CHANNEL_ID,
	FIELD_APNS_REQUEST_ID,
	FIELD_SENTRY_AUTH,
	FIELD_COUNT
};

/* What a vendor says to a request.  Texts live as long as the exchange. */
struct verdict {
	int status;            /* HTTP; 0: no answer will be given */
	const char *reason;    /* the vendor's word; NULL when accepted */
	const char *field;     /* FCM: the member that is wrong, or NULL */
	const char *detail;    /* FCM, OAuth: a sentence, or NULL */
	int64_t timestamp_ms;  /* APNs 410: since when, else 0 */
	int64_t retry_after_s; /* -1: none */
	bool is_html;          /* answer with a page, not with JSON */
	bool is_dry_run;       /* FCM validate_only: nothing was delivered */
	struct span token;     /* device or registration token, topic, ... */
	struct span id;        /* apns-id, or the name FCM gave the message */
	struct span identity;  /* equal for two sendings of one notification */
	struct span collapse;
	struct span topic;
	struct span push_type;
	struct span priority;
	struct span expiration;
	struct span rate_limits; /* Sentry: a field of the answer */
	struct span credential;  /* bearer; only counted, never written */
};

enum { PEER_USER_MAX_BYTES = 256 };

/* The client's end of a connection, as far as vendors care. */
struct peer {
	uint64_t number;      /* 1 for the first connection of the process */
	bool is_trusted;      /* a valid credential was seen */
	bool has_certificate; /* the client has shown one, */
	bool is_certificate_good;                   /* that is believed, */
	char certificate_user[PEER_USER_MAX_BYTES]; /* with this UID */
	void *memory;     /* the vendor's; it is given back to forget() */
	const char *host; /* server name of the handshake, or "" */
	int port;         /* ours */
};

struct connection;

struct exchange {
	struct exchange *next; /* of the connection's, or of the spare ones */
	struct exchange *prev;
	struct connection *conn;
	struct peer *peer;
	int32_t stream_id;
	struct buf head; /* values of header fields, each with a NUL */
	uint32_t field_at[FIELD_COUNT]; /* offset in head + 1; 0: absent */
	uint32_t field_bytes[FIELD_COUNT];
	struct buf body;
	bool has_duplicate; /* a header field came twice */
	bool is_early;      /* judged before the body was read */
	bool is_judged;
	bool is_answered;    /* the end of the answer is on its way */
	int64_t now_unix_ms; /* by the vendor's clock, when it is judged */
	struct verdict verdict;
	struct buf answer; /* body of the answer */
	size_t answer_sent_bytes;
	const char *answer_type;    /* content-type; NULL: none */
	const char *answer_id_name; /* field that verdict.id goes into */
	struct buf notes;           /* memory for texts a vendor makes up */
	struct loop_timer timer;
};

/* A vendor's side of the matter. */
struct vendor {
	enum vendor_id id;
	const char *hosts; /* its real names, each between spaces */
	void *self;

	/* Concurrent streams of a connection. */
	uint32_t stream_limit;

	bool tells_date;   /* in a field of each answer */
	bool speaks_plain; /* HTTP/1.1, if the client does not offer HTTP/2 */

	/* A new connection may have one stream until it is trusted. */
	bool has_probation;

	/* Whom the request is for, as far as the head tells. */
	struct span (*target)(const struct exchange *x);

	/* Fills x->verdict.  With x->is_early the body is not looked at. */
	void (*judge)(void *self, struct exchange *x);

	/* Fills x->answer and x->answer_type from the verdict, which may have
	 * been replaced by a fault since judge(). */
	void (*format)(void *self, struct exchange *x);

	/* Lets go of peer->memory; may be NULL. */
	void (*forget)(void *memory);
};

struct exchange *exchange_new(void);
void exchange_free(struct exchange *x);

/* Ready for another request, with its memory kept. */
void exchange_reset(struct exchange *x);

const char *field_name(enum field field);

/* Which field a header name is, or FIELD_COUNT. */
enum field field_of_name(const char *name, size_t len);

/* Remembers a value.  A second one for the same field sets has_duplicate. */
void exchange_put_field(
	struct exchange *x, enum field field, const char *value, size_t len);

/* The value, valid until the exchange is reset; NUL-terminated. */
struct span exchange_field(const struct exchange *x, enum field field);

/* A copy of bytes that lives as long as the exchange. */
struct span exchange_note(struct exchange *x, const char *ptr, size_t len);

/* Says no. */
void exchange_refuse(struct exchange *x, int status, const char *reason);

bool starts_with(struct span t, const char *word);

#endif
