/* OpenSSH's key files read and written: openssh-key-v1, its PROTOCOL.key. */
#include "trust/openssh.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ssh.h"
#include "base/str.h"
#include "trust/bcrypt.h"
#include "trust/openssh_cipher.h"

#define ROOM 1024 /* for a key file, but for a long comment */
#define LABEL "OPENSSH PRIVATE KEY"
#define MAGIC "openssh-key-v1" /* with its NUL */
#define KIND "ssh-ed25519"
#define SALT_LEN 16
#define SECRET_LEN 64 /* the seed, then the public key */

/* What a file says; views into its bytes. */
struct file {
	struct bytes cipher;
	struct bytes salt;
	uint32_t rounds; /* 0: not encrypted */
	struct bytes public;
	struct bytes sealed;
	const uint8_t *tag; /* of sealed, where its cipher has one */
};

bool
openssh_is(const char *text, size_t len)
{
	static const char begin[] = "-----BEGIN " LABEL "-----";

	return memmem(text, len, begin, sizeof(begin) - 1) != NULL;
}

/* ---- reading ---- */

/* RK_EUNSUPPORTED with what in *why; RK_ELIMIT. */
static enum rk_err
read_kdf(
    struct bytes name, struct bytes options, struct file *f, const char **why)
{
	if (bytes_are(&name, "none") && bytes_are(&f->cipher, "none"))
		return options.left == 0 ? RK_OK : RK_EFORMAT;
	*why = "is encrypted in a way that is not known here; ssh-keygen -p "
	       "-Z aes256-ctr -f FILE changes that";
	if (!bytes_are(&name, "bcrypt") ||
	    openssh_cipher_key_len(&f->cipher) == 0)
		return RK_EUNSUPPORTED;
	if (!bytes_get_string(&options, &f->salt) ||
	    !bytes_get_u32(&options, &f->rounds) || options.left != 0 ||
	    f->salt.left == 0 || f->salt.left > BCRYPT_SALT_MAX ||
	    f->rounds == 0)
		return RK_EFORMAT;
	return f->rounds <= OPENSSH_ROUNDS_MAX ? RK_OK : RK_ELIMIT;
}

static enum rk_err
read_file(const struct rk_secret *data, struct file *f, const char **why)
{
	struct bytes b = {
		.at = rk_secret_peek(data),
		.left = rk_secret_len(data),
	};
	struct bytes kdf;
	struct bytes options;
	const uint8_t *magic;
	uint32_t keys;
	enum rk_err r;

	memset(f, 0, sizeof(*f));
	if (!bytes_get(&b, sizeof(MAGIC), &magic) ||
	    memcmp(magic, MAGIC, sizeof(MAGIC)) != 0 ||
	    !bytes_get_string(&b, &f->cipher) || !bytes_get_string(&b, &kdf) ||
	    !bytes_get_string(&b, &options) || !bytes_get_u32(&b, &keys))
		return RK_EFORMAT;
	if ((r = read_kdf(kdf, options, f, why)) != RK_OK)
		return r;
	*why = "holds several keys";
	if (keys != 1)
		return RK_EUNSUPPORTED;
	if (!bytes_get_string(&b, &f->public) ||
	    !bytes_get_string(&b, &f->sealed) ||
	    !bytes_get(&b, openssh_cipher_tag_len(&f->cipher), &f->tag) ||
	    b.left != 0 || f->sealed.left == 0 ||
	    (f->rounds > 0 &&
	        f->sealed.left % openssh_cipher_block(&f->cipher) != 0))
		return RK_EFORMAT;
	return RK_OK;
}

bool
openssh_is_encrypted(const char *text, size_t len)
{
	struct rk_secret *data = NULL;
	struct file f = { 0 };
	const char *why;
	bool is;

	is = ssh_unarmor(text, len, LABEL, &data) == RK_OK &&
	     read_file(data, &f, &why) == RK_OK && f.rounds > 0;
	rk_secret_free(data);
	return is;
}

/* Numbers twice, the key, a comment, and 1, 2, 3 to a whole block.  RK_EPASS:
 * the numbers differ, as they do after a wrong passphrase. */
