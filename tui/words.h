/* Figures and states in the few letters that a column has. */
#ifndef RPCTUI_WORDS_H
#define RPCTUI_WORDS_H

#include "model.h"

#define WORDS_LEN 24
#define WORDS_COUNT 32 /* of a number with commas */

/* "9s" "41m" "2h11m" "3d04h"; of a negative age "0s". */
const char *words_age(int64_t ms, char dst[WORDS_LEN]);
/* "0" "940" "1.2M" (powers of 1000). */
const char *words_size(uint64_t n, char dst[WORDS_LEN]);
/* "0us" "940us" "0.9ms" "14ms" "1.2s" "3m" of microseconds. */
/* "18,204" */
const char *words_count(uint64_t n, char dst[WORDS_COUNT]);
/* The same; with how many there are in all where some are left out: "2,900 of
 * 3,500". */
#define WORDS_OF (2 * WORDS_COUNT + 4)
const char *words_of(uint64_t n, uint64_t left_out, char dst[WORDS_OF]);
const char *words_us(uint64_t us, char dst[WORDS_LEN]);
/* "61%  412M/676M  22M/s  eta 12s" of a stream, "412M  22M/s" where nobody has
 * told how much it will be; "" of what moved nothing. */
#define WORDS_MOVED 128
const char *words_moved(const struct model_call *c, char dst[WORDS_MOVED]);
/* How many days from now (seconds) a time of the daemon's is, rounded down; it
 * may be past.  False: that is no time. */
bool words_days(const char *time, int64_t now, int64_t *days);
/* How long ago such a time was: "<1m" "20m" "3d04h".  False: it is no time, or
 * to come. */
bool words_since(const char *time, int64_t now, char dst[WORDS_LEN]);
/* A time as the daemon gives it: its hours where it is the day of `today`
 * (another such text), else its date. */
const char *words_when(
    const char *time, const char *today, char dst[WORDS_LEN]);
/* Now, as the daemon writes it. */
void words_now(char dst[WORDS_LEN + 8]);

/* An address without its scheme; points into it. */
const char *words_address(const char *address);
/* Are they at the same host, whatever the ports? */
bool words_same_host(const char *a, const char *b);
const char *words_conn_sign(const struct model_conn *c);
const char *words_conn_state(const struct model_conn *c);
const char *words_key_sign(enum model_key_state state);
const char *words_key_state(enum model_key_state state);
bool words_key_waits(enum model_key_state state);
const char *words_level(int level);

#endif
