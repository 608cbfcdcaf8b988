/* Lines typed on a terminal: the prompt, what is open, what comes meanwhile. */
#include "shell.h"

#include "advice.h"
#include "base/error.h"
#include "base/str.h"
#include "history.h"
#include "marks.h"
#include "rpcsh.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define PROMPT_LEN 160

/* ---- the prompt ---- */

static const char *
transport(const struct target *t)
{
	if (target_is_quic(t))
		return "quic";
	if (target_is_tls(t))
		return "tls";
	if (target_is_session(t))
		return "ssh";
	return target_is_tcp(t) ? "tcp" : "unix";
}

/* What is done about keys that are not known. */
static const char *
lock_state(const struct target *t)
{
	enum rk_trust_state state;

	if (!target_is_proving(t))
		return "";
	if (t->trust == NULL || target_tls_mode(t) == RK_TLS_SKIP_VERIFY)
		return " unproven";
	if (t->trusting.how == TRUST_STRICT)
		return " strict";
	state = t->trusting.path != NULL && t->trusting.path[0] != '\0'
	            ? trust_list(&t->trusting)
	            : RK_TRUST_ABSENT;
	if (state == RK_TRUST_LOCKED)
		return " locked";
	if (t->trusting.how == TRUST_ASK)
		return " ask";
	return state == RK_TRUST_ABSENT && t->trusting.how == TRUST_FILE
	           ? " any-key"
	           : " open";
}

/* The context, or the server without its scheme. */
static const char *
place(const struct shell *s)
{
	const char *server = s->held->t.settings.v[SET_SERVER].value;
	const char *sign = strstr(server, "://");

	if (s->context[0] != '\0')
		return s->context;
	return sign == NULL ? server : sign + 3;
}

static void
make_prompt(const struct shell *s, char dst[PROMPT_LEN])
{
	const struct target *t = &s->held->t;
	char name[64];

	if (s->more) {
		(void)str_copy(dst, PROMPT_LEN, "... ");
		return;
	}
	if (!s->held->is_open) {
		(void)snprintf(dst, PROMPT_LEN, "%s> ", s->lines.name);
		return;
	}
	(void)str_escape(name, sizeof(name), place(s));
	(void)snprintf(dst, PROMPT_LEN, "%s %s%s%s%s> ", name, transport(t),
	    target_has_psk(t) ? " psk" : "", lock_state(t),
	    held_is_up(s->held) ? "" : " offline");
}

/* ---- while a line is typed ---- */

static int
fd_of(void *arg)
{
	const struct shell *s = arg;

	return held_fd(s->held);
}

static int
wait_ms_of(void *arg)
{
	const struct shell *s = arg;

	return held_wait_ms(s->held);
}

static void
idle(void *arg)
{
	struct shell *s = arg;

	char prompt[PROMPT_LEN];

	held_idle(s->held);
	if (s->asks)
		return;
	make_prompt(s, prompt);
	line_prompt(s->line, prompt);
}

static void
hide(void *arg)
{
	const struct shell *s = arg;

	line_hide(s->line);
}

static void
remember(const char *line, void *arg)
{
	line_remember(arg, line);
}

/* ---- lines ---- */

/* A line that is pasted may come in pieces. */
#define AHEAD_MS 100

/* Half a line is there, too, but while the terminal gathers lines it is not
 * shown to anybody. */
static bool
is_ahead(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	struct termios usual, raw;
	bool tty = tcgetattr(STDIN_FILENO, &usual) == 0;
	int n;

	if (tty) {
		raw = usual;
		raw.c_lflag &= ~(tcflag_t)ICANON;
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tty = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	n = poll(&p, 1, AHEAD_MS);
	if (tty)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &usual);
	return n != 0; /* what cannot be told is there */
}

bool
shell_is_awaited(const struct shell *s)
{
	return s->line != NULL && s->depth == 0 && !is_ahead();
}

/* What is typed, more of it as long as something is open. */

static void
forget(struct shell *s, struct buf *y)
{
	buf_fini(y);
	buf_init(y, WORDS_TEXT_MAX);
	s->more = false;
}

static void
keep(struct shell *s, const struct buf *y)
{
	char *line = strndup((const char *)buf_peek(y), buf_len(y));

	if (line != NULL && s->history != NULL &&
	    !marks_in_line(s->held->t.url, line) &&
	    history_add(s->history, line))
		line_remember(s->line, line);
	free(line);
}

static void
take(struct shell *s, struct buf *y, const char *line)
{
	struct rk_error err;
	struct words w;
	enum rk_err r = RK_OK;

	if (s->more)
		r = buf_put_str(y, "\n");
	if (r == RK_OK)
		r = buf_put_str(y, line);
	if (r != RK_OK) {
		(void)out_fail(&s->o, r, "the line is too long", NULL);
		forget(s, y);
		return;
	}
	if (buf_len(y) == 0)
		return;
	r = words_split((const char *)buf_peek(y), buf_len(y), &w, &err);
	s->more = r == RK_EAGAIN;
	if (s->more)
		return;
	keep(s, y);
	if (r != RK_OK)
		(void)out_error(&s->o, &err, NULL);
	else
		(void)shell_run(s, &w);
	words_free(&w);
	forget(s, y);
}

static void
read_lines(struct shell *s)
{
	struct buf y;
	char prompt[PROMPT_LEN];
	const char *line;

	buf_init(&y, WORDS_TEXT_MAX);
	while (!s->over) {
		held_idle(s->held);
		make_prompt(s, prompt);
		switch (line_read(s->line, prompt, &line)) {
		case LINE_TEXT:
			take(s, &y, line);
			break;
		case LINE_CANCELED:
			held_forget_all();
			forget(s, &y);
			break;
		case LINE_OVER:
			(void)fputs("\n", stdout);
			s->over = true;
			break;
		}
	}
	buf_fini(&y);
}

static int
run(struct shell *s)
{
	const struct line_hooks hooks = { .fd = fd_of,
		.wait_ms = wait_ms_of,
		.idle = idle,
		.interrupted = held_interrupted,
		.offer = shell_offer,
		.arg = s };
	enum rk_err r = line_open(s->lines.name, &hooks, &s->line);

	if (r != RK_OK)
		return out_fail(
		    &s->o, r, "this terminal cannot be used for lines", NULL);
	if (history_open(s->context, &s->history) == RK_OK)
		history_each(s->history, remember, s->line);
	held_hear_interrupt(NULL);
	out_note(&s->o, "%s, :help lists what there is", rk_version());
	(void)shell_connect(s);
	held_forget_all();
	read_lines(s);
	history_close(s->history);
	held_close(s->held);
	line_close(s->line);
	s->line = NULL;
	return 0;
}

int
shell_main(struct args *a, struct caller *by)
{
	struct shell s;
	int status = 0;

	if (!shell_open(&s, a, by, &status))
		return status;
	s.lines.retry = s.o.retry = advice_inside;
	s.held->hears = true;
	s.held->pushed = shell_pushed;
	s.held->hide = hide;
	shell_time(&s, SHELL_TIME_BRIEF);
	status = run(&s);
	shell_close(&s);
	return status;
}
