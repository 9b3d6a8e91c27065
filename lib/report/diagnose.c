/* SPDX-License-Identifier: MIT */
/*
 * report/diagnose.c - see wspool/diagnose.h.  Layer 5.
 *
 * Each rule looks at what was counted since `before`, and adds its issue with the numbers that show
 * it. A rule for a share asks for a least number, too: of three peers one is no third of anything.
 * What an issue comes from is found at the end: of its possible causes those that are there.
 */
#include <wspool/diagnose.h>

#include <string.h>

#include <wspool/versioned.h>
#include <wspool/wspool.h>
#include "pool/peers.h"
#include "pool/pool.h"
#include "report/issues.h"

#define FEW 10u               /* below that a share says nothing */
#define MARK_CONNECTS 9500u   /* hundredths of a percent of the attempts that must succeed */
#define MARK_HANDSHAKE 500000 /* microseconds that 19 of 20 handshakes may take */
#define ALERT 8500u           /* hundredths of a percent of a resource */
#define GOAL 8000u            /* of the memory */
#define SECRET_BYTES 32u
#define RARE_PINGS (55 * WSPOOL_SECOND)

struct exam {
    const wspool *pool;
    const wspool_diagnose_options *options;
    wspool_statistics now;
    wspool_statistics since; /* counters and histograms: what came since `before`; gauges: now */
    wspool_sample sample;    /* of the monitor; nothing measured without one */
    wspool_estimate estimate;
    wspool_diagnosis *out;
};

/* -------------------------------------------------------------------- numbers */

static void subtract(uint64_t *number, uint64_t before)
{
    *number -= before < *number ? before : *number;
}

static void subtract_all(uint64_t *numbers, const uint64_t *before, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        subtract(&numbers[i], before[i]);
    }
}

static void subtract_histogram(wspool_histogram *histogram, const wspool_histogram *before)
{
    subtract(&histogram->sum, before->sum);
    subtract_all(histogram->buckets, before->buckets, WSPOOL_HISTOGRAM_BUCKETS);
}

static void subtract_before(wspool_statistics *stats, const wspool_statistics *before)
{
#define WSPOOL_X(name, unit, help) subtract(&stats->name, before->name);
    WSPOOL_COUNTERS(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, unit, help) subtract_histogram(&stats->name, &before->name);
    WSPOOL_HISTOGRAMS(WSPOOL_X)
#undef WSPOOL_X
    subtract_all(stats->lost_after, before->lost_after, WSPOOL_STATS_SILENCES);
    subtract_all(stats->token_found, before->token_found, WSPOOL_STATS_PLACES);
    subtract_all(stats->token_blank, before->token_blank, WSPOOL_STATS_PLACES);
    subtract_all(stats->refused, before->refused, WSPOOL_STATS_REFUSALS);
    subtract_all(stats->ended, before->ended, WSPOOL_STATS_ENDS);
    for (size_t i = 0; i < WSPOOL_STATS_STAGES; i++) {
        subtract(&stats->stages[i].passed, before->stages[i].passed);
        subtract(&stats->stages[i].refused, before->stages[i].refused);
        subtract(&stats->stages[i].gone, before->stages[i].gone);
        subtract(&stats->stages[i].time, before->stages[i].time);
        subtract_histogram(&stats->stages[i].times, &before->stages[i].times);
    }
}

/* Returns part / whole in hundredths of a percent. */
static uint32_t percent(uint64_t part, uint64_t whole)
{
    if (whole == 0) {
        return 0;
    }
    return (uint32_t)(part >= whole ? 10000 : (double)part * 10000.0 / (double)whole);
}

/* Returns 1 if there are enough of them, and they are such a share of all. */
static int is_share(uint64_t part, uint64_t all, uint32_t hundredths)
{
    return part >= FEW && percent(part, all) >= hundredths;
}

static uint64_t refused(const struct exam *exam, enum wspool_refusal refusal)
{
    return exam->since.refused[refusal];
}

static uint64_t ended(const struct exam *exam, enum wspool_end end)
{
    return exam->since.ended[end];
}

/* --------------------------------------------------------------------- issues */

