#!/bin/sh
# rpcd's life: ready, listening, signals, drain, service manager, trust.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# Where the temporary keys are, and a client that has them.
trial() {
	sed -n 's|^certs ||p' ready
}

visitor() {
	"$rpcsh" -s "$(url tls)" --certs "$(trial)" "$@"
}

# The command that the log advises, as a shell would run it.
advised() {
	words=$(sed -n 's/^rpcd: temporary keys.* try: rpcsh //p' log)
	# shellcheck disable=SC2086
	"$rpcsh" $words
}

try_it_out() {
	check 'rpcd --echo starts without certificates' start 1 --echo
	has ready '^listening tls 127\.0\.0\.1:[0-9][0-9]*$' \
		'it says where it listens'
	has ready "^certs $tmp/rpcd-trial-[A-Za-z0-9]*\$" \
		'and where temporary keys are'
	[ "$(wc -l <ready)" = 2 ]
	result $? 'standard output holds nothing else'
	dir=$(trial)
	[ "$(stat -c %a "$dir" "$dir"/* | tr '\n' ' ')" = \
		'700 600 600 600 600 600 ' ]
	result $? 'which are ours alone'
	[ ! -e "$dir/ca.key" ]
	result $? 'the key of their CA is nowhere'
	want 0 'what it advises works' advised
	has out '^{"greeting":"hello"}$' 'and is answered'
	want 0 'echo' visitor call echo --raw 'hello there'
	has out '^hello there$' 'echo answers what it was sent'
	want 0 'customEcho' visitor call customEcho --raw hi
	shape="^ with time customEcho sees this: '20[0-9][0-9]-[01][0-9]-"
	shape="${shape}[0-3][0-9] [0-9:]*\.[0-9]* +0000 UTC m=+[0-9.]*'"
	has out '^hi$' 'customEcho answers what it was sent'
	has out "$shape\$" 'and the time'
	want 0 'built-in methods' visitor call _.methods
	has out customEcho '_.methods lists ours'
	want 8 'a method that is not there' visitor call nosuch --raw x
	want 6 'nobody without these keys' "$rpcsh" -s "$(url tls)" \
		--certs "$dir" --server-only call echo --raw x
	kill -HUP "$daemon"
	logged 'reloaded: ' 'a reload keeps them'
	want 0 'and they work still' visitor call echo --raw again
	stop
	result $? 'SIGTERM ends it with 0'
	[ ! -e "$dir" ]
	result $? 'the keys are gone'
}

trial_edges() {
	for mode in --server-only --skip-verify; do
		check "--echo $mode" start 1 --echo $mode --json
		dir=$(sed -n 's/.*"certs":"\(.*\)"}$/\1/p' ready)
		listening=$(sed -n 's/.*"listening":"tls","address":"//p' ready)
		want 0 'a call' "$rpcsh" $mode --certs "$dir" \
			-s "${listening%\"*}" call echo --raw x
		stop INT && [ ! -e "$dir" ]
		result $? 'SIGINT removes the keys'
	done
	want 0 '-t is content without certificates' "$rpcd" --echo -t
	want 0 '-T' "$rpcd" --echo -T
	has out '^# certs =$' 'names no directory'
	has out '^trust = off$' 'and no list'
	set -- rpcd-trial-*
	[ "$1" = 'rpcd-trial-*' ]
	result $? 'and neither leaves anything'
	want 8 'certificates that are named must be there' \
		"$rpcd" --echo --certs nowhere
	has err 'nowhere/ca.crt: No such file' 'and are missed'
	want 8 'temporary keys are for loopback' \
		"$rpcd" --echo --listen tls:0.0.0.0:0
	has err '^try: .*temporary keys.* loopback' 'which is said'
	want 2 'a name that cannot be one' "$rpcd" --echo -k 'a b'
	if "$rpcd" -t --listen quic:127.0.0.1:0 --echo >out 2>err; then
		check 'over QUIC' start 1 --echo --listen quic:127.0.0.1:0
		want 0 'what it advises works, too' advised
		stop
	fi
	check '--tcp stays what it was' start 1 --echo --tcp
	has ready '^listening tcp 127' 'plain TCP'
	stop
	check 'a list that is named is asked' start 1 --echo --known list
	: >list
	want 0 'a call' visitor call echo --raw x
	stop
	has list 'edwardsRPC.*client@localhost' 'and records the client'
	mkdir run
	XDG_RUNTIME_DIR=$tmp/run
	export XDG_RUNTIME_DIR
	check 'with a runtime directory' start 1 --echo
	has ready "^certs $tmp/run/" 'the keys are there'
	stop
	rmdir run/rpckit run
	result $? 'and were'
	unset XDG_RUNTIME_DIR
}

