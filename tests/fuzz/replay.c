/* Feed stored inputs to a fuzz target once each, and say so in TAP. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"

#define LONGEST (16UL << 20)
#define DEEPEST 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
	unsigned done;
	unsigned failed;
};

static void
tell(struct tally *t, const char *path, const char *fault)
{
	char text[1024];

	t->done++;
	str_escape(text, sizeof(text), path);
	if (fault == NULL) {
		printf("ok %u - %s\n", t->done, text);
	} else {
		t->failed++;
		printf("not ok %u - %s\n# %s\n", t->done, text, fault);
	}
	/* A target that crashes must not take the lines before with it. */
	(void)fflush(stdout);
}

/* A block of exactly the input's size, so that a read behind it is seen. */
static enum rk_err
feed(const uint8_t *src, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		return RK_ENOMEM;
	if (len > 0)
		memcpy(copy, src, len);
	(void)LLVMFuzzerTestOneInput(copy, len); /* 0, or it has aborted */
	free(copy);
	return RK_OK;
}

static void
replay_file(struct tally *t, const char *path)
{
	struct rk_error err = { .text = "" };
	struct buf b;
	const char *fault = NULL;

	buf_init(&b, LONGEST);
	if (fs_read(path, FS_ANY, LONGEST, &b, &err) != RK_OK)
		fault = err.text;
	else if (feed(buf_peek(&b), buf_len(&b)) != RK_OK)
		fault = "out of memory";
	tell(t, path, fault);
	buf_fini(&b);
}

static int
visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void
replay(struct tally *t, const char *path, unsigned depth)
{
	struct dirent **names = NULL;
	char below[4096];
	struct stat st;
	int n;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		replay_file(t, path);
		return;
	}
	n = depth > DEEPEST ? -1 : scandir(path, &names, visible, alphasort);
	if (n < 0)
		tell(t, path, "directory cannot be read");
	for (int i = 0; i < n; i++) {
		if (fs_join(below, sizeof(below), path, names[i]->d_name) ==
		    RK_OK)
			replay(t, below, depth + 1);
		else
			tell(t, path, "path too long");
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	struct tally t = { .done = 0 };

	if (argc < 2) {
		fprintf(stderr, "usage: replay FILE|DIRECTORY...\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		replay(&t, argv[i], 0);
	if (t.done == 0)
		tell(&t, argv[1], "no input found");
	printf("1..%u\n", t.done);
	return t.failed == 0 ? 0 : 1;
}
