#include "api/receive.h"

#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/vec.h"
#include "doc/json.h"
#include "doc/yaml.h"

#define FINE          200
#define BAD_REQUEST   400
#define UNAUTHORIZED  401
#define OTHER_EVENT   "unexpected hook kind, but OK"
#define REF_BRANCH    "refs/heads/"
#define NAME_MAX_SAID 100
#define TOKEN_BYTES   8192

/* -- the sources, as a table --------------------------------------------------------------------- */

enum proof { PROOF_PATH, PROOF_TOKEN, PROOF_HMAC_SHA1, PROOF_HMAC_SHA256, PROOF_HUB };

struct judge; /* one request on its way to a verdict */

static const struct kind {
    enum receive_source source; /* its own place in the table */
    const char *name;
    enum proof proof;
    const char *proof_header;
    const char *event_header, *event; /* NULL: there is none */
    const char *ping;                 /* an event that only wants an answer; NULL */
    bool is_strict;                   /* another event is a mistake in the hook's settings: 400 */
    const char *delivery_header;      /* NULL: deliveries have no name */
    void (*read)(struct judge *judge, const struct val *payload);
} kinds[RECEIVE_SOURCES];

const char *receive_source_name(enum receive_source source)
{
    return kinds[source].name;
}

/* -- the configuration ---------------------------------------------------------------------------- */

static struct err *find_source(const char *name, enum receive_source *out)
{
    for (size_t i = 0; i < RECEIVE_SOURCES; i++) {
        if (!strcmp(kinds[i].name, name)) {
            *out = kinds[i].source;
            return NULL;
        }
    }
    return err_new(ERR_INVALID,
                   "unknown source \"%.*s\": it is one of GitHub, GitLab, BitbucketCloud, "
                   "BitbucketServer, Gitea, DockerHub, Quay, GoogleContainerRegistry, Harbor, "
                   "Nexus, Generic",
                   NAME_MAX_SAID, name);
}

static struct err *check_fields(const struct val *map, const char *const *known)
{
    if (!val_is_map(map))
        return err_new(ERR_INVALID, "it is %s, not a map",
                       map ? val_type_name(map->type) : "missing");
    for (size_t i = 0; i < val_len(map); i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], map->pairs[i].key) != 0)
            k++;
        if (!known[k])
            return err_new(ERR_INVALID, "unknown field \"%.*s\"", NAME_MAX_SAID, map->pairs[i].key);
    }
    return NULL;
}

static struct err *read_endpoint(const struct val *from, struct receive_endpoint *out)
{
    static const char *const known[] = { "source", "keyPath", "registryHost", "gcr", NULL };
    static const char *const known_of_gcr[] = { "audience", NULL };
    *out = (struct receive_endpoint){ .path = "", .key = "", .audience = "" };
    TRY(check_fields(from, known));
    TRY(find_source(val_text_or(val_get(from, "source"), ""), &out->source));
    out->key_path = val_text_or(val_get(from, "keyPath"), "");
    out->registry_host = val_text_or(val_get(from, "registryHost"), "");
    if (!*out->key_path)
        return err_new(ERR_INVALID, "keyPath is missing: the file with the secret");
    const struct val *gcr = val_get(from, "gcr");
    if (!val_is_null(gcr))
        TRY(err_wrap(check_fields(gcr, known_of_gcr), "gcr"));
    out->audience = val_text_or(val_get(gcr, "audience"), "");
    if (*out->audience && out->source != RECEIVE_GOOGLE)
        return err_new(ERR_INVALID, "gcr.audience is for GoogleContainerRegistry alone");
    return NULL;
}

static struct err *read_config(struct arena *mem, const struct val *root,
                               struct receive_config *out)
{
    static const char *const known[] = { "fluxRecvVersion", "api", "endpoints", NULL };
    int64_t version = 0;
    const struct val *endpoints = val_get(root, "endpoints");
    TRY(check_fields(root,
                     known)); /* api is where flux-recv sends to: here it is the same process */
    if (!val_int(val_get(root, "fluxRecvVersion"), &version) || version != 1)
        return err_new(ERR_INVALID, "fluxRecvVersion has to be 1");
    if (!val_len(endpoints) || val_len(endpoints) > RECEIVE_ENDPOINTS_MAX)
        return err_new(ERR_INVALID, "endpoints is a list of 1 to %d", RECEIVE_ENDPOINTS_MAX);
    for (size_t i = 0; i < val_len(endpoints); i++)
        TRY(err_wrap(read_endpoint(val_item(endpoints, i), vec_push(mem, out)),
                     "endpoint %zu (line %u)", i + 1, val_item(endpoints, i)->line));
    return NULL;
}

