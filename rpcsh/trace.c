/* --trace and --trace-file: the headers of what came, and when it came. */
#include "trace.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/spell.h"
#include "history.h"
#include "marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (16u << 20)
#define GATHER (64u << 10) /* bytes of lines that are written at once */

struct field_of {
	const char *name;
	struct rk_str value;
};

#define TEXTS 6

static void
texts_of(const struct rk_header *h, struct field_of out[TEXTS])
{
	const struct field_of all[TEXTS] = {
		{ "method", h->to_service },
		{ "subject", h->subject },
		{ "call_id", h->call_id },
		{ "from", h->from },
		{ "to", h->to },
		{ "from_service", h->from_service },
	};

	memcpy(out, all, sizeof(all));
}

/* The value, unless its name says that it is nobody's business. */
static struct rk_str
value_of(const struct rk_arg *arg, const struct marks *m)
{
	static const char hidden[] = "***";
	char word[256];

	(void)rk_escape(word, sizeof(word) - 1, arg->key.ptr, arg->key.len);
	(void)str_copy(word + strlen(word), 2, "=");
	return history_is_secret(word) ||
	               marks_has(m, arg->key.ptr, arg->key.len)
	           ? (struct rk_str){ hidden, sizeof(hidden) - 1 }
	           : arg->value;
}

/* ---- for people ---- */

static void
text_line(const char *name, struct rk_str s)
{
	char shown[512];

	(void)spell_print(stderr, "trace  %s %s\n", name,
	    rk_escape(shown, sizeof(shown), s.ptr, s.len));
}

static void
arg_line(const struct rk_arg *arg, const struct marks *m)
{
	const struct rk_str v = value_of(arg, m);
	char key[256], value[512];

	(void)spell_print(stderr, "trace  arg %s=%s\n",
	    rk_escape(key, sizeof(key), arg->key.ptr, arg->key.len),
	    rk_escape(value, sizeof(value), v.ptr, v.len));
}

static void
show_text(const struct rk_header *h, const struct marks *m)
{
	struct field_of texts[TEXTS];
	struct rk_arg arg;
	size_t at = 0;

	(void)fprintf(stderr, "trace  type %" PRId64 "  seqno %" PRIu64 "\n",
	    h->type, h->seqno);
	texts_of(h, texts);
	for (size_t i = 0; i < TEXTS; i++) {
		if (texts[i].value.len != 0)
			text_line(texts[i].name, texts[i].value);
	}
	while (rk_args_next(&h->args, &at, &arg))
		arg_line(&arg, m);
}

/* ---- in JSON ---- */

static enum rk_err
put_member(struct buf *b, struct rk_str key, struct rk_str value, bool first)
{
	enum rk_err r;

	if ((r = buf_put_str(b, first ? "" : ",")) != RK_OK ||
	    (r = out_json_string(b, key.ptr, key.len)) != RK_OK ||
	    (r = buf_put_str(b, ":")) != RK_OK)
		return r;
	return out_json_string(b, value.ptr, value.len);
}

static enum rk_err
put_header(struct buf *b, const struct rk_header *h, const struct marks *m)
{
	struct field_of texts[TEXTS];
	struct rk_arg arg;
	size_t at = 0;
	bool first = true;
	enum rk_err r;

	r = buf_printf(b, "\"trace\":{\"type\":%" PRId64 ",\"seqno\":%" PRIu64,
	    h->type, h->seqno);
	texts_of(h, texts);
	for (size_t i = 0; r == RK_OK && i < TEXTS; i++) {
		const char *name = texts[i].name;

		r = put_member(b, (struct rk_str){ name, strlen(name) },
		    texts[i].value, false);
	}
	if (r == RK_OK)
		r = buf_put_str(b, ",\"args\":{");
	for (; r == RK_OK && rk_args_next(&h->args, &at, &arg); first = false)
		r = put_member(b, arg.key, value_of(&arg, m), first);
	return r == RK_OK ? buf_put_str(b, "}}}\n") : r;
}

static void
show_json(const struct out *o, const struct rk_header *h, const struct marks *m)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (buf_put_str(&b, "{\"schema\":1,") == RK_OK &&
	    put_header(&b, h, m) == RK_OK)
		(void)fwrite(buf_peek(&b), 1, buf_len(&b), stderr);
	else
		out_warn(o, "the header is too long to be shown");
	buf_fini(&b);
}

/* ---- a line in a file ---- */

static enum rk_err
put_text(struct buf *b, const char *name, const char *text)
{
	enum rk_err r = buf_printf(b, "\"%s\":", name);

	return r == RK_OK ? out_json_string(b, text, strlen(text)) : r;
}

static enum rk_err
put_ending(struct buf *b, const struct traced *what)
{
	char code[OUT_CODE_LEN];

	if (what->method == NULL)
		return buf_printf(b, "\"push\":true,\"got\":%zu", what->got);
	return buf_printf(b,
	    "\"sent\":%zu,\"got\":%zu,\"call_us\":%" PRIu64
	    ",\"code\":\"%s\",\"exit\":%d",
	    what->sent, what->got, what->us, out_code_name(what->code, code),
	    rk_err_exit(what->code));
}

