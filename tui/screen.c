/* The screen's life: it begins, looks at the model now and then, ends. */
#include "screen.h"

#include "dialog.h"
#include "extra.h"
#include "pane.h"
#include "ui.h"

#include "base/clock.h"
#include "base/str.h"

#include <rpckit/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t
ui_now(const struct ui *ui)
{
	(void)ui;
	return (int64_t)mono_ms();
}

void
ui_say(struct ui *ui, enum term_role role, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(ui->message, sizeof(ui->message), fmt, ap);
	va_end(ap);
	ui->message_role = role;
	ui->message_until = ui_now(ui) + UI_SAY_MS;
	ui->message_away = false;
	ui->dirty = true;
}

void
ui_say_away(struct ui *ui, enum term_role role, const char *text)
{
	ui_say(ui, role, "%s", text);
	ui->message_away = true;
}

bool
ui_read_only(const struct ui *ui)
{
	return ui->conf.read_only || ui->conf.model->read_only;
}

void
ui_end(struct ui *ui, int status)
{
	ui->status = status;
	rk_loop_stop(ui->conf.loop);
}

void
ui_ask(struct ui *ui, const char *label, const char *text,
    void (*done)(struct ui *ui, const char *text))
{
	struct prompt *p = &ui->prompt;

	*p = (struct prompt){ .on = true, .done = done };
	(void)str_copy(p->label, sizeof(p->label), label);
	line_set(&p->line, text);
	ui->message[0] = '\0';
}

void
ui_pause(struct ui *ui, bool on)
{
	struct model *f = on ? freeze_model(ui->conf.model) : NULL;

	if (on && f == NULL) {
		ui_say(ui, ROLE_BAD, "out of memory");
		return;
	}
	freeze_free(ui->frozen);
	ui->frozen = f;
	ui->m = on ? f : ui->conf.model;
}

/* ---- time ---- */

static void
forget_old(struct ui *ui, int64_t now)
{
	const bool over = ui->message_away && !undo_waits(ui);

	if (ui->message[0] != '\0' && (over || now >= ui->message_until)) {
		ui->message[0] = '\0';
		ui->dirty = true;
	}
	undo_look(ui, now);
}

static void
draw(struct ui *ui)
{
	ui->dirty = false;
	ui->drawn = ui->m->changes;
	ui->drawn_sec = (int64_t)time(NULL);
	ui_draw(ui);
}

/* All that is new is drawn here, and so never more often than this. */
static void
on_tick(struct rk_timer *t, void *arg)
{
	struct ui *ui = arg;

	ui->ticks++;
	forget_old(ui, ui_now(ui));
	trace_look(ui);
	cmdline_look(ui);
	if (ui->dirty || ui->drawn != ui->m->changes ||
	    ui->drawn_sec != (int64_t)time(NULL))
		draw(ui);
	if (rk_timer_set(t, rk_loop_now(ui->conf.loop) + UI_TICK_MS) != RK_OK)
		ui_end(ui, 1);
}

/* ---- what the terminal tells ---- */

/* What a person does is answered at once. */
static void
on_key(uint32_t key, bool pasted, void *arg)
{
	struct ui *ui = arg;

	ui_key(ui, key, pasted);
	draw(ui);
}

static void
on_redraw(void *arg)
{
	draw(arg);
}

static void
on_stopped(bool on, void *arg)
{
	struct ui *ui = arg;

	feed_pause(ui->conf.feed, on);
}

static void
on_ended(int signo, void *arg)
{
	ui_end(arg, 128 + signo);
}

/* ---- the beginning and the end ---- */

static void
set_views(struct ui *ui)
{
	struct view views[TAB_COUNT] = { 0 };

	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++)
		views[t] = (struct view){ .tab = t, .level = RK_LOG_INFO };
	layout_load(views);
	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++)
		ui->lists[t].view = views[t];
	ui->lists[TAB_LOG].follow = true;
}

static void
keep_views(const struct ui *ui)
{
	struct view views[TAB_COUNT];

	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++)
		views[t] = ui->lists[t].view;
	layout_save(views);
}

static void
fini(struct ui *ui)
{
	cmdline_free(ui);
	drop_free(ui);
	dialog_close(ui);
	pane_close(ui);
	rk_timer_free(ui->tick);
	term_free(ui->term);
	freeze_free(ui->frozen);
	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++)
		rows_fini(&ui->lists[t].rows);
}

static enum rk_err
begin(struct ui *ui, struct rk_error *err)
{
	struct term_conf conf = { .loop = ui->conf.loop,
		.ascii = ui->conf.ascii,
		.color = ui->conf.color,
		.key = on_key,
		.redraw = on_redraw,
		.stopped = on_stopped,
		.ended = on_ended,
		.arg = ui };
	enum rk_err r;

	memcpy(conf.looks, ui->conf.looks, sizeof(conf.looks));
	if ((r = rk_timer_new(ui->conf.loop, on_tick, ui, &ui->tick)) !=
	        RK_OK ||
	    (r = rk_timer_set(ui->tick, rk_loop_now(ui->conf.loop))) != RK_OK)
		return r;
	return term_new(&conf, &ui->term, err);
}

int
screen_run(const struct screen_conf *conf)
{
	struct ui *ui = calloc(1, sizeof(*ui));
	struct rk_error err = { 0 };
	enum rk_err r = ui == NULL ? RK_ENOMEM : RK_OK;
	int status = 1;

	if (r == RK_OK) {
		ui->conf = *conf;
		ui->m = conf->model;
		set_views(ui);
		r = begin(ui, &err);
	}
	if (r == RK_OK) {
		draw(ui);
		r = rk_loop_run(conf->loop);
		status = r == RK_OK ? ui->status : 1;
		keep_views(ui);
	}
	if (ui != NULL)
		fini(ui);
	free(ui);
	if (r != RK_OK)
		(void)fprintf(stderr, "rpctui: %s\n",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
	return status;
}
