/* Passphrases: which source, what prompt, how many tries. */
#include "cli/pass.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/pass_src.h"
#include "cli/tty.h"

#define TRIES 3
#define PROMPT_LEN 512
#define ROOM (PASS_MAX + 2) /* one byte too many, and its newline */

enum rk_err
pass_check(const char *spec, struct rk_error *err)
{
	enum pass_kind kind;
	const char *rest;
	enum rk_err r;

	err_clear(err);
	if (spec == NULL)
		return RK_OK;
	if ((r = pass_src_parse(spec, &kind, &rest, err)) != RK_OK)
		return r;
	if (kind == PASS_ENV)
		return pass_src_take_env(rest, err);
	return kind == PASS_FD ? pass_src_check_fd(rest, err) : RK_OK;
}

/* What SSH_ASKPASS_REQUIRE says when no source was named. */
static enum pass_kind
usual_kind(void)
{
	const char *require = getenv("SSH_ASKPASS_REQUIRE");
	const char *own = getenv("RPCKIT_ASKPASS");
	const char *ssh = getenv("SSH_ASKPASS");
	bool there =
	    (own != NULL && *own != '\0') || (ssh != NULL && *ssh != '\0');

	if (require == NULL)
		return PASS_TTY;
	if (strcmp(require, "force") == 0)
		return PASS_ASKPASS;
	return strcmp(require, "prefer") == 0 && there ? PASS_ASKPASS
	                                               : PASS_TTY;
}

/* "Passphrase for CA key certs/ca.key:", "Passphrase for vault F (key K):" */
static void
make_prompt(const struct pass_source *s, const char *path, char *dst)
{
	char shown[PROMPT_LEN / 2];
	char key[PROMPT_LEN / 4];

	str_escape(shown, sizeof(shown), path == NULL ? "" : path);
	str_escape(key, sizeof(key), s->key == NULL ? "" : s->key);
	if (snprintf(dst, PROMPT_LEN, "Passphrase for %s%s%s%s%s%s:",
	        s->what == NULL ? "key" : s->what, *shown == '\0' ? "" : " ",
	        shown, *key == '\0' ? "" : " (key ", key,
	        *key == '\0' ? "" : ")") < 0)
		dst[0] = '\0';
}

static enum rk_err
no_terminal(struct pass_source *s, const char *path, const char *why)
{
	char shown[PROMPT_LEN / 4];

	str_escape(shown, sizeof(shown), path == NULL ? "key" : path);
	return err_set(&s->err, RK_ENOPASS,
	    "%s: %s for a passphrase, give %s file:PATH", shown, why,
	    s->flag == NULL ? "--pass" : s->flag);
}

