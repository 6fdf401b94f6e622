# push-queue: what an operator sees and changes.
# shellcheck disable=SC2030,SC2031 # stage sets status for the test it is called in
load ../helper.bash

setup_file() {
	redis_up
}

setup() {
	rcli FLUSHALL >/dev/null
	rcli CONFIG SET maxmemory 0 >/dev/null
}

queue() {
	stage '' push-queue --redis "$REDIS_URL" --queue q "$@"
	echo "push-queue $*: status $status: $output $stderr"
}

push() {
	rcli LPUSH "$@" >/dev/null
}

pop() {
	push-pop --redis "$REDIS_URL" --queue q --worker w1 --once "$@"
}

ack() {
	push-ack --redis "$REDIS_URL"
}

# decide REASON: what a stage does to every record
decide() {
	case $1 in
	vendor-unavailable) jq -c '.trace += {outcome: "retry", reason: "vendor-unavailable", after_ms: 3600000}' ;;
	token-dead) jq -c '.trace += {outcome: "failed", reason: "token-dead"}' ;;
	*) jq -c --arg reason "$1" '.trace += {outcome: "failed", reason: $reason}' ;;
	esac
}

# die REASON ID...: dead letters, the first id's the oldest
die() {
	local reason=$1 id
	shift
	for id in "$@"; do
		printf "LPUSH q '{\"id\":\"%s\"}'\n" "$id"
	done | rcli >/dev/null
	pop | decide "$reason" | ack >/dev/null
}

raw_ids() {
	jq -r '.raw | fromjson.id' "$output_file" | paste -sd ' '
}

@test "the example of the page: what died is looked at and given out again" {
	die vendor-config a b
	awk '/^\.Bd/ { n++; on = n == 1; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-queue.1" |
		sed 's/\\e/\\/g' >example.sh
	[ -s example.sh ]
	printf '{"redis":"%s","queues":["q"]}' "$REDIS_URL" >push.conf
	PUSH_CONFIG=$PWD/push.conf stage '' bash ./example.sh
	[ "$status" -eq 0 ]
	[[ $output == *'"reason":"vendor-config"'* ]]
	[[ $output == *'replayed 2'* ]]
}

# --- status ------------------------------------------------------------------------

@test "status counts each state" {
	die vendor-config dead
	push q '{"id":"later"}'
	pop | decide vendor-unavailable | ack >/dev/null
	push q '{"id":"back"}'
	pop --lease 1ms >/dev/null
	wait_until 10 lease_is_over
	push q '{"id":"new"}' '{"id":"newer"}'
	pop --batch 1 --window 1 --once | head -n 0
	queue status --format json
	[ "$status" -eq 0 ]
	has '.[0] | .queue == "q" and .dead == 1 and .delayed == 1 and .overdue == 0'
	has '.[0] | .next_due_ms > 3500000 and .next_due_ms <= 3600000'
	has '.[0] | .ready + .redeliver + .in_flight == 3'
}

lease_is_over() {
	[ "$(rcli ZCOUNT '{q}:leases' -inf "$(date +%s%3N)")" -ge 1 ]
}

@test "status tells how old the next task is, when it says so" {
	push q "{\"id\":\"a\",\"created_ms\":$(($(date +%s%3N) - 90000))}" '{"id":"b"}'
	queue status --format json
	has '.[0].oldest_age_ms | . >= 90000 and . < 100000'
	rcli RPOP q >/dev/null
	queue status --format json
	has '.[0] | .oldest_age_ms == null and .ready == 1'
}

@test "status shows who has what in flight, and under which lease" {
	push q 1 2 3
	start one push-pop --redis "$REDIS_URL" --queue q --worker w1 --lease 1h
	wait_for 3 one.out
	push q 4
	wait_for 4 one.out
	queue status --format json
	has '.[0].in_flight == 4'
	has '.[0].workers | length == 1 and (.[0] | .worker == "w1" and .in_flight == 4 and .is_live
		and .lease_left_ms > 3500000 and .lease_left_ms <= 3600000
		and .oldest_age_ms >= 0 and .oldest_age_ms < 60000)'
	kill_hard one
	rcli DEL '{q}:worker:w1' >/dev/null
	queue status
	[ "$(awk 'NR == 2 { print $1, $2, $4 }' <<<"$output")" = "q 0 4" ]
	[ "$(awk 'NR == 5 { print $1, $2, $3, $6 }' <<<"$output")" = "q w1 4 no" ]
	ack <one.out >/dev/null
	queue status --format json
	has '.[0].in_flight == 0 and .[0].workers == []'
}

@test "several queues, from the configuration; an empty one is shown too" {
	push q1 1
	printf '{"redis":"%s","queues":["q1","q2"]}' "$REDIS_URL" >push.conf
	stage '' push-queue --config push.conf status --format json
	[ "$status" -eq 0 ]
	has 'map([.queue, .ready, .dead]) == [["q1", 1, 0], ["q2", 0, 0]]'
}