static wspool_issue *add(struct exam *exam, enum wspool_issue_name name)
{
    wspool_issue *issue = &exam->out->issues[exam->out->issue_count++];
    *issue = wsp_issue_of(name);
    return issue;
}

static void show(wspool_issue *issue, const char *name, const char *unit, uint64_t value)
{
    if (issue->evidence_count < WSPOOL_EVIDENCE_MAX) {
        issue->evidence[issue->evidence_count++] = (wspool_evidence){name, unit, value};
    }
}

static void show_attempts(wspool_issue *issue, const struct exam *exam)
{
    show(issue, "attempts", "peers", exam->since.attempts);
}

/* ------------------------------------------------------------------ its tokens */

static void judge_tokens(struct exam *exam)
{
    const uint64_t attempts = exam->since.attempts;
    const uint64_t no_secret = refused(exam, WSPOOL_REFUSED_TOKEN_NO_SECRET);
    const uint32_t secret = exam->options->secret_bytes;
    if (no_secret > 0 || secret == 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_NO_SECRET);
        show(issue, "refused for it", "peers", no_secret);
    } else if (secret < SECRET_BYTES) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SHORT_SECRET);
        show(issue, "length", "bytes", secret);
        show(issue, "least", "bytes", SECRET_BYTES);
    }
    const uint64_t blank = refused(exam, WSPOOL_REFUSED_TOKEN_EMPTY);
    if (blank > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_BLANK_TOKENS);
        issue->severity = is_share(blank, attempts, 500) ? WSPOOL_SEVERITY_HIGH : issue->severity;
        show(issue, "without a token", "peers", blank);
        show(issue, "of all attempts", "peers", attempts);
        for (int i = WSPOOL_TOKEN_PLACES; i >= 0; i--) {
            if (exam->since.token_blank[i] > 0) {
                show(issue, wspool_token_place_name((enum wspool_token_place)i), "times",
                     exam->since.token_blank[i]);
            }
        }
    }
    const uint64_t in_query = exam->since.token_found[WSPOOL_TOKEN_QUERY];
    if (in_query > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_QUERY_TOKENS);
        show(issue, "tokens in the query", "peers", in_query);
        show_attempts(issue, exam);
    }
    uint64_t invalid = 0;
    for (int i = WSPOOL_REFUSED_TOKEN_MALFORMED; i <= WSPOOL_REFUSED_TOKEN_REVOKED; i++) {
        const int counted_elsewhere =
            i == WSPOOL_REFUSED_TOKEN_EXPIRED || i == WSPOOL_REFUSED_TOKEN_NO_SECRET;
        invalid += counted_elsewhere ? 0 : exam->since.refused[i];
    }
    if (invalid > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_INVALID_TOKENS);
        issue->severity =
            is_share(invalid, attempts, 2000) ? WSPOOL_SEVERITY_HIGH : issue->severity;
        show(issue, "not accepted", "peers", invalid);
        show(issue, "not well formed", "peers", refused(exam, WSPOOL_REFUSED_TOKEN_MALFORMED));
        show(issue, "of another issuer or audience", "peers",
             refused(exam, WSPOOL_REFUSED_TOKEN_WRONG_ISSUER) +
                 refused(exam, WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE));
        show(issue, "after a revocation", "peers", refused(exam, WSPOOL_REFUSED_TOKEN_REVOKED));
        show_attempts(issue, exam);
    }
    const uint64_t expired = refused(exam, WSPOOL_REFUSED_TOKEN_EXPIRED);
    const uint64_t closed = ended(exam, WSPOOL_END_TOKEN_EXPIRED);
    if (expired + closed >= FEW) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_EXPIRED_TOKENS);
        issue->severity =
            is_share(expired, attempts, 1000) ? WSPOOL_SEVERITY_HIGH : issue->severity;
        show(issue, "refused", "peers", expired);
        show(issue, "closed at the expiry", "peers", closed);
        show(issue, "renewed", "tokens", exam->since.renewals);
        show_attempts(issue, exam);
    }
    const uint64_t late = refused(exam, WSPOOL_REFUSED_VERDICT_TIMEOUT);
    if (late > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SLOW_VERDICTS);
        show(issue, "without a verdict in time", "peers", late);
        show(issue, "verdict_time", "ms", exam->pool->config.verdict_time / WSPOOL_MILLISECOND);
    }
}

