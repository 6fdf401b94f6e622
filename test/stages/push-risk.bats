# push-risk: what the brake stops, and what it lets through.
load ../helper.bash

# One record, suppressed for REASON.
# shellcheck disable=SC2016 # jq has variables of its own
stopped() {
	[ "$status" -eq 0 ]
	has 'length == 1 and (.[0].trace | .outcome == "suppressed" and .reason == $r)' --arg r "$1"
}

passed() {
	[ "$status" -eq 0 ]
	has 'length == 1 and (.[0].trace | has("risk") and (has("outcome") | not))'
}

@test "the example of the page: what would a rule have stopped?" {
	man=$ROOT/man/push-risk.1
	awk '/^\.Bd/ { n++; on = n == 1; next } /^\.Ed/ { on = 0 } on' "$man" |
		sed 's/\\e/\\/g' >example.sh
	cat >captured.ndjson <<'END'
{"id":"a","message":{"notification":{"body":"a FREE  iPhone"}},"trace":{"t0_us":1,"pop":[0,1],"auth":[2,3],"risk":[4,5],"dedupe":[6,7],"outcome":"suppressed","reason":"duplicate"}}
{"id":"b","message":{"notification":{"body":"a free phone"}},"trace":{"t0_us":1,"pop":[0,1],"auth":[2,3],"risk":[4,5]}}
END
	stage '' bash ./example.sh
	[ "$output" = '"a"' ]
}

@test "without rules everything passes" {
	stage '{"campaign":"c","user":"u","message":{"notification":{"title":"t"}}}' push-risk
	passed
	has '.[0].trace.risk | length == 2'
}

@test "a stopped campaign is stopped" {
	stage '{"campaign":"spring","user":"u"}' push-risk --stopped-campaign summer --stopped-campaign=spring
	stopped campaign-stopped
	stage '{"campaign":"spring-2","user":"u"}' push-risk --stopped-campaign spring
	passed
	stage '{"user":"spring"}' push-risk --stopped-campaign spring
	passed
}

@test "a blocked user gets nothing" {
	stage '{"user":"u1"}' push-risk --blocked-user u1 --blocked-user u2
	stopped risk-user
	stage '{"user":"u"}' push-risk --blocked-user u1
	passed
}

@test "blocked users are taken out of a list, the others stay" {
	stage '{"id":"1","users":["u1","u2","u3"],"n":1.0}' push-risk --blocked-user u2
	passed
	has '.[0] | .users == ["u1", "u3"] and .id == "1" and .trace.risk[2].blocked_users == 1'
	[[ $output == *'"n":1.0'* ]]
	stage '{"users":["u2","u2"]}' push-risk --blocked-user u2
	stopped risk-user
	has '.[0].users == ["u2", "u2"] and .[0].trace.risk[2].blocked_users == 2'
	stage '{"users":[]}' push-risk --blocked-user u2
	passed
	stage '{"users":["u1"]}' push-risk --blocked-user u2
	passed
	has '.[0].trace.risk | length == 2'
}

@test "blocked words are found wherever a user would see them" {
	for message in \
		'{"notification":{"title":"win a prize"}}' \
		'{"notification":{"body":"win a prize"}}' \
		'{"data":{"a":"x","b":"win a prize"}}' \
		'{"android":{"notification":{"title":"a prize"}}}' \
		'{"android":{"notification":{"body":"a prize"}}}' \
		'{"webpush":{"notification":{"title":"a prize"}}}' \
		'{"webpush":{"notification":{"body":"a prize"}}}' \
		'{"apns":{"payload":{"aps":{"alert":"a prize"}}}}' \
		'{"apns":{"payload":{"aps":{"alert":{"title":"a prize"}}}}}' \
		'{"apns":{"payload":{"aps":{"alert":{"subtitle":"a prize"}}}}}' \
		'{"apns":{"payload":{"aps":{"alert":{"body":"a prize"}}}}}' \
		'{"android":{"notification":{"ticker":"a prize"}}}' \
		'{"android":{"notification":{"title_loc_key":"k","title_loc_args":["a","prize"]}}}' \
		'{"android":{"notification":{"body_loc_args":["a prize"]}}}' \
		'{"android":{"data":{"a":"x","b":"a prize"}}}' \
		'{"webpush":{"data":{"b":"a prize"}}}' \
		'{"apns":{"payload":{"aps":{"alert":{"loc-key":"k","loc-args":["a","prize"]}}}}}' \
		'{"apns":{"payload":{"aps":{"alert":{"title-loc-args":["a prize"]}}}}}' \
		'{"notification":{"title":"\u0070rize"}}'; do
		stage "{\"message\":$message}" push-risk --blocked-word lottery --blocked-word prize
		stopped risk-content
		has '.[0].trace.risk[2].rule == "prize"'
	done
	for message in \
		'{"notification":{"title":"a Prize"}}' \
		'{"data":{"prize":"x"}}' \
		'{"data":{"a":7}}' \
		'{"notification":{"image":"https://e.x/prize.png"}}'; do
		stage "{\"campaign\":\"prize\",\"message\":$message}" push-risk --blocked-word prize
		passed
	done
}

