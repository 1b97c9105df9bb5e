#include "image/creds_cloud.h"

#include <stdlib.h>
#include <string.h>

#include "doc/json.h"
#include "image/creds.h"
#include "kube/smallfile.h"

#define PROGRAM_MS   ((int64_t)20 * 1000)
#define METADATA_MS  ((int64_t)5 * 1000)
#define CONNECT_MS   ((int64_t)1000)
#define OUTPUT_BYTES ((size_t)64 << 10)
#define FORM_BYTES   ((size_t)4 * OUTPUT_BYTES)
#define MEMORY_BYTES ((size_t)512 << 20)
#define METADATA_URL \
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
#define AZURE_FILE         "/etc/kubernetes/azure.json"
#define AZURE_METADATA_URL "http://169.254.169.254"
#define AZURE_IDENTITY     "msi" /* in place of the name of a service principal */

enum way { WAY_HELPER, WAY_AWS, WAY_METADATA, WAY_AZURE_FILE };

/* Those of a cloud in the order they are tried. */
static const struct step {
    enum creds_cloud_kind cloud;
    enum way way;
    const char *helper;
} steps[] = {
    { CREDS_CLOUD_ECR, WAY_HELPER, "ecr-login" }, { CREDS_CLOUD_ECR, WAY_AWS, NULL },
    { CREDS_CLOUD_GCR, WAY_HELPER, "gcr" },       { CREDS_CLOUD_GCR, WAY_METADATA, NULL },
    { CREDS_CLOUD_ACR, WAY_AZURE_FILE, NULL },    { CREDS_CLOUD_ACR, WAY_HELPER, "acr-env" },
};

struct creds_cloud {
    struct creds_cloud_opts opts;
    enum creds_cloud_kind kind;
    creds_cloud_done done;
    void *ctx;
    struct arena *mem;
    size_t step; /* the one that runs */
    const char *problem;
    ticket late, process, request;
};

/* -- which cloud */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

bool creds_split_ecr(struct arena *mem, const char *host, const char **account, const char **region)
{
    static const char mark[] = ".dkr.ecr.";
    static const char *const ends[] = { ".amazonaws.com", ".amazonaws.com.cn" };
    size_t digits = strspn(host, "0123456789");
    if (digits != 12 || strncmp(host + digits, mark, strlen(mark)) != 0)
        return false;
    const char *at = host + digits + strlen(mark);
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-");
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (len > 0 && strcmp(at + len, ends[i]) == 0) {
            *account = arena_strndup(mem, host, digits);
            *region = arena_strndup(mem, at, len);
            return true;
        }
    }
    return false;
}

enum creds_cloud_kind creds_cloud_kind(const char *host)
{
    static const struct {
        const char *end;
        enum creds_cloud_kind kind;
    } ends[] = {
        { ".gcr.io", CREDS_CLOUD_GCR },     { "-docker.pkg.dev", CREDS_CLOUD_GCR },
        { ".azurecr.io", CREDS_CLOUD_ACR }, { ".azurecr.cn", CREDS_CLOUD_ACR },
        { ".azurecr.de", CREDS_CLOUD_ACR }, { ".azurecr.us", CREDS_CLOUD_ACR },
    };
    SCOPED(arena_free) struct arena *mem = arena_new(MEMORY_BYTES);
    const char *account, *region;
    if (creds_split_ecr(mem, host, &account, &region))
        return CREDS_CLOUD_ECR;
    if (strcmp(host, "gcr.io") == 0)
        return CREDS_CLOUD_GCR;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (ends_with(host, ends[i].end))
            return ends[i].kind;
    }
    return CREDS_CLOUD_NONE;
}

/* -- the end, and the next step */

static void cloud_free(struct creds_cloud *cloud)
{
    loop_cancel(cloud->opts.loop, cloud->late);
    process_cancel(cloud->opts.processes, cloud->process);
    http_cancel(cloud->opts.http, cloud->request);
    arena_free(cloud->mem);
    free(cloud);
}

