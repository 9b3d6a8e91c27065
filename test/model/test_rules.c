/* SPDX-License-Identifier: MIT */
/*
 * model/test_rules.c - for each rule of model/README.md logs that keep it, and logs that break it
 * alone. The second kind names the rule and the line at which the model must say so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/test.h"
#include "model.h"

/* Feeds a log. Returns the violation, or "". */
static const char *judge(const char *log)
{
    static char why[700];
    model *m = model_new();
    const char *found = NULL;
    size_t number = 0;
    char line[300];
    for (const char *at = log; found == NULL && *at != '\0';) {
        size_t len = strcspn(at, "\n");
        assert_true(len < sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)len, at);
        found = model_line(m, ++number, line);
        at += len + (at[len] == '\n');
    }
    snprintf(why, sizeof why, "%s", found == NULL ? "" : found);
    model_free(m);
    return why;
}

static void holds(const char *log)
{
    const char *why = judge(log);
    if (*why != '\0')
        fail_msg("a log that keeps all rules was refused: %s", why);
}

/* The last line of the log must break this rule. */
static void breaks(const char *rule, const char *log)
{
    char want[40];
    const char *why = judge(log);
    size_t number = 1;
    for (const char *at = log; *at != '\0'; at++)
        number += *at == '\n';
    snprintf(want, sizeof want, "line %zu: %s", number, rule);
    if (strncmp(why, want, strlen(want)) != 0 || strchr(" :", why[strlen(want)]) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", want, why);
}

#define BOARD "channel board 2 3 behind\nhead board e 0\n"
#define ALICE BOARD "join alice:1 board e 0\n"
#define THREE "publish board e 1 one\npublish board e 2 two\npublish board e 3 three\n"
#define FIVE THREE "publish board e 4 four\npublish board e 5 five\n"

TEST(positions_when_dense_in_epochs_that_follow_each_other_hold)
{
    holds(BOARD THREE "restart\nhead board f 0\npublish board f 1 x\npublish board f 2 y\nquiet");
    holds("publish a e 1 x\npublish b e 1 x\npublish a e 2 y");
    holds("channel a 0 0\nhead a e 0\npublish a e 1 x\nunheard a\nhead a f 0\npublish a f 1 x");
}

TEST(positions_when_a_hole_a_repeat_or_an_old_epoch_break_d1)
{
    breaks("D1", BOARD "publish board e 2 two");
    breaks("D1", BOARD THREE "publish board e 3 again");
    breaks("D1", BOARD THREE "publish board e 0 zero");
    breaks("D1", BOARD THREE "restart\npublish board e 4 four");
    breaks("D1", BOARD THREE "restart\nhead board e 3");
    breaks("D1", BOARD "head board f 0\npublish board e 1 one");
    breaks("D1", "channel a 0 0\nhead a e 0\nunheard a\nhead a e 0");
    breaks("D1", BOARD "unheard board");
    breaks("D1", BOARD THREE "head board f 0");
    breaks("D1", "loose\npublish a e 1 x\npublish a e 3 z\nquiet");
    breaks("D1", "loose\npublish a e 1 x\npublish a e 1 z");
}

TEST(head_when_it_is_the_last_position_holds)
{
    holds(BOARD THREE "head board e 3\npublish board e 4 x\nhead board e 4");
    holds("loose\npublish a e 1 x\npublish a e 2 y\nhead a e 1");
}

TEST(head_when_behind_or_ahead_breaks_d2)
{
    breaks("D2", BOARD THREE "head board e 2");
    breaks("D2", BOARD THREE "head board e 4");
    breaks("D2", BOARD THREE "join alice:1 board e 4");
    breaks("D2", BOARD THREE "resume alice:1 board e 3 e 4 recovered");
    breaks("D2", "loose\npublish a e 1 x\nhead a e 2");
}

TEST(order_when_offsets_rise_holds)
{
    holds(ALICE THREE "got alice:1 board e 1 one\ngot alice:1 board e 2 two\n"
                      "got alice:1 board e 3 three\nquiet");
    holds("loose\npublish a e 2 two\npublish a e 1 one\njoin b:1 a e 0\ngot b:1 a e 1 one\n"
          "got b:1 a e 2 two\nquiet");
}

TEST(order_when_repeated_swapped_or_of_another_epoch_breaks_d3)
{
    breaks("D3", ALICE THREE "got alice:1 board e 1 one\ngot alice:1 board e 1 one");
    breaks("D3", ALICE THREE "got alice:1 board e 1 one\ngot alice:1 board e 2 two\n"
                             "got alice:1 board e 1 one");
    breaks("D3", ALICE "head board f 0\npublish board f 1 x\ngot alice:1 board f 1 x");
    breaks("D3", ALICE FIVE "missed alice:1 board f 1 3");
}

TEST(silence_when_each_offset_was_delivered_or_told_missing_holds)
{
    holds(ALICE FIVE "missed alice:1 board e 1 2\nmissed alice:1 board e 3 3\n"
                     "got alice:1 board e 4 four\ngot alice:1 board e 5 five\nquiet");
}

TEST(silence_when_a_hole_is_passed_over_breaks_d4)
{
    breaks("D4", ALICE THREE "got alice:1 board e 2 two");
    breaks("D4", ALICE FIVE "got alice:1 board e 1 one\nmissed alice:1 board e 3 3");
    breaks("D4", ALICE FIVE "missed alice:1 board e 1 2\ngot alice:1 board e 4 four");
}

TEST(skipped_when_it_never_comes_holds)
{
    holds(ALICE "publish board e 1 x except=alice:1\npublish board e 2 y\n"
                "got alice:1 board e 2 y\npublish board e 3 x except=alice:1\nquiet");
    holds(ALICE "cut alice:1\npublish board e 1 x except=alice\npublish board e 2 y\n"
                "resume alice:2 board e 0 e 2 recovered\ngot alice:2 board e 2 y\nquiet");
    /* Another connection of a client, and a client whose name begins alike. */
    holds(ALICE "publish board e 1 x except=alice:1\ncut alice:1\n"
                "resume alice:2 board e 0 e 1 recovered\ngot alice:2 board e 1 x\nquiet");
    holds(ALICE "publish board e 1 x except=ali\ngot alice:1 board e 1 x\nquiet");
    holds(ALICE "publish board e 1 x except=alice:11\ngot alice:1 board e 1 x\nquiet");
}

TEST(skipped_when_it_comes_breaks_d5)
{
    breaks("D5", ALICE "publish board e 1 x except=alice:1\ngot alice:1 board e 1 x");
    breaks("D5", ALICE "cut alice:1\npublish board e 1 x except=alice\n"
                       "resume alice:2 board e 0 e 1 recovered\ngot alice:2 board e 1 x");
    breaks("D12", ALICE "publish board e 1 x except=ali\nquiet");
}

TEST(content_when_another_or_never_published_breaks_d6)
{
    breaks("D6", ALICE THREE "got alice:1 board e 1 two");
    breaks("D6", ALICE "got alice:1 board e 1 one");
    breaks("D6", "loose\nhead a e 0\njoin b:1 a e 0\ngot b:1 a e 1 x");
}

TEST(join_when_it_begins_behind_its_head_holds)
{
    holds(BOARD THREE "head board e 3\njoin alice:1 board e 3\npublish board e 4 x\n"
                      "got alice:1 board e 4 x\nquiet");
    /* Published between the answer and its arrival. */
    holds(BOARD THREE "join alice:1 board e 2\ngot alice:1 board e 3 three\nquiet");
    holds(ALICE "leave alice:1 board\nhead board e 0\njoin alice:1 board e 0\nquiet");
    holds(ALICE "publish board e 1 x except=alice:1\npublish board e 2 y\n"
                "stays alice:1 board e 1\ngot alice:1 board e 2 y\nstays alice:1 board e 2\nquiet");
}

TEST(join_when_it_gets_what_was_before_or_is_no_news_breaks_it)
{
    breaks("D7", ALICE THREE "got alice:1 board e 1 one\nstays alice:1 board e 2");
    breaks("D7", ALICE THREE "got alice:1 board e 1 one\nstays alice:1 board e 0");
    breaks("D7", ALICE THREE "stays alice:1 board e 4");
    breaks("D11", BOARD THREE "stays alice:1 board e 3");
    breaks("D3", BOARD THREE "join alice:1 board e 3\ngot alice:1 board e 3 three");
    breaks("D7", ALICE "join alice:1 board e 0");
    breaks("D7", ALICE "resume alice:1 board e 0 e 0 recovered");
}

TEST(recovered_when_the_history_had_it_holds)
{
    holds(BOARD FIVE "resume alice:1 board e 3 e 5 recovered\ngot alice:1 board e 4 four\n"
                     "got alice:1 board e 5 five\nquiet");
    holds(BOARD FIVE "resume alice:1 board e 5 e 5 recovered\nquiet");
    /* Overtaken while it is behind. */
    holds(BOARD THREE "resume alice:1 board e 1 e 3 recovered\npublish board e 4 four\n"
                      "publish board e 5 five\nmissed alice:1 board e 2 3 head=5\n"
                      "got alice:1 board e 4 four\ngot alice:1 board e 5 five\nquiet");
}

TEST(recovered_when_the_history_cannot_have_it_breaks_d8)
{
    breaks("D8", BOARD FIVE "resume alice:1 board e 1 e 5 recovered");
    breaks("D8", BOARD FIVE "resume alice:1 board f 5 e 5 recovered");
    breaks("D8", BOARD FIVE "resume alice:1 board e 6 e 5 recovered");
    breaks("D4", BOARD FIVE "resume alice:1 board e 3 e 5 recovered\ngot alice:1 board e 5 five");
    breaks("D12", BOARD FIVE "resume alice:1 board e 3 e 5 recovered\nquiet");
    breaks("D8", "publish a e 1 x\nresume b:1 a e 0 e 1 recovered");
}

TEST(reason_when_it_is_true_holds)
{
    holds(BOARD FIVE "resume a:1 board f 5 e 5 epoch_changed\nresume b:1 board e 2 e 5 too_old\n"
                     "resume c:1 board e 6 e 5 unknown_offset\nresume d:1 board e 1 e 5 too_old\n"
                     "quiet\npublish board e 6 six\ngot a:1 board e 6 six\ngot b:1 board e 6 six\n"
                     "got c:1 board e 6 six\ngot d:1 board e 6 six\nquiet");
}

TEST(reason_when_it_is_not_true_breaks_d9)
{
    breaks("D9", BOARD FIVE "resume alice:1 board e 5 e 5 epoch_changed");
    breaks("D9", BOARD FIVE "resume alice:1 board e 3 e 5 too_old");
    breaks("D9", BOARD FIVE "resume alice:1 board f 1 e 5 too_old");
    breaks("D9", BOARD FIVE "resume alice:1 board e 6 e 5 too_old");
    breaks("D9", BOARD FIVE "resume alice:1 board e 5 e 5 unknown_offset");
    breaks("D9", BOARD FIVE "resume alice:1 board f 6 e 5 unknown_offset");
    breaks("D3", BOARD FIVE "resume alice:1 board e 2 e 5 too_old\ngot alice:1 board e 4 four");
}

TEST(missed_when_it_is_at_its_place_holds)
{
    holds(ALICE FIVE "got alice:1 board e 1 one\nmissed alice:1 board e 2 3 head=5\n"
                     "got alice:1 board e 4 four\ngot alice:1 board e 5 five\nquiet");
    holds(ALICE "publish board e 1 x except=alice:1\npublish board e 2 y\n"
                "publish board e 3 x\npublish board e 4 x\nmissed alice:1 board e 2 2\n"
                "got alice:1 board e 3 x\ngot alice:1 board e 4 x\nquiet");
}

TEST(missed_when_early_late_or_false_breaks_a_rule)
{
    /* What lies before it has not come; what is in it comes; what lies behind it came first. */
    breaks("D4", ALICE FIVE "missed alice:1 board e 2 3");
    breaks("D3", ALICE FIVE "missed alice:1 board e 1 3\ngot alice:1 board e 3 three");
    breaks("D4", ALICE FIVE "got alice:1 board e 4 four");
    breaks("D10", ALICE FIVE "got alice:1 board e 1 one\nmissed alice:1 board e 1 2");
    breaks("D10", ALICE FIVE "missed alice:1 board e 3 2");
    breaks("D10", ALICE FIVE "missed alice:1 board e 1 6");
    breaks("D10", ALICE FIVE "missed alice:1 board e 1 4"); /* the history has 4 and 5 */
    breaks("D10", ALICE FIVE "missed alice:1 board e 1 3 head=4");
    breaks("D10", ALICE FIVE "missed alice:1 board e 1 3 head=6");
}

TEST(end_when_the_rest_comes_before_it_holds)
{
    holds(ALICE THREE "got alice:1 board e 1 one\nleave alice:1 board\n"
                      "join alice:1 board e 3\nquiet\ncut alice:1 reset\nquiet");
}

TEST(end_when_something_follows_breaks_d11)
{
    breaks("D11", ALICE THREE "leave alice:1 board\ngot alice:1 board e 1 one");
    breaks("D11", ALICE THREE "cut alice:1\ngot alice:1 board e 1 one");
    breaks("D11", ALICE "cut alice:1\njoin alice:1 board e 0");
    breaks("D11", ALICE "leave alice:1 board\nleave alice:1 board");
    breaks("D11", ALICE "cut alice:1\ncut alice:1");
    breaks("D11", BOARD THREE "missed alice:1 board e 1 1");
}

TEST(quiet_when_a_member_is_not_at_the_head_breaks_d12)
{
    breaks("D12", ALICE THREE "got alice:1 board e 1 one\ngot alice:1 board e 2 two\nquiet");
    breaks("D12", ALICE "head board f 0\nquiet");
    breaks("D12", ALICE "restart\nquiet");
    breaks("D12", "channel a 0 0\nhead a e 0\njoin b:1 a e 0\nunheard a\nquiet");
}

TEST(slow_when_the_policy_is_to_close_holds)
{
    holds(
        "channel a 0 0 close\nhead a e 0\njoin b:1 a e 0\npublish a e 1 x\ncut b:1 slow a\nquiet");
}

TEST(slow_when_the_policy_is_to_fall_behind_breaks_d13)
{
    breaks("D13", ALICE "publish board e 1 x\ncut alice:1 slow board");
}

#define NUMBERS "left_behind=1 slow_closes=1 sent=3 dropped_closed=1 waiting=1 missed=1"

TEST(numbers_when_they_agree_hold)
{
    holds(ALICE "publish board e 1 x members=3 queued=1 behind=1 closed=1\n"
                "books published=1 deliveries=6 queued=5 " NUMBERS "\nrestart\n"
                "books published=0 deliveries=0 queued=0 left_behind=0 slow_closes=0 sent=0 "
                "dropped_closed=0 waiting=0 missed=0");
}

TEST(numbers_when_they_do_not_agree_break_d14)
{
    static const char one[] = ALICE "publish board e 1 x members=3 queued=1 behind=1 closed=1\n";
    static const char *const wrong[] = {
        "books published=2 deliveries=6 queued=5 " NUMBERS,
        "books published=1 deliveries=7 queued=5 " NUMBERS,
        "books published=1 deliveries=5 queued=4 " NUMBERS,
        "publish board e 2 x members=1 queued=0 behind=1 closed=0\n"
        "books published=2 deliveries=6 queued=5 " NUMBERS,
        "publish board e 2 x members=1 queued=0 behind=0 closed=1\n"
        "books published=2 deliveries=6 queued=5 " NUMBERS,
        "publish board e 2 x\npublish board e 3 x\npublish board e 4 x\n"
        "missed alice:1 board e 1 2\nbooks published=4 deliveries=6 queued=5 " NUMBERS,
        "got alice:1 board e 1 x\nbooks published=1 deliveries=1 queued=0 left_behind=1 "
        "slow_closes=1 sent=0 dropped_closed=0 waiting=0 missed=1",
    };
    breaks("D14", ALICE "publish board e 1 x members=2 queued=1 behind=0 closed=0");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char log[1000];
        snprintf(log, sizeof log, "%s%s", one, wrong[i]);
        breaks("D14", log);
    }
}

