/* Built-in methods by which clients say what they want pushed. */
#include "rpc/server_int.h"
#include "rpc/topic.h"

#define STR_(n) #n
#define STR(n) STR_(n)

static bool
may_subscribe(const struct rk_call *call, struct rk_str subject)
{
	const struct rk_server_conf *conf = &rk_call_server(call)->conf;

	return conf->may_subscribe == NULL ||
	       conf->may_subscribe(
	           rk_call_peer(call), subject, conf->subscribe_arg);
}

static const char *
text_of(enum rk_err r)
{
	if (r == RK_EINVAL)
		return "a subject has 1 to " STR(RK_TOPIC_MAX) " bytes";
	if (r == RK_ELIMIT)
		return "a connection has at most " STR(
		    RK_SUBSCRIPTIONS_MAX) " subjects";
	return rk_err_text(r);
}

void
server_subscribe(struct rk_call *call, void *arg)
{
	struct rk_str s = topic_asked(rk_call_payload(call), "subject");
	struct server_conn *c = call->conn;
	enum rk_err r;

	(void)arg;
	if (s.len != 0 && s.len <= RK_TOPIC_MAX && !may_subscribe(call, s)) {
		(void)rk_call_fail(
		    call, "not allowed for this caller", NULL, 0);
		return;
	}
	r = subs_add(&c->worker->subs, &c->subs, s);
	if (r == RK_OK)
		(void)rk_call_reply(call, NULL, 0);
	else
		(void)rk_call_fail(call, text_of(r), NULL, 0);
}

void
server_unsubscribe(struct rk_call *call, void *arg)
{
	struct rk_str s = topic_asked(rk_call_payload(call), "subject");
	struct server_conn *c = call->conn;

	(void)arg;
	subs_remove(&c->worker->subs, &c->subs, s);
	(void)rk_call_reply(call, NULL, 0);
}
