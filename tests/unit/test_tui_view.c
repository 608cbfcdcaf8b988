/* Which rows the dashboard's tabs have, in which order; what is kept of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuirig.h"

#include "tui/extra.h"
#include "tui/ui.h"

#include <rpckit/log.h>

/* Three connections and one that waits. */
static void
tell_conns(struct model *m)
{
	static const char fmt[] =
	    "{\"id\":%u,\"state\":\"%s\",\"transport\":\"tls\","
	    "\"address\":\"tls://10.0.0.%u:1\",\"email\":\"%s\","
	    "\"fingerprint\":\"%s\",\"running\":%u,\"calls\":9,"
	    "\"bytes_in\":0,\"bytes_out\":0,"
	    "\"since\":\"2026-11-02T12:00:00Z\",\"age_ms\":%u}";
	char json[4096];
	size_t n = 0;

	n +=
	    (size_t)snprintf(json, sizeof(json), "{\"left_out\":0,\"conns\":[");
	n += (size_t)snprintf(json + n, sizeof(json) - n, fmt, 1u, "active", 3u,
	    "bob@x", FP_B, 2u, 5000u);
	n += (size_t)snprintf(json + n, sizeof(json) - n, ",");
	n += (size_t)snprintf(json + n, sizeof(json) - n, fmt, 0u, "new", 4u,
	    "eve@x", FP_C, 0u, 100u);
	n += (size_t)snprintf(json + n, sizeof(json) - n, ",");
	n += (size_t)snprintf(json + n, sizeof(json) - n, fmt, 2u, "idle", 2u,
	    "ann@x", FP_A, 0u, 9000u);
	(void)snprintf(json + n, sizeof(json) - n, "]}");
	assert_int_equal(tui_tell(m, "_.trust", 9000,
	                     "{\"mode\":\"ask\",\"left_out\":0,\"keys\":[{"
	                     "\"state\":\"new\",\"email\":\"eve@x\","
	                     "\"fingerprint\":\"" FP_C "\",\"tries\":3,"
	                     "\"last_seen\":\"2026-11-02T12:00:00Z\","
	                     "\"address\":\"tls://10.0.0.4:1\","
	                     "\"first_seen\":\"\",\"ca\":\"\",\"waiting\":1,"
	                     "\"met\":true,\"version\":7}]}"),
	    RK_OK);
	assert_int_equal(tui_tell(m, "_.conns", 10000, json), RK_OK);
}

static const char *
who(const struct model *m, const struct rows *r, size_t i)
{
	assert_int_equal(r->v[i].kind, ROW_CONN);
	return m->conns[r->v[i].at].email;
}

static void
in_order(const struct model *m, const struct view *v, const char *const *want)
{
	struct rows r = { 0 };

	assert_int_equal(view_rows(m, v, &r), RK_OK);
	assert_int_equal(r.n, 3);
	for (size_t i = 0; i < r.n; i++)
		assert_string_equal(who(m, &r, i), want[i]);
	rows_fini(&r);
}

static unsigned
sort_named(enum tab tab, const char *name)
{
	size_t n;
	const char *const *all = view_sorts(tab, &n);

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(all[i], name) == 0)
			return i;
	}
	fail_msg("there is no order by %s", name);
	return 0;
}

static void
test_order(void **state)
{
	struct model *m = *state;
	struct view v = { .tab = TAB_CONNS };

	tell_conns(m);
	v.sort = sort_named(TAB_CONNS, "who");
	/* Who waits is last, whatever the order. */
	in_order(m, &v, (const char *[]){ "ann@x", "bob@x", "eve@x" });
	v.down = true;
	in_order(m, &v, (const char *[]){ "bob@x", "ann@x", "eve@x" });
	v.down = false;
	v.sort = sort_named(TAB_CONNS, "age");
	in_order(m, &v, (const char *[]){ "ann@x", "bob@x", "eve@x" });
	v.sort = sort_named(TAB_CONNS, "run");
	in_order(m, &v, (const char *[]){ "bob@x", "ann@x", "eve@x" });
	v.sort = sort_named(TAB_CONNS, "from");
	in_order(m, &v, (const char *[]){ "ann@x", "bob@x", "eve@x" });
}

static void
test_filter(void **state)
{
	struct model *m = *state;
	struct view v = { .tab = TAB_CONNS };
	struct rows r = { 0 };

	tell_conns(m);
	(void)snprintf(v.filter, sizeof(v.filter), "BOB");
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 1);
	assert_string_equal(who(m, &r, 0), "bob@x");
	(void)snprintf(v.filter, sizeof(v.filter), "10.0.0.2");
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 1);
	assert_string_equal(who(m, &r, 0), "ann@x");
	(void)snprintf(v.filter, sizeof(v.filter), "nobody");
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 0);
	rows_fini(&r);
}

