/* rpctui: a dashboard of a running daemon; options and what they lead to. */
#include "prefs.h"
#include "screen.h"
#include "term.h"
#include "theme.h"
#include "tui.h"

#include "base/agent_dial.h"
#include "base/error.h"
#include "cli/spell.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EVERY_MS 1000
#define EVERY_PLAIN_MS 10000 /* nobody sees them unasked */

static const struct opt opts[] = {
	{ .name = "socket",
	    .kind = OPT_TEXT,
	    .meta = "PATH",
	    .complete = COMPLETE_FILE,
	    .about = "the daemon's admin socket ($XDG_RUNTIME_DIR/rpckit/"
	             "admin.sock, " PATH_ADMIN_SYSTEM ")" },
	{ .name = "context",
	    .letter = 'c',
	    .kind = OPT_TEXT,
	    .meta = "CTX",
	    .complete = COMPLETE_CONTEXT,
	    .about = "the admin socket that this context of rpcsh's names" },
	{ .name = "read-only", .about = "show, and offer nothing that steers" },
	{ .name = "once",
	    .about = "print everything as it is now, and end; needs no "
	             "terminal" },
	{ .name = "plain",
	    .about = "no screen: a line for everything that happens, and "
	             "for what is typed" },
	{ .name = "ascii", .about = "draw lines and bars with - | + # only" },
	{ .name = "every",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .min = 100,
	    .max = 3600000,
	    .about = "how often to ask for figures (1s)" },
	COMMON_OPTS,
	{ 0 },
};

static const char *const usage[] = {
	"[--socket PATH | -c CTX] [--read-only] [OPTION]...",
	"--once [--json]",
	"--plain [--read-only]",
	NULL,
};

static const char *const examples[] = {
	"rpctui                         # the daemon of this user, or machine",
	"rpctui --once                  # as text, for a mail or a ticket",
	"rpctui --once --json | jq .status.connections",
	"rpctui --plain                 # for screen readers",
	NULL,
};

static const struct env_doc envs[] = {
	{ "XDG_CONFIG_HOME",
	    "rpckit/config and rpckit/theme.conf below it (~/.config)" },
	{ "XDG_RUNTIME_DIR", "rpckit/admin.sock below it is looked for first" },
	{ "KEYVAULT_SOCK", "socket of a vault's agent, for the tab of keys" },
	{ "TERM",
	    "what the terminal is; dumb and unknown ones have no screen" },
	{ "NO_COLOR", "no color when set and not empty" },
	{ NULL, NULL },
};

/* ---- what cannot be ---- */

static int
misused(const struct tui *t)
{
	const struct args *a = t->a;
	struct out text = t->out;
	size_t n;

	(void)args_operands(a, &n);
	if (n > 0)
		return out_fail(
		    &t->out, RK_EINVAL, "there are no operands", "rpctui -h");
	if (args_flag(a, "once") && args_flag(a, "plain"))
		return out_fail(&t->out, RK_EINVAL,
		    "--once and --plain are two different things", "rpctui -h");
	if (t->out.form == OUT_JSON && !args_flag(a, "once")) {
		text.form = OUT_TEXT;
		return out_fail(&text, RK_EINVAL, "--json goes with --once",
		    "rpctui --once --json");
	}
	return 0;
}

static int
no_screen(const struct tui *t)
{
	if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1)
		return out_fail(&t->out, RK_EINVAL,
		    "standard input and output are no terminal",
		    "rpctui --once");
	if (!term_is_usable())
		return out_fail(&t->out, RK_EINVAL,
		    "this terminal has no screen ($TERM)", "rpctui --plain");
	return 0;
}

/* ---- running ---- */

/* Can it be reached at all?  Later it is dialed again whatever is wrong. */
static int
try_once(struct tui *t)
{
	struct rk_client *client;
	struct rk_value_doc *doc;
	int status = tui_dial(t, &client);

	if (status == 0) {
		status = tui_ask(t, client, "_.status", 0, LACK_NOTHING, &doc);
		rk_value_free(doc);
	}
	rk_client_free(client);
	return status;
}

