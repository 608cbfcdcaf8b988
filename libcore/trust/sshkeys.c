/* SSH keys that are believed: named one by one, and those of a file. */
#include <rpckit/sshkeys.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/sshkey.h"

#define KEYS_MAX 10000
#define FILE_MAX ((size_t)4 * 1024 * 1024)
#define COMMENT_LEN 128
#define KIND "ssh-ed25519"
#define BLANKS " \t"
#define FP_HEAD "SHA256:"
#define SETTLE_S 2 /* coarser than the time stamps of any file system */

struct entry {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char fp[RK_FP_LEN]; /* instead of it; or "" */
	char comment[COMMENT_LEN];
};

struct list {
	struct entry *of;
	size_t n;
	size_t cap;
};

struct rk_sshkeys {
	pthread_mutex_t mutex; /* of what is read from the file */
	struct list named;
	struct list read;
	char *path; /* NULL: no file */
	struct stat st;
	bool settled; /* a further change would show in its times */
};

enum rk_err
rk_sshkeys_new(struct rk_sshkeys **out)
{
	struct rk_sshkeys *k = calloc(1, sizeof(*k));

	*out = k;
	if (k == NULL)
		return RK_ENOMEM;
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&k->mutex, NULL);
	return RK_OK;
}

void
rk_sshkeys_free(struct rk_sshkeys *k)
{
	if (k == NULL)
		return;
	(void)pthread_mutex_destroy(&k->mutex);
	free(k->named.of);
	free(k->read.of);
	free(k->path);
	free(k);
}

/* ---- entries ---- */

static enum rk_err
add(struct list *l, const struct entry *e, struct rk_error *err)
{
	struct entry *more;
	size_t cap = l->cap == 0 ? 8 : 2 * l->cap;

	if (l->n == KEYS_MAX)
		return err_set(
		    err, RK_ELIMIT, "more than %d SSH keys", KEYS_MAX);
	if (l->n == l->cap) {
		more = reallocarray(l->of, cap, sizeof(*more));
		if (more == NULL)
			return err_set(err, RK_ENOMEM, "out of memory");
		l->of = more;
		l->cap = cap;
	}
	l->of[l->n++] = *e;
	return RK_OK;
}

/* What is behind so many words. */
static void
take_comment(const char *line, unsigned words, char out[COMMENT_LEN])
{
	size_t len;

	line += strspn(line, BLANKS);
	for (unsigned i = 0; i < words; i++) {
		line += strcspn(line, BLANKS);
		line += strspn(line, BLANKS);
	}
	len = strcspn(line, "\r\n");
	while (len > 0 && strchr(BLANKS, line[len - 1]) != NULL)
		len--;
	(void)rk_escape(out, COMMENT_LEN, line, len);
}

static bool
is_fp(const char *line)
{
	return strncmp(line, FP_HEAD, strlen(FP_HEAD)) == 0;
}

/* As `ssh-keygen -l` shows it, or rk_fp_of_key(). */
static enum rk_err
parse_fp(const char *line, struct entry *e, struct rk_error *err)
{
	const size_t len = strcspn(line, BLANKS "\r\n");

	if (len != RK_FP_LEN - 1)
		return err_set(err, RK_EFORMAT, "no whole fingerprint");
	memcpy(e->fp, line, len);
	take_comment(line, 1, e->comment);
	return RK_OK;
}

static enum rk_err
parse_line(const char *line, struct entry *e, struct rk_error *err)
{
	*e = (struct entry){ 0 };
	line += strspn(line, BLANKS);
	if (is_fp(line))
		return parse_fp(line, e, err);
	take_comment(line, 2, e->comment);
	return sshkey_parse(line, e->pub, err);
}

enum rk_err
rk_sshkeys_add(struct rk_sshkeys *k, const char *key, struct rk_error *err)
{
	struct entry e;
	enum rk_err r;

	err_clear(err);
	r = parse_line(key, &e, err);
	return r == RK_OK ? add(&k->named, &e, err) : r;
}

/* ---- the file ---- */

/* Lines of ours begin with the kind, or are fingerprints; what else they begin
 * with are options, or other kinds. */
static bool
is_plain(const char *line)
{
	line += strspn(line, BLANKS);
	if (is_fp(line))
		return true;
	return strncmp(line, KIND, strlen(KIND)) == 0 &&
	       strchr(BLANKS, line[strlen(KIND)]) != NULL;
}

