#!/bin/sh
# Every verb of rpcsh in poor surroundings: without input, output, terminal,
# home or characters; and every exit status.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# Each verb, once, with words that succeed.
verbs() {
	cat <<-END
		call echo a:=1 b=ä
		call -o table echo a:=1
		exec -n say
		put --force docs.put file
		get --force --out - docs.get file
		ls
		desc echo
		ls --refresh
		echo --trace --confirm no a:=1
		bench echo -n 2 --trace
		ping -n 2 -i 0
		ping --connect-only
		bench echo -n 20
		watch --every 0 -n 2 echo
		watch --for 1ms
		ctx ls
		ctx show
		trust ls --known known
		-f lines
		--help
		--version
	END
}

# run REDIRECTION NUMBER COMMAND...: bounded; its output, errors and status in
# files of that number.
run() {
	how=$1 i=$2
	shift 2
	: >"out.$i"
	case $how in
	closed) timeout 60 "$@" <&- >"out.$i" 2>"err.$i" ;;
	nothing) timeout 60 "$@" </dev/null >"out.$i" 2>"err.$i" ;;
	full) timeout 60 "$@" </dev/null >/dev/full 2>"err.$i" ;;
	esac
	echo $? >"got.$i"
}

# each TEXT WANTED HOW COMMAND...: all verbs so, side by side; WANTED looks at
# out and err, with the status in $got.
each() {
	text=$1 wanted=$2 how=$3
	shift 3
	verbs >list
	i=0
	runs=
	while read -r words; do
		i=$((i + 1))
		# shellcheck disable=SC2086 # words are meant to split
		run "$how" $i "$@" "$rpcsh" -s "$(url tcp)" --no-input $words &
		runs="$runs $!"
	done <list
	# shellcheck disable=SC2086 # one by one
	wait $runs
	i=0
	bad=
	while read -r words; do
		i=$((i + 1))
		mv "out.$i" out
		mv "err.$i" err
		got=$(cat "got.$i")
		"$wanted" || bad="$bad [$words: $got]"
	done <list
	[ -z "$bad" ]
	result $? "$text$bad"
}

# Nothing but ASCII without escape sequences; data is UTF-8 wherever.
is_plain() {
	[ "$got" -eq 0 ] && ! cat out err | sed 's/ä//g' |
		LC_ALL=C grep -q '[^ -~	]'
}

# Who has something to say fails and tells; who has not, succeeds.
tells_full() {
	case $got in
	0) ! grep -q . err || case $words in put* | get*got* | watch\ --for* | \
		trust*) ;; *) return 1 ;; esac ;;
	1) grep -q 'No space left\|standard output' err ;;
	*) return 1 ;;
	esac
}

is_json() {
	[ "$got" -eq 0 ] || return 1
	case $words in
	--help | --version | *--out\ -* | call\ -o*) return 0 ;;
	esac
	python3 -c '
import json
for line in open("out", encoding="utf-8"):
    x = json.loads(line)
    assert x == [] or list(x)[0] == "schema" and x["schema"] == 1
' 2>>err
}

succeeds() {
	[ "$got" -eq 0 ] && ! grep -q 'AddressSanitizer\|runtime error' err
}

# No verb is left out.
are_all() {
	"$rpcsh" --help | sed -n '/^commands:/,/^options:/p' |
		sed '/^options:/d; s/^commands://' | tr -d ' ' | tr ',' '\n' |
		grep . | sort -u >known_verbs
	verbs | sed -n 's/^\([a-z]*\).*/\1/p' | sort -u >tried_verbs
	[ "$(grep -c . known_verbs)" -ge 11 ] &&
		[ -z "$(comm -23 known_verbs tried_verbs)" ]
	result $? 'each verb is among them'
}

