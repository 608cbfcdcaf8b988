/* What the vault's keys do: wrapping, sealing, MACs; no database. */
#include "vault_int.h"

#include "base/bytes.h"

#define LABEL_WRAP "keyvault wrap 1"
#define LABEL_RECORD "keyvault record 1"
#define LABEL_VEIL "keyvault veil 1"
#define LABEL_LINE "keyvault log 1"
#define LABEL_MANIFEST "keyvault manifest 1"
#define BYTES_MAX (RECORD_SECRET_MAX * 2) /* of a row, for a hash */

/* ---- keys ---- */

enum rk_err
vault_derive_into(const uint8_t id[VAULT_ID_LEN], const struct rk_secret *key,
    struct rk_secret *out)
{
	struct keys *k = (struct keys *)(void *)rk_secret_data(out);
	const struct {
		uint8_t *dst;
		const char *label;
	} parts[] = {
		{ k->record, "keyvault key record" },
		{ k->veil, "keyvault key veil" },
		{ k->name, "keyvault key name" },
		{ k->row, "keyvault key row" },
		{ k->manifest, "keyvault key manifest" },
	};
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < 5 && r == RK_OK; i++)
		r = crypt_hkdf(parts[i].dst, CRYPT_KEY_LEN, rk_secret_peek(key),
		    rk_secret_len(key), id, VAULT_ID_LEN, parts[i].label,
		    strlen(parts[i].label));
	return r;
}

enum rk_err
vault_derive(const uint8_t id[VAULT_ID_LEN], const struct rk_secret *key,
    struct rk_secret **out)
{
	enum rk_err r;

	if ((r = rk_secret_new(sizeof(struct keys), out)) != RK_OK ||
	    (r = vault_derive_into(id, key, *out)) == RK_OK)
		return r;
	rk_secret_free(*out);
	*out = NULL;
	return r;
}

/* All of the head that does not change with every write. */
static enum rk_err
put_head(const struct head *h, struct buf *b)
{
	enum rk_err r;

	if ((r = buf_put(b, h->id, VAULT_ID_LEN)) != RK_OK ||
	    (r = bytes_put_u64(b, (uint64_t)h->created)) != RK_OK ||
	    (r = bytes_put_u8(b, h->hidden)) != RK_OK ||
	    (r = bytes_put_u64(b, h->key_number)) != RK_OK ||
	    (r = bytes_put_u32(b, h->kdf.passes)) != RK_OK ||
	    (r = bytes_put_u32(b, h->kdf.kib)) != RK_OK ||
	    (r = bytes_put_u32(b, h->kdf.lanes)) != RK_OK)
		return r;
	return buf_put(b, h->salt, KDF_SALT_LEN);
}

/* Argon2id gives two halves: one wraps, of the other only a hash is kept, which
 * says whether it was the right passphrase. */
static enum rk_err
stretch(const struct head *h, const struct rk_secret *pass,
    struct rk_secret **out, uint8_t verifier[VAULT_VERIFIER_LEN])
{
	struct rk_secret *s = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_secret_new(2 * CRYPT_KEY_LEN, &s)) != RK_OK)
		return r;
	r = kdf_derive(
	    &h->kdf, h->salt, pass, rk_secret_data(s), 2 * CRYPT_KEY_LEN);
	if (r == RK_OK) {
		crypt_sha256(
		    verifier, rk_secret_peek(s) + CRYPT_KEY_LEN, CRYPT_KEY_LEN);
		*out = s;
		s = NULL;
	}
	rk_secret_free(s);
	return r;
}

