#!/bin/sh
# The examples do what they say: servers on ports of the kernel's choice and on
# a socket file, clients beside them, nobody let in whom they do not know.
set -eu
# shellcheck source=tests/house/tap.sh
. "$SRC_DIR/tests/house/tap.sh"
bin=$BUILD_DIR/bin
examples=$BUILD_DIR/examples
server=

# Every client ends by itself, and soon.
client() { # name arguments...
	name=$1
	shift
	timeout 20 "$examples/$name" "$@"
}

# A server in the background, bounded too; $server is its process.  Without
# --foreground it would get every signal twice.
start() { # name arguments...
	name=$1
	shift
	: >server.out # now: the shell in the background may come to it late
	timeout --foreground 60 "$examples/$name" "$@" >server.out \
		2>server.err </dev/null &
	server=$!
}

# Wait until a command says yes, ten seconds at most.
until_ok() {
	tries=0
	until "$@"; do
		kill -0 "$server" 2>/dev/null || return 1
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.05
	done
}

stop() {
	kill -TERM "$server"
	status=0
	wait "$server" || status=$?
	server=
	cat server.err
	[ $status = 0 ]
}

ssh_keys() {
	for k in me host stranger; do
		ssh-keygen -q -t ed25519 -N '' -C "$k" -f "$k" </dev/null
	done
}

start_ssh() {
	start ssh_call serve host me.pub ssh+tcp://127.0.0.1:0
	until_ok grep -q '^listening' server.out
	url=$(sed -n 's/^listening //p' server.out)
}

# session_over KEY STATUS ANSWER: a question by two pipes, to who wants "me".
session_over() {
	rm -f up down
	mkfifo up down
	timeout 20 "$examples/session" answer host "$(cat me.pub)" \
		<up >down 2>answerer &
	status=0
	timeout 20 "$examples/session" ask "$1" "$(ssh-keygen -l -f host.pub |
		cut -d ' ' -f 2)" 'hello, Anna' >up <down 2>asker || status=$?
	wait $! || :
	cat asker answerer
	[ "$status" = "$2" ] && { [ -z "$3" ] || [ "$(cat asker)" = "$3" ]; }
}

end_server() {
	[ -z "$server" ] || kill -TERM "$server" 2>/dev/null || :
}
trap end_server EXIT
trap 'exit 130' INT TERM

fails_with() { # status command...
	expected=$1
	shift
	status=0
	"$@" || status=$?
	[ $status = "$expected" ]
}

says() { # text command...
	text=$1
	shift
	said=$("$@") || return 1
	[ "$said" = "$text" ]
}

make_keys() {
	"$bin/selfy" -nopass -quiet -k node -e node@example.org &&
		"$bin/selfy" -nopass -quiet -k client -e me@example.org &&
		"$bin/selfy" -nopass -quiet -p other -o strangers -k client \
			-e other@example.org
	: >known_client_keys
	chmod 600 known_client_keys
}

has_url() {
	url=$(sed -n 's/^listening //p' server.out)
	[ -n "$url" ]
}

start_hello() {
	start hello_server certs tls://127.0.0.1:0
	until_ok has_url
}

in_many() { # clients at the same time
	pids=
	for one in 1 2 3 4; do
		client callbacks certs "$url" >"many.$one" &
		pids="$pids $!"
	done
	for one in $pids; do
		wait "$one" || return 1
	done
	for one in 1 2 3 4; do
		grep -qx '1000 of 1000 calls answered' "many.$one" || return 1
	done
}

socket_url() {
	start "$1" "$url"
	until_ok test -S socket
}

# Told to stop while calls run: what has begun is answered, or the client is
# told; nobody hangs, and the server ends well.
stop_amid() {
	client callbacks certs "$url" collatz >amid.out 2>&1 &
	amid=$!
	stop || return 1
	wait $amid || :
	grep -q ' of 1000 calls answered$' amid.out
}

# ---- what librpckit(3) shows ----

every_error() {
	rows=$(sed -n 's/^.X(\(RK_[A-Z]*\), \([0-9]*\), "\(.*\)").*/\1 Ta \2 Ta \3/p' \
		"$SRC_DIR/libcore/include/rpckit/err.h")
	[ "$(echo "$rows" | wc -l)" -gt 20 ] || return 1
	sed -n 's/^\.It Dv //p' "$SRC_DIR/man/librpckit.3" >errors.man
	echo "$rows" | diff - errors.man
}

