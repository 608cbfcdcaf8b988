/* The certificates that -renew has put aside: NAME.crt.SERIAL. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

/* One directory's files that begin with "NAME.crt.". */
struct search {
	struct selfy *s;
	const char *path;
	size_t dir_len; /* of path, with the slash */
	const struct cert *of;
	earlier_fn *found;
	void *arg;
};

/* Is this what -renew writes behind the name: a point and a serial? */
static bool
is_earlier(const struct search *f, const char *name)
{
	const char *base = f->path + f->dir_len;
	size_t len = strlen(base);

	return strncmp(name, base, len) == 0 && name[len] == '.' &&
	       name[len + 1] != '\0' &&
	       name[len + 1 + strspn(name + len + 1, "0123456789abcdef")] ==
	           '\0';
}

static bool
same_key(const struct cert *a, const struct cert *b)
{
	struct cert_view va, vb;

	cert_describe(a, &va);
	cert_describe(b, &vb);
	return strcmp(va.fp, vb.fp) == 0;
}

/* What is no certificate of this CA and key is none of our business. */
static enum rk_err
look_at(const struct search *f, const char *name)
{
	struct selfy *s = f->s;
	char path[PATH_LEN];
	struct cert *c = NULL;
	struct buf text;
	enum rk_err r = RK_OK;
	int n = snprintf(
	    path, sizeof(path), "%.*s%s", (int)f->dir_len, f->path, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(&s->err, RK_ETOOBIG, "path is too long");
	buf_init(&text, PEM_MAX_BYTES);
	if (selfy_read_cert(s, path, &c, &text) != RK_OK) {
		out_warn(&s->out, "%s", s->err.text);
		err_clear(&s->err);
		s->retry[0] = '\0';
	} else if (cert_is_signed_by(c, s->ca.cert) && same_key(c, f->of)) {
		r = f->found(s, path, c, f->arg);
	}
	cert_free(c);
	buf_wipe(&text);
	return r;
}

enum rk_err
earlier_each(struct selfy *s, const char *path, const struct cert *of,
    earlier_fn *found, void *arg)
{
	const char *slash = strrchr(path, '/');
	struct search f = {
		.s = s, .path = path, .of = of, .found = found, .arg = arg
	};
	char dir[PATH_LEN] = ".";
	const struct dirent *e;
	enum rk_err r = RK_OK;
	DIR *d;

	if (slash != NULL) {
		f.dir_len = (size_t)(slash - path) + 1;
		if (f.dir_len >= sizeof(dir))
			return err_set(&s->err, RK_ETOOBIG, "path is too long");
		memcpy(dir, path, f.dir_len);
		dir[f.dir_len] = '\0';
	}
	if ((d = opendir(dir)) == NULL)
		return fs_fail(&s->err, errno, dir);
	while (r == RK_OK && (errno = 0, e = readdir(d)) != NULL) {
		if (is_earlier(&f, e->d_name))
			r = look_at(&f, e->d_name);
	}
	if (r == RK_OK && errno != 0)
		r = fs_fail(&s->err, errno, dir);
	(void)closedir(d); /* only read */
	return r;
}
