#!/bin/sh
# rpcsh call of methods that stream: lines of JSON in, lines of JSON out, each
# as it comes, in memory that does not grow with them.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# What is freed is to be counted as free.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1
export ASAN_OPTIONS

# talk STATUS TEXT WORDS...: with the input of the file in.
talk() {
	status=$1 text=$2
	shift 2
	timeout 60 "$rpcsh" -s "$where" "$@" <in >out 2>err
	got=$?
	[ "$got" -eq "$status" ]
	result $? "$text (status $got)"
}

# same TEXT: the output is what is on standard input.
same() {
	cat >wanted
	diff wanted out >difference
	is=$?
	sed 's/^/# /' difference
	result $is "$1"
}

both_ways() {
	printf '{"a":1}\n\n  [2, "x"]\r\n{"$bin":"AAE="}\n"last"' >in
	talk 0 'lines go and come' call -o ndjson mirror -d -
	same 'as they are' <<-'END'
		{"a":1}
		[2,"x"]
		{"$bin":"AAE="}
		"last"
	END
	talk 0 'also when nobody is asked' call --stream both mirror -d -
	[ "$(cat out)" = "$(cat wanted)" ]
	result $? 'the same'
	talk 0 'items are the first of them' call -o ndjson mirror x:=1 -d -
	[ "$(head -n 1 out)" = '{"x":1}' ] && [ "$(grep -c . out)" = 5 ]
	result $? 'and lines follow'
	talk 0 'in objects' --json call --stream both mirror -d -
	python3 -c '
import json
x = [json.loads(line) for line in open("out")]
assert all(list(o)[0] == "schema" for o in x)
assert [o["part"] for o in x[:-1]] == [{"a": 1}, [2, "x"],
                                       {"$bin": "AAE="}, "last"]
assert "reply" in x[-1]' 2>err
	result $? 'with names'
	talk 0 'in hex' call --stream both mirror -d - -o hex
	[ "$(head -n 1 out)" = 81a16101 ]
	result $? 'the bytes of each'
	talk 0 'bytes' call --stream both mirror --raw - -o raw
	cmp -s in out
	result $? 'are not looked at'
	talk 0 'a method that takes bytes' call -o ndjson lines -d -
	[ "$(head -n 1 out)" = '"{\"a\":1}\n"' ]
	result $? 'is sent the lines themselves'
	printf abc >in
	talk 0 'bytes, when it is asked' call -o ndjson mirror --raw -
	[ "$(cat out)" = '"abc"' ]
	result $? 'how it streams'
	as_they_come
	: >in
	talk 0 'no lines' call -o ndjson mirror -d -
	same 'none come back' </dev/null
	talk 0 'without input' call -o ndjson mirror x:=1
	echo '{"x":1}' | same 'there is the argument'
}

# Bytes of an input that stays open.
as_they_come() {
	: >out
	exec 8<>fifo
	timeout 60 "$rpcsh" -s "$where" call -o ndjson mirror --raw - \
		<fifo >out 2>err 8<&- &
	reader=$!
	printf now >&8
	until_ok grep -qx '"now"' out
	result $? 'and go when they come'
	exec 8>&-
	wait $reader
	result $? 'to the end'
}

# Where nobody can be asked.
dry() {
	there=$where
	where=tcp://127.0.0.1:1
	printf '{"a":1}\n[2]\n"x"' >in
	talk 0 'a dry run' call --stream both mirror -d - -o ndjson --dry-run
	printf '{"a":1}\n[2]\n"x"\n' | same 'has a line for each'
	talk 0 'with an item' call --stream up m k=v -d - -o hex --dry-run
	[ "$(head -n 2 out | tr '\n' ' ')" = '81a16ba176 81a16101 ' ]
	result $? 'first'
	printf '1\n{\n' >in
	talk 2 'up to what is no JSON' call --stream up m -d - --dry-run
	has err 'standard input:2' 'which is named'
	talk 2 'nothing goes down' call --stream down m -d - --dry-run
	: >out
	exec 8<>fifo
	timeout 60 "$rpcsh" -s "$where" call --stream up m -d - -o ndjson \
		--dry-run <fifo >out 2>err 8<&- &
	reader=$!
	echo 7 >&8
	until_ok grep -qx 7 out
	result $? 'each as it comes'
	exec 8>&-
	wait $reader
	result $? 'to the end'
	where=$there
}

one_way() {
	printf '"four"\n[1,2,3]\n' >in
	talk 0 'up' call --stream up -o raw count -d -
	[ "$(cat out)" = 9 ]
	result $? 'in msgpack, with one answer'
	talk 0 'without being told how' call -o ndjson count -d -
	: >in
	talk 0 'down' call -o ndjson forever -n 3
	printf '1\n2\n3\n' | same 'as many as are wanted'
	talk 0 'or so long' call -o ndjson forever --for 100ms -t
	[ -s out ] && grep -q '^size ' err
	result $? 'and how long is said'
	"$rpcsh" -s "$where" call --stream down forever 2>err | head -n 2 >out
	printf '1\n2\n' | same 'until nobody reads them'
	: >out # what stands in it is not this one's
	"$rpcsh" -s "$where" call --stream down forever >out 2>err &
	sender=$!
	until_ok grep -q . out
	kill -TERM $sender
	wait $sender
	[ $? -eq 143 ]
	result $? 'or a signal ends it'
	want 0 'how a method streams' "$rpcsh" -s "$where" desc forever
	grep -q '^forever  streams down   in ' out &&
		grep -qx '  rpcsh call -o ndjson forever' out
	result $? 'is described'
	want 0 'the server' "$rpcsh" -s "$where" tell a:=1
	talk 0 'another call' call -o ndjson tell -d '[1,2]'
	printf '1\n2\n' | same 'is one as before'
}

