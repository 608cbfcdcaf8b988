/* Subjects: what is found lies in the bytes that came, whatever these are. */
#include "rpc/topic.h"

#include "rpc/greenpack.h"

#include "must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct rk_str s, const uint8_t *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)s.ptr;

	must(s.len <= size);
	must(s.len == 0 || (p >= data && p + s.len <= data + size));
}

/* What it means is found again when it is written as a string. */
static void
check_again(struct rk_str s)
{
	uint8_t *b = malloc(s.len + GP_HEAD_MAX);
	struct rk_str t;

	must(b != NULL);
	t = topic_asked(
	    (struct rk_bytes){ b, (size_t)(gp_put_str(b, s.ptr, s.len) - b) },
	    "subject");
	must(t.len == s.len && memcmp(t.ptr, s.ptr, s.len) == 0);
	free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_header h = { .to_service = { (const char *)data, size } };
	struct rk_str s =
	    topic_asked((struct rk_bytes){ data, size }, "subject");

	check_inside(s, data, size);
	if (s.len != 0)
		check_again(s);
	check_inside(topic_of(&h), data, size);
	h.subject = h.to_service;
	s = topic_of(&h);
	must(s.len == size);
	return 0;
}
