/* Every allocation of the library fails in turn: an error, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/quic.h"
#include "rpc/frame.h"
#include "rpc/msg.h"
#include "rpc/s2.h"
#include "rpcrig.h"
#include "scarce.h"
#include "scratch.h"
#include "typedfill.h"

#include <rpckit/store.h>
#include <rpckit/value.h>

#include <unistd.h>

/* ---- bytes ---- */

/* [{"a":[1,"two",3.0,nil],"b":"long enough to be no short string"}] */
static const uint8_t tree[] = "\x91\x82\xa1\x61\x94\x01\xa3two\xcb\x40\x08\0\0"
                              "\0\0\0\0\xc0\xa1\x62\xd9\x21"
                              "long enough to be no short string";

static enum rk_err
value_scene(void *arg)
{
	struct rk_value_doc *doc = NULL;
	uint8_t *bytes = NULL;
	size_t len;
	enum rk_err r;

	(void)arg;
	r = rk_value_decode(tree, sizeof(tree) - 1, &doc);
	if (r == RK_OK)
		r = rk_value_encode(rk_value_root(doc), &bytes, &len);
	free(bytes);
	rk_value_free(doc);
	return r;
}

static enum rk_err
message_scene(void *arg)
{
	static const struct rk_arg args[] = { { { "k", 1 }, { "v", 1 } } };
	const struct msg m = {
		.hdr = { .type = RK_TYPE_CALL, .to_service = { "a.b", 3 } },
		.payload = { rpcrig_bytes, 10000 },
	};
	struct msg got, kept;
	void *memory = NULL;
	struct frame f;
	struct buf b;
	enum rk_err r;

	(void)arg;
	buf_init(&b, SIZE_MAX);
	r = msg_encode(&b, &m, args, 1);
	if (r == RK_OK)
		r = frame_split(buf_peek(&b), buf_len(&b), &f, NULL, NULL);
	if (r == RK_OK)
		r = msg_decode(f.body.ptr, f.body.len, &got, NULL);
	if (r == RK_OK)
		r = msg_keep(&got, &kept, &memory);
	free(memory);
	buf_fini(&b);
	return r;
}

static enum rk_err
typed_scene(void *arg)
{
	struct rk_bytes *in = arg;
	uint8_t *bytes = NULL;
	struct every e;
	size_t len;
	enum rk_err r;

	r = rk_typed_decode(&every_record, in->ptr, in->len, &e, NULL);
	if (r != RK_OK)
		return r;
	r = rk_typed_encode(&every_record, &e, &bytes, &len, NULL);
	free(bytes);
	rk_typed_free(&every_record, &e);
	return r;
}

static void
test_bytes(void **state)
{
	uint64_t seed = 5;
	struct rk_bytes in;
	struct every e;
	uint8_t *bytes;
	size_t len;

	(void)state;
	scarce_play(value_scene, true, NULL);
	scarce_play(message_scene, true, NULL);
	typedfill_every(&e, &seed);
	assert_int_equal(
	    rk_typed_encode(&every_record, &e, &bytes, &len, NULL), RK_OK);
	in = (struct rk_bytes){ bytes, len };
	scarce_play(typed_scene, true, &in);
	free(bytes);
	rk_typed_free(&every_record, &e);
}

/* ---- a store ---- */

static enum rk_err
store_scene(void *arg)
{
	struct rk_store *s = NULL;
	enum rk_err r;

	(void)arg;
	(void)unlink("known");
	(void)unlink("known.db");
	if ((r = rk_store_open("known", true, &s, NULL)) != RK_OK)
		return r;
	rk_store_close(s);
	r = rk_store_open("known", false, &s, NULL);
	rk_store_close(s);
	return r;
}

static void
test_store(void **state)
{
	(void)state;
	scarce_play(store_scene, true, NULL);
}

/* What is above connections is tried over the one that costs least. */
static void
test_tcp(void **state)
{
	(void)state;
	scarce_check_server(RPC_TCP);
	for (int deed = 0; deed < SCARCE_DEEDS; deed++)
		scarce_check_clients(RPC_TCP, (enum scarce_deed)deed);
}

static void
test_tls(void **state)
{
	(void)state;
	scarce_check_server(RPC_TLS);
	scarce_check_clients(RPC_TLS, SCARCE_CALL);
}

static void
test_quic(void **state)
{
	(void)state;
	if (quic_supported(NULL) != RK_OK)
		return;
	scarce_check_server(RPC_QUIC);
	scarce_check_clients(RPC_QUIC, SCARCE_CALL);
	scarce_check_clients(RPC_QUIC, SCARCE_STREAM);
}

static void
test_sessions(void **state)
{
	(void)state;
	scarce_check_server(RPC_SSH);
	scarce_check_clients(RPC_SSH, SCARCE_CALL);
	scarce_check_server(RPC_SSH_UDP);
	scarce_check_clients(RPC_SSH_UDP, SCARCE_CALL);
	scarce_check_clients(RPC_SSH_UDP, SCARCE_STREAM);
}

/* Its handshake and its records, alone and with TLS below. */
static void
test_psk(void **state)
{
	(void)state;
	scarce_check_psk(RPC_TCP);
	scarce_check_psk(RPC_TLS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test_setup_teardown(
		    test_store, scratch_enter, scratch_leave),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_quic),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_psk),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
