/* Figures and states in few letters. */
#include "words.h"

#include "base/str.h"

#include <rpckit/log.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *
words_age(int64_t ms, char dst[WORDS_LEN])
{
	uint64_t s = ms < 0 ? 0 : (uint64_t)ms / 1000;

	if (s < 60)
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64 "s", s);
	else if (s < 3600)
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64 "m", s / 60);
	else if (s < 86400)
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64 "h%02" PRIu64 "m",
		    s / 3600, s / 60 % 60);
	else
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64 "d%02" PRIu64 "h",
		    s / 86400, s / 3600 % 24);
	return dst;
}

const char *
words_size(uint64_t n, char dst[WORDS_LEN])
{
	static const char units[] = "KMGTPE";
	double v = (double)n;
	size_t i = 0;

	if (n < 1000) {
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64, n);
		return dst;
	}
	for (v /= 1000; v >= 999.5 && units[i + 1] != '\0'; i++)
		v /= 1000;
	(void)snprintf(
	    dst, WORDS_LEN, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
	return dst;
}

const char *
words_count(uint64_t n, char dst[WORDS_COUNT])
{
	char digits[WORDS_LEN];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			dst[at++] = ',';
		dst[at++] = digits[i];
	}
	dst[at] = '\0';
	return dst;
}

const char *
words_of(uint64_t n, uint64_t left_out, char dst[WORDS_OF])
{
	const uint64_t all =
	    left_out > UINT64_MAX - n ? UINT64_MAX : n + left_out;
	char some[WORDS_COUNT], whole[WORDS_COUNT];

	(void)snprintf(dst, WORDS_OF, "%s%s%s", words_count(n, some),
	    left_out > 0 ? " of " : "",
	    left_out > 0 ? words_count(all, whole) : "");
	return dst;
}

const char *
words_us(uint64_t us, char dst[WORDS_LEN])
{
	double ms = (double)us / 1000;

	if (us < 500)
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64 "us", us);
	else if (ms < 9.95)
		(void)snprintf(dst, WORDS_LEN, "%.1fms", ms);
	else if (ms < 999.5)
		(void)snprintf(dst, WORDS_LEN, "%.0fms", ms);
	else if (ms < 9950)
		(void)snprintf(dst, WORDS_LEN, "%.1fs", ms / 1000);
	else
		(void)words_age((int64_t)(us / 1000), dst);
	return dst;
}

/* When it will be over, if it goes on so. */
static void
eta(const struct model_call *c, char *dst, size_t len)
{
	char age[WORDS_LEN];
	double s;

	dst[0] = '\0';
	if (c->rate == 0 || c->moved >= c->size)
		return;
	s = (double)(c->size - c->moved) / (double)c->rate;
	if (s < 1e7)
		(void)snprintf(
		    dst, len, "  eta %s", words_age((int64_t)(s * 1000), age));
}

const char *
words_moved(const struct model_call *c, char dst[WORDS_MOVED])
{
	char moved[WORDS_LEN], size[WORDS_LEN], rate[WORDS_LEN], end[40];
	double part = c->size == 0 ? 1 : (double)c->moved / (double)c->size;

	dst[0] = '\0';
	(void)words_size(c->moved, moved);
	(void)words_size(c->rate, rate);
	eta(c, end, sizeof(end));
	if (c->has_size)
		(void)snprintf(dst, WORDS_MOVED, "%d%%  %s/%s  %s/s%s",
		    part < 1 ? (int)(part * 100) : 100, moved,
		    words_size(c->size, size), rate, end);
	else if (c->moved > 0)
		(void)snprintf(dst, WORDS_MOVED, "%s  %s/s", moved, rate);
	return dst;
}

