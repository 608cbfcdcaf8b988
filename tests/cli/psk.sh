#!/bin/sh
# Pre-shared keys as users meet them: rpcd, rpcsh and selfy, over everything.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
unset RPCKIT_PSK_FILE

case $("$rpcd" --version) in
*' quic '*) kinds='tls quic tcp unix' ;;
*) kinds='tls tcp unix' ;;
esac

# by KIND WORDS...: rpcsh as alice.
by() {
	kind=$1
	shift
	timeout 60 "$rpcsh" -s "$(url "$kind")" --certs certs -k alice "$@"
}

# The id that selfy tells of a key.
id_of() {
	"$selfy" -psk-id "$1" 2>/dev/null
}

keys() {
	for name in lab.psk ops.psk odd.psk; do
		"$selfy" -gensym "$name" >>out 2>>err || break
	done
	mv my-keep-private-dir/*.psk . 2>/dev/null ||
		find . -name '*.psk' -exec mv {} . \; 2>/dev/null
	[ "$(stat -c %a.%s lab.psk)" = 600.32 ] && [ -f ops.psk ] &&
		[ -f odd.psk ]
	result $? 'keys made by selfy'
}

conf() {
	{
		for kind in $kinds; do
			case $kind in
			unix) echo "listen = unix:$tmp/sock" ;;
			*) echo "listen = $kind:127.0.0.1:0" ;;
			esac
		done
		cat <<-END
			admin = $tmp/admin.sock
			trust = off
			psk = lab.psk
			psk = ops.psk
			[method who]
			exec = /usr/bin/printenv RPCKIT_PEER_EMAIL RPCKIT_PEER_PSK
			[method hold]
			exec = /bin/sh $tmp/hold.sh
			timeout = 2m
			[method only.ops]
			exec = /bin/echo secret
			psk = ops
			[files docs]
			root = $tmp
			get = yes
			psk = ops
		END
	} >psk.conf
	cat >hold.sh <<-END
		echo here >$tmp/held
		until [ -f $tmp/go ]; do sleep 0.05; done
	END
	# shellcheck disable=SC2086
	set -- $kinds
	listeners=$#
}

calls() {
	for kind in $kinds; do
		want 0 "a call over $kind" by "$kind" --psk lab.psk who
		has out 'alice@example.org' 'as somebody who has proven it'
		has out '^lab\|nlab' 'with the key that was used'
		want 0 "another key over $kind" by "$kind" --psk ops.psk who
		has out '^ops\|nops' 'is another one'
		want 6 "a key that rpcd has not, over $kind" \
			by "$kind" --psk odd.psk who
		has err 'pre-shared key odd (id .*): .*it has none, or another' \
			'is told in one line'
		has err '^try: selfy -psk-id' 'with what helps'
		[ "$(wc -l <err)" = 2 ]
		result $? 'and nothing else'
		has log "pre-shared key (id $(id_of odd.psk)) is not known here" \
			'and by rpcd as well'
		case $kind in
		tls | quic) status=6 ;;
		*) status=4 ;;
		esac
		want $status "no key at all, over $kind" by "$kind" who
		has err 'pre-shared key' 'may be what is missing'
	done
	has log 'uses no pre-shared key, and one is required' 'said by rpcd'
}

shown() {
	RPCKIT_PSK_FILE=lab.psk
	export RPCKIT_PSK_FILE
	want 0 'the environment names the key' by tls --verbose ping -n 1
	has err "psk lab  id $(id_of lab.psk)" 'rpcsh --verbose shows it'
	want 0 'ping' by tls ping -n 1
	has out '  psk lab [0-9.]* ms$' 'tells of it, too'
	want 0 'timing' by tcp -t who
	has err 'psk lab  peer SHA256:' 'shows it'
	has err 'tls [0-9.]*  trust [0-9.]*  psk [0-9.]*  send' 'and how long it took'
	want 0 'a context' by tls ctx add shop "server=$(url tls)" \
		certs=certs key=alice psk=ops.psk
	unset RPCKIT_PSK_FILE
	want 0 'names it' timeout 60 "$rpcsh" -c shop who
	has out '^ops\|nops' 'for good'
	want 0 'rpcd ctl status' "$rpcd" ctl --socket admin.sock status
	has out "psk lab id $(id_of lab.psk), ops id $(id_of ops.psk)" 'lists them'
	by tls --psk lab.psk hold >held.out 2>&1 &
	held=$!
	until_ok test -s held
	want 0 'rpcd ctl conns' "$rpcd" ctl --socket admin.sock --json conns
	has out '"psk":"lab"' 'tells of each'
	has out "\"psk_id\":\"$(id_of lab.psk)\"" 'which it is'
	: >go
	wait "$held"
	result $? 'the connection that was shown'
}

required() {
	want 0 'a method for one key' by tls --psk ops.psk only.ops
	has out secret 'is there for who has it'
	want 3 'for others' by tls --psk lab.psk only.ops
	has err 'not allowed for this caller' 'is not'
	has log 'refused "only.ops"' 'which rpcd says, too'
	want 0 'a folder for one key' \
		by "$quic_or_tls" --psk ops.psk get docs.get psk.conf --out got
	check 'is there for who has it' cmp -s got psk.conf
	want 3 'for others' \
		by "$quic_or_tls" --psk lab.psk get docs.get psk.conf --out got2
}

# What a peer gets that proves nothing: not one byte.
silence() {
	port=$(url tcp | sed 's/.*://')
	for bytes in '' 00 'rkpsk' 'GET / HTTP/1.0' \
		'rkpsk01aaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccccccccccccc'; do
		python3 - "$port" "$bytes" >out 2>err <<-'END'
			import socket, sys
			s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
			s.settimeout(50)
			b = sys.argv[2].encode()
			if b.startswith(b'rkpsk01'):
			    b = b'rkpsk\0\0\1' + b[7:]
			s.sendall(b)
			s.shutdown(socket.SHUT_WR)
			print(len(s.recv(1000)))
		END
		[ "$(cat out)" = 0 ]
		result $? "nothing is said to \"$bytes\""
	done
}

bad_files() {
	head -c 31 lab.psk >short.psk
	cat lab.psk ops.psk >long.psk
	head -c 32 /dev/zero >zero.psk
	: >empty.psk
	cp lab.psk open.psk
	chmod 600 short.psk long.psk zero.psk empty.psk
	chmod 644 open.psk
	mkdir dir.psk
	for name in short long empty; do
		want 1 "a $name file" by tls --psk $name.psk who
		has err "$name.psk: no pre-shared key, which is 32 bytes" \
			'is refused by rpcsh'
		want 1 "and" "$rpcd" --listen tls:127.0.0.1:0 --psk $name.psk
		has err "$name.psk: no pre-shared key, which is 32 bytes" \
			'by rpcd'
	done
	want 1 'zeros' by tls --psk zero.psk who
	has err 'all of its bytes are zero' 'are no key'
	want 1 'a file that others can read' by tls --psk open.psk who
	has err 'open.psk.*chmod' 'is refused'
	want 1 'and' "$rpcd" --listen tls:127.0.0.1:0 --psk open.psk
	has err 'open.psk.*chmod' 'by rpcd'
	want 1 'a folder' by tls --psk dir.psk who
	want 8 'a file that is not there' by tls --psk none.psk who
	has err 'none.psk' 'is named'
	want 8 'nor' "$rpcd" --listen tls:127.0.0.1:0 --psk none.psk
	want 9 'the same key twice' "$rpcd" --listen tls:127.0.0.1:0 \
		--psk lab.psk --psk lab.psk
	sed 's/^psk = ops$/psk = opps/' psk.conf >typo.conf
	want 1 'a name of no key' "$rpcd" -t -f typo.conf
	has err '\[method only.ops\]: there is no pre-shared key opps' \
		'is told of by rpcd -t'
	want 0 'settings as they are' "$rpcd" -T -f psk.conf
	has out '^psk = lab.psk' 'have the keys'
}

# A key's successor comes, and then the key goes; who is there stays.
rotation() {
	sed '/^psk = ops.psk$/d; /^psk = ops$/d; s/^psk = lab.psk/psk = odd.psk/' \
		psk.conf >next.conf
	cp next.conf psk.conf
	kill -HUP "$daemon"
	logged 'reloaded' 'rpcd takes other keys when told to'
	want 0 'the new one' by tls --psk odd.psk who
	want 6 'the old one' by tls --psk lab.psk who
	chmod 644 odd.psk
	kill -HUP "$daemon"
	logged 'odd.psk.*chmod' 'a bad file is told of'
	logged 'not reloaded' 'and changes nothing'
	chmod 600 odd.psk
	want 0 'the key in force' by tls --psk odd.psk who
}

# The words that rpcd --echo advises, as a shell would run them.
trial() {
	start 1 --echo --listen "unix:$tmp/trial.sock" --psk lab.psk \
		--admin none
	result $? 'rpcd --echo with a key, and temporary certificates'
	words=$(sed -n 's/^rpcd: temporary keys.* try: rpcsh //p' log)
	# shellcheck disable=SC2086
	want 0 'the advice' timeout 60 "$rpcsh" $words
	has out 'hello' 'works'
	stop
	result $? 'and it ends'
}

keys
trial
certificates
conf
case $kinds in
*quic*) quic_or_tls=quic ;;
*) quic_or_tls=tls ;;
esac
start "$listeners" -f psk.conf
result $? 'rpcd with keys'
calls
shown
required
silence
bad_files
rotation
stop
result $? 'an orderly end'
plan
