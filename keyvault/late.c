/* What stands in for OpenSSL's functions until it is loaded, and passes on. */
#include "late.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/error.h"

#define TEXT_OF(macro) TEXT(macro)
#define TEXT(word) #word
#define LIBRARY "libcrypto.so." TEXT_OF(OPENSSL_SHLIB_VERSION)

/* For those who pack programs, who look at what is linked: the note by which
 * others say what they load, https://systemd.io/ELF_DLOPEN_METADATA/ */
#define NOTE_TYPE 0x407c0c0a
#define NOTE_TEXT                                                            \
	"[{\"feature\":\"openssl\",\"description\":\"Encrypted key files\"," \
	"\"priority\":\"required\",\"soname\":[\"" LIBRARY "\"]}]"

__attribute__((used, aligned(4), section(".note.dlopen"))) static const struct {
	Elf64_Nhdr head; /* the same in 32 bits */
	char owner[4];
	_Alignas(4) char text[sizeof(NOTE_TEXT)];
} note = {
	.head = {
		.n_namesz = sizeof(note.owner),
		.n_descsz = sizeof(note.text),
		.n_type = NOTE_TYPE,
	},
	.owner = "FDO",
	.text = NOTE_TEXT,
};

/* The functions that are passed on; see the end of this file. */
#define NAMES(X)                      \
	X(EVP_CIPHER_CTX_free)        \
	X(ERR_clear_error)            \
	X(EVP_CIPHER_CTX_new)         \
	X(EVP_CIPHER_CTX_ctrl)        \
	X(EVP_CIPHER_CTX_set_padding) \
	X(EVP_CipherInit_ex)          \
	X(EVP_CipherUpdate)           \
	X(EVP_CipherFinal_ex)         \
	X(EVP_DecryptInit_ex)         \
	X(EVP_DecryptUpdate)          \
	X(EVP_DecryptFinal_ex)        \
	X(EVP_EncryptInit_ex)         \
	X(EVP_EncryptUpdate)          \
	X(EVP_EncryptFinal_ex)        \
	X(EVP_aes_128_cbc)            \
	X(EVP_aes_128_ctr)            \
	X(EVP_aes_128_gcm)            \
	X(EVP_aes_192_cbc)            \
	X(EVP_aes_192_ctr)            \
	X(EVP_aes_256_cbc)            \
	X(EVP_aes_256_ctr)            \
	X(EVP_aes_256_gcm)            \
	X(EVP_get_cipherbyname)       \
	X(EVP_get_digestbyname)       \
	X(EVP_PBE_scrypt)             \
	X(PKCS5_PBKDF2_HMAC)

#define PLACE_OF(name) AT_##name,
#define NAME_OF(name) #name,
enum {
	NAMES(PLACE_OF) N_NAMES
};
static const char *const names[] = { NAMES(NAME_OF) };

static void *library; /* NULL: not loaded, or not all of these are in it */
static void *found[N_NAMES];

static enum rk_err
look_up(struct rk_error *err)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		found[i] = dlsym(library, names[i]);
		if (found[i] == NULL)
			return err_set(err, RK_EUNSUPPORTED,
			    LIBRARY ": has no %s", names[i]);
	}
	return RK_OK;
}

enum rk_err
late_load(struct rk_error *err)
{
	const char *why;
	enum rk_err r;

	if (library != NULL)
		return RK_OK;
	if ((library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL)) == NULL) {
		why = dlerror();
		return err_set(err, RK_EUNSUPPORTED, "%s",
		    why != NULL ? why : LIBRARY ": cannot be loaded");
	}
	if ((r = look_up(err)) == RK_OK)
		return r;
	(void)dlclose(library);
	library = NULL;
	return r;
}

/* Who did not load it first, which is a bug, learns why not in the only way
 * that is left. */
static void *
find(size_t place)
{
	struct rk_error err;

	if (late_load(&err) == RK_OK)
		return found[place];
	(void)fprintf(stderr, "keyvault: %s\n", err.text);
	exit(1);
}

