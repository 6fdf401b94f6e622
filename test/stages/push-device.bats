# push-device: the registry by hand.
# shellcheck disable=SC2030,SC2031 # stage sets status for the test it is called in
load ../helper.bash

setup_file() {
	redis_up
}

each_registry() { # CASE
	each_url "$1" "lmdb:$PWD/devices" "$REDIS_URL"
}

device() {
	stage '' push-device --store "$STORE" "$@"
	echo "push-device $*: status $status: $output $stderr"
}

@test "the first example of the page: add, then list" {
	awk '/^\.Bd/ { n++; on = n == 1; next } /^\.Ed/ { on = 0 } on' "$ROOT/man/push-device.1" |
		sed 's/\\e/\\/g' >example.sh
	stage '' bash ./example.sh
	[ "$status" -eq 0 ]
	[ "$(head -n 1 <<<"$output")" = added ]
	tail -n 1 <<<"$output" | jq -e '.user == "ann" and .token == "00aa11bb22cc33dd" and .locale == "en-GB"'
}

all_members() {
	device add --app s --user ann --platform android --token tok:1 --environment production \
		--locale zh-Hans-CN --time-zone Asia/Shanghai --registered 1700000000123
	[ "$status" -eq 0 ]
	[ "$output" = added ]
	device list --app s --user ann
	has '. == [{"app":"s","user":"ann","platform":"android","token":"tok:1","environment":"production",
		"locale":"zh-Hans-CN","time_zone":"Asia/Shanghai","registered_ms":1700000000123}]'
}
@test "all that add is told is listed" {
	each_registry all_members
}

now_is_default() {
	local before=${EPOCHREALTIME/[^0-9]/}
	device --user ann add --platform=ios --token 00aa00aa
	device list --user ann
	has 'length == 1 and .[0].registered_ms >= $before and (.[0] | has("app") | not)' \
		--argjson before $((before / 1000))
}
@test "registered now unless said otherwise; options stand before or behind" {
	each_registry now_is_default
}

moves() {
	device add --app s --user ann --platform ios --token 00aa00aa --registered 5
	device add --app s --user bob --platform ios --token 00aa00aa --registered 4
	[ "$output" = "left: a newer one is there" ]
	device add --app s --user bob --platform ios --token 00aa00aa --registered 6
	[ "$output" = "moved from another user" ]
	device add --app s --user bob --platform ios --token 00aa00aa --registered 6
	[ "$output" = updated ]
	device list --app s --user ann
	[ -z "$output" ]
	device export
	has 'length == 1 and .[0].user == "bob"'
}
@test "a token moves to whoever registers it last" {
	each_registry moves
}

# Apps write the bytes of Apple's tokens in capital letters or in small ones.
either_case() {
	device add --app s --user ann --platform ios --token 00AABBcc --registered 5
	device add --app s --user ann --platform ios --token 00aabbcc --registered 6
	[ "$output" = updated ]
	device add --app s --user bob --platform ios --token 00AABBCC --registered 7
	[ "$output" = "moved from another user" ]
	device export
	has 'length == 1 and .[0].user == "bob" and .[0].token == "00AABBCC"'
	device remove --app s --platform ios --token 00aabbcc
	[ "$output" = "removed 1" ]
	device add --app s --user ann --platform android --token AbC
	device add --app s --user ann --platform android --token aBc
	[ "$output" = added ]
}
@test "a token of Apple is the same in capital and in small letters, one of Google is not" {
	each_registry either_case
}

removes() {
	device add --app s --user ann --platform ios --token 00aa00aa
	device add --app s --user ann --platform ios --token 00bb00bb
	device add --app s --user ann --platform ios --token 00cc00cc
	device remove --app s --user bob --platform ios --token 00aa00aa
	[ "$output" = "removed 0" ]
	device remove --app s --platform ios --token 00aa00aa
	[ "$output" = "removed 1" ]
	device remove --app s --user ann
	[ "$output" = "removed 2" ]
	[ "$status" -eq 0 ]
	device export
	[ -z "$output" ]
}
@test "remove takes a device, or all of a user's" {
	each_registry removes
}

round_trip() {
	jq -cn 'range(3500) | {app: "s", user: "u\(. / 2 | floor)", platform: "android", token: "t\(.)", registered_ms: (. + 1)}' >devices.ndjson
	stage_file devices.ndjson push-device --store "$STORE" import -
	[ "$status" -eq 0 ]
	[ "$output" = "added 3500, updated 0, moved 0, left as newer 0, into segments 0, refused 0" ]
	device import devices.ndjson
	[ "$output" = "added 0, updated 3500, moved 0, left as newer 0, into segments 0, refused 0" ]
	device export
	has 'length == 3500 and (sort_by(.registered_ms) == $in)' --slurpfile in devices.ndjson
}
@test "what was exported can be imported, and again" {
	each_registry round_trip
}

