#!/bin/sh
# QUIC as users meet it: rpcd and rpcsh, everywhere TLS is.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# rpcsh over QUIC, as somebody: by KEY, or by other words.
by() {
	key=$1
	shift
	timeout 120 "$rpcsh" -s "$(url quic)" --certs certs -k "$key" "$@"
}

quic_alice() {
	by alice "$@"
}

# The command that the log advises, as a shell would run it.
advised() {
	words=$(sed -n 's/^rpcd: temporary keys.* try: rpcsh //p' log)
	# shellcheck disable=SC2086
	timeout 120 "$rpcsh" $words
}

conf() {
	cat >hold.sh <<-END
		echo \$\$ >$tmp/held
		sleep \$1
		echo held
	END
	cat >quic.conf <<-END
		listen = quic:127.0.0.1:0
		${1-}
		[method who.am.i]
		exec = /usr/bin/printenv RPCKIT_PEER_EMAIL RPCKIT_PEER_FP RPCKIT_PEER_TRANSPORT
		reply = raw
		[method words]
		exec = /bin/cat
		reply = raw
		max-output = 1200000
		[method hold]
		exec = /bin/sh $tmp/hold.sh ${2:-1}
		reply = raw
		timeout = 2m
	END
}

a_build_without() {
	want 0 'rpcd --version' "$rpcd" --version
	has out 'this build has no QUIC' 'says that there is none'
	want 0 'rpcsh --version' "$rpcsh" --version
	has out 'this build has no QUIC' 'too'
	want 1 'rpcd --listen quic:' "$rpcd" --listen quic:127.0.0.1:0
	has err 'quic://127.0.0.1:0: this build has no QUIC: .*ngtcp2' \
		'says why not'
	[ "$(wc -l <err)" = 1 ]
	result $? 'in one line'
	want 1 'rpcd -t' "$rpcd" -t --listen quic:127.0.0.1:0
	has err 'this build has no QUIC' 'knows it before'
	want 1 'rpcd -q' "$rpcd" -q
	want 1 'rpcsh -q' "$rpcsh" -q -s 127.0.0.1:1 --certs certs -k alice \
		ping
	has err '^rpcsh: quic://127.0.0.1:1: this build has no QUIC: ' \
		'says why not'
	check 'TLS and TCP' start 2 --listen tls:127.0.0.1:0 \
		--listen tcp:127.0.0.1:0
	want 0 'are there' alice call echo --raw x
	want 0 'both' plain call echo --raw x
	stop
}

