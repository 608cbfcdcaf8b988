#!/bin/sh
# rpcsh when things go wrong: the exit status, one line why, one line of
# advice; and the places it must work in: no terminal, no home, a full disk.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

bounded() {
	"$@"
}

mallory() {
	"$rpcsh" -s "$(url tls)" --certs certs -k mallory "$@"
}

# says STATUS TEXT PATTERN ADVICE COMMAND...: nothing on standard output, one
# line on standard error, at most one more; ADVICE '': none.  And with --json
# an object with the same status.
says() {
	status=$1
	text=$2
	pattern=$3
	advice=$4
	shift 4
	want "$status" "$text" "$@"
	[ ! -s out ] && head -n 1 err | grep -q -e "$pattern"
	result $? "$text: says why"
	if [ -z "$advice" ]; then
		[ "$(wc -l <err)" -eq 1 ]
	else
		[ "$(wc -l <err)" -eq 2 ] &&
			tail -n 1 err | grep -q "^try: .*$advice"
	fi
	result $? "$text: says what to do"
	"$@" --json </dev/null >out 2>err
	printf '%s %s %s %s\n' "$?" "$status" "$(wc -c <out)" "$text" >>asked
	tail -n 1 err | tr -d '\n' >>answers
	echo >>answers
}

# What all of them said with --json, looked at together.
in_json() {
	python3 - >looked <<-'END'
		import json
		asked = open("asked").read().splitlines()
		answers = open("answers").read().splitlines()
		assert len(asked) == len(answers)
		for line, answer in zip(asked, answers):
		    got, status, out, text = line.split(" ", 3)
		    try:
		        o = json.loads(answer)
		        ok = o["schema"] == 1 and o["ok"] is False and \
		            o["error"]["exit"] == int(status) and o["error"]["text"]
		    except (ValueError, KeyError):
		        ok = False
		    print(0 if ok and got == status and out == "0" else 1, text)
	END
	while read -r got text; do
		result "$got" "$text: in JSON too"
	done <looked
	[ "$(wc -l <looked)" -eq "$(wc -l <asked)" ]
	result $? 'each of them was looked at'
}

# A port where something else is: silent, http, close.
other() {
	cat >other.py <<-'END'
		import socket, sys
		s = socket.socket()
		s.bind(('127.0.0.1', 0))
		s.listen(5)
		print('127.0.0.1:%d' % s.getsockname()[1], flush=True)
		kept = []
		while True:
		    c, _ = s.accept()
		    kept.append(c)
		    if sys.argv[1] == 'http':
		        c.recv(100)
		        c.sendall(b'HTTP/1.1 400 Bad\r\n\r\n')
		    if sys.argv[1] != 'silent':
		        c.close()
	END
	python3 other.py "$1" >"$1.port" 2>>other.log </dev/null &
	daemons="$daemons $!"
	until_ok test -s "$1.port"
}

