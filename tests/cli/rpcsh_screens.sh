#!/bin/sh
# What the shell shows of each thing it can do, on a terminal of 80 by 24, as
# it should be (tests/golden/rpcsh_*): its commands that begin with a colon, of
# which none is left out, and the forms of arguments and replies.
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

# lines NAME TEXT LINE...: on a screen of their own, with what they say.
lines() {
	name=$1 text=$2
	shift 2
	fresh
	enter "$@"
	golden "$name" "$ready" "$text"
}

repeated() {
	lines repeat 'a call again, more than once, and as a command' \
		'tell -o json b="x y"' :again ':repeat 2 0' :cmd
	lines last 'its reply in other forms, and in a file' \
		'tell id:=7' ':last hex' ':last table' ':out reply' 'tell id:=8' \
		':last json' :nothing
	lines script 'the lines of a file, up to the first that fails' \
		':source lines' ':history /source/' ':save kept' \
		':save  kept'
	figures=no_figures
	lines time 'how long a call takes' :time ':time on' 'tell a:=1' \
		':time off' 'tell a:=2' ':time brief'
	figures='cat'
	lines trace 'the headers of what comes' ':trace on' \
		'tell a:=1' :trace ':trace off'
}

settings() {
	lines set 'options for all lines' ':set timeout 5s' ':set quiet on' :set \
		':set timeout -' ':set quiet -' ':set timeuot 1s' :set
	lines ctx 'contexts, and servers' :ctx ':use nowhere' ':use away' \
		'tell a:=1' :connect ':ctx lab'
	lines trust 'whom it talks to' :trust ':connect unix:///nowhere' \
		':use lab'
	lines help 'help' ':help repeat' ':help :q' ':help nothing' ':quit now'
	lines words 'words that are none' 'tel a:=1' ':tme on' \
		'Shop.Order Itme=x' 'ctx lis' ':ask tel'
	fresh
	keys -l :help
	keys Enter
	golden commands "$ready" 'all there is'
}

values() {
	lines forms 'a reply in each form' \
		"tell -d '[1, {\"a\": 2}]' -o json" ':last ndjson' \
		':last pretty' ':last hex' ':last raw' ':last msgpack' \
		':last table' "tell -o raw --raw 'as it is'"
	lines items 'an argument of items' \
		'tell -o json a=1 b:=[2,3] c.d[0]=x c.d[]=y e\=f=g' \
		'tell -o json b@bytes t=@text j:=@value.json' \
		'tell -o json -d @value.json more:=true'
	lines wide 'wide signs, and such as combine' \
		"tell -o table -d '[{\"n\":\"漢字\",\"v\":1},{\"n\":\"e\\u0301a\",\"v\":22}]'" \
		'tell name=漢字かな漢字かな漢字かな漢字かな漢字かな漢字かな漢字かな漢字' \
		'tell -o table evil:="\u001b[2J" rtl:="\u202e"'
	lines dry 'what would be sent, and JSON' 'tell --dry-run a:=1' \
		'tell --json a:=1' 'nothing --json' 'tell a:=x' \
		'tell --json a:=1 --out deep/er'
}

told() {
	fresh
	enter ':watch jobs.done'
	tell 7
	golden told "$ready" 'what is pushed, once it is wanted'
}

# Of the commands that :help lists, each is on a screen that is looked at.
all_commands() {
	echo ':help' | "$rpcsh" -f - | sed -n 's/^  :\([a-z]*\) .*/\1/p' |
		sort >listed
	sed -n 's/^[a-z][a-z ]*> :\([a-z]*\).*/\1/p' \
		"$SRC_DIR"/tests/golden/rpcsh_* | sort -u |
		comm -23 listed - >missing
	[ ! -s missing ] && [ "$(grep -c . listed)" -ge 22 ]
	result $? "each command is on one of them $(tr '\n' ' ' <missing)"
}

main() {
	check 'a server' start_own typedserver tcp://127.0.0.1:0 odd
	where=$(url tcp)
	"$rpcsh" ctx add lab "server=$where" --quiet
	"$rpcsh" ctx add away server=tcp://127.0.0.1:1 --quiet
	printf '# a script\ntell from=file\n\nnone\ntell after:=1\n' >lines
	head -c 80 /dev/zero >bytes
	printf 'ein Wört' >text
	printf '{"v": [1, 2.5, "x"]}\n' >value.json
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c lab; echo LEFT-\$?; cat"
	shows "$ready" 'a prompt'
	repeated
	settings
	values
	told
	all_commands
	keys -l :quit
	keys Enter
	shows '^LEFT-0' 'the end'
	term kill-server
	stop >/dev/null
	plan
}

main
