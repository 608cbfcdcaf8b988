/* What the actions of selfy share: the run, keys, the CA, what is shown. */
#ifndef SELFY_SELFY_H
#define SELFY_SELFY_H

#include "batch.h"
#include "cli/cmd.h"
#include "cli/out.h"
#include "cli/path.h"
#include "names.h"
#include "x509.h"

#include <rpckit/key.h>

#define KEY_MODE 0600
#define CERT_MODE 0644
#define DIR_MODE 0700
#define SHOWN_LEN 256 /* of a path or word in a message */
#define DAY_SECONDS 86400
#define CLOCK_SLACK 60 /* seconds that a peer's clock may be behind */
#define LEAF_DAYS 3650 /* ten years, or the CA's end */
#define CRL_DAYS 30

/* The CA as far as it was opened in this run. */
struct ca {
	struct cert *cert;
	struct rk_key *key;
	int64_t ends;
	char cn[128];         /* escaped */
	struct buf fresh_crl; /* PEM of the first list of a new CA, or empty */
};

/* One run of the program.  A failing function fills err, and retry when there
 * is something to advise. */
struct selfy {
	struct args *args;
	struct out out;
	char priv[PATH_LEN];  /* of the CA's key: -p */
	char certs[PATH_LEN]; /* -o */
	bool to_stdout;       /* -o - */
	bool keep_pkcs8;      /* an encrypted key stays so, without -format */
	int64_t now;
	struct ca ca;
	struct rk_error err;
	char retry[512];
	int status; /* of an answer that is no */
};

/* An action: does what its option, given in s->args, asks for. */
typedef enum rk_err action_fn(struct selfy *s);

action_fn cmd_ca;
action_fn cmd_key;
action_fn cmd_csr;
action_fn cmd_sign;
action_fn cmd_renew;
action_fn cmd_chpass;
action_fn cmd_revoke;
action_fn cmd_crl;
action_fn cmd_gensym;
action_fn cmd_psk_id;
action_fn cmd_verify;
action_fn cmd_view;
action_fn cmd_fp;
action_fn cmd_list;
action_fn cmd_expiring;

/* run.c */

/* code, with "SUBJECT: why"; the subject is escaped here. */
enum rk_err selfy_fail(
    struct selfy *s, enum rk_err code, const char *subject, const char *why);
/* The "try:" line; its parts must be escaped. */
void selfy_retry(struct selfy *s, const char *fmt, ...) RK_PRINTF(2, 3);
/* dir/name.suffix */
RK_MUST enum rk_err selfy_path(struct selfy *s, char out[PATH_LEN],
    const char *dir, const char *name, const char *suffix);
/* A name for new files that is allowed and not the CA's. */
RK_MUST enum rk_err selfy_name(struct selfy *s, const char *name);
/* That of a peer, and its files: the key's, and that of what goes with it. */
RK_MUST enum rk_err selfy_pair(struct selfy *s, const char *name,
    char key_path[PATH_LEN], char path[PATH_LEN], const char *suffix);
/* From -until, -days, or `days`; hidden is the option that speaks of the same
 * in the original's words.  RK_EINVAL when that is over already. */
RK_MUST enum rk_err selfy_validity(
    struct selfy *s, uint64_t days, const char *hidden, struct validity *out);
/* No longer than the CA; says so if the user asked for more. */
void selfy_cap(struct selfy *s, struct validity *when);
/* The name of this machine, fit for certificates. */
void selfy_host(char *dst, size_t dst_len);
/* All of a file or, for "-", of standard input, at most PEM_MAX_BYTES.  b is
 * to be wiped: there may be a key in it. */
RK_MUST enum rk_err selfy_read(
    struct selfy *s, const char *path, struct buf *b);
/* The same, and the PEM blocks in it. */
RK_MUST enum rk_err selfy_read_pem(
    struct selfy *s, const char *path, struct buf *text, struct pem_list *out);
/* The one block of a file that holds nothing else; else RK_EFORMAT with why. */
RK_MUST enum rk_err selfy_read_one(struct selfy *s, const char *path,
    enum pem_kind kind, const char *why, struct pem_list *out);
/* The first certificate of a file, and the text it was. */
RK_MUST enum rk_err selfy_read_cert(
    struct selfy *s, const char *path, struct cert **out, struct buf *text);
/* Call found for each file "PATH.SERIAL" that holds a certificate of our CA for
 * the key of `of`, until it fails; other files of such names are told about. */
typedef enum rk_err earlier_fn(
    struct selfy *s, const char *path, const struct cert *c, void *arg);
RK_MUST enum rk_err earlier_each(struct selfy *s, const char *path,
    const struct cert *of, earlier_fn *found, void *arg);
/* Put PEM text made by one of the *_put_pem() functions into the batch;
 * for -o - it goes to standard output. */
RK_MUST enum rk_err selfy_add_cert(struct selfy *s, struct batch *b,
    const char *path, const struct cert *c, bool replace);

/* keys.c */

/* Where a passphrase comes from, for one key file. */
struct key_source {
	const char *path;
	const char *what; /* "CA key" */
	const char *flag; /* "-ca-pass" */
	const char *spec; /* its value, or NULL */
	bool to_stdout;   /* a new key is written there, not to path */
};

