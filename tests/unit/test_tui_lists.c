/* The dashboard's model: connections and keys, how many and whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuirig.h"

/* ---- connections ---- */

static void
test_conns(void **state)
{
	struct model *m = *state;
	const struct model_conn *c;

	assert_int_equal(
	    tui_tell(m, "_.conns", 50000,
	        "{\"left_out\":0,\"conns\":[{\"id\":3,\"state\":\"active\","
	        "\"transport\":\"tls\",\"address\":\"tls://h:1\","
	        "\"email\":\"a@b\",\"fingerprint\":\"" FP_A "\","
	        "\"resumed\":true,\"running\":2,\"calls\":9,\"bytes_in\":100,"
	        "\"bytes_out\":200,\"since\":\"then\",\"age_ms\":40000},"
	        "{\"id\":0,\"state\":\"new\",\"address\":\"tls://h:2\"},"
	        "{\"id\":4,\"state\":\"closed\"},{\"id\":5,\"state\":9}]}"),
	    RK_OK);
	assert_int_equal(m->n_conns, 4);
	c = model_conn(m, 3);
	assert_non_null(c);
	assert_int_equal(c->state, MODEL_ACTIVE);
	assert_string_equal(c->transport, "tls");
	assert_string_equal(c->fp, FP_A);
	assert_true(c->resumed);
	assert_int_equal(c->began_ms, 10000);
	assert_int_equal(c->rx, 0);
	assert_int_equal(model_conn(m, 4)->state, MODEL_CLOSING);
	assert_int_equal(model_conn(m, 5)->state, MODEL_IDLE);
	assert_null(model_conn(m, 0));
	assert_int_equal(m->conns[1].state, MODEL_NEW);
	/* Two seconds later: rates; what has no number is replaced; who is not
	 * there any more is gone, and seen for a while. */
	assert_int_equal(
	    tui_tell(m, "_.conns", 52000,
	        "{\"conns\":[{\"id\":3,\"state\":\"idle\",\"bytes_in\":2100,"
	        "\"bytes_out\":200,\"age_ms\":42100}]}"),
	    RK_OK);
	assert_int_equal(m->n_conns, 3);
	c = model_conn(m, 3);
	assert_int_equal(c->state, MODEL_IDLE);
	assert_int_equal(c->rx, 1000);
	assert_int_equal(c->tx, 0);
	assert_int_equal(c->began_ms, 10000);
	c = model_conn(m, 4);
	assert_int_equal(c->state, MODEL_CLOSED);
	assert_int_equal(c->closed_ms, 52000);
	model_tick(m, 52000 + MODEL_CLOSED_MS - 1);
	assert_non_null(model_conn(m, 4));
	model_tick(m, 52000 + MODEL_CLOSED_MS);
	assert_null(model_conn(m, 4));
	assert_null(model_conn(m, 5));
	assert_non_null(model_conn(m, 3));
	assert_int_equal(m->n_conns, 1);
}

