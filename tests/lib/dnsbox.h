/* A tiny DNS server on loopback, and answers by hand: SRV records only. */
#ifndef TESTS_LIB_DNSBOX_H
#define TESTS_LIB_DNSBOX_H

#include "base/buf.h"

#include <netinet/in.h>
#include <pthread.h>

/* Everything here fails the running test when it cannot do its job. */

#define DNS_RECORDS 40
#define DNS_NXDOMAIN 3
#define DNS_TYPE_SRV 33
#define DNS_CLASS_IN 1

struct dns_srv {
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
	const char *host; /* "" is the root: nobody */
};

/* Append parts of a message: its head (for so many answers), a name, a record
 * with these bytes, an SRV record of "x.". */
void dns_put_head(struct buf *b, uint16_t id, unsigned rcode, unsigned n_asked,
    unsigned n_answers);
void dns_put_name(struct buf *b, const char *name);
void dns_put_record(struct buf *b, unsigned type, unsigned class,
    const uint8_t *data, size_t len);
void dns_put_srv(struct buf *b, const struct dns_srv *s);

struct dnsbox {
	int fd;
	struct sockaddr_in addr;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the rest */
	struct dns_srv list[DNS_RECORDS];
	unsigned n;
	unsigned rcode;
	unsigned asked;
	char last[256]; /* the name that was asked for */
};

void dns_start(struct dnsbox *d);
void dns_stop(struct dnsbox *d);
/* What it answers from now on, whatever the name. */
void dns_set(
    struct dnsbox *d, unsigned rcode, const struct dns_srv *list, unsigned n);
unsigned dns_asked(struct dnsbox *d);
/* What it was asked for last must be this. */
void dns_check_last(struct dnsbox *d, const char *name);

#endif
