/* The dashboard's model: the daemon, its log, calls, and what is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/words.h"
#include "tuirig.h"

#include <rpckit/log.h>

/* ---- status ---- */

static const char *
status_of(unsigned pid, unsigned in, unsigned out)
{
	return tui_text(
	    "{\"name\":\"rpcd\",\"version\":\"0.1.0\",\"pid\":%u,"
	    "\"state\":\"running\",\"since\":\"2026-11-02T12:00:00Z\","
	    "\"up_ms\":5000,\"threads\":2,"
	    "\"listeners\":[\"tls://127.0.0.1:1\",7],"
	    "\"connections\":{\"new\":1,\"active\":2,\"idle\":3,"
	    "\"closing\":4,\"accepted\":10,\"refused\":5},"
	    "\"calls\":{\"running\":6,\"begun\":7},"
	    "\"bytes\":{\"in\":%u,\"out\":%u},"
	    "\"limits\":{\"connections\":4096},"
	    "\"trust\":{\"mode\":\"ask\",\"list\":\"open\","
	    "\"known\":31,\"waiting\":2,\"rejected\":4},"
	    "\"facts\":{\"config\":\"rpcd.conf\"},\"more\":[1]}",
	    pid, in, out);
}

static void
test_status(void **state)
{
	struct model *m = *state;
	const struct model_status *s = &m->status;

	assert_int_equal(
	    tui_tell(m, "_.status", 10000, status_of(17, 1000, 0)), RK_OK);
	assert_string_equal(s->name, "rpcd");
	assert_string_equal(s->state, "running");
	assert_int_equal(s->up_ms, 5000);
	assert_int_equal(s->asked_ms, 10000);
	assert_int_equal(s->n_listeners, 2);
	assert_string_equal(s->listeners[0], "tls://127.0.0.1:1");
	assert_string_equal(s->listeners[1], "");
	assert_int_equal(s->fresh + s->active + s->idle + s->closing, 10);
	assert_int_equal(s->refused, 5);
	assert_int_equal(s->max_conns, 4096);
	assert_true(s->has_trust);
	assert_string_equal(s->mode, "ask");
	assert_int_equal(s->known, 31);
	assert_int_equal(s->n_facts, 1);
	assert_string_equal(s->facts[0].text, "rpcd.conf");
	assert_int_equal(s->rx, 0); /* of one figure there is no rate */
	assert_int_equal(m->changes, 1);
	/* Without these members there is nobody who decides, and no fact. */
	assert_int_equal(tui_tell(m, "_.status", 10001, "{}"), RK_OK);
	assert_false(s->has_trust);
	assert_string_equal(s->mode, "");
	assert_int_equal(s->n_facts, 0);
}

static void
test_rates(void **state)
{
	struct model *m = *state;
	const struct model_status *s = &m->status;

	assert_int_equal(
	    tui_tell(m, "_.status", 10000, status_of(1, 0, 0)), RK_OK);
	assert_int_equal(
	    tui_tell(m, "_.status", 12000, status_of(1, 4000, 100)), RK_OK);
	assert_int_equal(s->rx, 2000);
	assert_int_equal(s->tx, 50);
	/* Both seconds have it, behind the first, which had nothing. */
	assert_int_equal(m->n_rates, 3);
	assert_int_equal(m->rx_rates[m->rate_last], 2000);
	assert_int_equal(
	    m->rx_rates[(m->rate_last + MODEL_RATES - 1) % MODEL_RATES], 2000);
	assert_int_equal(
	    m->rx_rates[(m->rate_last + MODEL_RATES - 2) % MODEL_RATES], 0);
	/* Four a second stay one. */
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(tui_tell(m, "_.status", 12000 + 250 * (int)i,
		                     status_of(1, 4000 + 250 * i, 100)),
		    RK_OK);
	assert_int_equal(m->n_rates, 3);
	assert_int_equal(m->rx_rates[m->rate_last], 1000);
	/* Twice at once is no rate. */
	assert_int_equal(
	    tui_tell(m, "_.status", 12750, status_of(1, 999999, 100)), RK_OK);
	assert_int_equal(s->rx, 1000);
	/* It never goes back; an hour's silence fills the ring once. */
	assert_int_equal(
	    tui_tell(m, "_.status", 3600000, status_of(1, 1, 100)), RK_OK);
	assert_int_equal(s->rx, 0);
	assert_int_equal(m->n_rates, MODEL_RATES);
	/* Nor does a clock that does. */
	assert_int_equal(
	    tui_tell(m, "_.status", 3000000, status_of(1, 5000, 100)), RK_OK);
	assert_int_equal(s->rx, 0);
}

