#!/bin/sh
# Secrets of keyvault and its agent are in no write, no argument, and in no
# memory that may be swapped or dumped.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# shellcheck disable=SC2119
set -u
# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"
peer=$SRC_DIR/tests/lib/secretpeer.py
# shellcheck disable=SC3045 # dash and bash have it
if grep -q -e __asan_init -e __tsan_init "$keyvault" ||
    [ "$(ulimit -l)" = 0 ]; then
	LOCKED=no
	export LOCKED
fi
# Which waits for the end of what it is traced with.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

# found WHAT WAY ARG...: in guarded memory only.
found() {
	what=$1
	shift
	python3 "$peer" "$@" >where 2>why
	case $(cat where) in
	lost) ok "$what # SKIP nobody may look into it here" ;;
	guarded) ok "$what" ;;
	*) not_ok "$what: $(cat where why)" ;;
	esac
}

# ---- what is written ----

trace() {
	to=$1
	shift
	strace -f -qq -v -xx -s 1000000 -o "$to" \
	    -e trace=execve,write,writev,pwrite64,pwritev "$@"
}

# A step of the session.
step() {
	trace trace.now "$keyvault" --no-input "$@" >out 2>err
	result $? "$*"
	cat trace.now >>traces
}

# The seed of a key as its file has it.
seed() {
	kv export "$1" --plain-key | openssl pkey -outform DER | tail -c 32
}

