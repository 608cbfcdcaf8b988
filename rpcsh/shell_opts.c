/* :set, :connect, :use: what every line of the shell has, and where it goes. */
#include "shell.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct opt *
find_option(const struct shell *s, const char *name)
{
	const struct opt *o = s->lines.opts;

	while (o->name != NULL && strcmp(o->name, name) != 0)
		o++;
	if (o->name == NULL || (o->flags & (OPT_HIDDEN | OPT_ALONE)) != 0 ||
	    strcmp(name, "help") == 0 || strcmp(name, "version") == 0)
		return NULL;
	return o;
}

static int
unknown_option(const struct shell *s, const char *name)
{
	const char *names[SHELL_OPTIONS_MAX] = { NULL }, *near;
	char text[256], shown[96];
	size_t n = 0;

	for (const struct opt *o = s->lines.opts;
	     o->name != NULL && n + 1 < SHELL_OPTIONS_MAX; o++) {
		if (find_option(s, o->name) == o)
			names[n++] = o->name;
	}
	near = str_nearest(name, names);
	(void)str_escape(shown, sizeof(shown), name);
	if (near == NULL)
		(void)snprintf(
		    text, sizeof(text), ":set: no option \"%s\"", shown);
	else
		(void)snprintf(text, sizeof(text),
		    ":set: no option \"%s\" (did you mean \"%s\"?)", shown,
		    near);
	return out_fail(&s->o, RK_EINVAL, text, "rpcsh -h");
}

static void
show_options(const struct shell *s)
{
	char shown[512];

	for (size_t i = 0; i < s->n_options; i++)
		out_text(&s->o, "%s\n",
		    str_escape(shown, sizeof(shown), s->options[i] + 2));
}

/* :set NAME is on, :set NAME VALUE, :set NAME - is as if never given. */
int
shell_set(struct shell *s, const struct words *w)
{
	const char *value = w->n > 2 ? w->list[2] : NULL;
	const struct opt *o;
	bool on = true, flag;
	int status;

	if (w->n == 1) {
		show_options(s);
		return 0;
	}
	if ((o = find_option(s, w->list[1])) == NULL)
		return unknown_option(s, w->list[1]);
	flag = o->kind == OPT_FLAG || (o->flags & OPT_MAYBE) != 0;
	if (value == NULL && !flag)
		return out_fail(&s->o, RK_EINVAL,
		    ":set: this option needs a value, or - for none",
		    ":help set");
	if (value != NULL && strcmp(value, "-") == 0)
		on = false;
	else if (value != NULL && flag && str_parse_bool(value, &on) != RK_OK)
		return out_fail(
		    &s->o, RK_EINVAL, ":set: on or off", ":help set");
	status = shell_option(s, o->name, flag ? NULL : value, on);
	return status == 0 ? shell_connect(s) : status;
}

/* The server that the lines name, to be freed; NULL: the context's, or none. */
static char *
server_given(const struct shell *s, bool *fits)
{
	static const char name[] = "--server=";
	char *copy = NULL;

	*fits = true;
	for (size_t i = 0; i < s->n_options && copy == NULL; i++) {
		if (strncmp(s->options[i], name, sizeof(name) - 1) != 0)
			continue;
		copy = strdup(s->options[i] + sizeof(name) - 1);
		*fits = copy != NULL;
	}
	return copy;
}

static void
stay(struct shell *s, const char *before, const char *server,
    enum shell_stay how)
{
	bool met = how == SHELL_STAYS_UNTRUSTED;
	char here[160], there[160];

	if (shell_option(s, "server", before, before != NULL) != 0)
		return;
	/* Whoever adds its key now does not want to type it again. */
	s->again = met ? strdup(server) : NULL;
	(void)str_escape(here, sizeof(here), s->held->t.url);
	(void)str_escape(there, sizeof(there), server);
	out_note(&s->o, "still with %s%s%s%s", here,
	    s->again == NULL ? "" : "; :connect alone tries ",
	    s->again == NULL ? "" : there, s->again == NULL ? "" : " again");
}

/* Whoever pasted lines wants to know where the rest of them did not go. */
static void
left(const struct shell *s, const char *here)
{
	if (s->line != NULL && s->depth == 0 && *here != '\0' &&
	    strcmp(here, s->held->t.url) != 0)
		out_note(&s->o,
		    "not with %s any more, as more was typed already: :connect "
		    "%s leads back",
		    here, here);
}

