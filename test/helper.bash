# What every bats file loads: run a program on records, look at what came out,
# keep programs in the background, have a Redis and a mock vendor of one's own.
#
#	stage INPUT PROGRAM ARG...       run to its end on INPUT (text, as it is)
#	stage_file FILE PROGRAM ARG...   the same with FILE as its input
#	has FILTER [JQ-OPTION...]        jq over the list of output records
#	has_in FILE FILTER [...]         the same over the records in FILE
#	logged TEXT                      standard error contains TEXT
#
#	start [-i FILE] [-o FILE] [-p] NAME PROGRAM ARG...
#	                                 in the background, until it says ready;
#	                                 -p: its input is a pipe, see feed; without
#	                                 -o the output is in NAME.out; NAME.err
#	start_unready ...                the same, not waiting for ready
#	feed NAME TEXT / feed_end NAME   write to that pipe / close it
#	stop NAME [SECONDS]              TERM, wait, set status
#	kill_hard NAME                   KILL, wait, set status
#	wait_exit NAME SECONDS           wait for its own end, set status
#	pid_of NAME                      for signals
#
#	wait_for N FILE [SECONDS]        until FILE has N lines
#	wait_until SECONDS COMMAND...    until COMMAND succeeds
#
#	redis_up [OPTION...] / redis_down    sets REDIS_URL, REDIS_SOCKET, RCLI
#	rcli COMMAND...                      redis-cli on it
#	each_url CASE URL...                 CASE once a store; STORE is its URL
#	each_store CASE                      at a URL of each kind
#	each_lasting_store CASE              the same where several programs meet
#	mock_up [OPTION...] / mock_down      see below
#	mock_control JSON / mock_summary     new faults / counts as they stand
#
# stage, stop, kill_hard and wait_exit set `status'; stage also sets `output'
# and `stderr' (the first 64 KiB as text), `output_file' and `stderr_file'.
# Servers started in setup_file last for the file, those started in a test for
# the test.  Each test begins in an empty folder of its own.  A file that has its own
# teardown calls end_all there; with its own teardown_file, end_all_file.
# Waits are bounded and grow with PUSH_TEST_SLOW (a factor, for sanitizers).

bats_require_minimum_version 1.5.0

: "${PUSH_TEST_SLOW:=1}"
: "${BATS_TEST_TIMEOUT:=$((60 * PUSH_TEST_SLOW))}"
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PUSH_BIN=$(cd "${PUSH_BIN:-$ROOT/bin}" && pwd)
PATH=$PUSH_BIN:$PATH
export ROOT PUSH_BIN PATH PUSH_TEST_SLOW BATS_TEST_TIMEOUT
# A failed test shows what `output' and `stderr' hold.
# shellcheck disable=SC2034 # bats reads it
BATS_PRINT_OUTPUT_ON_FAILURE=1
# What the person at the keyboard has set must not change a test.
unset PUSH_CONFIG PUSH_COUNTERS
[ -z "${REDIS_SOCKET:-}" ] || RCLI=(redis-cli -s "$REDIS_SOCKET")
[ -z "${BATS_TEST_TMPDIR:-}" ] || cd "$BATS_TEST_TMPDIR" || exit 1

declare -gA pids=()  # name → process id, from start to its end
declare -gA feeds=() # name → descriptor that feed writes to

# --- running to the end --------------------------------------------------------

stage() {
	local input=$1
	shift
	printf '%s' "$input" >"$BATS_TEST_TMPDIR/.input"
	stage_file "$BATS_TEST_TMPDIR/.input" "$@"
}

# shellcheck disable=SC2034 # output is for the test to look at
stage_file() {
	local input=$1
	shift
	output_file=$BATS_TEST_TMPDIR/.output
	stderr_file=$BATS_TEST_TMPDIR/.stderr
	status=0
	# A function of the test's own (a pipeline, say) cannot be given to timeout.
	if [ "$(type -t "$1")" = file ]; then
		set -- timeout --foreground -k 5 "$((30 * PUSH_TEST_SLOW))" "$@"
	fi
	"$@" <"$input" >"$output_file" 2>"$stderr_file" 3>&- 4>&- || status=$?
	output=$(head -c 65536 "$output_file" | tr -d '\0')
	stderr=$(head -c 65536 "$stderr_file" | tr -d '\0')
}

has() {
	has_in "$output_file" "$@" && return
	echo "status: $status"
	return 1
}

has_in() {
	local file=$1 filter=$2 answer
	shift 2
	answer=$(jq -es "$@" "$filter" "$file" 2>&1) && return
	printf 'does not hold: %s\njq says: %s\n' "$filter" "$answer"
	if [ "$file" != "${output_file:-}" ]; then
		echo "$file:"
		head -c 16384 "$file"
	fi
	return 1
}

logged() {
	[[ $stderr == *"$1"* ]] && return
	printf 'standard error does not contain: %s\nstatus: %s\n' "$1" "$status"
	return 1
}

# --- in the background -----------------------------------------------------------

start() {
	local ready=yes
	spawn "$@"
}

