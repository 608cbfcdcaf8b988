/* agent, unlock, lock, allow, deny: keys used without being given out. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_only.h"
#include "agent_proto.h"
#include "agent_run.h"
#include "base/agent_client.h"
#include "base/error.h"
#include "base/fds.h"
#include "base/fs.h"
#include "base/str.h"
#include "keyvault.h"

#define LIFETIME_MS UINT64_C(3600000)
#define FIRST_FD 3 /* of a service manager's sockets */
#define READ_TURNS 100
#define READ_TURN_MS 10

/* ---- agent ---- */

static const char untold[] =
    "agent: is not started: nobody was told where it is";

/* One line of the shell's that sets a variable. */
static void
print_variable(struct kv *kv, const char *name, const char *value)
{
	if (args_flag(kv->args, "csh"))
		out_text(&kv->out, "setenv %s '%s';\n", name, value);
	else if (args_flag(kv->args, "fish"))
		out_text(&kv->out, "set -gx %s '%s';\n", name, value);
	else
		out_text(&kv->out, "%s='%s'; export %s;\n", name, value, name);
}

static void
print_shell(struct kv *kv, const struct agent_setup *s, long pid)
{
	char number[32];

	(void)snprintf(number, sizeof(number), "%ld", pid);
	if (s->own[0] != '\0')
		print_variable(kv, "KEYVAULT_SOCK", s->own);
	if (s->ssh[0] != '\0')
		print_variable(kv, "SSH_AUTH_SOCK", s->ssh);
	print_variable(kv, "KEYVAULT_AGENT_PID", number);
}

/* Sockets of a service manager: ours, and perhaps that for SSH. */
static bool
take_passed(struct kv *kv, struct agent_setup *s)
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");
	uint64_t number;

	if (!args_flag(kv->args, "foreground") || pid == NULL || fds == NULL ||
	    str_parse_u64(pid, 1, INT_MAX, &number) != RK_OK ||
	    number != (uint64_t)getpid() ||
	    str_parse_u64(fds, 1, 2, &number) != RK_OK)
		return false;
	s->own_fd = FIRST_FD;
	s->ssh_fd = number == 2 ? FIRST_FD + 1 : -1;
	for (int fd = FIRST_FD; fd < FIRST_FD + (int)number; fd++) {
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	}
	return true;
}

/* Absolute, because the agent leaves this folder, and without what a shell
 * would read in it. */
static enum rk_err
set_socket(struct kv *kv, char out[AGENT_PATH_MAX])
{
	const char *given = args_text(kv->args, "socket", NULL);
	char path[PATH_LEN];
	char cwd[PATH_LEN];
	enum rk_err r = RK_OK;

	if (given == NULL)
		r = agent_sock_usual(out);
	else if (given[0] == '/')
		r = str_copy(out, AGENT_PATH_MAX, given) < AGENT_PATH_MAX
		        ? RK_OK
		        : RK_ETOOBIG;
	else if (getcwd(cwd, sizeof(cwd)) == NULL ||
	         fs_join(path, sizeof(path), cwd, given) != RK_OK ||
	         str_copy(out, AGENT_PATH_MAX, path) >= AGENT_PATH_MAX)
		r = RK_ETOOBIG;
	if (r == RK_ENOENT)
		return kv_fail(kv, r, "--socket",
		    "give a path, there is no usual one without "
		    "XDG_RUNTIME_DIR and HOME");
	if (r != RK_OK)
		return kv_fail(kv, r, "--socket", "too long for a socket");
	if (strpbrk(out, "'\\\n!") != NULL)
		return kv_fail(kv, RK_EINVAL, "--socket",
		    "has characters that a shell would read");
	return RK_OK;
}

/* The agent leaves this folder. */
static enum rk_err
set_notify(struct kv *kv, const char **out)
{
	const char *program = args_text(kv->args, "notify", NULL);

	*out = program;
	if (program == NULL || strchr(program, '/') == NULL)
		return RK_OK;
	if (program[0] != '/' || access(program, X_OK) != 0)
		return kv_fail(kv, RK_EINVAL, "--notify",
		    "is neither a program's name nor its absolute path");
	return RK_OK;
}