/* --------------------------------------------------------------- its resources */

static uint32_t used_of(const struct exam *exam, enum wspool_resource resource)
{
    const wspool_amount *amount = &exam->sample.of[resource];
    return amount->measured == WSPOOL_MEASURED ? percent(amount->used, amount->all) : 0;
}

static void judge_resource(struct exam *exam, enum wspool_issue_name name,
                           enum wspool_resource resource, uint32_t from, uint32_t high)
{
    const wspool_amount *amount = &exam->sample.of[resource];
    const uint32_t used = used_of(exam, resource);
    if (used > from && amount->all > 0) {
        wspool_issue *issue = add(exam, name);
        issue->severity = used > high ? WSPOOL_SEVERITY_HIGH : issue->severity;
        show(issue, "used", "%", used / 100);
        if (amount->all != 10000) {
            show(issue, "used",
                 resource == WSPOOL_RESOURCE_CONNECTIONS ? "peers"
                 : resource == WSPOOL_RESOURCE_FILES     ? "files"
                                                         : "bytes",
                 amount->used);
            show(issue, "room for", "more peers", exam->estimate.peers);
        }
    }
}

static void judge_resources(struct exam *exam)
{
    const uint64_t memory = refused(exam, WSPOOL_REFUSED_NOMEM) + ended(exam, WSPOOL_END_NOMEM);
    if (memory > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_OUT_OF_MEMORY);
        show(issue, "refused or closed", "peers", memory);
    }
    uint64_t full = exam->since.breaker_refused + exam->since.key_full +
                    refused(exam, WSPOOL_REFUSED_FULL) + refused(exam, WSPOOL_REFUSED_RATE) +
                    refused(exam, WSPOOL_REFUSED_GAVE_WAY);
    for (int i = WSPOOL_REFUSED_CAPACITY; i <= WSPOOL_REFUSED_CAPACITY_PRESSURE; i++) {
        full += exam->since.refused[i];
    }
    if (full > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_CAPACITY);
        show(issue, "refused", "peers", full);
        show(issue, "without a place", "peers", refused(exam, WSPOOL_REFUSED_FULL));
        show(issue, "keys with all their peers", "peers", exam->since.key_full);
        show(issue, "open", "peers", exam->now.peers);
        show(issue, "max_peers", "peers", exam->pool->config.max_peers);
        if (exam->options->capacity) {
            show(issue, "room for", "more peers", exam->estimate.peers);
        }
    }
    judge_resource(exam, WSPOOL_ISSUE_MEMORY, WSPOOL_RESOURCE_MEMORY, GOAL, ALERT);
    judge_resource(exam, WSPOOL_ISSUE_OWN_MEMORY, WSPOOL_RESOURCE_OWN_MEMORY, ALERT, ALERT);
    judge_resource(exam, WSPOOL_ISSUE_PROCESSOR, WSPOOL_RESOURCE_CPU, ALERT, ALERT);
    judge_resource(exam, WSPOOL_ISSUE_FILES, WSPOOL_RESOURCE_FILES, ALERT, ALERT);
    judge_resource(exam, WSPOOL_ISSUE_CONNECTIONS, WSPOOL_RESOURCE_CONNECTIONS, ALERT, ALERT);
    judge_resource(exam, WSPOOL_ISSUE_PRESSURE, WSPOOL_RESOURCE_PRESSURE, 1000, 1000);
    const uint64_t shed = exam->since.shed + ended(exam, WSPOOL_END_INPUT_SHED);
    if (shed > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SHED);
        show(issue, "closed", "peers", shed);
        show(issue, "block_bytes", "bytes", exam->now.block_bytes);
        show(issue, "pool_bytes", "bytes", exam->pool->config.pool_bytes);
    }
}

/* ------------------------------------------------------------- its connections */