#define ONCE \
    "channel board 2 3 behind ids=2\npublish board e 1 x id=p1\npublish board e 2 y id=p2\n"

TEST(once_when_a_repeated_id_has_the_first_position_holds)
{
    holds(ONCE "again board e 1 p1\nagain board e 2 p2\npublish board e 3 z id=p3\n"
               "publish board e 4 x id=p1\nagain board e 4 p1");
    holds("publish board e 1 x id=p1\npublish board e 2 x id=p1");
}

TEST(once_when_published_twice_or_elsewhere_breaks_d15)
{
    breaks("D15", ONCE "publish board e 3 x id=p1");
    breaks("D15", ONCE "again board e 2 p1");
    breaks("D15", ONCE "again board e 1 p3");
    breaks("D15", ONCE "restart\nagain board e 1 p1");
    breaks("D15", ONCE "restart\nseed board e 2 y\nagain board e 2 p2");
}

TEST(seed_when_it_goes_on_with_the_epoch_holds)
{
    holds(BOARD FIVE "restart\nseed board e 4 four\nseed board e 5 five\nhead board e 5\n"
                     "resume alice:1 board e 3 e 5 recovered\ngot alice:1 board e 4 four\n"
                     "got alice:1 board e 5 five\npublish board e 6 six\n"
                     "got alice:1 board e 6 six\nquiet");
    holds(BOARD "seed board s 7\nhead board s 7\nresume alice:1 board s 6 s 7 too_old\n"
                "publish board s 8 x\ngot alice:1 board s 8 x\nquiet");
}

