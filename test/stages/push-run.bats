# push-run: chains of small programs made here, so that each can be seen and hurt;
# the last tests run real ones.
# shellcheck disable=SC2016 # what is in quotes is Perl's
load ../helper.bash

setup() {
	# A source: counts until TERM, then says in the file `written' how far it came.
	program push-count <<'END'
$SIG{TERM} = sub { $stop = 1 };
$SIG{HUP} = sub { note('hups', $$) };
ready();
while (!$stop) {
	syswrite(STDOUT, sprintf("{\"n\":%d}\n", ++$n)) or exit 111;
	select(undef, undef, undef, 0.002);
}
note('written', $n);
END
	# A filter: passes on what it reads.
	program push-copy <<'END'
while (sysread(STDIN, $_, 4096)) { syswrite(STDOUT, $_) or exit 111 }
END
	# A sink: keeps what it reads.
	program push-keep <<'END'
open(my $out, '>>', 'kept');
while (sysread(STDIN, $_, 4096)) { syswrite($out, $_) }
END
}

# Makes a Perl program that leaves its pid in pids.NAME and then does what is on
# standard input.  It says "ready" first, or where that calls ready().
program() {
	local body
	body=$(cat)
	{
		cat <<'END'
#!/usr/bin/perl
use POSIX;
sub note { open(my $f, '>>', $_[0]); print $f "$_[1]\n" }
sub ready { POSIX::write($1, "\n", 1), POSIX::close($1) if "@ARGV" =~ /--ready-fd (\d+)/ }
($name = $0) =~ s{.*/}{};
note("pids.$name", $$);
note("args.$name", "@ARGV");
$SIG{PIPE} = 'IGNORE';
END
		[[ $body == *'ready();'* ]] || echo 'ready();'
		echo "$body"
	} >"$1"
	chmod +x "$1"
}

# Writes push.conf with this chain; each argument is an element.
chain() {
	local element list=''
	for element; do
		[[ $element == '{'* ]] || element="\"$element\""
		list+=${list:+,}$element
	done
	printf '{"run":{"drain":"20s","chain":[%s]}}' "$list" >push.conf
}

pid_in() { # NAME: of its newest life
	tail -n 1 "pids.$1"
}

has_lives() { # NAME COUNT
	has_lines "$2" "pids.$1"
}

all_gone() {
	local all pid
	mapfile -t all < <(cat pids.*)
	for pid in "${all[@]}"; do
		! kill -0 "$pid" 2>/dev/null || return 1
	done
}

has_grown() { # FILE LINES-BEFORE
	[ "$(wc -l <"$1")" -gt "$2" ]
}

is_contiguous() { # FILE LAST
	[ "$(wc -l <"$1")" -eq "$2" ]
	jq -es --argjson last "$2" '[.[].n] == [range(1; $last + 1)]' "$1" >/dev/null
}

# --- how a chain ends -------------------------------------------------------------

@test "records flow from standard input to standard output until the input ends" {
	chain cat ./push-copy '{"program":"tee","args":["copy"]}'
	stage $'{"n":1}\n{"n":2}\n' push-run -c push.conf
	[ "$status" -eq 0 ]
	has 'map(.n) == [1, 2]'
	cmp copy "$output_file"
	[ "$(<args.push-copy)" = '--ready-fd 3 -c push.conf' ]
}

@test "TERM ends the source, and everything it wrote arrives" {
	chain ./push-count ./push-copy '{"program":"./push-copy","args":["--node","second"]}' ./push-keep
	start run push-run -c push.conf
	wait_for 50 kept
	stop run
	[ "$status" -eq 0 ]
	is_contiguous kept "$(<written)"
	all_gone
}

@test "INT does the same" {
	chain ./push-count ./push-keep
	start run push-run -c push.conf
	wait_for 5 kept
	kill -INT "$(pid_of run)"
	wait_exit run 20
	[ "$status" -eq 0 ]
	is_contiguous kept "$(<written)"
}

@test "a program that does not end is told so after the drain, then killed" {
	program push-deaf <<<'$SIG{TERM} = "IGNORE"; ready(); select(undef, undef, undef, 1) while 1;'
	chain ./push-count ./push-deaf
	start run push-run -c push.conf --drain 100ms
	stop run 20
	[ "$status" -eq 0 ]
	logged 'takes too long'
	logged 'push-deaf'
	logged 'was killed by signal 9'
	all_gone
}

@test "a second TERM does not wait for the drain" {
	program push-slow <<<'select(undef, undef, undef, 1) while 1;'
	chain ./push-count ./push-slow
	start run push-run -c push.conf --drain 1h
	kill -TERM "$(pid_of run)"
	wait_for 1 written
	stop run 20
	[ "$status" -eq 0 ]
	all_gone
}

