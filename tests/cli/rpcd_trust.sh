#!/bin/sh
# Whom rpcd believes, and who it is: lists, certificates, keys.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# way_out TEXT LIST MODE ADVICE: a start fails, and so does -t, with that.
way_out() {
	want 1 "$1: no start" "$rpcd" --listen tls:127.0.0.1:0 --certs certs \
		-k node --known "$2" --trust "$3"
	has err "^try: $4" "$1: says the way out"
	sed -n 's/^try: //p' err >way
	want 1 "$1: -t" "$rpcd" --listen tls:127.0.0.1:0 --certs certs \
		-k node --known "$2" --trust "$3" -t
	sed -n 's/^rpcd: try: //p' err | cmp - way >out
	result $? "$1: -t says the same"
}

trust() {
	set -- --listen tls:127.0.0.1:0
	: >known_client_keys
	chmod 600 known_client_keys
	check 'an open list' start 1 "$@"
	want 0 'a new client' alice call echo --raw x
	has known_client_keys ':alice@example.org$' 'is recorded'
	chmod a-w known_client_keys
	want 0 'locked: a known one' alice call echo --raw x
	has out '^x$' 'is served'
	want 6 'locked: a stranger' "$rpcsh" -s "$(url tls)" --certs certs \
		-k mallory call echo --raw x
	[ ! -s out ]
	result $? 'gets nothing'
	logged 'locked' 'the log says why'
	stop
	chmod 600 known_client_keys
	check '--trust lock' start 1 "$@" --trust lock
	want 6 'locks a writable list' "$rpcsh" -s "$(url tls)" \
		--certs certs -k mallory call echo --raw x
	stop
	chmod 400 known_client_keys
	check '--trust off' start 1 "$@" --trust off
	want 0 'asks no list' "$rpcsh" -s "$(url tls)" --certs certs \
		-k mallory call echo --raw x
	stop
	check '--known' start 1 "$@" --known nowhere/list
	want 0 'absent: every certificate of the CA' "$rpcsh" -s "$(url tls)" \
		--certs certs -k mallory call echo --raw x
	stop
	: >empty
	chmod 400 empty
	want 1 'locked and empty: no start' "$rpcd" "$@" --known empty
	has err '^rpcd: .*empty: locked and without a key' 'with the reason'
	has err '^try: chmod u+w' 'and what to do'
	way_out 'locked and empty' empty open 'chmod u+w the list to record'
	way_out 'with decisions' empty ask 'chmod u+w the list, so that it'
	way_out 'by its mode' empty lock 'put keys .* or trust = open'
	way_out 'and absent' none lock 'put keys .* or trust = open'
	way_out 'without a list' none ask 'install -m 600 /dev/null LIST'
	rm -f known_client_keys
}

# mallory, whatever is answered.
stranger() {
	"$rpcsh" -s "$(url tls)" --certs certs -k mallory call echo --raw x
}

flood() {
	: >open
	chmod 600 open
	cat >flood.conf <<-END
		listen = tls:127.0.0.1:0
		known-clients = open
		max-new-keys = 1
	END
	check 'a list that takes one new key a minute' start 1 -f flood.conf
	want 0 'takes the first' alice call echo --raw x
	want 6 'and no other' stranger
	mv err limited
	logged 'key SHA256:.* is not in open, which takes no more than 1 new keys a minute' \
		'which the log says'
	want 0 'known ones are served' alice call echo --raw x
	kill -HUP "$daemon"
	logged 'reloaded' 'a reload'
	want 6 'does not forget' stranger
	sed -i 's/= 1$/= 0/' flood.conf
	: >log
	kill -HUP "$daemon"
	logged 'reloaded' 'without a limit'
	want 0 'strangers come in' stranger
	chmod a-w open
	sed -i /mallory/d open
	want 6 'a locked list' stranger
	sed 's/:[0-9][0-9]*/:PORT/' limited >limited.said
	sed 's/:[0-9][0-9]*/:PORT/' err >locked.said
	cmp -s limited.said locked.said
	result $? 'answers a client just like one that has had enough'
	stop
	want 0 '-T' "$rpcd" -T -f flood.conf
	has out '^max-new-keys = 0$' 'shows the limit'
	echo 'max-new-keys = 10001' >>flood.conf
	want 1 'a limit beyond reason' "$rpcd" -t -f flood.conf
}

