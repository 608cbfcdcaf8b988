/* The dashboard's feed and a real control: asked, told, gone, back, ordered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "certs.h"
#include "ctlrig.h"
#include "storerig.h"
#include "tui/feed.h"

#define MANY 4000 /* rows */
#define KEYS 9900 /* more than an answer has room for */
#define KEY_LINE (RK_KEY_ID_LEN + 160)

struct watcher {
	struct rk_loop *loop;
	struct model *model;
	struct feed *feed;
	unsigned changes;
	unsigned events;
	size_t arrived; /* keys that waited when the first was told of */
	unsigned done;
	enum rk_err code;
	char text[200];
};

static void
on_changed(void *arg)
{
	((struct watcher *)arg)->changes++;
}

static void
on_event(const struct rk_value *event, void *arg)
{
	struct watcher *w = arg;
	const struct rk_value *word = rk_value_get(event, "event");

	assert_int_equal(event->kind, RK_MAP);
	w->events++;
	if (w->arrived == 0 && word != NULL && word->kind == RK_STR &&
	    word->u.bytes.len == 7 &&
	    memcmp(word->u.bytes.ptr, "arrived", 7) == 0)
		w->arrived = model_waiting(w->model);
}

/* feed_done_fn */
static void
on_done(enum rk_err code, const struct rk_error *err,
    const struct rk_value *answer, void *arg)
{
	struct watcher *w = arg;

	assert_true(code == RK_OK || answer == NULL);
	w->done++;
	w->code = code;
	(void)str_copy(w->text, sizeof(w->text), err->text);
}

static void
begin(struct watcher *w, const char *path, uint64_t every_ms)
{
	struct feed_conf conf = { .path = path,
		.every_ms = every_ms,
		.changed = on_changed,
		.arg = w };
	struct rk_error err;

	*w = (struct watcher){ .model = malloc(sizeof(*w->model)) };
	assert_non_null(w->model);
	model_init(w->model);
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	conf.loop = w->loop;
	conf.model = w->model;
	assert_int_equal(feed_new(&conf, &w->feed, &err), RK_OK);
	feed_on_event(w->feed, on_event, w);
	assert_int_equal(w->changes, 0); /* not from within */
}

static void
end(struct watcher *w)
{
	feed_free(w->feed);
	rk_loop_free(w->loop);
	model_fini(w->model);
	free(w->model);
}

static void
turn(struct watcher *w)
{
	assert_int_equal(rk_loop_step(w->loop, 20), RK_OK);
}

/* Turns until it holds, but not for ever. */
#define UNTIL(w, holds)                                                       \
	do {                                                                  \
		uint64_t until = rk_loop_now((w)->loop) + RPCRIG_PATIENCE_MS; \
		while (!(holds)) {                                            \
			assert_true(rk_loop_now((w)->loop) < until);          \
			turn(w);                                              \
		}                                                             \
	} while (0)

static enum rk_err
order(struct watcher *w, const char *method, const char *bytes, size_t len)
{
	struct rk_bytes payload = { (const uint8_t *)bytes, len };
	struct rk_error err;
	enum rk_err r;
	unsigned before = w->done;

	r = feed_order(w->feed, method, payload, on_done, w, &err);
	if (r != RK_OK)
		return r;
	assert_int_equal(w->done, before);
	UNTIL(w, w->done > before);
	assert_int_equal(w->done, before + 1);
	return w->code;
}

/* {conn: 127} */
static const char nobody[] = "\x81\xa4"
                             "conn\x7f";

static struct rk_value_doc *
many_conns(unsigned n)
{
	uint8_t bytes[64 + 8 * MANY], *at = bytes;
	struct rk_value_doc *doc;

	/* {conns: [{id: ...}, ...]} */
	memcpy(at,
	    "\x81\xa5"
	    "conns\xdc",
	    8);
	at += 8;
	*at++ = (uint8_t)(n >> 8);
	*at++ = (uint8_t)n;
	for (unsigned i = 0; i < n; i++, at += 7) {
		memcpy(at,
		    "\x81\xa2"
		    "id\xcd",
		    5);
		at[5] = (uint8_t)(0x40 + (i >> 8));
		at[6] = (uint8_t)i;
	}
	assert_int_equal(
	    rk_value_decode(bytes, (size_t)(at - bytes), &doc), RK_OK);
	return doc;
}