usage() {
	says 2 "no method" 'no method given' 'rpcsh -h' "$rpcsh" --quiet
	says 2 "an unknown option" 'nonsense' 'rpcsh -h' "$rpcsh" --nonsense x
	says 2 "an option of another verb" 'does not belong' 'rpcsh ping -h' \
	    "$rpcsh" ping -t
	says 2 "a bad address" 'the port is missing' 'rpcsh -h' \
	    "$rpcsh" --certs certs -k alice -s nowhere echo
	says 2 "--tcp with a tls:// URL" '--tcp does not go with tls://a:1' \
	    'rpcsh -h' "$rpcsh" --tcp -s tls://a:1 echo
	says 2 "--skip-verify with a tcp:// URL" 'does not go with tcp://a:1' \
	    'rpcsh -h' "$rpcsh" --skip-verify -s tcp://a:1 echo
	says 2 "--tcp with a unix:// URL" 'does not go with unix:///x' \
	    'rpcsh -h' "$rpcsh" --tcp -s unix:///x echo
	says 2 "--tcp and --server-only" 'exclude each other' 'rpcsh -h' \
	    "$rpcsh" --tcp --server-only -s a:1 echo
	says 2 "--tcp with the server of a variable" 'from: environment' \
	    'rpcsh -h' env RPCKIT_SERVER=tls://a:1 "$rpcsh" --tcp echo
	says 2 "a passphrase in the arguments" 'visible in ps' 'rpcsh -h' \
	    "$rpcsh" --pass pass:secret echo
	says 2 "a bad time" 'not a time' 'rpcsh -h' "$rpcsh" --timeout x echo
	says 2 "a bad time in a variable" 'RPCKIT_TIMEOUT' 'rpcsh -h' \
	    env RPCKIT_TIMEOUT=x "$rpcsh" echo
	says 2 "--one-way with --out" '--one-way' 'rpcsh call -h' \
	    "$rpcsh" echo --one-way --out f
	says 2 "--out of nothing" 'is empty' 'rpcsh call -h' \
	    "$rpcsh" echo --out ''
	says 2 "--tcp with a name of TLS" '--tcp does not go with tls+srv' \
	    'rpcsh -h' "$rpcsh" --tcp -s tls+srv://chat.example echo
	want 2 "--json with -o hex" "$rpcsh" --json -o hex echo
	want 2 "--json with --out -" "$rpcsh" --json --out - echo
}

keys() {
	says 8 "no certificates" 'nodir/ca.crt' 'selfy -k client' \
	    "$rpcsh" --certs nodir -s a:1 echo
	# What stands for several addresses needs a key as they do.
	for scheme in tls quic; do
		says 8 "no certificates for a name of $scheme" 'nodir/ca.crt' \
		    'selfy -k client' "$rpcsh" --certs nodir \
		    -s "$scheme+srv://chat.example" echo
	done
	says 8 "no such key" 'certs/nokey.crt' 'selfy -k nokey' \
	    "$rpcsh" --certs certs -k nokey -s a:1 echo
	cp certs/alice.crt certs/open.crt
	cp certs/alice.key certs/open.key
	chmod 644 certs/open.key
	says 1 "a key that others can read" 'chmod go-rwx certs/open.key' '' \
	    "$rpcsh" --certs certs -k open -s a:1 echo
	echo secret >pw
	echo wrong >wrong
	chmod 600 pw wrong
	# The derivation that openssl takes is quick.
	openssl pkey -in certs/alice.key -aes256 -passout pass:secret \
	    -out certs/closed.key
	chmod 600 certs/closed.key
	cp certs/alice.crt certs/closed.crt
	says 7 "no passphrase and no terminal" \
	    'certs/closed.key: no terminal to ask' '--pass file:PATH' \
	    setsid -w "$rpcsh" --certs certs -k closed -s "$(url tls)" echo
	says 7 "no passphrase and --no-input" 'needs a passphrase, and' \
	    '--pass file:PATH' \
	    "$rpcsh" --no-input --certs certs -k closed -s a:1 echo
	says 7 "a wrong passphrase" 'certs/closed.key: wrong passphrase' '' \
	    "$rpcsh" --pass file:wrong --certs certs -k closed -s a:1 echo
	says 8 "no file of the passphrase" '^rpcsh: nofile: ' '' \
	    "$rpcsh" --pass file:nofile --certs certs -k closed -s a:1 echo
	want 0 "the right one" "$rpcsh" --pass file:pw --certs certs \
	    -k closed -s "$(url tls)" echo --raw hello
	PW=secret
	export PW
	want 0 "from the environment" "$rpcsh" --pass env:PW --certs certs \
	    -k closed -s "$(url tls)" echo --raw hello
	"$rpcsh" --pass fd:3 --certs certs -k closed -s "$(url tls)" \
	    echo --raw hello 3<pw >out 2>err
	result $? "from a descriptor"
}

