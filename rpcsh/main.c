/* rpcsh: calls from a terminal. */
#include "cache.h"
#include "cli/out.h"
#include "cli/transports.h"
#include "rpcsh.h"
#include "shell.h"
#include "trust.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const struct opt global_opts[] = {
	{ .name = "server",
	    .letter = 's',
	    .kind = OPT_TEXT,
	    .meta = "HOST:PORT|URL",
	    .env = "RPCKIT_SERVER",
	    .complete = COMPLETE_SERVER,
	    .about = "where to call (127.0.0.1:8443)" },
	{ .name = "context",
	    .letter = 'c',
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .env = "RPCKIT_CONTEXT",
	    .complete = COMPLETE_CONTEXT,
	    .about = "a named set of these settings" },
	{ .name = "certs",
	    .kind = OPT_TEXT,
	    .meta = "DIR",
	    .env = "RPCKIT_CERTS",
	    .complete = COMPLETE_DIR,
	    .about = "directory of ca.crt, NAME.crt and NAME.key" },
	{ .name = "key",
	    .letter = 'k',
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .env = "RPCKIT_KEY",
	    .complete = COMPLETE_KEY,
	    .about =
	        "who to be: NAME.crt and NAME.key, or keyvault:NAME (client)" },
	{ .name = "known",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_FILE,
	    .about = "known server keys (known_server_keys)" },
	{ .name = "psk",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .env = "RPCKIT_PSK_FILE",
	    .complete = COMPLETE_HELD,
	    .about = "pre-shared key that the server has, too" },
	{ .name = "ssh-key",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_HELD,
	    .about = "who to be for ssh+tcp:// and others, or ssh-agent: or "
	             "keyvault:NAME (~/.ssh/id_ed25519)" },
	{ .name = "ssh-peers",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_FILE,
	    .about = "public keys of servers that are believed there" },
	{ .name = "trust",
	    .kind = OPT_CHOICE,
	    .meta = TRUST_WORDS,
	    .complete = COMPLETE_WORDS,
	    .about = "about new server keys; file: the CA proves them, asks "
	             "nobody (file)" },
	{ .name = "pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "where the key's passphrase comes from (tty)" },
	{ .name = "quic",
	    .letter = 'q',
	    .about = "QUIC, as quic:// in the server's URL" },
	{ .name = "congestion",
	    .kind = OPT_CHOICE,
	    .meta = "cubic|bbr",
	    .complete = COMPLETE_WORDS,
	    .about =
	        "how QUIC shares the path: bbr is for lossy ones (cubic)" },
	{ .name = "tcp",
	    .about = "plain TCP: no encryption, no authentication" },
	{ .name = "skip-verify",
	    .about = "TLS or QUIC that authenticates nobody" },
	{ .name = "server-only",
	    .about = "prove the server only, carry no certificate" },
	{ .name = "confirm",
	    .kind = OPT_CHOICE,
	    .meta = "yes|no",
	    .complete = COMPLETE_WORDS,
	    .about = "ask before calls that may change something (no)" },
	{ .name = "timeout",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .env = "RPCKIT_TIMEOUT",
	    .about = "of a call, 0 for none (30s)" },
	{ .name = "connect-timeout",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "of connecting and proving keys (10s)" },
	{ .name = "plain", .about = "tab-separated lists for scripts" },
	{ .name = "file",
	    .letter = 'f',
	    .kind = OPT_TEXT,
	    .meta = "FILE|-",
	    .complete = COMPLETE_FILE,
	    .flags = OPT_ALONE,
	    .about = "run its lines, up to the first that fails" },
	{ .name = "keep-going",
	    .flags = OPT_ALONE,
	    .about = "with -f: run all lines" },
	/* The original client's words. */
	{ .name = "hostport", .flags = OPT_HIDDEN, .as = "server" },
	{ .name = "wait", .flags = OPT_HIDDEN, .as = "timeout" },
	COMMON_OPTS,
	{ 0 },
};

