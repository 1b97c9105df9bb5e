#include <string.h>

#include "../rows.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/hash.h"

/* The published examples of the algorithms. */
static void digests_are_the_published_ones(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char sha1[HASH_SHA1_BYTES], sha256[HASH_SHA256_BYTES], half[16];
    hash_sha1("abc", 3, sha1);
    assert_string_equal(hash_hex(mem, sha1, sizeof(sha1)),
                        "a9993e364706816aba3e25717850c26c9cd0d89d");
    hash_sha1(NULL, 0, sha1);
    assert_string_equal(hash_hex(mem, sha1, sizeof(sha1)),
                        "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    hash_sha256("abc", 3, sha256);
    assert_string_equal(hash_hex(mem, sha256, sizeof(sha256)),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_fingerprint("abc", 3, half);
    assert_memory_equal(half, sha256, sizeof(half));
}

static void the_checksum_of_a_manifest_is_the_one_of_flux(void **state)
{
    (void)state;
    static const char manifest[] = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: demo\n";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char sha1[HASH_SHA1_BYTES];
    hash_sha1(manifest, strlen(manifest), sha1);
    assert_string_equal(hash_hex(mem, sha1, sizeof(sha1)),
                        "35db65c41bba48ecb02fb665a7416ac1f662be3b");
}

static const struct base64_case {
    const char *name, *plain, *text, *for_urls;
} base64_cases[] = {
    { "nothing", "", "", "" },
    { "one byte is padded twice", "f", "Zg==", "Zg" },
    { "two bytes are padded once", "fo", "Zm8=", "Zm8" },
    { "three bytes fit", "foo", "Zm9v", "Zm9v" },
    { "the next group", "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "the last letters differ in URLs", "\xfb\xff\xfe", "+//+", "-__-" },
};

static void base64_is(void **state)
{
    const struct base64_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char *bytes = NULL;
    size_t len = 0, plain_len = strlen(row->plain);
    assert_string_equal(hash_base64(mem, row->plain, plain_len), row->text);
    assert_string_equal(hash_base64url(mem, row->plain, plain_len), row->for_urls);
    assert_null(hash_base64_parse(mem, row->text, strlen(row->text), &bytes, &len));
    assert_int_equal(len, plain_len);
    assert_memory_equal(bytes, row->plain, len);
}

static void white_space_in_base64_is_skipped(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char *bytes = NULL;
    size_t len = 0;
    static const char text[] = " Zm\n9v\tYm\r\nFy\n";
    assert_null(hash_base64_parse(mem, text, strlen(text), &bytes, &len));
    assert_int_equal(len, 6);
    assert_memory_equal(bytes, "foobar", 6);
}

static const struct bad_case {
    const char *name, *text;
} bad_cases[] = {
    { "a letter that is none", "Zm9*" },
    { "the alphabet of URLs", "-__-" },
    { "no padding", "Zg" },
    { "half of it", "Zg=" },
    { "padding at the front", "=Zg=" },
    { "three of padding", "Z===" },
    { "padding alone", "====" },
    { "letters behind the padding", "Zg==Zg==" },
    { "a letter between the padding", "Zg=g" },
};

static void base64_is_refused(void **state)
{
    const struct bad_case *row = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char *bytes = NULL;
    size_t len = 0;
    SCOPED(err_free)
    struct err *e = hash_base64_parse(mem, row->text, strlen(row->text), &bytes, &len);
    assert_true(err_is(e, ERR_INVALID));
}

/* RFC 4231, test cases 2 and 6. */
static void keyed_digests_are_the_published_ones(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    unsigned char out[HASH_SHA256_BYTES], key[131];
    static const char data[] = "what do ya want for nothing?";
    hash_hmac_sha256("Jefe", 4, data, strlen(data), out);
    assert_string_equal(hash_hex(mem, out, sizeof(out)),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    unsigned char short_out[HASH_SHA1_BYTES];
    hash_hmac_sha1("Jefe", 4, data, strlen(data), short_out); /* RFC 2202 */
    assert_string_equal(hash_hex(mem, short_out, sizeof(short_out)),
                        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    static const char longer[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    memset(key, 0xaa, sizeof(key));
    hash_hmac_sha256(key, sizeof(key), longer, strlen(longer), out);
    assert_string_equal(hash_hex(mem, out, sizeof(out)),
                        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* The private key as PEM, in `mem`. */
static const char *pem_of(struct arena *mem, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &bytes);
    const char *pem = arena_strndup(mem, bytes, (size_t)len);
    BIO_free(bio);
    return pem;
}

static void a_signature_is_verified_by_the_public_key(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *signature = NULL;
    size_t len = 0;
    assert_null(hash_sign_rs256(mem, pem_of(mem, key), "header.claims", 13, &signature, &len));
    assert_int_equal(len, 256);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(
        EVP_DigestVerify(ctx, signature, len, (const unsigned char *)"header.claims", 13), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

static void other_keys_do_not_sign(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    const char *const pems[] = {
        "", "no key", pem_of(mem, curve),
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    };
    for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
        unsigned char *signature = NULL;
        size_t len = 0;
        SCOPED(err_free) struct err *e = hash_sign_rs256(mem, pems[i], "x", 1, &signature, &len);
        assert_true(err_is(e, ERR_INVALID));
        assert_string_equal(err_text(e),
                            "the private key is not an RSA key in PEM that can be read");
    }
    EVP_PKEY_free(curve);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(digests_are_the_published_ones),
        SINGLE(the_checksum_of_a_manifest_is_the_one_of_flux),
        SINGLE(white_space_in_base64_is_skipped),
        SINGLE(keyed_digests_are_the_published_ones),
        SINGLE(a_signature_is_verified_by_the_public_key),
        SINGLE(other_keys_do_not_sign),
        ROWS(base64_cases, base64_is),
        ROWS(bad_cases, base64_is_refused),
    };
    return rows_run("hash", tests, ARRAY_LEN(tests));
}
