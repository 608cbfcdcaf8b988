#!/bin/sh
# What is decided, ordered and looked up in rpctui: that the daemon does it, and
# says in its audit who did it and by what.
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
	printf 'known-clients = known\n[method wait]\n' >>tui.conf
	printf 'exec = /bin/sleep 50\nabout = nothing\n' >>tui.conf
}

comes() { # KEY WORDS: in the background: $guest
	key=$1
	shift
	"$rpcsh" -s "$(url tls)" --certs certs -k "$key" "$@" \
		</dev/null >"$key.out" 2>&1 &
	guest=$!
	daemons="$daemons $guest"
}

waits() { # KEY
	ctl trust ls --state waiting --plain | grep -q "	$1@"
}

is_open() { # KEY
	ctl conns --plain | grep -q "	$1@"
}

is_over() { # PID
	! kill -0 "$1" 2>/dev/null
}

# The newest line of the audit is so.
audit_has() {
	ctl trust audit --max 1 --plain | grep -q -e "$1"
}

audited() { # PATTERN TEXT
	until_ok audit_has "$1"
	result $? "$2"
}

stands() { # NAME STATE
	ctl trust ls --plain | grep "^$2	" | grep -qF "$(fingerprint "$1")"
}

has_line() { # NAME
	ctl trust ls --state known --plain >lines &&
		grep -qF "$(fingerprint "$1")" lines
}

has_no_line() {
	! has_line "$1"
}

# What shows how calls went.
looks() {
	keys 3
	shows '^-*.*METHODS (.*CALLS.*P50.*P99' 'methods have figures'
	shows '^[> ] wait  *alice@example.org  *[0-9]*s' 'beside what runs'
	keys 4
	shows 'certificate_days  *[0-9]' 'the certificate has days'
	keys G
	shows '^key    SHA256:' 'and a key'
	keys 1
	shows '^cert   CN [a-z]*  CA .*  ends 20.* d)' 'as clients have'
	shows '^tls    TLS_' 'with a cipher'
	shows '^calls .*done .*1 running .*failed' 'and what they called'
	shows '^now    wait' 'and call'
	shows '^S: ok busy  -- idle  ?? waiting for you' 'and what signs mean'
	keys 2
}

# The key of alice: approved with a note, taken back, approved for a day.
decides() {
	comes alice call wait
	shows '?? alice@example.org' 'a stranger waits'
	keys x
	shows 'alice@example.org from tls:' 'x asks whether to close that'
	keys y
	shows 'kicked alice' 'and has done so'
	until_ok is_over "$guest"
	result $? 'which the stranger sees'
	comes alice call wait
	shows '?? alice@example.org' 'who waits again'
	keys 2
	shows 'WAITING (1)' 'the second tab has it'
	keys a
	shows '> \[ Later \]' 'a asks'
	keys n
	shows '> note' 'n to the note'
	term send-keys -t t -l 'lar her new laptop'
	keys Enter
	shows '> \[ Later \]' 'Enter ends the note'
	shows 'note lar her' 'which stays'
	keys a
	shows 'approved: alice' 'a decides'
	audited '(tui).*approve.*lar her new laptop' 'the audit has who and why'
	shows 'note   lar her new laptop' 'so has the detail'
	shows 'by     .*(tui)' 'with who decided'
	cp known line
	keys H
	shows 'audit of alice@example.org: what was decided' 'H shows hers alone'
	shows '^ *[0-9:]*Z .*(tui)  *approve  *alice@' 'as it was'
	keys Escape
	looks
	keys G a
	shows 'known already' 'once is enough'
	keys r
	shows '> \[ Later \]   \[ Reject \]   \[ Revoke \]' \
		'and it can be put out'
	keys Escape
	keys m
	shows '^note' 'a better note'
	keys C-u
	term send-keys -t t -l 'lar or not'
	keys Enter
	shows 'note   lar or not' 'is no decision'
	keys u
	shows 'taken back' 'u takes the one before it back'
	audited '(tui).*undo' 'which the audit has as well'
	until_ok has_no_line alice
	result $? 'and the list'
	shows 'WAITING (1)' 'it waits again'
	keys g Enter
	shows '> \[ Later \]' 'Enter asks'
	keys d
	shows 'approved for a day: alice' 'a day'
	audited '(tui).*until' 'is in the audit'
	shows 'until  20' 'and in the detail'
}

# alice, as she was at first, comes in by a line.
imports() {
	keys i
	shows '^key line or @file:' 'i asks for a line'
	term send-keys -t t -l 'no line of it'
	keys Enter
	shows 'nothing is imported' 'one that is none is refused'
	keys i
	shows '^key line or @file:' 'i asks again'
	term send-keys -t t -l "$(grep -v '^#' line)"
	keys Enter
	shows 'imported: 1 new' 'one that is good is taken'
	until_ok has_line alice
	result $? 'to the list'
	audited '(tui).*import' 'and the audit'
	shows 'KNOWN (1)' 'she is known'
	for file in gone binary line; do
		[ $file != binary ] || printf 'a\0b' >$file
		keys i
		shows '^key line or @file:' 'once more'
		keys -l "@$file"
		keys Enter
		case $file in
		gone) shows 'gone: No such file' 'a file that is not there' ;;
		binary) shows 'imported: it is no text' 'one of no text' ;;
		*) shows 'imported: 0 new, 1 known already' 'and one of keys' ;;
		esac
	done
	keys G f
	shows 'Forget a key?' 'f asks'
	keys y
	until_ok has_no_line alice
	result $? 'and takes her line out'
	audited '(tui).*forget' 'which the audit has'
	shows 'KNOWN (0)' 'nobody is known'
	ctl trust undo "$(fingerprint alice)" >out 2>err
	result $? 'that is taken back'
	shows 'KNOWN (1)' 'she is again'
}

