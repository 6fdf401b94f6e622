/* What of a log is told to Sentry. */
#include "sentry/report.h"

#include <string.h>

#include "record/json.h"
#include "test.h"

#define NOW_MS INT64_C(1763627000000)
#define LINE(l, t) \
	"{\"level\":\"" l "\",\"program\":\"push-x\",\"text\":\"" t "\"}"

static struct report report = { .server = "host", .every_ms = 60000 };

/* The event of a line at this time of the process; NULL: none. */
static struct json_doc *event(const char *line, int64_t now_mono_ms)
{
	struct json_doc *doc = NULL;
	struct buf out;

	buf_init(&out, SIZE_MAX);
	if (report_line(&report, span_of(line), NOW_MS, now_mono_ms, &out)) {
		const char *at = memchr(out.data, '\n', out.len);
		const char *end = out.data + out.len - 1;

		CHECK(at != NULL);
		at = memchr(at + 1, '\n', (size_t)(end - at - 1));
		CHECK(at != NULL && *end == '\n');
		doc = json_parse(
			at + 1, (size_t)(end - at - 1), JSON_STRICT, NULL);
		CHECK(doc != NULL);
	} else {
		CHECK(out.len == 0);
	}
	buf_release(&out);
	return doc;
}

static bool is_told(const char *line)
{
	struct json_doc *doc = event(line, 0);
	bool is = doc != NULL;

	json_free(doc);
	return is;
}

static void an_error_becomes_an_event(void)
{
	struct json_doc *doc = event(LINE("error", "no key 'k'"), 0);
	const struct json *root = json_root(doc);

	CHECK(doc != NULL);
	CHECK(json_is_text(json_get(root, "level"), "error"));
	CHECK(json_is_text(json_get(root, "logger"), "push-x"));
	CHECK(json_is_text(json_get(root, "server_name"), "host"));
	CHECK(json_get(root, "environment") == NULL);
	CHECK(json_is_text(
		json_path(root, "logentry.formatted"), "no key 'k'"));
	json_free(doc);
}

static void warnings_are_told_if_they_are_wanted(void)
{
	CHECK(!is_told(LINE("warn", "a")));
	CHECK(!is_told(LINE("info", "b")));
	report.has_warnings = true;
	CHECK(is_told(LINE("warn", "a")));
	CHECK(!is_told(LINE("info", "b")));
	CHECK(is_told(LINE("error", "c")));
}

static void what_is_no_line_of_a_log_is_passed_over(void)
{
	CHECK(!is_told(""));
	CHECK(!is_told("push-x: fatal: text"));
	CHECK(!is_told("{\"level\":\"error\""));
	CHECK(!is_told("[\"error\"]"));
	CHECK(!is_told("{\"level\":\"error\",\"text\":\"t\"}"));
	CHECK(!is_told("{\"level\":\"error\",\"program\":\"push-x\"}"));
	CHECK(!is_told("{\"level\":\"error\",\"program\":7,\"text\":\"t\"}"));
}

static bool stands_for(struct json_doc *doc, int64_t more)
{
	int64_t n = -1;
	bool is_so = doc != NULL &&
		     json_int(json_path(json_root(doc), "extra.more_like_this"),
			     &n) == 0 &&
		     n == more;

	json_free(doc);
	return is_so;
}

static void a_group_has_one_event_in_its_time(void)
{
	CHECK(stands_for(event(LINE("error", "lost 1 of 'a'"), 1000), 0));
	CHECK(event(LINE("error", "lost 2 of 'b'"), 1001) == NULL);
	CHECK(event(LINE("error", "lost 3 of 'c'"), 60999) == NULL);
	CHECK(stands_for(event(LINE("error", "found"), 2000), 0));
	CHECK(stands_for(event(LINE("error", "lost 4 of 'd'"), 61000), 2));
}

static void no_two_events_have_one_id(void)
{
	struct json_doc *a = event(LINE("error", "a"), 0);
	struct json_doc *b = event(LINE("error", "b"), 0);

	CHECK(a != NULL && b != NULL);
	CHECK(!span_equal(json_text(json_get(json_root(a), "event_id")),
		json_text(json_get(json_root(b), "event_id"))));
	json_free(a);
	json_free(b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(an_error_becomes_an_event),
		TEST(warnings_are_told_if_they_are_wanted),
		TEST(what_is_no_line_of_a_log_is_passed_over),
		TEST(a_group_has_one_event_in_its_time),
		TEST(no_two_events_have_one_id),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
