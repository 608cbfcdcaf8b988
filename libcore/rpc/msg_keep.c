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

enum rk_err
msg_keep(const struct msg *src, struct msg *dst, void **owned)
{
	struct rk_str *views[VIEWS];
	const char *low = NULL, *high = NULL;
	struct rk_bytes *bytes[] = { &dst->payload, &dst->hdr.args.raw };
	char *copy;

	*owned = NULL;
	*dst = *src;
	list_views(dst, views);
	for (size_t i = 0; i < VIEWS; i++)
		widen(views[i]->ptr, views[i]->len, &low, &high);
	for (size_t i = 0; i < 2; i++)
		widen((const char *)bytes[i]->ptr, bytes[i]->len, &low, &high);
	if (low == NULL)
		return RK_OK;
	copy = malloc((size_t)(high - low) + 1);
	if (copy == NULL)
		return RK_ENOMEM;
	memcpy(copy, low, (size_t)(high - low));
	for (size_t i = 0; i < VIEWS; i++) {
		if (views[i]->ptr != NULL)
			views[i]->ptr = copy + (views[i]->ptr - low);
	}
	for (size_t i = 0; i < 2; i++) {
		if (bytes[i]->ptr != NULL)
			bytes[i]->ptr = (uint8_t *)copy +
			                ((const char *)bytes[i]->ptr - low);
	}
	*owned = copy;
	return RK_OK;
}
