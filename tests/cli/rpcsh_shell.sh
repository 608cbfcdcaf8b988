#!/bin/sh
# rpcsh as a shell, on a terminal of 80 by 24, and with scripts.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

# shell OPTION...: the terminal, with rpcsh in it.
shell() {
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh $*; echo LEFT-\$?; cat"
}

typed() {
	shows '^127.*tls any-key> *$' 'the prompt says where, how, and who is believed'
	line 'echo a:=1 b=x' '^  "b": "x"$' 'a line is a call'
	line 'ls sl*' '^slow ' 'or another verb'
	line "echo 'c=d e' f:={\"g\": [1, 2]}" '"c": "d e"' 'words as in sh(1)'
	keys -l "echo a:={\"n\":"
	keys Enter
	shows '^\.\.\. *$' 'an open bracket goes on'
	keys -l '7}'
	keys Enter
	shows '"n": 7' 'until it is closed'
	line 'echp a:=1' 'did you mean "echo"' 'a method that is none'
	line ':hlep' 'did you mean :help' 'nor is a command'
	line ':set timeuot 5s' 'did you mean "timeout"' 'nor an option'
	line ':set timeout soon' 'timeout' 'nor a time'
	line 'ctx use nowhere' '^try: :ctx$' 'what to try is typed here'
	line 'desc nope' '^try: ls$' 'as a line'
	line 'ctx nonsense' '^try: ctx -h$' 'of this shell'
	line ':set odd 1' '^try: :help$' 'or its own command'
	line ':set' '^context=' 'and none of it is kept'
	! grep -q '^timeout' plain
	result $? 'of what was wrong'
	keys -l 'echo nothing'
	keys C-c
	shows '\^C$' 'Ctrl-C gives a line up'
	type_line 'slow'
	check 'a call that takes long' until_ok waits
	keys C-c
	shows 'slow: canceled' 'Ctrl-C ends it'
	line 'echo still=here' '"still": "here"' 'and not the shell'
	type_line 'exec asleep'
	shows '^asleep' 'so for a command'
	keys C-c
	line 'echo after=it' '"after": "it"' 'that is run there'
	type_line 'watch --every 1h echo seen=it'
	shows '"seen": "it"' 'a call is watched'
	keys C-c
	shows '^127.*tls any-key> *$' 'and the prompt after it is alone'
}

# A line that nobody types: drawing it would take minutes.
pasted() {
	{
		printf 'echo is='
		head -c 1000000 /dev/zero | tr '\0' x
		printf '\recho after=it\r'
	} >long.txt
	term load-buffer -b big long.txt
	term paste-buffer -r -d -b big -t t
	shows '^a line has at most 65536 characters' 'a line has an end'
	shows '"after": "it"' 'none of it is run, and the next line is'
	! grep -q '"is"' plain
	result $? 'as it was pasted'
	keys C-l
	keys Up
	shows 'any-key> echo after=it' 'which can be called back'
	keys C-c
}

# What is sent is seen by the daemon.
waits() {
	pgrep -f -x "/bin/sleep $nap"
}

commands() {
	line ':time' '^brief$' 'each reply has its time'
	line 'echo q:=1' '^[0-9.]* ms$' 'below it'
	line ':time on' '> *$' 'its parts'
	line 'echo q:=1' '^size  sent' 'are shown'
	line ':time off' '> *$' 'or nothing of it'
	line ':again' '"q": 1' 'a call is repeated'
	! grep -q '^size\|^[0-9.]* ms$' plain
	result $? 'without it'
	line ':time soon' 'on, off or brief' 'there is no more of it'
	line ':cmd' "^rpcsh .*--key=alice .*echo q:=1" 'or shown as a command line'
	line ':repeat 2 0' '"q": 1' 'or repeated more than once'
	line ':out got.json' '> *$' 'a reply'
	line 'echo to=file' '> *$' 'goes to a file'
	until_ok grep -q 'file' got.json
	result $? 'when it is told to'
	line ':help repeat' ':repeat N' 'help about a command'
	line ':set json on' '> *$' 'an option for all lines'
	line 'echo j:=1' '^{"schema":1,"reply":{"j":1}}' 'counts'
	line ':set json -' '> *$' 'until it is taken back'
	line ':use lab' '^lab tcp> *$' 'another context'
	line 'echo in=lab' '"in": "lab"' 'is used'
	line ':trust' 'nobody has proven a key there$' 'and nobody trusted'
	line ':use nowhere' 'no such context' 'if it is there'
	line ':use gone' '^rpcsh: still with tcp:' 'and somebody is'
	line ':use -' '^127.*> *$' 'or none'
	line ":connect $(url tls)" "^$(url tls | sed 's|.*//||') tls any-key> *\$" \
		'another server'
	line ':trust' '^  the list is not there: ' 'whose key is shown'
	grep -q '^  SHA256:....\( ....\)* ...$' plain &&
		grep -q '^  .*[0-9] sessions*, last .* ago$' plain &&
		grep -q '^  not known for this address$' plain
	result $? 'with what is known of it'
}

