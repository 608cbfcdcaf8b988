/* One table per program: parser, --help, completion and man page options. */
#ifndef RPCKIT_CLI_CMD_H
#define RPCKIT_CLI_CMD_H

#include "base/buf.h"

enum opt_kind {
	OPT_FLAG, /* no value; Go style: -x=false switches off */
	OPT_TEXT,
	OPT_NUMBER,   /* unsigned, within [min, max] when max > 0 */
	OPT_DURATION, /* milliseconds */
	OPT_SIZE,     /* bytes */
	OPT_CHOICE    /* one of the words in meta: "ask|accept-new|strict" */
};

enum opt_flags {
	OPT_HIDDEN = 1, /* accepted, not shown: the original's words */
	OPT_MANY = 2,   /* may be repeated; args_list() has them all */
	OPT_MAYBE = 4,  /* --name or --name=VALUE; the value never follows as
	                   a word of its own */
	OPT_STEERS = 8, /* with it a verb that only looks changes something */
	OPT_ALONE = 16  /* not beside a verb or an operand */
};

/* What the shell should offer for a value or an operand. */
enum complete {
	COMPLETE_NONE,
	COMPLETE_FILE,
	COMPLETE_DIR,
	COMPLETE_CONTEXT,
	COMPLETE_METHOD,
	COMPLETE_ITEM,    /* of what the method before it takes */
	COMPLETE_SETTING, /* a context, or settings for a new one */
	COMPLETE_KEY,    /* a pair of certificate and key, or one of keyvault */
	COMPLETE_HELD,   /* a file, or keyvault:NAME */
	COMPLETE_PAIR,   /* X=NAME, of keyvault */
	COMPLETE_SERVER, /* one that is known */
	COMPLETE_WORDS   /* the words of meta */
};

struct opt {
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* 0: none */
	enum opt_kind kind;
	const char *meta;  /* "FILE", or the choices */
	const char *about; /* one line, lower case, no full stop */
	const char *env;   /* variable that stands in for it, or NULL */
	enum complete complete;
	unsigned flags;
	uint64_t min;
	uint64_t max;
	/* A hidden other word for the option of this name, of the same table,
	 * which alone says everything else. */
	const char *as;
};

struct args;

/* Returns the exit status. */
typedef int cmd_fn(struct args *a, void *ctx);

/* A verb of a verb: "trust ls". */
struct cmd_word {
	const char *name;
	const char *operands; /* "FP", "MODE", "a|b"; "" for none */
	bool steers;          /* it changes something */
};

struct cmd {
	const char *name;     /* NULL ends a table */
	const char *operands; /* "METHOD [ITEM...]", for help and man */
	const char *about;
	const char *const *examples; /* NULL-terminated, may be NULL */
	const struct opt *opts;      /* own ones, beside the program's */
	enum complete complete;      /* of the first operand */
	enum complete rest;          /* of those behind it; NONE: files */
	unsigned min_operands;
	unsigned max_operands; /* UINT_MAX: any number */
	cmd_fn *run;
	bool steers; /* it changes something; with words they say it */
	/* The i-th of what its first operand may be, NULL behind the last; or
	 * NULL: that is no verb. */
	const struct cmd_word *(*word)(size_t i);
};

struct env_doc {
	const char *name; /* NULL ends */
	const char *about;
};

enum prog_style {
	PROG_GNU, /* --long, -s, clusters; options anywhere; -- ends them */
	PROG_GO   /* -word, --word, -word=v; first operand ends them */
};

