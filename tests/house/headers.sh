#!/bin/sh
# Every public header compiles alone, twice in a row, without macros of ours.
set -eu
# shellcheck source=tests/house/tap.sh
. "$SRC_DIR/tests/house/tap.sh"
include=$SRC_DIR/libcore/include
warn='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror'
gcc=$(first_of gcc cc)
clang=$(first_of clang-14 clang)

compile() { # compiler language standard header
	printf '#include <rpckit/%s>\n#include <rpckit/%s>\n' "$4" "$4" \
		>"$TEST_TMP/try"
	# shellcheck disable=SC2086
	"$1" -x "$2" -std="$3" $warn -I"$include" -fsyntax-only "$TEST_TMP/try"
}

for header in "$include"/rpckit/*.h; do
	name=${header##*/}
	t "$name C99 $gcc" compile "$gcc" c c99 "$name"
	t "$name C17 $clang" compile "$clang" c c17 "$name"
	t "$name C++11 $clang" compile "$clang" c++ c++11 "$name"
	t "$name C++17 $clang" compile "$clang" c++ c++17 "$name"
done
plan