wrong() {
	printf '{"a":1}\n{"a":\n' >in
	talk 2 'what is no JSON' call -o ndjson mirror -d -
	has err 'standard input:2' 'is named by its line'
	echo 1 >in
	talk 2 'a method without parts' call -o ndjson forever -d -
	talk 3 'one that streams otherwise' call --stream both count -d -
	talk 3 'one that does not' call --stream both tell -d -
	talk 8 'one that is none' call --stream both nope -d -
	talk 2 'a table' call --stream down forever -o table
	talk 2 'a time to end what is no stream' tell --for 1s
	timeout 60 "$rpcsh" -s "$where" call --timeout 100ms --stream both \
		mirror -d - <>fifo >out 2>err
	[ $? -eq 5 ]
	result $? 'no time'
	python3 -c 'print("\"" + "x" * 1200000 + "\"")' >in
	talk 1 'what is too large' call -o ndjson mirror -d -
	has err 'standard input:1: too large for one part, .* 1200000 bytes$' \
		'is named, too'
	python3 -c 'print("\"" + "x" * 16777216 + "\"")' >in
	talk 1 'a line of 16 MiB' call -o ndjson mirror -d -
	has err 'standard input:1: the line is longer than 8388608 bytes$' \
		'as well'
	head -c 2000000 in >large
	talk 1 'many bytes' call -o ndjson tell --raw @large
	has err 'tell: it takes no streams' 'for what takes none'
	printf '1\n' >in
	timeout 60 "$rpcsh" -s "$where" call -o ndjson mirror -d - <in \
		>/dev/full 2>err
	[ $? -eq 1 ]
	result $? 'a full disk'
	printf 'call --stream both mirror -d -\n' |
		timeout 60 "$rpcsh" -s "$where" -f - >out 2>err
	[ $? -eq 2 ]
	result $? 'a script that is standard input'
}

# Lines go in until nobody takes more, and only then are any read: how many
# MiB, of how many; the largest size of rpcsh in kB.
dam() {
	timeout 120 python3 - "$@" >out 2>err <<-'END'
		import os, select, subprocess, sys, threading
		words, total = sys.argv[2:], int(sys.argv[1]) << 20
		line = b'{"text":"' + b'x' * 8000 + b'"}\n'
		p = subprocess.Popen(words, stdin=subprocess.PIPE,
		                     stdout=subprocess.PIPE)
		fd = p.stdin.fileno()
		os.set_blocking(fd, False)
		data = memoryview(line * (total // len(line)))
		at, held = 0, None
		def drain():
		    global came
		    came = 0
		    while chunk := p.stdout.read1(65536):
		        came += len(chunk)
		reader = threading.Thread(target=drain)
		while at < len(data):
		    if not select.select([], [fd], [], 0.5 if held is None else 60)[1]:
		        assert held is None, 'it does not go on'
		        held = at
		        reader.start()
		        continue
		    at += os.write(fd, data[at:at + 65536])
		p.stdin.close()
		reader.join() if held is not None else drain()
		_, status, used = os.wait4(p.pid, 0)
		assert status == 0 and came == len(data), (status, came)
		print(-1 if held is None else held >> 20, used.ru_maxrss)
	END
}

memory() {
	check 'few lines' dam 1 "$rpcsh" -s "$where" call --stream both mirror -d -
	read -r _ first <out
	check 'many' dam 12 "$rpcsh" -s "$where" call --stream both mirror -d -
	read -r held kb <out
	echo "# stopped at $held MiB, $((kb - first)) kB more than for 1 MiB"
	[ "$held" -ge 0 ]
	result $? 'who does not take them stops who sends them'
	[ $((kb - first)) -lt 8192 ]
	result $? 'and they are not kept'
}

# The parts in out are the text in in.
is_text() {
	python3 -c '
import json
parts = "".join(json.loads(line) for line in open("out"))
assert parts.encode() == open("in", "rb").read()' 2>>err
}

# over TRANSPORT: the same where parts are records, or streams of their own.
over() {
	check "a server of $1" \
		start_own typedserver "$1://127.0.0.1:0" odd certs
	where=$(url "$1")
	python3 -c 'for i in range(3000): print("{\"n\":%d,\"x\":\"%s\"}"
	    % (i, "y" * (i % 700)))' >in
	talk 0 "lines over $1" --certs certs -k alice call -o ndjson mirror -d -
	cmp in out
	result $? 'come back as they went'
	python3 -c 'print("\"" + "x" * 900000 + "\"")' >in
	talk 0 'a large one' --certs certs -k alice call --stream both \
		mirror -d -
	cmp in out
	result $? 'too'
	head -c 16777216 /dev/zero | tr '\0' y >in
	talk 0 '16 MiB of bytes' --certs certs -k alice call -o ndjson \
		mirror --raw @in
	is_text
	result $? 'come back as well'
	talk 0 'up' --certs certs -k alice call -o ndjson count --raw -
	[ "$(cat out)" = '"16777216"' ]
	result $? 'are counted'
	talk 0 'an end' --certs certs -k alice call -o ndjson forever -n 3
	printf '1\n2\n3\n' | same 'of what has none'
	printf '1\n2\n' >in
	talk 0 'up' --certs certs -k alice call --stream up -o raw count -d -
	[ "$(cat out)" = 2 ]
	result $? 'has an answer'
	stop >/dev/null
}

main() {
	check 'a server' start_own typedserver
	where=$(url tcp)
	mkfifo fifo
	both_ways
	dry
	one_way
	wrong
	memory
	stop >/dev/null
	certificates
	over tls
	if "$rpcsh" --version | grep -q 'no QUIC'; then
		ok 'streams over QUIC # SKIP this build has none'
	else
		over quic
	fi
	plan
}

main
