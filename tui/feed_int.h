/* What the parts of the feed share. */
#ifndef RPCTUI_FEED_INT_H
#define RPCTUI_FEED_INT_H

#include "feed.h"

/* What is asked; each of them at most once at a time. */
enum what {
	ASK_STATUS,
	ASK_METHODS,
	ASK_EVENTS,
	ASK_CONNS,
	ASK_CALLS,
	ASK_TRUST,
	ASK_KNOWN,
	ASK_LOG,
	ASK_SERVES,
	N_ASKS
};

struct ask {
	struct feed *feed;
	enum what what;
	bool runs;
	bool again; /* when it has been answered */
	int64_t asked_ms;
};

struct feed {
	struct feed_conf conf;
	struct admin_at at; /* answered: since it was dialed */
	feed_event_fn *event;
	void *event_arg;
	struct rk_client *client;
	struct rk_timer *dial; /* armed: nobody is connected or dialed */
	struct rk_timer *tick;
	struct rk_timer *soon; /* what events made stale */
	uint64_t wait_ms;      /* before the next dial */
	int64_t maps_ms;       /* all of each connection was asked for */
	struct ask asks[N_ASKS];
	bool open; /* calls can be made */
	bool whole;
	bool paused;
	bool wants_methods; /* as often as for figures */
	uint64_t calls_of;  /* events of this connection's; 0: no */
	bool failed;        /* the trouble has been told already */
	bool freed;
};

#endif
