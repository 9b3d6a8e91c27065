/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#define MARK 95.0 /* percent of the clients */

/* -------------------------------------------------------------- latencies */

/* A class holds the values that have the same highest bit and the same five bits behind it. */
static unsigned class_of(uint64_t value)
{
    unsigned shift = 0;
    while (value >> shift >= 64) {
        shift++;
    }
    return shift * 32 + (unsigned)(value >> shift);
}

/* Returns the middle of a class. */
static uint64_t value_of(unsigned class)
{
    unsigned shift = class < 64 ? 0 : class / 32 - 1;
    uint64_t low = (uint64_t)(class - shift * 32) << shift;
    return low + ((UINT64_C(1) << shift) - 1) / 2;
}

void latency_add(struct latencies *latencies, uint64_t nanoseconds)
{
    latencies->classes[class_of(nanoseconds)]++;
    latencies->count++;
}

uint64_t latency_at(const struct latencies *latencies, double part)
{
    uint64_t before = 0;
    double rank = part * (double)latencies->count;
    for (unsigned i = 0; i < LATENCY_CLASSES; i++) {
        before += latencies->classes[i];
        if (before > 0 && (double)before >= rank) {
            return value_of(i);
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- reasons */

void report_reason(struct report *report, const char *text)
{
    for (size_t i = 0; i < REASONS; i++) {
        char *known = report->reasons[i].text;
        if (*known == '\0') {
            snprintf(known, sizeof report->reasons[i].text, "%s", i < REASONS - 1 ? text : "other");
            for (char *c = known; *c; c++) { /* it may come from the server */
                *c = *c < ' ' || *c > '~' || *c == '"' || *c == '\\' ? '?' : *c;
            }
        } else if (strncmp(known, text, sizeof report->reasons[i].text - 1) != 0 &&
                   i < REASONS - 1) {
            continue;
        }
        report->reasons[i].count++;
        return;
    }
}

/* ------------------------------------------------------------------ print */

static double milliseconds(const struct latencies *latencies, double part)
{
    return (double)latency_at(latencies, part) / 1e6;
}

static void print_json(const struct report *report, const struct options *options, double percent,
                       double rate)
{
    printf("{\"url\":\"");
    for (const char *c = options->url; *c; c++) { /* a URL has neither quotes nor backslashes */
        putchar(*c == '"' || *c == '\\' ? '?' : *c);
    }
    printf("\",\"connections\":%u,\"connected\":%u,\"failed\":%u,\"lost\":%u,\"percent\":%.2f,"
           "\"ok\":%s,\"reasons\":{",
           options->connections, report->connected, report->failed, report->lost, percent,
           percent >= MARK ? "true" : "false");
    for (size_t i = 0; i < REASONS && report->reasons[i].count; i++) {
        printf("%s\"%s\":%u", i ? "," : "", report->reasons[i].text, report->reasons[i].count);
    }
    printf("},\"handshake\":{\"p50_ms\":%.3f,\"p99_ms\":%.3f},"
           "\"messages\":{\"kind\":\"%s\",\"sent\":%llu,\"delivered\":%llu,\"per_second\":%.1f},"
           "\"delivery\":{\"p50_ms\":%.3f,\"p99_ms\":%.3f}}\n",
           milliseconds(&report->handshake, 0.5), milliseconds(&report->handshake, 0.99),
           report->kind, (unsigned long long)report->sent, (unsigned long long)report->delivered,
           rate, milliseconds(&report->delivery, 0.5), milliseconds(&report->delivery, 0.99));
}

static void print_text(const struct report *report, const struct options *options, double percent,
                       double rate)
{
    printf("%s\n", options->url);
    printf("  clients    %u of %u connected (%.1f %%), %u failed, %u lost\n", report->connected,
           options->connections, percent, report->failed, report->lost);
    for (size_t i = 0; i < REASONS && report->reasons[i].count; i++) {
        printf("             %u: %s\n", report->reasons[i].count, report->reasons[i].text);
    }
    printf("  handshake  p50 %.2f ms, p99 %.2f ms\n", milliseconds(&report->handshake, 0.5),
           milliseconds(&report->handshake, 0.99));
    printf("  messages   %s: %llu sent, %llu delivered, %.0f per second\n", report->kind,
           (unsigned long long)report->sent, (unsigned long long)report->delivered, rate);
    if (report->delivery.count > 0) {
        printf("  delivery   p50 %.2f ms, p99 %.2f ms\n", milliseconds(&report->delivery, 0.5),
               milliseconds(&report->delivery, 0.99));
    }
    if (percent < MARK) {
        printf("less than %.0f %% are connected\n", MARK);
    }
}

int report_print(const struct report *report, const struct options *options)
{
    double percent = 100.0 * report->connected / options->connections;
    double rate = report->seconds > 0 ? (double)report->delivered / report->seconds : 0;
    (options->json ? print_json : print_text)(report, options, percent, rate);
    return percent >= MARK;
}
