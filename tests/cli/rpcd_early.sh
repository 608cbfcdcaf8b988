#!/bin/sh
# Commands that run as early data, and the file that sessions grow from.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

comeback=$BUILD_DIR/test/comeback

early_conf() { # LINE...: settings
	{
		echo 'listen = tls:127.0.0.1:0'
		for line; do
			echo "$line"
		done
		cat <<-END
			[method marked]
			exec = /usr/bin/env
			idempotent = yes
			[method plain]
			exec = /usr/bin/env
		END
	} >early.conf
}

# What a client says after its first words waits until the server has said more
# than its part of a resumed handshake: an answer, that is.
cat >hold.py <<-'END'
	import select, socket, sys
	listener = socket.create_server(('127.0.0.1', 0))
	print(listener.getsockname()[1], flush=True)
	while True:
	    client = listener.accept()[0]
	    server = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
	    server.sendall(client.recv(65536))
	    said = 0
	    while True:
	        heard = [server] + ([client] if said > 500 else [])
	        one = select.select(heard, [], [])[0][0]
	        data = one.recv(65536)
	        if not data:
	            break
	        said += len(data) if one is server else 0
	        (client if one is server else server).sendall(data)
	    client.close()
	    server.close()
END

# again METHOD TEXT: alice comes back for it.
again() {
	want 0 "$2" "$comeback" "$(url tls)" certs alice "$1"
}

# held METHOD TEXT: the same, and her last words of the handshake wait.
held() {
	: >port
	python3 hold.py "$(url tls | sed 's/.*://')" >port &
	holder=$!
	daemons="$daemons $holder"
	until_ok grep -q . port
	want 0 "$2" "$comeback" "tls://127.0.0.1:$(cat port)" certs alice "$1"
	kill "$holder"
	wait "$holder" 2>/dev/null
}

marks() {
	early_conf
	check 'a daemon' start 1 -f early.conf
	held marked 'a client comes back for a marked method'
	has out '^early$' 'its call goes early'
	has out '^RPCKIT_EARLY=1$' 'and the command is told'
	has out '^RPCKIT_PEER_EMAIL=alice@example.org$' 'and who calls'
	again plain 'and for one that is not marked'
	has out '^early$' 'that is sent early as well'
	has out '^RPCKIT_METHOD=plain$' 'and answered'
	! grep -q RPCKIT_EARLY out
	result $? 'but it has waited'
	stop
	result $? 'the daemon ends'
}

off() {
	early_conf 'early-data = no'
	check 'a daemon without early data' start 1 -f early.conf
	again marked 'a client comes back'
	has out '^late$' 'its call does not go early'
	has out '^RPCKIT_METHOD=marked$' 'and is answered'
	! grep -q RPCKIT_EARLY out
	result $? 'as any other'
	want 0 'the settings' "$rpcd" -f early.conf --settings
	has out '^early-data = no$' 'show it'
	stop
	result $? 'the daemon ends'
}

is_secret() {
	[ "$(stat -c '%a %s' seed)" = '600 32' ]
}

seed_file() {
	early_conf 'seed = seed'
	check 'a daemon with a seed' start 1 -f early.conf
	check 'makes the file, for itself only' is_secret
	cp -p seed before
	again marked 'a client comes back'
	has out '^early$' 'early'
	stop
	check 'the next one' start 1 -f early.conf
	check 'takes the file that is there' cmp -s seed before
	stop
	chmod 644 seed
	want 1 'one that others can read' "$rpcd" -f early.conf
	has err 'seed' 'is refused by its name'
	chmod 600 seed
	echo short >seed
	want 1 'one that is none' "$rpcd" -f early.conf
	has err 'seed: no seed, which is 32 bytes' 'is refused, too'
	early_conf 'seed ='
	want 1 'an empty name' "$rpcd" -f early.conf
	has err 'early.conf:2: ' 'is a fault of the file'
}

certificates
marks
off
seed_file
plan
