#!/bin/sh
# What somebody put in place of a vault, or beside it: never followed, waited
# for, or believed.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# shellcheck disable=SC2119
set -u
# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

# refused WHAT WORDS: reading and writing, with these words, at once.
refused() {
	for verb in ls 'new more'; do
		# shellcheck disable=SC2086 # a verb and its operand
		want 1 "$1: $verb" timeout 60 "$keyvault" --pass file:pass $verb
		has err "$2" "says why"
	done
}

beside() {
	for end in wal shm journal; do
		file=v/vault.db-$end
		fresh
		echo keep >target
		ln -s "$tmp/target" "$file"
		refused "a link as -$end" 'not a regular file with one name'
		[ "$(cat target)" = keep ]
		result $? "and is not written through"
		fresh
		mkfifo "$file"
		refused "a pipe as -$end" 'not a regular file with one name'
		fresh
		head -c 9000 /dev/zero >"$file"
		chmod 666 "$file"
		refused "-$end open to all" 'chmod 600'
		# A crash may leave anything of one's own: it is not of this vault.
		fresh
		head -c 70000 "$SRC_DIR/LICENSE" /dev/zero 2>/dev/null |
			head -c 70000 >"$file"
		chmod 600 "$file"
		want 0 "garbage as -$end" timeout 60 "$keyvault" --plain ls
		[ "$(cut -f1 out | tr '\n' ' ')" = 'deploy-ca lab.psk word ' ]
		result $? "changes nothing"
		want 0 "and it is written to" kv new more
		want 0 "and whole" kv check
	done
}

# A part of another vault's log, which is a good one.
foreign_log() {
	mkdir -m 700 other
	cp "$SRC_DIR/tests/golden/vault/v1-hidden.db" other/vault.db
	chmod 600 other/vault.db
	python3 - other/vault.db v/vault.db-wal <<-'END'
		import shutil, sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute('PRAGMA journal_mode = WAL')
		db.execute('PRAGMA wal_autocheckpoint = 0')
		db.execute('UPDATE head SET created = created + 1')
		db.commit()
		shutil.copy(sys.argv[1] + '-wal', sys.argv[2] + '.new')
	END
	fresh_with_log
	# SQLite reads it, for its sums are right; the vault's own are not.
	want 10 "another vault's log" timeout 60 "$keyvault" --pass file:pass check
	has err 'is damaged' "is called damage"
}

fresh_with_log() {
	mv v/vault.db-wal.new log
	fresh
	cp log v/vault.db-wal
	chmod 600 v/vault.db-wal
}

others() {
	if [ "$(id -u)" -ne 0 ]; then
		ok "other users and devices # SKIP only root makes them"
		return
	fi
	fresh
	chown nobody v/vault.db
	refused "another user's vault" 'belongs to another user'
	for end in wal shm journal; do
		fresh
		: >"v/vault.db-$end"
		chmod 600 "v/vault.db-$end"
		chown nobody "v/vault.db-$end"
		refused "another user's -$end" 'belongs to another user'
	done
	rm -f v/*
	if mknod v/vault.db c 1 5 2>/dev/null; then
		chmod 600 v/vault.db
		refused "a device" 'not a regular file'
	else
		ok "a device # SKIP none can be made here"
	fi
}

beside
foreign_log
others
finish