enum rk_err
vault_wrap(struct head *h, const struct kdf_params *kdf,
    const struct rk_secret *pass, const struct rk_secret *key)
{
	struct rk_secret *s = NULL;
	struct buf ad;
	enum rk_err r;

	buf_init(&ad, 256);
	h->kdf = *kdf;
	rk_random(h->salt, sizeof(h->salt));
	rk_random(h->wrapped, CRYPT_XCHACHA_NONCE_LEN);
	if ((r = stretch(h, pass, &s, h->verifier)) != RK_OK)
		goto out;
	if ((r = buf_put(&ad, LABEL_WRAP, sizeof(LABEL_WRAP))) != RK_OK ||
	    (r = put_head(h, &ad)) != RK_OK)
		goto out;
	crypt_xseal(h->wrapped + CRYPT_XCHACHA_NONCE_LEN, rk_secret_peek(key),
	    VAULT_KEY_LEN, buf_peek(&ad), buf_len(&ad), h->wrapped,
	    rk_secret_peek(s));
out:
	rk_secret_free(s);
	buf_fini(&ad);
	return r;
}

enum rk_err
vault_unwrap(
    const struct head *h, const struct rk_secret *pass, struct rk_secret **key)
{
	uint8_t verifier[VAULT_VERIFIER_LEN];
	struct rk_secret *plain = NULL;
	struct rk_secret *s = NULL;
	struct buf ad;
	enum rk_err r;

	*key = NULL;
	buf_init(&ad, 256);
	if ((r = stretch(h, pass, &s, verifier)) != RK_OK)
		goto out;
	if (!rk_secret_eq(verifier, h->verifier, sizeof(verifier))) {
		r = RK_EPASS;
		goto out;
	}
	if ((r = buf_put(&ad, LABEL_WRAP, sizeof(LABEL_WRAP))) != RK_OK ||
	    (r = put_head(h, &ad)) != RK_OK ||
	    (r = rk_secret_new(VAULT_KEY_LEN, &plain)) != RK_OK)
		goto out;
	/* The passphrase was right: what does not open was changed. */
	if (crypt_xopen(rk_secret_data(plain),
	        h->wrapped + CRYPT_XCHACHA_NONCE_LEN,
	        VAULT_WRAPPED_LEN - CRYPT_XCHACHA_NONCE_LEN, buf_peek(&ad),
	        buf_len(&ad), h->wrapped, rk_secret_peek(s)) != RK_OK) {
		r = RK_ETAMPERED;
		goto out;
	}
	*key = plain;
	plain = NULL;
out:
	rk_secret_free(plain);
	rk_secret_free(s);
	buf_fini(&ad);
	return r;
}

/* ---- sealing ---- */

/* Nonce, sealed bytes and tag, appended. */
static enum rk_err
seal(struct buf *out, const uint8_t *data, size_t len, const struct buf *ad,
    const uint8_t key[CRYPT_KEY_LEN])
{
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(out, len + VAULT_SEAL_LEN, &p)) != RK_OK)
		return r;
	rk_random(p, CRYPT_XCHACHA_NONCE_LEN);
	crypt_xseal(p + CRYPT_XCHACHA_NONCE_LEN, data, len, buf_peek(ad),
	    buf_len(ad), p, key);
	buf_commit(out, len + VAULT_SEAL_LEN);
	return RK_OK;
}

/* out has sealed.len - VAULT_SEAL_LEN bytes. */
static enum rk_err
unseal(uint8_t *out, struct rk_bytes sealed, const struct buf *ad,
    const uint8_t key[CRYPT_KEY_LEN])
{
	if (sealed.len < VAULT_SEAL_LEN)
		return RK_EDAMAGED;
	return crypt_xopen(out, sealed.ptr + CRYPT_XCHACHA_NONCE_LEN,
	    sealed.len - CRYPT_XCHACHA_NONCE_LEN, buf_peek(ad), buf_len(ad),
	    sealed.ptr, key);
}

/* What a sealed part belongs to: this vault under this key, this record in this
 * version, and everything said about it. */
static enum rk_err
put_place(struct buf *ad, const char *label, const struct head *h,
    const struct row *row, struct rk_bytes about)
{
	enum rk_err r;

	if ((r = buf_put(ad, label, strlen(label) + 1)) != RK_OK ||
	    (r = buf_put(ad, h->id, VAULT_ID_LEN)) != RK_OK ||
	    (r = bytes_put_u64(ad, h->key_number)) != RK_OK ||
	    (r = bytes_put_u64(ad, (uint64_t)row->id)) != RK_OK ||
	    (r = bytes_put_u64(ad, row->version)) != RK_OK ||
	    (r = bytes_put_u32(ad, (uint32_t)row->kind)) != RK_OK ||
	    (r = bytes_put_string(ad, row->name.ptr, row->name.len)) != RK_OK)
		return r;
	return bytes_put_string(ad, about.ptr, about.len);
}

