/* Small services of a run: errors, paths, dates, files read whole. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

enum rk_err
selfy_fail(
    struct selfy *s, enum rk_err code, const char *subject, const char *why)
{
	char shown[SHOWN_LEN];

	return err_set(&s->err, code, "%s: %s",
	    str_escape(shown, sizeof(shown), subject), why);
}

void
selfy_retry(struct selfy *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(s->retry, sizeof(s->retry), fmt, ap) < 0)
		s->retry[0] = '\0';
	va_end(ap);
}

enum rk_err
selfy_path(struct selfy *s, char out[PATH_LEN], const char *dir,
    const char *name, const char *suffix)
{
	char file[SHOWN_LEN * 2];
	int n = snprintf(file, sizeof(file), "%s%s", name, suffix);

	out[0] = '\0';
	if (n < 0 || (size_t)n >= sizeof(file) ||
	    fs_join(out, PATH_LEN, dir, file) != RK_OK)
		return selfy_fail(s, RK_ETOOBIG, name, "the path is too long");
	return RK_OK;
}

enum rk_err
selfy_name(struct selfy *s, const char *name)
{
	enum rk_err r;

	if ((r = name_check(name, &s->err)) != RK_OK)
		return r;
	if (strcmp(name, "ca") == 0)
		return err_set(&s->err, RK_EINVAL,
		    "name \"ca\": is the CA's own, take another");
	return RK_OK;
}

enum rk_err
selfy_pair(struct selfy *s, const char *name, char key_path[PATH_LEN],
    char path[PATH_LEN], const char *suffix)
{
	enum rk_err r;

	if ((r = selfy_name(s, name)) != RK_OK ||
	    (r = selfy_path(s, key_path, s->certs, name, ".key")) != RK_OK)
		return r;
	return selfy_path(s, path, s->certs, name, suffix);
}

static bool
asks_for_time(const struct selfy *s, const char *hidden)
{
	return args_given(s->args, "days") || args_given(s->args, "until") ||
	       (hidden != NULL && args_given(s->args, hidden));
}

enum rk_err
selfy_validity(
    struct selfy *s, uint64_t days, const char *hidden, struct validity *out)
{
	const char *until = args_text(s->args, "until", NULL);
	enum rk_err r;

	days = args_number(s->args, "days", days);
	*out = (struct validity){
		.from = s->now - CLOCK_SLACK,
		.to = s->now + (int64_t)days * DAY_SECONDS,
	};
	if (until != NULL) {
		if ((r = date_parse(until, &out->to, &s->err)) != RK_OK)
			return r;
	} else if (hidden != NULL && args_given(s->args, hidden) &&
	           !args_given(s->args, "days")) {
		out->to =
		    s->now + (int64_t)(args_number(s->args, hidden, 0) / 1000);
	}
	if (out->to > TIME_END)
		out->to = TIME_END;
	if (out->to > s->now)
		return RK_OK;
	return err_set(&s->err, RK_EINVAL, "it would have ended already");
}

void
selfy_cap(struct selfy *s, struct validity *when)
{
	char day[32];

	if (when->to <= s->ca.ends)
		return;
	when->to = s->ca.ends;
	date_day(day, sizeof(day), when->to);
	if (asks_for_time(s, "cert-validfor"))
		out_warn(&s->out, "shortened: it ends with its CA, %s", day);
}

void
selfy_host(char *dst, size_t dst_len)
{
	struct sans probe = { 0 };
	char host[SAN_TEXT_LEN] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 ||
	    sans_add(&probe, SAN_DNS, host, NULL) != RK_OK)
		(void)str_copy(host, sizeof(host), "localhost");
	(void)str_copy(dst, dst_len, host);
}

enum rk_err
selfy_read(struct selfy *s, const char *path, struct buf *b)
{
	if (strcmp(path, "-") == 0)
		return fs_read_fd(STDIN_FILENO, PEM_MAX_BYTES, b, &s->err);
	return fs_read(path, FS_ANY, PEM_MAX_BYTES, b, &s->err);
}

enum rk_err
selfy_read_pem(
    struct selfy *s, const char *path, struct buf *text, struct pem_list *out)
{
	enum rk_err r;

	*out = (struct pem_list){ 0 };
	if ((r = selfy_read(s, path, text)) != RK_OK)
		return r;
	return pem_read(path, buf_peek(text), buf_len(text), out, &s->err);
}

enum rk_err
selfy_read_one(struct selfy *s, const char *path, enum pem_kind kind,
    const char *why, struct pem_list *out)
{
	struct buf text;
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	r = selfy_read_pem(s, path, &text, out);
	buf_wipe(&text);
	if (r == RK_OK && (out->n != 1 || out->items[0].kind != kind)) {
		pem_list_fini(out);
		r = selfy_fail(s, RK_EFORMAT, path, why);
	}
	return r;
}

enum rk_err
selfy_read_cert(
    struct selfy *s, const char *path, struct cert **out, struct buf *text)
{
	struct pem_list list = { 0 };
	const char *why = "holds no certificate";
	enum rk_err r;

	*out = NULL;
	if ((r = selfy_read_pem(s, path, text, &list)) != RK_OK)
		goto out;
	if (list.items[0].kind != PEM_CERT) {
		if (list.items[0].kind == PEM_KEY)
			why = "is a private key, not a certificate";
		r = selfy_fail(s, RK_EFORMAT, path, why);
		goto out;
	}
	r = cert_decode(
	    path, list.items[0].der, list.items[0].len, out, &s->err);
out:
	pem_list_fini(&list);
	return r;
}

enum rk_err
selfy_add_cert(struct selfy *s, struct batch *b, const char *path,
    const struct cert *c, bool replace)
{
	struct batch_item item = {
		.path = path,
		.mode = CERT_MODE,
		.replace = replace,
	};
	struct buf pem;
	enum rk_err r;

	buf_init(&pem, PEM_MAX_BYTES);
	if ((r = cert_put_pem(c, &pem)) != RK_OK) {
		err_set(&s->err, r, "%s", rk_err_text(r));
		goto out;
	}
	item.data = buf_peek(&pem);
	item.len = buf_len(&pem);
	r = batch_add(b, &item, &s->err);
out:
	buf_fini(&pem);
	return r;
}
