/* An identity: my certificate and key, the CA I believe, and its CRL. */
#include "trust/ident.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/chain.h"
#include "trust/key.h"
#include "trust/pem.h"

#define CERT_FILE_MAX ((size_t)256 * 1024)
#define CRL_FILE_MAX ((size_t)2 * CHAIN_CRL_LEN_MAX)
#define NAME_TEXT 160 /* a path in a message */

/* The revocation list's file, read again when it changed. */
struct crl_file {
	char *path;
	pthread_mutex_t mutex; /* over what follows */
	struct stat st;        /* just before it was read */
	bool settled;          /* st tells the next change from this one */
	bool seen;             /* there was a list once */
	uint64_t version;      /* raised when it was read */
};

struct rk_ident {
	struct chain_anchor *anchor;
	struct crl_file *crl; /* NULL: none was named */
	struct buf ca;
	struct buf cert;
	struct rk_key *key;
	struct rk_cert_info info; /* of cert */
	struct rk_next_key next[RK_NEXT_KEYS_MAX];
	size_t n_next;
};

static struct rk_bytes
content(const struct buf *b)
{
	return (struct rk_bytes){ buf_peek(b), buf_len(b) };
}

struct rk_bytes
ident_cert_der(const struct rk_ident *id)
{
	return content(&id->cert);
}

struct rk_bytes
ident_ca_der(const struct rk_ident *id)
{
	return content(&id->ca);
}

struct rk_key *
ident_key(const struct rk_ident *id)
{
	return id->key;
}

const struct rk_next_key *
ident_next(const struct rk_ident *id, size_t *n)
{
	*n = id->n_next;
	return id->next;
}

enum rk_err
rk_ident_announce(
    struct rk_ident *id, const struct rk_key *next, struct rk_error *err)
{
	struct rk_next_key n;
	enum rk_err r;

	err_clear(err);
	if (id->key == NULL)
		return err_set(err, RK_ESTATE,
		    "without a certificate there is no key to follow");
	if ((r = next_key_make(id->info.pub, next, &n, err)) != RK_OK)
		return r;
	if (memcmp(n.pub, id->info.pub, sizeof(n.pub)) == 0)
		return err_set(err, RK_EINVAL, "is the present key");
	for (size_t i = 0; i < id->n_next; i++) {
		if (memcmp(id->next[i].pub, n.pub, sizeof(n.pub)) == 0)
			return err_set(err, RK_EEXIST, "is announced already");
	}
	if (id->n_next == RK_NEXT_KEYS_MAX)
		return err_set(err, RK_ELIMIT, "at most %d keys are announced",
		    RK_NEXT_KEYS_MAX);
	id->next[id->n_next++] = n;
	return RK_OK;
}

const struct chain_anchor *
ident_anchor(const struct rk_ident *id)
{
	return id->anchor;
}

/* What to read from a PEM file. */
struct want {
	const char *label;
	const char *what;
	unsigned checks;
	size_t max;
	bool alone; /* a second block of the kind is refused */
};

static const struct want want_ca = { "CERTIFICATE", "certificate",
	FS_NOT_SHARED, CERT_FILE_MAX, true };
static const struct want want_cert = { "CERTIFICATE", "certificate", FS_ANY,
	CERT_FILE_MAX, false };
static const struct want want_crl = { "X509 CRL", "revocation list",
	FS_NOT_SHARED, CRL_FILE_MAX, true };

/* The first block of the wanted kind; *n counts all of them. */
static enum rk_err
pick(const struct buf *text, const struct want *want, struct pem_block *out,
    size_t *n)
{
	struct pem_block block;
	size_t at = 0;
	enum rk_err r;

	*n = 0;
	while ((r = pem_next((const char *)buf_peek(text), buf_len(text), &at,
	            &block)) == RK_OK) {
		if (!pem_is(&block, want->label))
			continue;
		if (*n == 0)
			*out = block;
		(*n)++;
	}
	return r == RK_ENOENT ? RK_OK : r;
}

static enum rk_err
decode(const struct buf *text, const struct want *want, const char *name,
    struct buf *der, struct rk_error *err)
{
	struct rk_secret *data = NULL;
	struct pem_block block = { 0 };
	size_t n = 0;
	enum rk_err r;

	if ((r = pick(text, want, &block, &n)) != RK_OK)
		return err_set(
		    err, r, "%s: damaged PEM: a block is not closed", name);
	if (n == 0)
		return err_set(err, RK_EFORMAT, "%s: holds no %s in PEM", name,
		    want->what);
	if (n > 1 && want->alone)
		return err_set(err, RK_EFORMAT,
		    "%s: holds %zu of what there must be one of (%s)", name, n,
		    want->what);
	if ((r = pem_decode(&block, &data)) == RK_OK)
		r = buf_put(der, rk_secret_peek(data), rk_secret_len(data));
	rk_secret_free(data);
	if (r == RK_EFORMAT)
		return err_set(err, r, "%s: damaged base64, or cut off", name);
	if (r != RK_OK)
		return err_set(err, r, "%s: %s", name, rk_err_text(r));
	return RK_OK;
}

