/* Records added up, and the faces of the numbers. */
#include "stats/stats.h"

#include "stats/expose.h"
#include "stats/report.h"
#include "test.h"

#define T0 1763627000000000LL

static struct record_pool *pool;
static struct stats *stats;

static void begin(void)
{
	pool = record_pool_new(RECORD_MAX_BYTES, "");
	stats = stats_new(true);
}

static void end(void)
{
	stats_free(stats);
	record_pool_free(pool);
}

static void take(const char *line)
{
	struct record *r = record_read(pool, line, strlen(line), T0);

	stats_take(stats, r);
	record_free(pool, r);
}

/* A record with this trace behind t0. */
static void take_trace(const char *members, const char *trace)
{
	struct buf b;

	buf_init(&b, 65536);
	buf_fmt(&b, "{\"app\":\"shop\"%s,\"trace\":{\"t0_us\":%lld%s}}",
		members, (long long)T0, trace);
	take(buf_string(&b));
	buf_release(&b);
}

static const struct stats_node *node(const char *name)
{
	for (size_t i = 0; i < stats->node_count; i++) {
		if (strcmp(stats->nodes[i].name.text, name) == 0) {
			return &stats->nodes[i];
		}
	}
	FAIL("the node is not known");
	return NULL;
}

#define ACCEPTED ",\"outcome\":\"accepted\",\"reason\":\"ok\""

static void latency_is_told_apart_in_wait_and_service(void)
{
	const struct stats_cell *cell;

	begin();
	take_trace(",\"priority\":\"high\"",
		",\"pop\":[0,5],\"auth\":[9,20],\"ack\":[120,150]" ACCEPTED);
	cell = &node("auth")->cells[PRIORITY_HIGH][KIND_SINGLE];
	CHECK(cell->wait.count == 1 && cell->wait.sum_us == 4);
	CHECK(cell->service.sum_us == 11);
	CHECK(cell->total.sum_us == 15);
	cell = &node("pop")->cells[PRIORITY_HIGH][KIND_SINGLE];
	CHECK(cell->wait.sum_us == 0 && cell->total.sum_us == 5);
	CHECK(stats->end_to_end[PRIORITY_HIGH][KIND_SINGLE][OUTCOME_ACCEPTED]
			.sum_us == 150);
	CHECK(stats->decided[OUTCOME_ACCEPTED][REASON_OK] == 1);
	CHECK(stats->clamped == 0);
	end();
}

static void time_begins_at_creation_and_ends_with_the_vendors_answer(void)
{
	const struct hist *h;

	begin();
	take_trace(",\"created_ms\":1763626999990",
		",\"pop\":[0,5],\"apns\":[9,3000,{\"status\":200,\"answer\":"
		"\"ok\"}],\"ack\":[3100,9000]" ACCEPTED);
	h = &stats->queue_wait[PRIORITY_NORMAL][KIND_SINGLE];
	CHECK(h->count == 1 && h->sum_us == 10000);
	h = &stats->end_to_end[PRIORITY_NORMAL][KIND_SINGLE][OUTCOME_ACCEPTED];
	CHECK(h->count == 1 && h->sum_us == 13000);
	end();
}

static void negative_differences_are_zero_and_counted(void)
{
	begin();
	take_trace(",\"created_ms\":1763627000500",
		",\"pop\":[0,50],\"auth\":[40,30]" ACCEPTED);
	/* auth: wait -10, service -10, total -20; queue wait; end to end */
	CHECK(stats->clamped == 5);
	CHECK(node("auth")->cells[PRIORITY_NORMAL][KIND_SINGLE].total.sum_us ==
		0);
	end();
}