# The line of a key in a list is the decision about it.
ask() {
	set -- --listen tls:127.0.0.1:0 --known asked
	want 1 'ask: no list' "$rpcd" "$@" --trust ask
	has err '^rpcd: .*asked: is not there, and who is approved' \
		'with the reason'
	has err '^try: install -m 600' 'and what to do'
	install -m 600 /dev/null asked
	check 'a list that records' start 1 "$@" --trust open
	want 0 'a stranger is recorded' stranger
	stop
	mv asked line
	install -m 600 /dev/null asked
	printf 'trust-wait = 5m\n' >wait.conf
	check 'one that is asked about' start 1 "$@" --trust ask -f wait.conf
	: >err
	stranger >waited 2>err &
	guest=$!
	logged 'key SHA256:.* (mallory@example.org) waits for a decision: new' \
		'the stranger waits'
	kill -HUP "$daemon"
	logged 'reloaded' 'also over a reload'
	[ ! -s waited ]
	result $? 'and is told nothing'
	grep mallory line >>asked
	wait "$guest"
	result $? 'a line lets it in'
	grep -qx x waited
	result $? 'and its call is answered'
	want 0 'it is known now' stranger
	stop
	install -m 600 /dev/null asked
	cat >ask.conf <<-END
		listen = tls:127.0.0.1:0
		known-clients = asked
		trust = ask
		trust-wait = 4s
	END
	check 'with a setting' start 1 -f ask.conf
	want 4 'who waits in vain is cut off' stranger
	logged 'no decision about the peer within 4 s' 'which the log says'
	stop
	want 0 '-T' "$rpcd" -T -f ask.conf
	has out '^trust = ask$' 'shows the mode'
	has out '^trust-wait = 4s$' 'and the time'
}

# SQL: what another program says to the store, and is told.
decide() {
	timeout 60 python3 -c '
import sqlite3, sys
db = sqlite3.connect("kept.db", isolation_level=None)
for row in db.execute(sys.argv[1]):
    print(*row, sep="|")
' "$1"
}

# Who waits, and who is out, stays so over a daemon's sudden end.
kept() {
	set -- --listen tls:127.0.0.1:0 --known kept
	install -m 600 /dev/null kept
	check 'a list that keeps no decisions' start 1 "$@"
	stop
	[ ! -e kept.db ]
	result $? 'has no store beside it'
	want 0 '-t with ask' "$rpcd" -t "$@" --trust ask
	[ ! -e kept.db ]
	result $? 'makes none either'
	check 'one that is asked about' start 1 "$@" --trust ask
	stranger >waited 2>err &
	guest=$!
	logged 'waits for a decision: new' 'a stranger waits'
	kill -KILL "$daemon"
	wait "$daemon" "$guest"
	[ "$(stat -c %a kept.db)" = 600 ]
	result $? 'it is in the store, which is private'
	key=$("$selfy" -fp certs/mallory.crt | grep -o 'SHA256:[^ ]*')
	check 'after the end' start 1 "$@" --trust ask
	decide 'SELECT tries, first_seen > 0 FROM keys WHERE state = 1' >out
	has out '^1|1$' 'it waits still'
	decide "UPDATE keys SET state = 5 WHERE fp = '$key'"
	want 6 'rejected in the store' stranger
	logged "key $key was rejected here" 'it is refused by a running daemon'
	kill -KILL "$daemon"
	wait "$daemon"
	check 'one that lets strangers in' start 1 "$@"
	want 6 'refuses it, too' stranger
	logged "key $key was rejected here" 'for that reason'
	stop
	rm -f kept.db-wal kept.db-shm
	printf 'This is no database, and long enough to be none.\n' >kept.db
	want 1 '-t with a damaged store' "$rpcd" -t "$@"
	has err 'kept.db: is not a trust store' 'names it'
	want 10 'no start with it' "$rpcd" "$@" --trust ask
	has err '^rpcd: .*kept.db: is not a trust store' 'says why'
	has err '^try: put a copy of it back' 'and the way out'
	rm -f kept.db
	want 1 'gone is not forgotten' "$rpcd" "$@"
	has err 'kept.db: was there and is gone' 'and says so'
	rm -f kept
}

