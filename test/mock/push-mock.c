/*
 * push-mock - stand in for APNs, FCM, Google's token endpoint and Sentry
 *
 * Answers on loopback as the vendors do, as strictly as they do, goes wrong when
 * it is asked to, and keeps an account of what it received.  See push-mock(1).
 * Test code: nothing of the chain depends on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apns.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/standard.h"
#include "credentials.h"
#include "fcm.h"
#include "mock.h"
#include "oauth.h"
#include "record/json.h"
#include "sentry.h"
#include "stage/opt.h"

enum { PORT_MAX = 65535, STREAMS_MAX = 1000000, PORTS_MAX_BYTES = 4096 };

struct app {
	const char *cert;
	const char *key;
	const char *credentials_file;
	const char *address;
	int64_t ports[VENDOR_COUNT]; /* 0: the system chooses */
	int64_t shared_port;         /* -1: none */
	const char *ports_file;
	int64_t ready_fd;
	const char *control_file;
	const char *received_file;
	bool with_body;
	const char *summary_file;
	int64_t token_life_s;
	struct mock mock;
	struct credentials credentials;
	struct apns *apns; /* owned, like the next three */
	struct oauth *oauth;
	struct fcm *fcm;
	struct sentry *sentry;
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	bool is_stopping;
};

static struct app app = {
	.address = "127.0.0.1",
	.shared_port = -1,
	.ready_fd = -1,
	.token_life_s = 3600,
	.mock = {
		.first_streams = 1,
		.window_bytes = (size_t)1024 * 1024,
	},
};

/* clang-format off */
static const struct opt opts[] = {
	OPT_TEXT("cert", "file", &app.cert, NULL, "certificate chain, PEM"),
	OPT_TEXT("key", "file", &app.key, NULL, "its private key, PEM"),
	OPT_TEXT("credentials", "file", &app.credentials_file, NULL, "the signing keys and service accounts to believe, JSON"),
	OPT_TEXT("address", "address", &app.address, NULL, "IPv4 address to listen on, 127.0.0.1 by default"),
	OPT_INT("apns-port", "port", &app.ports[VENDOR_APNS], 0, PORT_MAX, NULL, "port for APNs; 0, the default, takes a free one"),
	OPT_INT("fcm-port", "port", &app.ports[VENDOR_FCM], 0, PORT_MAX, NULL, "port for FCM"),
	OPT_INT("oauth-port", "port", &app.ports[VENDOR_OAUTH], 0, PORT_MAX, NULL, "port for the token endpoint"),
	OPT_INT("sentry-port", "port", &app.ports[VENDOR_SENTRY], 0, PORT_MAX, NULL, "port for Sentry"),
	OPT_INT("port", "port", &app.shared_port, 0, PORT_MAX, NULL, "one more port, for all of them, told apart by server name; 0 takes a free one"),
	OPT_TEXT("ports-file", "file", &app.ports_file, NULL, "where to write the ports, as JSON"),
	OPT_INT("ready-fd", "n", &app.ready_fd, 0, INT32_MAX, NULL, "descriptor that gets a newline when all ports are open"),
	OPT_TEXT("control", "file", &app.control_file, NULL, "faults to show, JSON; read again on HUP"),
	OPT_TEXT("received", "file", &app.received_file, NULL, "where to append a line for each request"),
	OPT_FLAG("received-body", &app.with_body, "put the body of requests into these lines"),
	OPT_TEXT("summary", "file", &app.summary_file, NULL, "where to write the counts at the end, on USR1 and after HUP, JSON"),
	OPT_INT("token-life", "seconds", &app.token_life_s, 1, 86400, NULL, "life of an access token, 3600 by default"),
	OPT_INT("stream-limit", "n", &app.mock.stream_limit, 0, STREAMS_MAX, NULL, "concurrent streams of a connection; 0, the default: as the vendor does"),
	OPT_INT("first-streams", "n", &app.mock.first_streams, 1, STREAMS_MAX, NULL, "the same for APNs until a valid token was seen, 1 by default"),
	OPT_BYTES("window", "bytes", &app.mock.window_bytes, NULL, "HTTP/2 window of a connection, 1M by default"),
	OPT_FLAG("record-each", &app.mock.is_record_each, "send each answer in a TLS record of its own"),
	OPT_END,
};
/* clang-format on */