static int
run_screen(struct tui *t, const struct feed_conf *of, struct feed *feed,
    struct vault_line *vault, uint64_t every_ms)
{
	struct screen_conf conf = { .loop = of->loop,
		.feed = feed,
		.vault = vault,
		.model = of->model,
		.path = t->at.path,
		.ascii = args_flag(t->a, "ascii") || spell_needed(),
		.color = t->out.color_out,
		.read_only = args_flag(t->a, "read-only"),
		.every_ms = every_ms };
	struct rk_error err;

	if (prefs_quick_keys(t->a, &conf.quick_keys, &err) != RK_OK ||
	    theme_load(conf.looks, &err) != RK_OK)
		return out_error(&t->out, &err, NULL);
	return screen_run(&conf);
}

static int
run_live(struct tui *t, bool plain)
{
	struct model *model = malloc(sizeof(*model));
	uint64_t every_ms = args_number(t->a, "every", EVERY_MS);
	struct feed_conf conf = { .model = model,
		.path = t->at.path,
		.every_ms = plain ? EVERY_PLAIN_MS : every_ms };
	struct feed *feed = NULL;
	struct rk_error err = { 0 };
	enum rk_err r;
	struct vault_line *vault = NULL;
	char path[AGENT_PATH_MAX];
	bool named;
	int status;

	if (model == NULL)
		return out_fail(&t->out, RK_ENOMEM, "out of memory", NULL);
	model_init(model);
	if ((r = rk_loop_new(&conf.loop)) != RK_OK)
		(void)err_set(&err, r, "%s", rk_err_text(r));
	else
		r = feed_new(&conf, &feed, &err);
	if (r == RK_OK && agent_path(path, &named, &err) == RK_OK)
		r = vault_new(
		    &(struct vault_conf){
		        .loop = conf.loop, .model = model, .path = path },
		    &vault);
	if (r == RK_ENOMEM && err.code == RK_OK)
		(void)err_set(&err, r, "out of memory");
	if (r != RK_OK)
		status = out_error(&t->out, &err, NULL);
	else if (plain)
		status = tui_plain(&(struct tui_live){ .out = &t->out,
		    .loop = conf.loop,
		    .feed = feed,
		    .vault = vault,
		    .model = model,
		    .path = t->at.path,
		    .read_only = args_flag(t->a, "read-only") });
	else
		status = run_screen(t, &conf, feed, vault, every_ms);
	vault_free(vault);
	feed_free(feed);
	rk_loop_free(conf.loop);
	model_fini(model);
	free(model);
	return status;
}

static int
run(struct args *a, void *ctx)
{
	struct tui t = { .a = a };
	int status;

	(void)ctx;
	out_init(&t.out, a);
	if ((status = misused(&t)) != 0)
		return status;
	if (!args_flag(a, "once") && !args_flag(a, "plain") &&
	    (status = no_screen(&t)) != 0)
		return status;
	if ((status = tui_find(&t)) != 0)
		return status;
	if (args_flag(a, "once"))
		return tui_once(&t);
	if ((status = try_once(&t)) != 0)
		return status;
	return run_live(&t, args_flag(a, "plain"));
}

int
main(int argc, char **argv)
{
	static const struct prog prog = {
		.name = "rpctui",
		.section = "1",
		.about = "a dashboard of a daemon that runs: who is connected, "
		         "what is called, whose keys wait",
		.usage = usage,
		.examples = examples,
		.opts = opts,
		.run = run,
		.envs = envs,
		.see_also = "rpcd 8, rpcd-ctl 8, rpckit-control 7, "
		            "rpckit-trust 7",
		.style = PROG_GNU,
	};

	return cmd_main(&prog, argc, argv, NULL);
}
