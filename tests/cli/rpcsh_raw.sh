#!/bin/sh
# rpcsh --raw @FILE or - with more than a message carries: a stream, in memory that
# does not grow with it.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# RPCKIT_RAW_SIZE is how large (64M); with it that is all that is tested, as
# ./check does with 1G in release mode, in about five seconds.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# What is freed is to be counted as free.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1
export ASAN_OPTIONS

# peak COMMAND...: its output in out, and its largest size in kB in kb.
peak() {
	timeout 300 python3 /dev/fd/3 "$@" >out 2>err 3<<-'END'
		import os, sys
		pid = os.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		_, status, used = os.wait4(pid, 0)
		open('kb', 'w').write(str(used.ru_maxrss))
		sys.exit(os.waitstatus_to_exitcode(status))
	END
}

# The server's largest size in kB.
served() {
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status"
}

main() {
	size=${RPCKIT_RAW_SIZE:-64M}
	truncate -s 2M small
	truncate -s "$size" large
	check 'a server' start_own typedserver
	check 'a file larger than a message' peak "$rpcsh" -s "$(url tcp)" \
		count --raw @small
	[ "$(cat out)" = 2097152 ]
	result $? 'comes whole'
	first=$(cat kb)
	before=$(served)
	check 'a much larger one' peak "$rpcsh" -s "$(url tcp)" \
		count --raw @large --timeout 0
	[ "$(cat out)" = "$(stat -c %s large)" ]
	result $? 'comes whole, too'
	grown=$(($(cat kb) - first))
	echo "# $grown kB more than for 2 MB"
	[ $grown -lt 8192 ]
	result $? 'in as much memory'
	taken=$(($(served) - before))
	echo "# $taken kB more at the server"
	[ $taken -lt 8192 ]
	result $? 'at both ends'
	[ -z "${RPCKIT_RAW_SIZE-}" ] || plan
	head -c 2000001 small >odd
	for size in 1199999 1200000 1200001 2000001; do
		head -c $size odd | timeout 60 "$rpcsh" -s "$(url tcp)" \
			count --raw - >out 2>err
		case $size in
		2000001 | 1200001) [ "$(cat out)" = $size ] ;;
		*) grep -q 'it cannot be called' err ;;
		esac
		result $? "$size bytes of standard input"
	done
	{ head -c 1 >/dev/null; plain count --raw -; } <odd >out 2>err
	[ "$(cat out)" = 2000000 ]
	result $? 'from where it stands'
	truncate -s 20M more
	cat more | peak "$rpcsh" -s "$(url tcp)" count --raw - --timeout 0
	[ "$(cat out)" = 20971520 ] && [ $(($(cat kb) - first)) -lt 8192 ]
	result $? 'and 20 MiB of it in as much memory'
	echo abc | timeout 60 "$rpcsh" -s "$(url tcp)" tell --raw - >out 2>err
	[ "$(cat out)" = abc ]
	result $? 'a little is a call'
	want 0 'an answer in a file' plain count --raw @small --out answer
	[ "$(cat answer)" = 2097152 ]
	result $? 'is there'
	want 8 'a method that is none' plain conut --raw @small
	has err 'did you mean "count"' 'is explained'
	want 2 'items beside it' plain count --raw @small a=1
	want 2 'what streams have not' plain count --raw @small --one-way
	# Its 300032 bytes end where their memory does.
	python3 -c 'print("{\"Item\":\"" + "x" * 300008 +
	    "\",\"A_zid012345\":48}")' >./tail
	want 2 'a name as Go writes them, almost' plain Shop.Order -d @tail
	has err 'no field "A_zid012345"' 'is looked at up to its end'
	want 1 'a full disk' sh -c \
		"exec '$rpcsh' -s '$(url tcp)' count --raw @small >/dev/full"
	stop >/dev/null
	want 4 'nobody there' "$rpcsh" -s tcp://127.0.0.1:1 count --raw @small
	plan
}

main
