/* Taking the last decision back. */
#ifndef RPCTUI_UNDO_H
#define RPCTUI_UNDO_H

#include "model.h"

struct ui;
struct order;

struct undo {
	char fp[RK_FP_LEN]; /* of the key; "": there is nothing */
	char said[200];     /* what was done */
	char sent[32];      /* when it was asked for, as the daemon writes it */
	uint64_t version;   /* this decision made of it, in the process `pid` */
	uint64_t pid;
	uint64_t line; /* of the audit; 0: not known */
	int64_t until_ms;
	int64_t looked_ms;
	bool asks;  /* for the line */
	bool doubt; /* the daemon went before it answered */
	bool late;  /* there was something, and its time is over */
};

/* What was decided is answered, or is not any more. */
void undo_decided(struct ui *ui, const struct order *o, enum rk_err code,
    const struct rk_value *answer);
/* And what was to be taken back. */
void undo_answered(struct ui *ui, const struct order *o, enum rk_err code);
void undo_last(struct ui *ui);
/* Now and then: is it too late, is the daemon back? */
void undo_look(struct ui *ui, int64_t now);

#endif
