#!/bin/sh
# rpcsh and the keys of servers: asked about, learned, changed, listed.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"

asks() {
	term capture-pane -p -t t | tr '\n' '~' |
		grep -q "~*BEGIN-$mark *~.*~Trust it? \[no / yes / paste the"
}

asked_twice() {
	[ "$(term capture-pane -p -t t | grep -c '^Answer no, yes')" -eq 2 ]
}

# Of 17 lines: 29 modules and a margin, two in a line.
drawn() {
	[ "$(screen | LC_ALL=C.UTF-8 grep -c '^[█▀▄ ]\{33\}$')" -eq 17 ] &&
		[ "$(screen | grep -c '^Trust it? .* / q for QR\]')" -eq 2 ]
}

# What a camera sees of it, by the colors of the cells.
has_code() {
	screen -e -N | python3 "$SRC_DIR/tests/lib/modules.py" >modules
	[ "$(tail -n 1 modules)" = 'a code of 29 modules' ]
}

# No cell of it has a color.
has_none() {
	screen -e -N | python3 "$SRC_DIR/tests/lib/modules.py" >modules
	[ ! -s modules ]
}

# One color for what is dark, and one for what is light, or the terminal's.
colors() {
	begin 'call touch' && keys q Enter
	until_ok drawn
	has_code
	result $? 'in colors of its own, as a terminal may be light'
	keys no Enter
	ends 6 'it is no'
	begin 'call touch' 'TERM=linux' && keys q Enter
	until_ok drawn
	has_code
	result $? 'of sixteen, where there are no more'
	! screen -e | grep -q '8;5;2'
	result $? 'and no others'
	keys no Enter
	ends 6 'which is no'
	begin '--color=never call touch' && keys q Enter
	until_ok drawn
	has_none
	result $? 'none, on request'
	keys no Enter
	ends 6 'and no'
	begin 'call touch' 'NO_COLOR=1' && keys q Enter
	until_ok drawn
	has_none
	result $? 'by the environment as well'
	keys no Enter
	ends 6 'and no once more'
}

# begin WORDS [NAME=VALUE]: rpcsh, about to ask, and not as it did before.
begin() {
	mark=$((mark + 1))
	set -- "${2:-} $rpcsh --known list --trust ask $1"
	keys "clear; echo BEGIN-$mark; $1; echo END-$mark-\$?" Enter
	until_ok asks
}

# What the server never got.
uncalled() {
	[ ! -e called ]
	result $? "$1"
}

alice() {
	"$rpcsh" -s "$server" --certs certs -k alice --known list "$@"
}

# A new session has no terminal.
alone() {
	setsid -w "$rpcsh" -s "$server" --certs certs -k alice --known list "$@"
}

key_of() {
	"$selfy" -fp "certs/$1.crt"
}

grouped() {
	key_of "$1" | sed 's/SHA256://; s/..../& /g; s/ $//; s/^/SHA256:/'
}

