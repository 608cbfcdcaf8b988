/* rpcsh get: a file from a method, whole or not at all. */
#include "base/blake3.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/partial.h"
#include "dry.h"
#include "request.h"
#include "rpcsh.h"
#include "sink.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const struct opt get_opts[] = {
	{ .name = "out",
	    .kind = OPT_TEXT,
	    .meta = "FILE|-",
	    .complete = COMPLETE_FILE,
	    .about = "where to write it" },
	{ .name = "force", .about = "replace that file" },
	PROGRESS_OPT,
	REQUEST_ARG_OPT,
	TRACE_OPTS,
	DRY_WOULD_OPT,
	{ 0 },
};

#define TEMP_HEAD "."
#define TEMP_TAIL ".rpcsh-part"
#define TEMP_NAME_MAX (NAME_MAX - sizeof(TEMP_HEAD TEMP_TAIL))

struct get {
	struct transfer x;
	const char *file; /* --out */
	char shown[256];  /* the same, escaped */
	const char *base; /* its last part */
	bool to_stdout;
	int dir; /* its folder */
	struct partial in;
	struct crypt_sum sum; /* on the way to standard output, */
	struct sink sink;     /* which is this */
	uint64_t size;        /* as announced; PROGRESS_UNKNOWN */
	bool summed;          /* the server has told a checksum; */
	bool promised;        /* or is going to */
	char told[PARTIAL_SUM_LEN];
	char offset[TRANSFER_NUMBER_LEN];
	char have[PARTIAL_SUM_LEN];
	uint8_t piece[PARTIAL_PIECE];
};

/* ---- where it goes ---- */

static enum rk_err
disk_failed(struct get *g, int errnum)
{
	enum rk_err code = errnum == EEXIST  ? RK_EEXIST
	                   : errnum == EBUSY ? RK_EBUSY
	                                     : RK_EIO;

	if (errnum == EEXIST)
		return transfer_local(
		    &g->x, code, 0, "%s: exists already", g->shown);
	if (errnum == EBUSY)
		return transfer_local(&g->x, code, 0,
		    "%s: another rpcsh is writing it", g->shown);
	if (errnum == EMLINK)
		return transfer_local(&g->x, RK_EMODE, 0,
		    "%s: what is left of an earlier transfer is not ours",
		    g->shown);
	return transfer_local(&g->x, code, errnum, "%s", g->shown);
}

