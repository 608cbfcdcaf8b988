/* The typed methods that tests call: Arith, as in the captures, and more. */
#ifndef TESTS_LIB_ARITH_H
#define TESTS_LIB_ARITH_H

#include "rpcrig.h"

#include <rpckit/typed.h>

struct arith_args {
	int64_t a;
	int64_t b;
};
struct arith_reply {
	int64_t c;
};
extern const struct rk_record arith_args, arith_reply;
extern const struct rk_typed arith_add;

/*
 *	Arith.Add   C = A + B
 *	Arith.Div   C = A / B, or "divide by zero"
 *	Arith.Mul   A must be in 1 to 9, B must be there
 *	Arith.Hold  deferred, to be answered by the test (rig->held)
 *	Arith.Big   an answer that is too large
 *	Arith.None  takes and gives nothing
 *	Every.Echo  struct every
 *	Raw.Echo    the payload back, untyped
 *	Raw.Fail    the same with an error
 *	Raw.Work    the same on a work thread, if the server has any
 *	Raw.Guarded as Raw.Echo, while rig->allowed
 */
extern const struct rk_typed arith_mul, arith_big, arith_none, every_echo;

/* Serve these instead; on every loop when it returns. */
void arith_serve(struct rpcrig *rig);

#endif
