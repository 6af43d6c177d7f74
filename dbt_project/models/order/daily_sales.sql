with lines as (

    select
        cast(transaction_timestamp as date) as sales_date,
        store_id,
        basket_id,
        household_id,
        product_id,
        quantity,
        sales_value,
        retail_disc,
        coupon_disc,
        coupon_match_disc
    from {{ source('order', 'transactions') }}

)

select
    sales_date,
    store_id,
    {{ whole('count(distinct basket_id)') }} as basket_count,
    {{ whole('count(distinct household_id)') }} as household_count,
    {{ whole('count(product_id)') }} as line_count,
    {{ whole('sum(quantity)') }} as quantity,
    {{ sum_of_cents('sales_value') }} as sales_value,
    {{ sum_of_cents('retail_disc') }} as retail_disc,
    {{ sum_of_cents('coupon_disc') }} as coupon_disc,
    {{ sum_of_cents('coupon_match_disc') }} as coupon_match_disc
from lines
group by sales_date, store_id
order by sales_date, store_id
