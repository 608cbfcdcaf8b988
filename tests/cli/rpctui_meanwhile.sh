#!/bin/sh
# Who decides in rpctui what somebody else has decided meanwhile: the reason is
# read whole, however small the terminal.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

comes() { # KEY [WORDS]: in the background
	key=$1
	shift
	[ $# -gt 0 ] || set -- ping
	"$rpcsh" -s "$(url tls)" --certs certs -k "$key" --timeout 10m "$@" \
		</dev/null >"$key.out" 2>&1 &
	daemons="$daemons $!"
}

stands() { # NAME STATE
	ctl trust ls --plain | grep "^$2	" | grep -qF "$(fingerprint "$1")"
}

# However its lines are broken.
is_said() { # TEXT
	screen | tr '\n' ' ' | tr -s ' ' | grep -qF "$1"
}

# In one picture.
is_beside() { # TEXT PATTERN
	screen >picture
	tr '\n' ' ' <picture | tr -s ' ' | grep -qF "$1" &&
		grep -q "$2" picture
}

said() { # TEXT WHAT
	until_ok is_said "$1"
	result $? "$2"
}

# A row that goes from one part of the list to another is in none for a moment:
# then it is not found, and asked for again.
is_found() { # START
	keys / "$1" Enter
	until_ok on_screen '^> '
	sleep 0.2
	screen >picture
	grep -q '^> ' picture && ! grep -q 'not found' picture
}

find_key() { # NAME
	until_ok is_found "$(fingerprint "$1" | cut -c 8-18)"
	result $? "$1 is selected"
}

# What is asked about is decided elsewhere before it is answered.
loses() { # SIZE VERB...
	size=$1
	shift
	term resize-window -t t -x "${size%x*}" -y "${size#*x}"
	whole "${size#*x}" "$size"
	find_key alice
	keys a
	shows 'Later' "$size: a asks"
	ctl trust "$@" "$(fingerprint alice)" >out 2>err
	result $? 'somebody else decides'
	keys Down Down Down Down Down Down
	keys o
	said 'something else was decided meanwhile' "$size: that is told"
	until_ok is_beside 'decided meanwhile' '^> .. alice@'
	result $? 'beside the row of the key'
	hides 'SHA256:.*~ *$' 'without the key in front'
	keys Escape
}

# Another key of her name is approved while she is asked about: what was asked
# is the question no more, once her program tries again.
changes() {
	term resize-window -t t -x 80 -y 24
	whole 24 'a whole screen again'
	comes mallory
	comes twin
	until_ok stands mallory new
	result $? 'mallory waits'
	until_ok stands twin new
	result $? 'so does one more of her name'
	find_key mallory
	keys Enter
	shows 'Decide: new client' 'Enter asks about a new client'
	ctl trust approve "$(fingerprint twin)" >out 2>err
	result $? 'the other one is approved'
	comes mallory
	until_ok stands mallory changed
	result $? 'so mallory is a changed one'
	shows 'CHANGED meanwhile' 'that is told'
	hides 'Decide: new client' 'the question is gone'
	keys a
	shows 'the key CHANGED: Enter' 'a approves nothing'
	stands mallory changed
	result $? 'she is a changed one still'
}

opens() { # NAME KEY TITLE
	find_key "$1"
	keys "$2"
	shows "$3" "$2 asks about $1"
}

closes() { # TITLE WORDS
	shows "$2" 'what was done elsewhere is told'
	hides "$1" 'and the question is gone'
}

# So are questions about a key that is known, or is to be forgotten.
others() {
	opens twin r 'Decide: known client'
	ctl trust reject "$(fingerprint twin)" >out 2>err
	closes 'Decide: known client' 'the key is rejected by now'
	stands twin rejected
	result $? 'nothing else was decided'
	opens twin f 'Forget a key'
	ctl trust revoke "$(fingerprint twin)" >out 2>err
	closes 'Forget a key' 'the key is revoked by now'
	opens twin f 'Forget a key'
	ctl trust forget "$(fingerprint twin)" >out 2>err
	closes 'Forget a key' 'the key is gone'
}

# One of the two that it is about became another.
replacing() {
	comes twin
	until_ok stands twin new
	result $? 'a key waits'
	ctl trust approve "$(fingerprint twin)" >out 2>err
	result $? 'and is known'
	comes mallory
	until_ok stands mallory changed
	result $? 'mallory is a changed one'
	opens mallory Enter 'Decide: CHANGED key'
	ctl trust reject "$(fingerprint mallory)" >out 2>err
	closes 'Decide: CHANGED key' 'the key is rejected by now'
	ctl trust undo "$(fingerprint mallory)" >out 2>err
	until_ok stands mallory changed
	result $? 'she is a changed one again'
	shows '^[> ] !! mallory@' 'also on the screen'
	opens mallory Enter 'Decide: CHANGED key'
	keys R
	shows 'last four characters' 'R goes on'
	ctl trust reject "$(fingerprint twin)" >out 2>err
	closes 'last four characters' 'the key it would replace is rejected by now'
	stands mallory changed
	result $? 'nothing is replaced'
}

main() {
	mark=0
	certificates
	"$selfy" -k changed -e alice@example.org -nopass >out 2>err
	result $? 'another key with the name of alice'
	"$selfy" -k twin -e mallory@example.org -nopass >out 2>err
	result $? 'and one with that of mallory'
	asks_conf
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	check 'a terminal' terminal 80 24
	# It asks once an hour: what comes to the screen was pushed.
	begin "$rpctui --every 1h --socket $tmp/admin" 'rpctui'
	keys 2
	shows 'WAITING (0)' 'nobody waits'
	comes alice
	comes changed
	until_ok stands alice new
	result $? 'a key waits'
	until_ok stands changed new
	result $? 'and one more with its name'
	shows 'WAITING (2)' 'both are pushed to the screen'
	loses 80x24 reject
	loses 40x10 approve --once
	changes
	loses 40x10 reject
	term resize-window -t t -x 80 -y 24
	whole 24 'a whole screen once more'
	others
	replacing
	all_end
	plan
}

main