# The programs stand between .Bd -literal and .Ed.
cut_out() { # which
	awk -v which="$1" '/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); sub(/^\\&/, ""); print }
		/^\.Bd -literal$/ { inside = ++n == which }' \
		"$SRC_DIR/man/librpckit.3" >"manual$1.c"
	grep -q 'main(int' "manual$1.c"
}

compile() { # which
	cut_out "$1" || return 1
	sanitize=
	case $BUILD_DIR in
	*/asan) sanitize=-fsanitize=address,undefined ;;
	esac
	# shellcheck disable=SC2046,SC2086
	"$(first_of gcc cc)" -std=c99 -Wall -Werror $sanitize \
		-I"$SRC_DIR/libcore/include" -o "manual$1" "manual$1.c" \
		"$BUILD_DIR/lib/librpckit.a" -pthread \
		$(make -s --no-print-directory -C "$SRC_DIR" print-libs)
}

run_manual() {
	timeout --foreground 60 ./manual2 certs "unix://$TEST_TMP/manual" >server.out \
		2>server.err </dev/null &
	server=$!
	until_ok test -S manual || return 1
	says Anna timeout 20 ./manual1 certs "unix://$TEST_TMP/manual"
}

cd "$TEST_TMP"
t 'keys for both ends' make_keys
t 'hello_server starts' start_hello
t 'hello_client is greeted' says 'hello, Anna (me@example.org)' \
	client hello_client certs "$url" Anna
t 'its key was recorded' grep -q me@example.org known_client_keys
t 'what the handler refuses is an error' fails_with 3 \
	client hello_client certs "$url" ''
chmod a-w known_client_keys
t 'a key of the locked list is still let in' client hello_client certs "$url"
t 'one of another CA is not' fails_with 6 \
	client hello_client strangers "$url"
t 'a thousand calls in flight' says '1000 of 1000 calls answered' \
	client callbacks certs "$url"
t 'four times at once' in_many
t 'an unknown method is an error' fails_with 8 \
	client callbacks certs "$url" nope
t 'hello_server stops' stop
t 'nobody is there any more' fails_with 4 \
	client hello_client certs "$url"

count_lines() {
	seq 1 2500 | client channel ask "$url" >counted 2>counted.err || return
	[ "$(tail -n 1 counted)" = '2500 lines, 2500 words, 11393 bytes' ]
}

count_a_file() {
	seq 1 20000 >numbers
	client channel ask "$url" <numbers >counted || return
	[ "$(tail -n 1 counted)" = '20000 lines, 20000 words, 108894 bytes' ]
}

start_worker() {
	start channel serve "$url"
	until_ok test -S socket
}

url=unix://$TEST_TMP/socket
for kind in later work; do
	t "$kind starts" socket_url "$kind"
	t "$kind answers from its threads" says '1000 of 1000 calls answered' \
		client callbacks certs "$url" collatz
	t 'with the right number' says 111 \
		"$bin/rpcsh" -s "$url" call collatz --raw 27
	t 'a number too long is an error' fails_with 3 \
		"$bin/rpcsh" -s "$url" call collatz --raw 1234567890
	t 'it has no channels' fails_with 8 count_lines
	t 'it stops amid calls' stop_amid
	t 'and takes its socket away' test ! -e socket
done

# Whichever end's clock is first tells the server of the limit.
ends_twice() { # url
	client patience "$1" >patience.out || return 1
	[ "$(wc -l <patience.out)" = 4 ] &&
		grep -qx 'client: canceled, and may have run' patience.out &&
		grep -qx 'client: time over, and may have run' patience.out &&
		grep -qx 'server: the caller thought better of it' patience.out &&
		[ "$(grep -c -x -e 'server: its time is over' -e \
			'server: the caller thought better of it' patience.out)" = 2 ]
}
t 'patience ends two calls at both ends' ends_twice "$url"
t 'over TCP, too' ends_twice tcp://127.0.0.1:0

# Two who subscribed hear what is said, and who says it how many there were.
hears() {
	client push "$url" 2 >hears.1 &
	pids=$!
	client push "$url" 2 >hears.2 &
	pids="$pids $!"
	until_ok grep -qx subscribed hears.1 || return 1
	until_ok grep -qx subscribed hears.2 || return 1
	for words in 'good morning' 'good night'; do
		says '2 of 2 were told' "$bin/rpcsh" -s "$url" call say --raw \
			"$words" || return 1
	done
	for one in $pids; do
		wait "$one" || return 1
	done
	printf 'subscribed\ngood morning\ngood night\n' >hears.all
	cmp hears.1 hears.all && cmp hears.2 hears.all
}

