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
	for policy in auth risk dedupe fatigue; do
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
