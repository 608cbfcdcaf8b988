/* Hostile certificates and CRLs: no text that harms, no forged signature. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "trust/chain.h"
#include "trust/ident.h"

#include "must.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its key is thrown away; corpus/cert/good is all it has signed for peers. */
static const char ca_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBNjCB6aADAgECAgEBMAUGAytlcDAiMQ4wDAYDVQQKDAVNeU9yZzEQMA4GA1UE\n"
    "AwwHZnV6eiBDQTAgFw0yMzExMTQyMjEzMjBaGA85OTk5MTIzMTIzNTk1OVowIjEO\n"
    "MAwGA1UECgwFTXlPcmcxEDAOBgNVBAMMB2Z1enogQ0EwKjAFBgMrZXADIQCqwxY1\n"
    "SqjQhz9OIJDBaLjt9x1osGWiBEfqKQEL9cip1qNCMEAwDwYDVR0TAQH/BAUwAwEB\n"
    "/zAdBgNVHQ4EFgQUSw6BX+McpUyLw3v9XZvw24QKrpIwDgYDVR0PAQH/BAQDAgEG\n"
    "MAUGAytlcANBADdV9P/dvDPVA9gjFl+Sw5YLYtsAThHWiRFnLUE6W5nkwz8vechy\n"
    "QXg4xIx4KoQJ10r7o5+h/qTWPh8BvqUD6w8=\n"
    "-----END CERTIFICATE-----\n";

/* The CA as an identity; made once, there until the process ends. */
static const struct rk_ident *
identity(void)
{
	static struct rk_ident *id;
	char path[] = "/tmp/fuzz_cert.XXXXXX";
	struct rk_ident_files files = { .size = sizeof(files), .ca = path };
	int fd;

	if (id != NULL)
		return id;
	fd = mkstemp(path);
	must(fd >= 0);
	must(fs_write_all(fd, ca_pem, sizeof(ca_pem) - 1) == RK_OK);
	must(close(fd) == 0);
	must(rk_ident_load(&files, &id, NULL) == RK_OK);
	must(unlink(path) == 0);
	return id;
}

static void
check_text(const char *text, size_t size)
{
	size_t i;

	must(memchr(text, '\0', size) != NULL);
	for (i = 0; text[i] != '\0'; i++)
		must((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
}

static void
check_info(const struct rk_cert_info *info)
{
	check_text(info->cn, sizeof(info->cn));
	check_text(info->issuer_cn, sizeof(info->issuer_cn));
	check_text(info->email, sizeof(info->email));
	check_text(info->serial, sizeof(info->serial));
}

/* As an authority and as a list: what is not refused must not break. */
static void
as_authority(const struct rk_ident *id, struct rk_bytes der)
{
	struct chain_anchor *a = NULL;
	struct rk_cert_info info;
	struct rk_error err;

	if (chain_anchor_new(der, "f", &a, &err) != RK_OK)
		check_text(err.text, sizeof(err.text));
	chain_anchor_free(a);
	must(chain_anchor_new(ident_ca_der(id), "f", &a, &err) == RK_OK);
	if (chain_anchor_set_crl(a, der, "f", NOW, &err) != RK_OK)
		check_text(err.text, sizeof(err.text));
	if (chain_anchor_check_own(a, der, "f", NOW, &info, &err) == RK_OK)
		check_info(&info);
	chain_anchor_free(a);
}

/* Tools that ask rule by rule come to the verdict of connections. */
static void
same_answer(const struct rk_ident *id, struct rk_bytes der, enum rk_err r,
    const struct rk_error *err)
{
	struct rk_cert_question q = { .size = sizeof(q),
		.cert = der,
		.ca = ident_ca_der(id),
		.now = NOW };
	struct rk_cert_report report;
	const struct rk_error *bad = NULL;

	must(rk_cert_check(&q, &report, NULL) == RK_OK);
	check_info(&report.info);
	for (int i = 0; i < RK_CERT_RULES; i++) {
		check_text(report.rules[i].text, sizeof(report.rules[i].text));
		if (bad == NULL && i != RK_CERT_SERVER &&
		    report.rules[i].code != RK_OK)
			bad = &report.rules[i];
	}
	must((bad == NULL) == (r == RK_OK));
	must(bad == NULL || report.rules[0].code != RK_OK ||
	     strstr(err->text, bad->text) != NULL);
}

/* What is remembered changes no verdict: asked again, and asked by what was
 * good once and is too old now. */
static void
same_again(const struct rk_ident *id, struct rk_bytes der, enum rk_err r,
    const struct rk_cert_info *info, const struct rk_error *err)
{
	struct rk_cert_info again;
	struct rk_error why;

	must(chain_recall(id, der, CHAIN_CLIENT, &again) == (r == RK_OK));
	must(r != RK_OK || memcmp(&again, info, sizeof(again)) == 0);
	must(chain_check(id, &der, 1, CHAIN_CLIENT, NOW, &again, &why) == r);
	must(why.code == r && strcmp(why.text, err->text) == 0);
	must(memcmp(&again, info, sizeof(again)) == 0);
	must(chain_check(id, &der, 1, CHAIN_CLIENT, INT64_MAX, &again, &why) ==
	     RK_ECERT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rk_ident *id = identity();
	struct rk_bytes der = { data, size };
	struct rk_cert_info info;
	struct rk_error err;
	enum rk_err r;

	r = chain_describe(der, &info, &err);
	must(r == err.code);
	check_info(&info);
	r = chain_check(id, &der, 1, CHAIN_CLIENT, NOW, &info, &err);
	must(r == RK_OK || r == RK_ECERT);
	must(r == err.code);
	check_info(&info);
	check_text(err.text, sizeof(err.text));
	/* Nobody can sign another one. */
	must(r != RK_OK || strcmp(info.email, "bob@example.org,b@y") == 0);
	same_again(id, der, r, &info, &err);
	same_answer(id, der, r, &err);
	as_authority(id, der);
	return 0;
}