calls() {
	: >known_client_keys
	: >known_server_keys
	chmod 600 known_client_keys known_server_keys
	conf
	check 'a daemon' start 1 -f quic.conf
	has ready '^listening quic 127\.0\.0\.1:[0-9][0-9]*$' \
		'says where it listens'
	want 0 'echo' quic_alice call echo --raw 'hello there' -t
	has out '^hello there$' 'answers what it was sent'
	has err '^time  dns .*  quic [0-9.]*  trust ' '-t names the phases'
	has err ' quic tls1.3 chacha20-poly1305  peer SHA256:' \
		'and what protects them'
	has err 'new server key SHA256:.* recorded' 'the key is recorded'
	has known_client_keys ':alice@example.org$' 'on the other end, too'
	want 0 'a command as a method' quic_alice call who.am.i
	printf 'alice@example.org\n%s\nquic\n' "$(fingerprint alice)" >due
	cmp -s out due
	result $? 'knows its caller'
	want 0 'ls' quic_alice ls
	has out who.am.i 'lists methods'
	want 0 'ping' quic_alice ping -n 2
	has out '^connected quic://127.*  quic [0-9.]* ms$' 'connects by QUIC'
	want 0 'connecting alone' quic_alice ping --connect-only
	has out '^connected quic://.* quic [0-9.]* ms' 'says what it was'
	want 0 'as JSON' quic_alice ping --json
	has out '"remote":"quic://127' 'the same'
	want 8 'no such method' quic_alice call nosuch --raw x
	head -c 1200000 /dev/urandom >big
	want 0 'as much as a message holds' quic_alice call words \
		--raw @big --out big.back
	cmp -s big big.back
	result $? 'comes back as it went'
	where=$(url quic)
	where=${where#quic://}
	want 0 '-q' "$rpcsh" -q -s "$where" --certs certs -k alice \
		call echo --raw x
	want 0 '--congestion bbr' "$rpcsh" --quic -s "$where" --certs certs \
		-k alice --congestion bbr call echo --raw x
	want 0 'a context' "$rpcsh" ctx add q "server=quic://$where" \
		certs=certs key=alice congestion=bbr
	want 0 'leads there' "$rpcsh" -c q call echo --raw x
	want 2 'a context with a bad word' "$rpcsh" ctx add r congestion=reno
	want 2 '--quic with a URL of TLS' "$rpcsh" --quic -s "tls://$where" \
		ping
	has err -- '--quic does not go with tls://' 'is said'
	want 2 '--quic and --tcp' "$rpcsh" --quic --tcp -s "$where" ping
	stop
	result $? 'the daemon ends with 0'
}

trust() {
	"$selfy" -ca -p other -o other/certs -nopass >out 2>err &&
		"$selfy" -p other -o other/certs -k eve -nopass >>out 2>>err
	result $? 'another CA'
	chmod a-w known_client_keys
	conf
	check 'a locked list' start 1 -f quic.conf
	want 0 'a known key' quic_alice call echo --raw x
	want 6 'a stranger' by mallory call echo --raw x
	[ ! -s out ]
	result $? 'gets nothing'
	has err 'quic://.*it may not know this key' 'is told'
	has err "^try: .*rpcd ctl trust approve $(fingerprint mallory)" \
		'and what to do'
	logged "locked.*$(fingerprint mallory)\\|$(fingerprint mallory).*locked" \
		'the log names the key'
	want 6 'a key of another CA' timeout 60 "$rpcsh" -s "$(url quic)" \
		--certs other/certs -k eve call echo --raw x
	has err '^rpcsh: quic://.*CA' 'is told'
	want 6 'no certificate' quic_alice --server-only call echo --raw x
	has err 'wants a certificate' 'is told'
	logged 'quic://.*showed no certificate' 'and logged'
	stop
	chmod 600 known_client_keys
	conf 'tls-mode = server-only'
	check 'server-only' start 1 -f quic.conf
	has log 'warning: quic://.*clients are not authenticated' 'warns'
	want 0 'a client without a certificate' \
		quic_alice --server-only call who.am.i
	[ "$(tr '\n' , <out)" = ,,quic, ]
	result $? 'is nobody'
	stop
	conf 'tls-mode = skip-verify'
	check 'skip-verify' start 1 -f quic.conf
	want 0 'a client that does not care' timeout 60 "$rpcsh" \
		-s "$(url quic)" --skip-verify call echo --raw x
	stop
	chmod 400 known_server_keys
	want 0 'a new key for the server' "$selfy" -k node -force -nopass
	conf
	check 'a server with another key' start 1 -f quic.conf
	want 6 'is not known' quic_alice call echo --raw x
	has err 'known_server_keys, which is locked' 'and that is said'
	stop
	rm -f known_client_keys known_server_keys
}

# Does anybody have IPv6 here?
ipv6() {
	python3 -c 'import socket
socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).bind(("::1", 0))' \
		2>/dev/null
}

# One number for both, taken from a daemon that has just gone.
same_number() {
	for _ in 1 2 3 4 5; do
		start 1 --listen tls:127.0.0.1:0 || return 1
		port=$(sed -n 's/.*://p' ready)
		stop
		! start 2 --listen "tls:127.0.0.1:$port" \
			--listen "quic:127.0.0.1:$port" || return 0
	done
	return 1
}

