# push-ack: what becomes of every finished record.
load ../helper.bash

setup_file() {
	redis_up
}

setup() {
	rcli FLUSHALL >/dev/null
	use_redis
}

use_redis() {
	ack=(push-ack --redis "$REDIS_URL")
}

is_left() {
	[ "$(in_flight)" -eq "$1" ]
}

# What some tests wait for.
is_settled() {
	[ "$(in_flight)" -eq 0 ]
}

push() {
	rcli LPUSH "$@" >/dev/null
}

# claim FILE [OPTION...]: everything in q, as records
claim() {
	local file=$1
	shift
	push-pop --redis "$REDIS_URL" --worker w1 --queue q --once "$@" >"$file" 2>>pop.err
}

# decide FILE OUTCOME REASON [JQ-EDIT]: the records as a stage would leave them
decide() {
	jq -c --arg o "$2" --arg r "$3" '.trace += {outcome: $o, reason: $r} | '"${4:-.}" "$1"
}

in_flight() {
	rcli HLEN '{q}:inflight:w1'
}

# How many keys count parts.
parts_kept() {
	rcli EVAL 'return #redis.call("KEYS", ARGV[1])' 0 '{q}:parts:*'
}

device() { # ID TOKEN
	printf '{"id":"%s","app":"shop","user":"u1","device":{"platform":"ios","token":"%s"}}' "$1" "$2"
}

@test "accepted records are settled, stamped and passed on" {
	push q "$(device a aa)" "$(device b bb)"
	claim claimed
	decide claimed accepted ok >decided
	stage_file decided "${ack[@]}"
	[ "$status" -eq 0 ]
	has 'length == 2 and all(.trace.outcome == "accepted" and (.trace.ack | length) == 2)'
	[ "$(in_flight)" -eq 0 ]
	[ "$(rcli EXISTS '{q}:dead' '{q}:delayed' '{q}:feedback')" -eq 0 ]
}

@test "settling twice changes nothing and is counted" {
	push q "$(device a aa)"
	claim claimed
	decide claimed accepted ok >decided
	stage_file decided "${ack[@]}"
	push q "$(device b bb)"
	claim other
	stage_file decided "${ack[@]}"
	[ "$status" -eq 0 ]
	logged '1 receipts were not in flight any more'
	[ "$(in_flight)" -eq 1 ]
}

@test "records without a receipt are only written to the results" {
	stage '{"id":"a","trace":{"t0_us":1,"uid":"x","outcome":"accepted","reason":"ok"}}
no json
' push-ack --redis "unix://$PWD/none" --results results
	[ "$status" -eq 0 ]
	has_in results 'length == 2 and .[0].id == "a" and .[1].trace.reason == "malformed"'
	has 'length == 2'
}

@test "a record that nobody decided is rejected as unrouted and kept" {
	push q "$(device a aa)"
	claim claimed
	stage_file claimed "${ack[@]}"
	has '.[0].trace | .outcome == "rejected" and .reason == "unrouted"'
	[ "$(in_flight)" -eq 0 ]
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead '.[0] | .reason == "unrouted" and (.raw | fromjson | .id) == "a"'
}

@test "rejected records go to the dead letters with their very bytes" {
	push q '{"id" : "a",  "n":1.0}' 'no json'
	claim claimed
	jq -c 'if .id then .trace += {outcome: "rejected", reason: "unknown-app"} else . end' \
		claimed >decided
	stage_file decided "${ack[@]}"
	[ "$(in_flight)" -eq 0 ]
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead 'map(.reason) == ["malformed", "unknown-app"]'
	has_in dead '.[0].raw == "no json" and .[1].raw == "{\"id\" : \"a\",  \"n\":1.0}"'
	has_in dead 'all(.kind == "task" and .attempts == 1 and (.uid | length) > 5
		and .history[0].why == .reason)'
}

@test "a vendor-config failure is kept so that it can be sent again after repair" {
	push q "$(device a aa)"
	claim claimed
	decide claimed failed vendor-config >decided
	stage_file decided "${ack[@]}"
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead '.[0].reason == "vendor-config" and (.[0].raw | fromjson | .device.token) == "aa"'
}

@test "a lost lease is not settled: the task is given out again" {
	push q "$(device a aa)"
	claim claimed
	decide claimed suppressed lease-lost >decided
	stage_file decided "${ack[@]}"
	[ "$(in_flight)" -eq 1 ]
	claim again
	has_in again '.[0].trace.pop[2].attempt == 2'
}

# --- retries ---------------------------------------------------------------------------

