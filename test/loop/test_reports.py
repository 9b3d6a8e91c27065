#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""loop/test_reports.py - wspool/metrics.h, json_report.h and diagnose.h by way of cards: other people's
parsers read GET /metrics, both reports have the same numbers, and trouble that real clients make is
named. TAP."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "tools"))
from cards import Cards, Tap  # noqa: E402
from tap import run  # noqa: E402
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as classic  # noqa: E402
from shutil import which  # noqa: E402

OPEN = "application/openmetrics-text"
HISTOGRAMS = {"handshake_time": 1e6, "queue_age": 1e6, "round_trip": 1e6, "resume_size": 1}


def traffic(cards):
    with cards.peer("/ws/cards") as peer:
        peer.hello()
        for i in range(5):
            cards.ask("POST", "/api/cards", {"title": f"card {i}", "column_id": "plan"})
        cards.refused("/ws/cards", token=None)
    with cards.peer("/ws/cards?epoch=nobody&offset=3") as peer:
        peer.hello()


def families(parse, text):
    """Returns {(name of a sample, its labels): value}; the parser refuses what is not well formed."""
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse(text) for sample in family.samples}


def same(samples, stats):
    """Yields what /metrics has and the JSON does not, or otherwise."""
    for name, value in stats.items():
        if isinstance(value, int) and name not in ("cards", "heap_bytes"):
            got = samples.get((f"wspool_{name}_total", ()), samples.get((f"wspool_{name}", ())))
            if got != value:
                yield f"{name}: {got}, not {value}"
    for label, metric in (("reason", "refused"), ("reason", "ended"), ("silent_seconds", "lost"),
                          ("place", "token_found"), ("place", "token_blank")):
        for word, count in stats["lost_after" if metric == "lost" else metric].items():
            got = sum(value for (name, labels), value in samples.items()
                      if name == f"wspool_{metric}_total" and dict(labels)[label] == word)
            if got != count:
                yield f"{metric} {word}: {got}, not {count}"
    for name, unit in HISTOGRAMS.items():
        metric = f"wspool_{name}" + ("_seconds" if unit > 1 else "")
        if samples[metric + "_count", ()] != stats[name]["count"] or \
           round(samples[metric + "_sum", ()] * unit) != stats[name]["sum"]:
            yield f"{name}: {samples[metric + '_count', ()]}, {samples[metric + '_sum', ()]}"
    for stage, numbers in stats["stages"].items():
        at = (("stage", stage),)
        got = [samples[f"wspool_stage_{name}", at]
               for name in ("passed_total", "refused_total", "seconds_count")]
        if got != [numbers["passed"], numbers["refused"], numbers["times"]["count"]]:
            yield f"stage {stage}: {got}, not {numbers}"


def not_cumulative(samples):
    """Yields the histograms whose buckets do not rise up to their count."""
    rising = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            labels = dict(labels)
            rising.setdefault((name[:-7], labels.get("stage")), []).append(
                (float(labels["le"]), value))
    for (name, stage), buckets in rising.items():
        values = [value for _, value in sorted(buckets)]
        at = (("stage", stage),) if stage else ()
        if values != sorted(values) or values[-1] != samples[name + "_count", at]:
            yield f"{name} {stage}: {values}"


def diagnosis(t):
    with Cards("--demo") as cards, cards.peer("/ws/cards") as peer:
        peer.hello()
        status, well, _ = cards.ask("GET", "/api/websocket/diagnosis")
        t.equal((status, well["success"], [i["name"] for i in well["issues"]]),
                (200, True, ["query_tokens"]), "server_that_is_well_has_no_issue_but_our_own")
        t.equal(well["metrics"]["connect_percent"], 100, "all_attempts_have_succeeded")
        for _ in range(12):
            cards.refused("/ws/cards", token=None)
        _, ill, _ = cards.ask("GET", "/api/websocket/diagnosis")
        issue = ill["issues"][0] if ill["issues"] else {}
        t.equal((ill["success"], issue.get("name"), issue.get("type"), issue.get("severity"),
                 issue.get("components")),
                (False, "blank_tokens", "token", "high", ["clients", "login"]),
                "blank_tokens_are_named")
        t.equal(issue.get("evidence", [{}])[0],
                {"name": "without a token", "value": 12, "unit": "peers"}, "with_their_number")
        t.equal(ill["recommendations"][0], issue.get("solution"), "and_with_what_to_do")
        t.equal(sorted(ill), ["issues", "metrics", "recommendations", "success"],
                "diagnosis_has_the_four_parts")
        causes = {i["name"]: i["root_causes"] for i in ill["issues"]}
        t.equal(causes.get("few_connect"), ["blank_tokens"], "causes_are_named")
        _, text, headers = cards.ask("GET", "/api/websocket/diagnosis",
                                     headers={"Accept": "text/markdown"})
        t.ok(headers["Content-Type"].startswith("text/markdown") and
             b"## high: blank_tokens (token)" in text, "people_get_markdown", text)
        status, health, _ = cards.ask("GET", "/health")
        t.equal((status, health["status"], health["reasons"]),
                (200, "degraded", ["blank_tokens", "few_connect"]), "health_is_degraded")
        t.equal(cards.ask("GET", "/api/websocket/diagnosis", token=None,
                          headers={"Forwarded": "for=x"})[0], 401, "strangers_do_not_see_it")


def main():
    t = Tap()
    diagnosis(t)
    with Cards("--demo") as cards:
        traffic(cards)
        stats = cards.stats()
        status, text, headers = cards.ask("GET", "/metrics")
        t.equal((status, headers["Content-Type"]),
                (200, "text/plain; version=0.0.4; charset=utf-8"), "classic_text_is_the_default")
        samples = families(classic, text.decode())
        t.none(list(same(samples, stats)), "metrics_and_json_have_the_same_numbers")
        t.none(list(not_cumulative(samples)), "buckets_rise_up_to_the_count")
        t.equal((stats["accepted"], stats["refused"]["empty_token"], stats["resumes"],
                 stats["resumes_lost"]), (2, 1, 1, 1), "what_happened_is_counted")
        status, text, headers = cards.ask("GET", "/metrics", headers={"Accept": OPEN})
        t.ok(headers["Content-Type"].startswith(OPEN), "openmetrics_is_given_to_who_asks_for_it")
        t.equal(families(open_metrics, text.decode()), samples, "both_formats_have_the_same_samples")
        if which("promtool"):
            answer = run("promtool", "check", "metrics", input=text_of(cards))
            t.equal((answer.returncode, answer.stdout + answer.stderr), (0, ""), "promtool_agrees")
        else:
            t.skip("promtool_agrees", "promtool (package prometheus) is not installed")
    t.end()


def text_of(cards):
    return cards.ask("GET", "/metrics")[1].decode()


main()
