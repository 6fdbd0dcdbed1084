#!/usr/bin/python3
"""Style of the source itself, as tests: layers, foreign types at the rim, lengths, formatting, words.

Prints TAP, one line a rule, with every offence as a comment that names file and line.
usage: check.py ROOT
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
PROGRAM_FOLDERS = ("edge", "bridge", "aggregator", "client", "cli")

# Folder -> folders of ours that it may include. cli's offline tools also read edge's spool and
# aggregator's store, and name people as an edge does; nothing else crosses.
LAYERS = {
    "proto": {"proto"},
    "runtime": {"runtime"},
    "client": {"client", "runtime", "proto"},
    "edge": {"edge", "runtime", "proto"},
    "bridge": {"bridge", "runtime", "proto"},
    "aggregator": {"aggregator", "runtime", "proto"},
    "cli": {"cli", "client", "runtime", "proto"},
    "deploy": {"deploy", "runtime"},
    "bench": {"bench", "runtime", "proto", "aggregator"},
}
CLI_OFFLINE = re.compile(r"^(edge/(spool\w*|pseudonym_ssl)\.h|aggregator/(view|overlay|store|shard)/\w+\.h)$")
# To an edge that it sends dead letters to again the aggregator is a client as any other.
AGGREGATOR_CLIENT = re.compile(r"^client/(resend|client_keys)\.h$")
# The aggregator's own folders, from the bottom up: each may include those before it, and what lies in none of them all.
STOREYS = ("view", "books", "overlay", "store", "shard", "log", "answer", "desk", "live", "web", "")
# Foreign header -> which files may see it.
FOREIGN = {
    "librdkafka/": re.compile(r"_kafka\.[ch]$"),
    "lmdb.h": re.compile(r"_lmdb\.c$"),
    "libpq-fe.h": re.compile(r"_pq\.c$"),
    "zmq.h": re.compile(r"^(runtime|client)/"),
    "msgpack": re.compile(r"^proto/\w+\.[ch]$"),
    "openssl/": re.compile(r"_ssl\.c$"),
    "microhttpd.h": re.compile(r"^runtime/http\w*\.c$"),
    "gnutls/": re.compile(r"^runtime/http_tls\.c$"),
    "zstd": re.compile(r"_zstd\.c$"),
}
# XXX in quotes is ISO 4217's "no currency".
BANNED = re.compile(r"\b(TODO|FIXME|HACK|not implemented)\b|(?<![\"'`=\w])XXX\b(?![\"'`,])")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home/\w+)/")


def tracked(*patterns):
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z", *patterns],
                         check=True, capture_output=True).stdout.decode()
    return sorted({name for name in out.split("\0") if name and (ROOT / name).is_file()})


def lines_of(name):
    return (ROOT / name).read_text(encoding="utf-8").splitlines()


def includes():
    for name in tracked("*.c", "*.h"):
        for number, line in enumerate(lines_of(name), 1):
            found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if found:
                yield name, number, found[1], found[2]


def layers():
    for name, number, quote, path in includes():
        folder = name.split("/")[0]
        if quote != '"' or folder not in LAYERS:
            continue
        if "/" not in path:
            yield f"{name}:{number}: \"{path}\": an include names its folder"
        elif path.split("/")[0] not in LAYERS[folder] and not (
                folder == "cli" and CLI_OFFLINE.match(path)) and not (
                folder == "aggregator" and AGGREGATOR_CLIENT.match(path)):
            yield f"{name}:{number}: {folder}/ must not include \"{path}\""


def storey_of(path):
    return path.split("/")[1] if path.count("/") == 2 else ""


def storeys():
    for name in tracked("aggregator/*/*.c", "aggregator/*/*.h"):
        if storey_of(name) not in STOREYS:
            yield f"{name}: a folder that STOREYS does not name"
    for name, number, quote, path in includes():
        if name.startswith("aggregator/") and quote == '"' and path.startswith("aggregator/"):
            if STOREYS.index(storey_of(path)) > STOREYS.index(storey_of(name)):
                yield f"{name}:{number}: {storey_of(name)}/ must not look up into \"{path}\""


def foreign_types_stay_at_the_rim():
    for name, number, quote, path in includes():
        if quote == "<" and not name.startswith(("tests/", "bench/")):
            for header, allowed in FOREIGN.items():
                if path.startswith(header) and not allowed.search(name):
                    yield f"{name}:{number}: <{path}> leaks out of its wrapper"


def functions_are_short():
    for name in tracked("*.c"):
        start, title = 0, ""
        for number, line in enumerate(lines_of(name), 1):
            if re.match(r"[A-Za-z_].*[^;]$", line):
                title = line
            if line == "{":
                start = number
            elif line.startswith("}") and start:
                if number - start - 1 > FUNCTION_LINES_MAX:
                    yield f"{name}:{start}: {number - start - 1} lines: {title}"
                start = 0


def files_have_one_noun():
    for name in tracked("*.c", "*.h", "*.py"):
        count = len(lines_of(name))
        if count > FILE_LINES_MAX:
            yield f"{name}: {count} lines, at most {FILE_LINES_MAX}"


def headers_say_what_they_are():
    for name in tracked("*.h"):
        lines = lines_of(name)
        if not lines or not lines[0].startswith(f"/* {Path(name).name} - "):
            yield f"{name}: begins with /* {Path(name).name} - what it is"
        if "#pragma once" not in lines:
            yield f"{name}: has no #pragma once"


def no_unfinished_words():
    for name in tracked():
        if name == "tests/style/check.py" or name.endswith((".csv", ".json")):
            continue
        for number, line in enumerate(lines_of(name), 1):
            if BANNED.search(line):
                yield f"{name}:{number}: {line.strip()[:80]}"


def no_path_of_one_machine():
    for name in tracked():
        for number, line in enumerate(lines_of(name), 1):
            if MACHINE_PATHS.search(line) and name != "tests/style/check.py":
                yield f"{name}:{number}: {line.strip()[:80]}"


def only_text_is_kept():
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data:
            yield f"{name}: is binary"
        if data and not data.endswith(b"\n"):
            yield f"{name}: does not end with a newline"
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.endswith((b" ", b"\t", b"\r")) and not name.endswith((".csv", ".md")):
                yield f"{name}:{number}: white space at the end"


def every_unit_test_is_registered():
    for name in tracked("tests/unit/*.c"):
        path = Path(name)
        test = path.stem.removeprefix("test_")
        meson = (ROOT / path.parent / "meson.build").read_text()
        if path.stem.startswith("test_") and f"'{test}'" not in meson:
            yield f"{name}: is not in {path.parent}/meson.build"


def code_is_formatted():
    if shutil.which("clang-format") is None:
        return
    names = tracked("*.c", "*.h")
    out = subprocess.run(["clang-format", "--dry-run", *names], cwd=ROOT, capture_output=True,
                         check=False).stderr.decode()
    for line in sorted({line.split(": ")[0] for line in out.splitlines() if ": warning:" in line}):
        yield f"{line}: run clang-format -i"


def scripts_pass_shellcheck():
    scripts = [name for name in tracked() if (ROOT / name).read_bytes()[:64].startswith(
        (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash"))]
    if scripts and shutil.which("shellcheck") is not None:
        out = subprocess.run(["shellcheck", "-x", "-f", "gcc", *scripts], cwd=ROOT, capture_output=True,
                             check=False).stdout.decode()
        yield from out.splitlines()


RULES = [layers, storeys, foreign_types_stay_at_the_rim, functions_are_short, files_have_one_noun,
         headers_say_what_they_are, no_unfinished_words, no_path_of_one_machine, only_text_is_kept,
         every_unit_test_is_registered, code_is_formatted, scripts_pass_shellcheck]


def main():
    print(f"1..{len(RULES)}")
    failed = 0
    for number, rule in enumerate(RULES, 1):
        offences = list(rule())
        failed += bool(offences)
        print(f"{'not ok' if offences else 'ok'} {number} - {rule.__name__}")
        for offence in offences:
            print(f"# {offence}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
