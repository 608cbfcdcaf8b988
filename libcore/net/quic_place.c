/* What a server's stateless resets grow from. */
#include "net/quic_place.h"

#include "base/be.h"
#include "base/buf.h"
#include "base/crypt.h"
#include "base/fs.h"

#include <assert.h>
#include <string.h>
#include <sys/stat.h>

#define BOOT "/proc/sys/kernel/random/boot_id"
#define BOOT_MAX 64
#define NETWORK "/proc/self/ns/net"
#define LABEL "rpckit quic reset 2" /* and NUL */

/* Unlike /etc/machine-id no two machines of one image have the same. */
static bool
put_boot(struct buf *b)
{
	const size_t had = buf_len(b);

	return fs_read(BOOT, FS_ANY, BOOT_MAX, b, NULL) == RK_OK &&
	       buf_len(b) - had > 1; /* a line's end alone is none */
}

/* Two networks of one machine may have the same addresses. */
static bool
put_network(struct buf *b)
{
	uint8_t number[8];
	struct stat st;

	if (stat(NETWORK, &st) != 0)
		return false;
	(void)be_put64(number, st.st_ino);
	return buf_put(b, number, sizeof(number)) == RK_OK;
}

bool
quic_place_secret(const uint8_t base[QUIC_PLACE_LEN], const struct addr *bound,
    uint8_t out[QUIC_PLACE_LEN])
{
	struct buf b;
	enum rk_err r;
	bool there;

	buf_init(&b, sizeof(LABEL) + BOOT_MAX + 8 + sizeof(bound->u));
	there = buf_put(&b, LABEL, sizeof(LABEL)) == RK_OK && put_boot(&b) &&
	        put_network(&b) && buf_put(&b, &bound->u, bound->len) == RK_OK;
	if (there) {
		r = crypt_hkdf(out, QUIC_PLACE_LEN, base, QUIC_PLACE_LEN, NULL,
		    0, buf_peek(&b), buf_len(&b));
		assert(r == RK_OK); /* it only fails beyond a length */
		(void)r;
	}
	buf_wipe(&b);
	return there;
}
