with days as (
    select distinct cast(moment as date) as day from (
        select treatment_start_date as moment from silver.treatments
        union all
        select treatment_completion_date from silver.treatments
        union all
        select treatment_outcome_date from silver.treatments
    ) moments
    where moment is not null
)
select
    cast(date_part('year', day) * 10000 + date_part('month', day) * 100 + date_part('day', day) as int) as date_key,
    day as full_date,
    cast(date_part('year', day) as int) as year,
    cast(date_part('quarter', day) as int) as quarter,
    cast(date_part('month', day) as int) as month,
    to_char(day, '%B') as month_name,
    cast(date_part('day', day) as int) as day,
    to_char(day, '%A') as day_name,
    to_char(day, '%A') in ('Saturday', 'Sunday') as is_weekend
from days
