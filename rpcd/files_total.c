/* How many bytes of files a folder has, against what it may have. */
#include "files_total.h"
#include "base/clock.h"

#include <fts.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT_EVERY_MS 1000
#define COUNT_SHARE 50 /* of a loop's time, one part */

/* What cannot be read does not count. */
static uint64_t
count(const char *root)
{
	char *path = strdup(root);
	char *const roots[] = { path, NULL };
	uint64_t sum = 0;
	FTSENT *e;
	FTS *tree;

	if (path == NULL)
		return 0;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	while (tree != NULL && (e = fts_read(tree)) != NULL) {
		if (e->fts_info == FTS_F)
			sum += (uint64_t)e->fts_statp->st_size;
	}
	if (tree != NULL)
		(void)fts_close(tree);
	free(path);
	return sum;
}

/* Under the lock. */
static bool
has(const struct folder *f, uint64_t more)
{
	uint64_t max = f->conf->max_total;
	struct slot *s = f->slot;
	uint64_t now, end;

	if (s->again != 0 && s->used <= max && more <= max - s->used)
		return true;
	now = mono_ms();
	if (now >= s->again) {
		s->used = count(f->conf->root);
		end = mono_ms();
		s->again = end + COUNT_EVERY_MS + (end - now) * COUNT_SHARE;
	}
	return s->used <= max && more <= max - s->used;
}

static bool
ask(const struct folder *f, uint64_t more, bool take)
{
	struct slot *s = f->slot;
	bool yes;

	if (f->conf->max_total == METHOD_NO_LIMIT)
		return true;
	(void)pthread_mutex_lock(&s->lock);
	yes = has(f, more);
	if (yes && take)
		s->used += more;
	(void)pthread_mutex_unlock(&s->lock);
	return yes;
}

bool
files_total_has(const struct folder *f, uint64_t more)
{
	return ask(f, more, false);
}

bool
files_total_take(const struct folder *f, uint64_t more)
{
	return ask(f, more, true);
}

void
files_total_give(const struct folder *f, uint64_t less)
{
	struct slot *s = f->slot;

	(void)pthread_mutex_lock(&s->lock);
	s->used -= less < s->used ? less : s->used;
	(void)pthread_mutex_unlock(&s->lock);
}
