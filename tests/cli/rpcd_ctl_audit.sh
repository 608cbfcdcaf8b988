#!/bin/sh
# rpcd ctl trust audit: all that was ever decided can be found again, of one key
# or of all, while more is decided.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

many=2345 # more than two answers have

# So many more lines, about a key that nobody knows here.
grow() {
	timeout 60 python3 -c '
import sqlite3, sys
db = sqlite3.connect("known.db", isolation_level=None)
db.execute("BEGIN IMMEDIATE")
last = db.execute("SELECT max(id) FROM audit").fetchone()[0]
for i in range(last + 1, last + 1 + int(sys.argv[1])):
    db.execute("INSERT INTO audit SELECT ?1, ?1, time, who, what, ?2, email, "
        "ca, before, before_until, before_who, before_decided, before_note, "
        "first_seen, after, note FROM audit WHERE id = ?3",
        (i, bytes([9] * 32), last))
db.execute("COMMIT")
' "$1"
}

# Are these the numbers from the newest line to the oldest, each once?
in_order() { # FILE [NEWEST]
	awk -F'\t' -v newest="${2-}" '
		NR == 1 && newest != "" && $9 != newest { exit 1 }
		NR > 1 && $9 != last - 1 { exit 1 }
		{ last = $9 }
		END { exit last != 1 }' "$1"
}

# comes NAME: it is known from then on.
comes() {
	want 0 "$1 comes" "$rpcsh" -s "$(url tls)" --certs certs -k "$1" \
		call echo --raw x
}

decided() {
	want 0 'an open list' ctl trust mode open
	comes alice
	comes mallory
	want 0 'a key' ctl trust reject "$a" --note first
	want 0 'is decided about' ctl trust forget "$a" --note 'and forgotten'
	want 0 'and so is another' ctl trust reject "$b"
	check 'and much more' grow "$many"
	want 0 'one more' ctl trust reject "$b" --note 'the newest'
	all=$((many + 8)) # with the start's, the mode's and two keys that came
}

finds_all() {
	want 0 'the audit' ctl trust audit --plain
	[ "$(grep -c . out)" = 100 ]
	result $? 'has a hundred lines'
	want 0 'as many as are asked for' ctl trust audit --max 1500 --plain
	[ "$(grep -c . out)" = 1500 ]
	result $? 'are told'
	want 0 'all' ctl trust audit --max 0 --plain
	[ "$(grep -c . out)" = "$all" ] && in_order out "$all"
	result $? 'are, each once, the newest first'
	want 0 'more than there are' ctl trust audit --max 999999 --plain
	[ "$(grep -c . out)" = "$all" ]
	result $? 'are all'
	want 0 'in JSON' ctl trust audit --max 0 --json
	[ "$(grep -c '^{"schema":1,"time":' out)" = "$all" ]
	result $? 'a line each, too'
	want 0 'for people' ctl trust audit --max 0
	[ "$(grep -c . out)" = $((all + 1)) ]
	result $? 'under one head'
}

# key NOTES TEXT WORDS...: these are the notes about a key.
notes() {
	notes=$1 text=$2
	shift 2
	want 0 "$text" ctl trust audit --plain "$@"
	[ "$(cut -f8 out | tr '\n' '|')" = "$notes" ]
	result $? "has what was decided about it"
}

finds_a_key() {
	short=$(expr "$a" : 'SHA256:\(.\{8\}\)')
	notes 'and forgotten|first|-|' 'a key whole' "$a"
	notes 'and forgotten|first|-|' 'by its start' "$short"
	notes 'and forgotten|first|-|' 'in two words' \
		"SHA256:$(expr "$short" : '\(....\)')" "${short#????}"
	notes 'and forgotten|' 'its newest' "$a" --max 1
	notes 'the newest|-|-|' 'another, of all' "$b" --max 0
	want 8 'one that is not there' ctl trust audit SHA256:01234567
	has err 'the audit has nothing about such a key' 'says so'
	want 2 'too short a start' ctl trust audit SHA256:0123
	has err 'the first 8 characters' 'says so'
}

# However much was written since.
undoes() {
	want 0 'an old decision' ctl trust undo "$a"
	has err 'that was: forget by ' 'that is taken back is named'
	want 1 'twice' ctl trust undo "$a"
	has err 'that was undone already' 'it is not'
	all=$((all + 1))
}

# What comes meanwhile neither moves nor hides what was there.
meanwhile() {
	(
		for _ in 1 2 3 4 5 6 7 8; do
			ctl trust note "$b" "it is $_"
		done >noted 2>&1
		: >no_more
	) &
	noting=$!
	wrong=
	until [ -e no_more ]; do
		ctl trust audit --max 0 --plain >out 2>err && in_order out ||
			wrong=yes
	done
	wait "$noting"
	[ -z "$wrong" ]
	result $? 'while others decide each line is told once'
	want 0 'and then' ctl trust audit --max 0 --plain
	in_order out $((all + 8))
	result $? 'there are more'
}

certificates
install -m 600 /dev/null known
printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = ask\nkey = node\n' \
	"$tmp/admin" >ctl.conf
echo 'known-clients = known' >>ctl.conf
if ! start 1 -f ctl.conf; then
	not_ok 'a daemon'
	plan
fi
ok 'a daemon'
a=$(fingerprint alice)
b=$(fingerprint mallory)
decided
finds_all
finds_a_key
undoes
meanwhile
stop
plan
