/* Letters to a loop: posting without memory, and an end to it. */
#include "rpc/mail.h"

#include "base/error.h"

#include <pthread.h>
#include <stdlib.h>

TAILQ_HEAD(letters, mail);

struct mailbox {
	struct rk_loop *loop;
	pthread_mutex_t lock; /* guards the rest, and `waits` of letters */
	struct letters letters;
	bool posted; /* the loop will call on_post() */
	bool closed; /* which frees the box then */
};

static struct mail *
take(struct mailbox *b)
{
	struct mail *m;

	(void)pthread_mutex_lock(&b->lock);
	m = TAILQ_FIRST(&b->letters);
	if (m != NULL) {
		TAILQ_REMOVE(&b->letters, m, link);
		m->waits = false;
	}
	(void)pthread_mutex_unlock(&b->lock);
	return m;
}

static void
destroy(struct mailbox *b)
{
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}

/* What is put from now on is for another turn: others want theirs. */
static void
on_post(void *arg)
{
	struct mailbox *b = arg;
	struct letters now = TAILQ_HEAD_INITIALIZER(now);
	struct mail *m;
	bool closed;

	(void)pthread_mutex_lock(&b->lock);
	b->posted = false;
	closed = b->closed;
	TAILQ_CONCAT(&now, &b->letters, link);
	(void)pthread_mutex_unlock(&b->lock);
	if (closed) {
		destroy(b);
		return;
	}
	while ((m = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, m, link);
		(void)pthread_mutex_lock(&b->lock);
		m->waits = false;
		(void)pthread_mutex_unlock(&b->lock);
		m->fn(m);
	}
}

enum rk_err
mailbox_new(struct rk_loop *loop, struct mailbox **out)
{
	struct mailbox *b = calloc(1, sizeof(*b));

	*out = b;
	if (b == NULL)
		return RK_ENOMEM;
	b->loop = loop;
	(void)pthread_mutex_init(&b->lock, NULL); /* plain: cannot fail */
	TAILQ_INIT(&b->letters);
	return RK_OK;
}

void
mailbox_put(struct mailbox *b, struct mail *m)
{
	enum rk_err r = RK_OK;

	(void)pthread_mutex_lock(&b->lock);
	if (!m->waits) {
		m->waits = true;
		TAILQ_INSERT_TAIL(&b->letters, m, link);
	}
	if (!b->posted) {
		r = rk_loop_post(b->loop, on_post, b);
		b->posted = r == RK_OK;
	}
	(void)pthread_mutex_unlock(&b->lock);
	if (r != RK_OK)
		log_event(RK_LOG_ERROR, "server", "no memory to wake a loop");
}

void
mailbox_free(struct mailbox *b)
{
	struct mail *m;
	bool posted;

	if (b == NULL)
		return;
	while ((m = take(b)) != NULL)
		m->fn(m);
	(void)pthread_mutex_lock(&b->lock);
	posted = b->posted;
	b->closed = true;
	(void)pthread_mutex_unlock(&b->lock);
	if (!posted)
		destroy(b);
}
