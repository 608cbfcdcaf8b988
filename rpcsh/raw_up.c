/* A raw argument that is larger than a message: sent as an upload. */
#include "raw_up.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/source.h"
#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>

struct raw_up {
	struct transfer x;
	struct source src;
	uint8_t piece[SOURCE_PIECE];
};

/* The file's name; NULL: it is none. */
static const char *
file_of(const struct args *a)
{
	const char *raw = args_text(a, "raw", "");

	return raw[0] == '@' && strcmp(raw, "@-") != 0 ? raw + 1 : NULL;
}

bool
raw_is_upload(const struct args *a)
{
	const char *file = file_of(a);
	struct stat st;

	/* A dry run shows what a call would have sent. */
	return file != NULL && !args_flag(a, "dry-run") &&
	       !args_given(a, "stream") &&
	       stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size > RK_PAYLOAD_MAX;
}

/* What a call can have and a stream cannot. */
static enum rk_err
check(const struct args *a, struct rk_error *err)
{
	static const char *const none[] = { "data", "subject", "one-way",
		"time", "trace", "trace-file", "ignore-status", "count",
		"interval" };
	size_t n;

	(void)args_operands(a, &n);
	if (n > 1)
		return err_set(err, RK_EINVAL,
		    "--raw is the whole argument: no items beside it");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (args_given(a, none[i]))
			return err_set(err, RK_EINVAL,
			    "--%s does not go with a file of more than %d "
			    "bytes, which is sent as a stream",
			    none[i], RK_PAYLOAD_MAX);
	}
	return RK_OK;
}

static enum rk_err
open_source(struct raw_up *u, const char *file)
{
	struct transfer *x = &u->x;
	struct stat st;
	int fd, e;
	enum rk_err r = fs_open(file, FS_ANY, &fd, &st, &x->err);

	if (r == RK_OK && (e = source_init(&u->src, fd)) != 0)
		r = err_sys(&x->err, RK_EIO, e, "cannot read it");
	return r;
}

static enum rk_err
send_all(struct raw_up *u)
{
	struct transfer *x = &u->x;
	struct rk_part part = { .payload = { u->piece, 0 } };
	enum rk_err r = RK_OK;
	int e;

	while (r == RK_OK && !part.last) {
		e = source_read(
		    &u->src, u->piece, UINT64_MAX, &part.payload.len);
		if (e != 0)
			return transfer_local(x, RK_EIO, e, "cannot read it");
		part.last = part.payload.len == 0;
		r = rk_stream_put(x->s, &part, NULL);
		progress_at(&x->bar, u->src.at);
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
	progress_begin(&x->bar, &x->o, x->method, source_size(&u->src), 0);
	r = transfer_finish(x, send_all(u));
	if (r == RK_OK)
		status = show_reply(show, x->reply.payload);
	else
		status = failed(u, r);
	transfer_close(x);
	return status;
}

int
raw_upload(
    const struct args *a, const struct caller *by, const struct show *show)
{
	struct raw_up *u = calloc(1, sizeof(*u));
	const struct out *o = show->out;
	int status;

	if (u == NULL)
		return out_fail(o, RK_ENOMEM, rk_err_text(RK_ENOMEM), NULL);
	u->src.fd = -1;
	if (transfer_init(&u->x, a, by) != RK_OK ||
	    check(a, &u->x.err) != RK_OK)
		status = out_error(o, &u->x.err, "rpcsh call -h");
	else if (open_source(u, file_of(a)) != RK_OK)
		status = out_error(o, &u->x.err, NULL);
	else
		status = send_file(u, show);
	source_close(&u->src);
	free(u);
	return status;
}
