/*
 * libmicrohttpd in our loop: it offers one epoll descriptor that stands for all
 * its sockets, and a time by which it wants to be called in any case.
 *
 * Source: the manual of GNU libmicrohttpd 0.9.75, chapters on external polling,
 * and microhttpd.h, read 2026-11.
 */
#include "net/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/mem.h"
#include "base/num.h"

enum {
	CONNECTIONS_MAX = 64,
	IDLE_S = 15,
	LISTEN_BACKLOG = 32,
	PORT_MAX = 65535,
};

struct httpd {
	struct MHD_Daemon *daemon; /* owned; has the listening socket */
	struct loop *loop;
	struct loop_fd *watch; /* owned */
	struct loop_timer timer;
	httpd_cb *on_get;
	void *self;
	unsigned port;
};

static enum MHD_Result send_reply(
	struct MHD_Connection *connection, const struct httpd_reply *reply)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		reply->body.len, reply->body.data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL) {
		return MHD_NO;
	}
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		    reply->type) != MHD_YES ||
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
			"no-store") != MHD_YES ||
		(reply->status == MHD_HTTP_METHOD_NOT_ALLOWED &&
			MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
				"GET, HEAD") != MHD_YES)) {
		MHD_destroy_response(response);
		return MHD_NO;
	}
	result = MHD_queue_response(connection, reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* libmicrohttpd's; called once with the headers and again when the body, which
 * we do not want, has been read. */
/* NOLINTNEXTLINE(readability-function-size): its parameters are the library's */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version,
	const char *upload, size_t *upload_len, void **request)
{
	struct httpd *h = self;
	struct httpd_reply reply = { .status = MHD_HTTP_NOT_FOUND,
		.type = "text/plain; charset=utf-8" };
	enum MHD_Result result;

	(void)version;
	(void)upload;
	if (*request == NULL) {
		*request = h; /* anything but NULL */
		return MHD_YES;
	}
	if (*upload_len > 0) {
		*upload_len = 0;
		return MHD_YES;
	}
	buf_init(&reply.body, HTTPD_BODY_MAX_BYTES);
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
		h->on_get(h->self, url, &reply);
	} else {
		reply.status = MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (buf_is_over(&reply.body)) {
		buf_reset(&reply.body);
		reply.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
	if (reply.status >= 400 && reply.body.len == 0) {
		buf_fmt(&reply.body, "%u\n", reply.status);
	}
	result = send_reply(connection, &reply);
	buf_release(&reply.body);
	return result;
}

static void serve(struct httpd *h);

static void on_due(void *self)
{
	serve(self);
}

static void on_ready(void *self, int fd, unsigned ready)
{
	(void)fd;
	(void)ready;
	serve(self);
}

static void serve(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	if (MHD_run(h->daemon) != MHD_YES) {
		BUG("libmicrohttpd does not run in this mode");
	}
	if (MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES) {
		if (wait_ms > IDLE_S * 1000) {
			wait_ms = IDLE_S * 1000;
		}
		loop_timer_set(
			h->loop, &h->timer, (int64_t)wait_ms * 1000, on_due, h);
	} else {
		loop_timer_stop(h->loop, &h->timer);
	}
}

/* Splits "host:port" or "[host]:port"; the caller frees *host (NULL: any). */
static int parse(
	const char *address, char **host, const char **port, struct err *err)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - address);
	int64_t number;

	*host = NULL;
	if (colon == NULL || num_parse(colon + 1, 0, PORT_MAX, &number) != 0) {
		return err_usage(err, 0,
			"'%s' is no address: ADDRESS:PORT is wanted", address);
	}
	*port = colon + 1;
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		*host = mem_dup(address + 1, len - 2);
	} else if (len > 0) {
		*host = mem_dup(address, len);
	}
	return 0;
}

int httpd_check(const char *address, struct err *err)
{
	char *host;
	const char *port;
	int failed = parse(address, &host, &port, err);

	mem_free(host);
	return failed;
}

static int listen_at(const struct addrinfo *to)
{
	int fd = socket(to->ai_family, SOCK_STREAM, to->ai_protocol);
	int on = 1;

	if (fd < 0) {
		return -1;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) !=
			0 ||
		bind(fd, to->ai_addr, to->ai_addrlen) != 0 ||
		listen(fd, LISTEN_BACKLOG) != 0) {
		int reason = errno;

		(void)close(fd); /* nobody has connected */
		errno = reason;
		return -1;
	}
	return fd;
}

static int open_listener(const char *address, struct err *err)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	const char *port = NULL;
	char *host = NULL;
	int result;
	int fd = -1;

	if (parse(address, &host, &port, err) != 0) {
		return -1;
	}
	result = getaddrinfo(host, port, &hints, &found);
	if (result != 0) {
		(void)err_usage(err, 0, "cannot listen at '%s': %s", address,
			gai_strerror(result));
		goto out;
	}
	for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
		fd = listen_at(a);
	}
	if (fd < 0) {
		(void)err_set(err, errno, "cannot listen at '%s'", address);
	}
out:
	if (found != NULL) {
		freeaddrinfo(found);
	}
	mem_free(host);
	return fd;
}

static unsigned port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = { .v6 = { 0 } };
	socklen_t len = sizeof(name);

	if (getsockname(fd, &name.any, &len) != 0) {
		return 0;
	}
	return ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port
						    : name.v4.sin_port);
}

int httpd_open(struct httpd **out, struct loop *loop, const char *address,
	httpd_cb *on_get, void *self, struct err *err)
{
	const union MHD_DaemonInfo *info;
	struct httpd *h;
	int fd = open_listener(address, err);

	if (fd < 0) {
		return -1;
	}
	h = mem_array(1, sizeof(*h));
	h->loop = loop;
	h->on_get = on_get;
	h->self = self;
	h->port = port_of(fd);
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request,
		h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_S, MHD_OPTION_END);
	if (h->daemon == NULL) {
		(void)close(fd); /* it was not taken */
		mem_free(h);
		return err_set(err, 0, "cannot start the HTTP server at '%s'",
			address);
	}
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		BUG("libmicrohttpd has no epoll descriptor");
	}
	h->watch = loop_watch(loop, info->epoll_fd, LOOP_READ, on_ready, h);
	*out = h;
	return 0;
}

unsigned httpd_port(const struct httpd *h)
{
	return h->port;
}

void httpd_close(struct httpd *h)
{
	if (h == NULL) {
		return;
	}
	loop_unwatch(h->watch);
	loop_timer_stop(h->loop, &h->timer);
	MHD_stop_daemon(h->daemon);
	mem_free(h);
}