start_unready() {
	local ready=no
	spawn "$@"
}

spawn() {
	local in=/dev/null out='' pipe=no opt OPTIND=1 name program fd said
	while getopts i:o:p opt; do
		case $opt in
		i) in=$OPTARG ;;
		o) out=$OPTARG ;;
		p) pipe=yes ;;
		*) return 1 ;;
		esac
	done
	shift $((OPTIND - 1))
	name=$1 program=$2
	shift 2
	: "${out:=$PWD/$name.out}"
	[ -z "${pids[$name]:-}" ] || { echo "already started: $name" && return 1; }

	# Both ends are open before the program starts, and only the program keeps
	# the writing one: so either it says ready or its death ends the wait.
	local fifo=$BATS_TEST_TMPDIR/.ready.$name feed_fifo=$BATS_TEST_TMPDIR/.feed.$name
	local both ready_in ready_out feed=''
	rm -f "$fifo" "$feed_fifo"
	mkfifo "$fifo"
	exec {both}<>"$fifo"
	exec {ready_in}<"$fifo"
	exec {ready_out}>"$fifo"
	exec {both}>&-
	if [ $pipe = yes ]; then
		mkfifo "$feed_fifo"
		exec {both}<>"$feed_fifo"
		exec {feed}>"$feed_fifo"
		in=$feed_fifo
	fi
	[ "$ready" = no ] || set -- --ready-fd 9 "$@"
	(
		exec 9>&"$ready_out" <"$in" >"$out" 2>"$PWD/$name.err"
		for fd in 3 4 "$ready_in" "$ready_out" "$both" $feed "${feeds[@]}"; do
			exec {fd}>&-
		done
		[ "$ready" = yes ] || exec 9>&-
		# Dies with this shell, should the test be cut down before its teardown.
		exec setpriv --pdeathsig KILL "$program" "$@"
	) &
	pids[$name]=$!
	exec {ready_out}>&-
	if [ $pipe = yes ]; then
		# The program has opened its end once the kernel lets it read; until then
		# `both' keeps the pipe alive.
		feeds[$name]=$feed
	fi
	if [ "$ready" = yes ]; then
		said=yes
		read -r -t $((20 * PUSH_TEST_SLOW)) -u "$ready_in" || said=no
	else
		said=yes
		[ $pipe = no ] || wait_until 20 is_open_by "${pids[$name]}" "$feed_fifo" || said=no
	fi
	exec {ready_in}<&-
	[ $pipe = no ] || exec {both}>&-
	[ $said = yes ] && return
	printf '%s did not become ready; standard error:\n' "$name"
	cat "$PWD/$name.err"
	return 1
}

is_open_by() {
	[ "$(readlink "/proc/$1/fd/0")" = "$2" ]
}

pid_of() {
	echo "${pids[$1]:?"no such program: $1"}"
}

# In a subshell, so that a reader that went away does not end the test.
feed() {
	(
		trap '' PIPE
		printf '%s' "$2" >&"${feeds[$1]}"
	)
}

feed_end() {
	local fd=${feeds[$1]}
	exec {fd}>&-
	unset "feeds[$1]"
}

stop() {
	kill -TERM "$(pid_of "$1")" 2>/dev/null || :
	wait_exit "$1" "${2:-20}"
}

kill_hard() {
	kill -KILL "$(pid_of "$1")" 2>/dev/null || :
	wait_exit "$1" 20
}

# shellcheck disable=SC2034 # status is for the test to look at
wait_exit() {
	local pid
	pid=$(pid_of "$1")
	if ! wait_until "$2" has_ended "$pid"; then
		printf '%s did not end within %s s; standard error:\n' "$1" "$2"
		cat "$1.err" || :
		return 1
	fi
	status=0
	wait "$pid" || status=$?
	unset "pids[$1]"
	[ -z "${feeds[$1]:-}" ] || feed_end "$1"
	stderr_file=$PWD/$1.err
	[ ! -f "$stderr_file" ] || stderr=$(head -c 65536 "$stderr_file" | tr -d '\0')
}

has_ended() {
	! kill -0 "$1" 2>/dev/null
}

# --- waiting -----------------------------------------------------------------------

# The only place that naps; everything that waits for an effect goes through it.
wait_until() {
	local limit_us=$(($1 * PUSH_TEST_SLOW * 1000000)) begin=${EPOCHREALTIME/[^0-9]/}
	shift
	until "$@"; do
		if ((${EPOCHREALTIME/[^0-9]/} - begin > limit_us)); then
			return 1
		fi
		sleep 0.02
	done
}

wait_for() {
	wait_until "${3:-20}" has_lines "$1" "$2" && return
	printf 'waited in vain for %s lines in %s; it holds:\n' "$1" "$2"
	tail -n 20 "$2"
	return 1
}

has_lines() {
	[ -f "$2" ] && [ "$(wc -l <"$2")" -ge "$1" ]
}

# --- servers -----------------------------------------------------------------------

server_dir() {
	echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}"
}

