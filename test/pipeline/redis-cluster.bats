# A cluster: each queue on its node, each key of a store on its own.
load redis.bash

setup() {
	cluster_up 3
	mock_up
	printf 'a-secret-made-for-tests-only-0123456789' >bank.secret
	chain_conf >push.conf
	export PUSH_CONFIG=$PWD/push.conf
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
}

teardown() {
	local port
	for port in "${CLUSTER_PORTS[@]}"; do
		server_stop "$port"
	done
	end_all
}

push_to() { # FILE QUEUE
	# shellcheck disable=SC2034 # rcli takes it
	RCLI=(redis-cli -h 127.0.0.1 -p "$(node_of "$2")")
	chain_push "$1" "$2"
}

left_in() { # QUEUE
	redis-cli -c -h 127.0.0.1 -p "$(node_of "$1")" EVAL 'return redis.call("LLEN", KEYS[1]) +
		redis.call("LLEN", KEYS[2]) + redis.call("ZCARD", KEYS[3]) +
		#redis.call("KEYS", ARGV[1])' 3 "$1" "{$1}:redeliver" \
		"{$1}:delayed" "{$1}:inflight:*"
}

is_settled() {
	local queue
	for queue in push:high push:normal push:low; do
		[ "$(left_in $queue)" = 0 ] || return 1
	done
}

all_received() {
	received | sort | uniq -d | grep . && return 1
	[ "$(received | wc -l)" -eq "$1" ]
}

@test "a chain with its stores in a cluster delivers each task once" {
	local queue
	chain_tasks 600 >tasks
	split -n l/3 tasks part.
	push_to part.aa push:high
	push_to part.ab push:normal
	push_to part.ac push:low
	# The queues do not all live on one node, or this would show little.
	[ "$(for queue in push:high push:normal push:low; do node_of $queue; done | sort -u | wc -l)" -gt 1 ]
	chain || { cat chain.err && return 1; }
	is_settled || { left_in push:high; left_in push:normal; left_in push:low; cat chain.err; return 1; }
	all_received 600
	[ "$(wc -l <results)" -eq 600 ]
	[ "$(grep -c MOVED chain.err)" -eq 0 ]
	# The stores' keys are where they belong: on every node.
	for port in "${CLUSTER_PORTS[@]}"; do
		[ "$(rcli_at "$port" --scan --pattern 'push:d:*' | wc -l)" -gt 0 ]
	done
}

@test "a queue moves to another node while the chain runs" {
	local from to slot
	chain_tasks 900 >tasks
	split -n l/2 tasks part.
	push_to part.aa push:normal
	from=$(node_of push:normal)
	for to in "${CLUSTER_PORTS[@]}"; do
		[ "$to" = "$from" ] || break
	done
	slot=$(rcli_at "$from" CLUSTER KEYSLOT push:normal)
	run_conf
	start run push-run -c run.conf
	wait_until 30 has_lines 50 results
	move_slot "$slot" "$from" "$to"
	[ "$(node_of push:normal)" = "$to" ]
	push_to part.ab push:normal
	wait_until 60 is_settled || { cat run.err && return 1; }
	wait_until 10 all_received 900 || { cat run.err && return 1; }
	stop run 40
}

@test "a node dies and comes back: the chain holds, and loses nothing" {
	local node
	vendors_take 250 # so slow that there is a middle
	chain_tasks 300 >tasks
	push_to tasks push:normal
	node=$(node_of push:normal)
	run_conf
	jq '.pop = {window: 8, batch: 4}' run.conf >slow.conf
	start run push-run -c slow.conf
	wait_until 30 has_lines 8 results
	node_kill "$node"
	wait_until 20 grep -q "trying again until it works" run.err
	[ "$(wc -l <results)" -lt 300 ]
	vendors_take 1
	node_start "$node" --cluster-enabled yes --cluster-node-timeout 2000
	wait_until 60 is_settled || { cat run.err && return 1; }
	wait_until 10 all_received 300 || { cat run.err && return 1; }
	stop run 40
	[ "$status" -eq 0 ]
	[ "$(grep -c 'starting the chain again' run.err)" -eq 0 ] || { cat run.err && return 1; }
}

# As redis.io "CLUSTER SETSLOT" tells: importing, migrating, keys, then the new owner.
move_slot() { # SLOT FROM TO
	local keys from_id to_id
	from_id=$(rcli_at "$2" CLUSTER MYID)
	to_id=$(rcli_at "$3" CLUSTER MYID)
	rcli_at "$3" CLUSTER SETSLOT "$1" IMPORTING "$from_id"
	rcli_at "$2" CLUSTER SETSLOT "$1" MIGRATING "$to_id"
	while keys=$(rcli_at "$2" CLUSTER GETKEYSINSLOT "$1" 100) && [ -n "$keys" ]; do
		# shellcheck disable=SC2086 # names of keys, without blanks
		rcli_at "$2" MIGRATE 127.0.0.1 "$3" "" 0 5000 KEYS $keys
	done
	rcli_at "$3" CLUSTER SETSLOT "$1" NODE "$to_id"
	rcli_at "$2" CLUSTER SETSLOT "$1" NODE "$to_id"
}

