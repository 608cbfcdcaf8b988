/* The load generator's streams: as many parts as go, one way. */
#include "load.h"
#include "meter.h"

#include "base/error.h"

#include <rpckit/rpckit.h>

#include <stdio.h>
#include <stdlib.h>

struct flow {
	struct rk_ident *ident;
	struct rk_psks *psks;
	struct rk_sshkeys *peers;
	struct rk_client *client;
	struct rk_stream *stream;
	uint8_t *payload;
	struct meter meter;
};

static enum rk_err
open_flow(struct flow *f, const struct args *a, enum rk_stream_kind kind,
    struct rk_error *err)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = a->url,
		.timeouts = { .idle = RK_NEVER },
	};
	struct rk_request req = {
		.method = kind == RK_STREAM_UP ? "up" : "down",
	};
	char size[32];
	enum rk_err r;

	f->payload = calloc(1, a->size + 1);
	if (f->payload == NULL)
		return RK_ENOMEM;
	if (kind == RK_STREAM_DOWN) {
		int n = snprintf(size, sizeof(size), "%zu", a->size);

		req.payload = size;
		req.payload_len = (size_t)n;
	}
	if ((r = load_identity(a, "client", &f->ident, err)) != RK_OK)
		return r;
	if ((r = load_psk(a, &f->psks, err)) != RK_OK ||
	    (r = load_peers(a, &f->peers, err)) != RK_OK)
		return r;
	conf.ident = f->ident;
	conf.psks = f->psks;
	conf.session_peers = f->peers;
	if ((r = rk_client_new(&conf, &f->client, err)) != RK_OK ||
	    (r = rk_client_connect(f->client, err)) != RK_OK)
		return r;
	r = rk_client_stream(f->client, kind, &req, NULL, NULL, &f->stream);
	if (r != RK_OK)
		return err_set(err, r, "stream: %s", rk_err_text(r));
	return meter_start(&f->meter, a, err);
}

/* An answer before its time has the reason. */
static void
close_flow(struct flow *f, enum rk_err r, struct rk_error *err)
{
	struct rk_error why = { 0 };
	struct rk_reply reply;

	if (f->stream != NULL) {
		if (r == RK_OK)
			rk_stream_cancel(f->stream);
		if (rk_stream_finish(f->stream, &reply, &why) != RK_OK &&
		    r != RK_OK && r != RK_ENOMEM)
			*err = why;
		rk_reply_free(&reply);
	}
	rk_client_free(f->client);
	rk_ident_free(f->ident);
	rk_psks_free(f->psks);
	rk_sshkeys_free(f->peers);
	free(f->payload);
}

enum rk_err
load_up(const struct args *a, struct rk_error *err)
{
	struct flow f = { 0 };
	enum rk_err r = open_flow(&f, a, RK_STREAM_UP, err);
	bool more = r == RK_OK;

	while (more) {
		const struct rk_part p = { .payload = { f.payload, a->size } };
		uint64_t begun = meter_now();

		if ((r = rk_stream_put(f.stream, &p, err)) != RK_OK)
			break;
		more = meter_call(&f.meter, begun, meter_now());
	}
	if (r == RK_OK)
		meter_report(&f.meter);
	close_flow(&f, r, err);
	return r;
}

enum rk_err
load_down(const struct args *a, struct rk_error *err)
{
	struct flow f = { 0 };
	struct rk_part part;
	enum rk_err r = open_flow(&f, a, RK_STREAM_DOWN, err);
	bool more = r == RK_OK;

	while (more) {
		uint64_t begun = meter_now();

		if ((r = rk_stream_next(f.stream, &part, err)) != RK_OK)
			break;
		more = meter_call(&f.meter, begun, meter_now());
	}
	if (r == RK_OK)
		meter_report(&f.meter);
	close_flow(&f, r, err);
	return r;
}
