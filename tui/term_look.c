/* How the roles look to ncurses: attributes, and pairs of colors. */
#include "term_look.h"

#include <curses.h>

/* A bright color where there are but eight is a bold one. */
static attr_t
attr_of(const struct term_look *look, bool color)
{
	static const struct {
		unsigned look;
		attr_t attr;
	} all[] = {
		{ LOOK_BOLD, A_BOLD },
		{ LOOK_DIM, A_DIM },
		{ LOOK_REVERSE, A_REVERSE },
		{ LOOK_UNDERLINE, A_UNDERLINE },
	};
	attr_t attr = A_NORMAL;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if ((look->attr & all[i].look) != 0)
			attr |= all[i].attr;
	}
	return color && look->color >= COLORS ? attr | A_BOLD : attr;
}

/* Of 256 colors those that no theme has in another place, as qr_draw() takes.
 * Where there are yet more, such numbers mean something else. */
static void
set_code(struct term_pen pens[ROLE_ALL])
{
	const bool many = COLORS == 256;
	const short white = many ? 231 : 7, black = many ? 232 : 0;

	if (COLORS < 8 || init_pair(ROLE_CODE + 1, white, black) == ERR ||
	    init_pair(ROLE_CODE_LIGHT + 1, white, white) == ERR)
		return;
	pens[ROLE_CODE].pair = ROLE_CODE + 1;
	pens[ROLE_CODE_LIGHT].pair = ROLE_CODE_LIGHT + 1;
}

void
term_pens(const struct term_conf *conf, struct term_pen pens[ROLE_ALL])
{
	bool color = conf->color && has_colors();

	if (color && (start_color() == ERR || use_default_colors() == ERR))
		color = false;
	for (short i = 0; i < ROLE_ALL; i++)
		pens[i] = (struct term_pen){ A_NORMAL, 0 };
	for (short i = 0; i < ROLE_COUNT; i++) {
		const struct term_look *look = &conf->looks[i];
		int n = look->color >= COLORS ? look->color % 8 : look->color;

		pens[i].attr = attr_of(look, color);
		if (color && look->color >= 0 &&
		    init_pair((short)(i + 1), (short)n, -1) != ERR)
			pens[i].pair = (short)(i + 1);
	}
	if (color)
		set_code(pens);
}