# FROM TO: with the passphrase in pass, and quickly opened.
encrypt() {
	openssl pkcs8 -topk8 -in "$1" -out "$2" -passout file:pass \
		-iter 2048 && chmod 600 "$2"
}

keys() {
	set -- --listen tls:127.0.0.1:0
	want 8 'no certificates' "$rpcd" "$@" --certs nowhere
	has err '^try: selfy -k node' 'says how to make some'
	want 2 'no name' "$rpcd" "$@" -k ../node
	printf 'correct horse\n' >pass
	printf 'wrong\n' >wrong
	chmod 600 pass wrong
	want 0 'an encrypted key' encrypt certs/node.key certs/safe.key
	cp certs/node.crt certs/safe.crt
	check 'opened with --pass file:' start 1 "$@" -k safe \
		--pass file:pass
	rm -f pass
	kill -HUP "$daemon"
	logged 'reloaded' 'a reload does not need it again'
	want 0 'and it serves' alice call echo --raw x
	stop
	want 7 'a wrong passphrase' "$rpcd" "$@" -k safe --pass file:wrong
	want 7 'nobody to ask' "$rpcd" "$@" -k safe --no-input
	has err '--pass' 'names the flag'
	want 8 'no file with a passphrase' "$rpcd" "$@" -k safe \
		--pass file:nopass
	has err '^rpcd: --pass: nopass: No such file' 'names the flag too'
	[ "$(wc -l <err)" = 1 ]
	result $? 'and advises no new certificates'
	want 2 'a passphrase in the open' "$rpcd" "$@" -k safe --pass pass:x
}

# A certificate NAME for clientAuth or serverAuth alone.
only_for() {
	openssl req -new -newkey ed25519 -nodes -keyout "certs/$1.key" \
		-subj "/CN=$1" -out only.csr 2>/dev/null &&
		printf 'extendedKeyUsage=%s\n' "$2" >only.ext &&
		openssl x509 -req -in only.csr -CA certs/ca.crt -days 9 \
			-CAkey my-keep-private-dir/ca.key -extfile only.ext \
			-out "certs/$1.crt" 2>/dev/null &&
		chmod 600 "certs/$1.key"
}

wrong_use() {
	set -- --listen tls:127.0.0.1:0
	check 'a certificate for clients' only_for guest clientAuth
	check 'one for servers' only_for host serverAuth
	want 6 'no server starts with the first' "$rpcd" "$@" -k guest
	has err '"guest": not made for a server$' 'which says why'
	want 1 '-t' "$rpcd" "$@" -k guest -t
	has err '"guest": not made for a server$' 'knows it, too'
	want 0 'unless nobody is authenticated' \
		"$rpcd" "$@" -k guest -t --skip-verify
	check 'one starts with the second' start 1 "$@" -k host
	want 0 'a client with the first' "$rpcsh" -s "$(url tls)" -k guest \
		call echo --raw x
	want 6 'none with the second' "$rpcsh" -s "$(url tls)" -k host \
		call echo --raw x
	has err '"host": not made for a client$' 'says so itself'
	stop
	{
		printf 'listen = tls:127.0.0.1:0\nkey = host\n'
		printf '[method one]\nexec = /bin/echo before\n'
		printf 'allow = nobody@example.org\n[method two]\n'
		printf 'exec = /bin/echo before\n'
	} >use.conf
	check 'from a file' start 1 -f use.conf
	sed -i '/allow/d; s/host/guest/; s/before/after/; s/two/three/' use.conf
	kill -HUP "$daemon"
	logged 'not reloaded' 'a reload does not take the first'
	want 3 'and nobody may call more' "$rpcsh" -s "$(url tls)" -k guest \
		call one --out -
	want 0 'or less' "$rpcsh" -s "$(url tls)" -k guest call two --out -
	has out '^before$' 'or anything else'
	want 8 'than before' "$rpcsh" -s "$(url tls)" -k guest call three
	want 0 'and goes on with the second' "$rpcsh" -s "$(url tls)" \
		-k guest call echo --raw x
	stop
}

