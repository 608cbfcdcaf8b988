/* A program outside the tree: C99, C11 and C++, public headers only. */
#include <rpckit/rpckit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t text[] = "outside";

static int
check_value(void)
{
	struct rk_value_doc *doc = NULL;
	struct rk_value_doc *again = NULL;
	uint8_t *packed = NULL;
	size_t len = 0;
	int good = 0;

	if (rk_value_new(&doc) != RK_OK)
		goto out;
	if (rk_value_set_bytes(
	        doc, rk_value_root(doc), RK_STR, text, sizeof(text)) != RK_OK)
		goto out;
	if (rk_value_encode(rk_value_root(doc), &packed, &len) != RK_OK)
		goto out;
	if (rk_value_decode(packed, len, &again) != RK_OK)
		goto out;
	good =
	    rk_value_root(again)->kind == RK_STR &&
	    rk_value_root(again)->u.bytes.len == sizeof(text) &&
	    memcmp(rk_value_root(again)->u.bytes.ptr, text, sizeof(text)) == 0;
out:
	free(packed);
	rk_value_free(again);
	rk_value_free(doc);
	return good;
}

static int
check_key(void)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t sig[RK_KEY_SIG_LEN];
	struct rk_key *key = NULL;
	int good;

	if (rk_key_generate(&key) != RK_OK)
		return 0;
	rk_key_public(key, pub);
	rk_key_sign(key, text, sizeof(text), sig);
	good = rk_key_verify(pub, text, sizeof(text), sig);
	rk_key_free(key);
	return good;
}

/* Brings in the whole stack: a static link lacks nothing. */
static int
check_client(void)
{
	struct rk_client_conf conf;
	struct rk_client *client = NULL;
	struct rk_error err;
	int good;

	memset(&conf, 0, sizeof(conf));
	conf.size = sizeof(conf);
	conf.url = "tcp://127.0.0.1:1";
	conf.timeouts.connect = 1000;
	if (rk_client_new(&conf, &client, &err) != RK_OK)
		return 0;
	good = rk_client_connect(client, &err) == RK_ECONNECT;
	rk_client_free(client);
	return good;
}

int
main(void)
{
	if (strcmp(rk_version(), RK_VERSION) != 0 || !check_value() ||
	    !check_key() || !check_client()) {
		printf("wrong\n");
		return 1;
	}
	printf("outside %s\n", rk_version());
	return 0;
}
