/* rpcsh ls, rpcsh desc: what the server offers. */
#include "base/error.h"
#include "base/str.h"
#include "cache.h"
#include "cli/graph.h"
#include "cli/json.h"
#include "cli/pager.h"
#include "rpcsh.h"
#include "target.h"
#include "typed.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct opt ls_opts[] = {
	{ .name = "refresh", .about = "ask the server, and nothing but it" },
	{ .name = "cached", .about = "ask nobody: as the server said it last" },
	{ 0 },
};

#define MALFORMED "the server's list of methods is malformed"

/* A text member as it came, cut at a NUL; "" when there is none. */
static const char *
bytes_of(const struct rk_value *map, const char *key, char *out, size_t len)
{
	const struct rk_value *v = rk_value_get(map, key);
	size_t n = 0;

	if (v != NULL && v->kind == RK_STR)
		n = v->u.bytes.len < len ? v->u.bytes.len : len - 1;
	if (n != 0)
		memcpy(out, v->u.bytes.ptr, n);
	out[n] = '\0';
	return out;
}

static bool
true_of(const struct rk_value *map, const char *key)
{
	const struct rk_value *v = rk_value_get(map, key);

	return v != NULL && v->kind == RK_BOOL && v->u.b;
}

static int
no_list(const struct target *t, const struct out *o)
{
	char text[TARGET_ASKED_LEN + 80], asked[TARGET_ASKED_LEN];

	(void)snprintf(text, sizeof(text),
	    "the server does not offer a list of its methods: it has no "
	    "_.methods; %s",
	    target_asked(t, asked));
	return out_fail(
	    o, RK_ENOMETHOD, text, "you can still call by name: rpcsh METHOD");
}

/* Call a method of the server about itself and decode its answer. */
static int
ask(struct target *t, const struct out *o, const struct rk_request *req,
    struct rk_value_doc **doc)
{
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r;
	int status = 0;

	*doc = NULL;
	r = target_call(t, req, &reply, &err);
	if (r == RK_ENOMETHOD)
		status = no_list(t, o);
	else if (r != RK_OK)
		status = target_failed(t, o, &err, req->method);
	else if (rk_value_decode(reply.payload.ptr, reply.payload.len, doc) !=
	         RK_OK)
		status = out_fail(o, RK_EPROTO, MALFORMED, NULL);
	rk_reply_free(&reply);
	return status;
}

/* ---- ls ---- */

static enum rk_err
list_method(struct table *t, const struct rk_value *m, const char *pattern,
    size_t *shown)
{
	char name[RK_NAME_MAX + 1], args[128], reply[128], about[256];
	const union cell cells[] = {
		{ .text = bytes_of(m, "name", name, sizeof(name)) },
		{ .text = bytes_of(m, "args", args, sizeof(args)) },
		{ .text = bytes_of(m, "reply", reply, sizeof(reply)) },
		{ .text = bytes_of(m, "about", about, sizeof(about)) },
		{ .yes = true_of(m, "idempotent") },
	};

	if (name[0] == '\0')
		return RK_EPROTO;
	if (pattern != NULL && fnmatch(pattern, name, 0) != 0)
		return RK_OK;
	(*shown)++;
	return table_row(t, cells);
}

static int
show_list(const struct out *o, const struct rk_value *list, const char *pattern)
{
	static const struct field fields[] = {
		{ "name", "METHOD", FIELD_TEXT },
		{ "args", "TAKES", FIELD_TEXT },
		{ "reply", "GIVES", FIELD_TEXT },
		{ "about", "ABOUT", FIELD_TEXT },
		{ "idempotent", NULL, FIELD_BOOL },
	};
	struct table *t;
	size_t shown = 0;
	enum rk_err r;

	if (list->kind != RK_ARRAY)
		return out_fail(o, RK_EPROTO, MALFORMED, NULL);
	r = table_new(o, fields, sizeof(fields) / sizeof(fields[0]), &t);
	if (r != RK_OK)
		return out_fail(o, r, rk_err_text(r), NULL);
	for (size_t i = 0; r == RK_OK && i < list->u.list.count; i++)
		r = list_method(t, &list->u.list.items[i], pattern, &shown);
	if (r == RK_OK && pattern == NULL)
		table_end_list(t);
	else
		table_end(t);
	if (r == RK_EPROTO)
		return out_fail(o, r, MALFORMED, NULL);
	if (r != RK_OK)
		return out_fail(o, r, rk_err_text(r), NULL);
	if (shown == 0 && pattern != NULL)
		return out_fail(
		    o, RK_ENOENT, "no method fits the pattern", "rpcsh ls");
	return 0;
}

