/* The agent of a vault as lines, for rpctui --plain. */
#include "plain_agent.h"

#include "words.h"

#include "base/str.h"

#include <inttypes.h>

/* As it came, made harmless; "-" for nothing. */
static const char *
shown(char *dst, size_t len, const char *text)
{
	return str_escape_again(dst, len, text[0] == '\0' ? "-" : text);
}

static void
say_asked(const struct out *out, const char *head, const struct model_asked *q)
{
	char name[300], what[600], who[600];

	out_text(out, "%s asks %" PRIu32 " %s for %s by %s\n", head, q->id,
	    shown(name, sizeof(name), q->name),
	    shown(what, sizeof(what), q->what),
	    shown(who, sizeof(who), q->who));
}

static bool
is_among(const uint32_t *ids, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

void
plain_agent_news(const struct out *out, struct plain_agent *told,
    const struct model_agent *a, const char *time)
{
	uint32_t ids[MODEL_ASKED];

	if (told->there != a->there)
		out_text(out, "%s agent %s\n", time,
		    a->there ? "is there" : "is gone");
	for (size_t i = 0; i < a->n_asked; i++) {
		ids[i] = a->asked[i].id;
		if (!is_among(told->asked, told->n_asked, ids[i]))
			say_asked(out, time, &a->asked[i]);
	}
	for (size_t i = 0; i < told->n_asked; i++) {
		if (!is_among(ids, a->n_asked, told->asked[i]))
			out_text(out, "%s settled %" PRIu32 "\n", time,
			    told->asked[i]);
	}
	told->there = a->there;
	told->n_asked = a->n_asked;
	for (size_t i = 0; i < a->n_asked; i++)
		told->asked[i] = ids[i];
}

static void
say_held(const struct out *out, const struct model_held *h, int64_t now)
{
	char name[300], age[WORDS_LEN];

	out_text(out, "open %s, %s%s, used %" PRIu64 " times%s\n",
	    shown(name, sizeof(name), h->name),
	    h->until_ms == INT64_MAX ? "until it is locked" : "for ",
	    h->until_ms == INT64_MAX ? "" : words_age(h->until_ms - now, age),
	    h->used, h->confirm ? ", asks before each use" : "");
}

void
plain_agent_say(const struct out *out, const struct model *m, int64_t now)
{
	const struct model_agent *a = &m->agent;
	const struct model_status *s = &m->status;
	char key[160], text[1200];

	if (!a->there)
		out_text(out, "no agent\n");
	for (size_t i = 0; i < a->n_asked; i++)
		say_asked(out, "a program", &a->asked[i]);
	for (size_t i = 0; i < a->n_held; i++)
		say_held(out, &a->held[i], now);
	for (size_t i = 0; i < s->n_facts; i++)
		out_text(out, "fact %s: %s\n",
		    shown(key, sizeof(key), s->facts[i].key),
		    shown(text, sizeof(text), s->facts[i].text));
}
