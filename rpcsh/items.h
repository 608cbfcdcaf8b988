/* Words of a command line to an argument: k=v, k:=JSON, k@FILE, a.b[0]=v. */
#ifndef RPCSH_ITEMS_H
#define RPCSH_ITEMS_H

#include <rpckit/secret.h>
#include <rpckit/value.h>

#define ITEMS_FILE_MAX (64u << 20) /* bytes read from one file or stdin */

/* An argument being put together. */
struct items {
	struct rk_value_doc *doc;
	bool no_input;   /* k=? fails instead of asking */
	bool dry;        /* k=? is not asked for: the text "?" stands for it */
	bool stdin_used; /* it can be read once */
	/* Lists are made with room to grow; this one has it. */
	const struct rk_value *roomy;
	size_t room;
};

/* RK_ENOMEM. */
RK_MUST enum rk_err items_init(struct items *in, struct rk_error *err);
void items_fini(struct items *in);
/*
 * Take JSON text (as items_read() does) for the whole document.  RK_EINVAL
 * when it is none, with line and column; errors of items_read().
 */
RK_MUST enum rk_err items_set(
    struct items *in, const char *spec, struct rk_error *err);
/*
 * Put one item into the tree (an empty document becomes a map).  Later items
 * replace earlier ones of the same place.  RK_EINVAL with the item named,
 * RK_ENOENT, RK_EIO, RK_ETOOBIG, RK_ENOPASS (k=? and nobody to ask).
 */
RK_MUST enum rk_err items_put(
    struct items *in, const char *item, struct rk_error *err);
/* The document as msgpack; malloc'ed.  RK_ETOOBIG, RK_ENOMEM. */
RK_MUST enum rk_err items_encode(
    struct items *in, uint8_t **data, size_t *len, struct rk_error *err);

/* What "@FILE", "@-", "-" or the text itself stands for; malloc'ed. */
RK_MUST enum rk_err items_read(struct items *in, const char *spec,
    uint8_t **data, size_t *len, struct rk_error *err);

#endif
