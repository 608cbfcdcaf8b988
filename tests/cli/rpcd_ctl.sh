#!/bin/sh
# rpcd ctl: what it shows of a daemon, and how it steers it.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

view() {
	timeout 60 "$rpcd" ctl --socket view "$@"
}

# stays NAME: a client that stays connected, and calls no more than once; its
# process in $stays.
stays() {
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" ping -n 1000 -i 10m \
		</dev/null >"$1.out" 2>&1 &
	stays=$!
	daemons="$daemons $stays"
	until_ok grep -q '^reply 1' "$1.out"
}

conns_are() { # COUNT: of them idle, and of all
	ctl conns --plain >conns.now &&
		[ "$(grep -c '	idle	' conns.now)" = "$1" ] &&
		[ "$(wc -l <conns.now)" = "$1" ]
}

await_conns() { # COUNT TEXT
	until_ok conns_are "$1"
	result $? "$2"
}

is_fast() {
	ctl status >fast && ctl status --json >fast.json &&
		grep -q '   0\.0*[1-9][0-9]* MB/s in   \|   [1-9][0-9.]* MB/s in   ' \
			fast &&
		grep -q '"rates":{"in_bytes_per_s":[1-9]' fast.json
}

# Every answer in JSON is objects with a schema, one a line.
is_json() {
	python3 -c '
import json, sys
lines = sys.stdin.read().splitlines()
assert lines
for line in lines:
    assert list(json.loads(line))[0] == "schema", line
    assert "\x1b" not in line' <out 2>err
	result $? "$1: JSON"
}

conf() {
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\nadmin-view = %s\n' \
		"$tmp/admin" "$tmp/view" >ctl.conf
	printf 'trust = off\nthreads = 2\n[method evil]\nexec = /bin/cat\n' \
		>>ctl.conf
	printf 'about = turned \342\200\256 round\n' >>ctl.conf
	printf '[method naps]\nexec = /bin/sleep 600\ntimeout = 10m\n' >>ctl.conf
}

shows() {
	[ "$(stat -c '%a %a' admin)" = '600 600' ]
	result $? 'the socket is its user'"'"'s'
	has log "admin socket $tmp/admin" 'and the log says where'
	stays alice
	await_conns 1 'a client is seen'
	want 0 'status' ctl status
	sed -n 1p out >line
	has line "^$(uname -n) 0\.[0-9.]*   up [0-9]* s   config [0-9T:-]*Z (start)   trust off\$" \
		'who, how long, by which settings'
	has out "^listen  $(url tls | sed 's,://, ,')   admin $tmp/admin\$" 'where'
	has out '^cert    node  ends in [0-9,]* d      CA ends in [0-9,]* d$' \
		'as whom'
	want 0 'status, for scripts' ctl status --plain
	has out '^rates\.window_ms	[1-9][0-9]*$' 'is a line a member'
	has out "^node	$(uname -n)\$" 'with the host'
	has out "^listeners	$(url tls)\$" 'with each place'
	! grep -qv '^[a-z_0-9.]*	[^	]*$' out
	result $? 'and a tab in each of them'
	want 0 'version, for scripts' ctl version --plain
	has out '^rpcd	0\.[0-9.]*$' 'has one, too'
	want 0 'a log without such lines' ctl log --level error --json
	has out '^\[\]$' 'is an empty list'
	want 0 'status' ctl status
	has out '^load    1 of 4,096 connections   0 calls running   0\.0* MB/s in   0\.0* MB/s out$' 'how much'
	has out '^now     0 active, 1 idle, 0 new, 0 closing$' 'what they do'
	has out '^limits  4,096 connections, .* idle 5 min 0 s$' 'and at most'
	has out '^config  ctl.conf$' 'with what'
	! ctl status >&- 2>err
	result $? 'an answer that has nowhere to go is no success'
	has err 'cannot write the answer: .' 'and says so, and why'
	! ctl metrics >/dev/full 2>err
	result $? 'nor is what has no room'
	has err 'cannot write the answer: No space left on device$' 'of which it says so'
	want 0 'status in JSON' ctl status --json
	is_json status
	has out '"rates":{"in_bytes_per_s":0,"out_bytes_per_s":0,"window_ms":[1-9]' \
		'with units'
	has out '"passed_in":\[\]' 'and what was passed in'
	"$rpcsh" -s "$(url tls)" --certs certs -k alice bench echo x=y --for 30s \
		</dev/null >bench.out 2>&1 &
	bench=$!
	daemons="$daemons $bench"
	until_ok is_fast
	result $? 'it says how fast it goes'
	kill "$bench"
	wait "$bench" 2>/dev/null
	await_conns 1 'until it is over'
	want 0 'conns' ctl conns
	has out '^ *ID  STATE ' 'a table'
	has out ' idle .* alice@example.org  SHA256:' 'with who is there'
	want 0 'conns --plain' ctl conns --plain
	fp=$(cut -f6 out)
	id=$(cut -f1 out)
	address=$(cut -f4 out)
	has out "^[0-9]*	idle	tls	tls://127.0.0.1:[0-9]*	alice@" 'for awk'
	want 0 'conns in JSON' ctl conns --json
	is_json conns
	has out '"done":[1-9].*"failed":0,"p50_us":[1-9].*"p99_us":[1-9]' \
		'with how long its calls took'
	want 0 'calls' ctl calls --plain
	[ ! -s out ]
	result $? 'nothing runs'
	want 0 'no call in JSON' ctl calls --json
	[ "$(cat out)" = '[]' ]
	result $? 'is a list without any'
	want 0 'methods' ctl methods
	has out '^evil .*turned \\u202e round' 'escaped'
	[ "$(tr -d '\n\40-\176' <out | wc -c)" = 0 ]
	result $? 'all of them'
	want 0 'methods in JSON' ctl --json methods
	is_json methods
	want 0 'metrics' ctl metrics
	has out '^rpckit_connections{state="idle"} 1$' 'for Prometheus'
	want 0 'version' ctl version
	has out "^$("$rpcd" --version | head -n 1)\$" 'the same as ours'
	want 0 'version in JSON' ctl version --json
	is_json version
	want 0 'log' ctl log
	has out '  info  daemon  admin socket ' 'has lines from before'
	want 0 'log in JSON' ctl log --json --level info
	is_json log
	want 0 'log of another level' ctl log --level error
	[ ! -s out ]
	result $? 'is empty'
}