/* What is remembered, shown instead; false: it is not to be, or there is
 * nothing, and why has been said. */
static bool
remembers(const struct args *a, const struct out *o, const char *url,
    const struct rk_error *why, struct cached *c)
{
	char shown[160];

	/* Whoever is there and not believed has no say about that. */
	if (args_flag(a, "refresh") ||
	    (rk_err_exit(why->code) != 4 && rk_err_exit(why->code) != 5) ||
	    cache_read(url, c) != RK_OK)
		return false;
	if (strstr(why->text, "://") != NULL)
		out_warn(o, "%s; this is what it said at %s", why->text, c->at);
	else
		out_warn(o, "%s: %s; this is what it said at %s",
		    str_escape(shown, sizeof(shown), url), why->text, c->at);
	return true;
}

static int
list_remembered(const struct out *o, const char *pattern, struct cached *c)
{
	int status = show_list(o, c->methods, pattern);

	cache_free(c);
	return status;
}

static int
list_asked(struct target *t, const struct args *a, const struct out *o,
    const char *pattern)
{
	struct rk_request req = { .method = "_.methods" };
	struct rk_value_doc *doc = NULL;
	struct rk_error err = { 0 };
	struct cached c;
	int status;

	if (target_dial(t, o, &err) != RK_OK)
		return remembers(a, o, t->url, &err, &c)
		           ? list_remembered(o, pattern, &c)
		           : target_failed(t, o, &err, NULL);
	if ((status = ask(t, o, &req, &doc)) == 0) {
		status = show_list(o, rk_value_root(doc), pattern);
		cache_methods(t->url, rk_value_root(doc));
	}
	rk_value_free(doc);
	return status;
}

/* --cached: nobody is asked, and no key is needed. */
static int
open_cache(const struct args *a, const struct out *o, struct cached *c)
{
	char url[SETTINGS_URL_LEN], shown[160], text[256];
	struct rk_error err = { 0 };
	struct settings s;

	if (args_flag(a, "refresh"))
		return out_fail(o, RK_EINVAL,
		    "--cached and --refresh exclude each other", NULL);
	if (settings_load(a, &s, &err) != RK_OK)
		return out_error(o, &err, "rpcsh ctx ls");
	if (cache_read(settings_url(&s, a, url), c) == RK_OK)
		return 0;
	(void)snprintf(text, sizeof(text), "%s: its methods are not known yet",
	    str_escape(shown, sizeof(shown), url));
	return out_fail(o, RK_ENOENT, text, "rpcsh ls");
}

int
cmd_ls(struct args *a, void *ctx)
{
	struct target own, *t;
	struct cached c;
	struct out o;
	size_t n;
	const char *const *words = args_operands(a, &n);
	const char *pattern = n == 0 ? NULL : words[0];
	int status = 0;

	out_init(&o, a);
	if (args_flag(a, "cached")) {
		status = open_cache(a, &o, &c);
		return status == 0 ? list_remembered(&o, pattern, &c) : status;
	}
	if ((t = target_use(&own, ctx, a, &o, &status)) == NULL)
		return status;
	status = list_asked(t, a, &o, pattern);
	target_done(t, ctx);
	return status;
}

/* ---- desc ---- */

/* As a word of a shell: a server's name for something is nothing to trust. */
static void
show_word(const struct out *o, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789._-/:@+,%";

	if (word[0] != '-' && word[strspn(word, plain)] == '\0') {
		out_text(o, "%s", word);
		return;
	}
	out_text(o, "'");
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			out_text(o, "'\\''");
		else
			out_bytes(o, word, 1);
	}
	out_text(o, "'");
}

/* One "name" or "name:type" of "{a:int, b}" as an item to be filled in. */
static bool
show_item(const struct out *o, const char *item, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t name = strspn(item, letters);
	const char *type = item + name + strspn(item + name, ": ");
	const char *value = "=TEXT";

	if (name == 0 || name > len)
		return false;
	if (type > item + name && type < item + len) {
		if (strncmp(type, "int", 3) == 0 ||
		    strncmp(type, "uint", 4) == 0 ||
		    strncmp(type, "num", 3) == 0)
			value = ":=0";
		else if (strncmp(type, "float", 5) == 0)
			value = ":=0.0";
		else if (strncmp(type, "bool", 4) == 0)
			value = ":=true";
		else if (strncmp(type, "[]", 2) == 0)
			value = ":=[]";
		else if (strncmp(type, "map", 3) == 0)
			value = ":={}";
		else if (strncmp(type, "bin", 3) == 0 ||
		         strncmp(type, "bytes", 5) == 0)
			value = "@FILE";
	}
	out_text(o, " %.*s%s", (int)name, item, value);
	return true;
}

