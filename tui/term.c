/* The terminal by ncursesw: its cells, keys through the loop, signals. */
#include "term.h"

#include "term_look.h"

#include "base/clock.h"
#include "base/error.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termcap.h>
#include <termios.h>
#include <unistd.h>

#define ESC_MS 25      /* what tells Esc from the start of a sequence */
#define LINE_CELLS 512 /* that are put at once */
/* So soon nobody goes on with who was stopped; so often it is no accident. */
#define STOP_MS 5
#define STOPS_MAX 20
/* Where a pasted text begins and ends, from terminals that mark it. */
#define KEY_PASTE (KEY_MAX + 1)
#define KEY_PASTED (KEY_MAX + 2)

struct term {
	struct term_conf conf;
	SCREEN *screen;
	struct rk_watch *watch;
	struct termios before;
	struct term_pen pens[ROLE_ALL];
	int click_row, click_col;
	int cursor_row, cursor_col;
	bool pasting;
	bool ended;
	bool away; /* it ends, and the terminal is another's */
};

/* ---- signals ---- */

/* Have pasted text marked, as shells do; others ignore it. */
static void
mark_pasted(bool on)
{
	(void)fputs(on ? "\033[?2004h" : "\033[?2004l", stdout);
	(void)fflush(stdout);
}

static void
on_end(int signo, void *arg)
{
	struct term *t = arg;

	if (t->ended)
		return;
	t->ended = true;
	t->conf.ended(signo, t->conf.arg);
}

static void
take_size(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 &&
	    ws.ws_col > 0)
		(void)resizeterm(ws.ws_row, ws.ws_col);
}

static void
on_size(int signo, void *arg)
{
	struct term *t = arg;

	(void)signo;
	take_size();
	t->conf.redraw(t->conf.arg);
}

/* Who is in the background may not set the terminal's modes: he is stopped for
 * that, and the shell has set its own.  There is no such thing where it is not
 * our session's. */
static bool
is_ours(void)
{
	pid_t front = tcgetpgrp(STDIN_FILENO);

	return front == getpgrp() || (front < 0 && errno == ENOTTY);
}

/* Begun in the background: stop, as for any use of the terminal, before its
 * modes are read, which are those of a shell that edits a line.  False: nothing
 * stops us, and nobody will give it to us. */
static bool
come_to_front(void)
{
	for (int tries = 0; !is_ours(); tries++) {
		if (tries == STOPS_MAX)
			return false;
		(void)raise(SIGTTOU);
	}
	return true;
}

static bool
is_told_to_end(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && (sigismember(&set, SIGTERM) == 1 ||
	                                    sigismember(&set, SIGHUP) == 1 ||
	                                    sigismember(&set, SIGINT) == 1);
}

/* Stop, until the terminal is ours again.  False: it will not be, as we are to
 * end, or there is no shell any more that could go on with us: then nothing
 * stops. */
static bool
stop_here(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL }, before;
	int at_once = 0;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTSTP);
	(void)sigaction(SIGTSTP, &plain, &before);
	do {
		uint64_t since = mono_ms();

		(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		(void)raise(SIGTSTP);
		(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
		at_once = mono_ms() - since < STOP_MS ? at_once + 1 : 0;
	} while (!is_ours() && !is_told_to_end() && at_once < STOPS_MAX);
	(void)sigaction(SIGTSTP, &before, NULL);
	return is_ours();
}

static void
come_back(struct term *t)
{
	(void)reset_prog_mode();
	mark_pasted(true);
	t->pasting = false;
	take_size();
	term_redraw(t);
}

/* Stopped by another, or continued in the background. */
static void
on_continue(int signo, void *arg)
{
	struct term *t = arg;

	(void)signo;
	if (t->ended)
		return;
	if (!is_ours() && !stop_here()) {
		t->away = true;
		if (!is_told_to_end())
			on_end(SIGHUP, t);
		return;
	}
	come_back(t);
	t->conf.redraw(t->conf.arg);
}

static void
on_stop(int signo, void *arg)
{
	(void)signo;
	term_stop(arg);
}

static enum rk_err
watch_signals(struct term *t)
{
	static const struct {
		int signo;
		rk_signal_fn *fn;
	} all[] = {
		{ SIGWINCH, on_size },
		{ SIGCONT, on_continue },
		{ SIGTSTP, on_stop },
		{ SIGTERM, on_end },
		{ SIGHUP, on_end },
		{ SIGINT, on_end },
	};
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && r == RK_OK; i++)
		r = rk_loop_signal(t->conf.loop, all[i].signo, all[i].fn, t);
	return r;
}

/* What the shell above us expects of Ctrl-Z, and no more: where there is no
 * shell, nothing stops. */
