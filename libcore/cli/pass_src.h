/* Where a passphrase comes from when no terminal gives it. */
#ifndef RPCKIT_CLI_PASS_SRC_H
#define RPCKIT_CLI_PASS_SRC_H

#include <rpckit/err.h>
#include <rpckit/secret.h>

enum pass_kind {
	PASS_TTY,
	PASS_ASKPASS,
	PASS_FD,
	PASS_FILE,
	PASS_ENV,
	PASS_CRED,
	PASS_AGENT,   /* rest: the name there */
	PASS_AGENT_OF /* named as the file is */
};

/* Take "kind:rest" apart; rest is borrowed.  RK_EINVAL. */
RK_MUST enum rk_err pass_src_parse(const char *spec, enum pass_kind *kind,
    const char **rest, struct rk_error *err);
/*
 * Sources that can be read only once (fd, env): read now and remembered for
 * the life of the process in guarded memory.
 */
RK_MUST enum rk_err pass_src_take_env(const char *name, struct rk_error *err);
/* The passphrase of any kind but PASS_TTY; PASS_ASKPASS wants the prompt. */
RK_MUST enum rk_err pass_src_get(enum pass_kind kind, const char *rest,
    const char *prompt, struct rk_secret **out, struct rk_error *err);
/* What keyvault's agent has open under this name.  If somebody is asked first
 * that is told on standard error, or else, with no_input, RK_EDENIED. */
RK_MUST enum rk_err pass_src_agent(const char *name, bool no_input,
    struct rk_secret **out, struct rk_error *err);
/* Is the descriptor of fd:N open (or was it read before)?  RK_EINVAL. */
RK_MUST enum rk_err pass_src_check_fd(const char *rest, struct rk_error *err);
/* Cut one newline; refuse what is empty, too long or has a NUL in it. */
RK_MUST enum rk_err pass_src_trim(
    struct rk_secret *s, size_t used, struct rk_error *err);

#endif