reach() {
	says 4 "a port where nobody is" 'cannot connect: Connection refused' \
	    'is the server running' "$rpcsh" -s tcp://127.0.0.1:1 echo
	says 4 "a socket that is not there" 'unix:///nowhere' \
	    'is the server running' "$rpcsh" -s unix:///nowhere echo
	says 4 "a name that is none" 'cannot look up "no.such.invalid"' '-s' \
	    "$rpcsh" -s tcp://no.such.invalid:1 echo
	says 4 "plain bytes to a TLS port" 'closed by the peer\|cannot receive' \
	    'is it a TLS server' "$rpcsh" -s "tcp://$tls" echo
	says 6 "TLS to a plain port" 'handshake' 'is it a TLS server' \
	    "$rpcsh" --certs certs -k alice -s "tls://$tcp" echo
	other http
	says 6 "TLS to a web server" 'HTTP on a TLS port' 'TLS server' \
	    "$rpcsh" --certs certs -k alice -s "$(cat http.port)" echo
	says 1 "plain bytes to a web server" 'protocol error' 'rpc25519 server' \
	    "$rpcsh" --tcp -s "$(cat http.port)" echo
	other silent
	silent=$(cat silent.port)
	# Nobody has seen our key there, who could decide about it.
	says 5 "a server silent in the handshake" 'within 300 ms' \
	    'is it hung, .*right? --connect-timeout gives a busy server longer$' \
	    "$rpcsh" --certs certs -k alice --connect-timeout 300ms \
	    -s "$silent" echo
	says 5 "the same without a key" 'within 300 ms' \
	    'is it hung, .*right? --connect-timeout gives a busy server longer$' \
	    "$rpcsh" --certs certs --server-only --connect-timeout 300ms \
	    -s "$silent" echo
	says 5 "a server that does not close" 'not closed its end within 300' \
	    'ping --connect-only' "$rpcsh" --tcp --connect-timeout 300ms \
	    -s "$silent" ping --connect-only
	says 5 "nor take a message" ': echo: the server has not closed its end within 300 ms$' \
	    'ping --connect-only' "$rpcsh" --tcp --timeout 300ms -s "$silent" \
	    --one-way echo
	says 5 "a server silent in a call" ': echo: no answer for 300 ms$' \
	    'ping --connect-only' "$rpcsh" --tcp --timeout 300ms -s "$silent" \
	    echo
	says 5 "a method that takes too long" ': sleeps: no answer for 300 ms' \
	    "rpcd ctl trust approve $(fingerprint alice)$" alice \
	    --timeout 300ms sleeps
}

no_trust() {
	says 6 "a server of another CA" 'not signed by our CA' \
	    'other/ca.crt the CA' "$rpcsh" --certs other -k mallory \
	    -s "$(url tls)" echo
	cp certs/ca.crt other/ca.crt.ours
	says 6 "no certificate shown" 'wants a certificate' 'without --server-only' \
	    alice --server-only echo
	: >servers
	chmod 600 servers
	want 0 "a new server's key" alice --known servers echo --raw hello
	has err 'new server key SHA256:.* recorded in servers$' "is recorded"
	want 0 "a known one" alice --known servers echo --raw hello
	[ ! -s err ]
	result $? "needs no word"
	chmod 400 servers
	want 0 "a known one of a locked list" alice --known servers echo
	"$selfy" -quiet -k node2 -nopass -e n@x >out 2>err
	first=$daemon
	check "another server" start 1 --certs certs -k node2 --trust off \
	    --echo --listen tls:127.0.0.1:0
	says 6 "another key" "$(fingerprint node2) is not in servers" \
	    'chmod u+w servers' alice --known servers echo
	stop >/dev/null
	daemon=$first
	: >empty
	chmod 400 empty
	says 1 "a locked list without a key" 'empty: locked' 'chmod u+w' \
	    alice --known empty echo
	chmod 666 empty
	says 1 "a list that others can write" 'chmod go-w empty' '' \
	    alice --known empty echo
}

