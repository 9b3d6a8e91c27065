/* SPDX-License-Identifier: MIT */
/*
 * unit/test_names.c - the texts of errors, ends, refusals and stages.
 *
 * The functions must return the text of the list for each value inside it, and a fixed text for
 * values outside. Words must need no escaping in JSON and logs.
 */
#include "support.h"
#include <limits.h>
#include <wspool/close.h>
#include <wspool/error.h>
#include <wspool/handshake.h>
#include <wspool/version.h>

static const int outside[] = {-1, -2, 1000, 100000, INT_MAX, INT_MIN, INT_MIN + 1};
#define OUTSIDE (sizeof(outside) / sizeof(outside[0]))

TEST(strerror_has_the_text_of_the_list_when_it_is_an_error)
{
#define WSPOOL_X(name, number, text) assert_string_equal(wspool_strerror(number), text);
    WSPOOL_ERRORS(WSPOOL_X)
#undef WSPOOL_X
    assert_non_null(strstr(wspool_strerror(WSPOOL_ERR_STALE), "stale"));
}

TEST(strerror_has_a_text_when_it_is_no_error_of_ours)
{
    assert_string_equal(wspool_strerror(WSPOOL_OK), "no error");
    assert_string_equal(wspool_strerror(17), "no error"); /* a count */
    assert_string_equal(wspool_strerror(INT_MAX), "no error");
    assert_non_null(strstr(wspool_strerror(-1), "errno"));
    assert_string_equal(wspool_strerror(-2), "unknown error");
    assert_string_equal(wspool_strerror(-100), "unknown error");
    assert_string_equal(wspool_strerror(INT_MIN), "unknown error");
}

TEST(errors_are_negative_when_listed)
{
#define WSPOOL_X(name, number, text) assert_true(WSPOOL_ERR_##name < 0);
    WSPOOL_ERRORS(WSPOOL_X)
#undef WSPOOL_X
}

TEST(end_text_has_the_text_of_the_list_when_in_range)
{
#define WSPOOL_X(name, code, text) assert_string_equal(wspool_end_text(WSPOOL_END_##name), text);
    WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
    assert_string_equal(wspool_end_text(WSPOOL_END_SLOW), "slow consumer");
    assert_string_equal(wspool_end_text(WSPOOL_END_POOL_FREED), "the pool was freed");
}

TEST(refusal_has_the_reason_and_status_of_the_list_when_in_range)
{
#define WSPOOL_X(name, number, text) \
    assert_string_equal(wspool_refusal_reason(WSPOOL_REFUSED_##name), text); \
    assert_int_equal(wspool_refusal_status(WSPOOL_REFUSED_##name), number);
    WSPOOL_REFUSALS(WSPOOL_X)
#undef WSPOOL_X
    assert_string_equal(wspool_refusal_reason(WSPOOL_REFUSED_TOKEN_EXPIRED), "expired");
    assert_int_equal(wspool_refusal_status(WSPOOL_REFUSED_TOKEN_EXPIRED), 401);
}

/* Words are written to JSON and logs without escaping. */
static void assert_word(const char *word)
{
    assert_true(*word != '\0');
    for (; *word; word++) {
        assert_true((*word >= 'a' && *word <= 'z') || *word == '_');
    }
}

TEST(words_need_no_quoting_when_written_into_json)
{
    for (int i = 0; i < (int)WSPOOL_REFUSAL_COUNT; i++) {
        assert_word(wspool_refusal_reason((enum wspool_refusal)i));
    }
    for (int i = 0; i < (int)WSPOOL_STAGE_COUNT; i++) {
        assert_word(wspool_stage_name((enum wspool_stage)i));
    }
}

TEST(stage_has_the_name_of_the_list_when_in_range)
{
#define WSPOOL_X(name, word) assert_string_equal(wspool_stage_name(WSPOOL_STAGE_##name), word);
    WSPOOL_STAGES(WSPOOL_X)
#undef WSPOOL_X
    assert_string_equal(wspool_stage_name(WSPOOL_STAGE_FLUSHED), "flushed");
}

TEST(texts_are_there_when_numbers_are_out_of_range)
{
    for (size_t i = 0; i < OUTSIDE; i++) {
        assert_string_equal(wspool_end_text((enum wspool_end)outside[i]), "unknown end");
        assert_string_equal(wspool_refusal_reason((enum wspool_refusal)outside[i]), "unknown");
        assert_int_equal(wspool_refusal_status((enum wspool_refusal)outside[i]), 0);
        assert_string_equal(wspool_stage_name((enum wspool_stage)outside[i]), "unknown");
    }
    assert_string_equal(wspool_end_text(WSPOOL_END_COUNT), "unknown end");
    assert_string_equal(wspool_refusal_reason(WSPOOL_REFUSAL_COUNT), "unknown");
    assert_int_equal(wspool_refusal_status(WSPOOL_REFUSAL_COUNT), 0);
    assert_string_equal(wspool_stage_name(WSPOOL_STAGE_COUNT), "unknown");
}

TEST(version_is_that_of_the_header_it_was_built_with)
{
    assert_string_equal(wspool_version(), WSPOOL_VERSION);
}
