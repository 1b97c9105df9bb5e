#include "canary/metric/aws.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "canary/metric/url.h"
#include "canary/metric/xml.h"
#include "doc/json.h"

#define CONTAINER_ADDRESS "http://169.254.170.2"
#define INSTANCE_ADDRESS  "http://169.254.169.254"
#define INSTANCE_ROLES    "latest/meta-data/iam/security-credentials/"
#define INSTANCE_MS       1000 /* there is none where nobody answers at once */
#define STS_RESULT        "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/"

static bool fail(struct metric_talk *talk, struct metric_turn *turn, const char *why)
{
    talk_fail(talk, turn, "aws credentials: %s", why);
    return true;
}

static bool is_safe(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    }
    return true;
}

/* True with all that a signature needs. */
static bool take(struct metric_talk *talk, struct aws_login *login, const char *access_key,
                 const char *secret_key, const char *session_token)
{
    if (!access_key || !*access_key || !secret_key || !*secret_key || !is_safe(access_key) ||
        (session_token && !is_safe(session_token)))
        return false;
    login->credentials = (struct aws_credentials){
        .access_key = arena_strdup(talk->mem, access_key),
        .secret_key = arena_strdup(talk->mem, secret_key),
        .session_token = arena_strdup(talk->mem, session_token ? session_token : ""),
    };
    talk_hide(talk, login->credentials.secret_key);
    talk_hide(talk, login->credentials.session_token);
    login->stage = AWS_DONE;
    return true;
}

const char *aws_endpoint(struct metric_talk *talk, const char *service, const char *name,
                         const char *region)
{
    const char *own = talk_env(talk, arena_printf(talk->scratch, "AWS_ENDPOINT_URL_%s", name));
    const char *all = talk_env(talk, "AWS_ENDPOINT_URL");
    if (own || all)
        return own ? own : all;
    return arena_printf(talk->mem, "https://%s.%s.amazonaws.com%s", service, region,
                        strncmp(region, "cn-", 3) ? "" : ".cn");
}

static bool ask_file(struct metric_turn *turn, struct aws_login *login, const char *file,
                     enum aws_stage stage)
{
    talk_ask(turn, file)->way = METRIC_WAY_FILE;
    login->stage = stage;
    return false;
}

static struct metric_request *ask_local(struct metric_turn *turn, struct aws_login *login,
                                        const char *url, enum aws_stage stage)
{
    struct metric_request *request = talk_ask(turn, url);
    request->is_local = true;
    login->stage = stage;
    return request;
}

/* -- web identity -------------------------------------------------------------------------------------------------- */

/* The role, and the file with the token that proves who asks for it. */
static bool begin_identity(struct metric_talk *talk, struct aws_login *login, const char *role,
                           const char *session, const char *file, struct metric_turn *turn)
{
    login->role = arena_strdup(talk->mem, role);
    login->session = arena_strdup(talk->mem, session ? session : "serin");
    return ask_file(turn, login, file, AWS_TOKEN_FILE);
}

static bool ask_sts(struct metric_talk *talk, struct aws_login *login,
                    const struct metric_answer *answer, struct metric_turn *turn)
{
    struct url address;
    struct url_pairs form = { 0 };
    if (answer->failure || answer->status != 200)
        return fail(talk, turn,
                    answer->failure ? answer->failure
                                    : "the file of the web identity token does not "
                                      "exist");
    size_t len = strcspn(answer->body, " \t\r\n");
    const char *token = arena_strndup(talk->mem, answer->body, len);
    talk_hide(talk, token);
    if (!url_parse(talk->scratch, aws_endpoint(talk, "sts", "STS", login->region), &address))
        return fail(talk, turn, "the endpoint of STS is not a valid URL");
    url_set(talk->scratch, &form, "Action", "AssumeRoleWithWebIdentity");
    url_set(talk->scratch, &form, "Version", "2011-06-15");
    url_set(talk->scratch, &form, "RoleArn", login->role);
    url_set(talk->scratch, &form, "RoleSessionName", login->session);
    url_set(talk->scratch, &form, "WebIdentityToken", token);
    struct metric_request *request = talk_ask(turn, url_join(talk->scratch, &address, "", ""));
    request->method = "POST";
    request->body = url_query(talk->scratch, &form);
    request->body_len = strlen(request->body);
    request->headers = talk_headers(talk, "Content-Type: application/x-www-form-urlencoded");
    login->stage = AWS_STS;
    return false;
}

