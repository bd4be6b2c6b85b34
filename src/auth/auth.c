/* auth.c -- who is it, and may they: ties signatures, keys, sessions and policies together.
 *
 * Every loop has a slot of caches that only its thread touches: keys by access key id, opened session tokens, signing
 * keys, compiled policies of a principal, and decisions. Threads that are no loop share one more slot under a mutex; it is
 * let go while a body is hashed, so that large ones, which go to workers, are authenticated beside each other. What was
 * looked up before is looked up again after, since an entry may have gone meanwhile.
 * Keys, policies and decisions belong to a generation of the source (base/gencache.h): it is read when the slot is taken, before
 * anything is looked up. Session tokens and signing keys do not depend on it.
 * A decision is kept for (access key, action, resource) if no policy that took part asks about more of the request than
 * that, and no resource policy took part. All caches are bounded; map.h drops the oldest.
 * A principal handed out is a copy in the request's arena, so a cache entry may go at any time. */
#include "auth/auth_internal.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/gencache.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/panic.h"
#include "net/loop.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

#define KEYS_MAX 1024           /* of a slot */
#define TOKENS_MAX 1024
#define SIGNING_KEYS_MAX 1024
#define POLICY_SETS_MAX 512
#define DECISIONS_MAX 8192
#define PRINCIPAL_POLICIES_MAX 256
#define KEY_ID_BYTES_MAX 128    /* IAM API reference, AccessKeyId */

struct auth_slot {
    uint64_t generation;        /* of the source, when the slot was taken; the entries of three caches are of one each */
    struct gencache *keys;      /* access key id → struct known_key */
    struct gencache *sets;      /* principal → struct known_set */
    struct gencache *decisions; /* (access key, action, resource) → enum decision_reason + 1 */
    struct map *tokens;         /* access key id of a session → struct known_key */
    struct sigv4_cache *signing;
    struct session_sealer *sealer;
    struct auth_meters {        /* written by who has the slot */
        metric_count key_hits, key_misses, decision_hits, decision_misses, failed, denied;
    } meters;
    char apart[64];             /* from the next slot's cache lines */
};

struct auth {
    struct auth_source source;
    uint8_t token_key[AUTH_TOKEN_KEY_BYTES];
    size_t loops;
    struct auth_slot *slots;    /* [loops] is for threads that are no loop */
    pthread_mutex_t outside;    /* guards slots[loops] */
};

struct known_key {
    struct arena *arena;        /* holds this struct too */
    struct auth_key key;
};

struct known_set {
    struct arena *arena;
    struct policy_set set;
    struct auth_tag *tags;
    size_t tag_count;
    bool depends_on_request;
    bool gone;                  /* the user or role: then no resource policy grants anything either */
};

static void known_key_free(void *value)
{
    struct known_key *known = value;

    OPENSSL_cleanse((char *)known->key.secret.p, known->key.secret.n);
    arena_free(known->arena);
}

static void known_set_free(void *value)
{
    struct known_set *known = value;

    for (size_t i = 0; i < known->set.identity_count; i++)
        policy_free(known->set.identity[i]);
    policy_free(known->set.boundary);
    policy_free(known->set.session);
    arena_free(known->arena);
}

/* ---- life ---- */

static void slot_init(struct auth_slot *slot, const uint8_t key[SESSION_KEY_BYTES])
{
    slot->keys = gencache_new(KEYS_MAX, 0, known_key_free);
    slot->tokens = map_new(TOKENS_MAX, known_key_free);
    slot->sets = gencache_new(POLICY_SETS_MAX, 0, known_set_free);
    slot->decisions = gencache_new(DECISIONS_MAX, 0, NULL);
    slot->signing = sigv4_cache_new(SIGNING_KEYS_MAX);
    slot->sealer = session__sealer_new(key);
}

static void slot_clear(struct auth_slot *slot)
{
    gencache_free(slot->keys);
    map_free(slot->tokens);
    gencache_free(slot->sets);
    gencache_free(slot->decisions);
    sigv4_cache_free(slot->signing);
    session__sealer_free(slot->sealer);
}

enum err auth_new(struct store *store, size_t loops, struct auth **ret)
{
    uint8_t key[SESSION_KEY_BYTES];
    enum err err = session__load_key(store, key);

