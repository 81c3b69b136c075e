-- Ranked by the rate itself: what is shown is rounded.
with counted as (
    select
        p.provider_id,
        p.full_name as provider_full_name,
        count(*) as total_treatments,
        count(distinct f.patient_id) as patients,
        sum(case when t.outcome_status = $success_status then 1 else 0 end) as successful_treatments
    from gold.fact_treatments f
    join gold.dim_providers p on p.provider_id = f.provider_id
    join gold.dim_treatment_types_and_outcome_statuses t on t.type_and_status_key = f.type_and_status_key
    group by p.provider_id, p.full_name
)
select
    cast(rank() over (order by cast(successful_treatments as double) / total_treatments desc) as bigint) as success_rate_rank,
    provider_id,
    provider_full_name,
    total_treatments,
    patients,
    successful_treatments,
    cast(cast(successful_treatments * 100 as decimal(18,4)) / total_treatments as decimal(5,2)) as success_rate
from counted
