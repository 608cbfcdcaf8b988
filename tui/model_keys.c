/* Keys: those that wait, those decided about, and those of the file. */
#include "model_int.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define SPARE 64

/* ---- finding ---- */

struct model_key *
model_key(const struct model *m, const char *fp)
{
	uint64_t at = index_hash_text(&m->by_fp, fp);
	size_t i;

	while ((i = index_next(&m->by_fp, &at)) != SIZE_MAX) {
		if (strcmp(m->keys[i].fp, fp) == 0)
			return &m->keys[i];
	}
	return NULL;
}

bool
model_has_all_keys(const struct model *m)
{
	return !m->keys_partly && !m->keys_stale && m->keys_left_out == 0;
}

size_t
model_waiting(const struct model *m)
{
	return m->n_waiting;
}

size_t
model_changed(const struct model *m)
{
	return m->n_changed;
}

/* ---- the table ---- */

static void
put_index(struct model *m, size_t place)
{
	index_put(
	    &m->by_fp, index_hash_text(&m->by_fp, m->keys[place].fp), place);
}

/* Everything that is counted or looked up, anew. */
static enum rk_err
recount(struct model *m)
{
	enum rk_err r =
	    index_reset(&m->by_fp, m->n_keys + m->n_keys / 2 + SPARE);

	if (r != RK_OK)
		return r;
	m->n_waiting = m->n_changed = 0;
	for (size_t i = 0; i < m->n_keys; i++) {
		put_index(m, i);
		m->n_waiting += m->keys[i].state <= KEY_EXPIRED;
		m->n_changed += m->keys[i].state == KEY_CHANGED;
	}
	return RK_OK;
}

/* ---- reading ---- */