static int read_control(struct app *a, struct err *err)
{
	if (control_read(&a->mock.control, a->control_file, err) != 0) {
		return -1;
	}
	memset(a->mock.progress, 0, sizeof(a->mock.progress));
	if (a->mock.control.of[VENDOR_OAUTH].is_revoked) {
		oauth_revoke(a->oauth);
	}
	return 0;
}

static void write_summary(const struct app *a)
{
	struct err err = { 0 };

	if (a->summary_file != NULL &&
		tally_summary(a->mock.tally, a->summary_file, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
}

static void on_hup(void *self, int signo)
{
	struct app *a = self;
	struct err err = { 0 };

	(void)signo;
	if (read_control(a, &err) != 0) {
		log_error("control file: %s", err.text);
		return;
	}
	connection_reorder_all(&a->mock);
	log_info("control file read");
	write_summary(a);
}

static void on_usr1(void *self, int signo)
{
	(void)signo;
	write_summary(self);
}

static void on_term(void *self, int signo)
{
	struct app *a = self;

	(void)signo;
	a->is_stopping = true;
}

static int watch_signals(struct app *a, struct err *err)
{
	static const struct {
		int signo;
		loop_signal_cb *cb;
	} signals[] = {
		{ SIGHUP, on_hup },
		{ SIGUSR1, on_usr1 },
		{ SIGTERM, on_term },
		{ SIGINT, on_term },
	};

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
		return err_set(err, errno, "cannot ignore SIGPIPE");
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (loop_signal(a->mock.loop, signals[i].signo, signals[i].cb,
			    a, err) != 0) {
			return -1;
		}
	}
	return 0;
}

static int listen_on(
	struct app *a, enum vendor_id vendor, int64_t port, struct err *err)
{
	struct listener *l = &a->listeners[a->listener_count];

	*l = (struct listener){
		.mock = &a->mock,
		.vendor = vendor,
		.fd = -1,
	};
	a->listener_count++;
	return listener_open(l, a->address, (int)port, err);
}

static int listen_all(struct app *a, struct err *err)
{
	for (int v = 0; v < VENDOR_COUNT; v++) {
		if (listen_on(a, (enum vendor_id)v, a->ports[v], err) != 0) {
			return -1;
		}
	}
	if (a->shared_port >= 0) {
		return listen_on(a, VENDOR_COUNT, a->shared_port, err);
	}
	return 0;
}

/* Under another name first, so that whoever waits for the file finds it whole. */
static int write_ports(const struct app *a, struct err *err)
{
	struct buf b;
	struct buf temporary;
	FILE *f = NULL;
	int rc = -1;

	buf_init(&b, PORTS_MAX_BYTES);
	buf_init(&temporary, PORTS_MAX_BYTES);
	buf_fmt(&temporary, "%s.new", a->ports_file);
	buf_putc(&b, '{');
	for (size_t i = 0; i < a->listener_count; i++) {
		enum vendor_id v = a->listeners[i].vendor;
		json_put_int(&b, v == VENDOR_COUNT ? "all" : vendor_name(v),
			a->listeners[i].port);
	}
	buf_text(&b, "}\n");
	f = fopen(buf_string(&temporary), "we");
	if (f == NULL || fwrite(b.data, 1, b.len, f) != b.len ||
		fflush(f) != 0 ||
		rename(buf_string(&temporary), a->ports_file) != 0) {
		(void)err_usage(err, errno, "cannot write '%s'", a->ports_file);
		goto out;
	}
	rc = 0;
out:
	if (f != NULL) {
		(void)fclose(f); /* was flushed */
	}
	buf_release(&b);
	buf_release(&temporary);
	return rc;
}

static int say_ready(const struct app *a, struct err *err)
{
	if (a->ready_fd < 0) {
		return 0;
	}
	if (write((int)a->ready_fd, "\n", 1) != 1 ||
		close((int)a->ready_fd) != 0) {
		return err_usage(err, errno, "cannot write to descriptor %lld",
			(long long)a->ready_fd);
	}
	return 0;
}

static int app_open(struct app *a, struct err *err)
{
	struct mock *m = &a->mock;

	if (a->cert == NULL || a->key == NULL || a->credentials_file == NULL) {
		return err_usage(
			err, 0, "--cert, --key and --credentials are needed");
	}
	m->loop = loop_new();
	m->tally = tally_new();
	if (credentials_load(&a->credentials, a->credentials_file, err) != 0) {
		return -1;
	}
	a->apns = apns_new(&a->credentials);
	a->oauth = oauth_new(&a->credentials, a->token_life_s);
	a->fcm = fcm_new(a->oauth);
	a->sentry = sentry_new(&a->credentials, &m->control);
	m->vendors[VENDOR_APNS] = apns_vendor(a->apns);
	m->vendors[VENDOR_FCM] = fcm_vendor(a->fcm);
	m->vendors[VENDOR_OAUTH] = oauth_vendor(a->oauth);
	m->vendors[VENDOR_SENTRY] = sentry_vendor(a->sentry);
	if (read_control(a, err) != 0 ||
		listener_tls(m, a->cert, a->key, err) != 0 ||
		(a->credentials.apns_ca != NULL &&
			listener_ask(m, a->credentials.apns_ca, err) != 0) ||
		watch_signals(a, err) != 0) {
		return -1;
	}
	if (a->received_file != NULL && tally_open(m->tally, a->received_file,
						a->with_body, err) != 0) {
		return -1;
	}
	if (listen_all(a, err) != 0) {
		return -1;
	}
	if (a->ports_file != NULL && write_ports(a, err) != 0) {
		return -1;
	}
	return say_ready(a, err);
}

/* Lines go out before answers: who has an answer finds the line. */
static int app_run(struct app *a, struct err *err)
{
	while (!a->is_stopping) {
		(void)loop_turn(a->mock.loop, -1);
		if (tally_flush(a->mock.tally, err) != 0) {
			return -1;
		}
		connection_flush_all(&a->mock);
		log_tick();
	}
	return 0;
}

static void app_close(struct app *a)
{
	struct mock *m = &a->mock;

	for (size_t i = 0; i < a->listener_count; i++) {
		listener_close(&a->listeners[i]);
	}
	connection_close_all(m);
	write_summary(a);
	while (m->spare != NULL) {
		struct exchange *x = m->spare;
		m->spare = x->next;
		exchange_free(x);
	}
	sentry_free(a->sentry);
	fcm_free(a->fcm);
	oauth_free(a->oauth);
	apns_free(a->apns);
	credentials_release(&a->credentials);
	tally_free(m->tally);
	SSL_CTX_free(m->tls);
	loop_free(m->loop);
}

int main(int argc, char **argv)
{
	static const struct opt_program program = {
		.name = "push-mock",
		.summary =
			"stand in for APNs, FCM, Google's token endpoint and Sentry",
		.own = opts,
	};
	struct err err = { 0 };

	standard_keep();
	log_open("push-mock", NULL, LOG_AUTO, LOG_INFO);
	if (opt_parse(&program, argc, argv, &err) < 0 ||
		app_open(&app, &err) != 0 || app_run(&app, &err) != 0) {
		fatal(err_status(&err), "%s", err.text);
	}
	app_close(&app);
	return EXIT_OK;
}
