# The chain under the very users that push-queue(7) recommends.
load chain.bash

setup() {
	redis_up --appendonly yes
	mock_up
	make_users
	printf 'a-secret-made-for-tests-only-0123456789' >bank.secret
	printf SECRET2 >worker.pw
	printf SECRET3 >operator.pw
	chain_conf | jq --arg url "$REDIS_URL?user=push-worker&password_file=$PWD/worker.pw" \
		'.redis = $url' >push.conf
	export PUSH_CONFIG=$PWD/push.conf
}

# Every "ACL SETUSER" of the page, with the lines it goes on in.
make_users() {
	awk '/^ACL SETUSER/ { text = $0; next }
		text != "" && /^  / { text = text $0; next }
		text != "" { print text; text = "" }' "$ROOT/man/push-queue.7" >users
	[ "$(wc -l <users)" -eq 3 ]
	rcli <users >made
	[ "$(grep -c '^OK$' made)" -eq 3 ]
}

as() { # USER PASSWORD COMMAND...
	local user=$1 password=$2
	shift 2
	rcli --no-auth-warning --user "$user" --pass "$password" "$@" 2>&1
}

none_refused() {
	local log
	log=$(rcli --json ACL LOG 100)
	[ "$log" = '[]' ] && return
	echo "$log" | jq -c '.[] | {reason, object, context, username}'
	return 1
}

@test "a chain delivers as push-worker what push-producer has pushed, and nothing is refused" {
	local line
	chain_tasks 100 >tasks
	while read -r line; do
		as push-producer SECRET1 LPUSH push:normal "$line" >/dev/null
	done <tasks
	[ "$(rcli LLEN push:normal)" -eq 100 ]
	rcli ACL LOG RESET
	chain || { cat chain.err && return 1; }
	none_refused
	chain_is_settled
	[ "$(received | sort -u | wc -l)" -eq 100 ]
	[ "$(grep -c -e '"warn"' -e '"error"' chain.err)" -eq 0 ] || { cat chain.err && return 1; }
}

@test "dead letters and redelivery need no more" {
	chain_tasks 60 >tasks
	printf '%s\n' 'no task' '{"app":"shop","user":"nobody","message":{}}' >>tasks
	chain_push tasks push:low
	rcli ACL LOG RESET
	# Claimed by a worker that dies: taken back, and so on.
	push-pop --once --worker w9 --lease 1ms >/dev/null 2>&1
	chain || { cat chain.err && return 1; }
	none_refused
	[ "$(rcli LLEN '{push:low}:dead')" -ge 1 ]
}

@test "users, segments and rate limits need no more" {
	env -u PUSH_CONFIG push-device --store "$REDIS_URL" import - <<-'END'
		{"app":"bank","user":"u1","platform":"ios","token":"aa01aa01"}
		{"app":"bank","segment":"all","user":"u1"}
	END
	rcli ACL LOG RESET
	jq '.risk.surges = [{limit: 9, per: "1h"}] | .apps.bank.quota = {limit: 9, per: "1h"} | .apps.bank.auth = "off"' push.conf >rates.conf
	stage '{"app":"bank","campaign":"c","segment":"all"}
{"app":"bank","user":"u1"}' bash -c 'push-auth -c rates.conf | push-risk -c rates.conf | push-lookup -c rates.conf'
	has 'length == 2 and all(.[]; .device.token == "aa01aa01" and .trace.outcome == null)'
	none_refused
}

@test "a producer can do nothing but push to its queues" {
	[[ $(as push-producer SECRET1 LPUSH push:other x) == *NOPERM* ]]
	[[ $(as push-producer SECRET1 RPOP push:high) == *NOPERM* ]]
	[[ $(as push-producer SECRET1 LRANGE push:high 0 -1) == *NOPERM* ]]
	[[ $(as push-producer SECRET1 DEL push:high) == *NOPERM* ]]
	[[ $(as push-producer SECRET1 EVAL 'return 1' 0) == *NOPERM* ]]
}

@test "a worker cannot touch what is not the queue's" {
	[[ $(as push-worker SECRET2 GET other) == *NOPERM* ]]
	[[ $(as push-worker SECRET2 CONFIG SET save '') == *NOPERM* ]]
	[[ $(as push-worker SECRET2 FLUSHALL) == *NOPERM* ]]
	[[ $(as push-worker SECRET2 KEYS '*') == *NOPERM* ]]
}

