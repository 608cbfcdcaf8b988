#!/bin/sh
# Disks that are full: a small file system of the daemon's own, and /dev/full.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2154,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/files.sh
. "$SRC_DIR/tests/lib/files.sh"

to_server() {
	timeout 60 "$rpcsh" -s "$(url tcp)" "$@"
}

by() {
	to_server "$@"
}

# ---- a small disk ----

# As the daemon sees it: in its own name space.
seen() {
	ls -A "/proc/$daemon/root$tmp/shared"
}

small_disk() {
	cat >own <<-END
		#!/bin/sh
		mount -t tmpfs -o size=8M none "$tmp/shared" || exit 1
		exec "$rpcd" "\$@"
	END
	chmod +x own
	cat >within <<-END
		#!/bin/sh
		exec unshare $1 "$tmp/own" "\$@"
	END
	chmod +x within
	real=$rpcd
	rpcd=$tmp/within
	start 1 -f room.conf
	result $? 'the daemon starts on a small disk'
	rpcd=$real
	bytes 6000000 >six
	bytes 9000000 >nine
	timeout 60 python3 "$SRC_DIR/tests/lib/filepeer.py" leave \
		"$(url tcp | sed 's/.*://')" docs.put six six 4000000 2>err
	result $? 'four of six megabytes are there'
	want 0 'the rest needs no more than its own room' \
		by put docs.put six
	has err 'continued at [1-9]' 'and goes on'
	want 0 'it is whole' by get docs.get six --out six2
	same six six2 'with the same bytes'
	want 3 'a file larger than what is free' by put docs.put nine
	has err 'no space is left for it' 'says so'
	# Of unknown size: only writing tells.
	bytes 9000000 | by put docs.put - --as nine >out 2>err
	[ $? = 3 ] && grep -q 'no space is left for it' err
	result $? 'and a stream of bytes that is'
	[ "$(seen)" = six ]
	result $? 'nothing is left of it'
	rm "/proc/$daemon/root$tmp/shared/six"
	# What shall stay free does, whether the size is known or not.
	bytes 6000000 | by put most.put - --as six >out 2>err
	[ $? = 3 ] && grep -q 'no space is left for it' err
	result $? 'a stream of bytes leaves free what it is to leave'
	want 3 'and so does a file' by put most.put six
	[ -z "$(seen)" ]
	result $? 'nothing is left of them'
	stop
	result $? 'the daemon ends well'
}

# ---- the client's side ----

# told COMMAND...: standard output is full; one line says so.
told() {
	by "$@" </dev/null >/dev/full 2>err
	[ $? = 1 ] && [ "$(wc -l <err)" = 1 ] &&
		grep -q 'No space left on device' err
}

full_output() {
	start 1 -f room.conf
	result $? 'the daemon starts'
	bytes 3000000 >shared/long
	echo short >shared/short
	check 'a long file to a full standard output' \
		told get docs.get long --out -
	check 'a short one' told get docs.get short --out -
	stop
	result $? 'the daemon ends well'
}

# A folder may have so much, with what is below it and what is half there.
total() {
	start 1 -f room.conf
	result $? 'the daemon starts'
	bytes 600000 >six
	bytes 500000 >five
	bytes 400000 >four
	want 0 'there is room for 600 KB' by put few.put six
	want 3 'not for 500 KB more' by put few.put five
	has err 'the folder is full' 'says so'
	by put few.put - --as five <five >out 2>err
	[ $? = 3 ] && grep -q 'the folder is full' err
	result $? 'also when nobody knew before'
	absent few/five 'it is not there'
	[ "$(ls -A few)" = "$(printf 'below\nsix')" ]
	result $? 'and no half of it'
	want 0 'but for 400 KB' by put few.put four --as below/four
	want 3 'and no more' by put few.put four
	rm few/six
	until_ok by put few.put five
	result $? 'what others remove is free'
	stop
	result $? 'the daemon ends well'
}

mkdir -p shared few/below
cat >room.conf <<-END
	listen = tcp:127.0.0.1:0
	[files docs]
	root = $tmp/shared
	put = yes
	get = yes
	min-free = 0
	[files few]
	root = $tmp/few
	put = yes
	replace = yes
	min-free = 0
	max-total = 1M
	[files most]
	root = $tmp/shared
	put = yes
	min-free = 4M
END
full_output
total
rm -f shared/*
if unshare -m mount -t tmpfs none "$tmp/shared" 2>/dev/null; then
	small_disk -m
elif unshare -rm mount -t tmpfs none "$tmp/shared" 2>/dev/null; then
	small_disk -rm
else
	ok 'a small disk # SKIP no file systems can be mounted here'
fi
plan
