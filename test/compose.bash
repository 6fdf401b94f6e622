# What scripts/check-compose asks of the services of docker-compose.yml; it sources this and
# has docker, compose, until_true, say, fail and $T.

stages='pop auth risk lookup dedupe fatigue apns fcm ack stats'

in_redis() { compose exec -T redis "$@"; }
pid_of() { docker inspect -f '{{.State.Pid}}' "pushpipe-$1-1"; }
state_of() { docker inspect -f "{{$2}}" "pushpipe-$1-1"; }
at_host() { nsenter --net="/proc/$daemon/ns/net" "$@"; } # where the ports are published
fetch() { at_host curl -sf "http://127.0.0.1:$1"; }

# The N-th command of the README's section.
readme() { # N
	awk -v n="$1" '/^## Containers/ { here = 1 }
		here && /^```/ { if (++fences == 2) exit; next }
		here && fences { count += /^[a-z]/; if (count == n) print }' README.md
}
# Word by word; but the images are there, and nothing can be fetched.
follow() { # N
	readme "$1" | sed 's/ --build / --pull never --wait-timeout 180 /' >"$T/command"
	[ -s "$T/command" ] || fail "the README has no command $1"
	at_host env PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -e "$T/command"
}

# --- tasks, and what became of them ----------------------------------------------------------

push_tasks() { # FIRST LAST: each LPUSHed by itself, every other one for a phone of Apple's
	awk -v first="$1" -v last="$2" 'BEGIN {
		for (i = first; i <= last; i++) {
			device = i % 2 ? sprintf("\"ios\",\"token\":\"a1%062x\"", i) : sprintf("\"android\",\"token\":\"t-%d\"", i)
			printf "{\"id\":\"task-%d\",\"app\":\"shop\",\"user\":\"u-%d\",\"device\":{\"platform\":%s}," \
				"\"message\":{\"notification\":{\"title\":\"Order %d\"}}}\n", i, i, device, i
		}
	}' | awk '{ printf "*3\r\n$5\r\nLPUSH\r\n$11\r\npush:normal\r\n$%d\r\n%s\r\n", length($0), $0 }' |
		in_redis redis-cli --pipe >/dev/null
	pushed=$2
}

# What the vendors took, a line a device.  The file is written out on USR1.
received() {
	kill -USR1 "$(pid_of mock)"
	compose exec -T mock cat received.ndjson |
		jq -r 'select(.vendor != "oauth" and .status == 200) | .token'
}

all_received() { [ "$(received | sort -u | wc -l)" -eq "$pushed" ]; }
sent_twice() { echo $(($(received | wc -l) - pushed)); }

in_flight() { in_redis redis-cli --raw HLEN '{push:normal}:inflight:compose'; }
in_flight_at_least() { [ "$(in_flight)" -ge "$1" ]; }

nothing_waits() {
	local left
	left=$(in_redis redis-cli --scan --pattern '*push:normal*' | grep -c -e ':inflight:' -e ':delayed' -e ':redeliver' -e '^push:normal$') || :
	[ "$left" = 0 ]
}

nothing_is_lost() {
	local count
	until_true 180 all_received
	until_true 90 nothing_waits
	count=$(compose exec -T ack cat results.ndjson | jq -r 'select(.trace.outcome == "accepted") | .id' | sort -u | wc -l)
	[ "$count" = "$pushed" ] || fail "results.ndjson has $count of $pushed"
}

# --- one by one --------------------------------------------------------------------------------

shut_in() { # SERVICE
	[ "$(state_of "$1" .HostConfig.ReadonlyRootfs)" = true ] || fail "$1 can write to its image"
	[ "$(state_of "$1" .HostConfig.Memory)" -gt 0 ] || fail "$1 has no limit of memory"
	grep -q '^CapEff:[[:space:]]0*$' "/proc/$(pid_of "$1")/status" || fail "$1 has capabilities"
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$(pid_of "$1")/status")" != 0 ] || fail "$1 runs as root"
}

ask_up() {
	local begin=$SECONDS service
	compose config -q
	follow 1 >"$T/up.log" 2>&1 || { cat "$T/up.log" && false; }
	say "all services are up and healthy after $((SECONDS - begin)) s"
	for service in $stages mock prometheus alertmanager redis-exporter; do
		shut_in "$service"
	done
	[ "$(grep -c : "/proc/$(pid_of auth)/net/dev")" = 1 ] || fail 'auth has a network'
	# The health check is true: who is stopped is not healthy.
	kill -STOP "$(pid_of stats)"
	if timeout 5 docker exec pushpipe-stats-1 /usr/libexec/push/healthy; then fail 'a stopped push-stats is healthy'; fi
	kill -CONT "$(pid_of stats)"
}

# The README's: one push, delivered, and seen on the status page.
ask_one_push() {
	follow 2 >/dev/null
	until_true 60 seen_once
	fetch 9105/ | grep -q '<html' || fail 'no page at port 9105'
	say 'one push is delivered, and seen at 127.0.0.1:9105, by the three commands of the README'
}
seen_once() { follow 3 | jq -es '. == [{vendor: "apns", records: 1, accepted: 1}]'; }

# --- killed -------------------------------------------------------------------------------------

again() { # SERVICE: it was started again by itself
	[ "$(state_of "$1" .State.Running)" = true ] && [ "$(pid_of "$1")" != 0 ]
}

kill_stage() { # SERVICE TASKS LEAST: with at least so many of them on their way
	local pid stopped=$1
	pid=$(pid_of "$1")
	[ "$1" != pop ] || stopped=auth # so that push-pop has its hands full
	kill -STOP "$(pid_of "$stopped")"
	push_tasks $((pushed + 1)) $((pushed + $2))
	until_true 60 in_flight_at_least "$3"
	kill -KILL "$pid"
	until_true 60 [ ! -e "/proc/$pid" ]
	[ "$stopped" = "$1" ] || kill -CONT "$(pid_of "$stopped")"
	until_true 60 again "$1"
}

ask_kill_with_hands_full() { # SERVICE
	kill_stage "$1" 2000 500
	say "$1 was killed while $(in_flight) tasks were on their way"
	nothing_is_lost
	say "the vendors have every device; sent twice: $(sent_twice)"
	[ "$(state_of "$1" .RestartCount)" = 1 ] || fail "$1 was not started again"
	case $1 in
	apns | fcm | ack) ;;
	*) [ "$(sent_twice)" = 0 ] || fail 'something was sent twice' ;;
	esac
}

ask_kill_all() { # SERVICE...: one after the other, faster than any lease runs out
	local service
	for service in "$@"; do
		case $service in
		redis)
			push_tasks $((pushed + 1)) $((pushed + 50))
			compose kill redis >/dev/null 2>&1
			compose up -d --wait --wait-timeout 60 --pull never redis >"$T/up.log" 2>&1 || { cat "$T/up.log" && false; }
			;;
		stats | prometheus | alertmanager | redis-exporter)
			kill -KILL "$(pid_of "$service")"
			push_tasks $((pushed + 1)) $((pushed + 50))
			until_true 60 again "$service"
			;;
		*) kill_stage "$service" 50 25 ;;
		esac
	done
	say "killed, one after the other: $*; on their way: $(in_flight) tasks"
	nothing_is_lost
	say "the vendors have every device; sent twice: $(sent_twice)"
}

# --- watching -----------------------------------------------------------------------------------

prometheus_says() { # EXPRESSION-OF-JQ PATH
	fetch "9090/api/v1/$2" | jq -e "$1" >/dev/null
}

ask_watching() {
	local service rules
	fetch 9105/metrics >"$T/metrics"
	for service in $stages; do
		[ "$service" = stats ] || grep -q "^push_node_in_total{node=\"$service\"}" "$T/metrics" || fail "no numbers of $service at port 9105"
	done
	grep -q '^push_queue_up 1' "$T/metrics" || fail 'push-stats does not see the queues'

	until_true 60 prometheus_says '[.data.activeTargets[] | select(.health == "up") | .labels.job] | sort == ["push-stats", "redis"]' targets
	until_true 60 prometheus_says '.data.activeAlertmanagers | length == 1' alertmanagers
	rules=$(cat deploy/prometheus/push-{recording,alerts}.yml | grep -cE '^ *- (record|alert):')
	until_true 60 prometheus_says "[.data.groups[].rules[] | select(.health == \"ok\")] | length == $rules" rules
	until_true 60 prometheus_says '.data.result | length == 10' 'query?query=push_node_in_total'
	until_true 60 prometheus_says '.data.result | length > 0' 'query?query=redis_up==1'
	# An alert goes all the way.
	in_redis redis-cli LPUSH push:normal nonsense >/dev/null
	until_true 90 alerted PushDeadLetters
	say "Prometheus scrapes both, evaluates $rules rules; an alert has reached Alertmanager"
}
alerted() { fetch 9093/api/v2/alerts | jq -e --arg name "$1" 'any(.[]; .labels.alertname == $name)'; }

# Grafana itself cannot be had here: what it is told is held against what runs.
ask_grafana() {
	compose --profile grafana config --format json >"$T/compose.json"
	/usr/bin/python3 - "$T/compose.json" <<-'END' >"$T/datasource" || fail "Grafana's provisioning"
		import json, os, sys, urllib.parse, yaml
		compose = json.load(open(sys.argv[1]))["services"]
		mounts = {v["target"]: v["source"] for v in compose["grafana"]["volumes"]}
		home = mounts["/etc/grafana/provisioning"]
		read = lambda path: yaml.safe_load(open(os.path.join(home, path)))
		source, = read("datasources/prometheus.yml")["datasources"]
		provider, = read("dashboards/pushpipe.yml")["providers"]
		assert source["type"] == "prometheus" and source["isDefault"] and source["access"] == "proxy", source
		assert compose[urllib.parse.urlsplit(source["url"]).hostname]["networks"].keys() & compose["grafana"]["networks"].keys()
		folder = mounts[provider["options"]["path"]]
		boards = [json.load(open(os.path.join(folder, f))) for f in os.listdir(folder) if f.endswith(".json")]
		assert boards and all(b["panels"] for b in boards), folder
		# Which data source is chosen on the page: the default one, or ours.
		for v in [v for b in boards for v in b["templating"]["list"] if v["type"] == "datasource"]:
		    assert v["query"] == "prometheus" and v["current"]["value"] in ("default", source["uid"]), v
		print(source["url"])
	END
	compose exec -T alertmanager promtool query instant "$(cat "$T/datasource")" push_build_info | grep -q push_build_info ||
		fail 'what Grafana would ask does not answer'
	say "Grafana's provisioning fits; what it would ask answers (Grafana itself is not run)"
}

# --- other ways ---------------------------------------------------------------------------------

ask_stop() {
	local begin=$SECONDS service
	compose stop >"$T/stop.log" 2>&1
	for service in $stages; do
		[ "$(state_of "$service" .State.ExitCode)" = 0 ] || fail "$service ended with $(state_of "$service" .State.ExitCode) on TERM"
	done
	say "all ended with 0 on TERM, after $((SECONDS - begin)) s"
}

# A folder of one's own in the place of the demo's: PUSH_ETC.
ask_own_configuration() {
	mkdir "$T/etc"
	docker run --rm --user 0 --network none -v pushpipe_etc:/etc/push:ro -v "$T/etc:/to" pushpipe-mock \
		sh -c 'cp -R /etc/push/. /to && chown -R push /to'
	sed -i 's/"worker": "compose"/"worker": "own"/' "$T/etc/push.conf"
	PUSH_ETC=$T/etc compose up -d --wait --wait-timeout 180 --pull never >"$T/up.log" 2>&1 || { cat "$T/up.log" && false; }
	in_redis redis-cli LPUSH push:low '{"app":"shop","user":"u-1","device":{"platform":"android","token":"own"},"message":{"notification":{"title":"Own"}}}' >/dev/null
	until_true 60 own_accepted
	PUSH_ETC=$T/etc compose stop >"$T/stop.log" 2>&1
	say 'PUSH_ETC puts a configuration of one'\''s own in the place of the demo'\''s'
}
own_accepted() { compose exec -T ack tail -n 1 results.ndjson | jq -e '.trace.outcome == "accepted" and (.trace.pop[2].receipt | startswith("own"))'; }

# As the chart's pods have it: push-run with the whole chain in one container, and its probes.
ask_push_run() {
	local address path
	compose start redis mock >/dev/null 2>&1
	sed -i 's|^  "counters"|  "stats": {"listen": "0.0.0.0:9105"},\n&|' "$T/etc/push.conf"
	docker run -d --name push-run --network pushpipe_queue --read-only --cap-drop ALL --security-opt no-new-privileges:true \
		--tmpfs /run/push:mode=770,uid=10001,gid=10001,size=16m --tmpfs /var/log/push:mode=770,uid=10001,gid=10001 \
		-e TMPDIR=/run/push -v "$T/etc:/etc/push:ro" pushpipe push-run -c /etc/push/push.conf >/dev/null
	docker network connect pushpipe_vendors push-run
	until_true 60 docker exec push-run /usr/libexec/push/healthy
	address=$(docker inspect -f '{{.NetworkSettings.Networks.pushpipe_queue.IPAddress}}' push-run)
	for path in healthz readyz metrics; do
		until_true 60 at_host curl -sf "http://$address:9105/$path"
	done
	in_redis redis-cli LPUSH push:high '{"app":"shop","user":"u-2","device":{"platform":"ios","token":"a1b2c3d5"},"message":{"notification":{"title":"Hello"}}}' >/dev/null
	until_true 60 run_accepted
	docker stop -t 40 push-run >/dev/null
	[ "$(docker inspect -f '{{.State.ExitCode}}' push-run)" = 0 ] || { docker logs push-run && fail 'push-run did not end with 0 on TERM'; }
	docker rm push-run >/dev/null
	say 'push-run runs the chain in one container, shut in, answers the probes, and drains it on TERM'
}
run_accepted() { docker exec push-run tail -n 1 /var/log/push/results.ndjson | jq -e '.trace.outcome == "accepted"'; }

ask_everything() { # SERVICE...
	local victims=("${@:-dedupe}") victim
	ask_up
	ask_one_push
	pushed=1
	push_tasks 2 500
	until_true 90 all_received
	for victim in "${victims[@]}"; do
		ask_kill_with_hands_full "$victim"
	done
	[ $# -gt 0 ] || ask_kill_all pop auth risk lookup dedupe fatigue apns fcm ack stats redis redis-exporter prometheus alertmanager
	ask_watching
	ask_grafana
	ask_stop
	ask_own_configuration
	ask_push_run
	compose down -v >"$T/down.log" 2>&1
}
