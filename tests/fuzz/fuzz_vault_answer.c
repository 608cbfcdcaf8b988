/* Hostile answers of an agent, and bytes that are to be signed: what is read is
 * what would be written, and nothing has two purposes. */
#include <stdlib.h>
#include <string.h>

#include "keyvault/agent_proto.h"
#include "keyvault/purpose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_parts(uint8_t which, struct bytes b)
{
	struct agent_waiting w;
	struct agent_status s;
	struct agent_key k;
	struct rk_error err;
	struct record rec;
	uint8_t bytes[AGENT_SIG_LEN];
	struct bytes gift;
	struct bytes all = b;
	bool asks;
	uint8_t uses;

	switch (which % 8) {
	case 0:
		if (agent_get_key(&b, &k) && record_name_fault(k.name) != NULL)
			abort();
		break;
	case 1:
		if (agent_get_waiting(&b, &w) && strchr(w.who, '\033') != NULL)
			abort();
		break;
	case 2:
		if (agent_get_status(&b, &s) && s.path[sizeof(s.path) - 1])
			abort();
		break;
	case 3:
		if (agent_get_record(&b, &rec) &&
		    record_name_fault(rec.name) != NULL)
			abort();
		break;
	case 5:
		if (agent_get_signature(&b, bytes) && b.left != 0)
			abort();
		break;
	case 6:
		if (agent_get_public(&b, bytes, &asks, &uses) && b.left != 0)
			abort();
		break;
	case 7:
		/* Nothing but its length before it, and nothing behind it. */
		if (agent_get_gift(&b, &gift) &&
		    (gift.left == 0 || gift.left > AGENT_GIFT_MAX ||
		        gift.at != all.at + 4 || gift.left != all.left - 4))
			abort();
		break;
	default:
		if (agent_get_fail(&b, &err) == RK_OK ||
		    strchr(err.text, '\n') != NULL)
			abort();
	}
}

/* Nothing in it does what it likes with a terminal. */
static bool
is_shown(const char text[PURPOSE_TEXT_MAX])
{
	if (memchr(text, '\0', PURPOSE_TEXT_MAX) == NULL)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pub[RK_KEY_PUBLIC_LEN] = { 0x29 };
	struct purpose_view ssh;
	struct purpose_view proof;
	struct bytes body;
	uint8_t type;
	size_t used;
	bool both;

	if (size == 0)
		return 0;
	if (agent_frame(data + 1, size - 1, AGENT_REPLY_MAX, &type, &body,
	        &used) == RK_OK &&
	    used > size - 1)
		abort();
	try_parts(data[0], (struct bytes){ .at = data + 1, .left = size - 1 });
	both = purpose_of_ssh(data + 1, size - 1, pub, &ssh) == RK_OK;
	both =
	    purpose_of_proof(data + 1, size - 1, pub, &proof) == RK_OK && both;
	/* A session's proof is asked for both ways, and the same in both. */
	if ((both && (ssh.is != proof.is || ssh.is != PURPOSE_SESSION)) ||
	    (proof.is != PURPOSE_NONE && purpose_use(proof.is) == 0) ||
	    !is_shown(proof.text))
		abort();
	return 0;
}
