/* Channels: a link over a stream of a connection, from its opening to its end.
 */
#include "rpc/chan_int.h"
#include "rpc/client_int.h"
#include "rpc/stream.h"

#include "base/container.h"
#include "base/error.h"
#include "base/str.h"

#include <stdlib.h>

/* A little more than three pieces: calls pass between parts. */
#define PART_CAP RK_STREAM_PART

struct way {
	struct chan_link link;
	struct rk_stream *stream; /* NULL: it has ended */
	/* A server's, until it has been accepted. */
	struct rk_chan *first;
	void (*accept)(
	    struct rk_chan *c, const struct rk_peer *peer, void *arg);
	void *accept_arg;
	struct loop_hook hook;
	uint8_t *part; /* one that waits for room, or NULL */
	size_t part_len;
};

static void
way_free(struct way *w)
{
	rk_chan_close(&w->first);
	loop_hook_remove(w->link.loop, &w->hook);
	chan_link_fini(&w->link);
	free(w->part);
	free(w);
}

/* The end of all its channels; a server's way is gone after. */
static void
fail(struct way *w, const struct rk_error *why)
{
	struct rk_stream *s = w->stream;

	chan_link_fail(&w->link, why);
	if (s == NULL || !w->link.server) {
		/* `ended` comes, and frees it. */
		if (s != NULL)
			rk_stream_cancel(s);
		return;
	}
	(void)rk_stream_fail(s, why->text, NULL, 0);
	way_free(w);
}

/* ---- out ---- */

/* RK_EAGAIN: the stream takes no more now. */
static enum rk_err
send_part(struct way *w)
{
	struct rk_part part = { .payload = { w->part, w->part_len } };
	enum rk_err r = RK_OK;

	if (w->part_len == 0)
		r = chan_pull(&w->link, w->part, PART_CAP, &w->part_len);
	if (r != RK_OK || w->part_len == 0)
		return r;
	part.payload.len = w->part_len;
	r = rk_stream_send(w->stream, &part);
	if (r == RK_OK)
		w->part_len = 0;
	return r;
}

static enum rk_err
flush(struct way *w)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK && (w->part_len > 0 || chan_has_more(&w->link))) {
		if (w->part == NULL && (w->part = malloc(PART_CAP)) == NULL)
			return RK_ENOMEM;
		r = send_part(w);
	}
	if (w->part_len == 0) {
		free(w->part);
		w->part = NULL;
	}
	return r;
}

static void
go_on(struct way *w)
{
	struct rk_error err;
	enum rk_err r;

	if (w->stream == NULL || w->link.dead)
		return;
	r = flush(w);
	/* ECLOSED, ESTATE: its end is on its way. */
	if (r != RK_OK && r != RK_EAGAIN && r != RK_ECLOSED && r != RK_ESTATE) {
		(void)err_set(&err, r, "channels: %s", rk_err_text(r));
		fail(w, &err);
		return;
	}
	/* A client's way ends with the server's answer. */
	if (!w->link.server || w->part_len > 0 || !chan_is_over(&w->link))
		return;
	(void)rk_stream_reply(w->stream, NULL, 0);
	way_free(w);
}

static void
on_hook(struct loop_hook *h)
{
	go_on(container_of(h, struct way, hook));
}

static void
on_wake(struct chan_link *l, void *arg)
{
	struct way *w = arg;

	loop_hook_queue(l->loop, &w->hook);
}

/* ---- in ---- */

static void
accept_first(struct way *w, struct rk_stream *s)
{
	struct rk_chan *first = w->first;

	if (first == NULL || !w->link.greeted)
		return;
	w->first = NULL;
	first->running = true;
	w->accept(first, rk_stream_peer(s), w->accept_arg);
	chan_close_silent(first);
	first->running = false;
	chan_settle(first);
}

/* Who says no greeting never meant channels. */
static void
refuse(struct way *w, struct rk_error *err, enum rk_err r)
{
	if (r == RK_EPROTO && !w->link.greeted)
		(void)err_set(
		    err, RK_EUNSUPPORTED, "the peer does not speak channels");
	/* A client judges the type for itself. */
	if (r == RK_EINVAL && w->link.server)
		(void)flush(w);
	fail(w, err);
}

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct way *w = arg;
	struct rk_error err;
	enum rk_err r;

	if (w->link.dead)
		return;
	if (part->last)
		r = err_set(&err, RK_EPROTO, "channels: the stream ended");
	else
		r = chan_feed(&w->link, part->payload, &err);
	if (r != RK_OK) {
		refuse(w, &err, r);
		return;
	}
	accept_first(w, s);
	loop_hook_queue(w->link.loop, &w->hook);
}

static void
on_writable(struct rk_stream *s, void *arg)
{
	(void)s;
	go_on(arg);
}

static void
describe(
    const struct way *w, const struct rk_reply *reply, struct rk_error *err)
{
	struct rk_str text = reply->remote_error;
	char safe[RK_CHAN_REASON_MAX + 1] = "";

	if (reply->code == RK_ENOMETHOD)
		text = reply->hdr.subject;
	if (reply->code == RK_OK && !w->link.greeted) {
		(void)err_set(
		    err, RK_EUNSUPPORTED, "the peer does not speak channels");
		return;
	}
	(void)rk_escape(safe, sizeof(safe), text.ptr, text.len);
	(void)err_set(err, reply->code == RK_OK ? RK_ECLOSED : reply->code,
	    "%s",
	    safe[0] != '\0'        ? safe
	    : reply->code == RK_OK ? "the server ended the channels"
	                           : rk_err_text(reply->code));
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct way *w = arg;
	struct rk_error err;

	(void)s;
	w->stream = NULL;
	describe(w, reply, &err);
	chan_link_fail(&w->link, &err);
	way_free(w);
}

