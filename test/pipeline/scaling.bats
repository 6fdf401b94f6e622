# scripts/scaling: its sums, by costs that make them easy.
load ../helper.bash

simulate() { # OPTION...
	echo '{"pop": 10, "apns": 30, "redis": 20, "task_bytes": 500, "redis_bytes": 600}' >costs.json
	stage '' "$ROOT/scripts/scaling" --costs costs.json --json --use 1 --fcm-rate inf --in-flight 1000000 "$@"
	[ "$status" = 0 ]
}

@test "what binds is the smallest limit, and more of it moves it" {
	simulate --cores 1
	has '.[0]["capacity a second"] == 25000 and .[0]["bound by"] == "cpu of the hosts"'
	simulate --cores 8
	has '.[0]["capacity a second"] == 33333 and .[0]["bound by"] == "one core for push-apns, each chain"'
	simulate --cores 8 --chains 4
	has '.[0]["capacity a second"] == 50000 and .[0]["bound by"] == "one thread of each Redis"'
	simulate --cores 8 --chains 4 --shards 10 --fcm-rate 10000
	has '.[0]["capacity a second"] == 20000 and .[0]["bound by"] == "quota of Google"'
}

@test "in a Redis Cluster the server with most of the queues binds" {
	# push:normal:0 to 7 on three servers: redis-cli CLUSTER KEYSLOT says 2, 2 and 4.
	simulate --cores 80 --chains 40 --shards 3
	has '.[0]["limits, notifications a second"]["one thread of each Redis"] == 150000'
	simulate --cores 80 --chains 40 --shards 3 --queues 8
	has '.[0]["limits, notifications a second"]["one thread of each Redis"] == 100000'
	simulate --cores 80 --chains 40 --shards 4 --queues 8
	has '.[0]["limits, notifications a second"]["one thread of each Redis"] == 200000'
}

@test "a campaign of a million at 25,000 a second waits 40 seconds" {
	simulate --cores 1 --day 1e6 --campaigns 1 --bursts 1
	has '.[0]["longest queue"] == 1000000 and .[0]["longest wait, s"] == 40 and
		.[0]["Redis for the longest queue, GB each"] == 0.6'
}

@test "a load that is too much is said to be" {
	simulate --cores 1 --day 1e12
	has '.[0]["never done"]'
}

@test "the measured costs that are shipped name every program of the chain" {
	jq -e 'all(.pop, .auth, .risk, .lookup, .dedupe, .fatigue, .apns, .fcm, .ack, .stats, .redis, .redis_bytes; . > 0)' \
		"$ROOT/docs/scaling-costs.json"
	stage '' "$ROOT/scripts/scaling"
	[ "$status" = 0 ]
	[[ $output == *'bound by: '* ]]
}