static void
test_conn_events(void **state)
{
	struct model *m = *state;
	const struct model_conn *c;
	static const char none[] = "{\"conns\":[]}";

	assert_int_equal(
	    tui_event(m, 1000,
	        "{\"event\":\"opened\",\"time\":\"T\",\"id\":8,"
	        "\"address\":\"tls://h:1\",\"email\":\"\",\"cn\":\"host\","
	        "\"fingerprint\":\"" FP_A "\",\"transport\":\"tls\"}"),
	    RK_OK);
	c = model_conn(m, 8);
	assert_non_null(c);
	assert_int_equal(c->state, MODEL_IDLE);
	assert_string_equal(c->since, "T");
	assert_string_equal(c->cn, "host");
	/* An answer from before it opened does not end it, the next one does.
	 */
	assert_int_equal(tui_tell(m, "_.conns", 1100, none), RK_OK);
	assert_int_equal(model_conn(m, 8)->state, MODEL_IDLE);
	assert_int_equal(tui_tell(m, "_.conns", 2100, none), RK_OK);
	assert_int_equal(model_conn(m, 8)->state, MODEL_CLOSED);
	/* Rates begin with its first second. */
	assert_int_equal(
	    tui_event(m, 3000, "{\"event\":\"opened\",\"id\":9}"), RK_OK);
	assert_int_equal(
	    tui_tell(m, "_.conns", 4000,
	        "{\"conns\":[{\"id\":9,\"state\":\"idle\",\"bytes_in\":70}]}"),
	    RK_OK);
	assert_int_equal(model_conn(m, 9)->rx, 70);
	/* Closed, and an answer from before that: it stays closed. */
	assert_int_equal(
	    tui_event(m, 4500,
	        "{\"event\":\"closed\",\"id\":9,\"why\":\"by an operator\"}"),
	    RK_OK);
	assert_int_equal(tui_tell(m, "_.conns", 4600,
	                     "{\"conns\":[{\"id\":9,\"state\":\"idle\"}]}"),
	    RK_OK);
	c = model_conn(m, 9);
	assert_int_equal(c->state, MODEL_CLOSED);
	assert_int_equal(c->closed_ms, 4500);
	assert_string_equal(c->why, "by an operator");
	/* One that was never seen is shown as it goes. */
	assert_int_equal(
	    tui_event(m, 4700, "{\"event\":\"closed\",\"id\":10}"), RK_OK);
	assert_int_equal(model_conn(m, 10)->state, MODEL_CLOSED);
	assert_int_equal(
	    tui_tell(m, "_.conns", 4500 + MODEL_CLOSED_MS, none), RK_OK);
	assert_null(model_conn(m, 9));
	assert_non_null(model_conn(m, 10));
	/* No number, no connection. */
	assert_int_equal(tui_event(m, 1, "{\"event\":\"opened\"}"), RK_EPROTO);
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"closed\",\"id\":-1}"), RK_EPROTO);
}

static void
test_left_out(void **state)
{
	struct model *m = *state;

	assert_int_equal(
	    tui_tell(m, "_.conns", 1, "{\"conns\":[{\"id\":1},{\"id\":2}]}"),
	    RK_OK);
	/* Who is missing may be among those left out. */
	assert_int_equal(tui_tell(m, "_.conns", 2,
	                     "{\"left_out\":1,\"conns\":[{\"id\":1}]}"),
	    RK_OK);
	assert_int_equal(m->conns_left_out, 1);
	assert_null(model_conn(m, 2));
}

