/* What a verb's words ask for: method, argument, header. */
#include "request.h"

#include "base/error.h"
#include "base/str.h"
#include "marks.h"

#include <limits.h>
#include <stdio.h>

/* A key given again takes the place of what it was. */
static struct rk_arg *
place_for(struct request *q, struct rk_str key)
{
	size_t i = 0;

	while (i < q->req.n_args &&
	       (q->args[i].key.len != key.len ||
	           memcmp(q->args[i].key.ptr, key.ptr, key.len) != 0))
		i++;
	if (i == q->req.n_args)
		q->req.n_args++;
	return &q->args[i];
}

static enum rk_err
take_args(const struct args *a, struct request *q, struct rk_error *err)
{
	char shown[128];
	size_t n;
	const char *const *list = args_list(a, "arg", &n);

	if (n > REQUEST_ARGS_MAX)
		return err_set(
		    err, RK_EINVAL, "-H: at most %d of them", REQUEST_ARGS_MAX);
	q->req.args = q->args;
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(list[i], '=');
		struct rk_arg arg = { .key.ptr = list[i] };

		if (eq == NULL || eq == list[i])
			return err_set(err, RK_EINVAL,
			    "-H \"%s\": not of the form K=V",
			    str_escape(shown, sizeof(shown), list[i]));
		arg.key.len = (size_t)(eq - list[i]);
		arg.value = (struct rk_str){ eq + 1, strlen(eq + 1) };
		*place_for(q, arg.key) = arg;
	}
	return RK_OK;
}

enum rk_err
request_head(const struct args *a, struct request *q, struct rk_error *err)
{
	size_t n, len;
	const char *const *words = args_operands(a, &n);

	q->req.method = words[0];
	q->req.subject = args_text(a, "subject", NULL);
	len = strlen(words[0]);
	if (len == 0 || len > RK_NAME_MAX)
		return err_set(err, RK_EINVAL,
		    "method: a name has 1 to %d bytes", RK_NAME_MAX);
	if (q->req.subject != NULL && strlen(q->req.subject) > RK_SUBJECT_MAX)
		return err_set(err, RK_EINVAL, "--subject: at most %d bytes",
		    RK_SUBJECT_MAX);
	return take_args(a, q, err);
}

static enum rk_err
put_items(const struct args *a, struct items *in, struct rk_error *err)
{
	size_t n;
	const char *const *words = args_operands(a, &n);
	enum rk_err r = RK_OK;

	for (size_t i = 1; r == RK_OK && i < n; i++)
		r = items_put(in, words[i], err);
	return r;
}

/* Of a call that is shown and not made: what is nobody's business. */
static enum rk_err
hide(const struct args *a, struct items *in)
{
	char url[SETTINGS_URL_LEN];
	struct settings s;
	struct marks m;
	size_t n;

	if (settings_load(a, &s, NULL) != RK_OK)
		return RK_OK; /* no server, and nothing that it said */
	marks_remembered(settings_url(&s, a, url), args_operands(a, &n)[0], &m);
	return marks_hide(&m, in->doc, rk_value_root(in->doc));
}

enum rk_err
request_items(const struct args *a, struct items *in, struct request *q,
    struct rk_error *err)
{
	enum rk_err r = put_items(a, in, err);

	if (r == RK_OK && in->dry)
		r = hide(a, in);
	if (r == RK_OK)
		r = items_encode(in, &q->payload, &q->req.payload_len, err);
	return r;
}

enum rk_err
request_value(const struct args *a, struct items *in, struct request *q,
    struct rk_error *err)
{
	const char *data = args_text(a, "data", NULL);
	size_t n;
	enum rk_err r = RK_OK;

	(void)args_operands(a, &n);
	if (data == NULL && n < 2)
		return RK_OK;
	if (data != NULL)
		r = items_set(in, data, err);
	return r == RK_OK ? request_items(a, in, q, err) : r;
}

enum rk_err
request_fits(const struct request *q, struct rk_error *err)
{
	if (q->req.payload_len <= RK_PAYLOAD_MAX)
		return RK_OK;
	return err_set(err, RK_ETOOBIG,
	    "argument: %zu bytes; a call carries at most %d",
	    q->req.payload_len, RK_PAYLOAD_MAX);
}

bool
request_is_stdin(const char *spec)
{
	return spec != NULL &&
	       (strcmp(spec, "-") == 0 || strcmp(spec, "@-") == 0);
}

static enum rk_err
take_raw(
    struct items *in, const char *raw, struct request *q, struct rk_error *err)
{
	if (!request_is_stdin(raw) || q->given == NULL)
		return items_read(
		    in, raw, &q->payload, &q->req.payload_len, err);
	q->payload = q->given;
	q->req.payload_len = q->given_len;
	q->given = NULL;
	return RK_OK;
}

/* An option that not every verb has. */
static const char *
text_of(const struct args *a, const char *name)
{
	return args_known(a, name) ? args_text(a, name, NULL) : NULL;
}

enum rk_err
request_build(const struct args *a, const struct caller *by, struct request *q,
    struct rk_error *err)
{
	const char *file = text_of(a, "sendfile");
	const char *raw = text_of(a, "raw");
	char at_file[PATH_MAX + 1];
	struct items in;
	size_t n;
	enum rk_err r;

	(void)args_operands(a, &n);
	if (file != NULL && raw != NULL)
		return err_set(err, RK_EINVAL,
		    "-sendfile and --raw are the same: one of them");
	if (file != NULL) { /* the original's --raw @FILE */
		if (file[0] == '\0' || strlen(file) >= PATH_MAX)
			return err_set(err, RK_EINVAL,
			    "-sendfile: the file's name is %s",
			    file[0] == '\0' ? "empty" : "too long");
		(void)snprintf(at_file, sizeof(at_file), "@%s", file);
		raw = at_file;
	}
	if (raw != NULL && (args_given(a, "data") || n > 1))
		return err_set(err, RK_EINVAL,
		    "%s is the whole argument: no items and no -d beside it",
		    file != NULL ? "-sendfile" : "--raw");
	if ((r = items_init(&in, err)) != RK_OK)
		return r;
	in.no_input = args_flag(a, "no-input");
	in.dry = args_known(a, "dry-run") && args_flag(a, "dry-run");
	in.stdin_used = caller_has_input(by);
	q->raw = raw != NULL;
	if (raw == NULL)
		r = request_value(a, &in, q, err);
	else
		r = take_raw(&in, raw, q, err);
	items_fini(&in);
	q->req.payload = q->payload;
	return r == RK_OK ? request_fits(q, err) : r;
}

int
request_failed(
    const struct out *o, const struct rk_error *err, const char *help)
{
	if (err->code == RK_EINVAL)
		return out_error(o, err, help);
	if (err->code == RK_ENOPASS)
		return out_error(o, err, "k=@FILE takes the value from a file");
	return out_error(o, err, NULL);
}