/* Read one PEM file to *der. */
static enum rk_err
read_pem(const char *path, const struct want *want, struct buf *der,
    struct rk_error *err)
{
	char name[NAME_TEXT];
	struct buf text;
	enum rk_err r;

	buf_init(&text, want->max);
	buf_init(der, want->max);
	r = fs_read(path, want->checks, want->max, &text, err);
	if (r == RK_OK) {
		str_escape(name, sizeof(name), path);
		r = decode(&text, want, name, der, err);
	}
	buf_fini(&text);
	return r;
}

static enum rk_err
load_ca(
    struct rk_ident *id, const char *path, int64_t now, struct rk_error *err)
{
	char name[NAME_TEXT];
	enum rk_err r;

	if ((r = read_pem(path, &want_ca, &id->ca, err)) != RK_OK)
		return r;
	str_escape(name, sizeof(name), path);
	r = chain_anchor_new(content(&id->ca), name, &id->anchor, err);
	return r == RK_OK ? chain_anchor_check_end(id->anchor, name, now, err)
	                  : r;
}

/* A list that is named but cannot be read is no "nobody is revoked": only a
 * file that is truly absent, not a link to nowhere, stands for none. */
static enum rk_err
load_crl(struct chain_anchor *anchor, const char *path, int64_t now,
    bool *found, struct rk_error *err)
{
	char name[NAME_TEXT];
	struct stat st;
	struct buf der;
	enum rk_err r;

	*found = false;
	r = read_pem(path, &want_crl, &der, err);
	if (r == RK_ENOENT && lstat(path, &st) != 0) {
		err_clear(err);
		r = RK_OK;
		goto out;
	}
	if (r != RK_OK)
		goto out;
	*found = true;
	str_escape(name, sizeof(name), path);
	r = chain_anchor_set_crl(anchor, content(&der), name, now, err);
out:
	buf_fini(&der);
	return r;
}

/* Time stamps are coarse: a file that changed just now may change once more
 * without a trace. */
static bool
is_settled(const struct stat *st)
{
	time_t now = time(NULL);

	return now - st->st_mtim.tv_sec > 1 && now - st->st_ctim.tv_sec > 1;
}

static bool
is_current(const struct crl_file *f, const struct stat *st)
{
	return f->settled && st->st_dev == f->st.st_dev &&
	       st->st_ino == f->st.st_ino && st->st_mode == f->st.st_mode &&
	       st->st_size == f->st.st_size && st->st_uid == f->st.st_uid &&
	       st->st_mtim.tv_sec == f->st.st_mtim.tv_sec &&
	       st->st_mtim.tv_nsec == f->st.st_mtim.tv_nsec &&
	       st->st_ctim.tv_sec == f->st.st_ctim.tv_sec &&
	       st->st_ctim.tv_nsec == f->st.st_ctim.tv_nsec;
}

/* Read the list unless the file is as it was.  Holds the mutex. */
static enum rk_err
refresh(struct crl_file *f, struct chain_anchor *anchor, int64_t now,
    struct rk_error *err)
{
	struct stat st = { 0 };
	char name[NAME_TEXT];
	bool there = stat(f->path, &st) == 0;
	bool found;
	enum rk_err r;

	if (there && is_current(f, &st))
		return RK_OK;
	f->settled = false;
	if ((r = load_crl(anchor, f->path, now, &found, err)) != RK_OK)
		return r;
	if (!found && f->seen)
		return err_set(err, RK_EIO, "%s: was there and is gone",
		    str_escape(name, sizeof(name), f->path));
	f->seen = found;
	f->version += found ? 1 : 0;
	f->st = st;
	f->settled = there && found && is_settled(&st);
	return RK_OK;
}

enum rk_err
ident_refresh(const struct rk_ident *id, int64_t now, struct rk_error *err)
{
	enum rk_err r;

	if (id->crl == NULL)
		return RK_OK;
	(void)pthread_mutex_lock(&id->crl->mutex);
	r = refresh(id->crl, id->anchor, now, err);
	(void)pthread_mutex_unlock(&id->crl->mutex);
	return r;
}

bool
ident_has_list(const struct rk_ident *id)
{
	return id->crl != NULL;
}

uint64_t
ident_list_version(const struct rk_ident *id)
{
	uint64_t version;

	if (id->crl == NULL)
		return 0;
	(void)pthread_mutex_lock(&id->crl->mutex);
	version = id->crl->version;
	(void)pthread_mutex_unlock(&id->crl->mutex);
	return version;
}

static enum rk_err
watch_crl(
    struct rk_ident *id, const char *path, int64_t now, struct rk_error *err)
{
	struct crl_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&f->mutex, NULL);
	id->crl = f;
	f->path = strdup(path);
	if (f->path == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	return ident_refresh(id, now, err);
}

static void
unwatch_crl(struct crl_file *f)
{
	if (f == NULL)
		return;
	(void)pthread_mutex_destroy(&f->mutex);
	free(f->path);
	free(f);
}