static void judge_handshakes(struct exam *exam)
{
    static const enum wspool_refusal wrong[] = {
        WSPOOL_REFUSED_MALFORMED, WSPOOL_REFUSED_HOST,       WSPOOL_REFUSED_BODY,
        WSPOOL_REFUSED_KEY,       WSPOOL_REFUSED_EARLY_DATA, WSPOOL_REFUSED_METHOD,
        WSPOOL_REFUSED_UPGRADE,   WSPOOL_REFUSED_TIMEOUT,    WSPOOL_REFUSED_HEAD_TOO_LARGE};
    const wspool_diagnosis_metrics *metrics = &exam->out->metrics;
    const uint64_t attempts = exam->since.attempts,
                   all = metrics->connects + metrics->connects_failed;
    if (metrics->connects_failed >= FEW && metrics->connect_percent < MARK_CONNECTS) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_FEW_CONNECT);
        show(issue, "succeed", "%", metrics->connect_percent / 100);
        show(issue, "accepted", "peers", metrics->connects);
        show(issue, "attempts", "peers", all);
    }
    uint64_t failed = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        failed += refused(exam, wrong[i]);
    }
    if (is_share(failed, attempts, 500)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_HANDSHAKES_FAIL);
        show(issue, "failed", "peers", failed);
        show(issue, "without Upgrade", "peers", refused(exam, WSPOOL_REFUSED_UPGRADE));
        show(issue, "not well formed", "peers", refused(exam, WSPOOL_REFUSED_MALFORMED));
        show(issue, "not in time", "peers", refused(exam, WSPOOL_REFUSED_TIMEOUT));
        show_attempts(issue, exam);
    }
    const uint64_t old =
        refused(exam, WSPOOL_REFUSED_VERSION) + refused(exam, WSPOOL_REFUSED_HTTP_VERSION);
    if (old > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_OLD_VERSIONS);
        show(issue, "of WebSocket", "peers", refused(exam, WSPOOL_REFUSED_VERSION));
        show(issue, "of HTTP", "peers", refused(exam, WSPOOL_REFUSED_HTTP_VERSION));
        show_attempts(issue, exam);
    }
    const uint64_t gone = refused(exam, WSPOOL_REFUSED_GONE);
    if (gone > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_PREMATURE_CLOSES);
        show(issue, "left", "peers", gone);
        for (int i = 0; i < WSPOOL_STAGE_COUNT; i++) {
            if (exam->since.stages[i].gone > 0) {
                show(issue, wspool_stage_name((enum wspool_stage)i), "peers",
                     exam->since.stages[i].gone);
            }
        }
    }
    if (metrics->handshake_p95 > MARK_HANDSHAKE &&
        wspool_histogram_count(&exam->since.handshake_time) >= FEW) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SLOW_HANDSHAKES);
        show(issue, "half of them within", "us", metrics->handshake_p50);
        show(issue, "19 of 20 within", "us", metrics->handshake_p95);
    }
    const uint64_t strange =
        refused(exam, WSPOOL_REFUSED_ORIGIN) + refused(exam, WSPOOL_REFUSED_OTHER_HOST);
    if (is_share(strange, attempts, 500)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_ORIGINS);
        show(issue, "of other origins", "peers", refused(exam, WSPOOL_REFUSED_ORIGIN));
        show(issue, "for other hosts", "peers", refused(exam, WSPOOL_REFUSED_OTHER_HOST));
        show_attempts(issue, exam);
    }
}

static void judge_lost(struct exam *exam)
{
    static const uint64_t seconds[] = {
#define WSPOOL_X(name, seconds) seconds,
        WSPOOL_SILENCES(WSPOOL_X)
#undef WSPOOL_X
    };
    uint64_t all = 0;
    for (int i = 0; i < WSPOOL_SILENCE_COUNT; i++) {
        all += exam->since.lost_after[i];
    }
    for (int i = 0; i < WSPOOL_SILENCE_OTHER; i++) {
        if (is_share(exam->since.lost_after[i], all, 5000)) {
            wspool_issue *issue = add(exam, WSPOOL_ISSUE_PROXY_TIMEOUT);
            show(issue, "lost after a silence of", "s", seconds[i]);
            show(issue, "lost so", "peers", exam->since.lost_after[i]);
            show(issue, "lost in all", "peers", all);
            show(issue, "ping_interval", "s", exam->pool->config.ping_interval / WSPOOL_SECOND);
            return;
        }
    }
}

