/* Known servers: their file, held under its lock. */
#ifndef RPCKIT_TRUST_SERVERS_INT_H
#define RPCKIT_TRUST_SERVERS_INT_H

#include "trust/servers.h"

#define SERVERS_FILE_MAX ((size_t)16 * 1024 * 1024)
#define SERVERS_PATH_TEXT 160 /* a path in a message */

/* What the file was, and what it is to be. */
struct servers_list {
	const char *path;
	char name[SERVERS_PATH_TEXT]; /* of the file, escaped */
	int fd;
	struct stat st;
	struct buf text;
	struct buf next;
	size_t keys;
};

/* Lock, read and check; RK_ENOENT without a text: there is no such file. */
RK_MUST enum rk_err servers_hold(
    const char *path, struct servers_list *l, struct rk_error *err);
void servers_let_go(struct servers_list *l);
const char *servers_text(const struct servers_list *l);
enum rk_trust_state servers_state(const struct servers_list *l);

/* servers_edit.c: RK_EUNKNOWNKEY: locked; RK_EMODE: another user's. */
RK_MUST enum rk_err servers_may_write(
    const struct servers_list *l, struct rk_error *err);
/* A line as it is, into the next text. */
RK_MUST enum rk_err servers_copy_line(
    struct servers_list *l, struct rk_str line);
/* The line that begins at start with another value of a field behind the key
 * ("at="); an empty one takes it out.  Whatever else is in it stays. */
RK_MUST enum rk_err servers_put_field(struct servers_list *l,
    const struct known_line *line, const char *start, const char *name,
    struct rk_str value);
/* Write the next text in the place of the old one, which is kept if so wanted.
 */
RK_MUST enum rk_err servers_commit(
    struct servers_list *l, bool keep_old, struct rk_error *err);

#endif
