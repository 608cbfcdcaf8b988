#!/bin/sh
# The Go peer by itself: it writes what Go was seen to write, and its client
# and server agree.  TAP.
set -u
# shellcheck source=tests/interop/lib.sh
. "${SRC_DIR:?}/tests/interop/lib.sh"

# refuses TEXT KEY VALUE: a header with this field, its value in hex.
refuses() {
	python3 - "$2" "$3" >bad <<-'END'
		import sys

		def text(s):
		    return bytes([0xA0 + len(s)]) + s.encode()

		key, value = text(sys.argv[1]), bytes.fromhex(sys.argv[2])
		body = b"\x81" + text("HDR_zid00_rct") + b"\x81" + key + value
		head = bytes.fromhex("b35d1839ac8e1d00")
		sys.stdout.buffer.write(head + len(body).to_bytes(8, "big") + body)
	END
	"$gopeer" vectors bad >out 2>err
	[ $? -eq 1 ] && grep -q "${4:-code}" err
	result $? "it $1"
}

certificates
refuses 'refuses an unsigned type' Typ_zid10_rct cc80
refuses 'refuses a signed number of a call' Seqno_zid09_u64 d07f
refuses 'refuses the usual time of msgpack' Created_zid00_tim \
	c70cff000000000000000000000000
refuses 'refuses bytes for a text' Subject_zid08_str c40161
refuses 'refuses what is cut off' Subject_zid08_str a26e 'cut off'
refuses 'takes a wide number and does not write it' Typ_zid10_rct d10001 \
	'other bytes'
"$gopeer" vectors "$SRC_DIR"/tests/vectors/*.bin >out 2>err
result $? 'every captured frame is written the same'
grep -c 'bin: [1-9]' out >count
[ "$(cat count)" -gt 20 ]
result $? 'there were many'
for transport in tcp tls quic; do
	go_start $transport -k node
	go_checks "Go to Go over $transport" "$where" -k alice echo customEcho \
		fields numbers big largest fail unknown unserved deadline past \
		cancel oneway pipeline sequence keepalive push netrpc
	go_checks "Go to Go over $transport, S2" "$where" -k alice -press s2 \
		echo big
	if [ -n "${LONG:-}" ]; then
		go_checks "Go to Go over $transport" "$where" -k alice \
			-keepalive 10s idle
	fi
	[ $transport = tcp ] ||
		go_refused "a client without a certificate ($transport)" \
			'certificate required' "$where"
	go_stop
done
plan
