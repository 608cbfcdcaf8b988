/* Configuration files: "key = value", [section name], #, with file:line. */
#ifndef RPCKIT_CLI_CONF_H
#define RPCKIT_CLI_CONF_H

#include <rpckit/err.h>

/* The keys a section may hold. */
struct conf_key {
	const char *name;  /* NULL ends */
	const char *about; /* for the man page */
	const char *value; /* "PATH", "10s", "yes|no" */
	bool many;         /* may stand several times */
};

struct conf_section {
	const char *name; /* "" is the part before any section; NULL ends */
	bool named;       /* [method NAME] takes a name, and may repeat */
	const char *about;
	const struct conf_key *keys;
};

struct conf_item {
	const char *section; /* "" or "method" */
	const char *name;    /* of a named section, else "" */
	const char *key;
	const char *value; /* without surrounding white space; "..." quotes and
	                      backslashes are kept as written */
	const char *file;
	unsigned line;
};

struct conf;

/*
 * Read a file against the tables.  Every problem is one call of `problem`
 * ("rpcd.conf:12: unknown key \"lisen\" (did you mean \"listen\"?)"), and all
 * are found in one go; then RK_EFORMAT.  RK_ENOENT, RK_EIO, RK_EMODE when the
 * file is writable by others.  Values are cut at an unquoted " #".
 */
RK_MUST enum rk_err conf_read(const char *path,
    const struct conf_section *sections, struct conf **out,
    void (*problem)(const char *text, void *arg), void *arg,
    struct rk_error *err);
/* The same, but after RK_EFORMAT *out holds what was understood, so that its
 * values can be judged in the same go. */
RK_MUST enum rk_err conf_read_some(const char *path,
    const struct conf_section *sections, struct conf **out,
    void (*problem)(const char *text, void *arg), void *arg,
    struct rk_error *err);
/* The same as conf_read() from memory; name stands for the path. */
RK_MUST enum rk_err conf_parse(const char *name, const char *text, size_t len,
    const struct conf_section *sections, struct conf **out,
    void (*problem)(const char *text, void *arg), void *arg);
size_t conf_count(const struct conf *c);
const struct conf_item *conf_at(const struct conf *c, size_t i);
/* The last value of a key, or NULL. */
const struct conf_item *conf_find(const struct conf *c, const char *section,
    const char *name, const char *key);
void conf_free(struct conf *c);

/*
 * Split a value into words like a shell does: blanks separate; '...', "..."
 * and backslash quote; nothing is expanded.  words is NULL-terminated, one
 * free() releases all.  RK_EFORMAT: open quote.
 */
RK_MUST enum rk_err conf_split(
    const char *value, char ***words, size_t *n, struct rk_error *err);

#endif