# Somebody else with her name.
replaces() {
	comes changed ping
	shows '!! Alice@Example.org' 'a changed key, in other letters'
	keys g a
	shows 'key CHANGED: Enter' 'a does not approve it'
	keys Enter
	shows 'ANOTHER key' 'Enter warns'
	shows '^.*known  SHA256:' 'and shows the old one'
	keys R
	shows 'last four characters' 'Replace takes four characters'
	term send-keys -t t -l 'xxxx'
	keys Enter
	shows 'that is not it' 'the right ones'
	keys C-u
	tail=$(fingerprint changed)
	term send-keys -t t -l "${tail#"${tail%????}"}"
	keys Enter
	shows 'replaced the key' 'and then it is done'
	until_ok has_line changed && has_no_line alice
	result $? 'in the list'
	audited '(tui).*replace\|(tui).*approve' 'and the audit'
}

# Approved, and not on the list.
once_only() {
	comes bob ping -n 1000 -i 1s
	until_ok waits bob
	result $? 'one more waits'
	ctl trust approve --once "$(fingerprint bob)" >out 2>err
	result $? 'and is let in once'
	until_ok is_open bob
	result $? 'so it is connected'
	bob=$guest
	keys 1 / bob Enter
	shows '^calls .* done .* failed  p50 [0-9].* p90 .* p99 .* max [0-9]' \
		'and how long its calls took is shown'
	keys Escape 2 / alice Enter
	shows '^> .. Alice@' 'the other key is picked'
	keys H
	shows 'audit of .*what was decided' 'of which the audit'
	hides '(ctl) *once  *bob' 'has nothing of this one'
	keys Escape A
	shows '(ctl) *once  *bob' 'as the whole one has'
	keys Escape
}

locks() {
	once_only
	keys L
	shows 'Type LOCK' 'locking takes a word'
	shows '\[ok\] the list is not empty (1 key)' 'after a look'
	shows '\[ok\] no known certificate ends' 'at certificates'
	shows '\[..\] the daemon finds nothing\|\[!!\]' 'by the daemon, too'
	shows 'File: known, mode 0600 -> 0400' 'at the list'
	shows 'are kept (k: drop 1 of' 'and at who is not on it'
	keys k
	shows 'Dropped: 1 connection of' 'which k drops'
	keys k
	shows 'are kept (k: drop 1 of' 'or keeps'
	keys k no Enter
	shows 'that is not it' 'which must be the word'
	keys C-u LOCK Enter
	shows 'ASK LOCKED' 'locked'
	shows 'connections closed: 1' 'and dropped'
	until_ok is_over "$bob"
	result $? 'that one is'
	[ "$(stat -c %a known)" = 400 ]
	result $? 'is the file'
	keys L
	shows '> \[ No \]' 'unlocking is asked about'
	keys y
	shows 'may be written again' 'and unlocked'
	keys A
	shows 'audit: what was decided' 'A shows the audit'
	shows '(tui).*import' 'with what was done here'
	keys G
	shows 'lar her new laptop' 'and why'
	keys Escape y
	shows 'key of' 'y shows the key'
	shows '█' 'as a picture, too'
	keys Escape
}

is_child() {
	child=$(pgrep -P "$tui")
}

# Nothing of ours is the child's: the terminal, the line to the daemon.
is_apart() {
	tty=$(sed 's/.*) //' "/proc/$child/stat" | cut -d ' ' -f 5)
	[ "$tty" -eq 0 ] || return 1
	[ "$(id -u)" -eq 0 ] || return 0
	ls -l "/proc/$child/fd" >fds
	! grep -q '/dev/pts\|/dev/tty' fds &&
		[ "$(grep -c socket: fds)" -eq 1 ]
}

commands() {
	keys : 'trust aud' Tab Enter
	shows '(status 0)' 'a command is completed and run'
	shows 'known  *lar her' 'and says what it has to'
	keys Escape : 'trust aprove' Enter
	shows '(status 2)' 'one that is none says so'
	keys Escape : 'log -f' Enter
	shows 'j/k move  Ctrl-C end it' 'one that goes on'
	tui=$(pgrep -o -f -x "$rpctui --socket $tmp/admin")
	until_ok is_child
	result $? 'is a child'
	until_ok is_apart
	result $? 'that has nothing of ours'
	keys C-c
	shows '(ended by signal 2)' 'and Ctrl-C ends it'
	keys Escape q
	ends 0 'quit'
}

