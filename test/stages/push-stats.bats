# push-stats: the report against an independent count, the HTTP server against
# the format's grammar, live backlog from real datagrams.
load ../helper.bash

T0=1763627000000000

# One record of app shop: [OUTCOME REASON] TRACE-MEMBERS [TASK-MEMBERS]
record() {
	printf '{"app":"shop"%s,"trace":{"t0_us":%s%s,"outcome":"%s","reason":"%s"}}\n' \
		"${4:+,$4}" "$T0" "${3:+,$3}" "$1" "$2"
}

accepted() {
	record accepted ok "$@"
}

# Some thousand records of every kind that a chain lets out, the same each time.
many() { # COUNT
	awk -v count="$1" -v t0=1763627000 '
	function stamp(node, facts, least, most) {
		i_us = x + int(rand() * 32) - (rand() < 0.02 ? 5 : 0)
		x = i_us + least + int(rand() * (most - least))
		return sprintf(",\"%s\":[%d,%d%s]", node, i_us, x, facts == "" ? "" : "," facts)
	}
	function pick(list, n) { n = split(list, _p, " "); return _p[1 + int(rand() * n)] }
	BEGIN {
		srand(7)
		for (n = 0; n < count; n++) {
			us += 1 + int(rand() * 400)
			x = 0
			head = sprintf("{\"app\":\"%s\"", pick("shop news bank"))
			if (rand() < 0.5) head = head sprintf(",\"priority\":\"%s\"", pick("high normal low"))
			if (rand() < 0.3) head = head ",\"kind\":\"batch\""
			else if (rand() < 0.2) head = head ",\"topic\":\"all\""
			if (rand() < 0.3) head = head sprintf(",\"part\":{\"n\":%d,\"of\":4}", int(rand() * 4))
			if (rand() < 0.8) head = head sprintf(",\"created_ms\":%d%03d", \
				t0 - int(rand() * 5), int(rand() * 1000))
			t = stamp("pop", "{\"q\":\"push\",\"uid\":\"u" n "\",\"receipt\":\"w1:" n "\",\"attempt\":1}", 1, 50)
			t = t stamp("auth", "", 1, 50) stamp("risk", "", 1, 50) stamp("lookup", "", 1, 90)
			r = rand()
			if (r < 0.1) d = "suppressed fatigue-cap"
			else if (r < 0.2) {
				t = t stamp("apns", "", 500, 9000)
				d = pick("retry;vendor-unavailable failed;vendor-config suppressed;lease-lost")
				sub(";", " ", d)
			} else if (r < 0.6) {
				d = r < 0.55 ? "accepted ok" : "failed token-dead"
				t = t stamp("apns", r < 0.55 ? "{\"status\":200,\"answer\":\"ok\"}" : \
					"{\"status\":410,\"answer\":\"Unregistered\"}", 500, 90000)
			} else {
				d = r < 0.95 ? "accepted ok" : "retry throttled"
				t = t stamp("apns", "", 1, 9) stamp("fcm", r < 0.95 ? \
					"{\"status\":200,\"answer\":\"ok\"}" : \
					"{\"status\":429,\"answer\":\"QUOTA_EXCEEDED\"}", 500, 60000)
			}
			t = t stamp("ack", "", 5, 400)
			split(d, o, " ")
			printf "%s,\"trace\":{\"t0_us\":%d%06d%s,\"outcome\":\"%s\",\"reason\":\"%s\"}}\n", \
				head, t0 + int(us / 1000000), us % 1000000, t, o[1], o[2]
			if (n % 400 == 7) print "no record {"
		}
	}'
}

same_as_jq() { # RECORDS REPORT
	local said
	said=$(jq -nrR --slurpfile said "$2" -f "$ROOT/test/pipeline/stats-check.jq" "$1")
	echo "$said"
	[ -z "$said" ]
}

