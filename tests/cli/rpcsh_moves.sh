#!/bin/sh
# Commands, files and a load at a fixed rate, as they are typed in the shell and
# shown there, on a terminal of 80 by 24 (tests/golden/rpcsh_*).
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# With RPCKIT_GOLDEN_WRITE the screens are written anew.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"
# shellcheck source=tests/lib/shell.sh
. "$SRC_DIR/tests/lib/shell.sh"

ready='^lab .*> *$'

begins() {
	mkdir shared
	cat >moves.conf <<-END
		listen = tcp:127.0.0.1:0
		[method sorted]
		exec = /usr/bin/sort
		stream = yes
		[method fails]
		exec = /bin/sh -c 'printf "\\033[2Jred\\n"; echo no >&2; exit 3'
		stream = yes
		[method dies]
		exec = /bin/sh -c 'kill -KILL \$\$'
		stream = yes
		[files docs]
		root = $tmp/shared
		put = yes
		get = yes
		max-size = 10G
		min-free = 0
	END
	check 'a server' start 1 -f moves.conf --echo
	"$rpcsh" ctx add lab "server=$(url tcp)" --quiet
	term new-session -d -x 80 -y 24 -s t "env -i HOME=$tmp TMPDIR=$tmp \
	    TERM=screen-256color LC_ALL=C.UTF-8 PAGER= PATH=$PATH \
	    ASAN_OPTIONS=${ASAN_OPTIONS-} $rpcsh -c lab; echo LEFT-\$?; cat"
	shows "$ready" 'a prompt'
}

# It is there as it was typed.
once() {
	[ "$(screen | grep -cxF -e "$1")" -eq 1 ]
}

edited() {
	! cooked
}

commands() {
	fresh
	check 'a line is edited' until_ok edited
	keys -l 'exec sorted'
	keys Enter
	until_ok cooked
	keys -l two
	keys Enter
	keys -l one
	keys Enter
	until_ok once one
	keys C-d
	until_ok last_has "$ready"
	enter 'exec -n sorted' 'exec -n fails' 'exec -n dies' 'exec nothing'
	golden exec "$ready" 'commands, with input and without'
}

files() {
	printf 'first\n' >file
	printf 'changed\n' >other
	fresh
	enter 'put docs.put file' 'put docs.put file --as name' \
		'put docs.put other --as file' 'put docs.put none' \
		'get docs.get file --out back' 'get docs.get name' \
		'get docs.get name --out back' \
		'get docs.get nothing --out got'
	golden files "$ready" 'files, there and back'
	cmp -s back file && cmp -s shared/name file && cmp -s shared/file file &&
		[ ! -e got ]
	result $? 'as they were'
}

# Its figures are those of a moment.
no_progress() {
	sed 's/ *[0-9]*%  [0-9.]* [kMGT]*B\/s  [0-9: hmin]* left/  FIGURES/
		s/[0-9.]* [kMGT]*B\/s/RATE/g'
}

# Up to a server that is stopped, so that what stands there stays.
far() { # LINE FILE NAME TEXT
	truncate -s 8G "$2"
	fresh
	keys -l "$1"
	keys Enter
	until_ok on_screen '%  [0-9.]* [kMGT]*B/s  .* left'
	kill -STOP "$daemon"
	figures=no_progress
	golden "$3" 'FIGURES\|left' "$4"
	figures='cat'
	kill -CONT "$daemon"
	keys C-c
	until_ok last_has "$ready"
	rm -f "$2"
}

# Rows of a picture are as many as there were durations.
no_rate() {
	no_figures | sed 's/^ *N T [0-9].*/ROW/' | uniq
}

loaded() {
	fresh
	figures=no_rate
	enter 'bench echo a:=1 -n 30 --rate 1000 --conns 2'
	golden rate "$ready" 'a load at a fixed rate'
	figures='cat'
}

main() {
	begins
	commands
	files
	far 'get docs.get big --out here' shared/big getting 'how far a file is that comes'
	far 'put docs.put big' big putting 'and one that goes'
	loaded
	fresh
	keys C-d
	shows '^LEFT-0' 'the end'
	term kill-server
	stop >/dev/null
	result $? 'also of the server'
	plan
}

main
