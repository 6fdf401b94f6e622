/*
 * Chooses the queue to claim from, and waits for all of them.
 *
 * What is true of a lane:
 *
 *	is_ready   it may have entries: claim from it
 *	!is_ready  it was found empty: its list is watched with BLMOVE, and
 *	           due_mono_ms is when something in it comes due by itself
 *	is_full    the window left it no room: not asked until something was
 *	           settled (its wake list tells) or the timer runs out
 *
 * A lane's in_flight is what its last claim said; it only falls behind our
 * back (by settling), so a sum of old figures never overfills the window.
 */
#include "queue/lanes.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/redis_url.h"
#include "queue/hold.h"
#include "queue/key.h"
#include "queue/waiter.h"
#include "record/conf.h"

enum {
	LOOK_ANYWAY_MS = 5000,
	FLOOR_EVERY = 8,    /* one claim in so many begins with a lower lane */
	RESERVED_SHARE = 8, /* 1/8 of the window is for the first lane */
	WAKE_SHARE = 4,     /* a full window waits for a quarter at most */
};

struct lane {
	struct lanes *lanes;
	struct claim *claim; /* owned */
	struct waiter list;  /* for entries of the queue */
	struct waiter wake;  /* for room in the window */
	int64_t in_flight;
	int64_t due_mono_ms; /* INT64_MAX: nothing known */
	bool is_ready;
	bool is_full;
	bool is_stale;  /* in_flight is to be asked anew */
	bool will_wake; /* settling on it leaves a token */
};

struct lanes {
	struct loop *loop;
	lanes_wake_cb *on_wake;
	void *self;
	int64_t window;
	int64_t batch;
	int64_t wake_step;
	struct lane *lanes; /* owned */
	size_t count;
	uint64_t rounds;        /* claims that gave something */
	uint64_t floors;        /* of those, begun with a lower lane */
	struct loop_timer look; /* something is due */
	struct loop_timer renew;
	char *worker; /* owned */
};

/* --- waiting --- */

static void on_entries(void *self)
{
	struct lane *lane = self;
	struct lanes *l = lane->lanes;

	lane->is_ready = true;
	l->on_wake(l->self);
}

/* A token: something was settled, or will be due earlier than was known. */
static void on_token(void *self)
{
	struct lane *woken = self;
	struct lanes *l = woken->lanes;

	for (size_t i = 0; i < l->count; i++) {
		l->lanes[i].is_full = false;
	}
	woken->is_ready = true;
	woken->is_stale = true;
	woken->will_wake = false;
	l->on_wake(l->self);
}

/* A server that fails us may be gone without a word to those who wait: they
 * begin anew, perhaps elsewhere, when claiming succeeds. */
static int stop_waiting(struct lanes *l)
{
	for (size_t i = 0; i < l->count; i++) {
		waiter_drop(&l->lanes[i].list);
		waiter_drop(&l->lanes[i].wake);
	}
	return -1;
}

static void on_look(void *self)
{
	struct lanes *l = self;

	for (size_t i = 0; i < l->count; i++) {
		l->lanes[i].is_ready = true;
		l->lanes[i].is_full = false;
		l->lanes[i].is_stale = true;
		l->lanes[i].will_wake = false;
	}
	l->on_wake(l->self);
}

/* Where a waiter has no connection only the timer is left: late, but not
 * wrong. */
static void arm_all(struct lanes *l)
{
	int64_t now_mono_ms = clock_mono_ms();
	int64_t due_mono_ms = now_mono_ms + LOOK_ANYWAY_MS;

	for (size_t i = 0; i < l->count; i++) {
		struct lane *lane = &l->lanes[i];

		if (!lane->is_ready) {
			waiter_arm(&lane->list);
		}
		waiter_arm(&lane->wake);
		if (lane->due_mono_ms < due_mono_ms) {
			due_mono_ms = lane->due_mono_ms;
		}
	}
	loop_timer_set(l->loop, &l->look,
		due_mono_ms <= now_mono_ms ? 0
					   : (due_mono_ms - now_mono_ms) * 1000,
		on_look, l);
}

/* Also while the output is blocked and nothing is claimed. */
static void on_renew(void *self)
{
	struct lanes *l = self;

	for (size_t i = 0; i < l->count; i++) {
		struct err failed;

		if (claim_renew(l->lanes[i].claim, &failed) == 0) {
			continue;
		}
		if (claim_is_displaced(l->lanes[i].claim)) {
			l->on_wake(l->self);
		} else {
			(void)stop_waiting(l);
			on_look(l); /* the claim that follows tells */
		}
	}
	loop_timer_set(
		l->loop, &l->renew, (int64_t)HOLD_RENEW_MS * 1000, on_renew, l);
}

/* --- opening --- */

