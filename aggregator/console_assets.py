#!/usr/bin/python3
"""Writes the console's files as a table in C, each plain and compressed. The same files give the same bytes.

usage: console_assets.py OUTPUT CHART_JS FILE…    (the FILEs are all that their folder has, or the build fails)
"""
import gzip
import hashlib
import sys
from pathlib import Path

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
NOT_SERVED = {"meson.build", "README.md"}
BYTES_A_LINE = 40


def content(name, data):
    """An array, and the initialiser that names it."""
    lines = [data[at:at + BYTES_A_LINE] for at in range(0, len(data), BYTES_A_LINE)]
    body = "\n".join("\t" + "".join(f"{byte}," for byte in line) for line in lines)
    etag = hashlib.sha256(data).hexdigest()[:20]
    return (f"static const unsigned char {name}[] = {{\n{body}\n}};\n",
            f"{{{name}, sizeof {name}, \"\\\"{etag}\\\"\"}}")


def check_complete(files):
    """A file that is forgotten in the list would be missed in the browser only."""
    for folder in {file.parent for file in files}:
        there = {file.name for file in folder.iterdir() if file.is_file()} - NOT_SERVED
        missing = there - {file.name for file in files}
        if missing:
            sys.exit(f"console_assets.py: {folder} has {', '.join(sorted(missing))}, which meson.build does not list")


def main():
    output, chart, *rest = [Path(name) for name in sys.argv[1:]]
    check_complete(rest)
    served = [(f"/{'' if file.name == 'index.html' else file.name}", file) for file in rest] + [("/chart.js", chart)]
    arrays, rows = [], []
    for number, (path, file) in enumerate(sorted(served)):
        data = file.read_bytes()
        plain, plain_row = content(f"plain_{number}", data)
        packed, packed_row = content(f"gzip_{number}", gzip.compress(data, 9, mtime=0))
        arrays += [plain, packed]
        rows.append(f"\t{{\"{path}\", \"{TYPES[file.suffix]}\", {plain_row}, {packed_row}}},\n")
    output.write_text('#include "aggregator/web/console.h"\n\n' + "\n".join(arrays) +
                      "\nconst struct console_asset console_assets[] = {\n" + "".join(rows) + "};\n" +
                      "const size_t console_asset_count = sizeof console_assets / sizeof console_assets[0];\n")


if __name__ == "__main__":
    main()
