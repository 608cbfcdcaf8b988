/* What the daemon answers: echo, commands and folders of the configuration. */
#include "commands.h"

#include <rpckit/cert.h>
#include <rpckit/session.h>

#include "base/buf.h"
#include "base/clock.h"
#include "exec.h"
#include "files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS 1000000000

/* ---- echo ---- */

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len); /* the library told the peer */
}

/* "2026-11-21 01:57:52.279590362 +0000 UTC m=+1.729269868" */
static void
time_text(char dst[96], uint64_t since)
{
	uint64_t up = mono_ns() - since;
	struct timespec now;
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(dst, 96, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(dst + n, 96 - n,
	    ".%09ld +0000 UTC m=+%" PRIu64 ".%09" PRIu64, now.tv_nsec, up / NS,
	    up % NS);
}

/* The answer of rpc25519's server of the same method. */
static void
custom_echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);
	const struct command_set *set = arg;
	char when[96];
	struct buf b;

	time_text(when, set->made);
	buf_init(&b, RK_PAYLOAD_MAX + 256);
	if (buf_put(&b, p.ptr, p.len) != RK_OK ||
	    buf_printf(&b, "\n with time customEcho sees this: '%s'", when) !=
	        RK_OK)
		(void)rk_call_fail(call, "out of memory", NULL, 0);
	else
		(void)rk_call_reply(call, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

static const struct rk_method own[] = {
	{ .name = "echo",
	    .about = "answers with what it was sent",
	    .args = "raw",
	    .reply = "raw",
	    .fn = echo,
	    .idempotent = true },
	{ .name = "customEcho",
	    .about = "answers with what it was sent and the time",
	    .args = "raw",
	    .reply = "raw",
	    .fn = custom_echo,
	    .idempotent = true },
	/* The streams of rpc25519's demo server. */
	{ .name = "__fileUploader",
	    .about = "counts and hashes what is uploaded, and keeps nothing",
	    .args = "raw",
	    .reply = "text",
	    .stream = files_demo_put,
	    .streams = RK_STREAM_UP },
	{ .name = "echoBistreamFunc",
	    .about = "sends every part back",
	    .args = "raw",
	    .reply = "raw",
	    .stream = files_demo_echo,
	    .streams = RK_STREAM_BOTH },
};
#define N_OWN (sizeof(own) / sizeof(own[0]))

/* ---- who may call a command ---- */

static bool
has_psk(const struct rk_peer *peer, const struct list *psk)
{
	for (size_t i = 0; i < psk->n; i++)
		if (strcmp(peer->psk, psk->items[i].text) == 0)
			return true;
	return psk->n == 0;
}

/* Keys have two fingerprints: ours, and SSH's. */
static bool
has_print(const struct rk_cert_info *cert, const char *text)
{
	char ssh[RK_FP_LEN];

	rk_session_fp(cert->pub, ssh);
	return rk_fp_match(cert->fp, text, false) ||
	       rk_fp_match(ssh, text, false);
}

static bool
is_allowed(const struct rk_peer *peer, const struct list *allow,
    const struct list *psk)
{
	if (!has_psk(peer, psk))
		return false;
	if (allow->n == 0)
		return true;
	if (!peer->proven)
		return false;
	for (size_t i = 0; i < allow->n; i++) {
		const char *text = allow->items[i].text;

		if (strncmp(text, "SHA256:", 7) == 0
		        ? has_print(&peer->cert, text)
		        : rk_cert_has_email(&peer->cert,
		              (struct rk_str){ text, strlen(text) }))
			return true;
	}
	return false;
}

static bool
may_call(const struct rk_peer *peer, void *arg)
{
	const struct command *c = arg;

	return is_allowed(peer, &c->conf->allow, &c->conf->psk);
}

static bool
may_use(const struct rk_peer *peer, void *arg)
{
	const struct folder *f = arg;

	return f == NULL || is_allowed(peer, &f->conf->allow, &f->conf->psk);
}

/* ---- sets ---- */

static void
release_slot(struct slot *slot)
{
	if (slot == NULL || atomic_fetch_sub(&slot->refs, 1) != 1)
		return;
	(void)pthread_mutex_destroy(&slot->lock); /* nobody has it */
	free(slot);
}

static struct slot *
hold_slot(struct slot *slot)
{
	atomic_fetch_add(&slot->refs, 1);
	return slot;
}

static struct slot *
new_slot(void)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (slot == NULL)
		return NULL;
	atomic_init(&slot->refs, 1);
	atomic_init(&slot->running, 0);
	if (pthread_mutex_init(&slot->lock, NULL) == 0)
		return slot;
	free(slot);
	return NULL;
}

static struct slot *
find_slot(const struct command_set *before, const char *name)
{
	for (size_t i = 0; before != NULL && i < before->n; i++) {
		if (strcmp(before->commands[i].conf->name, name) == 0)
			return hold_slot(before->commands[i].slot);
	}
	return new_slot();
}

static struct slot *
find_folder_slot(const struct command_set *before, const char *name)
{
	for (size_t i = 0; before != NULL && i < before->n_folders; i++) {
		if (strcmp(before->folders[i].conf->name, name) == 0)
			return hold_slot(before->folders[i].slot);
	}
	return new_slot();
}

