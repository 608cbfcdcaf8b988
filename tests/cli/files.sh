#!/bin/sh
# Files put and got: byte by byte, and not where they must not.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2154,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/files.sh
. "$SRC_DIR/tests/lib/files.sh"

# ---- both ways ----

there_and_back() { # WHO SIZE
	bytes "$2" >source
	rm -f shared/one back
	want 0 "$1: put $2 bytes" "$1" put docs.put source --as one
	same source shared/one "$1: they are there"
	want 0 "$1: get them" "$1" get docs.get one --out back
	same source back "$1: they come back"
}

sizes() {
	for size in 0 1 65535 65536 65537 3000001; do
		there_and_back alice $size
	done
	there_and_back quic_alice 0
	there_and_back quic_alice 3000001
	[ "$(stat -c %a shared/one)" = 600 ]
	result $? 'what was put is for the daemon alone'
	[ "$(stat -c %a back)" = 644 ]
	result $? 'what was got is as the umask says'
	no_rest 'all that'
	has log 'docs.put one: 3000001 bytes (called by alice@example.org' \
		'the log says who'
}

answers() {
	rm -f shared/one back
	want 0 'put --json' alice --json put docs.put source --as one
	sum=$(python3 -c '
import hashlib, sys
h = hashlib.blake2b(open("source", "rb").read(), digest_size=32)
print(h.hexdigest())')
	has out "\"bytes\":3000001,\"resumed_at\":0,\"blake2b\":\"$sum\"" \
		'tells what was sent, and its BLAKE2b'
	want 0 'get --json' alice --json get docs.get one --out back
	has out "\"file\":\"back\",\"bytes\":3000001.*$sum" 'tells the same'
	rm -f back
	want 0 'get --quiet' alice --quiet get docs.get one --out back
	[ ! -s err ] && [ ! -s out ]
	result $? 'says nothing'
	want 0 'it is described' alice desc docs.put
	has out 'takes files' 'by its kind'
	alice desc over.put >out 2>err </dev/null
	has out 'may be replaced' 'or as the file says'
}

streams() {
	rm -f shared/piped
	alice put docs.put - --as piped <source >out 2>err
	result $? 'put - from a file on standard input'
	same source shared/piped 'it is all there'
	rm -f shared/piped
	bytes 200001 | alice put docs.put - --as piped >out 2>err
	result $? 'put - from a pipe'
	bytes 200001 | cmp -s - shared/piped
	result $? 'it is all there, too'
	alice get docs.get piped --out - 2>err | cmp -s - shared/piped
	result $? 'get --out - to a pipe'
	want 2 'put - without a name' alice put docs.put -
	has err 'standard input has no name: --as NAME' 'says what lacks'
	alice get docs.get one --out - 2>err | head -c 10 >/dev/null
	result $? 'a reader that has had enough'
	[ ! -s err ]
	result $? 'needs no words'
	alice get docs.get one --out - >/dev/full 2>err </dev/null
	[ $? = 1 ] && grep -q 'standard output' err
	result $? 'a full device does'
}

# Who gives or takes bytes may take its time: the connection lives meanwhile,
# and limits hold.
waiting() {
	mkfifo slow
	exec 7<>slow
	alice --timeout 500ms put docs.put - --as slowly <slow >out 2>err &
	ends_with 5 'put - ends in time while nothing comes'
	has err 'docs.put: not over after 0.500 s' 'and says so'
	alice --timeout 500ms get docs.get one --out - >slow 2>err </dev/null &
	ends_with 5 'get --out - ends in time while nobody reads'
	has err 'docs.get: not over after 0.500 s' 'and says so'
	exec 7>&-
	rm -f slow
}

# The last one in the background; what waits for ever is ended.
ends_with() { # STATUS TEXT
	last=$!
	if until_ok ended_or_zombie $last; then
		wait $last
		got=$?
	else
		kill -KILL $last
		got=never
	fi
	[ "$got" = "$1" ]
	result $? "$2 ($got)"
}

# ---- not this way ----

replacing() {
	echo first >shared/taken
	echo second >second
	want 3 'put what is there already' alice put docs.put second --as taken
	has err 'there is such a file already' 'says so'
	want 3 'put --force where it is not allowed' \
		alice put docs.put second --as taken --force
	has err 'files are not replaced here' 'says so'
	want 3 'put without --force where it is' \
		alice put over.put second --as taken
	[ "$(cat shared/taken)" = first ]
	result $? 'the file is as it was'
	want 0 'put --force where it is' \
		alice put over.put second --as taken --force
	same second shared/taken 'it has taken its place'
	[ "$(stat -c %a shared/taken)" = 640 ]
	result $? 'with the mode of the configuration'
	echo mine >mine
	want 9 'get to a file that is there' \
		alice get docs.get taken --out mine
	has err '^rpcsh: mine: exists already$' 'says so'
	has err '^try: --force' 'and what to do'
	[ "$(cat mine)" = mine ]
	result $? 'it is as it was'
	want 0 'get --force' alice get docs.get taken --out mine --force
	same second mine 'has taken its place'
	mkdir -p folder
	want 1 'get to a folder' alice get docs.get taken --out folder --force
	ln -sf mine link
	want 1 'get to a link' alice get docs.get taken --out link --force
	want 1 'get to a device' \
		alice get docs.get taken --out /dev/null --force
	[ -c /dev/null ] && [ -L link ] && [ -d folder ]
	result $? 'all three are what they were'
}

refusals() {
	want 3 'put what is too large' alice put over.put source --as large
	has err 'the file is too large' 'says so'
	bytes 1048577 | alice put over.put - --as large >out 2>err
	[ $? = 3 ]
	result $? 'also when nobody knew before'
	absent shared/large 'it is not there'
	want 3 'put where no space may be taken' alice put full.put second
	has err 'no space is left' 'says so'
	want 3 'what is allowed to others' mallory put over.put second
	want 3 'a folder that is not there' alice get gone.get x --out x
	has err 'cannot open the folder: no such file' 'says so'
	want 3 'a file that is not there' alice get docs.get nothing --out x
	absent x 'nothing is made of it'
	want 8 'a method that is not there' alice put docs.putt second
	want 8 'another' alice get docs.gett second --out x
	want 8 'no such file here' alice put docs.put nothing
	has err '^rpcsh: nothing: No such file' 'says so'
	mkfifo pipe
	want 1 'a pipe here' alice put docs.put pipe
	want 1 'a folder here' alice put docs.put folder
	want 2 'get without --out' alice get docs.get taken
	want 2 'put without a file' alice put docs.put
	no_rest 'refusals'
}

settings() {
	want 0 'rpcd -t' "$rpcd" -t -f files.conf
	want 0 'its settings' "$rpcd" -T -f files.conf
	has out '^\[files docs\]$' 'have the folders'
	has out '^max-size = 1M$' 'and their limits'
	has log 'files.conf:[0-9]*: .files gone.: .*/nowhere is no folder' \
		'the daemon has said which folder is not there'
	for line in 'root = relative' 'put = maybe' 'mode = 0777' \
		'allow = nobody' 'max-size = 2Y' 'colour = red'; do
		conf
		echo "$line" >>files.conf
		want 1 "[files] with $line" "$rpcd" -t -f files.conf
	done
	printf '[files x]\nroot = /\n' >bad.conf
	want 1 '[files] that serves nothing' "$rpcd" -t -f bad.conf
	has err 'neither put nor get is yes' 'says so'
	printf '[files x]\nget = yes\n' >bad.conf
	want 1 '[files] without a root' "$rpcd" -t -f bad.conf
	has err 'it has no root' 'says so'
	printf '[files x]\nroot = /\nget = yes\n[method x.get]\nexec = /bin/true\n' \
		>bad.conf
	want 1 'a method of the same name' "$rpcd" -t -f bad.conf
	has err 'has the name of one of its methods' 'says so'
}

serve
cp files.conf good.conf
sizes
answers
streams
waiting
replacing
refusals
settings
stop
result $? 'the daemon ends well'
plan
