#!/bin/sh
# Lists that are too long for one answer of a daemon: rpctui has all of them, as
# rpcd ctl has.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

# list FROM TO: lines of a known-keys file, by their numbers.
list() {
	python3 - "$@" <<'END'
import hashlib, sys
letters = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
def sha(b):
    return hashlib.sha256(b).digest()
def named(pub):
    raw = b'\xff' + pub
    n = int.from_bytes(raw + sha(sha(raw))[:4], 'big')
    text = ''
    while n:
        n, digit = divmod(n, 58)
        text = letters[digit] + text
    return 'pubkey@edwardsRPC-ed25519-b58c-' + text
for i in range(int(sys.argv[1]), int(sys.argv[2])):
    where = '198.51.100.7:' + '0' * 90 + str(i)
    print('%s %s:user%d@example.org' % (where, named(sha(b'%d' % i)), i))
END
}

keys_of() { # FILE: how many lines it has that are of keys
	grep -c 'user[0-9]*@example\.org' "$1"
}

# As rpcd ctl tells it.
told() {
	ctl trust ls --state known --plain >out 2>err
	[ "$(keys_of out)" = "$1" ] && [ ! -s err ]
	result $? "rpcd ctl has all $1 keys"
}

once() {
	timeout 60 "$rpctui" --socket "$tmp/admin" --once "$@" \
		</dev/null >out 2>err
	result $? "a snapshot $*"
}

leaves_none() {
	[ ! -s err ]
	result $? 'which leaves nothing out'
}

snapshots() {
	once
	leaves_none
	has out '^keys (9900)' 'it has all keys'
	[ "$(keys_of out)" = 9900 ]
	result $? 'each of them'
	once --json
	leaves_none
	mv out all.json
	python3 -c '
import json
o = json.load(open("all.json"))
assert o["known_left_out"] == 0 and o["keys_left_out"] == 0
fps = {k["fingerprint"] for k in o["known"]}
assert len(o["known"]) == len(fps) == 9900, len(o["known"])' 2>err
	result $? 'each of them once, in JSON'
}

# What is on the screen of them.
screens() {
	terminal 80 24
	begin "$rpctui --socket $tmp/admin" 'rpctui'
	keys 2
	shows '^-*.*KNOWN (9,900) ' 'all keys are counted'
	shows '^  \.\. 9,89[0-9] more (PgDn) *$' 'it says that there are more below'
	keys PgDn
	shows '^  \.\. 9,8[0-9]* more (PgDn) *$' 'and still'
	keys / user9899@ Enter
	shows '^> ok user9899@' 'the last of them is found'
	keys G
	hides 'more (PgDn)' 'at the end there are no more'
	# The first that was taken from the file is behind all the others.
	oldest=$(ctl trust audit --max 0 --plain | grep -o 'user[0-9]*@' |
		tail -n 1)
	keys / "$oldest" Enter
	shows "^> ok $oldest" 'one whose line of audit is older than most'
	keys H
	shows "Z  *file  *file  *$oldest" 'H has it'
	keys Escape
	keys g '&'
	keys -l 'user98'
	keys Enter
	shows 'KNOWN (111) ' 'the filter looks at all of them'
	keys '&' C-u Enter g
	shows 'KNOWN (9,900) ' 'and they are there again'
	keys e Enter
	shows 'written: rpctui-trust.ndjson' 'all are written to a file'
	[ "$(keys_of rpctui-trust.ndjson)" = 9900 ]
	result $? 'each of them'
	"$selfy" -v certs/alice.crt |
		sed -n 's/^ *key id *\(pubkey@.*\)/h \1:alice@example.org/p' |
		ctl trust import - >out 2>err
	result $? 'one more is let in'
	shows 'KNOWN (9,901) ' 'which is seen'
	keys q
	ends 0 'quit'
}

# A daemon that has more than it tells, and knows of no parts.
left_out() {
	mkdir odd
	printf '\201\244name\243odd' >odd/_.status
	printf '\202\250left_out\315\2\130\245conns\221\201\242id\7' \
		>odd/_.conns
	printf '\202\250left_out\316\0\1\137\220\244keys\221' >odd/_.known
	printf '\202\245state\245known\253fingerprint\250SHA256:a' \
		>>odd/_.known
	"$BUILD_DIR/test/oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>&1 &
	daemons="$daemons $!"
	until_ok grep -q listening odd.out
	begin "$rpctui --socket $tmp/odd.sock" 'rpctui'
	shows '\[1 Conns 1 of 601\]' 'connections that are left out are counted'
	keys 2
	shows 'KNOWN (1 of 90,001) ' 'as keys are'
	term resize-window -t t -x 40 -y 10
	shows '^── KNOWN (1 of 90,001) ' 'also where there is least room'
	keys q
	ends 0 'quit'
}

# More lines than a store takes keys: what cannot be told is no empty list.
too_many() {
	(umask 077 && list 0 20001 >new) && mv new known
	want 1 'rpcd ctl and too many keys' ctl trust ls --state known
	has err 'is full: it takes 20000 keys' 'is refused'
	want 1 'a snapshot' "$rpctui" --socket "$tmp/admin" --once
	has err 'is full: it takes 20000 keys' 'says why'
	has out ', 20001 known,' 'that they are known'
	has out '^keys (not all of them are told)$' 'and not told'
	want 1 'in JSON' "$rpctui" --socket "$tmp/admin" --once --json
	has out '"known":null,' 'it is no list'
	begin "$rpctui --socket $tmp/admin" 'rpctui'
	keys 2
	shows 'KNOWN (not told: known\.db: is ful' 'the screen says it, too'
	(umask 077 && list 0 3 >new) && mv new known
	shows 'KNOWN (3) ' 'and has the list when there is one'
	hides 'not told' 'and no more to say'
	keys q
	ends 0 'quit'
}

certificates
printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = ask\n' \
	"$tmp/admin" >tui.conf
echo 'known-clients = known' >>tui.conf
(umask 077 && list 0 9900 >known)
start 1 -f tui.conf
result $? 'a daemon that knows many'
told 9900
snapshots
screens
left_out
too_many
term kill-server
stop
result $? 'the daemon ends'
plan
