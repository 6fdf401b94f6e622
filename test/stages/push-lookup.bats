# push-lookup: one record a device, and every part of a task comes out.
# shellcheck disable=SC2030,SC2031 # stage sets status for the test it is called in
load ../helper.bash

# Of the two large segments, which wait for the end of what they have begun.
export BATS_TEST_TIMEOUT=$((900 * PUSH_TEST_SLOW))

setup_file() {
	redis_up
}

# Runs CASE once a registry that holds ann's two devices and bob's one.
each_registry() { # CASE
	CASE=$1
	each_url with_devices "lmdb:$PWD/devices" "$REDIS_URL"
}

with_devices() {
	push-device --store "$STORE" import - <<'END'
{"app":"s","user":"ann","platform":"ios","token":"aa01aa01","environment":"sandbox","locale":"en-GB","time_zone":"Europe/London","registered_ms":1700000000000}
{"app":"s","user":"ann","platform":"android","token":"ann:android","registered_ms":1700000000001}
{"app":"s","user":"bob","platform":"ios","token":"bb01bb01","registered_ms":1700000000002}
{"app":"t","user":"cid","platform":"ios","token":"cc01cc01","registered_ms":1700000000003}
{"user":"dan","platform":"ios","token":"dd01dd01","registered_ms":1700000000004}
END
	"$CASE"
}

@test "the example of the page: two devices in, two records out" {
	awk '/^\.Bd/ { n++; on = n == 1; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-lookup.1" |
		sed 's/\\e/\\/g' >example.sh
	stage '' bash ./example.sh
	[ "$status" -eq 0 ]
	[ "$(tail -n 2 "$output_file" | jq -c '.[1]' | paste -sd ' ')" = '{"n":0,"of":2} {"n":1,"of":2}' ]
	[ "$(tail -n 2 "$output_file" | jq -r '.[0]' | sort | paste -sd ' ')" = 'android ios' ]
}

one_user() {
	stage '{"id":"1","app":"s","user":"ann","n":1.0,"trace":{"t0_us":5,"uid":"x"}}' push-lookup --store "$STORE"
	[ "$status" -eq 0 ]
	has 'length == 2 and ([.[].part.n] | sort) == [0, 1] and all(.[]; .part.of == 2)'
	has 'all(.[]; .user == "ann" and .id == "1" and .trace.uid == "x" and .trace.lookup and .trace.outcome == null)'
	has '[.[].device | select(.platform == "ios")] == [{"platform":"ios","token":"aa01aa01",
		"environment":"sandbox","locale":"en-GB","time_zone":"Europe/London","registered_ms":1700000000000}]'
	has '[.[].device | select(.platform == "android")] ==
		[{"platform":"android","token":"ann:android","registered_ms":1700000000001}]'
	has 'all(.[]; has("kind") | not)'
	# What it does not know passes byte for byte.
	[[ $output == *'"n":1.0'* ]]
}
@test "a user's devices, with all that is known of them" {
	each_registry one_user
}

apps_apart() {
	stage '{"app":"s","user":"cid"}
{"app":"t","user":"cid"}
{"user":"dan"}
{"app":"s","user":"dan"}' push-lookup --store "$STORE"
	has 'map(.trace.reason) | sort == [null, null, "no-device", "no-device"]'
	has '[.[] | select(.device) | .device.token] | sort == ["cc01cc01", "dd01dd01"]'
}
@test "devices are those of the task's app" {
	each_registry apps_apart
}

several_users() {
	stage '{"id":"1","app":"s","users":["ann","nobody","bob"],"user":"x"}' push-lookup --store "$STORE"
	has 'length == 4 and ([.[].part.n] | sort) == [0, 1, 2, 3] and all(.[]; .part.of == 4)'
	has '[.[].user] | sort == ["ann", "ann", "bob", "nobody"]'
	has 'all(.[]; (has("users") | not) and .kind == "batch")'
	has '[.[] | select(.user == "nobody")] | length == 1 and .[0].trace.reason == "no-device"'
	has '[.[] | select(.trace.reason == null) | .device.token] | sort == ["aa01aa01", "ann:android", "bb01bb01"]'
}
@test "a list of users, those without devices as parts of their own" {
	each_registry several_users
}

