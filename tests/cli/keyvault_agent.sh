#!/bin/sh
# keyvault's agent as its users meet it: keys opened, used, asked for, closed.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

echo content >file

# json_has FILE EXPRESSION TEXT: v is the object in it.
json_has() {
	python3 -c 'import json, sys
v = json.load(open(sys.argv[1]))
sys.exit(not eval(" ".join(sys.argv[2].split())))' "$1" "$2"
	result $? "$3"
}

# sign_it KEY: by the agent, or not at all.
sign_it() {
	rm -f file.sig
	"$keyvault" --no-input sign "$1" file
}

is_open() { # KEY
	"$keyvault" --plain ls | cut -f1,10 | grep -q "^$1	open$"
}

gone() { # FILE
	[ ! -e "$1" ]
}

is_closed() {
	! is_open "$1"
}

started() {
	fresh
	"$keyvault" agent --socket "$tmp/run/a.sock" >/dev/full 2>err
	[ $? -eq 1 ]
	result $? "an agent that nobody would be told of"
	has err 'cannot write the answer' "says so"
	until_ok gone run/a.sock
	result $? "and is none"
	"$keyvault" agent --socket "$tmp/run/a.sock" 2>err | true
	until_ok gone run/a.sock
	result $? "nor is one whose lines nobody reads"
	mkfifo full
	exec 8<>full
	head -c 65536 /dev/zero >&8
	"$keyvault" agent --socket "$tmp/run/a.sock" >full 2>err &
	starter=$!
	until_ok test -S run/a.sock
	kill -9 $starter
	wait $starter 2>/dev/null
	until_ok gone run/a.sock
	result $? "nor is one whose starter ends before"
	exec 8>&-
	want 4 "unlock without an agent" kv unlock
	has err 'try: eval "$(keyvault agent)"' "says how to get one"
	want 0 "an agent" agent_start
	has vars "^KEYVAULT_SOCK='$tmp/run/a.sock'; export KEYVAULT_SOCK;" \
	    "prints where it is"
	mode run 700
	mode run/a.sock 600
	absent "no door for SSH unless it is asked for" run/a.sock.ssh
	want 9 "not a second one there" "$keyvault" agent \
	    --socket "$tmp/run/a.sock"
	want 0 "status" "$keyvault" status
	has out "^agent  *pid $KEYVAULT_AGENT_PID, 0 keys open" "tells of it"
	"$keyvault" --json status >out
	json_has out 'v["keys"] == [] and v["asks"] is None and
	    v["fault"] is None' "for programs too"
	"$keyvault" --plain status >out
	[ "$(tr '\t' '\n' <out | grep -c .)" -eq 15 ]
	result $? "and a line of words has what is no list"
	want 2 "a program that is none" "$keyvault" agent \
	    --socket "$tmp/run/b.sock" --notify ./none
	chmod 755 v
	want 1 "its vault open to others" "$keyvault" agent --socket other/a
	chmod 700 v
	# Which takes its time; it is heard below.
	"$keyvault" --pass file:wrong unlock >/dev/null 2>&1 &
	guess=$!
	mkdir -m 755 wide
	want 1 "a folder open to others" "$keyvault" agent --socket wide/a
	has err 'chmod 700' "and what to do"
}

used() {
	want 0 "what is no key for signing" kv unlock lab.psk
	want 6 "signs nothing" sign_it lab.psk
	has err 'lab.psk: is not for this use' "and why"
	want 8 "no such key" kv unlock nobody
	want 7 "closed so far" sign_it deploy-ca
	want 0 "unlock" kv unlock --for 1h
	has err '^keyvault: 1 key open' "counts"
	want 0 "ls" "$keyvault" ls
	has out 'deploy-ca .*open 59 min\|deploy-ca .*open 60 min' "has the time"
	has out 'word .*closed' "and what is closed"
	want 0 "sign without a passphrase" sign_it deploy-ca
	want 0 "it fits" "$keyvault" verify --key deploy-ca file file.sig
	want 1 "in its context only" "$keyvault" verify --ns mail \
	    --key deploy-ca file file.sig
	want 0 "show" "$keyvault" show deploy-ca
	has out '^last use by *.*keyvault, pid ' "says who asked last"
	want 0 "log" "$keyvault" log
	has out 'unlock  deploy-ca: agent: opened' "has the opening"
	has out 'sign .*deploy-ca: agent: a file, context file, sha512 .*pid' \
	    "has the use, and whose it was"
	want 0 "lock" "$keyvault" lock
	want 7 "is closed then" sign_it deploy-ca
}

