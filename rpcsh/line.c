/* The door to libedit: a line typed on a terminal while other things go on. */
#include "line.h"

#include "base/str.h"
#include "cli/out.h"
#include "line_rows.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#define PROMPT_MAX 256
#define REMEMBERED 1000
#define COLUMNS_USUAL 80
#define LISTED 200 /* words shown at once */
#define SHOWN_MAX 1024
#define TYPED_MAX 65536 /* characters of a line: drawing more is slow */
#define ESCAPE L'\033'
#define ASCII "ANSI_X3.4-1968" /* as the C library calls it */

/* Where the keys are that send more than one character. */
enum key {
	KEY_NONE,
	KEY_ESCAPE,
	KEY_LONG
};

struct line {
	const struct line_hooks *hooks;
	EditLine *el;
	History *history;
	char prompt[PROMPT_MAX];
	mbstate_t state; /* of a character that has come in part */
	locale_t utf8;   /* while it reads; 0: the locale has more than ASCII */
	bool reading;
	bool hidden;
	bool stale;    /* marks may be missing: see paint() */
	bool dumb;     /* the terminal has no way back */
	bool canceled; /* by Ctrl-C */
	bool dropped;  /* it was too long */
	enum key key;  /* in the midst of one */
	char *text;    /* what was read last */
};

/* ---- signals while a line is typed ---- */

static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP,
	SIGWINCH };
#define N_WATCHED (sizeof(watched) / sizeof(watched[0]))

/* Which came; SIGINT is the hooks' own. */
static volatile sig_atomic_t resized, stopped, ended;

static void
on_signal(int signo)
{
	if (signo == SIGWINCH)
		resized = 1;
	else if (signo == SIGTSTP)
		stopped = 1;
	else
		ended = signo;
}

static void
hear(struct sigaction old[N_WATCHED])
{
	struct sigaction sa = { .sa_handler = on_signal };

	(void)sigemptyset(&sa.sa_mask);
	ended = 0;
	for (size_t i = 1; i < N_WATCHED; i++) {
		(void)sigaction(watched[i], &sa, &old[i]);
		if (old[i].sa_handler == SIG_IGN)
			(void)sigaction(watched[i], &old[i], NULL);
	}
}

static void
unhear(const struct sigaction old[N_WATCHED])
{
	for (size_t i = 1; i < N_WATCHED; i++)
		(void)sigaction(watched[i], &old[i], NULL);
}

static void
stop(struct line *l)
{
	struct sigaction sa = { .sa_handler = SIG_DFL }, old;

	stopped = 0;
	(void)el_set(l->el, EL_PREP_TERM, 0);
	(void)sigaction(SIGTSTP, &sa, &old);
	(void)raise(SIGTSTP);
	(void)sigaction(SIGTSTP, &old, NULL);
	(void)el_set(l->el, EL_PREP_TERM, 1);
	(void)el_set(l->el, EL_REFRESH);
}

static void
take_signals(struct line *l)
{
	if (ended != 0) {
		(void)el_set(l->el, EL_PREP_TERM, 0);
		(void)puts("");
		(void)fflush(stdout);
		out_die_of(ended);
	}
	if (resized) {
		resized = 0;
		el_resize(l->el);
	}
	if (stopped)
		stop(l);
}

/* ---- off the screen, and back ---- */

static unsigned
columns(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
		return COLUMNS_USUAL;
	return w.ws_col;
}

void
line_hide(struct line *l)
{
	const LineInfo *info;
	unsigned cols = columns(), col = 0, rows;

	if (l == NULL || !l->reading || l->hidden)
		return;
	l->hidden = true;
	if (l->dumb) {
		(void)fputs("\n", stdout);
	} else {
		info = el_line(l->el);
		rows = line_rows(l->prompt, strlen(l->prompt), cols, &col);
		rows += line_rows(info->buffer,
		    (size_t)(info->cursor - info->buffer), cols, &col);
		if (rows > 0)
			(void)printf("\033[%uA", rows);
		(void)fputs("\r\033[J", stdout);
	}
	(void)fflush(stdout);
}

/* ---- marks ---- */