static void
show_items(const struct out *o, const char *args)
{
	size_t len = strlen(args);
	bool any = false;

	if (len < 2 || args[0] != '{' || args[len - 1] != '}') {
		out_text(o, " k=v");
		return;
	}
	for (const char *p = args + 1; *p != '\0' && *p != '}';) {
		size_t n;

		p += strspn(p, ", ");
		n = strcspn(p, ",}");
		if (n != 0 && show_item(o, p, n))
			any = true;
		p += n;
	}
	if (!any)
		out_text(o, " k=v");
}

/* The verb that such a method wants; NULL: it is one of values. */
static const char *
verb_of(const char *args, const char *reply)
{
	if (strcmp(reply, "stream") == 0) /* of a command */
		return "exec";
	if (strcmp(args, "file") == 0)
		return "put";
	return strcmp(reply, "file") == 0 ? "get" : NULL;
}

static void
show_argument(const struct out *o, const char *args, const char *verb)
{
	if (verb == NULL && strcmp(args, "raw") == 0)
		out_text(o, " --raw TEXT");
	else if (strcmp(args, "json") == 0)
		out_text(o, " -d JSON");
	else if (strcmp(args, "raw") == 0)
		out_text(o, " < INPUT");
	else if (args[0] != '\0' && strcmp(args, "none") != 0)
		show_items(o, args);
}

/* A line somebody can run after filling it in. */
static void
show_example(const struct out *o, const char *name, const char *args,
    const char *reply, const char *streams)
{
	const char *verb = verb_of(args, reply);
	bool values = verb == NULL && streams[0] != '\0';

	out_text(o, "  rpcsh ");
	if (values)
		out_text(o, "call -o ndjson ");
	else if (verb != NULL || rpcsh_has_verb(name))
		out_text(o, "%s ", verb != NULL ? verb : "call");
	out_text(o, "%s", name[0] == '-' ? "-- " : "");
	show_word(o, name);
	if (verb != NULL && strcmp(verb, "put") == 0)
		out_text(o, " FILE");
	else if (verb != NULL && strcmp(verb, "get") == 0)
		out_text(o, " NAME --out FILE");
	else if (values && strcmp(streams, "down") != 0)
		out_text(o, " -d - < LINES");
	else
		show_argument(o, args, verb);
	out_text(o, "\n");
}