/* Four thousand rows are not asked for fifty times a second. */
static void
asks_less_often(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;
	struct rk_value_doc *doc = many_conns(MANY);
	int64_t asked, counted;
	uint64_t began;
	unsigned status = 0, conns = 0;

	ctl_start(&ctl, &rig, *state);
	begin(&w, ctl.path, 20);
	UNTIL(&w, feed_whole(w.feed));
	began = rk_loop_now(w.loop);
	assert_int_equal(model_answer(w.model, "_.conns", rk_value_root(doc),
	                     (int64_t)began),
	    RK_OK);
	assert_true(w.model->n_conns >= MANY);
	while (status < 20) {
		asked = w.model->status.asked_ms;
		counted = w.model->conns_ms;
		UNTIL(&w, w.model->status.asked_ms != asked ||
		              w.model->conns_ms != counted);
		status += w.model->status.asked_ms != asked;
		conns += w.model->conns_ms != counted;
	}
	/* One may have been asked for before. */
	assert_true(conns <= 2 + (rk_loop_now(w.loop) - began) / (MANY / 8));
	end(&w);
	ctl_end(&ctl);
	rpcrig_end(&rig);
	rk_value_free(doc);
}

/* Of a thousand what moves is asked for each time, and all there is of them
 * once in four seconds. */
static void
asks_for_what_moves(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;
	struct rk_value_doc *doc = many_conns(1000);
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	int64_t counted;
	uint64_t id, began, round;
	unsigned whole = 0;

	rpcrig_begin(&rig, *state);
	ctl_begin(&ctl, &rig);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "echo", "x", 1, &a);
	rpcrig_turn(c, &a.n, 1);
	begin(&w, ctl.path, 20);
	UNTIL(&w, feed_whole(w.feed));
	assert_int_equal(w.model->n_conns, 1);
	id = w.model->conns[0].id;
	assert_int_equal(model_conn(w.model, id)->calls, 1);
	began = rk_loop_now(w.loop);
	assert_int_equal(model_answer(w.model, "_.conns", rk_value_root(doc),
	                     (int64_t)began),
	    RK_OK);
	assert_true(w.model->n_conns >= 1000);
	/* It came long enough ago. */
	UNTIL(&w, w.model->conns_round > 0);
	began = rk_loop_now(w.loop);
	for (unsigned n = 0; n < 8 && w.model->n_conns >= 1000; n++) {
		counted = w.model->conns_ms;
		round = w.model->conns_round;
		UNTIL(&w, w.model->conns_ms != counted);
		whole += w.model->conns_round == round;
	}
	/* One may have been asked for before. */
	assert_true(whole <= 1 + (rk_loop_now(w.loop) - began) / 4000);
	assert_true(model_conn(w.model, id)->state != MODEL_CLOSED);
	(void)rpcrig_submit(c, "echo", "x", 1, &a);
	rpcrig_turn(c, &a.n, 2);
	UNTIL(&w, model_conn(w.model, id)->calls == 2);
	rk_client_free(c);
	end(&w);
	ctl_stop(&ctl, &rig);
	rk_value_free(doc);
}

/* Who waits is told of by no event: however many rows there are, that is not
 * what it waits for. */
static void
asks_for_who_waits(void **state)
{
	static const uint8_t arrived[] = "\x83\xa5"
	                                 "event\xa7"
	                                 "arrived\xa5"
	                                 "state\xa3"
	                                 "new\xab"
	                                 "fingerprint\xa1"
	                                 "x";
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;
	struct rk_value_doc *doc = many_conns(MANY), *event;
	int64_t asked, counted;
	unsigned status = 0;

	rpcrig_begin(&rig, *state);
	ctl_begin(&ctl, &rig);
	begin(&w, ctl.path, 20);
	UNTIL(&w, feed_whole(w.feed));
	assert_int_equal(model_answer(w.model, "_.conns", rk_value_root(doc),
	                     (int64_t)rk_loop_now(w.loop)),
	    RK_OK);
	assert_int_equal(
	    rk_value_decode(arrived, sizeof(arrived) - 1, &event), RK_OK);
	counted = w.model->conns_ms;
	assert_int_equal(
	    model_event(w.model, rk_value_root(event), counted), RK_OK);
	assert_true(w.model->conns_missing);
	feed_ask(w.feed);
	/* The status is asked for fifty times a second, at most. */
	while (w.model->conns_ms == counted && status < 75) {
		asked = w.model->status.asked_ms;
		UNTIL(&w, w.model->status.asked_ms != asked ||
		              w.model->conns_ms != counted);
		status += w.model->status.asked_ms != asked;
	}
	assert_true(w.model->conns_ms != counted);
	assert_false(w.model->conns_missing);
	end(&w);
	ctl_end(&ctl);
	rpcrig_end(&rig);
	rk_value_free(event);
	rk_value_free(doc);
}

