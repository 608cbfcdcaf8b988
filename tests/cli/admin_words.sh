#!/bin/sh
# Why there is no getting to a daemon: rpcd ctl and rpctui say it in the same
# words.  TAP on standard output; programs in $BUILD_DIR/bin, files below
# $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
rpctui=$BUILD_DIR/bin/rpctui
form=

# both STATUS TEXT PATTERN [--socket PATH]: pattern: of what is wrong; the same
# from both.  $by runs them, as somebody else; $form is --json, or nothing.
both() {
	status=$1
	of=$2
	pattern=$3
	shift 3
	# shellcheck disable=SC2086 # words
	want "$status" "$of: rpcd ctl" ${by:-} "$rpcd" ctl "$@" $form status
	cp err by_last
	sed 's/rpcd ctl/PROGRAM/g' err >by_ctl
	# shellcheck disable=SC2086 # words
	want "$status" "$of: rpctui" ${by:-} "$rpctui" "$@" --once $form
	sed 's/rpctui/PROGRAM/g' err >by_tui
	grep -q -e "$pattern" by_ctl && cmp by_ctl by_tui >out
	result $? "$of: said the same"
}

# What rpcd ctl said last advises that.
advised() {
	grep -q -e "^try: $1" by_last
	result $? "and advises $1"
}

# ---- nobody there ----

absent() {
	both 4 'none at all' 'no admin socket: neither '
	at=$tmp/none
	both 4 'no such file' 'none: cannot connect: No such file' \
		--socket "$at"
	advised 'is rpcd running'
	form=--json
	both 4 'in JSON' '"exit":4,"text":".*none: .*","try":"is rpcd running' \
		--socket "$at"
	form=
	: >file
	both 4 'no socket' 'file: cannot connect: Connection refused' \
		--socket "$tmp/file"
	both 2 'a folder' 'names a directory' --socket "$tmp/"
	both 2 'a long path' 'longer than 107' \
		--socket "$tmp/$(printf '%0300d' 0)"
}

# ---- another's ----

# Where nobody else may look, in a folder that all may enter.
public() {
	pub=$(mktemp -d /tmp/rpckit-words-XXXXXX) && chmod 755 "$pub"
}

serve() {
	printf 'listen = tcp:127.0.0.1:0\nadmin = %s\n' "$pub/admin" >a.conf
	check 'a daemon' start 1 -f a.conf
	at=$pub/admin
}

others() {
	nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
	if [ "$(id -u)" != 0 ] || ! $nobody "$rpctui" -V >out 2>err; then
		ok 'another user # skip we are nobody else'
		return
	fi
	public
	serve
	by=$nobody
	both 4 'another user' "$at: not allowed: it is for root\$" \
		--socket "$at"
	advised "sudo -u root rpcd ctl --socket $at\$"
	# The daemon itself does not want him, whatever the file says.
	chmod 666 "$at"
	both 4 'not by its mode alone' \
		"$at: not allowed: it is for root\$" --socket "$at"
	advised "sudo -u root rpcd ctl --socket $at\$"
	chmod 660 "$at"
	both 4 'a group of root' "not allowed: it is for root\$" \
		--socket "$at"
	advised 'sudo -u root '
	chgrp 1 "$at"
	both 4 'for a group' 'for root and the group .*, which .* is not in' \
		--socket "$at"
	advised 'sudo usermod -aG '
	# Our own, and shut.
	by=
	stop
	mkdir shut
	chown 65534 shut
	mv shut "$pub/shut"
	by=$nobody
	chmod 600 "$pub/shut"
	at=$pub/shut/admin
	both 4 'a folder of ours' "$at: not allowed\$" --socket "$at"
	advised "chmod u+x $pub/shut\$"
	by=
	rm -rf "$pub"
}

# ---- others there ----

# Who hangs up at once, or answers nothing that is asked here.
strangers() {
	cat >mute.py <<'END'
import socket
s = socket.socket(socket.AF_UNIX)
s.bind('mute')
s.listen()
print('listening', flush=True)
while True:
    s.accept()[0].close()
END
	python3 mute.py </dev/null >mute.out 2>&1 &
	daemons="$daemons $!"
	until_ok grep -q listening mute.out
	at=$tmp/mute
	both 4 'who hangs up' "$at: the connection was closed without an answer" \
		--socket "$at"
	advised 'is that the daemon.s socket'
	! grep -q 'not allowed' by_last
	result $? 'which is no refusal of ours'
	check 'a daemon' start 1 --listen "unix:$tmp/calls" --admin none
	both 8 'no admin socket' "$tmp/calls: this is no admin socket" \
		--socket "$tmp/calls"
	stop
}

says_so() {
	echo s >&8
	grep -q "^the daemon does not answer: $words\$" plain
}

# What is at the socket now is none, since rpctui began.
replaced() {
	mkdir -m 700 place
	at=$tmp/place/at
	printf 'listen = tcp:127.0.0.1:0\nadmin = %s\n' "$at" >b.conf
	check 'a daemon' start 1 -f b.conf
	mkfifo keys
	"$rpctui" --socket "$at" --plain <keys >plain 2>plain.err &
	daemons="$daemons $!"
	exec 8>keys
	until_ok grep -q ' status rpcd ' plain
	result $? 'rpctui has begun'
	stop
	until_ok grep -q ' offline: ' plain
	result $? 'and says that it ended'
	check 'another' start 1 --listen "unix:$at" --admin none
	want 8 'in its place' "$rpcd" ctl --socket "$at" status
	words=$(sed -n 's/^rpcd ctl: //p' err)
	until_ok says_so
	result $? 'is told of alike'
	exec 8>&-
	stop
}

# Who does not let us ask says so by himself.
refusing() {
	mkdir odd
	: >odd/_.status
	: >odd/_.status.no
	"$BUILD_DIR/test/oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>&1 &
	daemons="$daemons $!"
	until_ok grep -q listening odd.out
	both 6 'a refusal' 'PROGRAM: not allowed for this caller$' \
		--socket "$tmp/odd.sock"
	advised 'this socket only shows'
}

# As where all places are taken by others.
busy() {
	cat >full.py <<'END'
import signal, socket
s = socket.socket(socket.AF_UNIX)
s.bind('full')
s.listen(0)
held = []
try:
    while True:
        c = socket.socket(socket.AF_UNIX)
        c.setblocking(False)
        c.connect('full')
        held.append(c)
except BlockingIOError:
    print('full', flush=True)
signal.pause()
END
	python3 full.py </dev/null >full.out 2>&1 &
	daemons="$daemons $!"
	until_ok grep -q full full.out
	at=$tmp/full
	both 4 'no place' "$at: busy: too many are connected" --socket "$at"
	advised 'again in ten seconds'
}

absent
others
strangers
replaced
refusing
busy
plan
