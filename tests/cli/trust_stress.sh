#!/bin/sh
# Decisions about keys, from everywhere at once: one of two people wins and the
# other is told, and nothing that anybody wrote is lost.
# RPCKIT_TRUST_STRESS=1: more of it (docs/contributing.md).
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

rounds=2
keys=3 # each that is decided about
lines=10
if [ -n "${RPCKIT_TRUST_STRESS-}" ]; then
	rounds=20
	keys=25
	lines=500
fi

comes() { # NAME: in the background, its process in $guest
	"$rpcsh" -s "$(url tls)" --certs certs -k "$1" --timeout 10m \
		call echo --raw x </dev/null >"$1.out" 2>"$1.err" &
	guest=$!
	daemons="$daemons $guest"
}

waits() { # FINGERPRINT
	ctl trust ls --state waiting --plain >waiting &&
		grep -q "	$1" waiting
}

conf() {
	install -m 600 /dev/null known
	cat >stress.conf <<-END
		listen = tls:127.0.0.1:0
		admin = $tmp/admin
		known-clients = known
		trust = ask
		trust-wait = 10m
	END
}

# Both have seen the same; each says something else.
# at_once VERB [WORD...]: one approves fp, and the other does that.
at_once() {
	verb=$1
	shift
	ctl trust approve "$fp" "$@" >out.1 2>err.1 &
	one=$!
	ctl trust "$verb" "$fp" "$@" >out.2 2>err.2 &
	other=$!
}

two_people() {
	fp=$(fingerprint mallory)
	round=0
	won=0
	told=0
	kept=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		comes mallory
		until_ok waits "$fp" || break
		seen=$(ctl trust show "$fp" | sed -n 's/^version  //p')
		at_once reject --seen "$seen"
		! wait $one || won=$((won + 1))
		! wait $other || won=$((won + 1))
		told=$((told + $(cat err.1 err.2 | grep -c \
			'something else was decided meanwhile')))
		wait "$guest"
		ctl trust forget "$fp" >out 2>err &&
			! grep -v '^#' known | grep -q mallory@ ||
			kept=$((kept + 1))
	done
	[ $won = $rounds ]
	result $? "of two people one wins: $won of $rounds times"
	[ $kept = 0 ]
	result $? 'who was let in is forgotten, too'
	[ $told = $rounds ]
	result $? "and the other is told: $told times"
}

# The same by who does not say what they have seen: who came late is refused, or
# told what that overturned.
two_hurried() {
	fp=$(fingerprint mallory)
	round=0
	told=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		comes mallory
		until_ok waits "$fp" || break
		at_once reject
		wait $one
		wait $other
		told=$((told + $(cat err.1 err.2 | grep -Ec \
			'while: (approv|reject)ed by|overturns [a-z]* by')))
		wait "$guest"
		ctl trust forget "$fp" >out 2>err
	done
	[ $told = $rounds ]
	result $? "of two in a hurry the second is told: $told times"
}

# Both let him in: he is, and the second is told that it was done.
both_approve() {
	fp=$(fingerprint mallory)
	comes mallory
	until_ok waits "$fp" || return
	seen=$(ctl trust show "$fp" | sed -n 's/^version  //p')
	at_once approve --seen "$seen"
	won=0
	! wait $one || won=$((won + 1))
	! wait $other || won=$((won + 1))
	[ $won = 1 ] && [ "$(cat err.1 err.2 | grep -c \
		'something else was decided meanwhile')" = 1 ]
	result $? "of two who approve one does, and the other is told"
	want 1 'who is let in once more is so already' \
		"$rpcd" ctl --socket "$tmp/admin" trust approve "$fp"
	has err 'is known already' 'which is said'
	wait "$guest"
	ctl trust forget "$fp" >out 2>err
}

# A file that was copied before, with what came of it, in the list's place.
edit() { # TIMES
	edits=0
	while [ $edits -lt "$1" ]; do
		edits=$((edits + 1))
		cp -p known edited && echo "# edited" >>edited &&
			mv edited known || return 1
	done
}

is_settled() { # NAME: it is in, or waits where it can be seen
	grep -v '^#' known | grep -q "$1@example.org" ||
		waits "$(fingerprint "$1")"
}

