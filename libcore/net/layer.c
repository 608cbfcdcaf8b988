/* Asking and freeing a stack of layers. */
#include "net/layer.h"

bool
layer_query(struct layer *l, enum layer_query what, void *out)
{
	for (; l != NULL; l = l->below) {
		if (l->ops->query(l, what, out))
			return true;
	}
	return false;
}

void
layer_free(struct layer *l)
{
	if (l != NULL)
		l->ops->free(l);
}
