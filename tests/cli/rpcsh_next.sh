#!/bin/sh
# A server that changes its key, announced and not.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

begins() { # KEY [NEXT...]
	printf 'echo = yes\nkey = %s\n' "$1" >rpcd.conf
	title="rpcd as $1"
	shift
	for next in "$@"; do
		printf 'next-key = %s\n' "$next" >>rpcd.conf
		title="$title, then $next"
	done
	check "$title" start 1 -f rpcd.conf --certs certs --trust off \
		--listen "$kind:127.0.0.1:${port:-0}"
	server=$(url "$kind")
	port=${server##*:}
}

fp() {
	"$selfy" -fp "certs/$1.crt"
}

# trusts MODE WORDS: as alice, who has the list.
trusts() {
	mode=$1
	shift
	timeout 60 "$rpcsh" -s "$server" --certs certs -k alice --known list \
		--trust "$mode" "$@"
}

says() {
	trusts "$1" call echo --raw x
}

# A list with nothing but the server as it is.
learns() {
	rm -f list list.old
	want 0 'it is learned' says accept-new
}

rotates() { # MODE
	port=
	begins node other
	learns
	has err "next key $(fp other) noted in list\$" 'with its next key'
	has list "at=127.0.0.1:$port since=.* next=$(fp other)\$" 'in its line'
	want 0 'again' says "$1"
	[ ! -s err ]
	result $? 'says nothing'
	want 0 'find' trusts file --json trust find "$(fp other)"
	has out "\"next\":\"$(fp other)\"" 'shows it'
	stop
	begins other node
	want 0 "the announced key, $1" says "$1"
	has out '^x$' 'is believed'
	has err "key $(fp other), announced by $(fp node), has taken its place" \
		'with a note'
	! grep -q 'KEY CHANGED' err
	result $? 'and no alarm'
	[ "$(grep -c '^127' list)" = 1 ]
	result $? 'is the one that is known now'
	grep -q "next=$(fp other)" list.old
	result $? 'what was there is kept'
	stop
}

alarms() {
	begins node
	want 0 'the way back, announced, too' says strict
	stop
	begins mallory
	for mode in accept-new strict ask; do
		want 6 "a key that nobody announced, $mode" says $mode
		has err '^KEY CHANGED ' 'is an alarm'
	done
	stop
}

# Neither written to nor weaker, while it is locked.
locked() {
	port=
	begins node
	learns
	want 0 'lock' trusts file trust lock
	cp list before
	stop
	begins node other
	want 0 'a locked list' says strict
	has err "next key $(fp other) is not noted: list: is locked" 'says so'
	has err 'rpcsh --known list trust unlock, call the server once' \
		'and what to do'
	cmp -s list before
	result $? 'and stays'
	want 0 'unlock' trusts file trust unlock
	want 0 'once' says strict
	want 0 'lock' trusts file trust lock
	cp list before
	stop
	begins other
	want 0 'what it has is believed' says strict
	has err 'is in use; list is locked and stays' 'with a note'
	cmp -s list before
	result $? 'and it stays as it is'
	stop
	begins node
	want 0 'unlock' trusts file trust unlock
	want 0 'no next key' says strict
	has err 'announces no next key any more' 'takes it back'
	stop
	begins other
	want 6 'then it is a changed one' says strict
	stop
}

# What a server cannot announce, it says at start.
refused() {
	port=0
	for next in node nowhere; do
		printf 'key = node\nnext-key = %s\n' $next >rpcd.conf
		! timeout 60 "$rpcd" -f rpcd.conf --certs certs \
			--listen tls:127.0.0.1:0 -t >out 2>err
		result $? "next-key = $next"
		has err "^rpcd: rpcd.conf:2: certs/$next.key: " 'names the line'
	done
	printf 'next-key = alice\n' >rpcd.conf
	want 0 '-T' "$rpcd" -T -f rpcd.conf --certs certs
	has out '^next-key = alice$' 'shows it'
	begins node other alice
	kill -HUP "$daemon"
	learns
	has list "next=$(fp other),$(fp alice)\$" 'two are announced'
	sed -i '/other/d' rpcd.conf
	kill -HUP "$daemon"
	logged 'reloaded' 'a reload'
	until_ok one_is_left
	result $? 'announces one of them'
	want 0 'no list of addresses' says file
	stop
}

# Who is refused hears that, and nothing about keys that were never asked for.
turned_away() {
	port=0
	printf 'known-clients = clients\n' >rpcd.conf
	install -m 600 /dev/null clients
	check 'a server with a list' start 1 -f rpcd.conf --certs certs \
		-k node --listen "$kind:127.0.0.1:0"
	server=$(url "$kind")
	want 0 'which has met one' "$rpcsh" -s "$server" --certs certs \
		-k mallory call echo --raw x
	chmod 400 clients
	for mode in accept-new strict ask; do
		rm -f list
		[ $mode = accept-new ] || cp list.away list
		want 6 "refuses another, $mode" says $mode
		[ $mode != accept-new ] || cp list list.away
		[ "$(grep -vc -e '^rpcsh: .*: it may not know this key' \
			-e '^try: ' -e 'recorded' err)" = 0 ]
		result $? 'and no word of anything else'
	done
	stop
}

one_is_left() {
	says strict && grep -q " next=$(fp alice)\$" list
}

certificates
"$selfy" -k other -e other@example.org -nopass >/dev/null 2>&1
kind=tls
rotates strict
alarms
# Where there is no QUIC, TLS stands for it.
case $("$rpcsh" --version) in
*' quic '*) kind=quic ;;
esac
rotates accept-new
rotates file
turned_away
kind=tls
turned_away
locked
refused
plan
