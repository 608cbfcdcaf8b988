/* A record of the vault as bytes: names, notes, dates, public halves. */
#ifndef KEYVAULT_RECORD_H
#define KEYVAULT_RECORD_H

#include <rpckit/err.h>

#include "base/buf.h"

/* Stored as these numbers. */
enum record_kind {
	RECORD_ED25519 = 1, /* 32 bytes of seed; public: the 32 of the key */
	RECORD_PSK = 2,     /* 32 bytes; public: the 4 of its id */
	RECORD_SECRET = 3   /* any bytes; nothing public */
};

#define RECORD_NAME_MAX 128
#define RECORD_NOTE_MAX 1024
#define RECORD_TAGS_MAX 512 /* comma-separated, all of them */
#define RECORD_PUB_MAX 32
#define RECORD_KEY_LEN 32
#define RECORD_SECRET_MAX 65536
/* Of what record_encode() makes. */
#define RECORD_ABOUT_MAX                                            \
	(64 + RECORD_NAME_MAX + RECORD_NOTE_MAX + RECORD_TAGS_MAX + \
	    RECORD_PUB_MAX)

/* All of a record but its secret. */
struct record {
	int64_t id;
	uint64_t version; /* never twice in a vault */
	enum record_kind kind;
	int64_t created; /* seconds since 1970 */
	int64_t changed;
	int64_t expires; /* 0: never */
	size_t pub_len;
	uint8_t pub[RECORD_PUB_MAX];
	char name[RECORD_NAME_MAX + 1];
	char note[RECORD_NOTE_MAX + 1];
	char tags[RECORD_TAGS_MAX + 1]; /* "a,b" */
};

/* "ed25519" "psk" "secret"; NULL for what is no kind. */
const char *record_kind_name(enum record_kind kind);
RK_MUST enum rk_err record_kind_parse(const char *name, enum record_kind *kind);
/*
 * What is wrong with a name, a note, tags, or NULL.  A name is UTF-8 that can
 * be shown as it is, has no space at its ends and begins with no dash; a note
 * is one such line; tags are such words without commas and spaces.
 */
const char *record_name_fault(const char *name);
const char *record_note_fault(const char *note);
const char *record_tags_fault(const char *tags);
/* What is wrong with the length of a secret of this kind, or NULL. */
const char *record_secret_fault(enum record_kind kind, size_t len);

/* Dates, texts and the public half as bytes, appended.  RK_EINVAL: a text or a
 * length is not allowed.  RK_ENOMEM, RK_ETOOBIG. */
RK_MUST enum rk_err record_encode(const struct record *rec, struct buf *out);
/* The reverse: fills all but id, version and kind, which says what the public
 * half may be.  RK_EFORMAT: anything that record_encode() does not make. */
RK_MUST enum rk_err record_decode(
    const uint8_t *data, size_t len, enum record_kind kind, struct record *out);

#endif
