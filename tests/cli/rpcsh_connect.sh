#!/bin/sh
# :connect to a server that is not there, or not believed: the shell stays with
# the one it has, and what it has there; and the way to the other one.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"
# shellcheck source=tests/lib/shell.sh
. "$SRC_DIR/tests/lib/shell.sh"

said() {
	screen -J | grep -q -e "$1"
	result $? "$2"
}

# What is typed is the last line, and its prompt is that.
at() {
	until_ok last_has "^lab $1> *\$"
	result $? "$2"
}

away() {
	enter ':watch jobs.done'
	fresh
	enter ":connect tls://$(own_address):1"
	said '^rpcsh: tls://.*: cannot connect: ' 'one that is not there'
	said "^rpcsh: still with $here\$" 'is not gone to'
	at 'tls strict' 'the prompt is as it was'
	enter 'tell b:=1'
	said '"b": 1' 'and so is the connection'
	where=$here
	"$rpcsh" -s "$here" -k alice --certs certs --trust accept-new \
		tell --subject jobs.done id:=7 >out 2>err
	until_ok on_screen '^push jobs.done .*"id":7'
	result $? 'with what was asked for there'
	fresh
	enter ':connect --tcp'
	at 'tls strict' 'what is no server changes nothing'
	fresh
	enter ':connect'
	said "^rpcsh: connected to $here" 'nor is it tried again'
}

strange() {
	fresh
	enter ":connect $there"
	said 'is not in .*known_server_keys' 'one that is not believed'
	said "^rpcsh: still with $here; :connect alone tries $there again\$" \
		'is not gone to either'
	enter 'tell c:=1'
	said '"c": 1' 'the connection is there'
	fresh
	enter ":trust add $there $(fingerprint mallory)" :connect
	said "^rpcsh: connected to $there" 'until its key is added'
	enter 'echo d:=1'
	said '"d": 1' 'then it is'
}

# still WORDS TEXT: what leads nowhere leaves everything as it was.
still() {
	fresh
	enter "$1"
	said "^rpcsh: still with $here\$" "$2"
	at 'tls strict' 'the prompt is as it was'
	fresh
	enter "tell e:=$n"
	said "\"e\": $n" 'and so is the connection'
}

# Other lines than :connect lead away as well.
other_ways() {
	fresh
	enter ":connect $here"
	fresh
	enter :set
	screen -J | grep -v '>' >options
	nowhere=tls://$(own_address):1
	"$rpcsh" ctx add gone "server=$nowhere" certs=certs key=alice --quiet
	"$rpcsh" ctx add wrong "server=$here" certs=certs key=alice --quiet
	echo 'timeout = soon' >>.config/rpckit/contexts/wrong.conf
	"$rpcsh" ctx add strange "server=$there" certs=certs key=alice \
		known=nobody trust=strict --quiet
	still ":set server $nowhere" 'another server by :set'
	still ':set tcp on' 'another way to this one'
	still ':use gone' 'a context'
	fresh
	enter ':use wrong'
	at 'tls strict' 'a context that cannot be read is not used'
	fresh
	enter :set
	screen -J | grep -v '>' | cmp -s - options
	result $? 'and leaves no option behind'
	fresh
	enter ':use strange'
	until_ok last_has '^strange tls strict offline> *$'
	result $? 'a server is believed by the list of its context, so that is used'
	fresh
	enter ":trust add $there $(fingerprint mallory)" :connect
	said "^rpcsh: connected to $there" 'where its key is added'
	enter ':use lab'
	at 'tls strict' 'back'
}

# one_done TEXT: only the line before :connect was done.
one_done() {
	[ "$(grep -c '"tag":1' out)" -eq 1 ] && ! grep -q '"tag":2' out &&
		[ "$(grep -c "tls://$none: " err)" -eq 2 ]
	result $? "$1"
}

# Lines of a script behind :connect are meant for no other server.
in_scripts() {
	none=$(own_address):1
	printf 'tell tag:=1\n:connect tls://%s\ntell tag:=2\n' "$none" >lines
	"$rpcsh" -c lab -f lines --keep-going >out 2>err
	one_done 'no line of a script goes to the server before'
	"$rpcsh" -c lab -f - --keep-going <lines >out 2>err
	one_done 'nor one of standard input'
	printf ':connect tls://%s\n' "$none" >lines
	printf 'tell tag:=1\n:source lines\ntell tag:=2\n' >outer
	"$rpcsh" -c lab -f outer --keep-going >out 2>err
	one_done 'nor one behind :source'
}

# Nor do lines that were there before it was known.
pasted() {
	fresh
	enter ":connect $here"
	fresh
	printf ':connect tls://%s\rtell tag:=2\r' "$none" >lines
	term load-buffer -b lines lines
	term paste-buffer -t t -b lines
	until_ok last_has ' offline> *$'
	said "^rpcsh: not with $here any more, .*:connect $here leads back" \
		'where more was pasted it is left'
	[ "$(screen -J | grep -c "^rpcsh: tls://$none: ")" -eq 2 ] &&
		! on_screen '"tag"'
	result $? 'and the line pasted fails'
	fresh
	enter ":connect $here"
	said "^rpcsh: connected to $here" 'the way back'
	fresh
	printf ':connect tls://%s\recho tag' "$none" >lines
	term load-buffer -b lines lines
	term paste-buffer -t t -b lines
	until_ok last_has ' offline> echo tag$'
	result $? 'nor half a line'
	keys C-u
	enter ":connect $here"
	fresh
	printf ':connect tls://%s\n' "$none" >lines
	enter ':source lines'
	until_ok last_has ' offline> *$'
	result $? 'nor what is behind a script'
	enter ":connect $here"
	for words in ':use gone' ":set server $nowhere"; do
		fresh
		printf '%s\rtell tag:=3\r' "$words" >lines
		term load-buffer -b lines lines
		term paste-buffer -t t -b lines
		until_ok last_has ' offline> *$'
		[ "$(screen -J | grep -c "^rpcsh: $nowhere: ")" -eq 2 ] &&
			! on_screen '"tag"'
		result $? "nor behind $words"
		enter ':use lab'
	done
}

main() {
	certificates
	check 'another server' start 1 --listen tls:127.0.0.1:0 -k mallory \
		--trust off --echo
	there=$(url tls)
	check 'a server' start_own typedserver tls://127.0.0.1:0 odd certs
	here=$(url tls)
	"$rpcsh" ctx add lab "server=$here" certs=certs key=alice \
		trust=strict --quiet
	"$rpcsh" -c lab --trust accept-new tell >out 2>err
	in_scripts
	term new-session -d -x 100 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c lab; echo END-\$?; cat"
	at 'tls strict' 'a shell'
	away
	strange
	other_ways
	pasted
	term kill-server
	stop >/dev/null
	plan
}

main
