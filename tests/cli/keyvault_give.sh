#!/bin/sh
# Secrets that keyvault's agent gives out: pre-shared keys for rpcd and rpcsh,
# passphrases for everybody.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2086,SC2119,SC2154,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
unset KEYVAULT_DB KEYVAULT_SOCK SSH_AUTH_SOCK RPCKIT_PSK_FILE
keyvault=$BUILD_DIR/bin/keyvault
agents=
trap 'kill -KILL $agents 2>/dev/null; cleanup' EXIT

# A vault of little work for its passphrase, and an agent of it.
vault() {
	mkdir -m 700 v
	cp "$SRC_DIR/tests/golden/vault/v1.db" v/vault.db
	printf 'correct horse\n' >pass
	printf 'of the file\n' >fpass
	chmod 600 v/vault.db pass fpass
	KEYVAULT_DB=$tmp/v/vault.db
	export KEYVAULT_DB
	"$keyvault" agent --socket "$tmp/run/a.sock" >vars || return 1
	# shellcheck source=/dev/null
	. ./vars
	agents="$agents $KEYVAULT_AGENT_PID"
}

kv="$keyvault --pass file:pass"

psks() {
	want 7 'a pre-shared key that is not open' \
		"$rpcsh" -s tcp://127.0.0.1:1 --psk keyvault:lab.psk who
	has err 'lab.psk: is not open in the agent (at .*/run/a.sock)' 'says so'
	want 0 'what is named none is left closed' $kv unlock
	want 7 'by unlock' \
		"$rpcd" --listen tcp:127.0.0.1:0 --psk keyvault:lab.psk
	want 0 'opened by its name' $kv unlock lab.psk
	cat >psk.conf <<-END
		listen = tcp:127.0.0.1:0
		admin = none
		trust = off
		psk = keyvault:lab.psk
		[method who]
		exec = /usr/bin/printenv RPCKIT_PEER_PSK
	END
	check 'rpcd has it' start 1 -f psk.conf --certs certs
	want 0 'rpcsh has it' by --psk keyvault:lab.psk who
	has out '^lab\|nlab' 'by the name that a file would have'
	$kv export lab.psk --plain-key -o lab.raw
	want 0 'a file with the same' by --psk lab.raw who
	want 0 'a context with it' by ctx add shop "server=$(url tcp)" \
		certs=certs key=alice psk=keyvault:lab.psk
	want 0 'which calls' timeout 60 "$rpcsh" -c shop who
	want 0 'the log' "$keyvault" --plain log
	has out 'export	lab.psk: agent: given out as a pre-shared key, for .*/rpcd' \
		'has who got it'
	want 0 'for another program' $kv unlock lab.psk --only-for /bin/other
	want 6 'it is given to no other' by --psk keyvault:lab.psk who
	has err 'lab.psk: is not open for this program' 'says so'
	want 0 'for this one' $kv unlock lab.psk \
		--only-for "$(readlink -f "$rpcsh")"
	want 0 'it is given to that' by --psk keyvault:lab.psk who
	want 6 'and to that only' \
		"$rpcd" --listen tcp:127.0.0.1:0 --psk keyvault:lab.psk
	want 0 'for a purpose' $kv unlock lab.psk --only-for tls
	want 6 'which is none of its own' by --psk keyvault:lab.psk who
	want 0 'to be asked' $kv unlock lab.psk --confirm
	want 6 'rpcd does not wait for a yes' \
		"$rpcd" --listen tcp:127.0.0.1:0 --psk keyvault:lab.psk
	by --psk keyvault:lab.psk who >bg.out 2>bg.err &
	until_ok grep -q 'waiting for your yes' bg.err
	until_ok "$keyvault" allow "$(sed -n \
		's/.*keyvault allow \([0-9]*\).*/\1/p' bg.err)"
	wait $!
	result $? 'rpcsh does, until it comes'
	want 8 'no such key' $kv unlock none
	want 0 'a word' $kv unlock word
	want 6 'is no pre-shared key' by --psk keyvault:word who
	has err 'word: is not for this use' 'says so'
}

by() {
	timeout 60 "$rpcsh" -s "$(url tcp)" --certs certs -k alice "$@"
}

passphrases() {
	# Little work for its passphrase.
	"$selfy" -quiet -k bob -nopass &&
		openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 2000 \
			-in certs/bob.key -passout file:fpass -out bob.p8 &&
		chmod 600 bob.p8 && mv bob.p8 certs/bob.key
	result $? 'a key file with a passphrase'
	printf 'of the file' | $kv import bob.key - --type secret
	want 7 'which is not open' by -k bob --pass agent --psk lab.raw who
	has err 'bob.key: is not open in the agent' 'says so'
	want 0 'opened' $kv unlock bob.key
	want 0 'rpcsh has it from the agent' \
		by -k bob --pass agent --psk lab.raw who
	want 0 'by default' by -k bob --psk lab.raw who
	want 0 'selfy too' "$selfy" -csr bob -pass agent
	want 0 'keyvault' $kv import b1 certs/bob.key --file-pass agent
	want 0 'by its name' $kv import b2 certs/bob.key \
		--file-pass agent:bob.key
	want 7 'by one that is not open' $kv import b3 certs/bob.key \
		--file-pass agent:other
	want 2 'by none' $kv import b3 certs/bob.key --file-pass agent:
	want 0 'a wrong one' $kv rm bob.key
	printf 'wrong' | $kv import bob.key - --type secret
	want 0 'opened' $kv unlock bob.key
	want 7 'is wrong' $kv import b3 certs/bob.key --file-pass agent
	want 7 'also where nobody named it' \
		$kv --no-input import b3 certs/bob.key
	want 0 'an Ed25519 key' $kv unlock deploy-ca
	want 6 'is given to nobody' $kv import b3 certs/bob.key \
		--file-pass agent:deploy-ca
	has err 'deploy-ca: is not for this use' 'says so'
	want 0 'one to be asked about' $kv unlock bob.key --confirm
	want 6 'is not, with --no-input' \
		$kv --no-input import b3 certs/bob.key --file-pass agent
	want 0 'a vault of its own' $kv --vault w/other.db init --kdf-time 1ms
	printf 'correct horse' | $kv import other.db - --type secret
	want 0 'whose passphrase is in the first' $kv unlock other.db
	want 0 'is opened by it' "$keyvault" --no-input \
		--vault w/other.db new inside
	want 0 'closed' "$keyvault" lock
	want 7 'and no more' "$keyvault" --no-input --vault w/other.db new more
	kill "$KEYVAULT_AGENT_PID"
	until_ok ended "$KEYVAULT_AGENT_PID"
	want 4 'no agent' by -k bob --pass agent --psk lab.raw who
	has err 'no agent at .*/run/a.sock' 'says so'
	want 4 'no agent' by --psk keyvault:lab.psk who
}

certificates
vault
result $? 'an agent'
psks
passphrases
check 'rpcd ends well' stop
plan
