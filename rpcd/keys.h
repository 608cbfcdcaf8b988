/* The keys of the configuration file: what they hold and where it goes. */
#ifndef RPCD_KEYS_H
#define RPCD_KEYS_H

#include "cli/conf.h"
#include "settings.h"

enum key_kind {
	KEY_TEXT,   /* char * */
	KEY_LIST,   /* struct list, one entry a line */
	KEY_COMMAS, /* struct list, entries by commas as well */
	KEY_YES,    /* bool */
	KEY_NUMBER, /* uint64_t, as the rest */
	KEY_SIZE,
	KEY_TIME, /* milliseconds */
	KEY_WORD  /* unsigned: index in words */
};

struct key {
	const char *name; /* NULL ends */
	const char *about;
	const char *value; /* for people: "DIR", "yes|no" */
	enum key_kind kind;
	size_t at; /* offset in struct settings, method or folder_conf */
	uint64_t min;
	uint64_t max;
	const char *const *words; /* NULL-terminated */
	bool fixed;               /* not while running */
	bool never;               /* "never" switches it off */
	bool always;              /* "always" stands for the least */
	bool raw;                 /* quotes are part of the text */
	/* May judge and rewrite the text of an entry (malloc'ed): NULL, or
	 * why it is bad. */
	const char *(*check)(char **text);
};

extern const struct key keys_main[SETTINGS_KEYS + 1];
extern const struct key keys_method[];
extern const struct key keys_files[];

/* The tables in the form conf_read() wants, made from those above. */
struct key_tables {
	struct conf_key main[SETTINGS_KEYS + 1];
	struct conf_key method[16];
	struct conf_key files[16];
	struct conf_section sections[4];
};
void keys_tables(struct key_tables *t);

/*
 * Set one: base is the struct settings, method or folder_conf.  NULL, or why
 * the text is bad (in static memory or in why).  An empty list entry adds
 * nothing.
 */
const char *keys_set(const struct key *k, void *base, const char *text,
    const struct origin *from, char why[160]);
/* Forget what a list or text holds. */
void keys_clear(const struct key *k, void *base);
/* The value as text, for entry i of a list; NULL: none. */
const char *keys_get(
    const struct key *k, const void *base, size_t i, char dst[32]);
const struct key *keys_find(const struct key *table, const char *name);

/* settings_files.c: the section [files NAME], made when it is new; NULL: no
 * memory.  What is wrong with it as a whole, or NULL. */
struct folder_conf *folders_find(
    struct settings *s, const char *name, const struct origin *from);
const char *folders_fault(
    const struct settings *s, const struct folder_conf *f);
void folders_free(struct settings *s);

/* "tls:ADDR:PORT", "unix:PATH" or a URL, to a URL. */
const char *keys_listen(char **text);

#endif