static void
fills_the_model(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;
	uint64_t paused;
	int64_t asked;

	ctl_start(&ctl, &rig, *state);
	begin(&w, ctl.path, 20);
	UNTIL(&w, feed_whole(w.feed));
	assert_true(w.model->online);
	assert_false(w.model->read_only);
	assert_string_equal(w.model->status.state, "running");
	assert_non_null(w.model->methods);
	assert_true(w.changes >= 8);
	/* Figures come by themselves, but not while nobody looks. */
	asked = w.model->status.asked_ms;
	UNTIL(&w, w.model->status.asked_ms > asked);
	feed_pause(w.feed, true);
	/* What was asked before is answered before this, which counts as well.
	 */
	assert_int_equal(order(&w, "_.kick", nobody, 7), RK_ENOENT);
	asked = w.model->status.asked_ms;
	paused = rk_loop_now(w.loop);
	UNTIL(&w, rk_loop_now(w.loop) >= paused + 100);
	assert_int_equal(w.model->status.asked_ms, asked);
	feed_ask(w.feed);
	UNTIL(&w, w.model->status.asked_ms > asked);
	feed_pause(w.feed, false);
	end(&w);
	ctl_stop(&ctl, &rig);
}

static void
passes_orders_on(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;

	ctl_start(&ctl, &rig, *state);
	begin(&w, ctl.path, 1000);
	/* Nobody is there yet. */
	assert_int_equal(order(&w, "_.drain", "", 0), RK_ESTATE);
	UNTIL(&w, feed_whole(w.feed));
	assert_int_equal(order(&w, "_.drain", "", 0), RK_OK);
	ctl_was_told(&ctl, "drain");
	assert_int_equal(order(&w, "_.kick",
	                     "\x81\xa4"
	                     "conn\x7f",
	                     7),
	    RK_ENOENT);
	assert_string_equal(w.text, "no such connection");
	assert_int_equal(order(&w, "_.kick", "\xc0", 1), RK_EREMOTE);
	assert_int_equal(order(&w, "_.nothing", "", 0), RK_ENOMETHOD);
	/* What still runs is dropped, and not told. */
	w.done = 0;
	assert_int_equal(feed_order(w.feed, "_.drain", (struct rk_bytes){ 0 },
	                     on_done, &w, NULL),
	    RK_OK);
	end(&w);
	assert_int_equal(w.done, 0);
	ctl_stop(&ctl, &rig);
}

static void
knows_who_only_shows(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;

	ctl_start(&ctl, &rig, *state);
	begin(&w, ctl.view, 1000);
	UNTIL(&w, feed_whole(w.feed));
	assert_true(w.model->read_only);
	assert_int_equal(order(&w, "_.drain", "", 0), RK_EDENIED);
	end(&w);
	ctl_stop(&ctl, &rig);
}

static void
is_told(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;
	struct rk_client *c;

	ctl_start(&ctl, &rig, *state);
	begin(&w, ctl.path, 3600000); /* figures tell nothing */
	UNTIL(&w, feed_whole(w.feed));
	assert_int_equal(w.model->n_conns, 0);
	c = rpcrig_client(&rig);
	UNTIL(&w, w.model->n_conns == 1);
	assert_int_equal(w.model->conns[0].state, MODEL_IDLE);
	rk_client_free(c);
	UNTIL(&w, w.model->conns[0].state == MODEL_CLOSED);
	assert_true(w.events >= 2);
	end(&w);
	ctl_stop(&ctl, &rig);
}

/* Who waits for a decision is among the connections. */
static const struct model_conn *
who_waits(const struct model *m)
{
	for (size_t i = 0; i < m->n_conns; i++) {
		if (m->conns[i].state == MODEL_WAITING)
			return &m->conns[i];
	}
	return NULL;
}

/* Of a key that has to wait: the event alone brings it, whole, to the screen's
 * model, and has its connection asked for, but no figures. */
static void
is_told_of_strangers(void **state)
{
	struct rk_client_conf conf;
	struct rk_cert_info info;
	struct rpcrig rig;
	const struct rpcrun *run = *state;
	char list[512];
	struct ctl ctl;
	struct watcher w;
	struct rk_client *c;
	struct rk_error err;
	const struct model_key *k;
	int64_t asked;

	rpcworld_path(list, "feed_keys");
	certs_write(rpcworld.dir, "feed_keys", "", 0600);
	rpcrig_init(&rig, run->kind, run->threads);
	assert_int_equal(
	    rk_trust_new(list, RK_TRUST_ASK, &rig.conf.trust, &err), RK_OK);
	rpcrig_start(&rig);
	ctl_begin(&ctl, &rig);
	begin(&w, ctl.path, 3600000); /* figures tell nothing */
	UNTIL(&w, feed_whole(w.feed));
	assert_int_equal(model_waiting(w.model), 0);
	asked = w.model->status.asked_ms;
	rpcrig_client_conf(&rig, &conf);
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	UNTIL(&w, rk_client_process(c) == RK_OK && model_waiting(w.model) == 1);
	assert_int_equal(w.arrived, 1);
	assert_int_equal(w.model->status.asked_ms, asked);
	assert_true(rk_ident_info(rpcworld.client, &info));
	assert_non_null(k = model_key(w.model, info.fp));
	assert_int_equal(k->state, KEY_NEW);
	assert_string_equal(k->email, info.email);
	assert_true(k->address[0] != '\0');
	UNTIL(&w, rk_client_process(c) == RK_OK && who_waits(w.model) != NULL);
	assert_string_equal(who_waits(w.model)->fp, info.fp);
	assert_int_equal(w.model->status.asked_ms, asked);
	rk_client_free(c);
	/* That it is gone is told as well. */
	UNTIL(&w, who_waits(w.model) == NULL);
	assert_int_equal(w.model->status.asked_ms, asked);
	end(&w);
	ctl_stop(&ctl, &rig);
	rk_trust_free(rig.conf.trust);
	(void)unlink(list);
}