/*
 * libedit forgets marks whenever it draws a line anew: then all of it is
 * written once more over what it drew, which has the same columns.
 */
static void
paint(struct line *l)
{
	const LineInfo *info = el_line(l->el);
	size_t all = (size_t)(info->lastchar - info->buffer);
	size_t at = (size_t)(info->cursor - info->buffer);
	unsigned cols = columns(), col = 0, end = 0, rows, down;

	l->stale = false;
	if (l->dumb || l->hidden || !line_has_marks(info->buffer, all))
		return;
	rows = line_rows(l->prompt, strlen(l->prompt), cols, &col);
	rows += line_rows(info->buffer, at, cols, &col);
	down = line_rows(l->prompt, strlen(l->prompt), cols, &end);
	down += line_rows(info->buffer, all, cols, &end);
	if (rows > 0)
		(void)printf("\033[%uA", rows);
	(void)putchar('\r');
	end = 0;
	line_put_rows(l->prompt, strlen(l->prompt), cols, &end);
	line_put_rows(info->buffer, all, cols, &end);
	if (end == cols) /* where libedit has gone to the next row */
		(void)fputs("\r\n", stdout);
	if (down > rows)
		(void)printf("\033[%uA", down - rows);
	(void)putchar('\r');
	if (col > 0)
		(void)printf("\033[%uC", col);
	(void)fflush(stdout);
}

static void
show(struct line *l)
{
	if (!l->hidden)
		return;
	l->hidden = false;
	l->stale = true;
	(void)fflush(stdout);
	(void)el_set(l->el, EL_REFRESH);
}

void
line_prompt(struct line *l, const char *prompt)
{
	if (!l->reading || strcmp(l->prompt, prompt) == 0)
		return;
	line_hide(l);
	(void)str_copy(l->prompt, sizeof(l->prompt), prompt);
}

/* ---- reading ---- */

/* True: something can be read from the terminal, or it is gone. */
static bool
wait_for_key(struct line *l)
{
	const struct line_hooks *h = l->hooks;
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = h->fd(h->arg), .events = POLLIN } };
	int ms = h->wait_ms(h->arg), n = -1;
	struct timespec ts = { .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };
	sigset_t set, old;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < N_WATCHED; i++)
		(void)sigaddset(&set, watched[i]);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	if (l->stale && poll(p, 1, 0) == 0)
		paint(l);
	if (!h->interrupted())
		n = ppoll(p, 2, ms < 0 ? NULL : &ts, &old);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	take_signals(l);
	if (h->interrupted())
		return false;
	h->idle(h->arg);
	show(l);
	return n > 0 && p[0].revents != 0;
}

/* A character of the locale: 1, or 0 at the end, or -1 at Ctrl-C. */
static int
next_char(struct line *l, wchar_t *out)
{
	char byte;

	for (;;) {
		ssize_t got;
		size_t n;

		if (l->hooks->interrupted()) {
			l->canceled = true;
			return -1;
		}
		if (!wait_for_key(l))
			continue;
		got = read(STDIN_FILENO, &byte, 1);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return 0;
		n = mbrtowc(out, &byte, 1, &l->state);
		if (n == (size_t)-1) /* it is none: as if it had not come */
			l->state = (mbstate_t){ 0 };
		else if (n == 1 || n == 0)
			return 1;
	}
}

/* Does it edit the line, or end it, and adds nothing? */
static bool
is_key(struct line *l, wchar_t c)
{
	enum key was = l->key;

	l->key = KEY_NONE;
	if (c == ESCAPE)
		l->key = KEY_ESCAPE;
	else if (was == KEY_ESCAPE && (c == L'[' || c == L'O'))
		l->key = KEY_LONG;
	else if (was == KEY_LONG && (c < L'@' || c > L'~'))
		l->key = KEY_LONG;
	return was != KEY_NONE || iswcntrl((wint_t)c);
}

/* The rest of a line that is too long: half of it is no command. */
static int
drop(struct line *l)
{
	wchar_t c = L'\0';
	int got = 1;

	/* It stays on the screen as far as it is there. */
	l->reading = l->stale = false;
	(void)printf("\na line has at most %d characters: "
	             "this one is dropped, up to Enter\n",
	    TYPED_MAX);
	(void)fflush(stdout);
	while (got == 1 && c != L'\n' && c != L'\r')
		got = next_char(l, &c);
	l->dropped = got == 1;
	return got == 1 ? -1 : got;
}

