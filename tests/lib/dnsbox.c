/* A tiny DNS server on loopback, and answers by hand: SRV records only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsbox.h"

#define HEAD_LEN 12
#define ANSWER_MAX 8192

static void
put16(struct buf *b, unsigned v)
{
	const uint8_t raw[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	assert_int_equal(buf_put(b, raw, sizeof(raw)), RK_OK);
}

void
dns_put_head(struct buf *b, uint16_t id, unsigned rcode, unsigned n_asked,
    unsigned n_answers)
{
	put16(b, id);
	put16(b, 0x8580 | rcode); /* an answer of one who knows */
	put16(b, n_asked);
	put16(b, n_answers);
	put16(b, 0);
	put16(b, 0);
}

void
dns_put_name(struct buf *b, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");
		uint8_t n = (uint8_t)len;

		assert_int_equal(buf_put(b, &n, 1), RK_OK);
		assert_int_equal(buf_put(b, name, len), RK_OK);
		name += len + (name[len] == '.');
	}
	assert_int_equal(buf_put(b, "", 1), RK_OK);
}

void
dns_put_record(struct buf *b, unsigned type, unsigned class,
    const uint8_t *data, size_t len)
{
	dns_put_name(b, "x");
	put16(b, type);
	put16(b, class);
	put16(b, 0); /* how long it is true */
	put16(b, 60);
	put16(b, (unsigned)len);
	assert_int_equal(buf_put(b, data, len), RK_OK);
}

void
dns_put_srv(struct buf *b, const struct dns_srv *s)
{
	struct buf data;

	buf_init(&data, 512);
	put16(&data, s->priority);
	put16(&data, s->weight);
	put16(&data, s->port);
	dns_put_name(&data, s->host);
	dns_put_record(
	    b, DNS_TYPE_SRV, DNS_CLASS_IN, buf_peek(&data), buf_len(&data));
	buf_fini(&data);
}

/* ---- the server ---- */

static void
note_name(struct dnsbox *d, const uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t at = 0; at < len && p[at] != 0; at += p[at] + 1u) {
		if (at + p[at] >= len || n + p[at] + 2 > sizeof(d->last))
			break;
		if (at > 0)
			d->last[n++] = '.';
		memcpy(d->last + n, p + at + 1, p[at]);
		n += p[at];
	}
	d->last[n] = '\0';
}

static void
answer(struct dnsbox *d, struct buf *b, const uint8_t *ask, size_t len)
{
	size_t asked = HEAD_LEN;

	while (asked < len && ask[asked] != 0)
		asked += ask[asked] + 1u;
	asked += 5; /* the root, type, class */
	if (asked > len)
		return;
	(void)pthread_mutex_lock(&d->lock);
	d->asked++;
	note_name(d, ask + HEAD_LEN, len - HEAD_LEN);
	dns_put_head(b, (uint16_t)(ask[0] << 8 | ask[1]), d->rcode, 1, d->n);
	assert_int_equal(buf_put(b, ask + HEAD_LEN, asked - HEAD_LEN), RK_OK);
	for (unsigned i = 0; i < d->n; i++)
		dns_put_srv(b, &d->list[i]);
	(void)pthread_mutex_unlock(&d->lock);
}

/* A datagram of one byte ends it. */
static void *
serve(void *arg)
{
	struct dnsbox *d = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t ask[1024];
	struct buf b;
	ssize_t n;

	while ((n = recvfrom(d->fd, ask, sizeof(ask), 0,
	            (struct sockaddr *)&from, &from_len)) != 1) {
		buf_init(&b, ANSWER_MAX);
		if (n > HEAD_LEN)
			answer(d, &b, ask, (size_t)n);
		if (buf_len(&b) > 0)
			(void)sendto(d->fd, buf_peek(&b), buf_len(&b), 0,
			    (struct sockaddr *)&from, from_len);
		buf_fini(&b);
		from_len = sizeof(from);
	}
	return NULL;
}

void
dns_start(struct dnsbox *d)
{
	socklen_t len = sizeof(d->addr);

	memset(d, 0, sizeof(*d));
	d->addr.sin_family = AF_INET;
	d->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(d->fd >= 0);
	assert_int_equal(
	    bind(d->fd, (struct sockaddr *)&d->addr, sizeof(d->addr)), 0);
	assert_int_equal(
	    getsockname(d->fd, (struct sockaddr *)&d->addr, &len), 0);
	(void)pthread_mutex_init(&d->lock, NULL);
	assert_int_equal(pthread_create(&d->thread, NULL, serve, d), 0);
}

void
dns_stop(struct dnsbox *d)
{
	assert_int_equal(sendto(d->fd, "", 1, 0, (struct sockaddr *)&d->addr,
	                     sizeof(d->addr)),
	    1);
	(void)pthread_join(d->thread, NULL);
	(void)pthread_mutex_destroy(&d->lock);
	(void)close(d->fd);
}

void
dns_set(
    struct dnsbox *d, unsigned rcode, const struct dns_srv *list, unsigned n)
{
	assert_true(n <= DNS_RECORDS);
	(void)pthread_mutex_lock(&d->lock);
	d->rcode = rcode;
	d->n = n;
	for (unsigned i = 0; i < n; i++)
		d->list[i] = list[i];
	(void)pthread_mutex_unlock(&d->lock);
}

unsigned
dns_asked(struct dnsbox *d)
{
	unsigned n;

	(void)pthread_mutex_lock(&d->lock);
	n = d->asked;
	(void)pthread_mutex_unlock(&d->lock);
	return n;
}

void
dns_check_last(struct dnsbox *d, const char *name)
{
	char last[sizeof(d->last)];

	(void)pthread_mutex_lock(&d->lock);
	memcpy(last, d->last, sizeof(last));
	(void)pthread_mutex_unlock(&d->lock);
	assert_string_equal(last, name);
}
