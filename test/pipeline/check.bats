# push-run --check: what is wrong with a configuration, and where.
load ../helper.bash

KEYS=$ROOT/test/fixtures/keys

check() { # CONFIGURATION
	printf '%s\n' "$1" >push.conf
	stage '' push-run --check -c push.conf --log-format text
}

# Refused, with TEXT in the log, at LINE.
wrong() { # LINE TEXT
	[ "$status" -eq 100 ]
	logged "configuration 'push.conf', line $1: "
	logged "$2"
	[ ! -s "$output_file" ]
}

@test "a queue is all that a configuration needs" {
	check '{"queues": ["q"]}'
	[ "$status" -eq 0 ]
	logged 'the configuration is right'
	check '{}'
	[ "$status" -eq 100 ]
	logged 'no queue is named'
	stage '' push-run --check
	[ "$status" -eq 100 ]
	logged 'no queue is named'
}

@test "what the table knows is told with its line" {
	check '{
	// "dedupe" is meant
	"dedup": {"window": "24h"}}'
	wrong 3 "unknown member 'dedup'; did you mean 'dedupe'?"
	check '{"dedupe": {
	"window": 24}}'
	wrong 2 "'dedupe.window' must be a duration"
	check '{"fatigue": {"rules": [
		{"limit": 1, "per": "1h"},
		{"limit": 1, "per": "1h", "category": "x",
		 "priority": "urgent"}]}}'
	wrong 4 "'fatigue.rules[1].priority' must be high|normal|low"
	check '{"apps": {"shop": {"auth": "off"},

	"b.c": {"auth": "no"}}}'
	wrong 3 "'apps.b.c.auth' must be required|optional|off"
	check '{"redis": "localhost:6379"}'
	wrong 1 "'redis' must be a URL such as \"redis://host:6379\""
	check '{"lookup": {"store": "sqlite:x"}}'
	wrong 1 "'lookup.store' must be a URL such as"
	check '{"risk": }'
	[ "$status" -eq 100 ]
	logged "configuration 'push.conf': line 1:"
}

@test "all mistakes are told at once, and all files that are missing" {
	check '{"queues": ["q"], "dedup": {},
		"fatigue": {"rules": [{"limit": "3", "pre": "1h"}]},
		"redis": "here", "apns": {"timeout": 5}}'
	wrong 1 "unknown member 'dedup'"
	wrong 2 "'fatigue.rules[0].limit' must be a whole number"
	wrong 2 "unknown member 'fatigue.rules[0].pre'; did you mean 'per'?"
	wrong 3 "'redis' must be a URL"
	wrong 3 "'apns.timeout' must be a duration"
	[ "$(wc -l <"$stderr_file")" -eq 5 ]
	check '{"queues": ["q"], "apns": {"ca_file": "a"},
		"fcm": {"ca_file": "b"}}'
	wrong 1 "'apns.ca_file' names a file, 'a'"
	wrong 2 "'fcm.ca_file' names a file, 'b'"
}

@test "files that are named are looked for, from the folder of the configuration" {
	mkdir -p etc
	echo '{"queues":["q"],"apps":{"shop":{
	"keys":{"k1":{"alg":"HS256",
		"secret_file":"s"}}}}}' >etc/push.conf
	stage '' push-run --check -c etc/push.conf --log-format text
	[ "$status" -eq 100 ]
	logged "fatal: configuration 'etc/push.conf', line 3: 'apps.shop.keys.k1.secret_file' names a file, 'etc/s': No such file"
	cp "$KEYS/test-only-hs256-secret" etc/s
	stage '' push-run --check -c etc/push.conf
	[ "$status" -eq 0 ]
	check '{"apns": {"ca_file": "none.pem"}}'
	wrong 1 "'apns.ca_file' names a file"
}

@test "each program tells what it does not like, all in one go" {
	echo short >short
	check '{"queues": ["q"],
	"apps": {
		"shop": {
			"keys": {
				"k1": {"alg": "HS256", "secret_file": "short"}},
			"fcm": {}}},
	"risk": {"blocked_words": ["fine",
		"a(b"]},
	"fatigue": {"rules": [
		{"limit": 3, "per": "24h"},
		{"limit": 0, "per": "24h"}]}
	}'
	[ "$status" -eq 100 ]
	grep -q "push-auth.*line 5: 'apps.shop.keys.k1'" "$stderr_file"
	grep -q "push-risk.*line 8: 'risk.blocked_words\[1\]'" "$stderr_file"
	grep -q "push-fatigue.*line 11: fatigue.rules\[1\]" "$stderr_file"
	grep -q "push-fcm.*line 3: app 'shop'" "$stderr_file"
	logged '5 programs cannot be used as they are configured' # push-ack reads fatigue's rules, too
}

@test "what is there twice is refused: one of the two would not hold" {
	check '{"apps": {"shop": {"auth": "required",
		"keys": {}, "auth": "off"}}}'
	wrong 1 "'apps.shop.auth' stands twice"
	check '{"apps": {"a": {"auth": "off"},
		"shop": {}, "shop": {}}}'
	wrong 2 "'apps.shop' stands twice"
	check '[]'
	[ "$status" -eq 100 ]
	logged "configuration 'push.conf': 'the file' must be an object"
}

@test "an option may be given again and again: the last one holds" {
	# shellcheck disable=SC2046 # words are meant
	stage '' push-auth --check $(printf -- '--skew=%ds ' $(seq 1 100))
	[ "$status" -eq 0 ]
}