completed() {
	type_line 'ls'
	shows '^echo ' 'the list of methods is kept'
	keys C-l
	keys -l 'ech'
	keys Tab Tab
	shows 'echo.*echoBistreamFunc' 'Tab shows what there is'
	keys C-u
	keys -l 'sl'
	keys Tab
	shows '> slow *$' 'and completes methods'
	keys C-u
	keys -l ':hist'
	keys Tab
	shows ':history' 'commands'
	keys C-u
	keys -l 'echo x@some'
	keys Tab
	shows 'x@some\\ file' 'and files'
	keys C-u
	keys -l 'echo x@some\ '
	keys Tab
	shows 'x@some\\ file' 'of which the blank was typed, too'
	keys C-u
	keys -l 'ctx add new tls-'
	keys Tab
	keys -l 'se'
	keys Tab
	shows 'ctx add new tls-mode=server-only *$' 'settings and their words'
	keys C-u
	keys -l 'echo x@odd/a'
	keys Tab Tab
	shows 'odd/a.u202eb' 'whose names do nothing to the terminal'
	keys C-u
	keys -l 'echo x@odd/z'
	keys Tab
	keys -l 'END'
	shows 'x@odd/zEND *$' 'and not what cannot be typed'
	keys C-u
}

remembered() {
	state=$tmp/.local/state/rpckit
	line 'echo keep=this' '"keep": "this"' 'a line'
	line 'echo password=geheim' '"password"' 'a secret'
	line "echo -d '{\"pin\":\"geheim\"}'" '"pin"' 'another one'
	line 'login code=geheim' '"code"' 'a field that the server calls one'
	line ' echo blank=first' '"blank"' 'and a line with a blank before it'
	until_ok grep -q 'keep=this' "$state/history"
	result $? 'what is typed is kept'
	! grep -q -e geheim -e blank "$state/history"
	result $? 'but no secrets, nor what begins with a blank'
	[ "$(stat -c %a "$state/history")" = 600 ]
	result $? 'for nobody else'
	grep -q '^echo in=lab' "$state/history-lab" &&
		! grep -q in=lab "$state/history"
	result $? 'each context has its own'
	[ -e "$state/.history-lab.lock" ] && [ ! -e "$state/history-lab.lock" ]
	result $? 'and no lock is one of "lab.lock"'
	line ':history /keep/' '^echo keep=this' 'it can be searched'
}

again() {
	stop >/dev/null
	shows 'connection lost: ' 'a server that dies is noticed'
	shows 'offline>' 'and the prompt says so'
	line 'echo a:=9' 'Connection refused' 'meanwhile nothing is called'
	# The same address as before.
	sed "s|^listen = tls:.*|listen = $(url tls | sed 's|://|:|')|" \
		rpcd.conf >again.conf
	keys C-l
	keys -l 'echo half'
	check 'it returns' start 2 -f again.conf --certs certs --trust off --echo
	shows 'connected again' 'which is said, too'
	shows 'any-key> echo half' 'above the line being typed'
	keys -l '=typed'
	keys Enter
	shows '"half": "typed"' 'which is as it was'
}

# One that says no farewell, as a server behind QUIC that is killed.
silent() {
	line ':set connect-timeout 1s' 'any-key> *$' 'a server'
	line 'echo is=there' '"is": "there"' 'that is there'
	kill -STOP "$daemon"
	line 'echo is=gone' 'is=gone: .*\|connection lost: .*' \
		'and then is silent'
	kill -CONT "$daemon"
	shows 'connected again' 'is missed, and met again'
	line ':set connect-timeout -' 'any-key> *$' 'as ever'
	line 'echo is=back' '"is": "back"' 'and answers'
}