static bool
read_time(const char *time, int64_t *out)
{
	struct tm tm = { 0 };
	const char *end = strptime(time, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0')
		return false;
	*out = (int64_t)timegm(&tm);
	return true;
}

bool
words_days(const char *time, int64_t now, int64_t *days)
{
	int64_t left;

	if (!read_time(time, &left))
		return false;
	left -= now;
	*days = left / 86400 - (left % 86400 < 0);
	return true;
}

bool
words_since(const char *time, int64_t now, char dst[WORDS_LEN])
{
	int64_t then;

	dst[0] = '\0';
	if (!read_time(time, &then) || then > now)
		return false;
	if (now - then < 60)
		(void)str_copy(dst, WORDS_LEN, "<1m");
	else
		(void)words_age((now - then) * 1000, dst);
	return true;
}

const char *
words_when(const char *time, const char *today, char dst[WORDS_LEN])
{
	bool same = strlen(time) == 20 && strncmp(time, today, 10) == 0;

	(void)str_copy(dst, same ? WORDS_LEN : 11, same ? time + 11 : time);
	return dst;
}

void
words_now(char dst[WORDS_LEN + 8])
{
	str_time(dst, (int64_t)time(NULL));
}

const char *
words_address(const char *address)
{
	const char *at = strstr(address, "://");

	return at == NULL ? address : at + 3;
}

/* How much of an address without a scheme is its host. */
static size_t
host_len(const char *address)
{
	const char *colon = strrchr(address, ':');
	const char *bracket = strrchr(address, ']');

	if (bracket != NULL)
		return (size_t)(bracket - address) + 1;
	/* An IPv6 address without a port has more of them. */
	if (colon == NULL || strchr(address, ':') != colon)
		return strlen(address);
	return (size_t)(colon - address);
}

bool
words_same_host(const char *a, const char *b)
{
	size_t n;

	a = words_address(a);
	b = words_address(b);
	n = host_len(a);
	return n == host_len(b) && strncmp(a, b, n) == 0;
}

const char *
words_conn_sign(const struct model_conn *c)
{
	switch (c->state) {
	case MODEL_ACTIVE:
		return "ok";
	case MODEL_IDLE:
		return "--";
	case MODEL_WAITING:
		return "??";
	case MODEL_NEW:
	case MODEL_CLOSING:
	case MODEL_CLOSED:
		break;
	}
	return "..";
}

const char *
words_conn_state(const struct model_conn *c)
{
	switch (c->state) {
	case MODEL_NEW:
		return "not trusted yet";
	case MODEL_ACTIVE:
		return "busy";
	case MODEL_IDLE:
		return "idle";
	case MODEL_CLOSING:
		return "closing";
	case MODEL_CLOSED:
		return "closed";
	case MODEL_WAITING:
		break;
	}
	return "waiting";
}

const char *
words_key_sign(enum model_key_state state)
{
	switch (state) {
	case KEY_NEW:
	case KEY_EXPIRED:
		return "??";
	case KEY_CHANGED:
		return "!!";
	case KEY_KNOWN:
	case KEY_UNTIL:
		return "ok";
	case KEY_ONCE:
		return "1x";
	case KEY_REJECTED:
	case KEY_REVOKED:
		break;
	}
	return "xx";
}

const char *
words_key_state(enum model_key_state state)
{
	switch (state) {
	case KEY_NEW:
		return "new";
	case KEY_CHANGED:
		return "CHANGED";
	case KEY_EXPIRED:
		return "expired";
	case KEY_KNOWN:
		return "known";
	case KEY_ONCE:
		return "once";
	case KEY_UNTIL:
		return "for a time";
	case KEY_REJECTED:
		return "rejected";
	case KEY_REVOKED:
		break;
	}
	return "revoked";
}

bool
words_key_waits(enum model_key_state state)
{
	return state == KEY_NEW || state == KEY_CHANGED || state == KEY_EXPIRED;
}

const char *
words_level(int level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	return level < RK_LOG_ERROR || level > RK_LOG_DEBUG ? "?"
	                                                    : names[level];
}
