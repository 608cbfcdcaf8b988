#!/bin/sh
# A vault on a medium that nothing can be written to, or on a full disk: what only
# reads works, all else is refused in words, and what lies beside it is not
# overlooked.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

echo content >file

# on_ro COMMAND...: where nothing of v can be written; a mount is seen by this
# command alone.
on_ro() {
	# shellcheck disable=SC2016 # of the inner shell
	unshare -m sh -c 'mount --bind v v && mount -o remount,bind,ro v &&
		exec "$@"' sh "$@"
}

# What a killed process had acknowledged is in a log beside the vault: a reader
# that overlooked it would show less than there is.
killed_writer() {
	fresh
	rm -f names
	mkfifo names
	"$keyvault" --pass file:pass new --ack - <names >acks 2>/dev/null &
	writer=$!
	exec 7>names
	echo late >&7
	until_ok grep -q '^ok late' acks
	kill -9 $writer
	wait $writer 2>/dev/null
	exec 7>&-
	[ -s v/vault.db-wal ]
	result $? "a log beside it"
}

# In a folder that its owner may not write, root not either.
in_shut() {
	chmod 500 v
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --inh-caps=-all \
		    --bounding-set=-dac_override,-dac_read_search "$@"
	else
		"$@"
	fi
	shut_status=$?
	chmod 700 v
	return $shut_status
}

shut() {
	fresh
	if ! in_shut sh -c '! touch v/probe' 2>/dev/null; then
		rm -f v/probe
		ok 'a folder that cannot be written # SKIP it always can'
		return
	fi
	want 0 "ls in a folder that cannot be written" in_shut \
	    "$keyvault" --plain ls
	[ "$(cut -f1 out | tr '\n' ' ')" = 'deploy-ca lab.psk word ' ]
	result $? "has all"
	want 0 "pub" in_shut "$keyvault" pub deploy-ca
	want 0 "status" in_shut "$keyvault" status
	want 0 "log" in_shut "$keyvault" log
	want 0 "check, with the passphrase" in_shut \
	    "$keyvault" --pass file:pass check
	for verb in 'sign deploy-ca file' 'new other' 'rm word'; do
		# shellcheck disable=SC2086 # words
		want 1 "$verb" in_shut "$keyvault" --pass file:pass $verb
		has err '/v/vault.db: cannot be ' "says why"
	done
	killed_writer
	rm -f v/vault.db-shm
	want 1 "ls, with a log beside it" in_shut "$keyvault" ls
	has err 'has a log beside it' "says so"
	want 0 "where it can be written" "$keyvault" --plain ls
	has out '^late	' "nothing is lost"
}

shut

# Only root can mount, and not everywhere.
if ! on_ro sh -c '! touch v/probe' 2>/dev/null; then
	ok 'a medium that cannot be written # SKIP nothing can be mounted here'
	finish
	exit
fi

says_why() {
	has err "^keyvault: $KEYVAULT_DB: is a copy, or on a read-only medium" \
	    "says why"
}

reads() {
	fresh
	before=$(cksum <v/vault.db)
	want 0 "ls" on_ro "$keyvault" --plain ls
	[ "$(cut -f1 out | tr '\n' ' ')" = 'deploy-ca lab.psk word ' ]
	result $? "has all"
	want 0 "show" on_ro "$keyvault" show deploy-ca
	want 0 "pub" on_ro "$keyvault" pub deploy-ca
	has out '^ssh-ed25519 ' "is the public half"
	want 0 "status" on_ro "$keyvault" status
	want 0 "log" on_ro "$keyvault" log
	want 0 "check, with the passphrase" on_ro "$keyvault" \
	    --pass file:pass check
	want 7 "a wrong one" on_ro "$keyvault" --pass file:wrong check
	want 0 "backup" on_ro "$keyvault" backup copy.db
	want 0 "which is one" "$keyvault" --vault copy.db --pass file:pass check
}

# A use of a key is one with a line in the log, or none.
writes() {
	for verb in 'sign deploy-ca file' 'export word --plain-key' 'new other' \
	    'note deploy-ca x' 'tag deploy-ca x' 'rename word other' 'rm word' \
	    'rekey --kdf-time 1ms' 'passwd --new-pass file:fpass'; do
		# shellcheck disable=SC2086 # words
		want 1 "$verb" on_ro "$keyvault" --pass file:pass $verb
		says_why
	done
	[ ! -e file.sig ] && [ "$(ls v)" = vault.db ] &&
		[ "$(cksum <v/vault.db)" = "$before" ]
	result $? "nothing was changed, and nothing left"
	want 0 "where it can be written" kv sign deploy-ca file
	want 0 "it works" "$keyvault" verify --key deploy-ca file file.sig
}

with_log() {
	killed_writer
	want 1 "ls" on_ro "$keyvault" ls
	has err 'has a log beside it, and cannot be written: put both where' \
	    "says what to do"
	want 0 "where it can be written" "$keyvault" --plain ls
	has out '^late	' "nothing is lost"
}

# on_full COMMAND...: where there is no room for what SQLite puts beside a vault.
on_full() {
	mkdir -p f
	# shellcheck disable=SC2016 # of the inner shell
	unshare -m sh -c 'mount -t tmpfs -o size=512k,mode=700 none f &&
		mkdir -m 700 f/v && cp -p v/* f/v || exit 99
		cat /dev/zero >f/rest 2>/dev/null
		KEYVAULT_DB=$PWD/f/v/vault.db exec "$@"' sh "$@"
}

full() {
	fresh
	rm -f file.sig
	want 0 "ls on a full disk" on_full "$keyvault" --plain ls
	[ "$(cut -f1 out | tr '\n' ' ')" = 'deploy-ca lab.psk word ' ]
	result $? "has all"
	want 0 "show" on_full "$keyvault" show deploy-ca
	want 0 "status" on_full "$keyvault" status
	want 0 "check, with the passphrase" on_full "$keyvault" \
	    --pass file:pass check
	want 0 "backup to another" on_full "$keyvault" backup other.db
	for verb in 'sign deploy-ca file' 'export word --plain-key' 'new other' \
	    'note deploy-ca x' 'rekey --kdf-time 1ms'; do
		# shellcheck disable=SC2086 # words
		want 1 "$verb" on_full "$keyvault" --pass file:pass $verb
		has err '/f/v/vault.db: no space left on the disk' "says why"
	done
	killed_writer
	rm -f v/vault.db-shm
	want 1 "ls, with a log beside it" on_full "$keyvault" ls
	has err 'no space left on the disk.* has a log beside it' "says why"
}

reads
writes
with_log
full
finish
