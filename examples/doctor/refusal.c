/* SPDX-License-Identifier: MIT */
/*
 * refusal.c - see refusal.h.
 *
 * A status alone does not say who is at fault: 404 is the caller's when the server says it, and the
 * proxy's when the proxy says it, because then no server was asked. So a rule has three owners.
 */
#define _GNU_SOURCE /* strcasestr */
#include "refusal.h"

#include <string.h>

struct rule {
    int from, to;     /* statuses */
    const char *word; /* that the body must have, in whatever case; NULL: any body */
    enum stage stage;
    enum owner owner;  /* no proxy is seen */
    enum owner behind; /* a proxy is seen, and the answer is of the server behind it */
    enum owner signs;  /* the proxy made the answer */
    const char *what;
};

#define ANYWHERE(owner) OWNER_##owner, OWNER_##owner, OWNER_##owner

/* The first one that fits counts. */
static const struct rule rules[] = {
    {200, 299, NULL, STAGE_HTTP, OWNER_CALLER, OWNER_PROXY, OWNER_PROXY,
     "an ordinary page: there is no WebSocket at this path, or the upgrade was dropped on the way"},
    {300, 399, NULL, STAGE_HTTP, ANYWHERE(CALLER), "a redirect, which WebSocket does not follow"},
    {400, 400, "HTTPS port", STAGE_HTTP, ANYWHERE(CALLER), "the port speaks TLS: use wss://"},
    {400, 400, "upgrade", STAGE_HTTP, ANYWHERE(PROXY),
     "the request came without its upgrade: forward Upgrade and Connection"},
    {400, 400, NULL, STAGE_HTTP, OWNER_SERVER, OWNER_PROXY, OWNER_PROXY,
     "a correct request is called malformed"},
    {401, 401, "no_secret", STAGE_TOKEN, ANYWHERE(APPLICATION),
     "it has no secret to check tokens with"},
    {401, 401, NULL, STAGE_TOKEN, ANYWHERE(CALLER), NULL},
    {403, 403, "origin", STAGE_ORIGIN, ANYWHERE(CALLER),
     "pages of this origin may not connect: name another one with --origin"},
    {403, 403, NULL, STAGE_TOKEN, OWNER_CALLER, OWNER_CALLER, OWNER_PROXY, NULL},
    {404, 404, NULL, STAGE_HTTP, OWNER_CALLER, OWNER_CALLER, OWNER_PROXY, "there is no such path"},
    {407, 407, NULL, STAGE_HTTP, ANYWHERE(PROXY), "a proxy wants to know who asks"},
    {408, 408, NULL, STAGE_HTTP, OWNER_SERVER, OWNER_PROXY, OWNER_PROXY,
     "the request did not arrive whole"},
    {421, 421, NULL, STAGE_HTTP, OWNER_CALLER, OWNER_PROXY, OWNER_PROXY,
     "the request is for another host: a proxy must forward Host"},
    {426, 426, NULL, STAGE_HTTP, ANYWHERE(PROXY),
     "the request came without its upgrade: forward Upgrade and Connection"},
    {429, 429, NULL, STAGE_CAPACITY, OWNER_CALLER, OWNER_CALLER, OWNER_PROXY,
     "too many connections or attempts from here"},
    {414, 431, NULL, STAGE_HTTP, OWNER_CALLER, OWNER_CALLER, OWNER_PROXY,
     "the request is not accepted"},
    {503, 503, "No server is available", STAGE_HTTP, ANYWHERE(SERVER),
     "the proxy has no server to forward to"},
    {503, 503, NULL, STAGE_CAPACITY, OWNER_SERVER, OWNER_SERVER, OWNER_PROXY,
     "it takes no more connections now"},
    {505, 505, NULL, STAGE_HTTP, ANYWHERE(PROXY),
     "the request came in another version of HTTP: forward HTTP/1.1"},
    {502, 504, NULL, STAGE_HTTP, ANYWHERE(SERVER),
     "the proxy gets no answer from the server behind it"},
    {100, 999, NULL, STAGE_HTTP, OWNER_APPLICATION, OWNER_APPLICATION, OWNER_PROXY,
     "an answer that is not meant for WebSocket"},
};

static const struct rule *rule_of(const struct answer *answer)
{
    const struct rule *rule = rules;
    while (answer->status < rule->from || answer->status > rule->to ||
           (rule->word && !strcasestr(answer->body, rule->word))) {
        rule++; /* the last one fits all */
    }
    return rule;
}

void refusal_judge(struct report *report, const struct question *question,
                   const struct answer *answer)
{
    static const char version[] = "Sec-WebSocket-Version";
    char reason[32], proxy[32], value[VALUE_ROOM];
    const struct rule *rule = rule_of(answer);
    int behind = answer_proxy(answer, proxy), signs = answer_is_the_proxys(answer);
    answer_reason(answer, reason);
    if (rule->stage != STAGE_HTTP) {
        report_good(report, STAGE_HTTP, "HTTP %d%s%s", answer->status, behind ? " through " : "",
                    behind ? proxy : "");
    }
    if (answer_header(answer, version, value) && !answer_lists(answer, version, "13")) {
        report_good(report, STAGE_HTTP, "HTTP %d", answer->status);
        report_fault(report, STAGE_VERSION, OWNER_SERVER,
                     "it speaks only version %s of the protocol, not 13 (RFC 6455)", value);
        return;
    }
    const char *what = rule->what              ? rule->what
                       : !question->token      ? "a token is needed: give it with --token"
                       : answer->status == 401 ? "the token is refused"
                                               : "the token is not allowed to enter here";
    enum owner owner = signs ? rule->signs : behind ? rule->behind : rule->owner;
    report_fault(report, rule->stage, owner, "HTTP %d%s%s%s%s%s: %s", answer->status,
                 *reason ? " " : "", reason,
                 signs    ? " by "
                 : behind ? " through "
                          : "",
                 behind ? proxy : "", signs ? " itself" : "", what);
    if (answer->status / 100 == 3 && answer_header(answer, "Location", value)) {
        report_note(report, STAGE_HTTP, ": %s", value);
    }
    if (answer_header(answer, "Retry-After", value)) {
        report_note(report, rule->stage, "; Retry-After: %s", value);
    }
}
