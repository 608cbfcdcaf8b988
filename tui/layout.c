/* Order and filter of the tabs, kept from one start to the next. */
#include "extra.h"

#include "base/fs.h"
#include "base/str.h"
#include "cli/path.h"

#include <rpckit/log.h>

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX 4096

/* ---- its text: "TAB sort=NAME down=yes level=info filter=TEXT" ---- */

void
layout_write(const struct view views[TAB_COUNT], char *dst, size_t len)
{
	size_t used = 0;

	for (enum tab t = TAB_CONNS; t < TAB_COUNT && used < len; t++) {
		const struct view *v = &views[t];
		size_t n;
		const char *const *sorts = view_sorts(t, &n);
		int k = snprintf(dst + used, len - used,
		    "%s sort=%s turned=%s level=%d filter=%s\n",
		    view_tab_name(t), n > 0 ? sorts[v->sort % n] : "-",
		    v->down ? "yes" : "no", v->level, v->filter);

		used += k > 0 ? (size_t)k : 0;
	}
}

/* The text between `key` and the next blank (`rest`: the end). */
static bool
member(const char *line, const char *key, bool rest, char *dst, size_t len)
{
	const char *at = strstr(line, key);
	size_t n;

	if (at == NULL)
		return false;
	at += strlen(key);
	n = rest ? strlen(at) : strcspn(at, " ");
	if (n >= len)
		return false;
	memcpy(dst, at, n);
	dst[n] = '\0';
	return true;
}

static void
read_line(struct view *v, enum tab t, const char *line)
{
	char word[VIEW_FILTER_LEN];
	size_t n;
	const char *const *sorts = view_sorts(t, &n);
	uint64_t level;
	bool turned;

	if (member(line, " sort=", false, word, sizeof(word))) {
		for (unsigned i = 0; i < n; i++) {
			if (strcmp(word, sorts[i]) == 0)
				v->sort = i;
		}
	}
	if (member(line, " turned=", false, word, sizeof(word)) &&
	    str_parse_bool(word, &turned) == RK_OK)
		v->down = turned;
	if (member(line, " level=", false, word, sizeof(word)) &&
	    str_parse_u64(word, 0, RK_LOG_INFO, &level) == RK_OK)
		v->level = (int)level;
	if (member(line, " filter=", true, word, sizeof(word)) &&
	    str_is_utf8(word, strlen(word)))
		(void)str_copy(v->filter, sizeof(v->filter), word);
}

void
layout_read(struct view views[TAB_COUNT], const char *text)
{
	char line[FILE_MAX];

	while (*text != '\0') {
		size_t n = strcspn(text, "\n"), name;

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			name = strcspn(line, " ");
			for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++) {
				if (strlen(view_tab_name(t)) == name &&
				    strncmp(line, view_tab_name(t), name) == 0)
					read_line(&views[t], t, line);
			}
		}
		text += n + (text[n] == '\n');
	}
}

/* ---- its file ---- */

void
layout_load(struct view views[TAB_COUNT])
{
	char path[PATH_LEN], text[FILE_MAX + 1];
	struct buf b;

	buf_init(&b, FILE_MAX);
	if (path_user(PATH_STATE, "tui", path) == RK_OK &&
	    fs_read(path, FS_NO_FOLLOW | FS_NOT_SHARED, FILE_MAX, &b, NULL) ==
	        RK_OK &&
	    buf_len(&b) > 0) {
		memcpy(text, buf_peek(&b), buf_len(&b));
		text[buf_len(&b)] = '\0';
		layout_read(views, text);
	}
	buf_fini(&b);
}

void
layout_save(const struct view views[TAB_COUNT])
{
	char path[PATH_LEN], dir[PATH_LEN], text[FILE_MAX];
	char *slash;

	layout_write(views, text, sizeof(text));
	if (path_user(PATH_STATE, "tui", path) != RK_OK)
		return;
	(void)str_copy(dir, sizeof(dir), path);
	if ((slash = strrchr(dir, '/')) == NULL)
		return;
	*slash = '\0';
	/* Where it cannot be kept, it is not: nobody is told. */
	if (fs_make_dir(dir, 0700, NULL) == RK_OK &&
	    fs_write_file(path, text, strlen(text), 0600, true, NULL) != RK_OK)
		return;
}
