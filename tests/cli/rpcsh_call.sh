#!/bin/sh
# rpcsh's calls: replies in every form, files, figures; ls, desc and ping.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name; a dollar in JSON is no variable.
# shellcheck disable=SC2016,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# All of these end by rpcsh's own time limit.
bounded() {
	"$@"
}

conf() {
	cat >rpcd.conf <<-'END'
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		[method text]
		exec  = /usr/bin/printf 'a\033[2Jb\nc\td\n'
		about = text that \033 is not nice
		args  = none
		reply = text
		[method Sum]
		exec  = /bin/cat
		args  = json
		reply = json
		secret = pin, 2fa
		[method fails]
		exec  = /bin/sh -c "echo partly; echo went wrong >&2; exit 3"
		reply = text
	END
}

# is EXPECTED TEXT: the whole of standard output.
is() {
	[ "$(cat out)" = "$1" ]
	result $? "$2"
}

# Every line of a file is one JSON object with a schema.
is_json() { # FILE TEXT
	python3 -c '
import json, sys
lines = open(sys.argv[1], "rb").read().decode("utf-8").splitlines()
assert lines
for line in lines:
    o = json.loads(line)
    assert list(o)[0] == "schema" and o["schema"] == 1
assert not any(ord(c) < 32 for line in lines for c in line)
' "$1" 2>why
	result $? "$2"
}

replies() {
	want 0 "a call over TLS" alice echo a:=1 b=x
	is '{"a":1,"b":"x"}' "one line in a pipe"
	[ ! -s err ]
	result $? "nothing on standard error"
	want 0 "call METHOD" plain call echo a:=1
	want 0 "call -n 3" plain call -n 3 -i 1ms echo a:=1
	[ "$(grep -cx '{"a":1}' out)" -eq 3 ]
	result $? "answers three times"
	want 3 "call -n 3 of what fails" plain call -n 3 -i 1ms fails
	[ "$(grep -c "went wrong" err)" -eq 1 ]
	result $? "is called once"
	want 2 "-n beside --one-way" plain call -n 2 --one-way echo
	want 0 "options behind the items" plain echo a:=1 -o hex
	is 81a16101 "-o hex"
	want 0 "-o pretty" plain echo -o pretty a:=1 'b:=[2]'
	is '{
  "a": 1,
  "b": [
    2
  ]
}' "has lines"
	want 0 "-o raw" plain echo -o raw a:=1
	printf '\201\241a\001' | cmp -s - out
	result $? "are the bytes"
}

bytes() {
	printf '\337\000\000\000\001\241a\322\000\000\000\001' >long
	want 0 "-o msgpack" plain echo -o msgpack --raw @long
	printf '\201\241a\001' | cmp -s - out
	result $? "is the canonical form"
	want 0 "-o raw" plain echo -o raw --raw @long
	cmp -s long out
	result $? "is what came"
	want 0 "a raw request has a raw reply" plain echo --raw 'as it is'
	is 'as it is' "as it is"
	[ "$(wc -c <out)" -eq 8 ]
	result $? "with nothing added"
	want 0 "unless a form is asked for" plain echo --raw @long -o json
	is '{"a":1}' "which then is used"
	want 1 "-o msgpack of text" plain echo --raw hello -o msgpack
	has err 'not msgpack' "says that it is none"
	want 0 "-o json of text" plain echo --raw hello -o json
	is '"hello"' "is a string"
	want 0 "-o json of bytes" plain echo --raw @long -o json --json
	want 0 "an empty reply" plain echo
	is '' "is nothing"
	want 0 "and in JSON" plain echo -o json
	is null "is null"
	head -c 1200000 /dev/zero | tr '\000' x >full
	want 0 "1,200,000 bytes each way" alice echo --raw @full
	cmp -s full out
	result $? "are the same"
	head -c 1200001 /dev/zero >over
	want 1 "one more is no call" alice echo --raw @over
	want 0 "text with tabs and controls" plain text
	is '"a\u001b[2Jb\nc\td"' "is a string in a pipe"
	want 0 "text with --out -" plain text --out -
	printf 'a\033[2Jb\nc\td' | cmp -s - out
	result $? "is itself"
	want 0 "all of them together" plain echo -o json \
	    -d '{"$map":[[1,{"$bin":"AA=="}],[null,{"$f":"nan"}]]}'
	is '{"$map":[[1,{"$bin":"AA=="}],[null,{"$f":"nan"}]]}' "without loss"
	want 0 "2^64-1" plain echo -o json --int-strings n:=18446744073709551615
	is '{"n":"18446744073709551615"}' "quoted when asked for"
}