TEST(seed_when_it_takes_positions_again_or_changes_a_message_breaks_a_rule)
{
    breaks("D1", BOARD FIVE "restart\nseed board e 4 four\npublish board e 5 six");
    breaks("D2", BOARD FIVE "restart\nseed board e 4 four\nhead board e 4");
    breaks("D6", BOARD FIVE "restart\nseed board e 5 six");
    breaks("D8", BOARD FIVE "restart\nseed board e 5 five\npublish board e 6 six\n"
                            "resume alice:1 board e 3 e 6 recovered");
    breaks("D9", BOARD FIVE "restart\nseed board e 5 five\nresume a:1 board e 4 e 5 too_old");
}

TEST(clear_when_everything_is_forgotten_holds)
{
    holds(BOARD FIVE "clear board\nresume alice:1 board e 4 e 5 too_old\nquiet");
    holds(ALICE FIVE "clear board\nmissed alice:1 board e 1 5\nquiet");
    holds(BOARD FIVE "clear board\nhead board f 0\npublish board f 1 x");
    breaks("D8", BOARD FIVE "clear board\npublish board e 6 six\n"
                            "resume alice:1 board e 4 e 6 recovered");
    breaks("D10", ALICE FIVE "clear board\npublish board e 6 six\nmissed alice:1 board e 1 6");
}

