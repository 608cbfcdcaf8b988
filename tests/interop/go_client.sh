#!/bin/sh
# A Go client calls rpcd: calls of every form, and whom rpcd lets in.  TAP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/interop/lib.sh
. "${SRC_DIR:?}/tests/interop/lib.sh"

conf() {
	: >noted
	cat >rpcd.conf <<-END
		[method fail]
		exec  = /bin/sh -c 'echo went wrong >&2; exit 3'
		[method slow]
		exec  = /bin/sleep 10
		[method note]
		exec  = /bin/sh -c 'cat >>$tmp/noted'
		concurrency = 64
		[method notes]
		exec  = /bin/cat $tmp/noted
	END
}

# One daemon for all transports.
serve() {
	set -- "$@" -f rpcd.conf
	for transport in $transports; do
		set -- "$@" --listen "$transport:127.0.0.1:0"
	done
	# shellcheck disable=SC2086
	check 'rpcd' start "$(echo $transports | wc -w)" "$@"
}

calls() { # TRANSPORT
	name="Go to rpcd over $1"
	go_checks "$name" "$(url "$1")" -k alice echo customEcho fields numbers \
		big largest fail unknown unserved deadline past cancel oneway \
		pipeline sequence keepalive
	go_checks "$name, S2" "$(url "$1")" -k alice -press s2 \
		echo fields big pipeline
	[ "$1" = tcp ] || go_checks "$name, resumed" "$(url "$1")" -k alice \
		-resume echo echo
	if [ "$1" != tcp ]; then
		[ "$(grep -c '"resumed":true' results)" -eq 1 ]
		result $? "$name: the second connection resumed the first"
	fi
	if [ -n "${LONG:-}" ]; then
		go_checks "$name" "$(url "$1")" -k alice -keepalive 10s idle
	fi
}

refusals() { # TRANSPORT
	go_refused "no certificate ($1)" 'tls: certificate required' \
		"$(url "$1")"
	go_refused "a certificate of another CA ($1)" \
		'bad certificate' "$(url "$1")" -certs mixed -k alice
	go_refused "a client of another CA ($1)" \
		'certificate signed by unknown authority' \
		"$(url "$1")" -certs other/certs -k alice
	go_checks "afterwards ($1)" "$(url "$1")" -k alice echo
}

# What was recorded over one transport counts for all.
lists() {
	: >known_client_keys
	chmod 600 known_client_keys
	serve
	go_checks 'a list to record in' "$(url tls)" -k alice echo
	has known_client_keys ':alice@example.org$' 'has the Go client'
	chmod 400 known_client_keys
	for transport in $transports; do
		[ "$transport" != tcp ] || continue
		go_checks "locked: a known one ($transport)" \
			"$(url "$transport")" -k alice echo
		go_refused "locked: a stranger ($transport)" '' \
			"$(url "$transport")" -k mallory
	done
	stop
	# And a list that Go made.
	: >golist
	chmod 600 golist
	go_start tls -k node -known golist
	go_checks 'a list that Go records in' "$where" -k mallory echo
	go_stop
	has golist ':mallory@example.org$' 'has its client'
	chmod 400 golist
	serve --known golist
	go_checks 'rpcd goes by it' "$(url tls)" -k mallory echo
	go_refused 'and refuses others' '' "$(url tls)" -k alice
	stop
	rm -f known_client_keys
}

# The Go client's own list, of servers.
servers_known() { # TRANSPORT
	: >goservers
	chmod 600 goservers
	go_checks "a server to record ($1)" "$(url "$1")" -k alice \
		-known goservers echo
	has goservers ':node@example.org$' 'Go has rpcd in its list'
	"$selfy" -k "other-$1" -e other@example.org -nopass >out 2>err
	result $? 'another key for rpcd'
	chmod 400 goservers
	go_checks "a known server ($1)" "$(url "$1")" -k alice \
		-known goservers echo
	first=$daemon
	check 'rpcd with the other key' start 1 -k "other-$1" \
		--listen "$1:127.0.0.1:0"
	go_refused 'Go refuses it' 'known keys: locked' "$(url "$1")" \
		-k alice -known goservers
	stop
	daemon=$first
}

# A server of ours that has what net/rpc calls.
netrpc() { # TRANSPORT
	folder=certs
	[ "$1" != tcp ] || folder=-
	: >ready
	"$netrpcpeer" serve "$1://127.0.0.1:0" $folder node </dev/null \
		>ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok ready 1 && ! ended "$daemon"
	result $? "a server of structs ($1)"
	go_checks "net/rpc from Go over $1" "$(sed 's/^listening //' ready)" \
		-k alice netrpc netmany
	stop
	result $? "it was there to the end ($1)"
}

certificates
strangers
for transport in $transports; do
	netrpc "$transport"
done
conf
serve
for transport in $transports; do
	calls "$transport"
	[ "$transport" = tcp ] || refusals "$transport"
done
skipped_quic 'Go to rpcd'
stop
result $? 'rpcd ends as told'
lists
for transport in $transports; do
	[ "$transport" != tcp ] || continue
	check 'rpcd' start 1 --listen "$transport:127.0.0.1:0"
	servers_known "$transport"
	stop
	result $? 'rpcd ends as told'
done
plan
