/* SPDX-License-Identifier: MIT */
/* model/actions.c - what is done for clients, and what they are told. See model/internal.h. */
#include "internal.h"

static int is_done(const model *m, const struct action *action)
{
    return action->done == m->totals.restarts + 1;
}

int model_on_did(model *m, char **w)
{
    struct action *action = model_action(m, w[1]);
    if (is_done(m, action))
        return model_broken(m, "D19 actions", "%s is done twice", w[1]);
    action->done = m->totals.restarts + 1;
    m->totals.did++;
    return 1;
}

int model_on_ack(model *m, char **w)
{
    const struct action *action = model_action(m, w[2]);
    int doubt = strcmp(w[3], "in_doubt") == 0;
    if (model_reader(m, w[1])->cut)
        return model_broken(m, "D11 the end", "%s was cut and gets something", w[1]);
    if (!doubt && strcmp(w[3], "done") != 0 && strcmp(w[3], "repeated") != 0)
        return model_broken(m, "format", "a result of an action: %s", w[3]);
    m->totals.in_doubt += (uint64_t)doubt;
    if (doubt == is_done(m, action))
        return model_broken(m, "D19 actions", "%s is %s, but was %sdone", w[2], w[3],
                            doubt ? "" : "not ");
    return 1;
}
