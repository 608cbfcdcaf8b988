#!/bin/sh
# The story that rpctui is for, at three sizes, with golden screens: a stranger
# waits and is let in, a changed key is not so easily, lock, undo, restart.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/screen.sh
. "$SRC_DIR/tests/lib/screen.sh"

golden=$SRC_DIR/tests/golden/rpctui
sizes='80x24 120x40 40x10'

# comes KEY TEXT: it calls echo with the text, in the background: $guest
comes() {
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" --timeout 10m \
		call echo --raw "$2" </dev/null >"$1.out" 2>"$1.err" &
	guest=$!
	daemons="$daemons $guest"
}

# answered TEXT: who came last is.
answered() { # KEY TEXT WHAT
	wait "$guest" && grep -qx "$2" "$1.out"
	result $? "$3"
}

calls() { # STATUS KEY TEXT
	want "$1" "$3" timeout 60 "$rpcsh" -s "$(url tls)" --certs certs \
		-k "$2" call echo --raw z
}

# compared FILE SIZE WORDS...: the screen with a file; the difference.
compared() {
	file=$1
	size=$2
	shift 2
	screen | python3 "$SRC_DIR/tests/lib/golden.py" "$file" "${size%x*}" \
		"${size#*x}" "al=$alice" "ch=$changed" "no=$node" "$@" \
		>golden.diff
}

matches() {
	compared "$golden/$1-$2.txt" "$2"
}

# What stays for a moment is written; it should be looked at.
rewrite() {
	compared still "$2" --write
	sleep 0.6
	compared still "$2" || return 1
	mkdir -p "$golden" && cp still "$golden/$1-$2.txt"
}

# Has it been drawn at that size?  The time is at its right edge.
is_sized() {
	screen | head -n 1 | grep -q "^.\{$(($1 - 10)),$(($1 - 9))\}[0-9:]*Z *$" &&
		[ "$(screen | wc -l)" -eq "$2" ]
}

# golden NAME: the screen as it is, at every size.  It may take a moment to be
# so: what is compared is what it becomes.
golden() {
	for size in $sizes; do
		term resize-window -t t -x "${size%x*}" -y "${size#*x}"
		if [ -n "${RPCKIT_GOLDEN_WRITE:-}" ]; then
			until_ok rewrite "$1" "$size"
			result $? "$1 at $size is written"
		elif until_ok matches "$1" "$size"; then
			ok "$1 at $size"
		else
			not_ok "$1 at $size"
			sed 's/^/# /' golden.diff
		fi
	done
	term resize-window -t t -x 80 -y 24
	until_ok is_sized 80 24
}

prepare() {
	certificates
	"$selfy" -k changed -e alice@example.org -nopass >out 2>err
	result $? 'another key with the name of alice'
	alice=$(fingerprint alice)
	changed=$(fingerprint changed)
	node=$(fingerprint node)
	install -m 600 /dev/null known
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = ask\n' \
		"$tmp/admin" >story.conf
	echo 'trust-wait = 10m' >>story.conf
	echo 'known-clients = known' >>story.conf
	printf '[method naps]\nexec = /bin/sleep 600\ntimeout = 10m\n' >>story.conf
	printf '[files docs]\nroot = %s/shared\nput = yes\nmin-free = 0\n' \
		"$tmp" >>story.conf
	mkdir -p shared/backups/2026/dumps
	check 'rpcd starts' start 1 -f story.conf
	check 'a terminal' terminal 80 24
	begin "exec $rpctui --socket admin" 'rpctui'
	shows 'trust ASK' 'the daemon is known'
}

# holds KEY: so that it repeats, after half a second as terminals do.
holds() {
	sleep 0.4
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		keys "$1"
		sleep 0.05
	done
	on_screen '> \[ Later \]' && ctl trust ls --state waiting --plain |
		grep -q '	alice@'
	result $? "$1 that is held decides nothing"
	shows 'let go of it first' 'which is said'
}

stranger() {
	comes alice hello
	shows '?? alice@example.org' 'a stranger is seen'
	golden stranger
	[ ! -s alice.out ] && ! ended "$guest"
	result $? 'and waits'
	keys 2
	shows 'WAITING (1)' 'in the tab of trust, too'
	keys a
	shows '> \[ Later \]' 'a asks'
	golden decide
	keys Escape
	hides 'Approve \]' 'Esc goes back'
	keys a
	shows '> \[ Later \]' 'a asks again'
	holds a
	once_more a 'approved: alice@example.org' 'let go and pressed again it decides'
	answered alice hello 'the call that waited is answered'
	shows 'KNOWN (1)' 'it is known'
	keys Escape
	golden known
	ctl status --json >out 2>err
	has out '"accepted":1,' 'by its first connection'
}

# A file that comes, and stops on its way: which one, and how much of it.
transfers() {
	mkfifo pipe
	"$rpcsh" -s "$(url tls)" --certs certs -k alice --timeout 10m \
		put docs.put - --as "backups/2026/dumps/café img.tar" \
		<pipe >put.out 2>&1 &
	put=$!
	daemons="$daemons $put"
	exec 9>pipe
	head -c 70000 /dev/zero >&9
	keys 3
	shows '^.*docs.put ~.*café img.tar  *alice@' 'a file comes'
	keys g
	shows '^> *docs.put .*  0/s *$' 'and stops'
	golden calls
	keys Enter
	shows '^ *file  *backups/2026/dumps/café img.tar' 'its whole name'
	keys Escape x
	shows 'docs.put backups/2026/dumps/café img.tar of alice@' \
		'and in the question before its end'
	keys Escape
	want 0 'in a line of words' timeout 60 "$rpctui" --once \
		--socket "$tmp/admin"
	has out 'docs.put .* backups/2026/dumps/café img.tar$' 'it is there'
	ctl calls --json >out 2>err
	has out '"file":"backups/2026/dumps/café img.tar"[,}]' 'it is told'
	exec 9>&-
	wait "$put"
	result $? 'it comes to its end'
	[ "$(stat -c %s "shared/backups/2026/dumps/café img.tar")" = 70000 ]
	result $? 'whole'
	keys 2
}