left() {
	keys C-l
	keys C-d
	shows '^LEFT-0' 'Ctrl-D leaves'
	term kill-server
}

# What was typed last is kept, though there is no room for all.
full() {
	python3 - "$state/history" <<-'END'
		import sys
		with open(sys.argv[1], 'r+') as f:
		    left = 4194304 - 10 - len(f.read())
		    while left > 0:
		        n = min(left, 1048000)
		        f.write('x' * (n - 1) + '\n')
		        left -= n
	END
}

pushes() {
	terminal=two
	check 'a history without room' full
	shell -s "unix://$tmp/admin"
	shows 'unix> *$' 'another server'
	line '_.events conns:=true' 'unix> *$' 'that pushes'
	until_ok grep -q '^_.events conns' "$state/history"
	result $? 'there is room for what is new'
	keys C-l
	acute=$(printf 'e\314\201')
	keys -l "echo n=${acute}a$(printf '%080d' 0)${acute}z"
	shows "0${acute}z" 'a line with marks that combine'
	"$rpcsh" -s "$(url tcp)" echo a:=1 >/dev/null
	shows '^push ' 'something is pushed'
	shows "n=${acute}a0" 'the line keeps its marks'
	shows "0${acute}z" 'on each of its rows'
	keys Left x
	shows "0${acute}xz" 'and where something is put in'
	keys C-u C-l
	keys -l '_.sta'
	"$rpcsh" -s "$(url tcp)" echo a:=1 >/dev/null
	shows '^push ' 'what it pushes is shown'
	shows 'unix> _.sta *$' 'above the line being typed'
	keys -l 'tus'
	keys Enter
	shows '"' 'which is as it was'
	keep=$daemon
	asked
	daemon=$keep
	keys C-l
	keys -l ':quit'
	keys Enter
	shows '^LEFT-0' ':quit leaves'
	term kill-server
}

vi_keys() {
	terminal=three
	echo 'bind -v' >.editrc
	shell -s "unix://$tmp/admin"
	shows 'unix> *$' 'a shell with an ~/.editrc'
	keys -l 'xyz'
	keys Escape
	keys -l '0iZ'
	shows 'unix> Zxyz *$' "has vi's keys"
	keys C-c
	keys -l ':hist'
	keys Tab
	shows 'unix> :history *$' 'and Tab completes all the same'
	term kill-server
	rm .editrc
}

quic_alice() {
	timeout 60 "$rpcsh" -s "$(url quic)" --certs certs -k alice "$@"
}

# The subscription may not have arrived yet.
told() {
	quic_alice tell --subject jobs.done id:=7
	on_screen '^push jobs.done .*7'
}

pushes_over_quic() {
	"$rpcsh" --version | grep -q 'tls quic' || return 0
	keep=$daemon
	check 'a server of QUIC that pushes' \
		start_own typedserver quic://127.0.0.1:0 odd certs
	terminal=four
	shell -s "$(url quic)" --certs certs -k alice
	shows 'quic any-key> *$' 'a shell of QUIC'
	type_line ':watch jobs.done'
	keys -l 'tell half'
	shows '> tell half *$' 'a line is being typed'
	until_ok told
	result $? 'what is pushed meanwhile is shown'
	shows '^127.* quic any-key> tell half *$' 'above the line'
	keys -l '=typed'
	keys Enter
	shows '"half": "typed"' 'which is as it was'
	term kill-server
	stop >/dev/null
	daemon=$keep
}

