/* Control sockets: lists of keys that come in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "guestrig.h"

#define UPLOADS 4 /* at a time */

/* {text, from, more}; the answer, or what is said. */
static const char *
part(struct rk_client *v, const char *text, uint8_t from, bool more,
    enum rk_err *code)
{
	uint8_t arg[600], *p = arg;

	*p++ = 0x83;
	p = guest_put(guest_put(p, "text"), text);
	p = guest_put(p, "from");
	*p++ = from; /* as it is */
	p = guest_put(p, "more");
	*p++ = more ? 0xc3 : 0xc2;
	return ctl_ask(v, "_.import", arg, (size_t)(p - arg), code);
}

/* The whole counts, wherever it was cut. */
static void
joins(void **state)
{
	struct rk_client *v;
	enum rk_err code;
	const char *text;

	guest_begin(*state, RK_TRUST_ASK);
	v = ctl_visit(guests.ctl.path, NULL);
	(void)part(v, "# begun\n# and for", 0, true, &code);
	assert_int_equal(code, RK_OK);
	(void)part(v, "# gotten\n# a", 0, true, &code); /* anew */
	assert_int_equal(code, RK_OK);
	(void)part(v, " word\nwro", 12, true, &code);
	assert_int_equal(code, RK_OK);
	text = part(v, "ng\n# x\n", 21, false, &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"done\":false");
	ctl_has(text, "\"lines\":[3]");
	/* That was it: nothing is left of it. */
	text = part(v, "# y\n", 28, false, &code);
	assert_int_equal(code, RK_EREMOTE);
	ctl_has(text, "a part of the text is missing");
	text = part(v, "# z\n", 0, false, &code);
	assert_int_equal(code, RK_OK);
	ctl_has(text, "\"done\":true");
	rk_client_free(v);
	guest_end();
}

/* Each connection has its own; who goes leaves none. */
static void
bounds(void **state)
{
	struct rk_client *v[UPLOADS + 1];
	enum rk_err code;
	const char *text;
	uint64_t until;

	guest_begin(*state, RK_TRUST_ASK);
	for (size_t i = 0; i <= UPLOADS; i++) {
		v[i] = ctl_visit(guests.ctl.path, NULL);
		text = part(v[i], "# part\n", 0, true, &code);
		assert_int_equal(code, i < UPLOADS ? RK_OK : RK_EREMOTE);
	}
	ctl_has(text, "too many are importing");
	(void)part(v[1], "# out of order\n", 9, true, &code);
	assert_int_equal(code, RK_EREMOTE);
	rk_client_free(v[0]);
	until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	do {
		assert_true(rpcrig_now() < until);
		(void)part(v[UPLOADS], "# part\n", 0, true, &code);
	} while (code != RK_OK);
	(void)part(v[1], "# end\n", 7, false, &code);
	assert_int_equal(code, RK_OK);
	for (size_t i = 1; i <= UPLOADS; i++)
		rk_client_free(v[i]);
	guest_end();
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "joins", joins, RPC_ONLY(RPC_TLS) },
		{ "bounds", bounds, RPC_ONLY(RPC_TLS) },
	};

	return rpcrig_run_cases(
	    "rpc control parts", cases, sizeof(cases) / sizeof(cases[0]));
}
