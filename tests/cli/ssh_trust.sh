#!/bin/sh
# Whom sessions let in, with real programs: a person decides, open ones are
# closed, other keys are noticed at a terminal, pre-shared keys do not fit.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
# Functions are called by name.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"
# shellcheck source=tests/lib/term.sh
. "$SRC_DIR/tests/lib/term.sh"
unset SSH_AUTH_SOCK

keys_and_conf() {
	mkdir -m 700 .ssh
	for name in .ssh/id_ed25519 host tcp unix udp other; do
		ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$name" \
			</dev/null >>out 2>&1 || return 1
	done
	install -m 600 /dev/null known_client_keys
	cat >ask.conf <<-END
		listen = ssh+tcp:127.0.0.1:0
		listen = ssh+unix:$tmp/sock
		listen = ssh+udp:127.0.0.1:0
		admin = $tmp/admin
		ssh-key = $tmp/host
		trust = ask
	END
	for name in lab ops odd; do
		"$selfy" -gensym $name.psk -p . >>out 2>&1 || return 1
	done
	cat >psk.conf <<-END
		listen = ssh+tcp:127.0.0.1:0
		listen = ssh+unix:$tmp/sock
		listen = ssh+udp:127.0.0.1:0
		admin = none
		ssh-key = $tmp/host
		ssh-peers = $tmp/.ssh/id_ed25519.pub
		psk = lab.psk
		psk = ops.psk
		[method who]
		exec = /usr/bin/printenv RPCKIT_PEER_FP
		[method lab.only]
		exec = /bin/echo secret
		psk = lab
	END
}

# by KIND WORDS...: rpcsh to that listener.
by() {
	kind=$1
	shift
	timeout 60 "$rpcsh" -s "$(url "$kind")" --ssh-peers host.pub "$@"
}

print_of() {
	ssh-keygen -l -f "$1" | cut -d ' ' -f 2
}

ctl() {
	"$rpcd" ctl --socket admin "$@"
}

key_that() { # STATE: the first of these
	ctl trust ls --state "$1" --plain | grep -o 'SHA256:[^	]*' | head -n 1
}

# decided KIND VERB: one waits, is let in, and is put out while it is here.
decided() {
	"$rpcsh" -s "$(url "ssh+$1")" --ssh-key "$1" --ssh-peers host.pub \
		ping -n 10000 -i 100ms </dev/null >"$1.out" 2>"$1.err" &
	guest=$!
	daemons="$daemons $guest"
	has log "ssh-keygen -l: $(print_of "$1.pub")) waits for a decision" \
		"ssh+$1: a new key waits, under the name that it has for SSH"
	[ ! -s "$1.out" ]
	result $? 'and hears nothing'
	fp=$(key_that waiting)
	check 'a person lets it in' ctl trust approve "$fp"
	until_ok grep -q '^reply 2' "$1.out"
	result $? 'on the connection that waited'
	case $2 in
	revoke) check 'and revokes it' ctl trust revoke "$fp" ;;
	reject)
		id=$(ctl conns --plain | grep "$fp" | cut -f 1)
		check 'and puts it out' ctl kick "$id" --reject
		;;
	esac
	wait "$guest"
	status=$?
	# 6 where the end comes soon enough to tell what it means, else 4.
	[ "$status" = 6 ] || [ "$status" = 4 ]
	result $? 'the open session is closed'
	has log "closed: .*$fp.* was $3" 'says rpcd'
	until_ok sh -c "! '$rpcd' ctl --socket admin conns --plain |
		grep -q '$fp'"
	result $? 'and has it no more'
	want 6 'and it stays out' by "ssh+$1" --ssh-key "$1" ping -n 1
	has err 'the peer refuses our key' 'is told'
}

# Who has no key, or another, cannot tell that there is anybody.
mismatch_udp() {
	want 5 'nobody is at ssh+udp for who has another' by ssh+udp \
		--psk odd.psk --connect-timeout 500ms who
	has err 'no answer while connecting: .*pre-shared key odd (id' \
		'is said here'
	has err '^try: selfy -psk-id FILE' 'and what to compare'
	want 5 'and for who has none' by ssh+udp --connect-timeout 500ms who
	has err 'no answer while connecting: .*may want a pre-shared key' \
		'is told'
	has err '^try: --psk FILE' 'and what may be missing'
}

mismatch() {
	for kind in ssh+udp ssh+tcp ssh+unix; do
		want 0 "the pre-shared key over $kind" by $kind --psk lab.psk who
		want 0 'a method for it' by $kind --psk lab.psk lab.only
		want 3 'not for who has another' \
			by $kind --psk ops.psk lab.only
		if [ $kind = ssh+udp ]; then
			mismatch_udp
			continue
		fi
		want 6 'one that rpcd has not' by $kind --psk odd.psk who
		has err 'pre-shared key odd (id .*): .*it has none, or another' \
			'is said here'
		has log "pre-shared key (id .*) is not known here" 'and there'
		want 6 'and none' by $kind who
		grep -q 'may want a pre-shared key' err &&
			grep -q '^try: --psk FILE' err
		result $? 'is told what may be missing'
	done
	has log 'uses no pre-shared key, and one is required' 'says rpcd'
}

# The key is another than the one known, and the person at a terminal sees it.
changed() {
	port=$(sed -n 's|^listening ssh+tcp .*:||p' ready)
	want 0 'a person says yes' timeout 60 "$rpcsh" --trust accept-new \
		-s "$(url ssh+tcp)" --psk lab.psk who
	stop
	start_again 1 --listen "ssh+tcp:127.0.0.1:$port" --admin none \
		--ssh-key other --ssh-peers .ssh/id_ed25519.pub --psk lab.psk
	result $? 'rpcd with another key'
	prompt 100 24
	keys "clear; $rpcsh -s $(url ssh+tcp) --psk lab.psk who; echo END-\$?" \
		Enter
	shows 'KEY CHANGED' 'another key is told of on a terminal'
	shows '^END-6$' 'and nothing is called'
	keys exit Enter
}

if ! command -v ssh-keygen >/dev/null || ! command -v tmux >/dev/null; then
	echo '1..0 # skip no ssh-keygen or tmux'
	exit 0
fi
check 'keys' keys_and_conf
check 'rpcd asks' start 3 -f ask.conf
decided tcp revoke revoked
decided unix reject rejected
decided udp revoke revoked
stop
result $? 'stopped'
check 'rpcd with pre-shared keys' start 3 -f psk.conf
mismatch
changed
stop
result $? 'stopped'
echo "1..$n"
exit $failed
