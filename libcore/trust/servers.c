/* Known servers: what the text of a list says about an address and a key. */
#include "trust/servers.h"

#include <strings.h>

#include "base/error.h"
#include "base/str.h"

#define FIELD_AT "at="
#define FIELD_SINCE "since="
#define FIELD_NEXT "next="

static bool
equal(struct rk_str s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

struct rk_str
servers_next_item(struct rk_str *list)
{
	const char *comma;
	struct rk_str item = *list;

	comma = item.len > 0 ? memchr(item.ptr, ',', item.len) : NULL;
	if (comma == NULL) {
		list->len = 0;
		return item;
	}
	item.len = (size_t)(comma - item.ptr);
	list->ptr += item.len + 1;
	list->len -= item.len + 1;
	return item;
}

bool
servers_has(struct rk_str list, const char *item)
{
	while (list.len > 0) {
		if (equal(servers_next_item(&list), item))
			return true;
	}
	return false;
}

/* Capitals do not matter in mail addresses. */
bool
servers_has_mail(struct rk_str list, struct rk_str mail)
{
	while (list.len > 0) {
		struct rk_str item = servers_next_item(&list);

		if (item.len > 0 && item.len == mail.len &&
		    strncasecmp(item.ptr, mail.ptr, item.len) == 0)
			return true;
	}
	return false;
}

static bool
share_mail(struct rk_str one, struct rk_str other)
{
	uint8_t sums[MAILS_MAX][MAILS_SUM_LEN];
	size_t n = mails_sums(mails_of_line(other), sums);

	return mails_have(
	    mails_of_line(one), (const uint8_t(*)[MAILS_SUM_LEN])sums, n);
}

struct rk_str
servers_host(struct rk_str a)
{
	const char *end;

	if (a.len > 0 && a.ptr[0] == '/')
		return a; /* a path */
	if (a.len > 0 && a.ptr[0] == '[') {
		end = memchr(a.ptr, ']', a.len);
		if (end != NULL)
			return (struct rk_str){ a.ptr + 1,
				(size_t)(end - a.ptr) - 1 };
	}
	end = a.len > 0 ? memchr(a.ptr, ':', a.len) : NULL;
	/* Two colons without brackets: no port. */
	if (end == NULL ||
	    memchr(end + 1, ':', a.len - (size_t)(end - a.ptr) - 1) != NULL)
		return a;
	a.len = (size_t)(end - a.ptr);
	return a;
}

/* A field NAME=VALUE behind the key; empty when there is none. */
static struct rk_str
field_of(const struct known_line *line, const char *name)
{
	struct rk_str rest = line->rest, f;
	size_t n = strlen(name);

	while ((f = known_next_field(&rest)).len > 0) {
		if (f.len > n && memcmp(f.ptr, name, n) == 0)
			return (struct rk_str){ f.ptr + n, f.len - n };
	}
	return (struct rk_str){ "", 0 };
}

struct rk_str
servers_at(const struct known_line *line, bool *tied)
{
	struct rk_str at = field_of(line, FIELD_AT);

	*tied = at.len > 0 && !servers_has(at, SERVERS_ANYWHERE);
	return at;
}

struct rk_str
servers_next(const struct known_line *line)
{
	return field_of(line, FIELD_NEXT);
}

bool
servers_same_host(const struct known_line *line, const struct servers_query *q)
{
	return equal(line->host, q->host) ||
	       (q->remote[0] != '\0' && equal(line->host, q->remote));
}

bool
servers_is_key(const struct known_line *line, const struct servers_name *what)
{
	char fp[RK_FP_LEN];

	rk_fp_of_key(line->pub, fp);
	return rk_fp_match(fp, what->given, true);
}

bool
servers_named(const struct known_line *line, const struct servers_name *what)
{
	bool tied;
	struct rk_str at = servers_at(line, &tied);

	if (!tied && equal(line->host, what->coded))
		return true;
	while (what->coded[0] != '\0' && at.len > 0) {
		struct rk_str item = servers_next_item(&at);

		if (equal(item, what->coded) ||
		    equal(servers_host(item), what->coded))
			return true;
	}
	return servers_is_key(line, what);
}

static void
show_text(char *dst, size_t dst_len, struct rk_str s)
{
	(void)rk_escape(dst, dst_len, s.len > 0 ? s.ptr : "", s.len);
}

void
servers_show(const struct known_line *line, struct rk_known_server *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->pub, line->pub, sizeof(out->pub));
	rk_fp_of_key(line->pub, out->fp);
	show_text(out->host, sizeof(out->host), line->host);
	show_text(out->email, sizeof(out->email), line->emails);
	show_text(out->at, sizeof(out->at), field_of(line, FIELD_AT));
	show_text(out->since, sizeof(out->since), field_of(line, FIELD_SINCE));
	show_text(out->next, sizeof(out->next), servers_next(line));
}