batch_of_tasks() {
	local n
	for n in $(seq 1 700); do
		echo "{\"id\":\"$n\",\"app\":\"s\",\"users\":[\"ann\",\"u$n\",\"bob\"]}"
		echo "{\"id\":\"s$n\",\"app\":\"s\",\"user\":\"bob\"}"
	done >tasks
	stage_file tasks push-lookup --store "$STORE"
	[ "$status" -eq 0 ]
	has 'length == 700 * 5'
	has 'group_by(.id) | all(.[]; length == .[0].part.of and ([.[].part.n] | sort) == [range(length)])'
	has '[.[] | select(.user == "bob") | .device.token] | unique == ["bb01bb01"]'
	has '[.[] | select(.user == "bob")] | length == 1400'
}
@test "hundreds of tasks at once" {
	each_registry batch_of_tasks
}

repeated() {
	stage '{"app":"s","users":["bob","ann","bob"]}' push-lookup --store "$STORE"
	has 'length == 4 and [.[] | select(.user == "bob") | .trace.reason] == [null, "duplicate"]'
}
@test "a device is not sent twice to in one task" {
	each_registry repeated
}

# --- segments ---

# A segment of N users u0..., every tenth of them with a device.
fill_segment() { # N
	jq -cn --argjson n "$1" 'range($n) | {app: "s", segment: "all", user: "u\(.)"},
		(select(. % 10 == 0) | {app: "s", user: "u\(.)", platform: "android", token: "t\(.)", registered_ms: 1})' |
		push-device --store "$STORE" import - >imported
}

queued() { # RECEIPT MEMBERS
	printf '{"app":"s",%s,"trace":{"t0_us":1763627000123456,"pop":[0,1,{"q":"q","uid":"x","receipt":"%s","attempt":1}]}}\n' "$2" "$1"
}

pages_without_queue() {
	fill_segment 1234
	stage '{"id":"1","app":"s","segment":"all"}
{"id":"2","app":"s","user":"u10"}
{"id":"3","app":"s","segment":"all","user":"zoe"}' push-lookup --store "$STORE"
	[ "$status" -eq 0 ]
	has '[.[] | select(.id == "1") | .user] | length == 1234 and (unique | length) == 1234'
	has '[.[] | select(.id == "3") | .user] | unique | length == 1234'
	has '[.[] | select(.id == "1" and .device)] | length == 124'
	has '[.[] | select(.device | not) | .trace.reason] | unique == ["no-device"]'
	has 'all(.[]; (has("segment") or has("segment_after")) | not)'
	has '[.[] | select(.id == "1")] | all(.kind == "batch" and (has("part") | not))'
}
@test "the second example of the page: a segment" {
	awk '/^\.Bd/ { n++; on = n == 2; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-lookup.1" >example.sh
	stage '' bash ./example.sh
	[ "$(tail -n 1 "$output_file" | jq -r '.user + " " + .trace.reason')" = "ann no-device" ]
}

@test "a segment without a queue: all its users, page by page" {
	each_registry pages_without_queue
}

one_page() {
	fill_segment 500
	stage "$(queued w:1 '"segment":"all"')" push-lookup --store "$STORE"
	has 'length == 500 and ([.[].part.n] | sort) == [range(500)] and all(.[]; .part.of == 500)'
	push-device --store "$STORE" add --app s --segment all --user last
	stage "$(queued w:1 '"id":"1","segment":"all","x":1.0')" push-lookup --store "$STORE"
	has 'length == 501 and all(.[]; .part.of == 501)'
	has '.[-1] | .segment == "all" and .part.n == 500 and .segment_after == $after
		and .trace.outcome == "retry" and .trace.reason == "segment-rest"' \
		--arg after "$(jq -rs '.[-2].user' "$output_file")"
	# What is put back comes as it left, and is the rest.
	jq -r .user "$output_file" | head -n 500 >users
	tail -n 1 "$output_file" | jq -c 'del(.part) | .trace = {t0_us: 5,
		pop: [0, 1, {q: "q", uid: "x", receipt: "w:2", attempt: 1, resumed: true}]}' >rest
	stage_file rest push-lookup --store "$STORE"
	has 'length == 1 and .[0].part == {n: 0, of: 1} and .[0].id == "1"'
	jq -r .user "$output_file" >>users
	[ "$(sort -u users | wc -l)" -eq 501 ]
}
@test "a segment of a queue: one page, and the rest as the last part" {
	each_registry one_page
}

