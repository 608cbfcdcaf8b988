#!/bin/sh
# keyvault: keys in every form, in and out, and signatures.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

# import FILE: then it is the key of good.crt
imports() { # name, file, options
	name=$1 file=$2
	shift 2
	want 0 "import $name" kv import "$name" "$file" "$@"
	"$keyvault" pub "$name" --form pem >got 2>/dev/null
	cmp -s got want.pem
	result $? "is that key"
}

came_and_went() {
	fresh
	"$selfy" -quiet -k good -nopass
	openssl pkey -in certs/good.key -pubout >want.pem 2>/dev/null
	imports plain certs/good.key
	want 0 "export openssh" kv export plain --form openssh \
	    --file-pass file:fpass -o ssh.key
	mode ssh.key 600
	want 9 "not over a file" kv export plain --form openssh \
	    --file-pass file:fpass -o ssh.key
	imports openssh ssh.key --file-pass file:fpass
	# Half a minute of Argon2id in an instrumented program's memory.  There
	# is no file that Go wrote: test_keyfile compares the form field by
	# field with the one that is described.
	if [ -n "${RPCKIT_VAULT_STRESS:-}" ]; then
		want 0 "export rpc25519" kv export plain --form rpc25519 \
		    --file-pass file:fpass -o go.key
		imports rpc25519 go.key --file-pass file:fpass
	fi
	want 0 "export pkcs8" kv export plain --file-pass file:fpass -o p8.key
	want 0 "openssl reads it" openssl pkey -in p8.key \
	    -passin file:fpass -noout
	openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 2000 -in certs/good.key \
	    -passout file:fpass -out p8.openssl
	imports pkcs8 p8.openssl --file-pass file:fpass
	want 0 "export plain" kv export plain --plain-key -o raw.key
	want 0 "openssl reads that" openssl pkey -in raw.key -noout
	if command -v ssh-keygen >/dev/null; then
		want 0 "ssh-keygen reads its own form" \
		    ssh-keygen -y -P 'of the file' -f ssh.key
		cp out ssh.pub
		"$keyvault" pub openssh >got 2>/dev/null
		[ "$(cut -d' ' -f1,2 got)" = "$(cut -d' ' -f1,2 ssh.pub)" ]
		result $? "and sees the same key"
		rm -f made made.pub
		ssh-keygen -q -t ed25519 -a 2 -N 'of the file' -f made
		want 0 "a key of ssh-keygen's" kv import made made \
		    --file-pass file:fpass
	fi
	"$selfy" -quiet -gensym lab >/dev/null
	want 0 "import a PSK" kv import psk my-keep-private-dir/lab
	head -c 32 /dev/zero >zeros
	chmod 600 zeros
	want 1 "not one of zeros" kv import none zeros
	has err 'none: a pre-shared key of zeros' "says why"
	"$selfy" -psk-id my-keep-private-dir/lab >id
	want 0 "show it" "$keyvault" show psk
	has out "$(cat id)" "by the id that selfy shows"
	want 0 "export it" kv export psk --plain-key -o psk.raw
	cmp -s psk.raw my-keep-private-dir/lab
	result $? "the same bytes"
	want 2 "not encrypted" kv export psk --file-pass file:fpass
	want 1 "no key at all" kv import none pass
	has err 'neither PEM, nor of OpenSSH, nor 32 bytes' "says so"
	want 0 "but any bytes" kv import any pass --type secret
	want 0 "from standard input" sh -c \
	    "'$keyvault' --pass file:pass import any2 - --type secret <pass"
	want 0 "given out again" kv export any2 --plain-key
	cmp -s out pass
	result $? "as they were"
	want 0 "import-dir -n" kv import-dir certs -n
	has out 'certs/good.key *good .*can be imported' "says what would be"
	want 8 "and did nothing" "$keyvault" show good
	cp pass certs/bad.key
	want 1 "import-dir" kv import-dir certs
	has out 'certs/good.key *good .*imported' "took one"
	has out 'certs/bad.key *bad ' "and names the other"
	want 0 "which is there" "$keyvault" show good
	mkdir lay lay/certs lay/my-keep-private-dir lay/other
	cp certs/good.key lay/certs/n1.key
	cp certs/good.key lay/my-keep-private-dir/ca.key
	cp certs/good.key lay/other/not.key
	want 0 "import-dir of where selfy ran" kv --plain import-dir lay
	[ "$(cut -f 2 out | tr '\n' ' ')" = 'n1 ca ' ]
	result $? "takes keys of both its folders, and of no other"
	want 8 "import-dir of a folder without" kv import-dir lay/..//v
	has err 'has no NAME.key in it' "says so"
	odd_files
}

# What is no plain file, or has a name that nobody should see as it is.
odd_files() {
	mkdir odd odd/dir.key
	mkfifo odd/pipe.key
	ln -s /dev/zero odd/zero.key
	ln -s loop.key odd/loop.key
	ln -s nowhere odd/gone.key
	cp pass "odd/$(printf 'a\033[31mb').key"
	cp pass odd/-dash.key
	printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n' \
	    '-----END OPENSSH PRIVATE KEY-----' >"odd/$(printf 'a\nb').key"
	cp certs/good.key odd/-good.key
	want 1 "import-dir -n of odd files" kv --plain import-dir odd -n
	! grep -q 'can be imported' out
	result $? "finds none to be taken"
	has out '	-good: the name begins with a dash$' "and why"
	want 1 "import-dir of odd files" kv --plain import-dir odd
	[ "$(wc -l <out)" -eq 9 ] && ! grep -q imported out
	result $? "takes none, and says a line of each"
	# Once, in each of its columns.
	has out '^odd/a.x1b.31mb.key	a.x1b.31mb	-	odd/a[\]x1b.31mb.key: ' \
	    "as it can be shown"
	has out '	odd/a[\]x0ab.key: is no whole OpenSSH key file' "nor OpenSSH's"
	has out 'zero.key: is a device' "nor a device"
	has out 'pipe.key: is a pipe' "nor a pipe"
}