void creds_cloud_cancel(struct creds_cloud *cloud)
{
    if (cloud)
        cloud_free(cloud);
}

static void succeed(struct creds_cloud *cloud, const struct image_login *login)
{
    cloud->done(cloud->ctx, login, NULL);
    cloud_free(cloud);
}

static void on_late(void *ctx);

static void fail(struct creds_cloud *cloud, const char *problem)
{
    if (problem)
        cloud->problem = problem;
    cloud->step++;
    cloud->late = loop_after(cloud->opts.loop, 0, on_late, cloud);
}

static struct image_login login_of(const char *user, const char *password)
{
    return (struct image_login){
        .host = "", .user = user, .password = password, .token = "", .helper = ""
    };
}

/* -- programs */

/* Standard error is in the same text: the object is what stands between the first brace and the last. */
static bool read_object(struct creds_cloud *cloud, const struct process_result *result,
                        struct val **out)
{
    const char *open = strchr(result->output, '{');
    const char *close = strrchr(result->output, '}');
    if (!open || !close || close < open)
        return false;
    SCOPED(err_free)
    struct err *e = doc_json_parse(cloud->mem, open, (size_t)(close - open) + 1, out);
    return !e;
}

/* False: it failed, and that was dealt with. */
static bool has_succeeded(struct creds_cloud *cloud, const struct process_result *result,
                          const char *name)
{
    if (result->err) {
        bool is_missing = err_is(result->err, ERR_NOT_FOUND) && *cloud->opts.helper == '\0';
        fail(cloud, is_missing ? NULL : arena_strdup(cloud->mem, err_text(result->err)));
        return false;
    }
    if (result->exit_status != 0) {
        fail(cloud,
             arena_printf(cloud->mem, "%s failed with status %d", name, result->exit_status));
        return false;
    }
    return true;
}

static void on_helper(void *ctx, const struct process_result *result)
{
    struct creds_cloud *cloud = ctx;
    cloud->process = 0;
    if (!has_succeeded(cloud, result, "the credential helper"))
        return;
    struct val *root = NULL;
    bool is_read = read_object(cloud, result, &root);
    const char *user = val_text_or(val_get(root, "Username"), "");
    const char *secret = val_text_or(val_get(root, "Secret"), "");
    if (!is_read || *secret == '\0') {
        fail(cloud, "the credential helper printed no credentials");
        return;
    }
    struct image_login login = login_of(user, secret);
    if (strcmp(user, "<token>") == 0) {
        login = login_of("", "");
        login.token = secret;
    }
    succeed(cloud, &login);
}

static void on_aws(void *ctx, const struct process_result *result)
{
    struct creds_cloud *cloud = ctx;
    cloud->process = 0;
    if (!has_succeeded(cloud, result, "aws ecr get-login-password"))
        return;
    size_t len = strcspn(result->output, " \t\r\n");
    if (len == 0 || result->was_cut) {
        fail(cloud, "aws ecr get-login-password printed no password");
        return;
    }
    const struct image_login login =
        login_of("AWS", arena_strndup(cloud->mem, result->output, len));
    succeed(cloud, &login);
}

static void run(struct creds_cloud *cloud, const char *const *argv, const char *input,
                process_done_fn done)
{
    cloud->process = process_start(
        cloud->opts.processes,
        &(struct process_spec){
            .argv = argv, .input = input, .timeout_ms = PROGRAM_MS, .output_limit = OUTPUT_BYTES },
        done, cloud);
}

static void start_helper(struct creds_cloud *cloud, const char *helper)
{
    /* Docker's own name for its registry. */
    bool is_hub = strcmp(cloud->opts.host, "index.docker.io") == 0;
    const char *const argv[] = { arena_printf(cloud->mem, "docker-credential-%s", helper), "get",
                                 NULL };
    run(cloud, argv,
        is_hub ? "https://index.docker.io/v1/\n"
               : arena_printf(cloud->mem, "%s\n", cloud->opts.host),
        on_helper);
}