/* Who waited is let in: he is the one who waited, and what his row lacked until
 * then is asked about. */
static void
test_let_in(void **state)
{
	struct model *m = *state;

	assert_int_equal(tui_tell(m, "_.conns", 1000,
	                     "{\"conns\":[{\"id\":3,\"state\":\"new\"}]}"),
	    RK_OK);
	assert_int_equal(model_conn(m, 3)->state, MODEL_NEW);
	assert_int_equal(
	    tui_event(m, 1500, "{\"event\":\"opened\",\"id\":3}"), RK_OK);
	assert_int_equal(m->n_conns, 1);
	assert_int_equal(model_conn(m, 3)->state, MODEL_IDLE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    tui_tell(m, "_.conns", 2000,
		        "{\"conns\":[[3,\"idle\",0,9,0,2100,50]]}"),
		    RK_OK);
		assert_int_equal(model_conn(m, 3)->state, MODEL_IDLE);
		assert_true(m->conns_thin);
		m->conns_thin = false;
		assert_int_equal(
		    tui_tell(m, "_.conns", 2500,
		        "{\"conns\":[{\"id\":3,\"state\":\"new\"}]}"),
		    RK_OK);
	}
}

/* What is told of one connection, and of a key that the CA's list took. */
static void
test_details(void **state)
{
	struct model *m = *state;
	const struct model_conn *c;
	const struct model_key *k;

	assert_int_equal(tui_tell(m, "_.conns", 5000,
	                     "{\"conns\":[{\"id\":7,\"calls\":9,\"failed\":2,"
	                     "\"p50_us\":900,\"p99_us\":14000,"
	                     "\"rtt_us\":800,\"retrans\":3,\"cipher\":\"TLS_"
	                     "X\",\"key\":\"known\","
	                     "\"cn\":\"ci\",\"ca\":\"our CA\","
	                     "\"not_after\":\"2026-11-02T00:00:00Z\","
	                     "\"error\":\"bad\",\"error_method\":\"Sum\","
	                     "\"error_age_ms\":1000},{\"id\":8}]}"),
	    RK_OK);
	c = model_conn(m, 7);
	assert_int_equal(c->failed, 2);
	assert_int_equal(c->p50_us, 900);
	assert_int_equal(c->p99_us, 14000);
	assert_int_equal(c->rtt_us, 800);
	assert_true(c->has_retrans);
	assert_int_equal(c->retrans, 3);
	assert_string_equal(c->cipher, "TLS_X");
	assert_string_equal(c->key, "known");
	assert_string_equal(c->cn, "ci");
	assert_string_equal(c->ca, "our CA");
	assert_string_equal(c->not_after, "2026-11-02T00:00:00Z");
	assert_string_equal(c->error, "bad");
	assert_string_equal(c->error_method, "Sum");
	assert_int_equal(c->error_ms, 4000);
	assert_int_equal(m->n_errors, 1);
	assert_int_equal(
	    tui_tell(m, "_.conns", 6000,
	        "{\"conns\":[{\"id\":8,\"failed\":1,\"error\":\"no\"},"
	        "{\"id\":7,\"failed\":2,\"error\":\"bad\"}]}"),
	    RK_OK);
	assert_int_equal(m->n_errors, 2);
	assert_string_equal(m->errors[m->error_last].text, "no");
	assert_int_equal(m->errors[m->error_last].conn, 8);
	c = model_conn(m, 8);
	assert_int_equal(c->rtt_us, 0);
	assert_false(c->has_retrans);
	assert_string_equal(c->cipher, "");
	assert_int_equal(
	    tui_tell(m, "_.trust", 5000,
	        "{\"keys\":[{\"state\":\"revoked\",\"fingerprint\":\"" FP_A
	        "\",\"by\":\"list\",\"email\":\"\",\"cn\":\"ci\","
	        "\"addresses\":[\"10.0.0.2\",7,"
	        "\"10.0.0.1\"]}]}"),
	    RK_OK);
	k = model_key(m, FP_A);
	assert_string_equal(k->by, "list");
	assert_string_equal(k->name, "CN=ci");
	assert_string_equal(k->hosts, "10.0.0.2, 10.0.0.1");
	/* That list has ended a connection: what is known of keys is old. */
	m->keys_stale = false;
	assert_int_equal(
	    tui_event(m, 6000, "{\"event\":\"revoked\",\"id\":7}"), RK_OK);
	assert_true(m->keys_stale);
}