@test "patterns are PCRE2 over UTF-8" {
	stage '{"message":{"notification":{"title":"今天免费领取"}}}' push-risk --blocked-word '免.领'
	stopped risk-content
	has '.[0].trace.risk[2].rule == "免.领"'
	stage '{"message":{"notification":{"title":"PRIZE ÄÖ"}}}' push-risk --blocked-word '(?i)prize\s+äö$'
	stopped risk-content
	stage '{"message":{"notification":{"title":"PRIZE ÄÖ"}}}' push-risk --caseless --blocked-word 'prize äö'
	stopped risk-content
	stage '{"message":{"notification":{"title":"pri\u0000ze"}}}' push-risk --blocked-word 'i\x00z'
	stopped risk-content
}

@test "a pattern that takes too much work counts as matched" {
	text=$(printf 'a%.0s' {1..40})
	stage "{\"message\":{\"notification\":{\"title\":\"$text!\"}}}" push-risk --blocked-word '^(a+)+$'
	stopped risk-content
	has '.[0].trace.risk[2] | .rule and (.why | contains("costly"))'
}

@test "a pattern that is none is named with its offset and ends with status 100" {
	stage '' push-risk --blocked-word fine --blocked-word 'ab(c'
	[ "$status" -eq 100 ]
	logged "'ab(c'"
	logged 'offset 4'
	echo '{"risk":{"blocked_words":["x{2,1}"]}}' >push.conf
	stage '' push-risk -c push.conf
	[ "$status" -eq 100 ]
	logged "'x{2,1}'"
}

@test "a pattern that would stop all that is sent is refused, too" {
	for pattern in '' 'free|' 'x*' '(?i)'; do
		stage '{"message":{"data":{"a":"b"}}}' push-risk --blocked-word "$pattern"
		[ "$status" -eq 100 ]
		logged "blocked word '$pattern' matches every text"
	done
	stage '{"message":{"data":{"a":"b"}}}' push-risk --blocked-word '^$' --blocked-word 'free|now'
	passed
}

@test "rules of the configuration and of the command line hold together" {
	cat >push.conf <<'END'
{"risk": {"stopped_campaigns": ["c1"], "blocked_users": ["u1"], "blocked_words": ["w1"], "caseless": true}}
END
	stage '{"campaign":"c1"}
{"campaign":"c2"}
{"user":"u1"}
{"user":"u2"}
{"message":{"data":{"a":"W1"}}}
{"message":{"data":{"a":"W2"}}}
{"message":{"data":{"a":"w3"}}}
' push-risk -c push.conf --stopped-campaign c2 --blocked-user u2 --blocked-word w2
	[ "$status" -eq 0 ]
	has 'map(.trace.reason) == ["campaign-stopped", "campaign-stopped", "risk-user",
		"risk-user", "risk-content", "risk-content", null]'
}

@test "thousands of blocked users and campaigns are told apart" {
	jq -nc '{risk: {blocked_users: [range(5000) | "u\(. * 2)"],
		stopped_campaigns: [range(3000) | "c\(. * 2)"]}}' >push.conf
	jq -nc 'range(10002) | {user: "u\(.)"}, {campaign: "c\(. % 6002)"}' >in
	stage_file in push-risk -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 20004'
	# shellcheck disable=SC2016 # jq's own
	has 'all(.[]; if .user then (.user[1:] | tonumber) as $n |
			(.trace.reason == "risk-user") == ($n % 2 == 0 and $n < 10000)
		else (.campaign[1:] | tonumber) as $n |
			(.trace.reason == "campaign-stopped") == ($n % 2 == 0 and $n < 6000) end)'
}

