# shellcheck shell=sh
# TAP for the house's shell tests: t NAME COMMAND..., then plan at the end.
count=0
failures=0

# Passes when the command does; its output is shown when it does not.
t() {
	tap_name=$1
	shift
	count=$((count + 1))
	if "$@" >"$TEST_TMP/t.out" 2>&1; then
		echo "ok $count - $tap_name"
	else
		echo "not ok $count - $tap_name"
		failures=$((failures + 1))
		sed 's/^/# /' "$TEST_TMP/t.out"
	fi
}

skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}

plan() {
	echo "1..$count"
	[ "$failures" = 0 ]
}

# The first of these programs that is there, or nothing.
first_of() {
	for name; do
		if command -v "$name" >/dev/null 2>&1; then
			echo "$name"
			return 0
		fi
	done
}
