#!/bin/sh
# selfy as its users meet it: what it makes, shows and refuses.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/selfy.sh
. "$(dirname "$0")/../lib/selfy.sh"

make_and_verify() {
	want 0 "a key, and a CA for it" \
	    "$selfy" -k bob -e bob@example.org -nopass
	has out '^bob  SHA256:.... .... ' "prints the fingerprint in groups"
	has err 'no CA in my-keep-private-dir, making one' "tells of the new CA"
	has err '^selfy: wrote certs/bob.key (0600, not encrypted)$' \
	    "names what it wrote"
	mode certs 700
	mode my-keep-private-dir 700
	mode my-keep-private-dir/ca.key 600
	mode certs/bob.key 600
	mode certs/bob.crt 644
	cmp -s certs/ca.crt my-keep-private-dir/ca.crt
	result $? "ca.crt is copied for peers"
	[ -z "$(find . -name '*.tmp.*')" ]
	result $? "no temporary file is left"
	want 0 "verify says yes" "$selfy" -verify certs/bob.crt
	has out '^ok  certs/bob.crt  signed by CA "rpckit CA .*"  ends in 3,6.. d$' \
	    "in one line"
	[ "$(wc -l <out)" -eq 1 ]
	result $? "and no more"
	want 0 "verify reads standard input" \
	    sh -c "'$selfy' -verify - <certs/bob.crt"
	want 0 "verify finds ca.crt among the certificates" \
	    "$selfy" -p nowhere -verify certs/bob.crt
	want 0 "verify -why" "$selfy" -verify certs/bob.crt -why
	has out "ok  *key file  *it is the certificate's" "checks the key file"
	[ "$(grep -c ' ok ' out)" -ge 9 ]
	result $? "and says what is ok"
}

other_verifiers() {
	for purpose in sslserver sslclient; do
		want 0 "openssl verify -x509_strict -purpose $purpose" \
		    openssl verify -x509_strict -purpose $purpose \
		    -CAfile certs/ca.crt certs/bob.crt
	done
	want 0 "openssl finds the name localhost" \
	    openssl verify -verify_hostname localhost \
	    -CAfile certs/ca.crt certs/bob.crt
	want 0 "openssl finds the mail" \
	    openssl verify -verify_email bob@example.org \
	    -CAfile certs/ca.crt certs/bob.crt
	want 0 "openssl reads the key" openssl pkey -in certs/bob.key -noout
	openssl pkey -in certs/bob.key -pubout >pub1 2>/dev/null
	openssl x509 -in certs/bob.crt -noout -pubkey >pub2 2>/dev/null
	cmp -s pub1 pub2
	result $? "key and certificate belong together"
	if command -v certtool >/dev/null; then
		want 0 "certtool --verify" certtool --verify \
		    --verify-profile medium \
		    --load-ca-certificate certs/ca.crt --infile certs/bob.crt
		want 0 "certtool reads the CA" certtool --certificate-info \
		    --infile certs/ca.crt
	fi
}

profile() {
	words_of certs/ca.crt
	has text 'CA:TRUE' "the CA is one"
	has text 'Certificate Sign, CRL Sign' "signs certificates and lists"
	! grep -q 'Extended Key Usage' text
	result $? "and has no extended key usage"
	words_of certs/bob.crt
	grep -A1 'Basic Constraints: critical' text | grep -q 'CA:FALSE'
	result $? "the certificate is none of a CA"
	grep -A1 'Key Usage: critical' text | grep -q '^ *Digital Signature$'
	result $? "may sign and nothing else"
	has text 'TLS Web Client Authentication, TLS Web Server Auth' \
	    "for clients and servers"
	has text 'DNS:localhost, email:bob@example.org, IP Address:127.0.0.1' \
	    "with the names in order"
	has text 'Subject Key Identifier' "with a key identifier"
	has text 'Authority Key Identifier' "and the CA's"
	openssl x509 -in certs/bob.crt -noout -serial |
	    grep -q '^serial=[4-7][0-9A-F]\{31\}$'
	result $? "the serial has 128 positive bits"
}

