/* Records to bytes and back: one form, and nothing else is accepted. */
#include "record.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/str.h"

#define FORM 1

static const struct kind {
	enum record_kind kind;
	const char *name;
	size_t pub_len;
} kinds[] = {
	{ RECORD_ED25519, "ed25519", 32 },
	{ RECORD_PSK, "psk", 4 },
	{ RECORD_SECRET, "secret", 0 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *
find_kind(enum record_kind kind)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (kinds[i].kind == kind)
			return &kinds[i];
	}
	return NULL;
}

const char *
record_kind_name(enum record_kind kind)
{
	const struct kind *k = find_kind(kind);

	return k != NULL ? k->name : NULL;
}

enum rk_err
record_kind_parse(const char *name, enum record_kind *kind)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(kinds[i].name, name) == 0) {
			*kind = kinds[i].kind;
			return RK_OK;
		}
	}
	return RK_EINVAL;
}

/* ---- what may be ---- */

/* Nothing that is invisible or moves a cursor. */
static bool
is_plain(const char *s)
{
	char shown[RECORD_NOTE_MAX * 4 + 1];
	size_t len = strlen(s);

	if (str_plain(s, len) == len)
		return true;
	return strchr(s, '\\') == NULL &&
	       strcmp(str_escape(shown, sizeof(shown), s), s) == 0;
}

const char *
record_name_fault(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return "is empty";
	if (len > RECORD_NAME_MAX)
		return "is longer than 128 bytes";
	if (name[0] == '-')
		return "begins with a dash";
	if (name[0] == ' ' || name[len - 1] == ' ')
		return "begins or ends with a space";
	if (!is_plain(name))
		return "has characters that cannot be shown, or a backslash";
	return NULL;
}

const char *
record_note_fault(const char *note)
{
	if (strlen(note) > RECORD_NOTE_MAX)
		return "is longer than 1024 bytes";
	if (!is_plain(note))
		return "has characters that cannot be shown, or a backslash";
	return NULL;
}

const char *
record_tags_fault(const char *tags)
{
	size_t len = strlen(tags);

	if (len > RECORD_TAGS_MAX)
		return "are longer than 512 bytes";
	if (!is_plain(tags) || strchr(tags, ' ') != NULL)
		return "have characters that cannot be shown, or spaces";
	if (len > 0 && (tags[0] == ',' || tags[len - 1] == ',' ||
	                   strstr(tags, ",,") != NULL))
		return "are words without commas";
	return NULL;
}

const char *
record_secret_fault(enum record_kind kind, size_t len)
{
	if (kind != RECORD_SECRET)
		return len == RECORD_KEY_LEN ? NULL : "is not 32 bytes long";
	if (len == 0)
		return "is empty";
	return len <= RECORD_SECRET_MAX ? NULL : "is longer than 64 KiB";
}

/* ---- bytes ---- */

static enum rk_err
put_text(struct buf *out, const char *s)
{
	size_t len = strlen(s);
	enum rk_err r;

	if ((r = bytes_put_u16(out, (uint16_t)len)) != RK_OK)
		return r;
	return buf_put(out, s, len);
}

static bool
may_be(const struct record *rec)
{
	const struct kind *k = find_kind(rec->kind);

	return k != NULL && rec->pub_len == k->pub_len && rec->created >= 0 &&
	       rec->changed >= 0 && rec->expires >= 0 &&
	       record_name_fault(rec->name) == NULL &&
	       record_note_fault(rec->note) == NULL &&
	       record_tags_fault(rec->tags) == NULL;
}

enum rk_err
record_encode(const struct record *rec, struct buf *out)
{
	enum rk_err r;

	if (!may_be(rec))
		return RK_EINVAL;
	if ((r = bytes_put_u8(out, FORM)) != RK_OK ||
	    (r = bytes_put_u64(out, (uint64_t)rec->created)) != RK_OK ||
	    (r = bytes_put_u64(out, (uint64_t)rec->changed)) != RK_OK ||
	    (r = bytes_put_u64(out, (uint64_t)rec->expires)) != RK_OK ||
	    (r = put_text(out, rec->name)) != RK_OK ||
	    (r = put_text(out, rec->note)) != RK_OK ||
	    (r = put_text(out, rec->tags)) != RK_OK)
		return r;
	return buf_put(out, rec->pub, rec->pub_len);
}

/* Text of at most max bytes, which has no NUL. */
static bool
get_text(struct bytes *b, char *dst, size_t max)
{
	uint16_t len;
	const uint8_t *p;

	if (!bytes_get_u16(b, &len) || len > max || !bytes_get(b, len, &p) ||
	    memchr(p, 0, len) != NULL)
		return false;
	memcpy(dst, p, len);
	dst[len] = '\0';
	return true;
}

static bool
get_time(struct bytes *b, int64_t *out)
{
	uint64_t value;

	if (!bytes_get_u64(b, &value) || value > INT64_MAX)
		return false;
	*out = (int64_t)value;
	return true;
}

enum rk_err
record_decode(
    const uint8_t *data, size_t len, enum record_kind kind, struct record *out)
{
	const struct kind *k = find_kind(kind);
	struct bytes b = { .at = data, .left = len };
	const uint8_t *pub;
	uint8_t form;

	memset(out, 0, sizeof(*out));
	if (k == NULL || !bytes_get_u8(&b, &form) || form != FORM ||
	    !get_time(&b, &out->created) || !get_time(&b, &out->changed) ||
	    !get_time(&b, &out->expires) ||
	    !get_text(&b, out->name, RECORD_NAME_MAX) ||
	    !get_text(&b, out->note, RECORD_NOTE_MAX) ||
	    !get_text(&b, out->tags, RECORD_TAGS_MAX) ||
	    !bytes_get(&b, k->pub_len, &pub) || b.left != 0)
		return RK_EFORMAT;
	out->kind = kind;
	out->pub_len = k->pub_len;
	if (k->pub_len > 0)
		memcpy(out->pub, pub, k->pub_len);
	return may_be(out) ? RK_OK : RK_EFORMAT;
}