# A daemon that knows alice, and nobody else any more.
locked() {
	: >known_client_keys
	chmod 600 known_client_keys
	check "a daemon with a list" start 1 --certs certs --echo \
	    --known known_client_keys --listen tls:127.0.0.1:0
	want 0 "alice is recorded" alice echo
	chmod 400 known_client_keys
	want 0 "and known" alice echo
	for words in 'echo --raw hello' ls 'desc echo' ping \
	    'ping --connect-only' '--one-way echo'; do
		# shellcheck disable=SC2086 # words are meant to split
		want 6 "mallory is locked out: $words" mallory $words
		has err '^rpcsh: tls://127.*: the server .*: it may not know this key\(, or want a pre-shared key\)*$' \
		    "is told so"
		has err "^try: ask its operator about this key: rpcd ctl trust approve $(fingerprint mallory), or a line in known_client_keys$" \
		    "and what to ask for"
		# That it is connected, ping says first.
		[ ! -s out ] || [ "$words" = ping ]
		result $? "and nothing else"
	done
	want 0 "alice may connect" alice ping --connect-only
	want 0 "and send" alice --one-way echo
	want 6 "with --json" mallory --json echo
	has err '"code":"unknownkey","exit":6' "has the code"
	stop >/dev/null
}

# Its operator has taken a key back, or its CA a certificate: nothing is wrong
# with the certificate at hand.
taken_back() {
	: >lines
	chmod 600 lines
	check "a daemon with a store" start 1 --certs certs --echo \
	    --known lines --admin "$tmp/admin" --listen tls:127.0.0.1:0
	want 0 "mallory is recorded" mallory echo
	want 0 "and revoked" "$rpcd" ctl --socket "$tmp/admin" trust revoke \
	    "$(fingerprint mallory)"
	says 6 "a key that was revoked" 'alert certificate revoked' \
	    "has revoked this key, $(fingerprint mallory): ask the server's operator" \
	    mallory echo
	want 0 "the server's is revoked" "$selfy" -quiet -revoke certs/node.crt
	says 6 "a server whose certificate was revoked" '"node": revoked' \
	    "the CA has taken its certificate back: ask the server's operator" \
	    alice echo
	rm certs/ca.crl
	stop >/dev/null
}

# Nobody decides about a key that waits; the client, which has all the time
# that it has by default, is told what may be the matter.
undecided() {
	install -m 600 /dev/null waits
	printf 'trust-wait = 3s\n' >waits.conf
	check "a daemon that asks" start 1 -f waits.conf --certs certs --echo \
	    --known waits --trust ask --listen tls:127.0.0.1:0
	for words in 'echo --raw hello' ls; do
		# shellcheck disable=SC2086 # words are meant to split
		want 4 "nobody decides: $words" mallory $words
		has err '^rpcsh: tls://127.*the connection was lost: closed by' \
		    "says what happened"
		has err "^try: is .* running still.* may not know this key, and nobody decided about it: rpcd ctl trust approve $(fingerprint mallory)\$" \
		    "and what to ask for"
	done
	stop >/dev/null
	undecided_at ssh+tcp
	case $("$rpcd" --version) in
	*' quic '*) undecided_at quic ;;
	esac
}

undecided_at() { # KIND
	command -v ssh-keygen >/dev/null || return 0
	[ -f ssh.key ] || ssh-keygen -q -t ed25519 -N '' -f ssh.key </dev/null
	check "a daemon that asks at $1" start 1 -f waits.conf --certs certs \
	    --echo --known waits --trust ask --ssh-key ssh.key \
	    --listen "$1:127.0.0.1:0"
	want 4 "nobody decides over $1" timeout 60 "$rpcsh" -s "$(url "$1")" \
	    --certs certs -k mallory --ssh-key certs/mallory.key \
	    --trust accept-new echo --raw hello
	has err "^try: is .* running still.* nobody decided about it: rpcd ctl trust approve $(fingerprint mallory)\$" \
	    "and the advice is the same"
	stop >/dev/null
}