static void nodes_are_in_the_chains_order_whatever_came_first(void)
{
	static const char *const order[] = { "pop", "auth", "dedupe", "apns",
		"fcm", "ack" };

	begin();
	take_trace("", ",\"pop\":[0,1],\"auth\":[2,3],\"ack\":[4,5]");
	take_trace("", ",\"pop\":[0,1],\"auth\":[2,3],\"dedupe\":[4,5],"
		       "\"apns\":[6,7],\"ack\":[8,9]");
	take_trace("", ",\"pop\":[0,1],\"auth\":[2,3],\"dedupe\":[4,5],"
		       "\"apns\":[6,7],\"fcm\":[8,9],\"ack\":[10,11]");
	CHECK(stats->node_count == 6);
	for (size_t i = 0; i < stats->node_count; i++) {
		CHECK(strcmp(stats->nodes[i].name.text, order[i]) == 0);
	}
	end();
}

static void a_vendor_is_judged_by_what_it_can_help(void)
{
	struct stats_success sum;

	begin();
	take_trace("",
		",\"apns\":[0,1,{\"status\":200,\"answer\":\"ok\"}]" ACCEPTED);
	take_trace("", ",\"apns\":[0,1,{\"status\":410,\"answer\":"
		       "\"Unregistered\"}],\"outcome\":\"failed\","
		       "\"reason\":\"token-dead\"");
	take_trace("", ",\"apns\":[0,1],\"outcome\":\"retry\",\"reason\":"
		       "\"vendor-unavailable\",\"after_ms\":1000");
	take_trace("", ",\"apns\":[0,1],\"outcome\":\"suppressed\","
		       "\"reason\":\"lease-lost\"");
	take_trace("", ",\"auth\":[0,1],\"outcome\":\"rejected\",\"reason\":"
		       "\"stale\"");
	CHECK(stats->vendor_count == 1);
	sum = asked_success(&stats->vendors[0].asked);
	CHECK(sum.records == 3);
	CHECK(sum.accepted == 1);
	CHECK(sum.at_fault == 1);
	CHECK(stats->vendors[0].answer_count == 2);
	CHECK(stats->vendors[0].answers[1].status == 410);
	CHECK(strcmp(stats->vendors[0].answers[1].text.text, "Unregistered") ==
		0);
	end();
}

static void the_node_that_answered_is_the_vendor(void)
{
	begin();
	take_trace("", ",\"apns\":[0,1],\"fcm\":[2,9,{\"status\":200,"
		       "\"answer\":\"ok\"}],\"ack\":[10,11]" ACCEPTED);
	CHECK(stats->vendor_count == 1);
	CHECK(strcmp(stats->vendors[0].name.text, "fcm") == 0);
	CHECK(stats->end_to_end[PRIORITY_NORMAL][KIND_SINGLE][OUTCOME_ACCEPTED]
			.sum_us == 9);
	end();
}

static void what_parts_of_a_task_have_in_common_counts_once(void)
{
	const struct stats_cell *cell;

	begin();
	for (int i = 2; i >= 0; i--) {
		char members[80];

		CHECK(fmt_into(members, sizeof(members),
			      ",\"created_ms\":1763626999000,\"part\":{\"n\":%d,"
			      "\"of\":3}",
			      i) == 0);
		take_trace(members,
			",\"pop\":[0,5],\"auth\":[9,20],\"lookup\":[30,50],"
			"\"ack\":[60,70]" ACCEPTED);
	}
	CHECK(stats->records == 3);
	cell = &node("auth")->cells[PRIORITY_NORMAL][KIND_SINGLE];
	CHECK(cell->total.count == 1 && cell->total.sum_us == 15);
	cell = &node("lookup")->cells[PRIORITY_NORMAL][KIND_SINGLE];
	CHECK(cell->total.count == 3 && cell->total.sum_us == 90);
	CHECK(stats->queue_wait[PRIORITY_NORMAL][KIND_SINGLE].count == 1);
	CHECK(stats->end_to_end[PRIORITY_NORMAL][KIND_SINGLE][OUTCOME_ACCEPTED]
			.count == 3);
	CHECK(strcmp(stats->nodes[0].name.text, "pop") == 0);
	CHECK(strcmp(stats->nodes[2].name.text, "lookup") == 0);
	end();
}

