/* The kernel's side of the loop, by epoll: level-triggered, one set a loop. */
#include "base/clock.h"
#include "net/loop_int.h"

#include <sys/epoll.h>

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 100000
#define LOOK_GAP_NS 15000 /* longer than to look takes */

enum rk_err
loop_poll_open(struct rk_loop *loop)
{
	loop->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->poll_fd < 0)
		return errno == ENOMEM ? RK_ENOMEM : RK_EIO;
	return RK_OK;
}

void
loop_poll_close(struct rk_loop *loop)
{
	if (loop->poll_fd >= 0)
		(void)close(loop->poll_fd); /* nothing can be lost */
	loop->poll_fd = -1;
}

void
loop_poll_forget(struct rk_watch *w)
{
	/* Fails when the descriptor is closed, which took it out as well. */
	if (w->want != 0)
		(void)epoll_ctl(w->loop->poll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->want = 0;
}

/*
 * A descriptor that nothing is wanted of must leave the set: epoll reports
 * hang-ups whatever the mask, and the loop would spin.
 */
enum rk_err
loop_poll_set(struct rk_watch *w, unsigned want)
{
	struct epoll_event ev = { .data = { .ptr = w } };
	int op = w->want == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (want == 0)
		loop_poll_forget(w);
	if (want == w->want)
		return RK_OK;
	if ((want & RK_READ) != 0)
		ev.events |= EPOLLIN;
	if ((want & RK_WRITE) != 0)
		ev.events |= EPOLLOUT;
	if ((want & LOOP_FINISHED) != 0)
		ev.events |= EPOLLRDHUP;
	/* LOOP_BROKEN is told whatever the mask. */
	if (epoll_ctl(w->loop->poll_fd, op, w->fd, &ev) != 0)
		return errno == ENOMEM ? RK_ENOMEM : RK_EIO;
	w->want = want;
	return RK_OK;
}

static unsigned
ready_of(uint32_t events)
{
	unsigned ready = 0;

	if ((events & EPOLLIN) != 0)
		ready |= RK_READ;
	if ((events & EPOLLOUT) != 0)
		ready |= RK_WRITE;
	if ((events & EPOLLRDHUP) != 0)
		ready |= LOOP_FINISHED;
	if ((events & (EPOLLERR | EPOLLHUP)) != 0)
		ready |= RK_READ | RK_WRITE | LOOP_BROKEN;
	return ready;
}

/* Where the kernel is too old for it, milliseconds, and never too early. */
static int
wait_for(int fd, struct epoll_event *events, uint64_t ns)
{
	struct timespec ts;
	uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
	int got;

	if (ns == 0 || ns == LOOP_FOREVER)
		return epoll_wait(fd, events, LOOP_BATCH, ns == 0 ? 0 : -1);
	ts.tv_sec = (time_t)(ns / 1000000000);
	ts.tv_nsec = (long)(ns % 1000000000);
	got = epoll_pwait2(fd, events, LOOP_BATCH, &ts, NULL);
	if (got >= 0 || errno != ENOSYS)
		return got;
	return epoll_wait(
	    fd, events, LOOP_BATCH, ms < INT_MAX ? (int)ms : INT_MAX);
}

/*
 * Look for a little while before the thread sleeps: where an answer comes
 * within it, to be woken would take as long again.  After it was in vain, twice
 * as many waits go by without it each time.  So it is when somebody else had to
 * take the processor meanwhile, perhaps to answer.
 */
static int
look(struct rk_loop *loop, struct epoll_event *events, uint64_t ns)
{
	uint64_t now, end, last;
	int got;

	if (!loop->keen || ns <= LOOK_NS)
		return 0;
	if (loop->look_skip > 0) {
		loop->look_skip--;
		return 0;
	}
	now = mono_ns();
	end = now + LOOK_NS;
	do {
		got = epoll_wait(loop->poll_fd, events, LOOP_BATCH, 0);
		last = now;
		now = mono_ns();
	} while (got == 0 && now < end && now - last < LOOK_GAP_NS);
	if (got != 0 && now - last < LOOK_GAP_NS) {
		if (last != end - LOOK_NS) /* what was there tells nothing */
			loop->look_back /= 2;
		return got;
	}
	loop->look_back = 2 * loop->look_back + 1;
	if (loop->look_back > LOOK_SKIP_MAX)
		loop->look_back = LOOK_SKIP_MAX;
	loop->look_skip = loop->look_back;
	return got;
}

enum rk_err
loop_poll_wait(struct rk_loop *loop, uint64_t ns, size_t *n)
{
	struct epoll_event events[LOOP_BATCH];
	int got;

	*n = 0;
	got = look(loop, events, ns);
	if (got == 0)
		got = wait_for(loop->poll_fd, events, ns);
	if (got < 0)
		return errno == EINTR ? RK_OK : RK_EIO;
	for (int i = 0; i < got; i++) {
		loop->events[i] = (struct loop_event){
			.w = events[i].data.ptr,
			.ready = ready_of(events[i].events),
		};
	}
	*n = (size_t)got;
	return RK_OK;
}