with_certificates() {
	certificates
	check '--echo uses certificates that are there' start 1 --echo
	has ready '^listening tls 127\.0\.0\.1:' 'with TLS'
	has log 'certificate node, key SHA256:' 'it says who it is'
	want 0 'a call over TLS' alice call echo --raw tls
	has out '^tls$' 'with its answer'
	stop INT
	result $? 'SIGINT ends it with 0'
	check 'further threads' start 1 --listen tls:127.0.0.1:0 --threads 3
	for i in 1 2 3 4 5 6; do
		alice call echo --raw "$i" >"out$i" 2>>err </dev/null &
	done
	until_ok grep -q . out1 && until_ok grep -q . out2 &&
		until_ok grep -q . out3 && until_ok grep -q . out4 &&
		until_ok grep -q . out5 && until_ok grep -q . out6
	result $? 'serve calls'
	stop
	result $? 'and end'
}

help() {
	for words in -h 'help all'; do
		# shellcheck disable=SC2086
		want 0 "rpcd $words" "$rpcd" $words
		awk 'length > 79 { exit 1 }' out
		result $? 'fits into 80 columns'
	done
	want 0 'rpcd -h' "$rpcd" -h
	[ "$(wc -l <out)" -le 24 ]
	result $? 'and 24 lines'
}

listeners() {
	check 'three kinds of listener' start 3 --listen tls:127.0.0.1:0 \
		--listen tcp://127.0.0.1:0 --listen "unix:$tmp/s.sock"
	has ready "^listening unix $tmp/s.sock\$" 'a line for each'
	[ "$(stat -c %a s.sock)" = 600 ]
	result $? 'the socket is ours alone'
	want 0 'unix' "$rpcsh" -s "unix://$tmp/s.sock" call echo --raw u
	want 0 'tcp' plain call echo --raw t
	want 0 'tls' alice call echo --raw s
	port=$(url tcp)
	want 1 'a port in use' "$rpcd" --listen "$port"
	has err '^rpcd: --listen: .*[Aa]ddress already in use' 'is named'
	[ ! -s out ]
	result $? 'and never announced'
	want 1 'the same for TLS' "$rpcd" --listen "$(url tls)"
	has err '^rpcd: --listen: 127\.0\.0\.1:[0-9]*: cannot listen: ' \
		'is not called plain TCP'
	want 1 'a socket in use' "$rpcd" --listen "unix:$tmp/s.sock"
	stop
	result $? 'end'
	[ ! -e s.sock ]
	result $? 'the socket is gone'
	want 2 'a transport that is none' "$rpcd" --listen sctp:127.0.0.1:1
	want 2 'a path without a beginning' "$rpcd" --listen unix:s.sock
	has err ': "unix:s.sock" is not of the form unix:/PATH$' 'is told'
	want 2 'an address without a port' "$rpcd" --listen tls:127.0.0.1
	want 2 'an operand' "$rpcd" x
	check "the original's words" start 1 -s 127.0.0.1:0 -tcp -quiet
	has ready '^listening tcp ' 'choose plain TCP'
	[ ! -s log ]
	result $? '-quiet leaves warnings only'
	stop
}

