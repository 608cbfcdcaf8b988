#!/bin/sh
# rpcsh's settings: contexts, config files, the environment, and who wins.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

bounded() {
	"$@"
}

dir=.config/rpckit/contexts

is() {
	[ "$(cat out)" = "$1" ]
	result $? "$2"
}

ctx() {
	"$rpcsh" ctx "$@"
}

# shows SETTING VALUE SOURCE TEXT: a line of `ctx show --why --plain`.
shows() {
	grep -q -x "$1	$2	$3" out
	result $? "$4"
}

would() { # TEXT PATTERN WORDS...
	text=$1 pattern=$2
	shift 2
	want 0 "would $text" "$rpcsh" "$@" --dry-run
	has out "^would $pattern$" 'is said'
}

dry() {
	would 'add' "write $tmp/$dir/lab.conf" ctx add lab server=a:1
	want 2 'wrong settings' ctx add lab nonsense=1 --dry-run
	[ ! -e .config ]
	result $? 'nothing is written'
	want 0 'no contexts' ctx ls --json
	is '[]' 'are a list all the same'
	want 0 'no home' env -u HOME "$rpcsh" ctx ls --json
	is '[]' 'has none'
	want 0 'no known servers' "$rpcsh" trust ls --known known --json
	is '[]' 'are a list, too'
	want 0 'for awk' ctx ls --plain
	is '' 'nothing is nothing'
	want 0 'help behind options' "$rpcsh" --json -s a:1 help ls
	head -n 1 out | grep -q '^rpcsh ls'
	result $? 'is about the verb'
	ctx add lab server=127.0.0.1:9 2>err
	want 9 'one that exists' ctx add lab server=a:1 --dry-run
	would 'use' "use $tmp/$dir/lab.conf" ctx use lab
	want 8 'one that does not' ctx use gone --dry-run
	would 'use none' 'use no context' ctx use -
	would 'remove' "remove $tmp/$dir/lab.conf" ctx rm lab
	want 8 'gone already' ctx rm gone --dry-run
	want 2 'what changes nothing' ctx ls --dry-run
	[ "$(find .config -type f)" = "$dir/lab.conf" ]
	result $? 'nothing has changed'
	rm -r .config
	fp=SHA256:$(printf '%043d' 0 | tr 0 A)
	would 'meet' "connect to a:1, and record in known the key $fp" \
		trust add a:1 "$fp" --known known
	would 'lock' 'lock known' trust lock --known known
	want 8 'none to remove' "$rpcsh" trust rm a:1 --known known --dry-run
	want 2 'no fingerprint' "$rpcsh" trust add a:1 x --dry-run
	[ ! -e known ]
	result $? 'no list is made'
	echo 12345 >f
	would 'put' 'send f (6 bytes) to docs.put' put docs.put f -s a:1
	want 8 'no file' "$rpcsh" put docs.put gone -s a:1 --dry-run
	would 'get' 'write what docs.get gives to g' get docs.get f --out g -s a:1
	want 9 'one that is there' "$rpcsh" get docs.get f --out f --dry-run
	want 0 'in JSON' "$rpcsh" --json put docs.put f --dry-run
	has out '^{"schema":1,"would":"send f (6 bytes) to docs.put"}$' 'too'
	[ "$(find . -name '*part*' -o -name g)" = '' ]
	result $? 'nothing is begun'
}

adding() {
	want 0 "ls without any" ctx ls
	is '' "is nothing"
	want 0 "add" ctx add lab server=lab.example:8443 key=ann certs=certs \
	    timeout=5s
	has err "^rpcsh: wrote $tmp/$dir/lab.conf$" "names the file"
	[ "$(stat -c %a $dir $dir/lab.conf | tr '\n' ' ')" = '700 600 ' ]
	result $? "which is private"
	grep -q -x "certs = $tmp/certs" $dir/lab.conf
	result $? "paths are made absolute"
	want 0 "add other paths" ctx add paths psk=lab.psk admin=run/admin \
	    known=/k
	grep -q -x "psk = $tmp/lab.psk" $dir/paths.conf &&
		grep -q -x "admin = $tmp/run/admin" $dir/paths.conf &&
		grep -q -x "known = /k" $dir/paths.conf
	result $? "are made so, too, if they are not"
	rm $dir/paths.conf
	want 9 "add it again" ctx add lab server=x:1
	has err '^rpcsh: context lab: exists already$' "says so"
	has err '^try: rpcsh ctx add --force' "and how to replace it"
	want 0 "add --force" ctx add --force lab server=lab.example:8443 \
	    key=ann timeout=5s
	want 0 "add --json" "$rpcsh" --json ctx add two server=two:1
	is '{"schema":1,"ok":true,"context":"two"}' "answers in JSON"
	want 0 "ls" ctx ls --plain
	is "$(printf 'lab\tno\ntwo\tno')" "has both, in order"
	want 0 "use" ctx use lab
	want 0 "ls --json" ctx ls --json
	is '{"schema":1,"name":"lab","current":true}
{"schema":1,"name":"two","current":false}' "shows which"
	want 0 "completion" "$rpcsh" __complete-words context l
	is lab "knows them"
}

