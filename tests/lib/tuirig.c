/* A model to try, told in JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "tuirig.h"

int
tui_enter(void **state)
{
	struct model *m = malloc(sizeof(*m));

	if (m == NULL)
		return -1;
	model_init(m);
	*state = m;
	return 0;
}

int
tui_leave(void **state)
{
	model_fini(*state);
	free(*state);
	return 0;
}

static struct rk_value_doc *
parse(const char *json)
{
	struct rk_value_doc *doc;
	struct rk_error err;

	if (json_parse("test", json, strlen(json), &doc, &err) != RK_OK)
		fail_msg("%s", err.text);
	return doc;
}

enum rk_err
tui_tell(struct model *m, const char *method, int64_t now, const char *json)
{
	struct rk_value_doc *doc = parse(json);
	enum rk_err r = model_answer(m, method, rk_value_root(doc), now);

	rk_value_free(doc);
	return r;
}

enum rk_err
tui_event(struct model *m, int64_t now, const char *json)
{
	struct rk_value_doc *doc = parse(json);
	enum rk_err r = model_event(m, rk_value_root(doc), now);

	rk_value_free(doc);
	return r;
}

const char *
tui_text(const char *fmt, ...)
{
	static char dst[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(dst, sizeof(dst), fmt, ap);
	va_end(ap);
	return dst;
}
