#include "canary/metric/google.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "canary/metric/url.h"
#include "doc/json.h"

#define SCOPE          "https://www.googleapis.com/auth/monitoring.read"
#define TOKEN_URL      "https://oauth2.googleapis.com/token"
#define METADATA_HOST  "169.254.169.254"
#define METADATA_PATH  "computeMetadata/v1/instance/service-accounts/default/token"
#define ASSERTION_TYPE "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define ASSERTION_LIFE 3600 /* seconds; Google takes no longer one */
#define DEFAULT_FOLDER ".config/gcloud"
#define DEFAULT_FILE   "application_default_credentials.json"

static const char *base64url_json(struct arena *mem, const struct val *v)
{
    size_t len;
    const char *json = val_json(mem, v, &len);
    return hash_base64url(mem, json, len);
}

/* A signed claim that we are the service account. */
MUST_USE static struct err *make_assertion(struct metric_talk *talk, const struct val *key,
                                           const char *audience, const char **out)
{
    struct arena *mem = talk->scratch;
    const char *pem = val_text_or(val_get(key, "private_key"), "");
    int64_t now_s = talk->question->now_ms / 1000;
    struct val *header = val_new_map(mem), *claims = val_new_map(mem);
    val_set_text(mem, header, "alg", "RS256");
    val_set_text(mem, header, "typ", "JWT");
    if (val_text(val_get(key, "private_key_id")))
        val_set_text(mem, header, "kid", val_text(val_get(key, "private_key_id")));
    val_set_text(mem, claims, "iss", val_text_or(val_get(key, "client_email"), ""));
    val_set_text(mem, claims, "scope", SCOPE);
    val_set_text(mem, claims, "aud", audience);
    val_set(mem, claims, "iat", val_new_int(mem, now_s));
    val_set(mem, claims, "exp", val_new_int(mem, now_s + ASSERTION_LIFE));
    const char *head =
        arena_printf(mem, "%s.%s", base64url_json(mem, header), base64url_json(mem, claims));
    unsigned char *signature = NULL;
    size_t len = 0;
    TRY(err_wrap(hash_sign_rs256(mem, pem, head, strlen(head), &signature, &len), "private_key"));
    *out = arena_printf(mem, "%s.%s", head, hash_base64url(mem, signature, len));
    return NULL;
}

static void ask_for_token(struct metric_talk *talk, struct google_login *login, const char *url,
                          struct url_pairs *form, struct metric_turn *turn)
{
    struct metric_request *request = talk_ask(turn, url);
    request->method = "POST";
    request->body = url_query(talk->scratch, form);
    request->body_len = strlen(request->body);
    request->headers = talk_headers(talk, "Content-Type: application/x-www-form-urlencoded");
    login->stage = GOOGLE_TOKEN;
}

/* False: the turn has failed. */
static bool use_key(struct metric_talk *talk, struct google_login *login, const char *json,
                    struct metric_turn *turn)
{
    struct val *key = NULL;
    struct url_pairs form = { 0 };
    struct url parsed;
    SCOPED(err_free) struct err *e = doc_json_parse(talk->scratch, json, strlen(json), &key);
    const char *type = val_text_or(val_get(key, "type"), "");
    const char *url = val_text_or(val_get(key, "token_uri"), TOKEN_URL);
    if (!e && !strcmp(type, "authorized_user")) {
        static const char *const copied[] = { "client_id", "client_secret", "refresh_token" };
        for (size_t i = 0; i < ARRAY_LEN(copied); i++) {
            const char *text = val_text_or(val_get(key, copied[i]), "");
            url_set(talk->scratch, &form, copied[i], text);
            talk_hide(talk, i ? arena_strdup(talk->mem, text) : NULL);
        }
        url_set(talk->scratch, &form, "grant_type", "refresh_token");
    } else if (!e && !strcmp(type, "service_account")) {
        const char *assertion = "";
        e = make_assertion(talk, key, url, &assertion);
        url_set(talk->scratch, &form, "grant_type", ASSERTION_TYPE);
        url_set(talk->scratch, &form, "assertion", assertion);
    } else if (!e) {
        e = err_new(ERR_INVALID, "credentials of type '%.100s' are not supported", type);
    }
    if (!e && !url_parse(talk->scratch, url, &parsed))
        e = err_new(ERR_INVALID, "token_uri is not a valid URL");
    if (e) {
        talk_fail(talk, turn, "google credentials: %s", err_text(e));
        return false;
    }
    ask_for_token(talk, login, url, &form, turn);
    return true;
}

