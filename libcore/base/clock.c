/* The clock that nobody sets. */
#include "base/clock.h"

#include <time.h>

uint64_t
mono_ns(void)
{
	struct timespec ts = { 0 };

	/* It cannot fail where there is such a clock, and there always is. */
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t
mono_us(void)
{
	return mono_ns() / 1000;
}

uint64_t
mono_ms(void)
{
	return mono_ns() / 1000000;
}
