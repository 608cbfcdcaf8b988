/* A key in an ssh-agent, which signs with it and keeps it
 * (draft-ietf-sshm-ssh-agent). */
#include <rpckit/sshkeys.h>

#include <rpckit/signer.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/agent_dial.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ssh.h"
#include "base/str.h"

#define TIMEOUT_MS 3000
#define REST_MS 5000 /* after one that did not answer */
#define ANSWER_MAX ((size_t)256 * 1024)
#define REQUEST_MAX ((size_t)64 * 1024)
#define KIND "ssh-ed25519"
#define SHOWN 160
#define NAME "ssh-agent"

enum agent_message {
	FAILURE = 5,
	LIST = 11,
	LISTED = 12,
	SIGN = 13,
	SIGNED = 14
};

/* One talk a signature: agents take many, and none is kept waiting. */
struct agent {
	char path[AGENT_PATH_MAX];
	char shown[SHOWN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	pthread_mutex_t lock; /* of what follows */
	uint64_t rest_until;
};

/* ---- bytes to the agent and back, within a time ---- */

static enum rk_err
await(int fd, short what, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = what };
	uint64_t now;
	int n;

	for (;;) {
		now = mono_ms();
		if (now >= until)
			return RK_ETIMEOUT;
		n = poll(&p, 1, (int)(until - now));
		if (n > 0)
			return RK_OK;
		if (n < 0 && errno != EINTR)
			return RK_EIO;
	}
}

