/* rpcsh put: a file to a method, part by part. */
#include "base/blake3.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/source.h"
#include "dry.h"
#include "request.h"
#include "rpcsh.h"
#include "show.h"
#include "transfer.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct opt put_opts[] = {
	{ .name = "as",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .about = "the file's name there (that of FILE)" },
	{ .name = "force", .about = "replace a file of that name" },
	PROGRESS_OPT,
	REQUEST_ARG_OPT,
	TRACE_OPTS,
	DRY_WOULD_OPT,
	{ 0 },
};

struct put {
	struct transfer x;
	struct source src;
	const char *name;  /* there */
	bool service;      /* METHOD is NAME.put; else any upload */
	struct blake3 all; /* of other uploads */
	char size[TRANSFER_NUMBER_LEN];
	char offset[TRANSFER_NUMBER_LEN];
	char first[BLAKE3_TEXT_LEN];
	uint8_t piece[SOURCE_PIECE];
};

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* ---- what is sent ---- */

static enum rk_err
open_source(struct put *p, const char *file)
{
	struct transfer *x = &p->x;
	int fd = STDIN_FILENO, e;
	struct stat st;
	enum rk_err r;

	x->local = true;
	p->name = args_text(x->a, "as", NULL);
	if (strcmp(file, "-") == 0 && p->name == NULL)
		return err_set(&x->err, RK_EINVAL,
		    "-: standard input has no name: --as NAME gives one");
	if (strcmp(file, "-") == 0 && caller_has_input(x->by))
		return err_set(&x->err, RK_EINVAL,
		    "-: standard input has the script's lines");
	if (strcmp(file, "-") != 0 &&
	    (r = fs_open(file, FS_ANY, &fd, &st, &x->err)) != RK_OK)
		return r;
	if (p->name == NULL)
		p->name = base_of(file);
	if ((e = source_init(&p->src, fd)) != 0)
		return err_sys(&x->err, RK_EIO, e, "cannot read it");
	/* What was read of standard input already is not meant. */
	if (fd == STDIN_FILENO && source_is_file(&p->src) &&
	    lseek(fd, 0, SEEK_CUR) != 0)
		p->src.before.st_mode = S_IFIFO;
	x->local = false;
	return RK_OK;
}

static void
describe(struct put *p)
{
	struct transfer *x = &p->x;

	if (!p->service) {
		blake3_init(&p->all);
		blake3_text(&p->all, p->first);
		transfer_arg(x, "readFile", p->name);
		transfer_arg(x, "blake3", p->first);
		return;
	}
	transfer_arg(x, "file", p->name);
	if (source_is_file(&p->src)) {
		(void)snprintf(
		    p->size, sizeof(p->size), "%" PRIu64, source_size(&p->src));
		transfer_arg(x, "size", p->size);
	} else {
		transfer_arg(x, "resume", "no");
	}
	if (args_flag(x->a, "force"))
		transfer_arg(x, "replace", "yes");
}

/* ---- where to go on ---- */

/* Read up to what the server has, and compare; from the start if it differs. */
static enum rk_err
compare(struct put *p, const struct rk_part *offer, uint64_t at)
{
	struct source *src = &p->src;
	char sum[SOURCE_SUM_LEN];
	size_t n = 1;
	enum rk_err r;
	int e = 0;

	/* A stream that cannot be read twice goes nowhere but on. */
	if (!source_is_file(src))
		return RK_OK;
	progress_begin(&p->x.bar, p->x.a, &p->x.o, "checking what is there",
	    source_size(src) < at ? source_size(src) : at, 0);
	while (e == 0 && n > 0 && src->at < at) {
		e = source_read(src, p->piece, at, &n);
		if ((r = transfer_breathe(&p->x)) != RK_OK)
			return r;
		progress_at(&p->x.bar, src->at);
	}
	progress_end(&p->x.bar);
	source_sum(src, sum);
	if (e == 0 && src->at == at &&
	    transfer_is(&offer->hdr->args, "blake2b", sum)) {
		p->x.from = at;
		return RK_OK;
	}
	if (e == 0)
		e = source_rewind(src);
	if (e != 0)
		return transfer_local(&p->x, RK_EIO, e, "cannot read it");
	return RK_OK;
}

static enum rk_err
take_offer(struct put *p)
{
	struct transfer *x = &p->x;
	struct rk_part offer;
	uint64_t at;
	enum rk_err r;

	if ((r = rk_stream_next(x->s, &offer, NULL)) != RK_OK)
		return r;
	x->t->answered = true;
	if (!transfer_number(&offer, "offset", &at) ||
	    !transfer_has(&offer.hdr->args, "blake2b"))
		return transfer_local(x, RK_EPROTO, 0,
		    "the server does not offer where to go on");
	return compare(p, &offer, at);
}

/* ---- sending ---- */

static struct rk_str
str_of(const char *text)
{
	return (struct rk_str){ text, strlen(text) };
}

