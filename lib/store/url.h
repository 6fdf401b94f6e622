/*
 * URLs of stores, judged before they are opened: what can be told of them
 * without asking anybody.
 */
#ifndef PUSH_STORE_URL_H
#define PUSH_STORE_URL_H

#include "base/err.h"
#include "record/conf.h"
#include "store/store.h"

/* A usage failure for one that store_open() could never open. */
int store_url_check(const char *url, struct err *err) MUST_CHECK;

/* The same for the place that a stage would take; when that is the
 * configuration's the text names the member. */
int store_choice_check(const struct store_choice *choice,
	const struct conf *conf, struct err *err) MUST_CHECK;

#endif
