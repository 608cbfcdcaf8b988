#!/bin/sh
# What the shell and who types there say to one another, on a terminal of 80 by
# 24, as it should be (tests/golden/rpcsh_*): questions and answers, streams,
# what is completed, and servers that are new, slow or not what they were.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# With RPCKIT_GOLDEN_WRITE the screens are written anew.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"
# shellcheck source=tests/lib/shell.sh
. "$SRC_DIR/tests/lib/shell.sh"

ready='^lab .*> *$'

# answer PATTERN TEXT...: when the last line has the pattern.
answer() {
	until_ok last_has "$1"
	shift
	keys -l -- "$*"
	keys Enter
}

# twice LINE: it is there as it was typed, and as it came back.
twice() {
	[ "$(screen | grep -cxF -e "$1")" -eq 2 ]
}

opened() { # LOCALE
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=$1 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c lab; echo LEFT-\$?; cat"
}

new_server() {
	opened C.UTF-8
	golden newkey '^Trust it' 'a server that is new'
	keys -l yes
	keys Enter
	until_ok last_has "$ready"
	fresh
	enter :trust
	golden believed "$ready" 'and what is known of it then'
}

questions() {
	fresh
	keys -l ':ask Shop.Order'
	keys Enter
	answer '^Item' ''
	answer '^Item' 'a "b"'
	answer '^Count' 101
	answer '^Count' 7
	answer '^Gift' yes
	answer '^Weight' 7.5
	answer '^Extras' '["x", "y z"]'
	answer '^Password' geheim
	golden asked "$ready" 'a call, field by field'
	fresh
	keys -l ':ask tell'
	keys Enter
	answer '^JSON' a=1
	answer '^another' token=?
	answer '^another' ''
	answer '^token' geheim
	golden pairs "$ready" 'or pair by pair'
	fresh
	keys -l "tell -o json -d '{\"a\":"
	keys Enter
	answer '^[.]' "1}' b=\"two"
	answer '^[.]' "lines\" c:=["
	answer '^[.]' '1, 2]'
	golden lines "$ready" 'a line that goes on'
}

streams() {
	fresh
	keys -l 'call -o ndjson mirror -d -'
	keys Enter
	until_ok cooked
	keys -l '{"a":1}'
	keys Enter
	until_ok twice '{"a":1}'
	keys C-d
	until_ok last_has "$ready"
	enter 'call -o ndjson forever -n 3'
	keys -l 'call -o ndjson mirror -d -'
	keys Enter
	until_ok cooked
	keys -l '[2]'
	keys Enter
	until_ok twice '[2]'
	keys C-c
	golden streams "$ready" 'lines both ways, to an end and to Ctrl-C'
}

slow() {
	fresh
	kill -STOP "$daemon"
	enter 'tell --timeout 100ms a:=1'
	keys -l 'tell b:=1'
	keys Enter
	until_ok last_has 'b:=1$'
	until_ok cooked
	keys C-c
	until_ok last_has "$ready"
	kill -CONT "$daemon"
	enter 'tell c:=1'
	golden slow "$ready" 'no answer in time, Ctrl-C, and an answer'
}

# tab TEXT WHOLE: Tab completes it.
tab() {
	keys -l -- "$1"
	keys Tab
	until_ok last_has "> $2 *\$"
	keys C-c
	until_ok last_has "^lab [a-z ]*> *\$"
}

completed() {
	fresh
	enter 'ls --quiet tell'
	tab 'Shop.Order Co' 'Shop.Order Count:='
	tab ':use aw' ':use away'
	tab 'tell x@val' 'tell x@value.json'
	tab 'bench Shop.O' 'bench Shop.Order'
	tab 'tell -o tab' 'tell -o table'
	keys Up
	golden completed 'tell$' 'methods, fields, contexts, files; and history'
	keys C-c
}

colored() {
	fresh
	enter 'tell a:=1 b=x c:=null d:=[true]' 'tell -o table a=1' none
	colors=-e
	golden colors 'none' 'colors, each for its own'
	colors=
}

other_key() {
	url=$(url tls)
	rm certs/node.*
	"$selfy" -k node -e node@example.org -nopass >out 2>err
	fresh
	stop >/dev/null
	until_ok last_has 'offline> *$'
	keys C-l
	check 'another server there' start_own typedserver "$url" odd certs
	until_ok on_screen 'key changed'
	until_ok last_has 'offline> *$'
	keys -l 'tell a:=1'
	keys Enter
	golden changed '^If the owner' 'is not believed'
	advised=$(screen -J | sed -n 's/^If the owner .*:  *\(:trust .*\)/\1/p')
	fresh
	enter "${advised:-none}" 'tell b:=1' :trust
	golden replaced "$ready" 'until what is advised is typed'
}

# What is typed is UTF-8, as what is sent is.
in_ascii() {
	terminal=ascii
	opened C
	until_ok last_has "$ready"
	fresh
	enter 'tell -o json a="漢ä" b=é́'
	golden ascii "$ready" 'nothing of what is typed is lost in ASCII'
	term kill-server
	terminal=t
}

main() {
	certificates
	check 'a server' start_own typedserver tls://127.0.0.1:0 odd certs
	"$rpcsh" ctx add lab "server=$(url tls)" certs=certs key=alice \
		trust=ask --quiet
	"$rpcsh" ctx add away server=tcp://127.0.0.1:1 --quiet
	echo 1 >value.json
	new_server
	in_ascii
	questions
	streams
	slow
	completed
	colored
	other_key
	term kill-server
	stop >/dev/null
	plan
}

main
