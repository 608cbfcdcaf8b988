/* Where programs speak: answers, notes, errors, and what color they have. */
#include "cli/out.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/spell.h"

#define RED "\033[1;31m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"
#define TEXT_MAX (1U << 16) /* of one error object */
#define RETRY_LEN 2048

static int write_errno; /* of the first write to stdout that failed */

/* The stream remembers that it failed, until out_flush(), but not why. */
static void
not_written(void)
{
	if (errno == EPIPE)
		out_die_of(SIGPIPE);
	if (write_errno == 0)
		write_errno = errno;
}

static bool
env_set(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0';
}

/* CLICOLOR_FORCE and FORCE_COLOR: anything but "0". */
static bool
env_forces(const char *name)
{
	return env_set(name) && strcmp(getenv(name), "0") != 0;
}

static bool
wants_color(bool terminal, const char *when)
{
	const char *term = getenv("TERM");

	if (strcmp(when, "always") == 0)
		return true;
	if (strcmp(when, "never") == 0 || env_set("NO_COLOR"))
		return false;
	if (env_forces("CLICOLOR_FORCE") || env_forces("FORCE_COLOR"))
		return true;
	if (term == NULL || *term == '\0' || strcmp(term, "dumb") == 0)
		return false;
	return terminal;
}

static bool
flag(const struct args *a, const char *name)
{
	return args_known(a, name) && args_flag(a, name);
}

void
out_init(struct out *o, const struct args *a)
{
	const char *when = "auto";

	*o = (struct out){ .prog = args_prog(a)->name,
		.where = args_prog(a)->where,
		.retry = args_prog(a)->retry };
	o->quiet = flag(a, "quiet");
	o->verbose = flag(a, "verbose");
	if (flag(a, "plain"))
		o->form = OUT_PLAIN;
	if (args_known(a, "json") && args_given(a, "json"))
		o->form = OUT_JSON;
	if (args_known(a, "color"))
		when = args_text(a, "color", when);
	o->color_out = o->form == OUT_TEXT && wants_color(isatty(1) == 1, when);
	o->color_err = o->form != OUT_JSON && wants_color(isatty(2) == 1, when);
	o->color_tty = wants_color(true, when);
}

const char *
out_code_name(enum rk_err code, char dst[OUT_CODE_LEN])
{
	const char *name = rk_err_name(code);
	size_t i;

	if (strncmp(name, "RK_E", 4) == 0)
		name += 4;
	else if (strncmp(name, "RK_", 3) == 0)
		name += 3;
	for (i = 0; name[i] != '\0' && i + 1 < OUT_CODE_LEN; i++) {
		dst[i] = name[i];
		if (dst[i] >= 'A' && dst[i] <= 'Z')
			dst[i] = (char)(dst[i] - 'A' + 'a');
	}
	dst[i] = '\0';
	return dst;
}

static enum rk_err
put_error(struct buf *b, const struct out *o, enum rk_err code,
    const char *text, const char *retry)
{
	char name[OUT_CODE_LEN];
	enum rk_err r;

	r = buf_printf(b,
	    "{\"schema\":1,\"ok\":false,\"error\":{\"code\":\"%s\","
	    "\"exit\":%d,\"text\":",
	    out_code_name(code, name), rk_err_exit(code));
	if (r != RK_OK)
		return r;
	if ((r = out_json_string(b, text, strlen(text))) != RK_OK)
		return r;
	if (o->where != NULL) {
		if ((r = buf_put_str(b, ",\"at\":")) != RK_OK)
			return r;
		r = out_json_string(b, o->where, strlen(o->where));
		if (r != RK_OK)
			return r;
	}
	if (retry != NULL) {
		if ((r = buf_put_str(b, ",\"try\":")) != RK_OK)
			return r;
		if ((r = out_json_string(b, retry, strlen(retry))) != RK_OK)
			return r;
	}
	return buf_put_str(b, "}}\n");
}

static void
fail_json(
    const struct out *o, enum rk_err code, const char *text, const char *retry)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (put_error(&b, o, code, text, retry) == RK_OK)
		(void)fwrite(buf_peek(&b), 1, buf_len(&b), stderr);
	else
		(void)fprintf(stderr,
		    "{\"schema\":1,\"ok\":false,\"error\":{\"exit\":%d}}\n",
		    rk_err_exit(code));
	buf_fini(&b);
}

static const char *
at(const struct out *o)
{
	return o->where == NULL ? "" : o->where;
}

