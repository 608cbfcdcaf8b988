/* Memory that the objects of a loop share: scratch, and blocks for buffers. */
#include "net/loop_int.h"

#include <assert.h>
#include <stdlib.h>

/* The most one loop keeps for its connections while none uses it. */
#define BLOCK_MIN 1024
#define BLOCK_NEW 4096
#define BLOCK_MAX (2u << 20)
#define BYTES_MAX (4u << 20)

enum rk_err
loop_mem_init(struct rk_loop *loop)
{
	for (size_t i = 0; i < LOOP_SCRATCHES; i++) {
		loop->scratch[i] = malloc(LOOP_SCRATCH_LEN);
		if (loop->scratch[i] == NULL)
			return RK_ENOMEM;
	}
	return RK_OK;
}

void
loop_mem_fini(struct rk_loop *loop)
{
	assert(loop->shared == NULL);
	for (size_t i = 0; i < LOOP_SCRATCHES; i++)
		free(loop->scratch[i]);
	for (size_t i = 0; i < loop->n_blocks; i++)
		free(loop->blocks[i].data);
	loop->n_blocks = 0;
}

uint8_t *
loop_scratch(struct rk_loop *loop, enum loop_scratch which)
{
	return loop->scratch[which];
}

void **
loop_shared(struct rk_loop *loop)
{
	return &loop->shared;
}

static struct loop_block
take_at(struct rk_loop *loop, size_t i)
{
	struct loop_block block = loop->blocks[i];

	loop->n_blocks--;
	loop->block_bytes -= block.cap;
	for (; i < loop->n_blocks; i++)
		loop->blocks[i] = loop->blocks[i + 1];
	return block;
}

static void
insert(struct rk_loop *loop, struct loop_block block)
{
	size_t i = loop->n_blocks++;

	for (; i > 0 && loop->blocks[i - 1].cap > block.cap; i--)
		loop->blocks[i] = loop->blocks[i - 1];
	loop->blocks[i] = block;
	loop->block_bytes += block.cap;
}

void
loop_buf_take(struct rk_loop *loop, size_t need, struct buf *b)
{
	struct loop_block block;
	size_t i = 0;

	if (b->data != NULL)
		return;
	while (i + 1 < loop->n_blocks && loop->blocks[i].cap <= need)
		i++;
	if (loop->n_blocks > 0)
		block = take_at(loop, i);
	else if ((block.data = malloc(BLOCK_NEW)) != NULL)
		block.cap = BLOCK_NEW;
	else
		return;
	b->data = block.data;
	b->cap = block.cap;
	b->head = b->tail = 0;
}

void
loop_buf_give(struct rk_loop *loop, struct buf *b)
{
	struct loop_block block = { .data = b->data, .cap = b->cap };

	if (block.data == NULL)
		return;
	if (block.cap < BLOCK_MIN || block.cap > BLOCK_MAX ||
	    loop->block_bytes + block.cap > BYTES_MAX) {
		buf_fini(b);
		return;
	}
	/* Of too many the smallest goes. */
	if (loop->n_blocks == LOOP_BLOCKS)
		free(take_at(loop, 0).data);
	insert(loop, block);
	*b = (struct buf){ .max = b->max };
}
