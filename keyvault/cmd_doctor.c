/* doctor: will it work here, and how will it ask? */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent_ask.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/tty.h"
#include "keyvault.h"

/*
 * Bytes that an agent locks at the most, as measured: 36 KiB for its keys,
 * however many are open; 20 for what each of 64 clients asks, 1 MiB more for
 * each of 4 long requests (5,348 KiB then); and 36 for a secret that a client
 * was given and does not take, which for all of them makes 7,652 KiB.
 */
#define LOCKED_MOST (8u << 20)

struct doctor {
	struct kv *kv;
	struct table *t;
	enum rk_err r;
};

static void
say(struct doctor *d, const char *what, bool well, const char *text)
{
	if (!well)
		d->kv->status = 1;
	if (d->r == RK_OK)
		d->r = table_row(d->t,
		    (const union cell[]){ { .text = what },
		        { .text = well ? "ok" : "bad" }, { .text = text } });
}

static void
look_at_vault(struct doctor *d)
{
	struct kv *kv = d->kv;
	struct vault_info info;
	char text[128];

	if (kv_open(kv) != RK_OK ||
	    vault_inspect(kv->vault, &info, &kv->err) != RK_OK) {
		say(d, "vault", false, kv->err.text);
		return;
	}
	say(d, "vault", true, kv->path);
	(void)snprintf(text, sizeof(text), "Argon2id, %u passes, %u MiB%s",
	    info.kdf.passes, info.kdf.kib / 1024,
	    kdf_is_weak(&info.kdf) ? ": less than a new vault gets; keyvault "
	                             "passwd"
	                           : "");
	say(d, "passphrase", !kdf_is_weak(&info.kdf), text);
}

/* Who may do so without a limit has one nevertheless: it is tried. */
static bool
can_lock(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	if (p == MAP_FAILED)
		return false;
	can = mlock(p, len) == 0;
	(void)munmap(p, len);
	return can;
}

static void
look_at_memory(struct doctor *d)
{
	struct rlimit lim = { 0 };
	bool enough = !rk_secret_is_swappable() && can_lock(LOCKED_MOST);

	if (rk_secret_is_swappable())
		say(d, "memory", false,
		    "keys may be swapped out: memory is not locked here");
	else
		say(d, "memory", enough,
		    enough ? "all that is secret is locked: 8192 KiB can be, "
		             "and an agent's keys take 36, with all that it is "
		             "asked at a time less than 8192"
		           : "what is secret may be swapped out: 8192 KiB "
		             "cannot be locked (ulimit -l); an agent's keys "
		             "take 36, with all that it is asked at a time "
		             "nearly 8192");
	enough = getrlimit(RLIMIT_CORE, &lim) == 0 && lim.rlim_cur == 0;
	say(d, "core dumps", enough, enough ? "off" : "on");
}

static void
look_at_asking(struct doctor *d)
{
	const char *program = getenv("RPCKIT_ASKPASS");
	char shown[SHOWN_LEN];
	char text[SHOWN_LEN + 64];
	int fd;

	if (program == NULL)
		program = getenv("SSH_ASKPASS");
	if (tty_open(&fd, NULL) == RK_OK) {
		(void)close(fd);
		say(d, "asking", true, "on the terminal");
		return;
	}
	if (program == NULL) {
		say(d, "asking", false,
		    "no terminal and no askpass program: give --pass file:PATH "
		    "or set RPCKIT_ASKPASS");
		return;
	}
	(void)snprintf(text, sizeof(text),
	    "no terminal; --pass askpass runs %s",
	    str_escape(shown, sizeof(shown), program));
	say(d, "asking", access(program, X_OK) == 0, text);
}

/* One that is started here, in front on a terminal or behind it. */
static void
foresee_confirming(struct doctor *d)
{
	const char *program = agent_ask_program();
	char shown[SHOWN_LEN];
	char text[SHOWN_LEN + 64];

	if (program != NULL)
		(void)snprintf(text, sizeof(text),
		    "no agent runs; one would ask by %s",
		    str_escape(shown, sizeof(shown), program));
	else
		(void)str_copy(text, sizeof(text),
		    "no agent runs; one would ask only with -f or --tty on a "
		    "terminal, or with RPCKIT_ASKPASS");
	say(d, "confirming", true, text);
}

static void
look_at_confirming(struct doctor *d)
{
	struct kv *kv = d->kv;
	struct agent_status s;
	char text[AGENT_ASKS_MAX + 64];

	if (kv->vault != NULL)
		kv_try_agent(kv);
	if (kv->agent == NULL || kv_agent_status(kv, &s) != RK_OK) {
		foresee_confirming(d);
		return;
	}
	if (s.asks[0] != '\0')
		(void)snprintf(
		    text, sizeof(text), "the agent asks on %s", s.asks);
	else
		(void)str_copy(text, sizeof(text),
		    "the agent asks nobody by itself: keyvault allow, or "
		    "rpctui");
	if (strcmp(s.asks, "askpass") == 0)
		(void)str_copy(
		    text, sizeof(text), "the agent asks by its askpass");
	say(d, "confirming", true, text);
	if (s.swappable)
		say(d, "agent", false,
		    "not all that is secret could be locked in memory: start "
		    "it where ulimit -l is 8192");
}

enum rk_err
verb_doctor(struct kv *kv)
{
	static const struct field fields[] = {
		{ .name = "what", .title = "WHAT" },
		{ .name = "state", .title = "STATE" },
		{ .name = "text", .title = "TEXT", .kind = FIELD_SHOWN },
	};
	struct doctor d = { .kv = kv };

	if ((d.r = table_new(&kv->out, fields, 3, &d.t)) != RK_OK)
		return kv_fail(kv, d.r, "doctor", rk_err_text(d.r));
	look_at_vault(&d);
	look_at_memory(&d);
	look_at_asking(&d);
	look_at_confirming(&d);
	table_end(d.t);
	return d.r == RK_OK ? d.r
	                    : kv_fail(kv, d.r, "doctor", rk_err_text(d.r));
}
