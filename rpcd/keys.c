/* The keys of the configuration file: tables, parsing and showing values. */
#include "keys.h"

#include "base/str.h"
#include "cli/path.h"

#include <stdio.h>
#include <stdlib.h>

#define MS_MAX ((uint64_t)36500 * 86400 * 1000)
#define OUTPUT_MAX ((uint64_t)1 << 50)
#define FP_TEXT_LEN (RK_FP_LEN - 1)

static const char *const trust_words[] = { "file", "lock", "off", "ask", "open",
	NULL };
static const char *const tls_words[] = { "mutual", "server-only", "skip-verify",
	NULL };
static const char *const congestion_words[] = { "cubic", "bbr", NULL };
static const char *const level_words[] = { "error", "warn", "info", "debug",
	NULL };
static const char *const form_words[] = { "text", "json", NULL };
static const char *const args_words[] = { "none", "json", "raw", NULL };
static const char *const mode_words[] = { "0600", "0640", "0644", "0660",
	"0664", NULL };
static const char *const reply_words[] = { "text", "json", "raw", NULL };

/* ---- what single keys want ---- */

static const char *
check_name(char **text)
{
	if (**text == '\0' || strchr(*text, '/') != NULL || **text == '.')
		return "not the name of a NAME.crt and NAME.key";
	return NULL;
}

/* The same, or in keyvault's agent. */
static const char *
check_key(char **text)
{
	char *name = *text + (path_key_name(*text) - *text);

	return check_name(&name);
}

static const char *
check_path(char **text)
{
	return **text == '\0' ? "no path" : NULL;
}

static const char *
check_absolute(char **text)
{
	return **text != '/' ? "not an absolute path" : NULL;
}

