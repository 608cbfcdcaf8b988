/* The agent's clients on its loop: bytes in, bytes out, time, and no more. */
#include "agent_io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent_ask.h"
#include "agent_note.h"
#include "agent_sock.h"
#include "agent_tty.h"
#include "base/error.h"
#include "base/str.h"

#define IN_MAX (AGENT_REQUEST_MAX + 4)
#define SLEEP_LOOK_MS 5000
#define SLEEP_MIN_MS 2000
#define ACCEPT_PAUSE_MS 1000

struct client {
	struct agent_io *io;
	int fd; /* -1: free */
	struct rk_watch *watch;
	struct agent_asker asker;
	pid_t pid;
	uint64_t began;       /* its process */
	struct binds binds;   /* of SSH's connections */
	struct rk_secret *in; /* keys come by here */
	size_t in_len;
	size_t in_max; /* IN_MAX, but for one that is longer */
	struct buf out;
	uint32_t wait;
	uint64_t since; /* the last byte that changed something */
	bool spoke;     /* made a request */
	bool ended;     /* will send no more */
};

struct door {
	struct agent_io *io;
	struct rk_watch *watch;
	bool ssh;
};

struct agent_io {
	struct rk_loop *loop;
	struct agent *agent;
	struct agent_asks asks;
	struct agent_notes notes;
	struct agent_tty *tty;
	struct rk_timer *timer;
	struct door doors[2];
	bool deaf; /* no descriptors: accepts later */
	int64_t asleep_ms;
	struct client clients[AGENT_CLIENTS_MAX];
};

static void settle(struct agent_io *io);

/* ---- time ---- */

/* How long the machine has slept since it was started. */
static int64_t
slept_ms(void)
{
	struct timespec all = { 0 };
	struct timespec awake = { 0 };

	(void)clock_gettime(CLOCK_BOOTTIME, &all);
	(void)clock_gettime(CLOCK_MONOTONIC, &awake);
	return (int64_t)(all.tv_sec - awake.tv_sec) * 1000 +
	       (all.tv_nsec - awake.tv_nsec) / 1000000;
}

/* Whoever finds a machine that slept finds no open key. */
static void
look_for_sleep(struct agent_io *io)
{
	int64_t now = slept_ms();

	if (now - io->asleep_ms > SLEEP_MIN_MS)
		agent_lock(io->agent);
	io->asleep_ms = now;
}

static uint64_t
deadline(const struct client *c)
{
	if (buf_len(&c->out) > 0 || (c->in_len > 0 && c->wait == 0))
		return c->since + AGENT_STALL_MS;
	return c->spoke ? AGENT_FOREVER : c->since + AGENT_MUTE_MS;
}

static void
set_timer(struct agent_io *io)
{
	uint64_t now = rk_loop_now(io->loop);
	uint64_t at = agent_next(io->agent);
	uint64_t other;

	if (agent_is_open(io->agent) && at > now + SLEEP_LOOK_MS)
		at = now + SLEEP_LOOK_MS;
	if ((other = agent_ask_next(&io->asks)) < at)
		at = other;
	if ((other = agent_note_next(&io->notes, io->agent, now)) < at)
		at = other;
	if ((other = agent_tty_next(io->tty, now)) < at)
		at = other;
	if (io->deaf && at > now + ACCEPT_PAUSE_MS)
		at = now + ACCEPT_PAUSE_MS;
	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++) {
		if (io->clients[i].fd < 0)
			continue;
		other = deadline(&io->clients[i]);
		if (other < at)
			at = other;
	}
	if (at == AGENT_FOREVER)
		rk_timer_clear(io->timer);
	else if (rk_timer_set(io->timer, at) != RK_OK)
		agent_lock(io->agent); /* no key without an end */
}

/* ---- clients ---- */

