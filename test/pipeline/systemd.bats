# The unit of a chain: systemd finds nothing wrong with it, it is shut in, and what it
# forbids is nothing that a chain does.  scripts/check-deb starts it for real.
load chain.bash

UNIT=$ROOT/deploy/systemd/push@.service

setup_file() {
	chain_up
}

setup() {
	command -v systemd-analyze >/dev/null || skip 'no systemd-analyze here'
}

# As it would be installed, with programs that are there.
instance() { # [SED-COMMAND]
	sed -E -e "s,^(ExecStart|ExecStartPre)=push-run,\1=$PUSH_BIN/push-run," -e "${1:-}" "$UNIT" >push@main.service
}

@test "systemd-analyze verify has no complaint, and would have" {
	instance
	run -0 systemd-analyze verify --man=no ./push@main.service
	[ "$output" = "" ]
	instance 's/^KillMode=.*/KilMode=mixed/'
	run systemd-analyze verify --man=no ./push@main.service
	[[ $output == *KilMode* ]]
}

@test "the security exposure is at most 1.5, and would be more without the system calls' list" {
	instance
	run -0 systemd-analyze security --offline=true --no-pager --threshold=15 ./push@main.service
	instance '/^SystemCallFilter/d'
	run ! systemd-analyze security --offline=true --no-pager --threshold=15 ./push@main.service
}

@test "what systemd runs is understood by push-run" {
	local words line
	# ExecStartPre's command, with the file of this test.
	line=$(sed -n 's/^ExecStartPre=//p' "$UNIT")
	read -ra words <<<"${line//'/etc/push/%i.conf'/$PUSH_CONFIG}"
	[ "${words[0]}" = push-run ]
	stage '' "${words[@]}"
	[ "$status" = 0 ]
	echo '{"quues": []}' >bad.conf
	read -ra words <<<"${line//'/etc/push/%i.conf'/bad.conf}"
	stage '' "${words[@]}"
	[ "$status" = "$(sed -n 's/^RestartPreventExitStatus=//p' "$UNIT")" ]
}

@test "systemd waits longer than push-run does" {
	local drain stop
	drain=$(push-run --help | sed -n 's/.*--drain TIME .*default \([0-9]*\)s$/\1/p')
	stop=$(sed -n 's/^TimeoutStopSec=//p' "$UNIT")
	[ "$stop" -gt $((drain + 5)) ]
}

expand() { # SET-OR-CALL: the calls in it, a line each
	local word
	if [[ $1 != @* ]]; then
		echo "$1"
		return
	fi
	for word in $(systemd-analyze syscall-filter "$1" --no-pager | sed -e 1d -e '/#/d'); do
		expand "$word"
	done
}

@test "a running chain makes no system call that the unit forbids" {
	command -v strace >/dev/null || skip 'no strace here'
	local set
	jq '.dedupe = {store: "lmdb:dedupe"} | .counters = "counters.sock" |
		.fatigue.store = "lmdb:fatigue" | .ack.results = "results.ndjson" |
		.risk.blocked_words = ["free\\s+money"]' "$PUSH_CONFIG" >push.conf
	cp "$BATS_FILE_TMPDIR/bank.secret" .
	chain_tasks 300 >tasks
	chain_push tasks push:normal
	printf '%s\n' '#!/bin/sh' '# The leak checker cannot work under strace.' 'export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"' 'exec strace -f -qq -o calls push-run -c push.conf "$@"' >traced
	chmod +x traced
	start run ./traced
	wait_until 40 chain_is_settled
	signal_run HUP
	chain_push tasks push:high
	wait_until 40 chain_is_settled
	signal_run TERM
	wait_exit run 40
	[ "$status" = 0 ]
	has_in results.ndjson '[.[] | select(.trace.outcome == "accepted")] | length >= 300'

	awk 'match($2, /^[a-z0-9_]+\(/) { print substr($2, 1, RLENGTH - 1) }' calls | sort -u >made
	[ "$(wc -l <made)" -gt 40 ]
	while IFS='=' read -r _ set; do
		if [[ $set == '~'* ]]; then
			for set in ${set#'~'}; do expand "$set"; done | sort -u >taken
			comm -23 allowed taken >allowed.new
			mv allowed.new allowed
		else
			for set in $set; do expand "$set"; done | sort -u >allowed
		fi
	done < <(grep '^SystemCallFilter=' "$UNIT")
	comm -23 made allowed >forbidden
	cat forbidden
	[ ! -s forbidden ]
}

# push-run is what strace started.
signal_run() { # SIGNAL
	kill "-$1" "$(cut -d ' ' -f 1 "/proc/$(pid_of run)/task/$(pid_of run)/children")"
}
