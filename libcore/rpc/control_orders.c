/* What a control has the program do: log more, reload, end. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "rpc/topic.h"

void
control_on_level(struct rk_call *call, void *arg)
{
	struct rk_str word = topic_asked(rk_call_payload(call), "level");
	int level = control_level(word);

	(void)arg;
	if (level < 0) {
		(void)rk_call_fail(call,
		    "it takes {level: error, warn, info or debug}", NULL, 0);
		return;
	}
	rk_log_set_level((enum rk_log_level)level);
	log_event(RK_LOG_INFO, "control", "log level is %s now",
	    control_level_name((enum rk_log_level)level));
	(void)rk_call_reply(call, NULL, 0);
}

static void
hand_over(struct rk_call *call, rk_handler_fn *fn, void *arg)
{
	if (fn == NULL)
		(void)rk_call_fail(
		    call, "this program cannot do that", NULL, 0);
	else
		fn(call, arg);
}

void
control_on_reload(struct rk_call *call, void *arg)
{
	const struct rk_control *c = ((const struct control_end *)arg)->control;

	hand_over(call, c->reload, c->arg);
}

void
control_on_drain(struct rk_call *call, void *arg)
{
	const struct rk_control *c = ((const struct control_end *)arg)->control;

	hand_over(call, c->drain, c->arg);
}

void
control_on_stop(struct rk_call *call, void *arg)
{
	const struct rk_control *c = ((const struct control_end *)arg)->control;

	hand_over(call, c->stop, c->arg);
}
