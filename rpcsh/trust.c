/* Whom rpcsh believes: --trust, the question on the terminal, changed keys. */
#include "trust.h"

#include "advice.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/qr.h"
#include "cli/spell.h"
#include "cli/tty.h"
#include "seen.h"

#include <rpckit/session.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FP_BODY 43 /* characters behind SHA256: */
#define ANSWER_MAX 256
#define ANSWERS 3 /* then it is no */
#define LIST_TEXT 200

enum trust_how
trust_parse(const char *word)
{
	static const char *const words[] = { "ask", "accept-new", "strict" };

	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(words[i], word) == 0)
			return (enum trust_how)i;
	}
	return TRUST_FILE;
}

bool
trust_is_fp(const char *text)
{
	size_t n = 0;

	while (*text == ' ')
		text++;
	if (strncasecmp(text, "SHA256:", 7) == 0)
		text += 7;
	for (; *text != '\0'; text++) {
		if (isalnum((unsigned char)*text) || *text == '+' ||
		    *text == '/')
			n++;
		else if (*text != ' ' && *text != '\t')
			return false;
	}
	return n == FP_BODY;
}

/* ---- the decision ---- */

enum rk_trust_state
trust_list(const struct trusting *t)
{
	const mode_t writable = S_IWUSR | S_IWGRP | S_IWOTH;
	struct stat st;

	if (stat(t->path, &st) != 0)
		return errno == ENOENT ? RK_TRUST_ABSENT : RK_TRUST_LOCKED;
	return (st.st_mode & writable) != 0 ? RK_TRUST_OPEN : RK_TRUST_LOCKED;
}

/* A key for this address that is not known. */
static enum rk_err
judge_new(struct trusting *t, struct rk_error *err)
{
	const char *fp = t->met.cert.fp;
	char list[LIST_TEXT];
	enum rk_err r;

	(void)str_escape(list, sizeof(list), t->path);
	if (t->view.list == RK_TRUST_LOCKED)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not in %s, which is locked", fp, list);
	if (t->how == TRUST_STRICT)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not in %s for this address", fp, list);
	if (t->how == TRUST_ASK) {
		t->asks = true;
		return err_set(err, RK_EUNKNOWNKEY, "key %s is not known", fp);
	}
	r = rk_servers_put(t->path, t->server, &t->met, RK_SERVERS_LEARN, err);
	t->added = r == RK_OK;
	return r;
}

/* The list has it already, as one that was to come; a locked one stays. */
static enum rk_err
judge_next(struct trusting *t, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	if (t->view.list != RK_TRUST_LOCKED)
		r = rk_servers_put(
		    t->path, t->server, &t->met, RK_SERVERS_LEARN, err);
	t->next = t->tied = r == RK_OK;
	return r;
}

/* Of a session: there is no certificate, so it has no dates. */
static bool
is_bare(const struct rk_peer *p)
{
	return p->cert.not_after == 0;
}

/* A session's key also by what ssh-keygen shows of it. */
static bool
is_its_fp(const struct rk_peer *p, const char *given)
{
	char fp[RK_FP_LEN];

	if (rk_fp_match(p->cert.fp, given, false))
		return true;
	rk_session_fp(p->cert.pub, fp);
	return is_bare(p) && rk_fp_match(fp, given, false);
}

/* By the list's state, as programs do that know of no addresses: a key with a
 * line, wherever that says it belongs, is known. */
static enum rk_err
judge_file(struct trusting *t, struct rk_error *err)
{
	const bool locked = t->view.list == RK_TRUST_LOCKED;
	const char *fp = t->met.cert.fp;
	char list[LIST_TEXT];
	enum rk_err r;

	(void)str_escape(list, sizeof(list), t->path);
	if (t->view.listed && locked)
		return RK_OK;
	if (locked)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not in %s, which is locked", fp, list);
	if (is_bare(&t->met) && !t->view.listed)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not in %s, and nobody vouches for it", fp, list);
	r = rk_servers_put(
	    t->path, t->server, &t->met, RK_SERVERS_LEARN_BESIDE, err);
	t->added = t->tied = r == RK_OK;
	return r;
}

/* Without a list the CA alone decides; one that was there and is gone is
 * something else. */
static enum rk_err
judge_absent(const struct trusting *t, struct rk_error *err)
{
	char list[LIST_TEXT];

	(void)str_escape(list, sizeof(list), t->path);
	if (t->seen)
		return err_set(err, RK_EIO,
		    "%s: was there and is gone; restart to go on without it",
		    list);
	if (is_bare(&t->met))
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s: nobody vouches for it, and no list has it",
		    t->met.cert.fp);
	return RK_OK;
}

/* The key that was asked for, and no other. */
static enum rk_err
judge_wanted(struct trusting *t, struct rk_error *err)
{
	enum rk_err r;

	if (!is_its_fp(&t->met, t->want))
		return err_set(err, RK_EUNKNOWNKEY,
		    "the server has another key: %s", t->met.cert.fp);
	r = rk_servers_put(t->path, t->server, &t->met,
	    t->how == TRUST_REPLACE ? RK_SERVERS_REPLACE : RK_SERVERS_ADD, err);
	t->added = r == RK_OK;
	return r;
}

