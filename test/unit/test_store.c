/*
 * One suite for all three stores: every test runs once a store.  Redis is a
 * server of our own on a Unix socket, LMDB a file in the same folder.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/redis.h"
#include "places.h"
#include "store/store.h"
#include "test.h"

enum { HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };

static const char *url; /* of the store that the running test is about */

/* --- asking --- */

static struct store *open_store(const char *which)
{
	struct store *s = NULL;
	struct err err = { 0 };

	if (store_open(&s, which, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return s;
}

/* A key that no other test has. */
static struct digest key_of(const char *name)
{
	char text[128];

	CHECK(fmt_into(text, sizeof(text), "%s %d", name, (int)getpid()) == 0);
	return digest_of(text, strlen(text));
}

static struct store_ask ask_of(
	enum store_verb verb, const char *key, const char *uid)
{
	return (struct store_ask){
		.verb = verb,
		.key = key_of(key),
		.uid = digest_of(uid, strlen(uid)),
		.now_unix_ms = clock_unix_ms(),
		.window_ms = HOUR_MS,
		.limit = 2,
	};
}

static enum store_answer answer_of(struct store *s, struct store_ask ask)
{
	struct err err = { 0 };

	ask.answer = (enum store_answer)99;
	if (store_exchange(s, &ask, 1, &err) != 0) {
		printf("%s\n", err.text);
		CHECK(0);
	}
	return ask.answer;
}

static enum store_answer say(
	struct store *s, enum store_verb verb, const char *key, const char *uid)
{
	return answer_of(s, ask_of(verb, key, uid));
}

/* The same, `after_ms' from now. */
static enum store_answer later(struct store *s, enum store_verb verb,
	const char *key, const char *uid, int64_t after_ms)
{
	struct store_ask ask = ask_of(verb, key, uid);

	ask.now_unix_ms += after_ms;
	return answer_of(s, ask);
}

/* --- dedupe: the lines of push-queue(7) --- */

static void a_free_key_is_reserved(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	store_close(s);
}

static void a_redelivery_finds_its_own_reservation(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_MINE);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_MINE);
	store_close(s);
}

static void another_push_with_the_key_finds_it_held(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "b") == STORE_OTHER);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "other", "b") == STORE_FREE);
	store_close(s);
}

static void what_is_done_stays_done(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_DEDUPE_DONE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_DONE);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "b") == STORE_OTHER);
	CHECK(say(s, STORE_DEDUPE_DONE, "k", "a") == STORE_OK);
	/* A late worker that failed must not open what another delivered. */
	CHECK(say(s, STORE_DEDUPE_RELEASE, "k", "a") == STORE_DONE);
	CHECK(say(s, STORE_DEDUPE_EXTEND, "k", "a") == STORE_DONE);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_DONE);
	store_close(s);
}

static void a_released_key_is_free_again(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_DEDUPE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_DEDUPE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "b") == STORE_FREE);
	store_close(s);
}

static void nobody_touches_the_key_of_another(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_DEDUPE_RELEASE, "k", "b") == STORE_OTHER);
	CHECK(say(s, STORE_DEDUPE_DONE, "k", "b") == STORE_OTHER);
	CHECK(say(s, STORE_DEDUPE_EXTEND, "k", "b") == STORE_OTHER);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_MINE);
	store_close(s);
}

static void marks_hold_even_after_the_reservation_ran_out(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_DEDUPE_EXTEND, "extended", "a") == STORE_OK);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "extended", "b") == STORE_OTHER);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "extended", "a") == STORE_MINE);
	CHECK(say(s, STORE_DEDUPE_DONE, "done", "a") == STORE_OK);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "done", "a") == STORE_DONE);
	store_close(s);
}

/* Asks as new pushes until the key is free; Redis runs by its own clock. */
static void wait_until_free(struct store *s, const char *key)
{
	int64_t give_up_mono_ms = clock_mono_ms() + 20000;

	while (say(s, STORE_DEDUPE_RESERVE, key, "next") != STORE_FREE) {
		CHECK(clock_mono_ms() < give_up_mono_ms);
	}
}

