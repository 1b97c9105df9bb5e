#include "image/ecr.h"

#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "image/creds_cloud.h"

#define METADATA_URL   "http://169.254.169.254"
#define METADATA_MS    ((int64_t)5 * 1000)
#define CONNECT_MS     ((int64_t)1000)
#define ANSWER_BYTES   ((size_t)64 << 10)
#define NO_ACCOUNT     "000000000000" /* a token is good for every registry that its owner may read */
#define CHINA          "cn-"
#define TOKEN_LIFE     "X-aws-ec2-metadata-token-ttl-seconds: 60"
#define DOCUMENT_PATH  "/latest/dynamic/instance-identity/document"
#define TOKEN_PATH     "/latest/api/token"
#define REGION_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

struct ecr {
    struct ecr_opts opts;
    struct arena *mem;
    const char *region, *account;
    ecr_done done;
    void *ctx;
    ticket turn, request;
    struct creds_cloud *cloud;
};

void ecr_cancel(struct ecr *ecr)
{
    if (!ecr)
        return;
    loop_cancel(ecr->opts.loop, ecr->turn);
    http_cancel(ecr->opts.http, ecr->request);
    creds_cloud_cancel(ecr->cloud);
    arena_free(ecr->mem);
    free(ecr);
}

/* Takes the error. */
static void end(struct ecr *ecr, struct err *cause)
{
    SCOPED(err_free) struct err *e = err_wrap(cause, "--registry-require=ecr");
    ecr->done(ecr->ctx, ecr->region, e);
    ecr_cancel(ecr);
}

/* -- then the login */

static void on_login(void *ctx, const struct image_login *login, const char *problem)
{
    struct ecr *ecr = ctx;
    ecr->cloud = NULL;
    end(ecr, login ? NULL
                   : err_new(ERR_DENIED, "no login to registries in %s: %s", ecr->region,
                             problem ? problem
                                     : "neither docker-credential-ecr-login nor aws is installed"));
}

static void log_in(struct ecr *ecr)
{
    bool is_china = strncmp(ecr->region, CHINA, strlen(CHINA)) == 0;
    const char *host =
        arena_printf(ecr->mem, "%s.dkr.ecr.%s.amazonaws.com%s",
                     *ecr->account ? ecr->account : NO_ACCOUNT, ecr->region, is_china ? ".cn" : "");
    if (creds_cloud_kind(host) != CREDS_CLOUD_ECR) {
        end(ecr, err_new(ERR_INVALID, "%s is not a registry of ECR", host));
        return;
    }
    ecr->cloud = creds_cloud_start(&(struct creds_cloud_opts){ .loop = ecr->opts.loop,
                                                               .http = ecr->opts.http,
                                                               .processes = ecr->opts.processes,
                                                               .host = host,
                                                               .helper = "" },
                                   on_login, ecr);
}

/* -- first where we are */

static void ask(struct ecr *ecr, const char *method, const char *path, const char *header,
                http_done_fn done)
{
    const char *base = ecr->opts.metadata_url ? ecr->opts.metadata_url : METADATA_URL;
    const char *const headers[] = { header, NULL };
    ecr->request =
        http_start(ecr->opts.http,
                   &(struct http_request){ .method = method,
                                           .url = arena_printf(ecr->mem, "%s%s", base, path),
                                           .headers = headers,
                                           .timeout_ms = METADATA_MS,
                                           .connect_ms = CONNECT_MS,
                                           .limit_bytes = ANSWER_BYTES,
                                           .proxy = "" },
                   done, ecr);
}

static struct err *check(const struct http_result *result)
{
    if (result->err)
        return err_copy(result->err);
    return result->status == 200 ? NULL : err_new(ERR_DENIED, "status %d", result->status);
}

static struct err *read_document(struct ecr *ecr, const struct http_result *result)
{
    struct val *document = NULL;
    TRY(check(result));
    TRY(doc_json_parse(ecr->mem, result->body, result->body_len, &document));
    ecr->region = val_text_or(val_get(document, "region"), "");
    if (!*ecr->account)
        ecr->account = val_text_or(val_get(document, "accountId"), "");
    if (!*ecr->region || ecr->region[strspn(ecr->region, REGION_LETTERS)])
        return err_new(ERR_INVALID, "it names no region");
    return NULL;
}

static void on_document(void *ctx, const struct http_result *result)
{
    struct ecr *ecr = ctx;
    ecr->request = 0;
    struct err *e = read_document(ecr, result);
    if (e)
        end(ecr, err_wrap(e, "the region, from the metadata service of EC2 (or give "
                             "--registry-ecr-region)"));
    else
        log_in(ecr);
}

static void on_token(void *ctx, const struct http_result *result)
{
    struct ecr *ecr = ctx;
    ecr->request = 0;
    struct err *e = check(result);
    if (e)
        end(ecr, err_wrap(e, "the metadata service of EC2 (give --registry-ecr-region elsewhere)"));
    else
        ask(ecr, "GET", DOCUMENT_PATH,
            arena_printf(ecr->mem, "X-aws-ec2-metadata-token: %s", result->body), on_document);
}

static void on_turn(void *ctx)
{
    struct ecr *ecr = ctx;
    ecr->turn = 0;
    if (*ecr->region)
        log_in(ecr);
    else
        ask(ecr, "PUT", TOKEN_PATH, TOKEN_LIFE, on_token);
}

struct ecr *ecr_start(const struct ecr_opts *opts, ecr_done done, void *ctx)
{
    struct ecr *ecr = base_alloc(sizeof(*ecr));
    ecr->opts = *opts;
    ecr->mem = arena_new(ARENA_LIMIT_BYTES);
    ecr->region = arena_strdup(ecr->mem, opts->region ? opts->region : "");
    ecr->account = arena_strdup(ecr->mem, opts->account ? opts->account : "");
    ecr->done = done;
    ecr->ctx = ctx;
    ecr->turn = loop_after(opts->loop, 0, on_turn, ecr);
    return ecr;
}
