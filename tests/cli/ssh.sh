#!/bin/sh
# Calls over sessions, with SSH's keys and nothing else: rpcd, rpcsh, ssh-agent.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
unset SSH_AUTH_SOCK

keygen() {
	ssh-keygen -q -t ed25519 -N "$2" -C "$1" -f "$3" </dev/null >>out 2>&1
}

keys() {
	mkdir -m 700 .ssh
	keygen me '' .ssh/id_ed25519 && keygen host '' host &&
		keygen other '' other && keygen shut 'open sesame' shut &&
		keygen held '' held
	result $? 'keys made by ssh-keygen'
	{
		echo '# who may call'
		echo 'ssh-rsa AAAA somebody'
		cat .ssh/id_ed25519.pub shut.pub held.pub
		echo "restrict $(cat other.pub)"
	} >authorized
	echo 'open sesame' >word
	chmod 600 word
}

conf() {
	nap=3457.$$ # seconds that only our own sleeper sleeps
	cat >ssh.conf <<-END
		listen = ssh+tcp:127.0.0.1:0
		listen = ssh+udp:127.0.0.1:0
		listen = ssh+unix:$tmp/sock
		admin = $tmp/admin.sock
		ssh-key = $tmp/host
		ssh-peers = $tmp/authorized
		[method who]
		exec = /usr/bin/printenv RPCKIT_PEER_FP
		[method nap]
		exec = /bin/sleep $nap
		timeout = never
		[method mine]
		exec = /bin/true
		allow = $(print_of .ssh/id_ed25519.pub)
	END
}

# by KIND WORDS...: rpcsh to that listener, or rpcd ctl.
by() {
	kind=$1
	shift
	if [ "$kind" = ctl ]; then
		timeout 60 "$rpcd" ctl --socket "$tmp/admin.sock" "$@"
		return
	fi
	timeout 60 "$rpcsh" -s "$(url "$kind")" "$@"
}

print_of() {
	ssh-keygen -l -f "$1" | cut -d ' ' -f 2
}

meet() {
	want 7 'a new server, and nobody to ask' by ssh+tcp who
	has err 'new server key SHA256:.*no terminal' 'is told'
	want 6 'nor is it believed' by ssh+tcp --trust strict who
	want 0 'a person says yes' by ssh+tcp --trust accept-new who
	has out 'SHA256:' 'and is known by the key'
	want 0 'known from then on' by ssh+tcp --trust strict who
	want 0 'without a word' by ssh+tcp who
	want 0 'many bytes' by ssh+tcp bench who -n 20
	grep -v '^#' .local/state/rpckit/known_server_keys \
		.config/rpckit/known_server_keys 2>/dev/null | grep -q pubkey
	want 0 'named by a file of lines' by ssh+unix --ssh-peers host.pub who
	want 6 'not by that of another' by ssh+unix --ssh-peers other.pub who
	has err 'try:.* only if that is it: add its line to other.pub$' \
		'and is told where it would have to be'
	want 7 'a new one at a local socket' by ssh+unix who
	has err 'new server key SHA256:.*no terminal' 'is told, too'
	want 6 'nor believed' by ssh+unix --trust strict who
	has err 'is not in .* for this address' 'since it is not known there'
	want 0 'until a person says so' by ssh+unix --trust accept-new who
	want 0 'and is known then' by ssh+unix --trust strict who
	want 0 'with what was named, too' by ssh+unix --trust strict \
		--ssh-peers host.pub who
	want 0 'and is in the list' timeout 60 "$rpcsh" trust find "$tmp/sock"
	has out "$tmp/sock" 'by its path'
	want 2 'a path that no list can have' timeout 60 "$rpcsh" \
		-s "ssh+unix://$tmp/a,b" who
	has err '--ssh-peers FILE' 'is told what can be done'
	want 0 'named by what ssh-keygen shows' by ssh+tcp trust add \
		"$(url ssh+tcp)" "$(print_of host.pub)"
}

allowed() {
	want 0 'a method for a fingerprint of ssh-keygen' by ssh+tcp mine
	want 0 'how long each step took' by ssh+tcp -t who
	has err '^time .*  session [0-9.]*  trust' 'with its name'
	want 0 'and what ping takes' by ssh+tcp ping -n 1
	has out '  session [0-9.]* ms' 'is told as well'
	want 3 'not for another key that is let in' by ssh+tcp --ssh-key shut \
		--pass file:word mine
	has log 'refused "mine": not allowed for key SHA256:[^ ]* (shut)' \
		'who is logged with the comment of its line'
}

