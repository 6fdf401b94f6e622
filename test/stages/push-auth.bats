# push-auth: who may send, told by signatures that other programs have made.
load ../helper.bash

# Go compiles its library first.
export BATS_TEST_TIMEOUT=$((180 * PUSH_TEST_SLOW))

KEYS=$ROOT/test/fixtures/keys
SECRET='test-only secret of more than 32 bytes'

setup() {
	cat >push.conf <<END
{
	"apps": {
		"shop": {"keys": {
			"k1": {"alg": "HS256", "secret_file": "$KEYS/test-only-hs256-secret"},
			"k2": {"alg": "ES256", "public_key_file": "$KEYS/test-only-es256-public.pem"},
		}},
		"news": {"auth": "optional", "keys": {
			"k1": {"alg": "HS256", "secret_file": "other-secret"},
		}},
		"open": {"auth": "off"},
	},
}
END
	echo 'another secret, again of more than 32 bytes' >other-secret
}

b64() { openssl base64 -A | tr +/ -_ | tr -d =; }

# A signed task, by openssl alone: HEADER PAYLOAD [APP [SECRET]]
hs256() {
	local head task sig
	head=$(printf %s "$1" | b64)
	task=$(printf %s "$2" | b64)
	sig=$(printf %s "$head.$task" | openssl dgst -sha256 -hmac "${4:-$SECRET}" -binary | b64)
	printf '{"app":"%s","jws":"%s.%s.%s"}\n' "${3:-shop}" "$head" "$task" "$sig"
}

K1='{"alg":"HS256","kid":"k1"}'

auth() { # INPUT OPTION...
	local input=$1
	shift
	stage "$input" push-auth -c push.conf "$@"
}

# One record, refused for REASON, with a phrase that contains WHY.
# shellcheck disable=SC2016 # jq has variables of its own
refused() { # REASON WHY
	[ "$status" -eq 0 ]
	has 'length == 1 and (.[0].trace | .outcome == "rejected" and .reason == $r
		and (.auth[2].why | contains($w)))' --arg r "$1" --arg w "$2"
}

passed() {
	[ "$status" -eq 0 ]
	has 'length == 1 and (.[0].trace | has("auth") and (has("outcome") | not))'
}

@test "the example of the page: a task signed in shell passes and is unwrapped" {
	man=$ROOT/man/push-auth.1
	awk '/^\.Bd/ { n++; on = n <= 2; next } /^\.Ed/ { on = 0 } on' "$man" |
		sed 's/\\e/\\/g' >example.sh
	grep -q push-auth example.sh
	stage '' bash ./example.sh
	passed
	has '.[0] | del(.trace) == {app: "shop", user: "u1", message: {data: {a: "1"}}}'
}

@test "what was signed stays byte for byte" {
	auth "$(hs256 "$K1" '{"id":"a","n":12345678901234567890,"f":1.0,"e":"\u00e9\/"}')"
	passed
	[[ $output == '{"app":"shop","id":"a","n":12345678901234567890,"f":1.0,"e":"\u00e9\/","trace":{'* ]]
}

@test "the app may be signed too, and must then be the same" {
	auth "$(hs256 "$K1" '{"user":"u","app":"shop"}')"
	passed
	has '.[0].user == "u" and .[0].app == "shop"'
	auth "$(hs256 "$K1" '{"user":"u","app":"news"}')"
	refused unauthorized "another app than 'shop'"
	has '.[0] | has("jws")'
}

@test "a signature of ES256 is verified" {
	head=$(printf '{"alg":"ES256","kid":"k2"}' | b64)
	task=$(printf '{"user":"u"}' | b64)
	for _ in 1 2 3 4 5 6 7 8; do
		printf %s "$head.$task" |
			openssl dgst -sha256 -sign "$KEYS/test-only-es256.p8" >der
		# DER to R and S of 32 bytes each.
		openssl asn1parse -inform DER -in der | awk -F: '/INTEGER/ {
			v = $NF; while (length(v) < 64) v = "0" v; printf "%s", v }' >hex
		sig=$(python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(open("hex").read()))' | b64)
		printf '{"app":"shop","jws":"%s.%s.%s"}\n' "$head" "$task" "$sig"
	done >in
	stage_file in push-auth -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 8 and all(.[]; .user == "u" and (.trace | has("outcome") | not))'
	# The same key does not make HS256 signatures good.
	head=$(printf '{"alg":"HS256","kid":"k2"}' | b64)
	sig=$(printf %s "$head.$task" |
		openssl dgst -sha256 -hmac "$(cat "$KEYS/test-only-es256-public.pem")" -binary | b64)
	auth "{\"app\":\"shop\",\"jws\":\"$head.$task.$sig\"}"
	refused unauthorized "not the one of the key"
}

