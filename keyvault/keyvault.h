/* What the verbs of keyvault share: the run, the vault, passphrases, forms. */
#ifndef KEYVAULT_KEYVAULT_H
#define KEYVAULT_KEYVAULT_H

#include "cli/cmd.h"
#include "cli/out.h"
#include "cli/path.h"
#include "vault.h"

#include "base/agent_frame.h"
#include "base/crypt.h"

#include <rpckit/key.h>

struct agent_conn;
struct agent_status;
struct agent_key;

#define SHOWN_LEN 512 /* of a path or word in a message */
#define INPUT_MAX (RECORD_SECRET_MAX + 1)
#define KDF_MS 1000 /* that a passphrase is to take */
#define KDF_MS_MAX 60000
#define SHOWN_ID_LEN RK_FP_GROUPED_LEN

/* What takes long, on a terminal. */
struct kv_bar {
	const char *what; /* NULL: nothing */
	bool on;
	uint64_t begun; /* ms of a clock that never goes back */
	uint64_t drawn; /* 0: is not to be seen */
};

/* One run of the program.  A failing function fills err, and retry when there
 * is something to advise. */
struct kv {
	const struct args *args;
	struct out out;
	char path[PATH_LEN];
	struct vault *vault;    /* NULL: not opened */
	struct rk_secret *pass; /* that unlocked it */
	const char *key;        /* what this is about, or NULL */
	bool verified;          /* all of it was, in this run */
	bool restored;
	struct agent_conn *agent; /* NULL: not called, or not there */
	bool by_agent;            /* names are read by way of it */
	bool mute;                /* it is there, and gives no answer */
	struct kv_bar bar;
	struct rk_error err;
	char retry[256];
	int status; /* of an answer that is no */
};

/* Does what its verb, with the operands in args, asks for. */
typedef enum rk_err verb_fn(struct kv *kv);

verb_fn verb_init;
verb_fn verb_new;
verb_fn verb_import;
verb_fn verb_import_dir;
verb_fn verb_export;
verb_fn verb_ls;
verb_fn verb_show;
verb_fn verb_pub;
verb_fn verb_rename;
verb_fn verb_rm;
verb_fn verb_note;
verb_fn verb_tag;
verb_fn verb_sign;
verb_fn verb_verify;
verb_fn verb_status;
verb_fn verb_exec;
verb_fn verb_passwd;
verb_fn verb_rekey;
verb_fn verb_backup;
verb_fn verb_restore;
verb_fn verb_check;
verb_fn verb_log;
verb_fn verb_doctor;
verb_fn verb_agent;
verb_fn verb_unlock;
verb_fn verb_lock;
verb_fn verb_allow;
verb_fn verb_deny;

/* ---- run.c ---- */

/* The i-th operand, or NULL. */
const char *kv_operand(const struct kv *kv, size_t i);
/* Fill err: "name: text"; returns code.  name is escaped here. */
enum rk_err kv_fail(
    struct kv *kv, enum rk_err code, const char *name, const char *text);
void kv_retry(struct kv *kv, const char *text);
/* A note that work on a passphrase takes a while, for a person. */
void kv_tell_wait(const struct kv *kv, const char *path);

/* Is there a person to ask before something is done? */
bool kv_has_person(const struct kv *kv);
/* Then: RK_ECANCELED, of name, where they do not say yes. */
RK_MUST enum rk_err kv_confirm(
    struct kv *kv, const char *prompt, const char *name, const char *no);

/* The last that is done to the vault, whatever became (r) of the verb: what was
 * written is in its place.  That another process reads it is only told. */
RK_MUST enum rk_err kv_settle(struct kv *kv, enum rk_err r);
/* Close the vault and forget its passphrase; call the agent no more. */
void kv_let_go(struct kv *kv);

