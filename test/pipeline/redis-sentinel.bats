# Sentinels: the chain follows the primary they elect.
load redis.bash

setup_file() {
	sentinels_up
	export PRIMARY REPLICA SENTINEL REDIS_URL
	mock_up
	printf 'a-secret-made-for-tests-only-0123456789' >"$BATS_FILE_TMPDIR/bank.secret"
	chain_conf | jq '.pop = {window: 16, batch: 8}' >"$BATS_FILE_TMPDIR/push.conf"
}

setup() {
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	cp "$BATS_FILE_TMPDIR"/{push.conf,bank.secret} .
	: >"$MOCK_RECEIVED"
	vendors_take 250 # so slow that there is a middle
	run_conf
	# Who was what changes from test to test.
	if [ "$(rcli_at "$SENTINEL" SENTINEL get-master-addr-by-name main | tail -n 1)" != "$PRIMARY" ]; then
		read -r PRIMARY REPLICA <<<"$REPLICA $PRIMARY"
	fi
	wait_until 40 is_replicating "$REPLICA"
	RCLI=(redis-cli -h 127.0.0.1 -p "$PRIMARY")
	rcli FLUSHALL
}

teardown_file() {
	local file
	for file in "$BATS_FILE_TMPDIR"/.[0-9]*.pid; do
		file=${file##*/.}
		server_stop "${file%.pid}"
	done
	end_all_file
}

is_primary() {
	[[ $(rcli_at "$1" ROLE 2>/dev/null) == master* ]]
}

all_received() {
	received | sort -u >got
	cmp -s wanted got
}

@test "Sentinels that know no such primary are told of in plain words" {
	stage '' push-pop --redis "${REDIS_URL%/main}/other" --queue push:q --once
	[ "$status" -eq 111 ]
	logged "the Sentinels know no primary 'other'"
}

@test "the primary hangs: the chain goes to the new one without waiting for it" {
	local pid
	chain_tasks 300 >tasks
	split -n l/2 tasks part.
	jq -r '.device | "\(if .platform == "ios" then "apns" else "fcm" end) \(.token)"' tasks | sort >wanted
	chain_push part.aa push:low
	start run push-run -c run.conf
	wait_until 30 has_lines 20 results
	pid=$(<"$BATS_FILE_TMPDIR/.$PRIMARY.pid")
	kill -STOP "$pid"
	wait_until 20 is_primary "$REPLICA"
	# shellcheck disable=SC2034 # rcli takes it
	RCLI=(redis-cli -h 127.0.0.1 -p "$REPLICA")
	chain_push part.ab push:normal
	vendors_take 1
	wait_until 30 all_received || { cat run.err; kill -CONT "$pid"; return 1; }
	kill -CONT "$pid"
	stop run 40
	[ "$status" -eq 0 ]
}

@test "the primary dies: what was replicated is delivered, by the new one" {
	chain_tasks 600 >tasks
	split -n l/2 tasks part.
	jq -r '.device | "\(if .platform == "ios" then "apns" else "fcm" end) \(.token)"' tasks | sort >wanted
	chain_push part.aa push:normal
	chain_push part.ab push:low
	start run push-run -c run.conf
	wait_until 30 has_lines 16 results
	# Stops the world for a moment, so that all that was acknowledged has been copied.
	rcli CLIENT PAUSE 60000 WRITE
	[ "$(rcli WAIT 1 5000)" -ge 1 ]
	all_received && return 1
	BATS_TEST_TMPDIR='' node_kill "$PRIMARY"
	wait_until 20 is_primary "$REPLICA"
	# shellcheck disable=SC2034 # rcli takes it
	RCLI=(redis-cli -h 127.0.0.1 -p "$REPLICA")
	vendors_take 1
	wait_until 60 chain_is_settled || { cat run.err && return 1; }
	wait_until 10 all_received || { diff wanted got | head && return 1; }
	stop run 40
	[ "$status" -eq 0 ]
	# Once a reason, not once an attempt.
	[ "$(jq -r 'select(.program == "push-pop" and .level == "warn").text' run.err | sort | uniq -d | wc -l)" -eq 0 ]
	# A repeat carries the same apns-id.
	[ "$(jq -r 'select(.vendor == "apns" and .status == 200) | "\(.token) \(.apns_id)"' "$MOCK_RECEIVED" | sort -u | wc -l)" = \
		"$(grep -c '^apns' wanted)" ]
}
