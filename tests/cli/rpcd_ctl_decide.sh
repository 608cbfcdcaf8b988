#!/bin/sh
# rpcd ctl trust: for a time, one key for another, notes, undo, whole lists; and
# reloads that bring another mode or list.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# comes NAME WORDS...: it does that, in the background: $guest
comes() {
	who=$1
	shift
	"$rpcsh" -s "$(url tls)" --certs certs -k "$who" "$@" \
		</dev/null >"$who.out" 2>"$who.err" &
	guest=$!
	daemons="$daemons $guest"
}

await_wait() { # FP TEXT
	until_ok sh -c "'$rpcd' ctl --socket admin trust ls --state waiting \
		--plain | grep -q '$1'"
	result $? "$2"
}

# conf TRUST [KEY [LIST]]
conf() {
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = %s\n' \
		"$tmp/admin" "$1" >ctl.conf
	printf 'key = %s\nknown-clients = %s\n' "${2:-node}" \
		"${3:-known}" >>ctl.conf
}

# What fails half-way leaves no trace.
reloads() {
	conf ask missing
	! ctl reload >out 2>err
	result $? 'a reload without its key'
	[ ! -e known.db ] && ! grep -q decisions known
	result $? 'makes no store'
	want 0 'status' ctl status
	has out '^[^ ]* 0\..*   trust file' 'and the mode is what it was'
	conf ask
	want 0 'with it' ctl reload
	[ -e known.db ]
	result $? 'there is one'
	comes alice call echo --raw x
	a=$(fingerprint alice)
	await_wait "$a" 'a stranger waits'
	conf ask node other
	! ctl reload >out 2>err
	result $? 'another list'
	[ "$(grep -c . err)" = 1 ] &&
		grep -q 'ctl.conf:5: known.db keeps.*restart' err
	result $? 'is refused in one line'
	conf file
	want 0 'another mode' ctl reload
	wait "$guest"
	result $? 'is one for who waits already'
	want 0 'who is known now' ctl trust ls --state known --plain
	has out "	$a	" 'by its line'
	conf ask
	want 0 'and back' ctl reload
}

# A known key: its line goes, and with it who is there.
forgets() {
	want 0 'approved again' ctl trust approve "$a"
	comes alice ping -n 1000 -i 1s
	until_ok grep -q . alice.out
	result $? 'who is known is served'
	want 0 'and forgotten' ctl trust forget "$(expr "$a" : 'SHA256:\(.\{8\}\)')"
	has err "$a.*: forgotten" 'by the start of the key'
	! wait "$guest"
	result $? 'which ends the connection'
	grep -q '^#27.0.0.1 pubkey@.*alice@' known && ! grep -v '^#' known |
		grep -q alice@
	result $? 'and makes a comment of the line'
	want 0 'all that' ctl trust undo "$a"
	want 0 'can be taken back' alice call echo --raw x
}

for_a_time() {
	comes mallory ping -n 1000 -i 1s
	m=$(fingerprint mallory)
	await_wait "$m" 'another'
	want 2 'less than a second' ctl trust approve "$m" --for 0s
	has err '--for: "0s" is 0 ms, which is not from 1 s to 366 d$' 'is said'
	want 2 'more than a year' ctl trust approve "$m" --for 400d
	has err '"400d" is 400 d, which is not from 1 s to 366 d$' 'is said, too'
	want 2 'more than any time is' ctl trust approve "$m" --for 99999d
	has err 'too large: it is at most 366 d$' 'with how much it may be'
	[ "$(wc -l <err)" -le 2 ]
	result $? 'and nothing else'
	want 2 'once and for a time' ctl trust approve "$m" --for 1s --once
	want 0 'for a time' ctl trust approve "$m" --for 1h --note 'a box'
	has err "$m.*: approved until 20" 'says until when'
	until_ok grep -q . mallory.out
	result $? 'its connection goes on'
	want 0 'show' ctl trust show "$m"
	has out '^state  until$' 'is so'
	has out '^note  a box$' 'has the note'
	has out "^who  $(id -un) (ctl)\$" 'and who it was'
	has out '^from  127.0.0.1$' 'and whence it came'
	want 0 'for less' ctl trust approve "$m" --for 1s
	! wait "$guest"
	result $? 'who is there goes when it is over'
	want 0 'and then' ctl trust ls --plain
	has out "^expired	.*	$m	" 'it is'
}

