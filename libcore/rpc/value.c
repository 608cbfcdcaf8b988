/* Any msgpack value: decoded to a tree in an arena, and encoded from one. */
#include <rpckit/value.h>

#include <stdlib.h>

#include "base/be.h"
#include "base/buf.h"

#include "greenpack.h"

/*
 * The arena: blocks that grow from BLOCK_MIN to BLOCK_MAX.  What is larger
 * than a quarter of a block gets one of its own, so at most a quarter of a
 * block is lost at its end.
 */
#define BLOCK_MIN ((size_t)512)
#define BLOCK_MAX ((size_t)65536)

struct block {
	struct block *next;
	max_align_t data[];
};

struct rk_value_doc {
	struct block *blocks;
	uint8_t *at; /* room in one of them */
	size_t left;
	size_t block_size; /* of the next */
	size_t n_nodes;
	struct rk_value root;
};

static enum rk_err
add_block(struct rk_value_doc *doc, size_t n, uint8_t **p)
{
	struct block *b;
	enum rk_err r;
	size_t total;

	if ((r = size_add(sizeof(*b), n, &total)) != RK_OK)
		return r;
	b = malloc(total);
	if (b == NULL)
		return RK_ENOMEM;
	b->next = doc->blocks;
	doc->blocks = b;
	*p = (uint8_t *)b->data;
	return RK_OK;
}

static enum rk_err
take_room(struct rk_value_doc *doc, size_t n, uint8_t **p)
{
	const size_t align = sizeof(max_align_t) / 2;
	enum rk_err r;

	if ((r = size_add(n, align - 1, &n)) != RK_OK)
		return r;
	n -= n % align;
	if (n > doc->left) {
		if (n > doc->block_size / 4)
			return add_block(doc, n, p);
		if ((r = add_block(doc, doc->block_size, &doc->at)) != RK_OK)
			return r;
		doc->left = doc->block_size;
		if (doc->block_size < BLOCK_MAX)
			doc->block_size *= 2;
	}
	*p = doc->at;
	doc->at += n;
	doc->left -= n;
	return RK_OK;
}

/* n nodes, all nil. */
static enum rk_err
add_nodes(struct rk_value_doc *doc, uint64_t n, struct rk_value **nodes)
{
	enum rk_err r;
	uint8_t *p;

	*nodes = NULL;
	if (n > RK_VALUE_NODES_MAX - doc->n_nodes)
		return RK_ETOOBIG;
	if (n == 0)
		return RK_OK;
	if ((r = take_room(doc, (size_t)n * sizeof(**nodes), &p)) != RK_OK)
		return r;
	*nodes = (struct rk_value *)(void *)p;
	for (size_t i = 0; i < n; i++)
		(*nodes)[i] = (struct rk_value){ .kind = RK_NIL };
	doc->n_nodes += (size_t)n;
	return RK_OK;
}

static enum rk_err
add_bytes(struct rk_value_doc *doc, const void *data, size_t len,
    struct rk_bytes *out)
{
	enum rk_err r;
	uint8_t *p;

	*out = (struct rk_bytes){ .ptr = NULL };
	if (len == 0)
		return RK_OK;
	if ((r = take_room(doc, len, &p)) != RK_OK)
		return r;
	memcpy(p, data, len);
	*out = (struct rk_bytes){ .ptr = p, .len = len };
	return RK_OK;
}

enum rk_err
rk_value_new(struct rk_value_doc **out)
{
	struct rk_value_doc *doc;

	*out = NULL;
	doc = malloc(sizeof(*doc));
	if (doc == NULL)
		return RK_ENOMEM;
	*doc = (struct rk_value_doc){ .block_size = BLOCK_MIN, .n_nodes = 1 };
	*out = doc;
	return RK_OK;
}

void
rk_value_free(struct rk_value_doc *doc)
{
	struct block *b;

	if (doc == NULL)
		return;
	while ((b = doc->blocks) != NULL) {
		doc->blocks = b->next;
		free(b);
	}
	free(doc);
}

struct rk_value *
rk_value_root(struct rk_value_doc *doc)
{
	return &doc->root;
}

enum rk_err
rk_value_set_bytes(struct rk_value_doc *doc, struct rk_value *v,
    enum rk_kind kind, const void *data, size_t len)
{
	struct rk_bytes bytes;
	enum rk_err r;

	if (kind != RK_STR && kind != RK_BIN && kind != RK_EXT)
		return RK_EINVAL;
	if (len > UINT32_MAX)
		return RK_ETOOBIG;
	if ((r = add_bytes(doc, data, len, &bytes)) != RK_OK)
		return r;
	*v = (struct rk_value){ .kind = kind, .u.bytes = bytes };
	return RK_OK;
}

