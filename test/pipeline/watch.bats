# Whatever the collector does, delivery goes on as before, and what it did not
# count is counted.
load chain.bash

TASKS=$((8000 / PUSH_TEST_SLOW))

setup_file() {
	chain_up
}

setup() {
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	jq --arg here "$PWD" '. + {counters: "\($here)/stats.sock", ack: {results: "\($here)/results"}, run: {chain: [
		"push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
		"push-apns", "push-fcm", "push-ack"]}}' "$BATS_FILE_TMPDIR/push.conf" >push.conf
	cp "$BATS_FILE_TMPDIR/bank.secret" .
	export PUSH_CONFIG=$PWD/push.conf
	chain_tasks "$TASKS" >tasks
}

# The collector behind its own pipe, so that a test can do with it what it likes.
collector() {
	start -p stats push-stats -c push.conf --listen 127.0.0.1:0 --ports-file "$PWD/ports"
	URL=http://127.0.0.1:$(cut -d' ' -f2 ports)
}

chain_starts() {
	start -o "$BATS_TEST_TMPDIR/.feed.stats" run push-run -c push.conf
}

settled_all() {
	[ -f results ] && [ "$(wc -l <results)" = "$TASKS" ] && chain_is_settled
}

# What the chain's programs have used of the processors.  Unlike the time on the wall it
# is hardly changed by what else the machine does.
cpu_ms() {
	local pid
	for pid in $(pgrep -P "$(pid_of run)"); do
		sed 's/.*) //' "/proc/$pid/stat"
	done | awk -v hz="$(getconf CLK_TCK)" '{ ticks += $12 + $13 } END { print int(ticks * 1000 / hz) }'
}

# Pushes all tasks and waits until they are settled; `took_ms' and `used_ms' tell what
# that took.
deliver() {
	local begin=${EPOCHREALTIME/[^0-9]/}
	chain_push tasks push:normal
	wait_until 60 settled_all || { wc -l results && tail -n 5 run.err && return 1; }
	took_ms=$(((${EPOCHREALTIME/[^0-9]/} - begin) / 1000))
	used_ms=$(cpu_ms)
	[ "$(grep -c '"outcome":"accepted"' results)" = "$TASKS" ]
	[ "$(received | sort -u | wc -l)" = "$TASKS" ]
	echo "settled in $took_ms ms, with $used_ms ms of the processors"
}

# What a collector that counts everything leaves of the speed, for comparison.
baseline() {
	collector
	chain_starts
	deliver
	wait_until 20 adds_up || { echo "counted $(counted), dropped $(dropped)" && return 1; }
	baseline_ms=$took_ms
	baseline_used_ms=$used_ms
	stop run 40
	stop stats
	rm -f ports results
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
}

counted() {
	curl -sS --fail --max-time 5 "$URL/api/stats" | jq '.records'
}

dropped() {
	curl -sS --fail --max-time 5 "$URL/api/stats" | jq '[.live[] | select(.node == "ack") | .dropped] | add // 0'
}

# Also a collector that works may have missed some, when the machine has no time for it.
adds_up() {
	[ $(($(counted) + $(dropped))) = "$TASKS" ]
}

# That all was settled while nobody read says that nobody waited: a chain that waits for
# a stopped reader never ends, for a slow one it takes as long as that.  What is left is
# the work, and there is no more of it than the noise of a busy machine.
within_noise() {
	echo "with a collector that works: $baseline_ms ms, $baseline_used_ms of the processors;" \
		"now: $took_ms ms, $used_ms of the processors"
	[ "$used_ms" -gt 0 ]
	[ "$used_ms" -le $((baseline_used_ms * 2 + 500 * PUSH_TEST_SLOW)) ]
}

