# The crash harness itself: scripts/check-crash must be able to fail.  Its long run is `make check-crash'.
load ../helper.bash

@test "the crash harness sees what a naive consumer loses" {
	export BATS_TEST_TIMEOUT=$((120 * PUSH_TEST_SLOW))
	CRASH_TASKS=300 CRASH_KILLS=1 run "$ROOT/scripts/check-crash" --naive
	[ "$status" -eq 1 ]
	[[ $output =~ \ lost\ +([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -gt 0 ]
	[[ $output == *'FAILED'* ]]
}

@test "the crash harness sees what is repeated outside the window and over the cap" {
	export BATS_TEST_TIMEOUT=$((180 * PUSH_TEST_SLOW))
	# Nobody remembers what was delivered.
	CRASH_TASKS=400 CRASH_KILLS=2 run "$ROOT/scripts/check-crash" \
		--conf '{"dedupe": {"store": "memory:"}, "fatigue": {"store": "memory:"}}'
	[ "$status" -eq 1 ]
	[[ $output =~ outside\ the\ window\ +([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -gt 0 ]
	[[ $output =~ over\ the\ cap\ +([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -gt 0 ]
}

@test "a short run of the crash harness finds nothing wrong" {
	export BATS_TEST_TIMEOUT=$((240 * PUSH_TEST_SLOW))
	CRASH_TASKS=300 CRASH_KILLS=1 SEED=${SEED:-4} run "$ROOT/scripts/check-crash"
	[ "$status" -eq 0 ]
	[[ $output == *'nothing lost, nothing twice'* ]]
}

@test "the crash harness knows its options" {
	run "$ROOT/scripts/check-crash" --never
	[ "$status" -eq 100 ]
	[[ $output == 'usage: scripts/check-crash'* ]]
}
