"""What SQL says of sales and a table of products, some of them never sold: the oracle of `join`, `with_missing` and what goes with
them (PROTOCOL.md, 6.6 and 6.9). SQLite counts in whole millionths, and knows nothing of till. Also draws random questions."""
import datetime
import sqlite3
from decimal import ROUND_HALF_EVEN, Decimal

MICROS = 10 ** 6
# the columns of the table, by their types; of the key: text
COLUMNS = {"name": "text", "category": "text", "weight": "integer", "listed": "money", "since": "time", "organic": "text"}
TIMES = ("day", "week", "month")
VIEWS = {"goods": ["product_id", "currency"], "sold": ["product_id", "channel", "day", "currency"]}
MEASURES = {"n": "integer", "units": "integer", "revenue": "money", "most": "integer", "mean": "decimal"}
SCHEMA = """
CREATE TABLE sales (product_id TEXT, channel TEXT, day TEXT, week TEXT, month TEXT, currency TEXT, quantity INTEGER, micros INTEGER);
CREATE TABLE products (product_id TEXT PRIMARY KEY, name TEXT, category TEXT, weight INTEGER, listed INTEGER, since TEXT, organic TEXT);
CREATE VIEW lines AS SELECT s.*, name, category, weight, listed, since, organic FROM sales s LEFT JOIN products USING (product_id);
"""
SUMS = "COUNT(*) AS n, SUM(quantity) AS units, SUM(micros) AS revenue, MAX(quantity) AS most"


def type_of(column):
    return MEASURES.get(column) or COLUMNS.get(column, "text")


def micros(text):
    return int(Decimal(text) * MICROS)


