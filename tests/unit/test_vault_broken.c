/* keyvault's agent on a vault whose disk fails, and whose key is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "failvfs.h"
#include "keyvault/agent_proto.h"
#include "keyvault/agent_vault.h"
#include "scratch.h"
#include "vaultrig.h"

struct site {
	struct agent_vault *vault;
	struct agent *agent;
	struct agent_asker asker;
	struct buf args;
	struct buf reply;
	uint64_t now;
	uint8_t type; /* of the answer */
	struct bytes body;
	struct rk_error err; /* of an AGENT_FAIL */
	struct agent_status status;
};

static void
begin(struct site *s)
{
	struct agent_back back;
	struct agent_conf conf = { .back = &back, .path = "/v" };
	char path[4096];
	struct vault *v;

	memset(s, 0, sizeof(*s));
	vaultrig_make(false);
	v = vaultrig_unlocked();
	vaultrig_add(v, "a", RECORD_ED25519, 1);
	vaultrig_add(v, "b", RECORD_ED25519, 2);
	vault_close(v);
	failvfs_register();
	assert_non_null(realpath(VAULTRIG_FILE, path));
	if (agent_vault_new(path, &s->vault, &s->err) != RK_OK)
		fail_msg("%s", s->err.text);
	agent_vault_back(s->vault, &back);
	conf.id = agent_vault_id(s->vault);
	conf.lifetime_ms = AGENT_FOREVER;
	assert_int_equal(agent_new(&conf, &s->agent), RK_OK);
	memcpy(s->asker.who, "a test", sizeof("a test"));
	buf_init(&s->args, AGENT_REQUEST_MAX);
	buf_init(&s->reply, AGENT_REPLY_MAX + 4096);
	s->now = 1000;
}

static void
end(struct site *s)
{
	failvfs_set(-1, 0);
	agent_free(s->agent);
	agent_vault_free(s->vault);
	buf_fini(&s->args);
	buf_fini(&s->reply);
}

static uint8_t
ask(struct site *s, uint8_t type)
{
	struct bytes body = { .at = buf_peek(&s->args),
		.left = buf_len(&s->args) };
	uint32_t wait;
	size_t used;

	buf_consume(&s->reply, buf_len(&s->reply));
	assert_int_equal(agent_handle(s->agent, &s->asker, s->now, type, body,
	                     &s->reply, &wait),
	    RK_OK);
	buf_consume(&s->args, buf_len(&s->args));
	assert_int_equal(agent_frame(buf_peek(&s->reply), buf_len(&s->reply),
	                     AGENT_REPLY_MAX, &s->type, &s->body, &used),
	    RK_OK);
	err_clear(&s->err);
	if (s->type == AGENT_FAIL)
		(void)agent_get_fail(&s->body, &s->err);
	return s->type;
}

/* Both keys, for as many uses. */
static uint8_t
unlock(struct site *s, uint64_t uses)
{
	struct vault *v = vaultrig_unlocked();
	const struct rk_secret *key = vault_key(v);
	struct buf *b = &s->args;

	assert_int_equal(bytes_put_string(b, agent_vault_id(s->vault), 16), 0);
	assert_int_equal(
	    bytes_put_string(b, rk_secret_peek(key), VAULT_KEY_LEN), 0);
	assert_int_equal(bytes_put_u64(b, 0), 0);
	assert_int_equal(bytes_put_u64(b, uses), 0);
	assert_int_equal(bytes_put_u8(b, 0), 0);
	assert_int_equal(agent_put_text(b, ""), 0);
	vault_close(v);
	return ask(s, AGENT_UNLOCK);
}

static uint8_t
sign(struct site *s, const char *name)
{
	const uint8_t hash[64] = { 1 };

	assert_int_equal(agent_put_text(&s->args, name), RK_OK);
	assert_int_equal(agent_put_text(&s->args, "file"), RK_OK);
	assert_int_equal(bytes_put_string(&s->args, hash, sizeof(hash)), RK_OK);
	return ask(s, AGENT_SIGN_FILE);
}

/* A handshake, whose line is written within a second. */
static uint8_t
sign_tls(struct site *s, const char *name)
{
	static const char text[] = "TLS 1.3, server CertificateVerify";
	uint8_t tls[64 + sizeof(text) + 32] = { 0 };

	memset(tls, ' ', 64);
	memcpy(tls + 64, text, sizeof(text));
	assert_int_equal(agent_put_text(&s->args, name), RK_OK);
	assert_int_equal(bytes_put_string(&s->args, tls, sizeof(tls)), RK_OK);
	return ask(s, AGENT_SIGN);
}

