/* The agent's life: nobody looks into it, it listens, serves, and leaves. */
#include "agent_run.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rpckit/loop.h>

#include "agent_ask.h"
#include "agent_io.h"
#include "agent_vault.h"
#include "base/error.h"

struct run {
	struct rk_loop *loop;
	struct agent_vault *vault;
	struct agent *agent;
	struct agent_io *io;
	int lock_fd;
	int own_fd;
	int ssh_fd;
	struct rk_watch *session;
};

/* No debugger of our own user's, no core file, no look by /proc. */
static enum rk_err
shut_off(struct rk_error *err)
{
	const struct rlimit none = { 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0)
		return err_sys(
		    err, RK_EIO, errno, "agent: cannot shut itself off");
	return RK_OK;
}

/* ---- signals ---- */

static void
on_lock(int signo, void *arg)
{
	struct run *run = arg;

	(void)signo;
	agent_lock(run->agent);
	agent_io_changed(run->io);
}

static void
on_stop(int signo, void *arg)
{
	struct run *run = arg;

	(void)signo;
	rk_loop_stop(run->loop);
}

static void
on_child(int signo, void *arg)
{
	struct run *run = arg;

	(void)signo;
	agent_io_changed(run->io);
}

static void
on_resumed(int signo, void *arg)
{
	struct run *run = arg;

	(void)signo;
	agent_io_resumed(run->io);
}

/* Whoever was logged in where we were started is not any more. */
static void
on_session_end(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct run *run = arg;

	(void)fd;
	(void)ready;
	rk_watch_free(w);
	run->session = NULL;
	on_lock(SIGHUP, run);
}

static enum rk_err
set_signals(struct run *run)
{
	static const struct {
		int signo;
		rk_signal_fn *fn;
	} list[] = {
		{ SIGHUP, on_lock },
		{ SIGUSR1, on_lock },
		{ SIGTERM, on_stop },
		{ SIGINT, on_stop },
		{ SIGCHLD, on_child },
		{ SIGCONT, on_resumed },
	};
	enum rk_err r = RK_OK;

	/* From the background nobody is asked, and we go on there. */
	(void)signal(SIGTTIN, SIG_IGN);
	(void)signal(SIGTTOU, SIG_IGN);

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && r == RK_OK;
	     i++)
		r = rk_loop_signal(run->loop, list[i].signo, list[i].fn, run);
	return r;
}

/* ---- from beginning to end ---- */

static enum rk_err
listen_there(struct run *run, const struct agent_setup *s, struct rk_error *err)
{
	enum rk_err r;

	if (s->own_fd >= 0) {
		run->own_fd = s->own_fd;
		run->ssh_fd = s->ssh_fd;
		return RK_OK;
	}
	if ((r = agent_sock_claim(s->own, &run->lock_fd, err)) != RK_OK ||
	    (r = agent_sock_listen(s->own, &run->own_fd, err)) != RK_OK)
		return r;
	return s->ssh[0] != '\0' ? agent_sock_listen(s->ssh, &run->ssh_fd, err)
	                         : RK_OK;
}

static enum rk_err
set_up(struct run *run, const struct agent_setup *s, struct rk_error *err)
{
	struct agent_back back;
	struct agent_conf conf = {
		.back = &back,
		.path = s->vault,
		.lifetime_ms = s->lifetime_ms,
	};
	enum rk_err r;

	if ((r = shut_off(err)) != RK_OK ||
	    (r = agent_vault_new(s->vault, &run->vault, err)) != RK_OK ||
	    (r = listen_there(run, s, err)) != RK_OK)
		return r;
	agent_vault_back(run->vault, &back);
	conf.id = agent_vault_id(run->vault);
	if ((r = rk_loop_new(&run->loop)) == RK_OK &&
	    (r = agent_new(&conf, &run->agent)) == RK_OK &&
	    (r = agent_io_new(run->loop, run->agent, run->own_fd, run->ssh_fd,
	         agent_ask_program(), &run->io)) == RK_OK &&
	    (r = agent_io_term(run->io, &s->term)) == RK_OK &&
	    (r = set_signals(run)) == RK_OK)
		agent_io_notify(run->io, s->notify);
	if (r == RK_OK && s->session_fd >= 0)
		r = rk_watch_new(run->loop, s->session_fd, RK_READ,
		    on_session_end, run, &run->session);
	return r == RK_OK ? r : err_set(err, r, "agent: %s", rk_err_text(r));
}

/* Sockets that came from outside are left as they are. */
static void
take_down(struct run *run, const struct agent_setup *s)
{
	if (run->own_fd >= 0 && s->own_fd < 0)
		(void)unlink(s->own);
	if (run->ssh_fd >= 0 && s->own_fd < 0)
		(void)unlink(s->ssh);
	if (run->session != NULL)
		rk_watch_free(run->session);
	if (s->session_fd >= 0)
		(void)close(s->session_fd);
	agent_io_free(run->io);
	agent_free(run->agent);
	agent_vault_free(run->vault);
	if (run->loop != NULL)
		rk_loop_free(run->loop);
	if (run->own_fd >= 0)
		(void)close(run->own_fd);
	if (run->ssh_fd >= 0)
		(void)close(run->ssh_fd);
	if (run->lock_fd >= 0)
		(void)close(run->lock_fd);
}

enum rk_err
agent_run(const struct agent_setup *setup, agent_ready_fn *ready, void *arg,
    struct rk_error *err)
{
	struct run run = { .lock_fd = -1, .own_fd = -1, .ssh_fd = -1 };
	enum rk_err r;

	if ((r = set_up(&run, setup, err)) == RK_OK &&
	    (r = ready(arg, err)) == RK_OK) {
		r = rk_loop_run(run.loop);
		if (r != RK_OK)
			r = err_set(err, r, "agent: %s", rk_err_text(r));
	}
	take_down(&run, setup);
	return r;
}
