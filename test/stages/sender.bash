# What the tests of push-apns and push-fcm have in common: a mock for the file and,
# where a test needs another, one of its own.  The file has conf, which writes a
# push.conf for whichever is up.
load ../helper.bash

setup_file() {
	mock_up
}

# Orders of one test must not reach the next.
setup() {
	[ ! -s "$MOCK_CONTROL" ] || mock_control '{}'
	: >"$MOCK_RECEIVED"
	conf
}

# The mock of the file lasts; one of the test's own does not.
teardown() {
	local name
	for name in "${!pids[@]}"; do
		kill -KILL "$(pid_of "$name")" 2>/dev/null || :
	done
	mock_down
}

# A mock of this test's own, with options; the file's goes on.
own_mock() {
	mock_up "$@"
	conf
}

# What the mock got of notifications, by its own account.
received() { # FILTER [JQ-OPTION...]
	jq -es "${@:2}" "map(select(.vendor != \"oauth\")) | $1" "$MOCK_RECEIVED" >/dev/null && return
	printf 'the mock received:\n'
	head -n 20 "$MOCK_RECEIVED"
	return 1
}

# PROGRAM in a network of its own, where the names in `hosts' are this machine's;
# only the certificate is not one that the system trusts.
alone() {
	MOCK_KEYS=$MOCK_KEYS unshare -n -m bash -c '
		ip link set lo up && mount --bind hosts /etc/hosts || exit 1
		mkfifo ready
		push-mock --cert "$MOCK_KEYS/cert.pem" --key "$MOCK_KEYS/key.pem" \
			--credentials "$MOCK_KEYS/credentials.json" --port 443 \
			--received lone.received --ready-fd 5 5>ready 2>lone.log >&2 &
		read -r -t 10 <ready
		"$1" -c bare.conf --ca-file "$MOCK_KEYS/ca.pem"
		rc=$?
		kill -TERM $!
		wait
		exit $rc' alone "$1"
}