overwriting() {
	cp certs/bob.key before
	want 9 "an existing key is not replaced" "$selfy" -k bob -nopass
	has err '^selfy: certs/bob.key: exists already$' "names the file"
	has err '^try: selfy -renew bob   (or -force' "and says what to do"
	cmp -s certs/bob.key before
	result $? "and leaves it alone"
	want 9 "nor an existing CA" "$selfy" -ca -nopass
	rm certs/bob.key
	want 9 "nor a certificate without key" "$selfy" -k bob -nopass
	absent "and no half of a pair is made" certs/bob.key
	want 0 "-force replaces without a question" \
	    "$selfy" -k bob -e bob@example.org -nopass -force
	want 9 "another CA's directory is not mixed in" \
	    "$selfy" -k eve -p other -nopass
	has err 'certs/ca.crt: exists already' "names the CA that is in the way"
	absent "nothing is left of the attempt" other certs/eve.key
	want 0 "with its own directory it is made" \
	    "$selfy" -k eve -p other -o other/certs -nopass -quiet
	[ ! -s err ]
	result $? "-quiet says nothing on stderr"
	want 1 "its certificate is not of the first CA" \
	    "$selfy" -verify other/certs/eve.crt
	has out '^bad  other/certs/eve.crt  ' "says bad"
}

failing_writes() {
	mkdir -p half/certs/dan.crt
	want 9 "a directory in the way is noticed" \
	    "$selfy" -k dan -o half/certs -nopass
	rmdir half/certs/dan.crt
	if [ "$(id -u)" -ne 0 ]; then
		chmod 500 half/certs
		want 1 "a directory that cannot be written" \
		    "$selfy" -k dan -o half/certs -nopass
		chmod 700 half/certs
	else
		# Not even root renames a file over a directory.
		mkdir half/certs/dan.crt
		want 1 "-force does not replace a directory" \
		    "$selfy" -k dan -o half/certs -nopass -force
		rmdir half/certs/dan.crt
	fi
	absent "leaves no half behind" half/certs/dan.key half/certs/dan.crt
	want 1 "a full disk is told" \
	    sh -c "'$selfy' -v certs/bob.crt >/dev/full"
}

wrong_use() {
	want 2 "nothing to do" "$selfy"
	has err '^try: selfy -h$' "points to the help"
	want 2 "unknown option" "$selfy" -passs x -k x
	has err 'did you mean -pass' "guesses"
	want 2 "operand without -list" "$selfy" -ca foo
	for name in '' . .. ../x a/b -x a..b .hid ca "$(printf 'a\033[2Jb')" \
	    "$(printf 'a\nb')"; do
		want 2 "name refused: $(printf %s "$name" | od -An -c | tr -s ' ' | tr -d '\n')" \
		    "$selfy" "-k=$name" -nopass
	done
	for mail in bob @ a@ @b 'a b@c' 'a,b@c' "$(printf 'a@b\nc')" a@b@c; do
		want 2 "mail refused: $(printf %s "$mail" | tr '\n' '?')" \
		    "$selfy" -k x -e "$mail" -nopass
	done
	for san in 1.2.3.4.5 300.1.1.1 'a b' -a.example 'x,,y' IP:foo \
	    "$(printf 'a.\001b')"; do
		want 2 "host refused: $(printf %s "$san" | tr -d '\001')" \
		    "$selfy" -k x -san "$san" -nopass
	done
	for when in 2020-01-01 2035-13-01 2035-02-30 2035-1-1 tomorrow; do
		want 2 "date refused: $when" \
		    "$selfy" -k x -until "$when" -nopass
	done
	want 2 "-days and -until" \
	    "$selfy" -k x -days 1 -until 2040-01-01 -nopass
	want 2 "-days 0" "$selfy" -k x -days 0 -nopass
	want 2 "an option without its action" "$selfy" -why -list
	want 2 "a passphrase in the arguments" "$selfy" -k x -pass pass:hello
	has err 'visible in ps' "says why"
	absent "nothing was made" certs/x.key certs/x.crt
}