@test "a source that ends by itself ends the chain with 0" {
	program push-once <<<'print "{\"n\":$_}\n" for 1 .. 3;'
	chain ./push-once ./push-copy ./push-keep
	stage '' push-run -c push.conf
	[ "$status" -eq 0 ]
	is_contiguous kept 3
}

@test "a source that takes its time to end after its output has ended is no failure" {
	program push-once <<<'syswrite(STDOUT, "{}\n"); close(STDOUT); POSIX::close(1); select(undef, undef, undef, 0.5)'
	chain ./push-once ./push-copy '{"program":"push-stats","args":["--report","--format","json"]}'
	stage '' push-run -c push.conf
	[ "$status" -eq 0 ]
	has 'length == 1 and .[0].records == 1'
	[ "$(wc -l <pids.push-copy)" -eq 1 ]
}

@test "a filter that ends before its input does is a failure" {
	program push-lazy <<<'sysread(STDIN, $_, 1)'
	chain ./push-count ./push-lazy ./push-keep
	start_unready run push-run -c push.conf
	wait_until 20 has_lives push-lazy 2
	stop run
	[ "$status" -eq 0 ]
	logged 'push-lazy'
	logged 'ended with status 0'
}

@test "a failure while the chain finishes makes the status 111" {
	program push-once <<<'print "{}\n";'
	program push-late <<<'1 while <STDIN>; exit 3;'
	chain ./push-once ./push-late
	stage '' push-run -c push.conf
	[ "$status" -eq 111 ]
	logged 'ended with status 3'
}

# --- deaths -----------------------------------------------------------------------

@test "a chain is started again when a program is killed, and no process is left over" {
	chain ./push-count ./push-copy ./push-keep
	start run push-run -c push.conf
	wait_for 5 kept
	for victim in push-copy push-count push-keep; do
		lives=$(wc -l <"pids.$victim")
		kill -KILL "$(pid_in $victim)"
		for name in push-count push-copy push-keep; do
			wait_until 20 has_lives $name $((lives + 1))
		done
		[ "$(cat pids.* | sort -u | wc -l)" -eq $((3 * (lives + 1))) ]
		before=$(wc -l <kept)
		wait_until 20 has_grown kept "$before"
	done
	stop run
	[ "$status" -eq 0 ]
	all_gone
	logged 'push-copy'
	logged 'was killed by signal 9'
	logged 'starting the chain again in 100 ms'
	logged 'starting the chain again in 200 ms'
}

@test "what is behind a dead program finishes what it has" {
	program push-block <<<'open(F, ">>", "arrived"); while (<STDIN>) { syswrite(F, $_); if ($. == 1) { select(undef, undef, undef, 0.02) until -e "go" } }'
	program push-three <<'END'
if (-e 'second') { 1 while <STDIN> } else {
	note('second', 1);
	syswrite(STDOUT, "{\"n\":$_}\n") for 1 .. 3;
	note('sent', 1);
	select(undef, undef, undef, 1) while 1;
}
END
	chain ./push-count ./push-three ./push-block
	start_unready run push-run -c push.conf
	wait_for 1 sent
	kill -KILL "$(pid_in push-three)"
	wait_until 20 has_ended "$(pid_in push-count)"
	touch go
	wait_until 20 has_lives push-three 2
	stop run
	is_contiguous arrived 3
}

@test "status 100 of a program ends push-run with 100" {
	program push-wrong <<<'exit 100;'
	chain ./push-count ./push-wrong
	stage '' push-run -c push.conf
	[ "$status" -eq 100 ]
	logged 'ended with status 100'
	[ "$(wc -l <pids.push-wrong)" -eq 1 ]
	all_gone
}

@test "a program that keeps failing is started ever more slowly, and TERM ends the waiting" {
	program push-failing <<<'exit 111;'
	chain ./push-failing ./push-keep
	start_unready run push-run -c push.conf
	wait_until 20 has_lives push-failing 4
	stop run
	[ "$status" -eq 0 ]
	for ms in 100 200 400; do
		logged "starting the chain again in $ms ms"
	done
}

@test "when push-run is killed all its programs are, also one that does not listen" {
	program push-deaf <<<'$SIG{TERM} = "IGNORE"; ready(); while (1) { sysread(STDIN, $_, 4096) ? syswrite(STDOUT, $_) : select(undef, undef, undef, 1) }'
	chain ./push-count ./push-deaf ./push-keep
	start run push-run -c push.conf
	wait_for 5 kept
	kill -STOP "$(pid_in push-count)"
	kill_hard run
	wait_until 20 all_gone
	[ ! -e written ]
}

