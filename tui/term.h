/* The terminal: cells, attributes by role, keys; the only door to ncurses. */
#ifndef RPCTUI_TERM_H
#define RPCTUI_TERM_H

#include <rpckit/loop.h>

/* What text is for; a terminal with 16 colors, or none, shows them apart. */
enum term_role {
	ROLE_TEXT,
	ROLE_DIM,
	ROLE_HEAD, /* of a table, of a section */
	ROLE_BAR,  /* the title, the tab that is shown */
	ROLE_PICK, /* the row that is selected */
	ROLE_GOOD,
	ROLE_WAIT,
	ROLE_BAD,
	ROLE_INFO,
	ROLE_COUNT, /* that a theme has */
	/* Of a QR code, whatever colors the terminal and the theme have: white
	 * on black, and on white what is light all over. */
	ROLE_CODE = ROLE_COUNT,
	ROLE_CODE_LIGHT,
	ROLE_ALL
};

/* How a role looks: LOOK_..., and one of 16 colors of the terminal's. */
#define LOOK_BOLD 1u
#define LOOK_DIM 2u
#define LOOK_REVERSE 4u
#define LOOK_UNDERLINE 8u
#define LOOK_OWN (-1) /* the terminal's own color */
struct term_look {
	unsigned attr;
	int color;
};

/* Keys are code points; what is no character is one of these. */
enum term_key {
	TK_UP = 0x200000,
	TK_DOWN,
	TK_LEFT,
	TK_RIGHT,
	TK_PGUP,
	TK_PGDN,
	TK_HOME,
	TK_END,
	TK_ENTER,
	TK_ESC,
	TK_TAB,
	TK_BACKTAB,
	TK_BACKSPACE,
	TK_DELETE,
	TK_F1,
	TK_F10,
	TK_CLICK, /* term_click() says where */
	TK_WHEEL_UP,
	TK_WHEEL_DOWN
};
#define TK_CTRL(c) ((uint32_t)(c)&0x1f)

struct term;

struct term_conf {
	struct rk_loop *loop;
	bool ascii;
	bool color;
	struct term_look looks[ROLE_COUNT];
	/* pasted: it is part of a text that the terminal was given at once. */
	void (*key)(uint32_t key, bool pasted, void *arg);
	/* Everything must be drawn again: a new size, or back from a stop. */
	void (*redraw)(void *arg);
	/* About to stop (true), and back. */
	void (*stopped)(bool on, void *arg);
	/* A signal asks us to end; the terminal may be lost. */
	void (*ended)(int signo, void *arg);
	void *arg;
};

/* Is TERM one that a screen can be drawn on?  Draws nothing. */
bool term_is_usable(void);
/*
 * Take the terminal of standard input and output.  RK_EIO: TERM names none
 * that can be used.
 */
RK_MUST enum rk_err term_new(
    const struct term_conf *conf, struct term **out, struct rk_error *err);
/* The terminal as it was. */
void term_free(struct term *t);

int term_rows(const struct term *t);
int term_cols(const struct term *t);
bool term_ascii(const struct term *t);

void term_erase(struct term *t);
/* UTF-8 that paint_fit() has made safe; cut at the right edge. */
void term_put(
    struct term *t, int row, int col, enum term_role role, const char *text);
/* A line of `width` cells, and one of `height`. */
void term_hline(struct term *t, int row, int col, int width);
void term_vline(struct term *t, int row, int col, int height);
void term_box(struct term *t, int row, int col, int height, int width);
/* Have the cursor there; hidden when row is negative. */
void term_cursor(struct term *t, int row, int col);
void term_show(struct term *t);
/* Every cell again, whatever the terminal shows now. */
void term_redraw(struct term *t);

/* What was typed and not read yet was typed before what is shown now. */
void term_discard(struct term *t);
/* Stop, as Ctrl-Z does; returns when we were told to go on. */
void term_stop(struct term *t);
void term_mouse(struct term *t, bool on);
void term_click(const struct term *t, int *row, int *col);

#endif