@test "a retry is settled and stored in one step, and comes back as a device record" {
	push q "$(device a aa)"
	claim claimed
	decide claimed retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 3600000' >decided
	begin=$(date +%s%3N)
	stage_file decided "${ack[@]}"
	[ "$(in_flight)" -eq 0 ]
	[ "$(rcli ZCARD '{q}:delayed')" -eq 1 ]
	due=$(rcli ZRANGE '{q}:delayed' 0 0 WITHSCORES | tail -1)
	[ "$due" -ge $((begin + 3600000)) ]
	claim early
	[ ! -s early ]
	all_due q
	start b push-pop --redis "$REDIS_URL" --worker w1 --queue q
	wait_for 1 b.out 5
	stop b
	has_in b.out '.[0] | .device.token == "aa" and .id == "a"
		and (.trace | keys_unsorted) == ["t0_us", "pop"]
		and .trace.pop[2].attempt == 2 and .trace.pop[2].resumed == true'
	[ "$(jq -r .trace.pop[2].uid claimed)" = "$(jq -r .trace.pop[2].uid b.out)" ]
}

@test "a retry from before push-auth comes back as it was pushed" {
	push q '{"app":"shop","jws":"x.y.z"}'
	claim claimed
	decide claimed retry throttled '.trace.after_ms = 0' >decided
	stage_file decided "${ack[@]}"
	claim again
	has_in again '.[0] | .jws == "x.y.z" and .trace.pop[2].attempt == 2
		and (.trace.pop[2] | has("resumed") | not)'
}

@test "what waits for the morning comes back as a device record, at no attempt's cost" {
	push q "$(device a aa)"
	for _ in 1 2 3; do
		claim claimed --attempts 2
		has_in claimed 'length == 1 and .[0].trace.pop[2].attempt == 1'
		decide claimed retry quiet-hours-deferred '.trace.auth = [1, 2] | .trace.after_ms = 0' >decided
		stage_file decided "${ack[@]}" --attempts 2
		[ "$(in_flight)" -eq 0 ]
	done
	claim claimed --attempts 2
	has_in claimed '.[0].device.token == "aa" and .[0].trace.pop[2].resumed'
	[ "$(rcli LLEN '{q}:dead')" -eq 0 ]
}

@test "after the limit of attempts a retry becomes a dead letter" {
	push q "$(device a aa)"
	for attempt in 1 2 3; do
		claim claimed
		has_in claimed ".[0].trace.pop[2].attempt == $attempt"
		decide claimed retry vendor-unavailable '.trace.auth = [1, 2] | .trace.after_ms = 0' >decided
		stage_file decided "${ack[@]}" --attempts 3
	done
	[ "$(rcli EXISTS '{q}:delayed')" -eq 0 ]
	[ "$(in_flight)" -eq 0 ]
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead 'length == 1 and (.[0] | .reason == "attempts-exhausted" and .attempts == 3
		and .kind == "device" and (.history | map(.why)) ==
		["vendor-unavailable", "vendor-unavailable", "vendor-unavailable"])'
}

@test "a retry that would come too late becomes a dead letter; a replayed one is young again" {
	push q "$(device a aa)"
	claim claimed
	decide claimed retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 0' >decided
	stage_file decided "${ack[@]}" --max-age 1h
	[ "$(rcli LLEN '{q}:dead')" -eq 0 ]
	claim claimed
	has_in claimed '.[0].trace | .pop[2].first_ms > 0 and .pop[2].first_ms < .t0_us / 1000'
	decide claimed retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 3600000' >decided
	stage_file decided "${ack[@]}" --max-age 1h
	[ "$(rcli EXISTS '{q}:delayed')" -eq 0 ]
	[ "$(in_flight)" -eq 0 ]
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead 'length == 1 and (.[0] | .reason == "too-old" and .attempts == 2 and .kind == "device"
		and (.history | map(.why)) == ["throttled", "throttled"])'

	push-queue --redis "$REDIS_URL" --queue q replay --all >/dev/null
	claim claimed
	has_in claimed '(.[0].trace.t0_us / 1000 - .[0].trace.pop[2].first_ms) as $age | $age >= 0 and $age < 30000'
	decide claimed retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 0' >decided
	stage_file decided "${ack[@]}" --max-age 30s
	[ "$(rcli ZCARD '{q}:delayed')" -eq 1 ]
}

@test "what gives up by its age gives back what it had reserved" {
	push q "$(device a aa)"
	pop() { push-pop --redis "$REDIS_URL" --worker w1 --queue q --once | push-dedupe --store "$REDIS_URL"; }
	pop >claimed
	decide claimed retry throttled '.trace.after_ms = 1000' >decided
	stage_file decided "${ack[@]}" --dedupe "$REDIS_URL" --max-age 500ms
	push q "$(device a aa)"
	pop >again
	has_in again 'length == 1 and (.[0].trace | has("outcome") | not)'
}

