/* rpcd: serves calls; options and what they lead to. */
#include "check.h"
#include "daemon.h"
#include "words.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/ctl.h"
#include "cli/path.h"
#include "cli/transports.h"

#include <stdio.h>
#include <sys/stat.h>

static const struct opt opts[] = {
	{ .name = "config",
	    .letter = 'f',
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "configuration file (" SETTINGS_FILE ")",
	    .complete = COMPLETE_FILE },
	{ .name = "test",
	    .letter = 't',
	    .about = "check settings, keys and ports, and do not serve" },
	{ .name = "settings",
	    .letter = 'T',
	    .about = "print the settings in force as a configuration file" },
	{ .name = "listen",
	    .kind = OPT_TEXT,
	    .meta = "ADDR",
	    .flags = OPT_MANY,
	    .about = "tls:HOST:PORT, quic:HOST:PORT, tcp:HOST:PORT, unix:PATH, "
	             "ssh+tcp:HOST:PORT, ssh+udp:HOST:PORT, ssh+unix:PATH, "
	             "fd:N or a URL; may be repeated (tls:127.0.0.1:8443)" },
	{ .name = "admin",
	    .kind = OPT_TEXT,
	    .meta = "PATH|none",
	    .complete = COMPLETE_FILE,
	    .about = "socket of rpcd ctl ($XDG_RUNTIME_DIR/rpckit/admin.sock "
	             "or " PATH_ADMIN_SYSTEM ")" },
	{ .name = "certs",
	    .kind = OPT_TEXT,
	    .meta = "DIR",
	    .env = "RPCKIT_CERTS",
	    .complete = COMPLETE_DIR,
	    .about = "directory of ca.crt, ca.crl, NAME.crt and NAME.key" },
	{ .name = "key",
	    .letter = 'k',
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .complete = COMPLETE_KEY,
	    .about =
	        "who to be: NAME.crt and NAME.key, or keyvault:NAME (node)" },
	{ .name = "psk",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_HELD,
	    .flags = OPT_MANY,
	    .about = "pre-shared key, 32 bytes, which each connection needs; "
	             "may be repeated; keyvault:NAME: in an agent" },
	{ .name = "known",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_FILE,
	    .about = "known client keys (known_client_keys)" },
	{ .name = "ssh-key",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_HELD,
	    .about = "who to be over sessions (ssh+tcp: and others): an SSH "
	             "key, ssh-agent: or keyvault:NAME" },
	{ .name = "ssh-peers",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_FILE,
	    .about = "whom to believe there, as in authorized_keys" },
	{ .name = "trust",
	    .kind = OPT_CHOICE,
	    .meta = "file|open|ask|lock|off",
	    .complete = COMPLETE_WORDS,
	    .about = "what that list decides; it may be stricter by its mode" },
	{ .name = "pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "where the key's passphrase comes from (tty)" },
	{ .name = "threads",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .max = 256,
	    .about = "threads beside the first (0)" },
	{ .name = "echo",
	    .about = "try it out: loopback, a free port, and without "
	             "certificates temporary keys" },
	{ .name = "server-only", .about = "TLS in which clients are nobody" },
	{ .name = "skip-verify", .about = "TLS that authenticates nobody" },
	{ .name = "log-level",
	    .kind = OPT_CHOICE,
	    .meta = "error|warn|info|debug",
	    .complete = COMPLETE_WORDS,
	    .about = "how much to say (info)" },
	{ .name = "log-format",
	    .kind = OPT_CHOICE,
	    .meta = "text|json",
	    .complete = COMPLETE_WORDS,
	    .about = "how to say it (text)" },
	{ .name = "D", .about = "accepted; rpcd stays in the foreground" },
	COMMON_OPTS,
	/* The original server's words. */
	{ .name = "server",
	    .letter = 's',
	    .kind = OPT_TEXT,
	    .meta = "HOST:PORT",
	    .flags = OPT_MANY | OPT_HIDDEN },
	{ .name = "tcp", .flags = OPT_HIDDEN },
	{ .name = "quic", .letter = 'q', .flags = OPT_HIDDEN },
	{ 0 },
};

static const char *const usage[] = {
	"[-f FILE] [--listen ADDR]... [OPTION]...",
	"-t | -T [OPTION]...",
	"--echo [OPTION]...",
	"ctl VERB [OPTION]...",
	NULL,
};

static const char *const examples[] = {
	"rpcd --echo                        # something to call, on loopback",
	"rpcd --listen tls:0.0.0.0:8443 -k node",
	"rpcd -t -f rpcd.conf               # would it start?",
	"rpcd ctl status                    # how is the one that runs?",
	NULL,
};

static const struct env_doc envs[] = {
	{ "RPCKIT_CERTS", "directory of certificates" },
	{ "CREDENTIALS_DIRECTORY", "where --pass cred:NAME is" },
	{ "KEYVAULT_SOCK", "socket of the agent of keys keyvault:NAME" },
	{ "XDG_RUNTIME_DIR", "where --echo puts temporary keys, and "
	                     "rpckit/admin.sock" },
	{ "TMPDIR", "where else; /tmp without it" },
	{ "LISTEN_FDS", "listening sockets passed in, with LISTEN_PID and "
	                "LISTEN_FDNAMES" },
	{ "NOTIFY_SOCKET", "who wants to know when it is ready" },
	{ "WATCHDOG_USEC", "how often to show life, with WATCHDOG_PID" },
	{ NULL, NULL },
};

static void
on_problem(const char *text, void *arg)
{
	(void)arg;
	log_event(RK_LOG_ERROR, "config", "%s", text);
}

static int
print_settings(const struct out *o, const struct settings *s)
{
	struct buf b;
	enum rk_err r;
	int status = 0;

	buf_init(&b, 4 << 20);
	r = settings_print(s, o->form == OUT_JSON, &b);
	if (r == RK_OK)
		out_bytes(o, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(o, r, rk_err_text(r), NULL);
	buf_fini(&b);
	return status;
}

static int
test_settings(const struct out *o, const struct settings *s, struct inherit *in,
    bool no_input)
{
	struct keyring ring = { .no_input = no_input };
	bool good = check_all(s, in, &ring);

	keyring_fini(&ring);
	if (o->form == OUT_JSON)
		out_text(
		    o, "{\"schema\":1,\"ok\":%s}\n", good ? "true" : "false");
	return good ? 0 : 1;
}

/* What was asked for, with settings that are understood. */
static int
act(const struct args *a, struct out *o, struct log *log, struct inherit *in,
    struct settings *s)
{
	struct daemon_conf conf = { .args = a,
		.out = o,
		.log = log,
		.inherit = in,
		.settings = s,
		.no_input = args_flag(a, "no-input") };
	int status;

	if (!args_flag(a, "settings") && !args_flag(a, "test")) {
		if (s->log_form == 1)
			o->form = OUT_JSON;
		return daemon_run(&conf);
	}
	if (args_flag(a, "settings"))
		status = print_settings(o, s);
	else
		status = test_settings(o, s, in, conf.no_input);
	settings_release(s);
	inherit_close(in);
	return status;
}

static int
run_with_log(
    const struct args *a, struct out *o, struct log *log, struct inherit *in)
{
	const char *const *operands;
	char shown[100];
	struct settings *s;
	size_t n;
	struct rk_error err;
	enum rk_err r;

	operands = args_operands(a, &n);
	if (n > 0) {
		str_escape(shown, sizeof(shown), operands[0]);
		(void)err_set(
		    &err, RK_EINVAL, "\"%s\": there are no operands", shown);
		return out_error(o, &err, "rpcd -h");
	}
	if ((r = inherit_take(in, &err)) != RK_OK)
		return out_error(o, &err, NULL);
	r = settings_load(a, inherit_count(in) > 0, on_problem, NULL, &s);
	if (r == RK_OK) {
		log_change(
		    log, (enum rk_log_level)s->log_level, s->log_form == 1);
		return act(a, o, log, in, s);
	}
	inherit_close(in);
	if (!args_flag(a, "test") || r == RK_EINVAL)
		return rk_err_exit(r);
	if (o->form == OUT_JSON)
		out_text(o, "{\"schema\":1,\"ok\":false}\n");
	return 1;
}

static int
run(struct args *a, void *ctx)
{
	struct inherit in = { .n = 0 };
	struct log log;
	struct out o;
	int status;

	(void)ctx;
	(void)umask(077); /* sockets, lists, and what commands make */
	out_init(&o, a);
	log_open(&log, &o, RK_LOG_INFO, o.form == OUT_JSON);
	status = run_with_log(a, &o, &log, &in);
	log_close();
	return status;
}

int
main(int argc, char **argv)
{
	static const struct prog *const subs[] = { &ctl_prog, NULL };
	char text[160];
	const struct prog prog = {
		.name = "rpcd",
		.section = "8",
		.about = "serves calls, streams, commands and files over TLS, "
		         "QUIC, plain TCP and unix sockets",
		.usage = usage,
		.examples = examples,
		.opts = opts,
		.run = run,
		.envs = envs,
		.subs = subs,
		.see_also = "rpcd.conf 5, rpcd-ctl 8, rpcsh 1, selfy 1, "
		            "rpckit-trust 7",
		.style = PROG_GNU,
		.words = words_for,
		.features = transports_text(text, sizeof(text)),
	};

	return cmd_main(&prog, argc, argv, NULL);
}
