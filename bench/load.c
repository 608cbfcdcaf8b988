/* The load generator: its echo server, and who does what. */
#include "load.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/rpckit.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CONNS_MAX 20000

enum rk_err
load_identity(const struct args *a, const char *name, struct rk_ident **out,
    struct rk_error *err)
{
	const size_t prefix = sizeof(RK_KEY_IN_AGENT) - 1;
	char key[64];

	*out = NULL;
	if (a->certs == NULL)
		return RK_OK;
	if (strncmp(a->certs, RK_KEY_IN_AGENT, prefix) != 0)
		return rk_ident_load_dir(a->certs, name, NULL, NULL, out, err);
	(void)snprintf(key, sizeof(key), RK_KEY_IN_AGENT "%s", name);
	return rk_ident_load_dir(a->certs + prefix, key, NULL, NULL, out, err);
}

enum rk_err
load_psk(const struct args *a, struct rk_psks **out, struct rk_error *err)
{
	enum rk_err r;

	*out = NULL;
	if (a->psk == NULL)
		return RK_OK;
	if ((r = rk_psks_new(out)) != RK_OK)
		return r;
	return rk_psks_load(*out, a->psk, NULL, err);
}

enum rk_err
load_peers(const struct args *a, struct rk_sshkeys **out, struct rk_error *err)
{
	enum rk_err r;

	*out = NULL;
	if (a->peers == NULL)
		return RK_OK;
	if ((r = rk_sshkeys_new(out)) != RK_OK)
		return r;
	return rk_sshkeys_file(*out, a->peers, err);
}

static void
on_log(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	(void)fprintf(stderr, "load: %s: %s\n", subsystem, line);
}

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len); /* the caller is told */
}

/* Parts of as many bytes as the request says, for ever. */
static void
pump(struct rk_stream *s, void *arg)
{
	static const uint8_t zeros[RK_PAYLOAD_MAX];
	const struct rk_part part = {
		.payload = { zeros, (size_t)(uintptr_t)rk_stream_data(s) },
	};

	(void)arg;
	while (rk_stream_send(s, &part) == RK_OK)
		continue;
}

static void
open_down(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .writable = pump };
	struct rk_bytes text = rk_stream_request(s);
	uint64_t size = 0;
	char number[32] = "";

	if (text.len > 0 && text.len < sizeof(number))
		memcpy(number, text.ptr, text.len);
	if (str_parse_u64(number, 1, RK_PAYLOAD_MAX, &size) != RK_OK) {
		(void)rk_stream_fail(s, "a size is needed", NULL, 0);
		return;
	}
	rk_stream_set_data(s, (void *)(uintptr_t)size);
	rk_stream_listen(s, &events, arg);
	pump(s, arg);
}

/* Takes and forgets. */
static void
open_up(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { 0 };

	rk_stream_listen(s, &events, arg);
}

static void
on_signal(int signo, void *arg)
{
	(void)signo;
	rk_loop_stop(arg);
}

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static enum rk_err
set_up(struct rk_server *server, const char *url, struct rk_error *err)
{
	static const struct rk_method methods[] = {
		{ .name = "echo", .fn = echo, .idempotent = true },
		{ .name = "up", .stream = open_up, .streams = RK_STREAM_UP },
		{ .name = "down",
		    .stream = open_down,
		    .streams = RK_STREAM_DOWN },
	};
	char bound[128];
	enum rk_err r;

	if ((r = rk_server_methods(server, methods,
	         sizeof(methods) / sizeof(methods[0]), NULL, NULL, err)) !=
	        RK_OK ||
	    (r = rk_server_listen(server, url, bound, err)) != RK_OK ||
	    (r = rk_server_start(server, err)) != RK_OK)
		return r;
	(void)printf("%s\n", bound);
	if (fflush(stdout) != 0)
		return err_set(err, RK_EIO, "standard output: cannot write");
	return RK_OK;
}

/* Serve until a signal, then go in order, so that leaks would show. */
static enum rk_err
run(struct rk_server *server, const struct rk_server_conf *conf,
    const char *url, struct rk_error *err)
{
	enum rk_err stopped;
	enum rk_err r;

	r = set_up(server, url, err);
	if (r == RK_OK)
		r = rk_loop_run(conf->loop);
	rk_server_stop(server, 0, on_stopped, conf->loop);
	stopped = rk_loop_run(conf->loop);
	return r == RK_OK ? stopped : r;
}

static enum rk_err
serve(const struct args *a, struct rk_error *err)
{
	struct rk_server_conf conf = {
		.size = sizeof(conf),
		.threads = a->threads,
		.max_conns = CONNS_MAX,
		.timeouts = { .idle = RK_NEVER },
	};
	struct rk_server *server = NULL;
	struct rk_ident *id = NULL;
	enum rk_err r;

	if ((r = load_identity(a, "node", &id, err)) != RK_OK)
		goto out;
	if ((r = load_psk(a, &conf.psks, err)) != RK_OK ||
	    (r = load_peers(a, &conf.session_peers, err)) != RK_OK)
		goto out;
	conf.ident = id;
	if ((r = rk_loop_new(&conf.loop)) != RK_OK ||
	    (r = rk_loop_signal(conf.loop, SIGTERM, on_signal, conf.loop)) !=
	        RK_OK ||
	    (r = rk_loop_signal(conf.loop, SIGINT, on_signal, conf.loop)) !=
	        RK_OK)
		goto out;
	if ((r = rk_server_new(&conf, &server, err)) != RK_OK)
		goto out;
	r = run(server, &conf, a->url, err);
out:
	rk_server_free(server);
	rk_loop_free(conf.loop);
	rk_ident_free(id);
	rk_psks_free(conf.psks);
	rk_sshkeys_free(conf.session_peers);
	return r;
}

int
main(int argc, char **argv)
{
	static const struct program load = {
		.name = "load",
		.run = {
		    [WORK_SERVER] = serve,
		    [WORK_SEQ] = load_seq,
		    [WORK_PIPE] = load_pipe,
		    [WORK_DIAL] = load_dial,
		    [WORK_IDLE] = load_idle,
		    [WORK_HOLD] = load_idle,
		    [WORK_UP] = load_up,
		    [WORK_DOWN] = load_down,
		},
	};

	rk_log_set(on_log, RK_LOG_WARN, NULL);
	return args_run(&load, argc, argv);
}
