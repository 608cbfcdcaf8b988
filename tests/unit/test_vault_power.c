/* Power that is cut while a vault is written: what was told to be there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failvfs.h"
#include "keyvault/vault_int.h"
#include "scratch.h"
#include "vaultrig.h"

#define SECTOR 512
#define FILE_MAX (1 << 20)
#define PENDING_MAX 512
#define RECORDS 8

/*
 * A disk: what was synced is there after a cut, and of what was written since
 * then any sectors, in any order.  The file for locks is nothing of its.
 */
struct change {
	size_t at;
	size_t len; /* 0: the file ends at `at` */
	uint8_t *data;
};

struct image {
	const char *suffix;
	bool exists;
	size_t size;
	uint8_t *bytes; /* FILE_MAX */
	struct change pending[PENDING_MAX];
	size_t n;
};

struct disk {
	struct image main;
	struct image wal;
	unsigned seed;
	unsigned acked;
	unsigned cuts;
	unsigned lost; /* of what was acknowledged, at some cut */
	bool off;
};

static unsigned
roll(struct disk *d)
{
	d->seed = d->seed * 1103515245 + 12345;
	return d->seed >> 16;
}

static struct image *
image_of(struct disk *d, const char *name)
{
	size_t len = strlen(name);

	if (d->off)
		return NULL;
	if (len > 4 && strcmp(name + len - 4, "-wal") == 0)
		return &d->wal;
	if (len > 3 && strcmp(name + len - 3, ".db") == 0)
		return &d->main;
	return NULL;
}

static void
put(struct image *i, size_t at, const void *data, size_t len)
{
	assert_true(at + len <= FILE_MAX);
	memcpy(i->bytes + at, data, len);
	if (at + len > i->size)
		i->size = at + len;
}

static void
settle(struct image *i)
{
	for (size_t c = 0; c < i->n; c++) {
		if (i->pending[c].len == 0)
			i->size = i->pending[c].at;
		else
			put(i, i->pending[c].at, i->pending[c].data,
			    i->pending[c].len);
		free(i->pending[c].data);
	}
	i->n = 0;
}

/* ---- what is left by a cut ---- */

static void
write_image(struct disk *d, const struct image *i)
{
	struct image left = *i;
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "cut/vault.db%s", i->suffix);
	(void)remove(path);
	if (!i->exists)
		return;
	left.bytes = malloc(FILE_MAX);
	assert_non_null(left.bytes);
	memcpy(left.bytes, i->bytes, i->size);
	for (size_t c = 0; c < i->n; c++) {
		const struct change *p = &i->pending[c];

		for (size_t at = 0; at < p->len; at += SECTOR)
			if (roll(d) % 2 == 0)
				put(&left, p->at + at, p->data + at,
				    p->len - at < SECTOR ? p->len - at
				                         : SECTOR);
	}
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_int_equal(fwrite(left.bytes, 1, left.size, f), left.size);
	assert_int_equal(fclose(f), 0);
	free(left.bytes);
}

static bool
count(const struct record *rec, void *arg)
{
	(void)rec;
	++*(unsigned *)arg;
	return true;
}

/* All that was acknowledged, and at most what was on its way. */
static void
cut(struct disk *d)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = NULL;
	struct rk_error err;
	unsigned n = 0;

	d->off = true;
	d->cuts++;
	write_image(d, &d->main);
	write_image(d, &d->wal);
	(void)remove("cut/vault.db-shm");
	if (vault_open_on("unix", "cut/vault.db", &v, &err) != RK_OK ||
	    vault_unlock(v, pass, &err) != RK_OK ||
	    vault_list(v, count, &n, &err) != RK_OK ||
	    vault_adds_up(v, NULL, NULL, &err) != RK_OK)
		fail_msg("cut %u: %s", d->cuts, err.text);
	vault_close(v);
	rk_secret_free(pass);
	assert_in_range(n, 0, d->acked + 1);
	d->lost += n < d->acked;
	d->off = false;
}

/* ---- what is told of ---- */

static void
add(struct image *i, size_t at, const void *data, size_t len)
{
	struct change *c = &i->pending[i->n++];

	assert_true(i->n < PENDING_MAX);
	c->at = at;
	c->len = len;
	c->data = malloc(len + 1);
	assert_non_null(c->data);
	if (len > 0)
		memcpy(c->data, data, len);
}

