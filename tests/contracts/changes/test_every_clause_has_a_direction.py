"""What each change of a contract does to readers: one table, read in both directions.

A row is two texts of the same contract that says everything (`rich.odcs.yaml`), and what it is to go
from the first to the second, and back. `worst` of a direction is the strongest effect, `about` what its
changes say, each in the order of the effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from shared_resources.contracts.changes.change import Effect
from shared_resources.contracts.changes.comparing import breaks, contract_changes
from shared_resources.contracts.compiling.clauses import VERDICTS
from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.contracts.rules.registry import all_kinds
from tests.contracts.reading import column_contract, read, rich
from tests.tiny_mesh import column, contract_text

B, C, S = Effect.BREAKING, Effect.COMPATIBLE, Effect.COSMETIC


@dataclass(frozen=True)
class Row:
    """`field` is the clause that it is about; `on` are the columns that it names."""

    field: str
    was: str
    now: str
    there: Effect
    back: Effect
    on: tuple[str, ...] = ()
    said: str = ""
    said_back: str = ""
    more: tuple[str, str] | None = None

    @property
    def after(self) -> str:
        return rich((self.was, self.now), *([self.more] if self.more else []))


_PRICE = "logicalTypeOptions: {minimum: 0, maximum: 9999.99, multipleOf: 0.01}"
_NOTE = "      - {name: note, logicalType: string, description: A., classification: public}\n"
_STATE = 'arguments: {validValues: [open, paid], pattern: "^[a-z]+$"}'
_ZONED = """\
          timezone: true
          defaultTimezone: Etc/UTC
          format: yyyy-MM-dd HH:mm:ss
          minimum: "2017-01-01T00:00:00Z"
          exclusiveMinimum: "2016-12-31T23:59:59Z"
"""
_PAID = 'logicalTypeOptions: {maximum: "2030-12-31"}'
_LATENCY = "{property: latency, value: 2, unit: d,"
_ROWS = "{name: enough_rows, metric: rowCount, mustBeGreaterThan: 100, severity: warning}"
_FUTURE = 'query: "SELECT count(*) FROM ${object} WHERE sold_at > now()", mustBe: 0}'
_KEPT = "{property: retention, value: 3, unit: y}"
_WAREHOUSES = """\
  - server: warehouse
    type: duckdb
    environment: local
    database: mesh
    schema: order
    roles: [{role: reader}]
    customProperties: [{property: size, value: small, vendor: acme}]
  - {server: warehouse, type: snowflake, environment: production, account: a, database: d, schema: s}
"""
_SERVED = """\
  - server: serving
    type: custom
    customProperties:
      - {property: columns, vendor: mesh, value: [state, paid_on]}
      - {property: graceMinutes, vendor: mesh, value: 5}
      - {property: generations, vendor: mesh, value: 4}