struct prog {
	const char *name;
	const char *section;         /* of its man page: "1", "8" */
	const char *about;           /* one line */
	const char *const *usage;    /* forms without the program's name */
	const char *const *examples; /* "command    # what" */
	const struct opt *opts;
	const struct cmd *cmds;  /* NULL: a program without verbs */
	const char *default_cmd; /* taken when the first operand is no verb */
	cmd_fn *run;             /* without cmds, or with no operand at all */
	const struct env_doc *envs;
	const char *see_also; /* "rpcd 8, selfy 1" */
	enum prog_style style;
	const char *features; /* second line of --version */
	const char *where;    /* "FILE:LINE" of the words, or NULL */
	/* What errors say to try, as it is typed where lines of a shell are the
	 * words: into dst, or another text.  NULL: as it is. */
	const char *(*retry)(const char *advice, char *dst, size_t dst_len);
	/* Programs of their own behind a first word: "rpcd ctl ...".  Each is
	 * named NAME WORD; NULL-terminated, may be NULL. */
	const struct prog *const *subs;
	/* The words of a kind that may stand behind the words that a has, as
	 * far as they are there, and for prefix; NULL-terminated, borrowed
	 * until the next call; no network, no question.  May be NULL. */
	const char *const *(*words)(
	    const struct args *a, enum complete kind, const char *prefix);
};

/*
 * All of main(): opens closed descriptors 0-2 on /dev/null, turns core dumps
 * off, ignores SIGPIPE and SIGXFSZ, refuses set-uid use, sets the locale's
 * characters, parses, answers --help, --version, `help [VERB|all]` and the
 * hidden verbs
 * __man (mdoc of OPTIONS, verbs and ENVIRONMENT), __complete (bash|zsh|fish)
 * and __complete-words (KIND PREFIX WORD..., the words before it), then runs
 * the verb and flushes standard output.  Usage errors: the offending part and a
 * try line, exit 2.
 */
int cmd_main(const struct prog *p, int argc, char **argv, void *ctx);

/* What cmd_main() does with the words, for a line of a shell: all but the
 * hidden verbs and what is done to the process. */
int cmd_line(const struct prog *p, int argc, char **argv, void *ctx);

/*
 * Parse only (tests, script lines); argv[0] is the program's name and not
 * looked at.  Copies the words, so argv may go.  The first error's text is in
 * err.  RK_EINVAL, RK_ENOMEM.
 */
RK_MUST enum rk_err cmd_parse(const struct prog *p, int argc, char *const *argv,
    struct args **out, struct rk_error *err);
void args_free(struct args *a);

/* Values by option name; asking for a name not in the tables is a bug and
 * asserts.  Given on the command line, or by its environment variable. */
bool args_given(const struct args *a, const char *name);
bool args_flag(const struct args *a, const char *name);
const char *args_text(
    const struct args *a, const char *name, const char *fallback);
uint64_t args_number(const struct args *a, const char *name, uint64_t fallback);
/* Every value of an OPT_MANY option, in order; *n counts them. */
const char *const *args_list(const struct args *a, const char *name, size_t *n);
/* Is there such an option in the tables at all? */
bool args_known(const struct args *a, const char *name);
/* Did the value come from the environment? */
bool args_from_env(const struct args *a, const char *name);
const char *const *args_operands(const struct args *a, size_t *n);
/* The next option of p's own table that was given on the command line, as one
 * word "--name=value" appended to b; start with *at 0; RK_ENOENT at the end.
 * Options that stand alone, help and the version are passed over. */
RK_MUST enum rk_err args_next_word(
    const struct args *a, size_t *at, struct buf *b);
const struct cmd *args_cmd(const struct args *a); /* NULL: none */
const struct prog *args_prog(const struct args *a);

/* Options every program takes: add COMMON_OPTS to its table. */
#define COMMON_OPTS                                                            \
	{ .name = "help", .letter = 'h', .about = "show this help" },          \
	    { .name = "version", .letter = 'V', .about = "show the version" }, \
	    { .name = "quiet", .about = "no notes on standard error" },        \
	    { .name = "verbose", .about = "more notes on standard error" },    \
	    { .name = "color",                                                 \
		    .kind = OPT_CHOICE,                                        \
		    .meta = "auto|always|never",                               \
		    .complete = COMPLETE_WORDS,                                \
		    .about = "when to use color" },                            \
	    { .name = "json",                                                  \
		    .kind = OPT_CHOICE,                                        \
		    .meta = "1",                                               \
		    .flags = OPT_MAYBE,                                        \
		    .about = "answer in JSON, version 1" },                    \
	{                                                                      \
		.name = "no-input", .about = "never ask; fail instead"         \
	}

#endif
