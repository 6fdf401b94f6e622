# A cluster: each queue on its node, each key of a store on its own.
load redis.bash

setup() {
	redis_up # for the registry
	local registry=$REDIS_URL
	cluster_up 3
	mock_up
	printf 'a-secret-made-for-tests-only-0123456789' >bank.secret
	chain_conf | jq --arg url "$registry" '.lookup.store = $url' >push.conf
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

@test "the device registry refuses a cluster in plain words" {
	stage '' push-device --store "$REDIS_URL" list
	[ "$status" -eq 100 ]
	logged "the device registry cannot be kept in a cluster"
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
