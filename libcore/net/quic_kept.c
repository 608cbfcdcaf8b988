/* What a client remembers of its server between two connections. */
#include "net/quic_kept.h"

#include <time.h>

#define SESSION_LEN_MAX (128 * 1024)
#define PARAMS_LEN_MAX 1024
#define TOKEN_LEN_MAX 4096
#define MARGIN_MS 10000

void
quic_kept_init(struct quic_kept *k)
{
	buf_init(&k->session, SESSION_LEN_MAX);
	buf_init(&k->params, PARAMS_LEN_MAX);
	buf_init(&k->token, TOKEN_LEN_MAX);
	buf_init(&k->leaf, QUIC_LEAF_LEN_MAX);
	k->made = 0;
	k->until = 0;
}

void
quic_kept_fini(struct quic_kept *k)
{
	buf_wipe(&k->session);
	buf_fini(&k->params);
	buf_wipe(&k->token);
	buf_fini(&k->leaf);
}

enum rk_err
quic_kept_set(struct buf *part, const void *p, size_t len)
{
	buf_wipe(part);
	return len == 0 ? RK_OK : buf_put(part, p, len);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* it is always there */
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
quic_kept_stamp(struct quic_kept *k, uint32_t seconds)
{
	k->made = now_ms();
	k->until = k->made + (int64_t)seconds * 1000;
}

bool
quic_kept_usable(const struct quic_kept *k)
{
	int64_t now = now_ms();

	return buf_len(&k->session) > 0 && now >= k->made &&
	       now + MARGIN_MS < k->until;
}

enum rk_err
quic_slot_init(struct quic_slot *s)
{
	quic_kept_init(&s->kept);
	return pthread_mutex_init(&s->lock, NULL) == 0 ? RK_OK : RK_ENOMEM;
}

void
quic_slot_fini(struct quic_slot *s)
{
	quic_kept_fini(&s->kept);
	(void)pthread_mutex_destroy(&s->lock); /* nobody holds it */
}

/* Exchange both under the lock; the caller gets rid of the old. */
static void
swap(struct quic_slot *s, struct quic_kept *k)
{
	struct quic_kept old;

	(void)pthread_mutex_lock(&s->lock); /* a plain mutex: cannot fail */
	old = s->kept;
	s->kept = *k;
	(void)pthread_mutex_unlock(&s->lock);
	*k = old;
}

void
quic_slot_take(struct quic_slot *s, struct quic_kept *out)
{
	swap(s, out);
}

void
quic_slot_give(struct quic_slot *s, struct quic_kept *k)
{
	struct buf token;

	(void)pthread_mutex_lock(&s->lock);
	if (buf_len(&k->token) == 0) {
		token = k->token;
		k->token = s->kept.token;
		s->kept.token = token;
	}
	(void)pthread_mutex_unlock(&s->lock);
	swap(s, k);
	quic_kept_fini(k);
}

void
quic_slot_give_token(struct quic_slot *s, const uint8_t *p, size_t len)
{
	(void)pthread_mutex_lock(&s->lock);
	if (quic_kept_set(&s->kept.token, p, len) != RK_OK)
		buf_wipe(&s->kept.token); /* none: the server asks again */
	(void)pthread_mutex_unlock(&s->lock);
}

void
quic_slot_forget(struct quic_slot *s)
{
	struct quic_kept none;

	quic_kept_init(&none);
	swap(s, &none);
	quic_kept_fini(&none);
}
