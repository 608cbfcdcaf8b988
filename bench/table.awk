# Medians of what bench/run has measured: a table, and JSON to the file `json`.
# Reads two files: what the run was (word, text), and a line a measurement:
# key, program, scheme, JSON.

FNR == NR {
	word = $1
	sub(/^[^ ]+ /, "")
	about[word] = $0
	abouts[++n_abouts] = word
	next
}

{
	id = $1 " " $2 " " $3
	if (!(id in lines))
		ids[++n_ids] = id
	lines[id]++
	text = $4
	gsub(/[{}"]/, "", text)
	n = split(text, pairs, ",")
	for (i = 1; i <= n; i++) {
		split(pairs[i], pair, ":")
		if (pair[1] == "work" || pair[2] == "null")
			continue
		value[id, pair[1], lines[id]] = pair[2]
		if (!((id, pair[1]) in seen)) {
			seen[id, pair[1]] = 1
			names[id] = names[id] " " pair[1]
		}
	}
}

function median(id, name,    v, n, i, j, x) {
	n = 0
	for (i = 1; i <= lines[id]; i++) {
		if (!((id, name, i) in value))
			continue
		x = value[id, name, i] + 0
		for (j = n++; j > 0 && v[j] > x; j--)
			v[j + 1] = v[j]
		v[j + 1] = x
	}
	if (n == 0)
		return ""
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

function quoted(text) {
	gsub(/[\\"]/, "\\\\&", text)
	return "\"" text "\""
}

function write_json(    i, k, n, id, part, name) {
	printf "{" >json
	for (i = 1; i <= n_abouts; i++)
		printf "%s:%s,", quoted(abouts[i]), \
		    quoted(about[abouts[i]]) >json
	printf "\"medians\":[" >json
	for (i = 1; i <= n_ids; i++) {
		id = ids[i]
		split(id, part, " ")
		printf "%s\n{\"what\":%s,\"program\":%s,\"scheme\":%s", \
		    i == 1 ? "" : ",", quoted(part[1]), quoted(part[2]), \
		    quoted(part[3]) >json
		n = split(names[id], name, " ")
		for (k = 1; k <= n; k++)
			printf ",%s:%.3f", quoted(name[k]), \
			    median(id, name[k]) >json
		printf "}" >json
	}
	printf "]}\n" >json
	close(json)
}

# 1234567 as 1,235 k; 12345 as 12.3 k; the rest to three figures.
function shown(x) {
	if (x == "")
		return "-"
	if (x >= 999500)
		return sprintf("%.2f M", x / 1e6)
	if (x >= 9995)
		return sprintf(x >= 99950 ? "%.0f k" : "%.1f k", x / 1e3)
	return sprintf(x >= 99.95 ? "%.0f" : x >= 9.995 ? "%.1f" : "%.2f", x)
}

function row(a, b, c, d, e) {
	if (format == "markdown")
		printf "| %s | %s | %s | %s | %s |\n", a, b, c, d, e
	else
		printf "%-40s %10s %10s %10s %7s\n", a, b, c, d, e
}

# How many times worse than the better of the limits; 1.00 is as good.
function ratio(ours, limits, less_is_better,    best, i, n, v) {
	n = split(limits, v, " ")
	best = ""
	for (i = 1; i <= n; i++) {
		if (best == "" || (less_is_better ? v[i] + 0 < best : \
		    v[i] + 0 > best))
			best = v[i] + 0
	}
	if (best == "" || ours == "" || best <= 0 || ours <= 0)
		return "-"
	return sprintf("%.2f", less_is_better ? ours / best : best / ours)
}

# A measurement: its key, the figure of it that counts.
function compare(title, key, name, less_is_better,    scheme, a, b, c) {
	scheme = key ~ /^tcp/ ? "tcp" : "tls"
	a = median(key " limit " scheme, name)
	b = median(key " limit tls+bio", name)
	c = median(key " load " scheme, name)
	row(title, shown(a), shown(b), shown(c), \
	    ratio(c, a " " b, less_is_better))
}

# CPU time of both ends together, a call.
function cost(id,    c, s) {
	c = median(id, "client_us")
	s = median(id, "server_us")
	return c == "" || s == "" ? "" : c + s
}

function compare_cost(title, key,    scheme, a, b, c) {
	scheme = key ~ /^tcp/ ? "tcp" : "tls"
	a = cost(key " limit " scheme)
	b = cost(key " limit tls+bio")
	c = cost(key " load " scheme)
	row(title, shown(a), shown(b), shown(c), ratio(c, a " " b, 1))
}

# QUIC has no bare limit here: it stands beside the library's own TLS.
function row_quic(a, b, c, d) {
	if (format == "markdown")
		printf "| %s | %s | %s | %s |\n", a, b, c, d
	else
		printf "%-40s %10s %10s %7s\n", a, b, c, d
}

function beside(title, key, name, less_is_better,    a, b) {
	a = median("tls-" key " load tls", name)
	b = median("quic-" key " load quic", name)
	row_quic(title, shown(a), shown(b), ratio(b, a, less_is_better))
}

function only_quic(title, key,    v) {
	v = median("quic-" key " load quic", "p50_us")
	row_quic(title, "-", v == "" ? "-" : shown(v / 1000), "-")
}

function beside_cost(title, key,    a, b) {
	a = cost("tls-" key " load tls")
	b = cost("quic-" key " load quic")
	row_quic(title, shown(a), shown(b), ratio(b, a, 1))
}

function quic_table() {
	printf "\n"
	row_quic("QUIC beside TLS over TCP, both rpckit", "TLS", "QUIC", "ratio")
	if (format == "markdown")
		row_quic("---", "--:", "--:", "--:")
	beside("one call after another, p50 us", "seq", "p50_us", 1)
	beside("16 outstanding, calls/s", "pipe-16", "rate", 0)
	beside("64 outstanding, calls/s", "pipe-64", "rate", 0)
	beside("1000 outstanding, calls/s", "pipe-1000", "rate", 0)
	beside("1 MiB messages, MB/s", "bulk", "mb_s", 0)
	beside("full handshakes/s", "dial-full", "rate", 0)
	beside("resumed handshakes/s", "dial-resumed", "rate", 0)
	only_quic("20 ms away, first answer, ms", "far-full")
	only_quic("the same, session resumed, ms", "far-resumed")
	only_quic("the same, with early data, ms", "far-early")
	beside("KiB a connection, server", "idle", "server_kb", 1)
	beside("KiB a connection, client", "idle", "client_kb", 1)
	beside_cost("CPU us: one call after another", "seq")
	beside_cost("CPU us: 64 outstanding", "pipe-64")
	beside_cost("CPU us: 1000 outstanding", "pipe-1000")
	beside_cost("CPU us: 1 MiB messages", "bulk")
	beside_cost("CPU us: full handshake and a call", "dial-full")
	beside_cost("CPU us: resumed handshake and a call", "dial-resumed")
}

# Sessions, beside the library's own TLS as well.
function row_sessions(a, b, c, d) {
	if (format == "markdown")
		printf "| %s | %s | %s | %s |\n", a, b, c, d
	else
		printf "%-40s %10s %10s %10s\n", a, b, c, d
}

function three(title, key, name) {
	row_sessions(title, shown(median("tls-" key " load tls", name)), \
	    shown(median("unix-" key " load ssh+unix", name)), \
	    shown(median("udp-" key " load ssh+udp", name)))
}

function three_costs(title, key) {
	row_sessions(title, shown(cost("tls-" key " load tls")), \
	    shown(cost("unix-" key " load ssh+unix")), \
	    shown(cost("udp-" key " load ssh+udp")))
}

function sessions_table() {
	printf "\n"
	row_sessions("sessions beside TLS over TCP, all rpckit", "TLS", \
	    "ssh+unix", "ssh+udp")
	if (format == "markdown")
		row_sessions("---", "--:", "--:", "--:")
	three("one call after another, p50 us", "seq", "p50_us")
	three("64 outstanding, calls/s", "pipe-64", "rate")
	three("1 MiB messages, MB/s", "bulk", "mb_s")
	three("full handshakes/s", "dial-full", "rate")
	three_costs("CPU us: one call after another", "seq")
	three_costs("CPU us: 64 outstanding", "pipe-64")
	three_costs("CPU us: 1 MiB messages", "bulk")
	three_costs("CPU us: full handshake and a call", "dial-full")
}

function heading(title) {
	if (format == "markdown") {
		printf "\n"
		row(title, "limit", "limit, memory BIOs", "rpckit", "ratio")
		row("---", "--:", "--:", "--:", "--:")
		return
	}
	printf "\n"
	row(title, "limit", "limit,bio", "rpckit", "ratio")
}

END {
	write_json()
	printf "%s, %s; %s; %s; cores pinned: %s\n", about["date"], \
	    about["commit"], about["machine"], about["openssl"], \
	    about["pinned"]
	printf "Medians of %s round(s) of %s s; congestion control: %s\n", \
	    about["rounds"], about["seconds"], about["congestion"]
	heading("what")
	compare("TCP: one call after another, p50 us", "tcp-seq", "p50_us", 1)
	compare("TCP: 16 outstanding, calls/s", "tcp-pipe-16", "rate", 0)
	compare("TCP: 64 outstanding, calls/s", "tcp-pipe-64", "rate", 0)
	compare("TCP: 1000 outstanding, calls/s", "tcp-pipe-1000", "rate", 0)
	compare("TCP: 1 MiB messages, MB/s", "tcp-bulk", "mb_s", 0)
	compare("TLS: one call after another, p50 us", "tls-seq", "p50_us", 1)
	compare("TLS: 16 outstanding, calls/s", "tls-pipe-16", "rate", 0)
	compare("TLS: 64 outstanding, calls/s", "tls-pipe-64", "rate", 0)
	compare("TLS: 1000 outstanding, calls/s", "tls-pipe-1000", "rate", 0)
	compare("TLS: 1 MiB messages, MB/s", "tls-bulk", "mb_s", 0)
	compare("TLS: full handshakes/s", "tls-dial-full", "rate", 0)
	compare("TLS: resumed handshakes/s", "tls-dial-resumed", "rate", 0)
	compare("TCP: KiB a connection, server", "tcp-idle", "server_kb", 1)
	compare("TLS: KiB a connection, server", "tls-idle", "server_kb", 1)
	for (i = 1; i <= n_ids; i++) {
		if (ids[i] ~ /^start /)
			row("rpcsh: start to first byte, ms", "-", "-", \
			    shown(median(ids[i], "ms")), "-")
	}
	heading("CPU time a call, both ends, us")
	compare_cost("TCP: one call after another", "tcp-seq")
	compare_cost("TCP: 64 outstanding", "tcp-pipe-64")
	compare_cost("TCP: 1 MiB messages", "tcp-bulk")
	compare_cost("TLS: one call after another", "tls-seq")
	compare_cost("TLS: 64 outstanding", "tls-pipe-64")
	compare_cost("TLS: 1000 outstanding", "tls-pipe-1000")
	compare_cost("TLS: 1 MiB messages", "tls-bulk")
	compare_cost("TLS: full handshake and a call", "tls-dial-full")
	compare_cost("TLS: resumed handshake and a call", "tls-dial-resumed")
	if (("quic-seq load quic") in lines)
		quic_table()
	sessions_table()
}
