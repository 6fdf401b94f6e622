/* Links to listed sites: hosts, the names below them, and paths. */
#include "policy/links.h"

#include <string.h>

#include "test.h"

/* The site that the first listed link of a text is of, or NULL. */
static const char *site_in(const char *const *sites, const char *text)
{
	static char name[256];
	struct nameset set = { 0 };
	const struct nameset_entry *found;
	struct err err = { 0 };
	struct buf scratch;

	for (; *sites != NULL; sites++) {
		CHECK(links_add(&set, span_of(*sites), &err) == 0);
	}
	buf_init(&scratch, SIZE_MAX);
	found = links_find(&set, span_of(text), &scratch);
	if (found != NULL) {
		CHECK(fmt_into(name, sizeof(name), "%.*s", (int)found->name.len,
			      found->name.ptr) == 0);
	}
	buf_release(&scratch);
	nameset_release(&set);
	return found == NULL ? NULL : name;
}

static bool is_site(
	const char *const *sites, const char *text, const char *expected)
{
	const char *site = site_in(sites, text);

	return site == NULL || expected == NULL ? site == expected
						: strcmp(site, expected) == 0;
}

static void paths_are_those_of_their_host_and_of_what_is_below_it(void)
{
	static const char *const sites[] = { "cdn.example/ads",
		"cdn.example/x/y", "a.cdn.example/z", NULL };
	static const struct {
		const char *text;
		const char *site;
	} rows[] = {
		{ "cdn.example", NULL },
		{ "cdn.example/", NULL },
		{ "cdn.example/ads", "cdn.example/ads" },
		{ "cdn.example/ads/", "cdn.example/ads" },
		{ "cdn.example/adsx", NULL },
		{ "cdn.example/x", NULL },
		{ "cdn.example/x/y", "cdn.example/x/y" },
		{ "cdn.example:8080/x/y/z?q", "cdn.example/x/y" },
		{ "cdn.example/x/yy", NULL },
		{ "cdn.example/y", NULL },
		{ "a.cdn.example/z", "a.cdn.example/z" },
		{ "a.cdn.example/ads", "cdn.example/ads" },
		{ "b.a.cdn.example/x/y", "cdn.example/x/y" },
		{ "b.cdn.example/z", NULL },
		{ "other.example/ads", NULL },
		{ "example/ads", NULL },
		{ "CDN.example/ADS", NULL },
		{ "CDN.Example/ads", "cdn.example/ads" },
		{ "1. cdn.example and cdn.example/x/y", "cdn.example/x/y" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!is_site(sites, rows[i].text, rows[i].site)) {
			FAIL(rows[i].text);
		}
	}
}

/* Whichever was listed first. */
static void a_whole_host_comes_before_its_paths(void)
{
	static const char *const host_first[] = { "shop.example",
		"shop.example/sale", NULL };
	static const char *const path_first[] = { "shop.example/sale",
		"shop.example", "shop.example/sale", NULL };

	CHECK(is_site(host_first, "shop.example/sale", "shop.example"));
	CHECK(is_site(path_first, "shop.example/sale", "shop.example"));
	CHECK(is_site(path_first, "www.shop.example", "shop.example"));
	CHECK(is_site(host_first, "shop.example.org/sale", NULL));
}

static void no_site_is_in_an_empty_list(void)
{
	static const char *const none[] = { NULL };

	CHECK(is_site(none, "http://evil.example/x", NULL));
	CHECK(is_site(none, "", NULL));
}

static void hosts_and_paths_have_an_end(void)
{
	char host[300];
	const char *sites[] = { host,
		"deep.example/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g",
		"long.example/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h", NULL };

	/* 253 bytes, which is the most, and one more. */
	memset(host, 'h', sizeof(host));
	memcpy(host + 253 - 8, ".example", 9);
	CHECK(is_site(sites, host, host));
	CHECK(is_site(sites + 1,
		"deep.example/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h",
		"deep.example/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g"));
	CHECK(is_site(sites + 1,
		"long.example/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h", NULL));
	CHECK(is_site(sites + 1, "deep.example/1/2", NULL));
	memset(host, 'h', sizeof(host));
	memcpy(host + 254 - 8, ".example", 9);
	CHECK(is_site(sites + 1, host, NULL));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(paths_are_those_of_their_host_and_of_what_is_below_it),
		TEST(a_whole_host_comes_before_its_paths),
		TEST(no_site_is_in_an_empty_list),
		TEST(hosts_and_paths_have_an_end),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
