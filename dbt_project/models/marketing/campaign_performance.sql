with reach as (

    select
        campaign_id,
        count(household_id) as households_targeted
    from {{ source('marketing', 'campaign_households') }}
    group by campaign_id

),

offer as (

    select
        campaign_id,
        count(distinct coupon_upc) as coupons_offered,
        count(distinct product_id) as products_offered
    from {{ source('marketing', 'coupons') }}
    group by campaign_id

),

response as (

    select
        campaign_id,
        count(coupon_upc) as redemptions,
        count(distinct household_id) as households_redeeming
    from {{ source('marketing', 'redemptions') }}
    group by campaign_id

),

sales as (

    select
        targeted.campaign_id,
        {{ sum_of_cents('baskets.sales_value', 14) }} as targeted_sales_value
    from {{ source('marketing', 'campaign_households') }} as targeted
    inner join {{ source('marketing', 'campaigns@1') }} as campaigns
        on targeted.campaign_id = campaigns.campaign_id
    inner join {{ source('order', 'baskets') }} as baskets
        on
            targeted.household_id = baskets.household_id
            and cast(baskets.transaction_timestamp as date)
            between campaigns.start_date and campaigns.end_date
    group by targeted.campaign_id

)

select
    campaigns.campaign_id,
    campaigns.campaign_type,
    campaigns.start_date,
    campaigns.end_date,
    {{ whole('coalesce(reach.households_targeted, 0)') }} as households_targeted,
    {{ whole('coalesce(offer.coupons_offered, 0)') }} as coupons_offered,
    {{ whole('coalesce(offer.products_offered, 0)') }} as products_offered,
    {{ whole('coalesce(response.redemptions, 0)') }} as redemptions,
    {{ whole('coalesce(response.households_redeeming, 0)') }} as households_redeeming,
    100 * cast(coalesce(response.households_redeeming, 0) as double)
        / nullif(reach.households_targeted, 0) as redemption_rate_percent,
    cast(coalesce(sales.targeted_sales_value, 0) as decimal(14, 2)) as targeted_sales_value
from {{ source('marketing', 'campaigns@1') }} as campaigns
left join reach on campaigns.campaign_id = reach.campaign_id
left join offer on campaigns.campaign_id = offer.campaign_id
left join response on campaigns.campaign_id = response.campaign_id
left join sales on campaigns.campaign_id = sales.campaign_id
order by campaigns.campaign_id
