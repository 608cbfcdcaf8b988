/* An admin socket that says whatever is in files. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/rpckit.h>

#include "base/buf.h"
#include "base/fs.h"

#define FILE_MAX (1 << 20)
#define PUSHES_MAX 64

/*
 * oddctl SOCKET DIR: answers _.status with the bytes of DIR/_.status, and so
 * on; of what has no file there is no such method.  Who asks for _.events is
 * pushed DIR/push.0, DIR/push.1, ... as well, and DIR/conns.0, ... each time
 * somebody asks for _.conns.  _.export is answered with DIR/export.0,
 * DIR/export.1, ... as long as there are such; _.known with DIR/known.0, ...
 * What _.decide was asked is in DIR/decided then.  Where there is a DIR/kick.0,
 * _.kick is answered with that, then with DIR/kick.1, and so on; of one that is
 * not there the connection is gone.  Where DIR/NAME.end is there, who asks for
 * NAME ends the program; where DIR/NAME.hold is, nothing is answered, and where
 * DIR/NAME.no is, that is not allowed.  Until it is terminated.
 */
static const char *const names[] = { "_.status", "_.conns", "_.calls",
	"_.trust", "_.known", "_.log", "_.serves", "_.kick", "_.undo",
	"_.audit", "_.export", "_.events", "_.pending", "_.metrics", "_.check",
	"_.import", "_.decide", "_.mode", "_.reload", "_.lock" };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static const char *folder;
static struct rk_loop *loop;
static struct rk_server *server;
static uint64_t watcher; /* has asked for _.events last; 0: nobody has */

static enum rk_err
load(const char *name, struct buf *b)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	buf_init(b, FILE_MAX);
	return fs_read(path, 0, FILE_MAX, b, NULL);
}

static bool
is_there(const char *name)
{
	struct buf b;
	bool there = load(name, &b) == RK_OK;

	buf_fini(&b);
	return there;
}

static bool
has_mark(const char *name, const char *mark)
{
	char file[64];

	(void)snprintf(file, sizeof(file), "%s.%s", name, mark);
	return is_there(file);
}

static void
end_at(const char *name)
{
	if (has_mark(name, "end"))
		_exit(0);
}

static void
on_call(struct rk_call *call, void *arg)
{
	struct buf b;

	end_at(arg);
	if (has_mark(arg, "hold"))
		return;
	if (has_mark(arg, "no")) {
		(void)rk_call_fail(
		    call, "not allowed for this caller", NULL, 0);
		return;
	}
	if (load(arg, &b) == RK_OK)
		(void)rk_call_reply(call, buf_peek(&b), buf_len(&b));
	else
		(void)rk_call_fail(call, "it is gone", NULL, 0);
	buf_fini(&b);
}

/* In parts. */
static void
on_part(struct rk_call *call, void *arg)
{
	static unsigned exports, knowns;
	static char name[32];
	const bool known = strcmp(arg, "_.known") == 0;
	struct buf b;

	(void)snprintf(name, sizeof(name), known ? "known.%u" : "export.%u",
	    known ? knowns++ : exports++);
	on_call(call, load(name, &b) == RK_OK ? name : arg);
	buf_fini(&b);
}

static void
on_kick(struct rk_call *call, void *arg)
{
	static unsigned asked;
	static char name[32];

	(void)snprintf(name, sizeof(name), "kick.%u", asked++);
	end_at(name);
	if (is_there(name))
		on_call(call, name);
	else if (is_there("kick.0"))
		(void)rk_call_fail(call, "no such connection", NULL, 0);
	else
		on_call(call, arg);
}

static void
on_pushed(const struct rk_push_report *report, void *arg)
{
	(void)report;
	(void)arg;
}

/* To who has asked for _.events. */
static void
push_files(const char *word)
{
	struct rk_push_target to = { .to = RK_PUSH_CONN, .conn = watcher };
	struct rk_push push = { .subject = "_.events" };
	struct buf b;
	char name[32];

	for (int i = 0; i < PUSHES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%s.%d", word, i);
		if (load(name, &b) != RK_OK)
			break;
		push.payload = buf_peek(&b);
		push.payload_len = buf_len(&b);
		if (rk_server_push(server, &to, &push, on_pushed, NULL) !=
		    RK_OK)
			(void)fprintf(stderr, "%s was not pushed\n", name);
		buf_fini(&b);
	}
	buf_fini(&b);
}

static void
on_events(struct rk_call *call, void *arg)
{
	watcher = rk_call_conn_id(call);
	on_call(call, arg);
	push_files("push");
}

static void
on_conns(struct rk_call *call, void *arg)
{
	if (watcher != 0)
		push_files("conns");
	on_call(call, arg);
}

static void
on_decide(struct rk_call *call, void *arg)
{
	const struct rk_bytes asked = rk_call_payload(call);
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/decided", folder);
	if ((f = fopen(path, "w")) != NULL) {
		(void)fwrite(asked.ptr, 1, asked.len, f);
		(void)fclose(f);
	}
	on_call(call, arg);
}

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_signal(int signo, void *arg)
{
	(void)signo;
	(void)arg;
	rk_server_stop(server, 1000, on_stopped, loop);
}

static rk_handler_fn *
find_fn(const char *name)
{
	if (strcmp(name, "_.export") == 0 || strcmp(name, "_.known") == 0)
		return on_part;
	if (strcmp(name, "_.conns") == 0)
		return on_conns;
	if (strcmp(name, "_.kick") == 0)
		return on_kick;
	if (strcmp(name, "_.decide") == 0)
		return on_decide;
	return strcmp(name, "_.events") == 0 ? on_events : on_call;
}

/* Those that have a file. */
static size_t
find_methods(struct rk_method *methods)
{
	size_t n = 0;
	struct buf b;

	for (size_t i = 0; i < N_NAMES; i++) {
		if (load(names[i], &b) == RK_OK)
			methods[n++] = (struct rk_method){ .name = names[i],
				.fn = find_fn(names[i]),
				.arg = (void *)(uintptr_t)names[i] };
		buf_fini(&b);
	}
	return n;
}

int
main(int argc, char **argv)
{
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct rk_method methods[N_NAMES];
	struct rk_error err = { 0 };
	char url[512], bound[512];
	enum rk_err r;

	if (argc != 3)
		return 2;
	folder = argv[2];
	(void)snprintf(url, sizeof(url), "unix://%s", argv[1]);
	if ((r = rk_loop_new(&loop)) != RK_OK)
		return 1;
	conf.loop = loop;
	if ((r = rk_server_new(&conf, &server, &err)) == RK_OK &&
	    (r = rk_loop_signal(loop, SIGTERM, on_signal, NULL)) == RK_OK &&
	    (r = rk_server_methods(server, methods, find_methods(methods), NULL,
	         NULL, &err)) == RK_OK &&
	    (r = rk_server_listen(server, url, bound, &err)) == RK_OK &&
	    (r = rk_server_start(server, &err)) == RK_OK) {
		(void)printf("listening\n");
		(void)fflush(stdout);
		r = rk_loop_run(loop);
	}
	if (r != RK_OK)
		(void)fprintf(stderr, "oddctl: %s\n", err.text);
	rk_server_free(server);
	rk_loop_free(loop);
	return r == RK_OK ? 0 : 1;
}
