# Redis as it fails under a running chain: it holds, says why once, goes on, and
# every task is delivered once.
load chain.bash

TASKS=600

setup_file() {
	chain_up --appendonly yes --enable-debug-command local
}

setup() {
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	redis_is_ours || BATS_TEST_TMPDIR='' redis_up --appendonly yes --enable-debug-command local
	rcli FLUSHALL >/dev/null
	: >"$MOCK_RECEIVED"
	jq --arg results "$PWD/results" --arg url "$REDIS_URL?timeout=300ms" \
		'. + {redis: $url, pop: {window: 8, batch: 4}, ack: {results: $results}, run: {chain: [
		"push-pop", "push-auth", "push-risk", "push-lookup", "push-dedupe", "push-fatigue",
		"push-apns", "push-fcm", "push-ack"]}}' "$BATS_FILE_TMPDIR/push.conf" >push.conf
	cp "$BATS_FILE_TMPDIR/bank.secret" .
	export PUSH_CONFIG=$PWD/push.conf
	chain_tasks "$TASKS" >tasks
	jq -r '.device | "\(if .platform == "ios" then "apns" else "fcm" end) \(.token)"' tasks | sort >wanted
}

redis_is_ours() {
	kill -0 "$(<"$BATS_FILE_TMPDIR/.redis.pid")" 2>/dev/null && redis_answers
}

redis_pid() {
	cat "$BATS_FILE_TMPDIR/.redis.pid"
}

begin() {
	vendors_take 250 # so slow that there is a middle
	start run push-run -c push.conf
	chain_push tasks push:normal
	wait_until 30 has_some
}

has_some() {
	has_lines 8 results
}

# A program that cannot go on says so, in the middle of the work.
strikes() { # TEXT
	wait_until 30 is_held_up "$1" || { cat run.err && return 1; }
	[ "$(wc -l <results)" -lt "$TASKS" ]
}

is_held_up() { # TEXT
	grep -F "$1" run.err | grep -qF 'trying again until it works'
}

# Each once: no process died, so nothing has an excuse.
each_once() {
	received | sort >got
	cmp -s wanted got
}

goes_on() {
	vendors_take 1
	wait_until 60 chain_is_settled || { cat run.err && return 1; }
	wait_until 10 each_once || { diff wanted got | head && cat run.err && return 1; }
	stop run 40
	[ "$status" -eq 0 ] || { cat run.err && return 1; }
	jq -es 'any(.[]; .text == "going on")' run.err >/dev/null
	# Nobody had to be started anew.
	[ "$(grep -c 'starting the chain again' run.err)" -eq 0 ] || { cat run.err && return 1; }
}

# Some program said so, and none of them twice.
is_told_once() { # TEXT
	jq -rs --arg text "$1" '[.[] | select(.level == "warn" and (.text | contains($text)))] |
		if length == 0 then "nobody said it" else group_by(.pid)[] |
		select(length > 2) | "\(.[0].program): \(length) times" end' run.err >told
	[ ! -s told ] || { cat told run.err && return 1; }
}

@test "a Redis that is full" {
	begin
	rcli CONFIG SET maxmemory 1mb
	strikes "out of memory (maxmemory is reached)"
	rcli CONFIG SET maxmemory 0
	goes_on
	is_told_once "out of memory"
}

@test "a Redis that is paused, and one that sleeps" {
	begin
	rcli CLIENT PAUSE 1500 ALL
	strikes "no answer within 300 ms"
	wait_until 30 has_lines $(($(wc -l <results) + 8)) results
	rcli DEBUG SLEEP 1
	goes_on
	is_told_once "no answer within 300 ms"
}

@test "a Redis that hangs" {
	begin
	kill -STOP "$(redis_pid)"
	strikes "no answer within 300 ms"
	kill -CONT "$(redis_pid)"
	goes_on
	is_told_once "no answer within 300 ms"
}

@test "a Redis that becomes a replica, and a primary again" {
	begin
	# Of nobody: what it holds stays as it is.
	rcli REPLICAOF 127.0.0.1 1
	strikes "is a read-only replica"
	rcli REPLICAOF NO ONE
	goes_on
	is_told_once "is a read-only replica"
}

@test "a Redis that refuses writes" {
	begin
	rcli CONFIG SET min-replicas-to-write 1
	strikes "refuses writes because replicas are missing"
	rcli CONFIG SET min-replicas-to-write 0
	goes_on
	is_told_once "replicas are missing"
}

