#!/bin/sh
# selfy under abuse: certificates that peers refuse, other runs at the same
# time, what a crash left, directories and clocks that are odd.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/selfy.sh
. "$(dirname "$0")/../lib/selfy.sh"

ca=my-keep-private-dir

# signed NAME LINE...: NAME.crt, by our CA, with these lines of extensions.
signed() {
	file=$1
	shift
	printf '%s\n' "$@" >exts
	openssl x509 -req -in any.csr -CA $ca/ca.crt -CAkey $ca/ca.key \
	    -days 9 -extfile exts -out "$file.crt" 2>/dev/null
}

# verdict STATUS TEXT NAME: what -verify says about NAME.crt.
verdict() {
	want "$1" "verify: $2" "$selfy" -verify "$3.crt"
}

# The same rules as those of the library, so that a yes is one.
peers_rules() {
	want 0 "a CA and a key" "$selfy" -k bob -e b@c -nopass
	openssl req -new -newkey ed25519 -nodes -keyout any.key -subj /CN=x \
	    -out any.csr 2>/dev/null
	san=subjectAltName=DNS:localhost
	signed plain "$san"
	verdict 0 "an ordinary one of another maker" plain
	signed server "$san" extendedKeyUsage=serverAuth
	verdict 0 "for servers" server
	has out '  server only$' "says that it is for no client"
	signed client subjectAltName=email:a@b extendedKeyUsage=clientAuth
	verdict 0 "for clients, who need no name" client
	has out '  client only$' "says that it is for no server"
	signed noname subjectAltName=DNS:example.org
	verdict 1 "for servers, without the name" noname
	has out 'rpc25519' "which says whose clients want it"
	signed sign "$san" extendedKeyUsage=codeSigning
	verdict 1 "for neither" sign
	signed keysign "$san" keyUsage=digitalSignature,keyCertSign
	verdict 1 "may sign certificates" keysign
	signed policy "$san" certificatePolicies=critical,1.2.3.4
	verdict 1 "critical policies, which peers do not know" policy
	has out 'critical extension' "says why"
	signed limits "$san" 'nameConstraints=critical,permitted;DNS:localhost'
	verdict 1 "critical constraints" limits
	signed comma subjectAltName=@alt '[alt]' DNS.1=localhost email.1=a,c@b
	verdict 1 "a comma in a mail, which would make two of it" comma
	signed mail8 "$san,email:$(printf '\303\251')@b"
	verdict 1 "a mail that is not ASCII" mail8
	signed long "$san,URI:http://$(printf '%20000d' 0)"
	verdict 1 "larger than peers take" long
	want 0 "-why says it rule by rule" "$selfy" -verify plain.crt -why
	[ "$(grep -c '^  ok ' out)" -ge 9 ]
	result $? "and all are kept"
}

odd_cas() {
	mkdir odd
	cp $ca/ca.crt $ca/ca.key odd
	openssl req -x509 -key odd/ca.key -subj '/CN=odd' -days 9 -out odd/ca.crt \
	    -addext basicConstraints=critical,CA:TRUE \
	    -addext keyUsage=critical,keyCertSign,cRLSign \
	    -addext certificatePolicies=critical,1.2.3.4 2>/dev/null
	want 6 "a CA that peers cannot understand signs nothing" \
	    "$selfy" -k x -e a@b -p odd -o odd/certs -nopass
	want 6 "nor verifies" "$selfy" -p odd -verify certs/bob.crt
	# The last byte is the signature's.
	openssl x509 -in $ca/ca.crt -outform DER | head -c -1 >odd.der
	printf '\377' >>odd.der
	openssl x509 -inform DER -in odd.der -out odd/ca.crt
	want 6 "a CA whose own signature is bad" \
	    "$selfy" -p odd -verify certs/bob.crt
}

