#!/bin/sh
# rpctui on terminals of several sizes: lists, questions, what becomes of the
# terminal, and what must not get there.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
rpctui=$BUILD_DIR/bin/rpctui

term() {
	TMUX_TMPDIR=$tmp tmux -L t -f /dev/null "$@"
}

terminal() { # COLUMNS LINES
	term new-session -d -x "$1" -y "$2" -s t "env -i HOME=$tmp PS1='\$ ' \
	    TERM=screen-256color LC_ALL=C.UTF-8 PATH=$PATH ENV= sh"
	until_ok on_screen '^\$ *$'
}

screen() {
	term capture-pane -p -t t "$@"
}

on_screen() {
	screen | grep -q -e "$1"
}

not_on_screen() {
	! on_screen "$1"
}

keys() {
	term send-keys -t t "$@"
}

shows() { # PATTERN TEXT
	until_ok on_screen "$1"
	result $? "$2"
	screen >plain
}

hides() { # PATTERN TEXT
	until_ok not_on_screen "$1"
	result $? "$2"
}

# begin WORDS: the screen, from the shell.
begin() {
	mark=$((mark + 1))
	keys "clear; $1; echo END-$mark-\$?" Enter
	until_ok on_screen '? q\|quit *$'
	result $? "it begins: $2"
}

ends() { # STATUS TEXT
	until_ok on_screen "^END-$mark-$1"
	result $? "$2"
}

# Is it what a screen of ours is, to the last line?
is_whole() { # LINES
	[ "$(screen | wc -l)" -eq "$1" ] &&
		screen | head -n 1 | grep -q 'rpcd' &&
		screen | tail -n 1 | grep -q '? *\(help *\)\?q'
}

whole() { # LINES TEXT
	until_ok is_whole "$1"
	result $? "$2"
}

comes() { # NAME
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" ping -n 1000 -i 1s \
		</dev/null >"$1.out" 2>&1 &
	guest=$!
	daemons="$daemons $guest"
}

conf() {
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\nadmin-view = %s\n' \
		"$tmp/admin" "$tmp/view" >tui.conf
	printf 'known-clients = known\ntrust = ask\n[method evil]\n' >>tui.conf
	printf 'exec = /bin/cat\nabout = turned \342\200\256 round\n' >>tui.conf
}

decides() {
	begin "$rpctui --socket admin" '80 columns, 24 lines'
	shows 'trust ASK' 'the daemon is known'
	whole 24 'the frame is whole'
	comes alice
	shows '?? alice@example.org' 'a stranger waits'
	has plain '1 new key waits for a decision - press 2' 'and is told of'
	keys Enter
	shows '> \[ Later \]' 'Enter asks, at the harmless button'
	has plain 'NOT proof' 'with a warning'
	keys Escape
	hides 'Later' 'Esc goes back'
	on_screen '?? alice'
	result $? 'and decides nothing'
	keys 2
	shows 'WAITING (1)' 'the second tab has it'
	keys a
	shows '> \[ Later \]' 'a letter asks, too, at the harmless button'
	keys Enter
	hides 'Later \]' 'one more Enter is no answer'
	shows 'WAITING (1)' 'it waits still'
	keys a
	shows '> \[ Later \]' 'asked again'
	keys Tab
	shows '> \[ Approve \]' 'Tab goes to another answer'
	keys Enter
	shows 'approved: alice@example.org' 'Enter there decides'
	shows 'KNOWN (1)' 'and it is known'
	keys 1
	shows '\(--\|ok\) alice@example.org' 'the connection is there'
}

looks() {
	keys s
	shows 'sort:tx' 's sorts by the next column'
	keys '&'
	shows '^&' 'a line for it, as / has one'
	keys nobody Enter
	shows 'nothing holds the filter' 'a filter'
	keys Escape
	shows '\(--\|ok\) alice' 'and none'
	keys / alice Enter
	keys n
	keys p
	shows 'PAUSED' 'pause'
	keys p
	hides 'PAUSED' 'is over'
	keys 3 G
	shows 'turned \\u202e round' 'what could turn the screen is text'
	whole 24 'which is whole'
	keys '?' 'next column'
	shows '^ s  *sort by the next column' 'help is searched'
	keys Enter
	shows 'sort:method' 'and run'
	keys 5
	shows 'info *trust' 'the log'
	keys v
	shows 'level:error' 'of another level'
	keys : 'trust l' Tab
	shows '^:trust l' 'a command is typed'
	keys C-u 'vers' Tab Enter
	shows '(status 0)' 'completed and run'
	keys Escape
	keys e
	shows 'rpctui-log.ndjson' 'export asks for a name'
	keys C-u out.ndjson Enter
	shows 'written: out.ndjson' 'and writes'
	[ "$(stat -c %a out.ndjson)" = 600 ] &&
		python3 -c 'import json
for line in open("out.ndjson"): assert json.loads(line)["seq"]'
	result $? 'JSON, for us alone'
	keys e C-u out.ndjson Enter
	shows 'Overwrite' 'what is there is not lost unasked'
	keys n
	keys 2 y
	shows 'key of\|WAITING' 'the key of nobody'
	keys Escape
}