static void a_window_ends(void)
{
	struct store *s = open_store(url);
	struct store_ask ask = ask_of(STORE_DEDUPE_RESERVE, "k", "a");
	int64_t begin_mono_ms = clock_mono_ms();

	ask.window_ms = 300;
	CHECK(answer_of(s, ask) == STORE_FREE);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "b") == STORE_OTHER);
	wait_until_free(s, "k");
	CHECK(clock_mono_ms() - begin_mono_ms >= 290);
	store_close(s);
}

static void an_extension_and_a_mark_begin_a_new_window(void)
{
	static const enum store_verb verbs[] = { STORE_DEDUPE_EXTEND,
		STORE_DEDUPE_DONE };

	for (int i = 0; i < 2; i++) {
		struct store *s = open_store(url);
		struct store_ask ask = ask_of(STORE_DEDUPE_RESERVE,
			i == 0 ? "extended" : "done", "a");
		struct store_ask mark = ask;
		int64_t begin_mono_ms = clock_mono_ms();

		ask.window_ms = 20;
		CHECK(answer_of(s, ask) == STORE_FREE);
		mark.verb = verbs[i];
		mark.window_ms = 400;
		CHECK(answer_of(s, mark) == STORE_OK);
		wait_until_free(s, i == 0 ? "extended" : "done");
		CHECK(clock_mono_ms() - begin_mono_ms >= 390);
		store_close(s);
	}
}

static void in_one_batch_the_first_push_wins(void)
{
	struct store *s = open_store(url);
	struct err err = { 0 };
	struct store_ask asks[] = {
		ask_of(STORE_DEDUPE_RESERVE, "k", "a"),
		ask_of(STORE_DEDUPE_RESERVE, "k", "b"),
		ask_of(STORE_DEDUPE_RESERVE, "k", "a"),
		ask_of(STORE_DEDUPE_RESERVE, "else", "b"),
	};

	CHECK(store_exchange(s, asks, 4, &err) == 0);
	CHECK(asks[0].answer == STORE_FREE);
	CHECK(asks[1].answer == STORE_OTHER);
	CHECK(asks[2].answer == STORE_MINE);
	CHECK(asks[3].answer == STORE_FREE);
	store_close(s);
}

/* --- fatigue --- */

static void a_user_gets_as_many_as_the_limit(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "c") == STORE_OVER);
	CHECK(say(s, STORE_FATIGUE_TAKE, "other user", "c") == STORE_FREE);
	store_close(s);
}

static void a_redelivery_counts_once_and_passes_when_full(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_MINE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_MINE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_MINE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "c") == STORE_OVER);
	store_close(s);
}

static void the_window_slides(void)
{
	struct store *s = open_store(url);
	struct store_ask first = ask_of(STORE_FATIGUE_TAKE, "k", "a");

	/* On a whole second, so that the edge is exact. */
	first.now_unix_ms = first.now_unix_ms / 1000 * 1000;
	first.window_ms = HOUR_MS;
	CHECK(answer_of(s, first) == STORE_FREE);

	struct store_ask next = first;

	next.uid = digest_of("b", 1);
	next.now_unix_ms += 10 * MINUTE_MS;
	CHECK(answer_of(s, next) == STORE_FREE);
	next.uid = digest_of("c", 1);
	next.now_unix_ms = first.now_unix_ms + HOUR_MS - 1;
	CHECK(answer_of(s, next) == STORE_OVER);
	next.now_unix_ms = first.now_unix_ms + HOUR_MS;
	CHECK(answer_of(s, next) == STORE_FREE);
	next.uid = digest_of("d", 1);
	CHECK(answer_of(s, next) == STORE_OVER);
	next.now_unix_ms += 10 * MINUTE_MS;
	CHECK(answer_of(s, next) == STORE_FREE);
	store_close(s);
}

static void what_is_given_back_can_be_taken_again(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "c") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "d") == STORE_OVER);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "b") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "c") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "d") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "e") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "nobody's", "a") == STORE_OK);
	store_close(s);
}

static void delivered_first_then_failed_stays_counted(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_KEEP, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_KEEP, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_MINE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "c") == STORE_OVER);
	store_close(s);
}

static void failed_first_then_delivered_is_counted(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_KEEP, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "c") == STORE_OVER);
	store_close(s);
}

static void a_delivery_counts_even_beyond_the_limit(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "c") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_KEEP, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "b") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "d") == STORE_OVER);
	store_close(s);
}