static void
hang_up(struct client *c)
{
	if (c->wait != 0)
		agent_drop(c->io->agent, c->wait);
	rk_watch_free(c->watch);
	(void)close(c->fd);
	rk_secret_free(c->in);
	buf_wipe(&c->out);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

/* RK_EAGAIN: there is none yet. */
static enum rk_err
look(const struct client *c, uint8_t *type, struct bytes *body, size_t *used)
{
	return agent_frame(
	    rk_secret_peek(c->in), c->in_len, c->in_max - 4, type, body, used);
}

/* Room for so much, where there was other room. */
static bool
move_to(struct client *c, size_t max)
{
	struct rk_secret *in;

	if (rk_secret_new(max, &in) != RK_OK)
		return false;
	memcpy(rk_secret_data(in), rk_secret_peek(c->in), c->in_len);
	rk_secret_free(c->in);
	c->in = in;
	c->in_max = max;
	return true;
}

static size_t
count_long(const struct agent_io *io)
{
	size_t n = 0;

	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
		n += io->clients[i].fd >= 0 && io->clients[i].in_max > IN_MAX;
	return n;
}

/* The next request may be longer than others where it is for a signature that
 * is not SSH's; few may at a time. */
static bool
make_room(struct client *c)
{
	struct bytes b = { .at = rk_secret_peek(c->in), .left = c->in_len };
	uint32_t size;
	uint8_t type;

	if (c->in_max > IN_MAX || !bytes_get_u32(&b, &size) ||
	    size <= AGENT_REQUEST_MAX)
		return true;
	if (size > AGENT_SIGN_MAX || c->asker.ssh)
		return false;
	if (!bytes_get_u8(&b, &type))
		return true;
	return type == AGENT_SIGN && count_long(c->io) < AGENT_LONG_MAX &&
	       move_to(c, 4 + (size_t)size);
}

/* A long one had its room for itself. */
static bool
drop_request(struct client *c, size_t used)
{
	uint8_t *p = rk_secret_data(c->in);

	memmove(p, p + used, c->in_len - used);
	rk_wipe(p + c->in_len - used, used);
	c->in_len -= used;
	if (c->in_max > IN_MAX && !move_to(c, IN_MAX))
		return false;
	return make_room(c);
}

static bool
send_out(struct client *c)
{
	ssize_t n;

	while (buf_len(&c->out) > 0) {
		n = send(c->fd, buf_peek(&c->out), buf_len(&c->out),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		rk_wipe(c->out.data + c->out.head, (size_t)n);
		buf_consume(&c->out, (size_t)n);
		c->since = rk_loop_now(c->io->loop);
	}
	/* Guarded memory, if it was a gift, is not kept. */
	buf_wipe(&c->out);
	return true;
}

static bool
receive(struct client *c)
{
	ssize_t n;

	if (c->in_len >= c->in_max || c->ended)
		return true;
	do
		n = recv(c->fd, rk_secret_data(c->in) + c->in_len,
		    c->in_max - c->in_len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK;
	if (n == 0) {
		c->ended = true;
		return c->wait == 0;
	}
	if (c->in_len == 0)
		c->since = rk_loop_now(c->io->loop);
	c->in_len += (size_t)n;
	return make_room(c);
}

/* A socket may have been handed on, or what is behind it be another program by
 * now: that is told, and is not the program that a key may be open for. */
static void
look_again(struct client *c)
{
	char program[256];
	char who[AGENT_WHO_MAX];

	if (c->began == 0)
		return; /* of somewhere that we cannot look into */
	if (agent_sock_began(c->pid) != c->began) {
		c->asker.program[0] = '\0';
		(void)snprintf(c->asker.who, sizeof(c->asker.who),
		    "a program that has ended, pid %ld, uid %lu", (long)c->pid,
		    (unsigned long)geteuid());
		return;
	}
	agent_sock_who(c->pid, who, program);
	if (strcmp(program, c->asker.program) != 0) {
		c->asker.program[0] = '\0';
		(void)str_copy(c->asker.who, sizeof(c->asker.who), who);
	}
}

/* At most one request, when nothing else is under way. */
static bool
serve(struct client *c)
{
	struct agent_io *io = c->io;
	struct bytes body;
	uint8_t type;
	size_t used;
	enum rk_err r;

	if (c->wait != 0 || buf_len(&c->out) > 0)
		return true;
	r = look(c, &type, &body, &used);
	if (r == RK_EAGAIN)
		return true;
	if (r != RK_OK)
		return false;
	look_for_sleep(io);
	look_again(c);
	r = agent_handle(io->agent, &c->asker, rk_loop_now(io->loop), type,
	    body, &c->out, &c->wait);
	if (!drop_request(c, used))
		return false;
	c->spoke = true;
	c->since = rk_loop_now(io->loop);
	return r == RK_OK && send_out(c);
}

/* What to wait for; false when nothing can come of it. */
static bool
watch(struct client *c)
{
	unsigned want = 0;
	struct bytes body;
	uint8_t type;
	size_t used;
	bool ready = c->wait == 0 && look(c, &type, &body, &used) != RK_EAGAIN;

	if (c->ended && !ready && buf_len(&c->out) == 0)
		return false;
	/* It would not be heard to go; and nobody has so much to say. */
	if (c->wait != 0 && c->in_len >= c->in_max)
		return false;
	if (!c->ended && c->in_len < c->in_max)
		want |= RK_READ;
	if (ready || buf_len(&c->out) > 0)
		want |= RK_WRITE;
	return rk_watch_set(c->watch, want) == RK_OK;
}

static void
on_client(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct client *c = arg;
	struct agent_io *io = c->io;

	(void)w;
	(void)fd;
	if (((ready & RK_READ) != 0 && !receive(c)) || !send_out(c) ||
	    !serve(c) || !watch(c))
		hang_up(c);
	settle(io);
}

/* ---- new ones ---- */

/* A place, if need be of whoever has brought nothing about for longest. */
static struct client *
find_place(struct agent_io *io)
{
	struct client *oldest = NULL;
	struct client *c;

	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++) {
		c = &io->clients[i];
		if (c->fd < 0)
			return c;
		if (c->wait == 0 &&
		    (oldest == NULL || c->since < oldest->since))
			oldest = c;
	}
	if (oldest != NULL)
		hang_up(oldest);
	return oldest;
}

static void
welcome(struct agent_io *io, int fd, bool ssh)
{
	struct client *c;
	pid_t pid;

	if (!agent_sock_is_ours(fd, &pid) || (c = find_place(io)) == NULL) {
		(void)close(fd);
		return;
	}
	c->io = io;
	c->fd = fd;
	c->asker.ssh = ssh;
	c->pid = pid;
	c->began = agent_sock_began(pid);
	c->asker.binds = ssh ? &c->binds : NULL;
	c->since = rk_loop_now(io->loop);
	agent_sock_who(pid, c->asker.who, c->asker.program);
	buf_init(&c->out, AGENT_REPLY_MAX + 4096);
	c->in_max = IN_MAX;
	if (rk_secret_new(IN_MAX, &c->in) != RK_OK ||
	    rk_watch_new(io->loop, fd, RK_READ, on_client, c, &c->watch) !=
	        RK_OK)
		hang_up(c);
}

static void
listen_on(struct agent_io *io, bool listens)
{
	io->deaf = !listens;
	for (size_t i = 0; i < 2; i++)
		if (io->doors[i].watch != NULL &&
		    rk_watch_set(io->doors[i].watch, listens ? RK_READ : 0) !=
		        RK_OK)
			log_event(RK_LOG_ERROR, "agent", "cannot listen");
}

static void
on_door(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct door *d = arg;
	int got;

	(void)w;
	(void)ready;
	got = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (got >= 0)
		welcome(d->io, got, d->ssh);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	         errno == ENOMEM)
		listen_on(d->io, false);
	settle(d->io);
}

/* ---- all of it ---- */

/* Answers that have come meanwhile. */
static void
deliver(struct agent_io *io)
{
	struct client *c;

	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++) {
		c = &io->clients[i];
		if (c->fd < 0 || c->wait == 0)
			continue;
		if (agent_poll(io->agent, rk_loop_now(io->loop), &c->out,
		        &c->wait) != RK_OK)
			hang_up(c);
		else if (c->wait == 0 && (!send_out(c) || !watch(c)))
			hang_up(c);
	}
}

