/* What is known of the daemon: the beginning, the end, who takes what in. */
#include "model.h"

#include "model_int.h"

#include <stdlib.h>
#include <string.h>

void
model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	index_init(&m->by_id);
	index_init(&m->by_fp);
}

void
model_fini(struct model *m)
{
	index_fini(&m->by_id);
	index_fini(&m->by_fp);
	free(m->conns);
	free(m->spare);
	free(m->keys);
	model_no_more(m);
	free(m->calls);
	rk_value_free(m->methods);
	memset(m, 0, sizeof(*m));
}

/* ---- answers ---- */

/* May its callers steer?  They are told of what they may call only. */
static enum rk_err
methods_answer(struct model *m, const struct rk_value *answer)
{
	const struct rk_value *rows = take_rows(answer);
	char name[32];
	bool steers = false;

	if (rows == NULL)
		return RK_EPROTO;
	for (uint32_t i = 0; i < rows->u.list.count; i++) {
		take_text(&rows->u.list.items[i], "name", name, sizeof(name));
		steers = steers || strcmp(name, "_.kick") == 0;
	}
	m->read_only = !steers;
	return RK_OK;
}

/* A copy; the answer is its owner's. */
static enum rk_err
serves_answer(struct model *m, const struct rk_value *answer)
{
	struct rk_value_doc *doc;
	uint8_t *bytes;
	size_t len;
	enum rk_err r;

	if (take_rows(answer) == NULL)
		return RK_EPROTO;
	if ((r = rk_value_encode(answer, &bytes, &len)) != RK_OK)
		return r == RK_ENOMEM ? r : RK_EPROTO;
	r = rk_value_decode(bytes, len, &doc);
	free(bytes);
	if (r != RK_OK)
		return r == RK_ENOMEM ? r : RK_EPROTO;
	rk_value_free(m->methods);
	m->methods = doc;
	return RK_OK;
}

static enum rk_err
take(struct model *m, const char *method, const struct rk_value *answer,
    int64_t now)
{
	if (strcmp(method, "_.status") == 0)
		return status_answer(m, answer, now);
	if (strcmp(method, "_.conns") == 0)
		return conns_answer(m, answer, now);
	if (strcmp(method, "_.calls") == 0)
		return calls_answer(m, answer, now);
	if (strcmp(method, "_.trust") == 0)
		return keys_answer(m, answer, false);
	if (strcmp(method, "_.known") == 0)
		return keys_answer(m, answer, true);
	if (strcmp(method, "_.log") == 0)
		return log_answer(m, answer);
	if (strcmp(method, "_.serves") == 0)
		return serves_answer(m, answer);
	if (strcmp(method, "_.methods") == 0)
		return methods_answer(m, answer);
	return RK_OK;
}

enum rk_err
model_answer(struct model *m, const char *method, const struct rk_value *answer,
    int64_t now)
{
	enum rk_err r = take(m, method, answer, now);

	if (r == RK_OK)
		m->changes++;
	return r;
}

/* ---- events ---- */

static enum rk_err
take_event(struct model *m, const char *word, const struct rk_value *event,
    int64_t now)
{
	bool waits = strcmp(word, "arrived") == 0 || strcmp(word, "again") == 0;
	bool key =
	    waits || strcmp(word, "decided") == 0 || strcmp(word, "gone") == 0;
	bool opened = strcmp(word, "opened") == 0;

	/* No event tells the connection of who waits, and may have given up
	 * when somebody was refused; of others they tell less than a row. */
	m->conns_stale =
	    m->conns_stale || key || opened || strcmp(word, "refused") == 0;
	m->conns_missing = m->conns_missing || waits;
	if (opened)
		return conns_opened(m, event, now);
	if (strcmp(word, "closed") == 0)
		return conns_closed(m, event, now);
	if (key)
		return keys_event(m, word, event);
	if (strcmp(word, "mode") == 0) {
		status_trust(m, rk_value_get(event, "trust"));
		m->keys_stale = true;
	} else if (strcmp(word, "revoked") == 0) {
		m->keys_stale = true;
	} else if (strcmp(word, "log") == 0) {
		log_line(m, event);
	} else if (strcmp(word, "lost") == 0) {
		m->events_lost =
		    add_capped(m->events_lost, ctl_number(event, "count"));
		m->all_stale = true;
	}
	return RK_OK;
}

enum rk_err
model_event(struct model *m, const struct rk_value *event, int64_t now)
{
	char word[32];
	enum rk_err r;

	if (event == NULL || event->kind != RK_MAP)
		return RK_EPROTO;
	take_text(event, "event", word, sizeof(word));
	if (word[0] == '\0')
		return RK_EPROTO;
	if ((r = take_event(m, word, event, now)) == RK_OK)
		m->changes++;
	return r;
}

void
model_tick(struct model *m, int64_t now)
{
	conns_tick(m, now);
}
