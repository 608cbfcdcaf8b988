/* Connections that wait for a decision: how many, of whom, from where. */
#include "trust/room_int.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"

void
room_host(const char *url, char *host, size_t host_len)
{
	const char *start = strstr(url, "://");
	const char *end = NULL;

	start = start != NULL ? start + 3 : url;
	if (start[0] == '[') {
		start++;
		end = strchr(start, ']');
	} else {
		end = strrchr(start, ':');
	}
	if (end == NULL || (size_t)(end - start) >= host_len)
		end = start;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
}

void
room_source(const char *url, uint8_t source[CROWD_SOURCE_LEN])
{
	char host[128];

	room_host(url, host, sizeof(host));
	crowd_source(host, source);
}

bool
room_is_bare(const struct rk_peer *peer)
{
	return peer->cert.issuer_cn[0] == '\0' && peer->cert.not_after == 0;
}

static enum rk_err
check_seats(const struct room *r, const struct rk_peer *peer,
    const uint8_t *source, struct rk_error *err)
{
	const char *fp = peer->cert.fp;
	const struct room_seat *s;
	unsigned of_key = 0;
	unsigned of_source = 0;
	unsigned bare = 0;

	TAILQ_FOREACH (s, &r->seats, link) {
		of_key += strcmp(s->fp, fp) == 0;
		of_source += memcmp(s->source, source, CROWD_SOURCE_LEN) == 0;
		bare += s->bare;
	}
	if (r->n_seats >= RK_ASK_CONNS)
		return err_set(err, RK_ELIMIT,
		    "key %s: %d connections wait for decisions already", fp,
		    RK_ASK_CONNS);
	if (room_is_bare(peer) && bare >= RK_ASK_CONNS / RK_ASK_BARE_PART)
		return err_set(err, RK_ELIMIT,
		    "key %s: %d connections with keys that nobody vouches for "
		    "wait for decisions already",
		    fp, RK_ASK_CONNS / RK_ASK_BARE_PART);
	if (of_source >= RK_ASK_CONNS_SOURCE)
		return err_set(err, RK_ELIMIT,
		    "key %s: %d connections from its network wait for "
		    "decisions already",
		    fp, RK_ASK_CONNS_SOURCE);
	if (of_key >= RK_ASK_CONNS_KEY)
		return err_set(err, RK_ELIMIT,
		    "key %s: %d of its connections wait for a decision already",
		    fp, RK_ASK_CONNS_KEY);
	return RK_OK;
}

enum rk_err
room_sit(struct room *r, struct room_seat *seat, const struct rk_peer *peer,
    struct rk_error *err)
{
	uint8_t source[CROWD_SOURCE_LEN];
	struct room_entry *e;
	enum rk_err rv;

	room_source(peer->remote, source);
	(void)pthread_mutex_lock(&r->mutex);
	rv = check_seats(r, peer, source, err);
	if (rv != RK_OK)
		goto out;
	*seat = (struct room_seat){ .room = r, .bare = room_is_bare(peer) };
	(void)str_copy(seat->fp, sizeof(seat->fp), peer->cert.fp);
	memcpy(seat->source, source, sizeof(seat->source));
	TAILQ_INSERT_TAIL(&r->seats, seat, link);
	r->n_seats++;
	if ((e = room_look(r, seat->fp)) != NULL)
		e->pub.conns++;
out:
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

void
room_stand(struct room_seat *seat)
{
	struct room *r = seat->room;
	struct room_entry *e;

	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	TAILQ_REMOVE(&r->seats, seat, link);
	r->n_seats--;
	if ((e = room_look(r, seat->fp)) != NULL && e->pub.conns > 0)
		e->pub.conns--;
	seat->room = NULL;
	(void)pthread_mutex_unlock(&r->mutex);
}
