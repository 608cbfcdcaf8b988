/* Which client got which ticket, and whether it has brought early data. */
#include "net/quic_tickets.h"

#include "base/be.h"
#include "base/crypt.h"
#include "net/quic_kept.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#define TICKETS_MAX 4096
#define BYTES_MAX (4u * 1024 * 1024) /* of certificates */
#define BUCKETS 4096

struct ticket {
	TAILQ_ENTRY(ticket) by_age; /* newest first */
	LIST_ENTRY(ticket) in_bucket;
	uint8_t hash[CRYPT_HASH_LEN];
	bool spent;
	size_t leaf_len;
	uint8_t leaf[];
};

struct quic_tickets {
	pthread_mutex_t lock;
	size_t n;
	size_t bytes;
	TAILQ_HEAD(ticket_ages, ticket) ages;
	LIST_HEAD(bucket, ticket) buckets[BUCKETS];
};

struct quic_tickets *
quic_tickets_new(void)
{
	struct quic_tickets *s = calloc(1, sizeof(*s));

	if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	TAILQ_INIT(&s->ages);
	return s;
}

static void
drop(struct quic_tickets *s, struct ticket *t)
{
	TAILQ_REMOVE(&s->ages, t, by_age);
	LIST_REMOVE(t, in_bucket);
	s->n--;
	s->bytes -= t->leaf_len;
	free(t);
}

void
quic_tickets_free(struct quic_tickets *s)
{
	struct ticket *t;

	if (s == NULL)
		return;
	while ((t = TAILQ_FIRST(&s->ages)) != NULL)
		drop(s, t);
	(void)pthread_mutex_destroy(&s->lock); /* nobody holds it */
	free(s);
}

/* No peer can choose what is in the table. */
static struct bucket *
bucket_of(struct quic_tickets *s, const uint8_t hash[CRYPT_HASH_LEN])
{
	return &s->buckets[be_get16(hash) % BUCKETS];
}

void
quic_tickets_add(struct quic_tickets *s, struct rk_bytes ticket,
    const uint8_t *leaf, size_t leaf_len)
{
	struct ticket *t = malloc(sizeof(*t) + leaf_len);

	if (t == NULL)
		return;
	crypt_sha256(t->hash, ticket.ptr, ticket.len);
	t->spent = false;
	t->leaf_len = leaf_len;
	if (leaf_len > 0)
		memcpy(t->leaf, leaf, leaf_len);
	(void)pthread_mutex_lock(&s->lock); /* a plain mutex: cannot fail */
	while (s->n >= TICKETS_MAX ||
	       (s->n > 0 && s->bytes + leaf_len > BYTES_MAX))
		drop(s, TAILQ_LAST(&s->ages, ticket_ages));
	TAILQ_INSERT_HEAD(&s->ages, t, by_age);
	LIST_INSERT_HEAD(bucket_of(s, t->hash), t, in_bucket);
	s->n++;
	s->bytes += leaf_len;
	(void)pthread_mutex_unlock(&s->lock);
}

enum quic_ticket
quic_tickets_find(struct quic_tickets *s, struct rk_bytes ticket, bool spend,
    struct buf *leaf)
{
	uint8_t hash[CRYPT_HASH_LEN];
	enum quic_ticket found = QUIC_TICKET_UNKNOWN;
	struct ticket *t;

	crypt_sha256(hash, ticket.ptr, ticket.len);
	(void)pthread_mutex_lock(&s->lock);
	LIST_FOREACH(t, bucket_of(s, hash), in_bucket)
	if (memcmp(t->hash, hash, sizeof(hash)) == 0)
		break;
	if (t != NULL && quic_kept_set(leaf, t->leaf, t->leaf_len) == RK_OK) {
		found = t->spent ? QUIC_TICKET_SPENT : QUIC_TICKET_FRESH;
		t->spent = t->spent || spend;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return found;
}