    if (err != ERR_OK)
        return err;
    struct auth *auth = mem_zalloc(sizeof *auth);
    auth->loops = loops;
    auth->slots = mem_zalloc((loops + 1) * sizeof *auth->slots);
    for (size_t i = 0; i <= loops; i++)
        slot_init(&auth->slots[i], key);
    ENSURE(pthread_mutex_init(&auth->outside, NULL) == 0);
    hmac_sha256((struct str){(const char *)key, sizeof key}, STR("tokens of pages"), auth->token_key);
    OPENSSL_cleanse(key, sizeof key);
    *ret = auth;
    return ERR_OK;
}

void auth_set_source(struct auth *auth, const struct auth_source *source)
{
    auth->source = *source;
}

enum err auth_root_key(struct auth *auth, struct str preset_id, struct str preset_secret, struct arena *arena, struct str *ret_id,
                       struct str *ret_secret)
{
    return auth->source.root_key(auth->source.arg, preset_id, preset_secret, arena, ret_id, ret_secret);
}

const uint8_t *auth_token_key(const struct auth *auth)
{
    return auth->token_key;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    for (size_t i = 0; i <= auth->loops; i++)
        slot_clear(&auth->slots[i]);
    pthread_mutex_destroy(&auth->outside);
    OPENSSL_cleanse(auth->token_key, sizeof auth->token_key);
    free(auth->slots);
    free(auth);
}

static struct auth_slot *slot_take(struct auth *auth)
{
    struct loop *loop = loop_current();
    bool on_loop = loop && loop_index(loop) < auth->loops;
    struct auth_slot *slot = &auth->slots[on_loop ? loop_index(loop) : auth->loops];

    if (!on_loop)
        pthread_mutex_lock(&auth->outside);
    slot->generation = auth->source.generation(auth->source.arg);
    return slot;
}

static bool slot_is_outside(const struct auth *auth, const struct auth_slot *slot)
{
    return slot == &auth->slots[auth->loops];
}

static void slot_release(struct auth *auth, struct auth_slot *slot)
{
    if (slot_is_outside(auth, slot))
        pthread_mutex_unlock(&auth->outside);
}

/* Counts are summed without the lock: a word of each is read at a time. */
void auth_write_metrics(struct buf *out, void *arg)
{
    static const struct metric_plain families[] = {
        METRIC_COUNTER_OF("auth_key_hits_total", "Access keys found in a cache.", struct auth_meters, key_hits),
        METRIC_COUNTER_OF("auth_key_misses_total", "Access keys that were looked up.", struct auth_meters, key_misses),
        METRIC_COUNTER_OF("auth_decision_hits_total", "Decisions found in a cache.", struct auth_meters, decision_hits),
        METRIC_COUNTER_OF("auth_decision_misses_total", "Decisions made from policies.", struct auth_meters, decision_misses),
        METRIC_COUNTER_OF("auth_failed_total", "Requests whose caller could not be authenticated, of those with a signature.",
                          struct auth_meters, failed),
        METRIC_COUNTER_OF("auth_denied_total", "Actions that policies did not allow.", struct auth_meters, denied),
    };
    struct auth *auth = arg;
    struct auth_meters sum = {0};
    for (size_t i = 0; i <= auth->loops; i++)
        for (size_t f = 0; f < COUNT_OF(families); f++)
            metric_add(
                (metric_count *)(void *)((char *)&sum + families[f].offset),
                metric_read((const metric_count *)(const void *)((const char *)&auth->slots[i].meters + families[f].offset)));
    metrics_plain(out, &sum, families, COUNT_OF(families));
}

/* ---- authentication ---- */

static enum auth_failure long_term_key(struct auth *auth, struct auth_slot *slot, struct str id, struct auth_key **ret)
{
    struct known_key *known = gencache_get(slot->keys, slot->generation, id);

    metric_add(known ? &slot->meters.key_hits : &slot->meters.key_misses, 1);
    if (!known) {
        struct arena *arena = arena_new();
        known = arena_new_of(arena, struct known_key);
        known->arena = arena;
        enum err err = auth->source.find_key(auth->source.arg, id, arena, &known->key);
        if (err != ERR_OK) {
            arena_free(arena);
            return err == ERR_NOT_FOUND ? AUTH_UNKNOWN_KEY : AUTH_INTERNAL;
        }
        known->key.principal.access_key_id = arena_dup(arena, id);
        gencache_put(slot->keys, slot->generation, id, known, 0);
    }
    *ret = &known->key;
    return known->key.active ? AUTH_OK : AUTH_UNKNOWN_KEY;
}

