{# Counts and amounts of money in types that are the same on every engine. #}

{% macro whole(expression) -%}
    {#- A 64-bit integer: sums of integers are wider than that on DuckDB, decimal on Snowflake. -#}
    cast({{ expression }} as {{ dbt.type_bigint() }})
{%- endmacro %}

{% macro sum_of_cents(amount, digits=12) -%}
    {#- Rounded to the cent first, so that the sum is exact and the same in any order. -#}
    cast(sum(cast({{ amount }} as decimal({{ digits }}, 2))) as decimal({{ digits }}, 2))
{%- endmacro %}
