#!/bin/sh
# rpcsh watch: pushes as lines, and a call's answers with what changed.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

# watch FILE WORDS...: in the background, as a pipe has it.
watches() {
	: >"$1"
	out=$1
	shift
	"$rpcsh" -s "$(url tcp)" watch "$@" </dev/null >"$out" 2>err &
	watcher=$!
	daemons="$daemons $watcher"
}

# Tell until somebody has heard; told SUBJECT FILE LINES.
told() {
	"$rpcsh" -s "$(url tcp)" tell --subject "$1" id:=7 >/dev/null 2>&1
	[ "$(wc -l <"$2")" -ge "$3" ]
}

waited() { # STATUS TEXT
	wait "$watcher"
	got=$?
	[ "$got" -eq "$1" ]
	result $? "$2 ($got)"
}

pushes() {
	check 'a server that pushes' start_own typedserver
	watches pushed jobs.done -n 2
	check 'what is pushed' until_ok told jobs.done pushed 2
	waited 0 'is shown, so many times'
	grep -qx '{"schema":1,"push":{"subject":"jobs.done","payload":{"id":7}}}' \
		pushed
	result $? 'a line each'
	watches pushed other.thing jobs.done
	check 'of each subject' until_ok told other.thing pushed 1
	told something.else pushed 1
	! grep -q something pushed
	result $? 'and no other'
	kill -INT "$watcher"
	waited 130 'Ctrl-C ends it'
	watches pushed jobs.done --for 100ms
	waited 0 'or the time'
	want 2 'no subject' plain watch ''
	want 2 'an item is no subject of a call' plain watch x -d 1
	want 4 'nobody there' "$rpcsh" -s tcp://127.0.0.1:1 watch x
	watches pushed jobs.done
	check 'a watcher' until_ok told jobs.done pushed 1
	stop >/dev/null
	until_ok grep -q 'connection lost' err
	result $? 'is told that the server is gone'
	kill -INT "$watcher"
	waited 130 'and waits for it'
}

answers() {
	echo 1 >number
	want 0 'a call again and again' plain watch --every 0 -n 3 number
	[ "$(grep -c '"changed":false,"reply":"1.n"}$' out)" -eq 3 ]
	result $? 'has its answers'
	watches seen --every 10ms number
	check 'while it is watched' until_ok grep -q '"1.n"' seen
	echo 2 >number.new && mv number.new number
	until_ok grep -q '"changed":true,"reply":"2.n"' seen
	result $? 'what changes is said to have'
	kill -INT "$watcher"
	waited 130 'Ctrl-C ends it'
	want 3 'a call that fails' plain watch --every 0 bad
	want 8 'none' plain watch --every 0 nmuber
	has err 'did you mean "number"' 'is explained'
	want 2 'without a method' plain watch --every 1s
	want 2 'too seldom' plain watch --every 25h number
}

# On a terminal, one over the other.
screens() {
	printf 'same\nold line\nlast\n' >number
	term new-session -d -x 40 -y 8 -s t "env -i HOME=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -s $(url tcp) \
	    watch --every 100ms number; cat"
	shows '^  old line$' 'a screen'
	# Each state lasts until it has been seen: the one before is known then.
	printf 'same\nnew line\nlast\n\033[31mred%s\n' \
		"$(printf '%0100d' 0)" >number.new
	mv number.new number
	shows '^  last$' 'lines that stay'
	shows '^. new line$' 'and those that changed'
	shows '^. .x1b\[31mred0*~$' 'nothing harms the terminal, or is too wide'
	on_screen '^number  every 0.1 s  20' && ! on_screen 'old line'
	result $? 'below a head'
	term send-keys -t t C-c
	until_ok grep -q . plain
	term kill-server
}

remembered() {
	term capture-pane -p -S - -t t >plain && grep -q -e "$1" plain
}

# One below the other, where nothing can be drawn over.
dumb() {
	printf 'same\nold line\nlast\n' >number
	term new-session -d -x 40 -y 8 -s t "env -i HOME=$tmp TERM=dumb \
	    LC_ALL=C PATH=$PATH ASAN_OPTIONS=${ASAN_OPTIONS-} \
	    $rpcsh -s $(url tcp) watch --every 50ms number; cat"
	check 'a terminal that can nothing' until_ok remembered '^  old line$'
	printf 'same\nnew line\nlast\n' >number.new
	mv number.new number
	until_ok remembered '^\* new line$' && ! grep -q '^\* [sl]a' plain
	result $? 'what changed has a mark'
	term kill-server
}

has_socket() {
	find "/proc/$watcher/fd" -lname 'socket:*' | grep -q .
}

# A server ends connections on which nothing is said; one that listens stays,
# as long as one that does not is there, and longer.
stays() {
	printf "listen = tcp:127.0.0.1:0\nidle-timeout = 3s\n" >stays.conf
	check 'a server without patience' start 1 --trust off \
		-f stays.conf
	"$rpcsh" -s "$(url tcp)" watch --connect-timeout 250ms </dev/null \
		>pushed 2>stays.err &
	watcher=$!
	daemons="$daemons $watcher"
	check 'one that listens' until_ok has_socket
	want 4 'who says nothing is sent away' plain ping -n 2 -i 10m
	has out '^reply 1' 'after a while'
	kill -INT "$watcher"
	waited 130 'who listens is not'
	! grep -q lost stays.err
	result $? 'nor has it been meanwhile'
	stop >/dev/null
}

main() {
	pushes
	stays
	cat >rpcd.conf <<-END
		listen = tcp:127.0.0.1:0
		[method number]
		exec = /bin/cat $tmp/number
		[method bad]
		exec = /bin/false
	END
	check 'rpcd starts' start 1 -f rpcd.conf --trust off
	answers
	screens
	dumb
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