static enum rk_err
put_record(struct buf *b, const struct traced *what, const struct marks *m)
{
	char when[32];
	enum rk_err r;

	str_time(when, (int64_t)time(NULL));
	if ((r = buf_printf(b, "{\"schema\":1,\"at\":\"%s\",", when)) !=
	        RK_OK ||
	    (r = put_text(b, "server", what->url)) != RK_OK ||
	    (r = buf_put_str(b, ",")) != RK_OK)
		return r;
	if (what->method != NULL &&
	    ((r = put_text(b, "method", what->method)) != RK_OK ||
	        (r = buf_put_str(b, ",")) != RK_OK))
		return r;
	if ((r = put_ending(b, what)) != RK_OK ||
	    (r = buf_put_str(b, what->hdr == NULL ? "}\n" : ",")) != RK_OK)
		return r;
	return what->hdr == NULL ? RK_OK : put_header(b, what->hdr, m);
}

/* A line whole, or none of it. */
static void
keep(struct trace *t, const struct traced *what, const struct marks *m)
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, TEXT_MAX);
	r = put_record(&b, what, m);
	if (r == RK_OK)
		r = buf_put(&t->lines, buf_peek(&b), buf_len(&b));
	if (r != RK_OK)
		(void)err_set(
		    &t->failed, r, "--trace-file: %s", rk_err_text(r));
	buf_fini(&b);
}

/* Whole lines in one write: those of others do not come between. */
static void
write_lines(struct trace *t)
{
	char shown[256];

	if (t->fd < 0 || buf_len(&t->lines) == 0 || t->failed.code != RK_OK)
		return;
	if (fs_write_all(t->fd, buf_peek(&t->lines), buf_len(&t->lines)) !=
	    RK_OK)
		(void)err_sys(&t->failed, RK_EIO, errno, "--trace-file %s",
		    str_escape(shown, sizeof(shown), t->path));
	buf_consume(&t->lines, buf_len(&t->lines));
}

/* ---- the file ---- */

static enum rk_err
check_file(int fd, const char *shown, struct rk_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(err, RK_EIO, errno, "--trace-file %s", shown);
	if (!S_ISREG(st.st_mode)) /* a pipe, a device */
		return RK_OK;
	if (st.st_uid != geteuid() || st.st_nlink != 1)
		return err_set(err, RK_EMODE, "--trace-file %s: %s", shown,
		    st.st_nlink != 1 ? "it is a link to another file"
		                     : "the file is somebody else's");
	if ((st.st_mode & 077) != 0)
		return err_set(err, RK_EMODE,
		    "--trace-file %s: others may read or write it (chmod 600 "
		    "it, or name a new file)",
		    shown);
	return RK_OK;
}

static enum rk_err
open_file(struct trace *t, struct rk_error *err)
{
	char shown[256];
	enum rk_err r;

	(void)str_escape(shown, sizeof(shown), t->path);
	/* It does not wait for somebody to read a pipe; writing does. */
	t->fd = open(t->path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW |
	        O_NONBLOCK,
	    0600);
	if (t->fd < 0 && errno == ELOOP)
		return err_set(err, RK_EMODE,
		    "--trace-file %s: it is a symbolic link", shown);
	if (t->fd < 0)
		return err_sys(err, errno == ENOENT ? RK_ENOENT : RK_EIO, errno,
		    "--trace-file %s", shown);
	if ((r = check_file(t->fd, shown, err)) != RK_OK)
		return r;
	(void)fcntl(t->fd, F_SETFL, O_APPEND);
	return RK_OK;
}

enum rk_err
trace_open(struct trace *t, const struct args *a, const struct out *o,
    struct rk_error *err)
{
	enum rk_err r;

	*t = (struct trace){ .out = o,
		.shows = args_flag(a, "trace"),
		.path = args_text(a, "trace-file", NULL),
		.fd = -1 };
	buf_init(&t->lines, 2 * TEXT_MAX);
	if (t->path == NULL || (r = open_file(t, err)) == RK_OK)
		return RK_OK;
	(void)trace_close(t, 0);
	return r;
}

bool
trace_wants(const struct trace *t)
{
	return t->shows || t->fd >= 0;
}

/* Read only where there is something to hide. */
static void
marks_for(const struct traced *what, struct marks *out)
{
	struct rk_arg arg;
	size_t at = 0;

	out->names[0] = '\0';
	if (what->method != NULL && what->hdr != NULL &&
	    rk_args_next(&what->hdr->args, &at, &arg))
		marks_remembered(what->url, what->method, out);
}

void
trace_add(struct trace *t, const struct traced *what)
{
	struct marks m;

	if (!trace_wants(t))
		return;
	marks_for(what, &m);
	if (t->shows && what->hdr != NULL && t->out->form == OUT_JSON)
		show_json(t->out, what->hdr, &m);
	else if (t->shows && what->hdr != NULL)
		show_text(what->hdr, &m);
	if (t->fd < 0 || t->failed.code != RK_OK)
		return;
	keep(t, what, &m);
	if (!t->many || buf_len(&t->lines) >= GATHER)
		write_lines(t);
}

const struct rk_header *
trace_header(const struct rk_reply *reply)
{
	return reply->code == RK_OK || reply->code == RK_EREMOTE ||
	               reply->code == RK_ENOMETHOD
	           ? &reply->hdr
	           : NULL;
}

int
trace_close(struct trace *t, int status)
{
	write_lines(t);
	if (t->fd >= 0)
		(void)close(t->fd); /* each line was written or was said */
	t->fd = -1;
	buf_fini(&t->lines);
	if (t->failed.code == RK_OK)
		return status;
	return status == 0 ? out_error(t->out, &t->failed, NULL) : status;
}