static enum rk_err
open_dir(struct get *g)
{
	const char *slash = strrchr(g->file, '/');
	char dir[PATH_MAX];
	struct stat st;

	g->base = slash == NULL ? g->file : slash + 1;
	if (slash == NULL)
		str_copy(dir, sizeof(dir), ".");
	else if (slash == g->file)
		str_copy(dir, sizeof(dir), "/");
	else
		(void)snprintf(
		    dir, sizeof(dir), "%.*s", (int)(slash - g->file), g->file);
	if (strlen(g->file) >= sizeof(dir) || strlen(g->base) > NAME_MAX)
		return disk_failed(g, ENAMETOOLONG);
	if (g->base[0] == '\0' || strcmp(g->base, ".") == 0 ||
	    strcmp(g->base, "..") == 0)
		return disk_failed(g, EISDIR);
	g->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->dir < 0)
		return disk_failed(g, errno);
	if (fstatat(g->dir, g->base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? RK_OK : disk_failed(g, errno);
	if (!S_ISREG(st.st_mode))
		return transfer_local(&g->x, RK_EMODE, 0,
		    "%s: not a regular file, which --out - > FILE can write",
		    g->shown);
	return args_flag(g->x.a, "force") ? RK_OK : disk_failed(g, EEXIST);
}

/* What is left of an earlier try is offered to the server. */
static enum rk_err
open_file(struct get *g)
{
	char temp[NAME_MAX + 1];
	enum rk_err r = RK_OK;
	int e;

	(void)snprintf(temp, sizeof(temp), "%s%.*s%s", TEMP_HEAD,
	    (int)TEMP_NAME_MAX, g->base, TEMP_TAIL);
	if ((e = partial_open(&g->in, g->dir, temp)) != 0)
		return disk_failed(g, e);
	progress_begin(&g->x.bar, g->x.a, &g->x.o, "checking what is there",
	    g->in.found, 0);
	while (e == 0 && r == RK_OK && g->in.at < g->in.found) {
		if ((e = partial_take(&g->in, g->piece)) == 0)
			r = transfer_goes_on(&g->x);
		progress_at(&g->x.bar, g->in.at);
	}
	progress_end(&g->x.bar);
	if (e != 0)
		return disk_failed(g, e);
	if (r != RK_OK)
		return r;
	if (g->in.at == 0)
		return RK_OK;
	(void)snprintf(g->offset, sizeof(g->offset), "%" PRIu64, g->in.at);
	partial_sum(&g->in, g->have);
	transfer_arg(&g->x, "offset", g->offset);
	transfer_arg(&g->x, "blake2b", g->have);
	return RK_OK;
}

static enum rk_err
open_target(struct get *g)
{
	enum rk_err r;

	g->file = args_text(g->x.a, "out", NULL);
	if (g->file == NULL || g->file[0] == '\0')
		return transfer_local(
		    &g->x, RK_EINVAL, 0, "--out FILE says where to write it");
	str_escape(g->shown, sizeof(g->shown), g->file);
	g->to_stdout = strcmp(g->file, "-") == 0;
	if (g->to_stdout && args_given(g->x.a, "json"))
		return transfer_local(&g->x, RK_EINVAL, 0,
		    "--json and --out - exclude each other");
	if (g->to_stdout && isatty(STDOUT_FILENO) == 1)
		return transfer_local(&g->x, RK_EINVAL, 0,
		    "--out -: standard output is a terminal");
	if (g->to_stdout) {
		(void)fflush(stdout); /* a failure is the first part's */
		sink_open(&g->sink, STDOUT_FILENO, false);
		crypt_sum_init(&g->sum);
		return RK_OK;
	}
	if ((r = open_dir(g)) != RK_OK || args_flag(g->x.a, "dry-run"))
		return r;
	return open_file(g);
}

/* ---- what comes ---- */

/* Where the first part belongs: behind what is here, or at the beginning. */
static enum rk_err
take_first(struct get *g, const struct rk_part *part)
{
	struct transfer *x = &g->x;
	uint64_t at = 0;
	int e = 0;

	x->t->answered = true;
	g->promised = transfer_number(part, "offset", &at);
	if (!transfer_number(part, "size", &g->size) &&
	    !transfer_number(part, "pathsize", &g->size))
		g->size = PROGRESS_UNKNOWN;
	if (at != 0 && (g->to_stdout || at != g->in.at || at > g->size))
		return transfer_local(x, RK_EPROTO, 0,
		    "the server goes on where nobody asked it to");
	if (at == 0 && !g->to_stdout && g->in.at > 0)
		e = partial_restart(&g->in);
	if (e != 0)
		return disk_failed(g, e);
	x->from = x->bytes = at;
	progress_begin(&x->bar, x->a, &x->o, g->to_stdout ? "-" : g->base,
	    g->size, x->from);
	return RK_OK;
}

static enum rk_err
check_part(struct get *g, const struct rk_part *part)
{
	const struct rk_args *args = &part->hdr->args;
	char text[BLAKE3_TEXT_LEN];
	struct rk_str sum;

	if (rk_args_get(args, "blake2b", &sum) && sum.len < sizeof(g->told)) {
		memcpy(g->told, sum.ptr, sum.len);
		g->told[sum.len] = '\0';
		g->summed = true;
	}
	if (!transfer_has(args, "blake3"))
		return RK_OK;
	blake3_text_of(part->payload.ptr, part->payload.len, text);
	return transfer_is(args, "blake3", text)
	           ? RK_OK
	           : transfer_local(&g->x, RK_EDAMAGED, 0,
	                 "a part's checksum is not that of what came");
}

static enum rk_err
stdout_failed(struct get *g, int errnum)
{
	if (errnum == EPIPE)
		out_die_of(SIGPIPE);
	return transfer_local(
	    &g->x, RK_EIO, errnum, "cannot write to standard output");
}

/* Who reads it may take its time. */
static enum rk_err
write_stdout(struct get *g, struct rk_bytes p)
{
	enum rk_err r = sink_put(&g->sink, p.ptr, p.len);

	while (r == RK_EAGAIN) {
		r = transfer_wait(&g->x, sink_fd(&g->sink), POLLOUT);
		if (r != RK_OK)
			return r;
		r = sink_flush(&g->sink);
	}
	if (r == RK_EIO)
		return stdout_failed(g, errno);
	if (r != RK_OK)
		return transfer_local(&g->x, r, 0, "%s", rk_err_text(r));
	crypt_sum_update(&g->sum, p.ptr, p.len);
	g->x.bytes += p.len;
	return RK_OK;
}

static enum rk_err
write_part(struct get *g, const struct rk_part *part)
{
	struct rk_bytes p = part->payload;
	size_t n;
	int e;

	if (p.len > g->size - g->x.bytes)
		return transfer_local(&g->x, RK_EDAMAGED, 0,
		    "more comes than the %" PRIu64 " bytes that were announced",
		    g->size);
	if (g->to_stdout)
		return write_stdout(g, p);
	for (; p.len > 0; p.ptr += n, p.len -= n) {
		n = p.len < PARTIAL_PIECE ? p.len : PARTIAL_PIECE;
		if ((e = partial_write(&g->in, p.ptr, n)) != 0)
			return disk_failed(g, e);
	}
	g->x.bytes = g->in.at;
	return RK_OK;
}

static enum rk_err
receive(struct get *g)
{
	struct rk_part part;
	bool began = false;
	enum rk_err r;

	while ((r = rk_stream_next(g->x.s, &part, NULL)) == RK_OK) {
		g->x.t->answered = true;
		if (!began && (r = take_first(g, &part)) != RK_OK)
			return r;
		began = true;
		if ((r = check_part(g, &part)) != RK_OK ||
		    (r = write_part(g, &part)) != RK_OK)
			return r;
		progress_at(&g->x.bar, g->x.bytes);
		if ((r = transfer_goes_on(&g->x)) != RK_OK)
			return r;
	}
	/* The answer says whether that was all. */
	return r == RK_ENOENT ? RK_OK : r;
}

/* ---- the end ---- */

static enum rk_err
check_whole(struct get *g)
{
	struct transfer *x = &g->x;
	uint8_t sum[CRYPT_SUM_LEN];

	if (g->to_stdout) {
		crypt_sum_final(&g->sum, sum);
		str_hex(x->sum, sum, sizeof(sum));
	} else {
		partial_sum(&g->in, x->sum);
	}
	if (g->promised && !g->summed)
		return transfer_local(x, RK_EPROTO, 0,
		    "the server ended the file without its checksum");
	if (g->summed && strcmp(g->told, x->sum) != 0)
		return transfer_local(
		    x, RK_EDAMAGED, 0, "the checksum is not that of what came");
	if (g->size != PROGRESS_UNKNOWN && x->bytes != g->size)
		return transfer_local(x, RK_EPROTO, 0,
		    "%" PRIu64 " bytes came, not %" PRIu64, x->bytes, g->size);
	return RK_OK;
}

static enum rk_err
store(struct get *g)
{
	mode_t mask = umask(077);
	int e;

	(void)umask(mask);
	if (g->to_stdout)
		return RK_OK;
	e = partial_finish(&g->in, g->base, args_flag(g->x.a, "force"),
	    (mode_t)(0666 & ~mask));
	return e == 0 ? RK_OK : disk_failed(g, e);
}

/* What is damaged is of no use to the next try; a full disk is not left full.
 */
static void
close_file(struct get *g, enum rk_err r)
{
	/* What was found and not taken yet is as good. */
	uint64_t kept = g->in.at > g->in.found ? g->in.at : g->in.found;

	if (g->in.fd < 0)
		return;
	if (r == RK_EDAMAGED || (g->x.local && r == RK_EIO)) {
		partial_drop(&g->in);
		return;
	}
	partial_keep(&g->in);
	if (kept > 0)
		out_note(&g->x.o,
		    "%s: %" PRIu64 " bytes are kept; the same command goes on "
		    "from there",
		    g->shown, kept);
}

static int
dry_run(const struct get *g)
{
	char method[RK_NAME_MAX + 1];

	(void)str_escape(method, sizeof(method), g->x.method);
	return dry_would(&g->x.o, "write what %s gives to %s", method,
	    g->to_stdout ? "standard output" : g->shown);
}

static int
get(struct get *g)
{
	struct transfer *x = &g->x;
	int status;
	enum rk_err r;

	if ((r = open_target(g)) != RK_OK) {
		close_file(g, RK_OK);
		return out_error(&x->o, &x->err,
		    r == RK_EINVAL   ? "rpcsh get -h"
		    : r == RK_EEXIST ? "--force takes its place"
		                     : NULL);
	}
	if (args_flag(x->a, "dry-run"))
		return dry_run(g);
	if (!transfer_open(x, RK_STREAM_DOWN, &status)) {
		close_file(g, RK_OK);
		return status;
	}
	r = transfer_finish(x, receive(g));
	if (r == RK_OK)
		r = check_whole(g);
	if (r == RK_OK)
		r = store(g);
	if (r == RK_OK && g->to_stdout)
		status = 0;
	else
		status = transfer_result(x, r, "wrote", g->file);
	close_file(g, r);
	transfer_close(x);
	return status;
}

/* ITEMs are arguments of the header; one without a sign names the file. */
static enum rk_err
take_items(struct get *g)
{
	struct transfer *x = &g->x;
	const char *const *words;
	char shown[128];
	size_t n;

	words = args_operands(x->a, &n);
	for (size_t i = 1; i < n; i++) {
		const char *eq = strchr(words[i], '=');

		if (x->n_args >= TRANSFER_ARGS)
			return err_set(&x->err, RK_EINVAL,
			    "at most %d arguments", TRANSFER_ARGS);
		if (eq == words[i])
			return err_set(&x->err, RK_EINVAL,
			    "\"%s\": neither a file's name nor K=V",
			    str_escape(shown, sizeof(shown), words[i]));
		if (eq == NULL)
			transfer_arg(x, "file", words[i]);
		else
			transfer_word(x, words[i], eq);
	}
	return RK_OK;
}

int
cmd_get(struct args *a, void *ctx)
{
	struct get *g = calloc(1, sizeof(*g));
	struct out o;
	int status;

	out_init(&o, a);
	if (g == NULL)
		return out_fail(&o, RK_ENOMEM, rk_err_text(RK_ENOMEM), NULL);
	g->dir = g->in.fd = g->sink.own = -1;
	g->size = PROGRESS_UNKNOWN;
	if (transfer_init(&g->x, a, ctx) != RK_OK || take_items(g) != RK_OK)
		status = out_error(&o, &g->x.err, "rpcsh get -h");
	else
		status = get(g);
	status = trace_close(&g->x.trace, status);
	if (g->to_stdout)
		sink_close(&g->sink);
	if (g->dir >= 0)
		(void)close(g->dir); /* nothing of it waits to be written */
	free(g);
	return status;
}
