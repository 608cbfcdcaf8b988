#!/bin/sh
# rpctui without a screen: --once, --json, --plain, and where it cannot be.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

rpctui=$BUILD_DIR/bin/rpctui
oddctl=$BUILD_DIR/test/oddctl

tui() {
	timeout 60 "$rpctui" --socket "$tmp/admin" "$@"
}

is_json() { # TEXT
	python3 -c '
import json, sys
text = open("out", newline="").read()
assert text.endswith("\n") and text.count("\n") == 1, "one line"
o = json.loads(text)
assert list(o)[0] == "schema" and o["schema"] == 1
for name in ("conns", "keys", "known", "calls"):
    assert isinstance(o[name], list) and o[name + "_left_out"] == 0, name
assert o["read_only"] is ("view" in sys.argv[1])
assert o["status"]["name"] == "rpcd"
assert "\x1b" not in text' "$1" 2>err
	result $? "$1: one object"
}

no_escapes() { # FILE TEXT
	[ "$(tr -d '\n\t\40-\176' <"$1" | wc -c)" = 0 ]
	result $? "$2"
}

stays() {
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" ping -n 1000 -i 1s \
		</dev/null >"$1.out" 2>&1 &
	stays=$!
	daemons="$daemons $stays"
}

sees() { # WORD
	tui --once </dev/null 2>/dev/null | grep -q "$1"
}

sees_lengths() {
	tui --once --json </dev/null 2>/dev/null | grep -q \
		'"done":[1-9][0-9]*,"failed":0,.*"p50_us":[1-9].*"p99_us":[1-9]'
}

# ---- a daemon ----

snapshot() {
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\nadmin-view = %s\n' \
		"$tmp/admin" "$tmp/view" >tui.conf
	echo 'trust = ask' >>tui.conf
	install -m 600 /dev/null known_client_keys
	start 1 -f tui.conf
	result $? 'a daemon that asks'
	stays alice
	until_ok sees '^new .*alice@example.org'
	result $? 'who waits is seen'
	want 0 'once' tui --once
	has out '^rpcd 0\.[0-9.]*  pid [0-9]*  running since 20' 'who'
	has out "^listen  $(url tls)" 'where'
	has out '^trust  ask, list .* 1 waiting,' 'what unknown keys are'
	has out '^connections (1)' 'connections'
	has out ' waiting .*alice@example.org' 'one of which waits'
	has out '^keys (1)' 'keys'
	has out '^new .*alice@example.org *SHA256:' 'that one'
	has out '^calls (0)' 'no call'
	no_escapes out 'all of it is text'
	want 0 'once in JSON' tui --once --json
	is_json once
	has out '"keys":\[{"state":"new","email":"alice@' 'has who waits'
	want 0 'once at the socket that shows' \
		"$rpctui" --socket view --once --json
	is_json view
	want 0 'once as text there' "$rpctui" --socket view --once
	has out '^this socket only shows' 'says so'
}

plain() {
	mkfifo keys
	"$rpctui" --socket admin --plain <keys >plain 2>plain.err &
	watcher=$!
	daemons="$daemons $watcher"
	exec 8>keys
	until_ok grep -q ' status rpcd .* trust ask, 1 keys wait' plain
	result $? 'plain begins with the daemon'
	until_ok grep -q ' waits new alice@example.org from .* SHA256:' plain
	result $? 'and with who waits'
	for key in '?' s 1 2 3 nonsense; do
		echo "$key" >&8
	done
	until_ok grep -q '^keys, each with Enter' plain
	result $? 'it knows its keys'
	until_ok grep -q '^connection .* waiting alice@' plain
	result $? 'connections, on demand'
	until_ok grep -q '^no calls' plain
	result $? 'calls'
	until_ok grep -q '^failed: status 2' plain
	result $? 'and what is no key is no verb of rpcd ctl either'
	"$rpcd" ctl --socket admin trust approve \
		"$(fingerprint alice)" >out 2>err
	result $? 'a key is approved'
	until_ok grep -q ' decided .* alice@' plain
	result $? 'which is a line'
	until_ok grep -q ' opened [0-9]* alice@' plain
	result $? 'and the client is let in'
	until_ok sees_lengths
	result $? 'whose calls are counted, and how long they took'
	"$rpcd" ctl --socket admin kick 127.0.0.1 >out 2>err
	until_ok grep -q ' closed [0-9]* alice@.*: .*by an operator' plain
	result $? 'a line with a reason'
	"$rpcd" ctl --socket admin reload >out 2>err
	until_ok grep -q ' reloaded ' plain
	result $? 'the daemon itself'
	! grep ' log info ' plain
	result $? 'nothing twice'
	no_escapes plain 'all of it is text'
	stop
	until_ok grep -q ' offline: ' plain
	result $? 'a daemon that ends is a line'
	start 1 -f tui.conf
	until_ok awk '/ offline: / { off = NR } / online$/ { on = NR }
		END { exit !(on > off && off) }' plain
	result $? 'and one that is back'
	echo q >&8
	wait "$watcher"
	result $? 'q ends it'
	exec 8>&-
	[ ! -s plain.err ]
	result $? 'without a word'
}