@test "HUP stops a campaign on a running chain, and bad rules change nothing" {
	echo '{"risk":{}}' >push.conf
	start -p r push-risk -c push.conf --blocked-user u1
	feed r '{"campaign":"c"}'$'\n'
	wait_for 1 r.out
	echo '{"risk":{"stopped_campaigns":["c"]}}' >push.conf
	kill -HUP "$(pid_of r)"
	wait_until 10 grep -q 'configuration read again' r.err
	feed r '{"campaign":"c"}'$'\n'
	wait_for 2 r.out
	echo '{"risk":{"stopped_campaigns":[],"blocked_words":["("]}}' >push.conf
	kill -HUP "$(pid_of r)"
	wait_until 10 grep -q 'keeping the old configuration' r.err
	feed r '{"campaign":"c"}'$'\n''{"user":"u1"}'$'\n'
	wait_for 4 r.out
	stop r
	[ "$status" -eq 0 ]
	has_in r.out 'map(.trace.reason) == [null, "campaign-stopped", "campaign-stopped", "risk-user"]'
}

@test "bad lines and decided records go their way" {
	stage 'no json
{"user":"u1","trace":{"t0_us":1,"pop":[0,1],"outcome":"rejected","reason":"unauthorized"}}
{"user":"u1"}
' push-risk --blocked-user u1
	[ "$status" -eq 0 ]
	has 'map(.trace.reason) == ["malformed", "unauthorized", "risk-user"]'
	has '.[1].trace | has("risk") | not'
}

@test "apps and categories are stopped like campaigns" {
	echo '{"risk":{"stopped_apps":["a1"],"stopped_categories":["k1"]}}' >push.conf
	stage '{"app":"a1"}
{"app":"a2"}
{"app":"a3","category":"k1"}
{"app":"a3","category":"k2"}
{"app":"k1","category":"a1"}
' push-risk -c push.conf --stopped-app a2 --stopped-category k2
	[ "$status" -eq 0 ]
	has 'map(.trace.reason) == ["app-stopped", "app-stopped", "category-stopped", "category-stopped", null]'
	has 'all(.[:4][]; .trace.outcome == "suppressed")'
}

@test "blocked devices get nothing, alone or in a list" {
	echo '{"risk":{"blocked_devices":["bad"]}}' >push.conf
	stage '{"device":{"platform":"ios","token":"bad"}}
{"device":{"platform":"ios","token":"good"}}
{"devices":[{"platform":"ios","token":"bad"},{"platform":"android","token":"good"}],"n":1.0}
{"devices":[{"platform":"ios","token":"bad"}]}
' push-risk -c push.conf
	[ "$status" -eq 0 ]
	has 'map(.trace.reason) == ["risk-device", null, null, "risk-device"]'
	has '.[2].devices == [{platform: "android", token: "good"}] and .[2].trace.risk[2].blocked_devices == 1'
	[[ $output == *'"n":1.0'* ]]
}

@test "blocked sites are found in texts, data and images" {
	echo '{"risk":{"blocked_links":["evil.example"]}}' >push.conf
	for message in \
		'{"notification":{"body":"see https://www.evil.example/x"}}' \
		'{"notification":{"image":"http://evil.example/1.png"}}' \
		'{"data":{"url":"ads.example/win/1"}}' \
		'{"webpush":{"fcm_options":{"link":"https://EVIL.example"}}}' \
		'{"apns":{"payload":{"aps":{"alert":"evil.example"}}}}'; do
		stage "{\"message\":$message}" push-risk -c push.conf --blocked-link ads.example/win
		stopped risk-link
		has '.[0].trace.risk[2].rule | . == "evil.example" or . == "ads.example/win"'
	done
	stage '{"message":{"data":{"url":"https://ads.example/wins","a":"evil.example.org"}}}' \
		push-risk -c push.conf --blocked-link ads.example/win
	passed
	stage '' push-risk --blocked-link 'not a site'
	[ "$status" -eq 100 ]
	logged "'not a site'"
}

@test "a surge is cut off at its limit, by campaign and by app" {
	cat >push.conf <<'END'
{"risk":{"surges":[{"limit":3,"per":"1h"},{"app":"b","by":"app","limit":2,"per":"1h"}]}}
END
	{
		for _ in 1 2 3 4 5; do echo '{"app":"a","campaign":"c"}'; done
		echo '{"app":"a","campaign":"d"}'
		echo '{"app":"a"}'
		echo '{"app":"b","users":["1","2"]}'
		echo '{"app":"b","campaign":"c"}'
		echo '{"app":"a","campaign":"d","users":["1","2","3"]}'
	} >in
	stage_file in push-risk -c push.conf
	[ "$status" -eq 0 ]
	has 'map(.trace.reason // "-") == ["-", "-", "-", "risk-surge", "risk-surge", "-", "-", "-", "risk-surge", "risk-surge"]'
	has '.[3].trace.risk[2].rule == "3/3600s by campaign" and .[8].trace.risk[2].rule == "2/3600s by app"'
}

