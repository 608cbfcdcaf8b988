/* What a vault's agent says, as far as a screen shows it: bytes to a model. */
#include "vault.h"

#include <string.h>

#include "base/agent_frame.h"

static size_t
put_number(uint8_t *out, size_t bytes, uint64_t n)
{
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
	return bytes;
}

size_t
vault_put(uint8_t out[VAULT_REQUEST_MAX], enum agent_type type, uint32_t id,
    bool yes, uint64_t ms)
{
	size_t n = 5;

	if (type != AGENT_WAITING)
		n += put_number(out + n, 4, id);
	if (type == AGENT_ANSWER) {
		n += put_number(out + n, 1, yes);
		n += put_number(out + n, 8, ms);
	}
	(void)put_number(out, 4, n - 4);
	out[4] = (uint8_t)type;
	return n;
}

/* ---- answers ---- */

/* What is left of a time, as the time of its end; UINT64_MAX is for ever. */
static int64_t
end_of(uint64_t left, int64_t now)
{
	return left < (uint64_t)(INT64_MAX - now) ? now + (int64_t)left
	                                          : INT64_MAX;
}

/* Told anew each time, a little later or earlier. */
static int64_t
steady(int64_t told, int64_t before)
{
	int64_t apart = told - before;

	return apart < 1000 && apart > -1000 ? before : told;
}

static bool
get_held(struct bytes *b, int64_t now, struct model_held *out)
{
	uint64_t left, yes;
	uint8_t confirm;

	memset(out, 0, sizeof(*out));
	if (!agent_get_text(b, out->name, sizeof(out->name)) ||
	    out->name[0] == '\0' || !bytes_get_u64(b, &left) ||
	    !bytes_get_u64(b, &out->used) || !bytes_get_u64(b, &out->left) ||
	    !bytes_get_u8(b, &confirm) || confirm > 1 ||
	    !bytes_get_u64(b, &yes) ||
	    !agent_get_text(b, out->last, sizeof(out->last)) ||
	    !agent_get_text(b, out->only, sizeof(out->only)))
		return false;
	out->until_ms = end_of(left, now);
	out->confirm = confirm == 1;
	out->yes_until_ms = yes > 0 ? end_of(yes, now) : 0;
	return true;
}

enum rk_err
vault_take_keys(
    struct model_agent *a, struct bytes body, int64_t now, bool *changed)
{
	struct model_held list[MODEL_HELD];
	struct model_held h;
	size_t n = 0, all = 0;

	*changed = false;
	memset(list, 0, sizeof(list));
	for (; body.left > 0; all++) {
		if (!get_held(&body, now, &h))
			return RK_EPROTO;
		if (n == MODEL_HELD)
			continue;
		if (n < a->n_held) {
			h.until_ms = steady(h.until_ms, a->held[n].until_ms);
			h.yes_until_ms =
			    steady(h.yes_until_ms, a->held[n].yes_until_ms);
		}
		list[n++] = h;
	}
	*changed = n != a->n_held || all - n != a->held_more ||
	           memcmp(list, a->held, sizeof(list)) != 0;
	memcpy(a->held, list, sizeof(list));
	a->n_held = n;
	a->held_more = all - n;
	return RK_OK;
}

static bool
get_asked(struct bytes *b, int64_t now, struct model_asked *out)
{
	uint64_t left;

	memset(out, 0, sizeof(*out));
	if (!bytes_get_u32(b, &out->id) || out->id == 0 ||
	    !agent_get_text(b, out->name, sizeof(out->name)) ||
	    out->name[0] == '\0' ||
	    !agent_get_text(b, out->what, sizeof(out->what)) ||
	    !agent_get_text(b, out->who, sizeof(out->who)) ||
	    !bytes_get_u64(b, &left))
		return false;
	out->until_ms = end_of(left, now);
	return true;
}

enum rk_err
vault_take_waiting(
    struct model_agent *a, struct bytes body, int64_t now, bool *changed)
{
	struct model_asked list[MODEL_ASKED];
	size_t n = 0;

	*changed = false;
	memset(list, 0, sizeof(list));
	while (body.left > 0) {
		if (n == MODEL_ASKED || !get_asked(&body, now, &list[n]))
			return RK_EPROTO;
		if (n < a->n_asked)
			list[n].until_ms =
			    steady(list[n].until_ms, a->asked[n].until_ms);
		n++;
	}
	*changed = n != a->n_asked || memcmp(list, a->asked, sizeof(list)) != 0;
	memcpy(a->asked, list, sizeof(list));
	a->n_asked = n;
	return RK_OK;
}