struct err *receive_config_parse(struct arena *mem, const char *text, size_t len,
                                 struct receive_config *out)
{
    struct doc_yaml_list documents = { 0 };
    struct doc_pos at = { 0 };
    *out = (struct receive_config){ 0 };
    struct err *e = doc_yaml_load(mem, text, len, &doc_yaml_default_limits, &documents, &at);
    if (e)
        return err_wrap(e, "line %u", at.line);
    if (documents.len != 1)
        return err_new(ERR_INVALID, "it has %zu documents, not one", documents.len);
    return read_config(mem, documents.at[0].root, out);
}

struct err *receive_set_key(struct arena *mem, const char *bytes, size_t len,
                            struct receive_endpoint *endpoint)
{
    unsigned char digest[HASH_SHA256_BYTES];
    if (len > RECEIVE_KEY_BYTES_MAX || memchr(bytes, '\0', len))
        return err_new(ERR_INVALID, "the key is no text of at most %zu bytes",
                       RECEIVE_KEY_BYTES_MAX);
    const char *all = arena_printf(mem, "%.*s%s", (int)len, bytes, endpoint->registry_host);
    hash_sha256(all, strlen(all), digest);
    endpoint->path = arena_printf(mem, "/hook/%s", hash_hex(mem, digest, sizeof(digest)));
    while (len && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    if (len < RECEIVE_KEY_BYTES_MIN)
        return err_new(ERR_INVALID, "a key of %zu bytes is no secret: openssl rand -hex 20", len);
    endpoint->key = arena_strndup(mem, bytes, len);
    return NULL;
}

const struct receive_endpoint *receive_find(const struct receive_config *config, const char *path)
{
    for (size_t i = 0; i < config->len; i++) {
        if (hash_secret_equal(config->at[i].path, path)) /* the path is a secret, too */
            return &config->at[i];
    }
    return NULL;
}

/* -- proofs --------------------------------------------------------------------------------------- */

struct judge {
    struct arena *mem;
    const struct receive_request *request;
    struct receive_verdict *verdict;
};

static const char *header(const struct judge *judge, const char *name)
{
    return name ? judge->request->header(judge->request->ctx, name) : NULL;
}

static const char *hmac(const struct judge *judge, bool is_sha256)
{
    const struct receive_request *request = judge->request;
    const char *key = request->endpoint->key;
    unsigned char digest[HASH_SHA256_BYTES];
    if (is_sha256)
        hash_hmac_sha256(key, strlen(key), request->body, request->len, digest);
    else
        hash_hmac_sha1(key, strlen(key), request->body, request->len, digest);
    return hash_hex(judge->mem, digest, is_sha256 ? HASH_SHA256_BYTES : HASH_SHA1_BYTES);
}

/* "sha256=<hex>", "sha1=<hex>". */
static bool is_signed(const struct judge *judge, const char *signature)
{
    if (!strncmp(signature, "sha256=", 7))
        return hash_secret_equal(hmac(judge, true), signature + 7);
    return !strncmp(signature, "sha1=", 5) && hash_secret_equal(hmac(judge, false), signature + 5);
}

/* The stronger of the two counts where both are there. */
static bool is_signed_by_hub(const struct judge *judge)
{
    const char *strong = header(judge, "X-Hub-Signature-256");
    const char *signature = strong ? strong : header(judge, "X-Hub-Signature");
    return signature && is_signed(judge, signature);
}

static bool is_proven(const struct judge *judge, const struct kind *kind)
{
    const char *proof = header(judge, kind->proof_header);
    switch (kind->proof) {
    case PROOF_PATH: return !header(judge, "X-Hub-Signature") || is_signed_by_hub(judge);
    case PROOF_HUB: return is_signed_by_hub(judge);
    case PROOF_TOKEN: return proof && hash_secret_equal(judge->request->endpoint->key, proof);
    case PROOF_HMAC_SHA1: return proof && hash_secret_equal(hmac(judge, false), proof);
    case PROOF_HMAC_SHA256:
        if (proof && !strncmp(proof, "sha256=", 7))
            proof += 7;
        return proof && hash_secret_equal(hmac(judge, true), proof);
    }
    return false;
}

/* -- payloads -------------------------------------------------------------------------------------- */

static void answer(struct judge *judge, int status, const char *text)
{
    judge->verdict->status = status;
    judge->verdict->text = text;
}

static void add_change(struct judge *judge, const struct api_change *change)
{
    struct receive_verdict *verdict = judge->verdict;
    if (verdict->len < RECEIVE_CHANGES_MAX) /* each means a fetch: more would mean no more */
        verdict->changes[verdict->len++] = *change;
}

/* A ref that is no branch changes nothing we follow. */
static void add_git(struct judge *judge, const char *url, const char *ref)
{
    if (!url || !*url) {
        answer(judge, BAD_REQUEST, "the payload names no repository");
        return;
    }
    const char *branch =
        strncmp(ref, REF_BRANCH, strlen(REF_BRANCH)) ? ref : ref + strlen(REF_BRANCH);
    if (*branch && strncmp(branch, "refs/", 5) != 0)
        add_change(judge, &(struct api_change){ .kind = API_CHANGE_GIT,
                                                .url = arena_strdup(judge->mem, url),
                                                .branch = arena_strdup(judge->mem, branch),
                                                .domain = "",
                                                .image = "" });
}

/* "quay.io/a/b", "a/b", "host:5000/a": the first part is a host if it looks like one, as in references to images. */
static void add_image(struct judge *judge, const char *name)
{
    if (!name || !*name) {
        answer(judge, BAD_REQUEST, "the payload names no image");
        return;
    }
    size_t host = strcspn(name, "/");
    bool is_host = name[host] && (memchr(name, '.', host) || memchr(name, ':', host) ||
                                  !strncmp(name, "localhost/", 10));
    const char *path = is_host ? name + host + 1 : name;
    add_change(judge, &(struct api_change){
                          .kind = API_CHANGE_IMAGE,
                          .url = "",
                          .branch = "",
                          .domain = is_host ? arena_strndup(judge->mem, name, host) : "",
                          .image = arena_strndup(judge->mem, path, strcspn(path, ":@")) });
}

static void read_github(struct judge *judge, const struct val *payload)
{
    add_git(judge, val_text(VAL_PATH(payload, "repository", "ssh_url")),
            val_text_or(val_get(payload, "ref"), ""));
}

static void read_gitlab(struct judge *judge, const struct val *payload)
{
    add_git(judge, val_text(VAL_PATH(payload, "project", "git_ssh_url")),
            val_text_or(val_get(payload, "ref"), ""));
}

static void read_bitbucket_cloud(struct judge *judge, const struct val *payload)
{
    const char *name = val_text_or(VAL_PATH(payload, "repository", "full_name"), "");
    const struct val *changes = VAL_PATH(payload, "push", "changes");
    const char *url = *name ? arena_printf(judge->mem, "git@bitbucket.org:%s.git", name) : "";
    if (!*url)
        add_git(judge, url, "");
    for (size_t i = 0; i < val_len(changes); i++) {
        const struct val *now = val_get(val_item(changes, i), "new"); /* null: it was deleted */
        if (strcmp(val_text_or(val_get(now, "type"), "branch"), "tag") != 0)
            add_git(judge, url, val_text_or(val_get(now, "name"), ""));
    }
}

static const char *link_named(const struct val *links, const char *name)
{
    for (size_t i = 0; i < val_len(links); i++) {
        const struct val *link = val_item(links, i);
        if (!strcmp(val_text_or(val_get(link, "name"), ""), name))
            return val_text(val_get(link, "href"));
    }
    return NULL;
}

static void read_bitbucket_server(struct judge *judge, const struct val *payload)
{
    const char *url = link_named(VAL_PATH(payload, "repository", "links", "clone"), "ssh");
    const struct val *changes = val_get(payload, "changes");
    if (!url)
        add_git(judge, url, "");
    for (size_t i = 0; i < val_len(changes); i++) {
        const struct val *ref = val_get(val_item(changes, i), "ref");
        if (!strcmp(val_text_or(val_get(ref, "type"), ""), "BRANCH"))
            add_git(judge, url, val_text_or(val_get(ref, "displayId"), ""));
    }
}

static void read_docker_hub(struct judge *judge, const struct val *payload)
{
    add_image(judge, val_text(VAL_PATH(payload, "repository", "repo_name")));
}

static void read_quay(struct judge *judge, const struct val *payload)
{
    add_image(judge, val_text(val_get(payload, "docker_url")));
}

/* Whatever it is, it is answered with 200: Pub/Sub would send anything else again and again. */
static void read_google(struct judge *judge, const struct val *payload)
{
    const char *data = val_text_or(VAL_PATH(payload, "message", "data"), "");
    unsigned char *bytes = NULL;
    size_t len = 0;
    struct val *event = NULL;
    judge->verdict->delivery = val_text(VAL_PATH(payload, "message", "messageId"));
    SCOPED(err_free)
    struct err *e = hash_base64_parse(judge->mem, data, strlen(data), &bytes, &len);
    if (!e)
        e = doc_json_parse(judge->mem, (const char *)bytes, len, &event);
    const char *tag = val_text_or(val_get(event, "tag"), "");
    if (!e && *tag && !strcmp(val_text_or(val_get(event, "action"), ""), "INSERT"))
        add_image(judge, tag);
}

static void read_harbor(struct judge *judge, const struct val *payload)
{
    const char *type = val_text_or(val_get(payload, "type"), "");
    const struct val *resources = VAL_PATH(payload, "event_data", "resources");
    if (strcmp(type, "pushImage") != 0 && strcmp(type, "PUSH_ARTIFACT") != 0)
        answer(judge, FINE, OTHER_EVENT);
    else
        add_image(judge, val_text(val_get(val_item(resources, 0), "resource_url")));
}

static void read_nexus(struct judge *judge, const struct val *payload)
{
    const struct val *component = val_get(payload, "component");
    const char *name = val_text_or(val_get(component, "name"), "");
    const char *host = judge->request->endpoint->registry_host;
    if (strcmp(val_text_or(val_get(payload, "action"), ""), "CREATED") != 0)
        answer(judge, FINE, OTHER_EVENT);
    else if (strcmp(val_text_or(val_get(component, "format"), ""), "docker") != 0)
        answer(judge, BAD_REQUEST, "the component is no Docker image");
    else
        add_image(judge, *name && *host ? arena_printf(judge->mem, "%s/%s", host, name) : name);
}

/* The change itself, as the API's notify route takes it. */
static void read_generic(struct judge *judge, const struct val *payload)
{
    struct api_change change;
    size_t len;
    const char *text = val_json(judge->mem, payload, &len);
    SCOPED(err_free) struct err *e = api_body_change(judge->mem, text, len, &change, NULL);
    if (e)
        answer(judge, BAD_REQUEST, arena_strdup(judge->mem, err_text(e)));
    else
        add_change(judge, &change);
}

static const struct kind kinds[RECEIVE_SOURCES] = {
    /* clang-format off */
    [RECEIVE_GITHUB] = { RECEIVE_GITHUB, "GitHub", PROOF_HUB, NULL, "X-GitHub-Event", "push", "ping", false, "X-GitHub-Delivery", read_github },
    [RECEIVE_GITLAB] = { RECEIVE_GITLAB, "GitLab", PROOF_TOKEN, "X-Gitlab-Token", "X-Gitlab-Event", "Push Hook", NULL, true, "X-Gitlab-Event-UUID", read_gitlab },
    [RECEIVE_BITBUCKET_CLOUD] = { RECEIVE_BITBUCKET_CLOUD, "BitbucketCloud", PROOF_PATH, NULL, "X-Event-Key", "repo:push", NULL, true, "X-Request-UUID", read_bitbucket_cloud },
    [RECEIVE_BITBUCKET_SERVER] = { RECEIVE_BITBUCKET_SERVER, "BitbucketServer", PROOF_HUB, NULL, "X-Event-Key", "repo:refs_changed", "diagnostics:ping", true, "X-Request-Id", read_bitbucket_server },
    [RECEIVE_GITEA] = { RECEIVE_GITEA, "Gitea", PROOF_HMAC_SHA256, "X-Gitea-Signature", "X-Gitea-Event", "push", NULL, false, "X-Gitea-Delivery", read_github },
    [RECEIVE_DOCKER_HUB] = { RECEIVE_DOCKER_HUB, "DockerHub", PROOF_PATH, NULL, NULL, NULL, NULL, false, NULL, read_docker_hub },
    [RECEIVE_QUAY] = { RECEIVE_QUAY, "Quay", PROOF_PATH, NULL, NULL, NULL, NULL, false, NULL, read_quay },
    [RECEIVE_GOOGLE] = { RECEIVE_GOOGLE, "GoogleContainerRegistry", PROOF_PATH, NULL, NULL, NULL, NULL, false, NULL, read_google },
    [RECEIVE_HARBOR] = { RECEIVE_HARBOR, "Harbor", PROOF_TOKEN, "Authorization", NULL, NULL, NULL, false, NULL, read_harbor },
    [RECEIVE_NEXUS] = { RECEIVE_NEXUS, "Nexus", PROOF_HMAC_SHA1, "X-Nexus-Webhook-Signature", "X-Nexus-Webhook-Id", "rm:repository:component", NULL, true, "X-Nexus-Webhook-Delivery", read_nexus },
    [RECEIVE_GENERIC] = { RECEIVE_GENERIC, "Generic", PROOF_HMAC_SHA256, "X-Signature", NULL, NULL, NULL, false, NULL, read_generic },
    /* clang-format on */
};

/* The bearer's token is looked at by those who can. False: there is none. */
static bool has_token(struct judge *judge)
{
    const char *bearer = header(judge, "Authorization");
    if (bearer && !strncasecmp(bearer, "Bearer ", 7) && bearer[7] && strlen(bearer) <= TOKEN_BYTES)
        judge->verdict->id_token = arena_strdup(judge->mem, bearer + 7);
    return judge->verdict->id_token;
}

bool receive_is_claimed(struct arena *mem, const char *text, size_t len, const char *audience)
{
    struct val *claims = NULL;
    SCOPED(err_free) struct err *e = doc_json_parse(mem, text, len, &claims);
    const char *issuer = val_text_or(val_get(claims, "iss"), "");
    return !e && !strcmp(val_text_or(val_get(claims, "aud"), ""), audience) &&
           (!strcmp(issuer, "accounts.google.com") ||
            !strcmp(issuer, "https://accounts.google.com"));
}

/* -- the verdict ------------------------------------------------------------------------------------ */

static void read_payload(struct judge *judge, const struct kind *kind)
{
    struct val *payload = NULL;
    SCOPED(err_free)
    struct err *e = doc_json_parse(judge->mem, judge->request->body, judge->request->len, &payload);
    if (e)
        answer(judge, BAD_REQUEST,
               arena_printf(judge->mem, "the payload is no JSON (choose application/json): %s",
                            err_text(e)));
    else
        kind->read(judge, payload);
    if (judge->verdict->status != FINE)
        judge->verdict->len = 0;
    if (kind->source == RECEIVE_GOOGLE)
        answer(judge, FINE, "OK");
}

void receive_judge(struct arena *mem, const struct receive_request *request,
                   struct receive_verdict *out)
{
    const struct kind *kind = &kinds[request->endpoint->source];
    struct judge judge = { mem, request, out };
    *out = (struct receive_verdict){ .status = FINE, .text = "OK" };
    const char *event = header(&judge, kind->event_header);
    const char *audience = request->endpoint->audience;
    if (!is_proven(&judge, kind) || (audience && *audience && !has_token(&judge))) {
        answer(&judge, UNAUTHORIZED, "the signature or token is missing or wrong");
        return;
    }
    out->delivery = header(&judge, kind->delivery_header);
    if (kind->ping && event && !strcmp(event, kind->ping))
        answer(&judge, FINE, "Pong");
    else if (kind->event && (!event || strcmp(event, kind->event) != 0))
        answer(&judge, kind->is_strict ? BAD_REQUEST : FINE,
               kind->is_strict
                   ? arena_printf(mem, "unexpected hook kind: let it send only \"%s\"", kind->event)
                   : OTHER_EVENT);
    else
        read_payload(&judge, kind);
}

/* -- deliveries ------------------------------------------------------------------------------------- */

bool receive_seen_before(struct receive_seen *seen, const char *path, const char *delivery,
                         int64_t now_ms)
{
    SBUF(text, (size_t)64 << 10);
    unsigned char print[16];
    sbuf_addf(&text, "%s\n%s", path, delivery);
    hash_fingerprint(sbuf_text(&text), text.len, print);
    for (size_t i = 0; i < seen->len; i++) {
        if (!memcmp(seen->ring[i].print, print, sizeof(print)) &&
            now_ms - seen->ring[i].at_ms < RECEIVE_SEEN_FOR_MS)
            return true;
    }
    memcpy(seen->ring[seen->next].print, print, sizeof(print));
    seen->ring[seen->next].at_ms = now_ms;
    seen->next = (seen->next + 1) % RECEIVE_SEEN_MAX;
    seen->len = MIN_OF(seen->len + 1, (size_t)RECEIVE_SEEN_MAX);
    return false;
}