static int
read_char(EditLine *el, wchar_t *out)
{
	const LineInfoW *info = el_wline(el);
	struct line *l;
	int got;

	(void)el_get(el, EL_CLIENTDATA, &l);
	l->stale = true;
	got = next_char(l, out);
	if (got != 1 || is_key(l, *out) ||
	    info->lastchar - info->buffer < TYPED_MAX)
		return got;
	return drop(l);
}

static char *
prompt_of(EditLine *el)
{
	struct line *l;

	(void)el_get(el, EL_CLIENTDATA, &l);
	return l->prompt;
}

/* What is typed is UTF-8, as what is sent and shown is, where the locale would
 * lose all of it but ASCII. */
static locale_t
use_utf8(const struct line *l)
{
	return uselocale(l->utf8);
}

enum line_end
line_read(struct line *l, const char *prompt, const char **text)
{
	struct sigaction old[N_WATCHED];
	locale_t before;
	const char *got;
	int n = 0;

	*text = "";
	(void)str_copy(l->prompt, sizeof(l->prompt), prompt);
	l->state = (mbstate_t){ 0 };
	l->canceled = l->dropped = false;
	l->key = KEY_NONE;
	hear(old);
	l->reading = true;
	before = use_utf8(l);
	got = el_gets(l->el, &n);
	(void)uselocale(before);
	l->reading = false;
	unhear(old);
	if (l->canceled) {
		(void)puts("^C");
		return LINE_CANCELED;
	}
	if (l->dropped)
		return LINE_CANCELED;
	if (got == NULL || n <= 0)
		return LINE_OVER;
	free(l->text);
	l->text = strndup(got, strcspn(got, "\n"));
	if (l->text != NULL)
		*text = l->text;
	return LINE_TEXT;
}

void
line_remember(struct line *l, const char *text)
{
	HistEvent ev;

	/* What has no room is not remembered. */
	(void)history(l->history, &ev, H_ENTER, text);
}

/* ---- Tab ---- */