# piped SOCKET [OPTION...]: what it says to the file of lines, by a pipe.
piped() {
	socket=$1
	shift
	sed '' lines | timeout 60 "$rpctui" --socket "$socket" --plain "$@" \
		>out 2>err
}

# typed STATUS TEXT [OPTION...] <LINES: what becomes of them.
typed() {
	status=$1
	text=$2
	shift 2
	cat >lines
	piped "$tmp/admin" "$@"
	[ $? -eq "$status" ] && [ ! -s err ]
	result $? "$text"
}

# in_order PATTERN...: lines of the output, each behind the one before.
in_order() {
	python3 - "$@" <<'END'
import re, sys
at = 0
text = open('out').read()
for p in sys.argv[1:]:
    m = re.compile(p, re.M).search(text, at)
    if not m:
        sys.exit('no "%s" behind byte %d' % (p, at))
    at = m.end()
END
	result $? 'each line is answered, in its order'
}

waits_as() { # NAME STATE
	"$rpcd" ctl --socket admin trust ls --plain 2>err | grep "^$2	" |
		grep -qF "$(fingerprint "$1")"
}

# By what is typed, the whole of which is answered before it ends.
plain_decides() {
	stays mallory
	until_ok waits_as mallory new
	result $? 'one more waits'
	fp=$(fingerprint mallory)
	typed 0 'lines from a pipe' <<-END
		2
		m $fp 'not one of us'
		:trust show $fp
		r $fp
		s
		u $fp
		1
	END
	in_order ' online$' ' status rpcd ' ': noted$' \
		'^note .*not one of us' ': rejected$' ' status rpcd ' \
		': taken back; now it is new' '^(connection|no conn)'
	has out " waits new mallory@.* $fp, [0-9]* tries, CA [a-z]" \
		'with all that one has to know'
	no_escapes out 'all of it is text'
	until_ok waits_as mallory new
	result $? 'and the last decision was taken back'
	typed 1 'lines of which one fails' <<-END
		a
		a $fp 'x
		log -f
		nonsense
		:a $(echo "$fp" | cut -c 8-20)
	END
	in_order '^of what' '^a quote has no end' '^that has no end' \
		'^failed: status 2' ': approved, and known'
	! waits_as mallory new
	result $? 'by the start of a fingerprint, too'
	printf '2\nf %s' "$fp" | typed 0 'a last line without an end'
	in_order '^no key waits' ': forgotten$'
}

# A key that changed is not let in by a word that lets in new ones.
plain_changed() {
	"$selfy" -k changed -e alice@example.org -nopass >out 2>err
	result $? 'another key with the name of alice'
	stays changed
	until_ok waits_as changed changed
	result $? 'which is a changed one'
	old=$(fingerprint alice)
	fp=$(fingerprint changed)
	typed 1 'is not approved' <<-END
		2
		a $fp
	END
	in_order ' waits changed .*known with another key, SHA256:' \
		': another key is known for' '^failed: status'
	has out ", known with another key, $old\$" 'the other one is named'
	waits_as changed changed
	result $? 'it waits'
	for view in admin view; do
		printf 'R %s %s\n2\n' "$old" "$fp" >lines
		piped "$tmp/$view" --read-only
		[ $? -eq 1 ]
		result $? 'nor by who only looks'
		in_order '^read-only: nothing' ' waits changed '
	done
	typed 0 'it replaces the other' <<-END
		R $old $fp
	END
	in_order ': revoked, and the other one is known'
	! waits_as changed changed
	result $? 'and waits no more'
}

