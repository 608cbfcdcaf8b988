/* Two sessions, what they hear, and what they are told of what they sent. */
#ifndef TESTS_LIB_SESSMSG_H
#define TESTS_LIB_SESSMSG_H

#include "sessrig.h"

#define SESSMSG_HEARD_MAX 4096
#define SESSMSG_SENT_MAX 70000

/* The listener says that it heard something, and may end the session of end 1.
 */
struct sessmsg {
	struct sessrig rig;
	struct {
		unsigned n;
		uint32_t channel[SESSMSG_HEARD_MAX];
		size_t len[SESSMSG_HEARD_MAX];
		uint32_t sum[SESSMSG_HEARD_MAX];
		bool end_it;
		bool free_it;
	} heard;
	struct {
		unsigned n;
		uint64_t id[SESSMSG_SENT_MAX];
		enum rk_err r[SESSMSG_SENT_MAX];
		void (*then)(struct rk_session *s);
	} sent;
};
extern struct sessmsg sessmsg;

/* Established, and nothing was heard or sent. */
void sessmsg_begin(enum sessrig_pipe kind);
/* The kind of pipe that a test was given. */
enum sessrig_pipe sessmsg_kind_of(void **state);
void sessmsg_expect_end(struct sessend *e, enum rk_err r);
uint32_t sessmsg_sum_of(const uint8_t *p, size_t len);
void sessmsg_listen_on(struct rk_session *s, uint32_t channel);
rk_session_message_fn sessmsg_on_message;
rk_session_sent_fn sessmsg_on_sent;
uint64_t sessmsg_send_on(
    struct sessend *e, uint32_t channel, const void *data, size_t len);
/* Turns, and time, until nothing waits to be merged. */
void sessmsg_settle(void);
/* Send until it is refused. */
enum rk_err sessmsg_fill(struct sessend *e, size_t len, uint64_t *last);
/* End 1 does not read the stream, which holds up everything; it does. */
void sessmsg_hold_up(void);
void sessmsg_let_go(void);

#endif
