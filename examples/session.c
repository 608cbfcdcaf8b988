/* Both ends of a session over any pipe that is their standard input and output:
 * session answer KEY PEER, session ask KEY PEER TEXT.  KEY is a private key
 * file; PEER a line of a public key file, or what ssh-keygen -l shows of it. */
#include <stdio.h>
#include <string.h>

#include <rpckit/rpckit.h>

#define QUESTIONS 1 /* the channel; its answers come on the same */

static struct rk_loop *loop;
static struct rk_error why;
static const char *text; /* to ask; NULL: to answer */

/* The one end sends back what it hears; the other shows it, and says goodbye.
 */
static void
on_message(struct rk_session *s, uint32_t channel, const void *data, size_t len,
    void *arg)
{
	char line[256];

	(void)arg;
	if (text == NULL &&
	    rk_session_send(s, channel, data, len, NULL, NULL, NULL) == RK_OK)
		return;
	(void)fprintf(stderr, "%s\n", rk_escape(line, sizeof(line), data, len));
	rk_session_close(s);
}

static void
on_state(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	(void)arg;
	if (state == RK_SESSION_ESTABLISHED && text != NULL &&
	    rk_session_send(
	        s, QUESTIONS, text, strlen(text), NULL, NULL, NULL) != RK_OK)
		rk_session_close(s);
	if (state != RK_SESSION_CLOSED)
		return;
	why = *err;
	rk_loop_stop(loop);
}

static enum rk_err
run(const struct rk_key *key, const char *peer)
{
	const struct rk_session_conf conf = { .size = sizeof(conf),
		.initiator = text != NULL,
		.key = key,
		.peer = peer,
		.state = on_state };
	const struct rk_session_pipe pipe = { .in = 0, .out = 1 };
	struct rk_session *s = NULL;
	enum rk_err r;

	if ((r = rk_session_new(loop, &conf, &pipe, &s, &why)) != RK_OK ||
	    (r = rk_session_on(s, QUESTIONS, on_message, NULL)) != RK_OK ||
	    (r = rk_loop_run(loop)) != RK_OK)
		goto out;
	r = why.code;
out:
	rk_session_free(s);
	return r;
}

int
main(int argc, char **argv)
{
	struct rk_key *key = NULL;
	enum rk_err r = RK_EINVAL;

	text = argc > 4 && strcmp(argv[1], "ask") == 0 ? argv[4] : NULL;
	if (argc > 3 && (r = rk_loop_new(&loop)) == RK_OK &&
	    (r = rk_key_load(argv[2], NULL, NULL, &key, &why)) == RK_OK)
		r = run(key, argv[3]);
	if (r != RK_OK)
		(void)fprintf(stderr, "session: %s\n",
		    why.code == r ? why.text : rk_err_text(r));
	rk_key_free(key);
	rk_loop_free(loop);
	return rk_err_exit(r);
}