static int
show_method_json(const struct out *o, const struct rk_value *m)
{
	struct buf b;
	enum rk_err r;
	int status = 0;

	buf_init(&b, SIZE_MAX / 2);
	if ((r = buf_put_str(&b, "{\"schema\":1,\"method\":")) == RK_OK &&
	    (r = json_write(&b, m, &(struct json_write){ 0 })) == RK_OK)
		r = buf_put_str(&b, "}\n");
	if (r == RK_OK)
		out_bytes(o, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(o, r, rk_err_text(r), NULL);
	buf_fini(&b);
	return status;
}

static const char *
or_dash(const char *text)
{
	return text[0] == '\0' ? "-" : text;
}

/* One line; where a terminal has no room for it, what goes in and comes out
 * stands below. */
static void
show_head(const struct out *o, const char *name, const char *args,
    const char *reply, const char *streams, bool again)
{
	const char *in = args[0] == '\0' ? "anything" : args;
	const char *out = reply[0] == '\0' ? "anything" : reply;
	char kind[96];
	size_t len;

	(void)snprintf(kind, sizeof(kind), "%s%s%s",
	    streams[0] == '\0' ? "two-way" : "streams ", streams,
	    again ? "  may be repeated" : "");
	len = strlen(name) + strlen(kind) + strlen(in) + strlen(out) +
	      strlen("     in   out ");
	if (isatty(STDOUT_FILENO) != 1 || len <= graph_columns(STDOUT_FILENO))
		out_text(o, "%s  %s   in %s  out %s\n", name, kind, in, out);
	else
		out_text(o, "%s  %s\n  in %s\n  out %s\n", name, kind, in, out);
}

static int
show_method(const struct out *o, const struct rk_value *m)
{
	char name[4 * RK_NAME_MAX + 1], args[256], reply[256], about[512];
	char streams[64], secret[512];

	if (show_member(m, "name", name, sizeof(name))[0] == '\0')
		return out_fail(o, RK_EPROTO,
		    "the server's description is malformed", NULL);
	if (o->form == OUT_JSON)
		return show_method_json(o, m);
	(void)show_member(m, "args", args, sizeof(args));
	(void)show_member(m, "reply", reply, sizeof(reply));
	(void)show_member(m, "about", about, sizeof(about));
	if (o->form == OUT_PLAIN) {
		out_text(o, "%s\t%s\t%s\t%s\t%s\n", name, or_dash(args),
		    or_dash(reply), or_dash(about),
		    true_of(m, "idempotent") ? "yes" : "no");
		return 0;
	}
	(void)show_member(m, "streams", streams, sizeof(streams));
	(void)show_member(m, "secret", secret, sizeof(secret));
	show_head(o, name, args, reply, streams, true_of(m, "idempotent"));
	if (about[0] != '\0')
		out_text(o, "  %s\n", about);
	if (secret[0] != '\0')
		out_text(o, "  secret: %s\n", secret);
	show_example(o, name, args, reply, streams);
	typed_show(o, m);
	return 0;
}

static int
show_paged(const struct out *o, const struct rk_value *m)
{
	struct out page;
	struct buf b;
	int status;

	pager_begin(o, &page, &b);
	status = show_method(&page, m);
	pager_end(o, &b);
	return status;
}

static enum rk_err
ask_about(struct target *t, const char *method, struct rk_reply *reply,
    struct rk_error *err)
{
	const struct rk_value name = { .kind = RK_STR,
		.u.bytes = { (const uint8_t *)method, strlen(method) } };
	struct rk_request req = { .method = "_.describe" };
	uint8_t *payload;
	enum rk_err r = rk_value_encode(&name, &payload, &req.payload_len);

	*reply = (struct rk_reply){ .code = r };
	if (r != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	req.payload = payload;
	r = target_call(t, &req, reply, err);
	free(payload);
	return r;
}

static int
describe(struct target *t, const struct out *o, const char *method)
{
	struct rk_value_doc *doc = NULL;
	char whole[RK_NAME_MAX + 1];
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r = ask_about(t, method, &reply, &err);
	int status = 0;

	if (typed_is_unknown(&reply) && target_whole_name(t, method, whole))
		status = describe(t, o, whole); /* it has a dot */
	else if (typed_is_unknown(&reply))
		status = target_no_method(t, o, method);
	else if (r == RK_ENOMETHOD)
		status = out_fail(o, r,
		    "the server does not describe its methods: it has no "
		    "_.describe",
		    "you can still call by name: rpcsh METHOD");
	else if (r != RK_OK)
		status = target_failed(t, o, &err, "_.describe");
	else if (rk_value_decode(reply.payload.ptr, reply.payload.len, &doc) !=
	         RK_OK)
		status = out_fail(o, RK_EPROTO,
		    "the server's description is malformed", NULL);
	if (doc != NULL) {
		status = show_paged(o, rk_value_root(doc));
		cache_method(t->url, rk_value_root(doc));
	}
	rk_value_free(doc);
	rk_reply_free(&reply);
	return status;
}

static int
describe_remembered(const struct out *o, const char *method, struct cached *c)
{
	const struct rk_value *m = cache_find(c, method);
	char text[RK_NAME_MAX + 64], name[RK_NAME_MAX + 1];
	int status;

	(void)snprintf(text, sizeof(text), "%s: no such method at %s",
	    str_escape(name, sizeof(name), method), c->at);
	status = m != NULL ? show_paged(o, m)
	                   : out_fail(o, RK_ENOMETHOD, text, "rpcsh ls");
	cache_free(c);
	return status;
}

static int
describe_asked(struct target *t, const struct args *a, const struct out *o,
    const char *method)
{
	struct rk_error err = { 0 };
	struct cached c;

	if (target_dial(t, o, &err) == RK_OK)
		return describe(t, o, method);
	return remembers(a, o, t->url, &err, &c)
	           ? describe_remembered(o, method, &c)
	           : target_failed(t, o, &err, NULL);
}

int
cmd_desc(struct args *a, void *ctx)
{
	size_t n;
	const char *method = args_operands(a, &n)[0];
	struct target own, *t;
	struct cached c;
	struct out o;
	int status = 0;

	out_init(&o, a);
	if (strlen(method) > RK_NAME_MAX)
		return out_fail(&o, RK_EINVAL, "method: name too long", NULL);
	if (args_flag(a, "cached")) {
		status = open_cache(a, &o, &c);
		if (status == 0)
			status = describe_remembered(&o, method, &c);
	} else if ((t = target_use(&own, ctx, a, &o, &status)) != NULL) {
		status = describe_asked(t, a, &o, method);
		target_done(t, ctx);
	}
	return status;
}
