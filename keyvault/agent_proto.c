/* What stands in the frames between keyvault and its agent. */
#include "agent_proto.h"

#include "base/error.h"
#include "base/str.h"

enum rk_err
agent_put_fail(struct buf *b, enum rk_err code, const char *text)
{
	size_t at;
	enum rk_err r;

	if ((r = agent_begin(b, AGENT_FAIL, &at)) != RK_OK ||
	    (r = agent_put_text(b, rk_err_name(code))) != RK_OK ||
	    (r = agent_put_text(b, text)) != RK_OK)
		return r;
	agent_end(b, at);
	return RK_OK;
}

enum rk_err
agent_put_key(struct buf *b, const struct agent_key *k)
{
	enum rk_err r;

	if ((r = agent_put_text(b, k->name)) != RK_OK ||
	    (r = bytes_put_u64(b, k->left_ms)) != RK_OK ||
	    (r = bytes_put_u64(b, k->used)) != RK_OK ||
	    (r = bytes_put_u64(b, k->uses_left)) != RK_OK ||
	    (r = bytes_put_u8(b, k->confirm)) != RK_OK ||
	    (r = bytes_put_u64(b, k->yes_ms)) != RK_OK)
		return r;
	if ((r = agent_put_text(b, k->last)) != RK_OK)
		return r;
	return agent_put_text(b, k->only);
}

/* Text that was escaped where it was made, once more if somebody did not. */
static bool
get_shown(struct bytes *b, char *out, size_t out_len)
{
	char text[AGENT_WHAT_MAX];

	if (!agent_get_text(b, text, out_len))
		return false;
	str_escape_again(out, out_len, text);
	return true;
}

static bool
get_name(struct bytes *b, char out[RECORD_NAME_MAX + 1])
{
	return agent_get_text(b, out, RECORD_NAME_MAX + 1) &&
	       record_name_fault(out) == NULL;
}

bool
agent_get_key(struct bytes *b, struct agent_key *out)
{
	char only[AGENT_ONLY_MAX];
	uint8_t confirm;

	memset(out, 0, sizeof(*out));
	if (!get_name(b, out->name) || !bytes_get_u64(b, &out->left_ms) ||
	    !bytes_get_u64(b, &out->used) ||
	    !bytes_get_u64(b, &out->uses_left) || !bytes_get_u8(b, &confirm) ||
	    confirm > 1 || !bytes_get_u64(b, &out->yes_ms) ||
	    !get_shown(b, out->last, sizeof(out->last)) ||
	    !agent_get_text(b, only, sizeof(only)))
		return false;
	(void)str_escape_again(out->only, sizeof(out->only), only);
	out->confirm = confirm == 1;
	return true;
}

enum rk_err
agent_put_waiting(struct buf *b, const struct agent_waiting *w)
{
	enum rk_err r;

	if ((r = bytes_put_u32(b, w->id)) != RK_OK ||
	    (r = agent_put_text(b, w->name)) != RK_OK ||
	    (r = agent_put_text(b, w->what)) != RK_OK ||
	    (r = agent_put_text(b, w->who)) != RK_OK)
		return r;
	return bytes_put_u64(b, w->left_ms);
}

bool
agent_get_waiting(struct bytes *b, struct agent_waiting *out)
{
	memset(out, 0, sizeof(*out));
	return bytes_get_u32(b, &out->id) && get_name(b, out->name) &&
	       get_shown(b, out->what, sizeof(out->what)) &&
	       get_shown(b, out->who, sizeof(out->who)) &&
	       bytes_get_u64(b, &out->left_ms);
}

enum rk_err
agent_put_status(struct buf *b, const struct agent_status *s)
{
	enum rk_err r;

	if ((r = bytes_put_u32(b, s->version)) != RK_OK ||
	    (r = bytes_put_string(b, s->id, sizeof(s->id))) != RK_OK ||
	    (r = agent_put_text(b, s->path)) != RK_OK ||
	    (r = bytes_put_u32(b, s->pid)) != RK_OK)
		return r;
	if ((r = bytes_put_u32(b, s->open)) != RK_OK)
		return r;
	if ((r = agent_put_text(b, s->asks)) != RK_OK)
		return r;
	if ((r = agent_put_text(b, s->fault)) != RK_OK)
		return r;
	return bytes_put_u32(b, s->swappable);
}

bool
agent_get_status(struct bytes *b, struct agent_status *out)
{
	char asks[AGENT_ASKS_MAX];
	char fault[AGENT_WHAT_MAX];
	uint32_t swappable;
	struct bytes id;

	memset(out, 0, sizeof(*out));
	if (!bytes_get_u32(b, &out->version) || !bytes_get_string(b, &id) ||
	    id.left != sizeof(out->id) ||
	    !agent_get_text(b, out->path, sizeof(out->path)) ||
	    !bytes_get_u32(b, &out->pid) || !bytes_get_u32(b, &out->open) ||
	    !agent_get_text(b, asks, sizeof(asks)) ||
	    !agent_get_text(b, fault, sizeof(fault)) ||
	    !bytes_get_u32(b, &swappable) || swappable > 1)
		return false;
	out->swappable = swappable == 1;
	(void)str_escape_again(out->fault, sizeof(out->fault), fault);
	(void)str_escape_again(out->asks, sizeof(out->asks), asks);
	memcpy(out->id, id.at, sizeof(out->id));
	return true;
}

enum rk_err
agent_put_record(struct buf *b, const struct record *rec)
{
	struct buf about;
	enum rk_err r;

	buf_init(&about, RECORD_ABOUT_MAX);
	if ((r = bytes_put_u8(b, (uint8_t)rec->kind)) == RK_OK &&
	    (r = record_encode(rec, &about)) == RK_OK)
		r = bytes_put_string(b, buf_peek(&about), buf_len(&about));
	buf_fini(&about);
	return r;
}

bool
agent_get_record(struct bytes *b, struct record *out)
{
	struct bytes about;
	uint8_t kind;

	memset(out, 0, sizeof(*out));
	if (!bytes_get_u8(b, &kind) ||
	    record_kind_name((enum record_kind)kind) == NULL ||
	    !bytes_get_string(b, &about) ||
	    record_decode(about.at, about.left, (enum record_kind)kind, out) !=
	        RK_OK)
		return false;
	out->kind = (enum record_kind)kind;
	return true;
}
