#!/bin/sh
# rpcsh's arguments: items, -d and --raw, as --dry-run shows them; no server.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name; a dollar in JSON is no variable.
# shellcheck disable=SC2016,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

dry() {
	"$rpcsh" --dry-run -o json m "$@"
}

bounded() {
	"$@"
}

# gives JSON TEXT WORDS...: that argument, by way of msgpack.
gives() {
	json=$1
	text=$2
	shift 2
	dry "$@" </dev/null >out 2>err
	got=$?
	[ "$got" -eq 0 ] && [ "$(cat out)" = "$json" ] && [ ! -s err ]
	result $? "$text"
}

# refused PATTERN TEXT WORDS...: wrong use that says why, in two lines.
refused() {
	pattern=$1
	text=$2
	shift 2
	dry "$@" </dev/null >out 2>err
	got=$?
	[ "$got" -eq 2 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 2 ] &&
		head -n 1 err | grep -q -e "$pattern" &&
		tail -n 1 err | grep -q -x 'try: rpcsh call -h'
	result $? "$text"
}

forms() {
	printf 'some text\n' >text
	printf '{"x":[1,2]}\n' >json
	printf '\000\377' >bin
	gives '{"k":"v"}' "k=v is text" k=v
	gives '{"k":""}' "k= is empty text" k=
	gives '{"k":"1"}' "k=1 is text too" k=1
	gives '{"a":1,"b":-2,"c":2.5,"d":true,"e":null,"f":[1,"x"],"g":{"h":1}}' \
	    "k:=JSON is any value" a:=1 b:=-2 c:=2.5 d:=true e:=null \
	    'f:=[1,"x"]' 'g:={"h":1}'
	gives '{"k":{"$bin":"AP8="}}' "k@FILE is its bytes" k@bin
	gives '{"k":"some text\n"}' "k=@FILE is its text" k=@text
	gives '{"k":{"x":[1,2]}}' "k:=@FILE is its JSON" k:=@json
	gives '{"a@b":"x@y=z"}' "the first sign counts, others are text" \
	    'a\@b=x@y=z'
	gives '{"k=x":"v","a.b":"1","c[0]":"2","d\\e":"3"}' \
	    "a backslash keeps a sign" 'k\=x=v' 'a\.b=1' 'c\[0]=2' 'd\\e=3'
	gives '{"$$x":"1"}' "a key with a dollar is written with two" '$x=1'
	gives '{"k":"?"}' "k=? is not asked for in a dry run" 'k=?'
	gives '{"k":"2"}' "the last one counts" k:=1 k=2
}

places() {
	gives '{"a":{"b":{"c":"1","d":2}}}' "dots go down" a.b.c=1 a.b.d:=2
	gives '{"l":["x",null,3]}' "an index makes an array" 'l[0]=x' 'l[2]:=3'
	gives '{"l":[1,2,{"x":"3"}]}' "[] appends" 'l[]:=1' 'l[]:=2' 'l[].x=3'
	gives '{"l":[[null,"x"]]}' "arrays in arrays" 'l[0][1]=x'
	gives '{"a":{"x":1,"y":"2"}}' "items go on in JSON" 'a:={"x":1}' a.y=2
	gives '{"z":[1,9],"a":{"b":"c"}}' "items override -d" \
	    -d '{"z":[1,2]}' 'z[1]:=9' a.b=c
	dry 'l[65535]:=1' >out 2>err
	[ "$(tr -cd , <out | wc -c)" -eq 65535 ]
	result $? "the largest index"
	set -f
	# shellcheck disable=SC2046
	dry $(seq -f 'l[]:=%.0f' 0 2999) >out 2>err
	set +f
	[ "$(tr -cd , <out | wc -c)" -eq 2999 ]
	result $? "thousands of items"
	for item in 'l[65536]=1' 'l[x]=1' 'l[0=1' 'l[-1]=1' 'a..b=1' '.a=1' \
	    'a.=1' '[0]=1' 'a[0]b=1' 'l[00000000000]=1'; do
		refused 'a place is written' "no place: $item" "$item"
	done
	refused 'does not fit' "text is no map" a=1 a.b=2
	refused 'does not fit' "text is no array" a=1 'a[0]=2'
	refused 'does not fit' "an array is no map" 'a[0]=1' a.b=2
	refused 'does not fit' "a map is no array" a.b=1 'a[0]=2'
	refused 'does not fit' "an array takes no items" -d '[1]' a=1
}