static enum auth_failure session_key(struct auth_slot *slot, struct str id, struct str token, struct auth_key **ret)
{
    struct known_key *known = map_get(slot->tokens, id);

    if (!token.n)
        return AUTH_UNKNOWN_KEY;
    if (!known || !str_eq(known->key.session_token, token)) {
        struct arena *arena = arena_new();
        known = arena_new_of(arena, struct known_key);
        known->arena = arena;
        if (session__open(slot->sealer, arena_dup(arena, token), arena, &known->key) != ERR_OK ||
            !str_eq(known->key.principal.access_key_id, id)) {
            arena_free(arena);
            return AUTH_BAD_SESSION_TOKEN;
        }
        map_put(slot->tokens, id, known);
    }
    *ret = &known->key;
    return AUTH_OK;
}

static enum auth_failure auth_find_key(struct auth *auth, struct auth_slot *slot, const struct sigv4 *sig, int64_t now_ms,
                                       struct auth_key **ret)
{
    enum auth_failure failure;

    if (sig->access_key_id.n > KEY_ID_BYTES_MAX)
        failure = AUTH_UNKNOWN_KEY;
    else if (str_starts(sig->access_key_id, STR("ASIA")))
        failure = session_key(slot, sig->access_key_id, sig->security_token, ret);
    else if (sig->security_token.n)
        failure = AUTH_BAD_SESSION_TOKEN;
    else
        failure = long_term_key(auth, slot, sig->access_key_id, ret);
    if (failure == AUTH_OK && (*ret)->expires_ms && (*ret)->expires_ms <= now_ms)
        failure = AUTH_EXPIRED_TOKEN;
    return failure;
}

enum auth_failure auth_failure_of(enum sigv4_status status)
{
    static const enum auth_failure failures[] = {
        [SIGV4_OK] = AUTH_OK,
        [SIGV4_MISSING] = AUTH_MISSING_TOKEN,
        [SIGV4_INCOMPLETE] = AUTH_INCOMPLETE_SIGNATURE,
        [SIGV4_BAD_SCOPE] = AUTH_BAD_SCOPE,
        [SIGV4_EXPIRED] = AUTH_SIGNATURE_EXPIRED,
        [SIGV4_MISMATCH] = AUTH_SIGNATURE_MISMATCH,
        [SIGV4_UNSUPPORTED] = AUTH_UNSUPPORTED,
        [SIGV4_BAD_QUERY] = AUTH_BAD_QUERY,
        [SIGV4_URL_EXPIRED] = AUTH_URL_EXPIRED,
        [SIGV4_BAD_ARGUMENT] = AUTH_BAD_ARGUMENT,
        [SIGV4_BODY_MISMATCH] = AUTH_BODY_MISMATCH,
    };

    return failures[status];
}

static struct principal *principal_copy(struct arena *arena, const struct principal *from)
{
    struct principal *to = arena_alloc(arena, sizeof *to);
    struct str *const text[] = {&to->account, &to->arn, &to->id, &to->name, &to->role_arn, &to->session_policy, &to->access_key_id};
    size_t bytes = 0;

    *to = *from;
    for (size_t i = 0; i < COUNT_OF(text); i++)
        bytes += text[i]->n;
    char *out = arena_alloc(arena, bytes + 1);
    for (size_t i = 0; i < COUNT_OF(text); i++) {
        if (!text[i]->n)
            continue;
        memcpy(out, text[i]->p, text[i]->n);
        text[i]->p = out;
        out += text[i]->n;
    }
    return to;
}

static struct principal *with_request(struct principal *caller, const struct http_request *request)
{
    caller->source_ip = request->peer_ip;
    caller->secure = request->secure;
    caller->user_agent = http_header(request, "user-agent");
    return caller;
}

enum auth_failure auth_authenticate(struct auth *auth, const struct http_request *request, const struct sigv4 *sig,
                                    struct arena *arena, struct principal **ret, struct str *ret_region, struct str *ret_message)
{
    struct sigv4 checked = *sig;
    struct auth_key *key = NULL;
    int64_t now_ms = clock_epoch_ms();
    enum sigv4_status body = SIGV4_OK;

