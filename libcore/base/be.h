/* Big-endian numbers in byte strings. */
#ifndef RPCKIT_BASE_BE_H
#define RPCKIT_BASE_BE_H

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

/* The low n bytes of v, at most 8, in the same manner. */
static inline uint8_t *
be_put(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return p + n;
}

static inline uint16_t
be_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
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

/* A number of n bytes, at most 8. */
static inline uint64_t
be_get(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	switch (n) { /* one load each for the widths of msgpack */
	case 1:
		return p[0];
	case 2:
		return be_get16(p);
	case 4:
		return be_get32(p);
	case 8:
		return be_get64(p);
	default:
		for (size_t i = 0; i < n; i++)
			v = v << 8 | p[i];
		return v;
	}
}

#endif
