/* rpcd ctl: the table of verbs, and asking the daemon. */
#include "cli/ctl.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/json.h"
#include "cli/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_MS 30000
#define RELOAD_MS 60000 /* it may open an encrypted key */

int
ctl_json(const struct out *o, const struct rk_value *map)
{
	return ctl_json_with(o, "", map);
}

int
ctl_json_with(const struct out *o, const char *head, const struct rk_value *map)
{
	const struct json_write how = { .style = JSON_COMPACT };
	const uint8_t *text;
	struct buf b;
	enum rk_err r;
	int status = 0;

	buf_init(&b, SIZE_MAX / 2);
	r = json_write(&b, map, &how);
	text = buf_peek(&b);
	if (r == RK_OK && text != NULL && buf_len(&b) > 2 && text[0] == '{') {
		out_text(o, "{\"schema\":1,%s", head);
		out_bytes(o, text + 1, buf_len(&b) - 1);
		out_text(o, "\n");
	} else if (r == RK_OK) {
		status = out_fail(
		    o, RK_EPROTO, "the daemon's answer is malformed", NULL);
	} else {
		status = out_fail(o, r, rk_err_text(r), NULL);
	}
	buf_fini(&b);
	return status;
}

const char *
ctl_age(uint64_t ms, char dst[32])
{
	uint64_t s = ms / 1000;

	if (s < 60)
		(void)snprintf(dst, 32, "%" PRIu64 " s", s);
	else if (s < 3600)
		(void)snprintf(
		    dst, 32, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(dst, 32, "%" PRIu64 " h %" PRIu64 " min",
		    s / 3600, s / 60 % 60);
	else
		(void)snprintf(dst, 32, "%" PRIu64 " d %" PRIu64 " h",
		    s / 86400, s / 3600 % 24);
	return dst;
}

const char *
ctl_size(uint64_t n, char dst[32])
{
	static const char units[] = "kMGTPE";
	double v = (double)n;
	size_t i = 0;

	if (n < 1000) {
		(void)snprintf(dst, 32, "%" PRIu64, n);
		return dst;
	}
	for (v /= 1000; v >= 999.95 && units[i + 1] != '\0'; i++)
		v /= 1000;
	(void)snprintf(dst, 32, "%.1f%c", v, units[i]);
	return dst;
}

/* ---- calls ---- */

/* What helps, where keys are decided about. */
static const char *
key_advice(enum rk_err code)
{
	if (code == RK_EDENIED)
		return "ask that person whether this is the new key; only if "
		       "it is: --changed";
	if (code == RK_ENOENT || code == RK_ESTATE)
		return "rpcd ctl trust ls";
	if (code == RK_EBUSY)
		return "the same again, when that program is done";
	return code == RK_EINVAL ? "rpcd ctl help trust" : NULL;
}

/* What the daemon says of itself. */
static int
refused(const struct ctl *c, const struct rk_reply *reply)
{
	char said[400];
	enum rk_err code = admin_refusal(reply, said, sizeof(said));
	const char *advice = admin_refusal_advice(said);

	if (advice != NULL)
		return out_fail(&c->out, code, said, advice);
	if (code == RK_ESTATE && strstr(said, "without a key") != NULL)
		return out_fail(
		    &c->out, code, said, "approve a key first, or import some");
	return out_fail(&c->out, code, said, key_advice(code));
}

static int
take(struct ctl *c, struct rk_bytes payload, struct rk_value_doc **doc,
    struct buf *raw)
{
	enum rk_err r = RK_OK;

	if (raw != NULL)
		r = buf_put(raw, payload.ptr, payload.len);
	else if (doc != NULL)
		r = rk_value_decode(payload.ptr, payload.len, doc);
	return r == RK_OK ? 0
	                  : out_fail(&c->out, r,
	                        "the daemon's answer is malformed", NULL);
}

int
ctl_call(struct ctl *c, const char *method, struct rk_bytes payload,
    struct rk_value_doc **doc, struct buf *raw)
{
	struct rk_request req = { .method = method,
		.payload = payload.ptr,
		.payload_len = payload.len,
		.timeout =
		    strcmp(method, "_.reload") == 0 ? RELOAD_MS : PATIENCE_MS };
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r;
	int status;

	if (doc != NULL)
		*doc = NULL;
	r = rk_client_call(c->client, &req, &reply, &err);
	c->at.answered = c->at.answered || r == RK_OK || r == RK_EREMOTE;
	if (r == RK_OK)
		status = take(c, reply.payload, doc, raw);
	else if (r == RK_EREMOTE)
		status = refused(c, &reply);
	else
		status = admin_fail(&c->at, &err, &c->out);
	rk_reply_free(&reply);
	return status;
}

static enum rk_err
put_pair(struct rk_value_doc *doc, struct rk_value *v, const struct ctl_pair *p)
{
	enum rk_err r;

	r = rk_value_set_bytes(doc, &v[0], RK_STR, p->key, strlen(p->key));
	if (r != RK_OK)
		return r;
	if (p->kind == RK_STR)
		return rk_value_set_bytes(
		    doc, &v[1], RK_STR, p->text.ptr, p->text.len);
	v[1].kind = p->kind;
	if (p->kind == RK_BOOL)
		v[1].u.b = p->number != 0;
	else
		v[1].u.u64 = p->number;
	return RK_OK;
}

static enum rk_err
pack_pairs(const struct ctl_pair *pairs, size_t n, uint8_t **made, size_t *len)
{
	struct rk_value_doc *doc;
	struct rk_value *v;
	enum rk_err r;

	if ((r = rk_value_new(&doc)) != RK_OK)
		return r;
	v = rk_value_root(doc);
	r = rk_value_set_list(doc, v, RK_MAP, (uint32_t)n);
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = put_pair(doc, &v->u.list.items[2 * i], &pairs[i]);
	if (r == RK_OK)
		r = rk_value_encode(v, made, len);
	rk_value_free(doc);
	return r;
}

int
ctl_ask(struct ctl *c, const char *method, const struct ctl_pair *pairs,
    size_t n, struct rk_value_doc **doc)
{
	uint8_t *made = NULL;
	size_t len = 0;
	int status;
	enum rk_err r;

	if (doc != NULL)
		*doc = NULL;
	if ((r = pack_pairs(pairs, n, &made, &len)) != RK_OK)
		return out_fail(&c->out, r, rk_err_text(r), NULL);
	status = ctl_call(c, method, (struct rk_bytes){ made, len }, doc, NULL);
	free(made);
	return status;
}

/* ---- finding it ---- */

static int
reach(struct ctl *c)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf), .pushed = ctl_on_pushed, .arg = c
	};
	int status = admin_look(&c->at, c->a, "rpcd ctl", &c->out);

	if (status == 0)
		status = admin_dial(&c->at, &conf, &c->out, &c->client);
	return status;
}