void
term_stop(struct term *t)
{
	t->conf.stopped(true, t->conf.arg);
	(void)endwin();
	mark_pasted(false);
	t->away = !stop_here();
	if (!t->away) {
		come_back(t);
		t->conf.stopped(false, t->conf.arg);
		t->conf.redraw(t->conf.arg);
	} else if (!is_told_to_end()) {
		on_end(SIGHUP, t);
	}
}

/* ---- keys ---- */

static const struct {
	wint_t code;
	bool special;
	uint32_t key;
} codes[] = {
	{ KEY_UP, true, TK_UP },
	{ KEY_DOWN, true, TK_DOWN },
	{ KEY_LEFT, true, TK_LEFT },
	{ KEY_RIGHT, true, TK_RIGHT },
	{ KEY_PPAGE, true, TK_PGUP },
	{ KEY_NPAGE, true, TK_PGDN },
	{ KEY_HOME, true, TK_HOME },
	{ KEY_END, true, TK_END },
	{ KEY_ENTER, true, TK_ENTER },
	{ KEY_BTAB, true, TK_BACKTAB },
	{ KEY_BACKSPACE, true, TK_BACKSPACE },
	{ KEY_DC, true, TK_DELETE },
	{ KEY_F(1), true, TK_F1 },
	{ KEY_F(10), true, TK_F10 },
	{ '\r', false, TK_ENTER },
	{ '\n', false, TK_ENTER },
	{ '\t', false, TK_TAB },
	{ 0x1b, false, TK_ESC },
	{ 0x7f, false, TK_BACKSPACE },
	{ 0x08, false, TK_BACKSPACE },
};

static uint32_t
mouse_key(struct term *t)
{
	MEVENT e;

	if (getmouse(&e) != OK)
		return 0;
	t->click_row = e.y;
	t->click_col = e.x;
	if ((e.bstate & BUTTON4_PRESSED) != 0)
		return TK_WHEEL_UP;
	if ((e.bstate & BUTTON5_PRESSED) != 0)
		return TK_WHEEL_DOWN;
	return (e.bstate & (BUTTON1_CLICKED | BUTTON1_PRESSED)) != 0 ? TK_CLICK
	                                                             : 0;
}

/* 0: none that means anything. */
static uint32_t
translate(struct term *t, wint_t code, bool special)
{
	if (special && code == KEY_MOUSE)
		return mouse_key(t);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].code == code && codes[i].special == special)
			return codes[i].key;
	}
	return special ? 0 : (uint32_t)code;
}

static void
take_key(struct term *t, wint_t code, bool special)
{
	uint32_t key;

	if (special && (code == KEY_PASTE || code == KEY_PASTED)) {
		t->pasting = code == KEY_PASTE;
		return;
	}
	key = translate(t, code, special);
	/* The mark of its end may be lost. */
	if (key == TK_CTRL('c'))
		t->pasting = false;
	if (key != 0)
		t->conf.key(key, t->pasting, t->conf.arg);
}

void
term_discard(struct term *t)
{
	(void)t;
	(void)flushinp();
}

/* Readable, and yet there is nothing: has it gone? */
static bool
is_lost(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct termios now;

	return (poll(&p, 1, 0) > 0 &&
	           (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) ||
	       tcgetattr(fd, &now) != 0;
}

static void
on_input(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct term *t = arg;
	bool any = false;
	wint_t code;
	int r;

	(void)w;
	(void)ready;
	if (t->away)
		return;
	while (!t->ended && !t->away && (r = get_wch(&code)) != ERR) {
		any = true;
		take_key(t, code, r == KEY_CODE_YES);
	}
	if (!any && !t->ended && is_lost(fd))
		on_end(SIGHUP, t);
}

/* ---- begin and end ---- */

static void
set_modes(void)
{
	if (getenv("ESCDELAY") == NULL)
		(void)set_escdelay(ESC_MS);
	(void)raw();
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)intrflush(stdscr, FALSE);
	(void)leaveok(stdscr, FALSE);
	(void)curs_set(0);
	(void)define_key("\033[200~", KEY_PASTE);
	(void)define_key("\033[201~", KEY_PASTED);
	mark_pasted(true);
}

bool
term_is_usable(void)
{
	const char *name = getenv("TERM");

	/* "cm": the cursor can be moved. */
	return name != NULL && *name != '\0' && tgetent(NULL, name) == 1 &&
	       tgetstr("cm", NULL) != NULL;
}

