# shellcheck shell=sh
# For tests of the daemon: TAP, certificates, daemons started and ended.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2119,SC2120,SC2317
# shellcheck source=tests/lib/until.sh
. "${SRC_DIR:?}/tests/lib/until.sh"
rpcd=${BUILD_DIR:?}/bin/rpcd
rpcsh=$BUILD_DIR/bin/rpcsh
selfy=$BUILD_DIR/bin/selfy
tmp=$(mktemp -d "${TEST_TMP:-/tmp}/rpcd-XXXXXX") || exit 1
daemons=
n=0
failed=0

cleanup() {
	for pid in $daemons; do
		kill -KILL "$pid" 2>/dev/null
	done
	chmod -R u+rwX "$tmp"
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$tmp" || exit 1
umask 022
HOME=$tmp
LC_ALL=C
TMPDIR=$tmp
export HOME LC_ALL TMPDIR
unset RPCKIT_CERTS RPCKIT_KEY RPCKIT_SERVER RPCKIT_CONTEXT RPCKIT_TIMEOUT
unset RPCKIT_ASKPASS SSH_ASKPASS SSH_ASKPASS_REQUIRE NOTIFY_SOCKET
unset LISTEN_FDS LISTEN_PID LISTEN_FDNAMES WATCHDOG_USEC WATCHDOG_PID
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME
unset XDG_RUNTIME_DIR
unset NO_COLOR CLICOLOR_FORCE FORCE_COLOR

ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}

not_ok() {
	n=$((n + 1))
	failed=1
	echo "not ok $n - $1"
	for f in out err log; do
		[ ! -s "$f" ] || tail -n 20 "$f" | tr -d '\000' | sed "s/^/# $f: /"
	done
}

# The status of the last command, a text.
result() {
	if [ "$1" -eq 0 ]; then ok "$2"; else not_ok "$2"; fi
}

# check TEXT COMMAND...
check() {
	text=$1
	shift
	"$@"
	result $? "$text"
}

# A program within a minute; functions of a test are bounded themselves.
bounded() {
	case $(command -V "$1" 2>/dev/null) in
	*' function'*) "$@" ;;
	*) timeout 60 "$@" ;;
	esac
}

# rpcd ctl, for the daemon whose admin socket is $tmp/admin.
ctl() {
	timeout 60 "$rpcd" ctl --socket "$tmp/admin" "$@"
}

# want STATUS TEXT COMMAND...: no input.
want() {
	status=$1
	text=$2
	shift 2
	bounded "$@" </dev/null >out 2>err
	got=$?
	if [ "$got" -eq "$status" ]; then
		ok "$text"
	else
		not_ok "$text (status $got, not $status)"
	fi
}

# has FILE PATTERN TEXT: a daemon's log says it soon, another file at once.
has() {
	case $1 in
	log) logged "$2" "$3" ;;
	*)
		grep -q -e "$2" "$1"
		result $? "$3"
		;;
	esac
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

ready() {
	[ "$(grep -c . ready)" -ge "$1" ] || ended "$daemon"
}

# start LISTENERS RPCD_WORDS...: its lines in ready, its events in log.
start() {
	listeners=$1
	shift
	: >ready
	"$rpcd" "$@" </dev/null >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok ready "$listeners" && ! ended "$daemon"
}

# start_own PROGRAM WORDS...: a server of the tests' own in its place.
start_own() {
	program=$1
	shift
	: >ready
	"$BUILD_DIR/test/$program" "$@" </dev/null >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok ready 1 && ! ended "$daemon"
}

# The same at a port that was ours: somebody may have it for a moment.
start_again() {
	until_ok started_or_lost "$@" && ! ended "$daemon"
}

started_or_lost() {
	start "$@" || ! grep -q 'in use' log
}

# stop [SIGNAL]: the exit status.
stop() {
	kill "-${1:-TERM}" "$daemon" 2>/dev/null
	until_ok ended_or_zombie "$daemon" || kill -KILL "$daemon"
	wait "$daemon"
}

ended_or_zombie() {
	case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in
	'' | Z* | X*) return 0 ;;
	esac
	return 1
}

# The address of the first listener of a kind: "tls://127.0.0.1:1234".
url() {
	sed -n "s|^listening $1 |$1://|p" ready | head -n 1
}

# rpcsh as a client that has proven nothing / is alice.
plain() {
	"$rpcsh" -s "$(url tcp)" "$@"
}

alice() {
	"$rpcsh" -s "$(url tls)" --certs certs -k alice "$@"
}

# The log says it, soon.
logged() {
	until_ok grep -q -e "$1" log
	result $? "$2"
}

# pass.py: pass sockets as a service manager does: KINDS, then rpcd's words.
# Kinds are in their names, and "ssh-" before one is only that.
passing() {
	cat >pass.py <<'END'
import os, socket, sys
kinds, words = sys.argv[1].split(','), sys.argv[2:]
fds = []
for kind in [k.removeprefix('ssh-') for k in kinds]:
    if kind == 'unix':
        s = socket.socket(socket.AF_UNIX)
        s.bind(os.path.abspath('passed.sock'))
    elif kind in ('udp', 'unbound'):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if kind == 'udp':
            s.bind(('127.0.0.1', 0))
    else:
        s = socket.socket()
        s.bind(('127.0.0.1', 0))
    if kind not in ('udp', 'unbound', 'deaf'):
        s.listen()
    fds.append(os.dup(s.fileno()))
    if kind not in ('unix',):
        with open('passed.port', 'w') as f:
            f.write(str(s.getsockname()[1]))
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.environ['LISTEN_FDS'] = os.environ.get('FDS', str(len(fds)))
os.environ['LISTEN_PID'] = os.environ.get('PID', str(os.getpid()))
os.environ['LISTEN_FDNAMES'] = ':'.join('rpc-' + k for k in kinds)
port = open('passed.port').read() if os.path.exists('passed.port') else '0'
os.execv(words[0], [w.replace('PORT', port) for w in words])
END
}

# passed KINDS RPCD_WORDS...: without waiting for it.
passed() {
	: >ready
	python3 pass.py "$@" </dev/null >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
}

certificates() {
	"$selfy" -ca -nopass >out 2>err &&
		"$selfy" -k node -e node@example.org -nopass >>out 2>>err &&
		"$selfy" -k alice -e alice@example.org -nopass >>out 2>>err &&
		"$selfy" -k mallory -e mallory@example.org -nopass \
			>>out 2>>err
	result $? 'certificates for the tests'
}

# The fingerprint of certs/NAME.crt as the log writes it.
fingerprint() {
	"$selfy" -v "certs/$1.crt" 2>/dev/null |
		grep -o 'SHA256:[A-Za-z0-9+/ ]*' | head -n 1 | tr -d ' '
}

# An address of this test's own: what is closed there nobody else has opened.
own_address() {
	echo "127.$(($$ / 62500 % 120 + 100)).$(($$ / 250 % 250)).$(($$ % 250 + 1))"
}

plan() {
	echo "1..$n"
	exit "$failed"
}