static int
run_verb(struct args *a, int (*verb)(struct ctl *c))
{
	struct ctl c = { .a = a, .begun = mono_us() };
	int status;

	out_init(&c.out, a);
	status = reach(&c);
	if (status == 0)
		status = verb(&c);
	rk_client_free(c.client);
	return status;
}

/* ---- the table ---- */

#define VERB(name)                                       \
	static int run_##name(struct args *a, void *ctx) \
	{                                                \
		(void)ctx;                               \
		return run_verb(a, ctl_##name);          \
	}
VERB(status)
VERB(conns)
VERB(calls)
VERB(kick)
VERB(cancel)
VERB(trust)
VERB(methods)
VERB(metrics)
VERB(log)
VERB(reload)
VERB(drain)
VERB(stop)
VERB(version)

static const struct opt opts[] = {
	{ .name = "socket",
	    .kind = OPT_TEXT,
	    .meta = "PATH",
	    .complete = COMPLETE_FILE,
	    .about = "the daemon's admin socket ($XDG_RUNTIME_DIR/rpckit/"
	             "admin.sock, " PATH_ADMIN_SYSTEM ")" },
	{ .name = "context",
	    .letter = 'c',
	    .kind = OPT_TEXT,
	    .meta = "CTX",
	    .complete = COMPLETE_CONTEXT,
	    .about = "the admin socket that this context of rpcsh's names" },
	{ .name = "plain", .about = "tab-separated lines for scripts" },
	COMMON_OPTS,
	{ 0 },
};

static const struct opt conns_opts[] = {
	{ .name = "watch",
	    .letter = 'w',
	    .about = "and then what opens, closes, is refused, waits or was "
	             "decided" },
	{ 0 },
};

static const struct opt kick_opts[] = {
	{ .name = "reject",
	    .about = "keep their keys out, as trust reject does" },
	{ 0 },
};

static const struct opt trust_opts[] = {
	{ .name = "state",
	    .kind = OPT_CHOICE,
	    .meta = "waiting|known|rejected",
	    .complete = COMPLETE_WORDS,
	    .about = "ls: only those; known: what stands in the file" },
	{ .name = "once",
	    .about = "approve: for its next connection, and no other" },
	{ .name = "for",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .min = 1000,
	    .max = UINT64_C(366) * 86400 * 1000, /* what a daemon takes */
	    .about = "approve: until that is over, as 8h or 1d; at most "
	             "366d" },
	{ .name = "changed",
	    .about = "approve, import: although another key is known for the "
	             "e-mail; replace: although a third one is" },
	{ .name = "waiting",
	    .about = "forget: instead of a key, all that wait" },
	{ .name = "from",
	    .kind = OPT_TEXT,
	    .meta = "ADDR[/LEN]",
	    .about = "forget --waiting: only those from there" },
	{ .name = "note",
	    .kind = OPT_TEXT,
	    .meta = "TEXT",
	    .about = "of a decision: why, for those who look later" },
	{ .name = "max",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .about = "audit: so many lines at most, 0 for all (100)" },
	{ .name = "seen",
	    .kind = OPT_NUMBER,
	    .meta = "VERSION",
	    .about = "decide only if nobody has since ls or show said this "
	             "version; replace: of the new key; undo: since audit "
	             "said this ID" },
	{ 0 },
};

static const struct opt log_opts[] = {
	{ .name = "follow",
	    .letter = 'f',
	    .about = "and then what is said from now on" },
	{ .name = "level",
	    .kind = OPT_CHOICE,
	    .meta = "error|warn|info|debug",
	    .complete = COMPLETE_WORDS,
	    .about = "lines of this level and more important ones (info); "
	             "debug with -f" },
	{ .name = "set",
	    .kind = OPT_CHOICE,
	    .meta = "error|warn|info|debug",
	    .complete = COMPLETE_WORDS,
	    .flags = OPT_STEERS,
	    .about = "have the daemon's own log say so much from now on" },
	{ 0 },
};

static const char *const kick_examples[] = {
	"rpcd ctl kick 17                  # an id of rpcd ctl conns",
	"rpcd ctl kick SHA256:9f3K2LmQ     # every connection of a key",
	"rpcd ctl kick 203.0.113.9         # every connection from there",
	"rpcd ctl kick 17 --reject         # and its key stays out",
	NULL,
};

static const char *const cancel_examples[] = {
	"rpcd ctl calls --plain | cut -f2,10   # connections, calls",
	"rpcd ctl cancel 17 4711",
	NULL,
};

static const char *const trust_examples[] = {
	"rpcd ctl trust ls --state waiting",
	"rpcd ctl trust approve SHA256:9f3K2LmQ   # it is let in, and known",
	"rpcd ctl trust approve 9f3K2LmQ --once   # this time",
	"rpcd ctl trust reject 9f3K2LmQ           # until approved or "
	"forgotten",
	"rpcd ctl trust revoke 9f3K2LmQ           # until forgotten",
	"rpcd ctl trust approve 9f3K2LmQ --for 8h --note 'new laptop'",
	"rpcd ctl trust replace m0tQ7b6F 9f3K2LmQ # one for the other",
	"rpcd ctl trust undo 9f3K2LmQ             # the last decision",
	"rpcd ctl trust audit 9f3K2LmQ --max 0    # all about a key",
	"rpcd ctl trust forget --waiting --from 203.0.113.0/24   # a flood",
	"rpcd ctl trust mode ask",
	"rpcd ctl trust lock              # chmod a-w on the known-keys file",
	NULL,
};

static const struct cmd cmds[] = {
	{ .name = "status",
	    .about = "how long, where, how much, and what settings say",
	    .run = run_status },
	{ .name = "conns",
	    .about = "every connection: who, from where, what moves",
	    .opts = conns_opts,
	    .run = run_conns },
	{ .name = "calls", .about = "every call that runs", .run = run_calls },
	{ .name = "kick",
	    .operands = "ID|FP|ADDRESS",
	    .about = "end connections; nobody is kept from coming back",
	    .opts = kick_opts,
	    .examples = kick_examples,
	    .min_operands = 1,
	    .max_operands = 16,
	    .steers = true,
	    .run = run_kick },
	{ .name = "cancel",
	    .operands = "ID CALL",
	    .about = "cancel a call of a connection, by their numbers in "
	             "calls",
	    .examples = cancel_examples,
	    .min_operands = 2,
	    .max_operands = 2,
	    .steers = true,
	    .run = run_cancel },
	{ .name = "trust",
	    .operands = "WHAT [FP|FILE|MODE]...",
	    .about = "ls, show, approve, reject, revoke, forget, replace, "
	             "note, undo, audit, import, export, check, mode, lock, "
	             "unlock: whose keys wait, and who may come in",
	    .opts = trust_opts,
	    .examples = trust_examples,
	    .min_operands = 1,
	    .max_operands = 24,
	    .word = ctl_trust_word,
	    .run = run_trust },
	{ .name = "methods",
	    .about = "what the daemon serves",
	    .run = run_methods },
	{ .name = "metrics",
	    .about = "figures as text for Prometheus",
	    .run = run_metrics },
	{ .name = "log",
	    .about = "the latest lines of the log",
	    .opts = log_opts,
	    .run = run_log },
	{ .name = "reload",
	    .about = "read settings and keys again, and say how that went",
	    .steers = true,
	    .run = run_reload },
	{ .name = "drain",
	    .about = "end when running calls are done, as SIGTERM does",
	    .steers = true,
	    .run = run_drain },
	{ .name = "stop",
	    .about = "end now: calls that run are canceled",
	    .steers = true,
	    .run = run_stop },
	{ .name = "version",
	    .about = "the version of the daemon that runs",
	    .run = run_version },
	{ 0 },
};

static const char *const usage[] = {
	"[--socket PATH | -c CTX] [--json] VERB [OPTION]...",
	NULL,
};

static const char *const examples[] = {
	"rpcd ctl status",
	"rpcd ctl conns --plain | cut -f4",
	"rpcd ctl log -f --level debug",
	NULL,
};

static const struct env_doc envs[] = {
	{ "XDG_RUNTIME_DIR", "rpckit/admin.sock below it is looked for first" },
	{ "NO_COLOR", "no color when set and not empty" },
	{ NULL, NULL },
};

const struct prog ctl_prog = {
	.name = "rpcd ctl",
	.section = "8",
	.about = "ask and steer a daemon that runs",
	.usage = usage,
	.examples = examples,
	.opts = opts,
	.cmds = cmds,
	.envs = envs,
	.see_also = "rpcd 8, rpckit-control 7, rpckit-trust 7",
	.style = PROG_GNU,
};

int
ctl_main(int argc, char **argv)
{
	return cmd_main(&ctl_prog, argc, argv, NULL);
}
