/* What a signature would be for: the to-be-signed parts of X.509 (RFC 5280). */
#include "purpose.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/str.h"

enum tag {
	TAG_BOOLEAN = 0x01,
	TAG_INTEGER = 0x02,
	TAG_BITS = 0x03,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_UTC = 0x17,
	TAG_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_0 = 0xa0,
	TAG_3 = 0xa3
};

/* Of a general name (RFC 5280, 4.2.1.6). */
enum name_tag {
	NAME_EMAIL = 0x81,
	NAME_DNS = 0x82,
	NAME_URI = 0x86,
	NAME_IP = 0x87
};

#define SHOWN PURPOSE_QUOTED
#define DATE_LEN 11 /* "2026-11-27" */
#define MORE_LEN 48 /* ", and so many more names" */

/* 1.3.101.112, alone: Ed25519 has no parameters. */
static const uint8_t ed25519[] = { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70 };
static const uint8_t common_name[] = { 0x55, 0x04, 0x03 };
static const uint8_t basic_constraints[] = { 0x55, 0x1d, 0x13 };
static const uint8_t alternative_names[] = { 0x55, 0x1d, 0x11 };

/* ---- DER ---- */

/* The length of what follows, in the one form that is allowed. */
static bool
get_len(struct bytes *in, size_t *len)
{
	uint8_t first;
	uint8_t byte;

	if (!bytes_get_u8(in, &first))
		return false;
	*len = first;
	if (first < 0x80)
		return true;
	*len = 0;
	if (first < 0x81 || first > 0x83)
		return false;
	for (unsigned i = 0; i < first - 0x80u; i++) {
		if (!bytes_get_u8(in, &byte) || (i == 0 && byte == 0))
			return false;
		*len = *len << 8 | byte;
	}
	return *len >= 0x80;
}

static bool
get(struct bytes *in, uint8_t tag, struct bytes *out)
{
	uint8_t got;
	size_t len;

	if (!bytes_get_u8(in, &got) || got != tag || !get_len(in, &len) ||
	    len > in->left)
		return false;
	out->left = len;
	return bytes_get(in, len, &out->at);
}

static bool
is_next(const struct bytes *in, uint8_t tag)
{
	return in->left > 0 && in->at[0] == tag;
}

static bool
are(const struct bytes *b, const uint8_t *want, size_t len)
{
	return b->left == len && memcmp(b->at, want, len) == 0;
}

/* INTEGER of one byte. */
static bool
get_number(struct bytes *in, uint8_t want)
{
	struct bytes b;

	return get(in, TAG_INTEGER, &b) && are(&b, &want, 1);
}

static bool
get_algorithm(struct bytes *in)
{
	const uint8_t *p;

	return bytes_get(in, sizeof(ed25519), &p) &&
	       memcmp(p, ed25519, sizeof(ed25519)) == 0;
}

/* ---- parts ---- */

/* One attribute of a name; its value where it is a common name. */
static bool
get_attribute(struct bytes *set, struct bytes *cn)
{
	struct bytes pair;
	struct bytes oid;
	struct bytes value;

	if (!get(set, TAG_SEQUENCE, &pair) || !get(&pair, TAG_OID, &oid) ||
	    pair.left == 0 || !get(&pair, pair.at[0], &value) || pair.left != 0)
		return false;
	if (are(&oid, common_name, sizeof(common_name)))
		*cn = value;
	return true;
}

/* A name, shown by its last common name. */
static bool
get_name(struct bytes *in, char shown[SHOWN])
{
	struct bytes cn = { .left = 0 };
	struct bytes name;
	struct bytes set;

	if (!get(in, TAG_SEQUENCE, &name))
		return false;
	while (name.left > 0) {
		if (!get(&name, TAG_SET, &set))
			return false;
		while (set.left > 0)
			if (!get_attribute(&set, &cn))
				return false;
	}
	if (cn.left == 0)
		(void)str_copy(shown, SHOWN, "nobody by name");
	else
		purpose_quote(shown, cn.at, cn.left);
	return true;
}

