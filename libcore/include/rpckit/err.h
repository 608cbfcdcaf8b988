/* Error codes of every fallible function, their names, texts, exit statuses. */
#ifndef RPCKIT_ERR_H
#define RPCKIT_ERR_H

#include <rpckit/base.h>

RK_BEGIN

/*
 * X(code, exit status of a program that ends on it, text)
 *
 * Five classes, kept apart: we failed; the peer cannot be reached or went
 * away; the peer broke the protocol; the peer is not who we think, or policy
 * said no; the remote handler failed (which is data as well as a code).
 */
#define RK_ERR_MAP(X)                                                \
	X(RK_OK, 0, "success")                                       \
	/* we, or our caller */                                      \
	X(RK_EFAIL, 1, "failed")                                     \
	X(RK_EINVAL, 2, "invalid argument")                          \
	X(RK_ESTATE, 1, "not possible in this state")                \
	X(RK_ENOMEM, 1, "out of memory")                             \
	X(RK_EIO, 1, "input or output failed")                       \
	X(RK_EUNSUPPORTED, 1, "not supported")                       \
	X(RK_ENOENT, 8, "no such thing")                             \
	X(RK_EEXIST, 9, "exists already")                            \
	X(RK_EBUSY, 10, "busy")                                      \
	X(RK_EDAMAGED, 10, "damaged")                                \
	X(RK_ETAMPERED, 10, "was tampered with")                     \
	X(RK_EMODE, 1, "unsafe file mode or owner")                  \
	X(RK_EFORMAT, 1, "malformed")                                \
	X(RK_ETOOBIG, 1, "too large")                                \
	X(RK_ELIMIT, 1, "limit reached")                             \
	X(RK_EPASS, 7, "wrong passphrase")                           \
	X(RK_ENOPASS, 7, "a passphrase is needed and there is none") \
	X(RK_EAGAIN, 1, "would block")                               \
	X(RK_ECANCELED, 1, "canceled")                               \
	/* the way to the peer */                                    \
	X(RK_ERESOLVE, 4, "name or address unknown")                 \
	X(RK_ECONNECT, 4, "cannot connect")                          \
	X(RK_ECLOSED, 4, "connection closed")                        \
	X(RK_ETIMEOUT, 5, "time over")                               \
	/* the peer broke the protocol */                            \
	X(RK_EPROTO, 1, "protocol error")                            \
	X(RK_ETLS, 6, "TLS handshake failed")                        \
	/* the peer is not who we think, or policy said no */        \
	X(RK_ECERT, 6, "certificate not acceptable")                 \
	X(RK_EUNKNOWNKEY, 6, "key not known and the list is locked") \
	X(RK_EREVOKED, 6, "certificate revoked")                     \
	X(RK_EDENIED, 6, "not allowed")                              \
	X(RK_EPSK, 6, "pre-shared key not proven")                   \
	/* the remote side answered with an error */                 \
	X(RK_ENOMETHOD, 8, "no such method")                         \
	X(RK_EREMOTE, 3, "the remote handler failed")

enum rk_err {
#define RK_ERR_ENUM(code, exit_status, text) code,
	RK_ERR_MAP(RK_ERR_ENUM)
#undef RK_ERR_ENUM
	RK_ERR_COUNT
};

#define RK_ERROR_TEXT_LEN 320

/*
 * What went wrong, for a person: filled by functions that take one (NULL is
 * always allowed there).  The text is one line, already escaped, names the
 * thing and the reason, and holds no secret.
 */
struct rk_error {
	enum rk_err code;
	int sys; /* errno where a system call failed, else 0 */
	/* Where it went wrong: "resolve" "connect" "tls" "psk" "session"
	 * "trust", before a connection was open; "open" "call" after that; and
	 * others; or NULL. */
	const char *step;
	char text[RK_ERROR_TEXT_LEN];
};

/* "RK_ETIMEOUT" / "time over" / 5.  Unknown codes give a text too.  Any
 * thread; the strings are static. */
RK_API const char *rk_err_name(enum rk_err code);
RK_API const char *rk_err_text(enum rk_err code);
RK_API int rk_err_exit(enum rk_err code);

RK_END

#endif