static void lines_that_are_no_records_are_counted_apart(void)
{
	begin();
	take("nonsense");
	take("[1]");
	take("{\"app\":\"shop\"}");
	take("{\"raw\":\"x\",\"trace\":{\"t0_us\":1,\"pop\":[0,1],\"outcome\":"
	     "\"rejected\",\"reason\":\"malformed\"}}");
	CHECK(stats->unreadable == 2);
	CHECK(stats->records == 2);
	CHECK(stats->decided[OUTCOME_UNDECIDED][REASON_NONE] == 1);
	CHECK(stats->decided[OUTCOME_REJECTED][REASON_MALFORMED] == 1);
	end();
}

static void absurd_times_do_no_harm(void)
{
	begin();
	take("{\"app\":\"a\",\"trace\":{\"t0_us\":9223372036854775807,"
	     "\"pop\":[0,1]}}");
	take("{\"app\":\"a\",\"trace\":{\"t0_us\":-5,\"pop\":[0,1]}}");
	take_trace(",\"created_ms\":9007199254740",
		",\"pop\":[-9223372036854775807,9223372036854775807],"
		"\"auth\":[9007199254740992,-9007199254740992],"
		"\"ack\":[0,9007199254740992]" ACCEPTED);
	for (int i = 0; i < 2000; i++) {
		take_trace(",\"created_ms\":1",
			",\"pop\":[0,9007199254740992]" ACCEPTED);
	}
	CHECK(stats->untimed >= 2);
	CHECK(node("pop")->cells[PRIORITY_NORMAL][KIND_SINGLE].total.sum_us ==
		INT64_MAX);
	end();
}

static void labels_are_bounded(void)
{
	char line[512];

	begin();
	for (int i = 0; i < 1000; i++) {
		CHECK(fmt_into(line, sizeof(line),
			      "{\"app\":\"app%d\",\"trace\":{\"t0_us\":1,"
			      "\"node%d\":[0,1],\"apns\":[2,3,{\"status\":%d,"
			      "\"answer\":\"no\\n%d\"}],\"outcome\":\"failed\","
			      "\"reason\":\"bad-request\"}}",
			      i, i, i, i) == 0);
		take(line);
		take(line);
	}
	take("{\"app\":\"invented\",\"trace\":{\"t0_us\":1,\"outcome\":"
	     "\"rejected\",\"reason\":\"unknown-app\"}}");
	CHECK(stats->senders.app_count == STATS_APPS_MAX);
	CHECK(stats->senders.apps[0].records == 2);
	CHECK(stats->senders.apps[STATS_APPS_MAX].records ==
		2 * (1000 - STATS_APPS_MAX));
	CHECK(stats->node_count == STATS_NODES_MAX);
	CHECK(stats->vendor_count == 1);
	CHECK(stats->vendors[0].answer_count == STATS_ANSWERS_MAX);
	for (size_t i = 0; i < STATS_ANSWERS_MAX; i++) {
		CHECK(strcmp(stats->vendors[0].answers[i].text.text, "other") ==
			0);
	}
	end();
}

static void different_users_are_counted_within_a_few_percent(void)
{
	struct distinct d = { 0 };
	char text[32];

	CHECK(distinct_count(&d) == 0);
	for (int i = 0; i < 200000; i++) {
		CHECK(fmt_into(text, sizeof(text), "user-%d", i % 100000) == 0);
		distinct_add(&d, span_of(text));
		if (i == 99) {
			CHECK(distinct_count(&d) >= 95);
			CHECK(distinct_count(&d) <= 105);
		}
		if (i == 9999) {
			CHECK(distinct_count(&d) > 9300);
			CHECK(distinct_count(&d) < 10700);
		}
	}
	CHECK(distinct_count(&d) > 93000);
	CHECK(distinct_count(&d) < 107000);
	distinct_release(&d);
}