static enum rk_err
judge(const struct rk_peer *peer, void *arg, struct rk_error *err)
{
	struct trusting *t = arg;
	enum rk_err r;

	t->met = *peer;
	t->asks = t->changed = t->added = t->next = t->tied = false;
	if (t->how == TRUST_ADD || t->how == TRUST_REPLACE)
		return judge_wanted(t, err);
	r = rk_servers_look(t->path, t->server, peer, &t->view, err);
	if (r != RK_OK)
		return r;
	if (t->how == TRUST_FILE && t->view.list == RK_TRUST_ABSENT)
		return judge_absent(t, err);
	t->seen = true;
	switch (t->view.is) {
	case RK_SERVER_KNOWN:
		t->tied = t->view.here;
		return RK_OK;
	case RK_SERVER_NEW:
		return t->how == TRUST_FILE ? judge_file(t, err)
		                            : judge_new(t, err);
	case RK_SERVER_NEXT:
		return judge_next(t, err);
	case RK_SERVER_CHANGED:
		if (t->how == TRUST_FILE && !t->view.here)
			return judge_file(t, err);
		break;
	}
	t->changed = true;
	return err_set(err, RK_EUNKNOWNKEY, "key changed: now %s, known %s",
	    peer->cert.fp, t->view.line.fp);
}

/* What is wrong with the list is said before anybody is dialled. */
static enum rk_err
check_file(struct trusting *t, struct rk_error *err)
{
	struct rk_trust *trust = NULL;
	enum rk_err r = rk_trust_new(t->path, RK_TRUST_FILE, &trust, err);

	rk_trust_free(trust);
	t->seen = trust_list(t) != RK_TRUST_ABSENT;
	return r;
}

enum rk_err
trust_new(struct trusting *t, struct rk_trust **out, struct rk_error *err)
{
	enum rk_err r;

	*out = NULL;
	if ((r = rk_servers_address(t->server, t->address, err)) != RK_OK)
		return r;
	if (t->path[0] == '\0') {
		r = err_set(err, RK_ENOENT, "known servers: no file is known");
		err->step = "known";
		return r;
	}
	if (t->how == TRUST_FILE && (r = check_file(t, err)) != RK_OK)
		return r;
	r = rk_trust_new_own(judge, t, out);
	return r == RK_OK ? RK_OK : err_set(err, r, "out of memory");
}

/* ---- the question ---- */

static const char *
name_of(const struct rk_peer *p)
{
	if (p->cert.email[0] != '\0')
		return p->cert.email;
	return p->cert.cn[0] != '\0' ? p->cert.cn : "-";
}

static enum rk_err
introduce(int fd, const struct trusting *t, struct rk_error *err)
{
	char fp[RK_FP_GROUPED_LEN], ssh[RK_FP_LEN];
	struct buf b;
	enum rk_err r;

	rk_fp_group(t->met.cert.fp, fp);
	rk_session_fp(t->met.cert.pub, ssh);
	buf_init(&b, 4096);
	if (is_bare(&t->met))
		r = buf_printf(&b,
		    "New server %s   nobody vouches for its key\n  %s\n"
		    "  %s (ssh-keygen -l)\n",
		    t->address, fp, ssh);
	else
		r = buf_printf(&b, "New server %s   name %s   CA ok\n  %s\n",
		    t->address, name_of(&t->met), fp);
	if (r == RK_OK && t->view.line.fp[0] != '\0')
		r = buf_printf(
		    &b, "  This key is known at %s.\n", t->view.line.at);
	if (r == RK_OK && (r = buf_put(&b, "", 1)) == RK_OK)
		r = tty_say(fd, (const char *)buf_peek(&b), err);
	else
		r = err_set(err, r, "%s", rk_err_text(r));
	buf_fini(&b);
	return r;
}

/* RK_EAGAIN: that is no answer. */
static enum rk_err
understand(const struct trusting *t, const char *answer, struct rk_error *err)
{
	if (strcasecmp(answer, "yes") == 0 || is_its_fp(&t->met, answer))
		return RK_OK;
	if (answer[0] == '\0' || strcasecmp(answer, "no") == 0 ||
	    strcasecmp(answer, "n") == 0)
		return err_set(err, RK_EUNKNOWNKEY,
		    "not trusted, as you said; nothing was sent");
	if (trust_is_fp(answer))
		return err_set(err, RK_EUNKNOWNKEY,
		    "the fingerprint is not that of the server, which is "
		    "%s; nothing was sent",
		    t->met.cert.fp);
	return RK_EAGAIN;
}

static void
trim(char *s)
{
	size_t start = strspn(s, " \t\r"), len = strlen(s + start);

	memmove(s, s + start, len + 1);
	while (len > 0 && strchr(" \t\r", s[len - 1]) != NULL)
		s[--len] = '\0';
}

