/* A vault of many records, listed and searched: by keyvault and within it. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rpckit/key.h>

#include "base/clock.h"
#include "keyvault/vault.h"

/*
 * usage: vault KEYVAULT DIR ROUNDS RECORDS
 *
 * Makes DIR/v/vault.db with so many Ed25519 keys.  Each figure is of a whole
 * process of KEYVAULT, from its start to its end, what it prints thrown away;
 * or of calls of the library in this one.  They are measured in turns.
 */
#define ROUNDS_MOST 1001
#define NAME_LEN 32

enum what {
	W_VERSION,
	W_LIST_TEXT,
	W_LIST_JSON,
	W_SHOW,
	W_OPEN,
	W_LIST,
	W_FIND,
	W_COUNT
};

static const char *const titles[W_COUNT] = {
	[W_VERSION] = "keyvault --version",
	[W_LIST_TEXT] = "keyvault ls",
	[W_LIST_JSON] = "keyvault --json ls",
	[W_SHOW] = "keyvault show NAME",
	[W_OPEN] = "library: open",
	[W_LIST] = "library: list all",
	[W_FIND] = "library: find one",
};

static double ms[W_COUNT][ROUNDS_MOST];

struct bench {
	const char *program;
	char path[4096];
	char *env[3];
	unsigned long records;
	unsigned round;
	int null_fd;
};

_Noreturn static void
die(const char *why)
{
	(void)fprintf(stderr, "bench/vault: %s\n", why);
	exit(1);
}

static double
now_ms(void)
{
	return (double)mono_ns() / 1e6;
}

static void
put_name(unsigned long i, char out[NAME_LEN])
{
	(void)snprintf(out, NAME_LEN, "key-%06lu", i);
}

/* ---- the vault ---- */

static void
add_all(struct vault *v, unsigned long n)
{
	struct rk_error err;
	struct rk_secret *seed = NULL;
	struct rk_key *key = NULL;

	for (unsigned long i = 0; i < n; i++) {
		struct record rec = { .kind = RECORD_ED25519,
			.pub_len = RK_KEY_PUBLIC_LEN };

		put_name(i, rec.name);
		if (rk_secret_new(RK_KEY_SEED_LEN, &seed) != RK_OK)
			die("out of memory");
		rk_random(rk_secret_data(seed), RK_KEY_SEED_LEN);
		if (rk_key_from_seed(rk_secret_peek(seed), &key) != RK_OK)
			die("no key");
		rk_key_public(key, rec.pub);
		rk_key_free(key);
		if (vault_add(v, &rec, seed, VAULT_ACT_NEW, &err) != RK_OK)
			die(err.text);
		rk_secret_free(seed);
	}
}

static void
make(struct bench *b)
{
	const struct vault_setup setup = { .kdf = {
		                               .passes = 1,
		                               .kib = 8,
		                               .lanes = 1,
		                           } };
	struct rk_secret *pass = NULL;
	struct vault *v = NULL;
	struct rk_error err;

	if (rk_secret_copy("bench", 5, &pass) != RK_OK)
		die("out of memory");
	if (vault_make(b->path, &setup, pass, &err) != RK_OK ||
	    vault_open(b->path, &v, &err) != RK_OK ||
	    vault_unlock(v, pass, &err) != RK_OK ||
	    vault_begin(v, &err) != RK_OK)
		die(err.text);
	add_all(v, b->records);
	if (vault_commit(v, &err) != RK_OK)
		die(err.text);
	vault_close(v);
	rk_secret_free(pass);
}

/* ---- one measurement ---- */