/* As many hosts as there is room for, whole. */
static void
test_hosts(void **state)
{
	struct model *m = *state;
	char host[201], text[1024];

	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	(void)snprintf(text, sizeof(text),
	    "{\"keys\":[{\"state\":\"new\",\"fingerprint\":\"" FP_A
	    "\",\"addresses\":[\"%s\",\"%s\",\"x\"]}]}",
	    host, host);
	assert_int_equal(tui_tell(m, "_.trust", 1, text), RK_OK);
	assert_string_equal(model_key(m, FP_A)->hosts, host);
}

static void
test_restart(void **state)
{
	struct model *m = *state;

	assert_int_equal(m->process, 0);
	assert_int_equal(
	    tui_tell(m, "_.status", 1000, status_of(1, 9, 9)), RK_OK);
	assert_int_equal(m->process, 1);
	assert_int_equal(
	    tui_tell(m, "_.conns", 1000, "{\"conns\":[{\"id\":7}]}"), RK_OK);
	assert_int_equal(tui_tell(m, "_.trust", 1000,
	                     "{\"keys\":[{\"state\":\"new\",\"fingerprint\":"
	                     "\"" FP_A "\"}]}"),
	    RK_OK);
	assert_int_equal(tui_tell(m, "_.log", 1000,
	                     "[{\"seq\":5,\"level\":\"info\",\"text\":\"x\"}]"),
	    RK_OK);
	assert_int_equal(
	    tui_tell(m, "_.status", 2000, status_of(1, 9, 9)), RK_OK);
	assert_int_equal(m->n_conns, 1);
	assert_int_equal(m->process, 1);
	assert_int_equal(
	    tui_tell(m, "_.status", 3000, status_of(2, 0, 0)), RK_OK);
	assert_int_equal(m->process, 2);
	assert_int_equal(m->n_conns, 0);
	assert_int_equal(m->n_keys, 0);
	assert_int_equal(model_waiting(m), 0);
	assert_null(model_conn(m, 7));
	assert_null(model_key(m, FP_A));
	/* The log stays, and lines of the new one do not meet those before. */
	assert_int_equal(tui_tell(m, "_.log", 3000,
	                     "[{\"seq\":1,\"level\":\"warn\",\"text\":\"y\"}]"),
	    RK_OK);
	assert_int_equal(m->n_log, 2);
	assert_string_equal(m->log[m->log_first].text, "x");
	assert_int_equal(m->log[m->log_first + 1].level, RK_LOG_WARN);
}

/* ---- events ---- */

static void
test_other_events(void **state)
{
	struct model *m = *state;

	assert_int_equal(
	    tui_event(m, 1,
	        "{\"event\":\"mode\",\"trust\":{\"mode\":\"lock\",\"list\":"
	        "\"locked\",\"known\":3}}"),
	    RK_OK);
	assert_string_equal(m->status.mode, "lock");
	assert_int_equal(m->status.known, 3);
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"lost\",\"count\":5}"), RK_OK);
	assert_int_equal(
	    tui_event(
	        m, 1, "{\"event\":\"lost\",\"count\":18446744073709551615}"),
	    RK_OK);
	assert_int_equal(m->events_lost, UINT64_MAX);
	assert_true(m->all_stale);
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"of a newer one\"}"), RK_OK);
	assert_int_equal(tui_event(m, 1, "{\"event\":7}"), RK_EPROTO);
	assert_int_equal(tui_event(m, 1, "{}"), RK_EPROTO);
	assert_int_equal(tui_event(m, 1, "[]"), RK_EPROTO);
	assert_int_equal(model_event(m, NULL, 1), RK_EPROTO);
}

/* ---- the rest ---- */

static void
test_log(void **state)
{
	struct model *m = *state;

	/* A line that was pushed, and the answer that has it as well. */
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"log\",\"seq\":12,\"text\":\"b\"}"),
	    RK_OK);
	assert_int_equal(tui_tell(m, "_.log", 1,
	                     "[{\"seq\":11,\"text\":\"a\",\"level\":\"error\"},"
	                     "{\"seq\":12,\"text\":\"b\",\"level\":\"debug\","
	                     "\"subsystem\":\"a very long name of one\"}]"),
	    RK_OK);
	assert_int_equal(m->n_log, 2);
	assert_int_equal(m->log[0].level, RK_LOG_ERROR);
	assert_int_equal(m->log[1].level, RK_LOG_DEBUG);
	assert_string_equal(m->log[1].subsystem, "a very long nam");
	assert_int_equal(
	    tui_event(m, 1, "{\"event\":\"log\",\"seq\":13,\"text\":\"c\"}"),
	    RK_OK);
	assert_int_equal(tui_tell(m, "_.log", 1, "[]"), RK_OK);
	assert_int_equal(m->n_log, 3);
	assert_int_equal(m->log[2].seq, 13);
}