# What ends it: the end of its input, a signal, nobody who reads.
plain_ends() {
	want 0 'the end of a pipe' sh -c \
		": | '$rpctui' --socket '$tmp/admin' --plain"
	printf '2\n:trust ls\ns' >lines
	want 0 'the end of a file' sh -c \
		"'$rpctui' --socket '$tmp/admin' --plain <lines"
	in_order ' online$' ' status rpcd ' '^STATE ' ' status rpcd '
	: >lines
	want 0 'and of one that is empty' sh -c \
		"'$rpctui' --socket '$tmp/admin' --plain <lines"
	"$rpctui" --socket admin --plain </dev/null >ended 2>err &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok grep -q ' status rpcd ' ended
	result $? '/dev/null has no keys, and no end'
	kill "$watcher"
	wait "$watcher"
	[ $? -eq 143 ]
	result $? 'SIGTERM'
	# Both lines that there are: nothing more is written, and it ends.
	want 0 'nobody who reads any more' sh -c \
		"'$rpctui' --socket '$tmp/admin' --plain </dev/null | head -n 2"
	want 0 'nobody who reads' sh -c \
		"'$rpctui' --socket '$tmp/admin' --plain </dev/null | head -n 1"
	has out ' online$' 'its first line was read'
	[ ! -s err ]
	result $? 'and nothing is said about that'
	want 1 'a full disk' sh -c \
		"'$rpctui' --socket '$tmp/admin' --plain </dev/null >/dev/full"
	has err 'No space left' 'is said'
}

# ---- where it cannot be ----

wrong_use() {
	want 2 'no terminal' tui
	has err 'standard input and output are no terminal$' 'is said'
	has err '^try: rpctui --once' 'and what to do'
	want 2 'json alone' tui --json
	want 2 'json of plain' tui --json --plain
	has err '^try: rpctui --once --json' 'with the way'
	want 2 'both' tui --once --plain
	want 2 'an operand' tui --once more
	want 2 'nonsense' tui --every never
	want 1 'once, and a full disk' sh -c \
		"'$rpctui' --socket '$tmp/admin' --once >/dev/full"
	has err 'No space left' 'is said'
	want 0 'once, with everything closed' sh -c \
		"'$rpctui' --socket '$tmp/admin' --once --json <&- >out.j 2>&-"
	want 0 'without HOME, or a terminal' env -i TERM=dumb \
		"$rpctui" --socket "$tmp/admin" --once
	script -qec "TERM=dumb '$rpctui' --socket '$tmp/admin'" /dev/null \
		</dev/null >out 2>err
	[ $? -eq 2 ]
	result $? 'a dumb terminal'
	has out 'this terminal has no screen' 'is said to have no screen'
}

unreachable() {
	want 4 'no daemon' "$rpctui" --socket none --once
	has err '^rpctui: .*none: .*No such file' 'is said'
	has err '^try: is rpcd running' 'with advice'
	want 4 'nor for plain' "$rpctui" --socket none --plain
	: >file
	want 4 'no socket' "$rpctui" --socket file --once
	want 4 'a folder' "$rpctui" --socket . --once
	want 4 'none at all' env XDG_RUNTIME_DIR="$tmp" "$rpctui" --once
	long=$(printf '%0300d' 0)
	want 2 'a long path' "$rpctui" --socket "$tmp/$long" --once
	want 4 'in JSON' "$rpctui" --socket none --once --json
	has err '^{"schema":1,"ok":false,"error":{"code":"connect","exit":4,' \
		'an object'
	[ ! -s out ]
	result $? 'and nothing on standard output'
}

