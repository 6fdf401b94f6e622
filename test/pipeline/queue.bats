# What the queue promises of whole chains: each task once, whoever takes it, in
# the order of its priority, and once again when it has to be.
load chain.bash

setup_file() {
	chain_up --appendonly yes
}

setup() {
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
	mock_control '{}'
	conf '{}'
}

# push.conf of the test: that of the file, with results here, and CHANGES.
conf() { # CHANGES
	jq --arg results "$PWD/results" --argjson changes "$1" '. * {ack: {results: $results}, run: {chain: [
		"push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
		"push-apns", "push-fcm", "push-ack", {program: "push-stats", args: ["--report", "--format", "json"]}]}}
		* $changes' "$BATS_FILE_TMPDIR/push.conf" >push.conf
	cp -n "$BATS_FILE_TMPDIR/bank.secret" .
	export PUSH_CONFIG=$PWD/push.conf
}

task() { # ID MEMBERS: to one phone, unless they say otherwise
	jq -nc --arg id "$1" '{app: "shop", user: "u", device: {platform: "ios", token: "00aa"},
		message: {notification: {title: "x"}}} + (if $id == "" then {} else {id: $id} end)
		+ ('"${2:-{\}}"') | del(.[] | nulls)'
}

received_count() { # TOKEN: how often the vendor took it
	received | grep -c " $1\$" || :
}

settles() {
	wait_until "${1:-20}" chain_is_settled
}

child_of_run() { # PROGRAM
	pgrep -P "$(pid_of run)" -x "$1"
}

reasons() {
	jq -r .trace.reason results | sort | uniq -c | tr -s ' \n' ' '
}

# --- once ---------------------------------------------------------------------------

@test "ten chains on one queue, and no task twice" {
	local n=$((3000 / PUSH_TEST_SLOW))
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	conf '{"pop": {"batch": 16}, "run": {"lanes":
		{"l0":{},"l1":{},"l2":{},"l3":{},"l4":{},"l5":{},"l6":{},"l7":{},"l8":{},"l9":{}}}}'
	start run push-run -c push.conf
	chain_tasks "$n" >tasks
	chain_push tasks push:normal
	wait_for "$n" results 60
	settles
	stop run 40
	[ "$status" -eq 0 ]
	[ "$(received | wc -l)" -eq "$n" ]
	[ "$(received | sort -u | wc -l)" -eq "$n" ]
	has_in results 'all(.trace.outcome == "accepted" and .trace.pop[2].attempt == 1)'
	# All of them worked, and the one push-stats saw all of it.
	has_in results '[.[].trace.pop[2].receipt | split(":")[0]] | unique == [range(10) | "w1-l\(.)"]'
	has_in run.out ".[0].records == $n"
}

@test "TERM under load leaves nothing to be delivered again" {
	local n=20000
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	conf '{"pop": {"window": 512}}'
	vendors_take 250 # so slow that there is a middle
	chain_tasks "$n" >tasks
	chain_push tasks push:normal
	start run push-run -c push.conf
	wait_for 500 results
	stop run 40
	[ "$status" -eq 0 ]
	[ "$(rcli LLEN push:normal)" -gt 0 ]
	[ -z "$(rcli --scan --pattern '{push:*}:inflight:*')" ]
	[ "$(rcli LLEN '{push:normal}:redeliver')" = 0 ]
	[ "$(rcli ZCARD '{push:normal}:delayed')" = 0 ]
	# The rest is for whoever comes next.
	vendors_take 1
	conf '{"worker": "w2"}'
	start run push-run -c push.conf
	wait_for "$n" results 60
	settles
	stop run 40
	has_in results 'all(.trace.outcome == "accepted" and .trace.pop[2].attempt == 1)'
	[ "$(received | wc -l)" -eq "$n" ]
	[ "$(received | sort -u | wc -l)" -eq "$n" ]
}

