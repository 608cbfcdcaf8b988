/* Known servers changed: the file is written anew, whole, under its lock. */
#include "trust/servers_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define AT_MAX 500 /* bytes of the addresses of one key */
#define MODE_BITS 0777

static enum rk_err
put_str(struct buf *b, struct rk_str s)
{
	return s.len > 0 ? buf_put(b, s.ptr, s.len) : RK_OK;
}

enum rk_err
servers_put_field(struct servers_list *l, const struct known_line *line,
    const char *start, const char *name, struct rk_str value)
{
	struct rk_str rest = line->rest, f;
	size_t n = strlen(name);
	bool done = value.len == 0;
	enum rk_err r;

	r = put_str(
	    &l->next, (struct rk_str){ start, (size_t)(rest.ptr - start) });
	while (r == RK_OK && (f = known_next_field(&rest)).len > 0) {
		if (f.len <= n || memcmp(f.ptr, name, n) != 0) {
			r = buf_printf(&l->next, " %.*s", (int)f.len, f.ptr);
		} else if (!done) {
			done = true;
			r = buf_printf(&l->next, " %s%.*s", name,
			    (int)value.len, value.ptr);
		}
	}
	if (r == RK_OK && !done)
		r = buf_printf(
		    &l->next, " %s%.*s", name, (int)value.len, value.ptr);
	return r == RK_OK ? buf_put_str(&l->next, "\n") : r;
}

static enum rk_err
put_at(struct servers_list *l, const struct known_line *line, const char *start,
    const struct buf *at)
{
	return servers_put_field(l, line, start,
	    "at=", (struct rk_str){ (const char *)buf_peek(at), buf_len(at) });
}

static enum rk_err
add_item(struct buf *at, struct rk_str item)
{
	enum rk_err r = buf_len(at) > 0 ? buf_put_str(at, ",") : RK_OK;

	return r == RK_OK ? put_str(at, item) : r;
}

/* Its key gets the address, too. */
static enum rk_err
tie(struct servers_list *l, const struct known_line *line, const char *start,
    const char *address)
{
	bool tied;
	struct rk_str old = servers_at(line, &tied);
	struct buf at;
	enum rk_err r;

	buf_init(&at, AT_MAX);
	if (old.len == 0)
		r = buf_put_str(&at, SERVERS_ANYWHERE);
	else
		r = put_str(&at, old);
	if (r == RK_OK && !servers_has(old, address))
		r = add_item(&at, (struct rk_str){ address, strlen(address) });
	if (r == RK_OK)
		r = put_at(l, line, start, &at);
	buf_fini(&at);
	return r;
}

enum rk_err
servers_copy_line(struct servers_list *l, struct rk_str line)
{
	enum rk_err r = put_str(&l->next, line);

	/* A last line without one gets its newline. */
	return r == RK_OK ? buf_put_str(&l->next, "\n") : r;
}

/* What a line is to lose: an address, all of a host, the "anywhere". */
struct loss {
	const char *address;
	const char *host;
	bool anywhere; /* also that of a line without addresses */
};

static bool
is_text(struct rk_str s, const char *text)
{
	return text != NULL && s.len > 0 && s.len == strlen(text) &&
	       memcmp(s.ptr, text, s.len) == 0;
}

static bool
loses(const struct loss *loss, struct rk_str item)
{
	return is_text(item, loss->address) ||
	       is_text(servers_host(item), loss->host) ||
	       (loss->anywhere && is_text(item, SERVERS_ANYWHERE));
}

/* It loses some of its addresses, and goes with the last one.  Others may be
 * longer than we would make them. */
static enum rk_err
untie(struct servers_list *l, const struct known_line *line, struct rk_str text,
    const struct loss *loss, bool *changed)
{
	bool tied;
	struct rk_str old = servers_at(line, &tied), item;
	bool lost = old.len == 0 && loss->anywhere;
	struct buf at;
	enum rk_err r = RK_OK;

	buf_init(&at, SERVERS_FILE_MAX);
	while (r == RK_OK && old.len > 0) {
		item = servers_next_item(&old);
		if (loses(loss, item))
			lost = true;
		else
			r = add_item(&at, item);
	}
	if (r == RK_OK && !lost)
		r = servers_copy_line(l, text);
	else if (r == RK_OK && buf_len(&at) > 0)
		r = put_at(l, line, text.ptr, &at);
	buf_fini(&at);
	*changed = lost;
	return r;
}

