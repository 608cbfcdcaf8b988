#!/bin/sh
# tests/run gives a test that failed one more chance, alone, and says so; and
# none where a sanitizer spoke, a process was left or too much failed.
# TAP on standard output; files below $TEST_TMP.
set -u
cd "${TEST_TMP:?}" || exit 1
n=0
failed=0

result() { # STATUS TEXT
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
		return
	fi
	failed=1
	echo "not ok $n - $2"
	sed 's/^/# /' said
}

# says PATTERN TEXT
says() {
	grep -q -e "$1" said
	result $? "$2"
}

# ends LINE STATUS TEXT WORDS...: the last line of tests/run, and its status.
ends() {
	line=$1
	status=$2
	text=$3
	shift 3
	rm -f ran.*
	"${SRC_DIR:?}/tests/run" "$@" >said 2>&1
	got=$?
	[ "$got" = "$status" ] && [ "$(tail -n 1 said)" = "$line" ]
	result $? "$text"
}

# A command that fails the first time, and how often it ran.
once() { # NAME [FAILURE]
	echo "$1=echo $1 >>$PWD/ran.$1; [ \$(wc -l <$PWD/ran.$1) = 2 ] || {
		echo said by $1; ${2:-exit 1}; }"
}

ran() { # NAME TIMES
	[ "$(wc -l <"ran.$1")" = "$2" ]
	result $? "$1 has run so often: $2"
}

ends '1 passed, 0 failed' 0 'what passes' 'fine=true'
! grep -q -i unsteady said
result $? 'is steady'
ends '0 passed, 1 failed' 1 'what always fails' 'bad=echo why; false'
says '^FAIL bad ' 'is shown'
says 'failed again, alone' 'with both its failures'
ends '2 passed, 0 failed' 0 'what fails once' "$(once a)" 'fine=true'
says '^UNSTEADY a ' 'is named'
says '^   | said by a$' 'with what it said'
says '^1 test was unsteady: a$' 'and beside the sum'
ran a 2
ends '2 passed, 0 failed' 0 'two of them' "$(once a)" "$(once b)"
says '^2 tests were unsteady: [ab] [ab]$' 'are named'
ends '0 passed, 3 failed' 1 'three' "$(once a)" "$(once b)" "$(once c)"
says 'not tried again: 3 tests failed' 'are too many'
ran a 1
ends '0 passed, 1 failed' 1 'one that is to run once' --once "$(once a)"
ran a 1
for failure in 'exit 99' 'kill -SEGV $$' 'echo x >$TEST_TMP.report.1; exit 1' \
	'setsid sleep 1000 & exit 0'; do
	rm -f ran.a
	"$SRC_DIR/tests/run" "$(once a "$failure")" >said 2>&1
	[ $? = 1 ] && grep -q '^FAIL a ' said
	result $? "no other chance after: $failure"
	ran a 1
done
remark='==7==Unable to get registers from thread 7.'
ends '1 passed, 0 failed' 0 'a remark of the search for leaks' \
	"a=echo '$remark' >\$TEST_TMP.report.1"
ends '1 passed, 1 failed' 1 'a remark and a leak' \
	"a=printf '%s\\n' '$remark' leak >\$TEST_TMP.report.1"
tap='echo 1..2; echo ok 1; if [ -e seen ]; then echo ok 2; else
	echo not ok 2; : >seen; fi'
ends '2 passed, 0 failed' 0 'TAP' "tap=cd $PWD && { $tap; }"
: >tally
ends '1 passed, 0 failed' 0 'a tally' 'fine=true'
"$SRC_DIR/tests/run" --tally tally "$(once d)" \
	'skips=echo 1..1; echo "ok 1 # skip"' >said
"$SRC_DIR/tests/run" --tally tally 'fine=true' 'bad=false' >>said
ends '2 passed, 1 failed' 1 'is added up' --sum tally
[ "$(sed -n 1,2p said)" = '1 test was unsteady: d
1 skipped' ]
result $? 'with what was unsteady'
echo "1..$n"
exit "$failed"