static const char *const words[] = {
	[KEY_NEW] = "new",
	[KEY_CHANGED] = "changed",
	[KEY_EXPIRED] = "expired",
	[KEY_KNOWN] = "known",
	[KEY_ONCE] = "once",
	[KEY_UNTIL] = "until",
	[KEY_REJECTED] = "rejected",
	[KEY_REVOKED] = "revoked",
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* "a, b, c", as many as there is room for. */
static void
read_hosts(struct model_key *k, const struct rk_value *list)
{
	char host[sizeof(k->hosts)];
	size_t used = 0;

	if (list == NULL || list->kind != RK_ARRAY)
		return;
	for (uint32_t i = 0; i < list->u.list.count; i++) {
		take_str(&list->u.list.items[i], host, sizeof(host));
		if (host[0] == '\0')
			continue;
		if (used + strlen(host) + 3 > sizeof(k->hosts))
			return;
		if (used > 0)
			used += str_copy(
			    k->hosts + used, sizeof(k->hosts) - used, ", ");
		used +=
		    str_copy(k->hosts + used, sizeof(k->hosts) - used, host);
	}
}

bool
keys_read(struct model_key *k, const struct rk_value *row)
{
	size_t state = take_word(row, "state", words, N_WORDS);

	*k = (struct model_key){ 0 };
	take_text(row, "fingerprint", k->fp, sizeof(k->fp));
	if (state == N_WORDS || k->fp[0] == '\0')
		return false;
	k->state = (enum model_key_state)state;
	take_text(row, "email", k->email, sizeof(k->email));
	take_name(row, k->name, sizeof(k->name));
	take_text(row, "ca", k->ca, sizeof(k->ca));
	take_text(row, "address", k->address, sizeof(k->address));
	take_text(row, "first_seen", k->first_seen, sizeof(k->first_seen));
	take_text(row, "last_seen", k->last_seen, sizeof(k->last_seen));
	take_text(row, "until", k->until, sizeof(k->until));
	take_text(row, "cert_from", k->cert_from, sizeof(k->cert_from));
	take_text(row, "cert_until", k->cert_until, sizeof(k->cert_until));
	take_text(row, "note", k->note, sizeof(k->note));
	take_text(row, "who", k->who, sizeof(k->who));
	take_text(row, "decided", k->decided, sizeof(k->decided));
	take_text(row, "by", k->by, sizeof(k->by));
	take_text(row, "other", k->other, sizeof(k->other));
	read_hosts(k, rk_value_get(row, "addresses"));
	k->tries = ctl_number(row, "tries");
	k->conns = ctl_number(row, "waiting");
	k->version = ctl_number(row, "version");
	k->met = take_bool(row, "met");
	return true;
}

/* ---- answers ---- */

/* A picture that is being made. */
struct picture {
	struct model_key *keys;
	size_t n;
	struct model_index by_fp;
};

static bool
has(const struct picture *p, const char *fp)
{
	uint64_t at = index_hash_text(&p->by_fp, fp);
	size_t i;

	while ((i = index_next(&p->by_fp, &at)) != SIZE_MAX) {
		if (strcmp(p->keys[i].fp, fp) == 0)
			return true;
	}
	return false;
}

/* The last of them, if nothing else has its fingerprint. */
static void
keep_last(struct picture *p)
{
	const char *fp = p->keys[p->n].fp;

	if (has(p, fp))
		return;
	index_put(&p->by_fp, index_hash_text(&p->by_fp, fp), p->n);
	p->n++;
}

static void
put_old(struct picture *p, const struct model *m, bool listed)
{
	for (size_t i = 0; i < m->n_keys && p->n < MODEL_KEYS; i++) {
		if (m->keys[i].listed != listed)
			continue;
		p->keys[p->n] = m->keys[i];
		keep_last(p);
	}
}

/* How many there was no room for. */
static uint64_t
put_part(struct picture *p, const struct model_part *part)
{
	size_t i;

	for (i = 0; i < part->n && p->n < MODEL_KEYS; i++) {
		p->keys[p->n] = part->keys[i];
		keep_last(p);
	}
	return part->n - i;
}

static void
take_list(struct model *m, const struct rk_value *answer)
{
	struct model_status *s = &m->status;

	take_text(answer, "mode", s->mode, sizeof(s->mode));
	take_text(answer, "list", s->list, sizeof(s->list));
	s->known = ctl_number(answer, "known");
}

/* A list is whole.  What was decided says more than the line in the file. */
static enum rk_err
take_part(struct model *m, const struct model_part *part, bool known)
{
	struct picture p = { .by_fp.seed = m->by_fp.seed };
	uint64_t *left_out = known ? &m->known_left_out : &m->trust_left_out;
	size_t cap = m->n_keys + part->n;

	cap = (cap < MODEL_KEYS ? cap : MODEL_KEYS) + 1;
	if ((p.keys = malloc(cap * sizeof(*p.keys))) == NULL)
		return RK_ENOMEM;
	if (index_reset(&p.by_fp, cap) != RK_OK) {
		free(p.keys);
		return RK_ENOMEM;
	}
	if (known)
		put_old(&p, m, false);
	*left_out = add_capped(part->parts.left, part->lost);
	*left_out = add_capped(*left_out, put_part(&p, part));
	if (!known)
		put_old(&p, m, true);
	free(m->keys);
	index_fini(&m->by_fp);
	m->keys = p.keys;
	m->n_keys = p.n;
	m->cap_keys = cap;
	m->by_fp = p.by_fp;
	m->keys_left_out = add_capped(m->trust_left_out, m->known_left_out);
	m->keys_partly = !known; /* that is asked for last */
	if (recount(m) != RK_OK) {
		keys_clear(m);
		return RK_ENOMEM;
	}
	return RK_OK;
}

enum rk_err
keys_answer(struct model *m, const struct rk_value *answer, bool known)
{
	const struct rk_value *rows = take_rows(rk_value_get(answer, "keys"));
	struct model_part *part = &m->part[known];
	bool whole;
	enum rk_err r;

	if (rows == NULL) {
		part_clear(part);
		return RK_EPROTO;
	}
	/* Those before it were let go meanwhile: alone it is no list. */
	if (part->parts.rows == 0 && ctl_number(answer, "from") != 0)
		return RK_OK;
	r = part_add(part, answer, rows, known, &whole);
	if (r == RK_OK && !whole)
		return RK_OK;
	if (r == RK_OK)
		r = take_part(m, part, known);
	if (r == RK_OK) {
		take_list(m, answer);
		/* It never stood still: it is asked for again, later. */
		m->keys_stale = m->keys_stale || part->parts.moved;
		conns_mark(m);
	}
	part_clear(part);
	return r;
}

/* ---- events ---- */

static enum rk_err
add_key(struct model *m, const struct model_key *k)
{
	struct model_key *keys;
	size_t cap;

	if (m->n_keys >= MODEL_KEYS) {
		m->keys_left_out = add_capped(m->keys_left_out, 1);
		return RK_OK;
	}
	if (m->n_keys == m->cap_keys) {
		cap = 2 * m->cap_keys + SPARE;
		if ((keys = realloc(m->keys, cap * sizeof(*keys))) == NULL)
			return RK_ENOMEM;
		m->keys = keys;
		m->cap_keys = cap;
	}
	if (!index_has_room(&m->by_fp)) {
		enum rk_err r = recount(m);

		if (r != RK_OK)
			return r;
	}
	m->keys[m->n_keys] = *k;
	put_index(m, m->n_keys++);
	return RK_OK;
}

static enum rk_err
remove_key(struct model *m, struct model_key *k)
{
	*k = m->keys[--m->n_keys];
	return recount(m);
}

static void
count(struct model *m, const struct model_key *k, size_t by)
{
	if (k->state <= KEY_EXPIRED)
		m->n_waiting += by;
	if (k->state == KEY_CHANGED)
		m->n_changed += by;
}

static enum rk_err
put_key(struct model *m, const struct model_key *k)
{
	struct model_key *old = model_key(m, k->fp);
	size_t n = m->n_keys;
	enum rk_err r = RK_OK;

	if (old != NULL) {
		count(m, old, (size_t)-1);
		*old = *k;
		count(m, k, 1);
	} else if ((r = add_key(m, k)) == RK_OK && m->n_keys > n) {
		count(m, k, 1);
	}
	return r;
}

/* A key that was let in, or forgotten, is told as it was when it waited: what
 * it is now has to be asked. */
enum rk_err
keys_event(struct model *m, const char *word, const struct rk_value *event)
{
	struct model_key k, *old;
	bool decided = strcmp(word, "decided") == 0;
	enum rk_err r = RK_OK;

	if (!keys_read(&k, event))
		return RK_EPROTO;
	m->keys_stale = m->keys_stale || decided || strcmp(word, "gone") == 0;
	/* What came of a list is from before. */
	for (int i = 0; i < 2; i++)
		m->part[i].parts.moved = m->part[i].more;
	old = model_key(m, k.fp);
	if (strcmp(word, "gone") == 0 || (decided && k.state <= KEY_EXPIRED)) {
		m->keys_partly = true;
		if (old != NULL && !old->listed)
			r = remove_key(m, old);
	} else {
		r = put_key(m, &k);
	}
	conns_mark(m);
	return r;
}

void
keys_clear(struct model *m)
{
	m->n_keys = 0;
	m->keys_left_out = m->trust_left_out = m->known_left_out = 0;
	m->n_waiting = m->n_changed = 0;
	index_fini(&m->by_fp);
	model_no_more(m);
}
