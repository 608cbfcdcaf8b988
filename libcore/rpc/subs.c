/* Who subscribed to which subject, on one loop. */
#include "rpc/subs.h"

#include <rpckit/secret.h>

#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 16

struct sub {
	LIST_ENTRY(sub) chain;
	LIST_ENTRY(sub) mate; /* of the same subscriber */
	struct subs_of *of;
	uint64_t hash;
	size_t len;
	char subject[];
};

void
subs_init(struct subs *t)
{
	*t = (struct subs){ 0 };
	rk_random(t->key, sizeof(t->key));
}

void
subs_fini(struct subs *t)
{
	free(t->chains);
	*t = (struct subs){ 0 };
}

static struct sub_list *
chain_of(const struct subs *t, uint64_t hash)
{
	return &t->chains[hash & (t->n_chains - 1)];
}

static bool
is_about(const struct sub *s, struct rk_str subject)
{
	return s->len == subject.len &&
	       memcmp(s->subject, subject.ptr, s->len) == 0;
}

static struct sub *
find(const struct subs_of *of, struct rk_str subject)
{
	struct sub *s;

	LIST_FOREACH(s, &of->list, mate)
	{
		if (is_about(s, subject))
			return s;
	}
	return NULL;
}

static enum rk_err
resize(struct subs *t, size_t n_chains)
{
	struct subs old = *t;
	struct sub *s;

	t->chains = calloc(n_chains, sizeof(*t->chains));
	if (t->chains == NULL) {
		t->chains = old.chains;
		return RK_ENOMEM;
	}
	t->n_chains = n_chains;
	for (size_t i = 0; i < old.n_chains; i++) {
		while ((s = LIST_FIRST(&old.chains[i])) != NULL) {
			LIST_REMOVE(s, chain);
			LIST_INSERT_HEAD(chain_of(t, s->hash), s, chain);
		}
	}
	free(old.chains);
	return RK_OK;
}

/* Where there is no memory for more, longer chains do: slower, and no more. */
static enum rk_err
make_room(struct subs *t)
{
	if (t->chains == NULL)
		return resize(t, CHAINS_MIN);
	if (t->n >= 2 * t->n_chains)
		(void)resize(t, 2 * t->n_chains);
	return RK_OK;
}

enum rk_err
subs_add(struct subs *t, struct subs_of *of, struct rk_str subject)
{
	struct sub *s;

	if (subject.len == 0 || subject.len > RK_TOPIC_MAX)
		return RK_EINVAL;
	if (find(of, subject) != NULL)
		return RK_OK;
	if (of->n >= RK_SUBSCRIPTIONS_MAX)
		return RK_ELIMIT;
	if (make_room(t) != RK_OK)
		return RK_ENOMEM;
	s = malloc(sizeof(*s) + subject.len);
	if (s == NULL)
		return RK_ENOMEM;
	s->of = of;
	s->hash = crypt_short_hash(t->key, subject.ptr, subject.len);
	s->len = subject.len;
	memcpy(s->subject, subject.ptr, subject.len);
	LIST_INSERT_HEAD(chain_of(t, s->hash), s, chain);
	LIST_INSERT_HEAD(&of->list, s, mate);
	t->n++;
	of->n++;
	return RK_OK;
}

static void
take_out(struct subs *t, struct sub *s)
{
	LIST_REMOVE(s, chain);
	LIST_REMOVE(s, mate);
	t->n--;
	s->of->n--;
	free(s);
}

void
subs_remove(struct subs *t, struct subs_of *of, struct rk_str subject)
{
	struct sub *s = find(of, subject);

	if (s != NULL)
		take_out(t, s);
}

void
subs_drop(struct subs *t, struct subs_of *of)
{
	struct sub *s;

	while ((s = LIST_FIRST(&of->list)) != NULL)
		take_out(t, s);
}

void
subs_each(const struct subs *t, struct rk_str subject,
    void (*fn)(struct subs_of *of, void *arg), void *arg)
{
	struct sub *s;
	uint64_t hash;

	if (t->n == 0)
		return;
	hash = crypt_short_hash(t->key, subject.ptr, subject.len);
	LIST_FOREACH(s, chain_of(t, hash), chain)
	{
		if (s->hash == hash && is_about(s, subject))
			fn(s->of, arg);
	}
}