static void what_left_the_window_can_be_kept_anew(void)
{
	struct store *s = open_store(url);

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(later(s, STORE_FATIGUE_KEEP, "k", "a", 2 * HOUR_MS) == STORE_OK);
	CHECK(later(s, STORE_FATIGUE_TAKE, "k", "b", 2 * HOUR_MS) ==
		STORE_FREE);
	CHECK(later(s, STORE_FATIGUE_TAKE, "k", "c", 2 * HOUR_MS) ==
		STORE_OVER);
	store_close(s);
}

/* Uids whose digests differ in the bit that tells "kept" only. */
static void the_kept_bit_is_no_part_of_the_uid(void)
{
	struct store *s = open_store(url);
	struct store_ask ask = ask_of(STORE_FATIGUE_TAKE, "k", "a");

	for (int bit = 0; bit < 2; bit++) {
		ask.uid.bytes[7] = (unsigned char)(0xfe | bit);
		ask.key = key_of(bit == 0 ? "even" : "odd");
		ask.verb = STORE_FATIGUE_TAKE;
		CHECK(answer_of(s, ask) == STORE_FREE);
		CHECK(answer_of(s, ask) == STORE_MINE);
		ask.verb = STORE_FATIGUE_RELEASE;
		CHECK(answer_of(s, ask) == STORE_OK);
		ask.verb = STORE_FATIGUE_TAKE;
		CHECK(answer_of(s, ask) == STORE_FREE);
		ask.verb = STORE_FATIGUE_KEEP;
		CHECK(answer_of(s, ask) == STORE_OK);
		ask.verb = STORE_FATIGUE_RELEASE;
		CHECK(answer_of(s, ask) == STORE_OK);
		ask.verb = STORE_FATIGUE_TAKE;
		CHECK(answer_of(s, ask) == STORE_MINE);
	}
	store_close(s);
}

/* --- all of it --- */

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525U + 1013904223U;
	return (random_state >> 8) % n;
}

/* An ask of any kind about few keys, so that they meet. */
static struct store_ask random_ask(int64_t now_unix_ms)
{
	static const char *const keys[] = { "p", "q", "r", "s" };
	static const char *const uids[] = { "1", "2", "3", "4", "5", "6", "7" };
	bool is_fatigue = random_below(2) == 0;
	int verb = is_fatigue ? (int)STORE_FATIGUE_TAKE + (int)random_below(3)
			      : (int)random_below(4);
	struct store_ask ask = ask_of((enum store_verb)verb,
		keys[random_below(4)], uids[random_below(7)]);

	ask.key.bytes[0] = (unsigned char)(is_fatigue ? 1 : 2);
	ask.now_unix_ms = now_unix_ms;
	ask.limit = 3;
	ask.window_ms = is_fatigue ? HOUR_MS : 1000 * (int64_t)HOUR_MS;
	return ask;
}

/* The plain table says what is right; the windows slide through many hours. */
static void all_stores_answer_the_same(void)
{
	enum { ROUNDS = 60, BATCH = 300 };
	static struct store_ask ours[BATCH];
	static struct store_ask theirs[BATCH];
	struct store *s = open_store(url);
	struct store *model = open_store("memory:");
	struct err err = { 0 };
	int64_t now_unix_ms = clock_unix_ms();
	int seen[6] = { 0 };

	random_state = 20261120;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BATCH; i++) {
			now_unix_ms += random_below(10 * MINUTE_MS);
			ours[i] = random_ask(now_unix_ms);
			theirs[i] = ours[i];
		}
		CHECK(store_exchange(s, ours, BATCH, &err) == 0);
		CHECK(store_exchange(model, theirs, BATCH, &err) == 0);
		for (int i = 0; i < BATCH; i++) {
			if (ours[i].answer != theirs[i].answer) {
				printf("round %d, ask %d, verb %d: %d, not "
				       "%d\n",
					round, i, (int)ours[i].verb,
					(int)ours[i].answer,
					(int)theirs[i].answer);
				CHECK(0);
			}
			seen[ours[i].answer]++;
		}
	}
	for (int i = 0; i < 6; i++) {
		CHECK(seen[i] > 50); /* else it has tried little */
	}
	store_close(model);
	store_close(s);
}

