# shellcheck shell=sh
# For tests of the shell on a terminal: its screens as they should be
# (tests/golden/rpcsh_*), and the server it talks to; after rpcd.sh and term.sh.
# With RPCKIT_GOLDEN_WRITE the screens are written anew.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2120,SC2154,SC2317

# Words of sed for what differs from run to run.
fleeting='s/127\.0\.0\.1:[0-9]*/127.0.0.1:PORT/g
	s/: [0-9]*\.[0-9]*\.[0-9]*,/: VERSION,/
	s/^[0-9][0-9]*\.[0-9] ms$/N ms/
	s/SHA256:....\( ....\)* ...$/SHA256:FINGERPRINT/
	s/SHA256:[A-Za-z0-9+/]*/SHA256:FINGERPRINT/g
	s/20[0-9][0-9]-[0-9][0-9]-[0-9][0-9][T0-9:]*Z*/TIME/g
	s/made [0-9]* [a-z]* ago/made N ago/
	s/last [0-9]* [a-z]* ago/last N s ago/
	s/^\(trace  .*seqno\) [0-9]*/\1 N/
	s/^\(trace  call_id\) [A-Za-z0-9_-]*$/\1 ID/'
# When all is plain again tmux before 3.5 says so of both colors, too.
esc=$(printf '\033')
fleeting="$fleeting
	s/$esc\[0m$esc\[39m$esc\[49m/$esc[0m/g"

# What stays for a moment is written: a prompt may come last.
rewrite() {
	taken
	cp screen still
	sleep 0.6
	taken
	cmp -s screen still && cp still "$file"
}

# golden NAME PATTERN TEXT: the screen becomes that of the file; a new file is
# written when it has the pattern.
golden() {
	file=$SRC_DIR/tests/golden/rpcsh_$1
	if [ -n "${RPCKIT_GOLDEN_WRITE-}" ]; then
		until_ok on_screen "$2"
		until_ok rewrite
	fi
	until_ok is_golden
	same=$?
	sed 's/^/# /' difference
	result $same "$3"
}

# The same when a screen is of figures; -e when it is of colors.
figures='cat'
colors=

no_figures() {
	sed 's/ [0-9][0-9]*\.[0-9][0-9]*/ N/g; s/N [mun]*s/N T/g
		s/[0-9][0-9]* \([mun]*s\)\( \|$\)/N T\2/g
		s/[0-9T:-]*Z  answer/TIME  answer/; s/(.*\/s)/(RATE)/
		s/[▁▂▃▄▅▆▇█][▁▂▃▄▅▆▇█ ]*/BARS/g; s/  */ /g; s/ $//; /^$/d'
}

taken() {
	term capture-pane -p -J -t t $colors | sed "s/ *$//; s|$tmp|DIR|g
		$fleeting" | $figures >screen
}

# How many rows are left below depends on how long a path was.
rows() { # FILE
	sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' "$1"
}

is_golden() {
	taken
	rows "$file" >wanted
	rows screen | diff wanted - >difference
}

tell() {
	"$rpcsh" -s "$where" tell --subject jobs.done id:="$1" >/dev/null
}

# The last line of the screen has the pattern.
last_has() {
	screen -J | sed '/^$/d' | tail -n 1 | grep -q -e "$1"
}

# fresh: nothing but a prompt on the screen.
fresh() {
	keys C-l
	until_ok is_fresh
}

is_fresh() {
	screen | sed '/^$/d' >now
	[ "$(wc -l <now)" -eq 1 ] && grep -q '> *$' now
}

# enter TEXT...: type lines, each when the one before it is done; each is
# another one.
enter() {
	for typed; do
		keys -l -- "$typed"
		keys Enter
		until_ok is_done || return 1
	done
}

# It was typed last, and a prompt without words is the last line again.
is_done() {
	screen -J | sed 's/ *$//; /^$/d' >now
	tail -n 1 now | grep -q "$bare\$" &&
		[ "$(sed -n "s/$bare //p" now | tail -n 1)" = "$typed" ]
}
bare='^[a-z]* [a-z ]*>'
