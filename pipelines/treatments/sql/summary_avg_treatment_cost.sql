-- Treatments whose cost is not known count, but not into the mean.
select
    t.treatment_type,
    count(*) as total_treatments,
    count(f.cost) as with_cost,
    count(distinct case when f.cost is not null then f.patient_id end) as patients_with_cost,
    cast(sum(f.cost) / count(f.cost) as decimal(12,2)) as avg_cost,
    min(f.cost) as min_cost,
    max(f.cost) as max_cost,
    cast(sum(f.cost) as decimal(18,2)) as total_cost
from gold.fact_treatments f
join gold.dim_treatment_types_and_outcome_statuses t on t.type_and_status_key = f.type_and_status_key
group by t.treatment_type
