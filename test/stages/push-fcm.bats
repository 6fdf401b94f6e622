# push-fcm against push-mock: real TLS, real HTTP/2, Google's token exchange, and
# the mock's own account of what it was sent.
# shellcheck disable=SC2016 # the variables are jq's

load sender.bash

# push.conf for the mock: conf [PORT [TOKEN-PORT]]
conf() {
	cat >push.conf <<-END
		{ "apps": {
		    "shop": { "fcm": { "service_account_file": "$MOCK_KEYS/service-account.json" } },
		    "webonly": {} },
		  "fcm": {
		    "url": "https://localhost:${1:-$MOCK_FCM_PORT}",
		    "token_url": "https://localhost:${2:-$MOCK_OAUTH_PORT}/token",
		    "ca_file": "$MOCK_KEYS/ca.pem" } }
	END
}

# A task for a token; the second argument is merged into it.
task() {
	jq -nc --arg token "$1" --argjson more "${2:-{\}}" '{id: $token, app: "shop",
		device: {platform: "android", token: $token},
		message: {notification: {title: "order", body: "on its way"}}} * $more'
}

# N tasks for different ordinary tokens.
tasks() {
	jq -nc --argjson n "$1" 'range($n) | {id: "t\(.)", app: "shop",
		device: {platform: "android", token: "ordinary-token-\(.)"},
		message: {notification: {title: "order \(.)", body: "on its way"}, data: {n: "\(.)"}}}'
}

@test "a notification is delivered and Google's name for it is in the record" {
	stage "$(task ordinary-token)" push-fcm -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 1 and .[0].trace.outcome == "accepted" and .[0].trace.reason == "ok"'
	has '.[0].trace.fcm[2] | .status == 200 and .answer == "ok"
		and (.id | startswith("projects/mock-project/messages/"))'
	received 'length == 1 and .[0].token == "ordinary-token"'
}

@test "hundreds are in flight over several connections, each is answered once" {
	own_mock --stream-limit 50
	mock_control '{"fcm": {"delay_ms": 20}}'
	tasks 1000 >in
	stage_file in push-fcm -c push.conf --window 500
	[ "$status" -eq 0 ]
	has 'length == 1000 and all(.trace.reason == "ok") and (map(.id) | unique | length) == 1000'
	mock_summary
	jq -e '.fcm | .accepted == 1000 and .repeats == 0 and .connections == 4
		and .max_streams == 50' "$MOCK_SUMMARY"
	# One access token for all of it, fetched once.
	jq -e '.oauth.requests == 1 and .fcm.credentials == 1' "$MOCK_SUMMARY"
}

@test "--connections and --window bound what is out" {
	own_mock
	mock_control '{"fcm": {"delay_ms": 20}}'
	tasks 100 >in
	stage_file in push-fcm -c push.conf --connections 1 --window 8
	has 'length == 100 and all(.trace.reason == "ok")'
	mock_summary
	jq -e '.fcm.connections == 1 and .fcm.max_streams == 8' "$MOCK_SUMMARY"
}

# status, Google's word, outcome, reason, how often the request is sent in this
# process, and what the next record with this account gets: ok, or the reason with
# which it leaves unsent.  Firebase, "FCM error codes"; below, what is not in it: no
# FcmError (-), a page instead of JSON (html), words and statuses that are new.
ANSWERS='
404 UNREGISTERED failed token-dead 1 ok
400 INVALID_ARGUMENT(token) failed token-dead 1 ok
403 SENDER_ID_MISMATCH failed wrong-topic 1 ok
429 QUOTA_EXCEEDED retry throttled 1 ok
503 UNAVAILABLE retry vendor-unavailable 1 ok
500 INTERNAL retry vendor-unavailable 1 ok
401 THIRD_PARTY_AUTH_ERROR failed vendor-config 1 ok
401 UNAUTHENTICATED retry reauth 2 ok
403 PERMISSION_DENIED failed vendor-config 1 vendor-config
404 - failed vendor-config 1 vendor-config
404 html failed vendor-config 1 vendor-config
400 - failed bad-request 1 ok
413 - failed payload-too-large 1 ok
418 - failed bad-request 1 ok
429 - retry throttled 1 ok
429 html retry throttled 1 ok
500 html retry vendor-unavailable 1 ok
502 html retry vendor-unavailable 1 ok
504 - retry vendor-unavailable 1 ok
503 SOMETHING_NEW retry vendor-unavailable 1 ok
403 html failed vendor-config 1 vendor-config
302 html failed vendor-config 1 ok
201 - retry ambiguous 1 ok'

