#!/bin/sh
# Commands at a server with live input, output and exit status.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

nap=23456.$$ # seconds that only our own sleepers sleep
mib=1048576
# What was freed must be free, for what a process takes at most to say much.
ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=1
export ASAN_OPTIONS

mallory() {
	"$rpcsh" -s "$(url tls)" --certs certs -k mallory "$@"
}

quic_alice() {
	timeout 120 "$rpcsh" -s "$(url quic)" --certs certs -k alice "$@"
}

conf() {
	cat >stubborn <<-END
		#!/bin/sh
		trap '' TERM INT HUP
		echo up
		while :; do sleep $nap; done
	END
	cat >floods <<-END
		#!/bin/sh
		echo \$\$ >$tmp/floods.pid
		python3 -c "import fcntl; fcntl.fcntl(1, 1031, $mib)" # SETPIPE_SZ
		setsid yes $nap &
		read -r go <$tmp/gate
		echo last words >&2
		exit 7
	END
	chmod 755 stubborn floods
	cat >exec.conf <<-END
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		threads = ${1:-0}
		drain = 1s
		[method cat]
		exec = /bin/cat
		stream = yes
		[method sort]
		exec = /usr/bin/sort
		stream = yes
		[method exits]
		exec = /bin/sh -c 'read n; echo out; echo err >&2; exit \$n'
		stream = yes
		[method three]
		exec = /bin/sh -c 'exit 3'
		stream = yes
		[method dies]
		exec = /bin/sh -c 'echo before; kill -SEGV \$\$'
		stream = yes
		[method killed]
		exec = /bin/sh -c 'kill -KILL \$\$'
		stream = yes
		[method head]
		exec = /usr/bin/head -c 5
		stream = yes
		[method none]
		exec = /bin/cat
		args = none
		stream = yes
		[method json]
		exec = /bin/cat
		args = json
		stream = yes
		[method env]
		exec = /usr/bin/env
		stream = yes
		[method count]
		exec = /usr/bin/wc -c
		stream = yes
		[method zeros]
		exec = /usr/bin/head -c 100M /dev/zero
		stream = yes
		[method endless]
		exec = /bin/cat /dev/zero
		stream = yes
		[method deaf]
		exec = /bin/sleep $nap
		stream = yes
		concurrency = 1
		[method family]
		exec = /bin/sh -c 'sleep $nap & sleep $nap & echo up; wait'
		stream = yes
		[method stubborn]
		exec = $tmp/stubborn
		stream = yes
		[method limited]
		exec = /usr/bin/head -c 2000000 /dev/zero
		stream = yes
		max-output = 1500000
		[method enough]
		exec = /usr/bin/head -c 1500000 /dev/zero
		stream = yes
		max-output = 1500000
		[method brief]
		exec = /bin/sh -c 'echo begun; sleep $nap'
		stream = yes
		timeout = 3s
		[method missing]
		exec = /nowhere/prog
		stream = yes
		[method for.alice]
		exec = /bin/echo hello
		stream = yes
		allow = alice@example.org
		[method leaves.child]
		exec = /bin/sh -c 'setsid sleep 2 & echo started'
		stream = yes
		[method floods]
		exec = $tmp/floods
		stream = yes
		[method evil]
		exec = /usr/bin/printf 'a\\033[2Jb\\303'
		stream = yes
		[method once]
		exec = /bin/echo one answer
	END
}

no_process() {
	! pgrep -f -x "$1"
}

gone() { # TEXT: nobody sleeps any more
	until_ok no_process "[a-z/]*sleep $nap"
	result $? "$1"
}

asleep() {
	until_ok pgrep -f -x "[a-z/]*sleep $nap"
}

behind() { # METHOD...: in the background, with held, its process in $call
	rm -f held # what the last one wrote proves nothing
	"$rpcsh" -s "$(url tls)" --certs certs -k alice exec "$@" \
		</dev/null >held 2>held.err &
	call=$!
}

