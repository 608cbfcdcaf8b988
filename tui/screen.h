/* The screen: shows a model until a person, or a signal, has had enough. */
#ifndef RPCTUI_SCREEN_H
#define RPCTUI_SCREEN_H

#include "feed.h"
#include "term.h"
#include "vault.h"

struct screen_conf {
	struct rk_loop *loop;
	struct feed *feed;
	struct vault_line *vault; /* NULL: no agent has a place */
	struct model *model;
	const char *path; /* of the admin socket, for commands */
	bool ascii;
	bool color;
	bool read_only;
	bool quick_keys; /* letters decide without a dialog */
	struct term_look looks[ROLE_COUNT];
	uint64_t every_ms;
};

/*
 * Run the loop with a screen on the terminal of standard input and output.
 * Returns the exit status: 0, 130 after Ctrl-C, 128 + n of the signal that
 * ended it, 1 where there is no such terminal (said on stderr).
 */
int screen_run(const struct screen_conf *conf);

#endif
