# push-sentry against a strict stand-in: what is reported, how often, and what
# happens when Sentry is slow, away or wants nothing.
load ../helper.bash

KEY=0123456789abcdef0123456789abcdef

sentry_up() {
	: >events
	server_start sentry python3 "$ROOT/test/sentry.py" "$PWD/port" "$PWD/events" "$PWD/answers"
	wait_until 20 test -s port
	echo "http://$KEY@127.0.0.1:$(<port)/42" >dsn
}

teardown() {
	end_all
	server_stop sentry
}

line() { # LEVEL PROGRAM TEXT
	printf '{"time_ms":1763627000123,"level":"%s","program":"%s","node":"%s","pid":7,"text":"%s"}\n' \
		"$1" "$2" "${2#push-}" "$3"
}

@test "an error and a warning are reported, everything else is not" {
	sentry_up
	{
		line error push-apns 'connection to host 10.0.0.1 lost'
		line warn push-pop 'Redis is slow'
		line info push-pop 'ready'
		line error push-run 'fatal: cannot open \"x\"'
		echo 'plain text: error'
		echo '[1]'
		echo '{"level":"error"}'
	} >log
	stage_file log push-sentry --dsn-file dsn --environment staging
	[ "$status" -eq 0 ]
	logged '3 events sent, 0 dropped'
	has_in events 'map(.level) == ["error", "warning", "fatal"]'
	has_in events '.[0] | .logger == "push-apns" and .tags == {"program":"push-apns","node":"apns"}
		and .logentry.formatted == "connection to host 10.0.0.1 lost" and .environment == "staging"
		and .timestamp == 1763627000.123 and .extra.more_like_this == 0
		and (.release | startswith("pushpipe@"))'
	has_in events 'map(.event_id) | length == (unique | length)'
	stage_file log push-sentry --dsn-file dsn --level error
	logged '2 events sent, 0 dropped'
}