go_forms() {
	want 0 "-k=x -e=y -nopass=true" \
	    "$selfy" -k=g1 -e=g@h -nopass=true
	want 0 "--k x --nopass" "$selfy" --k g2 --e g@h --nopass
	want 0 "-- ends options" "$selfy" -list -- certs
	want 0 "-v FILE" "$selfy" -v certs/g1.crt
	want 0 "--v=FILE" "$selfy" --v=certs/g2.crt
	want 7 "-nopass=false asks" setsid -w \
	    "$selfy" -k g3 -e g@h -nopass=false
	has err '^selfy: certs/g3.key: no terminal to ask for a passphrase$' \
	    "and cannot without a terminal"
	has err '^try: -pass file:PATH, or -nopass$' "and says the way out"
	want 7 "-no-input never asks" "$selfy" -k g3 -e g@h -no-input
	absent "nothing was made" certs/g3.key certs/g3.crt
	want 0 "-help" "$selfy" -help
	[ "$(wc -l <out)" -le 24 ]
	result $? "the help fits a screen"
	want 0 "-version" "$selfy" -version
	has out '^selfy [0-9]' "names itself"
}

names_and_dates() {
	want 0 "-san, -cn and -days" "$selfy" -k web -e w@x -nopass -cn 'My Web' \
	    -san web.example,10.0.0.7,IP:fe80::1,localhost -days 10
	words_of certs/web.crt
	has text 'DNS:web.example, IP Address:10.0.0.7, IP Address:FE80:' \
	    "more names"
	[ "$(grep -o DNS:localhost text | wc -l)" -eq 1 ]
	result $? "none of them twice"
	has text 'Subject: CN *= *My Web' "the common name"
	openssl x509 -in certs/web.crt -noout -checkend 777600 >/dev/null &&
	    ! openssl x509 -in certs/web.crt -noout -checkend 950400 >/dev/null
	result $? "ends in ten days"
	want 0 "-until" "$selfy" -k until -e w@x -nopass -until 2031-02-03
	openssl x509 -in certs/until.crt -noout -enddate |
	    grep -q 'Feb  3 23:59:59 2031'
	result $? "to the second"
	want 0 "a short CA" "$selfy" -ca -p short -nopass -days 20 -cn Brief
	want 0 "never past the CA's end" \
	    "$selfy" -k late -e l@m -p short -o short/certs -nopass -days 400
	has err 'shortened: it ends with its CA' "says so"
	[ "$(openssl x509 -in short/ca.crt -noout -enddate)" = \
	    "$(openssl x509 -in short/certs/late.crt -noout -enddate)" ]
	result $? "both end together"
	want 0 "the original's words for time" "$selfy" -k orig -e l@m \
	    -p orig -o orig/certs -nopass -ca-validfor 48h -cert-validfor 24h
	openssl x509 -in orig/ca.crt -noout -checkend 169200 >/dev/null &&
	    ! openssl x509 -in orig/certs/orig.crt -noout -checkend 90000 \
	        >/dev/null
	result $? "are understood"
	want 0 "no mail" "$selfy" -k nomail -nopass
	has err '^selfy: no mail is given (-e), taking nomail@' "one calm line"
	want 0 "-o -" "$selfy" -k pipe -e p@q -nopass -o -
	openssl x509 -in out -noout 2>/dev/null &&
	    openssl pkey -in out -noout 2>/dev/null
	result $? "gives key and certificate on standard output"
	absent "and no file" certs/pipe.key certs/pipe.crt
	want 0 "RPCKIT_CERTS stands in for -o" \
	    env RPCKIT_CERTS=fromenv "$selfy" -k env -e p@q -nopass
	[ -s fromenv/env.crt ] && [ -s fromenv/ca.crt ]
	result $? "and is where the files are"
}

