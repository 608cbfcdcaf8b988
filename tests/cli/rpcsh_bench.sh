#!/bin/sh
# rpcsh bench: counts, times and rates, what fails, and how it is shown.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# figure NAME OPERATOR NUMBER TEXT: of the JSON in out.
figure() {
	python3 - "$1" "$2" "$3" <<-'END' 2>>err
		import json, sys
		name, op, want = sys.argv[1:]
		x = json.load(open('out'))
		for part in name.split('.'):
		    x = x[part]
		want = float(want)
		ok = {'eq': x == want, 'ge': x >= want, 'le': x <= want}[op]
		sys.exit(0 if ok else f'{name} is {x}')
	END
	result $? "$4"
}

# What every load's figures have in common.
adds_up() {
	python3 - <<-'END' 2>>err
		import json
		x = json.load(open('out'))
		assert list(x)[0] == 'schema' and x['schema'] == 1
		assert x['sent'] == x['answered'] + x['failed'] + x['unanswered']
		assert sum(e['count'] for e in x['errors']) == x['failed']
		l = x['latency']
		assert sum(r['count'] for r in l['histogram']) == x['answered']
		order = ['min_ns', 'p50_ns', 'p90_ns', 'p99_ns', 'p999_ns', 'max_ns']
		assert sorted(l[k] for k in order) == [l[k] for k in order]
	END
	result $? "$1"
}

counts() {
	want 0 'so many calls' plain bench echo a:=1 -n 500 --json
	figure answered eq 500 'are answered'
	adds_up 'and add up'
	want 0 'on more than one connection' alice bench echo a:=1 -n 300 \
		--conns 5 --outstanding 7 --json
	figure answered eq 300 'as many'
	figure conns eq 5 'which is said'
	want 0 'a context' plain ctx add lab "server=$(url tcp)" --quiet
	want 0 '-c before the verb' "$rpcsh" -c lab bench echo -c 3 -n 30 --json
	figure conns eq 3 'is a context, and connections behind it'
	want 8 'which is one also in a group' "$rpcsh" -qc none bench echo
	has err 'context none: ' 'of letters'
	want 0 'so long' plain bench echo --for 200ms --json
	figure took_ns ge 200000000 'is not shorter'
	adds_up 'and adds up'
	want 0 'whichever is first' plain bench echo --for 1h -n 3 --json
	figure sent eq 3 'is the end'
}

rates() {
	want 0 'at a rate' plain bench echo --rate 200 -n 41 --json
	figure took_ns ge 200000000 'calls are not made before they are due'
	# Each takes 100 ms and one is due every 20: the tenth waits for nine.
	want 0 'at a rate the server cannot keep' plain bench nap --rate 50 \
		-n 10 --outstanding 1 --json
	figure latency.max_ns ge 800000000 'time counts from when a call was due'
	figure latency.p50_ns ge 400000000 'for all of them'
	want 0 'when the time is over' plain bench nap --rate 50 --for 400ms \
		--outstanding 1 --json
	figure unsent ge 10 'it is said how many were left'
	adds_up 'which are not among the sent'
}

arguments() {
	# The sign is the argument's.
	# shellcheck disable=SC2016
	printf '{"a":1}\n\n{"a":{"$bin":"AAEC"}}\n' >in.ndjson
	want 0 'arguments from a file' plain bench echo --in in.ndjson -n 4 \
		--plain
	has out '^answered	4$' 'take turns'
	plain bench echo --in - -n 2 --json <in.ndjson >out 2>err
	result $? 'or from standard input'
	figure answered eq 2 'as well'
	echo '{"a":[}' >>in.ndjson
	want 2 'a line that is no JSON' plain bench echo --in in.ndjson
	has err 'in.ndjson:4:' 'is named'
	want 2 'no line at all' plain bench echo --in /dev/null
	want 8 'no file' plain bench echo --in none.ndjson
	want 2 '--in beside items' plain bench echo a=1 --in in.ndjson
	want 2 'too much at once' plain bench echo --conns 4000 --outstanding 4000
	want 2 'no time' plain bench echo --for 0
	want 2 'no method' plain bench
}

failures() {
	want 3 'a method that fails' plain bench bad -n 5 --json
	figure failed eq 5 'is counted'
	adds_up 'by its code'
	has out '"code":"remote","exit":3,"count":5' 'which is said'
	want 8 'one that is not there' plain bench nope -n 2
	has out '^failed    2  nomethod 2$' 'in words too'
	want 5 'one that is late' plain --timeout 50ms bench nap -n 2 --json
	has out '"code":"timeout","exit":5' 'is late'
	want 4 'nobody there' "$rpcsh" -s tcp://127.0.0.1:1 bench echo -n 1
	[ ! -s out ]
	result $? 'has no figures'
}

shown() {
	want 0 'a load' plain bench echo --for 500ms --progress always
	has err '^[0-9]* answers  [0-9]*/s  p99 .*  0 failed  0:00 left  (' \
		'tells a log how far it is, when that is wanted'
	want 0 'figures for people' plain bench echo -n 200
	[ ! -s err ]
	result $? 'and nobody else'
	has out '^answered  200  ' 'how many'
	has out 'p50 .*$' 'how long'
	has out 'p99.9 ' 'and how long few took'
	has out '^ *[0-9.]* .s *[0-9]*  #' 'with bars'
	! LC_ALL=C grep -q '[^ -~]' out
	result $? 'of ASCII'
	LC_ALL=C.UTF-8 plain bench echo -n 200 >out 2>err </dev/null
	has out '█' 'or blocks'
	python3 -c 'for l in open("out", encoding="utf-8"):
		assert len(l.rstrip("\n")) <= 80' 2>>err
	result $? 'within 80 columns'
}

# load PATTERN...: one in the background, and what its status is in the end.
interrupted() {
	"$rpcsh" -s "$(url tcp)" bench touches --for 1h --json \
		</dev/null >out 2>err &
	load=$!
	check 'a load' until_ok test -e touched
	kill -INT $load
	wait $load
	[ $? -eq 130 ]
	result $? 'that Ctrl-C ends, ends so'
	adds_up 'with what there is'
	"$rpcsh" -s "$(url tcp)" bench second --for 1h --conns 2 --json \
		</dev/null >out 2>err &
	load=$!
	check 'another one' until_ok test -e second
	stop KILL >/dev/null
	wait $load
	[ $? -eq 4 ]
	result $? 'whose server goes ends, too'
	figure lost_conns eq 2 'and says so'
	adds_up 'with what there was'
	check 'rpcd is there again' start 2 -f rpcd.conf --certs certs \
		--trust off --echo
	rm second
	"$rpcsh" -s "$(url tcp)" bench second --for 1h --rate 1 --json \
		</dev/null >out 2>err &
	load=$!
	check 'a slow one' until_ok test -e second
	stop KILL >/dev/null
	wait $load
	[ $? -eq 4 ]
	result $? 'fails without its server, also between two calls'
}

main() {
	cat >rpcd.conf <<-END
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		[method nap]
		exec = /bin/sleep 0.1
		[method bad]
		exec = /bin/false
		[method touches]
		exec = /usr/bin/touch $tmp/touched
		[method second]
		exec = /usr/bin/touch $tmp/second
	END
	certificates
	check 'rpcd starts' start 2 -f rpcd.conf --certs certs --trust off --echo
	counts
	rates
	arguments
	failures
	shown
	interrupted
	plan
}

main
