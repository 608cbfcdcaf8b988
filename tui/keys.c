/* The one table of keys, and the hints made of it. */
#include "keys.h"

#include "term.h"

#include "base/str.h"

#include <stdio.h>

#define IN(t) (1u << (t))
#define ALL (IN(TAB_COUNT) - 1)
#define CONNS IN(TAB_CONNS)
#define TRUST IN(TAB_TRUST)
#define CALLS IN(TAB_CALLS)
#define KEYS IN(TAB_KEYS)
#define LOG IN(TAB_LOG)
#define KEYS_NARROW 60 /* columns: fewer have one letter to leave */

/* In the order of importance, which is that of the hints. */
static const struct keys_row table[] = {
	{ ALL, 'j', ACT_DOWN, false, "j", "j/k move", "one down" },
	{ 0, TK_DOWN, ACT_DOWN, false, "Down", NULL, NULL },
	{ ALL, 'k', ACT_UP, false, "k", NULL, "one up" },
	{ 0, TK_UP, ACT_UP, false, "Up", NULL, NULL },
	{ TRUST, TK_ENTER, ACT_OPEN, false, "Enter", "Enter decide",
	    "decide about the key: later, approve, once, reject" },
	{ ALL & ~TRUST, TK_ENTER, ACT_OPEN, false, "Enter", "Enter more",
	    "all that is known of it; of who waits: decide" },
	{ TRUST, 'f', ACT_FORGET, true, "f", "f forget",
	    "forget the key: it is new when it comes again" },
	{ TRUST, 'm', ACT_NOTE, true, "m", "m note", "a note for the key" },
	{ TRUST, 'i', ACT_IMPORT, true, "i", "i import",
	    "a line of a known-keys file, or all of one" },
	{ TRUST, 'e', ACT_EXPORT, false, "e", "e export",
	    "write what is shown to a file (NDJSON)" },
	{ TRUST, 'L', ACT_LOCK, true, "L", "L LOCK",
	    "lock or unlock the list of known keys" },
	{ ALL, '/', ACT_FIND, false, "/", "/ find",
	    "find a text; the next one with n" },
	{ CONNS | TRUST | CALLS, 's', ACT_SORT, false, "s", "s sort",
	    "sort by the next column" },
	{ CONNS, 'x', ACT_KICK, true, "x", "x kick",
	    "close the connection, after a question" },
	{ CALLS, 'x', ACT_CANCEL, true, "x", "x cancel",
	    "cancel the call that runs, after a question" },
	{ KEYS, 'a', ACT_ALLOW, true, "a", "a allow",
	    "the dialog about a use of a key; a allows there" },
	{ KEYS, 'd', ACT_DENY, true, "d", "d deny",
	    "the same dialog; d denies" },
	{ LOG, 'v', ACT_LEVEL, false, "v", "v level",
	    "show lines of the next level" },
	{ TRUST, 'v', ACT_SHOW, false, "v", NULL,
	    "show all keys, those that wait, the known, the rejected" },
	{ LOG, 'F', ACT_FOLLOW, false, "F", "F follow",
	    "stay at the newest line, or not" },
	{ ALL, 'p', ACT_PAUSE, false, "p", "p pause",
	    "show things as they are now, until pressed again" },
	{ ALL, ':', ACT_COMMAND, false, ":", ": cmd",
	    "a command, the words of rpcd ctl; Tab completes" },
	{ CONNS | TRUST, 'u', ACT_UNDO, true, "u", "u undo",
	    "take the last decision back, within 30 seconds" },
	{ ALL, '1', ACT_TAB, false, "1", "1-5 tabs", "connections" },
	{ ALL, '2', ACT_TAB, false, "2", NULL, "trust: keys of clients" },
	{ ALL, '3', ACT_TAB, false, "3", NULL, "calls and methods" },
	{ ALL, '4', ACT_TAB, false, "4", NULL,
	    "keys: those open in a vault's agent, the daemon's" },
	{ ALL, '5', ACT_TAB, false, "5", NULL, "log" },
	{ TRUST, 'a', ACT_APPROVE, true, "a", NULL,
	    "the dialog; a approves there, with quick_keys at once" },
	{ TRUST, 'o', ACT_ONCE, true, "o", NULL,
	    "the dialog; o is for the next connection only" },
	{ TRUST, 'r', ACT_REJECT, true, "r", NULL, "the dialog; r rejects" },
	{ TRUST, 'l', ACT_LATER, true, "l", NULL,
	    "the dialog; l leaves it waiting" },
	{ TRUST, 'A', ACT_AUDIT, false, "A", "A audit",
	    "what was decided, when and by whom" },
	{ TRUST, 'H', ACT_AUDIT_OF, false, "H", "H history",
	    "the same of this key only" },
	{ CONNS, 't', ACT_TRACE, false, "t", "t trace",
	    "follow what this connection does" },
	{ CONNS | TRUST, 'y', ACT_SHOW_KEY, false, "y", "y key",
	    "the fingerprint big, and as a QR code" },
	{ ALL, 'n', ACT_NEXT, false, "n", NULL, "find the next one" },
	{ ALL, 'N', ACT_PREV, false, "N", NULL, "find the one before" },
	{ ALL, '&', ACT_FILTER, false, "&", "& filter",
	    "show only rows that hold a text" },
	{ CONNS | TRUST | CALLS, 'S', ACT_TURN, false, "S", NULL,
	    "turn the order round" },
	{ ALL & ~TRUST, 'e', ACT_EXPORT, false, "e", "e export",
	    "write what is shown to a file (NDJSON)" },
	{ ALL, TK_TAB, ACT_SIDE, false, "Tab", "Tab pane",
	    "move in the other pane" },
	{ ALL, TK_PGDN, ACT_PGDN, false, "PgDn", NULL, "a page down" },
	{ ALL, TK_PGUP, ACT_PGUP, false, "PgUp", NULL, "a page up" },
	{ ALL, 'g', ACT_TOP, false, "g", NULL, "to the first" },
	{ 0, TK_HOME, ACT_TOP, false, "Home", NULL, NULL },
	{ ALL, 'G', ACT_BOTTOM, false, "G", NULL, "to the last" },
	{ 0, TK_END, ACT_BOTTOM, false, "End", NULL, NULL },
	{ ALL, 'M', ACT_MOUSE, false, "M", NULL, "mouse on or off" },
	{ ALL, TK_CTRL('l'), ACT_REDRAW, false, "Ctrl-L", NULL,
	    "draw the screen again" },
	{ ALL, '?', ACT_HELP, false, "?", NULL,
	    "all keys; type to search, Enter runs one" },
	{ 0, TK_F1, ACT_HELP, false, "F1", NULL, NULL },
	{ ALL, TK_ESC, ACT_BACK, false, "Esc", NULL,
	    "back; clears what was looked for; never ends the program" },
	{ ALL, 'q', ACT_LEAVE, false, "q", NULL, "back; at the top: quit" },
	{ 0, TK_F10, ACT_LEAVE, false, "F10", NULL, NULL },
	{ ALL, TK_CTRL('c'), ACT_QUIT, false, "Ctrl-C", NULL, "quit" },
	{ ALL, TK_CTRL('z'), ACT_STOP, false, "Ctrl-Z", NULL,
	    "stop; fg in the shell goes on" },
};
#define N_ROWS (sizeof(table) / sizeof(table[0]))

