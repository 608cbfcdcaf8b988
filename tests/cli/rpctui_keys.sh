#!/bin/sh
# rpctui's tab of keys beside the agent of a vault: who waits for a yes is shown
# and answered there, and nothing of an agent's words reaches the terminal raw.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

keyvault=$BUILD_DIR/bin/keyvault
KEYVAULT_DB=$tmp/v/vault.db
export KEYVAULT_DB

agent() {
	mkdir -m 700 v
	cp "$SRC_DIR/tests/golden/vault/v1.db" v/vault.db
	chmod 600 v/vault.db
	(umask 077 && printf 'correct horse\n' >pass)
	echo content >file
	"$keyvault" agent --socket "$tmp/run/a" >vars 2>err || return 1
	# shellcheck source=/dev/null
	. ./vars
	daemons="$daemons $KEYVAULT_AGENT_PID"
	"$keyvault" --pass file:pass unlock --confirm 2>err
}

signs() { # in the background, after somebody said yes
	rm -f file.sig
	"$keyvault" --no-input sign deploy-ca file >bg.out 2>bg.err &
	signer=$!
	daemons="$daemons $signer"
}

# STATUS TEXT: of the one who asked.
signer_got() {
	wait "$signer"
	[ $? -eq "$1" ]
	result $? "$2"
}

answers() {
	keys 4
	shows 'OPEN IN THE AGENT (1)' 'the agent has a key open'
	shows '^[> ] c  *deploy-ca  *[0-9]*m  *0' 'which asks before each use'
	shows 'OF THE DAEMON (' 'below it are those of the daemon'
	keys 1
	signs
	shows '1 use waits for a yes: a key of the vault - press 4' \
	    'one who waits is told of wherever one is'
	shows '4 Keys 1!' 'and at the tab'
	keys 4 g
	shows 'MAY IT BE USED? (1)' 'where it is the first'
	shows "^> ?? deploy-ca  *a file, context file, s.*keyvault, pid $signer" \
	    'with the key, what for, and by whom'
	shows "^by     /.*keyvault, pid $signer, uid $(id -u)" 'whole below'
	keys Enter
	shows '> \[ Later \]' 'Enter asks, and is no answer'
	shows "by     /.*keyvault, pid $signer" 'the question says the same'
	keys Escape
	hides 'May this key' 'Esc leaves it waiting'
	keys a
	shows '> \[ Later \]' 'a asks, too'
	once_more a 'answered' 'and one more a'
	signer_got 0 'allows it'
	hides 'MAY IT BE' 'it is gone'
	shows '^[> ] c  *deploy-ca  *[0-9]*m  *1 ' 'and counted'
	signs
	shows '?? deploy-ca' 'the next one'
	keys g Enter
	shows '> \[ Later \]' 'asked'
	keys d
	signer_got 6 'd refuses it'
	hides 'MAY IT BE' 'it is gone as well'
}

# The same without a screen.
once() { # WORDS: of rpctui
	KEYVAULT_SOCK=$sock timeout 60 "$rpctui" --socket admin --once "$@" \
		</dev/null >out 2>err
}

waits_once() {
	once --json && grep -q \
		"\"agent\":{\"waiting\":\[{\"id\":$asked,\"key\":\"deploy-ca\"," \
		out
}

plain() {
	mkfifo plain.keys
	"$rpctui" --socket admin --plain <plain.keys >plain.out 2>plain.err &
	watcher=$!
	daemons="$daemons $watcher"
	exec 8>plain.keys
	until_ok grep -q 'Z agent is there$' plain.out
	result $? 'an agent is a line'
}

told() {
	until_ok grep -q "Z asks [0-9]* deploy-ca for .*pid $signer" \
		plain.out
	result $? 'so is who waits'
	asked=$(sed -n "s/.*Z asks \([0-9]*\) .*pid $signer,.*/\1/p" plain.out)
	echo 4 >&8
	until_ok grep -q '^open deploy-ca, for .*asks before each use' plain.out
	result $? 'what is open is asked for'
	until_ok grep -q '^fact certificate_days: [0-9]' plain.out
	result $? 'with the keys of the daemon'
	sock=$KEYVAULT_SOCK
	until_ok waits_once
	result $? 'a snapshot has who waits'
	python3 -c '
import json
a = json.load(open("out"))["agent"]
assert list(a) == ["waiting", "open", "open_left_out"]
assert a["waiting"][0]["left_ms"] > 0 and a["waiting"][0]["what"]
key, = a["open"]
assert key["key"] == "deploy-ca" and key["asks"] is True
assert key["used"] == 1 and key["uses_left"] is None' 2>err
	result $? 'and what is open'
	once
	has out '^uses of .* (1)' 'as text'
	has out "^ *$asked  *deploy-ca  *a file" 'as well'
	has out '^keys open in the agent (1)' 'with what is open'
	has out '^certificate_days ' 'and the keys of the daemon'
	sock=$tmp/nowhere once --json
	has out '"agent":null}$' 'none is null'
}

untold() {
	until_ok grep -q "Z settled $asked$" plain.out
	result $? 'its end is a line'
	echo q >&8
	wait "$watcher"
	result $? 'q ends it'
	exec 8>&-
}

looks() {
	plain
	signs
	told
	begin "KEYVAULT_SOCK=$KEYVAULT_SOCK $rpctui --socket $tmp/admin \
	    --read-only" 'for who only looks'
	keys 4
	shows 'MAY IT BE USED? (1)' 'who waits is there'
	keys g a
	shows 'read-only: nothing' 'and cannot be answered'
	keys q
	ends 0 'quit'
	"$keyvault" deny "$("$keyvault" --plain allow | cut -f1)" 2>err
	result $? 'keyvault deny does'
	signer_got 6 'it is refused'
	untold
}

# Each of them hears one client.
liar() { # PATH: $liar
	python3 "$SRC_DIR/tests/lib/agentpeer.py" liar "$1" &
	liar=$!
	daemons="$daemons $liar"
	until_ok test -S "$1"
}

hears_lies() {
	liar "$tmp/run/once"
	sock=$tmp/run/once
	once
	has out 'key\\x1b\[31m' 'what it says is escaped in a snapshot'
	! LC_ALL=C grep -q '[^ -~]' out
	result $? 'all of which is text'
	liar "$tmp/run/liar"
	begin "KEYVAULT_SOCK=$tmp/run/liar $rpctui --socket $tmp/admin" \
	    'beside an agent that lies'
	keys 4
	shows '?? key\\x1b\[31m' 'what it says is shown escaped'
	shows 'a \\x07 bell' 'all of it'
	screen -e >raw
	! grep -q "key$(printf '\033')" raw
	result $? 'and nothing is red'
	keys a
	shows '> \[ Later \]' 'an answer'
	once_more a 'not answered: no \\x1b\[2J way' 'is refused in its words, escaped'
	kill "$liar"
	hides '?? key' 'it ends, and the tab is the daemon'"'"'s alone'
	shows '^WHAT\|certificate_days' 'as without an agent'
	keys q
	ends 0 'quit'
}

main() {
	mark=0
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\n' "$tmp/admin" >tui.conf
	certificates
	check 'rpcd starts' start 1 -f tui.conf --certs certs
	check 'an agent' agent
	check 'a terminal' terminal 80 24
	begin "KEYVAULT_SOCK=$KEYVAULT_SOCK $rpctui --socket $tmp/admin" \
	    'beside an agent'
	answers
	keys q
	ends 0 'quit'
	looks
	hears_lies
	term kill-server
	kill "$KEYVAULT_AGENT_PID"
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