/* A walk over the peers: those that are blocked now, and what they hold. */
static void show_blocked(struct exam *exam, wspool_issue *issue)
{
    uint64_t blocked = 0, bytes = 0, most = 0;
    uint32_t slot = 0;
    const struct wsp_peer *peer;
    while ((peer = wsp_peer_next(exam->pool, &slot)) != NULL) {
        if (peer->conn.out.blocked) {
            blocked++;
            bytes += peer->conn.out.bytes;
            most = peer->conn.out.bytes > most ? peer->conn.out.bytes : most;
        }
    }
    show(issue, "blocked now", "peers", blocked);
    show(issue, "queued for them", "bytes", bytes);
    show(issue, "for the slowest", "bytes", most);
}

static void judge_connections(struct exam *exam)
{
    uint64_t over = 0;
    for (int i = 0; i < WSPOOL_END_COUNT; i++) {
        over += exam->since.ended[i];
    }
    judge_lost(exam);
    if (is_share(ended(exam, WSPOOL_END_PONG_TIMEOUT), over, 1000)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_HEARTBEAT);
        show(issue, "without an answer", "peers", ended(exam, WSPOOL_END_PONG_TIMEOUT));
        show(issue, "ended", "peers", over);
    }
    if (is_share(exam->since.brief, over, 5000)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_CHURN);
        show(issue, "ended within 10 s", "peers", exam->since.brief);
        show(issue, "ended", "peers", over);
        show(issue, "accepted", "peers", exam->since.accepted);
    }
    const uint64_t twice = ended(exam, WSPOOL_END_REPLACED) + ended(exam, WSPOOL_END_PLACE_TAKEN);
    if (is_share(twice, exam->since.accepted, 500)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_DUPLICATES);
        show(issue, "closed for another", "peers", twice);
        show(issue, "accepted", "peers", exam->since.accepted);
    }
    const uint64_t slow = exam->since.slow_closes + ended(exam, WSPOOL_END_FLUSH_TIMEOUT);
    if (slow > 0 || is_share(exam->since.left_behind, exam->since.deliveries, 1000)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SLOW_READERS);
        issue->severity =
            is_share(slow, exam->now.peers, 500) ? WSPOOL_SEVERITY_HIGH : issue->severity;
        show(issue, "closed", "peers", slow);
        show(issue, "left behind", "messages", exam->since.left_behind);
        show_blocked(exam, issue);
        show(issue, "19 of 20 queues younger than", "us", exam->out->metrics.queue_age_p95);
    }
    const uint64_t abuse = ended(exam, WSPOOL_END_ABUSE) + ended(exam, WSPOOL_END_RATE);
    if (abuse > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_ABUSE);
        show(issue, "closed", "peers", abuse);
    }
}

/* ----------------------------------------------------------- its configuration */

static uint64_t silent_channels(const wspool *pool)
{
    struct wsp_map_node *node = NULL;
    uint64_t count = 0;
    while ((node = wsp_map_next(&pool->registry.channels, node)) != NULL) {
        const struct wsp_channel *channel = (const void *)node;
        count += channel->count > 0 && channel->offset == 0;
    }
    return count;
}

static void judge_channels(struct exam *exam)
{
    if (exam->since.missed > 0) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_MISSED);
        show(issue, "missed", "messages", exam->since.missed);
        show(issue, "recovered", "messages", exam->since.recovered);
    }
    if (is_share(exam->since.resumes_lost, exam->since.resumes, 1000)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SHORT_HISTORY);
        show(issue, "resumes", "calls", exam->since.resumes);
        show(issue, "of them without all", "calls", exam->since.resumes_lost);
        show(issue, "19 of 20 missed less than", "messages",
             wspool_histogram_quantile(&exam->since.resume_size, 950));
    }
    const wspool_statistics *before = exam->options->before;
    const uint64_t channels = exam->now.channels, were = before ? before->channels : 0;
    if (channels >= 1000 && channels > 2 * were) {
        const uint64_t silent = silent_channels(exam->pool);
        if (is_share(silent, channels, 9000)) {
            wspool_issue *issue = add(exam, WSPOOL_ISSUE_LEAKING_CHANNELS);
            show(issue, "channels", "channels", channels);
            show(issue, "before", "channels", were);
            show(issue, "without any message", "channels", silent);
            show(issue, "memberships", "memberships", exam->now.memberships);
        }
    }
}

