/* A line of the shell: the one-shot command's words, run on one connection. */
#include "shell.h"

#include "base/error.h"
#include "base/str.h"
#include "cache.h"
#include "patience.h"
#include "rpcsh.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LEARN_MS 5000

/* A line that names nothing to do: options only. */
static int
no_operand(struct args *a, void *ctx)
{
	struct out o;

	(void)ctx;
	out_init(&o, a);
	return out_fail(&o, RK_EINVAL, "no method given", ":help");
}

/* ---- options ---- */

static bool
is_option(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, "--", 2) == 0 &&
	       strncmp(word + 2, name, len) == 0 &&
	       (word[2 + len] == '=' || word[2 + len] == '\0');
}

static void
drop_option(struct shell *s, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_options; i++) {
		if (is_option(s->options[i], name))
			free(s->options[i]);
		else
			s->options[n++] = s->options[i];
	}
	s->n_options = n;
}

static enum rk_err
add_option(struct shell *s, struct buf *b)
{
	uint8_t *text;
	size_t len;
	enum rk_err r;

	if (s->n_options == SHELL_OPTIONS_MAX)
		return RK_ELIMIT;
	if ((r = buf_put(b, "", 1)) != RK_OK ||
	    (r = buf_take(b, &text, &len)) != RK_OK)
		return r;
	s->options[s->n_options++] = (char *)text;
	return RK_OK;
}

static enum rk_err
put_option(struct shell *s, const char *name, const char *value)
{
	struct buf b;
	enum rk_err r;

	drop_option(s, name);
	buf_init(&b, WORDS_TEXT_MAX);
	r = value == NULL ? buf_printf(&b, "--%s", name)
	                  : buf_printf(&b, "--%s=%s", name, value);
	if (r == RK_OK)
		r = add_option(s, &b);
	buf_fini(&b);
	return r;
}

/* Those of the command line. */
static enum rk_err
take_options(struct shell *s, const struct args *a)
{
	size_t at = 0;
	struct buf b;
	enum rk_err r;

	do {
		buf_init(&b, WORDS_TEXT_MAX);
		if ((r = args_next_word(a, &at, &b)) == RK_OK)
			r = add_option(s, &b);
		buf_fini(&b);
	} while (r == RK_OK);
	return r == RK_ENOENT ? RK_OK : r;
}

void
shell_options_drop(struct shell_options *kept)
{
	for (size_t i = 0; i < kept->n; i++)
		free(kept->list[i]);
	kept->n = 0;
}

enum rk_err
shell_options_keep(const struct shell *s, struct shell_options *kept)
{
	kept->n = 0;
	for (size_t i = 0; i < s->n_options; i++) {
		if ((kept->list[i] = strdup(s->options[i])) == NULL) {
			shell_options_drop(kept);
			return RK_ENOMEM;
		}
		kept->n++;
	}
	return RK_OK;
}

/* What is shown, and how, is one of them. */
static void
hear_options(struct shell *s)
{
	const struct words none = { 0 };
	int status = 0;
	struct args *a = shell_args(s, &none, &status);

	if (a != NULL)
		out_init(&s->o, a);
	args_free(a);
}

void
shell_options_restore(struct shell *s, struct shell_options *kept)
{
	struct shell_options now = { .n = s->n_options };

	memcpy(now.list, s->options, now.n * sizeof(now.list[0]));
	memcpy(s->options, kept->list, kept->n * sizeof(kept->list[0]));
	s->n_options = kept->n;
	kept->n = 0;
	shell_options_drop(&now);
	hear_options(s);
}

int
shell_option(struct shell *s, const char *name, const char *value, bool on)
{
	const struct words none = { 0 };
	struct shell_options before;
	struct args *a = NULL;
	enum rk_err r = RK_OK;
	int status = 0;

	if (shell_options_keep(s, &before) != RK_OK)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	if (on)
		r = put_option(s, name, value);
	else
		drop_option(s, name);
	if (r != RK_OK)
		status = out_fail(&s->o, r, rk_err_text(r), NULL);
	else
		a = shell_args(s, &none, &status);
	if (a == NULL) {
		shell_options_restore(s, &before);
		return status;
	}
	shell_options_drop(&before);
	out_init(&s->o, a);
	args_free(a);
	return 0;
}

/* ---- words ---- */

/* The program, the options, the words, and room for a few more. */
static char **
make_argv(const struct shell *s, const struct words *w, int *argc)
{
	char **argv = calloc(s->n_options + w->n + 6, sizeof(*argv));
	size_t n = 0;

	if (argv == NULL)
		return NULL;
	argv[n++] = s->by.argv[0];
	for (size_t i = 0; i < s->n_options; i++)
		argv[n++] = s->options[i];
	for (size_t i = 0; i < w->n; i++)
		argv[n++] = w->list[i];
	*argc = (int)n;
	return argv;
}

