/* Control sockets: for whom, events and those who do not read, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "rpc/control_int.h"

#include "ctlrig.h"
#include "pushrig.h"

#define NOBODY 65534

/* Even where the mode of the file lets others in. */
static void
refuses_other_users(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	int status, dir;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	ctl_start(&ctl, &rig, *state);
	rpclog_start();
	assert_int_equal(chmod(ctl.path, 0666), 0);
	assert_int_equal(chmod(rpcworld.dir, 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sockaddr_un to = { .sun_family = AF_UNIX };
		const char *name = strrchr(ctl.path, '/') + 1;
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		struct pollfd p = { fd, POLLIN, 0 };
		char byte;

		memcpy(to.sun_path, name, strlen(name) + 1);
		if (chdir(rpcworld.dir) != 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) != 0 ||
		    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
			_exit(2);
		if (poll(&p, 1, RPCRIG_PATIENCE_MS) != 1)
			_exit(3);
		_exit(recv(fd, &byte, 1, 0) == 0 ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	dir = chmod(rpcworld.dir, 0700);
	assert_int_equal(dir, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	rpclog_await(RK_LOG_WARN,
	    "refused: only for root and the user of this program", 1);
	rpclog_stop();
	ctl_stop(&ctl, &rig);
}

/* ---- the mute ---- */

static void
be_impatient(struct rpcrig *r, void *arg)
{
	const struct ctl *ctl = arg;

	(void)r;
	ctl->control->ends[0].server->first_ms = 2000;
}

/* Who connects and asks nothing keeps no place; who has asked may be quiet. */
static void
puts_the_mute_out(void **state)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ctlnews news = { 0 };
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *c;
	struct pollfd p = { .events = POLLIN };
	char byte;

	ctl_start(&ctl, &rig, *state);
	rpcrig_do(&rig, be_impatient, &ctl);
	c = ctl_visit(ctl.path, &news);
	ctl_has(ctl_get(c, "_.status"), "\"state\":\"running\"");
	assert_true(strlen(ctl.path) < sizeof(to.sun_path));
	memcpy(to.sun_path, ctl.path, strlen(ctl.path) + 1);
	p.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p.fd >= 0);
	assert_int_equal(connect(p.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(poll(&p, 1, RPCRIG_PATIENCE_MS), 1);
	assert_int_equal(recv(p.fd, &byte, 1, 0), 0);
	(void)close(p.fd);
	ctl_has(ctl_get(c, "_.status"), "\"state\":\"running\"");
	rk_client_free(c);
	ctl_stop(&ctl, &rig);
}

/* ---- events ---- */

static void
pushes_events(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *c, *v;
	char want[64];

	assert_non_null(news);
	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, news);
	assert_int_equal(ctl_order(v, "_.events", "log", "loud"), RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.events", "log", "debug"), RK_OK);
	c = push_client(&rig, &p, NULL);
	ctl_await_news(v, news, "\"event\":\"opened\"");
	(void)snprintf(want, sizeof(want), "\"id\":%llu,",
	    (unsigned long long)push_conn_id(c));
	ctl_has(news->all, want);
	rk_client_free(c);
	ctl_await_news(v, news, "\"event\":\"closed\"");
	/* The log too, though this program's own is silent. */
	ctl_await_news(v, news, "\"level\":\"debug\"");
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
	free(news);
}

/* ---- a reader that does not read ---- */

#define FLOOD 3000

static void
flood(struct rpcrig *r, void *arg)
{
	struct ctl *c = arg;
	char text[1000];

	(void)r;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < FLOOD; i++)
		rk_control_event(c->control, "flood", text);
	rk_control_event(c->control, "done", "");
}

static void
bounds_what_waits(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *v;
	uint64_t got = 0;

	assert_non_null(news);
	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, news);
	assert_int_equal(ctl_order(v, "_.events", "x", "y"), RK_OK);
	rpcrig_do(&rig, flood, &ctl);
	/* Everything is either there or counted. */
	while (got < FLOOD + 1) {
		rpcrig_turn(v, &news->n, news->n + 1);
		got = news->n + news->lost - news->losses;
	}
	assert_true(news->lost > FLOOD / 2);
	assert_int_equal(got, FLOOD + 1);
	ctl_has(ctl_get(v, "_.status"), "\"state\":\"running\"");
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
	free(news);
}

static void
keeps_the_log(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *v;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.path, NULL);
	for (int i = 0; i < 300; i++)
		log_event(RK_LOG_WARN, "test", "line %d\x1b", i);
	log_event(RK_LOG_DEBUG, "test", "a detail");
	(void)ctl_await(v, "_.log", "line 299\\\\x1b", true, NULL);
	assert_null(strstr(ctl_get(v, "_.log"), "line 43\\\\"));
	ctl_has(ctl_get(v, "_.log"), "line 44\\\\x1b");
	assert_null(strstr(ctl_get(v, "_.log"), "a detail"));
	rpclog_start();
	assert_int_equal(ctl_order(v, "_.level", "level", "loud"), RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.level", "level", "error"), RK_OK);
	log_event(RK_LOG_WARN, "test", "not heard");
	assert_int_equal(ctl_order(v, "_.level", "level", "debug"), RK_OK);
	log_event(RK_LOG_DEBUG, "test", "heard");
	rpclog_await(RK_LOG_DEBUG, "heard", 1);
	assert_int_equal(rpclog_count(RK_LOG_DEBUG, "not heard"), 0);
	rpclog_stop();
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

/* ---- where it listens, and its end ---- */

static void
minds_its_sockets(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct rpcrig rig;
	struct ctl ctl, other;
	int fd;

	rpcrig_begin(&rig, *state);
	ctl_init(&ctl, &rig);
	/* Nobody listens there any more. */
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", ctl.path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	(void)close(fd);
	rpcrig_do(&rig, ctl_make, &ctl);
	assert_int_equal(ctl.r, RK_OK);
	/* Somebody does, at the second of two. */
	ctl_init(&other, &rig);
	other.conf.view_path = ctl.path;
	rpcrig_do(&rig, ctl_make, &other);
	assert_int_equal(other.r, RK_EIO);
	assert_int_equal(other.err.sys, EADDRINUSE);
	assert_int_equal(access(other.path, F_OK), -1);
	other.conf.view_path = "relative";
	rpcrig_do(&rig, ctl_make, &other);
	assert_int_equal(other.r, RK_EINVAL);
	other.conf.path = other.conf.view_path = NULL;
	rpcrig_do(&rig, ctl_make, &other);
	assert_int_equal(other.r, RK_EINVAL);
	ctl_stop(&ctl, &rig);
}

/* The server may stop first; a question meanwhile is answered. */
static void
outlives_the_server(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 }, b = { 0 };
	struct rk_client *c, *v;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.path, NULL);
	c = push_client(&rig, &p, NULL);
	(void)rpcrig_submit(c, "hold", "x", 1, &a);
	rpcrig_turn_for(c, &rig, &rig.n_held, 1);
	rpcrig_stop(&rig, 10000);
	ctl_has(ctl_get(v, "_.status"), "\"state\":\"stopping\"");
	assert_int_equal(ctl_count(ctl_get(v, "_.conns"), "\"id\":"), 1);
	rpcrig_answer(&rig, 0, NULL, "x", 1);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	rk_client_free(c);
	rpcrig_await_stopped(&rig);
	ctl_has(ctl_get(v, "_.status"), "\"state\":\"stopped\"");
	ctl_has(ctl_get(v, "_.conns"), "\"conns\":[]");
	(void)rpcrig_submit(v, "_.conns", NULL, 0, &b);
	(void)rk_client_process(v);
	ctl_end(&ctl);
	rpcrig_turn(v, &b.n, 1);
	rk_client_free(v);
	rpcrig_fini(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "events", pushes_events, RPC_ALL },
		{ "end", outlives_the_server, RPC_ALL },
		{ "other users", refuses_other_users, RPC_ONLY(RPC_UNIX) },
		{ "mute", puts_the_mute_out, RPC_ONLY(RPC_UNIX) },
		{ "slow reader", bounds_what_waits, RPC_ONLY(RPC_UNIX) },
		{ "log", keeps_the_log, RPC_ONLY(RPC_UNIX) },
		{ "sockets", minds_its_sockets, RPC_ONLY(RPC_UNIX) },
	};

	return rpcrig_run_cases(
	    "rpc control life", cases, sizeof(cases) / sizeof(cases[0]));
}
