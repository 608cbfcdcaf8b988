#!/bin/sh
# What a locale that is not UTF-8 cannot show is spelled in one way, wherever
# people read it.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

green=$(printf 'gr\303\274n')
spelled='gr\\xc3\\xbcn'

types() { # TEXT
	keys -l "$1"
	keys Enter
}

logs() {
	printf 'listen = tcp:127.0.0.1:0\n[method m]\nexec = /%s\n' \
		"$green" >log.conf
	LC_ALL=C "$rpcd" -t -f log.conf 2>err
	has err "^rpcd: warning: .*/$spelled is not there\$" "rpcd's log"
	LC_ALL=C.UTF-8 "$rpcd" -t -f log.conf 2>err
	has err "/$green is not there\$" 'which UTF-8 shows'
	LC_ALL=C "$rpcd" -t -f log.conf --log-format json 2>err
	has err "/$green is not there\"" 'and JSON has in any locale'
	long=$green$green$green$green$green$green$green$green$green$green
	long=$long$long$long$long$long$long$long$long$long$long
	LC_ALL=C "$rpcd" -t --known "$long" --trust ask 2>err
	! LC_ALL=C grep -q '[^ -~]' err && [ "$(wc -l <err)" -gt 0 ] &&
		[ -z "$(tail -c 1 err)" ]
	result $? 'a line that is long stays a line'
}

call() { # WORDS
	types "clear; $rpcsh -s $(url tcp) call _.ping -d '{\"a\":\"gr\\u00fcn\"}' $1"
}

answers() {
	call ''
	shows "^ *\"*a\"*: \"$spelled\"" 'JSON for people'
	call '-o json'
	shows "{\"a\":\"$green\"}" 'JSON for programs is whole'
	call '| cat'
	shows "{\"a\":\"$green\"}" 'and so is what goes elsewhere'
}

completions() {
	: >"${green}1"
	: >"${green}2"
	types "clear; $rpcsh -s $(url tcp)"
	shows ' tcp> *$' 'a shell'
	keys -l 'call _.ping a=@gr'
	keys Tab
	shows "a=@$green\$" 'what is put in is what is sent'
	keys Tab
	shows "^a=@${spelled}1  *a=@${spelled}2 *\$" 'the list is the locale'"'"'s'
	keys C-c
	types ':quit'
	shows '^\$ *$' 'and out'
}

logs
check 'rpcd starts' start 1 --echo --listen tcp:127.0.0.1:0 --admin none
prompt 80 24 LC_ALL=C
result $? 'a terminal that has ASCII'
answers
completions
stop
result $? 'rpcd stops'
term kill-server
plan