static void campaigns_are_bounded_and_apart_by_app(void)
{
	char line[256];

	begin();
	for (int i = 0; i < 400; i++) {
		CHECK(fmt_into(line, sizeof(line),
			      "{\"app\":\"a%d\",\"campaign\":\"c%d\",\"user\":\"u%d\","
			      "\"trace\":{\"t0_us\":1" ACCEPTED "}}",
			      i % 2, i / 2, i) == 0);
		take(line);
		take(line);
	}
	CHECK(stats->senders.campaign_count == STATS_CAMPAIGNS_MAX);
	CHECK(stats->senders.campaigns[1].records == 2);
	CHECK(stats->senders.campaigns[1].accepted == 2);
	CHECK(strcmp(stats->senders.campaigns[1].app.text, "a1") == 0);
	CHECK(strcmp(stats->senders.campaigns[1].name.text, "c0") == 0);
	CHECK(distinct_count(&stats->senders.campaigns[1].users) == 1);
	CHECK(stats->senders.campaigns[STATS_CAMPAIGNS_MAX].records ==
		2 * (400 - STATS_CAMPAIGNS_MAX));
	end();
}

static void the_last_failures_are_kept(void)
{
	char line[256];

	begin();
	for (int i = 0; i < RECENT_MAX + 5; i++) {
		CHECK(fmt_into(line, sizeof(line),
			      "{\"id\":\"%0*d\",\"trace\":{\"t0_us\":1,\"auth\":[1,2],\"ack\":[3,4]"
			      ",\"outcome\":\"rejected\",\"reason\":\"stale\"}}",
			      100, i) == 0);
		take(line);
	}
	CHECK(recent_at(&stats->recent, 0)->reason == REASON_STALE);
	CHECK(recent_at(&stats->recent, 0)->id.len == STATS_LABEL_BYTES);
	CHECK(strcmp(recent_at(&stats->recent, 0)->node.text, "auth") == 0);
	CHECK(recent_at(&stats->recent, RECENT_MAX - 1) != NULL);
	CHECK(recent_at(&stats->recent, RECENT_MAX) == NULL);
	end();
}

/* What every face must show of the same few records. */
static void fill(void)
{
	for (int i = 0; i < 10; i++) {
		take_trace(",\"created_ms\":1763626999000",
			",\"pop\":[0,5],\"auth\":[9,20],\"apns\":[30,2500,{"
			"\"status\":200,\"answer\":\"ok\"}],\"ack\":[2600,"
			"2700]" ACCEPTED);
	}
	take_trace(",\"priority\":\"low\",\"kind\":\"batch\"",
		",\"pop\":[0,5],\"auth\":[9,20],\"ack\":[30,40],\"outcome\":"
		"\"rejected\",\"reason\":\"unauthorized\"");
}

static void the_json_face_parses_and_holds_the_numbers(void)
{
	struct json_doc *doc;
	const struct json *root;
	const struct json *ack;
	struct buf b;
	int64_t n = 0;

	begin();
	fill();
	buf_init(&b, REPORT_MAX_BYTES);
	report_json(stats, NULL, NULL, &b);
	doc = json_parse(b.data, b.len, JSON_STRICT, NULL);
	CHECK(doc != NULL);
	root = json_root(doc);
	CHECK(json_int(json_get(root, "records"), &n) == 0 && n == 11);
	ack = json_at(json_get(root, "nodes"), 3);
	CHECK(json_is_text(json_get(ack, "node"), "ack"));
	CHECK(json_int(json_path(ack, "total.sum_us"), &n) == 0 && n == 2020);
	CHECK(json_int(json_path(ack, "backlog.max"), &n) == 0 && n == 10);
	CHECK(json_count(json_get(ack, "classes")) == 2);
	json_free(doc);
	buf_release(&b);
	end();
}

