/* Known servers: what the text of a list says about an address and a key. */
#ifndef RPCKIT_TRUST_SERVERS_H
#define RPCKIT_TRUST_SERVERS_H

#include <rpckit/servers.h>

#include "trust/known.h"

#define SERVERS_ANYWHERE "*" /* in the list of addresses */

/* Whom a list is asked about; texts as a file has them (percent-coded). */
struct servers_query {
	char address[RK_SERVER_LEN];
	char host[RK_SERVER_LEN];   /* that of the address */
	char remote[RK_SERVER_LEN]; /* and the number behind it */
	char emails[3 * 256];
	char fp[RK_FP_LEN];
	const uint8_t *pub;
};

/* RK_EINVAL: address is none. */
RK_MUST enum rk_err servers_ask(const char *address, const struct rk_peer *peer,
    struct servers_query *out, struct rk_error *err);
/* Judge by a text that known_parse() takes; out->list stays. */
void servers_judge(const char *text, size_t len, const struct servers_query *q,
    struct rk_server_view *out);

/* The next of a comma-joined list, taken off it; empty at its end. */
struct rk_str servers_next_item(struct rk_str *list);
bool servers_has(struct rk_str list, const char *item);
/* The addresses of a line; *tied: it has some, and belongs nowhere else. */
struct rk_str servers_at(const struct known_line *line, bool *tied);
/* The fingerprints of those that will follow; empty: none are announced. */
struct rk_str servers_next(const struct known_line *line);
/* Does the host column name the host that is asked about? */
bool servers_same_host(
    const struct known_line *line, const struct servers_query *q);
bool servers_has_mail(struct rk_str list, struct rk_str mail);

/* Who is meant, as a person has written it: an address, a host, a key. */
struct servers_name {
	const char *given;
	char coded[3 * RK_SERVER_LEN]; /* as the file has it */
};
void servers_name(const char *what, struct servers_name *out);
/* Is it this key, by its fingerprint?  Has the line that address, or one of
 * that host, or is it its key? */
bool servers_is_key(
    const struct known_line *line, const struct servers_name *what);
bool servers_named(
    const struct known_line *line, const struct servers_name *what);
/* A line for people. */
void servers_show(const struct known_line *line, struct rk_known_server *out);
/* "lab.example" of "lab.example:8443", "::1" of "[::1]:8443". */
struct rk_str servers_host(struct rk_str address);

#endif