/* Of those that are known only what moves is told. */
static void
test_brief(void **state)
{
	struct model *m = *state;
	const struct model_conn *c;

	assert_int_equal(
	    tui_tell(m, "_.conns", 1000,
	        "{\"conns\":[{\"address\":\"tls://192.0.2.9:1\",\"state\":"
	        "\"new\"},{\"id\":3,\"state\":\"idle\",\"email\":\"a@x\","
	        "\"bytes_in\":100,\"age_ms\":500},{\"id\":4}]}"),
	    RK_OK);
	assert_true(m->conns_known);
	assert_int_equal(tui_event(m, 1500,
	                     "{\"event\":\"opened\",\"id\":6,\"email\":\"b\"}"),
	    RK_OK);
	/* Who waited is gone, 4 as well; 7 is new. */
	assert_int_equal(tui_tell(m, "_.conns", 3000,
	                     "{\"conns\":[{\"id\":7,\"email\":\"c@x\"},"
	                     "[3,\"active\",2,9,0,2100,50],{\"id\":6}]}"),
	    RK_OK);
	assert_false(m->conns_thin);
	assert_int_equal(m->n_conns, 4);
	c = model_conn(m, 3);
	assert_int_equal(c->state, MODEL_ACTIVE);
	assert_int_equal(c->running, 2);
	assert_int_equal(c->calls, 9);
	assert_int_equal(c->rx, 1000);
	assert_int_equal(c->tx, 25);
	assert_string_equal(c->email, "a@x");
	assert_int_equal(c->began_ms, 500);
	assert_int_equal(model_conn(m, 4)->state, MODEL_CLOSED);
	assert_string_equal(model_conn(m, 7)->email, "c@x");
	/* What has failed, or is not known, is asked about. */
	assert_int_equal(
	    tui_tell(m, "_.conns", 4000,
	        "{\"conns\":[[3,\"idle\",0,9,1,2100,50],[6,\"idle\",0,0,0,0,0],"
	        "[7,\"idle\",0,0,0,0,0]]}"),
	    RK_OK);
	assert_true(m->conns_thin);
	m->conns_thin = false;
	/* Its rate is of what came since then, and no more of all its life. */
	assert_int_equal(tui_event(m, 4100,
	                     "{\"event\":\"opened\",\"id\":9,\"email\":\"d\"}"),
	    RK_OK);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(
		    tui_tell(m, "_.conns", 4100 + 100 * i,
		        tui_text("{\"conns\":[[3,\"idle\",0,9,1,2100,50],"
		                 "[9,\"idle\",0,0,0,%d,0]]}",
		            700 * i)),
		    RK_OK);
		assert_int_equal(model_conn(m, 9)->rx, 7000);
		assert_true(m->conns_thin);
	}
	/* It was seen, so it is closed by the next answer without it. */
	assert_int_equal(tui_tell(m, "_.conns", 4500,
	                     "{\"conns\":[[3,\"idle\",0,9,1,2100,50]]}"),
	    RK_OK);
	assert_int_equal(model_conn(m, 9)->state, MODEL_CLOSED);
	m->conns_thin = false;
	assert_int_equal(tui_tell(m, "_.conns", 4500 + MODEL_CLOSED_MS,
	                     "{\"conns\":[[5,\"idle\",0,0,0,0,0]]}"),
	    RK_OK);
	assert_true(m->conns_thin);
	assert_null(model_conn(m, 4));
	assert_null(model_conn(m, 5));
	/* Malformed ones change nothing. */
	assert_int_equal(tui_tell(m, "_.conns", 9500,
	                     "{\"conns\":[{\"id\":8},[3,\"idle\",0,0,0,0]]}"),
	    RK_EPROTO);
	assert_int_equal(tui_tell(m, "_.conns", 9500,
	                     "{\"conns\":[[3,\"idle\",0,\"9\",0,0,0]]}"),
	    RK_EPROTO);
	assert_null(model_conn(m, 8));
	assert_int_equal(model_conn(m, 3)->state, MODEL_CLOSED);
}

/* {NAME: [N rows]}, each made by row(); malloc'ed. */
static char *
many(const char *name, size_t n, void (*row)(char *dst, size_t len, size_t i))
{
	char *json = malloc(n * 160 + 64);
	size_t at;

	assert_non_null(json);
	at = (size_t)snprintf(json, 64, "{\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			json[at++] = ',';
		row(json + at, 150, i);
		at += strlen(json + at);
	}
	memcpy(json + at, "]}", 3);
	return json;
}

static void
conn_row(char *dst, size_t len, size_t i)
{
	(void)snprintf(dst, len,
	    "{\"id\":%zu,\"state\":\"active\",\"bytes_in\":%zu}", i + 1, i);
}

static void
key_row(char *dst, size_t len, size_t i)
{
	(void)snprintf(
	    dst, len, "{\"state\":\"new\",\"fingerprint\":\"SHA256:%zu\"}", i);
}

static void
call_row(char *dst, size_t len, size_t i)
{
	(void)snprintf(dst, len, "{\"method\":\"m%zu\",\"conn\":1}", i);
}

static void
test_bounds(void **state)
{
	struct model *m = *state;
	char *json = many("conns", MODEL_CONNS + 10, conn_row);

	for (int i = 1; i <= 3; i++)
		assert_int_equal(tui_tell(m, "_.conns", i * 1000, json), RK_OK);
	free(json);
	assert_int_equal(m->n_conns, MODEL_CONNS);
	assert_int_equal(m->conns_left_out, 10);
	for (uint64_t id = 1; id <= MODEL_CONNS; id++)
		assert_int_equal(model_conn(m, id)->id, id);
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"opened\",\"id\":99999}"), RK_OK);
	assert_int_equal(m->n_conns, MODEL_CONNS);
	assert_null(model_conn(m, 99999));
	json = many("keys", MODEL_KEYS + 10, key_row);
	assert_int_equal(tui_tell(m, "_.trust", 1, json), RK_OK);
	assert_int_equal(tui_tell(m, "_.known", 1, json), RK_OK);
	free(json);
	assert_int_equal(m->n_keys, MODEL_KEYS);
	assert_int_equal(model_waiting(m), MODEL_KEYS);
	assert_non_null(model_key(m, "SHA256:32767"));
	json = many("calls", MODEL_CALLS + 10, call_row);
	assert_int_equal(tui_tell(m, "_.calls", 1, json), RK_OK);
	free(json);
	assert_int_equal(m->n_calls, MODEL_CALLS);
	assert_int_equal(m->calls_left_out, 10);
	/* Nobody's events fill it. */
	for (unsigned i = 0; i < 3 * MODEL_LOG; i++)
		assert_int_equal(
		    tui_event(m, 1,
		        tui_text(
		            "{\"event\":\"log\",\"seq\":%u,\"level\":\"info\","
		            "\"text\":\"line\"}",
		            i)),
		    RK_OK);
	assert_int_equal(m->n_log, MODEL_LOG);
	assert_int_equal(m->log[m->log_first].seq, 2 * MODEL_LOG);
}

