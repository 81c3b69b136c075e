select
    cast(rank() over (order by count(*) desc) as bigint) as treatment_rank,
    p.provider_id,
    p.full_name as provider_full_name,
    s.name as speciality_name,
    count(*) as total_treatments,
    count(distinct f.patient_id) as patients
from gold.fact_treatments f
join gold.dim_providers p on p.provider_id = f.provider_id
left join gold.dim_specialities s on s.speciality_id = p.speciality_id
group by p.provider_id, p.full_name, s.name
