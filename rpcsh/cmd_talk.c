/* rpcsh call of a method that streams: what its words ask for. */
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "dry.h"
#include "figures.h"
#include "held.h"
#include "talk.h"
#include "typed.h"

#include <rpckit/value.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum rk_stream_kind kind;
} kinds[] = {
	{ "up", RK_STREAM_UP },
	{ "down", RK_STREAM_DOWN },
	{ "both", RK_STREAM_BOTH },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool
talk_is_wanted(const struct args *a)
{
	return args_given(a, "stream") ||
	       show_form_of(args_text(a, "output", NULL)) == SHOW_NDJSON;
}

/* ---- which stream it is ---- */

/* Kinds that are named in a text such as "up both". */
static unsigned
kinds_in(const struct rk_value *v)
{
	unsigned all = 0;
	char text[32] = "";

	if (v == NULL || v->kind != RK_STR || v->u.bytes.len >= sizeof(text))
		return 0;
	if (v->u.bytes.len > 0)
		memcpy(text, v->u.bytes.ptr, v->u.bytes.len);
	for (size_t i = 0; i < N_KINDS; i++)
		all |= strstr(text, kinds[i].name) == NULL ? 0 : kinds[i].kind;
	return all;
}

static enum rk_stream_kind
choose(unsigned all, bool input)
{
	static const enum rk_stream_kind with[] = { RK_STREAM_BOTH,
		RK_STREAM_UP, RK_STREAM_DOWN };
	static const enum rk_stream_kind without[] = { RK_STREAM_DOWN,
		RK_STREAM_BOTH, RK_STREAM_UP };
	size_t i = 0;

	while (((input ? with[i] : without[i]) & all) == 0)
		i++;
	return input ? with[i] : without[i];
}

/* Ask the server; false: no answer came, and *err says why.  *all is 0 for a
 * method that does not stream, or when the server does not say. */
static bool
ask(struct target *t, const char *method, unsigned *all, bool *raw,
    struct rk_error *err)
{
	struct rk_value_doc *doc = NULL;
	const struct rk_value *args;
	bool ok = typed_describe(t, method, &doc, err) == RK_OK;

	*all = 0;
	*raw = false;
	if (ok && doc != NULL) {
		*all = kinds_in(rk_value_get(rk_value_root(doc), "streams"));
		args = rk_value_get(rk_value_root(doc), "args");
		*raw = args != NULL && args->kind == RK_STR &&
		       args->u.bytes.len == 3 &&
		       memcmp(args->u.bytes.ptr, "raw", 3) == 0;
	}
	rk_value_free(doc);
	return ok;
}

/* ---- what it is made of ---- */

bool
talk_has_input(const struct args *a)
{
	const char *raw = args_text(a, "raw", NULL);

	return request_is_stdin(args_text(a, "data", NULL)) ||
	       request_is_stdin(raw) || (raw != NULL && raw[0] == '@');
}

static enum rk_err
check(const struct args *a, const struct caller *by, enum rk_stream_kind kind,
    struct rk_error *err)
{
	static const char *const none[] = { "one-way", "ignore-status",
		"interval", "out", "sendfile" };
	enum show_form form = show_form_of(args_text(a, "output", NULL));

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (args_given(a, none[i]))
			return err_set(err, RK_EINVAL,
			    "--%s does not go with a stream", none[i]);
	}
	if (kind != RK_STREAM_UP &&
	    (form == SHOW_PRETTY || form == SHOW_TABLE || form == SHOW_MSGPACK))
		return err_set(err, RK_EINVAL,
		    "what streams is shown as -o ndjson, hex or raw");
	if (kind == RK_STREAM_DOWN && talk_has_input(a))
		return err_set(err, RK_EINVAL,
		    "the method takes no parts: no -d - and no --raw beside "
		    "it");
	if (args_given(a, "raw") && args_given(a, "data"))
		return err_set(
		    err, RK_EINVAL, "--raw and -d exclude each other");
	if ((request_is_stdin(args_text(a, "data", NULL)) ||
	        request_is_stdin(args_text(a, "raw", NULL))) &&
	    caller_has_input(by))
		return err_set(
		    err, RK_EINVAL, "standard input can be read once only");
	return RK_OK;
}

/* With input the first message has the items alone. */
static enum rk_err
first(const struct args *a, struct request *q, struct rk_error *err)
{
	struct items in;
	enum rk_err r;
	size_t n;

	(void)args_operands(a, &n);
	if ((r = request_head(a, q, err)) != RK_OK || n < 2)
		return r;
	if (args_given(a, "raw"))
		return err_set(err, RK_EINVAL, "--raw: no items beside it");
	if ((r = items_init(&in, err)) != RK_OK)
		return r;
	in.no_input = args_flag(a, "no-input");
	in.stdin_used = true;
	r = request_items(a, &in, q, err);
	items_fini(&in);
	q->req.payload = q->payload;
	return r == RK_OK ? request_fits(q, err) : r;
}

/* The descriptor that is read; -1: none.  *own: it is to be closed. */
static enum rk_err
open_input(const struct args *a, int *fd, bool *own, struct rk_error *err)
{
	const char *raw = args_text(a, "raw", NULL);
	struct stat st;

	*own = false;
	*fd = talk_has_input(a) ? STDIN_FILENO : -1;
	if (*fd < 0 || raw == NULL || request_is_stdin(raw))
		return RK_OK;
	*own = true;
	return fs_open(raw + 1, FS_ANY, fd, &st, err);
}

