# push-trace: plain words about what is in results, queues and dead letters.
load ../pipeline/chain.bash

setup_file() {
	chain_up
}

setup() {
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
	jq --arg results "$PWD/results" '. + {ack: {results: $results}, worker: "w1"}' "$BATS_FILE_TMPDIR/push.conf" >push.conf
	cp "$BATS_FILE_TMPDIR/bank.secret" .
	export PUSH_CONFIG=$PWD/push.conf
}

tells() { # ID [OPTION...]
	stage '' push-trace "$@"
	[ "$status" -eq 0 ]
}

said() {
	grep -Eq "$1" "$output_file" && return
	echo "not said: $1"
	cat "$output_file"
	return 1
}

DEVICE='"device":{"platform":"ios","token":"a1b2c3d4"},"message":{"notification":{"title":"x"}}'

@test "a delivered task: who, when, from where, how long, by whom" {
	rcli LPUSH push:high "{\"id\":\"otp-1\",\"app\":\"shop\",\"user\":\"u-1\",\"campaign\":\"autumn\",\"created_ms\":$(($(date +%s%3N) - 61000)),$DEVICE}" >/dev/null
	chain
	[ "$(wc -l <results)" = 1 ]
	tells otp-1
	said "^otp-1 \(uid [^ )]+\), app shop, user u-1, campaign autumn, ios device [0-9a-f]{8}\$"
	said '^  claimed 20[0-9-]+ [0-9:.]+ UTC from push:high, attempt 1, after waiting for 1 min; decided [0-9.]+ m?s later$'
	said "^  accepted by apns; the vendor's answer: 200 ok\$"
	[ "$(wc -l <"$output_file")" -eq 3 ]
	# No token in the clear.
	run ! grep a1b2c3d4 "$output_file"
	cp "$output_file" by-id
	# The same is found by uid and by user.
	uid=$(sed -nE 's/.*\(uid ([^)]+)\).*/\1/p' by-id)
	tells "$uid"
	diff by-id "$output_file"
	tells u-1
	diff by-id "$output_file"
	tells otp-1 --nodes
	said '^  nodes: pop [0-9.]+ ms, auth [0-9.]+ ms, .*apns [0-9.]+ m?s, .*ack [0-9.]+ ms$'
}

@test "a dead letter, with its reason in words and its history" {
	rcli LPUSH push:low '{"id":"unsigned","app":"bank","user":"u-2"}' >/dev/null
	chain
	rm results
	: >results
	tells unsigned
	said '^unsigned \(uid [^ )]+\), app bank, user u-2$'
	said '^  is a dead letter, since 20[0-9-]+ [0-9:.]+ UTC; queue push:low; unauthorized \(.+\); attempt 1$'
	said '^  before: 20[0-9-]+ [0-9:.]+ UTC unauthorized$'
}

@test "what waits, and what is on its way" {
	: >results
	rcli LPUSH push:normal '{"id":"later","app":"shop","user":"u-3"}' '{"id":"other","app":"shop","user":"u-4"}' >/dev/null
	tells later
	said '^later, app shop, user u-3$'
	said '^  waits to be claimed; queue push:normal$'
	[ "$(wc -l <"$output_file")" -eq 2 ]
	# Claimed and not settled: nobody reads what push-pop writes but a file.
	start -o claimed pop push-pop --queue push:normal
	wait_for 2 claimed
	tells u-4
	said '^  is on its way, since 20[0-9-]+ [0-9:.]+ UTC; queue push:normal'
	kill_hard pop
}

@test "what comes again later" {
	: >results
	rcli LPUSH push:normal "{\"id\":\"tomorrow\",\"app\":\"shop\",\"not_before_ms\":$(($(date +%s%3N) + 86400000)),$DEVICE}" >/dev/null
	start -o claimed pop push-pop --queue push:normal
	is_delayed() { [ "$(rcli ZCARD '{push:normal}:delayed')" = 1 ]; }
	wait_until 10 is_delayed
	stop pop
	tells tomorrow
	said '^  waits until it is due, 20[0-9-]+ [0-9:.]+ UTC; queue push:normal'
}

@test "nothing is known, and where nothing can be known" {
	: >results
	tells nobody
	[ "$output" = "nothing is known of 'nobody'" ]
	tells nobody --json
	[ "$output" = '' ]
	echo '{}' >empty.conf
	stage '' push-trace -c empty.conf x
	[ "$status" -eq 100 ]
	logged 'nowhere to look'
	stage '' push-trace
	[ "$status" -eq 100 ]
	stage '' push-trace --results nowhere/results x
	[ "$status" -eq 100 ]
	logged "cannot open 'nowhere/results'"
}