static enum rk_err
send_all(int fd, const uint8_t *data, size_t len, uint64_t until)
{
	ssize_t n;
	enum rk_err r;

	while (len > 0) {
		if ((r = await(fd, POLLOUT, until)) != RK_OK)
			return r;
		n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return RK_ECLOSED;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return RK_OK;
}

static enum rk_err
recv_all(int fd, uint8_t *data, size_t len, uint64_t until)
{
	ssize_t n;
	enum rk_err r;

	while (len > 0) {
		if ((r = await(fd, POLLIN, until)) != RK_OK)
			return r;
		n = recv(fd, data, len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return RK_ECLOSED;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return RK_OK;
}

/* The answer, without its length. */
static enum rk_err
exchange(int fd, const struct buf *ask, struct buf *answer, uint64_t until)
{
	uint8_t head[4];
	struct bytes b = { .at = head, .left = sizeof(head) };
	uint32_t len;
	uint8_t *p;
	enum rk_err r;

	if ((r = send_all(fd, buf_peek(ask), buf_len(ask), until)) != RK_OK ||
	    (r = recv_all(fd, head, sizeof(head), until)) != RK_OK)
		return r;
	if (!bytes_get_u32(&b, &len) || len == 0 || len > ANSWER_MAX)
		return RK_EPROTO;
	if ((r = buf_reserve(answer, len, &p)) != RK_OK)
		return r;
	if ((r = recv_all(fd, p, len, until)) == RK_OK)
		buf_commit(answer, len);
	return r;
}

static enum rk_err
explain(const struct agent *a, enum rk_err r, struct rk_error *err)
{
	switch ((int)r) {
	case RK_ETIMEOUT:
		return err_set(err, r, NAME ": no answer within %d s (at %s)",
		    TIMEOUT_MS / 1000, a->shown);
	case RK_ECLOSED:
		return err_set(err, r, NAME ": it hung up (at %s)", a->shown);
	case RK_EPROTO:
		return err_set(err, r,
		    NAME ": an answer that cannot be read (at %s)", a->shown);
	default:
		return err_set(
		    err, r, NAME ": %s (at %s)", rk_err_text(r), a->shown);
	}
}

static enum rk_err
talk(const struct agent *a, const struct buf *ask, struct buf *answer,
    struct rk_error *err)
{
	const uint64_t until = mono_ms() + TIMEOUT_MS;
	int fd;
	enum rk_err r;

	if ((r = agent_sock_dial(a->path, TIMEOUT_MS, &fd, err)) != RK_OK)
		return r;
	r = exchange(fd, ask, answer, until);
	(void)close(fd); /* all was said */
	return r == RK_OK ? r : explain(a, r, err);
}

/* ---- signing ---- */

static enum rk_err
put_request(struct buf *b, const struct agent *a, const void *msg, size_t len)
{
	struct buf blob;
	struct buf body;
	enum rk_err r;

	buf_init(&blob, 128);
	buf_init(&body, REQUEST_MAX);
	if ((r = ssh_put_public(&blob, a->pub)) == RK_OK &&
	    (r = bytes_put_u8(&body, SIGN)) == RK_OK &&
	    (r = bytes_put_string(&body, buf_peek(&blob), buf_len(&blob))) ==
	        RK_OK &&
	    (r = bytes_put_string(&body, msg, len)) == RK_OK &&
	    (r = bytes_put_u32(&body, 0)) == RK_OK)
		r = bytes_put_string(b, buf_peek(&body), buf_len(&body));
	buf_fini(&body);
	buf_fini(&blob);
	return r;
}

static bool
get_signature(const struct buf *answer, uint8_t sig[RK_KEY_SIG_LEN])
{
	struct bytes b = { .at = buf_peek(answer), .left = buf_len(answer) };
	struct bytes blob;
	struct bytes kind;
	struct bytes raw;
	uint8_t type;

	if (!bytes_get_u8(&b, &type) || type != SIGNED ||
	    !bytes_get_string(&b, &blob) || b.left != 0 ||
	    !bytes_get_string(&blob, &kind) || !bytes_are(&kind, KIND) ||
	    !bytes_get_string(&blob, &raw) || blob.left != 0 ||
	    raw.left != RK_KEY_SIG_LEN)
		return false;
	memcpy(sig, raw.at, RK_KEY_SIG_LEN);
	return true;
}

static bool
is_failure(const struct buf *answer)
{
	const uint8_t *type = buf_peek(answer);

	return type != NULL && buf_len(answer) >= 1 && *type == FAILURE;
}

static enum rk_err
sign_now(const struct agent *a, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err)
{
	struct buf ask;
	struct buf answer;
	enum rk_err r;

	buf_init(&ask, REQUEST_MAX);
	buf_init(&answer, ANSWER_MAX);
	if ((r = put_request(&ask, a, msg, len)) != RK_OK)
		r = explain(a, r, err);
	else
		r = talk(a, &ask, &answer, err);
	if (r == RK_OK && is_failure(&answer))
		r = err_set(err, RK_EDENIED,
		    NAME ": it does not sign with this key (at %s)", a->shown);
	else if (r == RK_OK && !get_signature(&answer, sig))
		r = explain(a, RK_EPROTO, err);
	buf_fini(&ask);
	buf_fini(&answer);
	return r;
}

/* One that did not answer is not waited for again and again. */
static enum rk_err
sign(enum rk_sign_use use, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err, void *arg)
{
	struct agent *a = arg;
	bool rests;
	enum rk_err r;

	(void)use;                          /* the form says it */
	(void)pthread_mutex_lock(&a->lock); /* a plain mutex: no failure */
	rests = mono_ms() < a->rest_until;
	(void)pthread_mutex_unlock(&a->lock);
	if (rests)
		return explain(a, RK_ETIMEOUT, err);
	r = sign_now(a, msg, len, sig, err);
	if (r == RK_ETIMEOUT) {
		(void)pthread_mutex_lock(&a->lock);
		a->rest_until = mono_ms() + REST_MS;
		(void)pthread_mutex_unlock(&a->lock);
	}
	return r;
}

static void
release(void *arg)
{
	struct agent *a = arg;

	(void)pthread_mutex_destroy(&a->lock); /* nobody holds it */
	free(a);
}

/* ---- choosing one ---- */

/* Every key there is asked about: the first Ed25519 one that is wanted. */
static enum rk_err
choose(const struct buf *answer, struct rk_sshkeys *want,
    uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct bytes b = { .at = buf_peek(answer), .left = buf_len(answer) };
	struct bytes comment;
	struct bytes blob;
	uint32_t n;
	uint8_t type;

	if (!bytes_get_u8(&b, &type) || type != LISTED ||
	    !bytes_get_u32(&b, &n))
		return RK_EPROTO;
	for (; n > 0; n--) {
		if (!bytes_get_string(&b, &blob) ||
		    !bytes_get_string(&b, &comment))
			return RK_EPROTO;
		if (ssh_get_public(blob.at, blob.left, pub) == RK_OK &&
		    (want == NULL ||
		        rk_sshkeys_find(want, pub, NULL, NULL) == RK_OK))
			return RK_OK;
	}
	return RK_ENOENT;
}

static enum rk_err
find_key(struct agent *a, const char *want, struct rk_error *err)
{
	static const uint8_t ask_bytes[] = { 0, 0, 0, 1, LIST };
	struct rk_sshkeys *keys = NULL;
	struct buf ask;
	struct buf answer;
	enum rk_err r = RK_OK;

	buf_init(&ask, sizeof(ask_bytes));
	buf_init(&answer, ANSWER_MAX);
	if (want != NULL && (r = rk_sshkeys_new(&keys)) == RK_OK &&
	    (r = rk_sshkeys_add(keys, want, err)) != RK_OK)
		goto out;
	if (r == RK_OK)
		r = buf_put(&ask, ask_bytes, sizeof(ask_bytes));
	if (r != RK_OK) {
		(void)err_set(err, r, "out of memory");
		goto out;
	}
	if ((r = talk(a, &ask, &answer, err)) != RK_OK)
		goto out;
	r = choose(&answer, keys, a->pub);
	if (r == RK_ENOENT)
		r = err_set(err, r, NAME ": it has no %sEd25519 key (at %s)",
		    want == NULL ? "" : "such ", a->shown);
	else if (r != RK_OK)
		r = explain(a, r, err);
out:
	rk_sshkeys_free(keys);
	buf_fini(&ask);
	buf_fini(&answer);
	return r;
}

static enum rk_err
take_path(struct agent *a, const char *sock, struct rk_error *err)
{
	if (sock == NULL)
		sock = getenv("SSH_AUTH_SOCK");
	if (sock == NULL || sock[0] == '\0')
		return err_set(
		    err, RK_ENOENT, NAME ": SSH_AUTH_SOCK is not set");
	if (str_copy(a->path, sizeof(a->path), sock) >= sizeof(a->path))
		return agent_path_too_long(sock, err);
	str_escape(a->shown, sizeof(a->shown), sock);
	return RK_OK;
}

enum rk_err
rk_key_of_ssh_agent(const char *sock, const char *want, struct rk_key **out,
    struct rk_error *err)
{
	struct rk_signer signer = {
		.size = sizeof(signer),
		.name = NAME,
		.sign = sign,
		.release = release,
	};
	struct agent *a = calloc(1, sizeof(*a));
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if (a == NULL || pthread_mutex_init(&a->lock, NULL) != 0) {
		free(a);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	if ((r = take_path(a, sock, err)) == RK_OK)
		r = find_key(a, want, err);
	memcpy(signer.pub, a->pub, sizeof(signer.pub));
	signer.arg = a;
	if (r == RK_OK && (r = rk_key_of_signer(&signer, out)) != RK_OK)
		(void)err_set(err, r, "%s", rk_err_text(r));
	if (r != RK_OK)
		release(a);
	return r;
}
