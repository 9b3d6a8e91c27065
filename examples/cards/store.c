/* SPDX-License-Identifier: MIT */
/* store.c - see store.h. All SQL is here. */
#define _GNU_SOURCE
#include "store.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wspool/json.h>

#define VERSION "1"                 /* of the tables; a later one reads the earlier ones */
#define APPLICATION_ID "2004053091" /* "wspc": the file is ours */
#define NEW_EPOCH "lower(hex(randomblob(8)))"
#define BUSY_MS 5000 /* how long we wait for a server that is still draining */
#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

/* `n` is the order of publication, and of actions. A row without type is the position of a channel to which nothing
 * was published yet. The position of a channel is that of its last row. */
static const char schema[] =
    "BEGIN;"
    "CREATE TABLE cards (id INTEGER PRIMARY KEY AUTOINCREMENT," /* no id is used twice */
    "  title TEXT NOT NULL, column_id TEXT NOT NULL,"
    "  percent INTEGER);" /* of its run; NULL: it is not running */
    "CREATE TABLE messages (n INTEGER PRIMARY KEY, channel TEXT NOT NULL, epoch INTEGER NOT NULL,"
    "  offset INTEGER NOT NULL, time INTEGER NOT NULL, type TEXT, data TEXT,"
    "  UNIQUE (channel, epoch, offset));"
    "CREATE TABLE actions (n INTEGER PRIMARY KEY, subject TEXT NOT NULL, instance TEXT NOT NULL,"
    "  highest INTEGER NOT NULL, UNIQUE (subject, instance));"
    "CREATE TABLE server (boot TEXT NOT NULL," /* of the machine while we run; '': we do not */
    "  action_epoch TEXT NOT NULL);"
    "INSERT INTO server VALUES ('', " NEW_EPOCH ");"
    "PRAGMA application_id = " APPLICATION_ID ";"
    "PRAGMA user_version = " VERSION ";"
    "COMMIT;";

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    PUT_CARD,
    DELETE_CARD,
    PUT_MESSAGE,
    PUT_POSITION,
    TRIM_EPOCHS,
    TRIM_CHANNEL,
    TRIM_ALL,
    PUT_ACTION,
    FIND_ACTION,
    ACTIONS_FORGOTTEN,
    TRIM_ACTIONS,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [BEGIN] = "BEGIN",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [PUT_CARD] = "INSERT INTO cards VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                 " title = excluded.title, column_id = excluded.column_id,"
                 " percent = excluded.percent",
    [DELETE_CARD] = "DELETE FROM cards WHERE id = ?",
    [PUT_MESSAGE] = "INSERT INTO messages (channel, epoch, offset, time, type, data)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
    [PUT_POSITION] = "INSERT INTO messages (channel, epoch, offset, time) VALUES (?, ?, ?, 0)"
                     " ON CONFLICT DO NOTHING",
    [TRIM_EPOCHS] = "DELETE FROM messages WHERE channel = ? AND epoch <> ?",
    [TRIM_CHANNEL] = "DELETE FROM messages WHERE channel = ? AND epoch = ?"
                     " AND offset <= ? - " TEXT(STORE_KEPT),
    [TRIM_ALL] = "DELETE FROM messages WHERE n <= last_insert_rowid() - " TEXT(STORE_KEPT_IN_ALL),
    /* With a new `n`, since the row is replaced. */
    [PUT_ACTION] = "INSERT OR REPLACE INTO actions (subject, instance, highest) VALUES (?1, ?2,"
                   " max(?3, ifnull((SELECT highest FROM actions"
                   " WHERE subject = ?1 AND instance = ?2), 0)))",
    [FIND_ACTION] = "SELECT highest FROM actions WHERE subject = ? AND instance = ?",
    [ACTIONS_FORGOTTEN] = "SELECT max(n) > " TEXT(STORE_ACTIONS) " FROM actions",
    [TRIM_ACTIONS] = "DELETE FROM actions WHERE n <= last_insert_rowid() - " TEXT(STORE_ACTIONS),
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int64_t value; /* see run() */
    const char *file;
    int failing; /* the last change was refused */
    char action_epoch[64];
};

/* -------------------------------------------------------------------- statements */

/* Reports an error of the database. */
static int fail(const struct store *store, const char *why)
{
    fprintf(stderr, "cards: %s: %s\n", store->file, why ? why : sqlite3_errmsg(store->db));
    return -1;
}

/* Runs a statement. `types` has a letter for each parameter: i int64_t, s const char * (NULL: null),
 * b const void * and size_t. Returns 0 or -1; or 1 if there is a row: then its first value is in
 * store->value. */
