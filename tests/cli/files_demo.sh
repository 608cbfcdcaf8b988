#!/bin/sh
# The streams of rpc25519's demo programs, as captured: rpcd in the place of
# Go's server, rpcsh in that of Go's client.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

replay() { # WORDS
	timeout 60 python3 "$SRC_DIR/tests/lib/gostream.py" "$@"
}

port() {
	url tcp | sed 's/.*://'
}

ten=blake3.33B-U7Y6b8hgXQwM5VkxegAXfXKtsk1mkjXkyRT0Q6iDHKFt
none=blake3.33B-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmLg

# fields FRAME NAME=VALUE...: of a frame in out; part 0 is not written.
fields() {
	python3 - "$@" <<-'END'
		import json, sys
		frame = json.loads(open("out").read().splitlines()[int(sys.argv[1])])
		hdr = frame["hdr"]
		args = hdr.get("Args_zid07_map", {})
		found = {
		    "type": hdr["Typ_zid10_rct"], "seqno": hdr["Seqno_zid09_u64"],
		    "part": hdr.get("StreamPart_zid15_i64", 0),
		    "call_id": hdr["CallID_zid11_str"],
		    "to": hdr.get("ToServiceName_zid03_str"),
		    "from": hdr.get("FromServiceName_zid05_str"),
		    "error": frame.get("JobErrs_zid02_str"),
		    "payload": frame["payload"], **args}
		for word in sys.argv[2:]:
		    name, value = word.split("=", 1)
		    if str(found.get(name)) != value:
		        sys.exit("%s is %r, not %r" % (name, found.get(name), value))
	END
}

frame() { # TEXT FRAME FIELDS...
	text=$1
	shift
	fields "$@" 2>err
	result $? "$text"
}

frames() { # NUMBER
	[ "$(wc -l <out)" = "$1" ]
	result $? "these are all the frames"
}

as_server() {
	replay ask "$(port)" upload >out 2>err
	result $? 'an upload of Go'
	frames 1
	frame 'is answered with its hash' 0 type=101 seqno=2 part=0 \
		call_id=Lj-4x7hCurR-50lUPUEW9bddG8ug2A3Ws4ashe5hiXiQ \
		serverTotalBlake3sum=$ten error=None
	replay ask "$(port)" upload 0123456789=0123456780 >out 2>err
	result $? 'one whose bytes are others'
	frame 'is an error' 0 type=101 \
		"error=a part's blake3 is not that of its payload"
	replay ask "$(port)" bistream >out 2>err
	result $? 'a stream both ways'
	frame 'comes back part by part' 0 type=109 part=0 seqno=2 blake3=$ten \
		readFile=small.txt payload=30313233343536373839 \
		call_id=_2ORBaKReB4FpaoR30OW_qfy_9WW_rvoZRyYu_NwRZgj
	frame 'to its end' 1 type=111 part=1 blake3=$none payload=
	frame 'and is answered' 2 type=101 error=None
	frames 3
}

downloads() {
	replay ask "$(port)" download >out 2>err
	result $? 'a download of Go, from where it was'
	frame 'is refused' 0 type=101 'error=the name is not relative'
	replay ask "$(port)" download \
		/tmp/gorun/small.txt=gorun/down/small.txt >out 2>err
	result $? 'one from the folder'
	frame 'comes as a first part' 0 type=109 part=0 seqno=2 blake3=$ten \
		filename=small.txt pathsize=10 payload=30313233343536373839 \
		path="$tmp/shared/gorun/down/small.txt" \
		call_id=2we41QcJvXZfSUSc1PI0hRalPJDBUqiq-dCEr76ACOel
	frame 'a last part' 1 type=111 part=1 blake3=$none pathsize=10
	frame 'and an answer' 2 type=101 error=None
	frames 3
	want 0 'as the server names it' plain get __downloaderName --out small \
		"downloadRequestedPath=$tmp/shared/gorun/down/small.txt"
	[ "$(cat small)" = 0123456789 ]
	result $? 'it is the same'
	want 3 'hidden files' plain get __downloaderName --out x \
		"downloadRequestedPath=$tmp/shared/.ssh"
	want 3 'files elsewhere' plain get __downloaderName --out x \
		"downloadRequestedPath=$tmp/shared/../outside"
}

# serves NAME: a server of Go's for one stream; its address in $served.
serves() {
	rm -f port
	replay serve port "$1" >served &
	go=$!
	daemons="$daemons $go"
	until_ok test -s port
	served=tcp://127.0.0.1:$(cat port)
}

as_client() {
	printf 0123456789 >small.txt
	serves upload
	want 0 'an upload to Go' "$rpcsh" -s "$served" put __fileUploader \
		small.txt
	has out 'bytesWrit=10;' 'its answer is shown'
	wait $go
	result $? 'Go reads what we sent'
	cp served out
	frame 'it begins' 0 type=105 part=0 to=__fileUploader \
		readFile=small.txt blake3=$none
	frame 'goes on' 1 type=106 part=1 blake3=$ten \
		payload=30313233343536373839
	frame 'and ends' 2 type=107 part=2 blake3=$none payload=
	serves upload
	printf 0123456780 >other.txt
	want 10 'other bytes than Go has got' "$rpcsh" -s "$served" \
		put __fileUploader other.txt
	has err "the server's checksum is not that" 'are noticed'
	wait $go
	serves download
	want 0 'a download from Go' "$rpcsh" -s "$served" get \
		__downloaderName downloadRequestedPath=/tmp/gorun/small.txt \
		--out got.txt
	cmp -s small.txt got.txt
	result $? 'has the bytes'
	wait $go
	cp served out
	frame 'it was asked for' 0 type=108 to=__downloaderName \
		downloadRequestedPath=/tmp/gorun/small.txt payload=
}

cat >demo.conf <<-END
	listen = tcp:127.0.0.1:0
	echo = yes
END
start 1 -f demo.conf
result $? 'a daemon without a folder'
replay ask "$(port)" download >out 2>err
result $? 'is asked for a file'
frame 'and has none' 0 type=101 \
	'error=this server has no folder to hand files out from'
as_server
stop
mkdir -p shared/gorun/down
printf 0123456789 >shared/gorun/down/small.txt
printf 0123456789 >outside
cat >>demo.conf <<-END
	[files demo]
	root = $tmp/shared
	get = yes
	rpc25519 = yes
END
start 1 -f demo.conf
result $? 'a daemon with a folder'
downloads
as_client
stop
result $? 'ends well'
plan
