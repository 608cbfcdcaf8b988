# Shared by the tests of keyvault: a folder, passphrases, a vault to begin with.
# shellcheck shell=sh
# Programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/selfy.sh
. "$SRC_DIR/tests/lib/selfy.sh"

keyvault=${selfy%/*}/keyvault
unset KEYVAULT_DB XDG_DATA_HOME
umask 022
mkdir v
chmod 700 v
KEYVAULT_DB=$tmp/v/vault.db
export KEYVAULT_DB
printf 'correct horse\n' >pass
printf 'of the file\n' >fpass
printf 'wrong\n' >wrong
chmod 600 pass fpass wrong

# Little work for its passphrase: made by the unit tests.
fresh() {
	rm -f v/*
	cp "$SRC_DIR/tests/golden/vault/${1:-v1.db}" v/vault.db
	chmod 600 v/vault.db
}

kv() {
	"$keyvault" --pass file:pass "$@"
}