modes() {
	check 'server-only' start 1 --server-only --listen tls:127.0.0.1:0
	has log 'warning: .*clients are not authenticated' 'warns'
	want 0 'a client without a certificate' "$rpcsh" -s "$(url tls)" \
		--certs certs --server-only call echo --raw x
	stop
	check 'skip-verify' start 1 -skip-verify --listen tls:127.0.0.1:0
	want 0 'a client that does not care' "$rpcsh" -s "$(url tls)" \
		--certs certs --skip-verify call echo --raw x
	stop
	check 'mutual' start 1 --listen tls:127.0.0.1:0
	want 6 'a client without a certificate' "$rpcsh" -s "$(url tls)" \
		--certs certs --server-only call echo --raw x
	stop
}

hold_conf() {
	cat >hold.conf <<-END
		listen = tcp:127.0.0.1:0
		drain = ${1:-30s}
		[method hold]
		exec = /bin/sh -c "touch $tmp/held; sleep $2; echo held"
		timeout = 2m
	END
}

refused() {
	! plain --connect-timeout 2s call echo --raw x </dev/null
}

drain() {
	rm -f held
	hold_conf 30s 1
	check 'a daemon to drain' start 1 -f hold.conf
	plain call -o raw hold </dev/null >held.out 2>err &
	call=$!
	until_ok test -e held
	result $? 'a call runs'
	kill -TERM "$daemon"
	check 'no new connection while it drains' until_ok refused
	wait "$call"
	result $? 'the running call ends well'
	has held.out '^held$' 'with its answer'
	until_ok ended_or_zombie "$daemon"
	wait "$daemon"
	result $? 'then the daemon ends with 0'

	rm -f held
	nap=98765.$$
	hold_conf 1m $nap
	check 'another' start 1 -f hold.conf
	plain call -o raw hold </dev/null >held.out 2>err &
	call=$!
	check 'a call runs' until_ok test -e held
	kill -TERM "$daemon"
	logged 'SIGTERM: stopping' 'the first SIGTERM drains'
	! ended_or_zombie "$daemon"
	result $? 'and waits for the call'
	stop
	result $? 'the second ends it at once'
	! wait "$call"
	result $? 'the call failed'
	check 'its process is gone' until_ok no_process "[a-z/]*sleep $nap"

	rm -f held
	hold_conf 300ms $nap
	check 'a short drain' start 1 -f hold.conf
	plain call -o raw hold </dev/null >held.out 2>err &
	call=$!
	check 'a call runs' until_ok test -e held
	stop
	result $? 'ends by itself when time is over'
	wait "$call"
	check 'its process is gone, too' \
		until_ok no_process "[a-z/]*sleep $nap"
}

many_signals() {
	for i in 1 2 3 4 5; do
		start 1 --echo || return 1
		while kill "-$1" "$daemon" 2>/dev/null; do
			! ended_or_zombie "$daemon" || break
		done
		wait "$daemon" || return 1
	done
}

no_process() {
	! pgrep -f -x "$1"
}

signal_storm() {
	check 'as many SIGTERM as one likes' many_signals TERM
	check 'or SIGINT' many_signals INT
}

standard_streams() {
	timeout 60 "$rpcd" --echo >/dev/full 2>err </dev/null
	[ $? = 1 ]
	result $? 'full standard output: exit 1'
	has err '^rpcd: cannot write to standard output: ' 'and said'
	mkfifo closed
	exec 8<>closed 9>closed 8<&- # nobody reads it any more
	timeout 60 "$rpcd" --echo 2>err </dev/null >&9
	has err 'cannot write to standard output' 'a closed pipe is said'
	exec 9>&-
	: >ready
	"$rpcd" --listen "unix:$tmp/o.sock" <&- >&- 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok test -S o.sock
	result $? 'closed standard input and output do no harm'
	want 0 'it serves' "$rpcsh" -s "unix://$tmp/o.sock" call echo --raw x
	stop
	result $? 'and ends with 0'
}

