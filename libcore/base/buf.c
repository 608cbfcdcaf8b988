/* The byte queue: grows by doubling, shifts when that makes room. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_CAP 64

/*
 * Invariants: head <= tail < cap whenever data is not NULL, so that one byte
 * for buf_take()'s NUL is always free; all are 0 when it is NULL.
 */

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

static void
drop(struct buf *b)
{
	b->data = NULL;
	b->guard = NULL;
	b->head = b->tail = b->cap = 0;
}

static void
free_data(struct buf *b)
{
	if (b->guard == NULL)
		free(b->data);
	rk_secret_free(b->guard);
}

void
buf_fini(struct buf *b)
{
	free_data(b);
	drop(b);
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_fini(b);
}

static void
shift(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->head == 0)
		return;
	if (len > 0)
		memmove(b->data, b->data + b->head, len);
	b->head = 0;
	b->tail = len;
}

/* To another block, whose guard is NULL where it is malloc'ed. */
static void
move(struct buf *b, uint8_t *data, size_t cap, struct rk_secret *guard)
{
	size_t len = buf_len(b);

	if (len > 0)
		memcpy(data, b->data + b->head, len);
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	free_data(b);
	b->data = data;
	b->guard = guard;
	b->cap = cap;
	b->head = 0;
	b->tail = len;
}

static enum rk_err
move_guarded(struct buf *b, size_t cap)
{
	struct rk_secret *s;
	enum rk_err r = rk_secret_new(cap, &s);

	if (r == RK_OK)
		move(b, rk_secret_data(s), cap, s);
	return r;
}

enum rk_err
buf_guard(struct buf *b, size_t room)
{
	size_t cap = buf_len(b);
	enum rk_err r;

	if (b->guard != NULL)
		return RK_OK;
	if ((r = size_add(cap, room, &cap)) != RK_OK || cap > b->max ||
	    (r = size_add(cap, 1, &cap)) != RK_OK)
		return RK_ETOOBIG;
	return move_guarded(b, cap);
}

/*
 * Move to a new block of at least `need` bytes, at most one more than max.
 * Not realloc(): it may leave a copy behind that buf_wipe() never sees.
 */
static enum rk_err
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
	uint8_t *data;

	if (cap < MIN_CAP)
		cap = MIN_CAP;
	if (b->max < SIZE_MAX && cap > b->max + 1)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	if (b->guard != NULL)
		return move_guarded(b, cap);
	data = malloc(cap);
	if (data == NULL)
		return RK_ENOMEM;
	move(b, data, cap, NULL);
	return RK_OK;
}

enum rk_err
buf_reserve(struct buf *b, size_t n, uint8_t **p)
{
	size_t len = buf_len(b);
	size_t need;
	enum rk_err r;

	/* Most of all calls; max may have become less than what is in it. */
	if (n < b->cap - b->tail && len <= b->max && n <= b->max - len) {
		*p = b->data + b->tail;
		return RK_OK;
	}
	*p = NULL;
	if (size_add(len, n, &need) != RK_OK || need > b->max ||
	    size_add(need, 1, &need) != RK_OK)
		return RK_ETOOBIG;
	/* Shift when that moves little, or growth could not help. */
	if (need <= b->cap && (len <= b->head || b->cap > b->max)) {
		shift(b);
	} else if ((r = grow(b, need)) != RK_OK) {
		return r;
	}
	*p = b->data + b->tail;
	return RK_OK;
}

void
buf_commit(struct buf *b, size_t n)
{
	assert(n == 0 || n < b->cap - b->tail);
	b->tail += n;
}

void
buf_uncommit(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->tail -= n;
}

enum rk_err
buf_put(struct buf *b, const void *src, size_t n)
{
	uint8_t *p;
	enum rk_err r;

	if (n == 0)
		return RK_OK;
	if ((r = buf_reserve(b, n, &p)) != RK_OK)
		return r;
	memcpy(p, src, n);
	buf_commit(b, n);
	return RK_OK;
}

enum rk_err
buf_put_str(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

RK_PRINTF(2, 0)
static enum rk_err
put_formatted(struct buf *b, const char *fmt, size_t n, va_list ap)
{
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(b, n, &p)) != RK_OK)
		return r;
	/* The NUL goes where the invariant keeps a byte free. */
	if (vsnprintf((char *)p, n + 1, fmt, ap) != (int)n)
		return RK_EFAIL;
	buf_commit(b, n);
	return RK_OK;
}

enum rk_err
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	enum rk_err r;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return RK_EFAIL;
	va_start(ap, fmt);
	r = put_formatted(b, fmt, (size_t)n, ap);
	va_end(ap);
	return r;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= buf_len(b))
		b->head = b->tail = 0;
	else
		b->head += n;
}

enum rk_err
buf_take(struct buf *b, uint8_t **out, size_t *len)
{
	uint8_t *p;
	enum rk_err r;

	*out = NULL;
	*len = 0;
	if (b->guard != NULL)
		return RK_EINVAL;
	if ((r = buf_reserve(b, 0, &p)) != RK_OK)
		return r;
	shift(b);
	b->data[b->tail] = '\0';
	*out = b->data;
	*len = b->tail;
	drop(b);
	return RK_OK;
}

enum rk_err
size_add(size_t a, size_t b, size_t *out)
{
	if (__builtin_add_overflow(a, b, out)) {
		*out = 0;
		return RK_ETOOBIG;
	}
	return RK_OK;
}

enum rk_err
size_mul(size_t a, size_t b, size_t *out)
{
	if (__builtin_mul_overflow(a, b, out)) {
		*out = 0;
		return RK_ETOOBIG;
	}
	return RK_OK;
}
