/* Numbers as a person sees them at a glance: bars and sparklines of text. */
#include "cli/graph.h"

#include <sys/ioctl.h>

#include "cli/spell.h"

#define USUAL 80
#define EIGHTHS 8

enum graph_signs
graph_signs(void)
{
	return spell_needed() ? GRAPH_ASCII : GRAPH_BLOCKS;
}

unsigned
graph_columns(int fd)
{
	struct winsize ws = { 0 };

	if (ioctl(fd, TIOCGWINSZ, &ws) != 0 || ws.ws_col == 0)
		return USUAL;
	return ws.ws_col;
}

/* value of most as so many parts, rounded; never 0 for what is not 0. */
static unsigned
parts(uint64_t value, uint64_t most, unsigned all)
{
	double share;
	unsigned n;

	if (value == 0 || most == 0)
		return 0;
	share = (double)value / (double)most;
	n = (unsigned)((share > 1 ? 1 : share) * all + 0.5);
	return n == 0 ? 1 : n;
}

enum rk_err
graph_bar(struct buf *b, enum graph_signs signs, unsigned columns,
    uint64_t value, uint64_t most)
{
	static const char *const rest[EIGHTHS] = { "", "\u258f", "\u258e",
		"\u258d", "\u258c", "\u258b", "\u258a", "\u2589" };
	unsigned per = signs == GRAPH_BLOCKS ? EIGHTHS : 1;
	unsigned n = parts(value, most, columns * per);
	enum rk_err r = RK_OK;

	for (unsigned i = 0; r == RK_OK && i < n / per; i++)
		r = buf_put_str(b, per == 1 ? "#" : "\u2588");
	if (r == RK_OK && n % per != 0)
		r = buf_put_str(b, rest[n % per]);
	return r;
}

enum rk_err
graph_spark(struct buf *b, enum graph_signs signs, unsigned columns,
    const uint64_t *values, size_t n)
{
	static const char *const blocks[EIGHTHS] = { "\u2581", "\u2582",
		"\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
	static const char *const ascii[EIGHTHS] = { "_", ".", ":", "-", "=",
		"+", "*", "#" };
	size_t shown = n < columns ? n : columns;
	uint64_t most = 0;
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < n; i++)
		most = values[i] > most ? values[i] : most;
	for (size_t i = 0; r == RK_OK && i < shown; i++) {
		size_t from = i * n / shown, to = (i + 1) * n / shown;
		uint64_t high = 0;
		unsigned step;

		for (size_t j = from; j < to; j++)
			high = values[j] > high ? values[j] : high;
		step = parts(high, most, EIGHTHS);
		step = step == 0 ? 0 : step - 1;
		r = buf_put_str(
		    b, signs == GRAPH_BLOCKS ? blocks[step] : ascii[step]);
	}
	return r;
}
