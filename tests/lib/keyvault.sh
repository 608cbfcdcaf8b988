# Shared by the tests of keyvault: a folder, passphrases, a vault to begin with.
# shellcheck shell=sh
# Programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/selfy.sh
. "$SRC_DIR/tests/lib/selfy.sh"
# shellcheck source=tests/lib/until.sh
. "$SRC_DIR/tests/lib/until.sh"

keyvault=${selfy%/*}/keyvault
unset KEYVAULT_DB KEYVAULT_SOCK SSH_AUTH_SOCK XDG_DATA_HOME XDG_RUNTIME_DIR
HOME=$tmp
export HOME
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

# agent_start ARG...: an agent whose variables are ours, ended with us.
agent_start() {
	"$keyvault" agent --socket "$tmp/run/a.sock" "$@" >vars 2>err ||
		return 1
	# shellcheck source=/dev/null
	. ./vars
	trap 'kill -9 "$KEYVAULT_AGENT_PID" 2>/dev/null; rm -rf "$tmp"' EXIT
}

# Also where nobody has taken note of it yet.
agent_gone() {
	! kill -0 "$KEYVAULT_AGENT_PID" 2>/dev/null ||
		grep -q '^State:.Z' "/proc/$KEYVAULT_AGENT_PID/status"
}

agent_stop() {
	kill "$KEYVAULT_AGENT_PID" 2>/dev/null
	until_ok agent_gone
}
