# push-apns against push-mock: real TLS, real HTTP/2, and the mock's own account of
# what it was sent.
# shellcheck disable=SC2016 # the variables are jq's

load sender.bash

# push.conf for the mock at PORT: conf [PORT [SANDBOX-PORT]]
conf() {
	local production=${1:-$MOCK_APNS_PORT}
	cat >push.conf <<-END
		{ "apps": {
		    "shop": { "apns": {
		      "key_file": "$MOCK_KEYS/AuthKey_MOCKKEY001.p8", "key_id": "MOCKKEY001",
		      "team_id": "MOCKTEAM01", "topic": "com.example.shop" } },
		    "news": { "apns": {
		      "key_file": "$MOCK_KEYS/AuthKey_MOCKKEY001.p8", "key_id": "MOCKKEY001",
		      "team_id": "MOCKTEAM01", "topic": "com.example.news",
		      "environment": "sandbox" } },
		    "webonly": {} },
		  "apns": {
		    "production": "https://localhost:$production",
		    "sandbox": "https://localhost:${2:-$MOCK_APNS_PORT}",
		    "ca_file": "$MOCK_KEYS/ca.pem" } }
	END
}

# A token that begins with PREFIX and ends with N: token PREFIX [N]
token() {
	local tail
	tail=$(printf '%08x' "${2:-1}")
	printf '%s%s' "$1" "$(printf '%064d' 0 | cut -c "1-$((64 - ${#1} - 8))")$tail"
}

# A task for a token; the second argument is merged into it.
task() {
	jq -nc --arg token "$1" --argjson more "${2:-{\}}" '{id: $token, app: "shop",
		device: {platform: "ios", token: $token},
		message: {notification: {title: "order", body: "on its way"}}} * $more'
}

# N tasks for different ordinary tokens.
tasks() {
	jq -nc --argjson n "$1" 'range($n) | . as $i | {id: "t\($i)", app: "shop",
		device: {platform: "ios", token: ("00000000000000000000000000000000000000000000000000000000"
			+ ("00000000\($i)" | .[-8:]))},
		message: {notification: {title: "order \($i)", body: "on its way"}}}'
}

@test "a notification is delivered and the answer is in the record" {
	stage "$(task "$(token 00)")" push-apns -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 1 and .[0].trace.outcome == "accepted" and .[0].trace.reason == "ok"'
	has '.[0].trace.apns[2] | .status == 200 and .answer == "ok"
		and (.id | test("^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$"))'
	received 'length == 1 and .[0].status == 200 and .[0].topic == "com.example.shop"
		and .[0].push_type == "alert" and .[0].priority == "5"'
	[ "$(jq -r .apns_id "$MOCK_RECEIVED")" = "$(jq -r '.trace.apns[2].id' "$output_file")" ]
}

@test "hundreds are in flight over several connections, each is answered once" {
	own_mock --stream-limit 50
	mock_control '{"apns": {"delay_ms": 20}}'
	tasks 2000 >in
	stage_file in push-apns -c push.conf --window 500
	[ "$status" -eq 0 ]
	has 'length == 2000 and all(.trace.reason == "ok") and (map(.id) | unique | length) == 2000'
	mock_summary
	jq -e '.apns | .accepted == 2000 and .repeats == 0 and .distinct_tokens == 2000
		and .connections == 4 and .max_streams == 50 and .credentials == 1' "$MOCK_SUMMARY"
}

@test "--connections and --window bound what is out" {
	own_mock --stream-limit 50
	mock_control '{"apns": {"delay_ms": 20}}'
	tasks 200 >in
	stage_file in push-apns -c push.conf --connections 1 --window 8
	has 'length == 200 and all(.trace.reason == "ok")'
	mock_summary
	jq -e '.apns.connections == 1 and .apns.max_streams == 8' "$MOCK_SUMMARY"
}

@test "no more is read than what there is room for" {
	local pos out
	mock_control '{"apns": {"delay_ms": 5}}'
	tasks 20000 >in
	start -i in apns push-apns -c push.conf --window 100
	wait_for 1000 apns.out
	kill -STOP "$(pid_of apns)"
	pos=$(awk '/^pos:/ { print $2 }' "/proc/$(pid_of apns)/fdinfo/0")
	out=$(wc -l <apns.out)
	echo "read $pos of $(stat -c %s in) bytes, $out lines out"
	kill -CONT "$(pid_of apns)"
	# A line has some 200 bytes; a block of 64 KiB and a batch may lie about.
	[ "$pos" -lt $(((out + 100) * 220 + 4 * 65536)) ]
	[ "$pos" -lt "$(stat -c %s in)" ]
	kill_hard apns
}

@test "what is too long says so, or is cut if the app wants that" {
	local text
	text=$(printf '新訂單 é "q" \\ 👩‍👧 %.0s' $(seq 200))
	{
		task "$(token 00 1)" "$(jq -n --arg text "$text" '{message: {notification: {body: $text}}}')"
		task "$(token 00 2)" "$(jq -n --arg text "$text" '{message: {apns: {payload: {aps: {alert: $text}}}}}')"
		task "$(token 00 3)" "$(jq -n --arg text "$text" '{message: {notification: {body: $text},
			apns: {headers: {"apns-push-type": "voip"}}}}')"
		task "$(token 00 4)" "$(jq -n --arg text "$text" '{message: {data: {text: $text}}}')"
	} >in
	stage_file in push-apns -c push.conf
	has 'length == 4 and all(.trace.reason == "payload-too-large" and (.trace.apns[2].why | test("longer than Apple")))'
	received 'length == 0'

	own_mock --received-body --first-streams 10
	jq '.apps.shop.apns.shorten = true' push.conf >cut.conf
	stage_file in push-apns -c cut.conf
	has 'map(.trace.reason) | sort == ["ok", "ok", "ok", "payload-too-large"]'
	has 'map(select(.trace.reason == "ok")) | all(.trace.apns[2].shortened > 0)'
	received 'map(.body | utf8bytelength) | sort | .[0] > 4000 and .[1] <= 4096 and .[2] > 5000 and .[2] <= 5120'
	received 'map(.body | fromjson | .aps.alert | if type == "object" then .body else . end)
		| length == 3 and all(. as $cut | endswith("…") and ($text | startswith($cut[:-1])))' \
		--arg text "$text"
}

# status, Apple's word (- for a body that says none), outcome, reason, how often the
# request is sent in this process, and what the next record with this credential
# gets: ok, or the reason with which it leaves unsent.  Apple, "Handling notification
# responses from APNs".
REQUEST_ANSWERS='
400 BadCollapseId failed bad-request 1 ok
400 BadDeviceToken failed wrong-environment 1 ok
400 BadExpirationDate failed bad-request 1 ok
400 BadMessageId failed bad-request 1 ok
400 BadPriority failed bad-request 1 ok
400 BadTopic failed bad-request 1 ok
400 DeviceTokenNotForTopic failed wrong-topic 1 ok
400 DuplicateHeaders failed bad-request 1 ok
400 IdleTimeout retry vendor-unavailable 3 ok
400 InvalidPushType failed bad-request 1 ok
400 MissingDeviceToken failed bad-request 1 ok
400 MissingTopic failed bad-request 1 ok
400 PayloadEmpty failed bad-request 1 ok
400 TopicDisallowed failed vendor-config 1 ok'

