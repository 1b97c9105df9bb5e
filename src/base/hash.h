/* base/hash.h - digests and their spellings, over libcrypto.
 * Effects:   none.
 * Ownership: results are written into the caller's buffer or arena.
 * Units:     bytes. */
#ifndef SERIN_BASE_HASH_H
#define SERIN_BASE_HASH_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"

#define HASH_SHA1_BYTES   20
#define HASH_SHA256_BYTES 32

void hash_sha1(const void *bytes, size_t len, unsigned char out[HASH_SHA1_BYTES]);
void hash_sha256(const void *bytes, size_t len, unsigned char out[HASH_SHA256_BYTES]);
/* A 16-byte fingerprint (the first half of SHA-256) for caches and drift. */
void hash_fingerprint(const void *bytes, size_t len, unsigned char out[16]);

/* Keyed: RFC 2104 with SHA-256. */
void hash_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
                      unsigned char out[HASH_SHA256_BYTES]);
/* The same with SHA-1, for those who still sign by it. */
void hash_hmac_sha1(const void *key, size_t key_len, const void *bytes, size_t len,
                    unsigned char out[HASH_SHA1_BYTES]);
/* Whether two secrets are the same, in a time that tells nothing of where they differ. */
bool hash_secret_equal(const char *a, const char *b);
/* An RSA signature as JSON Web Signatures have it (RS256). `pem` holds the private key, not encrypted; texts of errors hold
 * nothing of it. */
MUST_USE struct err *hash_sign_rs256(struct arena *mem, const char *pem, const void *bytes,
                                     size_t len, unsigned char **out, size_t *out_len);

/* When a certificate ends, Unix time in seconds, of the first one in a PEM text. False: there is none that can be read. */
bool hash_certificate_end(const char *pem, int64_t *out_s);

const char *hash_hex(struct arena *mem, const unsigned char *bytes, size_t len); /* lower case */
const char *hash_base64(struct arena *mem, const void *bytes,
                        size_t len); /* standard alphabet, padded */
const char *hash_base64url(struct arena *mem, const void *bytes,
                           size_t len); /* URL alphabet, no padding */
/* Standard alphabet, padding required, white space ignored. ERR_INVALID otherwise. */
MUST_USE struct err *hash_base64_parse(struct arena *mem, const char *text, size_t len,
                                       unsigned char **out, size_t *out_len);

#endif
