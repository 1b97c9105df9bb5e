/* io/address.h - addresses to listen on, and the escapes of URLs.
 * Effects:   none; address_port_of and address_is_within ask the kernel.
 * Ownership: results are written into the caller's buffers.
 * Units:     none. */
#ifndef SERIN_IO_ADDRESS_H
#define SERIN_IO_ADDRESS_H

#include <sys/socket.h>

#include "base/err.h"

struct address {
    char host[256]; /* without brackets; "": every address of the machine */
    char port[6];   /* 0 to 65535, in digits */
};

/* ":3030", "127.0.0.1:3030", "[::1]:3030", "localhost:3030"; ERR_INVALID for anything else. */
MUST_USE struct err *address_parse(const char *text, struct address *out);

/* Decodes %XX in place and returns the new length. %00 stays as it is, and so does a % that no two hex digits follow: the
 * text cannot end early. */
size_t address_unescape(char *text);

/* 127.0.0.0/8, also as ::ffff:127.x.y.z, and ::1; false for NULL and other families. */
bool address_is_loopback(const struct sockaddr *address);

/* Both ends of a connection are loopback addresses. The peer's alone would not do: a proxy that stands beside a program forwards what
 * comes from anywhere, from such an address, to the one it was sent to. */
bool address_is_within(int fd);

/* The port of a socket's own end, or of its peer's; 0 if it has none. */
int address_port_of(int fd, bool of_peer);

#endif
