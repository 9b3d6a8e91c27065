/* SPDX-License-Identifier: MIT */
/*
 * unit/test_side.c - pool/side.h: the side record with identity, address and key of a peer, and its
 * party with the client instance.
 *
 * The cases check when a record is made and how large it is, that texts are copied, the limit of
 * each part, a failed allocation, and the module's check function.
 */
#include "support.h"
#include <wspool/error.h>
#include "pool/side.h"

#define TEXT(string) ((wspool_text){string, sizeof(string) - 1})
static const wspool_text none = {"", 0};

static void assert_text(wspool_text text, const char *bytes, size_t len)
{
    assert_int_equal(text.len, len);
    assert_memory_equal(text.data, bytes, len);
}

TEST(side_when_nothing_is_to_be_kept_is_not_made)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_side *side = NULL;
    assert_int_equal(wsp_side_make(&side, &hooks, none, none), 0);
    assert_int_equal(wsp_side_identify(&side, &hooks, NULL), 0);
    assert_null(side);
    assert_int_equal(mem.calls, 0);
    assert_int_equal(wsp_side_check(NULL), 1);
    assert_null(wsp_side_identity(NULL));
    assert_int_equal(wsp_side_address(NULL).len, 0);
    assert_int_equal(wsp_side_key(NULL).len, 0);
    assert_null(wsp_side_free(&side, &hooks));
}

TEST(side_when_only_an_identity_is_kept_costs_three_pointers)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_side *side = NULL;
    assert_int_equal(wsp_side_identify(&side, &hooks, &mem), 0);
    assert_int_equal(mem.bytes, 3 * sizeof(void *));
    assert_int_equal(wsp_side_check(side), 1);
    assert_ptr_equal(wsp_side_identity(side), &mem);
    assert_int_equal(wsp_side_address(side).len, 0);
    assert_int_equal(wsp_side_key(side).len, 0);
    assert_ptr_equal(wsp_side_free(&side, &hooks), &mem);
    assert_null(side);
    assert_int_equal(mem.live, 0);
}

TEST(side_keeps_copies_of_address_and_key)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    char long_one[WSP_ADDRESS_MAX + 1];
    memset(long_one, 'a', sizeof long_one);
    for (size_t address = 0; address <= WSP_ADDRESS_MAX; address += address < 8 ? 1 : 33) {
        for (size_t key = address ? 0 : 1; key <= WSP_PEER_KEY_MAX; key += 9) {
            struct wsp_side *side = NULL;
            char where[WSP_ADDRESS_MAX], who[WSP_PEER_KEY_MAX];
            memset(where, 'w', sizeof where);
            memset(who, '\0', sizeof who);
            assert_int_equal(wsp_side_make(&side, &hooks, (wspool_text){where, address},
                                           (wspool_text){who, key}),
                             0);
            memset(where, 'x', sizeof where);
            memset(who, 'x', sizeof who);
            memset(long_one, 'w', address);
            assert_text(wsp_side_address(side), long_one, address);
            memset(long_one, '\0', key);
            assert_text(wsp_side_key(side), long_one, key);
            assert_int_equal(wsp_side_check(side), 1);
            assert_null(wsp_side_identity(side));
            assert_int_equal(wsp_side_identify(&side, &hooks, &mem), 0);
            assert_int_equal(mem.live, 1);
            memset(long_one, 'w', address);
            assert_text(wsp_side_address(side), long_one, address);
            assert_ptr_equal(wsp_side_free(&side, &hooks), &mem);
            assert_int_equal(mem.live, 0);
        }
    }
}

TEST(side_gets_a_party_in_any_order)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_subject *subject = (void *)&mem; /* is not looked at */
    char client[] = "instance";
    for (int order = 0; order < 3; order++) {
        struct wsp_side *side = NULL;
        wspool_text instance = {client, sizeof client - 1};
        assert_int_equal(wsp_side_client(NULL).len, 0);
        assert_null(wsp_side_subject(NULL));
        if (order == 0) {
            assert_int_equal(wsp_side_name(&side, &hooks, instance, subject), 0);
        } else {
            assert_int_equal(wsp_side_name(&side, &hooks, order == 1 ? instance : none,
                                           order == 1 ? NULL : subject),
                             0);
            assert_int_equal(wsp_side_check(side), 1);
            assert_int_equal(wsp_side_client(side).len, order == 1 ? instance.len : 0);
            assert_int_equal(wsp_side_name(&side, &hooks, order == 1 ? none : instance,
                                           order == 1 ? subject : NULL),
                             0);
        }
        memset(client, '?', sizeof client - 1);
        assert_text(wsp_side_client(side), "instance", 8);
        memcpy(client, "instance", sizeof client);
        assert_ptr_equal(wsp_side_subject(side), subject);
        assert_int_equal(wsp_side_check(side), 1);
        assert_int_equal(mem.live, 2);
        side->party->client_len = WSPOOL_CLIENT_MAX + 1;
        assert_int_equal(wsp_side_check(side), 0);
        side->party->client_len = 0;
        side->party->subject = NULL;
        assert_int_equal(wsp_side_check(side), 0);
        assert_null(wsp_side_free(&side, &hooks));
        assert_int_equal(mem.live, 0);
    }
}

TEST(side_when_there_is_no_memory_for_a_party_is_unchanged)
{
    for (size_t fail = 1; fail <= 2; fail++) {
        struct test_mem mem = {.fail_at = fail, .fail_on = 1};
        wspool_mem hooks = test_mem_hooks(&mem);
        struct wsp_side *side = NULL;
        assert_int_equal(wsp_side_name(&side, &hooks, TEXT("c"), NULL), WSPOOL_ERR_NOMEM);
        assert_null(side);
        assert_int_equal(mem.live, 0);
    }
}

TEST(side_is_refused_when_a_part_is_too_long)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_side *side = NULL;
    char bytes[WSP_ADDRESS_MAX + 1] = {0};
    assert_int_equal(
        wsp_side_make(&side, &hooks, (wspool_text){bytes, WSP_ADDRESS_MAX + 1}, TEXT("k")),
        WSPOOL_ERR_INVAL);
    assert_int_equal(
        wsp_side_make(&side, &hooks, TEXT("a"), (wspool_text){bytes, WSP_PEER_KEY_MAX + 1}),
        WSPOOL_ERR_INVAL);
    assert_null(side);
    assert_int_equal(mem.calls, 0);
}

TEST(side_when_there_is_no_memory_is_none)
{
    struct test_mem mem = {.fail_at = 1, .fail_on = 1};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_side *side = NULL;
    assert_int_equal(wsp_side_make(&side, &hooks, TEXT("a"), none), WSPOOL_ERR_NOMEM);
    assert_int_equal(wsp_side_identify(&side, &hooks, &mem), WSPOOL_ERR_NOMEM);
    assert_null(side);
}

TEST(side_is_wrong_when_it_holds_nothing_or_too_much)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_side *side = NULL;
    assert_int_equal(wsp_side_make(&side, &hooks, TEXT("a"), none), 0);
    side->address_len = 0;
    assert_int_equal(wsp_side_check(side), 0);
    side->address_len = WSP_ADDRESS_MAX + 1;
    assert_int_equal(wsp_side_check(side), 0);
    side->address_len = 1;
    side->key_len = WSP_PEER_KEY_MAX + 1;
    assert_int_equal(wsp_side_check(side), 0);
    side->key_len = 0;
    assert_int_equal(wsp_side_check(side), 1);
    wsp_side_free(&side, &hooks);
}
