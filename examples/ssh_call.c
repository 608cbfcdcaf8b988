/* Both ends of a call over a session, with SSH's keys and nothing else:
 * ssh_call serve KEY PEERS URL, ssh_call ask KEY PEERS URL [TEXT].  KEY is a
 * private key file or ssh-agent:, PEERS a file like authorized_keys. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <rpckit/rpckit.h>

/* Who I am, and whom I believe. */
static struct rk_key *key;
static struct rk_sshkeys *peers;

/* ---- the server ---- */

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes text = rk_call_payload(call);

	(void)arg;
	(void)printf("called by %s\n", rk_call_peer(call)->cert.cn);
	(void)fflush(stdout);
	(void)rk_call_reply(call, text.ptr, text.len);
}

static struct rk_server *server;

static void
on_stopped(void *arg)
{
	rk_loop_stop(arg);
}

static void
on_signal(int signo, void *arg)
{
	(void)signo;
	rk_server_stop(server, 5000, on_stopped, arg);
}

static enum rk_err
serve(const char *url, struct rk_error *err)
{
	const struct rk_method method = { .name = "echo", .fn = echo };
	struct rk_server_conf conf = {
		.size = sizeof(conf), .session_key = key, .session_peers = peers
	};
	char bound[128];
	enum rk_err r;

	if ((r = rk_loop_new(&conf.loop)) != RK_OK ||
	    (r = rk_loop_signal(conf.loop, SIGTERM, on_signal, conf.loop)) !=
	        RK_OK ||
	    (r = rk_server_new(&conf, &server, err)) != RK_OK ||
	    (r = rk_server_methods(server, &method, 1, NULL, NULL, err)) !=
	        RK_OK ||
	    (r = rk_server_listen(server, url, bound, err)) != RK_OK ||
	    (r = rk_server_start(server, err)) != RK_OK)
		goto out;
	(void)printf("listening %s\n", bound);
	(void)fflush(stdout);
	r = rk_loop_run(conf.loop);
out:
	rk_server_free(server);
	rk_loop_free(conf.loop);
	return r;
}

/* ---- the client ---- */

static enum rk_err
ask(const char *url, const char *text, struct rk_error *err)
{
	const struct rk_client_conf conf = { .size = sizeof(conf),
		.url = url,
		.session_key = key,
		.session_peers = peers };
	const struct rk_request req = {
		.method = "echo", .payload = text, .payload_len = strlen(text)
	};
	struct rk_client *client;
	struct rk_reply reply = { .code = RK_OK };
	char line[256];
	enum rk_err r;

	if ((r = rk_client_new(&conf, &client, err)) != RK_OK)
		return r;
	if ((r = rk_client_connect(client, err)) == RK_OK)
		r = rk_client_call(client, &req, &reply, err);
	if (r == RK_OK)
		(void)printf("%s\n",
		    rk_escape(line, sizeof(line),
		        (const char *)reply.payload.ptr, reply.payload.len));
	rk_reply_free(&reply);
	rk_client_free(client);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	enum rk_err r = RK_EINVAL;

	if (argc > 4 &&
	    (r = rk_key_load(argv[2], NULL, NULL, &key, &err)) == RK_OK &&
	    (r = rk_sshkeys_new(&peers)) == RK_OK &&
	    (r = rk_sshkeys_file(peers, argv[3], &err)) == RK_OK)
		r = strcmp(argv[1], "serve") == 0
		        ? serve(argv[4], &err)
		        : ask(argv[4], argc > 5 ? argv[5] : "hello", &err);
	if (r != RK_OK)
		(void)fprintf(stderr, "ssh_call: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	rk_key_free(key);
	rk_sshkeys_free(peers);
	return rk_err_exit(r);
}
