/* Who may wait for a decision where many do: the one rule, for table and store.
 */
#include "trust/crowd.h"

#include <rpckit/ask.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/crypt.h"
#include "base/str.h"

/* ms unseen: */
#define DISPLACE_AFTER UINT64_C(600000) /* its source may bring another */
#define ALONE_AFTER UINT64_C(3600000)   /* so may one with as many */
#define AGAIN_AFTER UINT64_C(86400000)  /* the same, of one that came again */
#define HOST_LEN 128
#define WIDTHS 3 /* of the places that a source is counted with */

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void
crowd_source(const char *host, uint8_t source[CROWD_SOURCE_LEN])
{
	char plain[HOST_LEN];
	uint8_t hash[CRYPT_HASH_LEN];

	(void)str_copy(plain, sizeof(plain), host);
	plain[strcspn(plain, "%")] = '\0'; /* an interface */
	memcpy(source, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, plain, source + sizeof(mapped)) == 1)
		return;
	if (inet_pton(AF_INET6, plain, source) == 1) {
		if (memcmp(source, mapped, sizeof(mapped)) != 0)
			memset(source + 8, 0, 8);
		return;
	}
	crypt_sha256(hash, host, strlen(host));
	memcpy(source, hash, CROWD_SOURCE_LEN);
	source[0] |= 0xe0; /* no source of an IPv4 address */
}

static bool
is_v4(const uint8_t *source)
{
	return memcmp(source, mapped, sizeof(mapped)) == 0;
}

static bool
is_v6(const uint8_t *source)
{
	static const uint8_t host[8];

	return memcmp(source + 8, host, sizeof(host)) == 0;
}

struct crowd {
	const struct crowd_one *all;
	size_t n;
	bool bare; /* only these are looked at, and may have to go */
	uint64_t now;
};

/* How long it was not seen.  Times may be before the clock began, or, where the
 * clock was set back, to come. */
static uint64_t
age_of(const struct crowd *c, const struct crowd_one *one)
{
	const uint64_t age = c->now - one->seen;

	return age <= INT64_MAX ? age : 0;
}

static bool
is_in(const struct crowd *c, const struct crowd_one *one)
{
	return !c->bare || one->bare;
}

static size_t
count_all(const struct crowd *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += is_in(c, &c->all[i]);
	return n;
}

/* How many are of this source; and the oldest of them that may go. */
static size_t
count_source(const struct crowd *c, const uint8_t *source,
    const struct crowd_one **oldest)
{
	size_t n = 0;

	*oldest = NULL;
	for (size_t i = 0; i < c->n; i++) {
		const struct crowd_one *one = &c->all[i];

		if (!is_in(c, one) ||
		    memcmp(one->source, source, CROWD_SOURCE_LEN) != 0)
			continue;
		n++;
		if (!one->stays &&
		    (*oldest == NULL || age_of(c, one) > age_of(c, *oldest)))
			*oldest = one;
	}
	return n;
}

/* ---- places ---- */

/* How many of the widths they share: 0: none; WIDTHS: they are one source.  In
 * bytes, the widest first, of IPv4: /24 and the address; of IPv6: /48, /56,
 * /64.
 */
static unsigned
shared(const uint8_t *one, const uint8_t *other)
{
	static const size_t v4[WIDTHS] = { 15, 15, CROWD_SOURCE_LEN };
	static const size_t v6[WIDTHS] = { 6, 7, CROWD_SOURCE_LEN };
	static const size_t whole[WIDTHS] = { CROWD_SOURCE_LEN,
		CROWD_SOURCE_LEN, CROWD_SOURCE_LEN };
	const size_t *widths = whole;
	unsigned n = 0;

	if (is_v4(one))
		widths = v4;
	else if (is_v6(one))
		widths = v6;
	while (n < WIDTHS && memcmp(one, other, widths[n]) == 0)
		n++;
	return n;
}

/* How many there are within each width around a source. */
struct place {
	size_t n[WIDTHS];
};

