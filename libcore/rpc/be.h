/* Big-endian numbers in byte strings. */
#ifndef RPCKIT_RPC_BE_H
#define RPCKIT_RPC_BE_H

#include <stddef.h>
#include <stdint.h>

/* Each writes v to p and returns the first byte after. */
static inline uint8_t *
be_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static inline uint8_t *
be_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	return p + 4;
}

static inline uint8_t *
be_put64(uint8_t *p, uint64_t v)
{
	p = be_put32(p, (uint32_t)(v >> 32));
	return be_put32(p, (uint32_t)v);
}

static inline uint32_t
be_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t
be_get64(const uint8_t *p)
{
	return (uint64_t)be_get32(p) << 32 | be_get32(p + 4);
}

/* A number of n bytes: 1, 2, 4 or 8. */
static inline uint64_t
be_get(const uint8_t *p, size_t n)
{
	if (n == 1)
		return p[0];
	if (n == 2)
		return (uint64_t)p[0] << 8 | p[1];
	return n == 4 ? be_get32(p) : be_get64(p);
}

#endif
