/* E-mail addresses of certificates and of lines: told apart, compared. */
#ifndef RPCKIT_TRUST_MAILS_H
#define RPCKIT_TRUST_MAILS_H

#include <rpckit/base.h>
#include <rpckit/key.h>

#include <stdbool.h>
#include <stdint.h>

#define MAILS_SUM_LEN 16
/* In the addresses of a certificate (struct rk_cert_info), at most. */
#define MAILS_MAX 128

/* The key that is to have addresses, and the one whose place it takes; NULL:
 * none. */
struct mails_for {
	const uint8_t *pub, *old;
};
/* Is that key one of these two?  Its addresses are in nobody's way then. */
bool mails_are_ours(const struct mails_for *whom, const uint8_t *pub);

/* A list of addresses, of which the rest is still to come. */
struct mails {
	struct rk_str rest;
	bool coded; /* as a column of a known-keys file is */
};

/* As a certificate has them, escaped; as a line has them. */
struct mails mails_of(const char *emails);
struct mails mails_of_line(struct rk_str column);
/* The next one, in small letters, without one dot at its end, hashed; false:
 * there is none. */
bool mails_next(struct mails *m, uint8_t sum[MAILS_SUM_LEN]);
/* Is that one of them, or the beginning of one? */
bool mails_begin_with(struct mails m, const uint8_t sum[MAILS_SUM_LEN]);
/* Are these all that the certificate has?  Where some were cut off nobody knows
 * whether one of them is another key's. */
bool mails_are_all(const struct mails *m);
/* All of them, MAILS_MAX at most; how many. */
size_t mails_sums(struct mails m, uint8_t sums[][MAILS_SUM_LEN]);
/* Is one of these among m? */
bool mails_have(struct mails m, const uint8_t sums[][MAILS_SUM_LEN], size_t n);

/* Addresses that were seen, in no order. */
struct mails_seen {
	uint8_t (*sums)[MAILS_SUM_LEN]; /* by their first bytes; zeros: free */
	size_t n, cap;                  /* cap: 0, or a power of two */
};
/* RK_ENOMEM. */
RK_MUST enum rk_err mails_see(struct mails_seen *seen, struct mails m);
bool mails_were_seen(const struct mails_seen *seen, struct mails m);
void mails_unsee(struct mails_seen *seen); /* all of them */

/* A column of a known-keys file without its percent-coding; what is cut to fit
 * ends with "~", as mails_are_all() wants it. */
void mails_decode(char *out, size_t out_len, struct rk_str column);

#endif