places() {
	check 'TLS and QUIC at one number' same_number
	want 0 'TLS' alice call echo --raw x
	want 0 'QUIC' quic_alice call echo --raw x
	port=$(url quic)
	want 1 'a port in use' "$rpcd" --listen "$port"
	has err '^rpcd: --listen: quic:.*[Aa]ddress already in use' 'is named'
	want 1 '-t' "$rpcd" -t --listen "$port"
	has err '^rpcd: --listen: quic:.*[Aa]ddress already in use' 'sees it'
	stop
	own=$(own_address)
	check 'TCP only' start 2 --listen "tls:$own:0" \
		--listen tcp:127.0.0.1:0
	where=$(url tls)
	want 4 'QUIC where only TLS is' "$rpcsh" -q -s "${where#tls://}" \
		--certs certs -k alice ping
	has err '^rpcsh: quic://.*: cannot connect: Connection refused$' \
		'is refused at once'
	has err '^try: .*does it speak QUIC there' 'and why that may be'
	stop
	check 'every interface' start 1 --listen 'quic:*:0'
	port=$(sed -n 's/.*://p' ready)
	want 4 'TLS where only QUIC is' "$rpcsh" -s "$own:$port" \
		--certs certs -k alice ping
	has err '^rpcsh: tls://.*: cannot connect: Connection refused$' \
		'is refused at once'
	want 4 'so is plain TCP' "$rpcsh" --tcp -s "$own:$port" ping
	want 0 'IPv4' "$rpcsh" -q -s "127.0.0.1:$port" --certs certs \
		-k alice call echo --raw x
	if ipv6; then
		want 0 'IPv6' "$rpcsh" -q -s "[::1]:$port" --certs certs \
			-k alice call echo --raw x
		want 0 'a name with both' "$rpcsh" -q -s "localhost:$port" \
			--certs certs -k alice call echo --raw x
		stop
		check 'IPv6 alone' start 1 --listen 'quic:[::1]:0'
		want 0 'serves' quic_alice call echo --raw x
		# "localhost" is both; nobody is at the other one.
		port=$(sed -n 's/.*://p' ready)
		want 0 'a name with both' "$rpcsh" -q -s "localhost:$port" \
			--certs certs -k alice call echo --raw x
	fi
	stop
	want 0 '-t: free, and with keys' "$rpcd" -t --listen quic:127.0.0.1:0
	want 1 '-t: without keys' "$rpcd" -t --listen quic:127.0.0.1:0 \
		--certs nowhere
	want 2 'no port' "$rpcd" --listen quic:127.0.0.1
	want 2 '-q and -tcp' "$rpcd" -q -tcp
	check "the original's words" start 1 -s 127.0.0.1:0 -q
	has ready '^listening quic ' 'mean QUIC'
	stop
	check '--echo -q' start 1 --echo -q
	has ready '^listening quic 127.0.0.1:' 'is QUIC on loopback'
	stop
	mkdir fresh && cd fresh || return
	check '--echo -q without certificates' start 1 --echo -q
	want 0 'what it advises works' advised
	stop
	cd ..
	mv fresh/* . && rmdir fresh
}

options() {
	conf 'retry = always
congestion = bbr'
	check 'retry = always, congestion = bbr' start 1 -f quic.conf
	want 0 'a call' quic_alice call echo --raw x
	stop
	want 0 '-T' "$rpcd" -T -f quic.conf
	has out '^retry = always$' 'shows the one'
	has out '^congestion = bbr$' 'and the other'
	conf 'retry = 7'
	want 0 'a number' "$rpcd" -T -f quic.conf
	has out '^retry = 7$' 'is kept'
	conf 'retry = never'
	check 'never' start 1 -f quic.conf
	want 0 'a call' quic_alice call echo --raw x
	stop
	conf 'retry = sometimes'
	want 1 'anything else' "$rpcd" -t -f quic.conf
	has err 'quic.conf:2: retry: "sometimes" is not always, never or a' \
		'is not taken'
	conf 'retry = 0'
	want 1 'none at all' "$rpcd" -t -f quic.conf
	conf 'congestion = reno'
	want 1 'another algorithm' "$rpcd" -t -f quic.conf
	has err 'quic.conf:2: congestion: "reno" is not one of cubic|bbr' \
		'is named'
}

all_done() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		grep -q "^number $i\$" "done$i" || return 1
	done
}

threads() {
	conf 'threads = 3'
	check 'four loops' start 1 -f quic.conf
	clients=
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		quic_alice call echo --raw "number $i" >"done$i" 2>err \
			</dev/null &
		clients="$clients $!"
	done
	for pid in $clients; do
		wait "$pid"
	done
	check 'serve a dozen clients at once' all_done
	stop
	result $? 'and end'
}

passed_in() {
	passing
	passed udp "$rpcd"
	until_ok ready 1
	has ready "^listening quic 127.0.0.1:$(cat passed.port)\$" \
		'a UDP socket passed in is QUIC'
	want 0 'and serves' quic_alice call echo --raw x
	stop
	result $? 'and ends'
	passed tls,udp "$rpcd" --threads 2
	until_ok ready 2
	[ "$(cut -d' ' -f2 ready | tr '\n' ' ')" = 'tls quic ' ]
	result $? 'beside TLS'
	for i in 1 2 3 4 5 6; do
		want 0 "client $i" quic_alice call echo --raw x
	done
	stop
	result $? 'served by three loops, it ends'
	passed udp "$rpcd" --listen quic:127.0.0.1:PORT \
		--listen quic:127.0.0.1:0
	until_ok ready 2
	[ "$(sort -u ready | wc -l)" = 2 ]
	result $? 'a configured address among them is used once'
	stop
	want 0 '-t' python3 pass.py udp "$rpcd" -t --listen \
		quic:127.0.0.1:PORT
	want 8 'without keys' python3 pass.py udp "$rpcd" --certs nowhere
}

reloading() {
	conf
	check 'a daemon to reload' start 1 -f quic.conf
	want 0 'a call' quic_alice call echo --raw x
	want 0 'another key' "$selfy" -k node -force -nopass
	kill -HUP "$daemon"
	logged reloaded 'is taken'
	rm -f known_server_keys
	: >known_server_keys
	chmod 600 known_server_keys
	want 0 'a call' quic_alice call echo --raw x
	key=$("$selfy" -v certs/node.crt | sed -n 's/^ *key id *//p')
	has known_server_keys "${key:?}" 'sees it'
	want 0 'a client is revoked' "$selfy" -revoke certs/mallory.crt
	want 6 'and shut out' by mallory call echo --raw x
	has err 'revoked' 'with the reason'
	stop
	rm -f known_server_keys
}

