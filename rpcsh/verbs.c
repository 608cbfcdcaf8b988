/* Commands with verbs of their own: which verb, and does it go with so many
 * words. */
#include "verbs.h"

#include "base/error.h"
#include "base/str.h"
#include "dry.h"

static void
add(char *dst, size_t dst_len, const char *text)
{
	size_t len = strlen(dst);

	(void)str_copy(dst + len, dst_len - len, text);
}

static enum rk_err
unknown(const char *cmd, const struct verb *v, const char *word,
    struct rk_error *err)
{
	char names[128] = "", shown[128];

	for (; v->name != NULL; v++) {
		add(names, sizeof(names), v->name);
		if (v[1].name != NULL)
			add(names, sizeof(names), ", ");
	}
	return err_set(err, RK_EINVAL, "%s: \"%s\" is none of %s", cmd,
	    str_escape(shown, sizeof(shown), word), names);
}

const struct verb *
verbs_take(const char *cmd, const struct verb *table, struct job *j,
    struct rk_error *err)
{
	size_t n;
	const char *const *w = args_operands(j->args, &n);
	const struct verb *v = table;

	while (v->name != NULL && strcmp(v->name, w[0]) != 0)
		v++;
	j->words = w + 1;
	j->n = n - 1;
	if (v->name == NULL)
		(void)unknown(cmd, table, w[0], err);
	else if (j->n < v->min || j->n > v->max)
		(void)err_set(err, RK_EINVAL, "%s %s: the form is: %s %s", cmd,
		    v->name, cmd, v->form);
	else if (j->dry && v->prints)
		(void)err_set(err, RK_EINVAL,
		    "--dry-run does not go with %s %s, which changes nothing",
		    cmd, v->name);
	else
		return v;
	return NULL;
}

enum rk_err
verbs_would(struct job *j, const char *what, const char *path)
{
	char shown[1024];

	j->status = dry_would(
	    j->out, "%s %s", what, str_escape(shown, sizeof(shown), path));
	return RK_OK;
}