# --- peek --------------------------------------------------------------------------

@test "peek shows what comes next first, and touches nothing" {
	push q '{"id":"a"}' '{"id":"b"}' '{"id":"c"}'
	printf '\xff\xfe' | rcli -x LPUSH q >/dev/null
	queue peek ready --count 2
	[ "$status" -eq 0 ]
	has 'map(.raw | fromjson.id) == ["a", "b"] and all(.q == "q" and .state == "ready")'
	queue peek ready
	has 'length == 4 and .[3].raw_base64 == "//4="'
	[ "$(rcli LLEN q)" -eq 4 ]
}

@test "peek goes through more than a page" {
	seq 1 350 | sed "s/.*/LPUSH q &/" | rcli >/dev/null
	queue peek ready --count 1000
	has 'map(.raw | tonumber) == [range(1; 351)]'
	pop --window 1000 >claimed
	queue peek inflight --count 1000
	has 'map(.raw | tonumber) | sort == [range(1; 351)]'
	queue peek inflight --count 150
	has 'length == 150'
}

@test "peek shows attempts, history and due time of what waits" {
	push q '{"id":"a"}'
	pop >claimed
	queue peek inflight
	has 'length == 1 and (.[0] | .worker == "w1" and .attempt == 1 and .kind == "task" and .history == [])'
	has '.[0].uid == $uid' --arg uid "$(jq -r '.trace.pop[2].uid' claimed)"
	decide vendor-unavailable <claimed | ack >/dev/null
	queue peek delayed
	has 'length == 1 and (.[0] | .attempt == 2 and .due_ms > .first_ms and
		(.history | length == 1 and .[0].why == "vendor-unavailable"))'
	has '.[0].raw | fromjson.id == "a"'
	queue peek dead
	[ -z "$output" ]
}

@test "peek dead shows the newest first, as stored" {
	die vendor-config a b
	queue peek dead
	has 'map(.raw | fromjson.id) == ["b", "a"]'
	has 'all(.state == "dead" and .reason == "vendor-config" and .attempts == 1)'
}

# --- dead letters --------------------------------------------------------------------

@test "replay gives all out again, oldest first, with uid and history, in a first attempt" {
	die vendor-config a b c
	queue peek dead
	jq -s 'map({key: (.raw | fromjson.id), value: .uid}) | from_entries' "$output_file" >uids
	queue replay --all
	[ "$status" -eq 0 ]
	[ "$output" = "replayed 3" ]
	[ "$(rcli LLEN '{q}:dead')" -eq 0 ]
	queue peek redeliver
	has 'all(.history | map(.why) == ["vendor-config", "replayed"])'
	pop >again
	has_in again 'map(.id) == ["a", "b", "c"] and all(.trace.pop[2].attempt == 1)'
	has_in again 'all(.trace.pop[2].uid == $uids[0][.id])' --slurpfile uids uids
}

@test "replay by reason and by id leaves the others where they were" {
	die vendor-config a b
	die bad-request c d
	queue replay --reason vendor-config --id b
	[ "$output" = "replayed 1" ]
	queue replay --reason bad-request
	[ "$output" = "replayed 2" ]
	queue peek redeliver
	[ "$(raw_ids)" = "b c d" ]
	queue peek dead
	[ "$(raw_ids)" = "a" ]
	queue replay --id "$(jq -r .uid "$output_file")"
	[ "$output" = "replayed 1" ]
	queue replay --id nobody
	[ "$status" -eq 0 ]
	[ "$output" = "replayed 0" ]
}

@test "replay over many chunks: every third goes, order is kept on both sides" {
	seq 0 899 | awk '{ printf "LPUSH {q}:dead \"{\\\"uid\\\":\\\"u%d\\\",\\\"reason\\\":\\\"%s\\\",\\\"attempts\\\":1,\\\"kind\\\":\\\"task\\\",\\\"first_ms\\\":1763627000123,\\\"dead_ms\\\":1763627000124,\\\"history\\\":[],\\\"raw\\\":\\\"%d\\\"}\"\n", $1, $1 % 3 ? "other" : "wanted", $1 }' |
		rcli >/dev/null
	[ "$(rcli LLEN '{q}:dead')" -eq 900 ]
	queue replay --reason wanted
	[ "$output" = "replayed 300" ]
	queue peek redeliver --count 1000
	has 'map(.raw | tonumber) == [range(0; 900; 3)]'
	queue peek dead --count 1000
	has 'map(.raw | tonumber) | reverse == [range(0; 900) | select(. % 3 != 0)]'
	queue replay --all
	[ "$output" = "replayed 600" ]
	[ "$(rcli LLEN '{q}:dead')" -eq 0 ]
	[ "$(rcli LLEN '{q}:redeliver')" -eq 900 ]
}

