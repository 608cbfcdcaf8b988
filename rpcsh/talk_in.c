/* Input as the parts of a stream: a value in JSON a line, or bytes. */
#include "talk_in.h"

#include "base/error.h"
#include "cli/json.h"

#include <rpckit/message.h>
#include <rpckit/stream.h>
#include <rpckit/value.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
talk_in_init(struct talk_in *in, int fd, enum talk_form form)
{
	*in = (struct talk_in){ .fd = fd, .form = form };
	buf_init(&in->text, TALK_LINE_MAX + RK_STREAM_PART);
}

void
talk_in_fini(struct talk_in *in)
{
	talk_in_sent(in);
	buf_fini(&in->text);
}

bool
talk_in_wants(const struct talk_in *in)
{
	return in->fd >= 0 && !in->has_part;
}

enum rk_err
talk_in_read(struct talk_in *in, struct rk_error *err)
{
	uint8_t *room;
	ssize_t n;
	enum rk_err r = buf_reserve(&in->text, RK_STREAM_PART, &room);

	if (r != RK_OK)
		return err_set(err, r, "standard input: %s", rk_err_text(r));
	n = read(in->fd, room, RK_STREAM_PART);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return err_sys(
		    err, RK_EIO, errno, "cannot read standard input");
	if (n > 0)
		buf_commit(&in->text, (size_t)n);
	if (n == 0)
		in->fd = -1;
	return RK_OK;
}

void
talk_in_sent(struct talk_in *in)
{
	buf_consume(&in->text, in->uses);
	free(in->encoded);
	in->encoded = NULL;
	in->uses = 0;
	in->has_part = false;
}

/* Bytes of a whole line at the head, its end among them; 0: there is none. */
static size_t
line_len(struct talk_in *in)
{
	const uint8_t *text = buf_peek(&in->text), *nl;
	size_t len = buf_len(&in->text);

	if (len == 0)
		return 0;
	nl = memchr(text + in->looked, '\n', len - in->looked);
	in->looked = nl == NULL ? len : 0;
	if (nl != NULL)
		return (size_t)(nl - text) + 1;
	return in->fd < 0 ? len : 0; /* the last one needs no end */
}

static bool
is_blank(const uint8_t *text, size_t len)
{
	while (len > 0 && memchr(" \t\r\n", text[len - 1], 4) != NULL)
		len--;
	return len == 0;
}

static enum rk_err
take_line(
    struct talk_in *in, const uint8_t *text, size_t len, struct rk_error *err)
{
	struct rk_value_doc *doc = NULL;
	char where[64];
	enum rk_err r;

	(void)snprintf(
	    where, sizeof(where), "standard input:%" PRIu64, in->line);
	r = json_parse(where, (const char *)text, len, &doc, err);
	if (r != RK_OK) /* it is wrong use, as on the command line */
		return err->code = r == RK_EFORMAT ? RK_EINVAL : r;
	in->part = (struct rk_bytes){ text, len };
	if (in->form == TALK_VALUES) {
		r = rk_value_encode(
		    rk_value_root(doc), &in->encoded, &in->part.len);
		in->part.ptr = in->encoded;
	}
	rk_value_free(doc);
	if (r == RK_OK && in->part.len > RK_PAYLOAD_MAX)
		r = RK_ETOOBIG;
	if (r == RK_ETOOBIG)
		return err_set(err, r,
		    "%s: too large for one part, which carries at most %d "
		    "bytes",
		    where, RK_PAYLOAD_MAX);
	if (r != RK_OK)
		return err_set(err, r, "%s: %s", where, rk_err_text(r));
	in->has_part = true;
	return RK_OK;
}

static enum rk_err
next_line(struct talk_in *in, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK && !in->has_part) {
		const uint8_t *text;
		size_t len = line_len(in);

		if (len == 0 && in->fd < 0)
			return RK_ENOENT;
		if (len == 0 && buf_len(&in->text) >= TALK_LINE_MAX)
			return err_set(err, RK_ETOOBIG,
			    "standard input:%" PRIu64
			    ": the line is longer than %zu bytes",
			    in->line + 1, TALK_LINE_MAX);
		if (len == 0)
			return RK_EAGAIN;
		in->line++;
		text = buf_peek(&in->text);
		in->uses = len;
		if (is_blank(text, len))
			talk_in_sent(in);
		else
			r = take_line(in, text, len, err);
	}
	return r;
}

static enum rk_err
next_bytes(struct talk_in *in)
{
	size_t len = buf_len(&in->text);

	if (len == 0)
		return in->fd < 0 ? RK_ENOENT : RK_EAGAIN;
	in->uses = len < RK_STREAM_PART ? len : RK_STREAM_PART;
	in->part = (struct rk_bytes){ buf_peek(&in->text), in->uses };
	in->has_part = true;
	return RK_OK;
}

enum rk_err
talk_in_next(struct talk_in *in, struct rk_bytes *part, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	if (!in->has_part)
		r = in->form == TALK_BYTES ? next_bytes(in)
		                           : next_line(in, err);
	*part = in->part;
	return r;
}
