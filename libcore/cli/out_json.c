/* Strings as JSON writes them, safe for a terminal as well. */
#include "base/str.h"
#include "cli/out.h"

/* Would this character, which str_plain() does not count, be seen as it is and
 * do no harm? */
static bool
is_plain(const char *s, size_t len, uint32_t cp)
{
	char tmp[16];

	if (cp < 0x80)
		return false;
	return *rk_escape(tmp, sizeof(tmp), s, len) != '\\';
}

static enum rk_err
put_escaped(struct buf *b, uint32_t cp)
{
	switch (cp) {
	case '"':
		return buf_put_str(b, "\\\"");
	case '\\':
		return buf_put_str(b, "\\\\");
	case '\n':
		return buf_put_str(b, "\\n");
	case '\r':
		return buf_put_str(b, "\\r");
	case '\t':
		return buf_put_str(b, "\\t");
	default:
		break;
	}
	if (cp < 0x10000)
		return buf_printf(b, "\\u%04x", cp);
	cp -= 0x10000;
	return buf_printf(
	    b, "\\u%04x\\u%04x", 0xd800 + (cp >> 10), 0xdc00 + (cp & 0x3ff));
}

enum rk_err
out_json_string(struct buf *b, const char *s, size_t len)
{
	size_t plain = 0; /* characters waiting to be put in one piece */
	uint32_t cp;
	size_t n;
	enum rk_err r;

	if (len == 0) /* and s may be NULL */
		return buf_put_str(b, "\"\"");
	if ((r = buf_put_str(b, "\"")) != RK_OK)
		return r;
	for (size_t i = 0; i < len; i += n) {
		if ((n = str_plain(s + i, len - i)) > 0) {
			plain += n;
			continue;
		}
		n = str_utf8(s + i, len - i, &cp);
		if (n > 0 && is_plain(s + i, n, cp)) {
			plain += n;
			continue;
		}
		if ((r = buf_put(b, s + i - plain, plain)) != RK_OK)
			return r;
		plain = 0;
		r = n == 0 ? buf_put_str(b, "\xef\xbf\xbd")
		           : put_escaped(b, cp);
		if (r != RK_OK)
			return r;
		n = n == 0 ? 1 : n;
	}
	if ((r = buf_put(b, s + len - plain, plain)) != RK_OK)
		return r;
	return buf_put_str(b, "\"");
}
