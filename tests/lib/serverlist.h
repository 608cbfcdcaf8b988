/* A list of known servers in the scratch folder, for tests. */
#ifndef TESTS_SERVERLIST_H
#define TESTS_SERVERLIST_H

#include "trust/servers.h"

#define SERVERLIST_FILE "servers"
#define SERVERLIST_LINE_MAX 512

/* A server with key number n. */
struct rk_peer serverlist_peer(unsigned n, const char *email);
/* HOST KEY:EMAIL REST, for key number n. */
void serverlist_line(char *dst, const char *host, unsigned n, const char *email,
    const char *rest);
/* rk_servers_put() and rk_servers_look() of key number n; how many lines
 * rk_servers_each() finds. */
enum rk_err serverlist_put(
    const char *address, unsigned n, enum rk_servers_how how);
enum rk_server_is serverlist_look(const char *address, unsigned n);
unsigned serverlist_count(const char *what);

#endif
