"""What docs/ says, held against the source and the running programs."""
import re
import subprocess

import guards
import pytest
from harness import ROOT, Program, free_port, program
from keys import Keys

ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()
RELIABILITY = (ROOT / "docs" / "RELIABILITY.md").read_text()
FOLDERS = ("proto", "runtime", "edge", "bridge", "aggregator", "client", "cli")
DAEMONS = ("till-edge", "till-bridge", "till-aggregator")
# Appears with the first record that Kafka does not take.
ONLY_ON_FAILURE = {"till_bridge_records_failed_total"}


def in_backticks(text, pattern):
    return sorted(set(re.findall(rf"`({pattern})`", text)))


def existing_tests():
    names = set()
    for path in (ROOT / "tests" / "unit").rglob("test_*.c"):
        names.update(re.findall(r"^static void (test_\w+)\(", path.read_text(), re.M))
    for folder in ("system", "python"):
        for path in (ROOT / "tests" / folder).glob("test_*.py"):
            names.update(re.findall(r"^def (test_\w+)\(", path.read_text(), re.M))
    return names


def test_every_test_that_is_named_exists():
    named = set(in_backticks("".join(path.read_text() for path in markdown()), r"test_\w+"))
    assert len(named) > 50
    assert sorted(named - existing_tests()) == []


def test_every_defence_has_a_place_and_a_test():
    text = (ROOT / "docs" / "THREATS.md").read_text()
    defended = text[text.index("## Defended"):text.index("## Not defended")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in defended.splitlines() if line.startswith("| ")]
    assert len(rows) > 15
    for row in rows[1:]:
        assert len(row) == 5, row
        assert in_backticks(row[4], r"test_\w+"), row
        assert all((ROOT / path).is_file() for path in in_backticks(row[3], r"[\w/]+\.[ch]")), row


