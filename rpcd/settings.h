/* What rpcd is told: defaults, configuration file and flags in one struct. */
#ifndef RPCD_SETTINGS_H
#define RPCD_SETTINGS_H

#include "base/buf.h"
#include "cli/cmd.h"

#include <rpckit/server.h>

#include <stdatomic.h>
#include <sys/types.h>

#define SETTINGS_FILE "/etc/rpckit/rpcd.conf"
#define SETTINGS_KEYS 37
#define WHERE_LEN 300

/* Where a setting was made, as messages begin: "rpcd.conf:12: ", or the flag,
 * or nothing for a default. */
struct origin {
	const char *file; /* escaped; NULL: not from the file */
	unsigned line;
	const char *flag;
};

struct entry {
	char *text;
	struct origin from;
};

struct list {
	struct entry *items;
	size_t n;
};

enum args_form {
	ARGS_NONE,
	ARGS_JSON,
	ARGS_RAW
};

enum reply_form {
	REPLY_TEXT,
	REPLY_JSON,
	REPLY_RAW
};

#define METHOD_NO_LIMIT UINT64_MAX

/* [method NAME] */
struct method {
	char *name;
	struct origin from; /* of its first line */
	char *exec;
	struct origin exec_from;
	char **argv; /* exec, split */
	char *about;
	unsigned args;  /* enum args_form */
	unsigned reply; /* enum reply_form */
	char *secret;   /* names of fields, comma-joined, or NULL */
	struct list allow;
	struct list psk; /* names of pre-shared keys; empty: any, or none */
	uint64_t timeout;
	uint64_t max_output; /* METHOD_NO_LIMIT: none */
	struct origin max_output_from;
	uint64_t concurrency;
	bool stream;
	bool idempotent;
};

/* [files NAME] */
struct folder_conf {
	char *name;
	struct origin from; /* of its first line */
	char *root;
	char *about;
	bool put;
	bool get;
	bool replace;
	unsigned mode; /* of files that were put: see settings_mode() */
	bool rpc25519; /* also under the names of its demo programs */
	struct list allow;
	struct list psk; /* the same */
	uint64_t max_size;
	uint64_t max_total; /* METHOD_NO_LIMIT: none */
	uint64_t min_free;
	uint64_t timeout; /* of 64 KiB, or what is left */
	uint64_t concurrency;
};

struct settings {
	atomic_uint refs;
	char *path; /* of the file; NULL: none was read */
	char shown[WHERE_LEN / 2];
	struct origin from[SETTINGS_KEYS]; /* by the order of keys */
	struct list listen;                /* as URLs */
	char *admin;                       /* NULL: the usual place */
	char *admin_view;                  /* NULL: none */
	char *admin_group;                 /* NULL: none */
	char *certs;
	char *key;
	struct list next_key; /* names of keys that will follow */
	struct list psk;      /* files of pre-shared keys */
	uint64_t agent_wait;  /* for a signature of the agent */
	char *ssh_key;        /* of sessions: a file, or where else */
	char *ssh_peers;      /* file of keys that are believed; NULL: none */
	char *known;
	unsigned trust; /* enum rk_trust_mode */
	uint64_t max_new_keys;
	uint64_t trust_wait;
	unsigned tls_mode; /* enum rk_tls_mode */
	char *pass;
	bool early_data;
	uint64_t threads;
	unsigned log_level; /* enum rk_log_level */
	unsigned log_form;  /* 0 text, 1 json */
	uint64_t max_conns;
	uint64_t max_unproven;
	uint64_t max_per_source;
	uint64_t max_calls;
	uint64_t max_queue;
	char *seed;
	uint64_t retry;      /* RK_NEVER, or handshakes under way */
	unsigned congestion; /* enum rk_congestion */
	uint64_t handshake;
	uint64_t read;
	uint64_t write;
	uint64_t idle;
	uint64_t keepalive;
	uint64_t dead_peer;
	uint64_t drain;
	bool echo;
	bool trial; /* no certificates: temporary ones are to be made */
	struct method *methods;
	size_t n_methods;
	struct folder_conf *folders;
	size_t n_folders;
};

/* Called with each problem, one line: "rpcd.conf:12: ...". */
typedef void settings_problem_fn(const char *text, void *arg);

/*
 * Read the file that the flags name (or the usual one, if it is there), put
 * the flags on top and fill in what is missing.  Every problem is told, then
 * the code of the first class met: RK_EINVAL (flags), RK_EFORMAT (file),
 * RK_ENOENT, RK_EMODE, RK_EIO, RK_ENOMEM.  have_fds: listening sockets were
 * passed in, so none is listened on unasked.
 */
RK_MUST enum rk_err settings_load(const struct args *a, bool have_fds,
    settings_problem_fn *problem, void *arg, struct settings **out);
struct settings *settings_hold(struct settings *s);
/* NULL is allowed.  Any thread. */
void settings_release(struct settings *s);

/* The start of a message about this setting: "rpcd.conf:12: " or "". */
const char *settings_where(const struct origin *from, char dst[WHERE_LEN]);
const struct origin *settings_from(const struct settings *s, const char *key);
/* The settings in force as a file that can be read back, or one JSON object a
 * line. */
RK_MUST enum rk_err settings_print(
    const struct settings *s, bool json, struct buf *b);
/* The next setting after *i (0 at first) that differs and cannot change while
 * running; NULL at the end. */
const char *settings_changed(
    const struct settings *a, const struct settings *b, size_t *i);
/* Does it listen where keys are needed: with TLS or QUIC? */
bool settings_need_tls(const struct settings *s);
/* Does it listen for sessions? */
bool settings_have_sessions(const struct settings *s);
/* Of one URL. */
bool settings_needs_keys(const char *url);
/* What others may do with a file that was put. */
mode_t settings_mode(const struct folder_conf *f);
/* "10s", "1m", "never". */
const char *settings_time(uint64_t ms, char dst[32]);

#endif
