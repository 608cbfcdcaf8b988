#!/bin/sh
# A session with keyvault and its agent leaves no secret: in files, arguments,
# environments, or the agent's memory once it is locked.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# shellcheck disable=SC2119
set -u
# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

# The secrets as files have them, below secret/.
secrets() {
	mkdir -m 700 secret
	kv export deploy-ca --plain-key -o ca.pem &&
		openssl pkey -in ca.pem -outform DER | tail -c 32 >secret/seed &&
		kv export second.psk --plain-key -o secret/psk &&
		kv export word --plain-key -o secret/word &&
		kv export more --plain-key -o more.pem &&
		openssl pkey -in more.pem -outform DER | tail -c 32 >secret/more
}

# look FILE|mem:PID...: which secret is where; "known" is to be found.
look() {
	python3 - "$@" <<-'END'
		import os, sys
		wanted = {'known': b'/v/vault.db', 'pass': b'correct horse'}
		for name in os.listdir('secret'):
		    with open('secret/' + name, 'rb') as f:
		        wanted[name] = f.read().rstrip(b'\n')
		def pieces(where):
		    if not where.startswith('mem:'):
		        with open(where, 'rb') as f:
		            yield f.read()
		        return
		    pid = where[4:]
		    with open('/proc/%s/maps' % pid) as maps, \
		            open('/proc/%s/mem' % pid, 'rb', 0) as mem:
		        for line in maps:
		            word = line.split()
		            low, high = (int(n, 16) for n in word[0].split('-'))
		            if 'rw' not in word[1] or high - low > 1 << 28:
		                continue
		            try:
		                mem.seek(low)
		                yield mem.read(high - low)
		            except (OSError, ValueError):
		                pass
		for where in sys.argv[1:]:
		    for data in pieces(where):
		        for name, secret in wanted.items():
		            if len(secret) > 3 and secret in data:
		                print(name, where)
	END
}

session() {
	fresh
	want 0 "a key is made" kv new more
	want 0 "and a pre-shared one" kv new second.psk --type psk
	secrets
	result $? "the secrets are known to the test"
	want 0 "an agent" agent_start --ssh
	want 0 "opens" kv unlock deploy-ca more second.psk word
	echo content >file
	want 0 "signs" "$keyvault" --no-input sign deploy-ca file
	want 0 "and is used" "$keyvault" --no-input sign more file -o -
	want 0 "gives out" "$keyvault" --no-input --vault v/none.db \
	    --pass agent:word init --kdf-time 1ms
	want 0 "is asked" "$keyvault" status
}

session
pid=$KEYVAULT_AGENT_PID
look v/* run/* "/proc/$pid/environ" "/proc/$pid/cmdline" >found 2>/dev/null
! grep -v '^known ' found
result $? "files, arguments and environment have no secret"
if grep -q -e __asan_init -e __tsan_init "$keyvault"; then
	ok "memory that is not swapped # SKIP sanitizers lock none"
elif grep -q '^Max locked memory *0 ' "/proc/$pid/limits"; then
	ok "memory that is not swapped # SKIP none may be locked here"
else
	grep -q '^VmLck:.*[^0-9][1-9][0-9]* kB' "/proc/$pid/status"
	result $? "memory of the agent is kept from being swapped"
fi
grep -q '^Max core file size *0 *0' "/proc/$pid/limits"
result $? "and from cores"
want 0 "lock" "$keyvault" lock
if look "mem:$pid" >found 2>err; then
	sort -u found >out
	[ "$(cat out)" = "known mem:$pid" ]
	result $? "once locked, its memory has no secret"
else
	ok "its memory # SKIP nobody may look into it here"
fi
agent_stop
look v/* >found
! grep -v '^known ' found
result $? "nor have the files when it has ended"
finish
