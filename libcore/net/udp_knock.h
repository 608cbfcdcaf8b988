/* Knocking at a server's UDP port, and looking for its answer. */
#ifndef RPCKIT_NET_UDP_KNOCK_H
#define RPCKIT_NET_UDP_KNOCK_H

#include "net/udp_wrap.h"

/* A connected socket, and a first knock, which proves the key; NULL: none.
 * RK_ECONNECT with errno. */
RK_MUST enum rk_err udp_knock_connect(const struct addr *a,
    const uint8_t nonce[UDP_NONCE_LEN], const struct psk *psk, int *fd,
    struct rk_error *err);
/* Once more; what fails is lost. */
void udp_knock_again(
    int fd, const uint8_t nonce[UDP_NONCE_LEN], const struct psk *psk);
/*
 * RK_OK: there is a cookie, which is left for udp_end_dial(); RK_EAGAIN:
 * nothing yet; RK_ELIMIT: the server takes nobody; RK_ECONNECT with errno in
 * *sys.
 */
RK_MUST enum rk_err udp_knock_look(
    int fd, const uint8_t nonce[UDP_NONCE_LEN], int *sys);

#endif
