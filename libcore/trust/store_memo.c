/* Keys that the store has nothing to say about, remembered until it changes. */
#include <string.h>

#include "base/str.h"
#include "trust/store.h"

static char *
place_of(struct store_memo *m, const char *fp)
{
	uint32_t h = UINT32_C(0x811c9dc5);

	for (; *fp != '\0'; fp++)
		h = (h ^ (uint8_t)*fp) * UINT32_C(0x01000193);
	return m->fps[(h ^ h >> 16) % STORE_MEMO];
}

enum rk_err
store_memo_ask(
    struct rk_store *s, const char *fp, bool *silent, struct rk_error *err)
{
	struct store_memo *m = &s->memo;
	int64_t version = 0;
	enum rk_err r;

	*silent = false;
	if ((r = store_version(s, &version, err)) != RK_OK)
		return r;
	if (version == m->version && s->writes == m->writes) {
		*silent = strcmp(place_of(m, fp), fp) == 0;
		return RK_OK;
	}
	memset(m->fps, 0, sizeof(m->fps));
	m->version = version;
	m->writes = s->writes;
	return RK_OK;
}

void
store_memo_add(struct rk_store *s, const struct store_row *row, const char *fp)
{
	/* Anything else may come to mean something when time passes. */
	if (row->e.state == RK_STORE_NONE || row->e.state == RK_STORE_KNOWN)
		(void)str_copy(place_of(&s->memo, fp), RK_FP_LEN, fp);
}
