/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - examines a WebSocket endpoint from outside, stage by stage, and says for each fault who
 * can probably repair it.
 *
 *   options.c     the command line          target.c   the URL
 *   exam.c        the stages up to the 101; opened.c those behind it; rules.c what is asked again
 *   transport.c   names, TCP, TLS           handshake.c   request and answer
 *   frames.c      what follows a 101        refusal.c     what another answer means
 *   report.c      the verdicts
 */
#include <string.h>

#include "exam.h"
#include "options.h"
#include "report.h"
#include "target.h"

int main(int argc, char **argv)
{
    static struct target target;
    static struct report report;
    struct options options = options_from(argc, argv);
    const char *wrong = target_parse(&target, options.url);
    if (wrong) {
        fail(2, options.url, wrong);
    }
    report.url = options.url;
    report.wants_idle = options.idle > 0;
    exam_run(&options, &target, &report);
    if (options.json ? report_json(&report) : report_table(&report)) {
        fail(2, "stdout", "the report cannot be written");
    }
    return report_ok(&report) ? 0 : 1;
}