empty_segment() {
	stage "$(queued w:1 '"segment":"nobody"')
{\"app\":\"s\",\"segment\":\"\"}
{\"segment\":7}" push-lookup --store "$STORE"
	has '[.[].trace.reason] == ["empty-segment", "bad-target", "bad-member"]'
}
@test "an empty segment is told" {
	each_registry empty_segment
	stage '{"segment":"all"}' push-lookup
	has '.[0].trace.reason == "empty-segment"'
}

# The whole way: QUEUE's tasks through lookup, stopped by risk, settled.
chain() {
	push-pop --redis "$REDIS_URL" --worker w1 --queue q --queue low |
		sh -c 'echo $$ >lookup.pid; exec "$@"' sh push-lookup --store "$STORE" |
		push-risk -c push.conf |
		push-ack --redis "$REDIS_URL" --dedupe memory: --fatigue memory: --results results >/dev/null
}

# Nothing of the segment is anywhere on its way: a rest goes from hash to set and
# back in one step, so that there is no such moment before its end.
is_spread_out() {
	[ "$(rcli EVAL 'return redis.call("LLEN", KEYS[1]) + redis.call("HLEN", KEYS[2]) +
		redis.call("ZCARD", KEYS[3])' 3 low '{low}:inflight:w1' '{low}:delayed')" -eq 0 ]
}

# One page is through, and the rest of the segment waits.
is_between_pages() {
	[ -s results ] && [ "$(rcli HLEN '{low}:inflight:w1')" -eq 0 ] &&
		[ "$(rcli ZCARD '{low}:delayed')" -eq 1 ]
}

# Stops push-pop there, and not while it holds a page that it has claimed.
stops_between_pages() { # PID
	kill -STOP "$1"
	for _ in $(seq 100); do
		if is_between_pages; then
			return 0
		fi
	done
	kill -CONT "$1"
	return 1
}

# KiB that PID has of its own: not the pages of a file that LMDB maps.
own_memory() { # PID
	awk '/^RssAnon/ { print $2 }' "/proc/$1/status"
}

# A segment of PUSH_TEST_USERS users, a million if you have a minute.
large() {
	local n=${PUSH_TEST_USERS:-100000} whole pop before after peak begin=$SECONDS
	rcli FLUSHALL >/dev/null
	fill_segment "$n"
	echo "# imported in $((SECONDS - begin)) s" >&3
	rm -f results
	echo '{"risk":{"stopped_campaigns":["c"]}}' >push.conf
	rcli LPUSH low '{"app":"s","segment":"all","campaign":"c"}' >/dev/null
	begin=$SECONDS
	chain 3>&- 4>&- &
	whole=$!
	wait_until 60 test -s results
	pop=$(pgrep -P "$whole" -x push-pop)
	wait_until 60 stops_between_pages "$pop"
	before=$(wc -l <results)
	[ "$before" -lt "$n" ]
	# Somebody else's push waits for one page at most, however many there are.
	rcli LPUSH q '{"id":"urgent","app":"s","user":"u0","campaign":"c"}' >/dev/null
	kill -CONT "$pop"
	wait_until 60 grep -q '"id":"urgent"' results
	after=$(grep -n '"id":"urgent"' results | cut -d: -f1)
	echo "urgent after $((after - before)) more"
	[ $((after - before)) -le 1100 ]
	wait_until 600 is_spread_out
	peak=$(own_memory "$(<lookup.pid)")
	echo "# push-lookup: $n users in $STORE: $((SECONDS - begin)) s, $peak KiB of its own, peak with mapped files $(
		awk '/VmHWM/ { print $2 }' "/proc/$(<lookup.pid)/status")" >&3
	[ "${PUSH_TEST_SLOW%.*}" -gt 1 ] || [ "$peak" -lt 32768 ]
	kill "$pop"
	wait "$whole"
	[ "$(rcli EXISTS '{low}:dead')" -eq 0 ]
	[ "$(grep -v segment-rest results | jq -r 'select(.id | not) | .user' | sort -u | wc -l)" -eq "$n" ]
	[ "$(grep -c no-device results)" -eq $((n * 9 / 10)) ]
	[ "$(grep -c campaign-stopped results)" -eq $((n / 10 + 1)) ]
	[ "$(wc -l <results)" -eq $((n + 1 + n / 500 - 1)) ]
	rm results
}
@test "a large segment in Redis: bounded memory, nobody waits, everybody once" {
	redis_up # this test's own
	STORE=$REDIS_URL
	large
}

@test "a large segment in LMDB: bounded memory, nobody waits, everybody once" {
	redis_up # this test's own
	STORE=lmdb:$PWD/large
	large
}

only_ios() {
	cat >push.conf <<-END
		{"lookup":{"store":"$STORE"},"apps":{"s":{"platforms":["ios"]},"t":{}}}
	END
	stage '{"id":"1","app":"s","users":["ann","bob"]}
{"id":"2","app":"t","user":"cid"}
{"id":"3","app":"s","devices":[{"platform":"ios","token":"aa"},{"platform":"android","token":"b"}]}' push-lookup -c push.conf
	[ "$status" -eq 0 ]
	has '[.[] | select(.trace.reason == null) | .device.token] | sort == ["aa", "aa01aa01", "bb01bb01", "cc01cc01"]'
	has '[.[] | select(.trace.reason) | [.id, .device.token, .trace.outcome, .trace.reason]] | sort ==
		[["1", "ann:android", "suppressed", "platform-not-allowed"], ["3", "b", "suppressed", "platform-not-allowed"]]'
	# Parts as any others, so that the task is settled when all have ended.
	has '[.[] | select(.id == "1") | .part] | sort == [{n: 0, of: 3}, {n: 1, of: 3}, {n: 2, of: 3}]'
}
@test "what is found on a platform that the app may not send to is suppressed, the rest is sent" {
	each_registry only_ios
	# HUP reads the list again.
	start -p lookup push-lookup -c push.conf
	feed lookup '{"id":"1","app":"s","user":"ann"}
'
	wait_for 2 lookup.out
	sed -i 's/"ios"/"android"/' push.conf
	kill -HUP "$(pid_of lookup)"
	wait_until 10 grep -q 'configuration read again' lookup.err
	feed lookup '{"id":"2","app":"s","user":"ann"}
'
	wait_for 4 lookup.out
	stop lookup
	has_in lookup.out '[.[] | select(.trace.reason == null) | [.id, .device.platform]] == [["1", "ios"], ["2", "android"]]'
}

@test "devices are spread out without asking anybody" {
	stage '{"id":"1","app":"s","user":"u","kind":"single","devices":[
		{"platform":"ios","token":"aa","extra":1.0},{"platform":"android","token":"b"}]}' \
		tr -d '\n'
	cp "$output_file" task
	stage_file task push-lookup
	[ "$status" -eq 0 ]
	has 'length == 2 and [.[].part] == [{"n":0,"of":2},{"n":1,"of":2}]'
	has 'all(.[]; (has("devices") | not) and .user == "u" and .kind == "single")'
	has '.[0].device == {"platform":"ios","token":"aa","extra":1.0} and .[1].device.token == "b"'
}

