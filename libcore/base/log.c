/* The log: one hook, one level, one escaped line an event; and taps. */
#include "base/tap.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

#define LINE_LEN 1024
#define SILENT (-1)

/*
 * The sink.  `limit` alone is read on the way of an event that is not wanted;
 * the hook runs under the read lock, so that it is never called again once
 * rk_log_set() has returned.
 */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int limit = SILENT;
static enum rk_log_level wanted = RK_LOG_ERROR;
static rk_log_fn *hook;
static void *hook_arg;
static TAILQ_HEAD(, log_tap) taps = TAILQ_HEAD_INITIALIZER(taps);

/* With the write lock. */
static void
set_limit(void)
{
	const struct log_tap *t;
	int most = hook == NULL ? SILENT : (int)wanted;

	TAILQ_FOREACH (t, &taps, link) {
		if ((int)t->level > most)
			most = (int)t->level;
	}
	atomic_store(&limit, most);
}

static void
begin_change(void)
{
	(void)pthread_rwlock_wrlock(&lock); /* fails on misuse only */
}

static void
end_change(void)
{
	set_limit();
	(void)pthread_rwlock_unlock(&lock);
}

void
rk_log_set(rk_log_fn *fn, enum rk_log_level level, void *arg)
{
	begin_change();
	hook = fn;
	hook_arg = arg;
	wanted = level;
	end_change();
}

void
rk_log_set_level(enum rk_log_level level)
{
	begin_change();
	wanted = level;
	end_change();
}

void
log_tap_add(struct log_tap *t)
{
	begin_change();
	TAILQ_INSERT_TAIL(&taps, t, link);
	end_change();
}

void
log_tap_set(struct log_tap *t, enum rk_log_level level)
{
	begin_change();
	t->level = level;
	end_change();
}

void
log_tap_remove(struct log_tap *t)
{
	begin_change();
	TAILQ_REMOVE(&taps, t, link);
	end_change();
}

bool
log_enabled(enum rk_log_level level)
{
	return (int)level <= atomic_load_explicit(&limit, memory_order_relaxed);
}

void
log_event(enum rk_log_level level, const char *subsystem, const char *fmt, ...)
{
	char raw[LINE_LEN];
	char line[LINE_LEN];
	const struct log_tap *t;
	va_list ap;
	int n;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n < 0)
		(void)str_copy(raw, sizeof(raw), "event could not be shown");
	str_escape_again(line, sizeof(line), raw);
	(void)pthread_rwlock_rdlock(&lock);
	if (hook != NULL && level <= wanted)
		hook(level, subsystem, line, hook_arg);
	TAILQ_FOREACH (t, &taps, link) {
		if (level <= t->level)
			t->fn(level, subsystem, line, t->arg);
	}
	(void)pthread_rwlock_unlock(&lock);
}