@test "a collector that dies is started again alone and the chain goes on" {
	chain ./push-count ./push-keep-all "{\"program\":\"push-stats\",\"args\":[\"--listen\",\"127.0.0.1:0\",\"--ports-file\",\"$PWD/ports\"]}"
	program push-keep-all <<'END'
open(my $out, '>>', 'kept');
while (sysread(STDIN, $_, 4096)) { syswrite($out, $_); syswrite(STDOUT, $_) }
END
	start run push-run -c push.conf
	collector() { pgrep -P "$(pid_of run)" -x push-stats; }
	other_collector() { [ -n "$(collector)" ] && [ "$(collector)" != "$first" ] && [ -s ports ]; }
	first=$(collector)
	rm ports
	kill -KILL "$first"
	wait_until 20 other_collector
	counts() { [ "$(curl -s "http://127.0.0.1:$(cut -d' ' -f2 ports)/api/stats" | jq .records)" -gt 10 ]; }
	wait_until 20 counts
	[ "$(wc -l <pids.push-count)" -eq 1 ]
	stop run
	[ "$status" -eq 0 ]
	is_contiguous kept "$(<written)"
	logged 'the chain goes on'
}

# --- lanes ----------------------------------------------------------------------------

# Two lanes of small programs; each source says which lane it is in.
lanes() { # [MEMBER]
	program push-pop <<'END'
($lane) = "@ARGV" =~ /--worker \S*?(\w+) /;
$SIG{TERM} = sub { $stop = 1 };
note("pids.$lane", $$);
ready();
while (!$stop) {
	syswrite(STDOUT, sprintf("{\"lane\":\"$lane\",\"n\":%d}\n", ++$n)) or exit 111;
	select(undef, undef, undef, 0.002);
}
note("written.$lane", $n + 0);
END
	jq -n '{worker: "w", run: {drain: "20s", chain: ["./push-pop", "./push-copy", "./push-keep"],
		lanes: {otp: {queues: ["push:high"], window: 7}, bulk: {queues: ["push:normal", "push:low"], window: 70}}}}
		* '"${1:-{\}}" >push.conf
}

@test "each lane is a chain of its own, with its own queues, worker and window" {
	lanes '{run: {lanes: {third: {worker: "mine", window: 1}}}}'
	start run push-run -c push.conf
	wait_until 20 has_lives push-pop 3
	grep -qx -- '--ready-fd 3 -c push.conf --queue push:high --worker w-otp --window 7' args.push-pop
	grep -qx -- '--ready-fd 3 -c push.conf --queue push:normal --queue push:low --worker w-bulk --window 70' args.push-pop
	grep -qx -- '--ready-fd 3 -c push.conf --worker mine --window 1' args.push-pop
	[ "$(wc -l <pids.push-keep)" -eq 3 ]
	stop run
	[ "$status" -eq 0 ]
	all_gone
	logged "the chain 'otp' is ready: 3 programs"
	# Of each lane everything arrived.
	for lane in otp bulk; do
		[ "$(grep -c "\"lane\":\"$lane\"" kept)" -eq "$(<written.$lane)" ]
	done
}

@test "a lane is started again alone" {
	lanes
	start run push-run -c push.conf
	wait_for 20 kept
	kill -KILL "$(pid_in otp)"
	wait_until 20 has_lives otp 2
	before=$(wc -l <kept)
	wait_until 20 has_grown kept "$before"
	stop run
	[ "$status" -eq 0 ]
	all_gone
	[ "$(wc -l <pids.bulk)" -eq 1 ]
	[ "$(grep -c '"lane":"bulk"' kept)" -eq "$(<written.bulk)" ]
	logged "starting the chain 'otp' again in 100 ms"
}

@test "a lane that cannot be used ends all of them with 100, in order" {
	lanes
	sed -i 's/^ready();/exit 100 if $lane eq "otp"; ready();/' push-pop
	stage '' push-run -c push.conf
	[ "$status" -eq 100 ]
	all_gone
	# The other one may have been ended before it began.
	[ ! -f written.bulk ] || [ "$(grep -c '"lane":"bulk"' kept)" -eq "$(<written.bulk)" ]
}

@test "no wait before a new start is longer than --restart" {
	program push-failing <<<'exit 111;'
	chain ./push-failing ./push-keep
	start_unready run push-run -c push.conf --restart 150ms
	wait_until 20 has_lives push-failing 4
	stop run
	[ "$status" -eq 0 ]
	logged 'starting the chain again in 100 ms'
	logged 'starting the chain again in 150 ms'
	run ! logged 'starting the chain again in 200 ms'
}