# One row, with a process of its own, one record after the other.
row_holds() { # STATUS WORD OUTCOME REASON REQUESTS NEXT
	: >"$MOCK_RECEIVED"
	mock_control "$(jq -nc --argjson status "$1" --arg word "${2%(token)}" --argjson times "$5" \
		'{fcm: {error: ({status: $status, times: $times} + if $word == "html" then {html: true}
			elif $word == "-" then {} else {reason: $word} end)}}')"
	stage_file two push-fcm -c push.conf --window 1
	has 'length == 2 and (.[0].trace | .outcome == $outcome and .reason == $reason
			and .fcm[2].status == $status and (.fcm[2].tries // 1) == $requests
			and (($word | test("^[A-Z].*[A-Z)]$")) == false or $word == "SOMETHING_NEW"
				or .fcm[2].answer == $word)
			# No repeat before 10 s, and a minute for quotas: Firebase, "best practices at scale".
			and ($outcome != "retry" or $reason == "reauth" or .after_ms >= 10000)
			and ($reason != "throttled" or .after_ms >= 60000))
		and (.[1].trace | .reason == $next and (.fcm[2].unsent // false) == ($next != "ok"))' \
		--argjson status "$1" --arg word "$2" --arg outcome "$3" --arg reason "$4" \
		--argjson requests "$5" --arg next "$6"
	received 'map(.token) as $got
		| ($got | map(select(. == "ok-1")) | length) == $requests
			and ($got | map(select(. == "ok-2")) | length) == ($next | if . == "ok" then 1 else 0 end)' \
		--argjson requests "$5" --arg next "$6"
}

@test "every answer of Google gets its reason and what is to be done next" {
	local row count=0
	task ok-1 >two
	task ok-2 >>two
	while read -r row; do
		[ -n "$row" ] || continue
		# shellcheck disable=SC2086 # columns
		row_holds $row || { echo "in row: $row" && return 1; }
		count=$((count + 1))
	done <<<"$ANSWERS"
	[ "$count" -eq 23 ]
}

@test "an invalid argument that is not the token is a bad request" {
	stage "$(task ok-1 '{"message": {"android": {"ttl": "soon"}}}')" push-fcm -c push.conf
	has '.[0].trace | .outcome == "failed" and .reason == "bad-request"
		and .fcm[2].answer == "INVALID_ARGUMENT"'
	logged 'fcm answers 400 INVALID_ARGUMENT'
}

@test "Retry-After is obeyed" {
	stage "$(task quota-90-x)" push-fcm -c push.conf
	has '.[0].trace | .reason == "throttled" and .after_ms >= 90000 and .after_ms < 120000'
	stage "$(task unavailable-33-x)" push-fcm -c push.conf
	has '.[0].trace | .reason == "vendor-unavailable" and .after_ms >= 33000'
}

@test "GOAWAY every 50 requests: none lost, none twice" {
	own_mock
	mock_control '{"fcm": {"goaway_after": 50}}'
	tasks 1000 >in
	stage_file in push-fcm -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 1000 and all(.trace.reason == "ok")'
	mock_summary
	jq -e '.fcm | .goaways >= 10 and .accepted == 1000 and .repeats == 0' "$MOCK_SUMMARY"
}

@test "refused streams are sent again, resets and lost connections are ambiguous" {
	stage "$(task refuse-2-x)" push-fcm -c push.conf
	has '.[0].trace.reason == "ok" and (.[0].trace.fcm[2] | has("tries") | not)'
	stage "$(task reset-x)" push-fcm -c push.conf
	has '.[0].trace | .reason == "ambiguous" and .after_ms >= 10000'
	stage "$(task close-x)" push-fcm -c push.conf
	has '.[0].trace.reason == "ambiguous"'
}

@test "no answer in time is ambiguous, and others go on" {
	{
		task silent-x
		tasks 100
	} >in
	stage_file in push-fcm -c push.conf --timeout 300ms
	has 'map(select(.trace.reason == "ok")) | length == 100'
	has 'map(select(.trace.reason == "ambiguous")) | length == 1
		and .[0].trace.fcm[2].why == "no answer in time"'
}

@test "an access token is renewed before it ends, and none is refused" {
	own_mock --token-life 2
	start -p fcm push-fcm -c push.conf
	feed fcm "$(tasks 10)"$'\n'
	wait_for 10 fcm.out
	wait_until 20 renewed fcm
	stop fcm
	[ "$status" -eq 0 ]
	has_in fcm.out 'length > 10 and all(.trace.reason == "ok"
		and (.trace.fcm[2] | has("tries") | not))'
	mock_summary
	jq -e '.fcm.credentials >= 2 and .fcm.by_status == {"200": .fcm.accepted}' "$MOCK_SUMMARY"
}

