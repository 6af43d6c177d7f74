"""Forty and more violations, each planted by one edit in a copy of the example mesh.

Belongs here: the edits, and what a person is told. Does not belong here: checking (the test).

Each is a name, a file, the text that is replaced at its first place, the new text, what stands in the
line that is named, words of what is said and, where it is another, the file of the finding.
"""

from __future__ import annotations

from dataclasses import dataclass

CATALOG = "domains/product/products/catalog/contract.odcs.yaml"
TRANSACTIONS = "domains/order/products/transactions/contract.odcs.yaml"
BASKETS = "domains/order/products/baskets/contract.odcs.yaml"
BASKETS_CODE = "domains/order/products/baskets/product.py"
CONTACTS = "domains/customer/products/contacts/contract.odcs.yaml"
HISTORY = "domains/customer/products/order_history/contract.odcs.yaml"
HISTORY_CODE = "domains/customer/products/order_history/product.py"
C360 = "domains/customer/products/customer_360/contract.odcs.yaml"
C360_SQL = "dbt_project/models/customer/customer_360.sql"
SENT = "domains/marketing/products/campaign_households/contract.odcs.yaml"
CAMPAIGNS_V1 = "domains/marketing/products/campaigns_v1/contract.odcs.yaml"
COUPONS = "domains/marketing/products/coupons/contract.odcs.yaml"
PERFORMANCE = "domains/marketing/products/campaign_performance/contract.odcs.yaml"
OFFERS = "domains/recommendation/products/household_recommendations/contract.odcs.yaml"
OFFERS_CODE = "domains/recommendation/products/household_recommendations/product.py"
TO_MARKETING = "domains/customer/products/contacts/agreements/marketing.oaas.yaml"
TO_OFFERS = "domains/product/products/catalog/agreements/recommendation.oaas.yaml"
SOLD_TO_OFFERS = "domains/order/products/transactions/agreements/recommendation.oaas.yaml"
CUSTOMER = "domains/customer/domain.yaml"
PRODUCT = "domains/product/domain.yaml"
CENTRAL = "domains/governance.yaml"
WORKSPACE = "workspace.yaml"

WAIVER = """waivers:
  - policy: {policy}
    product: {product}
    reason: Known and agreed, until the tills say more.
    approver: {by}
    expires: {until}
"""


_LOCATION = """  - python_module:
      module_name: domains.product.definitions
      location_name: product
"""


@dataclass(frozen=True)
class Planted:
    name: str
    file: str
    old: str
    new: str
    line: str
    says: str
    found_in: str = ""


def _waiver(name: str, line: str, says: str, **changes: str) -> Planted:
    given = {
        "policy": "classified",
        "product": "catalog",
        "by": "governance@example.com",
        "until": "2026-12-31",
        **changes,
    }
    return Planted(name, PRODUCT, "waivers: []\n", WAIVER.format(**given), line, says)


