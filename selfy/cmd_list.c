/* -list and -expiring: the certificates of a directory. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

#define FILES_MAX 10000

struct names {
	char **items;
	size_t n;
};

struct job {
	const char *dir;
	struct names names;
	struct crl *crl; /* of the CA there, if it is good */
	bool only_ending;
	int64_t before; /* only what ends before this */
	size_t listed;
	struct table *table;
};

static const struct field fields[] = {
	{ .name = "name", .title = "NAME" },
	{ .name = "state", .title = "STATE" },
	{ .name = "not_after", .title = "ENDS", .kind = FIELD_TIME },
	{ .name = "mail", .title = "MAIL", .kind = FIELD_SHOWN },
	{ .name = "fp", .title = "KEY" },
	{ .name = "common_name", .kind = FIELD_SHOWN },
	{ .name = "serial" },
	{ .name = "file" },
};

static bool
is_cert_name(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && name[0] != '.' && strcmp(name + len - 4, ".crt") == 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum rk_err
add_name(struct names *names, const char *name)
{
	char **items = NULL;

	if (names->n == FILES_MAX)
		return RK_ETOOBIG;
	items = reallocarray(names->items, names->n + 1, sizeof(*items));
	if (items == NULL)
		return RK_ENOMEM;
	names->items = items;
	items[names->n] = strdup(name);
	if (items[names->n] == NULL)
		return RK_ENOMEM;
	names->n++;
	return RK_OK;
}

static enum rk_err
read_names(struct selfy *s, struct job *j)
{
	DIR *d = opendir(j->dir);
	const struct dirent *e = NULL;
	enum rk_err r = RK_OK;

	if (d == NULL)
		return fs_fail(&s->err, errno, j->dir);
	while (r == RK_OK) {
		errno = 0;
		e = readdir(d);
		if (e == NULL)
			break;
		if (is_cert_name(e->d_name))
			r = add_name(&j->names, e->d_name);
	}
	if (r != RK_OK)
		err_set(&s->err, r, "%s", rk_err_text(r));
	else if (errno != 0)
		r = fs_fail(&s->err, errno, j->dir);
	(void)closedir(d); /* only read */
	if (r == RK_OK && j->names.n > 0)
		qsort(j->names.items, j->names.n, sizeof(char *), compare);
	return r;
}

/* A list that cannot be used is told about, and then there is none. */
static void
read_list(struct selfy *s, struct job *j)
{
	enum rk_err r = ca_open_cert_in(s, j->dir);

	if (r == RK_OK)
		r = ca_read_crl_in(s, j->dir, &j->crl);
	if (r != RK_OK && r != RK_ENOENT)
		out_warn(&s->out, "%s", s->err.text);
	err_clear(&s->err);
	s->retry[0] = '\0';
}

static const char *
state_of(const struct selfy *s, const struct job *j, const struct cert *c,
    const struct cert_view *v)
{
	struct serial serial;

	if (j->crl != NULL && cert_serial(c, &serial) == RK_OK &&
	    crl_has(j->crl, &serial))
		return "revoked";
	if (v->not_after < s->now)
		return "ended";
	return v->not_before > s->now ? "not yet" : "ok";
}

static enum rk_err
put_row(struct job *j, const char *file, const char *state,
    const struct cert_view *v)
{
	char name[PATH_LEN];
	char path[PATH_LEN];
	size_t len = str_copy(name, sizeof(name), file);

	name[len - 4] = '\0'; /* without .crt */
	if (fs_join(path, sizeof(path), j->dir, file) != RK_OK)
		return RK_ETOOBIG;
	return table_row(j->table, (const union cell[]){
	                               { .text = name },
	                               { .text = state },
	                               { .number = v->not_after },
	                               { .text = v->mail },
	                               { .text = v->fp },
	                               { .text = v->cn },
	                               { .text = v->serial },
	                               { .text = path },
	                           });
}

static enum rk_err
put_file(struct selfy *s, struct job *j, const char *file)
{
	char path[PATH_LEN];
	struct cert_view v = { 0 };
	struct cert *c = NULL;
	struct buf text;
	const char *state = "unreadable";
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	if ((r = selfy_path(s, path, j->dir, file, "")) != RK_OK)
		goto out;
	r = selfy_read_cert(s, path, &c, &text);
	if (r == RK_OK) {
		cert_describe(c, &v);
		state = state_of(s, j, c, &v);
	} else {
		out_warn(&s->out, "%s", s->err.text);
		err_clear(&s->err);
		r = RK_OK;
	}
	/* A revoked one is over in any case; nobody need renew it. */
	if (j->only_ending && c != NULL &&
	    (v.not_after >= j->before || strcmp(state, "revoked") == 0))
		goto out;
	j->listed++;
	if ((r = put_row(j, file, state, &v)) != RK_OK)
		err_set(&s->err, r, "%s", rk_err_text(r));
out:
	cert_free(c);
	buf_wipe(&text);
	return r;
}

static void
end_job(struct job *j)
{
	for (size_t i = 0; i < j->names.n; i++)
		free(j->names.items[i]);
	free(j->names.items);
	crl_free(j->crl);
}

static enum rk_err
list(struct selfy *s, struct job *j)
{
	const char *const *operands = NULL;
	size_t n = 0;
	enum rk_err r;

	operands = args_operands(s->args, &n);
	j->dir = n > 0 ? operands[0] : s->certs;
	/* Another CA than that of -p may rule there. */
	ca_fini(&s->ca);
	if ((r = read_names(s, j)) != RK_OK)
		return r;
	read_list(s, j);
	r = table_new(
	    &s->out, fields, sizeof(fields) / sizeof(fields[0]), &j->table);
	if (r != RK_OK)
		return err_set(&s->err, r, "%s", rk_err_text(r));
	for (size_t i = 0; i < j->names.n && r == RK_OK; i++)
		r = put_file(s, j, j->names.items[i]);
	table_end(j->table);
	ca_fini(&s->ca);
	return r;
}

enum rk_err
cmd_list(struct selfy *s)
{
	struct job j = { 0 };
	enum rk_err r = list(s, &j);

	end_job(&j);
	return r;
}

enum rk_err
cmd_expiring(struct selfy *s)
{
	uint64_t ms = args_number(s->args, "expiring", 0);
	struct job j = {
		.only_ending = true,
		.before = s->now + (int64_t)(ms / 1000),
	};
	enum rk_err r = list(s, &j);

	/* Also by what cannot be read: it cannot be vouched for. */
	if (r == RK_OK && j.listed > 0)
		s->status = rk_err_exit(RK_EFAIL);
	end_job(&j);
	return r;
}
