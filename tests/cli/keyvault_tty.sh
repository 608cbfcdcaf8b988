#!/bin/sh
# keyvault's agent asks on a terminal: one question at a time, no answer that
# was typed before it, and nothing waits for a terminal that is gone.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2154,SC2317

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

agent=
end_all() {
	[ -z "$agent" ] || kill -9 "$agent" 2>/dev/null
	term kill-server 2>/dev/null
	rm -rf "$tmp"
}
trap end_all EXIT
echo content >file

# The agent of a terminal says who it is in a file.
knows_agent() {
	grep -q "^KEYVAULT_AGENT_PID=" vars || return 1
	# shellcheck source=/dev/null
	. ./vars
	agent=$KEYVAULT_AGENT_PID
}

agent_here() { # ARG...: typed into the terminal
	: >vars
	enter "KEYVAULT_DB=$KEYVAULT_DB '$keyvault' agent \
--socket '$tmp/run/a.sock' $* >'$tmp/vars'"
	until_ok knows_agent
}

enter() { # TEXT: for a shell that edits no lines
	keys -l "$1"
	keys Enter
}

signs() { # N: a signature in the background
	cp file "file$1"
	"$keyvault" --no-input sign deploy-ca "file$1" >/dev/null 2>"err$1" &
	eval "signer$1=$!"
	until_ok grep -q waiting "err$1"
	eval "id$1=$(sed -n 's/.*keyvault allow \([0-9]*\)).*/\1/p' "err$1")"
}

signer_got() { # N STATUS TEXT
	eval "wait \$signer$1"
	[ $? -eq "$2" ]
	result $? "$3"
}

# asks PATTERN TEXT: all of it is there, and what was typed before is dropped.
asks() {
	shows "$1" "$2"
	"$keyvault" status >/dev/null
}

in_front() {
	fresh
	prompt 100 24 ASAN_OPTIONS=detect_leaks=0
	agent_here -f
	result $? "an agent in front, on a terminal"
	want 0 "unlock" kv unlock --confirm deploy-ca
	! grep -q askpass err
	result $? "there is somebody to ask"
	keys -l 'y'
	keys Enter y
	until_ok on_screen '^y$'
	signs 1
	shows "^keyvault: may the key deploy-ca be used?  (request $id1, " \
	    "it asks there"
	shows "^  for  a file, context file, sha512 [0-9a-f]\{16\}\$" "what for"
	shows "^  by   /.*keyvault, pid $signer1, uid $(id -u)" "and for whom"
	grep -q 'your yes (tty pts/[0-9]*; or: keyvault allow [0-9]*)' err1
	result $? "the one who asks is told where"
	until_ok on_screen '^y/N *$'
	signs 2
	until_ok "$keyvault" status
	! on_screen "request $id2"
	result $? "a second one is not asked for yet"
	keys y Enter
	signer_got 1 0 "a yes after it counts, one before it did not"
	asks "request $id2" "then comes the second"
	keys Enter
	signer_got 2 6 "nothing is a no"
	shows '^keyvault: refused' "and told"
	signs 3
	asks "request $id3" "a third"
	want 0 "allow it elsewhere" "$keyvault" allow "$id3"
	signer_got 3 0 "is an answer, too"
	shows 'answered elsewhere' "and told"
	want 1 "doctor" "$keyvault" doctor
	has out '^confirming *ok *the agent asks on tty pts/' "knows it"
}

in_background() {
	keys C-z
	until_ok on_screen 'Stopped\|suspended'
	enter 'bg; echo BG'
	until_ok on_screen '^BG'
	signs 4
	grep -q 'your yes (or: keyvault allow [0-9]*)' err4
	result $? "from the background it asks nobody"
	enter fg
	asks "request $id4" "but when it is in front again"
	keys YES Enter
	signer_got 4 0 "and yes is a yes"
}

gone() {
	term kill-server
	until_ok agent_is_locked
	result $? "a terminal that is closed closes the keys"
	want 0 "unlock again" kv unlock --confirm deploy-ca
	has err 'no terminal and no askpass' "it says that it can ask nobody"
	signs 5
	want 0 "allow" "$keyvault" allow "$id5"
	signer_got 5 0 "works without it"
	agent_stop
}

