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

/* ---- to another server ---- */

/* Where to go, which whoever changes the context does not mean any more. */
static const char *const of_places[] = { "server", "quic", "tcp", "skip-verify",
	"server-only", NULL };

static bool
is_place(const char *name)
{
	size_t i = 0;

	while (of_places[i] != NULL && strcmp(of_places[i], name) != 0)
		i++;
	return of_places[i] != NULL;
}

/* again: whoever adds the key of this one now does not want to type it once
 * more; or NULL. */
static void
stay(struct shell *s, const char *again)
{
	char here[160], there[160] = "";

	s->again = again == NULL ? NULL : strdup(again);
	(void)str_escape(here, sizeof(here), s->held->t.url);
	if (s->again != NULL)
		(void)str_escape(there, sizeof(there), s->again);
	out_note(&s->o, "still with %s%s%s%s", here,
	    s->again == NULL ? "" : "; :connect alone tries ", there,
	    s->again == NULL ? "" : " again");
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
 * of the prompt, and so are the options; but not of lines that were there
 * already, which were meant for the other. */
static int
change(struct shell *s, const char *name, const char *value, bool on)
{
	const char *server = strcmp(name, "server") == 0 ? value : NULL;
	enum shell_stay how = SHELL_GOES;
	struct shell_options before;
	char here[160] = "";
	int status;

	if (shell_options_keep(s, &before) != RK_OK)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	free(s->again);
	s->again = NULL;
	if (s->held->is_open)
		(void)str_escape(here, sizeof(here), s->held->t.url);
	if ((status = shell_option(s, name, value, on)) == 0 &&
	    (status = shell_change(s, false, &how)) != 0) {
		if (how == SHELL_GOES) {
			left(s, here);
		} else {
			shell_options_restore(s, &before);
			stay(s, how == SHELL_STAYS_UNTRUSTED ? server : NULL);
		}
	}
	shell_options_drop(&before);
	return status;
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
	if (is_place(o->name))
		return change(s, o->name, flag ? NULL : value, on);
	status = shell_option(s, o->name, flag ? NULL : value, on);
	return status == 0 ? shell_connect(s) : status;
}

int
shell_reconnect(struct shell *s, const struct words *w)
{
	const struct rk_peer *p;
	char *again = s->again;
	int status;

	s->again = NULL;
	if (w->n > 1)
		status = change(s, "server", w->list[1], true);
	else
		status = again != NULL ? change(s, "server", again, true)
		                       : shell_connect(s);
	free(again);
	if (status != 0)
		return status;
	if ((p = rk_client_peer(s->held->t.client)) != NULL)
		out_note(&s->o, "connected to %s  %s", p->remote,
		    p->proven ? p->cert.fp : "not authenticated");
	return 0;
}

/* ---- to another context ---- */

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

/* The options that are of no context, and those of this one. */
static int
take_context(struct shell *s, const char *name)
{
	int status = 0;

	for (size_t i = 0; status == 0 && of_places[i] != NULL; i++)
		status = shell_option(s, of_places[i], NULL, false);
	if (status == 0)
		status = shell_option(s, "context", name, true);
	return status == 0 ? yield_to(s) : status;
}

/* By which list a server is believed is the context's, so what is to be done
 * about one that is not is done there.  Whoever wants no context has named no
 * server that could be away. */
int
shell_use(struct shell *s, const struct words *w)
{
	const char *name = w->list[1];
	enum shell_stay how = SHELL_GOES;
	struct shell_options before;
	struct rk_error err;
	int status = 0;

	if (check_context(name, &err) != RK_OK)
		return out_error(&s->o, &err, "rpcsh ctx ls");
	if (strcmp(name, "-") == 0)
		name = "";
	if (shell_options_keep(s, &before) != RK_OK)
		return out_fail(&s->o, RK_ENOMEM, "out of memory", NULL);
	free(s->again);
	s->again = NULL;
	if ((status = take_context(s, name)) != 0)
		shell_options_restore(s, &before);
	else if ((status = name[0] == '\0'
	                       ? shell_connect(s)
	                       : shell_change(s, true, &how)) != 0 &&
	         how != SHELL_GOES) {
		shell_options_restore(s, &before);
		stay(s, NULL);
	} else {
		(void)str_copy(s->context, sizeof(s->context), name);
		change_history(s);
	}
	shell_options_drop(&before);
	return status;
}