# Sends one report of a program to the socket, as the runtime does.
report() { # SOCKET NODE PID IN OUT HELD
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => shift) or die "$!";
		$s->send(shift) or die "$!"' "$1" "$(printf \
		'{"node":"%s","program":"push-%s","host":"h","pid":%d,"time_ms":%d,"in":%d,"out":%d,"held":%d,"dropped":0,"lost_datagrams":0,"outcomes":{}}' \
		"$2" "$2" "$3" "${SECOND:-5}000" "$4" "$5" "$6")"
}

serve() { # [OPTION...]
	start -p stats push-stats --listen 127.0.0.1:0 --ports-file "$PWD/ports" "$@"
	[[ $(<ports) == 'http '* ]]
	URL=http://127.0.0.1:$(cut -d' ' -f2 ports)
}

get() {
	curl -sS --fail --max-time 10 "$URL$1"
}

counts_to() { # N
	[ "$(get /api/stats | jq .records)" = "$1" ]
}

# --- the report ------------------------------------------------------------------

@test "a captured file gives the table of the page" {
	accepted '"pop":[0,5],"auth":[9,20],"apns":[30,2500,{"status":200,"answer":"ok"}],"ack":[2600,2700]' >captured.ndjson
	record rejected unauthorized '"pop":[0,5],"auth":[9,20],"ack":[30,40]' >>captured.ndjson
	stage_file captured.ndjson push-stats --report
	[ "$status" -eq 0 ]
	[[ $output == *'records 2   unreadable lines 0   untimed stamps 0   clamped differences 0'* ]]
	grep -Eq '^apns +1 +0\.010 +0\.010 +2\.470 ' "$output_file"
	grep -Eq '^rejected +unauthorized +1 +50\.00%$' "$output_file"
	grep -Eq '^apns +1 +1 +0 +100\.00% +100\.00%$' "$output_file"
	grep -Eq '^shop +2$' "$output_file"
	grep -Eq '^normal single +accepted +1 +2\.500 ' "$output_file"
}

@test "the numbers are those of an independent jq program" {
	many 1500 >captured.ndjson
	stage_file captured.ndjson push-stats --report --format json
	[ "$status" -eq 0 ]
	has 'length == 1 and .[0].records == 1500 and .[0].unreadable == 4 and .[0].clamped > 10'
	has '.[0].nodes | map(.node) == ["pop", "auth", "risk", "lookup", "apns", "fcm", "ack"]'
	same_as_jq captured.ndjson "$output_file"
}

@test "the jq program notices wrong numbers" {
	many 50 >captured.ndjson
	stage_file captured.ndjson push-stats --report --format json
	jq '.nodes[3].wait.sum_us += 1 | .vendors[0].records -= 1 | .nodes[4].backlog.max += 1
		| .end_to_end[0].p99_us *= 1.05' "$output_file" >wrong.json
	run same_as_jq captured.ndjson wrong.json
	[ "$status" -ne 0 ]
	[ "${#lines[@]}" -eq 4 ]
}

@test "a backlog is rebuilt from the stamps, with its moment" {
	for i in 0 1 2 3; do
		printf '{"trace":{"t0_us":%d,"pop":[0,10],"auth":[20,%d]}}\n' \
			$((T0 + i)) $((100 - i))
	done >captured.ndjson
	stage_file captured.ndjson push-stats --report --format json
	# All four have entered auth 13 µs after the first began and leave together.
	has '.[0].nodes[1].backlog | .max == 4 and .at_unix_us == 1763627000000014
		and .step_us == 1 and .from_unix_us == 1763627000000010
		and .to_unix_us == 1763627000000100'
	same_as_jq captured.ndjson "$output_file"
}

@test "no input gives an empty report" {
	stage '' push-stats --report --format json
	[ "$status" -eq 0 ]
	has '.[0] | .records == 0 and .nodes == [] and .vendors == []'
	stage '' push-stats --report
	[ "$status" -eq 0 ]
	[[ $output == *'records 0'* ]]
}