static void
on_write(const char *name, const void *data, size_t len, size_t at, void *arg)
{
	struct image *i = image_of(arg, name);

	if (i == NULL)
		return;
	/* SQLite syncs the folder when it makes one. */
	i->exists = true;
	add(i, at, data, len);
	cut(arg);
}

static void
on_truncate(const char *name, size_t size, void *arg)
{
	struct image *i = image_of(arg, name);

	if (i != NULL)
		add(i, size, NULL, 0);
}

static void
on_sync(const char *name, void *arg)
{
	struct image *i = image_of(arg, name);

	if (i == NULL)
		return;
	cut(arg); /* before it has come to an end */
	settle(i);
	cut(arg);
}

static void
on_delete(const char *name, void *arg)
{
	struct image *i = image_of(arg, name);

	if (i == NULL)
		return;
	settle(i);
	i->exists = false;
	i->size = 0;
}

/* ---- a session ---- */

static void
read_file(struct image *i, const char *path)
{
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	i->size = fread(i->bytes, 1, FILE_MAX, f);
	assert_int_equal(fclose(f), 0);
	i->exists = true;
}

/* Records one by one, a change, a removal, a new passphrase, the end. */
static void
play(struct vault *v, struct disk *d)
{
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct record rec = { .name = "0", .note = "changed" };
	struct rk_error err;
	char name[16];

	for (unsigned i = 0; i < RECORDS; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		vaultrig_add(v, name, RECORD_SECRET, (uint8_t)(i + 1));
		d->acked++;
		cut(d);
	}
	assert_int_equal(vault_begin(v, &err), RK_OK);
	assert_int_equal(
	    vault_change(v, "0", &rec, VAULT_ACT_NOTE, &err), RK_OK);
	assert_int_equal(vault_commit(v, &err), RK_OK);
	assert_int_equal(vault_passwd(v, pass, &vaultrig_kdf, &err), RK_OK);
	assert_int_equal(vault_rekey(v, pass, &vaultrig_kdf, &err), RK_OK);
	rk_secret_free(pass);
	cut(d);
}

static void
run(struct disk *d, unsigned seed, const char *pragma)
{
	const struct failvfs_watch watch = {
		.on_write = on_write,
		.on_truncate = on_truncate,
		.on_sync = on_sync,
		.on_delete = on_delete,
		.arg = d,
	};
	struct rk_secret *pass = vaultrig_secret(VAULTRIG_PASS);
	struct vault *v = NULL;
	struct rk_error err;

	*d = (struct disk){
		.main.suffix = "", .wal.suffix = "-wal", .seed = seed
	};
	d->main.bytes = malloc(FILE_MAX);
	d->wal.bytes = malloc(FILE_MAX);
	assert_non_null(d->main.bytes);
	assert_non_null(d->wal.bytes);
	vaultrig_make(false);
	assert_int_equal(mkdir("cut", 0700), 0);
	read_file(&d->main, VAULTRIG_FILE);
	failvfs_register();
	failvfs_tell(&watch);
	assert_int_equal(
	    vault_open_on(FAILVFS_NAME, VAULTRIG_FILE, &v, &err), RK_OK);
	assert_int_equal(vault_unlock(v, pass, &err), RK_OK);
	if (pragma != NULL)
		assert_int_equal(vault_db_exec(v, pragma, &err), RK_OK);
	play(v, d);
	vault_close(v);
	cut(d);
	failvfs_tell(NULL);
	settle(&d->main);
	settle(&d->wal);
	free(d->main.bytes);
	free(d->wal.bytes);
	rk_secret_free(pass);
}

static void
test_nothing_is_lost(void **state)
{
	struct disk d;

	(void)state;
	run(&d, 1, NULL);
	assert_int_equal(d.lost, 0);
	assert_true(d.cuts > 10 * RECORDS);
}

/* It is the syncs that do it, and this test that sees what they are for. */
static void
test_less_is_not_enough(void **state)
{
	struct disk d;

	(void)state;
	run(&d, 2, "PRAGMA synchronous = NORMAL");
	assert_int_not_equal(d.lost, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_lost),
		TEST(test_less_is_not_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
