/* Who may wait for a decision where many do: the one rule, for table and store.
 */
#include "trust/crowd.h"

#include <rpckit/ask.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/crypt.h"
#include "base/str.h"

#define DISPLACE_AFTER 600000 /* ms unseen: its source may bring another */
#define HOST_LEN 128

void
crowd_source(const char *host, uint8_t source[CROWD_SOURCE_LEN])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
		0xff };
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

/* The oldest of the source that has most, if that is more than `least`. */
static const struct crowd_one *
find_victim(const struct crowd *c, size_t least)
{
	const struct crowd_one *victim = NULL;
	const struct crowd_one *oldest;
	size_t n;

	for (size_t i = 0; i < c->n; i++) {
		if (!is_in(c, &c->all[i]))
			continue;
		n = count_source(c, c->all[i].source, &oldest);
		if (n > least && oldest != NULL) {
			least = n;
			victim = oldest;
		}
	}
	return victim;
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
	here = count_source(&c, comes->source, &oldest);
	*victim = find_victim(&c, here + 1);
	return *victim != NULL ? CROWD_ROOM : CROWD_FULL;
}