begins() {
	check "rpcd starts as $1" start_again 1 -f rpcd.conf --certs certs -k "$1" \
		--trust off --listen "tls:127.0.0.1:${port:-0}"
	server=$(url tls)
	port=${server##*:}
}

answers() {
	check 'a terminal' prompt 80 24 "RPCKIT_SERVER=$(url tls)" RPCKIT_CERTS=certs \
		RPCKIT_KEY=alice
	begin 'call touch'
	result $? 'a new server is asked about'
	term capture-pane -p -t t >plain
	cat >want <<-END
		New server 127.0.0.1:$port   name node@example.org   CA ok
		  $(grouped node)
		Trust it? [no / yes / paste the fingerprint / q for QR]
	END
	sed 's/ *$//' plain | grep -A 2 '^New server' | cmp -s - want
	result $? 'with its address, name and fingerprint'
	keys no Enter
	ends 6 'no'
	grep -q 'not trusted, as you said' plain
	result $? 'is said'
	begin 'call touch' && keys Enter
	ends 6 'an empty answer is no'
	begin 'call touch' && keys yes C-@ no Enter
	until_ok on_screen '^Answer no, yes, or the whole fingerprint:'
	result $? 'nor is more behind a byte of value 0 an answer'
	keys no Enter
	ends 6 'and no is one'
	begin 'call touch' && keys y Enter
	until_ok on_screen '^Answer no, yes, or the whole fingerprint:'
	result $? 'y is no answer'
	keys maybe Enter
	until_ok asked_twice # what is typed before a question is not heard
	keys perhaps Enter
	ends 6 'and three such are no'
	begin 'call touch' && keys q Enter
	until_ok drawn
	result $? 'q draws a QR code, and asks again'
	keys no Enter
	ends 6 'and no is an answer to that'
	colors
	begin 'call touch' && keys "$(key_of mallory)" Enter
	ends 6 'the fingerprint of another'
	grep -q 'is not that of the server' plain
	result $? 'is said'
	begin 'call touch' && keys C-d
	ends 7 'the end of input'
	begin 'call touch' && keys C-c
	until_ok on_screen '^\$ *$'
	result $? 'Ctrl-C ends it'
	uncalled 'nothing has been called'
	[ ! -e list ]
	result $? 'and nothing recorded'
	begin 'call touch <&-' && keys "$(grouped node)" Enter
	ends 0 'the pasted fingerprint, in groups, standard input closed'
	[ -e called ] && grep -q "at=127.0.0.1:$port since=" list
	result $? 'is recorded, and the call made'
	rm -f list called
	begin 'call touch >/dev/full 2>&1' && keys yes Enter
	ends 1 'yes, and the answer nowhere to go'
	[ -e called ] && [ "$(stat -c %a list)" = 600 ]
	result $? 'is recorded, too, in a file of mode 600'
	rm -f list called
	begin 'call touch' && mkdir list && keys yes Enter
	ends '[1-9]' 'what cannot be recorded'
	uncalled 'is not believed'
	rmdir list
	term kill-server
}

modes() {
	want 7 'nobody to ask' alone --trust ask call touch
	has err 'new server key SHA256:.* no terminal to ask on$' 'is said'
	has err "^try: --trust accept-new, or rpcsh --known list --certs certs \
-k alice trust add 127.0.0.1:$port SHA256:" 'with what to do'
	want 7 '--no-input' alice --trust ask --no-input call touch
	want 0 'a context that asks' "$rpcsh" ctx add asks "server=$server" \
		certs=certs key=alice known=list trust=ask
	want 7 'does so for good' setsid -w "$rpcsh" -c asks call touch
	printf 'trust = ask\n' >.config/rpckit/config
	want 7 'and so does a config' alone call touch
	rm .config/rpckit/config
	uncalled 'neither has called'
	want 6 'strict, without a list' alice --trust strict call touch
	[ "$(wc -l <err)" = 2 ]
	result $? 'in one line and one of advice'
	want 1 'accept-new on a full disk' \
		sh -c "ulimit -f 0; exec $rpcsh -s $server --certs certs \
			-k alice --known list --trust accept-new call touch"
	uncalled 'none of them has called'
	rm -f list
	want 2 'no key, no trust' "$rpcsh" -s "tcp://127.0.0.1:$port" \
		--trust strict call touch
	want 2 'nor with --skip-verify' alice --skip-verify --trust ask ls
	want 0 'accept-new' alice --trust accept-new call touch
	has err 'new server key SHA256:.* recorded' 'says that it learned'
	want 0 'then strict' alice --trust strict call touch
	[ ! -s err ]
	result $? 'has nothing to say'
	want 0 'nor has ask' alone --trust ask call touch
	want 0 'a context' alice ctx add old "server=$server" known=list \
		trust=strict
	want 2 'with a word that is none' alice ctx add new trust=maybe
	want 6 'an address is not another' "$rpcsh" -s "localhost:$port" \
		--certs certs -k alice --known list --trust strict call touch
	chmod a-w list
	want 6 'a locked list takes none by accept-new' "$rpcsh" \
		-s "localhost:$port" --certs certs -k alice --known list \
		--trust accept-new call touch
	want 6 'and asks nobody' setsid -w "$rpcsh" -s "localhost:$port" \
		--certs certs -k alice --known list --trust ask call touch
	has err 'which is locked' 'which is said'
	chmod u+w list
	rm -f called
}

changed() {
	stop
	begins other
	for mode in strict accept-new ask; do
		want 6 "another key, $mode" alone --trust $mode call touch
	done
	since=$(sed -n 's/.* since=//p' list)
	had=$(sed -n 's/^ *since .*, \([0-9]*\) sessions, last .* ago$/\1/p' err)
	sed -i 's/, [0-9]* sessions, last [0-9]* [a-z]* ago$/, N sessions, last T/
		s/made [0-9]* [a-z]* ago /made T /' err
	cat >want <<-END
		KEY CHANGED  127.0.0.1:$port   nothing was sent (exit 6)
		  known  $(grouped node)
		         since ${since%T*}, N sessions, last T
		         at 127.0.0.1:$port  name node@example.org
		  now    $(grouped other)
		         CA ok, made T  name other@example.org
		If the owner confirms it by another way:  rpcsh --known list --certs certs -k alice trust replace 127.0.0.1:$port $(key_of other)
	END
	cmp -s err want
	result $? 'is told with what is known and what to do'
	find .local/state/rpckit/seen -type f -perm 600 -size "${had:-0}c" |
		grep -q .
	result $? 'and how often the known one was met'
	want 6 '--json' alone --json --trust ask call touch
	python3 -c 'import json, sys; e = json.load(sys.stdin)["error"]
assert e["exit"] == 6 and "trust replace" in e["try"]' <err
	result $? 'is one object'
	uncalled 'nothing was called'
	chmod a-w list
	want 6 'a locked list' alice trust replace "$server" "$(key_of other)"
	want 0 'unlock' alice trust unlock
	want 6 'is replaced by no other key' alice trust replace "$server" \
		"$(key_of node)"
	want 2 'nor where none is proven' alice trust replace \
		"tcp://127.0.0.1:$port" "$(key_of other)"
	has err '^rpcsh: trust: nobody proves a key at tcp:' 'is said'
	want 2 'nor by half of one' alice trust replace "$server" SHA256:abc
	cp list before
	want 0 'replace' alice trust replace "$server" "$(key_of other)"
	cmp -s list.old before
	result $? 'keeps what was there'
	want 0 'the new one' alice --trust strict call touch
	stop
	begins node
	rm -f called
	want 6 'the old one is the changed one now' \
		alice --trust accept-new call touch
	# shellcheck disable=SC2046
	want 0 'both, beside each other' \
		alice trust add "127.0.0.1:$port" $(grouped node)
	want 0 'are believed' alice --trust strict call touch
	sed -i 's/ at=.*//' list
	want 0 'as are lines of other programs' alice --trust strict call touch
	rm -f called
}

# Without the option: the list's state, but where it says whose an address is.
filed() {
	rm -f list called
	want 0 'without a list' alice call touch
	[ ! -e list ]
	result $? 'none is made'
	install -m 600 /dev/null list
	want 0 'an open one' alice call touch
	has err 'new server key SHA256:.* recorded in list$' 'learns'
	has list " at=127.0.0.1:$port since=" 'and where it was'
	want 0 'which strict' alice --trust strict call touch
	want 6 'takes for no other address' "$rpcsh" -s "localhost:$port" \
		--certs certs -k alice --known list --trust strict call touch
	want 0 'but the file does' "$rpcsh" -s "localhost:$port" --certs certs \
		-k alice --known list call touch
	has list " at=127.0.0.1:$port,localhost:$port " 'and notes it'
	stop
	begins other
	rm -f called
	cp list before
	want 6 'another key at an address of the list' alice call touch
	has err "^KEY CHANGED  127.0.0.1:$port   nothing was sent" 'is told'
	has err "trust replace 127.0.0.1:$port $(key_of other)\$" \
		'with what to do'
	want 6 'said or not' alice --trust file call touch
	chmod a-w list
	want 6 'locked or not' alice call touch
	has err '^KEY CHANGED ' 'it is told'
	cmp -s before list
	result $? 'and nothing is recorded'
	uncalled 'nor sent'
	chmod u+w list
}

# Lists that other programs write name no addresses.
foreign() {
	sed -i 's/ at=.*//' list
	cp list before
	want 0 'another key, where no line has an address' alice call touch
	has err 'new server key SHA256:.* recorded in list$' 'is a new one'
	[ "$(grep -c " at=127.0.0.1:$port since=" list)" = 1 ] &&
		head -n "$(wc -l <before)" list | cmp -s - before
	result $? 'beside the old one, which stays as it was'
	cp before list
	chmod a-w list
	want 6 'a locked one' alice call touch
	has err 'which is locked' 'takes it not'
	has err '^try: .*chmod u+w list' 'with what to do'
	chmod u+w list
	stop
	begins node
	want 0 'the old one is good' alice --trust strict call touch
	cmp -s before list
	result $? 'and its line stays as it is'
	rm -f list called
}

# The command that was said to help does, as it stands.
helps() { # PATTERN
	command=$(sed -n "s/.*$1 *\(rpcsh .*\)/\1/p" err)
	want 0 "$command" sh -c "PATH=$BUILD_DIR/bin:\$PATH; $command"
}

# Over QUIC, where there is any, with a context and with a name that a shell
# would split.
commands() {
	stop
	case $("$rpcsh" --version) in
	*' quic '*) kind=quic ;;
	*) kind=tls ;;
	esac
	check "rpcd speaks $kind alone" start 1 --echo --certs certs -k node \
		--trust off --listen $kind:127.0.0.1:0
	server=$(url $kind)
	want 0 'a context' "$rpcsh" ctx add one certs=certs key=alice
	set -- "$rpcsh" -c one -s "$server" --known "a' list" --trust strict
	want 6 'strict' "$@" call echo --raw x
	helps 'only if that is it:'
	want 0 'then' "$@" call echo --raw x
	stop
	check 'with another key' start 1 --echo --certs certs -k other \
		--trust off --listen "$kind:${server#*://}"
	want 6 'changed' "$@" call echo --raw x
	helps 'by another way:'
	want 0 'then' "$@" call echo --raw x
	want 8 'no home, no list' env -u HOME "$rpcsh" -s "$server" \
		--certs certs -k alice --trust strict call echo --raw x
	has err '^try: --known FILE$' 'is said'
}

