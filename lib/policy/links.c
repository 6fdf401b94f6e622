/*
 * Walks over everything in a text that looks like a host, and asks for it, for
 * the domains above it and, where the set has paths of such a domain, for the
 * beginnings of the path behind it.
 */
#include "policy/links.h"

#include <string.h>

enum {
	HOST_MAX_BYTES =
		253, /* RFC 1035, section 2.3.4, without the last dot */
	PATH_MOST_PARTS = 16, /* looked at; ours */
};

/* What a name of the set stands for: the count of its entry. */
enum {
	SITE_LISTED = 1,
	SITE_HAS_PATHS = 2, /* paths of this host are listed, in entries of
	                       their own: those of others are not looked at */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes of UTF-8 count: names may be in any script. */
static bool is_host_byte(char c)
{
	/* One bit a byte: - . 0-9 A-Z _ a-z and all that is not ASCII. */
	static const uint64_t bits[4] = { UINT64_C(0x03ff600000000000),
		UINT64_C(0x07fffffe87fffffe), UINT64_MAX, UINT64_MAX };
	unsigned char byte = (unsigned char)c;

	return (bits[byte / 64] >> byte % 64 & 1) != 0;
}

/* The path goes on until something that ends a link in running text. */
static bool is_path_byte(char c)
{
	return c > ' ' && c != '"' && c != '\'' && c != '<' && c != '>' &&
	       c != '?' && c != '#';
}

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z') {
		c = (char)(c - 'A' + 'a');
	}
	return c;
}

static struct span trimmed(struct span host)
{
	while (host.len > 0 && (host.ptr[0] == '.' || host.ptr[0] == '-')) {
		host.ptr++;
		host.len--;
	}
	while (host.len > 0 && (host.ptr[host.len - 1] == '.' ||
				       host.ptr[host.len - 1] == '-')) {
		host.len--;
	}
	return host;
}

/* In what is behind a host: ":port" is passed over; the path begins with '/'. */
static struct span path_of(struct span behind)
{
	size_t at = 0;
	size_t end;

	if (at < behind.len && behind.ptr[at] == ':') {
		at++;
		while (at < behind.len && is_digit(behind.ptr[at])) {
			at++;
		}
	}
	end = at;
	if (at < behind.len && behind.ptr[at] == '/') {
		while (end < behind.len && is_path_byte(behind.ptr[end])) {
			end++;
		}
	}
	return (struct span){ behind.ptr + at, end - at };
}

/* Asks for "domain/part", "domain/part/part" ... */
static const struct nameset_entry *ask_paths(const struct nameset *sites,
	struct span domain, struct span path, struct buf *scratch)
{
	size_t at = 0;

	buf_reset(scratch);
	buf_put(scratch, domain.ptr, domain.len);
	for (int parts = 0; at < path.len && parts < PATH_MOST_PARTS; parts++) {
		const struct nameset_entry *found;
		size_t end = at + 1;

		while (end < path.len && path.ptr[end] != '/') {
			end++;
		}
		buf_put(scratch, path.ptr + at, end - at);
		found = nameset_find(
			sites, (struct span){ scratch->data, scratch->len });
		if (found != NULL && (found->count & SITE_LISTED) != 0) {
			return found;
		}
		at = end;
	}
	return NULL;
}

/* The host and every domain above it that still has a dot. */
static const struct nameset_entry *judge(const struct nameset *sites,
	struct span host, struct span behind, struct buf *scratch)
{
	char name[HOST_MAX_BYTES];
	struct span domain = { name, host.len };
	const char *dot = memchr(host.ptr, '.', host.len);

	if (dot == NULL || host.len > HOST_MAX_BYTES) {
		return NULL;
	}
	for (size_t i = 0; i < host.len; i++) {
		name[i] = lower(host.ptr[i]);
	}
	dot = name + (dot - host.ptr);
	while (dot != NULL) {
		const struct nameset_entry *site = nameset_find(sites, domain);

		if (site != NULL && (site->count & SITE_LISTED) != 0) {
			return site;
		}
		if (site != NULL && (site->count & SITE_HAS_PATHS) != 0) {
			site = ask_paths(
				sites, domain, path_of(behind), scratch);
			if (site != NULL) {
				return site;
			}
		}
		domain.len -= (size_t)(dot + 1 - domain.ptr);
		domain.ptr = dot + 1;
		dot = memchr(domain.ptr, '.', domain.len);
	}
	return NULL;
}

const struct nameset_entry *links_find(
	const struct nameset *sites, struct span text, struct buf *scratch)
{
	const struct nameset_entry *found = NULL;
	const char *end = text.ptr + text.len;
	const char *from = text.ptr;
	const char *dot;

	/* Only what is around a dot can be a domain name. */
	while (found == NULL && sites->count > 0 && from < end &&
		(dot = memchr(from, '.', (size_t)(end - from))) != NULL) {
		const char *begin = dot;
		const char *stop = dot;
		struct span host;

		while (begin > from && is_host_byte(begin[-1])) {
			begin--;
		}
		while (stop < end && is_host_byte(*stop)) {
			stop++;
		}
		host = trimmed((struct span){ begin, (size_t)(stop - begin) });
		found = judge(sites, host,
			(struct span){ stop, (size_t)(end - stop) }, scratch);
		from = stop;
	}
	return found;
}

int links_add(struct nameset *sites, struct span site, struct err *err)
{
	struct span s = site;
	struct buf name;
	size_t host = 0;

	for (size_t i = 0; i + 2 < s.len; i++) {
		if (memcmp(s.ptr + i, "://", 3) == 0) {
			s.ptr += i + 3;
			s.len -= i + 3;
			break;
		}
	}
	while (s.len > 0 && s.ptr[s.len - 1] == '/') {
		s.len--;
	}
	while (host < s.len && is_host_byte(s.ptr[host])) {
		host++;
	}
	if (trimmed((struct span){ s.ptr, host }).len != host || host == 0 ||
		memchr(s.ptr, '.', host) == NULL ||
		(host < s.len && s.ptr[host] != '/') || host > HOST_MAX_BYTES) {
		return err_usage(err, 0,
			"blocked link '%.*s' is no site: expected a domain "
			"name such as example.com, or example.com/path",
			(int)site.len, site.ptr);
	}
	buf_init(&name, SIZE_MAX);
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (i < host) {
			c = lower(c);
		}
		buf_putc(&name, c);
	}
	nameset_add(sites, (struct span){ name.data, name.len })->count |=
		SITE_LISTED;
	if (name.len > host) {
		nameset_add(sites, (struct span){ name.data, host })->count |=
			SITE_HAS_PATHS;
	}
	buf_release(&name);
	return 0;
}
