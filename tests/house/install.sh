#!/bin/sh
# install puts a tree that works wherever it is moved; uninstall takes all of
# it away; programs outside build against it.
set -eu
# shellcheck source=tests/house/tap.sh
. "$SRC_DIR/tests/house/tap.sh"
cd "$SRC_DIR"
build=${BUILD_DIR%/*}
stage=$TEST_TMP/stage
wide='-Wall -Wextra -Wpedantic -Werror'

do_make() { # destdir target variables...
	destdir=$1
	shift
	make -s BUILD="$build" MODE="${BUILD_DIR##*/}" DESTDIR="$destdir" "$@"
}

expect_file() { # mode path
	[ "$(stat -c %a "$stage$2")" = "$1" ] && [ -f "$stage$2" ]
}

expected_tree() {
	for name in bin/rpcsh bin/selfy bin/keyvault bin/rpctui sbin/rpcd; do
		expect_file 755 "/usr/local/$name" || return 1
	done
	for name in lib/librpckit.a lib/pkgconfig/rpckit.pc \
		lib/cmake/rpckit/rpckit-config.cmake \
		lib/cmake/rpckit/rpckit-config-version.cmake \
		include/rpckit/rpckit.h share/doc/rpckit/LICENSE \
		share/bash-completion/completions/rpcsh \
		share/zsh/site-functions/_selfy \
		share/fish/vendor_completions.d/rpcd.fish \
		share/zsh/site-functions/_rpctui share/man/man1/rpctui.1 \
		share/man/man1/keyvault.1 \
		lib/systemd/system/rpcd.service \
		lib/systemd/system/rpcd.socket \
		lib/systemd/system/rpcd-admin.socket \
		lib/sysusers.d/rpckit.conf \
		lib/tmpfiles.d/rpckit.conf; do
		expect_file 644 "/usr/local/$name" || return 1
	done
	expect_file 644 /etc/rpckit/rpcd.conf || return 1
	[ "$(readlink "$stage/usr/local/lib/librpckit.so")" = \
		"librpckit.so.$version" ] || return 1
	[ "$(readlink "$stage/usr/local/lib/librpckit.so.0")" = \
		"librpckit.so.$version" ]
}

# What needs QUIC is there when the programs have it, and only then.
quic_where_built() {
	pc=$stage/usr/local/lib/pkgconfig/rpckit.pc
	unit=$stage/usr/local/lib/systemd/system/rpcd-quic.socket
	case $("$stage/usr/local/sbin/rpcd" --version) in
	*' quic '*)
		grep -Eq '^Requires.private:.* libngtcp2( |$)' "$pc" &&
			[ -f "$unit" ]
		;;
	*) ! grep -q ngtcp2 "$pc" && [ ! -e "$unit" ] ;;
	esac
}

# Its pkg-config file, or that of its helper, would bring what only a static
# GnuTLS takes; not with every release of them, so this does not wait for one.
gnutls_is_shared() {
	grep '^Requires' "$stage/usr/local/lib/pkgconfig/rpckit.pc" |
		grep gnutls && return 1
	return 0
}

nothing_outside() {
	find "$stage" -mindepth 1 -maxdepth 1 ! -name usr ! -name etc |
		grep . && return 1
	find "$stage" -type d -perm /022 | grep . && return 1
	return 0
}

no_at_signs() {
	grep -rE '@[A-Z_]+@' "$stage/usr/local/lib/pkgconfig" \
		"$stage/usr/local/lib/cmake" "$stage/usr/local/lib/systemd" &&
		return 1
	return 0
}

conf_is_comments() {
	grep -v '^#' "$stage/etc/rpckit/rpcd.conf" | grep . && return 1
	return 0
}

# With every setting taken it is still right.
conf_is_right() {
	sed -nE 's/^#([a-z-]+ = .*|\[.*\])$/\1/p' \
		"$stage/etc/rpckit/rpcd.conf" >"$TEST_TMP/rpcd.conf"
	[ "$(wc -l <"$TEST_TMP/rpcd.conf")" -ge 25 ] || return 1
	"$stage/usr/local/sbin/rpcd" -T -f "$TEST_TMP/rpcd.conf"
}

