/* Where a connection of SSH's leads, and what a key is open for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agentrig.h"
#include "base/ssh.h"

struct talk {
	struct agentrig rig;
	struct rk_key *host;
	struct rk_key *other;
	struct buf args;
	struct buf reply;
	uint32_t wait;
};

static struct rk_key *
host_key(uint8_t fill)
{
	uint8_t seed[RK_KEY_SEED_LEN];
	struct rk_key *key;

	memset(seed, fill, sizeof(seed));
	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	return key;
}

static void
begin(struct talk *t, const char *only)
{
	struct bytes body;
	uint8_t type;
	size_t used;

	memset(t, 0, sizeof(*t));
	agentrig_init(&t->rig);
	buf_init(&t->args, AGENT_REQUEST_MAX);
	buf_init(&t->reply, AGENT_REPLY_MAX);
	t->host = host_key(7);
	t->other = host_key(8);
	t->rig.only = only;
	assert_int_equal(
	    agentrig_unlock(&t->rig, NULL, 1, AGENT_FOREVER, false, &t->reply),
	    RK_OK);
	assert_int_equal(agent_frame(buf_peek(&t->reply), buf_len(&t->reply),
	                     AGENT_REPLY_MAX, &type, &body, &used),
	    RK_OK);
	assert_int_equal(type, AGENT_OK);
	buf_consume(&t->reply, used);
}

static void
end(struct talk *t)
{
	buf_fini(&t->args);
	buf_fini(&t->reply);
	rk_key_free(t->host);
	rk_key_free(t->other);
	agentrig_fini(&t->rig);
}

static void
put_text(struct buf *b, const char *text)
{
	assert_int_equal(agent_put_text(b, text), RK_OK);
}

static void
put_blob(struct buf *b, const struct rk_key *key)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct buf blob;

	rk_key_public(key, pub);
	buf_init(&blob, 256);
	assert_int_equal(ssh_put_public(&blob, pub), RK_OK);
	assert_int_equal(
	    bytes_put_string(b, buf_peek(&blob), buf_len(&blob)), RK_OK);
	buf_fini(&blob);
}

static uint8_t
ask(struct talk *t, uint8_t type)
{
	struct bytes body = { .at = buf_peek(&t->args),
		.left = buf_len(&t->args) };
	uint8_t got = 0;
	size_t used;

	assert_int_equal(agent_handle(t->rig.agent, &t->rig.ssh, 2, type, body,
	                     &t->reply, &t->wait),
	    RK_OK);
	buf_consume(&t->args, buf_len(&t->args));
	if (t->wait == 0)
		assert_int_equal(
		    agent_frame(buf_peek(&t->reply), buf_len(&t->reply),
		        AGENT_REPLY_MAX, &got, &body, &used),
		    RK_OK);
	buf_consume(&t->reply, buf_len(&t->reply));
	return got;
}

/* A session of this number, told with a signature of `by`. */
static uint8_t
tell(struct talk *t, const struct rk_key *host, const struct rk_key *by,
    uint8_t number, bool forwards)
{
	uint8_t session[32];
	uint8_t sig[RK_KEY_SIG_LEN];
	struct buf b;

	memset(session, number, sizeof(session));
	rk_key_sign(by, session, sizeof(session), sig);
	put_text(&t->args, BIND_EXTENSION);
	put_blob(&t->args, host);
	assert_int_equal(
	    bytes_put_string(&t->args, session, sizeof(session)), RK_OK);
	buf_init(&b, 256);
	put_text(&b, "ssh-ed25519");
	assert_int_equal(bytes_put_string(&b, sig, sizeof(sig)), RK_OK);
	assert_int_equal(
	    bytes_put_string(&t->args, buf_peek(&b), buf_len(&b)), RK_OK);
	buf_fini(&b);
	assert_int_equal(bytes_put_u8(&t->args, forwards), RK_OK);
	return ask(t, SSH_EXTENSION);
}

/* A login in the session of this number; host NULL: in the old form. */
static uint8_t
login_as(
    struct talk *t, const struct rk_key *host, uint8_t number, const char *user)
{
	uint8_t session[32];
	struct buf b;