wrong_items() {
	for item in a =1 '' @bin :=1; do
		refused 'not of the form' "no item: \"$item\"" "$item"
	done
	refused '^rpcsh: k:1:10: duplicate' "a key twice has its column" \
	    'k:={"a":1,"a":2}'
	refused 'k:1:1: integer' "an integer too large" \
	    k:=18446744073709551616
	refused 'k:1:1: integer' "or too small" k:=-9223372036854775809
	refused 'something follows' "two values" 'k:=1 2'
	refused 'ends too early' "no value" k:=
	refused '^rpcsh: text:1:4: ' "a file that is no JSON, with its column" k:=@text
	refused 'base64' "a tag with a wrong value" 'k:={"$bin":"!"}'
	refused 'UTF-8' "text that is none" "$(printf 'k=\377')"
	refused 'UTF-8' "a file of bytes as text" k=@bin
	printf 'a\033[2Jb' >"$(printf 'x\033y')"
	dry "k:=@$(printf 'x\033y')" >out 2>err
	! grep -q "$(printf '\033')" err
	result $? "no control byte reaches the message"
	want 8 "a file that is not there" dry k@nofile
	has err '^rpcsh: nofile: ' "is named"
	want 1 "a directory" dry k@.
	want 7 "k=? without a terminal" setsid -w "$rpcsh" m 'k=?'
	has err 'k=?.*no terminal' "says so"
	has err '^try: k=@FILE' "and the way out"
	want 7 "k=? with --no-input" "$rpcsh" --no-input m 'k=?'
	want 1 "deeper than a value may be" \
	    dry a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1
	has err 'nested deeper than 16' "says so"
	want 0 "as deep as it may be" dry a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1
	want 1 "JSON of a thousand brackets" dry -d "$(printf '%01000d' 0 |
		tr 0 '[')"
}

whole() {
	gives '[1,2]' "-d JSON" -d '[1,2]'
	gives '"x"' "any value" -d '"x"'
	gives '{"x":[1,2]}' "-d @FILE" -d @json
	dry -d - <json >out 2>err
	[ "$(cat out)" = '{"x":[1,2]}' ]
	result $? "-d - is standard input"
	dry a@- <bin >out 2>err
	[ "$(cat out)" = '{"a":{"$bin":"AP8="}}' ]
	result $? "k@- too"
	mkfifo fifo
	cat json >fifo &
	gives '{"x":[1,2]}' "-d @PIPE" -d @fifo
	dry -d - a@- <json >out 2>err
	grep -q 'once only' err
	result $? "but standard input can be read once"
	refused '^rpcsh: -d:1:1: ends too early' "-d of nothing" -d ''
	refused '^rpcsh: standard input:1:1: ' "- of nothing" -d -
	refused 'no items and no -d' "--raw with an item" --raw x a=1
	refused 'no items and no -d' "--raw with -d" --raw x -d 1
	want 2 "an empty method" "$rpcsh" --dry-run ''
	want 2 "a method of 256 bytes" "$rpcsh" --dry-run "$(printf '%0256d' 0)"
	want 0 "a method of 255 bytes" "$rpcsh" --dry-run "$(printf '%0255d' 0)"
	want 2 "-H without =" "$rpcsh" --dry-run m -H x
	want 2 "-H without a key" "$rpcsh" --dry-run m -H =x
	want 2 "a subject too long" "$rpcsh" --dry-run m \
	    --subject "$(printf '%04097d' 0)"
}