static void
test_methods(void **state)
{
	struct model *m = *state;

	assert_int_equal(tui_tell(m, "_.methods", 1,
	                     "[{\"name\":\"_.status\"},{\"name\":7}]"),
	    RK_OK);
	assert_true(m->read_only);
	assert_int_equal(
	    tui_tell(m, "_.methods", 1, "[{\"name\":\"_.kick\"}]"), RK_OK);
	assert_false(m->read_only);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    tui_tell(m, "_.serves", 1, "[{\"name\":\"echo\"}]"), RK_OK);
	assert_int_equal(rk_value_root(m->methods)->u.list.count, 1);
	assert_int_equal(tui_tell(m, "_.unheard", 1, "7"), RK_OK);
}

static void
test_calls(void **state)
{
	struct model *m = *state;

	assert_int_equal(
	    tui_tell(m, "_.calls", 10000,
	        "{\"left_out\":3,\"calls\":[{\"method\":\"echo\",\"conn\":4,"
	        "\"email\":\"\",\"cn\":\"ci\","
	        "\"stream\":true,\"age_ms\":250,\"left_ms\":500},"
	        "{\"method\":\"x\",\"canceled\":true,\"file\":\"b/img.tar\","
	        "\"age_ms\":18446744073709551615,"
	        "\"left_ms\":18446744073709551615}]}"),
	    RK_OK);
	assert_int_equal(m->n_calls, 2);
	assert_int_equal(m->calls_left_out, 3);
	assert_string_equal(m->calls[0].name, "CN=ci");
	assert_string_equal(m->calls[0].email, "");
	assert_string_equal(m->calls[1].name, "");
	assert_int_equal(m->calls[0].began_ms, 9750);
	assert_int_equal(m->calls[0].deadline_ms, 10500);
	assert_true(m->calls[0].stream);
	assert_string_equal(m->calls[0].file, "");
	assert_string_equal(m->calls[1].file, "b/img.tar");
	assert_true(m->calls[1].canceled);
	assert_true(m->calls[1].began_ms < 0);
	assert_true(m->calls[1].deadline_ms > 10000);
	assert_int_equal(
	    tui_tell(m, "_.calls", 11000, "{\"calls\":[]}"), RK_OK);
	assert_int_equal(m->n_calls, 0);
}

/* What the model has of a file with so many letters before "END". */
static const char *
named(struct model *m, const char *letter, size_t n)
{
	static char json[4096];
	int at = snprintf(json, sizeof(json), "{\"calls\":[{\"file\":\"");

	for (size_t i = 0; i < n; i++)
		at += snprintf(
		    json + at, sizeof(json) - (size_t)at, "%s", letter);
	(void)snprintf(json + at, sizeof(json) - (size_t)at, "END\"}]}");
	assert_int_equal(tui_tell(m, "_.calls", 10000, json), RK_OK);
	return m->calls[0].file;
}

/* The daemon tells at most 129 bytes, each escaped with four: all of them are
 * there.  Of what is longer still the end is. */
static void
test_long_names(void **state)
{
	struct model *m = *state;
	const char *file = named(m, "a", 514);
	size_t len;

	assert_int_equal(strlen(file), 517);
	assert_string_equal(file + 514, "END");
	file = named(m, "a", 700);
	len = strlen(file);
	assert_true(len >= 517 && len < sizeof(m->calls[0].file));
	assert_int_equal(file[0], '~');
	assert_int_equal(file[1], 'a');
	assert_string_equal(file + len - 4, "aEND");
	/* Whole characters, wherever it is cut. */
	for (size_t more = 0; more < 3; more++) {
		file = named(m, "\xe4\xb8\xad", 300 + more);
		len = strlen(file);
		assert_int_equal(file[0], '~');
		assert_int_equal((len - 4) % 3, 0);
		assert_int_equal((unsigned char)file[1], 0xe4);
		assert_string_equal(file + len - 3, "END");
	}
}

static const char *
moved(const struct model_call *c)
{
	static char text[WORDS_MOVED];

	return words_moved(c, text);
}

