/* Commands that advice names, so that they do what it says. */
#include "advice.h"

#include "base/str.h"
#include "held.h"

#include <ctype.h>

/* What is cut off is not quite the command any more, but no other one. */
static void
add(char dst[ADVICE_LEN], const char *text)
{
	size_t len = strlen(dst);

	(void)str_copy(dst + len, ADVICE_LEN - len, text);
}

static bool
is_plain(const char *word)
{
	for (const char *p = word; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) &&
		    strchr("@%+=:,./-_", *p) == NULL)
			return false;
	}
	return word[0] != '\0';
}

/* One word of a shell's, which it leaves as it is. */
static void
add_word(char dst[ADVICE_LEN], const char *word)
{
	char shown[ADVICE_LEN], one[2] = { 0 };

	str_escape(shown, sizeof(shown), word);
	add(dst, " ");
	if (is_plain(shown)) {
		add(dst, shown);
		return;
	}
	add(dst, "'");
	for (const char *p = shown; *p != '\0'; p++) {
		one[0] = *p;
		add(dst, *p == '\'' ? "'\\''" : one);
	}
	add(dst, "'");
}

/* A setting that came from a flag, as the flag. */
static void
add_flag(char dst[ADVICE_LEN], const struct target *t, enum setting_id id,
    const char *flag)
{
	const struct setting *s = &t->settings.v[id];

	if (strcmp(s->source, "flag") != 0)
		return;
	add(dst, flag);
	if (id != SET_TLS_MODE)
		add_word(dst, s->value);
}

static void
add_flags(char dst[ADVICE_LEN], const struct target *t, const char *fp)
{
	if (t->settings.context_flag) {
		add(dst, " -c");
		add_word(dst, t->settings.context);
	}
	add_flag(dst, t, SET_KNOWN, " --known");
	if (fp != NULL) {
		add_flag(dst, t, SET_CERTS, " --certs");
		add_flag(dst, t, SET_KEY, " -k");
		add_flag(dst, t, SET_PSK, " --psk");
		if (target_tls_mode(t) == RK_TLS_SERVER_ONLY)
			add_flag(dst, t, SET_TLS_MODE, " --server-only");
	}
}

const char *
advice_trust(const struct target *t, const char *verb, const char *fp,
    char dst[ADVICE_LEN])
{
	const char *server = t->url;

	dst[0] = '\0';
	add(dst, "rpcsh");
	if (!held_is_typed(t)) /* else each line has them */
		add_flags(dst, t, fp);
	add(dst, " trust ");
	add(dst, verb);
	if (fp == NULL)
		return dst;
	/* Without a scheme it is TLS. */
	add_word(dst, strncmp(server, "tls://", 6) == 0 ? server + 6 : server);
	add_word(dst, fp);
	return dst;
}

/* ---- inside the shell ---- */

#define PROG "rpcsh "
#define TRUST "trust "

const char *
advice_inside(const char *advice, char *dst, size_t dst_len)
{
	static const char *const inside[][2] = { { "rpcsh -h", ":help" },
		{ "rpcsh ctx ls", ":ctx" }, { "rpcsh trust ls", ":trust" },
		{ ADVICE_NO_CONTEXT, "correct that line, or :use - to do "
		                     "without the context" } };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		if (strcmp(advice, inside[i][0]) == 0)
			return inside[i][1];
	}
	/* A verb is a line of its own; that about trust is known as a command.
	 */
	for (const char *p = advice; *p != '\0' && n + 1 < dst_len;) {
		if ((p != advice && p[-1] != ' ') ||
		    strncmp(p, PROG, strlen(PROG)) != 0) {
			dst[n++] = *p++;
			continue;
		}
		p += strlen(PROG);
		if (strncmp(p, TRUST, strlen(TRUST)) == 0)
			dst[n++] = ':';
	}
	dst[n] = '\0';
	return dst;
}

const char *
advice_typed(const struct out *o, const char *advice, char *dst, size_t dst_len)
{
	return o->retry == NULL ? advice : o->retry(advice, dst, dst_len);
}
