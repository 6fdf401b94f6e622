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
			if (rand() < 0.9) head = head sprintf(",\"user\":\"u-%d\"", int(rand() * 300))
			if (rand() < 0.4) head = head sprintf(",\"campaign\":\"%s\"", pick("spring autumn"))
			if (rand() < 0.5) head = head sprintf(",\"priority\":\"%s\"", pick("high normal low"))
			if (rand() < 0.3) head = head ",\"kind\":\"batch\""
			else if (rand() < 0.2) head = head ",\"topic\":\"all\""
			if (rand() < 0.3) head = head sprintf(",\"part\":{\"n\":%d,\"of\":4}", int(rand() * 4))
			if (rand() < 0.8) head = head sprintf(",\"created_ms\":%d%03d", \
				t0 - int(rand() * 5), int(rand() * 1000))
			t = stamp("pop", "{\"q\":\"push\",\"uid\":\"u" n "\",\"receipt\":\"w1:" n "\",\"attempt\":" (rand() < 0.05 ? 2 : 1) "}", 1, 50)
			t = t stamp("auth", "", 1, 50) stamp("risk", "", 1, 50) stamp("lookup", "", 1, 90)
			r = rand()
			if (r < 0.1) d = "suppressed fatigue-cap"
			else if (r < 0.2) {
				t = t stamp("apns", "", 500, 9000)
				d = pick("retry;vendor-unavailable failed;vendor-config suppressed;lease-lost")
				sub(";", " ", d)
			} else if (r < 0.6) {
				d = r < 0.55 ? "accepted ok" : "failed token-dead"
				if (rand() < 0.3) x += 2000000 + int(rand() * 6000000)
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
	grep -Eq '^apns +shop +1 +100\.00% +100\.00% +2\.470 +2\.470$' "$output_file"
	grep -Eq '^\(end to end\) +normal single +120000\.000 +1 +0 +100\.00%$' "$output_file"
	grep -Eq '^shop +2 +0$' "$output_file"
	grep -Eq '^normal single +accepted +1 +2\.500 ' "$output_file"
}

@test "the table has what was late at a node, and each campaign" {
	for i in 1 2 3; do
		accepted "\"pop\":[0,5],\"apns\":[9,$((i * 900000)),{\"status\":200,\"answer\":\"ok\"}]" \
			"\"priority\":\"high\",\"campaign\":\"spring\",\"user\":\"u-$i\""
	done >captured.ndjson
	stage_file captured.ndjson push-stats --report
	[ "$status" -eq 0 ]
	grep -Eq '^apns +high single +1000\.000 +3 +2 +33\.33%$' "$output_file"
	run ! grep -E '^pop +high single +1000' "$output_file"
	grep -Eq '^shop +spring +3 +3 +3$' "$output_file"
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

@test "the CSV has the numbers of the JSON" {
	many 300 >captured.ndjson
	push-stats --report --format json <captured.ndjson >report
	stage_file captured.ndjson push-stats --report --format csv
	[ "$status" -eq 0 ]
	jq -r '(.nodes[] | .node as $n | .classes[] | (["wait", "service"][] as $w | [$w, $n, .priority, .kind, "", .[$w]]),
			["latency", $n, .priority, .kind, "", .total]),
		(.queue_wait[] | ["queue-wait", "", .priority, .kind, "", .]),
		(.end_to_end[] | ["end-to-end", "", .priority, .kind, .outcome, .])
		| .[:5] + (.[5] | [.count, .min_us, .p50_us, .p95_us, .p99_us, .max_us]) | map(tostring) | join(",")' report | sort >want
	[ "$(wc -l <want)" -gt 50 ]
	sed 1d "$output_file" | cut -d, -f1-6,8,9,11,12,14 | sort >got
	diff want got
	[ "$(head -n 1 "$output_file")" = what,node,priority,kind,outcome,records,mean_us,min_us,p50_us,p90_us,p95_us,p99_us,p999_us,max_us ]
	[ "$(awk -F, 'NF != 14' "$output_file")" = '' ]
	# A name that would break a line of CSV is quoted.
	echo '{"trace":{"t0_us":1,"a,\"b":[0,1]}}' >odd
	stage_file odd push-stats --report --format csv
	[[ $output == *'latency,"a,""b",normal,single,,1,'* ]]
}