out_file() {
	printf '\000\001binary\377' >bin
	want 0 "--out with one binary field" plain echo n:=1 data@bin --out f
	cmp -s bin f
	result $? "writes the field"
	is '' "and nothing else"
	has err '^rpcsh: wrote f (9 bytes)$' "and names the file"
	want 0 "--out with two of them" plain echo a@bin b@bin --out f --quiet
	[ "$(wc -c <f)" -eq 27 ] && [ ! -s err ]
	result $? "writes the reply, --quiet says nothing"
	want 0 "--out with -o" plain echo a:=1 --out f -o pretty --color=always
	[ "$(cat f)" = '{
  "a": 1
}' ]
	result $? "writes that form, without color"
	want 0 "--out with --json" plain --json echo data@bin --out f
	cmp -s bin f
	result $? "writes the same file"
	is '{"schema":1,"file":"f","bytes":9}' "and tells in JSON"
	want 0 "--out -" plain echo data@bin --out -
	cmp -s bin out
	result $? "is standard output"
	ln -s f link
	want 0 "--out to a link" plain echo a:=1 --out link
	[ -L link ] && [ "$(wc -c <f)" -eq 4 ]
	result $? "writes where it leads"
	mkfifo pipe
	cat pipe >got &
	want 0 "--out to a pipe" plain echo data@bin --out pipe
	wait $!
	cmp -s bin got && [ -p pipe ]
	result $? "writes through it"
	want 1 "--out to a full disk" plain echo a:=1 --out /dev/full
	has err 'No space left' "says so"
	[ -c /dev/full ]
	result $? "and leaves the device"
	want 8 "--out below no directory" plain echo a:=1 --out nodir/x
	mkdir dir
	want 1 "--out to a directory" plain echo a:=1 --out dir
	[ -z "$(find . -name '*.tmp.*')" ]
	result $? "no half file is left"
	umask 077
	want 0 "--out honours the umask" plain echo a:=1 --out private
	umask 022
	[ "$(stat -c %a private)" = 600 ]
	result $? "of whoever calls"
	want 0 "a dry run's argument to a file" plain --dry-run m data@bin --out f
	cmp -s bin f
	result $? "too"
}

figures() {
	want 0 "-t" alice -t echo a:=1
	is '{"a":1}' "leaves the answer alone"
	grep -q -x 'time  dns [0-9.]*  connect [0-9.]*  tls [0-9.]*  trust [0-9.]*  send [0-9.]*  wait [0-9.]*  recv [0-9.]*  total [0-9.]* ms' err
	result $? "has the phases"
	grep -q '^size  sent 4 B  got 4 B  tls1.3 chacha20-poly1305  peer SHA256:' err
	result $? "the sizes and the peer"
	want 0 "-t over TCP" plain -t echo a:=1
	has err 'peer not authenticated$' "says that nobody was"
	want 0 "--trace" alice --trace echo a:=1 --subject 'a subject' -H k=v
	has err '^trace  type 101  seqno [0-9]*$' "shows the header"
	has err '^trace  method echo$' "the method"
	has err '^trace  subject a subject$' "the subject"
	has err '^trace  call_id .' "the call's id"
	want 0 "both with --json" alice --json -t --trace echo a:=1
	is '{"schema":1,"reply":{"a":1}}' "the answer"
	is_json err "and the figures are JSON"
	has err '"call_us":[0-9]*,"send_us":[0-9]*,"wait_us":[0-9]*,"recv_us":[0-9]' \
		"in microseconds"
	want 0 "--one-way" alice --one-way echo a:=1
	is '' "has no answer"
	want 0 "--one-way --json -t" alice --one-way --json -t echo a:=1
	is '{"schema":1,"ok":true}' "says that it was sent"
	want 0 "--verbose" alice --verbose echo a:=1
	has err '^rpcsh: key alice (flag)$' "tells the settings"
}