udp() {
	want 6 'a server at another port' by ssh+udp --trust strict who
	want 0 'met over UDP' by ssh+udp --trust accept-new who
	has out 'SHA256:' 'knows by the key'
	want 0 'known from then on' by ssh+udp --trust strict who
	want 0 'its methods' by ssh+udp ls
	has out 'mine' 'are listed'
	want 0 'how long each step took over UDP' by ssh+udp -t who
	has err '^time .*  session [0-9.]*  trust' 'has the same names'
	want 0 'what ping takes over UDP' by ssh+udp ping -n 2
	want 0 'many bytes over UDP' by ssh+udp bench who -n 20
	want 3 'not for another key over UDP' by ssh+udp --ssh-key shut \
		--pass file:word mine
	want 6 'a stranger over UDP' by ssh+udp --ssh-key other who
	want 4 'nobody at that port' timeout 60 "$rpcsh" \
		-s ssh+udp://127.0.0.1:1 who
	has err 'ssh+tcp:// is the way over TCP' 'is told of the other way'
}

is_shown() {
	by ctl conns >conns 2>&1 && grep -q "$1" conns
}

# Rejecting a key ends what it has.
rejected() {
	fp=$(by ssh+udp --ssh-key shut --pass file:word who)
	by ssh+udp --ssh-key shut --pass file:word nap >hold.out 2>hold.err &
	held=$!
	until_ok is_shown 'ssh+udp'
	result $? 'connections are shown with their transport'
	want 0 'a key is taken back' by ctl trust reject "$fp"
	wait "$held"
	test $? -ne 0
	result $? 'and its call ends'
	want 6 'it is not let in again' by ssh+udp --ssh-key shut --pass file:word who
}

strangers() {
	want 6 'a key with options' by ssh+tcp --ssh-key other who
	has err 'the peer refuses our key' 'is refused'
	has log 'not in .*, and nobody vouches for it\|not among those' \
		'and logged'
	has log "(ssh-keygen -l: $(print_of other.pub)) is not" \
		'with what ssh-keygen shows'
	cp authorized authorized.was
	echo "$(print_of other.pub) known by that" >>authorized
	want 0 'which may stand in the file' by ssh+tcp --ssh-key other who
	ours=$(head -n 1 out)
	mv authorized.was authorized
	echo "$ours" >>authorized
	want 0 'as may the other form' by ssh+tcp --ssh-key other who
	sed -i '$d' authorized
	want 6 'and is missed when it is gone' by ssh+tcp --ssh-key other who
	want 8 'no key' by ssh+tcp --ssh-key none who
	chmod 644 other
	want 1 'a key for all to read' by ssh+tcp --ssh-key other who
	chmod 600 other
}

secret() {
	want 7 'an encrypted key, and nobody to ask' by ssh+tcp --ssh-key shut who
	want 0 'with its passphrase' by ssh+tcp --ssh-key shut \
		--pass file:word who
}

agent() {
	ssh-agent -D -a "$tmp/agent" >/dev/null 2>&1 &
	agent=$!
	daemons="$daemons $agent"
	until_ok test -S agent
	SSH_AUTH_SOCK=$tmp/agent
	export SSH_AUTH_SOCK
	ssh-add -q held >>out 2>&1
	result $? 'a key in ssh-agent'
	rm held
	want 0 'calls with it' by ssh+tcp --ssh-key ssh-agent: who
	mv .ssh/id_ed25519 away
	want 0 'also unasked' by ssh+tcp who
	mv away .ssh/id_ed25519
	want 0 'by its fingerprint' by ssh+tcp \
		--ssh-key "ssh-agent:$(print_of held.pub)" who
	want 8 'one that is not there' by ssh+tcp \
		--ssh-key "ssh-agent:$(print_of other.pub)" who
	has err 'ssh-agent: it has no such Ed25519 key' 'is told'
	kill "$agent"
	wait "$agent" 2>/dev/null
	rm -f agent
	want 4 'no agent' by ssh+tcp --ssh-key ssh-agent: who
	unset SSH_AUTH_SOCK
}

asleep() {
	pgrep -f -x "/bin/sleep $nap"
}

# One that is killed while it is called.
killed() {
	by ssh+tcp nap >out 2>err &
	caller=$!
	check 'a call that takes long' until_ok asleep
	stop KILL
	kill "$(asleep)"
	wait "$caller"
	[ $? -eq 4 ]
	result $? 'ends when the server is killed'
	has err '^rpcsh: ssh+tcp://.*: nap: the connection was lost: ' 'is told'
	! grep -q pre-shared err
	result $? 'and not asked for what no session has'
}

changed() {
	port=$(sed -n 's|^listening ssh+tcp .*:||p' ready)
	cp other host2
	start_again 1 --listen "ssh+tcp:127.0.0.1:$port" --ssh-key "$tmp/host2" \
		--ssh-peers authorized --admin none
	result $? 'rpcd with another key'
	want 6 'is noticed' by ssh+tcp who
	has err 'KEY CHANGED' 'and told'
	stop
	result $? 'stopped'
}

