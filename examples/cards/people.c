/* SPDX-License-Identifier: MIT */
/* people.c - see people.h. */
#include "people.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "peers.h"

/* Returns the place of a client instance, or one that is free, or NULL. */
static struct person *find(struct people *people, wspool_text instance)
{
    struct person *place = NULL;
    size_t i;
    for (i = 0; i < PEOPLE_MAX; i++) {
        struct person *person = &people->list[i];
        if (person->sockets == 0) {
            place = place ? place : person;
        } else if (person->instance_len == instance.len &&
                   memcmp(person->instance, instance.data, instance.len) == 0) {
            return person;
        }
    }
    return place;
}

/* `data` NULL: the person has left. */
static void tell(struct app *app, const struct person *person, json_t *data)
{
    char key[12];
    snprintf(key, sizeof(key), "%u", (unsigned)(person - app->people.list));
    peers_tell(app, PEOPLE, data ? "person" : "person_left", key, !data,
               data ? data : json_object());
}

void people_joined(struct app *app, wspool_id id, wspool_text instance)
{
    struct person *person = instance.len > 0 ? find(&app->people, instance) : NULL;
    const wspool_text name = peers_name(app, id);
    char connection[24];

    if (!person) {
        return;
    }
    memcpy(person->instance, instance.data, instance.len);
    person->instance_len = instance.len;
    person->sockets++;
    wspool_set_user(app->pool, id, person);
    snprintf(connection, sizeof(connection), "%" PRIu64, id);
    tell(app, person,
         json_pack("{s:s%, s:s}", "name", name.data, name.len, "connection", connection));
}

void people_left(struct app *app, wspool_id id)
{
    struct person *person = wspool_user(app->pool, id);
    if (person && --person->sockets == 0) {
        tell(app, person, NULL);
    }
}