listing() {
	want 0 "ls" alice ls
	has out '^METHOD  *TAKES  *GIVES  *ABOUT$' "has a head"
	has out '^Sum  *json  *json  *-$' "and a line a method"
	! grep -q "$(printf '\033')" out
	result $? "and no control byte"
	want 0 "ls --plain" alice ls --plain 'S*'
	is "$(printf 'Sum\tjson\tjson\t-\tno')" "is for awk"
	want 0 "ls --json" alice --json ls '[!_]*'
	is_json out "is JSON"
	want 8 "ls of nothing" alice ls 'x*'
	has err 'no method fits' "says so"
	want 0 "the names are kept" env RPCKIT_SERVER="$(url tls)" \
	    "$rpcsh" __complete-words method S
	is Sum "for completion"
	want 0 "desc" alice desc Sum
	has out '^Sum  two-way   in json  out json$' "says what it takes"
	has out '^  rpcsh Sum -d JSON$' "and shows a call"
	want 0 "a marked field" alice --dry-run Sum pin=geheim '2fa[]=geheim' \
		-d '{"a":{"pin":{"b":"geheim"}},"c":"geheim not"}'
	is "$(printf '%s\n%s' "$(head -n 1 out)" '{"a":{"pin":"?"},"c":"geheim not","pin":"?","2fa":"?"}')" "is not shown"
	want 0 "desc with a list of fields" alice desc _.describe
	has out '^  rpcsh _.describe method=TEXT$' "shows its items"
	want 0 "desc --json" alice --json desc Sum
	is_json out "is JSON"
	has out '"method":{"name":"Sum"' "of the method"
	want 0 "desc --plain" alice --plain desc Sum
	is "$(printf 'Sum\tjson\tjson\t-\tno')" "is one line"
	want 8 "desc of nothing" alice desc Smu
	has err '^rpcsh: Smu: the server has no such method (did you mean "Sum"?); asked '"$(url tls)"', rpckit/1, which lists [1-9][0-9]* methods$' \
	    "guesses, and says who was asked, in which version"
	want 2 "desc of too long a name" alice desc "$(printf '%0256d' 0)"
}

# Lists line by line, and as tables of the right width.
tables() {
	want 0 "-o ndjson" plain echo -d '[{"a":1},[2,3]]' -o ndjson
	is '{"a":1}
[2,3]' "a line an element"
	want 0 "of what is no list" plain echo a=x -o ndjson
	is '{"a":"x"}' "a line"
	LC_ALL=C.UTF-8 plain echo -o table -d '[{"name":"a","n":12},
		{"name":"日本","n":3,"x":[1]},{"name":"e\u0301\u001b[31m"}]' \
		>out 2>err </dev/null
	result $? "-o table"
	is "name        n  x
a          12  -
日本        3  [1]
$(printf 'e\314\201')\\x1b[31m   -  -" "has columns as wide as they look"
	want 0 "of a map" plain echo a=x bc:=2 -o table
	is 'key  value
a    x
bc   2' "a row a key"
	want 0 "--plain" plain echo -d '[{"a":1,"b":"x"},{"a":2}]' -o table \
		--plain
	is "$(printf '1\tx\n2\t-')" "has tabs instead"
	head -c 100 /dev/zero >zeros
	want 0 "of long binary" plain echo b@zeros -o table
	grep -q 'AAAAAA=="' out && ! grep -q '\.\.\.' out
	result $? "all of it, but on a terminal"
	want 0 "of nothing" plain echo -d '[]' -o table
	is '' "nothing"
	mkfifo unread
	want 1 "a trace into a pipe that nobody reads" timeout 30 "$rpcsh" \
		-s tcp://127.0.0.1:1 echo --trace-file unread
	want 2 "a table to a file" plain echo -o table --out x
	want 2 "a table in JSON" plain echo -o table --json
	want 1 "too many columns" plain echo -o table -d "[{$(seq 65 |
		sed 's/.*/"k&":&/' | paste -sd,)}]"
}

pinging() {
	want 0 "ping" alice ping
	has out '^connected tls://127.0.0.1:[0-9]*  SHA256:.*ms$' "connects"
	has out '^reply 1  [0-9.]* ms$' "and is answered"
	want 0 "ping -n 3 -i 1ms" alice ping -n 3 -i 1ms
	has out '^3 replies  min [0-9.]*  avg [0-9.]*  max [0-9.]*  p50 [0-9.]*  p90 [0-9.]*  p99 [0-9.]*  dev [0-9.]* ms$' "adds up"
	has out '^[_.:=+*#-]\{3\}$' "and draws it"
	want 0 "ping --connect-only" plain ping --connect-only
	[ "$(wc -l <out)" -eq 1 ] && grep -q 'not authenticated' out
	result $? "calls nothing"
	want 0 "ping --json" alice --json ping -n 2 -i 0
	is_json out "is JSON"
	[ "$(grep -c '"rtt_us":[0-9]' out)" -eq 2 ]
	result $? "a line a reply"
	has out '"replies":2,"min_us":[0-9]*,"avg_us"' "and one for all"
	LC_ALL=C.UTF-8 alice ping -n 3 -i 0 >out 2>err </dev/null
	has out '█' "bars are blocks where there are any"
	: >out # nothing of before
	"$rpcsh" -s "$(url tcp)" ping -n 9 -i 10m </dev/null >out 2>err &
	pinger=$!
	until_ok grep -q '^reply 1' out
	kill -INT $pinger
	wait $pinger
	[ $? -eq 130 ]
	result $? "Ctrl-C ends it"
	want 0 "ping --plain" alice --plain ping
	has out "^reply	1	[0-9.]*$" "is for awk"
	for wrong in '-n 0' '-n 1000001' '-n x' '-i x' '-i 25h' \
	    '--connect-only -n 2' 'x'; do
		# shellcheck disable=SC2086 # words are meant to split
		want 2 "ping $wrong" alice ping $wrong
	done
}

