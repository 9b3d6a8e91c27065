/* SPDX-License-Identifier: MIT */
/* pages.h - serves the files of the web page from a directory. */
#ifndef CARDS_PAGES_H
#define CARDS_PAGES_H

#include "http.h"

/* "/" is index.html. Answers 404 if there is no such file, or if its type is unknown. */
enum MHD_Result pages_answer(struct app *app, struct request *request);

#endif