@test "a storm is one event, and what varies does not make another one" {
	sentry_up
	for i in $(seq 1 500); do
		line error push-apns "record 'order-$i' of 10.0.0.$i: stream 77$i lost"
		line error push-fcm "record 'order-$i' of 10.0.0.$i: stream 77$i lost"
	done >log
	stage_file log push-sentry --dsn-file dsn
	has_in events 'map(.logger) == ["push-apns", "push-fcm"]'
	has_in events 'map(.fingerprint) | .[0] != .[1]'
	# After --every, the next one tells how many it stands for.
	: >events
	start_unready -p sentry push-sentry --dsn-file dsn --every 300ms
	feed sentry "$(<log)
"
	wait_for 2 events
	later() { feed sentry "$(line error push-apns "record 'x' of 10.0.0.9: stream 1 lost")
" && [ "$(jq -s 'map(select(.logger == "push-apns")) | length' events)" -ge 2 ]; }
	wait_until 20 later
	has_in events 'map(select(.logger == "push-apns")) | .[1].extra.more_like_this >= 499 and .[0].fingerprint == .[1].fingerprint'
	stop sentry
	[ "$status" -eq 0 ]
}

@test "a limit is honoured: with 429, and with 200" {
	sentry_up
	printf '%s\n' '200 X-Sentry-Rate-Limits: 3600:error;transaction:key' >answers
	start_unready -p sentry push-sentry --dsn-file dsn
	feed sentry "$(line error push-a one)
"
	wait_for 1 events
	held() { grep -q 'wants nothing for 3600 s' sentry.err; }
	wait_until 10 held
	feed sentry "$(line error push-b two; line error push-c three)
"
	feed_end sentry
	wait_exit sentry 20
	logged '1 events sent, 2 dropped'
	[ "$(wc -l <events)" = 1 ]

	printf '%s\n' '200' '429 Retry-After: 1800' >answers
	server_stop sentry
	rm port
	sentry_up
	start_unready -p sentry push-sentry --dsn-file dsn
	feed sentry "$(line error push-a one)
"
	wait_for 1 events
	feed sentry "$(line error push-b two)
"
	held() { grep -q 'wants nothing for 1800 s' sentry.err; }
	wait_until 10 held
	stop sentry
	logged '1 events sent, 1 dropped'
}

@test "a limit of other categories changes nothing" {
	sentry_up
	printf '%s\n' '200 X-Sentry-Rate-Limits: 3600:transaction:key, 2700:session;attachment:key' >answers
	{
		line error push-a one
		line error push-b two
	} >log
	stage_file log push-sentry --dsn-file dsn
	logged '2 events sent, 0 dropped'
}

@test "a refusal drops that event only" {
	sentry_up
	printf '%s\n' 413 >answers
	{
		line error push-a one
		line error push-b two
	} >log
	stage_file log push-sentry --dsn-file dsn
	logged 'refuses an event with status 413'
	logged '1 events sent, 1 dropped'
}

@test "who writes the log never waits, though Sentry is away" {
	echo "http://$KEY@127.0.0.1:1/42" >dsn
	for i in $(seq 1 300); do
		line error "push-$(printf '%x' "$i" | tr 0-9 g-p)" 'no two programs are one group'
	done >log
	for _ in $(seq 1 200); do cat log; done >much # 8 MB
	begin=${EPOCHREALTIME/[^0-9]/}
	stage_file much push-sentry --dsn-file dsn --drain 0
	[ "$status" -eq 0 ]
	[ $((${EPOCHREALTIME/[^0-9]/} - begin)) -lt $((10000000 * PUSH_TEST_SLOW)) ]
	grep -Eq '0 events sent, [0-9]{3,} dropped' "$stderr_file"
}

@test "it comes back when Sentry does" {
	sentry_up
	server_stop sentry
	start_unready -p sentry push-sentry --dsn-file dsn
	feed sentry "$(line error push-a one)
"
	away() { grep -q 'Sentry does not answer' sentry.err; }
	wait_until 10 away
	server_start sentry python3 -c '
import sys
sys.argv = sys.argv[1:]
port = int(open(sys.argv[1]).read())
source = open(sys.argv[0]).read().replace("(\"127.0.0.1\", 0)", "(\"127.0.0.1\", %d)" % port)
exec(compile(source, sys.argv[0], "exec"))' "$ROOT/test/sentry.py" "$PWD/port" "$PWD/events" "$PWD/answers"
	wait_for 1 events 30
	stop sentry
	logged '1 events sent, 0 dropped'
}

@test "a line that is too long or cut off, and the end of input" {
	sentry_up
	{
		printf '{"level":"error","program":"push-a","text":"%0100000d"}\n' 0
		line error push-b two
		printf '%s' "$(line error push-c three)"
	} >log
	stage_file log push-sentry --dsn-file dsn
	[ "$status" -eq 0 ]
	has_in events 'map(.logger) == ["push-b", "push-c"]'
}

@test "a wrong DSN is a usage failure that does not repeat it" {
	for dsn in '' nonsense 'ftp://k@h/1' 'https://h/1' 'https://secretkey@h/name' 'https://secretkey@h'; do
		echo "$dsn" >dsn
		stage '' push-sentry --dsn-file dsn
		[ "$status" -eq 100 ]
		logged 'the DSN wants the form'
		[[ $stderr != *secretkey* ]]
	done
	stage '' push-sentry
	[ "$status" -eq 100 ]
	logged '--dsn-file is missing'
	stage '' push-sentry --dsn-file nowhere
	[ "$status" -ne 0 ]
	echo "http://$KEY@h/1" >dsn
	stage '' push-sentry --dsn-file dsn --level info
	[ "$status" -eq 100 ]
}

@test "push.conf may say it all" {
	sentry_up
	mkdir conf
	mv dsn conf/
	echo '{"sentry":{"dsn_file":"dsn","environment":"prod","level":"error","every":"1h"}}' >conf/push.conf
	{
		line warn push-a one
		line error push-b two
	} >log
	stage_file log push-sentry --config conf/push.conf
	has_in events 'length == 1 and .[0].environment == "prod"'
}
