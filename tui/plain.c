/* rpctui --plain: a line for everything that happens, and for what is asked. */
#include "line.h"
#include "plain_agent.h"
#include "plain_ctl.h"
#include "plain_say.h"
#include "tui.h"
#include "vault.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct plain {
	const struct out *out;
	struct rk_loop *loop;
	struct feed *feed;
	struct model *model;
	bool read_only;
	struct rk_watch *in;     /* what is typed; NULL: no more comes */
	bool file;               /* that is read instead, which always can be */
	struct rk_watch *reader; /* of our output, whether it is there */
	char bytes[512];         /* that were read, and taken up to here */
	size_t n_bytes, bytes_at;
	char typed[LINE_LEN];
	size_t n_typed;
	bool skips; /* a line that is too long */
	bool eof;   /* and when all is answered, it is over */
	bool over;
	bool failed; /* something that was typed */
	bool begun;  /* the first picture was shown */
	bool online;
	const struct asker *asked; /* it waits for figures; NULL: nothing */
	int64_t asked_ms;          /* since when */
	struct plain_ctl ctl;
	int status;
	int signo; /* that ends us; 0: none */
	struct plain_agent agent;
};

static void
end(struct plain *p, int status)
{
	p->status = status;
	rk_loop_stop(p->loop);
}

static void
flush(struct plain *p)
{
	enum rk_err r = out_flush(p->out);

	if (r != RK_OK)
		end(p, rk_err_exit(r));
}

/* ---- what happens ---- */

/* feed_event_fn */
static void
on_event(const struct rk_value *v, void *arg)
{
	struct plain *p = arg;

	plain_say_event(p->out, v);
	flush(p);
}

static int64_t
now_of(const struct plain *p)
{
	return (int64_t)rk_loop_now(p->loop);
}

/* The agent has something else. */
static void
on_agent(void *arg)
{
	struct plain *p = arg;
	char when[32];

	plain_agent_news(p->out, &p->agent, &p->model->agent, plain_now(when));
	flush(p);
}

/* ---- what is asked ---- */

static void
help(const struct plain *p)
{
	out_text(p->out,
	    "keys, each with Enter: s status, 1 connections, 2 keys that "
	    "wait, 3 calls, 4 keys that are used here, q quit, ? this\n"
	    "and words of rpcd ctl (help has a list); some have a key, FP is a "
	    "fingerprint or its first 8 letters:\n");
	plain_ctl_help(p->out);
}

static void
say_keys_used(const struct out *out, const struct model *m)
{
	plain_agent_say(out, m, (int64_t)mono_ms());
}

/* Keys whose answer is what is known; of some it is asked for first. */
static const struct asker {
	char key;
	bool figures;
	plain_say_fn *say;
} askers[] = {
	{ 's', true, plain_say_status },
	{ '1', true, plain_say_conns },
	{ '2', false, plain_say_waiting },
	{ '3', true, plain_say_calls },
	{ '4', false, say_keys_used },
};
#define N_ASKERS (sizeof(askers) / sizeof(askers[0]))

static bool
is_offline(const struct plain *p)
{
	return !p->model->online && p->model->trouble[0] != '\0';
}

static void
answer(struct plain *p)
{
	const struct model *m = p->model;

	if (p->asked == NULL)
		return;
	if (is_offline(p))
		out_text(
		    p->out, "the daemon does not answer: %s\n", m->trouble);
	else if (!m->online || m->status.asked_ms < p->asked_ms ||
	         m->conns_ms < p->asked_ms || m->calls_ms < p->asked_ms)
		return;
	else
		p->asked->say(p->out, m);
	p->asked = NULL;
	flush(p);
}

static void
ask(struct plain *p, const struct asker *a)
{
	if (!a->figures) {
		a->say(p->out, p->model);
		return;
	}
	p->asked = a;
	p->asked_ms = now_of(p);
	if (!is_offline(p))
		feed_ask(p->feed);
	answer(p);
}

static void
obey(struct plain *p, const char *line)
{
	const bool looks = p->read_only || p->model->read_only;

	if (line[0] == '\0')
		return;
	for (size_t i = 0; i < N_ASKERS && line[1] == '\0'; i++) {
		if (line[0] == askers[i].key) {
			ask(p, &askers[i]);
			flush(p);
			return;
		}
	}
	if (strcmp(line, "q") == 0) {
		p->over = true;
		p->failed = false; /* what failed was seen */
	} else if (strcmp(line, "?") == 0) {
		help(p);
	} else if (!plain_ctl_run(&p->ctl, line, looks)) {
		p->failed = true;
	}
	flush(p);
}

static void
take_byte(struct plain *p, char c)
{
	if (c == '\n') {
		p->typed[p->n_typed] = '\0';
		p->n_typed = 0;
		if (p->skips)
			out_text(p->out, "that line is too long\n");
		else
			obey(p, p->typed);
		p->failed = p->failed || p->skips;
		p->skips = false;
	} else if (c == '\r') {
		return;
	} else if (p->n_typed < sizeof(p->typed) - 1) {
		p->typed[p->n_typed++] = c == '\0' ? '\1' : c;
	} else {
		p->skips = true;
	}
}

/* Is there something to wait for before the next line: the first picture, an
 * answer, the end of a command? */
