#include "lab.h"

#include <string.h>

#define DEADLINE_MS 20000

struct options {
    const char *at[12];
};

/* A web server for the lab's directory. */
static int serve(struct lab *lab, const struct options *options)
{
    const char *argv[16] = { "python3", TEST_DATA "/http_backend.py", lab->dir };
    size_t len = 3;
    for (size_t i = 0; options->at[i]; i++)
        argv[len++] = options->at[i];
    return lab_serve(lab, argv);
}

static struct mirror_opts web_opts(struct lab *lab, const char *prefix, int port)
{
    struct mirror_opts opts = lab_opts(lab);
    opts.url = arena_printf(lab->mem, "%s127.0.0.1:%d/repo.git", prefix, port);
    opts.history_ms = DEADLINE_MS;
    return opts;
}

static struct err *fetch_by(const struct mirror_opts *opts, int64_t ms, struct mirror_fetched *out)
{
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(opts);
    return mirror_fetch(mirror, lab_soon(ms), out);
}

static void a_repository_is_fetched_and_marked_over_http(void **state)
{
    struct lab *lab = *state;
    const char *first = lab_sh(lab, "git -C work rev-parse HEAD");
    int port = serve(lab, &(struct options){ { "--log", lab_path(lab, "log") } });
    struct mirror_opts opts = web_opts(lab, "http://", port);
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    (void)lab_commit(lab, "c.yaml", "c: none\n");
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_string_equal(fetched.head, lab_sh(lab, "git -C work rev-parse HEAD"));
    for (int i = 0; i < 40; i++) /* a longer negotiation than one round */
        (void)lab_commit(lab, "c.yaml", arena_printf(lab->mem, "c: %d\n", i));
    assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
    assert_string_equal(fetched.head, lab_sh(lab, "git -C work rev-parse HEAD"));
    struct mirror_marker marker = { .rev = fetched.head, .note = "note", .moves_tag = true };
    assert_ok(mirror_write_check(mirror, fetched.head, lab_soon(DEADLINE_MS)));
    assert_ok(mirror_mark(mirror, &marker, lab_soon(DEADLINE_MS)));
    assert_string_equal(lab_sh(lab, "git -C repo.git rev-parse flux-sync^{commit}"), fetched.head);
    assert_string_equal(lab_sh(lab, "git -C repo.git notes --ref flux show master"), "note");
    char sha[MIRROR_SHA_BYTES];
    assert_ok(mirror_resolve(mirror, first, sha)); /* from before what was cloned */
    assert_false(mirror_is_shallow(mirror));
    lab_sh(lab, "git -C mirror fsck --strict && ! grep -v ' - -$' log");
}

static void a_long_unrelated_history_is_negotiated(void **state)
{
    struct lab *lab = *state;
    int port = serve(lab, &(struct options){ { NULL } });
    struct mirror_opts opts = web_opts(lab, "http://", port);
    static const char *const make =
        "cd work && git fast-import --quiet <<END\n"
        "$(for i in $(seq 700); do echo \"commit refs/heads/$name\"; "
        "echo \"committer A <a@example.org> 17000$n +0000\"; echo 'data 2'; echo x; "
        "echo \"M 644 inline f$i\"; echo 'data 2'; echo y; done)\n"
        "END\ngit push -qf origin $name:master";
    SCOPED(mirror_free) struct mirror *mirror = lab_mirror(&opts);
    struct mirror_fetched fetched;
    for (int i = 0; i < 2; i++) {
        lab_sh(lab, "name=history%d n=%05d; %s", i, i, make);
        assert_ok(mirror_fetch(mirror, lab_soon(DEADLINE_MS), &fetched));
        assert_string_equal(fetched.head, lab_sh(lab, "git -C repo.git rev-parse master"));
    }
}

static void a_password_is_sent_and_never_shown(void **state)
{
    struct lab *lab = *state;
    int port = serve(lab, &(struct options){ { "--user", "jane", "--password", "s3cr t/@" } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "http://jane:s3cr%20t%2F%40@", port);
    assert_ok(fetch_by(&opts, DEADLINE_MS, &fetched));
    lab_sh(lab, "! grep -r s3cr mirror");
    opts = web_opts(lab, "http://jane:wr0ng@", port);
    opts.dir = lab_path(lab, "mirror2");
    SCOPED(err_free) struct err *e = fetch_by(&opts, DEADLINE_MS, &fetched);
    assert_true(err_is(e, ERR_DENIED));
    assert_non_null(
        strstr(err_text(e), "git clone --mirror: fatal: unable to access 'http://jane@127"));
    assert_null(strstr(err_text(e), "wr0ng"));
    assert_non_null(strstr(err_text(e), "401 (asked with the user and password of the URL)"));
    opts = web_opts(lab, "http://", port);
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_DENIED,
                 "401 (asked without a user and password)");
}