# OpenSSL is loaded for encrypted key files alone: all else is done without.
loads_late() {
	fresh
	want 0 "a key" kv new one
	openssl genpkey -algorithm ed25519 -out bare.key 2>/dev/null
	want 0 "an encrypted key file" kv export one --file-pass file:fpass \
	    -o sealed.key
	mkdir -p broken
	: >"broken/$(basename "$(ls -- /lib*/*/libcrypto.so.[0-9]* \
	    /usr/lib*/libcrypto.so.[0-9]* \
	    /usr/lib*/*/libcrypto.so.[0-9]* 2>/dev/null | head -n 1)")"
	want 0 "show it without OpenSSL" env LD_LIBRARY_PATH="$PWD/broken" \
	    "$keyvault" show one
	want 0 "list it" env LD_LIBRARY_PATH="$PWD/broken" "$keyvault" ls
	want 0 "write a key file that is not encrypted" env \
	    LD_LIBRARY_PATH="$PWD/broken" "$keyvault" --pass file:pass \
	    export one --plain-key
	want 0 "or of OpenSSH's" env LD_LIBRARY_PATH="$PWD/broken" \
	    "$keyvault" --pass file:pass export one --plain-key --form openssh \
	    -o bare.ssh
	want 0 "read one" env LD_LIBRARY_PATH="$PWD/broken" "$keyvault" \
	    --pass file:pass import bare bare.key
	want 0 "and one of OpenSSH's" env LD_LIBRARY_PATH="$PWD/broken" \
	    "$keyvault" --pass file:pass import ssh bare.ssh
	want 1 "no encrypted one" env LD_LIBRARY_PATH="$PWD/broken" \
	    "$keyvault" --pass file:pass import two sealed.key \
	    --file-pass file:fpass
	has err 'libcrypto\.so' "says what is not there"
	! grep -q 'assphrase' err
	result $? "and nothing of a passphrase"
	want 1 "nor is it written" env LD_LIBRARY_PATH="$PWD/broken" \
	    "$keyvault" --pass file:pass export one --file-pass file:fpass \
	    -o two.key
	has err 'libcrypto\.so' "for the same reason"
	# One that has nothing of it, and is a library.
	crypto=$(find broken -name 'libcrypto.so*')
	cp "$(ldd "$keyvault" | sed -n 's/.* => \(.*sodium.*\) (.*/\1/p')" \
	    "$crypto"
	want 1 "no key file by another library" env \
	    LD_LIBRARY_PATH="$PWD/broken" "$keyvault" --pass file:pass --json \
	    export one --file-pass file:fpass -o one.key
	has err '"code":"unsupported"' "says it as all else"
	has err 'libcrypto\.so[.0-9]*: has no EVP_' "and what is not there"
	want 0 "with OpenSSL" kv export one --plain-key
}

signatures() {
	fresh
	echo 'a request' >file
	want 0 "sign" kv sign deploy-ca file
	want 0 "verify" "$keyvault" verify --key deploy-ca file file.sig
	has out '^ok  file  SHA256:' "says yes"
	"$keyvault" pub deploy-ca >ca.pub
	want 0 "verify by a file" "$keyvault" verify --pub ca.pub file file.sig
	want 1 "for another purpose" "$keyvault" verify --key deploy-ca \
	    --ns other file file.sig
	has out 'another purpose' "says so"
	want 9 "a signature is not replaced" kv sign deploy-ca file
	want 0 "sign standard input" sh -c \
	    "'$keyvault' --pass file:pass sign deploy-ca - --ns git <file >i.sig"
	want 0 "in that context" "$keyvault" verify --key deploy-ca --ns git \
	    file i.sig
	want 1 "nothing, where it is closed" sh -c \
	    "'$keyvault' --pass file:pass sign deploy-ca - <&-"
	[ ! -s out ]
	result $? "and no signature of nothing"
	want 1 "nor is a secret read there" sh -c \
	    "'$keyvault' --pass file:pass import none - --type secret <&-"
	has err 'Bad file descriptor' "and why not is said"
	if command -v ssh-keygen >/dev/null; then
		echo "ca@x $(cut -d' ' -f1,2 ca.pub)" >allowed
		want 0 "ssh-keygen verifies it" sh -c \
		    'ssh-keygen -Y verify -f allowed -I ca@x -n file -s file.sig <file'
		rm -f file.sig
		if ssh-keygen -q -t ed25519 -N '' -f s && ssh-keygen -q -Y sign \
		    -n file -f s file; then
			want 0 "and is verified" "$keyvault" verify \
			    --pub s.pub file file.sig
		fi
	fi
	echo more >>file
	want 1 "another file" "$keyvault" verify --key deploy-ca --ns git \
	    file i.sig
	has out '^bad  file  this is not what was signed' "says no"
	want 2 "a PSK does not sign" kv sign lab.psk pass
	want 1 "no signature" "$keyvault" verify --key deploy-ca file file
	want 2 "whose?" "$keyvault" verify file i.sig
	has err 'give --key NAME or --pub FILE' "is asked"
	want 0 "the log" "$keyvault" log
	has out 'sign *deploy-ca: git sha512 ' "has what was signed"
}

came_and_went
loads_late
signatures
finish
