/* Control sockets: what was decided, in parts, and of one key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/ask.h>

#include "guestrig.h"

#define ARG_LEN 300

/* One member, whose value is a number below 128 or, if there is one, text. */
static uint8_t *
put_member(uint8_t *p, const char *name, unsigned number, const char *text)
{
	p = guest_put(p, name);
	if (text != NULL)
		return guest_put(p, text);
	*p++ = (uint8_t)number;
	return p;
}

/* {max: 2, before, key}, the last two where they are given. */
static const char *
part(struct rk_client *v, unsigned before, const char *key)
{
	uint8_t arg[ARG_LEN], *p = arg;
	enum rk_err code;
	const char *text;

	*p++ = (uint8_t)(0x81 + (before != 0) + (key != NULL));
	p = put_member(p, "max", 2, NULL);
	if (before != 0)
		p = put_member(p, "before", before, NULL);
	if (key != NULL)
		p = put_member(p, "key", 0, key);
	text = ctl_ask(v, "_.audit", arg, (size_t)(p - arg), &code);
	if (code != RK_OK)
		fail_msg("%s", text);
	return text;
}

/* So many lines, of which the last has this number. */
static void
has_lines(const char *text, unsigned n, unsigned last)
{
	char id[24];

	(void)snprintf(id, sizeof(id), "\"id\":%u,", last);
	assert_int_equal(ctl_count(text, "\"id\":"), n);
	ctl_has(text, "\"left_out\":0");
	if (n > 0)
		ctl_has(text, id);
}

/* Of two lines. */
static void
tells_in_parts(void **state)
{
	struct rk_client *v;
	struct rk_error err;
	struct guest g;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	assert_int_equal(
	    rk_trust_keep(guests.rig.conf.trust, true, &err), RK_OK);
	v = ctl_visit(guests.ctl.path, NULL);
	guest_arrive(&g, NULL, v);
	(void)guest_decide(v, "reject", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	(void)guest_decide(v, "forget", guests.fp, 0, false, &code);
	assert_int_equal(code, RK_OK);
	has_lines(part(v, 0, NULL), 2, 1);
	has_lines(part(v, 3, NULL), 2, 1);
	has_lines(part(v, 2, NULL), 1, 1);
	has_lines(part(v, 1, NULL), 0, 0);
	has_lines(part(v, 0, guests.fp), 2, 1);
	has_lines(part(v, 2, guests.fp), 1, 1);
	has_lines(part(v, 1, guests.fp), 0, 0);
	rk_client_free(g.client);
	rk_client_free(v);
	guest_end();
	guest_unstore();
}

/* A member that is not understood may be the one that matters. */
static void
takes_no_other(void **state)
{
	static const struct {
		const char *name;
		unsigned number;
		const char *text;
		const char *says;
	} wrong[] = {
		{ "max", 0, NULL, "it takes {max" },
		{ "max", 0, "9", "it takes {max" },
		{ "before", 0, NULL, "it takes {max" },
		{ "before", 0xff, NULL, "it takes {max" }, /* -1 */
		{ "before", 0xc0, NULL, "it takes {max" }, /* nil */
		{ "before", 0, "7", "it takes {max" },
		{ "key", 7, NULL, "it takes {max" },
		{ "key", 0xc0, NULL, "it takes {max" },
		{ "key", 0, "", "the first 8 characters" },
		{ "key", 0, "SHA256:0123456", "the first 8 characters" },
		{ "key", 0, "SHA256:01234567", "nothing about such a key" },
		{ "after", 7, NULL, "it takes {max" },
	};
	uint8_t arg[ARG_LEN], *p;
	struct rk_client *v;
	struct rk_error err;
	enum rk_err code;

	guest_begin(*state, RK_TRUST_ASK);
	assert_int_equal(
	    rk_trust_keep(guests.rig.conf.trust, true, &err), RK_OK);
	v = ctl_visit(guests.ctl.path, NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		p = arg;
		*p++ = 0x81;
		p = put_member(
		    p, wrong[i].name, wrong[i].number, wrong[i].text);
		ctl_has(ctl_ask(v, "_.audit", arg, (size_t)(p - arg), &code),
		    wrong[i].says);
		assert_int_equal(code, RK_EREMOTE);
	}
	/* Twice the same. */
	p = arg;
	*p++ = 0x82;
	p = put_member(p, "before", 7, NULL);
	p = put_member(p, "before", 7, NULL);
	ctl_has(ctl_ask(v, "_.audit", arg, (size_t)(p - arg), &code),
	    "it takes {max");
	assert_int_equal(code, RK_EREMOTE);
	ctl_has(ctl_get(v, "_.audit"), "\"lines\":[]");
	rk_client_free(v);
	guest_end();
	guest_unstore();
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "in parts", tells_in_parts, RPC_ONLY(RPC_TLS) },
		{ "nothing else", takes_no_other, RPC_ONLY(RPC_TLS) },
	};

	return rpcrig_run_cases(
	    "rpc control audit", cases, sizeof(cases) / sizeof(cases[0]));
}
