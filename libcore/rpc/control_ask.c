/* What a control pushes of keys that wait, and of decisions about them. */
#include "rpc/control_int.h"

#include "base/container.h"
#include "base/error.h"
#include "trust/policy.h"
#include "trust/room.h"

#include <stdlib.h>
#include <string.h>

struct rk_trust *
control_trust(const struct rk_control *c)
{
	const struct creds *now = TAILQ_FIRST(&c->server->creds);

	return now != NULL ? now->trust.trust : NULL;
}

/* ---- showing ---- */

void
control_put_time(struct kv *k, const char *key, int64_t sec)
{
	if (sec != 0)
		kv_pair_time(k, key, sec);
	else
		kv_pair_text(k, key, "");
}

void
control_put_memo(struct kv *k, const struct rk_ask_entry *e)
{
	uint32_t n = 0;

	kv_pair_text(k, "note", e->note);
	kv_pair_text(k, "who", e->who);
	control_put_time(k, "decided", e->decided);
	control_put_time(k, "until", e->until);
	control_put_time(k, "cert_from", e->cert_from);
	control_put_time(k, "cert_until", e->cert_until);
	while (n < RK_ASK_ADDRESSES && e->addresses[n][0] != '\0')
		n++;
	kv_text(k, "addresses");
	kv_array(k, n);
	for (uint32_t i = 0; i < n; i++)
		kv_text(k, e->addresses[i]);
}

/* As a store keeps it, which has no ports; what is at no host is as it is. */
static void
put_host(struct kv *k, const char *remote)
{
	char host[128] = "";

	if (strstr(remote, "://") != NULL)
		room_host(remote, host, sizeof(host));
	kv_pair_text(k, "address", host[0] != '\0' ? host : remote);
}

void
control_put_entry(
    struct kv *k, struct rk_trust *trust, const struct rk_ask_entry *e)
{
	control_put_entry_as(k, trust, e, rk_ask_status_name(e->status));
}

void
control_put_entry_as(struct kv *k, struct rk_trust *trust,
    const struct rk_ask_entry *e, const char *state)
{
	char other[RK_FP_LEN] = "";

	if (trust != NULL)
		policy_other(trust, e, other);
	kv_pair_text(k, "state", state);
	kv_pair_text(k, "email", e->email);
	kv_pair_text(k, "fingerprint", e->fp);
	kv_pair_uint(k, "tries", e->tries);
	control_put_time(k, "last_seen", e->last_seen);
	put_host(k, e->remote);
	control_put_time(k, "first_seen", e->first_seen);
	kv_pair_text(k, "ca", e->ca);
	kv_pair_uint(k, "waiting", e->conns);
	kv_pair_bool(k, "met", e->has_cert);
	kv_pair_uint(k, "version", e->version);
	kv_pair_text(k, "other", other);
	kv_pair_text(k, "cn", e->cn);
	control_put_memo(k, e);
}

/* The mode goes along with the news that it has changed. */
static void
show_news(struct rk_control *c, const struct control_news *news)
{
	static const char *const names[] = {
		[RK_ASK_ARRIVED] = "arrived",
		[RK_ASK_AGAIN] = "again",
		[RK_ASK_DECIDED] = "decided",
		[RK_ASK_GONE] = "gone",
		[RK_ASK_MODE] = "mode",
	};
	struct rk_trust *trust = control_trust(c);
	struct buf b;
	struct kv k;

	if (news->event != RK_ASK_MODE) {
		control_event_begin(
		    &k, &b, CONTROL_ENTRY_PAIRS, names[news->event]);
		control_put_entry(&k, trust, &news->entry);
	} else {
		control_event_begin(
		    &k, &b, trust != NULL ? 1 : 0, names[news->event]);
		if (trust != NULL)
			control_put_trust(&k, c, trust);
	}
	control_event_push(c, &k, CONTROL_OF_TRUST);
	buf_fini(&b);
}

/* ---- from other threads ---- */

static void
on_news(struct mail *m)
{
	struct rk_control *c = container_of(m, struct rk_control, ask.mail);
	struct control_newses now = TAILQ_HEAD_INITIALIZER(now);
	struct control_news *news;
	struct control_reader *r;
	uint64_t dropped;

	(void)pthread_mutex_lock(&c->ask.lock);
	TAILQ_CONCAT(&now, &c->ask.queue, link);
	c->ask.n_queue = 0;
	dropped = c->ask.dropped;
	c->ask.dropped = 0;
	(void)pthread_mutex_unlock(&c->ask.lock);
	while ((news = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, news, link);
		if (!c->stopping)
			show_news(c, news);
		free(news);
	}
	TAILQ_FOREACH (r, &c->readers, link) {
		if (r->trust)
			r->lost += dropped;
	}
}

/* rk_ask_fn: any thread, with the locks of the list held. */
static void
on_event(enum rk_ask_event event, const struct rk_ask_entry *entry, void *arg)
{
	struct rk_control *c = arg;
	struct control_news *news = calloc(1, sizeof(*news));

	if (news != NULL) {
		news->event = event;
		if (entry != NULL)
			news->entry = *entry;
	}
	(void)pthread_mutex_lock(&c->ask.lock);
	if (news != NULL && c->ask.n_queue < CONTROL_NEWS) {
		TAILQ_INSERT_TAIL(&c->ask.queue, news, link);
		c->ask.n_queue++;
		news = NULL;
	} else {
		c->ask.dropped++;
	}
	(void)pthread_mutex_unlock(&c->ask.lock);
	free(news);
	mailbox_put(c->log.box, &c->ask.mail);
}

enum rk_err
control_ask_open(struct rk_control *c)
{
	struct rk_trust *trust = control_trust(c);

	c->ask.mail.fn = on_news;
	if (trust == NULL)
		return RK_OK;
	return rk_ask_watch_new(trust, on_event, c, &c->ask.watch);
}

void
control_ask_close(struct rk_control *c)
{
	rk_ask_watch_free(c->ask.watch);
	c->ask.watch = NULL;
}

void
control_on_replaced(struct server_watch *w)
{
	struct rk_control *c = control_of(w);
	struct rk_ask_watch *before = c->ask.watch;

	c->ask.watch = NULL;
	if (control_ask_open(c) == RK_OK) {
		rk_ask_watch_free(before);
		return;
	}
	c->ask.watch = before; /* the table is the same, most of the time */
	log_event(RK_LOG_WARN, "control", "no memory to watch another list");
}

void
control_ask_init(struct rk_control *c)
{
	TAILQ_INIT(&c->ask.queue);
	(void)pthread_mutex_init(&c->ask.lock, NULL); /* plain: cannot fail */
}

void
control_ask_fini(struct rk_control *c)
{
	struct control_news *news;

	while ((news = TAILQ_FIRST(&c->ask.queue)) != NULL) {
		TAILQ_REMOVE(&c->ask.queue, news, link);
		free(news);
	}
	(void)pthread_mutex_destroy(&c->ask.lock);
}