static enum rk_err
read_private(
    struct bytes b, const struct file *f, struct rk_key **out, const char **why)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct bytes kind;
	struct bytes half;
	struct bytes secret;
	struct bytes comment;
	uint32_t one;
	uint32_t two;
	enum rk_err r;

	if (!bytes_get_u32(&b, &one) || !bytes_get_u32(&b, &two))
		return RK_EFORMAT;
	if (one != two)
		return f->rounds > 0 ? RK_EPASS : RK_EFORMAT;
	if (!bytes_get_string(&b, &kind))
		return RK_EFORMAT;
	*why = "is not an Ed25519 key";
	if (!bytes_are(&kind, KIND))
		return RK_EUNSUPPORTED;
	if (!bytes_get_string(&b, &half) || half.left != RK_KEY_PUBLIC_LEN ||
	    !bytes_get_string(&b, &secret) || secret.left != SECRET_LEN ||
	    !bytes_get_string(&b, &comment) || b.left >= OPENSSH_BLOCK)
		return RK_EFORMAT;
	for (size_t i = 0; i < b.left; i++) {
		if (b.at[i] != i + 1)
			return RK_EFORMAT;
	}
	if ((r = rk_key_from_seed(secret.at, out)) != RK_OK)
		return r;
	rk_key_public(*out, pub);
	if (memcmp(pub, half.at, sizeof(pub)) == 0 &&
	    memcmp(pub, secret.at + RK_KEY_SEED_LEN, sizeof(pub)) == 0)
		return RK_OK;
	rk_key_free(*out);
	*out = NULL;
	return RK_EFORMAT;
}

static enum rk_err
run_cipher(const struct bytes *cipher, bool encrypt,
    const struct rk_secret *pass, const struct bytes *salt, uint32_t rounds,
    uint8_t *data, size_t len, const uint8_t *tag)
{
	uint8_t key[OPENSSH_KEY_MAX];
	size_t key_len = openssh_cipher_key_len(cipher);
	enum rk_err r;

	r = bcrypt_pbkdf(rk_secret_peek(pass), rk_secret_len(pass), salt->at,
	    salt->left, rounds, key, key_len);
	if (r == RK_OK)
		r = openssh_cipher_run(cipher, encrypt, key, data, len, tag);
	rk_wipe(key, sizeof(key));
	return r;
}

static enum rk_err
try_pass(const struct file *f, const struct rk_secret *pass,
    struct rk_key **out, const char **why)
{
	struct rk_secret *plain = NULL;
	struct bytes b = { 0 };
	enum rk_err r;

	r = rk_secret_copy(f->sealed.at, f->sealed.left, &plain);
	if (r == RK_OK)
		r = run_cipher(&f->cipher, false, pass, &f->salt, f->rounds,
		    rk_secret_data(plain), rk_secret_len(plain), f->tag);
	if (r == RK_OK) {
		b.at = rk_secret_peek(plain);
		b.left = rk_secret_len(plain);
		r = read_private(b, f, out, why);
	}
	rk_secret_free(plain);
	return r;
}

static enum rk_err
open_file(const char *name, const struct file *f, rk_pass_fn *pass, void *arg,
    struct rk_key **out, const char **why)
{
	struct rk_secret *word = NULL;
	enum rk_err r;

	if (f->rounds == 0)
		return read_private(f->sealed, f, out, why);
	if (pass == NULL)
		return RK_ENOPASS;
	for (unsigned i = 0;; i++) {
		r = pass(name, i, &word, arg);
		if (r != RK_OK) {
			*why = rk_err_text(r);
			return i > 0 && r == RK_ENOPASS ? RK_EPASS : r;
		}
		r = try_pass(f, word, out, why);
		rk_secret_free(word);
		if (r != RK_EPASS)
			return r;
	}
}

enum rk_err
openssh_parse(const char *name, const char *text, size_t len, rk_pass_fn *pass,
    void *arg, struct rk_key **out, struct rk_error *err)
{
	struct rk_secret *data = NULL;
	char shown[256];
	struct file f;
	const char *why = NULL;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	r = ssh_unarmor(text, len, LABEL, &data);
	if (r == RK_OK)
		r = read_file(data, &f, &why);
	if (r == RK_OK)
		r = open_file(name, &f, pass, arg, out, &why);
	rk_secret_free(data);
	if (r == RK_OK)
		return r;
	if (r == RK_EFORMAT)
		why = "is no whole OpenSSH key file";
	else if (r == RK_ELIMIT)
		why = "asks for too much work";
	else if (r != RK_EUNSUPPORTED)
		why = rk_err_text(r);
	return err_set(
	    err, r, "%s: %s", str_escape(shown, sizeof(shown), name), why);
}

/* ---- writing ---- */

