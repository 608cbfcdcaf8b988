/* rpcd ctl: the columns of each list; what several have is written down once.
 */
#include "cli/ctl.h"

/* Those without a title are for tools: --json and --plain. */
#define ADDRESS                                   \
	{                                         \
		"address", "ADDRESS", FIELD_SHOWN \
	}
#define EMAIL                                 \
	{                                     \
		"email", "EMAIL", FIELD_SHOWN \
	}
#define KEY                                      \
	{                                        \
		"fingerprint", "KEY", FIELD_TEXT \
	}
#define NOTE(title)                        \
	{                                  \
		"note", title, FIELD_SHOWN \
	}
#define WHO(title)                        \
	{                                 \
		"who", title, FIELD_SHOWN \
	}
#define STATE                                \
	{                                    \
		"state", "STATE", FIELD_TEXT \
	}
#define SINCE                                \
	{                                    \
		"since", "SINCE", FIELD_TEXT \
	}
#define CALLS                                  \
	{                                      \
		"calls", "CALLS", FIELD_NUMBER \
	}
#define RUNNING                                    \
	{                                          \
		"running", "RUNNING", FIELD_NUMBER \
	}
#define P50(title)                            \
	{                                     \
		"p50_us", title, FIELD_NUMBER \
	}
#define P99(title)                            \
	{                                     \
		"p99_us", title, FIELD_NUMBER \
	}
#define CN                              \
	{                               \
		"cn", NULL, FIELD_SHOWN \
	}
#define CA                              \
	{                               \
		"ca", NULL, FIELD_SHOWN \
	}

static const struct field conns[] = {
	{ "id", "ID", FIELD_NUMBER },
	STATE,
	{ "transport", NULL, FIELD_TEXT },
	ADDRESS,
	EMAIL,
	KEY,
	RUNNING,
	CALLS,
	{ "bytes_in", "IN", FIELD_NUMBER },
	{ "bytes_out", "OUT", FIELD_NUMBER },
	SINCE,
	{ "psk", "PSK", FIELD_TEXT },
	{ "psk_id", NULL, FIELD_TEXT },
	{ "done", NULL, FIELD_NUMBER },
	{ "failed", NULL, FIELD_NUMBER },
	P50(NULL),
	P99(NULL),
	{ "rtt_us", NULL, FIELD_NUMBER },
	{ "retrans", NULL, FIELD_NUMBER },
	{ "cipher", NULL, FIELD_TEXT },
	{ "resumed", NULL, FIELD_BOOL },
	{ "key", NULL, FIELD_TEXT },
	CN,
	CA,
	{ "not_after", NULL, FIELD_TEXT },
	{ "error_method", NULL, FIELD_TEXT },
	{ "error", NULL, FIELD_TEXT },
};

static const struct field calls[] = {
	{ "method", "METHOD", FIELD_TEXT },
	{ "conn", "ID", FIELD_NUMBER },
	ADDRESS,
	EMAIL,
	{ "stream", "STREAM", FIELD_BOOL },
	{ "canceled", "CANCELED", FIELD_BOOL },
	{ "age_ms", "MS", FIELD_NUMBER },
	{ "left_ms", "LEFT", FIELD_NUMBER },
	SINCE,
	{ "id", "CALL", FIELD_NUMBER },
	{ "bytes_in", NULL, FIELD_NUMBER },
	{ "bytes_out", NULL, FIELD_NUMBER },
	{ "moved", NULL, FIELD_NUMBER },
	{ "size", NULL, FIELD_NUMBER },
	{ "file", "FILE", FIELD_SHOWN },
	CN,
};

static const struct field methods[] = {
	{ "name", "METHOD", FIELD_TEXT },
	{ "args", "TAKES", FIELD_TEXT },
	{ "reply", "GIVES", FIELD_TEXT },
	{ "about", "ABOUT", FIELD_TEXT },
	{ "idempotent", NULL, FIELD_BOOL },
	CALLS,
	{ "errors", "ERRORS", FIELD_NUMBER },
	RUNNING,
	P50("P50 US"),
	P99("P99 US"),
	{ "max_us", "MAX US", FIELD_NUMBER },
};

static const struct field keys[] = {
	STATE,
	EMAIL,
	KEY,
	{ "tries", "TRIES", FIELD_NUMBER },
	{ "last_seen", "LAST SEEN", FIELD_TEXT },
	ADDRESS,
	{ "first_seen", NULL, FIELD_TEXT },
	CA,
	{ "waiting", NULL, FIELD_NUMBER },
	{ "version", "VERSION", FIELD_NUMBER },
	NOTE(NULL),
	WHO(NULL),
	{ "decided", NULL, FIELD_TEXT },
	{ "until", NULL, FIELD_TEXT },
	{ "cert_from", NULL, FIELD_TEXT },
	{ "cert_until", NULL, FIELD_TEXT },
	CN,
};

/* What tools have of them by place: neither more nor less, for ever. */
static const struct field keys_plain[] = {
	STATE,
	EMAIL,
	KEY,
	{ "tries", NULL, FIELD_NUMBER },
	{ "first_seen", NULL, FIELD_TEXT },
	{ CTL_HOST, NULL, FIELD_SHOWN },
};

static const struct field audit[] = {
	{ "time", "TIME", FIELD_TEXT },
	WHO("WHO"),
	{ "what", "WHAT", FIELD_TEXT },
	EMAIL,
	KEY,
	{ "before", "BEFORE", FIELD_TEXT },
	{ "after", "AFTER", FIELD_TEXT },
	NOTE("NOTE"),
	{ "id", "ID", FIELD_NUMBER },
};

/* At 80 columns who it is and a key that verbs take (eight characters) are what
 * is looked for; a time that is cut is none. */
static const struct table_room rooms[] = {
	{ "fingerprint", 16, 0 },
	{ "email", 20, 0 },
	{ "address", 21, 0 },
	{ "time", 20, 0 },
	{ "running", 0, 1 },
	{ "calls", 0, 2 },
	{ "tries", 0, 3 },
	{ "left_ms", 0, 4 },
	{ "stream", 0, 5 },
	{ "before", 0, 5 },
	{ "bytes_in", 0, 6 },
	{ "bytes_out", 0, 7 },
	{ "psk", 0, 8 },
	{ "since", 20, 9 },
	{ "last_seen", 20, 9 },
	{ "version", 0, 10 },
};

void
ctl_rooms(struct table *t)
{
	table_rooms(t, rooms, sizeof(rooms) / sizeof(rooms[0]));
}

#define LIST(l)                                 \
	{                                       \
		(l), sizeof(l) / sizeof((l)[0]) \
	}

static const struct {
	const struct field *fields;
	size_t n;
} lists[] = {
	[CTL_CONNS] = LIST(conns),
	[CTL_CALLS] = LIST(calls),
	[CTL_METHODS] = LIST(methods),
	[CTL_KEYS] = LIST(keys),
	[CTL_KEYS_PLAIN] = LIST(keys_plain),
	[CTL_AUDIT] = LIST(audit),
};

const struct field *
ctl_fields(enum ctl_of of, size_t *n)
{
	*n = lists[of].n;
	return lists[of].fields;
}