# One letter decides, where somebody wants it so; but about no changed key.
quick() {
	mkdir -p .config/rpckit
	echo 'quick_keys = maybe' >.config/rpckit/config
	mark=$((mark + 1))
	keys "clear; $rpctui --socket admin; echo END-$mark-\$?" Enter
	ends 1 'a setting that is none'
	screen -J | grep -q 'rpckit/config:1: quick_keys: "maybe" is not of the form'
	result $? 'is told with its line'
	echo 'quick_keys = yes' >.config/rpckit/config
	begin "$rpctui --socket admin" 'quick keys'
	shows 'QUICK' 'are told of on top'
	comes mallory call echo --raw x
	shows '?? mallory' 'a stranger waits'
	keys 2
	keys / mallory Enter
	shows '^> ?? mallory' 'and is looked at'
	keys l
	shows 'left for later: mallory' 'l decides nothing'
	waits mallory
	result $? 'it waits on'
	keys / mallory Enter
	shows '^> ?? mallory' 'selected again'
	keys a
	shows 'approved: mallory' 'a decides'
	hides '\[ Approve \]' 'without a question'
	audited '(tui).*approve.*mallory' 'in the audit, too'
	keys u
	shows 'taken back' 'and back'
	shows '?? mallory' 'it waits again'
	keys / mallory Enter
	shows '^> ?? mallory' 'and is selected'
	keys Enter
	shows '> \[ Later \]' 'Enter asks all the same'
	keys Escape
	comes again ping
	shows '!! alice@example.org' 'a changed key'
	shows '[0-9] new and 1 CHANGED key wait ' 'and one, it is said'
	keys g / alice Enter
	shows '^> !! alice' 'selected, too'
	keys a
	shows 'key CHANGED: Enter' 'is not approved by a letter'
	keys r
	shows '> \[ Later \]   \[ Replace' 'and not rejected without a question'
	waits alice
	result $? 'it waits'
	keys Escape
	hides 'Reject \]' 'Esc goes back'
	keys q
	ends 0 'quit'
	rm .config/rpckit/config
}

# A third key with the name stays when one replaces the other, and who does that
# is told of it before.
third() {
	comes third ping
	until_ok stands third changed
	result $? 'a third key with the name of alice'
	ctl trust approve --changed "$(fingerprint third)" >out 2>err
	result $? 'is let in beside the other one'
	begin "$rpctui --socket $tmp/admin" 'once more'
	keys 2 / "$(fingerprint again | cut -c 8-18)" Enter
	shows '^> !! alice' 'one that waits still'
	keys Enter
	shows 'Decide: CHANGED key' 'is asked about'
	keys R
	shows 'last four characters' 'and replaces one of them'
	keys -l "$(fingerprint again | tr -d "\n" | tail -c 4)"
	keys Enter
	shows 'Replace it all the same' 'there is the other: that is asked'
	shows 'a third key is' 'in the words of the daemon'
	has_no_line again
	result $? 'before anything is done'
	keys R
	shows 'replaced the key' 'although there is the other'
	until_ok has_line again
	result $? 'in the list'
	keys v
	shows 'show:waiting' 'v shows those that wait'
	hides '-- KNOWN' 'and no others'
	keys v
	shows '^-- KNOWN\|^── KNOWN' 'then the known'
	hides 'WAITING (' 'and no others'
	keys v v
	shows 'show:all' 'and all again'
	keys q
	ends 0 'quit'
}

only_looks() {
	begin "$rpctui --socket admin --read-only" 'read-only'
	shows 'read-only' 'says so'
	keys : 'trust lock' Enter
	shows 'read-only: nothing' 'a verb that steers is refused'
	keys C-l : 'trust check' Enter
	shows '(status 0)' 'one that looks is not'
	keys Escape 2 A
	shows '(tui).*replace' 'the audit is shown'
	keys Escape
	shows '^j/k move  Enter more  ' 'Enter is offered for what it does'
	keys Enter
	shows 'all that is known' 'which is no question'
	keys Escape '?'
	keys -l 'decide'
	shows 'help: trust *search: decide_' 'the help is searched for one'
	! grep -q '^ *Enter ' plain
	result $? 'and Enter is not found'
	keys Escape i
	shows 'read-only: nothing' 'nothing is imported'
	keys q
	ends 0 'quit'
}

main() {
	mark=0
	conf
	certificates
	"$selfy" -k changed -e Alice@Example.org -nopass >out 2>err
	result $? 'another key with the name of alice'
	"$selfy" -k bob -e bob@example.org -nopass >out 2>err
	result $? 'one more client'
	"$selfy" -k again -e alice@example.org -nopass >out 2>err
	result $? 'and one more key with the name of alice'
	"$selfy" -k third -e alice@example.org -nopass >out 2>err
	result $? 'and a third one'
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	check 'a terminal' terminal 80 24
	begin "$rpctui --socket $tmp/admin" '80 columns, 24 lines'
	shows 'trust ASK' 'the daemon is known'
	decides
	imports
	replaces
	locks
	commands
	quick
	third
	only_looks
	term kill-server
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
