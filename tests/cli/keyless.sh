#!/bin/sh
# Keys that stay in keyvault's agent, as users meet them: rpcd, rpcsh and selfy
# prove and sign without one.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2016,SC2119,SC2154,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
unset KEYVAULT_DB KEYVAULT_SOCK SSH_AUTH_SOCK RPCKIT_PSK_FILE
keyvault=$BUILD_DIR/bin/keyvault
sock=$tmp/run/a.sock
agents=
trap 'kill -KILL $agents 2>/dev/null; cleanup' EXIT

case $("$rpcd" --version) in
*' quic '*) kinds='tls quic tcp' ;;
*) kinds='tls tcp' ;;
esac

# A vault of little work for its passphrase, and an agent of it.
vault() {
	mkdir -m 700 v
	cp "$SRC_DIR/tests/golden/vault/v1.db" v/vault.db
	chmod 600 v/vault.db
	KEYVAULT_DB=$tmp/v/vault.db
	export KEYVAULT_DB
	printf 'correct horse\n' >pass
	chmod 600 pass
	agent
	result $? "an agent"
}

agent() {
	"$keyvault" agent --socket "$sock" >vars || return 1
	# shellcheck source=/dev/null
	. ./vars
	agents="$agents $KEYVAULT_AGENT_PID"
}

agent_end() {
	kill "$KEYVAULT_AGENT_PID"
	until_ok ended_or_zombie "$KEYVAULT_AGENT_PID"
}

ca() {
	want 0 'a CA key in the vault' "$keyvault" --pass file:pass new ca
	want 0 'opened' "$keyvault" --pass file:pass unlock
	want 6 'is for no certificates by itself' "$selfy" -ca -ca-key keyvault:ca
	has err 'ca: is not for this use' 'says so'
	has err "at $sock" 'and who'
	want 0 'a key born in the vault' "$keyvault" --pass file:pass new born
	want 0 'the tag of the CA' "$keyvault" --pass file:pass tag ca use:ca
	want 0 'opened with that, the other too' "$keyvault" --pass file:pass unlock
	want 0 'selfy -ca -ca-key' "$selfy" -ca -ca-key keyvault:ca
	[ ! -e my-keep-private-dir/ca.key ]
	result $? 'no key in a file'
	for name in node alice; do
		want 0 "selfy -k $name -ca-key" "$selfy" -k "$name" -nopass \
			-e "$name@example.org" -ca-key keyvault:ca
		want 0 'openssl verifies it' openssl verify \
			-CAfile certs/ca.crt "certs/$name.crt"
	done
	want 0 'selfy -k born -key' "$selfy" -k born -key keyvault:born \
		-ca-key keyvault:ca
	want 0 'selfy -csr with it' "$selfy" -csr born -key keyvault:born
	openssl req -in certs/born.csr -verify -noout >out 2>&1
	has out 'verify OK' 'openssl verifies the request'
	[ ! -e certs/born.key ]
	result $? 'no file has that key'
	want 0 'a third' "$selfy" -k bob -nopass -ca-key keyvault:ca
	want 0 'and a fourth' "$selfy" -k carol -nopass -ca-key keyvault:ca
	want 0 'one of which is revoked' "$selfy" -revoke certs/bob.crt \
		-ca-key keyvault:ca
	openssl crl -in my-keep-private-dir/ca.crl -CAfile certs/ca.crt \
		-noout >out 2>err
	has err 'verify OK' 'openssl verifies the list'
	want 6 'not by another key' "$selfy" -k eve -nopass \
		-ca-key keyvault:deploy-ca
	want 2 'nor by a file' "$selfy" -k eve -nopass -ca-key ca.key
	want 7 'nor by one that is not there' "$selfy" -k eve -nopass \
		-ca-key keyvault:nobody
	has err '^try: keyvault unlock' 'says what to do'
}