def rows_of_faults():
    """The four cells of each row of RELIABILITY.md."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in RELIABILITY.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "fault"]


def test_every_fault_has_a_test_that_can_fail():
    assert rows_of_faults()
    guarded = {guard.test for guard in guards.load()}
    for row in rows_of_faults():
        assert len(row) == 4, row
        named = re.findall(r"`([^`]+)`", row[3])
        assert named, f"no test: {row[0]}"
        assert guarded & set(named), f"tests/lib/guards/ has no line whose loss one of {named} notices"


@pytest.mark.parametrize("guard", guards.load(), ids=lambda guard: f"{guard.test}-{guard.file}")
def test_every_guarding_line_is_in_its_file(guard):
    assert guard.fault() is None


def defines(path, function):
    """Is there a body: the name at the end of a line that begins at the margin, up to a brace in the first column?"""
    text = (ROOT / path).read_text()
    return re.search(rf"^[a-z][^;{{}}\n]*\b{function}\([^;{{}}]*\)\n\{{", text, re.M) is not None


def test_every_function_that_is_named_is_in_its_file():
    named = in_backticks(ARCHITECTURE + OPERATIONS, r"[a-z]+/\w+\.c:\w+")
    assert len(named) > 100
    missing = [each for each in named
               if not (ROOT / each.split(":")[0]).is_file() or not defines(*each.split(":"))]
    assert missing == []


def test_every_file_that_is_named_exists():
    for path in in_backticks(ARCHITECTURE + OPERATIONS, r"(?:proto|runtime|edge|bridge|aggregator|client|cli|python|tests|deploy|docs|bench)/[\w./-]*"):
        assert (ROOT / path).exists(), path


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower().replace("`", "")).replace(" ", "-")


def markdown():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "*.md"], capture_output=True,
                            text=True, check=True).stdout.split()
    return [ROOT / name for name in listed]


def test_every_relative_link_leads_somewhere():
    assert len(markdown()) >= 4
    for path in markdown():
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            assert there.exists(), f"{path.name}: {target}"
            if anchor:
                anchors = {slug(heading) for heading in re.findall(r"^#+ (.*)$", there.read_text(), re.M)}
                assert anchor in anchors, f"{path.name}: {target}: {sorted(anchors)}"


# ---- configurations


def examples():
    """Of the daemons; those of the Python package's commands are run by tests/python."""
    return [path for path in sorted((ROOT / "deploy" / "examples").glob("*.conf")) if f"till-{re.split(r'[^a-z]', path.stem)[0]}" in DAEMONS]


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_every_example_configuration_passes_its_check(path):
    name = "till-" + re.split(r"\W", path.stem)[0]
    done = subprocess.run([program(name), "-c", path, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def config_blocks():
    """The INI texts of OPERATIONS.md and CDC.md, each with the program whose section comes first."""
    for text in re.findall(r"```ini\n(.*?)```", OPERATIONS + (ROOT / "docs" / "CDC.md").read_text(), re.S):
        first = re.search(r"^\[(\w+)", text, re.M)[1]
        yield f"till-{first if first in ('edge', 'bridge', 'aggregator') else 'bridge'}", text


REQUIRED = {"till-edge": ["edge.id=x", "edge.data=/x"], "till-bridge": ["bridge.brokers=x"],
            "till-aggregator": ["aggregator.data=/x", "aggregator.brokers=x"]}


def test_every_configuration_in_the_text_passes_its_check(tmp_path):
    blocks = list(config_blocks())
    assert blocks
    for name, text in blocks:
        path = tmp_path / "example.conf"
        path.write_text(text)
        options = [arg for option in REQUIRED[name] if option.split(".")[1].split("=")[0] + " =" not in text
                   for arg in ("-o", option)]
        done = subprocess.run([program(name), "-c", path, *options, "--check"], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0, f"{text}\n{done.stderr}"


def documented_options(name):
    """[section] key of the table under "### name"."""
    return set(re.findall(r"^\| `(\w+\.[\w.]+)` \|", section_of(f"### Options of {name}"), re.M))


def section_of(heading):
    start = OPERATIONS.index(f"{heading}\n")
    level = heading.split(" ")[0]
    end = re.compile(rf"^#{{1,{len(level)}}} ", re.M).search(OPERATIONS, start + len(heading))
    return OPERATIONS[start:end.start() if end else len(OPERATIONS)]


def helped_options(name):
    """{heading of --help: {keys}}; headings are "edge", "source.NAME type=mqtt"."""
    text = subprocess.run([program(name), "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    options, section = {}, None
    for line in text.splitlines():
        if heading := re.match(r"^\[([\w.]+)\](?: type = (\w+))?$", line):
            section = heading[1] if heading[2] is None else f"type {heading[2]}"
        elif (option := re.match(r"^  ([\w.]+) = ", line)) and section:
            options.setdefault(section, set()).add(option[1])
    return options


@pytest.mark.parametrize("name", DAEMONS)
def test_every_option_is_documented_and_no_other(name):
    options = {f"{section}.{key}" for section, keys in helped_options(name).items()
               if not section.startswith("type ") for key in keys}
    assert len(options) > 5
    assert documented_options(name) == options


def test_every_option_of_a_source_is_documented_and_no_other():
    """docs/SOURCES.md: a table under "### Options of TYPE", first column `key`."""
    path = ROOT / "docs" / "SOURCES.md"
    text = path.read_text() if path.exists() else ""
    documented = {}
    for kind, table in re.findall(r"^### Options of (\w+)\n(.*?)(?=^#{1,3} |\Z)", text, re.M | re.S):
        documented[f"type {kind}"] = set(re.findall(r"^\| `([\w.]+)` \|", table, re.M))
    assert documented == {section: keys for section, keys in helped_options("till-edge").items() if section.startswith("type ")}


# ---- metrics


def documented_metrics(heading):
    """{name: (type, labels)} of the table under the heading."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", section_of(heading), re.M)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def documented_source_metrics():
    """docs/SOURCES.md: a table under "### Metrics of TYPE" for a type that is among EVERY_SOURCE."""
    text = (ROOT / "docs" / "SOURCES.md").read_text()
    found = {}
    for kind, table in re.findall(r"^### Metrics of (\w+)\n(.*?)(?=^#{1,3} |\Z)", text, re.M | re.S):
        if any(each.endswith(f".type={kind}") for each in EVERY_SOURCE):
            rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", table, re.M)
            found.update({name: (form, tuple(re.findall(r"`(\w+)`", labels))) for name, form, labels in rows})
    return found


def exposed_metrics(text):
    """The same, of what a program serves."""
    metrics = {name: (kind, ()) for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)}
    for series, labels in re.findall(r"^(\w+?)\{(.*)\} ", text, re.M):
        name = re.sub(r"_bucket$", "", series)
        if name in metrics:
            metrics[name] = (metrics[name][0], tuple(key for key in re.findall(r'(\w+)="', labels) if key != "le"))
    return metrics


# One source of each type, so that what it exposes is seen: -o source.NAME.key=value.
EVERY_SOURCE = ["source.shop.type=mqtt", "source.shop.brokers=tcp://127.0.0.1:1", "source.shop.topics=orders",
                "source.web.type=http", "source.web.listen=127.0.0.1:0",
                "source.tailed.type=tail", "source.tailed.path=/nonexistent/*.ndjson",
                "source.inbox.type=drop", "source.inbox.dir={folder}/inbox"]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One of each program, on till-devbroker: nothing is claimed here but names."""
    folder = tmp_path_factory.mktemp("docs")
    started = []

    def start(name, *options):
        started.append(Program(name, [arg for option in options for arg in ("-o", option)], folder / f"{name}.log"))
        return started[-1]

    (folder / "inbox").mkdir()
    keys = Keys(folder)
    pair = [f"security.key_file={keys.secret(keys.make('docs', '--admin'))}",
            f"security.authorized={keys.directory('docs', 'docs')}"]
    kafka = start("till-devbroker", "devbroker.topics=orders,cart_events,page_views").ready["bootstrap"]
    bridge = start("till-bridge", f"bridge.brokers={kafka}", "bridge.listen=tcp://127.0.0.1:0", "http.listen=127.0.0.1:0",
                   *pair)
    start("till-edge", "edge.id=docs", f"edge.data={folder}/spool", f"edge.bridges={bridge.ready['listen'][0]}",
          f"edge.listen=tcp://127.0.0.1:{free_port()}", "edge.listen_push=tcp://127.0.0.1:0", "http.listen=127.0.0.1:0",
          *[each.format(folder=folder) for each in EVERY_SOURCE], *pair, f"security.bridge_keys={keys.public('docs')}")
    start("till-aggregator", f"aggregator.data={folder}/store", f"aggregator.brokers={kafka}",
          "aggregator.listen=tcp://127.0.0.1:0", "aggregator.publish=tcp://127.0.0.1:0", "http.listen=127.0.0.1:0", *pair)
    yield {**{each.name: each for each in started}, "keys": keys.pair("docs", "docs")}
    for each in reversed(started):
        each.kill()


@pytest.mark.parametrize("name", DAEMONS)
def test_every_metric_is_documented_and_no_other(running, name):
    from harness import Client, wait_until
    if name == "till-aggregator":
        client = Client(running[name].ready["listen"][0], running["keys"])
        wait_until(lambda: client.ask("edges").get("ok"), "an answer")
        client.close()
    exposed = exposed_metrics(running[name].http("/metrics")[1])
    documented = {**documented_metrics("### Every program"), **documented_metrics(f"### {name}")}  # with keys: `running` has some
    if name == "till-edge":
        documented.update(documented_source_metrics())
    unseen = ONLY_ON_FAILURE & set(documented) - set(exposed)
    assert {key: documented[key] for key in documented if key not in unseen} == exposed
    source = "\n".join(path.read_text() for path in (ROOT / name.removeprefix("till-")).glob("*.c"))
    for key in unseen:
        assert f'"{key}"' in source, key
