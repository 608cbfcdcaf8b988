#!/bin/sh
# rpctui under hands that are too fast, and text that is pasted: nothing is
# decided but what was seen, and asked about.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
rpctui=$BUILD_DIR/bin/rpctui
oddctl=$BUILD_DIR/test/oddctl

term() {
	TMUX_TMPDIR=$tmp tmux -L t -f /dev/null "$@"
}

screen() {
	term capture-pane -p -t t
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
}

hides() { # PATTERN TEXT
	until_ok not_on_screen "$1"
	result $? "$2"
}

# All of it in one piece, with marks around it where an option says so.
paste() { # TEXT OPTION...
	term set-buffer -- "$1"
	shift
	term paste-buffer -r "$@" -t t
}

# begin SOCKET: the screen, at its second tab.
begin() {
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp LC_ALL=C.UTF-8 \
	    TERM=screen-256color PATH=$PATH $rpctui --socket $1 2>tui.err; \
	    echo END-\$? >tui.end"
	until_ok on_screen '? help' && keys 2
	until_ok on_screen 'WAITING ([1-9]'
	result $? "keys wait, at $1"
}

comes() { # NAME
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" ping -n 1000 -i 1s \
		</dev/null >"$1.out" 2>&1 &
	guest=$!
	daemons="$daemons $guest"
	until_ok is "$1" new
	result $? "$1 waits"
}

leaves() {
	kill "$guest"
	wait "$guest"
}

is() { # NAME STATE
	"$rpcd" ctl --socket admin trust ls --plain >./ls 2>&1 &&
		grep -q "^$2	$1@" ls
}

is_row() { # NAME: the row that is selected
	on_screen "^> .. $1@"
}

ahead() {
	paste aa
	shows '> \[ Later \]' 'a letter, and one more at once: a question'
	keys Escape
	hides '\[ Approve \]' 'and Esc'
	is mallory new
	result $? 'what was typed before it was seen decides nothing'
}

pasted() {
	paste "$(printf 'a\ra\rf\ry\r')" -p
	shows 'pasted text' 'text that is pasted is no keys'
	not_on_screen '\[ [AN]' && is mallory new
	result $? 'and nothing is asked'
	keys m
	shows '^note:' 'where a line is asked for'
	paste "$(printf 'one\raa\rtwo')" -p
	shows '^note: one aa two' 'it is one line'
	keys Enter
	shows 'noted' 'which is taken'
	keys L
	shows 'Type LOCK' 'a word to type'
	paste "$(printf 'LOCK\r')" -p
	shows '^.*> LOCK' 'can be pasted'
	keys Escape
	hides 'Type LOCK' 'and waits for Enter'
}

small() {
	term resize-window -t t -x 40 -y 9
	shows 'too small' 'a terminal that is too small'
	keys a a Enter x
	term resize-window -t t -x 80 -y 24
	shows 'WAITING' 'is large again'
	is mallory new && not_on_screen '\[ [AN]'
	result $? 'no key counted that was pressed blind'
}

shifts() {
	keys g
	comes alice
	leaves
	keys / alice Enter
	until_ok is_row alice
	result $? 'a row is selected'
	"$rpcd" ctl --socket admin trust forget \
		"$(fingerprint alice | cut -c 8-20)" >out 2>err
	until_ok is_row mallory
	result $? 'it goes, and another one takes its place'
	keys a
	shows 'what was selected is gone' 'which was not meant'
	not_on_screen '\[ Approve \]'
	result $? 'and is not asked about'
	keys a
	shows '> \[ Later \]' 'until the key is pressed again'
}

# A decision is taken back although the daemon went meanwhile.
away() {
	keys r
	shows 'rejected: mallory' 'a decision'
	stop
	result $? 'the daemon ends'
	shows 'OFFLINE' 'which is seen'
	keys u
	shows 'u takes it back when it does' 'it cannot be taken back now'
	start 1 -f mash.conf --certs certs
	result $? 'the daemon is back'
	hides 'OFFLINE' 'which is seen'
	keys u
	shows 'taken back' 'and then it can'
	is mallory new
	result $? 'and is'
}

another() {
	keys / mallory Enter
	until_ok is_row mallory
	result $? 'it is selected'
	keys a
	shows '> \[ Later \]' 'asked about'
	keys Tab a
	shows 'approved: mallory' 'a decision'
	"$rpcd" ctl --socket admin trust reject "$(fingerprint mallory)" \
		>out 2>err
	result $? 'and another person'"'"'s'
	keys u
	shows 'something else was decided' 'is not taken back as if it were ours'
	is mallory rejected
	result $? 'but counts'
	keys C-c
	until_ok test -s tui.end
	has tui.end 'END-130' 'Ctrl-C'
}

