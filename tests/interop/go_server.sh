#!/bin/sh
# rpcsh and a program on the library call a Go server.  TAP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/interop/lib.sh
. "${SRC_DIR:?}/tests/interop/lib.sh"

# rpcsh as alice, whatever the transport.
sh_as() { # NAME WORDS...
	who=$1
	shift
	"$rpcsh" -s "$where" --certs certs -k "$who" --no-input "$@"
}

# go_want STATUS TEXT WORDS...: rpcsh as alice.
go_want() {
	status=$1
	text=$2
	shift 2
	want "$status" "$text ($at)" "$rpcsh" -s "$where" --certs certs \
		-k alice --no-input "$@"
}

# The same bytes come back, whatever their number.
echoes() {
	for size in 0 1 255 65536 1048576 1200000; do
		head -c $size /dev/urandom >sent
		go_want 0 "echo of $size bytes" echo --raw @sent -o raw
		cmp -s sent out
		result $? 'comes back as it was'
	done
}

many() { # TEXT GOOD WORDS...
	text=$1
	good=$2
	shift 2
	folder=certs
	[ "$at" != tcp ] || folder=-
	want 0 "$text ($at)" "$manycalls" "$where" $folder alice "$@"
	has out "^good $good\$" 'all are right'
}

# Two hundred at once, of which one runs at a time, and each error by its name.
netrpc() {
	folder=certs
	[ "$at" != tcp ] || folder=-
	want 0 "net/rpc ($at)" "$netrpcpeer" call "$where" $folder alice 200
	has out '^good 200$' 'all are right'
	has out '^RK_EREMOTE Arith.Div: divide by zero$' 'a method that fails'
	has out '^RK_ENOMETHOD Arith.Nope: ' 'an unknown method'
	has out '^RK_ENOMETHOD Nope.Add: ' 'an unknown service'
	has out '^RK_ENOMETHOD Add: ' 'no name for it'
}

calls() {
	echoes
	go_want 0 'a value' echo a:=1 'b=x y'
	has out '^{"a":1,"b":"x y"}$' 'comes back as it was'
	go_want 0 'customEcho' customEcho --raw hello
	has out '^ with time customEcho sees this: ' 'adds its line'
	go_want 3 'a method that fails' fail
	has err 'went wrong$' 'says why'
	go_want 8 'an unknown method' nothere
	go_want 8 'no list of methods' ls
	go_want 0 'ping' ping
	go_want 0 'four pings in four seconds and more' ping -n 4 -i 1400ms
	has out '^reply 4 ' 'on connections of their own'
	go_want 0 'what Go sees of a request' header --raw x --subject hi \
		-H k=v --timeout 9s
	has out '^typ=1 seqno=2 callid=44 subject="hi" args=map\[k:v\] deadline=true$' \
		'is all there'
	go_want 5 'a call that takes too long' slow --timeout 300ms
	for word in a b c; do
		go_want 0 'one way' note --raw "$word" --one-way
	done
	until_ok noted abc
	result $? 'one-way messages arrive'
	go_want 0 'pushes between' push --raw x
	has out '^x$' 'the answer is the answer'
	many '2000 calls in flight' '2000 pushes 0 resumed 0' echo 2000 1
	many 'pushes' '20 pushes 60 resumed 0' push 20 1
	if [ "$at" = tls ]; then
		many 'four connections' '40 pushes 0 resumed 3' echo 10 4
	fi
}

# Longer than QUIC keeps a connection on which nothing is said.
idles() {
	go_start "$1" -k node -ping
	want 0 "two pings, 35 s apart ($at)" "$rpcsh" -s "$where" \
		--certs certs -k alice --no-input ping -n 2 -i 35s
	has out '^reply 2 ' 'on one connection'
	go_stop
}

noted() {
	[ "$(sh_as alice notes -o raw | fold -w 1 | sort | tr -d '\n')" = "$1" ]
}

answers_in_s2() {
	go_start "$1" -k node -press s2
	head -c 1048576 /dev/zero >sent
	go_want 0 'what compresses' echo --raw @sent -o raw
	cmp -s sent out
	result $? 'comes back as it was'
	echoes
	many '300 calls' '300 pushes 0 resumed 0' echo 300 1
	go_stop
}

# Go's keepalives while an answer is awaited.
keepalives() {
	go_start "$1" -k node -keepalive 20ms
	go_want 5 'keepalives are no answers' slow --timeout 500ms
	go_want 0 'and do no harm' echo --raw x
	go_stop
}

new_keys() {
	many '1000 calls' '1000 pushes 0 resumed 0' echo 1000 1
	go_want 0 'key updates' updates -o raw
	has out '[1-9]' 'there were some'
}

servers_known() { # TRANSPORT
	: >known_server_keys
	chmod 600 known_server_keys
	go_start "$1" -k node
	go_want 0 'a list to record in' echo --raw x
	has known_server_keys ':node@example.org$' 'has the Go server'
	chmod 400 known_server_keys
	go_want 0 'locked: a known one' echo --raw x
	go_stop
	go_start "$1" -k other
	go_want 6 'locked: another key' echo --raw x
	[ ! -s out ]
	result $? 'gets nothing'
	go_stop
	rm -f known_server_keys
}

refusals() { # TRANSPORT
	go_start "$1" -certs other/certs -k node
	go_want 6 'a server of another CA' echo --raw x
	go_stop
	go_start "$1" -certs certs -k node
	want 6 "a client of another CA ($1)" "$rpcsh" -s "$where" \
		--certs mixed -k alice --no-input echo --raw x
	want 6 "a client without a certificate ($1)" "$rpcsh" -s "$where" \
		--certs certs --server-only --no-input echo --raw x
	go_want 0 'afterwards' echo --raw x
	go_stop
}

# Our daemon's list is Go's as well.  Go refuses a TLS client by saying nothing
# more on an open socket.
lists() { # TRANSPORT
	: >list
	chmod 600 list
	check 'rpcd' start 1 --listen tls:127.0.0.1:0 --known list
	want 0 'a list that rpcd records in' alice echo --raw x
	stop
	chmod 400 list
	go_start "$1" -k node -known list
	go_want 0 'Go goes by it' echo --raw x
	want 5 'and refuses others, in silence' "$rpcsh" -s "$where" \
		--certs certs -k mallory --no-input --timeout 2s echo --raw x
	has err '^try:.*rpcd ctl trust approve' 'for which there is advice'
	go_stop
}

certificates
strangers
"$selfy" -k other -e other@example.org -nopass >out 2>err
result $? 'a certificate for another server'
for transport in $transports; do
	go_start "$transport" -k node
	calls
	netrpc
	[ "$transport" != quic ] || new_keys
	go_stop
	answers_in_s2 "$transport"
	keepalives "$transport"
	[ -z "${LONG:-}" ] || idles "$transport"
	[ "$transport" != tcp ] || continue
	servers_known "$transport"
	refusals "$transport"
	[ "$transport" != tls ] || lists tls
done
skipped_quic 'rpcsh to Go'
plan
