# push-pop: claims under a lease, in order, and waits without polling.
load ../helper.bash

setup_file() {
	redis_up
}

setup() {
	rcli FLUSHALL >/dev/null
	use_redis
}

use_redis() {
	pop=(push-pop --redis "$REDIS_URL" --worker w1)
}

# What some tests wait for.
is_full() { # QUEUE WORKER
	[ "$(rcli EXISTS "{$1}:full:$2")" -eq 1 ]
}

is_due() {
	[ "$(rcli ZCOUNT '{q}:leases' -inf "$(date +%s%3N)")" -eq 1 ]
}

is_waiting() {
	[ "$(rcli CLIENT LIST | grep -c 'cmd=blmove')" -ge 1 ]
}

is_claimed() { # COUNT
	[ "$(in_flight q w1)" -ge "$1" ]
}

has_all() { # COUNT FILE...
	local count=$1
	shift
	[ "$(cat "$@" | wc -l)" -ge "$count" ]
}

has_shrunk() { # KEY MS
	[ "$(rcli PTTL "$1")" -lt "$2" ]
}

# push QUEUE TASK...: what a producer does
push() {
	rcli LPUSH "$@" >/dev/null
}

# many COUNT QUEUE [START]: tasks with ids START (1) to START + COUNT - 1
many() {
	local start=${3:-1} i
	for ((i = start; i < start + $1; i++)); do
		printf "LPUSH %s '{\"id\":\"%s\"}'\n" "$2" "$i"
	done | rcli >/dev/null
}

# settle FILE [QUEUE]: ends the claims of the records in FILE
settled() {
	jq -c '.trace += {outcome: "suppressed", reason: "duplicate"}' "$1" |
		push-ack --redis "$REDIS_URL" >/dev/null
}

in_flight() { # QUEUE WORKER
	rcli HLEN "{$1}:inflight:$2"
}

@test "what was pushed comes out as records, oldest first, still in flight" {
	push q '{"id":"a","app":"shop"}' '{"id":"b"}' '{"id":"c"}'
	stage '' "${pop[@]}" --queue q --once
	[ "$status" -eq 0 ]
	has 'map(.id) == ["a", "b", "c"]'
	has '.[0] | .app == "shop" and .trace.pop[2].q == "q"
		and .trace.pop[2].attempt == 1
		and (.trace.pop[2].receipt | startswith("w1:"))'
	has 'map(.trace.pop[2].uid) | unique | length == 3'
	has 'all(.trace | keys_unsorted[0] == "t0_us")'
	has 'all(.trace.pop[2].lease_ms - .trace.t0_us / 1000 | . > 59000 and . < 61000)'
	[ "$(in_flight q w1)" -eq 3 ]
	[ "$(rcli LLEN q)" -eq 0 ]
}

@test "two equal tasks are two pushes with two uids" {
	push q '{"id":"a"}' '{"id":"a"}'
	stage '' "${pop[@]}" --queue q --once
	has 'length == 2 and .[0].trace.pop[2].uid != .[1].trace.pop[2].uid'
}

@test "pretty-printed tasks become one line, a producer's trace is dropped" {
	push q '{
  "id": "a",
  "trace": {"outcome": "accepted"},
  "n": 1.0
}'
	stage '' "${pop[@]}" --queue q --once
	[ "$(wc -l <"$output_file")" -eq 1 ]
	has '.[0].id == "a" and (.[0].trace | has("outcome") | not)'
	[[ $output == *'1.0'* ]]
}

@test "what is no task comes out rejected, with its bytes" {
	push q 'no json' '[1]'
	printf '\xff\xfe\xfd' | rcli -x LPUSH q >/dev/null
	stage '' "${pop[@]}" --queue q --once
	[ "$status" -eq 0 ]
	has 'map(.trace.outcome) == ["rejected", "rejected", "rejected"]'
	has '.[0].raw == "no json" and (.[2].raw_base64 | startswith("//79"))'
	has 'all(.trace.pop[2].receipt | length > 0)'
}

@test "more than a batch, more than one queue: all of it comes out once" {
	many 300 q1
	many 300 q2 301
	stage '' "${pop[@]}" --queue q1 --queue q2 --once --batch 64
	has 'length == 600 and (map(.id | tonumber) | sort) == [range(1; 601)]'
	has '[.[] | select(.trace.pop[2].q == "q1") | .id | tonumber] == [range(1; 301)]'
}

