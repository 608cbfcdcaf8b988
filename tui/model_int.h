/* What the parts of the model share. */
#ifndef RPCTUI_MODEL_INT_H
#define RPCTUI_MODEL_INT_H

#include "model.h"

#include "cli/ctl.h"

/* ---- model_take.c: members of a map; v may be NULL or no map ---- */

/* Cut to fit, "" when it is not there; a NUL in it is shown as one. */
void take_text(
    const struct rk_value *map, const char *key, char *dst, size_t len);
/* Who somebody is to people: the e-mail, else CN=..., else "". */
void take_name(const struct rk_value *row, char *dst, size_t len);
/* The same, but it loses its beginning: a '~' is there then. */
void take_end(
    const struct rk_value *map, const char *key, char *dst, size_t len);
void take_str(const struct rk_value *v, char *dst, size_t len);
bool take_bool(const struct rk_value *map, const char *key);
/* `now` less the member, or 0 of it when it is not there. */
int64_t take_ago(const struct rk_value *map, const char *key, int64_t now);
/* The place of the member in the words; n when it is none of them. */
size_t take_word(const struct rk_value *map, const char *key,
    const char *const *words, size_t n);
/* A list of maps, or NULL. */
const struct rk_value *take_rows(const struct rk_value *v);

/* `sum`, or the largest number. */
uint64_t add_capped(uint64_t a, uint64_t b);
/* A second, from so much in so many milliseconds; 0 when it went back. */
uint64_t rate_of(uint64_t before, uint64_t after, int64_t ms);

/* ---- the rest ---- */

RK_MUST enum rk_err status_answer(
    struct model *m, const struct rk_value *answer, int64_t now);
void status_trust(struct model *m, const struct rk_value *trust);

RK_MUST enum rk_err conns_answer(
    struct model *m, const struct rk_value *answer, int64_t now);
/* model_brief.c: the same of an answer that has lists of figures among its
 * rows, for those that are known. */
RK_MUST enum rk_err conns_brief(struct model *m, const struct rk_value *rows,
    uint64_t left_out, int64_t now);
/* model_conns.c, what that needs: a row, and what is known of it since the
 * answer before (or NULL); room; does one that the answer lacks stay? */
enum model_state conns_state(const char *word);
void conns_read(struct model *m, struct model_conn *c,
    const struct rk_value *row, const struct model_conn *old, int64_t now);
RK_MUST enum rk_err conns_reserve(struct model *m, size_t n);
bool conns_outlives(struct model_conn *c, bool all, int64_t now);
RK_MUST enum rk_err conns_reindex(struct model *m);
RK_MUST enum rk_err conns_opened(
    struct model *m, const struct rk_value *event, int64_t now);
RK_MUST enum rk_err conns_closed(
    struct model *m, const struct rk_value *event, int64_t now);
/* Those that are gone, shown long enough. */
void conns_tick(struct model *m, int64_t now);
/* New connections with a key that waits are waiting, others are new. */
void conns_mark(struct model *m);
void conns_clear(struct model *m);

RK_MUST enum rk_err calls_answer(
    struct model *m, const struct rk_value *answer, int64_t now);

/* known: of the file's lines; else of what waits or was decided. */
RK_MUST enum rk_err keys_answer(
    struct model *m, const struct rk_value *answer, bool known);
RK_MUST enum rk_err keys_event(
    struct model *m, const char *word, const struct rk_value *event);
void keys_clear(struct model *m);
/* False: it says nothing that we know. */
bool keys_read(struct model_key *k, const struct rk_value *row);
/* model_parts.c: one more answer of a list.  whole: that was all of it, which
 * is in part->keys.  RK_ENOMEM. */
RK_MUST enum rk_err part_add(struct model_part *p,
    const struct rk_value *answer, const struct rk_value *rows, bool listed,
    bool *whole);
void part_clear(struct model_part *p);

RK_MUST enum rk_err log_answer(struct model *m, const struct rk_value *answer);
void log_line(struct model *m, const struct rk_value *event);

#endif
