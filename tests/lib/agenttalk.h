/* Requests to an agent without a file behind it, and its answers; cmocka. */
#ifndef TEST_AGENTTALK_H
#define TEST_AGENTTALK_H

#include "agentrig.h"

struct talk {
	struct agentrig rig;
	struct buf args;
	struct buf reply;
	uint64_t now;
	uint32_t wait;
	uint8_t type; /* of the answer */
	struct bytes body;
};

static inline void
talk_init(struct talk *t)
{
	memset(t, 0, sizeof(*t));
	agentrig_init(&t->rig);
	buf_init(&t->args, AGENT_REQUEST_MAX);
	buf_init(&t->reply, AGENT_REPLY_MAX + 4096);
	t->now = 10;
}

static inline void
talk_fini(struct talk *t)
{
	buf_fini(&t->args);
	buf_fini(&t->reply);
	agentrig_fini(&t->rig);
}

/* The last frame of the answer. */
static inline void
take(struct talk *t)
{
	size_t used;

	t->type = 0;
	while (agent_frame(buf_peek(&t->reply), buf_len(&t->reply),
	           AGENT_REPLY_MAX, &t->type, &t->body, &used) == RK_OK)
		buf_consume(&t->reply, used);
	assert_int_equal(buf_len(&t->reply), 0);
}

static inline uint8_t
ask(struct talk *t, bool ssh, uint8_t type)
{
	struct bytes body = { .at = buf_peek(&t->args),
		.left = buf_len(&t->args) };

	assert_int_equal(
	    agent_handle(t->rig.agent, ssh ? &t->rig.ssh : &t->rig.own, t->now,
	        type, body, &t->reply, &t->wait),
	    RK_OK);
	buf_consume(&t->args, buf_len(&t->args));
	take(t);
	return t->type;
}

static inline void
poll_it(struct talk *t, uint32_t *wait)
{
	assert_int_equal(
	    agent_poll(t->rig.agent, t->now, &t->reply, wait), RK_OK);
	take(t);
}

#endif
