{# Where a relation lies: the schema is the domain, which is the first folder of the model. #}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ node.fqn[1] if node is not none and node.resource_type == 'model' else target.schema }}
{%- endmacro %}