enum rk_err
term_new(const struct term_conf *conf, struct term **out, struct rk_error *err)
{
	struct term *t;
	enum rk_err r;

	*out = NULL;
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	t->conf = *conf;
	t->cursor_row = -1;
	(void)setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		t->conf.ascii = true;
	if (!come_to_front()) {
		free(t);
		return err_set(
		    err, RK_EIO, "the terminal is another program's");
	}
	if (tcgetattr(STDIN_FILENO, &t->before) != 0) {
		free(t);
		return err_set(err, RK_EIO, "standard input is not a terminal");
	}
	if ((r = watch_signals(t)) == RK_OK)
		r = rk_watch_new(
		    conf->loop, STDIN_FILENO, RK_READ, on_input, t, &t->watch);
	if (r != RK_OK) {
		free(t);
		return err_set(err, r, "terminal: %s", rk_err_text(r));
	}
	if ((t->screen = newterm(NULL, stdout, stdin)) == NULL) {
		rk_watch_free(t->watch);
		free(t);
		return err_set(err, RK_EIO,
		    "TERM names no terminal that a screen can be drawn on");
	}
	set_modes();
	term_pens(&t->conf, t->pens);
	*out = t;
	return RK_OK;
}

void
term_free(struct term *t)
{
	if (t == NULL)
		return;
	rk_watch_free(t->watch);
	/* SIGSTOP and SIGTERM may have been all we were told of that. */
	t->away = t->away || !is_ours();
	if (!t->away) {
		term_mouse(t, false);
		(void)endwin();
		mark_pasted(false);
	}
	delscreen(t->screen);
	if (!t->away)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
	free(t);
}

int
term_rows(const struct term *t)
{
	(void)t;
	return getmaxy(stdscr);
}

int
term_cols(const struct term *t)
{
	(void)t;
	return getmaxx(stdscr);
}

bool
term_ascii(const struct term *t)
{
	return t->conf.ascii;
}

/* ---- drawing ---- */

void
term_erase(struct term *t)
{
	(void)erase();
	t->cursor_row = -1;
}

void
term_put(
    struct term *t, int row, int col, enum term_role role, const char *text)
{
	const struct term_pen *pen = &t->pens[role];
	wchar_t wide[LINE_CELLS];
	size_t n = mbstowcs(wide, text, LINE_CELLS - 1);

	if (n == (size_t)-1 || row < 0 || col < 0 || row >= term_rows(t) ||
	    col >= term_cols(t))
		return;
	wide[n] = L'\0';
	(void)attr_set((attr_t)pen->attr, pen->pair, NULL);
	(void)mvaddnwstr(row, col, wide, (int)n);
	(void)attr_set(A_NORMAL, 0, NULL);
}

void
term_hline(struct term *t, int row, int col, int width)
{
	if (t->conf.ascii)
		(void)mvhline(row, col, '-', width);
	else
		(void)mvhline_set(row, col, WACS_HLINE, width);
}

void
term_vline(struct term *t, int row, int col, int height)
{
	if (t->conf.ascii)
		(void)mvvline(row, col, '|', height);
	else
		(void)mvvline_set(row, col, WACS_VLINE, height);
}

static void
corner(const struct term *t, int row, int col, const cchar_t *line)
{
	if (t->conf.ascii)
		(void)mvaddch(row, col, '+');
	else
		(void)mvadd_wch(row, col, line);
}

void
term_box(struct term *t, int row, int col, int height, int width)
{
	int bottom = row + height - 1, right = col + width - 1;

	for (int i = row; i <= bottom; i++)
		(void)mvhline(i, col, ' ', width);
	term_hline(t, row, col, width);
	term_hline(t, bottom, col, width);
	term_vline(t, row, col, height);
	term_vline(t, row, right, height);
	corner(t, row, col, WACS_ULCORNER);
	corner(t, row, right, WACS_URCORNER);
	corner(t, bottom, col, WACS_LLCORNER);
	corner(t, bottom, right, WACS_LRCORNER);
}

void
term_cursor(struct term *t, int row, int col)
{
	t->cursor_row = row;
	t->cursor_col = col;
}

void
term_show(struct term *t)
{
	/* It would take the terminal back. */
	if (t->away)
		return;
	(void)curs_set(t->cursor_row >= 0 ? 1 : 0);
	if (t->cursor_row >= 0)
		(void)move(t->cursor_row, t->cursor_col);
	(void)refresh();
}

void
term_redraw(struct term *t)
{
	(void)t;
	(void)clearok(curscr, TRUE);
}

void
term_mouse(struct term *t, bool on)
{
	(void)t;
	(void)mousemask(on ? BUTTON1_PRESSED | BUTTON1_CLICKED |
	                         BUTTON4_PRESSED | BUTTON5_PRESSED
	                   : 0,
	    NULL);
}

void
term_click(const struct term *t, int *row, int *col)
{
	*row = t->click_row;
	*col = t->click_col;
}
