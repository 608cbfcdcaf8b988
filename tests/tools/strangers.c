/* Many strangers with certificates of the CA, each with a key of its own. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define THREADS 6
#define PATIENCE_S 30
#define EMAIL_LEN 64
#define PLACES 480 /* half of them odd: fewer places than may wait */

/*
 * strangers PORT CA.crt CA.key N: so many come to 127.0.0.1:PORT, every other
 * from 127.9.9.9 and the rest from 240 more addresses, prove their keys and
 * want no more.  Says how many did so, how many were turned away before,
 * and how many had no connection, or no end of it.
 */
static unsigned n_strangers;
static uint16_t port;
static X509 *ca;
static EVP_PKEY *ca_key;
static atomic_uint next;
static atomic_uint proven, refused, lost;

static void
die(const char *what)
{
	(void)fprintf(stderr, "strangers: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- who one is ---- */

static void
add_email(X509 *x, unsigned number)
{
	char text[EMAIL_LEN];
	X509_EXTENSION *ext;

	(void)snprintf(text, sizeof(text), "email:s%u@flood.example", number);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	if (ext == NULL || X509_add_ext(x, ext, -1) != 1)
		die("a name");
	X509_EXTENSION_free(ext);
}

static X509 *
make_cert(EVP_PKEY *key, unsigned number)
{
	X509 *x = X509_new();
	char cn[32];

	(void)snprintf(cn, sizeof(cn), "s%u", number);
	if (x == NULL || X509_set_version(x, 2) != 1 ||
	    ASN1_INTEGER_set_uint64(
	        X509_get_serialNumber(x), 1000000U + number) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400) == NULL ||
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	        MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, X509_get_subject_name(ca)) != 1 ||
	    X509_set_pubkey(x, key) != 1)
		die("a certificate");
	add_email(x, number);
	if (X509_sign(x, ca_key, NULL) == 0)
		die("a signature");
	return x;
}

static SSL_CTX *
make_context(unsigned number)
{
	char groups[] = "X25519"; /* OpenSSL's macro drops a const */
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509 *x;

	if (key == NULL || ctx == NULL)
		die("a key");
	x = make_cert(key, number);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, "TLS_CHACHA20_POLY1305_SHA256") !=
	        1 ||
	    SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
	    SSL_CTX_use_certificate(ctx, x) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	    SSL_CTX_add1_chain_cert(ctx, ca) != 1 ||
	    SSL_CTX_set_alpn_protos(
	        ctx, (const unsigned char *)"\x08rpckit/1", 9) != 0)
		die("a context");
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

/* ---- coming ---- */

static int
dial(unsigned number)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(
	    number % 2 == 0 ? 0x7f090909U : 0x7f100001U + number % PLACES);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	                  sizeof(patience)) != 0)
		die("a socket");
	if (bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0 &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Until the other end ends it; false: it does not. */
static bool
hear_out(SSL *ssl)
{
	char bytes[4096];
	int n;

	errno = 0;
	while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0)
		;
	return errno != EAGAIN;
}

static void
come(unsigned number)
{
	SSL_CTX *ctx = make_context(number);
	SSL *ssl = SSL_new(ctx);
	int fd = dial(number);

	if (ssl == NULL)
		die("a session");
	if (fd < 0) {
		(void)atomic_fetch_add(&lost, 1);
	} else if (SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1) {
		(void)atomic_fetch_add(&refused, 1);
	} else {
		(void)shutdown(fd, SHUT_WR);
		(void)atomic_fetch_add(hear_out(ssl) ? &proven : &lost, 1);
	}
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (fd >= 0)
		(void)close(fd);
}

static void *
run(void *arg)
{
	unsigned number;

	while ((number = atomic_fetch_add(&next, 1)) < n_strangers)
		come(number);
	return arg;
}

static void
load_ca(const char *crt, const char *key)
{
	FILE *f = fopen(crt, "re");

	if (f == NULL || (ca = PEM_read_X509(f, NULL, NULL, NULL)) == NULL)
		die(crt);
	(void)fclose(f);
	f = fopen(key, "re");
	if (f == NULL ||
	    (ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) == NULL)
		die(key);
	(void)fclose(f);
}

int
main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	if (argc != 5)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	n_strangers = (unsigned)strtoul(argv[4], NULL, 10);
	load_ca(argv[2], argv[3]);
	for (size_t i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, run, NULL) != 0)
			die("a thread");
	}
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("proven %u refused %u lost %u\n", atomic_load(&proven),
	    atomic_load(&refused), atomic_load(&lost));
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	return 0;
}
