/* -revoke and -crl: the list of certificates that count no more. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

#define SERIAL_SURE 16 /* digits that are no word by chance */

struct job {
	struct serial serial;
	struct cert *cert; /* NULL: only its serial is known */
	bool add;
	struct crl *old;
	struct crl *crl;
	struct validity when;
	struct batch batch;
	int lock;
};

static enum rk_err
serial_of_file(struct selfy *s, const char *path, struct job *j)
{
	struct cert *c = NULL;
	struct buf text;
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	if ((r = selfy_read_cert(s, path, &c, &text)) != RK_OK)
		goto out;
	if (cert_is_same(c, s->ca.cert))
		r = selfy_fail(s, RK_EINVAL, path,
		    "is the CA itself, which cannot revoke itself");
	else if (!cert_is_signed_by(c, s->ca.cert))
		r = selfy_fail(s, RK_ECERT, path, "was not signed by this CA");
	else if (cert_serial(c, &j->serial) != RK_OK)
		r = selfy_fail(s, RK_EFORMAT, path, "has no usable serial");
	if (r == RK_OK) {
		j->cert = c;
		c = NULL;
	}
out:
	cert_free(c);
	buf_wipe(&text);
	return r;
}

/* Hexadecimal digits, with or without colons; few of them only after 0x, so
 * that a name is not taken for a number. */
static enum rk_err
serial_of_text(struct selfy *s, const char *text, struct serial *out)
{
	char digits[SERIAL_MAX * 2 + 2] = "0";
	bool marked = strncmp(text, "0x", 2) == 0;
	size_t n = 0;

	for (const char *p = text + (marked ? 2 : 0); *p != '\0'; p++) {
		if (*p == ':')
			continue;
		if (n == sizeof(digits) - 2)
			goto bad;
		digits[1 + n++] = *p;
		digits[1 + n] = '\0';
	}
	if (n == 0 || (!marked && n < SERIAL_SURE))
		goto bad;
	/* An odd number of digits takes the 0 in front of them. */
	if (str_unhex(digits + (n % 2 == 0 ? 1 : 0), n + n % 2, out->bytes,
	        SERIAL_MAX, &out->len) != RK_OK)
		goto bad;
	while (out->len > 0 && out->bytes[0] == 0) {
		out->len--;
		memmove(out->bytes, out->bytes + 1, out->len);
	}
	if (out->len > 0)
		return RK_OK;
bad:
	selfy_retry(s, "selfy -list -json   (shows files and serials)");
	return selfy_fail(s, RK_ENOENT, text,
	    "is neither a file nor a serial (all its digits, or 0x...)");
}

static enum rk_err
find_serial(struct selfy *s, struct job *j)
{
	const char *text = args_text(s->args, "revoke", "");
	struct stat st;

	if (strcmp(text, "-") == 0 || strchr(text, '/') != NULL ||
	    stat(text, &st) == 0)
		return serial_of_file(s, text, j);
	return serial_of_text(s, text, &j->serial);
}

static enum rk_err
make(struct selfy *s, struct job *j)
{
	struct crl_change change = {
		.old = j->old,
		.add = j->add ? &j->serial : NULL,
	};
	struct signer by;
	enum rk_err r;

	if ((r = selfy_validity(s, CRL_DAYS, NULL, &j->when)) != RK_OK)
		return r;
	if (j->when.to > s->ca.ends)
		j->when.to = s->ca.ends;
	change.when = j->when;
	by = ca_signer(s);
	return crl_new(&by, &change, &j->crl, &s->err);
}

/* earlier_fn: on the list as well. */
static enum rk_err
add_earlier(struct selfy *s, const char *path, const struct cert *c, void *arg)
{
	struct job *j = arg;
	struct signer by = ca_signer(s);
	struct crl *longer = NULL;
	struct serial serial;
	struct crl_change change = {
		.old = j->crl,
		.add = &serial,
		.when = j->when,
	};
	char shown[SHOWN_LEN];
	enum rk_err r;

	if (cert_serial(c, &serial) != RK_OK || crl_has(j->crl, &serial))
		return RK_OK;
	if ((r = crl_new(&by, &change, &longer, &s->err)) != RK_OK)
		return r;
	crl_free(j->crl);
	j->crl = longer;
	out_note(&s->out, "%s: an earlier one of the same key, revoked too",
	    str_escape(shown, sizeof(shown), path));
	return RK_OK;
}

