/* Lines of the log that are kept for a moment, and written together. */
#include "agent_int.h"

#include <stdio.h>
#include <time.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"

/* " sha256 ..." of what is signed, which for a file stands in the text. */
static void
show_hash(const struct order *o, char out[32])
{
	uint8_t hash[CRYPT_HASH_LEN];
	char hex[17];

	out[0] = '\0';
	if (o->view.is == PURPOSE_FILE)
		return;
	crypt_sha256(hash, o->data, o->len);
	str_hex(hex, hash, 8);
	(void)snprintf(out, 32, ", sha256 %s", hex);
}

/* What was signed, its hash, for whom. */
void
agent_log_describe(
    const struct order *o, uint64_t times, char out[VAULT_LOG_TEXT_MAX])
{
	char count[64] = "";
	char hash[32];

	show_hash(o, hash);
	if (times > 1)
		(void)snprintf(count, sizeof(count), ", %llu times, the last",
		    (unsigned long long)times);
	(void)snprintf(out, VAULT_LOG_TEXT_MAX, "agent: %s%s%s, for %s%s%.120s",
	    o->view.text, count, times > 1 ? hash + 1 : hash, o->asker.who,
	    o->by[0] != '\0' ? ", allowed by " : "", o->by);
}

enum rk_err
agent_log_room(struct agent *a, struct rk_error *err)
{
	if (a->n_lines < AGENT_LINES_MAX && !a->lines_late)
		return RK_OK;
	return agent_log_write(a, AGENT_LOCK_WAIT, err);
}

void
agent_log_add(
    struct agent *a, enum vault_act act, const char *name, const char *text)
{
	struct agent_line *line = &a->lines[a->n_lines];

	if (a->n_lines == 0)
		a->lines_time = (int64_t)time(NULL);
	line->act = act;
	(void)str_copy(line->name, sizeof(line->name), name);
	(void)str_copy(line->text, sizeof(line->text), text);
	a->counted[a->n_lines++].times = 0;
}

void
agent_log_take_back(struct agent *a)
{
	a->n_lines--;
}

bool
agent_log_waits(const struct order *o)
{
	return o->view.is == PURPOSE_TLS || o->view.is == PURPOSE_PSK ||
	       o->view.is == PURPOSE_SESSION;
}

/* Handshakes of one program are counted: a busy server's log would be nothing
 * else, and their hashes tell nobody anything. */
static size_t
same_as(const struct agent *a, const struct order *o)
{
	size_t i = 0;

	while (i < a->n_lines &&
	       (a->counted[i].times == 0 ||
	           strcmp(a->lines[i].name, o->name) != 0 ||
	           strcmp(a->counted[i].what, o->view.text) != 0 ||
	           strcmp(a->counted[i].who, o->asker.who) != 0))
		i++;
	return i;
}

void
agent_log_use(struct agent *a, const struct order *o, uint64_t now)
{
	char text[VAULT_LOG_TEXT_MAX];
	size_t at = same_as(a, o);
	struct counted *c = &a->counted[at];

	if (a->n_lines == 0)
		a->lines_at = now;
	if (at < a->n_lines) {
		agent_log_describe(o, ++c->times, a->lines[at].text);
		return;
	}
	agent_log_describe(o, 1, text);
	agent_log_add(a, VAULT_ACT_SIGN, o->name, text);
	c->times = 1;
	(void)str_copy(c->what, sizeof(c->what), o->view.text);
	(void)str_copy(c->who, sizeof(c->who), o->asker.who);
}

void
agent_log_written(struct agent *a)
{
	a->n_lines = 0;
	a->lines_late = false;
}

void
agent_log_lose(struct agent *a, const struct rk_error *why)
{
	if (a->lost == 0)
		a->lost_from = a->lines_time;
	a->lost_to = (int64_t)time(NULL);
	for (size_t i = 0; i < a->n_lines; i++)
		a->lost += a->counted[i].times > 0 ? a->counted[i].times : 1;
	(void)str_copy(a->lost_why, sizeof(a->lost_why), why->text);
	log_event(RK_LOG_ERROR, "agent", "not in the log: %llu uses: %s",
	    (unsigned long long)a->lost, why->text);
	agent_log_written(a);
}

void
agent_log_lost(const struct agent *a, char out[AGENT_LOST_MAX])
{
	char from[32];
	char to[32];

	out[0] = '\0';
	if (a->lost == 0)
		return;
	str_time(from, a->lost_from);
	str_time(to, a->lost_to);
	(void)snprintf(out, AGENT_LOST_MAX,
	    "agent: its keys were closed, and %llu use%s not in the log, from "
	    "%s to %s: %.330s",
	    (unsigned long long)a->lost, a->lost == 1 ? " is" : "s are", from,
	    to, a->lost_why);
}

enum rk_err
agent_log_write(struct agent *a, int patience_ms, struct rk_error *err)
{
	enum rk_err r;

	if (a->n_lines == 0) {
		a->lines_late = false;
		return RK_OK;
	}
	r = a->back.log(a->back.arg, a->lines, a->n_lines, patience_ms, err);
	a->lines_late = r != RK_OK;
	if (r == RK_OK)
		agent_log_written(a);
	return r;
}

enum rk_err
agent_log_now(struct agent *a, enum vault_act act, const char *name,
    const char *text, struct rk_error *err)
{
	enum rk_err r;

	if ((r = agent_log_room(a, err)) != RK_OK)
		return r;
	agent_log_add(a, act, name, text);
	if ((r = agent_log_write(a, VAULT_WAIT_MS, err)) != RK_OK)
		agent_log_take_back(a);
	return r;
}

enum rk_err
agent_log_opened(struct agent *a, const char *name, size_t others,
    const char *who, struct rk_error *err)
{
	char line[VAULT_LOG_TEXT_MAX];
	char lost[AGENT_LOST_MAX];
	enum rk_err r;

	agent_log_lost(a, lost);
	(void)snprintf(line, sizeof(line),
	    "agent: opened with %zu others, for %s%s%s", others, who,
	    lost[0] != '\0' ? "; before, " : "", lost);
	if ((r = agent_log_now(a, VAULT_ACT_UNLOCK, name, line, err)) == RK_OK)
		a->lost = 0;
	return r;
}
