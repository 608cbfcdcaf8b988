#!/bin/sh
# rpcsh on a terminal of 80 by 24: colors, tables, what must not get there,
# and questions with their answers hidden.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

# run WORDS: a command line, up to its end.
run() {
	mark=$((mark + 1))
	keys "clear; $1; echo END-$mark-\$?" Enter
	until_ok on_screen "^END-$mark-[0-9]"
	screen -e >colored
	screen >plain
}

# begin WORDS: a command line; returns when the screen is cleared, as what is
# typed before that is wiped away.
begin() {
	mark=$((mark + 1))
	keys "clear; echo BEGIN-$mark; $1; echo END-$mark-\$?" Enter
	until_ok on_screen "^BEGIN-$mark\$"
}

replies() {
	run "$rpcsh echo a:=1 b=x c:=null"
	esc=$(printf '\033')
	[ "$(sed -n 2p plain)" = '  "a": 1,' ]
	result $? "JSON has lines"
	grep -q "$esc\\[36m\"a\"" colored
	result $? "and colors"
	head -c 100 /dev/zero >bin
	run "$rpcsh echo b@bin"
	grep -q 'AAAAAAAAAAAAAAAA\.\.\.(100 B)' plain
	result $? "binary is shortened"
	run "$rpcsh echo b@bin -o json"
	! grep -q '\.\.\.' plain && ! grep -q "$esc" colored
	result $? "but not by -o json, which has no color"
	run "NO_COLOR=1 $rpcsh echo a:=1; TERM=dumb $rpcsh echo a:=1"
	! grep -q "$esc" colored
	result $? "NO_COLOR and TERM=dumb have none"
	run "$rpcsh text"
	grep -q -x 'one' plain && grep -q -x 'two[[:space:]]*x' plain
	result $? "a reply of text is shown as text"
	run "$rpcsh evil"
	grep -q -x 'a\\x1b\[2Jb' plain
	result $? "with controls as text"
	run "$rpcsh evil -o raw"
	grep -q 'not plain text' plain && grep -q "END-$mark-2" plain
	result $? "and -o raw refuses them"
	run "$rpcsh echo --raw xyz -o raw"
	grep -q -x 'xyz' plain && grep -q "^END-$mark-0" plain
	result $? "nor is it followed in its line"
	run "$rpcsh echo a:=1 -o msgpack"
	grep -q "END-$mark-2" plain && grep -q '^try: -o hex, or --out FILE' plain
	result $? "bytes are refused"
	run "$rpcsh ls"
	[ "$(awk 'length > 80' plain | wc -l)" -eq 0 ] &&
		grep -q '^METHOD  *TAKES' plain && grep -q '~' plain
	result $? "the table fits, cut with ~"
	# Without a line of run()'s own: the prompt is all that it leaves room for.
	keys "clear; $rpcsh -h" Enter
	until_ok on_screen '^see also'
	screen >plain
	grep -q '^rpcsh - ' plain && grep -q '^see also' plain
	result $? "the help fits"
}

passphrases() {
	secret='Passphrase for key .*closed.key:'
	begin "$rpcsh -k closed echo a:=1"
	shows "$secret" "the passphrase is asked for"
	keys secret Enter
	ends 0 "the right one opens the key"
	! grep -q secret plain
	result $? "and was not seen"
	begin "$rpcsh -k closed echo a:=1"
	shows "$secret" "asked again"
	keys bad Enter
	shows 'wrong passphrase, try again' "a wrong one"
	until_ok twice
	keys bad Enter
	until_ok thrice
	keys bad Enter
	ends 7 "and the third time is the last"
	begin "$rpcsh -k closed echo a:=1"
	shows "$secret" "asked"
	keys abc
	keys C-c
	shows '^\$ *$' "Ctrl-C ends it"
	run "stty -a | grep -o -- '[-]*echo '"
	grep -q -x 'echo *' plain
	result $? "and typing is seen again"
}

asked() {
	[ "$(screen | grep -c 'Passphrase for key')" -eq "$1" ]
}

twice() {
	asked 2
}

thrice() {
	asked 3
}

