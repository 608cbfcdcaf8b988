/* A control's life: its sockets, the servers behind them, facts, the end. */
#include "rpc/control_int.h"

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LAST_WORDS_MS 1000 /* for answers that have not left */
#define FIRST_MS 10000     /* for what is asked first */
#define READ_QUEUE ((size_t)4 << 20)

/* ---- one socket ---- */

/* A reader of events may be quiet for ever. */
static enum rk_err
make_server(struct control_end *e, struct rk_error *err)
{
	struct rk_server_conf conf = { .size = sizeof(conf),
		.loop = e->control->server->loop,
		.timeouts = { .idle = RK_NEVER },
		.max_conns = CONTROL_READERS,
		.max_calls = 64,
		.max_queue = READ_QUEUE,
		.early = RK_EARLY_OFF };
	enum rk_err r;

	if ((r = rk_server_new(&conf, &e->server, err)) != RK_OK)
		return r;
	e->server->own_uid_only = true;
	e->server->first_ms = FIRST_MS;
	control_watch_end(e);
	return RK_OK;
}

static enum rk_err
listen_at(struct control_end *e, const struct control_place *p,
    const char *group, struct rk_error *err)
{
	char url[256];
	enum rk_err r;

	if (p->path[0] != '/' || strlen(p->path) >= sizeof(url) - 8)
		return err_set(err, RK_EINVAL,
		    "control: a socket needs an absolute path that is short");
	(void)snprintf(url, sizeof(url), "unix://%s", p->path);
	/* Who can put another socket there answers those who steer us. */
	if ((r = fs_check_parent(p->path, "control socket", err)) != RK_OK)
		return r;
	if ((r = rk_server_listen(e->server, url, NULL, err)) != RK_OK ||
	    group == NULL)
		return r;
	e->server->own_uid_only = false;
	return control_open_to(p->path, group, err);
}

static enum rk_err
listen_with(
    struct control_end *e, const struct control_place *p, struct rk_error *err)
{
	bool for_group;
	enum rk_err r;
	int fd;

	if ((r = control_check_fd(p->fd, &for_group, err)) != RK_OK)
		return r;
	e->server->own_uid_only = !for_group;
	fd = fcntl(p->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(
		    err, RK_EIO, errno, "control: descriptor %d", p->fd);
	r = rk_server_listen_fd(e->server, "unix", fd, NULL, err);
	if (r != RK_OK)
		(void)close(fd); /* only a copy */
	return r;
}

static enum rk_err
add_end(struct rk_control *c, const struct control_place *p, const char *group,
    struct rk_error *err)
{
	struct control_end *e = &c->ends[c->n_ends];
	enum rk_err r;

	if (p->path == NULL && p->fd == 0)
		return RK_OK;
	if (p->path != NULL && p->fd != 0)
		return err_set(err, RK_EINVAL,
		    "control: a path or a descriptor, not both");
	e->control = c;
	e->read_only = p->read_only;
	if ((r = make_server(e, err)) != RK_OK)
		return r;
	c->n_ends++;
	if ((r = control_methods(e, err)) != RK_OK)
		return r;
	r = p->fd != 0 ? listen_with(e, p, err) : listen_at(e, p, group, err);
	return r == RK_OK ? rk_server_start(e->server, err) : r;
}

/* ---- making one ---- */

static void
free_parts(struct rk_control *c)
{
	control_ask_fini(c);
	rk_timer_free(c->again);
	control_events_fini(c);
	control_uploads_fini(c);
	for (size_t i = 0; i < c->n_facts; i++)
		free(c->facts[i]);
	free(c->name);
	free(c->version);
	free(c);
}

static void on_stopped(struct mail *m);

static enum rk_err
make_parts(struct rk_control *c, const struct rk_control_conf *conf,
    struct rk_error *err)
{
	const struct control_place steer = { conf->path, conf->fd, false };
	const struct control_place view = { conf->view_path, conf->view_fd,
		true };
	const char *version = conf->version;
	enum rk_err r;

