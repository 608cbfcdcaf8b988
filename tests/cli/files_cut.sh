#!/bin/sh
# Files cut in the middle and continued, two at once, full disks, huge ones.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2154,SC2317,SC3045
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/files.sh
. "$SRC_DIR/tests/lib/files.sh"

# ---- cut ----

temp_size() {
	find shared -name '.rpckit-*' -size "+${1}k" | grep -q .
}

# Wait, without sleeping long, for a temporary file of so many KiB.
until_size() { # FILE_OR_- KIB PID
	while ! { if [ "$1" = - ]; then temp_size "$2"; else
		[ "$(($(stat -c %s "$1" 2>/dev/null || echo 0) / 1024))" -gt "$2" ]
	fi; }; do
		! ended_or_zombie "$3" || return 1
	done
}

# A busy machine may look too late: nothing was cut then, and it is tried again.
cut_put() { # WHO KIND
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rm -f shared/cut
		"$rpcsh" -s "$(url "$1")" --certs certs -k alice put docs.put \
			long --as cut >out 2>err </dev/null &
		peer=$!
		until_size - 2000 $peer
		cut_off "$2"
		[ -e shared/cut ] || break
	done
	told_of_end "$1" "$2"
	absent shared/cut "$1: cut by a killed $2: no half file"
}

# The client in $peer, or the daemon, dies; its status is in $got.
cut_off() { # KIND
	if [ "$1" = client ]; then
		kill -KILL $peer
		wait $peer 2>/dev/null
		got=$?
		return
	fi
	stop KILL
	wait $peer
	got=$?
	start "$listeners" -f files.conf
}

told_of_end() { # WHO KIND
	[ "$2" = server ] || return
	[ "$got" = 4 ]
	result $? "$1: a server that dies is told"
}

continued() {
	grep -q 'continued at [1-9]' err
	result $? "$1"
}

# A daemon that still holds the file of a dead client lets go of it soon.
free_again() {
	alice put docs.put long --as cut </dev/null >out 2>err && return 0
	grep -q 'another transfer' err || return 0
	return 1
}

resumed_put() {
	cut_put "$1" "$2"
	until_ok free_again
	continued "$1: put goes on after a killed $2"
	same long shared/cut "$1: and ends with the same bytes"
	no_rest "$1: it"
}

resumed_get() { # WHO KIND
	cp long shared/cut
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rm -f cut .cut.rpcsh-part
		"$rpcsh" -s "$(url "$1")" --certs certs -k alice get docs.get \
			cut --out cut >out 2>err </dev/null &
		peer=$!
		until_size .cut.rpcsh-part 2000 $peer
		cut_off "$2"
		[ -e cut ] || break
	done
	told_of_end "$1" "$2"
	[ "$2" = client ] ||
		has err 'bytes are kept; the same command goes on' \
			'and what to do'
	absent cut "$1: cut by a killed $2: no half file"
	want 0 "$1: get again" alice get docs.get cut --out cut
	continued "$1: goes on after a killed $2"
	same long cut "$1: and ends with the same bytes"
	absent .cut.rpcsh-part 'nothing is left of it'
}

cuts() {
	bytes 12000000 >some
	cat some some some >long
	resumed_put tls client
	resumed_put tls server
	resumed_get tls client
	resumed_get tls server
	# Of a QUIC client that dies the daemon learns when the connection has
	# been idle for long; nothing of a file that is got waits for that.
	[ -z "$(url quic)" ] || resumed_get quic client
}

# What has changed meanwhile is never mixed.
changed() {
	cut_put tls client
	cp long other
	printf 'X' | dd of=other bs=1 seek=5 conv=notrunc 2>/dev/null
	until_ok changed_again
	has err '^rpcsh: sent cut (36000000 bytes)$' \
		'another source begins at the beginning'
	same other shared/cut 'and is not mixed with the first'
	rm -f cut
	head -c 1000000 long >.cut.rpcsh-part
	chmod 600 .cut.rpcsh-part
	want 0 'get what has changed since' alice get docs.get cut --out cut
	has err '^rpcsh: wrote cut (36000000 bytes)$' \
		'begins at the beginning'
	same other cut 'and is not mixed'
	rm -f cut
	head -c 1000000 other >.cut.rpcsh-part
	chmod 600 .cut.rpcsh-part
	want 0 'get what has not' alice get docs.get cut --out cut
	has err 'continued at 1000000' 'goes on'
	same other cut 'with the same bytes'
	rm -f cut shared/cut
	# What is left is longer than what there is now.
	cp long .cut.rpcsh-part
	cp second shared/cut
	want 0 'get what is shorter now' alice get docs.get cut --out cut
	same second cut 'begins at the beginning'
}

