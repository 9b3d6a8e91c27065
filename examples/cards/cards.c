/* SPDX-License-Identifier: MIT */
/* cards.c - see cards.h. */
#define _GNU_SOURCE
#include "cards.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const card_columns[] = {"backlog", "plan", "implement", "test", "review", "done", NULL};

/* --------------------------------------------------------------- what is read */

/* Characters that show nothing: spaces, and what Unicode calls ignorable (Default_Ignorable), from
 * first to last. */
static const uint32_t invisible[][2] = {
    {0x00, 0x20},     {0xA0, 0xA0},     {0xAD, 0xAD},     {0x34F, 0x34F},     {0x61C, 0x61C},
    {0x115F, 0x1160}, {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x2000, 0x200F},
    {0x2028, 0x202F}, {0x205F, 0x206F}, {0x2800, 0x2800}, {0x3000, 0x3000},   {0x3164, 0x3164},
    {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

static int is_visible(uint32_t code)
{
    size_t i;
    for (i = 0; i < sizeof(invisible) / sizeof(invisible[0]); i++) {
        if (code >= invisible[i][0] && code <= invisible[i][1]) {
            return 0;
        }
    }
    return 1;
}

/* Returns the character at *text, of valid UTF-8, and moves *text behind it. */
static uint32_t next_character(const unsigned char **text)
{
    uint32_t code = *(*text)++;
    code = code < 0xC0 ? code : code < 0xE0 ? code & 0x1F : code < 0xF0 ? code & 0x0F : code & 0x07;
    while ((**text & 0xC0) == 0x80) {
        code = code << 6 | (*(*text)++ & 0x3F);
    }
    return code;
}

int text_length(const char *text)
{
    const unsigned char *next = (const unsigned char *)text;
    int length = 0, seen = 0;

    while (*next) {
        uint32_t code = next_character(&next);
        if ((code < ' ' && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0)) {
            return -1;
        }
        seen |= is_visible(code);
        length++;
    }
    return seen ? length : -1;
}

static const char *known_title(const json_t *value)
{
    const char *title = json_string_value(value);
    int length = title ? text_length(title) : -1;
    return length > 0 && length <= CARD_TITLE_MAX && !strpbrk(title, "\n\t") ? title : NULL;
}

const char *card_column(const char *name)
{
    const char *const *column = card_columns;
    while (name && *column && strcmp(*column, name) != 0) {
        column++;
    }
    return name ? *column : NULL;
}

const char *card_patch_read(const json_t *body, struct card_patch *patch)
{
    const json_t *title = json_object_get(body, "title");
    const json_t *column = json_object_get(body, "column_id");

    patch->title = known_title(title);
    patch->column = card_column(json_string_value(column));
    if (!json_is_object(body)) {
        return "malformed";
    }
    if (title && !patch->title) {
        return "bad_title";
    }
    if (column && !patch->column) {
        return "bad_column";
    }
    return json_object_size(body) == (size_t) !!title + !!column ? NULL : "unknown_member";
}

/* --------------------------------------------------------------- what changes */

int card_draft(struct cards *cards, const struct card *from, const struct card_patch *patch,
               struct card *draft)
{
    memset(draft, 0, sizeof(*draft));
    if (from) {
        *draft = *from;
    } else {
        snprintf(draft->id, sizeof(draft->id), "%u", ++cards->last_id);
    }
    draft->column = patch->column ? patch->column : draft->column;
    draft->title = strdup(patch->title ? patch->title : draft->title);
    return draft->title ? 0 : -1;
}

void card_discard(struct card *draft)
{
    free(draft->title);
}

void cards_put(struct cards *cards, struct card *draft)
{
    struct card *card = cards_find(cards, draft->id, strlen(draft->id));
    if (card) {
        free(card->title);
    } else {
        card = &cards->list[cards->count++];
    }
    *card = *draft;
}

void cards_remove(struct cards *cards, struct card *card)
{
    size_t behind = cards->count - (size_t)(card - cards->list) - 1;
    free(card->title);
    memmove(card, card + 1, behind * sizeof(*card));
    cards->count--;
}

void cards_clear(struct cards *cards)
{
    while (cards->count > 0) {
        cards_remove(cards, &cards->list[cards->count - 1]);
    }
}

/* --------------------------------------------------------------- what is told */

struct card *cards_find(struct cards *cards, const char *id, size_t len)
{
    size_t i;
    for (i = 0; i < cards->count; i++) {
        struct card *card = &cards->list[i];
        if (strlen(card->id) == len && memcmp(card->id, id, len) == 0) {
            return card;
        }
    }
    return NULL;
}

json_t *card_json(const struct card *card)
{
    return json_pack("{s:s, s:s, s:s}", "id", card->id, "title", card->title, "column_id",
                     card->column);
}

json_t *cards_json(const struct cards *cards)
{
    json_t *list = json_array();
    size_t i;
    for (i = 0; list && i < cards->count; i++) {
        if (json_array_append_new(list, card_json(&cards->list[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
