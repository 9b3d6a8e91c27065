/* SPDX-License-Identifier: MIT */
/* json/test_check.c - wsp_json_check finds each broken invariant of actions.h and handler.h. */
#include "talk.h"

#include "json/json.h"

static const char *do_it(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                         void *user)
{
    (void)json, (void)pool, (void)id, (void)data, (void)user;
    return NULL;
}

#define BROKEN(place, value) \
    do { \
        __typeof__(place) kept_ = (place); \
        assert_int_equal(wsp_json_check(t->json), 1); \
        (place) = (value); \
        assert_int_equal(wsp_json_check(t->json), 0); \
        (place) = kept_; \
        assert_int_equal(wsp_json_check(t->json), 1); \
    } while (0)

TEST(companion_is_wrong_when_an_instance_or_a_handler_is)
{
    talk *t = talk_default();
    static const char *const names[] = {"ab", "cd"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(SIM_IN(wspool_json_on(t->json, names[i], do_it, NULL)), 0);
        assert_int_equal(SIM_IN(wspool_json_on_action(t->json, names[i], do_it, NULL)), 0);
    }
    for (int i = 0; i < 2; i++) {
        sim_peer *p = talk_join(t, "/all");
        talk_act(p, 1, "ab");
        talk_expect_ack(p, 1, "done");
    }
    struct wsp_json_actions *actions = &t->json->done;
    BROKEN(actions->newest->doubt, 2);    /* above the highest */
    BROKEN(actions->newest->older, NULL); /* not in the list backwards */
    BROKEN(actions->newest, actions->oldest);
    BROKEN(actions->newest->name.len, 1); /* not found in the tree */
    BROKEN(actions->count, 1);
    BROKEN(actions->limit, 1);
    BROKEN(t->json->types->call, NULL);
    BROKEN(t->json->actions->call, NULL);
    BROKEN(t->json->types->next->call, NULL);
    memcpy(t->json->types->name, t->json->types->next->name, 2);
    assert_int_equal(wsp_json_check(t->json), 0);
    t->json->types->name[0] = '-';
    assert_int_equal(wsp_json_check(t->json), 1);
    memcpy(t->json->actions->name, t->json->actions->next->name, 2);
    assert_int_equal(wsp_json_check(t->json), 0);
    t->json->actions->name[0] = '-';
    talk_free(t);
}
