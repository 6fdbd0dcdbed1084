"""The libFuzzer targets (tests/fuzz): run over their corpora, and measured by what of the decoders the corpora reach."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]

# What decodes bytes that came from a peer, from Kafka, from a file or a disk. Left out: what only writes, and what is wired around it.
DECODERS = re.compile(
    r"proto/(bridge_report|change_position|column_(decimal|type|value)|compression_zstd|csv|dead_letter|debezium|decimal|document|document_keys|event_addition|event_cut|event_decode|event_fields|event_normalise"
    r"|event_value|framing|json|mapping|money|mqtt_(cursor|decode|input|property|topic)|msgpack|pairs|plain_row|producer|pull|query|query_refine|receipt|record_view|registry|reply|timestamp"
    r"|query_(replay|share)|telemetry|utf8|wire_decode|zone|zone_rule)\.c"
    r"|runtime/(config_read|config_value|key_holder|page_walk)\.c"
    r"|edge/(drop_state|event_id_row|http_reading|http_rules|line_batch|mqtt_filters|mqtt_session_packets|producers|spool_block|spool_content"
    r"|spool_identity)\.c"
    r"|bridge/(checker|reception)\.c"
    r"|aggregator/(?:\w+/)?(answer_cursor|archive_stream|basket|changed_row|counted|ledger|measure_row|position|quarantine|record|row_key|store_content|stream|table_row|view_parse"
    r"|view_summary|view_where|web_rules)\.c"
    r"|client/answer_view\.c")
# Functions among them that no bytes lead into: they read files and their rights, write, or count what was decoded. Unit tests do.
NOT_BY_BYTES = {
    "aggregator/view/measure_row.c": ["row_init", "row_merge", "row_merge_row", "row_settle", "settle_quantiles", "settle_ratios", "merge_cells"],
    "aggregator/books/ledger.c": ["encode_changes"],
    "aggregator/books/quarantine.c": ["quarantine_hide"],
    "aggregator/view/row_key.c": ["row_key_successor", "row_key_compare", "row_key_narrow_end"],
    "aggregator/store/basket.c": ["basket_place", "basket_key", "basket_init", "sum_of", "keep_first", "basket_add", "basket_forget"],
    "aggregator/store/table_row.c": ["table_key_make"],
    "aggregator/books/position.c": ["anchor_of", "position_key"],
    "aggregator/web/web_rules.c": ["web_access_check", "web_status_of"],
    "bridge/checker.c": ["checker_deinit"],
    "bridge/reception.c": ["reception_review", "open_counted", "end_forbidden", "note_forbidden", "is_flooding"],  # who may, and how much
    "edge/drop_state.c": ["drop_state_add", "add_range"],
    "edge/event_id_row.c": ["event_id_is_permanent", "event_id_own"],
    "edge/http_rules.c": ["http_status_of", "status_of_refusal"],
    "edge/line_batch.c": ["line_batch_add_long", "line_batch_add_broken", "add_sample", "line_batch_new"],
    "edge/producers.c": ["producer_judge", "producer_row_is_expired"],
    "edge/spool_block.c": ["spool_cost"],
    "proto/compression_zstd.c": ["compressor_new", "compressor_free", "compressor_pack", "decompressor_new", "decompressor_free"],
    "proto/mapping.c": ["row_is_wanted", "map_is_wanted"],  # --where
    "proto/money.c": ["money_add", "money_format_average", "money_format", "money_share"],
    "proto/producer.c": ["producer_header_encode"],
    "runtime/config_read.c": ["config_read_file", "read_stream", "fail_out_of_memory"],
    "runtime/key_holder.c": ["key_holder_read", "check_file", "read_and_parse"],
}
CHANGES = 4000  # of the corpus, of each target; the same ones each time


def targets(folder, prefix="fuzz-"):
    return sorted(path for path in (folder / "tests" / "fuzz").glob(f"{prefix}*") if path.is_file() and os.access(path, os.X_OK))


def noun(target):
    return target.name.partition("-")[2]


def corpus(target):
    """Made by seeds.py; of some targets there is none."""
    folder = target.parent / "corpus" / noun(target)
    return [str(folder)] if folder.is_dir() else []


def gathered(target):
    """Where what the fuzzer finds is kept: in the build folder, for all builds the same."""
    folder = target.parents[3] / "build-fuzz" / "tests" / "fuzz" / f"fuzz-{noun(target)}.corpus"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(target, limits, env):
    """How often it was executed, and the words of its failure, or None."""
    work = gathered(target)
    command = [str(target), *limits, *OPTIONS, f"-artifact_prefix={work.parent}/{target.name}-", str(work), *corpus(target)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env={**os.environ, **env})
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    if done.returncode != 0 or not runs:
        return 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}"
    return int(runs[1]), None


def run_all(folder, limits, env):
    """(target, executions, failure), as many at a time as there are processors."""
    found = targets(folder)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from ((target, *result) for target, result in zip(found, pool.map(lambda target: run(target, limits, env), found)))


def minimise(target, env):
    """Leaves the inputs that reach something the others don't."""
    work = gathered(target)
    fresh = work.with_suffix(".fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    done = subprocess.run([str(target), "-merge=1", *OPTIONS, str(fresh), str(work)], capture_output=True, check=False, env={**os.environ, **env})
    if done.returncode != 0 or not any(fresh.iterdir()):
        shutil.rmtree(fresh)
        return
    shutil.rmtree(work)
    fresh.rename(work)


def replay(folder, env):
    """Runs the corpora, and changes of them, in a build with coverage. What they reached lies apart from what the build's other tests
    did, in a folder as deep: names of sources are relative. That folder, and what failed."""
    apart = folder.with_name(folder.name + "-fuzz")
    shutil.rmtree(apart, ignore_errors=True)
    env = {**os.environ, **env, "GCOV_PREFIX": str(apart), "GCOV_PREFIX_STRIP": str(len(folder.parts) - 1)}

    def one(target):
        done = subprocess.run([target, str(CHANGES), *corpus(target)], capture_output=True, text=True, errors="replace", check=False, env=env)
        return None if done.returncode == 0 else f"{target.name} ended with {done.returncode}:\n{done.stderr[-3000:]}"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        failures = [failure for failure in pool.map(one, targets(folder, "replay-")) if failure]
    return apart, failures


def left_out(source):
    """Numbers of the lines of NOT_BY_BYTES' functions: from a name at a line's beginning to the brace at one's."""
    names = NOT_BY_BYTES.get(source, [])
    lines, inside, found = set(), False, set()
    for number, line in enumerate((ROOT / source).read_text().splitlines(), 1):
        begins = re.match(r"[a-z].*?\b(\w+)\($|[a-z].*?\b(\w+)\(.*[^;]$", line)
        if begins and (begins[1] or begins[2]) in names:
            inside = True
            found.add(begins[1] or begins[2])
        if inside:
            lines.add(number)
        inside = inside and line != "}"
    if found != set(names):
        raise ValueError(f"{source} has no function {', '.join(set(names) - found)}: see NOT_BY_BYTES")
    return lines


def reached(folder, apart):
    """[(decoder, lines reached, lines that bytes could reach, the numbers of those that none did)]"""
    for data in apart.rglob("*.gcda"):
        notes = data.with_suffix(".gcno")
        notes.symlink_to(folder / notes.relative_to(apart))
    details = apart / "coverage.json"
    subprocess.run(["gcovr", "-r", str(ROOT), str(apart), "--json", str(details), "--gcov-ignore-parse-errors"],
                   check=True, cwd=apart, capture_output=True)
    found = []
    for entry in json.loads(details.read_text())["files"]:
        if DECODERS.fullmatch(entry["file"]):
            without = left_out(entry["file"])
            lines = [line for line in entry["lines"] if not line["gcovr/noncode"] and line["line_number"] not in without]
            missed = [line["line_number"] for line in lines if line["count"] == 0]
            found.append((entry["file"], len(lines) - len(missed), len(lines), missed))
    return found
