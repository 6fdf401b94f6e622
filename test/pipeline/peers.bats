# Clients that nobody here wrote judge push-mock: what they take for Apple and Google
# is no mirror of our own mistakes.  In a network of its own, under the real names
# and ports, with the libraries' own defaults.
# shellcheck disable=SC2016 # the variables are jq's

load ../helper.bash

setup_file() {
	export PEERS=$ROOT/build/clients
	"$ROOT/scripts/mock-certs" "$BATS_FILE_TMPDIR/keys"
	"$ROOT/test/peers/install" "$PEERS" 3>&- 4>&- || rm -f "$PEERS/installed"
}

setup() {
	[ -f "$PEERS/installed" ] || skip "npm or its registry is not there"
	unshare -n -m true 2>/dev/null || skip "needs to make namespaces"
	KEYS=$BATS_FILE_TMPDIR/keys
	printf '127.0.0.1 localhost %s\n' "api.push.apple.com api.sandbox.push.apple.com \
		fcm.googleapis.com oauth2.googleapis.com" | tr -s '\t ' ' ' >hosts
}

# Runs a client beside the mock: with_mock SCRIPT ARG...
with_mock() {
	local script=$1
	shift
	stage '' unshare -n -m env NODE_PATH="$PEERS/node_modules" KEYS="$KEYS" \
		NODE_EXTRA_CA_CERTS="$KEYS/ca.pem" bash -c '
		ip link set lo up && mount --bind hosts /etc/hosts || exit 1
		mkfifo ready
		push-mock --cert "$KEYS/cert.pem" --key "$KEYS/key.pem" \
			--credentials "$KEYS/credentials.json" --port 443 \
			--received received --received-body --ready-fd 5 5>ready 2>mock.log >&2 &
		read -r -t 10 <ready
		node "$@"
		rc=$?
		kill -TERM $!
		wait
		exit $rc' with_mock "$ROOT/test/peers/$script" "$@"
	[ "$status" -eq 0 ]
}

# apns2 says of the token that begins so: status and name of its error.
refused() {
	has 'map(select(.token and (.token | startswith($token)))) | length == 1
		and .[0].status == $status and .[0].error == $error' \
		--arg token "$1" --argjson status "$2" --arg error "$3"
}

@test "apns2 takes push-mock for Apple" {
	local token tokens=()
	for token in 00aa dead bad0 bad1 e42900 e50300; do
		tokens+=("$token$(printf '%060d' 0)")
	done
	with_mock apns2.js "$KEYS/AuthKey_MOCKKEY001.p8" com.example.shop "${tokens[@]}"
	has 'map(select(.sent)) | length == 1 and (.[0].token | startswith("00aa"))'
	refused dead 410 unregistered
	refused bad0 400 badDeviceToken
	refused bad1 400 deviceTokenNotForTopic
	refused e429 429 tooManyRequests
	refused e503 503 serviceUnavailable
	has '.[-1].many == 200'
	has_in received 'map(select(.status == 200)) | length == 201
		and all(.topic == "com.example.shop")
		and (map(.push_type) | unique) == ["alert", "background"]'
}

said() { # NAME CODE
	has 'map(select(.name == $name)) | length == 1 and .[0].error == $code' \
		--arg name "$1" --arg code "$2"
}

@test "firebase-admin takes push-mock for Google" {
	with_mock firebase-admin.js "$KEYS/service-account.json" \
		ordinary unregistered-1 invalid-1 mismatch-1 quota-0-1 thirdparty-1 internal-1
	has 'map(select(.sent)) | (map(.name) == ["ordinary", "news", $condition, "for-nobody"])
		and all(.sent | startswith("projects/mock-project/messages/"))' \
		--arg condition "'news' in topics && 'sport' in topics"
	said quota-0-1 messaging/message-rate-exceeded
	said unregistered-1 messaging/registration-token-not-registered
	said invalid-1 messaging/invalid-argument
	said mismatch-1 messaging/mismatched-credential
	said thirdparty-1 messaging/third-party-auth-error
	said internal-1 messaging/internal-error
	has '.[-1] == {each: 49, failed: ["messaging/registration-token-not-registered"]}'
	# The token endpoint was asked once for all of it.
	has_in received 'map(select(.vendor == "oauth")) | length == 1 and .[0].status == 200'
}
