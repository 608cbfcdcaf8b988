#!/bin/sh
# keyvault's agent with OpenSSH's own programs and git: keys listed, files and
# commits signed, a login; and what it does not do for them.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.

# shellcheck source=tests/lib/keyvault.sh
. "${SRC_DIR:?}/tests/lib/keyvault.sh"

for program in ssh ssh-add ssh-keygen git; do
	command -v $program >/dev/null && continue
	echo "1..0 # SKIP no $program here"
	exit 0
done
unset SSH_AGENT_PID GIT_DIR GIT_WORK_TREE
GIT_CONFIG_GLOBAL=/dev/null
GIT_CONFIG_NOSYSTEM=1
export GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM
echo content >file

listed() {
	fresh
	want 0 "a key to log in with" kv new laptop
	want 0 "that is for SSH" kv tag laptop use:ssh
	want 0 "an agent that serves SSH" agent_start --ssh
	mode run/a.sock.ssh 600
	want 1 "ssh-add -l, locked" ssh-add -l
	has out 'The agent has no identities' "has none"
	want 0 "unlock" kv unlock
	want 0 "ssh-add -L" ssh-add -L
	"$keyvault" pub laptop >laptop.pub
	cmp -s out laptop.pub
	result $? "is what keyvault says, and no key that is for other uses"
	want 0 "ssh-add -l" ssh-add -l
	has out '^256 SHA256:.* laptop (ED25519)$' "names it"
	sum=$(cut -d ' ' -f 2 out)
	want 0 "show" "$keyvault" show laptop
	has out "^in ssh  *$sum\$" "has that name, too"
	want 1 "ssh-add -T, which has nonsense signed" ssh-add -T laptop.pub
	has err 'agent refused operation' "gets nothing"
}

# Openers of nonsense, of another program, of this one.
only() {
	want 2 "unlock for what is nothing" kv unlock --only-for ssh:x laptop
	has err 'ssh:x: is no purpose' "says what there is"
	want 2 "unlock for no word" kv unlock --only-for '' laptop
	has err '^keyvault: --only-for: is empty' "says so"
	want 0 "unlock for another program" kv unlock --only-for /bin/cat laptop
	want 255 "is for no other" ssh-keygen -Y sign -n mail -f laptop.pub file
	want 0 "unlock for files of keyvault's" kv unlock --only-for file laptop
	want 255 "is not for SSH's" ssh-keygen -Y sign -n mail -f laptop.pub file
	want 0 "unlock for ssh-keygen" kv unlock --only-for ssh \
	    --only-for "$(readlink -f "$(command -v ssh-keygen)")" laptop
	want 0 "is for that" ssh-keygen -Y sign -n mail -f laptop.pub file
	rm file.sig
	want 0 "unlock" kv unlock laptop
}

signed() {
	echo "me@example.org $(cat laptop.pub)" >signers
	want 0 "ssh-keygen -Y sign" ssh-keygen -Y sign -n mail -f laptop.pub file
	want 0 "ssh-keygen -Y verify" sh -c 'ssh-keygen -Y verify -f signers \
	    -I me@example.org -n mail -s file.sig <file'
	want 255 "in its context only" sh -c 'ssh-keygen -Y verify -f signers \
	    -I me@example.org -n file -s file.sig <file'
	want 0 "keyvault verify" "$keyvault" verify --ns mail --key laptop \
	    file file.sig
	want 0 "keyvault log" "$keyvault" log
	has out 'sign  *laptop: agent: a file, context mail, .*ssh-keygen' \
	    "has whose it was"
	want 6 "keyvault itself signs nothing with a key for SSH" "$keyvault" \
	    --no-input sign laptop file -o -
}

committed() {
	git init -q repo
	git -C repo config user.name Me
	git -C repo config user.email me@example.org
	git -C repo config gpg.format ssh
	git -C repo config user.signingkey "$tmp/laptop.pub"
	git -C repo config gpg.ssh.allowedSignersFile "$tmp/signers"
	want 0 "git commit -S" git -C repo commit -q -S --allow-empty -m signed
	want 0 "git verify-commit" git -C repo verify-commit HEAD
	has err 'Good "git" signature for me@example.org' "is good"
}

