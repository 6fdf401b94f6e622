# From one LPUSH to the vendor's answer: the ten programs joined.
load chain.bash

setup_file() {
	chain_up
}

setup() {
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
}

: "${PUSH_TEST_TASKS:=$((100000 / PUSH_TEST_SLOW))}"

@test "one LPUSH is delivered, and its trace tells every node in order" {
	rcli LPUSH push:high '{"id":"otp-1","app":"shop","user":"u-1","priority":"high",
		"device":{"platform":"ios","token":"a1b2c3d4"},
		"message":{"notification":{"title":"Your code","body":"471 112"}}}'
	chain
	cat chain.err
	[ "$(received)" = "apns a1b2c3d4" ]
	has_in passed '.[0].trace | [keys_unsorted[] | select(IN("t0_us", "outcome", "reason") | not)]
		== ["pop", "auth", "risk", "lookup", "dedupe", "fatigue", "apns", "fcm", "ack"]
		or keys_unsorted - ["t0_us", "outcome", "reason"]
		== ["pop", "auth", "risk", "lookup", "dedupe", "fatigue", "apns", "ack"]'
	has_in passed '.[0].trace | .outcome == "accepted" and .reason == "ok"'
	# Each node reads after the one before has written, and writes after it has read.
	has_in passed '.[0].trace | [.[] | arrays | .[0:2]] | add | . == sort'
	chain_is_settled
}

@test "a hundred thousand tasks are all accounted for" {
	export BATS_TEST_TIMEOUT=$((300 * PUSH_TEST_SLOW))
	chain_tasks "$PUSH_TEST_TASKS" >tasks
	chain_push tasks push:normal
	[ "$(rcli LLEN push:normal)" = "$PUSH_TEST_TASKS" ]
	chain
	cat chain.err
	[ "$(wc -l <results)" = "$PUSH_TEST_TASKS" ]
	[ "$(grep -c '"outcome":"accepted"' results)" = "$PUSH_TEST_TASKS" ]
	wait_until 20 received_all
	received | sort | uniq -d | head -n 1 | grep -q . && return 1
	chain_is_settled
}

received_all() {
	kill -USR1 "$(<"$BATS_FILE_TMPDIR/.mock.pid")"
	[ "$(received | sort -u | wc -l)" = "$PUSH_TEST_TASKS" ]
}