segments() {
	device add --app s --segment vip --user ann
	[ "$output" = added ]
	device add --app s --segment vip --user ann
	[ "$output" = "was there" ]
	device add --app s --segment vip --user 'bob:%ü'
	device add --app t --segment vip --user ann
	device add --segment s:vip --user cid
	device list --app s --segment vip
	has 'sort_by(.user) == [{"app":"s","segment":"vip","user":"ann"},{"app":"s","segment":"vip","user":"bob:%ü"}]'
	device list --segment s:vip
	has '. == [{"segment":"s:vip","user":"cid"}]'
	device remove --app s --segment vip --user ann
	[ "$output" = "removed 1" ]
	device remove --app s --segment vip --user ann
	[ "$output" = "removed 0" ]
	device list --app s --segment vip
	has 'map(.user) == ["bob:%ü"]'
	device export
	has 'length == 3'
	# Users of a segment need no device, and the other way round.
	device list --app s --user ann
	[ -z "$output" ]
	device add --app s --segment vip
	[ "$status" -eq 100 ]
	logged "'user' is missing"
}
@test "segments: users in and out, apps apart" {
	each_registry segments
}

large_segments() {
	jq -cn 'range(2500) | {app: "s", segment: "vip", user: "u\(.)"}' >members.ndjson
	device import members.ndjson
	[ "$output" = "added 0, updated 0, moved 0, left as newer 0, into segments 2500, refused 0" ]
	device import members.ndjson
	[ "$output" = "added 0, updated 0, moved 0, left as newer 0, into segments 0, refused 0" ]
	device list --app s --segment vip
	has 'length == 2500 and (sort_by(.user) == ($in | sort_by(.user)))' --slurpfile in members.ndjson
	device add --app s --user ann --platform ios --token 00aa00aa
	device export
	has 'length == 2501 and ([.[] | select(.segment)] | length) == 2500'
	device remove --app s --segment vip
	[ "$output" = "removed 2500" ]
	device export
	has 'length == 1'
}
@test "segments of more than a page are imported, listed, exported and emptied" {
	each_registry large_segments
}

# --- dead tokens ---

# What push-ack tells about token TOKEN of app s.
told() { # TOKEN REASON AT_MS [NAME VALUE...]
	local token=$1 reason=$2 at=$3
	shift 3
	rcli XADD '{q}:feedback' '*' at_ms "$at" uid x app s platform android token "$token" \
		reason "$reason" "$@" >/dev/null
}

prune() {
	device prune --queue q --redis "$REDIS_URL" "$@"
}

dead_tokens() {
	jq -cn 'range(6) | {app: "s", user: "u\(.)", platform: "android", token: "t\(.)", registered_ms: 1000}' |
		push-device --store "$STORE" import -
	rcli DEL '{q}:feedback' '{q}:pruned' >/dev/null
	told t0 token-dead 2000
	told t0 token-dead 2000
	told t1 wrong-topic 2000
	told t2 token-dead 1000
	told t3 token-dead 2000 vendor_ms 1001
	told t4 token-dead 2000 vendor_ms 999
	told t9 token-dead 2000
	prune --dry-run
	[ "$output" = "would remove 2" ]
	prune
	[ "$output" = "removed 2" ]
	[ "$status" -eq 0 ]
	device export
	has '[.[].token] | sort == ["t1", "t2", "t4", "t5"]'
	# It goes on where it stopped: what comes back is not removed by old words.
	device add --app s --user u0 --platform android --token t0 --registered 1000
	prune
	[ "$output" = "removed 0" ]
	told t0 token-dead 3000
	prune
	[ "$output" = "removed 1" ]
}
@test "prune removes what was dead before it was registered again, and nothing else" {
	each_registry dead_tokens
}

mass_deletion() {
	jq -cn 'range(2000) | {app: "s", user: "u\(.)", platform: "android", token: "t\(.)", registered_ms: 1000}' |
		push-device --store "$STORE" import -
	rcli DEL '{q}:feedback' '{q}:pruned' >/dev/null
	seq 0 200 | sed "s/.*/XADD {q}:feedback * at_ms 2000 app s platform android token t& reason token-dead/" |
		rcli >/dev/null
	prune
	[ "$status" -eq 100 ]
	logged "201 of the 2000 android devices of app 's' are said to be dead, more than 10%: nothing is removed"
	device export
	has 'length == 2000'
	[ "$(rcli EXISTS '{q}:pruned')" -eq 0 ]
	# Nor too many at once, however small their share.
	prune --brake 100 --most 200
	[ "$status" -eq 100 ]
	logged "201 android devices of app 's' are said to be dead, more than 200 at once: nothing is removed"
	prune --brake 11 --most 201
	[ "$status" -eq 0 ]
	[ "$output" = "removed 201" ]
	# A few are never too many.
	device remove --app s --user u300
	told t301 token-dead 2000
	prune --brake 0
	[ "$output" = "removed 1" ]
}
@test "prune has a brake against mass deletion" {
	each_registry mass_deletion
}

