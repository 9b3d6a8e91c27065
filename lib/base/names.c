/* SPDX-License-Identifier: MIT */
/*
 * base/names.c - texts of the error numbers, reasons and stages, from the lists in the public
 * headers, and the version.  Layer 0.
 *
 * Hosts log what they get, so a number outside its list has a text too.
 */
#include <stddef.h>
#include <wspool/close.h>
#include <wspool/config.h>
#include <wspool/error.h>
#include <wspool/handshake.h>
#include <wspool/version.h>

const char *wspool_strerror(int error)
{
    switch (error) {
#define WSPOOL_X(name, number, text) \
    case number: \
        return text;
        WSPOOL_ERRORS(WSPOOL_X)
#undef WSPOOL_X
    default:
        return error >= 0    ? "no error"
               : error == -1 ? "the call has set errno: see perror"
                             : "unknown error";
    }
}

static const char *const end_texts[] = {
#define WSPOOL_X(name, code, text) text,
    WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
};

/* The compiler chooses the signedness of an enum. A negative value, taken as an index, is too
 * large. */
const char *wspool_end_text(enum wspool_end end)
{
    return (size_t)end < WSPOOL_END_COUNT ? end_texts[end] : "unknown end";
}

static const struct {
    int status;
    const char *word;
} refusals[] = {
#define WSPOOL_X(name, status, word) {status, word},
    WSPOOL_REFUSALS(WSPOOL_X)
#undef WSPOOL_X
};

const char *wspool_refusal_reason(enum wspool_refusal refusal)
{
    return (size_t)refusal < WSPOOL_REFUSAL_COUNT ? refusals[refusal].word : "unknown";
}

int wspool_refusal_status(enum wspool_refusal refusal)
{
    return (size_t)refusal < WSPOOL_REFUSAL_COUNT ? refusals[refusal].status : 0;
}

static const char *const stage_names[] = {
#define WSPOOL_X(name, word) word,
    WSPOOL_STAGES(WSPOOL_X)
#undef WSPOOL_X
};

const char *wspool_token_place_name(enum wspool_token_place place)
{
    static const char *const names[] = {"nowhere", "authorization", "subprotocol", "cookie",
                                        "query"};
    return (unsigned)place < sizeof names / sizeof *names ? names[place] : "unknown place";
}

const char *wspool_stage_name(enum wspool_stage stage)
{
    return (size_t)stage < WSPOOL_STAGE_COUNT ? stage_names[stage] : "unknown";
}

const char *wspool_version(void)
{
    return WSPOOL_VERSION;
}