static uint64_t
children(enum rk_kind kind, uint32_t count)
{
	return kind == RK_MAP ? 2 * (uint64_t)count : count;
}

enum rk_err
rk_value_set_list(struct rk_value_doc *doc, struct rk_value *v,
    enum rk_kind kind, uint32_t count)
{
	struct rk_value *items;
	enum rk_err r;

	if (kind != RK_ARRAY && kind != RK_MAP)
		return RK_EINVAL;
	if ((r = add_nodes(doc, children(kind, count), &items)) != RK_OK)
		return r;
	*v = (struct rk_value){ .kind = kind };
	v->u.list.items = items;
	v->u.list.count = count;
	return RK_OK;
}

/* Containers that are open: how far they are. */
struct level {
	struct rk_value *next;
	uint64_t left;
};

struct decoder {
	struct rk_value_doc *doc;
	struct gp_reader in;
	uint64_t owed; /* items announced and not yet read */
	size_t depth;
	struct level levels[RK_VALUE_DEPTH_MAX];
};

static enum rk_err
open_list(struct decoder *d, struct rk_value *v, const struct gp_item *it)
{
	uint64_t n = children(it->kind, it->count);
	enum rk_err r;

	d->owed += n;
	if (d->owed > (size_t)(d->in.end - d->in.p))
		return RK_EFORMAT;
	if (d->depth == RK_VALUE_DEPTH_MAX)
		return RK_ETOOBIG;
	if ((r = rk_value_set_list(d->doc, v, it->kind, it->count)) != RK_OK)
		return r;
	d->levels[d->depth++] =
	    (struct level){ .next = v->u.list.items, .left = n };
	return RK_OK;
}

/* Floats by their bits, so that no payload of a NaN is lost. */
static void
set_f32(struct rk_value *v, uint64_t bits)
{
	uint32_t low = (uint32_t)bits;

	memcpy(&v->u.f32, &low, sizeof(low));
}

static void
set_f64(struct rk_value *v, uint64_t bits)
{
	memcpy(&v->u.f64, &bits, sizeof(bits));
}

static enum rk_err
decode_item(struct decoder *d, struct rk_value *v)
{
	struct gp_item it;

	if (gp_next(&d->in, &it) != RK_OK)
		return RK_EFORMAT;
	d->owed--;
	v->kind = it.kind;
	v->ext_type = it.ext_type;
	switch (it.kind) {
	case RK_NIL:
		break;
	case RK_BOOL:
		v->u.b = it.u.u64 != 0;
		break;
	case RK_INT:
		v->u.i64 = it.u.i64;
		break;
	case RK_UINT:
		v->u.u64 = it.u.u64;
		break;
	case RK_F32:
		set_f32(v, it.u.u64);
		break;
	case RK_F64:
		set_f64(v, it.u.u64);
		break;
	case RK_STR:
	case RK_BIN:
	case RK_EXT:
		v->u.bytes = it.u.bytes;
		break;
	case RK_ARRAY:
	case RK_MAP:
		return open_list(d, v, &it);
	}
	return RK_OK;
}

/* The node to fill next; NULL when the tree is complete. */
static struct rk_value *
next_node(struct decoder *d)
{
	struct level *top;

	while (d->depth > 0) {
		top = &d->levels[d->depth - 1];
		if (top->left > 0) {
			top->left--;
			return top->next++;
		}
		d->depth--;
	}
	return NULL;
}

enum rk_err
rk_value_decode(const void *data, size_t len, struct rk_value_doc **out)
{
	struct rk_value_doc *doc = NULL;
	struct decoder d = { .owed = 1 };
	struct rk_bytes copy;
	struct rk_value *v;
	enum rk_err r;

	*out = NULL;
	if (len == 0)
		return RK_EFORMAT;
	if ((r = rk_value_new(&doc)) != RK_OK)
		goto out;
	if ((r = add_bytes(doc, data, len, &copy)) != RK_OK)
		goto out;
	d.doc = doc;
	d.in = (struct gp_reader){ .p = copy.ptr, .end = copy.ptr + len };
	for (v = &doc->root; v != NULL; v = next_node(&d))
		if ((r = decode_item(&d, v)) != RK_OK)
			goto out;
	if (d.in.p != d.in.end) {
		r = RK_EFORMAT;
		goto out;
	}
	*out = doc;
	doc = NULL;
out:
	rk_value_free(doc);
	return r;
}