@test "without a registry it says that none is named" {
	stage '' push-device list --user ann
	[ "$status" -eq 100 ]
	logged 'no device registry is named'
}

@test "prune without a queue, or without Redis" {
	STORE=lmdb:$PWD/devices
	device prune
	[ "$status" -eq 100 ]
	logged 'prune wants --queue'
	device prune --queue 'no name' --redis "$REDIS_URL"
	[ "$status" -eq 100 ]
	device prune --queue q --redis "unix://$PWD/nobody"
	[ "$status" -eq 111 ]
}

bad_lines() {
	stage '{"user":"u","platform":"ios","token":"00aa00aa"}
nonsense
{"user":"u","platform":"ios","token":"xyz"}

{"user":"v","platform":"ios","token":"00bb00bb"}' push-device --store "$STORE" import -
	[ "$status" -eq 100 ]
	[ "$output" = "added 2, updated 0, moved 0, left as newer 0, into segments 0, refused 2" ]
	logged 'line 2 refused: not one JSON object'
	logged "line 3 refused: 'token' is not hexadecimal"
	logged '2 of 5 lines refused'
}
@test "bad lines are told and skipped, and the end is not 0" {
	each_registry bad_lines
}

@test "bad devices are refused with their reason" {
	STORE=lmdb:devices
	local bad
	while read -r want bad; do
		# shellcheck disable=SC2086 # words
		device add $bad
		[ "$status" -eq 100 ]
		logged "$want"
	done <<'END'
user --platform ios --token 00aa00aa
platform --user u --token 00aa00aa
platform --user u --token 00aa00aa --platform symbian
token --user u --platform ios
token --user u --platform ios --token 00aa00a
token --user u --platform ios --token 00aa00ax
environment --user u --platform ios --token 00aa00aa --environment test
END
	device add --user u --platform ios --token 00aa00aa --registered -5
	[ "$status" -eq 100 ]
	device export
	[ -z "$output" ]
}

@test "wrong use is told" {
	STORE=lmdb:devices
	device
	[ "$status" -eq 100 ]
	logged 'no command given'
	device adopt
	[ "$status" -eq 100 ]
	logged "unknown command 'adopt'"
	device list
	[ "$status" -eq 100 ]
	logged 'no user'
	device remove
	[ "$status" -eq 100 ]
	logged 'neither user nor token'
	device remove --token aa
	[ "$status" -eq 100 ]
	logged platform
	device import
	[ "$status" -eq 100 ]
	device import /no/such/file
	[ "$status" -eq 100 ]
	logged /no/such/file
	device list --user u extra
	[ "$status" -eq 100 ]
	device import a b
	[ "$status" -eq 100 ]
	stage '' push-device export
	[ "$status" -eq 100 ]
	logged 'no device registry'
	stage '' push-device --store "unix://$PWD/nobody" export
	[ "$status" -eq 111 ]
}

@test "the registry is where push.conf says" {
	mkdir etc
	echo '{"lookup":{"store":"lmdb:devices"}}' >etc/push.conf
	stage '' push-device -c etc/push.conf add --user u --platform ios --token 00aa00aa
	[ "$status" -eq 0 ]
	[ -f etc/devices ]
	PUSH_CONFIG=etc/push.conf stage '' push-device list --user u
	has 'length == 1'
}

@test "a full disk is no success" {
	STORE=lmdb:devices
	device add --user u --platform ios --token 00aa00aa
	status=0
	push-device --store "$STORE" export >/dev/full 2>err || status=$?
	[ "$status" -eq 111 ]
	grep -q 'cannot write' err
}

@test "tokens are in no message" {
	STORE=lmdb:devices
	stage '{"user":"u","platform":"ios","token":"deadbeefx"}
{"user":"u","platform":"win","token":"deadbeef"}
{"user":"u","platform":"ios","token":"deadbeef"' push-device --store "$STORE" import -
	[ "$status" -eq 100 ]
	[[ $stderr != *deadbeef* ]]
}

@test "help names the commands, and help and version need no registry" {
	stage '' push-device --help
	[ "$status" -eq 0 ]
	[[ $output == *'add|remove|list|import FILE|export'* ]]
	stage '' push-device add --version
	[ "$status" -eq 0 ]
	[[ $output == "push-device "* ]]
}