t 'a server that pushes starts' socket_url push
t 'nobody is told when nobody is there' says '0 of 0 were told' \
	"$bin/rpcsh" -s "$url" call say --raw hello
t 'who subscribed is told, in order' hears
t 'it stops' stop

comeback=
end_comeback() {
	[ -z "$comeback" ] || kill -TERM "$comeback" 2>/dev/null || :
	end_server
}
trap end_comeback EXIT

has_lines() { # pattern number
	[ "$(grep -c "$1" again.out)" -ge "$2" ]
}

# Its server goes and comes: no call is lost, and the end is its own.
comes_back() {
	socket_url later || return 1
	timeout --foreground 30 "$examples/again" certs 4 "$url" >again.out &
	comeback=$!
	until_ok has_lines '^connected to unix:' 1 || return 1
	stop || return 1
	socket_url later || return 1
	until_ok has_lines '^connected to unix:' 2 || return 1
	status=0
	wait "$comeback" || status=$?
	comeback=
	cat again.out
	[ $status = 0 ] && grep -q '^lost: .*; again in [0-9]* ms$' again.out &&
		grep -q '^[0-9]* answered, 0 unknown, 0 not executed$' again.out
}

t 'a client comes back to its server' comes_back
t 'which stops' stop
t 'an address where nobody is, and one that is wrong' fails_with 2 \
	client again certs 1 "$url" nonsense

start_stream() {
	start stream serve certs tls://127.0.0.1:0
	until_ok has_url
}

shout() {
	{
		seq 1 5000
		echo hello, Anna
	} | client stream shout certs "$url" >shout.out || return 1
	{
		seq 1 5000
		echo HELLO, ANNA
	} | cmp - shout.out
}

t 'a worker starts' start_worker
t 'it counts what it is sent, and answers where it was told' count_lines
t 'a file, too' count_a_file
t 'it stops' stop
t 'nobody works any more' fails_with 4 count_lines

chmod u+w known_client_keys
t 'a server of streams starts' start_stream
t 'five thousand parts go there and come back' shout
t 'it stops' stop

start_files() {
	mkdir kept
	start files serve "unix://$TEST_TMP/files" kept
	until_ok has_url
}

there_and_back() {
	seq 1 700000 >numbers
	client files put "$url" numbers || return 1
	cmp numbers kept/numbers || return 1
	client files get "$url" numbers >again || return 1
	cmp numbers again
}

t 'a server of files starts' start_files
t 'a file goes there and comes back' there_and_back
t 'the same again is refused' fails_with 3 client files put "$url" numbers
t 'what is not there is an error' fails_with 3 client files get "$url" none
t 'and so is a name that leads elsewhere' fails_with 3 \
	client files get "$url" ../a..
t 'nothing half is left' test "$(ls kept)" = numbers
t 'it stops' stop

# ---- a program that is watched and steered by its own socket ----

ctl() {
	timeout 20 "$bin/rpcd" ctl --socket "$TEST_TMP/admin" "$@"
}

start_watched() {
	"$bin/selfy" -nopass -quiet -k newcomer -e new@example.org || return 1
	start watched certs tls://127.0.0.1:0 "$TEST_TMP/admin"
	until_ok has_url
}

newcomer_waits() {
	[ "$(ctl trust ls --plain --state waiting | cut -f 2)" = \
		new@example.org ]
}

# Its call is answered on the connection that had to wait.
let_in() {
	timeout 40 "$bin/rpcsh" -s "$url" --certs certs -k newcomer --no-input \
		call hello --raw Anna >let_in.out 2>let_in.err &
	pids=$!
	until_ok newcomer_waits || return 1
	ctl conns --plain | grep new@example.org || return 1
	ctl trust approve \
		"$(ctl trust ls --plain --state waiting | cut -f 3)" || return 1
	wait "$pids" || return 1
	[ "$(cat let_in.out)" = 'hello, Anna' ] &&
		ctl status --json | grep '"accepted":1,'
}

tells_of_itself() {
	ctl version | grep '^watched 1\.0$' || return 1
	ctl status | grep '^greeted *1$' || return 1
	ctl methods --plain | grep '^hello	' || return 1
	ctl trust audit --plain | grep approve || return 1
	fails_with 3 ctl reload 2>reload.err || return 1
	grep -x 'rpcd ctl: this program cannot do that' reload.err
}