static int run(struct store *store, enum statement which, const char *types, ...)
{
    sqlite3_stmt *statement = store->statements[which];
    int error = SQLITE_OK, index;
    va_list values;

    va_start(values, types);
    for (index = 1; error == SQLITE_OK && *types; types++, index++) {
        if (*types == 'i') {
            error = sqlite3_bind_int64(statement, index, va_arg(values, int64_t));
        } else {
            const char *text = va_arg(values, const char *);
            size_t len = *types == 'b' ? va_arg(values, size_t) : text ? strlen(text) : 0;
            text = *types == 'b' && len == 0 ? "" : text;
            error = sqlite3_bind_text64(statement, index, text, len, SQLITE_STATIC, SQLITE_UTF8);
        }
    }
    va_end(values);
    error = error == SQLITE_OK ? sqlite3_step(statement) : error;
    if (error == SQLITE_ROW) {
        store->value = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return error == SQLITE_DONE ? 0 : error == SQLITE_ROW ? 1 : -1;
}

/* Runs a text of SQL, for the start. `answer` (may be NULL) gets the first value of its last row.
 * Returns 0 or -1. */
static int ask(struct store *store, const char *text, char answer[64])
{
    sqlite3_stmt *statement;
    int error = sqlite3_prepare_v2(store->db, text, -1, &statement, NULL);
    while (error == SQLITE_OK || error == SQLITE_ROW) {
        error = sqlite3_step(statement);
        if (error == SQLITE_ROW && answer) {
            const void *value = sqlite3_column_text(statement, 0);
            snprintf(answer, 64, "%s", value ? (const char *)value : "");
        }
    }
    sqlite3_finalize(statement);
    return error == SQLITE_DONE ? 0 : -1;
}

/* ----------------------------------------------------------------------- changes */

static int64_t card_number(const struct card *card)
{
    return strtoll(card->id, NULL, 10);
}

static int put_card(struct store *store, const struct card *card)
{
    char percent[12];
    snprintf(percent, sizeof(percent), "%u", card->percent);
    return run(store, PUT_CARD, "isss", card_number(card), card->title, card->column,
               card->step_at ? percent : NULL);
}

static int put_message(struct store *store, wspool_channel channel,
                       const wspool_channel_position *position, const wspool_seed_message *message)
{
    char name[WSPOOL_JSON_CHANNEL_MAX];
    int64_t epoch = (int64_t)position->epoch, offset = (int64_t)position->offset;

    if (wspool_json_channel_write(channel, name) < 0 ||
        run(store, PUT_MESSAGE, "siiibb", name, epoch, offset, (int64_t)message->time,
            message->type.data, message->type.len, message->data, message->len) < 0 ||
        run(store, TRIM_CHANNEL, "sii", name, epoch, offset) < 0 || run(store, TRIM_ALL, "") < 0) {
        return -1;
    }
    return offset == 1 ? run(store, TRIM_EPOCHS, "si", name, epoch) : 0;
}

static int put_action(struct store *store, const struct store_change *change)
{
    return run(store, PUT_ACTION, "bbi", change->subject.data, change->subject.len,
               change->instance.data, change->instance.len, (int64_t)change->action) < 0
               ? -1
               : run(store, TRIM_ACTIONS, "");
}

static int put_all(struct store *store, const struct store_commit *commit,
                   const wspool_channel_position *position, const wspool_seed_message *message)
{
    const struct store_change *change = &commit->change;
    int error = run(store, BEGIN, "");
    if (!error && change->card) {
        error = change->deleted ? run(store, DELETE_CARD, "i", card_number(change->card))
                                : put_card(store, change->card);
    }
    if (!error && change->action > 0) {
        error = put_action(store, change);
    }
    error = error ? error : put_message(store, commit->channel, position, message);
    return error ? error : run(store, COMMIT, "");
}

/* Undoes what failed. Says so once, not for each change. */
static int refuse(struct store *store)
{
    if (!store->failing) {
        fail(store, NULL);
    }
    store->failing = 1;
    if (!sqlite3_get_autocommit(store->db)) {
        run(store, ROLLBACK, "");
    }
    return -1;
}

int store_commit(const wspool_channel_position *position, const wspool_seed_message *message,
                 void *user)
{
    const struct store_commit *commit = user;
    struct store *store = commit->store;
    if (!store) {
        return 0;
    }
    if (put_all(store, commit, position, message) < 0) {
        return refuse(store);
    }
    if (store->failing) {
        fail(store, "changes are stored again");
        store->failing = 0;
    }
    return 0;
}

int store_position(struct store *store, wspool_channel channel,
                   const wspool_channel_position *position)
{
    char name[WSPOOL_JSON_CHANNEL_MAX];
    int64_t epoch = (int64_t)position->epoch;
    if (!store) {
        return 0;
    }
    if (wspool_json_channel_write(channel, name) < 0) {
        return -1;
    }
    return run(store, BEGIN, "") < 0 ||
                   run(store, PUT_POSITION, "sii", name, epoch, (int64_t)position->offset) < 0 ||
                   run(store, TRIM_EPOCHS, "si", name, epoch) < 0 || run(store, TRIM_ALL, "") < 0 ||
                   run(store, COMMIT, "") < 0
               ? refuse(store)
               : 0;
}

int store_card(struct store *store, const struct card *card)
{
    return store && put_card(store, card) < 0 ? refuse(store) : 0;
}

int store_find_action(wspool_text subject, wspool_text instance, uint64_t *highest, void *user)
{
    struct store *store = user;
    int found =
        run(store, FIND_ACTION, "bb", subject.data, subject.len, instance.data, instance.len);
    if (found > 0) {
        *highest = (uint64_t)store->value;
    } else if (found == 0) {
        found = run(store, ACTIONS_FORGOTTEN, ""); /* maybe this instance's */
        found = found > 0 ? 2 * (int)store->value : found;
    }
    return found;
}

const char *store_action_epoch(const struct store *store)
{
    return store->action_epoch;
}

/* ---------------------------------------------------------------------- the start */

/* Says which run of the machine this is; '?' if it cannot be known. */
static void read_boot(char boot[64])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    boot[0] = '\0';
    if (file && fgets(boot, 64, file)) {
        boot[strcspn(boot, "\n")] = '\0';
    }
    if (file) {
        fclose(file);
    }
    if (strspn(boot, "0123456789abcdef-") != strlen(boot) || !boot[0]) {
        strcpy(boot, "?");
    }
}

