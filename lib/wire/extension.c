/* SPDX-License-Identifier: MIT */
/*
 * wire/extension.c - see wire/extension.h.
 *
 * A quoted value must be a token once its quotes are removed (9.1), so a comma or semicolon in
 * quotes is as wrong as anywhere else. So the list can be split at each comma first, and an offer
 * at each semicolon.
 */
#include "wire/extension.h"

#include <string.h>

#include "wire/text.h"

/* Splits the text at `mark`: *first gets the trimmed part before it, *rest the part behind it.
 * Returns 1 if the mark is there, else 0. */
static int cut(wspool_text text, char mark, wspool_text *first, wspool_text *rest)
{
    const char *at = text.len > 0 ? memchr(text.data, mark, text.len) : NULL;
    size_t len = at ? (size_t)(at - text.data) : text.len;
    *first = wsp_text_trimmed((wspool_text){text.data, len});
    *rest = at ? (wspool_text){at + 1, text.len - len - 1} : (wspool_text){text.data + text.len, 0};
    return at != NULL;
}

enum parsed { GOOD, STRANGE, WRONG };

static enum parsed parse_value(wspool_text *value)
{
    if (value->len < 2 || value->data[0] != '"') {
        return wsp_text_is_token(*value) ? GOOD : WRONG;
    }
    if (value->data[value->len - 1] != '"') {
        return WRONG;
    }
    value->data++;
    value->len -= 2;
    if (value->len > 0 && memchr(value->data, '\\', value->len)) {
        return STRANGE;
    }
    return wsp_text_is_token(*value) ? GOOD : WRONG;
}

/* Parses one `name` or `name=value`. */
static enum parsed parse_param(wspool_text text, wspool_extension_param *param)
{
    wspool_text value;
    int has_value = cut(text, '=', &param->name, &value);
    param->value = (wspool_text){0};
    if (!wsp_text_is_token(param->name)) {
        return WRONG;
    }
    if (!has_value) {
        return GOOD;
    }
    param->value = wsp_text_trimmed(value);
    return parse_value(&param->value);
}

static enum parsed parse_offer(wspool_text text, wspool_extension *offer,
                               wspool_extension_param *params)
{
    enum parsed result = GOOD;
    wspool_text piece;
    int more = cut(text, ';', &offer->name, &text);
    *offer = (wspool_extension){.name = offer->name, .params = params};
    if (!wsp_text_is_token(offer->name)) {
        return WRONG;
    }
    while (more) {
        wspool_extension_param param;
        more = cut(text, ';', &piece, &text);
        enum parsed parsed = parse_param(piece, &param);
        if (parsed == WRONG) {
            return WRONG;
        }
        if (parsed == STRANGE || offer->param_count == WSPOOL_EXTENSION_PARAMS) {
            result = STRANGE;
        } else {
            params[offer->param_count++] = param;
        }
    }
    return result;
}

int wsp_extension_next(const struct wsp_headers *headers, struct wsp_elements *walk,
                       wspool_extension *offer,
                       wspool_extension_param params[WSPOOL_EXTENSION_PARAMS])
{
    wspool_text element;
    while (wsp_headers_element(headers, WSP_HEADER_EXTENSIONS, walk, &element)) {
        switch (parse_offer(element, offer, params)) {
        case GOOD:
            return 1;
        case WRONG:
            return -1;
        case STRANGE:
            break;
        }
    }
    return 0;
}
