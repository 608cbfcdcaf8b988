#!/bin/sh
# A client whose key waits and is rejected then, which it is told.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

waits_for_it() {
	ctl trust ls >list && grep -q "$(fingerprint mallory | cut -c8-19)" list
}

rejected_at() { # KIND
	"$rpcsh" -s "$(url "$1")" --certs certs -k mallory \
		--ssh-key certs/mallory.key --trust accept-new \
		echo --raw hello </dev/null >"$1.out" 2>"$1.err" &
	client=$!
	daemons="$daemons $client"
	check "a key waits at $1" until_ok waits_for_it
	sleep 2 # what comes at once a client takes for a refusal anyway
	check "and is rejected" ctl trust reject "$(fingerprint mallory)"
	wait "$client"
	status=$?
	cp "$1.err" err
	[ "$status" -eq 6 ]
	result $? "which its client is told by its exit status ($status)"
	! grep -q 'nobody decided' err
	result $? 'and not that nobody decided'
	check 'it is forgotten' ctl trust forget "$(fingerprint mallory)"
}

# stranger FILE OPTION...: what the server says to an end that is only TLS.
stranger() {
	bytes=$1
	shift
	timeout 60 openssl s_client -quiet -connect "$(url tls | sed 's|.*//||')" \
		-cert certs/mallory.crt -key certs/mallory.key "$@" \
		</dev/null >"$bytes" 2>/dev/null &
	client=$!
	daemons="$daemons $client"
	check 'another TLS waits' until_ok waits_for_it
	check 'and is rejected' ctl trust reject "$(fingerprint mallory)"
	wait "$client"
	check 'it is forgotten' ctl trust forget "$(fingerprint mallory)"
}

strangers() {
	stranger kin -alpn rpckit/1
	[ -s kin ]
	result $? 'who is rpckit is told in a message'
	stranger others
	[ ! -s others ]
	result $? 'and nobody else'
}

main() {
	ssh-keygen -q -t ed25519 -N '' -f ssh.key </dev/null
	certificates
	install -m 600 /dev/null known
	cat >rpcd.conf <<-END
		listen = tls:127.0.0.1:0
		listen = ssh+tcp:127.0.0.1:0
		admin = $tmp/admin
		trust-wait = 60s
	END
	n_listen=2
	case $("$rpcd" --version) in
	*' quic '*)
		sed -i '1i listen = quic:127.0.0.1:0' rpcd.conf
		n_listen=3
		;;
	esac
	check 'a daemon that asks' start "$n_listen" -f rpcd.conf \
		--certs certs --echo --known known --trust ask --ssh-key ssh.key
	rejected_at tls
	has err 'the peer does not trust this key' 'in so many words'
	rejected_at ssh+tcp
	[ "$n_listen" -eq 2 ] || rejected_at quic
	strangers
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
