/* A question over the body: text, buttons, maybe a line to type. */
#ifndef RPCTUI_DIALOG_H
#define RPCTUI_DIALOG_H

#include "ui.h"

#define DIALOG_BUTTONS 6
#define DIALOG_NOTE 256 /* with its NUL: what the daemon takes */

struct button {
	const char *label;
	uint32_t key; /* presses it at once */
	bool shows;   /* and decides nothing */
};

struct dialog {
	char title[120];
	struct text body;
	/* Who writes the body where that depends on the width, and again when
	 * the terminal has become narrow, or is so no more; or NULL. */
	void (*fill)(struct ui *ui, struct dialog *d);
	bool filled, narrow;
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
	struct button buttons[DIALOG_BUTTONS]; /* the first is harmless */
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
	const char *hints, *brief; /* where there is little room */
	/* The button's number; -1: given up.  The dialog is closed already. */
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
void dialog_button(struct dialog *d, const char *label, uint32_t key);
/* One that only shows something: also before all was read. */
void dialog_show_button(struct dialog *d, const char *label, uint32_t key);
/* What the body has by now must be read before anything is decided. */
void dialog_must(struct dialog *d);
/* Have a line for a note, that has this text. */
void dialog_note(struct dialog *d, const char *text);
void dialog_close(struct ui *ui);
void dialog_key(struct ui *ui, uint32_t key);
/* Part of a text that is pasted; false: there is no line for it. */
bool dialog_paste(struct dialog *d, uint32_t key);
void dialog_draw(struct ui *ui, struct dialog *d, const struct box *body);
const char *dialog_hints(const struct ui *ui, const struct dialog *d);

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
