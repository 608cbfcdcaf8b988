/* What undoing gives back besides the decision: when the key was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

#define DAY INT64_C(86400)

/* Key 1 came at `storerig_now`. */
static struct rk_store *
come_once(void)
{
	struct rk_store *s = storerig_open();
	struct rk_peer peer;

	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	return s;
}

/* Its days to wait begin with who undid the approval; it was not seen then. */
static void
test_seen(void **state)
{
	struct rk_store *s = come_once();
	const int64_t came = storerig_now;
	int64_t act;

	(void)state;
	act = storerig_decide(s, RK_STORE_APPROVE, 1);
	storerig_now += 20 * DAY;
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(storerig_find(s, 1).last_seen, came);
	storerig_now += RK_STORE_WAITING_DAYS * DAY;
	assert_int_equal(storerig_find(s, 1).state, RK_STORE_WAIT);
	assert_int_equal(storerig_find(s, 1).last_seen, came);
	storerig_now++;
	assert_int_equal(storerig_count(s, 0), 0);
	rk_store_close(s);
}

/* Who comes after that is seen then, and his days begin again. */
static void
test_seen_since(void **state)
{
	struct rk_store *s = come_once();
	struct rk_peer peer;
	int64_t act;

	(void)state;
	act = storerig_decide(s, RK_STORE_REJECT, 1);
	storerig_now += 20 * DAY;
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	storerig_now += DAY;
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(storerig_find(s, 1).last_seen, storerig_now);
	storerig_now += RK_STORE_WAITING_DAYS * DAY;
	assert_int_equal(storerig_find(s, 1).state, RK_STORE_WAIT);
	storerig_now++;
	assert_int_equal(storerig_count(s, 0), 0);
	rk_store_close(s);
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_seen),
		IN_SCRATCH(test_seen_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