/* Where the vault is, as was said. */
RK_MUST enum rk_err kv_set_path(struct kv *kv);
/* Open the vault, locked.  And with its passphrase. */
RK_MUST enum rk_err kv_open(struct kv *kv);
RK_MUST enum rk_err kv_unlock(struct kv *kv);
/* Does with a passphrase what it is for; RK_EPASS asks for another one. */
typedef enum rk_err with_pass_fn(
    struct kv *kv, struct vault *v, const struct rk_secret *pass);
/* The same for another file, or something else than unlocking.  keep may be
 * NULL; *keep is the caller's.  flag: "pass", "file-pass". */
RK_MUST enum rk_err kv_with_pass(struct kv *kv, struct vault *v,
    const char *path, const char *flag, with_pass_fn *fn,
    struct rk_secret **keep);
with_pass_fn kv_unlock_with;
/* Unlocked only if its names are hidden. */
RK_MUST enum rk_err kv_open_names(struct kv *kv);
/* A new passphrase, asked for twice.  flag: "--new-pass". */
RK_MUST enum rk_err kv_new_pass(struct kv *kv, const char *flag,
    const char *what, const char *path, struct rk_secret **out);
/* Numbers for a passphrase that takes --kdf-time, and how long they take.  Then
 * that told, when they are in force. */
RK_MUST enum rk_err kv_calibrate(
    struct kv *kv, struct kdf_params *kdf, uint64_t *takes);
void kv_tell_cost(
    const struct kv *kv, const struct kdf_params *kdf, uint64_t takes);
/* An answer of one row. */
RK_MUST enum rk_err kv_row(struct kv *kv, const struct field *fields, size_t n,
    const union cell *cells);
/* The whole of FILE, or of standard input for "-". */
RK_MUST enum rk_err kv_read(
    struct kv *kv, const char *path, size_t max, struct rk_secret **out);
/* To FILE, which is new and 0600, or to standard output for "-" or NULL. */
RK_MUST enum rk_err kv_write(
    struct kv *kv, const char *path, const void *data, size_t len);

/* ---- progress.c ---- */

/*
 * From here on it is told how far `what` is, in a line of its own, once it took
 * a second: by v, if it is not NULL, or who calls kv_progress_at().  NULL: no
 * more, which has to be said before v is closed or anything is told.
 */
void kv_progress(struct kv *kv, struct vault *v, const char *what);
vault_progress_fn kv_progress_at; /* arg is the kv */
/* Until the next step, for what else is to be read or asked. */
void kv_progress_hide(struct kv *kv);

/* ---- cmd_status.c ---- */

/* A line for people, unless value is "" or when is 0. */
void kv_line(struct kv *kv, const char *what, const char *value);
void kv_line_time(struct kv *kv, const char *what, int64_t when);
/* "open 41 min, asks first"; NULL: "closed". */
#define KV_STATE_LEN (192 + AGENT_ONLY_MAX)
void kv_describe(const struct agent_key *k, char out[KV_STATE_LEN]);
/* As JSON has them: -1 for AGENT_FOREVER. */
int64_t kv_seconds(uint64_t ms);
int64_t kv_uses(uint64_t n);

/* ---- words.c: as words() of struct prog, the vault's names ---- */
const char *const *kv_words(
    const struct args *a, enum complete kind, const char *prefix);

/* ---- seen.c: the generation that this user saw last ---- */

struct seen {
	struct vault_mark last;
	struct vault_mark meant; /* being put back, when it was written */
};

/* What was seen of it; nothing is all zeros.  Before the vault is verified, as
 * who writes to it meanwhile sees more. */
void seen_read(struct vault *v, struct seen *out);
/* Warn (false) when the vault, verified since, is older than that, or does not
 * go on from it. */
bool seen_look(const struct kv *kv, const struct seen *before);
/* What is unlocked is about to be put back, and that may be ended by force:
 * until the next seen_keep() it, with a few lines more, is meant, too. */
void seen_mean(struct vault *from);
/* That failed: it is not. */
void seen_unmean(struct vault *from);
/* Remember what is verified; a lower one only if that was meant. */
void seen_keep(struct vault *v, bool restored);

