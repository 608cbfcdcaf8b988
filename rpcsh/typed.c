/* Methods that say what structs they take and give: checked, shown plainly. */
#include "typed.h"

#include "base/error.h"
#include "base/str.h"
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- asking ---- */

/* Only names of two parts can be of structs. */
static bool
may_know(const char *method)
{
	const char *dot = strchr(method, '.');

	return dot != NULL && dot != method && strncmp(method, "_.", 2) != 0;
}

/* Is it one, with a schema? */
static bool
is_typed(struct rk_value_doc *doc)
{
	const struct rk_value *schema =
	    rk_value_get(rk_value_root(doc), "schema");

	return schema != NULL && schema->kind == RK_MAP;
}

/* May it be asked about its methods: has it not shown that it is another? */
static bool
may_ask(const struct target *t)
{
	const struct rk_peer *peer = rk_client_peer(t->client);

	return !target_is_proving(t) || (peer != NULL && peer->alpn[0] != '\0');
}

enum rk_err
typed_describe(struct target *t, const char *method, struct rk_value_doc **doc,
    struct rk_error *err)
{
	const struct rk_value name = { .kind = RK_STR,
		.u.bytes = { (const uint8_t *)method, strlen(method) } };
	struct rk_request req = { .method = "_.describe",
		.timeout = t->timeout_given ? t->timeout : 0 };
	struct rk_reply reply;
	uint8_t *payload;
	enum rk_err r;

	*doc = NULL;
	if (!may_ask(t) ||
	    rk_value_encode(&name, &payload, &req.payload_len) != RK_OK)
		return RK_OK;
	req.payload = payload;
	r = target_call(t, &req, &reply, err);
	if (r == RK_OK &&
	    rk_value_decode(reply.payload.ptr, reply.payload.len, doc) != RK_OK)
		*doc = NULL;
	rk_reply_free(&reply);
	free(payload);
	return r == RK_EREMOTE || r == RK_ENOMETHOD ? RK_OK : r;
}

bool
typed_is_unknown(const struct rk_reply *reply)
{
	static const char text[] = "no such method";

	return reply->code == RK_EREMOTE &&
	       reply->remote_error.len == strlen(text) &&
	       memcmp(reply->remote_error.ptr, text, strlen(text)) == 0;
}

enum rk_err
typed_ask(struct target *t, const char *method, struct rk_value_doc **doc,
    struct rk_error *err)
{
	enum rk_err r;

	*doc = NULL;
	if (!may_know(method))
		return RK_OK;
	r = typed_describe(t, method, doc, err);
	if (*doc != NULL)
		cache_method(t->url, rk_value_root(*doc));
	if (*doc != NULL && !is_typed(*doc)) {
		rk_value_free(*doc);
		*doc = NULL;
	}
	return r;
}

/* ---- checking names ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "A_zid07_int" is "A". */
static size_t
plain_len(struct rk_bytes key)
{
	const char *end = (const char *)key.ptr + key.len;

	if (key.len < 11 || memcmp(end - 10, "_zid", 4) != 0 ||
	    !is_digit(end[-6]) || !is_digit(end[-5]) || end[-4] != '_')
		return key.len;
	return key.len - 10;
}

/* The number that a marked key has. */
static uint64_t
number_of(struct rk_bytes key)
{
	const uint8_t *end = key.ptr + key.len;

	return 10U * (uint64_t)(end[-6] - '0') + (uint64_t)(end[-5] - '0');
}

static bool
is_text(const struct rk_value *v)
{
	return v != NULL && v->kind == RK_STR;
}

/* The record that a type such as "[]point" is about; NULL: none. */
static const struct rk_value *
record_of(const struct rk_value *types, const struct rk_value *type)
{
	char name[128];
	struct rk_bytes s;

	if (!is_text(type))
		return NULL;
	s = type->u.bytes;
	if (s.len > 2 && memcmp(s.ptr, "[]", 2) == 0) {
		s.ptr += 2;
		s.len -= 2;
	} else if (s.len > 1 && s.ptr[0] == '*') {
		s.ptr++;
		s.len--;
	}
	if (s.len >= sizeof(name) || memchr(s.ptr, '\0', s.len) != NULL)
		return NULL;
	memcpy(name, s.ptr, s.len);
	name[s.len] = '\0';
	return rk_value_get(types, name);
}

