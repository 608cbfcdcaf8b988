/* Subjects of pushes, Go's among them, and those that requests name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rpc/topic.h"

struct of {
	const char *service;
	const char *subject;
	const char *topic;
};

static void
test_finds_the_subject(void **state)
{
	static const struct of all[] = {
		{ "", "", "" },
		{ "m", "s", "s" },
		{ "m", "", "" },
		{ "srv.SendMessage('x')", "", "x" },
		{ "srv.SendMessage('x')", "s", "s" },
		{ "srv.SendMessage('it's')", "", "it's" },
		{ "srv.SendMessage('')", "", "" },
		{ "srv.SendMessage('')')", "", "')" },
		{ "srv.SendMessage('x'", "", "" },
		{ "srv.SendMessage('x)", "", "" },
		{ "srv.SendMessage('", "", "" },
		{ "srv.SendMessage(')", "", "" },
		{ " srv.SendMessage('x')", "", "" },
		{ "srv.sendMessage('x')", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct rk_header h = {
			.to_service = { all[i].service,
			    strlen(all[i].service) },
			.subject = { all[i].subject, strlen(all[i].subject) },
		};
		struct rk_str s = topic_of(&h);

		assert_int_equal(s.len, strlen(all[i].topic));
		assert_memory_equal(s.ptr, all[i].topic, s.len);
	}
}

struct asked {
	const char *bytes;
	size_t len;
	const char *topic;
	size_t topic_len;
};
#define ASKED(bytes, topic)                                        \
	{                                                          \
		bytes, sizeof(bytes) - 1, topic, sizeof(topic) - 1 \
	}

/* In memory of its own, so that not a byte behind it is read. */
static void
test_reads_what_is_asked(void **state)
{
	static const struct asked all[] = {
		ASKED("", ""),
		ASKED("plain", "plain"),
		ASKED("\xa3"
		      "abc",
		    "abc"),
		ASKED("\xa0", ""),
		ASKED("\xd9\x03"
		      "abc",
		    "abc"),
		/* Cut off, or with more behind: bytes. */
		ASKED("\xa3"
		      "ab",
		    "\xa3"
		    "ab"),
		ASKED("\xa3"
		      "abcd",
		    "\xa3"
		    "abcd"),
		ASKED("\x81\xa1k\xa3"
		      "abc",
		    "abc"),
		ASKED("\x81\xa1K\xa3"
		      "abc",
		    "\x81\xa1K\xa3"
		    "abc"),
		ASKED("\x81\xa1k\x01", "\x81\xa1k\x01"),
		ASKED("\x82\xa1k\xa1x\xa1y\xa1z", "\x82\xa1k\xa1x\xa1y\xa1z"),
		ASKED("\x81", "\x81"),
		ASKED("\xdf\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff"),
		ASKED("\xdb\x7f\xff\xff\xff", "\xdb\x7f\xff\xff\xff"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint8_t *copy = malloc(all[i].len + 1);
		struct rk_str s;

		assert_non_null(copy);
		memcpy(copy + 1, all[i].bytes, all[i].len);
		s = topic_asked((struct rk_bytes){ copy + 1, all[i].len }, "k");
		assert_int_equal(s.len, all[i].topic_len);
		assert_memory_equal(s.ptr, all[i].topic, s.len);
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_subject),
		cmocka_unit_test(test_reads_what_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
