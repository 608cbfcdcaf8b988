/* selfy: certificates for the peers of one CA; options and their order. */
#include <stdio.h>
#include <time.h>

#include <rpckit/log.h>
#include <rpckit/signer.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/agent_words.h"
#include "cli/pass.h"
#include "selfy.h"

#define DEFAULT_PRIV "my-keep-private-dir"
#define DEFAULT_CERTS "certs"
#define DAYS_MAX 3650000 /* ends are capped at the year 9999 anyway */

static const struct opt opts[] = {
	{ .name = "ca", .about = "make a CA in the private directory" },
	{ .name = "k",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .about =
	        "make a key and its certificate, and a CA if there is none" },
	{ .name = "e",
	    .kind = OPT_TEXT,
	    .meta = "MAIL",
	    .about =
	        "mail address in the certificate, NAME@HOST if not given" },
	{ .name = "o",
	    .kind = OPT_TEXT,
	    .meta = "DIR",
	    .about = "directory of certificates; - is standard output",
	    .env = "RPCKIT_CERTS",
	    .complete = COMPLETE_DIR },
	{ .name = "p",
	    .kind = OPT_TEXT,
	    .meta = "DIR",
	    .about = "private directory of the CA, " DEFAULT_PRIV,
	    .complete = COMPLETE_DIR },
	{ .name = "v",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "show what is in FILE, in - (standard input), or what "
	             "the server at HOST:PORT shows",
	    .complete = COMPLETE_FILE },
	{ .name = "verify",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "do peers of the CA accept this certificate?",
	    .complete = COMPLETE_FILE },
	{ .name = "list", .about = "list the certificates of a directory" },
	{ .name = "expiring",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "list those that end within TIME (30d); exit 1 if any" },
	{ .name = "renew",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .about = "new certificate for the same key; the old one is kept" },
	{ .name = "newkey", .about = "with -renew: a new key too" },
	{ .name = "days",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .about = "how long it is to be valid, never longer than the CA",
	    .min = 1,
	    .max = DAYS_MAX },
	{ .name = "until",
	    .kind = OPT_TEXT,
	    .meta = "DATE",
	    .about = "the same as a date: 2035-11-02" },
	{ .name = "san",
	    .kind = OPT_TEXT,
	    .meta = "LIST",
	    .about = "more host names and IP addresses, comma-separated",
	    .flags = OPT_MANY },
	{ .name = "cn",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .about = "common name, if it is not to be that of -k" },
	{ .name = "pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "passphrase of the key: tty, fd:N, file:PATH, env:NAME, "
	             "cred:NAME, askpass, agent" },
	{ .name = "ca-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "passphrase of the CA key" },
	{ .name = "key",
	    .kind = OPT_TEXT,
	    .meta = "keyvault:NAME",
	    .complete = COMPLETE_KEY,
	    .about = "of -k and -csr: the key is in keyvault's agent already" },
	{ .name = "ca-key",
	    .kind = OPT_TEXT,
	    .meta = "keyvault:NAME",
	    .complete = COMPLETE_KEY,
	    .about = "the CA key stays in keyvault's agent, which signs" },
	{ .name = "new-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "with -chpass: the new passphrase" },
	{ .name = "nopass", .about = "do not encrypt private keys" },
	{ .name = "format",
	    .kind = OPT_CHOICE,
	    .meta = "rpc25519|pkcs8",
	    .about = "form of encrypted keys; pkcs8 is for other programs",
	    .complete = COMPLETE_WORDS },
	{ .name = "chpass",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .about = "change the passphrase of a key (name or file)",
	    .complete = COMPLETE_FILE },
	{ .name = "csr",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .about = "make a key, or take the one there, and a request" },
	{ .name = "sign",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "sign the request in FILE.csr",
	    .complete = COMPLETE_FILE },
	{ .name = "revoked",
	    .about = "with -sign: also for the key of a revoked certificate" },
	{ .name = "revoke",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "revoke a certificate, by its file or serial",
	    .complete = COMPLETE_FILE },
	{ .name = "crl",
	    .about = "renew the revocation list, for 30 days or -days" },
	{ .name = "gensym",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "make a pre-shared key in the private directory" },
	{ .name = "psk-id",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "short id of a pre-shared key, to compare both ends",
	    .complete = COMPLETE_FILE },
	{ .name = "fp",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .about = "fingerprint of a certificate, request or key, or of the "
	             "server at HOST:PORT",
	    .complete = COMPLETE_FILE },
	{ .name = "words",
	    .about = "with -fp: also as ten words, to be compared aloud" },
	{ .name = "short", .about = "with -v: one line" },
	{ .name = "why", .about = "with -verify: every check" },
	{ .name = "force", .about = "replace files, ask nothing" },
	{ .name = "plain", .about = "answer in lines of tab-separated fields" },
	{ .name = "ca-validfor",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "how long a new CA is to be valid",
	    .flags = OPT_HIDDEN,
	    .min = 60000,
	    .max = UINT64_MAX },
	{ .name = "cert-validfor",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "how long a new certificate is to be valid",
	    .flags = OPT_HIDDEN,
	    .min = 60000,
	    .max = UINT64_MAX },
	COMMON_OPTS,
	{ .name = NULL },
};

static const char *const usage[] = {
	"-ca [-p DIR] [-days N] [-nopass]",
	"-k NAME [-e MAIL] [-o DIR] [-p DIR] [-days N] [-nopass]",
	"-v FILE | -verify FILE | -list [DIR] | -expiring TIME [DIR]",
	NULL,
};

static const char *const examples[] = {
	"selfy -k node -e ops@example.org    # CA, key and certificate",
	"selfy -verify certs/node.crt        # would peers accept it?",
	"selfy -expiring 30d                 # for cron: exit 1 if any",
	"selfy -renew node                   # same key, new dates",
	"selfy -revoke certs/bob.crt         # and give ca.crl to the peers",
	NULL,
};

static const struct env_doc envs[] = {
	{ .name = "RPCKIT_CERTS", .about = "stands in for -o" },
	{ .name = "RPCKIT_ASKPASS",
	    .about = "program that asks for passphrases, before SSH_ASKPASS" },
	{ .name = "CREDENTIALS_DIRECTORY",
	    .about = "where -pass cred:NAME looks" },
	{ .name = "KEYVAULT_SOCK",
	    .about = "socket of the agent of -key and -ca-key" },
	{ .name = "NO_COLOR", .about = "no color if set and not empty" },
	{ .name = NULL },
};

enum action_bit {
	DO_CA = 1,
	DO_KEY = 2,
	DO_CSR = 4,
	DO_SIGN = 8,
	DO_RENEW = 16,
	DO_CHPASS = 32,
	DO_REVOKE = 64,
	DO_CRL = 128,
	DO_GENSYM = 256,
	DO_PSK_ID = 512,
	DO_VERIFY = 1024,
	DO_VIEW = 2048,
	DO_FP = 4096,
	DO_LIST = 8192,
	DO_EXPIRING = 16384
};

#define MAKES_CERT (DO_CA | DO_KEY | DO_SIGN | DO_RENEW)
#define MAKES_KEY (DO_CA | DO_KEY | DO_CSR | DO_RENEW | DO_CHPASS)

/* In the order in which they are done, whatever the order of the words. */
static const struct action {
	const char *option;
	unsigned bit;
	action_fn *run;
	bool is_flag;
} actions[] = {
	{ .option = "ca", .bit = DO_CA, .run = cmd_ca, .is_flag = true },
	{ .option = "k", .bit = DO_KEY, .run = cmd_key },
	{ .option = "csr", .bit = DO_CSR, .run = cmd_csr },
	{ .option = "sign", .bit = DO_SIGN, .run = cmd_sign },
	{ .option = "renew", .bit = DO_RENEW, .run = cmd_renew },
	{ .option = "chpass", .bit = DO_CHPASS, .run = cmd_chpass },
	{ .option = "revoke", .bit = DO_REVOKE, .run = cmd_revoke },
	{ .option = "crl", .bit = DO_CRL, .run = cmd_crl, .is_flag = true },
	{ .option = "gensym", .bit = DO_GENSYM, .run = cmd_gensym },
	{ .option = "psk-id", .bit = DO_PSK_ID, .run = cmd_psk_id },
	{ .option = "verify", .bit = DO_VERIFY, .run = cmd_verify },
	{ .option = "v", .bit = DO_VIEW, .run = cmd_view },
	{ .option = "fp", .bit = DO_FP, .run = cmd_fp },
	{ .option = "list", .bit = DO_LIST, .run = cmd_list, .is_flag = true },
	{ .option = "expiring", .bit = DO_EXPIRING, .run = cmd_expiring },
};

#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* Options that mean nothing without one of these actions.  Those of the
 * original are not among them: its users may be used to giving them. */
static const struct rule {
	const char *option;
	unsigned wants;
	const char *text;
} rules[] = {
	{ "newkey", DO_RENEW, "-renew" },
	{ "revoked", DO_SIGN, "-sign" },
	{ "days", MAKES_CERT | DO_CRL | DO_REVOKE,
	    "-ca, -k, -sign, -renew, -crl or -revoke" },
	{ "until", MAKES_CERT | DO_CRL | DO_REVOKE,
	    "-ca, -k, -sign, -renew, -crl or -revoke" },
	{ "san", DO_KEY | DO_CSR | DO_SIGN, "-k, -csr or -sign" },
	/* Harmless elsewhere; a renewal would seem to heed it. */
	{ "e", ~(unsigned)DO_RENEW, "-k, -csr or -sign" },
	{ "cn", DO_CA | DO_KEY | DO_CSR | DO_SIGN, "-ca, -k, -csr or -sign" },
	{ "pass", MAKES_KEY | DO_SIGN | DO_REVOKE | DO_CRL | DO_VERIFY | DO_FP,
	    "an action that opens or makes a key" },
	{ "ca-pass", MAKES_CERT | DO_REVOKE | DO_CRL,
	    "-ca, -k, -sign, -renew, -revoke or -crl" },
	{ "key", DO_KEY | DO_CSR, "-k or -csr" },
	{ "ca-key", MAKES_CERT | DO_REVOKE | DO_CRL,
	    "-ca, -k, -sign, -renew, -revoke or -crl" },
	{ "new-pass", DO_CHPASS, "-chpass" },
	{ "format", MAKES_KEY, "-ca, -k, -csr, -renew or -chpass" },
	{ "words", DO_FP, "-fp" },
	{ "short", DO_VIEW, "-v" },
	{ "why", DO_VERIFY, "-verify" },
	{ "force", DO_CA | DO_KEY | DO_CSR | DO_SIGN | DO_GENSYM,
	    "-ca, -k, -csr, -sign or -gensym" },
};

static unsigned
wanted(const struct args *a)
{
	unsigned bits = 0;

	for (size_t i = 0; i < N_ACTIONS; i++) {
		const struct action *act = &actions[i];

		if (act->is_flag ? args_flag(a, act->option)
		                 : args_given(a, act->option))
			bits |= act->bit;
	}
	return bits;
}

static enum rk_err
check_rules(struct selfy *s, unsigned todo)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (args_given(s->args, rules[i].option) &&
		    (todo & rules[i].wants) == 0)
			return err_set(&s->err, RK_EINVAL, "-%s goes with %s",
			    rules[i].option, rules[i].text);
	}
	return RK_OK;
}

