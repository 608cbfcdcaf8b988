/* The process of a job: started with a clean slate, fed, read. */
#include "job.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#define CHUNK 16384
#define CHUNKS_A_TURN 4

/* ---- starting ---- */

struct pipes {
	int child[3]; /* its ends: 0 reads, 1 and 2 write */
	int ours[3];
};

static void
close_all(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]); /* nothing went through yet */
		fds[i] = -1;
	}
}

/* A pipe whose end for us never waits. */
static bool
make_pipe(struct pipes *p, enum job_end which)
{
	int mine = which == JOB_IN ? 1 : 0;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	p->ours[which] = fds[mine];
	p->child[which] = fds[1 - mine];
	return fcntl(fds[mine], F_SETFL, O_NONBLOCK) == 0;
}

static bool
make_pipes(struct pipes *p, bool with_input)
{
	*p = (struct pipes){ { -1, -1, -1 }, { -1, -1, -1 } };
	if (with_input && !make_pipe(p, JOB_IN))
		return false;
	return make_pipe(p, JOB_OUT) && make_pipe(p, JOB_ERR);
}

/* A process group of its own, no signal ignored or blocked. */
static int
set_attributes(posix_spawnattr_t *a)
{
	sigset_t all, none;
	int e;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	if ((e = posix_spawnattr_setpgroup(a, 0)) != 0 ||
	    (e = posix_spawnattr_setsigdefault(a, &all)) != 0 ||
	    (e = posix_spawnattr_setsigmask(a, &none)) != 0)
		return e;
	return posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP |
	                                       POSIX_SPAWN_SETSIGDEF |
	                                       POSIX_SPAWN_SETSIGMASK);
}

/* Descriptors 0 to 2 and nothing else; the root as working directory. */
static int
set_actions(posix_spawn_file_actions_t *fa, const struct pipes *p)
{
	int e = 0;

	if (p->child[JOB_IN] < 0)
		e = posix_spawn_file_actions_addopen(
		    fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	for (int i = 0; i < 3 && e == 0; i++) {
		if (p->child[i] >= 0)
			e = posix_spawn_file_actions_adddup2(
			    fa, p->child[i], i);
	}
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(fa, 3);
	return e != 0 ? e : posix_spawn_file_actions_addchdir_np(fa, "/");
}

static int
spawn(struct job *job, const struct pipes *p)
{
	char **argv = job->command->conf->argv;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t a;
	int e;

	if ((e = posix_spawnattr_init(&a)) != 0)
		return e;
	if ((e = posix_spawn_file_actions_init(&fa)) != 0) {
		(void)posix_spawnattr_destroy(&a);
		return e;
	}
	e = set_attributes(&a);
	if (e == 0)
		e = set_actions(&fa, p);
	if (e == 0)
		e = posix_spawn(&job->pid, argv[0], &fa, &a, argv, job->envp);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&a);
	return e;
}

/* ---- its pipes ---- */

void
job_close(struct job *job, enum job_end which)
{
	struct pipe_end *end = &job->ends[which];

	rk_watch_free(end->watch);
	end->watch = NULL;
	if (end->fd >= 0)
		(void)close(end->fd); /* the other side may be gone */
	end->fd = -1;
}

/* A command need not read what it is sent. */
static void
on_writable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct job *job = arg;
	ssize_t n;

	(void)w;
	(void)ready;
	do
		n = write(fd, buf_peek(&job->in), buf_len(&job->in));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		buf_consume(&job->in, (size_t)n);
	if (n < 0 || buf_len(&job->in) == 0) {
		job_close(job, JOB_IN);
		buf_wipe(&job->in);
	}
}

/* Keep the end only. */
static void
keep_tail(struct job *job, const uint8_t *data, size_t len)
{
	size_t keep;

	if (len > JOB_TAIL_LEN) {
		data += len - JOB_TAIL_LEN;
		len = JOB_TAIL_LEN;
	}
	keep = JOB_TAIL_LEN - len;
	if (keep > job->tail_len)
		keep = job->tail_len;
	memmove(job->tail, job->tail + job->tail_len - keep, keep);
	memcpy(job->tail + keep, data, len);
	job->tail_len = keep + len;
}

/* One read: RK_EAGAIN (nothing now), RK_ECLOSED, RK_ETOOBIG. */
static enum rk_err
read_some(struct job *job, enum job_end which)
{
	uint8_t chunk[CHUNK];
	ssize_t n;

	do
		n = read(job->ends[which].fd, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return RK_EAGAIN;
	if (n <= 0)
		return RK_ECLOSED;
	if (which == JOB_OUT)
		return buf_put(&job->out, chunk, (size_t)n);
	keep_tail(job, chunk, (size_t)n);
	return RK_OK;
}

static void
on_readable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct job *job = arg;
	enum job_end which = fd == job->ends[JOB_OUT].fd ? JOB_OUT : JOB_ERR;
	enum rk_err r = RK_OK;

	(void)w;
	(void)ready;
	for (int i = 0; i < CHUNKS_A_TURN && r == RK_OK; i++)
		r = read_some(job, which);
	if (r == RK_ECLOSED)
		job_close(job, which);
	else if (r != RK_OK && r != RK_EAGAIN)
		job_overflow(job);
}

/* What a pipe can hold; grandchildren may go on writing. */
static enum rk_err
drain(struct job *job, enum job_end from)
{
	size_t chunks = ((size_t)1 << 20) / CHUNK;
	enum rk_err r = RK_OK;

	while (job->ends[from].fd >= 0 && r == RK_OK && chunks-- > 0)
		r = read_some(job, from);
	return r;
}

bool
job_drain(struct job *job)
{
	const enum rk_err r = drain(job, JOB_OUT);

	if (r != RK_OK && r != RK_EAGAIN && r != RK_ECLOSED)
		return false;
	(void)drain(job, JOB_ERR); /* what is too much of it is cut */
	return true;
}

enum rk_err
job_watch(struct job *job, struct rk_loop *loop)
{
	enum rk_err r = RK_OK;

	if (buf_len(&job->in) == 0)
		job_close(job, JOB_IN);
	for (int i = 0; i < 3 && r == RK_OK; i++) {
		struct pipe_end *end = &job->ends[i];

		if (end->fd < 0)
			continue;
		r = i == JOB_IN ? rk_watch_new(loop, end->fd, RK_WRITE,
		                      on_writable, job, &end->watch)
		                : rk_watch_new(loop, end->fd, RK_READ,
		                      on_readable, job, &end->watch);
	}
	return r;
}

enum rk_err
job_spawn(struct job *job, struct rk_error *err)
{
	bool with_input = job->command->conf->args != ARGS_NONE;
	struct pipes p;
	int e = 0;

	err_clear(err);
	if (!make_pipes(&p, with_input))
		e = errno;
	if (e == 0)
		e = spawn(job, &p);
	close_all(p.child);
	if (e != 0) {
		job->pid = -1;
		close_all(p.ours);
		return err_sys(err, RK_EIO, e, "cannot run the command");
	}
	for (int i = 0; i < 3; i++)
		job->ends[i].fd = p.ours[i];
	return RK_OK;
}

const char *
job_last_line(const struct job *job, char *dst, size_t dst_len)
{
	const char *p = job->tail;
	size_t len = job->tail_len;
	size_t start;

	while (len > 0 && strchr("\r\n\t ", p[len - 1]) != NULL)
		len--;
	start = len;
	while (start > 0 && p[start - 1] != '\n' && p[start - 1] != '\r')
		start--;
	return rk_escape(dst, dst_len, p + start, len - start);
}