static enum rk_err
put_private(struct buf *b, const struct rk_key *key, const char *comment)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t number[4];
	enum rk_err r;

	rk_key_public(key, pub);
	rk_random(number, sizeof(number));
	if ((r = buf_put(b, number, sizeof(number))) != RK_OK ||
	    (r = buf_put(b, number, sizeof(number))) != RK_OK ||
	    (r = bytes_put_string(b, KIND, strlen(KIND))) != RK_OK ||
	    (r = bytes_put_string(b, pub, sizeof(pub))) != RK_OK ||
	    (r = bytes_put_u32(b, SECRET_LEN)) != RK_OK ||
	    (r = buf_put(b, rk_key_seed(key), RK_KEY_SEED_LEN)) != RK_OK ||
	    (r = buf_put(b, pub, sizeof(pub))) != RK_OK ||
	    (r = bytes_put_string(b, comment, strlen(comment))) != RK_OK)
		return r;
	for (uint8_t i = 1; buf_len(b) % OPENSSH_BLOCK != 0; i++) {
		if ((r = bytes_put_u8(b, i)) != RK_OK)
			return r;
	}
	return RK_OK;
}

static enum rk_err
put_kdf(
    struct buf *b, const struct rk_secret *pass, const uint8_t salt[SALT_LEN])
{
	enum rk_err r;

	if (pass == NULL) {
		if ((r = bytes_put_string(b, "none", 4)) != RK_OK ||
		    (r = bytes_put_string(b, "none", 4)) != RK_OK)
			return r;
		return bytes_put_u32(b, 0);
	}
	if ((r = bytes_put_string(b, OPENSSH_CIPHER, strlen(OPENSSH_CIPHER))) !=
	        RK_OK ||
	    (r = bytes_put_string(b, "bcrypt", 6)) != RK_OK ||
	    (r = bytes_put_u32(b, 4 + SALT_LEN + 4)) != RK_OK ||
	    (r = bytes_put_string(b, salt, SALT_LEN)) != RK_OK)
		return r;
	return bytes_put_u32(b, OPENSSH_ROUNDS);
}

static enum rk_err
put_file(struct buf *b, const struct rk_key *key, const struct rk_secret *pass,
    const uint8_t salt[SALT_LEN], const struct buf *sealed)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct buf blob;
	enum rk_err r;

	buf_init(&blob, 256);
	rk_key_public(key, pub);
	if ((r = buf_put(b, MAGIC, sizeof(MAGIC))) == RK_OK &&
	    (r = put_kdf(b, pass, salt)) == RK_OK &&
	    (r = bytes_put_u32(b, 1)) == RK_OK &&
	    (r = ssh_put_public(&blob, pub)) == RK_OK &&
	    (r = bytes_put_string(b, buf_peek(&blob), buf_len(&blob))) == RK_OK)
		r = bytes_put_string(b, buf_peek(sealed), buf_len(sealed));
	buf_fini(&blob);
	return r;
}

enum rk_err
rk_key_format_openssh(const struct rk_key *key, const char *comment,
    const struct rk_secret *pass, struct rk_secret **out)
{
	const char *cipher = OPENSSH_CIPHER;
	const struct bytes name = {
		.at = (const uint8_t *)cipher,
		.left = strlen(cipher),
	};
	uint8_t salt_bytes[SALT_LEN];
	const struct bytes salt = { .at = salt_bytes, .left = SALT_LEN };
	struct buf inner;
	struct buf b;
	enum rk_err r;

	*out = NULL;
	if (rk_key_seed(key) == NULL)
		return RK_EUNSUPPORTED;
	buf_init(&inner, 4096);
	buf_init(&b, 8192);
	rk_random(salt_bytes, sizeof(salt_bytes));
	if ((r = buf_guard(&inner, ROOM)) != RK_OK ||
	    (r = buf_guard(&b, ROOM)) != RK_OK ||
	    (r = put_private(&inner, key, comment)) != RK_OK)
		goto out;
	if (pass != NULL &&
	    (r = run_cipher(&name, true, pass, &salt, OPENSSH_ROUNDS,
	         inner.data + inner.head, buf_len(&inner), NULL)) != RK_OK)
		goto out;
	if ((r = put_file(&b, key, pass, salt_bytes, &inner)) == RK_OK)
		r = ssh_armor(buf_peek(&b), buf_len(&b), LABEL, out);
out:
	buf_wipe(&inner);
	buf_wipe(&b);
	return r;
}
