/* Sections [files NAME] of the settings. */
#include "keys.h"

#include <stdlib.h>

#define MAX_SIZE ((uint64_t)1 << 30)
#define MIN_FREE ((uint64_t)64 << 20)
#define TIMEOUT 300000
#define CONCURRENCY 16

struct folder_conf *
folders_find(struct settings *s, const char *name, const struct origin *from)
{
	struct folder_conf *f = s->folders;

	for (size_t i = 0; i < s->n_folders; i++) {
		if (strcmp(f[i].name, name) == 0)
			return &f[i];
	}
	f = reallocarray(f, s->n_folders + 1, sizeof(*f));
	if (f == NULL)
		return NULL;
	s->folders = f;
	f += s->n_folders;
	*f = (struct folder_conf){ .name = strdup(name),
		.from = *from,
		.max_size = MAX_SIZE,
		.max_total = METHOD_NO_LIMIT,
		.min_free = MIN_FREE,
		.timeout = TIMEOUT,
		.concurrency = CONCURRENCY };
	if (f->name == NULL)
		return NULL;
	s->n_folders++;
	return f;
}

/* Would a [method] of this name stand in the way? */
static bool
is_method(const struct settings *s, const char *folder, const char *what)
{
	size_t len = strlen(folder);

	for (size_t i = 0; i < s->n_methods; i++) {
		const char *name = s->methods[i].name;

		if (strncmp(name, folder, len) == 0 &&
		    strcmp(name + len, what) == 0)
			return true;
	}
	return false;
}

/* The demo client knows one name only. */
static bool
is_second(const struct settings *s, const struct folder_conf *f)
{
	for (const struct folder_conf *p = s->folders; p < f; p++) {
		if (p->rpc25519)
			return true;
	}
	return false;
}

const char *
folders_fault(const struct settings *s, const struct folder_conf *f)
{
	if (strlen(f->name) + strlen(".put") > RK_NAME_MAX)
		return "the name is too long";
	if (f->root == NULL)
		return "it has no root";
	if (!f->put && !f->get)
		return "neither put nor get is yes";
	if (f->rpc25519 && !f->get)
		return "rpc25519 = yes needs get = yes";
	if (f->rpc25519 && is_second(s, f))
		return "another section has rpc25519 = yes already";
	if (is_method(s, f->name, ".put") || is_method(s, f->name, ".get"))
		return "a [method] has the name of one of its methods";
	return NULL;
}

void
folders_free(struct settings *s)
{
	for (size_t i = 0; i < s->n_folders; i++) {
		for (const struct key *k = keys_files; k->name != NULL; k++)
			keys_clear(k, &s->folders[i]);
		free(s->folders[i].name);
	}
	free(s->folders);
}

mode_t
settings_mode(const struct folder_conf *f)
{
	/* By the words of the key. */
	static const mode_t modes[] = { 0600, 0640, 0644, 0660, 0664 };

	return modes[f->mode];
}
