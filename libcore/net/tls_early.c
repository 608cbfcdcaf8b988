/* Early data in a TLS layer: sent, taken, sent once more. */
#include "net/loop.h"
#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* ---- a client ---- */

size_t
tls_early_max(const struct tls *t)
{
	const SSL_SESSION *s = SSL_get0_session(t->ssl);
	uint32_t max;

	if (t->server || t->begun || s == NULL || !tls_ctx_early(t->ctx))
		return 0;
	max = SSL_SESSION_get_max_early_data(s);
	return max < TLS_EARLY_MAX ? max : TLS_EARLY_MAX;
}

enum rk_err
tls_early_put(struct tls *t, const uint8_t *src, size_t len)
{
	size_t max = tls_early_max(t);

	if (max < buf_len(&t->early) || len > max - buf_len(&t->early))
		return RK_EAGAIN;
	return buf_put(&t->early, src, len);
}

enum rk_err
tls_early_send(struct tls *t)
{
	size_t len = buf_len(&t->early);
	size_t n;

	if (t->begun || len == 0)
		return RK_OK;
	/* All goes into io.out, which is empty: there is no half of it. */
	if (SSL_write_early_data(t->ssl, buf_peek(&t->early), len, &n) == 1)
		return RK_OK;
	return tls_end_handshake(t, SSL_get_error(t->ssl, 0));
}

void
tls_early_settle(struct tls *t)
{
	if (t->server)
		return;
	/* It may be another than was remembered. */
	OPENSSL_free(t->cert);
	t->cert = NULL;
	t->early_used =
	    SSL_get_early_data_status(t->ssl) == SSL_EARLY_DATA_ACCEPTED;
	if (t->early_used)
		buf_fini(&t->early);
}

enum rk_err
tls_early_resend(struct tls *t)
{
	enum rk_err r = RK_OK;
	size_t n;

	if (t->server || buf_len(&t->early) == 0)
		return RK_OK;
	while (r == RK_OK && buf_len(&t->early) > 0) {
		r = tls_seal(t, buf_peek(&t->early), buf_len(&t->early), &n);
		buf_consume(&t->early, n);
	}
	if (r == RK_OK)
		buf_fini(&t->early);
	return r;
}

/* ---- a server ---- */

/*
 * One record of them at most: the rest is for recv(), when the owner has
 * decided.  They lie in memory of ours, as the scratch is others' by then.
 */
enum rk_err
tls_early_accept(struct tls *t)
{
	uint8_t *p = loop_scratch(t->io.loop, LOOP_SCRATCH_PLAIN);
	size_t n = 0;
	int why;

	if (t->early_over || !tls_ctx_early(t->ctx))
		return RK_OK;
	switch (SSL_read_early_data(t->ssl, p, TLS_EARLY_MAX, &n)) {
	case SSL_READ_EARLY_DATA_SUCCESS:
		if (buf_put(&t->early, p, n) != RK_OK)
			return tls_end(t, TLS_BROKEN, RK_ENOMEM);
		break;
	case SSL_READ_EARLY_DATA_FINISH:
		t->early_over = true;
		break;
	default:
		why = SSL_get_error(t->ssl, 0);
		if (why != SSL_ERROR_WANT_READ)
			return tls_end_handshake(t, why);
		if (SSL_get_early_data_status(t->ssl) !=
		    SSL_EARLY_DATA_ACCEPTED)
			return RK_EAGAIN;
		break;
	}
	if (SSL_get_early_data_status(t->ssl) == SSL_EARLY_DATA_ACCEPTED) {
		t->state = TLS_EARLY;
		t->early_used = true;
	}
	return RK_OK;
}

/* They are over: the client's last words of the handshake. */
static void
finish(struct tls *t)
{
	int n = SSL_do_handshake(t->ssl);
	int why;

	if (n == 1) {
		t->state = TLS_OPEN;
		return;
	}
	why = SSL_get_error(t->ssl, n);
	if (why != SSL_ERROR_WANT_READ)
		(void)tls_end_handshake(t, why);
}

size_t
tls_early_read(struct tls *t, uint8_t *dst, size_t cap)
{
	size_t got = 0;
	size_t n;
	int idle = 0;
	int why;

	while (got < cap && !t->early_over) {
		switch (SSL_read_early_data(t->ssl, dst + got, cap - got, &n)) {
		case SSL_READ_EARLY_DATA_SUCCESS:
			got += n;
			idle = 0;
			continue;
		case SSL_READ_EARLY_DATA_FINISH:
			t->early_over = true;
			continue;
		default:
			break;
		}
		why = SSL_get_error(t->ssl, 0);
		if (why == SSL_ERROR_WANT_READ && t->io.dry)
			return got;
		if (why != SSL_ERROR_WANT_READ)
			(void)tls_end_handshake(t, why);
		else if (++idle > TLS_IDLE_RECORDS_MAX)
			tls_end_flooded(t, "too many TLS records without data");
		if (t->state != TLS_EARLY)
			return got;
	}
	if (t->early_over)
		finish(t);
	return got;
}

size_t
tls_early_take(struct tls *t, uint8_t *dst, size_t cap)
{
	size_t n = buf_len(&t->early) < cap ? buf_len(&t->early) : cap;

	if (!t->server || n == 0)
		return 0;
	memcpy(dst, buf_peek(&t->early), n);
	buf_consume(&t->early, n);
	if (buf_len(&t->early) == 0)
		buf_fini(&t->early);
	return n;
}
