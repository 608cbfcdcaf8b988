/* Telling who waits that a server has not said a word yet. */
#include "patience.h"

#include "base/clock.h"
#include "base/str.h"
#include "held.h"

#include <unistd.h>

#define ASK_US 2000000u  /* whether it is the call that takes so long */
#define TELL_US 3000000u /* that nothing comes */

int
patience_sooner(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return a_ms < 0 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

static bool
is_over(const struct target *t)
{
	return t->quiet_since == 0 || t->answered || t->quiet_told ||
	       t->log.quiet || isatty(STDERR_FILENO) != 1;
}

void
patience_dials(struct target *t)
{
	/* Once is enough for one that is silent again and again. */
	if (t->answered)
		t->quiet_told = false;
	t->answered = false;
	t->quiet_asked = false;
	t->quiet_since = mono_us();
}

void
patience_begin(struct target *t)
{
	if (t->quiet_since == 0)
		t->quiet_since = mono_us();
}

/* ---- is it there? ---- */

/* Others do not let a key wait, and may end the connection for what they do not
 * know. */
static bool
is_ours(const struct target *t)
{
	const struct rk_peer *p = rk_client_peer(t->client);

	return p != NULL && (p->alpn[0] != '\0' || target_is_session(t));
}

static void
on_pong(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct target *t = arg;

	(void)c;
	if (reply->code == RK_OK || reply->code == RK_EREMOTE ||
	    reply->code == RK_ENOMETHOD)
		t->answered = true;
	if (t->answered && t->held != NULL)
		held_answered(t->held);
}

bool
patience_ask(struct target *t)
{
	const struct rk_request req = { .method = "_.ping" };

	if (!is_ours(t))
		return false;
	t->quiet_asked = true;
	return rk_client_submit(t->client, &req, on_pong, t, NULL) == RK_OK;
}

/* ---- saying so ---- */

/* What stands between the two ends. */
static const char *
state_of(const struct target *t)
{
	struct rk_timing tm;

	if (rk_client_peer(t->client) != NULL)
		return "no answer yet";
	rk_client_timing(t->client, &tm);
	if (tm.connect == 0 || target_is_quic(t) || target_is_ssh_udp(t))
		return "not connected yet";
	return "the handshake is not over yet";
}

static void
tell(struct target *t, bool waits)
{
	const char *leave = waits ? "; Ctrl-C ends it" : "";
	char url[160], fp[RK_FP_LEN];

	t->quiet_told = true;
	if (rk_client_peer(t->client) != NULL && !is_ours(t))
		return;
	held_hide(t);
	(void)str_escape(url, sizeof(url), t->url);
	/* Our end is done with the handshake when the server has our key, and
	 * may keep it waiting. */
	if (rk_client_peer(t->client) != NULL && target_own_fp(t, fp))
		out_note(&t->log,
		    "%s: %s: the server may be busy, or wait for its operator "
		    "to approve this key, %s%s",
		    url, state_of(t), fp, leave);
	else
		out_note(&t->log, "%s: %s%s", url, state_of(t), leave);
}

/* ---- when ---- */

static uint64_t
due(const struct target *t)
{
	bool asks = is_ours(t) && !t->quiet_asked;

	return t->quiet_since + (asks ? ASK_US : TELL_US);
}

int
patience_ms(const struct target *t)
{
	uint64_t now = mono_us();

	if (is_over(t))
		return -1;
	return due(t) <= now ? 0 : (int)((due(t) - now + 999) / 1000);
}

void
patience_look(struct target *t, bool waits)
{
	uint64_t now = mono_us();

	if (is_over(t) || now < due(t))
		return;
	/* Nothing is waited for. */
	if (rk_client_peer(t->client) == NULL && t->ended.code != RK_OK) {
		t->quiet_since = 0;
		return;
	}
	if (!t->quiet_asked && !patience_ask(t)) {
		/* Then it is not known, which is said. */
	}
	if (now >= t->quiet_since + TELL_US)
		tell(t, waits);
}
