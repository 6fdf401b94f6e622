# bash's completion knows what --help says, of every program.
load ../helper.bash

# Completes the last of the words as bash calls the function; the answers in `output'.
complete_words() { # PROGRAM WORD...
	output=$(bash -euc '
		compopt() { :; }
		source "$1"
		shift
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		set +e
		"$(complete -p "$1" | sed "s/.*-F \([^ ]*\).*/\1/")"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$1.completion" "$@")
}

made() { # PROGRAM
	"$ROOT/scripts/completion" "$PUSH_BIN/$1" >"$1.completion"
}

@test "every program's completion offers exactly the options of its --help" {
	local program name
	for program in "$PUSH_BIN"/push-*; do
		name=${program##*/}
		made "$name"
		complete_words "$name" --
		diff <(sort -u <<<"$output") \
			<("$program" --help | grep -oE '^ +(-[a-zA-Z], )?--[a-z][a-z0-9-]*' | grep -o -e '--.*' | sort -u)
	done
}

@test "a word that is begun, letters, and words with = and :" {
	made push-pop
	complete_words push-pop --qu
	[ "$output" = --queue ]
	complete_words push-pop -
	grep -qx -e -c <<<"$output"
	complete_words push-pop --log-format j
	[ "$output" = json ]
	complete_words push-pop --log-format = t
	[ "$output" = text ]
	complete_words push-pop --log-format =
	[ "$output" = $'text\njson' ]
	complete_words push-pop --in u
	[ "$output" = unix: ]
	touch a.sock
	complete_words push-pop --in unix : a
	[ "$output" = a.sock ]
}

@test "files where a file is due, nothing where a number is" {
	made push-pop
	touch some.conf
	complete_words push-pop -c so
	[ "$output" = some.conf ]
	complete_words push-pop --window so
	[ "$output" = "" ]
}

@test "commands of the programs that have some" {
	made push-queue
	complete_words push-queue re
	[ "$output" = $'replay\nresume' ]
	made push-device
	touch all.ndjson
	complete_words push-device im
	[ "$output" = import ]
	complete_words push-device import al
	[ "$output" = all.ndjson ]
}

@test "the TAB key of a real bash" {
	made push-queue
	made push-pop
	cat >press.py <<-'END'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if pid == 0:
		    os.environ["INPUTRC"] = "/dev/null"
		    os.execlp("bash", "bash", "--norc", "--noprofile", "-i")
		seen = b""
		def until(what):
		    global seen
		    end = time.monotonic() + 20
		    while what not in seen:
		        if time.monotonic() > end or not select.select([fd], [], [], 5)[0]:
		            sys.exit("waited for %r, saw %r" % (what, seen))
		        seen += os.read(fd, 4096)
		os.write(fd, b"PS1=; . ./push-queue.completion; . ./push-pop.completion; echo rea''dy\n")
		until(b"ready")
		os.write(fd, b"push-queue resu\t --for\tx\x01echo [\x05]\n")
		until(b"[push-queue resume --format x]")
		os.write(fd, b"push-pop --log-format=js\t\x01echo [\x05]\n")
		until(b"[push-pop --log-format=json ]")
		os.write(fd, b"exit\n")
	END
	/usr/bin/python3 press.py
}

@test "what is no program with options is refused" {
	printf '#!/bin/sh\necho nothing\n' >push-none
	chmod +x push-none
	run -111 "$ROOT/scripts/completion" ./push-none
	run -100 "$ROOT/scripts/completion"
}