/* How far streams have come, and how fast they go. */
static void
test_moved(void **state)
{
	struct model *m = *state;

	assert_int_equal(
	    tui_tell(m, "_.calls", 10000,
	        "{\"calls\":[{\"id\":3,\"conn\":4,\"stream\":true,"
	        "\"age_ms\":0,\"bytes_in\":5000,\"bytes_out\":300},"
	        "{\"id\":5,\"conn\":4,\"stream\":true,\"age_ms\":2000,"
	        "\"bytes_in\":9,\"size\":676000000,\"moved\":390000000},"
	        "{\"id\":6,\"conn\":4}]}"),
	    RK_OK);
	assert_string_equal(moved(&m->calls[0]), "5.3K  0/s");
	assert_string_equal(
	    moved(&m->calls[1]), "57%  390M/676M  195M/s  eta 1s");
	assert_string_equal(moved(&m->calls[2]), "");
	/* Another order, one new, one as it was, one that went back. */
	assert_int_equal(
	    tui_tell(m, "_.calls", 11000,
	        "{\"calls\":[{\"id\":5,\"conn\":4,\"stream\":true,"
	        "\"size\":676000000,\"moved\":412000000},"
	        "{\"id\":5,\"conn\":9,\"stream\":true,\"age_ms\":1000,"
	        "\"size\":100,\"moved\":18446744073709551615},"
	        "{\"id\":3,\"conn\":4,\"stream\":true,\"bytes_in\":"
	        "18446744073709551615,"
	        "\"bytes_out\":18446744073709551615},"
	        "{\"id\":8,\"conn\":4,\"stream\":true,\"size\":0,"
	        "\"moved\":0}]}"),
	    RK_OK);
	assert_string_equal(
	    moved(&m->calls[0]), "60%  412M/676M  22M/s  eta 12s");
	assert_string_equal(moved(&m->calls[1]), "100%  18E/100  1.0E/s");
	assert_string_equal(moved(&m->calls[2]), "18E  1.0E/s");
	assert_string_equal(moved(&m->calls[3]), "100%  0/0  0/s");
}

/* Nothing of what is malformed gets in, and what was there stays. */
static void
test_malformed(void **state)
{
	static const char *const wrong[][2] = {
		{ "_.status", "[]" },
		{ "_.status", "7" },
		{ "_.conns", "{}" },
		{ "_.conns", "[]" },
		{ "_.conns", "{\"conns\":{}}" },
		{ "_.conns", "{\"conns\":[{\"id\":2},7]}" },
		{ "_.calls", "{\"calls\":[[]]}" },
		{ "_.trust", "{\"keys\":null}" },
		{ "_.known", "{\"keys\":[\"x\"]}" },
		{ "_.log", "{}" },
		{ "_.log", "[1]" },
		{ "_.serves", "{}" },
		{ "_.serves", "[\"x\"]" },
		{ "_.methods", "null" },
	};
	struct model *m = *state;

	assert_int_equal(
	    tui_tell(m, "_.conns", 1, "{\"conns\":[{\"id\":1}]}"), RK_OK);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
		    tui_tell(m, wrong[i][0], 2, wrong[i][1]), RK_EPROTO);
	assert_int_equal(m->changes, 1);
	assert_int_equal(m->n_conns, 1);
	assert_non_null(model_conn(m, 1));
	assert_null(model_conn(m, 2));
}

/* Text is kept as it came, cut to fit; it cannot end early. */
static void
test_text(void **state)
{
	struct model *m = *state;
	const struct model_conn *c;
	char json[1200], email[600];

	memset(email, 'e', sizeof(email));
	email[sizeof(email) - 1] = '\0';
	(void)snprintf(json, sizeof(json),
	    "{\"conns\":[{\"id\":1,\"email\":\"%s\",\"address\":"
	    "\"a\\u0000b\\u001b[2J\",\"state\":\"activeactiveactive\"}]}",
	    email);
	assert_int_equal(tui_tell(m, "_.conns", 1, json), RK_OK);
	c = model_conn(m, 1);
	assert_int_equal(strlen(c->email), sizeof(c->email) - 1);
	assert_string_equal(c->address, "a?b\033[2J");
	assert_int_equal(c->state, MODEL_IDLE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tui_enter, tui_leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(test_status),
		CASE(test_rates),
		CASE(test_let_in),
		CASE(test_details),
		CASE(test_hosts),
		CASE(test_restart),
		CASE(test_other_events),
		CASE(test_log),
		CASE(test_methods),
		CASE(test_calls),
		CASE(test_long_names),
		CASE(test_moved),
		CASE(test_malformed),
		CASE(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
