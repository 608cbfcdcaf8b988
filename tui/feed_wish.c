/* Of which events the daemon is to tell, and what of connections. */
#include "feed.h"

#include <string.h>

/* {log: info, calls: true, of: 0}; or the first of these. */
static const uint8_t wishes[FEED_WISH] = { 0x83, 0xa3, 'l', 'o', 'g', 0xa4, 'i',
	'n', 'f', 'o', 0xa5, 'c', 'a', 'l', 'l', 's', 0xc3, 0xa2, 'o', 'f',
	0xcf, 0, 0, 0, 0, 0, 0, 0, 0 };
#define WISHES_FIRST 10
/* {brief: 0} */
static const uint8_t brief[] = { 0x81, 0xa5, 'b', 'r', 'i', 'e', 'f', 0xcf, 0,
	0, 0, 0, 0, 0, 0, 0 };
/* {from: 0} */
static const uint8_t part[] = { 0x81, 0xa4, 'f', 'r', 'o', 'm', 0xcf, 0, 0, 0,
	0, 0, 0, 0, 0 };

/* All of each connection is asked for so often, for each of them and at most;
 * and so often where that is missed. */
#define MAPS_MS 4
#define MAPS_MOST_MS 10000
#define THIN_A_MS 2
/* It came, and could not be told of before it was let in. */
#define SLACK_MS 1000

static void
put_number(uint8_t *end, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		end[-1 - (ptrdiff_t)i] = (uint8_t)(v >> 8 * i);
}

size_t
feed_wish(uint64_t calls_of, uint8_t dst[FEED_WISH])
{
	memcpy(dst, wishes, FEED_WISH);
	if (calls_of == 0) {
		dst[0] = 0x81;
		return WISHES_FIRST;
	}
	put_number(dst + FEED_WISH, calls_of);
	return FEED_WISH;
}

size_t
feed_wish_from(uint64_t from, uint8_t dst[FEED_WISH])
{
	memcpy(dst, part, sizeof(part));
	put_number(dst + sizeof(part), from);
	return sizeof(part);
}

bool
feed_is_brief(const struct model *m, int64_t maps_ms, int64_t now)
{
	int64_t n = (int64_t)m->n_conns;
	int64_t ms = m->conns_thin ? n / THIN_A_MS : n * MAPS_MS;

	return m->conns_known &&
	       now - maps_ms < (ms < MAPS_MOST_MS ? ms : MAPS_MOST_MS);
}

size_t
feed_wish_conns(struct model *m, int64_t *maps_ms, int64_t asked_ms,
    int64_t now, uint8_t dst[FEED_WISH])
{
	m->conns_stale = m->conns_missing = false;
	if (!feed_is_brief(m, *maps_ms, now)) {
		m->conns_thin = false;
		*maps_ms = now;
		return 0;
	}
	memcpy(dst, brief, sizeof(brief));
	put_number(dst + sizeof(brief), (uint64_t)(now - asked_ms) + SLACK_MS);
	return sizeof(brief);
}