# Sends one more and looks whether that made a second fetch.
renewed() {
	feed "$1" "$(task "again-$RANDOM")"$'\n'
	mock_summary
	jq -e '.oauth.requests >= 2' "$MOCK_SUMMARY" >/dev/null
}

@test "a token that Google has forgotten is fetched anew, once, and the record is sent again" {
	start -p fcm push-fcm -c push.conf
	feed fcm "$(tasks 1)"$'\n'
	wait_for 1 fcm.out
	mock_control '{"oauth": {"revoke": true}}'
	feed fcm "$(tasks 100)"$'\n'
	wait_for 101 fcm.out
	stop fcm
	has_in fcm.out 'length == 101 and all(.trace.reason == "ok")
		and any(.trace.fcm[2].tries == 2)'
	jq -es 'map(select(.vendor == "oauth")) | length == 2' "$MOCK_RECEIVED"
}

@test "an access token that is never good enough ends in reauth" {
	stage "$(task unauthenticated-x)" push-fcm -c push.conf
	has '.[0].trace | .outcome == "retry" and .reason == "reauth" and .fcm[2].tries == 2'
	received 'length == 2'
}

@test "no token endpoint: retries leave soon" {
	conf "$MOCK_FCM_PORT" 1
	tasks 20 >in
	SECONDS=0
	stage_file in push-fcm -c push.conf
	[ "$SECONDS" -lt $((20 * PUSH_TEST_SLOW)) ]
	[ "$status" -eq 0 ]
	has 'length == 20 and all(.trace.reason == "vendor-unavailable"
		and .trace.fcm[2].why == "not sent")'
	logged 'no token: cannot reach the token endpoint'
	received 'length == 0'
}

@test "a token endpoint in trouble is tried again while records wait" {
	mock_control '{"oauth": {"error": {"status": 503, "times": 1}}}'
	start -p fcm push-fcm -c push.conf
	feed fcm "$(task ordinary-1)"$'\n'
	wait_for 1 fcm.out
	has_in fcm.out '.[0].trace.reason == "vendor-unavailable"'
	wait_until 20 accepted_now
	stop fcm
}

accepted_now() {
	feed fcm "$(task "more-$RANDOM")"$'\n'
	jq -es 'any(.trace.reason == "ok")' fcm.out >/dev/null
}

@test "a service account that Google does not know is vendor-config" {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other.key 2>/dev/null
	jq --rawfile key other.key '.private_key = $key' "$MOCK_KEYS/service-account.json" >other.json
	jq --arg file "$PWD/other.json" '.apps.shop.fcm.service_account_file = $file' push.conf >other.conf
	tasks 50 >in
	stage_file in push-fcm -c other.conf
	has 'length == 50 and all(.trace.reason == "vendor-config")'
	logged 'no token'
	received 'length == 0'
	# One call, not one a record.
	jq -es 'map(select(.vendor == "oauth")) | length == 1' "$MOCK_RECEIVED"
}