@test "a queue that another kind of data is kept under is told and left alone" {
	rcli SET q x >/dev/null
	start_unready p "${pop[@]}" --queue q
	wait_until 10 grep -q 'another kind of data' p.err
	rcli DEL q >/dev/null
	push q '{"id":"a"}'
	wait_for 1 p.out
	stop p
	[ "$status" -eq 0 ]
}

# --- leases ------------------------------------------------------------------------

@test "a lease that ran out is given out again with the next attempt, same uid" {
	push q '{"id":"a"}' '{"id":"b"}'
	stage '' "${pop[@]}" --queue q --once --lease 100ms
	cp "$output_file" first
	push q '{"id":"c"}'
	start two push-pop --redis "$REDIS_URL" --worker w2 --queue q
	wait_for 3 two.out
	stop two
	has_in two.out 'map(select(.id != "c")) | map(.id) == ["a", "b"]'
	has_in two.out 'map(select(.id != "c")) | all(.trace.pop[2].attempt == 2)'
	has_in two.out 'map(select(.id == "c")) | all(.trace.pop[2].attempt == 1)'
	[ "$(jq -r .trace.pop[2].uid first | sort)" = \
		"$(jq -r 'select(.id != "c") | .trace.pop[2].uid' two.out | sort)" ]
	[ "$(in_flight q w1)" -eq 0 ]

	# What the first claim gave is not worth anything any more.
	settled first
	[ "$(in_flight q w2)" -eq 3 ]
	settled two.out
	[ "$(in_flight q w2)" -eq 0 ]
}

@test "what comes back is given out before what waits" {
	push q '{"id":"old"}'
	stage '' "${pop[@]}" --queue q --once --lease 50ms
	many 200 q
	wait_until 5 is_due
	stage '' push-pop --redis "$REDIS_URL" --worker w2 --queue q --once
	has '.[0].id == "old" and length == 201'
}

@test "a worker that is killed and started again takes back its own at once" {
	many 5 q
	start a "${pop[@]}" --queue q --lease 1h
	wait_for 5 a.out
	kill_hard a
	start b "${pop[@]}" --queue q --lease 1h
	wait_for 5 b.out 5
	stop b
	has_in b.out 'map(.id) == ["1","2","3","4","5"] and all(.trace.pop[2].attempt == 2)'
	grep -q "took back 5 tasks" b.err
}

@test "before a socket it leaves what others still have, until the lease ends" {
	many 5 q
	start -o got sink push-risk --in unix:"$PWD/sink"
	start a "${pop[@]}" --queue q --lease 2s --out unix:"$PWD/sink"
	wait_for 5 got
	kill_hard a
	push q '{"id":"new"}'
	start b "${pop[@]}" --queue q --lease 2s --out unix:"$PWD/sink"
	wait_for 6 got 5
	has_in got '.[5].id == "new"'
	wait_for 11 got 10
	stop b
	has_in got '.[6:] | map(.id) == ["1","2","3","4","5"] and all(.trace.pop[2].attempt == 2)'
	run ! grep -q "took back" b.err
}

@test "a task that is never settled ends as a dead letter with its history" {
	push q '{"id":"poison"}'
	for _ in 1 2 3; do
		stage '' "${pop[@]}" --queue q --once --attempts 3
	done
	has '.[0].trace.pop[2].attempt == 3'
	push q '{"id":"next"}'
	stage '' "${pop[@]}" --queue q --once --attempts 3
	has 'map(.id) == ["next"]'
	rcli LRANGE '{q}:dead' 0 -1 >dead
	has_in dead 'length == 1 and (.[0] | .reason == "attempts-exhausted"
		and .attempts == 3 and .raw == "{\"id\":\"poison\"}"
		and (.history | length) == 3
		and all(.history[]; .why == "worker-restarted" and .at_ms > 0)
		and .first_ms <= .dead_ms)'
}

@test "bytes that are not UTF-8 are kept as they were, also as a dead letter" {
	printf '\xff\x00\xfe"' >bytes
	rcli -x LPUSH q <bytes >/dev/null
	stage '' "${pop[@]}" --queue q --once --attempts 1
	stage '' "${pop[@]}" --queue q --once --attempts 1
	rcli LRANGE '{q}:dead' 0 -1 >dead
	jq -r .raw_base64 dead | base64 -d >kept
	cmp -n 4 bytes kept
}

