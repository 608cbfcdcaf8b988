/* S2 streams: decoded with limits, and written as stored chunks. */
#include "s2.h"

#include "base/error.h"

#define BLOCK_MAX ((size_t)4 << 20)
#define SNAPPY_BLOCK_MAX ((size_t)65536)
#define STORE_BLOCK ((size_t)1 << 20) /* what Go's writer uses */

#define CHUNK_HEAD 4 /* type, 3 bytes of length */
#define CRC_LEN 4
#define ID_LEN 6

enum chunk_type {
	CHUNK_COMPRESSED = 0x00,
	CHUNK_STORED = 0x01,
	CHUNK_SKIPPABLE = 0x80, /* and all above but the identifier */
	CHUNK_ID = 0xff
};

static const uint8_t id_s2[ID_LEN] = { 'S', '2', 's', 'T', 'w', 'O' };
static const uint8_t id_snappy[ID_LEN] = { 's', 'N', 'a', 'P', 'p', 'Y' };

/* clang-format off */
static const uint32_t crc_table[256] = {
	0x00000000, 0xf26b8303, 0xe13b70f7, 0x1350f3f4, 0xc79a971f, 0x35f1141c,
	0x26a1e7e8, 0xd4ca64eb, 0x8ad958cf, 0x78b2dbcc, 0x6be22838, 0x9989ab3b,
	0x4d43cfd0, 0xbf284cd3, 0xac78bf27, 0x5e133c24, 0x105ec76f, 0xe235446c,
	0xf165b798, 0x030e349b, 0xd7c45070, 0x25afd373, 0x36ff2087, 0xc494a384,
	0x9a879fa0, 0x68ec1ca3, 0x7bbcef57, 0x89d76c54, 0x5d1d08bf, 0xaf768bbc,
	0xbc267848, 0x4e4dfb4b, 0x20bd8ede, 0xd2d60ddd, 0xc186fe29, 0x33ed7d2a,
	0xe72719c1, 0x154c9ac2, 0x061c6936, 0xf477ea35, 0xaa64d611, 0x580f5512,
	0x4b5fa6e6, 0xb93425e5, 0x6dfe410e, 0x9f95c20d, 0x8cc531f9, 0x7eaeb2fa,
	0x30e349b1, 0xc288cab2, 0xd1d83946, 0x23b3ba45, 0xf779deae, 0x05125dad,
	0x1642ae59, 0xe4292d5a, 0xba3a117e, 0x4851927d, 0x5b016189, 0xa96ae28a,
	0x7da08661, 0x8fcb0562, 0x9c9bf696, 0x6ef07595, 0x417b1dbc, 0xb3109ebf,
	0xa0406d4b, 0x522bee48, 0x86e18aa3, 0x748a09a0, 0x67dafa54, 0x95b17957,
	0xcba24573, 0x39c9c670, 0x2a993584, 0xd8f2b687, 0x0c38d26c, 0xfe53516f,
	0xed03a29b, 0x1f682198, 0x5125dad3, 0xa34e59d0, 0xb01eaa24, 0x42752927,
	0x96bf4dcc, 0x64d4cecf, 0x77843d3b, 0x85efbe38, 0xdbfc821c, 0x2997011f,
	0x3ac7f2eb, 0xc8ac71e8, 0x1c661503, 0xee0d9600, 0xfd5d65f4, 0x0f36e6f7,
	0x61c69362, 0x93ad1061, 0x80fde395, 0x72966096, 0xa65c047d, 0x5437877e,
	0x4767748a, 0xb50cf789, 0xeb1fcbad, 0x197448ae, 0x0a24bb5a, 0xf84f3859,
	0x2c855cb2, 0xdeeedfb1, 0xcdbe2c45, 0x3fd5af46, 0x7198540d, 0x83f3d70e,
	0x90a324fa, 0x62c8a7f9, 0xb602c312, 0x44694011, 0x5739b3e5, 0xa55230e6,
	0xfb410cc2, 0x092a8fc1, 0x1a7a7c35, 0xe811ff36, 0x3cdb9bdd, 0xceb018de,
	0xdde0eb2a, 0x2f8b6829, 0x82f63b78, 0x709db87b, 0x63cd4b8f, 0x91a6c88c,
	0x456cac67, 0xb7072f64, 0xa457dc90, 0x563c5f93, 0x082f63b7, 0xfa44e0b4,
	0xe9141340, 0x1b7f9043, 0xcfb5f4a8, 0x3dde77ab, 0x2e8e845f, 0xdce5075c,
	0x92a8fc17, 0x60c37f14, 0x73938ce0, 0x81f80fe3, 0x55326b08, 0xa759e80b,
	0xb4091bff, 0x466298fc, 0x1871a4d8, 0xea1a27db, 0xf94ad42f, 0x0b21572c,
	0xdfeb33c7, 0x2d80b0c4, 0x3ed04330, 0xccbbc033, 0xa24bb5a6, 0x502036a5,
	0x4370c551, 0xb11b4652, 0x65d122b9, 0x97baa1ba, 0x84ea524e, 0x7681d14d,
	0x2892ed69, 0xdaf96e6a, 0xc9a99d9e, 0x3bc21e9d, 0xef087a76, 0x1d63f975,
	0x0e330a81, 0xfc588982, 0xb21572c9, 0x407ef1ca, 0x532e023e, 0xa145813d,
	0x758fe5d6, 0x87e466d5, 0x94b49521, 0x66df1622, 0x38cc2a06, 0xcaa7a905,
	0xd9f75af1, 0x2b9cd9f2, 0xff56bd19, 0x0d3d3e1a, 0x1e6dcdee, 0xec064eed,
	0xc38d26c4, 0x31e6a5c7, 0x22b65633, 0xd0ddd530, 0x0417b1db, 0xf67c32d8,
	0xe52cc12c, 0x1747422f, 0x49547e0b, 0xbb3ffd08, 0xa86f0efc, 0x5a048dff,
	0x8ecee914, 0x7ca56a17, 0x6ff599e3, 0x9d9e1ae0, 0xd3d3e1ab, 0x21b862a8,
	0x32e8915c, 0xc083125f, 0x144976b4, 0xe622f5b7, 0xf5720643, 0x07198540,
	0x590ab964, 0xab613a67, 0xb831c993, 0x4a5a4a90, 0x9e902e7b, 0x6cfbad78,
	0x7fab5e8c, 0x8dc0dd8f, 0xe330a81a, 0x115b2b19, 0x020bd8ed, 0xf0605bee,
	0x24aa3f05, 0xd6c1bc06, 0xc5914ff2, 0x37faccf1, 0x69e9f0d5, 0x9b8273d6,
	0x88d28022, 0x7ab90321, 0xae7367ca, 0x5c18e4c9, 0x4f48173d, 0xbd23943e,
	0xf36e6f75, 0x0105ec76, 0x12551f82, 0xe03e9c81, 0x34f4f86a, 0xc69f7b69,
	0xd5cf889d, 0x27a40b9e, 0x79b737ba, 0x8bdcb4b9, 0x988c474d, 0x6ae7c44e,
	0xbe2da0a5, 0x4c4623a6, 0x5f16d052, 0xad7d5351,
};
/* clang-format on */

