/* What was typed in the shell, in a file of each context; no secrets. */
#include "history.h"

#include "base/fs.h"
#include "base/str.h"
#include "cli/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)
#define LOCK_MS 1000

struct history {
	char path[PATH_LEN]; /* "": nowhere */
	char **lines;        /* a ring of HISTORY_MAX */
	size_t first;
	size_t n;
};

/* ---- secrets ---- */

bool
history_is_secret(const char *line)
{
	static const char *const words[] = { "passw", "passphrase", "secret",
		"token", "apikey", "api_key", "api-key", "credential",
		"pass=", "pass:", "pass@", "pass\"", "pwd",
		"pin=", "pin:", "pin\"", "otp=", "otp:", "otp\"", "bearer",
		"authorization", "private_key", "privatekey", NULL };

	if (strstr(line, "=?") != NULL)
		return true;
	for (size_t i = 0; words[i] != NULL; i++) {
		const char *p = strcasestr(line, words[i]);

		if (p != NULL && strpbrk(p, "=:@") != NULL)
			return true;
	}
	return false;
}

/* ---- lines ---- */

static void
put_line(struct history *h, char *line)
{
	size_t at = (h->first + h->n) % HISTORY_MAX;

	if (h->n == HISTORY_MAX) {
		free(h->lines[h->first]);
		at = h->first;
		h->first = (h->first + 1) % HISTORY_MAX;
	} else {
		h->n++;
	}
	h->lines[at] = line;
}

static void
clear(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->lines[(h->first + i) % HISTORY_MAX]);
	h->first = h->n = 0;
}

/* The i-th from the oldest. */
static const char *
line_at(const struct history *h, size_t i)
{
	return h->lines[(h->first + i) % HISTORY_MAX];
}

void
history_each(const struct history *h, history_fn *fn, void *arg)
{
	for (size_t i = 0; i < h->n; i++)
		fn(line_at(h, i), arg);
}

/* ---- the file: a line each, newlines as \n ---- */

static void
take_line(struct history *h, const char *text, size_t len)
{
	char *line = malloc(len + 1), *to = line;

	if (line == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' && i + 1 < len) {
			i++;
			*to++ = (char)(text[i] == 'n' ? '\n' : text[i]);
		} else {
			*to++ = text[i];
		}
	}
	*to = '\0';
	if (line[0] == '\0' || strlen(line) != (size_t)(to - line))
		free(line);
	else
		put_line(h, line);
}

static void
read_lines(struct history *h)
{
	const char *text, *end, *nl;
	struct buf b;

	buf_init(&b, FILE_MAX);
	/* What others could have written, or read, is none of ours. */
	if (fs_read(h->path, FS_PRIVATE | FS_NOT_SHARED, FILE_MAX, &b, NULL) ==
	        RK_OK &&
	    buf_len(&b) > 0) {
		clear(h);
		text = (const char *)buf_peek(&b);
		end = text + buf_len(&b);
		for (; text < end; text = nl + 1) {
			nl = memchr(text, '\n', (size_t)(end - text));
			if (nl == NULL)
				nl = end;
			take_line(h, text, (size_t)(nl - text));
		}
	}
	buf_fini(&b);
}

/* Bytes it takes there. */
static size_t
size_of(const char *line)
{
	size_t n = 1;

	for (; *line != '\0'; line++)
		n += *line == '\n' || *line == '\\' ? 2 : 1;
	return n;
}

static enum rk_err
put_escaped(struct buf *b, const char *line)
{
	enum rk_err r = RK_OK;

	for (; r == RK_OK && *line != '\0'; line++) {
		if (*line == '\n')
			r = buf_put_str(b, "\\n");
		else if (*line == '\\')
			r = buf_put_str(b, "\\\\");
		else
			r = buf_put(b, line, 1);
	}
	return r == RK_OK ? buf_put_str(b, "\n") : r;
}

/* The newest that have room, and none in part. */
static void
write_lines(const struct history *h)
{
	size_t i = h->n, room = FILE_MAX;
	enum rk_err r = RK_OK;
	struct buf b;

	buf_init(&b, FILE_MAX);
	while (i > 0 && size_of(line_at(h, i - 1)) <= room)
		room -= size_of(line_at(h, --i));
	for (; i < h->n && r == RK_OK; i++)
		r = put_escaped(&b, line_at(h, i));
	if (r == RK_OK)
		r = fs_write_file(
		    h->path, buf_peek(&b), buf_len(&b), 0600, true, NULL);
	(void)r; /* a shell works without */
	buf_fini(&b);
}

bool
history_add(struct history *h, const char *line)
{
	char lock[PATH_LEN + 8], *copy;
	const char *base = strrchr(h->path, '/');
	int fd;

	if (line[0] == '\0' || strchr(" \t\n", line[0]) != NULL ||
	    history_is_secret(line) || (copy = strdup(line)) == NULL)
		return false;
	if (h->path[0] == '\0') {
		put_line(h, copy);
		return true;
	}
	/* No context's history has such a name. */
	base = base == NULL ? h->path : base + 1;
	(void)snprintf(lock, sizeof(lock), "%.*s.%s.lock",
	    (int)(base - h->path), h->path, base);
	if (fs_lock(lock, LOCK_MS, &fd, NULL) != RK_OK) {
		put_line(h, copy);
		return true;
	}
	read_lines(h); /* other shells have written, too */
	put_line(h, copy);
	write_lines(h);
	(void)close(fd); /* the lock goes */
	return true;
}

/* ---- opening ---- */

enum rk_err
history_open(const char *context, struct history **out)
{
	char name[256], dir[PATH_LEN];
	struct history *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (h != NULL)
		h->lines = calloc(HISTORY_MAX, sizeof(*h->lines));
	if (h == NULL || h->lines == NULL) {
		free(h);
		return RK_ENOMEM;
	}
	(void)snprintf(name, sizeof(name), "history%s%s",
	    context[0] == '\0' ? "" : "-", context);
	if (path_user(PATH_STATE, "", dir) == RK_OK &&
	    fs_make_dir(dir, 0700, NULL) == RK_OK &&
	    path_user(PATH_STATE, name, h->path) == RK_OK)
		read_lines(h);
	else
		h->path[0] = '\0';
	*out = h;
	return RK_OK;
}

void
history_close(struct history *h)
{
	if (h == NULL)
		return;
	clear(h);
	free(h->lines);
	free(h);
}
