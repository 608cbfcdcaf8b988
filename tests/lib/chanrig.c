/* Two links that are fed into one another, and users of their ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "chanrig.h"

struct chanpart {
	TAILQ_ENTRY(chanpart) link;
	size_t len;
	uint8_t bytes[];
};

/* ---- users ---- */

static void
keep_text(struct chanuser *u, struct rk_bytes p)
{
	size_t n = p.len < sizeof(u->text) - 1 ? p.len : sizeof(u->text) - 1;

	if (n > 0)
		memcpy(u->text, p.ptr, n);
	u->text[n] = '\0';
}

static void
on_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct chanuser *u = arg;
	struct chanuser *t;

	assert_ptr_equal(c, u->c);
	u->messages++;
	u->bytes += msg->payload.len;
	keep_text(u, msg->payload);
	for (size_t i = 0; !u->leave && i < msg->n_ends; i++) {
		assert_true(u->n_took < CHANRIG_TAKEN);
		t = calloc(1, sizeof(*t));
		assert_non_null(t);
		u->took[u->n_took++] = t;
		assert_int_equal(
		    rk_chan_take(&msg->ends[i], rk_chan_kind(msg->ends[i]),
		        NULL, &chanrig_events, t, &t->c, NULL),
		    RK_OK);
		assert_null(msg->ends[i]);
	}
}

static void
on_writable(struct rk_chan *c, void *arg)
{
	struct chanuser *u = arg;

	assert_ptr_equal(c, u->c);
	u->writable++;
}

static void
on_readable(struct rk_chan *c, void *arg)
{
	struct chanuser *u = arg;
	uint8_t got[1000];
	size_t n;

	u->readable++;
	while (!u->no_read && rk_chan_read(c, got, sizeof(got), &n) == RK_OK) {
		u->bytes += n;
		for (size_t i = 0; i < n; i++) {
			if (u->text_len < sizeof(u->text) - 1)
				u->text[u->text_len++] = (char)got[i];
		}
	}
}

static void
on_eof(struct rk_chan *c, void *arg)
{
	struct chanuser *u = arg;

	assert_ptr_equal(c, u->c);
	u->eofs++;
}

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct chanuser *u = arg;

	assert_ptr_equal(c, u->c);
	u->ends++;
	u->code = why->code;
	memcpy(u->why, why->text, sizeof(u->why));
	u->c = NULL;
}

const struct rk_chan_events chanrig_events = {
	.message = on_message,
	.readable = on_readable,
	.writable = on_writable,
	.eof = on_eof,
	.ended = on_ended,
};

void
chanuser_fini(struct chanuser *u)
{
	rk_chan_close(&u->c);
	for (size_t i = 0; i < u->n_took; i++) {
		chanuser_fini(u->took[i]);
		free(u->took[i]);
	}
	u->n_took = 0;
}

/* ---- links ---- */

static void
on_wake(struct chan_link *l, void *arg)
{
	struct chanrig *r = arg;

	(void)l;
	r->wakes++;
}

void
chanrig_init(struct chanrig *r, const struct rk_chan_conf *client,
    const struct rk_chan_conf *server)
{
	const struct rk_chan_conf plain = { .type = CHANRIG_TYPE };
	const struct rk_chan_conf *conf[2] = { client, server };

	memset(r, 0, sizeof(*r));
	assert_int_equal(rk_loop_new(&r->loop), RK_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct chanuser *u = &r->first[i];

		TAILQ_INIT(&r->parts[i]);
		if (conf[i] == NULL)
			conf[i] = &plain;
		assert_int_equal(chan_link_init(&r->link[i], r->loop, i == 1,
		                     conf[i], &u->c),
		    RK_OK);
		r->link[i].wake = on_wake;
		r->link[i].arg = r;
		assert_int_equal(
		    rk_chan_listen(u->c, &chanrig_events, u), RK_OK);
	}
}

