#!/bin/sh
# rpctui as a job of a shell: begun in the background, stopped by others, ended
# there, and on a terminal that is no shell's.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

rpctui=$BUILD_DIR/bin/rpctui

types() { # TEXT
	keys -l "$1"
	keys Enter
}

of_program() {
	pgrep -f -x "$rpctui --socket $tmp/admin" >pid
}

is_over() {
	ended_or_zombie "$(cat pid)"
}

is_stopped() {
	of_program && grep -q '^State:.T' "/proc/$(cat pid)/status"
}

# The modes of the terminal that a shell without an editor leaves alone.
echoes() { # TEXT
	types 'clear; stty -a | grep -o -- "[-]*echo "'
	shows '^echo *$' "$1"
}

# A shell that edits lines itself has other modes while it does.
begun_behind() {
	types "stty -echo; $rpctui --socket $tmp/admin &"
	until_ok is_stopped
	result $? 'begun in the background it stops'
	types 'stty echo; fg'
	shows '1 Conns 0' 'fg brings it'
	keys q
	until_ok is_over
	result $? 'q quits'
	echoes 'and the terminal is as it was when it came'
}

run() {
	types "clear; $rpctui --socket $tmp/admin"
	shows '1 Conns 0' 'it runs'
	of_program
	kill -STOP "$(cat pid)"
	until_ok is_stopped
	result $? 'another stops it'
	# As shells do that edit lines, and this one does not.
	stty sane -F "$(term display-message -p -t t '#{pane_tty}')"
}

# Whoever restored the terminal would be stopped for it, and never end.
ended_behind() { # SIGNAL
	run
	kill "-$1" "$(cat pid)"
	kill -CONT "$(cat pid)"
	until_ok is_over
	result $? "SIG$1 ends it in the background"
	echoes 'and the terminal is the shell'"'"'s'
}

brought_back() {
	run
	kill -CONT "$(cat pid)"
	until_ok is_stopped
	result $? 'to go on there it stops'
	types 'clear; fg'
	shows '1 Conns 0' 'fg brings it back'
	keys q
	until_ok is_over
	result $? 'q quits'
	echoes 'the terminal is as it was'
}

# Of a terminal that is not our session's there is no front and background.
without_jobs() {
	types "clear; setsid -w $rpctui --socket $tmp/admin"
	shows '1 Conns 0' 'in a session without a terminal'
	of_program
	kill -CONT "$(cat pid)"
	keys 2
	shows '\[2 Trust' 'it goes on'
	keys q
	until_ok is_over
	result $? 'q quits'
	echoes 'the terminal is as it was'
}

printf 'listen = tcp:127.0.0.1:0\nadmin = %s\n' "$tmp/admin" >jobs.conf
check 'rpcd starts' start 1 -f jobs.conf
prompt 80 24
result $? 'a terminal'
begun_behind
ended_behind TERM
ended_behind HUP
brought_back
without_jobs
stop
result $? 'rpcd stops'
term kill-server
plan