# Each alone; and some at once: what breaks is named by its verb.
surroundings() {
	are_all
	each 'with standard input closed' succeeds closed env
	each 'on a terminal that is dumb' succeeds nothing env TERM=dumb
	each 'in ASCII' succeeds nothing env LC_ALL=C
	each 'without home' succeeds nothing env -u HOME
	each 'without input, home, characters and terminal' is_plain closed \
		setsid -w env -i TERM=dumb LC_ALL=C \
		"ASAN_OPTIONS=${ASAN_OPTIONS-}"
	each 'on a full disk' tells_full full env HOME=/proc
	each 'in JSON' is_json nothing json
}

# `json PROGRAM WORDS...` is that with --json, as env(1) would be.
make_json() {
	mkdir -p bin
	cat >bin/json <<-'END'
		#!/bin/sh
		for w; do
			case $w in
			-o | -) exec "$@" ;;
			esac
		done
		exec "$@" --json
	END
	chmod +x bin/json
	PATH=$tmp/bin:$PATH
}

# Each status that the manual lists is tried below, and none besides.
are_told() {
	sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It //p' \
		"$SRC_DIR/man/rpcsh.1" >listed
	sed -n "s/^	*want [0-9]* 'status \([0-9]*\):.*/\1/p" \
		"$SRC_DIR/tests/cli/rpcsh_poor.sh" >tried
	[ "$(grep -c . listed)" -ge 11 ] && diff listed tried >difference
	result $? 'each status of the manual is one of these'
}

statuses() {
	want 0 'status 0: done' alice echo
	want 1 'status 1: failed' alice echo --raw @/proc/self/mem
	want 2 'status 2: wrong use' alice echo a:=x
	want 3 'status 3: the method failed' alice bad
	want 4 'status 4: nobody there' "$rpcsh" -s tcp://127.0.0.1:1 echo
	want 5 'status 5: time over' alice --timeout 50ms nap
	want 6 'status 6: not trusted' "$rpcsh" -s "$(url tls)" \
		--certs other/certs -k alice echo
	want 7 'status 7: no passphrase' "$rpcsh" -s "$(url tls)" \
		--certs certs -k closed --no-input echo
	want 8 'status 8: no such method' alice nope
	"$rpcsh" ctx add here server=tcp://127.0.0.1:1 --quiet
	want 9 'status 9: it exists' "$rpcsh" ctx add here \
		server=tcp://127.0.0.1:1
	(
		flock -x 9
		want 10 'status 10: busy' alice get --out x docs.get file
		echo "$n $failed" >count
	) 9>.x.rpcsh-part
	read -r n failed <count
	: >out
	"$rpcsh" -s "$(url tcp)" ping -n 9 -i 10m </dev/null >out 2>err &
	pinger=$!
	until_ok grep -q '^reply 1' out
	kill -INT $pinger
	wait $pinger
	[ $? -eq 130 ]
	result $? 'status 130: Ctrl-C'
	are_told
	printf 'bad\nnope\n' >both
	want 3 'of a script: the first failure' alice -f both --keep-going
}

main() {
	mkdir docs other
	echo content >docs/file
	echo content >file
	cat >rpcd.conf <<-END
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		[files docs]
		root = $tmp/docs
		put = yes
		get = yes
		replace = yes
		min-free = 0
		[method say]
		exec = /bin/echo said
		stream = yes
		[method bad]
		exec = /bin/false
		[method nap]
		exec = /bin/sleep 5
	END
	certificates
	(cd other && "$selfy" -k alice -e a@example.org -nopass) >out 2>err
	# The derivation that openssl takes is quick.
	openssl pkey -in certs/alice.key -aes256 -passout pass:secret \
		-out certs/closed.key 2>err
	chmod 600 certs/closed.key
	cp certs/alice.crt certs/closed.crt
	echo 'echo a:=1' >lines
	make_json
	check 'rpcd starts' start 2 -f rpcd.conf --certs certs --trust off --echo
	surroundings
	statuses
	stop >/dev/null
	result $? 'rpcd stops with 0'
	plan
}

main