static const struct rk_value *
field_of(const struct rk_value *record, struct rk_bytes key)
{
	size_t n = plain_len(key);

	for (size_t i = 0; i < record->u.list.count; i++) {
		const struct rk_value *f = &record->u.list.items[i];
		const struct rk_value *name = rk_value_get(f, "name");

		if (is_text(name) && name->u.bytes.len == n &&
		    memcmp(name->u.bytes.ptr, key.ptr, n) == 0)
			return f;
	}
	return NULL;
}

static enum rk_err
unknown(
    const struct rk_value *record, struct rk_bytes key, struct rk_error *err)
{
	char shown[96], names[160] = "", near[72] = "";
	unsigned distance = 3, d;
	size_t at = 0;
	char one[72];

	(void)rk_escape(shown, sizeof(shown), (const char *)key.ptr, key.len);
	for (size_t i = 0; i < record->u.list.count; i++) {
		const struct rk_value *name =
		    rk_value_get(&record->u.list.items[i], "name");
		int n;

		if (!is_text(name))
			continue;
		(void)rk_escape(one, sizeof(one),
		    (const char *)name->u.bytes.ptr, name->u.bytes.len);
		d = str_distance(shown, one, 3);
		if (d < distance && d < strlen(shown)) {
			distance = d;
			(void)str_copy(near, sizeof(near), one);
		}
		n = snprintf(names + at, sizeof(names) - at, "%s%s",
		    at == 0 ? "" : ", ", one);
		if (n < 0 || (size_t)n >= sizeof(names) - at) {
			(void)snprintf(names + at, sizeof(names) - at, "...");
			break;
		}
		at += (size_t)n;
	}
	if (near[0] != '\0')
		return err_set(err, RK_EINVAL,
		    "argument: no field \"%s\" (did you mean \"%s\"?)", shown,
		    near);
	return err_set(err, RK_EINVAL, "argument: no field \"%s\": there %s%s",
	    shown, at == 0 ? "is none" : "is ", names);
}

static enum rk_err check_value(const struct rk_value *types,
    const struct rk_value *type, const struct rk_value *v,
    struct rk_error *err);

/* Values are of RK_VALUE_DEPTH_MAX containers at most, which ends this. */
static enum rk_err
check_record(const struct rk_value *types, const struct rk_value *record,
    const struct rk_value *v, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < v->u.list.count; i++) {
		const struct rk_value *key = &v->u.list.items[2 * i];
		const struct rk_value *f;

		if (key->kind != RK_STR)
			continue;
		if ((f = field_of(record, key->u.bytes)) == NULL)
			return unknown(record, key->u.bytes, err);
		r = check_value(types, rk_value_get(f, "type"), key + 1, err);
	}
	return r;
}

static enum rk_err
check_value(const struct rk_value *types, const struct rk_value *type,
    const struct rk_value *v, struct rk_error *err)
{
	const struct rk_value *record = record_of(types, type);
	enum rk_err r = RK_OK;

	if (record == NULL || record->kind != RK_ARRAY)
		return RK_OK;
	if (v->kind == RK_MAP)
		return check_record(types, record, v, err);
	for (size_t i = 0;
	     v->kind == RK_ARRAY && r == RK_OK && i < v->u.list.count; i++)
		if (v->u.list.items[i].kind == RK_MAP)
			r = check_record(
			    types, record, &v->u.list.items[i], err);
	return r;
}

enum rk_err
typed_check(
    const struct rk_value *method, struct rk_bytes arg, struct rk_error *err)
{
	const struct rk_value *schema = rk_value_get(method, "schema");
	const struct rk_value *types = rk_value_get(schema, "types");
	struct rk_value_doc *doc;
	enum rk_err r;

	if (arg.len == 0 || rk_value_decode(arg.ptr, arg.len, &doc) != RK_OK)
		return RK_OK;
	r = check_value(
	    types, rk_value_get(schema, "args"), rk_value_root(doc), err);
	rk_value_free(doc);
	return r;
}

