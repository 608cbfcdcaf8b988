#!/bin/sh
# keyvault ended by force while it writes, and two of them at once: what it
# told of is there, and nothing is half.  RPCKIT_VAULT_STRESS=1: 500 times, as
# "make stress" does.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

rounds=60
[ -z "${RPCKIT_VAULT_STRESS:-}" ] || rounds=500

# A number below $1; the same ones every time.
seed=1
random() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	number=$((seed / 65536 % $1))
}

names() { # of this round, more than it lives to make
	awk -v round="$1" 'BEGIN { for (i = 0; i < 400; i++)
		print "r" round "-" i }'
}

# Every name that was told of, and of the last round at most one more: it was
# written but not told yet.
all_there() {
	"$keyvault" --plain ls | cut -f1 | LC_ALL=C sort >listed || return 1
	LC_ALL=C sort told >told.sorted
	[ -z "$(LC_ALL=C comm -23 told.sorted listed)" ] || return 1
	[ "$(LC_ALL=C comm -13 told.sorted listed | wc -l)" -le 1 ] || return 1
	cp listed told
}

killed_adding() {
	random 12
	names "$1" >names
	: >acks
	"$keyvault" --pass file:pass new --ack - <names >acks 2>err &
	pid=$!
	while [ "$(wc -l <acks)" -lt "$number" ] && kill -0 $pid 2>/dev/null; do
		:
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	sed -n 's/^ok //p' acks >>told
	all_there
}

# It has the one name or the other.
killed_renaming() {
	"$keyvault" --pass file:pass rename "$name" "$name+" 2>err &
	pid=$!
	random 60
	sleep "0.0$number"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	if "$keyvault" show "$name+" >/dev/null 2>&1; then
		! "$keyvault" show "$name" >/dev/null 2>&1 || return 1
		sed -i "s/^$name\$/$name+/" told
		name=$name+
	else
		"$keyvault" show "$name" >/dev/null 2>&1
	fi
}

# dies COMMAND...: it is ended at some moment, or has ended by then.
dies() {
	"$@" >/dev/null 2>err &
	pid=$!
	random $((60 + i % 3 * 80))
	sleep "$(printf 0.%03d "$number")"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
}

# The vault as a whole: every record opens, with one of these passphrases.
opens_with() { # SPEC...
	for spec in "$@"; do
		"$keyvault" --pass "$spec" check >out 2>err && return 0
	done
	return 1
}

# All of what was told of is there, but for $1, which may be.
there_but() {
	"$keyvault" --plain ls | cut -f1 | LC_ALL=C sort >listed || return 1
	grep -vx "$1" told | LC_ALL=C sort >told.sorted
	grep -vx "$1" listed | cmp -s - told.sorted || return 1
	cp listed told
}

killed_importing() {
	dies "$keyvault" --pass file:pass import "i$1" pass --type secret
	there_but "i$1" || return 1
	! grep -qx "i$1" told ||
		kv export "i$1" --plain-key 2>err | cmp -s - pass
}

# Any record but those that other rounds count on.
killed_removing() {
	victim=$(grep '^[ir][0-9]' told | tail -n 1)
	[ -n "$victim" ] || return 0
	dies "$keyvault" --pass file:pass rm "$victim"
	there_but "$victim"
}

killed_sealing_anew() {
	dies "$keyvault" --pass file:pass rekey --kdf-time 1ms
	there_but none && opens_with file:pass
}

# The one or the other opens it; what follows wants the first.
killed_changing_pass() {
	dies "$keyvault" --pass file:pass passwd --kdf-time 1ms \
	    --new-pass file:fpass
	there_but none && opens_with file:pass file:fpass || return 1
	[ "$spec" = file:pass ] ||
		"$keyvault" --pass file:fpass passwd --kdf-time 1ms \
		    --new-pass file:pass 2>err
}

# The copy differs in one record, which is all there or not at all.
killed_restoring() {
	rm -f copy.db
	"$keyvault" backup copy.db 2>err || return 1
	kv import "x$1" pass --type secret 2>err || return 1
	dies "$keyvault" --pass file:pass restore copy.db
	there_but "x$1" && opens_with file:pass || return 1
	! grep -qx "x$1" told || kv rm "x$1" 2>err || return 1
	there_but "x$1"
}

one_round() { # NUMBER
	case $(($1 % 8)) in
	0) killed_sealing_anew ;;
	1 | 5) killed_adding "$1" ;;
	2) killed_renaming ;;
	3) killed_importing "$1" ;;
	4) killed_changing_pass ;;
	6) killed_removing ;;
	7) killed_restoring "$1" ;;
	esac
}

ended_by_force() {
	fresh
	"$keyvault" --plain ls | cut -f1 >told
	name=word
	bad=0
	i=0
	while [ $i -lt $rounds ]; do
		i=$((i + 1))
		one_round $i || {
			bad=$((bad + 1))
			echo "# round $i"
		}
		if [ $((i % 10)) -eq 0 ]; then
			kv check >out 2>err || bad=$((bad + 1))
		fi
	done
	[ $bad -eq 0 ]
	result $? "$rounds times ended: all that was told is there"
	want 0 "and everything opens" kv check
	find v -name '*-wal' -o -name '*-shm' -o -name '*.tmp.*' | grep -q .
	[ $? -eq 1 ]
	result $? "nothing else is left"
}

two_at_once() {
	fresh
	names a | head -n 20 >names.a
	names b | head -n 20 >names.b
	"$keyvault" --pass file:pass new --ack - <names.a >acks.a 2>err.a &
	one=$!
	"$keyvault" --pass file:pass new --ack - <names.b >acks.b 2>err.b &
	two=$!
	wait $one
	result $? "one writer"
	wait $two
	result $? "and another"
	[ "$(cat acks.a acks.b | wc -l)" -eq 40 ]
	result $? "each was told of all of its own"
	want 0 "check" kv check
	has out '  43 records' "all are there"
}

# A vault of its own, where somebody writes for longer than is waited for; the
# others are tried meanwhile.
held() {
	mkdir -m 700 held
	cp "$SRC_DIR/tests/golden/vault/v1.db" held/vault.db
	chmod 600 held/vault.db
	mkfifo go
	python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN IMMEDIATE")
open("holds", "w").close()
open("go").read()' held/vault.db &
	holder=$!
	until_ok test -e holds
	"$keyvault" --vault held/vault.db --pass file:pass new late \
	    >held.out 2>held.err &
	waiter=$!
}

held_to_the_end() {
	want 0 "who only reads waits for nobody" "$keyvault" \
	    --vault held/vault.db ls
	wait $waiter
	[ $? -eq 10 ]
	result $? "who writes waits for a while"
	grep -q "^keyvault: held/vault.db: locked by another process (pid $holder)\$" \
	    held.err
	result $? "and is told for whom"
	echo >go
	wait $holder
	want 0 "when that one ended" "$keyvault" --vault held/vault.db \
	    --pass file:pass new late
}

held
ended_by_force
two_at_once
held_to_the_end
finish
