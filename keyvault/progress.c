/* What takes long says on a person's terminal how far it is. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "keyvault.h"

#define PATIENCE_MS 1000
#define REDRAW_MS 200

void
kv_progress(struct kv *kv, struct vault *v, const char *what)
{
	struct kv_bar *bar = &kv->bar;

	kv_progress_hide(kv);
	bar->what = what;
	bar->on = what != NULL && !kv->out.quiet && kv->out.form == OUT_TEXT &&
	          isatty(STDERR_FILENO) == 1;
	if (bar->on)
		bar->begun = mono_ms();
	if (v != NULL)
		vault_progress(v, bar->on ? kv_progress_at : NULL, kv);
}

void
kv_progress_at(uint64_t done, uint64_t of, void *arg)
{
	struct kv *kv = arg;
	struct kv_bar *bar = &kv->bar;
	uint64_t now;

	if (!bar->on)
		return;
	now = mono_ms();
	if (done == of) {
		kv_progress_hide(kv);
	} else if (now - bar->begun >= PATIENCE_MS &&
	           now - bar->drawn >= REDRAW_MS) {
		(void)fprintf(stderr, "\r\033[Kkeyvault: %s: %llu of %llu",
		    bar->what, (unsigned long long)done,
		    (unsigned long long)of);
		bar->drawn = now;
	}
}

void
kv_progress_hide(struct kv *kv)
{
	if (kv->bar.drawn != 0)
		(void)fprintf(stderr, "\r\033[K");
	kv->bar.drawn = 0;
}
