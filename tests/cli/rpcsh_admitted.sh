#!/bin/sh
# rpcsh as a shell whose key the server takes out: it is connected again when
# the server has answered, and not when its own end of the handshake is over.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

never_back() {
	! on_screen 'connected again'
	result $? "$1"
}

refused() {
	line 'echo a:=1' '"a": 1' 'a key that is known'
	keys C-l
	ctl trust revoke "$(fingerprint alice)"
	shows 'connection lost: ' 'is revoked, which ends its connection'
	shows 'not connected: .*refused our certificate' 'and the next one, too'
	never_back 'which nobody calls connected'
	line 'echo b:=2' 'refused our certificate' 'nor what a line is to use'
	never_back 'which is not connected, either'
}

admitted() {
	keys C-l
	ctl trust forget "$(fingerprint alice)"
	"$rpcsh" -s "$(url tls)" --certs certs -k alice \
		--timeout 1s echo c:=1 >out 2>err
	ctl trust approve "$(fingerprint alice)"
	line 'echo d:=4' 'connected again' 'let in once more, it is'
	shows '"d": 4' 'and has its answer'
}

main() {
	cat >rpcd.conf <<-END
		listen = tls:127.0.0.1:0
		admin = $tmp/admin
		trust-wait = 2s
	END
	certificates
	install -m 600 /dev/null known
	check 'a daemon that asks' start 1 -f rpcd.conf --certs certs \
		--echo --known known --trust ask
	"$rpcsh" -s "$(url tls)" --certs certs -k alice \
		--timeout 1s echo c:=1 >out 2>err
	check 'a key is approved' ctl trust approve "$(fingerprint alice)"
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -s $(url tls) --certs certs \
	    -k alice; echo LEFT-\$?; cat"
	shows '^127.*> *$' 'a shell with that key'
	refused
	admitted
	keys C-d
	shows '^LEFT-0' 'it leaves'
	term kill-server
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