# The method's fields, one by one.
asked() {
	check 'a server with structs' \
		start_own typedserver tcp://127.0.0.1:0 odd
	line ":connect $(url tcp)" '^127.* tcp> *$' 'another server'
	line 'Shop.Order Itme=x' 'did you mean "Item"' 'a field that is none'
	type_line ':ask Shop.Order'
	shows '^what is bought' 'a call is asked for'
	shows '^Item str.*required> *$' 'field by field'
	keys Enter
	shows 'Item: it is required' 'what is required is'
	keys -l 'a = "b"'
	shows '^Item str.*required> a = "b" *$' 'while the answer is typed, too'
	keys Enter
	shows '^Count int.* up to 100, else 1> *$' 'limits and defaults are shown'
	keys -l 'many'
	keys Enter
	shows 'Count: it is a whole number' 'types are checked'
	keys -l '101'
	keys Enter
	shows 'Count: at most 100' 'and limits'
	keys -l '7'
	keys Enter
	shows '^Gift bool> *$' 'yes and no'
	keys -l 'yes'
	keys Enter
	shows '^Weight f' 'a number, which the server calls a secret'
	keys -l '7.125'
	keys Enter
	shows '^Extras ' 'a list'
	keys -l '["x", "y z"]'
	keys Enter
	shows '^Password:' 'what is secret is asked for last'
	keys -l 'geheim'
	keys Enter
	shows '^  "Item": "a = ..b.."' 'and it is called'
	on_screen '"Count": 7' && on_screen '"Gift": true' &&
		on_screen '"y z"' && on_screen '"Weight": 7.125'
	result $? 'with all of it'
	! grep -q 'Weight f.*7' plain
	result $? 'of which that number was not seen'
	! sed '/^  "Password"/d' plain | grep -q geheim
	result $? 'of which no secret was seen'
	type_line ':ask odd'
	shows '^-dx str> *$' 'a name like an option'
	keys -l 'geheim'
	keys Enter
	shows '^  "-dx": "geheim"' 'is none'
	stop >/dev/null
}

script() { # STATUS TEXT OPTION...: standard input is the script
	status=$1
	text=$2
	shift 2
	timeout 60 "$rpcsh" -s "$(url tls)" --certs certs -k alice "$@" \
		>out 2>err
	[ $? -eq "$status" ]
	result $? "$text"
}

scripts() {
	cat >s.rpc <<-'END'
		# lines
		echo a:={"x":
		  [1,2]} c='d e'

		nope
		echo after:=1
	END
	script 8 'a script stops where a line fails' -f s.rpc
	grep -qx '{"a":{"x":\[1,2\]},"c":"d e"}' out && ! grep -q after out
	result $? 'behind what was done before'
	grep -q '^rpcsh: s.rpc:5: nope: ' err
	result $? 'and says which line'
	script 8 'or it goes on' -f s.rpc --keep-going
	grep -q after out
	result $? 'to its end'
	script 8 'standard input is one, too' -f - <s.rpc
	script 8 'in JSON' --json -f s.rpc
	grep -q '"at":"s.rpc:5"' err
	result $? 'the line is named'
	echo 'echo "a' >open.rpc
	script 2 'what is not closed' -f open.rpc
	grep -q 'open.rpc:1: a " is not closed' err
	result $? 'is said'
	echo 'put docs -' | script 2 'nothing else reads the lines' -f -
	printf ':source s.rpc\necho b:=1\n' | script 8 'a script in a script' -f -
	grep -q 'rpcsh: s.rpc:5: nope' err
	result $? 'names its own lines'
	want 2 'a script has no command beside it' alice -f s.rpc ls
	want 2 '--keep-going wants a script' alice --keep-going
	want 8 'a script that is not there' alice -f none.rpc
	want 2 'without a terminal there is no shell' alice
}

main() {
	nap=3456.$$ # seconds that only our own sleeper sleeps
	cat >rpcd.conf <<-END
		listen = tls:127.0.0.1:0
		listen = tcp:127.0.0.1:0
		admin = $tmp/admin
		[method slow]
		exec   = /bin/sleep $nap
		[method login]
		exec   = /bin/cat
		args   = json
		reply  = json
		secret = pin, code
		[method asleep]
		exec   = /bin/sh -c 'echo asleep; exec sleep $nap'
		stream = yes
	END
	certificates
	: >'some file'
	mkdir odd
	: >"odd/a$(printf '\342\200\256')b"
	: >odd/ac
	: >"odd/z$(printf '\033')[2Jz"
	check "rpcd starts" start 2 -f rpcd.conf --certs certs --trust off --echo
	"$rpcsh" ctx add lab "server=$(url tcp)" --quiet
	"$rpcsh" ctx add gone "server=tcp://127.0.0.1:1" --quiet
	scripts
	terminal=one
	shell -s "$(url tls)" --certs certs -k alice
	result $? 'a terminal'
	typed
	pasted
	commands
	completed
	remembered
	again
	silent
	left
	pushes
	vi_keys
	pushes_over_quic
	stop >/dev/null
	result $? "rpcd stops with 0"
	plan
}

main
