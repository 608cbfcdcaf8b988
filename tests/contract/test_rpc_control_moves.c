/* Control sockets: what streams move, which file that is, and how far it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ctlrig.h"
#include "streamrig.h"

/* How much of a stream there was, of how much in all. */
static void
tells_what_moved(void **state)
{
	static const struct rk_arg size = { { "size", 4 }, { "500", 3 } };
	static const struct rk_arg from = { { "offset", 6 }, { "200", 3 } };
	const struct rk_request req = { .method = "deaf",
		.args = &size,
		.n_args = 1,
		.timeout = RK_NEVER };
	const struct rk_part part = {
		.payload = { rpcrig_bytes, 30 }, .args = &from, .n_args = 1
	};
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *c, *v;
	struct rk_stream *told, *other;

	streamrig_begin(&rig, *state);
	ctl_begin(&ctl, &rig);
	v = ctl_visit(ctl.view, NULL);
	c = rpcrig_client(&rig);
	assert_int_equal(
	    rk_client_stream(c, RK_STREAM_UP, &req, NULL, NULL, &told), RK_OK);
	assert_int_equal(rk_stream_put(told, &part, NULL), RK_OK);
	other = streamrig_open(c, RK_STREAM_UP, "deaf", "x", RK_NEVER);
	streamrig_put(other, 41, false);
	(void)ctl_await(v, "_.calls",
	    "\"bytes_in\":30,\"bytes_out\":0,\"size\":500,"
	    "\"moved\":230}",
	    true, c);
	(void)ctl_await(
	    v, "_.calls", "\"bytes_in\":42,\"bytes_out\":0}", true, c);
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

/* The server's row of the stream of `c` with this size among its arguments. */
static const char *
row_of(struct rk_client *v, const char *size, struct rk_client *c)
{
	static char row[2048];
	char want[64];
	const char *text, *begin;

	(void)snprintf(want, sizeof(want), "\"size\":%s,", size);
	text = ctl_await(v, "_.calls", want, true, c);
	for (begin = strstr(text, want); begin > text && *begin != '{';)
		begin--;
	(void)snprintf(
	    row, sizeof(row), "%.*s", (int)strcspn(begin, "}") + 1, begin);
	return row;
}

static void
open_file(struct rk_client *c, const char *method, const char *size,
    const char *key, const char *name, size_t len)
{
	const struct rk_arg args[] = {
		{ { "size", 4 }, { size, strlen(size) } },
		{ { key, strlen(key) }, { name, len } },
	};
	const struct rk_request req = {
		.method = method, .args = args, .n_args = 2, .timeout = RK_NEVER
	};
	struct rk_stream *s;

	assert_int_equal(
	    rk_client_stream(c, RK_STREAM_UP, &req, NULL, NULL, &s), RK_OK);
	streamrig_put(s, 1, false);
}

/* Which file it is: escaped, the end of a long name, and not where the method
 * says that this is a secret. */
static void
tells_which_file(void **state)
{
	static const char odd[] = "a/\x1b[2J\xff\xe2\x80\xae\\ b";
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *c, *v;
	const char *row;
	char name[3000];
	size_t at;

	streamrig_begin(&rig, *state);
	ctl_begin(&ctl, &rig);
	v = ctl_visit(ctl.view, NULL);
	c = rpcrig_client(&rig);
	open_file(c, "deaf", "11", "file", "b/img.tar", 9);
	ctl_has(row_of(v, "11", c), ",\"file\":\"b/img.tar\"}");
	open_file(c, "deaf", "12", "file", odd, sizeof(odd) - 1);
	ctl_has(row_of(v, "12", c),
	    "\"file\":\"a/\\\\x1b[2J\\\\xff\\\\u202e\\\\\\\\ b\"}");
	/* Two bytes each, and the cut would be in the middle of one. */
	for (at = 0; at < sizeof(name) - 1; at += 2)
		memcpy(name + at, "\xc3\xa9", 2);
	memcpy(name + at - 3, "/x.", 3);
	name[at - 4] = '!';
	open_file(c, "deaf", "13", "file", name, at);
	row = strstr(row_of(v, "13", c), "\"file\":\"~\xc3\xa9\xc3\xa9");
	assert_non_null(row);
	ctl_has(row, "!/x.\"}");
	assert_true(strlen(row) < 300);
	assert_null(strstr(row, "\\x"));
	/* Bytes that are no text: each is four of it. */
	memset(name, '\x80', sizeof(name));
	open_file(c, "deaf", "14", "file", name, sizeof(name));
	row = strstr(row_of(v, "14", c), "\"file\":\"~\\\\x80");
	assert_non_null(row);
	assert_true(strlen(row) < 1200);
	open_file(c, "deaf", "15", "downloadRequestedPath", "/tmp/x", 6);
	ctl_has(row_of(v, "15", c), ",\"file\":\"/tmp/x\"}");
	open_file(c, "deaf", "16", "file", "", 0);
	open_file(c, "deaf", "17", "files", "x", 1);
	open_file(c, "shy", "18", "file", "plan.txt", 8);
	for (const char *const *size =
	         (const char *const[]){ "16", "17", "18", NULL };
	     *size != NULL; size++)
		assert_null(strstr(row_of(v, *size, c), "\"file\""));
	assert_null(strstr(ctl_get(v, "_.calls"), "plan.txt"));
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "what moved", tells_what_moved, RPC_ALL },
		{ "which file", tells_which_file, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc control moves", cases, sizeof(cases) / sizeof(cases[0]));
}