uint32_t
s2_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ p[i]) & 0xff];
	return ~crc;
}

static uint32_t
masked_crc(const uint8_t *data, size_t len)
{
	uint32_t crc = s2_crc32c(0, data, len);

	return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* A little-endian number of n bytes, n at most 4. */
static uint32_t
get_le(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static void
put_le(uint8_t *p, size_t n, uint32_t v)
{
	for (size_t i = 0; i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

/* One block while it is being decoded. */
struct block {
	const uint8_t *src;
	size_t src_len;
	size_t at;     /* in src */
	size_t len;    /* announced */
	size_t done;   /* of len, at the tail of out */
	size_t offset; /* of the last copy; 0: there was none */
	struct buf *out;
};

/* Take a little-endian number of n bytes; false when cut off. */
static bool
take_le(struct block *b, size_t n, size_t *v)
{
	if (b->src_len - b->at < n)
		return false;
	*v = get_le(b->src + b->at, n);
	b->at += n;
	return true;
}

/* LEB128 of at most 32 bits. */
static bool
take_block_len(struct block *b)
{
	uint64_t v = 0;
	size_t byte;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (!take_le(b, 1, &byte))
			return false;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			b->len = (size_t)v;
			return v <= UINT32_MAX;
		}
	}
	return false;
}

static enum rk_err
put_literal(struct block *b, size_t tag)
{
	size_t len = tag >> 2;
	enum rk_err r;

	if (len >= 60 && !take_le(b, len - 59, &len))
		return RK_EPROTO;
	if (len >= b->src_len - b->at || len >= b->len - b->done)
		return RK_EPROTO;
	len++;
	if ((r = buf_put(b->out, b->src + b->at, len)) != RK_OK)
		return r;
	b->at += len;
	b->done += len;
	return RK_OK;
}

/* Repeat len bytes from offset back, which may overlap what they produce. */
static enum rk_err
put_copy(struct block *b, size_t offset, size_t len)
{
	enum rk_err r;
	uint8_t *dst;

	if (offset == 0 || offset > b->done || len > b->len - b->done)
		return RK_EPROTO;
	if ((r = buf_reserve(b->out, len, &dst)) != RK_OK)
		return r;
	if (offset >= len)
		memcpy(dst, dst - offset, len);
	else
		for (size_t i = 0; i < len; i++)
			dst[i] = (dst - offset)[i];
	buf_commit(b->out, len);
	b->offset = offset;
	b->done += len;
	return RK_OK;
}

/* A copy of tag kind 1 with offset 0: the last offset once more. */
static enum rk_err
put_repeat(struct block *b, size_t field)
{
	static const size_t base[8] = { 4, 5, 6, 7, 8, 8, 260, 65540 };
	size_t more = 0;

	if (field > 4 && !take_le(b, field - 4, &more))
		return RK_EPROTO;
	return put_copy(b, b->offset, base[field] + more);
}

static enum rk_err
put_element(struct block *b)
{
	size_t offset;
	size_t tag;

	if (!take_le(b, 1, &tag))
		return RK_EPROTO;
	switch (tag & 3) {
	case 0:
		return put_literal(b, tag);
	case 1:
		if (!take_le(b, 1, &offset))
			return RK_EPROTO;
		offset |= (tag & 0xe0) << 3;
		if (offset == 0)
			return put_repeat(b, tag >> 2 & 7);
		return put_copy(b, offset, (tag >> 2 & 7) + 4);
	default:
		if (!take_le(b, (tag & 3) == 2 ? 2 : 4, &offset))
			return RK_EPROTO;
		return put_copy(b, offset, (tag >> 2) + 1);
	}
}

/* A stream while it is being decoded. */
struct stream {
	const uint8_t *src; /* the next chunk */
	size_t left;
	size_t room; /* bytes of output still allowed */
	size_t block_max;
	bool started; /* the identifier was there */
	struct buf *out;
	struct rk_error *err;
};

/* Bytes of a data chunk were produced: count and check them. */
static enum rk_err
finish_block(struct stream *s, const uint8_t *crc, size_t len)
{
	const uint8_t *block = NULL;

	if (len > 0)
		block = buf_peek(s->out) + buf_len(s->out) - len;
	s->room -= len;
	if (masked_crc(block, len) != get_le(crc, CRC_LEN))
		return err_set(
		    s->err, RK_EPROTO, "s2: checksum does not match");
	return RK_OK;
}

static enum rk_err
check_block_len(const struct stream *s, size_t len)
{
	if (len > s->block_max)
		return err_set(s->err, RK_EPROTO,
		    "s2: block of more than %zu bytes", s->block_max);
	if (len > s->room)
		return err_set(
		    s->err, RK_ETOOBIG, "s2: more output than allowed");
	return RK_OK;
}

static enum rk_err
decode_compressed(struct stream *s, const uint8_t *data, size_t len)
{
	struct block b = {
		.src = data, .src_len = len, .at = CRC_LEN, .out = s->out
	};
	enum rk_err r;

	if (len < CRC_LEN || !take_block_len(&b))
		return err_set(s->err, RK_EPROTO, "s2: chunk cut off");
	if ((r = check_block_len(s, b.len)) != RK_OK)
		return r;
	while (b.at < b.src_len) {
		r = put_element(&b);
		if (r == RK_EPROTO)
			return err_set(s->err, r, "s2: malformed block");
		if (r != RK_OK)
			return err_set(s->err, r, "s2: %s", rk_err_text(r));
	}
	if (b.done != b.len)
		return err_set(s->err, RK_EPROTO, "s2: block too short");
	return finish_block(s, data, b.len);
}

static enum rk_err
decode_stored(struct stream *s, const uint8_t *data, size_t len)
{
	enum rk_err r;

	if (len < CRC_LEN)
		return err_set(s->err, RK_EPROTO, "s2: chunk cut off");
	len -= CRC_LEN;
	if ((r = check_block_len(s, len)) != RK_OK)
		return r;
	if ((r = buf_put(s->out, data + CRC_LEN, len)) != RK_OK)
		return err_set(s->err, r, "s2: %s", rk_err_text(r));
	return finish_block(s, data, len);
}

static enum rk_err
take_id(struct stream *s, const uint8_t *data, size_t len)
{
	if (len == ID_LEN && memcmp(data, id_s2, ID_LEN) == 0)
		s->block_max = BLOCK_MAX;
	else if (len == ID_LEN && memcmp(data, id_snappy, ID_LEN) == 0)
		s->block_max = SNAPPY_BLOCK_MAX;
	else
		return err_set(s->err, RK_EPROTO, "s2: unknown identifier");
	s->started = true;
	return RK_OK;
}

static enum rk_err
decode_chunk(struct stream *s)
{
	const uint8_t *data;
	unsigned type;
	size_t len;

	if (s->left < CHUNK_HEAD)
		return err_set(s->err, RK_EPROTO, "s2: chunk cut off");
	type = s->src[0];
	data = s->src + CHUNK_HEAD;
	len = get_le(s->src + 1, 3);
	if (len > s->left - CHUNK_HEAD)
		return err_set(s->err, RK_EPROTO, "s2: chunk cut off");
	s->src += CHUNK_HEAD + len;
	s->left -= CHUNK_HEAD + len;
	if (type == CHUNK_ID)
		return take_id(s, data, len);
	if (!s->started)
		return err_set(s->err, RK_EPROTO, "s2: no identifier");
	if (type == CHUNK_COMPRESSED)
		return decode_compressed(s, data, len);
	if (type == CHUNK_STORED)
		return decode_stored(s, data, len);
	if (type < CHUNK_SKIPPABLE)
		return err_set(
		    s->err, RK_EPROTO, "s2: unknown chunk type %u", type);
	return RK_OK;
}

enum rk_err
s2_decode(const uint8_t *src, size_t len, size_t max, struct buf *out,
    struct rk_error *err)
{
	struct stream s = {
		.src = src, .left = len, .room = max, .out = out, .err = err
	};
	size_t before = buf_len(out);
	enum rk_err r = RK_OK;

	while (r == RK_OK && s.left > 0)
		r = decode_chunk(&s);
	if (r == RK_OK && !s.started)
		r = err_set(err, RK_EPROTO, "s2: no identifier");
	if (r != RK_OK)
		buf_uncommit(out, buf_len(out) - before);
	return r;
}

enum rk_err
s2_store(struct buf *out, const uint8_t *src, size_t len)
{
	size_t blocks = len / STORE_BLOCK + (len % STORE_BLOCK != 0);
	size_t total;
	uint8_t *p;
	size_t n;
	enum rk_err r;

	if ((r = size_mul(blocks, CHUNK_HEAD + CRC_LEN, &total)) != RK_OK ||
	    (r = size_add(total, CHUNK_HEAD + ID_LEN, &total)) != RK_OK ||
	    (r = size_add(total, len, &total)) != RK_OK)
		goto out;
	if ((r = buf_reserve(out, total, &p)) != RK_OK)
		goto out;
	*p = CHUNK_ID;
	put_le(p + 1, 3, ID_LEN);
	memcpy(p + CHUNK_HEAD, id_s2, ID_LEN);
	p += CHUNK_HEAD + ID_LEN;
	for (; len > 0; len -= n, src += n) {
		n = len < STORE_BLOCK ? len : STORE_BLOCK;
		*p = CHUNK_STORED;
		put_le(p + 1, 3, (uint32_t)(n + CRC_LEN));
		put_le(p + CHUNK_HEAD, CRC_LEN, masked_crc(src, n));
		memcpy(p + CHUNK_HEAD + CRC_LEN, src, n);
		p += CHUNK_HEAD + CRC_LEN + n;
	}
	buf_commit(out, total);
out:
	return r;
}
