/* Two made-up programs, one with GNU's options and one with Go's. */
#include "tryprog.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct opt opts[] = {
	{ .name = "server",
	    .letter = 's',
	    .kind = OPT_TEXT,
	    .meta = "HOST:PORT",
	    .env = "RPCKIT_TEST_SERVER",
	    .about = "where to connect" },
	{ .name = "quic", .letter = 'q', .about = "use QUIC" },
	{ .name = "timing", .letter = 't', .about = "show times" },
	{ .name = "timeout",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .env = "RPCKIT_TEST_TIMEOUT",
	    .about = "limit of a call" },
	{ .name = "size", .kind = OPT_SIZE, .meta = "BYTES" },
	{ .name = "trust",
	    .kind = OPT_CHOICE,
	    .meta = "ask|accept-new|strict",
	    .about = "about new servers" },
	{ .name = "header",
	    .letter = 'H',
	    .kind = OPT_TEXT,
	    .flags = OPT_MANY,
	    .about = "a header" },
	{ .name = "skip-verify", .flags = OPT_HIDDEN },
	{ .name = "plain", .about = "lines for tools" },
	COMMON_OPTS,
	{ .name = NULL },
};

static const struct opt bench_opts[] = {
	{ .name = "for",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .min = 1000,
	    .max = UINT64_C(366) * 86400 * 1000,
	    .about = "how long" },
	{ .name = "n",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .min = 1,
	    .max = 100,
	    .about = "how many" },
	{ .name = "warm", .about = "warm up" },
	{ .name = NULL },
};

static const struct opt ls_opts[] = {
	{ .name = "refresh", .about = "ask again" },
	{ .name = "warm", .kind = OPT_TEXT, .about = "takes a word here" },
	{ .name = NULL },
};

static int
run(struct args *a, void *ctx)
{
	const struct cmd *c = args_cmd(a);
	const char *const *w;
	size_t n;

	(void)ctx;
	w = args_operands(a, &n);
	printf("%s", c == NULL ? "none" : c->name);
	for (size_t i = 0; i < n; i++)
		printf(" %s", w[i]);
	printf("\n");
	return (int)n;
}

static int
run_process(struct args *a, void *ctx)
{
	struct rlimit core;

	(void)a;
	(void)ctx;
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			return 10 + fd;
	}
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_cur != 0)
		return 20;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 21;
}

static const struct cmd cmds[] = {
	{ .name = "call",
	    .operands = "METHOD [ITEM...]",
	    .about = "call a method",
	    .min_operands = 1,
	    .max_operands = UINT_MAX,
	    .complete = COMPLETE_METHOD,
	    .run = run },
	{ .name = "ls",
	    .operands = "[PATTERN]",
	    .about = "list methods",
	    .opts = ls_opts,
	    .max_operands = 1,
	    .run = run },
	{ .name = "bench",
	    .operands = "METHOD FILE",
	    .about = "measure",
	    .opts = bench_opts,
	    .min_operands = 2,
	    .max_operands = 2,
	    .run = run },
	{ .name = "process", .about = "look around", .run = run_process },
	{ .name = NULL },
};

static const char *const usage[] = { "[OPTION...] METHOD [ITEM...]", NULL };
static const char *const examples[] = { "try Sum a:=1  # adds", "try ls",
	"try bench", "try it", "try again", NULL };
static const struct env_doc envs[] = {
	{ "RPCKIT_TEST_SERVER", "where to connect" },
	{ NULL, NULL },
};

static const char *const *
words(const struct args *a, enum complete kind, const char *prefix)
{
	static const char *const list[] = { "math.Sum", "math.Sub", "disk.free",
		"math.$(id)", "-math", "math.a b", NULL };
	static const char *const none[] = { NULL };

	(void)a;
	(void)prefix;
	return kind == COMPLETE_METHOD ? list : none;
}

/* A program whose first operand may be a method. */
const struct prog try_gnu = {
	.name = "try",
	.section = "1",
	.about = "try things",
	.usage = usage,
	.examples = examples,
	.opts = opts,
	.cmds = cmds,
	.default_cmd = "call",
	.run = run,
	.envs = envs,
	.see_also = "rpcd 8, selfy 1",
	.features = "feature a, feature b",
	.words = words,
};

static const struct opt go_opts[] = {
	{ .name = "k", .kind = OPT_TEXT, .meta = "NAME", .about = "key pair" },
	{ .name = "gensym", .kind = OPT_TEXT, .about = "make a PSK" },
	{ .name = "ca", .about = "make a CA" },
	{ .name = "nopass", .about = "no passphrase" },
	{ .name = "days", .kind = OPT_NUMBER, .about = "how long" },
	COMMON_OPTS,
	{ .name = NULL },
};

const struct prog try_go = {
	.name = "go",
	.section = "1",
	.about = "make keys",
	.opts = go_opts,
	.run = run,
	.style = PROG_GO,
};

/* The same without a default: a word that is no verb is an error. */
struct prog
try_strict(void)
{
	struct prog p = try_gnu;

	p.default_cmd = NULL;
	p.run = NULL;
	return p;
}