@test "equal pushes are two without a name and one with the same key" {
	{
		task ''
		task ''
		task a '{dedupe_key: "k", device: {platform: "android", token: "t-k"}}'
		task b '{dedupe_key: "k", device: {platform: "android", token: "t-k"}}'
	} >tasks
	chain_push tasks push:normal
	chain
	[ "$(received_count 00aa)" = 2 ]
	[ "$(received_count t-k)" = 1 ]
	[ "$(jq -r .apns_id "$MOCK_RECEIVED" | grep -v null | sort -u | wc -l)" = 2 ]
}

@test "what failed for good can be pushed again under the same key" {
	mock_control '{"apns": {"error": {"status": 400, "reason": "BadDeviceToken", "times": 1}}}'
	task same >tasks
	chain_push tasks push:normal
	chain
	[ "$(received_count 00aa)" = 0 ]
	[ "$(rcli ZCARD '{push:normal}:delayed')" = 0 ]
	chain_push tasks push:normal
	chain
	[ "$(received_count 00aa)" = 1 ]
	chain_push tasks push:normal
	chain
	[ "$(received_count 00aa)" = 1 ]
	has_in results 'map(.trace.outcome) == ["failed", "accepted", "suppressed"]'
}

@test "dead letters replayed after a repair are delivered, the others not again" {
	chain_tasks 20 >tasks
	# And one task for three phones, of which some have it before.
	task fan '{device: null, devices: [{platform: "ios", token: "00b1"}, {platform: "ios", token: "00b2"},
		{platform: "android", token: "t-b3"}]}' >>tasks
	mock_control '{"apns": {"error": {"status": 400, "reason": "TopicDisallowed", "times": 6}}}'
	chain_push tasks push:normal
	chain
	[ "$(received | sort -u | wc -l)" = 17 ]
	stage '' push-queue status --format json
	has 'map(.dead) | add == 6'
	stage '' push-queue replay --reason vendor-config
	[ "$output" = "replayed 6" ]
	chain
	received | sort | uniq -d >twice
	[ ! -s twice ]
	[ "$(received | wc -l)" = 23 ]
	stage '' push-queue status --format json
	has 'all(.dead + .in_flight + .ready + .delayed + .redeliver == 0)'
}

@test "push-pop started anew before a chain of sockets, and no task twice" {
	local program part pushed=0
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	mock_control '{"apns": {"delay_ms": 300}, "fcm": {"delay_ms": 300}}'
	start ack push-ack --in unix:"$PWD/ack.sock"
	start fcm push-fcm --in unix:"$PWD/fcm.sock" --out unix:"$PWD/ack.sock"
	start apns push-apns --in unix:"$PWD/apns.sock" --out unix:"$PWD/fcm.sock"
	start dedupe push-dedupe --in unix:"$PWD/dedupe.sock" --out unix:"$PWD/apns.sock"
	start pop push-pop --lease 5s --out unix:"$PWD/dedupe.sock"
	chain_tasks 600 >tasks
	split -l 100 tasks part.
	for part in part.*; do
		chain_push "$part" push:normal
		pushed=$((pushed + 100))
		wait_for $((pushed - 60)) "$MOCK_RECEIVED"
		stop pop
		start pop push-pop --lease 5s --out unix:"$PWD/dedupe.sock"
	done
	settles 40
	for program in pop dedupe apns fcm ack; do
		stop $program
		[ "$status" -eq 0 ]
	done
	[ "$(received | wc -l)" = 600 ]
	[ "$(received | sort -u | wc -l)" = 600 ]
}

# --- once again ------------------------------------------------------------------------

@test "after a crash only the devices that are missing are sent" {
	task four '{device: null, devices: [
		{platform: "ios", token: "00aa"}, {platform: "android", token: "t-b"},
		{platform: "ios", token: "00cc"}, {platform: "android", token: "t-d"}]}' >tasks
	mock_control '{"fcm": {"silent": true}}'
	start run push-run -c push.conf
	chain_push tasks push:normal
	wait_for 2 results
	half_is_sent() { [ "$(received | grep -c ^apns)" = 2 ] && [ "$(jq -s 'map(select(.vendor == "fcm")) | length' "$MOCK_RECEIVED")" = 2 ]; }
	wait_until 20 half_is_sent
	kill -KILL "$(child_of_run push-fcm)"
	mock_control '{}'
	settles 40
	stop run 40
	[ "$(received | sort | uniq -c | tr -s ' \n' ' ')" = ' 1 apns 00aa 1 apns 00cc 1 fcm t-b 1 fcm t-d ' ]
	[ "$(reasons)" = ' 2 already-done 4 ok ' ]
}

