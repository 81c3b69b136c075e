-- By the month in which treatments start.
select
    d.year,
    d.month,
    count(*) as total_treatments,
    sum(case when t.outcome_status = $success_status then 1 else 0 end) as successful_treatments,
    count(distinct f.patient_id) as patients,
    cast(sum(f.cost) as decimal(18,2)) as total_cost,
    cast(sum(f.cost) / count(f.cost) as decimal(12,2)) as avg_cost
from gold.fact_treatments f
join gold.dim_dates d on d.date_key = f.start_date_key
join gold.dim_treatment_types_and_outcome_statuses t on t.type_and_status_key = f.type_and_status_key
group by d.year, d.month
