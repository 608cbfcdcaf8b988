#!/bin/sh
# The daemon goes while somebody sits before rpctui, and one is back: nothing is
# used up meanwhile, and what was asked about the one is not answered to the
# other.
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

goes() {
	stop >/dev/null
	result $? 'the daemon goes'
	shows 'OFFLINE' 'which is told'
}

is_back() {
	check 'one is back' start 1 -f tui.conf --certs certs
	hides 'OFFLINE' 'which is told, too'
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

main() {
	mark=0
	certificates
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = ask\n' \
		"$tmp/admin" >tui.conf
	printf 'known-clients = known\ntrust-wait = 10m\n' >>tui.conf
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	check 'a terminal' terminal 80 24
	begin "$rpctui --socket $tmp/admin" 'rpctui'
	asks_nobody
	keys q
	ends 0 'quit'
	term kill-server
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
