# push-dedupe: each key once a window, whatever store holds it.
# shellcheck disable=SC2030,SC2031 # stage sets status for the test it is called in
load ../helper.bash

setup_file() {
	redis_up
}

# A record that push-pop has claimed as push UID: MEMBERS are without braces.
claimed() { # UID MEMBERS
	printf '{%s,"trace":{"t0_us":1763627000123456,"uid":"%s"}}\n' "$2" "$1"
}

reasons() {
	jq -r '.trace.reason // "-"' "$output_file" | paste -sd ' '
}

# What push-ack does when a record has ended with REASON.
acknowledge() { # OUTCOME REASON, records on standard input
	jq -c --arg o "$1" --arg r "$2" '.trace += {outcome: $o, reason: $r}' |
		push-ack ${CONF:+-c "$CONF"} --redis "$REDIS_URL" --dedupe "$STORE" --fatigue memory: >/dev/null
}

@test "the example of the page: the second of two equal tasks" {
	awk '/^\.Bd/ { n++; on = n == 1; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-dedupe.1" |
		sed 's/\\e/\\/g' >example.sh
	stage '' bash ./example.sh
	[ "$status" -eq 0 ]
	[ "$output" = "null
duplicate" ]
}

two_pushes() {
	stage "$(claimed a '"app":"s","id":"1","user":"u"')
$(claimed b '"app":"s","id":"1","user":"u"')
$(claimed c '"app":"s","id":"2","user":"u"')" push-dedupe --store "$STORE"
	[ "$status" -eq 0 ]
	[ "$(reasons)" = "- duplicate -" ]
	has 'all(.[]; .trace.dedupe) and .[1].trace.outcome == "suppressed"'
}
@test "the same id pushed twice is a duplicate" {
	each_store two_pushes
}

redelivered() {
	stage "$(claimed a '"app":"s","id":"1","user":"u"')
$(claimed a '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = "- -" ]
}
@test "an empty id or dedupe_key is none: its tasks are not each other's duplicates" {
	printf '%s\n' '{"id":"","user":"u"}' '{"id":"","user":"u"}' '{"dedupe_key":"","user":"u"}' \
		'{"id":"a","dedupe_key":"","user":"u"}' '{"id":"a","user":"u"}' >in
	stage_file in push-dedupe --store memory:
	[ "$status" -eq 0 ]
	has 'map(.trace.reason) == [null, null, null, null, "duplicate"]'
	has '.[0].id == "" and .[2].dedupe_key == ""'
}

@test "the same push seen twice is a redelivery and passes" {
	each_store redelivered
}

# --- rules ---

@test "the last example of the page: codes always, no advertisement twice a week" {
	awk '/^\.Bd/ { n++; on = n == 3; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-dedupe.1" >rules
	(echo '{' && cat rules && echo '}') >push.conf
	day=86400000
	ad='"user":"u","category":"marketing","message":{"notification":{"title":"Sale"}}'
	stage "{\"id\":\"1\",\"user\":\"u\",\"category\":\"otp\"}
{\"id\":\"1\",\"user\":\"u\",\"category\":\"otp\"}
{\"id\":\"a\",\"created_ms\":$((20000 * day)),$ad}
{\"id\":\"b\",\"created_ms\":$((20007 * day - 1)),$ad}
{\"id\":\"b\",\"created_ms\":$((20007 * day)),$ad}
{\"id\":\"c\",\"created_ms\":$((20007 * day)),${ad/Sale/Sold}}" push-dedupe -c push.conf --replay
	[ "$(reasons)" = "- - - duplicate - -" ]
}

by_rule() { # RULE RECORD...: what becomes of them, as pushes a, b, c...
	local rule=$1 uid='' given='' record
	shift
	echo "{\"dedupe\":{\"rules\":[$rule]}}" >push.conf
	for record in "$@"; do
		uid+=a
		given+=$(claimed "$uid" "$record")$'\n'
	done
	stage "$given" push-dedupe -c push.conf --store memory:
	reasons
}

@test "a rule says what is compared" {
	one='"id":"1","dedupe_key":"k","user":"u","message":{"data":{"a":"1"}}'
	two='"id":"1","dedupe_key":"l","user":"u","message":{"data":{"a":"2"}}'
	three='"id":"3","dedupe_key":"k","user":"u","message":{"data": {"a" : "1"}}'
	[ "$(by_rule '{"by":"key"}' "$one" "$two" "$three")" = "- - duplicate" ]
	[ "$(by_rule '{"by":"id"}' "$one" "$two" "$three")" = "- duplicate -" ]
	[ "$(by_rule '{"by":"content"}' "$one" "$two" "$three")" = "- - duplicate" ]
	[ "$(by_rule '{"by":"nothing"}' "$one" "$one" "$one")" = "- - -" ]
	[ "$(by_rule '{"by":"content"}' '"id":"1","topic":"t"' '"id":"2","topic":"t"' '"id":"1","topic":"t"')" = "- - duplicate" ]
	# The first rule that is for a record counts.
	[ "$(by_rule '{"app":"s","by":"nothing"},{"priority":"low","by":"id"}' \
		"\"app\":\"s\",$one" "\"app\":\"s\",$one" "\"priority\":\"low\",$one" \
		"\"priority\":\"low\",$two" "$two")" = "- - - duplicate -" ]
}

to_device() { # UID TOKEN
	claimed "$1" '"id":"'"${3:-1}"'","user":"u","device":{"platform":"ios","token":"'"$2"'"}'
}

per_user() {
	local CONF=push.conf
	echo '{"dedupe":{"rules":[{"per":"user"}]}}' >push.conf
	# Two devices of push a; then push b with the same id.
	stage "$(to_device a aa)
$(to_device a bb)
$(to_device b aa)
$(to_device b cc)
$(to_device c cc 2)" push-dedupe -c push.conf --store "$STORE"
	[ "$(reasons)" = "- - duplicate duplicate -" ]
	# One device has had it: its redelivery is held back, the other one is not.
	head -n 1 "$output_file" | acknowledge accepted ok
	stage "$(to_device a aa)
$(to_device a bb)
$(to_device b bb)" push-dedupe -c push.conf --store "$STORE"
	[ "$(reasons)" = "already-done - duplicate" ]
	head -n 2 "$output_file" | tail -n 1 | acknowledge failed token-dead
	stage "$(to_device b bb)" push-dedupe -c push.conf --store "$STORE"
	[ "$(reasons)" = duplicate ]
}
@test "per user: all devices of one push, none of another" {
	each_lasting_store per_user
}

per_user_undelivered() {
	local CONF=push.conf
	echo '{"dedupe":{"rules":[{"per":"user"}]}}' >push.conf
	stage "$(to_device a aa)" push-dedupe -c push.conf --store "$STORE"
	acknowledge failed token-dead <"$output_file"
	stage "$(to_device b bb)" push-dedupe -c push.conf --store "$STORE"
	[ "$(reasons)" = - ]
}
@test "per user: what reached nobody may be sent again" {
	each_lasting_store per_user_undelivered
}

@test "wrong rules are for a person" {
	local rule
	for rule in '{"by":"name"}' '{"per":"app"}' '{"window":"0"}' '{"windows":"1h"}'; do
		echo "{\"dedupe\":{\"rules\":[$rule]}}" >push.conf
		stage '' push-dedupe -c push.conf
		echo "$rule: $stderr"
		[ "$status" -eq 100 ]
		logged 'dedupe.rules'
	done
}

redelivered_later() {
	claimed a '"app":"s","id":"1","user":"u"' >task
	stage_file task push-dedupe --store "$STORE"
	[ "$(reasons)" = - ]
	stage_file task push-dedupe --store "$STORE"
	[ "$(reasons)" = - ]
	stage "$(claimed b '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = duplicate ]
}
@test "a redelivery passes in another process, too" {
	each_lasting_store redelivered_later
}

delivered() {
	claimed a '"app":"s","id":"1","user":"u"' >task
	stage_file task push-dedupe --store "$STORE"
	acknowledge accepted ok <"$output_file"
	stage_file task push-dedupe --store "$STORE"
	[ "$(reasons)" = already-done ]
	has '.[0].trace.outcome == "suppressed"'
	stage "$(claimed b '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = duplicate ]
}
@test "a push that was delivered is not delivered again" {
	each_lasting_store delivered
}

undelivered() {
	claimed a '"app":"s","id":"1","user":"u"' >task
	stage_file task push-dedupe --store "$STORE"
	acknowledge failed bad-request <"$output_file"
	stage "$(claimed b '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = - ]
}
@test "a push that failed for good leaves the key to the next one" {
	each_lasting_store undelivered
}

failed_duplicate() {
	stage "$(claimed a '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	stage "$(claimed b '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = duplicate ]
	push-ack --redis "$REDIS_URL" --dedupe "$STORE" --fatigue memory: <"$output_file" >/dev/null
	stage "$(claimed c '"app":"s","id":"1","user":"u"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = duplicate ]
}
@test "the end of a duplicate does not free the key" {
	each_lasting_store failed_duplicate
}

nameless() {
	stage '{"user":"u"}
{"user":"u"}
{"user":"u"}' push-dedupe --store "$STORE"
	[ "$(reasons)" = "- - -" ]
}
@test "tasks without a name are never duplicates" {
	each_store nameless
}

targets() {
	local t='"id":"1","device":{"platform":"ios","token":"%s"}'
	# shellcheck disable=SC2059 # the format is ours
	stage "$(claimed a "$(printf "$t" aa)")
$(claimed a "$(printf "$t" bb)")
$(claimed b "$(printf "$t" bb)")
$(claimed b "$(printf "$t" cc)")
$(claimed c '"id":"1","topic":"cc"')
$(claimed d '"id":"9","dedupe_key":"1","topic":"cc"')" push-dedupe --store "$STORE"
	[ "$(reasons)" = "- - duplicate - - duplicate" ]
}
@test "every device is its own; a dedupe_key stands for the id" {
	each_store targets
}

many() {
	seq 1 3000 | sed 's/.*/{"id":"&","user":"u"}/' >tasks
	cat tasks tasks >twice
	stage_file twice push-dedupe --store "$STORE"
	[ "$status" -eq 0 ]
	has 'length == 6000 and ([.[:3000][] | .trace.reason] | unique == [null])'
	has '[.[3000:][] | .trace.reason] | unique == ["duplicate"]'
}
@test "thousands go through in order" {
	each_store many
}

@test "decided records and bad lines pass unasked" {
	stage '{"id":"1","trace":{"t0_us":1,"uid":"a","auth":[1,2],"outcome":"rejected","reason":"unauthorized"}}
{"id":"1"}
nonsense
{"id":"1"}' push-dedupe --store memory:
	[ "$status" -eq 0 ]
	[ "$(reasons)" = "unauthorized - malformed duplicate" ]
	has '.[0].trace | has("dedupe") | not'
}

@test "a window ends, by the record's time" {
	local t=1700000000000
	stage "{\"id\":\"1\",\"created_ms\":$t}
{\"id\":\"1\",\"created_ms\":$((t + 59999))}
{\"id\":\"1\",\"created_ms\":$((t + 60000))}" push-dedupe --replay --window 1m
	[ "$(reasons)" = "- duplicate -" ]
	stage "{\"id\":\"1\",\"created_ms\":$t}
{\"id\":\"1\",\"created_ms\":$((t + 86399999))}
{\"id\":\"1\",\"created_ms\":$((t + 86400000))}" push-dedupe --replay
	[ "$(reasons)" = "- duplicate -" ]
}

@test "push.conf names store and window; a file is looked for beside it" {
	mkdir etc
	echo '{"dedupe":{"store":"lmdb:state","window":"1m"}}' >etc/push.conf
	stage '{"id":"1"}' push-dedupe -c etc/push.conf
	[ "$(reasons)" = - ]
	[ -f etc/state ]
	stage '{"id":"1"}' push-dedupe --config etc/push.conf
	[ "$(reasons)" = duplicate ]
	stage '{"id":"1"}' push-dedupe -c etc/push.conf --store memory:
	[ "$(reasons)" = - ]
	echo "{\"redis\":\"$REDIS_URL\"}" >etc/redis.conf
	rcli FLUSHALL
	stage '{"id":"1"}' push-dedupe -c etc/redis.conf
	[ "$(rcli DBSIZE)" -eq 1 ]
	[ "$(rcli --raw KEYS 'push:d:*' | wc -l)" -ge 1 ]
}

@test "push-ack finds the same file through the same push.conf" {
	mkdir etc
	echo "{\"redis\":\"$REDIS_URL\",\"dedupe\":{\"store\":\"lmdb:state\"},\"fatigue\":{\"store\":\"lmdb:state\"}}" >etc/push.conf
	claimed a '"id":"1"' >task
	stage_file task push-dedupe -c etc/push.conf
	jq -c '.trace += {outcome: "accepted", reason: "ok"}' "$output_file" |
		push-ack -c etc/push.conf >/dev/null
	stage_file task push-dedupe -c etc/push.conf
	[ "$(reasons)" = already-done ]
	[ ! -e state ]
}

@test "keys in Redis end with the window" {
	rcli FLUSHALL
	stage '{"id":"1"}' push-dedupe --store "$REDIS_URL" --window 90s
	# shellcheck disable=SC2016 # Lua
	ttl=$(rcli EVAL 'return redis.call("PTTL", redis.call("KEYS", "*")[1])' 0)
	[ "$ttl" -gt 80000 ]
	[ "$ttl" -le 90000 ]
}

@test "a replay does not touch the chain's store" {
	echo '{"dedupe":{"store":"lmdb:state"}}' >push.conf
	stage '{"id":"1"}' push-dedupe -c push.conf --replay
	[ "$status" -eq 0 ]
	[ ! -e state ]
}

@test "a wrong store is for a person, an absent server may come back" {
	stage '' push-dedupe --store mysql://host
	[ "$status" -eq 100 ]
	logged "unknown store 'mysql'"
	stage '' push-dedupe --store lmdb:/no/such/folder/state
	[ "$status" -eq 100 ]
	logged 'lmdb:/no/such/folder/state'
	stage '' push-dedupe --store "unix://$PWD/nobody"
	[ "$status" -eq 111 ]
	stage '' push-dedupe --window soon
	[ "$status" -eq 100 ]
}

@test "while Redis is away records wait, and none passes unasked" {
	redis_up # this test's own
	start -p dedupe push-dedupe --store "$REDIS_URL"
	feed dedupe "$(claimed a '"id":"1"')
"
	wait_for 1 dedupe.out
	redis_down
	feed dedupe "$(claimed b '"id":"2"')
$(claimed a '"id":"1"')
"
	wait_until 10 grep -q redis dedupe.err
	[ "$(wc -l <dedupe.out)" -eq 1 ]
	redis_up
	wait_for 3 dedupe.out
	stop dedupe
	[ "$status" -eq 0 ]
	has_in dedupe.out 'length == 3 and all(.[]; .trace.reason == null)'
}

@test "while Redis is away the last lines of writers that ended are kept whole" {
	local i
	redis_up # this test's own
	start -o got dedupe push-dedupe --store "$REDIS_URL" --in unix:"$PWD/in.sock"
	redis_down
	for i in 1 2 3; do
		seq -f "{\"id\":\"$i-%g\"}" 300 |
			push-risk --node "feeder-$i" --out unix:"$PWD/in.sock"
	done
	wait_until 10 grep -q redis dedupe.err
	[ ! -s got ]
	redis_up
	wait_for 900 got
	stop dedupe
	[ "$status" -eq 0 ]
	has_in got 'all(.[]; .trace.reason == null) and
		([group_by(.id[:1])[] | map(.id)] == [range(1; 4) as $i | [range(1; 301) | "\($i)-\(.)"]])'
}

@test "two programs share an LMDB file" {
	start -p one push-dedupe --store lmdb:state
	start -p two push-dedupe --store lmdb:state
	feed one "$(claimed a '"id":"1"')
"
	wait_for 1 one.out
	feed two "$(claimed b '"id":"1"')
$(claimed c '"id":"2"')
"
	wait_for 2 two.out
	feed one "$(claimed d '"id":"2"')
"
	wait_for 2 one.out
	has_in one.out '[.[].trace.reason] == [null, "duplicate"]'
	has_in two.out '[.[].trace.reason] == ["duplicate", null]'
}

killed_in_mid_run() {
	local n
	for n in $(seq 1 2000); do claimed "u$n" "\"id\":\"$n\""; done >tasks
	start -p dedupe push-dedupe --store "$STORE"
	feed dedupe "$(<tasks)
"
	wait_for 1 dedupe.out
	kill_hard dedupe
	stage_file tasks push-dedupe --store "$STORE"
	[ "$status" -eq 0 ]
	has 'length == 2000 and all(.[]; .trace.reason == null)'
}
@test "killed in mid-run, its redelivered records pass" {
	each_lasting_store killed_in_mid_run
}

@test "HUP takes another window and another store" {
	echo '{"dedupe":{"store":"lmdb:one"}}' >push.conf
	start -p dedupe push-dedupe -c push.conf
	feed dedupe '{"id":"1"}
'
	wait_for 1 dedupe.out
	echo '{"dedupe":{"store":"lmdb:two"}}' >push.conf
	kill -HUP "$(pid_of dedupe)"
	wait_until 10 test -f two
	feed dedupe '{"id":"1"}
'
	wait_for 2 dedupe.out
	echo '{"dedupe":{"store":"nowhere:"}}' >push.conf
	kill -HUP "$(pid_of dedupe)"
	wait_until 10 grep -q "must be a URL" dedupe.err
	feed dedupe '{"id":"1"}
'
	wait_for 3 dedupe.out
	has_in dedupe.out '[.[].trace.reason] == [null, null, "duplicate"]'
}
