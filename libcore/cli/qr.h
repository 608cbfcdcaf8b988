/* A short text as a QR code, drawn in lines of text. */
#ifndef RPCKIT_CLI_QR_H
#define RPCKIT_CLI_QR_H

#include "cli/graph.h"

/*
 * What is light is drawn, in half blocks or in signs of ASCII.  With colors of
 * its own it is black on white wherever it is shown; with those of a terminal
 * where light text is on a dark ground it is as well, and else it is turned
 * round.  The signs are the same, so that a terminal that knows no colors shows
 * no less.
 */
enum qr_colors {
	QR_PLAIN, /* none: whoever shows the lines may know how, by qr_run() */
	QR_16,    /* of the sixteen that every terminal with colors has */
	QR_256    /* two that no theme of a terminal has in another place */
};

/* A line of it, valid during the call. */
typedef void qr_line_fn(const char *line, void *arg);

/*
 * Its lines from the top on, all of the same width.  RK_ETOOBIG: the text is no
 * fingerprint's length any more; RK_ENOMEM.
 */
#define QR_TEXT_MAX 100
RK_MUST enum rk_err qr_draw(const char *text, enum graph_signs signs,
    enum qr_colors colors, qr_line_fn *fn, void *arg);

/*
 * How many bytes of a plain line, from its start, are of the same colors: all
 * light, which is best white on white, as signs may not fill their cells; or
 * white on black.
 */
size_t qr_run(const char *line, bool *light);

/* What a terminal of this $TERM has that may be given colors. */
enum qr_colors qr_colors(bool allowed);

#endif
