# push-fatigue: no user gets more than the rules allow, whatever store counts.
# shellcheck disable=SC2030,SC2031 # stage sets status for the test it is called in
load ../helper.bash

setup_file() {
	redis_up
}

# A record that push-pop has claimed as push UID: MEMBERS are without braces.
claimed() { # UID MEMBERS
	printf '{"app":"s",%s,"trace":{"t0_us":1763627000123456,"uid":"%s"}}\n' "$2" "$1"
}

# One record a uid, for user u.
for_u() { # UID...
	local uid
	for uid in "$@"; do claimed "$uid" '"user":"u"'; done
}

reasons() {
	jq -r '.trace.reason // "-"' "$output_file" | paste -sd ' '
}

# What push-ack does when a record has ended with REASON.
acknowledge() { # OUTCOME REASON, records on standard input
	jq -c --arg o "$1" --arg r "$2" '.trace += {outcome: $o, reason: $r}' |
		push-ack -c push.conf --redis "$REDIS_URL" --fatigue "$STORE" \
			--dedupe memory: >/dev/null
}

two_an_hour() {
	echo '{"fatigue":{"rules":[{"limit":2,"per":"1h"}]}}' >push.conf
}

@test "the first example of the page: at most two" {
	awk '/^\.Bd/ { n++; on = n == 1; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-fatigue.1" |
		sed 's/\\e/\\/g' >example.sh
	stage '' bash ./example.sh
	[ "$status" -eq 0 ]
	[ "$output" = "null
null
fatigue-cap" ]
}

@test "the last example of the page is a configuration" {
	awk '/^\.Bd/ { n++; on = n == 3; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-fatigue.1" >rules
	(echo '{' && cat rules && echo '}') >push.conf
	stage "$(for n in 1 2; do claimed "$n" '"user":"u","category":"marketing"'; done)
$(claimed 3 '"user":"u","category":"otp"')
$(for_u $(seq 4 23))" push-fatigue -c push.conf
	[ "$status" -eq 0 ]
	has '.[1].trace.fatigue[2].rule == "marketing 1 per 1h"'
	has '.[2].trace.reason == null'
	has '[.[3:][] | .trace.reason == null] == ([range(19) | true] + [false])'
	has '.[-1].trace.fatigue[2].rule == "20 per 24h"'
}

over() {
	stage "$(for_u a b c)
$(claimed c '"user":"other"')" push-fatigue --store "$STORE" --limit 2
	[ "$status" -eq 0 ]
	[ "$(reasons)" = "- - fatigue-cap -" ]
	has '.[2].trace | .outcome == "suppressed" and .fatigue[2].rule == "2 per 24h"'
}
@test "a user gets as many as the limit" {
	each_store over
}

once() {
	stage "$(for_u a a a b a b c)" push-fatigue --store "$STORE" --limit 2
	[ "$(reasons)" = "- - - - - - fatigue-cap" ]
}
@test "devices, retries and redeliveries of one push count once" {
	each_store once
}

once_later() {
	for_u a b >task
	stage_file task push-fatigue --store "$STORE" --limit 2
	stage_file task push-fatigue --store "$STORE" --limit 2
	[ "$(reasons)" = "- -" ]
	stage "$(for_u c)" push-fatigue --store "$STORE" --limit 2
	[ "$(reasons)" = fatigue-cap ]
}
@test "a redelivery counts once in another process, too" {
	each_lasting_store once_later
}

refund() {
	two_an_hour
	for_u a b >task
	stage_file task push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = "- -" ]
	head -n 1 "$output_file" | acknowledge failed token-dead
	stage "$(for_u c)" push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = - ]
	stage "$(for_u d)" push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = fatigue-cap ]
}
@test "what was not delivered is given back" {
	each_lasting_store refund
}

kept() {
	two_an_hour
	for_u a >task
	stage_file task push-fatigue -c push.conf --store "$STORE"
	cp "$output_file" passed
	acknowledge "$1" "$2" <passed
	acknowledge "$3" "$4" <passed
	stage "$(for_u b c)" push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = "- fatigue-cap" ]
}
delivered_then_failed() {
	kept accepted ok failed token-dead
}
failed_then_delivered() {
	kept failed token-dead accepted ok
}
@test "one device delivered, then another failed: counted" {
	each_lasting_store delivered_then_failed
}
@test "one device failed, then another delivered: counted" {
	each_lasting_store failed_then_delivered
}

