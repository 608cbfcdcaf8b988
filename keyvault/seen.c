/* What this user saw last of a vault, so that an older copy is noticed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/str.h"
#include "keyvault.h"

#define TEXT_MAX 32

static enum rk_err
path_of(const struct vault_info *info, char out[PATH_LEN])
{
	char id[2 * VAULT_ID_LEN + 1];
	char name[sizeof(id) + 16];

	str_hex(id, info->id, VAULT_ID_LEN);
	(void)snprintf(name, sizeof(name), "vault-%s.seen", id);
	return path_user(PATH_STATE, name, out);
}

/* 0: none. */
static uint64_t
read_seen(const char *path)
{
	char text[TEXT_MAX + 1] = "";
	uint64_t seen = 0;
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (fs_read(path, FS_NOT_SHARED, TEXT_MAX, &b, NULL) == RK_OK &&
	    buf_len(&b) > 1) {
		/* Without its newline. */
		memcpy(text, buf_peek(&b), buf_len(&b) - 1);
		if (str_parse_u64(text, 0, UINT64_MAX, &seen) != RK_OK)
			seen = 0;
	}
	buf_fini(&b);
	return seen;
}

/* Best effort: where there is no home nothing is remembered. */
static void
write_seen(char path[PATH_LEN], uint64_t generation)
{
	char text[TEXT_MAX];
	char *slash = strrchr(path, '/');
	int n = snprintf(
	    text, sizeof(text), "%llu\n", (unsigned long long)generation);
	enum rk_err r;

	*slash = '\0';
	r = fs_make_dir(path, 0700, NULL);
	*slash = '/';
	if (r == RK_OK)
		r = fs_write_file(path, text, (size_t)n, 0600, true, NULL);
	(void)r;
}

void
seen_look(const struct kv *kv, const struct vault_info *info)
{
	char path[PATH_LEN];
	uint64_t seen;

	if (path_of(info, path) != RK_OK)
		return;
	seen = read_seen(path);
	if (info->generation < seen)
		out_warn(&kv->out,
		    "this vault is older than what was here before: generation "
		    "%llu, and it was %llu; did somebody put back a copy?",
		    (unsigned long long)info->generation,
		    (unsigned long long)seen);
}

void
seen_keep(const struct vault_info *info, bool lower)
{
	char path[PATH_LEN];
	uint64_t seen;

	if (path_of(info, path) != RK_OK)
		return;
	seen = read_seen(path);
	if (info->generation > seen || (lower && info->generation < seen))
		write_seen(path, info->generation);
}