# A list of many, made with the CA's key while that was in a file.
long_list() {
	want 0 'a CA with a file' "$selfy" -ca -nopass -p big
	awk 'BEGIN { for (i = 1; i <= 2000; i++)
		printf "R\t360101000000Z\t260101000000Z\t%08X\tunknown\t/CN=x\n",
			i }' >index.txt
	echo 01 >number
	cat >ca.cnf <<-END
		[ca]
		default_ca = d
		[d]
		database = index.txt
		crlnumber = number
		default_crl_days = 30
		default_md = default
		crl_extensions = x
		[x]
		authorityKeyIdentifier = keyid
	END
	openssl ca -config ca.cnf -gencrl -keyfile big/ca.key \
		-cert big/ca.crt -out big/ca.crl >out 2>&1
	result $? 'a list of 2000'
	want 0 'its key goes into the vault' "$keyvault" --pass file:pass \
		import big big/ca.key
	rm big/ca.key
	want 0 'is a CA there' "$keyvault" --pass file:pass tag big use:ca
	want 0 'is open' "$keyvault" --pass file:pass unlock big
	want 0 'selfy -crl of so many' "$selfy" -crl -p big -ca-key keyvault:big
	openssl crl -in big/ca.crl -CAfile big/ca.crt -noout >out 2>err
	has err 'verify OK' 'openssl verifies it'
	openssl crl -in big/ca.crl -noout -text >out
	has out 'Serial Number: 0*7D0$' 'all of it'
	"$keyvault" log >out
	has out 'big: agent: a revocation list of 2000 by' 'the log has it'
	rm -rf big
}

keys() {
	want 0 'keys go into the vault' "$keyvault" --pass file:pass \
		import-dir certs
	has out '^certs/node.key .*imported' 'node'
	has out '^certs/alice.key .*imported' 'and alice'
	rm certs/node.key certs/alice.key
	want 0 'opened' "$keyvault" --pass file:pass unlock
	want 6 'which is no CA' "$selfy" -k eve -nopass -ca-key keyvault:node
	want 0 'a pre-shared key' "$selfy" -gensym lab.psk
	mv my-keep-private-dir/lab.psk . 2>/dev/null
	for kind in tls quic; do
		case $kinds in
		*$kind*) echo "listen = $kind:127.0.0.1:0" ;;
		esac
	done >rpcd.conf
	cat >>rpcd.conf <<-END
		key = keyvault:node
		agent-wait = 10s
		trust = off
		[method who]
		exec = /usr/bin/printenv RPCKIT_PEER_EMAIL
		reply = raw
	END
	sed "/^listen/d; s/^trust/listen = tcp:127.0.0.1:0\npsk = lab.psk\n&/" \
		rpcd.conf >psk.conf
}

# by KIND WORDS...: rpcsh as alice.
by() {
	kind=$1
	shift
	timeout 60 "$rpcsh" -s "$(url "$kind")" --certs certs \
		-k keyvault:alice "$@"
}

proven() {
	for kind in tls quic; do
		case $kinds in
		*$kind*) ;;
		*) continue ;;
		esac
		want 0 "a call over $kind" by "$kind" call who
		has out alice@example.org 'both have proven who they are'
	done
	want 0 'keyvault log' "$keyvault" log
	has out 'node: agent: a handshake with a pre-shared key, as server' \
		'has the pre-shared key'
	has out 'node: agent: a TLS handshake, as server' 'has the one'
	has out 'alice: agent: a TLS handshake, as client' 'and the other'
}

