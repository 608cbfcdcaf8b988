/* Texts that are too long for one call: their parts, until the last is here. */
#include "rpc/control_int.h"

#include "trust/known.h"

#include <stdlib.h>

struct control_upload {
	TAILQ_ENTRY(control_upload) link;
	const struct control_end *end;
	uint64_t conn;
	struct buf text;
};

static struct control_upload *
find(const struct control_end *e, uint64_t conn)
{
	struct control_upload *u;

	TAILQ_FOREACH (u, &e->control->uploads, link) {
		if (u->end == e && u->conn == conn)
			return u;
	}
	return NULL;
}

static void
drop(struct rk_control *c, struct control_upload *u)
{
	TAILQ_REMOVE(&c->uploads, u, link);
	c->n_uploads--;
	buf_fini(&u->text);
	free(u);
}

void
control_upload_drop(const struct control_end *e, uint64_t conn)
{
	struct control_upload *u = find(e, conn);

	if (u != NULL)
		drop(e->control, u);
}

void
control_uploads_fini(struct rk_control *c)
{
	struct control_upload *u;

	while ((u = TAILQ_FIRST(&c->uploads)) != NULL)
		drop(c, u);
}

static enum rk_err
begin(const struct control_end *e, uint64_t conn, struct control_upload **out)
{
	struct rk_control *c = e->control;
	struct control_upload *u;

	if (c->n_uploads == CONTROL_UPLOADS_MAX)
		return RK_EBUSY;
	if ((u = calloc(1, sizeof(*u))) == NULL)
		return RK_ENOMEM;
	u->end = e;
	u->conn = conn;
	buf_init(&u->text, KNOWN_FILE_MAX);
	TAILQ_INSERT_TAIL(&c->uploads, u, link);
	c->n_uploads++;
	*out = u;
	return RK_OK;
}

/* The text that goes on with this part. */
static enum rk_err
open_text(const struct control_end *e, uint64_t conn, uint64_t from,
    struct control_upload **out)
{
	struct control_upload *u;

	*out = NULL;
	if (from == 0) {
		control_upload_drop(e, conn);
		return begin(e, conn, out);
	}
	u = find(e, conn);
	if (u == NULL || from != buf_len(&u->text))
		return RK_EINVAL;
	*out = u;
	return RK_OK;
}

static enum rk_err
add(const struct control_end *e, struct control_upload *u, struct rk_str part)
{
	enum rk_err r = buf_put(&u->text, part.ptr, part.len);

	if (r != RK_OK)
		drop(e->control, u);
	return r;
}

enum rk_err
control_upload_add(const struct control_end *e, uint64_t conn, uint64_t from,
    struct rk_str part)
{
	struct control_upload *u;
	enum rk_err r = open_text(e, conn, from, &u);

	return r == RK_OK ? add(e, u, part) : r;
}

enum rk_err
control_upload_end(const struct control_end *e, uint64_t conn, uint64_t from,
    struct rk_str last, struct buf *whole)
{
	struct control_upload *u;
	enum rk_err r;

	buf_init(whole, KNOWN_FILE_MAX);
	if ((r = open_text(e, conn, from, &u)) != RK_OK ||
	    (r = add(e, u, last)) != RK_OK)
		return r;
	*whole = u->text;
	buf_init(&u->text, KNOWN_FILE_MAX);
	drop(e->control, u);
	return RK_OK;
}