/* Thousands come and go by events alone. */
static void
test_churn(void **state)
{
	struct model *m = *state;

	for (unsigned i = 1; i <= 20000; i++) {
		const char *json =
		    tui_text("{\"event\":\"opened\",\"id\":%u}", i);

		assert_int_equal(tui_event(m, i, json), RK_OK);
		if (i > 100)
			assert_int_equal(
			    tui_event(m, i,
			        tui_text("{\"event\":\"closed\",\"id\":%u}",
			            i - 100)),
			    RK_OK);
		if (i % 1000 == 0)
			model_tick(m, i);
	}
	assert_true(m->n_conns <= MODEL_CLOSED_MS + 1100);
	assert_int_equal(model_conn(m, 20000)->state, MODEL_IDLE);
	model_tick(m, 20000 + MODEL_CLOSED_MS);
	assert_int_equal(m->n_conns, 100);
	for (uint64_t id = 19901; id <= 20000; id++)
		assert_int_equal(model_conn(m, id)->id, id);
}

/* ---- keys ---- */

static void
test_keys(void **state)
{
	struct model *m = *state;
	const struct model_key *k;

	assert_int_equal(
	    tui_tell(m, "_.known", 1,
	        "{\"mode\":\"ask\",\"list\":\"open\",\"known\":2,\"keys\":["
	        "{\"state\":\"known\",\"email\":\"a@b\",\"fingerprint\":"
	        "\"" FP_A "\",\"address\":\"h\"},"
	        "{\"state\":\"known\",\"email\":\"c@d\",\"fingerprint\":"
	        "\"" FP_B "\"},{\"state\":\"odd\",\"fingerprint\":\"" FP_C
	        "\"},{\"state\":\"known\"}]}"),
	    RK_OK);
	assert_int_equal(m->n_keys, 2);
	assert_string_equal(m->status.mode, "ask");
	assert_true(model_key(m, FP_A)->listed);
	assert_int_equal(model_waiting(m), 0);
	/* What was decided says more than the line in the file. */
	assert_int_equal(
	    tui_tell(m, "_.trust", 1,
	        "{\"mode\":\"ask\",\"left_out\":2,\"keys\":["
	        "{\"state\":\"revoked\",\"email\":\"a@b\",\"fingerprint\":"
	        "\"" FP_A "\",\"tries\":4,\"version\":6,\"met\":true},"
	        "{\"state\":\"changed\",\"email\":\"c@d\",\"fingerprint\":"
	        "\"" FP_C "\",\"waiting\":1}]}"),
	    RK_OK);
	/* The daemon has none of the other two. */
	assert_int_equal(tui_tell(m, "_.trust", 1,
	                     "{\"mode\":\"ask\",\"from\":2,\"left_out\":2,"
	                     "\"keys\":[]}"),
	    RK_OK);
	assert_int_equal(m->n_keys, 3);
	assert_int_equal(m->keys_left_out, 2);
	k = model_key(m, FP_A);
	assert_int_equal(k->state, KEY_REVOKED);
	assert_int_equal(k->version, 6);
	assert_false(k->listed);
	assert_int_equal(model_key(m, FP_B)->state, KEY_KNOWN);
	assert_int_equal(model_waiting(m), 1);
	assert_int_equal(model_changed(m), 1);
	/* Neither answer takes the other's away. */
	assert_int_equal(tui_tell(m, "_.known", 1,
	                     "{\"keys\":[{\"state\":\"known\",\"fingerprint\":"
	                     "\"" FP_A "\"}]}"),
	    RK_OK);
	assert_int_equal(m->n_keys, 2);
	assert_int_equal(model_key(m, FP_A)->state, KEY_REVOKED);
	assert_null(model_key(m, FP_B));
	assert_int_equal(tui_tell(m, "_.trust", 1, "{\"keys\":[]}"), RK_OK);
	assert_int_equal(m->n_keys, 0);
	assert_int_equal(model_waiting(m), 0);
}