struct args *
shell_args(struct shell *s, const struct words *w, int *status)
{
	struct args *a = NULL;
	struct rk_error err;
	int argc;
	char **argv = make_argv(s, w, &argc);
	enum rk_err r = RK_ENOMEM;

	if (argv == NULL)
		(void)err_set(&err, r, "out of memory");
	else
		r = cmd_parse(&s->lines, argc, argv, &a, &err);
	free(argv);
	if (r != RK_OK)
		*status = out_error(&s->o, &err, NULL);
	return a;
}

/* Options that a call gets from the shell stand before "--", if there is one.
 */
static void
add_word(char **argv, int *argc, char *word)
{
	int at = 0;

	while (at < *argc && strcmp(argv[at], "--") != 0)
		at++;
	memmove(
	    argv + at + 1, argv + at, (size_t)(*argc - at + 1) * sizeof(*argv));
	argv[at] = word;
	++*argc;
}

void
shell_time(struct shell *s, enum shell_time how)
{
	s->time = how;
	s->by.times = how == SHELL_TIME_BRIEF;
}

/* What of the shell's own settings a line gets. */
struct sticky {
	bool is_call; /* it is remembered, and has the file of :out */
	bool time;
	bool trace;
	bool trace_file;
};

static struct sticky
sticky_of(struct shell *s, int argc, char **argv)
{
	struct sticky has = { .is_call = false };
	struct rk_error err;
	struct args *a;

	if (cmd_parse(&s->lines, argc, argv, &a, &err) != RK_OK)
		return has;
	has.is_call =
	    args_cmd(a) != NULL && strcmp(args_cmd(a)->name, "call") == 0;
	has.time = s->time == SHELL_TIME_ON && args_known(a, "time");
	/* What has no reply has no header. */
	has.trace = s->trace && args_known(a, "trace") &&
	            !(args_known(a, "one-way") && args_flag(a, "one-way"));
	has.trace_file = s->trace_file != NULL && args_known(a, "trace-file");
	args_free(a);
	return has;
}

static void
add_sticky(
    const struct sticky *has, int *argc, char **argv, char *out, char *file)
{
	static char time[] = "--time", trace[] = "--trace";

	if (has->time)
		add_word(argv, argc, time);
	if (has->trace)
		add_word(argv, argc, trace);
	if (has->trace_file)
		add_word(argv, argc, file);
	if (has->is_call && out != NULL)
		add_word(argv, argc, out);
}

static void
remember_call(struct shell *s, const struct words *w)
{
	struct buf b;
	uint8_t *text;
	size_t len;
	enum rk_err r = RK_OK;

	buf_init(&b, 2 * WORDS_TEXT_MAX);
	for (size_t i = 0; r == RK_OK && i < w->n; i++) {
		if ((r = buf_put_str(&b, i == 0 ? "" : " ")) == RK_OK)
			r = words_quote(&b, w->list[i]);
	}
	if (r == RK_OK && buf_put(&b, "", 1) == RK_OK &&
	    buf_take(&b, &text, &len) == RK_OK) {
		free(s->call);
		s->call = (char *)text;
	}
	buf_fini(&b);
}

static int
run_verb(struct shell *s, const struct words *w)
{
	char out[PATH_LEN + 8], file[PATH_LEN + 16];
	int argc, status;
	char **argv = make_argv(s, w, &argc);
	struct sticky has;

	if (argv == NULL)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	has = sticky_of(s, argc, argv);
	(void)snprintf(
	    out, sizeof(out), "--out=%s", s->out == NULL ? "" : s->out);
	(void)snprintf(file, sizeof(file), "--trace-file=%s",
	    s->trace_file == NULL ? "" : s->trace_file);
	add_sticky(&has, &argc, argv, s->out == NULL ? NULL : out, file);
	if (has.is_call) {
		remember_call(s, w);
		free(s->out);
		s->out = NULL;
	}
	status = cmd_line(&s->lines, argc, argv, &s->by);
	target_hear(s->held); /* some verbs have connections of their own */
	free(argv);
	return status;
}

static bool
is_alone(const struct words *w, const char *word)
{
	return w->n == 1 && strcmp(w->list[0], word) == 0;
}

int
shell_run(struct shell *s, const struct words *w)
{
	int status;

	if (w->n == 0)
		return 0;
	if (w->list[0][0] == ':')
		status = shell_command(s, w);
	else if (is_alone(w, "exit") || is_alone(w, "quit"))
		s->over = true, status = 0;
	else if (is_alone(w, "help"))
		status = shell_help(s);
	else
		status = run_verb(s, w);
	/* What ends a line ends the script that it is of. */
	if (s->depth == 0)
		held_forget_all();
	else
		held_forget_interrupt();
	if (out_flush(&s->o) != RK_OK && status == 0)
		status = rk_err_exit(RK_EIO);
	return status;
}

