#!/bin/sh
# The daemon goes while somebody sits before rpctui, and one is back: nothing is
# used up meanwhile, and what was asked about the one is not answered to the
# other.  Nor is what was asked about a call or a connection that is over.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

comes() { # KEY WORDS: in the background
	key=$1
	shift
	"$rpcsh" -s "$(url tls)" --certs certs -k "$key" "$@" \
		</dev/null >"$key.out" 2>&1 &
	daemons="$daemons $!"
}

is_open() { # KEY
	ctl conns --plain | grep -q "	$1@"
}

asked() { # KEY PATTERN
	keys "$1"
	sleep 0.3
	on_screen "$2"
}

# Who was just let in gets a number, and has to be looked at once more.
asks() { # KEY PATTERN TEXT
	until_ok asked "$1" "$2"
	result $? "$3"
}

find_conn() { # NAME
	shows "^. \(--\|ok\) $1@" "there is $1"
	keys g / "$1@" Enter
	shows "^> .*$1@" 'and is selected'
}

goes() { # [SIGNAL]
	stop "$@" >/dev/null
	ended "$daemon"
	result $? 'the daemon goes'
	shows 'OFFLINE' 'which is told'
}

is_back() {
	check 'one is back' start 1 -f tui.conf --certs certs
	hides 'OFFLINE' 'which is told, too'
}

# The screen has no OFFLINE: all that was drawn together with that is in plain.
is_online() {
	screen >plain
	head -n 1 plain | grep -q ' trust ASK' &&
		! head -n 1 plain | grep -q OFFLINE
}

# That nobody answers is said for as long as that is so.
says_so_long() {
	keys Escape 2
	shows '\[2 Trust' 'all is well'
	goes
	keys A
	shows 'the daemon does not answer' 'what is asked now is not answered'
	check 'one is back' start 1 -f tui.conf --certs certs
	until_ok is_online
	result $? 'which is told'
	! grep -q 'the daemon does not answer' plain
	result $? 'and no more that it does not answer'
	keys Escape
}

# What can be asked of nobody takes no place among the orders that run.
asks_nobody() {
	comes alice --timeout 10m ping
	shows '?? alice@example.org' 'a stranger waits'
	keys 2
	shows '^> ?? alice' 'and is selected'
	goes
	for _ in 1 2 3 4 5 6 7 8 9; do
		keys Enter
		until_ok on_screen 'Later' || return 1
		keys Escape
		until_ok not_on_screen 'Later' || return 1
	done
	ok 'questions are asked and left all the same'
	is_back
	shows '^> ?? alice' 'the stranger waits still'
	keys r
	shows 'Later' 'r asks'
	once_more r 'rejected: alice' 'and rejects'
}

# Its number is another connection's of the next daemon.
kicks_nobody() {
	comes mallory ping -n 1000 -i 1s
	shows '?? mallory@' 'somebody comes'
	ctl trust approve "$(fingerprint mallory)" >out 2>err
	result $? 'and is let in'
	keys 1
	find_conn mallory
	asks x 'Close this connection?' 'x asks'
	goes KILL
	shows 'Close this connection?' 'the question is there still'
	is_back
	shows 'another daemon answers' 'until there is another daemon'
	hides 'Close this connection?' 'which is not asked'
}

number() { # KEY
	ctl conns --plain | grep "	$1@" | cut -f 1
}

follows_nobody() {
	comes mallory ping -n 1000 -i 1s
	find_conn mallory
	first=$(number mallory)
	asks t 'trace of mallory' 't follows'
	shows 'call ' 'each call'
	goes
	is_back
	shows 'it is gone' 'no connection of another daemon is followed'
	comes mallory ping -n 1000 -i 1s
	until_ok is_open mallory
	[ "$(number mallory)" = "$first" ]
	result $? 'although there is one of that number'
	ctl trust forget "$(fingerprint alice)" >out 2>err
	comes alice --timeout 10m ping
	shows 'pending 1' 'whatever came before this is shown'
	screen | sed '1,/it is gone/d' | grep -q 'call \|calls +\|idle\|busy'
	[ $? -eq 1 ]
	result $? 'and nothing is of the other one'
	keys Escape
}

# What it knows of the key may be something else than what was asked.
decides_nothing() {
	keys 2
	shows '?? alice@example.org' 'a stranger waits'
	keys g / alice Enter
	shows '^> ?? alice' 'and is selected'
	keys Enter
	shows 'Decide: new client' 'Enter asks'
	goes
	is_back
	shows 'another daemon answers' 'another daemon is not'
	hides 'Decide: new client' 'asked or told'
	keys m
	shows '^note:' 'm asks for a note'
	keys -l 'nothing much'
	goes
	is_back
	keys Enter
	shows 'another daemon answers' 'which is not for another daemon either'
}

is_called() {
	ctl calls --plain | grep -q '^wait'
}

closes() { # TITLE WORDS
	shows "$2" 'what was done elsewhere is told'
	hides "$1" 'and the question is gone'
}

# A connection is closed, a call is over, before the question is answered.
ended_before() {
	ctl trust approve "$(fingerprint alice)" >out 2>err
	comes alice call wait
	until_ok is_called
	result $? 'a call is made'
	keys 3
	shows '^[> ] wait  *alice@' 'and is shown'
	keys g
	shows '^> wait  *alice@' 'and selected'
	keys x
	shows 'Cancel this call' 'x asks'
	ctl calls --plain >list
	ctl cancel "$(number alice)" "$(cut -f 10 list)" >out 2>err
	closes 'Cancel this call' 'that call is over'
	comes alice ping -n 1000 -i 1s
	keys 1
	find_conn alice
	asks x 'Close this connection' 'x asks'
	ctl kick "$(number alice)" >out 2>err
	closes 'Close this connection' 'that connection is closed already'
}

main() {
	mark=0
	certificates
	asks_conf
	printf '[method wait]\nexec = /bin/sleep 600\ntimeout = 10m\n' >>tui.conf
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	check 'a terminal' terminal 80 24
	begin "$rpctui --socket $tmp/admin" 'rpctui'
	asks_nobody
	kicks_nobody
	follows_nobody
	decides_nothing
	ended_before
	says_so_long
	all_end
	plan
}

main