static struct place
count_place(const struct crowd *c, const uint8_t *source)
{
	struct place p = { { 0 } };

	for (size_t i = 0; i < c->n; i++) {
		unsigned of;

		if (!is_in(c, &c->all[i]))
			continue;
		of = shared(source, c->all[i].source);
		for (unsigned w = 0; w < of; w++)
			p.n[w]++;
	}
	return p;
}

/* ---- who has to go ---- */

/* Not seen for so long, if it came once only? */
static bool
is_idle(const struct crowd *c, const struct crowd_one *one, uint64_t once)
{
	return age_of(c, one) > (one->again ? AGAIN_AFTER : once);
}

/* One that may have to go, and what speaks for that, the strongest first. */
struct claim {
	size_t more; /* it is of a place with more, and of how many */
	struct place place;
	bool once;
	uint64_t age;
	const struct crowd_one *one;
};

static bool
is_stronger(const struct claim *a, const struct claim *b)
{
	if (a->more != b->more)
		return a->more > b->more;
	for (unsigned w = 0; w < WIDTHS; w++) {
		if (a->place.n[w] != b->place.n[w])
			return a->place.n[w] > b->place.n[w];
	}
	if (a->once != b->once)
		return a->once;
	return a->age > b->age;
}

/* May it go for one who comes to a place that has so many?  Of several widths
 * the widest counts that has more; but those in a network may be people who do
 * not know of each other, so that one of them has to be idle, unless it is one
 * of IPv6 with more than an address may have. */
static bool
may_go(const struct crowd *c, const struct crowd_one *comes,
    const struct place *here, struct claim *a)
{
	const unsigned same = shared(comes->source, a->one->source);
	for (unsigned w = same; w < WIDTHS; w++) {
		if (a->place.n[w] <= here->n[w] + 1)
			continue;
		if (w < WIDTHS - 1 &&
		    (is_v4(a->one->source) ||
		        a->place.n[w] <= RK_ASK_ENTRIES_SOURCE) &&
		    !is_idle(c, a->one, DISPLACE_AFTER))
			continue;
		a->more = a->place.n[w];
		return true;
	}
	return same == 0 && a->place.n[0] >= here->n[0] + 1 &&
	       is_idle(c, a->one, ALONE_AFTER);
}

static const struct crowd_one *
find_victim(const struct crowd *c, const struct crowd_one *comes)
{
	const struct place here = count_place(c, comes->source);
	struct claim best = { .one = NULL };

	for (size_t i = 0; i < c->n; i++) {
		const struct crowd_one *one = &c->all[i];
		struct claim a = {
			.once = !one->again, .age = age_of(c, one), .one = one
		};

		if (!is_in(c, one) || one->stays)
			continue;
		a.place = count_place(c, one->source);
		if (may_go(c, comes, &here, &a) &&
		    (best.one == NULL || is_stronger(&a, &best)))
			best = a;
	}
	return best.one;
}

enum crowd_word
crowd_admit(const struct crowd_one *all, size_t n,
    const struct crowd_one *comes, const struct crowd_one **victim)
{
	struct crowd c = { .all = all, .n = n, .now = comes->seen };
	const struct crowd_one *oldest;
	size_t here;

	*victim = NULL;
	here = count_source(&c, comes->source, &oldest);
	c.bare = comes->bare;
	if (here >= RK_ASK_ENTRIES_SOURCE) {
		(void)count_source(&c, comes->source, &oldest);
		if (oldest == NULL || age_of(&c, oldest) <= DISPLACE_AFTER)
			return CROWD_SOURCE;
		*victim = oldest;
		return CROWD_ROOM;
	}
	if (n < RK_ASK_ENTRIES &&
	    (!c.bare || count_all(&c) < RK_ASK_ENTRIES / RK_ASK_BARE_PART))
		return CROWD_ROOM;
	*victim = find_victim(&c, comes);
	return *victim != NULL ? CROWD_ROOM : CROWD_FULL;
}
