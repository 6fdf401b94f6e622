# Help, pages and tables say the same.  Each test walks over all programs and
# prints everything that differs.
load ../helper.bash

programs() {
	local f name
	for f in "$PUSH_BIN"/push-*; do
		name=${f##*/}
		if [ -x "$f" ]; then
			echo "$name"
		fi
	done
}

# Calls COMMAND with each program's name; prints all complaints, fails if there are any.
each_program() {
	local name complaints
	[ -n "$(programs)" ]
	complaints=$(for name in $(programs); do "$1" "$name"; done)
	echo "$complaints"
	[ -z "$complaints" ]
}

# The same for those that have a page; the first test tells which have none.
each_documented() {
	programs() {
		local f
		for f in "$PUSH_BIN"/push-*; do
			[ ! -e "$(page "${f##*/}")" ] || echo "${f##*/}"
		done
	}
	each_program "$1"
}

page() {
	echo "$ROOT/man/$1.1"
}

# Shows how two lists differ, as complaints about NAME.
differ() { # NAME LABEL1 LIST1 LABEL2 LIST2
	diff <(sort -u <<<"$3") <(sort -u <<<"$5") | sed -n \
		-e "s/^< \(..*\)/$1: \1 is in $2, not in $4/p" \
		-e "s/^> \(..*\)/$1: \1 is in $4, not in $2/p"
}

# Long options under a heading of --help, one a line.
help_options() { # PROGRAM HEADING
	"$1" --help | awk -v want="$2" '
		/^[^ \t].*:$/ { inside = $0 == want ":" }
		inside && match($0, /^ +(-[A-Za-z0-9], )?--[a-z][a-z0-9-]*/) {
			s = substr($0, RSTART, RLENGTH)
			sub(/^.*--/, "--", s)
			print s
		}'
}

# Long options that a page describes, one a line.
page_options() { # FILE
	awk '/^\.It Fl / {
		for (i = 3; i <= NF; i++)
			if ($i ~ /^\\-[a-z]/ && $(i - 1) == "Fl") {
				s = $i
				sub(/^\\-/, "--", s)
				sub(/Ns.*$|=.*$/, "", s)
				print s
			}
	}' "$1"
}

has_page() {
	[ -s "$(page "$1")" ] || echo "$1: no page man/$1.1"
}

@test "every program has a page" {
	each_program has_page
}

one_sentence() {
	local help page
	help=$("$1" --help | head -n 1)
	page=$(sed -n 's/^\.Nd //p' "$(page "$1")" | sed 's/\\-/-/g; s/\\&//g; s/\\(aq/'\''/g')
	[ "$help" = "$1 - $page" ] || printf '%s: help begins: %s\n%s: page says: %s - %s\n' \
		"$1" "$help" "$1" "$1" "$page"
}

@test "the first line of --help is the sentence of the page" {
	each_documented one_sentence
}

same_options() {
	differ "$1" --help "$(help_options "$1" Options)" "its page" "$(page_options "$(page "$1")")"
}

@test "--help and the page have the same options" {
	each_documented same_options
}

common_options() {
	local common
	common=$(help_options "$1" 'Common options')
	[ -n "$common" ] || return 0
	differ "$1" --help "$common" 'push(7)' "$(page_options "$ROOT/man/push.7")"
}

@test "the options that every stage has are those of push(7)" {
	each_program common_options
}

says_version() {
	local said
	said=$("$1" --version) || echo "$1 --version: exit status $?"
	[ "$said" = "$1 $(<"$ROOT/VERSION")" ] || echo "$1 --version says: $said"
}

@test "--version prints name and version" {
	each_program says_version
}

help_ends() {
	"$1" --help >/dev/null || echo "$1 --help: exit status $?"
}

@test "--help ends with status 0" {
	each_program help_ends
}

refuses() {
	local status=0
	"$1" --no-such-option </dev/null >out 2>err || status=$?
	[ $status -eq 100 ] || echo "$1 --no-such-option: exit status $status"
	[ ! -s out ] || echo "$1 --no-such-option: prints on standard output"
	grep -q no-such-option err || echo "$1 --no-such-option: does not name it"
}

@test "an unknown option is named and ends with status 100" {
	each_program refuses
}

common_reach_page() {
	grep -q '^\.Xr push 7' "$(page "$1")" || echo "$1: the page does not refer to push(7)"
}

@test "every page refers to push(7)" {
	each_documented common_reach_page
}

# The order of style: what is there stands in this order.
sections_in_order() {
	awk -v name="$1" '
	BEGIN {
		n = split("NAME|SYNOPSIS|DESCRIPTION|RECORD MEMBERS|ENVIRONMENT|FILES|EXIT STATUS|" \
			"EXAMPLES|DIAGNOSTICS|SEE ALSO|STANDARDS|CAVEATS", order, "|")
		for (i = 1; i <= n; i++)
			place[order[i]] = i
	}
	/^\.Sh / {
		s = substr($0, 5)
		gsub(/"/, "", s)
		if (!(s in place))
			print name ": section " s " is not one of the known ones"
		else if (place[s] < last)
			print name ": section " s " stands too late"
		else
			last = place[s]
		has[s] = 1
	}
	END {
		n = split("NAME|SYNOPSIS|DESCRIPTION|EXIT STATUS|EXAMPLES|SEE ALSO", must, "|")
		for (i = 1; i <= n; i++)
			if (!(must[i] in has))
				print name ": no section " must[i]
	}' "$(page "$1")"
}

@test "pages have their sections in the usual order" {
	each_documented sections_in_order
}

@test "every page has a program" {
	local page name
	for page in "$ROOT"/man/push-*.1; do
		name=${page##*/}
		[ -x "$PUSH_BIN/${name%.1}" ] || [ -x "$ROOT/scripts/${name%.1}" ] ||
			{ echo "$name: no such program" && return 1; }
	done
}

@test "push-record(5) has every reason of the table" {
	[ -e "$ROOT/lib/record/outcome.c" ] || skip "no table yet"
	local reason missing=''
	[ -e "$ROOT/man/push-record.5" ]
	[ "$("$ROOT/scripts/reasons" | wc -l)" -gt 20 ]
	for reason in $("$ROOT/scripts/reasons"); do
		sed 's/\\-/-/g' "$ROOT/man/push-record.5" | grep -qE "(^|[ \"])$reason(\$|[ \",.])" ||
			missing+=" $reason"
	done
	echo "not in push-record(5):$missing"
	[ -z "$missing" ]
}

@test "push.conf(5) has every member of the table, with its type" {
	awk -F '"' '/^static const struct conf_row table/ { on = 1 } /^};/ { on = 0 }
		on && /^\t\{ "/ && $2 != "" { print $2 }' "$ROOT/lib/record/conf_table.c" | sort >table
	[ "$(wc -l <table)" -gt 50 ]
	sed -n 's/^\.It Li //p' "$ROOT/man/push.conf.5" | sort >page
	diff table page
}

# The Nth example, and the files that both name.
conf_example() { # N
	local keys=$ROOT/test/fixtures/keys
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$ROOT/man/push.conf.5" |
		awk -v n="$1" '/^\.Bd/ { at++; next } /^\.Ed/ { at++ } at == 2 * n - 1' |
		sed 's/\\(dq/"/g; s/\\e/\\\\/g' >push.conf
	[ -s push.conf ]
	cp "$keys/test-only-hs256-secret" shop-k1.secret
	cp "$keys/test-only-es256-public.pem" shop-k2.pem
	cp "$keys/test-only-es256.p8" AuthKey_ABC123DEFG.p8
	cp "$keys/test-only-service-account.json" shop-firebase.json
	stage '' push-run --check -c push.conf --log-format text
	[ "$status" -eq 0 ]
	logged 'the configuration is right'
}

@test "the example of push.conf(5) is a configuration" {
	conf_example 1
	stage '{"id":"a","campaign":"spring-sale"}' push-risk -c push.conf --stops none --replay
	[ "$status" -eq 0 ]
	has '.[0].trace.reason == "campaign-stopped"'
}

@test "the second example of push.conf(5) names every policy that the table knows" {
	conf_example 2
	awk -F '"' '/^static const struct conf_row table/ { on = 1 } /^};/ { on = 0 }
		on && /^\t\{ "/ && $4 !~ /^(object|map|list)$/ { print $2 }' "$ROOT/lib/record/conf_table.c" |
		grep -E '^(apps|auth|risk|lookup|dedupe|fatigue)\.' | grep -vE '^apps\.\*\.(apns|fcm)' | sort >table
	[ "$(wc -l <table)" -gt 50 ]
	# As the table writes them: [] for places in lists, * for names of our own.
	jq -r 'paths(type | . != "object" and . != "array") | map(if type == "number" then "[]" else "." + . end) | add[1:]
		| sub("^apps\\.[^.]+"; "apps.*") | sub("\\.keys\\.[^.]+"; ".keys.*")' push.conf | sort -u | grep -v '^queues' >named
	diff table named
}

@test "each policy of that example decides what its member says" {
	local policy
	conf_example 2
	push-device -c push.conf import - <<-'END'
		{"app":"shop","user":"u1","platform":"ios","token":"aa01aa01","registered_ms":1}
		{"app":"shop","user":"u2","platform":"android","token":"t2","registered_ms":1}
	END
	# One a line: the reason that it must get, and its members.  14:00 in Berlin,
	# the last one at 23:00.
	sed 's/^\([a-z-]*\)  *\(.*\)$/{"id":"\1",\2,"created_ms":1751371200000}/' >tasks <<-'END'
		sent                  "app":"shop","user":"u1","category":"otp"
		sent-to-a-topic       "app":"shop","topic":"shop-news","category":"otp"
		sent-to-a-channel     "app":"shop","channel":"dHN0LXNyY2gtY2hubA==","category":"otp"
		unknown-app           "app":"nobody","user":"u1"
		not-allowed           "app":"shop","topic":"other","category":"otp"
		not-allowed           "app":"shop","channel":"AAAA","category":"otp"
		not-allowed           "app":"shop","user":"u1","category":"other"
		not-allowed           "app":"shop","device":{"platform":"android","token":"x"},"category":"otp"
		sent-for-a-trial      "app":"trial","topic":"x"
		quota                 "app":"trial","topic":"x"
		campaign-stopped      "app":"shop","user":"u1","category":"otp","campaign":"spring-sale"
		app-stopped           "app":"old-shop","user":"u1"
		category-stopped      "app":"shop","user":"u1","category":"survey"
		risk-user             "app":"shop","user":"u-4711","category":"otp"
		risk-device           "app":"shop","device":{"platform":"ios","token":"00aa11bb"},"category":"otp"
		risk-content          "app":"shop","user":"u1","category":"otp","message":{"notification":{"body":"a FREE iPhone"}}
		risk-link             "app":"shop","user":"u1","category":"otp","message":{"notification":{"body":"https://www.evil.example/x"}}
		sent-wild-one         "app":"shop","user":"u1","category":"marketing","campaign":"wild"
		sent-wild-two         "app":"shop","user":"u1","category":"marketing","campaign":"wild"
		risk-surge            "app":"shop","user":"u1","category":"marketing","campaign":"wild"
		platform-not-allowed  "app":"shop","user":"u2","category":"otp"
		no-device             "app":"shop","user":"u3","category":"otp"
		sent-order-one        "app":"shop","user":"u1","category":"orders","message":{"data":{"n":"1"}}
		sent-order-two        "app":"shop","user":"u1","category":"orders","message":{"data":{"n":"2"}}
		fatigue-cap           "app":"shop","user":"u1","category":"orders","dedupe_key":"3"
		sent-first            "app":"shop","user":"u1","category":"marketing","priority":"low","message":{"data":{"n":"1"}}
		duplicate             "app":"shop","user":"u1","category":"marketing","priority":"low","message":{"data":{"n":"1"}}
		quiet-hours-deferred  "app":"shop","user":"u1","category":"marketing","priority":"low","message":{"data":{"n":"2"}}
	END
	sed -i '$s/1751371200000/1751403600000/' tasks
	for policy in auth risk lookup dedupe fatigue; do
		"push-$policy" -c push.conf --replay <tasks >next
		mv next tasks
	done
	jq -r '(.trace.reason // "sent") as $is | select(.id | startswith($is) | not) | "\(.id): \($is)"' tasks >otherwise
	diff otherwise /dev/null
	[ "$(wc -l <tasks)" -eq 28 ]
}

@test "the first pipeline of README says what README says" {
	sed -n '/^## A first pipeline/,/^Nothing is swallowed/p' "$ROOT/README.md" >part
	awk '/^```/ { block++; next } block == 1' part | sed 's,bin/,,; /^make$/d' >pipeline
	awk '/^```/ { block++; next } block == 3' part >wanted
	[ -s pipeline ] && [ -s wanted ]
	bash pipeline >got
	diff wanted got
}
