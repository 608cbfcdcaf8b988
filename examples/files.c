/* Files by streams: files serve URL DIR, files put URL FILE, files get URL
 * NAME. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/rpckit.h>

/* ---- the server: uploads become files, and come back as downloads ---- */

struct app {
	struct rk_loop *loop;
	struct rk_server *server;
};

struct file {
	FILE *f;
	char name[64];
	char temp[64 + 5]; /* an upload's, until it is whole */
};

/* The file is closed and, if it is an upload, gone. */
static void
drop(struct file *file)
{
	if (file->f != NULL)
		(void)fclose(file->f);
	if (file->temp[0] != '\0')
		(void)unlink(file->temp);
	free(file);
}

/* Letters and digits: a name that leads nowhere but here. */
static bool
is_name(struct rk_str s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < s.len; i++) {
		if (memchr(good, s.ptr[i], sizeof(good) - 1) == NULL)
			return false;
	}
	return s.len > 0 && s.len < sizeof(((struct file *)0)->name);
}

/* NULL: the stream was answered and is gone. */
static struct file *
open_file(struct rk_stream *s, bool upload)
{
	struct rk_str name = { 0 };
	struct file *file = calloc(1, sizeof(*file));
	const char *path;

	if (file == NULL ||
	    !rk_args_get(&rk_stream_header(s)->args, "name", &name) ||
	    !is_name(name)) {
		free(file);
		(void)rk_stream_fail(s, "that is no name", NULL, 0);
		return NULL;
	}
	memcpy(file->name, name.ptr, name.len);
	if (upload)
		(void)snprintf(
		    file->temp, sizeof(file->temp), "%s.part", file->name);
	path = upload ? file->temp : file->name;
	file->f = fopen(path, upload ? "wbx" : "rb");
	if (file->f != NULL)
		return file;
	free(file);
	(void)rk_stream_fail(s, "that file cannot be opened", NULL, 0);
	return NULL;
}

/* The client is gone, or wants no more. */
static void
ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)s;
	(void)reply;
	drop(arg);
}

static const char *
store(struct file *file)
{
	FILE *f = file->f;

	file->f = NULL;
	if (fclose(f) != 0)
		return "the disk is full";
	if (link(file->temp, file->name) != 0)
		return "there is such a file already";
	return NULL;
}

static void
take(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct file *file = arg;
	const char *why = NULL;
	size_t n = part->payload.len;

	if (n > 0 && fwrite(part->payload.ptr, 1, n, file->f) != n)
		why = "the disk is full";
	else if (part->last)
		why = store(file);
	else
		return;
	if (why == NULL)
		(void)rk_stream_reply(s, NULL, 0);
	else
		(void)rk_stream_fail(s, why, NULL, 0);
	drop(file);
}

/* As much as is taken now; the rest when there is room again. */
static void
give(struct rk_stream *s, void *arg)
{
	struct file *file = arg;
	uint8_t piece[RK_STREAM_PART];
	struct rk_part part = { .payload = { piece, 0 } };
	enum rk_err r = RK_OK;

	while (r == RK_OK && !part.last) {
		long at = ftell(file->f);

		part.payload.len = fread(piece, 1, sizeof(piece), file->f);
		part.last = feof(file->f) != 0;
		r = rk_stream_send(s, &part);
		if (r == RK_EAGAIN && fseek(file->f, at, SEEK_SET) == 0)
			return;
	}
	if (r == RK_OK)
		(void)rk_stream_reply(s, NULL, 0);
	else
		(void)rk_stream_fail(s, rk_err_text(r), NULL, 0);
	drop(file);
}

static void
open_put(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = take,
		.ended = ended };
	struct file *file = open_file(s, true);

	(void)arg;
	if (file != NULL)
		rk_stream_listen(s, &events, file);
}

static void
open_get(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .writable = give,
		.ended = ended };
	struct file *file = open_file(s, false);

	(void)arg;
	if (file == NULL)
		return;
	rk_stream_listen(s, &events, file);
	give(s, file);
}

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_signal(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	rk_server_stop(app->server, 1000, on_stopped, app->loop);
}