static void
settle(struct agent_io *io)
{
	uint64_t now = rk_loop_now(io->loop);
	bool by_tty;

	deliver(io);
	by_tty = agent_tty_update(io->tty, now);
	agent_ask_update(&io->asks, io->agent, now, by_tty);
	agent_note_update(&io->notes, io->agent, now);
	set_timer(io);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct agent_io *io = arg;
	uint64_t now = rk_loop_now(io->loop);

	(void)t;
	look_for_sleep(io);
	agent_tick(io->agent, now);
	if (io->deaf)
		listen_on(io, true);
	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
		if (io->clients[i].fd >= 0 && deadline(&io->clients[i]) <= now)
			hang_up(&io->clients[i]);
	settle(io);
}

void
agent_io_changed(struct agent_io *io)
{
	/* Before a yes counts that was given meanwhile. */
	look_for_sleep(io);
	agent_ask_reap(&io->asks, io->agent, rk_loop_now(io->loop));
	agent_note_reap(&io->notes);
	settle(io);
}

/* ---- who is asked ---- */

static void
how_asked(void *arg, char out[AGENT_ASKS_MAX])
{
	const struct agent_io *io = arg;

	if (!agent_tty_where(io->tty, out))
		(void)str_copy(out, AGENT_ASKS_MAX,
		    io->asks.program != NULL ? "askpass" : "");
}

