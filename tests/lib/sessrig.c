/* Two sessions on one loop, joined by a pipe of some kind. */
#include "sessrig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 40
#define SAID_MAX ((size_t)16 << 20)

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* ---- what an end is told ---- */

static void
on_state(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	static const char letters[] = "IENOCX";
	struct sessend *e = arg;
	const size_t n = strlen(e->states);

	must(n + 1 < sizeof(e->states));
	must((err != NULL) == (state == RK_SESSION_CLOSED));
	e->states[n] = letters[state];
	if (err == NULL)
		return;
	e->why = *err;
	if (e->free_at_end) {
		rk_session_free(s);
		e->s = NULL;
	}
}

static enum rk_err
on_peer(struct rk_session *s, const uint8_t *pub, const char *fp, void *arg)
{
	struct sessend *e = arg;
	char want[RK_FP_LEN];

	(void)s;
	rk_session_fp(pub, want);
	must(strcmp(want, fp) == 0);
	e->asked++;
	return e->verdict;
}

static void
read_all(struct sessend *e)
{
	uint8_t data[70000];
	size_t n;

	while (rk_session_read(e->s, data, sizeof(data), &n) == RK_OK)
		must(buf_put(&e->got, data, n) == RK_OK);
}

static void
on_ready(struct rk_session *s, unsigned ready, void *arg)
{
	struct sessend *e = arg;

	(void)s;
	e->readable += (ready & RK_READ) != 0;
	e->writable += (ready & RK_WRITE) != 0;
	if ((ready & RK_READ) != 0 && !e->lazy)
		read_all(e);
}

static enum rk_err
on_send(const void *data, size_t len, size_t *taken, void *arg)
{
	struct sessend *e = arg;
	const size_t longest = e->rig->longest;

	if (e->sends != NULL)
		e->sends(e);
	if (e->rig->piecemeal && len > PIECE)
		len = PIECE;
	if (e->rig->refuses && longest != 0 && len > longest)
		return RK_ETOOBIG;
	if (e->rig->kind == SESSRIG_NET)
		must(buf_put(&e->said, &len, sizeof(len)) == RK_OK);
	must(buf_put(&e->said, data, len) == RK_OK);
	*taken = len;
	return RK_OK;
}

/* ---- the rig ---- */

static void
make_udp(int fds[2])
{
	struct sockaddr_in a[2];
	socklen_t len = sizeof(a[0]);

	for (int i = 0; i < 2; i++) {
		a[i] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		must(fds[i] >= 0 &&
		     bind(fds[i], (struct sockaddr *)&a[i], len) == 0 &&
		     getsockname(fds[i], (struct sockaddr *)&a[i], &len) == 0);
	}
	for (int i = 0; i < 2; i++)
		must(connect(fds[i], (struct sockaddr *)&a[1 - i], len) == 0);
}

static void
make_pipe(struct sessrig *r)
{
	int fds[2][2];

	for (int i = 0; i < 2; i++)
		r->end[i].in = r->end[i].out = -1;
	if (r->kind == SESSRIG_STREAM || r->kind == SESSRIG_LOCAL ||
	    r->kind == SESSRIG_SEQPACKET || r->kind == SESSRIG_UDP) {
		if (r->kind == SESSRIG_UDP)
			make_udp(fds[0]);
		else
			must(socketpair(AF_UNIX,
			         r->kind == SESSRIG_STREAM  ? SOCK_STREAM
			         : r->kind == SESSRIG_LOCAL ? SOCK_DGRAM
			                                    : SOCK_SEQPACKET,
			         0, fds[0]) == 0);
		for (int i = 0; i < 2; i++)
			r->end[i].in = r->end[i].out = fds[0][i];
	} else if (r->kind == SESSRIG_PIPES) {
		must(pipe(fds[0]) == 0 && pipe(fds[1]) == 0);
		r->end[0].in = fds[1][0];
		r->end[0].out = fds[0][1];
		r->end[1].in = fds[0][0];
		r->end[1].out = fds[1][1];
	}
}

void
sessrig_open(struct sessrig *r, enum sessrig_pipe kind)
{
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	must(rk_loop_new(&r->loop) == RK_OK);
	vtime_start(&r->time, r->loop, (uint64_t)1 << 40);
	make_pipe(r);
	for (int i = 0; i < 2; i++) {
		struct sessend *e = &r->end[i];

		e->rig = r;
		must(rk_key_generate(&e->key) == RK_OK);
		rk_key_public(e->key, e->pub);
		buf_init(&e->said, SAID_MAX);
		buf_init(&e->got, SAID_MAX);
		e->conf = (struct rk_session_conf){ .size = sizeof(e->conf),
			.initiator = i == 0,
			.key = e->key,
			.judge = on_peer,
			.state = on_state,
			.ready = on_ready,
			.arg = e };
	}
}