@test "the service is down: retries leave soon" {
	conf 1
	tasks 20 >in
	SECONDS=0
	stage_file in push-fcm -c push.conf
	[ "$SECONDS" -lt $((20 * PUSH_TEST_SLOW)) ]
	has 'length == 20 and all(.trace.reason == "vendor-unavailable" and .trace.after_ms >= 10000)'
}

@test "topics and conditions are sent" {
	stage "$(jq -nc '{id: "t", app: "shop", topic: "news", message: {data: {a: "1"}}},
		{id: "c", app: "shop", condition: "'"'a' in topics && 'b' in topics"'", message: {data: {a: "1"}}}')" \
		push-fcm -c push.conf
	has 'length == 2 and all(.trace.reason == "ok")'
	received 'length == 2 and any(.topic == "news")'
}

@test "records of others pass undecided, decided ones as they came, bad lines are kept" {
	local decided='{"id":"x","app":"shop","device":{"platform":"android","token":"t"},"trace":{"t0_us":1763627000000000,"uid":"u1","apns":[1,2],"outcome":"suppressed","reason":"duplicate"}}'
	stage "$decided"'
{"id":"a","app":"shop","device":{"platform":"ios","token":"00"},"message":{}}
no json' push-fcm -c push.conf
	[ "$status" -eq 0 ]
	[ "$(head -n 1 <<<"$output")" = "$decided" ]
	has 'length == 3 and (.[1].trace | has("outcome") | not)
		and .[2].raw == "no json" and .[2].trace.reason == "malformed"'
	received 'length == 0'
}

@test "tasks that cannot be sent say why" {
	stage "$(
		task a '{"id": "1", "app": "nobody"}'
		task b '{"id": "2", "app": "webonly"}'
		task "has space" '{"id": "3"}'
		task c '{"id": "4", "message": {"data": {"n": 1}}}'
		task d "{\"id\": \"5\", \"message\": {\"data\": {\"n\": \"$(printf '%05000d' 0)\"}}}"
	)" push-fcm -c push.conf
	has 'sort_by(.id) | map(.trace.reason) ==
		["unknown-app", "vendor-config", "bad-target", "bad-message", "payload-too-large"]'
	has 'sort_by(.id)[3].trace.fcm[2].why == "a value of message.data is no text"'
	received 'length == 0'
}

@test "nothing is sent when the lease has run out or the task has expired" {
	stage "$(
		task a '{"trace": {"t0_us": 1763627000000000, "pop": [0, 1, {"q": "push",
			"uid": "h1", "receipt": "w1:1", "attempt": 1, "lease_ms": 1763627001000}]}}'
		task b '{"expires_ms": 1000}'
	)" push-fcm -c push.conf
	has 'map(.trace.reason) | sort == ["expired", "lease-lost"]'
	received 'length == 0'
}

@test "TERM finishes what is in flight, a short drain gives back the rest" {
	mock_control '{"fcm": {"delay_ms": 300}}'
	start -p fcm push-fcm -c push.conf
	feed fcm "$(tasks 200)"$'\n'
	wait_until 10 grep -q '"fcm"' "$MOCK_RECEIVED"
	stop fcm
	[ "$status" -eq 0 ]
	has_in fcm.out 'all(.trace.reason == "ok")'
	mock_control '{"fcm": {"silent": true}}'
	: >"$MOCK_RECEIVED"
	start -p again push-fcm -c push.conf --drain 1s
	feed again "$(tasks 1)"$'\n'
	wait_until 10 grep -q '"fcm"' "$MOCK_RECEIVED"
	stop again
	[ "$status" -eq 0 ]
	has_in again.out 'length == 1 and .[0].trace.reason == "ambiguous"'
}

@test "--dry-run and --replay show the request and send nothing" {
	local flag
	for flag in --dry-run --replay; do
		stage "$(task abc)" push-fcm -c push.conf $flag
		[ "$status" -eq 0 ]
		has '.[0].trace | .reason == "ok" and (.fcm[2] | .dry_run == 1
			and .path == "/v1/projects/mock-project/messages:send"
			and (.body | fromjson.message.token == "abc"))'
	done
	[ ! -s "$MOCK_RECEIVED" ]
}