static void start_aws(struct creds_cloud *cloud)
{
    const char *account, *region;
    ASSERT(creds_split_ecr(cloud->mem, cloud->opts.host, &account, &region));
    const char *const argv[] = { "aws", "ecr", "get-login-password", "--region", region, NULL };
    run(cloud, argv, NULL, on_aws);
}

/* -- servers that give tokens */

/* NULL: it gave none, and that was dealt with. Who is not `expected` may be missing. */
static const char *token_of(struct creds_cloud *cloud, const struct http_result *result,
                            const char *key, const char *server, bool is_expected)
{
    struct val *root = NULL;
    cloud->request = 0;
    if (result->err) {
        fail(cloud, is_expected ? arena_strdup(cloud->mem, err_text(result->err)) : NULL);
        return NULL;
    }
    SCOPED(err_free)
    struct err *e = doc_json_parse(cloud->mem, result->body, result->body_len, &root);
    const char *token = val_text_or(val_get(root, key), "");
    if (result->status == 200 && !e && *token)
        return token;
    fail(cloud, arena_printf(cloud->mem, "%s gave no token (status %d)", server, result->status));
    return NULL;
}

static void ask(struct creds_cloud *cloud, const struct http_request *request, http_done_fn done)
{
    struct http_request all = *request;
    all.timeout_ms = METADATA_MS;
    all.connect_ms = all.proxy ? CONNECT_MS : METADATA_MS;
    all.limit_bytes = OUTPUT_BYTES;
    cloud->request = http_start(cloud->opts.http, &all, done, cloud);
}

static void on_metadata(void *ctx, const struct http_result *result)
{
    struct creds_cloud *cloud = ctx;
    const char *token = token_of(cloud, result, "access_token", "the metadata server", false);
    if (!token)
        return;
    const struct image_login login = login_of("oauth2accesstoken", token);
    succeed(cloud, &login);
}

static void start_metadata(struct creds_cloud *cloud)
{
    static const char *const headers[] = { "Metadata-Flavor: Google", NULL };
    const char *url = cloud->opts.metadata_url;
    ask(cloud,
        &(struct http_request){
            .method = "GET", .url = url ? url : METADATA_URL, .headers = headers, .proxy = "" },
        on_metadata);
}

/* -- the managed identity of a node: a token for Azure, traded in for one of the registry */

static void on_exchanged(void *ctx, const struct http_result *result)
{
    struct creds_cloud *cloud = ctx;
    const char *token = token_of(cloud, result, "refresh_token", "the registry", true);
    if (!token)
        return;
    struct image_login login = login_of("", "");
    login.token = token;
    succeed(cloud, &login);
}

static void on_identity(void *ctx, const struct http_result *result)
{
    struct creds_cloud *cloud = ctx;
    static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded",
                                           NULL };
    const char *host = cloud->opts.host, *base = cloud->opts.acr_url;
    const char *token = token_of(cloud, result, "access_token", "Azure's metadata server", true);
    if (!token)
        return;
    SBUF(form, FORM_BYTES);
    sbuf_addf(&form, "grant_type=access_token&service=%s&access_token=", host);
    sbuf_add_url(&form, token);
    ask(cloud,
        &(struct http_request){
            .method = "POST",
            .url = arena_printf(cloud->mem, "%s/oauth2/exchange",
                                base ? base : arena_printf(cloud->mem, "https://%s", host)),
            .headers = headers,
            .body = form.bytes,
            .body_len = form.len },
        on_exchanged);
}

/* Whose tokens a registry takes. */
static const char *azure_manager(const char *host)
{
    static const struct {
        const char *end, *manager;
    } clouds[] = { { ".azurecr.cn", "management.chinacloudapi.cn" },
                   { ".azurecr.de", "management.microsoftazure.de" },
                   { ".azurecr.us", "management.usgovcloudapi.net" } };
    for (size_t i = 0; i < ARRAY_LEN(clouds); i++) {
        if (ends_with(host, clouds[i].end))
            return clouds[i].manager;
    }
    return "management.azure.com";
}

