/* What the parts of the screen share. */
#ifndef RPCTUI_UI_H
#define RPCTUI_UI_H

#include "keys.h"
#include "line.h"
#include "screen.h"
#include "term.h"
#include "text.h"
#include "undo.h"
#include "view.h"

#define UI_COLS_MIN 40
#define UI_ROWS_MIN 10
#define UI_WIDE 100    /* columns, for the detail at the side */
#define UI_NARROW 72   /* fewer: one column */
#define UI_TICK_MS 250 /* between two looks at the model */
#define UI_SAY_MS 8000 /* a message stays */
#define UI_UNDO_MS 30000
#define UI_ORDERS 8 /* that may run at once */

struct ui;
struct dialog;
struct pane;
struct command;
struct trace;
struct drop;

struct box {
	int row, col, height, width;
};

/* A tab's list: what is chosen, what is seen. */
struct list {
	struct view view;
	struct rows rows;
	size_t at, top;
	char id[VIEW_ID_LEN]; /* of the row that is selected */
	bool slid; /* what was selected is gone; no key was pressed since */
	bool follow;
};

/* A question in the message line. */
struct prompt {
	bool on;
	char label[40];
	struct line line;
	/* NULL: given up */
	void (*done)(struct ui *ui, const char *text);
	void (*complete)(struct ui *ui, struct line *line);
	/* What it is about, whatever is selected by then. */
	char fp[RK_FP_LEN];
	uint64_t version, process;
};

/* A key that takes the place of a known one. */
struct replacing {
	char fp[RK_FP_LEN], old_fp[RK_FP_LEN];
	char who[256], note[256];
	uint64_t version, by_version;
};
typedef void denied_fn(
    struct ui *ui, const struct replacing *what, const char *why);

/* The answer is NULL where the code is not RK_OK. */
typedef void answered_fn(
    struct ui *ui, enum rk_err code, const struct rk_value *answer);

struct order {
	struct ui *ui; /* NULL: free */
	char said[200];
	bool can_undo;           /* it is a decision */
	bool undoes;             /* one */
	char fp[RK_FP_LEN];      /* of these two: what they are about */
	char verb[16];           /* of a decision */
	struct undo_mark before; /* the newest line of the audit then */
	bool quiet;              /* what goes wrong is not said */
	/* Of what is only asked for. */
	answered_fn *answered;
	void (*then)(struct ui *ui); /* where it went well */
	/* Where the daemon would do it if it were meant so, or NULL. */
	denied_fn *denied;
	struct replacing what;
};

struct ui {
	struct screen_conf conf;
	struct term *term;
	struct rk_timer *tick;
	const struct model *m; /* conf.model, or the copy */
	struct model *frozen;  /* paused */
	uint64_t drawn;        /* model.changes */
	int64_t drawn_sec;
	uint64_t ticks;    /* of ours: none is caught up with */
	uint32_t last_key; /* that was pressed */
	bool dirty;
	enum tab tab;
	struct list lists[TAB_COUNT];
	struct prompt prompt;
	struct dialog *dialog;
	struct pane *pane;
	struct command *command;
	struct trace *trace;
	char find[VIEW_FILTER_LEN];
	char message[400];
	enum term_role message_role;
	int64_t message_until;
	bool message_away; /* it says that the daemon does not answer */
	bool side;         /* the detail is what moves */
	size_t side_top;
	bool mouse;
	struct order orders[UI_ORDERS];
	struct undo undo;
	struct drop *drop;   /* connections that are being closed, or NULL */
	struct box list_box; /* where the rows were drawn */
	int status;
};

/* How a tab draws and explains its rows. */
struct tab_ops {
	/* The titles of the columns, or NULL. */
	void (*head)(struct ui *ui, const struct box *line);
	void (*row)(struct ui *ui, const struct row *r, bool picked,
	    const struct box *line);
	/* More in the line of a section that was drawn, or NULL. */
	void (*section)(
	    struct ui *ui, const struct row *r, const struct box *line);
	void (*detail)(struct ui *ui, const struct row *r, struct text *out);
	const char *empty; /* said where there are no rows */
};
extern const struct tab_ops tab_conns, tab_trust, tab_calls, tab_keys, tab_log;
const struct tab_ops *ui_ops(const struct ui *ui);