static void
look(struct site *s)
{
	assert_int_equal(ask(s, AGENT_STATUS), AGENT_OK);
	assert_true(agent_get_status(&s->body, &s->status));
}

static bool
count_line(const struct vault_line *line, void *arg)
{
	if (line->act == VAULT_ACT_SIGN)
		++*(unsigned *)arg;
	return true;
}

static unsigned
lines(void)
{
	struct vault *v = vaultrig_unlocked();
	struct rk_error err;
	unsigned n = 0;

	assert_int_equal(vault_log_read(v, count_line, &n, &err), RK_OK);
	vault_close(v);
	return n;
}

/* Nothing is tried again, whoever asks for what, until another agent is. */
static void
assert_over(struct site *s)
{
	assert_false(agent_is_open(s->agent));
	failvfs_set(1 << 20, SQLITE_IOERR);
	assert_int_equal(sign(s, "b"), AGENT_FAIL);
	assert_int_equal(s->err.code, RK_EIO);
	assert_non_null(strstr(s->err.text, "start the agent anew"));
	s->now += 10000;
	agent_tick(s->agent, s->now);
	look(s);
	assert_int_equal(s->status.open, 0);
	assert_non_null(strstr(s->status.fault, "writing failed"));
	assert_int_equal(failvfs_count(), 0);
	assert_int_equal(unlock(s, 50), AGENT_FAIL);
	assert_int_equal(s->err.code, RK_EIO);
	assert_non_null(strstr(s->err.text, "start the agent anew"));
	assert_false(agent_is_open(s->agent));
}

/* Each operation of a limited use fails in turn, whose line is on the disk
 * before it. */
static void
test_use_fails(void **state)
{
	struct site s;
	bool failed = true;

	(void)state;
	for (int n = 0; failed; n++) {
		assert_in_range(n, 0, 100);
		begin(&s);
		assert_int_equal(unlock(&s, 50), AGENT_OK);
		failvfs_set(n, SQLITE_IOERR);
		failed = sign(&s, "a") == AGENT_FAIL;
		failvfs_set(-1, 0);
		if (failed) {
			assert_int_equal(s.err.code, RK_EIO);
			assert_over(&s);
		} else
			assert_true(agent_is_open(s.agent));
		end(&s);
		assert_int_equal(unlink(VAULTRIG_FILE), 0);
		assert_int_equal(rmdir("v"), 0);
	}
}

/* Lines that wait are not tried again each second. */
static void
test_lines_fail(void **state)
{
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(unlock(&s, AGENT_FOREVER), AGENT_OK);
	assert_int_equal(sign_tls(&s, "a"), AGENT_OK);
	failvfs_set(0, SQLITE_IOERR);
	s.now += 10000;
	agent_tick(s.agent, s.now);
	assert_over(&s);
	end(&s);
	assert_int_equal(lines(), 0);
}

/* The line is written; moving it to the file when the vault is closed fails. */
static void
test_settle_fails(void **state)
{
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(unlock(&s, 50), AGENT_OK);
	failvfs_spare_log(true);
	failvfs_set(0, SQLITE_IOERR);
	assert_int_equal(sign(&s, "a"), AGENT_OK);
	agent_lock(s.agent);
	failvfs_spare_log(false);
	assert_over(&s);
	end(&s);
	assert_int_equal(lines(), 1);
}

/* Room may be made: it goes on, and no line is there twice. */
static void
test_full(void **state)
{
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(unlock(&s, 50), AGENT_OK);
	failvfs_set(0, SQLITE_FULL);
	assert_int_equal(sign(&s, "a"), AGENT_FAIL);
	assert_int_equal(s.err.code, RK_EIO);
	failvfs_set(-1, 0);
	assert_true(agent_is_open(s.agent));
	assert_int_equal(sign(&s, "a"), AGENT_OK);
	look(&s);
	assert_string_equal(s.status.fault, "");
	end(&s);
	assert_int_equal(lines(), 1);
}

/* Whoever asks is told of keys that are of use to nobody any more. */
static void
test_rekey(void **state)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct rk_error err;
	struct vault *v;
	struct site s;

	(void)state;
	begin(&s);
	assert_int_equal(unlock(&s, AGENT_FOREVER), AGENT_OK);
	look(&s);
	assert_int_equal(s.status.open, 2);
	v = vaultrig_unlocked();
	assert_int_equal(vault_rekey(v, pass, &vaultrig_kdf, &err), RK_OK);
	vault_close(v);
	rk_secret_free(pass);
	look(&s);
	assert_int_equal(s.status.open, 0);
	assert_non_null(strstr(s.status.fault, "new key"));
	assert_false(agent_is_open(s.agent));
	look(&s);
	assert_string_equal(s.status.fault, "");
	end(&s);
}

