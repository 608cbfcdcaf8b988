#!/bin/sh
# rpcd's settings: the file and its mistakes, -t, -T.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# says LINE: err has exactly this line.
says() {
	grep -q -F -x -e "rpcd: $1" err
	result $? "it says: $1"
}

mistakes() {
	cat >bad.conf <<-'END'
		lisen = tls:127.0.0.1:1
		trust = maybe
		threads = 257
		drain = soon
		max-queue = 1
		echo = perhaps
		listen = sctp:x:1
		listen = tls:127.0.0.1
		key = ../x
		certs =
		pass = pass:secret
		log-level info
		threads = 1

		[method]
		exec = /bin/true
		[method no.exec]
		about = nothing
		[method relative]
		exec = df -P
		[method open]
		exec = /bin/echo "x
		[method echo]
		exec = /bin/true
		[method _.mine]
		exec = /bin/true
		[method many.mistakes]
		exec = /bin/true
		args = yaml
		reply = xml
		timeout = 0
		max-output = 2M
		concurrency = 0
		idempotent = 2
		allow = ops, SHA256:short
		stram = yes
		[metod x]
		exec = /bin/true
	END
	want 1 'a file full of mistakes' "$rpcd" -t -f bad.conf
	says 'bad.conf:1: unknown key "lisen" (did you mean "listen"?)'
	says 'bad.conf:2: trust: "maybe" is not one of file|open|ask|lock|off'
	says 'bad.conf:3: threads: "257" is not from 0 to 256'
	says 'bad.conf:4: drain: "soon" is not a time like 30s, 250ms or 1m'
	says 'bad.conf:5: max-queue: "1" is not from 65536 to 1073741824'
	says 'bad.conf:6: echo: "perhaps" is not yes or no'
	has err '^rpcd: bad.conf:7: listen: "sctp:x:1" is not tls:ADDRESS' \
		'an unknown transport'
	has err '^rpcd: bad.conf:8: listen: .*ADDRESS:PORT' 'no port'
	has err '^rpcd: bad.conf:9: key: "../x" is not the name' 'a path'
	has err '^rpcd: bad.conf:10: certs: "" is no path' 'no directory'
	has err '^rpcd: bad.conf:11: pass: .*ps and history' \
		'a passphrase in the open'
	! grep -q secret err
	result $? 'and it is not repeated'
	says 'bad.conf:12: no "=" behind "log-level info"'
	says 'bad.conf:13: "threads" again, first on line 3'
	says 'bad.conf:15: section [method] needs a name'
	says 'bad.conf:18: [method no.exec] has no exec'
	says 'bad.conf:20: exec: the program needs an absolute path'
	says 'bad.conf:22: exec: open quote'
	has err '^rpcd: bad.conf:24: \[method echo\]: .*built-in' 'taken'
	has err '^rpcd: bad.conf:26: \[method _.mine\]: .*built-in' 'reserved'
	says 'bad.conf:29: args: "yaml" is not one of none|json|raw'
	says 'bad.conf:30: reply: "xml" is not one of text|json|raw'
	says 'bad.conf:31: timeout: "0" is not from 1ms to 36500d'
	says 'bad.conf:32: max-output: only a stream takes more than 1200000 bytes'
	says 'bad.conf:33: concurrency: "0" is not from 1 to 1000'
	says 'bad.conf:34: idempotent: "2" is not yes or no'
	has err '^rpcd: bad.conf:35: allow: .*neither an email nor' 'no email'
	says 'bad.conf:36: unknown key "stram" (did you mean "stream"?)'
	says 'bad.conf:37: unknown section "metod" (did you mean "method"?)'
	[ "$(wc -l <err)" = 28 ]
	result $? 'all in one go, and nothing else'
	want 1 'it does not start with it' "$rpcd" -f bad.conf
	[ ! -s out ] && [ "$(wc -l <err)" = 28 ]
	result $? 'for the same reasons'
	want 1 'a file that is not there' "$rpcd" -t -f none.conf
	want 8 'nor to start with' "$rpcd" -f none.conf
	echo 'threads = 1' >shared.conf
	chmod 666 shared.conf
	want 1 'a file that others can write' "$rpcd" -t -f shared.conf
	has err 'chmod' 'is refused with the way out'
	want 2 'an unknown flag' "$rpcd" --lisen tls:127.0.0.1:1
	has err 'did you mean --listen' 'gets a hint'
	want 2 'a bad flag beside a good file' "$rpcd" -t --threads 9999
	want 2 'a bad address' "$rpcd" -t --listen nonsense
	says '--listen: "nonsense" is not tls:ADDRESS:PORT, quic:ADDRESS:PORT, tcp:ADDRESS:PORT, ssh+tcp:ADDRESS:PORT, ssh+udp:ADDRESS:PORT, unix:PATH, ssh+unix:PATH or fd:N'
	want 1 'mistakes with --json' "$rpcd" -t --json -f bad.conf
	has out '^{"schema":1,"ok":false}$' 'have a JSON answer'
}

