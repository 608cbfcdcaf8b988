#!/bin/sh
# What rpcsh remembers of a server's methods: lists, descriptions, completion.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

methods=.cache/rpckit/methods

words() { # TEXT WANTED KIND PREFIX WORD...: what completion is told
	text=$1
	wanted=$2
	shift 2
	"$rpcsh" __complete-words "$@" >out 2>err
	[ "$(cat out)" = "$wanted" ]
	result $? "$text"
}

asked() {
	want 8 'nothing is known at first' plain ls --cached
	has err 'its methods are not known yet$' 'which is said'
	want 4 'a server that is away' "$rpcsh" -s tcp://127.0.0.1:1 ls
	want 0 'a list' plain ls
	cp out listed
	[ "$(stat -c %a $methods/tcp_127.0.0.1_*.json)" = 600 ] &&
		python3 -m json.tool $methods/tcp_127.0.0.1_*.json >/dev/null
	result $? 'is kept as JSON, for nobody else'
	want 0 'a description' plain desc Shop.Order
	cp out described
	has described '^  rpcsh Shop.Order Item=TEXT' 'with an example'
	want 0 '--refresh' plain ls --refresh
	want 2 'not beside --cached' plain ls --refresh --cached
	port=$(url tcp)
	port=${port##*:}
}

shortened() {
	want 0 'the end of a name, if it is of one' plain Order Item=x
	has err '^rpcsh: Order is Shop.Order here$' 'is enough, and said'
	has out '"Item":"x"' 'and called as it is'
	want 2 'with its fields' plain Order Itme=x
	has err 'did you mean "Item"' 'checked'
	want 0 'and described' plain desc Order
	cmp -s out described
	result $? 'as it is'
	want 8 'elsewhere' plain exec -n Order
	has err 'did you mean "Shop.Order"' 'it is a guess'
	want 8 'no end of a name' plain ell
}

completed() {
	at=tcp://127.0.0.1:$port
	words 'methods' Shop.Order method Sh -s "$at"
	words 'the same of a flag' Shop.Order method Sh --tcp -s "127.0.0.1:$port"
	words 'not of another server' '' method Sh
	words 'fields of a schema' "$(printf 'Item=\nCount:=\nGift:=\nWeight:=\nExtras:=\nPassword=')" \
		item '' -s "$at" Shop.Order
	words 'of the beginning' 'Item=' item It -s "$at" call Shop.Order
	words 'of no other method' '' item It -s "$at" call count
	: >file.txt
	words 'files behind a sign' 'Item=@file.txt' item 'Item=@fi' \
		-s "$at" call Shop.Order
	mkdir -p .config/rpckit/contexts pairs
	: >pairs/ann.key
	: >pairs/bob.key
	echo "server = $at" >.config/rpckit/contexts/lab.conf
	words 'methods of a context' Shop.Order method Sh -c lab
	words 'keys' ann key a --certs pairs
	words 'servers, of which there are none' '' server ''
}

spelled() {
	sed "s|tcp://127.0.0.1:$port|tcp://name.example:1|" \
		$methods/tcp_127.0.0.1_"$port".json \
		>$methods/tcp_name.example_1.json
	for s in tcp://name.example:1 tcp://NAME.Example:1 tcp://name.example.:1; do
		want 0 "$s is one server" "$rpcsh" -s "$s" ls --cached
		cmp -s out listed || not_ok 'which it is'
	done
	want 8 'another port is none' "$rpcsh" -s tcp://name.example:2 ls --cached
	cp $methods/tcp_name.example_1.json $methods/tcp_name.example_3.json
	want 8 'nor is a file with another name' "$rpcsh" \
		-s tcp://name.example:3 ls --cached
	sed "s|tcp://127.0.0.1:$port|tcp://[fe80::1%eth0]:1|" \
		$methods/tcp_127.0.0.1_"$port".json \
		>$methods/tcp__fe80__1_eth0__1.json
	want 0 'an address in any form' "$rpcsh" \
		-s 'tcp://[FE80:0:0::0:1%25eth0]:1' ls --cached
}

# What a server called its methods and fields reaches no terminal as it is.
hostile() {
	sed "s|tcp://127.0.0.1:$port|tcp://evil.example:1|
		s|\"Item\"|\"It\\\\u001b[2Jem\"|g; s|Count|\\\\u009bCount|g
		s|\"tell\"|\"te\\\\u0007ll\"|g" \
		$methods/tcp_127.0.0.1_"$port".json \
		>$methods/tcp_evil.example_1.json
	has $methods/tcp_evil.example_1.json 'It.u001b.2Jem' 'names with controls'
	words 'fields with controls are not offered' \
		"$(printf 'Gift:=\nWeight:=\nExtras:=\nPassword=')" \
		item '' -s tcp://evil.example:1 Shop.Order
	want 0 'such a method' "$rpcsh" -s tcp://evil.example:1 desc --cached \
		Shop.Order
	has out 'It.x1b.2Jem' 'is shown'
	cat out err >shown
	words 'nor are such methods' '' method te -s tcp://evil.example:1
	want 0 'and their list' "$rpcsh" -s tcp://evil.example:1 ls --cached
	cat out err >>shown
	! tr -d '\n' <shown | LC_ALL=C grep -q '[[:cntrl:]]'
	result $? 'have none on a terminal'
}

remembered() {
	want 0 'the list of one that is gone' plain ls
	cmp -s out listed
	result $? 'is as it was'
	has err 'refused; this is what it said at 20..-' 'which is said'
	want 0 'so is a description' plain desc Shop.Order
	cmp -s out described
	result $? 'with its example and its fields'
	want 0 'in JSON' plain --json desc Shop.Order
	has out '"schema":{' 'with the schema'
	want 8 'what was not there' plain desc Shop.Odrer
	has err 'Shop.Odrer: no such method at 20' 'is not'
	want 4 '--refresh wants the server' plain ls --refresh
	want 0 '--cached does not' plain ls --cached
	[ ! -s err ]
	result $? 'and says nothing'
	want 0 'nor keys' "$rpcsh" -s "tcp://127.0.0.1:$port" --certs none \
		desc --cached Shop.Order
	chmod 666 $methods/*.json
	want 4 'what anybody may write' plain ls
	want 8 'is not believed' plain ls --cached
	chmod 600 $methods/*.json
	for bad in '{' '[]' '{"server":1,"methods":[]}' \
		"{\"server\":\"tcp://127.0.0.1:$port\",\"methods\":{}}" \
		"{\"server\":\"tcp://127.0.0.1:$port\",\"methods\":[1,{}]}"; do
		echo "$bad" >$methods/tcp_127.0.0.1_"$port".json
		"$rpcsh" -s "tcp://127.0.0.1:$port" ls --cached >out 2>err
		got=$?
		[ $got -eq 8 ] || [ $got -eq 1 ] || [ $got -eq 4 ]
		result $? "$bad is none ($got)"
	done
}

main() {
	check 'a server' start_own typedserver
	asked
	shortened
	completed
	spelled
	hostile
	stop >/dev/null
	remembered
	plan
}

main
