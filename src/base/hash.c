#include "base/hash.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void digest(const EVP_MD *algorithm, const void *bytes, size_t len, unsigned char *out)
{
    int ok = EVP_Digest(len ? bytes : "", len, out, NULL, algorithm, NULL);
    ASSERT(ok == 1 && "libcrypto lacks a digest");
}

void hash_sha1(const void *bytes, size_t len, unsigned char out[HASH_SHA1_BYTES])
{
    digest(EVP_sha1(), bytes, len, out);
}

void hash_sha256(const void *bytes, size_t len, unsigned char out[HASH_SHA256_BYTES])
{
    digest(EVP_sha256(), bytes, len, out);
}

void hash_fingerprint(const void *bytes, size_t len, unsigned char out[16])
{
    unsigned char full[HASH_SHA256_BYTES];
    hash_sha256(bytes, len, full);
    memcpy(out, full, 16);
}

static void sign(const EVP_MD *algorithm, const void *key, size_t key_len, const void *bytes,
                 size_t len, unsigned char *out)
{
    ASSERT(key_len <= INT32_MAX);
    const unsigned char *made = HMAC(algorithm, key_len ? key : "", (int)key_len,
                                     len ? bytes : (const void *)"", len, out, NULL);
    ASSERT(made && "libcrypto lacks HMAC");
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
                      unsigned char out[HASH_SHA256_BYTES])
{
    sign(EVP_sha256(), key, key_len, bytes, len, out);
}

void hash_hmac_sha1(const void *key, size_t key_len, const void *bytes, size_t len,
                    unsigned char out[HASH_SHA1_BYTES])
{
    sign(EVP_sha1(), key, key_len, bytes, len, out);
}

DEFINE_SCOPED(BIO, BIO_free_all)
DEFINE_SCOPED(EVP_PKEY, EVP_PKEY_free)
DEFINE_SCOPED(EVP_MD_CTX, EVP_MD_CTX_free)
DEFINE_SCOPED(X509, X509_free)

/* Without one, libcrypto would ask the terminal for the key's password. */
static int no_password(char *buf, int size, int is_writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)is_writing;
    (void)ctx;
    return -1;
}

struct err *hash_sign_rs256(struct arena *mem, const char *pem, const void *bytes, size_t len,
                            unsigned char **out, size_t *out_len)
{
    SCOPED(BIO_free_all) BIO *text = BIO_new_mem_buf(pem, -1);
    SCOPED(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(text && ctx);
    SCOPED(EVP_PKEY_free) EVP_PKEY *key = PEM_read_bio_PrivateKey(text, NULL, no_password, NULL);
    ERR_clear_error();
    if (!key || EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
        return err_new(ERR_INVALID, "the private key is not an RSA key in PEM that can be read");
    size_t size = (size_t)EVP_PKEY_size(key);
    *out = arena_alloc(mem, size);
    *out_len = size;
    bool is_signed = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                     EVP_DigestSign(ctx, *out, out_len, len ? bytes : (const void *)"", len) == 1;
    ERR_clear_error();
    return is_signed ? NULL : err_new(ERR_INVALID, "the private key cannot sign");
}

bool hash_certificate_end(const char *pem, int64_t *out_s)
{
    struct tm when;
    SCOPED(BIO_free_all) BIO *text = BIO_new_mem_buf(pem, -1);
    ASSERT(text);
    SCOPED(X509_free) X509 *certificate = PEM_read_bio_X509(text, NULL, no_password, NULL);
    bool is_read = certificate && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) == 1;
    ERR_clear_error();
    if (is_read)
        *out_s = (int64_t)timegm(&when);
    return is_read;
}

bool hash_secret_equal(const char *a, const char *b)
{
    unsigned char left[HASH_SHA256_BYTES], right[HASH_SHA256_BYTES];
    hash_sha256(a, strlen(a), left); /* so that not even the lengths tell */
    hash_sha256(b, strlen(b), right);
    return CRYPTO_memcmp(left, right, sizeof(left)) == 0;
}

const char *hash_hex(struct arena *mem, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc(mem, len * 2 + 1);
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return text;
}

static char *encode(struct arena *mem, const unsigned char *bytes, size_t len, const char *alphabet,
                    bool is_padded)
{
    char *text = arena_alloc(mem, (len + 2) / 3 * 4 + 1);
    size_t used = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = MIN_OF(len - i, (size_t)3);
        unsigned group = (unsigned)bytes[i] << 16;
        group |= have > 1 ? (unsigned)bytes[i + 1] << 8 : 0;
        group |= have > 2 ? bytes[i + 2] : 0;
        for (size_t k = 0; k <= have; k++)
            text[used++] = alphabet[group >> (18 - 6 * k) & 63];
        for (size_t k = have; is_padded && k < 3; k++)
            text[used++] = '=';
    }
    return text;
}

const char *hash_base64(struct arena *mem, const void *bytes, size_t len)
{
    return encode(mem, bytes, len, standard, true);
}

const char *hash_base64url(struct arena *mem, const void *bytes, size_t len)
{
    return encode(mem, bytes, len, for_urls, false);
}

static int digit_of(char c)
{
    const char *at = c ? strchr(standard, c) : NULL;
    return at ? (int)(at - standard) : -1;
}

struct err *hash_base64_parse(struct arena *mem, const char *text, size_t len, unsigned char **out,
                              size_t *out_len)
{
    unsigned char *bytes = arena_alloc(mem, len / 4 * 3 + 3);
    size_t used = 0, digits = 0, padding = 0;
    unsigned group = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] && strchr(" \t\r\n", text[i]))
            continue;
        int digit = text[i] == '=' ? 0 : digit_of(text[i]);
        padding += text[i] == '=';
        if (digit < 0 || (padding && text[i] != '=') || (padding && digits % 4 < 2))
            return err_new(ERR_INVALID, "illegal base64 data at input byte %zu", i);
        group = group << 6 | (unsigned)digit;
        if (++digits % 4 == 0) {
            for (size_t k = 0; k + padding < 3; k++)
                bytes[used++] = (unsigned char)(group >> (16 - 8 * k));
            group = 0;
        }
    }
    if (digits % 4)
        return err_new(ERR_INVALID, "illegal base64 data at input byte %zu: cut short", len);
    *out = bytes;
    *out_len = used;
    return NULL;
}
