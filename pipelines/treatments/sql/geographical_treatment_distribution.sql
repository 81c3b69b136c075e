select
    l.country,
    l.state,
    count(*) as total_treatments,
    count(distinct f.patient_id) as patients,
    cast(sum(f.cost) as decimal(18,2)) as total_cost,
    cast(cast(count(*) * 100 as decimal(18,4)) / sum(count(*)) over () as decimal(5,2)) as percent_of_treatments
from gold.fact_treatments f
join gold.dim_locations l on l.location_id = f.location_id
group by l.country, l.state
