/*
 * What the vendors' answers have in common: their tables, Retry-After and names.
 */
#include "wire/answer.h"

#include <stddef.h>
#include <string.h>

#include "base/err.h"

enum {
	MS_PER_S = 1000,
	LONGEST_S = 24 * 60 * 60,
	DAY_S = 24 * 60 * 60,
};

/* --- a small scanner over a span; each step is false when it does not fit --- */

static bool scan_char(struct span *s, char c)
{
	if (s->len == 0 || s->ptr[0] != c) {
		return false;
	}
	s->ptr++;
	s->len--;
	return true;
}

/* Exactly `digits' digits. */
static bool scan_number(struct span *s, size_t digits, int64_t *out)
{
	int64_t n = 0;

	if (s->len < digits) {
		return false;
	}
	for (size_t i = 0; i < digits; i++) {
		if (s->ptr[i] < '0' || s->ptr[i] > '9') {
			return false;
		}
		n = n * 10 + (s->ptr[i] - '0');
	}
	s->ptr += digits;
	s->len -= digits;
	*out = n;
	return true;
}

static bool scan_month(struct span *s, int64_t *out)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int64_t i = 0; i < 12 && s->len >= 3; i++) {
		if (memcmp(s->ptr, names + 3 * i, 3) == 0) {
			*out = i + 1;
			s->ptr += 3;
			s->len -= 3;
			return true;
		}
	}
	return false;
}

struct date {
	int64_t year;
	int64_t month; /* 1 to 12 */
	int64_t day;
	int64_t hour;
	int64_t minute;
	int64_t second;
};

static bool scan_time(struct span *s, struct date *d)
{
	return scan_number(s, 2, &d->hour) && scan_char(s, ':') &&
	       scan_number(s, 2, &d->minute) && scan_char(s, ':') &&
	       scan_number(s, 2, &d->second);
}

static bool scan_gmt(struct span *s)
{
	return scan_char(s, ' ') && scan_char(s, 'G') && scan_char(s, 'M') &&
	       scan_char(s, 'T');
}

/* "06 Nov 1994 08:49:37 GMT": what follows the day's name. */
static bool scan_fixdate(struct span s, struct date *d)
{
	return scan_number(&s, 2, &d->day) && scan_char(&s, ' ') &&
	       scan_month(&s, &d->month) && scan_char(&s, ' ') &&
	       scan_number(&s, 4, &d->year) && scan_char(&s, ' ') &&
	       scan_time(&s, d) && scan_gmt(&s) && s.len == 0;
}

/* "06-Nov-94 08:49:37 GMT".  A year of two digits is of this century, which
 * is right for anything that still has to come. */
static bool scan_rfc850(struct span s, struct date *d)
{
	if (!scan_number(&s, 2, &d->day) || !scan_char(&s, '-') ||
		!scan_month(&s, &d->month) || !scan_char(&s, '-') ||
		!scan_number(&s, 2, &d->year)) {
		return false;
	}
	d->year += 2000;
	return scan_char(&s, ' ') && scan_time(&s, d) && scan_gmt(&s) &&
	       s.len == 0;
}

/* "Nov  6 08:49:37 1994" */
static bool scan_asctime(struct span s, struct date *d)
{
	if (!scan_month(&s, &d->month) || !scan_char(&s, ' ')) {
		return false;
	}
	if (!scan_number(&s, 2, &d->day) &&
		!(scan_char(&s, ' ') && scan_number(&s, 1, &d->day))) {
		return false;
	}
	return scan_char(&s, ' ') && scan_time(&s, d) && scan_char(&s, ' ') &&
	       scan_number(&s, 4, &d->year) && s.len == 0;
}

/* Days since 1970-01-01 in the Gregorian calendar: counted from 1 March of
 * year 0, so that the day that some years have is the last of a year. */
static int64_t days_of(const struct date *d)
{
	int64_t year = d->month > 2 ? d->year : d->year - 1;
	int64_t month = (d->month + 9) % 12;
	int64_t days = 365 * year + year / 4 - year / 100 + year / 400 +
		       (153 * month + 2) / 5 + d->day - 1;

	return days - 719468;
}

int64_t answer_date_s(struct span value)
{
	struct date d = { 0 };
	size_t name = 0;
	struct span rest;
	bool is_date;

	while (name < value.len && value.ptr[name] != ',' &&
		value.ptr[name] != ' ') {
		name++;
	}
	rest = (struct span){ value.ptr + name, value.len - name };
	if (scan_char(&rest, ',')) {
		is_date = scan_char(&rest, ' ') &&
			  (scan_fixdate(rest, &d) || scan_rfc850(rest, &d));
	} else {
		is_date = scan_char(&rest, ' ') && scan_asctime(rest, &d);
	}
	if (!is_date || d.day < 1 || d.day > 31 || d.hour > 23 ||
		d.minute > 59 || d.second > 60 || d.year < 1970) {
		return -1;
	}
	return days_of(&d) * DAY_S + d.hour * 3600 + d.minute * 60 + d.second;
}

int64_t answer_retry_after_ms(struct span value, int64_t now_unix_ms)
{
	int64_t seconds = 0;
	size_t digits = 0;

	while (value.len > 0 && value.ptr[value.len - 1] == ' ') {
		value.len--;
	}
	while (value.len > 0 && value.ptr[0] == ' ') {
		value.ptr++;
		value.len--;
	}
	if (value.ptr == NULL || value.len == 0) {
		return -1;
	}
	while (digits < value.len && value.ptr[digits] >= '0' &&
		value.ptr[digits] <= '9') {
		if (seconds < LONGEST_S) {
			seconds = seconds * 10 + (value.ptr[digits] - '0');
		}
		digits++;
	}
	if (digits != value.len) {
		int64_t when_s = answer_date_s(value);

		if (when_s < 0) {
			return -1;
		}
		if (when_s * MS_PER_S <= now_unix_ms) {
			return 0;
		}
		/* Rounded up: never earlier than asked. */
		seconds = (when_s * MS_PER_S - now_unix_ms + MS_PER_S - 1) /
			  MS_PER_S;
	}
	return (seconds < LONGEST_S ? seconds : LONGEST_S) * MS_PER_S;
}

const char *answer_action_name(enum answer_action action)
{
	switch (action) {
	case ANSWER_NONE:
		return "none";
	case ANSWER_RETRY:
		return "retry";
	case ANSWER_RECONNECT:
		return "reconnect";
	case ANSWER_NEW_TOKEN:
		return "new-token";
	case ANSWER_HOLD_CREDENTIAL:
		return "hold-credential";
	case ANSWER_CLOSE_CREDENTIAL:
		return "close-credential";
	case ANSWER_OTHER_ENVIRONMENT:
		return "other-environment";
	}
	BUG("action %d", (int)action);
}

const struct answer_row *answer_of_word(const struct answer_row *rows,
	size_t count, int status, struct span word)
{
	for (size_t i = 0; i < count; i++) {
		if (span_is(word, rows[i].name) &&
			(status == 0 || status / 100 == rows[i].status / 100)) {
			return &rows[i];
		}
	}
	return NULL;
}

const struct answer_row *answer_of_status(
	const struct answer_class *classes, size_t count, int status)
{
	size_t i = 0;

	while (i + 1 < count &&
		(status < classes[i].from || status > classes[i].to)) {
		i++;
	}
	return &classes[i].row;
}