kicks() {
	"$rpcd" ctl --socket admin conns -w --plain >watched 2>&1 &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok grep -q alice watched
	result $? 'conns -w begins with who is there'
	want 8 'nobody to kick' ctl kick 99999999
	has err 'no such connection$' 'is said'
	want 2 'the id of who has none yet' ctl kick 0
	has err '^try: rpcd ctl kick ADDRESS' 'who can be told by his address'
	want 2 'a short fingerprint' ctl kick SHA256:abc
	want 8 'another key' ctl kick SHA256:zzzzzzzz
	want 0 'kick an id' ctl kick "$id"
	await_conns 0 'and it is gone'
	wait "$stays"
	[ $? -eq 4 ]
	result $? 'its client says so'
	until_ok grep -q "	closed	$id	$address	alice@.*by an operator" watched
	result $? 'conns -w tells, at once'
	stays alice
	await_conns 1 'nobody is kept out'
	start=$(printf '%.12s %.4s' "$fp" "${fp#????????????}")
	want 0 'kick the start of a key' ctl kick "$start" --json
	has out '^{"schema":1,"kicked":1}$' 'how many'
	await_conns 0 'gone'
	stays alice
	await_conns 1 'another'
	start=$(printf '%s' "$fp" | cut -c8-19)
	groups=$(printf '%s' "$start" | sed 's/..../& /g')
	# shellcheck disable=SC2086 # words
	want 0 'kick as it is grouped' ctl kick SHA256: $groups
	await_conns 0 'gone'
	stays alice
	await_conns 1 'one more'
	want 0 'kick a start without what it is' ctl kick "$start"
	await_conns 0 'gone'
	stays alice
	await_conns 1 'and more'
	want 0 'kick an address' ctl kick 127.0.0.1
	await_conns 0 'gone, too'
	logged "1 connection closed by $(id -un): 127.0.0.1\$" 'the log has who'
	logged "1 connection closed by $(id -un): connection $id\$" 'and which'
	stays alice
	await_conns 1 'a key that is here'
	want 0 'is rejected by its start, without a list' ctl trust reject \
		"${start#SHA256:}"
	await_conns 0 'and gone'
	want 0 'until it is forgotten' ctl trust forget "$fp"
	until_ok grep -q '	opened	' watched
	result $? 'who came was told'
	kill "$watcher"
	wait "$watcher" 2>/dev/null
}

naps() { # FILE
	ctl calls --plain | grep '^naps	' >"$1"
}

no_nap() {
	! naps nap
}

