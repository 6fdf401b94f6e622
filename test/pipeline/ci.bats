# .ci/run: which parts it runs, and what it makes of how they end.
load ../helper.bash

# In the place of make: each target ends as the test has it.
setup() {
	unset SKIP # of the run that this is a part of
	mkdir stubs
	cat >stubs/make <<-'END_OF_STUB'
		#!/bin/bash
		echo "made: $*"
		case $* in
		check) echo '7 passed, 0 failed, 2 skipped' ;;
		check-debian13) echo '5 passed, 1 failed' && exit 1 ;;
		check-deb) echo 'check-deb: SKIPPED: it takes root' ;;
		check-chart) exit 3 ;;
		esac
	END_OF_STUB
	chmod +x stubs/make
	PATH=$PWD/stubs:$PATH
}

@test "one part alone, its counts last" {
	run -0 "$ROOT/.ci/run" check
	[ "${lines[-1]}" = '7 passed, 0 failed, 2 skipped' ]
	[[ $output != *'made: lint'* ]]
}

@test "a part that cannot run here is said to be skipped, and is no failure" {
	run -0 "$ROOT/.ci/run" check deb
	[[ ${lines[-2]} == 'deb '*' SKIPPED: it takes root' ]]
	[ "${lines[-1]}" = '7 passed, 0 failed, 2 skipped' ]
}

@test "SKIP leaves parts out by name" {
	SKIP='chart deb' run -0 "$ROOT/.ci/run" check deb chart
	[[ $output != *'made: check-chart'* ]]
	[[ ${lines[-2]} == 'chart '*' SKIPPED by name' ]]
}

@test "a part that failed counts once, and the others are run all the same" {
	run -1 "$ROOT/.ci/run" chart check
	[ "${lines[-1]}" = '7 passed, 1 failed, 2 skipped' ]
	[[ ${lines[-3]} == 'chart '*' FAILED' ]]
	run -1 "$ROOT/.ci/run" check debian13
	[ "${lines[-1]}" = '12 passed, 1 failed, 2 skipped' ]
}

@test "tests that tell of no test are a failure" {
	sed -i '/check)/d' stubs/make
	run -1 "$ROOT/.ci/run" check
	[ "${lines[-1]}" = '0 passed, 1 failed' ]
}

@test "an unknown part is refused before anything is run" {
	run -100 "$ROOT/.ci/run" check nonsense
	[[ $output != *made* ]]
}
