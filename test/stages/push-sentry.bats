# push-sentry against push-mock's strict Sentry: what is reported, how often, and what
# happens when Sentry is slow, away or wants nothing.
load ../helper.bash

KEY=0123456789abcdef0123456789abcdef

setup_file() {
	mock_up --received-body
}

setup() {
	mock_control '{}'
	: >"$MOCK_RECEIVED"
	echo "https://$KEY@127.0.0.1:$MOCK_SENTRY_PORT/42" >dsn
	CA=(--ca-file "$MOCK_KEYS/ca.pem")
}

# What Sentry got, whatever it answered: one event a line, in `events'.
events() {
	jq -c '.status as $status | .reason as $reason | .body | split("\n")[2] | fromjson
		| . + {answered: $status, why: $reason}' "$MOCK_RECEIVED" >events
}

are() { # N: so many events have come
	events && [ "$(wc -l <events)" -ge "$1" ]
}

line() { # LEVEL PROGRAM TEXT
	printf '{"time_ms":1763627000123,"level":"%s","program":"%s","node":"%s","pid":7,"text":"%s"}\n' \
		"$1" "$2" "${2#push-}" "$3"
}

@test "an error and a warning are reported, everything else is not" {
	{
		line error push-apns 'connection to host 10.0.0.1 lost'
		line warn push-pop 'Redis is slow'
		line info push-pop 'ready'
		line error push-run 'fatal: cannot open \"x\"'
		echo 'plain text: error'
		echo '[1]'
		echo '{"level":"error"}'
	} >log
	stage_file log push-sentry --dsn-file dsn "${CA[@]}" --environment staging
	[ "$status" -eq 0 ]
	logged '3 events sent, 0 dropped'
	events
	has_in events 'map(.level) == ["error", "warning", "fatal"]'
	has_in events '.[0] | .logger == "push-apns" and .tags == {"program":"push-apns","node":"apns"}
		and .logentry.formatted == "connection to host 10.0.0.1 lost"
		and .exception.values == [{type: "push-apns", value: "connection to host 10.0.0.1 lost"}] and .environment == "staging"
		and .timestamp == 1763627000.123 and .extra.more_like_this == 0
		and (.release | startswith("pushpipe@"))'
	has_in events 'map(.event_id) | length == (unique | length)'
	stage_file log push-sentry --dsn-file dsn "${CA[@]}" --level error
	logged '2 events sent, 0 dropped'
}