@test "two reasons that take turns" {
	# Being full comes first where both are true.
	rcli CONFIG SET min-replicas-to-write 1
	chain_tasks 1 >task
	start -i task dedupe push-dedupe -c push.conf --store "$REDIS_URL"
	for _ in 1 2 3; do
		is_refused NOREPLICAS
		rcli CONFIG SET maxmemory 1
		is_refused OOM
		rcli CONFIG SET maxmemory 0
	done
	rcli CONFIG SET min-replicas-to-write 0
	wait_exit dedupe 30
	[ "$status" -eq 0 ]
	[ "$(grep -c 'out of memory' dedupe.err)" -eq 1 ] || { cat dedupe.err && return 1; }
	[ "$(grep -c 'replicas are missing' dedupe.err)" -eq 1 ] || { cat dedupe.err && return 1; }
	[ "$(grep -c 'going on' dedupe.err)" -eq 1 ]
	has_lines 1 dedupe.out
}

# It has asked since, and was told this.
is_refused() { # ERROR
	rcli CONFIG RESETSTAT
	wait_until 30 has_error "$1" || { cat dedupe.err && return 1; }
}

has_error() {
	rcli INFO errorstats | grep -q "^errorstat_$1"
}

@test "connections that are cut, again and again" {
	begin
	for _ in 1 2 3 4 5 6 7 8; do
		rcli CLIENT KILL TYPE normal SKIPME yes >/dev/null
		[ "$(wc -l <results)" -lt "$TASKS" ]
		wait_until 10 has_lines $(($(wc -l <results) + 8)) results
	done
	vendors_take 1
	wait_until 60 chain_is_settled || { cat run.err && return 1; }
	wait_until 10 each_once || { diff wanted got | head && cat run.err && return 1; }
	stop run 40
	[ "$status" -eq 0 ]
}

@test "a Redis that is killed and takes its time to load" {
	# What earlier tests wrote is not to be loaded as well.
	rcli BGREWRITEAOF
	wait_until 20 is_rewritten
	begin
	# Something to load: it answers LOADING meanwhile.
	rcli EVAL 'for i = 1, 8000 do redis.call("SET", "filler:" .. i, i) end' 0
	kill -KILL "$(redis_pid)"
	wait_until 10 has_ended "$(redis_pid)"
	rcli_starts --appendonly yes --enable-debug-command local --key-load-delay 300 \
		--loading-process-events-interval-bytes 1024
	strikes "is still loading its data"
	wait_until 30 redis_answers
	rcli CONFIG SET key-load-delay 0
	goes_on
	is_told_once "is still loading its data"
}

is_rewritten() {
	[[ $(rcli INFO persistence) == *aof_rewrite_in_progress:0*aof_rewrite_scheduled:0* ]]
}

# As redis_up, but does not wait until it answers.
rcli_starts() {
	local dir=$BATS_FILE_TMPDIR
	BATS_TEST_TMPDIR='' server_start redis redis-server --port 0 --unixsocket "$REDIS_SOCKET" \
		--save "" --dir "$dir" "$@"
}

# Answers everything with these bytes, in the notation of printf(1).
answers() { # BYTES
	printf '%b' "$1" >answer
	start_unready "fake$((++fakes))" python3 -c 'import socket, sys, threading
answer = open("answer", "rb").read()
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
def serve(c):
    try:
        while c.recv(65536):
            c.sendall(answer)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()' "fake$fakes.sock"
	wait_until 10 test -S "fake$fakes.sock"
}

@test "something that is no Redis, or speaks as none that we know" {
	local fakes=0 bytes
	head -n 2 tasks >some
	for bytes in 'HTTP/1.1 400 Bad Request\r\n\r\n' ',1.5\r\n' '#t\r\n' '>1\r\n+x\r\n' '$-5\r\n' \
		'*1000000000\r\n' '%1\r\n+a\r\n#f\r\n'; do
		answers "$bytes"
		echo "$bytes"
		# Some versions of hiredis read these, and it asks again; none may break it.
		run --separate-stderr timeout 2 push-dedupe -c push.conf --drain 1ms \
			--store "unix://$PWD/fake$fakes.sock?timeout=300ms" <some
		[[ $status =~ ^(111|124)$ ]]
		[ -z "$output" ]
		logged "fake$fakes.sock: "
	done
}