static enum rk_err
send_piece(struct put *p, size_t n, bool last)
{
	struct rk_arg args[2];
	struct rk_part part = {
		.payload = { p->piece, n }, .args = args, .last = last
	};
	char text[BLAKE3_TEXT_LEN];

	if (!p->service) {
		blake3_text_of(p->piece, n, text);
		blake3_update(&p->all, p->piece, n);
		args[part.n_args++] =
		    (struct rk_arg){ str_of("blake3"), str_of(text) };
		return rk_stream_put(p->x.s, &part, NULL);
	}
	if (p->src.at == p->x.from + n) {
		(void)snprintf(
		    p->offset, sizeof(p->offset), "%" PRIu64, p->x.from);
		args[part.n_args++] =
		    (struct rk_arg){ str_of("offset"), str_of(p->offset) };
	}
	if (last)
		args[part.n_args++] =
		    (struct rk_arg){ str_of("blake2b"), str_of(p->x.sum) };
	return rk_stream_put(p->x.s, &part, NULL);
}

static enum rk_err
send_all(struct put *p)
{
	struct transfer *x = &p->x;
	enum rk_err r;
	size_t n;
	int e;

	do {
		if (!source_is_file(&p->src) &&
		    (r = transfer_wait(x, p->src.fd, POLLIN)) != RK_OK)
			return r;
		if ((e = source_read(&p->src, p->piece, UINT64_MAX, &n)) != 0)
			return transfer_local(x, RK_EIO, e, "cannot read it");
		if (n > 0 && (r = send_piece(p, n, false)) != RK_OK)
			return r;
		x->bytes = p->src.at;
		progress_at(&x->bar, x->bytes);
		if ((r = transfer_goes_on(x)) != RK_OK)
			return r;
	} while (n > 0);
	if (source_changed(&p->src))
		return transfer_local(x, RK_EDAMAGED, 0,
		    "the file has changed while it was sent");
	source_sum(&p->src, x->sum);
	return send_piece(p, 0, true);
}

static enum rk_err
send_file(struct put *p)
{
	struct transfer *x = &p->x;
	enum rk_err r = RK_OK;

	if (p->service)
		r = take_offer(p);
	if (r != RK_OK)
		return r;
	progress_begin(&x->bar, x->a, &x->o, p->name,
	    source_is_file(&p->src) ? source_size(&p->src) : PROGRESS_UNKNOWN,
	    x->from);
	return send_all(p);
}

/* ---- the answer ---- */

/* What rpc25519's demo server says of what it has got. */
static enum rk_err
check_answer(struct put *p)
{
	const struct rk_args *args = &p->x.reply.hdr.args;
	char text[BLAKE3_TEXT_LEN];

	if (p->service || !transfer_has(args, "serverTotalBlake3sum"))
		return RK_OK;
	blake3_text(&p->all, text);
	if (transfer_is(args, "serverTotalBlake3sum", text))
		return RK_OK;
	return transfer_local(&p->x, RK_EDAMAGED, 0,
	    "the server's checksum is not that of what was sent");
}

static int
tell(struct put *p, enum rk_err r)
{
	struct transfer *x = &p->x;
	struct show show = { .out = &x->o, .raw = true };
	int status = transfer_result(x, r, "sent", p->name);

	/* Other methods may have something to say. */
	if (r == RK_OK && x->reply.payload.len > 0 && x->o.form != OUT_JSON)
		status = show_reply(&show, x->reply.payload);
	return status;
}

static int
dry_run(const struct put *p)
{
	char name[512], method[RK_NAME_MAX + 1];

	(void)str_escape(name, sizeof(name), p->name);
	(void)str_escape(method, sizeof(method), p->x.method);
	if (!source_is_file(&p->src))
		return dry_would(
		    &p->x.o, "send what comes as %s to %s", name, method);
	return dry_would(&p->x.o, "send %s (%" PRIu64 " bytes) to %s", name,
	    source_size(&p->src), method);
}

static int
put(struct put *p, const char *file)
{
	struct transfer *x = &p->x;
	int status;
	enum rk_err r;

	if (open_source(p, file) != RK_OK)
		return out_error(&x->o, &x->err,
		    x->err.code == RK_EINVAL ? "rpcsh put -h" : NULL);
	if (args_flag(x->a, "dry-run"))
		return dry_run(p);
	describe(p);
	if (!transfer_open(
	        x, p->service ? RK_STREAM_BOTH : RK_STREAM_UP, &status))
		return status;
	r = transfer_finish(x, send_file(p));
	if (r == RK_OK)
		r = check_answer(p);
	status = tell(p, r);
	transfer_close(x);
	return status;
}

int
cmd_put(struct args *a, void *ctx)
{
	struct put *p = calloc(1, sizeof(*p));
	const char *const *words;
	struct out o;
	size_t n;
	int status;

	out_init(&o, a);
	if (p == NULL)
		return out_fail(&o, RK_ENOMEM, rk_err_text(RK_ENOMEM), NULL);
	p->src.fd = -1;
	words = args_operands(a, &n);
	if (transfer_init(&p->x, a, ctx) != RK_OK) {
		status = out_error(&o, &p->x.err, "rpcsh put -h");
	} else {
		p->service = str_ends(p->x.method, ".put");
		status = put(p, words[1]);
	}
	status = trace_close(&p->x.trace, status);
	if (p->src.fd != STDIN_FILENO)
		source_close(&p->src);
	free(p);
	return status;
}
