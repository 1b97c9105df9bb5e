#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

#define HEAD_BYTES 65536

/* --- files */

char *peer_dir_new(void)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = NULL;
    ASSERT(asprintf(&dir, "%s/serin-io-XXXXXX", tmp ? tmp : "/tmp") > 0);
    ASSERT(mkdtemp(dir));
    return dir;
}

int peer_system(const char *fmt, ...)
{
    char *command = NULL;
    va_list args;
    va_start(args, fmt);
    ASSERT(vasprintf(&command, fmt, args) > 0);
    va_end(args);
    int status = system(command);
    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

void peer_dir_free(char *dir)
{
    ASSERT(peer_system("rm -rf '%s'", dir) == 0);
    free(dir);
}

char *peer_path(const char *dir, const char *name)
{
    char *path = NULL;
    ASSERT(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

char *peer_read(const char *dir, const char *name)
{
    char *path = peer_path(dir, name);
    FILE *file = fopen(path, "re");
    free(path);
    ASSERT(file);
    char *text = base_alloc(1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    text[len] = '\0';
    ASSERT(fclose(file) == 0);
    return text;
}

void peer_write(const char *dir, const char *name, const char *text)
{
    char *path = peer_path(dir, name);
    FILE *file = fopen(path, "we");
    free(path);
    ASSERT(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

void peer_certs(const char *dir)
{
    static const char script[] =
        "cd '%s' && exec 2>openssl.log && set -e\n"
        "key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
        "ca() { openssl req -x509 $key -days 2 -subj \"/CN=$2\" -keyout $1.key -out $1.pem; }\n"
        "leaf() { openssl req $key -subj \"/CN=$2\" -keyout $1.key -out $1.csr\n"
        "  printf '%%s' \"$3\" > $1.ext\n"
        "  openssl x509 -req -days 2 -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile "
        "$1.ext -out $1.pem; }\n"
        "ca ca test-ca; ca other-ca other-ca\n"
        "leaf server localhost 'subjectAltName=DNS:localhost,DNS:real.example,IP:127.0.0.1'\n"
        "leaf client a-client 'extendedKeyUsage=clientAuth'\n";
    ASSERT(peer_system(script, dir) == 0);
}

/* --- sockets */

static int listen_socket(int *out_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(name);
    ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&name, len) == 0 && listen(fd, 128) == 0);
    ASSERT(getsockname(fd, (struct sockaddr *)&name, &len) == 0);
    *out_port = ntohs(name.sin_port);
    return fd;
}

int peer_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)port) };
    ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
    return fd;
}

