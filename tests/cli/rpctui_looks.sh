#!/bin/sh
# How rpctui looks where there are few colors or none, and little room: what
# something is stands there in letters, and a question can be read to its end.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

conf() {
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = ask\n' \
		"$tmp/admin" >tui.conf
	printf 'known-clients = known\ntrust-wait = 5m\n' >>tui.conf
}

comes() { # KEY
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" --timeout 5m \
		call echo --raw x </dev/null >"$1.out" 2>&1 &
	daemons="$daemons $!"
}

waits() { # KEY
	ctl trust ls --state waiting --plain | grep -q "	$1@"
}

# One of each kind.
keys_of_all_kinds() {
	"$selfy" -k bob -e bob@example.org -nopass >out 2>err
	result $? 'one more client'
	for key in alice bob mallory; do
		comes $key
		until_ok waits $key
		result $? "$key waits"
	done
	ctl trust approve "$(fingerprint alice)" >out 2>err &&
		ctl trust reject "$(fingerprint bob)" >out 2>err
	result $? 'one is let in, one is not'
}

# ---- colors ----

# colors WHICH TEXT: what the terminal was sent has these colors at most: none,
# or those of the sixteen that are seen on light and dark.
colors() {
	python3 - "$1" <<'END'
import re, sys
raw = open('raw', 'rb').read()
seen = set()
for m in re.findall(rb'\x1b\[([0-9;]*)m', raw):
    seen |= {int(x or 0) for x in m.split(b';')}
color = {n for n in seen if 30 <= n <= 38 or 40 <= n <= 48 or 90 <= n <= 107}
want = {'none': set(), 'few': {31, 32, 33, 36}}[sys.argv[1]]
if not color <= want or (want and not color) or len(raw) < 1000:
    sys.exit('colors %s in %d bytes' % (color, len(raw)))
END
	result $? "$2"
}

# in_letters WORDS TEXT: as it looks with these words before it.
in_letters() {
	: >raw
	term pipe-pane -t t "cat >>$tmp/raw"
	begin "$1 $rpctui --socket $tmp/admin" "$2"
	shows 'trust ASK .*pending 1' 'it says what is in force'
	shows '\[1 Conns' 'and which tab this is'
	keys 2
	shows '\[2 Trust' 'or that one'
	shows '^> ?? mallory@' 'who waits is marked, and picked'
	shows '^  ok alice@' 'and who is known'
	shows '^  xx bob@' 'and who is not to come'
	keys Enter
	shows '> \[ Later \]' 'where a question stands'
	keys Tab
	shows '> \[ Approve \]' 'has a mark as well'
	keys Escape q
	ends 0 'quit'
	term pipe-pane -t t
}

# cannot WORDS TEXT: one line and a status.
cannot() {
	mark=$((mark + 1))
	keys "clear; $1 $rpctui --socket $tmp/admin; echo END-$mark-\$?" Enter
	ends "$2" "$3"
	screen | sed '/^\$/d; /^ *$/d; /^END/d' >out
	[ "$(grep -c '^rpctui: ' out)" = 1 ]
	result $? 'one line says why'
}

in_colors() {
	in_letters '' 'with colors'
	colors few 'that are seen on light and on dark'
	in_letters 'TERM=vt100' 'on a terminal without'
	colors none 'there is none'
	in_letters 'NO_COLOR=1 LC_ALL=C' 'without, on request'
	colors none 'there is none'
	! LC_ALL=C grep -q '[^ -~[:cntrl:]]' raw
	result $? 'and nothing but ASCII'
	cannot 'TERM=no-such-terminal' 2 'an unknown terminal'
	cannot 'env -u TERM' 2 'no terminal'
	cannot 'TERM=dumb' 2 'one without a screen'
}

# ---- every cell ----

# What each cell of the second tab looks like is what the file says.
dumped() {
	screen -e -N | python3 "$SRC_DIR/tests/lib/attrs.py" >attrs
	if [ -n "${RPCKIT_GOLDEN_WRITE:-}" ]; then
		cp attrs "$SRC_DIR/tests/golden/rpctui/$1"
	fi
	diff "$SRC_DIR/tests/golden/rpctui/$1" attrs >golden.diff
}

# dump WORDS STYLE FILE TEXT: in a window of that style.
dump() {
	term set-option -w -t t window-style "$2"
	begin "$1 $rpctui --socket $tmp/admin" "$4"
	keys 2
	shows '^  xx bob@' 'one of each kind'
	shows '^CA .* cert ends' 'and what is known of who waits'
	until_ok dumped "$3"
	result $? 'looks as it should'
	[ ! -s golden.diff ] || sed 's/^/# /' golden.diff
	! grep -q ' on [0-9]' attrs
	result $? 'on the background of the terminal'
	keys q
	ends 0 'quit'
}