static void
on_tty(void *arg)
{
	agent_io_changed(arg);
}

enum rk_err
agent_io_term(struct agent_io *io, const struct agent_term *term)
{
	return agent_tty_new(io->loop, io->agent, term, on_tty, io, &io->tty);
}

void
agent_io_notify(struct agent_io *io, const char *program)
{
	io->notes.program = program;
}

void
agent_io_resumed(struct agent_io *io)
{
	agent_tty_again(io->tty);
	agent_io_changed(io);
}

/* ---- from beginning to end ---- */

enum rk_err
agent_io_new(struct rk_loop *loop, struct agent *a, int own_fd, int ssh_fd,
    const char *askpass, struct agent_io **out)
{
	const int fds[2] = { own_fd, ssh_fd };
	struct agent_io *io;
	enum rk_err r;

	*out = NULL;
	if ((io = calloc(1, sizeof(*io))) == NULL)
		return RK_ENOMEM;
	io->loop = loop;
	io->agent = a;
	io->asks.program = askpass;
	agent_asks_by(a, how_asked, io);
	io->asleep_ms = slept_ms();
	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
		io->clients[i].fd = -1;
	r = rk_timer_new(loop, on_timer, io, &io->timer);
	for (size_t i = 0; i < 2 && r == RK_OK; i++) {
		io->doors[i].io = io;
		io->doors[i].ssh = i == 1;
		if (fds[i] >= 0)
			r = rk_watch_new(loop, fds[i], RK_READ, on_door,
			    &io->doors[i], &io->doors[i].watch);
	}
	if (r == RK_OK)
		*out = io;
	else
		agent_io_free(io);
	return r;
}

void
agent_io_free(struct agent_io *io)
{
	if (io == NULL)
		return;
	agent_asks_by(io->agent, NULL, NULL);
	agent_tty_free(io->tty);
	agent_ask_end(&io->asks);
	agent_note_end(&io->notes);
	for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
		if (io->clients[i].fd >= 0)
			hang_up(&io->clients[i]);
	for (size_t i = 0; i < 2; i++)
		if (io->doors[i].watch != NULL)
			rk_watch_free(io->doors[i].watch);
	rk_timer_free(io->timer);
	free(io);
}
