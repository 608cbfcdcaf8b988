/* The limit that sessions are measured against: libsodium and the kernel. */
#include "session.h"

#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAG crypto_aead_chacha20poly1305_ietf_ABYTES
#define NONCE crypto_aead_chacha20poly1305_ietf_NPUBBYTES
#define ROOM 64 /* messages between two looks at the clock */

static const uint8_t key[crypto_aead_chacha20poly1305_ietf_KEYBYTES] = { 1 };

static void
begin(struct run *r, int who)
{
	if (sodium_init() < 0)
		die("libsodium");
	r->began[who] = cpu_ns();
	if (who == 0)
		r->begun = now_ns();
}

static void
set_nonce(uint8_t nonce[NONCE], uint64_t n)
{
	memset(nonce, 0, NONCE);
	memcpy(nonce + 4, &n, sizeof(n));
}

static void
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		const ssize_t n = write(fd, p, len);

		if (n <= 0)
			die("write");
		p += n;
		len -= (size_t)n;
	}
}

void
bare_send(struct run *r)
{
	static uint8_t data[SIZE_MOST];
	static uint8_t sealed[SIZE_MOST + TAG];
	const uint64_t end = now_ns() + r->ns;
	uint8_t nonce[NONCE];

	begin(r, 0);
	for (; r->sent % ROOM != 0 || now_ns() < end; r->sent++) {
		set_nonce(nonce, r->sent);
		while (!has_room(r))
			(void)usleep(NAP_MS * 1000);
		(void)crypto_aead_chacha20poly1305_ietf_encrypt(
		    sealed, NULL, data, r->size, NULL, 0, NULL, nonce, key);
		write_all(r->fd[0], sealed, r->size + TAG);
	}
	if (r->kind == PIPE_UDP)
		write_all(r->fd[0], data, 1); /* which is the end */
	(void)shutdown(r->fd[0], SHUT_WR);
}

/* The whole of a message; 0: there is none. */
static size_t
read_all(struct run *r, uint8_t *p, size_t len)
{
	const ssize_t n = recv(r->fd[1], p, len, MSG_WAITALL);

	if (r->kind == PIPE_UDP && n == 1)
		return 0;
	if (n != 0 && n != (ssize_t)len)
		die("read");
	return (size_t)n;
}

void
bare_receive(struct run *r)
{
	static uint8_t data[SIZE_MOST];
	static uint8_t sealed[SIZE_MOST + TAG];
	uint64_t n = 0;
	uint8_t nonce[NONCE];

	begin(r, 1);
	while (read_all(r, sealed, r->size + TAG) > 0) {
		set_nonce(nonce, n++);
		if (crypto_aead_chacha20poly1305_ietf_decrypt(data, NULL, NULL,
		        sealed, r->size + TAG, NULL, 0, nonce, key) != 0)
			die("a message does not open");
		r->got++;
		note_taken(r);
	}
	r->ended = now_ns();
}
