/* Where the daemon listens: opened, taken over, and said. */
#include "daemon_int.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum rk_err
take_inherited(struct daemon *d, struct rk_error *err)
{
	struct inherit *in = d->conf->inherit;
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < in->n && r == RK_OK; i++) {
		struct inherited *s = &in->list[i];

		if (s->admin != NULL)
			continue; /* admin_start() */
		s->given = true;
		r = rk_server_listen_fd(
		    d->server, s->scheme, s->fd, d->urls[d->n_urls], err);
		if (r == RK_OK)
			d->n_urls++;
		else
			s->given = false;
	}
	return r;
}

static enum rk_err
listen_at(struct daemon *d, const struct entry *e, struct rk_error *err)
{
	char where[WHERE_LEN];
	struct rk_error why;
	enum rk_err r;

	r = rk_server_listen(d->server, e->text, d->urls[d->n_urls], &why);
	if (r == RK_OK) {
		d->n_urls++;
		return RK_OK;
	}
	settings_where(&e->from, where);
	if (why.sys == EADDRINUSE &&
	    inherit_has_port(d->conf->inherit, e->text)) {
		log_event(RK_LOG_INFO, "daemon", "%s%s: passed in already",
		    where, e->text);
		return RK_OK;
	}
	(void)err_set(err, r, "%s%s", where, why.text);
	if (err != NULL)
		err->sys = why.sys;
	return r;
}

enum rk_err
daemon_listen(struct daemon *d, struct rk_error *err)
{
	const struct list *l = &d->settings->listen;
	enum rk_err r;

	d->urls = calloc(d->conf->inherit->n + l->n + 1, sizeof(d->urls[0]));
	if (d->urls == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = take_inherited(d, err)) != RK_OK)
		return r;
	for (size_t i = 0; i < l->n; i++) {
		if ((r = listen_at(d, &l->items[i], err)) != RK_OK)
			return r;
	}
	if (d->n_urls == 0)
		return err_set(err, RK_EINVAL, "nowhere to listen");
	return RK_OK;
}

static enum rk_err
put_line(struct buf *b, const char *url, bool json)
{
	size_t len = strcspn(url, ":");
	const char *rest = url + len + 1;
	enum rk_err r;

	if (strncmp(rest, "//", 2) == 0)
		rest += 2;
	if (!json)
		return buf_printf(
		    b, "listening %.*s %s\n", (int)len, url, rest);
	r = buf_printf(b,
	    "{\"schema\":1,\"listening\":\"%.*s\",\"address\":", (int)len, url);
	if (r == RK_OK)
		r = out_json_string(b, rest, strlen(rest));
	return r == RK_OK ? buf_put_str(b, "}\n") : r;
}

/* Where the temporary keys are, as the last line. */
static enum rk_err
put_keys(struct buf *b, const char *dir, bool json)
{
	char shown[PATH_LEN];
	enum rk_err r;

	if (!json)
		return buf_printf(
		    b, "certs %s\n", str_escape(shown, sizeof(shown), dir));
	r = buf_put_str(b, "{\"schema\":1,\"certs\":");
	if (r == RK_OK)
		r = out_json_string(b, dir, strlen(dir));
	return r == RK_OK ? buf_put_str(b, "}\n") : r;
}

enum rk_err
daemon_announce(const struct daemon *d, struct rk_error *err)
{
	bool json = d->conf->out->form == OUT_JSON;
	enum rk_err r = RK_OK;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < d->n_urls && r == RK_OK; i++)
		r = put_line(&b, d->urls[i], json);
	if (r == RK_OK && d->trial.dir[0] != '\0')
		r = put_keys(&b, d->trial.dir, json);
	if (r != RK_OK) {
		(void)err_set(err, r, "%s", rk_err_text(r));
		goto out;
	}
	errno = 0;
	r = fs_write_all(STDOUT_FILENO, buf_peek(&b), buf_len(&b));
	/* Who starts a daemon with it closed does not want to know. */
	if (r != RK_OK && errno == EBADF)
		r = RK_OK;
	if (r != RK_OK)
		(void)err_sys(err, r, errno, "cannot write to standard output");
out:
	buf_fini(&b);
	return r;
}

/* What -s takes for the first listener of TLS, else of QUIC. */
static const char *
trial_server(const struct daemon *d)
{
	const char *quic = "";

	for (size_t i = 0; i < d->n_urls; i++) {
		if (strncmp(d->urls[i], "tls://", 6) == 0)
			return d->urls[i] + strlen("tls://");
		if (*quic == '\0' && (strncmp(d->urls[i], "quic://", 7) == 0 ||
		                         d->settings->psk.n > 0))
			quic = d->urls[i];
	}
	return quic;
}

void
daemon_explain(const struct daemon *d)
{
	static const char *const flags[] = {
		[RK_TLS_MUTUAL] = "",
		[RK_TLS_SERVER_ONLY] = " --server-only",
		[RK_TLS_SKIP_VERIFY] = " --skip-verify",
	};
	const struct list *psk = &d->settings->psk;
	char shown[PATH_LEN], key[PATH_LEN] = "";

	if (psk->n > 0)
		(void)str_escape(key, sizeof(key), psk->items[0].text);
	if (d->trial.dir[0] == '\0')
		return;
	log_event(RK_LOG_INFO, "daemon",
	    "temporary keys, gone when it stops; try: rpcsh --certs %s%s%s%s "
	    "-s %s "
	    "echo greeting=hello",
	    str_escape(shown, sizeof(shown), d->trial.dir),
	    psk->n > 0 ? " --psk " : "", key, flags[d->settings->tls_mode],
	    trial_server(d));
}