@test "what is wrong with a signature is told" {
	auth "$(hs256 '{"alg":"HS256","kid":"k3"}' '{}')"
	refused unauthorized "no key 'k3'"
	auth "$(hs256 '{"alg":"HS256"}' '{}')"
	refused unauthorized "no kid"
	auth "$(hs256 "$K1" '{}' shop 'not the secret that it should be')"
	refused unauthorized "signature does not match"
	auth "$(hs256 '{"alg":"none","kid":"k1"}' '{}')"
	refused unauthorized "not HS256"
	auth "$(hs256 '{"alg":"HS512","kid":"k1"}' '{}')"
	refused unauthorized "not HS256"
	auth "$(hs256 '{"alg":"HS256","kid":"k1","kid":"k3"}' '{}')"
	refused unauthorized "one kid"
	auth "$(hs256 '{"alg":"HS256","kid":"k1","alg":"none"}' '{}')"
	refused unauthorized "one alg"
	auth '{"app":"shop","jws":"a.b"}'
	refused unauthorized "three parts"
	auth '{"app":"shop","jws":""}'
	refused unauthorized "three parts"
	auth '{"app":"shop","jws":"e30.e30=.AAAA"}'
	refused unauthorized "base64url"
	auth "$(hs256 "$K1" '[]')"
	refused malformed "not one JSON object"
	auth "$(hs256 "$K1" 'hello')"
	refused malformed "not one JSON object"
	auth "$(hs256 "$K1" '{"jws":"x"}')"
	refused unauthorized "itself"
}

@test "a key is good for its own app only" {
	auth "$(hs256 "$K1" '{"user":"u"}' news)"
	refused unauthorized "does not match"
	auth "$(hs256 "$K1" '{"user":"u"}' news 'another secret, again of more than 32 bytes')"
	passed
}

@test "nothing may stand beside the signature" {
	auth "$(hs256 "$K1" '{"user":"u"}' | jq -c '.priority = "high"')"
	refused unauthorized "member 'priority'"
}

@test "apps say whether tasks must be signed" {
	auth '{"app":"shop","user":"u"}'
	refused unauthorized "not signed"
	auth '{"app":"news","user":"u"}'
	passed
	auth "$(hs256 "$K1" '{}' news 'a wrong secret, also of more than 32 bytes')"
	refused unauthorized "does not match"
	auth '{"app":"open","user":"u"}'
	passed
	auth "$(hs256 '{"alg":"HS256","kid":"any"}' '{"user":"u","exp":1}' open)"
	passed
	has '.[0] | .user == "u" and (has("jws") | not)'
	auth '{"app":"open","jws":"broken"}'
	refused unauthorized "cannot be unwrapped"
}

@test "an app must be known" {
	auth '{"app":"shoe","user":"u"}'
	refused unknown-app "no app 'shoe'"
	auth '{"user":"u"}'
	refused unknown-app "names no app"
	auth '{"app":"","user":"u"}'
	refused unknown-app "no app ''"
	stage '{"app":"shop","user":"u"}' push-auth
	refused unknown-app "no app 'shop'"
}

