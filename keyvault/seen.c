/* What this user saw last of a vault, so that an older copy is noticed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "keyvault.h"

#define TEXT_MAX 320 /* twice three numbers and a hash */
#define BEHIND_MAX 4 /* lines of a log behind what was meant */

static enum rk_err
path_of(const struct vault_info *info, char out[PATH_LEN])
{
	char id[2 * VAULT_ID_LEN + 1];
	char name[sizeof(id) + 16];

	str_hex(id, info->id, VAULT_ID_LEN);
	(void)snprintf(name, sizeof(name), "vault-%s.seen", id);
	return path_user(PATH_STATE, name, out);
}

/* The next word of *text, which it ends with NUL; "" behind the last. */
static const char *
next_word(char **text)
{
	const char *word = *text;
	size_t len = strcspn(word, " \n");

	*text += len + (word[len] != '\0');
	(*text)[word[len] != '\0' ? -1 : 0] = '\0';
	return word;
}

/* Generation, key, line of the log and its chain; the generation alone is of an
 * earlier version.  False: it is something else. */
static bool
parse(char *text, struct vault_mark *out)
{
	const char *chain;
	uint64_t line;
	size_t len;

	if (str_parse_u64(next_word(&text), 0, UINT64_MAX, &out->generation) !=
	    RK_OK)
		return false;
	if (*text == '\0')
		return true;
	if (str_parse_u64(next_word(&text), 1, UINT64_MAX, &out->key_number) !=
	        RK_OK ||
	    str_parse_u64(next_word(&text), 0, INT64_MAX, &line) != RK_OK)
		return false;
	out->line = (int64_t)line;
	chain = next_word(&text);
	return str_unhex(chain, strlen(chain), out->chain, VAULT_CHAIN_LEN,
	           &len) == RK_OK &&
	       len == VAULT_CHAIN_LEN;
}

static void
parse_both(char *text, struct seen *out)
{
	char *second = strchr(text, '\n');

	memset(out, 0, sizeof(*out));
	if (second != NULL)
		*second++ = '\0';
	if (!parse(text, &out->last) ||
	    (second != NULL && *second != '\0' && !parse(second, &out->meant)))
		memset(out, 0, sizeof(*out));
}

/* All zeros: none. */
static void
read_file(const char *path, struct seen *out)
{
	char text[TEXT_MAX + 1] = "";
	struct buf b;

	memset(out, 0, sizeof(*out));
	buf_init(&b, TEXT_MAX);
	if (fs_read(path, FS_NOT_SHARED, TEXT_MAX, &b, NULL) == RK_OK) {
		memcpy(text, buf_peek(&b), buf_len(&b));
		parse_both(text, out);
	}
	buf_fini(&b);
}

static void
put_mark(char text[TEXT_MAX], const struct vault_mark *mark)
{
	char chain[2 * VAULT_CHAIN_LEN + 1];
	size_t len = strlen(text);

	if (mark->key_number == 0)
		return;
	str_hex(chain, mark->chain, VAULT_CHAIN_LEN);
	(void)snprintf(text + len, TEXT_MAX - len, "%llu %llu %lld %s\n",
	    (unsigned long long)mark->generation,
	    (unsigned long long)mark->key_number, (long long)mark->line, chain);
}

/* Best effort: where there is no home nothing is remembered. */
static void
write_file(char path[PATH_LEN], const struct seen *seen)
{
	char text[TEXT_MAX] = "";
	char *slash = strrchr(path, '/');
	enum rk_err r;

	put_mark(text, &seen->last);
	put_mark(text, &seen->meant);
	*slash = '\0';
	r = fs_make_dir(path, 0700, NULL);
	*slash = '/';
	if (r == RK_OK)
		r = fs_write_file(path, text, strlen(text), 0600, true, NULL);
	(void)r;
}

