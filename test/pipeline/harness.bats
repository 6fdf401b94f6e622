# The harness itself: what goes wrong in a test must be seen in the total.
# shellcheck disable=SC2016 # texts of tests are not expanded here
load ../helper.bash

# A tree of its own, with one program that copies its input.
setup() {
	mkdir -p tree/scripts tree/test/stages tree/test/unit tree/build/test/unit tree/bin
	cp "$ROOT/scripts/check" tree/scripts/
	cp "$ROOT/test/helper.bash" tree/test/
	cat >tree/bin/push-copy <<'END'
#!/bin/bash
if [ "$1" = --ready-fd ]; then
	echo >&"$2"
	shift 2
fi
trap 'echo ending >&2; exit 0' TERM
while read -r line; do
	echo "$line"
done
[ "$1" != fail ] || { echo "told to fail" >&2; exit 111; }
END
	chmod +x tree/bin/push-copy
	PATH=$PWD/tree/bin:$PATH
}

# Writes a file of tests, in which %test stands for @test (bats would take those
# for ours); runs it; leaves the total in `total'.
check_file() { # TEXT
	printf 'load ../helper.bash\n%s\n' "${1//%test/@test}" >tree/test/stages/one.bats
	status=0
	env -u PUSH_BIN tree/scripts/check build bin >said 2>&1 3>&- || status=$?
	cat said
	total=$(tail -n 1 said)
}

@test "passing tests are counted and end with status 0" {
	check_file '
%test "records come out" {
	stage "{\"a\":1}
{\"a\":2}
" push-copy
	[ "$status" -eq 0 ]
	has "length == 2 and .[1].a == 2"
}
%test "standard error and status are kept apart" {
	stage "{}" push-copy fail
	[ "$status" -eq 111 ]
	logged "told to fail"
	has "length == 0"
}'
	[ "$status" -eq 0 ]
	[ "$total" = "2 passed, 0 failed" ]
}

@test "a failing filter shows filter, output, errors and status" {
	check_file '
%test "no" {
	stage "{\"a\":1}
" push-copy fail
	has "length == 7"
}'
	[ "$status" -eq 1 ]
	[ "$total" = "0 passed, 1 failed" ]
	grep -q 'does not hold: length == 7' said
	grep -q '{"a":1}' said
	grep -q 'told to fail' said
	grep -q 'status: 111' said
}

@test "output that is no JSON fails a filter that anything would pass" {
	check_file '
%test "no" {
	stage "zzz
" push-copy
	has "true"
}'
	[ "$total" = "0 passed, 1 failed" ]
}

@test "skipped tests are no passed tests" {
	check_file '
%test "a" { skip; }
%test "b" { true; }'
	[ "$status" -eq 0 ]
	[ "$total" = "1 passed, 0 failed, 1 skipped" ]
}

@test "a file in which every test is skipped does not count as a run" {
	check_file '%test "a" { skip; }'
	[ "$status" -eq 1 ]
}

@test "a file that dies counts as failed" {
	check_file '
%test "a" { kill -KILL $PPID; }
%test "b" { true; }'
	[ "$status" -eq 1 ]
	[[ $total != *" 0 failed"* ]]
}

@test "a file that cannot be read counts as failed" {
	check_file '%test "a" { if; }'
	[ "$status" -eq 1 ]
	[[ $total == "0 passed, "[1-9]*" failed" ]]
}

@test "tests behind a failed setup_file count as failed" {
	check_file '
setup_file() { false; }
%test "a" { true; }
%test "b" { true; }'
	[ "$total" = "0 passed, 2 failed" ]
}

@test "a hanging test is ended" {
	check_file '
BATS_TEST_TIMEOUT=1
%test "a" { start -p copy push-copy; wait_exit copy 30; }
%test "b" { true; }'
	[ "$total" = "1 passed, 1 failed" ]
	grep -q 'timeout after 1s' said
}

@test "no tests at all is a failure" {
	run -1 env -u PUSH_BIN tree/scripts/check build bin
	[ "${lines[-1]}" = "0 passed, 0 failed" ]
}

@test "a unit test that crashes counts as failed" {
	touch tree/test/unit/test_crash.c
	printf '#!/bin/sh\necho "ok 1 a"\nkill -SEGV $$\n' >tree/build/test/unit/test_crash
	chmod +x tree/build/test/unit/test_crash
	run -1 env -u PUSH_BIN tree/scripts/check build bin
	[ "${lines[-1]}" = "1 passed, 1 failed" ]
}

@test "what a test leaves running is ended with it" {
	check_file '
%test "a" { start -p copy push-copy; pid_of copy >"$ROOT/pid"; }'
	run ! kill -0 "$(<tree/pid)"
}

@test "a program that dies before it is ready fails start with its errors" {
	cat >dies <<'END'
#!/bin/sh
echo "no such store" >&2
exit 100
END
	chmod +x dies
	run ! start dies ./dies
	[[ $output == *"no such store"* ]]
}

@test "a fed program sees the end of its input when the pipe is closed" {
	start -p one push-copy
	start -p two push-copy
	feed one '{"a":1}
'
	wait_for 1 one.out
	has_in one.out '.[0].a == 1'
	feed_end one
	wait_exit one 5
	[ "$status" -eq 0 ]
	stop two
	[ "$status" -eq 0 ]
	logged ending
}

@test "a Redis of the test is private and keeps what it is told to keep" {
	redis_up --appendonly yes
	rcli SET name value
	redis_down
	run ! redis_answers
	redis_up --appendonly yes
	[ "$(rcli GET name)" = value ]
	[ "$REDIS_URL" = "unix://$BATS_TEST_TMPDIR/redis.sock" ]
}
