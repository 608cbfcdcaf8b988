#!/bin/sh
# What a network, a disk or a person may get wrong: one clear line, the right
# exit status, and everybody else is served on.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Its functions are called by name.
# shellcheck disable=SC2317

# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

stranger() {
	"$selfy" -quiet -k mallory -nopass -o other -p other-private \
	    -e mallory@example.org >out 2>err
}

tls_call() { # dir name
	"$rpcsh" -s "tls://$tls" --certs "$1" -k "$2" --timeout 10s \
	    --known "$tmp/none" --no-input echo --raw hello
}

served_on() {
	want 0 "$1: others are served on" alice echo --raw hello
	has out '^hello$' "$1: and answered"
}

# What openssl's own client says when it tries with these words.
openssl_try() {
	printf 'x' | timeout 20 openssl s_client -connect "$tls" \
	    -CAfile certs/ca.crt -cert certs/alice.crt -key certs/alice.key \
	    "$@" >out 2>err
}

wrong_tls() {
	! openssl_try -tls1_2
	result $? "a TLS 1.2 client is refused"
	logged 'TLS 1.2' "and the log says which version it speaks"
	! openssl_try -ciphersuites TLS_AES_128_GCM_SHA256
	result $? "a client with AES only is refused"
	logged 'cipher' "and the log says why"
	! openssl_try -groups P-256
	result $? "a client with another group only is refused"
	served_on "wrong TLS"
}

# sign_with_ca NAME WORDS...: by our CA, through openssl x509 with these words.
sign_with_ca() {
	signed=$1
	shift
	printf '%s\n' 'subjectAltName=DNS:localhost,email:eve@example.org' \
	    'keyUsage=critical,digitalSignature' \
	    'extendedKeyUsage=clientAuth,serverAuth' >ext
	openssl req -new -key "certs/$signed.key" -subj "/CN=$signed" \
	    -out "$signed.csr" 2>/dev/null
	openssl x509 -req -in "$signed.csr" -CA my-keep-private-dir/ca.crt \
	    -CAkey my-keep-private-dir/ca.key -CAcreateserial \
	    "$@" -extfile ext -out "certs/$signed.crt" 2>/dev/null &&
		chmod 600 "certs/$signed.key"
}

present() { # name: its certificate through openssl's client
	printf 'x' | timeout 20 openssl s_client -connect "$tls" \
	    -CAfile certs/ca.crt -cert "$1.crt" -key "$1.key" \
	    -sigalgs ed25519:rsa_pss_rsae_sha256 -ign_eof >out 2>err
	# TLS 1.3: the verdict comes after the client's handshake is done.
	grep -q -i -e alert -e 'no suitable' -e error err
}

wrong_certificates() {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
	    -out certs/rsa.key 2>/dev/null
	sign_with_ca rsa -days 30
	present certs/rsa
	result $? "an RSA client certificate is refused"
	openssl genpkey -algorithm ed25519 -out certs/old.key 2>/dev/null
	# OpenSSL before 3.4 knows no dates, and from then on no days of the past.
	sign_with_ca old -days -1 || sign_with_ca old \
	    -not_before 20250101000000Z -not_after 20250102000000Z
	present certs/old
	result $? "an expired client certificate is refused"
	logged 'expired\|has ended\|ended' "and the log says so"
	present other/mallory
	result $? "a certificate of another CA is refused"
	printf 'x' | timeout 20 openssl s_client -connect "$tls" \
	    -CAfile certs/ca.crt -ign_eof >out 2>err
	grep -q -i alert err
	result $? "a client without a certificate is refused"
	logged 'no certificate' "and the log says so"
	want 6 "rpcsh will not use an expired certificate itself" \
	    tls_call certs old
	served_on "wrong certificates"
}

wrong_server() {
	want 6 "a server of another CA is not believed" \
	    "$rpcsh" -s "tls://$tls" --certs other -k mallory --timeout 10s \
	    echo --raw secret
	[ "$(wc -l <err)" -le 2 ]
	result $? "one line and one advice"
}

revoked() {
	want 0 "bob may call" make_bob
	# The client's own folder, so that it is the server which refuses.
	cp -Rp certs certs-own
	want 0 "bob is revoked" "$selfy" -revoke certs/bob.crt
	want 6 "and is refused from the next handshake on, without a reload" \
	    tls_call certs bob
	logged 'certificate of "bob": revoked' "and the log says so"
	served_on "revoked"
	cp -p certs/ca.crl list
	echo damaged >certs/ca.crl
	want 6 "a damaged list stops everybody" tls_call certs-own alice
	logged 'ca.crl: holds no revocation list' "and the log says so"
	rm certs/ca.crl
	want 6 "a list that is gone stops everybody" tls_call certs-own alice
	logged 'ca.crl: was there and is gone' "and the log says so"
	mv list certs/ca.crl
	served_on "the list is back"
}

make_bob() {
	"$selfy" -quiet -k bob -nopass -e bob@example.org &&
		tls_call certs bob
}

wrong_ports() {
	want 6 "TLS at a plain port fails" \
	    "$rpcsh" -s "tls://$tcp" --certs certs -k alice --timeout 5s \
	    --connect-timeout 5s echo --raw x
	want 4 "plain bytes at a TLS port fail" \
	    "$rpcsh" -s "tcp://$tls" --timeout 5s echo --raw x
	logged 'not TLS' "and the log says that this was not TLS"
	printf 'GET / HTTP/1.0\r\n\r\n' |
		timeout 20 python3 -c '
import socket, sys
h, p = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((h, int(p)), 10)
s.sendall(sys.stdin.buffer.read())
s.settimeout(10)
try:
    while s.recv(65536):
        pass
except ConnectionError:
    pass
' "$tcp"
	result $? "HTTP at the plain port is cut off"
	logged 'tcp://[^ ]*: closed: protocol error: .*magic' \
	    "and the log names what was wrong"
	served_on "wrong ports"
}

