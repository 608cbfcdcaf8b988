#!/bin/sh
# Strangers in numbers, while people are to be asked: what they cost, and whom
# they are in the way of.  RPCKIT_STRANGERS: so many (500), from 241 places:
# from more places than may wait those are displaced who share theirs.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
strangers=${RPCKIT_STRANGERS:-500}
# A disk that is slow to sync is not what is tried here.
kept=$(mktemp -d /dev/shm/rpckit-flood-XXXXXX 2>/dev/null) || kept=$tmp
trap 'rm -rf "$kept"; cleanup' EXIT
memory_max=65536 # KiB more than before
store_max=8388608 # most of it the log that SQLite folds in at 4 MiB
log_max=1048576

# What a sanitizer keeps of freed memory is none of the daemon's.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4
export ASAN_OPTIONS

# comes NAME: it calls, in the background: process in $guest.
comes() {
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" --timeout 5m --connect-timeout 5m \
		call echo --raw x </dev/null >"$1.out" 2>"$1.err" &
	guest=$!
	daemons="$daemons $guest"
}

waits() { # NAME
	ctl trust ls --state waiting --plain | grep -q -e "$1@example.org"
}

# It has come a second time.
at_the_door() { # NAME
	ctl trust ls --state waiting --plain |
		awk -v "who=$1@example.org" -F'\t' \
			'$2 == who && $4 >= 2 { n++ } END { exit n != 1 }'
}

memory() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$daemon/status"
}

store_size() {
	stat -c %s "$kept/known.db" "$kept/known.db-wal" | awk '{ n += $1 } END { print n }'
}

begin() {
	"$selfy" -k bob -e bob@example.org -nopass >out 2>err &&
		"$selfy" -k carol -e carol@example.org -nopass >>out 2>>err &&
		"$selfy" -k dave -e dave@example.org -nopass >>out 2>>err
	result $? 'certificates of people'
	install -m 600 /dev/null "$kept/known"
	cat >flood.conf <<-END
		listen = tls:127.0.0.1:0
		admin = $tmp/admin
		known-clients = $kept/known
		trust = ask
		trust-wait = 5m
	END
	check 'a daemon' start 1 -f flood.conf
	comes alice
	until_ok waits alice
	ctl trust approve "$(fingerprint alice)" >out 2>err
	wait "$guest"
	result $? 'alice is known'
	comes carol
	until_ok waits carol
	result $? 'carol was here, and waits for an answer at home'
	kill "$guest"
	wait "$guest" 2>/dev/null
	comes bob
	until_ok waits bob
	result $? 'bob waits at the door'
}

# Alice comes again and again meanwhile, and calls.
flood() {
	before=$(memory)
	"$BUILD_DIR/test/strangers" "$(url tls | sed 's/.*://')" certs/ca.crt \
		my-keep-private-dir/ca.key "$strangers" </dev/null >came 2>&1 &
	flood=$!
	daemons="$daemons $flood"
	calls=0
	missed=0
	while ! ended_or_zombie "$flood"; do
		if timeout 60 "$rpcsh" -s "$(url tls)" --certs certs -k alice \
			ping -n 10 -i 100ms </dev/null >out 2>err; then
			calls=$((calls + 10))
		else
			missed=$((missed + 1))
		fi
	done
	wait "$flood"
	result $? "they came: $(cat came)"
	[ "$calls" -gt 0 ] && [ "$missed" -eq 0 ]
	result $? "alice was served all along: $calls calls, $missed missed"
	grep -q "^proven [0-9]* refused [0-9]* lost 0$" came
	result $? 'and each of them had its end'
}

bounds() {
	after=$(memory)
	[ $((after - before)) -le "$memory_max" ]
	result $? "memory: $before KiB, $after KiB"
	[ "$(store_size)" -le "$store_max" ]
	result $? "the store has $(store_size) bytes"
	[ "$(stat -c %s log)" -le "$log_max" ]
	result $? "the log has $(stat -c %s log) bytes"
	want 0 'who waits' ctl trust ls --state waiting --plain
	n_wait=$(wc -l <out)
	[ "$n_wait" -ge 3 ] && [ "$n_wait" -le 256 ]
	result $? "$n_wait wait"
	has out carol@example.org 'carol still'
	has out bob@example.org 'bob still'
	has out @flood.example 'and some of them'
	n_one=$(grep -c '	127\.9\.9\.9$' out)
	[ "$n_one" -ge 1 ] && [ "$n_one" -le 32 ]
	result $? "$n_one from one place"
	# He may have been told meanwhile that nobody answers.
	kill "$guest" 2>/dev/null
	wait "$guest" 2>/dev/null
	for name in bob carol; do
		comes "$name"
		until_ok at_the_door "$name"
		result $? "$name comes back, and waits"
		want 0 'approve' ctl trust approve "$(fingerprint "$name")"
		wait "$guest"
		result $? 'and is let in, without dialing again'
	done
}

# Those who wait from one place, then all.
forget() {
	want 2 'forget --from' ctl trust forget --from 127.9.9.9
	want 2 'a key and --waiting' ctl trust forget --waiting SHA256:12345678
	for net in nowhere 1.2.3.4/33 ::1/129 1.2.3.4/x ''; do
		want 2 "from '$net'" ctl trust forget --waiting --from "$net"
	done
	want 2 'reject --waiting' ctl trust reject --waiting
	want 0 'those of a network that is not there' \
		ctl trust forget --waiting --from 127.9.8.0/24 --json
	has out '^{"schema":1,"ok":true,"forgotten":0,"failed":0}$' 'are none'
	ctl trust ls --state waiting --plain >before
	n_one=$(grep -c '	127\.9\.9\.9$' before)
	want 0 'those of a place' ctl trust forget --waiting --from 127.9.9.8/31
	has err ": $n_one forgotten$" 'are so many'
	ctl trust ls --state waiting --plain >out
	grep -v '	127\.9\.9\.9$' before | cmp -s - out
	result $? 'and no others'
	want 8 'who was never here' ctl trust approve "$(fingerprint dave)"
	has err 'no such key: it does not wait; it has to come (again), ' \
		'is told what to do'
	comes dave
	until_ok waits dave
	result $? 'a newcomer waits'
	want 0 'approve' ctl trust approve "$(fingerprint dave)"
	wait "$guest"
	result $? 'and is let in'
	want 0 'the others' ctl trust forget --waiting --from 127.0.0.0/8
	want 0 'who waits' ctl trust ls --state waiting --plain
	[ ! -s out ]
	result $? 'nobody'
	want 0 'the known' ctl trust ls --state known --plain
	[ "$(grep -c '^known' out)" = 4 ]
	result $? 'are known still'
}

certificates
begin
flood
bounds
forget
stop
result $? 'it ends well'
plan
