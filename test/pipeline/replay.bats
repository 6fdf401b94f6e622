# scripts/replay: a captured file, raw or from anywhere down the chain, gets the
# same decisions again from the same rules, and other ones are shown.
load ../helper.bash

setup() {
	for i in {1..60}; do
		printf '{"app":"shop","id":"t%d","user":"u%d","campaign":"c%d","dedupe_key":"k%d","device":{"platform":"ios","token":"%064d"},"message":{"notification":{"title":"hello %d"}}}\n' \
			"$i" $((i % 7)) $((i % 4)) $((i % 50)) $((i % 50)) "$i"
	done >tasks
	printf 'no json\n{"app":"shop","user":"nameless"}\n' >>tasks
	chain <tasks >captured
}

replay() {
	"$ROOT/scripts/replay" "$@"
}

chain() {
	push-risk --stopped-campaign c3 | push-dedupe --store memory: |
		push-fatigue --store memory: --limit 5 --per 1h
}

@test "the same rules take the same decisions, at every stage of the chain" {
	jq -es 'map(.trace.reason) | unique == [null, "campaign-stopped", "duplicate", "fatigue-cap", "malformed"]' captured
	stage_file /dev/null replay risk captured --stopped-campaign c3
	[ "$status" -eq 0 ]
	[[ $output == '62 records: 62 decided as before, 0 otherwise, 0 for the first time' ]]
	stage_file /dev/null replay push-dedupe captured --store memory:
	[ "$status" -eq 0 ]
	[[ $output == *'62 decided as before'* ]]
	stage_file captured replay fatigue - --store memory: --limit 5 --per 1h
	[ "$status" -eq 0 ]
	[[ $output == *'62 decided as before'* ]]
}

@test "other rules show what would change, by record and in sum" {
	stage_file /dev/null replay risk captured --stopped-campaign c1
	[ "$status" -eq 1 ]
	grep -Eq '^record +captured +now$' "$output_file"
	grep -Eq '^t1 +passed +suppressed campaign-stopped$' "$output_file"
	grep -Eq '^t3 +suppressed campaign-stopped +passed$' "$output_file"
	run ! grep -Eq '^t2 ' "$output_file"
	grep -Fxq '62 records: 32 decided as before, 30 otherwise, 0 for the first time' "$output_file"
	grep -Fxq '  15  passed -> suppressed campaign-stopped' "$output_file"
}

@test "raw tasks are decided for the first time, which is no difference" {
	stage_file /dev/null replay risk tasks --stopped-campaign c3
	[ "$status" -eq 0 ]
	[[ $output == *'62 records: 0 decided as before, 0 otherwise, 62 for the first time'* ]]
	[[ $output == *'  15  - -> suppressed campaign-stopped'* ]]
}

@test "a stage under another name is found in the trace by it" {
	push-risk --node risk-2 --stopped-campaign c3 <tasks >captured
	stage_file /dev/null replay risk captured --node risk-2 --stopped-campaign c3
	[ "$status" -eq 0 ]
	[[ $output == *'62 decided as before'* ]]
}

@test "lines that are no records do not upset the count" {
	printf '%s\n' nonsense '{"id":"a"}' '' '[1]' >lines
	stage '' replay risk lines
	[ "$status" -eq 0 ]
	[[ $output == *'3 records: 0 decided as before, 0 otherwise, 3 for the first time'* ]]
	[[ $output == *'2  - -> rejected malformed'* ]]
}

@test "wrong use ends with 100, a stage in trouble with 111" {
	for args in '' risk 'risk no-such-file' 'risk .' 'stats captured' 'nothing captured' 'risk captured --no-such-option'; do
		# shellcheck disable=SC2086 # these are several words
		stage '' replay $args
		[ "$status" -eq 100 ]
	done
	stage '' replay dedupe captured --store unix:///no/such/socket
	[ "$status" -eq 111 ] || [ "$status" -eq 100 ]
}
