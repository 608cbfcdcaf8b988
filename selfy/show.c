/* What is told about a certificate or key when it was made. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/str.h"
#include "selfy.h"

#define FETCH_MS 10000

enum rk_err
show_row(struct selfy *s, const struct field *fields, size_t n,
    const union cell *cells)
{
	struct table *t = NULL;
	enum rk_err r = table_new(&s->out, fields, n, &t);

	if (r == RK_OK)
		r = table_row(t, cells);
	table_end(t);
	if (r != RK_OK)
		err_set(&s->err, r, "%s", rk_err_text(r));
	return r;
}

static void
show_line(struct selfy *s, const char *name, const char *fp)
{
	char grouped[RK_FP_GROUPED_LEN];
	char shown[SHOWN_LEN];

	rk_fp_group(fp, grouped);
	str_escape(shown, sizeof(shown), name);
	if (s->to_stdout)
		out_note(&s->out, "%s  %s", shown, grouped);
	else
		out_text(&s->out, "%s  %s\n", shown, grouped);
}

enum rk_err
show_made(
    struct selfy *s, const char *name, const struct cert *c, const char *path)
{
	static const struct field fields[] = {
		{ .name = "name" },
		{ .name = "fp" },
		{ .name = "file" },
		{ .name = "serial" },
		{ .name = "mail", .kind = FIELD_SHOWN },
		{ .name = "not_after", .kind = FIELD_TIME },
	};
	struct cert_view v;

	cert_describe(c, &v);
	if (s->out.form == OUT_TEXT || s->to_stdout) {
		show_line(s, name, v.fp);
		return RK_OK;
	}
	return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
	    (const union cell[]){
	        { .text = name },
	        { .text = v.fp },
	        { .text = path },
	        { .text = v.serial },
	        { .text = v.mail },
	        { .number = v.not_after },
	    });
}

enum rk_err
show_key(struct selfy *s, const char *name,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *path)
{
	static const struct field fields[] = {
		{ .name = "name" },
		{ .name = "fp" },
		{ .name = "file" },
	};
	char fp[RK_FP_LEN];

	rk_fp_of_key(pub, fp);
	if (s->out.form == OUT_TEXT || s->to_stdout) {
		show_line(s, name, fp);
		return RK_OK;
	}
	return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
	    (const union cell[]){
	        { .text = name }, { .text = fp }, { .text = path } });
}

bool
show_is_server(const char *text, char host[256], char port[8])
{
	const char *colon = strrchr(text, ':');
	struct stat st;
	uint64_t number;
	size_t len;

	host[0] = '\0';
	port[0] = '\0';
	if (colon == NULL || colon == text || strchr(text, '/') != NULL ||
	    stat(text, &st) == 0)
		return false;
	if (str_parse_u64(colon + 1, 1, 65535, &number) != RK_OK)
		return false;
	len = (size_t)(colon - text);
	/* [::1]:8443 */
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= 256 || str_copy(port, 8, colon + 1) >= 8)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

enum rk_err
show_fetch(
    struct selfy *s, const char *host, const char *port, struct pem_list *out)
{
	enum rk_err r = tls_fetch(host, port, FETCH_MS, out, &s->err);

	if (r == RK_OK)
		out_note(&s->out, "shown, not verified: what the server sends");
	return r;
}