PLANTED: tuple[Planted, ...] = (
    # The contract, as the standard and the platform read it.
    Planted("unknown field", CATALOG, "status: active", "statos: active", "statos", "statos"),
    Planted(
        "unknown nested field",
        CATALOG,
        "        required: true\n        primaryKey",
        "        requird: true\n        primaryKey",
        "requird",
        "requird",
    ),
    Planted("no YAML", COUPONS, "kind: DataContract", "kind: [DataContract", "", "YAML"),
    Planted(
        "no version of the standard",
        CATALOG,
        "apiVersion: v3.2.0",
        "apiVersion: v2.0.0",
        "apiVersion: v2.0.0",
        "apiVersion",
    ),
    Planted(
        "version is none",
        CATALOG,
        "version: 1.0.0\nstatus",
        "version: one\nstatus",
        "version: one",
        "version",
    ),
    Planted(
        "a type that is none",
        CATALOG,
        "physicalType: BIGINT",
        "physicalType: BIGGISH",
        "BIGGISH",
        "BIGGISH",
    ),
    Planted(
        "types that do not agree",
        CATALOG,
        "logicalType: integer",
        "logicalType: string",
        "",
        "BIGINT",
    ),
    Planted(
        "a pattern that is none",
        CONTACTS,
        'pattern: "^[a-z0-9.]+@',
        'pattern: "^[a-z0-9.+@',
        "pattern",
        "pattern",
    ),
    Planted(
        "a range upside down",
        TRANSACTIONS,
        "{minimum: 1, maximum: 53}",
        "{minimum: 53, maximum: 1}",
        "minimum: 53",
        "minimum",
    ),
    Planted(
        "a rule of two operators",
        CATALOG,
        "        mustBeBetween: [80000, 200000]",
        "        mustBeBetween: [80000, 200000]\n        mustBe: 1",
        "",
        "mustBe",
    ),
    Planted(
        "an unknown metric",
        CATALOG,
        "metric: rowCount",
        "metric: rowCounts",
        "rowCounts",
        "rowCounts",
    ),
    Planted(
        "a query that is none",
        CAMPAIGNS_V1,
        "SELECT count(*) FROM ${object} WHERE",
        "SELEKT count(*) FROM ${object} WHERE",
        "SELEKT",
        "is no query",
    ),
    Planted(
        "an unknown property of the platform",
        CATALOG,
        "property: landing",
        "property: landings",
        "landings",
        "landings",
    ),
    Planted("a landing format that is none", CATALOG, "format: csv", "format: cvs", "cvs", "cvs"),
    Planted(
        "a column twice",
        CATALOG,
        "- name: brand",
        "- name: department",
        "- name: department",
        "department",
    ),
    Planted(
        "a server that is none", CATALOG, "type: iceberg", "type: iceburg", "iceburg", "iceburg"
    ),
    Planted(
        "a partition column that is none",
        BASKETS,
        "column: transaction_timestamp",
        "column: printed_at",
        "printed_at",
        "printed_at",
    ),
    Planted(
        "a role with a column that is none",
        CATALOG,
        "value: [product_id, department,",
        "value: [product_id, departments,",
        "departments",
        "departments",
    ),
    Planted(
        "a mask that is none",
        CONTACTS,
        "{email: keyed-hash}",
        "{email: keyed-hsah}",
        "keyed-hsah",
        "keyed-hsah",
    ),
    # Central policies on files.
    Planted(
        "no classification",
        CATALOG,
        "        classification: public\n",
        "",
        "- name: product_id",
        "no classification",
    ),
    Planted(
        "no description",
        CATALOG,
        "        description: The retailer's number of the product.\n",
        "",
        "",
        "description",
    ),
    Planted(
        "an owner whom the domain does not know",
        CATALOG,
        "product-data@example.com",
        "someone@example.com",
        "team:",
        "someone@example.com",
    ),
    Planted(
        "no retention",
        CATALOG,
        "  - {property: retention, value: 3, unit: y}\n",
        "",
        "",
        "retention",
    ),
    Planted(
        "personal data kept for too long",
        CONTACTS,
        "value: 1, unit: y",
        "value: 9, unit: y",
        "slaProperties:",
        "730",
    ),
    Planted(
        "a loss budget above the cap",
        CATALOG,
        "customProperties:\n",
        "customProperties:\n  - {property: lossBudgetPercent, vendor: mesh, value: 50}\n",
        "customProperties:",
        "50",
    ),
    Planted(
        "a landing prefix of another domain",
        CATALOG,
        "prefix: product/catalog",
        "prefix: order/catalog",
        "order/catalog",
        "prefix",
    ),
    Planted(
        "a name in another spelling",
        CATALOG,
        "- name: manufacturer_id",
        "- name: ManufacturerId",
        "ManufacturerId",
        "snake_case",
    ),
    Planted(
        "an id of another product",
        CATALOG,
        "id: product-catalog",
        "id: order-baskets",
        "id: order-baskets",
        "order-baskets",
    ),
    Planted(
        "a contract in another's folder",
        CATALOG,
        "domain: product\n",
        "domain: order\n",
        "domain: order",
        "order",
    ),
    Planted(
        "a relationship to nothing",
        C360,
        "properties/household_id",
        "properties/household",
        "properties/household",
        "household",
    ),
    Planted(
        "a classification that falls along lineage",
        HISTORY,
        "classification: internal",
        "classification: public",
        "name: household_id",
        "order/transactions",
    ),
    Planted(
        "a sunset without its successor",
        CAMPAIGNS_V1,
        "of: campaigns\n",
        "of: campaign\n",
        "",
        "campaign",
    ),
    # Code, dbt, and locations.
    Planted(
        "an input that is none",
        BASKETS_CODE,
        'transactions="order/transactions"',
        'transactions="order/transaction"',
        "order/transaction",
        "order/transactions",
    ),
    Planted(
        "a parameter without an input",
        BASKETS_CODE,
        "def baskets(transactions: pl.LazyFrame)",
        "def baskets(sales: pl.LazyFrame)",
        "",
        "sales",
    ),
    Planted(
        "an import of another domain",
        BASKETS_CODE,
        "import polars as pl\n",
        "import polars as pl\n\nimport domains.customer\n",
        "domains.customer",
        "reaches into domain 'customer'",
    ),
    Planted(
        "code that cannot be read",
        HISTORY_CODE,
        "def order_history(",
        "def order_history((",
        "",
        "no valid Python",
    ),
    Planted(
        "a cycle",
        C360_SQL,
        "source('customer', 'households')",
        "source('customer', 'customer_360')",
        "customer_360",
        "itself",
    ),
    Planted(
        "a dbt source that is none",
        C360_SQL,
        "source('customer', 'households')",
        "source('customer', 'houses')",
        "houses",
        "houses",
    ),
    Planted(
        "dbt that reads what nobody granted",
        C360_SQL,
        "source('marketing', 'redemptions')",
        "source('marketing', 'promotions')",
        "promotions",
        "may not read marketing/promotions",
    ),
    Planted(
        "a rule's function that is none",
        OFFERS,
        '"rules:ten_each"',
        '"rules:eleven_each"',
        "ten_each",
        "eleven_each",
    ),
    Planted(
        "a location without build_domain",
        "domains/product/definitions.py",
        "build_domain(__file__)",
        "build_domain('elsewhere')",
        "",
        "build_domain",
    ),
    # Agreements.
    Planted(
        "an agreement over a role that is none",
        TO_OFFERS,
        "- role: assortment",
        "- role: assortments",
        "status: ",
        "assortments",
    ),
    Planted(
        "an agreement for a purpose that is none",
        TO_OFFERS,
        "purpose: personalisation",
        "purpose: personalization",
        "status: ",
        "personalization",
    ),
    Planted(
        "an agreement that its purpose forbids",
        TO_MARKETING,
        "- role: pseudonymous",
        "- role: addresses",
        "",
        "campaigns",
    ),
    Planted(
        "an agreement approved by nobody of the producer",
        TO_MARKETING,
        "'customer-data@example.com'",
        "'marketing-data@example.com'",
        "",
        "marketing-data@example.com",
    ),
    Planted(
        "an agreement that ended",
        SOLD_TO_OFFERS,
        "endTimestamp: '20",
        "endTimestamp: '19",
        "",
        "order/transactions",
        OFFERS_CODE,
    ),
    Planted(
        "an agreement with a field that is none",
        TO_MARKETING,
        "status: approved",
        "state: approved",
        "state",
        "state",
    ),
    # The domain's file, the central file, waivers, the workspace.
    Planted(
        "a field of the domain that is none",
        CUSTOMER,
        "archetype: aggregate",
        "archetpye: aggregate",
        "archetpye",
        "archetpye",
    ),
    Planted(
        "an archetype that is none",
        CUSTOMER,
        "archetype: aggregate",
        "archetype: aggregated",
        "aggregated",
        "aggregated",
    ),
    Planted(
        "a domain under another name",
        CUSTOMER,
        "name: customer\n",
        "name: customers\n",
        "name: customers",
        "customer",
    ),
    Planted(
        "a central field that is none",
        CENTRAL,
        "waiverDays: 180",
        "waiverDay: 180",
        "waiverDay",
        "waiverDay",
    ),
    Planted(
        "a central number that is none",
        CENTRAL,
        "waiverDays: 180",
        "waiverDays: many",
        "many",
        "waiverDays",
    ),
    Planted(
        "a central policy that is none",
        CENTRAL,
        "personal_data_retained:",
        "personal_data_retaned:",
        "personal_data_retaned",
        "personal_data_retaned",
    ),
    Planted(
        "a classification that is none, for a purpose",
        CENTRAL,
        "[public, internal]",
        "[public, secret]",
        "secret",
        "secret",
    ),
    _waiver("a waiver of a policy that is none", "- policy:", "clasified", policy="clasified"),
    _waiver("a waiver for a product that is none", "- policy:", "baskts", product="baskts"),
    _waiver("a waiver for years", "- policy:", "180", until="2036-01-01"),
    _waiver("a waiver by the domain itself", "- policy:", "approve", by="product-data@example.com"),
    _waiver("a waiver of what cannot be waived", "- policy:", "", policy="no_cycles"),
    Planted(
        "a location that the workspace lacks",
        WORKSPACE,
        _LOCATION,
        "",
        "",
        "product",
    ),
    Planted(
        "a location of the workspace that is none",
        WORKSPACE,
        "module_name: domains.product.definitions",
        "module_name: domains.products.definitions",
        "python_module",
        "there is no domain 'products'",
    ),
)