# A changed key whose fingerprint is none.
values() {
	mkdir -p odd
	python3 - <<'END'
def text(s):
    return b'\xd9' + bytes([len(s)]) + s.encode()
def row(state, fp, **more):
    m = {'state': state, 'email': 'a@b', 'fingerprint': fp, **more}
    return bytes([0x80 + len(m)]) + b''.join(
        text(k) + text(v) for k, v in m.items())
def put(name, v):
    open('odd/' + name, 'wb').write(v)
put('_.status', b'\x82' + text('name') + text('odd') + text('state') +
    text('serving'))
put('_.trust', b'\x81' + text('keys') + b'\x91' + row('changed', 'a', other='b'))
put('_.known', b'\x81' + text('keys') + b'\x91' + row('known', 'b'))
put('_.conns', b'\x81' + text('conns') + b'\x90')
put('_.calls', b'\x81' + text('calls') + b'\x90')
put('_.log', b'\x90')
put('_.serves', b'\x90')
put('_.kick', b'\xc0')
put('_.undo', row('\x1b]0;x\x07', 'a'))
line = {'what': '\x1b]0;y\x07', 'who': '\x1b[2J', 'fingerprint': 'a' * 43}
put('_.audit', b'\x81' + text('lines') + b'\x91\x84' + text('id') + b'\x07' +
    b''.join(text(k) + text(v) for k, v in line.items()))
put('_.events', b'\xc0')
def part(t, last):
    return (b'\x83' + text('text') + text(t) + text('sum') + text('s') +
            text('next') + bytes([last]))
put('_.export', part('# \x1b]0;z\x07\na\x00b\n', 0))
for i in range(3):
    put('export.%d' % i, part('', i + 1))
END
}

# odd_says FILE=JSON...: what the odd one answers.
odd_says() {
	python3 - "$@" <<'END'
import json, sys
def pack(v):
    if isinstance(v, bool): return b'\xc3' if v else b'\xc2'
    if isinstance(v, int): return b'\xce' + v.to_bytes(4, 'big')
    if isinstance(v, str): return b'\xd9' + bytes([len(v)]) + v.encode()
    if isinstance(v, list): return bytes([0x90 + len(v)]) + b''.join(map(pack, v))
    return bytes([0x80 + len(v)]) + b''.join(pack(k) + pack(x) for k, x in v.items())
for word in sys.argv[1:]:
    name, v = word.split('=', 1)
    open('odd/' + name, 'wb').write(pack(json.loads(v)))
END
}

odd_starts() {
	: >odd.out
	rm -f odd.sock
	"$oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>&1 &
	odd=$!
	daemons="$daemons $odd"
	until_ok grep -q listening odd.out
}

# Lock, close what is not on the list.
locks_odd() {
	keys L
	shows 'Type LOCK' 'locking is asked about'
	keys k
	shows 'Dropped: 3' 'with who is connected'
	keys LOCK Enter
}

quits_odd() {
	keys C-c
	until_ok test -s tui.end
	kill "$odd" 2>/dev/null
}

# Of three connections one is gone when its turn comes; or the daemon is.
drops() {
	values
	rm -rf odd/_.trust odd/_.known
	odd_says '_.status={"name":"odd","trust":{"mode":"ask","list":"open","known":1,"waiting":0}}' \
		'_.conns={"conns":[{"id":1,"key":"once","state":"idle"},{"id":2,"key":"once","state":"idle"},{"id":3,"key":"once","state":"idle"},{"id":4,"key":"known","state":"idle"}]}' \
		'_.lock={}' '_.check={"findings":[]}' '_.trust={"keys":[{"state":"new","fingerprint":"x","email":"mallory@example.org"}]}' \
		'_.known={"keys":[]}' 'kick.0={"kicked":1}' 'kick.2={"kicked":1}'
	odd_starts
	rm -f tui.end
	begin odd.sock
	locks_odd
	shows 'connections closed: 2, gone already: 1' 'all of them are tried'
	quits_odd
	: >odd/kick.1.end
	odd_starts
	rm -f tui.end
	begin odd.sock
	locks_odd
	shows 'closed: 1, NOT closed: 2' 'what could not be done is said'
	quits_odd
	rm odd/kick.*
}

# line ID WHO WHAT [KEY]: one of the audit, by a clock that was set back.
line() {
	printf '{"id":%d,"who":"%s","what":"%s","time":"%s","fingerprint":"%s"}' \
		"$1" "$2" "$3" 1999-01-01T00:00:00Z "${4:-$fp}"
}

# asks_odd: about a key, of a daemon that goes before it answers.
asks_odd() {
	odd_says "_.trust={\"keys\":[{\"state\":\"new\",\"email\":\"mallory@b\",\"fingerprint\":\"$fp\",\"version\":3}]}" \
		'_.decide={}'
	: >odd/_.decide.end
	odd_starts
	rm -f tui.end
	begin odd.sock
	shows '?? mallory@b' 'a key waits'
	keys Enter
	shows '> \[ Later \]' 'asked about'
	keys r
	shows OFFLINE 'the daemon goes before it answers'
	rm odd/_.decide.end
}