# The editor knows of no lock.  One that copied the list before all of it, and
# one that does so all the time.
without_lock() {
	names=
	while [ "${names% }" != "free1 free2 free3 free4" ]; do
		i=$(($(echo "$names" | wc -w) + 1))
		names="${names}free$i "
		"$selfy" -k free$i -e free$i@example.org -nopass \
			-quiet >>out 2>>err || not_ok "certificate $i"
		comes free$i
		until_ok waits "$(fingerprint free$i)" || return
	done
	free4=$guest
	cp -p known before
	sleep 0.1
	ctl trust approve "$(fingerprint free4)" >out 2>err
	mv before known
	check 'who was approved meanwhile is in the list again' \
		until_ok grep -q '^[^#].*free4@example.org' known
	wait "$free4"
	result $? 'and his call is answered'
	ctl trust audit >out 2>err
	has out 'again' 'the audit says so'
	edit 20 &
	editor=$!
	for name in free1 free2 free3; do
		ctl trust approve "$(fingerprint $name)" >out 2>err ||
			not_ok "approve $name"
	done
	wait "$editor"
	result $? 'somebody edits all the time'
	for name in free1 free2 free3; do
		check "$name is in, or waits" until_ok is_settled $name
	done
}

# decide VERB NAMES...: a person who goes through the list.
decide() {
	verb=$1
	shift
	for name; do
		ctl trust "$verb" "$(fingerprint "$name")" >>decided 2>&1 ||
			echo "$verb $name" >>undecided
	done
}

# Lines of other keys, under the lock as the file is replaced meanwhile; and an
# editor, who puts a new file in its place.
cat >writer.py <<'END'
import base64, fcntl, os, sys

def locked():
    while True:
        f = open("known", "r+b")
        fcntl.flock(f, fcntl.LOCK_EX)
        if os.fstat(f.fileno()).st_ino == os.stat("known").st_ino:
            return f

what, count = sys.argv[1], int(sys.argv[2])
for i in range(count):
    with locked() as f:
        if what == "edit":
            with open("known.new", "wb", opener=lambda p, flags:
                      os.open(p, flags, 0o600)) as new:
                new.write(b"# edited\n" + f.read())
            os.rename("known.new", "known")
        else:
            with open("known", "ab") as out:
                out.write(b"# %s line %d\n" % (what.encode(), i))
END

all_at_once() {
	good=
	bad=
	fps=
	i=0
	while [ $i -lt "$keys" ]; do
		i=$((i + 1))
		for kind in good bad; do
			"$selfy" -k $kind$i -e $kind$i@example.org -nopass \
				-quiet >>out 2>>err || not_ok "certificate $i"
			comes $kind$i
			fps="$fps $(fingerprint $kind$i)"
		done
		good="$good good$i"
		bad="$bad bad$i"
		# No more wait from one address than may.
		[ $((i % 12)) != 0 ] || settle
	done
	settle
	[ ! -e undecided ]
	result $? 'every decision is taken'
	lost=0
	for name in $good; do
		grep -q "$name@example.org" known || lost=$((lost + 1))
	done
	[ $lost = 0 ]
	result $? "who was let in is in the file ($lost lost)"
	[ "$(grep -c 'bad[0-9]*@' known)" = 0 ]
	result $? 'and nobody else'
	[ "$(ctl trust ls --state rejected --plain | grep -c '	bad')" = "$keys" ]
	result $? 'who was not is remembered'
	[ "$(grep -c '^# [ab] line' known)" = $((2 * lines * settled)) ]
	result $? 'no line of others is lost'
	for name in good1 "good$keys"; do
		want 0 "$name is served" "$rpcsh" -s "$(url tls)" --certs certs \
			-k $name call echo --raw x
	done
	want 6 'bad1 is not' "$rpcsh" -s "$(url tls)" --certs certs \
		-k bad1 call echo --raw x
}

# All who wait are decided about, while everybody writes.
settle() {
	[ -n "$fps" ] || return
	for fp in $fps; do
		until_ok waits "$fp" || echo "no wait $fp" >>undecided
	done
	fps=
	settled=$((settled + 1))
	# shellcheck disable=SC2086 # names
	decide approve ${good#"$good_done"} &
	writers=$!
	# shellcheck disable=SC2086
	decide reject ${bad#"$bad_done"} &
	writers="$writers $!"
	for what in a b edit; do
		python3 writer.py $what "$lines" &
		writers="$writers $!"
	done
	for pid in $writers; do
		wait "$pid" || echo "writer $pid" >>undecided
	done
	good_done=$good
	bad_done=$bad
}

settled=0
good_done=
bad_done=
certificates
conf
check 'a daemon' start 1 -f stress.conf
two_people
two_hurried
both_approve
without_lock
all_at_once
stop
result $? 'ends well'
plan
