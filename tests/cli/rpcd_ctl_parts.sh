#!/bin/sh
# rpcd ctl trust: a list of keys that is too long for one answer, and changes
# while its parts are fetched.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# So many lines: each with as much as an answer shows of one.
cat >lines.py <<'END'
import hashlib, sys
DIGITS = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

def key(i):
    raw = b'\xff' + hashlib.sha256(b'%d' % i).digest()
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    n, text = int.from_bytes(raw, 'big'), ''
    while n > 0:
        n, digit = divmod(n, 58)
        text = DIGITS[digit] + text
    return 'pubkey@edwardsRPC-ed25519-b58c-' + text

for i in range(int(sys.argv[1])):
    mails = ','.join('p%d.%d.%s@x.example' % (i, j, 'a' * 40)
                     for j in range(6))
    print('192.0.2.1 %s:%s' % (key(i), mails))
END

# Between ctl and the daemon: behind a part of known keys, but for the last, a
# line of that part becomes a comment; so many times.
cat >between.py <<'END'
import os, socket, sys, threading
left = [int(sys.argv[1])]
asked = [0]

def take_out():
    with open('known', 'r+b') as f:
        at = f.read().index(b'\n192.') + 1
        f.seek(at)
        f.write(b'#')

def pass_on(a, b, counts):
    while True:
        data = a.recv(65536)
        if not data:
            break
        if counts and b'_.known' in data:
            asked[0] += 1
            if asked[0] % 2 == 0 and left[0] > 0:
                left[0] -= 1
                take_out()
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)

s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[2])
s.listen()
print('listening', flush=True)
while True:
    c = s.accept()[0]
    asked[0] = 0
    d = socket.socket(socket.AF_UNIX)
    d.connect('admin')
    threading.Thread(target=pass_on, args=(d, c, False), daemon=True).start()
    threading.Thread(target=pass_on, args=(c, d, True), daemon=True).start()
END

between() { # NAME TIMES
	python3 between.py "$2" "$1" </dev/null >"$1.out" 2>"$1.err" &
	daemons="$daemons $!"
	until_ok grep -q listening "$1.out"
}

# Every line that stays is told once.
is_whole() {
	grep -v '^#' known | sed 's/.*:\(p[0-9]*\.0\)\..*/\1/' | sort >wanted
	sed -n 's/.*	\(p[0-9]*\.0\)\..*/\1/p' out | sort >told
	cmp -s wanted told
}

certificates
lines=3000
{
	echo '# known'
	python3 lines.py $lines
} >known
chmod 600 known
printf 'listen = tls:127.0.0.1:0\nadmin = %s\nknown-clients = known\n' \
	"$tmp/admin" >parts.conf
echo 'trust = ask' >>parts.conf
check 'a daemon' start 1 -f parts.conf
want 0 'a long list' ctl trust ls --state known --plain
check 'is told' is_whole
[ "$(wc -l <told)" = $lines ]
result $? 'all of it'
cp out whole
between once 1
want 0 'one that changes meanwhile' \
	"$rpcd" ctl --socket once trust ls --state known --plain
check 'is told as it is then' is_whole
[ "$(wc -l <told)" = $((lines - 1)) ]
result $? 'without what was taken out'
between often 100
want 1 'one that changes all the time' \
	"$rpcd" ctl --socket often trust ls --state known --plain
has err 'the list changes all the time' 'is refused'
[ ! -s out ]
result $? 'and not told by halves'
between ever 100
last=$(sed -n '$s/.*\(SHA256:[^	]*\).*/\1/p' whole)
want 0 'a key of it' "$rpcd" ctl --socket ever trust show "$last" --plain
has out "$last" 'is shown, whatever else changes'
want 1 'one that may have been missed' \
	"$rpcd" ctl --socket ever trust show 11111111 --plain
has err 'the list changes all the time' 'is not said to be none'
stop
result $? 'ends well'
plan