static uint8_t *
put_ext_head(uint8_t *p, int8_t type, size_t n)
{
	uint8_t *code = p;

	switch (n) {
	case 1:
		*p++ = 0xd4;
		break;
	case 2:
		*p++ = 0xd5;
		break;
	case 4:
		*p++ = 0xd6;
		break;
	case 8:
		*p++ = 0xd7;
		break;
	case 16:
		*p++ = 0xd8;
		break;
	default:
		/* The codes of ext are those of bin, plus 3. */
		p = gp_put_bin_head(p, n);
		*code = (uint8_t)(*code + 3);
		break;
	}
	*p++ = (uint8_t)type;
	return p;
}

/* A scalar, or what stands before bytes or items. */
static uint8_t *
put_head(uint8_t *p, const struct rk_value *v)
{
	uint64_t f64_bits;
	uint32_t f32_bits;

	switch (v->kind) {
	case RK_NIL:
		*p++ = 0xc0;
		break;
	case RK_BOOL:
		p = gp_put_bool(p, v->u.b);
		break;
	case RK_INT:
		if (v->u.i64 < 0)
			p = gp_put_int(p, v->u.i64);
		else
			p = gp_put_uint(p, (uint64_t)v->u.i64);
		break;
	case RK_UINT:
		p = gp_put_uint(p, v->u.u64);
		break;
	case RK_F32:
		memcpy(&f32_bits, &v->u.f32, sizeof(f32_bits));
		*p++ = 0xca;
		p = be_put32(p, f32_bits);
		break;
	case RK_F64:
		memcpy(&f64_bits, &v->u.f64, sizeof(f64_bits));
		*p++ = 0xcb;
		p = be_put64(p, f64_bits);
		break;
	case RK_STR:
		p = gp_put_str_head(p, v->u.bytes.len);
		break;
	case RK_BIN:
		p = gp_put_bin_head(p, v->u.bytes.len);
		break;
	case RK_EXT:
		p = put_ext_head(p, v->ext_type, v->u.bytes.len);
		break;
	case RK_ARRAY:
		p = gp_put_array(p, v->u.list.count);
		break;
	case RK_MAP:
		p = gp_put_map(p, v->u.list.count);
		break;
	}
	return p;
}

static bool
has_bytes(enum rk_kind kind)
{
	return kind == RK_STR || kind == RK_BIN || kind == RK_EXT;
}

static bool
has_items(enum rk_kind kind)
{
	return kind == RK_ARRAY || kind == RK_MAP;
}

struct encoder {
	struct buf buf;
	size_t depth;
	struct {
		const struct rk_value *next;
		uint64_t left;
	} levels[RK_VALUE_DEPTH_MAX];
};

static enum rk_err
encode_item(struct encoder *e, const struct rk_value *v)
{
	uint8_t head[GP_SCALAR_MAX];
	uint8_t *end = put_head(head, v);
	enum rk_err r;

	if ((r = buf_put(&e->buf, head, (size_t)(end - head))) != RK_OK)
		return r;
	if (has_bytes(v->kind))
		return buf_put(&e->buf, v->u.bytes.ptr, v->u.bytes.len);
	if (!has_items(v->kind))
		return RK_OK;
	if (e->depth == RK_VALUE_DEPTH_MAX)
		return RK_ETOOBIG;
	e->levels[e->depth].next = v->u.list.items;
	e->levels[e->depth].left = children(v->kind, v->u.list.count);
	e->depth++;
	return RK_OK;
}

static const struct rk_value *
next_item(struct encoder *e)
{
	while (e->depth > 0) {
		if (e->levels[e->depth - 1].left > 0) {
			e->levels[e->depth - 1].left--;
			return e->levels[e->depth - 1].next++;
		}
		e->depth--;
	}
	return NULL;
}

enum rk_err
rk_value_encode(const struct rk_value *v, uint8_t **out, size_t *len)
{
	struct encoder e = { .depth = 0 };
	enum rk_err r;

	*out = NULL;
	*len = 0;
	buf_init(&e.buf, RK_BODY_MAX);
	for (; v != NULL; v = next_item(&e))
		if ((r = encode_item(&e, v)) != RK_OK)
			goto out;
	r = buf_take(&e.buf, out, len);
out:
	buf_fini(&e.buf);
	return r;
}

const struct rk_value *
rk_value_get(const struct rk_value *map, const char *key)
{
	size_t len = strlen(key);
	const struct rk_value *item;

	if (map == NULL || map->kind != RK_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->u.list.count; i++) {
		item = &map->u.list.items[2 * (size_t)i];
		if (item->kind == RK_STR && item->u.bytes.len == len &&
		    (len == 0 || memcmp(item->u.bytes.ptr, key, len) == 0))
			return item + 1;
	}
	return NULL;
}
