/* Known servers on the disk: held under the file's lock, asked, locked. */
#include "trust/servers_int.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define MODE_BITS 0777

enum rk_trust_state
servers_state(const struct servers_list *l)
{
	return (l->st.st_mode & KNOWN_WRITE_BITS) != 0 ? RK_TRUST_OPEN
	                                               : RK_TRUST_LOCKED;
}

const char *
servers_text(const struct servers_list *l)
{
	return buf_len(&l->text) > 0 ? (const char *)buf_peek(&l->text) : "";
}

void
servers_let_go(struct servers_list *l)
{
	known_close(l->fd);
	buf_fini(&l->text);
	buf_fini(&l->next);
}

enum rk_err
servers_hold(const char *path, struct servers_list *l, struct rk_error *err)
{
	struct known known = { .n = 0 };
	enum rk_err r;

	*l = (struct servers_list){ .path = path, .fd = -1 };
	buf_init(&l->text, SERVERS_FILE_MAX);
	buf_init(&l->next, SERVERS_FILE_MAX);
	str_escape(l->name, sizeof(l->name), path);
	if ((r = known_open(
	         path, LOCK_EX, KNOWN_WAIT_MS, &l->fd, &l->st, err)) != RK_OK)
		return r;
	r = fs_read_fd(l->fd, SERVERS_FILE_MAX, &l->text, err);
	if (r == RK_ETOOBIG)
		r = err_set(err, RK_EFORMAT, "%s: too large", l->name);
	if (r == RK_OK)
		r = known_parse(
		    l->name, servers_text(l), buf_len(&l->text), &known, err);
	l->keys = known.lines;
	known_fini(&known);
	if (r != RK_OK)
		servers_let_go(l);
	return r;
}

/* ---- asked ---- */

enum rk_err
rk_servers_look(const char *path, const char *address,
    const struct rk_peer *peer, struct rk_server_view *out,
    struct rk_error *err)
{
	struct servers_query q;
	struct servers_list l;
	enum rk_err r;

	memset(out, 0, sizeof(*out));
	err_clear(err);
	if ((r = servers_ask(address, peer, &q, err)) != RK_OK)
		return r;
	r = servers_hold(path, &l, err);
	if (r == RK_ENOENT) {
		err_clear(err);
		return RK_OK;
	}
	if (r != RK_OK)
		return r;
	out->list = servers_state(&l);
	servers_judge(servers_text(&l), buf_len(&l.text), &q, out);
	servers_let_go(&l);
	return RK_OK;
}

static bool
matches(const struct known_line *line, const struct servers_name *what)
{
	struct rk_str mail = { what->coded, strlen(what->coded) };

	return what->given == NULL || servers_named(line, what) ||
	       servers_has(servers_next(line), what->given) ||
	       servers_has_mail(line->emails, mail);
}

enum rk_err
rk_servers_each(const char *path, const char *what,
    enum rk_err (*fn)(const struct rk_known_server *line, void *arg), void *arg,
    struct rk_error *err)
{
	struct servers_name name = { .given = NULL };
	struct rk_known_server shown;
	struct known_line line;
	size_t at = 0;
	bool ended;
	struct servers_list l;
	enum rk_err r;

	err_clear(err);
	if (what != NULL)
		servers_name(what, &name);
	r = servers_hold(path, &l, err);
	if (r == RK_ENOENT)
		err_clear(err);
	if (r != RK_OK)
		return r == RK_ENOENT ? RK_OK : r;
	known_close(l.fd);
	l.fd = -1;
	while (r == RK_OK && at < buf_len(&l.text)) {
		if (known_line(known_next_line(servers_text(&l),
		                   buf_len(&l.text), &at, &ended),
		        &line) != RK_OK ||
		    !matches(&line, &name))
			continue;
		servers_show(&line, &shown);
		r = fn(&shown, arg);
	}
	servers_let_go(&l);
	return r;
}

enum rk_err
rk_servers_lock(const char *path, bool lock, struct rk_error *err)
{
	mode_t mode;
	struct servers_list l;
	enum rk_err r;

	err_clear(err);
	if ((r = servers_hold(path, &l, err)) != RK_OK)
		return r;
	mode = l.st.st_mode & MODE_BITS;
	mode = lock ? mode & ~KNOWN_WRITE_BITS : mode | S_IWUSR;
	if (lock && l.keys == 0)
		r = err_set(err, RK_ESTATE,
		    "%s: without a key: locked, it would refuse everybody",
		    l.name);
	else if (fchmod(l.fd, mode) != 0 || fsync(l.fd) != 0)
		r = fs_fail(err, errno, path);
	servers_let_go(&l);
	return r;
}
