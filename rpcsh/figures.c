/* What a call was like: how long each step took, and the reply's header. */
#include "figures.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (16u << 20)

/* ---- time ---- */

const char *
figures_handshake(const struct rk_client *c)
{
	const struct rk_peer *p = rk_client_peer(c);

	return p != NULL && strcmp(p->transport, "quic") == 0 ? "quic" : "tls";
}

static void
time_text(const struct figures *f, const struct rk_timing *tm, uint64_t total)
{
	const struct rk_peer *p = &f->peer;

	(void)fprintf(stderr,
	    "time  dns %.1f  connect %.1f  %s %.1f  trust %.1f  call %.1f  "
	    "total %.1f ms\n",
	    (double)tm->resolve / 1e3, (double)tm->connect / 1e3,
	    figures_handshake(f->client), (double)tm->tls / 1e3,
	    (double)tm->trust / 1e3, (double)f->call_us / 1e3,
	    (double)total / 1e3);
	(void)fprintf(stderr, "size  sent %zu B  got %zu B", f->sent,
	    f->reply.payload.len);
	if (p->transport != NULL)
		(void)fprintf(stderr, "   %s%s%s%s%s  peer %s", p->transport,
		    p->cipher[0] == '\0' ? "" : " ", p->cipher,
		    p->psk[0] == '\0' ? "" : "  psk ", p->psk,
		    p->proven ? p->cert.fp : "not authenticated");
	(void)fputc('\n', stderr);
}

static void
time_json(const struct figures *f, const struct rk_timing *tm, uint64_t total)
{
	const struct rk_peer *p = &f->peer;

	(void)fprintf(stderr,
	    "{\"schema\":1,\"time\":{\"dns_us\":%" PRIu64
	    ",\"connect_us\":%" PRIu64 ",\"tls_us\":%" PRIu64
	    ",\"trust_us\":%" PRIu64 ",\"call_us\":%" PRIu64
	    ",\"total_us\":%" PRIu64 "},\"sent\":%zu,\"got\":%zu",
	    tm->resolve, tm->connect, tm->tls, tm->trust, f->call_us, total,
	    f->sent, f->reply.payload.len);
	if (p->transport != NULL)
		(void)fprintf(stderr,
		    ",\"transport\":\"%s\",\"cipher\":\"%s\","
		    "\"psk\":\"%s\",\"fingerprint\":\"%s\"",
		    p->transport, p->cipher, p->psk,
		    p->proven ? p->cert.fp : "");
	(void)fputs("}\n", stderr);
}

void
figures_time(const struct out *o, const struct figures *f)
{
	struct rk_timing tm;
	uint64_t total;

	rk_client_timing(f->client, &tm);
	total = tm.resolve + tm.connect + tm.tls + tm.trust + f->call_us;
	if (o->form == OUT_JSON)
		time_json(f, &tm, total);
	else
		time_text(f, &tm, total);
}

/* ---- trace ---- */

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

static void
text_line(const char *name, struct rk_str s)
{
	char shown[512];

	(void)fprintf(stderr, "trace  %s %s\n", name,
	    rk_escape(shown, sizeof(shown), s.ptr, s.len));
}

static void
arg_line(const struct rk_arg *arg)
{
	char key[256], value[512];

	(void)fprintf(stderr, "trace  arg %s=%s\n",
	    rk_escape(key, sizeof(key), arg->key.ptr, arg->key.len),
	    rk_escape(value, sizeof(value), arg->value.ptr, arg->value.len));
}

static void
trace_text(const struct rk_header *h)
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
		arg_line(&arg);
}

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
put_trace(struct buf *b, const struct rk_header *h)
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
		r = put_member(b, arg.key, arg.value, first);
	return r == RK_OK ? buf_put_str(b, "}}}\n") : r;
}

static void
trace_json(const struct out *o, const struct rk_header *h)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (buf_put_str(&b, "{\"schema\":1,") == RK_OK &&
	    put_trace(&b, h) == RK_OK)
		(void)fwrite(buf_peek(&b), 1, buf_len(&b), stderr);
	else
		out_warn(o, "the header is too long to be shown");
	buf_fini(&b);
}

void
figures_trace(const struct out *o, const struct rk_reply *reply)
{
	if (o->form == OUT_JSON)
		trace_json(o, &reply->hdr);
	else
		trace_text(&reply->hdr);
}

/* ---- a line in a file ---- */

static enum rk_err
put_text(struct buf *b, const char *name, const char *text)
{
	enum rk_err r = buf_printf(b, "\"%s\":", name);

	return r == RK_OK ? out_json_string(b, text, strlen(text)) : r;
}

static enum rk_err
put_record(struct buf *b, const struct figures *f, const char *url,
    const struct rk_request *req)
{
	bool has_header = f->reply.code == RK_OK || f->reply.code == RK_EREMOTE;
	char when[32], code[OUT_CODE_LEN];
	enum rk_err r;

	str_time(when, (int64_t)time(NULL));
	if ((r = buf_printf(b, "{\"schema\":1,\"at\":\"%s\",", when)) !=
	        RK_OK ||
	    (r = put_text(b, "server", url)) != RK_OK ||
	    (r = buf_put_str(b, ",")) != RK_OK ||
	    (r = put_text(b, "method", req->method)) != RK_OK)
		return r;
	r = buf_printf(b,
	    ",\"sent\":%zu,\"got\":%zu,\"call_us\":%" PRIu64
	    ",\"code\":\"%s\",\"exit\":%d%s",
	    f->sent, f->reply.payload.len, f->call_us,
	    out_code_name(f->reply.code, code), rk_err_exit(f->reply.code),
	    has_header ? "," : "}\n");
	return r == RK_OK && has_header ? put_trace(b, &f->reply.hdr) : r;
}

static enum rk_err
open_record(const char *path, int *fd, struct rk_error *err)
{
	char shown[256];

	/* It does not wait for somebody to read a pipe; writing does. */
	*fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
	    0600);
	if (*fd >= 0) {
		(void)fcntl(*fd, F_SETFL, O_APPEND);
		return RK_OK;
	}
	return err_sys(err, errno == ENOENT ? RK_ENOENT : RK_EIO, errno,
	    "--trace-file %s", str_escape(shown, sizeof(shown), path));
}

enum rk_err
figures_may_record(const char *path, struct rk_error *err)
{
	enum rk_err r;
	int fd;

	if (path == NULL)
		return RK_OK;
	if ((r = open_record(path, &fd, err)) == RK_OK)
		(void)close(fd);
	return r;
}

int
figures_record(const struct out *o, const struct figures *f, const char *url,
    const struct rk_request *req, const char *path)
{
	struct rk_error err = { 0 };
	struct buf b;
	enum rk_err r;
	int fd = -1;

	if (path == NULL)
		return 0;
	buf_init(&b, TEXT_MAX);
	if ((r = put_record(&b, f, url, req)) != RK_OK)
		(void)err_set(&err, r, "--trace-file: %s", rk_err_text(r));
	else
		r = open_record(path, &fd, &err);
	/* One write: lines of others do not come between. */
	if (r == RK_OK && fs_write_all(fd, buf_peek(&b), buf_len(&b)) != RK_OK)
		r = err_sys(&err, RK_EIO, errno, "--trace-file");
	if (fd >= 0)
		(void)close(fd);
	buf_fini(&b);
	return r == RK_OK ? 0 : out_error(o, &err, NULL);
}