# What a daemon that was killed has left.
kill_sleepers() {
	for pid in $(pgrep -f -x "/bin/sleep $nap"); do
		kill "$pid"
	done
	! pgrep -f -x "/bin/sleep $nap"
}

# A daemon that is killed within a call has not refused anybody.
killed() {
	check "a daemon" start 1 -f rpcd.conf --certs certs --trust off \
	    --listen tls:127.0.0.1:0
	alice sleeps </dev/null >out 2>err &
	caller=$!
	until_ok pgrep -f -x "/bin/sleep $nap"
	kill -KILL "$daemon"
	wait "$caller"
	[ $? -eq 4 ]
	result $? "a server that is killed within a call has gone"
	! grep -q 'may not know' err
	result $? "is not called a refusal"
	until_ok kill_sleepers
	wait "$daemon" 2>/dev/null
}

places() {
	for words in 'echo a=1' ls 'desc echo' ping 'ctx show'; do
		# shellcheck disable=SC2086 # words are meant to split
		plain $words </dev/null >/dev/full 2>err
		[ $? -eq 1 ] && grep -q 'cannot write the answer' err
		result $? "a full disk is told: $words"
		# shellcheck disable=SC2086
		plain $words <&- >out 2>err
		result $? "closed standard input: $words"
		# shellcheck disable=SC2086
		plain $words </dev/null >&- 2>err
		[ $? -eq 1 ] && grep -q 'cannot write the answer' err
		result $? "closed standard output is told: $words"
		# shellcheck disable=SC2086
		plain $words </dev/null >out 2>&-
		result $? "closed standard error: $words"
		# shellcheck disable=SC2086
		env -i "$rpcsh" -s "$(url tcp)" $words </dev/null >out 2>err
		result $? "empty environment: $words"
		# shellcheck disable=SC2086
		LC_ALL=C TERM=dumb setsid -w "$rpcsh" -s "$(url tcp)" \
		    --color=auto $words </dev/null >out 2>err
		result $? "no terminal: $words"
		! grep -q "$(printf '\033')" out err
		result $? "and no color: $words"
	done
	mkdir ro
	chmod 500 ro
	HOME=$tmp/ro plain ls >out 2>err </dev/null
	result $? "a home that cannot be written"
	plain echo --raw "$(head -c 100000 /dev/zero | tr '\000' x)" 2>err |
		head -c 10 >out
	[ ! -s err ]
	result $? "a reader that goes away is no error"
	want 0 "color when asked for" plain --color=always echo a:=1
	grep -q "$(printf '\033')" out
	result $? "is there"
	want 0 "NO_COLOR" env NO_COLOR=1 "$rpcsh" -s "$(url tcp)" echo a:=1
	! grep -q "$(printf '\033')" out
	result $? "is not"
	want 8 "no such method" plain ehco
	has err '^rpcsh: ehco: the server has no such method (did you mean "echo"?); asked '"$(url tcp)"',.* which lists [1-9][0-9]* methods$' \
	    "guesses, and says who was asked"
	want 8 "no such verb" plain pign
	has err 'did you mean "ping"' "guesses too"
	says 8 "nothing alike" 'no such method; asked .*' 'rpcsh ls' plain zzzzzz
}

main() {
	nap=54321.$$
	cat >rpcd.conf <<-END
		[method sleeps]
		exec = /bin/sleep $nap
	END
	certificates
	usage
	"$selfy" -quiet -k mallory -nopass -o other -p other-private \
	    -e mallory@example.org >out 2>err
	result $? "another CA"
	check "rpcd starts" start 2 -f rpcd.conf --certs certs --trust off \
	    --echo --listen tls:127.0.0.1:0 --listen tcp:127.0.0.1:0
	tls=$(sed -n 's/^listening tls //p' ready)
	tcp=$(sed -n 's/^listening tcp //p' ready)
	cp ready ready.main
	keys
	reach
	places
	no_trust
	cp ready.main ready
	stop >/dev/null
	result $? "rpcd stops with 0"
	locked
	taken_back
	undecided
	killed
	in_json
	plan
}

main