	c->name = strdup(conf->name);
	c->version = strdup(version != NULL ? version : rk_version());
	if (c->name == NULL || c->version == NULL ||
	    (r = control_log_open(c)) != RK_OK ||
	    (r = control_ask_open(c)) != RK_OK)
		return err_set(err, RK_ENOMEM, "control: out of memory");
	if ((r = add_end(c, &steer, conf->group, err)) != RK_OK)
		return r;
	return add_end(c, &view, conf->group, err);
}

/* Nobody has connected, as no turn of the loop has passed. */
static void
undo(struct rk_control *c)
{
	control_ask_close(c);
	control_log_close(c);
	for (unsigned i = 0; i < c->n_ends; i++) {
		server_close_listeners(c->ends[i].server);
		c->ends[i].server->state = SERVER_STOPPED;
		rk_server_free(c->ends[i].server);
	}
	free_parts(c);
}

enum rk_err
rk_control_new(const struct rk_control_conf *conf, struct rk_control **out,
    struct rk_error *err)
{
	struct rk_control_conf given = { 0 };
	struct rk_control *c;
	struct timespec now;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	memcpy(&given, conf,
	    conf->size < sizeof(given) ? conf->size : sizeof(given));
	if (given.server == NULL || given.name == NULL ||
	    (given.path == NULL && given.view_path == NULL && given.fd == 0 &&
	        given.view_fd == 0))
		return err_set(
		    err, RK_EINVAL, "control: no server, no name or no socket");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "control: out of memory");
	c->server = given.server;
	c->reload = given.reload;
	c->drain = given.drain;
	c->stop = given.stop;
	c->arg = given.arg;
	c->stopped.fn = on_stopped;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	c->since = now.tv_sec;
	c->begun = rk_loop_now(c->server->loop);
	control_events_init(c);
	control_ask_init(c);
	TAILQ_INIT(&c->turns);
	TAILQ_INIT(&c->uploads);
	if ((r = make_parts(c, &given, err)) != RK_OK) {
		undo(c);
		return r;
	}
	control_watch(c);
	*out = c;
	return RK_OK;
}

/* ---- facts ---- */

static size_t
find_fact(const struct rk_control *c, const char *key)
{
	size_t i = 0;

	while (i < c->n_facts && strcmp(c->facts[i]->key, key) != 0)
		i++;
	return i;
}

enum rk_err
rk_control_fact(struct rk_control *c, const char *key, const char *text)
{
	char cut[sizeof(c->facts[0]->key)];
	struct control_fact *f;
	size_t i;

	(void)str_copy(cut, sizeof(cut), key);
	i = find_fact(c, cut);
	if (text == NULL) {
		if (i == c->n_facts)
			return RK_OK;
		free(c->facts[i]);
		c->n_facts--;
		memmove(&c->facts[i], &c->facts[i + 1],
		    (c->n_facts - i) * sizeof(c->facts[0]));
		return RK_OK;
	}
	if (i == c->n_facts) {
		if (i == RK_CONTROL_FACTS)
			return RK_ELIMIT;
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			return RK_ENOMEM;
		(void)str_copy(f->key, sizeof(f->key), cut);
		c->facts[c->n_facts++] = f;
	}
	(void)str_copy(c->facts[i]->text, sizeof(c->facts[i]->text), text);
	return RK_OK;
}

/* ---- the end ---- */

static void
on_stopped(struct mail *m)
{
	struct rk_control *c = container_of(m, struct rk_control, stopped);

	if (c->done != NULL)
		c->done(c->done_arg);
}

void
control_settle(struct rk_control *c)
{
	if (c->stopping && c->ends_due == 0 && c->surveys == 0)
		mailbox_put(c->log.box, &c->stopped);
}

static void
on_end_stopped(void *arg)
{
	struct rk_control *c = arg;

	c->ends_due--;
	control_settle(c);
}

void
rk_control_stop(struct rk_control *c, void (*done)(void *arg), void *arg)
{
	if (c->stopping)
		return;
	c->stopping = true;
	c->done = done;
	c->done_arg = arg;
	control_ask_close(c);
	control_log_close(c);
	TAILQ_REMOVE(&c->server->watches, &c->watch, link);
	control_calls_settle(c);
	c->ends_due = c->n_ends;
	for (unsigned i = 0; i < c->n_ends; i++)
		rk_server_stop(
		    c->ends[i].server, LAST_WORDS_MS, on_end_stopped, c);
}

void
rk_control_free(struct rk_control *c)
{
	if (c == NULL)
		return;
	assert(c->stopping && c->ends_due == 0 && c->surveys == 0);
	for (unsigned i = 0; i < c->n_ends; i++)
		rk_server_free(c->ends[i].server);
	free_parts(c);
}