@test "killed between claim and write, nothing is lost" {
	many 1000 q
	# Nobody reads the pipe, so most of what is claimed is never written.
	mkfifo blocked
	exec 7<>blocked
	start -o blocked a "${pop[@]}" --queue q --lease 1h
	wait_until 10 is_claimed 300
	kill_hard a
	exec 7>&-
	stage '' "${pop[@]}" --queue q --once --lease 1h
	has '(map(.id | tonumber) | sort) == [range(1; 1001)]'
	has '[.[].trace.pop[2] | select(.attempt == 2)] | length >= 300'
}

@test "connections that are cut are made again, and nothing is lost" {
	start a "${pop[@]}" --queue q --lease 1h
	for _ in 1 2 3 4 5; do
		rcli CLIENT KILL TYPE normal SKIPME yes >/dev/null
		push q '{"id":"x"}'
	done
	wait_for 5 a.out
	stop a
	has_in a.out 'length == 5 and all(.trace.pop[2].attempt == 1)'
}

# --- delayed ------------------------------------------------------------------------

@test "a task with not_before_ms waits for it and comes with its first attempt" {
	local due=$(($(date +%s%3N) + 3600000))
	push q "{\"id\":\"later\",\"not_before_ms\":$due}" '{"id":"now"}'
	start a "${pop[@]}" --queue q
	wait_for 1 a.out
	has_in a.out 'map(.id) == ["now"]'
	[ "$(rcli ZSCORE '{q}:delayed' "$(rcli ZRANGE '{q}:delayed' 0 0)")" = "$due" ] ||
		[ "$(rcli ZRANGE '{q}:delayed' 0 0 WITHSCORES | tail -1)" = "$due" ]
	[ "$(in_flight q w1)" -eq 1 ]
	all_due q
	push q '{"id":"next"}'
	wait_for 3 a.out
	stop a
	has_in a.out 'map(.id) == ["now", "later", "next"] and .[1].trace.pop[2].attempt == 1'
}

@test "delayed tasks come in the order in which they are due, before ready ones" {
	local now
	now=$(date +%s%3N)
	push q "{\"id\":\"third\",\"not_before_ms\":$((now + 900))}" \
		"{\"id\":\"first\",\"not_before_ms\":$((now + 300))}" \
		"{\"id\":\"second\",\"not_before_ms\":$((now + 600))}"
	start a "${pop[@]}" --queue q
	wait_for 3 a.out 5
	stop a
	has_in a.out 'map(.id) == ["first", "second", "third"]'
}

# --- the window -----------------------------------------------------------------------

@test "no more than the window is out, and settling makes room at once" {
	many 20 q
	start a "${pop[@]}" --queue q --window 8 --batch 4
	wait_for 8 a.out
	wait_until 10 is_full q w1
	[ "$(in_flight q w1)" -eq 8 ]
	[ "$(rcli LLEN q)" -eq 12 ]
	head -n 4 a.out >some
	settled some
	wait_for 12 a.out 2
	[ "$(in_flight q w1)" -eq 8 ]
	tail -n +5 a.out >rest
	settled rest
	wait_for 20 a.out 2
	stop a
	has_in a.out '(map(.id | tonumber)) == [range(1; 21)]'
}

@test "the window spans the queues, and the first one always finds room" {
	many 30 low
	start a "${pop[@]}" --queue high --queue low --window 16 --batch 100
	wait_for 14 a.out
	wait_until 10 is_full low w1
	[ "$(in_flight low w1)" -eq 14 ]
	push high '{"id":"urgent"}'
	wait_for 15 a.out 2
	has_in a.out '.[14].id == "urgent"'
	stop a
}

@test "an idle worker does not poll" {
	start a "${pop[@]}" --queue q --queue r
	push q '{"id":"a"}'
	wait_for 1 a.out
	settled a.out
	rcli CONFIG RESETSTAT >/dev/null
	# The measurement itself: one second in which nothing happens.
	read -r -t 1 <> <(:) || :
	rcli INFO commandstats >stats
	calls=$(grep -v 'cmdstat_\(info\|config\|ping\)' stats |
		sed -n 's/.*calls=\([0-9]*\),.*/\1/p' | awk '{ n += $1 } END { print n + 0 }')
	echo "$calls commands in a second"
	cat stats
	[ "$calls" -lt 60 ]
	stop a
}

