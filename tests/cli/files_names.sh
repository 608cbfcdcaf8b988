#!/bin/sh
# Names of files that a stranger chooses: below the folder, or not at all.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2154,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/files.sh
. "$SRC_DIR/tests/lib/files.sh"

# ---- names ----

hostile() { # NAME WHY
	want 3 "put as \"$1\"" alice put docs.put second --as "$1"
	has err "$2" 'says why not'
	want 3 "get \"$1\"" alice get docs.get -H "file=$1" --out x
	has err "$2" 'says why not'
	absent x 'and makes nothing'
}

names() {
	echo outside >outside
	mkdir -p shared/sub
	ln -sf ../outside shared/link
	ln -sfn "$tmp" shared/up
	mkfifo shared/fifo
	cp outside shared/.hidden
	hostile ../outside 'hidden names are not served'
	hostile sub/../../outside 'hidden names'
	hostile "$tmp/outside" 'not relative'
	hostile . 'hidden names'
	hostile .hidden 'hidden names'
	hostile .rpckit-x 'hidden names'
	hostile sub//x 'empty part'
	hostile sub/ 'empty part'
	hostile '' 'empty'
	hostile "$(printf 'a\nb')" 'control character'
	hostile "$(printf 'a\302\23331m')" 'control character'
	hostile "$(printf 'a\377b')" 'not UTF-8'
	hostile "$(printf '%0300d' 0)" 'too long'
	hostile "$(printf '%01100d' 0)" 'too long'
	hostile up/outside 'not a plain file in a plain folder'
	hostile nowhere/x 'no such file or folder'
	want 3 'get a link' alice get docs.get link --out x
	has err 'not a plain file' 'says why not'
	want 3 'get a fifo' alice get docs.get fifo --out x
	has err 'not a plain file' 'says why not'
	want 3 'get a folder' alice get docs.get sub --out x
	has err 'not a plain file' 'says why not'
	want 3 'put to a link' alice put docs.put second --as link
	want 3 'put --force to a link' \
		alice put over.put second --as link --force
	has err 'not a plain file' 'says why not'
	[ "$(cat outside)" = outside ] && [ -L shared/link ]
	result $? 'what is outside is as it was'
	want 0 'put to a folder below' alice put docs.put second --as sub/it
	same second shared/sub/it 'is there'
	want 0 'and back' alice get docs.get sub/it --out it
	want 0 'a name in other letters' \
		alice put docs.put second --as 'grün 漢字.txt'
	same second 'shared/grün 漢字.txt' 'is there'
	rm -f shared/fifo
}

# A folder that becomes a link to elsewhere, again and again: never through it.
swapped() {
	mkdir -p shared/real elsewhere
	mkdir -p shared/swap
	python3 - <<-'END' &
		import os, time
		end = time.monotonic() + 20
		while time.monotonic() < end and not os.path.exists("swap.stop"):
		    os.rename("shared/swap", "shared/real2")
		    os.symlink("../elsewhere", "shared/swap")
		    os.unlink("shared/swap")
		    os.rename("shared/real2", "shared/swap")
	END
	swapper=$!
	echo secret >elsewhere/here
	leaked=0
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		alice put docs.put second --as "swap/f$i" >out 2>err </dev/null
		alice get docs.get swap/here --out "leak$i" \
			>out 2>err </dev/null && leaked=1
	done
	: >swap.stop
	wait $swapper
	[ $leaked = 0 ] && [ "$(ls elsewhere)" = here ]
	result $? 'nothing went through a link'
}

serve
names
swapped
stop
result $? 'the daemon ends well'
plan
