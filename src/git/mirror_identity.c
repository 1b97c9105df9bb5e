#include "git/mirror_internal.h"
#include "io/stream.h"

#define SIGN_MS 20000

struct signature_ring mirror_ring(const struct mirror *mirror, int64_t deadline_ms)
{
    return (struct signature_ring){ .home = mirror->opts.gnupg_home,
                                    .env = mirror->opts.env,
                                    .scratch = mirror->opts.dir,
                                    .deadline_ms = deadline_ms };
}

struct err *mirror_committer(struct mirror *mirror, git_signature **out)
{
    int code = git_signature_now(out, mirror->opts.user_name, mirror->opts.user_email);
    return code ? mirror_git_failed(mirror, code, "use --git-user and --git-email") : NULL;
}

struct err *mirror_sign(struct mirror *mirror, struct arena *mem, struct signature_text payload,
                        const char **out)
{
    *out = NULL;
    if (!mirror->opts.signing_key)
        return NULL;
    struct signature_ring ring = mirror_ring(mirror, stream_now_ms() + SIGN_MS);
    return signature_make(mem, &ring, mirror->opts.signing_key, payload, out);
}
