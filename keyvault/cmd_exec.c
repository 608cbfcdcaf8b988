/* exec: secrets for one command, by descriptor or environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"
#include "child.h"
#include "keyvault.h"

#define GIFTS_MAX 64
#define VAR_LEN 128

/* What was asked for: a record, and how the command gets it. */
struct giving {
	struct child_gift gifts[GIFTS_MAX];
	const char *names[GIFTS_MAX];
	char vars[GIFTS_MAX][VAR_LEN];
	size_t n;
};

/* ---- what is wanted ---- */

static bool
is_variable(const char *text, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "abcdefghijklmnopqrstuvwxyz_0123456789";

	return len > 0 && len < VAR_LEN && strspn(text, allowed) >= len &&
	       (text[0] < '0' || text[0] > '9');
}

static enum rk_err
check_twice(struct kv *kv, const struct giving *g, const char *word)
{
	const struct child_gift *now = &g->gifts[g->n];
	const struct child_gift *other;

	for (size_t i = 0; i < g->n; i++) {
		other = &g->gifts[i];
		if (now->var == NULL
		        ? other->var == NULL && other->fd == now->fd
		        : other->var != NULL &&
		              strcmp(other->var, now->var) == 0)
			return kv_fail(kv, RK_EINVAL, word,
			    "is what another one has already");
	}
	return RK_OK;
}

/* "VAR=NAME" or "N=NAME". */
static enum rk_err
take_word(struct kv *kv, struct giving *g, const char *word, bool var)
{
	size_t len = strcspn(word, "=");
	struct child_gift *gift = &g->gifts[g->n];
	uint64_t fd = 0;

	if (g->n == GIFTS_MAX)
		return kv_fail(
		    kv, RK_ELIMIT, word, "more than 64 for a command");
	if (word[len] == '\0' || len >= VAR_LEN)
		return kv_fail(kv, RK_EINVAL, word,
		    var ? "--env wants VAR=NAME" : "--fd wants N=NAME");
	memcpy(g->vars[g->n], word, len);
	g->vars[g->n][len] = '\0';
	gift->var = NULL;
	if (var && !is_variable(word, len))
		return kv_fail(kv, RK_EINVAL, word, "is no name of a variable");
	if (var)
		gift->var = g->vars[g->n];
	else if (str_parse_u64(g->vars[g->n], 0, CHILD_FD_MAX, &fd) != RK_OK ||
	         fd == 1 || fd == 2)
		return kv_fail(kv, RK_EINVAL, word,
		    "a descriptor is 0, or 3 to 255: 1 and 2 are for answers");
	gift->fd = (int)fd;
	g->names[g->n] = word + len + 1;
	if (check_twice(kv, g, word) != RK_OK)
		return kv->err.code;
	g->n++;
	return RK_OK;
}

static enum rk_err
take_words(struct kv *kv, struct giving *g)
{
	const char *const *list;
	size_t n;
	enum rk_err r = RK_OK;

	list = args_list(kv->args, "env", &n);
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = take_word(kv, g, list[i], true);
	list = args_list(kv->args, "fd", &n);
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = take_word(kv, g, list[i], false);
	if (r != RK_OK || g->n > 0)
		return r;
	kv_retry(kv, "--fd 3=NAME, or --env VAR=NAME");
	return kv_fail(kv, RK_EINVAL, "exec", "which secrets?");
}

/* ---- taking them ---- */

/* A variable is text. */
static enum rk_err
check_text(
    struct kv *kv, const struct child_gift *gift, const struct record *rec)
{
	if (gift->var == NULL)
		return RK_OK;
	if (rec->kind == RECORD_PSK ||
	    memchr(rk_secret_peek(gift->bytes), '\0',
	        rk_secret_len(gift->bytes)) != NULL) {
		kv_retry(kv, "--fd 3=NAME");
		return kv_fail(kv, RK_EINVAL, rec->name,
		    "is no text: it cannot be in the environment");
	}
	return RK_OK;
}

static enum rk_err
take_secret(struct kv *kv, struct giving *g, size_t i)
{
	const char *form = args_text(kv->args, "form", "pkcs8");
	struct rk_secret *secret = NULL;
	struct record rec;
	enum rk_err r;

	if ((r = vault_secret(
	         kv->vault, g->names[i], &rec, &secret, &kv->err)) == RK_OK)
		r = form_write(
		    kv, &rec, secret, form, NULL, &g->gifts[i].bytes);
	rk_secret_free(secret);
	if (r != RK_OK || (r = check_text(kv, &g->gifts[i], &rec)) != RK_OK)
		return r;
	if (rec.expires != 0 && rec.expires <= (int64_t)time(NULL))
		out_warn(&kv->out, "%s: its time is over", rec.name);
	return RK_OK;
}

/* On the disk before the command has them. */
static enum rk_err
note_all(struct kv *kv, const struct giving *g, const char *command)
{
	char more[VAULT_LOG_TEXT_MAX];
	const struct child_gift *gift;
	enum rk_err r;

	r = vault_begin(kv->vault, &kv->err);
	for (size_t i = 0; i < g->n && r == RK_OK; i++) {
		gift = &g->gifts[i];
		if (gift->var != NULL)
			(void)snprintf(more, sizeof(more),
			    "as the variable %s, to %s", gift->var, command);
		else
			(void)snprintf(more, sizeof(more),
			    "as descriptor %d, to %s", gift->fd, command);
		r = vault_log(
		    kv->vault, VAULT_ACT_EXPORT, g->names[i], more, &kv->err);
	}
	if (r == RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	return r;
}

/* ---- the command ---- */

static void
warn_of_environment(struct kv *kv, const struct giving *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->gifts[i].var != NULL)
			out_note(&kv->out,
			    "%s: all that the command starts has it too, and "
			    "keeps it; --fd is safer",
			    g->gifts[i].var);
}

static enum rk_err
run_with(struct kv *kv, struct giving *g)
{
	size_t n;
	const char *const *words = args_operands(kv->args, &n);
	char **argv = calloc(n + 1, sizeof(*argv));
	enum rk_err r;

	if (argv == NULL)
		return kv_fail(kv, RK_ENOMEM, words[0], "out of memory");
	for (size_t i = 0; i < n; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	r = child_run(argv, g->gifts, g->n, &kv->status, &kv->err);
	free(argv);
	return r;
}

enum rk_err
verb_exec(struct kv *kv)
{
	struct giving *g = calloc(1, sizeof(*g));
	enum rk_err r;

	if (g == NULL)
		return kv_fail(kv, RK_ENOMEM, "exec", "out of memory");
	if ((r = take_words(kv, g)) != RK_OK || (r = kv_unlock(kv)) != RK_OK)
		goto out;
	for (size_t i = 0; i < g->n && r == RK_OK; i++)
		r = take_secret(kv, g, i);
	if (r != RK_OK || (r = note_all(kv, g, kv_operand(kv, 0))) != RK_OK)
		goto out;
	if ((r = kv_settle(kv, RK_OK)) != RK_OK)
		goto out;
	warn_of_environment(kv, g);
	/* Nothing of the vault is held while the command runs. */
	kv_let_go(kv);
	r = run_with(kv, g);
out:
	for (size_t i = 0; i < g->n; i++)
		rk_secret_free(g->gifts[i].bytes);
	free(g);
	return r;
}