@test "signatures are fresh, give or take the skew" {
	now=$(date +%s)
	auth "$(hs256 "$K1" "{\"iat\":$now,\"nbf\":$now,\"exp\":$((now + 300))}")"
	passed
	auth "$(hs256 "$K1" "{\"exp\":$((now - 50))}")"
	passed
	auth "$(hs256 "$K1" "{\"exp\":$((now - 70))}")"
	refused stale "exp passed"
	auth "$(hs256 "$K1" "{\"exp\":$((now - 50))}")" --skew 10s
	refused stale "exp passed"
	auth "$(hs256 "$K1" "{\"iat\":$((now + 50))}")"
	passed
	auth "$(hs256 "$K1" "{\"iat\":$((now + 100))}")"
	refused stale "iat is"
	auth "$(hs256 "$K1" "{\"nbf\":$((now + 100))}")"
	refused stale "nbf is"
	auth "$(hs256 "$K1" '{"exp":"tomorrow"}')"
	refused stale "whole number"
	auth "$(hs256 "$K1" '{"exp":-1}')"
	refused stale "whole number"
	auth "$(hs256 "$K1" '{"exp":9999999999,"exp":1}')"
	refused stale "not one whole number"
}

@test "signatures may have a greatest age" {
	now=$(date +%s)
	auth "$(hs256 "$K1" "{\"iat\":$((now - 90000))}")"
	passed
	auth "$(hs256 "$K1" "{\"iat\":$((now - 90000))}")" --max-age=1h
	refused stale "signed 9000"
	auth "$(hs256 "$K1" "{\"iat\":$((now - 3000))}")" --max-age 1h
	passed
	auth "$(hs256 "$K1" '{}')" --max-age 1h
	refused stale "no iat"
	# From the configuration; the command line wins over it.
	sed -i '1s/{/{"auth": {"max_age": "1h", "skew": "1s"},/' push.conf
	auth "$(hs256 "$K1" "{\"iat\":$((now - 90000))}")"
	refused stale "3600 are allowed"
	auth "$(hs256 "$K1" "{\"iat\":$((now - 90000))}")" --max-age 7d
	passed
	auth "$(hs256 "$K1" "{\"iat\":$now,\"exp\":$((now - 5))}")"
	refused stale "exp passed"
}

@test "a replay takes its time from the record" {
	task=$(hs256 "$K1" '{"exp":1763627100}')
	now=${task%\}}',"trace":{"t0_us":1763627000000000,"pop":[0,1]}}'
	later=${task%\}}',"trace":{"t0_us":1763627900000000,"pop":[0,1]}}'
	auth "$now"
	refused stale "exp passed"
	auth "$now" --replay
	passed
	auth "$later" --replay
	refused stale "exp passed 800 s"
}

@test "a record that was authorised before passes while its app exists" {
	pop='"trace":{"t0_us":1,"pop":[0,1,{"q":"q","uid":"u","receipt":"w:1","attempt":2,"lease_ms":1,"resumed":true}]}'
	auth "{\"app\":\"shop\",\"user\":\"u\",$pop}"
	passed
	auth "{\"app\":\"gone\",\"user\":\"u\",$pop}"
	refused unknown-app "no app 'gone'"
	# Only push-pop can say that it was.
	auth '{"app":"shop","user":"u","resumed":true}'
	refused unauthorized "not signed"
}

@test "a bad member of what was signed is found" {
	auth "$(hs256 "$K1" '{"priority":"urgent"}')"
	[ "$status" -eq 0 ]
	has '.[0].trace | .reason == "bad-member" and .auth[2].member == "priority"'
}

@test "bad lines and decided records go their way" {
	auth 'no json
{"app":"open","user":"a","trace":{"t0_us":1,"pop":[0,1],"outcome":"suppressed","reason":"expired"}}
{"app":"open","user":"b"}
'
	[ "$status" -eq 0 ]
	has 'length == 3'
	has '.[0].trace.reason == "malformed" and .[0].raw == "no json"'
	has '.[1].trace | .reason == "expired" and (has("auth") | not)'
	has '.[2].trace.auth'
}

@test "a key file that cannot be used is named and ends with status 100" {
	for kind in \
		'"alg":"HS256","secret_file":"absent"' \
		'"alg":"HS256","secret_file":"short"' \
		'"alg":"ES256","public_key_file":"other-secret"' \
		'"alg":"ES256","public_key_file":"'"$KEYS"'/test-only-rs256-public.pem"' \
		'"alg":"ES256","secret_file":"other-secret"' \
		'"alg":"HS256","secret_file":"'"$KEYS"'/test-only-es256-public.pem"' \
		'"alg":"HS256"' \
		'"secret_file":"other-secret"'; do
		echo short >short
		echo '{"apps":{"shop":{"keys":{"k9":{'"$kind"'}}}}}' >push.conf
		auth ''
		[ "$status" -eq 100 ]
		logged k9
	done
}