static enum rk_err
put_new(struct servers_list *l, const struct servers_query *q)
{
	char id[RK_KEY_ID_LEN], now[32];

	rk_key_id(q->pub, id);
	str_time(now, time(NULL));
	return buf_printf(&l->next, "%s%s %s:%s at=%s since=%s\n",
	    buf_len(&l->next) == 0 ? KNOWN_FIRST_LINE : "",
	    q->host[0] != '\0' ? q->host : "-", id, q->emails, q->address, now);
}

struct edit {
	const struct servers_query *q;
	enum rk_servers_how how;
	bool needed; /* it is not there yet */
	bool next;   /* and comes after a key that has announced it */
	bool placed;
};

static enum rk_err
put_line(struct servers_list *l, struct edit *e, struct rk_str text)
{
	const struct servers_query *q = e->q;
	struct loss loss = { .address = q->address };
	struct known_line line;
	bool tied, lost;

	if (known_line(text, &line) != RK_OK)
		return servers_copy_line(l, text);
	(void)servers_at(&line, &tied);
	if (memcmp(line.pub, q->pub, sizeof(line.pub)) == 0) {
		if (e->placed)
			return servers_copy_line(l, text);
		e->placed = true;
		return tie(l, &line, text.ptr, q->address);
	}
	/* What was announced comes after those that said so only. */
	if (e->next ? !servers_has(servers_next(&line), q->fp)
	            : e->how != RK_SERVERS_REPLACE)
		return servers_copy_line(l, text);
	/* An old key of the host, tied to no port, is no key of it any more;
	 * one that knew its successor may be good at the others still. */
	loss.anywhere = !e->next && !tied && servers_same_host(&line, q);
	return untie(l, &line, text, &loss, &lost);
}

static enum rk_err
put_all(struct servers_list *l, struct edit *e)
{
	size_t at = 0;
	bool ended;
	enum rk_err r = RK_OK;

	while (r == RK_OK && at < buf_len(&l->text))
		r = put_line(l, e,
		    known_next_line(
		        servers_text(l), buf_len(&l->text), &at, &ended));
	return r == RK_OK && !e->placed ? put_new(l, e->q) : r;
}

enum rk_err
servers_may_write(const struct servers_list *l, struct rk_error *err)
{
	if (servers_state(l) == RK_TRUST_LOCKED)
		return err_set(err, RK_EUNKNOWNKEY, "%s: is locked", l->name);
	if (l->st.st_uid != geteuid())
		return err_set(
		    err, RK_EMODE, "%s: belongs to another user", l->name);
	return RK_OK;
}

/* What was there, as PATH.old. */
static enum rk_err
write_old(const struct servers_list *l, struct rk_error *err)
{
	char old[PATH_MAX];
	size_t len = str_copy(old, sizeof(old), l->path);

	if (len + sizeof(".old") > sizeof(old))
		return err_set(err, RK_EIO, "%s: path is too long", l->name);
	memcpy(old + len, ".old", sizeof(".old"));
	fs_clean_tmp(old);
	return fs_write_file(
	    old, servers_text(l), buf_len(&l->text), 0600, true, err);
}

/* A chmod(1) that found the old file just before counts for the new one. */
enum rk_err
servers_commit(struct servers_list *l, bool keep_old, struct rk_error *err)
{
	mode_t mode = l->st.st_mode & MODE_BITS;
	struct stat now;
	enum rk_err r;

	fs_clean_tmp(l->path);
	if (keep_old && (r = write_old(l, err)) != RK_OK)
		return r;
	r = fs_write_file(l->path,
	    buf_len(&l->next) > 0 ? (const void *)buf_peek(&l->next) : "",
	    buf_len(&l->next), mode, true, err);
	if (r != RK_OK)
		return r;
	if (fstat(l->fd, &now) != 0)
		return fs_fail(err, errno, l->path);
	if ((now.st_mode & MODE_BITS) != mode &&
	    chmod(l->path, now.st_mode & MODE_BITS) != 0)
		return fs_fail(err, errno, l->path);
	return RK_OK;
}

