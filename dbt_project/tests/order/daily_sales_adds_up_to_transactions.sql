with made as (

    select
        sales_date,
        sum(line_count) as line_count,
        sum(sales_value) as sales_value
    from {{ ref('daily_sales') }}
    group by sales_date

),

given as (

    select
        cast(transaction_timestamp as date) as sales_date,
        count(*) as line_count,
        {{ sum_of_cents('sales_value') }} as sales_value
    from {{ source('order', 'transactions') }}
    group by cast(transaction_timestamp as date)

)

select
    given.sales_date as given_date,
    made.sales_date as made_date,
    given.line_count as given_lines,
    made.line_count as made_lines
from given
full outer join made on given.sales_date = made.sales_date
where
    given.sales_date is null
    or made.sales_date is null
    or given.line_count <> made.line_count
    or given.sales_value <> made.sales_value
