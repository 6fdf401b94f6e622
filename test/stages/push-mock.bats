# push-mock is the judge of what the vendor stages send, so it is judged here by
# others: curl and nghttp speak to it, openssl signs for it.

# shellcheck disable=SC2016 # jq's variables
# shellcheck disable=SC2030,SC2031 # each test has its own mock's ports and tokens

load ../helper.bash

setup_file() {
	# Two more signing keys: one of the same team, one of another.
	local keys=$BATS_FILE_TMPDIR/keys
	"$ROOT/scripts/mock-certs" "$keys"
	for kid in MOCKKEY002 OTHERKEY01; do
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
			-out "$keys/AuthKey_$kid.p8"
	done
	jq '.apns += [
		{kid: "MOCKKEY002", team: "MOCKTEAM01", key: "AuthKey_MOCKKEY002.p8"},
		{kid: "OTHERKEY01", team: "OTHERTEAM1", key: "AuthKey_OTHERKEY01.p8",
			topics: ["com.example.other"]}]' \
		"$keys/credentials.json" >"$keys/more.json"
	mv "$keys/more.json" "$keys/credentials.json"
	mock_up --received-body
}

teardown() {
	[ ! -s "$MOCK_CONTROL" ] || mock_control '{}' || :
	end_all
}

TOKEN=00000000000000000000000000000000000000000000000000000000000000aa
TOPIC=com.example.shop
ID=0f8fad5b-d9cb-469f-a165-70867728950e
NOW=$(date +%s)

b64url() {
	openssl base64 -A | tr '+/' '-_' | tr -d '='
}

# ES256 with R and S side by side, as RFC 7518 wants it: jws_es256 HEAD CLAIMS KEY
jws_es256() {
	local text
	text=$(printf %s "$1" | b64url).$(printf %s "$2" | b64url)
	printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$3" |
		openssl asn1parse -inform DER | awk -F: '/INTEGER/ {
			h = $NF
			while (length(h) < 64) h = "0" h
			printf "%s", substr(h, length(h) - 63)
		}' | basenc --base16 -d | b64url)"
}

jws_rs256() {
	local text
	text=$(printf %s "$1" | b64url).$(printf %s "$2" | b64url)
	printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$3" | b64url)"
}

# A provider token, made once for the file: provider_token [IAT [KID [TEAM]]]
provider_token() {
	local iat=${1:-$NOW} kid=${2:-MOCKKEY001} team=${3:-MOCKTEAM01}
	local file=$BATS_FILE_TMPDIR/token.$iat.$kid.$team
	[ -f "$file" ] || jws_es256 "{\"alg\":\"ES256\",\"kid\":\"$kid\"}" \
		"{\"iss\":\"$team\",\"iat\":$iat}" \
		"$MOCK_KEYS/AuthKey_$kid.p8" >"$file"
	cat "$file"
}

# An assertion for the token endpoint: assertion JQ-EDIT-OF-CLAIMS [JQ-EDIT-OF-HEAD]
assertion() {
	local account=$MOCK_KEYS/service-account.json
	jws_rs256 "$(jq -c "{alg: \"RS256\", typ: \"JWT\", kid: .private_key_id} | ${2:-.}" "$account")" \
		"$(jq -c --argjson now "$(date +%s)" "{iss: .client_email, aud: .token_uri,
			scope: \"https://www.googleapis.com/auth/firebase.messaging\",
			iat: \$now, exp: (\$now + 3600)} | $1" "$account")" \
		"$MOCK_KEYS/service-account.key"
}

# oauth ASSERTION [CURL-OPTION...]
oauth() {
	local text=$1
	shift
	request --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer \
		--data-urlencode "assertion=$text" "$@" "https://localhost:$MOCK_OAUTH_PORT/token"
}

# An access token, fetched once for the file.
access_token() {
	local file=$BATS_FILE_TMPDIR/access
	if [ ! -f "$file" ]; then
		oauth "$(assertion .)"
		jq -r .access_token body >"$file"
	fi
	cat "$file"
}

# fcm BODY [CURL-OPTION...]
fcm() {
	local text=$1 access
	shift
	access=$(access_token)
	request -H "authorization: Bearer $access" -H 'content-type: application/json' -d "$text" \
		"$@" "https://localhost:$MOCK_FCM_PORT/v1/projects/mock-project/messages:send"
}

# FCM refused with this status and this code in its FcmError.
fcm_said() {
	[ "$code" = "$1" ] && jq -e --arg code "$2" '.error.details[]
		| select(."@type" == "type.googleapis.com/google.firebase.fcm.v1.FcmError")
		| .errorCode == $code' body >log && return
	printf 'got %s, %s\n' "$code" "$(cat body)"
	return 1
}

# A number of the summary as it is now.
count() {
	mock_summary
	jq "$1" "$MOCK_SUMMARY"
}

# Sets code, headers and body; a request that got none has code 000.
request() {
	local rc=0
	rm -f body
	code=$(curl -s --http2 --max-time 5 --cacert "$MOCK_KEYS/ca.pem" \
		-D headers -o body -w '%{http_code}' "$@") || rc=$?
	curl_status=$rc
	[ -f body ] || : >body
}

