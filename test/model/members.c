/* SPDX-License-Identifier: MIT */
/*
 * model/members.c - what readers get. See model/internal.h.
 *
 * A member's `at` is the offset up to which everything is settled: delivered, skipped for it, or
 * told missing. Each line moves `at` up or breaks a rule.
 */
#include "internal.h"

static struct member **find(struct reader *reader, const struct channel *channel)
{
    struct member **member = &reader->members;
    while (*member != NULL && (*member)->channel != channel)
        member = &(*member)->next;
    return member;
}

static int begin(model *m, char **w, const char *epoch_name, uint64_t at, uint64_t head)
{
    struct reader *reader = model_reader(m, w[1]);
    struct channel *channel = model_channel(m, w[2]);
    struct epoch *epoch = model_epoch(m, channel, epoch_name);
    struct member **place = find(reader, channel);
    if (reader->cut)
        return model_broken(m, "D11 the end", "%s was cut and gets something", w[1]);
    if (*place != NULL)
        return model_broken(m, "D7 join", "%s is a member of %s already", w[1], w[2]);
    if (!model_check_stated(m, w[2], epoch, head))
        return 0;
    *place = model_need(calloc(1, sizeof **place));
    **place = (struct member){.channel = channel, .epoch = epoch, .at = at, .base = at};
    return 1;
}

int model_on_join(model *m, char **w)
{
    m->totals.joined++;
    return begin(m, w, w[3], model_number(w[4]), model_number(w[4]));
}

/* The member gets the whole state of a channel with keys. */
static int begin_state(model *m, char **w, uint64_t head)
{
    if (!begin(m, w, w[5], 0, head))
        return 0;
    model_begin_anew(*find(model_reader(m, w[1]), model_channel(m, w[2])), head);
    return 1;
}

int model_on_resume(model *m, char **w)
{
    struct channel *channel = model_channel(m, w[2]);
    const char *result = w[7];
    uint64_t since = model_number(w[4]), head = model_number(w[6]);
    int asks = since == 0 && strcmp(w[3], "-") == 0; /* for all that there is */
    int same = asks || strcmp(w[3], w[5]) == 0, past = same && since <= head;
    int keyed = channel->keys > 0, state = keyed && same && since == 0;
    uint64_t age = past ? head - since : 0; /* the messages that it has not got */
    const struct epoch *epoch = model_epoch(m, channel, w[5]);
    uint64_t forgotten = epoch->forgotten;
    int right;
    if (model_flag(w, 8, "reset") != (keyed && strcmp(result, "recovered") != 0))
        return model_broken(m, "D17 reset", "%s of %s: the whole state follows %s", w[1], w[2],
                            result);
    if (strcmp(result, "recovered") == 0) {
        m->totals.recovered++;
        m->totals.refilled += age;
        /* After a clear with the same head the answer may be older than the clear. */
        if (!past || (!keyed && age > channel->most) ||
            (!state && head > forgotten && since < forgotten))
            return model_broken(m, "D8 recovered",
                                "%s of %s: the history can't have what follows %s %s", w[1], w[2],
                                w[3], w[4]);
        return state ? begin_state(m, w, head) : begin(m, w, w[5], since, head);
    }
    if (strcmp(result, "epoch_changed") == 0) {
        m->totals.epoch_changed++;
        right = !same;
    } else if (strcmp(result, "too_old") == 0) {
        m->totals.too_old++;
        right = past && !state &&
                (since < forgotten ||
                 (keyed ? model_may_reset(channel, epoch, since + 1, head) : age > channel->least));
    } else if (strcmp(result, "unknown_offset") == 0) {
        m->totals.unknown_offset++;
        right = same && since > head;
    } else {
        return model_broken(m, "format", "a result of a resume: %s", result);
    }
    if (!right)
        return model_broken(m, "D9 reason", "%s of %s: not %s: it had %s %s, the head is %s %s",
                            w[1], w[2], result, w[3], w[4], w[5], w[6]);
    return keyed ? begin_state(m, w, head) : begin(m, w, w[5], head, head);
}

/* Returns the member that a line is about, if the reader is one, in that epoch. */
static struct member *member_of(model *m, char **w)
{
    struct reader *reader = model_reader(m, w[1]);
    struct member *member = *find(reader, model_channel(m, w[2]));
    if (reader->cut || member == NULL) {
        model_broken(m, "D11 the end", "%s is no member of %s and gets something", w[1], w[2]);
        return NULL;
    }
    if (w[3] != NULL && strcmp(member->epoch->name, w[3]) != 0) {
        model_broken(m, "D3 order", "%s of %s is in epoch %s, and was not told of %s", w[1], w[2],
                     member->epoch->name, w[3]);
        return NULL;
    }
    return member;
}

