#!/bin/sh
# What we send, read by a decoder that shares no code with us and refuses what
# Go refuses.  Needs $BUILD_DIR (build/asan, say) and python3; prints TAP.
set -u

BUILD_DIR=${BUILD_DIR:-build/release}
here=$(cd "$(dirname "$0")" && pwd)
tool=$BUILD_DIR/test/encodemsgs
tmp=$(mktemp -d "${TEST_TMP:-/tmp}/wire.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0

# tap STATUS NAME: one line of the result; what was said goes with a failure.
tap()
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
		return
	fi
	failed=1
	echo "not ok $n - $2"
	sed 's/^/# /' "$tmp/said" | head -20
}

godec()
{
	python3 "$here/../lib/godec.py" "$@"
}

# group NAME: its frames decode to the lines on stdin (lengths left out).
group()
{
	cat >"$tmp/want"
	: >"$tmp/said"
	if "$tool" "$1" >"$tmp/frames" 2>"$tmp/said" &&
	    godec <"$tmp/frames" >"$tmp/json" 2>"$tmp/said"; then
		sed 's/"body": [0-9]*, //' "$tmp/json" >"$tmp/got"
		diff "$tmp/want" "$tmp/got" >"$tmp/said" && [ -s "$tmp/got" ]
		tap $? "$1"
	else
		tap 1 "$1"
	fi
}

# refuses NAME HEX: a body that Go drops; the decoder must say so.
refuses()
{
	len=$(printf '%s' "$2" | tr -d ' ' | wc -c)
	printf 'b35d1839ac8e1d00%016x%s' $((len / 2)) "$2" |
	    godec --hex >"$tmp/said" 2>&1
	[ $? -eq 1 ] && grep -q '^frame 0: ' "$tmp/said"
	tap $? "decoder refuses $1"
}

# hex TEXT: a fixstr of it.
hex()
{
	printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n' |
	    sed "s/^/$(printf '%x' $((160 + ${#1})))/"
}

# header KEY HEX: a message with one field in its header.
header()
{
	printf '81%s81%s%s' "$(hex HDR_zid00_rct)" "$(hex "$1")" "$2"
}

id=6RrRULHDZ7OLri9lXbIPVt63wh7phG-WtN2Z1qZ4az9z

group call <<EOF
{"hdr": {"CallID_zid11_str": "$id", "Seqno_zid09_u64": 2, "ToServiceName_zid03_str": "customEcho", "Typ_zid10_rct": 1}, "payload": "68656c6c6f"}
EOF
group full <<'EOF'
{"JobErrs_zid02_str": "k", "hdr": {"Args_zid07_map": {"k": "v"}, "CallID_zid11_str": "f", "Created_zid00_tim": [1795226272, 262766800], "Deadline_zid14_tim": [-1, 999999999], "FragOp_zid21_int": -6, "FromPeerID_zid19_str": "i", "FromPeerName_zid20_str": "j", "FromPeerServiceNameVersion_zid06_str": "d", "FromServiceName_zid05_str": "c", "From_zid01_str": "tcp://127.0.0.1:42722", "LocalRecvTm_zid13_tim": [0, 1], "NoSystemCompression_zid16_boo": true, "Seqno_zid09_u64": 3, "Serial_zid12_i64": 4, "StreamPart_zid15_i64": 5, "Subject_zid08_str": "e", "ToPeerID_zid17_str": "g", "ToPeerName_zid18_str": "h", "ToPeerServiceNameVersion_zid04_str": "b", "ToServiceName_zid03_str": "a", "To_zid02_str": "tcp://[::1]:18444", "Typ_zid10_rct": 1}, "payload": "00ff"}
EOF
# The number as signed, and as the same bits unsigned.
while read -r signed unsigned; do
	echo "{\"hdr\": {\"FragOp_zid21_int\": $signed," \
	    "\"Seqno_zid09_u64\": $unsigned, \"Serial_zid12_i64\": $signed," \
	    "\"StreamPart_zid15_i64\": $signed, \"Typ_zid10_rct\": $signed}," \
	    '"payload": ""}'
