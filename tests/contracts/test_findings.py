"""Every mistake in a contract is a finding with its line and a remedy, and all are found at once.

Each case makes one mistake in `rich.odcs.yaml` and names the line's text, what is said about it and
what to do.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts import odcs
from shared_resources.contracts.source import Source, read_source
from shared_resources.findings import InvalidFile
from tests.contracts.reading import RICH, column_contract, findings, rich

# before, after, what the finding says, what it advises
MISTAKES = [
    # unknown fields, at any depth
    ("tenant: example", "tenat: example", "tenat: is a field that is not known", "'tenant'"),
    ("purpose: What", "purpos: What", "description.purpos: is a field", "'purpose'"),
    ("usage: Count", "usege: Count", "description.usege", "'usage'"),
    ("{instructions: Count", "{instruction: Count", "context.instruction: is a field",
     "'instructions'"),
    ("question: How", "qestion: How", "context.verifiedStatements[0].qestion", "'question'"),
    ("dateIn: ", "dateInn: ", "team.members[0].dateInn", "'dateIn'"),
    ("catalogUrl: ", "catalogURL: ", "servers[0].catalogURL", "'catalogUrl'"),
    ("account: a", "acount: a", "servers[2].acount", "'account'"),
    ("driver: operational", "drivr: operational", "slaProperties[0].drivr", "'driver'"),
    ("dataGranularityDescription", "dataGranularity", "schema.lines.dataGranularity",
     "'dataGranularityDescription'"),
    ("        unique: false", "        uniqe: false", "properties.line_id.uniqe", "'unique'"),
    ("{minimum: 1, exclusive", "{minimun: 1, exclusive",
     "line_id.logicalTypeOptions.minimun", "'minimum'"),
    ("label: Open", "lable: Open", "state.enum[0].lable", "'label'"),
    ("dimension: accuracy", "dimensoin: accuracy", "state.quality[0].dimensoin", "'dimension'"),
    ("arguments: {validValues: [open", "arguments: {validValue: [open",
     "quality[0].arguments.validValue", "'validValues'"),
    ("arguments: {missingValues:", "arguments: {missing:", "quality[2].arguments.missing",
     "'missingValues'"),
    ("arguments: {properties: [p", "arguments: {columns: [p", "quality[1].arguments.columns",
     "properties"),
    ("type: foreignKey", "typ: foreignKey", "relationships[0].typ", "'type'"),
    ("nullText: ", "nulText: ", "customProperties[0].value.nulText", "'nullText'"),
    ("cadence: daily", "cadense: daily", "customProperties[1].value.cadense", "'cadence'"),
    # point reads
    ("value: [state, paid_on]}", "value: [state, paidon]}",
     "'paidon', a column that does not exist", "'paid_on'"),
    ("value: [state, paid_on]}", "value: []}", "is no list of columns", "list the columns"),
    ("value: [state, paid_on]}", "value: price}", "is no list of columns", "list the columns"),
    ("graceMinutes, vendor: mesh, value: 5", "graceMinutes, vendor: mesh, value: -1",
     "is no number of minutes", "0 to 1,440"),
    ("generations, vendor: mesh, value: 4", "generations, vendor: mesh, value: 1",
     "is no number of generations", "2 to 100"),
    ("{property: graceMinutes", "{property: graceHours", "is 'graceHours', which the mesh does not know",
     "'graceMinutes'"),
    ("  - server: serving\n    type: custom", "  - server: serving\n    type: iceberg",
     "is 'iceberg', but the serving is custom", "write custom"),
    # types
    ("logicalType: integer", "logicalType: integr", "is 'integr', which does not exist",
     "'integer'"),
    ("physicalType: BIGINT", "physicalType: BIGNT", "is 'BIGNT', a type that does not exist",
     "'BIGINT'"),
    ("physicalType: BIGINT", "physicalType: TEXT", "does not fit logicalType 'integer'", "BIGINT"),
    ("DECIMAL(12,2)", "DECIMAL", "neither how many digits", "DECIMAL(12,2)"),
    ("DECIMAL(12,2)", "DECIMAL(39,2)", "is 'DECIMAL(39,2)'", "1 to 38"),
    ("physicalType: BIGINT", "physicalType: BIGINT(5)", "takes no numbers", "write BIGINT"),
    ("format: i64}", "format: i32}", "contradicts physicalType BIGINT", "remove one"),
    ("format: f32", "format: i32", "is 'i32'", "f32"),
    ("logicalType: boolean", "logicalType: array", "columns hold single values", "one row an item"),
    ("logicalType: boolean", "logicalType: time", "no column can be yet", "timestamp"),
    ("required: true\n        unique", "required: yes\n        unique",
     "must be true or false, not 'yes'", "true or false"),
    ("version: 1.2.3-rc.1+build.5", "version: 1.2", "must be text, not 1.2", "quotes"),
    ("version: 1.2.3-rc.1+build.5", "version: '1.02.0'", "no semantic version", "1.0.0"),
    # options
    ("{minimum: 1, exclusiveMaximum: 1000000", "{minimum: 5, exclusiveMaximum: 5",
     "leaves no value between it and minimum", "correct one"),
    ("{minimum: 1, exclusiveMaximum", "{minimum: a, exclusiveMaximum", "must be a number, not 'a'",
     "a number"),
    ("multipleOf: 1,", "multipleOf: 0,", "is 0", "more than 0"),
    ("multipleOf: 1,", "multipleOf: 0.5,", "is no whole number", "whole number"),
    ("minimum: 0, maximum: 9999.99", "minimum: 0, maximum: 1.0e+11", "DECIMAL(12,2) cannot be",
     "correct"),
    ("minimum: \"2017-01-01T00:00:00Z\"", "minimum: \"2017-01-01T00:00:00\"", "has no time zone",
     "T12:00:00Z"),
    ("minimum: \"2017-01-01T00:00:00Z\"", "minimum: \"2017-02-30T00:00:00Z\"", "does not exist",
     "T12:00:00Z"),
    ("maximum: \"2030-12-31\"", "maximum: \"31.12.2030\"", "is no date", "2017-03-01"),
    ("minLength: 1, maxLength: 20", "minLength: 15, maxLength: 20", "less than minLength",
     "correct one"),
    ("maxLength: 20", "maxLength: -1", "is -1", "0 or more"),
    ("pattern: \"^[0-9]+$\"", "pattern: \"^(?=a)\"", "look-around", "plain group"),
    ("pattern: \"^[0-9]+$\"", "pattern: \"([0-9]\"", "is no regular expression", "correct"),
    ("pattern: \"^[a-z]+$\"", "pattern: \"(a)\\\\1\"", "RE2 and Python do not both know", "class"),
    ("- {value: paid}", "- {value: 5}", "is 5, which is no text", "quotes"),
    ("- {value: paid}", "- {value: open}", "a second time", "one of the two"),
    ("logicalTypeOptions: {format: f32}", "logicalTypeOptions: {pattern: a}",
     "logicalTypeOptions.pattern: is a field that is not known", "multipleOf"),
    # rules
    ("mustBeLessThan: 1\n", "mustBeLessThan: 1\n            mustBe: 0\n",
     "is a second operator in one rule (mustBeLessThan and mustBe)", "two rules"),
    ("mustBeLessThan: 1\n", "\n", "has no operator", "mustBeBetween"),
    ("mustBeBetween: [0, 5]", "mustBeBetween: [5, 0]", "the larger number first", "smaller"),
    ("mustBeBetween: [0, 5]", "mustBeBetween: [5, 5]", "the larger number first", "smaller"),
    ("mustBeBetween: [0, 5]", "mustBeBetween: [5]", "takes two numbers", "[0, 10]"),
    ("mustBeBetween: [0, 5]", "mustBeBetween: 5", "takes two numbers", "[0, 10]"),
    ("mustBeLessThan: 1\n", "mustBeLessThan: [1, 2]\n", "takes one number", "mustBeLessThan: 0"),
    ("mustNotBe: 7", "mustNotBe: seven", "takes one number", "mustNotBe: 0"),
    ("mustNotBe: 7", "mustNotBe: .nan", "no finite number", "finite"),
    ("unit: percent\n            sev", "unit: procent\n            sev", "is 'procent'",
     "'percent'"),
    ("mustBeGreaterThan: 100", "mustBeGreaterThan: 100, unit: percent", "rows are counted",
     "remove"),
    ("severity: info", "severity: infos", "is 'infos', which does not exist", "'info'"),
    ("metric: rowCount", "metric: rowcount", "is 'rowcount'", "'rowCount'"),
    ("metric: rowCount", "metric: nullValues", "does not stand here", "under a property"),
    ("{metric: nullValues, mustNotBe", "{metric: rowCount, mustNotBe", "does not stand here",
     "under the schema object"),
    ("{metric: nullValues, mustNotBe: 7}", "{mustNotBe: 7}", "names no metric", "nullValues"),
    ("{metric: nullValues, mustNotBe: 7}", "{metric: 5, mustNotBe: 7}", "is no metric",
     "nullValues"),
    ("{metric: nullValues, mustNotBe: 7}", "{rule: nullCheck, metric: nullValues, mustNotBe: 7}",
     "is deprecated", "metric"),
    ("type: text, description: A person looks at it each month.", "type: text", "says nothing",
     "description"),
    ("[product_id, state]}", "[product_id, stat]}", "is 'stat', a column that does not exist",
     "'state'"),
    ("[product_id, state]}", "[state, state]}", "a second time", "keep one"),
    ("name: no_future", "name: enough_rows", "names the rule 'enough_rows' a second time",
     "rename"),
    ("name: no_future", "name: required_line_id", "names the rule 'required_line_id'", "rename"),
    ("name: no_future", "name: no future", "cannot name a check", "letters"),
    ("${property}", "${column}", "uses ${column}, which means nothing", "property"),
    ("query: \"SELECT count(*) FROM ${object} WHERE", "query: \"DELETE FROM ${object} WHERE",
     "is no query", "SELECT"),
    ("engine: python", "engine: pyton", "is 'pyton'", "'python'"),
    ("\"rules:adds_up\"", "\"../rules:adds_up\"", "names no function", "rules:function"),
    # keys and names
    ("primaryKeyPosition: 2", "primaryKeyPosition: 3", "has 2 columns", "1 to 2"),
    ("primaryKeyPosition: 2", "primaryKeyPosition: 1", "as that of line_id", "1 to 2"),
    ("primaryKeyPosition: 2\n", "\n", "has no place in it", "primaryKeyPosition"),
    ("name: price", "name: state", "names the column 'state' a second time", "rename"),
    ("name: price", "name: State", "SQL ignores case", "rename"),
    ("name: price", "name: the price", "cannot name a column", "letters"),
    ("name: price", "name: _reasons", "cannot name a column", "start with a letter"),
    ("domain: order\n", "\n", "lacks the field 'domain'", "domain:"),
    ("name: lines\nversion", "version", "lacks the field 'name'", "name:"),
    ("name: lines\nversion", "name: order-lines\nversion", "cannot name a product", "letters"),
    ("  - name: lines\n    id", "  - name: line\n    id", "but the product is 'lines'", "'lines'"),
    # relationships
    ("- to: product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id",
     "- to: catalog.product_id", "a reference that is not understood", "<domain>/products/"),
    ("- to: product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id",
     "- to: ../product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id",
     "a reference that is not understood", "<domain>/products/"),
    ("- to: product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id",
     "- to: order/products/lines/contract.odcs.yaml#/schema/lines/properties/state",
     "refers to this product itself", "sql"),
    ("- to: product/products/catalog/contract.odcs.yaml#/schema/catalog/properties/product_id",
     "- to: []", "refers to nothing", "<domain>"),
    ("from: [lines.product_id, lines.state]", "from: [lines.product_id, lines.stat]",
     "is 'lines.stat', a column that does not exist", "'lines.state'"),
    ("from: [lines.product_id, lines.state]", "from: [lines.product_id]",
     "names 2 columns for 1", "as many"),
    ("maxOrphansPercent, value: 0.5", "maxOrphansPercent, value: 500", "no percentage",
     "0 to 100"),
    ("{property: maxOrphansPercent", "{property: maxOrphanPercent", "does not know here",
     "'maxOrphansPercent'"),
    # the platform's own properties
    ("prefix: order/lines", "prefix: ../lines", "no place below the landing zone", "relative"),
    ("prefix: order/lines", "prefix: /lines", "no place below the landing zone", "relative"),
    ("format: csv", "format: cvs", "is 'cvs', which does not exist", "'csv'"),
    ("format: csv", "format: parquet", "means nothing for format parquet", "remove"),
    ("mode: partition", "mode: replace", "but it has partitions", "partition"),
    ("{partition}.csv", "day.csv", "does not say which partition", "{partition}"),
    ("{partition}.csv", "{partition}-*.csv", "does not say which", "'{partition}.csv'"),
    ("{partition}.csv", "_{partition}.csv", "matches no object: '_2017-03-01.csv' is hidden", ""),
    ("{partition}.csv", "{partition}.csv.tmp", "unfinished work", "another name"),
    ("{partition}.csv", ".days/{partition}.csv", "'.days' is hidden", "another name"),
    ("{partition}.csv", "{partition}/", "is a folder's", "another name"),
    ("{partition}.csv", "{partition}" + "x" * 250, "at most 255 bytes", "another name"),
    ("{partition}.csv", "{partition}" + "/xy" * 340, "at most 1,024 bytes", "another name"),
    ("prefix: order/lines", "prefix: order/_lines", "'_lines' is hidden", "another name"),
    ("prefix: order/lines", "prefix: 'order/*'", "is no pattern", "one folder"),
    ("prefix: order/lines", "prefix: 'order/{partition}'", "is no pattern", "one folder"),
    ("\nname: lines", "\nname: " + "l" * 101, "has 101 characters", "at most 100"),
    ("implementation: \"rules:adds_up\",", "implementation: \"rules:adds_up\", customProperties: "
     "[{property: seconds, vendor: mesh, value: 3601}],", "no limit of a rule", "1 to 3,600"),
    ("implementation: \"rules:adds_up\",", "implementation: \"rules:adds_up\", customProperties: "
     "[{property: memoryMib, vendor: mesh, value: 1}],", "does not know here", "'memoryMiB'"),
    ("encoding: utf-8", "encoding: utf-9", "an encoding that does not exist", "utf-8"),
    ("encoding: utf-8", "encoding: base64", "an encoding that does not exist", "utf-8"),
    ("delimiter: \";\"", "delimiter: \";;\"", "is no delimiter", "one character"),
    ("column: sold_at", "column: sold", "a column that does not exist", "sold_at"),
    ("column: sold_at", "column: state", "holds no days", "timestamp"),
    ("start: \"2017-01-01\"", "start: \"2019-01-01\"", "does not lie after start", "first day"),
    ("lossBudgetPercent, vendor: mesh, value: 5", "lossBudgetPercent, vendor: mesh, value: 500",
     "is no percentage", "0 to 100"),
    ("{property: lossBudgetPercent, vendor: mesh", "{property: lossBudget, vendor: mesh",
     "does not know here", "'lossBudgetPercent'"),
    ("{property: lossBudgetPercent, vendor: mesh", "{property: lossBudgetPercent",
     "without a vendor", "vendor: mesh"),
    ("{property: lossBudgetPercent, vendor: mesh", "{property: lossBudgetPercent, vendor: Mesh",
     "is 'Mesh'", "'mesh'"),
    ("quarantineDays, vendor: mesh, value: 30", "quarantineDays, vendor: mesh, value: 0.5",
     "is no number of days", "1 to 36,500"),
    ("quarantineDays, vendor: mesh, value: 30", "quarantineDays, vendor: mesh, value: true",
     "is no number of days", "1 to 36,500"),
    ("alwaysRun, vendor: mesh, value: true", "alwaysRun, vendor: mesh, value: sometimes",
     "is neither true nor false", "true or false"),
    ("{property: topic, value: lines, vendor: confluent}", "{property: topic, value: x, vendor: mesh}",
     "does not know here", "remove"),
    ("partitioned: true", "partitioned: false", "contradicts", "true"),
    # service levels, servers, team, root
    ("value: 2, unit: d,", "value: 2, unit: m,", "minutes or months", "mo"),
    ("value: 2, unit: d,", "value: -2, unit: d,", "no length of time", "above 0"),
    ("property: availability", "property: availabilty", "does not exist", "'availability'"),
    ("element: lines.sold_at", "element: lines.sold", "does not exist", "'lines.sold_at'"),
    ("{server: lake, type: iceberg", "{server: lak, type: iceberg", "is 'lak'", "'lake'"),
    ("{server: lake, type: iceberg", "{server: lake, type: icebreg", "is 'icebreg'", "'iceberg'"),
    ("catalogUrl: \"https://example.com/catalog\", ", "", "lacks the field 'catalogUrl'",
     "catalogUrl:"),
    ("type: duckdb\n    environment: local", "type: postgres\n    environment: local",
     "the warehouse is duckdb", "snowflake"),
    ("{username: other@example.com, role: steward", "{username: other@example.com, role: owner",
     "a second owner", "one owner"),
    ("status: active", "status: activ", "is 'activ'", "'active'"),
    ("apiVersion: v3.2.0", "apiVersion: v2.2.2", "an older standard", "v3.2.0"),
    ("kind: DataContract", "kind: Contract", "is 'Contract'", "'DataContract'"),
    ("tags: [sales, retail]", "tags: sales", "must be a list, not 'sales'", "list"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said", "advised"), MISTAKES)
def test_a_mistake_is_found_where_it_stands(
    before: str, after: str, said: str, advised: str
) -> None:
    text = rich((before, after))
    found = [f for f in findings(text) if said in f.message]
    assert found, f"nothing says {said!r}: {[str(f) for f in findings(text)]}"
    assert advised in found[0].remedy
    first = rich().index(before)
    lines = (rich()[:first].count("\n") + 1, rich()[: first + len(before)].count("\n") + 2)
    around = range(lines[0] - 12, lines[1] + 3)
    assert found[0].line in around or found[0].line == 2


@pytest.mark.parametrize(("before", "after", "said", "advised"), MISTAKES)
def test_one_mistake_is_not_reported_many_times(
    before: str, after: str, said: str, advised: str
) -> None:
    assert len(findings(rich((before, after)))) <= 3


def test_all_mistakes_are_found_at_once_in_the_order_of_the_lines() -> None:
    text = rich(
        ("tenant: example", "tenat: example"),
        ("version: 1.2.3-rc.1+build.5", "version: '1'"),
        ("physicalType: BIGINT", "physicalType: BIGNT"),
        ("mustBeBetween: [0, 5]", "mustBeBetween: [5, 0]"),
        ("column: sold_at", "column: sold"),
    )
    lines = [finding.line for finding in findings(text)]
    assert len(lines) == 5
    assert lines == sorted(lines)


def test_a_duplicate_key_is_an_error_beside_the_others() -> None:
    found = findings(rich(("status: active", "status: active\nstatus: draft\ntenat: x")))
    assert ["stands twice" in f.message for f in found] == [True, False]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("{description: no type}", "has no logicalType"),
        ("{logicalType: object}", "columns hold single values"),
        ("{logicalType: string, required: 1}", "must be true or false, not 1"),
        ("{logicalType: integer, enum: []}", "has 0 items"),
        ("{logicalType: integer, enum: [1, 2]}", "must be a mapping of fields, not 1"),
        ("{logicalType: integer, enum: [{value: 1.5}]}", "is no whole number"),
        ("{logicalType: integer, enum: [{value: null}]}", "is no number"),
        ("{logicalType: boolean, enum: [{value: 1}]}", "is no boolean"),
        ("{logicalType: integer, logicalTypeOptions: {minimum: 1.0e+30}}", "64-bit integer"),
        ("{logicalType: string, physicalName: y}", "published under their name"),
        ("{logicalType: string, semanticType: measure}", "describes a semantic model"),
        ("{logicalType: string, classification: secret}", "is 'secret'"),
        ("{logicalType: date, partitioned: true}", "makes 'x' a partition column"),
        ("{logicalType: string, primaryKeyPosition: 1}", "stands without `primaryKey: true`"),
        ("{logicalType: string, quality: [{metric: invalidValues, mustBe: 0}]}", "what is valid"),
        ("{logicalType: string, quality: [5]}", "must be a mapping of fields"),
    ],
)
def test_a_property_that_cannot_be_meant(column: str, said: str) -> None:
    assert any(said in finding.message for finding in findings(column_contract(column)))


def test_a_column_without_a_type_is_not_asked_for_what_some_type_needs() -> None:
    said = [finding.message for finding in findings(column_contract("{description: no type}"))]
    assert not any("lacks the field" in message for message in said)


def test_a_contract_without_a_table_says_so() -> None:
    (finding,) = findings(column_contract("{logicalType: string}").replace("schema:", "schema: []\nx:")
                          .split("x:")[0])  # fmt: skip
    assert "describes no table" in finding.message


JUNK: list[Any] = [
    None, 5, "x", [], {}, True, [1], {"a": 1}, 1.5, -1, "", [[]], "a\nb", float("inf"), [None],
    {"name": 5}, 10**30, "\0",
]  # fmt: skip
SOURCE = read_source(RICH)
PLACES = [place for place in SOURCE.places if place]


def _is_read_or_refused(place: tuple[str | int, ...], junk: Any) -> None:
    data = copy.deepcopy(dict(SOURCE.data))
    holder: Any = data
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = junk
    try:
        contract = odcs.compile_contract(Source(RICH, data, "digest", SOURCE.places))
    except InvalidFile as refused:
        assert all(finding.line and finding.remedy for finding in refused.findings)
    else:
        assert contract.servers and contract.columns and contract.rules


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PLACES), st.sampled_from(JUNK))
def test_no_value_in_any_place_ends_in_a_traceback(place: tuple[str | int, ...], junk: Any) -> None:
    _is_read_or_refused(place, junk)


def test_what_no_mapping_can_be_asked_for_ends_in_no_traceback_in_any_place() -> None:
    for place in PLACES:
        _is_read_or_refused(place, [[]])


@pytest.mark.slow
def test_no_junk_in_any_place_ends_in_a_traceback() -> None:
    for place in PLACES:
        for junk in JUNK:
            _is_read_or_refused(place, junk)