@test "lanes that cannot be are refused with 100" {
	while read -r conf; do
		echo "$conf" >push.conf
		stage '' push-run -c push.conf
		echo "$conf: $stderr"
		[ "$status" -eq 100 ]
		[[ $stderr == *run.lanes* ]]
	done <<'END'
{"run":{"lanes":{}}}
{"run":{"lanes":{"a":{"queue":["q"]}}}}
{"run":{"lanes":{"a":{}},"chain":["cat","push-ack"]}}
{"run":{"lanes":{"a b":{}},"chain":["push-pop","push-ack"]}}
{"run":{"lanes":{"a":{"worker":"w:1"}},"chain":["push-pop","push-ack"]}}
{"run":{"lanes":{"a":{}},"chain":["push-pop","cat","push-stats"]}}
END
	jq -n '{run: {lanes: ([range(17) | {key: "l\(.)", value: {}}] | from_entries)}}' >push.conf
	stage '' push-run -c push.conf
	[ "$status" -eq 100 ]
	logged 'run.lanes has more than 16'
}

# --- the rest of its promises -------------------------------------------------------

@test "ready is said when every program is ready, not before" {
	program push-lazy <<'END'
select(undef, undef, undef, 0.02) until -e 'wake';
ready();
1 while <STDIN>;
END
	chain ./push-count ./push-lazy ./push-keep
	start_unready run push-run -c push.conf --ready-fd 1
	wait_until 20 has_lives push-keep 1
	wait_until 20 has_lives push-lazy 1
	[ ! -s run.out ]
	touch wake
	wait_for 1 run.out
	stop run
	logged 'the chain is ready: 3 programs'
}

@test "HUP reaches the programs of ours" {
	program push-keep <<'END'
$SIG{HUP} = sub { note('hups', $$) };
ready();
open(my $out, '>>', 'kept');
while (1) { my $n = sysread(STDIN, $_, 4096); last if defined $n && !$n; syswrite($out, $_) if $n }
END
	chain ./push-count cat ./push-keep
	start run push-run -c push.conf
	kill -HUP "$(pid_of run)"
	wait_for 2 hups
	stop run
	[ "$status" -eq 0 ]
	run ! logged 'killed by signal'
}

@test "the collector's socket is made known and removed with its folder" {
	program push-show <<<'note("counters", $ENV{PUSH_COUNTERS}); 1 while <STDIN>;'
	chain ./push-count ./push-show push-stats
	mkdir tmp
	TMPDIR=$PWD/tmp start run push-run -c push.conf
	wait_for 1 counters
	[ -S "$(<counters)" ]
	[[ $(<counters) == $PWD/tmp/push-run.*/counters ]]
	stop run
	[ -z "$(ls tmp)" ]
	rm counters
	PUSH_COUNTERS=$PWD/mine start run push-run -c push.conf
	wait_for 1 counters
	[ "$(<counters)" = "$PWD/mine" ]
	stop run
}

@test "what cannot be a chain is refused with 100" {
	while read -r conf; do
		echo "$conf" >push.conf
		stage '' push-run -c push.conf
		echo "$conf: $stderr"
		[ "$status" -eq 100 ]
	done <<'END'
{"run":{"chain":[]}}
{"run":{"chain":["no-such-program"]}}
{"run":{"chain":["./no-such-program"]}}
{"run":{"chain":[1]}}
{"run":{"chain":[{}]}}
{"run":{"chain":[{"program":"cat","arguments":[]}]}}
{"run":{"chain":[{"program":"cat","args":[1]}]}}
{"run":{"chain":"push-pop"}}
END
	stage '' push-run -c no-such-file
	[ "$status" -eq 100 ]
	stage '' push-run --log-format xml
	[ "$status" -eq 100 ]
	stage '' push-run --ready-fd 77
	[ "$status" -eq 100 ]
}

@test "programs are looked for beside push-run, then in PATH" {
	mkdir there
	program there/push-elsewhere <<<'1 while <STDIN>;'
	chain cat push-elsewhere
	PATH=$PWD/there:$PATH stage '' push-run -c push.conf
	[ "$status" -eq 0 ]
	[ ! -e was-beside ]
	mkdir beside
	ln "$PUSH_BIN/push-run" beside/ 2>/dev/null || cp "$PUSH_BIN/push-run" beside/
	program beside/push-elsewhere <<<'note("was-beside", 1); 1 while <STDIN>;'
	PATH=$PWD/there:$PATH stage '' beside/push-run -c push.conf
	[ "$status" -eq 0 ]
	[ -e was-beside ]
	[ "$(wc -l <pids.push-elsewhere)" -eq 2 ]
}

@test "the log is NDJSON or text, and more of it with --verbose" {
	chain cat
	stage '' push-run --config push.conf --verbose --log-format json
	jq -es 'any(.text | test("started"))' "$stderr_file"
	stage '' push-run -c push.conf --log-format text
	run ! logged started
}

@test "help and version are told without starting anything" {
	chain ./push-count
	for option in --help --version; do
		stage '' push-run -c push.conf $option
		[ "$status" -eq 0 ]
		[[ $output == 'push-run '* ]]
	done
	[ ! -e pids.push-count ]
}