limited() {
	want 0 "unlock for two uses" kv unlock --max-uses 2 --for 1h \
	    --only-for file --only-for "$keyvault" deploy-ca
	want 0 "status" "$keyvault" status
	has out '^  *deploy-ca: open \(59\|60\) min, 2 uses left, only for file, /' \
	    "has its limits"
	"$keyvault" --plain ls >out
	has out "open	.*	2	file, $keyvault\$" "programs read them in ls"
	"$keyvault" --json status >out
	json_has out '[[k["name"], 3500 < k["seconds_left"] <= 3600, k["uses"],
	    k["uses_left"], k["confirm"], k["yes_seconds"], k["last_by"],
	    k["only_for"]] for k in v["keys"]] == [["deploy-ca", True, 0, 2,
	    False, 0, None, "file, '"$keyvault"'"]] and v["open_keys"] == 1' \
	    "and in status"
	want 0 "one" sign_it deploy-ca
	want 0 "ls" "$keyvault" ls
	has out 'deploy-ca .*1 use left, only for file, ' "and so do people"
	"$keyvault" --json status >out
	json_has out '[[k["uses"], k["uses_left"], "keyvault, pid " in
	    k["last_by"]] for k in v["keys"]] == [[1, 1, True]]' \
	    "a use shows in status, with whose it was"
	! grep -q 'last use' err
	result $? "nothing more is said of it"
	want 0 "two" sign_it deploy-ca
	has err 'deploy-ca: that was the last use: the agent has closed it' \
	    "who had the last is told"
	want 7 "and no more" sign_it deploy-ca
	want 0 "unlock for a moment" kv unlock --for 50ms deploy-ca
	until_ok is_closed deploy-ca
	result $? "it is over"
	want 2 "a time and none" kv unlock --until-sleep --for 1h deploy-ca
	want 0 "unlock until the machine sleeps" kv unlock --until-sleep deploy-ca
	"$keyvault" status >out
	has out '^  *deploy-ca: open, used 0 times' "has no end"
	want 0 "unlock for good" kv unlock --for 0 deploy-ca
	kill -HUP "$KEYVAULT_AGENT_PID"
	until_ok is_closed deploy-ca
	result $? "a hang-up closes it"
	want 0 "unlock two" sh -c "'$keyvault' --pass file:pass new web &&
	    '$keyvault' --pass file:pass unlock"
	want 0 "lock one" "$keyvault" lock deploy-ca
	is_open web && is_closed deploy-ca
	result $? "the other stays"
	want 8 "lock it again" "$keyvault" lock deploy-ca
	want 0 "tags say what a key is for" kv tag web use:tls
	want 6 "which holds also for open ones" sign_it web
	has err 'web: is not for this use' "it says so"
}

guessed() {
	wait $guess
	[ $? -eq 7 ]
	result $? "a wrong passphrase"
}

waiting() {
	"$keyvault" --plain allow | grep -q .
}

asked() { # a signature in the background that waits
	rm -f file.sig
	"$keyvault" --no-input sign deploy-ca file >bg.out 2>bg.err &
	signer=$!
	until_ok waiting
	id=$("$keyvault" --plain allow | cut -f1)
}

