#!/bin/sh
# rpcd is ended by force while two people decide, and begins anew: what was
# acknowledged is in the store, in the list and in the audit.
# RPCKIT_TRUST_STRESS=1: 200 times (docs/contributing.md).
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

kills=4
[ -z "${RPCKIT_TRUST_STRESS-}" ] || kills=200

# person NUMBER FINGERPRINT...: decides about each, now so and then so, and
# writes down what is tried and what was acknowledged.
person() {
	number=$1
	shift
	verb=reject
	until [ -e over ]; do
		for fp in "$@"; do
			[ ! -e over ] || break
			echo "try $verb $fp" >>"deeds.$number"
			! ctl trust "$verb" "$fp" >"out.$number" 2>&1 ||
				echo "done $verb $fp" >>"deeds.$number"
		done
		if [ "$verb" = reject ]; then verb=approve; else verb=reject; fi
	done
}

acknowledged() { # NUMBER
	grep -c '^done' "deeds.$1"
}

# Each has had two decisions acknowledged since.
go_on() {
	[ "$(acknowledged 1)" -ge $((one + 2)) ] &&
		[ "$(acknowledged 2)" -ge $((two + 2)) ]
}

# Keys that are not as the last acknowledged decision, or one that was tried
# after it, left them.
others() {
	cat deeds.1 deeds.2 >deeds
	ctl trust ls --state known --plain >list || return 1
	ctl trust ls --state rejected --plain >>list || return 1
	awk '
		BEGIN { FS = "[\t ]" }
		NR == FNR {
			if ($1 == "done")
				may[$3] = ""
			may[$3] = may[$3] \
			    ($2 == "reject" ? " rejected " : " known ")
			next
		}
		{
			for (i = 2; i <= NF; i++)
				if ($i in may) {
					seen[$i] = 1
					if (index(may[$i], " " $1 " ") == 0)
						print $i, $1, "not", may[$i]
				}
		}
		END {
			for (key in may)
				if (!(key in seen))
					print key, "is gone"
		}' deeds list >wrong
	cp wrong err
	[ -s list ] && [ ! -s wrong ]
}

# Decisions that were acknowledged, of each kind and key, and are not so often
# in the audit.
lost() {
	cat deeds.1 deeds.2 >deeds
	ctl trust audit --max 0 --plain >audit && awk '
		BEGIN { FS = "[\t ]" }
		NR == FNR {
			if ($1 == "done")
				n[$2 " " $3]++
			next
		}
		{
			verb = ""
			for (i = 1; i <= NF; i++) {
				if ($i == "reject" || $i == "approve")
					verb = $i
				if (verb " " $i in n)
					n[verb " " $i]--
			}
		}
		END {
			for (deed in n)
				if (n[deed] > 0)
					print n[deed], deed
		}' deeds audit >wrong
	cp wrong err
	[ -s audit ] && [ ! -s wrong ]
}

certificates
for name in a b c d; do
	"$selfy" -k $name -e $name@example.org -nopass >out 2>err
	result $? "a key: $name"
done
install -m 600 /dev/null known
printf 'listen = tls:127.0.0.1:0\nadmin = %s\nknown-clients = known\n' \
	"$tmp/admin" >killed.conf
echo 'trust = open' >>killed.conf
check 'rpcd starts' start 1 -f killed.conf --certs certs
for name in a b c d; do
	want 0 "$name is known" \
		"$rpcsh" -s "$(url tls)" --certs certs -k $name ping
done
: >deeds.1
: >deeds.2
person 1 "$(fingerprint a)" "$(fingerprint b)" &
daemons="$daemons $!"
person 2 "$(fingerprint c)" "$(fingerprint d)" &
daemons="$daemons $!"
people=$daemons
killed=0
bad=0
while [ $killed -lt $kills ] && [ $bad = 0 ]; do
	one=$(acknowledged 1)
	two=$(acknowledged 2)
	until_ok go_on || bad=1
	stop KILL 2>/dev/null
	killed=$((killed + 1))
	start 1 -f killed.conf --certs certs || bad=1
done
result $bad "ended by force $kills times, and begun again"
: >over
# shellcheck disable=SC2086
set -- $people
for pid in "$@"; do
	[ "$pid" = "$daemon" ] || wait "$pid" 2>/dev/null
done
others && [ "$(wc -l <list)" -ge 4 ]
result $? 'every key is as it was decided'
lost
result $? 'and the audit has all of it'
want 0 'nothing is wrong with list and store' ctl trust check
stop
result $? 'ends well'
plan