# What is written down and says nothing is not taken for "everybody".
empty_conf() {
	cat >empty.conf <<-'END'
		listen =
		psk = ""
		next-key =
		[method one]
		exec = /bin/true
		allow =
		psk = ,
		[files docs]
		path = /
		allow = " "
		psk =
	END
	want 1 'lists of nothing' "$rpcd" -t -f empty.conf
	says 'empty.conf:1: listen: "" is empty'
	has err '^rpcd: empty.conf:2: psk: .* is empty' 'in quotes'
	says 'empty.conf:3: next-key: "" is empty'
	says 'empty.conf:6: allow: "" is empty'
	says 'empty.conf:7: psk: "," is empty'
	has err 'empty.conf:10: allow: ' 'nor is a blank somebody'
	says 'empty.conf:11: psk: "" is empty'
	want 2 'a key that a variable should have named' \
		"$rpcd" --listen tcp:127.0.0.1:0 --psk ''
	says '--psk: "" is empty'
}

good_conf() {
	cat >good.conf <<-END
		# a comment
		listen = tls:127.0.0.1:0
		listen = tcp:[::1]:0    # another
		idle-timeout = never
		keepalive = 20s
		dead-peer = 4s
		drain = 1500ms
		log-level = debug
		[method disk.free]
		exec  = /bin/df -P "/" '/ # x'
		about = "free  space # of disks"
		args  = none
		reply = text
		secret = pin, code
		allow = ops@example.org, $(fingerprint alice)
		allow = $(fingerprint mallory | sed 's/\(....\)/\1 /g;s/SHA2 56:/SHA256:/')
	END
}

printing() {
	good_conf
	want 0 'a good file' "$rpcd" -t -f good.conf
	[ ! -s out ] && [ ! -s err ]
	result $? 'has nothing to say'
	want 0 '-T' "$rpcd" -T -f good.conf --threads 3 --trust lock
	cp out first.conf
	for line in 'listen = tls://127.0.0.1:0' 'listen = tcp://\[::1\]:0' \
		'threads = 3' 'trust = lock' 'idle-timeout = never' \
		'keepalive = 20s' 'dead-peer = 4s' \
		'drain = 1500ms' 'max-queue = 4M' 'key = node' \
		'certs = certs' "exec = /bin/df -P \"/\" '/ # x'" \
		'about = "free  space # of disks"' 'timeout = 10s' \
		'secret = "\{0,1\}pin, code"\{0,1\}'; do
		has out "^$line\$" "prints $line"
	done
	[ "$(grep -c '^allow = ' out)" = 3 ]
	result $? 'prints who may call'
	want 0 'what it prints' "$rpcd" -T -f first.conf
	tail -n +2 first.conf >a
	tail -n +2 out >b
	check 'can be read back to the same' cmp a b
	want 0 '-T --json' "$rpcd" -T --json -f good.conf
	python3 -c 'import json
rows = [json.loads(line) for line in open("out")]
assert all(row["schema"] == 1 for row in rows)
assert {r["value"] for r in rows if r.get("method")} > {"none", "text"}'
	result $? 'one object a line'
	sed -n 's/^\(# \)\{0,1\}\([a-z-]*\) =.*/\2/p' first.conf | sort -u |
		while read -r name; do
			grep -q "^#$name = " "$SRC_DIR/contrib/rpcd.conf" &&
				grep -q "^\.It Ic $name " \
					"$SRC_DIR/man/rpcd.conf.5" ||
				echo "$name"
		done >undocumented
	[ -s first.conf ] && [ ! -s undocumented ]
	result $? "manual and example have each of them $(cat undocumented)"
	sed 's/^#\([a-z[]\)/\1/' "$SRC_DIR/contrib/rpcd.conf" >example.conf
	want 0 'the example, with its comments taken off' \
		"$rpcd" -T -f example.conf
	want 0 '--listen' "$rpcd" -T -f good.conf --listen unix:/run/x.sock
	[ "$(grep -c '^listen' out)" = 1 ]
	result $? 'stands for all of the file'
	mkdir 'my certs #1'
	want 0 'a name with a sign in it' "$rpcd" -T --certs 'my certs #1'
	has out '^certs = "my certs #1"$' 'is quoted'
	cp out first.conf
	tail -n +1 first.conf >a
	want 0 'and read back' "$rpcd" -T -f first.conf
	tail -n +2 out >b
	check 'to the same' cmp a b
	want 0 'the environment' \
		env RPCKIT_CERTS=elsewhere "$rpcd" -T -f first.conf
	has out '^certs = elsewhere$' 'beats the file'
	want 0 'a flag' env RPCKIT_CERTS=elsewhere \
		"$rpcd" -T -f first.conf --certs nearer
	has out '^certs = nearer$' 'beats both'
}