static void
tell_keys(struct model *m)
{
	static const char one[] =
	    "{\"state\":\"%s\",\"email\":\"%s\",\"fingerprint\":\"%s\","
	    "\"tries\":%u,\"last_seen\":\"2026-11-02T12:00:0%uZ\","
	    "\"address\":\"\",\"first_seen\":\"\",\"ca\":\"\","
	    "\"waiting\":0,\"met\":true,\"version\":1}";
	char json[4096];
	size_t n = 0;

	n += (size_t)snprintf(
	    json, sizeof(json), "{\"mode\":\"ask\",\"left_out\":0,\"keys\":[");
	n += (size_t)snprintf(
	    json + n, sizeof(json) - n, one, "new", "a@x", FP_A, 1u, 9u);
	n += (size_t)snprintf(json + n, sizeof(json) - n, ",");
	n += (size_t)snprintf(
	    json + n, sizeof(json) - n, one, "changed", "b@x", FP_B, 1u, 1u);
	n += (size_t)snprintf(json + n, sizeof(json) - n, ",");
	n += (size_t)snprintf(
	    json + n, sizeof(json) - n, one, "rejected", "c@x", FP_C, 88u, 5u);
	(void)snprintf(json + n, sizeof(json) - n, "]}");
	assert_int_equal(tui_tell(m, "_.trust", 10000, json), RK_OK);
}

static void
test_sections(void **state)
{
	struct model *m = *state;
	struct view v = { .tab = TAB_TRUST };
	struct rows r = { 0 };

	tell_keys(m);
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 6);
	assert_int_equal(r.v[0].kind, ROW_HEAD);
	assert_int_equal(r.v[0].at, 2);
	/* The changed key is first, though the other was seen later. */
	assert_int_equal(m->keys[r.v[1].at].state, KEY_CHANGED);
	assert_int_equal(m->keys[r.v[2].at].state, KEY_NEW);
	assert_string_equal(r.v[3].text, "KNOWN");
	assert_int_equal(r.v[3].at, 0);
	assert_string_equal(r.v[4].text, "REJECTED");
	assert_int_equal(m->keys[r.v[5].at].state, KEY_REJECTED);
	/* A filter leaves the heads, with other numbers. */
	(void)snprintf(v.filter, sizeof(v.filter), "c@x");
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 4);
	assert_int_equal(r.v[0].at, 0);
	assert_int_equal(r.v[2].at, 1);
	rows_fini(&r);
}

static void
test_log(void **state)
{
	struct model *m = *state;
	struct view v = { .tab = TAB_LOG, .level = RK_LOG_WARN };
	struct rows r = { 0 };

	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(
		    tui_event(m, 1000,
		        tui_text("{\"event\":\"log\",\"seq\":%u,\"time\":\"\","
		                 "\"level\":\"%s\",\"subsystem\":\"tls\","
		                 "\"text\":\"line %u\"}",
		            i, i % 2 == 0 ? "warn" : "info", i)),
		    RK_OK);
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 2);
	assert_string_equal(view_line(m, r.v[0].at)->text, "line 2");
	assert_string_equal(view_line(m, r.v[1].at)->text, "line 4");
	v.level = RK_LOG_INFO;
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	assert_int_equal(r.n, 4);
	rows_fini(&r);
}

/* A thing has the same name while others come and go, and no other has it. */
static void
test_names(void **state)
{
	struct model *m = *state;
	struct view v = { .tab = TAB_CONNS };
	struct rows r = { 0 };
	char a[VIEW_ID_LEN], b[VIEW_ID_LEN];

	tell_conns(m);
	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	for (size_t i = 0; i < r.n; i++) {
		view_id(m, &r.v[i], a);
		for (size_t j = i + 1; j < r.n; j++) {
			view_id(m, &r.v[j], b);
			assert_string_not_equal(a, b);
		}
	}
	rows_fini(&r);
}

static void
tell_of(struct model *m, const char *since, uint64_t call)
{
	assert_int_equal(tui_tell(m, "_.status", 9000,
	                     tui_text("{\"pid\":1,\"since\":\"%s\"}", since)),
	    RK_OK);
	assert_int_equal(
	    tui_tell(m, "_.conns", 10000, "{\"conns\":[{\"id\":7}]}"), RK_OK);
	assert_int_equal(
	    tui_tell(m, "_.calls", 10000,
	        tui_text("{\"calls\":[{\"id\":%" PRIu64 ",\"conn\":7,"
	                 "\"method\":\"wait\",\"age_ms\":10}]}",
	            call)),
	    RK_OK);
	assert_int_equal(tui_tell(m, "_.log", 10000,
	                     "[{\"seq\":5,\"level\":\"info\",\"text\":\"x\"}]"),
	    RK_OK);
}

static void
name_last(const struct model *m, enum tab tab, enum row_kind kind, char *id)
{
	struct view v = { .tab = tab, .level = RK_LOG_INFO };
	struct rows r = { 0 };
	size_t at;

	assert_int_equal(view_rows(m, &v, &r), RK_OK);
	for (at = r.n; at > 0 && r.v[at - 1].kind != kind;)
		at--;
	assert_true(at > 0);
	view_id(m, &r.v[at - 1], id);
	rows_fini(&r);
}