all_rules() {
	echo '{"fatigue":{"rules":[
		{"limit":3,"per":"24h"},
		{"category":"marketing","limit":1,"per":"1h"}]}}' >push.conf
	# b is refused by the second rule and must not stay counted by the first.
	stage "$(claimed a '"user":"u","category":"marketing"')
$(claimed b '"user":"u","category":"marketing"')
$(for_u c d e)" push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = "- fatigue-cap - - fatigue-cap" ]
	has '.[1].trace.fatigue[2].rule == "marketing 1 per 1h"'
	has '.[4].trace.fatigue[2].rule == "3 per 24h"'
}
@test "all rules must allow; what a refused record took is given back" {
	each_store all_rules
}

refused_redelivery() {
	echo '{"fatigue":{"rules":[
		{"limit":1,"per":"24h"},
		{"category":"marketing","limit":1,"per":"1h"}]}}' >push.conf
	echo '{"fatigue":{"rules":[{"limit":1,"per":"24h"}]}}' >first.conf
	echo '{"fatigue":{"rules":[{"category":"marketing","limit":1,"per":"1h"}]}}' >second.conf
	# As if killed between taking from the first rule and giving back.
	stage "$(claimed a '"user":"u","category":"marketing"')" push-fatigue -c second.conf --store "$STORE"
	stage "$(claimed b '"user":"u","category":"marketing"')" push-fatigue -c first.conf --store "$STORE"
	stage "$(claimed b '"user":"u","category":"marketing"')" push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = fatigue-cap ]
	stage "$(for_u c)" push-fatigue -c push.conf --store "$STORE"
	[ "$(reasons)" = - ]
}
@test "a refused redelivery gives back what its first delivery took" {
	each_lasting_store refused_redelivery
}

@test "rules are for their app, category and priority" {
	echo '{"fatigue":{"rules":[
		{"app":"s","category":"a","priority":"low","limit":1,"per":"1h"}]}}' >push.conf
	stage "$(claimed 1 '"user":"u","category":"a","priority":"low"')
$(claimed 2 '"user":"u","category":"a"')
$(claimed 3 '"user":"u","category":"b","priority":"low"')
{\"app\":\"t\",\"user\":\"u\",\"category\":\"a\",\"priority\":\"low\"}
$(claimed 4 '"user":"u","category":"a","priority":"low"')" push-fatigue -c push.conf
	[ "$(reasons)" = "- - - - fatigue-cap" ]
	has '.[4].trace.fatigue[2].rule == "s a low 1 per 1h"'
}

@test "each app counts for itself" {
	stage '{"app":"a","user":"u"}
{"app":"b","user":"u"}
{"user":"u"}
{"app":"a","user":"u"}' push-fatigue --limit 1
	[ "$(reasons)" = "- - - fatigue-cap" ]
}

@test "exempt categories pass uncounted" {
	echo '{"fatigue":{"rules":[{"limit":1,"per":"1h"}],"exempt":["otp"]}}' >push.conf
	stage "$(claimed 1 '"user":"u","category":"otp"')
$(claimed 2 '"user":"u","category":"otp"')
$(for_u 3)
$(claimed 4 '"user":"u","category":"otp"')
$(for_u 5)" push-fatigue -c push.conf
	[ "$(reasons)" = "- - - - fatigue-cap" ]
}

@test "records without a user pass" {
	stage '{"topic":"news"}
{"topic":"news"}
{"device":{"platform":"ios","token":"aa"}}
{"device":{"platform":"ios","token":"aa"}}' push-fatigue --limit 1
	[ "$(reasons)" = "- - - -" ]
}

@test "without rules everything passes, and it says so" {
	stage "$(for_u a b c)" push-fatigue
	[ "$(reasons)" = "- - -" ]
	logged 'no rules: everything passes'
}

