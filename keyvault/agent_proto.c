/* Frames between keyvault and its agent, and what stands in them. */
#include "agent_proto.h"

#include "base/error.h"
#include "base/str.h"

#define HEAD 5 /* the length and the type */

enum rk_err
agent_frame(const uint8_t *data, size_t len, size_t max, uint8_t *type,
    struct bytes *body, size_t *used)
{
	struct bytes b = { .at = data, .left = len };
	uint32_t size;

	if (!bytes_get_u32(&b, &size))
		return RK_EAGAIN;
	if (size == 0 || size > max)
		return RK_EPROTO;
	if (b.left < size)
		return RK_EAGAIN;
	b.left = size;
	if (!bytes_get_u8(&b, type))
		return RK_EPROTO;
	*body = b;
	*used = 4 + (size_t)size;
	return RK_OK;
}

enum rk_err
agent_begin(struct buf *b, uint8_t type, size_t *at)
{
	enum rk_err r;

	*at = buf_len(b);
	if ((r = bytes_put_u32(b, 0)) != RK_OK)
		return r;
	return bytes_put_u8(b, type);
}

void
agent_end(struct buf *b, size_t at)
{
	size_t size = buf_len(b) - at - 4;
	uint8_t *p = b->data + b->head + at;

	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(size >> (8 * (3 - i)));
}

enum rk_err
agent_put_text(struct buf *b, const char *text)
{
	return bytes_put_string(b, text, strlen(text));
}

bool
agent_get_text(struct bytes *b, char *out, size_t out_len)
{
	struct bytes s;

	out[0] = '\0';
	if (!bytes_get_string(b, &s) || s.left >= out_len ||
	    (s.left > 0 && memchr(s.at, '\0', s.left) != NULL))
		return false;
	if (s.left > 0)
		memcpy(out, s.at, s.left);
	out[s.left] = '\0';
	return true;
}

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
agent_get_fail(struct bytes *b, struct rk_error *err)
{
	char name[64];
	char text[RK_ERROR_TEXT_LEN];
	char shown[RK_ERROR_TEXT_LEN];

	if (!agent_get_text(b, name, sizeof(name)) ||
	    !agent_get_text(b, text, sizeof(text)) || b->left != 0)
		return err_set(
		    err, RK_EPROTO, "agent: an answer that cannot be read");
	str_escape_again(shown, sizeof(shown), text);
	for (int i = 1; i < RK_ERR_COUNT; i++) {
		if (strcmp(rk_err_name((enum rk_err)i), name) == 0)
			return err_set(err, (enum rk_err)i, "%s", shown);
	}
	return err_set(err, RK_EFAIL, "%s", shown);
}

/* ---- parts ---- */

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
	return agent_put_text(b, k->last);
}

/* Text that was escaped where it was made, once more if somebody did not. */
static bool
get_shown(struct bytes *b, char out[AGENT_WHO_MAX])
{
	char text[AGENT_WHO_MAX];

	if (!agent_get_text(b, text, sizeof(text)))
		return false;
	str_escape_again(out, AGENT_WHO_MAX, text);
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
	uint8_t confirm;

	memset(out, 0, sizeof(*out));
	if (!get_name(b, out->name) || !bytes_get_u64(b, &out->left_ms) ||
	    !bytes_get_u64(b, &out->used) ||
	    !bytes_get_u64(b, &out->uses_left) || !bytes_get_u8(b, &confirm) ||
	    confirm > 1 || !bytes_get_u64(b, &out->yes_ms) ||
	    !get_shown(b, out->last))
		return false;
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
	       get_shown(b, out->what) && get_shown(b, out->who) &&
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
	return bytes_put_u32(b, s->open);
}

bool
agent_get_status(struct bytes *b, struct agent_status *out)
{
	struct bytes id;

	memset(out, 0, sizeof(*out));
	if (!bytes_get_u32(b, &out->version) || !bytes_get_string(b, &id) ||
	    id.left != sizeof(out->id) ||
	    !agent_get_text(b, out->path, sizeof(out->path)) ||
	    !bytes_get_u32(b, &out->pid) || !bytes_get_u32(b, &out->open))
		return false;
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