/* Lines for keys from the number on. */
static void
write_known(const char *list, unsigned from)
{
	char *text = malloc((size_t)KEYS * KEY_LINE), *p = text;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];

	assert_non_null(text);
	for (unsigned i = from; i < from + KEYS; i++) {
		storerig_key(i, pub);
		rk_key_id(pub, id);
		p += snprintf(p, KEY_LINE, "h%0150u %s:\n", i, id);
	}
	certs_write(rpcworld.dir, list, text, 0600);
	free(text);
}

/* All keys of a list that is too long for one answer, and none twice; also when
 * it has become another one. */
static void
has_all_keys(void **state)
{
	const struct rpcrun *run = *state;
	char fp[RK_FP_LEN];
	struct rpcrig rig;
	char list[512];
	struct ctl ctl;
	struct watcher w;
	struct rk_error err;

	rpcworld_path(list, "feed_many");
	write_known("feed_many", 1);
	rpcrig_init(&rig, run->kind, run->threads);
	assert_int_equal(
	    rk_trust_new(list, RK_TRUST_ASK, &rig.conf.trust, &err), RK_OK);
	rpcrig_start(&rig);
	ctl_begin(&ctl, &rig);
	begin(&w, ctl.path, 3600000); /* figures tell nothing */
	UNTIL(&w, feed_whole(w.feed));
	assert_int_equal(w.model->n_keys, KEYS);
	assert_int_equal(w.model->keys_left_out, 0);
	write_known("feed_many", KEYS);
	w.model->keys_stale = true;
	feed_ask(w.feed);
	storerig_fp(2 * KEYS - 1, fp);
	UNTIL(&w, model_key(w.model, fp) != NULL);
	assert_int_equal(w.model->n_keys, KEYS);
	storerig_fp(KEYS - 1, fp);
	assert_null(model_key(w.model, fp));
	end(&w);
	ctl_stop(&ctl, &rig);
	rk_trust_free(rig.conf.trust);
	(void)unlink(list);
}

static void
comes_back(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct watcher w;

	rpcrig_begin(&rig, *state);
	ctl_init(&ctl, &rig);
	begin(&w, ctl.path, 1000);
	UNTIL(&w, w.model->trouble[0] != '\0');
	assert_false(w.model->online);
	for (int i = 0; i < 2; i++) {
		/* At the same place again. */
		ctl.done = 0;
		rpcrig_do(&rig, ctl_make, &ctl);
		assert_int_equal(ctl.r, RK_OK);
		UNTIL(&w, feed_whole(w.feed));
		assert_true(w.model->online);
		assert_string_equal(w.model->trouble, "");
		ctl_end(&ctl);
		UNTIL(&w, !w.model->online);
		assert_true(w.model->trouble[0] != '\0');
		assert_false(feed_whole(w.feed));
		assert_int_equal(order(&w, "_.drain", "", 0), RK_ESTATE);
	}
	end(&w);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "less often", asks_less_often, RPC_ONLY(RPC_UNIX) },
		{ "what moves", asks_for_what_moves, RPC_ONLY(RPC_UNIX) },
		{ "who waits", asks_for_who_waits, RPC_ONLY(RPC_UNIX) },
		{ "fills", fills_the_model, RPC_ONLY(RPC_UNIX) },
		{ "orders", passes_orders_on, RPC_ONLY(RPC_UNIX) },
		{ "shows", knows_who_only_shows, RPC_ONLY(RPC_UNIX) },
		{ "told", is_told, RPC_ONLY(RPC_UNIX) },
		{ "strangers", is_told_of_strangers, RPC_SECURE },
		{ "all keys", has_all_keys, RPC_ONLY(RPC_UNIX) },
		{ "back", comes_back, RPC_ONLY(RPC_UNIX) },
	};

	return rpcrig_run_cases(
	    "tui feed", cases, sizeof(cases) / sizeof(cases[0]));
}