/* `id`: of one of several identities; "": the node's only one. */
static void start_identity(struct creds_cloud *cloud, const char *id)
{
    static const char *const headers[] = { "Metadata: true", NULL };
    const char *base = cloud->opts.azure_metadata_url;
    SBUF(url, FORM_BYTES);
    sbuf_addf(&url,
              "%s/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%%3A%%2F%%2F"
              "%s%%2F",
              base ? base : AZURE_METADATA_URL, azure_manager(cloud->opts.host));
    if (*id) {
        sbuf_add(&url, "&client_id=");
        sbuf_add_url(&url, id);
    }
    ask(cloud,
        &(struct http_request){
            .method = "GET", .url = sbuf_text(&url), .headers = headers, .proxy = "" },
        on_identity);
}

/* -- who the file of a node says we are: a service principal, or its managed identity */

static void read_azure(struct creds_cloud *cloud)
{
    const char *path = cloud->opts.azure_file ? cloud->opts.azure_file : AZURE_FILE;
    char *text = NULL;
    size_t len = 0;
    struct val *root = NULL;
    struct err *e = smallfile_read(path, SMALLFILE_MAX, &text, &len);
    if (e) {
        fail(cloud, err_is(e, ERR_NOT_FOUND) ? NULL : arena_strdup(cloud->mem, err_text(e)));
        err_free(e);
        return;
    }
    e = doc_json_parse(cloud->mem, text, len, &root);
    explicit_bzero(text, len);
    free(text);
    const char *id = val_text_or(val_get(root, "aadClientId"), "");
    const char *secret = val_text_or(val_get(root, "aadClientSecret"), "");
    bool is_read = !e;
    err_free(e);
    if (is_read && (strcmp(id, AZURE_IDENTITY) == 0 ||
                    val_is_true(val_get(root, "useManagedIdentityExtension")))) {
        start_identity(cloud, val_text_or(val_get(root, "userAssignedIdentityID"), ""));
        return;
    }
    if (!is_read || *id == '\0' || *secret == '\0') {
        fail(cloud,
             arena_printf(cloud->mem, "%s names neither a service principal nor a managed identity",
                          path));
        return;
    }
    const struct image_login login = login_of(id, secret);
    succeed(cloud, &login);
}

/* -- steps */

static void start_way(struct creds_cloud *cloud, const struct step *step)
{
    switch (step->way) {
    case WAY_HELPER: start_helper(cloud, step->helper); return;
    case WAY_AWS: start_aws(cloud); return;
    case WAY_METADATA: start_metadata(cloud); return;
    case WAY_AZURE_FILE: read_azure(cloud); return;
    }
}

static void start_step(struct creds_cloud *cloud)
{
    if (*cloud->opts.helper && cloud->step == 0) {
        start_helper(cloud, cloud->opts.helper);
        return;
    }
    while (*cloud->opts.helper == '\0' && cloud->step < ARRAY_LEN(steps) &&
           steps[cloud->step].cloud != cloud->kind)
        cloud->step++;
    if (*cloud->opts.helper == '\0' && cloud->step < ARRAY_LEN(steps)) {
        start_way(cloud, &steps[cloud->step]);
        return;
    }
    cloud->done(cloud->ctx, NULL, cloud->problem);
    cloud_free(cloud);
}

static void on_late(void *ctx)
{
    struct creds_cloud *cloud = ctx;
    cloud->late = 0;
    start_step(cloud);
}

struct creds_cloud *creds_cloud_start(const struct creds_cloud_opts *opts, creds_cloud_done done,
                                      void *ctx)
{
    struct creds_cloud *cloud = base_alloc(sizeof(*cloud));
    cloud->opts = *opts;
    cloud->mem = arena_new(MEMORY_BYTES);
    cloud->opts.host = arena_strdup(cloud->mem, opts->host);
    cloud->opts.helper = arena_strdup(cloud->mem, opts->helper);
    cloud->kind = creds_cloud_kind(opts->host);
    cloud->done = done;
    cloud->ctx = ctx;
    cloud->late = loop_after(opts->loop, 0, on_late, cloud);
    return cloud;
}
