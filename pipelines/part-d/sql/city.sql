-- The cities that had arrived by the day. One that came again takes its earlier row's place.
with known as (
    select *, row_number() over (partition by state_id, city_ascii, county_fips order by id desc) as nth
    from raw.state
    where ingest_date <= $date
)
select nullif(state_id, '') as state_code,
       nullif(state_name, '') as state_name,
       nullif(city, '') as city,
       nullif(city_ascii, '') as city_ascii,
       population
from known
where nth = 1
