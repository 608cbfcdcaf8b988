#!/bin/sh
# The Go peer by itself: it writes what Go was seen to write, and its client
# and server agree.  TAP.
set -u
# shellcheck source=tests/interop/lib.sh
. "${SRC_DIR:?}/tests/interop/lib.sh"

certificates
"$gopeer" vectors "$SRC_DIR"/tests/vectors/*.bin >out 2>err
result $? 'every captured frame is written the same'
grep -c 'bin: [1-9]' out >count
[ "$(cat count)" -gt 20 ]
result $? 'there were many'
for transport in tcp tls quic; do
	go_start $transport -k node
	go_checks "Go to Go over $transport" "$where" -k alice echo customEcho \
		fields numbers big largest fail unknown unserved deadline past \
		cancel oneway pipeline sequence keepalive push
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
