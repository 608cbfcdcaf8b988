/* rpcsh trust: the list of known servers, shown and changed. */
#include "base/error.h"
#include "base/str.h"
#include "dry.h"
#include "rpcsh.h"
#include "target.h"
#include "verbs.h"

#include <limits.h>
#include <stdio.h>

const struct opt trust_opts[] = { DRY_WOULD_OPT, { 0 } };

#define PATH_TEXT 256
#define WORDS_MAX 15 /* of a fingerprint */

/* ---- ls, find ---- */

static const struct field fields[] = {
	{ "fingerprint", "FINGERPRINT", FIELD_SHOWN },
	{ "at", "AT", FIELD_SHOWN },
	{ "host", "HOST", FIELD_SHOWN },
	{ "since", "SINCE", FIELD_SHOWN },
	{ "email", "NAME", FIELD_SHOWN },
	{ "next", "NEXT KEYS", FIELD_SHOWN },
};

struct listing {
	struct table *table;
	size_t rows;
};

static const char *
text_or_none(const char *s)
{
	return s[0] != '\0' ? s : NULL;
}

static enum rk_err
put_row(const struct rk_known_server *s, void *arg)
{
	struct listing *l = arg;

	l->rows++;
	return table_row(l->table, (const union cell[]){ { .text = s->fp },
	                               { .text = text_or_none(s->at) },
	                               { .text = text_or_none(s->host) },
	                               { .text = text_or_none(s->since) },
	                               { .text = text_or_none(s->email) },
	                               { .text = text_or_none(s->next) } });
}

/* Words from the first on as one: a fingerprint in groups. */
static size_t
join(const struct job *j, size_t first, char *dst, size_t dst_len)
{
	size_t len = 0;

	dst[0] = '\0';
	for (size_t i = first; i < j->n && len < dst_len; i++)
		len += str_copy(dst + len, dst_len - len, j->words[i]);
	return len;
}

/* A fingerprint may stand as several words, and an address as a URL. */
static enum rk_err
take_what(const struct job *j, char out[RK_SERVER_LEN], struct rk_error *err)
{
	size_t len = join(j, 0, out, RK_SERVER_LEN);

	if (len < RK_SERVER_LEN &&
	    (trust_is_fp(out) || strncmp(out, "SHA256:", 7) == 0))
		return RK_OK;
	if (j->n > 1)
		return err_set(err, RK_EINVAL,
		    "trust: several words are no fingerprint, and no address");
	return rk_servers_address(j->words[0], out, err);
}

static enum rk_err
show(struct job *j, struct rk_error *err)
{
	struct listing l = { .rows = 0 };
	char what[RK_SERVER_LEN], shown[PATH_TEXT];
	enum rk_err r;

	if (j->n > 0 && (r = take_what(j, what, err)) != RK_OK)
		return r;
	if ((r = table_new(j->out, fields, sizeof(fields) / sizeof(fields[0]),
	         &l.table)) != RK_OK)
		return r;
	r = rk_servers_each(j->path, j->n > 0 ? what : NULL, put_row, &l, err);
	if (r == RK_OK && j->n > 0 && l.rows == 0)
		r = err_set(err, RK_ENOENT, "%s: not in %s", what,
		    str_escape(shown, sizeof(shown), j->path));
	if (r == RK_OK)
		table_end_list(l.table);
	else
		table_end(l.table);
	return r;
}

/* ---- add, replace ---- */

static enum rk_err
join_fp(const struct job *j, char *dst, size_t dst_len, struct rk_error *err)
{
	if (join(j, 1, dst, dst_len) < dst_len && trust_is_fp(dst))
		return RK_OK;
	return err_set(err, RK_EINVAL,
	    "trust: a whole fingerprint is SHA256: and 43 characters");
}

static enum rk_err
would_meet(struct job *j, const char *fp, struct rk_error *err)
{
	char address[RK_SERVER_LEN], shown[PATH_TEXT];
	enum rk_err r = rk_servers_address(j->words[0], address, err);

	if (r == RK_OK)
		j->status = dry_would(j->out,
		    "connect to %s, and record in %s the key %s", address,
		    str_escape(shown, sizeof(shown), j->path), fp);
	return r;
}

/*
 * A list holds keys, and a fingerprint is none: the server shows its key, and
 * proves it, and nothing is sent.
 */
static enum rk_err
meet(struct job *j, enum trust_how how, struct rk_error *err)
{
	char want[RK_FP_LEN], shown[PATH_TEXT];
	struct target t;
	enum rk_err r;

	if ((r = join_fp(j, want, sizeof(want), err)) != RK_OK)
		return r;
	if (j->dry)
		return would_meet(j, want, err);
	j->said = true;
	if (!target_open_for(
	        &t, j->args, j->out, j->words[0], how, want, &j->status))
		return RK_EINVAL;
	if (!target_connect(&t, j->out, &j->status)) {
		target_close(&t);
		return RK_EUNKNOWNKEY;
	}
	out_note(j->out, "%s: key %s recorded in %s", t.trusting.address,
	    t.trusting.met.cert.fp, str_escape(shown, sizeof(shown), j->path));
	target_close(&t);
	j->said = false;
	return RK_OK;
}

