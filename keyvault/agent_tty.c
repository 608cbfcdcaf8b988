/* May this key be used?  Asked on a terminal, which is never waited for. */
#include "agent_tty.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/spell.h"

#define QUESTION_LEN 1536
#define ANSWER_LEN 16
#define LOOK_MS 1000 /* whether we are in front by now */

struct agent_tty {
	struct rk_loop *loop;
	struct agent *agent;
	struct agent_term term;
	agent_tty_fn *changed;
	void *arg;
	/* of the question that is there: */
	uint32_t id; /* 0: none */
	int fd;      /* -1 */
	bool broken; /* takes or says nothing more */
	struct rk_watch *watch;
	char question[QUESTION_LEN];
	size_t len;
	size_t shown; /* of it */
	char answer[ANSWER_LEN];
	size_t answer_len;
};

enum rk_err
agent_tty_new(struct rk_loop *loop, struct agent *a,
    const struct agent_term *term, agent_tty_fn *changed, void *arg,
    struct agent_tty **out)
{
	struct agent_tty *t = calloc(1, sizeof(*t));

	if ((*out = t) == NULL)
		return RK_ENOMEM;
	t->loop = loop;
	t->agent = a;
	t->term = *term;
	t->changed = changed;
	t->arg = arg;
	t->fd = -1;
	return RK_OK;
}

/* The terminal is let go of between questions: it is not ours alone. */
static void
forget(struct agent_tty *t)
{
	if (t->watch != NULL)
		rk_watch_free(t->watch);
	if (t->fd >= 0)
		(void)close(t->fd);
	t->watch = NULL;
	t->fd = -1;
	t->id = 0;
}

static void
give_up(struct agent_tty *t)
{
	log_event(RK_LOG_WARN, "agent", "tty: cannot be asked on any more");
	t->broken = true;
	forget(t);
}

void
agent_tty_free(struct agent_tty *t)
{
	if (t == NULL)
		return;
	forget(t);
	free(t);
}

bool
agent_tty_where(const struct agent_tty *t, char out[AGENT_ASKS_MAX])
{
	int fd = t == NULL || t->broken ? -1 : agent_term_open(&t->term);

	if (fd < 0)
		return false;
	agent_term_name(fd, out, AGENT_ASKS_MAX);
	(void)close(fd);
	return true;
}

/* As much of it as it takes at once. */
static void
say(const struct agent_tty *t, const char *text)
{
	if (write(t->fd, text, strlen(text)) < 0)
		log_event(RK_LOG_DEBUG, "agent", "tty: takes no more");
}

/* ---- the answer ---- */

/* "y" or "yes"; anything else is a no. */
static bool
says_yes(char *text, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	text += strspn(text, " \t");
	return strcasecmp(text, "y") == 0 || strcasecmp(text, "yes") == 0;
}

static void
answer(struct agent_tty *t, bool yes)
{
	uint32_t id = t->id;

	say(t, yes ? "keyvault: allowed\n" : "keyvault: refused\n");
	forget(t);
	if (agent_answer(t->agent, id, yes, rk_loop_now(t->loop), 0,
	        "the terminal") != RK_OK)
		log_event(RK_LOG_DEBUG, "agent",
		    "tty: answered what was answered before");
}

static void
hear(struct agent_tty *t)
{
	size_t room = sizeof(t->answer) - 1 - t->answer_len;
	ssize_t n = read(t->fd, t->answer + t->answer_len, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		give_up(t);
		return;
	}
	t->answer_len += (size_t)n;
	if (n == 0)
		answer(t, false);
	else if (memchr(t->answer, '\n', t->answer_len) != NULL ||
	         memchr(t->answer, '\r', t->answer_len) != NULL)
		answer(t, says_yes(t->answer, t->answer_len));
	else if ((size_t)n == room)
		answer(t, false);
}

/* ---- the question ---- */

/* What was typed before all of it was there answers something else. */
static void
show_more(struct agent_tty *t)
{
	ssize_t n;

	while (t->shown < t->len) {
		n = write(t->fd, t->question + t->shown, t->len - t->shown);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			give_up(t);
			return;
		}
		t->shown += (size_t)n;
	}
	if (tcflush(t->fd, TCIFLUSH) != 0 ||
	    rk_watch_set(t->watch, RK_READ) != RK_OK)
		give_up(t);
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct agent_tty *t = arg;

	(void)w;
	(void)ready;
	/* A shell may have it back, and what is typed is for that one. */
	if (!agent_term_is_ours(fd))
		forget(t);
	else if (t->shown < t->len)
		show_more(t);
	else
		hear(t);
	t->changed(t->arg);
}

static void
word(struct agent_tty *t, const struct agent_waiting *w)
{
	char name[RECORD_NAME_MAX * 4 + 1];
	char what[AGENT_WHAT_MAX];
	char who[AGENT_WHO_MAX];
	int n;

	str_escape(name, sizeof(name), w->name);
	str_escape_again(what, sizeof(what), w->what);
	str_escape_again(who, sizeof(who), w->who);
	n = snprintf(t->question, sizeof(t->question),
	    "\nkeyvault: may the key %s be used?  (request %u, %u s)\n"
	    "  for  %s\n  by   %s\ny/N ",
	    spell_text(name, sizeof(name)), w->id,
	    (unsigned)(w->left_ms / 1000), spell_text(what, sizeof(what)),
	    spell_text(who, sizeof(who)));
	t->len =
	    n < (int)sizeof(t->question) ? (size_t)n : sizeof(t->question) - 1;
}

static bool
begin(struct agent_tty *t, const struct agent_waiting *w)
{
	if ((t->fd = agent_term_open(&t->term)) < 0)
		return false;
	word(t, w);
	t->id = w->id;
	t->shown = 0;
	t->answer_len = 0;
	if (rk_watch_new(t->loop, t->fd, RK_WRITE, on_ready, t, &t->watch) ==
	    RK_OK)
		return true;
	forget(t);
	return false;
}

/* The one of that number, or else who has waited longest. */
static bool
find(const struct agent_tty *t, uint32_t id, uint64_t now,
    struct agent_waiting *out)
{
	struct agent_waiting w;
	bool found = false;

	for (size_t i = 0; agent_waits(t->agent, i, now, &w); i++) {
		if (id != 0 ? w.id != id : found && w.left_ms >= out->left_ms)
			continue;
		*out = w;
		found = true;
	}
	return found;
}

bool
agent_tty_update(struct agent_tty *t, uint64_t now)
{
	struct agent_waiting w;

	if (t == NULL || t->broken)
		return false;
	if (t->id != 0 && !agent_term_is_ours(t->fd))
		forget(t);
	if (t->id != 0 && !find(t, t->id, now, &w)) {
		if (t->shown > 0)
			say(t, "\nkeyvault: answered elsewhere, or too late\n");
		forget(t);
	}
	if (t->id != 0)
		return true;
	return !find(t, 0, now, &w) || begin(t, &w);
}

uint64_t
agent_tty_next(const struct agent_tty *t, uint64_t now)
{
	struct agent_waiting w;
	bool waits = t != NULL && t->id == 0 && !t->broken &&
	             t->term.path[0] != '\0' && find(t, 0, now, &w);

	return waits ? now + LOOK_MS : AGENT_FOREVER;
}

void
agent_tty_again(struct agent_tty *t)
{
	if (t != NULL)
		forget(t);
}
