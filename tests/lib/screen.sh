# shellcheck shell=sh
# For tests of rpctui on a terminal; after rpcd.sh.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2120,SC2154,SC2317
# shellcheck source=tests/lib/term.sh
. "${SRC_DIR:?}/tests/lib/term.sh"
rpctui=${BUILD_DIR:?}/bin/rpctui

terminal() { # COLUMNS LINES
	prompt "$1" "$2"
}

no_terminal() {
	! term has-session -t t
}

not_on_screen() {
	! on_screen "$1"
}

hides() { # PATTERN TEXT
	until_ok not_on_screen "$1"
	result $? "$2"
}

# A key that is not held is pressed after a while, and again on a machine that
# was too busy to see that.
pressed() { # KEY PATTERN
	sleep 1.5
	keys "$1"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		! on_screen "$2" || return 0
		sleep 0.1
	done
	return 1
}

# once_more KEY PATTERN TEXT: the letter that has asked is what decides.
once_more() {
	until_ok pressed "$1" "$2"
	result $? "$3"
	screen >plain
}

# begin WORDS: the screen, from the shell.
begin() {
	mark=$((mark + 1))
	keys "clear; $1; echo END-$mark-\$?" Enter
	until_ok on_screen '? q\|quit *$'
	result $? "it begins: $2"
}

# Is it what a screen of ours is, to the last line?
is_whole() { # LINES
	[ "$(screen | wc -l)" -eq "$1" ] &&
		screen | head -n 1 | grep -q 'rpcd' &&
		screen | tail -n 1 | grep -q '? *\(help *\)\?q'
}

whole() { # LINES TEXT
	until_ok is_whole "$1"
	result $? "$2"
}

# tui.conf: who comes is asked about, for a long time.
asks_conf() {
	install -m 600 /dev/null known
	cat >tui.conf <<-END
		listen = tls:127.0.0.1:0
		admin = $tmp/admin
		known-clients = known
		trust = ask
		trust-wait = 10m
	END
}

# rpctui, its terminal and the daemon.
all_end() {
	keys q
	ends 0 'quit'
	term kill-server
	stop >/dev/null
	result $? 'rpcd stops with 0'
}