/* Numbers are a process's own, whatever the system calls that: in a container
 * the next one is process 1 again.  Of two calls of one method of one
 * connection, begun at once, each is another. */
static void
test_others_names(void **state)
{
	static const enum tab tabs[] = { TAB_CONNS, TAB_CALLS, TAB_LOG };
	static const enum row_kind kinds[] = { ROW_CONN, ROW_CALL, ROW_LINE };
	struct model *m = *state;
	char a[3][VIEW_ID_LEN], b[VIEW_ID_LEN];

	tell_of(m, "2026-11-02T12:00:00Z", 3);
	for (size_t i = 0; i < 3; i++)
		name_last(m, tabs[i], kinds[i], a[i]);
	tell_of(m, "2026-11-02T12:00:00Z", 3);
	for (size_t i = 0; i < 3; i++) {
		name_last(m, tabs[i], kinds[i], b);
		assert_string_equal(a[i], b);
	}
	tell_of(m, "2026-11-02T12:00:00Z", 4);
	name_last(m, TAB_CALLS, ROW_CALL, b);
	assert_string_not_equal(a[1], b);
	tell_of(m, "2026-11-02T13:00:00Z", 3);
	for (size_t i = 0; i < 3; i++) {
		name_last(m, tabs[i], kinds[i], b);
		assert_string_not_equal(a[i], b);
	}
}

static void
test_kept(void **state)
{
	struct view a[TAB_COUNT] = { 0 }, b[TAB_COUNT] = { 0 };
	char text[4096];

	(void)state;
	for (enum tab t = TAB_CONNS; t < TAB_COUNT; t++)
		a[t].tab = b[t].tab = t;
	a[TAB_CONNS].sort = 3;
	a[TAB_CONNS].down = true;
	a[TAB_LOG].level = 1;
	(void)snprintf(a[TAB_TRUST].filter, sizeof(a[0].filter), "a b=c");
	layout_write(a, text, sizeof(text));
	layout_read(b, text);
	assert_memory_equal(a, b, sizeof(a));
	/* What makes no sense changes nothing. */
	layout_read(b, "conns sort=size turned=maybe level=9 filter=\xff\n"
	               "other sort=rx\n\n=\nconns");
	assert_memory_equal(a, b, sizeof(a));
}

/* In all lists a key without e-mail is the name in its certificate. */
static void
test_who(void **state)
{
	const struct model_conn none = { .address = "tls://127.0.0.1:1" };
	const struct model_conn name = { .cn = "build host 7" };
	const struct model_conn mail = { .cn = "build host 7",
		.email = "a@example.org" };
	char who[VIEW_WHO];

	(void)state;
	assert_string_equal(view_who(&none, who), "");
	assert_string_equal(view_who(&name, who), "CN=build host 7");
	assert_string_equal(view_who(&mail, who), "a@example.org");
}

/* A pane's text, when whoever talks does not end. */
static void
test_text(void **state)
{
	struct text t = { 0 };

	(void)state;
	for (size_t i = 0; i < 3 * TEXT_LINES + 5; i++)
		text_add(&t, ROLE_TEXT, "%zu", i);
	assert_int_equal(t.n, TEXT_LINES);
	assert_true(t.cap < 2 * TEXT_LINES);
	assert_string_equal(t.lines[0].bytes, "8197");
	assert_string_equal(t.lines[t.n - 1].bytes, "12292");
	text_fini(&t);
	assert_int_equal(t.n, 0);
}

/* The time in which the daemon does not answer is not that of who would take a
 * decision back. */
static void
test_undo_waits(void **state)
{
	struct model *m = *state;
	struct ui *ui = calloc(1, sizeof(*ui));

	assert_non_null(ui);
	ui->conf.model = m;
	m->online = true;
	undo_look(ui, 1000);
	(void)snprintf(ui->undo.fp, sizeof(ui->undo.fp), "%s", FP_A);
	ui->undo.until_ms = 1000 + UI_UNDO_MS;
	m->silent_s = 5;
	for (int64_t now = 2000; now <= 2000 + UI_UNDO_MS; now += 1000)
		undo_look(ui, now);
	assert_string_equal(ui->undo.fp, FP_A);
	m->silent_s = 0;
	undo_look(ui, ui->undo.until_ms - 1);
	assert_string_equal(ui->undo.fp, FP_A);
	undo_look(ui, ui->undo.until_ms);
	assert_string_equal(ui->undo.fp, "");
	assert_true(ui->undo.late);
	free(ui);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_order, tui_enter, tui_leave),
		cmocka_unit_test_setup_teardown(
		    test_filter, tui_enter, tui_leave),
		cmocka_unit_test_setup_teardown(
		    test_sections, tui_enter, tui_leave),
		cmocka_unit_test_setup_teardown(test_log, tui_enter, tui_leave),
		cmocka_unit_test_setup_teardown(
		    test_names, tui_enter, tui_leave),
		cmocka_unit_test_setup_teardown(
		    test_others_names, tui_enter, tui_leave),
		cmocka_unit_test_setup_teardown(
		    test_undo_waits, tui_enter, tui_leave),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
