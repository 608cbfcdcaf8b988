/* A control of a rig, and who asks it, in tests. */
#ifndef TESTS_LIB_CTLRIG_H
#define TESTS_LIB_CTLRIG_H

#include <rpckit/control.h>

#include "rpcrig.h"

/* Its program can drain and stop, which it notes, and not reload. */
struct ctl {
	struct rpcrig *rig;
	struct rk_control *control;
	struct rk_control_conf conf;
	char path[512];
	char view[512];
	struct rk_error err;
	enum rk_err r;
	unsigned done;
	char told[16]; /* lock; by the control, what the program has to do */
};

/* What was pushed, as lines of JSON. */
struct ctlnews {
	unsigned n;
	unsigned losses; /* of these: how often some were lost, */
	uint64_t lost;   /* and how many */
	char last[1024];
	char all[65536];
};

/* Paths and conf; and made on the rig's loop: see r, err. */
void ctl_init(struct ctl *c, struct rpcrig *r);
void ctl_make(struct rpcrig *r, void *arg);
/* Both, which must succeed. */
void ctl_begin(struct ctl *c, struct rpcrig *r);
/* What the program was told last. */
void ctl_was_told(struct ctl *c, const char *what);
/* The same of a server that is begun for it. */
void ctl_start(struct ctl *c, struct rpcrig *r, const struct rpcrun *run);
/* Stopped and freed; no socket is left. */
void ctl_end(struct ctl *c);
/* And the server after it. */
void ctl_stop(struct ctl *c, struct rpcrig *r);

/* A connected client of one of the sockets. */
struct rk_client *ctl_visit(const char *path, struct ctlnews *news);
/* Until it has lost its connection. */
void ctl_await_gone(struct rk_client *c);
/* The answer as JSON, or the error's text; the next one takes its place. */
const char *ctl_ask(struct rk_client *c, const char *method, const void *arg,
    size_t len, enum rk_err *code);
/* The same without an argument, and it must succeed. */
const char *ctl_get(struct rk_client *c, const char *method);
/* That answer when it has this text, or has it no more.  `c`, where there is
 * one, goes on meanwhile: what it has submitted may need it to. */
const char *ctl_await(struct rk_client *v, const char *method, const char *what,
    bool there, struct rk_client *c);
/* With {key: value}; value NULL: without. */
enum rk_err ctl_order(struct rk_client *c, const char *method, const char *key,
    const char *value);
unsigned ctl_count(const char *text, const char *what);
void ctl_has(const char *text, const char *what);
void ctl_await_news(
    struct rk_client *c, struct ctlnews *news, const char *what);

#endif
