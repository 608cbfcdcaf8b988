/* The lines of the daemon's log, newest last, and the oldest forgotten. */
#include "model_int.h"

#include <rpckit/log.h>

#include <string.h>

static struct model_line *
line_at(struct model *m, size_t i)
{
	return &m->log[(m->log_first + i) % MODEL_LOG];
}

static struct model_line *
add_line(struct model *m)
{
	if (m->n_log == MODEL_LOG)
		m->log_first = (m->log_first + 1) % MODEL_LOG;
	else
		m->n_log++;
	if (m->log_now < MODEL_LOG)
		m->log_now++;
	return line_at(m, m->n_log - 1);
}

static void
take_line(struct model *m, const struct rk_value *v)
{
	static const char *const levels[] = {
		[RK_LOG_ERROR] = "error",
		[RK_LOG_WARN] = "warn",
		[RK_LOG_INFO] = "info",
		[RK_LOG_DEBUG] = "debug",
	};
	struct model_line *l = add_line(m);

	l->process = m->process;
	l->seq = ctl_number(v, "seq");
	take_text(v, "time", l->time, sizeof(l->time));
	l->level = (int)take_word(v, "level", levels, RK_LOG_DEBUG);
	take_text(v, "subsystem", l->subsystem, sizeof(l->subsystem));
	take_text(v, "text", l->text, sizeof(l->text));
}

/* Those of the answer stand for those that came as events meanwhile. */
enum rk_err
log_answer(struct model *m, const struct rk_value *answer)
{
	const struct rk_value *rows = take_rows(answer);
	uint64_t first;

	if (rows == NULL)
		return RK_EPROTO;
	if (rows->u.list.count == 0)
		return RK_OK;
	first = ctl_number(&rows->u.list.items[0], "seq");
	while (m->log_now > 0 && line_at(m, m->n_log - 1)->seq >= first) {
		m->n_log--;
		m->log_now--;
	}
	for (uint32_t i = 0; i < rows->u.list.count; i++)
		take_line(m, &rows->u.list.items[i]);
	return RK_OK;
}

void
log_line(struct model *m, const struct rk_value *event)
{
	take_line(m, event);
}
