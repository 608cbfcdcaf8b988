/* What a key is open for: words compared with a use. */
#include "agent_only.h"

#include <string.h>

#include <rpckit/key.h>

#include "base/str.h"
#include "purpose.h"

enum kind {
	KIND_NONE,
	KIND_USE,
	KIND_PROGRAM,
	KIND_HOST,
	KINDS
};

static const struct {
	const char *word;
	unsigned use;
} uses[] = {
	{ "file", USE_FILE },
	{ "tls", USE_TLS },
	{ "ssh", USE_SSH },
	{ "ca", USE_CA },
};

static unsigned
use_of(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (strlen(uses[i].word) == len &&
		    memcmp(uses[i].word, word, len) == 0)
			return uses[i].use;
	return 0;
}

static enum kind
kind_of(const char *word, size_t len)
{
	if (use_of(word, len) != 0)
		return KIND_USE;
	if (len > 1 && word[0] == '/')
		return KIND_PROGRAM;
	if (len == RK_FP_LEN - 1 && memcmp(word, "SHA256:", 7) == 0)
		return KIND_HOST;
	return KIND_NONE;
}

const char *
only_fault(const char *words)
{
	size_t len;

	if (strlen(words) >= ONLY_MAX)
		return "is too much";
	for (const char *at = words; *at != '\0';
	     at += len + (at[len] != '\0')) {
		len = strcspn(at, "\n");
		if (kind_of(at, len) == KIND_NONE)
			return "is no purpose (file, tls, ssh, ca), no "
			       "program's "
			       "path and no host key's fingerprint "
			       "(SHA256:...)";
	}
	return NULL;
}

static bool
is(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(word, text, len) == 0;
}

const char *
only_refuses(
    const char *words, unsigned use, const char *program, const char *host)
{
	static const char *const why[KINDS] = {
		[KIND_USE] = "is not open for this use (--only-for)",
		[KIND_PROGRAM] = "is not open for this program (--only-for)",
		[KIND_HOST] = "is open only for a login at another place "
		              "(--only-for)",
	};
	bool there[KINDS] = { false };
	bool fits[KINDS] = { false };
	enum kind kind;
	size_t len;

	for (const char *at = words; *at != '\0';
	     at += len + (at[len] != '\0')) {
		len = strcspn(at, "\n");
		kind = kind_of(at, len);
		there[kind] = true;
		if (kind == KIND_USE)
			fits[kind] = fits[kind] || use_of(at, len) == use;
		else
			fits[kind] =
			    fits[kind] ||
			    is(at, len, kind == KIND_HOST ? host : program);
	}
	for (kind = KIND_USE; kind < KINDS; kind++)
		if (there[kind] && !fits[kind])
			return why[kind];
	return NULL;
}

bool
only_has_host(const char *words)
{
	size_t len;

	for (const char *at = words; *at != '\0';
	     at += len + (at[len] != '\0')) {
		len = strcspn(at, "\n");
		if (kind_of(at, len) == KIND_HOST)
			return true;
	}
	return false;
}