# Starts PROGRAM for the file or the test, whichever this is called from;
# remembers it in DIR/.NAME.pid.
server_start() {
	local name=$1 dir
	dir=$(server_dir)
	shift
	(
		exec 3>&- 4>&- </dev/null >"$dir/$name.log" 2>&1
		exec setpriv --pdeathsig KILL "$@"
	) &
	echo $! >"$dir/.$name.pid"
}

server_stop() {
	local file pid
	file=$(server_dir)/.$1.pid
	[ -f "$file" ] || return 0
	pid=$(<"$file")
	rm -f "$file"
	kill -TERM "$pid" 2>/dev/null || return 0
	wait_until 10 has_ended "$pid" || kill -KILL "$pid"
}

# Without persistence unless OPTIONs say otherwise; in a test that already has
# one, this one takes its place.
redis_up() {
	local dir
	dir=$(server_dir)
	REDIS_SOCKET=$dir/redis.sock
	REDIS_URL=unix://$REDIS_SOCKET
	export REDIS_SOCKET REDIS_URL
	RCLI=(redis-cli -s "$REDIS_SOCKET")
	server_start redis redis-server --port 0 --unixsocket "$REDIS_SOCKET" \
		--save "" --appendonly no --dir "$dir" "$@"
	wait_until 20 redis_answers && return
	cat "$dir/redis.log"
	return 1
}

redis_answers() {
	[ "$("${RCLI[@]}" PING 2>/dev/null)" = PONG ]
}

redis_down() {
	server_stop redis
}

rcli() {
	"${RCLI[@]}" "$@"
}

# Runs CASE once a URL, with STORE set to it; Redis has nothing in it then.
each_url() { # CASE URL...
	for STORE in "${@:2}"; do
		rcli FLUSHALL >/dev/null
		echo "--- $STORE"
		"$1"
	done
}

each_store() { # CASE
	each_url "$1" memory: "lmdb:$PWD/state" "$REDIS_URL"
}

each_lasting_store() { # CASE
	each_url "$1" "lmdb:$PWD/lasting" "$REDIS_URL"
}

# What waits for its time in QUEUE waits no longer: no test has to.
all_due() { # QUEUE
	rcli EVAL "for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
		redis.call('ZADD', KEYS[1], 0, entry)
	end" 1 "{$1}:delayed" >/dev/null
}

# The stand-in for the vendors, with keys made once for the file.  Sets
# MOCK_RECEIVED (what it was sent, NDJSON), MOCK_SUMMARY (counts, written at its
# end), MOCK_CONTROL (see mock_control), MOCK_KEYS (see scripts/mock-certs) and
# MOCK_APNS_PORT, MOCK_FCM_PORT, MOCK_OAUTH_PORT.
mock_up() {
	local dir keys=$BATS_FILE_TMPDIR/keys name port
	dir=$(server_dir)
	[ -d "$keys" ] || "$ROOT/scripts/mock-certs" "$keys"
	MOCK_RECEIVED=$dir/mock.received
	MOCK_SUMMARY=$dir/mock.summary
	MOCK_CONTROL=$dir/mock.control
	MOCK_KEYS=$keys
	export MOCK_RECEIVED MOCK_SUMMARY MOCK_CONTROL MOCK_KEYS
	: >"$MOCK_RECEIVED"
	: >"$MOCK_CONTROL"
	rm -f "$dir/mock.ports"
	server_start mock push-mock --ports-file "$dir/mock.ports" \
		--cert "$keys/cert.pem" --key "$keys/key.pem" \
		--credentials "$keys/credentials.json" \
		--received "$MOCK_RECEIVED" --summary "$MOCK_SUMMARY" \
		--control "$MOCK_CONTROL" "$@"
	if ! wait_until 20 test -s "$dir/mock.ports"; then
		cat "$dir/mock.log"
		return 1
	fi
	while read -r name port; do
		export "MOCK_${name^^}_PORT=$port"
	done < <(jq -r 'to_entries[] | "\(.key) \(.value)"' "$dir/mock.ports")
}

# New orders for the mock, in force when this returns.
mock_control() {
	printf '%s\n' "$1" >"$MOCK_CONTROL"
	mock_signal HUP
}

# Has the mock write MOCK_SUMMARY as things stand.
mock_summary() {
	mock_signal USR1
}

mock_signal() {
	rm -f "$MOCK_SUMMARY"
	kill "-$1" "$(<"$(dirname "$MOCK_SUMMARY")/.mock.pid")"
	wait_until 10 test -s "$MOCK_SUMMARY"
}

mock_down() {
	server_stop mock
}

# --- the end -------------------------------------------------------------------------

end_all() {
	local name
	for name in "${!pids[@]}"; do
		kill -TERM "${pids[$name]}" 2>/dev/null || :
	done
	for name in "${!pids[@]}"; do
		wait_until 5 has_ended "${pids[$name]}" || kill -KILL "${pids[$name]}"
	done
	end_all_file
}

end_all_file() {
	redis_down
	mock_down
}

teardown() {
	end_all
}

teardown_file() {
	end_all_file
}
