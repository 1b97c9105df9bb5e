#include <string.h>

#include "../rows.h"

#include "git/hostkeys.h"
#include "git/signature.h"

/* -- gpg's status lines ------------------------------------------------------------------------------ */

#define S "[GNUPG:] "

struct status_case {
    const char *name, *text;
    char letter;
    const char *key;
};

// clang-format off
static const struct status_case status_cases[] = {
    { "a good signature of a trusted key", S "NEWSIG\n" S "GOODSIG ABCD Jane <j@x>\n" S "VALIDSIG F 1\n" S "TRUST_ULTIMATE 0 pgp\n", 'G', "ABCD" },
    { "of a key that is trusted a little", S "GOODSIG ABCD Jane\n" S "TRUST_MARGINAL\n", 'G', "ABCD" },
    { "of a key nobody vouches for", S "GOODSIG ABCD Jane\n" S "TRUST_UNDEFINED 0 pgp\n", 'U', "ABCD" },
    { "of a key that is distrusted", S "TRUST_NEVER\n" S "GOODSIG ABCD Jane\n", 'U', "ABCD" },
    { "a bad signature", S "BADSIG ABCD Jane\n", 'B', "ABCD" },
    { "a signature whose key is missing", S "ERRSIG ABCD 22 8 00 1 9 F\n" S "NO_PUBKEY ABCD\n", 'E', "ABCD" },
    { "an expired signature", S "EXPSIG ABCD Jane\n", 'X', "ABCD" },
    { "a signature of an expired key", S "EXPKEYSIG ABCD Jane\n" S "TRUST_FULLY\n", 'Y', "ABCD" },
    { "a signature of a revoked key", S "REVKEYSIG ABCD Jane\n", 'R', "ABCD" },
    { "two good signatures are none", S "GOODSIG A Jane\n" S "GOODSIG B Jane\n" S "TRUST_FULLY\n", 'E', "B" },
    { "a good one behind a bad one is none", S "BADSIG A Jane\n" S "GOODSIG B Jane\n" S "TRUST_FULLY\n", 'E', "B" },
    { "nothing", "", 'E', "" },
    { "no status at all", "gpg: Good signature from Jane\n", 'E', "" },
    { "a name that looks like a status line is not at the start of one", S "BADSIG ABCD x " S "GOODSIG EF y\n", 'B', "ABCD" },
    { "a line without its end", S "GOODSIG ABCD", 'G', "ABCD" },
    { "line ends of Windows", S "GOODSIG ABCD\r\n" S "TRUST_FULLY\r\n", 'G', "ABCD" },
};
// clang-format on

static void a_status_is_read(void **state)
{
    const struct status_case *at = *state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct signature_verdict verdict;
    signature_parse_status(mem, at->text, strlen(at->text), &verdict);
    assert_int_equal(verdict.letter, at->letter);
    assert_string_equal(verdict.key, at->key);
}

/* -- host keys ------------------------------------------------------------------------------------------ */

#define ED25519 "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

static void host_keys_are_read_and_explained(void **state)
{
    (void)state;
    static const char text[] =
        "# host:22 SSH-2.0-OpenSSH\n\nhost ssh-ed25519 " ED25519 " comment\r\n"
        "host ssh-rsa\nhost bad*type AAAA\nhost ssh-rsa not-base64\n"
        "@revoked host ssh-rsa AAAA\n[h]:22\tecdsa-sha2-nistp256  AAAA";
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    struct hostkeys keys = { 0 };
    hostkeys_parse(mem, text, strlen(text), &keys);
    assert_int_equal(keys.len, 2);
    assert_string_equal(keys.at[1].host, "[h]:22");
    keys.len = 1;
    assert_string_equal(hostkeys_advice(mem, &keys, "/etc/known hosts"),
                        "The server offers these host keys (compare the fingerprints with those "
                        "its owner publishes):\n"
                        "  ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU\n"
                        "To trust one of them, add its line to /etc/known hosts:\n"
                        "  host ssh-ed25519 " ED25519 "\n");
}

static void no_more_host_keys_are_read_than_a_person_would(void **state)
{
    (void)state;
    SCOPED(arena_free) struct arena *mem = arena_new(ARENA_LIMIT_BYTES);
    const char *text = "";
    for (int i = 0; i < 100; i++)
        text = arena_printf(mem, "%shost ssh-ed25519 AAAA\n", text);
    struct hostkeys keys = { 0 };
    hostkeys_parse(mem, text, strlen(text), &keys);
    assert_int_equal(keys.len, 32);
}

int main(void)
{
    static const struct rows tests[] = {
        SINGLE(host_keys_are_read_and_explained),
        SINGLE(no_more_host_keys_are_read_than_a_person_would),
        ROWS(status_cases, a_status_is_read),
    };
    return rows_run("git_words", tests, ARRAY_LEN(tests));
}