confirmed() {
	want 0 "unlock, to be asked" kv unlock --confirm deploy-ca
	has err 'no askpass program' "says that nobody can be asked by itself"
	asked
	"$keyvault" --plain allow >out
	sum=$(sha512sum <file | cut -c 1-16)
	has out 'deploy-ca	a file, context file, sha512 '"$sum"'	.*keyvault, pid '"$signer"', uid' \
	    "who waits, and for what"
	want 8 "deny another" "$keyvault" deny 4000000000
	want 0 "deny" "$keyvault" deny "$id"
	wait $signer
	[ $? -eq 6 ] && [ ! -e file.sig ]
	result $? "nothing is signed then"
	grep -q "sha512 $sum: waiting for your yes (or: keyvault allow $id)" bg.err
	result $? "the one who asked was told"
	asked
	want 0 "allow for a while" "$keyvault" allow "$id" --for 2m
	wait $signer
	result $? "it is signed"
	want 0 "status" "$keyvault" status
	has out '^  *deploy-ca: open .*, asks first again in [0-9]' \
	    "has for how long the yes holds"
	"$keyvault" --json status >out
	json_has out '[[k["confirm"], 60 < k["yes_seconds"] <= 120] for k in
	    v["keys"]] == [[True, True]]' "for programs too"
	want 0 "the next one is not asked for" sign_it deploy-ca
	want 0 "unlock again" kv unlock --confirm deploy-ca
	asked
	want 0 "lock meanwhile" "$keyvault" lock
	wait $signer
	[ $? -eq 7 ] && grep -q 'the agent was locked before anybody' bg.err
	result $? "is no answer of anybody's"
	"$keyvault" --plain log | cut -f3,4 >out
	has out 'refuse	deploy-ca: agent: refused by /.*keyvault, pid' \
	    "the log has who said no"
	has out 'sign	deploy-ca: agent: a file, .*, allowed by /.*keyvault' \
	    "and who said yes"
	agent_stop
	result $? "the agent ends when it is told to"
	absent "its socket with it" run/a.sock
	old=$id
	agent_start
	want 0 "unlock in another agent" kv unlock --confirm deploy-ca
	asked
	want 8 "a number of the one before" "$keyvault" allow "$old"
	has err "^keyvault: $old: no request of that number waits in this agent" \
	    "is refused in one line"
	has err '^try: keyvault allow$' "with what to do"
	want 0 "and nothing came of it" "$keyvault" deny "$id"
	wait $signer
	agent_stop
}

# What it was asked, what it has of the agent's, and whether it says yes.
make_askpass() {
	cat >askpass <<-END
		#!/bin/sh
		echo "\$SSH_ASKPASS_PROMPT: \$1" >>$tmp/prompts
		env >$tmp/environment
		ls -l /proc/\$\$/fd >$tmp/descriptors
		[ ! -e $tmp/deaf ] || { trap '' TERM; exec sleep 1000; }
		exit "\$(cat $tmp/verdict)"
	END
	chmod 700 askpass
	RPCKIT_ASKPASS=$tmp/${1:-askpass}
	export RPCKIT_ASKPASS
}

asker_there() {
	pgrep -P "$KEYVAULT_AGENT_PID" sleep
}

asker_gone() {
	! pgrep -P "$KEYVAULT_AGENT_PID" sleep
}

