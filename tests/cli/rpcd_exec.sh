#!/bin/sh
# Commands as methods: what they get, what they give, and how they end.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

nap=12345.$$ # seconds that only our own sleepers sleep

mallory() {
	"$rpcsh" -s "$(url tls)" --certs certs -k mallory "$@"
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

# A call in the background, its process in $call.  The shell would have it
# ignore Ctrl-C.
behind() {
	env --default-signal=INT "$rpcsh" -s "$(url tcp)" "$@" </dev/null >held 2>&1 &
	call=$!
}

conf() {
	cat >stubborn <<-END
		#!/bin/sh
		trap '' TERM INT HUP
		while :; do sleep $nap; done
	END
	cat >daemonize <<-END
		#!/usr/bin/python3
		import os, time
		if os.fork() == 0:
		    os.setsid()
		    if os.fork() == 0:
		        time.sleep(3)
		        os._exit(0)
		    os._exit(0)
		os.wait()
		print('parent says bye')
	END
	chmod 755 stubborn daemonize
	cat >exec.conf <<-END
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		[method raw]
		exec = /bin/cat
		[method text]
		exec = /usr/bin/printf 'two\nlines\n\n'
		args = none
		reply = text
		[method json]
		exec = /bin/cat
		args = json
		reply = json
		[method upper]
		exec = /usr/bin/tr a-z A-Z
		args = json
		[method broken.json]
		exec = /bin/echo '{"a":'
		reply = json
		[method env]
		exec = /usr/bin/env
		[method place]
		exec = /bin/sh -c "ls /proc/self/fd | tr '\n' ' '; umask; pwd; ps -o pgid= -p \$\$ | tr -d ' '; echo \$\$; grep -E 'Sig(Blk|Ign)' /proc/self/status"
		[method limits]
		exec = /bin/sh -c "sleep 0.2; ulimit -n"
		[method argv]
		exec = /usr/bin/printf '<%s>' "a b" 'c"d' \$HOME *  \`id\` ""
		[method fails]
		exec = /bin/sh -c "echo first >&2; printf 'last \033[31mline\n\n' >&2; exit 42"
		[method dies]
		exec = /bin/sh -c "kill -SEGV \$\$"
		[method missing]
		exec = /nowhere/prog
		[method for.alice]
		exec = /bin/echo mail
		allow = other@example.org, Alice@example.ORG
		[method for.key]
		exec = /bin/echo key
		allow = $(fingerprint alice)
		[method sleeps]
		exec = /bin/sh -c "sleep $nap & sleep $nap"
		timeout = 400ms
		[method stubborn]
		exec = $tmp/stubborn
		timeout = 300ms
		[method sleeps.long]
		exec = /bin/sh -c "sleep $nap & sleep $nap"
		timeout = never
		[method stubborn.long]
		exec = $tmp/stubborn
		timeout = never
		[method long]
		exec = /bin/sleep $nap
		timeout = never
		concurrency = 1
		[method flood]
		exec = /usr/bin/yes
		max-output = 100K
		[method flood.err]
		exec = /bin/sh -c "head -c 3000000 /dev/zero | tr '\0' e >&2; echo done"
		[method exact]
		exec = /usr/bin/head -c 1000 /dev/zero
		max-output = 1000
		[method over]
		exec = /usr/bin/head -c 1001 /dev/zero
		max-output = 1000
		[method silent]
		exec = /bin/true
		max-output = 0
		[method deaf]
		exec = /bin/sh -c "exec <&-; sleep 0.2; echo did not read"
		[method closes]
		exec = /bin/sh -c "echo early; exec >&- 2>&-; sleep 0.3"
		[method leaves.child]
		exec = /bin/sh -c "sleep $nap & echo started"
		[method daemonizes]
		exec = $tmp/daemonize
		[method slow]
		exec = /bin/sh -c "sleep 0.3; echo slow"
		concurrency = 2
	END
}

data_forms() {
	want 0 'raw' plain call raw --raw 'as it is'
	has out '^as it is$' 'comes back as it went'
	head -c 1000000 /dev/urandom >big
	want 0 'a payload larger than any pipe' \
		plain call -o raw raw --raw @big
	check 'comes back whole' cmp big out
	want 0 'text' plain call -o json text
	[ "$(cat out)" = '"two\nlines\n"' ]
	result $? 'loses its last newline only'
	want 3 'a payload where none is taken' plain call text --raw x
	has err 'text: takes no payload' 'is refused'
	want 0 'json' plain call -o json json a:=1 'b=two words' 'c:=[1,2.5,null]'
	[ "$(cat out)" = '{"a":1,"b":"two words","c":[1,2.5,null]}' ]
	result $? 'goes in and comes out'
	want 0 'large numbers' plain call -o json json \
		-d '{"n":18446744073709551615,"m":-9223372036854775808}'
	[ "$(cat out)" = '{"n":18446744073709551615,"m":-9223372036854775808}' ]
	result $? 'keep all their digits'
	want 0 'json in, raw out' plain call -o raw upper word=hi
	has out '^{"WORD":"HI"}$' 'is one line of JSON for the command'
	want 3 'a payload that is no msgpack' plain call json --raw '{"a":1}'
	has err 'json: the payload is not msgpack' 'is refused'
	want 3 'output that is no JSON' plain call broken.json
	has err 'broken.json: bad output: .*output:' 'is an error'
	want 0 'arguments' plain call -o raw argv
	# shellcheck disable=SC2016
	[ "$(cat out)" = '<a b><c"d><$HOME><*><`id`><>' ]
	result $? 'are split like a shell does, and nothing is expanded'
}

surroundings() {
	want 0 'the environment of a caller who has proven himself' \
		alice call -o raw env -H dry-run=yes -H a.b=2 -H 'x y=3' \
		-H 'BASH_FUNC_x%%=() { :; }' -H 'path=() { :; }' --subject job-7
	sort out | sed 's/:[0-9]*$//' >got
	sort >expected <<-END
		LANG=C.UTF-8
		PATH=/usr/local/bin:/usr/bin:/bin
		RPCKIT_ARG_A_B=2
		RPCKIT_ARG_DRY_RUN=yes
		RPCKIT_ARG_PATH=() { :; }
		RPCKIT_METHOD=env
		RPCKIT_PEER_ADDR=tls://127.0.0.1
		RPCKIT_PEER_CN=alice
		RPCKIT_PEER_EMAIL=alice@example.org
		RPCKIT_PEER_FP=$(fingerprint alice)
		RPCKIT_PEER_PSK=
		RPCKIT_PEER_TRANSPORT=tls
		RPCKIT_SUBJECT=job-7
	END
	check 'is this and nothing else' cmp expected got
	want 0 'of one who has not' plain call -o raw env
	[ "$(grep -c '^RPCKIT_PEER_\(EMAIL\|FP\|CN\)=$' out)" = 3 ]
	result $? 'claims nothing'
	set --
	i=0
	while [ $i -lt 33 ]; do
		set -- "$@" -H "key$i=x"
		i=$((i + 1))
	done
	want 3 'too many arguments' plain call env "$@"
	has err 'too many arguments' 'are refused'
	want 3 'arguments too large' plain call env \
		-H "a=$(head -c 33000 /dev/zero | tr '\0' x)"
	has err 'the header is too large for a command' 'are refused'
	want 0 'the rest' plain call -o raw place
	has out '^0 1 2 3 0077$' 'descriptors 0 to 2 (3 reads the folder), umask'
	has out '^/$' 'the root is the working directory'
	[ "$(sed -n 3p out)" = "$(sed -n 4p out)" ]
	result $? 'a process group of its own'
	# Two signals of the C library's own, 32 and 33, do not count.
	[ "$(grep -c 'Sig...:[[:space:]]*0*\(180000000\)\{0,1\}$' out)" = 2 ]
	result $? 'no signal blocked or ignored'
}

limits() {
	want 0 'the number of descriptors' plain call -o raw limits
	[ "$(cat out)" = 300 ]
	result $? 'is what the daemon was started with'
}

permission() {
	want 0 'allowed by email' alice call -o raw for.alice
	want 0 'allowed by fingerprint' alice call -o raw for.key
	want 3 'another email' mallory call for.alice
	has err 'not allowed' 'is refused'
	logged 'refused "for.alice": not allowed for key SHA256:.*mallory@e' \
		'and logged'
	want 3 'another key' mallory call for.key
	want 3 'nobody' plain call for.alice
	want 3 'nobody at all' plain call for.key
	want 0 'the list of mallory' mallory call -o json _.methods
	! grep -q 'for\.' out
	result $? 'does not show what she may not call'
	want 0 'the list of alice' alice call -o json _.methods
	has out '"for.key"' 'does'
}

failures() {
	want 3 'a command that fails' plain call fails
	has err 'fails: exit status 42: last ' 'says so, with its last line'
	! grep -q "$(printf '\033')" err
	result $? 'escaped'
	want 3 'a command that dies' plain call dies
	has err 'dies: killed by signal 11 (SIGSEGV)' 'says of what'
	want 3 'a command that is not there' plain call missing
	has err 'missing: cannot run the command: No such file' 'says so'
}

time_limits() {
	want 3 'a command that takes too long' plain call sleeps
	has err 'sleeps: timed out after 400ms' 'is told to the caller'
	gone 'it and its children are killed'
	want 3 'one that ignores SIGTERM' plain call stubborn
	has err 'stubborn: timed out after 300ms' 'is not waited for'
	gone 'and killed nevertheless'
	plain --timeout 300ms call long </dev/null >out 2>err
	case $? in
	3 | 5) ok "the caller's own limit" ;; # whose clock is ahead
	*) not_ok "the caller's own limit" ;;
	esac
	gone 'ends it as well'
	behind call long
	check 'a caller waits' asleep
	want 3 'one too many' plain call long
	has err 'long: busy: 1 already running' 'is told so'
	kill -HUP "$daemon"
	logged 'reloaded' 'a reload'
	want 3 'does not change that' plain call long
	has err 'long: busy: 1 already running' 'the count goes on'
	kill -KILL "$call"
	wait "$call" 2>/dev/null
	gone 'a caller that is gone takes its command along'
	behind call long
	check 'another waits' asleep
	kill -INT "$call"
	wait "$call" 2>/dev/null
	gone 'Ctrl-C ends it, too'
}

output() {
	want 3 'endless output' plain call flood
	has err 'flood: more than 102400 bytes of output' 'is cut off'
	check 'its process is gone' until_ok no_process /usr/bin/yes
	want 0 'endless standard error' plain call -o raw flood.err
	has out '^done$' 'does no harm'
	want 0 'just as much as allowed' plain call -o raw exact
	[ "$(wc -c <out)" = 1000 ]
	result $? 'is not too much'
	want 3 'a byte more' plain call over
	want 0 'none at all' plain call -o raw silent
	want 0 'one that does not read' plain call -o raw deaf --raw @big
	has out '^did not read$' 'may answer all the same'
	want 0 'one that closes its output early' plain call -o raw closes
	has out '^early$' 'is waited for'
	want 0 'one that leaves a child' plain call -o raw leaves.child
	has out '^started$' 'has its answer at once'
	gone 'and the child is ended'
	want 0 'one that leaves a daemon' plain call -o raw daemonizes
	has out '^parent says bye$' 'holding its output, does not hang'
}

at_once() {
	for i in 1 2 3 4 5 6 7 8; do
		plain call -o raw slow </dev/null >"slow$i" 2>"busy$i" &
		eval "pid$i=\$!"
	done
	for i in 1 2 3 4 5 6 7 8; do
		eval "wait \$pid$i"
	done
	good=$(cat slow? | grep -c '^slow$')
	busy=$(cat busy? | grep -c 'busy: 2 already running')
	[ "$good" -ge 2 ] && [ $((good + busy)) = 8 ]
	result $? "eight at once: $good ran, $busy were told to wait"
	want 0 'and then there is room again' plain call -o raw slow
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
	for i in 1 2 3 4 5; do
		plain call raw --raw "$i" </dev/null >/dev/null 2>&1
		plain call missing </dev/null >/dev/null 2>&1
		plain call over </dev/null >/dev/null 2>&1
		plain call daemonizes </dev/null >/dev/null 2>&1
	done
	check 'no zombie is left' until_ok no_zombies
	check 'no descriptor is left' until_ok no_more_descriptors
}

the_end() {
	behind call long
	check 'a command that never ends' asleep
	kill -TERM "$daemon"
	logged 'SIGTERM: stopping' 'and a daemon that is to'
	stop
	result $? 'twice, exit 0'
	wait "$call"
	gone 'it leaves no process behind'
	# A daemon whose parent ignored SIGCHLD can still wait for commands.
	: >ready
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])' "$rpcd" -f exec.conf --threads 2 \
		</dev/null >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	check 'started with SIGCHLD ignored, and threads' until_ok ready 2
	want 0 'a command' plain call -o raw raw --raw x
	has out '^x$' 'answers'
	want 3 'a failing one' plain call fails
	at_once
	stop
	result $? 'end'
}

asleep_thrice() {
	[ "$(pgrep -c -f -x "[a-z/]*sleep $nap")" = 3 ]
}

has_ended() {
	! kill -0 "$1" 2>/dev/null
}

# Nothing of the daemon's own can run any more.
killed() {
	check 'a daemon' start 2 -f exec.conf
	keeper=$(pgrep -P "$daemon" -x rpcd-keeper)
	check 'has a keeper' test -n "$keeper"
	kill -TERM "$keeper"
	kill -INT "$keeper"
	want 0 'it keeps nothing that has ended' plain call -o raw raw --raw x
	want 3 'whichever way' plain call fails
	behind call sleeps.long
	behind call stubborn.long
	check 'commands with children, and one that ignores SIGTERM' \
		until_ok asleep_thrice
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
	gone 'are ended after a daemon that was killed'
	check 'and then the keeper ends' until_ok has_ended "$keeper"
	wait "$call"
}

certificates
conf
# shellcheck disable=SC3045 # every sh of ours has -S
ulimit -S -n 300
check 'a daemon with commands' start 2 -f exec.conf
data_forms
surroundings
limits
permission
failures
time_limits
output
at_once
leaks
the_end
killed
plan
