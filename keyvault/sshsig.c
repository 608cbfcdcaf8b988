/* SSHSIG (OpenSSH's PROTOCOL.sshsig) made and checked, for Ed25519. */
#include "sshsig.h"

#include <string.h>

#include "base/bytes.h"
#include "base/ssh.h"

#define LABEL "SSH SIGNATURE"
#define MAGIC "SSHSIG" /* without a NUL */
#define VERSION 1
#define KIND "ssh-ed25519"
#define HASH "sha512"

const char *
sshsig_context_fault(const char *context)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789@._-";

	if (context[0] == '\0')
		return "is empty";
	if (strlen(context) > SSHSIG_CONTEXT_MAX)
		return "is longer than 64 characters";
	if (context[strspn(context, allowed)] != '\0')
		return "has other characters than letters, digits and @._-";
	return NULL;
}

/* What is signed: nothing that begins so is signed anywhere else. */
static enum rk_err
put_signed(
    struct buf *b, const char *context, const uint8_t hash[CRYPT_HASH512_LEN])
{
	enum rk_err r;

	if ((r = buf_put(b, MAGIC, strlen(MAGIC))) != RK_OK ||
	    (r = bytes_put_string(b, context, strlen(context))) != RK_OK ||
	    (r = bytes_put_string(b, "", 0)) != RK_OK ||
	    (r = bytes_put_string(b, HASH, strlen(HASH))) != RK_OK)
		return r;
	return bytes_put_string(b, hash, CRYPT_HASH512_LEN);
}

static enum rk_err
put_all(struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    const char *context, const uint8_t sig[RK_KEY_SIG_LEN])
{
	struct buf part;
	enum rk_err r;

	buf_init(&part, 256);
	if ((r = buf_put(b, MAGIC, strlen(MAGIC))) != RK_OK ||
	    (r = bytes_put_u32(b, VERSION)) != RK_OK ||
	    (r = ssh_put_public(&part, pub)) != RK_OK ||
	    (r = bytes_put_string(b, buf_peek(&part), buf_len(&part))) !=
	        RK_OK ||
	    (r = bytes_put_string(b, context, strlen(context))) != RK_OK ||
	    (r = bytes_put_string(b, "", 0)) != RK_OK ||
	    (r = bytes_put_string(b, HASH, strlen(HASH))) != RK_OK)
		goto out;
	buf_consume(&part, buf_len(&part));
	if ((r = bytes_put_string(&part, KIND, strlen(KIND))) == RK_OK &&
	    (r = bytes_put_string(&part, sig, RK_KEY_SIG_LEN)) == RK_OK)
		r = bytes_put_string(b, buf_peek(&part), buf_len(&part));
out:
	buf_fini(&part);
	return r;
}

enum rk_err
sshsig_make(const struct rk_key *key, const char *context,
    const uint8_t hash[CRYPT_HASH512_LEN], struct rk_secret **out)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	uint8_t sig[RK_KEY_SIG_LEN];
	struct buf b;
	enum rk_err r;

	*out = NULL;
	buf_init(&b, 1024);
	r = put_signed(&b, context, hash);
	if (r != RK_OK)
		goto out;
	rk_key_sign(key, buf_peek(&b), buf_len(&b), sig);
	rk_key_public(key, pub);
	buf_consume(&b, buf_len(&b));
	if ((r = put_all(&b, pub, context, sig)) == RK_OK)
		r = ssh_armor(buf_peek(&b), buf_len(&b), LABEL, out);
out:
	buf_fini(&b);
	return r;
}

static enum rk_err
take(struct bytes b, struct sshsig *out)
{
	struct bytes pub;
	struct bytes context;
	struct bytes reserved;
	struct bytes hash;
	struct bytes inner;
	struct bytes kind;
	struct bytes sig;
	const uint8_t *magic;
	uint32_t version;

	if (!bytes_get(&b, strlen(MAGIC), &magic) ||
	    memcmp(magic, MAGIC, strlen(MAGIC)) != 0 ||
	    !bytes_get_u32(&b, &version) || version != VERSION ||
	    !bytes_get_string(&b, &pub) || !bytes_get_string(&b, &context) ||
	    !bytes_get_string(&b, &reserved) || !bytes_get_string(&b, &hash) ||
	    !bytes_get_string(&b, &inner) || b.left != 0 ||
	    !bytes_get_string(&inner, &kind))
		return RK_EFORMAT;
	if (!bytes_are(&kind, KIND))
		return RK_EUNSUPPORTED;
	if (!bytes_get_string(&inner, &sig) || inner.left != 0 ||
	    sig.left != RK_KEY_SIG_LEN || reserved.left != 0 ||
	    context.left > SSHSIG_CONTEXT_MAX ||
	    ssh_get_public(pub.at, pub.left, out->pub) != RK_OK)
		return RK_EFORMAT;
	if (context.left > 0)
		memcpy(out->context, context.at, context.left);
	out->context[context.left] = '\0';
	memcpy(out->sig, sig.at, RK_KEY_SIG_LEN);
	if (strlen(out->context) != context.left ||
	    sshsig_context_fault(out->context) != NULL)
		return RK_EFORMAT;
	return bytes_are(&hash, HASH) ? RK_OK : RK_EUNSUPPORTED;
}

enum rk_err
sshsig_parse(const char *text, size_t len, struct sshsig *out)
{
	struct rk_secret *data = NULL;
	struct bytes b = { 0 };
	enum rk_err r;

	memset(out, 0, sizeof(*out));
	if ((r = ssh_unarmor(text, len, LABEL, &data)) != RK_OK)
		return r;
	b.at = rk_secret_peek(data);
	b.left = rk_secret_len(data);
	r = take(b, out);
	rk_secret_free(data);
	return r;
}

bool
sshsig_fits(const struct sshsig *s, const uint8_t hash[CRYPT_HASH512_LEN])
{
	struct buf b;
	bool fits = false;

	buf_init(&b, 1024);
	if (put_signed(&b, s->context, hash) == RK_OK)
		fits = rk_key_verify(s->pub, buf_peek(&b), buf_len(&b), s->sig);
	buf_fini(&b);
	return fits;
}