# A certificate of our CA with names that want to be more.
hostile() {
	stop
	printf 'subjectAltName=email:%s\n' \
		'a\#c%20at=1.2.3.4:5@example.org' >ext
	openssl req -new -newkey ed25519 -nodes -keyout certs/evil.key -utf8 \
		-subj "/CN=evil$(printf '\342\200\256')$1" -out evil.csr \
		2>/dev/null && openssl x509 -req -in evil.csr -days 9 \
		-CA certs/ca.crt -CAkey my-keep-private-dir/ca.key \
		-extfile ext -out certs/evil.crt 2>/dev/null
	result $? 'a hostile certificate'
	chmod 600 certs/evil.key
	port=0
	rm -f list
	begins evil
	want 0 'is learned' alice --trust accept-new call touch
	[ "$(grep -c '[[:space:]]at=1.2.3.4' list)" = 0 ] && ! grep -q 'a#c' list
	result $? 'as one line that says no more than it is'
	want 0 'and listed' alice --trust accept-new trust find "$server"
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177-\377]')" out
	result $? 'with nothing that a terminal would obey'
}

listing() {
	printf '# a comment\n' >>list
	want 0 'ls' alice trust ls
	has out '^FINGERPRINT .*AT' 'has heads'
	want 0 'find --plain' alice --plain trust find "$server"
	has out "^SHA256:.*	127.0.0.1:$port	" 'has columns'
	want 0 'find --json' alice --json trust find "$server"
	has out '^{"schema":1,"fingerprint":"SHA256:' 'has objects'
	want 0 'find by a fingerprint' alice trust find "$(key_of evil)"
	# shellcheck disable=SC2046
	want 0 'in groups' alice trust find $(grouped evil)
	want 2 'two addresses' alice trust find a:1 b:2
	want 8 'find nobody' alice trust find nobody.example:1
	want 8 'rm nobody' alice trust rm nobody.example
	want 1 'ls to a full disk' sh -c \
		"exec $rpcsh --known list trust ls >/dev/full"
	want 2 'no such verb' alice trust forget
	want 2 'too few words' alice trust add "$server"
	want 0 'lock' alice --json trust lock
	[ "$(stat -c %a list)" = 400 ] && grep -q '"verb":"lock"' out
	result $? 'takes the write bits'
	want 6 'rm from a locked list' alice trust rm "$server"
	want 0 'unlock' alice trust unlock
	want 0 'rm' alice trust rm "$server"
	! grep -q "at=127.0.0.1:$port" list && grep -q '^# a comment' list
	result $? 'takes it off, and no comment'
	want 0 'a list that is not there' "$rpcsh" --known none trust ls
	want 8 'cannot be locked' "$rpcsh" --known none trust lock
}