static void ask_metadata(struct metric_talk *talk, struct google_login *login,
                         struct metric_turn *turn)
{
    const char *host = talk_env(talk, "GCE_METADATA_HOST");
    struct metric_request *request =
        talk_ask(turn, arena_printf(talk->scratch, "http://%s/" METADATA_PATH "?scopes=%s",
                                    host ? host : METADATA_HOST, url_escape(talk->scratch, SCOPE)));
    request->is_local = true;
    request->headers = talk_headers(talk, "Metadata-Flavor: Google");
    login->stage = GOOGLE_TOKEN;
}

/* The file of the environment has to be there, that of gcloud need not. */
static bool begin(struct metric_talk *talk, struct google_login *login, struct metric_turn *turn)
{
    const char *file = talk_env(talk, "GOOGLE_APPLICATION_CREDENTIALS");
    const char *folder = talk_env(talk, "CLOUDSDK_CONFIG");
    const char *home = talk_env(talk, "HOME");
    if (*login->key)
        return !use_key(talk, login, login->key, turn);
    login->may_be_missing = !file;
    if (!file && folder)
        file = arena_printf(talk->scratch, "%s/" DEFAULT_FILE, folder);
    else if (!file && home)
        file = arena_printf(talk->scratch, "%s/" DEFAULT_FOLDER "/" DEFAULT_FILE, home);
    if (!file) {
        ask_metadata(talk, login, turn);
        return false;
    }
    talk_ask(turn, file)->way = METRIC_WAY_FILE;
    login->stage = GOOGLE_FILE;
    return false;
}

static bool read_file(struct metric_talk *talk, struct google_login *login,
                      const struct metric_answer *answer, struct metric_turn *turn)
{
    if (!answer->failure && answer->status == 200)
        return !use_key(talk, login, answer->body, turn);
    if (!answer->failure && login->may_be_missing) {
        ask_metadata(talk, login, turn);
        return false;
    }
    talk_fail(talk, turn, "google credentials: %s",
              answer->failure ? answer->failure
                              : "the file of GOOGLE_APPLICATION_CREDENTIALS "
                                "does not exist");
    return true;
}

static void read_token(struct metric_talk *talk, struct google_login *login,
                       const struct metric_answer *answer, struct metric_turn *turn)
{
    struct val *body = NULL;
    if (answer->failure) {
        talk_fail(talk, turn, "google credentials: %s", answer->failure);
        return;
    }
    SCOPED(err_free)
    struct err *e = doc_json_parse(talk->scratch, answer->body, answer->len, &body);
    const char *token = val_text(val_get(body, "access_token"));
    const char *fault =
        val_text_or(val_get(body, "error_description"), val_text_or(val_get(body, "error"), ""));
    if (answer->status != 200 || e || !token || strpbrk(token, "\r\n")) {
        talk_fail(talk, turn, "google credentials: no access token: %s%s%.500s",
                  talk_status(talk, answer->status), *fault ? ": " : "", fault);
        return;
    }
    login->token = arena_strdup(talk->mem, token);
    login->stage = GOOGLE_DONE;
    talk_hide(talk, login->token);
}

bool google_login_next(struct metric_talk *talk, struct google_login *login,
                       const struct metric_answer *answer, struct metric_turn *turn)
{
    switch (login->stage) {
    case GOOGLE_BEGIN: return begin(talk, login, turn);
    case GOOGLE_FILE: return read_file(talk, login, answer, turn);
    case GOOGLE_TOKEN: read_token(talk, login, answer, turn); return true;
    case GOOGLE_DONE: return true;
    }
    return true;
}