# apns PATH [CURL-OPTION...]: a request in order but for what the options say; a
# "-H NAME: VALUE" takes the place of the field, "-H NAME:" takes it away.
apns() {
	local path=$1 name args=()
	local -A fields=([authorization]="bearer $(provider_token)" [apns-topic]=$TOPIC
		[apns-push-type]=alert [apns-id]=$ID)
	shift
	while [ $# -gt 0 ]; do
		if [ "$1" = -H ]; then
			name=${2%%:*}
			fields[$name]=${2#"$name:"}
			shift
		else
			args+=("$1")
		fi
		shift
	done
	for name in "${!fields[@]}"; do
		args+=(-H "$name: ${fields[$name]}")
	done
	request -d '{"aps":{"alert":"hello"}}' "${args[@]}" \
		"https://localhost:$MOCK_APNS_PORT$path"
}

# The answer is this status with this reason.
said() {
	[ "$code" = "$1" ] && [ "$(jq -r .reason body)" = "$2" ] && return
	printf 'got %s, %s\n' "$code" "$(cat body)"
	return 1
}

@test "a request in order is accepted, its id echoed, and counted" {
	apns "/3/device/$TOKEN" -H 'apns-priority: 10' -H 'apns-collapse-id: order-1' \
		-H 'apns-expiration: 0'
	[ "$code" = 200 ]
	[ ! -s body ]
	grep -qi "^apns-id: $ID" headers
	has_in "$MOCK_RECEIVED" 'any(.vendor == "apns" and .status == 200
		and .token == $token and .apns_id == $id and .collapse_id == "order-1"
		and .topic == "com.example.shop" and .push_type == "alert"
		and .priority == "10" and .expiration == "0" and .stream == 1
		and .unix_ms > 1700000000000)' --arg token "$TOKEN" --arg id "$ID"
}

@test "a head that breaks a rule is refused with Apple's reason" {
	apns "/3/device/$TOKEN" -H 'apns-topic:'
	said 400 MissingTopic
	apns "/3/device/$TOKEN" -H 'apns-push-type: voip'
	said 400 BadTopic
	apns "/3/device/$TOKEN" -H 'apns-push-type:'
	said 400 InvalidPushType
	apns "/3/device/$TOKEN" -H 'apns-push-type: shout'
	said 400 InvalidPushType
	apns "/3/device/$TOKEN" -H 'apns-push-type: background'
	said 400 BadPriority
	apns "/3/device/$TOKEN" -H 'apns-push-type: background' -H 'apns-priority: 10'
	said 400 BadPriority
	apns "/3/device/$TOKEN" -H 'apns-priority: 7'
	said 400 BadPriority
	apns "/3/device/$TOKEN" -H "apns-id: ${ID^^}"
	said 400 BadMessageId
	apns "/3/device/$TOKEN" -H 'apns-expiration: tomorrow'
	said 400 BadExpirationDate
	apns "/3/device/$TOKEN" -H "apns-collapse-id: $(printf '%065d' 0)"
	said 400 BadCollapseId
	apns "/3/device/$TOKEN" -H 'apns-priority: 5' --header 'apns-priority: 10'
	said 400 DuplicateHeaders
	apns /3/device/ -H 'apns-priority: 5'
	said 400 MissingDeviceToken
	apns /3/device/abc
	said 400 BadDeviceToken
	apns /3/device/zz
	said 400 BadDeviceToken
	apns "/3/devices/$TOKEN"
	said 404 BadPath
	apns "/3/device/$TOKEN" -X PUT
	said 405 MethodNotAllowed
}

@test "what the rules allow is accepted" {
	apns "/3/device/$TOKEN" -H 'apns-push-type: background' -H 'apns-priority: 5'
	[ "$code" = 200 ]
	apns "/3/device/$TOKEN" -H "apns-collapse-id: $(printf '%064d' 0)"
	[ "$code" = 200 ]
	apns /3/device/aB01
	[ "$code" = 200 ]
	apns "/3/device/$TOKEN" -H 'apns-push-type: liveactivity' \
		-H "apns-topic: $TOPIC.push-type.liveactivity"
	[ "$code" = 200 ]
}

@test "a request without apns-id is given one" {
	apns "/3/device/$TOKEN" -H 'apns-id:'
	[ "$code" = 200 ]
	grep -Eqi '^apns-id: [0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-A[0-9A-F]{3}-[0-9A-F]{12}' headers
}

@test "payloads are measured and parsed" {
	printf '{"a":"%04088d"}' 0 >just # 4096 bytes
	printf '{"a":"%04089d"}' 0 >above
	printf '{"a":"%05113d"}' 0 >voip
	apns "/3/device/$TOKEN" -d 'no JSON'
	said 400 PayloadEmpty
	request_with() {
		request -H "authorization: bearer $(provider_token)" -H "apns-topic: $TOPIC$2" \
			-H "apns-push-type: $1" --data-binary "@$3" \
			"https://localhost:$MOCK_APNS_PORT/3/device/$TOKEN"
	}
	request_with alert '' just
	[ "$code" = 200 ]
	request_with alert '' above
	said 413 PayloadTooLarge
	request_with voip .voip above
	[ "$code" = 200 ]
	request_with voip .voip voip
	said 413 PayloadTooLarge
	request_with alert '' /dev/null
	said 400 PayloadEmpty
}

@test "a provider token is verified" {
	local good signature
	good=$(provider_token)
	signature=${good##*.}
	apns "/3/device/$TOKEN" -H 'authorization:'
	said 403 MissingProviderToken
	for wrong in "${good%.*}" "${good%.*}.${signature::-4}AAAA" "$good.x" 'x' \
		"$(printf '{"alg":"none","kid":"MOCKKEY001"}' | b64url).$(cut -d. -f2 <<<"$good")." \
		"$(provider_token "$NOW" MOCKKEY001 OTHERTEAM1)" \
		"$(provider_token $((NOW + 3600)))"; do
		request -H "authorization: bearer $wrong" -H "apns-topic: $TOPIC" \
			-H 'apns-push-type: alert' -d '{}' \
			"https://localhost:$MOCK_APNS_PORT/3/device/$TOKEN"
		said 403 InvalidProviderToken
	done
	request -H "authorization: bearer $(provider_token $((NOW - 3700)))" \
		-H "apns-topic: $TOPIC" -H 'apns-push-type: alert' -d '{}' \
		"https://localhost:$MOCK_APNS_PORT/3/device/$TOKEN"
	said 403 ExpiredProviderToken
}

@test "a signature in DER form is refused, as Apple does" {
	local text
	text=$(printf '{"alg":"ES256","kid":"MOCKKEY001"}' | b64url).$(
		printf '{"iss":"MOCKTEAM01","iat":%s}' "$NOW" | b64url)
	text=$text.$(printf %s "$text" |
		openssl dgst -sha256 -sign "$MOCK_KEYS/AuthKey_MOCKKEY001.p8" | b64url)
	request -H "authorization: bearer $text" -H "apns-topic: $TOPIC" \
		-H 'apns-push-type: alert' -d '{}' \
		"https://localhost:$MOCK_APNS_PORT/3/device/$TOKEN"
	said 403 InvalidProviderToken
}

# Several requests on one connection, one for each provider token; their
# statuses and reasons, a line each.
on_one_connection() {
	local args=() token
	for token; do
		[ ${#args[@]} -eq 0 ] || args+=(--next)
		args+=(-s --http2 --cacert "$MOCK_KEYS/ca.pem" -w '%{http_code}\n'
			-H "authorization: bearer $token" -H "apns-topic: $TOPIC"
			-H 'apns-push-type: alert' -d '{}'
			"https://localhost:$MOCK_APNS_PORT/3/device/$TOKEN")
	done
	curl "${args[@]}"
}

@test "the third provider token within 20 minutes is too much for a connection" {
	run on_one_connection "$(provider_token)" "$(provider_token $((NOW - 1)))" \
		"$(provider_token)" "$(provider_token $((NOW - 2)))" "$(provider_token)"
	[ "${lines[0]}" = 200 ]
	[ "${lines[1]}" = 200 ]
	[ "${lines[2]}" = 200 ]
	[ "${lines[3]}" = '{"reason":"TooManyProviderTokenUpdates"}429' ]
	[ "${lines[4]}" = 200 ]
}

@test "a connection belongs to its first key" {
	run on_one_connection "$(provider_token)" "$(provider_token "$NOW" MOCKKEY002)" \
		"$(provider_token "$NOW" OTHERKEY01 OTHERTEAM1)"
	[ "${lines[0]}" = 200 ]
	[ "${lines[1]}" = '{"reason":"UnrelatedKeyIdInToken"}403' ]
	[ "${lines[2]}" = '{"reason":"InvalidProviderToken"}403' ]
}

@test "a key for some topics cannot send to another" {
	for topic in $TOPIC com.example.other; do
		request -H "authorization: bearer $(provider_token "$NOW" OTHERKEY01 OTHERTEAM1)" \
			-H "apns-topic: $topic" -H 'apns-push-type: alert' -d '{}' \
			"https://localhost:$MOCK_APNS_PORT/3/device/$TOKEN"
		echo "$code" >>codes
	done
	[ "$(tr '\n' ' ' <codes)" = '400 200 ' ]
}

@test "a broadcast needs a channel" {
	local path=/4/broadcasts/apps/$TOPIC
	broadcast() {
		apns "$path" -H 'apns-topic:' -H 'apns-id:' -H 'apns-push-type: liveactivity' "$@"
	}
	broadcast -H 'apns-channel-id: dHN0LXNyY2gtY2hubA==' -H 'apns-expiration: 0' \
		-H "apns-request-id: $ID"
	[ "$code" = 200 ]
	grep -qi "^apns-request-id: $ID" headers
	broadcast -H 'apns-expiration: 0'
	said 400 MissingChannelId
	broadcast -H 'apns-channel-id: ???' -H 'apns-expiration: 0'
	said 400 BadChannelId
	broadcast -H 'apns-channel-id: dHN0LXNyY2gtY2hubA=='
	said 400 BadExpirationDate
}

# --- what a token asks for ---------------------------------------------------------

@test "APNs tokens ask for answers" {
	apns /3/device/dead0001
	said 410 Unregistered
	[ "$(jq '.timestamp / 1000 - now | fabs < 60' body)" = true ]
	apns /3/device/dea00001
	said 410 Unregistered
	[ "$(jq .timestamp body)" = 1577836800000 ]
	apns /3/device/dea10001
	said 410 ExpiredToken
	apns /3/device/bad00001
	said 400 BadDeviceToken
	apns /3/device/bad10001
	said 400 DeviceTokenNotForTopic
	apns /3/device/ee990001
	said 400 SomethingNew
	apns /3/device/e4290000
	said 429 TooManyRequests
}

@test "an APNs token asks for the first requests to fail only" {
	apns /3/device/e5030201
	said 503 ServiceUnavailable
	apns /3/device/e5030201
	said 503 ServiceUnavailable
	apns /3/device/e5030201
	[ "$code" = 200 ]
	apns /3/device/e50302ff # another one has its own count
	said 503 ServiceUnavailable
}

@test "the numbered reasons are those of the page" {
	local urls=() number status reason
	while read -r number status reason; do
		urls+=("https://localhost:$MOCK_APNS_PORT/3/device/ee${number}00")
		printf '%s %s\n' "$status" "$reason" >>wanted
	done < <(sed -n 's/^\.It \([0-9][0-9]\) \([0-9]*\) \([A-Za-z]*\)$/\1 \2 \3/p' \
		"$ROOT/man/push-mock.1")
	[ ${#urls[@]} = 40 ]
	curl -s --http2 --cacert "$MOCK_KEYS/ca.pem" -H "authorization: bearer $(provider_token)" \
		-H "apns-topic: $TOPIC" -H 'apns-push-type: alert' -d '{}' -w '%{http_code}\n' \
		"${urls[@]}" >answers
	sed -n 's/^{"reason":"\([A-Za-z]*\)".*}\([0-9]*\)$/\2 \1/p' answers | diff wanted -
}

@test "APNs tokens ask for trouble with the stream" {
	apns /3/device/51000300 -w '%{time_total} %{http_code}'
	[ "${code#* }" = 200 ]
	awk -v s="${code%% *}" 'BEGIN { exit !(s >= 0.3) }'
	apns /3/device/511e00 --max-time 0.3
	[ "$code" = 000 ]
	[ "$curl_status" = 28 ]
	apns /3/device/7e5e0100
	[ "$code" = 000 ]
	[ "$curl_status" = 92 ]
	apns /3/device/7e5e0100
	[ "$code" = 200 ]
	apns /3/device/c10501ab
	[ "$code" = 000 ]
	apns /3/device/c10501ab
	[ "$code" = 200 ]
	has_in "$MOCK_RECEIVED" '[.[] | select(.status == 0) | [.token, .reason]]
		== [["511e00", "silent"], ["7e5e0100", "reset"], ["c10501ab", "closed"]]'
}

@test "a refused stream was not received" {
	local before
	before=$(count '.apns.refused')
	apns /3/device/7ef50100 # curl takes a refusal as leave to try again
	[ "$code" = 200 ]
	[ "$(count '.apns.refused')" -gt "$before" ]
	has_in "$MOCK_RECEIVED" '[.[] | select(.token == "7ef50100") | .status] == [200]'
}

@test "an early answer comes before the body" {
	head -c 300000 /dev/zero >body.large # more than the stream's window lets through
	run nghttp -nv --no-dep -H "authorization: bearer $(provider_token)" \
		-H "apns-topic: $TOPIC" -H 'apns-push-type: alert' -d body.large \
		"https://127.0.0.1:$MOCK_APNS_PORT/3/device/ea7100"
	[[ $output == *':status: 200'* ]]
	[[ $output == *'recv RST_STREAM frame'*'error_code=NO_ERROR'* ]]
}

# --- what the control file orders --------------------------------------------------

@test "an error for a share of the requests, with Retry-After" {
	mock_control '{"apns":{"error":{"status":503,"reason":"ServiceUnavailable",
		"ratio":0.5,"retry_after_s":7}}}'
	for n in 1 2 3 4; do
		apns "/3/device/$TOKEN"
		echo "$code" >>codes
		[ "$code" = 200 ] || grep -qi '^retry-after: 7' headers
	done
	[ "$(tr '\n' ' ' <codes)" = '200 503 200 503 ' ]
}

@test "an error so many times, or for the first requests of each token" {
	mock_control '{"apns":{"error":{"status":500,"reason":"InternalServerError","times":1}}}'
	apns "/3/device/$TOKEN"
	said 500 InternalServerError
	apns "/3/device/$TOKEN"
	[ "$code" = 200 ]
	mock_control '{"apns":{"error":{"status":429,"reason":"TooManyRequests","times_per_token":1}}}'
	for token in aa01 aa02; do
		apns "/3/device/$token"
		said 429 TooManyRequests
		apns "/3/device/$token"
		[ "$code" = 200 ]
	done
}

@test "one vendor can be slow, silent, down or frozen while others are not" {
	mock_control '{"apns":{"delay_ms":300}}'
	apns "/3/device/$TOKEN" -w '%{time_total} %{http_code}'
	awk -v s="${code%% *}" 'BEGIN { exit !(s >= 0.3) }'
	for fault in silent down frozen; do
		mock_control "{\"apns\":{\"$fault\":true}}"
		apns "/3/device/$TOKEN" --max-time 0.3
		[ "$code" = 000 ]
		oauth "$(assertion .)"
		[ "$code" = 200 ]
	done
	mock_control '{}'
	apns "/3/device/$TOKEN"
	[ "$code" = 200 ]
}

@test "markers can be turned off" {
	mock_control '{"markers":false}'
	apns /3/device/dead0001
	[ "$code" = 200 ]
}

# Many requests at once on one connection; one line "STATUS STREAM" for each answer.
many() {
	local urls=() n count=$1
	shift
	for n in $(seq "$count"); do
		urls+=("https://127.0.0.1:$MOCK_APNS_PORT/3/device/$(printf 'bb%06d' "$n")")
	done
	printf '{}' >data
	nghttp -nv --no-dep -H "authorization: bearer $(provider_token)" -H "apns-topic: $TOPIC" \
		-H 'apns-push-type: alert' -d data "$@" "${urls[@]}" >frames 2>&1 || :
}

@test "one stream is allowed until the first valid token was seen" {
	many 1
	limits=$(awk '/(send|recv) [A-Z]/ { is_from_mock = /recv SETTINGS/ }
		is_from_mock && sub(/.*SETTINGS_MAX_CONCURRENT_STREAMS.0x03.:/, "") { printf "%d ", $0 }' frames)
	[ "$limits" = '1 1000 ' ]
	apns "/3/device/$TOKEN" -H 'authorization:'
	[ "$code" = 403 ]
}

@test "streams over the limit are refused and not received" {
	local before
	before=$(count .apns.requests)
	many 8 # at once, as nobody has told it the limit yet
	[ "$(grep -c 'recv RST_STREAM' frames)" = "$(grep -c 'error_code=REFUSED_STREAM' frames)" ]
	answered=$(grep -c ':status: 200' frames)
	[ "$answered" -ge 1 ]
	[ "$(($(count .apns.requests) - before))" = "$answered" ]
}

@test "GOAWAY names the last stream that was taken; those above are not received" {
	mock_up --first-streams 100
	mock_control '{"apns":{"goaway_after":3,"goaway_reason":"Shutdown"}}'
	many 8
	last=$(sed -n 's/.*(last_stream_id=\([1-9][0-9]*\).*/\1/p' frames)
	grep -q 'opaque_data(21)=\[{"reason":"Shutdown"}\]' frames
	[ "$(grep -c ':status: 200' frames)" = 3 ]
	has_in "$MOCK_RECEIVED" 'length == 3 and (map(.stream) | max) == $last' --argjson last "$last"
	mock_summary
	jq -e '.apns | .requests == 3 and .goaways == 1 and .unanswered == 0' "$MOCK_SUMMARY"
}

@test "a hard GOAWAY leaves the last requests without an answer" {
	local before
	before=$(count .apns.unanswered)
	mock_control '{"apns":{"goaway_after":1,"goaway_then_close":true}}'
	many 1
	run ! grep -q ':status: 200' frames
	grep -q 'recv GOAWAY' frames
	[ "$(count .apns.unanswered)" = $((before + 1)) ]
}

@test "every n-th stream is refused or reset, a connection closed after n" {
	mock_control '{"apns":{"reset_every":2}}'
	apns "/3/device/$TOKEN"
	[ "$code" = 200 ]
	apns "/3/device/$TOKEN"
	[ "$curl_status" = 92 ]
	has_in "$MOCK_RECEIVED" '.[-1] | .status == 0 and .reason == "reset"'
	mock_control '{"apns":{"refuse_every":1}}'
	before=$(count .apns.requests)
	apns "/3/device/$TOKEN" --max-time 0.3
	[ "$code" = 000 ]
	[ "$(count .apns.requests)" = "$before" ]
	mock_control '{"apns":{"close_after":2}}'
	run on_one_connection "$(provider_token)" "$(provider_token)" "$(provider_token)"
	[ "${lines[0]}" = 200 ]
	[[ ${lines[1]} == *000 ]] || [ "${lines[1]}" = 200 ] # curl may send it again
	has_in "$MOCK_RECEIVED" '.[-2].connection != .[-1].connection or .[-1].connection != .[-3].connection'
}

@test "the stream limit follows the control file on a living connection" {
	mock_control '{"apns":{"stream_limit":7,"delay_ms":50}}'
	many 1
	grep -q 'SETTINGS_MAX_CONCURRENT_STREAMS(0x03):7\]' frames
}

@test "early answers can be ordered for a vendor" {
	mock_control '{"fcm":{"early_answer":true}}'
	head -c 300000 /dev/zero >large
	fcm @large
	[ "$code" = 200 ]
}

@test "a control file with a mistake changes nothing and says where it is" {
	mock_control '{"apns":{"error":{"status":503,"reason":"Shutdown"}}}'
	for wrong in '{' '[]' '{"apple":{}}' '{"apns":{"delay":1}}' '{"apns":{"delay_ms":"1"}}' \
		'{"apns":{"silent":1}}' '{"apns":{"error":{"reason":"x"}}}' \
		'{"apns":{"error":{"status":503,"ratio":2}}}' '{"apns":{"error":{"status":99}}}' \
		'{"apns":{"error":{"status":500,"colour":1}}}' '{"apns":{"delay_ms":-1}}'; do
		printf '%s' "$wrong" >wrong
		mv wrong "$MOCK_CONTROL" # never half a file
		run -100 push-mock --cert "$MOCK_KEYS/cert.pem" --key "$MOCK_KEYS/key.pem" \
			--credentials "$MOCK_KEYS/credentials.json" --control "$MOCK_CONTROL"
		[[ $output == *"$MOCK_CONTROL"* ]]
	done
	kill -HUP "$(<"$BATS_FILE_TMPDIR/.mock.pid")"
	wait_until 5 grep -q 'delay_ms.*whole number' "$BATS_FILE_TMPDIR/mock.log"
	apns "/3/device/$TOKEN"
	said 503 Shutdown
}

# --- Google ------------------------------------------------------------------------

@test "an assertion buys an access token, and that sends" {
	oauth "$(assertion .)"
	[ "$code" = 200 ]
	jq -e '.token_type == "Bearer" and .expires_in == 3600
		and (.access_token | startswith("ya29.mock-"))' body
	fcm '{"message":{"token":"t1","notification":{"title":"新訂單","body":"hi"},
		"data":{"order":"17"},"android":{"priority":"high","ttl":"3600s",
		"notification":{"tag":"order-17"}}}}'
	[ "$code" = 200 ]
	jq -e '.name | test("^projects/mock-project/messages/[0-9]+$")' body
	has_in "$MOCK_RECEIVED" '.[-1] | .vendor == "fcm" and .token == "t1" and .status == 200
		and .tag == "order-17" and .priority == "high" and .expiration == "3600s"
		and .name == $name and (.body | fromjson | .message.notification.title == "新訂單")' \
		--arg name "$(jq -r .name body)"
}

@test "an assertion is verified" {
	grant_error() {
		[ "$code" = 400 ] && [ "$(jq -r .error body)" = "$1" ] && return
		printf 'got %s, %s\n' "$code" "$(cat body)"
		return 1
	}
	local good
	good=$(assertion .)
	for edit in '.iss = "somebody@else"' '.aud = "https://example.com/token"' '.exp += 1' \
		'.iat -= 7200 | .exp -= 7200' '.iat += 600 | .exp += 600' 'del(.exp)' 'del(.iat)' \
		'.exp = .iat'; do
		oauth "$(assertion "$edit")"
		grant_error invalid_grant
	done
	for head in '.alg = "ES256"' '.alg = "none"' '.kid = "other"'; do
		oauth "$(assertion . "$head")"
		grant_error invalid_grant
	done
	oauth "${good::-4}AAAA"
	grant_error invalid_grant
	oauth x
	grant_error invalid_grant
	oauth "$(assertion '.scope = "https://www.googleapis.com/auth/drive"')"
	grant_error invalid_scope
	request --data-urlencode grant_type=password "https://localhost:$MOCK_OAUTH_PORT/token"
	grant_error unsupported_grant_type
	request -d x=y "https://localhost:$MOCK_OAUTH_PORT/token"
	grant_error invalid_request
	oauth "$good" -H 'content-type: application/json'
	grant_error invalid_request
	request "https://localhost:$MOCK_OAUTH_PORT/token"
	[ "$code" = 404 ]
	oauth "$(assertion ".aud = \"https://localhost:$MOCK_OAUTH_PORT/token\"")"
	[ "$code" = 200 ]
}

@test "without a good access token nothing is sent" {
	local url=https://localhost:$MOCK_FCM_PORT/v1/projects/mock-project/messages:send
	request -d '{"message":{"token":"t"}}' "$url"
	[ "$code" = 401 ]
	jq -e '.error.status == "UNAUTHENTICATED" and .error.details == null' body
	request -H 'authorization: Bearer ya29.mock-made-up' -d '{"message":{"token":"t"}}' "$url"
	[ "$code" = 401 ]
	request -H "authorization: Bearer $(access_token)" -d '{"message":{"token":"t"}}' \
		"${url/mock-project/another}"
	[ "$code" = 403 ]
	jq -e '.error.status == "PERMISSION_DENIED"' body
	request -H "authorization: Bearer $(access_token)" -d '{}' "https://localhost:$MOCK_FCM_PORT/fcm/send"
	[ "$code" = 404 ]
	grep -q '<html' body
}

@test "an access token ends with its life, and when it is revoked" {
	mock_up --token-life 1
	[ "$(access_token_fresh)" = 1 ]
	good='{"message":{"token":"t"}}'
	wait_until 10 expired
	rm "$BATS_FILE_TMPDIR/access"
	mock_down
	mock_up
	fcm "$good"
	[ "$code" = 200 ]
	mock_control '{"oauth":{"revoke":true}}'
	fcm "$good"
	[ "$code" = 401 ]
	rm "$BATS_FILE_TMPDIR/access"
}

access_token_fresh() {
	rm -f "$BATS_FILE_TMPDIR/access"
	access_token >/dev/null
	jq .expires_in body
}

expired() {
	fcm "$good"
	[ "$code" = 401 ]
}

@test "FCM refuses a body that breaks a rule, and names the member" {
	local long
	long=$(printf '%04090d' 0)
	while IFS='|' read -r text field; do
		fcm "${text/LONG/$long}"
		fcm_said 400 INVALID_ARGUMENT
		[ "$(jq -r '.error.details[] | select(.fieldViolations) | .fieldViolations[0].field' body)" = "$field" ] || {
			echo "$text: $(cat body)"
			return 1
		}
	done <<-'END'
		no JSON|message
		{}|message
		{"message":{}}|message
		{"message":{"token":"t","topic":"u"}}|message
		{"message":{"token":"t"},"extra":1}|request.extra
		{"message":{"token":"t","extra":1}}|message.extra
		{"message":{"token":7}}|message.token
		{"message":{"token":"a b"}}|message.token
		{"message":{"topic":"/topics/x"}}|message.topic
		{"message":{"token":"t","data":{"n":1}}}|message.data.n
		{"message":{"token":"t","data":{"from":"x"}}}|message.data.from
		{"message":{"token":"t","data":{"google.x":"x"}}}|message.data.google.x
		{"message":{"token":"t","data":{"gcm.notification.x":"x"}}}|message.data.gcm.notification.x
		{"message":{"token":"t","data":{"a":"LONG","bc":"12345"}}}|message
		{"message":{"topic":"t","data":{"a":"LONG"}}}|message
		{"message":{"token":"t","notification":{"titel":"x"}}}|message.notification.titel
		{"message":{"token":"t","android":{"priority":"urgent"}}}|message.android.priority
		{"message":{"token":"t","android":{"ttl":"3600"}}}|message.android.ttl
		{"message":{"token":"t","android":{"ttl":"2419201s"}}}|message.android.ttl
		{"message":{"token":"t","android":{"ttl":3600}}}|message.android.ttl
		{"message":{"token":"t","android":{"notification":{"tga":"x"}}}}|message.android.notification.tga
		{"message":{"token":"t","apns":{"headers":{"apns-priority":5}}}}|message.apns.headers.apns-priority
	END
}

@test "FCM takes both spellings, topics, conditions and dry runs" {
	fcm '{"message":{"token":"t","android":{"collapseKey":"k","ttl":"0.5s","priority":"HIGH"}}}'
	[ "$code" = 200 ]
	fcm '{"message":{"topic":"news","data":{"a":"b"}}}'
	[ "$code" = 200 ]
	fcm "{\"message\":{\"condition\":\"'a' in topics\"}}"
	[ "$code" = 200 ]
	before=$(count .fcm.accepted)
	fcm '{"validate_only":true,"message":{"token":"t"}}'
	[ "$code" = 200 ]
	[ "$(jq -r .name body)" = projects/mock-project/messages/fake_message_id ]
	[ "$(count .fcm.accepted)" = "$before" ]
}

@test "FCM tokens ask for answers" {
	while read -r token status code_wanted; do
		fcm "{\"message\":{\"token\":\"$token\"}}"
		fcm_said "$status" "$code_wanted"
	done <<-'END'
		unregistered-1 404 UNREGISTERED
		invalid-1 400 INVALID_ARGUMENT
		mismatch-1 403 SENDER_ID_MISMATCH
		thirdparty-1 401 THIRD_PARTY_AUTH_ERROR
		quota-5-1 429 QUOTA_EXCEEDED
		unavailable-1 503 UNAVAILABLE
		internal-1 500 INTERNAL
		fail-1-x 503 UNAVAILABLE
	END
	fcm '{"message":{"token":"fail-1-x"}}'
	[ "$code" = 200 ]
	fcm '{"message":{"token":"quota-5-1"}}'
	grep -qi '^retry-after: 5' headers
	fcm '{"message":{"token":"unregistered-1"}}'
	[ "$(jq -r .error.status body)" = NOT_FOUND ]
	fcm '{"message":{"token":"denied-1"}}'
	[ "$code" = 403 ]
	fcm '{"message":{"token":"unauthenticated-1"}}'
	[ "$code" = 401 ]
	for status in 404 502; do
		fcm "{\"message\":{\"token\":\"html$status-1\"}}"
		[ "$code" = $status ]
		grep -q '<html' body
		grep -qi '^content-type: text/html' headers
	done
}

@test "FCM tokens ask for trouble with the stream" {
	fcm '{"message":{"token":"slow-300-x"}}' -w '%{time_total} %{http_code}'
	awk -v s="${code%% *}" 'BEGIN { exit !(s >= 0.3) }'
	fcm '{"message":{"token":"silent-x"}}' --max-time 0.3
	[ "$curl_status" = 28 ]
	fcm '{"message":{"token":"reset-1-x"}}'
	[ "$curl_status" = 92 ]
	fcm '{"message":{"token":"close-1-x"}}'
	[ "$code" = 000 ]
	fcm '{"message":{"token":"refuse-1-x"}}'
	[ "$code" = 200 ]
	fcm '{"message":{"token":"goaway-1-x"}}'
	[ "$code" = 200 ]
	[ "$(count .fcm.goaways)" -ge 1 ]
}

# --- the program -------------------------------------------------------------------

@test "repeats are counted by token and id" {
	local before
	before=$(count .apns.repeats)
	apns "/3/device/0042" -H 'apns-id: 00000000-0000-4000-8000-000000000042'
	[ "$(count .apns.repeats)" = "$before" ]
	apns "/3/device/0043" -H 'apns-id: 00000000-0000-4000-8000-000000000042'
	[ "$(count .apns.repeats)" = "$before" ]
	apns "/3/device/0042" -H 'apns-id: 00000000-0000-4000-8000-000000000042'
	[ "$(count .apns.repeats)" = $((before + 1)) ]
}

@test "TERM ends it with status 0, all counted; requests under way do not hold it" {
	start mock push-mock --cert "$MOCK_KEYS/cert.pem" --key "$MOCK_KEYS/key.pem" \
		--credentials "$MOCK_KEYS/credentials.json" --ports-file ports \
		--received received --summary summary
	MOCK_APNS_PORT=$(jq .apns ports)
	apns "/3/device/$TOKEN"
	apns /3/device/511e00 --max-time 0.2
	apns /3/device/51099999 --max-time 60 &
	wait_for 3 received
	stop mock
	[ "$status" -eq 0 ]
	wait $! || :
	jq -e '.apns | .requests == 3 and .accepted == 2 and .unanswered == 2
		and .connections == 3 and .by_status == {"0": 1, "200": 2}
		and .by_reason == {silent: 1} and .distinct_tokens == 3' summary
}

@test "one port serves all vendors by server name" {
	start mock push-mock --cert "$MOCK_KEYS/cert.pem" --key "$MOCK_KEYS/key.pem" \
		--credentials "$MOCK_KEYS/credentials.json" --ports-file ports --port 0
	port=$(jq .all ports)
	by_name() {
		request --resolve "$1:$port:127.0.0.1" -X POST -d x "https://$1:$port$2"
	}
	by_name api.sandbox.push.apple.com /3/device/aa
	said 403 MissingProviderToken
	by_name fcm.googleapis.com /v1/projects/mock-project/messages:send
	[ "$code" = 401 ]
	by_name oauth2.googleapis.com /token
	[ "$(jq -r .error body)" = invalid_request ]
	by_name sentry.io /api/42/envelope/
	[ "$(jq -r .detail body)" = 'no X-Sentry-Auth' ]
}

@test "APNs speaks only HTTP/2" {
	run ! curl -s --http1.1 --cacert "$MOCK_KEYS/ca.pem" "https://localhost:$MOCK_APNS_PORT/"
}

@test "Google speaks HTTP/1.1 too, on a connection that is used again" {
	oauth "$(assertion .)" --http1.1
	[ "$code" = 200 ]
	grep -q '^HTTP/1.1 200 OK' headers
	grep -qi '^date: .* GMT' headers
	jq -e .access_token body
	fcm '{"message":{"token":"t1","data":{"a":"b"}}}' --http1.1
	[ "$code" = 200 ]
	fcm '{"message":{"token":"quota-9-t1","data":{"a":"b"}}}' --http1.1
	[ "$code" = 429 ]
	grep -qi '^retry-after: 9' headers
	fcm '{"message":{"token":"slow-300-t1","data":{"a":"b"}}}' --http1.1 -o body2 \
		-w '%{http_code} %{num_connects} ' \
		"https://localhost:$MOCK_FCM_PORT/v1/projects/mock-project/messages:send"
	[ "$code" = "200 1 200 0 " ]
	fcm '{"message":{"token":"close-01-t1","data":{"a":"b"}}}' --http1.1
	[ "$code" = 000 ]
}

# One connection by hand: plain_says TEXT; sets lines to what comes until the end.
plain_says() {
	run timeout 10 bash -c 'printf "$2" | openssl s_client -quiet -verify_quiet -CAfile "$1/ca.pem" \
		-alpn http/1.1 -servername localhost -connect "127.0.0.1:$3" -ign_eof 2>/dev/null' _ \
		"$MOCK_KEYS" "$1" "$MOCK_FCM_PORT"
}

@test "HTTP/1.1 is read strictly" {
	local head='POST / HTTP/1.1\r\nhost: localhost\r\n'
	local wrong
	for wrong in 'POST / HTTP/1.0\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n' \
		'POST http://localhost/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n' \
		'POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n' \
		"${head}host: localhost\\r\\ncontent-length: 0\\r\\n\\r\\n" \
		"${head}content-length: 0\\r\\ncontent-length: 0\\r\\n\\r\\n" \
		"${head}content-length: 1x\\r\\n\\r\\n" \
		"${head}content-length : 0\\r\\n\\r\\n" \
		"${head}a: b\\r\\n c\\r\\ncontent-length: 0\\r\\n\\r\\n"; do
		plain_says "$wrong"
		[[ ${lines[0]} == 'HTTP/1.1 400 '* ]]
	done
	plain_says "${head}transfer-encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n"
	[[ ${lines[0]} == 'HTTP/1.1 411 '* ]]
	plain_says "$head\\r\\n"
	[[ ${lines[0]} == 'HTTP/1.1 411 '* ]]
	plain_says "${head}content-length: 99999999\\r\\n\\r\\n"
	[[ ${lines[0]} == 'HTTP/1.1 413 '* ]]
	# In order, but for what it asks.
	plain_says "${head}connection: close\\r\\ncontent-length: 2\\r\\n\\r\\n{}"
	[[ ${lines[0]} == 'HTTP/1.1 404 '* ]]
}

@test "FCM allows 100 streams, as the real one" {
	printf '{}' >data
	nghttp -nv --no-dep -d data "https://127.0.0.1:$MOCK_FCM_PORT/" >frames 2>&1
	grep -A 3 'recv SETTINGS' frames | grep -q 'SETTINGS_MAX_CONCURRENT_STREAMS(0x03):100\]'
}

@test "many connections and streams, each answer in a record of its own" {
	mock_up --record-each --first-streams 100 --stream-limit 100 --window 65535
	printf '{"aps":{}}' >data
	run h2load -n 2000 -c 4 -m 100 -d data -H "authorization: bearer $(provider_token)" \
		-H "apns-topic: $TOPIC" -H 'apns-push-type: alert' \
		"https://127.0.0.1:$MOCK_APNS_PORT/3/device/$TOKEN"
	[[ $output == *'2000 succeeded, 0 failed'* ]]
	mock_summary
	jq -e '.apns | .requests == 2000 and .accepted == 2000 and .connections == 4
		and .max_streams <= 100 and .unanswered == 0 and .credentials == 1' "$MOCK_SUMMARY"
	[ "$(wc -l <"$MOCK_RECEIVED")" = 2000 ]
}

@test "wrong options and files are usage errors" {
	local good=(--cert "$MOCK_KEYS/cert.pem" --key "$MOCK_KEYS/key.pem"
		--credentials "$MOCK_KEYS/credentials.json")
	run -100 push-mock
	[[ $output == *'--cert, --key and --credentials are needed'* ]]
	run -100 push-mock --colour red
	run -100 push-mock "${good[@]}" --cert /nonexistent
	[[ $output == *"cannot use certificate '/nonexistent'"* ]]
	run -100 push-mock "${good[@]}" --key "$MOCK_KEYS/ca.key"
	[[ $output == *'cannot use key'* ]]
	run -100 push-mock "${good[@]}" --address example.com
	[[ $output == *"not an IPv4 address: 'example.com'"* ]]
	run -100 push-mock "${good[@]}" --received /nonexistent/file
	[[ $output == *"cannot open '/nonexistent/file'"* ]]
	run -100 push-mock "${good[@]}" --ports-file /nonexistent/file
	[[ $output == *"cannot write '/nonexistent/file'"* ]]
	echo '{"apns":[{"kid":"k"}]}' >poor.json
	run -100 push-mock "${good[@]}" --credentials poor.json
	[[ $output == *'needs kid, team and key'* ]]
	echo '{"apns":[{"kid":"k","team":"t","key":"poor.json"}]}' >none.json
	run -100 push-mock "${good[@]}" --credentials none.json
	[[ $output == *"no key in 'poor.json'"* ]]
	echo '{"google":[{"service_account":"poor.json"}]}' >google.json
	run -100 push-mock "${good[@]}" --credentials google.json
	[[ $output == *'needs client_email'* ]]
	run -111 push-mock "${good[@]}" --apns-port "$MOCK_APNS_PORT"
	[[ $output == *"cannot listen on 127.0.0.1 port $MOCK_APNS_PORT"* ]]
}

# --- Sentry ------------------------------------------------------------------------

EVENT=00112233445566778899aabbccddeeff

# sentry EVENT-JSON [CURL-OPTION...]: in an envelope whose length is right
sentry() {
	local event=$1
	shift
	printf '{"event_id":"%s","sent_at":"2026-11-20T12:31:58Z"}\n{"type":"event","length":%d}\n%s\n' \
		$EVENT "$(printf %s "$event" | wc -c)" "$event" >envelope
	sentry_bytes "$@"
}

# The file `envelope' as it is.
sentry_bytes() {
	request --data-binary @envelope -H 'content-type: application/x-sentry-envelope' \
		-H "x-sentry-auth: ${AUTH-Sentry sentry_version=7, sentry_client=curl/1, sentry_key=0123456789abcdef0123456789abcdef}" \
		"$@" "https://localhost:$MOCK_SENTRY_PORT/api/${PROJECT-42}/envelope/"
}

event() { # JQ-EDIT
	jq -nc --arg id $EVENT "{event_id: \$id, timestamp: 1763627000.5, platform: \"native\", level: \"error\",
		logger: \"push-apns\", environment: \"prod\", tags: {node: \"apns\"}, fingerprint: [\"a\", \"b\"],
		logentry: {formatted: \"lost\"}, exception: {values: [{type: \"push-apns\", value: \"lost\"}]}, extra: {pid: 7}} | $1"
}

refused() { # STATUS WHY
	[ "$code" = "$1" ] && [ "$(jq -r .detail body)" = "$2" ] && return
	echo "got $code, $(cat body), not $1, $2"
	return 1
}

@test "Sentry takes an envelope in order, over HTTP/2 and HTTP/1.1" {
	: >"$MOCK_RECEIVED"
	sentry "$(event .)"
	[ "$code" = 200 ]
	[ "$(jq -r .id body)" = $EVENT ]
	sentry "$(event '.timestamp = "2026-11-20T12:31:58.123Z" | del(.level, .extra)')" --http1.1
	[ "$code" = 200 ]
	has_in "$MOCK_RECEIVED" 'map([.vendor, .status, .name, .topic]) == [["sentry", 200, "'$EVENT'", "42"], ["sentry", 200, "'$EVENT'", "42"]]'
}

@test "Sentry refuses who it does not know, and what is no event" {
	AUTH='' sentry "$(event .)"
	refused 401 'no X-Sentry-Auth'
	AUTH='Sentry sentry_version=6, sentry_client=curl/1, sentry_key=0123456789abcdef0123456789abcdef' sentry "$(event .)"
	refused 401 'sentry_version is not 7'
	AUTH='Sentry sentry_version=7, sentry_key=0123456789abcdef0123456789abcdef' sentry "$(event .)"
	refused 401 'sentry_client is not NAME/VERSION'
	AUTH='Sentry sentry_version=7, sentry_client=curl/1, sentry_key=x' sentry "$(event .)"
	refused 403 'unknown sentry_key'
	PROJECT=43 sentry "$(event .)"
	refused 404 'no such project or endpoint'
	sentry "$(event .)" -X PUT
	refused 405 'not a POST'
	request -d x -H 'x-sentry-auth: Sentry sentry_version=7, sentry_client=a/1, sentry_key=0123456789abcdef0123456789abcdef' \
		"https://localhost:$MOCK_SENTRY_PORT/api/42/envelope/"
	refused 415 'not an envelope'
	local edit why
	while IFS='|' read -r edit why; do
		sentry "$(event "$edit")"
		refused 400 "$why"
	done <<-'END'
		.event_id = "00112233445566778899aabbccddeef0"|the event has another event_id than its envelope
		del(.timestamp)|timestamp is no time
		.timestamp = "yesterday"|timestamp is no time
		.platform = "pdp-11"|platform is unknown
		.level = "warn"|level is unknown
		.logger = ""|logger is no short text
		.environment = "a b"|environment is no name
		.tags = {a: 1}|tags are no short texts
		.fingerprint = "a"|fingerprint is no list
		.logentry = {}|logentry has no text
		.exception.values = []|exception has no values
		.exception.values[0].value = 1|exception has no values
		.mesage = "x"|the event has a member that nobody knows
	END
	sentry "$(event .)"
	sed -i '2s/[0-9][0-9]*/7/' envelope
	sentry_bytes
	refused 400 'the item is not as long as it says'
	sentry "$(event .)"
	truncate -s -1 envelope
	sentry_bytes
	refused 400 'the item is not as long as it says'
	sentry '[]'
	refused 400 'the event has another event_id than its envelope'
	echo '{}' >envelope
	sentry_bytes
	refused 400 'the envelope has no good first line'
}

@test "Sentry tells its limits when it is asked to" {
	mock_control '{"sentry":{"rate_limits":"60:error;default:key","error":{"status":429,"retry_after_s":30,"times":1}}}'
	sentry "$(event .)" --http1.1
	[ "$code" = 429 ]
	grep -qi '^retry-after: 30' headers
	grep -qi '^x-sentry-rate-limits: 60:error;default:key' headers
	sentry "$(event .)"
	[ "$code" = 200 ]
	grep -qi '^x-sentry-rate-limits: 60:error;default:key' headers
}