slides() {
	local t=1700000000000
	stage "{\"user\":\"u\",\"created_ms\":$t}
{\"user\":\"u\",\"created_ms\":$((t + 600000))}
{\"user\":\"u\",\"created_ms\":$((t + 3599000))}
{\"user\":\"u\",\"created_ms\":$((t + 3600000))}
{\"user\":\"u\",\"created_ms\":$((t + 3601000))}
{\"user\":\"u\",\"created_ms\":$((t + 4200000))}" push-fatigue --replay --store "$STORE" --limit 2 --per 1h
	[ "$(reasons)" = "- - fatigue-cap - fatigue-cap -" ]
}
@test "the window slides, by the record's time" {
	each_store slides
}

@test "a replay decides the same again and leaves the chain's store alone" {
	echo '{"fatigue":{"store":"lmdb:state","rules":[{"limit":2,"per":"1h"}]}}' >push.conf
	stage "$(for_u a b c)" push-fatigue -c push.conf
	cp "$output_file" captured
	rm state state-lock
	stage_file captured push-fatigue -c push.conf --replay
	[ "$(reasons)" = "- - fatigue-cap" ]
	[ ! -e state ]
	echo '{"fatigue":{"rules":[{"limit":1,"per":"1h"}]}}' >new.conf
	stage_file captured push-fatigue -c new.conf --replay
	[ "$(reasons)" = "- fatigue-cap fatigue-cap" ]
}

@test "a replay decides record by record: days that are read in one go are still days" {
	echo '{"fatigue":{"rules":[{"limit":5,"per":"24h"},{"limit":1,"per":"1h"}]}}' >push.conf
	jq -nc 'foreach range(300) as $n (1763600000; . + $n * $n * 7919 % 5400; { user: "u", created_ms: (. * 1000) })' >days
	# What the rules say, told in jq: the times that count still, newest first.
	jq -rn 'reduce inputs as $r ({ kept: [], told: [] }; ($r.created_ms / 1000) as $now
		| .kept |= map(select(. > $now - 86400))
		| if (.kept | length) < 5 and all(.kept[]; . <= $now - 3600)
			then .kept += [$now] | .told += ["-"] else .told += ["fatigue-cap"] end)
		| .told | join(" ")' days >expected
	stage_file days push-fatigue -c push.conf --replay
	[ "$status" -eq 0 ]
	diff expected <(reasons)
	[ "$(reasons | tr ' ' '\n' | grep -c fatigue-cap)" -gt 100 ]
}

many_users() {
	local n
	for n in 1 2 3; do seq 1 1500 | sed 's/.*/{"app":"s","user":"u&"}/'; done >tasks
	stage_file tasks push-fatigue --store "$STORE" --limit 2
	[ "$status" -eq 0 ]
	has 'length == 4500 and ([.[:3000][] | .trace.reason] | unique == [null])'
	has '[.[3000:][] | .trace.reason] | unique == ["fatigue-cap"]'
}
# --- quiet hours ---

# One rule for all: 22:00 to 08:00, THEN, in the zone of the task.
quiet_nights() { # THEN
	echo "{\"fatigue\":{\"quiet_hours\":[{\"from\":\"22:00\",\"to\":\"08:00\",\"then\":\"$1\"}],
		\"time_zone\":\"Europe/Berlin\"}}" >push.conf
}

# A task that is met at TIME, UTC.
at() { # TIME [MEMBERS]
	printf '{"user":"u","created_ms":%s000%s}\n' "$(date -u -d "$1" +%s)" "${2:+,$2}"
}

# The hours for which each record is put off; - for one that passes.
put_off() {
	jq -r '.trace | if .reason == "quiet-hours-deferred" then .after_ms / 3600000 else .reason // "-" end' \
		"$output_file" | paste -sd ' '
}

replay_at() {
	stage "$1" push-fatigue -c push.conf --replay
	[ "$status" -eq 0 ]
}

@test "quiet hours have a begin and an end, to the second" {
	quiet_nights suppress
	# Berlin is two hours ahead in July.
	replay_at "$(at '2025-07-01 19:59:59')
$(at '2025-07-01 20:00:00')
$(at '2025-07-01 22:00:00')
$(at '2025-07-02 05:59:59')
$(at '2025-07-02 06:00:00')"
	[ "$(reasons)" = "- quiet-hours quiet-hours quiet-hours -" ]
	has '.[1].trace | .outcome == "suppressed" and .fatigue[2] ==
		{rule: "quiet 22:00-08:00", time_zone: "Europe/Berlin"}'
}

@test "the clock is the device's, else the task's, else the configuration's" {
	quiet_nights suppress
	# Noon UTC: 20:00 in Shanghai, 22:00 in Sydney, 05:00 in Los Angeles.
	replay_at "$(at '2025-07-01 12:00:00')
$(at '2025-07-01 12:00:00' '"time_zone":"Asia/Shanghai"')
$(at '2025-07-01 12:00:00' '"time_zone":"Australia/Sydney"')
$(at '2025-07-01 12:00:00' '"time_zone":"Asia/Shanghai","device":{"platform":"ios","token":"aa","time_zone":"America/Los_Angeles"}')
$(at '2025-07-01 12:00:00' '"time_zone":"Nowhere/Land"')
$(at '2025-07-01 21:00:00' '"time_zone":"../../etc/passwd"')"
	[ "$(reasons)" = "- - quiet-hours quiet-hours - quiet-hours" ]
	has '[.[].trace.fatigue[2].unknown_zone] == [null, null, null, null, true, true]'
	has '.[3].trace.fatigue[2].time_zone == "America/Los_Angeles"'
	stage '{"time_zone":7}' push-fatigue -c push.conf
	[ "$(reasons)" = bad-member ]
}

@test "deferred to the end of the night, which daylight saving makes longer or shorter" {
	quiet_nights defer
	replay_at "$(at '2025-07-01 20:00:00')
$(at '2025-03-29 21:00:00')
$(at '2025-03-30 00:30:00')
$(at '2025-03-30 01:30:00')
$(at '2025-10-25 20:00:00')
$(at '2025-10-26 00:30:00')
$(at '2025-10-26 01:30:00')
$(at '2025-10-26 07:00:00')"
	[ "$(put_off)" = "10 9 5.5 4.5 11 6.5 5.5 -" ]
	has '.[0].trace.fatigue[2].until_ms == 1751436000000'
}

@test "never past expires_ms" {
	quiet_nights defer
	replay_at "$(at '2025-07-01 20:00:00' '"expires_ms":1751436000001')
$(at '2025-07-01 20:00:00' '"expires_ms":1751436000000')"
	[ "$(put_off)" = "10 quiet-hours" ]
}

@test "a whole country does not wake in one second: deferred ones are spread behind the end" {
	local n
	quiet_nights defer
	sed -i 's/"then":"defer"/&,"spread":"1h"/' push.conf
	# The end is 06:00 UTC, 1751436000000.
	for ((n = 0; n < 2000; n++)); do
		printf '{"app":"s","user":"u%d","trace":{"t0_us":1751400000000000,"pop":[0,1,{"q":"q","uid":"x","receipt":"w:%d","attempt":1}]}}\n' "$n" "$n"
	done >tasks
	stage_file tasks push-fatigue -c push.conf --replay
	# Nobody early, nobody late, about as many in each quarter of the hour, and
	# each user at a place of its own.
	has '[.[].trace.fatigue[2].until_ms - 1751436000000] | min >= 0 and max < 3600000
		and (group_by(. / 900000 | floor) | length == 4 and all(.[]; length > 400))
		and (unique | length > 1900)'
	has 'all(.[]; .trace.after_ms == .trace.fatigue[2].until_ms - 1751400000000)'
	# The same places every time; several devices of a user go together.
	cp "$output_file" once
	stage_file tasks push-fatigue -c push.conf --replay
	cmp once "$output_file"
	sed 's/"user":"u7"/&,"device":{"platform":"ios","token":"aa"}/' tasks >devices
	stage_file devices push-fatigue -c push.conf --replay
	[ "$(jq .trace.after_ms once)" = "$(jq .trace.after_ms "$output_file")" ]
	# Never past expires_ms.
	sed 's/"app"/"expires_ms":1751436000010,&/' tasks >hasty
	stage_file hasty push-fatigue -c push.conf --replay
	has '[.[].trace.fatigue[2].until_ms - 1751436000000] | min >= 0 and max < 10 and (unique | length == 10)'
}

@test "the fourth example of the page: marketing, normal and urgent at night" {
	awk '/^\.Bd/ { n++; on = n == 4; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-fatigue.1" >rules
	(echo '{' && cat rules && echo '}') >push.conf
	replay_at "$(at '2025-07-01 19:00:00' '"category":"marketing","priority":"high"')
$(at '2025-07-01 19:00:00')
$(at '2025-07-01 21:00:00')
$(at '2025-07-01 21:00:00' '"priority":"low"')
$(at '2025-07-01 21:00:00' '"priority":"high"')
$(at '2025-07-01 21:00:00' '"category":"otp"')"
	[ "$(put_off | sed 's/ 9\.[0-4][0-9]*/ 9+/')" = "quiet-hours - 9 9+ - -" ]
	has '.[0].trace.fatigue[2].rule == "marketing quiet 21:00-09:00"'
}

@test "what comes at night is not counted" {
	echo '{"fatigue":{"rules":[{"limit":1,"per":"24h"}],
		"quiet_hours":[{"from":"22:00","to":"08:00","then":"defer"}]}}' >push.conf
	replay_at "$(at '2025-07-01 22:00:00')
$(at '2025-07-02 07:00:00')
$(at '2025-07-02 08:00:00')
$(at '2025-07-02 08:00:01')"
	[ "$(put_off)" = "10 1 - fatigue-cap" ]
}

@test "wrong quiet hours are for a person" {
	local rule
	for rule in '{"to":"08:00"}' '{"from":"22:00"}' '{"from":"24:00","to":"08:00"}' \
		'{"from":"8:00","to":"22:00"}' '{"from":"08:60","to":"22:00"}' \
		'{"from":"22:00","to":"08:00","then":"defer","spread":"13h"}' '{"from":"22:00","to":"08:00","spread":"1h"}' \
		'{"from":"08:00","to":"08:00"}' '{"from":"22:00","to":"08:00","then":"drop"}'; do
		echo "{\"fatigue\":{\"quiet_hours\":[$rule]}}" >push.conf
		stage '' push-fatigue -c push.conf
		echo "$rule: $stderr"
		[ "$status" -eq 100 ]
		logged 'fatigue.quiet_hours'
	done
	echo '{"fatigue":{"time_zone":"Mars/Olympus"}}' >push.conf
	stage '' push-fatigue -c push.conf
	[ "$status" -eq 100 ]
	logged "no time zone 'Mars/Olympus'"
	# Quiet hours need tzdata, caps alone do not.
	quiet_nights suppress
	TZDIR=$PWD stage '' push-fatigue -c push.conf
	[ "$status" -eq 100 ]
	TZDIR=$PWD stage '{"user":"u"}
{"user":"u"}' push-fatigue --limit 1
	[ "$(reasons)" = "- fatigue-cap" ]
}

@test "thousands of users are counted apart" {
	each_store many_users
}

@test "wrong rules are for a person" {
	local rules
	for rules in '{"per":"1h"}' '{"limit":3}' '{"limit":0,"per":"1h"}' \
		'{"limit":3,"per":"500ms"}' '{"limit":3,"per":"1h","priority":"urgent"}' \
		'{"limit":3,"per":"1h"},{"limit":4,"per":"60m"}'; do
		echo "{\"fatigue\":{\"rules\":[$rules]}}" >push.conf
		stage '{"user":"u"}' push-fatigue -c push.conf
		echo "$rules: $stderr"
		[ "$status" -eq 100 ]
		logged 'fatigue.rules'
	done
	stage '' push-fatigue --limit 0
	[ "$status" -eq 100 ]
	stage '' push-fatigue --limit 3 --per often
	[ "$status" -eq 100 ]
	logged often
	stage '' push-fatigue --store nowhere:
	[ "$status" -eq 100 ]
	stage '' push-fatigue --store "unix://$PWD/nobody"
	[ "$status" -eq 111 ]
}

@test "HUP takes new rules and keeps the counts; bad rules change nothing" {
	echo '{"fatigue":{"rules":[{"limit":1,"per":"1h"}]}}' >push.conf
	start -p fatigue push-fatigue -c push.conf --store memory:
	feed fatigue "$(for_u a b)
"
	wait_for 2 fatigue.out
	echo '{"fatigue":{"rules":[{"limit":2,"per":"1h","limmit":3}]}}' >push.conf
	kill -HUP "$(pid_of fatigue)"
	wait_until 10 grep -q limmit fatigue.err
	feed fatigue "$(for_u c)
"
	wait_for 3 fatigue.out
	echo '{"fatigue":{"rules":[{"limit":2,"per":"1h"},{"app":"x","limit":1,"per":"1h"}]}}' >push.conf
	kill -HUP "$(pid_of fatigue)"
	wait_until 10 grep -q 'configuration read again' fatigue.err
	feed fatigue "$(for_u d e)
"
	wait_for 5 fatigue.out
	has_in fatigue.out '[.[].trace.reason == null] == [true, false, false, true, false]'
}

@test "while Redis is away records wait, and are then counted once" {
	redis_up # this test's own
	start -p fatigue push-fatigue --store "$REDIS_URL" --limit 2
	feed fatigue "$(for_u a)
"
	wait_for 1 fatigue.out
	redis_down
	feed fatigue "$(for_u b c d)
"
	wait_until 10 grep -q redis fatigue.err
	[ "$(wc -l <fatigue.out)" -eq 1 ]
	redis_up
	wait_for 4 fatigue.out
	stop fatigue
	[ "$status" -eq 0 ]
	# The server has come back empty.
	has_in fatigue.out '[.[].trace.reason] == [null, null, null, "fatigue-cap"]'
}