static const struct rk_stream_events events = {
	.part = on_part,
	.writable = on_writable,
	.ended = on_ended,
};

/* ---- opening ---- */

static bool
may_wait(const struct rk_chan_conf *conf)
{
	uint32_t window = conf->window;
	uint32_t channels = conf->max_channels;

	if (window == 0)
		window = RK_CHAN_WINDOW;
	if (channels == 0)
		channels = RK_CHAN_CHANNELS;
	return conf->max_waiting == 0 ||
	       conf->max_waiting >= chan_hold_least(window, channels);
}

static bool
is_valid(const struct rk_chan_conf *conf)
{
	return conf != NULL && conf->size == sizeof(*conf) &&
	       conf->type != NULL && conf->type[0] != '\0' &&
	       strlen(conf->type) <= RK_CHAN_TYPE_MAX &&
	       (conf->window == 0 || (conf->window >= RK_CHAN_WINDOW_MIN &&
	                                 conf->window <= RK_CHAN_WINDOW_MAX)) &&
	       (conf->max_channels == 0 ||
	           (conf->max_channels >= RK_CHAN_ENDS_MAX &&
	               conf->max_channels <= RK_CHAN_CHANNELS_MAX)) &&
	       may_wait(conf);
}

/* Where TLS would say that the peer is rpckit, it does not.  Elsewhere the
 * greeting tells. */
static bool
is_stranger(const struct session *s)
{
	const char *transport = session_peer(s)->transport;

	return !session_is_kin(s) && (strcmp(transport, "tls") == 0 ||
	                                 strcmp(transport, "quic") == 0);
}

static enum rk_err
way_new(struct rk_loop *loop, bool server, const struct rk_chan_conf *conf,
    struct rk_chan **first, struct way **out)
{
	struct way *w = calloc(1, sizeof(*w));
	enum rk_err r;

	*out = NULL;
	if (w == NULL)
		return RK_ENOMEM;
	r = chan_link_init(&w->link, loop, server, conf, first);
	if (r != RK_OK) {
		free(w);
		return r;
	}
	w->hook.fn = on_hook;
	w->link.wake = on_wake;
	w->link.arg = w;
	*out = w;
	return RK_OK;
}

/* The greeting is what the stream is opened with. */
static enum rk_err
call(struct way *w, struct rk_client *client, const char *method)
{
	uint8_t hello[CHAN_FRAME_MAX];
	struct rk_request req = { .method = method, .payload = hello };
	enum rk_err r;

	r = chan_pull(&w->link, hello, sizeof(hello), &req.payload_len);
	if (r != RK_OK)
		return r;
	return rk_client_stream(
	    client, RK_STREAM_BOTH, &req, &events, w, &w->stream);
}

enum rk_err
rk_chan_open(struct rk_client *client, const char *method,
    const struct rk_chan_conf *conf, const struct rk_chan_events *chan_events,
    void *arg, struct rk_chan **out)
{
	struct rk_error none = { .code = RK_ECANCELED };
	struct rk_chan *first;
	struct way *w;
	enum rk_err r;

	*out = NULL;
	if (!is_valid(conf) || chan_events == NULL ||
	    chan_events->ended == NULL)
		return RK_EINVAL;
	if (client->state == CLIENT_OPEN && is_stranger(client->session))
		return RK_EUNSUPPORTED;
	r = way_new(client->loop, false, conf, &first, &w);
	if (r != RK_OK)
		return r;
	if ((r = call(w, client, method)) == RK_OK &&
	    (r = rk_chan_listen(first, chan_events, arg)) == RK_OK) {
		*out = first;
		return RK_OK;
	}
	chan_link_fail(&w->link, &none);
	rk_chan_close(&first);
	way_free(w);
	return r;
}

static void
serve(struct rk_stream *s, void *arg)
{
	const struct rk_chan_conf *conf = arg;
	struct rk_chan *first;
	struct way *w;

	if (is_stranger(s->owner->session)) {
		(void)rk_stream_fail(
		    s, "channels are for peers that speak rpckit/1", NULL, 0);
		return;
	}
	if (way_new(s->owner->loop, true, conf, &first, &w) != RK_OK) {
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return;
	}
	w->stream = s;
	w->accept = conf->accept;
	w->accept_arg = conf->arg;
	w->first = first;
	rk_stream_listen(s, &events, w);
}

enum rk_err
rk_chan_method(
    const char *name, const struct rk_chan_conf *conf, struct rk_method *out)
{
	*out = (struct rk_method){ .name = name };
	if (name == NULL || !is_valid(conf) || conf->accept == NULL)
		return RK_EINVAL;
	out->args = "channels";
	out->reply = "channels";
	out->stream = serve;
	out->streams = RK_STREAM_BOTH;
	/* Only read. */
	out->arg = (void *)(uintptr_t)conf;
	return RK_OK;
}
