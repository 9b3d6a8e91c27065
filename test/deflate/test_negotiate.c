/* SPDX-License-Identifier: MIT */
/* deflate/test_negotiate.c - offers of permessage-deflate and their answers (RFC 7692, 7.1). */
#include "side.h"

#define PMD "permessage-deflate"
#define SNCT "server_no_context_takeover"
#define CNCT "client_no_context_takeover"
#define SMWB "server_max_window_bits"
#define CMWB "client_max_window_bits"
/* how most answers begin, and how they begin when the client offered server_no_context_takeover */
#define CLIENT PMD "; " CNCT
#define BOTH PMD "; " SNCT "; " CNCT

static void expect_yes(side *s, unsigned route_flags, const char *offer, const char *answer,
                       unsigned encoding)
{
    if (!side_offer(s, route_flags, offer))
        fail_msg("declined: %s", offer);
    assert_string_equal(s->negotiated.answer, answer);
    assert_int_equal(s->negotiated.encoding, encoding);
    assert_true(s->negotiated.decoder < WSPOOL_DECODERS);
    assert_int_equal(s->negotiated.size, sizeof s->negotiated);
}

static void expect_no(side *s, unsigned route_flags, const char *offer)
{
    if (side_offer(s, route_flags, offer))
        fail_msg("agreed to: %s\nby: %s", offer, s->negotiated.answer);
}

TEST(offer_is_answered_with_what_was_negotiated)
{
    side s;
    side_init(&s);
    side_start(&s);
    expect_yes(&s, 0, PMD, CLIENT, 7);
    expect_yes(&s, 0, PMD "; " SNCT, BOTH, 7);
    expect_yes(&s, 0, PMD "; " CNCT, CLIENT, 7);
    expect_yes(&s, 0, PMD "; " CNCT "; " SNCT, BOTH, 7);
    expect_yes(&s, 0, PMD "; " CMWB, CLIENT "; " CMWB "=12", 7);
    expect_yes(&s, 0, PMD "; " CMWB "=15; " SMWB "=15", CLIENT "; " SMWB "=15; " CMWB "=12", 7);
    expect_yes(&s, 0, PMD "; " CMWB "; " SMWB "=10; " SNCT "; " CNCT,
               BOTH "; " SMWB "=10; " CMWB "=12", 2);
    side_stop(&s);
}

TEST(offer_of_each_window_is_answered_with_the_lesser)
{
    for (int ours = 9; ours <= 15; ours++) {
        side s;
        side_init(&s);
        s.options.server_window = s.options.client_window = ours;
        side_start(&s);
        for (int theirs = 8; theirs <= 15; theirs++) {
            char offer[100], answer[200];
            int less = theirs < ours ? theirs : ours;
            snprintf(offer, sizeof offer, PMD "; " SMWB "=%d", theirs);
            snprintf(answer, sizeof answer, CLIENT "; " SMWB "=%d", less);
            if (theirs > 8)
                expect_yes(&s, 0, offer, answer, (unsigned)less - 8);
            else
                expect_no(&s, 0, offer);
            snprintf(offer, sizeof offer, PMD "; " CMWB "=%d", theirs);
            if (ours < 15)
                snprintf(answer, sizeof answer, CLIENT "; " SMWB "=%d; " CMWB "=%d", ours, less);
            else
                snprintf(answer, sizeof answer, CLIENT "; " CMWB "=%d", less);
            expect_yes(&s, 0, offer, answer, (unsigned)ours - 8);
        }
        side_stop(&s);
    }
}

TEST(names_are_known_in_any_case)
{
    side s;
    side_init(&s);
    side_start(&s);
    expect_yes(&s, 0, "PerMessage-DEFLATE; Server_No_Context_Takeover; CLIENT_MAX_WINDOW_BITS=9",
               BOTH "; " CMWB "=9", 7);
    expect_no(&s, 0, PMD "; " SNCT "; Server_No_Context_Takeover");
    side_stop(&s);
}