/* ---- the question ---- */

/* A socket in the file system, with its scheme or without. */
static bool
is_path(const char *server, const char *start)
{
	const char *const scheme = "unix://";
	const size_t n = strlen(scheme);

	if (*start != '/')
		return false;
	return start == server || ((size_t)(start - server) >= n &&
	                              strncmp(start - n, scheme, n) == 0);
}

enum rk_err
rk_servers_address(
    const char *server, char out[RK_SERVER_LEN], struct rk_error *err)
{
	const char *start = server[0] == '/' ? NULL : strstr(server, "://");
	char shown[128];
	bool path;
	size_t i;

	start = start != NULL ? start + 3 : server;
	path = is_path(server, start);
	out[0] = '\0';
	for (i = 0; start[i] != '\0' && i + 1 < RK_SERVER_LEN; i++) {
		unsigned char c = (unsigned char)start[i];
		bool lower = !path && c >= 'A' && c <= 'Z';

		if (c <= 0x20 || c >= 0x7f || c == ',' || c == '*' ||
		    (c == '/' && !path))
			break;
		out[i] = (char)(lower ? c - 'A' + 'a' : c);
	}
	out[i] = '\0';
	if (i > 0 && start[i] == '\0')
		return RK_OK;
	out[0] = '\0';
	return err_set(err, RK_EINVAL,
	    "\"%s\": not the address of a server whose key could be known",
	    str_escape(shown, sizeof(shown), server));
}

/* As a column of the file has it; what is too long is left out, and then is
 * not found in any. */
static enum rk_err
code(char *dst, size_t dst_len, struct rk_str s)
{
	char text[RK_SERVER_LEN];
	struct buf b;
	enum rk_err r;

	dst[0] = '\0';
	if (s.len == 0 || s.len >= sizeof(text))
		return RK_OK;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	buf_init(&b, dst_len - 1);
	r = known_put_column(&b, text);
	if (r == RK_OK) {
		memcpy(dst, buf_peek(&b), buf_len(&b));
		dst[buf_len(&b)] = '\0';
	}
	buf_fini(&b);
	return r == RK_ETOOBIG ? RK_OK : r;
}

static struct rk_str
str_of(const char *s)
{
	return (struct rk_str){ s, strlen(s) };
}

void
servers_name(const char *what, struct servers_name *out)
{
	*out = (struct servers_name){ .given = what };
	/* Without memory it is found by its fingerprint only. */
	if (code(out->coded, sizeof(out->coded), str_of(what)) != RK_OK)
		out->coded[0] = '\0';
}

enum rk_err
servers_ask(const char *address, const struct rk_peer *peer,
    struct servers_query *out, struct rk_error *err)
{
	char plain[RK_SERVER_LEN], remote[RK_SERVER_LEN];
	struct rk_error ignored;
	enum rk_err r;