no_surge() {
	echo '{"risk":{"store":"'"$STORE"'","surges":[{"limit":1,"per":"1h"}]}}' >push.conf
	for facts in '"attempt":1' '"attempt":2' '"attempt":1,"resumed":true' '"attempt":1'; do
		echo '{"app":"a","campaign":"c","trace":{"t0_us":1,"pop":[0,1,{"q":"q","uid":"u1","receipt":"w:1",'"$facts"'}]}}'
	done >in
	stage_file in push-risk -c push.conf
	has 'map(.trace.reason) == [null, null, null, "risk-surge"]'
	[ "$STORE" != memory: ] || return 0
	# Another process, after a crash of this one: what it had counted is counted.
	sed -n '2,$p' in >again
	stage_file again push-risk -c push.conf
	has 'map(.trace.reason) == [null, null, "risk-surge"]'
}
@test "redelivered and resumed records are no surge, in every store" {
	redis_up
	for STORE in memory: "lmdb:$PWD/rates" "$REDIS_URL"; do
		no_surge
	done
}

@test "a campaign to a segment is cut off in the middle of it" {
	echo '{"risk":{"surges":[{"limit":1400,"per":"24h"}]}}' >push.conf
	rest() { # AFTER ATTEMPT
		printf '{"app":"a","campaign":"c","segment":"all","segment_after":"%s","trace":{"t0_us":1763627000000000,"pop":[0,1,{"q":"q","uid":"u1","receipt":"w:1","attempt":%d,"resumed":true,"whole":true}]}}\n' "$1" "$2"
	}
	{
		echo '{"app":"a","campaign":"c","segment":"all","trace":{"t0_us":1763627000000000,"pop":[0,1,{"q":"q","uid":"u1","receipt":"w:1","attempt":1}]}}'
		rest u0500 1 && rest u0500 2 && rest u1000 1 && rest u1500 1
	} >in
	stage_file in push-risk -c push.conf --replay
	has 'map(.trace.reason) == [null, null, null, null, "risk-surge"]'
}

@test "surges are counted together by all workers of a Redis" {
	redis_up
	echo '{"redis":"'"$REDIS_URL"'","risk":{"surges":[{"limit":5,"per":"1h"}]}}' >push.conf
	for _ in 1 2 3 4; do echo '{"app":"a","campaign":"c"}'; done >in
	stage_file in push-risk -c push.conf
	has 'all(.[]; .trace.reason == null)'
	stage_file in push-risk -c push.conf
	has 'map(.trace.reason) == [null, "risk-surge", "risk-surge", "risk-surge"]'
	# What is taken comes back by itself: nothing stays in Redis for ever.
	(($(rcli PTTL 'push:rate:surge:5/3600s by campaign:a:c') > 3500000))
	# Redis gone: records wait, and go on when it is back.
	start -p r push-risk -c push.conf --stops none
	redis_down
	feed r "$(<in)"$'\n'
	wait_until 10 grep -q 'trying again' r.err
	[ ! -s r.out ]
	redis_up
	wait_for 4 r.out
	stop r
	[ "$status" -eq 0 ]
}

@test "a dry run marks what it would stop, and lets it pass" {
	echo '{"risk":{"surges":[{"limit":1,"per":"1h"}]}}' >push.conf
	cat >in <<-'END'
		{"campaign":"spring"}
		{"user":"u1"}
		{"message":{"data":{"a":"win a prize"}}}
		{"users":["u1","u2"]}
		{"users":["u1"]}
		{"campaign":"x"}
		{"campaign":"x"}
		{"user":"u2"}
	END
	stage_file in push-risk -c push.conf --dry-run --stopped-campaign spring --blocked-user u1 --blocked-word prize
	[ "$status" -eq 0 ]
	has 'length == 8 and all(.[]; .trace | has("outcome") | not)'
	has 'map(.trace.risk[2].would // "-") == ["campaign-stopped", "risk-user", "risk-content", "-", "risk-user", "-", "risk-surge", "-"]'
	has '.[3].users == ["u1", "u2"] and .[3].trace.risk[2].blocked_users == 1 and .[2].trace.risk[2].rule == "prize"'
	echo '{"risk":{"dry_run":true,"blocked_users":["u1"]}}' >push.conf
	stage '{"user":"u1"}' push-risk -c push.conf
	passed
}

# What push-queue stop does, by hand.
stop_by_hand() { # KIND:NAME
	rcli HSET push:stops "$1" "1763627000123 wrong price" version "$RANDOM$RANDOM" >/dev/null
}

reason_now() { # INPUT: the reason that the running stage gives to it
	local n
	n=$(wc -l <r.out)
	feed r "$1"$'\n'
	wait_for $((n + 1)) r.out
	tail -n 1 r.out | jq -r '.trace.reason // "-"'
}