# Frames no peer of ours would send, each on its own connection.  The answer is
# a closed connection, soon, and nothing before it.
send_frames() { # address
	timeout 60 python3 -c '
import socket, struct, sys
host, port = sys.argv[1].rsplit(":", 1)
magic = bytes.fromhex("b35d1839ac8e1d")

def frame(body, code=0, length=None):
    return magic + bytes([code]) + struct.pack(
        ">Q", len(body) if length is None else length) + body

header = b"HDR_zid00_rct"
def message(value):
    return frame(b"\x82" + bytes([0xa0 + len(header)]) + header + value)

bad = {
    "zero length": frame(b""),
    "length of 2^63": frame(b"", length=1 << 63),
    "a byte too long": frame(b"", length=1310641),
    "wrong magic": b"\xff" + frame(b"\x80")[1:],
    "unknown compression": frame(b"\x80", code=200),
    "no compression in it": frame(b"\xff" * 32, code=1),
    "not a map": frame(b"\xc0"),
    "huge map": frame(b"\xdf\xff\xff\xff\xff"),
    "header of a wrong type": message(b"\xa1x"),
    "deep": frame(b"\x81\xa1x" + b"\x91" * 200000 + b"\xc0"),
    "cut off inside": frame(b"\x82\xad"),
}
failed = 0
for name, data in bad.items():
    s = socket.create_connection((host, int(port)), 10)
    s.settimeout(10)
    try:
        s.sendall(data)
        got = s.recv(65536)
    except ConnectionError:
        got = b""
    except TimeoutError:
        got = b"nothing within ten seconds"
    if got != b"":
        print(name, got[:80])
        failed = 1
    s.close()
# Half a frame, and gone.
for cut in range(1, 16):
    s = socket.create_connection((host, int(port)), 10)
    s.sendall(frame(b"\x80")[:cut])
    s.close()
sys.exit(failed)
' "$1"
}

wrong_frames() {
	want 0 "each hostile frame closes its connection" send_frames "$tcp"
	logged 'compression' "the log names an unknown compression"
	logged 'longer than 1310640' "and a frame that is too long"
	logged 'empty body' "and one that is empty"
	served_on "hostile frames"
}

# key_file TEXT PATTERN STATUS: certs2/alice.key is bad in this way.
key_file() {
	want "$3" "$1" tls_call certs2 alice
	has err "$2" "$1: says why"
	[ "$(wc -l <err)" -le 2 ]
	result $? "$1: one line and one advice"
}

wrong_key_files() {
	cp -r certs certs2
	rm certs2/alice.key
	key_file "no key file" 'certs2/alice.key' 8
	cp -p certs/alice.key certs2/
	chmod 644 certs2/alice.key
	key_file "key readable by others" 'chmod' 1
	chmod 600 certs2/alice.key
	head -c 60 certs/alice.key >certs2/alice.key
	key_file "truncated key" 'certs2/alice.key' 1
	cp certs/alice.crt certs2/alice.key
	key_file "certificate for a key" 'certs2/alice.key' 1
	cp certs/rsa.key certs2/alice.key
	key_file "RSA key" 'Ed25519' 1
	cp certs/bob.key certs2/alice.key
	key_file "key of somebody else" 'not the key of' 6
	openssl pkey -in certs/alice.key -aes256 -passout pass:secret \
	    -out certs2/alice.key 2>/dev/null
	chmod 600 certs2/alice.key
	key_file "key with a passphrase nobody can give" 'no terminal\|--pass' 7
	cp -p certs/alice.key certs2/
	cp certs/alice.crt certs2/ca.crt
	key_file "CA file that is not a CA" 'ca.crt' 6
	: >certs2/ca.crt
	key_file "empty CA file" 'ca.crt' 1
}

daemon_files() {
	want 8 "rpcd without certificates" "$rpcd" --certs nowhere \
	    --listen tls:127.0.0.1:0
	has err 'nowhere' "names the folder"
	want 1 "rpcd on a port that is taken" "$rpcd" --certs certs \
	    --listen "tls:$tls"
	has err 'in use' "says that it is in use"
	printf 'lisen = tls:127.0.0.1:0\n[method x]\nexce = /bin/true\n' >bad.conf
	want 1 "rpcd with a misspelt config" "$rpcd" -f bad.conf -t
	has err 'bad.conf:1: .*lisen.*did you mean "listen"' "line 1 is named"
	has err 'bad.conf:3: .*exce.*did you mean "exec"' "line 3 is named"
}

main() {
	certificates
	check "another CA and its mallory" stranger
	check "rpcd starts" start 2 --certs certs --trust off \
	    --listen tls:127.0.0.1:0 --listen tcp:127.0.0.1:0
	tls=$(sed -n 's/^listening tls //p' ready)
	tcp=$(sed -n 's/^listening tcp //p' ready)
	want 0 "a plain call" plain echo --raw hello
	served_on "at first"
	wrong_tls
	wrong_certificates
	wrong_server
	wrong_ports
	wrong_frames
	revoked
	wrong_key_files
	daemon_files
	stop >/dev/null
	result $? "rpcd stops with 0"
	! grep -q -e Sanitizer -e 'runtime error' log
	result $? "no sanitizer has spoken"
	plan
}

main
