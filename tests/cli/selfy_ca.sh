#!/bin/sh
# selfy looking after a CA: renewal, lists, requests, passphrases, servers.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/selfy.sh
. "$(dirname "$0")/../lib/selfy.sh"

set_up() {
	want 0 "a CA and a key" "$selfy" -k bob -e b@c -nopass
	want 0 "one with more names" "$selfy" -k web -e w@x -nopass \
	    -cn 'My Web' -san web.example,10.0.0.7
	for name in g2 nomail; do
		want 0 "one for $name" "$selfy" -k $name -e w@x -nopass
	done
	want 0 "another CA" \
	    "$selfy" -k eve -p other -o other/certs -e e@f -nopass
	openssl x509 -in certs/bob.crt -outform DER -out bob.der
}

renewing() {
	"$selfy" -fp certs/web.crt >fp1
	serial=$(openssl x509 -in certs/web.crt -noout -serial |
	    cut -d= -f2 | tr A-F a-f)
	want 0 "-renew" "$selfy" -renew web -days 20
	"$selfy" -fp certs/web.crt >fp2
	cmp -s fp1 fp2
	result $? "keeps the key"
	[ -s "certs/web.crt.$serial" ]
	result $? "and the old certificate"
	words_of certs/web.crt
	has text 'DNS:web.example, IP Address:10.0.0.7' "has the same names"
	has text 'Subject: CN *= *My Web' "and subject"
	want 0 "openssl likes it" \
	    openssl verify -x509_strict -CAfile certs/ca.crt certs/web.crt
	want 0 "-renew -newkey" "$selfy" -renew web -newkey -nopass
	"$selfy" -fp certs/web.crt >fp2
	! cmp -s fp1 fp2
	result $? "has another key"
	want 0 "that fits" "$selfy" -verify certs/web.crt -why
	has out "it is the certificate's" "its file"
	want 8 "no such certificate" "$selfy" -renew nobody
	cp other/certs/eve.crt certs/eve.crt
	want 6 "another CA's is not renewed" "$selfy" -renew eve
	rm certs/eve.crt
}

listing() {
	want 0 "-list" "$selfy" -list
	has out '^NAME  *STATE' "has a head"
	has out '^bob  *ok ' "and bob"
	want 0 "-list -json DIR" "$selfy" -list -json certs
	[ "$(grep -c '^{"schema":1,"name":' out)" -eq "$(wc -l <out)" ]
	result $? "one object a line"
	want 0 "-plain" "$selfy" -list -plain certs
	has out "^bob	ok	" "tabs, no head"
	want 0 "nothing ends soon" "$selfy" -expiring 1d
	[ ! -s out ]
	result $? "says nothing"
	"$selfy" -k soon -e a@b -nopass -days 5 -quiet >/dev/null
	want 1 "something does" "$selfy" -expiring 30d certs
	grep -q '^soon ' out && ! grep -q '^bob ' out
	result $? "and only that is listed"
	want 8 "no such directory" "$selfy" -list nowhere
	mkdir broken
	echo garbage >broken/x.crt
	want 1 "what cannot be read is told" "$selfy" -expiring 1d broken
}

# Two that -renew put aside, one of another key.
revoking_renewed() {
	mkdir re
	for words in '-k ann -e a@b' '-renew ann -newkey' '-renew ann' \
		'-renew ann'; do
		# shellcheck disable=SC2086
		want 0 "selfy $words" "$selfy" $words -nopass -p re -o re
	done
	echo garbage >re/ann.crt.00
	want 0 "a certificate that was renewed" \
	    "$selfy" -revoke re/ann.crt -p re -o re
	has out '^list 3  3 revoked' "goes with the earlier ones of its key"
	[ "$(grep -c '^selfy: re/ann.crt.[0-9a-f]*: an earlier' err)" -eq 2 ]
	result $? "which is said of each"
	has err '^selfy: re/ann.crt.00: ' "what is none is told"
	for old in re/ann.crt.*; do
		[ "$old" = re/ann.crt.00 ] || openssl verify -crl_check \
		    -CAfile re/ca.crt -CRLfile re/ca.crl "$old"
	done >verdicts 2>&1
	[ "$(grep -c ': OK$' verdicts)" -eq 1 ] &&
		[ "$(grep -c 'verification failed' verdicts)" -eq 2 ]
	result $? "another key's is still good"
	want 0 "once more" "$selfy" -revoke re/ann.crt -p re -o re
	has out '^list 4  3 revoked' "adds nothing"
}

