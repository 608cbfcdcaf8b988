/* What a call was like: how long each step took, and the reply's header. */
#include "figures.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

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
		(void)fprintf(stderr, "   %s%s%s  peer %s", p->transport,
		    p->cipher[0] == '\0' ? "" : " ", p->cipher,
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
		    "\"fingerprint\":\"%s\"",
		    p->transport, p->cipher, p->proven ? p->cert.fp : "");
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

	r = buf_printf(b,
	    "{\"schema\":1,\"trace\":{\"type\":%" PRId64 ",\"seqno\":%" PRIu64,
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
	if (put_trace(&b, h) == RK_OK)
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
