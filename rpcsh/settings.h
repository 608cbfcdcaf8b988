/* Where to call and as whom: flags, environment, contexts, config files. */
#ifndef RPCSH_SETTINGS_H
#define RPCSH_SETTINGS_H

#include "cli/context.h"
#include "cli/out.h"
#include "cli/path.h"

enum setting_id {
	SET_SERVER,
	SET_CERTS,
	SET_KEY,
	SET_KNOWN,
	SET_PSK,
	SET_SSH_KEY,
	SET_SSH_PEERS,
	SET_TRUST,
	SET_TLS_MODE,
	SET_CONGESTION,
	SET_CONFIRM,
	SET_TIMEOUT,
	SET_CONNECT_TIMEOUT,
	SET_ADMIN,      /* not used here */
	SET_QUICK_KEYS, /* the same */
	SET_COUNT
};

#define SETTINGS_NAME_LEN CONTEXT_NAME_LEN

struct setting {
	char value[PATH_LEN];
	/* "flag", "environment", "context lab", "built in", a file */
	char source[PATH_LEN];
};

struct settings {
	char context[SETTINGS_NAME_LEN]; /* "" when none is in use */
	bool context_flag;               /* -c said so */
	struct setting v[SET_COUNT];
};

/* The name a setting has in files: "server", "tls-mode". */
const char *setting_name(enum setting_id id);
/* What its values look like: "HOST:PORT or URL", "cubic|bbr". */
const char *setting_form(enum setting_id id);
/* The setting called name; SET_COUNT: there is none. */
enum setting_id setting_find(const char *name);
/*
 * Flag, then environment, then context (-c, RPCKIT_CONTEXT, or the one chosen
 * by `ctx use`), then the user's and the system's config file, then built in.
 * RK_ENOENT: no such context; RK_EFORMAT: file:line, in err.  a NULL: no flags
 * (the environment counts all the same).
 */
RK_MUST enum rk_err settings_load(
    const struct args *a, struct settings *s, struct rk_error *err);
/* The context chosen by `ctx use`; "" when there is none. */
RK_MUST enum rk_err settings_chosen(
    char name[SETTINGS_NAME_LEN], struct rk_error *err);
/* The context in use: -c, RPCKIT_CONTEXT, or the chosen one; "" when there is
 * none. */
RK_MUST enum rk_err settings_context(
    const struct args *a, char name[SETTINGS_NAME_LEN], struct rk_error *err);
/* The file that names the chosen context. */
RK_MUST enum rk_err settings_current_path(
    char out[PATH_LEN], struct rk_error *err);
#define SETTINGS_URL_LEN (PATH_LEN + 8)
/* The server's URL: HOST:PORT means TLS, or what --tcp and --quic say. */
const char *settings_url(
    const struct settings *s, const struct args *a, char out[SETTINGS_URL_LEN]);
/* Is value allowed for the setting?  RK_EINVAL with the reason. */
RK_MUST enum rk_err settings_check(
    enum setting_id id, const char *value, struct rk_error *err);

#endif