/* Who has the key has what was renewed as well. */
static enum rk_err
revoke_earlier(struct selfy *s, struct job *j)
{
	const char *path = args_text(s->args, "revoke", "");

	if (j->cert == NULL || strcmp(path, "-") == 0)
		return RK_OK;
	return earlier_each(s, path, j->cert, add_earlier, j);
}

/* For the CA, and for peers if there is a directory of theirs. */
static enum rk_err
write_crl(struct selfy *s, struct job *j)
{
	const char *dirs[] = { s->priv, s->certs };
	struct batch_item item = { .mode = CERT_MODE, .replace = true };
	char path[PATH_LEN];
	struct stat st;
	struct buf pem;
	enum rk_err r;

	buf_init(&pem, PEM_MAX_BYTES);
	if ((r = crl_put_pem(j->crl, &pem)) != RK_OK) {
		err_set(&s->err, r, "revocation list: %s", rk_err_text(r));
		goto out;
	}
	item.path = path;
	item.data = buf_peek(&pem);
	item.len = buf_len(&pem);
	for (size_t i = 0; i < 2; i++) {
		if (i == 1 && (s->to_stdout || ca_is_at_home(s) ||
		                  stat(dirs[i], &st) != 0))
			break;
		if ((r = selfy_path(s, path, dirs[i], "ca", ".crl")) != RK_OK)
			goto out;
		if ((r = batch_add(&j->batch, &item, &s->err)) != RK_OK)
			goto out;
	}
	if (s->to_stdout) {
		item.path = NULL;
		if ((r = batch_add(&j->batch, &item, &s->err)) != RK_OK)
			goto out;
	}
	r = batch_write(&j->batch, &s->err);
out:
	buf_fini(&pem);
	return r;
}

static enum rk_err
tell(struct selfy *s, const struct job *j)
{
	static const struct field fields[] = {
		{ .name = "revoked" },
		{ .name = "number" },
		{ .name = "entries", .kind = FIELD_NUMBER },
		{ .name = "next_update", .kind = FIELD_TIME },
	};
	char serial[SERIAL_MAX * 2 + 1] = "";
	char day[32];
	struct crl_view v;

	crl_describe(j->crl, &v);
	date_day(day, sizeof(day), v.next_update);
	if (j->add)
		str_hex(serial, j->serial.bytes, j->serial.len);
	if (s->to_stdout)
		return RK_OK;
	if (s->out.form != OUT_TEXT)
		return show_row(s, fields, sizeof(fields) / sizeof(fields[0]),
		    (const union cell[]){
		        { .text = j->add ? serial : NULL },
		        { .text = v.number },
		        { .number = (int64_t)v.entries },
		        { .number = v.next_update },
		    });
	if (j->add)
		out_text(&s->out, "revoked  %s\n", serial);
	out_text(&s->out, "list %s  %zu revoked  ends %s\n", v.number,
	    v.entries, day);
	return RK_OK;
}

static enum rk_err
update(struct selfy *s, bool add)
{
	struct job j = { .add = add, .lock = -1 };
	enum rk_err r;

	if ((r = ca_open_cert(s)) != RK_OK)
		goto out;
	if (add && (r = find_serial(s, &j)) != RK_OK)
		goto out;
	/* Nobody waits for us while we wait for a person. */
	if ((r = ca_open(s, true)) != RK_OK)
		goto out;
	if ((r = ca_lock(s, &j.lock)) != RK_OK)
		goto out;
	if ((r = ca_check_same(s)) != RK_OK)
		goto out;
	if ((r = ca_read_crl(s, &j.old)) != RK_OK)
		goto out;
	if (add && j.old != NULL && crl_has(j.old, &j.serial))
		out_note(&s->out, "was revoked already");
	if ((r = make(s, &j)) != RK_OK || (r = revoke_earlier(s, &j)) != RK_OK)
		goto out;
	if ((r = write_crl(s, &j)) != RK_OK)
		goto out;
	batch_tell(&j.batch, &s->out);
	r = tell(s, &j);
out:
	ca_unlock(j.lock);
	batch_fini(&j.batch);
	crl_free(j.crl);
	crl_free(j.old);
	cert_free(j.cert);
	return r;
}

enum rk_err
cmd_revoke(struct selfy *s)
{
	return update(s, true);
}

enum rk_err
cmd_crl(struct selfy *s)
{
	return update(s, false);
}
