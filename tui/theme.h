/* How roles look: what is built in, and what the themes file says. */
#ifndef RPCTUI_THEME_H
#define RPCTUI_THEME_H

#include "term.h"

/*
 * The looks that are built in, with what the user's theme.conf says in their
 * place, where there is one.  RK_EFORMAT: "FILE:LINE: ...", in err; RK_EIO,
 * RK_EMODE.
 */
RK_MUST enum rk_err theme_load(
    struct term_look looks[ROLE_COUNT], struct rk_error *err);

#endif