# A call that runs is ended from the tab of calls, and not its connection.
cancels() {
	"$rpcsh" -s "$(url tls)" --certs certs -k alice --timeout 10m call naps \
		</dev/null >nap.out 2>&1 &
	nap=$!
	daemons="$daemons $nap"
	keys 3
	shows '^.*naps  *alice@' 'a call runs'
	keys g
	shows '^> *naps' 'it is the first'
	keys x
	shows 'Cancel this call' 'x asks'
	keys Enter
	hides 'Cancel this call' 'Enter is No'
	! ended "$nap"
	result $? 'nothing is done'
	keys x
	shows 'Cancel this call' 'x asks again'
	keys y
	shows 'canceled naps' 'y does it'
	! wait "$nap"
	result $? 'its caller is told'
	has nap.out 'canceled by an operator' 'by whom'
	hides '^> *naps  *alice@' 'it has ended'
	has log 'of naps on .* canceled by .* (tui)' 'the log has it'
	keys 2
}

# The one that is known, and another with the same name.
impostor() {
	comes changed hello
	shows '!! alice@example.org' 'a changed key'
	shows 'CHANGED key waits' 'is called so'
	keys g
	shows '^>  *!! alice' 'is selected'
	keys a
	shows 'the key CHANGED: Enter, then' 'is not approved by one key'
	hides 'Approve \]' 'nor by a dialog'
	keys Escape
	golden changed
	[ ! -s changed.out ]
	result $? 'and waits'
	facts
}

# What is known of the key that the name has: in the detail and where it is
# decided, at every size.
facts() {
	shows '^ *since 20[-0-9]*, came [0-9]* times, last .*Z (offline)' \
		'since when the known key is, how often and when it came'
	shows '^ *its cert ends 20.* d)' 'and when its certificate ends'
	keys Enter
	shows 'Decide: CHANGED key' 'which is decided by'
	golden impostor
	term resize-window -t t -x 40 -y 10
	until_ok is_sized 40 10
	keys PgDn
	shows '^since 20[-0-9]*, came [0-9]* times, last' 'at 40x10 by PgDn'
	keys PgDn
	shows '^its cert ends 20' 'with the end of its certificate'
	term resize-window -t t -x 80 -y 24
	until_ok is_sized 80 24
	keys Escape
	"$rpcsh" -s "$(url tls)" --certs certs -k alice --timeout 10m call naps \
		</dev/null >nap.out 2>&1 &
	nap=$!
	daemons="$daemons $nap"
	shows '^ *since 20.*, came .*, last .*Z (online)' \
		'while it is connected that is said'
	kill "$nap"
	shows '^ *since 20.*, came .*, last .*Z (offline)' \
		'until it is not'
	shows '3 Calls 0' 'and nor is its call'
	keys g
}

restart() {
	stop
	result $? 'the daemon ends'
	shows 'OFFLINE' 'which is seen'
	golden offline
	! wait "$guest"
	result $? 'who waited has lost the connection'
	check 'the daemon is back' start 1 -f story.conf
	hides 'OFFLINE' 'which is seen'
	shows 'WAITING (1)' 'with the key that waits'
}

replacing() {
	keys g Enter
	shows 'Decide: CHANGED key' 'Enter asks'
	on_screen '> \[ Later \]'
	result $? 'at the harmless button'
	keys R
	shows 'Type the last four' 'Replace takes a word'
	golden replace
	keys nope Enter
	shows 'that is not it' 'which must be right'
	calls 0 alice 'the old key is still in'
	keys C-u "$(printf %s "$changed" | tail -c 4)" Enter
	shows 'replaced the key of alice' 'and then it is done'
	calls 0 changed 'the new key is in'
	calls 6 alice 'the old one is out'
	keys u
	shows 'taken back' 'u takes it back'
	shows '!! alice' 'the new one is a changed key, as before'
	calls 0 alice 'the old key is in again'
}

locking() {
	keys Escape
	keys g L
	shows 'Type LOCK' 'locking takes a word'
	golden lock
	keys LOCK Enter
	shows 'trust ASK LOCKED' 'and then it is done'
	calls 6 mallory 'a stranger is refused at once'
	keys Escape
	golden locked
	keys L
	shows '> \[ No \]' 'unlocking is asked about'
	keys y
	hides 'LOCKED *pending' 'and done'
}

# Of two keys each, but for the first.
audited() {
	ctl trust audit --plain >out 2>err
	result $? 'the audit'
	[ "$(cut -f3 out | tr '\n' ' ')" = \
		'unlock lock undo undo replace replace approve mode ' ]
	result $? 'has every decision, the newest first'
	[ "$(sed '$d' out | cut -f2 | sort -u)" = "$(id -un) (tui)" ]
	result $? 'and who took it, by what'
	logged 'is locked now, by' 'the log has the lock'
	logged 'is unlocked now, by' 'and its end'
}

main() {
	mark=0
	prepare
	stranger
	transfers
	cancels
	impostor
	restart
	replacing
	locking
	audited
	keys q
	until_ok no_terminal
	result $? 'q quits'
	stop
	result $? 'rpcd stops with 0'
	plan
}

main
