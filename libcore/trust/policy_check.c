/* A decider's list and store looked at: what is wrong, what is worth knowing.
 */
#include "trust/policy_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "trust/ask_disk.h"
#include "trust/store.h"

#define SOON 86400 /* s */
#define TURNED_MS 600000

struct checking {
	struct rk_trust *trust;
	policy_finding_fn *fn;
	void *arg;
};

__attribute__((format(printf, 3, 4))) static void
find(const struct checking *c, bool wrong, const char *fmt, ...)
{
	char text[RK_ERROR_TEXT_LEN];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->fn(wrong, text, c->arg);
}

/* ---- the file ---- */

/* As long as there is no room, and for a while after. */
static void
check_turned(const struct checking *c, size_t waiting)
{
	const struct rk_trust *t = c->trust;
	uint64_t ago, n = room_turned(t->room, t->now(), &ago);

	if (n > 0 && (waiting >= RK_ASK_ENTRIES || ago < TURNED_MS))
		find(c, true,
		    "newcomers who were turned away for want of room: %" PRIu64
		    ", the last one %" PRIu64
		    " s ago: decide, or forget who waits",
		    n, ago / 1000);
	else if (waiting >= RK_ASK_ENTRIES)
		find(c, false,
		    "no more keys than those can wait: newcomers may be turned "
		    "away");
}

static void
check_list(const struct checking *c, size_t waiting)
{
	const struct rk_trust *t = c->trust;
	const struct known *k = &t->known;
	bool locked = policy_state(t, t->mode) == RK_TRUST_LOCKED;
	unsigned mode = (unsigned)k->stamp.st.st_mode & 07777U;

	if (k->state == RK_TRUST_ABSENT) {
		find(c, t->mode == RK_TRUST_ASK,
		    "%s: is not there: every certificate of the CA is "
		    "believed",
		    t->name);
		return;
	}
	if (k->n == 0)
		find(c, locked,
		    locked ? "%s: locked and without a key: everybody is "
		             "refused until it is unlocked, or has one"
		           : "%s: has no key yet",
		    t->name);
	if (k->lines >= KNOWN_KEYS_MAX)
		find(c, true,
		    "%s: is full: it holds %zu keys, and takes no more",
		    t->name, k->lines);
	if (k->lines > k->n)
		find(c, false, "%s: lines whose key has another one there: %zu",
		    t->name, k->lines - k->n);
	if (!k->ended)
		find(c, false,
		    "%s: its last line has no newline: was it cut off? its "
		    "mail addresses may be, its key is whole",
		    t->name);
	if ((mode & 077U) != 0)
		find(c, false, "%s: others may read it (mode %04o)", t->name,
		    mode);
	if (waiting > 0)
		find(c, false,
		    locked ? "keys that wait, and stay out while the list is "
		             "locked: %zu"
		           : "keys that wait for a decision: %zu",
		    waiting);
	check_turned(c, waiting);
}

/* ---- file and store ---- */

static void
check_key(const struct checking *c, const struct store_key *k)
{
	int64_t now = time(NULL);
	char fp[RK_FP_LEN];

	rk_fp_of_key(k->pub, fp);
	if (k->in_file && k->state == RK_STORE_REJECTED)
		find(c, true, "key %s was rejected and still has its line", fp);
	else if (k->in_file && k->state == RK_STORE_REVOKED)
		find(c, true, "key %s was revoked and still has its line", fp);
	else if (!k->in_file && k->state == RK_STORE_KNOWN)
		find(c, true,
		    "key %s was approved, and its line is gone from the list",
		    fp);
	else if (k->state == RK_STORE_UNTIL && !k->in_file && k->until > now &&
	         k->until - now <= SOON)
		find(c, false, "key %s is approved for %" PRId64 " s more", fp,
		    k->until - now);
}

/* list: what is wrong with the list, of which the store has no more to say. */
static void
check_store(const struct checking *c, const char *list)
{
	const struct rk_trust *t = c->trust;
	struct rk_store *s = ask_disk_store(t->room);
	struct rk_error err = { 0 };
	enum rk_err r;

	if (s == NULL) {
		find(c, false,
		    "there is no store: decisions but approvals are gone with "
		    "this process");
		return;
	}
	(void)pthread_mutex_lock(&s->mutex);
	r = store_refresh(s, &err);
	for (size_t i = 0; i < s->n && r == RK_OK; i++)
		check_key(c, &s->keys[i]);
	if (r == RK_OK)
		r = store_try_write(s, &err);
	if (r != RK_OK && strcmp(err.text, list) != 0)
		find(c, r != RK_EBUSY, "%s", err.text);
	(void)pthread_mutex_unlock(&s->mutex);
}

static enum rk_err
count_waiting(const struct rk_trust *t, size_t *waiting)
{
	struct rk_ask_entry *list;
	enum rk_err r;
	size_t n;

	*waiting = 0;
	room_prune(t->room, t->now());
	if ((r = room_list(t->room, &list, &n)) != RK_OK)
		return r;
	for (size_t i = 0; i < n; i++)
		*waiting += list[i].status < RK_ASK_UNTIL;
	free(list);
	return RK_OK;
}

enum rk_err
policy_check(struct rk_trust *t, policy_finding_fn *fn, void *arg)
{
	const struct checking c = { .trust = t, .fn = fn, .arg = arg };
	struct rk_error err = { 0 };
	size_t waiting;
	enum rk_err r;

	if ((r = count_waiting(t, &waiting)) != RK_OK)
		return r;
	(void)pthread_mutex_lock(&t->mutex);
	if (t->path == NULL || t->mode == RK_TRUST_OFF)
		find(&c, false,
		    "there is no list of known keys: every certificate of the "
		    "CA is believed");
	else if ((r = policy_refresh(t, &err)) != RK_OK)
		find(&c, r != RK_EBUSY, "%s", err.text);
	else
		check_list(&c, waiting);
	if (t->path != NULL)
		check_store(&c, err.text);
	(void)pthread_mutex_unlock(&t->mutex);
	return RK_OK;
}

uint64_t
policy_turned(struct rk_trust *t)
{
	uint64_t ago;

	return room_turned(t->room, t->now(), &ago);
}

/* The file as it was read last will do. */
const char *
policy_standing(struct rk_trust *t, const struct rk_cert_info *cert)
{
	enum room_word word = ROOM_NOTHING;
	const char *name = "once";
	struct rk_error err;

	(void)pthread_mutex_lock(&t->mutex);
	if (t->own != NULL)
		name = "";
	else if (room_ask(t->room, cert->fp, &word, &err) != RK_OK)
		name = "";
	else if (word == ROOM_REVOKED)
		name = "revoked";
	else if (word == ROOM_REJECTED)
		name = "rejected";
	else if (t->mode == RK_TRUST_OFF || t->known.state == RK_TRUST_ABSENT)
		name = "";
	else if (known_has(&t->known, cert->pub))
		name = "known";
	(void)pthread_mutex_unlock(&t->mutex);
	return name;
}

bool
policy_knows(struct rk_trust *t, const struct rk_cert_info *cert)
{
	struct rk_ask_entry e;
	struct rk_error err;
	bool has;

	(void)pthread_mutex_lock(&t->mutex);
	has = t->mode != RK_TRUST_OFF &&
	      policy_refresh_after(t, &err) == RK_OK &&
	      known_has(&t->known, cert->pub);
	(void)pthread_mutex_unlock(&t->mutex);
	return has || room_find(t->room, cert->fp, &e, &err) == RK_OK;
}