void
vault_name_bytes(const struct head *h, const struct keys *k, const char *name,
    uint8_t out[RECORD_NAME_MAX], size_t *len)
{
	size_t n = strlen(name);

	if (h->hidden) {
		crypt_hmac(out, k->name, CRYPT_KEY_LEN, name, n);
		*len = CRYPT_HASH_LEN;
		return;
	}
	*len = n < RECORD_NAME_MAX ? n : RECORD_NAME_MAX;
	memcpy(out, name, *len);
}

/* The views into room are set when it grows no more. */
enum rk_err
vault_row_seal(const struct head *h, const struct keys *k,
    const struct record *rec, const struct rk_secret *secret, struct row *out,
    struct buf *room)
{
	struct rk_bytes none = { 0 };
	struct buf about;
	struct buf ad;
	uint8_t name[RECORD_NAME_MAX];
	size_t name_len;
	size_t about_len;
	enum rk_err r;

	buf_init(&about, RECORD_ABOUT_MAX);
	buf_init(&ad, BYTES_MAX);
	memset(out, 0, sizeof(*out));
	out->id = rec->id;
	out->version = rec->version;
	out->kind = rec->kind;
	vault_name_bytes(h, k, rec->name, name, &name_len);
	out->name = (struct rk_bytes){ .ptr = name, .len = name_len };
	if ((r = record_encode(rec, &about)) != RK_OK ||
	    (r = buf_put(room, name, name_len)) != RK_OK)
		goto out;
	if (!h->hidden)
		r = buf_put(room, buf_peek(&about), buf_len(&about));
	else if ((r = put_place(&ad, LABEL_VEIL, h, out, none)) == RK_OK)
		r = seal(room, buf_peek(&about), buf_len(&about), &ad, k->veil);
	if (r != RK_OK)
		goto out;
	about_len = buf_len(room) - name_len;
	buf_consume(&ad, buf_len(&ad));
	if ((r = put_place(&ad, LABEL_RECORD, h, out,
	         (struct rk_bytes){ .ptr = buf_peek(room) + name_len,
	             .len = about_len })) != RK_OK ||
	    (r = seal(room, rk_secret_peek(secret), rk_secret_len(secret), &ad,
	         k->record)) != RK_OK)
		goto out;
	out->name.ptr = buf_peek(room);
	out->about.ptr = out->name.ptr + name_len;
	out->about.len = about_len;
	out->sealed.ptr = out->about.ptr + about_len;
	out->sealed.len = buf_len(room) - name_len - about_len;
	r = vault_row_sum(out, out->sum);
out:
	buf_wipe(&about);
	buf_fini(&ad);
	return r;
}

enum rk_err
vault_row_about(const struct head *h, const struct keys *k,
    const struct row *row, struct record *out)
{
	uint8_t plain[RECORD_ABOUT_MAX];
	uint8_t name[RECORD_NAME_MAX];
	struct rk_bytes none = { 0 };
	struct rk_bytes about = row->about;
	struct buf ad;
	size_t len;
	enum rk_err r = RK_OK;

	buf_init(&ad, BYTES_MAX);
	if (h->hidden) {
		if (about.len < VAULT_SEAL_LEN ||
		    about.len - VAULT_SEAL_LEN > sizeof(plain))
			r = RK_EFORMAT;
		else if ((r = put_place(&ad, LABEL_VEIL, h, row, none)) ==
		         RK_OK)
			r = unseal(plain, about, &ad, k->veil);
		about.ptr = plain;
		about.len -= VAULT_SEAL_LEN;
	}
	if (r == RK_OK)
		r = record_decode(about.ptr, about.len, row->kind, out);
	if (r == RK_OK) {
		out->id = row->id;
		out->version = row->version;
		vault_name_bytes(h, k, out->name, name, &len);
		if (len != row->name.len ||
		    memcmp(name, row->name.ptr, len) != 0)
			r = RK_EFORMAT;
	}
	if (h->hidden)
		rk_wipe(plain, sizeof(plain));
	buf_fini(&ad);
	return r;
}

