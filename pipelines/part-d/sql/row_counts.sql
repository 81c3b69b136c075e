-- The rows of each table of the day beside those of the latest load before it.
with now as (
    select 'city' as table_name, count(*) as rows from cleansed.city where load_date = $date
    union all select 'drug', count(*) from cleansed.drug where load_date = $date
    union all select 'prescriber', count(*) from cleansed.prescriber where load_date = $date
    union all select 'prescriber_drug', count(*) from cleansed.prescriber_drug where load_date = $date
    union all select 'drug_report', count(*) from curated.drug_report where load_date = $date
    union all select 'prescriber_report', count(*) from curated.prescriber_report where load_date = $date
), before as (
    select table_name, rows,
           row_number() over (partition by table_name order by load_date desc) as nth
    from curated.row_counts
    where load_date < $date
)
select n.table_name, n.rows, b.rows as rows_before,
       cast(case when b.rows > 0 then (n.rows - b.rows) * 100.0 / b.rows end as decimal(12,2)) as drift_percent
from now n
left join before b on b.table_name = n.table_name and b.nth = 1
