#!/bin/sh
# Peers that break the rules of file services: what is not whole and right gets
# no name, at either end.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

peer() {
	timeout 100 python3 "$SRC_DIR/tests/lib/filepeer.py" "$@"
}

said() { # CASE WORDS
	grep -q "^$1: .*$2" said
	result $? "put, $1: $2"
}

clients() {
	peer put "$(url tcp | sed 's/.*://')" docs.put >said 2>err
	result $? 'clients that are wrong'
	said good fine
	said 'good in parts' fine
	said early 'does not say where it belongs'
	said 'early and long' 'does not say where it belongs'
	said 'no file' 'no file is named'
	said nul 'control character'
	said 'size of words' 'its size is no number'
	said 'size too long' 'its size is no number'
	said 'size negative' 'its size is no number'
	said 'size with a tail' 'its size is no number'
	said 'no offset' 'does not say where it belongs'
	said 'wrong offset' 'does not say where it belongs'
	said 'offset of words' 'does not say where it belongs'
	said 'no sum' 'the checksum is not that'
	said 'wrong sum' 'the checksum is not that'
	said 'short sum' 'the checksum is not that'
	said longer 'longer than was said'
	said shorter 'shorter than was said'
	said again 'there is such a file already'
	said 'left is longer' 'does not say where it belongs'
	[ "$(cat shared/raw-good shared/raw-good-in-parts)" = \
		01234567890123456789 ]
	result $? 'what was right is there'
	[ "$(find shared -type f | wc -l)" = 2 ]
	result $? 'and nothing else'
}

# served CASE STATUS PATTERN: what rpcsh says of it; nothing gets a name.
served() {
	rm -f port got .got.rpcsh-part
	peer get port "$1" &
	server=$!
	daemons="$daemons $server"
	until_ok test -s port
	want "$2" "get, $1" "$rpcsh" -s "tcp://127.0.0.1:$(cat port)" \
		--timeout 20s get x.get f --out got
	has err "$3" 'says so'
	wait $server
	[ "$2" = 0 ] || [ ! -e got ]
	result $? 'and gives no name to what is not right'
}

servers() {
	served good 0 'wrote got (10 bytes)'
	served sum 10 'the checksum is not that of what came'
	[ ! -e .got.rpcsh-part ]
	result $? 'what is damaged is not kept'
	served nosum 1 'without its checksum'
	served offset 1 'goes on where nobody asked it to'
	served endless 10 'more comes than the 15 bytes that were announced'
	[ ! -e .got.rpcsh-part ]
	result $? 'what has no end is not kept'
	served less 1 '10 bytes came, not 11'
	served short 1 '10 bytes came, not 11'
	served blake3 10 "a part's checksum"
	served half 4 'closed by the peer'
	served error 3 'a.x0ab'
}

mkdir shared
cat >raw.conf <<-END
	listen = tcp:127.0.0.1:0
	[files docs]
	root = $tmp/shared
	put = yes
	min-free = 0
END
start 1 -f raw.conf
result $? 'the daemon starts'
clients
servers
stop
result $? 'the daemon ends well'
plan