# A server of rpc25519 knows no ping, and ends a connection that has asked for
# what it does not know.
unknown_ping() {
	python3 - >port 2>log <<-'END' &
		import socket

		def take(c, n):
		    out = b""
		    while len(out) < n:
		        more = c.recv(n - len(out))
		        if not more:
		            return None
		        out += more
		    return out

		listener = socket.create_server(("127.0.0.1", 0))
		listener.settimeout(60)
		print(listener.getsockname()[1], flush=True)
		while True:
		    c, _ = listener.accept()
		    head = take(c, 16)
		    body = take(c, int.from_bytes(head[8:], "big"))
		    c.sendall(head + body.replace(b"rct\x01", b"rct\x68"))
		    take(c, 1)
		    c.close()
	END
	stranger=$!
	daemons="$daemons $stranger"
	until_ok test -s port
	result $? "a server without the method"
	want 0 "ping -n 3" "$rpcsh" --tcp -s "127.0.0.1:$(cat port)" \
		ping -n 3 -i 1ms
	[ "$(grep -c '^reply' out)" -eq 3 ]
	result $? "has three answers"
	kill -KILL "$stranger"
	wait "$stranger" 2>/dev/null
}

# Who waits between pings keeps the connection, and sees it end.
waiting() {
	: >out
	"$rpcsh" -s "$(url tls)" --certs certs -k alice ping -n 2 -i 10m \
		</dev/null >out 2>err &
	pinger=$!
	daemons="$daemons $pinger"
	until_ok grep -q '^reply 1' out
	result $? "a ping in ten minutes"
	stop >/dev/null
	result $? "rpcd stops with 0"
	until_ok ended_or_zombie "$pinger"
	result $? "is waited for only while the server is there"
	kill -KILL "$pinger" 2>/dev/null
	wait "$pinger"
	got=$?
	[ $got -eq 4 ]
	result $? "says so by its status ($got)"
	has err '^rpcsh: .*closed by the peer$' "and in words"
}

remote() {
	want 3 "a method that fails" plain fails
	has err '^rpcsh: fails: .*' "says why"
	want 0 "--ignore-status" plain fails --ignore-status
	has err '^rpcsh: fails: ' "still says why"
	want 3 "with --json" plain --json fails
	is '' "standard output is empty"
	is_json err "the error is JSON"
	has err '"code":"remote","exit":3' "with its code"
}

# The words of the original client.
original() {
	printf 'as it is' >given
	want 0 "-hostport, -wait and -sendfile" "$rpcsh" \
		-hostport "$(url tcp)" -wait 10s call echo -sendfile given
	is 'as it is' "a server, a time and bytes"
	want 0 "with =" "$rpcsh" -hostport="$(url tcp)" call echo \
		-sendfile=given
	want 8 "a file that is not there" plain echo -sendfile missing
	has err 'missing' "is named"
	want 0 "before the method" plain -sendfile given echo
	is 'as it is' "it is the same"
	want 2 "-sendfile beside items" plain echo -sendfile given a=b
	has err '^rpcsh: -sendfile is the whole argument' "is named"
	want 2 "and beside --raw" plain echo -sendfile given --raw x
	want 2 "of no file" plain echo -sendfile=
	has err '^rpcsh: -sendfile: the file.s name is empty' "is said"
	want 2 "without a method" plain -sendfile given
	has err '^rpcsh: option -sendfile needs a command' "names it"
	want 2 "with another verb" plain ls -sendfile given
	has err '^rpcsh: option -sendfile does not belong to ls' "too"
	want 6 "-skip-verify" "$rpcsh" -hostport "$(url tls)" -skip-verify \
		echo a=1
	has err 'warning: .*nobody is authenticated' "warns"
}

main() {
	certificates
	conf
	check "rpcd starts" start 2 -f rpcd.conf --certs certs --trust off --echo
	replies
	bytes
	out_file
	figures
	listing
	tables
	pinging
	remote
	original
	unknown_ping
	waiting
	plan
}

main
