/* Streams both ways: stream serve CERTDIR URL, stream shout CERTDIR URL. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/rpckit.h>

/* ---- the server: every part comes back in capitals ---- */

struct shout {
	char *text; /* taken, not sent back yet */
	size_t len;
	bool last;
};

static void
let_go(struct rk_stream *s)
{
	struct shout *sh = rk_stream_data(s);

	free(sh->text);
	free(sh);
}

/* What cannot be sent now holds up the next part, and so the client. */
static void
send_back(struct rk_stream *s, void *arg)
{
	struct shout *sh = rk_stream_data(s);
	const struct rk_part part = {
		.payload = { (const uint8_t *)sh->text, sh->len },
		.last = sh->last,
	};
	enum rk_err r = rk_stream_send(s, &part);

	(void)arg;
	rk_stream_pause(s, r == RK_EAGAIN);
	if (r == RK_EAGAIN)
		return;
	free(sh->text);
	sh->text = NULL;
	if (r == RK_OK && !sh->last)
		return;
	let_go(s);
	if (r == RK_OK)
		(void)rk_stream_reply(s, NULL, 0);
	else
		(void)rk_stream_fail(s, rk_err_text(r), NULL, 0);
}

static void
take(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct shout *sh = rk_stream_data(s);

	sh->len = part->payload.len;
	sh->last = part->last;
	sh->text = malloc(sh->len + 1);
	if (sh->text == NULL) {
		let_go(s);
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return;
	}
	for (size_t i = 0; i < sh->len; i++)
		sh->text[i] = (char)toupper(part->payload.ptr[i]);
	send_back(s, arg);
}

/* Nobody needs the answer any more. */
static void
ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)reply;
	(void)arg;
	let_go(s);
}

static void
open_shout(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = {
		.part = take,
		.writable = send_back,
		.ended = ended,
	};
	struct shout *sh = calloc(1, sizeof(*sh));

	if (sh == NULL) {
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return;
	}
	rk_stream_set_data(s, sh);
	rk_stream_listen(s, &events, arg);
}

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

struct app {
	struct rk_loop *loop;
	struct rk_server *server;
};

static void
on_signal(int signo, void *arg)
{
	struct app *app = arg;

	(void)signo;
	rk_server_stop(app->server, 1000, on_stopped, app->loop);
}

static enum rk_err
serve(const struct rk_ident *ident, struct rk_trust *trust, const char *url,
    struct rk_error *err)
{
	static const struct rk_method method = {
		.name = "shout",
		.about = "what is sent, in capitals",
		.stream = open_shout,
		.streams = RK_STREAM_BOTH,
	};
	struct rk_server_conf conf = {
		.size = sizeof(conf), .ident = ident, .trust = trust
	};
	struct app app = { 0 };
	char real[128];
	enum rk_err r;

	if ((r = rk_loop_new(&app.loop)) != RK_OK)
		return r;
	conf.loop = app.loop;
	if ((r = rk_loop_signal(app.loop, SIGTERM, on_signal, &app)) != RK_OK ||
	    (r = rk_server_new(&conf, &app.server, err)) != RK_OK)
		goto out;
	if ((r = rk_server_methods(app.server, &method, 1, NULL, NULL, err)) !=
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

/* ---- the client: lines out, lines back ---- */

static enum rk_err
fetch(struct rk_stream *s, struct rk_error *err)
{
	struct rk_part part;
	char line[1024];
	enum rk_err r = rk_stream_next(s, &part, err);

	if (r == RK_OK && part.payload.len > 0)
		(void)printf("%s\n",
		    rk_escape(line, sizeof(line),
		        (const char *)part.payload.ptr, part.payload.len));
	return r;
}

static enum rk_err
talk(struct rk_stream *s, struct rk_error *err)
{
	const struct rk_part end = { .last = true };
	char line[256];
	enum rk_err r = RK_OK;

	while (r == RK_OK && fgets(line, sizeof(line), stdin) != NULL) {
		const struct rk_part part = { .payload = {
			                          (const uint8_t *)line,
			                          strcspn(line, "\n") } };

		if ((r = rk_stream_put(s, &part, err)) == RK_OK)
			r = fetch(s, err);
	}
	if (r == RK_OK)
		r = rk_stream_put(s, &end, err);
	return r;
}

static enum rk_err
shout(const struct rk_ident *ident, struct rk_trust *trust, const char *url,
    struct rk_error *err)
{
	const struct rk_request req = { .method = "shout" };
	struct rk_client_conf conf = {
		.size = sizeof(conf), .url = url, .ident = ident, .trust = trust
	};
	struct rk_client *client;
	struct rk_stream *s;
	struct rk_reply reply;
	enum rk_err r;

	if ((r = rk_client_new(&conf, &client, err)) != RK_OK)
		return r;
	if ((r = rk_client_connect(client, err)) != RK_OK)
		goto out;
	r = rk_client_stream(client, RK_STREAM_BOTH, &req, NULL, NULL, &s);
	if (r != RK_OK)
		goto out;
	(void)talk(s, err); /* if it failed, the answer says why */
	r = rk_stream_finish(s, &reply, err);
	rk_reply_free(&reply);
out:
	rk_client_free(client);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { 0 };
	struct rk_ident *ident = NULL;
	struct rk_trust *trust = NULL;
	bool server;
	enum rk_err r;

	if (argc != 4 ||
	    (strcmp(argv[1], "serve") != 0 && strcmp(argv[1], "shout") != 0)) {
		(void)fprintf(
		    stderr, "usage: stream serve|shout CERTDIR URL\n");
		return 2;
	}
	server = strcmp(argv[1], "serve") == 0;
	r = rk_ident_load_dir(
	    argv[2], server ? "node" : "client", NULL, NULL, &ident, &err);
	if (r == RK_OK)
		r = rk_trust_new(
		    server ? "known_client_keys" : "known_server_keys",
		    RK_TRUST_FILE, &trust, &err);
	if (r == RK_OK)
		r = server ? serve(ident, trust, argv[3], &err)
		           : shout(ident, trust, argv[3], &err);
	rk_trust_free(trust);
	rk_ident_free(ident);
	if (r != RK_OK)
		(void)fprintf(stderr, "stream: %s\n",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
	return r == RK_OK ? 0 : rk_err_exit(r);
}