/* Its window is one message. a=1 b=2 -b=3 c=4 c=5 x=6 */
#define KEYS "channel keys 1 1 behind keys=3\nhead keys e 0\n"
#define SIX \
    "publish keys e 1 one key=a\npublish keys e 2 two key=b\npublish keys e 3 three key=b " \
    "removed\n" \
    "publish keys e 4 four key=c\npublish keys e 5 five key=c\npublish keys e 6 six\n"
#define KEPT "channel keys 1 1 behind keys=3 removals=kept\nhead keys e 0\n"
#define STALLED KEYS "join alice:1 keys e 0\n" SIX
#define RESUMED(from) KEYS SIX "resume alice:1 keys e " from " e 6 recovered\n"
#define STATE RESUMED("0") "got alice:1 keys e 1 one\n"

TEST(keys_when_the_newest_of_each_is_got_hold)
{
    holds(RESUMED("0") "got alice:1 keys e 1 one\ngot alice:1 keys e 5 five\n"
                       "got alice:1 keys e 6 six\nquiet");
    holds(RESUMED("0") "got alice:1 keys e 1 one\ngot alice:1 keys e 3 three\n"
                       "got alice:1 keys e 5 five\ngot alice:1 keys e 6 six\nquiet");
    holds(RESUMED("2") "got alice:1 keys e 3 three\ngot alice:1 keys e 5 five\n"
                       "got alice:1 keys e 6 six\nquiet");
    holds(RESUMED("1") "got alice:1 keys e 5 five\ngot alice:1 keys e 6 six\nquiet");
    holds(KEYS SIX "resume alice:1 keys - 0 e 6 recovered\ngot alice:1 keys e 1 one\n"
                   "got alice:1 keys e 5 five\ngot alice:1 keys e 6 six\nquiet");
    /* A removal of a key that the member got meanwhile. */
    holds(STATE "publish keys e 7 x key=a removed\npublish keys e 8 y\n"
                "got alice:1 keys e 5 five\ngot alice:1 keys e 7 x\ngot alice:1 keys e 8 y\nquiet");
    /* The window is whole, and need not be. */
    holds("channel keys 3 3 behind keys=3\nhead keys e 0\njoin a:1 keys e 0\n" SIX
          "got a:1 keys e 1 one\ngot a:1 keys e 3 three\ngot a:1 keys e 4 four\n"
          "got a:1 keys e 5 five\ngot a:1 keys e 6 six\nquiet");
}

