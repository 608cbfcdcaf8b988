/* Keeping a message beyond the buffer it was read to. */
#include "rpc/msg.h"

#include <stdlib.h>
#include <string.h>

#define VIEWS 13

/* All views of a message, as one list. */
static void
list_views(struct msg *m, struct rk_str **out)
{
	struct rk_header *h = &m->hdr;
	struct rk_str *views[] = { &h->from, &h->to, &h->to_service,
		&h->to_version, &h->from_service, &h->from_version, &h->subject,
		&h->call_id, &h->to_peer_id, &h->to_peer_name, &h->from_peer_id,
		&h->from_peer_name, &m->error };

	memcpy(out, views, sizeof(views));
}

/* Header strings and payload lie in one body: from the lowest to the highest
 * address is what they need. */
static void
widen(const char *ptr, size_t len, const char **low, const char **high)
{
	if (ptr == NULL)
		return;
	if (*low == NULL || ptr < *low)
		*low = ptr;
	if (*high == NULL || ptr + len > *high)
		*high = ptr + len;
}

static const char *
span(struct msg *m, size_t *len)
{
	struct rk_str *views[VIEWS];
	const struct rk_bytes *bytes[] = { &m->payload, &m->hdr.args.raw };
	const char *low = NULL, *high = NULL;

	list_views(m, views);
	for (size_t i = 0; i < VIEWS; i++)
		widen(views[i]->ptr, views[i]->len, &low, &high);
	for (size_t i = 0; i < 2; i++)
		widen((const char *)bytes[i]->ptr, bytes[i]->len, &low, &high);
	*len = low == NULL ? 0 : (size_t)(high - low);
	return low;
}

size_t
msg_keep_len(const struct msg *m)
{
	struct msg copy = *m;
	size_t len;

	(void)span(&copy, &len);
	return len;
}

void
msg_keep_at(const struct msg *src, struct msg *dst, void *memory)
{
	struct rk_str *views[VIEWS];
	struct rk_bytes *bytes[] = { &dst->payload, &dst->hdr.args.raw };
	char *copy = memory;
	const char *low;
	size_t len;

	*dst = *src;
	low = span(dst, &len);
	if (low == NULL)
		return;
	memcpy(copy, low, len);
	list_views(dst, views);
	for (size_t i = 0; i < VIEWS; i++) {
		if (views[i]->ptr != NULL)
			views[i]->ptr = copy + (views[i]->ptr - low);
	}
	for (size_t i = 0; i < 2; i++) {
		if (bytes[i]->ptr != NULL)
			bytes[i]->ptr = (uint8_t *)copy +
			                ((const char *)bytes[i]->ptr - low);
	}
}

enum rk_err
msg_keep(const struct msg *src, struct msg *dst, void **owned)
{
	*dst = *src;
	*owned = malloc(msg_keep_len(src) + 1);
	if (*owned == NULL)
		return RK_ENOMEM;
	msg_keep_at(src, dst, *owned);
	return RK_OK;
}
