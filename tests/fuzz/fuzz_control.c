/* What controls are asked: only what is understood is taken, and it lies in
 * bounds, whatever bytes came. */
#include "rpc/control_int.h"
#include "rpc/survey.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* It ends within its memory. */
static void
check_text(const char *text, size_t len)
{
	must(memchr(text, '\0', len) != NULL);
}

static void
check_word(const char *text, size_t len)
{
	check_text(text, len);
	must(text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] ==
	     '\0');
}

static void
try_order(struct rk_bytes p)
{
	struct control_order o;

	if (control_read_order(p, &o) != RK_OK)
		return;
	must(o.has_verb && o.order.verb <= RK_ASK_NOTE);
	must(o.order.key == o.key && o.key[0] != '\0');
	check_text(o.key, sizeof(o.key));
	must((o.order.verb == RK_ASK_REPLACE) == (o.order.by == o.by));
	must(o.order.by != NULL || o.order.by_version == 0);
	check_text(o.by, sizeof(o.by));
	must(o.order.note == NULL || o.order.note == o.note);
	check_text(o.note, sizeof(o.note));
	must(o.order.verb != RK_ASK_NOTE || o.order.note != NULL);
	must((o.order.verb == RK_ASK_APPROVE_UNTIL) == (o.order.until > 0));
	must(o.order.who == NULL);
	check_word(o.via, sizeof(o.via));
}

static void
try_target(struct rk_bytes p)
{
	struct survey_target t = { .conn = 0 };

	if (control_read_target(p, &t) != RK_OK)
		return;
	if (t.by == SURVEY_BY_CONN)
		return;
	must(t.by == SURVEY_BY_FP || t.by == SURVEY_BY_ADDRESS);
	check_text(t.who, sizeof(t.who));
}

static void
try_call(struct rk_bytes p)
{
	struct survey_target t;
	char via[17];

	if (control_read_call(p, &t, via) == RK_OK)
		check_word(via, sizeof(via));
}

static void
try_wishes(struct rk_bytes p)
{
	struct control_reader r = { .log = -1 };

	if (control_read_wishes(p, &r) == RK_OK)
		must(r.log >= -1 && r.log <= RK_LOG_DEBUG);
}

static void
try_import(struct rk_bytes p)
{
	struct control_import in;
	const uint8_t *text;

	if (control_read_import(p, &in) != RK_OK)
		return;
	check_word(in.via, sizeof(in.via));
	text = (const uint8_t *)in.text.ptr;
	must(in.text.len == 0 ||
	     (text >= p.ptr && text + in.text.len <= p.ptr + p.len));
}

/* Each of them gets all of it, in memory that ends where it does. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct rk_bytes p = { copy, size };

	must(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	p.ptr = copy = realloc(copy, size > 0 ? size : 1);
	must(copy != NULL);
	try_order(p);
	try_target(p);
	try_call(p);
	try_wishes(p);
	try_import(p);
	free(copy);
	return 0;
}