TEST(keys_when_the_state_is_another_break_a_rule)
{
    breaks("D4", STATE "got alice:1 keys e 6 six");
    breaks("D4", RESUMED("0") "got alice:1 keys e 3 three");
    breaks("D4", RESUMED("2") "got alice:1 keys e 5 five");
    breaks("D4", STALLED "got alice:1 keys e 1 one\ngot alice:1 keys e 2 two\n"
                         "got alice:1 keys e 5 five");
    breaks("D12", STATE "got alice:1 keys e 5 five\nquiet");
    breaks("D3", STATE "got alice:1 keys e 5 five\ngot alice:1 keys e 4 four");
    breaks("D4", STATE "got alice:1 keys e 5 five\npublish keys e 7 x key=a removed\n"
                       "publish keys e 8 y\ngot alice:1 keys e 8 y");
    breaks("D4", "channel keys 3 3 behind keys=3\nhead keys e 0\njoin a:1 keys e 0\n" SIX
                 "got a:1 keys e 1 one\ngot a:1 keys e 3 three\ngot a:1 keys e 5 five");
}

TEST(channel_with_a_send_interval_may_skip_what_is_replaced)
{
    static const char paced[] = "channel p 9 9 behind keys=3 paced\nhead p e 0\njoin a:1 p e 0\n"
                                "publish p e 1 one key=a\npublish p e 2 two\n"
                                "publish p e 3 three key=a\n";
    char log[300];
    snprintf(log, sizeof log, "%sgot a:1 p e 2 two\ngot a:1 p e 3 three\nquiet", paced);
    holds(log);
    snprintf(log, sizeof log, "%sgot a:1 p e 3 three", paced);
    breaks("D4", log);
    snprintf(log, sizeof log, "%sgot a:1 p e 2 two\nquiet", paced);
    breaks("D12", log);
}

