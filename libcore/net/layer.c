/* Asking and freeing a stack of layers. */
#include "net/layer.h"

bool
layer_attach(struct layer *l, struct loop_ready *ready)
{
	for (; l != NULL; l = l->below) {
		if (l->ops->attach == NULL)
			continue;
		l->ops->attach(l, ready);
		return true;
	}
	return false;
}

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
