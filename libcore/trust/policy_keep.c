/* A decider's list taken in and given out, and the audit of its store. */
#include "trust/policy_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/ask_disk.h"
#include "trust/pubs.h"
#include "trust/store.h"

/* ---- beside the lines ---- */

struct policy_memos {
	struct rk_ask_entry *items; /* by their fingerprints */
	size_t n, cap;
	bool failed;
};

/* rk_store_entry_fn; they come in order. */
static bool
take_memo(const struct rk_store_entry *e, void *arg)
{
	struct policy_memos *m = arg;
	void *p;

	if (m->n == m->cap) {
		m->cap = 2 * m->cap + 16;
		p = reallocarray(m->items, m->cap, sizeof(*m->items));
		m->failed = p == NULL;
		if (m->failed)
			return false;
		m->items = p;
	}
	ask_disk_text(e, &m->items[m->n++]);
	return true;
}

enum rk_err
policy_memos_new(
    struct rk_trust *t, struct policy_memos **out, struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	struct policy_memos *m;
	enum rk_err r = RK_OK;

	*out = NULL;
	err_clear(err);
	if (s == NULL)
		return RK_OK;
	m = calloc(1, sizeof(*m));
	if (m != NULL)
		r = rk_store_list(s, 1U << RK_STORE_KNOWN, take_memo, m, err);
	if (r == RK_OK && (m == NULL || m->failed))
		r = err_set(err, RK_ENOMEM, "out of memory");
	if (r == RK_OK)
		*out = m;
	else
		policy_memos_free(m);
	return r;
}

static int
compare_fp(const void *fp, const void *item)
{
	return strcmp(fp, ((const struct rk_ask_entry *)item)->fp);
}

const struct rk_ask_entry *
policy_memo(const struct policy_memos *m, const char *fp)
{
	if (m == NULL || m->n == 0)
		return NULL;
	return bsearch(fp, m->items, m->n, sizeof(*m->items), compare_fp);
}

void
policy_memos_free(struct policy_memos *m)
{
	if (m == NULL)
		return;
	free(m->items);
	free(m);
}

/* ---- the audit ---- */

struct reading {
	policy_line_fn *fn;
	void *arg;
};

/* store_audit_fn */
static enum rk_err
tell_line(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	const struct reading *g = arg;

	(void)before;
	g->fn(line, g->arg);
	return RK_OK;
}

/* With the store's mutex. */
static enum rk_err
read_audit(struct rk_store *s, const struct policy_audit *which,
    struct reading *g, struct rk_error *err)
{
	struct store_audit_wish wish = { .max = which->max };
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	enum rk_err r = RK_OK;

	if (which->before < INT64_MAX)
		wish.before = (int64_t)which->before;
	if (which->key != NULL) {
		r = store_audit_key(s, which->key, pub, err);
		wish.pub = pub;
	}
	return r == RK_OK ? store_audit_newest(s, &wish, tell_line, g, err) : r;
}

