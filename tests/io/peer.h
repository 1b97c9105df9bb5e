/* tests/io/peer.h - counterparts on loopback: nginx (HTTP/2, TLS, client certificates), and a server without manners.
 * Effects:   a temporary directory, processes, threads, sockets.
 * Ownership: each _new has its _free; both stop what they started.
 * Units:     milliseconds. */
#ifndef SERIN_TESTS_IO_PEER_H
#define SERIN_TESTS_IO_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* A directory of its own below TMPDIR, removed with all that is in it. */
char *peer_dir_new(void);
void peer_dir_free(char *dir);
char *peer_path(const char *dir, const char *name); /* to be freed */
char *peer_read(const char *dir, const char *name); /* a whole file, to be freed */
void peer_write(const char *dir, const char *name, const char *text);
int peer_system(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* sh -c; its exit status */

/* In `dir`: ca.pem; server.pem/.key for localhost, 127.0.0.1 and real.example; client.pem/.key; other-ca.pem (which signed
 * none of them). */
void peer_certs(const char *dir);

struct peer_nginx {
    int pid; /* also the process group of all its processes */
    int https, http,
        mutual; /* ports: HTTP/2 and 1.1 over TLS, plain HTTP/1.1, TLS with client certificates */
};
/* upstream_port: where /up/ is passed on to; 0: nowhere. */
struct peer_nginx *peer_nginx_new(const char *dir, int upstream_port);
void peer_nginx_free(struct peer_nginx *nginx);

/* A server on a thread; each connection gets a thread, which reads the head of one request and calls `serve`. */
struct peer_raw;
typedef void (*peer_serve)(struct peer_raw *raw, int fd, const char *head);
struct peer_raw *peer_raw_new(peer_serve serve);
void peer_raw_free(struct peer_raw *raw); /* cuts what is open, waits for the threads */
int peer_raw_port(const struct peer_raw *raw);
int peer_raw_accepted(struct peer_raw *raw);
bool peer_raw_sleep(struct peer_raw *raw,
                    int ms);               /* false as soon as the server is being stopped */
void peer_raw_count(struct peer_raw *raw); /* a counter that serve may use */
int peer_raw_counted(struct peer_raw *raw);
void peer_send(int fd, const char *text);

/* A client: a connected socket, and all that comes until the other side closes or ms pass (to be freed). */
int peer_connect(int port);
char *peer_receive(int fd, int ms);

#endif