@test "an app that has no key and wants signatures is told of: nothing of it can pass" {
	echo '{"apps":{"a":{"auth":"off"},"mute":{},"b":{"auth":"optional"}}}' >push.conf
	auth '{"app":"mute","user":"u"}' --log-format text
	refused unauthorized "not signed"
	logged "app 'mute' has no key, but its tasks must be signed"
	stage '' push-auth --check -c push.conf
	[ "$status" -eq 0 ]
	logged "app 'mute' has no key"
}

@test "HUP takes new keys, and keeps the old ones when the new are bad" {
	new='a secret that is new, of more than 32 bytes'
	start -p a push-auth -c push.conf
	feed a "$(hs256 "$K1" '{"id":"1"}')"$'\n'
	wait_for 1 a.out
	feed a "$(hs256 "$K1" '{"id":"2"}' shop "$new")"$'\n'
	wait_for 2 a.out

	echo short >new-secret
	sed -i "s|$KEYS/test-only-hs256-secret|new-secret|" push.conf
	kill -HUP "$(pid_of a)"
	wait_until 10 grep -q 'keeping the old configuration' a.err
	feed a "$(hs256 "$K1" '{"id":"3"}')"$'\n'
	wait_for 3 a.out

	echo "$new" >new-secret
	kill -HUP "$(pid_of a)"
	wait_until 10 grep -q 'configuration read again' a.err
	feed a "$(hs256 "$K1" '{"id":"4"}')"$'\n'
	feed a "$(hs256 "$K1" '{"id":"5"}' shop "$new")"$'\n'
	wait_for 5 a.out
	stop a
	[ "$status" -eq 0 ]
	has_in a.out 'map(.trace.reason) == [null, "unauthorized", null, "unauthorized", null]'
}

@test "keys are rotated without a gap: the old one holds until it is taken away" {
	local both old='{"alg":"HS256","kid":"2025"}' fresh='{"alg":"HS256","kid":"2026"}' new='the new secret, of more than 32 bytes, too'
	echo "$SECRET" >old-secret
	echo "$new" >new-secret
	both='"2025":{"alg":"HS256","secret_file":"old-secret"},"2026":{"alg":"HS256","secret_file":"new-secret"}'
	sign_both() { # ID
		hs256 "$old" "{\"id\":\"$1-old\"}" && hs256 "$fresh" "{\"id\":\"$1-new\"}" shop "$new"
	}
	keys_are() {
		local seen
		seen=$(grep -c 'configuration read again' a.err || :)
		echo "{\"apps\":{\"shop\":{\"keys\":{$1}}}}" >push.conf
		kill -HUP "$(pid_of a)"
		wait_until 10 has_more "$seen"
	}
	has_more() { [ "$(grep -c 'configuration read again' a.err || :)" -gt "$1" ]; }
	echo "{\"apps\":{\"shop\":{\"keys\":{${both%%,\"2026*}}}}}" >push.conf
	start -p a push-auth -c push.conf
	feed a "$(sign_both 1)"$'\n'
	wait_for 2 a.out
	keys_are "$both"
	feed a "$(sign_both 2)"$'\n'
	wait_for 4 a.out
	keys_are "\"2026\"${both#*\"2026\"}"
	feed a "$(sign_both 3)"$'\n'
	wait_for 6 a.out
	stop a
	has_in a.out 'map(.trace.reason) == [null, "unauthorized", null, null, "unauthorized", null]'
	has_in a.out '[.[] | .trace.auth[2] | select(.why == null) | .kid] == ["2025", "2025", "2026", "2026"]'
}

@test "no secret and no task is shown in the log" {
	{
		hs256 "$K1" '{"user":"secret-user"}'
		hs256 "$K1" '{"user":"secret-user"}' shop 'not the secret that it should be'
	} >in
	stage_file in push-auth -c push.conf -v
	[ "$status" -eq 0 ]
	has 'length == 2'
	[[ $stderr != *secret-user* && $stderr != *"$SECRET"* && $stderr != *eyJ* ]]
}

