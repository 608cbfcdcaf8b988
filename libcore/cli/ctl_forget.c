/* rpcd ctl trust forget: one key, or all that wait, or those of a network. */
#include "cli/ctl.h"

#include <rpckit/key.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

#define BITS 128
#define V4_BITS 32 /* behind ::ffff: */
#define HOST_LEN 128

static const struct rk_bytes nothing;

/* ---- a network ---- */

struct net {
	uint8_t address[BITS / 8];
	unsigned bits;
};

/* An address of IPv4 as one of IPv6. */
static bool
parse_host(const char *host, uint8_t out[BITS / 8], bool *v4)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
		0xff };

	memcpy(out, mapped, sizeof(mapped));
	*v4 = inet_pton(AF_INET, host, out + sizeof(mapped)) == 1;
	return *v4 || inet_pton(AF_INET6, host, out) == 1;
}

static bool
parse_net(const char *text, struct net *out)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long bits = BITS, max;
	char host[HOST_LEN], *end;
	bool v4;

	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (!parse_host(host, out->address, &v4))
		return false;
	max = v4 ? V4_BITS : BITS;
	out->bits = BITS;
	if (slash == NULL)
		return true;
	if (slash[1] < '0' || slash[1] > '9')
		return false;
	bits = strtoul(slash + 1, &end, 10);
	out->bits = (unsigned)(BITS - max + bits);
	return *end == '\0' && bits <= max;
}

/* "tls://192.0.2.7:4711", "tls://[2001:db8::1]:4711", or the host alone, as it
 * is known from before. */
static bool
is_from(const struct net *net, const char *address)
{
	const char *start = strstr(address, "://");
	char host[HOST_LEN];
	uint8_t there[BITS / 8];
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	char *end = NULL;
	bool v4;

	(void)str_copy(host, sizeof(host),
	    start != NULL ? start + strlen("://") : address);
	if (host[0] == '[') {
		memmove(host, host + 1, strlen(host));
		end = strchr(host, ']');
	} else if (start != NULL) {
		end = strrchr(host, ':');
	}
	if (end != NULL)
		*end = '\0';
	host[strcspn(host, "%")] = '\0'; /* an interface */
	if (!parse_host(host, there, &v4) ||
	    memcmp(there, net->address, whole) != 0)
		return false;
	return rest == 0 ||
	       (there[whole] ^ net->address[whole]) >> (8 - rest) == 0;
}

/* ---- all of them ---- */

struct forgetting {
	struct ctl *ctl;
	const struct net *net; /* NULL: from anywhere */
	uint64_t done;
	uint64_t failed;
	int status; /* of the first that failed */
};

static void
forget_one(struct forgetting *f, const struct rk_value *row)
{
	struct ctl *c = f->ctl;
	struct ctl_pair pairs[5];
	char fp[RK_FP_LEN], from[200];
	size_t n = 0;
	int status;

	(void)ctl_text(row, "fingerprint", fp, sizeof(fp));
	(void)ctl_text(row, "address", from, sizeof(from));
	if (fp[0] == '\0' || (f->net != NULL && !is_from(f->net, from)))
		return;
	pairs[n++] = CTL_TEXT("key", fp);
	pairs[n++] = CTL_TEXT("verb", "forget");
	pairs[n++] = CTL_TEXT("via", CTL_VIA);
	/* Who was decided about since is none of those that wait. */
	pairs[n++] = CTL_NUMBER("version", ctl_number(row, "version"));
	if (args_given(c->a, "note"))
		pairs[n++] = CTL_TEXT("note", args_text(c->a, "note", ""));
	status = ctl_ask(c, "_.decide", pairs, n, NULL);
	f->done += status == 0;
	f->failed += status != 0;
	if (f->status == 0)
		f->status = status;
}

static int
forget_waiting(struct ctl *c, const struct net *net)
{
	struct forgetting f = { .ctl = c, .net = net };
	const struct rk_value *keys;
	struct rk_value_doc *doc;
	int status = ctl_call(c, "_.pending", nothing, &doc, NULL);

	if (status != 0)
		return status;
	keys = rk_value_get(rk_value_root(doc), "keys");
	for (uint32_t i = 0; i < ctl_len(keys); i++)
		forget_one(&f, &keys->u.list.items[i]);
	if (c->out.form == OUT_JSON)
		out_text(&c->out,
		    "{\"schema\":1,\"ok\":%s,\"forgotten\":%" PRIu64
		    ",\"failed\":%" PRIu64 "}\n",
		    f.failed == 0 ? "true" : "false", f.done, f.failed);
	else
		out_note(&c->out, "%" PRIu64 " forgotten%s", f.done,
		    f.failed > 0 ? ", others were not" : "");
	if (ctl_number(rk_value_root(doc), "left_out") > 0)
		out_warn(&c->out, "more wait than one answer has: do it again");
	rk_value_free(doc);
	return f.status;
}

int
ctl_forget(const struct ctl_wish *w)
{
	const struct args *a = w->ctl->a;
	const char *from = args_text(a, "from", NULL), *wrong = NULL;
	struct net net;

	if (!args_flag(a, "waiting") && from == NULL)
		return ctl_decide(w);
	if (!args_flag(a, "waiting"))
		wrong = "trust forget: --from goes with --waiting";
	else if (w->n > 0 || args_given(a, "seen"))
		wrong = "trust forget: --waiting stands for keys, and goes "
		        "with --from and --note only";
	else if (from != NULL && !parse_net(from, &net))
		wrong = "trust forget: --from takes an address, or a network "
		        "as 192.0.2.0/24 or 2001:db8::/48";
	if (wrong != NULL)
		return out_fail(
		    &w->ctl->out, RK_EINVAL, wrong, "rpcd ctl help trust");
	return forget_waiting(w->ctl, from != NULL ? &net : NULL);
}
