/* A client's calls that wait for their answer. */
#include "rpc/pending.h"

#include "base/str.h"

#include <rpckit/secret.h>

#include <stdlib.h>

/* Structs kept for reuse: what a busy client has outstanding. */
#define FREE_MAX 4096

/* Go's clients start there; 1 and 0 have meanings of their own. */
#define FIRST_SEQNO 2

void
pending_init(struct pending_table *t)
{
	*t = (struct pending_table){ .next_seqno = FIRST_SEQNO,
		.next_deadline = RK_NEVER };
	idmap_init(&t->map);
	TAILQ_INIT(&t->all);
	TAILQ_INIT(&t->free_list);
}

void
pending_fini(struct pending_table *t)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(&t->free_list)) != NULL) {
		TAILQ_REMOVE(&t->free_list, p, link);
		free(p);
	}
	idmap_fini(&t->map);
	rk_wipe(t->id_tails, sizeof(t->id_tails));
}

static void
fill_pool(struct pending_table *t)
{
	uint8_t head[CALL_ID_HEAD_RAW];

	rk_random(head, sizeof(head));
	rk_random(t->id_tails, sizeof(t->id_tails));
	str_base64(t->id_head, head, sizeof(head), STR_BASE64URL_NOPAD);
	t->ids_left = CALL_ID_POOL;
}

/* In hexadecimal, without zeros in front. */
static size_t
put_number(char *id, uint64_t v)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 16 - (size_t)__builtin_clzll(v | 1) / 4;

	for (size_t i = len; i > 0; v >>= 4)
		id[--i] = digits[v & 15];
	return len;
}

/* Half a byte a letter: every call needs one, and base64 takes its time. */
static void
put_secret(struct pending_table *t, char *id)
{
	const uint8_t *tail;

	if (t->ids_left == 0)
		fill_pool(t);
	tail = t->id_tails[--t->ids_left];
	memcpy(id, t->id_head, CALL_ID_HEAD_LEN);
	id += CALL_ID_HEAD_LEN;
	for (size_t i = 0; i < CALL_ID_TAIL_RAW; i++) {
		id[2 * i] = (char)('A' + (tail[i] >> 4));
		id[2 * i + 1] = (char)('A' + (tail[i] & 15));
	}
}

size_t
pending_call_id(struct pending_table *t, uint64_t seqno, char id[CALL_ID_LEN])
{
	if (t->numbered)
		return put_number(id, seqno);
	put_secret(t, id);
	return CALL_ID_LEN;
}

static struct pending *
take_free(struct pending_table *t)
{
	struct pending *p = TAILQ_FIRST(&t->free_list);

	if (p == NULL)
		return malloc(sizeof(*p));
	TAILQ_REMOVE(&t->free_list, p, link);
	t->n_free--;
	return p;
}

enum rk_err
pending_add(struct pending_table *t, uint64_t deadline, rk_reply_fn *fn,
    void *arg, struct pending **out)
{
	struct pending *p = take_free(t);
	enum rk_err r;

	*out = NULL;
	if (p == NULL)
		return RK_ENOMEM;
	*p = (struct pending){ .seqno = t->next_seqno,
		.deadline = deadline,
		.at = RK_NEVER,
		.fn = fn,
		.arg = arg };
	if ((r = idmap_add(&t->map, p->seqno, p)) != RK_OK) {
		pending_release(t, p);
		return r;
	}
	TAILQ_INSERT_TAIL(&t->all, p, link);
	t->next_seqno++;
	if (deadline < t->next_deadline)
		t->next_deadline = deadline;
	p->id_len = (uint8_t)pending_call_id(t, p->seqno, p->call_id);
	*out = p;
	return RK_OK;
}

struct pending *
pending_match(struct pending_table *t, uint64_t seqno, struct rk_str call_id)
{
	const struct pending *p = idmap_find(&t->map, seqno);

	if (p == NULL)
		return NULL;
	if (call_id.len != 0 &&
	    (call_id.len != p->id_len ||
	        memcmp(call_id.ptr, p->call_id, p->id_len) != 0))
		return NULL;
	return pending_remove(t, seqno);
}

struct pending *
pending_remove(struct pending_table *t, uint64_t seqno)
{
	struct pending *p = idmap_remove(&t->map, seqno);

	if (p != NULL)
		TAILQ_REMOVE(&t->all, p, link);
	return p;
}

struct pending *
pending_find(const struct pending_table *t, uint64_t seqno)
{
	return idmap_find(&t->map, seqno);
}

bool
pending_has(const struct pending_table *t, uint64_t seqno)
{
	return pending_find(t, seqno) != NULL;
}

void
pending_expire(struct pending_table *t, uint64_t now, struct pending_list *to)
{
	uint64_t nearest = RK_NEVER;
	struct pending *p, *next;

	for (p = TAILQ_FIRST(&t->all); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->deadline <= now) {
			(void)pending_remove(t, p->seqno); /* it is there */
			p->code = RK_ETIMEOUT;
			TAILQ_INSERT_TAIL(to, p, link);
		} else if (p->deadline < nearest) {
			nearest = p->deadline;
		}
	}
	t->next_deadline = nearest;
}

void
pending_end_all(
    struct pending_table *t, enum rk_err code, struct pending_list *to)
{
	struct pending *p;

	TAILQ_FOREACH (p, &t->all, link)
		p->code = code;
	TAILQ_CONCAT(to, &t->all, link);
	idmap_fini(&t->map);
	t->next_deadline = RK_NEVER;
}

void
pending_keep(
    struct pending_table *t, struct pending *p, uint8_t *frame, size_t len)
{
	p->kept = frame;
	p->kept_len = len;
	t->kept += len;
}

void
pending_release(struct pending_table *t, struct pending *p)
{
	t->kept -= p->kept_len;
	free(p->kept);
	p->kept = NULL;
	p->kept_len = 0;
	if (t->n_free >= FREE_MAX) {
		free(p);
		return;
	}
	TAILQ_INSERT_HEAD(&t->free_list, p, link);
	t->n_free++;
}

size_t
pending_count(const struct pending_table *t)
{
	return t->map.count;
}