revoking() {
	want 0 "-crl" "$selfy" -crl
	cmp -s certs/ca.crl my-keep-private-dir/ca.crl
	result $? "is written for peers too"
	want 0 "openssl uses it" openssl verify -crl_check \
	    -CAfile certs/ca.crt -CRLfile certs/ca.crl certs/soon.crt
	want 8 "not by name" "$selfy" -revoke bob
	want 8 "also when it is hexadecimal" "$selfy" -revoke beef
	want 0 "by file" "$selfy" -revoke certs/soon.crt
	want 2 "openssl refuses it" openssl verify -crl_check \
	    -CAfile certs/ca.crt -CRLfile certs/ca.crl certs/soon.crt
	want 1 "so do we" "$selfy" -verify certs/soon.crt
	has out 'is revoked' "says why"
	want 0 "others are well" openssl verify -crl_check \
	    -CAfile certs/ca.crt -CRLfile certs/ca.crl certs/bob.crt
	serial=$(openssl x509 -in certs/g2.crt -noout -serial | cut -d= -f2)
	want 0 "by serial" "$selfy" -revoke "$serial"
	want 0 "a refresh" "$selfy" -crl -days 7
	openssl crl -in certs/ca.crl -noout -text >text 2>/dev/null
	[ "$(grep -c 'Serial Number:' text)" -eq 2 ]
	result $? "keeps the entries"
	grep -A1 'CRL Number' text | grep -q ' 4$'
	result $? "and counts"
	has text 'Version 2' "is of version 2"
	want 0 "openssl trusts its signature" \
	    openssl crl -in certs/ca.crl -CAfile certs/ca.crt -noout
	has err 'verify OK' "and says so"
	if command -v certtool >/dev/null; then
		want 0 "certtool trusts it" certtool --verify-crl \
		    --load-ca-certificate certs/ca.crt --infile certs/ca.crl
	fi
	want 6 "a revoked key is not renewed" "$selfy" -renew soon
	want 0 "but with a new one" "$selfy" -renew soon -newkey -nopass
	want 0 "that is good" "$selfy" -verify certs/soon.crt
	want 6 "another CA's certificate" \
	    "$selfy" -revoke other/certs/eve.crt
	want 2 "the CA itself" "$selfy" -revoke certs/ca.crt
	revoking_renewed
	cp my-keep-private-dir/ca.crl good.crl
	echo garbage >my-keep-private-dir/ca.crl
	want 10 "a damaged list is not replaced" "$selfy" -crl
	[ "$(cat my-keep-private-dir/ca.crl)" = garbage ]
	result $? "but left as it is"
	rm my-keep-private-dir/ca.crl
	want 0 "a lost list is taken from the copy" "$selfy" -crl
	has out '^list 5  2 revoked' "with its entries"
	want 0 "a new directory gets the list" \
	    "$selfy" -k fresh -e f@g -o newcerts -nopass
	cmp -s newcerts/ca.crl my-keep-private-dir/ca.crl
	result $? "the whole of it"
}