@test "the picture is drawn by gnuplot, as SVG and as PNG" {
	many 300 >captured.ndjson
	stage_file captured.ndjson push-stats --report --format json --plot seen.svg
	[ "$status" -eq 0 ]
	has '.[0].records == 300' # the report is there all the same
	python3 - seen.svg >texts <<-'END'
		import sys, xml.etree.ElementTree as tree
		for text in tree.parse(sys.argv[1]).iter("{http://www.w3.org/2000/svg}text"):
		    print("".join(text.itertext()))
	END
	for text in '300 records, 2025-11-20' 'Latency over time, p99' 'end to end' p50 UTC; do
		grep -Fxq "$text" texts || { echo "no text '$text'" && cat texts && return 1; }
	done
	for node in pop auth risk lookup apns fcm ack; do
		[ "$(grep -cx $node texts)" -eq 3 ] # a bar and a line in two panels
	done
	stage_file captured.ndjson push-stats --report --plot seen.png
	[ "$status" -eq 0 ]
	[ "$(head -c 8 seen.png | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]
	[ "$(echo ./*.new)" = './*.new' ]
}

@test "the picture shows the numbers of the report" {
	many 300 >captured.ndjson
	mkdir fake
	printf '#!/bin/sh\ncat >"%s/script"\n' "$PWD" >fake/gnuplot
	chmod +x fake/gnuplot
	PATH=$PWD/fake:$PATH push-stats --report --format json --plot seen.svg <captured.ndjson >report
	block() { sed -n "/^\\\$$1 << END$/,/^END$/p" script | sed '1d; $d'; }
	# Percentiles in milliseconds, to three digits.
	jq -r '.nodes[] | [.node, .total.p50_us, .total.p95_us, .total.p99_us] | @tsv' report |
		awk '{ printf "\"%s\" %.3f %.3f %.3f\n", $1, $2 / 1000, $3 / 1000, $4 / 1000 }' >want
	diff want <(block nodes)
	# The greatest backlog of each node is in its line, and the line ends at nothing.
	local n=0
	while read -r most; do
		[ "$(block "backlog$n" | awk '$2 > most { most = $2 } END { print most + 0 }')" = "$most" ]
		[ "$(block "backlog$n" | wc -l)" = 300 ]
		block "time$n" | awk '$1 <= last || $2 <= 0 { exit 1 } { last = $1 } END { if (NR < 2 || NR > 128) exit 1 }'
		n=$((n + 1))
	done < <(jq '.nodes[].backlog.max' report)
	[ "$n" = 7 ]
	# No slice's p99 is above the greatest latency, and the greatest is in one of them.
	block time4 | awk -v most="$(jq '.nodes[4].total.max_us / 1000' report)" \
		'$2 > most * 1.0001 { exit 1 } $2 > seen { seen = $2 } END { if (seen < most * 0.98) exit 1 }'
}

@test "a picture that cannot be drawn says why" {
	many 10 >captured.ndjson
	stage_file captured.ndjson push-stats --report --plot seen.gif
	[ "$status" -eq 100 ]
	logged 'wants a file that ends in .svg or .png'
	stage_file captured.ndjson push-stats --plot seen.svg
	[ "$status" -eq 100 ]
	logged '--plot goes with --report'
	mkdir tools
	ln -s "$(command -v push-stats)" tools/
	stage_file captured.ndjson env PATH="$PWD/tools" push-stats --report --plot seen.svg
	[ "$status" -eq 100 ]
	logged 'gnuplot is not installed'
	stage_file captured.ndjson push-stats --report --plot "$PWD/nowhere/seen.svg"
	[ "$status" -eq 111 ]
	logged 'cannot write'
	stage '{"app":"shop"}
' push-stats --report --plot seen.svg
	[ "$status" -eq 100 ]
	logged 'no record has stamps'
	printf '#!/bin/sh\nexit 3\n' >tools/gnuplot
	chmod +x tools/gnuplot
	PATH=$PWD/tools:$PATH stage_file captured.ndjson push-stats --report --plot seen.svg
	[ "$status" -eq 111 ]
	logged 'gnuplot ended with status 3'
	[ ! -e seen.svg ]
	[ ! -e seen.svg.new ]
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
	stage '' push-stats --report --format xml
	[ "$status" -eq 100 ]
	logged "table, json or csv"
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
	[ "$(jq '[.sla[].late] | add' report)" -gt 5 ]
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
	redis_up
	echo "{\"redis\":\"$REDIS_URL\",\"queues\":[\"push\"]}" >push.conf
	serve -c push.conf --counters "$PWD/counters"
	get /metrics | sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' | sort >served
	grep -oE 'push_[a-z_]+' "$ROOT/man/push-stats.1" | sort -u >told
	diff served told
}

@test "the page and its parts are served, and ask no other host" {
	serve
	for part in '/ text/html' '/page.css text/css' '/page.js text/javascript'; do
		read -r path type <<<"$part"
		curl -sS --fail -o part -w '%{content_type}' "$URL$path" >said
		[ "$(<said)" = "$type; charset=utf-8" ]
		cmp part "$ROOT/lib/stats/page/$([ "$path" = / ] && echo index.html || echo "${path#/}")"
		[ "$(grep -oE "['\"(](https?:)?//[^'\")]+" part | grep -v '^"http://www.w3.org/2000/svg')" = '' ]
	done
	get / | grep -oE '(href|src)="[^"]+"' | sed 's/.*="//; s/"$//' | grep -vE '^data:' >links
	while read -r link; do
		get "/$link" >/dev/null
	done <links
	[ "$(wc -l <links)" -ge 4 ]
}

@test "the last seconds are kept: records, accepted, p99 and backlog" {
	serve --counters "$PWD/counters"
	feed stats "$(for i in 1 2 3 4; do accepted '"pop":[0,5],"apns":[10,20000,{"status":200,"answer":"ok"}],"ack":[20001,20002]'; done)
"
	wait_until 10 counts_to 4
	ticked() { get /api/history >history && has_in history '.[0].all.records | add == 4'; }
	wait_until 10 ticked
	has_in history '.[0] | (.all.accepted | add == 4) and (.nodes | map(.node) == ["pop", "apns", "ack"])
		and (.vendors | map(.vendor) == ["apns"]) and (.vendors[0].accepted | add == 4)'
	# 19,995 µs are in the bucket from 10 to 25 ms.
	has_in history '.[0].nodes[1].p99_us | max > 10000 and max <= 25000'
	has_in history '[.[0].nodes[], .[0].vendors[] | .records, .p99_us | length] | unique | length == 1'
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

# --- the live table ------------------------------------------------------------------

@test "the live table shows this chain's numbers, or another one's" {
	start -p -o table stats push-stats --listen 127.0.0.1:0 --ports-file "$PWD/ports" --watch --counters "$PWD/counters"
	URL=http://127.0.0.1:$(cut -d' ' -f2 ports)
	report counters auth 2 470 460 10
	feed stats "$(accepted '"pop":[0,5],"auth":[9,20],"apns":[30,2500,{"status":200,"answer":"ok"}],"ack":[2600,2700]' \
		'"user":"u-1","campaign":"spring"')
"
	shows() { tail -n 30 "$1" | grep -Eq "$2"; }
	wait_until 10 shows table ' 1 records$'
	wait_until 10 shows table '^auth +[0-9.]+ +- +10 '
	wait_until 10 shows table '^apns +0\.[0-9] +0\.[0-9] +100\.00% +100\.00% +2\.470 +2\.470 +- +- +-$'
	wait_until 10 shows table '^end-to-end +normal +single +120000\.000 +1 +0$'
	wait_until 10 shows table '^shop +spring +1 +1$'
	[ "$(head -c 1 table | od -An -tx1)" != ' 1b' ] # no terminal, no control codes
	start -o other other push-stats --from "$URL"
	wait_until 10 shows other ' 1 records$'
	wait_until 10 shows other '^auth +[0-9.]+ +- +10 '
	stop stats
	said() { grep -q 'no numbers from' other.err; }
	wait_until 10 said
	stop other
	[ "$status" -eq 0 ]
}

# --- limits --------------------------------------------------------------------------

@test "records over the limits of push.conf are counted, and HUP sets others" {
	local latencies='"pop":[0,5],"apns":[10,1500000,{"status":200,"answer":"ok"}],"ack":[1500001,1500002]'
	echo '{"stats":{"sla":[{"of":"node","within":"1s"},{"of":"end-to-end","priority":"high","within":"1400ms"}]}}' >push.conf
	serve -c push.conf
	feed stats "$(accepted "$latencies" '"priority":"high"'; accepted "$latencies" '"priority":"low"')
"
	wait_until 10 counts_to 2
	get /api/stats >api
	has_in api '.[0].sla | map(select(.of == "node" and .node == "apns")) | map([.priority, .records, .late]) == [["high",1,1],["low",1,1]]'
	has_in api '.[0].sla | map(select(.of == "end-to-end")) | map([.priority, .limit_us, .records, .late]) == [["high",1400000,1,1],["low",120000000,1,0]]'
	get /metrics >metrics
	grep -Fxq 'push_sla_late_records_total{of="node",node="apns",priority="high",kind="single"} 1' metrics
	grep -Fxq 'push_sla_late_records_total{of="end-to-end",priority="low",kind="single"} 0' metrics
	grep -Fxq 'push_sla_limit_seconds{of="end-to-end",priority="high",kind="single"} 1.400000' metrics
	echo '{"stats":{"sla":[{"within":"2s"}]}}' >push.conf
	kill -HUP "$(pid_of stats)"
	is_set() { get /metrics | grep -Fxq 'push_sla_limit_seconds{of="end-to-end",priority="high",kind="single"} 2.000000'; }
	wait_until 10 is_set
	feed stats "$(accepted "$latencies" '"priority":"high"')
"
	wait_until 10 counts_to 3
	get /metrics | grep -Fxq 'push_sla_late_records_total{of="node",node="apns",priority="high",kind="single"} 1'
}

@test "a limit without a time is a usage failure" {
	echo '{"stats":{"sla":[{"of":"node"}]}}' >push.conf
	stage '' push-stats -c push.conf --report
	[ "$status" -eq 100 ]
	logged "stats.sla"
}

# --- queues --------------------------------------------------------------------------

@test "the queues' depth and oldest age come from Redis, whose loss makes it not ready" {
	redis_up
	local now=${EPOCHREALTIME%.*}000
	rcli LPUSH push:high "{\"created_ms\":$((now - 60000))}" '{"created_ms":1}' >/dev/null
	rcli LPUSH '{push:high}:dead' a b c >/dev/null
	rcli LPUSH '{push:high}:redeliver' a >/dev/null
	rcli ZADD '{push:high}:delayed' $((now - 5000)) x $((now + 500000)) y >/dev/null
	rcli LPUSH push:low 'no json' >/dev/null
	echo "{\"redis\":\"$REDIS_URL\",\"queues\":[\"push:high\",\"push:low\"]}" >push.conf
	serve -c push.conf
	known() { get /readyz; }
	wait_until 10 known
	get /api/stats >api
	has_in api '.[0] | .queues_known and (.queues[0] | [.queue, .ready, .redeliver, .delayed, .overdue, .dead]
		== ["push:high", 2, 1, 2, 1, 3])'
	has_in api '.[0].queues[0] | .oldest_age_ms >= 60000 and .oldest_age_ms < 160000 and .overdue_age_ms >= 5000 and .overdue_age_ms < 105000'
	get /metrics >metrics
	grep -Fxq 'push_queue_records{queue="push:high",state="dead"} 3' metrics
	grep -Fxq 'push_queue_up 1' metrics
	# A task without created_ms is as old as it has been seen to wait.
	waits() { get /api/stats | jq -e '.queues[1] | .ready == 1 and .oldest_age_ms > 900'; }
	wait_until 10 waits
	redis_down
	lost() { get /metrics | grep -Fxq 'push_queue_up 0'; }
	wait_until 10 lost
	[ "$(curl -s -o body -w '%{http_code}' "$URL/readyz")" = 503 ]
	grep -q '^queues: ' body
	[ "$(get /healthz)" = ok ]
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

@test "what only some programs say is served as it is, and added up over restarts" {
	serve --counters "$PWD/counters"
	say() { # PROGRAM PID EXTRA
		perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "counters")->send(shift)' \
			"{\"node\":\"$1\",\"program\":\"push-$1\",\"host\":\"h\",\"pid\":$2,\"time_ms\":5000,\"in\":1,\"out\":1,\"held\":0,$3}"
	}
	say pop 1 '"claimed":7,"in_flight":3'
	say risk 4 '"stops":2,"rules":{"campaign:spring":5,"word:a\"b":1}'
	say risk 5 '"stops":2,"rules":{"campaign:spring":2}'
	say risk 4 '"stops":2,"rules":{"campaign:spring":9}'
	say apns 2 '"vendor":{"connections":2,"streams":9,"waiting":1,"delayed":4,"connects":3,"goaways":1,"token_age_s":600,"clock_skew_s":3,"breakers_open":1,"put_off":6},
		"credentials":[{"app":"shop","connections":2,"streams":9,"breakers_open":1,"token_age_s":600,"token_failures":0},
			{"app":"bank","certificate_expires_s":1790000000}]'
	say apns 3 '"vendor":{"connections":1,"streams":5,"waiting":0,"delayed":0,"connects":2,"goaways":0,"token_age_s":-1,"clock_skew_s":-1,"breakers_open":0,"put_off":1},
		"credentials":[{"app":"shop","connections":1,"streams":5,"breakers_open":0,"token_failures":3,"token_expires_s":1763629000},
			{"app":"bank","certificate_expires_s":1780000000,"token_failures":0}]'
	heard() { get /metrics | grep -Fxq 'push_vendor_connections{node="apns"} 3'; }
	wait_until 10 heard
	get /metrics >metrics
	grep -Fxq 'push_vendor_streams{node="apns"} 14' metrics
	grep -Fxq 'push_vendor_token_age_seconds{node="apns"} 600' metrics
	grep -Fxq 'push_vendor_clock_skew_seconds{node="apns"} 3' metrics
	grep -Fxq 'push_vendor_events_total{node="apns",what="connects"} 5' metrics
	grep -Fxq 'push_in_flight_records{node="pop"} 3' metrics
	grep -Fxq 'push_claimed_total{node="pop"} 7' metrics
	run ! grep -F 'push_in_flight_records{node="apns"}' metrics
	grep -Fxq 'push_risk_stops{node="risk"} 2' metrics
	# One process' 9 and another one's 2; what is not told again stays.
	grep -Fxq 'push_risk_rule_records_total{node="risk",rule="campaign:spring"} 11' metrics
	grep -Fxq 'push_risk_rule_records_total{node="risk",rule="word:a\"b"} 1' metrics
	grep -Fxq 'push_vendor_breakers_open{node="apns"} 1' metrics
	grep -Fxq 'push_vendor_events_total{node="apns",what="put-off"} 7' metrics
	# Of each credential; what nobody has told is not there.
	grep '^push_credential_' metrics | sort >credentials
	diff credentials - <<-'END'
		push_credential_breakers_open{node="apns",app="shop"} 1
		push_credential_certificate_expiry_timestamp_seconds{node="apns",app="bank"} 1780000000
		push_credential_connections{node="apns",app="shop"} 3
		push_credential_streams{node="apns",app="shop"} 14
		push_credential_token_age_seconds{node="apns",app="shop"} 600
		push_credential_token_expiry_timestamp_seconds{node="apns",app="shop"} 1763629000
		push_credential_token_failures{node="apns",app="bank"} 0
		push_credential_token_failures{node="apns",app="shop"} 3
	END
	get /api/stats >api
	has_in api '.[0].live[] | select(.node == "apns") | .facts.breakers_open == 1 and .facts.put_off == 7
		and (.credentials | map([.app, .connections, .token_failures, .certificate_expires_s])
			== [["shop", 3, 3, null], ["bank", null, 0, 1780000000]])'
}

@test "a program that has ended makes it not ready" {
	serve --counters "$PWD/counters"
	report counters auth 1 5 5 0
	is_known() { [ "$(get /api/stats | jq '[.live[].node] | index("auth") != null')" = true ]; }
	wait_until 10 is_known
	[ "$(get /readyz)" = ok ]
	gone() { [ "$(curl -s "$URL/readyz")" = 'auth: no program reports' ]; }
	wait_until 15 gone
}

@test "recent failures name task, node and reason, and no user or token" {
	serve
	feed stats "$(record failed token-dead '"pop":[0,5],"apns":[9,20,{"status":410,"answer":"Unregistered"}],"ack":[30,40]' \
		'"id":"order-1","user":"u-secret","device":{"platform":"ios","token":"tttt"}')
"
	wait_until 10 counts_to 1
	get /api/stats >api
	has_in api '.[0].recent == [{"at_unix_us":1763627000000020,"id":"order-1","app":"shop","node":"apns","outcome":"failed","reason":"token-dead","attempt":0}]'
	run ! grep -E 'u-secret|tttt' api
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
