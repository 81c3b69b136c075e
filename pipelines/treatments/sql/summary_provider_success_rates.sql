select
    p.provider_id,
    p.full_name as provider_full_name,
    s.name as speciality_name,
    p.affiliated_hospital,
    count(*) as total_treatments,
    count(distinct f.patient_id) as patients,
    sum(case when t.outcome_status = $success_status then 1 else 0 end) as successful_treatments,
    cast(cast(sum(case when t.outcome_status = $success_status then 1 else 0 end) * 100 as decimal(18,4)) / count(*) as decimal(5,2)) as success_rate
from gold.fact_treatments f
join gold.dim_providers p on p.provider_id = f.provider_id
left join gold.dim_specialities s on s.speciality_id = p.speciality_id
join gold.dim_treatment_types_and_outcome_statuses t on t.type_and_status_key = f.type_and_status_key
group by p.provider_id, p.full_name, s.name, p.affiliated_hospital
