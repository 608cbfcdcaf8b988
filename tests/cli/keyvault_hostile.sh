#!/bin/sh
# keyvault's agent among peers that mean no good, and after it was killed.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

peer=$SRC_DIR/tests/lib/agentpeer.py
echo content >file

serves() {
	rm -f file.sig
	want 0 "$1" "$keyvault" --no-input sign deploy-ca file
}

odd_requests() {
	fresh
	want 0 "an agent" agent_start --ssh
	want 0 "unlock" kv unlock
	want 0 "garbage" python3 "$peer" garbage "$KEYVAULT_SOCK"
	[ "$(cat out)" = 'end end end end 129 129 129 128 129' ]
	result $? "is refused, or not answered at all"
	want 0 "garbage at the door for SSH" python3 "$peer" garbage \
	    "$SSH_AUTH_SOCK"
	[ "$(cat out)" = 'end end end end 5 5 5 5 5' ]
	result $? "is refused there as well"
	want 0 "100 with half a request" python3 "$peer" crowd \
	    "$KEYVAULT_SOCK" 100
	grep -q '^128$' out
	result $? "do not keep another one out"
	serves "and the agent goes on"
}

nobody_waits() {
	! "$keyvault" --plain allow | grep -q .
}

gone() {
	want 0 "unlock, to be asked" kv unlock --confirm
	want 0 "one that asks, says too much, and goes" python3 "$peer" full \
	    "$KEYVAULT_SOCK" deploy-ca
	grep -q '^130$' out
	result $? "was told to wait"
	until_ok nobody_waits &&
		! "$keyvault" --plain log | grep -q 'nobody answered'
	result $? "nobody is asked for one who is gone"
}

# A socket outlives who opened it, and numbers of processes are used again.
inherited() {
	want 0 "one who asks on a dead one's socket" python3 "$peer" heir \
	    "$KEYVAULT_SOCK" deploy-ca
	until_ok sh -c "'$keyvault' --plain allow | grep -q ."
	"$keyvault" --plain allow >out
	has out 'a program that has ended, pid' "is not called by its name"
	want 0 "deny" "$keyvault" deny "$(cut -f1 out)"
}

links() {
	mkdir -m 700 real
	ln -s real link
	want 1 "a folder that is a link" "$keyvault" agent \
	    --socket "$tmp/link/a.sock"
	has err 'is no folder of ours' "is not taken"
	ln -s "$tmp/elsewhere" real/a.sock
	want 9 "a link where the socket would be" "$keyvault" agent \
	    --socket "$tmp/real/a.sock"
	absent "is not followed" elsewhere
}

strangers() {
	if [ "$(id -u)" -ne 0 ]; then
		ok "other users # SKIP only root can be somebody else"
		return
	fi
	chmod 711 run
	chmod 666 run/a.sock
	want 0 "another user" python3 "$peer" stranger "$KEYVAULT_SOCK"
	[ "$(cat out)" = end ]
	result $? "is not heard, even where the socket lets him in"
	chmod 700 run
	mkdir -m 777 bad
	python3 "$peer" impostor "$tmp/bad/s" "$tmp/ready" >told 2>&1 &
	until_ok grep -q ready ready
	KEYVAULT_SOCK=$tmp/bad/s want 1 "an agent of another user's" kv unlock
	has err "the agent there is another user's" "is called that"
	wait $!
	grep -q '^nothing$' told
	result $? "and told nothing"
}

no_look() {
	if [ "$(id -u)" -eq 0 ]; then
		# Nothing keeps root out; but then the files are root's anyhow.
		ls -ld "/proc/$KEYVAULT_AGENT_PID/mem" >out
		has out 'root *root' "its memory is nobody's but root's"
	else
		want 2 "nobody of its user reads its memory" sh -c \
		    "exec 3</proc/$KEYVAULT_AGENT_PID/mem"
	fi
	awk '/^Max core file size/ && $5 == 0 && $6 == 0 { ok = 1 }
	    END { exit !ok }' "/proc/$KEYVAULT_AGENT_PID/limits"
	result $? "it leaves no core"
}

killed() {
	want 0 "unlock, to be asked" kv unlock --confirm
	rm -f file.sig
	"$keyvault" --no-input sign deploy-ca file >bg.out 2>bg.err &
	signer=$!
	until_ok sh -c "'$keyvault' --plain allow | grep -q deploy-ca"
	kill -9 "$KEYVAULT_AGENT_PID"
	wait $signer
	[ $? -eq 4 ] && grep -q 'agent: has ended' bg.err && [ ! -e file.sig ]
	result $? "who waits for an agent that is killed is told"
	until_ok agent_gone
	want 4 "unlock, with no agent" kv unlock
	has err "no agent at $tmp/run/a.sock" "says so"
	want 7 "sign, with no agent, asks as ever" "$keyvault" --no-input \
	    sign deploy-ca file
	has err 'no agent at' "and tells why"
	want 0 "with the passphrase it goes on" kv sign deploy-ca file
	want 0 "a new agent takes the old one's place" agent_start --ssh
	want 7 "where all keys are closed" "$keyvault" --no-input sign \
	    deploy-ca file -o -
	want 0 "unlock" kv unlock
	serves "sign"
	want 0 "nothing was lost" kv check
}

many_at_once() {
	pids=
	for i in 1 2 3 4 5 6; do
		(
			for j in 1 2 3; do
				"$keyvault" --no-input sign deploy-ca file \
				    -o "s$i.$j" 2>>err.$i || exit 1
			done
		) &
		pids="$pids $!"
	done
	bad=0
	for pid in $pids; do
		wait "$pid" || bad=1
	done
	[ $bad -eq 0 ]
	result $? "six at once are served"
	[ "$("$keyvault" --plain log | grep -c 'sign	deploy-ca: agent')" -ge 18 ]
	result $? "and each is in the log"
	want 0 "a thousand handshakes, by eight" python3 "$peer" many \
	    "$KEYVAULT_SOCK" deploy-ca 8 125
	"$keyvault" --plain log |
		grep 'sign	deploy-ca: agent: a TLS' >out
	[ "$(sed 's/.*server, \([0-9]*\) times.*/\1/; t; s/.*/1/' out |
	    awk '{ sum += $1 } END { print sum }')" -eq 1000 ]
	result $? "are all in the log"
	[ "$(wc -l <out)" -lt 100 ]
	result $? "in few lines"
	want 0 "which adds up" kv check
	agent_stop
}

# Says yes to all, and does nothing.
nothing_done() {
	fresh
	mkdir -p -m 700 run
	for verb in lock unlock; do
		rm -f run/yes
		python3 "$peer" yes_man run/yes &
		yes=$!
		until_ok [ -S run/yes ]
		want 1 "$verb by an agent that does not say what it did" env \
		    KEYVAULT_SOCK="$tmp/run/yes" "$keyvault" --pass file:pass $verb
		has err '^keyvault: agent: ' "is no success"
		kill "$yes" 2>/dev/null
		wait "$yes" 2>/dev/null
	done
}

odd_requests
nothing_done
gone
inherited
links
strangers
no_look
killed
many_at_once
finish
