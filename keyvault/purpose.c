/* What a signature would be for: forms of SSH logins, SSHSIG, handshakes. */
#include "purpose.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/ssh.h"
#include "base/str.h"
#include "sshsig.h"

#define USERAUTH_REQUEST 50
#define SESSION_ID_MIN 20
#define SESSION_ID_MAX 64
#define USER_MAX 256
#define KIND "ssh-ed25519"
#define SHOWN 128

/* Bytes of what rk_escape() makes of one character, or of one byte of it. */
static size_t
unit_len(const char *p)
{
	size_t n = 1;

	if (*p == '\\')
		return p[1] == 'x' ? 4 : p[1] == 'u' ? 6 : p[1] == 'U' ? 10 : 2;
	while ((p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

void
purpose_quote(char out[PURPOSE_QUOTED], const void *text, size_t len)
{
	char plain[PURPOSE_QUOTED - 2];
	size_t n = 0;
	size_t unit;
	size_t end;

	(void)rk_escape(plain, sizeof(plain), len > 0 ? text : NULL, len);
	out[n++] = '"';
	for (const char *p = plain; *p != '\0'; p += unit) {
		unit = unit_len(p);
		/* The quote at the end and NUL; before them a ~, if more
		 * follows that may not fit. */
		end = p[unit] == '\0' ? 2 : 3;
		if (n + (*p == '"') + unit + end > PURPOSE_QUOTED) {
			out[n++] = '~';
			break;
		}
		if (*p == '"')
			out[n++] = '\\';
		memcpy(out + n, p, unit);
		n += unit;
	}
	out[n++] = '"';
	out[n] = '\0';
}

/* ---- SSH ---- */

static bool
is_key(const struct bytes *b, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	uint8_t got[RK_KEY_PUBLIC_LEN];

	return ssh_get_public(b->at, b->left, got) == RK_OK &&
	       memcmp(got, pub, sizeof(got)) == 0;
}

/* Behind the method: a signature follows, its kind, the key; OpenSSH's own
 * method has the host's key as well. */
static bool
login_key(struct bytes *b, const struct bytes *method, const uint8_t *pub)
{
	struct bytes kind;
	struct bytes key;
	struct bytes host;
	uint8_t follows;

	if (!bytes_get_u8(b, &follows) || follows != 1 ||
	    !bytes_get_string(b, &kind) || !bytes_are(&kind, KIND) ||
	    !bytes_get_string(b, &key) || !is_key(&key, pub))
		return false;
	if (bytes_are(method, "publickey-hostbound-v00@openssh.com"))
		return bytes_get_string(b, &host) && host.left > 0 &&
		       b->left == 0;
	return bytes_are(method, "publickey") && b->left == 0;
}

static bool
is_login(struct bytes b, const uint8_t *pub, struct purpose_view *out)
{
	struct bytes session;
	struct bytes user;
	struct bytes service;
	struct bytes method;
	uint8_t type;
	char name[PURPOSE_QUOTED];

	if (!bytes_get_string(&b, &session) || session.left < SESSION_ID_MIN ||
	    session.left > SESSION_ID_MAX || !bytes_get_u8(&b, &type) ||
	    type != USERAUTH_REQUEST || !bytes_get_string(&b, &user) ||
	    user.left > USER_MAX || !bytes_get_string(&b, &service) ||
	    !bytes_are(&service, "ssh-connection") ||
	    !bytes_get_string(&b, &method) || !login_key(&b, &method, pub))
		return false;
	purpose_quote(name, user.at, user.left);
	out->is = PURPOSE_SSH_USER;
	(void)snprintf(
	    out->text, sizeof(out->text), "a login by ssh as %s", name);
	return true;
}

static bool
is_file(struct bytes b, struct purpose_view *out)
{
	struct bytes context;
	struct bytes reserved;
	struct bytes kind;
	struct bytes hash;
	const uint8_t *magic;
	size_t want;
	char text[SSHSIG_CONTEXT_MAX + 1];

	if (!bytes_get(&b, 6, &magic) || memcmp(magic, "SSHSIG", 6) != 0 ||
	    !bytes_get_string(&b, &context) || context.left == 0 ||
	    context.left > SSHSIG_CONTEXT_MAX ||
	    !bytes_get_string(&b, &reserved) || reserved.left != 0 ||
	    !bytes_get_string(&b, &kind) || !bytes_get_string(&b, &hash) ||
	    b.left != 0)
		return false;
	want = bytes_are(&kind, "sha512")   ? 64
	       : bytes_are(&kind, "sha256") ? 32
	                                    : 0;
	memcpy(text, context.at, context.left);
	text[context.left] = '\0';
	if (want == 0 || hash.left != want || strlen(text) != context.left ||
	    sshsig_context_fault(text) != NULL)
		return false;
	purpose_of_file(text, want == 64 ? "sha512" : "sha256", hash.at, out);
	return true;
}

void
purpose_of_file(const char *context, const char *kind, const uint8_t *hash,
    struct purpose_view *out)
{
	char name[SHOWN];
	char hex[17];

	memset(out, 0, sizeof(*out));
	out->is = PURPOSE_FILE;
	str_hex(hex, hash, 8);
	(void)snprintf(out->text, sizeof(out->text),
	    "a file, context %s, %s %s",
	    str_escape(name, sizeof(name), context), kind, hex);
}

/* ---- TLS ---- */

#define SPACES 64

enum rk_err
purpose_of_tls(const uint8_t *data, size_t len, struct purpose_view *out)
{
	static const struct {
		const char *text;
		const char *shown;
	} sides[] = {
		{ "TLS 1.3, server CertificateVerify",
		    "a TLS handshake, as server" },
		{ "TLS 1.3, client CertificateVerify",
		    "a TLS handshake, as client" },
	};
	size_t text_len;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < SPACES; i++) {
		if (i >= len || data[i] != ' ')
			return RK_EDENIED;
	}
	for (size_t i = 0; i < 2; i++) {
		text_len = strlen(sides[i].text) + 1; /* and its NUL */
		if ((len == SPACES + text_len + 32 ||
		        len == SPACES + text_len + 48) &&
		    memcmp(data + SPACES, sides[i].text, text_len) == 0) {
			out->is = PURPOSE_TLS;
			(void)str_copy(
			    out->text, sizeof(out->text), sides[i].shown);
			return RK_OK;
		}
	}
	return RK_EDENIED;
}

/* ---- librpckit's own ---- */

/* Proofs like those of TLS (rpckit-psk(7), rpckit-session(7)): their text, and
 * behind it hashes of 32 bytes or the key that signs. */
static const struct form {
	const char *text;
	const char *shown;
	enum purpose is;
	bool names_key;
} forms[] = {
	{ "rpckit psk 1, server certificate",
	    "a handshake with a pre-shared key, as server", PURPOSE_PSK,
	    false },
	{ "rpckit psk 1, client certificate",
	    "a handshake with a pre-shared key, as client", PURPOSE_PSK,
	    false },
	{ "rpckit session 1, initiator", "a session, as initiator",
	    PURPOSE_SESSION, true },
	{ "rpckit session 1, responder", "a session, as responder",
	    PURPOSE_SESSION, true },
};

static bool
is_form(
    const struct form *f, const uint8_t *data, size_t len, const uint8_t *pub)
{
	size_t text_len = strlen(f->text) + 1; /* and its NUL */

	if (len != SPACES + text_len + 64 ||
	    memcmp(data + SPACES, f->text, text_len) != 0)
		return false;
	for (size_t i = 0; i < SPACES; i++)
		if (data[i] != ' ')
			return false;
	return !f->names_key || memcmp(data + len - RK_KEY_PUBLIC_LEN, pub,
	                            RK_KEY_PUBLIC_LEN) == 0;
}

static bool
is_ours(const uint8_t *data, size_t len, const uint8_t *pub,
    struct purpose_view *out)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!is_form(&forms[i], data, len, pub))
			continue;
		out->is = forms[i].is;
		(void)str_copy(out->text, sizeof(out->text), forms[i].shown);
		return true;
	}
	return false;
}

