/* Judge the library's primitives by test vectors read from standard input. */
#include <rpckit/key.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/crypt.h"
#include "base/str.h"

#define MAX_FIELDS 6
#define MAX_OKM (1UL << 20)

enum outcome {
	REFUSED,
	ACCEPTED,
	WRONG /* taken for good, but what came out is not what should */
};

struct field {
	uint8_t *p; /* NULL for a decimal field */
	size_t n;   /* bytes, or the decimal number */
};

typedef enum outcome judge_fn(const struct field *f);

struct kind {
	const char *name;
	const char *fields;
	size_t count;
	size_t decimal; /* which field is decimal; count: none is */
	judge_fn *judge;
};

static bool
same(const struct field *f, const uint8_t *p, size_t n)
{
	return f->n == n && (n == 0 || memcmp(f->p, p, n) == 0);
}

/* Without memory there is nothing to judge. */
static uint8_t *
new_bytes(size_t n)
{
	uint8_t *p = malloc(n > 0 ? n : 1);

	if (p == NULL) {
		fprintf(stderr, "vectors: out of memory\n");
		exit(1);
	}
	return p;
}

enum aead {
	KEY,
	NONCE,
	AAD,
	MSG,
	CT,
	TAG
};

typedef void seal_fn(uint8_t *out, const void *msg, size_t len, const void *ad,
    size_t ad_len, const uint8_t *nonce, const uint8_t *key);
typedef enum rk_err open_fn(uint8_t *out, const void *sealed, size_t len,
    const void *ad, size_t ad_len, const uint8_t *nonce, const uint8_t *key);

struct aead_fns {
	size_t nonce_len;
	seal_fn *seal;
	open_fn *open;
};

/* Opening decides; what opens must also be what sealing gives. */
static enum outcome
try_aead(const struct field *f, struct field *box, const struct aead_fns *fns)
{
	size_t len = f[CT].n > f[MSG].n ? f[CT].n : f[MSG].n;
	uint8_t *out = new_bytes(len + CRYPT_TAG_LEN);
	enum outcome r = WRONG;

	if (fns->open(out, box->p, box->n, f[AAD].p, f[AAD].n, f[NONCE].p,
	        f[KEY].p) != RK_OK) {
		r = REFUSED;
	} else if (same(&f[MSG], out, f[CT].n)) {
		fns->seal(out, f[MSG].p, f[MSG].n, f[AAD].p, f[AAD].n,
		    f[NONCE].p, f[KEY].p);
		r = same(box, out, f[MSG].n + CRYPT_TAG_LEN) ? ACCEPTED : WRONG;
	}
	free(out);
	return r;
}

static enum outcome
judge_aead(const struct field *f, const struct aead_fns *fns)
{
	struct field box = { .n = f[CT].n + f[TAG].n };
	enum outcome r;

	if (f[KEY].n != CRYPT_KEY_LEN || f[NONCE].n != fns->nonce_len ||
	    f[TAG].n != CRYPT_TAG_LEN)
		return REFUSED;
	box.p = new_bytes(box.n);
	memcpy(box.p, f[CT].p, f[CT].n);
	memcpy(box.p + f[CT].n, f[TAG].p, f[TAG].n);
	r = try_aead(f, &box, fns);
	free(box.p);
	return r;
}

static enum outcome
judge_chacha(const struct field *f)
{
	static const struct aead_fns fns = {
		.nonce_len = CRYPT_CHACHA_NONCE_LEN,
		.seal = crypt_seal,
		.open = crypt_open,
	};

	return judge_aead(f, &fns);
}

static enum outcome
judge_xchacha(const struct field *f)
{
	static const struct aead_fns fns = {
		.nonce_len = CRYPT_XCHACHA_NONCE_LEN,
		.seal = crypt_xseal,
		.open = crypt_xopen,
	};

	return judge_aead(f, &fns);
}

static enum outcome
judge_ed25519(const struct field *f)
{
	if (f[0].n != RK_KEY_PUBLIC_LEN || f[2].n != RK_KEY_SIG_LEN)
		return REFUSED;
	return rk_key_verify(f[0].p, f[1].p, f[1].n, f[2].p) ? ACCEPTED
	                                                     : REFUSED;
}

static enum outcome
judge_x25519(const struct field *f)
{
	uint8_t out[32];

	if (f[0].n != 32 || f[1].n != 32 ||
	    crypt_x25519(out, f[1].p, f[0].p) != RK_OK)
		return REFUSED;
	return same(&f[2], out, sizeof(out)) ? ACCEPTED : WRONG;
}

static enum outcome
judge_hkdf(const struct field *f)
{
	size_t len = f[3].n;
	uint8_t *out = new_bytes(len);
	enum outcome r = REFUSED;

	if (crypt_hkdf(out, len, f[0].p, f[0].n, f[1].p, f[1].n, f[2].p,
	        f[2].n) == RK_OK)
		r = same(&f[4], out, len) ? ACCEPTED : WRONG;
	free(out);
	return r;
}