/* One passphrase from an open terminal. */
static enum rk_err
ask_secret(
    int fd, const char *prompt, struct rk_secret **out, struct rk_error *err)
{
	struct rk_secret *s = NULL;
	char line[PROMPT_LEN + 1];
	size_t len;
	enum rk_err r;

	*out = NULL;
	if (snprintf(line, sizeof(line), "%s ", prompt) < 0)
		return RK_EINVAL;
	if ((r = rk_secret_new(ROOM, &s)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	r = tty_ask(
	    fd, line, false, (char *)rk_secret_data(s), ROOM, &len, err);
	if (r == RK_OK)
		r = pass_src_trim(s, len, err);
	if (r == RK_OK) {
		*out = s;
		s = NULL;
	}
	rk_secret_free(s);
	return r;
}

/* From the terminal, or with fd -1 from the askpass program. */
static enum rk_err
ask_anyone(
    int fd, const char *prompt, struct rk_secret **out, struct rk_error *err)
{
	if (fd >= 0)
		return ask_secret(fd, prompt, out, err);
	return pass_src_get(PASS_ASKPASS, "", prompt, out, err);
}

/* A new passphrase is asked for twice. */
static enum rk_err
ask_twice(
    int fd, const char *prompt, struct rk_secret **out, struct rk_error *err)
{
	struct rk_secret *again = NULL;
	enum rk_err r;

	if ((r = ask_anyone(fd, prompt, out, err)) != RK_OK)
		return r;
	r = ask_anyone(fd, "Again:", &again, err);
	if (r == RK_OK && (rk_secret_len(*out) != rk_secret_len(again) ||
	                      !rk_secret_eq(rk_secret_peek(*out),
	                          rk_secret_peek(again), rk_secret_len(again))))
		r = err_set(err, RK_EINVAL, "the passphrases differ");
	rk_secret_free(again);
	if (r != RK_OK) {
		rk_secret_free(*out);
		*out = NULL;
	}
	return r;
}

/* Slips of a person's fingers get another try. */
static enum rk_err
ask_new(
    int fd, const char *prompt, struct rk_secret **out, struct rk_error *err)
{
	char text[RK_ERROR_TEXT_LEN + 16];
	enum rk_err r;

	for (unsigned i = 1;; i++) {
		r = ask_twice(fd, prompt, out, err);
		if (r != RK_EINVAL || i == TRIES)
			return r;
		if (snprintf(text, sizeof(text), "%s, try again\n", err->text) <
		    0)
			return r;
		if (fd >= 0 && tty_say(fd, text, err) != RK_OK)
			return RK_EIO;
	}
}

static enum rk_err
ask_person(struct pass_source *s, int fd, const char *path, unsigned attempt,
    struct rk_secret **out)
{
	char prompt[PROMPT_LEN];

	make_prompt(s, path, prompt);
	if (s->twice)
		return ask_new(fd, prompt, out, &s->err);
	if (attempt > 0 && fd >= 0 &&
	    tty_say(fd, "wrong passphrase, try again\n", &s->err) != RK_OK)
		return RK_EIO;
	return ask_anyone(fd, prompt, out, &s->err);
}

static enum rk_err
get_tty(struct pass_source *s, const char *path, unsigned attempt,
    struct rk_secret **out)
{
	int fd;
	enum rk_err r;

	if (s->no_input)
		return no_terminal(s, path, "not allowed to ask");
	if (tty_open(&fd, &s->err) != RK_OK)
		return no_terminal(s, path, "no terminal to ask");
	r = ask_person(s, fd, path, attempt, out);
	(void)close(fd);
	return r;
}

/* What the passphrase of this file is called in the agent. */
static const char *
name_in_agent(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	if (slash != NULL)
		return slash + 1;
	return path != NULL ? path : "";
}

/* Where nobody said where from, an agent that has it saves the question. */
static bool
usual_agent(struct pass_source *s, const char *path, struct rk_secret **out)
{
	const char *socket = getenv("KEYVAULT_SOCK");
	bool has;

	if (s->twice || socket == NULL || *socket == '\0' ||
	    *name_in_agent(path) == '\0')
		return false;
	has = pass_src_agent(name_in_agent(path), s->no_input, out, &s->err) ==
	      RK_OK;
	err_clear(&s->err);
	return has;
}

enum rk_err
pass_get(struct pass_source *s, const char *path, unsigned attempt,
    struct rk_secret **out)
{
	enum pass_kind kind = usual_kind();
	const char *rest = "";
	enum rk_err r;

	*out = NULL;
	err_clear(&s->err);
	if (s->spec != NULL &&
	    (r = pass_src_parse(s->spec, &kind, &rest, &s->err)) != RK_OK)
		return r;
	if (s->spec == NULL && attempt == 0 && usual_agent(s, path, out))
		return RK_OK;
	if (attempt >= (kind == PASS_TTY ? TRIES : 1))
		return err_set(&s->err, RK_EPASS, "wrong passphrase");
	if (kind == PASS_TTY)
		return get_tty(s, path, attempt, out);
	if (kind == PASS_AGENT_OF)
		rest = name_in_agent(path);
	if (kind == PASS_AGENT || kind == PASS_AGENT_OF)
		return pass_src_agent(rest, s->no_input, out, &s->err);
	if (kind != PASS_ASKPASS)
		return pass_src_get(kind, rest, NULL, out, &s->err);
	if (s->no_input)
		return no_terminal(s, path, "not allowed to ask");
	return ask_person(s, -1, path, attempt, out);
}

enum rk_err
pass_callback(
    const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	return pass_get(arg, path, attempt, out);
}

enum rk_err
pass_ask(const char *prompt, bool echo, char *answer, size_t answer_len,
    struct rk_error *err)
{
	size_t len;
	int fd;
	enum rk_err r;

	answer[0] = '\0';
	if ((r = tty_open(&fd, err)) != RK_OK)
		return r;
	r = tty_ask(fd, prompt, echo, answer, answer_len, &len, err);
	(void)close(fd);
	if (r == RK_OK && len == answer_len)
		r = err_set(err, RK_ETOOBIG, "answer too long");
	if (r != RK_OK)
		rk_wipe(answer, answer_len);
	else
		answer[len] = '\0';
	return r;
}