bool
typed_may_call(struct target *t, const struct out *o, const char *method,
    const struct rk_bytes *args, size_t n, struct rk_value_doc **doc,
    int *status)
{
	struct rk_error err;
	enum rk_err r = RK_OK;

	if (typed_ask(t, method, doc, &err) != RK_OK) {
		*status = target_failed(t, o, &err, method);
		return false;
	}
	for (size_t i = 0; *doc != NULL && r == RK_OK && i < n; i++)
		r = typed_check(rk_value_root(*doc), args[i], &err);
	if (r != RK_OK)
		*status = out_error(o, &err, "rpcsh desc METHOD");
	return r == RK_OK;
}

/* ---- the reply ---- */

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* ".5", or nothing. */
static void
put_fraction(char *dst, size_t len, uint64_t nsec)
{
	size_t n;

	dst[0] = '\0';
	if (nsec == 0)
		return;
	(void)snprintf(dst, len, ".%09u", (unsigned)(nsec % 1000000000));
	n = strlen(dst);
	while (dst[n - 1] == '0')
		dst[--n] = '\0';
}

/* Go's times and durations as text; false: it is something else. */
static bool
time_text(const struct rk_value *v, char *dst, size_t len)
{
	const uint8_t *p = v->u.bytes.ptr;
	char whole[32], fraction[16];
	uint64_t nsec, ns;

	if (v->ext_type == 5 && v->u.bytes.len == 12) {
		nsec = big_endian(p + 8, 4);
		str_time(whole, (int64_t)big_endian(p, 8));
		if (strlen(whole) != 20 || nsec >= 1000000000)
			return false;
		put_fraction(fraction, sizeof(fraction), nsec);
		(void)snprintf(dst, len, "%.19s%sZ", whole, fraction);
		return true;
	}
	if (v->ext_type != 7 || v->u.bytes.len != 9 || p[0] != 0xd3)
		return false;
	ns = big_endian(p + 1, 8);
	whole[0] = '\0';
	if (ns >> 63 != 0) {
		ns = 0 - ns;
		(void)str_copy(whole, sizeof(whole), "-");
	}
	put_fraction(fraction, sizeof(fraction), ns % 1000000000);
	(void)snprintf(dst, len, "%s%llu%ss", whole,
	    (unsigned long long)(ns / 1000000000), fraction);
	return true;
}

/* A reply, and the records that its method has. */
struct plain {
	struct rk_value_doc *doc;
	const struct rk_value *types;
};

static enum rk_err make_plain(
    const struct plain *p, const struct rk_value *type, struct rk_value *v);

/* Only what the record has loses its mark: all else is somebody's data. */
static enum rk_err
make_member_plain(
    const struct plain *p, const struct rk_value *record, struct rk_value *key)
{
	const struct rk_value *f = NULL, *id;
	size_t n;

	if (record != NULL && key->kind == RK_STR)
		f = field_of(record, key->u.bytes);
	id = rk_value_get(f, "id");
	if (f != NULL && (n = plain_len(key->u.bytes)) != key->u.bytes.len &&
	    id != NULL && id->kind == RK_UINT &&
	    id->u.u64 == number_of(key->u.bytes))
		key->u.bytes.len = n;
	return make_plain(p, rk_value_get(f, "type"), key + 1);
}

/* Values are of RK_VALUE_DEPTH_MAX containers at most, which ends this. */
static enum rk_err
make_plain(
    const struct plain *p, const struct rk_value *type, struct rk_value *v)
{
	const struct rk_value *record = record_of(p->types, type);
	char text[64];
	enum rk_err r = RK_OK;

	if (record != NULL && record->kind != RK_ARRAY)
		record = NULL;
	if (v->kind == RK_EXT && time_text(v, text, sizeof(text)))
		return rk_value_set_bytes(
		    p->doc, v, RK_STR, text, strlen(text));
	if (v->kind != RK_MAP && v->kind != RK_ARRAY)
		return RK_OK;
	for (size_t i = 0; r == RK_OK && i < v->u.list.count; i++) {
		if (v->kind == RK_MAP)
			r = make_member_plain(
			    p, record, &v->u.list.items[2 * i]);
		else
			r = make_plain(p, type, &v->u.list.items[i]);
	}
	return r;
}

