/* :trust alone: whom the shell talks to, and why that is believed. */
#include "shell.h"

#include "base/error.h"
#include "base/str.h"
#include "seen.h"

#include <stdio.h>

/* What the list has to say about a key that was believed. */
static const char *
standing(const struct rk_server_view *v)
{
	switch (v->is) {
	case RK_SERVER_KNOWN:
		return "known for this address";
	case RK_SERVER_NEXT:
		return "announced by the key before it";
	case RK_SERVER_CHANGED:
		return "another one is known for this address";
	case RK_SERVER_NEW:
		break;
	}
	return "not known for this address";
}

static const char *
list_state(enum rk_trust_state state)
{
	switch (state) {
	case RK_TRUST_ABSENT:
		return "not there";
	case RK_TRUST_OPEN:
		return "open";
	case RK_TRUST_LOCKED:
		break;
	}
	return "locked";
}

struct since {
	const uint8_t *pub;
	char since[32];
};

static enum rk_err
take_since(const struct rk_known_server *line, void *arg)
{
	struct since *s = arg;

	if (memcmp(line->pub, s->pub, RK_KEY_PUBLIC_LEN) == 0)
		(void)str_copy(s->since, sizeof(s->since), line->since);
	return RK_OK;
}

static void
show_list(const struct shell *s, const struct rk_peer *p)
{
	const struct target *t = &s->held->t;
	const char *path = t->settings.v[SET_KNOWN].value;
	char address[RK_SERVER_LEN], shown[256], text[SEEN_TEXT_LEN];
	struct since since = { .pub = p->cert.pub };
	struct rk_server_view view;

	if (rk_servers_each(path, p->cert.fp, take_since, &since, NULL) !=
	    RK_OK)
		since.since[0] = '\0';
	if (seen_text(p->cert.pub, since.since, text)[0] != '\0')
		out_text(&s->o, "  %s\n", text);
	(void)str_escape(shown, sizeof(shown), path);
	if (rk_servers_address(t->url, address, NULL) != RK_OK ||
	    rk_servers_look(path, address, p, &view, NULL) != RK_OK)
		out_text(&s->o, "  the list cannot be read: %s\n", shown);
	else
		out_text(&s->o, "  %s\n  the list is %s: %s\n", standing(&view),
		    list_state(view.list), shown);
}

static void
show_server(const struct shell *s, const struct rk_peer *p)
{
	const struct target *t = &s->held->t;
	char url[160], fp[RK_FP_GROUPED_LEN], peers[256];
	const char *name =
	    p->cert.email[0] != '\0' ? p->cert.email : p->cert.cn;

	(void)str_escape(url, sizeof(url), t->url);
	if (!p->proven) {
		out_text(&s->o, "%s: nobody has proven a key there\n", url);
		return;
	}
	rk_fp_group(p->cert.fp, fp);
	out_text(&s->o, "%s%s%s\n  %s\n", url,
	    name[0] == '\0' ? "" : "   CA ok, calls itself ", name, fp);
	if (p->psk[0] != '\0')
		out_text(&s->o, "  psk %s  id %s\n", p->psk, p->psk_id);
	if (t->trust == NULL && target_is_session(t))
		out_text(&s->o, "  one of %s\n",
		    str_escape(peers, sizeof(peers),
		        t->settings.v[SET_SSH_PEERS].value));
	else
		show_list(s, p);
}

void
shell_trust(const struct shell *s)
{
	const struct rk_peer *p =
	    s->held->is_open ? rk_client_peer(s->held->t.client) : NULL;

	if (s->o.form != OUT_TEXT)
		return;
	if (p == NULL)
		out_text(&s->o, "not connected\n");
	else
		show_server(s, p);
}