static int lane_init(struct lane *lane, struct lanes *l, const char *queue,
	const struct claim_settings *settings, bool *is_in_use, struct err *err)
{
	lane->lanes = l;
	lane->is_ready = true;
	lane->due_mono_ms = INT64_MAX;
	lane->list = (struct waiter){ .loop = l->loop,
		.what = WAITER_FOR_ENTRIES,
		.on_end = on_entries,
		.self = lane };
	lane->wake = (struct waiter){ .loop = l->loop,
		.what = WAITER_FOR_TOKEN,
		.on_end = on_token,
		.self = lane };
	if (claim_open(&lane->claim, queue, settings, is_in_use, err) != 0) {
		return -1;
	}
	if (waiter_init(&lane->list, settings->url, mem_text(queue), err) !=
		0) {
		return -1;
	}
	return waiter_init(&lane->wake, settings->url,
		key_take(queue, "wake", settings->worker), err);
}

static void release_lanes(struct lanes *l)
{
	for (size_t i = 0; i < l->count; i++) {
		waiter_release(&l->lanes[i].list);
		waiter_release(&l->lanes[i].wake);
		claim_close(l->lanes[i].claim);
	}
	mem_free(l->lanes);
	l->lanes = NULL;
	l->count = 0;
}

/* Opens all under one name; *is_in_use tells that another has it, and before
 * that another has the name that was tried before. */
static int open_lanes(struct lanes *l, const struct lanes_settings *settings,
	const char *worker, bool *is_in_use, struct err *err)
{
	struct claim_settings own = settings->claim;

	own.worker = worker;
	own.is_hasty = *is_in_use; /* another name was waited for */
	*is_in_use = false;
	l->lanes = mem_array(settings->count, sizeof(*l->lanes));
	for (size_t i = 0; i < settings->count; i++) {
		l->count++;
		if (lane_init(&l->lanes[i], l, settings->queues[i], &own,
			    is_in_use, err) != 0) {
			release_lanes(l);
			return -1;
		}
	}
	l->worker = mem_text(worker);
	return 0;
}

/* The first name of this host that is free. */
static int open_under_own_name(
	struct lanes *l, const struct lanes_settings *settings, struct err *err)
{
	char host[KEY_NAME_MAX_BYTES + 1];
	char name[KEY_NAME_MAX_BYTES + 1];
	bool is_in_use = false;

	key_host_worker(host);
	if (open_lanes(l, settings, host, &is_in_use, err) == 0) {
		return 0;
	}
	for (int n = 2; is_in_use && n <= LANES_NAMES_MOST; n++) {
		if (fmt_into(name, sizeof(name), "%s.%d", host, n) != 0) {
			break;
		}
		*err = (struct err){ 0 };
		if (open_lanes(l, settings, name, &is_in_use, err) == 0) {
			return 0;
		}
	}
	return -1;
}

int lanes_check(const struct lanes_settings *settings, const struct conf *conf,
	struct err *err)
{
	const struct claim_settings *claim = &settings->claim;

	if (settings->count == 0) {
		return err_usage(err, 0,
			"no queue is named: neither by --queue nor by push.conf");
	}
	if (claim->lease_ms <= 0) {
		return err_usage(err, 0, "%s must be longer than 0",
			conf_duration_ms(conf_at(conf, "pop.lease"), 1) <= 0
				? "'pop.lease'"
				: "--lease");
	}
	if (redis_url_check(claim->url, err) != 0) {
		conf_blame(conf, "redis", claim->url, err);
		return -1;
	}
	if (claim->worker != NULL &&
		claim_check_worker(claim->worker, err) != 0) {
		conf_blame(conf, "worker", NULL, err);
		return -1;
	}
	if (claim_check_queues(settings->queues, settings->count, err) != 0) {
		conf_blame(conf, "queues", NULL, err);
		return -1;
	}
	return 0;
}

int lanes_open(struct lanes **out, const struct lanes_settings *settings,
	struct loop *loop, lanes_wake_cb *on_wake, void *self, struct err *err)
{
	struct lanes *l = mem_array(1, sizeof(*l));
	int64_t quarter = settings->window / WAKE_SHARE;
	bool is_in_use = false;
	int result;

	l->loop = loop;
	l->on_wake = on_wake;
	l->self = self;
	l->window = settings->window;
	l->batch = settings->batch;
	l->wake_step = settings->batch < quarter ? settings->batch : quarter;
	l->wake_step = l->wake_step < 1 ? 1 : l->wake_step;
	result = settings->claim.worker == NULL
			 ? open_under_own_name(l, settings, err)
			 : open_lanes(l, settings, settings->claim.worker,
				   &is_in_use, err);
	if (result != 0) {
		lanes_close(l);
		return -1;
	}
	loop_timer_set(
		l->loop, &l->renew, (int64_t)HOLD_RENEW_MS * 1000, on_renew, l);
	*out = l;
	return 0;
}