	memset(out, 0, sizeof(*out));
	out->pub = peer->cert.pub;
	rk_fp_of_key(out->pub, out->fp);
	if ((r = rk_servers_address(address, plain, err)) != RK_OK)
		return r;
	if (rk_servers_address(peer->remote, remote, &ignored) != RK_OK)
		remote[0] = '\0'; /* it has no number */
	r = code(out->address, sizeof(out->address), str_of(plain));
	if (r == RK_OK)
		r = code(
		    out->host, sizeof(out->host), servers_host(str_of(plain)));
	if (r == RK_OK)
		r = code(out->remote, sizeof(out->remote),
		    servers_host(str_of(remote)));
	if (r == RK_OK)
		r = code(
		    out->emails, sizeof(out->emails), str_of(peer->cert.email));
	if (r == RK_OK && out->address[0] == '\0')
		r = RK_EINVAL;
	return r == RK_OK ? RK_OK
	                  : err_set(err, r, "address: %s", rk_err_text(r));
}

/* ---- the verdict ---- */

struct verdict {
	bool here;      /* the key is tied to the address */
	bool free;      /* the key is on the list, for anywhere */
	bool elsewhere; /* it is tied to others */
	bool strong;    /* another key is tied to the address */
	bool host;      /* another key, for anywhere, was met at the host */
	bool name;      /* another key has the peer's name */
	bool next;      /* a key tied to the address has announced it, */
	bool host_next; /* or one for anywhere that was met at the host */
	struct known_line own;
	struct known_line before; /* of the key that has announced it */
	struct known_line other;  /* of the first of these that holds */
};

static void
note_other(struct verdict *v, const struct known_line *line, bool *found)
{
	/* What is certain stands above what is likely. */
	if (!v->strong && (found == &v->strong || (!v->host && !v->name)))
		v->other = *line;
	*found = true;
}

static void
note_next(struct verdict *v, const struct known_line *line, bool here)
{
	if (here || !v->next)
		v->before = *line;
	v->next |= here;
	v->host_next |= !here;
}

static void
weigh(struct verdict *v, const struct servers_query *q,
    const struct known_line *line)
{
	bool tied;
	struct rk_str at = servers_at(line, &tied);
	bool here = servers_has(at, q->address);
	bool next = servers_has(servers_next(line), q->fp);
	bool host = !tied && servers_same_host(line, q);

	if (memcmp(line->pub, q->pub, sizeof(line->pub)) == 0) {
		v->here |= here;
		v->free |= !tied;
		if (tied && !here) {
			v->elsewhere = true;
			v->own = *line;
		}
		return;
	}
	if (next && (here || host))
		note_next(v, line, here);
	if (here)
		note_other(v, line, &v->strong);
	else if (host)
		note_other(v, line, &v->host);
	else if (!next && share_mail(line->emails, str_of(q->emails)))
		note_other(v, line, &v->name);
}

void
servers_judge(const char *text, size_t len, const struct servers_query *q,
    struct rk_server_view *out)
{
	struct verdict v = { .here = false };
	struct known_line line;
	size_t at = 0;
	bool ended;

	while (at < len) {
		if (known_line(known_next_line(text, len, &at, &ended),
		        &line) == RK_OK)
			weigh(&v, q, &line);
	}
	memset(&out->line, 0, sizeof(out->line));
	out->listed = v.here || v.free || v.elsewhere;
	out->here = v.here;
	out->is = RK_SERVER_KNOWN;
	if (v.here)
		return;
	if (!v.strong && v.free && !v.elsewhere)
		return;
	out->here = v.next;
	out->is = RK_SERVER_NEXT;
	if (v.next || (v.host_next && !v.strong)) {
		servers_show(&v.before, &out->line);
		return;
	}
	out->here = v.strong;
	out->is = RK_SERVER_CHANGED;
	if (v.strong || v.host || (v.name && !v.elsewhere)) {
		servers_show(&v.other, &out->line);
		return;
	}
	out->is = RK_SERVER_NEW;
	if (v.elsewhere)
		servers_show(&v.own, &out->line);
}