static void
test_key_events(void **state)
{
	struct model *m = *state;
	static const char arrived[] =
	    "{\"event\":\"arrived\",\"state\":\"new\",\"email\":\"a@b\","
	    "\"fingerprint\":\"" FP_A "\",\"tries\":1,\"waiting\":1}";

	assert_int_equal(
	    tui_tell(m, "_.conns", 1,
	        "{\"conns\":[{\"id\":0,\"state\":\"new\",\"fingerprint\":"
	        "\"" FP_A "\"}]}"),
	    RK_OK);
	assert_int_equal(m->conns[0].state, MODEL_NEW);
	assert_int_equal(tui_event(m, 1, arrived), RK_OK);
	assert_int_equal(model_waiting(m), 1);
	assert_int_equal(m->conns[0].state, MODEL_WAITING);
	assert_false(m->keys_stale);
	assert_int_equal(tui_event(m, 1, arrived), RK_OK);
	assert_int_equal(m->n_keys, 1);
	/* It was let in: what it is now has to be asked. */
	assert_int_equal(tui_event(m, 1,
	                     "{\"event\":\"decided\",\"state\":\"new\","
	                     "\"fingerprint\":\"" FP_A "\"}"),
	    RK_OK);
	assert_int_equal(m->n_keys, 0);
	assert_int_equal(model_waiting(m), 0);
	assert_true(m->keys_stale);
	assert_int_equal(m->conns[0].state, MODEL_NEW);
	assert_int_equal(tui_event(m, 1,
	                     "{\"event\":\"decided\",\"state\":\"rejected\","
	                     "\"fingerprint\":\"" FP_B "\"}"),
	    RK_OK);
	assert_int_equal(model_key(m, FP_B)->state, KEY_REJECTED);
	m->keys_stale = false;
	assert_int_equal(tui_event(m, 1,
	                     "{\"event\":\"gone\",\"state\":\"rejected\","
	                     "\"fingerprint\":\"" FP_B "\"}"),
	    RK_OK);
	assert_int_equal(m->n_keys, 0);
	assert_true(m->keys_stale);
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"gone\",\"state\":\"new\"}"),
	    RK_EPROTO);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tui_enter, tui_leave)

/* ---- long lists, which come in parts ---- */

#define ROW(c)                                                   \
	"{\"state\":\"known\",\"fingerprint\":\"SHA256:" c "\"," \
	"\"email\":\"" c "@x\"}"

static void
known(struct model *m, unsigned from, unsigned left, const char *rows)
{
	assert_int_equal(
	    tui_tell(m, "_.known", 0,
	        tui_text("{\"from\":%u,\"left_out\":%u,\"keys\":[%s]}", from,
	            left, rows)),
	    RK_OK);
}

/* Where the next part begins; UINT64_MAX: there is none. */
static uint64_t
next_part(const struct model *m)
{
	uint64_t from;

	assert_false(model_more(m, "_.trust", &from));
	return model_more(m, "_.known", &from) ? from : UINT64_MAX;
}

