/* PEM text (RFC 7468, and the older form with headers) read and written. */
#ifndef RPCKIT_TRUST_PEM_H
#define RPCKIT_TRUST_PEM_H

#include <rpckit/secret.h>

/* One block; views into the text. */
struct pem_block {
	struct rk_str label;   /* "PRIVATE KEY" */
	struct rk_str headers; /* "Name: value" lines, or empty */
	struct rk_str body;    /* base64 and white space, not checked yet */
};

/*
 * The first block at or after *at, which moves behind it; other text between
 * blocks is skipped.  RK_ENOENT: there is no more; RK_EFORMAT: a block that is
 * not closed or whose headers have no end.
 */
RK_MUST enum rk_err pem_next(
    const char *text, size_t len, size_t *at, struct pem_block *out);
/* The value of a header, without white space around; false when it is missing
 * or there twice. */
bool pem_header(
    const struct pem_block *block, const char *name, struct rk_str *value);
bool pem_is(const struct pem_block *block, const char *label);
/* The bytes of a block.  RK_EFORMAT, RK_ENOMEM. */
RK_MUST enum rk_err pem_decode(
    const struct pem_block *block, struct rk_secret **out);
/* headers: whole lines, or "".  *out is the text without a NUL.  RK_ENOMEM,
 * RK_ETOOBIG. */
RK_MUST enum rk_err pem_encode(const char *label, const char *headers,
    const void *data, size_t len, struct rk_secret **out);

#endif
