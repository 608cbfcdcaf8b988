#!/bin/sh
# keyvault exec: secrets for one command, of which nothing stays behind.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

given() {
	fresh
	want 0 "a word to find again" sh -c \
	    "printf hunter2 | '$keyvault' --pass file:pass import tok - --type secret"
	want 0 "by descriptor" kv exec --fd 7=tok -- cat /dev/fd/7
	[ "$(cat out)" = hunter2 ]
	result $? "is what it was"
	want 0 "as standard input" kv exec --fd 0=tok -- cat
	[ "$(cat out)" = hunter2 ]
	result $? "too"
	# shellcheck disable=SC2016 # the inner shell's
	want 0 "several ways" kv exec --fd 3=lab.psk --fd 4=tok --env T=tok \
	    --fd 5=deploy-ca -- sh -c 'wc -c </dev/fd/3 &&
	    cat <&4 && echo " $T" && openssl pkey -pubout </dev/fd/5'
	[ "$(sed -n 1,2p out | tr -d ' \n')" = 32hunter2hunter2 ]
	result $? "each"
	"$keyvault" pub deploy-ca --form pem >half
	sed -n '3,$p' out | cmp -s - half
	result $? "a key in a form that openssl knows"
	has err '^keyvault: T: all that the command starts has it too' \
	    "the weaker way is named"
	want 0 "not with --quiet" kv --quiet exec --env T=tok -- true
	[ ! -s err ]
	result $? "which is still"
	want 0 "twice from the start" kv exec --fd 3=tok -- \
	    sh -c 'cat /dev/fd/3 /dev/fd/3'
	[ "$(cat out)" = hunter2hunter2 ]
	result $? "as from a file"
	want 0 "the log" "$keyvault" --plain log
	has out 'export	lab.psk: as descriptor 3, to sh$' "has them"
	if command -v ssh-keygen >/dev/null; then
		want 0 "a key in OpenSSH's form" kv exec --form openssh \
		    --fd 3=deploy-ca -- ssh-keygen -y -f /dev/fd/3
		has out '^ssh-ed25519 ' "is read by it"
	fi
}

# The command, and whoever looks for what it should not have.
# shellcheck disable=SC2016 # the inner shell's
nothing_else() {
	look='for f in /proc/$$/fd/*; do echo "${f##*/}"; done'
	want 0 "descriptors without it" sh -c "$look"
	sort out >usual
	want 0 "descriptors" kv exec --fd 99=tok -- sh -c "$look"
	[ "$(sort out | comm -3 - usual)" = 99 ]
	result $? "are those that were wanted, and no others"
	want 0 "environment" kv exec --fd 3=tok -- env
	! grep -q hunter2 out
	result $? "has it only when that was wanted"
	want 0 "words and names" kv exec --env T=tok --fd 3=tok -- sh -c \
	    'tr "\0" "\n" </proc/$$/cmdline; tr "\0" "\n" </proc/$PPID/cmdline
	    tr "\0" "\n" </proc/$PPID/environ'
	! grep -q hunter2 out && grep -q '^tok$\|=tok$' out
	result $? "have names and nothing else; nor has keyvault's environment"
	want 0 "no core" kv exec --fd 3=tok -- sh -c 'ulimit -c; ulimit -H -c'
	[ "$(tr '\n' ' ' <out)" = '0 0 ' ]
	result $? "of it"
	# What goes on behind its back has an empty file.
	mkfifo go
	want 0 "a child of its own" kv exec --fd 3=tok -- sh -c \
	    '{ cat go; wc -c </dev/fd/3; } >late 2>&1 &'
	: >go
	until_ok grep -q . late
	[ "$(tr -d ' ' <late)" = 0 ]
	result $? "finds nothing any more"
	! grep -rq hunter2 v .local 2>/dev/null
	result $? "nothing was written"
}

# Every write and every word of a whole run, if there is strace.
traced() {
	if ! command -v strace >/dev/null ||
	    ! strace -o /dev/null true 2>/dev/null; then
		ok "nothing in any system call # SKIP no strace"
		return
	fi
	ASAN_OPTIONS=detect_leaks=0 strace -f -s 100000 -o trace \
	    "$keyvault" --pass file:pass exec --fd 3=tok -- true \
	    >out 2>err
	grep -q 'execve.*true' trace
	result $? "traced"
	[ "$(grep -c hunter2 trace)" -eq 1 ] && grep hunter2 trace |
	    grep -q 'write([0-9]*, "hunter2", 7)'
	result $? "no system call has it but the write to that file"
}

# shellcheck disable=SC2016 # the inner shell's
ends() {
	want 42 "its status" kv exec --fd 3=tok -- sh -c 'exit 42'
	want 143 "ended by a signal" kv exec --fd 3=tok -- sh -c 'kill $$'
	want 137 "by force" kv exec --fd 3=tok -- sh -c 'kill -9 $$'
	# 40 is one of those that have no name.
	for signal in TERM HUP USR1 PROF VTALRM IO XCPU 40; do
		rm -f ready
		"$keyvault" --pass file:pass exec --fd 3=tok -- sh -c \
		    'trap "echo got; exit 3" TERM HUP USR1 PROF VTALRM IO XCPU 40
		    : >ready
		    while :; do sleep 0.05; done' >out 2>err &
		until_ok test -e ready
		kill -"$signal" $!
		wait $!
		[ $? -eq 3 ] && [ "$(cat out)" = got ]
		result $? "SIG$signal is passed on"
	done
}

refused() {
	want 8 "no such program" kv exec --fd 3=tok -- ./none
	has err '^keyvault: ./none: No such file' "says so"
	want 8 "no such secret" kv exec --fd 3=none -- touch was
	has err '^keyvault: none: no such key' "says so"
	want 7 "a wrong passphrase" "$keyvault" --pass file:wrong \
	    exec --fd 3=tok -- touch was
	want 7 "nobody to ask" "$keyvault" --no-input exec --fd 3=tok -- \
	    touch was
	want 2 "which secrets?" kv exec -- touch was
	has err 'try: --fd 3=NAME, or --env VAR=NAME' "is asked"
	want 2 "no name" kv exec --fd 3 -- touch was
	want 2 "no number" kv exec --fd x=tok -- touch was
	want 2 "not the answer" kv exec --fd 1=tok -- touch was
	want 2 "too large" kv exec --fd 256=tok -- touch was
	want 2 "no variable" kv exec --env 1x=tok -- touch was
	want 2 "no variable" kv exec --env "$(printf 'a\nb')=tok" -- touch was
	want 2 "one number twice" kv exec --fd 3=tok --fd 3=word -- touch was
	want 2 "one variable twice" kv exec --env A=tok --env A=word -- \
	    touch was
	want 2 "what is no text" kv exec --env A=lab.psk -- touch was
	has err 'try: --fd 3=NAME' "has another way"
	absent "nothing was started" was
}

given
nothing_else
traced
ends
refused
finish
