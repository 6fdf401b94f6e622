# More than one Redis, on ports that were free a moment ago.
#
#	cluster_up N        a cluster of N primaries; sets CLUSTER_PORTS, REDIS_URL
#	sentinels_up        a primary, a replica, three Sentinels that wait one
#	                    second; sets PRIMARY, REPLICA, SENTINEL (ports), REDIS_URL
#	rcli_at PORT ...    redis-cli there
#
# Their processes are servers as server_start knows them, named by their port.

load chain.bash

# The whole chain for push-run, in run.conf.
run_conf() {
	export PUSH_CONFIG=$PWD/run.conf
	jq --arg results "$PWD/results" '. + {ack: {results: $results}, run: {chain: [
		"push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
		"push-apns", "push-fcm", "push-ack"]}}' push.conf >run.conf
}

# Below what the kernel gives to connections, and leaving room for the bus.
free_ports() { # N
	local port found=()
	while [ "${#found[@]}" -lt "$1" ]; do
		port=$((15000 + RANDOM % 7000))
		[[ " ${found[*]} " != *" $port "* ]] || continue
		! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue
		! (exec 3<>"/dev/tcp/127.0.0.1/$((port + 10000))") 2>/dev/null || continue
		found+=("$port")
	done
	echo "${found[@]}"
}

rcli_at() {
	redis-cli -h 127.0.0.1 -p "$@"
}

answers_at() {
	[ "$(rcli_at "$1" PING 2>/dev/null)" = PONG ]
}

node_start() { # PORT OPTION...
	local port=$1 dir
	dir=$(server_dir)/$port
	shift
	mkdir -p "$dir"
	server_start "$port" redis-server --bind 127.0.0.1 --port "$port" --dir "$dir" \
		--save "" --appendonly yes --appendfsync no "$@"
	wait_until 20 answers_at "$port" && return
	cat "$(server_dir)/$port.log"
	return 1
}

node_kill() { # PORT
	local file
	file=$(server_dir)/.$1.pid
	kill -KILL "$(<"$file")"
	wait_until 10 has_ended "$(<"$file")"
	rm -f "$file"
}

# --- Cluster ---------------------------------------------------------------------

cluster_up() { # N
	local port hosts=()
	read -ra CLUSTER_PORTS <<<"$(free_ports "$1")"
	for port in "${CLUSTER_PORTS[@]}"; do
		node_start "$port" --cluster-enabled yes --cluster-node-timeout 2000
		hosts+=("127.0.0.1:$port")
	done
	redis-cli --cluster create "${hosts[@]}" --cluster-yes >"$(server_dir)/create.log" || return
	for port in "${CLUSTER_PORTS[@]}"; do
		wait_until 20 cluster_is_ok "$port" || return
	done
	REDIS_URL=redis+cluster://127.0.0.1:$port,${hosts[0]}
}

cluster_is_ok() {
	[[ $(rcli_at "$1" CLUSTER INFO) == *cluster_state:ok* ]]
}

# The port of the node that serves a key.
node_of() {
	local slot
	slot=$(rcli_at "${CLUSTER_PORTS[0]}" CLUSTER KEYSLOT "$1")
	rcli_at "${CLUSTER_PORTS[0]}" --json CLUSTER SLOTS |
		jq --argjson slot "$slot" '.[] | select(.[0] <= $slot and $slot <= .[1])[2][1]'
}

# --- Sentinel --------------------------------------------------------------------

sentinels_up() {
	local ports port named=''
	read -ra ports <<<"$(free_ports 5)"
	# shellcheck disable=SC2034 # the tests use them
	PRIMARY=${ports[0]} REPLICA=${ports[1]} SENTINEL=${ports[2]}
	node_start "$PRIMARY"
	node_start "$REPLICA" --replicaof 127.0.0.1 "$PRIMARY" --repl-diskless-sync-delay 0
	wait_until 20 is_replicating "$REPLICA" || return
	for port in "${ports[@]:2}"; do
		mkdir -p "$(server_dir)/$port"
		cat >"$(server_dir)/$port/sentinel.conf" <<-END
			port $port
			bind 127.0.0.1
			dir $(server_dir)/$port
			sentinel monitor main 127.0.0.1 $PRIMARY 2
			sentinel down-after-milliseconds main 1000
			sentinel failover-timeout main 5000
		END
		server_start "$port" redis-server "$(server_dir)/$port/sentinel.conf" --sentinel
		named+=${named:+,}127.0.0.1:$port
	done
	for port in "${ports[@]:2}"; do
		wait_until 20 knows_the_others "$port" || return
	done
	# shellcheck disable=SC2034 # likewise
	REDIS_URL=redis+sentinel://$named/main
}

is_replicating() {
	[[ $(rcli_at "$1" INFO replication) == *master_link_status:up* ]]
}

knows_the_others() {
	[ "$(rcli_at "$1" --json SENTINEL master main 2>/dev/null |
		jq -r '"\(."num-other-sentinels") \(."num-slaves")"')" = "2 1" ]
}
