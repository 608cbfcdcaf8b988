/* Asking the system's resolver for SRV records. */
#include "net/srv.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/secret.h>

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/nameser.h>
#include <resolv.h>

#define NAME_TEXT 160

/* Fair enough: below is at most SRV_MAX weights, far from 2^32. */
static uint32_t
draw(uint32_t below, void *arg)
{
	uint64_t v;

	(void)arg;
	rk_random(&v, sizeof(v));
	return (uint32_t)(v % below);
}

static enum rk_err
unanswered(const char *name, int h, struct rk_error *err)
{
	const char *why = "no answer from the DNS";

	if (h == HOST_NOT_FOUND)
		why = "no such name";
	else if (h == NO_DATA)
		why = "there is no SRV record";
	else if (h == NO_RECOVERY)
		why = "the DNS refused to answer";
	return err_set(
	    err, RK_ERESOLVE, "cannot look up \"%s\": %s", name, why);
}

/* *len: the length of what is at *msg, which is malloc'ed. */
static enum rk_err
query(const char *name, const struct sockaddr_in *server, uint8_t **msg,
    size_t *len, struct rk_error *err)
{
	struct __res_state state = { 0 };
	char text[NAME_TEXT];
	enum rk_err r = RK_OK;
	int n;

	str_escape(text, sizeof(text), name);
	*msg = malloc(NS_MAXMSG);
	if (*msg == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if (res_ninit(&state) != 0)
		return unanswered(text, TRY_AGAIN, err);
	if (server != NULL) {
		state.nsaddr_list[0] = *server;
		state.nscount = 1;
	}
	n = res_nquery(&state, name, ns_c_in, ns_t_srv, *msg, NS_MAXMSG);
	if (n < 0)
		r = unanswered(text, state.res_h_errno, err);
	else
		*len = n < NS_MAXMSG ? (size_t)n : NS_MAXMSG;
	res_nclose(&state);
	return r;
}

enum rk_err
srv_ask(const char *name, const struct sockaddr_in *server, struct srv *out,
    size_t cap, size_t *n, struct rk_error *err)
{
	struct rk_error why = { 0 };
	uint8_t *msg = NULL;
	char text[NAME_TEXT];
	size_t len = 0;
	enum rk_err r;

	*n = 0;
	if ((r = query(name, server, &msg, &len, err)) != RK_OK)
		goto out;
	r = srv_parse(msg, len, out, cap, n, &why);
	if (r != RK_OK) {
		str_escape(text, sizeof(text), name);
		(void)err_set(
		    err, r, "cannot look up \"%s\": %s", text, why.text);
		goto out;
	}
	srv_order(out, *n, draw, NULL);
out:
	free(msg);
	return r;
}
