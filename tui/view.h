/* Which rows a tab has, and in which order. */
#ifndef RPCTUI_VIEW_H
#define RPCTUI_VIEW_H

#include "model.h"

#include "cli/ctl.h"

enum tab {
	TAB_CONNS,
	TAB_TRUST,
	TAB_CALLS,
	TAB_KEYS,
	TAB_LOG,
	TAB_COUNT
};

enum row_kind {
	ROW_HEAD,   /* at: how many rows follow it; text: what they are */
	ROW_CONN,   /* at: in model.conns */
	ROW_KEY,    /* in model.keys */
	ROW_CALL,   /* in model.calls */
	ROW_METHOD, /* in the list of model.methods */
	ROW_FACT,   /* in model.status.facts */
	ROW_ASKED,  /* in model.agent.asked */
	ROW_HELD,   /* in model.agent.held */
	ROW_LINE    /* in model.log, from its oldest */
};

struct row {
	enum row_kind kind;
	size_t at;
	const char *text;
};

#define VIEW_FILTER_LEN 64
#define VIEW_ID_LEN 320

/* What a person has chosen for a tab. */
struct view {
	enum tab tab;
	unsigned sort; /* of view_sorts() */
	bool down;
	int level; /* TAB_LOG: the least important one shown */
	/* TAB_TRUST: which of view_shows(); the first is all of them. */
	unsigned show;
	char filter[VIEW_FILTER_LEN];
};

struct rows {
	struct row *v;
	size_t n, cap;
};

/* The rows; what was in `out` before is overwritten.  RK_ENOMEM: some. */
RK_MUST enum rk_err view_rows(
    const struct model *m, const struct view *v, struct rows *out);
void rows_fini(struct rows *r);

/* The names of what a tab can be sorted by; *n is 0 where it cannot. */
const char *const *view_sorts(enum tab tab, size_t *n);
/* The names of what the tab of keys can show, all first. */
const char *const *view_shows(size_t *n);
/* The word that stands for a tab in commands and files. */
const char *view_tab_name(enum tab tab);

/* Does the row hold the needle, in what it shows? */
bool view_holds(const struct model *m, const struct row *r, const char *needle);
/* What names the thing of a row from one time to the next. */
void view_id(const struct model *m, const struct row *r, char id[VIEW_ID_LEN]);

const struct rk_value *view_method(const struct model *m, size_t at);
const struct model_line *view_line(const struct model *m, size_t at);
/* Is it how many days one of the daemon's certificates has left? */
bool view_days(const struct model_fact *f, int64_t *days);
#define VIEW_SOON 30 /* days, that a certificate should have */
/* How many of those do not. */
size_t view_ending(const struct model_status *s);
/* What the daemon says of itself by this name, or NULL. */
const char *view_fact(const struct model_status *s, const char *key);
/* The key of a connection, or NULL. */
const struct model_key *view_key_of(
    const struct model *m, const struct model_conn *c);
/* Who a connection's peer is: its e-mail; without one CN=...; "": neither. */
#define VIEW_WHO 256
const char *view_who(const struct model_conn *c, char dst[VIEW_WHO]);
/* The known key with an e-mail of a changed one, as the daemon says, or NULL.
 */
const struct model_key *view_known_of(
    const struct model *m, const struct model_key *k);
/* Has a changed one more e-mails than the daemon can compare? */
bool view_is_cut(const struct model_key *k);

#endif