TEST(own_messages_when_the_whole_state_is_given_are_in_it)
{
    static const char own[] = KEYS "publish keys e 1 one key=a except=alice:1\n"
                                   "publish keys e 2 two\n";
    char log[400];
    snprintf(log, sizeof log,
             "%sresume alice:1 keys - 0 e 2 recovered\n"
             "got alice:1 keys e 1 one\ngot alice:1 keys e 2 two\nquiet",
             own);
    holds(log);
    snprintf(log, sizeof log,
             "%sresume alice:1 keys e 1 e 2 recovered\n"
             "got alice:1 keys e 2 two\nquiet",
             own);
    holds(log);
    snprintf(log, sizeof log,
             "%sresume alice:1 keys - 0 e 2 recovered\n"
             "got alice:1 keys e 2 two",
             own);
    breaks("D4", log);
    breaks("D5", KEYS "join alice:1 keys e 0\npublish keys e 1 one key=a except=alice:1\n"
                      "got alice:1 keys e 1 one");
}

TEST(reset_when_a_removal_was_forgotten_holds)
{
    holds(KEYS SIX "resume a:1 keys e 2 e 6 too_old reset\ngot a:1 keys e 1 one\n"
                   "got a:1 keys e 5 five\ngot a:1 keys e 6 six\nquiet");
    holds(KEYS SIX "resume a:1 keys f 9 e 6 epoch_changed reset\ngot a:1 keys e 1 one\n"
                   "got a:1 keys e 5 five\ngot a:1 keys e 6 six\nquiet");
    holds(STALLED "got alice:1 keys e 1 one\ngot alice:1 keys e 2 two\n"
                  "missed alice:1 keys e 3 3 head=6 reset\ngot alice:1 keys e 1 one\n"
                  "got alice:1 keys e 5 five\ngot alice:1 keys e 6 six\nquiet");
    holds(KEPT SIX "erase keys c\nresume a:1 keys e 5 e 6 too_old reset\n"
                   "got a:1 keys e 1 one\nquiet");
    holds(KEPT SIX "clear keys\nresume a:1 keys e 5 e 6 too_old reset\nquiet");
}