resizes() {
	for size in '120 40' '40 10' '7 3' '1 1' '40 12' '200 60' '39 30' \
		'100 24' '40 10'; do
		# Two words.
		# shellcheck disable=SC2086
		term resize-window -t t -x ${size% *} -y ${size#* }
	done
	whole 10 '40 columns and 10 lines are enough'
	keys 1
	shows 'alice@example.org' 'for a list'
	keys x
	shows 'Yes' 'and a question'
	keys n
	term resize-window -t t -x 39 -y 10
	shows 'too small' 'fewer are not'
	term resize-window -t t -x 120 -y 40
	whole 40 '120 columns and 40 lines'
	shows 'last 120 s' 'have rates'
	shows '^.*control.*approve' 'and the log'
	shows 'key    SHA256:' 'and details'
	term resize-window -t t -x 80 -y 24
	whole 24 'and back'
}

kicks() {
	keys 1 t
	shows 'trace of alice@example.org' 'a connection is followed'
	shows '^ *[0-9:]*Z  call _.ping' 'call by call'
	shows '^ *[0-9:]*Z  done _.ping  [0-9.]*[um]*s *$' 'and how long it took'
	keys Escape x
	shows '> \[ No \]' 'a kick is asked about'
	keys y
	shows 'kicked alice' 'and done'
	! wait "$guest"
	result $? 'it is closed'
}

stops() {
	keys C-z
	shows '^\$ *$' 'Ctrl-Z leads to the shell'
	keys fg Enter
	whole 24 'and fg back'
	stop >/dev/null
	shows 'OFFLINE' 'a daemon that ends is missed'
	whole 24 'on a screen that is whole'
	start 1 -f tui.conf --certs certs
	result $? 'another one'
	hides 'OFFLINE' 'is found'
	keys q
	shows '^\$ *$' 'q quits'
	keys 'stty -a | grep -o -- "[-]*echo "' Enter
	shows '^echo *$' 'and the terminal is as it was'
}

is_unlocked() {
	[ "$(stat -c %a known)" = 600 ]
}

locks() {
	begin "$rpctui --socket admin" 'again'
	shows 'trust ASK' 'connected'
	keys 2 L
	shows 'Type LOCK' 'locking takes a word'
	keys lock Enter
	shows 'that is not it' 'which must be right'
	keys C-u LOCK Enter
	shows 'LOCKED' 'and then it is done'
	[ "$(stat -c %a known)" = 400 ]
	result $? 'to the file'
	keys L
	shows 'Unlock' 'and back'
	keys y
	until_ok is_unlocked
	result $? 'as well'
	keys C-c
	ends 130 'Ctrl-C quits'
}

only_looks() {
	begin "NO_COLOR=1 LC_ALL=C $rpctui --socket view" 'a socket that shows'
	shows 'read-only' 'says so'
	keys 2 L
	shows 'read-only: nothing' 'and steers nothing'
	keys : stop Enter
	shows 'read-only: nothing' 'by no word, either'
	shows '^-- KNOWN (1) ---' 'its lines are ASCII'
	! screen -e | grep -q "$(printf '\033')\[[0-9;]*3[0-7][;m]" &&
		! screen | LC_ALL=C grep -q '[^ -~]'
	result $? 'and it has no color'
	keys q
	ends 0 'quit'
}

of_program() {
	pgrep -f -x "$rpctui --socket $tmp/admin" >pid
}

is_over() {
	ended_or_zombie "$(cat pid)"
}

is_stopped() {
	grep -q '^State:.T' "/proc/$(cat pid)/status"
}

# In the shell's background it leaves the terminal alone, and can be ended.
backs() {
	begin "$rpctui --socket $tmp/admin" 'to be stopped'
	until_ok of_program
	result $? 'runs'
	keys 2 L
	shows 'Type LOCK' 'in a question'
	keys LO C-z
	shows '^\$ *$' 'Ctrl-Z leads to the shell'
	keys fg Enter
	shows '> LO' 'and fg to where one was'
	keys C-z
	shows '^\$ *$' 'stopped again'
	keys bg Enter
	until_ok is_stopped
	result $? 'in the background it stops'
	keys 'clear; stty -a | grep -o -- "[-]*echo "' Enter
	shows '^echo *$' 'and the terminal is the shell'"'"'s'
	kill -TERM "$(cat pid)"
	kill -CONT "$(cat pid)"
	until_ok is_over
	result $? 'SIGTERM ends it there as well'
	keys 'clear; stty -a | grep -o -- "[-]*echo "' Enter
	shows '^echo *$' 'and nothing has changed that'
	keys clear Enter
}

dies() {
	begin "$rpctui --socket $tmp/admin" 'once more'
	until_ok of_program
	result $? 'runs'
	kill -TERM "$(cat pid)"
	ends 143 'SIGTERM ends it with its status'
	begin "$rpctui --socket $tmp/admin" 'the last time'
	until_ok of_program
	result $? 'runs'
	term kill-server
	until_ok is_over
	result $? 'without a terminal it ends'
}

main() {
	mark=0
	conf
	certificates
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	terminal 80 24
	result $? 'a terminal'
	decides
	looks
	resizes
	kicks
	stops
	locks
	only_looks
	backs
	dies
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