@test "what expires while it is delayed comes out as expired and is settled" {
	local expires=$(($(date +%s%3N) + 300))
	push q "{\"id\":\"a\",\"expires_ms\":$expires,\"device\":{\"platform\":\"ios\",\"token\":\"aa\"}}"
	claim claimed
	decide claimed retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 400' >decided
	stage_file decided "${ack[@]}"
	start p push-pop --redis "$REDIS_URL" --worker w1 --queue q
	wait_for 1 p.out 5
	stop p
	push-dedupe --store memory: <p.out >judged
	has_in judged '.[0].trace | .outcome == "suppressed" and .reason == "expired"'
	stage_file judged "${ack[@]}"
	[ "$(in_flight)" -eq 0 ]
	[ "$(rcli EXISTS '{q}:delayed' '{q}:dead')" -eq 0 ]
}

@test "a retry whose lease was lost stores nothing" {
	push q "$(device a aa)"
	claim claimed
	decide claimed retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 0' >decided
	claim again # takes it back
	stage_file decided "${ack[@]}"
	logged '1 receipts were not in flight'
	[ "$(rcli EXISTS '{q}:delayed')" -eq 0 ]
	[ "$(in_flight)" -eq 1 ]
}

@test "a retry that is due earlier than any other wakes an idle worker" {
	push q "$(device a aa)" "$(device b bb)"
	start p push-pop --redis "$REDIS_URL" --worker w1 --queue q
	wait_for 2 p.out
	decide p.out retry throttled '.trace.auth = [1, 2] | .trace.after_ms = 300' >decided
	stage_file decided "${ack[@]}"
	wait_for 4 p.out 3
	stop p
	has_in p.out '.[2:] | all(.trace.pop[2].attempt == 2)'
}

# --- parts -----------------------------------------------------------------------------

# parts N: the claimed record fanned out to N
parts() {
	jq -c --argjson n "$1" '. as $r | range($n) as $i
		| ($r | del(.trace)) + {device: {platform: "ios", token: "t\($i)"},
			part: {n: $i, of: $n}} + {trace: $r.trace}' claimed
}

@test "a task is settled when all its parts are, in any order and any batches" {
	push q '{"id":"a","app":"shop","user":"u1"}'
	claim claimed
	parts 5 >all
	decide all accepted ok | sed -n '4p;2p' >one
	decide all accepted ok | sed -n '1p;2p;3p' >two
	decide all failed token-dead | sed -n '5p' >three
	stage_file one "${ack[@]}"
	[ "$(in_flight)" -eq 1 ]
	[ "$(parts_kept)" -eq 1 ]
	stage_file two "${ack[@]}"
	logged '1 receipts were not in flight'
	[ "$(in_flight)" -eq 1 ]
	stage_file three "${ack[@]}"
	[ "$(in_flight)" -eq 0 ]
	[ "$(parts_kept)" -eq 0 ]
}

@test "a part that is to be tried again does not hold the others" {
	push q '{"id":"a","app":"shop","user":"u1"}'
	claim claimed
	parts 3 >all
	decide all accepted ok | sed 3d >most
	decide all retry throttled '.trace.after_ms = 0' | sed -n 3p >last
	stage_file most "${ack[@]}"
	stage_file last "${ack[@]}"
	[ "$(in_flight)" -eq 0 ]
	claim again
	has_in again 'length == 1 and (.[0] | .device.token == "t2" and (has("part") | not)
		and .trace.pop[2].resumed and .trace.pop[2].attempt == 2)'
}

@test "a part that is kept for a person is kept as the device record" {
	push q '{"id":"a","app":"shop","user":"u1"}'
	claim claimed
	parts 2 >all
	decide all failed bad-request | head -n 1 >first
	stage_file first "${ack[@]}"
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead '.[0] | .kind == "device" and (.raw | fromjson | .device.token) == "t0"
		and .history[0].part == 0'
}

@test "parts of a claim that was lost leave nothing behind" {
	push q '{"id":"a","app":"shop","user":"u1"}'
	claim claimed
	parts 2 >all
	decide all accepted ok | head -n 1 >first
	stage_file first "${ack[@]}"
	claim again
	[ "$(parts_kept)" -eq 0 ]
	decide all accepted ok | tail -n 1 >second
	stage_file second "${ack[@]}"
	[ "$(in_flight)" -eq 1 ]
	[ "$(parts_kept)" -eq 0 ]
}