is_now() {
	[ "$(reason_now "$2")" = "$1" ]
}

@test "what an operator stops is stopped within a second on a running chain" {
	redis_up
	echo '{"redis":"'"$REDIS_URL"'"}' >push.conf
	stop_by_hand campaign:old
	start -p r push-risk -c push.conf
	is_now campaign-stopped '{"campaign":"old"}'
	is_now - '{"campaign":"c"}'
	begin_ms=$((${EPOCHREALTIME/[^0-9]/} / 1000))
	stop_by_hand campaign:c
	wait_until 10 is_now campaign-stopped '{"campaign":"c"}'
	# By its own account: how long this shell takes to look says nothing.
	jq -es --argjson most $((begin_ms + 1000 * PUSH_TEST_SLOW)) \
		'map(select(.text == "stopped by operators: 2")) | length == 1 and .[0].time_ms <= $most' r.err
	has_in r.out '.[-1].trace | .outcome == "suppressed" and .risk[2].by == "operator"'
	stop_by_hand app:a
	wait_until 10 is_now app-stopped '{"app":"a"}'
	stop_by_hand category:k
	wait_until 10 is_now category-stopped '{"category":"k"}'
	# A retry that comes back is stopped too.
	is_now campaign-stopped '{"campaign":"c","trace":{"t0_us":1,"pop":[0,1,{"q":"q","uid":"u","receipt":"w:1","attempt":2,"resumed":true}]}}'
	rcli HDEL push:stops campaign:c >/dev/null
	wait_until 10 is_now - '{"campaign":"c"}'
	is_now app-stopped '{"app":"a"}'
	stop r
	[ "$status" -eq 0 ]
}

@test "without Redis the last stops stay, records flow on, and the log says so" {
	redis_up
	start -p r push-risk --stops "$REDIS_URL"
	stop_by_hand campaign:c
	wait_until 10 is_now campaign-stopped '{"campaign":"c"}'
	redis_down
	wait_until 10 grep -q 'what operators stopped stays stopped: 1' r.err
	is_now campaign-stopped '{"campaign":"c"}'
	is_now - '{"campaign":"d"}'
	redis_up
	wait_until 20 grep -q 'is known again' r.err
	wait_until 10 is_now - '{"campaign":"c"}'
	stop r
	[ "$status" -eq 0 ]
	stage '{}' push-risk --stops unix:///no/such/socket
	[ "$status" -eq 111 ]
	logged /no/such/socket
}

@test "HUP moves to another Redis, a replay asks none" {
	redis_up
	stop_by_hand campaign:c
	echo '{}' >push.conf
	start -p r push-risk -c push.conf
	is_now - '{"campaign":"c"}'
	echo '{"risk":{"stops":"'"$REDIS_URL"'"}}' >push.conf
	kill -HUP "$(pid_of r)"
	wait_until 10 is_now campaign-stopped '{"campaign":"c"}'
	echo '{"risk":{"stops":"unix:///no/such/socket"}}' >push.conf
	kill -HUP "$(pid_of r)"
	wait_until 10 grep -q 'keeping the old configuration' r.err
	is_now campaign-stopped '{"campaign":"c"}'
	echo '{"risk":{"stops":"none"}}' >push.conf
	kill -HUP "$(pid_of r)"
	wait_until 10 is_now - '{"campaign":"c"}'
	stop r
	[ "$status" -eq 0 ]
	stage '{"campaign":"c","trace":{"t0_us":1,"pop":[0,1]}}' push-risk --replay --stops "$REDIS_URL"
	passed
}

@test "the counters count by rule, and show no token" {
	python3 - counters.sock >datagrams <<-'END' 3>&- 4>&- &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(20)
		while True:
		    d = s.recv(65536)
		    print(d.decode(), flush=True)
		    if b'"out":5' in d:
		        break
	END
	local listener=$!
	wait_until 10 test -S counters.sock
	echo '{"risk":{"blocked_devices":["bad"]}}' >push.conf
	start -p r push-risk -c push.conf --counters "$PWD/counters.sock" --stopped-campaign spring --blocked-word 'p"z'
	feed r '{"campaign":"spring"}
{"campaign":"spring"}
{"device":{"platform":"ios","token":"bad"}}
{"message":{"data":{"a":"p\"z"}}}
{}
'
	wait "$listener"
	stop r
	tail -n 1 datagrams | jq -e '.stops == 0 and
		.rules == {"campaign:spring": 2, "device": 1, "word:p\"z": 1}'
}