@test "a device that waits for its retry is not sent by the task that comes again" {
	export BATS_TEST_TIMEOUT=$((90 * PUSH_TEST_SLOW))
	task three '{device: null, devices: [
		{platform: "android", token: "unavailable-20-x"}, {platform: "android", token: "silent-"},
		{platform: "ios", token: "00aa"}]}' >tasks
	start run push-run -c push.conf
	chain_push tasks push:normal
	is_apart() { [ "$(rcli ZCARD '{push:normal}:delayed')" = 1 ]; }
	wait_until 20 is_apart
	[ "$(rcli --scan --pattern '{push:normal}:apart:*' | wc -l)" = 1 ]
	# The third device keeps the task in flight; it comes again.
	kill -KILL "$(child_of_run push-fcm)"
	seen_again() { grep -q '"reason":"set-apart"' results; }
	wait_until 30 seen_again
	has_in results 'map(select(.trace.reason == "set-apart")) | length == 1
		and .[0].device.token == "unavailable-20-x" and .[0].trace.pop[2].attempt == 2'
	[ "$(jq -s 'map(select(.token == "unavailable-20-x")) | length' "$MOCK_RECEIVED")" = 1 ]
	[ "$(received_count 00aa)" = 1 ]
	stop run 40
}

@test "nor by a task that had waited for its quota" {
	export BATS_TEST_TIMEOUT=$((90 * PUSH_TEST_SLOW))
	conf '{"apps": {"shop": {"quota": {"limit": 1, "per": "500ms", "wait": "1h"}}}}'
	task one '{}' >tasks
	task three '{device: null, devices: [
		{platform: "android", token: "unavailable-20-x"}, {platform: "android", token: "silent-"},
		{platform: "ios", token: "00ab"}]}' >>tasks
	start run push-run -c push.conf
	chain_push tasks push:normal
	is_apart() { [ "$(rcli --scan --pattern '{push:normal}:apart:*' | wc -l)" = 1 ]; }
	wait_until 20 is_apart
	has_in results 'map(.trace.reason) | contains(["quota-wait"])'
	kill -KILL "$(child_of_run push-fcm)"
	seen_again() { grep -q '"reason":"set-apart"' results; }
	wait_until 30 seen_again
	has_in results 'map(select(.trace.reason == "set-apart")) | length == 1
		and .[0].device.token == "unavailable-20-x" and (.[0].trace.pop[2] | .attempt == 2 and .whole)'
	[ "$(jq -s 'map(select(.token == "unavailable-20-x")) | length' "$MOCK_RECEIVED")" = 1 ]
	[ "$(received_count 00ab)" = 1 ]
	stop run 40
}

@test "what is set apart is forgotten with the task" {
	task two '{device: null, devices: [{platform: "android", token: "unavailable-1-x"}, {platform: "ios", token: "00aa"}]}' >tasks
	chain_push tasks push:normal
	chain
	[ "$(rcli ZCARD '{push:normal}:delayed')" = 1 ]
	[ -z "$(rcli --scan --pattern '{push:normal}:apart:*')" ]
	[ -z "$(rcli --scan --pattern '{push:normal}:parts:*')" ]
}