CREDENTIAL_ANSWERS='
403 BadCertificate failed vendor-config 1 vendor-config
403 BadCertificateEnvironment failed vendor-config 1 vendor-config
403 BadEnvironmentKeyIdInToken failed vendor-config 1 vendor-config
403 BadEnvironmentKeyInToken failed vendor-config 1 vendor-config
403 ExpiredProviderToken retry reauth 2 ok
403 Forbidden failed bad-request 1 ok
403 InvalidProviderToken failed vendor-config 1 vendor-config
403 MissingProviderToken failed vendor-config 1 vendor-config
403 UnrelatedKeyIdInToken retry reauth 3 ok
404 BadPath failed bad-request 1 ok
405 MethodNotAllowed failed bad-request 1 ok
410 ExpiredToken failed token-dead 1 ok
410 Unregistered failed token-dead 1 ok
413 PayloadTooLarge failed payload-too-large 1 ok
429 TooManyProviderTokenUpdates retry throttled 1 throttled
429 TooManyRequests retry throttled 1 ok
500 InternalServerError retry vendor-unavailable 2 ok
503 ServiceUnavailable retry vendor-unavailable 2 ok
503 Shutdown retry vendor-unavailable 3 ok'

# Apple's page about broadcast channels.
CHANNEL_ANSWERS='
400 MissingChannelId failed bad-request 1 ok
400 BadChannelId failed bad-request 1 ok
400 ChannelNotRegistered failed bad-request 1 ok
400 BadRequestParams failed bad-request 1 ok
400 BadRequestPayload failed bad-request 1 ok
400 MissingPushType failed bad-request 1 ok
400 CannotCreateChannelConfig failed bad-request 1 ok
403 FeatureNotEnabled failed vendor-config 1 ok
403 TopicMismatch failed vendor-config 1 ok'

# What is not documented is judged by its status.
NEW_ANSWERS='
201 - retry ambiguous 1 ok
302 - failed vendor-config 1 ok
400 SomethingNew failed bad-request 1 ok
418 - failed bad-request 1 ok
403 SomethingNew failed vendor-config 1 ok
410 - failed token-dead 1 ok
413 - failed payload-too-large 1 ok
429 SomethingNew retry throttled 1 ok
500 SomethingNew retry vendor-unavailable 2 ok
502 - retry vendor-unavailable 2 ok'

# One row, with a process of its own, one record after the other.
row_holds() { # STATUS WORD OUTCOME REASON REQUESTS NEXT
	local word=$2 answer=$2
	[ "$word" != - ] || word=
	case $1/$word in
	*/SomethingNew | */) answer=other ;;
	esac
	: >"$MOCK_RECEIVED"
	mock_control "$(jq -nc --argjson status "$1" --arg word "$word" --argjson times "$5" \
		'{apns: {error: {status: $status, reason: $word, times: $times}}}')"
	stage_file two push-apns -c push.conf --window 1
	has 'length == 2 and (.[0].trace | .outcome == $outcome and .reason == $reason
			and .apns[2].status == $status and .apns[2].answer == $answer
			and (.apns[2].tries // 1) == $requests)
		and (.[1].trace | .reason == $next and (.apns[2].unsent // false) == ($next != "ok"))' \
		--argjson status "$1" --arg answer "$answer" --arg outcome "$3" --arg reason "$4" \
		--argjson requests "$5" --arg next "$6"
	received 'map(select(.token[-1:] == "1")) | length == $requests
		and (map(.apns_id) | unique | length) == 1' --argjson requests "$5"
	received 'map(select(.token[-1:] == "2")) | length == ($next | if . == "ok" then 1 else 0 end)' \
		--arg next "$6"
}

rows_hold() { # ROWS COUNT
	local row count=0
	task "$(token 00 1)" >two
	task "$(token 00 2)" >>two
	while read -r row; do
		[ -n "$row" ] || continue
		# shellcheck disable=SC2086 # columns
		row_holds $row || { echo "in row: $row" && return 1; }
		count=$((count + 1))
	done <<<"$1"
	[ "$count" -eq "$2" ]
}

@test "every answer about a request gets its reason and what is to be done next" {
	rows_hold "$REQUEST_ANSWERS" 14
}

@test "so does every answer about the credential, the token and the service" {
	rows_hold "$CREDENTIAL_ANSWERS" 19
}

@test "so does every answer about channels" {
	rows_hold "$CHANNEL_ANSWERS" 9
}

@test "so does what is not documented, by its status" {
	rows_hold "$NEW_ANSWERS" 10
}

@test "a bad token is dead where the record names its environment, else perhaps wrong here" {
	stage "$(
		task "$(token bad0 1)" '{"device": {"environment": "production"}}'
		task "$(token bad0 2)"
	)" push-apns -c push.conf
	has 'map(.trace.reason) | sort == ["token-dead", "wrong-environment"]'
	has 'map(select(.device.environment)) | .[0].trace.reason == "token-dead"'
}

@test "a bad token is tried in the other environment, if the app wants that" {
	own_mock --first-streams 10
	local production=$MOCK_APNS_PORT
	jq --arg url "https://localhost:$production" '.apps.shop.apns.try_other_environment = true
		| .apns.production = $url | .apns.sandbox = $url' push.conf >try.conf
	# Bad the first time that it is seen, which is in production.
	{
		task "$(token bad0)"
		task "$(token 00)"
	} >in
	mock_control '{"apns": {"error": {"status": 400, "reason": "BadDeviceToken", "times_per_token": 1}}}'
	stage_file in push-apns -c try.conf
	has 'map(select(.device.token | startswith("bad0"))) | .[0].trace | .reason == "token-dead"
		and .apns[2].tries == 2 and .apns[2].environment == "sandbox"'
	has 'map(select(.device.token | startswith("00"))) | .[0].trace | .reason == "ok"
		and .apns[2].tries == 2 and .apns[2].environment == "sandbox"'
	# Without the app's consent it is not.
	stage "$(task "$(token bad0 2)")" push-apns -c push.conf
	has '.[0].trace | .reason == "wrong-environment" and (.apns[2] | has("environment") or has("tries") | not)'
}

@test "a token registered after the date of 410 is kept" {
	stage "$(
		task "$(token dea0 1)" '{"device": {"registered_ms": 1609459200000}}'
		task "$(token dea0 2)" '{"device": {"registered_ms": 1500000000000}}'
		task "$(token dea0 3)"
	)" push-apns -c push.conf
	has 'map(select(.trace.reason == "token-newer")) | length == 1
		and .[0].device.registered_ms == 1609459200000'
	has 'map(select(.trace.reason == "token-dead")) | length == 2'
	has 'all(.trace.apns[2].vendor_ms == 1577836800000)'
}

@test "a short trouble is waited out in the process, once more and no longer" {
	stage "$(task "$(token e50301)")" push-apns -c push.conf
	has '.[0].trace | .reason == "ok" and .apns[2].tries == 2'
	received 'length == 2 and (map(.apns_id) | unique | length) == 1'
}

@test "a long trouble leaves as a retry that says how long to wait" {
	SECONDS=0
	stage "$(task "$(token e50300)")" push-apns -c push.conf
	[ "$SECONDS" -lt $((20 * PUSH_TEST_SLOW)) ]
	has '.[0].trace | .outcome == "retry" and .reason == "vendor-unavailable"
		and .after_ms >= 1000 and .apns[2].status == 503'
	stage "$(task "$(token e42900)")" push-apns -c push.conf
	has '.[0].trace | .reason == "throttled" and .after_ms >= 60000'
}