# Of a command: its process ends, its caller is told, its connection stays.
cancels() {
	"$rpcsh" -s "$(url tls)" --certs certs -k alice --timeout 10m call naps >nap.out 2>&1 &
	nap=$!
	daemons="$daemons $nap"
	until_ok naps row
	result $? 'a call runs'
	want 0 'calls' ctl calls
	has out ' CALL  *FILE$' 'a table has its number'
	conn=$(cut -f2 row)
	call=$(cut -f10 row)
	want 8 'a call that is not there' ctl cancel "$conn" $((call + 1))
	has err 'no such call$' 'is said'
	want 2 'a call that is no number' ctl cancel "$conn" x
	want 2 'a letter that is no option' "$rpcd" ctl -s "$tmp/admin" status
	has err 'unknown option -s (did you mean --socket?)$' 'is said to be it'
	want 6 'who only looks' view cancel "$conn" "$call"
	want 0 'cancel it' ctl cancel "$conn" "$call" --json
	has out '^{"schema":1,"canceled":1,"method":"naps"}$' 'which'
	! wait "$nap"
	result $? 'its caller goes on'
	has nap.out 'canceled by an operator' 'and knows why'
	until_ok no_nap
	result $? 'its process has ended'
	has log "call $call of naps on connection $conn canceled by $(id -un) (ctl)" \
		'the log has who'
}

only_shows() {
	want 0 'the other socket shows' view status
	for verb in 'kick 1' 'cancel 1 1' reload drain stop 'log --set debug'; do
		# shellcheck disable=SC2086
		want 6 "but not: $verb" view $verb
	done
	has err 'not allowed' 'and says why'
	want 0 'the daemon is there still' view status
}

# Root may always; so another user asks, where the mode lets it in.
others() {
	if [ "$(id -u)" != 0 ]; then
		ok 'other users # skip not root'
		return
	fi
	chmod 666 admin
	chmod 711 "$tmp"
	want 4 'another user' python3 -c '
import os, socket, sys
os.chdir(sys.argv[1])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
s = socket.socket(socket.AF_UNIX)
s.settimeout(30)
s.connect("admin")
sys.exit(4 if s.recv(1) == b"" else 0)' "$tmp"
	chmod 600 admin
	chmod 700 "$tmp"
	logged 'refused: only for root and the user of this program' \
		'is turned away'
}

follows() {
	"$rpcd" ctl --socket admin log -f --level debug >followed 2>&1 &
	follower=$!
	daemons="$daemons $follower"
	until_ok grep -q 'admin socket' followed
	alice echo --raw x >out 2>err
	until_ok grep -q '  debug  server  tls://.*: open' followed
	result $? 'log -f has what the log leaves out'
	! grep -q ': open$' log
	result $? 'and leaves that as it is'
	want 0 'reload' ctl reload
	until_ok grep -q 'reloaded: 2 commands' followed
	result $? 'is followed'
	has log 'reloaded: 2 commands' 'and done'
	echo 'nonsense = 1' >>ctl.conf
	want 3 'reload of a bad file' ctl reload
	has err 'ctl.conf:12: .*nonsense' 'says where and what'
	want 0 'status' ctl status
	has out '^reload  20.* failed: ' 'remembers'
	has out '^[^ ]* 0\..*   config [0-9T:-]*Z (reload failed)   ' 'at once'
	conf
	want 0 'reload of a good one' ctl reload --json
	has out '^{"schema":1,"ok":true}$' 'in JSON'
	want 0 'status' ctl status
	has out '^[^ ]* 0\..*   config [0-9T:-]*Z (reload ok)   ' 'says so'
	want 0 'the log may say more' ctl log --set debug
	alice echo --raw x >out 2>err
	logged ': open$' 'and does'
	kill "$follower"
	wait "$follower" 2>/dev/null
}

# Who followed ends when nobody reads, without a line to notice it by.
unread() {
	{
		ctl log -f 2>err
		echo $? >status
	} | head -n 1 >out
	[ -s out ] && [ "$(cat status)" = 141 ]
	result $? 'log -f ends with its reader'
}

ends() {
	: >followed # who comes after it waits for what it says itself
	"$rpcd" ctl --socket admin log -f >followed 2>&1 &
	follower=$!
	daemons="$daemons $follower"
	until_ok grep -q 'admin socket' followed
	want 0 'drain' ctl drain
	until_ok ended_or_zombie "$daemon"
	wait "$daemon"
	result $? 'ends the daemon with 0'
	wait "$follower"
	result $? 'and who followed is told'
	[ ! -e admin ] && [ ! -e view ]
	result $? 'no socket is left'
	want 4 'nobody is there' ctl status
	has err 'cannot connect' 'what'
	has err '^try: is rpcd running' 'and what to do'
	want 4 'nor in JSON' ctl --json status
	check 'again' start 1 -f ctl.conf
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
	[ -S admin ]
	result $? 'what was killed leaves its socket'
	check 'which the next one replaces' start 1 -f ctl.conf
	want 1 'a second one at the same place' "$rpcd" -f ctl.conf
	has err 'admin: .*somebody listens there' 'is told why'
	want 0 'and has done no harm' ctl version
	stays alice
	await_conns 1 'with a client'
	want 0 'stop' ctl stop
	until_ok ended_or_zombie "$daemon"
	wait "$daemon"
	result $? 'ends it'
}

