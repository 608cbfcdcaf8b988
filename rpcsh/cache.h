/* Lists of methods as servers gave them last: what is known without asking. */
#ifndef RPCSH_CACHE_H
#define RPCSH_CACHE_H

#include "settings.h"

#include <rpckit/value.h>

/*
 * One spelling of a server's URL: host names in lower case without a dot at the
 * end, IPv6 addresses as short as they can be, paths without empty parts.  What
 * is no URL stays as it is.
 */
const char *cache_canonical(const char *url, char out[SETTINGS_URL_LEN]);

/* Remember a server's list of methods, or the description of one of them, which
 * tells more.  What cannot be written is not remembered. */
void cache_methods(const char *url, const struct rk_value *list);
void cache_method(const char *url, const struct rk_value *method);

struct cached {
	struct rk_value_doc *doc;
	const struct rk_value *methods; /* an array */
	char at[32];                    /* when the server gave it */
};

/* What is remembered; RK_ENOENT: nothing that can be used. */
RK_MUST enum rk_err cache_read(const char *url, struct cached *out);
void cache_free(struct cached *c);
/* The description of a method there, or NULL. */
const struct rk_value *cache_find(const struct cached *c, const char *method);

/* Where completion stands: the server, and what was said before. */
struct cache_place {
	const char *url;    /* NULL: not known */
	const char *method; /* NULL: none was named; or the verb of ctx */
	size_t nth;         /* so many operands stand before */
	const char *certs;  /* folder of keys, or NULL */
	const char *known;  /* file of known servers, or NULL */
};

/*
 * Words to complete, NULL-terminated, until the next call: names of methods, of
 * contexts, of pairs of keys, addresses of known servers; or, COMPLETE_ITEM,
 * the beginnings of items of a method, "a:=", and files behind "a@"; or,
 * COMPLETE_SETTING, contexts, and settings "key=" behind `add NAME`.
 */
const char *const *cache_for(
    const struct cache_place *at, enum complete kind, const char *prefix);
/* The same at the end of a command line; as words() of struct prog. */
const char *const *cache_words(
    const struct args *a, enum complete kind, const char *prefix);

#endif
