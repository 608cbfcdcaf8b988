/* A client's targets: the addresses it may connect to, and who is known there.
 */
#include "rpc/client_int.h"

#include "base/error.h"
#include "base/str.h"
#include "net/srv.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- TLS, of each target ---- */

static void
unequip(struct client_target *t)
{
	tls_ctx_free(t->tls);
	quic_ctx_free(t->quic_tls);
	t->tls = NULL;
	t->quic_tls = NULL;
}

static enum rk_err
check_identity(
    const struct rk_client *c, const char *text, struct rk_error *err)
{
	if (c->conf.tls_mode != RK_TLS_SKIP_VERIFY && c->conf.ident == NULL)
		return err_set(err, RK_EINVAL,
		    "%s: %s needs an identity, or skip-verify", text,
		    c->psk.keys == NULL ? "TLS" : "a pre-shared key");
	return session_check_own(&c->trust, err);
}

static enum rk_err
equip(struct rk_client *c, struct client_target *t, struct rk_error *err)
{
	struct tls_conf tc = {
		.server = false,
		.mode = c->conf.tls_mode,
		.ident = c->conf.ident,
		.verify = session_verify,
		.resume = session_resume,
		.arg = &c->trust,
		.early =
		    c->conf.early == RK_EARLY_MARKED && c->psk.keys == NULL,
	};
	enum rk_err r;

	if (addr_is_session(t->url.scheme))
		return client_sess_check(c, t->text, err);
	if (!addr_is_proving(t->url.scheme) && c->psk.keys == NULL)
		return RK_OK;
	if ((r = check_identity(c, t->text, err)) != RK_OK)
		return r;
	if (c->psk.keys != NULL && (r = psk_conf_check(&c->psk, err)) != RK_OK)
		return r;
	if (!addr_is_proving(t->url.scheme))
		return RK_OK;
	if (t->url.scheme == ADDR_QUIC)
		return client_quic_init(c, &tc, &t->quic_tls, err);
	return tls_ctx_new(&tc, &t->tls, err);
}

void
client_target_use(struct rk_client *c, size_t i)
{
	const struct client_target *t = &c->targets.list[i];

	c->targets.at = i;
	c->url = t->url;
	memcpy(c->url_text, t->text, sizeof(c->url_text));
	c->tls = t->tls;
	c->quic.tls = t->quic_tls;
}

void
client_target_forget(struct rk_client *c)
{
	if (c->tls != NULL)
		tls_ctx_forget(c->tls);
	if (c->quic.tls != NULL)
		quic_ctx_forget(c->quic.tls);
}

/* ---- what was named ---- */

static enum rk_err
bad_name(const char *url, const char *why, struct rk_error *err)
{
	char text[ADDR_TEXT_LEN];

	str_escape(text, sizeof(text), url);
	return err_set(err, RK_EINVAL, "address \"%s\": %s", text, why);
}

/* "tls+srv://name": what stands for the name must be one, without a port. */
static enum rk_err
parse_srv(const char *url, size_t scheme_len, const char *name,
    struct addr_url *out, struct rk_error *err)
{
	char plain[ADDR_TEXT_LEN + SRV_HOST_LEN];
	const char *digits = "0123456789.";

	if (name[0] == '\0' || strcmp(name, "*") == 0 ||
	    strspn(name, digits) == strlen(name))
		return bad_name(url, "no name to look up", err);
	if (strchr(name, ':') != NULL || strchr(name, '[') != NULL)
		return bad_name(
		    url, "of the form scheme+srv://name, without a port", err);
	if (strlen(name) >= SRV_HOST_LEN || scheme_len >= ADDR_TEXT_LEN / 2)
		return bad_name(url, "the host name is too long", err);
	(void)snprintf(
	    plain, sizeof(plain), "%.*s://%s:1", (int)scheme_len, url, name);
	if (addr_parse(plain, out, err) != RK_OK)
		return bad_name(url,
		    "no name of a service, or no scheme that has any", err);
	return RK_OK;
}

static enum rk_err
parse_source(const char *url, struct client_source *s, struct rk_error *err)
{
	static const char mark[] = "+srv://";
	const char *at = strstr(url, mark);

	str_escape(s->text, sizeof(s->text), url);
	s->srv = at != NULL && at < strstr(url, "://");
	if (!s->srv)
		return addr_parse(url, &s->url, err);
	return parse_srv(
	    url, (size_t)(at - url), at + sizeof(mark) - 1, &s->url, err);
}

static enum rk_err
parse_sources(struct rk_client *c, const struct rk_client_conf *conf,
    struct rk_error *err)
{
	const struct rk_again *a = conf->again;
	struct client_targets *t = &c->targets;
	size_t n = 1 + (a == NULL ? 0 : a->n_urls);
	enum rk_err r = RK_OK;

	t->sources = calloc(n, sizeof(*t->sources));
	if (t->sources == NULL)
		return RK_ENOMEM;
	for (size_t i = 0; i < n && r == RK_OK; i++) {
		const char *url = i == 0 ? conf->url : a->urls[i - 1];

		if (url == NULL)
			return err_set(
			    err, RK_EINVAL, "client: an URL is NULL");
		r = parse_source(url, &t->sources[i], err);
		t->any_srv = t->any_srv || t->sources[i].srv;
		t->n_sources++;
	}
	return r;
}

/* ---- the list ---- */

/* A list in the making. */
struct making {
	struct client_target *list;
	size_t n;
	size_t max;
	size_t source;       /* the one at hand */
	struct rk_error why; /* a name was not found */
};

