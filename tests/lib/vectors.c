/* Loads the captured streams of tests/vectors, and hex text. */
#include "vectors.h"

#include "base/str.h"
#include "rpc/frame.h"

#include <stdio.h>
#include <stdlib.h>

#define FRAMES_MAX 16

const char *const vectors_names[] = {
	"plain-twoway-c2s",
	"plain-twoway-s2c",
	"plain-s2-twoway-c2s",
	"plain-s2-twoway-s2c",
	"tls-inner-twoway-c2s",
	"tls-inner-twoway-s2c",
	"netrpc-c2s",
	"netrpc-s2c",
	"joberrs-c2s",
	"joberrs-s2c",
	"cancel-c2s",
	"cancel-s2c",
	"oneway-push-c2s",
	"oneway-push-s2c",
	"keepalive-c2s",
	"keepalive-s2c",
	"upload-c2s",
	"upload-s2c",
	"download-c2s",
	"download-s2c",
	"bistream-c2s",
	"bistream-s2c",
	"circuit-c2s",
	"circuit-s2c",
	"startpeer-c2s",
	"startpeer-s2c",
	NULL,
};

static void
die(const char *what, const char *name)
{
	fprintf(stderr, "vectors: %s: %s\n", name, what);
	exit(1);
}

static void *
alloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		die("out of memory", "malloc");
	return p;
}

uint8_t *
vectors_load(const char *name, size_t *len)
{
	const char *dir = getenv("TEST_VECTORS");
	char path[512];
	uint8_t *data;
	FILE *f;
	int n;

	n = snprintf(path, sizeof(path), "%s/%s.bin",
	    dir != NULL ? dir : "tests/vectors", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		die("name too long", name);
	f = fopen(path, "rb");
	if (f == NULL)
		die("cannot open", path);
	data = alloc(65536);
	*len = fread(data, 1, 65536, f);
	if (*len == 0 || *len == 65536 || ferror(f))
		die("cannot read", path);
	fclose(f);
	return data;
}

char *
vectors_text(const char *name)
{
	const char *dir = getenv("TEST_VECTORS");
	char path[512];
	char *text;
	long len = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s",
	    dir != NULL ? dir : "tests/vectors", name);
	f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0)
		die("cannot open", path);
	rewind(f);
	text = alloc((size_t)len + 1);
	if (fread(text, 1, (size_t)len, f) != (size_t)len)
		die("cannot read", path);
	text[len] = '\0';
	(void)fclose(f);
	return text;
}

size_t
vectors_split(
    const uint8_t *data, size_t len, struct rk_bytes *frames, size_t max)
{
	struct frame f;
	size_t n = 0;

	for (; len > 0; data += f.total, len -= f.total) {
		if (n == max)
			die("too many frames", "split");
		if (frame_split(data, len, &f, NULL, NULL) != RK_OK)
			die("no whole frame", "split");
		frames[n++] = (struct rk_bytes){ .ptr = data, .len = f.total };
	}
	return n;
}

uint8_t *
vectors_frame(const char *name, size_t n, size_t *len)
{
	struct rk_bytes frames[FRAMES_MAX];
	uint8_t *data = vectors_load(name, len);
	uint8_t *frame;

	if (n >= vectors_split(data, *len, frames, FRAMES_MAX))
		die("no such frame", name);
	*len = frames[n].len;
	frame = alloc(*len);
	memcpy(frame, frames[n].ptr, *len);
	free(data);
	return frame;
}

size_t
vectors_unhex(uint8_t *dst, size_t cap, const char *hex)
{
	size_t len = 0;
	size_t n;

	for (; *hex != '\0'; hex += 2) {
		while (*hex == ' ')
			hex++;
		if (*hex == '\0')
			break;
		if (str_unhex(hex, strlen(hex) < 2 ? 1 : 2, dst + len,
		        cap - len, &n) != RK_OK)
			die("not hex, or too long", hex);
		len += n;
	}
	return len;
}