peak() { # PID: KiB of memory at most
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

bytes() {
	head -c 67108864 /dev/urandom >big
	daemon_fresh=$(peak "$daemon")
	alice exec cat <big >got 2>err
	[ $? = 0 ] && [ ! -s err ] && cmp -s big got
	result $? '64 MiB come back from cat as they went'
	plain exec cat <big >got 2>err
	cmp -s big got
	result $? 'over plain TCP as well'
	# shellcheck disable=SC2002 # a pipe is what is meant
	cat big | alice exec cat | cmp -s - big
	result $? 'through pipes'
	want 0 'no input' alice exec cat
	[ ! -s out ]
	result $? 'gives no output'
	printf 'b\na\n' | alice exec sort >out 2>err
	[ "$(cat out)" = "$(printf 'a\nb')" ]
	result $? 'a command that waits for the end of its input'
	[ "$(alice exec count <big)" = 67108864 ]
	result $? 'input only'
	[ "$(alice exec zeros </dev/null | wc -c)" = $((100 * mib)) ]
	result $? 'output only'
	exec 3<big
	alice exec head <&3 >out 2>err
	[ $? = 0 ] && [ "$(wc -c <out)" = 5 ]
	result $? 'a command that reads the beginning only'
	exec 3<&-
	grown=$(($(peak "$daemon") - daemon_fresh))
	[ "$daemon_fresh" -gt 0 ] && [ $grown -lt 16384 ]
	result $? "after all that the daemon has taken $grown KiB more"
}

statuses() {
	for status in 0 1 77 255; do
		echo $status | alice exec exits >out 2>err
		[ $? = $status ] && [ "$(cat out)" = out ] &&
			[ "$(cat err)" = err ]
		result $? "exit status $status; output and errors apart"
	done
	want 139 'killed by SIGSEGV' alice exec dies
	has out '^before$' 'and what it wrote came before'
	has err '^rpcsh: dies: killed by signal 11 (SIGSEGV)$' 'it is said'
	printf 'exec -n cat\nexec -n three\nexec -n dies\n' >lines
	want 3 'a script up to the first that fails' alice -f lines
	[ "$(cat err)" = 'rpcsh: lines:2: three: exit status 3' ]
	result $? 'says where, and with what status'
	want 3 'alone it says nothing' alice exec -n three
	[ ! -s err ]
	result $? 'but has the status'
	want 137 'killed by SIGKILL' alice exec killed
	want 3 'a command that is not there' alice exec missing
	has err '^rpcsh: missing: cannot run the command: No such file' 'is said'
	logged 'exits: exit status 77 (called by alice@example.org' \
		'the log has statuses'
	logged 'cat: done in .* (called by alice@' 'and successes'
}

arguments() {
	want 0 'json' alice exec json a:=1 'b=two words'
	[ "$(cat out)" = '{"a":1,"b":"two words"}' ]
	result $? 'is the first line'
	printf 'more\n' | alice exec json a:=1 >out 2>err
	[ "$(cat out)" = "$(printf '{"a":1}\nmore')" ]
	result $? 'and input comes after it'
	want 0 'json without an argument' alice exec json
	has out '^null$' 'is null'
	printf '{"x":2}' >arg
	alice exec json -d - <arg >out 2>err
	[ "$(cat out)" = '{"x":2}' ]
	result $? '-d - uses the input up'
	echo lost | alice exec none >out 2>err
	[ $? = 0 ] && [ ! -s out ]
	result $? 'args = none: input is dropped'
	want 3 'an argument where none is taken' alice exec none a=1
	has err 'none: takes no payload' 'is refused'
	echo lost | alice exec -n cat >out 2>err
	[ $? = 0 ] && [ ! -s out ]
	result $? '-n leaves input alone'
	want 0 'the environment' alice exec env -H dry-run=yes --subject job-7
	has out '^RPCKIT_ARG_DRY_RUN=yes$' 'has arguments'
	has out '^RPCKIT_SUBJECT=job-7$' 'the subject'
	has out '^RPCKIT_PEER_EMAIL=alice@example.org$' 'the caller'
	has out '^RPCKIT_METHOD=env$' 'and the method'
	want 2 'two words for one option' alice exec cat -d
	want 2 'an item that is none' alice exec json 'a:=['
}

refusals() {
	want 0 'one who may' alice exec for.alice
	want 3 'one who may not' mallory exec for.alice
	has err 'not allowed' 'is refused'
	want 8 'a method that is not there' alice exec sirt
	has err 'no such method (did you mean "sort"?)' 'with a hint'
	want 3 'a method that is no stream' alice exec once
	has err '^try: rpcsh call METHOD$' 'with the way'
	want 3 'a call of a stream' alice call cat
	has err '^try: rpcsh exec METHOD, or rpcsh call -o ndjson METHOD$' 'with the way'
	want 4 'nobody there' "$rpcsh" --tcp -s 127.0.0.1:1 exec cat
	want 0 'its description' alice desc cat
	has out '^  rpcsh exec cat < INPUT$' 'has the right verb'
}

limits() {
	want 3 'too much output' alice exec limited
	has err 'limited: more than 1500000 bytes of output' 'is told'
	[ "$(wc -c <out)" = 1500000 ]
	result $? 'behind what was allowed'
	logged 'limited: too much output (called by alice' 'and logged'
	want 0 'just enough' alice exec enough
	[ "$(wc -c <out)" = 1500000 ]
	result $? 'is whole'
	want 3 'a time limit of the method' alice exec brief
	has err 'brief: timed out after 3s' 'is told'
	has out '^begun$' 'behind what came before'
	gone 'and its process group killed'
	want 5 "the caller's own" alice --timeout 300ms exec deaf
	has err 'deaf: not over after 0.300 s' 'is told'
	gone 'and kills, too'
	behind deaf
	check 'one runs' asleep
	want 3 'one too many' alice exec deaf
	has err 'deaf: busy: 1 already running' 'is told so'
	kill -HUP "$daemon"
	logged 'reloaded' 'a reload'
	want 3 'does not change that' alice exec deaf
	kill -KILL "$call"
	wait "$call" 2>/dev/null
	gone 'kill -9 of the caller kills the command'
}

canceled_twice() {
	[ "$(grep -c 'family: canceled (called by alice' log)" = 2 ]
}

cut_short() {
	behind family
	check 'a family' until_ok grep -q up held
	kill -KILL "$call"
	wait "$call" 2>/dev/null
	gone 'goes as a whole when its caller is killed'
	for signal in 1 15; do # SIGINT is ignored in a shell's background
		behind family
		check 'another' until_ok grep -q up held
		kill -$signal "$call"
		wait "$call" 2>/dev/null
		[ $? = $((128 + signal)) ]
		result $? "signal $signal ends the caller"
		gone 'and the command is gone'
	done
	check 'the daemon was told' until_ok canceled_twice
	behind stubborn
	check 'one that ignores signals' until_ok grep -q up held
	kill -TERM "$call"
	wait "$call" 2>/dev/null
	gone 'is killed nevertheless'
	alice exec endless </dev/null 2>err | head -c 1000000 | wc -c >out
	[ "$(cat out)" -eq 1000000 ]
	result $? 'a reader that has enough'
	check 'ends it' until_ok no_process '/bin/cat /dev/zero'
	[ ! -s err ]
	result $? 'without a word'
	alice exec endless </dev/null >/dev/full 2>err
	[ $? = 1 ] && grep -q '^rpcsh: cannot write the output: No space' err
	result $? 'a full disk is told'
	check 'and ends it' until_ok no_process '/bin/cat /dev/zero'
	alice exec cat </ >out 2>err
	[ $? = 1 ] && grep -q '^rpcsh: cannot read standard input: ' err
	result $? 'input that cannot be read'
	alice exec sort <&- >out 2>err
	result $? 'closed input is empty'
	echo x | alice exec sort >&- 2>err
	[ $? = 1 ] && grep -q '^rpcsh: cannot write the output: ' err
	result $? 'closed output is told'
	echo 3 | alice exec exits >out 2>/dev/full
	[ $? = 3 ] && [ "$(cat out)" = out ]
	result $? 'errors that cannot be written are lost'
	want 0 'a command that leaves a child' alice exec leaves.child
	has out '^started$' 'does not hang'
}

# A child that has left the group, and fills the pipe for ever.
flooded() {
	mkfifo gate flood
	"$rpcsh" -s "$(url tls)" --certs certs -k alice exec floods \
		</dev/null >flood 2>err &
	call=$!
	exec 4<flood
	check 'a child that floods' until_ok test -s floods.pid
	check 'is not read by who does not' until_ok still "$call"
	echo >gate
	check 'its parent ends' until_ok ended "$(cat floods.pid)"
	cat <&4 >/dev/null
	exec 4<&-
	wait "$call"
	[ $? = 7 ]
	result $? 'and the command with it'
	has err '^last words$' 'what it said in the end is there'
	check 'the child as well' until_ok no_process "yes $nap"
	rm -f gate flood
}

# Nobody reads, nobody writes: both ends keep what they need and no more.
slow() {
	behind deaf
	check 'a command with nothing to do' asleep
	idle=$(peak "$call")
	kill -TERM "$call"
	wait "$call" 2>/dev/null
	daemon_before=$(peak "$daemon")
	mkfifo feed drain
	"$rpcsh" -s "$(url tls)" --certs certs -k alice exec zeros \
		</dev/null >drain 2>err &
	call=$!
	exec 4<drain
	head -c 1000000 <&4 >/dev/null
	until_ok still "$call"
	result $? 'who does not read stops the sender'
	head -c $((99 * mib - 1000000)) <&4 >/dev/null
	until_ok still "$call"
	down=$(peak "$call")
	[ "$(cat <&4 | wc -c)" = $mib ]
	result $? 'and gets all of it in the end'
	exec 4<&-
	wait "$call"
	result $? 'with status 0'
	"$rpcsh" -s "$(url tls)" --certs certs -k alice exec deaf \
		<feed >out 2>err &
	call=$!
	(exec cat /dev/zero >feed) &
	writer=$!
	check 'a command that reads nothing' asleep
	until_ok still "$call"
	result $? 'stops its caller'
	up=$(peak "$call")
	kill -TERM "$call"
	wait "$call" 2>/dev/null
	kill -TERM $writer 2>/dev/null
	wait $writer 2>/dev/null
	gone 'and goes with it'
	grown=$(($(peak "$daemon") - daemon_before))
	[ "$idle" -gt 0 ] && [ "$down" -lt $((idle + 16384)) ] &&
		[ "$up" -lt $((idle + 16384)) ] && [ $grown -lt 16384 ]
	result $? "memory: idle $idle KiB, down $down, up $up; daemon $grown more"
}

# It sleeps, and does so for a while.
still() {
	first=$(ticks "$1")
	for _ in 1 2 3 4 5; do
		sleep 0.05
		[ "$(ticks "$1")" = "$first" ] || return 1
	done
}

ticks() {
	sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 12,13
}

json() {
	echo 7 | alice --json exec exits >out 2>err
	[ $? = 7 ] && [ ! -s err ]
	result $? '--json keeps the status'
	sort out >got
	sort >expected <<-'END'
		{"schema":1,"stderr":"err\n"}
		{"schema":1,"stdout":"out\n"}
		{"schema":1,"status":7}
	END
	check 'and says all of it' cmp expected got
	want 137 'a signal' alice --json exec killed
	has out '^{"schema":1,"signal":9}$' 'has its number'
	want 0 'what is no text' alice --json exec evil
	has out '{"\$str":"' 'is base64'
	want 3 'failures' alice --json exec missing
	has err '^{"schema":1,"ok":false,"error":{"code":"remote","exit":3,' \
		'are objects on standard error'
}

escaping() {
	want 0 'control characters into a file' alice exec evil
	[ "$(od -An -c out | tr -d ' \n')" = 'a033[2Jb303' ]
	result $? 'stay what they are'
	want 0 '--escape always' alice exec --escape always evil
	[ "$(cat out)" = 'a\x1b[2Jb\xc3' ]
	result $? 'shows them'
	printf 'tab\t \303\251 \\n\n' >text
	LC_ALL=C.UTF-8 alice exec --escape always cat <text >out
	[ "$(cat out)" = "$(cat text)" ]
	result $? 'and leaves text alone'
	LC_ALL=C alice exec --escape always cat <text >out
	[ "$(cat out)" = "$(printf 'tab\t \\xc3\\xa9 \\n')" ]
	result $? 'but what the locale has no signs for'
}

descriptors() {
	find "/proc/$daemon/fd" 2>/dev/null | wc -l
}

no_zombies() {
	! cat /proc/[0-9]*/stat 2>/dev/null | grep -q ") Z $daemon "
}

# Before, the last caller's may not have been closed yet.
no_more_descriptors() {
	[ "$(descriptors)" -le "$before" ]
}

leaks() {
	until_ok no_zombies
	before=$(descriptors)
	for _ in 1 2 3; do
		callers=
		for method in cat missing limited dies head leaves.child; do
			alice exec $method </dev/null >/dev/null 2>&1 &
			callers="$callers $!"
		done
		alice exec endless </dev/null 2>/dev/null | head -c 1 >/dev/null
		# shellcheck disable=SC2086 # numbers
		wait $callers
	done
	check 'no zombie is left' until_ok no_zombies
	check 'no descriptor is left' until_ok no_more_descriptors
}

# $1: the daemon's words in a title.
at_once() {
	head -c 16777216 big >part
	for i in 1 2 3 4; do
		alice exec cat <part >"got$i" 2>"err$i" &
		eval "pid$i=\$!"
	done
	good=0
	for i in 1 2 3 4; do
		eval "wait \$pid$i" && cmp -s part "got$i" && good=$((good + 1))
	done
	rm -f got?
	[ $good = 4 ]
	result $? "four at once, $1: $good"
}

over_quic() {
	"$rpcsh" --version | grep -q 'tls quic' || return 0
	sed 's/^listen = tcp/listen = quic/' exec.conf >quic.conf
	check 'a daemon with QUIC' start 2 -f quic.conf
	quic_alice exec cat <big >got 2>err
	[ $? = 0 ] && cmp -s big got
	result $? 'bytes come back over QUIC, too'
	echo 77 | quic_alice exec exits >out 2>err
	[ $? = 77 ] && [ "$(cat out)" = out ] && [ "$(cat err)" = err ]
	result $? 'and a status'
	quic_alice exec endless </dev/null 2>err | head -c 1000000 | wc -c >out
	[ "$(cat out)" -eq 1000000 ]
	result $? 'a reader that has enough'
	check 'ends it' until_ok no_process '/bin/cat /dev/zero'
	stop
	result $? 'the daemon stops'
}

the_end() {
	behind family
	check 'a stream' until_ok grep -q up held
	kill -TERM "$daemon"
	logged 'SIGTERM: stopping' 'and a daemon that is to stop'
	stop
	result $? 'stops with 0'
	wait "$call"
	[ $? -ne 0 ]
	result $? 'its caller learns of it'
	gone 'and no process is left'
}

with_threads() {
	conf 2
	check 'a daemon with threads' start 2 -f exec.conf
	head -c 8000000 big >small && mv small big
	at_once 'with threads'
	echo 9 | alice exec exits >out 2>err
	[ $? = 9 ]
	result $? 'statuses, too'
	for _ in 1 2 3 4 5 6; do
		alice exec endless </dev/null 2>/dev/null | head -c 1 >/dev/null
	done
	check 'ends' until_ok no_process '/bin/cat /dev/zero'
	the_end
}

# A server that offers streams which are no commands.
odd() {
	start_own oddstreams
	result $? 'a server of other streams'
	for method in subject no.subject; do
		want 1 "a part that is no output ($method)" plain exec $method
		has err '^rpcsh: the method sends what is no output of a c' \
			'is told'
		[ ! -s out ]
		result $? 'and not shown'
	done
	for method in nothing garbage text large negative signal; do
		want 1 "an answer that is no status ($method)" \
			plain exec $method
		has err 'the method does not say how it ended' 'is told'
	done
	want 137 'a status and a signal' plain exec both
	has out '^x$' 'behind the output'
	want 3 'an error with controls' plain exec words
	has err 'words: \\x1b\]0;title\\x07$' 'is escaped'
	want 4 'a server that dies' plain exec leaves
	has err '^rpcsh: .*leaves' 'is told'
	wait "$daemon"
}

certificates
conf
check 'a daemon with streams' start 2 -f exec.conf
bytes
statuses
arguments
refusals
limits
cut_short
flooded
slow
json
escaping
leaks
at_once 'one thread'
the_end
with_threads
over_quic
odd
plan
