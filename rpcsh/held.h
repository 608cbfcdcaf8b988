/* The connection a shell holds: calls that Ctrl-C cancels, dialing again. */
#ifndef RPCSH_HELD_H
#define RPCSH_HELD_H

#include "target.h"

#include <signal.h>
#include <time.h>

struct held {
	struct target t;
	bool is_open;  /* t is */
	bool hears;    /* Ctrl-C ends what runs, not us */
	bool no_stdin; /* standard input has the lines: nothing else reads it */
	/* What comes unasked, from within calls and held_idle().  NULL: it is
	 * dropped. */
	void (*pushed)(
	    const struct rk_header *hdr, struct rk_bytes payload, void *arg);
	/* Called before anything is written in held_idle(): there may be a line
	 * being typed.  May be NULL. */
	void (*hide)(void *arg);
	void *arg;
	/* held.c's */
	bool dials;         /* a dial is under way */
	bool was_up;        /* it was connected when we last looked */
	bool lost;          /* then it was not, and that has been said */
	bool redials;       /* the connection was lost, and is wanted again */
	uint64_t redial_at; /* us */
	uint64_t pause_us;  /* between two of these */
};

/* From now on SIGINT sets a mark instead of ending us; before: as it was, for
 * the end of that.  NULL: it is a shell that hears it, to its end, and whatever
 * goes on when it comes is to leave off. */
void held_hear_interrupt(struct sigaction *before);
void held_unhear_interrupt(const struct sigaction *before);
bool held_is_shells(void);
/* The mark stays until it is forgotten: by who has ended something for it, and
 * by a shell when a line is over.  Who begins something does not, as it may
 * have come for that already. */
bool held_interrupted(void);
void held_forget_interrupt(void);
/* Readable while there is a mark (-1: there is none), for somebody's loop. */
int held_interrupt_fd(void);
/* Since held_forget_all(), whatever was forgotten meanwhile: for who does one
 * thing after the other, and is to go on with none. */
bool held_stopped(void);
/* It has ended something, and is forgotten: what a shell shows next begins a
 * line.  The exit status. */
int held_canceled(void);
void held_forget_all(void);
/* Wait for fd to be readable, so long (NULL: without a limit) or up to SIGINT,
 * which does not slip past. */
void held_wait_fd(int fd, const struct timespec *limit);

/* As reach_connect(), but for one that is under way. */
RK_MUST enum rk_err held_connect(struct held *h, struct rk_error *err);
/* Let the network do its work without waiting, for somebody who waits for
 * held_fd() (-1: for nothing) at most held_wait_ms(); a lost connection is made
 * again. */
void held_idle(struct held *h);
int held_fd(const struct held *h);
int held_wait_ms(const struct held *h);
bool held_is_up(const struct held *h);
/* The server has said something: it has let us in. */
void held_answered(struct held *h);
/* Something is to be written about t: as `hide`, if a shell holds it. */
void held_hide(const struct target *t);
/* Is t the server that a shell holds while its lines are typed? */
bool held_is_typed(const struct target *t);
/* The same server by the same means: may the one stand for the other? */
bool held_fits(const struct held *h, const struct target *t);
void held_close(struct held *h);

#endif