/* ---- screen.c ---- */
int64_t ui_now(const struct ui *ui);
/* A line for a person; text is shown escaped. */
void ui_say(struct ui *ui, enum term_role role, const char *fmt, ...)
    RK_PRINTF(3, 4);
/* The same of a daemon that does not answer: said until it does. */
void ui_say_away(struct ui *ui, enum term_role role, const char *text);
bool ui_read_only(const struct ui *ui);
void ui_end(struct ui *ui, int status);
void ui_ask(struct ui *ui, const char *label, const char *text,
    void (*done)(struct ui *ui, const char *text));
void ui_pause(struct ui *ui, bool on);

/* ---- frame.c ---- */
void ui_draw(struct ui *ui);
/* The body, in which panes and dialogs are. */
struct box ui_body(const struct ui *ui);
bool ui_narrow(const struct ui *ui);
/* Too small to show anything? */
bool ui_tiny(const struct ui *ui);
/* Lines from `top`, broken at the width; how many there are in all. */
size_t ui_draw_text(struct ui *ui, const struct box *b, const struct text *t,
    size_t top, size_t pick);
/* A line with a title in it. */
void ui_rule(struct ui *ui, int row, int col, int width, const char *title);

/* ---- tabs.c ---- */
void ui_draw_tabs(struct ui *ui);

/* ---- list.c ---- */
/* The selected row, or NULL. */
const struct row *ui_row(struct ui *ui);
/* Rows of the model as it is now: before whatever uses ui_row(). */
void ui_list_fresh(struct ui *ui);
/* What is selected now is so by what a person did. */
void ui_list_seen(struct ui *ui);
void ui_list_draw(struct ui *ui, const struct box *b);
void ui_list_move(struct ui *ui, enum action action);
void ui_list_pick(struct ui *ui, size_t at);
bool ui_list_find(struct ui *ui, bool forward, bool from_here);

/* One cell of a row. */
struct ui_cell {
	const char *text;
	int width;
	int pad; /* -1: to the right, 1: to the left */
	enum term_role role;
};
void ui_cells(struct ui *ui, const struct box *line, bool picked,
    const struct ui_cell *cells, size_t n);

/* ---- act.c ---- */
void ui_key(struct ui *ui, uint32_t key, bool pasted);
void ui_act(struct ui *ui, const struct keys_row *k);

/* ---- detail.c ---- */
void detail_conn(struct ui *ui, const struct model_conn *c, struct text *out);
void detail_key(struct ui *ui, const struct model_key *k, struct text *out);
/* When the certificate of a key ends, and how old it is; nothing where that is
 * not known. */
void detail_cert(
    const char *label, const struct model_key *k, struct text *out);
/* The same behind its CA. */
void detail_ca(int width, const struct model_key *k, struct text *out);
/* Of a key that is known: since when, how often and when it was last used, is
 * it connected, when does its certificate end; behind so many blanks. */
void detail_visits(const struct ui *ui, int width, const struct model_key *k,
    struct text *out);
/* A key's ten words, five a line. */
void detail_words(const char *label, const char *fp, struct text *out);
void detail_row(struct ui *ui, const struct row *r, struct text *out);

/* ---- orders.c ---- */
#define ORDER_VIA "tui" /* what the audit has beside the user's name */

struct order_arg {
	const char *key;
	const char *text; /* NULL: the number */
	uint64_t number;
};
/* Have the daemon do it; said when it is done. */
void order_send(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, const char *said, bool can_undo);
/* The same, and do something when it went well; then: may be NULL. */
void order_then(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, const char *said, void (*then)(struct ui *ui));
/* Have a key replaced.  denied: called with the daemon's words where it would
 * do that only if it is told once more; NULL: it is. */
void order_replace(
    struct ui *ui, const struct replacing *what, denied_fn *denied);
/* Take a decision back: undo.h is told of the answer. */
void order_undo(struct ui *ui, const struct order_arg *args, size_t n);
/* Ask for something.  What goes wrong is said.  False: it cannot be asked for,
 * and nothing is answered. */
bool order_ask(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, answered_fn *answered);
/* The same, and what goes wrong is not said. */
bool order_look(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, answered_fn *answered);

/* ---- freeze.c ---- */
/* A copy of a model that nothing changes; NULL without memory. */
struct model *freeze_model(const struct model *m);
void freeze_free(struct model *m);

#endif