# unsure PATTERN TEXT [LINE...]: one that is back with these lines in its audit,
# before which it had one.
unsure() {
	odd_says "_.audit={\"lines\":[$(line 6 "$me" reject)]}"
	asks_odd
	pattern=$1
	text=$2
	shift 2
	lines=$(line 6 "$me" reject)
	while [ $# -gt 0 ]; do
		lines=$1,$lines
		shift
	done
	odd_says "_.audit={\"lines\":[$lines]}"
	odd_starts
	shows "$pattern" "$text"
}

# While one is in doubt another is decided.
doubt_second() {
	odd_says '_.audit={"lines":[]}'
	asks_odd
	: >odd/_.audit.hold
	odd_starts
	hides OFFLINE 'it is back, and its audit is not'
	keys Enter
	shows '> \[ Later \]' 'another decision'
	keys r
	shows 'not known whether this was done: rejected: mallory' \
		'does not hide that the first is in doubt'
	rm odd/_.audit.hold
	quits_odd
}

doubts() {
	fp=SHA256:$(printf 'a%.0s' $(seq 43))
	me="$(id -un) (tui)"
	done='although the daemon went meanwhile: rejected'
	undone='it is NOT done: rejected'
	unknown='not known whether this was done: rejected'
	unsure "$undone" 'it has not done it'
	keys u
	shows 'nothing to take back' 'and nothing is taken back'
	quits_odd
	unsure "$undone" 'nor has another done it for us' \
		"$(line 7 'eve (ctl)' reject)"
	quits_odd
	unsure "$undone" 'nor is another decision it' \
		"$(line 7 'eve (tui)' approve)" "$(line 8 "$me" approve)"
	quits_odd
	unsure "$unknown" 'who is not us may be, by another name' \
		"$(line 7 'eve (tui)' reject)"
	keys u
	shows 'nothing to take back' 'and nothing of theirs is taken back'
	quits_odd
	unsure "$done" 'it has, and more came of it' \
		"$(line 7 "$me" reject)" "$(line 8 store used)" \
		"$(line 9 'eve (ctl)' reject "SHA256:$(printf 'b%.0s' $(seq 43))")"
	quits_odd
	unsure "$done" 'it has' "$(line 7 "$me" reject)"
	odd_says '_.undo={}'
	keys u
	hides 'went meanwhile' 'and that is taken back'
	quits_odd
	odd_says '_.audit={"lines":[]}'
	asks_odd
	rm odd/_.audit
	odd_starts
	shows "$unknown" 'without an audit nobody can say'
	quits_odd
	doubt_second
}

lies() {
	values
	: >odd.out
	rm -f tui.end
	"$oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>&1 &
	daemons="$daemons $!"
	until_ok grep -q listening odd.out
	"$rpcd" ctl --socket odd.sock trust undo aaaaaaaa >out 2>err
	has err 'now it is \\x1b\]0;x\\x07' 'what ctl is told is harmless text'
	has err 'that was: \\x1b\]0;y\\x07 by ' 'what its audit has, too'
	want 1 'a list without an end' "$rpcd" ctl --socket odd.sock trust export
	has err 'malformed' 'ends at its first part that has nothing'
	rm odd/export.*
	script -qec "'$rpcd' ctl --socket odd.sock trust export" /dev/null \
		</dev/null >out 2>err
	tr -d '\r' <out >shown
	printf '# \\x1b]0;z\\x07\na\\x00b\n' | cmp - shown
	result $? 'a list on a terminal is harmless text'
	want 0 'elsewhere' "$rpcd" ctl --socket odd.sock trust export
	printf '# \033]0;z\007\na\000b\n' | cmp - out
	result $? 'it is as it came'
	begin odd.sock
	keys Enter
	shows '\[ Replace \]' 'a key that changed'
	keys R
	shows 'no fingerprint' 'to what is no fingerprint'
	keys Tab a Enter Escape
	# Sooner, Ctrl-C behind Escape may be taken for Alt and a key.
	hides 'no fingerprint' 'the question can be left'
	keys C-c
	until_ok test -s tui.end
	has tui.end 'END-130' 'is not replaced by'
}

main() {
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\nknown-clients = known\n' \
		"$tmp/admin" >mash.conf
	echo 'trust = ask' >>mash.conf
	certificates
	check 'rpcd starts' start 1 -f mash.conf --certs certs
	comes mallory
	begin admin
	ahead
	pasted
	small
	shifts
	away
	another
	drops
	doubts
	lies
	term kill-server 2>/dev/null
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
