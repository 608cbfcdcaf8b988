/* A client that comes back to a listening socket in the test's own hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "againpeer.h"
#include "rpc/frame.h"

/* Longer than the kernel takes to pass on what it has. */
#define SILENCE_MS 100

void
againpeer_init(struct againpeer *w)
{
	memset(w, 0, sizeof(*w));
	w->listener = raw_listen(w->url);
	w->urls[0] = w->url;
	w->peer = -1;
	buf_init(&w->in, SIZE_MAX);
	again_init(&w->r, false, w->urls);
}

/* Connected, and accepted. */
void
againpeer_open(struct againpeer *w)
{
	unsigned n = w->r.connected;

	if (w->r.client == NULL)
		again_start(&w->r);
	again_turn(&w->r, &w->r.connected, n + 1);
	w->peer = raw_accept(w->listener);
}

void
againpeer_accept(struct againpeer *w)
{
	w->peer = raw_accept(w->listener);
}

/* The server is gone, with what it has not read. */
void
againpeer_cut(struct againpeer *w)
{
	raw_close(w->peer);
	w->peer = -1;
	buf_fini(&w->in);
	w->shown = 0;
}

void
againpeer_fini(struct againpeer *w)
{
	again_end(&w->r);
	if (w->peer >= 0)
		raw_close(w->peer);
	raw_close(w->listener);
	buf_fini(&w->in);
}

static void
read_some(struct againpeer *w)
{
	struct pollfd p[2] = { { w->peer, POLLIN, 0 },
		{ rk_client_fd(w->r.client), POLLIN, 0 } };
	uint8_t raw[65536];
	ssize_t n;

	(void)poll(p, 2, 10);
	assert_int_equal(rk_client_process(w->r.client), RK_OK);
	n = recv(w->peer, raw, sizeof(raw), MSG_DONTWAIT);
	if (n > 0)
		assert_int_equal(buf_put(&w->in, raw, (size_t)n), RK_OK);
}

/* The next message from the client; valid until the next. */
void
againpeer_get(struct againpeer *w, struct msg *m)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct rk_error err;
	struct frame f;

	buf_consume(&w->in, w->shown);
	while (frame_split(buf_peek(&w->in), buf_len(&w->in), &f, NULL, NULL) !=
	       RK_OK) {
		assert_true(rpcrig_now() < until);
		read_some(w);
	}
	if (msg_decode(f.body.ptr, f.body.len, m, &err) != RK_OK)
		fail_msg("%s", err.text);
	w->shown = f.total;
}

void
againpeer_expect(
    struct againpeer *w, int64_t type, const char *method, struct msg *m)
{
	againpeer_get(w, m);
	assert_int_equal(m->hdr.type, type);
	assert_int_equal(m->hdr.to_service.len, strlen(method));
	assert_memory_equal(
	    m->hdr.to_service.ptr, method, m->hdr.to_service.len);
}

void
againpeer_read(struct againpeer *w, size_t n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (buf_len(&w->in) < n) {
		assert_true(rpcrig_now() < until);
		read_some(w);
	}
}

unsigned
againpeer_drain(struct againpeer *w)
{
	struct pollfd p = { w->peer, POLLIN, 0 };
	uint8_t raw[65536];
	struct frame f;
	unsigned n = 0;
	size_t at = 0;
	ssize_t got;

	while (poll(&p, 1, SILENCE_MS) == 1) {
		got = recv(w->peer, raw, sizeof(raw), MSG_DONTWAIT);
		assert_true(got > 0);
		assert_int_equal(buf_put(&w->in, raw, (size_t)got), RK_OK);
	}
	for (; at < buf_len(&w->in); at += f.total, n++)
		if (frame_split(buf_peek(&w->in) + at, buf_len(&w->in) - at, &f,
		        NULL, NULL) != RK_OK)
			return n + 1;
	return n;
}

void
againpeer_note(struct againpeer *w, const struct msg *m, unsigned i)
{
	w->seqno[i] = m->hdr.seqno;
	assert_true(m->hdr.call_id.len < sizeof(w->id[i]));
	memcpy(w->id[i], m->hdr.call_id.ptr, m->hdr.call_id.len);
	w->id[i][m->hdr.call_id.len] = '\0';
}

void
againpeer_answer(struct againpeer *w, const struct msg *m, int64_t type)
{
	struct msg reply = {
		.hdr = { .type = type,
		    .seqno = m->hdr.seqno,
		    .call_id = m->hdr.call_id },
		.payload = { (const uint8_t *)"yes", 3 },
	};
	struct buf b;

	buf_init(&b, SIZE_MAX);
	assert_int_equal(msg_encode(&b, &reply, NULL, 0), RK_OK);
	raw_put(w->peer, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

/* Nothing but this comes to the peer. */
void
againpeer_check_quiet(struct againpeer *w)
{
	struct rpcanswer a;
	struct msg m;

	(void)again_submit(&w->r, "last", false, NULL, 0, &a);
	againpeer_expect(w, RK_TYPE_CALL, "last", &m);
	againpeer_answer(w, &m, RK_TYPE_REPLY);
	again_turn(&w->r, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
}
