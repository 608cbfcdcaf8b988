/* The table of keys: what each does, where, and how it is called. */
#ifndef RPCTUI_KEYS_H
#define RPCTUI_KEYS_H

#include "view.h"

enum action {
	ACT_NONE,
	ACT_TAB, /* the digit says which */
	ACT_UP,
	ACT_DOWN,
	ACT_PGUP,
	ACT_PGDN,
	ACT_TOP,
	ACT_BOTTOM,
	ACT_OPEN,
	ACT_APPROVE,
	ACT_ONCE,
	ACT_REJECT,
	ACT_LATER,
	ACT_FORGET,
	ACT_NOTE,
	ACT_LOCK,
	ACT_IMPORT,
	ACT_KICK,
	ACT_CANCEL,
	ACT_UNDO,
	ACT_SHOW_KEY,
	ACT_AUDIT,
	ACT_AUDIT_OF,
	ACT_ALLOW,
	ACT_DENY,
	ACT_TRACE,
	ACT_FIND,
	ACT_NEXT,
	ACT_PREV,
	ACT_FILTER,
	ACT_SORT,
	ACT_TURN,
	ACT_LEVEL,
	ACT_SHOW,
	ACT_FOLLOW,
	ACT_SIDE,
	ACT_PAUSE,
	ACT_EXPORT,
	ACT_MOUSE,
	ACT_REDRAW,
	ACT_COMMAND,
	ACT_HELP,
	ACT_BACK,
	ACT_LEAVE,
	ACT_QUIT,
	ACT_STOP
};

struct keys_row {
	unsigned tabs; /* 1 << tab; 0: a second key for the row above */
	uint32_t key;
	enum action action;
	bool steers;      /* not for who may only look */
	const char *name; /* of the key */
	const char *hint; /* a word or two for the last line, or NULL */
	const char *help;
};

/* The rows of the table, by their number; NULL behind the last. */
const struct keys_row *keys_row(size_t i);
/* What it does; read_only: for who may only look, to whom Enter shows things
 * and asks nothing. */
const char *keys_help(const struct keys_row *k, bool read_only);
/* What a key does in a tab, or NULL. */
const struct keys_row *keys_find(enum tab tab, uint32_t key);
/*
 * The last line of the screen: the most important first, `? help  q quit`
 * always; what has no room is left out.
 */
void keys_hints(
    enum tab tab, bool read_only, size_t width, char *dst, size_t len);
/* The whole table as a text of lines, "KEY\tWHERE\tHELP": for the manual. */
void keys_list(char *dst, size_t len);

#endif
