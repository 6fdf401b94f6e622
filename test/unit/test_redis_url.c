/* lib/net/redis_url: what an URL says, and what is refused. */
#include "net/redis_url.h"

#include "test.h"

static void accept_url(struct redis_url *u, const char *url)
{
	struct err err = { 0 };

	if (redis_url_parse(u, url, &err) != 0) {
		printf("%s: %s\n", url, err.text);
		CHECK(0);
	}
}

static bool is(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static void host_alone_has_defaults(void)
{
	struct redis_url u;

	accept_url(&u, "redis://cache.example");
	CHECK(is(u.hosts[0].name, "cache.example"));
	CHECK(u.hosts[0].port == 6379);
	CHECK(u.db == 0);
	CHECK(u.user == NULL && u.password == NULL && u.path == NULL);
	CHECK(is(u.name, "redis://cache.example:6379"));
	redis_url_release(&u);
}

static void every_part_is_read(void)
{
	struct redis_url u;

	accept_url(&u, "redis://push:p%40ss%2Fw@rd@h:7000/3");
	CHECK(is(u.user, "push"));
	CHECK(is(u.password, "p@ss/w@rd"));
	CHECK(is(u.hosts[0].name, "h"));
	CHECK(u.hosts[0].port == 7000);
	CHECK(u.db == 3);
	CHECK(strstr(u.name, "ss") == NULL);
	redis_url_release(&u);

	accept_url(&u, "redis://:secret@h/");
	CHECK(u.user == NULL);
	CHECK(is(u.password, "secret"));
	redis_url_release(&u);
}

static void addresses_of_version_6_stand_in_brackets(void)
{
	struct redis_url u;

	accept_url(&u, "redis://[::1]:6380/1");
	CHECK(is(u.hosts[0].name, "::1"));
	CHECK(u.hosts[0].port == 6380);
	CHECK(is(u.name, "redis://[::1]:6380"));
	redis_url_release(&u);
	accept_url(&u, "redis://[fe80::1]");
	CHECK(u.hosts[0].port == 6379);
	redis_url_release(&u);
}

static void socket_path_takes_settings(void)
{
	struct redis_url u;

	accept_url(
		&u, "unix:///run/a%20b.sock?db=2&user=w&password_file=/k/p@w");
	CHECK(is(u.path, "/run/a b.sock"));
	CHECK(u.db == 2);
	CHECK(is(u.user, "w"));
	CHECK(is(u.password_file, "/k/p@w"));
	CHECK(u.host_count == 0);
	redis_url_release(&u);
	accept_url(&u, "redis://h?password_file=/k/a@b");
	CHECK(is(u.hosts[0].name, "h"));
	CHECK(is(u.password_file, "/k/a@b"));
	redis_url_release(&u);
}

static void several_hosts_have_their_schemes(void)
{
	struct redis_url u;

	accept_url(&u, "redis+sentinel://push:pw@a,b:7001,[::1]/the%20one?db=2"
		       "&sentinel_user=s&sentinel_password_file=/k");
	CHECK(u.kind == REDIS_SENTINEL);
	CHECK(u.host_count == 3);
	CHECK(is(u.hosts[0].name, "a") && u.hosts[0].port == 26379);
	CHECK(is(u.hosts[1].name, "b") && u.hosts[1].port == 7001);
	CHECK(is(u.hosts[2].name, "::1"));
	CHECK(is(u.primary, "the one"));
	CHECK(u.db == 2);
	CHECK(is(u.user, "push") && is(u.sentinel_user, "s"));
	CHECK(is(
		u.name, "redis+sentinel://a:26379,b:7001,[::1]:26379/the one"));
	redis_url_release(&u);

	accept_url(&u, "redis+cluster://a:7000,b");
	CHECK(u.kind == REDIS_CLUSTER);
	CHECK(u.host_count == 2);
	CHECK(u.hosts[1].port == 6379);
	redis_url_release(&u);
}

static void time_limit_is_short_unless_given(void)
{
	struct redis_url u;

	accept_url(&u, "unix:///s");
	CHECK(u.timeout_ms == 2000);
	redis_url_release(&u);
	accept_url(&u, "unix:///s?timeout=750ms");
	CHECK(u.timeout_ms == 750);
	redis_url_release(&u);
}

static void wrong_urls_are_usage_failures_without_secrets(void)
{
	static const char *const wrong[] = {
		"",
		"localhost",
		"http://h",
		"redis://",
		"redis://:secret@",
		"redis://h:0",
		"redis://h:65536",
		"redis://h:x",
		"redis://h/x",
		"redis://h/-1",
		"redis://u:%secret@h",
		"redis://u:secret%2@h",
		"redis://u:secret%00@h",
		"redis://[::1",
		"redis://[::1]x",
		"redis://h?db",
		"redis://h?tls=1",
		"unix://relative/secret",
		"unix://",
		"redis://h,h2",
		"redis://h?timeout=1ms",
		"redis://h?timeout=secret",
		"redis://h?ca_file=/secret",
		"redis://h?sentinel_user=secret",
		"redis+sentinel://u:secret@h",
		"redis+sentinel://u:secret@h/",
		"redis+sentinel://u:secret@h,/m",
		"redis+sentinel://h,h2:secret/m",
		"redis+cluster://u:secret@h/1",
		"redis+cluster://h?db=1",
		"redis+cluster://",
		"rediss://u:secret@h?cert_file=/c",
#ifndef HAVE_HIREDIS_SSL
		"rediss://u:secret@h",
#endif
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct redis_url u;
		struct err err = { 0 };

		printf("%s\n", wrong[i]);
		CHECK(redis_url_parse(&u, wrong[i], &err) == -1);
		CHECK(err.is_usage);
		CHECK(strstr(err.text, "secret") == NULL);
		CHECK(u.hosts == NULL && u.password == NULL);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(host_alone_has_defaults),
		TEST(every_part_is_read),
		TEST(addresses_of_version_6_stand_in_brackets),
		TEST(socket_path_takes_settings),
		TEST(several_hosts_have_their_schemes),
		TEST(time_limit_is_short_unless_given),
		TEST(wrong_urls_are_usage_failures_without_secrets),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