@test "bytes that are not UTF-8 come back as they were" {
	printf '\xff\x00\xfe' | rcli -x LPUSH q >/dev/null
	pop | ack >/dev/null
	queue replay --all
	[ "$output" = "replayed 1" ]
	queue peek redeliver
	has '.[0].raw_base64 == "/wD+"'
}

@test "what is replayed is really sent: its old reservation does not eat it" {
	push q '{"id":"a","device":{"platform":"ios","token":"00aa"}}'
	pop --lease 1ms --attempts 1 | push-dedupe --store "$REDIS_URL" >first
	has_in first '.[0].trace | has("outcome") | not'
	wait_until 10 lease_is_over
	pop --attempts 1 >none
	[ ! -s none ]
	queue replay --all
	[ "$output" = "replayed 1" ]
	pop | push-dedupe --store "$REDIS_URL" >second
	has_in second 'length == 1 and (.[0].trace | has("outcome") | not)'
	# Pushed by hand it would be another push, held back as a duplicate.
	push q '{"id":"a","device":{"platform":"ios","token":"00aa"}}'
	pop --worker w2 | push-dedupe --store "$REDIS_URL" >third
	has_in third 'map(.trace.reason) | index("duplicate") != null'
}

@test "letters that nobody can read are left and told" {
	die vendor-config a
	rcli LPUSH '{q}:dead' 'no letter' '{"uid":"x"}' >/dev/null
	queue replay --all
	[ "$status" -eq 100 ]
	[ "$output" = "replayed 1" ]
	logged '2 dead letters cannot be read'
	[ "$(rcli LLEN '{q}:dead')" -eq 2 ]
	queue drop --all --yes
	[ "$output" = "dropped 2" ]
}

@test "drop tells how many before it is sure, then drops those" {
	die vendor-config a b
	die bad-request c
	queue drop --reason vendor-config
	[ "$status" -eq 100 ]
	logged '2 dead letters would be dropped for good'
	[ "$(rcli LLEN '{q}:dead')" -eq 3 ]
	queue drop --reason vendor-config --yes
	[ "$status" -eq 0 ]
	[ "$output" = "dropped 2" ]
	queue peek dead
	[ "$(raw_ids)" = "c" ]
	[ "$(rcli LLEN '{q}:redeliver')" -eq 0 ]
}

@test "drop works when memory is full, replay says that it is" {
	die vendor-config a b
	rcli CONFIG SET maxmemory 1 >/dev/null
	queue replay --all
	[ "$status" -eq 111 ]
	[ "$(rcli LLEN '{q}:dead')" -eq 2 ]
	queue drop --id a --yes
	rcli CONFIG SET maxmemory 0 >/dev/null
	[ "$output" = "dropped 1" ]
	[ "$(rcli LLEN '{q}:dead')" -eq 1 ]
}

@test "replay and drop want to be told which" {
	die vendor-config a
	queue replay
	[ "$status" -eq 100 ]
	logged 'say --all, --reason or --id'
	queue drop --yes
	[ "$status" -eq 100 ]
	[ "$(rcli LLEN '{q}:dead')" -eq 1 ]
}

# --- cancel, stop, resume --------------------------------------------------------------

# The payload of a JWS; nobody verifies it here.
signed() {
	printf '{"app":"shop","jws":"e30.%s.c2ln"}' \
		"$(printf '%s' "$1" | base64 -w 0 | tr '+/' '-_' | tr -d =)"
}

@test "cancel takes tasks from the ready list, however they are written" {
	push q '{"id":"a/b"}' '{"id":"a\/b"}' "$(signed '{"id":"a/b","x":"ÿÿ>>"}')" \
		'{"id":"other","note":"a/b"}' '{"id":"a\u002fb"}' "$(signed '{"id":"other"}')" 'no json a/b'
	queue cancel a/b
	[ "$status" -eq 0 ]
	[ "$output" = "removed 4, waiting 0, in flight 0" ]
	[ "$(rcli LLEN q)" -eq 3 ]
	queue stops --format json
	[ -z "$output" ]
}

@test "cancel looks through a long queue" {
	seq 1 1700 | sed "s/.*/LPUSH q '{\"id\":\"&\"}'/" | rcli >/dev/null
	queue cancel 3
	[ "$output" = "removed 1, waiting 0, in flight 0" ]
	queue cancel 1699
	[ "$output" = "removed 1, waiting 0, in flight 0" ]
	queue cancel 3
	[ "$output" = "removed 0, waiting 0, in flight 0" ]
	queue peek ready --count 2000
	has 'map(.raw | fromjson.id | tonumber) == [range(1; 1701) | select(. != 3 and . != 1699)]'
}

