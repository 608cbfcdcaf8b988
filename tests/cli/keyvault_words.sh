#!/bin/sh
# What keyvault says when the commonest things go wrong, word by word, with the
# advice and the status: none of it is to be lost by a change elsewhere.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"
golden=$SRC_DIR/tests/golden/keyvault/errors.txt

# tell ARG...: appended to what was said.
tell() {
	"$keyvault" "$@" >/dev/null 2>err </dev/null
	status=$?
	{
		echo "\$ keyvault $*"
		cat err
		echo "status $status"
		echo
	} | sed "s,$tmp,TMP,g" >>said
}

: >said
fresh
tell --vault none/vault.db ls
tell --pass file:wrong export word --plain-key
tell --no-input export word --plain-key
tell export word --plain-key
tell --pass pass:secret check
tell show nobody
tell --pass file:pass new word
tell --pass file:pass sign word pass
tell --pass file:pass export lab.psk
tell unlock
tell sing word
tell new
chmod 644 pass
tell --pass file:pass check
chmod 600 pass
chmod 755 v
tell ls
chmod 700 v
chmod 644 v/vault.db
tell ls
chmod 600 v/vault.db
dd if=/dev/zero of=v/vault.db bs=1 seek=100 count=400 conv=notrunc 2>/dev/null
tell --pass file:pass check
echo 'no vault' >v/vault.db
tell ls
[ -z "${RPCKIT_GOLDEN_WRITE:-}" ] || cp said "$golden"
diff "$golden" said >out 2>err
result $? "what is said is what was said before"
finish