@test "a bad day: the records and what Apple has seen agree to the last one" {
	own_mock
	mock_control '{"apns": {"goaway_after": 97, "refuse_every": 13, "reset_every": 29, "close_after": 210,
		"error": {"status": 429, "reason": "TooManyRequests", "ratio": 0.05, "retry_after_s": 30}}}'
	tasks 3000 >in
	stage_file in push-apns -c push.conf --window 200
	[ "$status" -eq 0 ]
	has 'length == 3000 and (map(.device.token) | unique | length) == 3000
		and all(.trace.reason | IN("ok", "throttled", "ambiguous"))'
	has 'map(select(.trace.reason == "throttled")) | length > 50 and all(.trace.after_ms >= 30000)'
	# What each record says, and what the account says of its token: an answer that was
	# written to a connection which then broke may not have come.
	jq -es --slurpfile out "$output_file" '
		(map({key: .token, value: .status}) | group_by(.key)
			| map({key: .[0].key, value: map(.value)}) | from_entries) as $seen
		| $out | all($seen[.device.token] as $answers
			| ($answers | length) == 1
			and if .trace.reason == "ok" then $answers == [200]
				elif .trace.reason == "throttled" then $answers == [429]
				else true end)' "$MOCK_RECEIVED"
	jq -es --slurpfile out "$output_file" '(map(select(.status == 0)) | length) as $unanswered
		| ($out | map(select(.trace.reason == "ambiguous")) | length) >= $unanswered and $unanswered > 50' \
		"$MOCK_RECEIVED"
	mock_summary
	jq -e '.apns | .requests == 3000 and .repeats == 0 and .refused > 100 and .goaways > 10' "$MOCK_SUMMARY"
}

@test "a later attempt waits longer" {
	stage "$(task "$(token 7e5e00)" '{"trace": {"t0_us": 1763627000000000, "pop": [0, 1,
		{"q": "push", "uid": "h1", "receipt": "w1:1", "attempt": 3}]}}')" push-apns -c push.conf
	has '.[0].trace | .reason == "ambiguous" and .after_ms >= 16000 and .after_ms <= 20000'
}

@test "Retry-After is obeyed" {
	mock_control '{"apns": {"error": {"status": 503, "reason": "ServiceUnavailable", "retry_after_s": 77}}}'
	stage "$(task "$(token 00)")" push-apns -c push.conf
	has '.[0].trace | .reason == "vendor-unavailable" and .after_ms >= 77000'
}

@test "GOAWAY every 50 requests: none lost, none twice" {
	own_mock
	mock_control '{"apns": {"goaway_after": 50}}'
	tasks 2000 >in
	stage_file in push-apns -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 2000 and all(.trace.reason == "ok")'
	mock_summary
	jq -e '.apns | .goaways >= 20 and .accepted == 2000 and .repeats == 0' "$MOCK_SUMMARY"
}

@test "GOAWAY with one connection allowed opens the next one" {
	own_mock
	mock_control '{"apns": {"goaway_after": 20}}'
	tasks 200 >in
	stage_file in push-apns -c push.conf --connections 1
	has 'length == 200 and all(.trace.reason == "ok")'
	mock_summary
	jq -e '.apns.accepted == 200 and .apns.repeats == 0' "$MOCK_SUMMARY"
}

@test "GOAWAY and a hard close: what is not known to be delivered says so" {
	own_mock
	mock_control '{"apns": {"goaway_after": 50, "goaway_then_close": true}}'
	tasks 1000 >in
	stage_file in push-apns -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 1000 and all(.trace.reason == "ok" or .trace.reason == "ambiguous")'
	mock_summary
	jq -e '.apns.repeats == 0' "$MOCK_SUMMARY"
	# Whatever the mock has not seen was not called accepted.
	jq -r 'select(.trace.reason == "ok").device.token' "$output_file" | sort >accepted
	jq -r 'select(.status == 200).token' "$MOCK_RECEIVED" | sort >seen
	[ -z "$(comm -23 accepted seen)" ]
}

@test "the reason of a GOAWAY is told, and believed when it is about the credential" {
	task "$(token 00 1)" >two
	task "$(token 00 2)" >>two
	mock_control '{"apns": {"goaway_after": 1, "goaway_reason": "BadCertificateEnvironment"}}'
	stage_file two push-apns -c push.conf --window 1
	logged 'GOAWAY with code 0: {\"reason\":\"BadCertificateEnvironment\"}'
	has '.[0].trace.reason == "ok" and (.[1].trace | .reason == "vendor-config" and .apns[2].unsent)'
	mock_control '{"apns": {"goaway_after": 1, "goaway_reason": "Shutdown"}}'
	stage_file two push-apns -c push.conf --window 1
	has 'length == 2 and all(.trace.reason == "ok")'
}

@test "refused streams are sent again and are no attempt" {
	own_mock
	mock_control '{"apns": {"refuse_every": 7}}'
	tasks 1000 >in
	stage_file in push-apns -c push.conf
	has 'length == 1000 and all(.trace.reason == "ok" and (.trace.apns[2] | has("tries") | not))'
	mock_summary
	jq -e '.apns | .refused >= 100 and .accepted == 1000 and .repeats == 0' "$MOCK_SUMMARY"
}

@test "one that is refused for ever leaves as a retry" {
	stage "$(task "$(token 7ef500)")" push-apns -c push.conf
	has '.[0].trace | .reason == "vendor-unavailable" and .apns[2].why == "refused too often"'
}

@test "a reset stream and a lost connection are ambiguous" {
	stage "$(task "$(token 7e5e00)")" push-apns -c push.conf
	has '.[0].trace | .outcome == "retry" and .reason == "ambiguous"
		and .apns[2].why == "connection lost" and .after_ms >= 1000'
	stage "$(task "$(token c10500)")" push-apns -c push.conf
	has '.[0].trace.reason == "ambiguous"'
}

@test "what may have been delivered is not sent again, if the app wants that" {
	jq '.apps.shop.apns.ambiguous = "drop"' push.conf >drop.conf
	{
		task "$(token 7e5e00)"
		task "$(token c10500)"
		task "$(token 511e00)"
	} >in
	stage_file in push-apns -c drop.conf --timeout 1s
	has 'length == 3 and all(.trace | .reason == "unconfirmed" and .outcome == "failed" and (has("after_ms") | not))'
	# Refused is not ambiguous.
	stage "$(task "$(token 7ef501)")" push-apns -c drop.conf
	has '.[0].trace.reason == "ok"'
}

@test "an answer before the body was read is an answer" {
	own_mock
	mock_control '{"apns": {"early_answer": true}}'
	tasks 500 >in
	stage_file in push-apns -c push.conf
	has 'length == 500 and all(.trace.reason == "ok")'
	mock_summary
	jq -e '.apns.requests == 500 and .apns.repeats == 0' "$MOCK_SUMMARY"
}

# nginx answers before it has read the body, takes six requests a connection and
# four at a time: a server that nobody here wrote.
nginx_up() { # PORT
	mkdir -p nginx/logs
	cat >nginx/c.conf <<-END
		daemon off; pid nginx.pid; error_log logs/error.log; worker_processes 1;
		events { worker_connections 64; }
		http {
		  access_log logs/access.log;
		  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
		  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
		  server {
		    listen 127.0.0.1:$1 ssl http2;
		    ssl_certificate $MOCK_KEYS/cert.pem; ssl_certificate_key $MOCK_KEYS/key.pem;
		    http2_max_concurrent_streams 4; keepalive_requests 6;
		    location /3/device/dead { return 410 '{"reason":"Unregistered","timestamp":1700000000000}'; }
		    location /3/device/ { return 200; }
		  }
		}
	END
	server_start nginx nginx -p "$PWD/nginx" -c c.conf
	wait_until 10 nginx_listens "$1"
}

