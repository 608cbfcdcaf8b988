#!/bin/sh
# What rpcsh says on a terminal while a server does not say a word: where an
# operator has to decide about its key first, over each transport; and what it
# does not say, where the call takes long or nobody is to be told.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

mark=0

# begin WORDS: a command line; returns when the screen is cleared.
begin() {
	mark=$((mark + 1))
	keys "clear; echo BEGIN-$mark; $1; echo END-$mark-\$?" Enter
	until_ok on_screen "^BEGIN-$mark\$"
}

over() {
	until_ok on_screen "^END-$mark-$1"
}

# It is one line, wherever the terminal has broken it.
joined() {
	screen -J | grep -q -e "$1"
}

said() {
	until_ok joined "$1"
	result $? "$2"
}

not_said() {
	! screen -J | grep -q 'no answer yet'
	result $? "$1"
}

confs() {
	mkdir -m 700 .ssh
	for name in .ssh/id_ed25519 host; do
		ssh-keygen -q -t ed25519 -N '' -f "$name" </dev/null >>out 2>&1
	done
	install -m 600 /dev/null known
	cat >ask.conf <<-END
		listen = tls:127.0.0.1:0
		listen = ssh+tcp:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		admin = $tmp/admin
		ssh-key = $tmp/host
		known-clients = known
		trust = ask
		[method slow]
		exec = /bin/sh -c "sleep 5; echo done"
		[method quick]
		exec = /bin/echo done
	END
	listens=3
	case $("$rpcsh" --version) in
	*' quic '*)
		sed -i '1a listen = quic:127.0.0.1:0' ask.conf
		listens=4
		;;
	esac
}

# waits KIND: the line, with our key, and what it is told leads somewhere.
waits() {
	begin "$rpcsh -s $(url "$1") quick"
	said "^rpcsh: $1://[0-9.:]*: no answer yet: the server may be busy, \
or wait for its operator to approve this key, SHA256:[A-Za-z0-9+/]*; \
Ctrl-C ends it\$" "over $1 it is said that it waits"
	fp=$(screen -J | sed -n 's/.*this key, \(SHA256:[^;]*\);.*/\1/p')
	check 'for the decision about that key' ctl trust approve "$fp"
	over 0
	result $? 'which lets it in'
	screen | grep -q '^done'
	result $? 'and its call is answered'
	begin "$rpcsh -s $(url "$1") slow"
	over 0
	not_said 'a call that takes long is not meant'
	check 'it is unknown again' ctl trust forget "$fp"
}

# Who has asked for quiet, and who reads it later, is told by the end alone.
untold() {
	for words in --quiet '2>said'; do
		begin "$rpcsh -s $(url tls) --timeout 5s quick $words"
		over 5
		not_said "nothing with $words"
	done
	! grep -q 'no answer yet' said
	result $? 'nor there'
	begin "$rpcsh -s $(url tls) quick"
	said 'no answer yet' 'else it is'
	keys C-c
	until_ok on_screen '^\$ *$'
	result $? 'and Ctrl-C ends it'
}

shell() {
	begin "$rpcsh -s $(url tls)"
	said '^rpcsh: tls://.* approve this key, SHA256:[A-Za-z0-9+/]*$' \
		'a shell is told above its prompt'
	fp=$(screen -J | sed -n 's/.*this key, \(SHA256:.*\)/\1/p')
	check 'and is let in' ctl trust approve "$fp"
	keys 'call quick' Enter
	until_ok on_screen '^done'
	result $? 'as it is'
	keys C-d
	over 0
	result $? 'over'
}

# Where the one that is there comes from.
connection() {
	ctl conns --plain | cut -f 4 | grep '^tls://'
}

# Longer than it would wait for one that has died.
patient() {
	check 'it is unknown once more' ctl trust forget "$fp"
	begin "$rpcsh -s $(url tls) --connect-timeout 1s"
	said '^rpcsh: tls://.* approve this key' 'a shell waits'
	from=$(connection)
	keys 'call quick' Enter
	sleep 6
	check 'a decision that took its time' ctl trust approve "$fp"
	until_ok on_screen '^done'
	result $? 'lets its call in'
	! screen -J | grep -q 'connection lost'
	result $? 'which was not lost'
	[ -n "$from" ] && [ "$from" = "$(connection)" ]
	result $? 'nor dialed again'
	keys C-d
	over 0
	result $? 'nor is more left'
}

# No key has come so far that somebody could decide about it.
nobody() {
	kill -STOP "$daemon"
	begin "$rpcsh -s $(url tls) quick"
	said '^rpcsh: .*: the handshake is not over yet; Ctrl-C ends it$' \
		'one that is hung'
	keys C-c
	until_ok on_screen '^\$ *$'
	kill -CONT "$daemon"
}

main() {
	certificates
	mv certs/alice.crt certs/client.crt
	mv certs/alice.key certs/client.key
	confs
	cp host.pub known_ssh_peers
	check 'rpcd asks' start $listens -f ask.conf
	prompt 80 24 RPCKIT_CERTS=certs
	waits tls
	[ $listens -lt 4 ] || waits quic
	rpcsh="$rpcsh --ssh-peers host.pub"
	waits ssh+tcp
	rpcsh=$BUILD_DIR/bin/rpcsh
	untold
	shell
	patient
	nobody
	term kill-server
	stop >/dev/null
	plan
}

if ! command -v ssh-keygen >/dev/null || ! command -v tmux >/dev/null; then
	echo '1..0 # skip no ssh-keygen or tmux'
	exit 0
fi
main