@test "a task wakes an idle worker in no time" {
	start a "${pop[@]}" --queue q
	wait_until 10 is_waiting
	begin=${EPOCHREALTIME/[^0-9]/}
	push q '{"id":"a"}'
	wait_for 1 a.out 2
	has_in a.out "(.[0].trace.t0_us - $begin) < 500000"
	stop a
}

@test "a dozen waiting workers get each task once" {
	local i
	for i in 1 2 3 4; do
		start "w$i" push-pop --redis "$REDIS_URL" --worker "w$i" --queue q --batch 3
	done
	many 100 q
	wait_until 10 has_all 100 w1.out w2.out w3.out w4.out
	for i in 1 2 3 4; do
		stop "w$i"
	done
	cat w?.out >all
	has_in all 'length == 100 and (map(.id | tonumber) | sort) == [range(1; 101)]'
}

# --- priorities -------------------------------------------------------------------------

@test "a higher queue goes first, yet the lowest gets one claim in eight" {
	many 100 high
	many 100 low 1001
	stage '' "${pop[@]}" --queue high --queue low --once --batch 4 --window 1000
	has 'length == 200'
	# Thirty-two of the first forty claims' worth are high; low is not starved.
	has '.[0:28] | all(.trace.pop[2].q == "high")'
	has '.[28:32] | all(.trace.pop[2].q == "low")'
	has '[.[0:64][] | select(.trace.pop[2].q == "low")] | length == 8'
}

@test "three queues: the lower two take turns" {
	many 60 a
	many 60 b 101
	many 60 c 201
	stage '' "${pop[@]}" --queue a --queue b --queue c --once --batch 1 --window 1000
	has '.[7].trace.pop[2].q == "b" and .[15].trace.pop[2].q == "c"
		and .[23].trace.pop[2].q == "b"'
}

# --- names --------------------------------------------------------------------------------

@test "two live workers cannot have one name" {
	start a "${pop[@]}" --queue q
	stage '' "${pop[@]}" --queue q --once
	[ "$status" -eq 100 ]
	logged "worker name 'w1' is in use"
	stage '' push-pop --redis "$REDIS_URL" --worker w2 --queue q --once
	[ "$status" -eq 0 ]
	stop a
	[ "$(rcli EXISTS '{q}:worker:w1')" -eq 0 ]
}

@test "a holder that is just ending is waited for" {
	many 3 q
	start a "${pop[@]}" --queue q
	wait_for 3 a.out
	clients=$(rcli CLIENT LIST | wc -l)
	start_unready b "${pop[@]}" --queue q
	wait_until 10 has_more_clients
	stop a
	wait_for 3 b.out 10
	stop b
	[ "$status" -eq 0 ]
	has_in b.out 'all(.trace.pop[2].attempt == 2)'
}

has_more_clients() {
	[ "$(rcli CLIENT LIST | wc -l)" -gt "$clients" ]
}

# The worker that has the tasks in FILE.
worker_of() {
	jq -r '.trace.pop[2].receipt | split(":")[0]' "$1" | sort -u
}

@test "without a name each chain of a host finds one, and the same after a crash" {
	start one push-pop --redis "$REDIS_URL" --queue p --queue q
	push q '{"id":"a"}'
	wait_for 1 one.out
	start two push-pop --redis "$REDIS_URL" --queue q --queue r
	push r '{"id":"b"}'
	wait_for 1 two.out
	[ "$(worker_of two.out)" = "$(worker_of one.out).2" ]
	# The name that was taken on r alone is not left behind.
	[ "$(rcli EXISTS "{r}:worker:$(worker_of one.out)")" -eq 0 ]
	kill_hard one
	start again push-pop --redis "$REDIS_URL" --queue p --queue q
	wait_for 1 again.out
	has_in again.out '.[0] | .id == "a" and .trace.pop[2].attempt == 2'
	[ "$(worker_of again.out)" = "$(worker_of one.out)" ]
	grep -q "took back 1 tasks that '$(worker_of one.out)' had" again.err
	stop again
	stop two
}