static int
show_time(const struct talk *k, int status)
{
	struct figures f = { .client = k->t->client,
		.sent = k->sent,
		.got = k->got,
		.call_us = k->took_us };
	const struct rk_peer *peer = rk_client_peer(k->t->client);

	if (peer != NULL)
		f.peer = *peer;
	/* What came stands before its figures. */
	if (out_flush(k->out) != RK_OK && status == 0)
		status = rk_err_exit(RK_EIO);
	figures_time(k->out, &f);
	return status;
}

static int
run(struct talk *k, const struct args *a, const struct caller *by, bool lines,
    struct request *q)
{
	struct rk_error err = { 0 };
	int fd = -1, status;
	bool own = false;

	if (check(a, by, k->kind, &err) != RK_OK ||
	    (talk_has_input(a) && first(a, q, &err) != RK_OK) ||
	    open_input(a, &fd, &own, &err) != RK_OK) {
		status = request_failed(k->out, &err, "rpcsh call -h");
	} else {
		/* It takes its time, unless somebody has said how much. */
		if (k->t->timeout_given && k->t->timeout != RK_NEVER)
			q->req.timeout = k->t->timeout;
		talk_in_init(&k->in, fd,
		    args_given(a, "raw") ? TALK_BYTES
		    : lines              ? TALK_LINES
		                         : TALK_VALUES);
		status = talk_run(k, &q->req);
		talk_in_fini(&k->in);
		if (args_flag(a, "time"))
			status = show_time(k, status);
	}
	if (own && fd >= 0)
		(void)close(fd); /* it was read only */
	return status;
}

/* ---- shown instead ---- */

bool
talk_is_dry(const struct args *a)
{
	return args_flag(a, "dry-run") && args_given(a, "stream") &&
	       talk_has_input(a);
}

/* RK_ENOENT: that was the last. */
static enum rk_err
wait_part(struct talk_in *in, struct rk_bytes *part, struct rk_error *err)
{
	enum rk_err r;

	while ((r = talk_in_next(in, part, err)) == RK_EAGAIN) {
		held_wait_fd(in->fd, NULL);
		if (held_interrupted()) {
			(void)held_canceled();
			return err_set(err, RK_ECANCELED, "canceled");
		}
		if ((r = talk_in_read(in, err)) != RK_OK)
			return r;
	}
	return r;
}

static int
show_parts(struct talk_in *in, const struct out *o, const struct show *show,
    const struct request *q)
{
	struct rk_bytes part = { q->payload, q->req.payload_len };
	struct rk_error err = { 0 };
	enum rk_err r = RK_OK;
	int status = 0;

	if (part.len > 0)
		status = dry_show(show, q->req.method, part);
	while (status == 0 && (r = wait_part(in, &part, &err)) == RK_OK) {
		status = dry_show(show, q->req.method, part);
		talk_in_sent(in);
		if (status == 0 && out_flush(o) != RK_OK)
			status = rk_err_exit(RK_EIO);
	}
	if (status != 0 || r == RK_ENOENT)
		return status;
	return out_error(o, &err, NULL);
}

int
talk_dry(const struct caller *by, const struct args *a, const struct show *show,
    struct request *q)
{
	const char *word = args_text(a, "stream", NULL);
	enum rk_stream_kind kind = RK_STREAM_BOTH;
	struct show each = *show;
	struct rk_error err = { 0 };
	struct talk_in in;
	bool own = false;
	int fd = -1, status;

	for (size_t i = 0; i < N_KINDS; i++)
		kind = strcmp(word, kinds[i].name) == 0 ? kinds[i].kind : kind;
	if (check(a, by, kind, &err) != RK_OK || first(a, q, &err) != RK_OK ||
	    open_input(a, &fd, &own, &err) != RK_OK)
		return request_failed(show->out, &err, "rpcsh call -h");
	talk_in_init(&in, fd, show->raw ? TALK_BYTES : TALK_VALUES);
	if (each.form == SHOW_NDJSON)
		each.form = SHOW_JSON; /* a list is one part */
	status = show_parts(&in, show->out, &each, q);
	talk_in_fini(&in);
	if (own && fd >= 0)
		(void)close(fd); /* it was read only */
	return status;
}

bool
talk_call(struct target *t, const struct caller *by, const struct args *a,
    const struct show *show, struct request *q, struct trace *tr, int *status)
{
	const char *word = args_text(a, "stream", NULL);
	struct talk k = { .t = t,
		.out = show->out,
		.show = show,
		.trace = tr,
		.most_us = args_number(a, "for", 0) * 1000,
		.most =
		    args_given(a, "count") ? args_number(a, "count", 0) : 0 };
	struct rk_error err = { 0 };
	unsigned all = 0;
	bool lines = false;
	size_t n;

	k.method = args_operands(a, &n)[0];
	for (size_t i = 0; word != NULL && i < N_KINDS; i++)
		all |= strcmp(word, kinds[i].name) == 0 ? kinds[i].kind : 0;
	if (word == NULL && !ask(t, k.method, &all, &lines, &err)) {
		*status = target_failed(t, show->out, &err, "_.describe");
		return false;
	}
	if (all == 0)
		return false;
	k.kind = choose(all, talk_has_input(a));
	*status = run(&k, a, by, lines, q);
	return true;
}