# The same of sessions, whose key of the server is in the agent.
over_sessions() {
	start 1 --listen ssh+tcp:127.0.0.1:0 --echo --admin none --psk lab.psk \
		--ssh-key keyvault:node --trust off || {
		not_ok 'rpcd of sessions'
		return
	}
	want 0 'node is locked' "$keyvault" lock node
	want 6 'a session with a server that cannot sign' timeout 60 "$rpcsh" \
		-s "$(url ssh+tcp)" --ssh-key keyvault:alice --psk lab.psk \
		--trust accept-new call echo a:=1
	has err 'lab (id .*: it has none, or another, or cannot go on$' \
		'says the same'
	has log "node: is not open in the agent (at $sock)" 'the log knows'
	stop
	want 0 'node is a key of SSH' "$keyvault" --pass file:pass tag node use:ssh
	want 0 'it is open again' "$keyvault" --pass file:pass unlock
	"$keyvault" pub alice >peers
	start 1 --listen ssh+tcp:127.0.0.1:0 --echo --admin none --psk lab.psk \
		--ssh-key keyvault:node --ssh-peers peers || not_ok 'rpcd with it'
	want 0 'a session with it' timeout 60 "$rpcsh" \
		-s "$(url ssh+tcp)" --ssh-key keyvault:alice --psk lab.psk \
		--trust accept-new --known sessions.known call echo a:=1
	stop
	want 0 'node is for handshakes' "$keyvault" --pass file:pass tag node
	want 0 'and is open for them' "$keyvault" --pass file:pass unlock
}

over_psk() {
	start 1 -f psk.conf || {
		not_ok 'rpcd with a pre-shared key'
		return
	}
	want 0 'a call over tcp' by tcp --psk lab.psk call who
	has out alice@example.org 'proven there, too'
	want 0 'node is locked' "$keyvault" lock node
	want 6 'a server that cannot sign' by tcp --psk lab.psk call who
	has err 'lab (id .*: it has none, or another, or cannot go on$' \
		'calls no key that is right a wrong one'
	has err '^try: selfy -psk-id .*; the log of the server says why' \
		'and says where the truth is'
	has log "node: is not open in the agent (at $sock)" 'which it is'
	want 0 'it is open again' "$keyvault" --pass file:pass unlock
	stop
	over_sessions
}

asked() {
	"$keyvault" --plain allow | grep -q .
}

confirmed() {
	want 0 'alice is asked for' "$keyvault" --pass file:pass unlock --confirm alice
	by tls call who >bg.out 2>bg.err &
	caller=$!
	until_ok asked
	"$keyvault" --plain allow >out
	has out 'alice	a TLS handshake, as client	.*rpcsh, pid' \
		'somebody is asked'
	want 0 'says yes' "$keyvault" allow "$(cut -f1 out)"
	wait $caller
	result $? 'it is done'
	grep -q 'alice: waiting for your yes (or: keyvault allow' bg.err
	result $? 'who waited was told'
}

hup() { # PATTERN TEXT: reload, and the log says it once more
	before=$(grep -c -e "$1" log)
	kill -HUP "$daemon"
	until_ok said_again "$1" "$before"
	result $? "$2"
}

said_again() {
	[ "$(grep -c -e "$1" log)" -gt "$2" ]
}

# The server stays, and says why; the agent's end is no end of it.
gone() {
	agent_end
	want 4 'rpcsh without an agent' by tls call who
	has err "^rpcsh: keyvault:alice: no agent at $sock$" 'says which key'
	has err '^try: eval "$(keyvault agent)"; keyvault unlock$' 'and what to do'
	hup 'old settings stay' 'a reload without an agent is none'
	has log "no agent at $sock" 'for this reason'
	agent
	result $? "an agent"
	want 0 'alice in it' "$keyvault" --pass file:pass unlock alice
	want 6 'node is not' by tls call who
	has err '^try: the server itself failed, and its log says why' 'is told'
	has log "node: is not open in the agent (at $sock)" 'the log says so'
	want 0 'once it is' "$keyvault" --pass file:pass unlock
	want 0 'all is well again' by tls call who
}

