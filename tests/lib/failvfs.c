/* A VFS of SQLite's on which the n-th write, sync or truncation fails. */
#include "failvfs.h"

#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

struct file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct */
	const char *name;   /* SQLite's, as long as it is open */
};

static sqlite3_vfs vfs;
static int fail_at = -1;
static int fail_code;
static int done;
static int locked;
static bool spare;
static const struct failvfs_watch *told;

void
failvfs_tell(const struct failvfs_watch *watch)
{
	told = watch;
}

void
failvfs_set(int n, int code)
{
	fail_at = n;
	fail_code = code;
	done = 0;
}

void
failvfs_spare_log(bool yes)
{
	spare = yes;
}

void
failvfs_lock(int n)
{
	locked = n;
}

int
failvfs_count(void)
{
	return done;
}

static sqlite3_file *
real(sqlite3_file *f)
{
	return ((struct file *)(void *)f)->real;
}

static const char *
name_of(sqlite3_file *f)
{
	return ((struct file *)(void *)f)->name;
}

static int
due(sqlite3_file *f)
{
	const char *name = name_of(f);
	size_t len = name != NULL ? strlen(name) : 0;

	if (spare && len > 4 && strcmp(name + len - 4, "-wal") == 0)
		return SQLITE_OK;
	return fail_at >= 0 && done++ >= fail_at ? fail_code : SQLITE_OK;
}

static int
shim_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int
shim_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real(f)->pMethods->xRead(real(f), p, n, at);
}

static int
shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = due(f);

	if (told != NULL)
		told->on_write(name_of(f), p, (size_t)n, (size_t)at, told->arg);
	/* A full disk takes a part. */
	if (rc != SQLITE_OK && n > 1)
		(void)real(f)->pMethods->xWrite(real(f), p, n / 2, at);
	return rc != SQLITE_OK ? rc
	                       : real(f)->pMethods->xWrite(real(f), p, n, at);
}

static int
shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = due(f);

	if (told != NULL)
		told->on_truncate(name_of(f), (size_t)size, told->arg);
	return rc != SQLITE_OK ? rc
	                       : real(f)->pMethods->xTruncate(real(f), size);
}

static int
shim_sync(sqlite3_file *f, int flags)
{
	int rc = due(f);

	if (told != NULL)
		told->on_sync(name_of(f), told->arg);
	(void)flags; /* no power fails in a test */
	return rc == SQLITE_IOERR ? SQLITE_IOERR_FSYNC : rc;
}

static int
shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real(f)->pMethods->xFileSize(real(f), size);
}

static int
shim_lock(sqlite3_file *f, int how)
{
	return real(f)->pMethods->xLock(real(f), how);
}

static int
shim_unlock(sqlite3_file *f, int how)
{
	return real(f)->pMethods->xUnlock(real(f), how);
}

static int
shim_check(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int
shim_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int
shim_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int
shim_device(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int
shim_shm_map(
    sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int
shim_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real(f)->pMethods->xShmLock(real(f), at, n, flags);
}

static void
shim_shm_barrier(sqlite3_file *f)
{
	real(f)->pMethods->xShmBarrier(real(f));
}

static int
shim_shm_unmap(sqlite3_file *f, int del)
{
	return real(f)->pMethods->xShmUnmap(real(f), del);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_device,
	.xShmMap = shim_shm_map,
	.xShmLock = shim_shm_lock,
	.xShmBarrier = shim_shm_barrier,
	.xShmUnmap = shim_shm_unmap,
};

static int
shim_open(
    sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	sqlite3_vfs *below = v->pAppData;
	struct file *file = (struct file *)(void *)f;
	int rc;

	file->real = (sqlite3_file *)(void *)(file + 1);
	file->real->pMethods = NULL;
	file->base.pMethods = NULL;
	file->name = name;
	if (locked > 0) {
		locked--;
		return SQLITE_BUSY;
	}
	rc = below->xOpen(below, name, file->real, flags, out);
	file->base.pMethods = file->real->pMethods != NULL ? &methods : NULL;
	return rc;
}

static int
shim_delete(sqlite3_vfs *v, const char *name, int sync)
{
	sqlite3_vfs *below = v->pAppData;

	if (told != NULL)
		told->on_delete(name, told->arg);
	return below->xDelete(below, name, sync);
}

void
failvfs_register(void)
{
	sqlite3_vfs *below = sqlite3_vfs_find(NULL);

	if (vfs.zName != NULL)
		return;
	vfs = *below;
	vfs.zName = FAILVFS_NAME;
	vfs.pAppData = below;
	vfs.szOsFile = (int)sizeof(struct file) + below->szOsFile;
	vfs.xOpen = shim_open;
	vfs.xDelete = shim_delete;
	vfs.pNext = NULL;
	(void)sqlite3_vfs_register(&vfs, 1);
}