@test "a user is counted once, however many devices and attempts it takes" {
	export BATS_TEST_TIMEOUT=$((90 * PUSH_TEST_SLOW))
	local n
	for n in 1 2 3 4; do
		task "ad-$n" '{category: "marketing", device: null,
			devices: [{platform: "ios", token: "00aa"}, {platform: "ios", token: "00bb"}]}'
	done >tasks
	# The first requests of each device fail until the record has become a retry.
	mock_control '{"apns": {"error": {"status": 503, "reason": "ServiceUnavailable", "times": 20}}}'
	conf '{"pop": {"batch": 1}}'
	start run push-run -c push.conf
	chain_push tasks push:normal
	wait_for 8 results
	settles 60
	stop run 40
	grep -q '"reason":"vendor-unavailable"' results
	[ "$(received_count 00aa)" = 3 ]
	[ "$(received_count 00bb)" = 3 ]
	[ "$(jq -r 'select(.trace.reason == "fatigue-cap") | .id' results | sort -u)" = ad-4 ]
}

@test "what cannot be read ends among the dead letters and the rest flows" {
	{
		task before '{device: {platform: "ios", token: "0001"}}'
		printf '%s\n' '{"id":' '[]' '{"id":"no-app","user":"u"}'
		task after '{device: {platform: "ios", token: "0002"}}'
	} >tasks
	chain_push tasks push:normal
	chain
	[ "$(received | wc -l)" = 2 ]
	[ "$(rcli LLEN '{push:normal}:dead')" = 3 ]
	chain_is_settled
}

@test "a push-stats that is stopped stops nothing" {
	local n=$((6000 / PUSH_TEST_SLOW)) stats
	start run push-run -c push.conf
	stats=$(child_of_run push-stats)
	kill -STOP "$stats"
	chain_tasks "$n" >tasks
	chain_push tasks push:normal
	wait_for "$n" results 40
	settles
	[ "$(received | wc -l)" -eq "$n" ]
	kill -CONT "$stats"
	stop run 40
	[ "$status" -eq 0 ]
	# What did not fit into the pipe was dropped, not waited for.
	has_in run.out ".[0].records < $n"
}

# --- in order ----------------------------------------------------------------------------

# Pushes a campaign and, while it is being sent, one-time passwords: for each, how
# many of the campaign the vendor took after its push and before it.  Prints the
# milliseconds too; they are the machine's, not the program's.
overtakes() { # CAMPAIGN
	local i begin_ms
	export BATS_TEST_TIMEOUT=$((180 * PUSH_TEST_SLOW))
	chain_tasks "$1" >tasks
	chain_push tasks push:normal
	start run push-run -c push.conf
	: >pushes
	wait_for 2000 results 40
	for i in 1 2 3 4 5; do
		task "otp-$i" "{priority: \"high\", device: {platform: \"ios\", token: \"00ff0$i\"}}" >otp
		begin_ms=$((${EPOCHREALTIME/[^0-9]/} / 1000))
		rcli LPUSH push:high "$(<otp)" >/dev/null
		wait_until 20 is_received "00ff0$i"
		echo "00ff0$i $begin_ms" >>pushes
	done
	[ "$(rcli LLEN push:normal)" -gt 0 ] # the campaign is still being sent
	rcli DEL push:normal >/dev/null
	stop run 60
	while read -r token begin_ms; do
		jq -rs --arg token "$token" --argjson begin "$begin_ms" '
			(first(.[] | select(.token == $token)) | .unix_ms) as $at
			| "\([.[] | select(.unix_ms >= $begin and .unix_ms < $at)] | length) \($at - $begin)"' "$MOCK_RECEIVED"
	done <pushes >overtaken
	awk '{ printf "# one-time password: %d of the campaign before it, %d ms from push to vendor\n", $1, $2 }' overtaken >&3
	awk -v most=$(($1 / 10)) '$1 > most { bad = 1 } END { exit NR != 5 || bad }' overtaken
}

is_received() {
	grep -q "\"$1\"" "$MOCK_RECEIVED"
}

@test "a high-priority task overtakes a campaign of a hundred thousand in one chain" {
	overtakes $((100000 / PUSH_TEST_SLOW))
}

@test "a high-priority task overtakes a campaign of a hundred thousand in a lane of its own" {
	conf '{"run": {"lanes": {"otp": {"queues": ["push:high"], "window": 64},
		"bulk": {"queues": ["push:normal", "push:low"]}}}}'
	overtakes $((100000 / PUSH_TEST_SLOW))
}
