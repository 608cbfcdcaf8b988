#!/bin/sh
# keyvault as its users meet it: made, listed, changed, looked after.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

make_one() {
	want 7 "init does not ask where nobody answers" "$keyvault" \
	    --vault "$tmp/home/vault.db" init
	has err 'give --pass file:PATH' "and says what to do"
	absent "nothing was made" home/vault.db
	want 0 "init" "$keyvault" --vault "$tmp/home/vault.db" \
	    --pass file:pass init --kdf-time 1ms
	has err 'unlocking takes about .* s and 64 MiB' "tells what unlocking costs"
	for time in 100 100s 61s; do
		want 2 "a passphrase that takes $time" "$keyvault" --vault \
		    home/long.db --pass file:pass init --kdf-time $time
		has err "\"$time\" is ${time%s} s, which is not from 1 ms to 60 s\$" \
		    "is refused with what was understood"
	done
	want 2 "or none" "$keyvault" --vault home/long.db --pass file:pass \
	    init --kdf-time 0
	absent "nothing was made" home/long.db
	mode home 700
	mode home/vault.db 600
	want 9 "not a second time" "$keyvault" --vault home/vault.db \
	    --pass file:pass init
	want 8 "there is none elsewhere" "$keyvault" --vault v/none.db ls
	has err 'try: keyvault init' "advises init"
	for verb in 'rename a b' 'rm a' 'note a b' 'tag a b' 'new a' \
	    'export a'; do
		# shellcheck disable=SC2086 # words
		want 8 "nor for $verb" "$keyvault" --vault v/none.db $verb
	done
	want 2 "a passphrase as a word is refused" "$keyvault" \
	    --pass pass:secret ls
	has err 'visible' "and why"
}

listed() {
	fresh
	want 0 "ls while it is locked" "$keyvault" ls
	has out '^deploy-ca  ed25519  SHA256:' "has a fingerprint in it"
	has out 'lab.psk    psk      id ' "has an id of a PSK"
	want 0 "show" "$keyvault" show deploy-ca
	has out '^tags *ca,paper$' "shows tags"
	want 0 "ls --plain" "$keyvault" --plain ls
	[ "$(cut -f1 out | tr '\n' ' ')" = 'deploy-ca lab.psk word ' ]
	result $? "is for scripts"
	want 0 "ls --json" "$keyvault" --json ls
	has out '"name":"word","type":"secret"' "is JSON"
	want 8 "show what is not there" "$keyvault" show nobody
	has err 'nobody: no such key in ' "names it"
	want 0 "status" "$keyvault" status
	has out 'weak, see keyvault passwd' "tells of too little work"
	fresh v1-hidden.db
	want 7 "hidden names need the passphrase" "$keyvault" --no-input ls
	want 0 "and are shown with it" kv ls
	has out '^deploy-ca' "all of them"
}

# prompted PATTERN VERB...: what the passphrase was asked for with.
prompted() {
	said=$1
	shift
	rm -f asked
	RPCKIT_ASKPASS=$tmp/askpass "$keyvault" --pass askpass "$@" \
	    >out 2>err </dev/null
	grep -q "^Passphrase for vault $KEYVAULT_DB$said:\$" asked
	result $? "the prompt of $1 names what it is for"
}

prompts() {
	fresh
	printf '#!/bin/sh\necho "$1" >%s/asked\ncat %s/pass\n' "$tmp" "$tmp" \
	    >askpass
	chmod 700 askpass
	prompted ' (key deploy-ca)' export deploy-ca --plain-key
	prompted ' (key odd\\x1b)' rm "$(printf 'odd\033')"
	prompted '' check
}

changed() {
	fresh
	want 7 "a wrong passphrase" "$keyvault" --pass file:wrong rm word
	has err 'vault.db: wrong passphrase$' "is called that"
	want 0 "new" kv new node --note 'a node' --expires 2035-11-02
	want 9 "not twice" kv new node
	want 2 "no such day" kv new other --expires 2035-02-30
	want 2 "no such name" kv new -- -x
	want 2 "nor one that hides" kv new "$(printf 'a\033[2Jb')"
	want 0 "rename" kv rename node "o'neil; --"
	want 0 "tag" kv tag "o'neil; --" a b
	want 0 "note" kv note "o'neil; --" 'moved'
	want 0 "show it" "$keyvault" show "o'neil; --"
	has out '^tags *a,b$' "its tags"
	has out '^note *moved$' "its note"
	has out '^expires *2035-11-02T23:59:59Z$' "its end"
	want 0 "rm" kv rm "o'neil; --"
	want 8 "rm again" kv rm "o'neil; --"
	want 0 "log" "$keyvault" --plain log
	[ "$(cut -f3 out | tail -n 5 | tr '\n' ' ')" = \
	    'new rename tag note rm ' ]
	result $? "has it all"
	want 0 "new --ack" sh -c \
	    "printf 'k1\nk2\nk3\n' | '$keyvault' --pass file:pass new --ack -"
	[ "$(cat out)" = "$(printf 'ok k1\nok k2\nok k3')" ]
	result $? "tells of each"
	for line in 'k4\0x' "$(printf 'k%0200d' 0)" ''; do
		want 2 "new --ack of what is no name" sh -c \
		    "printf '$line\nk5\n' | '$keyvault' --pass file:pass new --ack -"
		[ ! -s out ]
		result $? "tells of none"
	done
	want 2 "--ack wants -" kv new --ack name
	want 0 "check" kv check
	has out '^ok .*vault.db  6 records' "counts"
	for name in word lab.psk k1 k2 k3; do
		kv rm "$name" || break
	done
	want 0 "check" kv check
	has out '^ok .*vault.db  1 record, ' "counts one"
}

