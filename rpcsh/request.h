/* What a verb's words ask for: method, argument, header. */
#ifndef RPCSH_REQUEST_H
#define RPCSH_REQUEST_H

#include "cli/out.h"
#include "items.h"
#include "target.h"

#include <rpckit/client.h>
#include <rpckit/value.h>

#define REQUEST_ARGS_MAX 64

/* Rows of the tables of options: what request_value() takes, and what
 * request_head() does. */
#define REQUEST_DATA_OPT                                                  \
	{                                                                 \
		.name = "data", .letter = 'd', .kind = OPT_TEXT,          \
		.meta = "JSON|@FILE|-", .complete = COMPLETE_FILE,        \
		.about = "the whole argument; items then override fields" \
	}
#define REQUEST_RAW_OPT                                                  \
	{                                                                \
		.name = "raw", .kind = OPT_TEXT, .meta = "TEXT|@FILE|-", \
		.complete = COMPLETE_FILE,                               \
		.about = "these bytes as they are, no msgpack at all"    \
	}
#define REQUEST_ARG_OPT                                                        \
	{                                                                      \
		.name = "arg", .letter = 'H', .kind = OPT_TEXT, .meta = "K=V", \
		.flags = OPT_MANY, .about = "an argument of the header"        \
	}
#define REQUEST_HEADER_OPTS                        \
	{ .name = "subject",                       \
		.kind = OPT_TEXT,                  \
		.meta = "TEXT",                    \
		.about = "the header's subject" }, \
	    REQUEST_ARG_OPT

/* How often, how long between two, and how long in all. */
#define REQUEST_COUNT_OPT(most, what)                               \
	{                                                           \
		.name = "count", .letter = 'n', .kind = OPT_NUMBER, \
		.meta = "N", .min = 1, .max = (most), .about = what \
	}
#define REQUEST_INTERVAL_MAX 86400000 /* ms */
#define REQUEST_INTERVAL_OPT                                             \
	{                                                                \
		.name = "interval", .letter = 'i', .kind = OPT_DURATION, \
		.meta = "TIME", .max = REQUEST_INTERVAL_MAX,             \
		.about = "between them, at most a day (1s)"              \
	}
#define REQUEST_FOR_OPT(what)                                        \
	{                                                            \
		.name = "for", .kind = OPT_DURATION, .meta = "TIME", \
		.about = what                                        \
	}

struct request {
	struct rk_request req;
	uint8_t *payload; /* malloc'ed: the caller's to free */
	struct rk_arg args[REQUEST_ARGS_MAX];
	/* Standard input as far as it was read already, malloc'ed, or NULL:
	 * request_build() takes it. */
	uint8_t *given;
	size_t given_len;
	char whole[RK_NAME_MAX + 1]; /* req.method, if it was found out */
	bool raw;                    /* the payload is no msgpack of ours */
	/* What the server says of a method that takes and gives structs. */
	struct rk_value_doc *doc;
};

/* The first operand, --subject and -H.  RK_EINVAL with the reason. */
RK_MUST enum rk_err request_head(
    const struct args *a, struct request *q, struct rk_error *err);
/* -d and the items behind the method; without any, no payload.  Errors of
 * items_set(), items_put(), items_encode(). */
RK_MUST enum rk_err request_value(const struct args *a, struct items *in,
    struct request *q, struct rk_error *err);
/* The items alone. */
RK_MUST enum rk_err request_items(const struct args *a, struct items *in,
    struct request *q, struct rk_error *err);
/* The whole payload: --raw, or those.  by: of its standard input. */
RK_MUST enum rk_err request_build(const struct args *a, const struct caller *by,
    struct request *q, struct rk_error *err);
/* "-" or "@-"? */
bool request_is_stdin(const char *spec);
/* Is it more than a message carries?  RK_ETOOBIG. */
RK_MUST enum rk_err request_fits(const struct request *q, struct rk_error *err);
/* Say what is wrong with the words of a verb; the exit status. */
int request_failed(
    const struct out *o, const struct rk_error *err, const char *help);

#endif
