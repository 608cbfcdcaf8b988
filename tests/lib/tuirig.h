/* A model to try, told in JSON. */
#ifndef TUIRIG_H
#define TUIRIG_H

#include "tui/model.h"

/* cmocka's set-up and tear-down; *state is a struct model. */
int tui_enter(void **state);
int tui_leave(void **state);

/* An answer, or an event. */
enum rk_err tui_tell(
    struct model *m, const char *method, int64_t now, const char *json);
enum rk_err tui_event(struct model *m, int64_t now, const char *json);
/* What fmt makes; until the next one. */
const char *tui_text(const char *fmt, ...) RK_PRINTF(1, 2);

#define FP_A "SHA256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FP_B "SHA256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define FP_C "SHA256:ccccccccccccccccccccccccccccccccccccccccccc"

#endif