static const char *const call_examples[] = {
	"rpcsh Sum a:=2 b:=40        # a map {\"a\":2,\"b\":40}",
	"rpcsh call store name=x data@file.bin",
	"rpcsh echo --raw 'as it is'",
	"rpcsh report -d @query.json --out report.bin",
	NULL,
};
static const char *const exec_examples[] = {
	"rpcsh exec sort < in > out",
	"rpcsh exec -n uptime        # reads nothing from here",
	"rpcsh exec job a=1 < in     # arguments for args = json",
	NULL,
};
static const char *const put_examples[] = {
	"rpcsh put docs.put report.pdf",
	"tar c src | rpcsh put docs.put - --as src.tar",
	NULL,
};
static const char *const get_examples[] = {
	"rpcsh get docs.get report.pdf --out report.pdf",
	"rpcsh get docs.get src.tar --out - | tar x",
	NULL,
};
static const char *const bench_examples[] = {
	"rpcsh bench echo -n 10000 a:=1",
	"rpcsh bench Sum --rate 500 --for 30s --conns 8 --in args.ndjson",
	NULL,
};
static const char *const watch_examples[] = {
	"rpcsh watch jobs.done jobs.lost   # pushes of these subjects",
	"rpcsh watch --every 2s disk.free",
	NULL,
};
static const char *const ctx_examples[] = {
	"rpcsh ctx add lab server=lab.example:8443 key=ann",
	"rpcsh ctx use lab",
	"rpcsh ctx show --why",
	NULL,
};

static const char *const trust_examples[] = {
	"rpcsh trust ls              # the known servers",
	"rpcsh trust find lab.example:8443",
	"rpcsh trust replace lab.example:8443 SHA256:8aQx...",
	NULL,
};

static const struct cmd cmds[] = {
	{ .name = "call",
	    .operands = "METHOD [ITEM...]",
	    .about = "call a method and print its reply",
	    .examples = call_examples,
	    .opts = call_opts,
	    .complete = COMPLETE_METHOD,
	    .rest = COMPLETE_ITEM,
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .run = cmd_call },
	{ .name = "exec",
	    .operands = "METHOD [ITEM...]",
	    .about = "run a command at the server, with input and output",
	    .examples = exec_examples,
	    .opts = exec_opts,
	    .complete = COMPLETE_METHOD,
	    .rest = COMPLETE_ITEM,
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .run = cmd_exec },
	{ .name = "put",
	    .operands = "METHOD FILE|-",
	    .about = "send a file; run again, go on where it was cut",
	    .examples = put_examples,
	    .opts = put_opts,
	    .complete = COMPLETE_METHOD,
	    .rest = COMPLETE_FILE,
	    .min_operands = 2,
	    .max_operands = 2,
	    .run = cmd_put },
	{ .name = "get",
	    .operands = "METHOD [FILE] [K=V...] --out FILE|-",
	    .about = "fetch a file; run again, go on where it was cut",
	    .examples = get_examples,
	    .opts = get_opts,
	    .complete = COMPLETE_METHOD,
	    .rest = COMPLETE_ITEM,
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .run = cmd_get },
	{ .name = "ls",
	    .operands = "[PATTERN]",
	    .about = "list the server's methods",
	    .opts = ls_opts,
	    .min_operands = 0,
	    .max_operands = 1,
	    .run = cmd_ls },
	{ .name = "desc",
	    .operands = "METHOD",
	    .about = "describe one method",
	    .opts = ls_opts,
	    .complete = COMPLETE_METHOD,
	    .min_operands = 1,
	    .max_operands = 1,
	    .run = cmd_desc },
	{ .name = "ping",
	    .operands = "",
	    .about = "is the server there, and how far away",
	    .opts = ping_opts,
	    .min_operands = 0,
	    .max_operands = 0,
	    .run = cmd_ping },
	{ .name = "bench",
	    .operands = "METHOD [ITEM...]",
	    .about = "call it many times, and measure",
	    .examples = bench_examples,
	    .opts = bench_opts,
	    .complete = COMPLETE_METHOD,
	    .rest = COMPLETE_ITEM,
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .run = cmd_bench },
	{ .name = "watch",
	    .operands = "[SUBJECT...] | --every TIME METHOD [ITEM...]",
	    .about = "show what it pushes, or a call's answers",
	    .examples = watch_examples,
	    .opts = watch_opts,
	    .complete = COMPLETE_METHOD,
	    .rest = COMPLETE_ITEM,
	    .min_operands = 0,
	    .max_operands = UINT_MAX,
	    .run = cmd_watch },
	{ .name = "ctx",
	    .operands = "ls|show|use|add|rm [NAME [SETTING=VALUE...]]",
	    .about = "contexts: named sets of settings",
	    .examples = ctx_examples,
	    .opts = ctx_opts,
	    .complete = COMPLETE_WORDS,
	    .rest = COMPLETE_SETTING,
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .run = cmd_ctx },
	{ .name = "trust",
	    .operands = "ls|find|add|replace|rm|lock|unlock [HOST:PORT [FP]]",
	    .about = "known servers: whose key belongs to which address",
	    .examples = trust_examples,
	    .opts = trust_opts,
	    .complete = COMPLETE_WORDS,
	    .rest = COMPLETE_SERVER,
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .run = cmd_trust },
	{ 0 },
};

