/* SPDX-License-Identifier: MIT */
/* diagnosis.c - see diagnosis.h. Also the endpoints that report it. */
#include "diagnosis.h"

#include <string.h>

#include <wspool/json_report.h>

#include "api.h"
#include "text.h"

#define INTERVAL (10 * WSPOOL_SECOND)

void diagnosis_tick(struct app *app, uint64_t now)
{
    struct past *past = &app->past;
    wspool_statistics *look = &past->looks[past->taken % PAST];

    if (now < past->next) {
        return;
    }
    look->size = sizeof(*look);
    wspool_stats(app->pool, look);
    past->taken++;
    past->next = now + INTERVAL;
}

/* Before a minute has passed it judges all of the time since the start. */
static int diagnose(const struct app *app, wspool_diagnosis *diagnosis)
{
    const struct past *past = &app->past;
    wspool_diagnose_options options = {
        .size = sizeof(options), .capacity = app->capacity, .secret_bytes = WSPOOL_SECRET_UNKNOWN};

    if (past->taken >= PAST) {
        options.before = &past->looks[past->taken % PAST]; /* the oldest */
    }
    diagnosis->size = sizeof(*diagnosis);
    return wspool_diagnose(app->pool, &options, diagnosis);
}

static int accepts(const struct request *request, const char *type)
{
    const char *accept = http_header(request, "Accept");
    return accept != NULL && strstr(accept, type) != NULL;
}

enum MHD_Result diagnosis_answer(struct app *app, struct request *request)
{
    static wspool_diagnosis diagnosis; /* there is one thread */
    struct text text = {NULL, 0, 0};

    if (diagnose(app, &diagnosis) != 0) {
        return http_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal");
    }
    if (!accepts(request, "text/markdown")) {
        return http_json(request, MHD_HTTP_OK, wspool_json_diagnosis(&diagnosis));
    }
    if (wspool_diagnosis_write(&diagnosis, &(wspool_writer){text_append, &text}) != 0) {
        text_free(&text);
        return http_send(request, MHD_HTTP_OK, NULL);
    }
    return http_text(request, "text/markdown; charset=utf-8", text.bytes, text.len);
}

/* Healthy; degraded while an issue is high, and unhealthy while one is critical or it drains: then a
 * load balancer should send clients elsewhere. */
enum MHD_Result health_answer(struct app *app, struct request *request)
{
    static wspool_diagnosis diagnosis;
    const char *status = "healthy";
    unsigned code = MHD_HTTP_OK;
    json_t *reasons = json_array();
    uint32_t i;

    if (app->draining) {
        json_decref(reasons);
        return http_json(request, MHD_HTTP_SERVICE_UNAVAILABLE,
                         json_pack("{s:s, s:s}", "status", "unhealthy", "reason", "draining"));
    }
    if (diagnose(app, &diagnosis) != 0) {
        diagnosis.issue_count = 0;
    }
    for (i = 0; i < diagnosis.issue_count; i++) {
        if (diagnosis.issues[i].severity >= WSPOOL_SEVERITY_HIGH) {
            json_array_append_new(reasons, json_string(diagnosis.issues[i].word));
        }
    }
    if (diagnosis.issue_count > 0 && diagnosis.issues[0].severity == WSPOOL_SEVERITY_CRITICAL) {
        status = "unhealthy";
        code = MHD_HTTP_SERVICE_UNAVAILABLE;
    } else if (json_array_size(reasons) > 0) {
        status = "degraded";
    }
    return http_json(request, code,
                     json_pack("{s:s, s:I, s:o}", "status", status, "connections",
                               (json_int_t)wspool_sockets_count(app->sockets), "reasons", reasons));
}
