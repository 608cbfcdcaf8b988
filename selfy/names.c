/* Checks of what people type: key names, mail addresses, host names, dates. */
#include "names.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"

#define NAME_MAX_LEN 200
#define MAIL_MAX_LEN 254
#define DNS_MAX_LEN 253
#define LABEL_MAX_LEN 63
#define SHOWN_LEN 120
#define DAY 86400
#define HOUR 3600

/* Does it look on a screen exactly as it is? */
static bool
is_plain(const char *s)
{
	char shown[SAN_TEXT_LEN * 2];

	return strcmp(str_escape(shown, sizeof(shown), s), s) == 0;
}

static enum rk_err
refuse(
    struct rk_error *err, const char *what, const char *text, const char *why)
{
	char shown[SHOWN_LEN];

	return err_set(err, RK_EINVAL, "%s \"%s\": %s", what,
	    str_escape(shown, sizeof(shown), text), why);
}

enum rk_err
name_check(const char *name, struct rk_error *err)
{
	const char *why = NULL;

	if (name[0] == '\0')
		why = "is empty";
	else if (strlen(name) > NAME_MAX_LEN)
		why = "is longer than 200 bytes";
	else if (name[0] == '-' || name[0] == '.')
		why = "begins with a dash or a dot";
	else if (strchr(name, '/') != NULL)
		why = "holds a slash; it is a name, not a path";
	else if (strstr(name, "..") != NULL)
		why = "holds two dots in a row";
	else if (!is_plain(name))
		why = "holds a character that cannot be shown";
	return why == NULL ? RK_OK : refuse(err, "name", name, why);
}

static bool
has_mail_bytes(const char *mail)
{
	for (const char *p = mail; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr(",;:\"\\<>()|", *p) != NULL)
			return false;
	}
	return true;
}

enum rk_err
mail_check(const char *mail, struct rk_error *err)
{
	const char *at = strchr(mail, '@');
	const char *why = NULL;

	if (strlen(mail) > MAIL_MAX_LEN)
		why = "is longer than 254 bytes";
	else if (at == NULL || at == mail || at[1] == '\0' ||
	         strchr(at + 1, '@') != NULL)
		why = "is no address of the form name@host";
	else if (!has_mail_bytes(mail))
		why = "holds a space, a comma or another byte that is "
		      "not allowed";
	return why == NULL ? RK_OK : refuse(err, "mail", mail, why);
}

enum rk_err
cn_check(const char *cn, struct rk_error *err)
{
	size_t left = strlen(cn);
	const char *p = cn;
	size_t chars = 0;
	uint32_t cp;

	if (left == 0)
		return refuse(err, "common name", cn, "is empty");
	if (left > (size_t)CN_MAX * 4)
		return refuse(
		    err, "common name", cn, "is longer than 64 characters");
	if (!str_is_utf8(cn, left) || !is_plain(cn))
		return refuse(err, "common name", cn,
		    "holds a character that cannot be shown");
	while (left > 0) {
		size_t n = str_utf8(p, left, &cp);

		if (n == 0)
			break;
		p += n;
		left -= n;
		chars++;
	}
	if (chars > CN_MAX)
		return refuse(
		    err, "common name", cn, "is longer than 64 characters");
	return RK_OK;
}

static bool
is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static bool
label_ok(const char *p, size_t len)
{
	if (len == 0 || len > LABEL_MAX_LEN || p[0] == '-' || p[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_letter_or_digit(p[i]) && p[i] != '-' && p[i] != '_')
			return false;
	}
	return true;
}

static enum rk_err
dns_check(const char *name, struct rk_error *err)
{
	const char *p = name;
	size_t len = 0;

	if (strlen(name) > DNS_MAX_LEN)
		return refuse(err, "host", name, "is longer than 253 bytes");
	if (strncmp(p, "*.", 2) == 0)
		p += 2;
	for (;; p += len + 1) {
		len = strcspn(p, ".");
		if (!label_ok(p, len))
			return refuse(err, "host", name,
			    "is neither a host name nor an IP address");
		if (p[len] == '\0')
			break;
	}
	if (strspn(p, "0123456789") == len)
		return refuse(err, "host", name, "is no valid IP address");
	return RK_OK;
}

static enum rk_err
fill_ip(struct san *san, const char *text, struct rk_error *err)
{
	san->ip_len = 4;
	if (inet_pton(AF_INET, text, san->ip) == 1)
		return RK_OK;
	san->ip_len = 16;
	if (inet_pton(AF_INET6, text, san->ip) == 1)
		return RK_OK;
	return refuse(err, "address", text, "is no valid IP address");
}

static bool
same(const struct san *a, const struct san *b)
{
	if (a->kind != b->kind || a->ip_len != b->ip_len)
		return false;
	if (a->kind == SAN_IP)
		return memcmp(a->ip, b->ip, a->ip_len) == 0;
	return strcasecmp(a->text, b->text) == 0;
}