@test "what waits or is in flight is cancelled by the chain" {
	push q '{"id":"a"}' '{"id":"b"}'
	pop | decide vendor-unavailable | ack >/dev/null
	queue cancel a
	[ "$output" = "removed 0, waiting 1, in flight 0; the id stays stopped" ]
	pop >due
	has_in due 'map(.id) == ["a"]'
	queue cancel a
	[ "$output" = "removed 0, waiting 0, in flight 1; the id stays stopped" ]
	push-risk --stops "$REDIS_URL" <due >judged
	has_in judged '.[0].trace | .outcome == "suppressed" and .reason == "cancelled"'
	ack <judged >/dev/null
	queue resume id a
	[ "$output" = "goes on" ]
	queue status --format json
	has '.[0] | .delayed == 1 and .in_flight == 0 and .dead == 0'
}

@test "stop, stops, resume: every kind, with a note" {
	queue stop campaign 'spring sale' --note 'wrong price'
	[ "$status" -eq 0 ]
	[ "$output" = stopped ]
	queue stop app shop
	queue stop category news
	queue stop id t1
	queue stops --format json
	has 'map([.kind, .name]) == [["campaign", "spring sale"], ["app", "shop"], ["category", "news"], ["id", "t1"]]'
	has '.[0].note == "wrong price" and (.[0].since_ms / 1000 - now | fabs < 60)'
	queue stops
	[[ $output == *'spring sale'*'wrong price'* ]]
	printf '%s\n' '{"campaign":"spring sale"}' '{"app":"shop"}' '{"category":"news"}' '{"id":"t1"}' '{"id":"t2"}' |
		push-risk --stops "$REDIS_URL" >judged
	has_in judged 'map(.trace.reason) == ["campaign-stopped", "app-stopped", "category-stopped", "cancelled", null]'
	queue resume campaign 'spring sale'
	[ "$output" = "goes on" ]
	queue resume campaign 'spring sale'
	[ "$output" = "was not stopped" ]
	queue stops --format json
	has 'length == 3'
}

@test "risk.stops of the configuration is where stops are kept" {
	printf '{"redis":"%s","risk":{"stops":"%s?db=3"}}' "$REDIS_URL" "$REDIS_URL" >push.conf
	stage '' push-queue -c push.conf stop app shop
	[ "$status" -eq 0 ]
	[ "$(rcli -n 3 HEXISTS push:stops app:shop)" -eq 1 ]
	[ "$(rcli EXISTS push:stops)" -eq 0 ]
}

# --- feedback --------------------------------------------------------------------------

told() {
	push q "{\"id\":\"$1\",\"user\":\"$1\",\"device\":{\"platform\":\"ios\",\"token\":\"00$1\"}}"
	pop | decide token-dead | ack >/dev/null
}

@test "feedback shows what vendors said about tokens, oldest first" {
	told aa
	told bb
	queue feedback
	[ "$status" -eq 0 ]
	has 'map(.user) == ["aa", "bb"] and all(.q == "q" and .reason == "token-dead" and (.at_ms | type == "number"))'
	has 'map(.token) == ["00aa", "00bb"]'
	local first
	first=$(jq -r .entry "$output_file" | head -n 1)
	queue feedback --after "$first"
	has 'map(.user) == ["bb"]'
	queue feedback --count 1
	has 'map(.user) == ["aa"]'
}

@test "feedback --follow goes on with what comes" {
	told aa
	start_unready f push-queue --redis "$REDIS_URL" --queue q feedback --follow
	wait_for 1 f.out
	told bb
	wait_for 2 f.out
	has_in f.out 'map(.user) == ["aa", "bb"]'
	kill_hard f
}

# --- odd use -----------------------------------------------------------------------------

@test "what cannot be meant ends with 100 and says what is wanted" {
	stage '' push-queue
	[ "$status" -eq 100 ]
	logged 'no command given'
	queue dance
	[ "$status" -eq 100 ]
	logged "unknown command 'dance'"
	queue peek somewhere
	[ "$status" -eq 100 ]
	queue status more
	[ "$status" -eq 100 ]
	logged "unexpected argument 'more'"
	queue stop weather rain
	[ "$status" -eq 100 ]
	queue cancel
	[ "$status" -eq 100 ]
	queue status --format xml
	[ "$status" -eq 100 ]
	stage '' push-queue --redis "$REDIS_URL" status
	[ "$status" -eq 100 ]
	logged '--queue is missing'
	stage '' push-queue --redis "$REDIS_URL" --queue 'q{1}' status
	[ "$status" -eq 100 ]
}

@test "Redis that is away is 111" {
	stage '' push-queue --redis "unix://$PWD/none.sock" --queue q status
	[ "$status" -eq 111 ]
}
