# --replay of every policy stage, on records captured at each point of a chain
# that had all policies: the decisions of that day, the same bytes every time.
load ../helper.bash

POLICIES=(auth risk lookup dedupe fatigue)

# A chain of signed tasks with a bit of everything; before and after each stage
# a copy is kept: raw, auth, risk, lookup, dedupe, fatigue.
setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	cp "$ROOT/test/fixtures/keys/test-only-hs256-secret" secret
	cat >push.conf <<-END
		{
		"apps": {
			"shop": {"categories": ["otp", "ads"],
				"quota": {"limit": 400, "per": "24h"},
				"keys": {"k1": {"alg": "HS256", "secret_file": "secret"}}},
			"open": {"auth": "off"},
		},
		"risk": {"stopped_campaigns": ["c3"], "blocked_users": ["u5"], "blocked_words": ["pri[zc]e"],
			"blocked_links": ["evil.example"], "surges": [{"campaign": "c4", "limit": 3, "per": "24h"}]},
		"lookup": {"store": "lmdb:devices"},
		"dedupe": {"window": "24h"},
		"fatigue": {"rules": [{"category": "ads", "limit": 2, "per": "24h"}]},
		}
	END
	for i in {0..8}; do
		echo '{"app":"shop","user":"u'"$i"'","platform":"ios","token":"'"$(printf %064d "$i")"'"}'
		echo '{"app":"open","user":"u'"$i"'","platform":"android","token":"t'"$i"'"}'
	done | push-device --config push.conf import - >device.out 2>&1
	/usr/bin/python3 - >raw <<-'END'
		import base64, hashlib, hmac, json, time
		b64 = lambda b: base64.urlsafe_b64encode(b).rstrip(b"=")
		secret = open("secret", "rb").read().rstrip(b"\n")
		now = int(time.time())
		for i in range(120):
		    task = {"id": "t%d" % (i % 100), "user": "u%d" % (i % 10), "category": ["otp", "ads", "ads", "otp", "ads", "ads", "news"][i % 7],
		            "campaign": "c%d" % (i % 6), "created_ms": now * 1000,
		            "message": {"notification": {"title": {4: "a prize", 7: "see evil.example/x"}.get(i % 11, "hello")}}}
		    if i % 13 == 0:
		        task["users"] = [task.pop("user"), "u8"]
		    if i % 3 == 0:
		        task["app"] = "open"
		        print(json.dumps(task))
		        continue
		    task["exp"] = now + (3600 if i % 10 else -3600)
		    part = b64(b'{"alg":"HS256","kid":"%s"}' % (b"k1" if i % 17 else b"k9")) + b"." + b64(json.dumps(task).encode())
		    sig = b64(hmac.new(secret, part, hashlib.sha256).digest())
		    print(json.dumps({"app": "shop", "jws": (part + b"." + sig).decode()}))
		print("no json")
	END
	local before=raw policy
	for policy in "${POLICIES[@]}"; do
		"push-$policy" -c push.conf <"$before" >"$policy" 2>>chain.err || return 1
		before=$policy
	done
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
}

replay() {
	"$ROOT/scripts/replay" "$@"
}

@test "the chain took decisions of every kind" {
	jq -c -s '[.[].trace.reason] | unique' fatigue
	jq -es '[.[].trace.reason] | unique - [null] == ["campaign-stopped", "duplicate",
		"fatigue-cap", "malformed", "no-device", "not-allowed", "risk-content", "risk-link",
		"risk-surge", "risk-user", "stale", "unauthorized"]' fatigue
}

# From each capture behind it on, a stage decides as it did.
@test "every stage decides as on the captured day, from any point behind it" {
	local policy point seen bad=0
	for policy in auth risk lookup dedupe fatigue; do
		seen=no
		for point in "${POLICIES[@]}"; do
			[ "$policy" != "$point" ] || seen=yes
			[ $seen = yes ] || continue
			stage '' replay "$policy" "$point" -c push.conf
			if [ "$status" -ne 0 ] || [[ $output == *'for the first time'* && $output != *' 0 for the first time'* ]]; then
				printf '%s on what %s wrote:\n%s\n' "$policy" "$point" "$output"
				bad=1
			fi
		done
	done
	[ $bad = 0 ]
}

@test "records captured before a stage are decided for the first time" {
	for policy in risk fatigue; do
		stage '' replay "$policy" auth -c push.conf
		[ "$status" -eq 0 ]
		[[ $output == *' 0 otherwise, '* && $output != *' 0 for the first time'* ]]
	done
}

