# shellcheck shell=sh
# For the tests against a Go peer: one started and ended, its results as TAP.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2154,SC2317
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

gopeer=$(dirname "$BUILD_DIR")/interop/gopeer
manycalls=$BUILD_DIR/test/manycalls
netrpcpeer=$BUILD_DIR/test/netrpcpeer
QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING=true
export QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING
transports='tcp tls'
if "$rpcd" -T --listen quic:127.0.0.1:0 >/dev/null 2>&1; then
	transports="$transports quic"
fi

skipped_quic() {
	case $transports in
	*quic*) ;;
	*)
		n=$((n + 1))
		echo "ok $n - $1 over QUIC # SKIP rpcd has no QUIC"
		;;
	esac
}

# A second CA, whose people we do not know, and a folder where a stranger of
# that CA trusts ours.
strangers() {
	mkdir -p other mixed
	(cd other && "$selfy" -ca -nopass && "$selfy" -k node -nopass &&
		"$selfy" -k alice -nopass) >out 2>err &&
		cp other/certs/alice.* mixed && cp certs/ca.crt mixed
	result $? 'certificates of another CA'
}

# go_start URL WORDS...: a Go server; its address is $where.
go_start() {
	at=$1
	shift
	: >ready
	"$gopeer" server -listen "$at://127.0.0.1:0" "$@" </dev/null \
		>ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok ready 1 && ! ended "$daemon"
	result $? "a Go server ($at${4:+ ${4#-}}${5:+ $5})"
	where=$(sed 's/^listening //' ready)
}

# Go ends at a signal with status 0; a panic would have been another.
go_stop() {
	stop
	result $? "the Go server was there to the end ($at)"
}

# go_checks TEXT URL WORDS...: each check of a Go client is a test.
go_checks() {
	text=$1
	to=$2
	shift 2
	timeout 300 "$gopeer" client -dial "$to" "$@" \
		</dev/null >results 2>err
	status=$?
	while read -r line; do
		name=${line#*\"check\":\"}
		case $line in
		*'"ok":true'*) ok "$text: ${name%%\"*}" ;;
		*)
			echo "$line" >out
			not_ok "$text: ${name%%\"*}"
			;;
		esac
	done <results
	[ -s results ] && [ $status -le 1 ]
	result $? "$text: all were tried"
}

# go_refused TEXT PATTERN URL WORDS...: no connection, for this reason.
go_refused() {
	text=$1
	pattern=$2
	to=$3
	shift 3
	timeout 60 "$gopeer" client -dial "$to" "$@" echo \
		</dev/null >out 2>err
	grep -q "\"ok\":false.*$pattern" out
	result $? "$text"
}
