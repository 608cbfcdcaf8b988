/* Methods that say what structs they take and give: checked, shown plainly. */
#ifndef RPCSH_TYPED_H
#define RPCSH_TYPED_H

#include "show.h"
#include "target.h"

#include <rpckit/value.h>

/* Ask the server about a method.  *doc is its description, or NULL: the server
 * has none, or is none of those that may be asked.  Fails when no answer came.
 */
RK_MUST enum rk_err typed_describe(struct target *t, const char *method,
    struct rk_value_doc **doc, struct rk_error *err);
/* Did _.describe answer that there is no such method? */
bool typed_is_unknown(const struct rk_reply *reply);
/*
 * Ask the server about a method named "Service.Method".  *doc is its
 * description if it has a schema, else NULL: then nothing is known, and the
 * call itself will say what is wrong.  Fails when no answer came.
 */
RK_MUST enum rk_err typed_ask(struct target *t, const char *method,
    struct rk_value_doc **doc, struct rk_error *err);
/* Has the argument (msgpack) names that the method does not know?  RK_EINVAL:
 * which, and what there is. */
RK_MUST enum rk_err typed_check(
    const struct rk_value *method, struct rk_bytes arg, struct rk_error *err);
/* Both, for some arguments of one method; *doc is that of typed_ask(), the
 * caller's to free.  False: said why not, *status. */
bool typed_may_call(struct target *t, const struct out *o, const char *method,
    const struct rk_bytes *args, size_t n, struct rk_value_doc **doc,
    int *status);
/*
 * A reply of the method that doc is of: the names of what its records have
 * without numbers and types, keys of other maps as they are, times as text;
 * malloc'ed.  RK_EFORMAT: no msgpack.
 */
RK_MUST enum rk_err typed_plain(struct rk_value_doc *doc, struct rk_bytes reply,
    uint8_t **out, size_t *len);
/* Print a reply, or in forms that are not about its bytes what typed_plain()
 * made of it (ptr NULL: nothing).  The exit status. */
int typed_show_either(
    const struct show *show, struct rk_bytes payload, struct rk_bytes plain);
/* Both.  doc: NULL where there is none. */
int typed_show_reply(
    const struct show *show, struct rk_value_doc *doc, struct rk_bytes payload);
/* The records of a description, for people; nothing where there is none. */
void typed_show(const struct out *o, const struct rk_value *method);

#endif