enum rk_err
shell_run_text(struct shell *s, const char *text, size_t len, int *status)
{
	struct rk_error err;
	struct words w;
	enum rk_err r = words_split(text, len, &w, &err);

	if (r == RK_EAGAIN)
		return r;
	if (r != RK_OK)
		*status = out_error(&s->o, &err, NULL);
	else
		*status = shell_run(s, &w);
	words_free(&w);
	return RK_OK;
}

/* ---- the connection ---- */

static void
on_methods(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct shell *s = arg;
	struct rk_value_doc *doc;

	(void)c;
	s->held->t.answered |=
	    reply->code == RK_OK || reply->code == RK_ENOMETHOD;
	if (reply->code != RK_OK || rk_value_decode(reply->payload.ptr,
	                                reply->payload.len, &doc) != RK_OK)
		return;
	cache_methods(s->held->t.url, rk_value_root(doc));
	rk_value_free(doc);
}

/* Ask what there is to complete, but nobody who may not know the question:
 * rpc25519 ends the connection then. */
static void
learn(struct shell *s)
{
	const struct rk_request req = { .method = "_.methods",
		.timeout = LEARN_MS };
	const struct rk_peer *p = rk_client_peer(s->held->t.client);

	if (s->line == NULL || p == NULL || p->alpn[0] == '\0')
		return;
	/* Otherwise Tab knows what it knew. */
	if (rk_client_submit(s->held->t.client, &req, on_methods, s, NULL) ==
	    RK_OK)
		patience_begin(&s->held->t);
}

int
shell_connect(struct shell *s)
{
	const struct words none = { 0 };
	struct args *a;
	int status = 0;

	if ((a = shell_args(s, &none, &status)) == NULL)
		return status;
	if (s->held->is_open && !target_is_held(s->held, a))
		held_close(s->held);
	if ((s->held->is_open || target_hold(s->held, a, &s->o, &status)) &&
	    target_connect(&s->held->t, &s->o, &status))
		learn(s);
	args_free(a);
	return status;
}

static void
go_to(struct shell *s, struct held *h)
{
	struct held *old = s->held;

	s->held = s->by.held = h;
	held_close(old);
	target_hear(h);
}

/* Another connection beside the one that is there, which goes for it. */
static int
replace(
    struct shell *s, const struct args *a, bool by_others, enum shell_stay *how)
{
	struct held *old = s->held, *h = &s->holds[old == &s->holds[0]];
	bool unbelieved;
	int status = 0;

	*h = (struct held){ .hears = old->hears,
		.no_stdin = old->no_stdin,
		.pushed = old->pushed,
		.hide = old->hide,
		.arg = old->arg };
	if (!target_hold(h, a, &s->o, &status) ||
	    !target_connect(&h->t, &s->o, &status)) {
		unbelieved = h->is_open && h->t.ended.code == RK_EUNKNOWNKEY;
		if ((unbelieved && by_others) || !shell_is_awaited(s)) {
			go_to(s, h);
			return status;
		}
		*how = unbelieved ? SHELL_STAYS_UNTRUSTED : SHELL_STAYS;
		held_close(h);
		target_hear(old);
		return status;
	}
	go_to(s, h);
	learn(s);
	return 0;
}

int
shell_change(struct shell *s, bool by_others, enum shell_stay *how)
{
	const struct words none = { 0 };
	struct args *a;
	int status = 0;

	*how = SHELL_GOES;
	if ((a = shell_args(s, &none, &status)) == NULL)
		return status;
	status = s->held->is_open && !target_is_held(s->held, a)
	             ? replace(s, a, by_others, how)
	             : shell_connect(s);
	args_free(a);
	return status;
}

bool
shell_open(struct shell *s, struct args *a, struct caller *by, int *status)
{
	struct rk_error err = { 0 };
	enum rk_err r;

	*s = (struct shell){ .lines = *args_prog(a), .by = *by };
	s->lines.run = no_operand;
	s->held = s->by.held = &s->holds[0];
	s->by.last = &s->last;
	s->held->arg = s;
	out_init(&s->o, a);
	if ((r = take_options(s, a)) != RK_OK)
		(void)err_set(&err, r, "%s", rk_err_text(r));
	/* Which context it is, is decided once: `ctx use` is for shells that
	 * begin later. */
	if (r == RK_OK && (r = settings_context(a, s->context, &err)) == RK_OK)
		r = put_option(s, "context", s->context);
	if (r == RK_OK)
		return true;
	*status = out_error(&s->o, &err, NULL);
	shell_close(s);
	return false;
}

void
shell_close(struct shell *s)
{
	held_close(s->held);
	for (size_t i = 0; i < s->n_options; i++)
		free(s->options[i]);
	s->n_options = 0;
	free(s->again);
	free(s->out);
	free(s->call);
	free(s->trace_file);
	last_free(&s->last);
}