nginx_listens() {
	: 2>/dev/null <>"/dev/tcp/127.0.0.1/$1"
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

@test "against nginx: early answers, few streams, GOAWAY after six: each sent once" {
	local port
	port=$(free_port)
	nginx_up "$port"
	conf "$port"
	{
		tasks 98
		task "$(token dead 1)"
		task "$(token dead 2)"
	} >in
	stage_file in push-apns -c push.conf
	server_stop nginx
	[ "$status" -eq 0 ]
	has 'map(select(.trace.reason == "ok")) | length == 98'
	has 'map(select(.trace.reason == "token-dead")) | length == 2'
	[ "$(grep -c 'POST /3/device' nginx/logs/access.log)" -eq 100 ]
}

@test "a proxy of the environment is used" {
	python3 - proxy.port >proxy.log 2>&1 3>&- 4>&- <<-'END' &
		import select, socket, sys
		l = socket.socket()
		l.bind(("127.0.0.1", 0))
		l.listen()
		open(sys.argv[1] + ".new", "w").write(str(l.getsockname()[1]))
		import os
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		client, _ = l.accept()
		head = b""
		while b"\r\n\r\n" not in head:
		    head += client.recv(4096)
		print(head.split(b"\r\n")[0].decode(), flush=True)
		host, port = head.split()[1].decode().split(":")
		server = socket.create_connection(("127.0.0.1", int(port)))
		client.sendall(b"HTTP/1.1 200 go ahead\r\n\r\n")
		while True:
		    for s in select.select([client, server], [], [])[0]:
		        data = s.recv(65536)
		        if not data:
		            sys.exit()
		        (server if s is client else client).sendall(data)
	END
	wait_until 10 test -s proxy.port
	https_proxy=http://127.0.0.1:$(<proxy.port) stage "$(task "$(token 00)")" push-apns -c push.conf
	has '.[0].trace.reason == "ok"'
	grep -q "^CONNECT localhost:$MOCK_APNS_PORT HTTP" proxy.log
}

@test "with nothing but its defaults it finds Apple's names and port" {
	unshare -n -m true 2>/dev/null || skip "needs to make namespaces"
	jq 'del(.apns)' push.conf >bare.conf
	printf '127.0.0.1 localhost api.push.apple.com api.sandbox.push.apple.com\n' >hosts
	{
		task "$(token 00 1)"
		task "$(token 00 2)" '{"app": "news"}'
	} >in
	stage_file in alone push-apns
	[ "$status" -eq 0 ]
	has 'length == 2 and all(.trace.reason == "ok")'
	has_in lone.received 'length == 2'
}

@test "each connection looks the name up anew" {
	unshare -n -m true 2>/dev/null || skip "needs to make namespaces"
	jq 'del(.apns)' push.conf >bare.conf
	printf '127.0.0.1 localhost api.push.apple.com\n' >hosts
	echo '{"apns": {"goaway_after": 1}}' >control
	task "$(token 00 1)" >first
	task "$(token 00 2)" >second
	stage '' moved
	[ "$status" -eq 0 ]
	has 'length == 2 and all(.trace.reason == "ok")'
	has_in 127.0.0.1.received 'length == 1'
	has_in 127.0.0.2.received 'length == 1'
}

# Two hosts of that name, one after the other; the first asks its client to go away.
moved() {
	MOCK_KEYS=$MOCK_KEYS unshare -n -m bash -c '
		ip link set lo up && mount --bind hosts /etc/hosts || exit 1
		mkfifo in back 127.0.0.1.ready 127.0.0.2.ready
		exec 7<>back
		for address in 127.0.0.1 127.0.0.2; do
			push-mock --cert "$MOCK_KEYS/cert.pem" --key "$MOCK_KEYS/key.pem" \
				--credentials "$MOCK_KEYS/credentials.json" --address $address --port 443 \
				--control control --received $address.received --ready-fd 5 5>$address.ready 2>$address.log >&2 &
			read -r -t 10 <$address.ready
		done
		{
			cat first
			read -r -t 20 -u 7 answered
			printf "127.0.0.2 localhost api.push.apple.com\n" >hosts
			cat second
		} >in &
		push-apns -c bare.conf --ca-file "$MOCK_KEYS/ca.pem" --connections 1 <in | tee back
		rc=${PIPESTATUS[0]}
		kill -TERM $(jobs -p) 2>/dev/null
		exit $rc'
}

@test "one stream until the token is known, and limits that change on the way" {
	own_mock --stream-limit 100
	start -p apns push-apns -c push.conf --connections 1
	feed apns "$(tasks 50)"$'\n'
	wait_for 50 apns.out
	mock_control '{"apns": {"stream_limit": 1, "delay_ms": 5}}'
	feed apns "$(tasks 50)"$'\n'
	wait_for 100 apns.out
	mock_control '{"apns": {"stream_limit": 30}}'
	feed apns "$(tasks 50)"$'\n'
	wait_for 150 apns.out
	stop apns
	[ "$status" -eq 0 ]
	has_in apns.out 'length == 150 and all(.trace.reason == "ok")'
	mock_summary
	# A stream over the limit would have been refused.
	jq -e '.apns | .connections == 1 and .refused == 0' "$MOCK_SUMMARY"
}

@test "a small window of the server is no deadlock" {
	own_mock --window 65535
	tasks 1000 >in
	stage_file in push-apns -c push.conf
	has 'length == 1000 and all(.trace.reason == "ok")'
}

@test "no answer in time is ambiguous, and others go on" {
	{
		task "$(token 511e00)"
		tasks 100
	} >in
	stage_file in push-apns -c push.conf --timeout 300ms
	has 'map(select(.trace.reason == "ok")) | length == 100'
	has 'map(select(.trace.reason == "ambiguous")) | length == 1
		and .[0].trace.apns[2].why == "no answer in time"'
}

@test "a server that has frozen is found out, and what was sent is ambiguous" {
	own_mock
	mock_control '{"apns": {"frozen": true}}'
	tasks 20 >in
	SECONDS=0
	stage_file in push-apns -c push.conf --timeout 500ms
	[ "$SECONDS" -lt $((20 * PUSH_TEST_SLOW)) ]
	has 'length == 20 and all(.trace.outcome == "retry")'
}

@test "a vendor that is down: retries leave soon, and the other environment is served" {
	conf 1
	{
		tasks 20
		tasks 20 | jq -c '.device.environment = "sandbox"'
	} >in
	SECONDS=0
	stage_file in push-apns -c push.conf
	[ "$SECONDS" -lt $((20 * PUSH_TEST_SLOW)) ]
	[ "$status" -eq 0 ]
	has 'map(select(.device.environment)) | length == 20 and all(.trace.reason == "ok")'
	has 'map(select(.device.environment | not)) | length == 20
		and all(.trace.reason == "vendor-unavailable" and .trace.after_ms >= 1000
			and .trace.apns[2].why == "not sent" and .trace.apns[2].unsent and (.trace.apns[2] | has("status") | not))'
	logged 'cannot connect'
	received 'length == 20'
}

@test "a vendor that goes away and comes back" {
	own_mock
	local port=$MOCK_APNS_PORT
	start -p apns push-apns -c push.conf
	feed apns "$(tasks 20)"$'\n'
	wait_for 20 apns.out
	mock_down
	feed apns "$(tasks 20)"$'\n'
	wait_for 40 apns.out
	has_in apns.out '.[:20] | all(.trace.reason == "ok")'
	has_in apns.out '.[20:] | all(.trace.reason == "vendor-unavailable" or .trace.reason == "ambiguous")'
	own_mock --apns-port "$port"
	wait_until 20 one_more_is_taken
	stop apns
	[ "$status" -eq 0 ]
}

@test "a vendor in trouble is left alone, and found well again" {
	own_mock
	mock_control '{"apns": {"error": {"status": 503, "reason": "ServiceUnavailable"}}}'
	start -p apns push-apns -c push.conf --window 20
	feed apns "$(tasks 2000)"$'\n'
	wait_for 2000 apns.out
	has_in apns.out 'all(.trace.reason == "vendor-unavailable" and .trace.after_ms >= 1000)'
	# Twenty failures open it; what was in flight by then and some probes go on top.
	mock_summary
	jq -e '.apns.requests >= 20 and .apns.requests < 100' "$MOCK_SUMMARY"
	grep -q 'breaker open: vendor-unavailable; a probe in' apns.err
	mock_control '{}'
	wait_until 20 one_more_is_taken
	local lines
	lines=$(wc -l <apns.out)
	feed apns "$(tasks 50)"$'\n'
	wait_for $((lines + 50)) apns.out
	stop apns
	[ "$status" -eq 0 ]
	grep -q 'breaker closed' apns.err
	has_in apns.out '.[-50:] | all(.trace.reason == "ok")'
}

one_more_is_taken() {
	local lines
	lines=$(wc -l <apns.out)
	feed apns "$(task "$(token 00 $RANDOM)")"$'\n'
	wait_for $((lines + 1)) apns.out
	tail -n 1 apns.out | jq -e '.trace.reason == "ok"' >/dev/null
}

@test "a certificate that is not trusted is no vendor" {
	jq 'del(.apns.ca_file)' push.conf >other.conf
	stage "$(task "$(token 00)")" push-apns -c other.conf
	has '.[0].trace.reason == "vendor-unavailable"'
	logged 'certificate'
	received 'length == 0'
}

# What a server with such a certificate is sent: nothing.
no_vendor() { # URL TEXT-OF-THE-LOG
	jq --arg url "$1" '.apns.production = $url' push.conf >other.conf
	stage "$(task "$(token 00)")" push-apns -c other.conf
	has '.[0].trace | .reason == "vendor-unavailable" and .apns[2].unsent'
	logged "$2"
	received 'length == 0'
}

@test "a certificate with another name, or one that has ended, is no vendor" {
	: >ca.index
	echo 'subjectAltName = DNS:api.example.com' >names
	certificate other '/CN=another name' 30 "$MOCK_KEYS" names
	own_mock --cert "$PWD/other.pem" --key "$PWD/other.key"
	no_vendor "https://localhost:$MOCK_APNS_PORT" 'no alternative certificate subject name matches'
	mock_down
	echo 'subjectAltName = DNS:localhost' >names
	certificate ended '/CN=ended' -2 "$MOCK_KEYS" names
	own_mock --cert "$PWD/ended.pem" --key "$PWD/ended.key"
	no_vendor "https://localhost:$MOCK_APNS_PORT" 'certificate has expired'
}

# A certificate by the mock's CA: certificate NAME SUBJECT [DAYS [CA-FOLDER [EXTENSIONS]]]
# makes NAME.pem, NAME.key and NAME.p12 with the password "mock"; DAYS may be negative.
certificate() {
	local ca=${4:-$MOCK_KEYS} key=$1.key
	printf '[req]\ndistinguished_name = dn\n[dn]\n' >certificate.cnf
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$key" 2>/dev/null
	openssl req -new -config certificate.cnf -key "$key" -subj "$2" -out "$1.csr"
	openssl ca -batch -notext -config <(cat <<-END
		[ca]
		default_ca = test
		[test]
		database = $PWD/ca.index
		new_certs_dir = $PWD
		rand_serial = yes
		default_md = sha256
		policy = any
		email_in_dn = no
		unique_subject = no
		preserve = yes
		[any]
		UID = optional
		CN = supplied
	END
	) ${5:+-extfile "$5"} -cert "$ca/ca.pem" -keyfile "$ca/ca.key" -in "$1.csr" -out "$1.pem" \
		-startdate "$(date -u -d '-400 days' +%y%m%d%H%M%SZ)" \
		-enddate "$(date -u -d "${3:-30} days" +%y%m%d%H%M%SZ)" 2>ca.log
	openssl pkcs12 -export -in "$1.pem" -inkey "$key" -passout pass:mock -out "$1.p12"
}

# A mock that asks for certificates, and push.conf for apps with them.
certificate_mock() {
	: >ca.index
	jq --arg keys "$MOCK_KEYS/" '.apns_ca = $keys + "ca.pem" | .apns[].key |= $keys + .
		| .google[].service_account |= $keys + .' "$MOCK_KEYS/credentials.json" >credentials.json
	own_mock --credentials "$PWD/credentials.json"
	echo mock >password
	certificate shop '/UID=com.example.shop/CN=Apple Push Services: com.example.shop'
}

with_certificate() { # FILE [JQ-FILTER]
	jq --arg file "$1" ".apps.shop.apns = {certificate_file: \$file} | ${2:-.}" push.conf >cert.conf
}

@test "a certificate instead of a key: PKCS #12 or PEM, its topic, no token" {
	certificate_mock
	cat shop.pem shop.key >both.pem
	openssl pkcs12 -export -legacy -in shop.pem -inkey shop.key -passout pass:mock -out rc2.p12 ||
		cp shop.p12 rc2.p12
	local settings n=0
	for settings in '"shop.p12", password_file: "password"' '"rc2.p12", password_file: "password"' \
		'"both.pem"' '"shop.pem", certificate_key_file: "shop.key"' \
		'"shop.pem", certificate_key_file: "shop.key", topic: "com.example.shop"'; do
		jq ".apps.shop.apns = {certificate_file: $settings}" push.conf >cert.conf
		stage "$(task "$(token 00 $((n += 1)))")" push-apns -c cert.conf
		has 'length == 1 and .[0].trace.reason == "ok"'
	done
	received 'length == 5 and all(.status == 200 and .topic == "com.example.shop")'
	mock_summary
	jq -e '.apns.credentials == 0' "$MOCK_SUMMARY"
}

@test "apps with a certificate and with a key go side by side" {
	certificate_mock
	with_certificate shop.pem '.apps.shop.apns.certificate_key_file = "shop.key"'
	stage "$(
		task "$(token 00 1)"
		task "$(token 00 2)" '{"app": "news"}'
	)" push-apns -c cert.conf
	has 'length == 2 and all(.trace.reason == "ok")'
	received '(map(.connection) | unique | length) == 2'
}