by_askpass() {
	make_askpass not-there
	want 0 "an agent with no program where one is named" agent_start
	want 0 "unlock" kv unlock --confirm deploy-ca
	has err 'no askpass program' "it is told when it is unlocked"
	agent_stop
	make_askpass
	LISTEN_FDS=1 NOTIFY_SOCKET=/x agent_start 9>held
	result $? "an agent that can ask"
	want 0 "unlock" kv unlock --confirm deploy-ca
	: >deaf
	asked
	until_ok asker_there
	rm deaf
	want 0 "allow while the program still asks" "$keyvault" allow "$id"
	wait $signer
	result $? "it is signed"
	echo 0 >verdict
	want 0 "yes" sign_it deploy-ca
	grep -q '^confirm: Allow the use of key deploy-ca' prompts &&
		grep -q '^by: .*pid' prompts
	result $? "the question is one, and names key and program"
	! grep -q '^LISTEN_FDS\|^NOTIFY_SOCKET' environment
	result $? "who asks has nothing of the service manager's"
	! grep -q 'socket:\|vault.db\|held\|anon_inode' descriptors
	result $? "and no descriptor of the agent's, nor of who started it"
	echo 1 >verdict
	want 6 "no" sign_it deploy-ca
	until_ok asker_gone
	result $? "and the one before ended, which did not want to"
	agent_stop
	# Started by what has no use for the ends of its children.
	cat >heedless <<-'END'
		#!/usr/bin/env python3
		import os, signal, sys
		signal.signal(signal.SIGCHLD, signal.SIG_IGN)
		os.execvp(os.environ['HEEDLESS'], [os.environ['HEEDLESS']] +
		          sys.argv[1:])
	END
	chmod 755 heedless
	HEEDLESS=$keyvault
	export HEEDLESS
	keyvault=$tmp/heedless
	want 0 "an agent of a heedless starter" agent_start
	keyvault=$HEEDLESS
	want 0 "unlock" kv unlock --confirm deploy-ca
	echo 0 >verdict
	want 0 "hears of a yes" sign_it deploy-ca
	agent_stop
	printf '#!/bin/sh\necho correct horse\n' >speaker
	chmod 755 speaker
	RPCKIT_ASKPASS=$tmp/speaker
	want 0 "and a passphrase is taken" ./heedless --pass askpass check
	unset RPCKIT_ASKPASS
}

hidden() {
	fresh v1-hidden.db
	want 0 "an agent of a vault that hides names" agent_start
	want 7 "which are hidden" "$keyvault" --no-input ls
	want 0 "unlock" kv unlock
	want 0 "ls by the agent" "$keyvault" --no-input ls
	has out '^deploy-ca' "has names"
	want 0 "show" "$keyvault" --no-input show deploy-ca
	want 8 "no such one" "$keyvault" --no-input show nobody
	want 0 "sign" sign_it deploy-ca
	want 0 "verify" "$keyvault" --no-input verify --key deploy-ca file file.sig
	want 0 "rekey" kv rekey --kdf-time 1ms
	want 7 "the agent's key is of no use any more" sign_it deploy-ca
	has err 'has a new key since it was unlocked' "for this reason"
	want 7 "and it has let go of it" "$keyvault" --no-input ls
	want 0 "the vault is well" kv check
	agent_stop
}

# What cannot be written is not signed.
not_over() {
	fresh
	want 0 "an agent" agent_start
	want 0 "unlock, for two uses" kv unlock --max-uses 2 deploy-ca
	: >file.sig
	: >second
	want 9 "a signature is not written over a file" "$keyvault" \
	    --no-input sign deploy-ca second file
	absent "nor is another one made" second.sig
	want 8 "nor into a folder that is not there" "$keyvault" \
	    --no-input sign deploy-ca file -o none/file.sig
	has err '^keyvault: none: ' "which is named"
	want 2 "nor is one file signed twice" "$keyvault" \
	    --no-input sign deploy-ca second second
	has err 'second: is named twice' "and told"
	absent "nor once" second.sig
	"$keyvault" --json status >out
	json_has out 'v["keys"][0]["uses_left"] == 2' "no use is spent"
	agent_stop
	want 9 "nor with the passphrase" kv sign deploy-ca file
	want 0 "a key for something else" kv tag deploy-ca use:ca
	rm file.sig
	want 6 "signs no file" kv sign deploy-ca file
	has err 'deploy-ca: is not for this use, which takes the tag use:file' \
	    "as by the agent"
	"$keyvault" --plain log >out
	! cut -f3 out | grep -q -x sign
	result $? "and the log has none"
	rm -f file.sig second
}