replaces() {
	want 2 'a note that nobody quoted' ctl trust note "$a" the old one
	has err '^rpcd ctl: trust note: the text is one word: quote it$' \
		'is no part of the key'
	want 0 'a note' ctl trust note "$a" 'the old one'
	comes mallory call echo --raw y
	await_wait "$m" 'it comes again'
	seen=$(ctl trust show "$m" | sed -n 's/^version  //p')
	want 1 'of another version' ctl trust replace "$a" "$m" \
		--seen $((seen + 1))
	has err 'something else was decided meanwhile' 'it is not'
	want 0 'for the other' ctl trust replace "$a" "$m" --seen "$seen" --json
	has out '"verb":"replace","state":"revoked"' 'which is out'
	has out '"was":"known"' 'and was in'
	has out '"note":"the old one"' 'with its note'
	wait "$guest"
	result $? 'it is let in'
	want 6 'the old one is not' alice call echo --raw x
	ctl trust export | grep pubkey@ | sed 's/:[^:]*$/:Alice@example.org/' \
		>of_mallory
	id=$(ctl trust audit --max 1 --plain | cut -f9)
	want 1 'who has not seen that' ctl trust undo "$m" --seen $((id - 2))
	has err "meanwhile: replace by $(id -un) (ctl)\$" 'does not take it back'
	want 0 'a note about it' ctl trust note "$m" 'perhaps'
	want 0 'take it back' ctl trust undo "$m" --seen "$id"
	has err "^.*that was: replace by $(id -un) (ctl), 20" 'says what'
	want 0 'the old one is in' alice call echo --raw x
	want 1 'once more' ctl trust undo "$m"
	has err 'undone already' 'is too much'
	want 0 'the audit' ctl trust audit --max 3 --plain
	[ "$(cut -f3 out | tr '\n' ' ')" = 'undo undo note ' ]
	result $? 'has it, the newest first'
	has out "^20.*	$(id -un) (ctl)	" 'and by whom'
	want 0 'revoke who is known' ctl trust revoke "$a" --note 'lost'
	want 0 'take that back' ctl trust undo "$a"
	has err ': taken back; now it is known$' 'what it is then'
	want 0 'lock' ctl trust lock
	chmod 600 known
	want 0 'the audit' ctl trust audit --max 2
	has out '  file  *unlock  .*  locked  open' 'has a mode that was changed'
	has out "  $(id -un) (ctl)  *lock  .*  open  *locked" 'and who locked it'
	want 0 'in JSON' ctl trust audit --max 2 --json
	has out '"what":"lock","email":null,"fingerprint":null' 'too'
}

lists() {
	want 0 'export' ctl trust export
	cp out saved
	[ "$(grep -c pubkey@ saved)" = 1 ]
	result $? 'has a line each'
	want 0 'forget' ctl trust revoke "$a"
	want 0 'it' ctl trust forget "$a"
	printf 'nonsense\n' | cat saved - >bad
	want 1 'import with a bad line' ctl trust import bad
	has err "in 1 lines: $(grep -c . bad)\$" 'which is named'
	want 0 'known' ctl trust ls --state known --plain
	[ ! -s out ]
	result $? 'is nobody'
	# shellcheck disable=SC2094
	timeout 60 "$rpcd" ctl --socket admin trust import - <saved 2>err
	result $? 'without it'
	has err '1 new, 0 known already' 'says what'
	awk 'BEGIN { for (i = 0; i < 40000; i++)
		printf "# %078d\n", i }' >long
	cat long saved >longer
	want 0 'import of a text of several parts' ctl trust import longer
	has err '0 new, 1 known already' 'finds what is in the last'
	cat saved long bad >longer
	want 1 'import of one with a bad line' ctl trust import longer
	has err "in 1 lines: $(grep -c . longer)\$" 'counts them through'
	cat long long long long long long >longer
	want 1 'import of more than a list may be' ctl trust import longer
	has err 'more than 16 MiB' 'says so'
	want 0 'it is in' alice call echo --raw x
	cat of_mallory saved >taken
	want 6 'a changed key is not imported' ctl trust import taken
	has err 'another key is known for the e-mail of 1 lines.*: 1$' 'named'
	has err '0 new, 1 known already' 'as if it were not there'
	want 0 'but if that is meant' ctl trust import --changed taken
	has err '1 new' 'is'
	want 0 'in the list' ctl trust export
	[ "$(grep -ci alice@example.org out)" = 2 ]
	result $? 'both are'
	want 0 'the other goes' ctl trust revoke "$m"
	want 0 'again' ctl trust forget "$m"
	want 0 'check' ctl trust check
	has out '^nothing is wrong$' 'finds nothing'
	want 0 'lock' ctl trust lock
	want 1 'nothing comes in' ctl trust import saved
	has err 'is locked' 'now'
	want 0 'reject' ctl trust reject "$a"
	want 1 'check' ctl trust check --json
	has out '"wrong":true,"text":"key .* still has its line' 'finds that'
	want 0 'unlock' ctl trust unlock
}

by_address() {
	want 8 'nobody is there' ctl kick 192.0.2.1 --reject
	comes mallory call echo --raw x
	await_wait "$m" 'somebody waits'
	want 0 'all from there' ctl kick 127.0.0.1 --reject
	has err "$m.*: rejected" 'are out'
	! wait "$guest"
	result $? 'and go'
}

# On the CA's list since the daemon ended: shown before its owner comes.
listed() {
	"$selfy" -k dora -e dora@example.org -nopass >out 2>err
	comes dora call echo --raw x
	d=$(fingerprint dora)
	await_wait "$d" 'one more'
	want 0 'is approved' ctl trust approve "$d"
	wait "$guest"
	result $? 'and let in'
	stop
	want 0 'the CA revokes it' "$selfy" -revoke certs/dora.crt
	check 'the daemon, again' start 1 -f ctl.conf
	until_ok sh -c "'$rpcd' ctl --socket '$tmp/admin' trust ls \
		--state rejected --plain | grep -q '^revoked	dora'"
	result $? 'shows it as revoked'
}

certificates
install -m 600 /dev/null known
install -m 600 /dev/null other
conf file
if ! start 1 -f ctl.conf; then
	not_ok 'a daemon'
	plan
fi
ok 'a daemon'
reloads
for_a_time
replaces
lists
forgets
by_address
listed
stop
plan
