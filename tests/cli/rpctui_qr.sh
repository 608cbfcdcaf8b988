#!/bin/sh
# The fingerprint of a client in rpctui, for a camera: black on white whatever
# the terminal's colors are, and whole or not at all.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2120,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

conf() {
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = ask\n' \
		"$tmp/admin" >tui.conf
	printf 'known-clients = known\n' >>tui.conf
}

waits() {
	ctl trust ls --state waiting --plain | grep -q '	alice@'
}

comes() {
	"$rpcsh" -s "$(url tls)" --certs certs -k alice --timeout 5m \
		call echo --raw x </dev/null >alice.out 2>&1 &
	daemons="$daemons $!"
}

resized() { # COLUMNS LINES
	term resize-window -t t -x "$1" -y "$2"
}

# opened WORDS TEXT: the key of who waits, as it looks with these words.
opened() {
	begin "$1 $rpctui --socket $tmp/admin" "$2"
	keys 2
	shows '^> ?? alice@' 'who waits'
	keys y
}

leaves() {
	keys Escape
	shows '^> ?? alice@' 'Esc goes back'
	keys q
	ends 0 'quit'
}

# What a camera sees of it, by the colors of the cells.
has_code() {
	screen -e -N | python3 "$SRC_DIR/tests/lib/modules.py" "$@" >modules
	[ "$(tail -n 1 modules)" = 'a code of 29 modules' ]
}

code() { # TEXT [WORDS]
	until_ok has_code ${2:+"$2"}
	result $? "$1"
}

# Lines that are of a code, each of so many cells, and no others.
lines() { # COUNT PATTERN
	[ "$(screen | LC_ALL=C.UTF-8 grep -c "$2")" -eq "$1" ]
}

blocks() {
	lines 17 '^ *[█▀▄ ]\{33\}\($\|  *[A-Za-z0-9+/ ]*$\)'
}

none() {
	! screen | grep -q '█\|##'
	result $? "$1"
}

# All of the fingerprint, in groups, whatever line they are on.
groups() {
	screen >plain
	for group in $(fingerprint alice | cut -c 8- | sed 's/..../& /g'); do
		grep -qF "$group" plain || return 1
	done
}

grouped_too() {
	until_ok groups
	result $? 'the fingerprint is there as well'
}

on_grounds() {
	for style in 'bg=black,fg=white' 'bg=white,fg=black'; do
		term set-option -w -t t window-style "$style"
		opened '' "$style"
		code 'the code has colors of its own'
		grouped_too
		shows 'key of alice@' 'with whose it is'
		leaves
	done
	term set-option -w -t t window-style default
	opened 'TERM=screen' 'with eight colors'
	code 'two of them are enough'
	leaves
	printf 'text = red\nhead = bold blue\n' >theme
	mkdir -p .config/rpckit
	mv theme .config/rpckit/theme.conf
	opened '' 'with a theme'
	code 'it is in no color of that'
	rm .config/rpckit/theme.conf
	leaves
	for plain in NO_COLOR=1 TERM=vt100; do
		opened "$plain" "$plain"
		until_ok blocks
		result $? 'what is light is drawn'
		! has_code && [ ! -s modules ]
		result $? 'and there is no color'
		leaves
	done
}

# What does not fit is not shown in pieces.
sizes() {
	resized 40 10
	opened '' 'in a small window'
	shows '^ *the code needs 33x17 *$' 'it says how large it should be'
	none 'and shows no part of the code'
	grouped_too
	resized 40 17
	code 'it has the whole screen where that is enough'
	resized 40 20
	code 'the same with more lines'
	grouped_too
	resized 60 18
	code 'or columns'
	grouped_too
	resized 40 25
	code 'until there is room for all'
	grouped_too
	resized 40 30
	code 'in the frame'
	shows 'key of alice@' 'which is there'
	grouped_too
	resized 40 16
	shows 'the code needs 33x17' 'one line less is too small'
	none 'for any of it'
	resized 80 24
	code 'as before'
	keys Escape
	keys Enter
	shows '> \[ Later \]' 'a question'
	resized 40 17
	shows '^>Later' 'about it'
	keys Q
	code 'has the code, too'
	keys Escape
	resized 80 24
	leaves
}

in_ascii() {
	opened '' 'blocks'
	keys Escape q
	ends 0 'quit'
	opened 'LC_ALL=C' 'in ASCII'
	shows '^ *the code needs 66x33 *$' 'it takes more room'
	none 'than there is'
	grouped_too
	resized 80 34
	code 'it has the whole screen' --ascii
	resized 80 36
	code 'or as much as it needs' --ascii
	grouped_too
	resized 120 40
	code 'or a part of a large one' --ascii
	grouped_too
	shows 'key of alice@' 'with the frame'
	resized 80 24
	leaves
	resized 120 40
	opened 'LC_ALL=C NO_COLOR=1' 'in ASCII, without colors'
	until_ok lines 33 '^ [# ]\{66\}'
	result $? 'what is light is drawn'
	leaves
}

main() {
	mark=0
	conf
	certificates
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	comes
	until_ok waits
	result $? 'a client waits'
	terminal 80 24
	result $? 'a terminal'
	on_grounds
	sizes
	in_ascii
	stop >/dev/null
	result $? 'rpcd stops with 0'
	term kill-server
	plan
}

main
