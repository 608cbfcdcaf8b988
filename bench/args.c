/* The command line that both programs share, and how they end. */
#include "args.h"

#include "base/error.h"
#include "base/str.h"

#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPERANDS_MAX 5
#define SIZE_LIMIT (1u << 20)
#define SIZE_DEFAULT 581 /* dial, idle */
#define OUTSTANDING_MAX 65536
#define CONNS_MAX 100000
#define THREADS_MAX 256

/* Operands by letters: d duration, s size, o outstanding, m full, resumed or
 * early, n connections, t threads. */
static const struct form {
	const char *name;
	const char *operands;
} forms[] = {
	[WORK_SERVER] = { "server", "t" },
	[WORK_SEQ] = { "seq", "ds" },
	[WORK_PIPE] = { "pipe", "dso" },
	[WORK_DIAL] = { "dial", "dm" },
	[WORK_IDLE] = { "idle", "n" },
	[WORK_HOLD] = { "hold", "n" },
	[WORK_UP] = { "up", "ds" },
	[WORK_DOWN] = { "down", "ds" },
};

static const char usage_text[] =
    "usage: %s [-p PID] [-k FILE] [-e FILE] WORK URL CERTS OPERAND...\n"
    "  server URL CERTS THREADS                     echo until SIGTERM\n"
    "  seq    URL CERTS DURATION SIZE               one call after another\n"
    "  pipe   URL CERTS DURATION SIZE OUTSTANDING   many at a time\n"
    "  dial   URL CERTS DURATION full|resumed|early connect, call, close\n"
    "  idle   URL CERTS COUNT                       connections' memory\n"
    "  hold   URL CERTS COUNT                       the same, until standard\n"
    "                                               input ends\n"
    "  up     URL CERTS DURATION SIZE               parts of SIZE, one way\n"
    "  down   URL CERTS DURATION SIZE               the same from the server\n"
    "CERTS is a folder, or - for none.  -p names the server's process, whose\n"
    "CPU time and memory are measured too.  -k names a pre-shared key, or one\n"
    "of the agent, -e a file of keys that are believed over sessions (load).\n";

static enum rk_err
parse_number(const char *word, const char *what, uint64_t max, uint64_t *out,
    struct rk_error *err)
{
	char shown[64];

	if (str_parse_u64(word, 0, max, out) == RK_OK)
		return RK_OK;
	return err_set(err, RK_EINVAL, "%s: not a number up to %llu: %s", what,
	    (unsigned long long)max, str_escape(shown, sizeof(shown), word));
}

static enum rk_err
parse_unsigned(const char *word, const char *what, unsigned max, unsigned *out,
    struct rk_error *err)
{
	uint64_t n;
	enum rk_err r = parse_number(word, what, max, &n, err);

	*out = r == RK_OK ? (unsigned)n : 0;
	return r;
}

static enum rk_err
parse_size(const char *word, size_t *out, struct rk_error *err)
{
	uint64_t n = 0;
	char shown[64];

	*out = 0;
	if (str_parse_size(word, &n) != RK_OK || n > SIZE_LIMIT)
		return err_set(err, RK_EINVAL, "size: not up to 1M: %s",
		    str_escape(shown, sizeof(shown), word));
	*out = (size_t)n;
	return RK_OK;
}

static enum rk_err
parse_duration(const char *word, uint64_t *out, struct rk_error *err)
{
	char shown[64];

	if (str_parse_duration(word, out) == RK_OK && *out > 0)
		return RK_OK;
	return err_set(err, RK_EINVAL, "duration: not a time: %s",
	    str_escape(shown, sizeof(shown), word));
}

static enum rk_err
parse_mode(const char *word, struct args *a, struct rk_error *err)
{
	char shown[64];

	a->early = strcmp(word, "early") == 0;
	a->resume = a->early || strcmp(word, "resumed") == 0;
	if (a->resume || strcmp(word, "full") == 0)
		return RK_OK;
	return err_set(err, RK_EINVAL, "dial: not full, resumed or early: %s",
	    str_escape(shown, sizeof(shown), word));
}