limits() {
	head -c 1200000 /dev/zero >full
	want 0 "1,200,000 bytes raw" "$rpcsh" --dry-run m --raw @full -o raw
	cmp -s out full
	result $? "and they are the bytes"
	head -c 1200001 /dev/zero >over
	want 1 "one more" "$rpcsh" --dry-run m --raw @over
	has err 'argument: 1200001 bytes; a call carries at most 1200000' \
	    "says how many are allowed"
	head -c 1199990 /dev/zero >fits
	want 0 "a map with a field of that size" "$rpcsh" --dry-run m k@fits \
	    -o raw
	[ "$(wc -c <out)" -eq 1199998 ]
	result $? "has eight bytes more"
	want 1 "and too large a one" "$rpcsh" --dry-run m k@full
	want 1 "an endless file has an end" "$rpcsh" --dry-run m k@/dev/zero
	has err 'larger than' "which is told"
}

# msgpack to JSON and back: no byte is another.
round_trips() {
	cat >hexes <<-'END'
		c0 c2 c3 00 7f cc80 cdffff ceffffffff cfffffffffffffffff ff
		d080 d18000 d280000000 d38000000000000000 ca3fc00000
		cb3ff8000000000000 cb7ff8000000000000 cb7ff0000000000000
		cbfff0000000000000 ca7fc00000 cb8000000000000000
		cb3fb999999999999a cb4340000000000001 a0 a161 a1ff c400
		c401ff d40501 c70305010203 d6ff00000000 d7ff0000000100000001
		c70cff3b9ac9ff0000000000000001 90 9301a16190 80 81a161c0
		82a16101a16102 810102 81c0c0 81a2247801 81a42462696ea178
		81a32473740a 8190c3
	END
	# A script each way.
	tr ' ' '\n' <hexes | python3 -c '
import sys
for i, line in enumerate(sys.stdin):
    open(f"mp{i}", "wb").write(bytes.fromhex(line))
    print(f"call --dry-run m --raw @mp{i} -o json")' >there
	"$rpcsh" -f there >jsons 2>err
	python3 -c '
import sys
for i, line in enumerate(sys.stdin):
    open(f"json{i}", "w").write(line)
    print(f"call --dry-run m -d @json{i} -o hex")' <jsons >back
	"$rpcsh" -f back >hexes.back 2>>err
	tr ' ' '\n' <hexes >hexes.there
	[ "$(wc -l <hexes.there)" -eq 44 ] && diff hexes.there hexes.back >lost
	lost=$?
	sed 's/^/# /' lost
	result "$lost" "msgpack to JSON and back, byte by byte"
	"$rpcsh" --dry-run m --int-strings -o json \
	    -d '[9007199254740992,9007199254740993,-9007199254740993]' >out
	grep -q -x '\[9007199254740992,"9007199254740993","-9007199254740993"\]' \
	    out
	result $? "--int-strings quotes what other readers would round"
}

shown() {
	for verb in exec bench 'watch --every 1s'; do
		# shellcheck disable=SC2086 # words are meant to split
		want 0 "--dry-run of $verb" "$rpcsh" -s tcp://127.0.0.1:1 \
			$verb --dry-run m a:=1 b=?
		printf '82a16101a162a13f\n{"a":1,"b":"?"}\n' | cmp -s - out
		result $? 'shows what it would send'
	done
	printf '1\n"x"\n' >lines
	want 0 'of more than one argument' "$rpcsh" bench --dry-run m --in lines
	printf '01\n1\na178\n"x"\n' | cmp -s - out
	result $? 'shows each'
	want 2 'of pushes there is none' "$rpcsh" watch --dry-run a
	want 0 "--dry-run" "$rpcsh" --dry-run m a:=1
	[ "$(cat out)" = "$(printf '81a16101\n{"a":1}')" ]
	result $? "shows bytes and JSON"
	want 0 "with --json" "$rpcsh" --dry-run --json 'a"m' a:=1
	grep -q -x '{"schema":1,"method":"a\\"m","argument":{"a":1},"hex":"81a16101"}' out
	result $? "one object"
	want 0 "of nothing" "$rpcsh" --dry-run --json m
	has out '"argument":null,"hex":""' "is null"
}

forms
places
wrong_items
whole
limits
round_trips
shown
plan
