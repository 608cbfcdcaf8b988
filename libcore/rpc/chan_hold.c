/* Channels: what a peer makes this program hold, summed up for each link. */
#include "rpc/chan_int.h"

#include <stdlib.h>

/* Windows that may be full at a time, if nothing else is said. */
#define WINDOWS 64

enum rk_err
chan_hold_new(struct chan_hold **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return RK_ENOMEM;
	(*out)->refs = 1;
	return RK_OK;
}

void
chan_hold_release(struct chan_hold *h)
{
	if (h != NULL && --h->refs == 0)
		free(h);
}

void
chan_charge(struct chan_charge *c, struct chan_hold *h, size_t n)
{
	if (c->hold == NULL) {
		c->hold = h;
		h->refs++;
	}
	c->n += n;
	h->sum += n;
}

void
chan_discharge(struct chan_charge *c)
{
	if (c->hold == NULL)
		return;
	c->hold->sum -= c->n;
	chan_hold_release(c->hold);
	*c = (struct chan_charge){ 0 };
}

static size_t
ends_cost(uint32_t max_channels)
{
	return (size_t)max_channels * RK_CHAN_END_COST;
}

size_t
chan_hold_default(uint32_t window, uint32_t max_channels)
{
	if (window < RK_CHAN_WINDOW)
		window = RK_CHAN_WINDOW;
	return (size_t)WINDOWS * window + ends_cost(max_channels);
}

size_t
chan_hold_least(uint32_t window, uint32_t max_channels)
{
	return window + chan_cost(RK_CHAN_MESSAGE_MAX, RK_CHAN_ENDS_MAX) +
	       ends_cost(max_channels);
}
