/* push.conf: what is taken, what is refused and how it is said. */
#include "test.h"

#include <stdint.h>

#include "record/conf.h"

static struct conf *conf;
static struct err err;

static int parse(const char *text)
{
	conf_free(conf);
	conf = NULL;
	err = (struct err){ 0 };
	return conf_parse(&conf, text, strlen(text), &err);
}

static bool refuses(const char *text, const char *because)
{
	if (parse(text) == 0 || strstr(err.text, because) == NULL) {
		printf("'%s' said '%s'\n", text, err.text);
		return false;
	}
	return err.is_usage;
}

static void comments_and_trailing_commas_are_fine(void)
{
	CHECK(parse("// a comment\n{\"dedupe\": {\"window\": \"24h\",}, /* x */}") ==
		0);
	CHECK(conf_duration_ms(conf_at(conf, "dedupe.window"), 1) == 86400000);
	CHECK(conf_duration_ms(conf_at(conf, "dedupe.store"), 7) == 7);
	CHECK(conf_at(conf, "fatigue.rules") == NULL);
	CHECK(strcmp(conf_text(conf, "redis", "none"), "none") == 0);
	conf_free(conf);
}

static void unknown_members_are_refused_with_the_nearest_name(void)
{
	CHECK(refuses("{\"dedupe\":{\"windw\":\"1h\"}}",
		"'dedupe.windw'; did you mean 'window'?"));
	CHECK(refuses("{\"ques\":[]}", "did you mean 'queues'?"));
	CHECK(refuses("{\"apps\":{\"shop\":{\"apns\":{\"keyid\":\"x\"}}}}",
		"'apps.shop.apns.keyid'; did you mean 'key_id'?"));
	CHECK(refuses("{\"entirely\":1}", "unknown member 'entirely'"));
	CHECK(strstr(err.text, "did you mean") == NULL);
}

static void wrong_types_are_refused_with_what_is_wanted(void)
{
	CHECK(refuses("[]", "'the file' must be an object"));
	CHECK(refuses("{\"queues\":\"push\"}", "'queues' must be a list"));
	CHECK(refuses("{\"queues\":[1]}", "'queues[0]' must be a text"));
	CHECK(refuses(
		"{\"pop\":{\"window\":\"9\"}}", "must be a whole number"));
	CHECK(refuses("{\"pop\":{\"lease\":30}}", "must be a duration"));
	CHECK(refuses("{\"apps\":{\"a\":{\"auth\":\"maybe\"}}}",
		"'apps.a.auth' must be required|optional|off"));
	CHECK(refuses("{\"apps\":{\"a\":7}}", "'apps.a' must be an object"));
}

static void broken_json_is_refused_with_its_line(void)
{
	CHECK(refuses("{\n\n\"redis\": }", "line 3: "));
	CHECK(refuses("", "line 1: "));
}

static void apps_are_found_by_name(void)
{
	CHECK(parse("{\"apps\":{\"a.b\":{\"auth\":\"off\"},\"*\":{}}}") == 0);
	CHECK(conf_app(conf, span_of("a.b")) != NULL);
	CHECK(conf_app(conf, span_of("a")) == NULL);
	CHECK(conf_app(conf, (struct span){ NULL, 0 }) == NULL);
	conf_free(conf);
}

static void load_one(void)
{
	CHECK(parse("{\"risk\":{\"blocked_words\":[\"a\",\"b\"]}}") == 0);
	conf_free(conf);
	conf = NULL;
}

static void failing_memory_ends_the_program_cleanly(void)
{
	test_each_allocation_fails(load_one);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(comments_and_trailing_commas_are_fine),
		TEST(unknown_members_are_refused_with_the_nearest_name),
		TEST(wrong_types_are_refused_with_what_is_wanted),
		TEST(broken_json_is_refused_with_its_line),
		TEST(apps_are_found_by_name),
		TEST(failing_memory_ends_the_program_cleanly),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
