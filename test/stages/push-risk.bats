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