# What happens while the list is made is behind it, and not lost.
between() {
	mkdir odd
	printf '\300' >odd/_.events
	printf '\201\245conns\221\202\242id\7\245state\244idle' >odd/_.conns
	printf '\202\245event\246opened\242id\10' >odd/conns.0
	printf '\201\245event\243end' >odd/conns.1
	"$BUILD_DIR/test/oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>&1 &
	odd=$!
	daemons="$daemons $odd"
	until_ok grep -q listening odd.out
	"$rpcd" ctl --socket odd.sock conns -w --plain </dev/null >watched 2>&1 &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok grep -q '	end	' watched
	[ "$(cut -f1,2 watched | tr '\t\n' '  ')" = '7 idle - opened - end ' ]
	result $? 'conns -w has what happens while it lists'
	kill "$odd" "$watcher"
	wait "$odd" "$watcher" 2>/dev/null
}

# What is decided is decided about the entry as it was just now: who is faster
# is not overruled.
versions() {
	fp=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
	printf '\201\244keys\221\203\253fingerprint\331\062%s\247version\51%s' \
		"$fp" "$(printf '\242cn\247bob\033[2J')" >odd/_.trust
	printf '\201\245calls\221\202\246method\241m\242cn\247ann\033[2J' \
		>odd/_.calls
	printf '\300' >odd/_.decide
	printf '\202\244name\243a"b\247version\2411' >odd/_.status
	: >odd.out
	"$BUILD_DIR/test/oddctl" "$tmp/odd.sock" odd </dev/null >odd.out 2>&1 &
	odd=$!
	daemons="$daemons $odd"
	until_ok grep -q listening odd.out
	want 0 'a name with a quote' "$rpcd" ctl --socket odd.sock version --json
	has out '^{"schema":1,"name":"a\\"b","version":"1"}$' 'is a text of JSON'
	want 0 'who has no e-mail' "$rpcd" ctl --socket odd.sock trust ls
	has out ' CN=bob.x1b\[2J ' 'is the name in the certificate, escaped'
	want 0 'for tools' "$rpcd" ctl --socket odd.sock trust ls --plain
	! grep -q bob out
	result $? 'that is no e-mail'
	want 0 'whose call it is' "$rpcd" ctl --socket odd.sock calls
	has out '^m .* CN=ann.x1b\[2J ' 'is told alike'
	want 0 'calls, for tools' "$rpcd" ctl --socket odd.sock calls --plain
	has out '^m	0	-	-	.*	-	ann.x1b\[2J$' 'has it at the end'
	for verb in approve reject revoke forget; do
		"$rpcd" ctl --socket odd.sock trust "$verb" "$fp" >out 2>err
		LC_ALL=C grep -q "$(printf 'version\51')" odd/decided
		result $? "$verb says which version it is about"
		rm -f odd/decided
	done
	"$rpcd" ctl --socket odd.sock trust reject "$fp" --seen 40 >out 2>err
	LC_ALL=C grep -q "$(printf 'version\50')" odd/decided
	result $? 'or which one was seen'
	kill "$odd"
	wait "$odd" 2>/dev/null
}

usual_places() {
	want 4 'no place at all' "$rpcd" ctl status
	has err '^try: is rpcd running' 'says what to do'
	want 2 'a verb that is none' "$rpcd" ctl statsu
	has err 'status' 'but one like it'
	want 0 'help' "$rpcd" ctl help kick
	check 'none' start 1 --listen "unix:$tmp/x" --admin none
	stop
	! grep -q 'admin' log
	result $? 'is none'
	XDG_RUNTIME_DIR=$tmp/run
	export XDG_RUNTIME_DIR
	mkdir run
	check 'a run-time directory' start 1 --listen "unix:$tmp/x"
	[ "$(stat -c %a run/rpckit run/rpckit/admin.sock)" = '700
600' ]
	result $? 'has it'
	want 0 'where it is found' "$rpcd" ctl version
	first=$daemon
	check 'a second daemon' start 1 --listen "unix:$tmp/y"
	has log 'no admin socket: .*somebody listens there' 'goes without'
	stop
	daemon=$first
	stop
	result $? 'both end'
	want 2 'no place' "$rpcd" --admin relative -t
	unset XDG_RUNTIME_DIR
}

certificates
conf
if ! start 1 -f ctl.conf; then
	not_ok 'a daemon'
	plan
fi
ok 'a daemon'
shows
kicks
cancels
only_shows
others
follows
unread
ends
between
versions
usual_places
plan
