# kill -9 of any program in mid-run: what can be delivered is delivered.
load chain.bash

TASKS=$((3000 / PUSH_TEST_SLOW))

setup_file() {
	chain_up --appendonly yes
}

setup() {
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	jq --arg results "$PWD/results" '. + {ack: {results: $results}, run: {chain: [
		"push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
		"push-apns", "push-fcm", "push-ack", {program: "push-stats", args: ["--report"]}]}}' \
		"$BATS_FILE_TMPDIR/push.conf" >push.conf
	cp "$BATS_FILE_TMPDIR/bank.secret" .
	export PUSH_CONFIG=$PWD/push.conf
	chain_tasks "$TASKS" >tasks
	jq -r '.device | "\(if .platform == "ios" then "apns" else "fcm" end) \(.token)"' tasks | sort >wanted
}

child_of_run() { # PROGRAM
	pgrep -P "$(pid_of run)" -x "$1"
}

has_settled_some() {
	[ -s results ] && [ "$(wc -l <results)" -ge $((TASKS / 10)) ]
}

# Every device was reached, and a repeat is the same notification again.
all_delivered() {
	received | sort -u >got
	cmp -s wanted got
}

survives() { # PROGRAM
	start run push-run -c push.conf
	chain_push tasks push:normal
	wait_until 30 has_settled_some
	kill -KILL "$(child_of_run "$1")"
	wait_until 60 chain_is_settled
	wait_until 10 all_delivered || { diff wanted got | head && return 1; }
	stop run 40
	[ "$status" -eq 0 ]
	# What a killed program wrote in half has no id; its task came again.
	[ "$(jq -r '.id // empty' results | sort -u | wc -l)" = "$TASKS" ]
	# What was sent twice carries the same apns-id.
	[ "$(jq -r 'select(.vendor == "apns" and .status == 200) | "\(.token) \(.apns_id)"' "$MOCK_RECEIVED" | sort -u | wc -l)" = \
		"$(grep -c '^apns' wanted)" ]
	grep -q "$1.*signal 9\|$1.*killed" run.err
}

@test "push-pop is killed" {
	survives push-pop
}

@test "push-auth is killed" {
	survives push-auth
}

@test "push-risk is killed" {
	survives push-risk
}

@test "push-lookup is killed" {
	survives push-lookup
}

@test "push-dedupe is killed" {
	survives push-dedupe
}

@test "push-fatigue is killed" {
	survives push-fatigue
}

@test "push-apns is killed" {
	survives push-apns
}

@test "push-fcm is killed" {
	survives push-fcm
}

@test "push-ack is killed" {
	survives push-ack
}

@test "push-stats is killed" {
	survives push-stats
}

@test "push-run is killed, and no program outlives it" {
	local children
	start run push-run -c push.conf
	chain_push tasks push:normal
	wait_until 30 has_settled_some
	children=$(pgrep -P "$(pid_of run)")
	kill_hard run
	for pid in $children; do
		wait_until 40 has_ended "$pid"
	done
	start run push-run -c push.conf
	wait_until 60 chain_is_settled
	wait_until 10 all_delivered
}

@test "Redis is killed and comes back" {
	start run push-run -c push.conf
	chain_push tasks push:normal
	wait_until 30 has_settled_some
	kill -KILL "$(<"$BATS_FILE_TMPDIR/.redis.pid")"
	BATS_TEST_TMPDIR='' redis_up --appendonly yes
	wait_until 60 chain_is_settled
	wait_until 10 all_delivered
	stop run 40
}
