# Compute what push-stats --report --format json must say, from the same records,
# and list where it says something else.  Knows nothing of push-stats' code: only
# push-stats(1) and push-record(5).
#
#	jq -nrR --slurpfile said REPORT -f stats-check.jq RECORDS
#
# Prints one line a difference; nothing: both agree.  Counts, sums, least and
# greatest must be equal; quantiles are nearest-rank and may be off by 1/64.

def class: "\(.priority) \(.kind)";
def clamp: if . < 0 then 0 else . end;
def rank($q): sort | .[((length * $q) | ceil) - 1];

def summary: {
	count: length, sum_us: add, min_us: min, max_us: max,
	mean_us: (add / length), p50_us: rank(0.50), p95_us: rank(0.95), p99_us: rank(0.99)
};

# The stamps of a record, in order, each with the `out' of the one before.
def stamps:
	[.trace | to_entries[] | select(.value | type == "array" and length >= 2)] as $s
	| [range($s | length) as $i | $s[$i] | {
		node: .key, in: .value[0], out: .value[1], facts: (.value[2] // {}),
		previous: (if $i == 0 then 0 else $s[$i - 1].value[1] end)
	}];

def read:
	fromjson? | objects | . as $task | stamps as $stamps
	# Of a task that was fanned out, part 0 counts what came before.
	| (if (.part.n // 0) > 0 then $stamps | map(.node) | index("lookup") else null end) as $copies
	| ($stamps | map(select(.facts | has("answer") or has("status"))) | last) as $answer
	| {
		app, created_ms, t0: .trace.t0_us, stamps: $stamps, passes: $stamps[($copies // 0):],
		is_copy: ($copies != null), answer: $answer,
		user, campaign, attempt: (first(.trace[]? | arrays | .[2]?.attempt? // empty) // 0),
		outcome: (.trace.outcome // "undecided"), reason: (.trace.reason // ""),
		priority: (.priority // "normal"),
		kind: (.kind // (if [has("users", "devices", "topic", "condition", "channel")] | any
			then "batch" else "single" end)),
		vendor: ($answer.node // ($stamps | map(.node | select(. == "apns" or . == "fcm")) | last)),
		end: ($answer.out // $stamps[-1].out)
	};

# push-stats(1): the limits when push.conf sets none, in seconds.
def limit_us: 1000000 * (
	if .of == "end-to-end" then 120
	elif .kind == "batch" then { node: 60, "queue-wait": 900 }[.of]
	elif .of == "node" then { high: 1, normal: 5, low: 60 }[.priority]
	else { high: 10, normal: 60, low: 900 }[.priority] end);

def held: group_by([.of, .node, class]) | map({ ("\(.[0].of) \(.[0].node // "") \(.[0] | class)"):
	{ limit_us: (.[0] | limit_us), records: length, late: (map(select(.us > limit_us)) | length) } }) | add // {};

# Where records are, over time: the greatest sum of changes at the end of a step.
def backlog($step):
	(map(.enter) | min) as $from | (map(.leave) | max) as $to
	| (map(.leave - .enter) | add) as $stay
	| [.[] | [(.enter / $step | floor), 1], [(.leave / $step | floor), -1]]
	| group_by(.[0]) | map([.[0][0], (map(.[1]) | add)])
	| reduce .[] as [$at, $change] ({now: 0, max: 0, at: 0};
		.now += $change | if .now > .max then .max = .now | .at = $at else . end)
	| { max, at_unix_us: (if .max > 0 then (.at + 1) * $step else 0 end),
		mean: (if $to > $from then $stay / ($to - $from) else 0 end),
		from_unix_us: $from, to_unix_us: $to, step_us: $step };

def differ($where; $want; $have):
	if ($want | type) == "number" and ($where | test("mean|success")) then
		select((($want - $have) | fabs) > 0.001) | "\($where): \($have), not \($want)"
	elif ($want | type) == "number" and ($where | test("p[0-9]+_us$")) then
		select((($want - $have) | fabs) * 64 > $want) | "\($where): \($have) is too far from \($want)"
	elif ($where | test("\\.users$")) then # an estimate
		select((($want - $have) | fabs) * 10 > $want) | "\($where): \($have) is too far from \($want)"
	elif ($want | type) == "object" then
		(($want | keys_unsorted) + (($have // {}) | keys_unsorted) | unique)[] as $k
		| differ("\($where).\($k)"; $want[$k]; $have[$k])
	else
		select($want != $have) | "\($where): \($have), not \($want)"
	end;

def index_all(key; value): map({ (key): value }) | add // {};
def by_class: index_all(class; del(.priority, .kind));
def counted(key): group_by(key) | map({ (.[0] | key): length }) | add // {};

# Records that a vendor was asked to deliver, and their numbers.
def is_asked: .vendor and .reason != "not-before"
	and (.outcome | . == "accepted" or . == "failed" or . == "retry");
def asked:
	(map(select(.outcome == "accepted")) | length) as $accepted
	| (map(select(.outcome == "retry" or .reason == "vendor-config"
		or .reason == "attempts-exhausted")) | length) as $fault
	| { records: length, accepted: $accepted, at_fault: $fault,
		success: (if $accepted + $fault > 0 then $accepted / ($accepted + $fault) else null end),
		success_of_all: ($accepted / length),
		latency: (map((.answer // (.stamps | map(select(.node == "apns" or .node == "fcm")) | last))
			| .out - .in | clamp) | summary),
		reasons: counted(.reason) };

$said[0] as $said
| [inputs] as $lines
| [$lines[] | read] as $records
| [$records[] | . as $r | .passes[] | {
	node, priority: $r.priority, kind: $r.kind,
	wait: (.in - .previous), service: (.out - .in), total: (.out - .previous),
	enter: ($r.t0 + .previous), leave: ($r.t0 + .previous + ((.out - .previous) | clamp))
}] as $passes
| [$records[] | select(.created_ms and (.is_copy | not)) | { priority, kind, us: (.t0 - .created_ms * 1000) }] as $queue
| [$records[] | select(.stamps != []) | {
	priority, kind, outcome, us: (.end - (if .created_ms then .created_ms * 1000 - .t0 else 0 end))
}] as $ends
| {
	records: ($records | length),
	unreadable: (($lines | length) - ($records | length)),
	clamped: ([$passes[] | .wait, .service, .total] + [$queue[].us] + [$ends[].us]
		| map(select(. < 0)) | length),
	nodes: ($passes | group_by(.node) | map({ (.[0].node): (
		def latencies: { wait: (map(.wait | clamp) | summary),
			service: (map(.service | clamp) | summary),
			total: (map(.total | clamp) | summary) };
		.[0].node as $node
		| latencies + {
			within: ([$said.limits_us[], null] as $limits | map(.total | clamp) as $us
				| [range($limits | length) as $i | [$us[] | select(
					($limits[$i] == null or . <= $limits[$i]) and ($i == 0 or . > $limits[$i - 1]))] | length]),
			classes: (group_by(class) | map({ (.[0] | class): latencies }) | add),
			backlog: backlog($said.nodes[] | select(.node == $node) | .backlog.step_us)
		}) }) | add // {}),
	queue_wait: ($queue | group_by(class)
		| map({ (.[0] | class): (map(.us | clamp) | summary) }) | add // {}),
	end_to_end: ($ends | group_by([class, .outcome])
		| map({ (.[0] | "\(class) \(.outcome)"): (map(.us | clamp) | summary) }) | add // {}),
	outcomes: ($records | counted("\(.outcome) \(.reason)")),
	redelivered: ([$records[] | select(.attempt > 1)] | length),
	apps: ([$records[] | select(.app and .reason != "unknown-app")] | group_by(.app)
		| map({ (.[0].app): { records: length, users: (map(.user // empty) | unique | length),
			vendors: ([.[] | select(is_asked)] | group_by(.vendor) | map({ (.[0].vendor): asked }) | add // {}) } })
		| add // {}),
	campaigns: ([$records[] | select(.app and .campaign and .reason != "unknown-app")] | group_by([.app, .campaign])
		| map({ (.[0] | "\(.app) \(.campaign)"): { records: length, users: (map(.user // empty) | unique | length),
			accepted: (map(select(.outcome == "accepted")) | length) } }) | add // {}),
	sla: ([($passes[] | { of: "node", node, priority, kind, us: (.total | clamp) }),
		($queue[] | { of: "queue-wait", priority, kind, us: (.us | clamp) }),
		($ends[] | select(.outcome == "accepted" or .outcome == "failed")
			| { of: "end-to-end", priority, kind, us: (.us | clamp) })] | held),
	vendors: ([$records[] | select(is_asked)] | group_by(.vendor) | map({ (.[0].vendor): (asked + {
		answers: ([.[] | select(.answer)]
			| counted("\(.answer.facts.status // 0) \(.answer.facts.answer // "")")) }) }) | add // {})
} as $want
| ($said | {
	records, unreadable, clamped, redelivered,
	nodes: (.nodes | index_all(.node; del(.node) | .classes |= by_class)),
	queue_wait: (.queue_wait | by_class),
	end_to_end: (.end_to_end | index_all("\(class) \(.outcome)"; del(.priority, .kind, .outcome))),
	outcomes: (.outcomes | index_all("\(.outcome) \(.reason)"; .records)),
	apps: (.apps | index_all(.app; del(.app)
		| .vendors |= index_all(.vendor; del(.vendor) | .reasons |= index_all(.reason; .records)))),
	campaigns: (.campaigns | index_all("\(.app) \(.campaign)"; del(.app, .campaign))),
	sla: (.sla | index_all("\(.of) \(.node // "") \(class)"; { limit_us, records, late })),
	vendors: (.vendors | index_all(.vendor; del(.vendor)
		| .reasons |= index_all(.reason; .records)
		| .answers |= index_all("\(.status) \(.answer)"; .records)))
}) as $have
| differ("report"; $want; $have)