@test "an operator looks into queues and manages devices" {
	local url="$REDIS_URL?user=push-operator&password_file=$PWD/operator.pw"
	rcli LPUSH push:high '{"app":"shop"}' >/dev/null
	rcli ACL LOG RESET
	stage '' push-queue --redis "$url" --queue push:high status
	[ "$status" -eq 0 ]
	stage '' push-queue --redis "$url" --queue push:high peek dead
	[ "$status" -eq 0 ]
	stage '' push-queue --redis "$url" --queue push:high peek ready
	[ "$status" -eq 0 ]
	# Every other command, with something to do.
	rcli LPUSH '{push:high}:dead' '{"uid":"u1","reason":"x","kind":"task","first_ms":1,"history":[],"raw":"a"}' >/dev/null
	rcli LPUSH '{push:high}:dead' '{"uid":"u2","reason":"y","kind":"task","first_ms":1,"history":[],"raw":"b"}' >/dev/null
	rcli LPUSH push:high '{"id":"t1"}' >/dev/null
	rcli ZADD '{push:high}:delayed' 99999999999999 $'1 1 u3 t -\n{"id":"t1"}' >/dev/null
	rcli XADD '{push:high}:feedback' '*' token t >/dev/null
	for command in 'peek delayed' 'peek inflight' 'replay --reason x' 'drop --reason y --yes' \
		'cancel t1' 'stop app shop' stops 'resume app shop' 'resume id t1' feedback; do
		# shellcheck disable=SC2086 # words on purpose
		stage '' push-queue --redis "$url" --queue push:high $command
		echo "$command: $status $output $stderr"
		[ "$status" -eq 0 ]
		[ -n "$output" ] || [ "$command" = 'peek inflight' ]
	done
	stage '' push-device --store "$url" export
	[ "$status" -eq 0 ]
	none_refused
	[[ $(as push-operator SECRET3 FLUSHALL) == *NOPERM* ]]
	[[ $(as push-operator SECRET3 CONFIG SET save '') == *NOPERM* ]]
}

@test "a worker that lacks a command is told which, before it claims anything" {
	chain_tasks 1 >tasks
	chain_push tasks push:high
	rcli ACL SETUSER push-worker -hset -zadd >/dev/null
	stage '' push-pop --queue push:high --once
	[ "$status" -eq 100 ]
	logged "does not permit our user HSET, ZADD"
	[ "$(rcli LLEN push:high)" -eq 1 ]
	[ "$(rcli KEYS '*probe*')" = '' ]
}

@test "a permission that is taken away is missed once, and nothing is lost" {
	jq --arg results "$PWD/results" '. + {ack: {results: $results}, run: {chain: [
		"push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
		"push-apns", "push-fcm", "push-ack"]}}' push.conf >run.conf
	export PUSH_CONFIG=$PWD/run.conf
	chain_tasks 200 >tasks
	start run push-run -c run.conf
	rcli ACL SETUSER push-worker -evalsha >/dev/null
	chain_push tasks push:high
	wait_until 20 grep -q "does not permit this to our user" run.err
	wait_until 5 has_refused 6
	# Not only claims: the worker's name could not be renewed either.
	wait_until 30 name_runs_out
	rcli ACL SETUSER push-worker +evalsha >/dev/null
	wait_until 40 chain_is_settled || { cat run.err && return 1; }
	wait_until 10 all_received 200
	stop run 40
	[ "$status" -eq 0 ]
	[ "$(jq -r 'select(.program == "push-pop" and (.text | contains("does not permit"))) | .text' run.err | wc -l)" -eq 1 ]
}

# It is renewed every three seconds, for ten.
name_runs_out() {
	[ "$(rcli PTTL "$(rcli --scan --pattern '{push:high}:worker:*')")" -lt 6000 ]
}

has_refused() {
	[ "$(rcli --json ACL LOG 100 | jq '[.[].count] | add // 0')" -ge "$1" ]
}

all_received() {
	[ "$(received | sort -u | wc -l)" -eq "$1" ]
}