@test "an id that is written with escapes, a broken line, results from a pipe, JSON" {
	{
		echo 'no json'
		echo '{"id":"\u8ba2\u5355-1","app":"shop","trace":{"t0_us":1763627000000000,"pop":[0,5],"auth":[6,7],"outcome":"rejected","reason":"stale"}}'
		printf '{"id":"cut'
	} >captured
	echo '{}' >empty.conf
	stage_file captured push-trace --config empty.conf --results - '订单-1'
	[ "$status" -eq 0 ]
	said '^订单-1, app shop$'
	said '^  rejected by auth: stale \(.+\)$'
	stage_file captured push-trace --config empty.conf --results - --json '订单-1'
	has 'length == 1 and .[0].trace.reason == "stale"'
	status=0
	push-trace --config empty.conf --results - '订单-1' <captured >/dev/full 2>err || status=$?
	[ "$status" -eq 111 ]
}

# Some 12 MB: more than is in memory at once.  Every 1000th line is about u-0, one of them
# with escapes, and in the middle is a line that is longer than a block.
long_results() {
	awk 'BEGIN {
		pad = sprintf("%400s", ""); gsub(/ /, "x", pad)
		for (i = 0; i < 25000; i++) {
			if (i == 12345) { for (n = 0; n < 11000; n++) printf "%s", pad; print "" }
			user = i == 7000 ? "\\u0075-0" : i % 1000 ? "u-" i : "u-0"
			printf "{\"id\":\"t-%d\",\"app\":\"shop\",\"user\":\"%s\",\"pad\":\"%s\",\"trace\":{\"t0_us\":%d000000,\"pop\":[0,5],\"outcome\":\"accepted\",\"reason\":\"ok\"}}\n", \
				i, user, pad, 1763627000 + i
		}
	}' >long
	[ "$(wc -c <long)" -gt 12000000 ]
	echo '{}' >empty.conf
}

@test "a long file is searched from its beginning, or the last ones from its end" {
	long_results
	ids() { jq -r .id "$output_file"; }
	stage '' push-trace --config empty.conf --results long --json u-0
	[ "$status" -eq 0 ]
	diff <(seq 0 1000 24000 | sed 's/^/t-/') <(ids)
	logged "1 lines of 'long' are too long"
	stage '' push-trace --config empty.conf --results long --json --last 3 u-0
	diff <(printf 't-%s\n' 24000 23000 22000) <(ids)
	[[ $stderr != *'too long'* ]]
	stage '' push-trace --config empty.conf --results long --json --last 1000 u-0
	diff <(seq 24000 -1000 0 | sed 's/^/t-/') <(ids)
	logged "1 lines of 'long' are too long"
	# Without a newline at the end, and from the middle of nowhere.
	head -c -1 long >unended
	stage '' push-trace --config empty.conf --results unended --json --last 1 t-24999
	[ "$(ids)" = t-24999 ]
	stage_file unended push-trace --config empty.conf --results - --json t-24999
	[ "$(ids)" = t-24999 ]
	stage '' push-trace --config empty.conf --results long --last 1 t-0
	said '^t-0, app shop, user u-0$'
}

@test "only a file has an end to begin at" {
	echo '{}' >empty.conf
	mkfifo pipe
	echo '{"id":"x"}' >pipe 3>&- &
	status=0
	push-trace --config empty.conf --results pipe --last 1 x 2>err || status=$?
	[ "$status" -eq 100 ]
	grep -q 'only a file can be read from its end' err
}

@test "on a terminal, a long search tells how far it is" {
	long_results
	for _ in 1 2 3 4 5; do cat long; done >longer # 64 MiB and more
	script -qec "push-trace --config empty.conf --results longer nobody" typescript >/dev/null
	tr '\r' '\n' <typescript | grep -Eq '^0\.0[67] of 0\.[01][0-9] GiB, 0 found'
	push-trace --config empty.conf --results longer nobody 2>err
	[ ! -s err ] || grep -q 'too long' err
	run ! grep GiB err
}

@test "the results file is where push-ack finds it: beside push.conf" {
	mkdir conf
	echo '{"ack":{"results":"results"}}' >conf/push.conf
	echo '{"id":"x","app":"shop","trace":{"t0_us":1763627000000000,"pop":[0,5],"outcome":"rejected","reason":"stale"}}' >conf/results
	tells --config conf/push.conf x
	said '^x, app shop$'
}

@test "Redis that is not there is a temporary failure" {
	: >results
	stage '' push-trace --redis unix:///nowhere/redis.sock x
	[ "$status" -eq 111 ]
}