requests() {
	want 0 "-csr" "$selfy" -csr remote -e r@s -o far -nopass \
	    -san far.example
	mode far/remote.key 600
	want 0 "openssl likes the request" \
	    openssl req -in far/remote.csr -verify -noout
	want 0 "-v of a request" "$selfy" -v far/remote.csr
	has out 'DNS:far.example' "shows its names"
	want 0 "-sign" "$selfy" -sign far/remote.csr
	cp certs/remote.crt certs/ca.crt far
	want 0 "fits" "$selfy" -verify far/remote.crt -why
	has out "it is the certificate's" "the key far away"
	words_of certs/remote.crt
	has text 'DNS:localhost, IP Address:127.0.0.1, email:r@s, DNS:far' \
	    "has what was asked for"
	want 9 "not twice" "$selfy" -sign far/remote.csr
	want 9 "a request is not replaced" "$selfy" -csr remote -o far -e r@s
	cp far/remote.key before
	want 0 "-force makes a new request" \
	    "$selfy" -csr remote -o far -force -e r@s
	cmp -s far/remote.key before
	result $? "for the same key"
	openssl req -new -newkey ed25519 -nodes -keyout x.key -subj /CN=boss \
	    -addext basicConstraints=critical,CA:TRUE \
	    -addext keyUsage=critical,keyCertSign \
	    -addext 'subjectAltName=DNS:a.example,URI:http://x/' \
	    -out bigwish.csr 2>/dev/null
	want 0 "a request that wants to be a CA" "$selfy" -sign bigwish.csr
	has err 'not granted: 3 names or extensions' "is told that it is none"
	words_of certs/bigwish.crt
	! grep -q -e CA:TRUE -e 'Certificate Sign' -e URI text
	result $? "and does not become one"
	openssl req -new -newkey rsa:2048 -nodes -keyout x.key -subj /CN=rsa \
	    -out rsa.csr 2>/dev/null
	want 1 "other kinds of keys" "$selfy" -sign rsa.csr
	openssl req -in far/remote.csr -outform DER -out r.der
	# The last byte is the signature's.
	head -c -1 r.der >bad.der
	printf '\377' >>bad.der
	{
		echo '-----BEGIN CERTIFICATE REQUEST-----'
		openssl base64 -in bad.der
		echo '-----END CERTIFICATE REQUEST-----'
	} >badsig.csr
	want 6 "a request with a bad signature" "$selfy" -sign badsig.csr
	absent "gets nothing" certs/badsig.crt certs/rsa.crt
}

# Whoever has lost a key is not to get a certificate for it by a request.
revoked_keys() {
	want 0 "a key elsewhere" "$selfy" -csr gone -o away -e g@o -nopass
	want 0 "its certificate" "$selfy" -sign away/gone.csr
	want 0 "which is revoked" "$selfy" -revoke certs/gone.crt
	cp away/gone.csr again.csr
	want 6 "its request under another name" "$selfy" -sign again.csr
	has err 'again.csr: is for the key of certs/gone.crt, which is revoked' \
	    "says why"
	has err '^try: selfy -csr NAME, for a new key' "and what to do"
	absent "gets nothing" certs/again.crt
	want 6 "nor in its own place" "$selfy" -sign away/gone.csr -force
	want 6 "nor to standard output" "$selfy" -sign again.csr -o -
	mv certs/gone.crt certs/gone.crt.0123ab
	want 6 "nor where it was put aside" "$selfy" -sign again.csr
	mv certs/ca.crl list
	mv my-keep-private-dir/ca.crl away
	want 0 "without a list there is none" "$selfy" -sign again.csr
	mv list certs/ca.crl
	mv away/ca.crl my-keep-private-dir
	want 6 "with it there is" "$selfy" -sign again.csr -force
	want 0 "but who wants it" "$selfy" -sign again.csr -force -revoked
	has err 'again.csr: is for the key of certs/gone.crt.0123ab, which is' \
	    "is told"
	want 0 "is served" "$selfy" -verify certs/again.crt
	want 2 "no other action has it" "$selfy" -k other -revoked
	echo rubbish >certs/odd.crt
	want 0 "another key" "$selfy" -csr fine -o away -e f@o -nopass
	want 6 "waits for one who knows" "$selfy" -sign away/fine.csr
	has err 'fine.csr: cannot tell whether its key was revoked: certs/odd' \
	    "what could not be looked at is told"
	has err '^try: ' "and what to do"
	absent "gets nothing" certs/fine.crt
	want 6 "which hides no revoked one" "$selfy" -sign again.csr -force
	want 0 "is signed where that is known" \
	    "$selfy" -sign away/fine.csr -revoked
	has err 'certs/odd.crt: ' "and told of"
	rm -f certs/odd.crt
	ln -s nowhere certs/odd.crt
	want 6 "nor where a file has gone" "$selfy" -sign away/fine.csr -force
	rm -f certs/odd.crt
	want 0 "without it there is no doubt" "$selfy" -sign away/fine.csr -force
}

