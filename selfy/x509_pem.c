/* PEM text to its blocks, bounded in number and size. */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160

static const struct {
	const char *label;
	enum pem_kind kind;
} labels[] = {
	{ .label = PEM_STRING_X509, .kind = PEM_CERT },
	{ .label = PEM_STRING_X509_OLD, .kind = PEM_CERT },
	{ .label = PEM_STRING_X509_REQ, .kind = PEM_CSR },
	{ .label = PEM_STRING_X509_REQ_OLD, .kind = PEM_CSR },
	{ .label = PEM_STRING_X509_CRL, .kind = PEM_CRL },
};

static enum pem_kind
kind_of(const char *label)
{
	static const char key[] = "PRIVATE KEY";
	size_t len = strlen(label);

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (strcmp(labels[i].label, label) == 0)
			return labels[i].kind;
	}
	if (len >= sizeof(key) - 1 &&
	    strcmp(label + len - (sizeof(key) - 1), key) == 0)
		return PEM_KEY;
	return PEM_OTHER;
}

enum rk_err
pem_list_add(
    struct pem_list *list, enum pem_kind kind, const uint8_t *der, size_t len)
{
	struct pem_item item = { .kind = kind, .len = len };
	struct pem_item *items = NULL;
	size_t size;
	enum rk_err r;

	if ((r = size_mul(list->n + 1, sizeof(*items), &size)) != RK_OK)
		return r;
	items = realloc(list->items, size);
	if (items == NULL)
		return RK_ENOMEM;
	list->items = items;
	if (len > 0) {
		item.der = malloc(len);
		if (item.der == NULL)
			return RK_ENOMEM;
		memcpy(item.der, der, len);
	}
	list->items[list->n++] = item;
	return RK_OK;
}

void
pem_list_fini(struct pem_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i].der);
	free(list->items);
	*list = (struct pem_list){ 0 };
}

struct block {
	char *label;
	char *header;
	unsigned char *data;
	long len;
};

static void
end_block(struct block *b)
{
	OPENSSL_free(b->label);
	OPENSSL_free(b->header);
	OPENSSL_clear_free(b->data, b->len > 0 ? (size_t)b->len : 0);
	*b = (struct block){ 0 };
}

static enum rk_err
take_block(struct pem_list *out, const struct block *b)
{
	enum pem_kind kind = kind_of(b->label);
	size_t len = b->len > 0 ? (size_t)b->len : 0;

	if (kind == PEM_KEY || kind == PEM_OTHER)
		len = 0;
	return pem_list_add(out, kind, b->data, len);
}

/* RK_OK with *end set after the last block. */
static enum rk_err
next_block(BIO *bio, struct pem_list *out, bool *end)
{
	struct block b = { 0 };
	enum rk_err r = RK_OK;
	unsigned long why;

	*end = false;
	ERR_clear_error();
	if (PEM_read_bio(bio, &b.label, &b.header, &b.data, &b.len) == 1) {
		if (out->n == PEM_MAX_ITEMS) {
			out->more = true;
			*end = true;
		} else {
			r = take_block(out, &b);
		}
	} else {
		why = ERR_peek_last_error();
		if (ERR_GET_LIB(why) == ERR_LIB_PEM &&
		    ERR_GET_REASON(why) == PEM_R_NO_START_LINE)
			*end = true;
		else
			r = RK_EFORMAT;
	}
	ERR_clear_error();
	end_block(&b);
	return r;
}

static enum rk_err
read_blocks(const void *data, size_t len, struct pem_list *out)
{
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	bool end = false;
	enum rk_err r = RK_OK;

	if (bio == NULL)
		return RK_ENOMEM;
	while (r == RK_OK && !end)
		r = next_block(bio, out, &end);
	if (r == RK_OK && out->n == 0)
		r = RK_EFORMAT;
	BIO_free(bio);
	return r;
}

enum rk_err
pem_read(const char *name, const void *data, size_t len, struct pem_list *out,
    struct rk_error *err)
{
	static const char begin[] = "-----BEGIN ";
	char shown[NAME_LEN];
	const char *why = "a PEM block is broken";
	enum rk_err r;

	*out = (struct pem_list){ 0 };
	str_escape(shown, sizeof(shown), name);
	if (len == 0)
		return err_set(err, RK_EFORMAT, "%s: is empty", shown);
	if (len > PEM_MAX_BYTES)
		return err_set(err, RK_ETOOBIG, "%s: larger than %d bytes",
		    shown, PEM_MAX_BYTES);
	if (memmem(data, len, begin, sizeof(begin) - 1) == NULL) {
		why = "holds nothing in PEM";
		/* 0x30: a DER sequence. */
		r = *(const uint8_t *)data == 0x30
		        ? pem_list_add(out, PEM_CERT, data, len)
		        : RK_EFORMAT;
	} else {
		r = read_blocks(data, len, out);
	}
	if (r == RK_OK)
		return RK_OK;
	pem_list_fini(out);
	if (r == RK_ENOMEM)
		why = rk_err_text(r);
	return err_set(err, r, "%s: %s", shown, why);
}
