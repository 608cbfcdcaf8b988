#!/bin/sh
# :connect to a server that is not there, or not believed: the shell stays with
# the one it has, and what it has there; and the way to the other one.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"
# shellcheck source=tests/lib/shell.sh
. "$SRC_DIR/tests/lib/shell.sh"

said() {
	screen -J | grep -q -e "$1"
	result $? "$2"
}

# What is typed is the last line, and its prompt is that.
at() {
	until_ok last_has "^lab $1> *\$"
	result $? "$2"
}

away() {
	enter ':watch jobs.done'
	fresh
	enter ":connect tls://$(own_address):1"
	said '^rpcsh: tls://.*: cannot connect: ' 'one that is not there'
	said "^rpcsh: still with $here\$" 'is not gone to'
	at 'tls strict' 'the prompt is as it was'
	enter 'tell b:=1'
	said '"b": 1' 'and so is the connection'
	where=$here
	"$rpcsh" -s "$here" -k alice --certs certs --trust accept-new \
		tell --subject jobs.done id:=7 >out 2>err
	until_ok on_screen '^push jobs.done .*"id":7'
	result $? 'with what was asked for there'
	fresh
	enter ':connect --tcp'
	at 'tls strict' 'what is no server changes nothing'
	fresh
	enter ':connect'
	said "^rpcsh: connected to $here" 'nor is it tried again'
}

strange() {
	fresh
	enter ":connect $there"
	said 'is not in .*known_server_keys' 'one that is not believed'
	said "^rpcsh: still with $here; :connect alone tries $there again\$" \
		'is not gone to either'
	enter 'tell c:=1'
	said '"c": 1' 'the connection is there'
	fresh
	enter ":trust add $there $(fingerprint mallory)" :connect
	said "^rpcsh: connected to $there" 'until its key is added'
	enter 'echo d:=1'
	said '"d": 1' 'then it is'
}

main() {
	certificates
	check 'another server' start 1 --listen tls:127.0.0.1:0 -k mallory \
		--trust off --echo
	there=$(url tls)
	check 'a server' start_own typedserver tls://127.0.0.1:0 odd certs
	here=$(url tls)
	"$rpcsh" ctx add lab "server=$here" certs=certs key=alice \
		trust=strict --quiet
	"$rpcsh" -c lab --trust accept-new tell >out 2>err
	term new-session -d -x 100 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c lab; echo END-\$?; cat"
	at 'tls strict' 'a shell'
	away
	strange
	term kill-server
	stop >/dev/null
	plan
}

main