static enum rk_err
serve(const char *url, const char *dir, struct rk_error *err)
{
	static const struct rk_method methods[] = {
		{ .name = "put", .stream = open_put, .streams = RK_STREAM_UP },
		{ .name = "get",
		    .stream = open_get,
		    .streams = RK_STREAM_DOWN },
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct app app = { 0 };
	char real[128];
	enum rk_err r;

	if (chdir(dir) != 0)
		return RK_ENOENT;
	if ((r = rk_loop_new(&app.loop)) != RK_OK)
		return r;
	conf.loop = app.loop;
	if ((r = rk_loop_signal(app.loop, SIGTERM, on_signal, &app)) != RK_OK ||
	    (r = rk_server_new(&conf, &app.server, err)) != RK_OK)
		goto out;
	if ((r = rk_server_methods(app.server, methods, 2, NULL, NULL, err)) !=
	        RK_OK ||
	    (r = rk_server_listen(app.server, url, real, err)) != RK_OK ||
	    (r = rk_server_start(app.server, err)) != RK_OK)
		goto out;
	(void)printf("listening %s\n", real);
	(void)fflush(stdout);
	r = rk_loop_run(app.loop);
out:
	rk_server_free(app.server);
	rk_loop_free(app.loop);
	return r;
}

/* ---- the client ---- */

static enum rk_err
send_file(struct rk_stream *s, const char *path, struct rk_error *err)
{
	uint8_t piece[RK_STREAM_PART];
	struct rk_part part = { .payload = { piece, 0 } };
	FILE *f = fopen(path, "rb");
	enum rk_err r = RK_OK;

	if (f == NULL)
		return RK_ENOENT;
	while (r == RK_OK && !part.last) {
		part.payload.len = fread(piece, 1, sizeof(piece), f);
		part.last = feof(f) != 0;
		r = ferror(f) != 0 ? RK_EIO : rk_stream_put(s, &part, err);
	}
	(void)fclose(f);
	return r;
}

static enum rk_err
write_out(struct rk_stream *s, struct rk_error *err)
{
	struct rk_part part;
	enum rk_err r;

	while ((r = rk_stream_next(s, &part, err)) == RK_OK) {
		if (part.payload.len > 0 &&
		    fwrite(part.payload.ptr, 1, part.payload.len, stdout) !=
		        part.payload.len)
			return RK_EIO;
	}
	return r == RK_ENOENT ? RK_OK : r;
}

static enum rk_err
transfer(bool put, const char *url, const char *path, struct rk_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	const struct rk_arg arg = { { "name", 4 }, { name, strlen(name) } };
	const struct rk_request req = {
		.method = put ? "put" : "get", .args = &arg, .n_args = 1
	};
	struct rk_client_conf conf = { .size = sizeof(conf), .url = url };
	struct rk_client *client;
	struct rk_reply reply;
	struct rk_stream *s;
	enum rk_err r, here;

	if ((r = rk_client_new(&conf, &client, err)) != RK_OK)
		return r;
	if ((r = rk_client_connect(client, err)) != RK_OK ||
	    (r = rk_client_stream(client, put ? RK_STREAM_UP : RK_STREAM_DOWN,
	         &req, NULL, NULL, &s)) != RK_OK)
		goto out;
	here = put ? send_file(s, path, err) : write_out(s, err);
	/* The server has the last word, unless it was told to stop. */
	if (here == RK_ENOENT || here == RK_EIO)
		rk_stream_cancel(s);
	r = rk_stream_finish(s, &reply, err);
	if (here == RK_ENOENT || here == RK_EIO)
		r = here;
	rk_reply_free(&reply);
out:
	rk_client_free(client);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { 0 };
	enum rk_err r;

	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		r = serve(argv[2], argv[3], &err);
	else if (argc == 4 && strcmp(argv[1], "put") == 0)
		r = transfer(true, argv[2], argv[3], &err);
	else if (argc == 4 && strcmp(argv[1], "get") == 0)
		r = transfer(false, argv[2], argv[3], &err);
	else {
		(void)fprintf(stderr, "usage: files serve URL DIR | put URL "
		                      "FILE | get URL NAME\n");
		return 2;
	}
	if (r != RK_OK)
		(void)fprintf(stderr, "files: %s\n",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
	return r == RK_OK ? 0 : rk_err_exit(r);
}