static enum rk_err
add_folders(struct command_set *set, const struct command_set *before)
{
	const struct settings *s = set->settings;

	set->folders = calloc(s->n_folders + 1, sizeof(*set->folders));
	if (set->folders == NULL)
		return RK_ENOMEM;
	for (size_t i = 0; i < s->n_folders; i++) {
		struct folder *f = &set->folders[i];

		f->slot = find_folder_slot(before, s->folders[i].name);
		if (f->slot == NULL)
			return RK_ENOMEM;
		f->conf = &s->folders[i];
		f->set = set;
		set->n_folders++;
	}
	return RK_OK;
}

enum rk_err
commands_new(struct settings *s, struct super *super,
    const struct command_set *before, struct command_set **out)
{
	struct command_set *set =
	    calloc(1, sizeof(*set) + s->n_methods * sizeof(set->commands[0]));

	*out = NULL;
	if (set == NULL)
		return RK_ENOMEM;
	atomic_init(&set->refs, 1);
	set->settings = settings_hold(s);
	set->super = super;
	set->made = mono_ns();
	for (size_t i = 0; i < s->n_methods; i++) {
		struct slot *slot = find_slot(before, s->methods[i].name);

		if (slot == NULL) {
			commands_release(set);
			return RK_ENOMEM;
		}
		set->commands[set->n++] = (struct command){
			.conf = &s->methods[i], .slot = slot, .set = set
		};
	}
	if (add_folders(set, before) != RK_OK) {
		commands_release(set);
		return RK_ENOMEM;
	}
	*out = set;
	return RK_OK;
}

void
commands_hold(struct command_set *set)
{
	atomic_fetch_add(&set->refs, 1);
}

void
commands_release(struct command_set *set)
{
	if (set == NULL || atomic_fetch_sub(&set->refs, 1) != 1)
		return;
	for (size_t i = 0; i < set->n; i++)
		release_slot(set->commands[i].slot);
	for (size_t i = 0; i < set->n_folders; i++)
		release_slot(set->folders[i].slot);
	free(set->folders);
	settings_release(set->settings);
	free(set);
}

static void
on_retired(void *arg)
{
	commands_release(arg);
}

static struct rk_method
describe(struct command *c)
{
	static const char *const args[] = { "none", "json", "raw" };
	static const char *const replies[] = { "text", "json", "raw" };
	struct rk_method m = { .name = c->conf->name,
		.about = c->conf->about,
		.args = args[c->conf->args],
		.reply = replies[c->conf->reply],
		.secret = c->conf->secret,
		.arg = c,
		.allow = may_call,
		.idempotent = c->conf->idempotent };

	if (c->conf->stream) {
		m.reply = "stream";
		m.stream = exec_stream;
		m.streams = RK_STREAM_BOTH;
	} else {
		m.fn = exec_call;
	}
	return m;
}

static struct rk_method
describe_folder(struct folder *f, bool put, char name[RK_NAME_MAX + 1])
{
	const char *usual = put ? "takes files" : "hands files out";

	(void)snprintf(
	    name, RK_NAME_MAX + 1, "%s.%s", f->conf->name, put ? "put" : "get");
	return (struct rk_method){ .name = name,
		.about = f->conf->about != NULL ? f->conf->about : usual,
		.args = put ? "file" : "name",
		.reply = put ? "none" : "file",
		.stream = put ? files_put : files_get,
		.streams = put ? RK_STREAM_BOTH : RK_STREAM_DOWN,
		.arg = f,
		.allow = may_use };
}

static struct rk_method
describe_downloader(struct command_set *set)
{
	struct rk_method m = { .name = "__downloaderName",
		.about = "hands out files of the folder with rpc25519 = yes",
		.args = "name",
		.reply = "file",
		.stream = files_demo_get,
		.streams = RK_STREAM_DOWN,
		.allow = may_use };

	for (size_t i = 0; i < set->n_folders; i++) {
		if (set->folders[i].conf->rpc25519)
			m.arg = &set->folders[i];
	}
	return m;
}

/* Two names a folder. */
typedef char method_name[RK_NAME_MAX + 1];

static size_t
fill_list(struct command_set *set, struct rk_method *list, method_name *names)
{
	size_t n = N_OWN;

	memcpy(list, own, sizeof(own));
	for (size_t i = 0; i < N_OWN; i++)
		list[i].arg = set;
	list[n++] = describe_downloader(set);
	for (size_t i = 0; i < set->n; i++)
		list[n++] = describe(&set->commands[i]);
	for (size_t i = 0; i < set->n_folders; i++) {
		struct folder *f = &set->folders[i];

		if (f->conf->put)
			list[n++] = describe_folder(f, true, names[2 * i]);
		if (f->conf->get)
			list[n++] = describe_folder(f, false, names[2 * i + 1]);
	}
	return n;
}

enum rk_err
commands_install(
    struct command_set *set, struct rk_server *server, struct rk_error *err)
{
	size_t most = N_OWN + 1 + set->n + 2 * set->n_folders;
	struct rk_method *list = calloc(most, sizeof(*list));
	method_name *names = calloc(2 * set->n_folders + 1, sizeof(*names));
	enum rk_err r = RK_ENOMEM;

	if (list != NULL && names != NULL)
		r = rk_server_methods(server, list, fill_list(set, list, names),
		    on_retired, set, err);
	free(names);
	free(list);
	return r;
}