sockets_passed_in() {
	passing
	passed tls,tcp,unix "$rpcd"
	until_ok ready 3
	[ "$(cut -d' ' -f2 ready | tr '\n' ' ')" = 'tls tcp unix ' ]
	result $? 'sockets passed in are told apart by name'
	want 0 'tls' alice call echo --raw x
	want 0 'tcp' plain call echo --raw x
	want 0 'unix' "$rpcsh" -s "unix://$tmp/passed.sock" call echo --raw x
	stop
	result $? 'end'
	[ -S passed.sock ]
	result $? 'a socket that is not ours stays'
	rm -f passed.sock
	passed tcp "$rpcd" --listen tcp:127.0.0.1:PORT \
		--listen tcp:127.0.0.1:0
	until_ok ready 2
	[ "$(sort -u ready | wc -l)" = 2 ]
	result $? 'a configured address among them is used once'
	stop
	want 1 'a UDP socket of no port' python3 pass.py unbound "$rpcd"
	has err 'descriptor 3 is neither a listening stream socket nor a bound' \
		'is refused'
	want 1 'a socket that does not listen' python3 pass.py deaf "$rpcd"
	want 1 'fewer than announced' \
		env FDS=2 python3 pass.py tcp "$rpcd"
	want 1 'a count that is none' \
		env FDS=x python3 pass.py tcp "$rpcd"
	: >ready
	PID=1 python3 pass.py tcp "$rpcd" --echo </dev/null >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok ready 1
	! grep -q ":$(cat passed.port)\$" ready
	result $? 'sockets for another process are left alone'
	stop
}

# What a service manager hears, one line each, until STOPPING.
cat >hear.py <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\0'))
s.settimeout(30)
print('bound', flush=True)
while True:
    text = s.recv(4096).decode()
    print(text.replace('\n', '|'), flush=True)
    if 'STOPPING=1' in text:
        break
END

ready_twice() {
	[ "$(grep -c ^READY=1 heard)" = 2 ]
}

service_manager() {
	for where in "$tmp/notify" "@rpcd-test-$$"; do
		: >heard
		python3 hear.py "$where" >heard &
		hear=$!
		daemons="$daemons $hear"
		until_ok grep -q bound heard
		NOTIFY_SOCKET=$where
		WATCHDOG_USEC=200000
		export NOTIFY_SOCKET WATCHDOG_USEC
		check 'started by a service manager' start 1 --echo
		unset NOTIFY_SOCKET WATCHDOG_USEC
		check 'it tells that it is ready' \
			until_ok grep -q '^READY=1|STATUS=serving' heard
		check 'it shows life' until_ok grep -q '^WATCHDOG=1' heard
		kill -HUP "$daemon"
		check 'it tells that it reloads' until_ok \
			grep -q '^RELOADING=1|MONOTONIC_USEC=[0-9]*$' heard
		check 'and is ready again' \
			until_ok ready_twice
		stop
		result $? 'end'
		wait "$hear"
		result $? 'it tells that it stops'
	done
	want 1 'nobody listens there' \
		env "NOTIFY_SOCKET=$tmp/nobody" "$rpcd" --echo
	has err 'NOTIFY_SOCKET: ' 'is said'
	want 1 'no path' \
		env NOTIFY_SOCKET=relative "$rpcd" --echo
}

logs() {
	check 'JSON' start 1 --echo --json --verbose
	kill -HUP "$daemon"
	logged reloaded 'events'
	stop
	cat >lines.py <<-'END'
		import json, sys
		keys = ['schema', 'time', 'level', 'subsystem', 'text']
		for line in open('log'):
		    assert list(json.loads(line)) == keys, line
		first = json.loads(open('ready').read())
		assert first['schema'] == 1 and first['listening'] == 'tls'
	END
	want 0 'each a JSON object of its own' python3 lines.py
	: >empty
	chmod 400 empty
	want 1 'an error as JSON' "$rpcd" --json --listen tls:127.0.0.1:0 \
		--known empty
	python3 -c 'import json; e = json.load(open("err"))
assert e["ok"] is False and e["error"]["exit"] == 1 and e["error"]["try"]'
	result $? 'is one object'
	want 0 '--help' "$rpcd" --help
	has out 'usage: rpcd' 'is there'
	[ "$(wc -l <out)" -le 24 ]
	result $? 'and fits a screen'
	want 0 '--version' "$rpcd" --version
}

help
try_it_out
trial_edges
with_certificates
listeners
modes
drain
signal_storm
standard_streams
sockets_passed_in
service_manager
logs
plan
