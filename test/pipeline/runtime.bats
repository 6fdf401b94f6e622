# What every stage owes, shown on push-risk, the simplest of them.
load ../helper.bash

task() { # ID [MEMBERS]
	printf '{"id":"%s"%s}\n' "$1" "${2:-}"
}

is_waiting() { # PID
	[ "$(awk '{ print $3 }' "/proc/$1/stat")" = S ]
}

@test "a bare task leaves with time, uid and the stamp of the node" {
	stage "$(task a)" push-risk
	[ "$status" -eq 0 ]
	has 'length == 1 and .[0].id == "a"'
	has '.[0].trace | keys_unsorted == ["t0_us", "uid", "risk"]'
	has '.[0].trace | .risk[0] == 0 and .risk[1] >= 0 and (.t0_us | now * 1e6 - . | . > 0 and . < 6e7)'
}

@test "two lines with equal content are two tasks" {
	stage "$(task a; task a)" push-risk
	has 'map(.trace.uid) | unique | length == 2'
}

@test "bad lines are kept as rejected records, in order, and the status is 0" {
	printf '%s\n' '{"id":"first"}' 'garbage' '[1,2]' '' '{"id":7}' '{"id":"cut' >in
	printf '\xc3\x28\n{"id":"last"}' >>in
	stage_file in push-risk
	[ "$status" -eq 0 ]
	has 'map(.trace.reason) == [null, "malformed", "malformed", "bad-member", "malformed", "malformed", null]'
	has '.[1].raw == "garbage" and .[2].raw == "[1,2]" and .[4].raw == "{\"id\":\"cut"'
	has '.[5].raw_base64 == "wyg=" and .[6].id == "last"'
	has 'map(select(.trace.reason)) | all(.trace.outcome == "rejected")'
}

@test "an unterminated last line counts only if it parses" {
	stage '{"id":"whole"}' push-risk
	has '.[0].id == "whole" and .[0].trace.outcome == null'
	stage '{"id":"cut"' push-risk
	has '.[0].raw == "{\"id\":\"cut\"" and .[0].trace.reason == "malformed"'
}

@test "a line over the maximum keeps its beginning, and the next one is whole" {
	{
		printf '{"id":"%s"}\n' "$(head -c 300000 /dev/zero | tr '\0' x)"
		task after
	} >in
	stage_file in push-risk
	[ "$status" -eq 0 ]
	has 'length == 2 and .[0].trace.reason == "too-large" and .[0].raw_bytes == 300009'
	has '(.[0].raw | length) == 8192 and .[1].id == "after"'
	stage "$(task a ',"x":"0123456789"')" push-risk --max-line 20
	has '.[0].trace.reason == "too-large"'
	stage "$(task a ',"x":"0123456789"')" push-risk --max-line 30
	has '.[0].trace.reason == null'
}

@test "a rejected line passes all later stages untouched" {
	head -c 60000 /dev/urandom | tr -d '\n' >in
	push-risk <in >once
	push-risk --node again <once >twice
	cmp once twice
	[ "$(jq -r .trace.reason <twice)" = malformed ]
	jq -j .raw_base64 <twice | base64 -d | cmp - in
}

@test "a decided record passes untouched, byte for byte" {
	local line='{"n": 1.0, "trace":{"t0_us":1,"uid":"u","x":[1,2],"outcome":"failed","reason":"token-dead"}}'
	stage "$line"$'\n' push-risk --blocked-user a
	[ "$(<"$output_file")" = "$line" ]
}

@test "other bytes stay as they came" {
	local line='{"big":18446744073709551615,"one":1.0,"esc":"\/\u4f60","deep":[[{"}":"]"}]]'
	stage "$line}"$'\n' push-risk
	[[ $(<"$output_file") == "$line,\"trace\":{"* ]]
}

@test "an expired record is decided before the stage sees it" {
	stage "$(task a ',"expires_ms":1,"user":"bad"')" push-risk --blocked-user bad
	has '.[0].trace | .outcome == "suppressed" and .reason == "expired"'
}

@test "--drop-decided writes undecided records only" {
	stage "$(task a ',"user":"bad"'; task b; echo x)" push-risk --blocked-user bad --drop-decided
	has 'map(.id) == ["b"]'
}

@test "--node names the stamp; a wrong name is refused" {
	stage "$(task a)" push-risk --node risk-2
	has '.[0].trace["risk-2"] | length == 2'
	stage '' push-risk --node 'no good'
	[ "$status" -eq 100 ]
	logged "--node wants"
	stage '' push-risk --node outcome
	[ "$status" -eq 100 ]
}

@test "a stage used twice leaves one stamp" {
	push-risk <<<'{"id":"a"}' | push-risk >out
	has_in out '.[0].trace | keys_unsorted == ["t0_us", "uid", "risk"]'
	grep -o '"risk"' out | wc -l | grep -qx 1
}

