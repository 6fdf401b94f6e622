/* The device registry, each test in LMDB and in Redis. */
#include "store/devices.h"

#include <inttypes.h>

#include "places.h"
#include "store/import.h"
#include "test.h"

static const char *url; /* of the registry that the running test is about */

static struct devices *open_devices(void)
{
	struct devices *d = NULL;
	struct err err = { 0 };

	if (devices_open(&d, url, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return d;
}

/* Every test has an app of its own. */
static struct span app_name(void)
{
	static char name[32];

	CHECK(fmt_into(name, sizeof(name), "shop:%%%d", (int)getpid()) == 0);
	return span_of(name);
}

static struct device device_of(const char *user, const char *token, int64_t ms)
{
	return (struct device){
		.app = app_name(),
		.user = span_of(user),
		.platform = PLATFORM_IOS,
		.token = span_of(token),
		.registered_unix_ms = ms,
	};
}

static struct devices_counts put(
	struct devices *d, const struct device *list, size_t count)
{
	struct devices_counts counts = { 0 };
	struct err err = { 0 };

	if (devices_put(d, list, count, &counts, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return counts;
}

static struct devices_counts put_one(struct devices *d, struct device one)
{
	return put(d, &one, 1);
}

/* How many devices the user has. */
static size_t count_of(struct devices *d, const char *user)
{
	struct devices_query q = { .app = app_name(), .user = span_of(user) };
	struct err err = { 0 };

	q.first = 77;
	q.count = 77;
	CHECK(devices_find(d, &q, 1, &err) == 0);
	return q.count;
}

static bool has_token(struct devices *d, const char *user, const char *token)
{
	struct devices_query q = { .app = app_name(), .user = span_of(user) };
	struct err err = { 0 };
	bool is = false;

	CHECK(devices_find(d, &q, 1, &err) == 0);
	for (size_t i = 0; i < q.count; i++) {
		struct span json = devices_found(d, q.first + i);
		struct json_doc *doc =
			json_parse(json.ptr, json.len, JSON_STRICT, &err);

		CHECK(doc != NULL);
		is = is ||
		     json_is_text(json_get(json_root(doc), "token"), token);
		json_free(doc);
	}
	return is;
}

static void what_is_put_is_found(void)
{
	struct devices *d = open_devices();
	struct device full = device_of("u", "aabbccdd", 1700000000123);
	struct devices_query q = { .app = app_name(), .user = span_of("u") };
	struct err err = { 0 };

	full.environment = span_of("sandbox");
	full.locale = span_of("zh-Hans-CN");
	full.time_zone = span_of("Asia/Shanghai");
	CHECK(put_one(d, full).added == 1);
	CHECK(devices_find(d, &q, 1, &err) == 0);
	CHECK(q.count == 1);
	CHECK(span_is(devices_found(d, q.first),
		"{\"platform\":\"ios\",\"token\":\"aabbccdd\","
		"\"environment\":\"sandbox\",\"locale\":\"zh-Hans-CN\","
		"\"time_zone\":\"Asia/Shanghai\","
		"\"registered_ms\":1700000000123}"));
	devices_close(d);
}

static void a_user_may_have_many(void)
{
	struct devices *d = open_devices();
	struct device android = device_of("u", "aabbccdd", 1);

	android.platform = PLATFORM_ANDROID;
	CHECK(put_one(d, device_of("u", "aabbccdd", 1)).added == 1);
	CHECK(put_one(d, device_of("u", "aabbccee", 1)).added == 1);
	CHECK(put_one(d, android).added == 1);
	CHECK(put_one(d, device_of("w", "aabbccff", 1)).added == 1);
	CHECK(count_of(d, "u") == 3);
	CHECK(count_of(d, "w") == 1);
	CHECK(count_of(d, "nobody") == 0);
	CHECK(count_of(d, "") == 0);
	devices_close(d);
}

static void apps_do_not_see_each_other(void)
{
	struct devices *d = open_devices();
	struct device other = device_of("u", "aabbccdd", 1);
	struct devices_query qs[] = {
		{ .app = app_name(), .user = span_of("u") },
		{ .app = span_of("other"), .user = span_of("u") },
		{ .app = { NULL, 0 }, .user = span_of("u") },
	};
	struct err err = { 0 };
	size_t removed = 0;

	other.app = (struct span){ NULL, 0 };
	CHECK(put_one(d, device_of("u", "aabbccdd", 1)).added == 1);
	CHECK(put_one(d, other).added == 1);
	CHECK(devices_find(d, qs, 3, &err) == 0);
	CHECK(qs[0].count == 1 && qs[1].count == 0 && qs[2].count == 1);
	CHECK(devices_remove(d, &other, &removed, &err) == 0 && removed == 1);
	CHECK(devices_find(d, qs, 3, &err) == 0);
	CHECK(qs[0].count == 1 && qs[1].count == 0 && qs[2].count == 0);
	devices_close(d);
}

static void a_token_moves_to_another_user(void)
{
	struct devices *d = open_devices();

	CHECK(put_one(d, device_of("old", "aabbccdd", 1)).added == 1);
	CHECK(put_one(d, device_of("old", "aabbccee", 1)).added == 1);
	CHECK(put_one(d, device_of("new", "aabbccdd", 2)).moved == 1);
	CHECK(!has_token(d, "old", "aabbccdd"));
	CHECK(has_token(d, "old", "aabbccee"));
	CHECK(has_token(d, "new", "aabbccdd"));
	CHECK(put_one(d, device_of("new", "aabbccdd", 2)).updated == 1);
	CHECK(count_of(d, "new") == 1);
	devices_close(d);
}

static void the_newest_registration_wins(void)
{
	struct devices *d = open_devices();

	CHECK(put_one(d, device_of("a", "aabbccdd", 10)).added == 1);
	CHECK(put_one(d, device_of("b", "aabbccdd", 9)).too_old == 1);
	CHECK(put_one(d, device_of("a", "aabbccdd", 9)).too_old == 1);
	CHECK(has_token(d, "a", "aabbccdd"));
	CHECK(count_of(d, "b") == 0);
	CHECK(put_one(d, device_of("b", "aabbccdd", 10)).moved == 1);
	CHECK(has_token(d, "b", "aabbccdd"));
	devices_close(d);
}

static void one_batch_may_name_a_token_often(void)
{
	enum { COUNT = 300 };
	static struct device list[COUNT];
	static char users[COUNT][16];
	struct devices *d = open_devices();
	struct devices_counts counts;

	for (int i = 0; i < COUNT; i++) {
		CHECK(fmt_into(users[i], sizeof(users[i]), "user%d", i % 150) ==
			0);
		list[i] = device_of(users[i], "aabbccdd", i);
	}
	counts = put(d, list, COUNT);
	CHECK(counts.added == 1);
	CHECK(counts.added + counts.moved + counts.updated + counts.too_old ==
		COUNT);
	CHECK(has_token(d, "user149", "aabbccdd"));
	for (int i = 0; i < 149; i++) {
		CHECK(count_of(d, users[i]) == 0);
	}
	devices_close(d);
}

static void a_device_is_removed_by_its_token(void)
{
	struct devices *d = open_devices();
	struct device which = device_of("u", "aabbccdd", 1);
	struct err err = { 0 };
	size_t removed = 77;

	CHECK(put_one(d, which).added == 1);
	CHECK(put_one(d, device_of("u", "aabbccee", 1)).added == 1);
	which.user = span_of("somebody else");
	CHECK(devices_remove(d, &which, &removed, &err) == 0);
	CHECK(removed == 0);
	which.user = (struct span){ NULL, 0 };
	CHECK(devices_remove(d, &which, &removed, &err) == 0);
	CHECK(removed == 1);
	CHECK(devices_remove(d, &which, &removed, &err) == 0);
	CHECK(removed == 0);
	CHECK(count_of(d, "u") == 1);
	/* Nothing of it is left to make this one old. */
	CHECK(put_one(d, device_of("v", "aabbccdd", 0)).added == 1);
	devices_close(d);
}

static void a_user_is_removed_with_all_devices(void)
{
	struct devices *d = open_devices();
	struct device which = device_of("u", "", 0);
	struct err err = { 0 };
	size_t removed = 77;

	CHECK(put_one(d, device_of("u", "aabbccdd", 1)).added == 1);
	CHECK(put_one(d, device_of("u", "aabbccee", 1)).added == 1);
	CHECK(put_one(d, device_of("v", "aabbccff", 1)).added == 1);
	which.token = (struct span){ NULL, 0 };
	CHECK(devices_remove(d, &which, &removed, &err) == 0);
	CHECK(removed == 2);
	CHECK(count_of(d, "u") == 0);
	CHECK(count_of(d, "v") == 1);
	CHECK(put_one(d, device_of("v", "aabbccdd", 0)).added == 1);
	devices_close(d);
}

static void many_users_are_found_at_once(void)
{
	enum { COUNT = 2500 };
	static char users[COUNT][16];
	static char tokens[COUNT][32];
	static struct device list[COUNT];
	struct devices *d = open_devices();
	struct devices_queries queries = { 0 };
	struct err err = { 0 };

	for (int i = 0; i < COUNT; i++) {
		CHECK(fmt_into(users[i], sizeof(users[i]), "u%d", i / 2) == 0);
		CHECK(fmt_into(tokens[i], sizeof(tokens[i]), "%08x%08x",
			      (unsigned)getpid(), (unsigned)i) == 0);
		list[i] = device_of(users[i], tokens[i], i);
	}
	CHECK(put(d, list, 1000).added == 1000);
	CHECK(put(d, list + 1000, 1000).added == 1000);
	CHECK(put(d, list + 2000, 500).added == 500);
	for (int i = 0; i < COUNT; i++) {
		devices_queries_add(&queries, app_name(), list[i].user);
		if (i % 100 == 0) {
			devices_queries_add(
				&queries, app_name(), span_of("nobody"));
		}
	}
	CHECK(devices_find(d, queries.items, queries.count, &err) == 0);
	for (size_t i = 0; i < queries.count; i++) {
		const struct devices_query *q = queries.items + i;

		CHECK(q->count == (span_is(q->user, "nobody") ? 0 : 2));
		for (size_t k = 0; k < q->count; k++) {
			CHECK(devices_found(d, q->first + k).len > 20);
		}
	}
	devices_queries_release(&queries);
	devices_close(d);
}

struct seen {
	size_t ours;
	size_t stop_at;
	bool is_whole;
};

static bool see(void *self, struct span json)
{
	struct seen *seen = self;
	struct err err = { 0 };
	struct json_doc *doc =
		json_parse(json.ptr, json.len, JSON_STRICT, &err);
	struct device device;

	CHECK(doc != NULL);
	CHECK(device_parse(&device, json_root(doc), -1, &err) == 0);
	if (span_equal(device.app, app_name())) {
		seen->ours++;
		seen->is_whole =
			device.registered_unix_ms > 0 && device.user.len > 0;
		CHECK(seen->is_whole);
	}
	json_free(doc);
	return seen->ours != seen->stop_at;
}

static void all_are_exported_once(void)
{
	enum { COUNT = 2300 };
	struct devices *d = open_devices();
	struct seen seen = { .stop_at = SIZE_MAX };
	struct err err = { 0 };
	char user[32];
	char token[32];

	for (int i = 0; i < COUNT; i++) {
		CHECK(fmt_into(user, sizeof(user), "u:%d", i / 3) == 0);
		CHECK(fmt_into(token, sizeof(token), "%08x%08x",
			      (unsigned)getpid(), (unsigned)i) == 0);
		CHECK(put_one(d, device_of(user, token, 1 + i)).added == 1);
	}
	CHECK(devices_each(d, see, &seen, &err) == 0);
	CHECK(seen.ours == COUNT);
	seen = (struct seen){ .stop_at = 5 };
	CHECK(devices_each(d, see, &seen, &err) == 0);
	CHECK(seen.ours == 5);
	seen = (struct seen){ .stop_at = SIZE_MAX };
	CHECK(devices_each_of(d,
		      &(struct devices_query){
			      .app = app_name(), .user = span_of("u:7") },
		      see, &seen, &err) == 0);
	CHECK(seen.ours == 3);
	devices_close(d);
}

/* --- import --- */

static char last_why[512];
static uint64_t last_line;

static void note_refused(uint64_t line, const char *why)
{
	last_line = line;
	CHECK(fmt_into(last_why, sizeof(last_why), "%s", why) == 0);
	printf("line %" PRIu64 ": %s\n", line, why);
}

static void note_progress(uint64_t lines)
{
	(void)lines;
}

static struct import run_import(struct devices *d, const char *path)
{
	struct import i = { .on_refused = note_refused,
		.on_progress = note_progress };
	struct err err = { 0 };

	CHECK(import_run(&i, d, NULL, path, &err) == 0);
	return i;
}

static void write_file(char path[96], const char *text)
{
	FILE *f;

	CHECK(fmt_into(path, 96, "%s/import", folder) == 0);
	f = fopen(path, "w");
	CHECK(f != NULL);
	CHECK(fputs(text, f) >= 0);
	CHECK(fclose(f) == 0);
}

static void a_file_is_imported_whole_and_again(void)
{
	static const char text[] =
		"{\"user\":\"u\",\"platform\":\"ios\",\"token\":\"aabbccdd\","
		"\"registered_ms\":5}\n"
		"{\"user\":\"v\",\"platform\":\"android\",\"token\":\"x:y-z\","
		"\"registered_ms\":5}";
	struct devices *d = open_devices();
	struct devices_query q = { .user = span_of("v") };
	struct device v = { .platform = PLATFORM_ANDROID,
		.token = span_of("x:y-z") };
	struct device u = { .platform = PLATFORM_IOS,
		.token = span_of("aabbccdd") };
	struct err err = { 0 };
	char path[96];
	struct import i;
	size_t removed;

	write_file(path, text);
	i = run_import(d, path);
	CHECK(i.lines == 2 && i.counts.added == 2 && i.refused == 0);
	i = run_import(d, path);
	CHECK(i.lines == 2 && i.counts.updated == 2 && i.refused == 0);
	CHECK(devices_find(d, &q, 1, &err) == 0 && q.count == 1);
	CHECK(devices_remove(d, &u, &removed, &err) == 0 && removed == 1);
	CHECK(devices_remove(d, &v, &removed, &err) == 0 && removed == 1);
	devices_close(d);
}

/* Each bad line, and what the person is told about it. */
static void bad_lines_are_refused_with_their_reason(void)
{
	static const char *const bad[][2] = {
		{ "nonsense", "not one JSON object" },
		{ "{\"user\":", "not one JSON object" },
		{ "[1]", "not an object" },
		{ "{\"platform\":\"ios\",\"token\":\"aabbccdd\"}", "'user'" },
		{ "{\"user\":7,\"platform\":\"ios\",\"token\":\"aabbccdd\"}",
			"'user'" },
		{ "{\"user\":\"\",\"platform\":\"ios\",\"token\":\"aabbccdd\"}",
			"'user'" },
		{ "{\"user\":\"u\",\"platform\":\"win\",\"token\":\"aabbccdd\"}",
			"'platform'" },
		{ "{\"user\":\"u\",\"token\":\"aabbccdd\"}", "'platform'" },
		{ "{\"user\":\"u\",\"platform\":\"ios\"}", "'token'" },
		{ "{\"user\":\"u\",\"platform\":\"ios\",\"token\":\"aabbccd\"}",
			"'token'" },
		{ "{\"user\":\"u\",\"platform\":\"ios\",\"token\":\"aabbccdx\"}",
			"'token'" },
		{ "{\"user\":\"u\",\"platform\":\"ios\",\"token\":\"aabb\"}",
			"'token'" },
		{ "{\"user\":\"u\",\"platform\":\"android\",\"token\":\"a b\"}",
			"'token'" },
		{ "{\"user\":\"u\",\"platform\":\"android\",\"token\":\"é\"}",
			"'token'" },
		{ "{\"user\":\"u\",\"platform\":\"android\",\"token\":\"a\","
		  "\"environment\":\"test\"}",
			"'environment'" },
		{ "{\"user\":\"u\",\"platform\":\"android\",\"token\":\"a\","
		  "\"registered_ms\":-1}",
			"'registered_ms'" },
		{ "{\"user\":\"u\",\"platform\":\"android\",\"token\":\"a\","
		  "\"registered_ms\":\"now\"}",
			"'registered_ms'" },
		{ "{\"user\":\"u\\n\",\"platform\":\"android\","
		  "\"token\":\"a\"}",
			"'user'" },
		{ "{\"user\":\"u\",\"platform\":\"android\",\"token\":\"a\","
		  "\"time_zone\":\"\"}",
			"'time_zone'" },
	};
	struct devices *d = open_devices();
	char path[96];

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		struct import i;
		struct buf text;

		buf_init(&text, SIZE_MAX);
		buf_fmt(&text, "%s\n", bad[k][0]);
		write_file(path, buf_string(&text));
		buf_release(&text);
		i = run_import(d, path);
		CHECK(i.lines == 1 && i.refused == 1 && last_line == 1);
		CHECK(strstr(last_why, bad[k][1]) != NULL);
		CHECK(i.counts.added == 0);
	}
	devices_close(d);
}

static void a_line_too_long_is_refused_and_the_next_one_read(void)
{
	struct devices *d = open_devices();
	struct device u = device_of("u", "aabbccdd", 1);
	struct buf text;
	struct err err = { 0 };
	char path[96];
	struct import i;
	size_t removed;

	u.app = (struct span){ NULL, 0 };
	for (size_t len = 65530; len < 65540; len++) {
		buf_init(&text, SIZE_MAX);
		for (size_t k = 0; k < len; k++) {
			buf_putc(&text, 'x');
		}
		buf_text(&text, "\n{\"user\":\"u\",\"platform\":\"ios\","
				"\"token\":\"aabbccdd\"}\n");
		write_file(path, buf_string(&text));
		buf_release(&text);
		i = run_import(d, path);
		CHECK(i.lines == 2 && i.refused == 1);
		CHECK(i.counts.added == 1);
		CHECK(devices_remove(d, &u, &removed, &err) == 0);
		CHECK(removed == 1);
	}
	devices_close(d);
}

static void an_absent_file_is_for_a_person(void)
{
	struct devices *d = open_devices();
	struct import i = { .on_refused = note_refused,
		.on_progress = note_progress };
	struct err err = { 0 };

	CHECK(import_run(&i, d, NULL, "/no/such/file", &err) == -1);
	CHECK(err.is_usage && strstr(err.text, "/no/such/file") != NULL);
	devices_close(d);
}

static void wrong_urls_are_for_a_person(void)
{
	static const char *const bad[] = { "", "memory:", "sqlite:x",
		"lmdb:/no/such/folder/x", "redis://" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct devices *d = NULL;
		struct err err = { 0 };

		CHECK(devices_open(&d, bad[i], &err) == -1);
		printf("%s\n", err.text);
		CHECK(err.is_usage);
	}
}

/* clang-format off */
#define IN_BOTH(fn) \
	static void fn##__lmdb(void) { url = lmdb_url; fn(); } \
	static void fn##__redis(void) { url = redis_url; fn(); }
#define TESTS(fn) TEST(fn##__lmdb), TEST(fn##__redis)
/* clang-format on */

IN_BOTH(what_is_put_is_found)
IN_BOTH(a_user_may_have_many)
IN_BOTH(apps_do_not_see_each_other)
IN_BOTH(a_token_moves_to_another_user)
IN_BOTH(the_newest_registration_wins)
IN_BOTH(one_batch_may_name_a_token_often)
IN_BOTH(a_device_is_removed_by_its_token)
IN_BOTH(a_user_is_removed_with_all_devices)
IN_BOTH(many_users_are_found_at_once)
IN_BOTH(all_are_exported_once)
IN_BOTH(a_file_is_imported_whole_and_again)
IN_BOTH(bad_lines_are_refused_with_their_reason)
IN_BOTH(a_line_too_long_is_refused_and_the_next_one_read)
IN_BOTH(an_absent_file_is_for_a_person)

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TESTS(what_is_put_is_found),
		TESTS(a_user_may_have_many),
		TESTS(apps_do_not_see_each_other),
		TESTS(a_token_moves_to_another_user),
		TESTS(the_newest_registration_wins),
		TESTS(one_batch_may_name_a_token_often),
		TESTS(a_device_is_removed_by_its_token),
		TESTS(a_user_is_removed_with_all_devices),
		TESTS(many_users_are_found_at_once),
		TESTS(all_are_exported_once),
		TESTS(a_file_is_imported_whole_and_again),
		TESTS(bad_lines_are_refused_with_their_reason),
		TESTS(a_line_too_long_is_refused_and_the_next_one_read),
		TESTS(an_absent_file_is_for_a_person),
		TEST(wrong_urls_are_for_a_person),
		TEST_END,
	};
	int status;

	places_begin();
	status = test_main(tests, argc, argv);
	places_end();
	return status;
}
