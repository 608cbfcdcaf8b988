/* How far a transfer is: one line on a terminal, some in a log, or nothing. */
#include "progress.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/spell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define PATIENCE_US 300000u
#define REDRAW_US 200000u
#define COLUMNS_USUAL 80
#define NAME_LEAST 8

static const char *
when(const struct args *a)
{
	return args_known(a, "progress") ? args_text(a, "progress", "auto")
	                                 : "auto";
}

enum rk_err
progress_check(const struct args *a, const struct out *o, struct rk_error *err)
{
	if (o->form != OUT_JSON || strcmp(when(a), "always") != 0)
		return RK_OK;
	return err_set(
	    err, RK_EINVAL, "--json and --progress always exclude each other");
}

bool
progress_wanted(const struct args *a, const struct out *o, bool *lines)
{
	*lines = strcmp(when(a), "always") == 0;
	return *lines || (strcmp(when(a), "never") != 0 && !o->quiet &&
	                     o->form != OUT_JSON && isatty(STDERR_FILENO) == 1);
}

void
progress_begin(struct progress *p, const struct args *a, const struct out *o,
    const char *name, uint64_t total, uint64_t from)
{
	*p = (struct progress){ .total = total, .from = from };
	p->on = progress_wanted(a, o, &p->lines);
	p->began = mono_us();
	str_escape(p->name, sizeof(p->name), name);
	spell_text(p->name, sizeof(p->name));
}

/* ---- the line ---- */

/* "1.5 MB", in powers of 1000. */
static void
size_text(uint64_t bytes, char dst[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB",
		"PB" };
	double x = (double)bytes;
	size_t i = 0;

	while (x >= 999.95 && i < 5) {
		x /= 1000;
		i++;
	}
	(void)snprintf(dst, 32, i == 0 ? "%.0f %s" : "%.1f %s", x, units[i]);
}

void
progress_left(uint64_t seconds, char dst[32])
{
	if (seconds < 3600)
		(void)snprintf(dst, 32, "%" PRIu64 ":%02" PRIu64 " left",
		    seconds / 60, seconds % 60);
	else if (seconds < 360000)
		(void)snprintf(dst, 32, "%" PRIu64 " h %02" PRIu64 " min left",
		    seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(dst, 32, "days left");
}

/* What stands behind the name; plain ASCII. */
static void
figures(const struct progress *p, uint64_t bytes, uint64_t elapsed_us,
    char dst[128])
{
	char size[32], rate[32], left[32] = "";
	uint64_t moved = bytes - p->from;
	unsigned percent = 100;
	double per_second =
	    elapsed_us == 0 ? 0 : (double)moved * 1e6 / (double)elapsed_us;

	size_text((uint64_t)per_second, rate);
	if (p->total == PROGRESS_UNKNOWN) {
		size_text(bytes, size);
		(void)snprintf(dst, 128, "%s  %s/s", size, rate);
		return;
	}
	if (per_second >= 1 && p->total >= bytes)
		progress_left(
		    (uint64_t)((double)(p->total - bytes) / per_second), left);
	if (p->total > 0)
		percent = (unsigned)(100 * (double)bytes / (double)p->total);
	(void)snprintf(dst, 128, "%3u%%  %s/s  %s", percent, rate, left);
}

/* As much of the name as fits; the rest is a tilde.  Returns its width. */
static size_t
cut_name(const char *name, size_t room, char *dst, size_t cap)
{
	mbstate_t st = { 0 };
	size_t width = 0, at = 0, n;
	wchar_t c;
	int w;

	while (name[at] != '\0') {
		n = mbrtowc(&c, name + at, MB_CUR_MAX, &st);
		w = n == 0 || n > MB_CUR_MAX ? -1 : wcwidth(c);
		if (w < 0) { /* of another character set: a byte, a column */
			n = 1;
			w = 1;
			st = (mbstate_t){ 0 };
		}
		if (at + n + 2 > cap ||
		    width + (size_t)w + (name[at + n] != '\0') > room) {
			dst[at] = '~';
			dst[at + 1] = '\0';
			return width + 1;
		}
		memcpy(dst + at, name + at, n);
		width += (size_t)w;
		at += n;
	}
	dst[at] = '\0';
	return width;
}

size_t
progress_line(const struct progress *p, uint64_t bytes, uint64_t elapsed_us,
    size_t columns, char line[PROGRESS_LINE_LEN])
{
	char name[512] = "", right[128];
	size_t len, width = 0;

	figures(p, bytes, elapsed_us, right);
	len = strlen(right);
	while (len > 0 && right[len - 1] == ' ')
		right[--len] = '\0';
	if (columns < len + 1)
		right[columns > 0 ? columns - 1 : 0] = '\0';
	len = strlen(right);
	if (columns >= len + NAME_LEAST + 3)
		width =
		    cut_name(p->name, columns - len - 3, name, sizeof(name));
	(void)snprintf(line, PROGRESS_LINE_LEN, "%s%s%s", name,
	    width > 0 ? "  " : "", right);
	return width + (width > 0 ? 2 : 0) + len;
}

static size_t
columns(void)
{
	struct winsize ws;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_col == 0)
		return COLUMNS_USUAL;
	return ws.ws_col;
}

static void
draw(const char *text, size_t width, size_t of)
{
	size_t blanks = of > width + 1 ? of - 1 - width : 0;

	/* A terminal that is gone shows nothing. */
	(void)fprintf(stderr, "\r%s%*s\r", text, (int)blanks, "");
	(void)fflush(stderr);
}

void
progress_at(struct progress *p, uint64_t bytes)
{
	char line[PROGRESS_LINE_LEN];
	uint64_t now;
	size_t of, width;

	if (!p->on)
		return;
	now = mono_us();
	if (now - p->began < PATIENCE_US ||
	    now - p->drawn < (p->lines ? PROGRESS_LINES_US : REDRAW_US))
		return;
	of = p->lines ? COLUMNS_USUAL : columns();
	width = progress_line(p, bytes, now - p->began, of, line);
	if (p->lines)
		(void)fprintf(stderr, "%s\n", line);
	else
		draw(line, width, of);
	p->drawn = now;
	p->shown = true;
}

void
progress_end(struct progress *p)
{
	if (p->shown && !p->lines)
		draw("", 0, columns());
	p->on = p->shown = false;
}
