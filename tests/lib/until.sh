# shellcheck shell=sh
# For tests that wait for something; used by some of them only, and by name.
# shellcheck disable=SC2317

# until_ok COMMAND...: true within a minute.
until_ok() {
	# By the clock, as a try may take long; one may wait inside another.
	read -r now _ </proc/uptime
	patience="$((${now%.*} + 60)) ${patience-}"
	until "$@" >/dev/null 2>&1; do
		read -r now _ </proc/uptime
		if [ "${now%.*}" -ge "${patience%% *}" ]; then
			patience=${patience#* }
			return 1
		fi
		sleep 0.05
	done
	patience=${patience#* }
}