TEST(reset_when_it_has_no_reason_or_is_not_told_breaks_a_rule)
{
    breaks("D9", KEYS SIX "resume a:1 keys e 3 e 6 too_old reset");
    breaks("D9", KEYS SIX "resume a:1 keys e 0 e 6 too_old reset");
    breaks("D9", KEPT SIX "resume a:1 keys e 2 e 6 too_old reset");
    breaks("D17", KEYS SIX "resume a:1 keys e 2 e 6 too_old");
    breaks("D17", KEYS SIX "resume a:1 keys e 2 e 6 recovered reset");
    breaks("D17", BOARD FIVE "resume a:1 board e 1 e 5 too_old reset");
    breaks("D17", STALLED "got alice:1 keys e 1 one\ngot alice:1 keys e 2 two\n"
                          "missed alice:1 keys e 3 3 head=6");
    breaks("D17", STALLED "got alice:1 keys e 1 one\ngot alice:1 keys e 3 three\n"
                          "missed alice:1 keys e 4 5 head=6 reset");
    breaks("D17", ALICE FIVE "missed alice:1 board e 1 2 reset");
    breaks("D8", KEPT SIX "erase keys c\npublish keys e 7 x\nresume a:1 keys e 5 e 7 recovered");
    breaks("D12", KEYS SIX "resume a:1 keys e 2 e 6 too_old reset\nquiet");
}

