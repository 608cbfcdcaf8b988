#!/bin/sh
# rpcd ctl trust: strangers who wait, are seen, and are decided about.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

view() {
	timeout 60 "$rpcd" ctl --socket view "$@"
}

# comes NAME: it calls, in the background: process in $guest, answer in NAME.out
comes() {
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" --timeout 5m \
		call echo --raw x </dev/null >"$1.out" 2>"$1.err" &
	guest=$!
	daemons="$daemons $guest"
}

waits() { # PATTERN
	ctl trust ls --state waiting --plain | grep -q -e "$1"
}

await_wait() { # PATTERN TEXT
	until_ok waits "$1"
	result $? "$2"
}

# A certificate NAME with an e-mail as OpenSSL's configuration writes it, unasked.
mailed() { # NAME EMAIL
	openssl req -new -newkey ed25519 -nodes -keyout "certs/$1.key" \
		-subj "/CN=$1" -out mailed.csr 2>/dev/null &&
		printf 'subjectAltName=email:%s\n' "$2" >ext &&
		openssl x509 -req -in mailed.csr -CA certs/ca.crt -days 9 \
			-CAkey my-keep-private-dir/ca.key -extfile ext \
			-out "certs/$1.crt" 2>/dev/null &&
		chmod 600 "certs/$1.key"
}

# Lists, one entry and words about it: nothing but printable ASCII.
only_shown() { # KEY WORDS...
	key=$1
	shift
	{
		ctl trust ls "$@"
		ctl trust ls --state known "$@"
		ctl trust show "$key" "$@"
	} >out 2>err
	[ "$(cat out err log | tr -d '\n\t\40-\176' | wc -c)" = 0 ]
	result $? "is escaped: $*"
}

conf() {
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\nadmin-view = %s\n' \
		"$tmp/admin" "$tmp/view" >ctl.conf
	printf 'known-clients = known\ntrust = ask\ntrust-wait = 5m\n' \
		>>ctl.conf
}

# What happens before it has subscribed is not told.
is_watching() {
	ctl trust mode ask >out 2>&1
	grep -q '	mode	\|"event":"mode"' watched
}

approves() {
	"$rpcd" ctl --socket admin conns -w --plain >watched 2>&1 &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok is_watching
	want 0 'nobody' ctl trust ls --plain
	[ ! -s out ]
	result $? 'waits'
	comes alice
	fp=$(fingerprint alice)
	await_wait "^new	alice@example.org	$fp	1	20[0-9T:-]*Z	127.0.0.1$" \
		'a stranger does'
	until_ok grep -q "	arrived	.*	alice@example.org	$fp	new$" watched
	result $? 'conns -w tells'
	want 0 'status' ctl status
	has out '^[^ ]* 0\..*   trust ask, 0 known, 1 waiting, 0 rejected$' 'counts'
	want 0 'a table' ctl trust ls
	has out '^STATE  *EMAIL  *KEY' 'has a head'
	want 0 'show' ctl trust show "$(printf '%.15s' "$fp")"
	has out '^email  alice@example.org$' 'has who it is'
	want 0 'for scripts' ctl trust show "$fp" --plain
	has out "^fingerprint	$fp\$" 'has its name and a tab before each'
	has out '^addresses	127\.0\.0\.1$' 'as it is'
	want 0 'in JSON' ctl trust show "$fp" --json
	has out "^{\"schema\":1,\"state\":\"new\".*\"$fp\"" 'too'
	has out '"address":"127.0.0.1".*"cn":"alice"' 'by its host and name'
	want 0 'the list' ctl trust ls
	has out ' 127\.0\.0\.1  ' 'has the host alone'
	want 6 'the other socket shows' view trust approve "$fp"
	has err 'not allowed' 'and does not decide'
	want 0 'approve' ctl trust approve "$(printf '%.12s' "$fp")" \
		"$(printf %s "$fp" | cut -c13-20)"
	has err "^.*$fp (alice@example.org): approved" 'says whom'
	wait "$guest"
	result $? 'its call is answered'
	grep -qx x alice.out
	result $? 'on the connection that waited'
	until_ok grep -q '	opened	.*alice' watched
	[ "$(grep -c '	opened	.*alice' watched)" = 1 ]
	result $? 'of which there was one'
	want 0 'known' ctl trust ls --state known --plain
	has out "^known	alice@example.org	$fp	" 'it is'
	has log 'approve by [^ ]* (ctl)' 'the log says so'
	want 1 'once more' ctl trust approve "$fp"
	has err 'is known already' 'it is said to be in'
	kill "$watcher"
	wait "$watcher" 2>/dev/null
}