enum rk_err
policy_audit(struct rk_trust *t, const struct policy_audit *which,
    policy_line_fn *fn, void *arg, struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	struct reading g = { .fn = fn, .arg = arg };
	enum rk_err r;

	err_clear(err);
	if (s == NULL)
		return err_set(err, RK_ESTATE,
		    "there is no store, and so no audit of decisions");
	(void)pthread_mutex_lock(&s->mutex);
	store_lock_notice(s);
	if ((r = store_refresh(s, err)) == RK_OK)
		r = read_audit(s, which, &g, err);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

/* ---- out ---- */

static enum rk_err
put_line(struct buf *b, const struct known_line *line)
{
	char id[RK_KEY_ID_LEN];

	rk_key_id(line->pub, id);
	return buf_printf(b, "%.*s %s:%.*s\n", (int)line->host.len,
	    line->host.ptr, id, (int)line->emails.len, line->emails.ptr);
}

/* Is it out by what the table says? */
static bool
is_out(const struct rk_trust *t, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	char fp[RK_FP_LEN];

	rk_fp_of_key(pub, fp);
	return room_is_out(t->room, fp);
}

struct writing {
	const struct rk_trust *trust;
	struct buf *b;
};

/* known_line_fn */
static enum rk_err
write_line(const struct known_line *line, void *arg)
{
	const struct writing *w = arg;

	return is_out(w->trust, line->pub) ? RK_OK : put_line(w->b, line);
}

static enum rk_err
export_file(struct rk_trust *t, struct buf *b, struct rk_error *err)
{
	struct writing w = { .trust = t, .b = b };
	struct known known = { 0 };
	struct buf text;
	bool ended;
	enum rk_err r;

	buf_init(&text, KNOWN_FILE_MAX);
	r = known_read_text(t->path, KNOWN_WAIT_SHOW_MS, &known, &text, err);
	known_fini(&known);
	if (r == RK_OK && (r = buf_put_str(b, KNOWN_FIRST_LINE)) == RK_OK &&
	    buf_len(&text) > 0)
		r = known_walk(t->name, (const char *)buf_peek(&text),
		    buf_len(&text), write_line, &w, &ended, err);
	if (r == RK_ENOMEM || r == RK_ETOOBIG)
		r = err_set(err, r, "%s: %s", t->name, rk_err_text(r));
	buf_fini(&text);
	return r;
}

enum rk_err
policy_export(struct rk_trust *t, char **out, size_t *len, struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	uint8_t *text = NULL;
	struct buf b;
	enum rk_err r;

	*out = NULL;
	*len = 0;
	err_clear(err);
	if (t->path == NULL)
		return err_set(
		    err, RK_ESTATE, "there is no list of known keys");
	if (s != NULL)
		return rk_store_export(s, out, len, err);
	buf_init(&b, KNOWN_FILE_MAX);
	r = export_file(t, &b, err);
	if (r == RK_OK && (r = buf_take(&b, &text, len)) != RK_OK)
		r = err_set(err, r, "%s: %s", t->name, rk_err_text(r));
	buf_fini(&b);
	*out = (char *)text;
	return r;
}

/* ---- looked at ---- */

#define LOOK_KEYS 128     /* at a time: some ms */
#define LOOK_BYTES 262144 /* of lines that need no look */

struct policy_looked {
	size_t at;              /* that far in the text */
	struct pubs keys, not ; /* what can be a key, and what cannot */
};

static bool
is_all(const struct policy_looked *l, size_t len)
{
	/* A text that has more is refused. */
	return l->at >= len || l->keys.n + l->not .n == KNOWN_KEYS_MAX;
}

static bool
was_seen(const struct policy_looked *l, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	return pubs_have(&l->keys, pub) || pubs_have(&l->not, pub);
}

enum rk_err
policy_look(struct rk_trust *t, const struct policy_text *text,
    struct policy_looked **looked, struct rk_error *err)
{
	struct policy_looked *l = *looked;
	struct known_line line;
	size_t end, n = 0;
	bool ended;

	if (l == NULL && (l = *looked = calloc(1, sizeof(*l))) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	end = text->len - l->at < LOOK_BYTES ? text->len : l->at + LOOK_BYTES;
	(void)pthread_mutex_lock(&t->mutex);
	while (l->at < end && n < LOOK_KEYS && !is_all(l, text->len)) {
		if (known_line(
		        known_next_line(text->text, text->len, &l->at, &ended),
		        &line) != RK_OK ||
		    known_has(&t->known, line.pub) || was_seen(l, line.pub))
			continue;
		n++;
		pubs_add(crypt_ed25519_key_ok(line.pub) ? &l->keys : &l->not,
		    line.pub);
	}
	(void)pthread_mutex_unlock(&t->mutex);
	return is_all(l, text->len) ? RK_OK : RK_EAGAIN;
}

static bool
is_key(const struct policy_looked *l, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	if (l != NULL && was_seen(l, pub))
		return pubs_have(&l->keys, pub);
	return crypt_ed25519_key_ok(pub);
}

/* ---- in ---- */

struct importing {
	struct rk_trust *trust;
	struct rk_store *store; /* NULL: none */
	const struct policy_text *from;
	struct policy_import *out;
	struct pubs *keys;       /* those that are new */
	struct buf lines;        /* and their lines */
	struct mails_seen mails; /* and addresses */
	size_t n_lines;
};

static void
name_line(struct policy_lines *lines, unsigned number)
{
	if (lines->n < POLICY_LINES_MAX)
		lines->first[lines->n] = number;
	lines->n++;
}

/* Is it known, or a line before this one is it? */
static bool
is_had(const struct importing *in, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	return known_has(&in->trust->known, pub) || pubs_have(in->keys, pub);
}

enum place {
	PLACE_FRESH,
	PLACE_KNOWN,
	PLACE_WRONG,
	PLACE_OUT,
	PLACE_TAKEN
};

/* Does the store keep it out?  The table's lock comes before its mutex, and
 * must not be taken with it. */
static bool
is_out_there(const struct importing *in, const struct known_line *line)
{
	const struct store_key *key;
	bool out;

	if (in->store == NULL)
		return false;
	(void)pthread_mutex_lock(&in->store->mutex);
	key = store_key_find(in->store, line->pub);
	out = key != NULL && (key->state == RK_STORE_REJECTED ||
	                         key->state == RK_STORE_REVOKED);
	(void)pthread_mutex_unlock(&in->store->mutex);
	return out;
}

/* What the certificate of a key that was here says; "": nothing. */
static void
find_mails(
    const struct importing *in, const struct known_line *line, char mails[256])
{
	char fp[RK_FP_LEN];

	rk_fp_of_key(line->pub, fp);
	room_mails(in->trust->room, fp, mails, 256);
}

/* By another known key, or by a line before this one: by what the line says,
 * and by the certificate. */
static enum rk_err
find_taken(const struct importing *in, const struct known_line *line,
    bool *taken, struct rk_error *err)
{
	const struct mails_for whom = { .pub = line->pub };
	char text[256];
	struct mails mails[2] = { mails_of_line(line->emails) };
	enum rk_err r = RK_OK;

	find_mails(in, line, text);
	mails[1] = mails_of(text);
	*taken = false;
	for (size_t i = 0; i < 2 && r == RK_OK && !*taken; i++) {
		*taken = mails_were_seen(&in->mails, mails[i]);
		if (!*taken)
			r = policy_is_taken(
			    in->trust, &whom, mails[i], taken, err);
	}
	return r;
}

static enum rk_err
find_place(const struct importing *in, const struct known_line *line,
    enum place *place, struct rk_error *err)
{
	bool taken = false;
	enum rk_err r = RK_OK;

	if (is_had(in, line->pub)) {
		*place = PLACE_KNOWN;
	} else if (!is_key(in->from->looked, line->pub)) {
		*place = PLACE_WRONG;
	} else if (is_out(in->trust, line->pub) || is_out_there(in, line)) {
		*place = PLACE_OUT;
	} else {
		if (!in->from->changed)
			r = find_taken(in, line, &taken, err);
		*place = taken ? PLACE_TAKEN : PLACE_FRESH;
	}
	return r;
}

static enum rk_err
take_fresh(
    struct importing *in, const struct known_line *line, struct rk_error *err)
{
	struct policy_import *out = in->out;
	char mails[256];

	if (in->trust->known.lines + out->fresh >= KNOWN_KEYS_MAX)
		return err_set(err, RK_ELIMIT,
		    "%s: it would have more than 10000 keys", in->trust->name);
	find_mails(in, line, mails);
	if (put_line(&in->lines, line) != RK_OK ||
	    mails_see(&in->mails, mails_of_line(line->emails)) != RK_OK ||
	    mails_see(&in->mails, mails_of(mails)) != RK_OK)
		return err_set(
		    err, RK_ENOMEM, "%s: out of memory", in->trust->name);
	pubs_add(in->keys, line->pub);
	out->fresh++;
	return RK_OK;
}

static enum rk_err
sort_line(struct importing *in, struct rk_str text, unsigned number,
    struct rk_error *err)
{
	struct policy_import *out = in->out;
	struct known_line line;
	enum place place;
	enum rk_err r = known_line(text, &line);

	if (r == RK_ENOENT)
		return RK_OK;
	/* Decisions wait meanwhile. */
	if (++in->n_lines > KNOWN_KEYS_MAX)
		return err_set(err, RK_ELIMIT,
		    "more than 10000 lines with keys: import them in parts");
	if (r != RK_OK)
		place = PLACE_WRONG;
	else if ((r = find_place(in, &line, &place, err)) != RK_OK)
		return r;
	switch (place) {
	case PLACE_FRESH:
		return take_fresh(in, &line, err);
	case PLACE_KNOWN:
		out->known++;
		break;
	case PLACE_WRONG:
		name_line(&out->wrong, number);
		break;
	case PLACE_OUT:
		out->out++;
		break;
	case PLACE_TAKEN:
		name_line(&out->taken, number);
		break;
	}
	return RK_OK;
}

static enum rk_err
sort_text(struct importing *in, struct rk_error *err)
{
	unsigned number = 0;
	enum rk_err r = RK_OK;
	bool ended;

	for (size_t at = 0; at < in->from->len && r == RK_OK;)
		r = sort_line(in,
		    known_next_line(in->from->text, in->from->len, &at, &ended),
		    ++number, err);
	return r;
}

static enum rk_err
sort_keys(struct importing *in, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	if (in->store != NULL) {
		(void)pthread_mutex_lock(&in->store->mutex);
		r = store_refresh(in->store, err);
		(void)pthread_mutex_unlock(&in->store->mutex);
	}
	return r == RK_OK ? sort_text(in, err) : r;
}

/* Those that waited do so no more. */
static enum rk_err
settle(const struct importing *in, size_t n, struct rk_error *err)
{
	char fp[RK_FP_LEN];

	for (size_t i = 0; i < n; i++) {
		rk_fp_of_key(in->keys->keys[i], fp);
		room_forget_known(in->trust->room, fp);
	}
	return policy_refresh_after(in->trust, err);
}

static enum rk_err
import(struct importing *in, struct rk_error *err)
{
	const struct policy_text *f = in->from;
	const struct store_import from = { .name = "import",
		.text = f->text,
		.len = f->len,
		.who = f->who,
		.changed = f->changed };
	struct rk_trust *t = in->trust;
	size_t n;
	enum rk_err r;

	if ((r = policy_refresh(t, err)) != RK_OK)
		return r;
	if (t->known.state == RK_TRUST_ABSENT)
		return err_set(
		    err, RK_ESTATE, "there is no list of known keys");
	if (policy_state(t, t->mode) == RK_TRUST_LOCKED)
		return err_set(err, RK_ESTATE, "%s is locked", t->name);
	if ((r = sort_keys(in, err)) != RK_OK || in->out->wrong.n > 0 ||
	    in->out->fresh == 0)
		return r;
	n = in->out->fresh;
	if (in->store != NULL)
		r = store_import(in->store, &from, &in->out->fresh, err);
	else
		r = known_append(
		    t->path, NULL, &in->lines, KNOWN_WAIT_PROBE_MS, err);
	return r == RK_OK ? settle(in, n, err) : r;
}

enum rk_err
policy_import(struct rk_trust *t, const struct policy_text *from,
    struct policy_import *out, struct rk_error *err)
{
	struct importing in = { .trust = t, .from = from, .out = out };
	enum rk_err r;

	*out = (struct policy_import){ .fresh = 0 };
	err_clear(err);
	if (t->path == NULL)
		return err_set(
		    err, RK_ESTATE, "there is no list of known keys");
	in.keys = calloc(1, sizeof(*in.keys));
	if (in.keys == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	buf_init(&in.lines, KNOWN_FILE_MAX);
	in.store = ask_disk_store(t->room);
	(void)pthread_mutex_lock(&t->mutex);
	if (t->mode == RK_TRUST_OFF)
		r = err_set(err, RK_ESTATE, "there is no list of known keys");
	else
		r = import(&in, err);
	(void)pthread_mutex_unlock(&t->mutex);
	if (r == RK_OK && out->wrong.n == 0 && out->fresh > 0)
		room_tell_mode(t->room); /* they may wait */
	buf_fini(&in.lines);
	mails_unsee(&in.mails);
	free(in.keys);
	return r;
}
