with made as (

    select
        count(*) as campaigns,
        sum(redemptions) as redemptions,
        sum(households_targeted) as households
    from {{ ref('campaign_performance') }}

),

given as (

    select
        (select count(*) from {{ source('marketing', 'campaigns@1') }}) as campaigns,
        (select count(*) from {{ source('marketing', 'redemptions') }}) as redemptions,
        (select count(*) from {{ source('marketing', 'campaign_households') }}) as households

)

select
    given.campaigns as given_campaigns,
    made.campaigns as made_campaigns,
    given.redemptions as given_redemptions,
    made.redemptions as made_redemptions
from given
cross join made
where
    given.campaigns <> made.campaigns
    or given.redemptions <> coalesce(made.redemptions, 0)
    or given.households <> coalesce(made.households, 0)
