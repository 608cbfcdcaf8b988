#!/bin/sh
# What the shell says of whom it believes, and of servers that say little, and
# what it remembers, on a terminal of 80 by 24, as it should be
# (tests/golden/rpcsh_*).
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# With RPCKIT_GOLDEN_WRITE the screens are written anew.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"
# shellcheck source=tests/lib/shell.sh
. "$SRC_DIR/tests/lib/shell.sh"

ready='^[a-z]* [a-z ]*> *$'

# A server of tmux that ends is in the way of a new one of the same name.
opened() { # CONTEXT TERMINAL
	terminal=$2
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c $1; echo LEFT-\$?; cat"
}

# A key that is always the same, so that its QR is: 32 bytes behind what PKCS#8
# says before them.
same_key() {
	{
		printf '\060\056\002\001\000\060\005\006\003\053\145\160\004\042\004\040'
		printf '0123456789abcdef0123456789abcdef'
	} | openssl pkey -inform DER -out certs/node.key &&
		chmod 600 certs/node.key &&
		"$selfy" -csr node -e node@example.org -nopass &&
		"$selfy" -sign certs/node.csr
}

made() {
	"$selfy" -ca -nopass >out 2>err &&
		"$selfy" -k alice -e alice@example.org -nopass >>out 2>>err &&
		same_key >>out 2>>err && "$selfy" -gensym lab.psk >>out 2>>err
	result $? 'certificates, of which one has a key that does not change'
	find . -name lab.psk -exec mv {} lab.psk \; 2>/dev/null
}

contexts() {
	check 'a server' start_own typedserver tls://127.0.0.1:0 odd certs
	"$rpcsh" ctx add lab "server=$(url tls)" certs=certs key=alice \
		trust=ask --quiet
	printf 'listen = tcp:127.0.0.1:0\npsk = lab.psk\ntrust = off\n' >psk.conf
	check 'one with a pre-shared key' start 1 -f psk.conf --certs certs \
		--echo
	"$rpcsh" ctx add sealed "server=$(url tcp)" certs=certs key=alice \
		psk=lab.psk trust=accept-new --quiet
	: >ready
	python3 "$SRC_DIR/tests/lib/barepeer.py" >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	check 'one that says nothing of itself' until_ok grep -q . ready
	"$rpcsh" ctx add bare "server=$(url tcp)" --quiet
	check 'and one that pushes' start_own typedserver
	where=$(url tcp)
	"$rpcsh" ctx add own "server=$where" --quiet
}

believed() {
	opened lab one
	until_ok last_has '^Trust it'
	keys -l q
	keys Enter
	golden qr '^Trust it' 'the key of a new server, for a camera'
	keys -l yes
	keys Enter
	until_ok last_has "$ready"
	fresh
	enter 'trust lock' 'tell a:=1' 'trust unlock' ':set trust strict' \
		'tell b:=1' ':set trust -' ':use sealed' 'echo c:=1'
	golden states "$ready" 'the prompt has what is done about keys'
}

without_a_list() {
	fresh
	enter ':use bare' ls 'desc tell' 'tell a:=1' tel 'watch --every 0 -n 2 tel'
	golden nolist "$ready" 'a server that lists and describes nothing'
}

left() {
	fresh
	keys C-d
	shows '^LEFT-0' 'Ctrl-D leaves'
	term kill-server
}

remembered() {
	opened own two
	until_ok last_has "$ready"
	enter 'tell first:=1' 'tell second:=2' 'tell password=geheim'
	left
	opened own three
	until_ok last_has "$ready"
	keys Up
	until_ok last_has '> tell second:=2 *$'
	keys Up
	until_ok last_has '> tell first:=1 *$'
	keys Enter
	until_ok last_has "$ready"
	enter ':history' ':history /geheim/'
	golden recall "$ready" 'lines of a shell before it, without a secret'
}

# The last column has room for half of a sign, or for none.
at_the_edge() {
	thirty=漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字
	fresh
	enter ':watch jobs.done'
	keys -l "tell name=${thirty}前後"
	until_ok on_screen '前後'
	tell 7
	golden half '^own' 'a sign that has no room is in the next row'
	keys Home x
	golden shifted '^own .*xtell' 'and moves as what is before it does'
	keys C-c
	until_ok last_has "$ready"
	fresh
	enter "tell -o table -d '[{\"a\":\"$thirty$thirty\",\"b\":1}]'" \
		"tell -o table -d '[{\"ab\":1,\"a\":\"x$thirty$thirty\"}]'" \
		"tell -o table -d '[[\"$thirty\",\"$thirty\"]]'"
	golden cut "$ready" 'nor is half of one in a table'
	keys C-l
}

main() {
	made
	contexts
	believed
	without_a_list
	left
	remembered
	at_the_edge
	left
	stop >/dev/null
	plan
}

main