@test "a storm is one event, and what varies does not make another one" {
	for i in $(seq 1 500); do
		line error push-apns "record 'order-$i' of 10.0.0.$i: stream 77$i lost"
		line error push-fcm "record 'order-$i' of 10.0.0.$i: stream 77$i lost"
	done >log
	stage_file log push-sentry --dsn-file dsn "${CA[@]}"
	events
	has_in events 'map(.logger) == ["push-apns", "push-fcm"]'
	has_in events 'map(.fingerprint) | .[0] != .[1]'
	# After --every, the next one tells how many it stands for.
	: >"$MOCK_RECEIVED"
	start_unready -p sentry push-sentry --dsn-file dsn "${CA[@]}" --every 300ms
	feed sentry "$(<log)
"
	wait_until 20 are 2
	later() { feed sentry "$(line error push-apns "record 'x' of 10.0.0.9: stream 1 lost")
" && events && [ "$(jq -s 'map(select(.logger == "push-apns")) | length' events)" -ge 2 ]; }
	wait_until 20 later
	has_in events 'map(select(.logger == "push-apns")) | .[1].extra.more_like_this >= 499 and .[0].fingerprint == .[1].fingerprint'
	stop sentry
	[ "$status" -eq 0 ]
}

@test "a limit is honoured: with 200" {
	mock_control '{"sentry":{"rate_limits":"3600:error;transaction:key"}}'
	start_unready -p sentry push-sentry --dsn-file dsn "${CA[@]}"
	feed sentry "$(line error push-a one)
"
	held() { grep -q 'wants nothing for 3600 s' sentry.err; }
	wait_until 20 held
	feed sentry "$(line error push-b two; line error push-c three)
"
	feed_end sentry
	wait_exit sentry 20
	logged '1 events sent, 2 dropped'
	events
	has_in events 'map(.answered) == [200]'
}

@test "a limit is honoured: with 429" {
	start_unready -p sentry push-sentry --dsn-file dsn "${CA[@]}"
	feed sentry "$(line error push-a one)
"
	wait_until 20 are 1
	mock_control '{"sentry":{"error":{"status":429,"retry_after_s":1800}}}'
	feed sentry "$(line error push-b two)
"
	held() { grep -q 'wants nothing for 1800 s' sentry.err; }
	wait_until 20 held
	feed sentry "$(line error push-c three)
"
	feed_end sentry
	wait_exit sentry 20
	logged '1 events sent, 2 dropped'
	events
	has_in events 'map(.answered) == [200, 429]'
}

@test "a limit of other categories changes nothing" {
	mock_control '{"sentry":{"rate_limits":"3600:transaction:key, 2700:session;attachment:key"}}'
	{
		line error push-a one
		line error push-b two
	} >log
	stage_file log push-sentry --dsn-file dsn "${CA[@]}"
	logged '2 events sent, 0 dropped'
}

@test "a refusal drops that event only" {
	mock_control '{"sentry":{"error":{"status":413,"times":1}}}'
	{
		line error push-a one
		line error push-b two
	} >log
	stage_file log push-sentry --dsn-file dsn "${CA[@]}"
	logged 'refuses an event with status 413'
	logged '1 events sent, 1 dropped'
}

@test "a DSN of somebody else is refused" {
	echo "https://ffff456789abcdef0123456789abcdef@127.0.0.1:$MOCK_SENTRY_PORT/42" >dsn
	stage "$(line error push-a one)
" push-sentry --dsn-file dsn "${CA[@]}"
	logged 'refuses an event with status 403'
	logged '0 events sent, 1 dropped'
	echo "https://$KEY@127.0.0.1:$MOCK_SENTRY_PORT/43" >dsn
	stage "$(line error push-a one)
" push-sentry --dsn-file dsn "${CA[@]}"
	logged 'refuses an event with status 404'
}

@test "a server whose certificate nobody vouches for gets nothing" {
	stage "$(line error push-a one)
" push-sentry --dsn-file dsn --drain 1s
	[ "$status" -eq 0 ]
	logged 'Sentry does not answer'
	logged '0 events sent, 1 dropped'
	[ ! -s "$MOCK_RECEIVED" ]
	stage "$(line error push-a one)
" push-sentry --dsn-file dsn --drain 1s --ca-file nowhere.pem
	logged 'Sentry does not answer'
	[ ! -s "$MOCK_RECEIVED" ]
}

@test "a DSN with http and a path" {
	python3 - port request 3>&- 4>&- <<-'END' &
		import os, socket, sys
		with socket.create_server(("127.0.0.1", 0)) as server:
		    with open("port.new", "w") as out:
		        print(server.getsockname()[1], file=out)
		    os.rename("port.new", sys.argv[1])
		    client, _ = server.accept()
		    got = b""
		    while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < int(
		            got.lower().split(b"content-length: ", 1)[1].split(b"\r\n")[0]):
		        got += client.recv(65536)
		    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		    client.close()
		    open(sys.argv[2], "wb").write(got)
	END
	local server=$!
	wait_until 20 test -s port
	echo "http://$KEY@127.0.0.1:$(<port)/sentry/42" >dsn
	stage "$(line error push-a one)
" push-sentry --dsn-file dsn
	logged '1 events sent, 0 dropped'
	wait "$server"
	grep -q '^POST /sentry/api/42/envelope/ HTTP/1.1' request
	grep -q "^X-Sentry-Auth: Sentry sentry_version=7, sentry_client=push-sentry/[0-9.]*[a-z0-9.-]*, sentry_key=$KEY" request
}

@test "who writes the log never waits, though Sentry is away" {
	echo "http://$KEY@127.0.0.1:1/42" >dsn
	for i in $(seq 1 300); do
		line error "push-$(printf '%x' "$i" | tr 0-9 g-p)" 'no two programs are one group'
	done >log
	for _ in $(seq 1 200); do cat log; done >much # 8 MB
	stage_file much push-sentry --dsn-file dsn "${CA[@]}" --drain 0
	[ "$status" -eq 0 ]
	grep -Eq '0 events sent, [0-9]{3,} dropped' "$stderr_file"
}

@test "it comes back when Sentry does" {
	mock_control '{"sentry":{"down":true}}'
	start_unready -p sentry push-sentry --dsn-file dsn "${CA[@]}"
	feed sentry "$(line error push-a one)
"
	away() { grep -q 'Sentry does not answer' sentry.err; }
	wait_until 20 away
	mock_control '{}'
	wait_until 30 are 1
	stop sentry
	logged '1 events sent, 0 dropped'
}

@test "a line that is too long or cut off, and the end of input" {
	{
		printf '{"level":"error","program":"push-a","text":"%0100000d"}\n' 0
		line error push-b two
		printf '%s' "$(line error push-c three)"
	} >log
	stage_file log push-sentry --dsn-file dsn "${CA[@]}"
	[ "$status" -eq 0 ]
	events
	has_in events 'map(.logger) == ["push-b", "push-c"]'
}

@test "an input that cannot be read, or is not there, is told" {
	without() { push-sentry --dsn-file dsn <&-; }
	stage '' without
	[ "$status" -eq 111 ]
	logged 'cannot read the standard input'
	without() { push-sentry --dsn-file dsn <.; }
	stage '' without
	[ "$status" -eq 111 ]
	logged 'cannot read the standard input'
}

@test "a text of any length makes an event, cut to what Sentry keeps" {
	stage "$(line error push-a "$(printf '%060000d' 0)")
" push-sentry --dsn-file dsn "${CA[@]}"
	logged '1 events sent, 0 dropped'
	events
	has_in events 'map(.logentry.formatted | length) == [8000]'
}

@test "a wrong DSN is a usage failure that does not repeat it" {
	for dsn in '' nonsense 'ftp://k@h/1' 'https://h/1' 'https://secretkey@h/name' 'https://secretkey@h'; do
		echo "$dsn" >dsn
		stage '' push-sentry --dsn-file dsn "${CA[@]}"
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
	stage '' push-sentry --dsn-file dsn "${CA[@]}" --level info
	[ "$status" -eq 100 ]
}

@test "push.conf may say it all" {
	mkdir conf
	mv dsn conf/
	cp "$MOCK_KEYS/ca.pem" conf/
	echo '{"sentry":{"dsn_file":"dsn","ca_file":"ca.pem","environment":"prod","level":"error","every":"1h"}}' >conf/push.conf
	{
		line warn push-a one
		line error push-b two
	} >log
	stage_file log push-sentry -c conf/push.conf
	events
	has_in events 'length == 1 and .[0].environment == "prod"'
}
