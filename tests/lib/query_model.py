"""A model of queries (PROTOCOL.md, 6.6) over the plain rows of a view: filters, roll-ups, order, ranges and comparisons, with
Decimal, datetime and zoneinfo. It knows nothing of how till does it. Also draws random questions."""
import datetime
import functools
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from zoneinfo import ZoneInfo

UTC = datetime.timezone.utc
TIMES = ["minute", "hour", "day", "week", "month"]
COARSER = {"minute": ["hour", "day", "week", "month", "weekday", "hour_of_day"], "hour": ["day", "week", "month", "weekday", "hour_of_day"],
           "day": ["week", "month", "weekday"], "week": [], "month": []}
UNITS = {"min": 0, "h": 1, "d": 2, "w": 3, "mo": 4, "y": 4}


class Refused(Exception):
    """With the code that an answer must have."""


class View:
    """`measures`: name -> (operation, type), the operation one of count, sum, min, max, distinct_basket, and ("average", sum's column,
    count's column), ("last", the column of the newest ts)."""

    def __init__(self, name, groups, measures, zone="UTC"):
        self.name, self.groups, self.measures = name, groups, measures
        self.zone_name, self.zone = zone, ZoneInfo(zone)
        times = [group for group in groups if group in TIMES]
        self.time = min(times, key=TIMES.index) if times else None

    # --- time ---

    @functools.cache  # noqa: B019 - a handful of views, a few thousand texts
    def instant(self, text):
        """Of the start of a bucket, as till writes it."""
        if len(text) == 7:
            text += "-01"
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = self.to_utc(moment)
        return moment.astimezone(UTC)

    def local(self, instant):
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def to_utc(self, local):
        """The first of two; the instant of the skip of one that does not occur."""
        moment = local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        if self.local(moment) == local:
            return moment
        low, high = moment - datetime.timedelta(days=1), moment + datetime.timedelta(days=1)
        before = low.astimezone(self.zone).utcoffset()
        while high - low > datetime.timedelta(milliseconds=1):
            middle = low + (high - low) / 2
            low, high = (middle, high) if middle.astimezone(self.zone).utcoffset() == before else (low, middle)
        return high.replace(microsecond=0) + datetime.timedelta(seconds=high.microsecond > 0)

    @functools.cache  # noqa: B019
    def bucket(self, instant, name):
        """The text or number of the bucket that the instant is in."""
        local = self.local(instant)
        if name in ("minute", "hour"):
            offset = "" if self.zone_name == "UTC" else instant.astimezone(self.zone).strftime("%z")
            offset = offset and f"{offset[:3]}:{offset[3:5]}"
            return local.strftime("%Y-%m-%dT%H:%M" if name == "minute" else "%Y-%m-%dT%H:00") + offset
        if name == "weekday":
            return local.isoweekday()
        if name == "hour_of_day":
            return local.hour
        day = local.date() - datetime.timedelta(days=local.weekday() if name == "week" else 0)
        return day.strftime("%Y-%m" if name == "month" else "%Y-%m-%d")

    @functools.cache  # noqa: B019
    def shifted(self, instant, span, times=-1):
        count, unit = span
        if unit in ("min", "h"):
            return instant + times * datetime.timedelta(minutes=count * {"min": 1, "h": 60}[unit])
        local = self.local(instant)
        if unit in ("d", "w"):
            return self.to_utc(local + times * datetime.timedelta(days=count * {"d": 1, "w": 7}[unit]))
        month = local.year * 12 + local.month - 1 + times * count * {"mo": 1, "y": 12}[unit]
        end = datetime.date((month + 1) // 12, (month + 1) % 12 + 1, 1) - datetime.timedelta(days=1)
        return self.to_utc(local.replace(year=month // 12, month=month % 12 + 1, day=min(local.day, end.day)))

    # --- rows ---

    def column(self, row, name):
        if name in row:
            return row[name]
        return self.bucket(self.instant(row[self.time]), name)

    def order_value(self, name, value):
        """Comparable with others of the column; None where there is none."""
        if value is None or name in ("weekday", "hour_of_day"):
            return value
        if name in TIMES:
            return self.instant(value)
        kind = self.measures[name][1] if name in self.measures else "text"
        return {"integer": int, "money": Decimal, "decimal": Decimal, "text": str.encode, "time": str}[kind](value)

    def key(self, row, groups):
        return tuple(self.order_value(name, row[name]) for name in groups)

    def holds(self, row, condition):
        name, op, wanted = condition["field"], condition["op"], condition["value"]
        value = self.order_value(name, self.column(row, name))
        if value is None:
            return False
        if op == "in":
            return value in [self.order_value(name, each) for each in wanted]
        if op == "prefix":
            return value.startswith(wanted.encode())
        other = self.order_value(name, wanted)
        return {"=": value == other, "!=": value != other, "<": value < other, "<=": value <= other, ">": value > other, ">=": value >= other}[op]

    def merged(self, rows):
        """One row's measures out of several rows'."""
        out = {}
        for name, (op, kind) in self.measures.items():
            values = [row[name] for row in rows if row[name] is not None]
            number = [self.order_value(name, value) for value in values]
            if op in ("count", "sum", "distinct_basket"):
                total = sum(number, Decimal(0) if kind == "money" else 0)
                out[name] = money(total) if kind == "money" else total
            elif op in ("min", "max"):
                best = {"min": min, "max": max}[op](number, default=None)
                out[name] = next((value for value in values if self.order_value(name, value) == best), None)
            elif op[0] == "last":
                newest = max((row for row in rows if row[name] is not None), key=lambda row: row[op[1]], default=None)
                out[name] = newest and newest[name]
        for name, (op, _) in self.measures.items():
            if op[0] == "average":
                count = out[op[2]]
                out[name] = average(Decimal(out[op[1]]), count) if count else None
        return out

    def rolled(self, rows, groups):
        found = {}
        for row in rows:
            values = {name: self.column(row, name) for name in groups}
            found.setdefault(tuple(values.values()), (values, []))[1].append(row)
        return [{**values, **self.merged(parts)} for values, parts in found.values()]

    def nothing(self):
        return {name: ("0.00" if kind == "money" and op == "sum" else 0 if op in ("count", "sum", "distinct_basket") else None)
                for name, (op, kind) in self.measures.items()}

    def difference(self, row, previous):
        out = {}
        for name, (_, kind) in self.measures.items():
            if kind in ("text", "time"):
                continue
            pair = [self.order_value(name, each[name]) for each in (row, previous)]
            out[name] = None if None in pair else pair[0] - pair[1] if kind == "integer" else money(pair[0] - pair[1])
        return out


def money(amount):
    whole, _, part = f"{amount:f}".partition(".")
    part = part[:6].rstrip("0").ljust(2, "0")
    return "0." + part if whole == "-0" and not part.strip("0") else f"{whole}.{part}"


def average(total, count):
    with localcontext() as context:
        context.prec = 60
        return money((total / count).quantize(Decimal("0.000001"), ROUND_HALF_EVEN))


def share(part, whole):
    """As text; None where there is no whole."""
    if whole <= 0:
        return None
    with localcontext() as context:
        context.prec = 80
        return money((Decimal(part) / Decimal(whole)).quantize(Decimal("0.000001"), ROUND_HALF_EVEN))


def span_of(text):
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(digits), text[len(digits):]


class Question:
    """One request against the rows of its view."""

    def __init__(self, view, request, event_ts):
        self.view, self.request = view, request
        self.groups = view.groups
        if "group_by" in request:
            self.groups = list(request["group_by"])
            if "currency" in view.groups and "currency" not in self.groups:
                self.groups.append("currency")
        times = [group for group in self.groups if group in TIMES]
        self.time = min(times, key=TIMES.index) if times else None
        self.check_distinct()
        self.period, self.earlier = self.periods(event_ts)

    def check_distinct(self):
        lost = [group for group in self.view.groups if group not in self.groups and group != "edge"]
        if lost and any(op == "distinct_basket" for op, _ in self.view.measures.values()):
            raise Refused("bad_request")

    def periods(self, event_ts):
        view, asked = self.view, self.request.get("range", {})
        period = [view.instant(asked[bound]) if bound in asked else None for bound in ("from", "to")]
        if "last" in asked:
            count, unit = span_of(asked["last"])
            if not fits(unit, view.time):
                raise Refused("bad_request")
            count, unit = (count * 12, "mo") if unit == "y" else (count, unit)
            name = {"min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}[unit]
            start = view.instant(view.bucket(event_ts, name))
            period = [view.shifted(start, (count - 1, unit)), view.shifted(start, (1, unit), +1)]
        compare = self.request.get("compare")
        if compare is None:
            return period, None
        if "to" in compare:
            if self.time or not asked:
                raise Refused("bad_request")
            return period, [view.instant(compare["to"][bound]) for bound in ("from", "to")]
        span = span_of(compare["shift"])
        if not self.time and not asked or not fits(span[1], self.time or view.time):
            raise Refused("bad_request")
        return period, [bound and view.shifted(bound, span) for bound in period]

    def rows_of(self, rows, period):
        """Of the view, that count."""
        view = self.view
        for condition in self.request.get("where", ()):
            if condition["field"] not in view.measures:
                rows = [row for row in rows if view.holds(row, condition)]
        if period and any(period):
            start = {id(row): view.instant(row[view.time]) for row in rows}
            rows = [row for row in rows if (period[0] is None or start[id(row)] >= period[0]) and (period[1] is None or start[id(row)] < period[1])]
        return view.rolled(rows, self.groups) if "group_by" in self.request else rows

    def compared(self, row, earlier):
        view, key = self.view, {name: row[name] for name in self.groups}
        shift = self.request["compare"].get("shift")
        if shift and self.time:
            moment = view.shifted(view.instant(row[self.time]), span_of(shift))
            for name in self.groups:
                if name == self.time or name in COARSER[self.time]:
                    key[name] = view.bucket(moment, name)
        found = earlier.get(tuple(key.values()))
        previous = {name: found[name] for name in view.measures} if found else view.nothing()
        return {**row, "previous": previous, "difference": view.difference(row, previous)}

    def answer(self, rows):
        view, request = self.view, self.request
        found = self.rows_of(rows, self.period)
        found = [row for row in found if all(view.holds(row, each) for each in request.get("where", ()) if each["field"] in view.measures)]
        found.sort(key=lambda row: view.key(row, self.groups))
        if request["query"] == "bands":
            return self.bands(found)
        if request.get("cumulative") or "until_share" in request:
            limit = request.get("limit", 10000)
            return self.shares(self.chosen(found, len(found) + 1))[:limit]
        found = self.chosen(found)
        if "compare" in request:
            earlier = {tuple(row[name] for name in self.groups): row for row in self.rows_of(rows, self.earlier)}
            found = [self.compared(row, earlier) for row in found]
        return found

    # --- shares and bands ---

    def shares(self, found):
        """Of all rows, in the order of the answer."""
        view, by = self.view, self.request["by"]
        op, kind = view.measures[by]
        if op not in ("count", "sum") or (kind == "money" and len({row["currency"] for row in found}) > 1):
            raise Refused("bad_request")
        numbers = [view.order_value(by, row[by]) for row in found]
        whole, so_far, out = sum(numbers), 0, []
        for row, number in zip(found, numbers):
            so_far += number
            out.append({**row, "share": share(number, whole), "cumulative_share": share(so_far, whole)})
            reached = out[-1]["cumulative_share"]
            if "until_share" in self.request and reached and Decimal(reached) >= Decimal(self.request["until_share"]):
                break
        return out

    def bands(self, found):
        """Between the edges, or of equal widths; of each currency where the measure is money."""
        view, by = self.view, self.request["by"]
        op, kind = view.measures[by]
        if op not in ("count", "sum", "distinct_basket"):
            raise Refused("bad_request")
        is_money = kind == "money"
        parts = {}
        for row in found:
            parts.setdefault(row["currency"] if is_money else None, []).append(view.order_value(by, row[by]))
        out = []
        for currency in sorted(parts, key=lambda each: (each or "").encode()):
            numbers = parts[currency]
            out += [{**({"currency": currency} if is_money else {}), **band} for band in self.bands_of(numbers, is_money, op != "distinct_basket")]
        return out

    def edges(self, numbers, is_money):
        if "edges" in self.request:
            return [(Decimal if is_money else int)(edge) for edge in self.request["edges"]]
        least, unit, count = min(numbers), 10 ** 6 if is_money else 1, self.request["count"]
        width = int((max(numbers) - least) * unit)
        edges = [least + (Decimal(width * i // count) / unit if is_money else width * i // count) for i in range(1, count)]
        return [edge for at, edge in enumerate(edges) if edge > (edges[at - 1] if at else least)]

    def bands_of(self, numbers, is_money, adds_up):
        edges, whole = self.edges(numbers, is_money), sum(numbers)
        shown = (lambda number: money(number)) if is_money else (lambda number: number)
        bounds = [None, *edges, None] if "edges" in self.request else [min(numbers), *edges, max(numbers)]
        for at in range(len(edges) + 1):
            members = [each for each in numbers if sum(edge <= each for edge in edges) == at]
            yield {"from": bounds[at] if bounds[at] is None else shown(bounds[at]), "to": bounds[at + 1] if bounds[at + 1] is None else shown(bounds[at + 1]),
                   "rows": len(members), "row_share": share(len(members), len(numbers)),
                   "sum": shown(sum(members, Decimal(0) if is_money else 0)) if adds_up else None,
                   "share": share(sum(members), whole) if adds_up else None}

    def chosen(self, found, limit=None):
        view, request = self.view, self.request
        if request["query"] == "get":
            return [row for key in request["keys"] for row in found if [row[name] for name in self.groups][:len(key)] == key]
        if request["query"] == "top":
            orders = [{"by": request["by"], "order": request.get("order", "desc")}]
        else:
            orders = request.get("order_by", [])
            low, high = ([view.order_value(name, value) for name, value in zip(self.groups, request[bound])] if bound in request else None
                         for bound in ("from", "to"))
            found = [row for row in found if (not low or list(view.key(row, self.groups))[:len(low)] >= low) and
                     (not high or list(view.key(row, self.groups))[:len(high)] < high)]
        for order in reversed(orders):
            there = [row for row in found if row[order["by"]] is not None]
            there.sort(key=lambda row: view.order_value(order["by"], row[order["by"]]), reverse=False)
            if order.get("order", "asc") == "desc":  # stable the other way round
                there = sorted(there[::-1], key=lambda row: view.order_value(order["by"], row[order["by"]]))[::-1]
            found = there + [row for row in found if row[order["by"]] is None]
        return found[:limit or request["limit"]] if "limit" in request else found


def fits(unit, bucket):
    return unit == "w" if bucket == "week" else UNITS[unit] >= TIMES.index(bucket)


# --- random questions ---

def draw_condition(random, view, rows):
    names = [*view.groups, *view.measures, *(COARSER[view.time] if view.time else ())]
    name = random.choice(names)
    row = random.choice(rows)
    value = view.column(row, name)
    is_text = isinstance(value, str) and name not in TIMES and (name not in view.measures or view.measures[name][1] == "text")
    if value is None:
        return {"field": "edge", "op": "!=", "value": "x"}
    op = random.choice(["=", "!=", "<", "<=", ">", ">=", "in", *(["prefix"] if is_text else [])])
    if op == "in":
        others = [view.column(random.choice(rows), name) for _ in range(random.randrange(4))]
        return {"field": name, "op": op, "value": [value, *(each for each in others if each is not None)]}
    return {"field": name, "op": op, "value": value[:random.randrange(len(value) + 1)] if op == "prefix" else value}


def draw_range(random, view, rows):
    if random.random() < 0.3:
        return {"last": f"{random.choice([1, 2, 3, 7, 40])}{random.choice(['min', 'h', 'd', 'w', 'mo', 'y'])}"}
    bounds = sorted({view.instant(random.choice(rows)[view.time]) for _ in range(2)})
    asked = dict(zip(("from", "to"), (view.bucket(bound, view.time) for bound in bounds)))
    if len(asked) == 1:
        return random.choice([asked, {"to": asked["from"]}])
    return {random.choice(["from", "to"]): asked[random.choice(["from", "to"])]} if random.random() < 0.3 else asked


def draw_question(random, view, rows):
    """Any request; some are refused, and the model says so."""
    request = {"query": random.choice(["scan", "scan", "top", "top", "get", "bands"]), "view": view.name}
    names = list(dict.fromkeys([*view.groups, *(COARSER[view.time] if view.time else ())]))
    if random.random() < 0.6:
        request["group_by"] = random.sample(names, random.randrange(min(4, len(names)) + 1))
    if random.random() < 0.6:
        request["where"] = [draw_condition(random, view, rows) for _ in range(random.choice([1, 1, 2, 3]))]
    if view.time and random.random() < 0.5:
        request["range"] = draw_range(random, view, rows)
    if view.time and random.random() < 0.4 and request["query"] != "bands":
        request["compare"] = {"shift": f"{random.choice([1, 1, 2, 7])}{random.choice(['min', 'h', 'd', 'w', 'mo', 'y'])}"}
        if random.random() < 0.3:
            bounds = sorted({view.instant(random.choice(rows)[view.time]) for _ in range(2)})
            if len(bounds) == 2:
                request["compare"] = {"to": dict(zip(("from", "to"), (view.bucket(bound, view.time) for bound in bounds)))}
    times = [each["field"] for each in request.get("where", ()) if each["field"] in TIMES]
    if times and "compare" in request:
        del request["compare"]
    return finish(random, view, rows, request)


def draw_shares(random, view, request):
    request["cumulative"] = True
    request.pop("compare", None)
    if random.random() < 0.5:
        request["until_share"] = random.choice(["0.5", "0.80", "1", "0.000001", "0.333333"])
    if "currency" in view.groups and random.random() < 0.7:  # a share of money is of one currency
        request.setdefault("where", []).append({"field": "currency", "op": "=", "value": random.choice(["EUR", "NOK"])})


def draw_bands(random, view, rows, request):
    request["by"] = random.choice([name for name, (op, kind) in view.measures.items() if kind != "text"])
    if random.random() < 0.5:
        request["count"] = random.choice([1, 2, 5, 10, 101])
        return
    kind = view.measures[request["by"]][1]
    edges = {view.order_value(request["by"], random.choice(rows)[request["by"]]) for _ in range(4)} - {None} if kind in ("money", "integer") else {1}
    request["edges"] = [money(edge) if kind == "money" else edge for edge in sorted(edges)] or ["0"]


def finish(random, view, rows, request):
    groups = request.get("group_by", view.groups)
    groups = groups + ["currency"] if "currency" in view.groups and "currency" not in groups else groups
    row = random.choice(rows)
    if request["query"] == "top":
        numbers = [name for name, (_, kind) in view.measures.items() if kind != "text"]
        request |= {"by": random.choice(numbers), "limit": random.choice([1, 3, 100]), "order": random.choice(["asc", "desc"])}
        if random.random() < 0.5:
            draw_shares(random, view, request)
    elif request["query"] == "bands":
        draw_bands(random, view, rows, request)
    elif request["query"] == "get":
        keys = [[view.column(each, name) for name in groups] for each in random.choices(rows, k=random.choice([1, 2, 5]))]
        keys = [key[:-1] if groups[-1:] == ["currency"] and len(key) > 1 and random.random() < 0.3 else key for key in keys]
        request["keys"] = [key for key in keys if key]
        if not request["keys"]:
            request |= {"query": "scan"}
            del request["keys"]
    elif random.random() < 0.4:
        columns = random.sample([*groups, *view.measures], random.choice([1, 2]))
        request |= {"order_by": [{"by": name, "order": random.choice(["asc", "desc"])} for name in columns], "limit": random.choice([1, 7, 5000])}
    if request["query"] == "scan" and random.random() < 0.3 and groups:
        size = random.randrange(1, len(groups) + 1)
        request[random.choice(["from", "to"])] = [view.column(row, name) for name in groups[:size]]
    return request
