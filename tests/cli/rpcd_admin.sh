#!/bin/sh
# rpcd's admin socket: passed in, for a group, checked; what it says of keys.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

# Methods that rpcd ctl has no verb for.
ask() {
	timeout 60 "$rpcsh" -s "unix://$tmp/admin" call "$@"
}

conf() {
	printf 'listen = tcp:127.0.0.1:0\nadmin = %s\n%s\n' \
		"${1:-$tmp/admin}" "${2:-}" >a.conf
}

# ---- -t ----

checked() {
	conf
	want 0 '-t: an admin socket that can be made' "$rpcd" -t -f a.conf
	conf "$tmp/none/admin"
	want 1 'no folder for it' "$rpcd" -t -f a.conf
	has err '^rpcd: a.conf:2: admin: .*/none: No such file' 'says where'
	mkdir -p open
	chmod 0777 open
	conf "$tmp/open/admin"
	want 1 'a folder that others may change' "$rpcd" -t -f a.conf
	has err 'a.conf:2: admin: .*others can replace the control socket' \
		'says so'
	chmod 0700 open
	conf '' 'admin-group = nobody-has-it'
	want 1 'a group that is not there' "$rpcd" -t -f a.conf
	has err 'a.conf:3: admin-group: there is no group nobody-has-it' \
		'says so'
	want 8 'nor does it start' "$rpcd" -f a.conf
	: >./admin
	conf
	want 1 'something else in its place' "$rpcd" -t -f a.conf
	has err 'there, and not a socket' 'says so'
	rm admin
	foreign
}

# The folder of a user who has another one run rpcd, as sudo -E does.
foreign() {
	if [ "$(id -u)" != 0 ]; then
		ok "another user's folder # skip not root"
		return
	fi
	mkdir foreign
	chown 65534 foreign
	conf "$tmp/foreign/admin"
	want 1 "another user's folder" timeout 10 "$rpcd" -f a.conf
	has err 'admin: .*/foreign: .* belongs to another user' 'says so'
	want 1 '-t does not take it either' "$rpcd" -t -f a.conf
	has err 'a.conf:2: admin: .*/foreign: .* belongs to another user' \
		'and says where'
	printf 'listen = tcp:127.0.0.1:0\n' >a.conf
	check 'nobody named it' with_runtime foreign
	logged 'no admin socket in .*/foreign, .* another user' 'says so'
	[ -z "$(ls foreign)" ]
	result $? 'and nothing is made there'
	stop
	rmdir foreign
}

with_runtime() { # FOLDER
	XDG_RUNTIME_DIR=$tmp/$1
	export XDG_RUNTIME_DIR
	start 1 -f a.conf
	set -- $?
	unset XDG_RUNTIME_DIR
	return "$1"
}

# ---- a group ----

group() {
	conf '' "admin-group = $(id -gn)"
	check 'for a group' start 1 -f a.conf
	[ "$(stat -c '%a %g' admin)" = "660 $(id -g)" ]
	result $? 'its members may connect'
	want 1 '-t: somebody listens there' "$rpcd" -t -f a.conf
	has err 'a.conf:2: admin: .*admin' 'says so'
	want 0 'it answers' ctl status
	want 0 '_.figures' ask _.figures
	has out '"name":"_.ping","calls":0' 'has the methods'
	want 0 'a call' plain ping
	want 0 '_.figures again' ask _.figures
	has out '"name":"_.ping","calls":1,"running":0,"ended":1,"errors":0' \
		'counts it'
	want 0 'methods' ctl methods --plain
	awk -F'\t' '$1 == "_.ping" && $6 == 1 && $7 == 0 && $8 == 0 &&
		$9 <= $11 { n++ } END { exit n != 1 }' out
	result $? 'show it'
	want 0 'figures for Prometheus' ctl metrics
	has out '^rpckit_method_calls_total{method="_.ping"} 1$' 'have it, too'
	stop
	result $? 'it ends well'
}

# ---- passed in ----

# given MODE NAME RPCD_WORDS...: with a socket of that mode and name.
given() {
	cat >given.py <<'END'
import os, socket, sys
path, mode, name = os.path.abspath('admin'), sys.argv[1], sys.argv[2]
if os.path.exists(path):
    os.unlink(path)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
os.chmod(path, int(mode, 8))
s.listen()
fd = os.dup2(s.fileno(), 100)
os.dup2(fd, 3, inheritable=True)
os.environ['LISTEN_FDS'] = '1'
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDNAMES'] = name
os.execv(sys.argv[3], sys.argv[3:])
END
	: >ready
	python3 given.py "$1" "$2" "$rpcd" -f a.conf \
		</dev/null >ready 2>log &
	daemon=$!
	daemons="$daemons $daemon"
	until_ok ready 1 && ! ended "$daemon"
}