static enum rk_err
parse_operand(
    char letter, const char *word, struct args *a, struct rk_error *err)
{
	switch (letter) {
	case 'd':
		return parse_duration(word, &a->ms, err);
	case 's':
		return parse_size(word, &a->size, err);
	case 'o':
		return parse_unsigned(
		    word, "outstanding", OUTSTANDING_MAX, &a->outstanding, err);
	case 'm':
		return parse_mode(word, a, err);
	case 'n':
		return parse_unsigned(
		    word, "connections", CONNS_MAX, &a->conns, err);
	default:
		return parse_unsigned(
		    word, "threads", THREADS_MAX, &a->threads, err);
	}
}

static enum rk_err
parse_work(const char *word, struct args *a, struct rk_error *err)
{
	char shown[64];

	for (size_t i = 0; i < WORK_COUNT; i++) {
		if (strcmp(word, forms[i].name) == 0) {
			a->work = (enum work)i;
			a->name = forms[i].name;
			return RK_OK;
		}
	}
	return err_set(err, RK_EINVAL, "no such work: %s",
	    str_escape(shown, sizeof(shown), word));
}

static enum rk_err
parse_operands(char **words, int n, struct args *a, struct rk_error *err)
{
	const char *operands;
	enum rk_err r;

	if (n < 3)
		return err_set(
		    err, RK_EINVAL, "WORK, URL and CERTS are needed");
	if ((r = parse_work(words[0], a, err)) != RK_OK)
		return r;
	a->url = words[1];
	a->certs = strcmp(words[2], "-") == 0 ? NULL : words[2];
	operands = forms[a->work].operands;
	if ((size_t)n != 3 + strlen(operands))
		return err_set(err, RK_EINVAL,
		    "%s: %zu operands follow CERTS, not %d", a->name,
		    strlen(operands), n - 3);
	for (int i = 3; i < n && r == RK_OK; i++)
		r = parse_operand(operands[i - 3], words[i], a, err);
	if (r == RK_OK && a->work == WORK_PIPE && a->outstanding == 0)
		r = err_set(err, RK_EINVAL, "outstanding: 0 would do nothing");
	if (r == RK_OK && (a->work == WORK_IDLE || a->work == WORK_HOLD) &&
	    a->conns == 0)
		r = err_set(err, RK_EINVAL, "connections: 0 tell nothing");
	return r;
}

static enum rk_err
parse(int argc, char **argv, struct args *a, struct rk_error *err)
{
	uint64_t pid;
	enum rk_err r;
	int option;

	*a = (struct args){ .size = SIZE_DEFAULT, .outstanding = 1 };
	opterr = 0;
	while ((option = getopt(argc, argv, "+p:k:e:")) != -1) {
		if (option == 'k') {
			a->psk = optarg;
			continue;
		}
		if (option == 'e') {
			a->peers = optarg;
			continue;
		}
		if (option != 'p')
			return err_set(err, RK_EINVAL,
			    optopt == 'p' || optopt == 'k' || optopt == 'e'
			        ? "-p, -k and -e: a process and files are "
			          "needed"
			        : "there is no option but -p, -k and -e");
		r = parse_number(optarg, "-p", INT_MAX, &pid, err);
		if (r != RK_OK)
			return r;
		a->server = (pid_t)pid;
	}
	return parse_operands(argv + optind, argc - optind, a, err);
}

/* Thousands of connections are thousands of descriptors. */
static void
raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	/* If it stays low, connecting says so. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

int
args_run(const struct program *p, int argc, char **argv)
{
	struct rk_error err = { 0 };
	struct args a;
	enum rk_err r;

	r = parse(argc, argv, &a, &err);
	if (r != RK_OK) {
		(void)fprintf(stderr, "%s: %s\n", p->name, err.text);
		(void)fprintf(stderr, usage_text, p->name);
		return rk_err_exit(r);
	}
	raise_limit();
	r = p->run[a.work] == NULL
	        ? err_set(&err, RK_EUNSUPPORTED, "not for this program")
	        : p->run[a.work](&a, &err);
	if (r == RK_OK && fflush(stdout) != 0)
		r = err_set(&err, RK_EIO, "standard output: cannot write");
	if (r != RK_OK)
		(void)fprintf(stderr, "%s: %s: %s\n", p->name, a.name,
		    err.text[0] == '\0' ? rk_err_text(r) : err.text);
	return rk_err_exit(r);
}