static int books_balance(const wspool_statistics *s)
{
    uint64_t refusals = 0, ends = 0;
    for (int i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        refusals += s->refused[i];
    }
    for (int i = 0; i < WSPOOL_END_COUNT; i++) {
        ends += s->ended[i];
    }
    return s->attempts == s->accepted + refusals + s->plain + s->handshakes &&
           s->accepted == s->peers + ends && s->deliveries == s->queued + s->slow_closes &&
           s->queued == s->sent + s->dropped_closed + s->waiting;
}

static void judge_configuration(struct exam *exam)
{
    const wspool_config *config = &exam->pool->config;
    if (config->ping_interval == 0 || config->ping_interval > RARE_PINGS) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_RARE_PINGS);
        show(issue, "ping_interval", "s", config->ping_interval / WSPOOL_SECOND);
    }
    if (config->queue_bytes < config->message_bytes) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_SMALL_QUEUES);
        show(issue, "queue_bytes", "bytes", config->queue_bytes);
        show(issue, "message_bytes", "bytes", config->message_bytes);
    }
    if (!exam->options->capacity) {
        add(exam, WSPOOL_ISSUE_NO_MONITOR);
    }
    if (!books_balance(&exam->now)) {
        wspool_issue *issue = add(exam, WSPOOL_ISSUE_BOOKS);
        show(issue, "attempts", "peers", exam->now.attempts);
        show(issue, "accepted", "peers", exam->now.accepted);
        show(issue, "queued", "messages", exam->now.queued);
        show(issue, "sent", "messages", exam->now.sent);
    }
}

/* ----------------------------------------------------------------- all of it */

static void measure(struct exam *exam)
{
    static const enum wspool_end failures[] = {WSPOOL_END_PROTOCOL,
                                               WSPOOL_END_BAD_UTF8,
                                               WSPOOL_END_TOO_BIG,
                                               WSPOOL_END_ABUSE,
                                               WSPOOL_END_SLOW,
                                               WSPOOL_END_SHED,
                                               WSPOOL_END_MESSAGE_TIMEOUT,
                                               WSPOOL_END_PONG_TIMEOUT,
                                               WSPOOL_END_FLUSH_TIMEOUT,
                                               WSPOOL_END_EOF,
                                               WSPOOL_END_FAILED,
                                               WSPOOL_END_NOMEM,
                                               WSPOOL_END_BAD_ENCODING,
                                               WSPOOL_END_INPUT_SHED,
                                               WSPOOL_END_RATE};
    wspool_diagnosis_metrics *metrics = &exam->out->metrics;
    const wspool_statistics *since = &exam->since;
    metrics->connects = since->accepted;
    metrics->connects_failed = since->key_full + since->breaker_refused;
    for (int i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        metrics->connects_failed += since->refused[i];
    }
    const uint64_t all = metrics->connects + metrics->connects_failed;
    metrics->connect_percent = all > 0 ? percent(metrics->connects, all) : 10000;
    metrics->handshake_p50 = wspool_histogram_quantile(&since->handshake_time, 500);
    metrics->handshake_p95 = wspool_histogram_quantile(&since->handshake_time, 950);
    metrics->round_trip_p50 = wspool_histogram_quantile(&since->round_trip, 500);
    metrics->round_trip_p95 = wspool_histogram_quantile(&since->round_trip, 950);
    metrics->queue_age_p95 = wspool_histogram_quantile(&since->queue_age, 950);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        metrics->ended_by_failure += since->ended[failures[i]];
    }
    metrics->peers = exam->now.peers;
    metrics->channels = exam->now.channels;
    metrics->own_bytes = exam->sample.of[WSPOOL_RESOURCE_OWN_MEMORY].used;
    metrics->memory_percent = used_of(exam, WSPOOL_RESOURCE_MEMORY);
    metrics->cpu_percent = used_of(exam, WSPOOL_RESOURCE_CPU);
    metrics->files_percent = used_of(exam, WSPOOL_RESOURCE_FILES);
    metrics->connections_percent = used_of(exam, WSPOOL_RESOURCE_CONNECTIONS);
    metrics->room = exam->options->capacity ? exam->estimate.peers : UINT64_MAX;
}