	memset(session, number, sizeof(session));
	buf_init(&b, 4096);
	assert_int_equal(bytes_put_string(&b, session, sizeof(session)), RK_OK);
	assert_int_equal(bytes_put_u8(&b, 50), RK_OK);
	put_text(&b, user);
	put_text(&b, "ssh-connection");
	put_text(&b,
	    host == NULL ? "publickey" : "publickey-hostbound-v00@openssh.com");
	assert_int_equal(bytes_put_u8(&b, 1), RK_OK);
	put_text(&b, "ssh-ed25519");
	put_blob(&b, t->rig.key[1]);
	if (host != NULL)
		put_blob(&b, host);
	put_blob(&t->args, t->rig.key[1]);
	assert_int_equal(
	    bytes_put_string(&t->args, buf_peek(&b), buf_len(&b)), RK_OK);
	buf_fini(&b);
	assert_int_equal(bytes_put_u32(&t->args, 0), RK_OK);
	return ask(t, SSH_SIGN_REQUEST);
}

static uint8_t
login(struct talk *t, const struct rk_key *host, uint8_t number)
{
	return login_as(t, host, number, "root");
}

/* ---- told and believed ---- */

static void
test_direct(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(login(&t, NULL, 1), SSH_SIGN_RESPONSE);
	assert_int_equal(tell(&t, t.host, t.host, 1, false), SSH_SUCCESS);
	assert_int_equal(login(&t, NULL, 1), SSH_SIGN_RESPONSE);
	assert_int_equal(login(&t, t.host, 1), SSH_SIGN_RESPONSE);
	/* Of another session, or for another host. */
	assert_int_equal(login(&t, t.host, 2), SSH_FAILURE);
	assert_int_equal(login(&t, t.other, 1), SSH_FAILURE);
	/* Behind one to log in there is none. */
	assert_int_equal(tell(&t, t.other, t.other, 2, false), SSH_FAILURE);
	assert_int_equal(login(&t, t.host, 1), SSH_FAILURE);
	end(&t);
}

static void
test_lies(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(tell(&t, t.host, t.other, 1, false), SSH_FAILURE);
	assert_int_equal(login(&t, t.host, 1), SSH_FAILURE);
	end(&t);
	begin(&t, NULL);
	assert_int_equal(tell(&t, t.host, t.host, 1, true), SSH_SUCCESS);
	assert_int_equal(tell(&t, t.host, t.host, 1, true), SSH_SUCCESS);
	assert_int_equal(t.rig.binds.n, 1);
	assert_int_equal(tell(&t, t.other, t.other, 1, true), SSH_FAILURE);
	assert_true(t.rig.binds.failed);
	end(&t);
	begin(&t, NULL);
	for (uint8_t i = 0; i < BINDS_MAX; i++)
		assert_int_equal(
		    tell(&t, t.host, t.host, i, true), SSH_SUCCESS);
	assert_int_equal(tell(&t, t.host, t.host, 99, true), SSH_FAILURE);
	put_text(&t.args, BIND_EXTENSION);
	assert_int_equal(ask(&t, SSH_EXTENSION), SSH_FAILURE);
	assert_true(t.rig.binds.failed);
	put_text(&t.args, "restrict-me@example.org");
	assert_int_equal(ask(&t, SSH_EXTENSION), SSH_FAILURE);
	end(&t);
}

/* Whoever asks from another machine is asked about, each time. */
static void
test_forwarded(void **state)
{
	struct agent_waiting w;
	struct talk t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(tell(&t, t.host, t.host, 1, true), SSH_SUCCESS);
	assert_int_equal(tell(&t, t.other, t.other, 2, false), SSH_SUCCESS);
	assert_int_equal(login(&t, NULL, 2), SSH_FAILURE);
	assert_int_equal(login(&t, t.host, 2), SSH_FAILURE);
	assert_int_equal(login(&t, t.other, 2), 0);
	assert_int_not_equal(t.wait, 0);
	assert_true(agent_waits(t.rig.agent, 0, 2, &w));
	assert_non_null(
	    strstr(w.what, "a login by ssh as \"root\" at SHA256:"));
	assert_int_equal(strncmp(w.who, "another machine, SHA256:", 24), 0);
	assert_int_equal(
	    agent_answer(t.rig.agent, t.wait, true, 2, 60000, "a test"), RK_OK);
	assert_int_equal(agent_poll(t.rig.agent, 2, &t.reply, &t.wait), RK_OK);
	assert_int_equal(t.rig.uses, 1);
	buf_consume(&t.reply, buf_len(&t.reply));
	assert_int_equal(login(&t, t.other, 2), 0);
	assert_int_not_equal(t.wait, 0);
	/* Nor does it close anything. */
	put_blob(&t.args, t.rig.key[1]);
	assert_int_equal(ask(&t, SSH_REMOVE_IDENTITY), SSH_FAILURE);
	assert_int_equal(ask(&t, SSH_REMOVE_ALL_IDENTITIES), SSH_FAILURE);
	assert_true(agent_is_open(t.rig.agent));
	end(&t);
}

