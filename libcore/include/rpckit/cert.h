/* The rule about certificates, asked rule by rule: for tools that make, show
 * or check them. */
#ifndef RPCKIT_CERT_H
#define RPCKIT_CERT_H

#include <rpckit/key.h>

RK_BEGIN

/*
 * What a certificate must be so that peers accept it (rpckit-trust(7)), in the
 * order in which they ask; each asks all but RK_CERT_SERVER of a client, and
 * all but RK_CERT_CLIENT of a server.
 */
enum rk_cert_rule {
	RK_CERT_READABLE,   /* DER of at most 16 KiB; names and dates read */
	RK_CERT_EXTENSIONS, /* well formed, critical ones understood */
	RK_CERT_KEY,        /* Ed25519, and no weak point */
	RK_CERT_KIND,       /* not a CA */
	RK_CERT_TEXT,       /* no hostile bytes in names and emails */
	RK_CERT_SIGNS,      /* its key usage, if any, allows signatures */
	RK_CERT_ISSUER,     /* named and signed by the CA itself */
	RK_CERT_REVOKED,    /* not on the CA's list, which can be relied on */
	RK_CERT_BEGUN,
	RK_CERT_NOT_ENDED,
	RK_CERT_CA_DATES, /* the CA has begun and not ended */
	RK_CERT_SERVER,   /* its extended key usage, if any, allows it */
	RK_CERT_CLIENT,
	RK_CERT_RULES
};

struct rk_cert_question {
	size_t size;          /* sizeof(struct rk_cert_question) */
	struct rk_bytes cert; /* DER */
	struct rk_bytes ca;   /* DER */
	struct rk_bytes crl;  /* DER; empty: nobody is revoked */
	int64_t now;          /* seconds since 1970 */
};

struct rk_cert_report {
	struct rk_cert_info info; /* what could be read */
	/* RK_OK, or RK_ECERT, RK_EREVOKED and the reason.  What is not
	 * readable fails by that rule, and the others are not asked: RK_ESTATE.
	 */
	struct rk_error rules[RK_CERT_RULES];
};

/* Is this one of its e-mail addresses?  Capitals do not matter.  Any thread. */
RK_API bool rk_cert_has_email(
    const struct rk_cert_info *cert, struct rk_str email);
/*
 * Every rule, with the code by which connections go.  RK_ECERT: the CA is none
 * that peers accept (its dates aside), so nothing was asked; RK_EINVAL (size);
 * RK_ENOMEM.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_cert_check(const struct rk_cert_question *q,
    struct rk_cert_report *out, struct rk_error *err);
/* Would peers accept this as the certificate of their CA, at `now`?  name
 * begins the reason and is escaped.  RK_ECERT, RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_cert_check_ca(
    struct rk_bytes ca, const char *name, int64_t now, struct rk_error *err);
/* And this as that CA's revocation list (whatever its dates)?  The same. */
RK_API RK_MUST enum rk_err rk_cert_check_crl(struct rk_bytes ca,
    struct rk_bytes crl, const char *name, struct rk_error *err);

RK_END

#endif