session() {
	fresh
	mkdir known
	printf 'correct horse' >known/pass
	printf 'another horse' >known/npass
	cp known/npass npass
	chmod 600 npass
	openssl rand -hex 64 >known/tok
	step --pass file:pass import tok known/tok --type secret
	step --pass file:pass new fresh-one
	step --pass file:pass sign fresh-one pass -o -
	seed fresh-one >known/fresh
	seed deploy-ca >known/deploy
	step --pass file:pass passwd --new-pass file:npass --kdf-time 1ms
	trace traces.agent "$keyvault" agent --socket "$tmp/run/a.sock" \
	    >vars 2>err &
	until_ok grep -q AGENT_PID= vars
	# shellcheck source=/dev/null
	. ./vars
	trap 'kill -9 "$KEYVAULT_AGENT_PID" 2>/dev/null; rm -rf "$tmp"' EXIT
	step --pass file:npass unlock fresh-one deploy-ca tok
	step sign deploy-ca pass -o -
	step status
	step --vault v/none.db --pass agent:tok init --kdf-time 1ms
	step lock fresh-one
	agent_stop
	wait
	cat traces.agent >>traces
	python3 "$peer" written traces known/* >out 2>err
	[ "$(cat out)" = "some " ]
	result $? "no write and no word has a secret"
	# That it would be found.
	kv --pass file:npass export tok --plain-key >/dev/null
	trace trace.now "$keyvault" --pass file:npass export tok --plain-key \
	    >out 2>err
	[ "$(python3 "$peer" written trace.now known/*)" = \
	    "some known/tok" ]
	result $? "but one that is to have it"
}

# ---- where it lies ----

memory() {
	fresh
	rm -rf known
	mkdir known
	openssl rand -hex 13000 | tr -d '\n' >known/big
	want 0 "a large secret" kv import big known/big --type secret
	kv new ed && kv export ed --plain-key >ed.pem && sed -n 2p ed.pem |
	    tr -d '\n' >known/ed
	result $? "a key as text"
	found "text on its way out" full known/ed \
	    "$keyvault" --pass file:pass export ed --plain-key
	found "what is read from standard input" fed known/big \
	    "$keyvault" --pass file:pass import other - --type secret
	printf 'correct horse' >known/pass
	# Of variables sanitizers have a copy.
	# shellcheck disable=SC2016 # the inner shell's
	python3 "$peer" ready known/pass sh -c 'exec "$@" 8<pass' sh \
	    "$keyvault" --pass fd:8 exec --fd 3=ed -- sh -c 'echo; cat' \
	    >where 2>why
	grep -q -x -e none -e lost where
	result $? "no passphrase while a command runs: $(cat where why)"
	want 0 "an agent" agent_start
	want 0 "opens" kv unlock big
	found "a gift that nobody reads" stalled "$KEYVAULT_SOCK" big \
	    known/big "$KEYVAULT_AGENT_PID"
	python3 - "$KEYVAULT_SOCK" >status <<-'END'
		import socket, sys
		with socket.socket(socket.AF_UNIX) as s:
		    s.connect(sys.argv[1])
		    s.sendall(b'\0\0\0\1\1')
		    sys.stdout.buffer.write(s.recv(65536))
	END
	agent_stop
	mkdir -m 700 other
	KEYVAULT_SOCK=$tmp/other/s
	export KEYVAULT_SOCK
	found "the key for an agent" unlocked "$tmp/other/s" status \
	    "$keyvault" --pass file:pass unlock big
}

# An agent that may lock less than it wants says so; root may always, but for
# who gave that up.
short() {
	drop=
	[ "$(id -u)" != 0 ] ||
		drop='setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock'
	if [ "${LOCKED-yes}" = no ] || ! $drop true 2>/dev/null; then
		ok "an agent without locked memory # SKIP all is, or none, here"
		return
	fi
	# shellcheck disable=SC2086,SC3045 # words; as above
	(
		ulimit -l 8
		exec $drop "$keyvault" agent --socket "$tmp/run/b.sock"
	) >vars 2>err
	result $? "an agent that may lock little"
	# shellcheck source=/dev/null
	. ./vars
	trap 'kill -9 "$KEYVAULT_AGENT_PID" 2>/dev/null; rm -rf "$tmp"' EXIT
	want 0 "opens a key" kv unlock big
	want 0 "is asked" "$keyvault" status
	has out '^memory  *keys of the agent may be swapped out' 'it says so'
	want 0 "as JSON" "$keyvault" --json status
	has out '"swappable":true' 'too'
	want 1 "and to doctor" "$keyvault" doctor
	has out '^agent  *bad  *not all that is secret could be locked' 'as well'
	agent_stop
	# shellcheck disable=SC2086,SC3045 # as above
	(ulimit -l 8191 && $drop "$keyvault" doctor) >out 2>err
	has out '^memory  *bad  *.*8192 KiB cannot be locked' \
	    'doctor says what an agent may need where it cannot have that'
}

locked_by_agent() { # MIN MAX: KiB
	sed -n 's/^VmLck:[^0-9]*\([0-9]*\) kB/\1/p' \
	    "/proc/$KEYVAULT_AGENT_PID/status" >locked
	[ "$(cat locked)" -ge "$1" ] && [ "$(cat locked)" -le "$2" ]
}

# What doctor says of an agent is what one does.
measured() {
	if [ "${LOCKED-yes}" = no ]; then
		ok "what an agent locks # SKIP nothing is, here"
		return
	fi
	want 0 "an agent" agent_start
	want 0 "opens all there is to sign with" kv unlock
	locked_by_agent 20 40
	result $? "its keys take what doctor says: $(cat locked) KiB"
	python3 - "$KEYVAULT_SOCK" <<-'END' &
		import signal, socket, struct, sys
		held = []
		for i in range(64):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(sys.argv[1])
		    size = 16384 if i < 60 else 1048576
		    s.sendall(struct.pack('>IB', size, 10) + b'x' * 1000)
		    held.append(s)
		signal.pause()
	END
	crowd=$!
	until_ok locked_by_agent 5000 6000
	result $? "and so does what it can be asked: $(cat locked) KiB"
	kill $crowd
	wait $crowd 2>/dev/null
	agent_stop
}

if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	session
else
	ok "nothing in any write # SKIP no strace"
fi
memory
short
measured
finish
