/* A question over the body: text, buttons, maybe a line to type. */
#ifndef RPCTUI_DIALOG_H
#define RPCTUI_DIALOG_H

#include "ui.h"

#define DIALOG_BUTTONS 6
#define DIALOG_NOTE 256 /* with its NUL: what the daemon takes */

struct button {
	const char *label;
	uint32_t key; /* presses it at once */
};

struct dialog {
	char title[120];
	struct text body;
	size_t top; /* of the body, where it has no room */
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
	/* Below the buttons, where there is room: a note in `line`. */
	bool has_note, note_fits;
	struct line line;
	const char *hints;
	/* The button's number; -1: given up.  The dialog is closed already. */
	void (*done)(struct ui *ui, struct dialog *d, int button);
	/* What it is about. */
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
/* Have a line for a note, that has this text. */
void dialog_note(struct dialog *d, const char *text);
void dialog_close(struct ui *ui);
void dialog_key(struct ui *ui, uint32_t key);
/* Part of a text that is pasted; false: there is no line for it. */
bool dialog_paste(struct dialog *d, uint32_t key);
void dialog_draw(struct ui *ui, struct dialog *d, const struct box *body);
const char *dialog_hints(const struct dialog *d);

/* ---- what opens one ---- */
/* focus: ACT_OPEN, ACT_APPROVE, ACT_ONCE, ACT_REJECT or ACT_LATER.  With
 * quick keys no question is asked about a new key, but with ACT_OPEN. */
void dlg_decide(struct ui *ui, const struct model_key *k, enum action focus);
/* note: what goes with it, "" for none. */
void dlg_replace(struct ui *ui, const struct model_key *k, const char *note);
void dlg_forget(struct ui *ui, const struct model_key *k);
void dlg_lock(struct ui *ui);
void dlg_kick(struct ui *ui, const struct model_conn *c);
void dlg_cancel(struct ui *ui, const struct model_call *c);
/* focus: ACT_OPEN, ACT_ALLOW or ACT_DENY. */
void dlg_asked(struct ui *ui, const struct model_asked *q, enum action focus);
void dlg_quit(struct ui *ui);

#endif