@test "with nothing but its defaults it finds Google's names and port" {
	unshare -n -m true 2>/dev/null || skip "needs to make namespaces"
	jq 'del(.fcm)' push.conf >bare.conf
	printf '127.0.0.1 localhost fcm.googleapis.com oauth2.googleapis.com\n' >hosts
	tasks 2 >in
	stage_file in alone push-fcm
	[ "$status" -eq 0 ]
	has 'length == 2 and all(.trace.reason == "ok")'
	has_in lone.received 'map(.vendor) | sort == ["fcm", "fcm", "oauth"]'
}

@test "--url, --token-url and --ca-file say where" {
	jq 'del(.fcm)' push.conf >bare.conf
	stage "$(task a)" push-fcm -c bare.conf --ca-file "$MOCK_KEYS/ca.pem" \
		--url "https://localhost:$MOCK_FCM_PORT" \
		--token-url "https://localhost:$MOCK_OAUTH_PORT/token"
	has '.[0].trace.reason == "ok"'
}

@test "wrong options and files end with 100 and say which" {
	stage '' push-fcm -c push.conf --url localhost
	[ "$status" -eq 100 ]
	logged "not 'localhost'"
	jq '.apps.shop.fcm.service_account_file = "gone.json"' push.conf >other.conf
	stage '' push-fcm -c other.conf
	[ "$status" -eq 100 ]
	logged "app 'shop'"
	logged gone.json
	echo '{}' >empty.json
	jq --arg file "$PWD/empty.json" '.apps.shop.fcm.service_account_file = $file' push.conf >other.conf
	stage '' push-fcm -c other.conf
	[ "$status" -eq 100 ]
	logged empty.json
	jq '.apps.shop.fcm = {}' push.conf >other.conf
	stage '' push-fcm -c other.conf
	[ "$status" -eq 100 ]
	logged 'needs service_account_file'
}

@test "neither tokens nor payloads nor keys are in the log" {
	stage "$(task unauthenticated-secret-token)" push-fcm -c push.conf -v
	[[ $stderr != *secret-token* ]]
	[[ $stderr != *'on its way'* ]]
	[[ $stderr != *Bearer* ]]
	[[ $stderr != *assertion* ]]
}

@test "a clock that Google does not bear is named" {
	mock_control '{"oauth": {"clock_ahead_s": 7200}}'
	stage "$(task ok-1)" push-fcm -c push.conf
	has '.[0].trace.reason == "vendor-config"'
	logged "behind the vendor's"
	logged invalid_grant
	mock_control '{"oauth": {"clock_behind_s": 200}}'
	stage "$(task ok-1)" push-fcm -c push.conf
	logged "ahead of the vendor's"
	mock_control '{"oauth": {"clock_ahead_s": 100}, "fcm": {"clock_ahead_s": 100}}'
	stage "$(task ok-1)" push-fcm -c push.conf
	has '.[0].trace.reason == "ok"'
	logged "behind the vendor's"
}

@test "what is too long says so, or is cut if the app wants that" {
	local text
	text=$(printf '新訂單 é "q" \\ 👩‍👧 %.0s' $(seq 200))
	task ok-1 "$(jq -n --arg text "$text" '{message: {notification: {body: $text}}}')" >in
	task ok-2 "$(jq -n --arg text "$text" '{message: {data: {text: $text}}}')" >>in
	jq -nc --arg text "$text" '{id: "news", app: "shop", topic: "news",
		message: {notification: {title: "news", body: $text}}}' >>in
	stage_file in push-fcm -c push.conf
	has 'length == 3 and all(.trace.reason == "payload-too-large" and (.trace.fcm[2].why | test("longer than Google")))'

	own_mock --received-body
	jq '.apps.shop.fcm.shorten = true' push.conf >cut.conf
	stage_file in push-fcm -c cut.conf
	has 'map(.trace.reason) | sort == ["ok", "ok", "payload-too-large"]'
	has 'map(select(.trace.reason == "ok")) | all(.trace.fcm[2].shortened > 0)'
	jq -es --arg text "$text" 'map(select(.vendor == "fcm") | .body | fromjson.message.notification)
		| length == 2 and all(.body as $cut | ($cut | endswith("…")) and ($text | startswith($cut[:-1])))
		and (map([.[]] | add | utf8bytelength) | sort | .[0] > 1900 and .[0] <= 2048 and .[1] > 3900 and .[1] <= 4096)' \
		"$MOCK_RECEIVED"
}

