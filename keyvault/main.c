/* keyvault: keys and small secrets in a sealed file; options and verbs. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/log.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/pass.h"
#include "keyvault.h"

#define PASS_ABOUT "tty, fd:N, file:PATH, env:NAME, cred:NAME, askpass, agent"

static const struct opt global_opts[] = {
	{ .name = "vault",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .env = "KEYVAULT_DB",
	    .complete = COMPLETE_FILE,
	    .about = "the vault (rpckit/vault.db where data of the user are)" },
	{ .name = "pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "its passphrase: " PASS_ABOUT },
	{ .name = "plain", .about = "tab-separated lists for scripts" },
	COMMON_OPTS,
	{ 0 },
};

#define KDF_TIME                                                            \
	{                                                                   \
		.name = "kdf-time", .kind = OPT_DURATION, .meta = "TIME",   \
		.about = "how long one try of a passphrase is to take, at " \
		         "most 1m (1s)",                                    \
		.min = 1, .max = KDF_MS_MAX                                 \
	}

static const struct opt init_opts[] = {
	{ .name = "hide-names",
	    .about = "seal names, notes and public halves too" },
	KDF_TIME,
	{ 0 },
};
static const struct opt new_opts[] = {
	{ .name = "type",
	    .kind = OPT_CHOICE,
	    .meta = "ed25519|psk|secret",
	    .complete = COMPLETE_WORDS,
	    .about = "what to make (ed25519)" },
	{ .name = "note",
	    .kind = OPT_TEXT,
	    .meta = "TEXT",
	    .about = "a line about it" },
	{ .name = "expires",
	    .kind = OPT_TEXT,
	    .meta = "DATE",
	    .about = "the last day of its use: 2035-11-02" },
	{ .name = "ack",
	    .about = "with -: a key for each name on standard input, told "
	             "when it is on the disk" },
	{ 0 },
};
static const struct opt import_opts[] = {
	{ .name = "type",
	    .kind = OPT_CHOICE,
	    .meta = "ed25519|psk|secret",
	    .complete = COMPLETE_WORDS,
	    .about = "take it as this; secret is any bytes" },
	{ .name = "file-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "passphrase of the key file" },
	{ 0 },
};
static const struct opt import_dir_opts[] = {
	{ .name = "file-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "passphrase of the key files" },
	{ .name = "dry-run",
	    .letter = 'n',
	    .about = "say what would be imported" },
	{ .name = "yes", .about = "do not show it and ask first" },
	{ 0 },
};
static const struct opt export_opts[] = {
	{ .name = "output",
	    .letter = 'o',
	    .kind = OPT_TEXT,
	    .meta = "FILE|-",
	    .complete = COMPLETE_FILE,
	    .about = "where to (standard output)" },
	{ .name = "form",
	    .kind = OPT_CHOICE,
	    .meta = "pkcs8|rpc25519|openssh|pem",
	    .complete = COMPLETE_WORDS,
	    .about = "of a private key (pkcs8), or a public half (openssh)" },
	{ .name = "file-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "passphrase of the copy" },
	{ .name = "plain-key", .about = "the secret as it is, not encrypted" },
	{ .name = "public", .about = "the public half only" },
	{ 0 },
};
static const struct opt pub_opts[] = {
	{ .name = "form",
	    .kind = OPT_CHOICE,
	    .meta = "openssh|pem",
	    .complete = COMPLETE_WORDS,
	    .about = "how to write it (openssh)" },
	{ 0 },
};
static const struct opt ls_opts[] = {
	{ .name = "long", .letter = 'l', .about = "dates and tags too" },
	{ 0 },
};
static const struct opt sign_opts[] = {
	{ .name = "output",
	    .letter = 'o',
	    .kind = OPT_TEXT,
	    .meta = "FILE|-",
	    .complete = COMPLETE_FILE,
	    .about = "where to (FILE.sig; standard output for -)" },
	{ .name = "ns",
	    .kind = OPT_TEXT,
	    .meta = "CONTEXT",
	    .about = "what the signature is for (file)" },
	{ 0 },
};
static const struct opt verify_opts[] = {
	{ .name = "key",
	    .kind = OPT_TEXT,
	    .meta = "NAME",
	    .complete = COMPLETE_KEY,
	    .about = "the key in the vault that has signed" },
	{ .name = "pub",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_FILE,
	    .about = "or a file with the public half" },
	{ .name = "ns",
	    .kind = OPT_TEXT,
	    .meta = "CONTEXT",
	    .about = "what the signature is for (file)" },
	{ 0 },
};
static const struct opt agent_opts[] = {
	{ .name = "socket",
	    .kind = OPT_TEXT,
	    .meta = "PATH",
	    .complete = COMPLETE_FILE,
	    .about = "where to listen (keyvault.sock below XDG_RUNTIME_DIR)" },
	{ .name = "ssh", .about = "serve ssh and git too, at PATH.ssh" },
	{ .name = "lifetime",
	    .letter = 't',
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "how long keys stay open if unlock says nothing (1h)" },
	{ .name = "foreground",
	    .letter = 'f',
	    .about = "stay in front, for a service manager, or to ask on this "
	             "terminal" },
	{ .name = "tty",
	    .kind = OPT_TEXT,
	    .meta = "PATH",
	    .complete = COMPLETE_FILE,
	    .about = "ask on this terminal, where nothing else reads" },
	{ .name = "notify",
	    .kind = OPT_TEXT,
	    .meta = "PROGRAM",
	    .complete = COMPLETE_FILE,
	    .about = "run it, with what is asked, where one waits two seconds "
	             "for a yes" },
	{ .name = "csh", .about = "print lines for csh" },
	{ .name = "fish", .about = "print lines for fish" },
	{ 0 },
};
static const struct opt unlock_opts[] = {
	{ .name = "for",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "how long (what the agent was started with); 0: until "
	             "lock" },
	{ .name = "until-sleep",
	    .about = "until lock, logout, or the machine sleeps" },
	{ .name = "confirm", .about = "ask before each use" },
	{ .name = "max-uses",
	    .kind = OPT_NUMBER,
	    .meta = "N",
	    .min = 1,
	    .max = 1000000000,
	    .about = "close a key after so many uses" },
	{ .name = "only-for",
	    .kind = OPT_TEXT,
	    .meta = "WHAT",
	    .flags = OPT_MANY,
	    .about =
	        "only for a purpose (file, tls, ssh, ca), a program (/path) or "
	        "a login at the host with this key (SHA256:...)" },
	{ 0 },
};
static const struct opt allow_opts[] = {
	{ .name = "for",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "and to all uses of this key for so long" },
	{ 0 },
};
static const struct opt passwd_opts[] = {
	{ .name = "new-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "the new passphrase" },
	KDF_TIME,
	{ 0 },
};
static const struct opt rekey_opts[] = {
	KDF_TIME,
	{ 0 },
};
static const struct opt restore_opts[] = {
	{ .name = "file-pass",
	    .kind = OPT_TEXT,
	    .meta = "SPEC",
	    .about = "passphrase of the copy" },
	{ .name = "dry-run",
	    .letter = 'n',
	    .about = "say what would be another" },
	{ 0 },
};
static const struct opt exec_opts[] = {
	{ .name = "env",
	    .kind = OPT_TEXT,
	    .meta = "VAR=NAME",
	    .complete = COMPLETE_PAIR,
	    .flags = OPT_MANY,
	    .about = "a secret as a variable, which is the weaker way" },
	{ .name = "fd",
	    .kind = OPT_TEXT,
	    .meta = "N=NAME",
	    .complete = COMPLETE_PAIR,
	    .flags = OPT_MANY,
	    .about = "a secret as descriptor N, a file that is nowhere" },
	{ .name = "form",
	    .kind = OPT_CHOICE,
	    .meta = "pkcs8|openssh",
	    .complete = COMPLETE_WORDS,
	    .about = "of private keys (pkcs8)" },
	{ 0 },
};
static const struct opt log_opts[] = {
	{ .name = "since",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .about = "only of that time until now: 1d" },
	{ 0 },
};

static int run(struct args *a, void *ctx);

#define VERB(verb, what, text, min, max)                                    \
	.name = verb, .operands = what, .about = text, .min_operands = min, \
	.max_operands = max, .run = run

static const struct cmd cmds[] = {
	{ VERB("init", "", "make the vault", 0, 0), .opts = init_opts },
	{ VERB("new", "NAME|-", "make a key in it", 1, 1), .opts = new_opts },
	{ VERB("import", "NAME FILE|-", "keep the key of a file", 2, 2),
	    .opts = import_opts },
	{ VERB("import-dir", "DIR", "keep every NAME.key of a folder", 1, 1),
	    .opts = import_dir_opts, .complete = COMPLETE_DIR },
	{ VERB("export", "NAME", "write a key to a file, encrypted", 1, 1),
	    .opts = export_opts, .complete = COMPLETE_KEY },
	{ VERB("ls", "", "list what is in it", 0, 0), .opts = ls_opts },
	{ VERB("show", "NAME", "all about one, but the secret", 1, 1),
	    .complete = COMPLETE_KEY },
	{ VERB("pub", "NAME", "print a public half", 1, 1), .opts = pub_opts,
	    .complete = COMPLETE_KEY },
	{ VERB("rename", "NAME NEW", "give another name", 2, 2),
	    .complete = COMPLETE_KEY },
	{ VERB("rm", "NAME", "remove for good", 1, 1),
	    .complete = COMPLETE_KEY },
	{ VERB("note", "NAME TEXT", "replace the line about it", 2, 2),
	    .complete = COMPLETE_KEY },
	{ VERB("tag", "NAME [TAG...]", "replace the tags", 1, UINT_MAX),
	    .complete = COMPLETE_KEY },
	{ VERB("sign", "NAME FILE|-...", "sign files", 2, UINT_MAX),
	    .opts = sign_opts, .complete = COMPLETE_KEY },
	{ VERB("verify", "FILE SIG", "is this a file's signature?", 2, 2),
	    .opts = verify_opts, .complete = COMPLETE_FILE },
	{ VERB("agent", "",
	      "start one, which uses keys without giving them out", 0, 0),
	    .opts = agent_opts },
	{ VERB("unlock", "[NAME...]", "open keys in the agent", 0, UINT_MAX),
	    .opts = unlock_opts, .complete = COMPLETE_KEY,
	    .rest = COMPLETE_KEY },
	{ VERB("lock", "[NAME...]", "close keys in the agent", 0, UINT_MAX),
	    .complete = COMPLETE_KEY, .rest = COMPLETE_KEY },
	{ VERB("allow", "[ID]", "say yes to a use; list those that wait", 0, 1),
	    .opts = allow_opts },
	{ VERB("deny", "ID", "say no to a use", 1, 1) },
	{ VERB("exec", "CMD [ARG...]", "give secrets to one command", 1,
	      UINT_MAX),
	    .opts = exec_opts },
	{ VERB("passwd", "", "change the passphrase", 0, 0),
	    .opts = passwd_opts },
	{ VERB("rekey", "", "seal everything under a new key", 0, 0),
	    .opts = rekey_opts },
	{ VERB("backup", "FILE", "write a copy, sealed as it is", 1, 1),
	    .complete = COMPLETE_FILE },
	{ VERB("restore", "FILE", "put a copy in the vault's place", 1, 1),
	    .opts = restore_opts, .complete = COMPLETE_FILE },
	{ VERB("check", "", "look for damage and tampering", 0, 0) },
	{ VERB("log", "", "what was done to it and with it", 0, 0),
	    .opts = log_opts },
	{ VERB(
	    "status", "", "the vault, and the keys open in the agent", 0, 0) },
	{ VERB("doctor", "", "will it work here?", 0, 0) },
	{ 0 },
};

static const struct {
	const char *name;
	verb_fn *fn;
} verbs[] = {
	{ "init", verb_init },
	{ "new", verb_new },
	{ "import", verb_import },
	{ "import-dir", verb_import_dir },
	{ "export", verb_export },
	{ "ls", verb_ls },
	{ "show", verb_show },
	{ "pub", verb_pub },
	{ "rename", verb_rename },
	{ "rm", verb_rm },
	{ "note", verb_note },
	{ "tag", verb_tag },
	{ "sign", verb_sign },
	{ "verify", verb_verify },
	{ "exec", verb_exec },
	{ "passwd", verb_passwd },
	{ "rekey", verb_rekey },
	{ "backup", verb_backup },
	{ "restore", verb_restore },
	{ "check", verb_check },
	{ "log", verb_log },
	{ "status", verb_status },
	{ "doctor", verb_doctor },
	{ "agent", verb_agent },
	{ "unlock", verb_unlock },
	{ "lock", verb_lock },
	{ "allow", verb_allow },
	{ "deny", verb_deny },
};

/* ---- a run ---- */