static enum rk_err
parse_file(char *text, const char *name, struct list *l, struct rk_error *err)
{
	struct rk_error why;
	struct entry e;
	unsigned n = 0;
	enum rk_err r;

	for (char *line = text, *end; line != NULL; line = end) {
		n++;
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		if (!is_plain(line))
			continue;
		r = parse_line(line, &e, &why);
		if (r == RK_OK)
			r = add(l, &e, &why);
		if (r != RK_OK)
			return err_set(err, r, "%s:%u: %s", name, n, why.text);
	}
	return RK_OK;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_mode == b->st_mode &&
	       a->st_uid == b->st_uid &&
	       memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) == 0 &&
	       memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim)) == 0;
}

static enum rk_err
read_file(struct rk_sshkeys *k, struct rk_error *err)
{
	char name[RK_ERROR_TEXT_LEN / 2];
	struct list l = { 0 };
	struct stat st = { 0 };
	time_t now = time(NULL);
	struct buf b;
	enum rk_err r;

	buf_init(&b, FILE_MAX + 1);
	str_escape(name, sizeof(name), k->path);
	k->settled = false;
	if (stat(k->path, &st) != 0)
		r = fs_fail(err, errno, k->path);
	else
		r = fs_read(k->path, FS_NOT_SHARED, FILE_MAX, &b, err);
	if (r == RK_OK && (r = buf_put(&b, "", 1)) != RK_OK)
		(void)err_set(err, r, "out of memory");
	if (r == RK_OK)
		r = parse_file((char *)(uintptr_t)buf_peek(&b), name, &l, err);
	buf_fini(&b);
	free(k->read.of);
	k->read = (struct list){ 0 };
	if (r != RK_OK) {
		free(l.of);
		return r;
	}
	k->read = l;
	k->st = st;
	k->settled = now - st.st_mtim.tv_sec > SETTLE_S &&
	             now - st.st_ctim.tv_sec > SETTLE_S;
	return RK_OK;
}

static enum rk_err
refresh(struct rk_sshkeys *k, struct rk_error *err)
{
	struct stat st;

	if (k->settled && stat(k->path, &st) == 0 && is_same(&st, &k->st))
		return RK_OK;
	return read_file(k, err);
}

enum rk_err
rk_sshkeys_file(struct rk_sshkeys *k, const char *path, struct rk_error *err)
{
	char name[RK_ERROR_TEXT_LEN / 2];
	enum rk_err r;

	err_clear(err);
	if (k->path != NULL)
		return err_set(err, RK_EEXIST, "one file of SSH keys at most");
	if ((k->path = strdup(path)) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	r = read_file(k, err);
	if (r == RK_OK && k->read.n == 0)
		r = err_set(err, RK_EFORMAT,
		    "%s: no line of the kind \"%s KEY COMMENT\"",
		    str_escape(name, sizeof(name), path), KIND);
	if (r != RK_OK) {
		free(k->path);
		k->path = NULL;
	}
	return r;
}

/* ---- asking ---- */

static const struct entry *
find(const struct list *l, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    const char *ours, const char *theirs)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->of[i];

		if (e->fp[0] == '\0' ? memcmp(e->pub, pub, sizeof(e->pub)) == 0
		                     : strcmp(e->fp, ours) == 0 ||
		                           strcmp(e->fp, theirs) == 0)
			return e;
	}
	return NULL;
}

enum rk_err
rk_sshkeys_find(struct rk_sshkeys *k, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    char comment[128], struct rk_error *err)
{
	const struct entry *e = NULL;
	char theirs[RK_FP_LEN];
	char ours[RK_FP_LEN];
	enum rk_err r = RK_OK;

	err_clear(err);
	if (comment != NULL)
		comment[0] = '\0';
	rk_fp_of_key(pub, ours);
	sshkey_fp(pub, theirs);
	(void)pthread_mutex_lock(&k->mutex);
	if (k->path != NULL && (r = refresh(k, err)) == RK_ENOENT)
		r = RK_EIO; /* it was there */
	if (r == RK_OK && (e = find(&k->named, pub, ours, theirs)) == NULL)
		e = find(&k->read, pub, ours, theirs);
	if (e != NULL && comment != NULL)
		(void)str_copy(comment, COMMENT_LEN, e->comment);
	(void)pthread_mutex_unlock(&k->mutex);
	if (r == RK_OK && e == NULL)
		r = err_set(
		    err, RK_ENOENT, "key %s is not among the SSH keys", ours);
	return r;
}
