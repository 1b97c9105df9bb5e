/* The head of an answer, line by line, and where it leads: the first line of the input is the URL asked for, the others come
 * from the server. A redirect must never lead from https to http, nor take credentials to another host. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/easy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_redirect(struct easy *easy)
{
    bool was_https = easy->url.is_https;
    char *host = base_copy_text(easy->url.host);
    struct err *e = easy_redirect(easy);
    if (!e) {
        ASSERT(easy->url.is_https || !was_https);
        bool is_same = strcasecmp(host, easy->url.host) == 0;
        for (const struct curl_slist *at = easy->headers; at; at = at->next)
            ASSERT(is_same || !strstr(at->data, "s3cret"));
        ASSERT(!strstr(easy->url.shown, "?"));
    }
    err_free(e);
    free(host);
}

static void take_lines(struct easy *easy, const char *text, size_t len)
{
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) + 1 : len;
        if (easy_take_header(easy, text, line) == EASY_HEAD_TOO_BIG)
            return;
        text += line;
        len -= line;
    }
    (void)easy_find_header(&easy->head, "Content-Type");
    easy->status = 302; /* libcurl would say so */
    easy->is_head_done = true;
    if (easy_is_redirect(easy))
        check_redirect(easy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    if (!end)
        return 0;
    size_t len = (size_t)(end - data);
    char *url = base_alloc(len + 1);
    if (len)
        memcpy(url, data, len);
    const char *const headers[] = { "Authorization: Bearer s3cret", "X-Token: s3cret",
                                    "Accept: text/html", NULL };
    struct http_tls tls = { .server_name = "named.example" };
    struct http_request request = { .method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .body = "body",
                                    .body_len = 4,
                                    .tls = &tls,
                                    .follow_redirects = true };
    struct easy easy;
    easy_init(&easy);
    struct err *e =
        easy_prepare(&easy, &(struct easy_spec){ .request = &request, .user_agent = "fuzz" });
    if (!e)
        take_lines(&easy, (const char *)end + 1, size - len - 1);
    err_free(e);
    easy_fini(&easy);
    free(url);
    return 0;
}