static enum rk_err
make_setup(struct kv *kv, struct agent_setup *s, char vault[PATH_MAX])
{
	enum rk_err r;

	if (args_flag(kv->args, "csh") && args_flag(kv->args, "fish"))
		return kv_fail(kv, RK_EINVAL, "--csh", "not beside --fish");
	if ((r = kv_open(kv)) != RK_OK)
		return r;
	vault_close(kv->vault);
	kv->vault = NULL;
	if (realpath(kv->path, vault) == NULL)
		return fs_fail(&kv->err, errno, kv->path);
	s->vault = vault;
	s->own_fd = -1;
	s->ssh_fd = -1;
	s->lifetime_ms = args_number(kv->args, "lifetime", LIFETIME_MS);
	if (s->lifetime_ms == 0)
		s->lifetime_ms = AGENT_FOREVER;
	s->session_fd = -1;
	if ((r = set_notify(kv, &s->notify)) != RK_OK)
		return r;
	if ((args_given(kv->args, "tty") ||
	        args_flag(kv->args, "foreground")) &&
	    (r = agent_term_find(args_text(kv->args, "tty", NULL), &s->term,
	         &kv->err)) != RK_OK)
		return r;
	if (take_passed(kv, s))
		return RK_OK;
	if ((r = set_socket(kv, s->own)) != RK_OK)
		return r;
	return args_flag(kv->args, "ssh")
	           ? agent_sock_ssh(s->own, s->ssh, &kv->err)
	           : RK_OK;
}

struct start {
	struct kv *kv;
	const struct agent_setup *setup;
	int fd; /* to the one who waits for us */
};

static enum rk_err
tell_front(void *arg, struct rk_error *err)
{
	struct start *st = arg;
	enum rk_err r;

	print_shell(st->kv, st->setup, (long)getpid());
	if ((r = out_flush(&st->kv->out)) == RK_OK)
		return r;
	return err_set(err, r, "%s", untold);
}

/* Where it cannot be told, the other side sees that we are gone. */
static void
report(int fd, const struct rk_error *err)
{
	if (fs_write_all(fd, err, sizeof(*err)) != RK_OK)
		return;
}

