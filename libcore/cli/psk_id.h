/* A short name for a pre-shared key, to compare both ends by. */
#ifndef RPCKIT_CLI_PSK_ID_H
#define RPCKIT_CLI_PSK_ID_H

#include <stdint.h>

#define PSK_LEN 32
#define PSK_ID_LEN 4
#define PSK_ID_TEXT 10 /* with NUL */

/* Too little of a hash to say anything about the key. */
void psk_id(const uint8_t key[PSK_LEN], uint8_t id[PSK_ID_LEN]);
/* "7b1f 09aa" */
void psk_id_text(const uint8_t id[PSK_ID_LEN], char text[PSK_ID_TEXT]);

#endif