/* If the machine has stopped before the last server did, changes may be missing: then positions that
 * clients have seen must not be used again. That we run is stored, on the disk, before we do. */
static int mark_running(struct store *store)
{
    char boot[64], last[64] = "", text[128];
    read_boot(boot);
    if (ask(store, "SELECT boot FROM server", last) < 0) {
        return -1;
    }
    if (last[0] && (strcmp(boot, last) != 0 || boot[0] == '?')) {
        fail(store, "the machine stopped before the server: the last changes may be missing");
        if (sqlite3_exec(store->db,
                         "BEGIN; DELETE FROM messages; DELETE FROM actions;"
                         "UPDATE server SET boot = '', action_epoch = " NEW_EPOCH "; COMMIT;",
                         NULL, NULL, NULL)) {
            return -1;
        }
    }
    snprintf(text, sizeof(text), "UPDATE server SET boot = '%s'", boot);
    return ask(store, "PRAGMA synchronous = FULL", NULL) < 0 || ask(store, text, NULL) < 0 ||
                   ask(store, "PRAGMA synchronous = NORMAL", NULL) < 0 ||
                   ask(store, "SELECT action_epoch FROM server", store->action_epoch) < 0
               ? -1
               : 0;
}

/* Returns NULL if the file is ours and sound, else why not ("": see sqlite3_errmsg). */
static const char *examine(struct store *store)
{
    char tables[64] = "", version[64] = "", application[64] = "", mode[64] = "", check[64] = "";

    if (sqlite3_db_readonly(store->db, "main") == 1) {
        return "the file cannot be written";
    }
    /* One process only: the positions of its pool are those of the file. */
    if (ask(store, "PRAGMA locking_mode = EXCLUSIVE", NULL) < 0 ||
        ask(store, "SELECT count(*) FROM sqlite_schema", tables) < 0 ||
        ask(store, "PRAGMA application_id", application) < 0 ||
        ask(store, "PRAGMA user_version", version) < 0) {
        return "";
    }
    if (strcmp(tables, "0") != 0 && strcmp(application, APPLICATION_ID) != 0) {
        return "a database of another program";
    }
    if (atoi(version) > atoi(VERSION)) {
        return "made by a newer version of this program";
    }
    if (ask(store, "PRAGMA quick_check(1)", check) < 0) {
        return "";
    }
    if (strcmp(check, "ok") != 0) {
        return "the database is damaged";
    }
    if (ask(store, "PRAGMA journal_mode = WAL", mode) < 0) {
        return "";
    }
    if (strcmp(mode, "wal") != 0) {
        return "this file system cannot have a database with a write-ahead log";
    }
    if (strcmp(tables, "0") == 0 && sqlite3_exec(store->db, schema, NULL, NULL, NULL)) {
        return "";
    }
    return NULL;
}

static int prepare(struct store *store)
{
    int i, error = SQLITE_OK;
    for (i = 0; error == SQLITE_OK && i < STATEMENTS; i++) {
        error = sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                   &store->statements[i], NULL);
    }
    return error == SQLITE_OK ? 0 : -1;
}

/* Puts a row (id, title, column, percent) on the board. Returns 0, or -1 if no card is like that, or
 * without memory. */