@test "a bad device spoils its own part only" {
	stage '{"devices":[{"platform":"win","token":"a"},{"platform":"ios"},7,{"token":"a"},{"platform":"ios","token":"aa"}]}' \
		push-lookup
	has '[.[].trace.reason] == ["bad-target", "bad-member", "bad-member", "bad-target", null]'
	has 'all(.[]; .part.of == 5)'
	has '[.[:4][] | .trace.outcome] | unique == ["rejected"]'
}

@test "what has its target passes as it is" {
	local line
	while read -r line; do
		stage "$line" push-lookup
		has 'length == 1 and .[0].trace.lookup and .[0].trace.outcome == null and (.[0] | has("part") | not)'
	done <<'END'
{"user":"u","device":{"platform":"ios","token":"aa"}}
{"topic":"news"}
{"condition":"'a' in topics"}
{"channel":"dHN0LXNyY2gtY2hubA=="}
{"device":{"platform":"win","token":"aa"},"users":["a"]}
END
}

@test "a record that comes back for a retry keeps its device and part" {
	stage '{"user":"ann","device":{"platform":"ios","token":"aa"},"trace":{"t0_us":1,"pop":[0,1,{"q":"q","uid":"x","receipt":"w:1","attempt":2,"lease_ms":9999999999999,"resumed":true}]}}' push-lookup
	has 'length == 1 and .[0].device.token == "aa" and .[0].trace.outcome == null'
}

