# Shared by the tests of selfy: a folder of its own, TAP, what files must be.
# shellcheck shell=sh
# Programs in $BUILD_DIR/bin, files below $TEST_TMP.
set -u

selfy=${BUILD_DIR:?}/bin/selfy
case $selfy in
/*) ;;
*) selfy=$PWD/$selfy ;;
esac
tmp=$(mktemp -d "${TEST_TMP:-/tmp}/selfy-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
cd "$tmp" || exit 1
# The worst case: nothing is taken from what files ask for.
umask 000
unset RPCKIT_CERTS RPCKIT_ASKPASS SSH_ASKPASS SSH_ASKPASS_REQUIRE
unset NO_COLOR CLICOLOR_FORCE FORCE_COLOR
LC_ALL=C
export LC_ALL
n=0
failed=0

ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}

not_ok() {
	n=$((n + 1))
	failed=1
	echo "not ok $n - $1"
	sed 's/^/# out: /' out 2>/dev/null
	sed 's/^/# err: /' err 2>/dev/null
}

# The result of the last command, a text.
result() {
	if [ "$1" -eq 0 ]; then ok "$2"; else not_ok "$2"; fi
}

# want STATUS TEXT COMMAND...: no terminal, no input, nothing a sanitizer says.
want() {
	status=$1
	text=$2
	shift 2
	"$@" </dev/null >out 2>err
	got=$?
	if grep -q -e Sanitizer -e 'runtime error' err; then
		not_ok "$text (sanitizer)"
	elif [ "$got" -eq "$status" ]; then
		ok "$text"
	else
		not_ok "$text (status $got, not $status)"
	fi
}

# has FILE PATTERN TEXT
has() {
	grep -q -e "$2" "$1"
	result $? "$3"
}

mode() {
	[ "$(stat -c %a "$1")" = "$2" ]
	result $? "$1 has mode $2"
}

# absent TEXT FILE...
absent() {
	text=$1
	shift
	for f in "$@"; do
		if [ -e "$f" ]; then
			not_ok "$text ($f is there)"
			return
		fi
	done
	ok "$text"
}

# The words of openssl about a certificate, in the file text.
words_of() {
	openssl x509 -in "$1" -noout -text >text 2>/dev/null
}

# The plan, and the status of the whole.
finish() {
	echo "1..$n"
	exit $failed
}