void
sessrig_start(struct sessrig *r)
{
	for (int i = 0; i < 2; i++) {
		struct sessend *e = &r->end[i];
		struct rk_session_pipe p = { .in = e->in, .out = e->out };

		if (r->kind == SESSRIG_FUNCTION || r->kind == SESSRIG_NET) {
			p.datagrams = r->kind == SESSRIG_NET;
			p.send = on_send;
			p.arg = e;
		}
		must(rk_session_new(r->loop, &e->conf, &p, &e->s, NULL) ==
		     RK_OK);
	}
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void
sessrig_close(struct sessrig *r)
{
	for (int i = 0; i < 2; i++) {
		struct sessend *e = &r->end[i];

		rk_session_free(e->s);
		if (e->out != e->in)
			close_fd(e->out);
		close_fd(e->in);
		buf_fini(&e->said);
		buf_fini(&e->got);
		rk_key_free(e->key);
	}
	rk_loop_free(r->loop);
}

/* ---- a bad network ---- */

static bool
happens(struct sessrig *r, unsigned percent)
{
	r->random = r->random * 1664525 + 1013904223;
	return (r->random >> 16) % 100 < percent;
}

void
sessrig_arrive(struct sessrig *r, unsigned to, const void *data, size_t len)
{
	if (r->end[to].s == NULL)
		return;
	/* Where there is no room it is lost, too. */
	if (rk_session_feed(r->end[to].s, data, len) == RK_OK)
		r->carried[to]++;
}

static void
carry_one(struct sessrig *r, unsigned to, const uint8_t *data, size_t len)
{
	if (happens(r, r->lose) || (r->longest != 0 && len > r->longest))
		return;
	if (r->held[to] == 0 && happens(r, r->hold)) {
		memcpy(r->late[to], data, len);
		r->held[to] = len;
		return;
	}
	sessrig_arrive(r, to, data, len);
	if (happens(r, r->repeat))
		sessrig_arrive(r, to, data, len);
	if (r->held[to] > 0)
		sessrig_arrive(r, to, r->late[to], r->held[to]);
	r->held[to] = 0;
}

static bool
carry_datagrams(struct sessrig *r)
{
	bool some = false;

	for (unsigned i = 0; i < 2; i++) {
		struct buf *said = &r->end[i].said;

		while (buf_len(said) > 0) {
			const uint8_t *p = buf_peek(said);
			size_t len;

			if (p == NULL)
				abort();
			memcpy(&len, p, sizeof(len));
			buf_consume(said, sizeof(len));
			if (r->pass != NULL)
				r->pass(r, 1 - i, said->data + said->head, len);
			else
				carry_one(r, 1 - i, buf_peek(said), len);
			buf_consume(said, len);
			some = true;
			/* In the turn it comes, so that there is room. */
			must(rk_loop_step(r->loop, 0) == RK_OK);
		}
	}
	return some;
}

/* Is there anything to carry?  It is carried. */
static bool
carry(struct sessrig *r)
{
	bool some = false;

	for (unsigned i = 0; i < 2; i++) {
		struct buf *said = &r->end[i].said;
		struct rk_session *to = r->end[1 - i].s;

		if (r->tamper != NULL && buf_len(said) > 0)
			r->tamper(r, i, said);
		while (buf_len(said) > 0) {
			size_t n = buf_len(said) < 5000 ? buf_len(said) : 5000;

			if (to != NULL &&
			    rk_session_feed(to, buf_peek(said), n) == RK_EAGAIN)
				break;
			buf_consume(said, n);
			some = true;
		}
	}
	return some;
}

/* Would a turn do anything? */
static bool
is_busy(const struct rk_loop *loop)
{
	struct pollfd p = { .fd = rk_loop_fd(loop), .events = POLLIN };

	return rk_loop_wait_ms(loop) == 0 || poll(&p, 1, 0) > 0;
}

void
sessrig_settle(struct sessrig *r)
{
	unsigned quiet = 0;

	while (quiet < 4) {
		const bool busy = is_busy(r->loop);

		must(rk_loop_step(r->loop, 0) == RK_OK);
		quiet =
		    (r->kind == SESSRIG_NET ? carry_datagrams(r) : carry(r)) ||
		            busy
		        ? 0
		        : quiet + 1;
	}
}

void
sessrig_pass(struct sessrig *r, uint64_t ms)
{
	const uint64_t end = r->time.now + ms;

	while (r->time.now < end) {
		const uint64_t step =
		    end - r->time.now < 20 ? end - r->time.now : 20;

		r->time.now += step;
		sessrig_settle(r);
	}
}

void
sessrig_establish(struct sessrig *r, enum sessrig_pipe kind)
{
	sessrig_open(r, kind);
	sessrig_start(r);
	sessrig_settle(r);
	for (int i = 0; i < 2; i++)
		must(rk_session_get_state(r->end[i].s) ==
		     RK_SESSION_ESTABLISHED);
}

void
sessrig_write(struct sessend *e, const void *data, size_t len)
{
	size_t n;

	must(rk_session_write(e->s, data, len, &n) == RK_OK && n == len);
}