passed_in() {
	conf "$tmp/other"
	check 'a socket passed in' given 660 admin
	logged 'admin socket passed in' 'is the admin socket'
	want 0 'it answers' ctl status
	[ ! -e other ]
	result $? 'and stands for the one that is configured'
	[ "$(grep -c listening ready)" -eq 1 ]
	result $? 'it serves nobody else'
	stop
	result $? 'it ends well'
	[ -S admin ]
	result $? 'the file stays, which another has made'
	given 666 admin
	wait "$daemon"
	[ $? -eq 1 ]
	result $? 'not one for everybody'
	has log 'everybody may connect (mode 0666)' 'says why'
	check 'one to watch' given 600 admin-view
	want 0 'it answers' ctl status
	want 6 'and steers nothing' ctl stop
	stop
	result $? 'it ends well, too'
	rm -f admin other
}

# ---- who may be at the other end ----

# As another user: listens at PATH, says so, then how many bytes came.
fake() { # PATH
	rm -f fake.out
	python3 - "$1" >fake.out 2>fake.err <<'END' &
import os, socket, sys
os.umask(0)
s = socket.socket(socket.AF_UNIX)
os.chdir(os.path.dirname(sys.argv[1]))
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
s.bind(os.path.basename(sys.argv[1]))
s.listen()
print('ready', flush=True)
c = s.accept()[0]
c.settimeout(30)
try:
    got = c.recv(65536)
except OSError:
    got = b''
print('got', len(got), flush=True)
c.close()
END
	fake=$!
	daemons="$daemons $fake"
	until_ok grep -q '^ready' fake.out
}

# asked_of TEXT COMMAND...: that is refused, and nothing went to the fake.
asked_of() {
	text=$1
	shift
	rm -f "$at"
	check "another user's socket" fake "$at"
	want 6 "$text" "$@"
	has err "$at: .* answers there, who is neither root" 'says why'
	wait "$fake"
	has fake.out '^got 0$' 'and tells it nothing'
}

other_end() {
	mkdir -p open
	chmod 0777 open
	conf "$tmp/open/admin"
	want 1 'a folder where others may put theirs' \
		timeout 10 "$rpcd" -f a.conf
	has err 'others can replace the control socket in here, chmod go-w' \
		'says so'
	if [ "$(id -u)" != 0 ]; then
		ok 'another user there # skip not root'
		return
	fi
	chmod 711 "$tmp"
	at=$tmp/open/admin
	asked_of 'rpcd ctl' "$rpcd" ctl --socket "$tmp/open/admin" status
	asked_of 'rpctui' "$BUILD_DIR/bin/rpctui" --socket "$tmp/open/admin" \
		--once
	# Whose folder it is says nothing where everybody may make one, or a
	# link to one: there, or above it.
	for mode in 0777 1777; do
		chmod $mode open
		for at in "$tmp/open/his/admin" "$tmp/open/his/in/admin" \
			"$tmp/open/link/admin"; do
			install -d -o 65534 -m 700 open/his open/his/in apart
			ln -s ../apart open/link && chown -h 65534 open/link
			asked_of "a folder of his own, $mode" \
				"$rpcd" ctl --socket "$at" status
			rm -rf open/his open/link apart
		done
	done
	# As rpcd is of its /run/rpcd.
	rm -f open/admin
	chown 65534 open
	chmod 0750 open
	check 'the owner of the folder' fake "$tmp/open/admin"
	want 4 'is asked' "$rpcd" ctl --socket "$tmp/open/admin" status
	wait "$fake"
	has fake.out '^got [1-9]' 'by root, too'
	chmod 700 "$tmp"
	rm -rf open
}

# ---- keys ----

gone() {
	ctl conns --plain >out && ! grep -q bob out
}

keys() {
	printf 'listen = tls:127.0.0.1:0\nadmin = %s\ntrust = off\n' \
		"$tmp/admin" >a.conf
	check 'with certificates' start 1 -f a.conf
	want 0 'status' ctl status
	has out '^certificate_fingerprint  SHA256:' 'has the key'
	has out '^certificate  .*, until 20' 'when it ends'
	has out '^ca_fingerprint  SHA256:' 'the same of the CA'
	want 0 'status' ctl status --json
	has out '"certificate_ends":"20.*"certificate_days":"[0-9][0-9]*"' \
		'and in how many days'
	has out '"ca_days":"[0-9][0-9]*"' 'and its end'
	"$rpcsh" -s "$(url tls)" --certs certs -k bob ping -n 1000 -i 1s \
		</dev/null >bob.out 2>&1 &
	bob=$!
	daemons="$daemons $bob"
	until_ok grep -q . bob.out
	want 0 'a client' ask _.conns
	has out '"cn":"bob","ca":"' 'and its certificate'
	has out '"rtt_us":' 'how far it is away'
	want 0 'it is revoked' "$selfy" -revoke certs/bob.crt
	check 'its connection ends by itself' until_ok gone
	logged 'closed: certificate of "bob": revoked' 'the log says why'
	want 0 'the keys' ask _.trust
	has out '"state":"revoked","email":"bob' 'show it'
	kill "$bob" 2>/dev/null
	stop
	result $? 'and it ends well'
}

checked
group
passed_in
other_end
"$selfy" -ca -nopass >out 2>err &&
	"$selfy" -k node -nopass >>out 2>>err &&
	"$selfy" -k bob -e bob@example.org -nopass >>out 2>>err
result $? 'certificates'
keys
plan