/* An empty file of ours, in a folder of ours. */
static enum rk_err
make_file(const char *path, struct rk_error *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	enum rk_err r;
	int fd;

	if (len >= sizeof(dir))
		return err_set(err, RK_EIO, "path is too long");
	if (len > 0) {
		memcpy(dir, path, len);
		dir[len] = '\0';
		if ((r = fs_make_dir(dir, 0700, err)) != RK_OK)
			return r;
	}
	fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return fs_fail(err, errno, path);
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
	return RK_OK;
}

/* May this be recorded, if it has to be? */
static enum rk_err
check_put(const struct servers_list *l, struct edit *e, struct rk_error *err)
{
	bool beside = e->how == RK_SERVERS_LEARN_BESIDE;
	bool learn = beside || e->how == RK_SERVERS_LEARN;
	struct rk_server_view view;
	bool changed;

	servers_judge(servers_text(l), buf_len(&l->text), e->q, &view);
	e->next = learn && view.is == RK_SERVER_NEXT;
	changed = view.is == RK_SERVER_CHANGED && (view.here || !beside);
	e->needed = !learn || view.is != RK_SERVER_KNOWN;
	if (learn && changed)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not the one known for %s", e->q->fp,
		    e->q->address);
	if (!e->needed)
		return RK_OK;
	if (l->keys >= KNOWN_KEYS_MAX)
		return err_set(err, RK_EUNKNOWNKEY,
		    "%s: is full: it holds %zu keys", l->name, l->keys);
	return servers_may_write(l, err);
}

static enum rk_err
put_held(struct servers_list *l, struct edit *e, struct rk_error *err)
{
	enum rk_err r;

	if ((r = check_put(l, e, err)) != RK_OK || !e->needed)
		return r;
	if ((r = put_all(l, e)) != RK_OK)
		return err_set(err, r, "%s: cannot add a key: %s", l->name,
		    rk_err_text(r));
	return servers_commit(l, e->next || e->how == RK_SERVERS_REPLACE, err);
}

enum rk_err
rk_servers_put(const char *path, const char *address,
    const struct rk_peer *peer, enum rk_servers_how how, struct rk_error *err)
{
	struct servers_query q;
	struct edit e = { .q = &q, .how = how };
	struct servers_list l;
	enum rk_err r;

	err_clear(err);
	if (!peer->proven || !crypt_ed25519_key_ok(peer->cert.pub))
		return err_set(
		    err, RK_ECERT, "the peer has not proven any key");
	if ((r = servers_ask(address, peer, &q, err)) != RK_OK)
		return r;
	r = servers_hold(path, &l, err);
	if (r == RK_ENOENT) {
		if ((r = make_file(path, err)) == RK_OK)
			r = servers_hold(path, &l, err);
	}
	if (r != RK_OK)
		return r;
	r = put_held(&l, &e, err);
	servers_let_go(&l);
	return r;
}

static enum rk_err
remove_line(struct servers_list *l, const struct servers_name *what,
    struct rk_str text, size_t *n)
{
	struct loss loss = { .address = what->coded, .host = what->coded };
	struct known_line line;
	bool tied, lost = true;
	enum rk_err r = RK_OK;

	if (known_line(text, &line) != RK_OK)
		return servers_copy_line(l, text);
	(void)servers_at(&line, &tied);
	loss.anywhere = !tied && is_text(line.host, what->coded);
	if (!servers_is_key(&line, what))
		r = untie(l, &line, text, &loss, &lost);
	*n += lost;
	return r;
}

enum rk_err
rk_servers_remove(
    const char *path, const char *what, size_t *n, struct rk_error *err)
{
	struct servers_name name;
	size_t at = 0;
	bool ended;
	struct servers_list l;
	enum rk_err r;

	*n = 0;
	err_clear(err);
	servers_name(what, &name);
	if ((r = servers_hold(path, &l, err)) != RK_OK)
		return r;
	r = servers_may_write(&l, err);
	while (r == RK_OK && at < buf_len(&l.text))
		r = remove_line(&l, &name,
		    known_next_line(
		        servers_text(&l), buf_len(&l.text), &at, &ended),
		    n);
	if (r == RK_OK)
		r = *n > 0 ? servers_commit(&l, true, err)
		           : err_set(err, RK_ENOENT, "%s: has no such server",
		                 l.name);
	servers_let_go(&l);
	return r;
}
