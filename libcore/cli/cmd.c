/* main() of every program: the process made safe, words read, a verb run. */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/cmd_priv.h"
#include "cli/out.h"
#include "cli/pager.h"

#define TEXT_MAX (1U << 20) /* of help, man and completion text */

/*
 * A file opened on descriptor 0, 1 or 2 would get what is meant for the
 * terminal, so none of them stays closed.  An answer that nobody can get is an
 * error all the same: standard output cannot be written then, as if it were
 * closed still.
 */
static bool
open_standard(void)
{
	bool no_answer = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
		if (fd < 0)
			return false;
	} while (fd <= STDERR_FILENO);
	if (close(fd) != 0)
		return false;
	if (!no_answer)
		return true;
	if ((fd = open("/dev/null", O_RDONLY | O_NOCTTY)) < 0)
		return false;
	return dup2(fd, STDOUT_FILENO) == STDOUT_FILENO && close(fd) == 0;
}

/* No core file and no debugger may see keys. */
static void
hide_memory(void)
{
	struct rlimit none = { 0, 0 };

	/* Where the system refuses, nothing is lost but this. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static bool
is_set_uid(void)
{
	return getuid() != geteuid() || getgid() != getegid();
}

/* Was JSON wanted?  Asked when the words could not be understood. */
static bool
wants_json(const struct prog *p, int argc, char *const *argv)
{
	if (cmd_opt(p->opts, "json", 4) == NULL)
		return false;
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *w = argv[i];

		if (w[0] != '-')
			continue;
		w += w[1] == '-' ? 2 : 1;
		if (strcmp(w, "json") == 0 || strncmp(w, "json=", 5) == 0)
			return true;
	}
	return false;
}

static int
usage_error(const struct prog *p, const struct cmd *c, bool json,
    const struct rk_error *err)
{
	struct out o = {
		.prog = p->name, .where = p->where, .retry = p->retry
	};
	char advice[128];

	o.form = json ? OUT_JSON : OUT_TEXT;
	if (snprintf(advice, sizeof(advice), "%s%s%s -h", p->name,
	        c == NULL ? "" : " ", c == NULL ? "" : c->name) < 0)
		advice[0] = '\0';
	return out_fail(&o, err->code, err->text, advice);
}

/* The program's last words: what is still in the buffer must get out. */
static int
leave(const struct out *o, int status)
{
	enum rk_err r = out_flush(o);

	return r != RK_OK && status == 0 ? rk_err_exit(r) : status;
}

/* Programs that show long answers a page at a time say so. */
static bool
has_pager(const struct prog *p)
{
	const struct env_doc *e = p->envs;

	while (e != NULL && e->name != NULL && strcmp(e->name, "PAGER") != 0)
		e++;
	return e != NULL && e->name != NULL;
}

static int
print_text(const struct prog *p, enum rk_err r, struct buf *b)
{
	struct out o = { .prog = p->name };
	int status = 0;

	if (r != RK_OK)
		status = out_fail(&o, r, rk_err_text(r), NULL);
	else if (has_pager(p))
		pager_bytes(&o, buf_peek(b), buf_len(b));
	else
		out_bytes(&o, buf_peek(b), buf_len(b));
	buf_fini(b);
	return leave(&o, status);
}

static int
print_help(const struct prog *p, const struct cmd *c, bool all)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	return print_text(p, cmd_help(p, c, all, &b), &b);
}

static int
print_version(const struct prog *p)
{
	struct out o = { .prog = p->name };

	out_text(&o, "%s %s\n", p->name, rk_version());
	if (p->features != NULL)
		out_text(&o, "%s\n", p->features);
	return leave(&o, 0);
}

/* "help", "help VERB", "help all". */
static int
help_verb(const struct args *a)
{
	const struct prog *p = a->prog;
	const char *word = a->words[a->help_at + 1];
	struct rk_error err;
	const struct cmd *c;
	char shown[80];

	if (word == NULL)
		return print_help(p, NULL, false);
	if (strcmp(word, "all") == 0)
		return print_help(p, NULL, true);
	c = cmd_verb(p, word);
	if (c != NULL)
		return print_help(p, c, false);
	str_escape(shown, sizeof(shown), word);
	err_set(&err, RK_EINVAL, "no help for \"%s\"", shown);
	return usage_error(
	    p, NULL, args_known(a, "json") && args_given(a, "json"), &err);
}