refused() {
	! quic_alice --connect-timeout 1s call echo --raw x </dev/null
}

drain() {
	rm -f held
	conf 'drain = 30s' 2
	check 'a daemon to drain' start 1 -f quic.conf
	quic_alice call hold </dev/null >held.out 2>err &
	call=$!
	check 'a call runs' until_ok test -s held
	kill -TERM "$daemon"
	check 'no new connection while it drains' until_ok refused
	wait "$call"
	result $? 'the running call ends well'
	has held.out '^held$' 'with its answer'
	until_ok ended_or_zombie "$daemon"
	wait "$daemon"
	result $? 'then the daemon ends with 0'
}

# A client that keeps calling: its pid in $client.
keep_calling() {
	rm -f calls
	quic_alice --timeout 20s ping -n 400 -i 100ms </dev/null >calls \
		2>calls.err &
	client=$!
	until_ok grep -q '^reply 2' calls
}

# The daemon is killed and there again, with the same file.
killed_and_again() {
	check 'a client that keeps calling' keep_calling
	where=$(url quic)
	kill -KILL "$daemon"
	wait "$daemon"
	sed -i "s|^listen.*|listen = $where|" quic.conf
	check 'the daemon again, at its port' start_again 1 -f quic.conf
	wait "$client"
	[ $? = 4 ]
	result $? 'the client learns of it'
	has calls.err '^rpcsh: quic://.*does not know this connection any more$' \
		'in one line'
}

