/* What an app may send, at the edges of its lists. */
#include "policy/allow.h"

#include <string.h>

#include "test.h"

/* "": all is allowed; else what is not, and which. */
static const char *judge(const char *app, const char *task)
{
	static char said[128];
	struct err err = { 0 };
	struct json_doc *doc = json_parse(app, strlen(app), JSON_STRICT, &err);
	struct record_pool *pool = record_pool_new(RECORD_MAX_BYTES, "t");
	struct record *r = record_read(pool, task, strlen(task), 1);
	struct allow allow;
	struct allow_fault fault;

	CHECK(doc != NULL && r->outcome == OUTCOME_UNDECIDED);
	allow_init(&allow, json_root(doc));
	fault = allow_judge(&allow, r);
	CHECK(fmt_into(said, sizeof(said), "%s%s%.*s",
		      fault.what == NULL ? "" : fault.what,
		      fault.which.ptr == NULL ? "" : " ", (int)fault.which.len,
		      fault.which.ptr == NULL ? "" : fault.which.ptr) == 0);
	allow_release(&allow);
	record_free(pool, r);
	record_pool_free(pool);
	json_free(doc);
	return said;
}

#define JUDGED(app, task, wanted) CHECK(strcmp(judge(app, task), wanted) == 0)
#define IOS                       "{\"platform\":\"ios\",\"token\":\"t\"}"
#define ANDROID                   "{\"platform\":\"android\",\"token\":\"t\"}"

static void without_lists_all_is_allowed(void)
{
	JUDGED("{}", "{}", "");
	JUDGED("{}", "{\"device\":" IOS ",\"priority\":\"high\"}", "");
	JUDGED("{}", "{\"topic\":\"a\"}", "");
	JUDGED("{}", "{\"channel\":\"a\"}", "");
}

static void platforms_of_devices_are_known(void)
{
	const char *app = "{\"platforms\":[\"ios\"]}";

	JUDGED(app, "{\"device\":" IOS "}", "");
	JUDGED(app, "{\"device\":" ANDROID "}", "platform android");
	JUDGED(app, "{\"devices\":[" IOS "," IOS "]}", "");
	JUDGED(app, "{\"devices\":[" IOS "," ANDROID "]}", "platform android");
	JUDGED(app, "{\"user\":\"u\"}", "");
	JUDGED(app, "{\"topic\":\"t\"}", "");
	JUDGED(app, "{\"channel\":\"c\"}", "");
	JUDGED("{\"platforms\":[]}", "{\"device\":" IOS "}", "platform ios");
	JUDGED("{\"platforms\":[\"android\"]}", "{\"channel\":\"c\"}",
		"platform ios");
}

static void priorities_and_categories_are_lists(void)
{
	JUDGED("{\"priorities\":[\"normal\",\"low\"]}", "{}", "");
	JUDGED("{\"priorities\":[\"normal\",\"low\"]}",
		"{\"priority\":\"high\"}", "priority high");
	JUDGED("{\"priorities\":[\"high\"]}", "{}", "priority normal");
	JUDGED("{\"categories\":[\"otp\"]}", "{\"category\":\"otp\"}", "");
	JUDGED("{\"categories\":[\"otp\"]}", "{\"category\":\"ads\"}",
		"category ads");
	JUDGED("{\"categories\":[\"otp\"]}", "{}", "category");
}

static void topics_may_be_beginnings(void)
{
	const char *app = "{\"topics\":[\"news\",\"sport-*\"]}";

	JUDGED(app, "{\"topic\":\"news\"}", "");
	JUDGED(app, "{\"topic\":\"news2\"}", "topic news2");
	JUDGED(app, "{\"topic\":\"sport-\"}", "");
	JUDGED(app, "{\"topic\":\"sport-de\"}", "");
	JUDGED(app, "{\"topic\":\"sport\"}", "topic sport");
	JUDGED("{\"topics\":[\"*\"]}", "{\"topic\":\"any\"}", "");
	JUDGED("{\"topics\":[]}", "{\"topic\":\"any\"}", "topic any");
}

static void every_topic_of_a_condition_counts(void)
{
	const char *app = "{\"topics\":[\"a\",\"b\"]}";

	JUDGED(app,
		"{\"condition\":\"'a' in topics && ('b' in topics || "
		"!('a' in topics))\"}",
		"");
	JUDGED(app, "{\"condition\":\"'a' in topics || 'c' in topics\"}",
		"topic c");
	JUDGED(app, "{\"condition\":\"'a' in topics || 'b in topics\"}",
		"topic 'b in topics");
	JUDGED(app, "{\"condition\":\"'' in topics\"}", "topic ");
	JUDGED(app, "{\"condition\":\"'a' in topics || \\\"c\\\" in topics\"}",
		"topic  in topics || \"c\" in topics");
	JUDGED(app, "{\"condition\":\"c in topics\"}", "topic c in topics");
	JUDGED("{\"topics\":[\"*\"]}", "{\"condition\":\"'a\\\\' in topics\"}",
		"topic a\\");
}

static void channels_are_exact(void)
{
	JUDGED("{\"channels\":[\"c\"]}", "{\"channel\":\"c\"}", "");
	JUDGED("{\"channels\":[\"c\"]}", "{\"channel\":\"d\"}", "channel d");
	JUDGED("{\"channels\":[]}", "{\"user\":\"u\"}", "");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(without_lists_all_is_allowed),
		TEST(platforms_of_devices_are_known),
		TEST(priorities_and_categories_are_lists),
		TEST(topics_may_be_beginnings),
		TEST(every_topic_of_a_condition_counts),
		TEST(channels_are_exact),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