@test "a certificate for device management, and what a certificate cannot send" {
	certificate_mock
	mock_down
	own_mock --credentials "$PWD/credentials.json" --received-body
	certificate mdm '/UID=com.apple.mgmt.External.1234/CN=APSP:1234'
	with_certificate mdm.p12 '.apps.shop.apns.password_file = "password"'
	stage "$(jq -nc --arg token "$(token 00 1)" '{id: "a", app: "shop", device: {platform: "ios", token: $token},
		message: {apns: {headers: {"apns-push-type": "mdm"}, payload: {mdm: "magic"}}}}')" push-apns -c cert.conf
	has '.[0].trace.reason == "ok"'
	received 'length == 1 and .[0].topic == "com.apple.mgmt.External.1234" and .[0].body == "{\"mdm\":\"magic\"}"'
	stage "$(task "$(token 00 2)" '{"message": {"apns": {"headers": {"apns-push-type": "liveactivity"}}}}'
		task "$(token 00 3)" '{"message": {"apns": {"headers": {"apns-push-type": "location"}}}}')" \
		push-apns -c cert.conf
	has 'length == 2 and all(.trace.reason == "bad-message" and (.trace.apns[2].why | test("needs a signing key")))'
	received 'length == 1'
}

@test "a certificate for another app, and one that Apple does not know" {
	certificate_mock
	with_certificate shop.p12 '.apps.shop.apns += {password_file: "password", topic: "com.example.other"}'
	stage "$(task "$(token 00 1)")" push-apns -c cert.conf
	has '.[0].trace | .reason == "vendor-config" and .apns[2].answer == "TopicDisallowed"'
	mkdir stranger
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=a stranger' \
		-keyout stranger/ca.key -out stranger/ca.pem 2>/dev/null
	certificate strange '/UID=com.example.shop/CN=of a stranger' 30 stranger
	with_certificate strange.p12 '.apps.shop.apns.password_file = "password"'
	stage "$(task "$(token 00 2)")" push-apns -c cert.conf
	has '.[0].trace | .reason == "vendor-config" and .apns[2].answer == "BadCertificate"'
}