/* Where it is kept; false: nowhere. */
static bool
find_path(struct vault *v, char out[PATH_LEN])
{
	struct vault_info info;

	return vault_inspect(v, &info, NULL) == RK_OK &&
	       path_of(&info, out) == RK_OK;
}

void
seen_read(struct vault *v, struct seen *out)
{
	char path[PATH_LEN];

	memset(out, 0, sizeof(*out));
	if (find_path(v, path))
		read_file(path, out);
}

static bool
is_older(const struct vault_mark *now, const struct vault_mark *before)
{
	return now->generation < before->generation;
}

/* What another error is about is told by whoever reads it. */
static bool
is_other(struct vault *v, const struct vault_mark *before)
{
	return vault_follows(v, before, NULL) == RK_ETAMPERED;
}

/*
 * A restore was begun, and ended by force behind what it put back: that is
 * there, or little more, as whoever writes looks first.  Much that goes on from
 * it, or has a later key, is what was there in between, which nobody meant.
 */
static bool
is_meant(struct vault *v, const struct seen *before)
{
	const struct vault_mark *meant = &before->meant;
	struct vault_mark now;

	vault_last(v, &now);
	return meant->key_number != 0 && now.key_number == meant->key_number &&
	       now.line - meant->line <= BEHIND_MAX &&
	       is_other(v, &before->last) &&
	       vault_follows(v, meant, NULL) == RK_OK;
}

bool
seen_look(const struct kv *kv, const struct seen *seen)
{
	const struct vault_mark *before = &seen->last;
	struct vault_mark now;

	vault_last(kv->vault, &now);
	if (now.key_number == 0 || is_meant(kv->vault, seen))
		return true;
	if (is_older(&now, before))
		out_warn(&kv->out,
		    "this vault is older than what was here before: generation "
		    "%llu, and it was %llu; did somebody put back a copy? "
		    "keyvault restore of it says that it was meant",
		    (unsigned long long)now.generation,
		    (unsigned long long)before->generation);
	else if (is_other(kv->vault, before))
		out_warn(&kv->out,
		    "this vault does not go on from what was here before, at "
		    "generation %llu; did somebody put back a copy, which was "
		    "written since? keyvault backup, and restore of that, say "
		    "that it was meant",
		    (unsigned long long)before->generation);
	else
		return true;
	return false;
}

void
seen_mean(struct vault *from)
{
	char path[PATH_LEN];
	struct seen seen;

	if (!find_path(from, path))
		return;
	read_file(path, &seen);
	vault_last(from, &seen.meant);
	/* One line alone would be what was seen. */
	if (seen.last.key_number != 0)
		write_file(path, &seen);
}

void
seen_unmean(struct vault *from)
{
	char path[PATH_LEN];
	char text[TEXT_MAX];
	const char *end;
	ssize_t n;
	int fd;

	if (!find_path(from, path) ||
	    (fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
		return;
	/* In its place: what failed may have failed of a full disk. */
	n = read(fd, text, sizeof(text));
	end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	if (end != NULL && ftruncate(fd, end + 1 - text) == 0)
		(void)fsync(fd);
	(void)close(fd);
}

void
seen_keep(struct vault *v, bool restored)
{
	char path[PATH_LEN];
	struct vault_mark now;
	struct seen seen;

	if (!find_path(v, path))
		return;
	vault_last(v, &now);
	read_file(path, &seen);
	restored = restored || is_meant(v, &seen);
	if (now.key_number == 0 || (!restored && (is_older(&now, &seen.last) ||
	                                             is_other(v, &seen.last))))
		return;
	/* Who wrote to the vault since may be done by now. */
	read_file(path, &seen);
	if ((memcmp(&now, &seen.last, sizeof(now)) == 0 &&
	        seen.meant.key_number == 0) ||
	    (!restored && is_older(&now, &seen.last)))
		return;
	memset(&seen.meant, 0, sizeof(seen.meant));
	seen.last = now;
	write_file(path, &seen);
}