# -t with certs/ changed by a command, in a copy of it.
broken() { # TEXT PATTERN COMMAND...
	title=$1
	pattern=$2
	shift 2
	rm -rf copy
	cp -a certs copy
	echo 'certs = copy' >copy.conf
	"$@" >/dev/null 2>&1
	want 1 "-t: $title" "$rpcd" -t --no-input -f copy.conf
	has err "$pattern" 'is said with file and line'
}

certificates_checked() {
	broken 'no CA' '^rpcd: copy.conf:1: copy/ca.crt: ' rm copy/ca.crt
	broken 'no certificate' '^rpcd: copy.conf:1: copy/node.crt: ' \
		rm copy/node.crt
	broken 'no key' '^rpcd: copy.conf:1: copy/node.key: ' rm copy/node.key
	broken 'the key of another' '^rpcd: copy.conf:1: .*key' \
		cp copy/alice.key copy/node.key
	broken 'a key that others can read' '^rpcd: copy.conf:1: .*chmod' \
		chmod 644 copy/node.key
	broken 'a torn certificate' '^rpcd: copy.conf:1: copy/node.crt: ' \
		truncate -s 100 copy/node.crt
	broken 'a CRL that is none' '^rpcd: copy.conf:1: copy/ca.crl: ' \
		cp copy/ca.crt copy/ca.crl
	printf 'passphrase\n' >pass
	chmod 600 pass
	broken 'a key nobody opens' '^rpcd: .*passphrase' \
		encrypt certs/node.key copy/node.key
	echo 'pass = file:pass' >>copy.conf
	want 0 '-t: a key that is opened' "$rpcd" -t -f copy.conf
	echo wrong >pass
	want 1 '-t: a wrong passphrase' "$rpcd" -t -f copy.conf
	has err '^rpcd: copy.conf:2: ' 'blames the source'
	rm -f pass
	want 1 '-t: no file with a passphrase' "$rpcd" -t -f copy.conf
	has err '^rpcd: copy.conf:2: pass: No such file' 'blames it, too'
	old=$(date -u -d '2 days ago' +%Y%m%d%H%M%SZ)
	yesterday=$(date -u -d yesterday +%Y%m%d%H%M%SZ)
	broken 'a certificate that has ended' '^rpcd: copy.conf:1: .*ended' \
		expired "$old" "$yesterday"
}

# copy/node.crt again, for the time from $1 to $2.
expired() {
	openssl req -new -key copy/node.key -subj /CN=node -out node.csr &&
		printf '[x]\n%s\n%s\n%s\n' 'subjectAltName=DNS:localhost' \
			'extendedKeyUsage=serverAuth,clientAuth' \
			'keyUsage=critical,digitalSignature' >ext &&
		: >index.txt && echo 01 >serial &&
		printf '%s\n' '[ca]' 'default_ca=d' '[d]' \
			'database=index.txt' 'serial=serial' \
			'new_certs_dir=.' 'policy=p' 'default_md=default' \
			'[p]' 'commonName=supplied' >ca.conf &&
		openssl ca -batch -config ca.conf -in node.csr \
			-cert copy/ca.crt -keyfile my-keep-private-dir/ca.key \
			-startdate "$1" -enddate "$2" -extfile ext \
			-extensions x -notext -out copy/node.crt
}

# A key whose opening takes a while on purpose.
slow_key() {
	printf 'correct horse\n' >pass
	chmod 600 pass
	want 0 'a key that is slowly opened' openssl pkcs8 -topk8 \
		-in certs/node.key -out certs/slow.key -passout file:pass \
		-iter 300000
	chmod 600 certs/slow.key
	cp certs/node.crt certs/slow.crt
	check 'is opened at start' start 2 -k slow --pass file:pass \
		--listen tls:127.0.0.1:0 --listen tcp:127.0.0.1:0
	kill -HUP "$daemon"
	logged reloading 'and again for a reload'
	want 0 'while calls are answered' plain --timeout 20s \
		call echo --raw x
	kill -HUP "$daemon"
	kill -HUP "$daemon"
	logged 'reloaded' 'until it is done'
	stop
	result $? 'nothing keeps it from ending'
}

certificates
trust
flood
ask
kept
keys
wrong_use
certificates_checked
slow_key
plan
