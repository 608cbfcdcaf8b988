/* What rpctui --plain says: the daemon, its lists, an event, as lines. */
#include "plain_say.h"

#include "view.h"

#include "base/str.h"
#include "cli/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *
plain_now(char dst[32])
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	str_time(dst, now.tv_sec);
	return dst;
}

/* As it came from the daemon, made harmless; "-" for nothing. */
static const char *
shown(char *dst, size_t len, const char *text)
{
	return str_escape_again(dst, len, text[0] == '\0' ? "-" : text);
}

static const char *
member(const struct rk_value *v, const char *key, char *dst, size_t len)
{
	const struct rk_value *text = rk_value_get(v, key);

	if (text == NULL || text->kind != RK_STR || text->u.bytes.len == 0)
		(void)str_copy(dst, len, "-");
	else
		(void)rk_escape(dst, len, (const char *)text->u.bytes.ptr,
		    text->u.bytes.len);
	return dst;
}

/* Who it is: the e-mail, or else the certificate's name. */
static const char *
member_name(const struct rk_value *v, char *dst, size_t len)
{
	const size_t start = strlen("CN=");

	if (strcmp(member(v, "email", dst, len), "-") != 0)
		return dst;
	(void)str_copy(dst, len, "CN=");
	if (strcmp(member(v, "cn", dst + start, len - start), "-") == 0)
		(void)str_copy(dst, len, "-");
	return dst;
}

void
plain_say_status(const struct out *out, const struct model *m)
{
	const struct model_status *s = &m->status;
	char when[32], name[256], version[128], state[64], mode[32];

	out_text(out,
	    "%s status %s %s %s, %zu connections, %" PRIu64
	    " calls running, trust %s, %zu keys wait\n",
	    plain_now(when), shown(name, sizeof(name), s->name),
	    shown(version, sizeof(version), s->version),
	    shown(state, sizeof(state), s->state), m->n_conns, s->running,
	    shown(mode, sizeof(mode), s->mode), model_waiting(m));
}

/* All that somebody has to know who decides. */
static void
say_key_that_waits(const struct out *out, const struct model_key *k)
{
	static const char *const words[] = { "new", "changed", "expired" };
	char email[600], address[300], fp[120], seen[64], ca[300];

	out_text(out, "%s waits %s %s from %s %s, %" PRIu64 " tries, CA %s",
	    shown(seen, sizeof(seen), k->last_seen), words[k->state],
	    shown(email, sizeof(email), k->name),
	    shown(address, sizeof(address), k->address),
	    shown(fp, sizeof(fp), k->fp), k->tries,
	    shown(ca, sizeof(ca), k->ca));
	if (k->other[0] != '\0')
		out_text(out, ", known with another key, %s",
		    shown(fp, sizeof(fp), k->other));
	out_text(out, "\n");
}

void
plain_say_waiting(const struct out *out, const struct model *m)
{
	for (size_t i = 0; i < m->n_keys; i++) {
		if (m->keys[i].state <= KEY_EXPIRED)
			say_key_that_waits(out, &m->keys[i]);
	}
	if (m->keys_untold[0][0] != '\0')
		out_text(out, "who waits is not told: %s\n", m->keys_untold[0]);
	else if (model_waiting(m) == 0)
		out_text(out, "no key waits\n");
}

void
plain_say_conns(const struct out *out, const struct model *m)
{
	static const char *const words[] = { "new", "active", "idle", "closing",
		"closed", "waiting" };
	char since[64], email[600], address[300], who[VIEW_WHO];

	for (size_t i = 0; i < m->n_conns; i++) {
		const struct model_conn *c = &m->conns[i];

		out_text(out,
		    "connection %" PRIu64 " %s %s from %s since %s, %" PRIu64
		    " running, %" PRIu64 " calls, %" PRIu64
		    " bytes in, %" PRIu64 " bytes out\n",
		    c->id, words[c->state],
		    shown(email, sizeof(email), view_who(c, who)),
		    shown(address, sizeof(address), c->address),
		    shown(since, sizeof(since), c->since), c->running, c->calls,
		    c->in, c->out);
	}
	if (m->n_conns == 0)
		out_text(out, "no connections\n");
}