static bool
is_busy(const struct plain *p)
{
	return p->asked != NULL || p->ctl.pid != 0 ||
	       (!p->begun && !is_offline(p));
}

/* Has a file more of it? */
static bool
read_file(struct plain *p)
{
	ssize_t n = read(STDIN_FILENO, p->bytes, sizeof(p->bytes));

	p->bytes_at = 0;
	p->n_bytes = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return true;
	if (n < 0)
		out_text(p->out, "what is typed cannot be read\n");
	p->failed = p->failed || n < 0;
	p->file = false;
	p->eof = true;
	return false;
}

/* One line after the other, and each is answered before the end. */
static void
go_on(struct plain *p)
{
	do {
		while (!p->over && !is_busy(p) && p->bytes_at < p->n_bytes)
			take_byte(p, p->bytes[p->bytes_at++]);
	} while (p->file && !p->over && !is_busy(p) && read_file(p));
	/* The last line may have no end. */
	if (p->eof && !p->over && !is_busy(p)) {
		p->over = p->n_typed == 0;
		if (!p->over)
			take_byte(p, '\n');
		p->over = p->over || !is_busy(p);
	}
	if (p->over)
		end(p, p->failed ? 1 : 0);
	else if (p->in != NULL &&
	         rk_watch_set(p->in, is_busy(p) ? 0 : RK_READ) != RK_OK)
		end(p, 1);
}

/* Of a command that was typed. */
static void
on_ended(int status, void *arg)
{
	struct plain *p = arg;

	if (status != 0)
		out_text(p->out, "failed: status %d\n", status);
	p->failed = p->failed || status != 0;
	/* No event tells of notes. */
	p->model->keys_stale = true;
	feed_ask(p->feed);
	flush(p);
	go_on(p);
}

static void
on_typed(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct plain *p = arg;
	ssize_t n = read(fd, p->bytes, sizeof(p->bytes));

	(void)ready;
	p->bytes_at = 0;
	p->n_bytes = n > 0 ? (size_t)n : 0;
	if (n <= 0 && !(n < 0 && (errno == EINTR || errno == EAGAIN))) {
		/* The end of it, or a terminal that is another's now. */
		rk_watch_free(w);
		p->in = NULL;
		p->eof = n == 0;
	}
	go_on(p);
}

/* ---- the daemon comes and goes ---- */

static void
on_changed(void *arg)
{
	struct plain *p = arg;
	const struct model *m = p->model;
	char when[32];

	if (m->online != p->online) {
		p->online = m->online;
		if (m->online)
			out_text(p->out, "%s online\n", plain_now(when));
		else
			out_text(p->out, "%s offline: %s\n", plain_now(when),
			    m->trouble);
		p->begun = p->begun && m->online;
		flush(p);
	}
	if (!p->begun && feed_whole(p->feed)) {
		p->begun = true;
		plain_say_status(p->out, m);
		if (model_waiting(m) > 0)
			plain_say_waiting(p->out, m);
		flush(p);
	}
	answer(p);
	go_on(p);
}

/* ---- life ---- */

static void
on_signal(int signo, void *arg)
{
	struct plain *p = arg;

	p->signo = signo;
	rk_loop_stop(p->loop);
}

/* Nobody reads any more. */
static void
on_unread(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	(void)w;
	(void)fd;
	(void)ready;
	on_signal(SIGPIPE, arg);
}

static enum rk_err
set_up(struct plain *p)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct stat st;
	enum rk_err r;

	for (size_t i = 0; i < 3; i++) {
		r = rk_loop_signal(p->loop, signals[i], on_signal, p);
		if (r != RK_OK)
			return r;
	}
	/* In the background a terminal's keys are another's. */
	(void)signal(SIGTTIN, SIG_IGN);
	/* What cannot be waited for, as /dev/null, has no keys. */
	r = rk_watch_new(p->loop, STDIN_FILENO, RK_READ, on_typed, p, &p->in);
	if (r == RK_ENOMEM)
		return r;
	p->file =
	    r != RK_OK && fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	/* Nothing is read there: it is ready when its other end is gone. */
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		return rk_watch_new(
		    p->loop, STDOUT_FILENO, RK_READ, on_unread, p, &p->reader);
	return RK_OK;
}

int
tui_plain(const struct tui_live *live)
{
	struct plain p = { .out = live->out,
		.loop = live->loop,
		.feed = live->feed,
		.model = live->model,
		.read_only = live->read_only };
	enum rk_err r;

	p.ctl = (struct plain_ctl){ .out = live->out,
		.loop = live->loop,
		.path = live->path,
		.ended = on_ended,
		.arg = &p };
	r = set_up(&p);
	feed_watch(live->feed, on_changed, &p);
	feed_on_event(live->feed, on_event, &p);
	if (live->vault != NULL)
		vault_watch(live->vault, on_agent, &p);
	if (r == RK_OK)
		r = rk_loop_run(live->loop);
	feed_watch(live->feed, NULL, NULL);
	feed_on_event(live->feed, NULL, NULL);
	if (live->vault != NULL)
		vault_watch(live->vault, NULL, NULL);
	plain_ctl_fini(&p.ctl);
	rk_watch_free(p.in);
	rk_watch_free(p.reader);
	if (r != RK_OK)
		return out_fail(live->out, r, rk_err_text(r), NULL);
	return p.signo != 0 ? 128 + p.signo : p.status;
}
