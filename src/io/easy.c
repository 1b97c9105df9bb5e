#include "io/easy.h"

#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_MS 10000
#define KEPT_HEAD_BYTES \
    ((size_t)4 << 10) /* a bigger buffer for heads is not kept for the next request */
#define SHOWN_PATH_CHARS 300
#define TEXT_BYTES       ((size_t)64 << 10) /* of a proxy, a user, a password, a method */
/* A peer that does not acknowledge what we sent for so long is gone, whatever the request's own deadline: otherwise a dead
 * connection would be offered to one request after the other. */
#define UNACKED_MS        30000
#define KEEPALIVE_AFTER_S 30L
#define KEEPALIVE_EVERY_S 10L

/* setopt fails for want of memory, for an option that libcurl was built without, or for a text of 8 MB: the first two end
 * here, the last is refused before. */
static void set_number(struct easy *easy, CURLoption option, long value)
{
    ASSERT(curl_easy_setopt(easy->curl, option, value) == CURLE_OK);
}

static void set_text(struct easy *easy, CURLoption option, const char *value)
{
    ASSERT(curl_easy_setopt(easy->curl, option, value) == CURLE_OK);
}

static void set_list(struct easy *easy, CURLoption option, struct curl_slist *value)
{
    ASSERT(curl_easy_setopt(easy->curl, option, value) == CURLE_OK);
}

/* The text is borrowed. NULL: unset. */
static void set_pem(struct easy *easy, CURLoption option, const char *pem)
{
    struct curl_blob blob = { .data = (void *)(uintptr_t)pem, .flags = CURL_BLOB_NOCOPY };
    if (pem)
        blob.len = strlen(pem);
    ASSERT(curl_easy_setopt(easy->curl, option, pem ? &blob : NULL) == CURLE_OK);
}

/* What curl's codes ask for; the rest is ERR_TRANSIENT. */
static enum err_kind kind_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_URL_MALFORMAT: return ERR_INVALID;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_LOGIN_DENIED: return ERR_DENIED;
    case CURLE_FILESIZE_EXCEEDED: return ERR_LIMIT;
    default: return ERR_TRANSIENT;
    }
}

struct err *easy_fail(const struct easy *easy, enum err_kind kind, const char *why)
{
    return err_new(kind, "%s %s: %s", easy->method, easy->url.shown, why);
}

/* A server may answer before it has read the body, and then close the stream or the connection: libcurl 7 fails to send the
 * rest, or sees the end, and forgets that it has the answer. */
