-- The prescribers that had arrived by the day. One that came again takes its earlier row's place.
with known as (
    select id, prscrbr_npi, prscrbr_city, prscrbr_state_abrvtn, prscrbr_ent_cd,
           row_number() over (partition by prscrbr_npi order by id desc) as nth
    from raw.prescriber
    where ingest_date <= $date
)
select nullif(prscrbr_npi, '') as presc_id,
       nullif(prscrbr_city, '') as city,
       nullif(prscrbr_state_abrvtn, '') as state_code,
       case when prscrbr_ent_cd = 'I' then 'Individual' else 'Organization' end as presc_type
from known
where nth = 1
