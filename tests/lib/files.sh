# shellcheck shell=sh
# For tests of files: folders that a daemon serves, and clients of them.
# Some of it is used by some of them only, and by name.
# shellcheck disable=SC2034,SC2119,SC2120,SC2154,SC2317
# What is freed is to be counted as free.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=8
export ASAN_OPTIONS

# Over TLS where there is no QUIC.
quic_alice() {
	if [ -z "$(url quic)" ]; then
		alice "$@"
		return
	fi
	timeout 120 "$rpcsh" -s "$(url quic)" --certs certs -k alice "$@"
}

mallory() {
	timeout 60 "$rpcsh" -s "$(url tls)" --certs certs -k mallory "$@"
}

conf() {
	cat >files.conf <<-END
		listen = tls:127.0.0.1:0
		threads = 2
		${1-}
		[files docs]
		root = $tmp/shared
		put = yes
		get = yes
		min-free = 0
		[files over]
		root = $tmp/shared
		about = may be replaced
		put = yes
		replace = yes
		mode = 0640
		max-size = 1M
		min-free = 0
		allow = alice@example.org
		[files full]
		root = $tmp/shared
		put = yes
		min-free = 1024G
		[files quick]
		root = $tmp/shared
		put = yes
		min-free = 0
		timeout = 1s
		[files gone]
		root = $tmp/nowhere
		get = yes
	END
}

same() { # A B TEXT
	cmp -s "$1" "$2"
	result $? "$3"
}

absent() { # FILE TEXT
	[ ! -e "$1" ]
	result $? "$2"
}

# Nothing temporary is left in the folder of the files.
no_rest() {
	[ -z "$(find shared -name '.rpckit-*')" ]
	result $? "nothing is left of $1"
}

bytes() { # COUNT: of no pattern that repeats where pieces do
	python3 -c '
import random, sys
random.seed(7)
sys.stdout.buffer.write(random.randbytes(int(sys.argv[1])))' "$1"
}

serve() {
	certificates
	mkdir shared
	quic=
	listeners=1
	if "$rpcd" --version | grep -q ' quic '; then
		quic='listen = quic:127.0.0.1:0'
		listeners=2
	fi
	conf "$quic"
	start "$listeners" -f files.conf
	result $? 'the daemon starts'
	echo second >second
}