enum rk_err
vault_row_open(const struct head *h, const struct keys *k,
    const struct row *row, const struct record *rec, struct rk_secret **out)
{
	struct rk_secret *s = NULL;
	struct buf ad;
	enum rk_err r;

	*out = NULL;
	buf_init(&ad, BYTES_MAX);
	if ((r = put_place(&ad, LABEL_RECORD, h, row, row->about)) != RK_OK ||
	    (r = rk_secret_new(row->sealed.len - VAULT_SEAL_LEN, &s)) != RK_OK)
		goto out;
	if ((r = unseal(rk_secret_data(s), row->sealed, &ad, k->record)) !=
	    RK_OK)
		goto out;
	if (record_secret_fault(rec->kind, rk_secret_len(s)) != NULL) {
		r = RK_EFORMAT;
		goto out;
	}
	*out = s;
	s = NULL;
out:
	rk_secret_free(s);
	buf_fini(&ad);
	return r;
}

/* ---- the log ---- */

static enum rk_err
put_line_place(struct buf *ad, const struct head *h, const struct line *line)
{
	enum rk_err r;

	if ((r = buf_put(ad, LABEL_LINE, sizeof(LABEL_LINE))) != RK_OK ||
	    (r = buf_put(ad, h->id, VAULT_ID_LEN)) != RK_OK ||
	    (r = bytes_put_u64(ad, h->key_number)) != RK_OK ||
	    (r = bytes_put_u64(ad, (uint64_t)line->id)) != RK_OK ||
	    (r = bytes_put_u64(ad, (uint64_t)line->time)) != RK_OK)
		return r;
	return bytes_put_u32(ad, (uint32_t)line->act);
}

enum rk_err
vault_line_seal(const struct head *h, const struct keys *k,
    const struct line *line, const char *text, struct buf *out)
{
	const uint8_t *bytes = (const uint8_t *)text;
	struct buf ad;
	enum rk_err r;

	if (!h->hidden)
		return buf_put(out, bytes, strlen(text));
	buf_init(&ad, 256);
	if ((r = put_line_place(&ad, h, line)) == RK_OK)
		r = seal(out, bytes, strlen(text), &ad, k->veil);
	buf_fini(&ad);
	return r;
}

enum rk_err
vault_line_open(const struct head *h, const struct keys *k,
    const struct line *line, char text[VAULT_LOG_TEXT_MAX + 1])
{
	struct buf ad;
	size_t len = line->text.len;
	enum rk_err r = RK_OK;

	text[0] = '\0';
	if (h->hidden) {
		if (len < VAULT_SEAL_LEN)
			return RK_EFORMAT;
		len -= VAULT_SEAL_LEN;
	}
	if (len > VAULT_LOG_TEXT_MAX)
		return RK_EFORMAT;
	if (!h->hidden) {
		if (len > 0)
			memcpy(text, line->text.ptr, len);
	} else {
		buf_init(&ad, 256);
		if ((r = put_line_place(&ad, h, line)) == RK_OK)
			r = unseal((uint8_t *)text, line->text, &ad, k->veil);
		buf_fini(&ad);
	}
	text[r == RK_OK ? len : 0] = '\0';
	return r == RK_OK && strlen(text) != len ? RK_EFORMAT : r;
}

enum rk_err
vault_link(const uint8_t before[CRYPT_HASH_LEN], const struct line *line,
    uint8_t out[CRYPT_HASH_LEN])
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, VAULT_LOG_TEXT_MAX + 256);
	if ((r = buf_put(&b, before, CRYPT_HASH_LEN)) == RK_OK &&
	    (r = bytes_put_u64(&b, (uint64_t)line->id)) == RK_OK &&
	    (r = bytes_put_u64(&b, (uint64_t)line->time)) == RK_OK &&
	    (r = bytes_put_u32(&b, (uint32_t)line->act)) == RK_OK &&
	    (r = bytes_put_string(&b, line->text.ptr, line->text.len)) == RK_OK)
		crypt_sha256(out, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r;
}