@test "a replay writes the same bytes every time, raw tasks included" {
	comparable='if .trace.risk[2].blocked_users then .trace.risk |= .[:2] else . end'
	for policy in "${POLICIES[@]}"; do
		for point in raw auth lookup fatigue; do
			"push-$policy" -c push.conf --replay <$point >once 2>/dev/null
			# Another second, and so another clock.
			"push-$policy" -c push.conf --replay <$point >twice 2>/dev/null
			diff once twice
			# And what was replayed can be replayed; blanks between members may go.
			"push-$policy" -c push.conf --replay <once >thrice 2>/dev/null
			# Users that were taken out are not there to be counted again.
			[ "$policy" = lookup ] || diff <(jq -c "$comparable" once) <(jq -c "$comparable" thrice)
		done
	done
}

@test "devices are those of the captured day, whatever the registry says today" {
	# Everything has changed since: ann's phone went, bob has got one.
	cat >today.ndjson <<-END
		{"app":"open","user":"u1","platform":"ios","token":"aa01aa01","registered_ms":$((($(date +%s) + 9999) * 1000))}
		{"app":"open","user":"u9","platform":"ios","token":"aa09aa09"}
	END
	push-device --store lmdb:today import today.ndjson
	for point in lookup dedupe fatigue; do
		stage '' replay lookup $point -c push.conf --store lmdb:today
		[ "$status" -eq 0 ]
		[[ $output == *' 0 otherwise, 0 for the first time'* ]]
	done
	jq -es 'map(select(.trace.reason == "no-device")) | length > 0' lookup
	# A raw task does not know: who was registered later was not there.
	printf '%s\n' '{"id":"1","app":"open","user":"u1","created_ms":1763627000000}' \
		"{\"id\":\"2\",\"app\":\"open\",\"users\":[\"u1\",\"u2\"],\"created_ms\":$((($(date +%s) + 99999) * 1000))}" >tasks
	stage_file tasks push-lookup --replay --store lmdb:today
	has 'map([.id, .trace.reason, .device.token, .part.of]) | sort_by(.[0]) ==
		[["1", "no-device", null, null], ["2", null, "aa01aa01", 2], ["2", "no-device", null, 2]]'
	stage_file tasks push-lookup --replay -c push.conf
	logged "today's registry"
	# An export of that day brings it back.
	push-device --config push.conf export >day.ndjson
	push-device --store lmdb:day import day.ndjson
	push-lookup --replay --store lmdb:day <risk >from-export
	jq -c '[.id, .device.token, .trace.reason]' from-export | sort >is
	jq -c '[.id, .device.token, .trace.reason]' lookup | sort | diff - is
}

@test "what a later stage decided is not taken for a decision of this one" {
	# dedupe's duplicate is no duplicate of lookup, which let it pass.
	stage '{"id":"1","user":"u","device":{"platform":"ios","token":"aa"},"trace":{"t0_us":1763627000000000,"lookup":[1,2],"dedupe":[3,4],"outcome":"suppressed","reason":"duplicate"}}
{"id":"2","user":"u","device":{"platform":"ios","token":"aa"},"trace":{"t0_us":1763627000000000,"lookup":[1,2],"ack":[3,4],"outcome":"suppressed","reason":"duplicate"}}' push-lookup --replay
	has 'map(.trace.reason) == [null, "duplicate"]'
}

@test "a task that tells no time gets that of the one before" {
	printf '%s\n' '{"id":"a"}' '{"id":"b","created_ms":1763627000123}' '{"id":"c","expires_ms":1763627000123}' \
		'{"id":"d","created_ms":1763627000000,"expires_ms":1763627000001}' '{"id":"e","expires_ms":1763627000001}' >timeless
	stage_file timeless push-risk --replay
	has 'map(.trace.t0_us) == [1, 1763627000123000, 1763627000123000, 1763627000000000, 1763627000000000]'
	has 'map(.trace.reason) == [null, null, "expired", null, null]'
}

@test "a key that was taken away since shows, although the task was unwrapped" {
	sed 's/"k1"/"k2"/' push.conf >other.conf
	stage '' replay auth fatigue -c other.conf
	[ "$status" -eq 1 ]
	grep -Eq 'passed +rejected unauthorized$' "$output_file"
	run ! grep -Eq 'rejected [a-z-]+ +passed$' "$output_file"
}

@test "what an operator had stopped is stopped in a replay, without Redis" {
	redis_up
	redis-cli -s "$REDIS_SOCKET" HSET push:stops campaign:x '1 why' version 1 app:y '1 why' >/dev/null
	stage '{"id":"1","campaign":"x"}
{"id":"2","campaign":"z","app":"y"}
{"id":"3","campaign":"z"}
' push-risk --stops "$REDIS_URL"
	has 'map(.trace.reason) == ["campaign-stopped", "app-stopped", null]'
	cp "$output_file" stopped
	redis_down
	stage '' replay risk stopped --stops "$REDIS_URL"
	[ "$status" -eq 0 ]
	[[ $output == '3 records: 3 decided as before, 0 otherwise, 0 for the first time' ]]
}