# As somebody else, where we can be.
forbidden() {
	nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
	if [ "$(id -u)" != 0 ] || ! $nobody "$rpctui" -V >out 2>err; then
		ok 'another user # skip we are nobody else'
		return
	fi
	# shellcheck disable=SC2086 # words
	want 4 'another user' $nobody "$rpctui" --socket "$tmp/admin" --once
	has err "^rpctui: $tmp/admin: not allowed: it is for root\$" 'whose it is'
	has err '^try: sudo -u root rpctui --socket /' 'the very command'
	# shellcheck disable=SC2086 # words
	want 4 'rpcd ctl' $nobody "$rpcd" ctl --socket "$tmp/admin" status
	has err "^try: sudo -u root rpcd ctl --socket $tmp/admin\$" 'likewise'
	# What is in the way may be a folder.
	bar=$tmp/admin
	until $nobody stat "$bar" >/dev/null 2>&1; do
		bar=${bar%/*}
	done
	mode=$(stat -c %a "$bar")
	chgrp 1 "$bar" && chmod 770 "$bar"
	# shellcheck disable=SC2086 # words
	want 4 'for a group' $nobody "$rpcd" ctl --socket "$tmp/admin" status
	group=$(stat -c %G "$bar")
	chgrp 0 "$bar" && chmod "$mode" "$bar"
	has err "$tmp/admin: .*the group $group, which .* is not in\$" \
		'that is named'
	has err "^try: sudo usermod -aG '$group' '" 'and joined'
}

# ---- what is not rpcd ----

# values.py NAME: the bytes of a hostile answer.
values() {
	mkdir -p odd
	python3 - <<'END'
import struct
def enc(v):
    if isinstance(v, bool): return b'\xc3' if v else b'\xc2'
    if isinstance(v, int): return b'\xcf' + struct.pack('>Q', v)
    if isinstance(v, str): v = v.encode()
    if isinstance(v, bytes): return b'\xda' + struct.pack('>H', len(v)) + v
    if isinstance(v, list):
        return b'\xdc' + struct.pack('>H', len(v)) + b''.join(map(enc, v))
    return (b'\xde' + struct.pack('>H', len(v)) +
            b''.join(enc(k) + enc(x) for k, x in v.items()))
def put(name, v):
    open('odd/' + name, 'wb').write(v if isinstance(v, bytes) else enc(v))
bad = b'\x1b]0;x\x07\xff\xfe\r\n\x00\xe2\x80\xae' + b'w' * 600
huge = 2 ** 64 - 1
put('_.status', {'name': bad, 'version': bad, 'state': bad, 'since': bad,
    'pid': huge, 'up_ms': huge, 'listeners': [bad, 7, [bad]] * 9,
    'bytes': {'in': huge, 'out': huge}, 'facts': {bad: bad, 7: [1]},
    'connections': 7, 'trust': {'mode': bad, 'list': bad}})
put('_.conns', {'left_out': huge, 'conns': [
    {'id': huge, 'state': bad, 'address': bad, 'email': bad, 'transport': bad,
     'fingerprint': bad, 'running': huge, 'bytes_in': huge, 'age_ms': huge,
     'since': bad}, {}, {'id': 'x', 'state': 7}]})
key = {'state': 'changed', 'email': bad, 'fingerprint': bad, 'address': bad,
    'last_seen': bad, 'tries': huge}
put('_.trust', {'keys': [key, key, {}]})
put('_.known', {'keys': [dict(key, state='known')]})
put('_.calls', {'calls': [{'method': bad, 'email': bad, 'age_ms': huge}]})
put('_.log', [{'text': bad, 'seq': huge}])
put('_.serves', [])
put('_.events', b'\xc0')
put('push.0', {'event': bad, 'time': bad, 'text': bad})
put('push.1', {'event': 'opened', 'time': bad, 'id': 4, 'email': bad})
put('push.2', {'event': 'closed', 'id': 4, 'why': bad, 'address': bad})
put('push.3', {'event': 'log', 'level': bad, 'subsystem': bad, 'text': bad})
put('push.4', dict(key, event='arrived', time=bad))
put('push.5', {'event': 'refused', 'address': bad, 'why': bad})
put('push.6', b'\xc1\x00 no value at all')
put('push.7', [1, 2])
put('push.8', {'event': 'mode', 'trust': {'mode': bad, 'list': bad}})
put('push.9', {'event': 'lost', 'count': huge})
put('push.10', {'event': 'the last'})
END
}

# odd: the hostile one at the socket "odd.sock".
odd() {
	: >odd.out
	"$oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>odd.err &
	odd=$!
	daemons="$daemons $odd"
	until_ok grep -q listening odd.out
}

odd_ends() {
	kill "$odd"
	wait "$odd"
	rm -f odd.sock
}

# -c: as a context of rpcsh's names it.
by_context() {
	mkdir -p .config/rpckit/contexts
	printf 'server = 127.0.0.1:1\nadmin = %s\n' "$tmp/admin" \
		>.config/rpckit/contexts/here.conf
	echo 'server = 127.0.0.1:1' >.config/rpckit/contexts/far.conf
	chmod -R go= .config
	want 0 'a context' "$rpctui" -c here --once
	has out '^rpcd ' 'leads to the daemon'
	want 0 'and rpcd ctl' "$rpcd" ctl -c here version
	want 0 'a context without it' "$rpcsh" ctx show -c here
	has out "^admin *$tmp/admin" 'is one of rpcsh'"'"'s settings'
	want 8 'a context without it' "$rpctui" -c far --once
	has err 'context far: names no admin socket$' 'is told'
	want 8 'no context' "$rpcd" ctl -c nowhere status
	has err 'context nowhere: no such context$' 'is told, too'
	want 2 'no name' "$rpctui" -c ../../x --once
	want 2 'both' "$rpctui" -c here --socket x --once
	has err 'either --socket or -c$' 'are one too many'
}

hostile() {
	values
	odd
	result $? 'a hostile daemon'
	want 0 'once' "$rpctui" --socket odd.sock --once
	no_escapes out 'as harmless text'
	has out '\\x1b\]0;x\\x07' 'escaped'
	has out '^connections (3)' 'what makes sense of it is shown'
	has err 'more are left out' 'and what is said to be missing'
	want 0 'once in JSON' "$rpctui" --socket odd.sock --once --json
	python3 -c 'import json; json.load(open("out"))
assert not [c for c in open("out", "rb").read() if c < 32 and c != 10]'
	result $? 'still JSON'
	: >plain
	"$rpctui" --socket odd.sock --plain </dev/null >plain 2>err &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok grep -q ' the last ' plain
	result $? 'plain has every event'
	no_escapes plain 'as harmless text'
	kill "$watcher"
	wait "$watcher"
	odd_ends
}

# A list that is refused is not an empty one.
untold() {
	: >odd/_.known.no
	odd
	want 6 'a list that is refused' "$rpctui" --socket odd.sock --once
	has err 'not allowed for this caller$' 'is said'
	has out '^keys (not all of them are told)$' 'and not that there is none'
	has out '^changed ' 'what was told is shown'
	has out '^calls (1)$' 'and what else there is'
	want 6 'in JSON' "$rpctui" --socket odd.sock --once --json
	has out '"known":null,' 'it is no list'
	has out '"keys":\[{' 'as the other is'
	odd_ends
	rm odd/_.known.no
}

# A part of a list, and then an answer that is none, or nothing.
halves() {
	printf '\202\250left_out\7\244keys\221\202\245state\245known' \
		>odd/known.0
	printf '\253fingerprint\253SHA256:half' >>odd/known.0
	printf '\200' >odd/known.1
	odd
	want 0 'a part of a list' "$rpctui" --socket odd.sock --once
	has err '^rpctui: .*keys: 7 more are left out' 'is not all of it'
	has out '^known .* SHA256:half' 'and shown'
	odd_ends
	: >odd/known.1
	odd
	want 1 'a part, and then nothing' "$rpctui" --socket odd.sock --once
	has err 'answer is malformed$' 'is said'
	odd_ends
	rm odd/known.?
}

# Answers that are none, or of no use.
malformed() {
	printf '\301' >odd/_.conns
	odd
	want 1 'an answer that is no msgpack' \
		"$rpctui" --socket odd.sock --once
	has err 'answer is malformed$' 'is said'
	: >plain
	"$rpctui" --socket odd.sock --plain </dev/null >plain 2>err &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok grep -q ' offline: _.conns: .*malformed' plain
	result $? 'plain says so, and goes on'
	kill "$watcher"
	wait "$watcher"
	odd_ends
	printf '\220' >odd/_.conns
	odd
	want 1 'an answer of another kind' "$rpctui" --socket odd.sock --once
	has err 'answer is malformed$' 'is said'
	odd_ends
	rm -f odd/*
	odd
	want 8 'no admin socket' "$rpctui" --socket odd.sock --once
	has err '^rpctui: odd.sock: this is no admin socket$' 'is said'
	want 8 'nor for plain' "$rpctui" --socket odd.sock --plain
	odd_ends
}

# foreign.py: who accepts, and says BYTES, or nothing.
foreign() {
	python3 - <<'END' &
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind('new.sock')
s.listen()
os.rename('new.sock', 'foreign.sock')
while True:
    c, _ = s.accept()
    try:
        c.sendall(b'SSH-2.0-OpenSSH_9.2p1\r\n' + bytes(range(256)) * 64)
        c.recv(1000)
        c.close()
    except OSError:
        pass
END
	speaker=$!
	daemons="$daemons $speaker"
	until_ok test -S foreign.sock
	for way in --once --plain; do
		timeout 60 "$rpctui" --socket foreign.sock $way </dev/null \
			>out 2>err
		case $? in
		1 | 4) ok "$way: foreign bytes" ;;
		*) not_ok "$way: foreign bytes" ;;
		esac
		[ "$(grep -c . err)" -le 2 ]
		result $? "$way: a line, and what to do"
		no_escapes err "$way: nothing of them is shown"
	done
	kill "$speaker"
}

certificates
snapshot
by_context
plain
plain_decides
plain_changed
plain_ends
wrong_use
forbidden
stop
result $? 'the daemon ends'
unreachable
hostile
untold
halves
malformed
foreign
plan