enum rk_err
typed_plain(
    struct rk_value_doc *doc, struct rk_bytes reply, uint8_t **out, size_t *len)
{
	const struct rk_value *schema =
	    rk_value_get(rk_value_root(doc), "schema");
	struct plain p = { .types = rk_value_get(schema, "types") };
	enum rk_err r;

	*out = NULL;
	*len = 0;
	if ((r = rk_value_decode(reply.ptr, reply.len, &p.doc)) != RK_OK)
		return r;
	r = make_plain(&p, rk_value_get(schema, "reply"), rk_value_root(p.doc));
	if (r == RK_OK)
		r = rk_value_encode(rk_value_root(p.doc), out, len);
	rk_value_free(p.doc);
	return r;
}

/* ---- showing ---- */

int
typed_show_either(
    const struct show *show, struct rk_bytes payload, struct rk_bytes plain)
{
	bool as_is = show->form == SHOW_RAW || show->form == SHOW_HEX ||
	             show->form == SHOW_MSGPACK;

	return show_reply(show, plain.ptr == NULL || as_is ? payload : plain);
}

int
typed_show_reply(
    const struct show *show, struct rk_value_doc *doc, struct rk_bytes payload)
{
	uint8_t *plain = NULL;
	size_t len = 0;
	int status;

	if (doc != NULL && typed_plain(doc, payload, &plain, &len) != RK_OK)
		plain = NULL;
	status =
	    typed_show_either(show, payload, (struct rk_bytes){ plain, len });
	free(plain);
	return status;
}

static const char *
shown(const struct rk_value *v, char *dst, size_t len)
{
	dst[0] = '\0';
	if (v == NULL)
		return dst;
	if (v->kind == RK_STR)
		(void)rk_escape(
		    dst, len, (const char *)v->u.bytes.ptr, v->u.bytes.len);
	else if (v->kind == RK_UINT)
		(void)snprintf(dst, len, "%llu", (unsigned long long)v->u.u64);
	else if (v->kind == RK_INT)
		(void)snprintf(dst, len, "%lld", (long long)v->u.i64);
	else if (v->kind == RK_F64)
		(void)snprintf(dst, len, "%g", v->u.f64);
	else if (v->kind == RK_BOOL)
		(void)snprintf(dst, len, "%s", v->u.b ? "true" : "false");
	return dst;
}

static void
show_field(const struct out *o, const struct rk_value *f)
{
	char name[80], type[96], text[256], most[32];
	const struct rk_value *required = rk_value_get(f, "required");
	const struct rk_value *about = rk_value_get(f, "about");
	const struct rk_value *initial = rk_value_get(f, "default");
	const struct rk_value *min = rk_value_get(f, "min");

	if (rk_value_get(f, "name") == NULL)
		return; /* retired */
	out_text(o, "    %-16s %s",
	    shown(rk_value_get(f, "name"), name, sizeof(name)),
	    shown(rk_value_get(f, "type"), type, sizeof(type)));
	if (required != NULL && required->kind == RK_BOOL && required->u.b)
		out_text(o, "  required");
	if (initial != NULL)
		out_text(o, "  else %s", shown(initial, text, sizeof(text)));
	if (min != NULL)
		out_text(o, "  %s to %s", shown(min, text, sizeof(text)),
		    shown(rk_value_get(f, "max"), most, sizeof(most)));
	if (about != NULL)
		out_text(o, "  %s", shown(about, text, sizeof(text)));
	out_text(o, "\n");
}

void
typed_show(const struct out *o, const struct rk_value *method)
{
	const struct rk_value *types =
	    rk_value_get(rk_value_get(method, "schema"), "types");
	char name[80];

	if (types == NULL || types->kind != RK_MAP)
		return;
	for (size_t i = 0; i < types->u.list.count; i++) {
		const struct rk_value *key = &types->u.list.items[2 * i];
		const struct rk_value *rows = key + 1;

		if (rows->kind != RK_ARRAY)
			continue;
		out_text(o, "  %s:\n", shown(key, name, sizeof(name)));
		for (size_t k = 0; k < rows->u.list.count; k++)
			show_field(o, &rows->u.list.items[k]);
	}
}
