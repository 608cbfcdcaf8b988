#!/bin/sh
# How far a file is, on a terminal of 80 by 24: one line, never wider, gone when
# it is over; nothing of it where nobody looks.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

term() {
	TMUX_TMPDIR=$tmp tmux -L t -f /dev/null "$@"
}

terminal() {
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp PS1='\$ ' \
	    TERM=screen-256color LC_ALL=C.UTF-8 PATH=$PATH ENV= \
	    RPCKIT_SERVER=$(url tcp) sh"
	until_ok on_screen '^\$ *$'
}

screen() {
	term capture-pane -p -t t
}

on_screen() {
	screen | grep -q -e "$1"
}

type_in() {
	term send-keys -t t "clear; $1; echo END-\$?" Enter
}

# A moment of bytes, and a look.
feed_and_see() {
	head -c 200000 /dev/zero >&9
	on_screen "$1"
}

# All that a wide name leaves room for stands in one line.
one_line() {
	screen >plain
	python3 - "$1" <<-'END'
		import re, sys, unicodedata
		lines = open("plain", encoding="utf-8").read().split("\n")
		at = [i for i, s in enumerate(lines) if re.search(sys.argv[1], s)]
		if len(at) != 1:
		    sys.exit("%d lines" % len(at))
		width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1
		            for c in lines[at[0]].rstrip())
		if not 60 <= width <= 79:
		    sys.exit("%d columns" % width)
	END
}

upload() {
	mkfifo feed
	type_in "'$rpcsh' put docs.put - --as '$name' <feed"
	exec 9>feed
	until_ok feed_and_see 'B/s'
	result $? 'put shows how much and how fast'
	until_ok one_line '~  [0-9.]* [kM]B  [0-9.]* [kM]B/s'
	result $? 'in one line, below a cut name'
	exec 9>&-
	until_ok on_screen '^END-0'
	result $? 'it ends'
	on_screen '^rpcsh: sent '
	result $? 'says what it has done'
	! on_screen 'B/s'
	result $? 'and its line is gone'
}

download() {
	truncate -s 600M "shared/big"
	type_in "'$rpcsh' get docs.get big --out '$name'"
	until_ok on_screen '%  [0-9.]* [kMG]B/s'
	result $? 'get shows how far it is'
	until_ok one_line '~ *[0-9]*%  [0-9.]* [kMG]B/s  [0-9:]* left'
	result $? 'and for how long yet, in one line'
	term send-keys -t t C-c
	until_ok on_screen '^\$ *$'
	result $? 'control-C ends it'
	[ ! -e "$name" ]
	result $? 'and there is no half file'
}

# Bytes of an earlier try, of which there are many.
goes_on() {
	truncate -s 50G .again.rpcsh-part
	type_in "'$rpcsh' get docs.get big --out again"
	until_ok on_screen '^checking what is there *[0-9]*%'
	result $? 'what is there already is looked at'
	term send-keys -t t C-c
	until_ok on_screen '^\$ *$'
	result $? 'control-C ends that, too'
	[ "$(stat -c %s .again.rpcsh-part)" -eq 53687091200 ]
	result $? 'and it stays'
	rm .again.rpcsh-part
}

# The same of a file that is sent: a server that has most of it.
goes_on_up() {
	truncate -s 60G long
	python3 "$SRC_DIR/tests/lib/filepeer.py" get there offer &
	peer=$!
	daemons="$daemons $peer"
	until_ok test -s there
	type_in "'$rpcsh' -s tcp://127.0.0.1:$(cat there) put docs.put long"
	until_ok on_screen '^checking what is there *[0-9]*%'
	result $? 'what the server has is compared'
	term send-keys -t t C-c
	until_ok on_screen '^\$ *$'
	result $? 'up to control-C'
	wait "$peer"
	rm long
}

# What of a log says how far it is, and who waits for more.
told() {
	head -c 200000 /dev/zero >&9
	grep -q '^told  [0-9.]* [kM]*B  [0-9.]* [kM]*B/s$' log-of-put
}

lines() {
	mkfifo slowly
	"$rpcsh" -s "$(url tcp)" put docs.put - --as told --progress always \
		<slowly 2>log-of-put &
	put=$!
	exec 9>slowly
	until_ok told
	result $? 'put --progress always tells a log'
	exec 9>&-
	wait "$put"
	result $? 'and ends'
	want 2 'no JSON of that' "$rpcsh" -s "$(url tcp)" put docs.put plain \
		--progress always --json
}

quiet() {
	type_in "'$rpcsh' --quiet get docs.get big --out quiet --force"
	until_ok on_screen '^END-0'
	result $? 'get --quiet'
	! on_screen '/s\|wrote'
	result $? 'shows nothing'
}

name=$(printf '長い名前%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
mkdir shared
cat >tty.conf <<-END
	listen = tcp:127.0.0.1:0
	[files docs]
	root = $tmp/shared
	put = yes
	get = yes
	min-free = 0
END
start 1 -f tty.conf
result $? 'the daemon starts'
terminal
result $? 'a terminal'
upload
download
goes_on
goes_on_up
lines
quiet
term kill-server
stop
result $? 'the daemon ends well'
plan