void
chanrig_fini(struct chanrig *r)
{
	const struct rk_error why = { .code = RK_ECLOSED, .text = "the end" };
	struct chanpart *p;

	for (unsigned i = 0; i < 2; i++) {
		chan_link_fail(&r->link[i], &why);
		while ((p = TAILQ_FIRST(&r->parts[i])) != NULL) {
			TAILQ_REMOVE(&r->parts[i], p, link);
			free(p);
		}
		chanuser_fini(&r->first[i]);
	}
	chanrig_step(r);
	for (unsigned i = 0; i < 2; i++) {
		/* What came has been read, or dropped. */
		assert_int_equal(r->link[i].hold->sum, 0);
		chan_link_fini(&r->link[i]);
	}
	rk_loop_free(r->loop);
}

bool
chanrig_pull(struct chanrig *r, unsigned side, size_t cap)
{
	struct chanpart *p = malloc(sizeof(*p) + cap);

	assert_non_null(p);
	assert_int_equal(
	    chan_pull(&r->link[side], p->bytes, cap, &p->len), RK_OK);
	assert_true(p->len <= cap);
	if (p->len == 0) {
		free(p);
		return false;
	}
	TAILQ_INSERT_TAIL(&r->parts[!side], p, link);
	r->in_parts += p->len;
	return true;
}

bool
chanrig_feed(struct chanrig *r, unsigned side)
{
	struct chanpart *p = TAILQ_FIRST(&r->parts[side]);
	struct rk_error err = { .text = "" };

	if (p == NULL)
		return false;
	TAILQ_REMOVE(&r->parts[side], p, link);
	r->in_parts -= p->len;
	if (chan_feed(&r->link[side], (struct rk_bytes){ p->bytes, p->len },
	        &err) != RK_OK)
		fail_msg("%s", err.text);
	free(p);
	return true;
}

void
chanrig_step(struct chanrig *r)
{
	for (unsigned n = 0; n == 0 || rk_loop_wait_ms(r->loop) == 0; n++) {
		assert_true(n < 100000);
		assert_int_equal(rk_loop_step(r->loop, 0), RK_OK);
	}
}

void
chanrig_settle(struct chanrig *r)
{
	bool moved = true;

	for (unsigned n = 0; moved; n++) {
		assert_true(n < 100000);
		chanrig_step(r);
		moved = chanrig_pull(r, 0, 65536);
		moved |= chanrig_pull(r, 1, 65536);
		moved |= chanrig_feed(r, 0);
		moved |= chanrig_feed(r, 1);
	}
}

/* ---- sending ---- */

void
chanrig_pair(struct chanrig *r, enum rk_chan_kind kind, const char *type,
    struct chanuser *one, struct chanuser *other)
{
	memset(one, 0, sizeof(*one));
	memset(other, 0, sizeof(*other));
	assert_int_equal(
	    chan_pair(r->loop, kind, (struct rk_str){ type, strlen(type) },
	        &one->c, &other->c),
	    RK_OK);
	assert_int_equal(rk_chan_listen(one->c, &chanrig_events, one), RK_OK);
	assert_int_equal(
	    rk_chan_listen(other->c, &chanrig_events, other), RK_OK);
}

enum rk_err
chanrig_try(struct chanuser *u, const char *text, struct chanuser *const *ends,
    size_t n)
{
	struct rk_chan *list[RK_CHAN_ENDS_MAX];
	struct rk_chan_msg msg = {
		.payload = { (const uint8_t *)text, strlen(text) },
		.ends = list,
		.n_ends = n,
	};
	enum rk_err r;

	for (size_t i = 0; i < n; i++)
		list[i] = ends[i]->c;
	r = rk_chan_send(u->c, &msg);
	for (size_t i = 0; i < n; i++) {
		assert_true((list[i] == NULL) == (r == RK_OK));
		ends[i]->c = list[i];
	}
	return r;
}

void
chanrig_send(struct chanuser *u, const char *text, struct chanuser *end)
{
	assert_int_equal(chanrig_try(u, text, &end, end != NULL), RK_OK);
}