/* Load a private key, asking for its passphrase where it has one. */
RK_MUST enum rk_err key_open(
    struct selfy *s, const struct key_source *from, struct rk_key **out);
/* The same from text that was read already. */
RK_MUST enum rk_err key_parse(struct selfy *s, const struct key_source *from,
    const struct buf *text, struct rk_key **out);
/* A new passphrase; *out stays NULL when there is to be none (-nopass). */
RK_MUST enum rk_err key_new_pass(
    struct selfy *s, const struct key_source *from, struct rk_secret **out);
/* Put the key file into the batch: encrypted when there is a passphrase. */
RK_MUST enum rk_err key_add(struct selfy *s, struct batch *b, const char *path,
    const struct rk_key *key, const struct rk_secret *pass, bool replace);
/* A new key with its passphrase, put into the batch. */
RK_MUST enum rk_err key_make(struct selfy *s, const struct key_source *from,
    struct batch *b, bool replace, struct rk_key **out);

/* The key that "keyvault:NAME" is; who is asked about it may take a minute. */
RK_MUST enum rk_err key_in_agent(
    struct selfy *s, const char *spec, struct rk_key **out);

/* ca.c */

/* Is there no CA at all, neither certificate nor key? */
bool ca_is_absent(struct selfy *s);
/* ca.crt of the private directory; of another one. */
RK_MUST enum rk_err ca_open_cert(struct selfy *s);
RK_MUST enum rk_err ca_open_cert_in(struct selfy *s, const char *dir);
/* Its key too.  alone: no other key is opened in this action, so -pass may
 * stand for -ca-pass. */
RK_MUST enum rk_err ca_open(struct selfy *s, bool alone);
/* A new CA, put into the batch.  asked: by -ca, so that -days, -cn and -pass
 * are for it. */
RK_MUST enum rk_err ca_make(struct selfy *s, struct batch *b, bool asked);
/* The CA's revocation list; *out stays NULL when there is none. */
RK_MUST enum rk_err ca_read_crl(struct selfy *s, struct crl **out);
/* The same from dir/ca.crl only. */
RK_MUST enum rk_err ca_read_crl_in(
    struct selfy *s, const char *dir, struct crl **out);
/* ca.crt and ca.crl for the certificate directory, where not there yet. */
RK_MUST enum rk_err ca_share(struct selfy *s, struct batch *b);
/* Are the certificates in the CA's own directory? */
bool ca_is_at_home(const struct selfy *s);
struct signer ca_signer(const struct selfy *s);
void ca_fini(struct ca *ca);

/* revoked.c */

/* RK_EREVOKED: a certificate that is among the files of the certificates or of
 * the CA has this key, and is on the CA's list, or one of those files cannot be
 * read; with -revoked that is a warning only.  path: of the request.  The CA's
 * certificate is open. */
RK_MUST enum rk_err revoked_check(
    struct selfy *s, const char *path, const uint8_t pub[RK_KEY_PUBLIC_LEN]);

/* ca_lock.c */

/* Hold the CA.  RK_EBUSY when another run does for long. */
RK_MUST enum rk_err ca_lock(struct selfy *s, int *lock);
void ca_unlock(int lock);
/* Wait for a run that is writing just now. */
void ca_settle(struct selfy *s);
/* RK_EBUSY when the CA on the disk is no more the one that was opened. */
RK_MUST enum rk_err ca_check_same(struct selfy *s);
/* Hold the CA to write, or, where it may not be written, without a lock (-1).
 * fresh: it is made by that.  RK_EBUSY when it is no more the one that was
 * opened. */
RK_MUST enum rk_err ca_hold(struct selfy *s, bool fresh, int *lock);
/* Write the batch while the CA is held. */
RK_MUST enum rk_err ca_commit(struct selfy *s, struct batch *b, bool fresh);

/* leaf.c */

/* Put the names together: localhost, mails, 127.0.0.1, -san. */
RK_MUST enum rk_err leaf_names(
    struct selfy *s, const char *mail, struct sans *out);
/* Whose a new certificate is, for leaf_names(): -cn is checked, the mail is -e,
 * or NAME@HOST with a note about it. */
RK_MUST enum rk_err leaf_subject(
    struct selfy *s, const char *name, struct sans *out);
/* Sign and put into the batch; leaf->when is capped by the CA's end. */
RK_MUST enum rk_err leaf_add(struct selfy *s, struct leaf *leaf,
    struct batch *b, const char *path, struct cert **out);

/* show.c */

/* What was made: name and fingerprint, to stderr with -o -. */
RK_MUST enum rk_err show_made(
    struct selfy *s, const char *name, const struct cert *c, const char *path);
RK_MUST enum rk_err show_key(struct selfy *s, const char *name,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *path);
/* One record of -json and -plain. */
RK_MUST enum rk_err show_row(struct selfy *s, const struct field *fields,
    size_t n, const union cell *cells);
/* host and port of "HOST:PORT"; false when it is none, or a file. */
bool show_is_server(const char *text, char host[256], char port[8]);
/* Certificates a server shows. */
RK_MUST enum rk_err show_fetch(
    struct selfy *s, const char *host, const char *port, struct pem_list *out);

#endif