int
out_fail(
    const struct out *o, enum rk_err code, const char *text, const char *retry)
{
	const char *on = o->color_err ? RED : "";
	const char *off = o->color_err ? PLAIN : "";
	char typed[RETRY_LEN];

	if (retry != NULL && o->retry != NULL)
		retry = o->retry(retry, typed, sizeof(typed));
	/* What stderr cannot take is lost: there is no other place to say it,
	 * and out_flush() tells about stdout. */
	(void)fflush(stdout);
	if (o->form == OUT_JSON) {
		fail_json(o, code, text, retry);
		return rk_err_exit(code);
	}
	(void)spell_print(stderr, "%s%s:%s %s%s%s\n", on, o->prog, off, at(o),
	    o->where == NULL ? "" : ": ", text);
	if (retry != NULL) {
		on = o->color_err ? CYAN : "";
		(void)spell_print(stderr, "%stry:%s %s\n", on, off, retry);
	}
	return rk_err_exit(code);
}

int
out_error(const struct out *o, const struct rk_error *err, const char *retry)
{
	const char *text = err->text;

	if (*text == '\0')
		text = rk_err_text(err->code);
	return out_fail(o, err->code, text, retry);
}

RK_PRINTF(3, 0)
static void
say(const struct out *o, const char *on, const char *fmt, va_list ap)
{
	/* As in out_fail(). */
	(void)fflush(stdout);
	(void)spell_print(stderr, "%s%s:%s %s%s", o->color_err ? on : "",
	    o->prog, o->color_err ? PLAIN : "", at(o),
	    o->where == NULL ? "" : ": ");
	(void)spell_vprint(stderr, fmt, ap);
	(void)fputc('\n', stderr);
}

void
out_note(const struct out *o, const char *fmt, ...)
{
	va_list ap;

	if (o->quiet)
		return;
	va_start(ap, fmt);
	say(o, PLAIN, fmt, ap);
	va_end(ap);
}

void
out_warn(const struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(o, YELLOW, fmt, ap);
	va_end(ap);
}

void
out_die_of(int signo)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t set;

	(void)sigaction(signo, &plain, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(signo);
	_exit(128 + signo);
}

bool
out_spells(const struct out *o)
{
	return o->form == OUT_TEXT && spell_needed() &&
	       isatty(STDOUT_FILENO) == 1;
}

/* What cannot be kept is written at once. */
RK_PRINTF(2, 0)
static int
keep_text(const struct out *o, const char *fmt, va_list ap)
{
	struct buf *b = o->into;
	size_t from = buf_len(b);
	char *text;
	int n = vasprintf(&text, fmt, ap);

	if (n < 0) {
		errno = ENOMEM;
		return n;
	}
	if (buf_put(b, text, (size_t)n) != RK_OK ||
	    (out_spells(o) && spell_out(b, from) != RK_OK)) {
		buf_uncommit(b, buf_len(b) - from);
		n = spell_print(stdout, "%s", text);
	}
	free(text);
	return n;
}

void
out_text(const struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	if (o->into != NULL)
		n = keep_text(o, fmt, ap);
	else if (out_spells(o))
		n = spell_vprint(stdout, fmt, ap);
	else
		n = vprintf(fmt, ap);
	va_end(ap);
	if (n < 0)
		not_written();
}

void
out_bytes(const struct out *o, const void *data, size_t len)
{
	if (o->into != NULL && buf_put(o->into, data, len) == RK_OK)
		return;
	if (len > 0 && fwrite(data, 1, len, stdout) != len)
		not_written();
}

enum rk_err
out_direct(
    const struct out *o, const void *data, size_t len, struct rk_error *err)
{
	if (o->into != NULL)
		return buf_put(o->into, data, len);
	if (fflush(stdout) == 0 && ferror(stdout) == 0 &&
	    fs_write_all(STDOUT_FILENO, data, len) == RK_OK)
		return RK_OK;
	if (errno == EPIPE)
		out_die_of(SIGPIPE);
	clearerr(stdout);
	return err_sys(err, RK_EIO, errno, "cannot write the answer");
}

enum rk_err
out_flush(const struct out *o)
{
	struct rk_error err;
	bool failed = ferror(stdout) != 0;
	int errnum = write_errno;

	write_errno = 0;
	if (fflush(stdout) != 0) {
		failed = true;
		errnum = errno;
	}
	if (!failed)
		return RK_OK;
	if (errnum == EPIPE)
		out_die_of(SIGPIPE);
	clearerr(stdout);
	err_sys(&err, RK_EIO, errnum, "cannot write the answer");
	(void)out_error(o, &err, NULL);
	return RK_EIO;
}
