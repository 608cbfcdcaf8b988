/* What the files of the shell share: its state, and running a line. */
#ifndef RPCSH_SHELL_H
#define RPCSH_SHELL_H

#include "cli/words.h"
#include "held.h"
#include "last.h"
#include "line.h"

#define SHELL_OPTIONS_MAX 64

struct history;

/* After a failure to change the server: with the one before? */
enum shell_stay {
	SHELL_GOES,
	SHELL_STAYS,
	SHELL_STAYS_UNTRUSTED /* the other is there, but not believed */
};

/* What is shown of how long calls take; the words of :time in this order. */
enum shell_time {
	SHELL_TIME_OFF,
	SHELL_TIME_BRIEF, /* of a reply in all */
	SHELL_TIME_ON     /* -t for every call */
};

struct shell {
	struct prog lines; /* main()'s, as the lines see it */
	struct caller by;
	struct held *held; /* one of these; the other is for a change */
	struct held holds[2];
	char *again; /* a server that was not believed, or NULL */
	struct out o;
	/* "--server=..." and the like: what every line has. */
	char *options[SHELL_OPTIONS_MAX];
	size_t n_options;
	char context[SETTINGS_NAME_LEN];
	enum shell_time time;
	bool trace;        /* --trace */
	char *trace_file;  /* --trace-file, or NULL */
	struct last last;  /* reply */
	char *out;         /* --out of the next call, or NULL */
	char *call;        /* the last call, as it was typed */
	bool over;         /* :quit */
	bool more;         /* the line being typed goes on one before */
	bool asks;         /* it is an answer, with a prompt of its own */
	unsigned depth;    /* of scripts in scripts */
	struct line *line; /* NULL: lines are not typed */
	struct history *history;
};

/* Read the options, and pin the context.  Says why not; *status. */
bool shell_open(
    struct shell *s, struct args *a, struct caller *by, int *status);
void shell_close(struct shell *s);
/* The words of a line; the exit status of what it did. */
int shell_run(struct shell *s, const struct words *w);
/* A line as text; RK_EAGAIN: more of it is needed, and nothing was done. */
RK_MUST enum rk_err shell_run_text(
    struct shell *s, const char *text, size_t len, int *status);
/* An option for all lines from now on, "name" or "name=value"; or, off, as if
 * it had never been given.  Says what is wrong with it; the exit status. */
int shell_option(struct shell *s, const char *name, const char *value, bool on);
/* The same as they are now, for what may have to be taken back. */
struct shell_options {
	char *list[SHELL_OPTIONS_MAX];
	size_t n;
};

RK_MUST enum rk_err shell_options_keep(
    const struct shell *s, struct shell_options *kept);
/* They are those again, or are not: either ends what was kept. */
void shell_options_restore(struct shell *s, struct shell_options *kept);
void shell_options_drop(struct shell_options *kept);
/* Connect as the options say, unless it is connected so; the exit status. */
int shell_connect(struct shell *s);
/* The same to another server.  Where that fails and somebody waits for it at
 * the prompt, the connection stays as it is; else there is none, as lines that
 * follow are not meant for the one before.  Nor does it stay as it is for one
 * that is there and not believed, where other options decide about that. */
int shell_change(struct shell *s, bool by_others, enum shell_stay *how);
/* Parse options and words as a line; NULL: said why not. */
struct args *shell_args(struct shell *s, const struct words *w, int *status);
void shell_time(struct shell *s, enum shell_time how);

/* shell_cmds.c: the words of a line that begins with a colon. */
int shell_command(struct shell *s, const struct words *w);
int shell_help(struct shell *s);
/* Names of these commands without the colon, NULL-terminated. */
const char *const *shell_command_names(void);
/* What a command's first operand is, and "on|off" where it is one of these. */
enum complete shell_command_takes(const char *name);
const char *shell_command_operands(const char *name);
/* Is it a verb of the command line under its own name? */
bool shell_command_is_verb(const char *name);

/* shell_opts.c: :set, :connect, :use. */
int shell_set(struct shell *s, const struct words *w);
int shell_reconnect(struct shell *s, const struct words *w);
int shell_use(struct shell *s, const struct words *w);

/* shell_trust.c: the server's key, and what is known of it. */
void shell_trust(const struct shell *s);

/* shell_push.c: what servers send unasked. */
void shell_pushed(
    const struct rk_header *hdr, struct rk_bytes payload, void *arg);
int shell_watch(struct shell *s, const char *subject);

/* script.c: the lines of a file ("-": standard input); the exit status. */
int shell_script(struct shell *s, const char *path, bool keep_going);
/* The same of a text that has this name. */
int shell_script_text(struct shell *s, const char *name, const char *text,
    size_t len, bool keep_going);
int script_main(struct args *a, struct caller *by);

/* shell_main.c: lines typed on a terminal. */
int shell_main(struct args *a, struct caller *by);
/* Is the line one that was typed, and nothing behind it yet?  Then whoever did
 * so sees what becomes of it before there is another one. */
bool shell_is_awaited(const struct shell *s);

/* complete.c: Tab. */
void shell_offer(
    const char *text, size_t len, struct line_offer *out, void *arg);

/* shell_edit.c: the last call, or what becomes of it in an editor. */
int shell_edit(struct shell *s);

/* shell_ask.c: a call's argument field by field. */
int shell_ask(struct shell *s, const char *method);
/* shell_whole.c: all of it, as JSON or by pairs, where the fields are not
 * known: words behind the call's, up to `most`, and one that is the caller's to
 * free.  False: given up. */
bool shell_ask_whole(struct shell *s, struct words *w, size_t most);

#endif
