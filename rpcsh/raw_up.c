/* A raw argument that is larger than a message: sent as an upload. */
#include "raw_up.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/source.h"
#include "held.h"
#include "transfer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct raw_up {
	struct transfer x;
	struct source src;
	struct rk_bytes head; /* of standard input, which was read */
	uint8_t piece[SOURCE_PIECE];
};

static bool
is_large(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size > RK_PAYLOAD_MAX;
}

/* A byte more than a message carries, or all there is. */
static enum rk_err
read_head(struct request *q, struct rk_error *err)
{
	size_t room = RK_PAYLOAD_MAX + 1;
	ssize_t n = 1;

	q->given_len = 0;
	if ((q->given = malloc(room)) == NULL)
		return err_set(err, RK_ENOMEM, "argument: out of memory");
	while (n > 0 && q->given_len < room) {
		held_wait_fd(STDIN_FILENO, NULL);
		if (held_interrupted()) {
			(void)held_canceled();
			return err_set(err, RK_ECANCELED, "canceled");
		}
		n = read(
		    STDIN_FILENO, q->given + q->given_len, room - q->given_len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			q->given_len += (size_t)n;
	}
	return n >= 0
	           ? RK_OK
	           : err_sys(err, RK_EIO, errno, "cannot read standard input");
}

enum rk_err
raw_is_upload(const struct args *a, const struct caller *by, struct request *q,
    bool *yes, struct rk_error *err)
{
	const char *raw = args_text(a, "raw", NULL);
	enum rk_err r = RK_OK;
	size_t n;

	*yes = false;
	(void)args_operands(a, &n);
	/* A dry run shows what a call would have sent. */
	if (raw == NULL || args_flag(a, "dry-run"))
		return r;
	if (!request_is_stdin(raw)) {
		*yes = raw[0] == '@' && is_large(raw + 1);
		return r;
	}
	if (caller_has_input(by) || n > 1 || args_given(a, "data"))
		return r; /* which is going to be said */
	r = read_head(q, err);
	*yes = r == RK_OK && q->given_len > RK_PAYLOAD_MAX;
	return r;
}

/* What a call can have and a stream cannot. */
static enum rk_err
check(const struct args *a, struct rk_error *err)
{
	static const char *const none[] = { "data", "subject", "one-way",
		"time", "ignore-status", "count", "interval" };
	size_t n;

	(void)args_operands(a, &n);
	if (n > 1)
		return err_set(err, RK_EINVAL,
		    "--raw is the whole argument: no items beside it");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (args_given(a, none[i]))
			return err_set(err, RK_EINVAL,
			    "--%s does not go with more than %d bytes, which "
			    "are sent as a stream",
			    none[i], RK_PAYLOAD_MAX);
	}
	return RK_OK;
}

static enum rk_err
open_source(struct raw_up *u, const char *file)
{
	struct transfer *x = &u->x;
	struct stat st;
	int fd = STDIN_FILENO, e;
	enum rk_err r = RK_OK;

	if (file != NULL)
		r = fs_open(file, FS_ANY, &fd, &st, &x->err);
	if (r == RK_OK && (e = source_init(&u->src, fd)) != 0)
		r = err_sys(&x->err, RK_EIO, e, "cannot read it");
	/* What was read of standard input already is not there any more. */
	if (r == RK_OK && file == NULL)
		u->src.before.st_mode = S_IFIFO;
	return r;
}

static enum rk_err
send_head(struct raw_up *u)
{
	struct transfer *x = &u->x;
	enum rk_err r = RK_OK;

	for (size_t at = 0, n; r == RK_OK && at < u->head.len; at += n) {
		struct rk_part part = { .last = false };

		n = u->head.len - at;
		n = n < SOURCE_PIECE ? n : SOURCE_PIECE;
		part.payload = (struct rk_bytes){ u->head.ptr + at, n };
		r = rk_stream_put(x->s, &part, NULL);
		if (r == RK_OK)
			r = transfer_goes_on(x);
	}
	return r;
}

static enum rk_err
send_all(struct raw_up *u)
{
	struct transfer *x = &u->x;
	struct rk_part part = { .payload = { u->piece, 0 } };
	enum rk_err r = send_head(u);
	int e;

	while (r == RK_OK && !part.last) {
		if (u->src.fd == STDIN_FILENO &&
		    (r = transfer_wait(x, STDIN_FILENO, POLLIN)) != RK_OK)
			return r;
		e = source_read(
		    &u->src, u->piece, UINT64_MAX, &part.payload.len);
		if (e != 0)
			return transfer_local(x, RK_EIO, e, "cannot read it");
		part.last = part.payload.len == 0;
		r = rk_stream_put(x->s, &part, NULL);
		progress_at(&x->bar, u->head.len + u->src.at);
		if (r == RK_OK)
			r = transfer_goes_on(x);
	}
	if (r == RK_OK && source_changed(&u->src))
		return transfer_local(x, RK_EDAMAGED, 0,
		    "the file has changed while it was sent");
	return r;
}

static int
failed(struct raw_up *u, enum rk_err r)
{
	struct transfer *x = &u->x;
	char text[RK_NAME_MAX * 4 + 96], name[RK_NAME_MAX * 4];

	if (r == RK_EREMOTE && strstr(x->err.text, "is no stream") != NULL) {
		(void)snprintf(text, sizeof(text),
		    "%s: it takes no streams, and a call carries at most %d "
		    "bytes",
		    str_escape(name, sizeof(name), x->method), RK_PAYLOAD_MAX);
		return out_fail(&x->o, RK_ETOOBIG, text, NULL);
	}
	if (x->local)
		return out_error(&x->o, &x->err, NULL);
	if (r == RK_ENOMETHOD)
		return target_no_method(x->t, &x->o, x->method);
	return target_failed(x->t, &x->o, &x->err, x->method);
}

static int
send_file(struct raw_up *u, const struct show *show)
{
	struct transfer *x = &u->x;
	int status = 0;
	enum rk_err r;

	if (!transfer_open(x, RK_STREAM_UP, &status))
		return status;
	progress_begin(&x->bar, x->a, &x->o, x->method,
	    source_is_file(&u->src) ? source_size(&u->src) : PROGRESS_UNKNOWN,
	    0);
	r = send_all(u);
	x->bytes = u->head.len + u->src.at;
	r = transfer_finish(x, r);
	if (r == RK_OK)
		status = show_reply(show, x->reply.payload);
	else
		status = failed(u, r);
	transfer_close(x);
	return status;
}

int
raw_upload(struct target *t, const struct args *a, const struct caller *by,
    const struct request *q, const struct show *show)
{
	const char *raw = args_text(a, "raw", "");
	struct raw_up *u = calloc(1, sizeof(*u));
	const struct out *o = show->out;
	int status;

	if (u == NULL)
		return out_fail(o, RK_ENOMEM, rk_err_text(RK_ENOMEM), NULL);
	u->src.fd = -1;
	if (request_is_stdin(raw))
		u->head = (struct rk_bytes){ q->given, q->given_len };
	if (transfer_init(&u->x, a, by) != RK_OK ||
	    check(a, &u->x.err) != RK_OK) {
		status = out_error(o, &u->x.err, "rpcsh call -h");
	} else if (open_source(u, u->head.ptr != NULL ? NULL : raw + 1) !=
	           RK_OK) {
		status = out_error(o, &u->x.err, NULL);
	} else {
		u->x.given = t;
		status = send_file(u, show);
	}
	status = trace_close(&u->x.trace, status);
	if (u->src.fd != STDIN_FILENO)
		source_close(&u->src);
	free(u);
	return status;
}