on_the_dashboard() {
	timeout 20 "$bin/rpctui" --socket "$TEST_TMP/admin" --once >once.out ||
		return 1
	grep '^watched 1\.0  pid ' once.out &&
		grep "^listen  $url\$" once.out &&
		grep '^known .*new@example\.org' once.out &&
		grep '^greeted *1$' once.out
}

drains() {
	ctl drain || return 1
	status=0
	wait "$server" || status=$?
	server=
	cat server.err
	[ $status = 0 ] && [ ! -e admin ]
}

t 'a server that is watched starts' start_watched
t 'who is let in by rpcd ctl needs no second call' let_in
t 'it tells of itself' tells_of_itself
t 'rpctui shows it' on_the_dashboard
t 'it ends when it is told to' drains

typed_url() {
	: >server.out # of the one before
	start typed "$1" tcp://127.0.0.1:0
	until_ok has_url
}

# One line on standard error, and nothing on standard output.
complains() { # text status command...
	text=$1
	expected=$2
	shift 2
	fails_with "$expected" "$@" >out 2>err || return 1
	[ ! -s out ] && grep -qx "$text" err
}

ask() {
	timeout 20 "$bin/rpcsh" -s "$url" --no-input "$@"
}

bytes_say() {
	ask Shop.Order Item=tea -o raw | grep -qa "$1"
}

desc_says() {
	ask desc Shop.Order >out || return 1
	grep -q '^Shop.Order  two-way .* in {Item:string, Count:int, ' out &&
		grep -q '^  rpcsh Shop.Order Item=TEXT Count:=0 ' out &&
		grep -q '^    Item  .*required  1 to 40  what is bought$' out &&
		grep -q '^    Wait  .*else 3600s' out
}

t 'typed starts' typed_url serve
t 'its own client' says 'tea 5.00
ribbon 0.50
total 5.50
tea 5.00
ribbon 0.50
total 5.50' client typed order "$url" tea 2
t 'an older client' says 'total 5.00
total 5.00' client typed order-old "$url" tea 2
t 'what is out of range' complains \
	'typed: Shop.Order: Count: 200 is not in 1 to 100' 3 \
	client typed order "$url" tea 200
t 'rpcsh by plain names' says \
	'{"Total":3.0,"Lines":[{"Text":"tea","Price":2.5},{"Text":"ribbon","Price":0.5}]}' \
	ask Shop.Order Item=tea 'Extras[]=ribbon' Wait=1m30s
t 'its bytes are as they came' bytes_say '_zid00_f64'
t 'a name that is not there' complains \
	'rpcsh: argument: no field "Itm" (did you mean "Item"?)' 2 \
	ask Shop.Order Itm=tea
t 'one like no other' complains \
	'rpcsh: argument: no field "Zz": there is Item, Count, Extras, Wait' 2 \
	ask Shop.Order Zz=tea
t 'what is missing' complains 'rpcsh: Shop.Order: Item: is missing' 3 \
	ask Shop.Order Count:=3
t 'of another type' complains \
	'rpcsh: Shop.Order: Extras\[1\]: an integer, not a string' 3 \
	ask Shop.Order Item=tea 'Extras:=["a",2]'
t 'no time' complains \
	'rpcsh: Shop.Order: Wait: not a duration such as 1m30s or 250ms' 3 \
	ask Shop.Order Item=tea Wait=5x
t 'rpcsh desc' desc_says
t 'typed stops' stop
t 'the older server starts' typed_url serve-old
t 'its client' says 'total 4.00
total 4.00' client typed order-old "$url" tea 2
t 'and the newer one' says 'total 5.00
total 5.00' client typed order "$url" tea 2
t 'it stops' stop

if command -v ssh-keygen >/dev/null; then
	t 'keys of SSH' ssh_keys
	t 'ssh_call serves' start_ssh
	t 'and answers who has a line' says 'hello, Anna' \
		client ssh_call ask me host.pub "$url" 'hello, Anna'
	t 'who has none is refused' fails_with 6 \
		client ssh_call ask stranger host.pub "$url"
	t 'a server that is another is not called' fails_with 6 \
		client ssh_call ask me stranger.pub "$url"
	t 'it stops' stop
	t 'a session over two pipes answers' session_over me 0 'hello, Anna'
	t 'and not who is another' session_over stranger 6 ''
fi

t 'the manual lists every error' every_error
t 'the client in the manual compiles' compile 1
t 'and the server' compile 2
t 'they understand each other' run_manual
t 'and end' stop
plan