choosing() {
	want 0 "show --why" ctx show --why --plain
	shows context lab - "the context in use"
	shows server lab.example:8443 'context lab' "its server"
	shows timeout 5s 'context lab' "its time limit"
	shows tls-mode mutual 'built in' "what it does not say"
	want 0 "-c" "$rpcsh" -c two ctx show --why --plain
	shows server two:1 'context two' "beats ctx use"
	want 0 "RPCKIT_CONTEXT" env RPCKIT_CONTEXT=two "$rpcsh" ctx show \
	    --why --plain
	shows server two:1 'context two' "does too"
	want 0 "-c ''" "$rpcsh" -c '' ctx show --why --plain
	shows context - - "is no context"
	want 0 "the environment" env RPCKIT_KEY=env RPCKIT_TIMEOUT=1m \
	    "$rpcsh" ctx show --why --plain
	shows key env environment "beats the context"
	shows timeout 60000ms environment "times too"
	want 0 "a flag" env RPCKIT_KEY=env "$rpcsh" -k flag ctx show --why \
	    --plain
	shows key flag flag "beats the environment"
	echo 'connect-timeout = 2s # not long' >.config/rpckit/config
	echo 'server = conf:1' >>.config/rpckit/config
	want 0 "the config file" ctx show --why --plain
	shows connect-timeout 2s "$tmp/.config/rpckit/config" "counts"
	shows server lab.example:8443 'context lab' "less than the context"
	rm .config/rpckit/config
	want 0 "--skip-verify" "$rpcsh" --skip-verify ctx show --why --plain
	shows tls-mode skip-verify flag "is tls-mode"
	want 0 "use -" ctx use -
	want 0 "show" ctx show --plain
	has out '^context	-$' "is no context"
	want 0 "use two" ctx use two
	want 0 "rm two" ctx rm two
	want 0 "show" ctx show --plain
	has out '^context	-$' "the one removed is used no more"
}

wrong() {
	for words in '' nonsense 'ls x' 'show x' use 'use a b' 'add x' rm \
	    'ls --why' 'rm x --force'; do
		# shellcheck disable=SC2086 # words are meant to split
		want 2 "ctx $words" ctx $words
	done
	for words in 'x sever=y:1' 'x server' 'x server=' 'x timeout=y' \
	    'x tls-mode=y' 'x key=a#b' 'x key=a key=b' \
	    '../x key=a' '.x key=a' 'a/b key=a'; do
		# shellcheck disable=SC2086
		want 2 "ctx add $words" ctx add $words
	done
	want 2 "no verb" ctx
	has err 'ctx: ls|show|use|add|rm is missing' "says which there are"
	want 2 "a control byte" ctx add x "server=$(printf 'a\033[2J')"
	! grep -q "$(printf '\033')" err
	result $? "is not passed on"
	want 2 "a misspelt setting" ctx add x sever=y:1
	has err 'no setting "sever" (did you mean "server"?)' "is guessed"
	want 8 "use of none" ctx use nosuch
	want 8 "rm of none" ctx rm nosuch
	want 8 "-c of none" "$rpcsh" -c nosuch echo
	has err '^try: rpcsh ctx ls$' "says how to see them"
	[ -z "$(find .config -name '*.tmp.*' -o -name 'x*')" ]
	result $? "nothing was written"
}

broken() {
	want 0 "use" ctx use lab
	printf 'key = a\nsever = x\nnonsense\n' >$dir/lab.conf
	want 1 "show of a broken file" ctx show
	has err "^rpcsh: $tmp/$dir/lab.conf:2: .*did you mean \"server\".*and 1 more" \
	    "has the line"
	[ ! -s out ]
	result $? "and nothing else"
	want 1 "with --json" ctx show --json
	has err '^{"schema":1,"ok":false,"error":{"code":"format","exit":1' \
	    "as JSON"
	want 1 "a call" "$rpcsh" echo
	has err 'lab.conf:2: ' "fails in the same way"
	want 0 "ls still lists it" ctx ls --plain
	is "$(printf 'lab\tyes')" "as the one in use"
	want 0 "-c '' does without" "$rpcsh" -c '' ctx show
	printf 'timeout = soon\n' >$dir/lab.conf
	want 1 "a bad value" ctx show
	has err 'lab.conf:1: timeout: "soon" is not of the form' "is named"
	chmod 666 $dir/lab.conf
	want 1 "a file that others can write" ctx show
	has err 'lets others write, chmod go-w' "is refused"
	want 0 "add --force mends it" ctx add lab --force key=a
	want 0 "show" ctx show
	rm $dir/lab.conf
	want 8 "a file that is gone" ctx show
	want 0 "use - lets go" ctx use -
	want 0 "without HOME" env -u HOME "$rpcsh" ctx show
	want 8 "nothing can be added" env -u HOME "$rpcsh" ctx add x key=a
	want 0 "XDG_CONFIG_HOME is enough" env -u HOME \
	    XDG_CONFIG_HOME="$tmp/xdg" "$rpcsh" ctx add x key=a
	[ -s xdg/rpckit/contexts/x.conf ]
	result $? "and is where it goes"
}

# Used for a call.
called() {
	certificates
	check "rpcd starts" start 1 --certs certs --trust off --echo \
	    --listen tls:127.0.0.1:0
	want 0 "a context for it" ctx add it server="$(url tls)" key=alice \
	    certs=certs
	mkdir elsewhere
	cd elsewhere || exit 1
	want 0 "-c it works from elsewhere" "$rpcsh" -c it echo a:=1
	is '{"a":1}' "and gives the answer"
	cd ..
	stop >/dev/null
	result $? "rpcd stops with 0"
}

dry
adding
choosing
wrong
broken
called
plan