@test "the device registry and segments are kept in a cluster, each app on a node" {
	local n app apps=(shop news 'a:b' 'x{y}z' '50%' 'st*r' game mail '')
	unset PUSH_CONFIG
	for app in "${apps[@]}"; do
		jq -cn --arg app "$app" 'range(40) | {user: "u\(.)", platform: "android", token: "\($app | @base64)-\(.)", registered_ms: 5},
			{user: "u\(.)", segment: "all"} | if $app == "" then . else {app: $app} + . end'
	done >devices.ndjson
	stage '' push-device --store "$REDIS_URL" import devices.ndjson
	[ "$output" = "added 360, updated 0, moved 0, left as newer 0, into segments 360, refused 0" ]
	push-device --store "$REDIS_URL" import devices.ndjson | grep -q 'added 0, updated 360'
	# All come out again, whichever node they are on, and on more than one.
	push-device --store "$REDIS_URL" export >exported
	diff <(jq -cS . devices.ndjson | sort) <(jq -cS . exported | sort)
	n=0
	for port in "${CLUSTER_PORTS[@]}"; do
		[ -z "$(rcli_at "$port" --scan --pattern 'push:u:*')" ] || n=$((n + 1))
	done
	[ "$n" -gt 1 ]
	# A token moves to another user, and leaves the former one.
	stage '' push-device --store "$REDIS_URL" add --app shop --user u1 --platform android --token "$(printf shop | base64)-0"
	[ "$output" = "moved from another user" ]
	# Users and segments of several apps, in one batch.
	stage '{"id":"1","app":"shop","users":["u0","u1","u2"]}
{"id":"2","app":"x{y}z","user":"u3"}
{"id":"3","user":"u4"}
{"id":"4","app":"st*r","segment":"all"}' push-lookup --store "$REDIS_URL"
	[ "$status" -eq 0 ]
	has '[.[] | select(.id == "1") | [.user, .trace.reason]] | sort ==
		[["u0", "no-device"], ["u1", null], ["u1", null], ["u2", null]]'
	has '[.[] | select(.id == "2" or .id == "3") | .device.token] | sort == ["-4", "eHt5fXo=-3"]'
	has '[.[] | select(.id == "4") | .user] | length == 40 and (unique | length) == 40'
	# Gone with all that a user has.
	stage '' push-device --store "$REDIS_URL" remove --app shop --user u1
	[ "$output" = "removed 2" ]
	stage '' push-device --store "$REDIS_URL" remove --app shop --segment all
	[ "$output" = "removed 40" ]
	stage '' push-device --store "$REDIS_URL" export
	has '[.[] | select(.app == "shop")] | length == 38 and all(.[]; .user != "u1" and has("token"))'
}

@test "dead tokens are pruned from a registry in a cluster" {
	export PUSH_CONFIG=$PWD/push.conf
	push-device import - <<-'END'
		{"app":"bank","user":"u1","platform":"ios","token":"aa01aa01","registered_ms":5}
		{"app":"bank","user":"u1","platform":"ios","token":"aa02aa02","registered_ms":5}
	END
	redis-cli -c -h 127.0.0.1 -p "$(node_of push:normal)" XADD '{push:normal}:feedback' '*' at_ms 9 uid x reason token-dead \
		app bank platform ios token aa01aa01 vendor_ms 7
	stage '' push-device prune --queue push:normal
	[ "$output" = "removed 1" ]
	stage '' push-device list --app bank --user u1
	has 'map(.token) == ["aa02aa02"]'
}

@test "push-queue looks after queues wherever in the cluster they are" {
	local queue
	for queue in push:high push:normal push:low; do
		printf '{"id":"a"}\n{"id":"b"}\n' >two
		push_to two $queue
	done
	push-pop --once | jq -c '.trace += {outcome: "failed", reason: "vendor-config"}' | push-ack >/dev/null
	stage '' push-queue status --format json
	has 'map([.queue, .ready, .dead]) == [["push:high", 0, 2], ["push:normal", 0, 2], ["push:low", 0, 2]]'
	stage '' push-queue replay --id a
	[ "$output" = "replayed 3" ]
	stage '' push-queue cancel a
	[ "$output" = "removed 0, waiting 3, in flight 0; the id stays stopped" ]
	stage '' push-queue stops --format json
	has 'map(.name) == ["a"]'
	stage '' push-queue drop --all --yes
	[ "$output" = "dropped 3" ]
	stage '' push-queue peek redeliver
	has 'map(.raw | fromjson.id) == ["a", "a", "a"]'
	stage '' push-queue feedback
	[ "$status" -eq 0 ]
}
