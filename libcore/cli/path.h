/* Where files of the user and the daemon are: XDG rules, certificates. */
#ifndef RPCKIT_CLI_PATH_H
#define RPCKIT_CLI_PATH_H

#include <rpckit/err.h>

#define PATH_LEN 4096

enum path_base {
	PATH_CONFIG, /* $XDG_CONFIG_HOME/rpckit, else ~/.config/rpckit */
	PATH_DATA,
	PATH_STATE,
	PATH_CACHE
};

/* What counts for every user, below their own. */
#define PATH_CONFIG_SYSTEM "/etc/rpckit/config"

/* BASE/name.  RK_ENOENT when neither the XDG variable nor HOME is set. */
RK_MUST enum rk_err path_user(
    enum path_base base, const char *name, char out[PATH_LEN]);
/*
 * The certificate directory: `given` (flag), else $RPCKIT_CERTS, else "certs"
 * in the working directory if it is there, else PATH_CONFIG/certs (system:
 * /etc/rpckit/certs).  *why names the source.
 */
RK_MUST enum rk_err path_certs(
    const char *given, bool system, char out[PATH_LEN], const char **why);
/* known_server_keys (or known_client_keys): in the working directory if it is
 * there, else PATH_DATA (system: /var/lib/rpckit if that exists, else the
 * working directory). */
RK_MUST enum rk_err path_known(
    const char *name, bool system, char out[PATH_LEN]);

/*
 * The daemon's admin socket: in the user's run-time directory, and that of a
 * service.  RK_ENOENT: there is no such directory.
 */
#define PATH_ADMIN_SYSTEM "/run/rpcd/admin.sock"
RK_MUST enum rk_err path_admin_user(char out[PATH_LEN]);
/* The one to dial: `given` (flag), else the user's if it is there, else that of
 * a service.  RK_ENOENT: none is there; RK_ETOOBIG. */
RK_MUST enum rk_err path_admin(const char *given, char out[PATH_LEN]);
/* What a key is called: its NAME, also of "keyvault:NAME". */
const char *path_key_name(const char *key);
/* The address of a local socket; made absolute.  RK_ETOOBIG, RK_EIO. */
RK_MUST enum rk_err path_unix_url(const char *path, char *url, size_t len);

#endif