# What a crash between two writes leaves must not stand in the way.
after_a_crash() {
	serial=$(openssl x509 -in certs/bob.crt -noout -serial |
	    cut -d= -f2 | tr A-F a-f)
	cp certs/bob.crt "certs/bob.crt.$serial"
	cp certs/bob.key "certs/bob.key.$serial"
	want 0 "-renew after a crash that kept the old ones" \
	    "$selfy" -renew bob -newkey -nopass
	want 0 "makes a pair" "$selfy" -verify certs/bob.crt -why
	has out "it is the certificate's" "that fits"
	serial=$(openssl x509 -in certs/bob.crt -noout -serial |
	    cut -d= -f2 | tr A-F a-f)
	echo other >"certs/bob.crt.$serial"
	want 9 "but nothing else of that name is replaced" "$selfy" -renew bob
	rm "certs/bob.crt.$serial"
	# Between the two files of a new pair.
	cp certs/bob.key "certs/bob.key.$serial"
	openssl genpkey -algorithm ed25519 -out certs/bob.key 2>/dev/null
	cp certs/bob.key half
	want 0 "-renew -newkey with a key of no certificate" \
	    "$selfy" -renew bob -newkey -nopass
	cmp -s half "certs/bob.key.$serial.2"
	result $? "keeps that too"
	want 0 "and mends the pair" "$selfy" -verify certs/bob.crt -why
	mv certs/bob.crt real.crt
	ln -s ../real.crt certs/bob.crt
	want 0 "a link is renewed as what it is" "$selfy" -renew bob
	[ ! -L certs/bob.crt ]
	result $? "a file comes in its place"
	mkdir half-ca
	cp $ca/ca.key half-ca
	want 8 "a CA of which there is only the key" \
	    "$selfy" -k h -e a@b -p half-ca -o half-ca/certs -nopass
	has err '^try: copy it back ' "says what to do"
}

# all_of STATUS...: how the runs of last time ended.
together() {
	sums=
	for pid in $pids; do
		wait "$pid"
		sums="$sums $?"
	done
}

at_once() {
	pids=
	for name in n1 n2 n3 n4; do
		"$selfy" -k $name -e a@b -nopass -p new -o new/certs -quiet \
		    </dev/null >"out.$name" 2>&1 &
		pids="$pids $!"
	done
	together
	[ "$sums" = " 0 0 0 0" ]
	result $? "four first runs at once succeed ($sums )"
	good=0
	for name in n1 n2 n3 n4; do
		"$selfy" -p new -verify new/certs/$name.crt >/dev/null 2>&1 &&
		    good=$((good + 1))
	done
	[ $good -eq 4 ]
	result $? "with one CA for all"
	pids=
	for serial in 1 2 3 4 5; do
		"$selfy" -revoke 0x$serial -p new -o new/certs -quiet \
		    </dev/null >out 2>&1 &
		pids="$pids $!"
	done
	together
	[ "$sums" = " 0 0 0 0 0" ]
	result $? "five revocations at once ($sums )"
	"$selfy" -v new/ca.crl >out 2>err
	has out '^  revoked     5$' "are all on the list"
	pids=
	for i in 1 2 3 4; do
		"$selfy" -renew n1 -newkey -nopass -p new -o new/certs -quiet \
		    </dev/null >out.$i 2>&1 &
		pids="$pids $!"
	done
	together
	lost=0
	for status in $sums; do
		case $status in
		0 | 9 | 10) ;;
		*) lost=$((lost + 1)) ;;
		esac
	done
	kept=$(find new/certs -name 'n1.crt.*' | wc -l)
	done=$(echo "$sums" | tr ' ' '\n' | grep -c '^0$')
	[ $lost -eq 0 ] && [ "$kept" -eq "$done" ]
	result $? "of renewals at once none is lost ($sums )"
	want 0 "and the last is a pair" \
	    "$selfy" -p new -verify new/certs/n1.crt -why
	if command -v flock >/dev/null; then
		want 10 "a CA that is held" flock new/ca.lock \
		    "$selfy" -crl -p new -o new/certs
		has err '^selfy: new/ca.lock: locked by another process$' \
		    "is told"
	fi
}

same_directory() {
	want 0 "one directory for all" \
	    "$selfy" -k one -e a@b -nopass -p all -o ./all/
	want 0 "also another time" \
	    "$selfy" -k two -e a@b -nopass -p ./all -o all
	want 0 "and its list" "$selfy" -crl -p all -o all/.
	[ "$(grep -c 'ca.crl' err)" -eq 1 ]
	result $? "is written once"
	want 0 "a revocation there" "$selfy" -revoke all/two.crt -p all -o all
	want 1 "counts" "$selfy" -p all -o all -verify all/two.crt
	want 0 "the other is well" "$selfy" -p all -o all -verify all/one.crt
}

