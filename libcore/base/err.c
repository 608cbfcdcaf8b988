/* The error table's three columns, and filling a struct rk_error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

struct entry {
	const char *name;
	const char *text;
	int exit_status;
};

static const struct entry entries[] = {
#define RK_ERR_ENTRY(code, status, message) \
	[code] = { .name = #code, .text = message, .exit_status = status },
	RK_ERR_MAP(RK_ERR_ENTRY)
#undef RK_ERR_ENTRY
};

static const struct entry *
find(enum rk_err code)
{
	static const struct entry unknown = {
		.name = "RK_E?",
		.text = "unknown error code",
		.exit_status = 1,
	};
	size_t i = (size_t)code;

	return i < RK_ERR_COUNT ? &entries[i] : &unknown;
}

const char *
rk_err_name(enum rk_err code)
{
	return find(code)->name;
}

const char *
rk_err_text(enum rk_err code)
{
	return find(code)->text;
}

int
rk_err_exit(enum rk_err code)
{
	return find(code)->exit_status;
}

const char *
rk_version(void)
{
	return RK_VERSION;
}

/* The reason is the part that must stay whole; a long thing is cut. */
static void
fill(struct rk_error *err, const char *thing, const char *reason)
{
	size_t n = strlen(reason) + (reason[0] == '\0' ? 0 : 2);
	size_t room = sizeof(err->text);
	size_t used;

	if (n < room / 2)
		room -= n;
	str_escape_again(err->text, room, thing);
	if (reason[0] == '\0')
		return;
	used = strlen(err->text);
	if (snprintf(
	        err->text + used, sizeof(err->text) - used, ": %s", reason) < 0)
		err->text[used] = '\0';
}

RK_PRINTF(4, 0)
static void
set(struct rk_error *err, enum rk_err code, int errnum, const char *fmt,
    va_list ap)
{
	char thing[RK_ERROR_TEXT_LEN * 2];
	char text[128];
	const char *reason = "";

	if (vsnprintf(thing, sizeof(thing), fmt, ap) < 0)
		(void)str_copy(thing, sizeof(thing), rk_err_text(code));
	if (errnum != 0)
		reason = strerror_r(errnum, text, sizeof(text));
	err->code = code;
	err->sys = errnum;
	err->step = NULL;
	fill(err, thing, reason);
}

enum rk_err
err_set(struct rk_error *err, enum rk_err code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	set(err, code, 0, fmt, ap);
	va_end(ap);
	return code;
}

enum rk_err
err_sys(
    struct rk_error *err, enum rk_err code, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	va_start(ap, fmt);
	set(err, code, errnum, fmt, ap);
	va_end(ap);
	return code;
}

void
err_clear(struct rk_error *err)
{
	if (err != NULL)
		*err = (struct rk_error){ .code = RK_OK };
}