# KEY SOURCE WORD...: encrypted anew by openssl, so that it is quickly opened;
# the words say how it is read.
encrypt() {
	key=$1
	source=$2
	shift 2
	openssl pkcs8 -topk8 -in "$key" "$@" -out "$key.new" -iter 2048 \
	    -passout "$source" && chmod 600 "$key.new" && mv "$key.new" "$key"
}

# Revoked while the passphrase is asked for: what asks does it.
revoked_meanwhile() {
	(umask 077 && echo first >race-pw)
	want 0 "a CA with a passphrase" "$selfy" -ca -p race -o race/certs \
	    -pass file:race-pw -format pkcs8
	want 0 "quickly opened" \
	    encrypt race/ca.key file:race-pw -passin pass:first
	want 0 "a key elsewhere" "$selfy" -csr late -o away -e l@o -nopass
	want 0 "its certificate" "$selfy" -sign away/late.csr -p race \
	    -o race/certs -ca-pass file:race-pw
	cp away/late.csr later.csr
	cat >revoke-and-tell <<-EOF
		#!/bin/sh
		"$selfy" -revoke race/certs/late.crt -p race -o race/certs \\
		    -ca-pass file:race-pw >race-out 2>&1
		cat race-pw
	EOF
	chmod 755 revoke-and-tell
	want 6 "a key revoked while -sign asks" env \
	    RPCKIT_ASKPASS=./revoke-and-tell "$selfy" -sign later.csr -p race \
	    -o race/certs -ca-pass askpass
	has race-out '^list [0-9]*  1 revoked' "which it was"
	has err 'later.csr: is for the key of race/certs/late.crt' "says why"
	absent "gets nothing" race/certs/later.crt
}

pre_shared() {
	want 0 "-gensym" "$selfy" -gensym lab
	mode my-keep-private-dir/lab 600
	[ "$(wc -c <my-keep-private-dir/lab)" -eq 32 ]
	result $? "32 raw bytes"
	grep -q '^[0-9a-f]\{4\} [0-9a-f]\{4\}$' out
	result $? "prints the id"
	cp out id
	want 0 "-psk-id" "$selfy" -psk-id my-keep-private-dir/lab
	cmp -s out id
	result $? "prints the same"
	cp my-keep-private-dir/lab before
	want 9 "is not replaced" "$selfy" -gensym lab
	cmp -s my-keep-private-dir/lab before
	result $? "but left alone"
	want 2 "stays in its directory" "$selfy" -gensym ../lab
	want 2 "does not replace the CA" "$selfy" -gensym ca.key -force
	want 1 "31 bytes are no key" \
	    sh -c "head -c 31 /dev/zero >k; chmod 600 k; '$selfy' -psk-id k"
	want 1 "33 neither" \
	    sh -c "head -c 33 /dev/zero >k; chmod 600 k; '$selfy' -psk-id k"
	want 1 "a key that others can read" \
	    sh -c "chmod 644 my-keep-private-dir/lab;
	        '$selfy' -psk-id my-keep-private-dir/lab"
}