# --- feedback ---------------------------------------------------------------------------

@test "dead tokens are told to the feedback stream, once" {
	push q "$(device a aa)"
	claim claimed
	decide claimed failed token-dead \
		'.trace.apns = [1, 2, {status: 410, answer: "Unregistered", vendor_ms: 1700000000123}]' \
		>decided
	stage_file decided "${ack[@]}"
	stage_file decided "${ack[@]}"
	[ "$(rcli XLEN '{q}:feedback')" -eq 1 ]
	rcli XRANGE '{q}:feedback' - + | tail -n +2 | paste -sd ' ' >told
	cat told
	for pair in 'app shop' 'user u1' 'platform ios' 'token aa' 'vendor apns' \
		'reason token-dead' 'answer Unregistered' 'vendor_ms 1700000000123'; do
		grep -q "$pair" told
	done
	grep -q "uid $(jq -r .trace.pop[2].uid claimed)" told
	[ "$(in_flight)" -eq 0 ]
}

@test "no token is in the log" {
	push q "$(device a feedfacefeedface)"
	claim claimed
	decide claimed failed token-dead >decided
	stage_file decided "${ack[@]}" --verbose
	stage_file decided "${ack[@]}" --verbose
	[[ $stderr != *feedface* ]]
}

# --- marks ------------------------------------------------------------------------------

# Four records that passed both stages: accepted, failed, to be tried again, and one
# that may have been delivered and is not to be sent again.
marked() { # URL
	push q "$(device a aa)" "$(device b bb)" "$(device c cc)" "$(device d dd)"
	claim claimed
	push-dedupe --store "$1" <claimed |
		jq -c '.trace += if .id == "a" then {outcome: "accepted", reason: "ok"}
			elif .id == "b" then {outcome: "failed", reason: "bad-request"}
			elif .id == "d" then {outcome: "failed", reason: "unconfirmed"}
			else {outcome: "retry", reason: "throttled", after_ms: 0} end' >decided
}

@test "what was delivered is marked, what failed is given back" {
	for url in "lmdb:$PWD/marks" "$REDIS_URL"; do
		rcli FLUSHALL >/dev/null
		marked "$url"
		stage_file decided "${ack[@]}" --dedupe "$url"
		[ "$status" -eq 0 ]
		# The same pushes again, as if the settle had been lost.
		stage_file claimed push-dedupe --store "$url"
		has '.[0].trace.reason == "already-done"'
		has '.[1].trace | has("outcome") | not'
		has '.[2].trace | has("outcome") | not'
		has '.[3].trace.reason == "already-done"'
		# Other pushes with the same keys.
		push q "$(device a aa)" "$(device c cc)" "$(device d dd)"
		rcli DEL '{q}:delayed' >/dev/null
		claim others
		stage_file others push-dedupe --store "$url"
		has 'length == 3 and all(.trace.reason == "duplicate")'
	done
}

one() { # ID OUTCOME REASON
	push q "$(device "$1" aa)"
	claim claimed
	stage_file claimed push-fatigue -c push.conf
	decide "$output_file" "$2" "$3" >decided
}

@test "a count is given back when no device accepted" {
	cat >push.conf <<-END
		{ "redis": "$REDIS_URL", "fatigue": { "rules": [ { "limit": 1, "per": "1h" } ] } }
	END
	one a failed bad-request
	has '.[0].trace | has("outcome") | not'
	push-ack -c push.conf <decided >/dev/null
	one b accepted ok
	has '.[0].trace | has("outcome") | not'
	push-ack -c push.conf <decided >/dev/null
	push q "$(device c aa)"
	claim claimed
	stage_file claimed push-fatigue -c push.conf
	has '.[0].trace.reason == "fatigue-cap"'
}

# --- results ----------------------------------------------------------------------------

@test "the results file gets every record and is opened anew on HUP" {
	local i
	for i in 1 2 3; do push q "$(device "$i" aa)"; done
	claim claimed
	decide claimed accepted ok >decided
	start -p a "${ack[@]}" --results results
	feed a "$(head -n 2 decided)"$'\n'
	wait_for 2 results
	mv results results.1
	kill -HUP "$(pid_of a)"
	wait_until 10 test -e results
	feed a "$(tail -n 1 decided)"$'\n'
	wait_for 1 results
	feed_end a
	wait_exit a 10
	[ "$status" -eq 0 ]
	has_in results.1 'map(.id) == ["1", "2"] and all(.trace.ack | length == 2)'
	has_in results 'map(.id) == ["3"]'
}

@test "a results file that cannot be opened is a usage failure" {
	stage '' "${ack[@]}" --results "$PWD/none/results"
	[ "$status" -eq 100 ]
	logged 'cannot open results file'
}