@test "no target, an empty list and too long a list are bad targets" {
	stage '{"id":"1"}
{"users":[]}
{"devices":[],"user":"ann"}
{"user":""}' push-lookup
	has 'length == 4 and all(.[]; .trace.reason == "bad-target" and .trace.outcome == "rejected")'
	jq -cn '{users: [range(501) | tostring]}' >tasks
	jq -cn '{devices: [range(501) | {platform: "ios", token: "aa\(.)"}]}' >>tasks
	jq -cn '{users: [range(500) | tostring]}' >>tasks
	stage_file tasks push-lookup
	has '[.[] | select(.trace.reason == "bad-target")] | length == 2'
	has '[.[] | select(.trace.reason == "no-device")] | length == 500'
}

@test "a user that is no text is a bad target, the others are found" {
	stage '{"users":["a",3,"",null]}' push-lookup
	has '[.[].trace.reason] == ["no-device", "bad-target", "bad-target", "bad-target"]'
	stage '{"users":"ann"}
{"devices":{}}' push-lookup
	has 'length == 2 and all(.[]; .trace.reason == "bad-member")'
}

@test "a part that a producer invents does not stay" {
	stage '{"devices":[{"platform":"ios","token":"aa"}],"part":{"n":3,"of":9}}' push-lookup
	has 'length == 1 and .[0].part == {"n":0,"of":1}'
}

@test "what is no device in the registry is a bad target, not a broken line" {
	rcli FLUSHALL
	rcli HSET push:u:s:ann a 'no json' b '{"platform":"ios","token":"aa01aa01"}' c '{"platform":"win","token":"x"}' d '"text"'
	stage '{"app":"s","user":"ann"}' push-lookup --store "$REDIS_URL"
	has 'length == 4 and ([.[].part.n] | sort) == [0, 1, 2, 3]'
	has '[.[] | select(.trace.outcome == null) | .device.token] == ["aa01aa01"]'
	has '[.[] | select(.trace.outcome == "rejected")] | length == 3'
}

@test "names with colons and percent signs find their own devices" {
	rcli FLUSHALL
	push-device --store "$REDIS_URL" import - <<'END'
{"app":"a:b","user":"c","platform":"ios","token":"aa01aa01"}
{"app":"a","user":"b:c","platform":"ios","token":"aa02aa02"}
{"app":"a%3Ab","user":"c","platform":"ios","token":"aa03aa03"}
END
	stage '{"app":"a:b","user":"c"}
{"app":"a","user":"b:c"}
{"app":"a%3Ab","user":"c"}' push-lookup --store "$REDIS_URL"
	has '[.[].device.token] == ["aa01aa01", "aa02aa02", "aa03aa03"]'
}

@test "without a registry nobody has a device, and it says so" {
	stage '{"user":"ann"}
{"device":{"platform":"ios","token":"aa"},"user":"ann"}' push-lookup
	[ "$status" -eq 0 ]
	has '[.[].trace.reason] == ["no-device", null]'
	logged 'no device registry'
}

@test "push.conf names the registry" {
	push-device --store lmdb:here add --user ann --platform ios --token aa01aa01
	echo '{"redis":"unix:///nowhere","lookup":{"store":"lmdb:here"}}' >push.conf
	PUSH_CONFIG=push.conf stage '{"user":"ann"}' push-lookup
	has '.[0].device.token == "aa01aa01"'
}

@test "a wrong registry is for a person, an absent server may come back" {
	stage '' push-lookup --store sqlite:x
	[ "$status" -eq 100 ]
	logged "no device registry at 'sqlite'"
	stage '' push-lookup --store lmdb:/no/such/folder/x
	[ "$status" -eq 100 ]
	stage '' push-lookup --store "unix://$PWD/nobody"
	[ "$status" -eq 111 ]
}

@test "while Redis is away records wait" {
	redis_up # this test's own
	push-device --store "$REDIS_URL" add --user ann --platform ios --token aa01aa01
	start -p lookup push-lookup --store "$REDIS_URL"
	feed lookup '{"user":"ann"}
'
	wait_for 1 lookup.out
	redis_down
	feed lookup '{"user":"ann"}
{"topic":"news"}
'
	wait_until 10 grep -q redis lookup.err
	[ "$(wc -l <lookup.out)" -eq 1 ]
	redis_up
	push-device --store "$REDIS_URL" add --user ann --platform ios --token aa01aa01
	wait_for 3 lookup.out
	stop lookup
	[ "$status" -eq 0 ]
	has_in lookup.out 'length == 3'
}