static enum rk_err
add(struct job *j, struct rk_error *err)
{
	return meet(j, TRUST_ADD, err);
}

static enum rk_err
replace(struct job *j, struct rk_error *err)
{
	return meet(j, TRUST_REPLACE, err);
}

/* ---- rm, lock, unlock ---- */

static enum rk_err
count_line(const struct rk_known_server *s, void *arg)
{
	(void)s;
	++*(size_t *)arg;
	return RK_OK;
}

static enum rk_err
would_drop(struct job *j, const char *what, struct rk_error *err)
{
	char shown[PATH_TEXT];
	size_t n = 0;
	enum rk_err r = rk_servers_each(j->path, what, count_line, &n, err);

	(void)str_escape(shown, sizeof(shown), j->path);
	j->retry = n == 0 ? "rpcsh trust ls" : NULL;
	if (r == RK_OK && n == 0)
		return err_set(err, RK_ENOENT, "%s: not in %s", what, shown);
	if (r == RK_OK)
		j->status = dry_would(j->out,
		    "change up to %zu %s of %s, and keep them in %s.old", n,
		    n == 1 ? "line" : "lines", shown, shown);
	return r;
}

static enum rk_err
drop(struct job *j, struct rk_error *err)
{
	char what[RK_SERVER_LEN], shown[PATH_TEXT];
	size_t n;
	enum rk_err r;

	if ((r = take_what(j, what, err)) != RK_OK)
		return r;
	if (j->dry)
		return would_drop(j, what, err);
	r = rk_servers_remove(j->path, what, &n, err);
	/* Unless the file is not there at all. */
	if (r == RK_ENOENT && err->sys == 0)
		j->retry = "rpcsh trust ls";
	if (r != RK_OK)
		return r;
	str_escape(shown, sizeof(shown), j->path);
	out_note(j->out, "%s: %zu %s changed; what was there is in %s.old",
	    shown, n, n == 1 ? "line" : "lines", shown);
	return RK_OK;
}

static enum rk_err
lock(struct job *j, struct rk_error *err)
{
	return j->dry ? verbs_would(j, "lock", j->path)
	              : rk_servers_lock(j->path, true, err);
}

static enum rk_err
unlock(struct job *j, struct rk_error *err)
{
	return j->dry ? verbs_would(j, "unlock", j->path)
	              : rk_servers_lock(j->path, false, err);
}

/* ---- which ---- */

static const struct verb verbs[] = {
	{ "ls", 0, 0, "ls", show, true },
	{ "find", 1, WORDS_MAX, "find HOST[:PORT] or a fingerprint", show,
	    true },
	{ "add", 2, 1 + WORDS_MAX, "add HOST:PORT FINGERPRINT", add, false },
	{ "replace", 2, 1 + WORDS_MAX, "replace HOST:PORT FINGERPRINT", replace,
	    false },
	{ "rm", 1, WORDS_MAX, "rm HOST[:PORT] or a fingerprint", drop, false },
	{ "lock", 0, 0, "lock", lock, false },
	{ "unlock", 0, 0, "unlock", unlock, false },
	{ .name = NULL },
};

static int
fail(const struct job *j, enum rk_err r, struct rk_error *err)
{
	const char *retry = j->retry;

	if (err->code == RK_OK)
		(void)err_set(err, r, "trust: %s", rk_err_text(r));
	if (r == RK_EUNKNOWNKEY)
		retry = "rpcsh trust unlock, and lock again after it";
	if (r == RK_EINVAL)
		retry = "rpcsh trust -h";
	return out_error(j->out, err, retry);
}

int
cmd_trust(struct args *a, void *ctx)
{
	const struct verb *v;
	struct rk_error err = { 0 };
	struct out o;
	struct job j = { .args = a, .out = &o, .dry = args_flag(a, "dry-run") };
	struct settings s;
	enum rk_err r;

	(void)ctx;
	out_init(&o, a);
	if ((v = verbs_take("trust", verbs, &j, &err)) == NULL)
		return out_error(&o, &err, "rpcsh trust -h");
	if (settings_load(a, &s, &err) != RK_OK)
		return out_error(&o, &err, "rpcsh ctx ls");
	j.path = s.v[SET_KNOWN].value;
	if (j.path[0] == '\0')
		return out_fail(&o, RK_ENOENT,
		    "known servers: no file is known", "--known FILE");
	r = v->run(&j, &err);
	if (r != RK_OK)
		return j.said ? j.status : fail(&j, r, &err);
	if (!v->prints && !j.dry && o.form == OUT_JSON)
		out_text(&o, "{\"schema\":1,\"ok\":true,\"verb\":\"%s\"}\n",
		    v->name);
	return j.status;
}
