/* Events as lines on standard error: for people, or one JSON object each. */
#include "log.h"

#include "base/fs.h"
#include "cli/spell.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_LEN 1280
#define SPELLED 4 /* that a byte becomes where the locale is not UTF-8 */
#define JSON_MAX 16384

struct look {
	const char *word; /* in JSON */
	const char *lead; /* for people */
	const char *color;
};

static const struct look looks[] = {
	[RK_LOG_ERROR] = { "error", "", "\033[1;31m" },
	[RK_LOG_WARN] = { "warn", "warning: ", "\033[33m" },
	[RK_LOG_INFO] = { "info", "", "" },
	[RK_LOG_DEBUG] = { "debug", "", "" },
};

/* "2026-11-02T12:04:31.250Z" */
static void
time_text(char dst[40])
{
	struct timespec now;
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(dst, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(
	    dst + n, 40 - n, ".%03uZ", (unsigned)(now.tv_nsec / 1000000));
}

/* One write, so that lines of several threads stay whole. */
static void
write_line(const void *text, size_t len)
{
	if (fs_write_all(STDERR_FILENO, text, len) != RK_OK)
		return; /* there is no other place to say it */
}

static void
write_json(const struct look *look, const char *subsystem, const char *line)
{
	char when[40];
	struct buf b;

	buf_init(&b, JSON_MAX);
	time_text(when);
	if (buf_printf(&b,
	        "{\"schema\":1,\"time\":\"%s\",\"level\":\"%s\","
	        "\"subsystem\":\"%s\",\"text\":",
	        when, look->word, subsystem) == RK_OK &&
	    out_json_string(&b, line, strlen(line)) == RK_OK &&
	    buf_put_str(&b, "}\n") == RK_OK)
		write_line(buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

static void
write_text(const struct log *l, const struct look *look, const char *line)
{
	const char *on = l->color ? look->color : "";
	const char *off = *on != '\0' ? "\033[0m" : "";
	char text[SPELLED * LINE_LEN + 1]; /* and its end */
	size_t len;

	if (snprintf(text, LINE_LEN, "%srpcd:%s %s%s", on, off, look->lead,
	        line) < 0)
		return;
	len = strlen(spell_text(text, sizeof(text) - 1));
	text[len] = '\n';
	write_line(text, len + 1);
}

static void
on_event(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	const struct log *l = arg;

	if (atomic_load(&l->json))
		write_json(&looks[level], subsystem, line);
	else
		write_text(l, &looks[level], line);
}

void
log_open(struct log *l, const struct out *o, enum rk_log_level level, bool json)
{
	l->color = o->color_err;
	atomic_init(&l->json, json);
	rk_log_set(on_event, level, l);
}

void
log_change(struct log *l, enum rk_log_level level, bool json)
{
	atomic_store(&l->json, json);
	rk_log_set_level(level);
}

void
log_close(void)
{
	rk_log_set(NULL, RK_LOG_ERROR, NULL);
}