    struct auth_slot *slot = slot_take(auth);
    enum auth_failure failure = auth_find_key(auth, slot, sig, now_ms, &key);
    uint8_t digest[SHA256_BYTES];
    if (failure == AUTH_OK) {
        slot_release(auth, slot);
        failure = auth_failure_of(sigv4_digest(request, &checked, now_ms, arena, digest));
        if (failure == AUTH_OK)
            body = sigv4_body(&checked, request->body);
        slot_take(auth);
        if (failure == AUTH_OK && slot_is_outside(auth, slot))
            failure = auth_find_key(auth, slot, sig, now_ms, &key);
    }
    if (failure == AUTH_OK)
        failure = auth_failure_of(sigv4_check(slot->signing, &checked, key->secret, digest, arena));
    if (failure == AUTH_OK)
        failure = auth_failure_of(body);
    metric_add(&slot->meters.failed, failure != AUTH_OK);
    *ret_message = checked.message;
    if (failure == AUTH_OK) {
        *ret = with_request(principal_copy(arena, &key->principal), request);
        (*ret)->region = sig->region;
        *ret_region = sig->region;
    }
    slot_release(auth, slot);
    return failure;
}

struct principal *auth_anonymous(const struct http_request *request, struct arena *arena)
{
    static const struct principal anonymous = {.type = PRINCIPAL_ANONYMOUS, .arn = {"anonymous", 9}, .id = {"anonymous", 9}};
    struct principal *caller = arena_alloc(arena, sizeof *caller);

    *caller = anonymous;
    return with_request(caller, request);
}

/* ---- authorisation ---- */

static enum err compile_one(struct str text, struct arena *arena, struct policy **ret, bool *depends)
{
    struct str message;

    if (!text.n)
        return ERR_OK;
    if (policy_compile(text, POLICY_IDENTITY, ret, arena, &message) != ERR_OK)
        return ERR_CORRUPT;
    *depends |= policy_depends_on_request(*ret);
    return ERR_OK;
}

/* On failure what was compiled stays in *known, for known_set_free. */
static enum err fill_set(const struct auth_source *source, const struct principal *principal, struct arena *arena,
                         struct known_set *known)
{
    struct auth_identity identity = {0};
    enum err err = source->identity(source->arg, principal, arena, &identity);

    if (err == ERR_NOT_FOUND) {
        known->gone = true;
        return ERR_OK;
    }
    if (err == ERR_OK && identity.policy_count > PRINCIPAL_POLICIES_MAX)
        err = ERR_TOO_LARGE;
    known->set.identity = arena_array(known->arena, struct policy *, identity.policy_count + 1);
    for (size_t i = 0; i < identity.policy_count && err == ERR_OK; i++) {
        struct policy **next = &known->set.identity[known->set.identity_count];
        err = compile_one(identity.policies[i], arena, next, &known->depends_on_request);
        known->set.identity_count += *next != NULL;
    }
    if (err == ERR_OK)
        err = compile_one(identity.boundary, arena, &known->set.boundary, &known->depends_on_request);
    if (err == ERR_OK)
        err = compile_one(principal->session_policy, arena, &known->set.session, &known->depends_on_request);
    known->tag_count = identity.tag_count;
    known->tags = arena_array(known->arena, struct auth_tag, identity.tag_count + 1);
    for (size_t i = 0; i < identity.tag_count; i++)
        known->tags[i] =
            (struct auth_tag){arena_dup(known->arena, identity.tags[i].key), arena_dup(known->arena, identity.tags[i].value)};
    return err;
}

/* Sessions of one role share their policies unless they have a session policy of their own. */
static struct str set_key(const struct principal *principal, struct arena *arena)
{
    bool session = principal->type == PRINCIPAL_ROLE_SESSION;
    struct str arn = session ? principal->role_arn : principal->arn;
    struct str id = session ? str_slice(principal->id, 0, str_find(principal->id, ':')) : principal->id;

    return arena_printf(arena, STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(arn), STR_ARG(id), STR_ARG(principal->session_policy));
}

/* Root and services have no policies of their own. */
static enum err find_set(struct auth *auth, struct auth_slot *slot, const struct principal *principal, struct arena *arena,
                         struct known_set **ret)
{
    struct str key = set_key(principal, arena);
    struct known_set *known = gencache_get(slot->sets, slot->generation, key);

