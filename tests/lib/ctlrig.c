/* A control of a rig, and who asks it, in tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"

#include "ctlrig.h"

/* ---- a control of a rig ---- */

static void
say(struct ctl *c, struct rk_call *call, const char *what)
{
	(void)pthread_mutex_lock(&c->rig->lock);
	(void)snprintf(c->told, sizeof(c->told), "%s", what);
	(void)pthread_mutex_unlock(&c->rig->lock);
	(void)rk_call_reply(call, NULL, 0);
}

static void
on_drain(struct rk_call *call, void *arg)
{
	say(arg, call, "drain");
}

static void
on_stop(struct rk_call *call, void *arg)
{
	say(arg, call, "stop");
}

void
ctl_make(struct rpcrig *r, void *arg)
{
	struct ctl *c = arg;

	(void)r;
	c->r = rk_control_new(&c->conf, &c->control, &c->err);
}

void
ctl_init(struct ctl *c, struct rpcrig *r)
{
	static unsigned number;
	char name[32];

	*c = (struct ctl){ .rig = r };
	(void)snprintf(name, sizeof(name), "c%u", number);
	rpcworld_path(c->path, name);
	(void)snprintf(name, sizeof(name), "v%u", number++);
	rpcworld_path(c->view, name);
	c->conf = (struct rk_control_conf){ .size = sizeof(c->conf),
		.server = r->server,
		.path = c->path,
		.view_path = c->view,
		.name = "tester",
		.version = "7.1",
		.drain = on_drain,
		.stop = on_stop,
		.arg = c };
}

void
ctl_begin(struct ctl *c, struct rpcrig *r)
{
	ctl_init(c, r);
	rpcrig_do(r, ctl_make, c);
	if (c->r != RK_OK)
		fail_msg("%s", c->err.text);
}

void
ctl_start(struct ctl *c, struct rpcrig *r, const struct rpcrun *run)
{
	rpcrig_begin(r, run);
	ctl_begin(c, r);
}

void
ctl_was_told(struct ctl *c, const char *what)
{
	(void)pthread_mutex_lock(&c->rig->lock);
	assert_string_equal(c->told, what);
	(void)pthread_mutex_unlock(&c->rig->lock);
}

static void
on_done(void *arg)
{
	struct ctl *c = arg;

	(void)pthread_mutex_lock(&c->rig->lock);
	c->done++;
	(void)pthread_cond_broadcast(&c->rig->changed);
	(void)pthread_mutex_unlock(&c->rig->lock);
}

static void
stop_it(struct rpcrig *r, void *arg)
{
	struct ctl *c = arg;

	(void)r;
	rk_control_stop(c->control, on_done, c);
}

static void
forget(struct rpcrig *r, void *arg)
{
	struct ctl *c = arg;

	(void)r;
	rk_control_free(c->control);
}

void
ctl_end(struct ctl *c)
{
	rpcrig_do(c->rig, stop_it, c);
	rpcrig_await(c->rig, &c->done, 1);
	rpcrig_do(c->rig, forget, c);
	assert_int_equal(access(c->path, F_OK), -1);
	assert_int_equal(access(c->view, F_OK), -1);
}

void
ctl_stop(struct ctl *c, struct rpcrig *r)
{
	ctl_end(c);
	rpcrig_end(r);
}

/* ---- its clients ---- */

void
ctl_await_gone(struct rk_client *c)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (rk_client_peer(c) != NULL) {
		struct pollfd p = { rk_client_fd(c), POLLIN, 0 };

		assert_true(rpcrig_now() < until);
		(void)poll(&p, 1, 10);
		assert_int_equal(rk_client_process(c), RK_OK);
	}
}

static void
to_json(struct rk_bytes p, struct buf *b)
{
	const struct json_write how = { .style = JSON_COMPACT };
	struct rk_value_doc *doc;

	assert_int_equal(rk_value_decode(p.ptr, p.len, &doc), RK_OK);
	assert_int_equal(json_write(b, rk_value_root(doc), &how), RK_OK);
	assert_int_equal(buf_put(b, "\n", 2), RK_OK);
	rk_value_free(doc);
}

