/* A call that waits for its answer: hello_client CERTDIR URL [NAME]. */
#include <stdio.h>
#include <string.h>

#include <rpckit/rpckit.h>

#define TIMEOUT_MS 5000

/* What a peer sends may hold anything; a terminal gets it escaped. */
static void
show(struct rk_bytes payload)
{
	char line[1024];

	(void)rk_escape(
	    line, sizeof(line), (const char *)payload.ptr, payload.len);
	(void)printf("%s\n", line);
}

static enum rk_err
call(struct rk_client *client, const char *name, struct rk_error *err)
{
	const struct rk_request req = {
		.method = "hello",
		.payload = name,
		.payload_len = strlen(name),
		.timeout = TIMEOUT_MS,
	};
	struct rk_reply reply;
	enum rk_err r;

	r = rk_client_call(client, &req, &reply, err);
	if (r == RK_OK)
		show(reply.payload);
	else if (reply.maybe_executed)
		(void)fprintf(stderr, "hello_client: it may have run\n");
	rk_reply_free(&reply);
	return r;
}

static enum rk_err
run(const char *dir, const char *url, const char *name, struct rk_error *err)
{
	struct rk_client_conf conf = { .size = sizeof(conf), .url = url };
	struct rk_ident *ident = NULL;
	struct rk_trust *trust = NULL;
	struct rk_client *client = NULL;
	enum rk_err r;

	r = rk_ident_load_dir(dir, "client", NULL, NULL, &ident, err);
	if (r != RK_OK)
		goto out;
	r = rk_trust_new("known_server_keys", RK_TRUST_FILE, &trust, err);
	if (r != RK_OK)
		goto out;
	conf.ident = ident;
	conf.trust = trust;
	if ((r = rk_client_new(&conf, &client, err)) != RK_OK)
		goto out;
	if ((r = rk_client_connect(client, err)) != RK_OK)
		goto out;
	(void)fprintf(
	    stderr, "connected to %s\n", rk_client_peer(client)->cert.fp);
	r = call(client, name, err);
out:
	rk_client_free(client);
	rk_trust_free(trust);
	rk_ident_free(ident);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_error err = { .code = RK_OK };
	enum rk_err r = RK_EINVAL;

	if (argc > 2)
		r = run(argv[1], argv[2], argc > 3 ? argv[3] : "you", &err);
	if (r != RK_OK)
		(void)fprintf(stderr, "hello_client: %s\n",
		    err.code == r ? err.text : rk_err_text(r));
	return rk_err_exit(r);
}
