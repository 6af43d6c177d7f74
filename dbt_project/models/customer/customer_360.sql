with campaigns as (

    select
        household_id,
        count(campaign_id) as campaigns_received
    from {{ source('marketing', 'campaign_households') }}
    group by household_id

),

coupons as (

    select
        household_id,
        count(coupon_upc) as coupons_redeemed
    from {{ source('marketing', 'redemptions') }}
    group by household_id

)

select
    history.household_id,
    households.household_id is not null as has_demographics,
    households.age,
    households.income,
    households.home_ownership,
    households.marital_status,
    households.household_size,
    households.household_comp,
    households.kids_count,
    history.first_purchase_at,
    history.last_purchase_at,
    history.basket_count,
    history.sales_value,
    cast(
        history.retail_disc + history.coupon_disc + history.coupon_match_disc as decimal(12, 2)
    ) as discount_value,
    history.favourite_store_id,
    {{ whole('coalesce(campaigns.campaigns_received, 0)') }} as campaigns_received,
    {{ whole('coalesce(coupons.coupons_redeemed, 0)') }} as coupons_redeemed
from {{ source('customer', 'order_history') }} as history
left join {{ source('customer', 'households') }} as households
    on history.household_id = households.household_id
left join campaigns
    on history.household_id = campaigns.household_id
left join coupons
    on history.household_id = coupons.household_id
order by history.household_id