/* Those of env: are taken now. */
static enum rk_err
check_sources(struct kv *kv)
{
	static const char *const names[] = { "pass", "file-pass", "new-pass" };
	struct rk_error why;
	enum rk_err r;

	for (size_t i = 0; i < 3; i++) {
		if (!args_known(kv->args, names[i]))
			continue;
		r = pass_check(args_text(kv->args, names[i], NULL), &why);
		if (r != RK_OK)
			return err_set(
			    &kv->err, r, "--%s: %s", names[i], why.text);
	}
	return RK_OK;
}

static verb_fn *
find_verb(const struct args *a)
{
	const char *name = args_cmd(a)->name;
	size_t i = 0;

	while (strcmp(verbs[i].name, name) != 0)
		i++;
	return verbs[i].fn;
}

/* Who is in the way can be looked at or ended. */
static void
name_holder(struct kv *kv)
{
	int pid = vault_holder(kv->path);
	size_t len = strlen(kv->err.text);

	if (pid > 0)
		(void)snprintf(kv->err.text + len, sizeof(kv->err.text) - len,
		    " (pid %d)", pid);
}

static void
on_log(
    enum rk_log_level level, const char *subsystem, const char *line, void *arg)
{
	const struct kv *kv = arg;

	(void)level;
	(void)subsystem;
	out_warn(&kv->out, "%s", line);
}

