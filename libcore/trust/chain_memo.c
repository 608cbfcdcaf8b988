/* Leaves let through before: what cannot change about them. */
#include "trust/chain_memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

struct entry {
	struct entry *next;
	struct chain_memo_key key;
	struct chain_memory memory;
};

struct chain_memo {
	pthread_mutex_t mutex; /* over what follows */
	struct entry *first;   /* the most recently asked */
	size_t n;
};

void
chain_memo_key(
    struct rk_bytes leaf, enum chain_usage usage, struct chain_memo_key *out)
{
	crypt_sha256(out->hash, leaf.ptr, leaf.len);
	out->usage = usage;
}

bool
chain_memory_make(
    const X509 *x, const struct rk_cert_info *info, struct chain_memory *out)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	int len = ASN1_STRING_length(serial);

	if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || len <= 0 ||
	    len > CHAIN_SERIAL_MAX)
		return false;
	*out =
	    (struct chain_memory){ .info = *info, .serial_len = (size_t)len };
	memcpy(out->serial, ASN1_STRING_get0_data(serial), out->serial_len);
	return true;
}

ASN1_INTEGER *
chain_memory_serial(const struct chain_memory *m)
{
	ASN1_INTEGER *serial = ASN1_INTEGER_new();

	if (serial != NULL &&
	    ASN1_STRING_set(serial, m->serial, (int)m->serial_len) == 1)
		return serial;
	ASN1_INTEGER_free(serial);
	return NULL;
}

struct chain_memo *
chain_memo_new(void)
{
	struct chain_memo *memo = calloc(1, sizeof(*memo));

	/* Cannot fail with default attributes. */
	if (memo != NULL)
		(void)pthread_mutex_init(&memo->mutex, NULL);
	return memo;
}

void
chain_memo_free(struct chain_memo *memo)
{
	if (memo == NULL)
		return;
	while (memo->first != NULL) {
		struct entry *e = memo->first;

		memo->first = e->next;
		free(e);
	}
	(void)pthread_mutex_destroy(&memo->mutex);
	free(memo);
}

static bool
is_of(const struct entry *e, const struct chain_memo_key *key)
{
	return e->key.usage == key->usage &&
	       memcmp(e->key.hash, key->hash, sizeof(key->hash)) == 0;
}

static void
push(struct chain_memo *memo, struct entry *e)
{
	e->next = memo->first;
	memo->first = e;
	memo->n++;
}

/* Take this one out; NULL when it is not there. */
static struct entry *
take(struct chain_memo *memo, const struct chain_memo_key *key)
{
	struct entry **at = &memo->first;
	struct entry *e;

	while (*at != NULL && !is_of(*at, key))
		at = &(*at)->next;
	if ((e = *at) == NULL)
		return NULL;
	*at = e->next;
	memo->n--;
	return e;
}

/* Take the least recently asked out; there is one. */
static struct entry *
take_last(struct chain_memo *memo)
{
	struct entry **at = &memo->first;
	struct entry *e;

	while ((*at)->next != NULL)
		at = &(*at)->next;
	e = *at;
	*at = NULL;
	memo->n--;
	return e;
}

bool
chain_memo_find(struct chain_memo *memo, const struct chain_memo_key *key,
    struct chain_memory *out)
{
	struct entry *e;

	(void)pthread_mutex_lock(&memo->mutex);
	if ((e = take(memo, key)) != NULL) {
		push(memo, e);
		*out = e->memory;
	}
	(void)pthread_mutex_unlock(&memo->mutex);
	return e != NULL;
}

size_t
chain_memo_copy(
    struct chain_memo *memo, enum chain_usage usage, struct chain_memory *out)
{
	const struct entry *e;
	size_t n = 0;

	(void)pthread_mutex_lock(&memo->mutex);
	for (e = memo->first; e != NULL; e = e->next) {
		if (e->key.usage == usage)
			out[n++] = e->memory;
	}
	(void)pthread_mutex_unlock(&memo->mutex);
	return n;
}

void
chain_memo_put(struct chain_memo *memo, const struct chain_memo_key *key,
    const struct chain_memory *m)
{
	struct entry *made = malloc(sizeof(*made));
	struct entry *old;

	if (made == NULL)
		return;
	made->key = *key;
	made->memory = *m;
	(void)pthread_mutex_lock(&memo->mutex);
	old = take(memo, key);
	if (old == NULL && memo->n == CHAIN_MEMO_MAX)
		old = take_last(memo);
	push(memo, made);
	(void)pthread_mutex_unlock(&memo->mutex);
	free(old);
}