@test "a certificate that has ended sends nothing and says so" {
	certificate_mock
	certificate old '/UID=com.example.shop/CN=ended' -2
	with_certificate old.p12 '.apps.shop.apns.password_file = "password"'
	stage "$(task "$(token 00 1)")" push-apns -c cert.conf
	has '.[0].trace | .reason == "vendor-config" and .apns[2].unsent'
	logged "the certificate of app 'shop' has ended"
	received 'length == 0'
}

@test "HUP takes a new certificate over" {
	certificate_mock
	certificate old '/UID=com.example.shop/CN=ended' -2
	cp old.p12 now.p12
	with_certificate now.p12 '.apps.shop.apns.password_file = "password"'
	start -p apns push-apns -c cert.conf
	feed apns "$(task "$(token 00 1)")"$'\n'
	wait_for 1 apns.out
	cp shop.p12 now.p12
	kill -HUP "$(pid_of apns)"
	wait_until 10 grep -q 'configuration read again' apns.err
	feed apns "$(task "$(token 00 2)")"$'\n'
	wait_for 2 apns.out
	stop apns
	has_in apns.out 'map(.trace.reason) == ["vendor-config", "ok"]'
}

@test "the counters tell when a certificate ends" {
	certificate_mock
	with_certificate shop.p12 '.apps.shop.apns.password_file = "password"'
	start -p stats push-stats --listen 127.0.0.1:0 --ports-file "$PWD/stats.port" --counters "$PWD/stats.sock"
	start -p apns push-apns -c cert.conf --counters "$PWD/stats.sock"
	end=$(date -d "$(openssl x509 -in shop.pem -noout -enddate | sed 's/.*=//')" +%s)
	told() {
		curl -sS "http://127.0.0.1:$(cut -d' ' -f2 stats.port)/metrics" |
			grep -Fx "push_credential_certificate_expiry_timestamp_seconds{node=\"apns\",app=\"shop\"} $end"
	}
	wait_until 10 told
	stop apns
	stop stats
}

@test "certificate files that are none say why" {
	certificate_mock
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out strange.key
	certificate nameless '/CN=of nobody'
	local want settings
	while IFS='|' read -r settings want; do
		jq ".apps.shop.apns = {certificate_file: $settings}" push.conf >cert.conf
		stage '' push-apns -c cert.conf
		[ "$status" -eq 100 ]
		logged "$want"
	done <<-'END'
		"shop.p12"|the password is wrong
		"push.conf"|neither PKCS #12 nor PEM
		"shop.pem"|no private key
		"shop.pem", certificate_key_file: "other.key"|other.key
		"shop.p12", password_file: "password", key_file: "shop.key"|both key_file and certificate_file
		"shop.pem", certificate_key_file: "strange.key"|belongs to another certificate
		"nameless.p12", password_file: "password"|needs topic
	END
}

@test "a key that Apple does not know is vendor-config, and is not tried again at once" {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.p8 2>/dev/null
	jq --arg key "$PWD/other.p8" '.apps.shop.apns.key_file = $key' push.conf >other.conf
	tasks 200 >in
	stage_file in push-apns -c other.conf
	has 'length == 200 and all(.trace.reason == "vendor-config")'
	logged 'InvalidProviderToken'
	received 'length >= 1 and length < 100'
}

# An own mock that knows a second key, and two.conf, in which "news" has it.
two_credentials() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out second.p8 2>/dev/null
	jq --arg keys "$MOCK_KEYS/" --arg second "$PWD/second.p8" '.apns[].key |= $keys + .
		| .google[].service_account |= $keys + .
		| .apns += [{kid: "SECONDKEY1", team: "MOCKTEAM01", key: $second}]' \
		"$MOCK_KEYS/credentials.json" >credentials.json
	own_mock --credentials "$PWD/credentials.json" --first-streams 1000
	jq --arg second "$PWD/second.p8" '.apps.news.apns.key_file = $second
		| .apps.news.apns.key_id = "SECONDKEY1"' push.conf >two.conf
}

@test "no more a second than the rate, what is over leaves, other apps are not held up" {
	two_credentials
	jq '.apns.rate = 1' two.conf >slow.conf
	{
		tasks 3000
		tasks 50 | jq -c '.app = "news"'
	} >in
	stage_file in push-apns -c slow.conf --window 500 --rate 100 --ramp 0ms
	has 'map(select(.app == "news")) | length == 50 and all(.trace.reason == "ok")'
	# A tenth of a second's worth at first, and what may wait for up to a second.
	has 'map(select(.app == "shop" and .trace.reason == "ok")) | length >= 100 and length < 1000'
	has 'map(select(.app == "shop" and .trace.reason != "ok")) | length > 2000
		and all(.trace.reason == "throttled" and .trace.apns[2].unsent and .trace.after_ms > 1000)
		and (map(.trace.after_ms) | max) > 10000'
}

@test "one app's wrong key does not stop another app" {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.p8 2>/dev/null
	jq --arg key "$PWD/other.p8" '.apps.shop.apns.key_file = $key' push.conf >other.conf
	{
		tasks 100
		tasks 100 | jq -c '.app = "news"'
	} >in
	stage_file in push-apns -c other.conf
	has 'map(select(.app == "news")) | length == 100 and all(.trace.reason == "ok")'
	has 'map(select(.app == "shop")) | length == 100 and all(.trace.reason == "vendor-config")'
}

