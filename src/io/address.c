#include "io/address.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SHOWN_CHARS 100 /* of a bad address, in its error */

static struct err *bad_address(const char *text, const char *why)
{
    return err_new(ERR_INVALID, "listen address \"%.*s\": %s; give HOST:PORT, [IPV6]:PORT or :PORT",
                   SHOWN_CHARS, text, why);
}

static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    return len >= 1 && len <= 5 && text[len] == '\0' && strtol(text, NULL, 10) <= 65535;
}

static bool is_host_char(char c, bool in_brackets)
{
    if (c >= '0' && c <= '9')
        return true;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return in_brackets ? strchr(":.%_-", c) != NULL : strchr(".-_", c) != NULL;
}

struct err *address_parse(const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !is_port(colon + 1))
        return bad_address(text,
                           colon ? "the port is not a number from 0 to 65535" : "it has no port");
    const char *host = text, *end = colon;
    bool in_brackets = host < end && *host == '[';
    if (in_brackets) {
        host++;
        if (end == host || end[-1] != ']' || end - 1 == host)
            return bad_address(text, "the bracket is not closed before the port, or is empty");
        end--;
    }
    size_t len = (size_t)(end - host);
    if (len >= sizeof(out->host))
        return bad_address(text, "the host is too long");
    for (size_t i = 0; i < len; i++) {
        if (host[i] == ':' && !in_brackets)
            return bad_address(text, "an IPv6 address needs brackets");
        if (host[i] == '\0' || !is_host_char(host[i], in_brackets))
            return bad_address(text, "the host is not a name or an IP address");
    }
    *out = (struct address){ 0 };
    memcpy(out->host, host, len);
    memcpy(out->port, colon + 1, strlen(colon + 1));
    return NULL;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t address_unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        int high = *from == '%' ? hex_value(from[1]) : -1;
        int low = high >= 0 ? hex_value(from[2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            *to = *from++;
            continue;
        }
        *to = (char)(high * 16 + low);
        from += 3;
    }
    *to = '\0';
    return (size_t)(to - text);
}

bool address_is_loopback(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address && address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (!address || address->sa_family != AF_INET6)
        return false;
    memcpy(&v6, address, sizeof(v6));
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
           (is_v4 && v6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

union name {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool read_name(int fd, bool of_peer, union name *out)
{
    socklen_t len = sizeof(*out);
    memset(out, 0, sizeof(*out));
    return (of_peer ? getpeername(fd, &out->any, &len) : getsockname(fd, &out->any, &len)) == 0;
}

bool address_is_within(int fd)
{
    union name own, peer;
    return read_name(fd, false, &own) && read_name(fd, true, &peer) &&
           address_is_loopback(&own.any) && address_is_loopback(&peer.any);
}

int address_port_of(int fd, bool of_peer)
{
    union name name;
    if (!read_name(fd, of_peer, &name))
        return 0;
    if (name.any.sa_family == AF_INET6)
        return ntohs(name.v6.sin6_port);
    return name.any.sa_family == AF_INET ? ntohs(name.v4.sin_port) : 0;
}