@test "odd input is counted and never fatal" {
	{
		echo 'no json'
		echo '[1,2]'
		echo '{"app":"shop"}'
		echo '{"trace":{"t0_us":-1,"pop":[0,1]}}'
		echo '{"trace":{"t0_us":9223372036854775807,"pop":[0,1]}}'
		echo '{"trace":{"t0_us":1,"pop":[9223372036854775807,-9223372036854775808]}}'
		printf '{"raw":"x","trace":{"t0_us":1,"pop":[0,1],"outcome":"rejected","reason":"malformed"}}'
	} >odd
	stage_file odd push-stats --report --format json
	[ "$status" -eq 0 ]
	has '.[0] | .unreadable == 2 and .records == 5 and .untimed == 3'
	has '.[0].outcomes | any(.reason == "malformed" and .records == 1)'
}

@test "a report that cannot be written ends with 111" {
	accepted '"pop":[0,1]' >captured.ndjson
	status=0
	push-stats --report <captured.ndjson >/dev/full 2>err || status=$?
	[ "$status" -eq 111 ]
	grep -q 'cannot write' err
}

@test "a wrong format or address is a usage failure" {
	stage '' push-stats --report --format csv
	[ "$status" -eq 100 ]
	logged "table or json"
	for address in nonsense 127.0.0.1 127.0.0.1:x 127.0.0.1:70000; do
		stage '' push-stats --listen "$address"
		[ "$status" -eq 100 ]
		logged "is no address"
	done
}

# --- the server ------------------------------------------------------------------

@test "numbers are served while they grow" {
	serve
	[ "$(get /healthz)" = ok ]
	counts_to 0
	feed stats "$(accepted '"pop":[0,5],"auth":[9,20]')
"
	wait_until 10 counts_to 1
	feed stats "$(many 100)
"
	wait_until 10 counts_to 101
	get /metrics >metrics
	grep -Fq 'push_node_latency_seconds_count{node="auth",priority="high",kind="single"}' metrics
	stop stats
	[ "$status" -eq 0 ]
	run ! get /healthz
}

@test "the metrics agree with the report and with the format" {
	many 800 >captured.ndjson
	serve
	feed stats "$(<captured.ndjson)
"
	wait_until 10 counts_to 800
	get /metrics >metrics
	get /api/stats >api
	push-stats --report --format json <captured.ndjson >report
	jq -e --slurpfile r report '. as $api | $r[0] | del(.nodes[].backlog) == $api' api
	# Counts and sums of the histograms are those of the report.
	jq -r '.nodes[] | .node as $n | .classes[] | "push_node_wait_seconds_count{node=\"\($n)\",priority=\"\(.priority)\",kind=\"\(.kind)\"} \(.wait.count)",
		"push_node_latency_seconds_sum{node=\"\($n)\",priority=\"\(.priority)\",kind=\"\(.kind)\"} \(.total.sum_us)"' report |
		sed -E 's/(_sum.*\} )([0-9]*)([0-9]{6})$/\1\2.\3/; s/(_sum.*\} )([0-9]{1,6})$/\1 \2/' |
		awk '/_sum.*  / { sub(/  .*/, sprintf(" %.6f", $NF / 1000000)) } 1' |
		sed 's/} \./} 0./' >want
	[ "$(wc -l <want)" -gt 50 ]
	run grep -Fxv -f metrics want
	echo "$output"
	[ -z "$output" ]
	# Every sample has a family with HELP and TYPE before it, buckets only grow.
	awk '
		/^# HELP / { help[$3] = 1; next }
		/^# TYPE / { if (!help[$3] || type[$3]) bad("TYPE " $3); type[$3] = $4; next }
		{
			name = $1; sub(/\{.*/, "", name)
			if ($0 !~ /^[a-z_]+(\{([a-z]+="([^"\\]|\\["\\n])*",?)+\})? -?[0-9.]+$/) bad($0)
			if (seen[$1]++) bad("twice: " $1)
			base = name
			if (!(base in type)) sub(/_(bucket|sum|count)$/, "", base)
			if (!(base in type)) bad("no family: " $0)
			if (type[base] == "counter" && name !~ /_total$/) bad("counter: " name)
			if (name ~ /_bucket$/) {
				series = $1; sub(/,?le="[^"]*"/, "", series)
				if ($2 + 0 < last[series] + 0) bad("bucket falls: " $0)
				last[series] = $2; n++
			}
		}
		function bad(s) { print "bad: " s; failed = 1 }
		END { if (n < 100) bad("few buckets"); exit failed }' metrics
}

@test "every metric is on the page and every one of the page is served" {
	serve --counters "$PWD/counters"
	get /metrics | sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' | sort >served
	grep -oE 'push_[a-z_]+' "$ROOT/man/push-stats.1" | sort -u >told
	diff served told
}

@test "other paths and methods are refused" {
	serve
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$URL/nothing")" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -d x "$URL/metrics")" = 405 ]
	[ "$(curl -sI -o /dev/null -w '%{http_code}' "$URL/metrics")" = 200 ]
	[ "$(curl -s -o /dev/null -w '%{content_type}' "$URL/metrics")" = 'text/plain; version=0.0.4; charset=utf-8' ]
}

