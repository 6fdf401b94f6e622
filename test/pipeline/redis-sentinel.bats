# Sentinels: the chain follows the primary they elect.
load redis.bash

setup() {
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	sentinels_up
	mock_up
	printf 'a-secret-made-for-tests-only-0123456789' >bank.secret
	chain_conf >push.conf
	run_conf
}

teardown() {
	local file
	for file in "$(server_dir)"/.[0-9]*.pid; do
		file=${file##*/.}
		server_stop "${file%.pid}"
	done
	end_all
}

is_primary() {
	[[ $(rcli_at "$1" ROLE 2>/dev/null) == master* ]]
}

all_received() {
	received | sort -u >got
	cmp -s wanted got
}

@test "the primary dies: what was replicated is delivered, by the new one" {
	chain_tasks 1200 >tasks
	split -n l/2 tasks part.
	jq -r '.device | "\(if .platform == "ios" then "apns" else "fcm" end) \(.token)"' tasks | sort >wanted
	RCLI=(redis-cli -h 127.0.0.1 -p "$PRIMARY")
	chain_push part.aa push:normal
	chain_push part.ab push:low
	start run push-run -c run.conf
	wait_until 30 has_lines 100 results
	# Stops the world for a moment, so that all that was acknowledged has been copied.
	rcli CLIENT PAUSE 60000 WRITE
	[ "$(rcli WAIT 1 5000)" -ge 1 ]
	all_received && return 1
	node_kill "$PRIMARY"
	wait_until 20 is_primary "$REPLICA"
	RCLI=(redis-cli -h 127.0.0.1 -p "$REPLICA")
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

@test "the primary hangs: the chain goes to the new one without waiting for it" {
	local pid begin
	chain_tasks 300 >tasks
	jq -r '.device | "\(if .platform == "ios" then "apns" else "fcm" end) \(.token)"' tasks | sort >wanted
	start run push-run -c run.conf
	pid=$(<"$(server_dir)/.$PRIMARY.pid")
	kill -STOP "$pid"
	wait_until 20 is_primary "$REPLICA"
	RCLI=(redis-cli -h 127.0.0.1 -p "$REPLICA")
	chain_push tasks push:normal
	begin=$SECONDS
	wait_until 30 all_received || { cat run.err; kill -CONT "$pid"; return 1; }
	echo "took $((SECONDS - begin)) s"
	kill -CONT "$pid"
	stop run 40
	[ "$status" -eq 0 ]
}

@test "Sentinels that know no such primary are told of in plain words" {
	stage '' push-pop --redis "${REDIS_URL%/main}/other" --queue push:q --once
	[ "$status" -eq 111 ]
	logged "the Sentinels know no primary 'other'"
}