/* A name looks like a host that was proven; there is none. */
static void
test_forged(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(
	    login_as(&t, NULL, 1, "git\" at SHA256:x"), SSH_SIGN_RESPONSE);
	assert_non_null(strstr(t.rig.last.text,
	    "a login by ssh as \"git\\\" at SHA256:x\" at a host that is not "
	    "known, "));
	end(&t);
}

/* ---- what a key is open for ---- */

static void
fingerprint(const struct rk_key *key, char fp[RK_FP_LEN])
{
	struct binds b = { 0 };
	struct talk t;

	begin(&t, NULL);
	assert_int_equal(tell(&t, key, key, 1, false), SSH_SUCCESS);
	b = t.rig.binds;
	memcpy(fp, b.list[0].fp, RK_FP_LEN);
	end(&t);
}

static void
test_place(void **state)
{
	char fp[RK_FP_LEN];
	struct talk t;

	(void)state;
	begin(&t, NULL);
	fingerprint(t.host, fp);
	end(&t);
	begin(&t, fp);
	assert_int_equal(login(&t, t.host, 1), SSH_FAILURE);
	assert_int_equal(tell(&t, t.host, t.host, 1, false), SSH_SUCCESS);
	assert_int_equal(login(&t, t.host, 1), SSH_SIGN_RESPONSE);
	end(&t);
	begin(&t, fp);
	assert_int_equal(tell(&t, t.other, t.other, 1, false), SSH_SUCCESS);
	assert_int_equal(login(&t, t.other, 1), SSH_FAILURE);
	end(&t);
	/* Not from another machine, even there. */
	begin(&t, fp);
	assert_int_equal(tell(&t, t.other, t.other, 1, true), SSH_SUCCESS);
	assert_int_equal(tell(&t, t.host, t.host, 2, false), SSH_SUCCESS);
	assert_int_equal(login(&t, t.host, 2), SSH_FAILURE);
	end(&t);
}

static void
test_only(void **state)
{
	static const char fp[] =
	    "SHA256:0123456789012345678901234567890123456789abc";

	(void)state;
	assert_null(only_fault(""));
	assert_null(only_fault("tls"));
	assert_null(only_fault("tls\nfile\n/usr/bin/git"));
	assert_null(only_fault(fp));
	assert_non_null(only_fault("tls\nfiles"));
	assert_non_null(only_fault("/"));
	assert_non_null(only_fault("SHA256:short"));
	assert_null(only_refuses("", USE_TLS, "", ""));
	assert_null(only_refuses("tls\nssh", USE_SSH, "", ""));
	assert_non_null(only_refuses("tls\nssh", USE_FILE, "", ""));
	assert_null(only_refuses("/a\n/b", USE_TLS, "/b", ""));
	assert_non_null(only_refuses("/a\n/b", USE_TLS, "/bb", ""));
	assert_non_null(only_refuses("/a\n/b", USE_TLS, "", ""));
	assert_null(only_refuses("file\n/a", USE_FILE, "/a", ""));
	assert_non_null(only_refuses("file\n/a", USE_FILE, "/b", ""));
	assert_non_null(only_refuses("file\n/a", USE_TLS, "/a", ""));
	assert_null(only_refuses(fp, USE_SSH, "/a", fp));
	assert_non_null(only_refuses(fp, USE_SSH, "/a", ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
