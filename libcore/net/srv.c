/* SRV records: what an answer says, and which to try first. */
#include "net/srv.h"

#include "base/be.h"
#include "base/error.h"

#include <limits.h>
#include <string.h>

#include <arpa/nameser.h>
#include <resolv.h>

#define FIXED_LEN 6 /* priority, weight, port; the host follows */
#define ROOT ""     /* as dn_expand() writes "." */

static enum rk_err
damaged(struct rk_error *err)
{
	return err_set(err, RK_EPROTO, "damaged answer from the DNS");
}

/* Whatever the DNS lets a name be, a host's has these letters. */
static bool
is_host(const char *s)
{
	const char *fine = "abcdefghijklmnopqrstuvwxyz"
	                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return strspn(s, fine) == strlen(s);
}

/* *out may hold anything when its host is none. */
static enum rk_err
read_record(
    const ns_msg *msg, const ns_rr *rr, struct srv *out, struct rk_error *err)
{
	const uint8_t *p = ns_rr_rdata(*rr);
	char name[NS_MAXDNAME];
	int n;

	if (ns_rr_rdlen(*rr) <= FIXED_LEN)
		return damaged(err);
	n = dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), p + FIXED_LEN, name,
	    (int)sizeof(name));
	if (n < 0 || n != ns_rr_rdlen(*rr) - FIXED_LEN)
		return damaged(err);
	*out = (struct srv){
		.priority = be_get16(p),
		.weight = be_get16(p + 2),
		.port = be_get16(p + 4),
	};
	if (strlen(name) < sizeof(out->host) && is_host(name))
		memcpy(out->host, name, strlen(name) + 1);
	return RK_OK;
}

/* The i-th of the answer, if it is one of ours and of use. */
static enum rk_err
read_answer(ns_msg *msg, int i, struct srv *out, bool *is_srv, bool *is_fine,
    struct rk_error *err)
{
	ns_rr rr;

	*is_srv = false;
	*is_fine = false;
	if (ns_parserr(msg, ns_s_an, i, &rr) != 0)
		return damaged(err);
	*is_srv = ns_rr_type(rr) == ns_t_srv && ns_rr_class(rr) == ns_c_in;
	if (!*is_srv)
		return RK_OK;
	if (read_record(msg, &rr, out, err) != RK_OK)
		return RK_EPROTO;
	*is_fine = out->host[0] != '\0' && out->port != 0;
	return RK_OK;
}

enum rk_err
srv_parse(const uint8_t *data, size_t len, struct srv *out, size_t cap,
    size_t *n, struct rk_error *err)
{
	bool is_srv, is_fine;
	bool any = false;
	size_t found = 0;
	struct srv one;
	ns_msg msg;

	*n = 0;
	if (len > NS_MAXMSG || ns_initparse(data, (int)len, &msg) != 0)
		return damaged(err);
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (read_answer(&msg, i, &one, &is_srv, &is_fine, err) != RK_OK)
			return RK_EPROTO;
		any = any || is_srv;
		if (is_fine && found < cap)
			out[found++] = one;
	}
	*n = found;
	if (found > 0)
		return RK_OK;
	return err_set(err, RK_ERESOLVE, "%s",
	    any ? "nobody offers this service" : "there is no SRV record");
}

static void
swap(struct srv *a, struct srv *b)
{
	struct srv t = *a;

	*a = *b;
	*b = t;
}

/* By priority; those without weight come first of each, as they are to have
 * "a very small chance" to be drawn when others have weight. */
static bool
is_before(const struct srv *a, const struct srv *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->weight == 0 && b->weight != 0;
}

/* Which of n equals is next, by running sums (RFC 2782, page 3). */
static size_t
pick(const struct srv *list, size_t n, srv_draw_fn *draw, void *arg)
{
	uint32_t sum = 0;
	uint32_t at;
	size_t i;

	for (i = 0; i < n; i++)
		sum += list[i].weight;
	at = draw(sum + 1, arg);
	sum = 0;
	for (i = 0; i + 1 < n; i++) {
		sum += list[i].weight;
		if (sum >= at)
			break;
	}
	return i;
}

static size_t
equals(const struct srv *list, size_t n)
{
	size_t i = 1;

	while (i < n && list[i].priority == list[0].priority)
		i++;
	return i;
}

void
srv_order(struct srv *list, size_t n, srv_draw_fn *draw, void *arg)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && is_before(&list[j], &list[j - 1]);
		     j--)
			swap(&list[j], &list[j - 1]);
	for (size_t i = 0; i + 1 < n; i++) {
		size_t same = equals(list + i, n - i);
		size_t take = i + pick(list + i, same, draw, arg);

		/* The others stay in their order. */
		for (; take > i; take--)
			swap(&list[take], &list[take - 1]);
	}
}