struct drawing {
	int fd;
	struct rk_error *err;
	enum rk_err r;
};

static void
say_line(const char *line, void *arg)
{
	struct drawing *d = arg;

	if (d->r == RK_OK)
		d->r = tty_say(d->fd, line, d->err);
	if (d->r == RK_OK)
		d->r = tty_say(d->fd, "\n", d->err);
}

/* For a camera, and whoever has the fingerprint on the other screen. */
static enum rk_err
draw(int fd, const struct trusting *t, bool color, struct rk_error *err)
{
	struct drawing d = { .fd = fd, .err = err, .r = RK_OK };
	enum rk_err r;

	r = qr_draw(
	    t->met.cert.fp, graph_signs(), qr_colors(color), say_line, &d);
	return r == RK_OK ? d.r : err_set(err, r, "%s", rk_err_text(r));
}

static enum rk_err
hear(int fd, const struct trusting *t, bool color, struct rk_error *err)
{
	const char *const question =
	    "Trust it? [no / yes / paste the fingerprint / q for QR] ";
	const char *prompt = question;
	char answer[ANSWER_MAX + 1];
	size_t len;
	enum rk_err r;

	for (unsigned i = 0; i < ANSWERS;) {
		r = tty_ask(fd, prompt, true, answer, ANSWER_MAX, &len, err);
		if (r != RK_OK)
			return r;
		answer[len] = '\0';
		r = RK_EAGAIN;
		if (strlen(answer) == len) { /* all of it is text */
			trim(answer);
			r = understand(t, answer, err);
		}
		if (r != RK_EAGAIN)
			return r;
		if (strlen(answer) == len && strcasecmp(answer, "q") == 0) {
			if ((r = draw(fd, t, color, err)) != RK_OK)
				return r;
			prompt = question;
			continue;
		}
		i++;
		prompt = "Answer no, yes, or the whole fingerprint: ";
	}
	return err_set(err, RK_EUNKNOWNKEY,
	    "not trusted: no answer that could be understood; nothing was "
	    "sent");
}

enum rk_err
trust_ask(struct trusting *t, bool no_input, bool color, struct rk_error *err)
{
	int fd = -1;
	enum rk_err r;

	if (no_input)
		return err_set(err, RK_ENOPASS,
		    "new server key %s, and --no-input forbids to ask",
		    t->met.cert.fp);
	if (tty_open(&fd, err) != RK_OK)
		return err_set(err, RK_ENOPASS,
		    "new server key %s, and no terminal to ask on",
		    t->met.cert.fp);
	r = introduce(fd, t, err);
	if (r == RK_OK)
		r = hear(fd, t, color, err);
	(void)close(fd); /* what was said is said */
	if (r == RK_OK)
		r = rk_servers_put(
		    t->path, t->server, &t->met, RK_SERVERS_LEARN, err);
	t->asks = false;
	t->added = r == RK_OK;
	return r;
}

/* ---- changed ---- */

static void
tell_person(const struct trusting *t, const char *advice)
{
	const struct rk_known_server *k = &t->view.line;
	char old[RK_FP_GROUPED_LEN], now[RK_FP_GROUPED_LEN];
	char seen[SEEN_TEXT_LEN], made[SEEN_AGO_LEN];

	rk_fp_group(k->fp, old);
	rk_fp_group(t->met.cert.fp, now);
	/* As in out_fail(): what stderr cannot take is lost. */
	(void)fflush(stdout);
	(void)spell_print(stderr,
	    "KEY CHANGED  %s   nothing was sent (exit %d)\n", t->address,
	    rk_err_exit(RK_EUNKNOWNKEY));
	(void)spell_print(stderr, "  known  %s\n", old);
	(void)spell_print(stderr, "         ");
	if (seen_text(k->pub, k->since, seen)[0] != '\0')
		(void)spell_print(stderr, "%s\n         ", seen);
	(void)spell_print(stderr, "at %s  name %s\n",
	    k->at[0] != '\0' ? k->at : k->host,
	    k->email[0] != '\0' ? k->email : "-");
	(void)spell_print(stderr, "  now    %s\n", now);
	if (!is_bare(&t->met))
		(void)spell_print(stderr, "         CA ok, made %s  name %s\n",
		    seen_ago(t->met.cert.not_before, made), name_of(&t->met));
	(void)spell_print(
	    stderr, "If the owner confirms it by another way:  %s\n", advice);
}

int
trust_tell_changed(
    const struct trusting *t, const struct out *o, const char *advice)
{
	struct rk_error err;
	char typed[ADVICE_LEN];

	if (o->form != OUT_JSON) {
		tell_person(t, advice_typed(o, advice, typed, sizeof(typed)));
		return rk_err_exit(RK_EUNKNOWNKEY);
	}
	(void)err_set(&err, RK_EUNKNOWNKEY,
	    "%s: key changed: now %s, known %s; nothing was sent", t->address,
	    t->met.cert.fp, t->view.line.fp);
	return out_error(o, &err, advice);
}