def money(number):
    text = f"{Decimal(number) / MICROS:f}" if number % MICROS else str(number // MICROS)
    whole, _, part = text.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def average(total, count):
    return money(int((Decimal(total) * MICROS / count).quantize(Decimal(1), ROUND_HALF_EVEN)))


def shown(column, value):
    return money(value) if value is not None and type_of(column) == "money" else value


def stored(column, value):
    return micros(value) if value is not None and type_of(column) == "money" else value


class Shop:
    def __init__(self, sales, products):
        """`sales`: (product, channel, day, currency, quantity, millionths); `products`: maps of the columns."""
        self.sql = sqlite3.connect(":memory:")
        self.sql.row_factory = sqlite3.Row
        self.sql.executescript(SCHEMA)
        for product, channel, day, currency, quantity, amount in sales:
            date = datetime.date.fromisoformat(day)
            week = date - datetime.timedelta(days=date.weekday())
            self.sql.execute("INSERT INTO sales VALUES (?,?,?,?,?,?,?,?)", (product, channel, day, week.isoformat(), day[:7], currency, quantity, amount))
        for row in products:
            self.sql.execute("INSERT INTO products VALUES (?,?,?,?,?,?,?)", [stored(name, row[name]) for name in ("product_id", *COLUMNS)])

    def values(self, column):
        table = "products" if column in COLUMNS or column == "product_id" else "sales"
        return [row[0] for row in self.sql.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1")]

    def answer(self, request):
        return Question(self.sql, request).rows()


class Question:
    def __init__(self, sql, request):
        self.sql, self.request = sql, request
        self.groups = VIEWS[request["view"]]
        if "group_by" in request:
            self.groups = [*request["group_by"], *(["currency"] if "currency" not in request["group_by"] else [])]
        self.parameters = []

    def test(self, condition):
        """A condition in SQL; a null passes none."""
        column, op, value = condition["field"], condition["op"], condition["value"]
        values = [stored(column, each) for each in (value if op == "in" else [value])]
        self.parameters += values
        if op == "in":
            return f"{column} IN ({','.join('?' * len(values))})"
        if op == "prefix":
            self.parameters.append(value)
            return f"SUBSTR({column}, 1, LENGTH(?)) = ?"
        return f"{column} {op} ?"

    def tests(self, admits):
        found = [self.test(each) for each in self.request.get("where", ()) if admits(each["field"])]
        return " AND ".join(found) or "1"

    def period(self, bounds):
        self.parameters += bounds.values()
        return "".join(f" AND day {'>=' if name == 'from' else '<'} ?" for name in bounds)

    def merged(self, bounds):
        where = self.tests(lambda column: column not in MEASURES) + self.period(bounds)
        having = "HAVING COUNT(*) > 0"  # SQL's sum of nothing is a row
        by = f"GROUP BY {', '.join(self.groups)}" if self.groups else ""
        return f"SELECT {', '.join([*self.groups, SUMS])} FROM lines WHERE {where} {by} {having}"

    def same(self, a, b, columns):
        return " AND ".join([f"{a}.{column} IS {b}.{column}" for column in columns]) or "1"

    def fixed(self, column):
        """What a condition holds a column to that the table does not tell."""
        values = [each["value"] for each in self.request.get("where", ()) if each["field"] == column and each["op"] == "="]
        self.parameters += values[:1]
        return f"? AS {column}" if values else f"NULL AS {column}"

    def missing(self):
        """Groups of the table's rows that nothing is there of; for what was there only earlier there is a row of its own."""
        told = [column for column in self.groups if column in COLUMNS or column == "product_id"]
        columns = [column if column in told else self.fixed(column) for column in self.groups]
        where = self.tests(lambda column: column in COLUMNS or column == "product_id")
        return f"""SELECT DISTINCT {', '.join([*columns, '0, 0, 0, NULL'])} FROM products p
            WHERE {where} AND NOT EXISTS (SELECT 1 FROM all_of WHERE {self.same('all_of', 'p', told)})"""

    def statement(self):
        request = self.request
        parts = [f"now AS ({self.merged(request.get('range', {}))})"]
        parts.append(f"earlier AS ({self.merged(self.before())})")
        gone = f"""UNION ALL SELECT {', '.join([*self.groups, '0, 0, 0, NULL'])} FROM earlier
            WHERE NOT EXISTS (SELECT 1 FROM now WHERE {self.same('now', 'earlier', self.groups)})"""
        zeros = request.get("with_missing")
        parts.append(f"all_of AS (SELECT * FROM now {gone if zeros and 'compare' in request else ''})")
        parts.append(f"rows AS (SELECT * FROM all_of {'UNION ALL ' + self.missing() if zeros else ''})")
        measures = ", ".join(f"e.{name} AS earlier_{name}" for name in MEASURES if name != "mean")
        parts.append(f"beside AS (SELECT rows.*, {measures} FROM rows LEFT JOIN earlier e ON {self.same('rows', 'e', self.groups)})")
        return f"WITH {', '.join(parts)} SELECT * FROM beside WHERE {self.tests(lambda column: column in MEASURES)}"

    def before(self):
        """The range as much earlier; of rows by time there is no comparison in these questions."""
        if "compare" not in self.request:
            return {"to": "0000"}
        if "to" in self.request["compare"]:
            return self.request["compare"]["to"]
        days = int(self.request["compare"]["shift"][:-1])
        return {name: (datetime.date.fromisoformat(day) - datetime.timedelta(days=days)).isoformat() for name, day in self.request["range"].items()}

    def row(self, found):
        out = {column: shown(column, found[column]) for column in self.groups}
        out |= {name: shown(name, found[name]) for name in MEASURES if name != "mean"}
        out["mean"] = average(found["units"], found["n"]) if found["n"] else None
        if "product_id" in self.groups:
            known = self.sql.execute("SELECT * FROM products WHERE product_id = ?", (found["product_id"],)).fetchone()
            out |= {name: shown(name, known[name]) for name in COLUMNS if known and name not in self.groups}
        if "compare" in self.request:
            out |= self.compared(found, out)
        return out

    def compared(self, found, out):
        count = found["earlier_n"] or 0
        previous = {"n": count, "units": found["earlier_units"] or 0, "revenue": money(found["earlier_revenue"] or 0), "most": found["earlier_most"],
                    "mean": average(found["earlier_units"], count) if count else None}
        difference = {}
        for name, kind in MEASURES.items():
            now, then = out[name], previous[name]
            difference[name] = None if None in (now, then) else now - then if kind == "integer" else money(micros(now) - micros(then))
        return {"previous": previous, "difference": difference}

    def rows(self):
        found = list(self.sql.execute(self.statement(), self.parameters))
        found.sort(key=lambda row: [rank(row[column]) for column in self.groups])
        for order in reversed(self.orders()):
            there = [row for row in found if self.value(row, order["by"]) is not None]
            missing = [row for row in found if self.value(row, order["by"]) is None]
            is_down = order.get("order", "asc") == "desc"
            # Python keeps ties as they were, in reverse too
            there.sort(key=lambda row, by=order["by"]: rank(self.value(row, by)), reverse=is_down)
            found = there + missing
        rows = [self.row(each) for each in self.chosen(found)]
        return rows[:self.request["limit"]] if "limit" in self.request else rows

    def orders(self):
        if self.request["query"] == "top":
            return [{"by": self.request["by"], "order": self.request.get("order", "desc")}]
        return self.request.get("order_by", [])

    def chosen(self, found):
        """Of a get: the rows whose key begins as one that is asked for, in the order of those."""
        if self.request["query"] != "get":
            return found
        keys = [[stored(column, value) for column, value in zip(self.groups, key)] for key in self.request["keys"]]
        return [row for key in keys for row in found if [row[column] for column in self.groups[:len(key)]] == key]

    def value(self, found, column):
        if column == "mean":
            return micros(average(found["units"], found["n"])) if found["n"] else None
        if column in found.keys():
            return found[column]
        known = self.sql.execute(f"SELECT {column} FROM products WHERE product_id = ?", (found["product_id"],)).fetchone()
        return known[0] if known else None


def rank(value):
    """In the order of keys: null first, text by its bytes."""
    return (0, b"") if value is None else (1, value.encode() if isinstance(value, str) else value)


# --- random questions ---

def draw_condition(dice, shop, columns):
    column = dice.choice(columns)
    value = dice.choice([each for each in shop.values(column) if each is not None])
    is_text = type_of(column) == "text"
    op = dice.choice(["=", "=", "!=", "<", "<=", ">", ">=", "in", *(["prefix"] if is_text and column not in TIMES else [])])
    if op == "in":
        others = [each for each in dice.sample(shop.values(column), 1) if each is not None]
        return {"field": column, "op": op, "value": [shown(column, each) for each in [value, *others]]}
    return {"field": column, "op": op, "value": value[:1] if op == "prefix" else shown(column, value)}


def draw_measure(dice):
    name, value = dice.choice([("n", 0), ("n", 3), ("units", 10), ("revenue", "20.50"), ("most", 5)])
    return {"field": name, "op": dice.choice(["=", "!=", "<", "<=", ">", ">="]), "value": value}


def draw_groups(dice, view):
    own = [column for column in VIEWS[view] if column != "currency"] + (["week", "month"] if view == "sold" else [])
    columns = dice.sample([*own, *COLUMNS, "currency"], dice.choice([1, 1, 2, 3]))
    return columns if dice.random() < 0.5 else [dice.choice(list(COLUMNS)), *(each for each in columns if each not in COLUMNS)]


def draw_period(dice, shop):
    days = shop.values("day")
    first = dice.randrange(len(days) - 1)
    return {"from": days[first], "to": days[dice.randrange(first + 1, len(days))]}


def draw_time(dice, shop, request, groups):
    if dice.random() < 0.8:
        request["range"] = draw_period(dice, shop)
    if "range" in request and dice.random() < 0.7 and not set(groups) & set(TIMES):
        request["compare"] = dice.choice([{"shift": f"{dice.choice([1, 7, 14])}d"}, {"to": draw_period(dice, shop)}])


def draw_form(dice, request, shop, groups):
    """top, bands, get or a scan by columns or by keys."""
    form = dice.choice(["scan", "by", "by", "top", "get"])
    columns = [*groups, *MEASURES, *(COLUMNS if "product_id" in groups else ())]
    if form == "by":
        orders = [{"by": name, "order": dice.choice(["asc", "desc"])} for name in dice.sample(list(dict.fromkeys(columns)), dice.choice([1, 2]))]
        request |= {"order_by": orders, "limit": dice.choice([1, 7, 5000])}
    elif form == "top":
        request |= {"query": "top", "by": dice.choice(list(MEASURES)), "order": dice.choice(["asc", "desc"]), "limit": dice.choice([1, 7, 5000])}
    elif form == "get":
        keys = [[shown(column, dice.choice(shop.values(column))) for column in groups] for _ in range(3)]
        keys = [key[:-1] if groups[-1] == "currency" and len(key) > 1 else key for key in keys]
        if all(value is not None or column in COLUMNS for key in keys for column, value in zip(groups, key)):
            request |= {"query": "get", "keys": keys}


def draw_question(dice, shop):
    view = dice.choice(["goods", "sold", "sold"])
    request = {"query": "scan", "view": view, "join": "products"}
    groups = VIEWS[view]
    if dice.random() < 0.75:
        request["group_by"] = draw_groups(dice, view)
        groups = [*request["group_by"], *(["currency"] if "currency" not in request["group_by"] else [])]
    if dice.random() < 0.75 and (set(groups) & {*COLUMNS, "product_id"}):
        request["with_missing"] = True
    if view == "sold" and dice.random() < 0.8:
        draw_time(dice, shop, request, groups)
    own = [column for column in VIEWS[view] if column != "day" or "compare" not in request]
    conditions = [draw_condition(dice, shop, own if dice.random() < 0.4 else list(COLUMNS)) for _ in range(dice.choice([0, 0, 1, 1, 2]))]
    fixed = [each["field"] for each in conditions if each["op"] == "="]
    conditions = [each for each in conditions if fixed.count(each["field"]) < 2]
    conditions += [draw_measure(dice) for _ in range(dice.choice([0, 0, 0, 1]))]
    if conditions:
        request["where"] = conditions
    draw_form(dice, request, shop, groups)
    return request
