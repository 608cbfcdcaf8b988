#!/bin/sh
# The completion scripts in the shells they are for, where those are there.
# TAP on standard output; programs in $BUILD_DIR/bin, files below $TEST_TMP.
set -u
# shellcheck source=tests/lib/rpcd.sh
. "${SRC_DIR:?}/tests/lib/rpcd.sh"

PATH=$BUILD_DIR/bin:$PATH
export PATH
mkdir -p .config/rpckit/contexts .cache/rpckit/methods files/dir
echo 'server = tls://h:1' >.config/rpckit/contexts/lab.conf
echo 'server = tls://h:1' >.config/rpckit/contexts/live.conf
: >files/file.json
echo 'lab.key' >files/dir/lab.key
: >'files/dir/a b$'
: >files/dir/ab
cat >.cache/rpckit/methods/tls_h_1.json <<'END'
{"schema":1,"server":"tls://h:1","at":"2026-01-01T00:00:00Z","methods":[
{"name":"Shop.Order","args":"order","schema":{"args":"order","types":
{"order":[{"name":"Item","type":"string"},{"name":"Count","type":"int"}]}}},
{"name":"Sum","args":"{a:int, b, data:bin}"}]}
END

# A vault, and what its agent has open; another one that hides its names.
unset KEYVAULT_DB KEYVAULT_SOCK
mkdir -m 700 vaults
printf 'correct horse\n' >pass
chmod 600 pass
cp "$SRC_DIR/tests/golden/vault/v1.db" vaults/v1.db
cp "$SRC_DIR/tests/golden/vault/v1-hidden.db" vaults/hidden.db
chmod 600 vaults/*.db
KEYVAULT_DB=$tmp/vaults/v1.db
export KEYVAULT_DB

agent=
trap 'kill -KILL $agent 2>/dev/null; cleanup' EXIT

# unlocked NAME...: an agent of KEYVAULT_DB has these open.
unlocked() {
	[ -z "$agent" ] || { kill "$agent" && until_ok ended "$agent"; }
	agent=
	keyvault agent --socket "$tmp/run/a.sock" >vars || return 1
	# shellcheck source=/dev/null
	. ./vars
	agent=$KEYVAULT_AGENT_PID
	keyvault --pass file:pass unlock "$@"
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # skip not here"
}

# What a shell offers for a line that ends where the cursor is.

in_bash() {
	# shellcheck disable=SC2016 # the inner shell's
	bash --norc -c '. "../$1"; COMP_LINE=$2 COMP_POINT=${#2}
		# As readline breaks words.
		COMP_WORDS=($(sed "s/[:=]\{1,\}/ & /g; s/@/ & /g" <<<"$2"))
		case $2 in *" ") COMP_WORDS+=("") ;; esac
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		"_${1%.bash}"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$1.bash" "$2"
}

# The line editor's own commands, as far as the scripts use them.
in_zsh() {
	# shellcheck disable=SC2016 # the inner shell's
	zsh -f -c '
		compdef() { made=$1 }
		compset() { : }
		compadd() {
			local w
			while [[ $1 != -- ]]; do shift; done
			shift
			for w; do [[ $w == $cur* ]] && print -r -- $w; done
		}
		_files() { if [[ $1 == -/ ]]; then print -l -- *(/N)
			else print -l -- *(N); fi }
		source "../$1" || exit 1
		words=(${=2})
		[[ $2 == *" " ]] && words+=("")
		CURRENT=$#words
		$made' zsh "$1.zsh" "$2" | sed 's|^dir$|dir/|'
}

in_fish() {
	# shellcheck disable=SC2016 # the inner shell's
	fish --no-config -c 'source ../$argv[1]; complete -C $argv[2]' \
		"$1.fish" "$2" | cut -f1
}

# Where an option is begun fish also says what only has its letters somewhere.
begun() { # SHELL LINE
	last=${2##* }
	case $1:$last in
	fish:*=*) cat ;;
	fish:-*) grep -e "^$last" || : ;;
	*) cat ;;
	esac
}

# offers LINE WORD...: these and no others, sorted, in every shell that is here.
offers() {
	line=$1
	shift
	want=$(printf '%s\n' "$@" | LC_ALL=C sort)
	for shell in bash zsh fish; do
		if ! command -v $shell >/dev/null; then
			skip "$shell: \"$line\""
			continue
		fi
		# Bash wants what follows the last break.
		cut=
		case $shell:$line in
		bash:*@*) cut='s|^|data@|' ;;
		bash:*keyvault:*) cut='s|^|keyvault:|' ;;
		bash:*--env*=*) cut='s|^|WORD=|' ;;
		bash:*--fd*=*) cut='s|^|3=|' ;;
		esac
		# Of --x=y fish wants all, the others what follows.
		got=$(cd files && "in_$shell" "${line%% *}" "$line" 2>../err |
			begun "$shell" "$line" |
			sed "s/^--[a-z]*=//; s/^tls-mode=//; s|^dir\$|dir/|
				s|\\\\||g; $cut" | LC_ALL=C sort)
		echo "$got" >out
		[ "$got" = "$want" ] && [ ! -s err ]
		result $? "$shell: \"$line\""
	done
}

has_syntax() {
	for shell in bash zsh fish; do
		for prog in rpcd rpcsh selfy keyvault rpctui; do
			"$BUILD_DIR/bin/$prog" __complete $shell \
				>"$prog.$shell" || not_ok "$prog $shell"
			if command -v $shell >/dev/null; then
				check "$shell can read $prog's" \
					$shell -n "$prog.$shell"
			else
				skip "$shell can read $prog's"
			fi
		done
	done
}

has_syntax
offers 'rpcsh ' call exec put get ls desc ping bench watch ctx trust help
offers 'rpcsh d' desc
offers 'rpcsh -c lab d' desc
offers 'rpcsh -c call d' desc
offers 'rpcsh --context ' lab live
offers 'rpcsh -c li' live
offers 'rpcsh --context=li' live
offers 'rpcsh --tcp -c li' live
offers 'rpcsh -s h:1 d' desc
offers 'rpcsh -s h:1 Su' Sum
offers 'rpcsh -c lab call ' Shop.Order Sum
offers 'rpcsh -c lab Sum ' a:= b= data@
offers 'rpcsh -c lab bench Sum b=1 d' data@
offers 'rpcsh -c lab Sum data@fi' data@file.json
offers 'rpcsh -c lab Sum data@dir/a' 'data@dir/a b$' data@dir/ab
offers 'rpcsh -c lab exec Shop.Order I' Item=
offers 'rpcsh -c lab put Sum ' dir/ file.json
offers 'rpcsh ctx use la' lab
offers 'rpcsh ctx add new' ''
offers 'rpcsh ctx add new se' server=
offers 'rpcsh ctx add new key=x tls-mode=s' server-only skip-verify
offers 'rpcsh --certs dir -k ' lab
offers 'rpcsh ctx ' ls show use add rm
offers 'rpcsh help p' ping put
offers 'rpcsh --color ' auto always never
offers 'rpcsh call --o' --output --out --one-way
offers 'rpcsh ping --cou' --count
offers 'rpcsh call --connect-o' ''
offers 'rpcsh call -o p' pretty
offers 'rpcsh call -o n' ndjson
offers 'rpcsh call --raw ' dir/ file.json
offers 'rpcsh --certs ' dir/
offers 'rpcd --trust ' file open ask lock off
offers 'rpcd --cer' --certs
offers 'rpcd --config ' dir/ file.json
offers 'rpcd ' ctl
offers 'rpcd ctl ' status conns calls kick cancel trust methods metrics log reload \
	drain stop version help
offers 'rpcd ctl trust --state ' waiting known rejected
offers 'rpcd ctl --socket x l' log
offers 'rpcd ctl log --le' --level
offers 'rpcd ctl log --set ' error warn info debug
offers 'rpcd ctl --cer' ''
offers 'rpctui --so' --socket
offers 'rpctui --socket ' dir/ file.json
offers 'rpctui --color ' auto always never
offers 'keyvault re' rekey rename restore
offers 'keyvault export --fo' --form
offers 'keyvault --vault ' dir/ file.json
offers 'keyvault show ' deploy-ca lab.psk word
offers 'keyvault show de' deploy-ca
offers 'keyvault verify --key de' deploy-ca
offers 'keyvault --vault ../vaults/none.db show ' ''
offers 'keyvault --vault ../vaults/hidden.db show ' ''
offers 'keyvault exec --env WO' ''
offers 'keyvault exec --env WORD=' WORD=deploy-ca WORD=lab.psk WORD=word
offers 'keyvault exec --fd 3=la' 3=lab.psk
offers 'rpcd --certs dir -k ' lab
offers 'rpcd --psk ' dir/ file.json
offers 'keyvault lock ' ''
offers 'rpcsh --certs dir -k ' lab
check 'an agent' unlocked deploy-ca lab.psk
offers 'keyvault lock ' deploy-ca lab.psk
offers 'keyvault lock lab.psk de' deploy-ca
offers 'rpcsh --certs dir -k l' lab
offers 'rpcsh -k keyvault:' keyvault:deploy-ca keyvault:lab.psk
offers 'rpcsh -k keyvault:d' keyvault:deploy-ca
offers 'rpcsh --key=keyvault:d' keyvault:deploy-ca
offers 'rpcd -k keyvault:' keyvault:deploy-ca keyvault:lab.psk
offers 'rpcd --certs dir -k ' lab keyvault:deploy-ca keyvault:lab.psk
offers 'rpcd --psk ' dir/ file.json keyvault:deploy-ca keyvault:lab.psk
offers 'rpcd --psk keyvault:l' keyvault:lab.psk
offers 'rpcsh --psk keyvault:l' keyvault:lab.psk
offers 'rpcsh --ssh-key keyvault:d' keyvault:deploy-ca
offers 'selfy -k x -ca-key keyvault:d' keyvault:deploy-ca
KEYVAULT_DB=$tmp/vaults/hidden.db
check 'an agent of one that hides its names' unlocked
offers 'keyvault show de' deploy-ca
kill -STOP "$agent"
offers 'keyvault show de' ''
kill -CONT "$agent"
offers 'selfy -veri' -verify
offers 'selfy -format ' rpc25519 pkcs8
offers 'selfy -v ' dir/ file.json
plan