done >"$tmp/scalars" <<'EOF'
1 1
127 127
128 128
255 255
256 256
32767 32767
32768 32768
65535 65535
65536 65536
2147483647 2147483647
2147483648 2147483648
4294967295 4294967295
4294967296 4294967296
9223372036854775807 9223372036854775807
-1 18446744073709551615
-32 18446744073709551584
-33 18446744073709551583
-128 18446744073709551488
-129 18446744073709551487
-32768 18446744073709518848
-32769 18446744073709518847
-2147483648 18446744071562067968
-2147483649 18446744071562067967
-9223372036854775808 9223372036854775808
EOF
group scalars <"$tmp/scalars"
group reply <<EOF
{"hdr": {"CallID_zid11_str": "$id", "FromServiceName_zid05_str": "customEcho", "Seqno_zid09_u64": 2, "ToServiceName_zid03_str": "customEcho", "Typ_zid10_rct": 101}, "payload": "646f6e65"}
EOF
group errors <<EOF
{"JobErrs_zid02_str": "user error text", "hdr": {"CallID_zid11_str": "$id", "Seqno_zid09_u64": 2, "ToServiceName_zid03_str": "failing", "Typ_zid10_rct": 101}, "payload": ""}
{"hdr": {"CallID_zid11_str": "$id", "Seqno_zid09_u64": 2, "Subject_zid08_str": "no method 'nope' here", "ToServiceName_zid03_str": "nope", "Typ_zid10_rct": 104}, "payload": ""}
EOF
group cancel <<EOF
{"hdr": {"CallID_zid11_str": "$id", "Seqno_zid09_u64": 2, "ToServiceName_zid03_str": "slow", "Typ_zid10_rct": 103}, "payload": ""}
EOF
group oneway <<'EOF'
{"hdr": {"ToServiceName_zid03_str": "oneway", "Typ_zid10_rct": 100}, "payload": "6f6e652077617920626f6479"}
EOF
group kin <<EOF
{"hdr": {"CallID_zid11_str": "$id", "Seqno_zid09_u64": 2, "ToServiceName_zid03_str": "customEcho", "Typ_zid10_rct": 1}, "payload": ""}
EOF
group keepalives <<'EOF'
{"hdr": {"Subject_zid08_str": "abc", "Typ_zid10_rct": 102}, "payload": ""}
{"hdr": {"StreamPart_zid15_i64": 300, "Subject_zid08_str": "abc", "Typ_zid10_rct": 102}, "payload": ""}
EOF
{
	end='"Seqno_zid09_u64": 2, "Typ_zid10_rct": 1}, "payload": ""}'
	one='"downloadRequestedPath": "/tmp/small.txt"'
	echo "{\"hdr\": {\"Args_zid07_map\": {$one}, $end"
	echo "{\"hdr\": {\"Args_zid07_map\": {\"\": \"\", $one}, $end"
	i=0
	while [ $i -lt 1024 ]; do
		echo "\"k$i\": \"$i\""
		i=$((i + 1))
	done | LC_ALL=C sort | tr '\n' ',' |
	    sed 's/,/, /g; s/, $//; s/^/{"hdr": {"Args_zid07_map": {/' |
	    sed "s|\$|}, $end|"
	echo
} | sed '/^$/d' >"$tmp/arguments"
group arguments <"$tmp/arguments"
for len in 1 31 32 255 256 4096; do
	text=$(head -c $len /dev/zero | tr '\0' s)
	echo "{\"hdr\": {\"Seqno_zid09_u64\": 2, \"Subject_zid08_str\":" \
	    "\"$text\", \"Typ_zid10_rct\": 1}, \"payload\": \"\"}"
done >"$tmp/subjects"
group subjects <"$tmp/subjects"
group deadline <<'EOF'
{"hdr": {"Deadline_zid14_tim": [1795226282, 262710010], "Seqno_zid09_u64": 2, "Typ_zid10_rct": 1}, "payload": ""}
EOF
for len in 0 1 31 32 255 256 65535 65536 1200000; do
	if [ $len -le 64 ]; then
		text=$(head -c $len /dev/zero | tr '\0' p | od -An -v -tx1 |
		    tr -d ' \n')
	else
		sum=$(head -c $len /dev/zero | tr '\0' p | sha256sum)
		text="$len bytes ${sum%% *}"
	fi
	echo '{"hdr": {"Seqno_zid09_u64": 2, "Typ_zid10_rct": 1},' \
	    "\"payload\": \"$text\"}"
done >"$tmp/payloads"
group payloads <"$tmp/payloads"

# All in one stream, as on a connection.
"$tool" >"$tmp/frames" 2>"$tmp/said" &&
    godec <"$tmp/frames" 2>"$tmp/said" | wc -l >"$tmp/count"
[ "$(cat "$tmp/count")" -eq 53 ]
tap $? "53 frames in one stream"

# The captures of Go are the proof that the decoder takes what Go writes.
for file in "$here"/../vectors/*.bin; do
	case $file in
	*-s2-*) continue ;;
	esac
	cat "$file"
done | godec 2>"$tmp/said" | wc -l >"$tmp/count"
[ "$(cat "$tmp/count")" -eq 51 ]
tap $? "decoder takes Go's own frames"

# And these are that it can say no.
refuses "an unsigned serial" "$(header Serial_zid12_i64 cc80)"
refuses "an unsigned type" "$(header Typ_zid10_rct cd0065)"
refuses "a signed seqno" "$(header Seqno_zid09_u64 d10080)"
refuses "a negative seqno" "$(header Seqno_zid09_u64 ff)"
refuses "msgpack's own time" "$(header Deadline_zid14_tim d6ff6b00faa0)"
refuses "a time of another type" \
    "$(header Deadline_zid14_tim c70c04000000000000000000000000)"
refuses "a number as a str" "$(header Subject_zid08_str 05)"
refuses "a bin as a str" "$(header Subject_zid08_str c40161)"
refuses "a str as a bool" "$(header NoSystemCompression_zid16_boo a174)"
refuses "a number among the arguments" "$(header Args_zid07_map 81a16b05)"
refuses "a str as payload" "81$(hex JobSerz_zid01_bin)a161"
refuses "bytes after the message" "80c0"
refuses "a message that is cut" "82$(hex JobSerz_zid01_bin)c40161"
refuses "an empty body" ""

echo "1..$n"
exit $failed
