#!/bin/sh
# Replies of methods with structs: members by plain names, and data as it is.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/shell.sh
. "$SRC_DIR/tests/lib/shell.sh"

notes='{"a_zid00_str":"1","b_zid07_int":"2","b":"3","Count_zid01_int":"4"}'
given='{"Orders":[{"Item":"tea"}],"Last":{"Item":"ink","Count":7},"Notes":'$notes',
	"Since":"2026-11-02T12:04:31Z"}'

# holds FILE: a reply that has each member by its name, and the notes as they
# went, one in JSON a line.
holds() {
	python3 - "$1" "$notes" "${2:-}" <<-'END'
		import json, sys
		lines = open(sys.argv[1]).read().splitlines()
		assert lines
		for line in lines:
		    v = json.loads(line)
		    if sys.argv[3]:
		        v = v[sys.argv[3]]
		    assert set(v) == {"Orders", "Last", "Notes", "Since"}, v
		    assert v["Notes"] == json.loads(sys.argv[2]), v
		    assert v["Orders"] == [{"Item": "tea", "Count": 1}], v
		    assert v["Last"] == {"Item": "ink", "Count": 7}, v
		    assert v["Since"] == "2026-11-02T12:04:31Z", v
	END
}

check 'a server' start_own typedserver tcp://127.0.0.1:0 odd
want 0 'a call' plain Shop.Keep -d "$given" -o json
holds out 2>>err
result $? 'has keys of data as they are'
want 0 'in an object' plain --json Shop.Keep -d "$given"
holds out reply 2>>err
result $? 'too'
want 0 'watched' plain watch --every 10ms -n 2 Shop.Keep -d "$given"
holds out reply 2>>err
result $? 'too'
printf 'Shop.Keep -d %s --out none\n:last json\n' "'$(echo "$given" |
	tr -d '\n\t')'" >lines
want 0 'once more' plain -f lines
tail -n 1 out >last
holds last 2>>err
result $? 'too'
want 0 'its bytes' plain Shop.Keep -d "$given" -o raw
grep -qa 'Notes_zid02_map' out && grep -qa 'b_zid07_int' out
result $? 'are as they came'
stop >/dev/null
result $? 'the server stops'
plan
