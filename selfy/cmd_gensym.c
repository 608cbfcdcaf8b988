/* -gensym and -psk-id: pre-shared keys, and a name to compare them by. */
#include <rpckit/psk.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

static enum rk_err
show_id(struct selfy *s, const char *path, const char *id)
{
	static const struct field fields[] = {
		{ .name = "file" },
		{ .name = "psk_id" },
	};

	if (s->out.form == OUT_TEXT) {
		out_text(&s->out, "%s\n", id);
		return RK_OK;
	}
	return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
	    (const union cell[]){ { .text = path }, { .text = id } });
}

enum rk_err
cmd_gensym(struct selfy *s)
{
	const char *name = args_text(s->args, "gensym", "");
	bool force = args_flag(s->args, "force");
	uint8_t key[RK_PSK_LEN];
	char path[PATH_LEN];
	char id[RK_PSK_ID_LEN];
	struct batch b = { 0 };
	struct batch_item item = {
		.path = path,
		.data = key,
		.len = sizeof(key),
		.mode = KEY_MODE,
		.replace = force,
	};
	enum rk_err r;

	rk_random(key, sizeof(key));
	rk_psk_id(key, id);
	/* The CA's own files are not to be replaced by random bytes. */
	if ((r = name_check(name, &s->err)) != RK_OK)
		goto out;
	if (strncmp(name, "ca.", 3) == 0) {
		r = selfy_fail(s, RK_EINVAL, name, "is the name of a CA file");
		goto out;
	}
	if ((r = selfy_path(s, path, s->priv, name, "")) != RK_OK)
		goto out;
	if (!force && (r = batch_absent(path, &s->err)) != RK_OK)
		goto out;
	if ((r = fs_make_dir(s->priv, DIR_MODE, &s->err)) != RK_OK)
		goto out;
	if ((r = batch_add(&b, &item, &s->err)) != RK_OK)
		goto out;
	if ((r = batch_write(&b, &s->err)) != RK_OK)
		goto out;
	batch_tell(&b, &s->out);
	r = show_id(s, path, id);
out:
	if (r == RK_EEXIST)
		selfy_retry(s, "another name   (or -force to replace the key)");
	rk_wipe(key, sizeof(key));
	batch_fini(&b);
	return r;
}

enum rk_err
cmd_psk_id(struct selfy *s)
{
	const char *path = args_text(s->args, "psk-id", "");
	char id[RK_PSK_ID_LEN];
	struct rk_secret *key = NULL;
	enum rk_err r;

	r = fs_read_secret(path, FS_PRIVATE, RK_PSK_LEN, &key, &s->err);
	if (r == RK_OK && rk_secret_len(key) != RK_PSK_LEN)
		r = RK_ETOOBIG;
	if (r == RK_ETOOBIG)
		r = selfy_fail(s, RK_EFORMAT, path,
		    "is no pre-shared key: it must be 32 bytes");
	if (r == RK_OK) {
		rk_psk_id(rk_secret_peek(key), id);
		r = show_id(s, path, id);
	}
	rk_secret_free(key);
	return r;
}