agent_is_locked() {
	"$keyvault" status | grep -q ' 0 keys open'
}

by_name() {
	terminal=u
	want 2 "no terminal to ask on" "$keyvault" agent --tty /dev/null
	has err '^keyvault: --tty: /dev/null: is no terminal' "it says so"
	prompt 100 24 ASAN_OPTIONS=detect_leaks=0
	enter 'tty; exec sleep 1000'
	until_ok on_screen '^/dev/'
	want 0 "an agent told where to ask" agent_start \
	    --tty "$(screen | grep '^/dev/')"
	agent=$KEYVAULT_AGENT_PID
	trap end_all EXIT
	want 0 "unlock" kv unlock --confirm deploy-ca
	signs 6
	asks "be used?  (request $id6," "it asks there"
	keys y Enter
	signer_got 6 0 "and hears"
	signs 7
	asks "request $id7" "it asks"
	term kill-server
	until_ok told_nobody
	result $? "the terminal is gone meanwhile"
	want 0 "allow" "$keyvault" allow "$id7"
	signer_got 7 0 "works without it"
	agent_stop
}

told_nobody() {
	"$keyvault" doctor | grep -q '^confirming .*keyvault allow'
}

# What would be taken is shown to a person first.
import_dir() {
	terminal=i
	fresh
	mkdir -p taken
	kv export deploy-ca --plain-key -o taken/one.key >/dev/null 2>&1
	prompt 100 24 ASAN_OPTIONS=detect_leaks=0
	enter "KEYVAULT_DB=$KEYVAULT_DB '$keyvault' --pass file:$tmp/pass \
import-dir $tmp/taken; echo END-\$?"
	shows ' one  *SHA256:.*can be imported' "import-dir shows what it would do"
	shows 'Import 1 key?' "and asks"
	enter n
	shows '^END-1' "no"
	want 8 "is no" "$keyvault" show one
	term kill-server
	terminal=j
	prompt 100 24 ASAN_OPTIONS=detect_leaks=0
	enter "KEYVAULT_DB=$KEYVAULT_DB '$keyvault' --pass file:$tmp/pass \
import-dir $tmp/taken; echo END-\$?"
	shows 'Import 1 key?' "asked again"
	enter y
	shows '^END-0' "yes"
	want 0 "is yes" "$keyvault" show one
	term kill-server
}

# A disk that takes its time.
far() {
	if ! command -v strace >/dev/null ||
	    ! strace -o /dev/null true 2>/dev/null; then
		ok "how far it is # SKIP no strace"
		return
	fi
	terminal=p
	fresh
	mkdir keys
	want 0 "a key" kv export deploy-ca --plain-key -o keys/a.key
	for i in b c d e; do
		cp keys/a.key keys/$i.key
	done
	prompt 100 24 ASAN_OPTIONS=detect_leaks=0
	enter "KEYVAULT_DB=$KEYVAULT_DB strace -f -o /dev/null -e \
trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_enter=600000 '$keyvault' \
--pass file:$tmp/pass import-dir $tmp/keys --yes; echo END-\$?"
	shows '^keyvault: taking files in: [1-4] of 5$' \
	    "what takes more than a second says how far it is"
	shows '^END-0' "to its end"
	! on_screen 'taking files in'
	result $? "of which nothing stays"
	term kill-server
}

logout() {
	terminal=w
	prompt 100 24 ASAN_OPTIONS=detect_leaks=0
	agent_here
	result $? "an agent behind a shell"
	want 0 "unlock" kv unlock --for 0
	! agent_is_locked
	result $? "it is open"
	keys 'exit' Enter
	until_ok agent_is_locked
	result $? "the end of the session closes its keys"
	kill -0 "$KEYVAULT_AGENT_PID"
	result $? "and the agent goes on"
	agent_stop
}

in_front
in_background
gone
by_name
import_dir
far
logout
finish