static bool read_sts(struct metric_talk *talk, struct aws_login *login,
                     const struct metric_answer *answer, struct metric_turn *turn)
{
    struct arena *mem = talk->scratch;
    if (answer->failure)
        return fail(talk, turn, answer->failure);
    const char *access_key = xml_find(mem, answer->body, answer->len, STS_RESULT "AccessKeyId");
    const char *secret_key = xml_find(mem, answer->body, answer->len, STS_RESULT "SecretAccessKey");
    const char *token = xml_find(mem, answer->body, answer->len, STS_RESULT "SessionToken");
    if (answer->status == 200 && take(talk, login, access_key, secret_key, token))
        return true;
    const char *code = xml_find(mem, answer->body, answer->len, "ErrorResponse/Error/Code");
    const char *message = xml_find(mem, answer->body, answer->len, "ErrorResponse/Error/Message");
    return fail(talk, turn,
                arena_printf(mem, "AssumeRoleWithWebIdentity: %s%s%.200s%s%.500s",
                             talk_status(talk, answer->status), code ? ": " : "", code ? code : "",
                             message ? ": " : "", message ? message : ""));
}

/* -- instance metadata, container endpoint ------------------------------------------------------------------------- */

static const char *instance_address(const struct metric_talk *talk)
{
    const char *address = talk_env(talk, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    return address ? address : INSTANCE_ADDRESS;
}

static bool ask_instance(struct metric_talk *talk, struct aws_login *login, const char *path,
                         enum aws_stage stage, struct metric_turn *turn)
{
    struct url address;
    if (!url_parse(talk->scratch, instance_address(talk), &address))
        return fail(talk, turn, "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a valid URL");
    /* url_join would clean away the slash at the end, which the metadata service is asked with. */
    const char *url =
        arena_printf(talk->scratch, "%s/%s", url_join(talk->scratch, &address, "", ""), path);
    struct metric_request *request = ask_local(turn, login, url, stage);
    request->timeout_ms = INSTANCE_MS;
    if (stage == AWS_INSTANCE_TOKEN) {
        request->method = "PUT";
        request->headers = talk_headers(talk, "X-aws-ec2-metadata-token-ttl-seconds: 300");
    } else {
        request->headers =
            talk_headers(talk, arena_printf(talk->scratch, "X-aws-ec2-metadata-token: %s",
                                            login->instance_token));
    }
    return false;
}

static bool begin_instance(struct metric_talk *talk, struct aws_login *login,
                           struct metric_turn *turn)
{
    const char *disabled = talk_env(talk, "AWS_EC2_METADATA_DISABLED");
    if (disabled && !strcasecmp(disabled, "true"))
        return fail(talk, turn, "NoCredentialProviders: no valid providers in chain");
    return ask_instance(talk, login, "latest/api/token", AWS_INSTANCE_TOKEN, turn);
}

static bool read_instance(struct metric_talk *talk, struct aws_login *login,
                          const struct metric_answer *answer, struct metric_turn *turn)
{
    if (answer->failure || answer->status != 200 || !*answer->body)
        return fail(talk, turn, "NoCredentialProviders: no valid providers in chain");
    const char *text = arena_strndup(talk->mem, answer->body, strcspn(answer->body, " \t\r\n"));
    if (login->stage == AWS_INSTANCE_TOKEN) {
        login->instance_token = text;
        talk_hide(talk, text);
        return ask_instance(talk, login, INSTANCE_ROLES, AWS_INSTANCE_ROLE, turn);
    }
    return ask_instance(
        talk, login,
        arena_printf(talk->scratch, INSTANCE_ROLES "%s", url_escape_part(talk->scratch, text)),
        AWS_INSTANCE, turn);
}

/* {"AccessKeyId", "SecretAccessKey", "Token"} of both. */
static bool read_json(struct metric_talk *talk, struct aws_login *login,
                      const struct metric_answer *answer, struct metric_turn *turn)
{
    struct val *v = NULL;
    if (answer->failure)
        return fail(talk, turn, answer->failure);
    SCOPED(err_free)
    struct err *e = doc_json_parse(talk->scratch, answer->body, answer->len, &v);
    if (!e && answer->status == 200 &&
        take(talk, login, val_text(val_get(v, "AccessKeyId")),
             val_text(val_get(v, "SecretAccessKey")), val_text(val_get(v, "Token"))))
        return true;
    return fail(talk, turn,
                arena_printf(talk->scratch, "no credentials in the answer: %s",
                             talk_status(talk, answer->status)));
}

static bool ask_container(struct metric_talk *talk, struct aws_login *login, const char *token,
                          struct metric_turn *turn)
{
    const char *relative = talk_env(talk, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = talk_env(talk, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *url =
        relative ? arena_printf(talk->scratch, CONTAINER_ADDRESS "%s", relative) : full;
    struct url parsed;
    if (!url_parse(talk->scratch, url, &parsed))
        return fail(talk, turn, "the address of the container's credentials is not a valid URL");
    struct metric_request *request = ask_local(turn, login, url, AWS_CONTAINER);
    if (!token)
        return false;
    const char *text = arena_strndup(talk->mem, token, strcspn(token, "\r\n"));
    talk_hide(talk, text);
    request->headers = talk_headers(talk, arena_printf(talk->scratch, "Authorization: %s", text));
    return false;
}

static bool begin_remote(struct metric_talk *talk, struct aws_login *login,
                         struct metric_turn *turn)
{
    const char *token_file = talk_env(talk, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (!talk_env(talk, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") &&
        !talk_env(talk, "AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        return begin_instance(talk, login, turn);
    if (token_file)
        return ask_file(turn, login, token_file, AWS_CONTAINER_TOKEN);
    return ask_container(talk, login, talk_env(talk, "AWS_CONTAINER_AUTHORIZATION_TOKEN"), turn);
}

static bool read_container_token(struct metric_talk *talk, struct aws_login *login,
                                 const struct metric_answer *answer, struct metric_turn *turn)
{
    if (answer->failure || answer->status != 200)
        return fail(talk, turn,
                    answer->failure ? answer->failure
                                    : "the file of the container's token does not "
                                      "exist");
    return ask_container(talk, login, answer->body, turn);
}

/* -- shared files -------------------------------------------------------------------------------------------------- */

static const char *profile_of(const struct metric_talk *talk)
{
    const char *profile = talk_env(talk, "AWS_PROFILE");
    profile = profile ? profile : talk_env(talk, "AWS_DEFAULT_PROFILE");
    return profile ? profile : "default";
}

static const char *trim(struct arena *mem, const char *text, size_t len)
{
    while (len && isspace((unsigned char)*text)) {
        text++;
        len--;
    }
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    return arena_strndup(mem, text, len);
}

/* `key = value` in [section]; NULL if absent. The last one wins. */
static const char *find_setting(struct arena *mem, const char *text, const char *section,
                                const char *key)
{
    const char *found = NULL;
    bool is_inside = false;
    while (*text) {
        size_t len = strcspn(text, "\n");
        const char *line = trim(mem, text, len);
        size_t equals = strcspn(line, "=");
        if (line[0] == '[')
            is_inside = !strcmp(trim(mem, line + 1, strcspn(line + 1, "]")), section);
        else if (is_inside && line[equals] && line[0] != '#' && line[0] != ';' &&
                 !strcasecmp(trim(mem, line, equals), key))
            found = trim(mem, line + equals + 1, strlen(line + equals + 1));
        text += len + (text[len] == '\n');
    }
    return found;
}

/* The file that the environment names, else the one below HOME; NULL without both. */
static const char *shared_file(const struct metric_talk *talk, const char *variable,
                               const char *name)
{
    const char *file = talk_env(talk, variable), *home = talk_env(talk, "HOME");
    if (file || !home)
        return file;
    return arena_printf(talk->scratch, "%s/.aws/%s", home, name);
}

static bool ask_shared(struct metric_talk *talk, struct aws_login *login, enum aws_stage stage,
                       struct metric_turn *turn)
{
    bool is_config = stage == AWS_CONFIG;
    const char *file =
        shared_file(talk, is_config ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE",
                    is_config ? "config" : "credentials");
    return file ? ask_file(turn, login, file, stage) : begin_remote(talk, login, turn);
}

/* Keys, or a web identity, of the profile. */
static bool read_shared(struct metric_talk *talk, struct aws_login *login,
                        const struct metric_answer *answer, struct metric_turn *turn)
{
    struct arena *mem = talk->scratch;
    bool is_config = login->stage == AWS_CONFIG, is_there = answer->status == 200;
    const char *profile = profile_of(talk), *text = is_there ? answer->body : "";
    if (answer->failure)
        return fail(talk, turn, answer->failure);
    const char *section = is_config && strcmp(profile, "default")
                              ? arena_printf(mem, "profile %s", profile)
                              : profile;
    if (take(talk, login, find_setting(mem, text, section, "aws_access_key_id"),
             find_setting(mem, text, section, "aws_secret_access_key"),
             find_setting(mem, text, section, "aws_session_token")))
        return true;
    const char *role = find_setting(mem, text, section, "role_arn");
    const char *file = find_setting(mem, text, section, "web_identity_token_file");
    if (role && file)
        return begin_identity(talk, login, role,
                              find_setting(mem, text, section, "role_session_name"), file, turn);
    return is_config ? begin_remote(talk, login, turn) : ask_shared(talk, login, AWS_CONFIG, turn);
}

/* -- the chain ----------------------------------------------------------------------------------------------------- */

static const char *env_of_two(const struct metric_talk *talk, const char *name, const char *other)
{
    const char *value = talk_env(talk, name);
    return value ? value : talk_env(talk, other);
}

static bool begin(struct metric_talk *talk, struct aws_login *login, struct metric_turn *turn)
{
    const char *role = talk_env(talk, "AWS_ROLE_ARN");
    const char *file = talk_env(talk, "AWS_WEB_IDENTITY_TOKEN_FILE");
    if (take(talk, login, env_of_two(talk, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
             env_of_two(talk, "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
             talk_env(talk, "AWS_SESSION_TOKEN")))
        return true;
    if (role && file)
        return begin_identity(talk, login, role, talk_env(talk, "AWS_ROLE_SESSION_NAME"), file,
                              turn);
    return ask_shared(talk, login, AWS_CREDENTIALS, turn);
}

bool aws_login_next(struct metric_talk *talk, struct aws_login *login,
                    const struct metric_answer *answer, struct metric_turn *turn)
{
    switch (login->stage) {
    case AWS_BEGIN: return begin(talk, login, turn);
    case AWS_TOKEN_FILE: return ask_sts(talk, login, answer, turn);
    case AWS_STS: return read_sts(talk, login, answer, turn);
    case AWS_CREDENTIALS:
    case AWS_CONFIG: return read_shared(talk, login, answer, turn);
    case AWS_CONTAINER_TOKEN: return read_container_token(talk, login, answer, turn);
    case AWS_CONTAINER:
    case AWS_INSTANCE: return read_json(talk, login, answer, turn);
    case AWS_INSTANCE_TOKEN:
    case AWS_INSTANCE_ROLE: return read_instance(talk, login, answer, turn);
    case AWS_DONE: return true;
    }
    return true;
}
