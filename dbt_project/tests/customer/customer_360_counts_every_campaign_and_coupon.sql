with made as (

    select
        sum(campaigns_received) as campaigns,
        sum(coupons_redeemed) as coupons
    from {{ ref('customer_360') }}

),

given as (

    select
        (select count(*) from {{ source('marketing', 'campaign_households') }}) as campaigns,
        (select count(*) from {{ source('marketing', 'redemptions') }}) as coupons

)

select
    given.campaigns as given_campaigns,
    made.campaigns as made_campaigns,
    given.coupons as given_coupons,
    made.coupons as made_coupons
from given
cross join made
where
    given.campaigns <> coalesce(made.campaigns, 0)
    or given.coupons <> coalesce(made.coupons, 0)