/* More than one pipeline, script call and table of any size. */
static void a_large_batch_is_answered_in_order(void)
{
	enum { COUNT = 5000 };
	struct store *s = open_store(url);
	struct store_ask *asks = mem_array(COUNT, sizeof(*asks));
	struct err err = { 0 };

	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < COUNT; i++) {
			char name[32];

			CHECK(fmt_into(name, sizeof(name), "many %d", i / 2) ==
				0);
			asks[i] = ask_of(i % 5 < 3 ? STORE_DEDUPE_RESERVE
						   : STORE_FATIGUE_TAKE,
				name, i % 2 == 0 ? "even" : "odd");
			asks[i].limit = 1;
			asks[i].key.bytes[0] = (unsigned char)asks[i].verb;
		}
		CHECK(store_exchange(s, asks, COUNT, &err) == 0);
		for (int i = 1; i < COUNT; i += 2) {
			bool is_same = asks[i].verb == asks[i - 1].verb;
			enum store_answer mine =
				again == 0 ? STORE_FREE : STORE_MINE;
			enum store_answer taken =
				asks[i].verb == STORE_FATIGUE_TAKE
					? STORE_OVER
					: STORE_OTHER;

			CHECK(asks[i - 1].answer == mine);
			CHECK(asks[i].answer == (is_same ? taken : mine));
		}
	}
	mem_free(asks);
	store_close(s);
}

