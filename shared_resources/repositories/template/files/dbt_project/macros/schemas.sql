{# Where a relation lies and what it is called: the domain is the first folder of a model. #}

{% macro default__generate_schema_name(custom_schema_name, node) -%}
    {{ node.fqn[1] if node is not none and node.resource_type == 'model' else target.schema }}
{%- endmacro %}

{% macro snowflake__generate_schema_name(custom_schema_name, node) -%}
    {#- Everything of a run lies in one schema of its own, each relation called as its product. -#}
    {{ target.schema }}
{%- endmacro %}

{% macro snowflake__generate_alias_name(custom_alias_name, node) -%}
    {{ node.fqn[1] ~ '/' ~ node.name }}
{%- endmacro %}