@test "a full disk holds the records back, unsettled" {
	push q "$(device a aa)"
	claim claimed
	decide claimed accepted ok >decided
	start -p a "${ack[@]}" --results /dev/full
	feed a "$(cat decided)"$'\n'
	wait_until 10 grep -q 'cannot write results file' a.err
	[ "$(in_flight)" -eq 1 ]
	kill_hard a
}

# --- Redis away, signals ---------------------------------------------------------------

@test "Redis stopped and started again in between: it goes on, one result a record" {
	redis_up --appendonly yes --appendfsync always
	use_redis
	push q "$(device a aa)" "$(device b bb)"
	claim claimed
	decide claimed accepted ok >decided
	start -p a "${ack[@]}" --results results
	feed a "$(head -n 1 decided)"$'\n'
	wait_for 1 results
	wait_until 10 is_left 1
	redis_down
	feed a "$(tail -n 1 decided)"$'\n'
	wait_until 10 grep -q 'trying again' a.err
	redis_up --appendonly yes --appendfsync always
	wait_until 20 is_settled
	stop a
	[ "$status" -eq 0 ]
	has_in results 'map(.id) == ["a", "b"]'
	has_in a.out 'map(.id) == ["a", "b"]'
}

@test "a full Redis is told in plain words and waited for" {
	redis_up
	use_redis
	push q "$(device a aa)"
	claim claimed
	decide claimed failed token-dead >decided
	rcli CONFIG SET maxmemory 1 >/dev/null
	start -p a "${ack[@]}"
	feed a "$(cat decided)"$'\n'
	wait_until 10 grep -q 'out of memory' a.err
	[ "$(in_flight)" -eq 1 ]
	rcli CONFIG SET maxmemory 0 >/dev/null
	wait_until 20 is_settled
	[ "$(rcli XLEN '{q}:feedback')" -eq 1 ]
	stop a
}

@test "TERM settles what was read and ends well" {
	push q "$(device a aa)" "$(device b bb)"
	claim claimed
	decide claimed accepted ok >decided
	start -p a "${ack[@]}"
	feed a "$(cat decided)"$'\n'
	wait_until 10 is_settled
	stop a 5
	[ "$status" -eq 0 ]
	has_in a.out 'length == 2'
}

@test "a reader that is stopped does not stop settling" {
	seq 2000 | awk '{ printf "LPUSH q \047{\"id\":\"%d\",\"app\":\"%0500d\"}\047\n", $1, 0 }' |
		rcli >/dev/null
	claim claimed --window 5000
	decide claimed accepted ok >decided
	mkfifo blocked
	exec 7<>blocked
	start -o blocked -p a "${ack[@]}"
	exec 8>&"${feeds[a]}"
	cat decided >&8
	wait_until 20 is_settled
	exec 8>&-
	stop a
	exec 7>&-
}

@test "several queues are settled each in its own" {
	push q '{"id":"a"}'
	push r '{"id":"b"}'
	push-pop --redis "$REDIS_URL" --worker w1 --queue q --queue r --once >claimed
	decide claimed accepted ok >decided
	stage_file decided "${ack[@]}"
	[ "$(rcli EXISTS '{q}:inflight:w1' '{r}:inflight:w1')" -eq 0 ]
}

@test "more records than one script call takes" {
	local i
	for ((i = 0; i < 700; i++)); do
		printf "LPUSH q '{\"id\":\"%s\"}'\n" "$i"
	done | rcli >/dev/null
	claim claimed
	decide claimed suppressed duplicate >decided
	stage_file decided "${ack[@]}"
	[ "$(in_flight)" -eq 0 ]
	has 'length == 700'
}

@test "wrong options are usage failures" {
	stage '' push-ack --redis nonsense
	[ "$status" -eq 100 ]
	stage '' push-ack --attempts 0
	[ "$status" -eq 100 ]
	stage '' push-ack --dedupe nonsense:x
	[ "$status" -eq 100 ]
}

@test "marks last as long as --dedupe-window says" {
	push q "$(device a aa)"
	claim claimed
	push-dedupe --store "$REDIS_URL" <claimed >passed
	decide passed accepted ok >decided
	stage_file decided "${ack[@]}" --dedupe "$REDIS_URL" --dedupe-window 1h
	key=$(rcli KEYS 'push:d:*' | wc -l)
	[ "$key" -eq 1 ]
	left=$(rcli EVAL 'return redis.call("PTTL", redis.call("KEYS", "push:d:*")[1])' 0)
	[ "$left" -gt 3500000 ] && [ "$left" -le 3600000 ]
}
