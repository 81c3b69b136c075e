-- Cities of one name are told apart by state and country.
select l.country, l.state, l.city, count(*) as total_treatments, count(distinct f.patient_id) as patients
from gold.fact_treatments f
join gold.dim_locations l on l.location_id = f.location_id
group by l.country, l.state, l.city