const char *lanes_worker(const struct lanes *l)
{
	return l->worker;
}

void lanes_close(struct lanes *l)
{
	if (l == NULL) {
		return;
	}
	loop_timer_stop(l->loop, &l->look);
	loop_timer_stop(l->loop, &l->renew);
	release_lanes(l);
	mem_free(l->worker);
	mem_free(l);
}

/* --- claiming --- */

static int64_t room_of(const struct lanes *l, size_t i)
{
	int64_t room = l->window;

	if (i > 0) {
		room -= l->window / RESERVED_SHARE;
	}
	for (size_t k = 0; k < l->count; k++) {
		room -= k == i ? 0 : l->lanes[k].in_flight;
	}
	return room;
}

/* `window' 0 claims nothing: it only asks to be woken. */
static int claim_from(struct lanes *l, size_t i, int64_t window,
	const struct claim_batch **out, struct err *err)
{
	struct lane *lane = &l->lanes[i];
	const struct claim_want want = {
		.max = l->batch,
		.window = window,
		.wake_step = l->wake_step,
	};
	const struct claim_batch *b;
	int64_t room;

	if (claim_take(lane->claim, &want, &b, err) != 0) {
		return -1;
	}
	room = window - (b->in_flight - (int64_t)b->count);
	room = room < l->batch ? room : l->batch;
	lane->in_flight = b->in_flight;
	lane->due_mono_ms =
		b->next_ms < 0 ? INT64_MAX : clock_mono_ms() + b->next_ms + 1;
	lane->will_wake = b->is_full;
	*out = b;
	lane->is_full = b->is_full;
	lane->is_ready = b->is_full || (int64_t)b->count >= room;
	return 0;
}

static int ask_counts(struct lanes *l, struct err *err)
{
	for (size_t i = 0; i < l->count; i++) {
		struct lane *lane = &l->lanes[i];

		/* A single lane's claim counts for itself. */
		if (l->count > 1 && lane->is_stale &&
			claim_count(lane->claim, &lane->in_flight, err) != 0) {
			return -1;
		}
		lane->is_stale = false;
	}
	return 0;
}

/* Some lane found no room: whoever fills the window is to wake us. */
static int ask_to_be_woken(struct lanes *l, struct err *err)
{
	bool is_blocked = false;

	for (size_t i = 0; i < l->count; i++) {
		is_blocked |= l->lanes[i].is_full;
	}
	for (size_t i = 0; is_blocked && i < l->count; i++) {
		struct lane *lane = &l->lanes[i];
		const struct claim_batch *none;
		bool was_ready = lane->is_ready;
		bool was_full = lane->is_full;

		if (lane->will_wake || lane->in_flight == 0) {
			continue;
		}
		if (claim_from(l, i, 0, &none, err) != 0) {
			return -1;
		}
		lane->is_ready = was_ready;
		lane->is_full = was_full;
	}
	return 0;
}

static int take_one(
	struct lanes *l, const struct claim_batch **out, struct err *err)
{
	size_t first = 0;

	if (ask_counts(l, err) != 0) {
		return -1;
	}
	if (l->count > 1 && l->rounds % FLOOR_EVERY == FLOOR_EVERY - 1) {
		first = 1 + l->floors % (l->count - 1);
	}
	for (size_t k = 0; k <= l->count; k++) {
		size_t i = k == 0 ? first : k - 1;
		struct lane *lane = &l->lanes[i];

		if (!lane->is_ready || lane->is_full) {
			continue;
		}
		if (claim_from(l, i, room_of(l, i), out, err) != 0) {
			return -1;
		}
		if ((*out)->count > 0) {
			l->rounds++;
			l->floors += first > 0;
			return 1;
		}
	}
	if (ask_to_be_woken(l, err) != 0) {
		return -1;
	}
	arm_all(l);
	return 0;
}

int lanes_take(struct lanes *l, const struct claim_batch **out, struct err *err)
{
	int got = take_one(l, out, err);

	return got < 0 ? stop_waiting(l) : got;
}

bool lanes_is_empty(const struct lanes *l)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->lanes[i].is_ready) {
			return false;
		}
	}
	return true;
}

bool lanes_is_displaced(const struct lanes *l)
{
	for (size_t i = 0; i < l->count; i++) {
		if (claim_is_displaced(l->lanes[i].claim)) {
			return true;
		}
	}
	return false;
}

int64_t lanes_recovered(const struct lanes *l)
{
	int64_t sum = 0;

	for (size_t i = 0; i < l->count; i++) {
		sum += claim_recovered(l->lanes[i].claim);
	}
	return sum;
}

int64_t lanes_in_flight(const struct lanes *l)
{
	int64_t sum = 0;

	for (size_t i = 0; i < l->count; i++) {
		sum += l->lanes[i].in_flight;
	}
	return sum;
}
