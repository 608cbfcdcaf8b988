/* Taking the last decision back. */
#ifndef RPCTUI_UNDO_H
#define RPCTUI_UNDO_H

#include "model.h"

struct ui;
struct order;

/* A line of the audit, whose numbers only grow; 0: it had none. */
struct undo_mark {
	bool known;
	uint64_t line;
};

struct undo {
	char fp[RK_FP_LEN]; /* of the key; "": there is nothing */
	char said[200];     /* what was done */
	char verb[16];      /* by its name in the audit */
	char other[200];    /* before it, and in doubt still; "": nothing */
	uint64_t version;   /* this decision made of it, in that process */
	uint64_t process;   /* as the model counts them */
	uint64_t line;      /* of the audit; 0: not known */
	/* The newest line when it was asked for, and that we have heard of. */
	struct undo_mark before, newest;
	int64_t until_ms;
	int64_t looked_ms;
	bool asks;  /* for the line */
	bool doubt; /* the daemon went before it answered */
	bool late;  /* there was something, and its time is over */
};

/* Something may be decided soon: which line is the newest before that? */
void undo_ready(struct ui *ui);
/* What was decided is answered, or is not any more. */
void undo_decided(struct ui *ui, const struct order *o, enum rk_err code,
    const struct rk_value *answer);
/* And what was to be taken back. */
void undo_answered(struct ui *ui, const struct order *o, enum rk_err code);
void undo_last(struct ui *ui);
/* Nobody can be told to take it back as yet. */
bool undo_waits(const struct ui *ui);
/* Now and then: is it too late, is the daemon back? */
void undo_look(struct ui *ui, int64_t now);

#endif
