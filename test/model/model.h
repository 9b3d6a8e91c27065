/* SPDX-License-Identifier: MIT */
/*
 * model/model.h - judges a log of deliveries by the rules D1 to D19 of model/README.md.
 *
 * The model reads one line of the log at a time and keeps what the rules need: what was published,
 * and for each reader of a channel the offset up to which it has got everything or was told. It
 * knows nothing of the library.
 */
#ifndef WSPOOL_TEST_MODEL_H
#define WSPOOL_TEST_MODEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct model model;

/* Never returns NULL: without memory the program ends. */
model *model_new(void);
void model_free(model *m);

/* Reads a line, with or without its line break. `number` is the line's number in the log. Returns
 * NULL if the line keeps all rules, or else what is wrong: "line 7: D3 order: ...". After a
 * violation the model returns it for every further line. */
const char *model_line(model *m, size_t number, const char *line);

/* What the log has said so far, so that a test can prove that it tested something. */
struct model_totals {
    uint64_t published, skipped; /* skipped: publications with an `except` */
    uint64_t got, joined, left, cut, missed, restarts, quiets;
    uint64_t did, in_doubt;
    uint64_t reset; /* of `missed` in channels with keys */
    uint64_t recovered, epoch_changed, too_old, unknown_offset; /* results of resumes */
    uint64_t refilled; /* messages that resumes had to bring: published before the answer */
};
const struct model_totals *model_totals(const model *m);

#endif