/* A word from the one who waits: somebody knows of us. */
static bool
hear_word(int fd)
{
	char word;
	ssize_t n;

	do
		n = read(fd, &word, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* A line of nothing to the one who waits, and of ourselves to nobody. */
static enum rk_err
tell_parent(void *arg, struct rk_error *err)
{
	struct start *st = arg;
	struct rk_error none = { 0 };
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool known;

	report(st->fd, &none);
	known = hear_word(st->fd);
	(void)close(st->fd);
	st->fd = -1;
	for (int fd = 0; fd <= 2 && null_fd >= 0; fd++)
		(void)dup2(null_fd, fd);
	if (null_fd > 2)
		(void)close(null_fd);
	return known ? RK_OK : err_set(err, RK_ECLOSED, "%s", untold);
}

/* What the shell had open, a lock maybe, is not ours to keep. */
static void
close_others(int fd)
{
	fds_close(STDERR_FILENO + 1, fd - 1);
	fds_close(fd + 1, INT_MAX);
}

_Noreturn static void
be_agent(struct kv *kv, struct agent_setup *s, int fd)
{
	struct start st = { .kv = kv, .setup = s, .fd = fd };
	enum rk_err r;

	rk_log_set(NULL, RK_LOG_WARN, NULL);
	close_others(fd);
	s->session_fd = agent_term_session();
	(void)setsid();
	r = chdir("/") == 0 ? agent_run(s, tell_parent, &st, &kv->err)
	                    : err_set(&kv->err, RK_EIO, "/: not entered");
	if (r != RK_OK && st.fd >= 0)
		report(st.fd, &kv->err);
	_exit(rk_err_exit(r));
}

/* What the child says of how it went. */
static enum rk_err
hear(struct kv *kv, int fd)
{
	struct rk_error err;
	size_t got = 0;
	ssize_t n;

	while (got < sizeof(err)) {
		n = read(fd, (uint8_t *)&err + got, sizeof(err) - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return kv_fail(
			    kv, RK_EFAIL, "agent", "ended as soon as it began");
		got += (size_t)n;
	}
	kv->err = err;
	return err.code;
}

/* In a pipe it may be left lying: until it is read, for a while, or nobody
 * will.
 */
static bool
is_read(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO };
	struct stat st;
	int left;

	if (fstat(p.fd, &st) != 0 || !S_ISFIFO(st.st_mode))
		return true;
	for (int i = 0; i < READ_TURNS; i++) {
		if (ioctl(p.fd, FIONREAD, &left) != 0 || left == 0)
			return true;
		if (poll(&p, 1, READ_TURN_MS) == 1)
			return (p.revents & POLLERR) == 0;
	}
	return true;
}

/* The lines, and then the agent goes on. */
static enum rk_err
tell_shell(struct kv *kv, const struct agent_setup *s, pid_t pid, int fd)
{
	enum rk_err r;

	print_shell(kv, s, (long)pid);
	if ((r = out_flush(&kv->out)) == RK_OK && !is_read())
		r = RK_EIO;
	if (r == RK_OK && (r = fs_write_all(fd, "", 1)) == RK_OK)
		return r;
	return err_set(&kv->err, r, "%s", untold);
}

static enum rk_err
start_behind(struct kv *kv, struct agent_setup *s)
{
	int fds[2];
	pid_t pid;
	enum rk_err r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return err_sys(&kv->err, RK_EIO, errno, "agent");
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		be_agent(kv, s, fds[1]);
	}
	(void)close(fds[1]);
	r = pid < 0 ? err_sys(&kv->err, RK_EIO, errno, "agent")
	            : hear(kv, fds[0]);
	if (r == RK_OK)
		r = tell_shell(kv, s, pid, fds[0]);
	(void)close(fds[0]);
	return r;
}

enum rk_err
verb_agent(struct kv *kv)
{
	struct agent_setup s = { 0 };
	struct start st = { .kv = kv, .setup = &s, .fd = -1 };
	char vault[PATH_MAX];
	enum rk_err r;

	if ((r = make_setup(kv, &s, vault)) != RK_OK)
		return r;
	if (!args_flag(kv->args, "foreground"))
		return start_behind(kv, &s);
	s.session_fd = agent_term_session();
	return agent_run(&s, tell_front, &st, &kv->err);
}

/* ---- unlock, lock ---- */

static enum rk_err
put_names(struct kv *kv, struct buf *args)
{
	size_t n;
	const char *const *names = args_operands(kv->args, &n);
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = agent_put_text(args, names[i]);
	return r;
}

static enum rk_err
put_only(struct kv *kv, struct buf *args)
{
	size_t n;
	const char *const *words = args_list(kv->args, "only-for", &n);
	char all[ONLY_MAX] = "";
	size_t used = 0;

	for (size_t i = 0; i < n && used < sizeof(all); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
		    i > 0 ? "\n" : "", words[i]);
	return agent_put_text(args, all);
}

/* Before the passphrase is asked for. */
static enum rk_err
check_limits(struct kv *kv)
{
	size_t n;
	const char *const *words = args_list(kv->args, "only-for", &n);
	const char *why = NULL;
	size_t all = 0;

	if (args_flag(kv->args, "until-sleep") && args_given(kv->args, "for"))
		return kv_fail(
		    kv, RK_EINVAL, "--until-sleep", "not beside --for");
	for (size_t i = 0; i < n; i++) {
		all += strlen(words[i]) + 1;
		why = all > ONLY_MAX ? "is too much" : only_fault(words[i]);
		if (why == NULL && words[i][0] == '\0')
			why = "is empty";
		if (why != NULL)
			return kv_fail(kv, RK_EINVAL,
			    words[i][0] == '\0' ? "--only-for" : words[i], why);
	}
	return RK_OK;
}

static enum rk_err
put_unlock(struct kv *kv, struct buf *args)
{
	const struct rk_secret *key = vault_key(kv->vault);
	struct vault_info info;
	uint64_t ms = 0;
	enum rk_err r;

	if (args_flag(kv->args, "until-sleep"))
		ms = AGENT_FOREVER;
	if (args_given(kv->args, "for")) {
		ms = args_number(kv->args, "for", 0);
		ms = ms == 0 ? AGENT_FOREVER : ms;
	}
	if ((r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK)
		return r;
	if ((r = buf_guard(args, AGENT_REQUEST_MAX)) != RK_OK ||
	    (r = bytes_put_string(args, info.id, VAULT_ID_LEN)) != RK_OK ||
	    (r = bytes_put_string(args, rk_secret_peek(key), VAULT_KEY_LEN)) !=
	        RK_OK ||
	    (r = bytes_put_u64(args, ms)) != RK_OK ||
	    (r = bytes_put_u64(args,
	         args_number(kv->args, "max-uses", AGENT_FOREVER))) != RK_OK ||
	    (r = bytes_put_u8(args, args_flag(kv->args, "confirm"))) != RK_OK ||
	    (r = put_only(kv, args)) != RK_OK ||
	    (r = put_names(kv, args)) != RK_OK)
		return kv_fail(kv, r, "unlock",
		    r == RK_ETOOBIG ? "too many names for one call"
		                    : rk_err_text(r));
	return RK_OK;
}

enum rk_err
verb_unlock(struct kv *kv)
{
	struct bytes answer;
	struct buf args;
	uint32_t opened;
	uint8_t can_ask;
	enum rk_err r;

	if ((r = check_limits(kv)) != RK_OK || (r = kv_open(kv)) != RK_OK ||
	    (r = kv_need_agent(kv, true)) != RK_OK ||
	    (r = kv_unlock(kv)) != RK_OK)
		return r;
	buf_init(&args, AGENT_REQUEST_MAX);
	if ((r = put_unlock(kv, &args)) == RK_OK)
		r = agent_call(kv->agent, AGENT_UNLOCK, &args, NULL, NULL,
		    &answer, &kv->err);
	buf_wipe(&args);
	if (r != RK_OK)
		return r;
	if (!bytes_get_u32(&answer, &opened) ||
	    !bytes_get_u8(&answer, &can_ask))
		return kv_fail(kv, RK_EPROTO, "agent", "an odd answer");
	out_note(&kv->out, "%u key%s open", opened, opened == 1 ? "" : "s");
	kv_advise_ssh(kv);
	if (args_flag(kv->args, "confirm") && can_ask == 0)
		out_note(&kv->out,
		    "the agent has no terminal and no askpass program: who "
		    "waits is in keyvault allow, and answered by keyvault "
		    "allow ID");
	return RK_OK;
}

/* One that was stopped finds the order when it goes on. */
static enum rk_err
close_keys(struct kv *kv, bool stopped, struct buf *args)
{
	struct bytes answer;
	uint32_t n;
	enum rk_err r;

	if (stopped)
		agent_hurry(kv->agent, 1, true);
	r = agent_call(
	    kv->agent, AGENT_LOCK, args, NULL, NULL, &answer, &kv->err);
	if (r == RK_OK && !bytes_get_u32(&answer, &n))
		return kv_fail(kv, RK_EPROTO, "agent", "an odd answer");
	if (r == RK_OK)
		out_note(&kv->out, "%u key%s closed", n, n == 1 ? "" : "s");
	if (r != RK_ETIMEOUT || !stopped)
		return r;
	kv_retry(kv, "kill -KILL of the agent, which closes them at once");
	return err_set(&kv->err, r,
	    "agent: gives no answer, and closes the keys when it goes on");
}

enum rk_err
verb_lock(struct kv *kv)
{
	struct buf args;
	bool stopped;
	enum rk_err r;

	r = kv_need_agent(kv, false);
	stopped = r == RK_ETIMEOUT;
	if (stopped)
		r = kv_call_agent(kv);
	if (r != RK_OK)
		return r;
	buf_init(&args, AGENT_REQUEST_MAX);
	if ((r = put_names(kv, &args)) == RK_OK)
		return close_keys(kv, stopped, &args);
	buf_fini(&args);
	return kv_fail(kv, r, "lock", "too many names for one call");
}

/* ---- allow, deny ---- */

static enum rk_err
put_row(struct table *t, const struct agent_waiting *w)
{
	return table_row(
	    t, (const union cell[]){ { .number = w->id }, { .text = w->name },
	           { .text = w->what }, { .text = w->who },
	           { .number = (int64_t)(w->left_ms / 1000) } });
}

static enum rk_err
list_waiting(struct kv *kv)
{
	static const struct field fields[] = {
		{ .name = "id", .title = "ID", .kind = FIELD_NUMBER },
		{ .name = "key", .title = "KEY" },
		{ .name = "what", .title = "WHAT", .kind = FIELD_SHOWN },
		{ .name = "who", .title = "WHO", .kind = FIELD_SHOWN },
		{ .name = "seconds_left",
		    .title = "SECONDS",
		    .kind = FIELD_NUMBER },
	};
	struct agent_waiting w;
	struct bytes answer;
	struct table *t;
	enum rk_err r;

	r = agent_call(
	    kv->agent, AGENT_WAITING, NULL, NULL, NULL, &answer, &kv->err);
	if (r != RK_OK)
		return r;
	if ((r = table_new(&kv->out, fields, 5, &t)) != RK_OK)
		return kv_fail(kv, r, "agent", rk_err_text(r));
	while (r == RK_OK && answer.left > 0)
		r = agent_get_waiting(&answer, &w) ? put_row(t, &w) : RK_EPROTO;
	table_end(t);
	return r == RK_OK ? r : kv_fail(kv, r, "agent", rk_err_text(r));
}

/* What is said of a number names it. */
static enum rk_err
send_answer(struct kv *kv, const char *word, struct buf *args)
{
	struct bytes answer;
	char why[RK_ERROR_TEXT_LEN];
	enum rk_err r;

	r = agent_call(
	    kv->agent, AGENT_ANSWER, args, NULL, NULL, &answer, &kv->err);
	if (r != RK_ENOENT)
		return r;
	kv_retry(kv, "keyvault allow");
	(void)str_copy(why, sizeof(why), kv->err.text);
	return kv_fail(kv, r, word, why);
}

static enum rk_err
answer_one(struct kv *kv, bool yes, uint64_t ms)
{
	const char *word = kv_operand(kv, 0);
	struct buf args;
	uint64_t id;
	enum rk_err r;

	if (str_parse_u64(word, 1, UINT32_MAX, &id) != RK_OK)
		return kv_fail(
		    kv, RK_EINVAL, word, "is no number of a request");
	buf_init(&args, 64);
	if ((r = bytes_put_u32(&args, (uint32_t)id)) == RK_OK &&
	    (r = bytes_put_u8(&args, yes)) == RK_OK &&
	    (r = bytes_put_u64(&args, ms)) == RK_OK)
		return send_answer(kv, word, &args);
	buf_fini(&args);
	return kv_fail(kv, r, "agent", rk_err_text(r));
}

enum rk_err
verb_allow(struct kv *kv)
{
	enum rk_err r;

	if ((r = kv_need_agent(kv, false)) != RK_OK)
		return r;
	return kv_operand(kv, 0) == NULL
	           ? list_waiting(kv)
	           : answer_one(kv, true, args_number(kv->args, "for", 0));
}

enum rk_err
verb_deny(struct kv *kv)
{
	enum rk_err r;

	if ((r = kv_need_agent(kv, false)) != RK_OK)
		return r;
	return answer_one(kv, false, 0);
}