# Ten at once, each at its own address.
together() {
	stop
	set --
	while [ $# -lt 20 ]; do
		set -- "$@" --listen tls:127.0.0.1:0
	done
	check 'a server at ten addresses' start 10 --certs certs --trust off \
		--echo "$@"
	rm -f list*
	pids=
	addresses=$(sed -n 's/^listening tls //p' ready)
	for address in $addresses; do
		"$rpcsh" -s "$address" --certs certs -k alice --known list \
			--trust accept-new call echo --raw x >/dev/null 2>&1 &
		pids="$pids $!"
	done
	status=0
	for pid in $pids; do
		wait "$pid" || status=1
	done
	result $status 'ten learn at once'
	for address in $addresses; do
		grep -q -e "[=,]${address}[, ]" list || status=1
	done
	[ "$(grep -c '^127' list)" = 1 ] || status=1
	result $status 'and nothing is lost'
}

main() {
	mark=0
	cat >rpcd.conf <<-END
		[method touch]
		exec  = /bin/sh -c 'touch $tmp/called; echo done'
		reply = text
	END
	certificates
	"$selfy" -k other -e other@example.org -nopass >/dev/null 2>&1
	begins node
	answers
	modes
	changed
	filed
	foreign
	commands
	hostile x
	listing
	together
	stop
	result $? 'rpcd stops with 0'
	plan
}

main