dumps() {
	dump '' 'bg=black,fg=white' attrs-color.txt 'dark'
	dump '' 'bg=white,fg=black' attrs-color.txt 'light'
	dump 'NO_COLOR=1' default attrs-mono.txt 'without color'
	! grep -q '[349][0-7]$' attrs
	result $? 'there is none'
	printf 'wait = bold underline magenta # not yellow\npick = reverse bright-blue\n' \
		>.config/rpckit/theme.conf
	echo 'head = normal' >>.config/rpckit/theme.conf
	dump '' default attrs-theme.txt 'as a file wants it'
	dump 'NO_COLOR=1' default attrs-theme-mono.txt 'and without color'
	echo 'pick = reverse beige' >.config/rpckit/theme.conf
	cannot '' 1 'a color that is none'
	screen -J | grep -q 'theme.conf:1: pick: "beige" is no look'
	result $? 'is named, with its line'
	printf 'bad = red\n\npikc = red\n' >.config/rpckit/theme.conf
	cannot '' 1 'a name that is none'
	screen -J | grep -q 'theme.conf:3: .*pikc'
	result $? 'is, too'
	rm .config/rpckit/theme.conf
	keys clear Enter
}

# ---- room ----

resized() { # COLUMNS LINES
	term resize-window -t t -x "$1" -y "$2"
}

# All that the text of the question says, while it is gone through.
reads_on() { # KEY
	screen >>./gone
	on_screen 'end: Up' || {
		keys "$1"
		false
	}
}

# A question stays, whatever becomes of the window, and is read to its end in
# the smallest one.
storm() {
	begin "$rpctui --socket $tmp/admin" 'a question'
	keys 2
	shows '^> ?? mallory@' 'about one who waits'
	keys Enter
	shows '> \[ Later \]' 'stands'
	i=0
	while [ $i -lt 10 ]; do
		for size in '200 50' '80 24' '40 10' '20 5' '500 200'; do
			# shellcheck disable=SC2086 # words
			resized $size
		done
		i=$((i + 1))
	done
	resized 20 5
	shows 'too small' 'fifty windows later'
	keys a Enter
	resized 40 10
	shows '^>Later  Approve ' 'it stands still'
	waits mallory
	result $? 'and nobody decided what could not be seen'
	shows ' more: Down ' 'it says that there is more'
	: >./gone
	until_ok reads_on Down
	result $? 'to the end'
	ctl trust show "$(fingerprint mallory)" | head -n 1 >out
	# Each group of the key was on the screen.
	for group in $(sed 's/^fingerprint  SHA256://' out) proof; do
		grep -qF "$group" gone || echo "$group"
	done >lost
	[ ! -s lost ]
	result $? 'which is all there was'
	keys Up
	shows ' Up, Down ' 'and back'
	resized 80 24
	shows "Compare with the client's own screen:  selfy" 'whole where there is room'
	hides 'more: ' 'and says no more'
	keys Escape q
	ends 0 'quit'
}

# Where there is no room for who it is, nothing is decided before that has been
# read.
unread() {
	long=$(printf 'l%0120d' 0)
	"$selfy" -k long -e "$long@example.org" -nopass >out 2>err
	result $? 'a client with a long name'
	comes long
	until_ok waits "$long"
	result $? 'waits'
	resized 40 10
	begin "$rpctui --socket $tmp/admin" 'in a small window'
	keys 2
	shows WAITING 'with who waits'
	keys / l000 Enter
	shows '^> ?? l000' 'is found'
	keys Enter
	shows ' more: Down ' 'and does not fit'
	keys a
	shows 'read all of it first: Down' 'it is not let in unread'
	keys r
	waits "$long"
	result $? 'nor put out'
	: >./gone
	until_ok reads_on PgDn
	result $? 'read to the end'
	for group in l0000000 '@example.org' 'NOT proof' 'from 127' 'CA   rpckit' \
		$(fingerprint long | cut -c 8- | sed 's/..../& /g'); do
		grep -qF "$group" gone || echo "$group"
	done >lost
	[ ! -s lost ]
	result $? 'which says all of it'
	keys n
	shows '^> note' 'a note has room, too'
	keys -l why
	keys Enter
	shows '^>Later ' 'and gives it back'
	keys r
	shows 'rejected: l000' 'now it can be decided'
	keys q
	ends 0 'quit'
	ctl trust show "$(fingerprint long)" >out
	has out '^note  *why' 'and the note is kept'
}

# ---- a daemon that hangs ----

# It is said soon, keys count, and nothing is lost when it goes on.
hangs() {
	resized 80 24
	begin "$rpctui --socket $tmp/admin" 'a daemon'
	shows 'trust ASK' 'is there'
	kill -STOP "$daemon"
	shows 'the daemon has not answered for [0-9]' 'that it hangs is said'
	shows 'SILENT' 'on top, too'
	keys 2
	shows '\[2 Trust' 'keys are heard'
	keys L
	shows 'Type LOCK' 'and questions asked'
	keys Escape
	kill -CONT "$daemon"
	hides 'has not answered' 'until it goes on'
	shows 'trust ASK .*pending 1' 'as if nothing had been'
	keys q
	ends 0 'quit'
}

main() {
	mark=0
	conf
	certificates
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	keys_of_all_kinds
	terminal 80 24
	result $? 'a terminal'
	in_colors
	mkdir -p .config/rpckit
	dumps
	storm
	unread
	hangs
	stop >/dev/null
	result $? 'rpcd stops with 0'
	term kill-server
	plan
}

main