static void two_programs_share_it(void)
{
	struct store *mine = open_store(url);
	struct store *theirs = open_store(url);
	int status;
	pid_t pid;

	CHECK(say(mine, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	CHECK(say(theirs, STORE_DEDUPE_RESERVE, "k", "b") == STORE_OTHER);
	store_close(mine);
	CHECK(say(theirs, STORE_DEDUPE_DONE, "k", "a") == STORE_OK);
	store_close(theirs);

	/* What a process leaves behind, the next one finds. */
	pid = fork();
	if (pid == 0) {
		struct store *s = open_store(url);
		struct store_ask ask = ask_of(STORE_DEDUPE_RESERVE, "", "c");

		ask.key = digest_of("left behind", 11);
		_exit(answer_of(s, ask) == STORE_FREE ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	mine = open_store(url);

	struct store_ask ask = ask_of(STORE_DEDUPE_RESERVE, "", "d");

	ask.key = digest_of("left behind", 11);
	CHECK(answer_of(mine, ask) == STORE_OTHER);
	store_close(mine);
}

/* --- each place for itself --- */

static void check_usage(const char *bad, const char *says)
{
	struct store *s = NULL;
	struct err err = { 0 };

	CHECK(store_open(&s, bad, &err) == -1);
	printf("%s\n", err.text);
	CHECK(err.is_usage);
	CHECK(strstr(err.text, says) != NULL);
}

static void wrong_urls_are_for_a_person(void)
{
	char path[128];
	FILE *f;

	check_usage("", "unknown store");
	check_usage("memory", "unknown store");
	check_usage("mysql://me:secret@host", "unknown store 'mysql'");
	check_usage("lmdb:", "names no file");
	check_usage("lmdb:/no/such/folder/x", "No such file");
	check_usage("lmdb:/", "lmdb:/");
	check_usage("lmdb:x?sync=often", "sync=often");
	check_usage("redis://", "redis");
	CHECK(fmt_into(path, sizeof(path), "%s/text", folder) == 0);
	f = fopen(path, "w");
	CHECK(f != NULL);
	for (int i = 0; i < 1000; i++) {
		CHECK(fprintf(f, "this is no database\n") > 0);
	}
	CHECK(fclose(f) == 0);
	CHECK(fmt_into(path, sizeof(path), "lmdb:%s/text", folder) == 0);
	check_usage(path, "lmdb:");
}

static void an_absent_server_is_temporary(void)
{
	struct store *s = NULL;
	struct err err = { 0 };
	char gone[128];

	CHECK(fmt_into(gone, sizeof(gone), "unix://%s/nobody", folder) == 0);
	CHECK(store_open(&s, gone, &err) == -1);
	printf("%s\n", err.text);
	CHECK(!err.is_usage);
}

static void scripts_are_loaded_again_when_redis_forgot_them(void)
{
	struct store *s = open_store(redis_url);
	const struct redis_reply *reply;
	struct redis *r = NULL;
	struct err err = { 0 };

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(redis_open(&r, redis_url, &err) == 0);
	CHECK(redis_command(r, &reply, 2,
		      (struct span[]){ span_of("SCRIPT"), span_of("FLUSH") },
		      &err) == 0);
	redis_close(r);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_MINE);
	CHECK(say(s, STORE_DEDUPE_DONE, "k", "a") == STORE_OK);
	store_close(s);
}

/* Giving back must not shorten the life of what others took. */
static void giving_back_leaves_the_window_its_life(void)
{
	struct store *s = open_store(redis_url);
	struct digest key = key_of("k");
	char name[7 + DIGEST_BYTES] = "push:f:";
	const struct redis_reply *reply;
	struct redis *r = NULL;
	struct err err = { 0 };

	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_TAKE, "k", "b") == STORE_FREE);
	CHECK(say(s, STORE_FATIGUE_RELEASE, "k", "a") == STORE_OK);
	CHECK(say(s, STORE_FATIGUE_KEEP, "k", "b") == STORE_OK);
	memcpy(name + 7, key.bytes, DIGEST_BYTES);
	CHECK(redis_open(&r, redis_url, &err) == 0);
	CHECK(redis_command(r, &reply, 2,
		      (struct span[]){ span_of("TTL"), { name, sizeof(name) } },
		      &err) == 0);
	CHECK(redis_int(reply) > 3500 && redis_int(reply) <= 3600);
	redis_close(r);
	store_close(s);
}

static off_t file_bytes(const char *name)
{
	char path[128];
	struct stat st;

	CHECK(fmt_into(path, sizeof(path), "%s/%s", folder, name) == 0);
	CHECK(stat(path, &st) == 0);
	return st.st_size;
}

/* `count' new keys in batches of 500, each a minute after the one before. */
static void fill(
	struct store *s, int count, int64_t *now_unix_ms, int64_t window_ms)
{
	static struct store_ask asks[500];
	static int serial;
	pid_t own = getpid();
	struct err err = { 0 };

	for (int at = 0; at < count; at += 500) {
		for (int i = 0; i < 500; i++) {
			serial++;
			asks[i] = ask_of(STORE_DEDUPE_RESERVE, "", "a");
			asks[i].key = digest_of_parts(
				(struct digest_part[]){
					{ &serial, sizeof(serial) },
					{ &own, sizeof(own) },
				},
				2);
			asks[i].now_unix_ms = *now_unix_ms;
			asks[i].window_ms = window_ms;
		}
		*now_unix_ms += MINUTE_MS;
		if (store_exchange(s, asks, 500, &err) != 0) {
			printf("%s\n", err.text);
			CHECK(0);
		}
		CHECK(asks[0].answer == STORE_FREE);
		CHECK(asks[499].answer == STORE_FREE);
	}
}

static void a_full_file_grows(void)
{
	char small[160];
	struct store *s;
	int64_t now_unix_ms = clock_unix_ms();
	struct store *other;

	CHECK(fmt_into(small, sizeof(small), "lmdb:%s/small?sync=none&map=256K",
		      folder) == 0);
	s = open_store(small);
	fill(s, 20000, &now_unix_ms, 1000 * (int64_t)HOUR_MS);
	CHECK(file_bytes("small") > 1024 * 1024);
	CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
	other = open_store(small);
	CHECK(say(other, STORE_DEDUPE_RESERVE, "k", "a") == STORE_MINE);
	store_close(s);
	store_close(other);
}

/* A file that another process made larger is taken as it is. */
static void growth_by_another_process_is_noticed(void)
{
	char small[160];
	struct store *s;
	int64_t now_unix_ms = clock_unix_ms();
	int status;
	pid_t pid;
	int go[2];
	char c;

	CHECK(fmt_into(small, sizeof(small), "lmdb:%s/grown?sync=none&map=256K",
		      folder) == 0);
	CHECK(pipe(go) == 0);
	pid = fork();
	if (pid == 0) {
		s = open_store(small);
		CHECK(say(s, STORE_DEDUPE_RESERVE, "k", "a") == STORE_FREE);
		CHECK(read(go[0], &c, 1) == 1);
		CHECK(say(s, STORE_FATIGUE_TAKE, "k", "a") == STORE_FREE);
		store_close(s);
		_exit(0);
	}
	s = open_store(small);
	fill(s, 20000, &now_unix_ms, 1000 * (int64_t)HOUR_MS);
	CHECK(write(go[1], "g", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	store_close(s);
}

static void what_ran_out_makes_room(void)
{
	char path[160];
	struct store *s;
	int64_t now_unix_ms = clock_unix_ms();
	off_t full;

	CHECK(fmt_into(path, sizeof(path), "lmdb:%s/swept?sync=none", folder) ==
		0);
	s = open_store(path);
	fill(s, 10000, &now_unix_ms, 20 * MINUTE_MS);
	full = file_bytes("swept");
	fill(s, 100000, &now_unix_ms, 20 * MINUTE_MS);
	printf("%ld then %ld bytes\n", (long)full, (long)file_bytes("swept"));
	CHECK(file_bytes("swept") < full * 3);
	store_close(s);
}

/* Killed in the middle of writing: others go on, what was committed is there. */
static void a_killed_writer_blocks_nobody(void)
{
	char path[160];
	int at[2];
	char c;

	CHECK(fmt_into(path, sizeof(path), "lmdb:%s/killed?sync=none",
		      folder) == 0);
	for (int round = 0; round < 5; round++) {
		pid_t pid;
		int64_t now_unix_ms = clock_unix_ms();
		struct store *s;
		int status;

		CHECK(pipe(at) == 0);
		pid = fork();
		if (pid == 0) {
			s = open_store(path);
			CHECK(answer_of(s, ask_of(STORE_DEDUPE_DONE, "",
						   "x")) == STORE_OK);
			CHECK(write(at[1], "r", 1) == 1);
			for (;;) {
				fill(s, 500, &now_unix_ms, HOUR_MS);
			}
		}
		CHECK(read(at[0], &c, 1) == 1);
		(void)poll(NULL, 0, round);
		CHECK(kill(pid, SIGKILL) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFSIGNALED(status)); /* it was still writing */
		s = open_store(path);
		CHECK(say(s, STORE_DEDUPE_RESERVE, "after", "a") ==
			(round == 0 ? STORE_FREE : STORE_MINE));
		store_close(s);
		(void)close(at[0]);
		(void)close(at[1]);
	}
}

static void memory_holds_only_what_is_alive(void)
{
	struct store *s = open_store("memory:");
	int64_t now_unix_ms = clock_unix_ms();
	struct store_ask ask = ask_of(STORE_DEDUPE_RESERVE, "first", "a");
	struct rusage before;
	struct rusage after;

	CHECK(getrusage(RUSAGE_SELF, &before) == 0);
	/* One that lives long stays findable among all that come and go. */
	ask.window_ms = 100000 * (int64_t)HOUR_MS;
	CHECK(answer_of(s, ask) == STORE_FREE);
	fill(s, 200000, &now_unix_ms, 20 * MINUTE_MS);
	ask.now_unix_ms = now_unix_ms;
	CHECK(answer_of(s, ask) == STORE_MINE);
	CHECK(getrusage(RUSAGE_SELF, &after) == 0);
	printf("%ld KiB more\n", after.ru_maxrss - before.ru_maxrss);
#ifndef TEST_HAS_LSAN /* which keeps what was freed */
	CHECK(after.ru_maxrss - before.ru_maxrss < 8 * 1024);
#endif
	store_close(s);
}

/* Taking and giving back in no order, through several sizes of the table. */
static void memory_finds_each_key_among_all(void)
{
	enum { KEYS = 6000, TURNS = 60000 };
	static const char *const uids[] = { "a", "b", "c" };
	static unsigned holder[KEYS]; /* 0: nobody, else of `uids', from 1 */
	struct store *s = open_store("memory:");

	random_state = 20261121;
	for (int i = 0; i < TURNS; i++) {
		unsigned n = random_below(1 + (unsigned)i % KEYS);
		unsigned uid = 1 + random_below(3);
		bool is_release = random_below(2) == 0;
		bool is_free = holder[n] == 0;
		bool is_ours = holder[n] == uid;
		struct store_ask ask = ask_of(is_release ? STORE_DEDUPE_RELEASE
							 : STORE_DEDUPE_RESERVE,
			"", uids[uid - 1]);

		ask.key = digest_quick(&n, sizeof(n));
		CHECK(answer_of(s, ask) == (!is_free && !is_ours ? STORE_OTHER
						   : is_release  ? STORE_OK
						   : is_free     ? STORE_FREE
								 : STORE_MINE));
		if (is_free || is_ours) {
			holder[n] = is_release ? 0 : uid;
		}
	}
	store_close(s);
}

/* --- the table --- */

/* clang-format off */
#define IN_ALL(fn) \
	static void fn##__memory(void) { url = "memory:"; fn(); } \
	static void fn##__lmdb(void) { url = lmdb_url; fn(); } \
	static void fn##__redis(void) { url = redis_url; fn(); }
#define IN_SHARED(fn) \
	static void fn##__lmdb(void) { url = lmdb_url; fn(); } \
	static void fn##__redis(void) { url = redis_url; fn(); }
#define TESTS(fn) TEST(fn##__memory), TEST(fn##__lmdb), TEST(fn##__redis)
#define TESTS_SHARED(fn) TEST(fn##__lmdb), TEST(fn##__redis)
/* clang-format on */

IN_ALL(a_free_key_is_reserved)
IN_ALL(a_redelivery_finds_its_own_reservation)
IN_ALL(another_push_with_the_key_finds_it_held)
IN_ALL(what_is_done_stays_done)
IN_ALL(a_released_key_is_free_again)
IN_ALL(nobody_touches_the_key_of_another)
IN_ALL(marks_hold_even_after_the_reservation_ran_out)
IN_ALL(a_window_ends)
IN_ALL(an_extension_and_a_mark_begin_a_new_window)
IN_ALL(in_one_batch_the_first_push_wins)
IN_ALL(a_user_gets_as_many_as_the_limit)
IN_ALL(a_redelivery_counts_once_and_passes_when_full)
IN_ALL(the_window_slides)
IN_ALL(what_is_given_back_can_be_taken_again)
IN_ALL(delivered_first_then_failed_stays_counted)
IN_ALL(failed_first_then_delivered_is_counted)
IN_ALL(a_delivery_counts_even_beyond_the_limit)
IN_ALL(what_left_the_window_can_be_kept_anew)
IN_ALL(the_kept_bit_is_no_part_of_the_uid)
IN_SHARED(all_stores_answer_the_same)
IN_ALL(a_large_batch_is_answered_in_order)
IN_SHARED(two_programs_share_it)

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TESTS(a_free_key_is_reserved),
		TESTS(a_redelivery_finds_its_own_reservation),
		TESTS(another_push_with_the_key_finds_it_held),
		TESTS(what_is_done_stays_done),
		TESTS(a_released_key_is_free_again),
		TESTS(nobody_touches_the_key_of_another),
		TESTS(marks_hold_even_after_the_reservation_ran_out),
		TESTS(a_window_ends),
		TESTS(an_extension_and_a_mark_begin_a_new_window),
		TESTS(in_one_batch_the_first_push_wins),
		TESTS(a_user_gets_as_many_as_the_limit),
		TESTS(a_redelivery_counts_once_and_passes_when_full),
		TESTS(the_window_slides),
		TESTS(what_is_given_back_can_be_taken_again),
		TESTS(delivered_first_then_failed_stays_counted),
		TESTS(failed_first_then_delivered_is_counted),
		TESTS(a_delivery_counts_even_beyond_the_limit),
		TESTS(what_left_the_window_can_be_kept_anew),
		TESTS(the_kept_bit_is_no_part_of_the_uid),
		TESTS_SHARED(all_stores_answer_the_same),
		TESTS(a_large_batch_is_answered_in_order),
		TESTS_SHARED(two_programs_share_it),
		TEST(wrong_urls_are_for_a_person),
		TEST(an_absent_server_is_temporary),
		TEST(scripts_are_loaded_again_when_redis_forgot_them),
		TEST(giving_back_leaves_the_window_its_life),
		TEST(a_full_file_grows),
		TEST(growth_by_another_process_is_noticed),
		TEST(what_ran_out_makes_room),
		TEST(a_killed_writer_blocks_nobody),
		TEST(memory_holds_only_what_is_alive),
		TEST(memory_finds_each_key_among_all),
		TEST_END,
	};
	int status;

	places_begin();
	status = test_main(tests, argc, argv);
	places_end();
	return status;
}
