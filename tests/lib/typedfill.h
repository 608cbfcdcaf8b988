/* Typed structs for tests, filled at random. */
#ifndef TESTS_LIB_TYPEDFILL_H
#define TESTS_LIB_TYPEDFILL_H

#include "typedtypes.h"

/* Everything is made from *seed; frees with rk_typed_free(). */
void typedfill_every(struct every *e, uint64_t *seed);
uint64_t typedfill_next(uint64_t *seed);

#endif