TEST(offer_that_is_not_wholly_understood_is_declined)
{
    static const char *const offers[] = {
        "permessage-deflat",
        "permessage-deflatee",
        "permessage_deflate",
        "x-webkit-deflate-frame",
        "permessage-bzip2",
        PMD "; x",
        PMD "; x=1",
        PMD "; " CNCT "; server_no_context",
        PMD "; " CNCT "x",
        PMD "; " SNCT "; " SNCT,
        PMD "; " CNCT "; " CNCT,
        PMD "; " SMWB "=10; " SMWB "=10",
        PMD "; " CMWB "; " CMWB,
        PMD "; " CMWB "=10; " CMWB,
        PMD "; " SNCT "=1",
        PMD "; " SNCT "=true",
        PMD "; " SNCT "=-", /* ="" */
        PMD "; " CNCT "=10",
        PMD "; " CNCT "=-",
        PMD "; " SMWB,
    };
    side s;
    side_init(&s);
    side_start(&s);
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        expect_no(&s, 0, offers[i]);
        expect_no(&s, WSPOOL_DEFLATE_TAKEOVER, offers[i]);
    }
    side_stop(&s);
}

TEST(window_that_is_no_plain_number_of_8_to_15_is_declined)
{
    static const char *const values[] = {"-",    "0",   "1",    "7",   "16",  "20",  "010", "08",
                                         "09",   "+10", "-10",  "10.", "1e1", "0xa", "a",   "1a",
                                         "10.0", "150", "1234", "1:",  "8x",  "1/",  "99",  "100"};
    side s;
    side_init(&s);
    side_start(&s);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char offer[100];
        snprintf(offer, sizeof offer, PMD "; " SMWB "=%s", values[i]);
        expect_no(&s, 0, offer);
        snprintf(offer, sizeof offer, PMD "; " CMWB "=%s", values[i]);
        expect_no(&s, 0, offer);
    }
    /* every value of one and two bytes, except NUL and the separators of side_offer */
    size_t negotiated = 0;
    for (int a = 1; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char offer[100];
            if (strchr("; ", a) != NULL || strchr("; ", b ? b : 'x') != NULL ||
                (a == '-' && b == 0))
                continue;
            snprintf(offer, sizeof offer, PMD "; " CMWB "=%c%c", a, b);
            negotiated += (size_t)side_offer(&s, 0, offer);
        }
    }
    assert_int_equal(negotiated, 8);
    side_stop(&s);
}

TEST(route_may_switch_it_off)
{
    side s;
    side_init(&s);
    side_start(&s);
    expect_no(&s, WSPOOL_DEFLATE_OFF, PMD);
    expect_no(&s, WSPOOL_DEFLATE_OFF | WSPOOL_DEFLATE_TAKEOVER, PMD);
    side_stop(&s);
}

TEST(route_may_let_clients_keep_their_context)
{
    side s;
    unsigned without, with;
    side_init(&s);
    side_start(&s);
    expect_yes(&s, 0, PMD, CLIENT, 7);
    without = s.negotiated.decoder;
    /* nothing is answered then that was not offered */
    expect_yes(&s, WSPOOL_DEFLATE_TAKEOVER, PMD, PMD, 7);
    with = s.negotiated.decoder;
    assert_int_not_equal(with, without);
    expect_yes(&s, WSPOOL_DEFLATE_TAKEOVER, PMD "; " SNCT, PMD "; " SNCT, 7);
    assert_int_equal(s.negotiated.decoder, with);
    /* a client that offers no takeover gets none */
    expect_yes(&s, WSPOOL_DEFLATE_TAKEOVER, PMD "; " CNCT, CLIENT, 7);
    assert_int_equal(s.negotiated.decoder, without);
    side_stop(&s);
}

TEST(negotiated_of_an_older_pool_is_not_overrun)
{
    side s;
    wspool_extension offer = {.name = {PMD, strlen(PMD)}};
    wspool_negotiated negotiated = {.size = sizeof negotiated - 1};
    side_init(&s);
    side_start(&s);
    assert_int_equal(s.hook.negotiate(&offer, 0, &negotiated, s.hook.user), 0);
    negotiated.size = sizeof negotiated;
    assert_int_equal(s.hook.negotiate(&offer, 0, &negotiated, s.hook.user), 1);
    side_stop(&s);
}