# What a program would refuse at its start, --check refuses, with the line.
@test "places, names and times are judged without asking anybody" {
	queues='"queues": ["q"]'
	for case in \
		"{$queues, \"redis\": \"redis://h:99999\"|'redis': redis URL: the port" \
		"{$queues, \"dedupe\": {\"store\": \"lmdb:x?sync=maybe\"}|'dedupe.store': unknown option 'sync=maybe'" \
		"{$queues, \"dedupe\": {\"store\": \"none\"}|'dedupe.store': unknown store" \
		"{$queues, \"dedupe\": {\"window\": \"0s\"}|'dedupe.window' must be longer than 0" \
		"{$queues, \"dedupe\": {\"rules\": [{\"window\": \"0s\"}]}|dedupe.rules[0]: 'window'" \
		"{$queues, \"fatigue\": {\"store\": \"lmdb:\"}|'fatigue.store': lmdb: names no file" \
		"{$queues, \"lookup\": {\"store\": \"redis://h/db\"}|'lookup.store': redis URL" \
		"{$queues, \"auth\": {\"store\": \"unix:x\"}|'auth.store': redis URL" \
		"{$queues, \"risk\": {\"store\": \"redis://\"}|'risk.store': redis URL" \
		"{$queues, \"risk\": {\"stops\": \"redis://h:x\"}|'risk.stops': redis URL" \
		"{$queues, \"stats\": {\"listen\": \"nowhere\"}|'stats.listen': 'nowhere' is no address" \
		"{$queues, \"pop\": {\"lease\": \"0s\"}|'pop.lease' must be longer than 0" \
		"{$queues, \"pop\": {\"window\": 0}|'pop.window' must be a whole number from 1" \
		"{$queues, \"worker\": \"a b\"|'worker': 'a b' cannot name a worker" \
		"{$queues, \"apns\": {\"sandbox\": \"http://x\"}|'apns.sandbox': a vendor's URL" \
		'{"queues": ["a", "a"]|'"'queues': queue 'a' is named twice" \
		'{"queues": ["a b"]|'"'queues': 'a b' cannot name a queue"; do
		check "${case%%|*}}"
		wrong 1 "${case#*|}"
	done
	check '{"queues": ["q"], "lookup": {"store": "lmdb:made/later/devices"}, "ack": {"results": "made/later/results"}}'
	[ "$status" -eq 0 ]
	logged "there is no folder for the file 'made/later/devices'"
	logged "there is no folder for the file 'made/later/results'"
}

@test "quotas, surges and links are judged, too" {
	check '{"apps": {"a": {"auth": "off",
		"quota": {"limit": 5}}}}'
	wrong 2 "'apps.a.quota' needs"
	check '{"risk": {"surges": [
		{"limit": 5, "per": "0s"}]}}'
	wrong 2 "'risk.surges[0]' needs"
	check '{"risk": {"blocked_links": ["a.example",
		"http://"]}}'
	wrong 2 "'risk.blocked_links[1]'"
}

@test "programs and arguments of run.chain are checked, strangers are left alone" {
	check '{"run": {"chain": ["push-auth", {"program": "push-risk",
		"args": ["--no-such-option"]}]}}'
	[ "$status" -eq 100 ]
	logged no-such-option
	check '{"run": {
		"chain": ["push-auth", "push-nothing"]}}'
	wrong 2 "no program 'push-nothing'"
	check '{"run": {
		"chain": ["push-risk", {"program": "push-risk", "args": ["--dry-run"]}]}}'
	wrong 2 "two programs are the node 'risk'"
	check '{"run": {"chain": ["push-risk", {"program": "push-risk", "args": ["--node", "risk2"]}]}}'
	[ "$status" -eq 0 ]
	check '{"queues": ["q"], "run": {"lanes": {"l": {"window": 0}}}}'
	[ "$status" -eq 100 ]
	logged '--window wants a whole number from 1'
	check '{"run": {"chain": [{"program": "sh", "args": ["-c", "touch ran"]}, "push-risk"]}}'
	[ "$status" -eq 0 ]
	[ ! -e ran ]
}

@test "a stage alone checks itself, without reading, writing or asking anybody" {
	echo '{"redis":"unix:///no/such/socket","queues":["q"]}' >push.conf
	for program in pop auth risk lookup dedupe fatigue apns fcm ack stats; do
		stage '{"id":"a"}' push-$program --check -c push.conf
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		[ -z "$stderr" ]
	done
}

@test "a stage that starts, or reads again, tells the line as well" {
	echo '{"risk": {
	"blocked_words": ["("]}}' >push.conf
	stage '' push-risk -c push.conf
	[ "$status" -eq 100 ]
	logged "configuration 'push.conf', line 2: 'risk.blocked_words[0]'"
	echo '{}' >push.conf
	start -p r push-risk -c push.conf
	echo '{"risk": {"stopped_campaigns": ["c"],
	"blocked_links": ["x"]}}' >push.conf
	kill -HUP "$(pid_of r)"
	wait_until 10 grep -q "line 2: 'risk.blocked_links\[0\]'.*keeping the old configuration" r.err
	feed r '{"campaign":"c"}'$'\n'
	wait_for 1 r.out
	stop r
	has_in r.out '.[0].trace.reason == null'
}
