/* A method that the server has not got: whom that was asked, and which name is
 * the nearest. */
#include "target.h"

#include "base/str.h"

#include <rpckit/value.h>

#include <stdio.h>
#include <string.h>

struct nearest {
	const char *word;
	unsigned distance;
	unsigned ends;     /* names that end so, behind a dot */
	enum rk_err asked; /* RK_OK: this many are on the server's list */
	size_t listed;
	char name[RK_NAME_MAX + 1];
};

const char *
target_asked(const struct target *t, char dst[TARGET_ASKED_LEN])
{
	const struct rk_peer *peer = rk_client_peer(t->client);
	char url[160];

	(void)snprintf(dst, TARGET_ASKED_LEN, "asked %s%s%s",
	    str_escape(url, sizeof(url), t->url),
	    peer == NULL || peer->alpn[0] == '\0' ? "" : ", ",
	    peer == NULL ? "" : peer->alpn);
	return dst;
}

/* Who has said so, and what is known of what it has. */
static void
add_asked(
    const struct target *t, const struct nearest *n, char *dst, size_t len)
{
	char asked[TARGET_ASKED_LEN];
	size_t used = strlen(dst);

	(void)target_asked(t, asked);
	if (n->asked == RK_OK)
		(void)snprintf(dst + used, len - used,
		    "; %s, which lists %zu method%s", asked, n->listed,
		    n->listed == 1 ? "" : "s");
	else
		(void)snprintf(dst + used, len - used,
		    "; %s, and for its list: %s", asked,
		    n->asked == RK_ENOMETHOD ? "it offers none"
		                             : rk_err_text(n->asked));
}

/* "math.Sum" of "Sum". */
static bool
is_end(const char *name, const char *word)
{
	size_t a = strlen(name), b = strlen(word);

	return b > 0 && a > b + 1 && name[a - b - 1] == '.' &&
	       strcmp(name + a - b, word) == 0;
}

static void
offer(struct nearest *n, const char *name)
{
	unsigned d = str_distance(n->word, name, 3);

	if (is_end(name, n->word)) {
		n->ends++;
		d = 0;
	}
	if (d >= n->distance || (d > 0 && d >= strlen(n->word)))
		return;
	n->distance = d;
	(void)str_copy(n->name, sizeof(n->name), name);
}

static void
offer_method(struct nearest *n, const struct rk_value *m)
{
	const struct rk_value *v = rk_value_get(m, "name");
	char name[RK_NAME_MAX + 1];

	if (v == NULL || v->kind != RK_STR || v->u.bytes.len > RK_NAME_MAX)
		return;
	(void)rk_escape(
	    name, sizeof(name), (const char *)v->u.bytes.ptr, v->u.bytes.len);
	offer(n, name);
}

/* The nearest name the server has. */
static void
offer_all(struct target *t, struct nearest *n)
{
	struct rk_request req = { .method = "_.methods", .timeout = 2000 };
	struct rk_value_doc *doc = NULL;
	const struct rk_value *list;
	struct rk_reply reply;

	n->asked = target_call(t, &req, &reply, NULL);
	if (n->asked == RK_OK)
		n->asked =
		    rk_value_decode(reply.payload.ptr, reply.payload.len, &doc);
	list = n->asked == RK_OK ? rk_value_root(doc) : NULL;
	if (list != NULL && list->kind == RK_ARRAY)
		n->listed = list->u.list.count;
	for (size_t i = 0; i < n->listed; i++)
		offer_method(n, &list->u.list.items[i]);
	rk_value_free(doc);
	rk_reply_free(&reply);
}

bool
target_whole_name(
    struct target *t, const char *method, char out[RK_NAME_MAX + 1])
{
	struct nearest n = { .word = method, .distance = 1 };

	if (strchr(method, '.') == NULL)
		offer_all(t, &n);
	(void)str_copy(out, RK_NAME_MAX + 1, n.name);
	/* What had to be escaped is no name that could be called. */
	return n.ends == 1 && is_end(n.name, method);
}

int
target_no_method(struct target *t, const struct out *o, const char *method)
{
	static const char *const verbs[] = { "call", "exec", "put", "get", "ls",
		"desc", "ping", "bench", "watch", "ctx", "trust", "help" };
	struct nearest n = { .word = method, .distance = 3 };
	char name[RK_NAME_MAX + 1];
	char text[2 * RK_NAME_MAX + TARGET_ASKED_LEN + 160];

	offer_all(t, &n);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		offer(&n, verbs[i]);
	(void)str_escape(name, sizeof(name), method);
	if (n.name[0] == '\0')
		(void)snprintf(text, sizeof(text),
		    "%s: the server has no such method", name);
	else
		(void)snprintf(text, sizeof(text),
		    "%s: the server has no such method (did you mean \"%s\"?)",
		    name, n.name);
	add_asked(t, &n, text, sizeof(text));
	/* A list that is not there tells nothing more. */
	return out_fail(
	    o, RK_ENOMETHOD, text, n.asked == RK_ENOMETHOD ? NULL : "rpcsh ls");
}