@test "wrong options end with 100 and say what was wanted" {
	stage '' push-risk --max-line many
	[ "$status" -eq 100 ]
	logged "--max-line wants a size such as 64K, not 'many'"
	stage '' push-risk --drain 5
	[ "$status" -eq 100 ]
	logged "--drain wants a duration such as 30s"
	stage '' push-risk operand
	[ "$status" -eq 100 ]
	logged "unexpected argument 'operand'"
	stage '' push-risk --in tcp:1
	[ "$status" -eq 100 ]
	logged "--in wants - or unix:PATH"
	stage '' push-risk -c nowhere.conf
	[ "$status" -eq 100 ]
	logged "cannot read 'nowhere.conf'"
	stage '' push-risk --log-format xml
	[ "$status" -eq 100 ]
}

@test "a wrong configuration is refused with path and nearest name" {
	echo '{"risk": {"blocked_user": ["a"]}}' >push.conf
	stage '' push-risk -c push.conf
	[ "$status" -eq 100 ]
	logged "unknown member 'risk.blocked_user'; did you mean 'blocked_users'?"
	printf '{\n"risk": {\n' >push.conf
	stage '' push-risk -c push.conf
	[ "$status" -eq 100 ]
	logged "configuration 'push.conf': line"
}

@test "relative files of the configuration start at its folder, those of the command line here" {
	mkdir etc
	echo '{"counters":"counters.sock","ack":{"results":"results"}}' >etc/push.conf
	start stats push-stats -c etc/push.conf --listen 127.0.0.1:0
	[ -S etc/counters.sock ]
	stop stats
	stage '{"id":"1"}' push-ack -c etc/push.conf
	[ "$status" -eq 0 ]
	[ -s etc/results ]
	stage '{"id":"1"}' push-ack -c etc/push.conf --results here
	[ -s here ]
	[ "$(wc -l <etc/results)" -eq 1 ]
}

@test "the configuration comes from PUSH_CONFIG" {
	echo '{"risk": {"blocked_users": ["bad"]}}' >push.conf
	export PUSH_CONFIG=$PWD/push.conf
	stage "$(task a ',"user":"bad"')" push-risk
	has '.[0].trace.reason == "risk-user"'
}

@test "many writers on a Unix socket, whole lines, and TERM ends it with 0" {
	local i
	start -o got risk push-risk --in unix:"$PWD/in.sock"
	[ "$(stat -c %a in.sock)" = 660 ]
	for i in 1 2 3 4; do
		seq -f "{\"id\":\"$i-%g\"}" 2000 | push-risk --node feeder --out unix:"$PWD/in.sock" 3>&- &
	done
	wait_for 8000 got
	stop risk
	[ "$status" -eq 0 ]
	[ ! -e in.sock ]
	has_in got 'length == 8000 and (map(.id) | unique | length) == 8000'
}

@test "a stale socket is replaced, a living one is not" {
	start one push-risk --in unix:"$PWD/in.sock"
	stage '' push-risk --in unix:"$PWD/in.sock"
	[ "$status" -eq 100 ]
	logged "another program listens"
	kill_hard one
	[ -S in.sock ]
	start two push-risk --in unix:"$PWD/in.sock"
}

@test "a writer waits for its reader and sends what the reader had not" {
	start -p -o /dev/null writer push-risk --node w --out unix:"$PWD/in.sock"
	feed writer "$(task a)"$'\n'
	start -o got reader push-risk --in unix:"$PWD/in.sock"
	wait_for 1 got
	stop reader
	start -o got2 reader2 push-risk --in unix:"$PWD/in.sock"
	feed writer "$(task b)"$'\n'
	wait_for 1 got2
	has_in got2 '.[0].id == "b"'
	feed_end writer
	wait_exit writer 10
	[ "$status" -eq 0 ]
}

@test "TERM finishes what was read whole and exits 0" {
	start -p risk push-risk
	feed risk "$(task a)"$'\n'"$(task b)"$'\n{"id":'
	wait_for 2 risk.out
	stop risk
	[ "$status" -eq 0 ]
	has_in risk.out 'map(.id) == ["a", "b"]'
}

@test "a reader that goes away is a temporary failure" {
	start -p -o >(head -n 1 >got) risk push-risk
	feed risk "$(task a)"$'\n'
	wait_for 1 got
	# It may be gone before the last of them is in its pipe.
	feed risk "$(seq -f '{"id":"%g"}' 100)"$'\n' || :
	wait_exit risk 10
	[ "$status" -eq 111 ]
	logged "cannot write the output"
}

@test "a full disk is told, not passed over" {
	[ -w /dev/full ] || skip "no /dev/full"
	full() { push-risk <<<'{"id":"a"}' >/dev/full; }
	stage '' full
	[ "$status" -eq 111 ]
}

