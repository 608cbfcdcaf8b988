#!/bin/sh
# A day in the shell, on a terminal of 80 by 24: its screens as they should be
# (tests/golden/rpcsh_*), and what it does with files, an editor and a pager.
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

begins() {
	cat >editor <<-'END'
		#!/bin/sh
		stat -c %a "$1" >edited.mode
		echo "$1" >edited.name
		cp "$1" edited.before
		sed -i 's/a:=1/a:=2/' "$1"
	END
	cat >pager <<-'END'
		#!/bin/sh
		cat >paged
		echo "--$(wc -l <paged) LINES--"
	END
	chmod +x editor pager
	"$rpcsh" ctx add lab "server=$where" --quiet
	"$rpcsh" ctx add careful "server=$where" confirm=yes --quiet
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER=$tmp/pager \
	    EDITOR=$tmp/editor PATH=$PATH ASAN_OPTIONS=${ASAN_OPTIONS-} \
	    $rpcsh -c lab; echo LEFT-\$?; cat"
	golden prompt '^lab tcp> *$' 'a prompt with context and transport'
}

measured() {
	figures=no_figures
	type_line 'ping -n 3 -i 0'
	golden ping '^3 replies' 'pings and their figures'
	type_line 'watch --every 1ms -n 1 tell a:=1'
	golden watch '^lab tcp> *$' 'an answer that is watched'
	type_line 'bench tell a:=1 -n 1'
	golden bench 'p99\|p50' 'one call that is measured'
	figures='cat'
}

day() {
	type_line 'ls Sh*'
	shows '^Shop.Order ' 'the methods are known now'
	keys C-l
	keys -l 'Sh'
	keys Tab
	golden tab 'Shop.Order *$' 'Tab completes a method'
	keys C-u
	keys -l ':t'
	keys Tab
	golden tabs ':trace' 'and shows what commands there are'
	keys C-u
	type_line ':watch jobs.done'
	keys C-l
	keys -l 'tell half'
	golden typing 'tell half *$' 'while a line is typed'
	tell 7
	golden push '^push' 'a push stands above it'
	keys C-c
	golden cancel '^lab tcp> *$' 'Ctrl-C gives the line up'
	keys C-l
	keys -l 'tell still='
	stop >/dev/null
	golden lost 'offline> tell still= *$' 'a server that dies is told'
	check 'it returns' until_ok start_own typedserver "$where"
	golden again 'lab tcp> tell still= *$' 'and so is its return'
	keys -l 'here'
	keys Enter
	golden called '^}' 'what was typed is called then'
	type_line ''
	until_ok tell 8
	shows '^push jobs.done .*8' 'and what was watched is again'
}

tools() {
	line 'tell a:=1' '^  "a": 1$' 'a reply'
	line ':last' '^  "a": 1$' 'is shown once more'
	line ':last hex' '^81a16101$' 'in another form'
	line ':last table' '^a  *1$' 'or as a table'
	type_line "tell -o table -d '[{\"id\":1,\"name\":\"ä\"},{\"id\":22,\"ok\":true}]'"
	golden table '^22 ' 'a table of more than one row'
	type_line 'tell a:=1'
	shows '^  "a": 1$' 'a reply again'
	line ':last nonsense' 'is none of json' 'or not'
	type_line ':edit'
	golden edit '^  "a": 2$' 'a call is edited'
	[ "$(cat edited.mode)" = 600 ] && grep -qx 'tell a:=1' edited.before
	result $? 'in a file of our own'
	[ ! -e "$(cat edited.name)" ]
	result $? 'that is gone'
	line ':edit' 'unchanged: nothing is done' 'what stays as it is, is not'
	line ":trace $tmp/calls.ndjson" '> *$' 'calls are recorded'
	line 'tell q=geheim' 'geheim' 'when they are made'
	line 'tell --timeout 0' '> *$' 'each of them'
	line ':trace off' '> *$' 'until they are not'
	line 'tell after:=1' '"after": 1' 'any more'
	[ "$(stat -c %a calls.ndjson)" = 600 ] &&
		[ "$(grep -c '"method":"tell"' calls.ndjson)" -eq 2 ] &&
		! grep -q geheim calls.ndjson
	result $? 'for nobody else, without what was said'
	[ ! -e paged ]
	result $? 'short replies are not paged'
	type_line "tell -d '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23]'"
	golden pager '^--25 LINES--' 'long ones are'
	line ":set quiet on" '> *$' 'unless'
	rm paged
	line ':again' '^  23$' 'nobody wants it'
	[ ! -e paged ]
	result $? 'to be'
	type_line ':set quiet off'
	chmod -x pager
	line ':again' '^  23$' 'or the pager cannot be run'
	line ':last' '^  23$' 'ever'
	chmod +x pager
	line ':help call' '^--[1-9][0-9] LINES--' 'so is the help of a verb'
	line 'desc Shop.Order' '^Shop.Order ' 'but no short description'
}

careful() {
	line ':use careful' '^careful tcp> *$' 'a context where calls are asked about'
	type_line 'tell sure=no'
	golden ask '\[y/N\] *$' 'a call is asked about'
	keys n Enter
	golden refused '^careful tcp> *$' 'and not made when that is refused'
	type_line 'tell sure=yes'
	shows '\[y/N\] *$' 'it is asked about again'
	keys y Enter
	golden accepted '^careful tcp> *$' 'and made when that is accepted'
}

gone() {
	keys C-l
	stop >/dev/null
	shows '^careful tcp offline> *$' 'a server that is gone'
	type_line ':ls'
	golden ls '^tell' 'its methods are known still'
	type_line ':desc Shop.Order'
	golden desc '^Shop.Order ' 'and what one of them takes'
}

main() {
	check 'a server' start_own typedserver
	where=$(url tcp)
	begins
	day
	tools
	measured
	careful
	gone
	keys C-l
	keys -l ':quit'
	keys Enter
	shows '^LEFT-0' 'the end'
	term kill-server
	plan
}

main