# Ends of one socket pair, as descriptor 3 of each.
descriptors() {
	cat >pair.py <<-'END'
		import os, socket, subprocess, sys
		a, b = socket.socketpair()
		cut = sys.argv.index('--')
		def run(words, s, **more):
		    fd = s.detach()
		    os.dup2(fd, 3, inheritable=True)
		    p = subprocess.Popen(words, pass_fds=(3,), **more)
		    return p
		low = [os.dup(2) for _ in range(4)]
		d = run(sys.argv[1:cut], a, stdout=subprocess.DEVNULL)
		c = run(sys.argv[cut + 1:], b)
		os.close(3)
		status = c.wait()
		ended = d.wait(60)
		print('rpcd ended with', ended)
		sys.exit(status)
	END
	want 0 'over a socket pair' python3 pair.py "$rpcd" --listen fd:3 \
		--ssh-key host --ssh-peers authorized --admin none --quiet \
		-- "$rpcsh" -s fd:3 --ssh-peers host.pub ping -n 1
	has out 'rpcd ended with 0' 'rpcd ends with the only one it was there for'
	want 6 'also with one it refuses' python3 pair.py "$rpcd" \
		--listen fd:3 --ssh-key host --ssh-peers authorized \
		--admin none --quiet -- "$rpcsh" -s fd:3 --ssh-key other \
		--ssh-peers host.pub ping -n 1
	has out 'rpcd ended with 0' 'and says so in its log only'
}

# At sockets that a service manager has opened: a name with ssh is a session.
passed_in() {
	passing
	passed ssh-udp,ssh-tcp,ssh-unix "$rpcd" --ssh-key host \
		--ssh-peers authorized --admin none
	until_ok ready 3
	[ "$(cut -d ' ' -f 2 ready | tr '\n' ' ')" = 'ssh+udp ssh+tcp ssh+unix ' ]
	result $? 'sockets passed in by names with ssh are for sessions'
	for kind in ssh+udp ssh+tcp ssh+unix; do
		want 0 "and $kind serves" timeout 60 "$rpcsh" \
			-s "$(url $kind)" --ssh-peers host.pub ping -n 1
	done
	want 6 'its own keys only' timeout 60 "$rpcsh" -s "$(url ssh+udp)" \
		--ssh-peers host.pub --ssh-key other ping -n 1
	stop
	result $? 'it ends'
	rm -f passed.sock
	passed ssh-udp "$rpcd" --threads 2 --ssh-key host --ssh-peers \
		authorized --admin none --listen ssh+udp:127.0.0.1:PORT
	until_ok ready 1
	result $? 'an address among them is used once'
	for i in 1 2 3; do
		want 0 "client $i of two threads" timeout 60 "$rpcsh" \
			-s "$(url ssh+udp)" --ssh-peers host.pub ping -n 1
	done
	stop
	want 0 '-t' python3 pass.py ssh-udp "$rpcd" -t --ssh-key host
	want 1 'and -t without the key' python3 pass.py ssh-udp "$rpcd" -t \
		--ssh-key nowhere
	"$selfy" -gensym lab.psk >>out 2>&1
	psk=my-keep-private-dir/lab.psk
	want 0 'a pre-shared key asks for no certificates there' \
		python3 pass.py ssh-udp "$rpcd" -t --ssh-key host --psk $psk
	want 1 'where certificates are proven it does' python3 pass.py \
		ssh-udp,tcp "$rpcd" -t --ssh-key host --psk $psk
	has err 'certs.*No such file' 'since they are looked for'
}

# Pipes with names are blocking before, and after a signal has ended rpcd.
lent() {
	cat >lent.py <<-'END'
		import fcntl, os, signal, subprocess, sys
		names = ['up', 'down']
		for name in names:
		    os.mkfifo(name)
		fds = [os.open(name, os.O_RDWR) for name in names]
		def blocking():
		    return [os.get_blocking(fd) for fd in fds]
		d = subprocess.Popen(sys.argv[1:] + ['--listen', 'fd:%d,%d' %
		    tuple(fds)], pass_fds=fds, stdout=subprocess.PIPE)
		d.stdout.readline()
		before = blocking()
		d.send_signal(signal.SIGTERM)
		print(d.wait(60), before, blocking())
	END
	want 0 'at pipes with names' python3 lent.py "$rpcd" --ssh-key host \
		--ssh-peers authorized --admin none --quiet
	has out '0 .*\[True, True\]$' 'which are as they were, after a signal'
}

if ! command -v ssh-keygen >/dev/null || ! command -v ssh-agent >/dev/null; then
	echo '1..0 # skip no ssh-keygen or ssh-agent'
	exit 0
fi
keys
conf
want 0 'settings that would do' "$rpcd" -t -f ssh.conf
start 3 -f ssh.conf
result $? 'rpcd needs no certificates'
meet
allowed
udp
strangers
secret
agent
rejected
want 0 'it shows them' timeout 60 "$rpcd" ctl --socket "$tmp/admin.sock" conns
killed
changed
descriptors
passed_in
lent
echo "1..$n"
exit $failed
