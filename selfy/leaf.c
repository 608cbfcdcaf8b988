/* Certificates for peers: their names, their signature, their file. */
#include <stdio.h>

#include "base/error.h"
#include "base/str.h"
#include "selfy.h"

/* -e, or NAME@HOST with a note about it. */
static enum rk_err
choose_mail(struct selfy *s, const char *name, char *dst, size_t dst_len)
{
	const char *given = args_text(s->args, "e", NULL);
	char host[SAN_TEXT_LEN];
	char shown[SHOWN_LEN];
	enum rk_err r;
	int n;

	if (given != NULL) {
		(void)str_copy(dst, dst_len, given);
		return mail_check(given, &s->err);
	}
	selfy_host(host, sizeof(host));
	n = snprintf(dst, dst_len, "%s@%s", name, host);
	if (n < 0 || (size_t)n >= dst_len)
		r = RK_EINVAL;
	else
		r = mail_check(dst, &s->err);
	if (r != RK_OK) {
		selfy_retry(s, "-e with an address");
		return err_set(&s->err, r,
		    "no mail is given, and none can be made of the name");
	}
	out_note(&s->out, "no mail is given (-e), taking %s",
	    str_escape(shown, sizeof(shown), dst));
	return RK_OK;
}

enum rk_err
leaf_names(struct selfy *s, const char *mail, struct sans *out)
{
	const char *const *lists = NULL;
	size_t n = 0;
	enum rk_err r;

	if ((r = sans_add(out, SAN_DNS, "localhost", &s->err)) != RK_OK)
		return r;
	if (mail != NULL &&
	    (r = sans_add(out, SAN_MAIL, mail, &s->err)) != RK_OK)
		return r;
	if ((r = sans_add(out, SAN_IP, "127.0.0.1", &s->err)) != RK_OK)
		return r;
	lists = args_list(s->args, "san", &n);
	for (size_t i = 0; i < n; i++) {
		if ((r = sans_add_list(out, lists[i], &s->err)) != RK_OK)
			return r;
	}
	return RK_OK;
}

enum rk_err
leaf_subject(struct selfy *s, const char *name, struct sans *out)
{
	char mail[SAN_TEXT_LEN];
	enum rk_err r;

	if ((r = cn_check(args_text(s->args, "cn", name), &s->err)) != RK_OK ||
	    (r = choose_mail(s, name, mail, sizeof(mail))) != RK_OK)
		return r;
	return leaf_names(s, mail, out);
}

enum rk_err
leaf_add(struct selfy *s, struct leaf *leaf, struct batch *b, const char *path,
    struct cert **out)
{
	struct signer by = ca_signer(s);
	struct cert *c = NULL;
	enum rk_err r;

	*out = NULL;
	selfy_cap(s, &leaf->when);
	if ((r = cert_new_leaf(&by, leaf, &c, &s->err)) != RK_OK)
		return r;
	r = selfy_add_cert(s, b, s->to_stdout ? NULL : path, c,
	    args_flag(s->args, "force") || leaf->like != NULL);
	if (r != RK_OK) {
		cert_free(c);
		return r;
	}
	*out = c;
	return RK_OK;
}