@test "the vendors' stages tell about every credential" {
	collector
	chain_starts
	deliver
	told() {
		curl -sS "$URL/metrics" >metrics
		# Both apps have one key of Apple's: the first one gives it its name.
		for labels in 'node="apns",app="bank"' 'node="fcm",app="shop"'; do
			grep -Eq "^push_credential_connections\{$labels\} [1-9]" metrics &&
				grep -Fxq "push_credential_breakers_open{$labels} 0" metrics &&
				grep -Fxq "push_credential_token_failures{$labels} 0" metrics || return 1
		done
		# Apple's tokens are replaced when due, Google's have an end.
		[ "$(sed -n 's/^push_credential_token_expiry_timestamp_seconds{node="fcm",app="shop"} //p' metrics)" -gt "$EPOCHSECONDS" ]
	}
	wait_until 20 told || { grep push_credential metrics && return 1; }
	run ! grep 'token_expiry.*apns' metrics
	stop run 40
}

@test "a canary goes the whole way, is counted, and nobody gets it" {
	local account=$MOCK_KEYS/service-account.json
	jq --arg account "$account" '.apps.canary = {auth: "off", fcm: {service_account_file: $account, validate_only: true}}' push.conf >canary.conf
	mv canary.conf push.conf
	collector
	chain_starts
	rcli LPUSH push:high '{"app":"canary","campaign":"high","priority":"high","topic":"canary","message":{"data":{"canary":"high"}}}' >/dev/null
	came() { curl -sS "$URL/metrics" | grep -Fxq 'push_campaign_records_total{app="canary",campaign="high",what="accepted"} 1'; }
	wait_until 20 came
	has_in "$MOCK_RECEIVED" 'map(select(.vendor == "fcm")) | length == 1 and .[0].validate_only'
	stop run 40
}

@test "a stopped collector changes nothing, and what it missed is counted" {
	baseline
	collector
	chain_starts
	kill -STOP "$(pid_of stats)"
	deliver
	within_noise
	kill -CONT "$(pid_of stats)"
	wait_until 20 adds_up || { echo "counted $(counted), dropped $(dropped)" && return 1; }
	[ "$(dropped)" -gt 0 ]
	curl -sS "$URL/metrics" >metrics
	grep -E '^push_node_dropped_total\{node="ack"\} [1-9]' metrics
	# The programs' reports are small: those that did not fit are told by the next one.
	grep -E '^push_node_lost_datagrams_total\{node="ack"\} [0-9]' metrics
	stop run 40
	[ "$status" -eq 0 ]
}

@test "a killed collector changes nothing" {
	collector
	chain_starts
	kill_hard stats
	deliver
	stop run 40
	[ "$status" -eq 0 ]
	[ "$(wc -l <results)" = "$TASKS" ]
}

@test "a collector that is killed in mid-run changes nothing" {
	collector
	chain_starts
	chain_push tasks push:normal
	some() { [ "$(counted)" -gt 100 ]; }
	wait_until 30 some
	kill_hard stats
	wait_until 60 settled_all
	[ "$(received | sort -u | wc -l)" = "$TASKS" ]
	stop run 40
	[ "$status" -eq 0 ]
}

@test "a slow collector changes nothing, and what it missed is counted" {
	baseline
	collector
	chain_starts
	# It works for 10 of every 100 milliseconds.
	perl -e 'my $p = shift; while (1) { kill STOP => $p or last; select undef, undef, undef, 0.09;
		kill CONT => $p; select undef, undef, undef, 0.01 }' "$(pid_of stats)" &
	local limiter=$!
	deliver
	kill "$limiter"
	wait "$limiter" || :
	kill -CONT "$(pid_of stats)"
	within_noise
	wait_until 20 adds_up || { echo "counted $(counted), dropped $(dropped)" && return 1; }
}

@test "a collector flooded with datagrams and requests changes nothing" {
	baseline
	collector
	chain_starts
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => shift) or die;
		1 while getppid() == $ARGV[0] and (send($s, "x" x 1000, 0x40) or select undef, undef, undef, 0.001)' \
		"$PWD/stats.sock" $$ &
	local flood=$!
	(while curl -sS --max-time 5 -o /dev/null "$URL/metrics" "$URL/metrics" "$URL/metrics"; do :; done) 2>/dev/null &
	local scraper=$!
	deliver
	kill "$flood" "$scraper"
	wait "$flood" "$scraper" || :
	within_noise
	wait_until 20 adds_up || { echo "counted $(counted), dropped $(dropped)" && return 1; }
	curl -sS "$URL/metrics" | grep -E '^push_bad_datagrams_total [1-9]'
}