static void
test_parts(void **state)
{
	struct model *m = *state;

	known(m, 0, 0, ROW("old"));
	known(m, 0, 3, ROW("a") "," ROW("b"));
	assert_int_equal(next_part(m), 2);
	/* Until it is whole what was there before is shown. */
	assert_int_equal(m->n_keys, 1);
	assert_non_null(model_key(m, "SHA256:old"));
	known(m, 2, 1, ROW("c") "," ROW("d"));
	assert_int_equal(next_part(m), 4);
	known(m, 4, 0, ROW("e"));
	assert_int_equal(next_part(m), UINT64_MAX);
	assert_int_equal(m->n_keys, 5);
	assert_non_null(model_key(m, "SHA256:a"));
	assert_non_null(model_key(m, "SHA256:e"));
	assert_null(model_key(m, "SHA256:old"));
	assert_int_equal(m->keys_left_out, 0);
	/* What is decided, and new, comes beside it, as for a short list. */
	assert_int_equal(tui_tell(m, "_.trust", 0,
	                     "{\"keys\":[{\"state\":\"new\","
	                     "\"fingerprint\":\"" FP_A "\"}]}"),
	    RK_OK);
	assert_int_equal(m->n_keys, 6);
	assert_int_equal(model_waiting(m), 1);
}

/* A list that becomes another one between two parts is asked for anew, as rows
 * have moved from one part to the next; but not for ever. */
static void
test_parts_change(void **state)
{
	struct model *m = *state;

	known(m, 0, 2, ROW("a") "," ROW("b"));
	known(m, 2, 0, ROW("d")); /* one of four is gone */
	assert_int_equal(next_part(m), 0);
	assert_int_equal(m->n_keys, 0);
	known(m, 0, 1, ROW("b") "," ROW("c"));
	/* The same number, but somebody was let in and another one put out. */
	assert_int_equal(tui_event(m, 0,
	                     "{\"event\":\"decided\",\"state\":"
	                     "\"rejected\",\"fingerprint\":\"" FP_A "\"}"),
	    RK_OK);
	known(m, 2, 0, ROW("d"));
	assert_int_equal(next_part(m), 0);
	known(m, 0, 1, ROW("x") "," ROW("c"));
	known(m, 2, 0, ROW("d"));
	assert_int_equal(next_part(m), UINT64_MAX);
	assert_int_equal(m->n_keys, 4); /* with the one that was rejected */
	assert_null(model_key(m, "SHA256:b"));
	/* One that never stands still is taken as it comes. */
	for (unsigned i = 0; i < 8; i++) {
		known(m, 0, 1, ROW("a"));
		known(m, 1, 9, ROW("b"));
		assert_int_equal(next_part(m), 0);
	}
	known(m, 0, 1, ROW("a"));
	known(m, 1, 1, ROW("a") "," ROW("b"));
	assert_int_equal(next_part(m), 3);
	known(m, 3, 0, ROW("c"));
	assert_int_equal(next_part(m), UINT64_MAX);
	assert_int_equal(m->n_keys, 4);
}

/* An older daemon has no parts; one that is gone will tell no more of them. */
static void
test_parts_end(void **state)
{
	struct model *m = *state;

	known(m, 0, 7, ROW("a") "," ROW("b"));
	assert_int_equal(tui_tell(m, "_.known", 0,
	                     "{\"left_out\":7,\"keys\":[" ROW("a") "]}"),
	    RK_OK);
	assert_int_equal(next_part(m), UINT64_MAX);
	assert_int_equal(m->n_keys, 2);
	assert_int_equal(m->keys_left_out, 7);
	known(m, 0, 7, ROW("c"));
	assert_int_equal(next_part(m), 1);
	model_no_more(m);
	assert_int_equal(next_part(m), UINT64_MAX);
	known(m, 1, 0, ROW("d"));
	assert_int_equal(next_part(m), UINT64_MAX);
	assert_int_equal(m->n_keys, 2);
	known(m, 0, 0, ROW("d"));
	assert_int_equal(m->n_keys, 1);
	assert_int_equal(m->keys_left_out, 0);
	/* Nor does one that tells of more and has none. */
	known(m, 0, 7, "");
	assert_int_equal(next_part(m), UINT64_MAX);
	assert_int_equal(m->n_keys, 0);
	assert_int_equal(m->keys_left_out, 7);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_conns),
		CASE(test_conn_events),
		CASE(test_left_out),
		CASE(test_brief),
		CASE(test_bounds),
		CASE(test_churn),
		CASE(test_keys),
		CASE(test_key_events),
		CASE(test_parts),
		CASE(test_parts_change),
		CASE(test_parts_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
