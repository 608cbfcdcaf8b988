/* What the clients' settings say of this program. */
#include "prefs.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/context.h"

#include <string.h>

enum rk_err
prefs_quick_keys(const struct args *a, bool *on, struct rk_error *err)
{
	struct context_setting found;
	enum rk_err r;
	char shown[128];

	*on = false;
	r = context_setting(
	    args_text(a, "context", NULL), "quick_keys", &found, err);
	if (r == RK_ENOENT && err->text[0] == '\0')
		return RK_OK;
	if (r != RK_OK)
		return r;
	*on = strcmp(found.value, "yes") == 0;
	if (*on || strcmp(found.value, "no") == 0)
		return RK_OK;
	return err_set(err, RK_EFORMAT,
	    "%s: quick_keys: \"%s\" is not of the form yes|no", found.where,
	    str_escape(shown, sizeof(shown), found.value));
}