/* A socket of the control, or none. */
static const char *
check_admin(char **text)
{
	if (**text == '/' || strcmp(*text, "none") == 0)
		return NULL;
	return "neither an absolute path nor none";
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static const char *
fingerprint_fault(char *fp)
{
	size_t n = 0;

	/* People paste it in groups of four. */
	for (const char *p = fp; *p != '\0'; p++) {
		if (*p != ' ')
			fp[n++] = *p;
	}
	fp[n] = '\0';
	if (n != FP_TEXT_LEN)
		return "not a whole fingerprint (SHA256: and 43 characters)";
	for (const char *p = fp + strlen("SHA256:"); *p != '\0'; p++) {
		if (!is_base64(*p))
			return "not a fingerprint";
	}
	return NULL;
}

/* An email as a certificate shows it, or a whole fingerprint. */
static const char *
check_allow(char **text)
{
	const char *at = strchr(*text, '@');

	if (strncmp(*text, "SHA256:", 7) == 0)
		return fingerprint_fault(*text);
	if (at == NULL || at == *text || at[1] == '\0' ||
	    strchr(*text, ' ') != NULL)
		return "neither an email nor a fingerprint (SHA256:...)";
	return NULL;
}

static const char *
check_fields(char **text)
{
	const char *p = *text;

	while (*p != '\0') {
		size_t n = strcspn(p, ", ");

		for (size_t i = 0; i < n; i++) {
			if (strchr("=:@.[]\\\"'", p[i]) != NULL)
				return "not names of fields, with commas "
				       "between them";
		}
		p += n;
		n = strspn(p, ", ");
		if (n > 0 && memchr(p, ',', n) == NULL)
			return "names of fields want commas between them";
		p += n;
	}
	return NULL;
}

/* ---- the tables ---- */

#define S(field) offsetof(struct settings, field)
#define M(field) offsetof(struct method, field)
#define F(field) offsetof(struct folder_conf, field)

const struct key keys_main[SETTINGS_KEYS + 1] = {
	{ .name = "listen",
	    .about = "where to listen; may be given several times",
	    .value = "tls:ADDRESS:PORT|quic:ADDRESS:PORT|tcp:ADDRESS:PORT|"
	             "ssh+tcp:ADDRESS:PORT|ssh+udp:ADDRESS:PORT|unix:PATH|"
	             "ssh+unix:PATH|fd:N",
	    .kind = KEY_LIST,
	    .at = S(listen),
	    .fixed = true,
	    .check = keys_listen },
	{ .name = "admin",
	    .about = "socket at which rpcd ctl asks and steers",
	    .value = "PATH|none",
	    .at = S(admin),
	    .fixed = true,
	    .check = check_admin },
	{ .name = "admin-view",
	    .about = "a second one that only shows",
	    .value = "PATH|none",
	    .at = S(admin_view),
	    .fixed = true,
	    .check = check_admin },
	{ .name = "admin-group",
	    .about = "group whose members may connect to both, too",
	    .value = "NAME",
	    .at = S(admin_group),
	    .fixed = true,
	    .check = check_path },
	{ .name = "certs",
	    .about = "directory of ca.crt, ca.crl, NAME.crt and NAME.key",
	    .value = "DIR",
	    .at = S(certs),
	    .check = check_path },
	{ .name = "key",
	    .about = "who to be: NAME.crt and NAME.key, or keyvault:NAME",
	    .value = "NAME",
	    .at = S(key),
	    .check = check_key },
	{ .name = "next-key",
	    .about = "who to be later: NAME.key, announced to clients",
	    .value = "NAME",
	    .kind = KEY_LIST,
	    .at = S(next_key),
	    .check = check_key },
	{ .name = "agent-wait",
	    .about = "for a signature of a key keyvault:NAME",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(agent_wait),
	    .min = 1,
	    .max = 60000 },
	{ .name = "psk",
	    .about = "pre-shared key that connections need; or keyvault:NAME",
	    .value = "FILE",
	    .kind = KEY_LIST,
	    .at = S(psk),
	    .check = check_path },
	{ .name = "ssh-key",
	    .about = "who to be over sessions: a private key, ssh-agent: or "
	             "keyvault:NAME",
	    .value = "FILE",
	    .at = S(ssh_key),
	    .fixed = true,
	    .check = check_path },
	{ .name = "ssh-peers",
	    .about = "public keys that are believed there, as in "
	             "authorized_keys",
	    .value = "FILE",
	    .at = S(ssh_peers),
	    .fixed = true,
	    .check = check_path },
	{ .name = "known-clients",
	    .about = "known-keys file",
	    .value = "FILE",
	    .at = S(known),
	    .check = check_path },
	{ .name = "trust",
	    .about = "what the known-keys file decides, and what a person",
	    .value = "file|open|ask|lock|off",
	    .kind = KEY_WORD,
	    .at = S(trust),
	    .words = trust_words },
	{ .name = "max-new-keys",
	    .about = "new keys that the file takes in a minute; 0: no limit",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = S(max_new_keys),
	    .max = 10000 },
	{ .name = "trust-wait",
	    .about = "for a decision about a key that has to wait for one",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(trust_wait),
	    .min = 1000,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "tls-mode",
	    .about = "who proves who it is",
	    .value = "mutual|server-only|skip-verify",
	    .kind = KEY_WORD,
	    .at = S(tls_mode),
	    .words = tls_words,
	    .fixed = true },
	{ .name = "pass",
	    .about = "where the key's passphrase comes from",
	    .value = "SPEC",
	    .at = S(pass) },
	{ .name = "early-data",
	    .about = "run idempotent methods before a handshake has ended",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = S(early_data),
	    .fixed = true },
	{ .name = "threads",
	    .about = "threads beside the first",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = S(threads),
	    .max = 256,
	    .fixed = true },
	{ .name = "log-level",
	    .about = "how much to say",
	    .value = "error|warn|info|debug",
	    .kind = KEY_WORD,
	    .at = S(log_level),
	    .words = level_words },
	{ .name = "log-format",
	    .about = "how to say it",
	    .value = "text|json",
	    .kind = KEY_WORD,
	    .at = S(log_form),
	    .words = form_words },
	{ .name = "max-connections",
	    .about = "connections in all",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = S(max_conns),
	    .min = 1,
	    .max = 1000000,
	    .fixed = true },
	{ .name = "max-unproven",
	    .about = "connections that have not proven themselves yet",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = S(max_unproven),
	    .min = 1,
	    .max = 100000,
	    .fixed = true },
	{ .name = "max-per-source",
	    .about = "unproven connections of one network (/24 or /56)",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = S(max_per_source),
	    .min = 1,
	    .max = 100000,
	    .fixed = true },
	{ .name = "max-calls",
	    .about = "calls running of one connection",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = S(max_calls),
	    .min = 1,
	    .max = 1000000,
	    .fixed = true },
	{ .name = "max-queue",
	    .about = "unsent bytes of one connection",
	    .value = "SIZE",
	    .kind = KEY_SIZE,
	    .at = S(max_queue),
	    .min = 64 << 10,
	    .max = (uint64_t)1 << 30,
	    .fixed = true },
	{ .name = "seed",
	    .about = "secret file that sessions outlive a restart by",
	    .value = "FILE",
	    .at = S(seed),
	    .fixed = true,
	    .check = check_path },
	{ .name = "retry",
	    .about = "QUIC: handshakes under way from which addresses are "
	             "to be proven",
	    .value = "always|never|N",
	    .kind = KEY_NUMBER,
	    .at = S(retry),
	    .min = 1,
	    .max = 100000,
	    .fixed = true,
	    .never = true,
	    .always = true },
	{ .name = "congestion",
	    .about = "QUIC: how it shares a path with others",
	    .value = "cubic|bbr",
	    .kind = KEY_WORD,
	    .at = S(congestion),
	    .words = congestion_words,
	    .fixed = true },
	{ .name = "handshake-timeout",
	    .about = "from the first byte to a trusted connection",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(handshake),
	    .min = 1,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "read-timeout",
	    .about = "for a message that has begun",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(read),
	    .min = 1,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "write-timeout",
	    .about = "for a peer that takes no bytes",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(write),
	    .min = 1,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "idle-timeout",
	    .about = "for a connection without a call",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(idle),
	    .min = 1,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "keepalive",
	    .about = "a message after so long without another, not over QUIC",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(keepalive),
	    .min = 100,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "dead-peer",
	    .about = "for a client that does not even say that it is there",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(dead_peer),
	    .min = RK_DEAD_PEER_MIN,
	    .max = MS_MAX,
	    .fixed = true,
	    .never = true },
	{ .name = "drain",
	    .about = "how long running calls may take when stopping",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = S(drain),
	    .max = MS_MAX,
	    .never = true },
	{ .name = "echo",
	    .about = "a server to try things with, on loopback",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = S(echo),
	    .fixed = true },
	{ .name = NULL },
};

const struct key keys_method[] = {
	{ .name = "exec",
	    .about = "program and arguments, split like a shell's words",
	    .value = "COMMAND",
	    .at = M(exec),
	    .raw = true,
	    .check = check_path },
	{ .name = "about",
	    .about = "one line for people",
	    .value = "TEXT",
	    .at = M(about) },
	{ .name = "args",
	    .about = "what the program reads",
	    .value = "none|json|raw",
	    .kind = KEY_WORD,
	    .at = M(args),
	    .words = args_words },
	{ .name = "reply",
	    .about = "what its output becomes",
	    .value = "text|json|raw",
	    .kind = KEY_WORD,
	    .at = M(reply),
	    .words = reply_words },
	{ .name = "secret",
	    .about = "fields that rpcsh neither shows nor keeps",
	    .value = "NAME,...",
	    .at = M(secret),
	    .check = check_fields },
	{ .name = "allow",
	    .about = "emails and fingerprints that may call it",
	    .value = "LIST",
	    .kind = KEY_COMMAS,
	    .at = M(allow),
	    .check = check_allow },
	{ .name = "psk",
	    .about = "pre-shared keys of which the caller must use one",
	    .value = "LIST",
	    .kind = KEY_COMMAS,
	    .at = M(psk) },
	{ .name = "timeout",
	    .about = "when to kill it",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = M(timeout),
	    .min = 1,
	    .max = MS_MAX,
	    .never = true },
	{ .name = "max-output",
	    .about = "bytes of output to take",
	    .value = "SIZE",
	    .kind = KEY_SIZE,
	    .at = M(max_output),
	    .max = OUTPUT_MAX },
	{ .name = "concurrency",
	    .about = "how many may run at once",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = M(concurrency),
	    .min = 1,
	    .max = 1000 },
	{ .name = "stream",
	    .about = "input, output and exit status live, for rpcsh exec",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = M(stream) },
	{ .name = "idempotent",
	    .about = "harmless when executed twice",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = M(idempotent) },
	{ .name = NULL },
};

const struct key keys_files[] = {
	{ .name = "root",
	    .about = "the folder whose files are meant",
	    .value = "DIR",
	    .at = F(root),
	    .check = check_absolute },
	{ .name = "about",
	    .about = "one line for people",
	    .value = "TEXT",
	    .at = F(about) },
	{ .name = "put",
	    .about = "take files: method NAME.put",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = F(put) },
	{ .name = "get",
	    .about = "hand files out: method NAME.get",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = F(get) },
	{ .name = "replace",
	    .about = "may a file take the place of another, when asked to",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = F(replace) },
	{ .name = "allow",
	    .about = "emails and fingerprints that may call them",
	    .value = "LIST",
	    .kind = KEY_COMMAS,
	    .at = F(allow),
	    .check = check_allow },
	{ .name = "psk",
	    .about = "pre-shared keys of which the caller must use one",
	    .value = "LIST",
	    .kind = KEY_COMMAS,
	    .at = F(psk) },
	{ .name = "max-size",
	    .about = "bytes of one file that is taken",
	    .value = "SIZE",
	    .kind = KEY_SIZE,
	    .at = F(max_size),
	    .max = (uint64_t)1 << 50 },
	{ .name = "max-total",
	    .about = "bytes of all files in the folder",
	    .value = "SIZE",
	    .kind = KEY_SIZE,
	    .at = F(max_total),
	    .max = (uint64_t)1 << 50 },
	{ .name = "min-free",
	    .about = "bytes that stay free on the file system",
	    .value = "SIZE",
	    .kind = KEY_SIZE,
	    .at = F(min_free),
	    .max = (uint64_t)1 << 50 },
	{ .name = "timeout",
	    .about = "how long 64 KiB of a file may take",
	    .value = "TIME",
	    .kind = KEY_TIME,
	    .at = F(timeout),
	    .min = 1,
	    .max = MS_MAX,
	    .never = true },
	{ .name = "concurrency",
	    .about = "how many files may be on their way at once",
	    .value = "N",
	    .kind = KEY_NUMBER,
	    .at = F(concurrency),
	    .min = 1,
	    .max = 1000 },
	{ .name = "mode",
	    .about = "who may read and write what was taken",
	    .value = "0600|0640|0644|0660|0664",
	    .kind = KEY_WORD,
	    .at = F(mode),
	    .words = mode_words },
	{ .name = "rpc25519",
	    .about = "hand them out to rpc25519's demo client too",
	    .value = "yes|no",
	    .kind = KEY_YES,
	    .at = F(rpc25519) },
	{ .name = NULL },
};

static void
fill_table(const struct key *k, struct conf_key *dst)
{
	for (; k->name != NULL; k++)
		*dst++ = (struct conf_key){ .name = k->name,
			.about = k->about,
			.value = k->value,
			.many = k->kind == KEY_LIST || k->kind == KEY_COMMAS };
	*dst = (struct conf_key){ .name = NULL };
}

void
keys_tables(struct key_tables *t)
{
	fill_table(keys_main, t->main);
	fill_table(keys_method, t->method);
	t->sections[0] = (struct conf_section){ .name = "", .keys = t->main };
	t->sections[1] = (struct conf_section){
		.name = "method", .named = true, .keys = t->method
	};
	fill_table(keys_files, t->files);
	t->sections[2] = (struct conf_section){
		.name = "files", .named = true, .keys = t->files
	};
	t->sections[3] = (struct conf_section){ .name = NULL };
}

const struct key *
keys_find(const struct key *table, const char *name)
{
	for (; table->name != NULL; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}