rejects() {
	comes mallory
	fp=$(fingerprint mallory)
	await_wait "	$fp	" 'another'
	seen=$(ctl trust show "$fp" | sed -n 's/^version  //p')
	want 2 'an option of another verb' ctl trust reject "$fp" --once
	want 0 'reject' ctl trust reject "$fp" --seen "$seen" --json
	has out '^{"schema":1,"verb":"reject","state":"rejected"' 'in JSON'
	! wait "$guest" # 6 or 4, see below
	result $? 'and it is closed'
	! ctl trust approve "$fp" --seen "$seen" >out 2>err
	result $? 'who has not seen that'
	has err 'something else was decided meanwhile' 'is told'
	want 0 'rejected' ctl trust ls --state rejected --plain
	has out "^rejected	.*	$fp	" 'is listed'
	want 0 'forget' ctl trust forget "$fp"
	want 0 'approved once' ctl trust mode file
	"$rpcsh" -s "$(url tls)" --certs certs -k mallory ping -n 1000 -i 1s \
		</dev/null >/dev/null 2>&1 &
	guest=$!
	daemons="$daemons $guest"
	until_ok sh -c "'$rpcd' ctl --socket admin conns | grep -q mallory"
	result $? 'an open list takes it'
	id=$(ctl conns --plain | grep mallory | cut -f1)
	want 0 'kick it' ctl kick "$id" --reject
	! wait "$guest"
	result $? 'it is closed'
	want 6 'and stays out' "$rpcsh" -s "$(url tls)" --certs certs \
		-k mallory call echo --raw x
	want 8 'an address of nobody' ctl kick 127.0.0.1 --reject
	want 0 'lock' ctl trust lock
	[ "$(stat -c %a known)" = 400 ]
	result $? 'takes write permission'
	want 0 'unlock' ctl trust unlock
	[ "$(stat -c %a known)" = 600 ]
	result $? 'gives it back'
	want 2 'no mode' ctl trust mode ajar
	want 0 'ask again' ctl trust mode ask
	want 0 'the audit' ctl trust audit --max 1 --plain
	has out "	$(id -un) (ctl)	mode	.*	file to ask	" 'has the mode'
}

# Another mode in the settings, another of the file: both in the audit.
notes_modes() {
	sed 's/^trust = ask/trust = open/' ctl.conf >ctl.new
	mv ctl.new ctl.conf
	"$rpcd" ctl --socket admin conns -w --json >watched 2>&1 &
	watcher=$!
	daemons="$daemons $watcher"
	until_ok is_watching
	want 0 'reload' ctl reload
	want 0 'the audit' ctl trust audit --max 1 --plain
	has out "	settings	mode	.*	ask to open	" 'has the new mode'
	until_ok grep -q '"event":"mode".*"mode":"open"' watched
	result $? 'which is told'
	kill "$watcher"
	wait "$watcher" 2>/dev/null
	want 0 'reload of the same' ctl reload
	want 0 'the audit' ctl trust audit --max 1 --plain
	has out "	ask to open	" 'has no more'
	chmod 400 known
	until_ok sh -c "'$rpcd' ctl --socket admin trust audit --max 1 --plain |
		grep -q '	file	lock	'"
	result $? 'chmod is in it, too'
	chmod 600 known
	want 0 'as before' ctl trust mode ask
}

# Bytes that move the cursor never become an entry; what is left is escaped.
escapes() {
	# shellcheck disable=SC2016 # that it is not run is the point
	check 'an e-mail with what looks like a sequence' \
		mailed evil 'a"\\x1b[31m$(id)b@example.org'
	comes evil
	fp=$(fingerprint evil)
	await_wait "	$fp	" 'its owner waits'
	want 0 'listed' ctl trust ls --state waiting --plain
	has out '^new	a"*\\\\x1b\[31m' 'with a backslash for each'
	only_shown "$fp"
	only_shown "$fp" --plain
	only_shown "$fp" --json
	python3 -c 'import json; [json.loads(x) for x in open("out")]' 2>err
	result $? 'which is JSON'
	# shellcheck disable=SC2016
	has out 'x1b\[31m\$(id)b@example.org' 'with all of it'
	want 0 'revoke' ctl trust revoke "$fp"
	only_shown "$fp"
	# 6 where the end comes soon enough to tell what it means, else 4.
	! wait "$guest"
	result $? 'and it is gone'
}

# What the daemon's lists are on a screen of 80 columns.
on_screen() { # WORDS...
	python3 - "$BUILD_DIR/bin/rpcd" ctl --socket admin "$@" >out 2>err <<-'EOF'
		import fcntl, os, pty, struct, sys, termios
		pid, fd = pty.fork()
		if pid == 0:
		    size = struct.pack("4H", 50, 80, 0, 0)
		    fcntl.ioctl(1, termios.TIOCSWINSZ, size)
		    os.environ["NO_COLOR"] = "1"
		    os.execv(sys.argv[1], sys.argv[1:])
		text = b""
		try:
		    while more := os.read(fd, 4096):
		        text += more
		except OSError:
		    pass
		sys.stdout.buffer.write(text.replace(b"\r", b""))
	EOF
}