/* ---- kv_agent.c: by way of the agent ---- */

/*
 * Call the agent, which has to be there (RK_ECONNECT) and to answer within two
 * seconds (RK_ETIMEOUT).  With `ours` it is the one of kv's vault, which is
 * open (RK_EINVAL).
 */
RK_MUST enum rk_err kv_need_agent(struct kv *kv, bool ours);
/* Whatever agent is there, and its first answer within two seconds. */
RK_MUST enum rk_err kv_call_agent(struct kv *kv);
/* As kv_need_agent() if it is there; a warning where it was named and is not.
 * kv->agent tells.  Not with --pass. */
void kv_try_agent(struct kv *kv);
/* The same with --pass too, and without a word. */
void kv_seek_agent(struct kv *kv);
/* Who has an agent for SSH, and no open key that it shows, is told why. */
void kv_advise_ssh(struct kv *kv);
/* Have the agent, if one is there, write down what it has not yet. */
void kv_settle_log(struct kv *kv);
RK_MUST enum rk_err kv_agent_status(struct kv *kv, struct agent_status *out);
/* Called for each key that is open. */
typedef void kv_key_fn(const struct agent_key *key, void *arg);
RK_MUST enum rk_err kv_agent_keys(struct kv *kv, kv_key_fn *fn, void *arg);
/* The signature of a file, as text, by the agent.  RK_ENOPASS: the key is not
 * open there. */
RK_MUST enum rk_err kv_agent_sign(struct kv *kv, const char *name,
    const char *context, const uint8_t hash[CRYPT_HASH512_LEN],
    struct rk_secret **text);
/*
 * Open the vault to read names and public halves: of one that hides them by
 * way of the agent, or with its passphrase.  Then list and find.
 */
RK_MUST enum rk_err kv_look(struct kv *kv);
/* The same without a question, a warning, or a wait: RK_ENOPASS where one
 * would be needed. */
RK_MUST enum rk_err kv_look_at_once(struct kv *kv, uint32_t ms);
RK_MUST enum rk_err kv_list(struct kv *kv, vault_record_fn *fn, void *arg);
RK_MUST enum rk_err kv_find(
    struct kv *kv, const char *name, struct record *out);

/* ---- forms.c: keys as files have them ---- */

/*
 * What these bytes are, with secret and public half: PEM in every form of
 * rk_key_parse(), OpenSSH, or 32 bytes that are a pre-shared key.  With type
 * not NULL: "secret" takes any bytes, "psk" and "ed25519" nothing else.  name
 * is of the file, for messages and the passphrase's prompt (--file-pass).
 */
RK_MUST enum rk_err form_read(struct kv *kv, const char *name,
    const struct rk_secret *bytes, const char *type, struct record *rec,
    struct rk_secret **secret);
/* Public half of a secret of rec's kind. */
RK_MUST enum rk_err form_public(
    struct kv *kv, struct record *rec, const struct rk_secret *secret);
/* "SHA256:..." in groups for people, "id 7b1f 09aa", or "-". */
void form_id(
    const struct kv *kv, const struct record *rec, char out[SHOWN_ID_LEN]);
/* As a file: form is "pkcs8", "rpc25519" or "openssh"; pass NULL: plain. */
RK_MUST enum rk_err form_write(struct kv *kv, const struct record *rec,
    const struct rk_secret *secret, const char *form,
    const struct rk_secret *pass, struct rk_secret **out);
/* The public half as "openssh" or "pem", a line or lines. */
RK_MUST enum rk_err form_write_public(
    struct kv *kv, const struct record *rec, const char *form, struct buf *b);
/* The Ed25519 public key in a file of either form. */
RK_MUST enum rk_err form_read_public(struct kv *kv, const char *name,
    const struct rk_secret *bytes, uint8_t pub[RK_KEY_PUBLIC_LEN]);

#endif