@test "a port that is taken is a temporary failure" {
	serve
	stage '' push-stats --listen "127.0.0.1:$(cut -d' ' -f2 ports)"
	[ "$status" -eq 111 ]
	logged 'cannot listen'
}

@test "a slow client does not keep the numbers from growing" {
	serve
	exec {fd}<>"/dev/tcp/127.0.0.1/$(cut -d' ' -f2 ports)"
	printf 'GET /met' >&"$fd"
	feed stats "$(many 50)
"
	wait_until 10 counts_to 50
	exec {fd}>&-
}

@test "push.conf says where to listen, the command line says it louder" {
	echo '{"stats":{"listen":"127.0.0.1:0"}}' >push.conf
	start -p stats push-stats -c push.conf --ports-file "$PWD/ports"
	URL=http://127.0.0.1:$(cut -d' ' -f2 ports)
	[ "$(get /healthz)" = ok ]
	stage '' push-stats -c push.conf --listen nonsense
	[ "$status" -eq 100 ]
}

# --- what programs say about themselves --------------------------------------------

@test "live backlog is what was written and not read, and what is held" {
	serve --counters "$PWD/counters"
	report counters pop 1 0 500 0
	report counters auth 2 470 460 10
	live() { get /api/stats | jq -c '[.live[] | select(.node != "stats") | [.node, .pipe, .inside]]'; }
	is_live() { [ "$(live)" = "$1" ]; }
	wait_until 10 is_live '[["pop",null,0],["auth",30,10]]'
	get /metrics >metrics
	grep -Fxq 'push_backlog_records{node="auth",place="pipe"} 30' metrics
	grep -Fxq 'push_backlog_records{node="auth",place="inside"} 10' metrics
	grep -Fxq 'push_node_out_total{node="pop"} 500' metrics
	SECOND=6 report counters auth 2 500 500 0
	SECOND=6 report counters pop 1 0 500 0
	wait_until 10 is_live '[["pop",null,0],["auth",0,0]]'
}

@test "a datagram that is no report is counted and said" {
	serve --counters "$PWD/counters"
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "counters")->send("x")'
	said_so() { get /metrics | grep -Fxq 'push_bad_datagrams_total 1'; }
	wait_until 10 said_so
	stop stats
	logged 'is no report'
}

@test "programs of a real chain report to it" {
	start -p stats push-stats --listen 127.0.0.1:0 --ports-file "$PWD/ports" --counters "$PWD/counters"
	URL=http://127.0.0.1:$(cut -d' ' -f2 ports)
	feed stats "$(many 20)
"
	reports_itself() { [ "$(get /api/stats | jq '.live[] | select(.node == "stats") | .in')" = 21 ]; }
	wait_until 10 reports_itself
}

@test "the socket is replaced after a kill" {
	serve --counters "$PWD/counters"
	kill_hard stats
	[ -S counters ]
	rm ports
	serve --counters "$PWD/counters"
	report counters pop 1 0 5 0
	heard() { get /metrics | grep -Fxq 'push_node_out_total{node="pop"} 5'; }
	wait_until 10 heard
}