int model_skip_to(model *m, const struct reader *reader, struct member *member, uint64_t offset,
                  const char *rule)
{
    for (; member->at < offset; member->at++) {
        const struct publication *one = model_published(member->epoch, member->at + 1);
        int own = one != NULL && model_is_skipped(one, reader);
        if ((!own || (member->whole && member->at < member->whole_to)) &&
            !model_is_superfluous(member, member->at + 1))
            return model_broken(m, rule,
                                "%s of %s: %" PRIu64 " was neither delivered nor told missing",
                                reader->name, member->channel->name, member->at + 1);
    }
    return 1;
}

int model_on_stays(model *m, char **w)
{
    struct member *member = member_of(m, w);
    uint64_t offset = model_number(w[4]);
    if (member == NULL)
        return 0;
    if (offset < member->at || offset > member->epoch->head)
        return model_broken(m, "D7 join", "%s of %s is at %" PRIu64 ", not at %" PRIu64, w[1], w[2],
                            member->at, offset);
    return model_skip_to(m, model_reader(m, w[1]), member, offset, "D7 join");
}

int model_on_got(model *m, char **w)
{
    struct member *member = member_of(m, w);
    const struct reader *reader = model_reader(m, w[1]);
    uint64_t offset = model_number(w[4]);
    const struct publication *one;
    m->totals.got++;
    if (member == NULL)
        return 0;
    if (offset <= member->at)
        return model_broken(m, "D3 order", "%s of %s: %" PRIu64 " comes after %" PRIu64, w[1], w[2],
                            offset, member->at);
    one = model_published(member->epoch, offset);
    if (one == NULL)
        return model_broken(m, "D6 content", "%s of %s: nothing was published at %" PRIu64, w[1],
                            w[2], offset);
    if (!model_skip_to(m, reader, member, offset - 1, "D4 nothing is lost in silence"))
        return 0;
    if (model_is_skipped(one, reader) && !member->whole)
        return model_broken(m, "D5 skipped", "%s of %s: %" PRIu64 " was not for it", w[1], w[2],
                            offset);
    if (strcmp(one->content, w[5]) != 0)
        return model_broken(m, "D6 content",
                            "%s of %s: %" PRIu64 " is %.100s, but %.100s was published", w[1], w[2],
                            offset, w[5], one->content);
    member->at = offset;
    model_learn(member, offset);
    return 1;
}

int model_on_missed(model *m, char **w)
{
    struct member *member = member_of(m, w);
    uint64_t from = model_number(w[4]), to = model_number(w[5]);
    const char *head_word = model_option(w, 6, "head");
    uint64_t head;
    m->totals.missed++;
    if (member == NULL)
        return 0;
    head = head_word == NULL ? member->epoch->head : model_number(head_word);
    if (from > to || from <= member->at || to > head || head > member->epoch->head)
        return model_broken(m, "D10 missed",
                            "%s of %s: %" PRIu64 " to %" PRIu64
                            " are missing, but it is at %" PRIu64 " and the head is %" PRIu64,
                            w[1], w[2], from, to, member->at, head);
    if (!model_skip_to(m, model_reader(m, w[1]), member, from - 1, "D4 nothing is lost in silence"))
        return 0;
    m->lost += to - from + 1;
    if (model_flag(w, 6, "reset") != (member->channel->keys > 0))
        return model_broken(m, "D17 reset", "%s of %s: with keys, and only then, all is void", w[1],
                            w[2]);
    if (member->channel->keys > 0) {
        if (from > member->epoch->forgotten &&
            !model_may_reset(member->channel, member->epoch, from, to))
            return model_broken(m, "D17 reset", "%s of %s: no removal was forgotten up to %" PRIu64,
                                w[1], w[2], to);
        model_begin_anew(member, head);
        m->totals.reset++;
        return 1;
    }
    if (head - to < member->channel->least && to > member->epoch->forgotten)
        return model_broken(m, "D10 missed", "%s of %s: the history still has %" PRIu64, w[1], w[2],
                            to);
    member->at = to;
    return 1;
}

int model_on_leave(model *m, char **w)
{
    struct member *member = member_of(m, w);
    m->totals.left++;
    if (member == NULL)
        return 0;
    *find(model_reader(m, w[1]), member->channel) = member->next;
    free(member->known);
    free(member);
    return 1;
}

void model_forget_members(struct reader *reader)
{
    struct member *next;
    for (struct member *member = reader->members; member != NULL; member = next) {
        next = member->next;
        free(member->known);
        free(member);
    }
    reader->members = NULL;
}

int model_on_cut(model *m, char **w)
{
    struct reader *reader = model_reader(m, w[1]);
    m->totals.cut++;
    if (reader->cut)
        return model_broken(m, "D11 the end", "%s was cut before", w[1]);
    if (w[2] != NULL && strcmp(w[2], "slow") == 0 && w[3] != NULL &&
        !model_channel(m, w[3])->closes)
        return model_broken(m, "D13 slow", "%s was closed as slow for %s, which does not close",
                            w[1], w[3]);
    reader->cut = 1;
    model_forget_members(reader);
    return 1;
}