"""
_ADDS_UP = (
    '      - {name: adds_up, type: custom, engine: python, implementation: "rules:adds_up", '
    "severity: blocking}\n"
)
_CATALOG = (
    "          - to: product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id\n"
    "            type: foreignKey\n"
    "            id: to_catalog\n"
)


def _former(name: str, value: str) -> str:
    return f"{name} customProperties: [{{property: renamedFrom, vendor: mesh, value: {value}}}],"


TABLE = {
    "a role goes": Row(
        "roles", "  - {role: auditor, access: read}\n", "",
        B, C, said="the role auditor is gone", said_back="the role auditor is new",
    ),
    "a role shows a column less": Row(
        "columns", "[line_id, product_id, price]", "[line_id, product_id]",
        B, C, ("price",), "does not show price any more", "shows price, too",
    ),
    "a role masks a column": Row(
        "masks", "{product_id: mask-to-fixed-value}",
        "{product_id: mask-to-fixed-value, price: {generalise: 10}}",
        B, C, ("price",), "shows price as generalise 10", "shows price without a mask",
    ),
    "a role masks a column otherwise": Row(
        "masks", "{product_id: mask-to-fixed-value}", "{product_id: keyed-hash}",
        B, B, ("product_id",), "and did as mask-to-fixed-value", "and did as keyed-hash",
    ),
    "a role shows other rows": Row(
        "rows", "price > 1", "price > 2",
        B, B, said="shows other rows: where price > 2", said_back="where price > 1",
    ),
    "a role shows all rows": Row(
        "rows", '      - {property: rows, vendor: mesh, value: "price > 1"}\n', "",
        C, B, said="shows all rows", said_back="shows other rows",
    ),
    "a role is described": Row(
        "roles", "  - {role: auditor, access: read}\n",
        "  - {role: auditor, access: read, description: Who looks.}\n",
        S, S, said="another description of the role auditor",
    ),
    "a column comes": Row(
        "name", "    quality:\n      - {name: enough", f"{_NOTE}    quality:\n      - {{name: enough",
        C, B, ("note",), "column note is new", "column note is gone",
    ),
    "a column is called otherwise": Row(
        "name", "name: weight,", "name: mass,", B, B, ("weight",), "column weight is gone",
    ),
    "a column is called otherwise, and its rows stay": Row(
        "renamedFrom", "name: weight,", _former("name: mass,", "weight"), B, B, ("weight",),
        "column weight is called mass, and is not served", "column mass is gone",
    ),
    "a column is called otherwise, and is served by both names": Row(
        "renamedFrom", "name: weight,", _former("name: mass,", "{name: weight, until: \"2999-12-31\"}"),
        C, B, ("weight",), "column weight is called mass, and is served under its old name until",
        "column mass is gone",
    ),
    "a column was to be served until a day that is over": Row(
        "renamedFrom", "name: weight,", _former("name: mass,", "[{name: weight, until: \"2020-12-31\"}]"),
        B, B, ("weight",), "until 2020-12-31, which is over", "column mass is gone",
    ),
    "a column is served by another name, too": Row(
        "renamedFrom", "name: weight,", _former("name: weight,", "{name: mass, until: \"2999-12-31\"}"),
        C, B, ("mass",), "weight is served as mass, too, until 2999-12-31", "not served as mass any more",
    ),
    "columns in another order": Row(
        "properties",
        "      - {name: returned, logicalType: boolean, description: Whether it came back., "
        "classification: public}\n",
        "", B, C, ("returned",), "column returned is gone", "column returned is new",
    ),
    "a number becomes a text": Row(
        "logicalType", "name: returned, logicalType: boolean", "name: returned, logicalType: string",
        B, B, ("returned",), "the type changes: returned from BOOLEAN to VARCHAR",
    ),
    "a number of other digits": Row(
        "physicalType", "DECIMAL(12,2)", "DECIMAL(14,2)", C, B, ("price",), "the type is wider",
        "the type changes: price from DECIMAL(14,2) to DECIMAL(12,2)",
    ),
    "a number of other places": Row(
        "physicalType", "DECIMAL(12,2)", "DECIMAL(12,3)", B, B, ("price",), "the type changes",
    ),
    "a float of other width": Row(
        "format", "{format: f32}", "{format: f64}", C, B, ("weight",), "the type is wider",
    ),
    "a moment with a zone": Row(
        "timezone", _ZONED, _ZONED.replace("true", "false").replace("Z\"", "\""), B, B, ("sold_at",),
        "the type changes: sold_at from TIMESTAMP WITH TIME ZONE to TIMESTAMP",
    ),
    "a text of other length": Row(
        "physicalType", "VARCHAR(12)", "VARCHAR(15)", B, C, ("product_id",),
        "check length_product_id lets more through: maxLength 15, before 12",
        "check length_product_id asks for more",
    ),
    "a nullable column is required": Row(
        "required", "description: Whether it came back.,",
        "description: Whether it came back., required: true,", C, B, ("returned",),
        "returned is never null any more", "returned may now be null",
    ),
    "values may repeat": Row(
        "unique", "        unique: true\n", "", B, C, ("product_id",),
        "values of product_id may repeat now", "no value of product_id repeats",
    ),
    "the key is a shorter one": Row(
        "primaryKey", "        required: true\n        primaryKey: true\n        primaryKeyPosition: 2\n",
        "        required: true\n", B, B, ("line_id", "sold_at"),
        "the primary key was (line_id, sold_at) and is (line_id)",
        "the primary key was (line_id) and is (line_id, sold_at)",
    ),
    "the key in another order": Row(
        "primaryKeyPosition", "primaryKeyPosition: 2\n", "primaryKeyPosition: 1\n", B, B,
        ("line_id", "sold_at"), "the primary key was (line_id, sold_at) and is (sold_at, line_id)",
        more=("primaryKeyPosition: 1\n", "primaryKeyPosition: 2\n"),
    ),
    "a column becomes classified": Row(
        "classification", "description: What was sold.\n        classification: public",
        "description: What was sold.\n        classification: restricted", B, C, ("product_id",),
        "people see it masked", "the classification of product_id is public",
    ),
    "a classified column is more so": Row(
        "classification", "classification: confidential", "classification: restricted", C, C,
        ("state",), "the classification of state is restricted and was confidential",
    ),
    "an open column becomes internal": Row(
        "classification", "description: What was sold.\n        classification: public",
        "description: What was sold.\n        classification: internal", C, C, ("product_id",),
        "internal and was public",
    ),
    "files may lack a column": Row(
        "mayBeAbsent", "description: Whether it came back., classification: public",
        "description: Whether it came back., classification: public, customProperties: "
        "[{property: mayBeAbsent, vendor: mesh, value: \"2017-03-01\"}]", B, C, ("returned",),
        "files of days before 2017-03-01 may lack returned", "every file has returned",
    ),
    "landed files call it otherwise": Row(
        "physicalName", "physicalName: line_id", "physicalName: LINE", C, C, ("line_id",),
        "landed files call line_id LINE",
    ),
    "landed text is read otherwise": Row(
        "format", "format: yyyy-MM-dd HH:mm:ss", "format: dd.MM.yyyy HH:mm", C, C, ("sold_at",),
        "landed text is read as dd.MM.yyyy HH:mm",
    ),
    "a text has no format": Row(
        "format", ", format: uuid}", "}", B, C, ("product_id",), "check format_product_id is gone",
        "check format_product_id is new",
    ),
    "a text of another format": Row(
        "format", "format: uuid", "format: email", B, B, ("product_id",),
        "check format_product_id asks for something else",
    ),
    "a text is to be taken otherwise": Row(
        "format", "format: uuid", "format: byte", B, B, ("product_id",), "is to be taken as byte",
    ),
    "a value is described otherwise": Row(
        "description", "description: What was sold.\n", "description: The product.\n", S, S,
        ("product_id",), "another description",
    ),
    "a column has another name for people": Row(
        "businessName", "businessName: Line number", "businessName: Number", S, S, ("line_id",),
        "another businessName",
    ),
    "a column has other tags": Row("tags", "tags: [key]", "tags: [id]", S, S, ("line_id",), "tags"),
    "a least number sinks": Row(
        "minimum", _PRICE, _PRICE.replace("minimum: 0", "minimum: -1"), B, C, ("price",),
        "check range_price lets more through: minimum -1.00, before 0.00", "asks for more: minimum 0.00",
    ),
    "a least number goes": Row(
        "minimum", _PRICE, _PRICE.replace("minimum: 0, ", ""), B, C, ("price",), "minimum none",
    ),
    "a largest number sinks": Row(
        "maximum", _PRICE, _PRICE.replace("9999.99", "999.99"), C, B, ("price",), "asks for more",
        "lets more through: maximum 9999.99",
    ),
    "a bound is left out itself": Row(
        "exclusiveMinimum", _PRICE, _PRICE.replace("minimum", "exclusiveMinimum"), C, B, ("price",),
        "asks for more", "lets more through",
    ),
    "an upper bound is in itself": Row(
        "exclusiveMaximum", "exclusiveMaximum: 1000000", "maximum: 1000000", B, C, ("line_id",),
        "lets more through",
    ),
    "the same bound in other words": Row(
        "exclusiveMaximum", "exclusiveMaximum: 1000000", "exclusiveMaximum: 1000000.0", S, S,
    ),
    "a latest day comes sooner": Row(
        "maximum", _PAID, _PAID.replace("2030", "2029"), C, B, ("paid_on",), "asks for more",
        "lets more through",
    ),
    "a column is a subject's key": Row(
        "subject", "value: {level: [1, 2]}, vendor: zeenea}]",
        "value: {level: [1, 2]}, vendor: zeenea}, {property: subject, vendor: mesh, value: shopper}]",
        S, S, ("line_id",), "another customProperties.subject",
    ),
    "any file may lack a column": Row(
        "mayBeAbsent", "description: Whether it came back., classification: public",
        "description: Whether it came back., classification: public, customProperties: "
        "[{property: mayBeAbsent, vendor: mesh, value: true}]", B, C, ("returned",),
        "any file may lack returned", "every file has returned",
    ),
    "a range goes": Row(
        "maximum", f", {_PAID}", "", B, C, ("paid_on",), "check range_paid_on is gone",
        "check range_paid_on is new",
    ),
    "a whole number's bound is the one beside it, left out": Row(
        "minimum", "{minimum: 1, exclusiveMaximum: 1000000,", "{exclusiveMinimum: 0, maximum: 999999,",
        S, S,
    ),
    "a day's bound is the one beside it, left out": Row(
        "maximum", _PAID, 'logicalTypeOptions: {exclusiveMaximum: "2031-01-01"}', S, S,
    ),
    "the last day of all is left out": Row(
        "exclusiveMaximum", 'maximum: "2030-12-31"', 'exclusiveMinimum: "9999-12-31"', B, B,
    ),
    "a range moves": Row(
        "minimum", _PRICE, _PRICE.replace("minimum: 0, maximum: 9999.99", "minimum: 1, maximum: 10000"),
        B, B, ("price",), "asks for something else",
    ),
    "steps become larger": Row(
        "multipleOf", "multipleOf: 0.01", "multipleOf: 0.05", C, B, ("price",), "asks for more",
        "lets more through",
    ),
    "steps become others": Row(
        "multipleOf", "multipleOf: 1,", "multipleOf: 3,", C, B, ("line_id",), "asks for more",
    ),
    "a text is to match something else": Row(
        "pattern", 'pattern: "^[0-9]+$"', 'pattern: "^[0-9]{1,9}$"', B, B, ("product_id",),
        "asks for something else",
    ),
    "a text need match nothing": Row(
        "pattern", 'pattern: "^[0-9]+$", ', "", B, C, ("product_id",), "pattern_product_id is gone",
    ),
    "a text may be shorter": Row(
        "minLength", "minLength: 1", "minLength: 0", B, C, ("product_id",), "lets more through",
    ),
    "a text may be longer": Row(
        "maxLength", "maxLength: 20", "maxLength: 10", C, B, ("product_id",), "asks for more",
    ),
    "an enumeration has one more": Row(
        "enum", "          - {value: paid}\n", "          - {value: paid}\n          - {value: lost}\n",
        B, C, ("state",), "check enumeration_state lets more through: values with lost",
        "values without lost",
    ),
    "an enumeration in another order": Row(
        "enum", "          - {value: paid}\n", "          - {value: paid, label: Paid}\n", S, S,
    ),
    "an enumeration goes": Row(
        "enum", "        enum:\n          - {value: open, label: Open, description: Not paid., "
        "id: open_state, tags: [x]}\n          - {value: paid}\n", "", B, C, ("state",),
        "check enumeration_state is gone",
    ),
    "more may be invalid": Row(
        "quality", "mustBeLessThan: 1\n", "mustBeLessThan: 2\n", B, C, ("state",),
        "check state_known lets more through: mustBeLessThan 2 %, before mustBeLessThan 1 %",
        "asks for more",
    ),
    "other values are invalid": Row(
        "quality", _STATE, _STATE.replace("[open, paid]", "[open]"), C, B, ("state",),
        "asks for more: validValues without paid", "validValues with paid",
    ),
    "invalid by rows and not by percent": Row(
        "quality", "mustBeLessThan: 1\n            unit: percent", "mustBeLessThan: 2", B, B,
        ("state",), "asks for something else",
    ),
    "none instead of some percent": Row(
        "quality", "mustBeLessThan: 1\n            unit: percent", "mustBeLessThan: 1", C, B,
        ("state",), "asks for more", "lets more through",
    ),
    "another pattern is invalid": Row(
        "quality", _STATE, _STATE.replace("^[a-z]+$", "^[a-z]*$"), B, B, ("state",), "pattern",
    ),
    "more values count as missing": Row(
        "quality", 'missingValues: [null, "", N/A]', 'missingValues: [null, "", N/A, "?"]', C, B,
        ("state",), "missingValues with ?",
    ),
    "the empty text no longer counts as missing": Row(
        "quality", 'missingValues: [null, "", N/A]', "missingValues: [null, N/A]", B, C, ("state",),
        "missingValues without the empty text",
    ),
    "fewer nulls are allowed": Row(
        "quality", "mustBeLessOrEqualTo: 5", "mustBeLessThan: 5", C, B, ("state",), "asks for more",
        "lets more through",
    ),
    "a rule with a tolerance goes": Row(
        "quality", "          - {metric: nullValues, mustBeLessOrEqualTo: 5, unit: percent}\n", "", B, C,
        ("state",), "is gone",
    ),
    "a number between others": Row(
        "quality", "mustBeBetween: [0, 5]", "mustBeBetween: [0, 3]", C, B, ("state",), "asks for more",
    ),
    "a number outside of others": Row(
        "quality", "mustNotBeBetween: [10, 20]", "mustNotBeBetween: [10, 30]", C, B,
        ("product_id", "state"), "asks for more", "lets more through",
    ),
    "a number of rows in other words": Row(
        "quality", "mustBeBetween: [0, 5]", "mustBeLessThan: 5.5", S, S, ("state",),
        "the same in other words",
    ),
    "percent over a hundred": Row(
        "quality", "mustNotBeBetween: [10, 20]", "mustNotBeBetween: [10, 200]", C, B,
        ("product_id", "state"), "asks for more", "lets more through",
    ),
    "a combination in another order": Row(
        "quality", "[product_id, state]}", "[state, product_id]}", S, S, (), "is called",
    ),
    "a number that it is not": Row(
        "quality", "mustNotBe: 7", "mustNotBe: 8", B, B, ("state",), "asks for something else",
    ),
    "a number at least": Row(
        "quality", "mustBeGreaterOrEqualTo: 0", "mustBeGreaterThan: 0", C, B, ("state",),
        "asks for more",
    ),
    "a rule that warns asks for less": Row(
        "quality", _ROWS, _ROWS.replace("100", "10"), C, C, (), "check enough_rows lets more through",
    ),
    "a rule that warns goes": Row(
        "quality", f"      - {_ROWS}\n", "", C, C, (), "check enough_rows is gone",
    ),
    "a rule blocks": Row(
        "quality", _ROWS, _ROWS.replace("warning", "blocking"), C, B, (), "check enough_rows blocks now",
        "check enough_rows only warns now",
    ),
    "another query": Row(
        "quality", _FUTURE, _FUTURE.replace(">", ">="), B, B, (), "no_future asks for something else",
    ),
    "a query in another layout": Row(
        "quality", _FUTURE, _FUTURE.replace("FROM", " from "), S, S,
    ),
    "a query's number may be another": Row(
        "quality", _FUTURE, _FUTURE.replace("mustBe: 0", "mustBeLessThan: 5"), B, C, (),
        "lets more through: mustBeLessThan 5, before mustBe 0",
    ),
    "a rule has another name": Row(
        "quality", "name: no_future", "name: all_past", S, S, (), "check no_future is called all_past",
    ),
    "a rule of the domain's goes": Row(
        "quality", _ADDS_UP, "", B, C, (), "check adds_up is gone",
    ),
    "another function of the domain's": Row(
        "quality", "rules:adds_up", "rules:adds_up_at_last", B, B, (), "check adds_up asks for",
    ),
    "a rule is explained otherwise": Row(
        "quality", "description: Tills that are old send their own words.", "description: Old tills.",
        S, S, ("state",), "check state_known is described otherwise",
    ),
    "a column refers to another product": Row(
        "relationships", _CATALOG, _CATALOG.replace("catalog", "range"), C, C, ("product_id",),
        "asks for something else",
    ),
    "several columns refer to another product": Row(
        "relationships", "properties/state\n", "properties/phase\n", B, B, ("product_id", "state"),
        "asks for something else",
    ),
    "more may refer to nothing": Row(
        "maxOrphansPercent", "{property: maxOrphansPercent, value: 0.5,",
        "{property: maxOrphansPercent, value: 5,", C, C, ("product_id",), "lets more through",
    ),
    "a reference blocks": Row(
        "severity", "{property: severity, value: warning, vendor: mesh}",
        "{property: severity, value: blocking, vendor: mesh}", C, B, ("product_id",), "blocks now",
        "only warns now",
    ),
    "a store goes": Row(
        "servers", _WAREHOUSES, "", B, C, (), "it is no longer published in the warehouse",
        "it is published in the warehouse, too",
    ),
    "it is served by its key no more": Row(
        "servers", _SERVED, "", B, C, (), "it is no longer served by its key",
        "it is served by its key, too",
    ),
    "a column is served by the key no more": Row(
        "columns", "value: [state, paid_on]}", "value: [state]}", B, C, ("paid_on",),
        "paid_on is no longer served by the key", "paid_on is served by the key, too",
    ),
    "a generation is kept shorter": Row(
        "graceMinutes", "graceMinutes, vendor: mesh, value: 5", "graceMinutes, vendor: mesh, value: 1",
        C, C, (), "kept for another time",
    ),
    "fewer generations are kept": Row(
        "generations", "generations, vendor: mesh, value: 4", "generations, vendor: mesh, value: 2",
        C, C, (), "kept for another time",
    ),
    "it is deprecated": Row("status", "status: active", "status: deprecated", C, C, (), "deprecated"),
    "it is retired": Row(
        "status", "status: active", "status: retired", B, C, (), "nothing is published any more",
    ),
    "it is a draft": Row("status", "status: active", "status: draft", B, C, (), "status is draft"),
    "another owner": Row(
        "username", "username: orders@example.com", "username: sales@example.com", C, C, (), "owner is",
    ),
    "it is called otherwise by other tools": Row("id", "id: order-lines", "id: order-l", S, S, (), "id"),
    "it is described otherwise": Row(
        "purpose", "purpose: What was sold, line by line.", "purpose: Sales.", S, S, (), "description",
    ),
    "it has other tags": Row("tags", "tags: [sales, retail]", "tags: [sales]", S, S, (), "tags"),
    "it comes more seldom": Row(
        "slaProperties", _LATENCY, _LATENCY.replace("2", "4"), B, C, (),
        "published at least once in 4 days; it was at least once in 2 days", "once in 2 days; it was",
    ),
    "the same length in another unit": Row(
        "slaProperties", _LATENCY, "{property: latency, value: 48, unit: h,", S, S,
    ),
    "versions are kept for a shorter time": Row(
        "slaProperties", _KEPT, _KEPT.replace("3", "1"), B, C, (), "versions are kept 365 days",
    ),
    "versions are kept for ever": Row(
        "slaProperties", f"  - {_KEPT}\n", "", C, B, (), "versions are kept for ever",
    ),
    "what nobody measures": Row("slaProperties", "value: 99.5", "value: 90", S, S),
    "it begins later": Row(
        "partitions", 'start: "2017-01-01"', 'start: "2017-06-01"', B, C, (), "the first day is",
    ),
    "it ends sooner": Row(
        "partitions", 'end: "2018-01-02"', 'end: "2017-12-31"', B, C, (), "it ends before 2017-12-31",
    ),
    "it goes on": Row(
        "partitions", ', end: "2018-01-02"', "", C, B, (), "it goes on and ended before 2018-01-02",
    ),
    "days on which nothing is due": Row(
        "partitions", 'end: "2018-01-02"}', 'end: "2018-01-02", closed: ["2017-12-25"]}', B, C, (),
        "nothing is due of 2017-12-25", "due now: 2017-12-25",
    ),
    "days after the last one": Row(
        "partitions", 'end: "2018-01-02"}', 'end: "2018-01-02", closed: ["2018-12-25"]}', S, C, (), "",
        "due now: 2018-12-25",
    ),
    "a comment above all": Row("landing", "apiVersion:", "# What is sold.\n\napiVersion:", S, S),
    "it lands in other files": Row(
        "landing", 'delimiter: ";"', 'delimiter: "|"', C, C, (), "data lands otherwise",
    ),
    "more rows may be lacking": Row(
        "lossBudgetPercent", "lossBudgetPercent, vendor: mesh, value: 5",
        "lossBudgetPercent, vendor: mesh, value: 7", B, C, (), "so many rows may be lacking: 7 %",
    ),
    "a version may have no row": Row(
        "allowEmpty", "allowEmpty, vendor: mesh, value: false", "allowEmpty, vendor: mesh, value: true",
        B, C, (), "a version may have no row", "every version has a row",
    ),
    "rejected rows are kept for another time": Row(
        "quarantineDays", "quarantineDays, vendor: mesh, value: 30",
        "quarantineDays, vendor: mesh, value: 9", C, C, (), "rejected rows",
    ),
    "it is made at other times": Row(
        "alwaysRun", "alwaysRun, vendor: mesh, value: true", "alwaysRun, vendor: mesh, value: false",
        C, C, (), "other times",
    ),
    "something is to be confirmed": Row(
        "toConfirm", "  - {property: alwaysRun, vendor: mesh, value: true}\n",
        "  - {property: alwaysRun, vendor: mesh, value: true}\n"
        "  - {property: toConfirm, vendor: mesh, value: [is it so]}\n", S, S, (), "toConfirm",
    ),
    "it is made from other columns": Row(
        "transformSourceObjects", "transformSourceObjects: [till.lines]",
        "transformSourceObjects: [shop/lines.line_id]", S, S, ("line_id",), "transformSourceObjects",
    ),
    "it is hashed": Row(
        "anonymisation", "description: Whether it came back., classification: public",
        "description: Whether it came back., classification: public, customProperties: "
        "[{property: anonymisation, vendor: mesh, value: {method: keyedHash}}]", B, B, ("returned",),
        "returned is anonymised by keyedHash", "returned is not anonymised any more",
    ),
    "what other tools read": Row("tenant", "tenant: example", "tenant: other", S, S),
    "a price": Row("price", "priceAmount: 1.5", "priceAmount: 2.5", S, S),
}  # fmt: skip


def _worst(was: str, now: str) -> tuple[Effect, list[str], tuple[str, ...]]:
    found = contract_changes(read(was), read(now))
    assert found
    worst = [change for change in found if change.effect is found[0].effect]
    return (
        found[0].effect,
        [change.message for change in worst],
        next((change.columns for change in worst if change.columns), ()),
    )


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_it_is_known_what_a_change_does_to_readers(row: Row, back: bool) -> None:
    texts = rich(), row.after
    effect, messages, columns = _worst(*reversed(texts) if back else texts)
    assert effect is (row.back if back else row.there), messages
    said = row.said_back if back else row.said
    assert any(said in message for message in messages), messages
    if row.on and not back:
        assert {*columns} & {*row.on}


def test_the_table_has_eighty_kinds_and_every_clause_that_is_enforced() -> None:
    assert len(TABLE) >= 80
    named = {row.field for row in TABLE.values()}
    enforced = {name for part in VERDICTS.values() for name, (is_, _) in part.items() if is_}
    for kind in all_kinds().values():
        enforced |= {*kind.enforces, *kind.enforces_options}
    named.add("previousMajor")  # it takes a product of another name: the test below
    named.add("stream")  # it takes a product without `landing`: `test_streams.py`
    # What the reader takes in one form only cannot change; a version is judged with what changes.
    fixed = {"apiVersion", "kind", "domain", "version", "semanticType", "partitioned"}
    fixed |= {"partitionKeyPosition", "items", "map", "properties"}
    assert enforced - named - fixed == set()


def test_a_file_that_did_not_change_has_no_changes() -> None:
    assert contract_changes(read(rich()), read(rich())) == ()


def test_changes_that_come_together_are_told_apart() -> None:
    rows = [TABLE[name] for name in ("a number of other digits", "a query in another layout")]
    rows += [TABLE[name] for name in ("it is retired", "more values count as missing")]
    after = read(rich(*((row.was, row.now) for row in rows)))
    found = contract_changes(read(rich()), after)
    assert [change.effect for change in found] == [B, C, C]
    assert [change.message for change in breaks(read(rich()), after)] == [found[0].message]
    assert "retired" in found[0].message


def test_a_tightened_rule_on_a_loosened_tolerance_is_no_promise_kept() -> None:
    """Fewer values are valid, and more rows may be invalid: nobody can say which counts."""
    both = (
        (_STATE, _STATE.replace("[open, paid]", "[open]")),
        ("mustBeLessThan: 1\n", "mustBeLessThan: 9\n"),
    )
    effect, messages, _ = _worst(rich(), rich(*both))
    assert effect is B and "asks for something else" in messages[0]
    stricter = both[0], ("mustBeLessThan: 1\n", "mustBeLessThan: 0.5\n")
    assert _worst(rich(), rich(*stricter))[0] is C


_SAME = {
    "no nulls": ("", "metric: nullValues, mustBe: 0", "required: true"),
    "no value twice": ("", "metric: duplicateValues, mustBeLessThan: 1", "unique: true"),
    "some nulls": ("", "metric: nullValues, mustBeLessThan: 5, unit: percent", "required: true"),
    "the key of one column": ("required: true, unique: true", "", "primaryKey: true"),
    "the key, and unique": ("primaryKey: true, unique: true", "", "primaryKey: true"),
    "a list for a rule": (
        "", "metric: invalidValues, mustBe: 0, arguments: {validValues: [a, b]}",
        "enum: [{value: a}]",
    ),
    "a rule for a list": (
        "enum: [{value: a}, {value: b}]", "",
        "quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [b]}}]",
    ),
    "a list and a pattern for a rule": (
        "", 'metric: invalidValues, mustBeLessThan: 3, arguments: {validValues: [a], pattern: "^a"}',
        'enum: [{value: a}], logicalTypeOptions: {pattern: "^a"}',
    ),
    "a rule for it": ("unique: true", "", "quality: [{metric: duplicateValues, mustBe: 0}]"),
}  # fmt: skip


@pytest.mark.parametrize(("clauses", "rule", "now"), _SAME.values(), ids=_SAME)
def test_what_another_clause_says_is_not_lost(clauses: str, rule: str, now: str) -> None:
    said = clauses or f"quality: [{{{rule}}}]"
    was, after = (read(column_contract(f"{{logicalType: string, {one}}}")) for one in (said, now))
    assert breaks(was, after) == ()
    assert contract_changes(was, after)[0].effect is C


_NOT_SAID = {
    "another value": "enum: [{value: a}, {value: c}]",
    "a rule that lets some through": "quality: [{metric: invalidValues, mustBeLessThan: 2, "
    "arguments: {validValues: [a]}}]",
    "a rule that warns": "quality: [{metric: invalidValues, mustBe: 0, severity: warning, "
    "arguments: {validValues: [a]}}]",
    "another kind": 'logicalTypeOptions: {pattern: "^a$"}',
}


@pytest.mark.parametrize("now", _NOT_SAID.values(), ids=_NOT_SAID)
def test_a_list_that_lets_more_through_in_other_words_is_a_break(now: str) -> None:
    rule = "metric: invalidValues, mustBe: 0, arguments: {validValues: [a, b]}"
    was, after = (
        read(column_contract(f"{{logicalType: string, {one}}}"))
        for one in (f"quality: [{{{rule}}}]", now)
    )
    assert breaks(was, after)


@pytest.mark.parametrize("name", [{}, {"name": "once"}], ids=["", "named"])
@pytest.mark.parametrize("limit", [{"mustBe": 0}, {"mustBeLessThan": 5}], ids=["none", "some"])
def test_what_repeats_in_no_fewer_columns_repeats_in_none_of_more(
    name: dict[str, str], limit: dict[str, int], tmp_path: Path
) -> None:
    def of(*columns: str, **limit: int) -> Contract:
        rule = {
            **name,
            "metric": "duplicateValues",
            "arguments": {"properties": [*columns]},
            **limit,
        }
        text = contract_text("order/lines", [column(one) for one in "abc"], quality=[rule])
        return read_contract_text(text, tmp_path / "contract.odcs.yaml")

    none = {"mustBe": 0}
    assert breaks(of("a", "b", "c", **limit), of("a", "b", **none)) == ()
    assert breaks(of("a", "b", **none), of("a", "b", "c", **none))
    assert breaks(of("a", "b", **none), of("a", mustBeLessThan=5))
    assert breaks(of("a", "b", **none), of("a", "c", **none))


_NOT_THE_SAME = {
    "a rule that warns": "quality: [{metric: duplicateValues, mustBe: 0, severity: warning}]",
    "a rule that lets some through": "quality: [{metric: duplicateValues, mustBeLessThan: 2}]",
    "a rule on nulls": "quality: [{metric: nullValues, mustBe: 0}]",
}


@pytest.mark.parametrize("now", _NOT_THE_SAME.values(), ids=_NOT_THE_SAME)
def test_what_another_clause_says_less_of_is_lost(now: str) -> None:
    was, after = (
        read(column_contract(f"{{logicalType: string, {one}}}")) for one in ("unique: true", now)
    )
    assert [change.message for change in breaks(was, after)] == ["values of x may repeat now"]


_TYPES = {
    "integer": ("minimum: 1", "1"),
    "date": ('minimum: "2020-01-01"', '"2020-01-01"'),
    "timestamp": ('maximum: "2020-01-01T00:00:00"', '"2020-01-01T00:00:00"'),
    "timestamp, logicalTypeOptions: {timezone: true}": ('minimum: "2020-01-01T00:00:00Z"', ""),
    "number": ("maximum: 0.1", "0.1"),
    'number, physicalType: "DECIMAL(9,2)"': ("minimum: 0.1", "0.10"),
    "string": ('pattern: "^a$"', "a"),
}
_OK = ", quality: [{{name: ok, metric: invalidValues, arguments: {{{}}}, mustBe: 0}}]"


@pytest.mark.parametrize("one", _TYPES)
@pytest.mark.parametrize("other", _TYPES)
def test_values_of_any_two_types_can_be_compared(one: str, other: str) -> None:
    """A rule that moves to another column, and a column that becomes of another type."""
    first, second = (_OK.format(_TYPES[type_][0]) for type_ in (one, other))
    moved = tuple(
        _two(f"{one}{first}" if at == "x" else one, f"{other}{second}" if at == "y" else other)
        for at in "xy"
    )
    for was, now, on in ((*moved, "x"), (*reversed(moved), "y")):
        (change,) = breaks(read(was), read(now))
        # Who read the column that the rule looked at has less of it, and nobody else.
        assert (change.columns, "on x" in change.message) == ((on,), True)
    if one != other:
        was, now = (read(_two(f"{a}{b}", "date")) for a, b in ((one, first), (other, second)))
        assert "the type changes" in breaks(was, now)[0].message


def _two(x: str, y: str) -> str:
    text = column_contract(f"{{logicalType: {x}}}")
    first = next(line for line in text.splitlines() if "name: x" in line)
    return text.replace(first, f"{first}\n      - {{name: y, logicalType: {y}}}")


def test_a_query_that_no_parser_gets_through_is_another_one() -> None:
    deep = _FUTURE.replace("now()", f"{'(' * 3000}now(){')' * 3000}")
    effect, messages, _ = _worst(rich((_FUTURE, deep)), rich((_FUTURE, deep.replace(">", ">="))))
    assert effect is B and "no_future asks for something else" in messages[0]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("it is retired", "status:"),
        ("another owner", "team:"),
        ("a store goes", "  - {server: lake"),
        ("it comes more seldom", "  - {property: latency"),
    ],
)
def test_what_is_about_the_product_has_a_line_too(name: str, line: str) -> None:
    row = TABLE[name]
    (change, *_) = contract_changes(read(rich()), read(row.after))
    assert row.after.splitlines()[change.line - 1].startswith(line)


def test_a_line_is_where_the_change_stands_now() -> None:
    row = TABLE["a least number sinks"]
    text = rich((row.was, row.now))
    (change,) = contract_changes(read(rich()), read(text))
    assert "minimum: -1" in text.splitlines()[change.line - 1]
    assert change.clause.startswith("schema.lines.properties.price")


SUNSETS = {
    "sooner": ({"sunset": "2030-06-30"}, B, "it ends after 2030-06-30"),
    "later": ({"sunset": "2031-12-31"}, C, "it ends after 2031-12-31"),
    "another SELECT": ({"derivedBy": "SELECT id FROM orders"}, C, "derived otherwise"),
}


@pytest.mark.parametrize("change", SUNSETS)
def test_an_earlier_major_version_ends_no_sooner_than_was_said(change: str, tmp_path: Path) -> None:
    fields, effect, said = SUNSETS[change]

    def earlier(**fields: str) -> Contract:
        previous = {"of": "orders", "sunset": "2030-12-31", "derivedBy": "SELECT * FROM orders"}
        text = contract_text(
            "order/orders_v1", [column("id")], properties={"previousMajor": previous | fields}
        )
        return read_contract_text(text, tmp_path / "contract.odcs.yaml")

    (found,) = contract_changes(earlier(), earlier(**fields))
    assert (found.effect, said in found.message) == (effect, True) and found.line
