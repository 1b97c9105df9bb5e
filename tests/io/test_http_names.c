#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_peer.h"
#include "io/http.h"
#include "io/stream.h"
#include "peer.h"

/* A name server that never answers: in namespaces of its own, where /etc/resolv.conf leads to a socket of ours. */

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    bool is_written = fputs(text, file) >= 0;
    return fclose(file) == 0 && is_written;
}

static bool enter_namespaces(void)
{
    uid_t uid = getuid();
    char map[32];
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) == 0)
        return true;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0 &&
           write_file("/proc/self/uid_map", map);
}

static bool raise_loopback(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    bool is_up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return is_up;
}

static bool start_silent_name_server(int *out_fd)
{
    struct sockaddr_in name = { .sin_family = AF_INET,
                                .sin_port = htons(53),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    *out_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return *out_fd >= 0 && bind(*out_fd, (struct sockaddr *)&name, sizeof(name)) == 0;
}

static bool has_been_asked(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

static int name_server(void **state)
{
    return *(int *)*state;
}

static void on_beat(void *ctx)
{
    ++*(int *)ctx;
}

static void a_name_without_an_answer_holds_up_nobody(void **state)
{
    SCOPED(loop_free) struct loop *loop = loop_new();
    struct http *http = http_new(loop, NULL);
    struct answer answers[3] = { 0 };
    struct http_request request = {
        .method = "GET", .url = "http://nobody.example/", .timeout_ms = 300, .proxy = ""
    };
    int64_t before = loop_now_ms(loop);
    http_peer_start(http, &request, &answers[0]);
    request.own_connection = true;
    http_peer_start(http, &request, &answers[1]);
    request.timeout_ms = 0;
    request.connect_ms = 300;
    http_peer_start(http, &request, &answers[2]);
    int beats = 0;
    loop_after(loop, 100, on_beat, &beats);
    http_peer_wait(loop, answers, 3);
    assert_in_range(loop_now_ms(loop) - before, 250,
                    3000); /* the resolver itself gives up after 10 s at least */
    assert_int_equal(beats, 1);
    assert_true(has_been_asked(name_server(state)));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(answers[i].kind, ERR_TRANSIENT);
        http_peer_fini(&answers[i]);
    }
    before = loop_now_ms(loop);
    ticket cancelled = http_peer_start(http, &request, &answers[0]);
    loop_turn(loop, 20);
    http_cancel(http, cancelled);
    http_peer_start(http, &request, &answers[1]);
    loop_turn(loop, 20);
    http_free(http);
    assert_in_range(loop_now_ms(loop) - before, 0, 3000);
}

static void a_worker_keeps_its_deadline_without_an_answer(void **state)
{
    (void)state;
    int64_t before = stream_now_ms();
    struct stream_request request = {
        .method = "GET", .url = "http://nobody.example/", .proxy = "", .deadline_ms = before + 300
    };
    struct stream *stream = NULL;
    SCOPED(err_free) struct err *e = stream_open(&request, &stream);
    assert_true(err_is(e, ERR_TRANSIENT));
    assert_in_range(stream_now_ms() - before, 250, 3000);
}

int main(void)
{
    int fd = -1;
    if (!enter_namespaces() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        !raise_loopback() || !start_silent_name_server(&fd)) {
        fprintf(stderr, "skipped: the kernel gives no namespaces\n");
        return 77;
    }
    char *dir = peer_dir_new();
    char *path = peer_path(dir, "resolv.conf");
    peer_write(dir, "resolv.conf", "nameserver 127.0.0.1\noptions timeout:10 attempts:1\n");
    if (mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0) {
        fprintf(stderr, "skipped: /etc/resolv.conf cannot be covered\n");
        peer_dir_free(dir);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_name_without_an_answer_holds_up_nobody, &fd),
        cmocka_unit_test(a_worker_keeps_its_deadline_without_an_answer),
    };
    int failed = cmocka_run_group_tests_name("io/http names", tests, NULL, NULL);
    close(fd);
    free(path);
    peer_dir_free(dir);
    return failed;
}