/* Bytes that all of them begin with. */
static size_t
common(const struct line_offer *o)
{
	size_t len = strlen(o->list[0]);

	for (size_t i = 1; i < o->n; i++) {
		size_t n = 0;

		while (n < len && o->list[i][n] == o->list[0][n])
			n++;
		len = n;
	}
	/* Not into a character. */
	while (len > o->typed && (o->list[0][len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* Put in bytes of a word, so that they stay one. */
static bool
insert(struct line *l, const char *text, size_t len)
{
	static const char meaning[] = " \t\\'\"#{[";
	char piece[3] = "";

	for (size_t i = 0; i < len; i++) {
		char *p = piece;

		if (memchr(meaning, text[i], sizeof(meaning) - 1) != NULL)
			*p++ = '\\';
		*p++ = text[i];
		/* The rest of a character of several bytes. */
		if ((text[i] & 0xc0) == 0xc0) {
			char whole[5] = { text[i] };
			size_t n = 1;

			while (n < 4 && i + 1 < len &&
			       (text[i + 1] & 0xc0) == 0x80)
				whole[n++] = text[++i];
			if (el_insertstr(l->el, whole) != 0)
				return false;
			continue;
		}
		*p = '\0';
		if (el_insertstr(l->el, piece) != 0)
			return false;
	}
	return true;
}

static unsigned
width_of_text(const char *text)
{
	unsigned col = 0;

	/* No row is as long. */
	(void)line_rows(text, strlen(text), UINT_MAX, &col);
	return col;
}

static void
list(struct line *l, const struct line_offer *o)
{
	unsigned cols = columns(), width = 0, each;
	size_t n = o->n < LISTED ? o->n : LISTED;
	char shown[SHOWN_MAX];

	for (size_t i = 0; i < n; i++) {
		unsigned w =
		    width_of_text(line_shown(shown, sizeof(shown), o->list[i]));

		if (w > width)
			width = w;
	}
	each = cols / (width + 2) > 0 ? cols / (width + 2) : 1;
	line_hide(l);
	for (size_t i = 0; i < n; i++) {
		const char *word = line_shown(shown, sizeof(shown), o->list[i]);
		bool last = i + 1 == n || (i + 1) % each == 0;

		(void)printf("%s%*s", word,
		    last ? 0 : (int)(width + 2 - width_of_text(word)), "");
		if (last)
			(void)putchar('\n');
	}
	if (n < o->n)
		(void)printf("and %zu more\n", o->n - n);
	show(l);
}

static unsigned char
complete(EditLine *el, int ch)
{
	const LineInfo *info = el_line(el);
	struct line_offer o = { 0 };
	struct line *l;
	size_t len;
	char last;

	(void)ch;
	(void)el_get(el, EL_CLIENTDATA, &l);
	l->hooks->offer(info->buffer, (size_t)(info->cursor - info->buffer), &o,
	    l->hooks->arg);
	if (o.n == 0)
		return CC_REFRESH_BEEP;
	len = common(&o);
	if (len == o.typed && o.n > 1) {
		list(l, &o);
		return CC_NORM;
	}
	if (!insert(l, o.list[0] + o.typed, len - o.typed))
		return CC_REFRESH_BEEP;
	last = len == 0 ? '\0' : o.list[0][len - 1];
	if (o.n == 1 && strchr("/=@", last) == NULL)
		(void)el_insertstr(el, " ");
	return CC_REFRESH;
}

/* ---- opening ---- */

static void
bind_keys(const struct line *l)
{
	(void)el_set(l->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	(void)el_set(l->el, EL_BIND, "^I", "rpcsh-complete", NULL);
}

/* ~/.editrc, where there is one; with vi's keys ours are gone. */
static void
take_editrc(const struct line *l)
{
	const char *keys = "";

	(void)el_source(l->el, NULL);
	if (el_get(l->el, EL_EDITOR, &keys) == 0 && strcmp(keys, "vi") == 0)
		bind_keys(l);
}

static void
set_up(struct line *l)
{
	HistEvent ev;

	(void)el_set(l->el, EL_CLIENTDATA, l);
	(void)el_set(l->el, EL_PROMPT, prompt_of);
	(void)el_set(l->el, EL_GETCFN, read_char);
	(void)el_set(l->el, EL_EDITOR, "emacs");
	(void)el_set(l->el, EL_SIGNAL, 0);
	(void)history(l->history, &ev, H_SETSIZE, REMEMBERED);
	(void)history(l->history, &ev, H_SETUNIQUE, 1);
	(void)el_set(l->el, EL_HIST, history, l->history);
	/* It keeps wide names as they are, and copies of others for ever. */
	(void)el_wset(
	    l->el, EL_ADDFN, L"rpcsh-complete", L"complete the word", complete);
	bind_keys(l);
	take_editrc(l);
}

enum rk_err
line_open(const char *prog, const struct line_hooks *hooks, struct line **out)
{
	const char *term = getenv("TERM");
	struct line *l = calloc(1, sizeof(*l));
	locale_t before;

	*out = NULL;
	if (l == NULL)
		return RK_ENOMEM;
	l->hooks = hooks;
	l->dumb = term == NULL || *term == '\0' || strcmp(term, "dumb") == 0;
	if (strcmp(nl_langinfo(CODESET), ASCII) == 0)
		l->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	/* Which keys are letters is decided here, too. */
	before = use_utf8(l);
	l->el = el_init(prog, stdin, stdout, stderr);
	l->history = history_init();
	if (l->el != NULL && l->history != NULL)
		set_up(l);
	(void)uselocale(before);
	if (l->el == NULL || l->history == NULL) {
		line_close(l);
		return RK_ENOMEM;
	}
	*out = l;
	return RK_OK;
}

void
line_close(struct line *l)
{
	if (l == NULL)
		return;
	if (l->el != NULL)
		el_end(l->el);
	if (l->history != NULL)
		history_end(l->history);
	if (l->utf8 != (locale_t)0)
		freelocale(l->utf8);
	free(l->text);
	free(l);
}
