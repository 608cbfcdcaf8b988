# shellcheck shell=sh
# For tests of rpctui: a terminal in tmux, its keys and what it shows; after
# rpcd.sh.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2120,SC2154,SC2317
rpctui=${BUILD_DIR:?}/bin/rpctui

term() {
	TMUX_TMPDIR=$tmp tmux -L t -f /dev/null "$@"
}

terminal() { # COLUMNS LINES
	term new-session -d -x "$1" -y "$2" -s t "env -i HOME=$tmp PS1='\$ ' \
	    TERM=screen-256color LC_ALL=C.UTF-8 PATH=$PATH ENV= sh"
	until_ok on_screen '^\$ *$'
}

no_terminal() {
	! term has-session -t t
}

screen() {
	term capture-pane -p -t t "$@"
}

on_screen() {
	screen | grep -q -e "$1"
}

not_on_screen() {
	! on_screen "$1"
}

keys() {
	term send-keys -t t "$@"
}

shows() { # PATTERN TEXT
	until_ok on_screen "$1"
	result $? "$2"
	screen >plain
}

hides() { # PATTERN TEXT
	until_ok not_on_screen "$1"
	result $? "$2"
}

# begin WORDS: the screen, from the shell.
begin() {
	mark=$((mark + 1))
	keys "clear; $1; echo END-$mark-\$?" Enter
	until_ok on_screen '? q\|quit *$'
	result $? "it begins: $2"
}

ends() { # STATUS TEXT
	until_ok on_screen "^END-$mark-$1"
	result $? "$2"
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
