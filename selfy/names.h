/* Checks of what people type: key names, mail addresses, host names, dates. */
#ifndef SELFY_NAMES_H
#define SELFY_NAMES_H

#include <rpckit/err.h>

#define SAN_MAX 64
#define SAN_TEXT_LEN 256
#define CN_MAX 64             /* X.520 upper bound, characters */
#define TIME_END 253402300799 /* 9999-12-31T23:59:59Z */

enum san_kind {
	SAN_DNS,
	SAN_IP,
	SAN_MAIL
};

/* One subject alternative name. */
struct san {
	enum san_kind kind;
	size_t ip_len; /* 4 or 16 for SAN_IP */
	uint8_t ip[16];
	char text[SAN_TEXT_LEN];
};

struct sans {
	size_t n;
	struct san items[SAN_MAX];
};

/* May it be part of a file name made by us?  RK_EINVAL. */
RK_MUST enum rk_err name_check(const char *name, struct rk_error *err);
/* An address for a certificate: ASCII, one @, nothing that would break a list
 * or a line.  RK_EINVAL. */
RK_MUST enum rk_err mail_check(const char *mail, struct rk_error *err);
/* A common name: UTF-8, 1 to 64 characters, all of them visible.  RK_EINVAL. */
RK_MUST enum rk_err cn_check(const char *cn, struct rk_error *err);

/* Check and add; one that is there already is not added again.  RK_EINVAL,
 * RK_ETOOBIG beyond SAN_MAX. */
RK_MUST enum rk_err sans_add(
    struct sans *s, enum san_kind kind, const char *text, struct rk_error *err);
/* "host,10.0.0.1,DNS:a.example,IP:::1" */
RK_MUST enum rk_err sans_add_list(
    struct sans *s, const char *list, struct rk_error *err);

/* "2035-11-02" (its last second, UTC) or "2035-11-02T10:00:00Z".  RK_EINVAL. */
RK_MUST enum rk_err date_parse(
    const char *text, int64_t *sec, struct rk_error *err);
/* "ends in 3,649 d", "ends in 5 h", "ended 3 d ago". */
void date_ends(char *dst, size_t dst_len, int64_t end, int64_t now);
/* "2035-11-02" */
void date_day(char *dst, size_t dst_len, int64_t sec);

#endif