completions_parse() {
	for name in "$stage"/usr/local/share/bash-completion/completions/*; do
		bash -n "$name" || return 1
		[ -s "$name" ] || return 1
	done
}

# Users' changes survive a second install and an uninstall.
conf_survives() {
	conf=$stage/etc/rpckit/rpcd.conf
	echo '# mine' >>"$conf"
	do_make "$stage" install || return 1
	tail -n 1 "$conf" | grep -qx '# mine' || return 1
	cmp "$conf.new" contrib/rpcd.conf || return 1
	cp contrib/rpcd.conf "$conf"
}

uninstall_all() {
	do_make "$stage" uninstall || return 1
	find "$stage" ! -type d | grep . && return 1
	find "$stage" -name 'rpckit*' | grep . && return 1
	return 0
}

# ---- programs outside ----

flags() { # --cflags or --libs...
	PKG_CONFIG_PATH=$moved/$libdir/pkgconfig pkg-config "$@" rpckit
}

run_outside() {
	[ "$("$TEST_TMP/outside")" = "outside $version" ]
}

shared() { # compiler language standard
	# shellcheck disable=SC2046,SC2086
	"$1" -x "$2" -std="$3" $wide $(flags --cflags) \
		tests/house/outside.c -o "$TEST_TMP/outside" \
		$(flags --libs) || return 1
	LD_LIBRARY_PATH=$moved/$libdir run_outside
}

static() { # compiler language standard
	# shellcheck disable=SC2046,SC2086
	"$1" -x "$2" -std="$3" $wide $(flags --cflags) \
		tests/house/outside.c -o "$TEST_TMP/outside" \
		$(flags --static --libs | sed 's/-lrpckit/-l:librpckit.a/') ||
		return 1
	readelf -d "$TEST_TMP/outside" | grep NEEDED | grep rpckit && return 1
	run_outside
}

six_ways() { # label
	for way in shared static; do
		t "$1 $way C99" "$way" "$gcc" c c99
		t "$1 $way C11" "$way" "$clang" c c11
		t "$1 $way C++17" "$way" "$clang++" c++ c++17
	done
}

cmake_build() {
	mkdir -p "$TEST_TMP/cmake"
	cp tests/house/outside.c "$TEST_TMP/cmake"
	cat >"$TEST_TMP/cmake/CMakeLists.txt" <<-'END'
		cmake_minimum_required(VERSION 3.18)
		project(outside C)
		find_package(rpckit 0.1 REQUIRED)
		add_executable(shared outside.c)
		target_link_libraries(shared RPCKIT::core)
		add_executable(static outside.c)
		target_link_libraries(static RPCKIT::core-static)
	END
	cmake -S "$TEST_TMP/cmake" -B "$TEST_TMP/cmake/out" \
		-DCMAKE_PREFIX_PATH="$moved" || return 1
	cmake --build "$TEST_TMP/cmake/out" || return 1
	for way in shared static; do
		cp "$TEST_TMP/cmake/out/$way" "$TEST_TMP/outside"
		run_outside || return 1
	done
}

version=$(sed -n 's/^#define RK_VERSION "\(.*\)"/\1/p' \
	libcore/include/rpckit/base.h)
gcc=$(first_of gcc cc)
clang=$(first_of clang-14 clang)
case $clang in
clang-14) ln -s "$(command -v clang++-14)" "$TEST_TMP/clang-14++" ;;
esac
PATH=$TEST_TMP:$PATH

t install do_make "$stage" install
t 'the tree' expected_tree
t 'what needs QUIC' quic_where_built
t 'GnuTLS is shared' gnutls_is_shared
t 'nothing outside' nothing_outside
t 'every name is filled in' no_at_signs
t 'the example configuration is all comments' conf_is_comments
t 'and right when all of it is taken' conf_is_right
t 'completions for bash parse' completions_parse
t 'a changed configuration stays' conf_survives

libdir=lib
moved=$TEST_TMP/moved
cp -a "$stage/usr/local" "$moved"
six_ways moved
if command -v cmake >/dev/null 2>&1; then
	t CMake cmake_build
fi
t uninstall uninstall_all

# As a distribution would: another prefix, libraries by architecture.
libdir=lib/some-arch
rm -rf "$moved" "$stage"
set -- PREFIX=/usr LIBDIR="/usr/$libdir" SYSTEMDUNITDIR= SYSUSERSDIR= \
	TMPFILESDIR= SYSCONFDIR=
t 'install by architecture' do_make "$stage" install "$@"
t 'no units when told so' test ! -e "$stage/usr/lib/systemd"
cp -a "$stage/usr" "$moved"
t 'by architecture shared' shared "$gcc" c c99
t 'by architecture static' static "$gcc" c c99
t 'uninstall by architecture' do_make "$stage" uninstall "$@"
t 'nothing left' test -z "$(find "$stage" ! -type d)"
plan
