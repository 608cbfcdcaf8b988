# shellcheck shell=sh
# For tests on a terminal: one in tmux, its keys and what it shows; after
# rpcd.sh.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2120,SC2154,SC2317

# Another server of tmux is another $terminal.
term() {
	TMUX_TMPDIR=$tmp tmux -L "${terminal:-t}" -f /dev/null "$@"
}

# prompt COLUMNS LINES [NAME=VALUE...]: a terminal with a shell.
prompt() {
	columns=$1
	lines=$2
	shift 2
	term new-session -d -x "$columns" -y "$lines" -s t "env -i HOME=$tmp \
	    PS1='\$ ' TERM=screen-256color LC_ALL=C.UTF-8 PATH=$PATH ENV= $* sh"
	until_ok on_screen '^\$ *$'
}

screen() {
	term capture-pane -p -t t "$@"
}

on_screen() {
	screen | grep -q -e "$1"
}

keys() {
	term send-keys -t t "$@"
}

type_line() { # TEXT: with nothing before it on the screen
	keys C-l
	keys -l "$1"
	keys Enter
}

shows() { # PATTERN TEXT
	until_ok on_screen "$1"
	shown=$?
	screen >plain
	[ "$shown" -eq 0 ] || sed 's/^/# /' plain
	result "$shown" "$2"
}

# line TEXT PATTERN WHAT: type a line; its answer has the pattern.
line() {
	type_line "$1"
	shows "$2" "$3"
}

ends() { # STATUS TEXT: of a command that said its end
	until_ok on_screen "^END-$mark-$1"
	result $? "$2"
	screen >plain
}

# Lines are the terminal's: who edits them itself has let go of it, and what is
# typed now is the command's.
cooked() {
	stty -a -F "$(term display-message -p -t t '#{pane_tty}')" |
		grep -q ' icanon'
}
