/* Subjects: where a push has its own, and which one a request names. */
#include "rpc/topic.h"

#include "base/str.h"
#include "rpc/greenpack.h"

#include <rpckit/push.h>

#define GO_HEAD "srv.SendMessage('"
#define GO_TAIL "')"

struct rk_str
topic_of(const struct rk_header *hdr)
{
	const size_t head = sizeof(GO_HEAD) - 1;
	const size_t tail = sizeof(GO_TAIL) - 1;
	struct rk_str s = hdr->to_service;

	if (hdr->subject.len != 0 || s.len <= head + tail ||
	    memcmp(s.ptr, GO_HEAD, head) != 0 ||
	    memcmp(s.ptr + s.len - tail, GO_TAIL, tail) != 0)
		return hdr->subject;
	return (struct rk_str){ s.ptr + head, s.len - head - tail };
}

struct rk_str
topic_asked(struct rk_bytes p, const char *key)
{
	struct gp_reader r = { p.ptr, p.ptr + p.len };
	struct rk_str s, k;
	uint32_t n;

	if (p.len == 0)
		return (struct rk_str){ 0 };
	if (gp_get_str(&r, &s) == RK_OK && r.p == r.end)
		return s;
	r.p = p.ptr;
	if (gp_get_map(&r, &n) == RK_OK && n == 1 &&
	    gp_get_key(&r, &k) == RK_OK && str_is(k, key) &&
	    gp_get_str(&r, &s) == RK_OK && r.p == r.end)
		return s;
	return (struct rk_str){ (const char *)p.ptr, p.len };
}

bool
topic_is_good(const char *text)
{
	return text != NULL && text[0] != '\0' &&
	       strnlen(text, RK_TOPIC_MAX + 1) <= RK_TOPIC_MAX;
}