viewing() {
	want 0 "-v" "$selfy" -v certs/bob.crt
	has out '^  mail        bob@example.org$' "shows the mail"
	has out '^  key         SHA256:.... ' "and the key"
	has out '^  key id      pubkey@edwardsRPC-ed25519-b58c-9' \
	    "as known-keys files have it"
	want 0 "-v - -short" sh -c "'$selfy' -v - -short <certs/bob.crt"
	[ "$(wc -l <out)" -eq 1 ]
	result $? "is one line"
	want 0 "-v -json" "$selfy" -v certs/bob.crt -json
	has out '^{"schema":1,"kind":"certificate",.*"pem":"-----BEGIN' \
	    "has the PEM inside"
	cat certs/bob.crt certs/web.crt certs/ca.crt >three.pem
	want 0 "a file of three" "$selfy" -v three.pem -json
	[ "$(wc -l <out)" -eq 3 ]
	result $? "shows all"
	openssl x509 -in certs/bob.crt -outform DER -out bob.der
	want 0 "DER" "$selfy" -v bob.der
	want 1 "a private key is none" "$selfy" -v certs/bob.key
	has err '^try: selfy -fp ' "says how to see it"
	want 8 "no such file" "$selfy" -v nofile
	want 1 "no certificate" "$selfy" -v /dev/null
	mkfifo fifo
	want 1 "a pipe by name is refused, not waited for" "$selfy" -v fifo
	head -c 5300000 /dev/zero >big
	want 1 "a large file is refused" "$selfy" -v big
	want 1 "standard input has an end" \
	    sh -c "cat /dev/zero | '$selfy' -v -"
	"$selfy" -fp certs/bob.crt >fp1 2>err
	"$selfy" -fp certs/bob.key >fp2 2>err
	cmp -s fp1 fp2 && grep -q '^SHA256:[A-Za-z0-9+/]\{43\}$' fp1
	result $? "-fp of key and certificate is the same"
	"$selfy" -fp certs/bob.crt -words >words 2>err &&
	    head -n 1 words | cmp -s - fp1 &&
	    [ "$(sed 1d words | wc -lw | tr -s ' ')" = ' 1 10' ]
	result $? "-words says it in ten words, too"
	"$selfy" -fp certs/bob.key -words -json >out 2>err &&
	    grep -q "\"words\":\"$(sed 1d words)\"" out
	result $? "in JSON as well"
	want 2 "-words is of -fp" "$selfy" -v certs/bob.crt -words
	openssl x509 -in certs/bob.crt -noout -pubkey |
	    openssl pkey -pubin -outform DER |
	    openssl dgst -sha256 -binary | openssl base64 | tr -d '=\n' >fp3
	[ "SHA256:$(cat fp3)" = "$(cat fp1)" ]
	result $? "and what openssl makes of it"
}

# Names that would harm a terminal, in a certificate of another maker.
hostile() {
	openssl req -x509 -newkey ed25519 -nodes -keyout x.key -days 2 \
	    -subj "/CN=$(printf 'a\033]0;x\007\342\200\256b')" -utf8 \
	    -addext "subjectAltName=email:$(printf 'e\033[2J@x')" \
	    -out evil.crt 2>/dev/null
	for args in '-v evil.crt' '-v evil.crt -short' '-v evil.crt -json' \
	    '-verify evil.crt -why' '-fp evil.crt'; do
		# shellcheck disable=SC2086 # words are meant to split
		"$selfy" $args >out 2>err
		! cat out err | tr -d '\n' | grep -q '[[:cntrl:]]'
		result $? "no control byte from a name: $args"
	done
	"$selfy" -v evil.crt >out
	has out 'a\\x1b\]0;x\\x07\\u202eb' "but what it was"
	"$selfy" -v evil.crt -plain >out
	has out '	a\\x1b\]0;x\\x07\\u202eb	e\\x1b\[2J@x	' \
	    "and -plain says it in the same words"
	mkdir evil
	cp evil.crt evil
	"$selfy" -list evil >out
	has out ' e\\x1b\[2J@x ' "so does a table"
	"$selfy" -json -list evil >out
	has out '"mail":"e\\\\x1b\[2J@x"' "and JSON, which has quotes of its own"
	mv evil "$(printf 'ev\033[2Jil')"
	"$selfy" -plain -list "$(printf 'ev\033[2Jil')" >out
	has out '	ev\\x1b\[2Jil/evil.crt$' "what nobody has escaped is, once"
}

make_and_verify
other_verifiers
profile
overwriting
failing_writes
wrong_use
go_forms
names_and_dates
viewing
hostile
finish
