#!/bin/sh
# rpcsh whose keys are in keyvault's agent, and the agent ends: connections that
# are made anew say which key it is about, and where it was.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2016,SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
unset KEYVAULT_DB KEYVAULT_SOCK SSH_AUTH_SOCK RPCKIT_PSK_FILE
keyvault=$BUILD_DIR/bin/keyvault
sock=$tmp/run/a.sock
agent=
trap 'kill -KILL $agent 2>/dev/null; cleanup' EXIT

# A vault of little work for its passphrase, with alice's keys.
vault() {
	certificates
	mkdir -m 700 v
	cp "$SRC_DIR/tests/golden/vault/v1.db" v/vault.db
	chmod 600 v/vault.db
	KEYVAULT_DB=$tmp/v/vault.db
	export KEYVAULT_DB
	printf 'correct horse\n' >pass
	chmod 600 pass
	"$selfy" -gensym shared.psk >/dev/null 2>err
	mv my-keep-private-dir/shared.psk .
	ssh-keygen -q -t ed25519 -N '' -f host
	want 0 'a key of alice' "$keyvault" --pass file:pass import alice \
		certs/alice.key
	want 0 'and a shared one' "$keyvault" --pass file:pass import shared \
		shared.psk
	rm certs/alice.key
	"$keyvault" pub alice >peers
	result $? 'whom the server lets in'
}

agent() {
	"$keyvault" agent --socket "$sock" >vars
	result $? 'an agent'
	# shellcheck source=/dev/null
	. ./vars
	agent=$KEYVAULT_AGENT_PID
	want 0 'with both' "$keyvault" --pass file:pass unlock alice shared
}

# On a port that is ours, as good as: the server comes back there.
conf() { # KIND
	cat >agent.conf <<-END
		listen = $1:127.0.0.1:${2:-0}
		trust = off
	END
	case $1 in
	ssh*) printf 'ssh-key = host\nssh-peers = peers\n' ;;
	tcp) printf 'psk = shared.psk\n' ;;
	esac >>agent.conf
}

has_answered() {
	grep -q '^{"a":1}$' out
}

# over KIND KEYS WORDS...: KEYS as the line names them.
over() {
	kind=$1
	keys=$2
	shift 2
	conf "$kind"
	check "a server of $kind" start 1 --echo -f agent.conf
	agent
	where=$(url "$kind")
	printf 'echo a:=1\necho --raw -\n' >lines # which waits for its input
	timeout 60 "$rpcsh" -s "$where" --certs certs --trust accept-new "$@" \
		-f lines <input >out 2>err &
	shell=$!
	exec 5>input
	check 'a call' until_ok has_answered
	kill "$agent"
	check 'the agent ends' until_ok ended_or_zombie "$agent"
	stop
	conf "$kind" "${where##*:}"
	check 'the server comes back' start_again 1 --echo -f agent.conf 5>&-
	exec 5>&-
	wait "$shell"
	[ $? = 4 ]
	result $? 'a connection anew is none'
	has err "^rpcsh: lines:2: $where: $keys: no agent at $sock$" \
		'for this reason'
	has err '^try: eval "$(keyvault agent)"; keyvault unlock$' \
		'and says what to do'
	want 4 'nor is the first of a command' "$rpcsh" -s "$where" \
		--certs certs --trust accept-new "$@" call echo
	has err "^rpcsh: $keys: no agent at $sock$" 'and says why'
	has err '^try: eval "$(keyvault agent)"; keyvault unlock$' 'and what'
	stop
	result $? 'the server stops'
}

# Keys that are not open: what helps is to open them, whatever they are for.
shut() {
	agent
	want 0 'both are closed' "$keyvault" lock
	check 'a server' start 1 --listen ssh+tcp:127.0.0.1:0 --echo \
		--ssh-key host --admin none
	for words in '--psk keyvault:shared --ssh-key host' \
		'--ssh-key keyvault:alice'; do
		name=$(echo "$words" | sed 's/.*keyvault:\([a-z]*\).*/\1/')
		# shellcheck disable=SC2086
		want 7 "$words that is not open" "$rpcsh" \
			-s "$(url ssh+tcp)" --trust accept-new $words call echo
		has err "^rpcsh: .*$name: is not open in the agent" 'is named'
		has err '^try: keyvault unlock' 'and what helps'
	done
	kill "$agent"
	stop
	result $? 'the server stops'
}

vault
shut
mkfifo input
over tls keyvault:alice -k keyvault:alice
case $("$rpcsh" --version) in
*' quic '*) over quic keyvault:alice -k keyvault:alice ;;
esac
over ssh+tcp keyvault:alice --ssh-key keyvault:alice
over tcp 'keyvault:alice and keyvault:shared' -k keyvault:alice \
	--psk keyvault:shared
plan