/* As a file, or as it was given. */
static enum rk_err
load_key(struct rk_ident *id, const struct rk_ident_files *files,
    struct rk_error *err)
{
	if (files->use == NULL)
		return rk_key_load(
		    files->key, files->pass, files->pass_arg, &id->key, err);
	id->key = key_ref(files->use);
	return RK_OK;
}

static enum rk_err
load_cert(struct rk_ident *id, const struct rk_ident_files *files, int64_t now,
    struct rk_error *err)
{
	char name[NAME_TEXT];
	char key_name[NAME_TEXT];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	enum rk_err r;

	if ((r = read_pem(files->cert, &want_cert, &id->cert, err)) != RK_OK)
		return r;
	str_escape(name, sizeof(name), files->cert);
	r = chain_anchor_check_own(
	    id->anchor, content(&id->cert), name, now, &id->info, err);
	if (r != RK_OK)
		return r;
	if ((r = load_key(id, files, err)) != RK_OK)
		return r;
	rk_key_public(id->key, pub);
	if (memcmp(pub, id->info.pub, sizeof(pub)) == 0)
		return RK_OK;
	str_escape(name, sizeof(name), files->cert);
	str_escape(key_name, NAME_TEXT / 2,
	    files->use == NULL ? files->key : "the key given");
	return err_set(err, RK_ECERT, "%s: not the key of %s", key_name, name);
}

enum rk_err
rk_ident_load(const struct rk_ident_files *files, struct rk_ident **out,
    struct rk_error *err)
{
	struct rk_ident *id = NULL;
	int64_t now = (int64_t)time(NULL);
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if (files->size != sizeof(*files) || files->ca == NULL)
		return err_set(err, RK_EINVAL, "no CA certificate named");
	if ((files->cert == NULL) != (files->key == NULL && files->use == NULL))
		return err_set(err, RK_EINVAL,
		    "certificate and key go together: one is missing");
	id = calloc(1, sizeof(*id));
	if (id == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = load_ca(id, files->ca, now, err)) != RK_OK)
		goto out;
	if (files->crl != NULL) {
		if ((r = watch_crl(id, files->crl, now, err)) != RK_OK)
			goto out;
	}
	if (files->cert != NULL) {
		if ((r = load_cert(id, files, now, err)) != RK_OK)
			goto out;
	}
	*out = id;
	id = NULL;
out:
	rk_ident_free(id);
	return r;
}

/* dir/name with a suffix. */
static enum rk_err
join(char out[PATH_MAX], const char *dir, const char *name, const char *suffix)
{
	int n = snprintf(out, PATH_MAX, "%s/%s%s", dir, name, suffix);

	return n > 0 && n < PATH_MAX ? RK_OK : RK_ETOOBIG;
}

/* The files of a directory; the key beside the certificate, unless files has
 * one already. */
static enum rk_err
load_dir(struct rk_ident_files *files, const char *dir, const char *name,
    struct rk_ident **out, struct rk_error *err)
{
	char ca[PATH_MAX];
	char crl[PATH_MAX];
	char cert[PATH_MAX];
	char key[PATH_MAX];

	*out = NULL;
	if (join(ca, dir, "ca", ".crt") != RK_OK ||
	    join(crl, dir, "ca", ".crl") != RK_OK ||
	    (name != NULL && (join(cert, dir, name, ".crt") != RK_OK ||
	                         join(key, dir, name, ".key") != RK_OK)))
		return err_set(err, RK_EINVAL, "path is too long");
	files->size = sizeof(*files);
	files->ca = ca;
	files->crl = crl;
	if (name != NULL)
		files->cert = cert;
	if (name != NULL && files->key == NULL && files->use == NULL)
		files->key = key;
	return rk_ident_load(files, out, err);
}

enum rk_err
rk_ident_load_dir(const char *dir, const char *name, rk_pass_fn *pass,
    void *arg, struct rk_ident **out, struct rk_error *err)
{
	const size_t prefix = sizeof(RK_KEY_IN_AGENT) - 1;
	struct rk_ident_files files = { .pass = pass, .pass_arg = arg };

	if (name == NULL || strncmp(name, RK_KEY_IN_AGENT, prefix) != 0)
		return load_dir(&files, dir, name, out, err);
	files.key = name;
	return load_dir(&files, dir, name + prefix, out, err);
}

enum rk_err
rk_ident_load_dir_use(const char *dir, const char *name, struct rk_key *use,
    struct rk_ident **out, struct rk_error *err)
{
	struct rk_ident_files files = { .use = use };

	return load_dir(&files, dir, name, out, err);
}

bool
rk_ident_info(const struct rk_ident *id, struct rk_cert_info *info)
{
	*info = id->info;
	return id->key != NULL;
}

enum rk_err
rk_ident_ca_info(const struct rk_ident *id, struct rk_cert_info *info)
{
	return chain_describe(content(&id->ca), info, NULL);
}

void
rk_ident_free(struct rk_ident *id)
{
	if (id == NULL)
		return;
	rk_key_free(id->key);
	buf_fini(&id->cert);
	buf_fini(&id->ca);
	unwatch_crl(id->crl);
	chain_anchor_free(id->anchor);
	free(id);
}