static bool
is_same(const struct addr_url *a, const struct addr_url *b)
{
	return a->scheme == b->scheme && a->port == b->port &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0 &&
	       a->fds[0] == b->fds[0] && a->fds[1] == b->fds[1];
}

static struct client_target *
find(struct client_target *list, size_t n, const struct addr_url *url)
{
	for (size_t i = 0; i < n; i++)
		if (is_same(&list[i].url, url))
			return &list[i];
	return NULL;
}

/* One that was there before keeps its sessions; none is there twice. */
static enum rk_err
add(struct rk_client *c, struct making *m, const struct addr_url *url,
    const char *text, struct rk_error *err)
{
	struct client_target *old = find(c->targets.list, c->targets.n, url);
	struct client_target *t;
	enum rk_err r;

	if (m->n == m->max || find(m->list, m->n, url) != NULL)
		return RK_OK;
	t = &m->list[m->n];
	*t = (struct client_target){ .url = *url, .source = m->source };
	(void)str_copy(t->text, sizeof(t->text), text);
	if (old != NULL) {
		t->tls = old->tls;
		t->quic_tls = old->quic_tls;
		t->warned = old->warned;
		old->tls = NULL;
		old->quic_tls = NULL;
	} else if ((r = equip(c, t, err)) != RK_OK) {
		return r;
	}
	m->n++;
	return RK_OK;
}

/* Without an answer what a name stood for last may do as well. */
static enum rk_err
add_known(struct rk_client *c, struct making *m, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < c->targets.n && r == RK_OK; i++) {
		const struct client_target *t = &c->targets.list[i];

		if (t->source == m->source)
			r = add(c, m, &t->url, t->text, err);
	}
	return r;
}

static enum rk_err
add_names(struct rk_client *c, struct making *m, const struct client_source *s,
    struct rk_error *err)
{
	struct srv found[SRV_MAX];
	char name[SRV_HOST_LEN + 24];
	char text[ADDR_TEXT_LEN + SRV_HOST_LEN];
	struct addr_url url;
	enum rk_err r = RK_OK;
	size_t n;

	(void)snprintf(name, sizeof(name), "_rpckit%s._%s.%s",
	    addr_is_session(s->url.scheme) ? "-ssh" : "",
	    addr_is_udp(s->url.scheme) ? "udp" : "tcp", s->url.host);
	if (srv_ask(name, c->targets.dns, found, SRV_MAX, &n, &m->why) != RK_OK)
		return add_known(c, m, err);
	for (size_t i = 0; i < n && r == RK_OK; i++) {
		(void)snprintf(text, sizeof(text), "%s://%s:%u",
		    addr_scheme_name(s->url.scheme), found[i].host,
		    (unsigned)found[i].port);
		if (addr_parse(text, &url, &m->why) == RK_OK)
			r = add(c, m, &url, text, err);
	}
	return r;
}

static enum rk_err
make(struct rk_client *c, struct making *m, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < c->targets.n_sources && r == RK_OK; i++) {
		const struct client_source *s = &c->targets.sources[i];

		m->source = i;
		if (s->srv)
			r = add_names(c, m, s, err);
		else
			r = add(c, m, &s->url, s->text, err);
	}
	return r;
}

static void
drop(struct client_target *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		unequip(&list[i]);
	free(list);
}

/* Where the one in use is now; in front of all when it is not there. */
static size_t
place_of(const struct client_targets *t, const struct addr_url *url)
{
	const struct client_target *at = find(t->list, t->n, url);

	return at == NULL ? SIZE_MAX : (size_t)(at - t->list);
}

static enum rk_err
refill(struct rk_client *c, struct rk_error *err)
{
	struct client_targets *t = &c->targets;
	struct making m = { 0 };
	enum rk_err r;

	m.max = t->any_srv ? CLIENT_TARGETS_MAX : t->n_sources;
	m.list = calloc(m.max, sizeof(*m.list));
	if (m.list == NULL)
		return err_set(err, RK_ENOMEM, "client: out of memory");
	r = make(c, &m, err);
	if (r == RK_OK && m.n == 0) {
		/* What was known last may do as well. */
		r = t->n > 0 ? RK_OK : RK_ERESOLVE;
		if (r != RK_OK && err != NULL) {
			*err = m.why;
			err->code = r;
			err->step = "resolve";
		}
		free(m.list);
		return r;
	}
	drop(t->list, t->n);
	t->list = m.list;
	t->n = m.n;
	return r;
}

enum rk_err
client_targets_fill(struct rk_client *c, struct rk_error *err)
{
	enum rk_err r;

	if (!c->targets.any_srv)
		return RK_OK;
	c->tls = NULL; /* of a list that may go */
	c->quic.tls = NULL;
	r = refill(c, err);
	c->targets.at = place_of(&c->targets, &c->url);
	return r;
}

enum rk_err
client_targets_init(struct rk_client *c, const struct rk_client_conf *conf,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = parse_sources(c, conf, err)) != RK_OK)
		return r;
	memcpy(c->url_text, c->targets.sources[0].text, sizeof(c->url_text));
	for (size_t i = 0; i < c->targets.n_sources; i++) {
		const struct client_source *s = &c->targets.sources[i];

		if (s->srv && addr_is_proving(s->url.scheme) &&
		    (r = check_identity(c, s->text, err)) != RK_OK)
			return r;
	}
	if (!c->targets.any_srv)
		r = refill(c, err);
	if (r == RK_OK && c->targets.n > 0)
		client_target_use(c, 0);
	c->targets.at = SIZE_MAX; /* none was tried */
	return r;
}

void
client_targets_fini(struct rk_client *c)
{
	drop(c->targets.list, c->targets.n);
	free(c->targets.sources);
}