TEST(number_of_keys_when_it_is_kept_holds)
{
    holds(KEYS SIX "publish keys e 7 x key=d\nrefused keys e\npublish keys e 8 x key=a removed\n"
                   "publish keys e 9 x key=e");
    breaks("D18", KEYS SIX "publish keys e 7 x key=d\npublish keys e 8 x key=e");
    breaks("D18", KEYS SIX "refused keys d");
    breaks("D18", KEYS SIX "publish keys e 7 x key=d\nrefused keys a");
}

TEST(keys_when_a_host_restores_the_newest_of_each_hold)
{
    holds(KEYS SIX "restart\nseed keys e 1 one key=a\nseed keys e 5 five key=c\nseed keys e 6\n"
                   "resume a:1 keys e 6 e 6 recovered\nresume b:1 keys e 3 e 6 too_old reset\n"
                   "got b:1 keys e 1 one\ngot b:1 keys e 5 five\nquiet");
    breaks("D8", KEYS SIX "restart\nseed keys e 1 one key=a\nseed keys e 6\n"
                          "publish keys e 7 x\nresume a:1 keys e 5 e 7 recovered");
    breaks("D4", KEYS SIX "restart\nseed keys e 1 one key=a\nseed keys e 5 five key=c\n"
                          "seed keys e 6\npublish keys e 7 x\nresume a:1 keys - 0 e 7 recovered\n"
                          "got a:1 keys e 5 five");
}

TEST(actions_when_done_once_in_an_action_epoch_hold)
{
    holds("did a-1\nack a:1 a-1 done\nack a:2 a-1 repeated\ndid a-2\nrestart\n"
          "ack a:3 a-2 in_doubt\ndid a-3\nack a:3 a-3 done");
    holds("did a-1\nrestart\ndid a-1\nack a:1 a-1 done"); /* another client, or a ledger */
}

TEST(actions_when_done_twice_or_told_wrongly_break_d19)
{
    breaks("D19", "did a-1\ndid a-1");
    breaks("D19", "ack a:1 a-1 done");
    breaks("D19", "ack a:1 a-1 repeated");
    breaks("D19", "did a-1\nack a:1 a-1 in_doubt");
    breaks("D19", "did a-1\nrestart\nack a:1 a-1 repeated");
    breaks("D11", "did a-1\ncut a:1\nack a:1 a-1 done");
}

TEST(line_when_it_cannot_be_read_is_refused)
{
    breaks("format", "publish a e 1");
    breaks("format", "publish a e x y");
    breaks("format", "publish a e 18446744073709551616 y");
    breaks("format", "got a:1 a e 1 x y");
    breaks("format", "gone a:1");
    breaks("format", "channel a 1 1 drop");
    breaks("format", BOARD "resume a:1 board e 0 e 0 lost");
    breaks("format", "publish a e 1 x members=1");
    breaks("format", "books published=1");
    breaks("format", BOARD "erase board a");
    breaks("format", "did a-1\nack a:1 a-1 perhaps");
    holds("# a comment\n\n  \nstall a:1\nflow a:1\r\n");
}

TEST(violation_when_one_was_found_stays)
{
    model *m = model_new();
    char first[700];
    snprintf(first, sizeof first, "%s", model_line(m, 1, "publish a e 2 x"));
    assert_string_equal(model_line(m, 2, "publish a e 1 x"), first);
    model_free(m);
}

TEST(readme_when_its_example_is_judged_keeps_all_rules)
{
    FILE *file = fopen("test/model/README.md", "r");
    model *m = model_new();
    char line[1000];
    size_t number = 0;
    int inside = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        inside = strncmp(line, "channel ", 8) == 0 || (inside && *line != '`');
        if (inside && model_line(m, number, line) != NULL)
            fail_msg("%s", model_line(m, number, line));
    }
    fclose(file);
    assert_true(model_totals(m)->quiets == 2 && model_totals(m)->missed == 1);
    model_free(m);
}
