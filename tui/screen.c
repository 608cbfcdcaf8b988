/* What is shown on a terminal. */
#include "screen.h"

#include "tui.h"

int
screen_run(const struct screen_conf *conf)
{
	const struct out out = { .prog = "rpctui" };

	return tui_plain(&out, conf->loop, conf->feed, conf->model);
}
