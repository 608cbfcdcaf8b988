#!/bin/sh
# rpcsh --trace and --trace-file with every verb that talks to a server.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# record EXPRESSION TEXT: true of the lines of the file, x[0], x[1], ...
record() {
	python3 - "$1" <<-'END' >>out 2>>err
		import json, sys
		x = [json.loads(l) for l in open('kept')]
		assert all(r['schema'] == 1 and r['at'] and r['server'] for r in x)
		sys.exit(not eval(sys.argv[1]))
	END
	result $? "$2"
	rm -f kept
}

calls() {
	want 0 'a call' plain echo a:=1 --trace-file kept --subject s
	[ "$(stat -c %a kept)" = 600 ]
	result $? 'is kept in a file for nobody else'
	record 'len(x) == 1 and x[0]["method"] == "echo" and x[0]["sent"] == 4 \
		and x[0]["code"] == "ok" and x[0]["trace"]["subject"] == "s"' \
		'that says what it was'
	want 0 'one without a reply' plain echo --one-way --trace-file kept
	record '"trace" not in x[0]' 'has no header'
	want 3 'a call that fails' plain bad --trace-file kept
	record 'x[0]["code"] == "remote" and x[0]["exit"] == 3' 'is kept, too'
	want 0 'a dry run' plain echo --dry-run --trace-file kept
	[ ! -e kept ]
	result $? 'is not'
}

streams() {
	printf '1\n2\n' | plain echoBistreamFunc -o ndjson -d - --stream both \
		--trace --trace-file kept -t >out 2>err
	result $? 'a stream'
	has err '^trace  type ' 'has a header in the end'
	has err '^size  sent 2 B  got 2 B' 'and figures'
	record 'len(x) == 1 and x[0]["sent"] == 2 and x[0]["got"] == 2' \
		'and is kept as one line'
	echo ab | plain exec cat --trace --trace-file kept >out 2>err
	result $? 'a command'
	has err '^trace  type ' 'as well'
	record 'x[0]["method"] == "cat" and x[0]["sent"] == 3 and \
		x[0]["got"] > 3' 'with its bytes'
	echo inside >doc
	want 0 'a file that is sent' plain put docs.put doc --trace \
		--trace-file kept
	has err '^trace  method docs.put$' 'has a header'
	record 'x[0]["sent"] == 7' 'and a size'
	want 0 'one that is fetched' plain get docs.get doc --out got --trace \
		--trace-file kept
	has err '^trace  method docs.get$' 'has one'
	record 'x[0]["got"] == 7' 'and a size'
	want 3 'one that is not there' plain get docs.get nothing --out no \
		--trace-file kept
	record 'x[0]["code"] == "remote"' 'is kept as what it is'
}

loads() {
	want 0 'a load' plain bench echo a:=1 -n 50 --outstanding 5 --trace-file kept
	record 'len(x) == 50 and all(r["code"] == "ok" for r in x)' \
		'is a line a call'
	want 0 'a load' plain bench echo a:=1 -n 2 --trace
	[ "$(grep -c '^trace  type' err)" -eq 2 ]
	result $? 'or a header'
}

watched() {
	want 0 'answers' plain watch --every 1ms -n 3 echo a:=1 --trace \
		--trace-file kept
	[ "$(grep -c '^trace  type' err)" -eq 3 ]
	result $? 'have headers'
	record 'len(x) == 3 and x[2]["method"] == "echo"' 'and lines'
}

told() {
	"$rpcsh" -s "$(url tcp)" tell --subject jobs.done id:=7 \
		-H token=geheim -H b=c >/dev/null 2>&1
	ended "$watcher"
}

pushes() {
	check 'a server that pushes' start_own typedserver
	plain watch jobs.done -n 1 --trace --trace-file kept >out 2>err &
	watcher=$!
	check 'a push' until_ok told
	has err '^trace  subject jobs.done$' 'has a header'
	has err '^trace  arg b=c$' 'with its arguments'
	! grep -q geheim kept && ! grep -q geheim err
	result $? 'and without secrets'
	record 'x[0]["push"] and x[0]["trace"]["subject"] == "jobs.done" and \
		x[0]["trace"]["args"] == {"token": "***", "b": "c"}' 'in the line, too'
	stop >/dev/null
}

files() {
	: >target
	chmod 600 target
	ln -s target link
	want 1 'a link' plain echo --trace-file link
	has err 'link: it is a symbolic link$' 'is not followed'
	ln -s nowhere broken
	want 1 'nor is one to nowhere' plain echo --trace-file broken
	[ ! -e nowhere ]
	result $? 'where nothing is made'
	ln target other
	want 1 'another name of a file' plain bench echo -n 1 --trace-file other
	has err 'other: it is a link to another file$' 'is not written'
	[ ! -s target ]
	result $? 'to'
	: >open
	chmod 644 open
	want 1 'a file that others may read' plain exec cat --trace-file open
	has err 'open: others may read or write it' 'is refused'
	want 1 'a disk that is full' plain echo a:=1 --trace-file /dev/full
	has out '"a":1' 'costs no reply'
	want 1 'nor' plain bench echo -n 3 --trace-file /dev/full
	has out '^answered  *3' 'figures'
	want 8 'no folder' plain put docs.put doc --trace-file no/where
	want 0 'a device' plain echo --trace-file /dev/null
}

main() {
	mkdir store
	cat >rpcd.conf <<-END
		listen = tcp:127.0.0.1:0
		[method bad]
		exec = /bin/false
		[method cat]
		exec = /bin/cat
		stream = yes
		[files docs]
		root = $tmp/store
		put = yes
		get = yes
		min-free = 0
	END
	check 'rpcd starts' start 1 -f rpcd.conf --echo
	calls
	streams
	loads
	watched
	files
	stop >/dev/null
	result $? 'rpcd stops with 0'
	pushes
	plan
}

main
