/*
 * Finds links to listed sites in a text.
 *
 * A site is a domain name, with or without the beginning of a path:
 * "evil.example" is also every name below it, "cdn.example/ads" also every
 * path below that.  What looks like a domain name counts, whether a scheme
 * stands before it or not, since phones make links of both.
 */
#ifndef PUSH_POLICY_LINKS_H
#define PUSH_POLICY_LINKS_H

#include "base/buf.h"
#include "base/err.h"
#include "policy/nameset.h"

/* Adds a site; a scheme before and slashes behind are dropped.  -1 and a usage
 * failure when it is none. */
int links_add(
	struct nameset *sites, struct span site, struct err *err) MUST_CHECK;

/* The site of the first listed link in `text', or NULL.  `scratch' is used
 * again for each call. */
const struct nameset_entry *links_find(
	const struct nameset *sites, struct span text, struct buf *scratch);

#endif
