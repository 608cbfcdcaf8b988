/* Hostile requests to keyvault's agent, on both its sockets: whole answers, and
 * no signature of what has no purpose. */
#include <stdlib.h>
#include <string.h>

#include "agentrig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers are whole frames of types that the socket has. */
static void
check_reply(const struct buf *reply, bool ssh)
{
	const uint8_t *at = buf_peek(reply);
	size_t left = buf_len(reply);
	struct bytes body;
	uint8_t type;
	size_t used;

	while (left > 0) {
		if (agent_frame(at, left, AGENT_REPLY_MAX, &type, &body,
		        &used) != RK_OK)
			abort();
		if (ssh != (type < AGENT_OK))
			abort();
		at += used;
		left -= used;
	}
}

/* Behind the first byte, which says how keys are opened, each request has one
 * that says by whom, and whether somebody says yes. */
static void
feed(struct agentrig *rig, const uint8_t *data, size_t size)
{
	const struct agent_asker *asker;
	struct bytes body;
	struct buf reply;
	uint64_t now = 1;
	uint32_t wait;
	uint8_t how;
	uint8_t type;
	size_t used;

	buf_init(&reply, AGENT_REPLY_MAX + 4096);
	while (size > 0) {
		how = *data++;
		size--;
		asker = (how & 1) != 0 ? &rig->ssh : &rig->own;
		now += how >> 4;
		if (agent_frame(data, size, AGENT_REQUEST_MAX, &type, &body,
		        &used) != RK_OK)
			break;
		if (agent_handle(rig->agent, asker, now, type, body, &reply,
		        &wait) != RK_OK)
			break;
		if (wait != 0 && (how & 2) != 0 &&
		    agent_answer(rig->agent, wait, (how & 4) != 0, now, 0,
		        "a test") != RK_OK)
			abort();
		if (wait != 0 &&
		    agent_poll(rig->agent, now, &reply, &wait) != RK_OK)
			abort();
		check_reply(&reply, asker->ssh);
		buf_consume(&reply, buf_len(&reply));
		data += used;
		size -= used;
	}
	buf_fini(&reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agentrig rig;
	struct buf reply;

	if (size == 0)
		return 0;
	agentrig_init(&rig);
	buf_init(&reply, AGENT_REPLY_MAX);
	if ((data[0] & 1) != 0 &&
	    agentrig_unlock(&rig, NULL, 1, (data[0] & 4) != 0 ? 2 : 1000,
	        (data[0] & 2) != 0, &reply) != RK_OK)
		abort();
	buf_fini(&reply);
	feed(&rig, data + 1, size - 1);
	agentrig_fini(&rig);
	return 0;
}