@test "one app whose answers do not come leaves room for another" {
	two_credentials
	{
		tasks 1000 | jq -c '.device.token |= "511e00" + .[6:]'
		tasks 50 | jq -c '.app = "news"'
	} >in
	SECONDS=0
	stage_file in push-apns -c two.conf --window 100 --timeout 4s
	# Without room it would be ten times four seconds.
	[ "$SECONDS" -lt $((15 * PUSH_TEST_SLOW)) ]
	has 'map(select(.app == "news")) | length == 50 and all(.trace.reason == "ok")'
	has 'map(select(.app == "shop")) | length == 1000 and all(.trace.outcome == "retry")'
	has 'map(select(.trace.reason == "ambiguous")) | length >= 50 and length < 200'
}

@test "apps with one key share connection and token, each with its topic" {
	own_mock
	{
		tasks 10 | jq -c '.device.environment = "production"'
		tasks 10 | jq -c '.app = "news" | .device.environment = "production"'
	} >in
	stage_file in push-apns -c push.conf --connections 1
	has 'length == 20 and all(.trace.reason == "ok")'
	received '(map(.topic) | unique) == ["com.example.news", "com.example.shop"]'
	mock_summary
	jq -e '.apns.connections == 1 and .apns.credentials == 1' "$MOCK_SUMMARY"
}

@test "a token without environment goes where its app says" {
	own_mock
	# One of the two is down: what arrives was sent to the other.
	conf 1 "$MOCK_APNS_PORT"
	stage "$(task "$(token 00)" '{"app": "news"}')" push-apns -c push.conf
	has '.[0].trace.reason == "ok"'
}

@test "apns-id and collapse id of a push are the same each time" {
	local again
	again=$(task "$(token 00)" '{"trace": {"t0_us": 1763627000000000, "pop": [0, 1,
		{"q": "push", "uid": "h817", "receipt": "w1:1", "attempt": 1}]}}')
	stage "$again" push-apns -c push.conf
	stage "$again" push-apns -c push.conf
	received 'length == 2 and (map([.apns_id, .collapse_id]) | unique | length) == 1'
	stage "${again/h817/h818}" push-apns -c push.conf
	received '(map(.apns_id) | unique | length) == 2'
}

@test "a channel is broadcast" {
	stage '{"id":"b","app":"shop","channel":"dHN0LXNyY2gtY2hubA==","message":{"apns":{"payload":{"aps":
		{"event":"update","timestamp":1763627000,"content-state":{"score":1}}}}}}' \
		push-apns -c push.conf
	has '.[0].trace.reason == "malformed"'
	stage "$(jq -nc '{id: "b", app: "shop", channel: "dHN0LXNyY2gtY2hubA==",
		message: {apns: {payload: {aps: {event: "update", timestamp: 1763627000,
		"content-state": {score: 1}}}}}}')" push-apns -c push.conf
	has '.[0].trace.reason == "ok"'
}

@test "records of others pass undecided, decided ones as they came" {
	local decided='{"id":"x","app":"shop","device":{"platform":"ios","token":"00"},"trace":{"t0_us":1763627000000000,"uid":"u1","auth":[1,2],"outcome":"suppressed","reason":"duplicate"}}'
	stage "$decided"'
{"id":"a","app":"shop","device":{"platform":"android","token":"tok"},"message":{}}
{"id":"t","app":"shop","topic":"news","message":{}}' push-apns -c push.conf
	[ "$status" -eq 0 ]
	[ "$(head -n 1 <<<"$output")" = "$decided" ]
	has 'length == 3 and (.[1:] | all(.trace | has("outcome") | not))'
	received 'length == 0'
}

@test "malformed lines are kept" {
	stage 'no json
{"id":"x","device":7}' push-apns -c push.conf
	[ "$status" -eq 0 ]
	has '.[0].raw == "no json" and .[0].trace.reason == "malformed"'
	has '.[1].trace.outcome == "rejected"'
}

@test "tasks that cannot be sent say why" {
	stage "$(
		task "$(token 00)" '{"id": "1", "app": "nobody"}'
		task "$(token 00)" '{"id": "2", "app": "webonly"}'
		task "not-hexadecimal" '{"id": "3"}'
		task "$(token 00)" '{"id": "4", "message": {"apns": {"headers": {"apns-priority": "7"}}}}'
		task "$(token 00)" "{\"id\": \"5\", \"message\": {\"notification\": {\"body\": \"$(printf '%05000d' 0)\"}}}"
	)" push-apns -c push.conf
	[ "$status" -eq 0 ]
	has 'sort_by(.id) | map(.trace.reason) ==
		["unknown-app", "vendor-config", "bad-target", "bad-message", "payload-too-large"]'
	has 'sort_by(.id)[3].trace.apns[2].why == "apns-priority is not 10, 5 or 1"'
	received 'length == 0'
}

@test "nothing is sent when the lease has run out" {
	local now_ms=$((EPOCHSECONDS * 1000))
	stage "$(
		for lease in $((now_ms - 1000)) $((now_ms + 60000)); do
			task "$(token 00 "$((lease % 1000000007))")" "{\"trace\": {\"t0_us\": ${now_ms}000, \"pop\": [0, 1,
				{\"q\": \"push\", \"uid\": \"h$lease\", \"receipt\": \"w1:1\", \"attempt\": 1,
				\"lease_ms\": $lease}]}}"
		done
	)" push-apns -c push.conf
	has 'map(.trace.reason) | sort == ["lease-lost", "ok"]'
	received 'length == 1'
}

@test "nothing is sent after the task has expired" {
	stage "$(task "$(token 00)" '{"expires_ms": 1000}')" push-apns -c push.conf
	has '.[0].trace.reason == "expired"'
	received 'length == 0'
}

@test "TERM finishes what is in flight" {
	mock_control '{"apns": {"delay_ms": 300}}'
	start -p apns push-apns -c push.conf
	feed apns "$(tasks 300)"$'\n'
	wait_until 10 test -s "$MOCK_RECEIVED"
	stop apns
	[ "$status" -eq 0 ]
	has_in apns.out 'all(.trace.reason == "ok")'
	# All that was read is out, and only that was sent.
	[ "$(wc -l <apns.out)" -eq "$(wc -l <"$MOCK_RECEIVED")" ]
}

@test "a drain that takes too long gives back what has no answer" {
	start -p apns push-apns -c push.conf --drain 1s
	feed apns "$(task "$(token 511e00)")"$'\n'
	wait_until 10 test -s "$MOCK_RECEIVED"
	SECONDS=0
	stop apns
	[ "$SECONDS" -lt $((20 * PUSH_TEST_SLOW)) ]
	[ "$status" -eq 0 ]
	has_in apns.out 'length == 1 and .[0].trace.reason == "ambiguous"
		and .[0].trace.apns[2].why == "stopped before the answer"'
}

@test "HUP takes over other apps and keys; a wrong file changes nothing" {
	start -p apns push-apns -c push.conf
	feed apns "$(task "$(token 00 1)")"$'\n'
	wait_for 1 apns.out
	jq '.apps.more = .apps.shop' push.conf >new && mv new push.conf
	kill -HUP "$(pid_of apns)"
	wait_until 10 grep -q 'configuration read again' apns.err
	feed apns "$(task "$(token 00 2)" '{"app": "more"}')"$'\n'
	wait_for 2 apns.out
	jq '.apps.shop.apns.key_file = "gone.p8"' push.conf >new && mv new push.conf
	kill -HUP "$(pid_of apns)"
	wait_until 10 grep -q 'keeping the old configuration' apns.err
	feed apns "$(task "$(token 00 3)")"$'\n'
	wait_for 3 apns.out
	stop apns
	has_in apns.out 'length == 3 and all(.trace.reason == "ok")'
	# What had not changed kept its connection.
	received '(map(.connection) | unique | length) == 1'
}

