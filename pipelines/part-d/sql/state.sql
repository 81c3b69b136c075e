select state_code, min(state_name) as state_name,
       cast(sum(population) as bigint) as total_population, count(*) as num_city
from cleansed.city
where load_date = $date
group by state_code