/* A tag may be cut to its first 16 bytes or more. */
static enum outcome
judge_hmac(const struct field *f)
{
	uint8_t out[CRYPT_HASH_LEN];

	crypt_hmac(out, f[0].p, f[0].n, f[1].p, f[1].n);
	if (f[2].n < 16 || f[2].n > sizeof(out))
		return REFUSED;
	return same(&f[2], out, f[2].n) ? ACCEPTED : REFUSED;
}

#define AEAD_FIELDS "key nonce aad msg ct tag"

static const struct kind kinds[] = {
	{ "aead-chacha", AEAD_FIELDS, 6, 6, judge_chacha },
	{ "aead-xchacha", AEAD_FIELDS, 6, 6, judge_xchacha },
	{ "ed25519", "pk msg sig", 3, 3, judge_ed25519 },
	{ "x25519", "public private shared", 3, 3, judge_x25519 },
	{ "hkdf", "ikm salt info size okm", 5, 3, judge_hkdf },
	{ "hmac", "key msg tag", 3, 3, judge_hmac },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
usage(FILE *to)
{
	fprintf(to, "usage: vectors KIND < FILE\n"
	            "Each line is: ID RESULT FIELD..., between white space.\n"
	            "RESULT is valid, invalid or acceptable (either way "
	            "passes).\n"
	            "Fields are hex, \"-\" or \"\" when empty; size is "
	            "decimal.\n"
	            "KIND and its fields:\n");
	for (size_t i = 0; i < KINDS; i++)
		fprintf(to, "  %-12s  %s\n", kinds[i].name, kinds[i].fields);
}

/* The next word of *line, NUL-terminated; NULL at the end. */
static char *
next_word(char **line)
{
	static const char space[] = " \t\r\n";
	char *word = *line + strspn(*line, space);
	size_t n = strcspn(word, space);

	if (n == 0)
		return NULL;
	*line = word + n;
	if (**line != '\0')
		*(*line)++ = '\0';
	return word;
}

static bool
parse_field(const char *word, bool decimal, struct field *f)
{
	size_t len = strlen(word);
	uint64_t n;

	if (decimal) {
		if (str_parse_u64(word, 0, MAX_OKM, &n) != RK_OK)
			return false;
		f->n = (size_t)n;
		return true;
	}
	if (strcmp(word, "-") == 0 || strcmp(word, "\"\"") == 0)
		len = 0;
	f->p = new_bytes(len / 2);
	return str_unhex(word, len, f->p, len / 2, &f->n) == RK_OK;
}

static bool
parse_fields(const struct kind *k, char *line, struct field *f)
{
	for (size_t i = 0; i < k->count; i++) {
		const char *word = next_word(&line);

		if (word == NULL || !parse_field(word, i == k->decimal, &f[i]))
			return false;
	}
	return next_word(&line) == NULL;
}

/* NULL when the outcome is as said, else what is wrong. */
static const char *
compare(const char *result, enum outcome got)
{
	bool valid = strcmp(result, "valid") == 0;
	bool invalid = strcmp(result, "invalid") == 0;

	if (!valid && !invalid && strcmp(result, "acceptable") != 0)
		return "malformed line";
	if (got == WRONG)
		return "wrong output";
	if (valid && got == REFUSED)
		return "refused, but valid";
	if (invalid && got == ACCEPTED)
		return "accepted, but invalid";
	return NULL;
}

static const char *
run_line(const struct kind *k, char *line, size_t len)
{
	struct field f[MAX_FIELDS] = { { .p = NULL } };
	const char *fault = "malformed line";
	const char *result = NULL;

	/* A NUL inside would hide the rest. */
	if (strlen(line) == len && next_word(&line) != NULL)
		result = next_word(&line);
	if (result != NULL && parse_fields(k, line, f))
		fault = compare(result, k->judge(f));
	for (size_t i = 0; i < k->count; i++)
		free(f[i].p);
	return fault;
}

static int
run(const struct kind *k)
{
	const char *fault;
	char *line = NULL;
	size_t cap = 0;
	unsigned passed = 0;
	unsigned failed = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) >= 0) {
		fault = run_line(k, line, (size_t)len);
		if (fault == NULL) {
			passed++;
			continue;
		}
		failed++;
		fprintf(stderr, "line %u: %s\n", passed + failed, fault);
	}
	if (ferror(stdin)) {
		failed++;
		fprintf(stderr, "line %u: cannot be read\n", passed + failed);
	}
	free(line);
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < KINDS; i++) {
		if (strcmp(argv[1], kinds[i].name) == 0)
			return run(&kinds[i]);
	}
	usage(stderr);
	return 2;
}