/* C has no cast from what dlsym() gives to a function. */
#define FOUND(fn, name)             \
	__typeof__(&name) fn;       \
	void *at = find(AT_##name); \
                                    \
	memcpy(&fn, &at, sizeof(fn));

#define PASS_ON(type, name, params, args) \
	type name params                  \
	{                                 \
		FOUND(fn, name)           \
		return fn args;           \
	}

void
EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *ctx)
{
	FOUND(fn, EVP_CIPHER_CTX_free)
	fn(ctx);
}

void
ERR_clear_error(void)
{
	FOUND(fn, ERR_clear_error)
	fn();
}

PASS_ON(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), ())
PASS_ON(int, EVP_CIPHER_CTX_ctrl,
    (EVP_CIPHER_CTX * ctx, int type, int arg, void *ptr), (ctx, type, arg, ptr))
PASS_ON(int, EVP_CIPHER_CTX_set_padding, (EVP_CIPHER_CTX * ctx, int pad),
    (ctx, pad))
PASS_ON(int, EVP_CipherInit_ex,
    (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *engine,
        const unsigned char *key, const unsigned char *iv, int enc),
    (ctx, cipher, engine, key, iv, enc))
PASS_ON(int, EVP_CipherUpdate,
    (EVP_CIPHER_CTX * ctx, unsigned char *out, int *n, const unsigned char *in,
        int len),
    (ctx, out, n, in, len))
PASS_ON(int, EVP_CipherFinal_ex,
    (EVP_CIPHER_CTX * ctx, unsigned char *out, int *n), (ctx, out, n))

#define INIT_PARAMS                                                      \
	(EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *engine, \
	    const unsigned char *key, const unsigned char *iv)
#define UPDATE_PARAMS                                      \
	(EVP_CIPHER_CTX * ctx, unsigned char *out, int *n, \
	    const unsigned char *in, int len)
#define FINAL_PARAMS (EVP_CIPHER_CTX * ctx, unsigned char *out, int *n)

PASS_ON(int, EVP_DecryptInit_ex, INIT_PARAMS, (ctx, cipher, engine, key, iv))
PASS_ON(int, EVP_DecryptUpdate, UPDATE_PARAMS, (ctx, out, n, in, len))
PASS_ON(int, EVP_DecryptFinal_ex, FINAL_PARAMS, (ctx, out, n))
PASS_ON(int, EVP_EncryptInit_ex, INIT_PARAMS, (ctx, cipher, engine, key, iv))
PASS_ON(int, EVP_EncryptUpdate, UPDATE_PARAMS, (ctx, out, n, in, len))
PASS_ON(int, EVP_EncryptFinal_ex, FINAL_PARAMS, (ctx, out, n))

PASS_ON(const EVP_CIPHER *, EVP_aes_128_cbc, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_128_ctr, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_128_gcm, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_192_cbc, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_192_ctr, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_256_cbc, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_256_ctr, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_aes_256_gcm, (void), ())
PASS_ON(const EVP_CIPHER *, EVP_get_cipherbyname, (const char *name), (name))
PASS_ON(const EVP_MD *, EVP_get_digestbyname, (const char *name), (name))

PASS_ON(int, EVP_PBE_scrypt,
    (const char *pass, size_t pass_len, const unsigned char *salt,
        size_t salt_len, uint64_t n, uint64_t r, uint64_t p, uint64_t mem,
        unsigned char *key, size_t key_len),
    (pass, pass_len, salt, salt_len, n, r, p, mem, key, key_len))
PASS_ON(int, PKCS5_PBKDF2_HMAC,
    (const char *pass, int pass_len, const unsigned char *salt, int salt_len,
        int rounds, const EVP_MD *hash, int key_len, unsigned char *out),
    (pass, pass_len, salt, salt_len, rounds, hash, key_len, out))