static void has(const struct buf *b, const char *text)
{
	if (strstr(b->data, text) == NULL) {
		printf("not there: %s\nin:\n%s", text, b->data);
		FAIL("the text is not there");
	}
}

static void the_table_is_aligned_and_holds_the_numbers(void)
{
	struct buf b;

	begin();
	fill();
	buf_init(&b, REPORT_MAX_BYTES);
	report_table(stats, &b);
	(void)buf_string(&b);
	has(&b, "records 11   unreadable lines 0");
	has(&b, "\nnode  records  wait p50  wait p99  service p50");
	has(&b, "\nack        11     0.100");
	has(&b, "normal single   accepted");
	has(&b, "unauthorized");
	has(&b, "\napns         10        10         0  100.00%  100.00%\n");
	buf_release(&b);
	end();
}

static void the_metrics_are_in_seconds_and_cumulative(void)
{
	struct buf b;

	begin();
	fill();
	buf_init(&b, EXPOSE_MAX_BYTES);
	expose(&(struct expose_from){ stats, NULL, NULL, 1763627000123 }, &b);
	(void)buf_string(&b);
	has(&b, "# TYPE push_node_latency_seconds histogram\n");
	has(&b, "push_node_latency_seconds_bucket{node=\"apns\",priority="
		"\"normal\",kind=\"single\",le=\"0.001\"} 0\n");
	has(&b, "push_node_latency_seconds_bucket{node=\"apns\",priority="
		"\"normal\",kind=\"single\",le=\"0.0025\"} 10\n");
	has(&b, "push_node_latency_seconds_bucket{node=\"apns\",priority="
		"\"normal\",kind=\"single\",le=\"+Inf\"} 10\n");
	has(&b, "push_node_latency_seconds_sum{node=\"apns\",priority="
		"\"normal\",kind=\"single\"} 0.024800\n");
	has(&b, "push_records_total{outcome=\"accepted\",reason=\"ok\"} 10\n");
	has(&b, "push_records_total{outcome=\"failed\",reason=\"token-dead\"} "
		"0\n");
	has(&b, "push_vendor_answers_total{vendor=\"apns\",status=\"200\","
		"answer=\"ok\"} 10\n");
	has(&b, "push_start_time_seconds 1763627000.123000\n");
	buf_release(&b);
	end();
}

static void memory_may_run_out_anywhere(void)
{
	struct buf b;

	begin();
	fill();
	buf_init(&b, REPORT_MAX_BYTES);
	report_table(stats, &b);
	report_json(stats, NULL, NULL, &b);
	expose(&(struct expose_from){ stats, NULL, NULL, 0 }, &b);
	buf_release(&b);
	end();
}

static void every_failed_allocation_ends_in_order(void)
{
	test_each_allocation_fails(memory_may_run_out_anywhere);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(latency_is_told_apart_in_wait_and_service),
		TEST(time_begins_at_creation_and_ends_with_the_vendors_answer),
		TEST(negative_differences_are_zero_and_counted),
		TEST(nodes_are_in_the_chains_order_whatever_came_first),
		TEST(a_vendor_is_judged_by_what_it_can_help),
		TEST(the_node_that_answered_is_the_vendor),
		TEST(what_parts_of_a_task_have_in_common_counts_once),
		TEST(lines_that_are_no_records_are_counted_apart),
		TEST(absurd_times_do_no_harm),
		TEST(labels_are_bounded),
		TEST(different_users_are_counted_within_a_few_percent),
		TEST(campaigns_are_bounded_and_apart_by_app),
		TEST(the_last_failures_are_kept),
		TEST(the_json_face_parses_and_holds_the_numbers),
		TEST(the_table_is_aligned_and_holds_the_numbers),
		TEST(the_metrics_are_in_seconds_and_cumulative),
		TEST(every_failed_allocation_ends_in_order),
		TEST_END,
	};

	return test_main(tests, argc, argv);
}