static void a_password_is_not_taken_along_to_another_host(void **state)
{
    struct lab *lab = *state;
    int there = serve(lab, &(struct options){ { "--log", lab_path(lab, "log") } });
    const char *base = arena_printf(lab->mem, "http://localhost:%d", there);
    int here = serve(lab, &(struct options){ { "--redirect", base } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "http://jane:s3cret@", here);
    assert_ok(fetch_by(&opts, DEADLINE_MS, &fetched));
    assert_string_equal(fetched.head, lab_sh(lab, "git -C work rev-parse HEAD"));
    lab_sh(lab, "grep -q 'POST /repo.git/git-upload-pack - ' log && ! grep -q Basic log");
}

static void a_redirect_on_the_same_host_keeps_the_password(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "mkdir new && mv repo.git new/moved.git");
    int port = serve(
        lab, &(struct options){ { "--user", "jane", "--password", "s3cret", "--move", "/repo.git",
                                  "/new/moved.git", "--log", lab_path(lab, "log") } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "http://jane:s3cret@", port);
    assert_ok(fetch_by(&opts, DEADLINE_MS, &fetched));
    lab_sh(lab, "grep -q 'POST /new/moved.git/git-upload-pack Basic' log");
}

static void a_certificate_is_checked_against_the_ca_given(void **state)
{
    struct lab *lab = *state;
    lab_sh(lab, "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout key.pem "
                "-out cert.pem "
                "-addext subjectAltName=IP:127.0.0.1 2>/dev/null");
    int port = serve(lab, &(struct options){ { "--cert", lab_path(lab, "cert.pem"), "--key",
                                               lab_path(lab, "key.pem") } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "https://", port);
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_DENIED,
                 "unable to access 'https://127");
    opts.ca_pem = lab_sh(lab, "cat cert.pem");
    assert_ok(fetch_by(&opts, DEADLINE_MS, &fetched));
    opts.ca_pem = NULL;
    opts.is_insecure = true;
    assert_ok(fetch_by(&opts, DEADLINE_MS, &fetched));
}

static void add_big_file(struct lab *lab)
{
    lab_sh(lab,
           "cd work && head -c 2000000 /dev/urandom > big && git add big && git commit -qm big && "
           "git push -q origin master");
}

static void a_server_that_cuts_a_pack_is_a_failure_for_now(void **state)
{
    struct lab *lab = *state;
    add_big_file(lab);
    int port = serve(lab, &(struct options){ { "--cut", "700000" } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "http://", port);
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_TRANSIENT,
                 "git clone --mirror: fatal: ");
    lab_stop_servers(lab);
    port = serve(lab, &(struct options){ { NULL } });
    opts.url = web_opts(lab, "http://", port).url;
    assert_ok(fetch_by(&opts, DEADLINE_MS, &fetched));
    lab_sh(lab, "git -C mirror fsck --strict; ! ls mirror/objects/pack | grep _git2_");
}

static void a_server_that_stops_in_the_middle_of_a_pack_hits_the_deadline(void **state)
{
    struct lab *lab = *state;
    add_big_file(lab);
    int port = serve(lab, &(struct options){ { "--stall", "700000" } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "http://", port);
    assert_fails(fetch_by(&opts, 1500, &fetched), ERR_TRANSIENT, "context deadline exceeded");
}

static const struct throttle_case {
    const char *status, *retry_after;
    int64_t ms;
} throttle_cases[] = {
    { "429", "7", 7000 },  { "503", "120", 120000 }, { "503", "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
    { "503", "soon", -1 }, { "500", "7", -1 },
};

static void a_server_says_when_to_come_back(void **state)
{
    struct lab *lab = *state;
    for (size_t i = 0; i < ARRAY_LEN(throttle_cases); i++) {
        const struct throttle_case *row = &throttle_cases[i];
        int port = serve(lab, &(struct options){
                                  { "--status", row->status, "--retry-after", row->retry_after } });
        struct mirror_opts opts = web_opts(lab, "http://", port);
        struct mirror_fetched fetched;
        SCOPED(err_free) struct err *e = fetch_by(&opts, DEADLINE_MS, &fetched);
        assert_true(err_is(e, ERR_TRANSIENT));
        assert_int_equal(err_retry_after_ms(e), row->ms);
        lab_stop_servers(lab);
    }
}

static void what_is_no_repository_is_told_apart(void **state)
{
    struct lab *lab = *state;
    int port = serve(lab, &(struct options){ { NULL } });
    int dumb = serve(lab, &(struct options){ { "--dumb" } });
    int broken = serve(lab, &(struct options){ { "--status", "503" } });
    struct mirror_fetched fetched;
    struct mirror_opts opts = web_opts(lab, "http://", port);
    opts.url = arena_printf(lab->mem, "http://127.0.0.1:%d/none.git", port);
    assert_fails(
        fetch_by(&opts, DEADLINE_MS, &fetched), ERR_NOT_FOUND,
        arena_printf(lab->mem, "git clone --mirror: fatal: repository '%s/' not found", opts.url));
    opts = web_opts(lab, "http://", dumb);
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_NOT_FOUND, "not git's smart protocol");
    opts = web_opts(lab, "http://", broken);
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_TRANSIENT, "503");
    opts = web_opts(lab, "http://", 1);
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_TRANSIENT, "unable to access");
}

static void a_host_without_an_address_is_known_as_such(void **state)
{
    struct lab *lab = *state;
    struct mirror_opts opts = lab_opts(lab);
    opts.url = "https://no-such-host.invalid/x.git";
    struct mirror_fetched fetched;
    assert_fails(fetch_by(&opts, DEADLINE_MS, &fetched), ERR_TRANSIENT, "no-such-host.invalid");
    assert_true(fetched.host_unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lab_test(a_repository_is_fetched_and_marked_over_http),
        lab_test(a_long_unrelated_history_is_negotiated),
        lab_test(a_password_is_sent_and_never_shown),
        lab_test(a_password_is_not_taken_along_to_another_host),
        lab_test(a_redirect_on_the_same_host_keeps_the_password),
        lab_test(a_certificate_is_checked_against_the_ca_given),
        lab_test(a_server_that_cuts_a_pack_is_a_failure_for_now),
        lab_test(a_server_that_stops_in_the_middle_of_a_pack_hits_the_deadline),
        lab_test(a_server_says_when_to_come_back),
        lab_test(what_is_no_repository_is_told_apart),
        lab_test(a_host_without_an_address_is_known_as_such),
    };
    return cmocka_run_group_tests_name("git_http", tests, NULL, NULL);
}