closed_directories() {
	[ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || return
	mkdir -m 755 other
	chown 1234 other
	chmod 755 .
	user="setpriv --reuid 1234 --regid 1234 --clear-groups"
	cd other || exit 1
	# shellcheck disable=SC2086 # words are meant to split
	{
		want 0 "as another user" $user "$selfy" -k a -e a@b -nopass
		chmod 0 $ca
		want 1 "a CA that cannot be looked at is not absent" \
		    $user "$selfy" -k b -e a@b -nopass
		has err "^selfy: $ca/ca.crt: Permission denied$" "but closed"
		chmod 500 $ca
		want 0 "one that cannot be written can sign" \
		    $user "$selfy" -k b -e a@b -nopass
		chmod 700 $ca
		chmod 0 certs/b.key
		want 1 "what could not be put back is not replaced" \
		    $user "$selfy" -k b -e a@b -nopass -force
		has err '^selfy: certs/b.key: Permission denied$' "says so"
	}
	cp out err ..
	cd ..
}

words() {
	want 2 "-renew copies the mail" "$selfy" -renew bob -e x@y
	want 1 "no PEM at all" "$selfy" -chpass /etc/passwd -nopass
	has err 'holds nothing in PEM' "is called that"
	cat certs/bob.key any.key >two.key
	chmod 600 two.key
	"$selfy" -fp two.key >out 2>err
	[ "$(wc -l <out)" -eq 1 ]
	result $? "a file has one key: the first"
	(umask 077 && : >empty && printf 'p' >pw)
	want 2 "an empty passphrase" "$selfy" -k e -e a@b -pass file:empty
	has err '^selfy: certs/e.key: empty passphrase$' "is told for what"
	want 2 "a closed descriptor" "$selfy" -k e -e a@b -pass fd:99
	has err '^selfy: -pass: fd:99: not open$' "names the option"
	mkdir dir
	mkdir dir/x.crt
	want 1 "-expiring lists what cannot be read" \
	    "$selfy" -expiring 1d -plain dir
	has out '^x	unreadable	' "as that"
	want 4 "nobody there" "$selfy" -v '[::1]:1'
	has err '^selfy: \[::1\]:1: ' "keeps the brackets"
	[ "$(wc -l <err)" -eq 1 ]
	result $? "and says only that"
}

# Numbers that make a stolen file cheap to try, and a passphrase that is wrong.
weak_key_file() {
	{
		echo '-----BEGIN ENCRYPTED PRIVATE KEY-----'
		echo 'AESGCM.Nonce: 70a279c2830221a20b7b7a53'
		echo 'Argon2id.Iterations: 1'
		echo 'Argon2id.KeyLength: 32'
		echo 'Argon2id.Memory: 8'
		echo 'Argon2id.Salt: 1200234fa708321725d63316a6a804e1'
		echo 'Argon2id.Threads: 1'
		echo 'CipherSuite: "AES-GCM"'
		echo
		head -c 76 /dev/zero | openssl base64
		echo '-----END ENCRYPTED PRIVATE KEY-----'
	} >weak.key
	chmod 600 weak.key
	want 7 "a wrong passphrase" "$selfy" -fp weak.key -pass file:pw
	has err '^selfy: weak.key: wrong passphrase, or the file is damaged$' \
	    "or a damaged file: nobody can tell"
	has err '^selfy: weak.key: weak key derivation' "and the weakness is told"
}

clocks() {
	command -v cc >/dev/null || return
	cat >clock.c <<-'END'
		#include <stdlib.h>
		#include <time.h>
		time_t
		time(time_t *t)
		{
		        time_t now = (time_t)atoll(getenv("CLOCK"));

		        if (t != NULL)
		                *t = now;
		        return now;
		}
	END
	cc -shared -fPIC -o clock.so clock.c 2>/dev/null || return
	# A sanitizer wants to be loaded first.
	LD_PRELOAD=./clock.so CLOCK=0 "$selfy" -version >out 2>&1 || return
	for when in -1 253402300800; do
		want 1 "a clock at $when" env LD_PRELOAD=./clock.so \
		    CLOCK=$when "$selfy" -k t -e a@b -p t -o t/certs -nopass
		has err '^selfy: the clock ' "is noticed"
	done
	want 0 "shortly before the end of time" env LD_PRELOAD=./clock.so \
	    CLOCK=253402300000 "$selfy" -k t -e a@b -p t -o t/certs -nopass
	openssl x509 -in t/ca.crt -noout -enddate >out
	has out 'Dec 31 23:59:59 9999' "the CA ends there"
	want 6 "a CA that begins later signs nothing" env \
	    LD_PRELOAD=./clock.so CLOCK=1000 "$selfy" -k u -e a@b -nopass
	has err 'is valid from .* on, and the clock says 1970-' "says why"
	absent "nothing was made" certs/u.key certs/u.crt
}

peers_rules
odd_cas
after_a_crash
at_once
same_directory
closed_directories
words
weak_key_file
clocks
finish
