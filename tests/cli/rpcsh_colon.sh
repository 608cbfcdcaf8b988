#!/bin/sh
# Every command of the shell that begins with a colon, on a terminal: each that
# :help lists is tried here, which is proven.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

# try COMMAND WORDS PATTERN: type it, with nothing before it on the screen; what
# it says has the pattern.
try() {
	echo "$1" >>tried
	line ":$1${2:+ $2}" "$3" ":$1 $2"
}

# The same with a line that is no command.
typed() {
	line "$1" "$2" "$1"
}

calls() {
	try ls '' '^Shop.Order '
	try ls 'te*' '^tell '
	try desc tell '^tell  two-way   in anything'
	try desc nope 'no such method'
	try ask tel 'did you mean "tell"'
	try ask Order 'Item'
	keys C-c
	try ask Shop.Order 'Item'
	keys C-c
	type_line ':ask tell'
	shows '^JSON, @FILE or NAME=VALUE> *$' 'what has no known fields'
	keys -l '{"n":'
	keys Enter
	shows '^rpcsh: JSON:1:6: ' 'is asked for as JSON'
	keys -l '{"n": [1, 2]}'
	keys Enter
	shows '^rpcsh: call tell .--data={"n": \[1, 2\]}.' 'and shown as a call'
	shows '^  "n": \[' 'which is made'
	type_line ':ask tell'
	shows '^JSON, @FILE or NAME=VALUE> *$' 'or it is asked for'
	keys -l -- '-n=x y'
	keys Enter
	shows '^another NAME=VALUE, or nothing> *$' 'pair by pair'
	keys -l 'token=?'
	keys Enter
	shows '^another NAME=VALUE, or nothing> *$' 'secret ones, too'
	keys Enter
	shows '^[Tt]oken' 'which are asked for last'
	keys -l 'geheim'
	keys Enter
	shows '^  "-n": "x y"' 'and sent'
	typed 'tell a:=1' '"a": 1'
	try again '' '"a": 1'
	try repeat '2 0' '"a": 1'
	try repeat 'x' 'how often'
	try cmd '' '^rpcsh --server=.* tell a:=1'
	try last hex '^81a16101'
	try edit '' '"a": 2'
	try out answer.json '> *$'
	typed 'tell b:=7' 'wrote answer.json'
	[ "$(od -An -tx1 answer.json | tr -d ' ')" = 81a16207 ]
	result $? 'there it is'
	try time on '> *$'
	typed 'tell c:=1' '^time '
	try time off '> *$'
	try time '' '^off'
	try trace on '> *$'
	typed 'tell d:=1' '^trace '
	try trace calls.ndjson '> *$'
	typed 'tell e:=1' '"e": 1'
	until_ok grep -q '"method":"tell"' calls.ndjson
	result $? 'a trace in a file'
	try trace off '> *$'
	try watch jobs.done '> *$'
	"$rpcsh" -s "$where" tell --subject jobs.done id:=7 >/dev/null
	shows '^push jobs.done .*7' 'what is pushed'
}

settings() {
	try set 'quiet on' '> *$'
	try set '' '^quiet'
	try set 'quiet -' '> *$'
	try ctx '' '^lab '
	try ctx lab '^lab tcp> *$'
	try use - '^try: --certs DIR'
	try use nowhere 'no such context'
	try connect "$where" '^127.*tcp> *$'
	try trust 'find 127.0.0.9:1' '127.0.0.9:1: not in'
	try trust nonsense 'is none of'
}

# Ctrl-C may come before the line is read, and takes it away then.
stops_reading() {
	keys -l ':source -'
	keys Enter
	keys C-c
	on_screen 'standard input: canceled'
}

# What Ctrl-C ends: lines that are over too soon to hear it, and what has no
# end.
ended_lines() {
	{
		echo ':help time'
		yes ':time 1' | head -n 1900000
	} >many
	try source many ':time.*how long'
	keys C-c
	shows 'many:[0-9]*: canceled' 'Ctrl-C between two of its lines'
	try time off 'tcp> *$'
	mkfifo pipe
	try source pipe 'is a pipe, not a regular file'
	until_ok stops_reading
	result $? 'standard input without an end'
	typed 'tell q:=1' '"q": 1'
}

lines() {
	printf 'tell from=script\n:time\n' >lines
	try source lines '"from": "script"'
	shows '^off' 'all of its lines'
	try source gone 'gone'
	try history /from/ ':history /from/'
	try save kept '> *$'
	until_ok grep -q '^tell a:=1' kept
	result $? 'what was typed is in the file'
	try save nowhere/kept 'nowhere/kept: No such file'
	[ "$(stat -c %a kept)" = 600 ]
	result $? 'for nobody else'
	try help '' ':quit'
	typed help ':quit'
	try help again ':again *repeat the last call'
	try hepl '' 'did you mean :help'
	try desc '' 'desc: METHOD is missing'
	try quit now 'the form is :quit'
	try quit '' '^LEFT-0'
}

main() {
	: >tried
	check 'a server' start_own typedserver
	where=$(url tcp)
	printf '#!/bin/sh\nsed -i s/a:=1/a:=2/ "$1"\n' >editor
	chmod +x editor
	"$rpcsh" ctx add lab "server=$where" --quiet
	term new-session -d -x 80 -y 40 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= EDITOR=$tmp/editor \
	    PATH=$PATH ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -s $where; \
	    echo LEFT-\$?; cat"
	shows 'tcp> *$' 'a prompt'
	calls
	settings
	ended_lines
	lines
	term kill-server
	echo ':help' | "$rpcsh" -f - | sed -n 's/^  :\([a-z]*\) .*/\1/p' |
		sort >listed
	sort -u tried | grep -vx hepl | diff listed - >missing
	are=$?
	sed 's/^/# /' missing
	[ $are -eq 0 ] && [ "$(grep -c . listed)" -ge 22 ]
	result $? 'each command that :help lists was tried'
	stop >/dev/null
	plan
}

main