items() {
	begin "$rpcsh echo user=bob 'password=?' --out got"
	shows '^password:' "k=? asks"
	keys hidden Enter
	ends 0 "and calls"
	! grep -q hidden plain && grep -q hidden got
	result $? "what was typed is sent and not seen"
	# Another name: the screen may still show the question before.
	begin "$rpcsh echo 'secret=?'"
	shows '^secret:' "k=? asks"
	keys C-d
	ends 7 "the end of input is no answer"
}

no_sleeper() {
	! pgrep -f -x "sleep $nap"
}

commands() {
	begin "$rpcsh exec cat"
	keys 'a line' Enter
	until_ok twice_a_line
	result $? "a command reads the terminal line by line"
	keys C-d
	ends 0 "up to Ctrl-D"
	run "$rpcsh exec evil2"
	grep -q -x 'x\\x1b\[2Jy *' plain && grep -q -x 'e\\x1b\[2Jf *' plain
	result $? "controls of both outputs are shown as text"
	run "$rpcsh exec --escape never evil2; echo"
	! grep -q 'x1b' plain
	result $? "--escape never lets them through"
	begin "$rpcsh exec sleeps"
	shows '^asleep' "a command that takes long"
	keys C-c
	shows '^\$ *$' "Ctrl-C ends it"
	check "at the server, too" until_ok no_sleeper
}

twice_a_line() {
	[ "$(screen | grep -c '^a line')" -eq 2 ]
}

confirmed() {
	begin "$rpcsh --confirm yes text"
	shows '^text may change something at tls://.* Call it? .y/N. *$' \
		'a call that may change something is asked about'
	keys n Enter
	ends 1 'no is no'
	begin "$rpcsh --confirm yes text"
	shows 'Call it' 'asked again'
	keys y Enter
	ends 0 'yes is yes'
	grep -q '^two' plain
	result $? 'and it is called'
	run "$rpcsh --confirm yes again"
	grep -q '^one' plain
	result $? 'what may be repeated is not asked about'
	want 7 'where nobody can be asked' alice --confirm yes --no-input \
		exec -n cat
	has err '^rpcsh: cat: it may change .*, and nobody can be asked$' \
		'nothing is run'
	want 7 'nor' alice --confirm yes --no-input bench text -n 1
	want 7 'nor' alice --confirm yes --no-input watch --every 0 text
	printf 'again\ntext\n:set confirm no\ntext\n' |
		alice --confirm yes --no-input -f - --keep-going >out 2>err
	[ $? -eq 7 ] && [ "$(wc -l <out)" -eq 2 ]
	result $? 'a script is no other'
	want 0 'but the server is' alice --confirm yes --no-input ping
	want 0 'and what it shows' alice --confirm yes --no-input _.methods
	want 7 'not what steers it' alice --confirm yes --no-input _.lock
	has err '_.lock: it may change something' 'which is said'
}

main() {
	mark=0
	nap=34567.$$ # seconds that only our own sleeper sleeps
	cat >rpcd.conf <<-'END'
		listen = tls:127.0.0.1:0
		[method text]
		exec  = /usr/bin/printf 'one\ntwo\tx'
		reply = text
		about = a text of more than one line that is described at length
		[method again]
		exec  = /usr/bin/printf 'one'
		reply = text
		idempotent = yes
		[method evil]
		exec  = /usr/bin/printf 'a\033[2Jb'
		[method cat]
		exec   = /bin/cat
		stream = yes
		[method evil2]
		exec   = /bin/sh -c "printf 'x\\033[2Jy\\n'; printf 'e\\033[2Jf\\n' >&2"
		stream = yes
	END
	cat >>rpcd.conf <<-END
		[method sleeps]
		exec   = /bin/sh -c 'echo asleep; sleep $nap'
		stream = yes
	END
	certificates
	# The derivation that openssl takes is quick.
	openssl pkey -in certs/alice.key -aes256 -passout pass:secret \
	    -out certs/closed.key
	chmod 600 certs/closed.key
	cp certs/alice.crt certs/closed.crt
	check "rpcd starts" start 1 -f rpcd.conf --certs certs --trust off --echo
	prompt 80 24 "RPCKIT_SERVER=$(url tls)" RPCKIT_CERTS=certs \
		RPCKIT_KEY=alice
	result $? "a terminal"
	replies
	passphrases
	items
	commands
	confirmed
	term kill-server
	stop >/dev/null
	result $? "rpcd stops with 0"
	plan
}

main
