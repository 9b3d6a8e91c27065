/* SPDX-License-Identifier: MIT */
/* pages.h - the files of the board, from a directory. */
#ifndef CARDS_PAGES_H
#define CARDS_PAGES_H

#include "http.h"

/* "/" is index.html. Answers 404 for what is no file of a kind that we know. */
enum MHD_Result pages_answer(struct app *app, struct request *request);

#endif
