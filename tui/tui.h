/* What the ways of showing a daemon share: how it is reached. */
#ifndef RPCTUI_TUI_H
#define RPCTUI_TUI_H

#include "feed.h"

#include "cli/admin.h"
#include "cli/out.h"

#include <rpckit/client.h>

#define TUI_ANSWER_MS 20000

/* One run. */
struct tui {
	const struct args *a;
	struct out out;
	struct admin_at at;
	bool refused; /* what was asked last */
};

/* Find the socket; the exit status, and its trouble told. */
int tui_find(struct tui *t);
/* Connect, blocking.  The exit status, and its trouble told. */
int tui_dial(struct tui *t, struct rk_client **out);
/* What may be missing. */
enum tui_lack {
	LACK_NOTHING,
	LACK_METHOD, /* the daemon may be older */
	LACK_TRUST   /* and there may be nobody who decides about keys */
};
/*
 * Ask, blocking; from: the row of a long list that the answer begins with.  The
 * exit status, and its trouble told.  NULL in *out and 0: this is missing, and
 * may be.
 */
int tui_ask(struct tui *t, struct rk_client *c, const char *method,
    uint64_t from, enum tui_lack may, struct rk_value_doc **out);

/* once.c: one snapshot. */
int tui_once(struct tui *t);
/* plain.c: a line for everything that happens, until somebody ends it. */
struct vault_line;
struct tui_live {
	const struct out *out;
	struct rk_loop *loop;
	struct feed *feed;
	struct vault_line *vault; /* NULL: none */
	struct model *model;
	const char *path; /* of the admin socket */
	bool read_only;   /* by an option */
};
int tui_plain(const struct tui_live *live);

#endif
