/* -chpass: another passphrase for a key file, or none. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

/* A path when it looks like one, else a name. */
static enum rk_err
find_file(struct selfy *s, const char *text, char out[PATH_LEN])
{
	char given[PATH_LEN];
	char *real = NULL;
	struct stat st;
	size_t len = strlen(text);
	enum rk_err r;

	if (strchr(text, '/') == NULL &&
	    (len < 4 || strcmp(text + len - 4, ".key") != 0)) {
		if ((r = selfy_name(s, text)) != RK_OK)
			return r;
		r = selfy_path(s, given, s->certs, text, ".key");
	} else {
		r = selfy_path(s, given, ".", text, "");
		if (r == RK_OK)
			(void)str_copy(given, sizeof(given), text);
	}
	if (r != RK_OK)
		return r;
	if (lstat(given, &st) == 0 && !S_ISLNK(st.st_mode)) {
		(void)str_copy(out, PATH_LEN, given);
		return RK_OK;
	}
	/* The file itself is replaced, not a link to it. */
	real = realpath(given, NULL);
	if (real == NULL)
		return fs_fail(&s->err, errno, given);
	if (str_copy(out, PATH_LEN, real) >= PATH_LEN)
		r = selfy_fail(s, RK_ETOOBIG, given, "the path is too long");
	free(real);
	return r;
}

/* The form of the file stays, unless another is asked for. */
static enum rk_err
keep_form(struct selfy *s, const char *path, const struct buf *text)
{
	static const char openssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
	static const char pkcs8[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
	char shown[SHOWN_LEN];

	if (args_given(s->args, "format"))
		return RK_OK;
	s->keep_pkcs8 = memmem(buf_peek(text), buf_len(text), pkcs8,
	                    sizeof(pkcs8) - 1) != NULL;
	if (memmem(buf_peek(text), buf_len(text), openssh,
	        sizeof(openssh) - 1) == NULL)
		return RK_OK;
	selfy_retry(
	    s, "ssh-keygen -p -f %s", str_escape(shown, sizeof(shown), path));
	return selfy_fail(s, RK_EUNSUPPORTED, path,
	    "is OpenSSH's, whose programs could not read it then; -format says "
	    "that it is to be of another form");
}

/* Other things in the file would be lost. */
static enum rk_err
check_file(struct selfy *s, const char *path)
{
	struct pem_list list;
	struct buf text;
	enum rk_err r;

	r = selfy_read_one(s, path, PEM_KEY,
	    "is not a file with one private key and nothing else", &list);
	pem_list_fini(&list);
	if (r != RK_OK)
		return r;
	buf_init(&text, PEM_MAX_BYTES);
	if ((r = buf_guard(&text, PEM_MAX_BYTES)) != RK_OK)
		(void)err_set(&s->err, r, "%s", rk_err_text(r));
	else if ((r = fs_read(path, FS_ANY, PEM_MAX_BYTES, &text, &s->err)) ==
	         RK_OK)
		r = keep_form(s, path, &text);
	buf_wipe(&text);
	return r;
}

static enum rk_err
change(struct selfy *s, const char *path, struct batch *b)
{
	struct key_source from = {
		.path = path,
		.what = "key",
		.flag = "-pass",
		.spec = args_text(s->args, "pass", NULL),
	};
	struct rk_secret *pass = NULL;
	struct rk_key *key = NULL;
	enum rk_err r;

	if ((r = key_open(s, &from, &key)) != RK_OK)
		goto out;
	from.what = "key, the new one:";
	from.flag = "-new-pass";
	from.spec = args_text(s->args, "new-pass", NULL);
	if ((r = key_new_pass(s, &from, &pass)) != RK_OK)
		goto out;
	if ((r = key_add(s, b, path, key, pass, true)) != RK_OK)
		goto out;
	r = batch_write(b, &s->err);
out:
	rk_key_free(key);
	rk_secret_free(pass);
	return r;
}

enum rk_err
cmd_chpass(struct selfy *s)
{
	char path[PATH_LEN];
	struct batch b = { 0 };
	enum rk_err r;

	r = find_file(s, args_text(s->args, "chpass", ""), path);
	if (r == RK_OK)
		r = check_file(s, path);
	if (r == RK_OK)
		r = change(s, path, &b);
	if (r == RK_OK)
		batch_tell(&b, &s->out);
	batch_fini(&b);
	return r;
}
