/* The door to libedit: a line typed on the terminal while other things go on.
 */
#ifndef RPCSH_LINE_H
#define RPCSH_LINE_H

#include <rpckit/err.h>

struct line;

/* What could stand where the cursor is. */
struct line_offer {
	const char *const *list; /* whole words, borrowed until the next call */
	size_t n;
	size_t typed; /* bytes of them that are there already */
};

struct line_hooks {
	/* While nobody types: wait for reading on fd() (-1: none) at most
	 * wait_ms() (-1: no limit), then idle(). */
	int (*fd)(void *arg);
	int (*wait_ms)(void *arg);
	void (*idle)(void *arg);
	/* Has SIGINT come? */
	bool (*interrupted)(void);
	/* Tab, behind these bytes of the line. */
	void (*offer)(
	    const char *text, size_t len, struct line_offer *out, void *arg);
	void *arg;
};

enum line_end {
	LINE_TEXT,
	LINE_CANCELED, /* Ctrl-C, or it was too long, which is said */
	LINE_OVER      /* Ctrl-D on an empty line, or the terminal is gone */
};

/* On standard input and output.  RK_ENOMEM: or it knows no such terminal. */
RK_MUST enum rk_err line_open(
    const char *prog, const struct line_hooks *hooks, struct line **out);
void line_close(struct line *l);
/* *text, without its newline, is valid until the next call. */
enum line_end line_read(struct line *l, const char *prompt, const char **text);
/* Something is to be written now: take the line being typed off the screen.
 * It is back when idle() returns.  Without one, nothing. */
void line_hide(struct line *l);
/* Another prompt for the line being typed. */
void line_prompt(struct line *l, const char *prompt);
/* For the arrow keys and Ctrl-R. */
void line_remember(struct line *l, const char *text);

#endif
