#!/bin/sh
# What the documents name is there: files, links, headers, other pages.
set -eu
# shellcheck source=tests/house/tap.sh
. "$SRC_DIR/tests/house/tap.sh"
cd "$SRC_DIR"

# `net/conn` is libcore/net/conn.c or .h, `rpcd/live` is rpcd/live.c; a name
# with * in it stands for some.
is_there() { # name
	for path in "libcore/$1" "$1"; do
		for end in '' .c .h; do
			# shellcheck disable=SC2086
			(set +f && ls -d $path$end) >/dev/null 2>&1 && return 0
		done
	done
	return 1
}

# What is in capitals stands for a name of the reader's.
places='base|trust|net|rpc|cli|libcore|rpcd|rpcsh|selfy|keyvault|tui|tests|bench|scripts'
places="$places|man|contrib|docs|examples"
names_files() { # document
	bad=0
	set -f
	for name in $(grep -oE '`('"$places"')/[A-Za-z0-9_./*-]*`' "$1" |
		tr -d '`' | grep -v '[A-Z]' | sort -u); do
		is_there "$name" || {
			echo "$1: no $name"
			bad=1
		}
	done
	set +f
	return $bad
}

links() { # document
	bad=0
	for to in $(grep -oE '\]\([^):]*\)' "$1" | sed 's/^](//; s/)$//'); do
		[ -e "$(dirname "$1")/$to" ] || {
			echo "$1: no $to"
			bad=1
		}
	done
	return $bad
}

# Pages of ours are named with their section.
refers() { # page
	bad=0
	for ours in man/*.[1-8]; do
		base=${ours##*/}
		grep -nE "^\.Xr ${base%.*}( |\$)" "$1" |
			grep -vE "Xr ${base%.*} ${base##*.}( |\$)" && bad=1
	done
	grep -oE '^\.Xr (rp|self|lib)[a-z.-]+ [1-8]' "$1" | sort -u |
		while read -r _ name section; do
			[ -e "man/$name.$section" ] || echo "no $name.$section"
		done | grep . && bad=1
	return $bad
}

# The functions that a page names are in a header.
functions() { # page
	bad=0
	for name in $(grep -oE '^\.Fn rk_[a-z0-9_]+' "$1" | cut -c5- |
		sort -u); do
		grep -qw "$name" libcore/include/rpckit/*.h || {
			echo "$1: no $name"
			bad=1
		}
	done
	return $bad
}

in_the_manual() { # header
	grep -qx "\.It In rpckit/$1" man/librpckit.3
}

in_the_whole() { # header
	grep -qx "#include <rpckit/$1>" libcore/include/rpckit/rpckit.h
}

# Each source, or the one that it is a part of, is in the architecture.
explained() {
	bad=0
	for file in libcore/*/*.c rpcd/*.c rpcsh/*.c selfy/*.c keyvault/*.c \
	    tui/*.c; do
		name=$(basename "$file" .c)
		until grep -qE "[\`/]$name\*?\`" docs/architecture.md; do
			case $name in
			*_*) name=${name%_*} ;;
			*)
				echo "no word about $file"
				bad=1
				break
				;;
			esac
		done
	done
	return $bad
}

for document in README.md docs/*.md; do
	t "$document names files that are there" names_files "$document"
	t "$document links to what is there" links "$document"
done
t 'every source is explained' explained
for page in man/*.[1-8]; do
	t "${page##*/} refers to pages that are there" refers "$page"
	t "${page##*/} names functions that are there" functions "$page"
done
for header in libcore/include/rpckit/*.h; do
	name=${header##*/}
	t "$name is in the manual" in_the_manual "$name"
	[ "$name" = rpckit.h ] ||
		t "rpckit.h includes $name" in_the_whole "$name"
done
plan