/* With these words, of which the second may be NULL. */
static void
run(struct bench *b, enum what w, const char *first, const char *second)
{
	char words[3][NAME_LEN] = { "keyvault" };
	char *const argv[] = { words[0], words[1],
		second != NULL ? words[2] : NULL, NULL };
	posix_spawn_file_actions_t to;
	double began;
	pid_t pid;
	int status;

	(void)snprintf(words[1], NAME_LEN, "%s", first);
	(void)snprintf(words[2], NAME_LEN, "%s", second != NULL ? second : "");
	if (posix_spawn_file_actions_init(&to) != 0 ||
	    posix_spawn_file_actions_adddup2(&to, b->null_fd, 1) != 0)
		die("out of memory");
	began = now_ms();
	if (posix_spawn(&pid, b->program, &to, NULL, argv, b->env) != 0 ||
	    waitpid(pid, &status, 0) != pid || status != 0)
		die("keyvault failed");
	ms[w][b->round] = now_ms() - began;
	(void)posix_spawn_file_actions_destroy(&to);
}

static bool
count_one(const struct record *rec, void *arg)
{
	(void)rec;
	++*(unsigned long *)arg;
	return true;
}

/* As a program does that starts: nothing of the vault is known yet. */
static void
call(struct bench *b, const char *name)
{
	const double began = now_ms();
	double opened, listed;
	unsigned long n = 0;
	struct vault *v = NULL;
	struct record rec;
	struct rk_error err;

	if (vault_open(b->path, &v, &err) != RK_OK)
		die(err.text);
	opened = now_ms();
	if (vault_list(v, count_one, &n, &err) != RK_OK || n != b->records)
		die("not all of it was listed");
	listed = now_ms();
	if (vault_find(v, name, &rec, &err) != RK_OK)
		die(err.text);
	ms[W_FIND][b->round] = now_ms() - listed;
	ms[W_LIST][b->round] = listed - opened;
	ms[W_OPEN][b->round] = opened - began;
	vault_close(v);
}

static void
measure(struct bench *b)
{
	char name[NAME_LEN];

	put_name((b->round * 7919ul + 13) % b->records, name);
	run(b, W_VERSION, "--version", NULL);
	run(b, W_LIST_TEXT, "ls", NULL);
	run(b, W_LIST_JSON, "--json", "ls");
	run(b, W_SHOW, "show", name);
	call(b, name);
}

/* ---- the table ---- */

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print(unsigned long records, unsigned n)
{
	(void)printf("\n| a vault of %lu keys, ms | best | median | 9 in 10 |\n"
	             "| --- | --: | --: | --: |\n",
	    records);
	for (int w = 0; w < W_COUNT; w++) {
		qsort(ms[w], n, sizeof(ms[w][0]), compare);
		(void)printf("| %s | %.2f | %.2f | %.2f |\n", titles[w],
		    ms[w][0], ms[w][n / 2], ms[w][n * 9 / 10]);
	}
}

int
main(int argc, char **argv)
{
	const long rounds = argc == 5 ? strtol(argv[3], NULL, 10) : 0;
	const long records = argc == 5 ? strtol(argv[4], NULL, 10) : 0;
	struct bench b = { .records = (unsigned long)records };
	char home[4096];
	char where[4096 + 16];

	if (rounds < 1 || rounds > ROUNDS_MOST || records < 1 ||
	    records > VAULT_RECORDS_MAX) {
		(void)fprintf(
		    stderr, "usage: vault KEYVAULT DIR ROUNDS RECORDS\n");
		return 2;
	}
	b.program = argv[1];
	if (snprintf(b.path, sizeof(b.path), "%s/v/vault.db", argv[2]) >=
	        (int)sizeof(b.path) ||
	    snprintf(home, sizeof(home), "HOME=%s", argv[2]) >=
	        (int)sizeof(home))
		die("DIR is too long");
	(void)snprintf(where, sizeof(where), "KEYVAULT_DB=%s", b.path);
	b.env[0] = where;
	b.env[1] = home; /* and no agent */
	if ((b.null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0)
		die("no /dev/null");
	make(&b);
	for (; b.round < (unsigned)rounds; b.round++)
		measure(&b);
	print(b.records, b.round);
	return 0;
}