    if (!known) {
        struct arena *own = arena_new(), *reads = arena_new();      /* what is read here is read for the cache, not for the call */
        known = arena_new_of(own, struct known_set);
        known->arena = own;
        bool has_own = principal->type == PRINCIPAL_USER || principal->type == PRINCIPAL_ROLE_SESSION;
        arena_count_as(reads, arena);
        enum err err = has_own ? fill_set(&auth->source, principal, reads, known) : ERR_OK;
        arena_free(reads);
        if (err != ERR_OK) {
            known_set_free(known);
            return err;
        }
        gencache_put(slot->sets, slot->generation, key, known, 0);
    }
    *ret = known;
    return ERR_OK;
}

static enum err decide(struct auth *auth, struct auth_slot *slot, struct policy_request *request, struct str resource_policy,
                       struct arena *arena, enum decision_reason *ret, bool *ret_keep)
{
    struct policy *resource = NULL;
    struct known_set *known;
    struct str message;
    enum err err = find_set(auth, slot, request->principal, arena, &known);

    if (err != ERR_OK)
        return err;
    if (known->gone) {
        *ret = DECISION_NO_IDENTITY_ALLOW;
        *ret_keep = true;
        return ERR_OK;
    }
    bool trust = str_eq_nocase(str_slice(request->action, 0, 14), STR("sts:AssumeRole"));
    if (resource_policy.n &&
        policy_compile(resource_policy, trust ? POLICY_TRUST : POLICY_RESOURCE, &resource, arena, &message) != ERR_OK)
        return ERR_CORRUPT;
    struct context_source context = {known->tags, known->tag_count, clock_epoch_ms()};
    struct policy_set set = known->set;
    set.resource = resource ? resource : request->resource_policy;
    request->lookup = context__lookup;
    request->lookup_arg = &context;
    request->arena = arena;
    *ret = policy_decide(&set, request);
    *ret_keep = !set.resource && !known->depends_on_request;
    policy_free(resource);
    return ERR_OK;
}

/* STR_NONE: such a decision is not kept. */
static struct str decision_key(const struct policy_request *request, struct str resource_policy, struct arena *arena)
{
    struct str id = request->principal->access_key_id;

    if (resource_policy.n || request->resource_policy || !id.n)
        return STR_NONE;
    size_t n = id.n + request->action.n + request->resource.n + 2;
    char *text = arena_alloc(arena, n);
    memcpy(text, id.p, id.n);
    text[id.n] = '\0';
    memcpy(text + id.n + 1, request->action.p, request->action.n);
    text[id.n + 1 + request->action.n] = '\0';
    if (request->resource.n)
        memcpy(text + id.n + 2 + request->action.n, request->resource.p, request->resource.n);
    return (struct str){text, n};
}

enum err auth_authorize(struct auth *auth, const struct policy_request *request, struct str resource_policy, struct arena *arena,
                        struct str *ret_message)
{
    struct policy_request asked = *request;
    struct str key = decision_key(request, resource_policy, arena);
    enum decision_reason reason = DECISION_NO_IDENTITY_ALLOW;
    enum err err = ERR_OK;
    bool keep = false;

    struct auth_slot *slot = slot_take(auth);
    uintptr_t known = key.n ? (uintptr_t)gencache_get(slot->decisions, slot->generation, key) : 0;
    metric_add(known ? &slot->meters.decision_hits : &slot->meters.decision_misses, 1);
    if (known)
        reason = (enum decision_reason)(known - 1);
    else
        err = decide(auth, slot, &asked, resource_policy, arena, &reason, &keep);
    if (err == ERR_OK && keep && key.n)
        gencache_put(slot->decisions, slot->generation, key, (void *)(uintptr_t)(reason + 1), 0);
    metric_add(&slot->meters.denied, err == ERR_OK && reason != DECISION_ALLOWED);
    slot_release(auth, slot);
    if (err == ERR_OK && reason != DECISION_ALLOWED) {
        *ret_message = policy_denied_message(arena, reason, request);
        err = ERR_DENIED;
    }
    return err;
}

/* ---- sessions ---- */

void auth_session_issue(struct auth *auth, const struct principal *session, int64_t expires_ms, struct arena *arena,
                        struct auth_session *ret)
{
    struct auth_key key = {.expires_ms = expires_ms, .active = true, .principal = *session};
    struct auth_slot *slot = slot_take(auth);

    ENSURE(session->type == PRINCIPAL_ROLE_SESSION);
    session__issue(slot->sealer, &key, arena, ret);
    slot_release(auth, slot);
}
