# push-mock is the judge of what the vendor stages send, so it is judged here by
# others: curl and nghttp speak to it, openssl signs for it.

load ../helper.bash

setup_file() {
	mock_up
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
# shellcheck disable=SC2120 # arguments are for what is to be refused
provider_token() {
	local iat=${1:-$NOW} kid=${2:-MOCKKEY001} team=${3:-MOCKTEAM01}
	local file=$BATS_FILE_TMPDIR/token.$iat.$kid.$team
	[ -f "$file" ] || jws_es256 "{\"alg\":\"ES256\",\"kid\":\"$kid\"}" \
		"{\"iss\":\"$team\",\"iat\":$iat}" \
		"$MOCK_KEYS/AuthKey_MOCKKEY001.p8" >"$file"
	cat "$file"
}

# Sets code, headers and body; a request that got none has code 000.
request() {
	local rc=0
	code=$(curl -s --http2 --max-time 5 --cacert "$MOCK_KEYS/ca.pem" \
		-D headers -o body -w '%{http_code}' "$@") || rc=$?
	# shellcheck disable=SC2034 # for the test to look at
	curl_status=$rc
	[ -f body ] || : >body
}

# apns PATH [CURL-OPTION...]: a good request but for what the options change; an
# option "-H name;" makes a header empty, "-H name:" takes it away.
apns() {
	local path=$1
	shift
	rm -f body
	# shellcheck disable=SC2119
	request -H "authorization: bearer $(provider_token)" -H "apns-topic: $TOPIC" \
		-H 'apns-push-type: alert' -H "apns-id: $ID" -H 'content-type:' \
		-d '{"aps":{"alert":"hello"}}' "$@" "https://localhost:$MOCK_APNS_PORT$path"
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