@test "HUP moves to another URL: what is in flight ends where it is" {
	local first=$MOCK_APNS_PORT first_received=$MOCK_RECEIVED
	jq '.apps.shop.apns.ambiguous = "drop"' push.conf >now.conf
	start -p apns push-apns -c now.conf
	start -p fixed push-apns -c now.conf --production "https://localhost:$first"
	feed apns "$(task "$(token 00 1)")"$'\n'
	wait_for 1 apns.out
	# This one is answered when all else is over.
	feed apns "$(task "$(token 51003000 2)")"$'\n'
	wait_for 2 "$first_received"
	own_mock
	[ "$MOCK_APNS_PORT" != "$first" ]
	jq --arg url "https://localhost:$MOCK_APNS_PORT" '.apns.production = $url' now.conf >new && mv new now.conf
	kill -HUP "$(pid_of apns)" "$(pid_of fixed)"
	wait_until 10 grep -q 'configuration read again' apns.err
	wait_until 10 grep -q 'configuration read again' fixed.err
	feed apns "$(task "$(token 00 3)")"$'\n'
	wait_until 10 grep -q "$(token 00 3)" apns.out
	feed fixed "$(task "$(token 00 4)")"$'\n'
	wait_for 1 fixed.out
	# A wrong one changes nothing.
	jq '.apns.production = "http://localhost"' now.conf >new && mv new now.conf
	kill -HUP "$(pid_of apns)"
	wait_until 10 grep -q 'keeping the old configuration' apns.err
	feed apns "$(task "$(token 00 5)")"$'\n'
	wait_for 4 apns.out
	stop apns
	stop fixed
	has_in apns.out 'length == 4 and all(.trace.reason == "ok" and (.trace.apns[2] | has("tries") | not))'
	has_in fixed.out '.[0].trace.reason == "ok"'
	received 'map(.token[-1:]) == ["3", "5"]'
	has_in "$first_received" 'map(.token[-1:]) == ["1", "2", "4"]'
}

@test "--dry-run and --replay show the request and send nothing" {
	local flag
	for flag in --dry-run --replay; do
		stage "$(task "$(token ab)")" push-apns -c push.conf $flag
		[ "$status" -eq 0 ]
		has '.[0].trace | .reason == "ok" and (.apns[2] | .dry_run == 1
			and .path == "/3/device/" + $token and ."apns-topic" == "com.example.shop"
			and (.body | fromjson.aps.alert.title == "order"))' --arg token "$(token ab)"
	done
	received 'length == 0'
}

@test "a replay decides the same again" {
	stage "$(task "$(token ab)")" push-apns -c push.conf
	cp "$output_file" captured
	stage_file captured push-apns -c push.conf --replay
	has '.[0].trace | .outcome == "accepted" and .apns[2].dry_run == 1'
	received 'length == 1'
}

@test "--production, --sandbox and --ca-file say where" {
	jq 'del(.apns)' push.conf >bare.conf
	stage "$(task "$(token 00)")" push-apns -c bare.conf --ca-file "$MOCK_KEYS/ca.pem" \
		--production "https://localhost:$MOCK_APNS_PORT" --sandbox https://localhost:1
	has '.[0].trace.reason == "ok"'
	stage "$(task "$(token 00)" '{"app": "news"}')" push-apns -c bare.conf \
		--ca-file "$MOCK_KEYS/ca.pem" --production https://localhost:1 \
		--sandbox "https://localhost:$MOCK_APNS_PORT"
	has '.[0].trace.reason == "ok"'
}

@test "wrong options and files end with 100 and say which" {
	stage '' push-apns -c push.conf --production http://localhost:1
	[ "$status" -eq 100 ]
	logged "not 'http://localhost:1'"
	stage '' push-apns -c push.conf --connections 0
	[ "$status" -eq 100 ]
	stage '' push-apns -c push.conf --timeout soon
	[ "$status" -eq 100 ]
	jq '.apps.shop.apns.key_file = "gone.p8"' push.conf >other.conf
	stage '' push-apns -c other.conf
	[ "$status" -eq 100 ]
	logged "app 'shop'"
	logged gone.p8
	echo rubbish >rubbish.p8
	jq --arg key "$PWD/rubbish.p8" '.apps.shop.apns.key_file = $key' push.conf >other.conf
	stage '' push-apns -c other.conf
	[ "$status" -eq 100 ]
	logged rubbish.p8
	jq 'del(.apps.shop.apns.topic)' push.conf >other.conf
	stage '' push-apns -c other.conf
	[ "$status" -eq 100 ]
	logged 'needs key_file, key_id, team_id and topic'
}

@test "neither tokens nor payloads nor keys are in the log" {
	mock_control '{"apns": {"error": {"status": 400, "reason": "BadTopic"}}}'
	stage "$(task "$(token abcd)")" push-apns -c push.conf -v
	logged 'BadTopic'
	[[ $stderr != *"$(token abcd)"* ]]
	[[ $stderr != *'on its way'* ]]
	[[ $stderr != *bearer* ]]
}

# Keeps the datagrams that come, up to the first with TEXT: listen TEXT
listen() {
	python3 - counters.sock "$1" >datagrams <<-'END' 3>&- 4>&- &
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		s.settimeout(20)
		while True:
		    d = s.recv(65536)
		    print(d.decode(), flush=True)
		    if sys.argv[2].encode() in d:
		        break
	END
	listener=$!
	wait_until 10 test -S counters.sock
}

@test "the counters tell connections, streams and what went wrong" {
	local listener
	listen '"accepted":2'
	start -p apns push-apns -c push.conf --counters "$PWD/counters.sock"
	feed apns "$(tasks 2)"$'\n'
	wait "$listener"
	stop apns
	tail -n 1 datagrams | jq -e '.vendor | .connections >= 1 and .connects >= 1 and .streams == 0
		and .waiting == 0 and .breakers_open == 0 and .ambiguous == 0 and .goaways == 0
		and .token_age_s >= 0 and .clock_skew_s == -1'
}

@test "a clock that is not Apple's is told, once" {
	mock_control '{"apns": {"clock_ahead_s": 300}}'
	tasks 50 >in
	stage_file in push-apns -c push.conf
	has 'length == 50 and all(.trace.reason == "ok")'
	[[ $stderr =~ "clock is "(299|30[0-9])" s behind the vendor's" ]]
	[ "$(grep -c "behind the vendor's" "$stderr_file")" -eq 1 ]
	mock_control '{"apns": {"clock_behind_s": 200}}'
	stage "$(task "$(token 00)")" push-apns -c push.conf
	logged "ahead of the vendor's"
	mock_control '{"apns": {"clock_behind_s": 20}}'
	stage "$(task "$(token 00)")" push-apns -c push.conf
	[[ $stderr != *"the vendor's"* ]]
}

@test "a fresh token that is too old for Apple: the clock is named" {
	mock_control '{"apns": {"clock_ahead_s": 7200}}'
	stage "$(task "$(token 00)")" push-apns -c push.conf
	has '.[0].trace | .reason == "reauth" and .apns[2].answer == "ExpiredProviderToken"'
	logged "the token of app 'shop' is refused as too old"
	logged "this host's clock is wrong"
	logged "behind the vendor's"
}