/* ---- an older copy in its place, while keys are open ---- */

static void
put_back(const char *copy)
{
	(void)unlink(VAULTRIG_FILE "-wal");
	(void)unlink(VAULTRIG_FILE "-shm");
	assert_int_equal(rename(copy, VAULTRIG_FILE), 0);
}

static void
tell_fault(enum rk_err what, const char *text, void *arg)
{
	(void)what;
	(void)arg;
	fail_msg("%s", text);
}

static void
check(void)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = vaultrig_open();
	struct rk_error err;

	assert_int_equal(vault_check(v, pass, tell_fault, NULL, &err), RK_OK);
	vault_close(v);
	rk_secret_free(pass);
}

/* Not another file, but other bytes in it. */
static void
put_over(const char *copy)
{
	static char bytes[1 << 18];
	FILE *f = fopen(copy, "rb");
	size_t len;

	assert_non_null(f);
	len = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	(void)unlink(VAULTRIG_FILE "-wal");
	(void)unlink(VAULTRIG_FILE "-shm");
	assert_non_null(f = fopen(VAULTRIG_FILE, "wb"));
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Keys are open, "b" was removed, and a copy is kept that has it. */
static void
begin_copied(struct site *s)
{
	struct rk_error err;
	struct vault *v;

	begin(s);
	assert_int_equal(unlock(s, 50), AGENT_OK);
	assert_int_equal(sign(s, "a"), AGENT_OK);
	v = vaultrig_unlocked();
	assert_int_equal(vault_backup(v, "v/old", &err), RK_OK);
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(vault_remove(v, "b", &err), RK_OK);
	assert_int_equal(vault_commit(v, &err), RK_OK);
	vault_close(v);
	assert_int_equal(sign(s, "a"), AGENT_OK);
}

static void
assert_noticed(struct site *s, const char *words)
{
	assert_int_equal(sign(s, "a"), AGENT_FAIL);
	assert_int_equal(s->err.code, RK_ETAMPERED);
	if (strstr(s->err.text, words) == NULL)
		fail_msg("\"%s\"", s->err.text);
	assert_false(agent_is_open(s->agent));
	assert_int_equal(lines(), 1);
	/* Whoever opens keys again was told, and means this one. */
	assert_int_equal(unlock(s, 50), AGENT_OK);
	assert_int_equal(sign(s, "a"), AGENT_OK);
}

static void
test_older(void **state)
{
	struct site s;

	(void)state;
	begin_copied(&s);
	put_back("v/old");
	assert_noticed(&s, "is older than it was");
	end(&s);
	assert_int_equal(unlink(VAULTRIG_FILE), 0);
	assert_int_equal(rmdir("v"), 0);
	begin_copied(&s);
	put_over("v/old");
	assert_int_equal(unlink("v/old"), 0);
	assert_noticed(&s, "is older than it was");
	end(&s);
	check();
}

/* Its generation is higher by now. */
static void
test_older_written(void **state)
{
	struct vault *v;
	struct site s;

	(void)state;
	begin_copied(&s);
	put_back("v/old");
	v = vaultrig_unlocked();
	for (int i = 0; i < 8; i++)
		vaultrig_add(
		    v, (char[]){ (char)('c' + i), '\0' }, RECORD_SECRET, 3);
	vault_close(v);
	assert_noticed(&s, "does not go on from what it was");
	end(&s);
}

/* By keyvault restore, into the file that the agent has open. */
static void
test_restored(void **state)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *old = NULL;
	struct rk_error err;
	struct vault *v;
	struct site s;

	(void)state;
	begin_copied(&s);
	assert_int_equal(vault_open_copy("v/old", &old, &err), RK_OK);
	assert_int_equal(vault_unlock(old, pass, &err), RK_OK);
	v = vaultrig_open();
	assert_int_equal(vault_restore(v, old, &err), RK_OK);
	assert_int_equal(vault_unlock(v, pass, &err), RK_OK);
	vault_close(v);
	vault_close(old);
	rk_secret_free(pass);
	assert_noticed(&s, "is older than it was");
	end(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_use_fails),
		TEST(test_lines_fail),
		TEST(test_settle_fails),
		TEST(test_full),
		TEST(test_rekey),
		TEST(test_older),
		TEST(test_older_written),
		TEST(test_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
