/*
 * lib/store/stops against a real Redis of its own, on a Unix socket in a folder
 * that goes away with the test.
 */
#include "store/stops.h"

#include "base/buf.h"
#include "base/clock.h"
#include "redis_server.h"

static struct server server;

static struct redis *begin(void)
{
	struct redis *r = NULL;
	struct err err = { 0 };

	server_begin(&server);
	CHECK(redis_open(&r, server.url, &err) == 0);
	return r;
}

static void end(struct redis *r)
{
	redis_close(r);
	server_end(&server);
}

static void add(struct redis *r, enum stop_kind kind, const char *name,
	const char *note)
{
	struct err err = { 0 };
	struct stop stop = { kind, span_of(name), 1763627000123,
		span_of(note) };

	CHECK(stops_add(r, &stop, &err) == 0);
}

static void what_was_stopped_is_listed_with_its_note(void)
{
	struct redis *r = begin();
	struct stops stops;
	struct err err = { 0 };
	const struct redis_reply *reply;

	CHECK(stops_list(r, &stops, &err) == 0);
	CHECK(stops.count == 0);
	stops_release(&stops);
	add(r, STOP_CATEGORY, "marketing", "too many");
	add(r, STOP_CAMPAIGN, "spring:sale", "");
	add(r, STOP_CAMPAIGN, "autumn", NULL);
	/* What others leave in the hash is nothing of ours. */
	CHECK(redis_command(r, &reply, 6,
		      (struct span[]){ span_of("HSET"), span_of(STOPS_KEY),
			      span_of("colour:red"), span_of("1 x"),
			      span_of("app:by-hand"), span_of("") },
		      &err) == 0);
	CHECK(stops_list(r, &stops, &err) == 0);
	CHECK(stops.count == 4);
	CHECK(span_is(stops.items[0].name, "autumn"));
	CHECK(stops.items[0].since_unix_ms == 1763627000123);
	CHECK(stops.items[0].note.len == 0);
	CHECK(span_is(stops.items[1].name, "spring:sale"));
	CHECK(stops.items[2].kind == STOP_APP);
	CHECK(stops.items[2].since_unix_ms == 0);
	CHECK(stops.items[3].kind == STOP_CATEGORY);
	CHECK(span_is(stops.items[3].note, "too many"));
	stops_release(&stops);
	end(r);
}

static void what_goes_on_is_no_more_in_the_list(void)
{
	struct redis *r = begin();
	struct stops stops;
	struct err err = { 0 };
	bool was_there = false;

	add(r, STOP_APP, "shop", "");
	CHECK(stops_remove(r, STOP_APP, span_of("shop"), &was_there, &err) ==
		0);
	CHECK(was_there);
	CHECK(stops_remove(r, STOP_APP, span_of("shop"), &was_there, &err) ==
		0);
	CHECK(!was_there);
	CHECK(stops_list(r, &stops, &err) == 0);
	CHECK(stops.count == 0);
	stops_release(&stops);
	end(r);
}

static void names_and_notes_have_their_limits(void)
{
	struct redis *r = begin();
	char text[STOPS_NOTE_MAX_BYTES + 1];
	struct stop stop = { STOP_APP, { text, 0 }, 1, { NULL, 0 } };
	struct err err = { 0 };
	bool was_there;

	memset(text, 'x', sizeof(text));
	CHECK(stops_add(r, &stop, &err) == -1 && err.is_usage);
	stop.name.len = STOPS_NAME_MAX_BYTES + 1;
	CHECK(stops_add(r, &stop, &err) == -1 && err.is_usage);
	CHECK(stops_remove(r, STOP_APP, stop.name, &was_there, &err) == -1);
	stop.name.len = STOPS_NAME_MAX_BYTES;
	CHECK(stops_add(r, &stop, &err) == 0);
	stop.note = (struct span){ text, sizeof(text) };
	CHECK(stops_add(r, &stop, &err) == -1 && err.is_usage);
	end(r);
}

struct seen {
	size_t changes;
	size_t count; /* at the last one */
	size_t troubles;
	size_t recoveries;
};

static void on_change(void *self, const struct stops *stops)
{
	struct seen *s = self;

	s->changes++;
	s->count = stops->count;
}

static void on_trouble(void *self, const struct err *err)
{
	struct seen *s = self;

	if (err != NULL) {
		CHECK(err->text[0] != '\0');
		s->troubles++;
	} else {
		s->recoveries++;
	}
}

/* Turns the loop until *n is `wanted', for a second at most. */
static int64_t turn_until(struct loop *loop, const size_t *n, size_t wanted)
{
	int64_t begin_ms = clock_mono_ms();

	while (*n < wanted && clock_mono_ms() - begin_ms < 15 * 1000) {
		(void)loop_turn(loop, 10 * 1000);
	}
	CHECK(*n == wanted);
	return clock_mono_ms() - begin_ms;
}

static void a_watcher_hears_within_a_second_and_survives_outages(void)
{
	struct redis *r = begin();
	struct loop *loop = loop_new();
	struct seen seen = { 0 };
	struct stops_events events = { on_change, on_trouble, &seen };
	struct stops_watch *w = NULL;
	struct err err = { 0 };
	bool was_there;

	add(r, STOP_CAMPAIGN, "a", "");
	CHECK(stops_watch_open(&w, loop, server.url, &events, &err) == 0);
	CHECK(seen.changes == 1 && seen.count == 1);
	add(r, STOP_CAMPAIGN, "b", "");
	CHECK(turn_until(loop, &seen.changes, 2) < 1000);
	CHECK(seen.count == 2);
	CHECK(stops_remove(r, STOP_CAMPAIGN, span_of("a"), &was_there, &err) ==
		0);
	(void)turn_until(loop, &seen.changes, 3);
	CHECK(seen.count == 1);
	server_stop(&server);
	(void)turn_until(loop, &seen.troubles, 1);
	CHECK(seen.changes == 3);
	server_start(&server);
	(void)turn_until(loop, &seen.recoveries, 1);
	/* It came back empty: then nothing is stopped any more. */
	(void)turn_until(loop, &seen.changes, 4);
	CHECK(seen.count == 0);
	stops_watch_close(w);
	loop_free(loop);
	end(r);
}

static void an_absent_redis_is_told_at_once(void)
{
	struct loop *loop = loop_new();
	struct seen seen = { 0 };
	struct stops_events events = { on_change, on_trouble, &seen };
	struct stops_watch *w = NULL;
	struct err err = { 0 };

	CHECK(stops_watch_open(
		      &w, loop, "unix:///no/such/socket", &events, &err) == -1);
	CHECK(!err.is_usage && seen.changes == 0);
	loop_free(loop);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(what_was_stopped_is_listed_with_its_note),
		TEST(what_goes_on_is_no_more_in_the_list),
		TEST(names_and_notes_have_their_limits),
		TEST(a_watcher_hears_within_a_second_and_survives_outages),
		TEST(an_absent_redis_is_told_at_once),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