/* ---- sums and MACs ---- */

#define ROW_HEAD 32 /* numbers and lengths */

static enum rk_err
put_row(const struct row *row, struct buf *b)
{
	uint8_t *room;
	enum rk_err r;

	/* At once: lists are long. */
	if ((r = buf_reserve(b,
	         ROW_HEAD + row->name.len + row->about.len + row->sealed.len,
	         &room)) != RK_OK ||
	    (r = bytes_put_u64(b, (uint64_t)row->id)) != RK_OK ||
	    (r = bytes_put_u64(b, row->version)) != RK_OK ||
	    (r = bytes_put_u32(b, (uint32_t)row->kind)) != RK_OK ||
	    (r = bytes_put_string(b, row->name.ptr, row->name.len)) != RK_OK ||
	    (r = bytes_put_string(b, row->about.ptr, row->about.len)) != RK_OK)
		return r;
	return bytes_put_string(b, row->sealed.ptr, row->sealed.len);
}

enum rk_err
vault_row_sum(const struct row *row, uint8_t sum[VAULT_SUM_LEN])
{
	uint8_t hash[CRYPT_HASH_LEN];
	struct buf b;
	enum rk_err r;

	buf_init(&b, BYTES_MAX);
	if ((r = put_row(row, &b)) == RK_OK) {
		crypt_sha256(hash, buf_peek(&b), buf_len(&b));
		memcpy(sum, hash, VAULT_SUM_LEN);
	}
	buf_fini(&b);
	return r;
}

enum rk_err
vault_row_mac(
    const struct keys *k, const struct row *row, uint8_t mac[CRYPT_HASH_LEN])
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, BYTES_MAX);
	if ((r = put_row(row, &b)) == RK_OK)
		crypt_hmac(
		    mac, k->row, CRYPT_KEY_LEN, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r;
}

/*
 * Of the MACs of all rows, which nobody without the key knows, their exclusive
 * or is enough: a set of rows with the same one cannot be looked for.
 */
void
vault_manifest(const struct head *h, const struct keys *k,
    const struct row_mac *macs, size_t n, int64_t line_id,
    const uint8_t chain[CRYPT_HASH_LEN], uint8_t out[CRYPT_HASH_LEN])
{
	uint8_t text[sizeof(LABEL_MANIFEST) + VAULT_ID_LEN + 4 * 8 +
	             2 * CRYPT_HASH_LEN] = LABEL_MANIFEST;
	const uint64_t numbers[] = { h->key_number, h->generation, n,
		(uint64_t)line_id };
	uint8_t *p = text + sizeof(LABEL_MANIFEST);

	memcpy(p, h->id, VAULT_ID_LEN);
	p += VAULT_ID_LEN;
	for (size_t i = 0; i < 4; i++) {
		for (unsigned shift = 64; shift > 0; shift -= 8)
			*p++ = (uint8_t)(numbers[i] >> (shift - 8));
	}
	memcpy(p, chain, CRYPT_HASH_LEN);
	p += CRYPT_HASH_LEN;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < CRYPT_HASH_LEN; j++)
			p[j] ^= macs[i].mac[j];
	}
	crypt_hmac(out, k->manifest, CRYPT_KEY_LEN, text, sizeof(text));
	rk_wipe(text, sizeof(text));
}

enum rk_err
vault_head_sum(const struct head *h, uint8_t out[CRYPT_HASH_LEN])
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, 512);
	if ((r = put_head(h, &b)) == RK_OK &&
	    (r = buf_put(&b, h->verifier, VAULT_VERIFIER_LEN)) == RK_OK &&
	    (r = buf_put(&b, h->wrapped, VAULT_WRAPPED_LEN)) == RK_OK &&
	    (r = bytes_put_u64(&b, h->generation)) == RK_OK &&
	    (r = buf_put(&b, h->manifest, CRYPT_HASH_LEN)) == RK_OK)
		crypt_sha256(out, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r;
}