# The first code of a language in docs/producers.md.
example_of() { # LANGUAGE
	awk -v begin="\`\`\`$1" '$0 == begin { on = 1; next } /^```/ { on = 0 } on' "$ROOT/docs/producers.md"
}

# The example of LANGUAGE in FILE, run by COMMAND, is let in; plainly skipped where
# its interpreter is not there (scripts/deps producers brings it).
producer() { # LANGUAGE FILE COMMAND...
	local language=$1 file=$2
	shift 2
	type -P "$1" >/dev/null || skip "there is no $1 here"
	echo "$SECRET" >shop-k1.secret
	example_of "$language" >"$file"
	[ -s "$file" ]
	"$@" >in
	[ "$(wc -l <in)" -eq 1 ]
	stage_file in push-auth -c push.conf --max-age 1h
	passed
	has '.[0] | .id == "order-1042" and .user == "u1" and .message.notification.title == "On its way"
		and .trace.auth[2].kid == "k1"'
}

@test "the producer in shell of docs/producers.md is let in" {
	producer sh p.sh sh p.sh
}

@test "the producer in Python of docs/producers.md is let in" {
	producer python p.py /usr/bin/python3 p.py
}

@test "the producer in Node.js of docs/producers.md is let in" {
	producer js p.js node p.js
}

@test "the producer in Go of docs/producers.md is let in" {
	export GOTOOLCHAIN=local GOFLAGS=-mod=mod GOCACHE=$PWD/cache
	producer go p.go go run p.go
}

@test "the producer in Java of docs/producers.md is let in" {
	# A runtime without the compiler cannot run a source file.
	type -P javac >/dev/null || skip "there is no javac here"
	producer java Push.java java Push.java
}

@test "the producer in PHP of docs/producers.md is let in" {
	producer php p.php php p.php
}

@test "an app may send what its lists allow" {
	cat >push.conf <<'END'
{"apps": {"a": {"auth": "off", "platforms": ["ios"], "priorities": ["normal", "low"],
	"categories": ["otp", "news"], "topics": ["news-*"], "channels": []}}}
END
	ios='"device":{"platform":"ios","token":"t"}'
	for task in "$ios,\"category\":\"otp\"" '"category":"news","topic":"news-de"' '"category":"otp","user":"u"'; do
		auth "{\"app\":\"a\",$task}"
		passed
	done
	auth "{\"app\":\"a\",\"category\":\"otp\",\"device\":{\"platform\":\"android\",\"token\":\"t\"}}"
	refused not-allowed "platform 'android'"
	auth "{\"app\":\"a\",\"category\":\"otp\",\"priority\":\"high\",$ios}"
	refused not-allowed "priority 'high'"
	auth "{\"app\":\"a\",\"category\":\"ads\",$ios}"
	refused not-allowed "category 'ads'"
	auth "{\"app\":\"a\",$ios}"
	refused not-allowed "no category"
	auth '{"app":"a","category":"news","topic":"sport"}'
	refused not-allowed "topic 'sport'"
	auth "{\"app\":\"a\",\"category\":\"news\",\"condition\":\"'news-de' in topics || 'sport' in topics\"}"
	refused not-allowed "topic 'sport'"
	auth '{"app":"a","category":"news","channel":"c"}'
	refused not-allowed "channel 'c'"
}

@test "what an app may send is looked up in what was signed" {
	sed -i 's/"shop": {/"shop": {"priorities": ["normal"], /' push.conf
	auth "$(hs256 "$K1" '{"user":"u","priority":"high"}')"
	refused not-allowed "priority 'high'"
	auth "$(hs256 "$K1" '{"user":"u"}')"
	passed
}