static int load_card(struct cards *cards, sqlite3_stmt *row)
{
    struct card_patch patch = {(const char *)sqlite3_column_text(row, 1),
                               card_column((const char *)sqlite3_column_text(row, 2))};
    struct card card;

    cards->last_id = (unsigned)sqlite3_column_int64(row, 0) - 1;
    if (cards->count == CARDS_MAX || !patch.title || !patch.column ||
        card_draft(cards, NULL, &patch, &card) < 0) {
        return -1;
    }
    if (sqlite3_column_type(row, 3) != SQLITE_NULL) { /* its run goes on */
        card.percent = (unsigned)sqlite3_column_int64(row, 3);
        card.step_at = wspool_clock();
        cards->running++;
    }
    cards_put(cards, &card);
    return 0;
}

static int load_cards(struct store *store, struct cards *cards)
{
    char last_id[64] = "0";
    sqlite3_stmt *row = NULL;
    int error = sqlite3_prepare_v2(store->db, "SELECT * FROM cards ORDER BY id", -1, &row, NULL);
    if (error == SQLITE_OK) {
        while ((error = sqlite3_step(row)) == SQLITE_ROW && load_card(cards, row) == 0) {
        }
    }
    sqlite3_finalize(row);
    if (error == SQLITE_ROW) {
        return fail(store, "a card that cannot be read");
    }
    if (error != SQLITE_DONE ||
        ask(store, "SELECT seq FROM sqlite_sequence WHERE name = 'cards'", last_id) < 0) {
        return fail(store, NULL);
    }
    cards->last_id = (unsigned)strtoul(last_id, NULL, 10);
    return 0;
}

int store_open(struct store **out, const char *file, struct cards *cards)
{
    struct store *store = calloc(1, sizeof(*store));
    const char *wrong;

    *out = store;
    if (!store) {
        fputs("cards: no memory\n", stderr);
        return -1;
    }
    store->file = file;
    if (sqlite3_open_v2(file, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)) {
        return fail(store, NULL);
    }
    sqlite3_busy_timeout(store->db, BUSY_MS);
    wrong = examine(store);
    if (wrong) {
        return fail(store, *wrong ? wrong : NULL);
    }
    if (mark_running(store) < 0 || prepare(store) < 0) {
        return fail(store, NULL);
    }
    return load_cards(store, cards);
}

void store_close(struct store *store)
{
    int i;
    if (store) {
        if (store->statements[STATEMENTS - 1]) { /* it was opened */
            ask(store, "UPDATE server SET boot = ''", NULL);
        }
        for (i = 0; i < STATEMENTS; i++) {
            sqlite3_finalize(store->statements[i]);
        }
        sqlite3_close(store->db); /* with everything on the disk */
        free(store);
    }
}

/* Gives a row (channel, epoch, offset, time, type, data) to the pool. A message for which the pool has no
 * room is left out, like those before it. */
static int seed_row(wspool *pool, sqlite3_stmt *row)
{
    wspool_seed_message message = {.size = sizeof(message),
                                   .time = (uint64_t)sqlite3_column_int64(row, 3),
                                   .type.data = (const char *)sqlite3_column_text(row, 4),
                                   .type.len = (size_t)sqlite3_column_bytes(row, 4),
                                   .data = sqlite3_column_text(row, 5),
                                   .len = (size_t)sqlite3_column_bytes(row, 5)};
    wspool_channel_position position = {(uint64_t)sqlite3_column_int64(row, 1),
                                        (uint64_t)sqlite3_column_int64(row, 2)};
    wspool_channel channel;
    int error = wspool_json_channel_read((const char *)sqlite3_column_text(row, 0),
                                         (size_t)sqlite3_column_bytes(row, 0), &channel);
    if (!error && message.type.data) {
        error = wspool_seed(pool, channel, &position, &message);
        if (error == WSPOOL_ERR_FULL || error == WSPOOL_ERR_TOO_BIG) {
            error = wspool_seed(pool, channel, &position, NULL);
        }
    } else if (!error) {
        error = wspool_seed(pool, channel, &position, NULL);
    }
    return error;
}

int store_seed(struct store *store, wspool *pool)
{
    sqlite3_stmt *row = NULL;
    int step, error = 0;
    if (!store) {
        return 0;
    }
    step = sqlite3_prepare_v2(store->db,
                              "SELECT channel, epoch, offset, time, type, data FROM messages"
                              " ORDER BY n",
                              -1, &row, NULL);
    while (!error && (step == SQLITE_OK || step == SQLITE_ROW)) {
        step = sqlite3_step(row);
        error = step == SQLITE_ROW ? seed_row(pool, row) : 0;
    }
    sqlite3_finalize(row);
    return error ? error : step == SQLITE_DONE ? 0 : WSPOOL_ERR_NOMEM;
}