# What selfy encrypts itself costs seconds, as real keys do: little of it is.
passphrases() {
	(umask 077 && printf 'first\n' >pw1 && printf 'second' >pw2)
	want 0 "an encrypted key" \
	    "$selfy" -k enc -e e@f -pass file:pw1 -quiet
	has certs/enc.key '^Argon2id.Memory: 262144$' "in the usual form"
	! grep -qr first certs my-keep-private-dir
	result $? "the passphrase is in no file"
	want 7 "none" setsid -w "$selfy" -fp certs/enc.key
	has err '^try: -pass file:PATH$' "says what to give"
	want 0 "-chpass to the form of others" "$selfy" -chpass enc \
	    -pass file:pw1 -new-pass file:pw2 -format pkcs8
	want 0 "openssl reads it" \
	    openssl pkey -in certs/enc.key -passin file:pw2 -noout
	mode certs/enc.key 600
	want 0 "and writes it, too" \
	    encrypt certs/enc.key file:pw2 -passin pass:second
	want 0 "-chpass of such a one" "$selfy" -chpass enc \
	    -pass file:pw2 -new-pass file:pw2
	want 0 "keeps its form" \
	    openssl pkey -in certs/enc.key -passin file:pw2 -noout
	if ssh-keygen -q -t ed25519 -N '' -f theirs 2>err </dev/null; then
		cp theirs before
		want 1 "-chpass of OpenSSH's" "$selfy" -chpass ./theirs \
		    -new-pass file:pw2
		has err '^try: ssh-keygen -p -f ./theirs$' "says whose that is"
		cmp -s theirs before
		result $? "and leaves it"
		want 0 "but to another form" "$selfy" -chpass ./theirs \
		    -new-pass file:pw2 -format pkcs8
		rm -f theirs theirs.pub before
	fi
	want 7 "a wrong passphrase" "$selfy" -fp certs/enc.key -pass file:pw1
	has err 'certs/enc.key: wrong passphrase' "is called that"
	want 0 "-chpass -nopass" \
	    "$selfy" -chpass certs/enc.key -pass fd:3 -nopass 3<pw2
	want 0 "which still fits" "$selfy" -verify certs/enc.crt -why
	has out "it is the certificate's" "its certificate"
	chmod 644 pw1
	want 1 "a passphrase file that others can read" \
	    "$selfy" -k enc2 -e e@f -pass file:pw1
	chmod 600 pw1
	want 0 "an encrypted CA key" \
	    encrypt my-keep-private-dir/ca.key file:pw1
	want 7 "cannot sign by itself" setsid -w "$selfy" -renew bob
	has err '^try: -ca-pass file:PATH$' "says what to give"
	want 0 "can with -ca-pass" "$selfy" -renew bob -ca-pass file:pw1
	want 0 "can revoke" "$selfy" -revoke certs/nomail.crt -ca-pass file:pw1
	want 0 "two sources in one run" env PW=second "$selfy" -k two -e t@u \
	    -ca-pass file:pw1 -pass env:PW -format pkcs8
	want 0 "and it is the second's" \
	    openssl pkey -in certs/two.key -passin file:pw2 -noout
	want 7 "a wrong CA passphrase" \
	    "$selfy" -k three -e t@u -nopass -ca-pass file:pw2
	absent "makes nothing" certs/three.key certs/three.crt
	want 8 "no file with the CA's passphrase" \
	    "$selfy" -k three -e t@u -nopass -ca-pass file:nopass
	! grep -q '^try: ' err
	result $? "is no reason to go elsewhere"
	chmod 644 certs/two.key
	want 1 "a key that others can read" \
	    "$selfy" -fp certs/two.key -pass file:pw2
	has err 'chmod go-rwx' "says how to mend it"
}

