/* What a signature would be for: bytes that are to be signed, read. */
#ifndef KEYVAULT_PURPOSE_H
#define KEYVAULT_PURPOSE_H

#include <rpckit/err.h>
#include <rpckit/key.h>

#include "base/agent_frame.h"

/*
 * Every purpose has a form that no other has, so that a signature for one is
 * none for another; what has no form that is known here is signed for nobody.
 */
enum purpose {
	PURPOSE_NONE = 0,
	PURPOSE_FILE,     /* a file's hash in a context, SSHSIG */
	PURPOSE_SSH_USER, /* logging in by SSH (RFC 4252, section 7) */
	PURPOSE_TLS,      /* CertificateVerify (RFC 8446, section 4.4.3) */
	PURPOSE_PSK,      /* a certificate in rpckit-psk(7) */
	PURPOSE_SESSION,  /* rpckit-session(7) */
	PURPOSE_NEXT_KEY, /* it will follow another key, rpckit-trust(7) */
	PURPOSE_CERT,     /* the to-be-signed parts of X.509 (RFC 5280): */
	PURPOSE_REQUEST,  /* of a certificate, of a request for one, */
	PURPOSE_CRL,      /* and of a revocation list */
	PURPOSE_GIVE      /* no signature: the secret itself is given out */
};

#define PURPOSE_TEXT_MAX AGENT_WHAT_MAX
#define PURPOSE_QUOTED 128

struct purpose_view {
	enum purpose is;
	/* "a login by ssh as "root"", "a file, context git, sha512
	 * 0011223344556677", "a certificate of a CA for "sub", 2026-11-27 to
	 * 2036-11-25, dns "sub"": escaped, what whoever asks has chosen in
	 * quotes, and what is too long in it cut with a ~ or counted. */
	char text[PURPOSE_TEXT_MAX];
};

/*
 * What may be asked for as of an ssh-agent: a login, SSHSIG, or a session,
 * whose ends have SSH's keys.  The data say who is to sign; another key than
 * pub is RK_EDENIED, as is what is neither.
 */
RK_MUST enum rk_err purpose_of_ssh(const uint8_t *data, size_t len,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct purpose_view *out);
/* A handshake's proof, of either side, over 32 or 48 bytes of hash.
 * RK_EDENIED. */
RK_MUST enum rk_err purpose_of_tls(
    const uint8_t *data, size_t len, struct purpose_view *out);
/*
 * What librpckit asks a key for: a handshake's proof, of TLS or our own, that
 * the key will follow another one, or a part of X.509.  Those that name the key
 * that is to sign must name this one.  RK_EDENIED.
 */
RK_MUST enum rk_err purpose_of_proof(const uint8_t *data, size_t len,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct purpose_view *out);
/* The latter alone (purpose_x509.c). */
RK_MUST enum rk_err purpose_of_x509(const uint8_t *data, size_t len,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct purpose_view *out);
/* Of a file in this context, for which sshsig_make() makes the form: the first
 * eight bytes of its hash, "sha512" or "sha256", are shown. */
void purpose_of_file(const char *context, const char *kind, const uint8_t *hash,
    struct purpose_view *out);

/* Text of the asking side, for people: in quotes, which nothing in it ends. */
void purpose_quote(char out[PURPOSE_QUOTED], const void *text, size_t len);

/*
 * Which purposes the tags of a key allow: those that a tag "use:file",
 * "use:tls", "use:ssh" or "use:ca" names; without any of them file and TLS.
 * What comes by way of SSH's programs counts as SSH, also where it is a file.
 * TLS are all handshakes, and what a key says of itself: a request for a
 * certificate, and that it follows another; CA is what it says of others.
 * What is no key for signatures is there to be given out, as its kind.
 */
enum purpose_use {
	USE_FILE = AGENT_USE_FILE,
	USE_TLS = AGENT_USE_TLS,
	USE_SSH = AGENT_USE_SSH,
	USE_CA = AGENT_USE_CA,
	USE_PSK = 16,
	USE_WORD = 32,
	USE_GIVEN = USE_PSK | USE_WORD
};
/* The one that it takes. */
unsigned purpose_use(enum purpose is);
unsigned purpose_uses(const char *tags);

#endif
