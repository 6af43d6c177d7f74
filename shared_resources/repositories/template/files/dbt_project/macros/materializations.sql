{# How a model is kept for the time of its run. #}

{% materialization view, adapter='snowflake' %}
    {#- As a table: whoever may read all views of the database must not see what nobody has audited. -#}
    {{ return(materialization_table_snowflake()) }}
{% endmaterialization %}
