/* A question over the body: text, buttons, maybe a line to type. */
#ifndef RPCTUI_DIALOG_H
#define RPCTUI_DIALOG_H

#include "ui.h"

#define DIALOG_NOTE 256 /* with its NUL: what the daemon takes */

struct dialog;

/* One row of a dialog's table, whose first is harmless and whose last has no
 * label.  All of it is drawn, hinted at and pressed from there. */
struct button {
	const char *label;
	uint32_t key; /* presses it at once */
	/* What it does; the dialog is closed already.  NULL: what the
	 * dialog's `done` does with its number. */
	void (*take)(struct ui *ui, struct dialog *d);
	/* It changes something: what it is about must have been on the screen,
	 * and its key let go of. */
	bool danger;
};
/* No and Yes, whose numbers are 0 and 1. */
extern const struct button dialog_no_yes[];

struct dialog {
	char title[120];
	struct text body;
	/* Who writes the body where that depends on the width, and again when
	 * the terminal has become narrow, or is so no more; or NULL. */
	void (*fill)(struct ui *ui, struct dialog *d);
	bool filled, narrow;
	/* The daemon's that it is about, as the model counts them: numbers and
	 * versions are another's of the next one.  0: about none. */
	uint64_t process;
	/* Is it the question no more, by what has come meanwhile?  Who says so
	 * to the person as well; or NULL. */
	bool (*is_over)(struct ui *ui, const struct dialog *d);
	/* So many lines of the body must have been on the screen, from the
	 * first on, before anything is decided: what they were broken into as
	 * it was drawn, how much of that was seen, and whether all. */
	size_t must, must_rows, seen;
	int seen_width;
	bool read;
	size_t top;  /* of what is shown, where it has no room */
	int page;    /* how much of it there is room for */
	bool follow; /* have the focus in sight */
	/* The key that opened it, as long as that may still be held down, and
	 * the tick in which it last came. */
	uint32_t opener;
	uint64_t opener_tick;
	const struct button *buttons;
	size_t n_buttons, focus;
	/* Where there are no buttons: this must be typed to go on. */
	char want[32];
	/* A key that turns something on and off, the line of the text that
	 * says which, and who writes it, before every drawing. */
	uint32_t turn_key;
	bool turned;
	size_t turn_line;
	void (*turn)(struct ui *ui, struct dialog *d);
	/* Below the buttons: a note in `line`. */
	bool has_note;
	struct line line;
	const char *hints; /* NULL: those of the buttons */
	char keys[120];    /* which are these */
	/* The button's number, 0 of what was typed; -1: given up.  The dialog
	 * is closed already.  NULL: buttons do all. */
	void (*done)(struct ui *ui, struct dialog *d, int button);
	/* What it is about. */
	struct model_key key; /* as it was when this was asked */
	char fp[RK_FP_LEN], old_fp[RK_FP_LEN];
	char who[256];
	uint64_t version, by_version, conn, call;
	char path[LINE_LEN];
	char note[DIALOG_NOTE]; /* as it was */
};

/* Open one; NULL without memory (said). */
struct dialog *dialog_open(struct ui *ui, const char *title,
    void (*done)(struct ui *ui, struct dialog *d, int button));
/* A table, which outlives the dialog. */
void dialog_buttons(struct dialog *d, const struct button *table);
/* What the body has by now must be read before anything is decided. */
void dialog_must(struct dialog *d);
/* Have a line for a note, that has this text. */
void dialog_note(struct dialog *d, const char *text);
void dialog_close(struct ui *ui);
/* Close what is the question no more, before it is drawn or answered; true:
 * that was so. */
bool dialog_over(struct ui *ui);
void dialog_key(struct ui *ui, uint32_t key);
/* Part of a text that is pasted; false: there is no line for it. */
bool dialog_paste(struct dialog *d, uint32_t key);
void dialog_draw(struct ui *ui, struct dialog *d, const struct box *body);
const char *dialog_hints(const struct ui *ui, struct dialog *d);

/* ---- dlg_over.c: is_over ---- */
/* The key is a changed one. */
bool over_changed(struct ui *ui, const struct dialog *d);
/* It is another than `key` was, or gone. */
bool over_key(struct ui *ui, const struct dialog *d);
/* One of the two keys is no more what it has to be. */
bool over_replace(struct ui *ui, const struct dialog *d);
bool over_conn(struct ui *ui, const struct dialog *d);
bool over_call(struct ui *ui, const struct dialog *d);

/* ---- what opens one ---- */
/* by: ACT_OPEN, ACT_APPROVE, ACT_ONCE, ACT_REJECT or ACT_LATER: what was
 * pressed.  Whatever it was, the question begins at its harmless button.  With
 * quick keys no question is asked about a new key, but with ACT_OPEN. */
void dlg_decide(struct ui *ui, const struct model_key *k, enum action by);
void dlg_forget(struct ui *ui, const struct model_key *k);
void dlg_lock(struct ui *ui);
void dlg_kick(struct ui *ui, const struct model_conn *c);
void dlg_cancel(struct ui *ui, const struct model_call *c);
void dlg_asked(struct ui *ui, const struct model_asked *q);
void dlg_quit(struct ui *ui);

#endif
