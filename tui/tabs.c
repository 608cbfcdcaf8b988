/* The line of tabs: their names, what calls for a person, what is chosen. */
#include "ui.h"

#include "paint.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

#define TAB_LEN (WORDS_OF + 2) /* of what a tab's name is followed by */

static size_t
width_of(const char *text)
{
	char fit[PAINT_MAX];

	return paint_fit(fit, text, PAINT_MAX, 0);
}

/* What a tab's name is followed by: a number, or what calls for a person. */
static void
tab_count(const struct ui *ui, enum tab tab, char dst[TAB_LEN])
{
	const struct model *m = ui->m;
	char n[WORDS_OF];
	size_t waits = model_waiting(ui->m);
	size_t ends = view_ending(&ui->m->status) + ui->m->agent.n_asked;

	dst[0] = '\0';
	if (tab == TAB_CONNS)
		(void)snprintf(dst, TAB_LEN, " %s",
		    words_of(m->n_conns, m->conns_left_out, n));
	else if (tab == TAB_TRUST && waits > 0)
		(void)snprintf(dst, TAB_LEN, " %zu!", waits);
	else if (tab == TAB_CALLS)
		(void)snprintf(dst, TAB_LEN, " %s",
		    words_of(m->n_calls, m->calls_left_out, n));
	else if (tab == TAB_KEYS && ends > 0)
		(void)snprintf(dst, TAB_LEN, " %zu!", ends);
}

/* Of keys: which, and in which order; what has room. */
static void
trust_choice(const struct ui *ui, size_t room, char *dst, size_t len)
{
	const struct view *v = &ui->lists[TAB_TRUST].view;
	const char *filter = v->filter[0] == '\0' ? "-" : v->filter;
	size_t n;
	const char *show = view_shows(&n)[v->show];
	const char *sort = view_sorts(TAB_TRUST, &n)[v->sort];
	const char *up = v->down ? " up" : "";

	(void)snprintf(
	    dst, len, "show:%s  sort:%s%s  filter:%s ", show, sort, up, filter);
	if (width_of(dst) <= room)
		return;
	if (v->filter[0] == '\0')
		(void)snprintf(dst, len, "show:%s  sort:%s%s ", show, sort, up);
	else
		(void)snprintf(dst, len, "show:%s  filter:%s ", show, filter);
	if (width_of(dst) > room && v->filter[0] == '\0')
		(void)snprintf(dst, len, "show:%s ", show);
}

static void
tab_choice(const struct ui *ui, size_t room, char *dst, size_t len)
{
	const struct list *l = &ui->lists[ui->tab];
	size_t n;
	const char *const *sorts = view_sorts(l->view.tab, &n);
	int used = 0;

	dst[0] = '\0';
	if (ui->tab == TAB_TRUST) {
		trust_choice(ui, room, dst, len);
		used = (int)strlen(dst);
	} else if (n > 0)
		used = snprintf(dst, len, "sort:%s%s  ",
		    sorts[l->view.sort % n], l->view.down ? " up" : "");
	else if (ui->tab == TAB_LOG)
		used = snprintf(dst, len, "level:%s%s  ",
		    words_level(l->view.level), l->follow ? "  follow" : "");
	if (used < 0 || (size_t)used >= len)
		return;
	if (ui->tab != TAB_TRUST &&
	    (ui->tab != TAB_LOG || l->view.filter[0] != '\0'))
		used += snprintf(dst + used, len - (size_t)used, "filter:%s ",
		    l->view.filter[0] == '\0' ? "-" : l->view.filter);
	if (term_cols(ui->term) >= UI_WIDE && (size_t)used < len)
		(void)snprintf(dst + used, len - (size_t)used, " every %g s ",
		    (double)ui->conf.every_ms / 1000);
}

void
ui_draw_tabs(struct ui *ui)
{
	static const char *const names[] = { "Conns", "Trust", "Calls", "Keys",
		"Log" };
	char text[128], count[TAB_LEN], fit[PAINT_MAX];
	int col = 1;

	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++) {
		bool on = t == ui->tab;

		tab_count(ui, t, count);
		(void)snprintf(text, sizeof(text), "%s%u %s%s%s",
		    on ? "[" : " ", (unsigned)t + 1, names[t], count,
		    on ? "]" : " ");
		term_put(ui->term, 1, col,
		    on                           ? ROLE_BAR
		    : strchr(count, '!') != NULL ? ROLE_BAD
		                                 : ROLE_TEXT,
		    text);
		col += (int)strlen(text) + 1;
	}
	tab_choice(ui,
	    col < term_cols(ui->term) ? (size_t)(term_cols(ui->term) - col) : 0,
	    text, sizeof(text));
	if (col + 12 < term_cols(ui->term)) {
		(void)paint_fit(
		    fit, text, (size_t)(term_cols(ui->term) - col), -1);
		term_put(ui->term, 1, col, ROLE_DIM, fit);
	}
}