streams() {
	cat >stream.conf <<-'END'
		[method sort]
		exec = /usr/bin/sort
		stream = yes
		[method some]
		exec = /usr/bin/sort
		stream = yes
		timeout = 1m
		max-output = 2G
	END
	want 0 '-T: streams' "$rpcd" -T -f stream.conf
	[ "$(grep -c '^stream = yes$' out)" = 2 ]
	result $? 'are said to be ones'
	has out '^timeout = never$' 'have no time limit unasked'
	has out '^timeout = 1m$' 'or the one that was given'
	has out '^# max-output =$' 'no limit of output'
	has out '^max-output = 2048M$' 'or a large one'
	cp out first.conf
	want 0 '-T: of that' "$rpcd" -T -f first.conf
	tail -n +2 first.conf >a
	tail -n +2 out >b
	check 'is the same' cmp a b
	cat >bad.conf <<-'END'
		[method text]
		exec = /usr/bin/sort
		stream = yes
		reply = text
		[method again]
		exec = /usr/bin/sort
		idempotent = yes
		stream = yes
		[method maybe]
		exec = /usr/bin/sort
		stream = maybe
	END
	want 1 '-t: streams that cannot be' "$rpcd" -t -f bad.conf
	says 'bad.conf:2: [method text]: a stream has no form of reply: it is raw'
	says 'bad.conf:6: [method again]: a stream is never repeated: it is not idempotent'
	says 'bad.conf:11: stream: "maybe" is not yes or no'
}

rest_checked() {
	echo 'known-clients = list' >list.conf
	echo garbage >list
	chmod 600 list
	want 1 '-t: a malformed list' "$rpcd" -t -f list.conf
	has err '^rpcd: list.conf:1: list:1: ' 'with both lines'
	: >list
	chmod 400 list
	want 1 '-t: a locked and empty list' "$rpcd" -t -f list.conf
	chmod 622 list
	want 1 '-t: a list that others can write' "$rpcd" -t -f list.conf
	chmod 600 list
	want 0 '-t: an empty and open list' "$rpcd" -t -f list.conf
	printf '#!/bin/sh\n' >prog
	chmod 777 prog
	cat >exec.conf <<-END
		[method gone]
		exec = /nowhere/prog
		[method no]
		exec = /etc/passwd
		[method shared]
		exec = $tmp/prog
	END
	want 0 '-t: commands that cannot be run only warn' \
		"$rpcd" -t -f exec.conf
	says 'warning: exec.conf:2: [method gone]: /nowhere/prog is not there'
	says 'warning: exec.conf:4: [method no]: /etc/passwd cannot be executed'
	says "warning: exec.conf:6: [method shared]: $tmp/prog can be changed by others"
	check 'a daemon in the way' start 2 --listen tcp:127.0.0.1:0 \
		--listen "unix:$tmp/way.sock"
	printf 'listen = %s\nlisten = unix:%s\n' "$(url tcp)" "$tmp/way.sock" \
		>way.conf
	want 1 '-t: ports in use' "$rpcd" -t -f way.conf
	has err '^rpcd: way.conf:1: .*[Aa]ddress already in use' 'tcp'
	has err '^rpcd: way.conf:2: .*[Aa]ddress already in use' 'unix'
	stop
	want 0 '-t: ports that are free' "$rpcd" -t -f way.conf
	want 0 '-t --json' "$rpcd" -t --json -f way.conf
	has out '^{"schema":1,"ok":true}$' 'has a JSON answer'
}

certificates
mistakes
empty_conf
printing
streams
rest_checked
plan
