/* Sets of methods: what is refused, what is copied, what is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/methods.h"

static void
handler(struct rk_call *call, void *arg)
{
	(void)call;
	(void)arg;
}

static struct rk_str
str(const char *s)
{
	return (struct rk_str){ s, strlen(s) };
}

static void
has_the_builtin(void **state)
{
	static const char *const names[] = { "_.ping", "_.methods",
		"_.describe", "_.subscribe", "_.unsubscribe", "_.next_keys" };
	struct methods *m;
	struct rk_error err;

	(void)state;
	assert_int_equal(methods_new(NULL, 0, &m, &err), RK_OK);
	assert_int_equal(m->n, METHODS_BUILTIN);
	for (size_t i = 0; i < METHODS_BUILTIN; i++) {
		const struct rk_method *f = methods_find(m, str(names[i]));

		assert_non_null(f);
		assert_string_equal(f->name, names[i]);
		assert_int_equal(f->idempotent, i < 3);
	}
	assert_null(methods_find(m, str("ping")));
	assert_null(methods_find(m, str("")));
	assert_null(methods_find(m, (struct rk_str){ NULL, 0 }));
	methods_free(m);
	methods_free(NULL);
}

static void
copies_texts(void **state)
{
	char name[] = "name", about[] = "about", args[] = "args",
	     reply[] = "reply";
	struct rk_method one = { .name = name,
		.about = about,
		.args = args,
		.reply = reply,
		.fn = handler,
		.arg = &one,
		.idempotent = true };
	const struct rk_method *f;
	struct methods *m;
	struct rk_error err;

	(void)state;
	assert_int_equal(methods_new(&one, 1, &m, &err), RK_OK);
	name[0] = about[0] = args[0] = reply[0] = '\0';
	f = methods_find(m, str("name"));
	assert_non_null(f);
	assert_string_equal(f->about, "about");
	assert_string_equal(f->args, "args");
	assert_string_equal(f->reply, "reply");
	assert_ptr_equal(f->arg, &one);
	assert_true(f->idempotent);
	methods_free(m);
}

/* Names that share a start, an end, a NUL, all of their length. */
static void
finds_among_many(void **state)
{
	enum {
		N = 3000
	};
	static char names[N][16];
	struct rk_method *list = calloc(N, sizeof(*list));
	struct methods *m;
	struct rk_error err;

	(void)state;
	assert_non_null(list);
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(
		    names[i], sizeof(names[i]), "m%zu", (i * 7919) % N);
		list[i] = (struct rk_method){
			.name = names[i], .fn = handler, .arg = names[i]
		};
	}
	assert_int_equal(methods_new(list, N, &m, &err), RK_OK);
	for (size_t i = 0; i < N; i++) {
		const struct rk_method *f = methods_find(m, str(names[i]));

		assert_non_null(f);
		assert_ptr_equal(f->arg, names[i]);
		assert_null(methods_find(
		    m, (struct rk_str){ names[i], strlen(names[i]) + 1 }));
	}
	assert_null(methods_find(m, str("m3000")));
	assert_null(methods_find(m, str("m")));
	/* For people: by name. */
	for (size_t i = 1; i < m->n; i++)
		assert_true(strcmp(m->list[i - 1].name, m->list[i].name) < 0);
	methods_free(m);
	free(list);
}

static void
refuses(const struct rk_method *list, size_t n, enum rk_err code)
{
	struct methods *m;
	struct rk_error err;

	assert_int_equal(methods_new(list, n, &m, &err), code);
	assert_null(m);
	assert_int_equal(err.code, code);
	assert_true(err.text[0] != '\0');
}

static void
refuses_bad_ones(void **state)
{
	char name[RK_NAME_MAX + 2];
	struct rk_method two[2] = { { .name = "a", .fn = handler },
		{ .name = name, .fn = handler } };
	struct methods *m;
	struct rk_error err;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[RK_NAME_MAX + 1] = '\0';
	refuses(two, 2, RK_EINVAL);
	name[RK_NAME_MAX] = '\0';
	assert_int_equal(methods_new(two, 2, &m, &err), RK_OK);
	assert_non_null(methods_find(m, str(name)));
	methods_free(m);
	name[0] = '\0';
	refuses(two, 2, RK_EINVAL);
	two[1].name = NULL;
	refuses(two, 2, RK_EINVAL);
	two[1].name = "a";
	refuses(two, 2, RK_EEXIST);
	two[1].name = "_.describe";
	refuses(two, 2, RK_EEXIST);
	two[1].name = "b\nc";
	two[1].fn = NULL;
	assert_int_equal(methods_new(two, 2, &m, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "b\\x0ac"));
}

static void
count(void *arg)
{
	unsigned *n = arg;

	(*n)++;
}

static void
tells_once(void **state)
{
	struct methods *m;
	struct rk_error err;
	unsigned n = 0;

	(void)state;
	assert_int_equal(methods_new(NULL, 0, &m, &err), RK_OK);
	m->retired = count;
	m->arg = &n;
	methods_free(m);
	assert_int_equal(n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_builtin),
		cmocka_unit_test(copies_texts),
		cmocka_unit_test(finds_among_many),
		cmocka_unit_test(refuses_bad_ones),
		cmocka_unit_test(tells_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