bool
rpcsh_has_verb(const char *word)
{
	const struct cmd *c = cmds;

	while (c->name != NULL && strcmp(c->name, word) != 0)
		c++;
	return c->name != NULL || strcmp(word, "help") == 0;
}

static const char *const usage[] = {
	"[OPTION...] [call] METHOD [ITEM...] | exec|put|get|ls|desc|ping|"
	"bench|watch|ctx|trust ...",
	"[OPTION...]                      (a shell, on a terminal)",
	"[OPTION...] -f FILE|- [--keep-going]",
	NULL,
};
static const char *const examples[] = {
	"rpcsh ls                    # what the server offers",
	"rpcsh echo greeting=hello   # call by name, reply as JSON",
	"rpcsh -s 10.1.4.2:8443 -k ann ping -n 5",
	NULL,
};
static const struct env_doc envs[] = {
	{ "RPCKIT_SERVER", "stands in for --server" },
	{ "RPCKIT_CONTEXT", "stands in for --context" },
	{ "RPCKIT_CERTS", "stands in for --certs" },
	{ "RPCKIT_KEY", "stands in for --key" },
	{ "RPCKIT_PSK_FILE", "stands in for --psk" },
	{ "RPCKIT_TIMEOUT", "stands in for --timeout" },
	{ "RPCKIT_ASKPASS",
	    "program that asks for passphrases, before SSH_ASKPASS" },
	{ "CREDENTIALS_DIRECTORY", "where --pass cred:NAME looks" },
	{ "KEYVAULT_SOCK", "socket of the agent of keys keyvault:NAME" },
	{ "XDG_CONFIG_HOME", "rpckit below it has contexts, config and certs" },
	{ "XDG_DATA_HOME", "rpckit below it has known_server_keys" },
	{ "XDG_STATE_HOME", "rpckit below it has the shell's history" },
	{ "XDG_CACHE_HOME", "rpckit below it has what is known of methods" },
	{ "PAGER", "shows what is longer than the screen (less -FIRX); empty: "
	           "nothing does" },
	{ "VISUAL", "edits what :edit is about, before EDITOR (vi)" },
	{ "EDITOR", "the same" },
	{ "TMPDIR", "where that file is (/tmp)" },
	{ "NO_COLOR", "no color when set and not empty" },
	{ 0 },
};

/* A script, or a shell where somebody can type. */
static int
no_operand(struct args *a, void *ctx)
{
	struct out o;

	out_init(&o, a);
	if (args_given(a, "file"))
		return script_main(a, ctx);
	if (args_flag(a, "keep-going"))
		return out_fail(&o, RK_EINVAL, "--keep-going goes with -f FILE",
		    "rpcsh -h");
	if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
	    !args_flag(a, "no-input"))
		return shell_main(a, ctx);
	return out_fail(&o, RK_EINVAL, "no method given", "rpcsh -h");
}

static const struct prog prog = {
	.name = "rpcsh",
	.section = "1",
	.about = "calls methods of rpckit and rpc25519 servers, runs commands "
	         "there, and sends and fetches files",
	.usage = usage,
	.examples = examples,
	.opts = global_opts,
	.cmds = cmds,
	.default_cmd = "call",
	.run = no_operand,
	.envs = envs,
	.see_also = "rpcd 8, selfy 1",
	.style = PROG_GNU,
	.words = cache_words,
};

int
main(int argc, char **argv)
{
	struct prog p = prog;
	struct caller by = { .argc = argc, .argv = argv };
	char text[160];

	p.features = transports_text(text, sizeof(text));
	return cmd_main(&p, argc, argv, &by);
}
