#include "canary/effect.h"

#include "doc/object.h"

struct effect *effect_add(struct effects *out, enum effect_verb verb, const struct val *object)
{
    struct effect *effect = vec_push(out->mem, &out->list);
    *effect = (struct effect){
        .verb = verb,
        .api_version = object_api_version(object),
        .kind = object_kind(object),
        .ns = object_namespace(object),
        .name = object_name(object),
        .body = verb == EFFECT_DELETE ? NULL : object,
        .before = "",
        .after = "",
    };
    return effect;
}