# What a program opens gets the lowest number that is free: it must not be 1.
@test "a program that was started without standard output or input says so" {
	without() { push-dedupe --store lmdb:state <<<'{"id":"a"}' >&-; }
	stage '' without
	[ "$status" -eq 111 ]
	logged 'cannot write the output'
	without() { push-dedupe --store memory: <&-; }
	stage '' without
	[ "$status" -eq 111 ]
	logged 'cannot read the input'
	without() { push-dedupe --store lmdb:state2 <<<'nonsense' 2>&-; }
	stage '' without
	[ "$status" -eq 0 ]
	has '.[0].trace.reason == "malformed"'
}

@test "lines of blanks are no records, whoever ended them" {
	stage $'\n\r\n{"id":"a"}\r\n \t\n{"id":"b"}\n  ' push-risk
	[ "$status" -eq 0 ]
	has 'map(.id) == ["a", "b"]'
	has 'all(.trace | has("reason") | not)'
}

@test "HUP takes a new configuration, and keeps the old one when it is wrong" {
	echo '{"risk": {"blocked_users": ["one"]}}' >push.conf
	start -p risk push-risk -c push.conf
	echo '{"risk": {"blocked_users": ["two"]}}' >push.conf
	kill -HUP "$(pid_of risk)"
	wait_until 5 grep -q 'configuration read again' risk.err
	feed risk "$(task a ',"user":"one"'; task b ',"user":"two"')"$'\n'
	wait_for 2 risk.out
	has_in risk.out 'map(.trace.reason) == [null, "risk-user"]'
	echo '{"risk": 7}' >push.conf
	kill -HUP "$(pid_of risk)"
	wait_until 5 grep -q "'risk' must be an object; keeping the old configuration" risk.err
	feed risk "$(task c ',"user":"two"')"$'\n'
	wait_for 3 risk.out
	has_in risk.out '.[2].trace.reason == "risk-user"'
}

@test "counters come by datagram, and a collector that is not there costs nothing" {
	stage "$(task a)" push-risk --counters "$PWD/nobody.sock"
	[ "$status" -eq 0 ]
	/usr/bin/python3 - <<-'PY' 3>&- &
		import socket, os
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind("stats.sock.new")
		os.rename("stats.sock.new", "stats.sock")
		s.settimeout(20)
		while True:
		    d = s.recv(65536).decode()
		    open("got", "a").write(d + "\n")
		    if '"in":3' in d:
		        break
	PY
	collector=$!
	wait_until 10 test -S stats.sock
	stage "$(task a; task b ',"user":"bad"'; echo x)" push-risk --blocked-user bad --counters stats.sock
	wait "$collector"
	has_in got 'last | .node == "risk" and .program == "push-risk" and .in == 3 and .out == 3 and .held == 0'
	has_in got 'last | .reasons == {"risk-user":1,"malformed":1} and .outcomes == {"suppressed":1,"rejected":1}'
	has_in got 'last | .pid > 1 and .lost_datagrams == 0'
}

@test "the log is JSON in a pipe, text on demand, and never has the payload" {
	stage '' push-risk --nope
	jq -e '.level == "error" and .program == "push-risk" and (.text | contains("--nope"))' <<<"$stderr"
	stage '' push-risk --log-format text --in tcp:1
	[[ $stderr == "push-risk: fatal: --in wants"* ]]
}

@test "replay gives the decisions of the captured day, whatever the clock" {
	push-risk --blocked-user bad >captured <<-'EOT'
		{"id":"a","user":"bad"}
		{"id":"b","user":"good","expires_ms":4102444800000}
		nonsense
	EOT
	stage_file captured push-risk --blocked-user bad --replay
	cmp captured "$output_file"
	# The clock is past the end of life, the captured moment is not.
	jq -c 'if .id == "b" then .expires_ms = (.trace.t0_us / 1000 | floor) + 1 else . end' captured >soon
	stage_file soon push-risk --blocked-user good --replay
	has 'map(.trace.reason) == [null, "risk-user", "malformed"]'
	stage_file soon push-risk --replay
	has 'map(.trace.reason) == [null, null, "malformed"]'
	cp "$output_file" first
	stage_file soon push-risk --replay
	cmp first "$output_file"
}

@test "memory stays bounded when the reader is slow" {
	mkfifo pipe
	yes "$(task a ',"x":"0123456789012345678901234567890123456789"')" | head -n 300000 >many
	start_unready -i many -o pipe risk push-risk
	exec {slow}<pipe
	head -c 1000 <&"$slow" >/dev/null
	# It has filled the pipe and waits: what it has read is its input's first part.
	wait_until 10 is_waiting "$(pid_of risk)"
	[ "$(awk '/VmHWM/ { print $2 }' "/proc/$(pid_of risk)/status")" -lt 16384 ]
	[ "$(cat <&"$slow" | wc -c)" -gt 20000000 ]
	exec {slow}<&-
	wait_exit risk 10
	[ "$status" -eq 0 ]
}