changed_again() {
	alice put docs.put other --as cut </dev/null >out 2>err && return 0
	grep -q 'another transfer' err || return 0
	return 1
}

# ---- two at once ----

at_once() {
	rm -f shared/both
	mkfifo feed
	alice put docs.put - --as both <feed >first.out 2>first.err &
	first=$!
	exec 9>feed
	printf one >&9
	until_ok is_there
	want 3 'two puts of one name by one client' \
		alice put docs.put second --as both
	has err 'another transfer of this file' 'the second is told'
	want 0 'another client has a file of its own' \
		mallory put docs.put second --as both
	exec 9>&-
	wait $first
	[ $? = 3 ] && grep -q 'such a file already' first.err
	result $? 'the first to end has the name'
	same second shared/both 'and its bytes are whole'
	rm -f shared/.rpckit-*
	alice get docs.get both --out both1 >out 2>err </dev/null
	result $? 'it is served'
	( flock -x 9; want 10 'get to a file that is being written' \
		alice get docs.get both --out held; echo $n >count
	) 9>.held.rpcsh-part
	n=$(cat count)
	rm -f .held.rpcsh-part
}

is_there() {
	[ -n "$(find shared -name '.rpckit-*')" ]
}

# ---- no move ----

# Who sends nothing holds nobody up for ever; what came is kept for it.
stalled() {
	alice put quick.put - --as still <feed >out 2>err &
	first=$!
	exec 9>feed
	head -c 200000 long >&9
	# The end of the server's patience is an answer, not of the client's:
	# it is told when it sends again.
	logged 'quick.put still: too little has come for too long' \
		'who sends nothing for long is given up'
	head -c 200000 long >&9
	exec 9>&-
	wait $first
	[ $? = 3 ] && grep -q 'too little has come for too long' err
	result $? 'and told'
	is_there
	result $? 'what came is kept'
	rm -f shared/.rpckit-*
	alice put quick.put - --as drips <feed >out 2>err &
	first=$!
	exec 9<>feed
	check 'and who sends byte by byte' until_ok drip
	exec 9>&-
	wait $first
	[ $? = 3 ]
	result $? 'is told'
	rm -f shared/.rpckit-*
}

drip() {
	printf x >&9
	grep -q 'quick.put drips: too little has come for too long' log
}

# ---- no room ----

# A limit of files stands for a full disk.
full() {
	stop KILL # it may wait for the QUIC client that died
	ulimit -S -f 2000
	start "$listeners" -f files.conf
	ulimit -S -f unlimited
	want 3 'put to a full disk' alice put docs.put long --as nospace
	has err 'no space is left for it' 'says so'
	absent shared/nospace 'there is no half file'
	no_rest 'it'
	cp long shared/cut
	rm -f cut .cut.rpcsh-part
	( ulimit -S -f 2000; alice get docs.get cut --out cut >out 2>err )
	[ $? = 1 ] && grep -q '^rpcsh: cut: File too large$' err
	result $? 'get to a full disk says so'
	[ "$(wc -l <err)" = 1 ]
	result $? 'in one line'
	absent cut 'there is no half file'
	absent .cut.rpcsh-part 'and nothing is left of it'
}

# ---- huge ----

peak() { # PID KIB TEXT
	hwm=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status")
	echo "# $3: $hwm kB"
	[ "$hwm" -lt "$2" ]
	result $? "$3 stays below $2 kB"
}

measured() { # WORDS: rpcsh, its peak in peak.txt
	python3 -c '
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)' "$rpcsh" -s "$(url tls)" --certs certs -k alice "$@" \
		>peak.txt 2>err
}

huge() {
	stop >/dev/null
	start "$listeners" -f files.conf
	truncate -s 128M sparse
	measured put docs.put sparse
	result $? 'put 128 MiB of zeros'
	echo "# rpcsh put: $(cat peak.txt) kB"
	[ "$(tail -n 1 peak.txt)" -lt 80000 ]
	result $? 'rpcsh needs little memory for it'
	peak "$daemon" 80000 'rpcd'
	[ "$(du -k shared/sparse | cut -f 1)" -lt 1000 ]
	result $? 'and little disk'
	measured get docs.get sparse --out sparse2
	result $? 'get it back'
	echo "# rpcsh get: $(cat peak.txt) kB"
	[ "$(tail -n 1 peak.txt)" -lt 80000 ]
	result $? 'needs little memory too'
	peak "$daemon" 80000 'rpcd'
	[ "$(stat -c %s sparse2)" = 134217728 ]
	result $? 'it has its length'
	rm -f sparse* shared/sparse
}

serve
at_once
cuts
changed
stalled
full
huge
stop
result $? 'the daemon ends well'
plan