sudden_end() {
	rm -f held seed
	conf "seed = $tmp/seed" 77
	check 'a daemon to kill' start 1 -f quic.conf
	quic_alice --timeout 2s call hold </dev/null >held.out 2>err &
	call=$!
	check 'a call runs' until_ok test -s held
	kill -KILL "$daemon"
	wait "$call"
	[ $? = 5 ]
	result $? 'its time ends'
	has err '^rpcsh: quic://.*: hold: no answer for 2 s$' 'and that is said'
	wait "$daemon"
	kill -s KILL -- "-$(cat held)" # the command that it left

	check 'another' start 1 -f quic.conf
	killed_and_again
	want 0 'and may come again' quic_alice call echo --raw x
	check 'a client that keeps calling' keep_calling
	stop
	result $? 'a daemon that ends in order'
	wait "$client"
	[ $? = 4 ]
	result $? 'tells its client'
	has calls.err '^rpcsh: quic://.*closed by the peer' 'in so many words'
	[ "$(stat -c %a.%s seed)" = 600.32 ]
	result $? 'the seed was made, for us alone'
	chmod 644 seed
	want 1 'a seed that others can read' "$rpcd" -f quic.conf
	has err 'seed' 'is refused'
}

# Its own key, and where it is, are as good as a seed then.
sudden_end_without_a_seed() {
	conf '' 77
	check 'a daemon without a seed' start 1 -f quic.conf
	killed_and_again
	want 0 'and may come again' quic_alice call echo --raw x
	stop
	result $? 'and that is all'
}

# What each listener answers about a connection that it does not know: whoever
# has that can end one of the same number elsewhere, if it is the same there.
resets() {
	sed -n 's/^listening quic //p' ready >places
	timeout 60 python3 - 3<places >"$1" <<-'END'
		import os, socket
		for line in os.fdopen(3):
		    host, port = line.strip().rsplit(':', 1)
		    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    s.settimeout(1)
		    s.connect((host, int(port)))
		    for _ in range(30):
		        s.send(b'\x40' + b'\x07' * 8 + os.urandom(150))
		        try:
		            print(s.recv(2000)[-16:].hex())
		            break
		        except TimeoutError:
		            pass
	END
	[ "$(wc -l <"$1")" = 2 ]
}

# Two listeners of one key and one seed, and both of them again.
apart() { # TEXT [LINE]
	rm -f seed
	conf "listen = quic:127.0.0.1:0
${2-}"
	check "two listeners $1" start 2 -f quic.conf
	check 'tell strangers that they do not know them' resets first
	[ "$(sort -u first | wc -l)" = 2 ]
	result $? 'each by another secret'
	kill -KILL "$daemon"
	wait "$daemon"
	sed '/^listen/d' quic.conf >rest
	sed 's/^listening quic /listen = quic:/' ready | cat - rest >quic.conf
	check 'killed, and again' start_again 2 -f quic.conf
	check 'they tell the same ones' resets second
	cmp -s first second
	result $? 'by the secrets from before'
	stop
}

certificates
case $("$rpcd" --version) in
*' quic '*) ;;
*)
	a_build_without
	plan
	;;
esac
calls
trust
places
options
threads
passed_in
reloading
drain
sudden_end
if [ -r /proc/sys/kernel/random/boot_id ]; then
	sudden_end_without_a_seed
	apart 'without a seed'
	apart 'with one' "seed = $tmp/seed"
fi
plan
