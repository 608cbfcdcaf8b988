/* The environment of a command: who calls, and what with; nothing else. */
#include "exec.h"

#include "base/str.h"

#include <stdlib.h>

#define ENV_MAX ((size_t)32 << 10) /* bytes in all */
#define VARS_MAX 48
#define ARGS_SHOWN 32 /* arguments that become variables */
#define KEY_MAX 64

struct env {
	struct buf text; /* strings with their NUL */
	size_t n;
	const char *why; /* the first thing that went wrong */
};

/* "NAME=" and then any bytes but NUL. */
static void
put_var(struct env *e, const char *name, struct rk_str value)
{
	if (e->why != NULL)
		return;
	if (value.len > 0 && memchr(value.ptr, '\0', value.len) != NULL) {
		e->why = "a header field holds a NUL byte";
		return;
	}
	if (e->n == VARS_MAX || buf_put_str(&e->text, name) != RK_OK ||
	    buf_put_str(&e->text, "=") != RK_OK ||
	    buf_put(&e->text, value.ptr, value.len) != RK_OK ||
	    buf_put(&e->text, "", 1) != RK_OK) {
		e->why = "the header is too large for a command";
		return;
	}
	e->n++;
}

static void
put_text(struct env *e, const char *name, const char *value)
{
	put_var(e, name, str_view(value));
}

/* "dry-run" to "RPCKIT_ARG_DRY_RUN"; false: not a name for a variable. */
static bool
arg_name(struct rk_str key, char dst[KEY_MAX + 16])
{
	size_t n = str_copy(dst, KEY_MAX + 16, "RPCKIT_ARG_");

	if (key.len == 0 || key.len > KEY_MAX)
		return false;
	for (size_t i = 0; i < key.len; i++) {
		char c = key.ptr[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (c == '-' || c == '.')
			c = '_';
		else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		         c != '_')
			return false;
		dst[n++] = c;
	}
	dst[n] = '\0';
	return true;
}

/* Two keys may become one name: the first counts. */
static bool
is_taken(const struct env *e, const char *name)
{
	const char *p = (const char *)buf_peek(&e->text);
	const char *end = p + buf_len(&e->text);
	size_t len = strlen(name);

	for (; p != NULL && p < end; p += strlen(p) + 1) {
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return true;
	}
	return false;
}

static void
put_args(struct env *e, const struct rk_args *args)
{
	char name[KEY_MAX + 16];
	struct rk_arg arg;
	size_t at = 0;
	size_t n = 0;

	while (rk_args_next(args, &at, &arg)) {
		if (!arg_name(arg.key, name) || is_taken(e, name))
			continue;
		if (++n > ARGS_SHOWN) {
			e->why = "too many arguments for a command";
			return;
		}
		put_var(e, name, arg.value);
	}
}

static void
put_caller(struct env *e, const struct rk_peer *p)
{
	put_text(e, "RPCKIT_PEER_EMAIL", p->proven ? p->cert.email : "");
	put_text(e, "RPCKIT_PEER_FP", p->proven ? p->cert.fp : "");
	put_text(e, "RPCKIT_PEER_CN", p->proven ? p->cert.cn : "");
	put_text(e, "RPCKIT_PEER_PSK", p->psk);
	put_text(e, "RPCKIT_PEER_ADDR", p->remote);
	put_text(e, "RPCKIT_PEER_TRANSPORT", p->transport);
}

/* The strings and the pointers to them in one piece. */
static char **
join(struct env *e)
{
	size_t table = (e->n + 1) * sizeof(char *);
	char **envp = malloc(table + buf_len(&e->text));
	char *p;

	if (envp == NULL)
		return NULL;
	p = (char *)(envp + e->n + 1);
	memcpy(p, buf_peek(&e->text), buf_len(&e->text));
	for (size_t i = 0; i < e->n; i++) {
		envp[i] = p;
		p += strlen(p) + 1;
	}
	envp[e->n] = NULL;
	return envp;
}

const char *
exec_env(const struct asked *q, const struct command *c, char ***envp)
{
	struct env e = { .n = 0 };

	*envp = NULL;
	buf_init(&e.text, ENV_MAX);
	put_text(&e, "PATH", "/usr/local/bin:/usr/bin:/bin");
	put_text(&e, "LANG", "C.UTF-8");
	put_text(&e, "RPCKIT_METHOD", c->conf->name);
	put_var(&e, "RPCKIT_SUBJECT", q->hdr->subject);
	put_caller(&e, q->peer);
	if (q->early)
		put_text(&e, "RPCKIT_EARLY", "1");
	put_args(&e, &q->hdr->args);
	if (e.why == NULL) {
		*envp = join(&e);
		if (*envp == NULL)
			e.why = "out of memory";
	}
	buf_fini(&e.text);
	return e.why;
}