static enum rk_err
check_pairs(struct selfy *s)
{
	static const char *const pairs[][2] = {
		{ "days", "until" },
		{ "nopass", "new-pass" },
		{ "ca-pass", "ca-key" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (args_given(s->args, pairs[i][0]) &&
		    args_given(s->args, pairs[i][1]))
			return err_set(&s->err, RK_EINVAL,
			    "-%s and -%s do not go together", pairs[i][0],
			    pairs[i][1]);
	}
	return RK_OK;
}

static enum rk_err
check_sources(struct selfy *s)
{
	static const char *const sources[] = { "pass", "ca-pass", "new-pass" };
	struct rk_error why;
	enum rk_err r;

	for (size_t i = 0; i < 3; i++) {
		r = pass_check(args_text(s->args, sources[i], NULL), &why);
		if (r != RK_OK)
			return err_set(
			    &s->err, r, "-%s: %s", sources[i], why.text);
	}
	return RK_OK;
}

static enum rk_err
check_agent_keys(struct selfy *s)
{
	static const char *const names[] = { "key", "ca-key" };
	const size_t prefix = sizeof(RK_KEY_IN_AGENT) - 1;
	char shown[SHOWN_LEN];
	const char *spec;

	for (size_t i = 0; i < 2; i++) {
		spec = args_text(s->args, names[i], NULL);
		if (spec == NULL ||
		    (path_key_name(spec) != spec && spec[prefix] != '\0'))
			continue;
		return err_set(&s->err, RK_EINVAL,
		    "-%s: %s is not keyvault:NAME", names[i],
		    str_escape(shown, sizeof(shown), spec));
	}
	return RK_OK;
}

static enum rk_err
check_operands(struct selfy *s, unsigned todo)
{
	size_t n = 0;
	const char *const *operands = args_operands(s->args, &n);
	size_t max = (todo & (DO_LIST | DO_EXPIRING)) != 0 ? 1 : 0;
	char shown[SHOWN_LEN];

	if (n <= max)
		return RK_OK;
	return err_set(&s->err, RK_EINVAL, "\"%s\" is one word too many%s",
	    str_escape(shown, sizeof(shown), operands[max]),
	    max == 0 ? "; options stand before it" : "");
}

/* Without "./" before and "/" behind, so that names of one directory are more
 * often the same. */
static void
tidy(char dir[PATH_LEN])
{
	size_t skip = 0;
	size_t len;

	while (dir[skip] == '.' && dir[skip + 1] == '/')
		skip += 1 + strspn(dir + skip + 1, "/");
	if (dir[skip] == '\0')
		return;
	len = strlen(dir + skip);
	memmove(dir, dir + skip, len + 1);
	while (len > 1 && dir[len - 1] == '/')
		dir[--len] = '\0';
}

static enum rk_err
set_dirs(struct selfy *s)
{
	const char *certs = args_text(s->args, "o", DEFAULT_CERTS);
	const char *priv = args_text(s->args, "p", DEFAULT_PRIV);

	s->to_stdout = strcmp(certs, "-") == 0 && !args_from_env(s->args, "o");
	if (s->to_stdout)
		certs = DEFAULT_CERTS;
	if (str_copy(s->priv, PATH_LEN, priv) >= PATH_LEN ||
	    str_copy(s->certs, PATH_LEN, certs) >= PATH_LEN)
		return err_set(
		    &s->err, RK_EINVAL, "the directory's name is too long");
	tidy(s->priv);
	tidy(s->certs);
	if (s->priv[0] != '\0' && s->certs[0] != '\0')
		return RK_OK;
	return err_set(&s->err, RK_EINVAL, "the directory's name is empty");
}

static enum rk_err
check_words(struct selfy *s, unsigned todo)
{
	enum rk_err r;

	if ((r = check_operands(s, todo)) != RK_OK)
		return r;
	if (todo == 0)
		return err_set(&s->err, RK_EINVAL, "nothing to do");
	if ((r = check_rules(s, todo)) != RK_OK)
		return r;
	if ((r = check_pairs(s)) != RK_OK)
		return r;
	if ((r = check_sources(s)) != RK_OK)
		return r;
	if ((r = check_agent_keys(s)) != RK_OK)
		return r;
	return set_dirs(s);
}

/* Dates of certificates have four digits for the year. */
static enum rk_err
check_clock(struct selfy *s)
{
	if (s->now >= 0 && s->now < TIME_END)
		return RK_OK;
	return err_set(&s->err, RK_EFAIL,
	    "the clock is not set: it shows no time from 1970 to 9999");
}

/* What the library has to warn of. */
static void
on_log(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	const struct selfy *s = arg;

	(void)level;
	(void)subsystem;
	out_warn(&s->out, "%s", line);
}

static int
run(struct args *a, void *ctx)
{
	struct selfy *s = ctx;
	unsigned todo = wanted(a);
	enum rk_err r;

	s->args = a;
	s->now = (int64_t)time(NULL);
	out_init(&s->out, a);
	rk_log_set(on_log, RK_LOG_WARN, s);
	r = check_words(s, todo);
	if (r != RK_OK)
		selfy_retry(s, "selfy -h");
	else
		r = check_clock(s);
	for (size_t i = 0; i < N_ACTIONS && r == RK_OK && s->status == 0; i++) {
		if ((todo & actions[i].bit) != 0)
			r = actions[i].run(s);
	}
	ca_fini(&s->ca);
	rk_log_set(NULL, RK_LOG_WARN, NULL);
	if (r == RK_OK)
		return s->status;
	return out_error(
	    &s->out, &s->err, s->retry[0] != '\0' ? s->retry : NULL);
}

int
main(int argc, char **argv)
{
	static const struct prog prog = {
		.name = "selfy",
		.section = "1",
		.about = "make and look after the certificates of rpckit peers",
		.usage = usage,
		.examples = examples,
		.opts = opts,
		.run = run,
		.envs = envs,
		.see_also = "rpcd 8, rpcsh 1, rpckit-trust 7",
		.style = PROG_GO,
		.words = agent_words,
		.features = "Ed25519, X.509 v3, CRL v2, Argon2id",
	};
	struct selfy s = { 0 };

	return cmd_main(&prog, argc, argv, &s);
}