/* The most severe first; those of one severity stay in their order. */
static void sort(wspool_diagnosis *diagnosis)
{
    for (uint32_t i = 1; i < diagnosis->issue_count; i++) {
        const wspool_issue issue = diagnosis->issues[i];
        uint32_t at = i;
        for (; at > 0 && (diagnosis->issues[at - 1].severity < issue.severity ||
                          (diagnosis->issues[at - 1].severity == issue.severity &&
                           diagnosis->issues[at - 1].name > issue.name));
             at--) {
            diagnosis->issues[at] = diagnosis->issues[at - 1];
        }
        diagnosis->issues[at] = issue;
    }
}

static void find_causes(wspool_diagnosis *diagnosis)
{
    uint8_t is_there[WSPOOL_ISSUE_COUNT] = {0};
    for (uint32_t i = 0; i < diagnosis->issue_count; i++) {
        is_there[diagnosis->issues[i].name] = 1;
    }
    for (uint32_t i = 0; i < diagnosis->issue_count; i++) {
        wspool_issue *issue = &diagnosis->issues[i];
        const enum wspool_issue_name *causes;
        const uint32_t count = wsp_issue_causes(issue->name, &causes);
        for (uint32_t k = 0; k < count; k++) {
            if (is_there[causes[k]]) {
                issue->causes[issue->cause_count++] = causes[k];
            }
        }
    }
}

static int read_options(wspool_diagnose_options *options, const wspool_diagnose_options *given)
{
    *options =
        (wspool_diagnose_options){.size = sizeof *options, .secret_bytes = WSPOOL_SECRET_UNKNOWN};
    if (given && wspool_versioned_read(options, sizeof *options, given)) {
        return WSPOOL_ERR_INVAL;
    }
    return options->before && options->before->size != sizeof *options->before ? WSPOOL_ERR_INVAL
                                                                               : 0;
}

int wspool_diagnose(const wspool *pool, const wspool_diagnose_options *given,
                    wspool_diagnosis *diagnosis)
{
    wspool_diagnose_options options;
    struct exam exam = {.pool = pool, .options = &options, .out = diagnosis};
    if (!pool || !diagnosis || diagnosis->size != sizeof *diagnosis ||
        read_options(&options, given)) {
        return WSPOOL_ERR_INVAL;
    }
    memset(diagnosis, 0, sizeof *diagnosis);
    diagnosis->size = sizeof *diagnosis;
    exam.now.size = sizeof exam.now;
    wspool_stats(pool, &exam.now);
    exam.since = exam.now;
    if (options.before) {
        subtract_before(&exam.since, options.before);
    }
    if (options.capacity) {
        wspool_capacity_state state = {.size = sizeof state};
        exam.estimate.size = sizeof exam.estimate;
        if (wspool_capacity_get(options.capacity, &state) ||
            wspool_capacity_estimate(options.capacity, &exam.estimate)) {
            return WSPOOL_ERR_INVAL;
        }
        exam.sample = state.sample;
    }
    measure(&exam);
    judge_tokens(&exam);
    judge_resources(&exam);
    judge_handshakes(&exam);
    judge_connections(&exam);
    judge_channels(&exam);
    judge_configuration(&exam);
    sort(diagnosis);
    find_causes(diagnosis);
    diagnosis->success =
        diagnosis->issue_count == 0 || diagnosis->issues[0].severity < WSPOOL_SEVERITY_HIGH;
    return 0;
}