# The key is long enough there for the verbs, and nothing that matters is cut.
narrow() {
	on_screen trust ls
	fp=$(sed -n 's/.* \(SHA256:[^ ~]*\).*/\1/p' out | head -n 1)
	[ "${#fp}" -ge 15 ]
	result $? 'eight characters of a key at least'
	want 0 'which verbs take' ctl trust show "$fp"
	on_screen trust ls
	! grep -q VERSION out
	result $? 'others are left out for it'
	[ "$(awk '{ print (length($0) > 80) }' out | sort -u)" = 0 ]
	result $? 'and no line is wider'
}

# All of them have been told of something.
told() {
	ctl trust mode ask >out 2>err
	for file in watched watched.plain watched.json watched.tui; do
		grep -q mode "$file" || return 1
	done
}

# In all forms at once.
watches() {
	for form in '' --plain --json; do
		# shellcheck disable=SC2086 # no word, or one
		"$rpcd" ctl --socket admin conns -w $form </dev/null \
			>"watched${form:+.${form#--}}" 2>watched.err &
		daemons="$daemons $!"
	done
	mkfifo keys
	"$BUILD_DIR/bin/rpctui" --socket admin --plain <keys \
		>watched.tui 2>watched.err &
	daemons="$daemons $!"
	exec 8>keys
	until_ok told
	result $? 'who watches is there'
}

# Who has no e-mail is known by the name alone, also after a bad end.
named() {
	openssl req -new -newkey ed25519 -nodes -keyout certs/plain.key \
		-subj '/CN=build host 7' -out named.csr 2>/dev/null &&
		openssl x509 -req -in named.csr -CA certs/ca.crt -days 9 \
			-CAkey my-keep-private-dir/ca.key \
			-out certs/plain.crt 2>/dev/null &&
		chmod 600 certs/plain.key
	result $? 'a certificate without an e-mail'
	fp=$(fingerprint plain)
	comes plain
	await_wait "	$fp	" 'its owner waits'
	want 0 'listed' ctl trust ls --state waiting
	has out 'CN=build host 7' 'by its name'
	want 0 'its connection' ctl conns
	has out 'CN=build host 7' 'by the same name'
	want 0 'in JSON' ctl conns --json
	has out '"key":null,"cn":"build host 7"' 'with its certificate'
	kill -KILL "$daemon" "$guest"
	wait "$daemon" "$guest" 2>/dev/null
	check 'a daemon again' start 1 -f ctl.conf
	want 0 'listed' ctl trust ls --state waiting
	has out 'CN=build host 7' 'by its name still'
	want 0 'in JSON' ctl trust show "$fp" --json
	has out '"cn":"build host 7"' 'too'
	want 0 'on a screen' "$BUILD_DIR/bin/rpctui" --socket admin --once
	has out 'build host 7' 'as well'
	want 0 'approve' ctl trust approve "$fp"
	has err 'build host 7' 'says the name'
	has log "key $fp (CN=build host 7): approve by" 'the log, too'
}

in_list() {
	echo 1 >&8
	grep -q '^connection [0-9]* .* CN=build host 7 from ' watched.tui
}

# And so in what is pushed.
named_in_events() {
	watches
	want 0 'forget' ctl trust forget "$fp"
	comes plain
	until_ok grep -q '  arrived  .*  CN=build host 7  SHA256:' watched
	result $? 'its owner comes, who has that name'
	until_ok grep -q ' arrived new CN=build host 7 from ' watched.tui
	result $? 'in a line of rpctui, too'
	until_ok in_list
	result $? 'as its list has'
	want 0 'approve' ctl trust approve "$fp"
	until_ok grep -q '  opened  .*  CN=build host 7  SHA256:' watched
	result $? 'so has its connection'
	until_ok grep -q '	opened	.*	-	SHA256:' watched.plain
	result $? 'for tools that is no e-mail'
	until_ok grep -q '"event":"opened".*,"cn":"build host 7"' watched.json
	result $? 'in JSON it is beside it'
	until_ok grep -q ' opened [0-9]* CN=build host 7 from ' watched.tui
	result $? 'and in rpctui'
	exec 8>&-
	wait "$guest"
	result $? 'it is served'
}

certificates
conf
if ! start 1 -f ctl.conf; then
	not_ok 'a daemon'
	plan
fi
ok 'a daemon'
for word in lock 'mode lock'; do
	# shellcheck disable=SC2086 # words
	want 1 "$word: a list without a key" ctl trust $word
	has err '^try: approve a key first' 'says what to do'
done
approves
rejects
notes_modes
escapes
narrow
named
named_in_events
stop
plan