# too_large BYTES COMMAND...: where no file can have so many.
too_large() (
	ulimit -f $(($1 / 512))
	shift
	"$@"
)

cared_for() {
	fresh
	want 0 "backup" "$keyvault" backup copy
	mode copy 600
	want 9 "not over a file" "$keyvault" backup copy
	want 0 "new after it" kv new later
	want 0 "rm" kv rm word
	want 0 "restore -n" kv restore -n copy --file-pass file:pass
	has out '^3 records in the copy: 1 more than now, 0 others, and 1 of' \
	    "tells the differences"
	want 0 "for programs" kv --json restore -n copy --file-pass file:pass
	has out '^{"schema":1,"records":3,"more":1,"others":0,"not_in_it":1}$' \
	    "in their form"
	want 0 "restore" kv restore copy --file-pass file:pass
	want 0 "the old one is back" "$keyvault" show word
	want 8 "the later one is not" "$keyvault" show later
	want 0 "check" kv check
	want 0 "for programs" kv --json check
	has out '"well":true,"records":3,"generation":' "in their form"
	find v -name 'vault.db.before-*' | grep -q .
	result $? "what was there is kept"
	cp v/vault.db older
	want 0 "new" kv new newer
	cp older v/vault.db
	want 0 "an older copy in its place" kv check
	has err 'older than what was here before: generation 6, and it was 7' \
	    "is noticed"
	for key in n1 n2 n3; do
		kv new "$key" 2>/dev/null || break
	done
	want 0 "also when it was written since" kv check
	has err 'does not go on from what was here before, at generation 7' \
	    "is noticed"
	want 0 "restored it is" kv restore older --file-pass file:pass
	want 0 "check" kv check
	[ ! -s err ]
	result $? "what was meant"
	want 0 "a larger one" sh -c "seq -f big%g 20 |
	    '$keyvault' --pass file:pass new --ack --note $(printf %0900d 0) -"
	want 0 "backup" "$keyvault" backup larger
	mv older smaller
	want 0 "the smaller one again" kv restore smaller --file-pass file:pass
	want 1 "the larger one, of which the log can take no note" \
	    too_large $(($(wc -c <larger) / 4096 * 4120 + 1024)) kv restore \
	    larger --file-pass file:pass
	want 0 "is there" "$keyvault" show big20
	want 0 "check" kv check
	[ ! -s err ]
	result $? "and was meant as well"
	want 0 "passwd" kv passwd --new-pass file:fpass --kdf-time 1ms
	has err 'unlocking takes about .* s and 64 MiB' "tells what that costs"
	want 7 "the old passphrase" kv check
	want 0 "rekey" "$keyvault" --pass file:fpass rekey --kdf-time 1ms
	has err 'unlocking takes about .* s and 64 MiB' "tells what that costs"
	want 0 "check after it" "$keyvault" --pass file:fpass check
	want 0 "status" "$keyvault" status
	has out 'under key 2$' "counts keys"
	fresh
	want 0 "restore where nothing is" kv --vault new/vault.db restore copy \
	    --file-pass file:pass
	mode new 700
}

# What was not put back was not meant: another copy in its place is noticed,
# also one that goes on from what was to be put back.
failed_restoring() {
	fresh
	find . -name 'vault-*.seen' -delete
	want 0 "backup" "$keyvault" backup early
	want 0 "new after it" kv new n1
	cp v/vault.db between
	want 0 "and more" kv new n2
	want 0 "check" kv check
	python3 - <<-'EOF' &
		import os, sqlite3, time
		db = sqlite3.connect("v/vault.db", isolation_level=None)
		db.execute("BEGIN IMMEDIATE")
		open("held", "w").close()
		for _ in range(6000):
		    if os.path.exists("over"):
		        break
		    time.sleep(0.01)
		db.execute("ROLLBACK")
		db.close()
	EOF
	holder=$!
	until_ok test -e held
	want 10 "restore, while another writes" kv restore early \
	    --file-pass file:pass
	: >over
	wait $holder
	rm -f v/vault.db-wal v/vault.db-shm
	cp between v/vault.db
	want 0 "a copy put in its place" kv check
	has err 'older than what was here before' "is noticed"
	want 0 "restore" kv restore early --file-pass file:pass
	want 0 "check" kv check
	[ ! -s err ]
	result $? "that was meant"
}

is_refused() {
	fresh
	chmod 755 v
	want 1 "a folder open to others" "$keyvault" ls
	has err 'chmod 700 .*, or take one that is for it alone$' \
	    "and what to do, which is not to close /tmp"
	chmod 700 v
	sed -i 's/ca,paper/ca,piper/' v/vault.db
	want 10 "a damaged vault" kv export word --plain-key
	has err 'is damaged' "is called that"
	fresh
	rm -f v/vault.db
	want 8 "a vault that is gone" "$keyvault" ls
	echo 'no vault' >v/vault.db
	chmod 600 v/vault.db
	want 10 "no vault" "$keyvault" ls
	has err 'is not a vault' "says so"
	want 2 "no verb" "$keyvault" frob
	want 0 "help" "$keyvault" help
	[ "$(wc -l <out)" -le 24 ]
	result $? "on one screen"
}

make_one
listed
prompts
changed
cared_for
failed_restoring
is_refused
finish