/* The verbs that only scripts use; *status is the answer. */
static bool
hidden_verb(const struct prog *p, int argc, char **argv, int *status)
{
	const char *kind = argc > 2 ? argv[2] : "";
	struct rk_error err;
	struct buf b;
	enum rk_err r;

	buf_init(&b, TEXT_MAX);
	if (argc < 2)
		return false;
	if (strcmp(argv[1], "__man") == 0) {
		*status = print_text(p, cmd_man(p, &b), &b);
		return true;
	}
	if (strcmp(argv[1], "__complete") == 0)
		r = cmd_complete(p, kind, &b);
	else if (strcmp(argv[1], "__complete-words") == 0)
		r = cmd_words(p, argc - 2, argv + 2, &b);
	else
		return false;
	if (r != RK_EINVAL) {
		*status = print_text(p, r, &b);
		return true;
	}
	buf_fini(&b);
	err_set(&err, r, "%s: bash, zsh or fish", argv[1]);
	if (strcmp(argv[1], "__complete-words") == 0)
		err_set(&err, r, "%s: method, item, context, key or server",
		    argv[1]);
	*status = usage_error(p, NULL, false, &err);
	return true;
}

static bool
is_flag(const struct args *a, const char *name)
{
	return args_known(a, name) && args_flag(a, name);
}

static int
run(struct args *a, void *ctx)
{
	cmd_fn *fn = a->cmd != NULL ? a->cmd->run : a->prog->run;
	struct rk_error err;
	struct out o;

	out_init(&o, a);
	if (fn == NULL) {
		err_set(&err, RK_EINVAL, "no command given");
		return usage_error(a->prog, NULL, o.form == OUT_JSON, &err);
	}
	return leave(&o, fn(a, ctx));
}

int
cmd_line(const struct prog *p, int argc, char **argv, void *ctx)
{
	struct args *a = NULL;
	struct rk_error err;
	enum rk_err r = cmd_read(p, argc, argv, &a, &err);
	int status;

	if (r != RK_OK)
		status =
		    usage_error(p, a != NULL && a->cmd_named ? a->cmd : NULL,
		        wants_json(p, argc, argv), &err);
	else if (a->help_at < a->n_words)
		status = help_verb(a);
	else if (is_flag(a, "help"))
		status = print_help(p, a->cmd_named ? a->cmd : NULL, false);
	else if (is_flag(a, "version"))
		status = print_version(p);
	else
		status = run(a, ctx);
	args_free(a);
	return status;
}

const char *
cmd_sub_word(const struct prog *sub)
{
	const char *blank = strrchr(sub->name, ' ');

	return blank == NULL ? sub->name : blank + 1;
}

/* The program that the first word names, if it does. */
static const struct prog *
find_sub(const struct prog *p, const char *word)
{
	for (size_t i = 0; p->subs != NULL && p->subs[i] != NULL; i++) {
		if (strcmp(cmd_sub_word(p->subs[i]), word) == 0)
			return p->subs[i];
	}
	return NULL;
}

int
cmd_main(const struct prog *p, int argc, char **argv, void *ctx)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction usual = { .sa_handler = SIG_DFL };
	struct out o = { .prog = p->name };
	const struct prog *sub;
	int status;

	if (argc > 1 && (sub = find_sub(p, argv[1])) != NULL)
		return cmd_main(sub, argc - 1, argv + 1, ctx);
	if (!open_standard())
		return 1;
	if (is_set_uid())
		return out_fail(&o, RK_EDENIED,
		    "set-uid and set-gid use is not supported", NULL);
	hide_memory();
	/* A reader that went away is an error of write(), see out_flush(). */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL); /* so is a file's limit */
	/* Whoever started us may have had no use for the ends of others; where
	 * they are ignored nobody is told how a program ended that was asked.
	 */
	(void)sigaction(SIGCHLD, &usual, NULL);
	/* Only what a character is; numbers stay as C writes them. */
	(void)setlocale(LC_CTYPE, "");
	if (hidden_verb(p, argc, argv, &status))
		return status;
	return cmd_line(p, argc, argv, ctx);
}
