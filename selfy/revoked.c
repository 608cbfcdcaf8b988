/* Keys of revoked certificates: the list has serials, the files have keys. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

struct search {
	struct selfy *s;
	const struct crl *crl;
	const uint8_t *pub;
	char found[PATH_LEN];           /* the file with a revoked one, or "" */
	char unread[RK_ERROR_TEXT_LEN]; /* why the first was not read, or "" */
};

/* NAME.crt, and NAME.crt.SERIAL, which -renew puts aside. */
static bool
may_hold(const char *name)
{
	const char *at = strstr(name, ".crt");

	while (at != NULL && at[4] != '\0' && at[4] != '.')
		at = strstr(at + 1, ".crt");
	return at != NULL && at != name && name[0] != '.';
}

static bool
is_revoked(const struct search *f, const struct cert *c)
{
	struct serial serial;
	struct cert_view v;

	cert_describe(c, &v);
	return v.is_ed25519 && memcmp(v.pub, f->pub, sizeof(v.pub)) == 0 &&
	       cert_serial(c, &serial) == RK_OK && crl_has(f->crl, &serial) &&
	       cert_is_signed_by(c, f->s->ca.cert);
}

/* What cannot be read might have been the one. */
static void
look_at(struct search *f, const char *path)
{
	struct selfy *s = f->s;
	struct cert *c = NULL;
	struct buf text;

	buf_init(&text, PEM_MAX_BYTES);
	if (selfy_read_cert(s, path, &c, &text) != RK_OK) {
		if (args_flag(s->args, "revoked"))
			out_warn(&s->out, "%s", s->err.text);
		else if (f->unread[0] == '\0')
			(void)str_copy(
			    f->unread, sizeof(f->unread), s->err.text);
		err_clear(&s->err);
		s->retry[0] = '\0';
	} else if (is_revoked(f, c)) {
		(void)str_copy(f->found, sizeof(f->found), path);
	}
	cert_free(c);
	buf_wipe(&text);
}

static enum rk_err
look_in(struct search *f, const char *dir)
{
	struct selfy *s = f->s;
	char path[PATH_LEN];
	const struct dirent *e;
	enum rk_err r = RK_OK;
	DIR *d = opendir(dir);

	if (d == NULL)
		return errno == ENOENT ? RK_OK : fs_fail(&s->err, errno, dir);
	while (r == RK_OK && f->found[0] == '\0' &&
	       (errno = 0, e = readdir(d)) != NULL) {
		if (!may_hold(e->d_name))
			continue;
		if ((r = selfy_path(s, path, dir, e->d_name, "")) == RK_OK)
			look_at(f, path);
		errno = 0;
	}
	if (r == RK_OK && errno != 0)
		r = fs_fail(&s->err, errno, dir);
	(void)closedir(d); /* only read */
	return r;
}

/* Nobody knows whose key is in a file that was not read. */
static enum rk_err
judge_unread(struct search *f, const char *path)
{
	struct selfy *s = f->s;
	char shown[SHOWN_LEN];

	if (f->unread[0] == '\0')
		return RK_OK;
	selfy_retry(s, "again without that file; or -revoked");
	return err_set(&s->err, RK_EREVOKED,
	    "%s: cannot tell whether its key was revoked: %s",
	    str_escape(shown, sizeof(shown), path), f->unread);
}

/* Told where -revoked wants it all the same. */
static enum rk_err
judge(struct search *f, const char *path)
{
	struct selfy *s = f->s;
	char shown[SHOWN_LEN];
	char of[SHOWN_LEN];
	char why[SHOWN_LEN + 64];

	if (f->found[0] == '\0')
		return judge_unread(f, path);
	(void)snprintf(why, sizeof(why),
	    "is for the key of %s, which is revoked",
	    str_escape(of, sizeof(of), f->found));
	if (!args_flag(s->args, "revoked")) {
		selfy_retry(s, "selfy -csr NAME, for a new key; or -revoked");
		return selfy_fail(s, RK_EREVOKED, path, why);
	}
	out_warn(
	    &s->out, "%s: %s", str_escape(shown, sizeof(shown), path), why);
	return RK_OK;
}

enum rk_err
revoked_check(
    struct selfy *s, const char *path, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct search f = { .s = s, .pub = pub };
	char serial[132];
	struct crl *crl = NULL;
	int64_t when;
	enum rk_err r;

	if ((r = ca_read_crl(s, &crl)) != RK_OK)
		return r;
	f.crl = crl;
	/* Nothing was ever revoked: no file need be read. */
	if (crl != NULL && crl_entry(crl, 0, serial, &when)) {
		r = look_in(&f, s->certs);
		if (r == RK_OK && f.found[0] == '\0' && !ca_is_at_home(s))
			r = look_in(&f, s->priv);
	}
	if (r == RK_OK)
		r = judge(&f, path);
	crl_free(crl);
	return r;
}