enum rk_err
sans_add(
    struct sans *s, enum san_kind kind, const char *text, struct rk_error *err)
{
	struct san san = { .kind = kind };
	enum rk_err r = RK_OK;

	switch (kind) {
	case SAN_DNS:
		r = dns_check(text, err);
		break;
	case SAN_IP:
		r = fill_ip(&san, text, err);
		break;
	case SAN_MAIL:
		r = mail_check(text, err);
		break;
	}
	if (r != RK_OK)
		return r;
	(void)str_copy(san.text, sizeof(san.text), text);
	for (size_t i = 0; i < s->n; i++) {
		if (same(&s->items[i], &san))
			return RK_OK;
	}
	if (s->n == SAN_MAX)
		return err_set(err, RK_ETOOBIG, "names: more than %d", SAN_MAX);
	s->items[s->n++] = san;
	return RK_OK;
}

static enum rk_err
add_word(struct sans *s, const char *word, struct rk_error *err)
{
	uint8_t ip[16];

	if (strncasecmp(word, "dns:", 4) == 0)
		return sans_add(s, SAN_DNS, word + 4, err);
	if (strncasecmp(word, "ip:", 3) == 0)
		return sans_add(s, SAN_IP, word + 3, err);
	if (inet_pton(AF_INET, word, ip) == 1 ||
	    inet_pton(AF_INET6, word, ip) == 1)
		return sans_add(s, SAN_IP, word, err);
	return sans_add(s, SAN_DNS, word, err);
}

enum rk_err
sans_add_list(struct sans *s, const char *list, struct rk_error *err)
{
	char word[SAN_TEXT_LEN + 8];
	const char *p = list;
	enum rk_err r;

	for (;;) {
		size_t len = strcspn(p, ",");

		if (len >= sizeof(word))
			return refuse(err, "host", p, "is too long");
		memcpy(word, p, len);
		word[len] = '\0';
		if ((r = add_word(s, word, err)) != RK_OK)
			return r;
		if (p[len] == '\0')
			return RK_OK;
		p += len + 1;
	}
}

/* Exactly two or four digits. */
static bool
take_digits(const char **p, size_t n, int *out)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		char c = (*p)[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*p += n;
	*out = v;
	return true;
}

static bool
take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
parse_day(const char **p, struct tm *tm)
{
	return take_digits(p, 4, &tm->tm_year) && take_char(p, '-') &&
	       take_digits(p, 2, &tm->tm_mon) && take_char(p, '-') &&
	       take_digits(p, 2, &tm->tm_mday);
}

static bool
parse_clock(const char **p, struct tm *tm)
{
	return take_char(p, 'T') && take_digits(p, 2, &tm->tm_hour) &&
	       take_char(p, ':') && take_digits(p, 2, &tm->tm_min) &&
	       take_char(p, ':') && take_digits(p, 2, &tm->tm_sec) &&
	       take_char(p, 'Z');
}

enum rk_err
date_parse(const char *text, int64_t *sec, struct rk_error *err)
{
	struct tm tm = { .tm_hour = 23, .tm_min = 59, .tm_sec = 59 };
	struct tm back;
	const char *p = text;

	*sec = 0;
	if (!parse_day(&p, &tm) || (*p != '\0' && !parse_clock(&p, &tm)) ||
	    *p != '\0')
		return refuse(err, "date", text,
		    "is not of the form 2035-11-02 or 2035-11-02T10:00:00Z");
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	/* timegm() moves what does not exist to the next day that does. */
	*sec = (int64_t)timegm(&back);
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday ||
	    back.tm_hour != tm.tm_hour || back.tm_min != tm.tm_min)
		return refuse(err, "date", text, "does not exist");
	return RK_OK;
}

/* 1234567 as "1,234,567" */
static void
group(char *dst, size_t dst_len, int64_t n)
{
	if (n >= 1000000)
		(void)snprintf(dst, dst_len,
		    "%" PRId64 ",%03" PRId64 ",%03" PRId64, n / 1000000,
		    n / 1000 % 1000, n % 1000);
	else if (n >= 1000)
		(void)snprintf(
		    dst, dst_len, "%" PRId64 ",%03" PRId64, n / 1000, n % 1000);
	else
		(void)snprintf(dst, dst_len, "%" PRId64, n);
}

void
date_ends(char *dst, size_t dst_len, int64_t end, int64_t now)
{
	bool over = end < now;
	int64_t left = over ? now - end : end - now;
	char num[32];

	group(num, sizeof(num), left >= DAY ? left / DAY : left / HOUR);
	(void)snprintf(dst, dst_len, "%s %s %s%s", over ? "ended" : "ends in",
	    num, left >= DAY ? "d" : "h", over ? " ago" : "");
}

void
date_day(char *dst, size_t dst_len, int64_t sec)
{
	char whole[32];

	str_time(whole, sec);
	whole[strcspn(whole, "T")] = '\0';
	(void)str_copy(dst, dst_len, whole);
}