const struct keys_row *
keys_row(size_t i)
{
	return i < N_ROWS ? &table[i] : NULL;
}

const struct keys_row *
keys_find(enum tab tab, uint32_t key)
{
	unsigned tabs = 0;

	for (size_t i = 0; i < N_ROWS; i++) {
		if (table[i].tabs != 0)
			tabs = table[i].tabs;
		if (table[i].key == key && (tabs & IN(tab)) != 0)
			return &table[i];
	}
	return NULL;
}

struct hints {
	char *dst;
	size_t len, used;
	size_t room; /* cells, without the end */
};

/* False: there is no room. */
static bool
put_hint(struct hints *h, const char *hint)
{
	const size_t n = strlen(hint) + 2;

	if (h->used + n > h->room || h->used + n >= h->len)
		return false;
	h->used += str_copy(h->dst + h->used, h->len - h->used, hint);
	h->used += str_copy(h->dst + h->used, h->len - h->used, "  ");
	return true;
}

/* Where there is no line of tabs the way to them is among the first. */
static void
put_first(struct hints *h, enum tab tab, bool read_only)
{
	(void)put_hint(h, "j/k");
	(void)put_hint(
	    h, tab == TAB_TRUST && !read_only ? "Enter decide" : "Enter more");
	(void)put_hint(h, "1-5 tabs");
	(void)put_hint(h, "/ find");
}

static bool
is_first(enum action action)
{
	return action == ACT_DOWN || action == ACT_OPEN || action == ACT_TAB ||
	       action == ACT_FIND;
}

/* Of keys there is more to do than there is room for, so it is said shorter how
 * to leave. */
static const char *
end_of(enum tab tab, size_t width)
{
	if (width < KEYS_NARROW)
		return "? q";
	return tab == TAB_TRUST && width < 84 ? "? help  q" : "? help  q quit";
}

/* Does it ask questions that who may only look is not asked? */
static bool
only_shows(const struct keys_row *k, bool read_only)
{
	return read_only && k->action == ACT_OPEN;
}

const char *
keys_help(const struct keys_row *k, bool read_only)
{
	return only_shows(k, read_only) ? "all that is known of it" : k->help;
}

void
keys_hints(enum tab tab, bool read_only, size_t width, char *dst, size_t len)
{
	const char *end = end_of(tab, width);
	const bool narrow = width < KEYS_NARROW;
	struct hints h = { .dst = dst, .len = len - strlen(end) };

	dst[0] = '\0';
	h.room = width - strlen(end);
	if (narrow)
		put_first(&h, tab, read_only);
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct keys_row *k = &table[i];
		const char *hint =
		    only_shows(k, read_only) ? "Enter more" : k->hint;

		if (hint == NULL || (k->tabs & IN(tab)) == 0 ||
		    (read_only && k->steers) || (narrow && is_first(k->action)))
			continue;
		if (!put_hint(&h, hint))
			break;
	}
	(void)str_copy(dst + h.used, len - h.used, end);
}

static void
list_tabs(unsigned tabs, char *dst, size_t len)
{
	size_t used = 0;

	dst[0] = '\0';
	if (tabs == ALL) {
		(void)str_copy(dst, len, "all");
		return;
	}
	for (unsigned t = 0; t < TAB_COUNT && used < len; t++) {
		int n = 0;

		if ((tabs & IN(t)) != 0)
			n = snprintf(dst + used, len - used, "%s%s",
			    used > 0 ? " " : "", view_tab_name((enum tab)t));
		used += n > 0 ? (size_t)n : 0;
	}
}

void
keys_list(char *dst, size_t len)
{
	char where[64];
	size_t used = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < N_ROWS && used < len; i++) {
		const struct keys_row *k = &table[i];
		int n;

		if (k->tabs == 0)
			continue;
		list_tabs(k->tabs, where, sizeof(where));
		n = snprintf(dst + used, len - used, "%s\t%s\t%s\n", k->name,
		    where, k->help);
		if (n < 0)
			return;
		used += (size_t)n;
	}
}