@test "a holder elsewhere that lives is told apart from one that is gone" {
	# A key that nobody renews runs out.
	rcli SET '{q}:worker:w1' 'elsewhere pid:[1] 1 1' PX 600 >/dev/null
	push q '{"id":"a"}'
	stage '' "${pop[@]}" --queue q --once
	[ "$status" -eq 0 ]
	has 'length == 1'

	rcli SET '{q}:worker:w1' 'elsewhere pid:[1] 1 1' PX 3000 >/dev/null
	start_unready b "${pop[@]}" --queue q --once
	wait_until 5 has_shrunk '{q}:worker:w1' 2300
	rcli PEXPIRE '{q}:worker:w1' 3000 >/dev/null
	wait_exit b 5
	[ "$status" -eq 100 ]
	logged 'not on this machine'
}

@test "a worker whose name was taken ends and says so" {
	start a "${pop[@]}" --queue q
	rcli SET '{q}:worker:w1' 'someone else' PX 60000 >/dev/null
	push q '{"id":"a"}'
	wait_exit a 10
	[ "$status" -eq 100 ]
	logged "has taken the worker name 'w1'"
	[ "$(rcli LLEN q)" -eq 1 ]
}

@test "without --worker the host names the worker" {
	push q '{"id":"a"}'
	stage '' push-pop --redis "$REDIS_URL" --queue q --once
	host=$(hostname | tr -c 'A-Za-z0-9._\n-' -)
	has ".[0].trace.pop[2].receipt | startswith(\"$host:\")"
}

# --- options, signals, Redis away -------------------------------------------------------

@test "wrong options and names are usage failures" {
	stage '' push-pop --redis "$REDIS_URL"
	[ "$status" -eq 100 ]
	logged 'no queue is named'
	stage '' "${pop[@]}" --queue 'a{b}'
	[ "$status" -eq 100 ]
	stage '' "${pop[@]}" --queue q --queue q
	[ "$status" -eq 100 ]
	logged 'named twice'
	stage '' push-pop --redis "$REDIS_URL" --queue q --worker 'a:b'
	[ "$status" -eq 100 ]
	stage '' push-pop --redis ftp://h --queue q
	[ "$status" -eq 100 ]
	stage '' "${pop[@]}" --queue q --window 0
	[ "$status" -eq 100 ]
	stage '' "${pop[@]}" --queue q --lease 0
	[ "$status" -eq 100 ]
}

@test "an absent server is a temporary failure at the start" {
	stage '' push-pop --redis "unix://$PWD/none" --queue q --worker w1
	[ "$status" -eq 111 ]
	logged 'cannot connect'
}

@test "push.conf gives queues, worker and settings" {
	cat >push.conf <<-END
		{ "redis": "$REDIS_URL", "queues": ["q1", "q2"], "worker": "conf-1",
		  "pop": { "window": 3, "batch": 2, "lease": "10s", "attempts": 2 } }
	END
	many 9 q2
	start a push-pop -c push.conf
	wait_for 3 a.out
	wait_until 10 is_full q2 conf-1
	has_in a.out 'length == 3 and all(.trace.pop[2].receipt | startswith("conf-1:"))'
	stop a
}

@test "TERM stops claiming, writes what was claimed, and ends well" {
	many 50 q
	start a "${pop[@]}" --queue q
	wait_for 50 a.out
	stop a 5
	[ "$status" -eq 0 ]
	push q '{"id":"late"}'
	[ "$(rcli LLEN q)" -eq 1 ]
	has_in a.out 'length == 50'
}

@test "Redis stopped and started again with its file: it goes on" {
	redis_up --appendonly yes --appendfsync always
	use_redis
	push q '{"id":"a"}'
	start a "${pop[@]}" --queue q
	wait_for 1 a.out
	redis_down
	wait_until 10 grep -q 'trying again' a.err
	redis_up --appendonly yes --appendfsync always
	[ "$(in_flight q w1)" -eq 1 ]
	push q '{"id":"b"}'
	wait_for 2 a.out 20
	stop a
	[ "$status" -eq 0 ]
	has_in a.out 'map(.id) == ["a", "b"] and all(.trace.pop[2].attempt == 1)'
}

@test "scripts flushed away are loaded again" {
	start a "${pop[@]}" --queue q
	rcli SCRIPT FLUSH >/dev/null
	push q '{"id":"a"}'
	wait_for 1 a.out
	stop a
}
