"""Holds requests and answers against proto/query.schema.json. The whole suite's client does, so it has to be cheap: of many rows
only a few are looked at."""
import json
from pathlib import Path

import jsonschema

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "proto" / "query.schema.json").read_text())
ROWS_MAX = 4
# query -> definitions of its request and its answer; of the others both are named by what is asked
_NAMES = {"get": ("get", "rows"), "top": ("top", "rows"), "scan": ("scan", "rows"), "forget": ("forget", "forgot"),
          "forgotten": ("listing", "forgotten"), "quarantine": ("listing", "quarantine"),
          "edges": ("streams", "edges"), "ledger": ("streams", "ledger"), "trace": ("trace", "traced"), "vitals": ("asks_vitals", "vitals"),
          "bands": ("bands", "rows"), "accept_staged": ("decision", "decided"), "drop_staged": ("decision", "decided"),
          "topics": ("about", "surveyed"), "records": ("records", "recorded"), "letters": ("letters", "lettered"),
          "replay": ("replay", "resent")}
_made = {}


def validator(name):
    """Of one definition."""
    if name not in _made:
        # what belongs to the schema as a whole stays, so that references are found
        _made[name] = jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{name}"})
    return _made[name]


def fault(name, value):
    """Why this is none, or None."""
    return next((error.message for error in validator(name).iter_errors(value)), None)


def _parts(schema):
    """A schema and all that it refers to or is made of."""
    yield schema
    for other in (*schema.get("allOf", ()), *schema.get("oneOf", ()), *([SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]] if "$ref" in schema else ())):
        yield from _parts(other)


def undescribed(schema, value, path=""):
    """The members of an answer that its schema does not name: it allows them, for there will be more, but those of today are in it."""
    parts = list(_parts(schema))
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        return [found for each in value for found in undescribed({"allOf": items}, each, path + "[]")]
    if not isinstance(value, dict):
        return []
    named = {name: each for part in parts for name, each in part.get("properties", {}).items()}
    others = [part["additionalProperties"] for part in parts if isinstance(part.get("additionalProperties"), dict)]
    out = []
    for name, each in value.items():
        if name in named:
            out += undescribed(named[name], each, f"{path}.{name}")
        elif others:
            out += undescribed({"allOf": others}, each, f"{path}.{name}")
        else:
            out.append(f"{path}.{name}")
    return out


def answer_of(request):
    """The names of the definitions that a request and its answer are of."""
    asked, answered = _NAMES.get(request["query"], ("about", request["query"]))
    if request["query"] == "staged":
        asked, answered = "staged", "difference" if "view" in request else "stage"
    return asked, "explained" if request.get("explain") else answered


def _fewer(answer):
    return {key: value[:ROWS_MAX] if isinstance(value, list) else value for key, value in answer.items()}


def check(request, answer):
    """An answer must be one of its request's; whoever is answered well must have asked by the schema."""
    if not answer["ok"]:
        assert not (why := fault("error", answer)), f"{request}: {why}"
        return
    asked, answered = answer_of(request)
    assert not (why := fault(asked, request)), f"answered, though no request by the schema: {request}: {why}"
    assert not (why := fault(answered, _fewer(answer))), f"{request}: {why}"
