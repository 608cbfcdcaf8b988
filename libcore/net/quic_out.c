/* A stream's outgoing bytes, in blocks that never move. */
#include "net/quic_out.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct quic_block *
block_new(struct quic_blocks *p)
{
	struct quic_block *b = p->free;

	if (b == NULL) {
		b = malloc(sizeof(*b));
		if (b == NULL)
			return NULL;
	} else {
		p->free = b->next;
		p->n--;
	}
	b->next = NULL;
	b->len = 0;
	return b;
}

static void
block_free(struct quic_blocks *p, struct quic_block *b)
{
	if (p->n >= QUIC_BLOCKS_KEPT) {
		free(b);
		return;
	}
	b->next = p->free;
	p->free = b;
	p->n++;
}

void
quic_blocks_fini(struct quic_blocks *p)
{
	struct quic_block *b;

	while ((b = p->free) != NULL) {
		p->free = b->next;
		free(b);
	}
	p->n = 0;
}

void
quic_out_init(struct quic_out *o, struct quic_blocks *pool)
{
	*o = (struct quic_out){ .pool = pool };
}

void
quic_out_fini(struct quic_out *o)
{
	struct quic_block *b;

	while ((b = o->head) != NULL) {
		o->head = b->next;
		block_free(o->pool, b);
	}
	o->tail = o->next = NULL;
}

/* Blocks for len bytes behind the tail's room, so that put cannot stop half
 * way. */
static enum rk_err
add_blocks(struct quic_out *o, size_t len)
{
	size_t room = o->tail == NULL ? 0 : QUIC_BLOCK_LEN - o->tail->len;
	struct quic_block *first = NULL;
	struct quic_block **end = &first;
	struct quic_block *b;

	for (; room < len; room += QUIC_BLOCK_LEN) {
		b = block_new(o->pool);
		if (b == NULL)
			goto fail;
		*end = b;
		end = &b->next;
	}
	if (first == NULL)
		return RK_OK;
	if (o->tail != NULL) {
		o->tail->next = first;
	} else {
		o->head = o->tail = first;
		o->head_at = o->queued;
	}
	return RK_OK;
fail:
	while ((b = first) != NULL) {
		first = b->next;
		block_free(o->pool, b);
	}
	return RK_ENOMEM;
}

/* Where the first byte not sent is, now that there is one. */
static void
find_next(struct quic_out *o)
{
	if (o->next != NULL)
		return;
	o->next = o->head;
	o->next_at = o->head_at;
	while (o->sent - o->next_at >= QUIC_BLOCK_LEN) {
		o->next = o->next->next;
		o->next_at += QUIC_BLOCK_LEN;
	}
}

enum rk_err
quic_out_put(struct quic_out *o, const uint8_t *src, size_t len)
{
	size_t n;

	if (len == 0)
		return RK_OK;
	if (add_blocks(o, len) != RK_OK)
		return RK_ENOMEM;
	while (len > 0) {
		if (o->tail->len == QUIC_BLOCK_LEN)
			o->tail = o->tail->next;
		n = QUIC_BLOCK_LEN - o->tail->len;
		n = n < len ? n : len;
		memcpy(o->tail->data + o->tail->len, src, n);
		o->tail->len += n;
		o->queued += n;
		src += n;
		len -= n;
	}
	find_next(o);
	return RK_OK;
}

size_t
quic_out_peek(const struct quic_out *o, struct iovec *v, size_t cap)
{
	struct quic_block *b = o->next;
	size_t skip = (size_t)(o->sent - o->next_at);
	size_t n = 0;

	for (; b != NULL && n < cap; b = b->next) {
		if (b->len > skip)
			v[n++] = (struct iovec){ .iov_base = b->data + skip,
				.iov_len = b->len - skip };
		skip = 0;
	}
	return n;
}

void
quic_out_sent(struct quic_out *o, size_t n)
{
	assert(n <= o->queued - o->sent);
	o->sent += n;
	while (o->next != NULL && o->sent - o->next_at >= QUIC_BLOCK_LEN) {
		o->next = o->next->next;
		o->next_at += QUIC_BLOCK_LEN;
	}
}

void
quic_out_confirm(struct quic_out *o, uint64_t upto)
{
	struct quic_block *b;

	assert(upto <= o->sent);
	if (upto <= o->confirmed)
		return;
	o->confirmed = upto;
	while ((b = o->head) != NULL &&
	       (upto - o->head_at >= QUIC_BLOCK_LEN || upto == o->queued)) {
		o->head = b->next;
		o->head_at += b->len;
		if (o->next == b) {
			o->next = o->head;
			o->next_at = o->head_at;
		}
		block_free(o->pool, b);
	}
	if (o->head == NULL)
		o->tail = o->next = NULL;
}

void
quic_out_rewind(struct quic_out *o)
{
	assert(o->confirmed == 0);
	o->sent = 0;
	o->next = o->head;
	o->next_at = o->head_at;
}