/* The one key that a verb is about, as prompts name it. */
static const char *
key_of(const struct args *a)
{
	const char *what = args_cmd(a)->operands;
	size_t n;
	const char *const *names = args_operands(a, &n);
	bool one = strcmp(what, "[NAME...]") == 0
	               ? n == 1
	               : strncmp(what, "NAME", 4) == 0;

	return one && strcmp(names[0], "-") != 0 ? names[0] : NULL;
}

static int
run(struct args *a, void *ctx)
{
	struct kv *kv = ctx;
	enum rk_err r;

	kv->args = a;
	kv->key = key_of(a);
	out_init(&kv->out, a);
	rk_log_set(on_log, RK_LOG_WARN, kv);
	if ((r = check_sources(kv)) == RK_OK && (r = kv_set_path(kv)) == RK_OK)
		r = find_verb(a)(kv);
	r = kv_settle(kv, r);
	kv_let_go(kv);
	rk_log_set(NULL, RK_LOG_WARN, NULL);
	if (r == RK_OK)
		return kv->status;
	if (r == RK_EBUSY)
		name_holder(kv);
	return out_error(
	    &kv->out, &kv->err, kv->retry[0] != '\0' ? kv->retry : NULL);
}

static const char *const usage[] = {
	"[--vault FILE] [--pass SPEC] VERB ...",
	NULL,
};
static const char *const examples[] = {
	"keyvault init                         # once",
	"keyvault new deploy-ca --note 'offline on Fridays'",
	"keyvault import node certs/node.key   # then remove the file",
	"keyvault sign deploy-ca request.bin   # to request.bin.sig",
	"keyvault tag node use:ssh && eval \"$(keyvault agent --ssh)\" && "
	"keyvault unlock",
	"keyvault exec --fd 3=token -- upload --token-file /dev/fd/3",
	"keyvault backup /media/stick/vault.db",
	NULL,
};
static const struct env_doc envs[] = {
	{ "KEYVAULT_DB", "stands in for --vault" },
	{ "KEYVAULT_SOCK", "socket of the agent, as keyvault agent prints it" },
	{ "XDG_RUNTIME_DIR", "rpckit below it has keyvault.sock" },
	{ "RPCKIT_ASKPASS",
	    "program that asks for passphrases, before SSH_ASKPASS" },
	{ "CREDENTIALS_DIRECTORY", "where --pass cred:NAME looks" },
	{ "XDG_DATA_HOME", "rpckit below it has vault.db" },
	{ "XDG_STATE_HOME", "rpckit below it has what was seen last" },
	{ "NO_COLOR", "no color when set and not empty" },
	{ 0 },
};

/*
 * Nothing read where standard input is closed would be something: a signature,
 * a secret.  Reading is an error then, as it is of what is closed.  Else it
 * stays closed: cmd_main() opens it.
 */
static void
close_input(void)
{
	int fd = STDIN_FILENO;

	if (fcntl(fd, F_GETFD) < 0)
		fd = open("/dev/null", O_WRONLY | O_NOCTTY);
	(void)fd;
}

int
main(int argc, char **argv)
{
	static const struct prog prog = {
		.name = "keyvault",
		.section = "1",
		.about =
		    "keep private keys and small secrets in one sealed file",
		.usage = usage,
		.examples = examples,
		.opts = global_opts,
		.cmds = cmds,
		.envs = envs,
		.see_also = "selfy 1, rpcd 8, rpcsh 1",
		.style = PROG_GNU,
		.words = kv_words,
		.features = "Argon2id, XChaCha20-Poly1305, Ed25519, SSHSIG",
	};
	struct kv kv = { 0 };

	close_input();
	return cmd_main(&prog, argc, argv, &kv);
}