static bool is_whole(const struct easy *easy)
{
    curl_off_t length = -1, got = -1;
    return easy->is_head_done &&
           curl_easy_getinfo(easy->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
           curl_easy_getinfo(easy->curl, CURLINFO_SIZE_DOWNLOAD_T, &got) == CURLE_OK &&
           length >= 0 && length == got;
}

struct err *easy_error(const struct easy *easy, CURLcode code)
{
    if (code == CURLE_OK &&
        !easy->is_head_done) /* the connection ended in the middle of the head */
        return easy_fail(easy, ERR_TRANSIENT, "the answer ended in its headers");
    if (code == CURLE_OK || (code == CURLE_HTTP2_STREAM && is_whole(easy)))
        return NULL;
    if (kind_of(code) == ERR_TRANSIENT && easy->is_head_done && easy->status >= 400)
        return NULL; /* the status is what counts: the rest of the body would only have explained it */
    /* curl quotes a proxy it does not understand, password included: such texts are replaced. */
    const char *why = easy->problem;
    if (why[0] == '\0' || strchr(why, '@') || strstr(why, "://") || strstr(why, "proxy s"))
        why = curl_easy_strerror(code);
    if (code == CURLE_SSL_CERTPROBLEM) /* curl speaks of a "memory blob" */
        why = "the client certificate and its key cannot be used: they are broken, or not of the "
              "same pair";
    return easy_fail(easy, kind_of(code), why);
}

void easy_init(struct easy *easy)
{
    *easy = (struct easy){ .curl = curl_easy_init() };
    ASSERT(easy->curl);
}

static void free_url(struct easy_url *url)
{
    free(url->full);
    free(url->shown);
    free(url->host);
    free(url->port);
    free(url->user);
    free(url->password);
    *url = (struct easy_url){ 0 };
}

void easy_end(struct easy *easy)
{
    curl_easy_reset(easy->curl);
    curl_slist_free_all(easy->headers);
    curl_slist_free_all(easy->connect_to);
    free(easy->method);
    free(easy->body);
    free_url(&easy->url);
    if (easy->head.cap > KEPT_HEAD_BYTES) {
        free(easy->head.bytes);
        easy->head = (struct http_headers){ 0 };
    }
    easy->head.len = 0;
    *easy = (struct easy){ .curl = easy->curl, .head = easy->head };
}

void easy_fini(struct easy *easy)
{
    free(easy->head.bytes);
    easy->head = (struct http_headers){ 0 };
    easy_end(easy);
    curl_easy_cleanup(easy->curl);
    easy->curl = NULL;
}

/* --- URLs */

static void curlu_free(CURLU *url)
{
    curl_url_cleanup(url);
}
DEFINE_SCOPED(CURLU, curlu_free)

/* A part of the URL as a text of ours; NULL if it has none. */
static char *url_part(CURLU *parsed, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(parsed, part, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = base_copy_text(text);
    curl_free(text);
    return copy;
}

static char *shown_url(CURLU *parsed, const struct easy_url *url)
{
    char *path = url_part(parsed, CURLUPART_PATH, 0);
    char *shown = NULL;
    ASSERT(asprintf(&shown, "%s://%s%s%s%.*s%s", url->is_https ? "https" : "http", url->host,
                    url->is_default_port ? "" : ":", url->is_default_port ? "" : url->port,
                    SHOWN_PATH_CHARS, path ? path : "/",
                    path && strlen(path) > SHOWN_PATH_CHARS ? "..." : "") >= 0);
    free(path);
    return shown;
}

/* Takes the parsed URL apart; NULL, or what is wrong with it. */
static const char *take_url(CURLU *parsed, struct easy_url *out)
{
    char *scheme = url_part(parsed, CURLUPART_SCHEME, 0);
    bool is_http = scheme && strcmp(scheme, "http") == 0;
    out->is_https = scheme && strcmp(scheme, "https") == 0;
    free(scheme);
    if (!is_http && !out->is_https)
        return "the scheme is neither http nor https";
    out->host = url_part(parsed, CURLUPART_HOST, 0);
    out->port = url_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (!out->host || !out->port || out->host[0] == '\0')
        return "the URL has no host";
    out->is_default_port = strcmp(out->port, out->is_https ? "443" : "80") == 0;
    out->user = url_part(parsed, CURLUPART_USER, CURLU_URLDECODE);
    out->password = url_part(parsed, CURLUPART_PASSWORD, CURLU_URLDECODE);
    ASSERT(curl_url_set(parsed, CURLUPART_USER, NULL, 0) == CURLUE_OK);
    ASSERT(curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK);
    ASSERT(curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK);
    out->full = url_part(parsed, CURLUPART_URL, 0);
    out->shown = shown_url(parsed, out);
    return out->full ? NULL : "the URL is malformed";
}

/* `base` NULL: `text` is a whole URL; else it may be relative to it. */
static struct err *parse_url(struct easy *easy, const char *base, const char *text,
                             struct easy_url *out)
{
    SCOPED(curlu_free) CURLU *parsed = curl_url();
    ASSERT(parsed);
    if (base)
        ASSERT(curl_url_set(parsed, CURLUPART_URL, base, 0) == CURLUE_OK);
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, text, 0);
    const char *why = NULL;
    if (code != CURLUE_OK)
        why = curl_url_strerror(code);
    else if (!(why = take_url(parsed, out)))
        return NULL;
    if (!base) /* the text cannot be shown: without its parts we do not know where its secrets are */
        return err_new(ERR_INVALID, "%s request: bad URL: %s", easy->method, why);
    free_url(out);
    return err_new(ERR_INVALID, "%s %s: redirected to a bad URL: %s", easy->method, easy->url.shown,
                   why);
}

/* --- options of the handle */

static int on_socket_made(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    (void)ctx;
    (void)purpose;
    unsigned unacked_ms = UNACKED_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return CURL_SOCKOPT_OK;
}

static void set_connection(struct easy *easy, const struct http_request *request)
{
    set_number(easy, CURLOPT_NOSIGNAL, 1);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A request that ends while its host is being looked up leaves that thread behind. Otherwise libcurl would wait for it:
     * a name server that does not answer would hold up the whole loop. */
    set_number(easy, CURLOPT_QUICK_EXIT, 1);
#endif
    ASSERT(curl_easy_setopt(easy->curl, CURLOPT_ERRORBUFFER, easy->problem) == CURLE_OK);
    set_number(easy, CURLOPT_CONNECTTIMEOUT_MS,
               (long)(request->connect_ms > 0 ? request->connect_ms : CONNECT_MS));
    ASSERT(curl_easy_setopt(easy->curl, CURLOPT_SOCKOPTFUNCTION, on_socket_made) == CURLE_OK);
    set_number(easy, CURLOPT_TCP_KEEPALIVE, 1);
    set_number(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_AFTER_S);
    set_number(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
    set_number(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
    /* A libcurl without HTTP/2 or gzip does without. */
    (void)curl_easy_setopt(easy->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    if (request->wants_gzip)
        (void)curl_easy_setopt(easy->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (request->proxy) {
        set_text(easy, CURLOPT_PROXY, request->proxy);
        set_text(easy, CURLOPT_NOPROXY,
                 request->proxy[0] ? "" : "*"); /* the environment has no say */
    }
}

/* A CA of the caller's replaces the system's: without the directory that libcurl would look in besides. The directory is
 * dropped also where a bundle is known, since libcurl shares a parsed bundle among connections only then. */
static void set_tls(struct easy *easy)
{
    static const struct http_tls usual = { 0 };
    const struct http_tls *tls = easy->tls ? easy->tls : &usual;
    bool has_cert = tls->cert_pem && tls->key_pem;
    set_number(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    if (tls->ca_pem || curl_version_info(CURLVERSION_NOW)->cainfo)
        set_text(easy, CURLOPT_CAPATH, NULL);
    set_pem(easy, CURLOPT_CAINFO_BLOB, tls->ca_pem);
    set_text(easy, CURLOPT_SSLCERTTYPE, "PEM");
    set_text(easy, CURLOPT_SSLKEYTYPE, "PEM");
    set_pem(easy, CURLOPT_SSLCERT_BLOB, has_cert ? tls->cert_pem : NULL);
    set_pem(easy, CURLOPT_SSLKEY_BLOB, has_cert ? tls->key_pem : NULL);
    set_number(easy, CURLOPT_SSL_VERIFYPEER, tls->is_insecure ? 0 : 1);
    set_number(easy, CURLOPT_SSL_VERIFYHOST, tls->is_insecure ? 0 : 2);
}

static void add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    ASSERT(longer);
    *list = longer;
}

static bool has_header(const struct curl_slist *list, const char *name)
{
    size_t len = strlen(name);
    for (; list; list = list->next) {
        if (strncasecmp(list->data, name, len) == 0 && list->data[len] == ':')
            return true;
    }
    return false;
}

static void add_line(struct curl_slist **list, char *line)
{
    add_header(list, line);
    free(line);
}

/* libcurl takes the name for SNI and verification from the URL. So the URL it gets holds the name, CONNECT_TO leads to the
 * host that was meant, and the Host header names that. */
static struct err *set_named_url(struct easy *easy, const char *name)
{
    const struct easy_url *url = &easy->url;
    SCOPED(curlu_free) CURLU *parsed = curl_url();
    ASSERT(parsed && curl_url_set(parsed, CURLUPART_URL, url->full, 0) == CURLUE_OK);
    char *named = NULL, *line = NULL;
    if (curl_url_set(parsed, CURLUPART_HOST, name, 0) == CURLUE_OK)
        named = url_part(parsed, CURLUPART_URL, 0);
    if (!named)
        return easy_fail(easy, ERR_INVALID, "the TLS server name is not a host name");
    set_text(easy, CURLOPT_URL, named);
    free(named);
    ASSERT(asprintf(&line, "%s:%s:%s:%s", name, url->port, url->host, url->port) >= 0);
    add_line(&easy->connect_to, line);
    set_list(easy, CURLOPT_CONNECT_TO, easy->connect_to);
    if (has_header(easy->headers, "Host"))
        return NULL;
    ASSERT(asprintf(&line, "Host: %s%s%s", url->host, url->is_default_port ? "" : ":",
                    url->is_default_port ? "" : url->port) >= 0);
    add_line(&easy->headers, line);
    return NULL;
}

static struct err *set_url(struct easy *easy)
{
    const char *name = easy->tls && easy->url.is_https ? easy->tls->server_name : NULL;
    curl_slist_free_all(easy->connect_to);
    easy->connect_to = NULL;
    set_list(easy, CURLOPT_CONNECT_TO, NULL);
    set_number(easy, CURLOPT_PIPEWAIT, easy->url.is_https ? 1 : 0);
    if (name && strcasecmp(name, easy->url.host) != 0)
        return set_named_url(easy, name);
    set_text(easy, CURLOPT_URL, easy->url.full);
    return NULL;
}

static void set_method(struct easy *easy)
{
    const char *method = easy->method;
    bool has_body = easy->body_len > 0 || strcmp(method, "POST") == 0 ||
                    strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    set_number(easy, CURLOPT_HTTPGET, 1);
    if (strcmp(method, "HEAD") == 0 && !has_body) {
        set_number(easy, CURLOPT_NOBODY, 1);
        return;
    }
    if (has_body) {
        set_number(easy, CURLOPT_POST, 1);
        ASSERT(curl_easy_setopt(easy->curl, CURLOPT_POSTFIELDS,
                                easy->body ? (const char *)easy->body : "") == CURLE_OK);
        ASSERT(curl_easy_setopt(easy->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)easy->body_len) == CURLE_OK);
    }
    set_text(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_headers(struct easy *easy)
{
    if (!has_header(easy->headers, "Expect"))
        add_header(&easy->headers, "Expect:"); /* no waiting for 100 Continue */
    if (!has_header(easy->headers, "Content-Type"))
        add_header(&easy->headers, "Content-Type:"); /* libcurl would call every body a form */
    set_list(easy, CURLOPT_HTTPHEADER, easy->headers);
}

/* Basic authentication: as told, else as the URL says. */
static void set_login(struct easy *easy, const struct easy_spec *spec)
{
    const char *user = spec->user, *password = spec->password;
    if (!user) {
        user = easy->url.user;
        password = easy->url.password;
    }
    if (!user && !password)
        return;
    set_number(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set_text(easy, CURLOPT_USERNAME, user ? user : "");
    set_text(easy, CURLOPT_PASSWORD, password ? password : "");
}

/* --- a request */

static bool is_token(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return len > 0 && text[len] == '\0';
}

static bool is_too_long(const char *text)
{
    return text && strlen(text) > TEXT_BYTES;
}

static struct err *copy_headers(struct easy *easy, const char *const *headers)
{
    for (; headers && *headers; headers++) {
        if (strpbrk(*headers, "\r\n"))
            return easy_fail(easy, ERR_INVALID, "a header holds a line break");
        add_header(&easy->headers, *headers);
    }
    return NULL;
}

static struct err *copy_request(struct easy *easy, const struct easy_spec *spec)
{
    const struct http_request *request = spec->request;
    easy->method = base_copy_text(is_token(request->method) ? request->method : "?");
    TRY(parse_url(easy, NULL, request->url, &easy->url));
    if (easy->method[0] == '?' || is_too_long(easy->method))
        return easy_fail(easy, ERR_INVALID, "the method is not a word");
    if (is_too_long(request->proxy) || is_too_long(spec->user) || is_too_long(spec->password) ||
        is_too_long(easy->url.user) || is_too_long(easy->url.password))
        return easy_fail(easy, ERR_INVALID, "the proxy, the user or the password is over 64 KiB");
    easy->tls = request->tls;
    easy->follows = request->follow_redirects;
    if (request->body_len) {
        easy->body = base_alloc(request->body_len);
        memcpy(easy->body, request->body, request->body_len);
        easy->body_len = request->body_len;
    }
    return copy_headers(easy, request->headers);
}

struct err *easy_prepare(struct easy *easy, const struct easy_spec *spec)
{
    TRY(copy_request(easy, spec));
    set_connection(easy, spec->request);
    set_tls(easy);
    set_text(easy, CURLOPT_USERAGENT, spec->user_agent);
    set_login(easy, spec);
    TRY(set_url(easy));
    set_method(easy);
    set_headers(easy);
    return NULL;
}

/* --- the head of an answer */

static void start_head(struct easy *easy)
{
    easy->head.len = 0;
    easy->status = 0;
}

static bool keep_text(struct http_headers *head, const char *text, size_t len)
{
    if (len + 1 > EASY_HEAD_BYTES - head->len)
        return false;
    if (head->len + len + 1 > head->cap) {
        head->cap = MAX_OF(head->len + len + 1, MAX_OF(head->cap * 2, (size_t)512));
        head->bytes = base_realloc(head->bytes, head->cap);
    }
    memcpy(head->bytes + head->len, text, len);
    head->len += len;
    head->bytes[head->len++] = '\0';
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool keep_header(struct http_headers *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (!colon || colon == line || is_space(line[0]))
        return true; /* no header, or an obsolete continuation: nothing we would look for */
    if (memchr(line, '\0', len))
        return true;
    const char *value = colon + 1, *end = line + len;
    while (value < end && is_space(*value))
        value++;
    while (end > value && is_space(end[-1]))
        end--;
    return keep_text(head, line, (size_t)(colon - line)) &&
           keep_text(head, value, (size_t)(end - value));
}

/* The head of a final answer ends with an empty line; 1xx answers before it have heads of their own, trailers come after
 * it. */
enum easy_head easy_take_header(struct easy *easy, const char *line, size_t len)
{
    if (easy->is_head_done)
        return EASY_HEAD_MORE;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        start_head(easy);
        return EASY_HEAD_MORE;
    }
    if (len > 0 && line[0] != '\r' && line[0] != '\n')
        return keep_header(&easy->head, line, len) ? EASY_HEAD_MORE : EASY_HEAD_TOO_BIG;
    long status = 0;
    (void)curl_easy_getinfo(easy->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return EASY_HEAD_MORE;
    easy->status = (int)status;
    easy->is_head_done = true;
    return EASY_HEAD_DONE;
}

const char *easy_find_header(const struct http_headers *headers, const char *name)
{
    for (size_t at = 0; at < headers->len;) {
        const char *key = headers->bytes + at;
        const char *value = key + strlen(key) + 1;
        if (strcasecmp(key, name) == 0)
            return value;
        at = (size_t)(value - headers->bytes) + strlen(value) + 1;
    }
    return NULL;
}

/* --- redirects: followed here and not by libcurl, which cannot be told these rules */

bool easy_is_redirect(const struct easy *easy)
{
    switch (easy->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308: return easy->follows && easy_find_header(&easy->head, "Location");
    default: return false;
    }
}

static bool is_same_host(const struct easy_url *a, const struct easy_url *b)
{
    return strcasecmp(a->host, b->host) == 0 &&
           (strcmp(a->port, b->port) == 0 || (a->is_default_port && b->is_default_port));
}

/* Another host gets the headers that describe what we want and what we send, and no other: a token may be in any. */
static bool may_go_abroad(const char *header)
{
    static const char *const allowed[] = { "Accept", "Content-",
                                           "User-Agent:", "Git-Protocol:", "Expect:" };
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (strncasecmp(header, allowed[i], strlen(allowed[i])) == 0)
            return true;
    }
    return false;
}

static void leave_host(struct easy *easy)
{
    struct curl_slist *kept = NULL;
    for (const struct curl_slist *at = easy->headers; at; at = at->next) {
        if (may_go_abroad(at->data))
            add_header(&kept, at->data);
    }
    curl_slist_free_all(easy->headers);
    easy->headers = kept;
    set_text(easy, CURLOPT_USERNAME, NULL);
    set_text(easy, CURLOPT_PASSWORD, NULL);
    if (easy->tls) {
        easy->foreign_tls =
            (struct http_tls){ .ca_pem = easy->tls->ca_pem, .is_insecure = easy->tls->is_insecure };
        easy->tls = &easy->foreign_tls;
        set_tls(easy);
    }
}

/* 303 always, 301 and 302 for POST: as browsers do it, the next request is a GET without a body. */
static void change_method(struct easy *easy)
{
    bool becomes_get = easy->status == 303 ? strcmp(easy->method, "HEAD") != 0
                                           : (easy->status == 301 || easy->status == 302) &&
                                                 strcmp(easy->method, "POST") == 0;
    if (!becomes_get)
        return;
    free(easy->method);
    easy->method = base_copy_text("GET");
    free(easy->body);
    easy->body = NULL;
    easy->body_len = 0;
    ASSERT(curl_easy_setopt(easy->curl, CURLOPT_POSTFIELDS, NULL) == CURLE_OK);
}

struct err *easy_redirect(struct easy *easy)
{
    if (easy->redirects++ >= EASY_REDIRECTS)
        return easy_fail(easy, ERR_LIMIT, "more than 5 redirects");
    struct easy_url next = { 0 };
    TRY(parse_url(easy, easy->url.full, easy_find_header(&easy->head, "Location"), &next));
    ASSERT(next.host && next.shown);
    if (easy->url.is_https && !next.is_https) {
        struct err *e = err_new(ERR_INVALID, "%s %s: redirected from https to %s, which is refused",
                                easy->method, easy->url.shown, next.shown);
        free_url(&next);
        return e;
    }
    if (!is_same_host(&easy->url, &next))
        leave_host(easy);
    free_url(&easy->url);
    easy->url = next;
    change_method(easy);
    easy->is_head_done = false;
    start_head(easy);
    TRY(set_url(easy));
    set_method(easy);
    set_headers(easy);
    return NULL;
}