# What an agent has open is no reason to keep what was.
replaced() {
	fresh
	want 0 "an agent" agent_start
	want 0 "unlock" kv unlock
	want 0 "rm beside it" kv rm word
	cp v/vault.db v/copy
	want 8 "leaves nothing of it" "$keyvault" --vault v/copy show word
	want 0 "passwd beside it" kv passwd --new-pass file:fpass --kdf-time 1ms
	cp v/vault.db v/copy
	want 7 "a copy is not opened by the old one" \
	    kv --vault v/copy export deploy-ca --plain-key
	want 0 "but by the new one" "$keyvault" --vault v/copy \
	    --pass file:fpass export deploy-ca --plain-key
	want 0 "and the agent signs" sign_it deploy-ca
	agent_stop
}

# As a service: in front, on a socket that was there before it.  What cannot be
# traced cannot be searched for leaks either; unit tests do that.
in_front() {
	fresh
	mkdir -m 700 service
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 python3 \
	    "$SRC_DIR/tests/lib/agentpeer.py" manager "$tmp/service/s" \
	    "$keyvault" agent -f >front.out 2>front.err &
	front=$!
	KEYVAULT_SOCK=$tmp/service/s
	export KEYVAULT_SOCK
	until_ok grep -q "^KEYVAULT_AGENT_PID='$front'" front.out
	result $? "in front it says who it is"
	want 0 "unlock" kv unlock
	want 0 "sign" sign_it deploy-ca
	kill "$front"
	wait "$front"
	result $? "it ends well"
	[ -S service/s ] && [ ! -s front.err ]
	result $? "and leaves the socket to whoever made it"
}

# Stopped, it is neither none nor waited for as one that is busy.
mute() {
	fresh
	want 0 "an agent" agent_start
	want 0 "unlock" kv unlock deploy-ca
	kill -STOP "$KEYVAULT_AGENT_PID"
	want 5 "status of a stopped agent" "$keyvault" status
	has out '^agent  *gives no answer$' "says that it is there"
	"$keyvault" --json status >out 2>err
	json_has out 'v["fault"] == "gives no answer"' "and to programs"
	want 0 "ls goes on without it" "$keyvault" ls
	has err 'agent: gives no answer' "and says so"
	want 7 "sign has no key" sign_it deploy-ca
	has err 'agent: gives no answer' "and says why"
	for verb in allow 'deny 7'; do
		# shellcheck disable=SC2086 # a verb and what it is given
		want 5 "$verb" timeout 10 "$keyvault" $verb
		has err 'agent: gives no answer' "is told, too"
	done
	kill -CONT "$KEYVAULT_AGENT_PID"
	want 0 "when it goes on" sign_it deploy-ca
	kill -STOP "$KEYVAULT_AGENT_PID"
	want 5 "lock" timeout 10 "$keyvault" lock
	has err 'agent: gives no answer, and closes the keys when it goes on' \
	    "says what becomes of it"
	has err '^try: kill -KILL ' "and how they are closed at once"
	kill -CONT "$KEYVAULT_AGENT_PID"
	want 7 "when it goes on" sign_it deploy-ca
	agent_stop
}

# Keys for SSH take a tag: who misses it is told.
tagless() {
	fresh
	want 0 "an agent for SSH" agent_start --ssh
	want 0 "unlock" kv unlock
	has err 'none is for SSH, .*keyvault tag deploy-ca use:ssh' \
	    "names the tag that is missing"
	want 0 "tag an open key" kv tag deploy-ca use:ssh
	has err 'deploy-ca: is open, and takes its new uses when it is unlocked' \
	    "says from when it holds"
	want 0 "unlock again" kv unlock
	! grep -q SSH err
	result $? "nothing is missing"
	want 0 "take the tag away" kv tag deploy-ca use:file use:ssh
	has err 'takes its new uses' "a use that comes"
	want 0 "and one that goes" kv tag deploy-ca use:ssh
	! grep -q 'is open' err
	result $? "holds at once"
	agent_stop
	want 0 "an agent without" agent_start
	want 0 "tag" kv tag deploy-ca use:file
	want 0 "unlock" kv unlock
	! grep -q SSH err
	result $? "is not asked for what it does not do"
	agent_stop
}

started
used
limited
guessed
confirmed
by_askpass
hidden
not_over
replaced
mute
tagless
in_front
finish