# Another key in the agent, without a new start, and none that is asked for or
# is not for handshakes.
reloads() {
	want 0 'node is for files' "$keyvault" --pass file:pass tag node use:file
	no='node: is not for handshakes, which take the tag use:tls'
	hup 'old settings stay' 'a reload with such a key is none'
	has log "$no" 'and says why'
	want 1 'nor would rpcd start' "$rpcd" -t -f rpcd.conf
	has err "^rpcd: rpcd.conf:[0-9]*: $no" 'which says it with the line'
	want 6 'and does not' timeout 10 "$rpcd" -f rpcd.conf
	has err "^rpcd: rpcd.conf:[0-9]*: $no" 'for the same reason'
	want 6 'and rpcsh' timeout 60 "$rpcsh" -s "$(url tls)" --certs certs \
		-k keyvault:node call who
	has err "$no" 'is told the same'
	want 0 'node is for them again' "$keyvault" --pass file:pass tag node
	want 0 'but open for files alone' "$keyvault" --pass file:pass unlock \
		--only-for file node
	want 1 'which rpcd can see' "$rpcd" -t -f rpcd.conf
	has err "^rpcd: rpcd.conf:[0-9]*: $no" 'and says'
	want 0 'it is open for another program' "$keyvault" --pass file:pass \
		unlock --only-for "$keyvault" node
	want 1 'nor is it then' "$rpcd" -t -f rpcd.conf
	has err "^rpcd: rpcd.conf:[0-9]*: $no" 'for rpcd'
	want 0 'but for rpcd' "$keyvault" --pass file:pass unlock \
		--only-for "$rpcd" --only-for tls node
	want 0 'it is' "$rpcd" -t -f rpcd.conf
	want 0 'node is open for all' "$keyvault" --pass file:pass unlock node
	want 0 'a key that has gone' "$keyvault" --pass file:pass rename node n2
	want 1 'is open in vain' "$rpcd" -t -f rpcd.conf
	has err '^rpcd: rpcd.conf:[0-9]*: node: no such key in ' 'which is said'
	want 0 'it is back' "$keyvault" --pass file:pass rename n2 node
	want 0 'node is asked for' "$keyvault" --pass file:pass unlock \
		--confirm node
	hup 'old settings stay' 'a reload with such a key is none'
	has log 'node: somebody is asked before each use' 'for this reason'
	want 6 'nor is a handshake with it' by tls call who
	has log 'wants to ask somebody first' 'for this one'
	"$keyvault" --plain allow >out
	result "$(grep -c . out)" 'and nobody is asked'
	sed -i 's/^key = .*/key = keyvault:born/' rpcd.conf
	hup 'reloaded' 'a reload with another key'
	want 0 'is in force' by tls call who
	want 0 'keyvault log' "$keyvault" log
	has out 'born: agent: a TLS handshake, as server' 'says so, too'
}

# A client whose agent hangs: that takes two seconds, and is looked at later.
begin_stuck() {
	"$keyvault" agent --socket "$tmp/run/b.sock" >stuck.vars
	result $? 'another agent'
	pid=$(sed -n "s/^KEYVAULT_AGENT_PID='\([0-9]*\)'.*/\1/p" stuck.vars)
	agents="$agents $pid"
	kill -STOP "$pid"
	KEYVAULT_SOCK=$tmp/run/b.sock by tls call who >stuck.out 2>stuck.err &
	stuck=$!
}

# Who has his key in a file meets a server whose agent hangs.
hangs() {
	sed -i 's/^agent-wait = .*/agent-wait = 100ms/' rpcd.conf
	hup 'reloaded' 'a reload with less patience'
	kill -STOP "$KEYVAULT_AGENT_PID"
	want 6 'a server whose agent hangs' timeout 60 "$rpcsh" \
		-s "$(url tls)" --certs certs -k carol call who
	has log "agent: gives no answer (at $sock)" 'its log says so'
	wait $stuck
	[ $? -eq 5 ]
	result $? 'a client whose agent hangs'
	has stuck.err "agent: gives no answer (at $tmp/run/b.sock)" 'is told of'
	kill -CONT "$KEYVAULT_AGENT_PID"
}

vault
long_list
ca
keys
over_psk
start 1 -f rpcd.conf
result $? 'rpcd with a key in the agent'
begin_stuck
proven
confirmed
gone
reloads
hangs
stop
result $? 'and its end'
plan
