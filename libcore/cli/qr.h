/* A short text as a QR code, drawn in lines of text. */
#ifndef RPCKIT_CLI_QR_H
#define RPCKIT_CLI_QR_H

#include "cli/graph.h"

/* A line of it, valid during the call. */
typedef void qr_line_fn(const char *line, void *arg);

/*
 * Its lines from the top on, all of the same width: what is light is drawn, as
 * on a dark screen, in half blocks or in signs of ASCII.  RK_ETOOBIG: the text
 * is no fingerprint's length any more; RK_ENOMEM.
 */
#define QR_TEXT_MAX 100
RK_MUST enum rk_err qr_draw(
    const char *text, enum graph_signs signs, qr_line_fn *fn, void *arg);

#endif
