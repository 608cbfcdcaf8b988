/* Asking before calls that may change something. */
#include "confirm.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/tty.h"
#include "typed.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ANSWER_MAX 16

/* Of the server's own methods, and of a control's, those that only show. */
static bool
is_showing(const char *method)
{
	static const char *const names[] = { "_.audit", "_.calls", "_.check",
		"_.conns", "_.describe", "_.events", "_.export", "_.figures",
		"_.known", "_.log", "_.methods", "_.metrics", "_.next_keys",
		"_.pending", "_.ping", "_.serves", "_.status", "_.subscribe",
		"_.trust", "_.unsubscribe" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(method, names[i]) == 0)
			return true;
	}
	return false;
}

/* Does the server say that it may be repeated?  RK_ENOENT: no. */
static enum rk_err
is_harmless(struct target *t, const char *method, struct rk_error *err)
{
	struct rk_value_doc *doc;
	const struct rk_value *says;
	enum rk_err r;

	/* To lock a list may be repeated, too. */
	if (strncmp(method, "_.", 2) == 0)
		return is_showing(method) ? RK_OK : RK_ENOENT;
	if ((r = typed_describe(t, method, &doc, err)) != RK_OK)
		return r;
	says =
	    doc == NULL ? NULL : rk_value_get(rk_value_root(doc), "idempotent");
	r = says != NULL && says->kind == RK_BOOL && says->u.b ? RK_OK
	                                                       : RK_ENOENT;
	rk_value_free(doc);
	return r;
}

static enum rk_err
ask(const struct target *t, const char *method, struct rk_error *err)
{
	char prompt[RK_NAME_MAX + 320], name[RK_NAME_MAX + 1], url[160];
	char answer[ANSWER_MAX + 1];
	size_t len;
	enum rk_err r;
	int fd;

	(void)str_escape(name, sizeof(name), method);
	(void)str_escape(url, sizeof(url), t->url);
	if (t->no_input || tty_open(&fd, err) != RK_OK)
		return err_set(err, RK_ENOPASS,
		    "%s: it may change something at %s, and nobody can be "
		    "asked",
		    name, url);
	(void)snprintf(prompt, sizeof(prompt),
	    "%s may change something at %s.  Call it? [y/N] ", name, url);
	r = tty_ask(fd, prompt, true, answer, ANSWER_MAX, &len, err);
	(void)close(fd); /* it was only talked to */
	if (r != RK_OK)
		return r;
	answer[len] = '\0';
	if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
		return RK_OK;
	return err_set(err, RK_ESTATE, "%s: not called, as you said", name);
}

bool
confirm_call(
    struct target *t, const struct out *o, const char *method, int *status)
{
	struct rk_error err = { 0 };
	enum rk_err r;

	if (strcmp(t->settings.v[SET_CONFIRM].value, "yes") != 0)
		return true;
	if ((r = is_harmless(t, method, &err)) == RK_OK)
		return true;
	if (r != RK_ENOENT) {
		*status = target_failed(t, o, &err, "_.describe");
		return false;
	}
	if ((r = ask(t, method, &err)) == RK_OK)
		return true;
	*status = out_error(o, &err, r == RK_ENOPASS ? "--confirm no" : NULL);
	return false;
}