/* One of the two forms that are allowed, as its date. */
static bool
get_time(struct bytes *in, char date[DATE_LEN])
{
	bool utc = is_next(in, TAG_UTC);
	size_t years = utc ? 2 : 4;
	const char *century = "";
	struct bytes t;
	const char *p;

	if (!get(in, utc ? TAG_UTC : TAG_TIME, &t) || t.left != years + 11 ||
	    t.at[t.left - 1] != 'Z')
		return false;
	for (size_t i = 0; i < t.left - 1; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
	if (utc)
		century = t.at[0] < '5' ? "20" : "19";
	p = (const char *)t.at;
	(void)snprintf(date, DATE_LEN, "%s%.*s-%.2s-%.2s", century, (int)years,
	    p, p + years, p + years + 2);
	return true;
}

/* A public key of any kind; own: it must be pub. */
static bool
get_key(struct bytes *in, const uint8_t *own)
{
	struct bytes key;
	struct bytes bits;

	if (!get(in, TAG_SEQUENCE, &key))
		return false;
	if (own == NULL)
		return true;
	return get_algorithm(&key) && get(&key, TAG_BITS, &bits) &&
	       key.left == 0 && bits.left == 1 + RK_KEY_PUBLIC_LEN &&
	       bits.at[0] == 0 &&
	       memcmp(bits.at + 1, own, RK_KEY_PUBLIC_LEN) == 0;
}

/* What a certificate says of whom it is for. */
struct claims {
	bool ca;
	char from[DATE_LEN];
	char until[DATE_LEN];
	char subject[SHOWN];
	char names[PURPOSE_TEXT_MAX / 2]; /* ", email \"a@b\", dns \"c\"" */
	size_t used;
	size_t hidden; /* so many more */
};

static void
add_name(struct claims *c, const char *kind, const char *text)
{
	size_t room = sizeof(c->names) - c->used;
	int n = snprintf(c->names + c->used, room, ", %s %s", kind, text);

	if (n > 0 && (size_t)n < room) {
		c->used += (size_t)n;
		return;
	}
	c->names[c->used] = '\0';
	c->hidden++;
}

static bool
get_alternative(struct bytes *in, struct claims *c)
{
	char shown[SHOWN] = "of another kind";
	const char *kind = "name";
	struct bytes value;
	int family;

	if (in->left == 0)
		return false;
	switch (in->at[0]) {
	case NAME_EMAIL:
		kind = "email";
		break;
	case NAME_DNS:
		kind = "dns";
		break;
	case NAME_URI:
		kind = "uri";
		break;
	case NAME_IP:
		kind = "ip";
		break;
	default:
		break;
	}
	if (!get(in, in->at[0], &value))
		return false;
	family = value.left == 4 ? AF_INET : AF_INET6;
	if (strcmp(kind, "ip") == 0) {
		if ((value.left != 4 && value.left != 16) ||
		    inet_ntop(family, value.at, shown, sizeof(shown)) == NULL)
			return false;
	} else if (strcmp(kind, "name") != 0)
		purpose_quote(shown, value.at, value.left);
	add_name(c, kind, shown);
	return true;
}

static bool
get_alternatives(struct bytes in, struct claims *c)
{
	struct bytes names;

	if (!get(&in, TAG_SEQUENCE, &names) || in.left != 0)
		return false;
	while (names.left > 0)
		if (!get_alternative(&names, c))
			return false;
	return true;
}

/* Does any of the extensions make it a CA?  For whom is it? */
static bool
get_extensions(struct bytes *in, struct claims *c)
{
	struct bytes list;
	struct bytes ext;
	struct bytes oid;
	struct bytes part;
	struct bytes inner;

	if (!get(in, TAG_3, &part) || !get(&part, TAG_SEQUENCE, &list) ||
	    part.left != 0)
		return false;
	while (list.left > 0) {
		if (!get(&list, TAG_SEQUENCE, &ext) ||
		    !get(&ext, TAG_OID, &oid) ||
		    (is_next(&ext, TAG_BOOLEAN) &&
		        !get(&ext, TAG_BOOLEAN, &part)) ||
		    !get(&ext, TAG_OCTETS, &part) || ext.left != 0)
			return false;
		if (are(&oid, alternative_names, sizeof(alternative_names)) &&
		    !get_alternatives(part, c))
			return false;
		if (!are(&oid, basic_constraints, sizeof(basic_constraints)))
			continue;
		if (!get(&part, TAG_SEQUENCE, &inner))
			return false;
		c->ca = c->ca || is_next(&inner, TAG_BOOLEAN);
	}
	return true;
}

/* ---- the three ---- */

static bool
is_cert(struct bytes in, struct purpose_view *out)
{
	struct claims c = { 0 };
	struct bytes part;
	char issuer[SHOWN];
	char more[MORE_LEN] = "";

	if (!get(&in, TAG_0, &part) || !get_number(&part, 2) ||
	    part.left != 0 || !get(&in, TAG_INTEGER, &part) ||
	    !get_algorithm(&in) || !get_name(&in, issuer) ||
	    !get(&in, TAG_SEQUENCE, &part) || !get_time(&part, c.from) ||
	    !get_time(&part, c.until) || part.left != 0 ||
	    !get_name(&in, c.subject) || !get_key(&in, NULL) ||
	    !get_extensions(&in, &c) || in.left != 0)
		return false;
	out->is = PURPOSE_CERT;
	if (c.hidden > 0)
		(void)snprintf(
		    more, sizeof(more), ", and %zu more names", c.hidden);
	(void)snprintf(out->text, sizeof(out->text),
	    "a certificate%s for %s, %s to %s%s%s", c.ca ? " of a CA" : "",
	    c.subject, c.from, c.until, c.names, more);
	return true;
}

static bool
is_request(struct bytes in, const uint8_t *pub, struct purpose_view *out)
{
	struct bytes attributes;
	char subject[SHOWN];

	if (!get_number(&in, 0) || !get_name(&in, subject) ||
	    !get_key(&in, pub) || !get(&in, TAG_0, &attributes) || in.left != 0)
		return false;
	out->is = PURPOSE_REQUEST;
	(void)snprintf(out->text, sizeof(out->text),
	    "a request for a certificate for %s", subject);
	return true;
}

static bool
is_crl(struct bytes in, struct purpose_view *out)
{
	struct bytes list = { .left = 0 };
	struct bytes part;
	char issuer[SHOWN];
	char made[DATE_LEN];
	char until[DATE_LEN] = "";
	size_t n = 0;

	if (!get_number(&in, 1) || !get_algorithm(&in) ||
	    !get_name(&in, issuer) || !get_time(&in, made))
		return false;
	if ((is_next(&in, TAG_UTC) || is_next(&in, TAG_TIME)) &&
	    !get_time(&in, until))
		return false;
	if (is_next(&in, TAG_SEQUENCE) && !get(&in, TAG_SEQUENCE, &list))
		return false;
	for (; list.left > 0; n++)
		if (!get(&list, TAG_SEQUENCE, &part))
			return false;
	if ((is_next(&in, TAG_0) && !get(&in, TAG_0, &part)) || in.left != 0)
		return false;
	out->is = PURPOSE_CRL;
	(void)snprintf(out->text, sizeof(out->text),
	    "a revocation list of %zu by %s, %s to %s", n, issuer, made,
	    until[0] != '\0' ? until : "whenever");
	return true;
}

enum rk_err
purpose_of_x509(const uint8_t *data, size_t len,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct purpose_view *out)
{
	struct bytes b = { .at = data, .left = len };
	struct bytes in;

	memset(out, 0, sizeof(*out));
	if (!get(&b, TAG_SEQUENCE, &in) || b.left != 0)
		return RK_EDENIED;
	return is_cert(in, out) || is_request(in, pub, out) || is_crl(in, out)
	           ? RK_OK
	           : RK_EDENIED;
}