enum rk_err
purpose_of_ssh(const uint8_t *data, size_t len,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct purpose_view *out)
{
	struct bytes b = { .at = data, .left = len };

	memset(out, 0, sizeof(*out));
	if (is_login(b, pub, out) || is_file(b, out))
		return RK_OK;
	/* A session's proof is as good a use of an SSH key as a login. */
	if (is_ours(data, len, pub, out) && out->is == PURPOSE_SESSION)
		return RK_OK;
	memset(out, 0, sizeof(*out));
	return RK_EDENIED;
}

static bool
is_next_key(const uint8_t *data, size_t len, const uint8_t *pub,
    struct purpose_view *out)
{
	const size_t tag = sizeof(RK_NEXT_KEY_TAG);
	char fp[RK_FP_LEN];

	if (len != tag + 2 * (size_t)RK_KEY_PUBLIC_LEN ||
	    memcmp(data, RK_NEXT_KEY_TAG, tag) != 0 ||
	    memcmp(data + tag + RK_KEY_PUBLIC_LEN, pub, RK_KEY_PUBLIC_LEN) != 0)
		return false;
	rk_fp_of_key(data + tag, fp);
	out->is = PURPOSE_NEXT_KEY;
	(void)snprintf(
	    out->text, sizeof(out->text), "to follow the key %s", fp);
	return true;
}

enum rk_err
purpose_of_proof(const uint8_t *data, size_t len,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct purpose_view *out)
{
	if (purpose_of_tls(data, len, out) == RK_OK ||
	    is_ours(data, len, pub, out) || is_next_key(data, len, pub, out))
		return RK_OK;
	return purpose_of_x509(data, len, pub, out);
}

/* ---- what a key is for ---- */

unsigned
purpose_use(enum purpose is)
{
	switch (is) {
	case PURPOSE_NONE:
	case PURPOSE_GIVE: /* by its kind: agent_uses() */
		break;
	case PURPOSE_FILE:
		return USE_FILE;
	case PURPOSE_SSH_USER:
		return USE_SSH;
	case PURPOSE_TLS:
	case PURPOSE_PSK:
	case PURPOSE_SESSION:
	case PURPOSE_NEXT_KEY:
	case PURPOSE_REQUEST:
		return USE_TLS;
	case PURPOSE_CERT:
	case PURPOSE_CRL:
		return USE_CA;
	}
	return 0;
}

unsigned
purpose_uses(const char *tags)
{
	static const struct {
		const char *tag;
		unsigned use;
	} list[] = {
		{ "use:file", USE_FILE },
		{ "use:tls", USE_TLS },
		{ "use:ssh", USE_SSH },
		{ "use:ca", USE_CA },
	};
	unsigned uses = 0;
	size_t len;

	for (const char *at = tags; *at != '\0'; at += len) {
		len = strcspn(at, ",");
		for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
			if (strlen(list[i].tag) == len &&
			    memcmp(list[i].tag, at, len) == 0)
				uses |= list[i].use;
		if (at[len] == ',')
			len++;
	}
	return uses != 0 ? uses : USE_FILE | USE_TLS;
}