# A server without a port, at the other end of a pipe; where we are root, it is
# somebody else.  (Without PAM it would want to read passwords.)
serve_login() {
	PATH=$PATH:/usr/sbin
	server=$(command -v sshd) || return 1
	ssh-keygen -q -t ed25519 -N '' -f host || return 1
	user=$(id -un)
	as=
	if [ "$(id -u)" -eq 0 ]; then
		user=nobody
		as="setpriv --reuid=$(id -u nobody) --regid=$(id -g nobody) \
		    --clear-groups"
		chmod 711 "$tmp" "${TEST_TMP:-$tmp}"
		chown nobody host
	fi
	cat >sshd.conf <<-END
		HostKey $tmp/host
		AuthorizedKeysFile $tmp/laptop.pub
		StrictModes no
		UsePAM yes
		PidFile none
		PasswordAuthentication no
	END
	$as cat sshd.conf host >/dev/null 2>&1 &&
		$as "$server" -t -f "$tmp/sshd.conf" >/dev/null 2>&1
}

log_in() {
	# Whether it may run a program is the account's matter.
	ssh -v -F /dev/null -o HostKeyAlias=there -o BatchMode=yes \
	    -o UserKnownHostsFile="$tmp/known" -o GlobalKnownHostsFile=/dev/null \
	    -o ProxyCommand="$as $server -i -f $tmp/sshd.conf" \
	    "$user@localhost" true >out 2>err </dev/null
}

logged_in() {
	if ! serve_login; then
		ok "a login # SKIP no sshd that can be used here"
		return
	fi
	echo "there $(cat host.pub)" >known
	place=$(ssh-keygen -lf host.pub | cut -d' ' -f2)
	log_in
	has err '^Authenticated to localhost .*"publickey"' "a login by ssh"
	want 0 "log" "$keyvault" log
	has out "sign  *laptop: agent: a login by ssh as .*$user.* at $place, .*/ssh, pid" \
	    "has as whom, and where, as the host has proven"
	want 0 "unlock, for a login at another place" kv unlock \
	    --only-for "$(ssh-keygen -lf laptop.pub | cut -d' ' -f2)" laptop
	log_in
	has err 'agent refused operation' "which this is not"
	want 0 "unlock, for a login at this one" kv unlock \
	    --only-for "$place" laptop
	log_in
	has err '^Authenticated to localhost .*"publickey"' "and it is let in"
	want 0 "unlock" kv unlock laptop
}

refused() {
	want 1 "a key from outside" ssh-add host
	want 1 "a lock with a word of its own" sh -c \
	    'SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=/bin/true ssh-add -x'
	ssh-keygen -q -t ed25519 -N '' -f user <&- >/dev/null 2>&1
	want 255 "a certificate, which has no form that is known" ssh-keygen -q \
	    -U -s laptop.pub -I me user.pub
	want 0 "ssh-add -d" ssh-add -d laptop.pub
	want 1 "closes it" ssh-add -l
	want 0 "the others stay" sh -c \
	    "'$keyvault' --plain ls | grep -q '^deploy-ca.*open'"
	want 0 "unlock, to be asked" kv unlock --confirm laptop
	rm -f file.sig
	ssh-keygen -Y sign -n mail -f laptop.pub file >bg.out 2>&1 &
	signer=$!
	until_ok sh -c "'$keyvault' --plain allow | grep -q ssh-keygen"
	want 0 "allow" "$keyvault" allow \
	    "$("$keyvault" --plain allow | cut -f1)"
	wait $signer
	result $? "is signed when somebody said yes"
	want 0 "ssh-add -D" ssh-add -D
	want 1 "closes all that are for SSH" ssh-add -l
}

listed
only
signed
committed
logged_in
refused
finish
