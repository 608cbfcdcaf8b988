#!/bin/sh
# rpcd takes new settings while it runs: all of them, or none.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

live_conf() {
	cat >live.conf.new <<-END
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		$1
		admin = $PWD/admin
		[method one]
		exec = /bin/echo $2
		reply = raw
	END
	mv live.conf.new live.conf
}

hup() { # PATTERN TEXT: reload, and the log says it once more
	before=$(grep -c -e "$1" log)
	kill -HUP "$daemon"
	until_ok said_again "$1" "$before"
	result $? "$2"
}

said_again() {
	[ "$(grep -c -e "$1" log)" -gt "$2" ]
}

# Whoever makes the daemon let in more than before finds it in the log, and in
# the audit; who makes it stricter is not warned.  What an order made of the
# mode is what it was.
looser() {
	for mode in lock ask open off ask; do
		live_conf "known-clients = list3
		trust = $mode" mode
		hup 'reloaded' "trust = $mode"
	done
	live_conf "known-clients = list3
		trust = open" mode
	hup 'reloaded' 'trust = open once more'
	want 0 'an order' "$rpcd" ctl --socket "$PWD/admin" trust mode ask
	hup 'reloaded' 'the same settings'
	grep 'looser since' log | sed 's/.*reload: //' >out
	printf '%s\n' 'ask, and was lock' 'open, and was ask' \
		'off, and was open' 'open, and was ask' 'open, and was ask' |
		cmp - out
	result $? 'what lets in more is a warning'
	live_conf 'known-clients = list2' seventh
	hup 'reloaded' 'as before'
}

reloading() {
	live_conf '' first
	check 'a daemon to reload' start 2 -f live.conf
	want 0 'the first file' plain call one
	has out '^first$' 'is in force'
	live_conf 'log-level = debug' second
	hup 'reloaded' 'a good file is taken'
	want 0 'the second file' plain call one
	has out '^second$' 'is in force'
	logged 'tcp://127.*: open' 'so is its log level'
	live_conf 'lisen = x' third
	hup 'old settings stay' 'a bad file is not'
	has log '^rpcd: live.conf:3: unknown key "lisen"' 'for this reason'
	want 0 'the second file' plain call one
	has out '^second$' 'is still in force'
	live_conf 'threads = 2' fourth
	hup 'threads has changed: .*next start' 'threads cannot change'
	want 0 'the rest of the file' plain call one
	has out '^fourth$' 'does'
	rm live.conf
	hup 'old settings stay' 'no file is no settings'
	live_conf 'known-clients = missing' fifth
	hup 'reloaded' 'another list'
	live_conf '' sixth
	mv certs/node.key node.key
	hup 'old settings stay' 'a key that is gone changes nothing'
	want 0 'the fifth file' plain call one
	has out '^fifth$' 'is still in force'
	want 0 'TLS' alice call echo --raw x
	mv node.key certs/node.key
	was=$(fingerprint node)
	want 0 'a new key' "$selfy" -k node -force -nopass
	[ "$(fingerprint node)" != "$was" ]
	result $? 'is another one'
	hup 'reloaded' 'and taken'
	: >known_server_keys
	chmod 600 known_server_keys
	want 0 'clients' alice call echo --raw x
	key=$("$selfy" -v certs/node.crt | sed -n 's/^ *key id *//p')
	has known_server_keys "${key:?}" 'see the new one'
	rm -f known_server_keys
	want 0 'a client is revoked' "$selfy" -revoke certs/mallory.crt
	hup 'reloaded' 'a reload'
	want 6 'shuts it out' mallory call echo --raw x
	want 0 'and nobody else' alice call echo --raw x
	live_conf 'known-clients = list2' seventh
	: >list2
	chmod 600 list2
	hup 'reloaded' 'a list'
	want 0 'records' alice call echo --raw x
	cp -p list2 list3
	rm list2
	hup 'list2: was there and is gone' 'one that is gone stays gone'
	want 6 'nobody is let in without it' alice call echo --raw x
	: >list2
	chmod 600 list2
	looser
	i=0
	while [ $i -lt 20 ]; do
		kill -HUP "$daemon"
		i=$((i + 1))
	done
	want 0 'many at once do no harm' plain call one
	stop
	result $? 'end'
}

mallory() {
	"$rpcsh" -s "$(url tls)" --certs certs -k mallory "$@"
}

certificates
reloading
plan