@test "every record of a mixed lot has its outcome, and they add up" {
	local secret head body i
	printf '%s\n' '{"app":"shop","user":"u","platform":"ios","token":"aa01aa01"}' \
		'{"app":"shop","user":"u","platform":"android","token":"t-u"}' \
		'{"app":"shop","user":"v","platform":"ios","token":"dead0202"}' >devices
	push-device import devices 2>device.err
	head=$(printf '{"alg":"HS256","kid":"k1"}' | basenc -w0 --base64url | tr -d =)
	body=$(printf '{"id":"signed","device":{"platform":"ios","token":"aa03aa03"},"message":{"notification":{"title":"x"}}}' |
		basenc -w0 --base64url | tr -d =)
	secret=$(printf %s "$head.$body" | openssl dgst -sha256 -hmac a-secret-made-for-tests-only-0123456789 -binary |
		basenc -w0 --base64url | tr -d =)
	cat >tasks <<-END
		{"id":"two-phones","app":"shop","user":"u","message":{"notification":{"title":"你好"}}}
		{"id":"two-phones","app":"shop","user":"u","message":{"notification":{"title":"again"}}}
		{"id":"all","app":"shop","users":["u","v","w"],"message":{"notification":{"title":"all"}}}
		{"app":"bank","jws":"$head.$body.$secret"}
		{"app":"bank","jws":"$head.$body.AAAA"}
		{"id":"unsigned","app":"bank","user":"u"}
		{"id":"unknown","app":"nope","user":"u"}
		{"id":"stopped","app":"shop","user":"u","campaign":"stopped"}
		{"id":"late","app":"shop","user":"u","expires_ms":1}
		{"id":"blocked","app":"shop","user":"blocked"}
		{"id":"topic","app":"shop","topic":"news","message":{"notification":{"title":"news"}}}
		{"id":
		{"id":"nobody","app":"shop","user":"nobody"}
		{"id":"void","app":"shop"}
	END
	for i in 1 2 3 4 5; do
		echo "{\"id\":\"ad-$i\",\"app\":\"shop\",\"user\":\"u\",\"category\":\"marketing\",\"device\":{\"platform\":\"ios\",\"token\":\"aa01aa01\"},\"message\":{\"notification\":{\"title\":\"$i\"}}}"
	done >>tasks
	chain_push tasks push:normal
	chain
	cat chain.err
	jq -sc 'map(.trace.reason) | group_by(.) | map({(.[0]): length}) | add' results >reasons
	cat reasons
	[ "$(jq -Sc . reasons)" = "$(jq -nSc '{ok: 9, duplicate: 2, "token-dead": 1, "no-device": 2, unauthorized: 2,
		"unknown-app": 1, "campaign-stopped": 1, expired: 1, "risk-user": 1, malformed: 1,
		"bad-target": 1, "fatigue-cap": 2}')" ]
	chain_is_settled
	# 6 rejected tasks, whole, with why
	rcli LRANGE '{push:normal}:dead' 0 -1 | jq -r .reason | sort | uniq -c | tr -s ' \n' ' ' |
		grep -qx ' 1 bad-target 1 malformed 2 unauthorized 1 unknown-app '
	[ "$(rcli XLEN '{push:normal}:feedback')" = 1 ]
}

@test "push-stats and an independent count agree" {
	chain_tasks 3000 >tasks
	chain_push tasks push:normal
	printf '%s\n' '{"id":' '{"id":"y","app":"nope","user":"u"}' >"more"
	chain_push more push:high
	chain
	[ "$(wc -l <passed)" -eq 3002 ]
	said=$(jq -nrR --slurpfile said report -f "$ROOT/test/pipeline/stats-check.jq" passed)
	echo "$said"
	[ -z "$said" ]
}

@test "the chain runs with no Redis at all" {
	sed '/"redis"/d; /"queues"/d' "$BATS_FILE_TMPDIR/push.conf" >"$BATS_FILE_TMPDIR/bare.conf"
	export PUSH_CONFIG=$BATS_FILE_TMPDIR/bare.conf
	echo '{"app":"shop","user":"u","platform":"ios","token":"aa11aa11"}' |
		push-device --store lmdb:"$PWD/devices" import -
	{
		chain_tasks 500
		echo '{"id":"via-registry","app":"shop","user":"u","message":{"notification":{"title":"x"}}}'
		echo '{"id":"task-7","app":"shop","user":"u-7","device":{"platform":"ios","token":"a1'"$(printf %062x 7)"'"},"message":{}}'
		echo 'rubbish'
	} >tasks
	local i
	for i in 1 2; do
		push-auth <tasks | push-risk | push-lookup --store lmdb:"$PWD/devices" |
			push-dedupe --store lmdb:"$PWD/state" | push-fatigue --store lmdb:"$PWD/state" |
			push-apns | push-fcm |
			push-ack --results "$PWD/results.$i" --dedupe lmdb:"$PWD/state" --fatigue lmdb:"$PWD/state" |
			push-stats --report >report.$i
	done
	grep -q apns report.1
	[ "$(jq -r .trace.reason results.1 | sort | uniq -c | tr -s ' \n' ' ')" = " 1 duplicate 1 malformed 501 ok " ]
	# A second run of the same file sends nothing: the keys are held.
	[ "$(jq -r .trace.reason results.2 | sort | uniq -c | tr -s ' \n' ' ')" = " 502 duplicate 1 malformed " ]
	[ "$(received | wc -l)" = 501 ]
}

@test "every filter works alone on a file with bad lines" {
	local program
	{
		chain_tasks 3
		printf '%s\n' 'rubbish' '{"id":7}' '{"cut":'
		head -c 100000 /dev/zero | tr '\0' x
		echo
		chain_tasks 1
	} >tasks
	for program in auth risk lookup dedupe fatigue apns fcm; do
		stage_file tasks "push-$program"
		[ "$status" -eq 0 ]
		# A vendor stage writes records as answers arrive.
		has 'map(.trace.reason | select(IN("malformed", "bad-member", "too-large"))) | sort
			== ["bad-member", "malformed", "malformed", "too-large"]'
		has 'length == 8 and all(.trace["'"$program"'"] | length >= 2)'
	done
}

@test "stages joined by Unix sockets do the same" {
	start ack push-ack --in unix:"$PWD/ack.sock" --results "$PWD/results"
	start fcm push-fcm --in unix:"$PWD/fcm.sock" --out unix:"$PWD/ack.sock"
	start apns push-apns --in unix:"$PWD/apns.sock" --out unix:"$PWD/fcm.sock"
	start dedupe push-dedupe --in unix:"$PWD/dedupe.sock" --out unix:"$PWD/apns.sock"
	start pop push-pop --out unix:"$PWD/dedupe.sock"
	chain_tasks 2000 >tasks
	chain_push tasks push:normal
	wait_for 2000 results
	wait_until 10 chain_is_settled
	has_in results 'all(.trace.outcome == "accepted") and length == 2000'
	for program in pop dedupe apns fcm ack; do
		stop $program
		[ "$status" -eq 0 ]
	done
}
