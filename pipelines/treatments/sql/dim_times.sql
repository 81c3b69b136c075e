with times as (
    select distinct
        cast(date_part('hour', moment) as int) as hour,
        cast(date_part('minute', moment) as int) as minute,
        cast(floor(date_part('second', moment)) as int) as second
    from (
        select treatment_start_date as moment from silver.treatments
        union all
        select treatment_completion_date from silver.treatments
        union all
        select treatment_outcome_date from silver.treatments
    ) moments
    where moment is not null
)
select
    hour * 10000 + minute * 100 + second as time_key,
    hour,
    minute,
    second,
    case
        when hour < 6 then 'night'
        when hour < 12 then 'morning'
        when hour < 18 then 'afternoon'
        else 'evening'
    end as part_of_day
from times