/* Where the other server is not there, or not believed, the one before is that
 * of the prompt; but not of lines that were there already, which were meant for
 * the other. */
static int
change_server(struct shell *s, const char *server)
{
	enum shell_stay how = SHELL_GOES;
	bool fits;
	char here[160] = "", *before = server_given(s, &fits);
	int status;

	if (!fits)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	if (s->held->is_open)
		(void)str_escape(here, sizeof(here), s->held->t.url);
	if ((status = shell_option(s, "server", server, true)) == 0 &&
	    (status = shell_change(s, &how)) != 0) {
		if (how == SHELL_GOES)
			left(s, here);
		else
			stay(s, before, server, how);
	}
	free(before);
	return status;
}

int
shell_reconnect(struct shell *s, const struct words *w)
{
	const struct rk_peer *p;
	char *again = s->again;
	int status;

	s->again = NULL;
	if (w->n > 1)
		status = change_server(s, w->list[1]);
	else
		status =
		    again != NULL ? change_server(s, again) : shell_connect(s);
	free(again);
	if (status != 0)
		return status;
	if ((p = rk_client_peer(s->held->t.client)) != NULL)
		out_note(&s->o, "connected to %s  %s", p->remote,
		    p->proven ? p->cert.fp : "not authenticated");
	return 0;
}

/* Where to go, which whoever changes the context does not mean any more. */
static const char *const of_places[] = { "server", "quic", "tcp", "skip-verify",
	"server-only", NULL };

static enum rk_err
check_context(const char *name, struct rk_error *err)
{
	char path[PATH_LEN];
	struct stat st;
	enum rk_err r;
	int fd;

	if (strcmp(name, "-") == 0)
		return RK_OK;
	if ((r = context_path(name, path, err)) != RK_OK)
		return r;
	if ((r = fs_open(path, FS_ANY, &fd, &st, err)) != RK_OK)
		return r == RK_ENOENT ? err_set(err, r,
		                            "context %s: no such context", name)
		                      : r;
	(void)close(fd); /* it was read only */
	return RK_OK;
}

static void
remember(const char *line, void *arg)
{
	line_remember(arg, line);
}

/* The context's own settings come before the flags that the shell was started
 * with. */
static int
yield_to(struct shell *s)
{
	const struct words none = { 0 };
	char from[SETTINGS_NAME_LEN + 16];
	char *all[SHELL_OPTIONS_MAX];
	struct settings in;
	struct rk_error err;
	size_t n = s->n_options;
	struct args *a;
	enum rk_err r;
	int status = 0;

	/* As if there were no flags but the last one, the context's. */
	memcpy(all, s->options, n * sizeof(all[0]));
	s->options[0] = all[n - 1];
	s->n_options = 1;
	a = shell_args(s, &none, &status);
	memcpy(s->options, all, n * sizeof(all[0]));
	s->n_options = n;
	if (a == NULL)
		return status;
	r = settings_load(a, &in, &err);
	args_free(a);
	if (r != RK_OK)
		return out_error(&s->o, &err, NULL);
	(void)snprintf(from, sizeof(from), "context %s", in.context);
	for (unsigned i = 0; status == 0 && i < SET_COUNT; i++) {
		if (i != SET_TLS_MODE && strcmp(in.v[i].source, from) == 0)
			status = shell_option(
			    s, setting_name((enum setting_id)i), NULL, false);
	}
	return status;
}

static void
change_history(struct shell *s)
{
	if (s->line == NULL)
		return;
	history_close(s->history);
	if (history_open(s->context, &s->history) == RK_OK)
		history_each(s->history, remember, s->line);
}

int
shell_use(struct shell *s, const struct words *w)
{
	const char *name = w->list[1];
	struct rk_error err;
	int status = 0;

	if (check_context(name, &err) != RK_OK)
		return out_error(&s->o, &err, "rpcsh ctx ls");
	if (strcmp(name, "-") == 0)
		name = "";
	for (size_t i = 0; status == 0 && of_places[i] != NULL; i++)
		status = shell_option(s, of_places[i], NULL, false);
	if (status == 0)
		status = shell_option(s, "context", name, true);
	if (status == 0)
		status = yield_to(s);
	if (status != 0)
		return status;
	(void)str_copy(s->context, sizeof(s->context), name);
	free(s->again);
	s->again = NULL;
	change_history(s);
	return shell_connect(s);
}