void peer_send(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

char *peer_receive(int fd, int ms)
{
    size_t cap = 4 << 20, len = 0;
    char *text = base_alloc(cap);
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    while (len + 1 < cap && poll(&poll_fd, 1, ms) > 0) {
        ssize_t got = recv(fd, text + len, cap - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    text[len] = '\0';
    return text;
}

/* --- nginx: it takes its listening sockets over from us, as it does from an older nginx, so no port can be lost */

static const char nginx_conf[] =
    "daemon off; user root; worker_processes 1; pid nginx.pid; error_log error.log info;\n"
    "events { worker_connections 512; }\n"
    "http {\n"
    "  access_log off; server_tokens off; gzip on; gzip_types *; gzip_min_length 1; "
    "gzip_http_version 1.0;\n"
    "  keepalive_requests 1000000; http2_max_concurrent_streams 128;\n"
    "  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; "
    "scgi_temp_path t5;\n"
    "  ssl_certificate server.pem; ssl_certificate_key server.key; client_max_body_size 64m;\n"
    "  default_type text/plain;\n"
    "  server {\n"
    "    listen 127.0.0.1:%d ssl http2; listen 127.0.0.1:%d; root .;\n"
    "    location /who { return 200 'conn=$connection proto=$server_protocol host=$http_host "
    "sni=$ssl_server_name "
    "method=$request_method auth=$http_authorization token=$http_x_token agent=$http_user_agent "
    "accept=$http_accept type=$content_type uri=$request_uri'; }\n"
    "    location /status { if ($arg_code = 404) { return 404 'not here'; } return 204; }\n"
    "    location /files/ { alias ./; }\n"
    "    location /slow/ { alias ./; limit_rate 1k; }\n"
    "    location /go/ { return 302 $arg_to; }\n"
    "    location /post301 { return 301 /who; }\n"
    "    location /post307 { return 307 /who; }\n"
    "    location /loop { return 302 /loop; }\n"
    "    location /up/ { proxy_pass http://127.0.0.1:%d/; proxy_buffering off;\n"
    "      proxy_read_timeout 600s; proxy_http_version 1.1; proxy_set_header Connection ''; }\n"
    "  }\n"
    "  server {\n"
    "    listen 127.0.0.1:%d ssl http2; ssl_client_certificate ca.pem; ssl_verify_client on;\n"
    "    location / { return 200 'client=$ssl_client_s_dn'; }\n"
    "  }\n"
    "}\n";

static void exec_nginx(const char *dir, const int fds[3])
{
    char inherited[64];
    snprintf(inherited, sizeof(inherited), "NGINX=%d;%d;%d;", fds[0], fds[1], fds[2]);
    for (int i = 0; i < 3; i++)
        (void)fcntl(fds[i], F_SETFD, 0);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* it takes its worker along */
    char *const env[] = { inherited, (char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                          NULL };
    char *log = peer_path(dir, "start.log");
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execle("/usr/sbin/nginx", "nginx", "-p", dir, "-e", "error.log", "-c", "nginx.conf",
           (char *)NULL, env);
    _exit(127);
}

struct peer_nginx *peer_nginx_new(const char *dir, int upstream_port)
{
    struct peer_nginx *nginx = base_alloc(sizeof(*nginx));
    int fds[3] = { listen_socket(&nginx->https), listen_socket(&nginx->http),
                   listen_socket(&nginx->mutual) };
    char *conf = NULL;
    ASSERT(asprintf(&conf, nginx_conf, nginx->https, nginx->http, upstream_port ? upstream_port : 9,
                    nginx->mutual) > 0);
    peer_write(dir, "nginx.conf", conf);
    free(conf);
    if (access("/usr/sbin/nginx", X_OK) != 0) {
        fprintf(stderr, "these tests need /usr/sbin/nginx (package nginx-light)\n");
        abort();
    }
    nginx->pid = fork();
    ASSERT(nginx->pid >= 0);
    if (nginx->pid == 0)
        exec_nginx(dir, fds);
    (void)setpgid(nginx->pid, nginx->pid);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    int fd =
        peer_connect(nginx->http); /* the sockets listen already: this waits for nginx to take it */
    peer_send(fd, "GET /status HTTP/1.0\r\n\r\n");
    char *answer = peer_receive(fd, 20000);
    if (strncmp(answer, "HTTP/1.1 204", 12) != 0)
        fprintf(stderr, "nginx does not answer: %s\n%s\n", answer, peer_read(dir, "start.log"));
    ASSERT(strncmp(answer, "HTTP/1.1 204", 12) == 0);
    free(answer);
    close(fd);
    return nginx;
}

void peer_nginx_free(struct peer_nginx *nginx)
{
    (void)kill(-nginx->pid, SIGKILL);
    ASSERT(waitpid(nginx->pid, NULL, 0) == nginx->pid);
    free(nginx);
}

/* --- a server without manners */

struct peer_raw {
    int fd, port, stop[2]; /* the pipe is closed to stop */
    peer_serve serve;
    pthread_t acceptor;
    pthread_mutex_t lock;
    int accepted, counted;
    pthread_t threads[4096];
};

struct talk {
    struct peer_raw *raw;
    int fd;
};

bool peer_raw_sleep(struct peer_raw *raw, int ms)
{
    struct pollfd stop = { .fd = raw->stop[0], .events = POLLIN };
    return poll(&stop, 1, ms) == 0;
}

static void *run_talk(void *arg)
{
    struct talk talk = *(struct talk *)arg;
    free(arg);
    char *head = base_alloc(HEAD_BYTES);
    size_t len = 0;
    struct pollfd both[2] = { { .fd = talk.raw->stop[0], .events = POLLIN },
                              { .fd = talk.fd, .events = POLLIN } };
    while (!strstr(head, "\r\n\r\n") && len + 1 < HEAD_BYTES) {
        if (poll(both, 2, -1) < 0 || both[0].revents)
            break;
        ssize_t got = recv(talk.fd, head + len, HEAD_BYTES - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (strstr(head, "\r\n\r\n"))
        talk.raw->serve(talk.raw, talk.fd, head);
    free(head);
    close(talk.fd);
    return NULL;
}

static void *run_acceptor(void *arg)
{
    struct peer_raw *raw = arg;
    struct pollfd both[2] = { { .fd = raw->stop[0], .events = POLLIN },
                              { .fd = raw->fd, .events = POLLIN } };
    while (poll(both, 2, -1) > 0 && !both[0].revents) {
        int fd = accept4(raw->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct talk *talk = base_alloc(sizeof(*talk));
        *talk = (struct talk){ raw, fd };
        pthread_mutex_lock(&raw->lock);
        ASSERT(raw->accepted < (int)ARRAY_LEN(raw->threads));
        ASSERT(pthread_create(&raw->threads[raw->accepted++], NULL, run_talk, talk) == 0);
        pthread_mutex_unlock(&raw->lock);
    }
    return NULL;
}

struct peer_raw *peer_raw_new(peer_serve serve)
{
    struct peer_raw *raw = base_alloc(sizeof(*raw));
    raw->serve = serve;
    raw->fd = listen_socket(&raw->port);
    ASSERT(pipe2(raw->stop, O_CLOEXEC) == 0 && pthread_mutex_init(&raw->lock, NULL) == 0);
    ASSERT(pthread_create(&raw->acceptor, NULL, run_acceptor, raw) == 0);
    return raw;
}

void peer_raw_free(struct peer_raw *raw)
{
    close(raw->stop[1]);
    ASSERT(pthread_join(raw->acceptor, NULL) == 0);
    for (int i = 0; i < raw->accepted; i++)
        ASSERT(pthread_join(raw->threads[i], NULL) == 0);
    close(raw->stop[0]);
    close(raw->fd);
    pthread_mutex_destroy(&raw->lock);
    free(raw);
}

int peer_raw_port(const struct peer_raw *raw)
{
    return raw->port;
}

int peer_raw_accepted(struct peer_raw *raw)
{
    pthread_mutex_lock(&raw->lock);
    int accepted = raw->accepted;
    pthread_mutex_unlock(&raw->lock);
    return accepted;
}

void peer_raw_count(struct peer_raw *raw)
{
    pthread_mutex_lock(&raw->lock);
    raw->counted++;
    pthread_mutex_unlock(&raw->lock);
}

int peer_raw_counted(struct peer_raw *raw)
{
    pthread_mutex_lock(&raw->lock);
    int counted = raw->counted;
    pthread_mutex_unlock(&raw->lock);
    return counted;
}
