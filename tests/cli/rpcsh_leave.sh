#!/bin/sh
# Ctrl-C in the shell, whenever it comes: between the end of a typed line and
# what that line does, while it connects, and while it waits.
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

ready='^lab .*> *$'

# Each line waits for this before it does anything: a second at most.
hold() {
	{
		flock 9
		: >held
		exec sleep 60
	} 9>.local/state/rpckit/.history-lab.lock &
	holder=$!
	until_ok test -e held
}

let_go() {
	kill "$holder"
	wait "$holder" 2>/dev/null
	rm -f held
}

# The screen is wiped by the next one: what is there is of this line.
left() {
	until_ok cooked && keys C-c && let_go && until_ok last_has "$ready"
}

# early LINE: Ctrl-C comes when it is typed, and has not begun.
early() {
	fresh
	hold
	keys -l -- "$1"
	keys Enter
	left
	result $? "early: $1"
}

# late LINE: it comes at some moment.
late() {
	fresh
	keys -l -- "$1"
	keys Enter
	until_ok cooked && keys C-c && until_ok last_has "$ready"
	result $? "late: $1"
}

lines() {
	"$1" 'tell b:=1'
	screen -J | grep -q 'tell: canceled'
	result $? 'which is said'
	"$1" 'tell -n 1000 b:=1'
	"$1" 'call -o ndjson mirror -d -'
	"$1" 'call -o ndjson forever --stream down'
	"$1" 'exec tell'
	"$1" 'ping -n 1000'
	"$1" 'put Files.put file'
	"$1" 'put tell file'
	"$1" 'get Files.get --out got'
	"$1" 'bench tell a:=1'
	"$1" 'watch jobs'
	"$1" 'watch tell --every 1s'
	"$1" ':source script'
	"$1" 'tell --server-only b:=1'
	"$1" 'call --server-only -o ndjson forever --stream down'
}

# The server is as if it was hung: nothing but Ctrl-C ends what waits for it.
hung() {
	kill -STOP "$daemon"
	lines early
	lines late
	fresh
	keys -l 'tell c:=1'
	keys C-c
	until_ok last_has "$ready"
	result $? 'at the prompt it clears the line'
	kill -CONT "$daemon"
	enter 'tell d:=1'
	screen | grep -q '"d": 1'
	result $? 'and the shell goes on'
	! screen -J | grep -q 'END'
	result $? 'as it always did'
}

# However often, and at whatever moment.
often() {
	kill -STOP "$daemon"
	ok=0
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		keys -l "tell e:=$i"
		keys Enter
		until_ok last_has "e:=$i\$"
		until_ok cooked || break
		keys C-c
		until_ok last_has "$ready" || break
		ok=$i
	done
	kill -CONT "$daemon"
	[ "$ok" -eq 12 ]
	result $? 'twelve times'
}

# One key press is one signal, but a key that is held is many, and what ends a
# group sends one besides: none of them ends the shell.
burst() {
	kill -STOP "$daemon"
	shell=$(pgrep -x -P "$(term display -p -t t '#{pane_pid}')" rpcsh)
	for words in 'exec tell' 'call -o ndjson forever --stream down' \
		'tell f:=1' 'get Files.get --out got' 'watch jobs' \
		'ping -n 1000' 'bench tell a:=1' ':source script'; do
		fresh
		keys -l -- "$words"
		keys Enter
		until_ok cooked
		sleep 0.2
		python3 -c 'import os, sys
for _ in range(3000):
    os.kill(int(sys.argv[1]), 2)' "$shell"
		until_ok last_has "$ready"
		result $? "many at once: $words"
	done
	kill -CONT "$daemon"
	kill -0 "$shell"
	result $? 'end no shell'
}

main() {
	certificates
	check 'a server' start_own typedserver tls://127.0.0.1:0 odd certs
	"$rpcsh" ctx add lab "server=$(url tls)" certs=certs key=alice \
		trust=accept-new timeout=1h connect-timeout=10m --quiet
	echo 'tell a:=1' >script
	echo 'tell a:=2' >>script
	echo text >file
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c lab; echo END-\$?; cat"
	until_ok last_has "$ready"
	result $? 'a shell'
	enter 'tell a:=1'
	hung
	often
	burst
	term kill-server
	stop >/dev/null
	plan
}

main