static void
on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct ctlnews *news = arg;
	const char *text, *at;
	size_t len = strlen(news->all);
	struct buf b;

	(void)c;
	assert_int_equal(hdr->subject.len, 8);
	assert_memory_equal(hdr->subject.ptr, "_.events", 8);
	buf_init(&b, 1 << 20);
	to_json(payload, &b);
	text = (const char *)buf_peek(&b);
	news->n++;
	news->losses += strstr(text, "\"event\":\"lost\"") != NULL;
	(void)snprintf(news->last, sizeof(news->last), "%s", text);
	if (len + strlen(text) < sizeof(news->all))
		memcpy(news->all + len, text, strlen(text) + 1);
	at = strstr(text, "\"count\":");
	if (at != NULL)
		news->lost += strtoull(at + strlen("\"count\":"), NULL, 10);
	buf_fini(&b);
}

struct rk_client *
ctl_visit(const char *path, struct ctlnews *news)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf), .pushed = on_pushed, .arg = news
	};
	struct rk_error err;
	struct rk_client *c;
	char url[600];

	(void)snprintf(url, sizeof(url), "unix://%s", path);
	conf.url = url;
	c = rpcrig_client_with(&conf);
	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	return c;
}

/* {key: value}; value NULL: no payload. */
static size_t
pack(uint8_t *dst, const char *key, const char *value)
{
	size_t k, v;

	if (value == NULL)
		return 0;
	k = strlen(key);
	v = strlen(value);
	assert_true(k < 32 && v < 256);
	dst[0] = 0x81;
	dst[1] = (uint8_t)(0xa0 | k);
	memcpy(dst + 2, key, k);
	dst[k + 2] = 0xd9;
	dst[k + 3] = (uint8_t)v;
	memcpy(dst + k + 4, value, v);
	return k + 4 + v;
}

/* The answer as JSON, in a buffer that the next one reuses; an error's text. */
const char *
ctl_ask(struct rk_client *c, const char *method, const void *arg, size_t len,
    enum rk_err *code)
{
	static char text[200000];
	struct rk_request req = {
		.method = method, .payload = arg, .payload_len = len
	};
	struct rk_reply reply;
	struct rk_error err;
	struct buf b;

	*code = rk_client_call(c, &req, &reply, &err);
	buf_init(&b, sizeof(text) - 1);
	if (*code == RK_EREMOTE)
		assert_int_equal(
		    buf_put(&b, reply.remote_error.ptr, reply.remote_error.len),
		    RK_OK);
	else if (*code == RK_OK && strcmp(method, "_.metrics") == 0)
		assert_int_equal(
		    buf_put(&b, reply.payload.ptr, reply.payload.len), RK_OK);
	else if (*code == RK_OK && reply.payload.len != 0)
		to_json(reply.payload, &b);
	if (buf_len(&b) != 0)
		memcpy(text, buf_peek(&b), buf_len(&b));
	text[buf_len(&b)] = '\0';
	buf_fini(&b);
	rk_reply_free(&reply);
	return text;
}

const char *
ctl_get(struct rk_client *c, const char *method)
{
	enum rk_err code;
	const char *text = ctl_ask(c, method, NULL, 0, &code);

	assert_int_equal(code, RK_OK);
	return text;
}

const char *
ctl_await(struct rk_client *v, const char *method, const char *what, bool there,
    struct rk_client *c)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	const char *text;

	while (
	    text = ctl_get(v, method), (strstr(text, what) != NULL) != there) {
		struct pollfd p = { c != NULL ? rk_client_fd(c) : -1, POLLIN,
			0 };

		if (rpcrig_now() > until)
			fail_msg("%s: %s for ever in %s", what,
			    there ? "not" : "still", text);
		(void)poll(&p, 1, 1);
		if (c != NULL)
			assert_int_equal(rk_client_process(c), RK_OK);
	}
	return text;
}

enum rk_err
ctl_order(
    struct rk_client *c, const char *method, const char *key, const char *value)
{
	uint8_t arg[300];
	enum rk_err code;

	(void)ctl_ask(c, method, arg, pack(arg, key, value), &code);
	return code;
}

unsigned
ctl_count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *p = strstr(text, what); p != NULL;
	     p = strstr(p + 1, what))
		n++;
	return n;
}

void
ctl_has(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("no %s in %s", what, text);
}

void
ctl_await_news(struct rk_client *c, struct ctlnews *news, const char *what)
{
	unsigned n = news->n;

	while (strstr(news->all, what) == NULL)
		rpcrig_turn(c, &news->n, ++n);
}