@test "a quota rejects what is over, counted by targets" {
	echo '{"apps":{"a":{"auth":"off","quota":{"limit":4,"per":"1h"}},"b":{"auth":"off"}}}' >push.conf
	{
		echo '{"app":"a","users":["1","2"]}'
		echo '{"app":"a","devices":[{"platform":"ios","token":"1"}]}'
		echo '{"app":"a","users":["1","2"]}'
		echo '{"app":"a","user":"1"}'
		echo '{"app":"a","user":"2"}'
		echo '{"app":"b","user":"1"}'
		echo '{"app":"a","user":"1","trace":{"t0_us":1,"pop":[0,1,{"q":"q","uid":"u","receipt":"w:1","attempt":2}]}}'
	} >in
	stage_file in push-auth -c push.conf
	[ "$status" -eq 0 ]
	has 'map(.trace.reason // "-") == ["-", "-", "quota", "-", "quota", "-", "-"]'
	has '.[2].trace | .outcome == "rejected" and .auth[2].why == "the quota of 4 per 3600 s is used up"'
}

claimed() { # APP UID ATTEMPT [FACTS]
	printf '{"app":"%s","user":"u","trace":{"t0_us":%s000,"pop":[0,1,{"q":"q","uid":"%s","receipt":"w:1","attempt":%d%s}]}}\n' \
		"$1" "$(date +%s%3N)" "$2" "$3" "${4:-}"
}

redelivered_quota() {
	cat >push.conf <<-END
		{"auth":{"store":"$STORE"},"apps":{"a":{"auth":"off","quota":{"limit":2,"per":"24h"}},
		"b":{"auth":"off","quota":{"limit":1,"per":"24h","wait":"24h"}}}}
	END
	# Redelivered, resumed and waiting ones have their place; each app its own quota.
	{
		claimed a u1 1 && claimed a u1 2 && claimed a u1 3
		claimed b v1 1 && claimed b v2 1 && claimed b v2 1 ',"resumed":true,"whole":true' && claimed b v1 2
		claimed a u2 1 && claimed a u3 1 && claimed a u2 2
	} >in
	stage_file in push-auth -c push.conf
	[ "$status" -eq 0 ]
	has 'map(.trace.reason // "-") == ["-", "-", "-", "-", "quota-wait", "-", "-", "-", "quota", "-"]'
	[ "$STORE" != memory: ] || return 0
	# Another process, after a crash of this one: what it had counted is counted.
	{ claimed a u1 2 && claimed a u2 2 && claimed a u4 1 && claimed b v3 1; } >in
	stage_file in push-auth -c push.conf
	has 'map(.trace.reason // "-") == ["-", "-", "quota", "quota"]'
}
@test "redelivered tasks have their place in the quota, in every store" {
	redis_up
	each_store redelivered_quota
}

@test "two programs share a quota in an LMDB file" {
	cat >push.conf <<-'END'
		{"auth":{"store":"lmdb:rates"},"apps":{"a":{"auth":"off","quota":{"limit":700,"per":"24h"}}}}
	END
	for _ in {1..500}; do echo '{"app":"a","user":"u"}'; done >in
	start -i in one push-auth -c push.conf
	start -i in two push-auth -c push.conf
	wait_exit one 20
	wait_exit two 20
	[ "$(cat one.out two.out | jq -r '.trace.reason // "-"' | sort | uniq -c | tr -s ' \n' ' ')" = ' 700 - 300 quota ' ]
}

@test "a quota with a wait gives everybody a later place, and rejects what would wait too long" {
	echo '{"apps":{"a":{"auth":"off","quota":{"limit":2,"per":"10s","wait":"10s"}}}}' >push.conf
	for _ in 1 2 3 4 5; do echo '{"app":"a","user":"u"}'; done >in
	stage_file in push-auth -c push.conf
	[ "$status" -eq 0 ]
	has 'map(.trace.reason // "-") == ["-", "-", "quota-wait", "quota-wait", "quota"]'
	has '.[2:4] | map(.trace.outcome) == ["retry", "retry"] and
		.[0].trace.after_ms <= 5001 and .[0].trace.after_ms > 4000 and
		.[1].trace.after_ms <= 10001 and .[1].trace.after_ms > 9000'
	# When it comes back it has its place already.
	auth '{"app":"a","user":"u","trace":{"t0_us":1,"pop":[0,1,{"q":"q","uid":"u","receipt":"w:1","attempt":2,"resumed":true}]}}'
	passed
}

