#!/bin/sh
# What the shared library exports, imports and how it is linked.
set -eu
# shellcheck source=tests/house/tap.sh
. "$SRC_DIR/tests/house/tap.sh"
so=$BUILD_DIR/lib/librpckit.so
archive=$BUILD_DIR/lib/librpckit.a

# A library that ends its process or speaks by itself imports one of these.
# assert() needs __assert_fail; nothing else that aborts is allowed.
banned='_exit|_Exit|exit|quick_exit|abort|raise|system|popen
|printf|vprintf|fprintf|vfprintf|dprintf|vdprintf|puts|putchar|fputs|fputc
|putc|fwrite|perror|psignal|syslog|vsyslog|stdout|stderr|err|errx|verr|verrx
|warn|warnx|vwarn|vwarnx|error|strcpy|strcat|sprintf|vsprintf|gets|strncpy
|strncat|strtok|atoi|atol|sscanf|rand|srand|tmpnam|mktemp'
banned=$(echo "$banned" | tr -d '\n')

defined() {
	nm -D --defined-only "$1" | awk '{ print $3 }' | grep -v '^RPCKIT_'
}

only_ours() {
	defined "$so" | grep -v '^rk_' && return 1
	[ "$(defined "$so" | wc -l)" -ge 50 ]
}

versioned() {
	defined "$so" | grep -v '@@RPCKIT_' && return 1
	return 0
}

archive_only_ours() {
	nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' |
		grep -v '^rk_' && return 1
	return 0
}

# The fortified forms end in _chk.
no_banned() {
	nm -D --undefined-only "$so" | awk '{ print $2 }' | sed 's/@.*//' |
		grep -Ex "(__)?(isoc99_)?($banned)(_chk)?" && return 1
	return 0
}

# Every function that a public header promises.
complete() {
	cat "$SRC_DIR"/libcore/include/rpckit/*.h | tr '\n\t' '  ' |
		sed 's|/\*[^*]*\*\(\*\|[^/*][^*]*\*\)*/||g' |
		grep -oE 'RK_API [^;]*;' | grep -oE '\brk_[a-z0-9_]+\(' |
		sort -u | tr -d '(' >"$TEST_TMP/promised"
	defined "$so" | sed 's/@.*//' | sort -u >"$TEST_TMP/kept"
	comm -3 "$TEST_TMP/promised" "$TEST_TMP/kept" >"$TEST_TMP/differ"
	cat "$TEST_TMP/differ"
	[ ! -s "$TEST_TMP/differ" ]
}

# libresolv is libc's own.
ours='libssl|libcrypto|libsodium|libargon2|libsqlite3|libresolv|libc'
quics='libngtcp2|libngtcp2_crypto_gnutls|libgnutls|libngtcp2_crypto_ossl'

# Printed: what it needs besides these.
beyond() { # file names
	readelf -dW "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
		grep -Ev "^($2)\.so" && return 1
	return 0
}

# Whatever else a program that links us would get.
needs() {
	beyond "$so" "$ours|$quics"
}

soname() {
	readelf -dW "$so" | grep -F 'soname: [librpckit.so.0]'
}

hardened() { # file
	readelf -dW "$1" | grep -qE 'FLAGS.*NOW' || return 1
	readelf -lW "$1" | grep -q GNU_RELRO || return 1
	readelf -lW "$1" | grep GNU_STACK | grep -q ' RW ' || return 1
	readelf -hW "$1" | grep -q 'Type: *DYN'
}

# A program links what it uses: no test library, one for screens or lines only
# where there are some, and QUIC's only where there are connections.  keyvault
# loads OpenSSL itself, when there are key files.
program_needs() {
	case $1 in
	keyvault) beyond "$BUILD_DIR/bin/$1" \
		'libsodium|libargon2|libsqlite3|libc' ;;
	selfy) beyond "$BUILD_DIR/bin/$1" "$ours|libjansson" ;;
	rpctui) beyond "$BUILD_DIR/bin/$1" \
		"$ours|libjansson|libncursesw|libtinfo|libqrencode|$quics" ;;
	rpcsh) beyond "$BUILD_DIR/bin/$1" \
		"$ours|libjansson|libedit|libqrencode|$quics" ;;
	*) beyond "$BUILD_DIR/bin/$1" "$ours|libjansson|$quics" ;;
	esac
}

t 'exports only rk_ names' only_ours
t 'every name has a version' versioned
t 'the archive shows only rk_ names' archive_only_ours
t 'headers and exports agree' complete
t 'never ends the process, never prints' no_banned
t 'needs only its libraries' needs
t 'soname' soname
t 'library is hardened' hardened "$so"
for program in "$BUILD_DIR"/bin/*; do
	name=${program##*/}
	t "$name is hardened" hardened "$program"
	t "$name needs only its libraries" program_needs "$name"
done
plan