void
plain_say_calls(const struct out *out, const struct model *m)
{
	char method[600], email[600], file[4 * MODEL_FILE];

	for (size_t i = 0; i < m->n_calls; i++) {
		const struct model_call *c = &m->calls[i];

		out_text(out,
		    "call %s of connection %" PRIu64 " %s, for %" PRId64
		    " ms%s%s%s%s\n",
		    shown(method, sizeof(method), c->method), c->conn,
		    shown(email, sizeof(email), c->name),
		    m->calls_ms - c->began_ms, c->stream ? ", stream" : "",
		    c->canceled ? ", canceled" : "",
		    c->file[0] != '\0' ? ", file " : "",
		    c->file[0] == '\0' ? ""
		                       : shown(file, sizeof(file), c->file));
	}
	if (m->n_calls == 0)
		out_text(out, "no calls\n");
}

/* ---- events ---- */

static void
say_conn(const struct out *out, const struct rk_value *v, const char *head)
{
	char email[600], address[300], fp[120], why[600];

	out_text(out, "%s %" PRIu64 " %s from %s %s", head, ctl_number(v, "id"),
	    member_name(v, email, sizeof(email)),
	    member(v, "address", address, sizeof(address)),
	    member(v, "fingerprint", fp, sizeof(fp)));
	if (rk_value_get(v, "why") != NULL)
		out_text(out, ": %s", member(v, "why", why, sizeof(why)));
	out_text(out, "\n");
}

static void
say_key(const struct out *out, const struct rk_value *v, const char *head)
{
	char state[64], email[600], address[300], fp[120];

	out_text(out, "%s %s %s from %s %s, %" PRIu64 " tries\n", head,
	    member(v, "state", state, sizeof(state)),
	    member_name(v, email, sizeof(email)),
	    member(v, "address", address, sizeof(address)),
	    member(v, "fingerprint", fp, sizeof(fp)), ctl_number(v, "tries"));
}

static void
say_other(const struct out *out, const struct rk_value *v, const char *head)
{
	const struct rk_value *trust = rk_value_get(v, "trust");
	char a[64], b[64], address[300], text[2400];

	if (trust != NULL)
		out_text(out, "%s %s, list %s\n", head,
		    member(trust, "mode", a, sizeof(a)),
		    member(trust, "list", b, sizeof(b)));
	else if (rk_value_get(v, "level") != NULL)
		out_text(out, "%s %s %s %s\n", head,
		    member(v, "level", a, sizeof(a)),
		    member(v, "subsystem", b, sizeof(b)),
		    member(v, "text", text, sizeof(text)));
	else if (rk_value_get(v, "count") != NULL)
		out_text(out, "%s %" PRIu64 " events\n", head,
		    ctl_number(v, "count"));
	else if (rk_value_get(v, "why") != NULL)
		out_text(out, "%s %s: %s\n", head,
		    member(v, "address", address, sizeof(address)),
		    member(v, "why", text, sizeof(text)));
	else
		out_text(out, "%s %s\n", head,
		    member(v, "text", text, sizeof(text)));
}

/* What is usual and logged is told by other events as well. */
static bool
is_told_twice(const struct rk_value *v, const char *word)
{
	char level[64];

	return strcmp(word, "log") == 0 &&
	       strcmp(member(v, "level", level, sizeof(level)), "info") == 0;
}

void
plain_say_event(const struct out *out, const struct rk_value *v)
{
	char when[64], word[300], head[400];

	(void)snprintf(head, sizeof(head), "%s %s",
	    member(v, "time", when, sizeof(when)),
	    member(v, "event", word, sizeof(word)));
	if (is_told_twice(v, word))
		return;
	if (rk_value_get(v, "tries") != NULL)
		say_key(out, v, head);
	else if (rk_value_get(v, "id") != NULL)
		say_conn(out, v, head);
	else
		say_other(out, v, head);
}