@test "what waited for its quota is then counted as a surge, looked up and sent apart, like any other" {
	redis_up
	push-device --store lmdb:devices import - <<-'END'
		{"app":"a","user":"u1","platform":"ios","token":"aa01aa01"}
		{"app":"a","user":"u2","platform":"android","token":"t2"}
	END
	cat >push.conf <<-END
		{"redis":"$REDIS_URL","queues":["q"],"lookup":{"store":"lmdb:devices"},
		"risk":{"surges":[{"limit":4,"per":"24h"}]},"dedupe":{"store":"memory:"},"fatigue":{"store":"memory:"},
		"apps":{"a":{"quota":{"limit":2,"per":"1s","wait":"1h"},"keys":{
			"k1":{"alg":"HS256","secret_file":"$KEYS/test-only-hs256-secret"}}}}}
	END
	for i in 1 2 3; do
		hs256 "$K1" "{\"id\":\"$i\",\"campaign\":\"c\",\"users\":[\"u1\",\"u2\"]}" a | rcli -x LPUSH q >/dev/null
	done
	export PUSH_CONFIG=push.conf
	once() {
		push-pop --once | push-auth | push-risk | push-lookup | push-ack --results results >/dev/null 2>&1
	}
	once
	stage '' push-queue peek delayed
	has 'map(.kind) == ["whole", "whole"] and all(.[]; .attempt == 1)'
	rcli EVAL 'for _, e in ipairs(redis.call("ZRANGE", KEYS[1], 0, -1)) do redis.call("ZADD", KEYS[1], 1, e) end' 1 '{q}:delayed'
	once
	jq -es 'map(select(.trace.pop[2] | .resumed and .whole)) | length == 3' results
	[ "$(jq -r '[.id, .trace.reason // "-", .part.n, .user, .device.token] | join(" ")' results | grep -v quota-wait | sort)" = "1 unrouted 0 u1 aa01aa01
1 unrouted 1 u2 t2
2 unrouted 0 u1 aa01aa01
2 unrouted 1 u2 t2
3 risk-surge   " ]
}

@test "a quota is shared by all workers of a Redis; without it nothing is lost nor judged twice" {
	redis_up
	sed -i "1s|{|{\"redis\":\"$REDIS_URL\",|; s/\"shop\": {/\"shop\": {\"quota\":{\"limit\":3,\"per\":\"1h\"}, /" push.conf
	for i in 1 2; do hs256 "$K1" "{\"id\":\"$i\"}"; done >in
	stage_file in push-auth -c push.conf
	has 'all(.[]; .trace.reason == null)'
	start -p a push-auth -c push.conf
	redis_down
	feed a "$(<in)"$'\n'
	wait_until 10 grep -q 'trying again' a.err
	[ ! -s a.out ]
	redis_up
	wait_for 2 a.out
	stop a
	[ "$status" -eq 0 ]
	has_in a.out 'map(.id) == ["1", "2"] and all(.[]; .trace.reason == null)'
	stage_file in push-auth -c push.conf
	has 'map(.trace.reason) == [null, "quota"]'
}

@test "a quota that cannot be is refused" {
	for quota in '{}' '{"limit":1}' '{"limit":1,"per":"0s"}' '{"per":"1h"}'; do
		echo '{"apps":{"a":{"quota":'"$quota"'}}}' >push.conf
		auth ''
		[ "$status" -eq 100 ]
		logged 'apps.a.quota'
	done
	echo '{"auth":{"store":"lmdb:/no/such/folder/x"},"apps":{"a":{"quota":{"limit":1,"per":"1h"}}}}' >push.conf
	auth ''
	[ "$status" -eq 100 ]
	logged "no/such/folder"
}

@test "clocks that differ within the skew are told" {
	now=$(date +%s)
	auth "$(hs256 "$K1" "{\"iat\":$((now + 30))}")"
	passed
	has '.[0].trace.auth[2].skew_ms | . > 25000 and . <= 30000'
	auth "$(hs256 "$K1" "{\"iat\":$((now - 30)),\"exp\":$((now - 10))}")"
	passed
	has '.[0].trace.auth[2].skew_ms | . < -9000 and . > -20000'
	auth "$(hs256 "$K1" "{\"iat\":$((now - 1)),\"exp\":$((now + 100))}")"
	passed
	has '.[0].trace.auth[2] == {kid: "k1"}'
}