new_ca() {
	mkdir swap
	want 0 "a CA with a list" "$selfy" -ca -p swap -nopass
	want 0 "which has one" "$selfy" -crl -p swap -o swap/certs
	want 0 "its successor" "$selfy" -ca -k a -e a@b -p swap -o swap/certs \
	    -nopass -force
	want 0 "has a list of its own" openssl verify -crl_check \
	    -CAfile swap/certs/ca.crt -CRLfile swap/certs/ca.crl \
	    swap/certs/a.crt
	rm swap/ca.key
	want 8 "a CA without its key cannot sign" \
	    "$selfy" -k b -e a@b -p swap -o swap/certs -nopass
	has err '^try: selfy -csr NAME' "says how to do it elsewhere"
	cp other/ca.key swap/ca.key
	want 6 "another CA's key is noticed" \
	    "$selfy" -k b -e a@b -p swap -o swap/certs -nopass
	absent "nothing was made" swap/certs/b.key swap/certs/b.crt
}

# start_server ARGUMENT...: openssl's, on a port of the kernel's choice, which
# it tells in $port.  Its input stays open, and its output is read until then.
start_server() {
	rm -f said hold
	mkfifo said hold
	exec 5<>hold
	openssl s_server -accept 127.0.0.1:0 -cert certs/bob.crt \
	    -key certs/bob.key -tls1_3 "$@" <&5 >said 2>/dev/null &
	pid=$!
	exec 4<said
	port=
	while [ -z "$port" ] && read -r line <&4; do
		port=$(echo "$line" | sed -n 's/^ACCEPT .*:\([0-9][0-9]*\)$/\1/p')
	done
}

stop_server() {
	kill $pid 2>/dev/null
	wait $pid 2>/dev/null
	exec 4<&- 5<&-
}

servers() {
	start_server -CAfile certs/ca.crt -Verify 1 -verify_return_error
	want 0 "-v HOST:PORT of a server that asks for a certificate" \
	    "$selfy" -v "127.0.0.1:$port"
	has out '^  mail        b@c$' "shows the server's"
	want 0 "-fp HOST:PORT" "$selfy" -fp "localhost:$port" -quiet
	"$selfy" -fp certs/bob.crt >fp1
	cmp -s out fp1
	result $? "is that of its file"
	stop_server
	want 4 "nobody there" "$selfy" -v 127.0.0.1:1
	command -v gnutls-cli >/dev/null || return
	start_server
	want 0 "gnutls-cli accepts the server's certificate" \
	    gnutls-cli --x509cafile certs/ca.crt --verify-hostname localhost \
	    -p "$port" 127.0.0.1
	stop_server
}

# try_flip WORD...: a crash, a hang or a sanitizer's report is counted.
try_flip() {
	timeout 20 "$selfy" "$@" >out 2>err </dev/null
	[ $? -lt 100 ] && ! grep -q Sanitizer err || bad=$((bad + 1))
}

# flipped FILE STEP WORD...: a byte changed, and the file cut there, at every
# STEP bytes; the words end with the option whose value is the file.
flipped() {
	file=$1
	step=$2
	shift 2
	bad=0
	at=0
	size=$(wc -c <"$file")
	while [ "$at" -lt "$size" ]; do
		head -c "$at" "$file" >flip.crt
		cp flip.crt cut.crt
		printf '\377' >>flip.crt
		tail -c +$((at + 2)) "$file" >>flip.crt
		try_flip "$@" flip.crt
		try_flip "$@" cut.crt
		at=$((at + step))
	done
	[ $bad -eq 0 ]
	result $? "$* survives $file changed and cut at every ${step}th byte"
}

flips() {
	flipped bob.der 13 -v
	flipped bob.der 19 -why -verify
	flipped certs/bob.crt 41 -verify
	flipped certs/bob.crt 53 -no-input -revoke
	flipped certs/ca.crl 31 -v
	flipped far/remote.csr 41 -no-input -o - -sign
}

set_up
renewing
listing
revoking
requests
revoked_keys
revoked_meanwhile
pre_shared
passphrases
new_ca
servers
flips
finish