@test "with validate_only Google looks and delivers nothing" {
	own_mock --received-body
	jq '.apps.shop.fcm.validate_only = true' push.conf >check.conf
	stage "$(task ok-1)" push-fcm -c check.conf
	has '.[0].trace | .reason == "ok" and (.fcm[2].id | endswith("/fake_message_id"))'
	jq -es 'map(select(.vendor == "fcm")) | length == 1
		and (.[0].body | fromjson | .validate_only == true and .message.token == "ok-1")' "$MOCK_RECEIVED"
	stage "$(task ok-1)" push-fcm -c check.conf --dry-run
	has '.[0].trace.fcm[2].body | fromjson.validate_only'
	stage "$(task unregistered-1)" push-fcm -c check.conf
	has '.[0].trace.reason == "token-dead"'
}

@test "what may have been delivered is not sent again, if the app wants that" {
	jq '.apps.shop.fcm.ambiguous = "drop"' push.conf >drop.conf
	stage "$(task reset-1)" push-fcm -c drop.conf
	has '.[0].trace | .outcome == "failed" and .reason == "unconfirmed"'
}

@test "HUP moves to other URLs" {
	start -p fcm push-fcm -c push.conf
	feed fcm "$(task ok-1)"$'\n'
	wait_for 1 fcm.out
	own_mock --token-life 300 # and other ports in push.conf
	kill -HUP "$(pid_of fcm)"
	wait_until 10 grep -q 'configuration read again' fcm.err
	# The access token is the old mock's: refused here, and another one is fetched.
	feed fcm "$(task ok-2)"$'\n'
	wait_for 2 fcm.out
	stop fcm
	has_in fcm.out 'length == 2 and all(.trace.reason == "ok")'
	jq -es 'map(select(.vendor == "oauth")) | length == 1' "$MOCK_RECEIVED"
	jq -es 'map(select(.vendor == "fcm")) | map(.status) == [401, 200]' "$MOCK_RECEIVED"
}

@test "all that FCM knows of a message reaches it as it is" {
	own_mock --received-body
	jq -nc '{notification: {title: "order", body: "on its way", image: "https://example.com/i.png"},
		data: {order: "17"}, fcm_options: {analytics_label: "orders"},
		android: {collapse_key: "orders", restricted_package_name: "com.example.shop",
			direct_boot_ok: true, priority: "high", ttl: "60s",
			notification: {channel_id: "orders", tag: "order-17", color: "#ff0000"}},
		apns: {headers: {"apns-priority": "5"}, payload: {aps: {badge: 1}}},
		webpush: {headers: {TTL: "60"}, notification: {title: "order"},
			fcm_options: {link: "https://example.com"}}}' >message
	stage "$(jq -nc --slurpfile message message '{id: "a", app: "shop", message: $message[0],
		device: {platform: "android", token: "ok-1"}}')" push-fcm -c push.conf
	has '.[0].trace.reason == "ok"'
	received 'length == 1 and (.[0].body | fromjson) == {message: ($message[0] + {token: "ok-1"})}' \
		--slurpfile message message
}

@test "no more a second than --rate, rising over --ramp" {
	own_mock
	tasks 500 >in
	stage_file in push-fcm -c push.conf --rate 20 --ramp 60s
	has 'length == 500 and all(.trace.reason == "ok" or (.trace.reason == "throttled" and .trace.fcm[2].unsent))'
	# At first a tenth of 20 a second.
	has 'map(select(.trace.reason == "ok")) | length >= 1 and length < 100'
	stage "$(task ok-1)" push-fcm -c push.conf --rate 20 --ramp 0ms
	has '.[0].trace.reason == "ok"'
}
